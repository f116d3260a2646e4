//! Two processes at one store: whoever lost the lease writes nothing.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use jiff::Timestamp;
use sluice_engine::act::{Ended, What};
use sluice_engine::ambient::{Ambient, System};
use sluice_engine::audit::audit;
use sluice_engine::plan::{PlanRequest, Wanted};
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
    /// What happens when it waits for the first time.
    waited_for: Mutex<Option<Interruption>>,
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
        if let Some(waited_for) = self.waited_for.lock().unwrap().take() {
            waited_for();
        }
        self.hand.pause(at_most);
    }
}

/// Longer than a lease: who stands still for that is passed over.
const PASSES_OVER: Duration = Duration::from_secs(120);

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
                let _ = stage.carry_out_waiting(stage.request("Orders", "staging"), PASSES_OVER);
            }
            Self::WaitsAndPromotes => {
                let _ = stage.carry_out_waiting(stage.request("Orders", "staging"), PASSES_OVER);
            }
            Self::ResumesAndRollsBack => {
                stage.workspace.resume(&stage.ada).unwrap();
                let _ = stage.carry_out_waiting(stage.rollback("Orders", "staging"), PASSES_OVER);
            }
            Self::SetsAConstant => stage.set_constant("staging", "constants.OTHER", "3"),
        }
    }
}

/// Every commit follows its own lease at once, is of one run, and that run says so; every other run
/// was undone.
pub(crate) fn check(workspace: &Workspace, staging: &EnvironmentName, at: &str) {
    let mut committed = Vec::new();
    let mut lease = None;
    for recorded in workspace.records().all(&format!("env/{staging}")).unwrap() {
        match recorded.act.what {
            What::LeaseTaken { state } => lease = state.held,
            What::Committed { state, promotion, .. } => {
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
        waited_for: Mutex::default(),
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

/// A has its turn, B waits for it and then has it, and C comes while B is at work.
#[test]
fn who_waited_for_its_turn_keeps_it() {
    let folder = copy();
    let home = Home::at(folder.path().join("home"));
    let place = folder.path().join("workspace");
    let open = |seed, at, on: u64, interruption: Interruption, waited_for: Option<Interruption>| {
        let ambient = Arc::new(Interrupted {
            hand: Hand::new(seed, at),
            throws: AtomicU64::new(0),
            at: on,
            interruption: Mutex::new(Some(interruption)),
            waited_for: Mutex::new(waited_for),
        });
        Workspace::open(&place, &home, ambient).unwrap()
    };
    let release = |workspace: &Workspace| {
        let transition = Wanted::Release {
            app: "Orders".into(),
            version: Some("1.0".into()),
            environment: environment("staging"),
        };
        let plan = PlanRequest { transition, choices: std::collections::BTreeMap::new() };
        let request = PromoteRequest { plan, digest: None, wait: Duration::ZERO };
        workspace.promote(&crate::stage::ada(), &request)
    };
    let staging = environment("staging");
    let (taken, is_taken) = channel();
    let (go, may_go) = channel::<()>();
    let (ended, has_ended) = channel::<()>();
    // The second throw of a run is after its lease; the first is drawn when the workspace is opened.
    let a = open(
        91,
        MONDAY_ONE,
        2,
        Box::new(move || {
            taken.send(()).unwrap();
            may_go.recv().unwrap();
        }),
        None,
    );
    let c = Stage::beside(folder.path(), 93, "2026-06-01T13:10:00Z");
    let third = Arc::new(Mutex::new(None));
    let comes = {
        let third = third.clone();
        move || {
            *third.lock().unwrap() = Some(c.promote("Orders", "staging").map(drop));
        }
    };
    let waits = move || {
        go.send(()).unwrap();
        has_ended.recv().unwrap();
    };
    let b = open(92, "2026-06-01T13:05:00Z", 2, Box::new(comes), Some(Box::new(waits)));
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            let answer = release(&a);
            ended.send(()).unwrap();
            answer
        });
        is_taken.recv().unwrap();
        let request = Stage::asked("Orders", "staging");
        let request = PromoteRequest { plan: request, digest: None, wait: PASSES_OVER };
        b.promote(&crate::stage::ada(), &request).unwrap();
        run.join().unwrap().unwrap();
    });
    let third = third.lock().unwrap().take().expect("C came while B was at work");
    assert!(matches!(third, Err(Error::LeaseHeld { .. })), "{third:?}");
    check(&b, &staging, "three in turn");
    let undone = b.promotions(&staging).unwrap().into_iter().filter(|(_, ended)| *ended != Some(Ended::Done));
    assert_eq!(undone.count(), 0);
}

#[test]
fn of_many_that_change_one_stream_at_once_each_comes_through() {
    const WRITERS: usize = 8;
    let folder = copy();
    let start = std::sync::Barrier::new(WRITERS);
    std::thread::scope(|scope| {
        for number in 0..WRITERS {
            let (folder, start) = (folder.path(), &start);
            scope.spawn(move || {
                let home = Home::at(folder.join("home"));
                let workspace =
                    Workspace::open(&folder.join("workspace"), &home, Arc::new(System::default())).unwrap();
                start.wait();
                for turn in 0..5 {
                    let reference = format!("secret://staging/many/{number}-{turn}").parse().unwrap();
                    let value = sluice_vault::Secret::new("x").unwrap();
                    workspace.set_secret(&crate::stage::ada(), &reference, value).unwrap();
                }
            });
        }
    });
    let stage = Stage::opened(folder, 94, "2126-06-01T13:00:00Z");
    let owned = stage.workspace.settings(&mut stage.workspace.work(), &environment("staging")).unwrap();
    let filed = owned.secrets(&stage.workspace.work()).unwrap();
    assert_eq!(filed.keys().filter(|path| path.starts_with("many/")).count(), WRITERS * 5);
    audit(&stage.store(), None, None).unwrap();
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
