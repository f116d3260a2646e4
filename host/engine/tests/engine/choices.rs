//! What is chosen for single objects leaves no hole in the target.

use std::collections::BTreeMap;

use sluice_engine::Error;
use sluice_engine::plan::{Action, Choice, Plan, PlanRequest, PlannedObject};
use sluice_model::ObjectKind;

use crate::stage::{Stage, sample};

fn orders() -> Stage {
    let stage = Stage::new();
    stage.import("development", &["tooljet/orders.json"]).unwrap();
    stage.manage("Orders");
    stage.dismiss_suspicions();
    stage.cut("1.0");
    stage.furnish("Orders", &["staging"]);
    stage.test("Orders", "development", "staging");
    stage
}

fn find<'a>(plan: &'a Plan, kind: ObjectKind, name: &str) -> &'a PlannedObject {
    plan.objects.iter().find(|object| object.kind == kind && object.name == name).unwrap()
}

/// The promotion to staging with some objects of it skipped.
fn skipping(stage: &Stage, names: &[(ObjectKind, &str)]) -> (PlanRequest, Plan) {
    let whole = stage.plan("Orders", "staging");
    let choices: BTreeMap<_, _> =
        names.iter().map(|(kind, name)| (find(&whole, *kind, name).object.clone(), Choice::Skip)).collect();
    let request = PlanRequest { choices, ..stage.request("Orders", "staging") };
    let plan = stage.workspace.plan(&request).unwrap();
    (request, plan)
}

#[test]
fn what_is_skipped_and_referred_to_refuses() {
    use ObjectKind as K;
    type Skipped = &'static [(ObjectKind, &'static str)];
    let stage = orders();
    let before = stage.content("staging");
    let cases: [(Skipped, &[(&str, &str)]); 5] = [
        (
            &[(K::DataSource, "orders-db")],
            &[
                ("reference.missing", "`listOrders` refers to the data-source `orders-db`"),
                ("reference.missing", "`saveNote` refers to the data-source `orders-db`"),
            ],
        ),
        (&[(K::Query, "saveNote")], &[("reference.missing", "refers to the query `saveNote`")]),
        (&[(K::App, "Orders")], &[("choice.root", "the app `Orders` itself")]),
        // With all that refers to it, it may stay away.
        (&[(K::DataSource, "receipts"), (K::Query, "storeReceipt")], &[("reference.missing", "`summary`")]),
        (&[(K::Component, "invoiceText")], &[]),
    ];
    for (skipped, expected) in cases {
        let (request, plan) = skipping(&stage, skipped);
        for (kind, name) in skipped {
            assert_eq!(find(&plan, *kind, name).action, Action::Skip);
        }
        let problems: Vec<(&str, &str)> =
            plan.problems.iter().map(|p| (p.code.as_str(), p.message.as_str())).collect();
        for (code, said) in expected {
            assert!(
                problems.iter().any(|p| p.0 == *code && p.1.contains(said)),
                "{skipped:?}: {problems:#?}"
            );
        }
        let allowed: Vec<_> = expected.iter().map(|(code, _)| *code).collect();
        assert!(problems.iter().all(|(code, _)| allowed.contains(code)), "{skipped:?}: {problems:#?}");
        if !expected.is_empty() {
            assert!(matches!(stage.carry_out(request), Err(Error::PlanRefused(_))));
            assert_eq!(stage.content("staging"), before);
        }
    }
    let (request, _) = skipping(&stage, &[(K::Component, "invoiceText")]);
    stage.carry_out(request).unwrap();
}

#[test]
fn what_stays_must_find_what_it_refers_to() {
    let stage = orders();
    stage.promote("Orders", "staging").unwrap();
    // Another version, without a page and what is on it.
    let mut file = sample("tooljet/orders.json");
    let mut export: serde_json::Value = serde_json::from_slice(&file.bytes).unwrap();
    let app = &mut export["app"][0]["definition"]["appV2"];
    let page = app["pages"].as_array_mut().unwrap().remove(1)["id"].clone();
    app["components"].as_array_mut().unwrap().retain(|component| component["pageId"] != page);
    app["events"].as_array_mut().unwrap().clear();
    // It reads a component of that page.
    app["dataQueries"].as_array_mut().unwrap().retain(|query| query["name"] != "saveNote");
    file.bytes = serde_json::to_vec(&export).unwrap();
    stage.import_files("development", vec![file], None).unwrap();
    stage.dismiss_suspicions();
    stage.cut("2.0");

    let whole = stage.plan("Orders", "staging");
    assert_eq!(whole.problems, []);
    let gone = whole.objects.iter().find(|o| o.kind == ObjectKind::Component && o.action == Action::Delete);
    let gone = gone.unwrap().name.clone();
    let (request, plan) = skipping(&stage, &[(ObjectKind::Component, &gone)]);
    let said = &plan.problems.iter().find(|p| p.code == "reference.missing").unwrap().message;
    assert!(said.starts_with(&format!("`{gone}` refers to the page ")), "{said}");
    assert!(said.ends_with("it is deleted"), "{said}");
    assert!(matches!(stage.carry_out(request), Err(Error::PlanRefused(_))));
}
