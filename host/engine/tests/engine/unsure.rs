//! Runs of which one does not hear, at first, how they ended.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use sluice_engine::act::Ended;
use sluice_engine::ambient::Ambient;
use sluice_engine::audit::audit;
use sluice_engine::promote::PromoteRequest;
use sluice_engine::{Error, Home, Workspace};

use crate::holders::check;
use crate::stage::{Hand, MONDAY_ONE, Stage, ada, copy, environment};

const LATER: &str = "2026-06-01T13:20:00Z";

fn sql(folder: &Path, statement: &str) {
    let store = folder.join("workspace/.sluice/store.db");
    Connection::open(store).unwrap().execute_batch(statement).unwrap();
}

/// From now on the store takes nothing into a stream, where that holds.
fn refuse(folder: &Path, stream: &str, when: &str) {
    sql(
        folder,
        &format!(
            "CREATE TRIGGER refused BEFORE INSERT ON revisions WHEN NEW.stream = '{stream}' AND {when}
             BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        ),
    );
}

fn take_again(folder: &Path) {
    sql(folder, "DROP TRIGGER refused");
}

fn newest(stage: &Stage, stream: &str) -> u64 {
    stage.workspace.records().head(stream).unwrap().map_or(0, |head| head.revision)
}

#[test]
fn what_was_done_is_done_though_the_ledger_cannot_follow() {
    let stage = Stage::copied(140);
    let staging = environment("staging");
    // From the commit on, which follows the lease.
    let commit = newest(&stage, "env/staging") + 2;
    let is_there =
        format!("EXISTS (SELECT 1 FROM revisions WHERE stream = 'env/staging' AND revision = {commit})");
    refuse(stage.folder.path(), "ledger", &is_there);
    let done = stage.promote("Orders", "staging").unwrap();
    assert_eq!(done.checkpoint, None, "the newest one does not cover it");
    assert_eq!(newest(&stage, "env/staging"), commit);
    let runs = stage.workspace.promotions(&staging).unwrap();
    assert_eq!(runs.last().map(|(run, ended)| (run.number, ended)), Some((done.number, &Some(Ended::Done))));
    // An act is done once, and not again for want of an entry.
    let before = newest(&stage, "env/staging/settings");
    stage.set_constant("staging", "constants.OTHER", "3");
    assert_eq!(newest(&stage, "env/staging/settings"), before + 1);
    assert_eq!(audit(&stage.store(), None, None).unwrap()[0].unlogged, 3);
    take_again(stage.folder.path());
    let next = Stage::beside(stage.folder.path(), 141, LATER);
    check(&next.workspace, &staging, "the next command");
    assert_eq!(audit(&stage.store(), None, None).unwrap()[0].unlogged, 0);
}

type Interruption = Box<dyn FnOnce() + Send>;

/// A clock at whose n-th look something happens.
struct Watched {
    hand: Arc<Hand>,
    looks: AtomicU64,
    at: u64,
    happens: Mutex<Option<Interruption>>,
}

impl Ambient for Watched {
    fn now(&self) -> Timestamp {
        let looks = self.looks.fetch_add(1, Ordering::SeqCst);
        let happens = if looks == self.at { self.happens.lock().unwrap().take() } else { None };
        happens.into_iter().for_each(|happens| happens());
        self.hand.now()
    }

    fn elapsed(&self) -> Duration {
        self.hand.elapsed()
    }

    fn random(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        self.hand.random(buffer)
    }

    fn pause(&self, at_most: Duration) {
        self.hand.pause(at_most);
    }
}

/// A run of staging at whose n-th look at the clock something happens. Answers whether it came that far.
fn run(folder: &Path, at: u64, happens: Interruption) -> (Result<u64, Error>, bool) {
    let came = Arc::new(Mutex::new(false));
    let comes = came.clone();
    let hand = Hand::new(142, MONDAY_ONE);
    let clock = hand.clone();
    let happens: Interruption = Box::new(move || {
        *comes.lock().unwrap() = true;
        happens();
        // It goes on after all that.
        clock.set("2026-06-01T13:10:00Z");
    });
    let ambient = Watched { hand, looks: AtomicU64::new(0), at, happens: Mutex::new(Some(happens)) };
    let home = Home::at(folder.join("home"));
    let workspace = Workspace::open(&folder.join("workspace"), &home, Arc::new(ambient)).unwrap();
    let plan = Stage::asked("Orders", "staging");
    let request = PromoteRequest { plan, digest: None, wait: Duration::ZERO };
    let answer = workspace.promote(&ada(), &request).map(|done| done.number);
    let came = *came.lock().unwrap();
    (answer, came)
}

/// Every run comes to an end, whatever comes between its steps.
fn sweep(what: &str, happens: fn(&Path), expected: fn(&Error) -> bool) {
    let mut refused = 0;
    for at in 0.. {
        let folder = copy();
        let path = folder.path().to_owned();
        let (answer, came) = run(folder.path(), at, Box::new(move || happens(&path)));
        if !came {
            assert!(refused >= 3, "{what}: only {refused} runs came to something else");
            return;
        }
        if let Err(error) = answer {
            assert!(expected(&error), "{what} at {at}: {error:?}");
            refused += 1;
        }
        let next = Stage::beside(folder.path(), 143, LATER);
        if what != "the files change" {
            next.workspace.resume(&next.ada).unwrap();
        }
        check(&next.workspace, &environment("staging"), &format!("{what} at {at}"));
        audit(&folder.path().join("workspace/.sluice/store.db"), None, None).unwrap();
    }
}

#[test]
fn a_run_that_is_stopped_before_its_commit_has_an_end() {
    let change = |folder: &Path| {
        let file = folder.join("workspace/sluice.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("64 MiB", "32 MiB")).unwrap();
    };
    sweep("the files change", change, |error| matches!(error, Error::NotAdopted { .. }));
}

#[test]
fn a_run_that_a_new_configuration_overtakes_is_settled_by_the_next_command() {
    let adopt = |folder: &Path| {
        let file = folder.join("workspace/sluice.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("64 MiB", "32 MiB")).unwrap();
        let mut other = Stage::beside(folder, 145, "2026-06-01T13:05:00Z");
        let candidate = other.workspace.proposed().unwrap();
        other.workspace.adopt(&other.ada, candidate).unwrap();
    };
    sweep("another adopts", adopt, |error| matches!(error, Error::ConfigurationChanged));
}

#[test]
fn a_committed_run_whose_process_died_is_ended_whoever_was_journaled_after_it() {
    // Another passes this one over, commits, and comes to no end; then this one goes on.
    let pass_over = |folder: &Path| {
        let other = Stage::beside(folder, 144, "2026-06-01T13:05:00Z");
        other.workspace.resume(&other.ada).unwrap();
        refuse(folder, "env/staging/ends", "1");
        let wait = Duration::from_secs(120);
        let _ = other.carry_out_waiting(other.request("Orders", "staging"), wait);
        take_again(folder);
    };
    sweep("another commits and dies", pass_over, |error| {
        matches!(
            error,
            Error::Conflict { .. }
                | Error::PlanChanged { .. }
                | Error::PlanRefused(_)
                | Error::ClockBehind { .. }
                | Error::LeaseHeld { .. }
                | Error::Invalid { .. }
                | Error::Refused(_)
        )
    });
}
