//! The first-party plugins on the options of real exports, where those are at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::built::{input, registry, slot};
use serde_json::{Value, json};
use sluice_model::slot::SecretShape;
use sluice_model::{Kind, Pointer};
use sluice_plugin::{KindDescription, Rendered};

/// A folder of the corpus; says that a test is skipped where it is not at hand.
fn corpus(folder: &str) -> Option<PathBuf> {
    let corpus = std::env::var_os("SLUICE_CORPUS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let there = Some(corpus.join(folder)).filter(|folder| folder.is_dir());
    if there.is_none() {
        eprintln!("skipped: no corpus at ../shared/data or $SLUICE_CORPUS");
    }
    there
}

/// The files of a folder that are JSON, by name.
fn documents(folder: &str) -> Option<BTreeMap<String, Value>> {
    let entries = std::fs::read_dir(corpus(folder)?).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let document = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
        Some((path.file_name()?.to_str()?.to_owned(), document))
    };
    Some(entries.filter_map(read).collect())
}

fn description(kind: &Kind) -> &'static KindDescription {
    let plugin = registry().for_kind(kind).unwrap_or_else(|| panic!("no plugin for {kind}"));
    plugin.description(kind).unwrap()
}

/// Whether a secret may be all of the option at this place.
fn is_whole_slot(description: &KindDescription, at: &str) -> bool {
    let at: Pointer = at.parse().unwrap();
    description.slots.iter().any(|slot| slot.rule.at == at && slot.rule.shape == SecretShape::Whole)
}

/// Renders options for a target that has the very same.
fn render(file: &str, kind: &str, options: &Value) -> Rendered {
    let plugin =
        registry().for_kind(&kind.parse().unwrap()).unwrap_or_else(|| panic!("no plugin for {kind}"));
    let rendered = plugin.render(&input(kind, "source", options.clone(), options.clone()));
    rendered.unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Renders options that must come out as they are, with nothing in them that no table knows.
fn taken_as_they_are(file: &str, kind: &str, options: &Value) {
    let rendered = render(file, kind, options);
    // No options at all are rendered as an empty object.
    let options = if options.is_null() { &json!({}) } else { options };
    assert_eq!(rendered.options, *options, "{file}: {kind}");
    let unknown: Vec<_> = rendered.notes.iter().filter(|note| note.code == "option.unknown").collect();
    assert!(unknown.is_empty(), "{file}: {kind}: {unknown:?}");
}

/// All option sets in an export with their kinds: those in sources, and those per environment.
fn option_sets(export: &Value) -> Vec<(String, Value)> {
    let mut kinds = BTreeMap::new();
    let mut sets = Vec::new();
    walk(export, &mut |members| {
        if let (Some(Value::String(kind)), Some(id)) = (members.get("kind"), members.get("id")) {
            kinds.insert(id.to_string(), kind.clone());
            // A query has options too, of another form.
            if let Some(options) = members.get("options").filter(|_| !members.contains_key("dataSourceId")) {
                sets.push((kind.clone(), options.clone()));
            }
        }
    });
    walk(export, &mut |members| {
        let source = members.get("dataSourceId").map(ToString::to_string);
        let is_set = members.contains_key("environmentId");
        if let (true, Some(kind), Some(options)) =
            (is_set, source.and_then(|id| kinds.get(&id)), members.get("options"))
        {
            sets.push((kind.clone(), options.clone()));
        }
    });
    sets
}

fn walk(value: &Value, see: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            see(members);
            members.values().for_each(|member| walk(member, see));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
        _ => {}
    }
}

/// The options with a mark where a credential is, as the codec leaves them.
fn marked(mut options: Value) -> Value {
    for (key, option) in options.as_object_mut().into_iter().flatten() {
        if let Some(members) = option.as_object_mut()
            && members.remove("credential_id").is_some()
        {
            members.insert("value".to_owned(), slot(&key.replace('_', "-")));
        }
    }
    options
}

#[test]
fn the_options_of_real_exports_are_taken_as_they_are() {
    let Some(documents) = documents("tooljet") else { return };
    let mut rendered = BTreeMap::<String, usize>::new();
    for (file, export) in documents {
        for (kind, options) in option_sets(&export) {
            if registry().for_kind(&Kind::new("tooljet", &kind)).is_none() {
                // Of the platform itself, such as `runjs`.
                continue;
            }
            taken_as_they_are(&file, &format!("tooljet/{kind}"), &marked(options));
            *rendered.entry(kind).or_default() += 1;
        }
    }
    for kind in ["airtable", "gcs", "googlesheets", "mariadb", "postgresql", "restapi", "s3"] {
        assert!(rendered.get(kind).is_some_and(|count| *count > 0), "no {kind} among {rendered:?}");
    }
}

#[test]
fn each_credential_of_real_exports_is_a_slot() {
    let Some(documents) = documents("tooljet") else { return };
    let mut found = 0;
    for (file, export) in documents {
        for (kind, options) in option_sets(&export) {
            let kind = Kind::new("tooljet", &kind);
            if registry().for_kind(&kind).is_none() {
                continue;
            }
            for (key, option) in options.as_object().into_iter().flatten() {
                if option.get("credential_id").is_some() || option["encrypted"] == json!(true) {
                    assert!(
                        is_whole_slot(description(&kind), &format!("/{key}/value")),
                        "{file}: {kind} {key}"
                    );
                    found += 1;
                }
            }
        }
    }
    assert!(found > 20, "{found}");
}

