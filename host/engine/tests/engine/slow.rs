//! Gates that run out of time: nothing rests on what they would have said.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use sluice_engine::ambient::Ambient;
use sluice_engine::audit::audit;
use sluice_engine::promote::PromoteRequest;
use sluice_engine::{Error, Home, Workspace};
use sluice_model::verdict::Verdict;

use crate::stage::{Hand, MONDAY_ONE, Stage, ada, environment, furnishing};

/// A clock that runs ahead at some looks.
struct Hurried {
    hand: Arc<Hand>,
    looks: AtomicU64,
}

impl Ambient for Hurried {
    fn now(&self) -> Timestamp {
        self.hand.now()
    }

    fn elapsed(&self) -> Duration {
        let is_ahead =
            self.looks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if is_ahead.is_ok() {
            self.hand.pause(Duration::from_millis(3));
        }
        self.hand.elapsed()
    }

    fn random(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        self.hand.random(buffer)
    }

    fn pause(&self, at_most: Duration) {
        self.hand.pause(at_most);
    }
}

const MANIFEST: &str = r#"
name = "counting"
version = "1.0.0"
title = "Counts"
api = 1
facts = ["plan"]

[findings."counting.done"]
doc = "it has counted"
"#;

/// So many steps that the clock is looked at some twenty times: of the 50 ms that a gate has, a clock
/// that runs ahead leaves it nothing, and leaves the others enough.
const SOURCE: &str = "let i = 0;
while i < 150 { i += 1; }
pass(\"counting.done\", #{ fact: \"plan.version\", actual: plan.version });
";

#[test]
fn a_gate_that_only_warns_and_runs_out_of_time_is_asked_again_and_then_lets_nothing_through() {
    let mut furnishing = furnishing();
    let files = [
        ("counting/policy.toml", MANIFEST),
        ("counting/policy.rhai", SOURCE),
        ("counting/README.md", "# Counts\n"),
    ];
    for (file, text) in files {
        furnishing.policies.insert(file.into(), text.into());
    }
    let mut stage = Stage::furnished(&furnishing);
    stage.import("development", &["tooljet/orders.json"]).unwrap();
    stage.manage("Orders");
    stage.dismiss_suspicions();
    stage.cut("1.0");
    stage.furnish("Orders", &["staging"]);
    stage.test("Orders", "development", "staging");
    stage.configure(|text| {
        let gate = "[[transition.gate]]\npolicy = \"counting\"\nlevel = \"warn\"\n\n";
        text.replacen("[[transition.gate]]\n", &format!("{gate}[[transition.gate]]\n"), 1)
    });
    let hurried = Arc::new(Hurried { hand: Hand::new(200, MONDAY_ONE), looks: AtomicU64::new(0) });
    let home = Home::at(stage.folder.path().join("home"));
    let workspace = Workspace::open(&stage.place(), &home, hurried.clone()).unwrap();
    let staging = environment("staging");
    let promote = |looks| {
        hurried.looks.store(looks, Ordering::SeqCst);
        let (plan, wait) = (stage.request("Orders", "staging"), Duration::ZERO);
        let done = workspace.promote(&ada(), &PromoteRequest { plan, digest: None, wait });
        let left = hurried.looks.swap(0, Ordering::SeqCst);
        (done, left)
    };

    let (done, left) = promote(u64::MAX);
    let error = done.unwrap_err();
    assert!(matches!(&error, Error::OutOfTime { gates } if *gates == ["counting"]), "{error}");
    assert!(error.help().is_some() && left > 0);
    assert_eq!(workspace.promotions(&staging).unwrap(), []);
    assert!(workspace.records().head("env/staging/refusals").unwrap().is_none());

    // A machine that was busy for a moment.
    let (done, left) = promote(25);
    let decision = done.unwrap().decision;
    assert_eq!(left, 0);
    assert!(decision.gates.iter().all(|gate| gate.verdict == Verdict::Pass), "{:?}", decision.gates);
    audit(&stage.store(), None, None).unwrap();
}
