//! An environment that somebody else writes to, and `--wait`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use sluice_engine::ambient::{Ambient, System};
use sluice_engine::plan::{PlanRequest, Wanted};
use sluice_engine::promote::PromoteRequest;
use sluice_engine::{Actor, Home, Workspace};
use sluice_ledger::keyfile;

use crate::answers;
use crate::mistakes::{DONE, PENDING, ends};
use crate::stage::Stage;
use crate::steps;

/// What the command does while somebody else promotes to staging.
pub(crate) const RELEASE: [&str; 4] = ["release", "Dispatch", "--in", "staging"];

/// A promotion of `Orders` that holds the lease until it is told to go on.
pub(crate) struct Holder {
    go: Sender<()>,
    run: JoinHandle<()>,
}

impl Holder {
    /// Begins it, and waits until it has the lease.
    pub(crate) fn begin(stage: &Stage, to: &'static str) -> Self {
        let (workspace, home) = (stage.workspace(), Home::at(stage.home()));
        let (taken, is_taken) = channel();
        let (go, may_go) = channel();
        let run = std::thread::spawn(move || {
            let stopping = Stopping {
                machine: System::default(),
                throws: AtomicU64::new(0),
                taken,
                go: Mutex::new(may_go),
            };
            let ambient = Arc::new(stopping);
            let key = keyfile::read(&home.person_key("ada")).unwrap();
            let workspace =
                Workspace::open(&workspace, &home, Arc::clone(&ambient) as Arc<dyn Ambient>).unwrap();
            let transition =
                Wanted::Promotion { app: "Orders".to_owned(), version: None, to: to.parse().unwrap() };
            let plan = PlanRequest { transition, choices: [].into() };
            ambient.throws.store(0, Ordering::SeqCst);
            let request = PromoteRequest { plan, digest: None, wait: Duration::ZERO };
            workspace.promote(&Actor { name: "ada".to_owned(), key }, &request).unwrap();
        });
        is_taken.recv().expect("the promotion comes to its second act");
        Self { go, run }
    }

    /// Lets it go on, to its end.
    pub(crate) fn finish(self) {
        self.go.send(()).unwrap();
        self.run.join().unwrap();
    }
}

/// A machine whose die is thrown once for each act, and that stops at the second of a promotion:
/// the first takes the lease.
struct Stopping {
    machine: System,
    throws: AtomicU64,
    taken: Sender<()>,
    go: Mutex<Receiver<()>>,
}

impl Ambient for Stopping {
    fn now(&self) -> jiff::Timestamp {
        self.machine.now()
    }

    fn elapsed(&self) -> Duration {
        self.machine.elapsed()
    }

    fn random(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        if self.throws.fetch_add(1, Ordering::SeqCst) == 1 {
            // While it is opened nobody listens.
            if self.taken.send(()).is_ok() {
                self.go.lock().unwrap().recv().unwrap();
            }
        }
        self.machine.random(buffer)
    }

    fn pause(&self, at_most: Duration) {
        self.machine.pause(at_most);
    }
}

#[test]
fn who_finds_an_environment_written_to_is_refused_or_waits() {
    let mut stage = steps::end();
    let holder = Holder::begin(&stage, "staging");
    stage.play(&ends(PENDING, &RELEASE.join(" ")));
    stage.play(&ends(PENDING, &[&RELEASE[..], &["--wait", "1s", "-o", "json"]].concat().join(" ")));

    let (code, out, told) = waiting(&stage, &RELEASE, holder);
    assert_eq!(code, DONE, "{told}");
    assert!(out.starts_with("released Dispatch 1.0 in staging\n"), "{out}");
    answers::compare("lease", &stage.told);
}

/// The approval was of a plan for what the target held before.
#[test]
fn who_is_overtaken_is_told_so() {
    let mut stage = steps::end();
    stage.play(&ends(DONE, "approve Orders --to production --as ben"));
    let holder = Holder::begin(&stage, "production");
    let (code, out, told) = waiting(&stage, &["promote", "Orders", "--to", "production"], holder);
    assert_eq!((code, out.as_str()), (PENDING, ""), "{told}");
    let expected = "error: somebody else promoted to `production` meanwhile, and this is another plan now: the \
                    gates say pending\n";
    assert!(told.contains(expected), "{told}");
}

/// Lets the holder go on once a command waits for it; what came of the command: its exit code, its
/// answer and its talk.
fn waiting(stage: &Stage, command: &[&str], holder: Holder) -> (i32, String, String) {
    let mut child = stage
        .command(&[command, &["--wait", "1h", "--verbose"]].concat())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut talk = BufReader::new(child.stderr.take().unwrap());
    let mut told = String::new();
    while !told.contains("waiting for the lease") {
        assert_ne!(talk.read_line(&mut told).unwrap(), 0, "it ended without waiting:\n{told}");
    }
    assert!(child.try_wait().unwrap().is_none());
    holder.finish();
    talk.read_to_string(&mut told).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), told)
}
