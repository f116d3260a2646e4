//! What gates are told of a plan.

use sluice_engine::plan::PlanRequest;
use sluice_engine::promote::PromoteRequest;
use sluice_engine::{Actor, Error};
use sluice_ledger::key::KeyPair;
use sluice_model::verdict::Verdict;
use zeroize::Zeroizing;

use crate::model::{PLUGINS, ungated};
use crate::stage::{Stage, furnishing, put, sample};

#[test]
fn who_carries_a_plan_out_does_not_approve_it() {
    let mut stage = Stage::promoted();
    let ben = Actor { name: "ben".into(), key: KeyPair::from_seed(&Zeroizing::new([8; 32])) };
    put(&stage.place(), &ben, &["approver", "release-manager"]);
    let file = stage.place().join("sluice.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("single_operator")).collect();
    std::fs::write(&file, text.join("\n")).unwrap();
    let candidate = stage.workspace.proposed().unwrap();
    stage.workspace.adopt(&stage.ada, candidate).unwrap();

    stage.test("Orders", "staging", "production");
    let plan = stage.plan("Orders", "production");
    stage.workspace.approve(&ben, &plan, None).unwrap();
    assert!(stage.workspace.decide(&plan, None).unwrap().decision.is_allowed());
    let promote = |actor: &Actor| {
        let plan: PlanRequest = stage.request("Orders", "production");
        stage
            .workspace
            .promote(actor, &PromoteRequest { plan, digest: None, wait: std::time::Duration::ZERO })
    };
    let Error::Refused(decision) = promote(&ben).unwrap_err() else { panic!() };
    assert_eq!(decision.input.facts.plan.authors, ["ada", "ben"]);
    let gate = decision.gates.iter().find(|gate| gate.verdict != Verdict::Pass).unwrap();
    assert_eq!(gate.gate, "approvals");
    assert!(gate.findings[0].message.contains("1 by the plan's own authors do not count"), "{gate:?}");
    promote(&stage.ada).unwrap();
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
