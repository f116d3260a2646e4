//! Two processes at one store: whoever lost the lease writes nothing.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use sluice_engine::act::{Ended, What};
use sluice_engine::ambient::Ambient;
use sluice_engine::audit::audit;
use sluice_engine::promote::PromoteRequest;
use sluice_engine::{Error, Home, Workspace};
use sluice_model::EnvironmentName;

use crate::stage::{Hand, MONDAY_ONE, Stage, copy, environment};

type Interruption = Box<dyn FnOnce() + Send>;

/// A die at whose n-th throw another process comes in between. Every act throws it once.
struct Interrupted {
    hand: Arc<Hand>,
    throws: AtomicU64,
    at: u64,
    interruption: Mutex<Option<Interruption>>,
}

impl Ambient for Interrupted {
    fn now(&self) -> Timestamp {
        self.hand.now()
    }

    fn elapsed(&self) -> Duration {
        self.hand.elapsed()
    }

    fn random(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        if self.throws.fetch_add(1, Ordering::SeqCst) == self.at
            && let Some(interruption) = self.interruption.lock().unwrap().take()
        {
            interruption();
        }
        self.hand.random(buffer)
    }

    fn pause(&self, at_most: Duration) {
        self.hand.pause(at_most);
    }
}

/// What the other process does in between.
#[derive(Debug, Clone, Copy)]
enum Other {
    Resumes,
    ResumesAndPromotes,
    WaitsAndPromotes,
    ResumesAndRollsBack,
    SetsAConstant,
}

impl Other {
    const ALL: [Self; 5] = [
        Self::Resumes,
        Self::ResumesAndPromotes,
        Self::WaitsAndPromotes,
        Self::ResumesAndRollsBack,
        Self::SetsAConstant,
    ];

    /// Its own answer is judged by what it leaves: it may be refused.
    fn act(self, stage: &Stage) {
        match self {
            Self::Resumes => drop(stage.workspace.resume(&stage.ada).unwrap()),
            Self::ResumesAndPromotes => {
                stage.workspace.resume(&stage.ada).unwrap();
                let _ = stage.promote("Orders", "staging");
            }
            Self::WaitsAndPromotes => {
                let wait = Duration::from_secs(120);
                let _ = stage.carry_out_waiting(stage.request("Orders", "staging"), wait);
            }
            Self::ResumesAndRollsBack => {
                stage.workspace.resume(&stage.ada).unwrap();
                let _ = stage.carry_out(stage.rollback("Orders", "staging"));
            }
            Self::SetsAConstant => stage.set_constant("staging", "constants.OTHER", "3"),
        }
    }
}

/// Every commit follows its own lease at once, is of one run, and that run says so; every other run
/// was undone.
fn check(workspace: &Workspace, staging: &EnvironmentName, at: &str) {
    let mut committed = Vec::new();
    let mut lease = None;
    for recorded in workspace.records().all(&format!("env/{staging}")).unwrap() {
        match recorded.act.what {
            What::LeaseTaken { state } => lease = state.held,
            What::Committed { state, promotion } => {
                assert!(lease.take().is_some(), "{at}: a commit without the lease");
                assert_eq!(state.held, None, "{at}");
                committed.push(promotion);
            }
            _ => lease = None,
        }
    }
    let mut done = Vec::new();
    for (proposal, ended) in workspace.promotions(staging).unwrap() {
        match ended {
            Some(Ended::Done) => done.push(proposal.number),
            Some(Ended::Undone { .. }) => {}
            None => panic!("{at}: promotion {} has no end", proposal.number),
        }
    }
    assert_eq!(committed, done, "{at}");
}

