//! What gates are told of a plan.

use sluice_engine::Error;
use sluice_engine::act::What;
use sluice_engine::audit::audit;
use sluice_model::verdict::Verdict;
use sluice_policy::Decision;

use crate::model::{PLUGINS, ungated};
use crate::stage::{Stage, environment, furnishing, refusing, sample};

#[test]
fn who_carries_a_plan_out_does_not_approve_it() {
    let mut stage = Stage::promoted();
    let ben = stage.with_ben(&["approver", "release-manager"], "");

    stage.test("Orders", "staging", "production");
    let plan = stage.plan("Orders", "production");
    stage.workspace.approve(&ben, &plan, None, None).unwrap();
    assert!(stage.workspace.decide(&plan, None).unwrap().decision.is_allowed());
    let Error::Refused(decision) = stage.promote_as(&ben, "Orders", "production").unwrap_err() else {
        panic!()
    };
    assert_eq!(decision.input.facts.plan.authors, ["ada", "ben"]);
    let gate = decision.gates.iter().find(|gate| gate.verdict != Verdict::Pass).unwrap();
    assert_eq!(gate.gate, "approvals");
    assert!(gate.findings[0].message.contains("1 by the plan's own authors do not count"), "{gate:?}");
    stage.promote("Orders", "production").unwrap();
}

#[test]
fn the_decision_right_before_the_commit_is_kept_too() {
    let stage = Stage::copied(90);
    let done = stage.promote("Orders", "staging").unwrap();
    let records = stage.workspace.records();
    let committed = records.all("env/staging").unwrap().pop().unwrap().act;
    let What::Committed { promotion, decision, .. } = committed.what else { panic!("{committed:?}") };
    assert_eq!(promotion, done.number);
    let governing: Decision = stage.workspace.work().json(&decision).unwrap();
    assert_eq!(governing, done.decision);
    let run = stage.workspace.promotions(&environment("staging")).unwrap().pop().unwrap().0;
    let begun: Decision = stage.workspace.work().json(&run.decision).unwrap();
    assert!(begun.input.facts.now < governing.input.facts.now && governing.input.facts.now < committed.at);
    // Where it is lost, that is told.
    audit(&stage.store(), None, None).unwrap();
    let blob = format!("DELETE FROM blobs WHERE digest = x'{}'", decision.hex());
    rusqlite::Connection::open(stage.store()).unwrap().execute_batch(&blob).unwrap();
    let error = audit(&stage.store(), None, None).unwrap_err();
    assert!(error.to_string().contains("is missing"), "{error}");
}

#[test]
fn a_value_that_is_left_over_is_of_one_environment() {
    let stage = ungated(&furnishing(), &PLUGINS);
    let mut file = sample("tooljet/orders.json");
    let text = String::from_utf8(file.bytes).unwrap();
    file.bytes = text.replace("SELECT id", "/* orders-db.dev.example.com */ SELECT id").into_bytes();
    stage.import_files("development", vec![file], None).unwrap();
    stage.manage("Orders");
    stage.dismiss_suspicions();
    stage.cut("1.0");
    stage.furnish("Orders", &["staging", "production"]);
    for to in ["staging", "production"] {
        let plan = stage.plan("Orders", to);
        let facts = stage.workspace.facts(&plan, "2026-06-01T13:00:00Z".parse().unwrap(), true).unwrap();
        let left: Vec<_> = facts
            .plan
            .still_pointing_at_source
            .iter()
            .map(|left| (left.value.as_str(), left.environment.as_str()))
            .collect();
        assert_eq!(left, [("orders-db.dev.example.com", "development")], "to {to}");
        stage.promote("Orders", to).unwrap();
    }
}

