//! Taking promotions back where apps share what they use.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sluice_engine::Error;
use sluice_engine::plan::{Action, Plan};
use sluice_engine::settings::Binding;
use sluice_engine::version::CutRequest;
use sluice_model::tree::Tree;
use sluice_model::verdict::Outcome;
use sluice_model::{Digest, ObjectKind};
use sluice_platform::InputFile;

use crate::model::{PLUGINS, ungated};
use crate::stage::{Stage, environment, furnishing, refusing, sample};

/// A folder of Lowcoder's with two apps that use one data source, one module and one library query.
/// `bare` has the first use none of them.
pub fn folder(bare: bool) -> Vec<InputFile> {
    let mut files: Vec<InputFile> =
        ["application", "applicationVersion", "datasource", "libraryQuery", "libraryQueryRecord"]
            .map(|name| sample(&format!("lowcoder/{name}.json")))
            .into();
    let text = String::from_utf8(files[0].bytes.clone()).unwrap();
    let mut lines = text.lines();
    let dispatch = lines.next().unwrap();
    let module = lines.next().unwrap();
    let depot = dispatch
        .replace("65f000000000000000000001", "65f000000000000000000004")
        .replace("018e4b00-0000-7000-8000-000000000001", "018e4b00-0000-7000-8000-000000000004")
        .replace("k1jobs", "k3jobs")
        .replace("\"slug\":\"dispatch\"", "\"slug\":\"depot\"")
        .replace("\"name\":\"Dispatch\"", "\"name\":\"Depot\"");
    let mut dispatch: Value = serde_json::from_str(dispatch).unwrap();
    if bare {
        dispatch["editingApplicationDSL"]["ui"]["comp"] = json!({"layout": {}, "items": {}});
        dispatch["editingApplicationDSL"]["queries"] = json!([]);
    }
    files[0].bytes = format!("{dispatch}\n{module}\n{depot}\n").into_bytes();
    files
}

fn import(stage: &Stage, bare: bool) {
    stage.import_files("development", folder(bare), None).unwrap();
}

fn cut(stage: &Stage, app: &str) {
    let request = CutRequest { app: app.into(), version: None, from: None, note: None };
    stage.workspace.cut(&stage.ada, &request).unwrap();
}

/// Both apps cut, their data source bound in staging, and no gates.
pub fn shared() -> Stage {
    let stage = ungated(&furnishing(), &[("sql", "plugins/sql.wasm")]);
    import(&stage, false);
    for app in ["Dispatch", "Depot"] {
        stage.manage(app);
        cut(&stage, app);
    }
    let source = stage.plan("Dispatch", "staging").objects;
    let source = source.into_iter().find(|object| object.kind == ObjectKind::DataSource).unwrap().object;
    let options = json!({"host": "db.staging.example.com", "port": 5432, "database": "dispatch",
        "username": "dispatch_app", "usingSsl": true});
    let binding = Binding { kind: "lowcoder/postgres".parse().unwrap(), options, slots: BTreeMap::new() };
    stage.workspace.set_binding(&stage.ada, &environment("staging"), &source, binding).unwrap();
    stage.furnish("Dispatch", &["staging"]);
    stage
}

fn counts(plan: &Plan) -> BTreeMap<Action, usize> {
    let mut counts = BTreeMap::new();
    plan.objects.iter().for_each(|object| *counts.entry(object.action).or_default() += 1);
    counts
}

fn rendered(stage: &Stage) -> usize {
    let mut work = stage.workspace.work();
    let (_, state) = stage.workspace.environment(&mut work, &environment("staging")).unwrap();
    Tree::at(state.rendered).entries(&work).unwrap().len()
}

