//! The first-party plugins on the options of real exports, where those are at hand.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "helpers of tests may fail as tests do"
)]

mod built;

use std::collections::BTreeMap;
use std::path::PathBuf;

use built::{bytes, host, input, slot};
use serde_json::{Value, json};
use sluice_plugin::Registry;

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("SLUICE_CORPUS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    Some(folder.join("tooljet")).filter(|folder| folder.is_dir())
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
    let Some(folder) = corpus() else {
        eprintln!("skipped: no corpus at ../shared/data or $SLUICE_CORPUS");
        return;
    };
    let load = |name: &str| host().load(name, &bytes(&format!("{name}.wasm"))).unwrap();
    let registry = Registry::new(["sql", "http", "object-storage"].map(load).into()).unwrap();
    let mut rendered = BTreeMap::<String, usize>::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Some(export) = std::fs::read(&path).ok().and_then(|b| serde_json::from_slice::<Value>(&b).ok())
        else {
            continue;
        };
        for (kind, options) in option_sets(&export) {
            let Some(plugin) = registry.for_kind(&sluice_model::Kind::new("tooljet", &kind)) else {
                continue;
            };
            let options = marked(options);
            let input = input(&format!("tooljet/{kind}"), &kind, options.clone(), options.clone());
            let answer = plugin.render(&input).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            // No options at all are rendered as an empty object.
            let options = if options.is_null() { json!({}) } else { options };
            assert_eq!(answer.options, options, "{}: {kind}", path.display());
            *rendered.entry(kind).or_default() += 1;
        }
    }
    for kind in ["gcs", "mariadb", "postgresql", "restapi", "s3"] {
        assert!(rendered.get(kind).is_some_and(|count| *count > 0), "no {kind} among {rendered:?}");
    }
}
