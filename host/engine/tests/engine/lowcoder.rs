//! A folder of Lowcoder's: the library query that an app uses, in the version that is meant.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sluice_engine::Error;
use sluice_engine::import::ImportRequest;
use sluice_engine::settings::Binding;
use sluice_engine::version::{CutReport, CutRequest};
use sluice_model::ObjectKind;
use sluice_platform::InputFile;

use crate::stage::{Stage, environment, sample};

const RECORDS: &str = "libraryQueryRecord.json";

/// The sample's files.
fn folder() -> Vec<InputFile> {
    ["application", "applicationVersion", "datasource", "libraryQuery", "libraryQueryRecord"]
        .map(|name| sample(&format!("lowcoder/{name}.json")))
        .into()
}

/// The sample's files with one of its published records changed, or more of them.
fn with_records(change: impl FnOnce(&mut Vec<Value>)) -> Vec<InputFile> {
    let mut files = folder();
    let file = files.iter_mut().find(|file| file.name == RECORDS).unwrap();
    let mut records: Vec<Value> = serde_json::from_slice(&file.bytes).unwrap();
    change(&mut records);
    file.bytes = serde_json::to_vec(&records).unwrap();
    files
}

fn sql(record: &mut Value) -> &mut Value {
    &mut record["libraryQueryDSL"]["query"]["comp"]["sql"]["sql"]
}

fn import(stage: &Stage, files: Vec<InputFile>) {
    let environment = environment("development");
    let request =
        ImportRequest { environment, files, confirm: None, distinct: std::collections::BTreeSet::new() };
    stage.workspace.import(&stage.ada, &request).unwrap();
}

fn try_cut(stage: &Stage) -> Result<CutReport, Error> {
    let request = CutRequest { app: "Dispatch".into(), version: None, from: None, note: None };
    stage.workspace.cut(&stage.ada, &request)
}

fn cut(stage: &Stage) -> CutReport {
    try_cut(stage).unwrap()
}

fn imported() -> Stage {
    let stage = Stage::new();
    import(&stage, folder());
    stage.manage("Dispatch");
    stage
}

/// Binds the app's source in staging, and promotes the newest version.
fn promote(stage: &Stage) {
    let staging = environment("staging");
    for source in stage.plan("Dispatch", "staging").objects {
        if source.kind == ObjectKind::DataSource {
            let options = json!({"host": "db.staging.example.com", "port": 5432, "database": "dispatch",
                "username": "dispatch_app", "usingSsl": true});
            let binding =
                Binding { kind: "lowcoder/postgres".parse().unwrap(), options, slots: BTreeMap::new() };
            stage.workspace.set_binding(&stage.ada, &staging, &source.object, binding).unwrap();
        }
    }
    stage.furnish("Dispatch", &["staging"]);
    stage.test("Dispatch", "development", "staging");
    stage.promote("Dispatch", "staging").unwrap();
}

/// Records in one of the files that staging gets.
fn exported(stage: &Stage, file: &str) -> Vec<Value> {
    let files = stage.workspace.export(&environment("staging"), "Dispatch").unwrap().files;
    let file = files.iter().find(|written| written.name == file).unwrap_or_else(|| panic!("no {file}"));
    serde_json::Deserializer::from_slice(&file.bytes).into_iter().map(Result::unwrap).collect()
}

#[test]
fn the_latest_record_is_promoted_and_named() {
    let stage = imported();
    let first = cut(&stage);
    assert_eq!((first.objects, first.floating, first.unresolved), (10, 1, 0));
    promote(&stage);

    let records = exported(&stage, RECORDS);
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let library = &exported(&stage, "libraryQuery.json")[0];
    assert_eq!(record["tag"], "1.0.0");
    assert_eq!(record["libraryQueryId"], library["_id"]["$oid"]);
    let apps = exported(&stage, "application.json");
    let queries = apps.iter().flat_map(|app| app["editingApplicationDSL"]["queries"].as_array().unwrap());
    let rate = queries.into_iter().find(|query| query["name"] == "rate").unwrap();
    assert_eq!(rate["comp"]["libraryQueryId"], library["_id"]["$oid"]);
    assert_eq!(rate["comp"]["libraryQueryRecordId"], record["_id"]["$oid"]);
    assert_eq!(stage.plan("Dispatch", "staging").problems, []);
}

#[test]
fn what_is_published_decides_what_is_promoted() {
    let stage = imported();
    let first = cut(&stage).version.bundle;
    assert_eq!(cut(&stage).version.bundle, first, "nothing changed");

    import(&stage, with_records(|records| *sql(&mut records[0]) = json!("select 1 as rate")));
    let second = cut(&stage).version.bundle;
    assert_ne!(second, first, "the published record was changed");

    import(
        &stage,
        with_records(|records| {
            let mut newer = records[0].clone();
            newer["_id"] = json!({"$oid": "65f000000000000000000022"});
            newer["tag"] = json!("1.1.0");
            newer["createdAt"] = json!({"$date": "2024-04-01T08:00:00.000Z"});
            *sql(&mut newer) = json!("select 2 as rate");
            records.push(newer);
        }),
    );
    let report = cut(&stage);
    assert_eq!((report.objects, report.floating), (10, 1), "the newest takes the place of the older one");
    promote(&stage);
    let records = exported(&stage, RECORDS);
    assert_eq!(records.iter().map(|r| r["tag"].as_str().unwrap()).collect::<Vec<_>>(), ["1.1.0"]);

    // Without the records nobody can tell which of them is newest.
    import(&stage, folder().into_iter().filter(|file| file.name != RECORDS).collect());
    let error = try_cut(&stage).err().unwrap();
    assert!(error.to_string().contains("newest version of `customerRate`"), "{error}");
}

#[test]
fn a_library_query_that_was_never_published_goes_as_its_draft() {
    let stage = Stage::new();
    import(&stage, folder().into_iter().filter(|file| file.name != RECORDS).collect());
    stage.manage("Dispatch");
    let report = cut(&stage);
    assert_eq!((report.objects, report.floating), (9, 0));
    let plan = stage.plan("Dispatch", "staging");
    assert!(plan.problems.iter().all(|problem| problem.code == "binding.missing"), "{:?}", plan.problems);
}
