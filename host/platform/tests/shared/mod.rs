//! What the tests of whole files share: an identity map, and a normal form of originals that is
//! made without the code under test.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Map, Number, Value};
use sluice_model::{LogicalId, NativeId};
use sluice_platform::{
    Decoded, EncodeInput, Encoded, InputFile, Native, NativeKey, OPTIONS, Position, SlotRules, encode,
};

pub fn input(path: &Path) -> InputFile {
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    InputFile { name, bytes: fs::read(path).unwrap() }
}

pub type Ids = BTreeMap<NativeKey, LogicalId>;

/// A logical id for everything that the survey names.
pub fn ids(native: &Native) -> Ids {
    let things = native.survey().into_iter().enumerate();
    things.map(|(n, thing)| (thing.key, LogicalId::new(format!("logical{n:06}id")).unwrap())).collect()
}

pub fn decode(native: &Native, environment: &str) -> (Ids, Decoded) {
    let ids = ids(native);
    let decoded = native.clone().decode(&ids, &SlotRules::floor(), environment).unwrap();
    (ids, decoded)
}

pub fn native_ids(ids: &Ids) -> BTreeMap<LogicalId, NativeId> {
    ids.iter().map(|(key, id)| (id.clone(), key.id.clone())).collect()
}

pub fn own_options(decoded: &Decoded) -> BTreeMap<LogicalId, Value> {
    let options = |o: &sluice_model::Object| Some((o.id.clone(), o.content.get(OPTIONS)?.clone()));
    decoded.objects.iter().filter_map(options).collect()
}

/// Where an environment stands in a workspace that has the three that every one has.
pub fn position(environment: &str) -> Position {
    let all = ["development", "staging", "production"];
    Position { number: 1 + all.iter().position(|name| *name == environment).unwrap(), of: all.len() }
}

pub fn encode_back(native: &Native, decoded: &Decoded, ids: &Ids, environment: &str) -> Encoded {
    encode(&EncodeInput {
        format: native.format(),
        rest: Some(&decoded.rest),
        objects: &decoded.objects,
        native_ids: &native_ids(ids),
        options: &own_options(decoded),
        environment,
        position: position(environment),
    })
    .unwrap()
}

/// The original as it has to come back: one spelling for each number, no credential, no orphan.
pub fn normalised(original: &Value) -> Value {
    let mut value = walk(original);
    let mut apps = Vec::new();
    collect_apps(&mut value, &mut apps);
    for app in apps {
        let Some(members) = app.as_object_mut() else { continue };
        let own: BTreeSet<String> = members["dataSources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|source| source["id"].as_str().unwrap().to_owned())
            .collect();
        if let Some(Value::Array(sets)) = members.get_mut("dataSourceOptions") {
            sets.retain(|set| own.contains(set["dataSourceId"].as_str().unwrap_or_default()));
        }
        if let Some(token) = members.get_mut("workflowApiToken") {
            *token = Value::Null;
        }
    }
    value
}

fn collect_apps<'v>(value: &'v mut Value, apps: &mut Vec<&'v mut Value>) {
    if value.get("dataSources").is_some() && value.get("appVersions").is_some() {
        apps.push(value);
        return;
    }
    match value {
        Value::Object(members) => members.values_mut().for_each(|member| collect_apps(member, apps)),
        Value::Array(items) => items.iter_mut().for_each(|item| collect_apps(item, apps)),
        _ => {}
    }
}

fn walk(value: &Value) -> Value {
    match value {
        // Extended JSON of MongoDB: a number as its canonical mode writes it.
        Value::Object(members) if members.len() == 1 && members.contains_key("$numberLong") => {
            members["$numberLong"].as_str().unwrap().parse::<i64>().unwrap().into()
        }
        Value::Object(members) => {
            let mut members: Map<String, Value> = members.iter().map(|(k, v)| (k.clone(), walk(v))).collect();
            // An expression beside a credential is no value of it: it comes back.
            let is_expression = members.get("value").and_then(Value::as_str).is_some_and(is_expression);
            if members.remove("credential_id").is_some() && !is_expression {
                members.insert("value".to_owned(), Value::String(String::new()));
            }
            Value::Object(members)
        }
        Value::Array(items) => items.iter().map(walk).collect(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => {
                Value::Number(Number::from(float as i64))
            }
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

/// Whether a text is expressions and nothing beside them.
fn is_expression(text: &str) -> bool {
    let mut pieces = text.split("{{");
    let before = pieces.next().unwrap();
    let outside = |piece: &str| piece.split_once("}}").map(|(_, after)| after.trim().to_owned());
    let rest: Vec<_> = pieces.map(outside).collect();
    before.trim().is_empty() && !rest.is_empty() && rest.iter().all(|after| after.as_deref() == Some(""))
}

/// Every difference has to be a text out of which a value was taken.
pub fn explain(expected: &Value, actual: &Value, taken: &BTreeSet<&str>, at: &str) {
    match (expected, actual) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = |m: &Map<String, Value>| m.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(keys(a), keys(b), "{at}");
            for (key, value) in a {
                explain(value, &b[key], taken, &format!("{at}/{key}"));
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{at}");
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                explain(a, b, taken, &format!("{at}/{index}"));
            }
        }
        (Value::String(a), Value::String(b)) if a != b => {
            let mut left = a.clone();
            for value in taken {
                left = left.replace(*value, "");
            }
            assert_eq!(left, *b, "{at}");
        }
        // A number that was taken out as a whole.
        (Value::Number(a), Value::String(b)) if taken.contains(a.to_string().as_str()) => {
            assert_eq!(b, "", "{at}");
        }
        (a, b) => assert_eq!(a, b, "{at}"),
    }
}