#[test]
fn what_another_app_stands_on_stays() {
    let stage = shared();
    let whole = stage.promote("Dispatch", "staging").unwrap().plan;
    let second = stage.promote("Depot", "staging").unwrap().plan;
    let common = second.unchanged as usize;
    assert!(common >= 4, "a data source, a library query, and a module with what is in it");
    let own = whole.objects.len() - common;
    let depot = stage.content("staging");

    let plan = stage.workspace.plan(&stage.rollback("Dispatch", "staging")).unwrap();
    assert_eq!(counts(&plan), BTreeMap::from([(Action::Delete, own), (Action::Match, common)]));
    assert_eq!(plan.problems, []);
    let kept = plan.notes.iter().filter(|note| note.ends_with("stays as it is: `Depot` v1 stands on it"));
    assert_eq!(kept.count(), common, "{:#?}", plan.notes);
    stage.carry_out(stage.rollback("Dispatch", "staging")).unwrap();
    assert_ne!(stage.content("staging"), depot);
    assert_eq!(rendered(&stage), 1);
    let again = stage.plan("Depot", "staging");
    assert_eq!((again.objects, again.problems), (vec![], vec![]), "the other app is whole");
    stage.workspace.export(&environment("staging"), "Depot").unwrap();

    // Nobody is left who stands on them, and the second promotion did not bring them.
    let plan = stage.carry_out(stage.rollback("Depot", "staging")).unwrap().plan;
    assert_eq!(counts(&plan), BTreeMap::from([(Action::Delete, second.objects.len())]));
}

#[test]
fn what_an_app_that_was_read_from_the_platform_uses_stays() {
    let stage = shared();
    stage.promote("Dispatch", "staging").unwrap();
    // The platform of staging has the other app of its own, over the same data source.
    let mut files = folder(false);
    let text = String::from_utf8(files[0].bytes.clone()).unwrap();
    files[0].bytes = text.lines().skip(1).collect::<Vec<_>>().join("\n").into_bytes();
    let report = stage.import_files("staging", files, None).unwrap();
    let (depot, common) = (report.summary.created, report.summary.unchanged + report.differences.len());

    let plan = stage.workspace.plan(&stage.rollback("Dispatch", "staging")).unwrap();
    assert_eq!(counts(&plan)[&Action::Match], common);
    assert!(plan.notes.iter().any(|note| note.ends_with("stays as it is: `Depot` stands on it")));
    stage.carry_out(stage.rollback("Dispatch", "staging")).unwrap();
    assert_eq!(stage.count("staging"), depot + common);
}

#[test]
fn a_source_that_is_gone_is_rendered_no_more() {
    let stage = shared();
    assert_eq!(rendered(&stage), 0);
    stage.promote("Dispatch", "staging").unwrap();
    assert_eq!(rendered(&stage), 1);
    stage.carry_out(stage.rollback("Dispatch", "staging")).unwrap();
    assert_eq!(rendered(&stage), 0);
}

#[test]
fn a_source_that_comes_back_is_rendered_again() {
    let stage = ungated(&furnishing(), &PLUGINS);
    let version = |version: &str, with_receipts: bool| {
        let mut file = sample("tooljet/orders.json");
        let mut export: Value = serde_json::from_slice(&file.bytes).unwrap();
        let app = &mut export["app"][0]["definition"]["appV2"];
        let sources = app["dataSources"].as_array_mut().unwrap();
        let receipts = sources.iter_mut().find(|source| source["name"] == "receipts").unwrap();
        // The app's own, so that it goes where the app no longer has it.
        receipts["scope"] = json!("local");
        if !with_receipts {
            sources.retain(|source| source["name"] != "receipts");
            let queries = app["dataQueries"].as_array_mut().unwrap();
            queries.retain(|query| query["name"] != "storeReceipt" && query["name"] != "summary");
        }
        file.bytes = serde_json::to_vec(&export).unwrap();
        stage.import_files("development", vec![file], None).unwrap();
        stage.dismiss_suspicions();
        stage.manage("Orders");
        stage.cut(version);
    };
    version("1.0", true);
    stage.furnish("Orders", &["staging"]);
    stage.promote("Orders", "staging").unwrap();
    assert_eq!(rendered(&stage), 3);
    version("2.0", false);
    stage.promote("Orders", "staging").unwrap();
    assert_eq!(rendered(&stage), 2);
    stage.carry_out(stage.rollback("Orders", "staging")).unwrap();
    assert_eq!(rendered(&stage), 3);
}

