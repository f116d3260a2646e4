//! The story: an app goes to production, is refused for good reasons, and is taken back.

use sluice_engine::Error;
use sluice_engine::audit::audit;
use sluice_engine::import::Sort;
use sluice_model::verdict::{Outcome, Verdict};
use sluice_policy::Decision;

use crate::stage::{Stage, environment, refusing};

fn refused(error: Error) -> Decision {
    match error {
        Error::Refused(decision) => *decision,
        other => panic!("{other}"),
    }
}

#[test]
fn from_development_to_production_and_back() {
    let stage = Stage::new();
    let report = stage.import("development", &["tooljet/orders.json"]).unwrap();
    assert!(report.changed);
    assert_eq!(report.changes.len(), report.summary.created);
    let again = stage.import("development", &["tooljet/orders.json"]).unwrap();
    assert!(!again.changed, "{:?}", again.summary);

    stage.manage("Orders");
    assert!(!stage.workspace.suspicions(&mut stage.workspace.work()).unwrap().is_empty());
    stage.dismiss_suspicions();
    assert_eq!(stage.workspace.suspicions(&mut stage.workspace.work()).unwrap().len(), 0);
    stage.cut("1.0");

    let plan = stage.plan("Orders", "staging");
    assert!(!plan.problems.is_empty());
    assert!(plan.problems.iter().all(|problem| !problem.fix.is_empty() && !problem.who.is_empty()));
    assert!(matches!(stage.promote("Orders", "staging"), Err(Error::PlanRefused(_))));
    stage.furnish("Orders", &["staging", "production"]);

    let decision = refused(stage.promote("Orders", "staging").unwrap_err());
    assert_eq!(decision.outcome, Outcome::Pending);
    assert_eq!(refusing(&decision), [("test-evidence", Verdict::Undecided)]);
    stage.test("Orders", "development", "staging");
    let empty = stage.content("staging");
    let done = stage.promote("Orders", "staging").unwrap();
    assert_eq!(done.number, 1);
    assert!(done.checkpoint.is_some());
    let promoted = stage.content("staging");
    assert_ne!(promoted, empty);

    let exported = stage.workspace.export(&environment("staging"), "Orders").unwrap();
    assert_eq!(exported.files.len(), 1);
    assert!(exported.to_enter.iter().any(|entry| entry.object == "orders-db"), "{:?}", exported.to_enter);
    let asked = stage.import("staging", &["tooljet/orders-staging.json"]).unwrap_err();
    let Error::MatchesToConfirm { digest, .. } = asked else { panic!("{asked}") };
    let learnt = stage.import_as("staging", &["tooljet/orders-staging.json"], Some(digest)).unwrap();
    assert!(learnt.summary.baseline && learnt.summary.learnt > 0);
    assert!(learnt.differences.iter().all(|d| d.sort != Sort::Created), "{:#?}", learnt.differences);
    assert_eq!(stage.content("staging"), promoted);

    stage.test("Orders", "staging", "production");
    let plan = stage.plan("Orders", "production");
    assert_eq!(plan.problems, []);
    let decision = refused(stage.promote("Orders", "production").unwrap_err());
    assert_eq!(refusing(&decision), [("approvals", Verdict::Undecided)]);
    stage.workspace.approve(&stage.ada, &plan, None, None).unwrap();
    // A Saturday, and the Monday after it.
    stage.hand.set("2026-06-06T12:00:00Z");
    let decision = refused(stage.promote("Orders", "production").unwrap_err());
    assert_eq!(refusing(&decision).len(), 1, "{:?}", refusing(&decision));
    assert_eq!(refusing(&decision)[0].0, "release-window");
    stage.hand.set("2026-06-08T12:00:00Z");
    let before = stage.content("production");
    let done = stage.promote("Orders", "production").unwrap();
    assert_eq!((done.number, stage.content("production")), (1, promoted));

    stage.carry_out(stage.release("Orders", None, "production")).unwrap();
    let row = stage.workspace.status().unwrap().remove(0);
    assert_eq!(row.cells[2].released.as_deref(), Some("1.0"));
    stage.carry_out(stage.rollback("Orders", "production")).unwrap();
    assert_eq!(stage.content("production"), before);
    assert_eq!(stage.content("staging"), promoted);
    let row = stage.workspace.status().unwrap().remove(0);
    assert_eq!((row.cells[2].holds.as_deref(), row.cells[2].released.as_deref()), (None, None));
    assert_eq!(row.cells[1].holds.as_deref(), Some("1.0"));

    let history = stage.workspace.history(None, None).unwrap();
    let audited = audit(&stage.store(), done.checkpoint.as_deref().map(str::as_bytes), None).unwrap();
    assert_eq!(audited[0].size, history.len() as u64);
    assert_eq!((audited[0].signatures, audited[0].unlogged, audited[0].kept), (audited[0].size, 0, true));
}