/// The kinds that ToolJet's manifests list, with their options and which of them are encrypted.
fn manifest() -> Option<serde_json::Map<String, Value>> {
    let text = std::fs::read(corpus("tooljet")?.join("option-schema.json")).unwrap();
    Some(serde_json::from_slice::<Value>(&text).unwrap()["kinds"].as_object().unwrap().clone())
}

#[test]
fn every_kind_of_the_manifests_is_served_with_each_of_its_options() {
    let Some(kinds) = manifest() else { return };
    assert_eq!(kinds.len(), 47);
    let mut lacking = Vec::new();
    for (name, manifest) in &kinds {
        // That no other plugin serves it too, the registry has checked.
        let description = description(&Kind::new("tooljet", name));
        let options: BTreeSet<_> = description.options.iter().map(|option| option.at.to_string()).collect();
        for (key, option) in manifest["options"].as_object().unwrap() {
            let at = format!("/{key}/value");
            let is_slot = is_whole_slot(description, &at);
            if option["encrypted"] == json!(true) && !is_slot {
                lacking.push(format!("{name}: {key} is encrypted and no slot"));
            }
            if !is_slot && !options.contains(&at) {
                lacking.push(format!("{name}: {key} is not described"));
            }
        }
    }
    assert!(lacking.is_empty(), "{lacking:#?}");
}

/// What the manifests leave in the clear and is a secret nevertheless.
#[test]
fn secrets_that_no_manifest_marks_are_slots() {
    for (kind, at) in [
        ("tooljet/mariadb", "/password/value"),
        ("tooljet/twilio", "/authToken/value"),
        ("tooljet/zendesk", "/client_secret/value"),
        ("tooljet/zendesk", "/access_token/value"),
        ("tooljet/slack", "/access_token/value"),
        ("tooljet/googlesheets", "/refresh_token/value"),
        ("tooljet/openapi", "/bearer_token/value"),
        ("lowcoder/es", "/password"),
        ("lowcoder/restApi", "/authConfig/password"),
        ("appsmith/mongo-plugin", "/authentication/password"),
    ] {
        assert!(is_whole_slot(description(&kind.parse().unwrap()), at), "{kind} {at}");
    }
    for (kind, at, shape) in [
        ("tooljet/mongodb", "/connection_string/value", SecretShape::UrlUserinfo),
        ("tooljet/postgresql", "/connection_string/value", SecretShape::KeyValue("password".into())),
        ("tooljet/gcs", "/private_key/value", SecretShape::JsonMember("/private_key".parse().unwrap())),
        ("tooljet/restapi", "/headers/value/*/1", SecretShape::HeaderValue),
        ("lowcoder/restApi", "/headers/*/value", SecretShape::HeaderValue),
        ("lowcoder/redis", "/uri", SecretShape::UrlUserinfo),
        ("appsmith/mongo-plugin", "/properties/1/value", SecretShape::UrlUserinfo),
    ] {
        let at: Pointer = at.parse().unwrap();
        let is_it = |slot: &sluice_plugin::SlotDescription| slot.rule.at == at && slot.rule.shape == shape;
        assert!(description(&kind.parse().unwrap()).slots.iter().any(is_it), "{kind} {at} {shape:?}");
    }
}

#[test]
fn the_sources_that_lowcoders_files_name_are_served() {
    let Some(documents) = documents("lowcoder") else { return };
    let request = &documents["DatasourceControllerTest.json"];
    let kind = format!("lowcoder/{}", request["type"].as_str().unwrap());
    taken_as_they_are("DatasourceControllerTest.json", &kind, &request["datasourceConfig"]);
}

/// Names that stand for no data source: code of the platform's own, and what its tests put for the
/// name of a plugin.
const NO_SOURCES: [&str; 3] = ["js-plugin", "installed-plugin", "installed-js-plugin"];

/// Served by a plugin in another language.
const ELSEWHERE: [&str; 1] = ["AWS Lambda"];

#[test]
fn the_sources_that_appsmiths_files_name_are_served() {
    let Some(documents) = documents("appsmith") else { return };
    let mut seen = BTreeSet::new();
    for (file, export) in documents {
        let listed = export["datasourceList"].as_array().into_iter().flatten();
        let actions = export["actionList"].as_array().into_iter().flatten();
        let embedded = actions.flat_map(|action| {
            ["unpublishedAction", "publishedAction"].map(|side| &action[side]["datasource"])
        });
        for source in listed.chain(embedded) {
            let Some(name) = source["pluginId"].as_str() else { continue };
            // Some embedded sources name the plugin by its id in one installation.
            let is_id = name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_id || NO_SOURCES.contains(&name) || ELSEWHERE.contains(&name) {
                continue;
            }
            taken_as_they_are(&file, &format!("appsmith/{name}"), &source["datasourceConfiguration"]);
            seen.insert(name.to_owned());
        }
    }
    assert!(seen.len() >= 17, "{seen:?}");
}