#[test]
fn what_comes_back_must_find_what_it_uses() {
    let stage = shared();
    // The second app brings what both use; the first uses it, and then no more.
    stage.promote("Depot", "staging").unwrap();
    stage.promote("Dispatch", "staging").unwrap();
    import(&stage, true);
    cut(&stage, "Dispatch");
    stage.promote("Dispatch", "staging").unwrap();
    stage.carry_out(stage.rollback("Depot", "staging")).unwrap();
    assert_eq!(rendered(&stage), 0);

    let plan = stage.workspace.plan(&stage.rollback("Dispatch", "staging")).unwrap();
    let missing = plan.problems.iter().filter(|problem| problem.code == "reference.missing");
    assert!(missing.clone().any(|problem| problem.message.starts_with("`listJobs` refers to ")), "{plan:#?}");
    assert_eq!(missing.count(), plan.problems.len());
    let before = stage.content("staging");
    assert!(matches!(stage.carry_out(stage.rollback("Dispatch", "staging")), Err(Error::PlanRefused(_))));
    assert_eq!(stage.content("staging"), before);
}

#[test]
fn what_another_app_changed_and_took_back_is_another_baseline() {
    let stage = shared();
    stage.promote("Dispatch", "staging").unwrap();
    let mut files = folder(false);
    for file in &mut files {
        let text = String::from_utf8(file.bytes.clone()).unwrap();
        file.bytes = text.replace("select rate from", "select 2 * rate from").into_bytes();
    }
    stage.import_files("development", files, None).unwrap();
    for app in ["Dispatch", "Depot"] {
        cut(&stage, app);
    }
    let before = stage.plan("Dispatch", "staging");
    assert!(!before.objects.is_empty());
    stage.promote("Depot", "staging").unwrap();
    stage.carry_out(stage.rollback("Depot", "staging")).unwrap();
    let after = stage.plan("Dispatch", "staging");
    assert_eq!(after.content, before.content);
    assert_ne!(after.digest, before.digest, "consent to it counts again");
}

/// The gates that did not pass, where a run was refused as one that waits.
fn pending(error: Error) -> Vec<String> {
    let Error::Refused(decision) = error else { panic!("{error}") };
    assert_eq!(decision.outcome, Outcome::Pending);
    refusing(&decision).into_iter().map(|(gate, _)| gate.to_owned()).collect()
}

#[test]
fn an_approval_counts_for_one_promotion() {
    let stage = Stage::promoted();
    stage.test("Orders", "staging", "production");
    let approved = stage.plan("Orders", "production");
    stage.workspace.approve(&stage.ada, &approved, None, None).unwrap();
    let done = stage.promote("Orders", "production").unwrap();
    assert_eq!(done.plan.digest, approved.digest);
    stage.carry_out(stage.rollback("Orders", "production")).unwrap();

    // The same version into the same content, and yet not what was approved.
    let again = stage.plan("Orders", "production");
    let objects = |plan: &Plan| -> Vec<(Option<Digest>, Option<Digest>)> {
        plan.objects.iter().map(|object| (object.before, object.after)).collect()
    };
    assert_eq!((objects(&again), again.content), (objects(&approved), approved.content));
    assert_ne!(again.digest, approved.digest);
    assert_ne!(again.baseline().unwrap(), approved.baseline().unwrap());
    assert_eq!(pending(stage.promote("Orders", "production").unwrap_err()), ["approvals"]);
    stage.workspace.approve(&stage.ada, &again, None, None).unwrap();
    stage.promote("Orders", "production").unwrap();
}

#[test]
fn a_release_that_was_overtaken_is_another_plan() {
    let stage = Stage::promoted();
    let digest =
        |version| stage.workspace.plan(&stage.release("Orders", Some(version), "staging")).unwrap().digest;
    let first = digest("1.0");
    stage.carry_out(stage.release("Orders", Some("1.0"), "staging")).unwrap();
    stage.promote("Orders", "staging").unwrap();
    stage.carry_out(stage.release("Orders", Some("2.0"), "staging")).unwrap();
    assert_ne!(digest("1.0"), first);
    // Taking back what is released gives end users what they had.
    stage.carry_out(stage.rollback("Orders", "staging")).unwrap();
    let row = stage.workspace.status().unwrap().remove(0);
    assert_eq!((row.cells[1].holds.as_deref(), row.cells[1].released.as_deref()), (Some("1.0"), Some("1.0")));
}
