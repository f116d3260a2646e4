//! Waivers: asked for where they can lift something, and nowhere else.

use jiff::SignedDuration;
use sluice_engine::Error;
use sluice_engine::act::Waiver;
use sluice_engine::ambient::Ambient as _;
use sluice_engine::consent::WaiverRequest;

use crate::stage::{Stage, environment};

fn waive(stage: &Stage, code: &str, to: &str) -> Result<Waiver, Error> {
    let request = WaiverRequest {
        code: code.into(),
        app: "Orders".into(),
        bundle: None,
        environment: environment(to),
        reason: "it cannot wait".into(),
        ticket: "OPS-1".into(),
        expires: stage.hand.now() + SignedDuration::from_hours(1),
    };
    stage.workspace.waive(&stage.ada, &request)
}

#[test]
fn a_waiver_that_could_lift_nothing_is_refused() {
    let stage = Stage::copied(70);
    for (code, to, expected) in [
        ("nonsense.code", "production", "no policy that was adopted gives a finding `nonsense.code`"),
        ("window.close", "production", "did you mean `window.closed`?"),
        ("window.closed", "staging", "no gate before `staging` gives it for `Orders`"),
        ("tests.failed", "staging", "gate `test-evidence` is hard and not `waivable`"),
        ("gate.fault", "production", "no waiver lifts `gate.fault`"),
    ] {
        let error = waive(&stage, code, to).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
        let told = format!("{error}; {}", error.help().unwrap());
        assert!(told.contains(expected), "{code}: {told}");
    }
    assert_eq!(stage.workspace.waivers().unwrap(), []);
    // Those that a gate before production can give and that a waiver lifts.
    for code in ["window.closed", "window.frozen", "gate.silent", "facts.missing"] {
        assert_eq!(waive(&stage, code, "production").unwrap().code, code);
    }
    assert_eq!(stage.workspace.waivers().unwrap().len(), 4);
}
