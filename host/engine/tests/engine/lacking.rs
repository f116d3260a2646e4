//! What a plan says that the target lacks: each fix, once done, solves its problem.

use std::collections::BTreeMap;

use serde_json::json;
use sluice_engine::plan::Problem;
use sluice_engine::settings::{Binding, Setting};
use sluice_model::content::{self, Part};
use sluice_model::{ConstantName, LogicalId, SecretRef, SlotName};

use crate::model::{PLUGINS, ungated};
use crate::stage::{NOT_A_SECRET, Stage, environment, furnishing};

/// What stands in the way to staging for some reason.
fn problems(stage: &Stage, code: &str) -> Vec<Problem> {
    stage.plan("Orders", "staging").problems.into_iter().filter(|problem| problem.code == code).collect()
}

fn orders(stage: &Stage) {
    stage.import("development", &["tooljet/orders.json"]).unwrap();
    stage.manage("Orders");
    stage.dismiss_suspicions();
    stage.cut("1.0");
}

#[test]
fn a_constant_is_there_while_its_secret_is_filed() {
    let stage = ungated(&furnishing(), &PLUGINS);
    orders(&stage);
    stage.furnish("Orders", &["staging"]);
    let name = ConstantName::new("secrets.BILLING_TOKEN").unwrap();
    let filed: SecretRef = "secret://staging/constants/secrets.BILLING_TOKEN".parse().unwrap();
    assert!(stage.plan("Orders", "staging").constants[&name]);
    stage.workspace.remove_setting(&stage.ada, &environment("staging"), &Setting::Secret(filed)).unwrap();
    let found = problems(&stage, "constant.missing");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].fix, "sluice constant set staging secrets.BILLING_TOKEN");
    assert!(!stage.plan("Orders", "staging").constants[&name]);
    stage.set_constant("staging", name.as_str(), NOT_A_SECRET);
    assert_eq!(stage.plan("Orders", "staging").problems, []);
}

/// Slots of a source by what fills each in staging; the others stand in its options alone.
fn bind(stage: &Stage, source: &LogicalId, kind: &str, slots: &[(&str, &str)]) {
    let mark = |slot: &str| content::mark(&[Part::Slot(SlotName::new(slot).unwrap())]);
    let binding = Binding {
        kind: kind.parse().unwrap(),
        options: json!({"host": {"value": "db.staging.example.com"}, "password": {"value": mark("password")}}),
        slots: slots
            .iter()
            .map(|(slot, reference)| (SlotName::new(*slot).unwrap(), reference.parse().unwrap()))
            .collect::<BTreeMap<_, _>>(),
    };
    stage.workspace.set_binding(&stage.ada, &environment("staging"), source, binding).unwrap();
}

#[test]
fn a_carried_kinds_slot_is_bound_by_hand() {
    let mut stage = ungated(&furnishing(), &PLUGINS[1..]);
    stage.configure(|text| text.replace("carried = []", "carried = [\"tooljet/postgresql\"]"));
    orders(&stage);
    let source: LogicalId = "d20000d1-0000-4000-8000-000000000001".parse().unwrap();
    let fixes = || -> Vec<String> {
        let found = problems(&stage, "slot.empty").into_iter();
        found.filter(|problem| problem.object.as_ref() == Some(&source)).map(|problem| problem.fix).collect()
    };
    bind(&stage, &source, "tooljet/postgresql", &[]);
    let bound =
        "sluice binding set staging \"orders-db\" --slot \"password=secret://staging/orders-db/password\"";
    assert_eq!(fixes(), [bound]);
    // To file it where nobody looks for it does not help.
    stage.set_secret("secret://staging/orders-db/password", NOT_A_SECRET);
    assert_eq!(fixes(), [bound]);
    bind(&stage, &source, "tooljet/postgresql", &[("password", "secret://staging/orders-db/password")]);
    assert_eq!(fixes(), Vec::<String>::new());
    // A slot that is bound to something else waits for that.
    bind(&stage, &source, "tooljet/postgresql", &[("password", "secret://staging/shared/db")]);
    assert_eq!(fixes(), ["sluice secret set \"secret://staging/shared/db\""]);
    stage.set_secret("secret://staging/shared/db", NOT_A_SECRET);
    assert_eq!(fixes(), Vec::<String>::new());
}
