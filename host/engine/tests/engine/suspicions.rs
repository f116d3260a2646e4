//! What looks like a secret is judged object by object.

use serde_json::{Value, json};
use sluice_engine::suspicion::Suspected;
use sluice_model::SlotName;
use sluice_platform::InputFile;

use crate::model::{PLUGINS, ungated};
use crate::stage::{Stage, furnishing, sample};

const SLOT: &str = "name@/options/headers/1/1";
const TWIN: &str = "d10000d1-0000-4000-8000-000000000033";
const FIRST: &str = "d10000d1-0000-4000-8000-000000000003";

/// The sample with a second query, which has another key in the same header.
fn twins() -> Vec<InputFile> {
    let mut file = sample("tooljet/orders.json");
    let mut export: Value = serde_json::from_slice(&file.bytes).unwrap();
    let queries = export["app"][0]["definition"]["appV2"]["dataQueries"].as_array_mut().unwrap();
    let mut twin = queries.iter().find(|query| query["name"] == "loadInvoice").unwrap().clone();
    twin["id"] = json!(TWIN);
    twin["name"] = json!("loadReminder");
    twin["options"]["headers"][1][1] = json!("another-made-up-key");
    queries.push(twin);
    file.bytes = serde_json::to_vec(&export).unwrap();
    vec![file]
}

fn open(stage: &Stage) -> Vec<(String, String)> {
    let found = stage.workspace.suspicions(&mut stage.workspace.work()).unwrap();
    assert!(found.iter().all(|suspicion| suspicion.slot.as_str() == SLOT));
    let mut found: Vec<_> = found.into_iter().map(|s| (s.name, s.object.to_string())).collect();
    found.sort();
    found
}

fn named(object: Option<&str>) -> Suspected {
    Suspected { slot: SlotName::new(SLOT).unwrap(), object: object.map(str::to_owned) }
}

#[test]
fn one_slot_of_two_objects_is_two_suspicions() {
    let stage = Stage::new();
    let invoice = ("loadInvoice".to_owned(), FIRST.to_owned());
    let reminder = ("loadReminder".to_owned(), TWIN.to_owned());
    let first = stage.import_files("development", twins(), None).unwrap();
    assert_eq!((first.summary.suspicions, open(&stage)), (2, vec![invoice.clone(), reminder.clone()]));
    let again = stage.import_files("development", twins(), None).unwrap();
    assert!(!again.changed, "the same file changes nothing");
    assert_eq!(open(&stage).len(), 2);
    stage.manage("Orders");
    stage.cut("0.1");

    // The plan's fix names each.
    let plan = stage.plan("Orders", "staging");
    let fixes: Vec<&str> =
        plan.problems.iter().filter(|p| p.code == "suspicion.open").map(|p| p.fix.as_str()).collect();
    for id in [FIRST, TWIN] {
        let said = format!("sluice secret dismiss \"{SLOT}\" --in \"{id}\" --reason");
        assert!(fixes.iter().any(|fix| fix.contains(&said)), "{fixes:?}");
    }
    let judge = |object, reason| stage.workspace.judge(&stage.ada, &named(object), false, reason);
    let cases: [(Option<&str>, &str, &str); 4] = [
        (None, "a sample", "is a slot of 2 objects"),
        (Some("listOrders"), "a sample", "of `listOrders` waits for a word"),
        (Some("loadInvoice"), "", "a reason is wanted"),
        (Some("loadInvoice"), " \t", "a reason is wanted"),
    ];
    for (object, reason, said) in cases {
        let error = judge(object, reason).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    assert_eq!(open(&stage).len(), 2);
    assert_eq!(judge(Some("loadInvoice"), "a sample").unwrap().object.as_str(), FIRST);
    assert_eq!(open(&stage), [reminder]);
    assert!(!stage.import_files("development", twins(), None).unwrap().changed);
    let again = judge(Some(FIRST), "again").unwrap_err().to_string();
    assert!(again.contains("waits for a word"), "{again}");
    // Of one alone the slot says enough.
    assert_eq!(judge(None, "a sample").unwrap().object.as_str(), TWIN);
    assert_eq!(open(&stage), []);
    assert!(!stage.import_files("development", twins(), None).unwrap().changed);

    // Both words count.
    stage.cut("1.0");
    stage.furnish("Orders", &["staging"]);
    stage.test("Orders", "development", "staging");
    stage.promote("Orders", "staging").unwrap();
    let texts = |query: &str| {
        let plan = stage.plan("Orders", "production");
        let object = plan.objects.iter().find(|object| object.name == query).unwrap();
        let object = stage.workspace.work().object(&object.after.unwrap()).unwrap();
        object.content["options"]["headers"][1][1].clone()
    };
    assert_eq!(texts("loadInvoice"), "not-a-real-api-key");
    assert_eq!(texts("loadReminder"), "another-made-up-key");
}

#[test]
fn an_objects_slot_is_confirmed_and_its_twin_dismissed() {
    let stage = ungated(&furnishing(), &PLUGINS);
    stage.import_files("development", twins(), None).unwrap();
    stage.workspace.judge(&stage.ada, &named(Some(TWIN)), true, "the supplier's").unwrap();
    stage.workspace.judge(&stage.ada, &named(Some(FIRST)), false, "a sample").unwrap();
    let content = stage.content("development");
    assert!(!stage.import_files("development", twins(), None).unwrap().changed);
    assert_eq!(stage.content("development"), content);
    stage.manage("Orders");
    stage.cut("1.0");
    let slots: Vec<String> = stage
        .plan("Orders", "staging")
        .problems
        .into_iter()
        .filter(|problem| problem.message.contains(SLOT))
        .map(|problem| problem.fix)
        .collect();
    assert_eq!(slots, [format!("sluice secret set \"secret://staging/{TWIN}/{SLOT}\"")]);
}