/// A promotes, and at its `throw`-th throw B comes in between. Answers whether A came that far.
fn interleave(other: Other, throw: u64) -> bool {
    let at = format!("{other:?} at {throw}");
    let folder = copy();
    // B is opened beforehand, as a process that runs already.
    let b = Stage::beside(folder.path(), 11, "2026-06-01T13:05:00Z");
    let came = Arc::new(AtomicU64::new(0));
    let interrupted = Arc::new(Interrupted {
        hand: Hand::new(12, MONDAY_ONE),
        // The first is drawn when the workspace is opened.
        throws: AtomicU64::new(0),
        at: throw,
        interruption: Mutex::new(Some(Box::new({
            let came = came.clone();
            move || {
                other.act(&b);
                came.store(1, Ordering::SeqCst);
            }
        }))),
    });
    let home = Home::at(folder.path().join("home"));
    let place = folder.path().join("workspace");
    let a = Workspace::open(&place, &home, interrupted.clone()).unwrap();
    let ada = crate::stage::ada();
    let request = Stage::asked("Orders", "staging");
    let answer = a.promote(&ada, &PromoteRequest { plan: request, digest: None, wait: Duration::ZERO });
    // What A's clock says does not matter from here on.
    interrupted.hand.set("2026-06-01T14:00:00Z");
    if let Err(error) = &answer {
        let expected = matches!(
            error,
            Error::Conflict { .. }
                | Error::PlanChanged { .. }
                | Error::PlanRefused(_)
                | Error::ClockBehind { .. }
                | Error::LeaseHeld { .. }
                | Error::Invalid { .. }
                | Error::Refused(_)
        );
        assert!(expected, "{at}: {error:?}");
    }
    a.resume(&ada).unwrap();
    check(&a, &environment("staging"), &at);
    if let Ok(report) = answer {
        let promotions = a.promotions(&environment("staging")).unwrap();
        let (_, ended) = promotions.iter().find(|(proposal, _)| proposal.number == report.number).unwrap();
        assert_eq!(*ended, Some(Ended::Done), "{at}: acknowledged and not done");
    }
    audit(&place.join(".sluice/store.db"), None, None).unwrap_or_else(|error| panic!("{at}: {error}"));
    came.load(Ordering::SeqCst) == 1
}

#[test]
fn whoever_lost_the_lease_writes_nothing() {
    for other in Other::ALL {
        let throws = (1..).find(|throw| !interleave(other, *throw)).unwrap() - 1;
        assert!(throws >= 4, "{other:?} comes between {throws} acts: lease, journal, commit and end");
    }
}

#[test]
fn two_that_act_at_once_leave_one_ledger() {
    let folder = copy();
    std::thread::scope(|scope| {
        for (number, name) in ["development", "staging", "production"].into_iter().enumerate() {
            let folder = folder.path();
            scope.spawn(move || {
                let stage = Stage::beside(folder, 20 + number as u64, MONDAY_ONE);
                // The clocks are of three machines, each a little ahead of all entries so far.
                for turn in 0..12 {
                    stage.hand.set(&format!("2026-06-01T13:{:02}:00Z", turn + 1));
                    let name_of = format!("constants.TURN_{turn}").parse().unwrap();
                    let value = || sluice_vault::Secret::new("x").unwrap();
                    loop {
                        match stage.workspace.set_constant(&stage.ada, &environment(name), &name_of, value())
                        {
                            Ok(()) => break,
                            // Another machine is ahead already.
                            Err(Error::ClockBehind { last, .. }) => stage.hand.set(&last),
                            Err(error) => panic!("{name}: {error}"),
                        }
                    }
                }
            });
        }
    });
    let stage = Stage::opened(folder, 30, "2026-06-01T14:00:00Z");
    let audited = audit(&stage.store(), None, None).unwrap();
    assert_eq!(audited[0].unlogged, 0);
    for name in ["development", "staging", "production"] {
        let owned = stage.workspace.settings(&mut stage.workspace.work(), &environment(name)).unwrap();
        let turns = owned.constants(&stage.workspace.work()).unwrap();
        assert_eq!(turns.keys().filter(|key| key.contains("TURN_")).count(), 12, "{name}");
    }
}