#[test]
fn an_id_of_a_lower_environment_is_left_over_and_the_bundles_own_are_not() {
    let stage = ungated(&furnishing(), &PLUGINS);
    let ids = [
        ("a00000d1", "the app itself, which is written as the target has it"),
        ("e00000d1", "the environment, as its own platform calls it"),
        ("f00000d1", "the organisation"),
        ("a00000e7", "the app on staging's platform"),
        ("f00000e7", "the organisation there"),
    ];
    let said: String = ids
        .iter()
        .map(|(id, _)| format!("/* https://t.example/{id}-0000-4000-8000-000000000001 */ "))
        .collect();
    let mut file = sample("tooljet/orders.json");
    let text = String::from_utf8(file.bytes).unwrap();
    // Staging, as development's platform calls it.
    let said = format!("{said}/* e00000d1-0000-4000-8000-000000000002 */");
    file.bytes = text.replace("SELECT id", &format!("{said} SELECT id")).into_bytes();
    stage.import_files("development", vec![file], None).unwrap();
    stage.manage("Orders");
    stage.dismiss_suspicions();
    stage.cut("1.0");
    stage.furnish("Orders", &["staging", "production"]);
    let left = |to: &str| -> Vec<(String, String)> {
        let plan = stage.plan("Orders", to);
        let found = plan.points_at_source.iter();
        found.map(|found| (found.value[..8].to_owned(), found.environment.to_string())).collect()
    };
    let of = |ids: &[(&str, &str)]| -> Vec<(String, String)> {
        ids.iter().map(|(id, of)| ((*id).to_owned(), (*of).to_owned())).collect()
    };
    // What staging's platform is called there, nobody knows before its export was read.
    let of_development = [("e00000d1", "development"), ("f00000d1", "development")];
    assert_eq!(left("staging"), of(&of_development));
    stage.promote("Orders", "staging").unwrap();
    let export = || vec![sample("tooljet/orders-staging.json")];
    let asked = stage.import_files("staging", export(), None).unwrap_err();
    let Error::MatchesToConfirm { digest, .. } = asked else { panic!("{asked}") };
    stage.import_files("staging", export(), Some(digest)).unwrap();
    assert_eq!(left("staging"), of(&of_development), "its own say nothing");
    let of_both = [
        ("a00000e7", "staging"),
        ("e00000d1", "development"),
        ("e00000d1", "staging"),
        ("f00000d1", "development"),
        ("f00000e7", "staging"),
    ];
    assert_eq!(left("production"), of(&of_both));
}

#[test]
fn a_gate_is_asked_about_the_plans_that_its_selector_means() {
    let mut stage = Stage::promoted();
    let before = stage.plan("Orders", "staging");
    stage.configure(|text| {
        text + r#"
[[app]]
name = "Ord*"
labels = ["payments"]

[[app]]
name = "Toys"
labels = ["toys"]

[[transition]]
on = ["development -> staging"]

[[transition.gate]]
name = "approvals-of-payments"
policy = "approvals"
level = "hard"
labels = ["payments"]
parameters = { roles = { approver = 1 } }

[[transition.gate]]
name = "approvals-of-toys"
policy = "approvals"
level = "hard"
labels = ["toys"]
parameters = { roles = { approver = 1 } }

[[transition.gate]]
name = "approvals-of-deletions"
policy = "approvals"
level = "hard"
apps = ["Orders"]
changes = ["delete data-source"]
parameters = { roles = { approver = 1 } }
"#
    });
    let plan = stage.plan("Orders", "staging");
    assert_ne!(plan.digest, before.digest);
    let gates: Vec<(&str, &str)> =
        plan.gates.iter().map(|gate| (gate.name.as_str(), gate.policy.as_str())).collect();
    assert_eq!(
        gates,
        [
            ("test-evidence", "test-evidence"),
            ("data-masking", "data-masking"),
            ("approvals-of-payments", "approvals"),
            ("approvals-of-deletions", "approvals"),
        ]
    );
    assert_eq!(plan.gates[2].selector.labels, ["payments"]);
    assert_eq!(plan.gates[3].selector.apps, [plan.app.to_string()]);
    let Error::Refused(decision) = stage.promote("Orders", "staging").unwrap_err() else { panic!() };
    assert_eq!(decision.input.facts.app.labels, ["payments"]);
    assert_eq!(decision.not_selected, ["approvals-of-deletions"]);
    assert_eq!(refusing(&decision), [("approvals-of-payments", Verdict::Undecided)]);

    // What is approved is the plan with its gates, so another selector is another plan.
    stage.workspace.approve(&stage.ada, &plan, None, Some("CHG-7".into())).unwrap();
    let facts = stage.workspace.facts(&plan, "2026-06-01T13:00:00Z".parse().unwrap(), true).unwrap();
    assert_eq!(facts.approvals.unwrap()[0].ticket.as_deref(), Some("CHG-7"));
    stage.configure(|text| text.replace("changes = [\"delete data-source\"]", "changes = [\"delete\"]"));
    assert_ne!(stage.plan("Orders", "staging").digest, plan.digest);
    stage.configure(|text| text.replace("changes = [\"delete\"]", "changes = [\"delete data-source\"]"));
    assert_eq!(stage.plan("Orders", "staging").digest, plan.digest);
    stage.promote("Orders", "staging").unwrap();
    sluice_engine::audit::audit(&stage.store(), None, None).unwrap();
}
