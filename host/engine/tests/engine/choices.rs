//! What is chosen for single objects leaves no hole in the target.

use std::collections::BTreeMap;

use sluice_engine::Error;
use sluice_engine::plan::{Action, Choice, Plan, PlanRequest, PlannedObject};
use sluice_engine::version::ManageRequest;
use sluice_model::tree::Tree;
use sluice_model::verdict::Verdict;
use sluice_model::{Digest, ObjectKind};
use sluice_platform::InputFile;

use crate::stage::{Stage, environment, refusing, sample};

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

/// The sample, or one with the host of development's database in a query's code and another port of
/// that database.
fn file(with_leftover: bool) -> InputFile {
    let mut file = sample("tooljet/orders.json");
    if with_leftover {
        let text = String::from_utf8(file.bytes).unwrap();
        let text = text.replace("SELECT id", "/* orders-db.dev.example.com */ SELECT id");
        let mut export: serde_json::Value = serde_json::from_str(&text).unwrap();
        let options = &mut export["app"][0]["definition"]["appV2"]["dataSourceOptions"];
        options[0]["options"]["port"]["value"] = serde_json::json!(5433);
        file.bytes = serde_json::to_vec(&export).unwrap();
    }
    file
}

#[test]
fn a_source_that_stays_hides_nothing() {
    type Before = fn(&Stage);
    let promoted: Before = |stage| {
        stage.import_files("development", vec![file(false)], None).unwrap();
        stage.manage("Orders");
        stage.dismiss_suspicions();
        stage.cut("1.0");
        stage.furnish("Orders", &["staging"]);
        stage.test("Orders", "development", "staging");
        stage.promote("Orders", "staging").unwrap();
    };
    let imported: Before = |stage| {
        stage.import_files("development", vec![file(false)], None).unwrap();
        stage.import_files("staging", vec![file(false)], None).unwrap();
    };
    for (case, before, is_rendered, is_matched) in [
        ("as it was rendered", promoted, true, false),
        ("as the platform has it", imported, false, false),
        ("as it is matched", imported, false, true),
    ] {
        let stage = Stage::new();
        before(&stage);
        stage.import_files("development", vec![file(true)], None).unwrap();
        stage.manage("Orders");
        if is_matched {
            let objects = vec!["orders-db".to_owned()];
            let unmark = ManageRequest { objects, with_dependencies: false, on: false };
            stage.workspace.manage(&stage.ada, &unmark).unwrap();
        }
        stage.dismiss_suspicions();
        stage.cut("2.0");
        if !is_rendered {
            stage.furnish("Orders", &["staging"]);
        }
        stage.test("Orders", "development", "staging");
        let skipped: &[_] = if is_matched { &[] } else { &[(ObjectKind::DataSource, "orders-db")] };
        let (request, plan) = skipping(&stage, skipped);
        assert_eq!(plan.problems, [], "{case}");
        let [kept] = plan.kept_sources.as_slice() else { panic!("{case}: {:#?}", plan.kept_sources) };
        assert_eq!((kept.name.as_str(), kept.plugin.is_some()), ("orders-db", is_rendered), "{case}");
        assert_eq!(kept.options["host"]["value"], "orders-db.staging.example.com", "{case}");
        assert!(plan.sources.iter().all(|source| source.name != "orders-db"), "{case}");
        let at = "2026-06-01T13:00:00Z".parse().unwrap();
        let facts = stage.workspace.facts(&plan, at, true).unwrap().plan;
        assert!(facts.sources.iter().any(|source| source.id == kept.source), "{case}");
        assert_eq!(
            facts.credentials.iter().any(|credential| credential.source == kept.source),
            is_rendered,
            "{case}"
        );
        let left: Vec<&str> = facts.still_pointing_at_source.iter().map(|left| left.value.as_str()).collect();
        assert_eq!(left, ["orders-db.dev.example.com"], "{case}");
        let Error::Refused(decision) = stage.carry_out(request).unwrap_err() else { panic!("{case}") };
        assert_eq!(refusing(&decision), [("data-masking", Verdict::Deny)], "{case}");
    }
}

#[test]
fn a_skipped_source_stays_as_it_was_rendered() {
    let stage = orders();
    stage.promote("Orders", "staging").unwrap();
    let rendered = || -> BTreeMap<String, Digest> {
        let mut work = stage.workspace.work();
        let (_, state) = stage.workspace.environment(&mut work, &environment("staging")).unwrap();
        Tree::at(state.rendered).entries(&work).unwrap()
    };
    let before = rendered();
    let mut changed = file(true);
    let text = String::from_utf8(changed.bytes).unwrap();
    changed.bytes = text.replace("/* orders-db.dev.example.com */ ", "").into_bytes();
    stage.import_files("development", vec![changed], None).unwrap();
    stage.cut("2.0");
    stage.test("Orders", "development", "staging");
    let (request, plan) = skipping(&stage, &[(ObjectKind::DataSource, "orders-db")]);
    assert_eq!((plan.kept_sources.len(), plan.problems.len()), (1, 0));
    stage.carry_out(request).unwrap();
    assert_eq!(rendered(), before);
    sluice_engine::audit::audit(&stage.store(), None, None).unwrap();
}
