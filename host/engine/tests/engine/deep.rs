//! What is nested as deep as may come in goes all the way and comes back.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sluice_engine::audit::audit;
use sluice_engine::import::{ImportReport, ImportRequest};
use sluice_engine::{Class, Error};
use sluice_model::json::{MOST_NESTED, is_within};
use sluice_platform::InputFile;

use crate::stage::{Stage, environment, sample};

/// The sample app with a query option that makes the export so many levels deep, around this text.
fn nested(levels: usize, text: &str) -> InputFile {
    let InputFile { name, bytes } = sample("tooljet/orders.json");
    let mut file: Value = serde_json::from_slice(&bytes).unwrap();
    let queries = "/app/0/definition/appV2/dataQueries";
    let options = file.pointer_mut(&format!("{queries}/0/options")).unwrap().as_object_mut().unwrap();
    options.insert("deep".into(), json!(text));
    let mut deep = json!(text);
    let depth = |file: &Value| (1..).find(|levels| is_within(file, *levels)).unwrap();
    // The option stands on the level below its object's.
    let own = queries.split('/').count() + 2;
    (own..levels).for_each(|_| deep = json!([deep]));
    file.pointer_mut(&format!("{queries}/0/options/deep")).map(|place| *place = deep).unwrap();
    assert_eq!(depth(&file), levels);
    InputFile { name, bytes: serde_json::to_vec(&file).unwrap() }
}

fn import(stage: &Stage, into: &str, file: InputFile) -> Result<ImportReport, Error> {
    let (confirm, distinct) = (None, BTreeSet::new());
    let request = ImportRequest { environment: environment(into), files: vec![file], confirm, distinct };
    stage.workspace.import(&stage.ada, &request)
}

#[test]
fn what_is_as_deep_as_may_come_in_is_promoted_taken_back_and_verified() {
    let stage = Stage::copied(120);
    for (version, text) in [("3.0", "three"), ("4.0", "four")] {
        assert!(import(&stage, "development", nested(MOST_NESTED, text)).unwrap().changed);
        stage.dismiss_suspicions();
        stage.cut(version);
        stage.test("Orders", "development", "staging");
        stage.promote("Orders", "staging").unwrap();
    }
    stage.carry_out(stage.rollback("Orders", "staging")).unwrap();
    audit(&stage.store(), None, None).unwrap();
    let before = stage.contents();
    let entries = stage.workspace.history(None, None).unwrap().len();
    let error = import(&stage, "development", nested(MOST_NESTED + 1, "five")).unwrap_err();
    assert!(error.to_string().contains("nested deeper than 100 levels at line 1 column "), "{error}");
    assert_eq!(stage.contents(), before);
    assert_eq!(stage.workspace.history(None, None).unwrap().len(), entries);
}

#[test]
fn what_could_not_be_read_again_is_not_kept() {
    let stage = Stage::copied(121);
    let (kept, deeper) = (sluice_model::json::MOST_KEPT, sluice_model::json::MOST_KEPT + 1);
    let lists = |levels| (1..levels).fold(json!([]), |inner, _| json!([inner]));
    let mut work = stage.workspace.work();
    let digest = work.put_json(&lists(kept)).unwrap();
    assert_eq!(work.json::<Value>(&digest).unwrap(), lists(kept));
    let error = work.put_json(&lists(deeper)).unwrap_err();
    assert_eq!(error.class(), Class::Usage, "{error}");
    assert!(error.to_string().contains("nested deeper than 127 levels"), "{error}");
}
