//! Generated apps come back, and no mutation of a file makes anything panic.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

mod shared;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use shared::{decode, encode_back, ids, native_ids, normalised, own_options, position};
use sluice_platform::{EncodeInput, InputFile, SlotRules, encode, read};

const LIMIT: usize = 1 << 20;

const KINDS: [&str; 3] = ["postgresql", "restapi", "odd"];
const SCOPES: [&str; 2] = ["global", "local"];

fn uuid(kind: u8, n: usize) -> String {
    format!("{kind:02x}000000-0000-4000-8000-{n:012x}")
}

/// Texts that an app holds: ids and names of its things, expressions, secrets, and anything.
fn any_text() -> impl Strategy<Value = String> {
    let id = (0xc1u8..0xc5, 0..6usize).prop_map(|(kind, n)| uuid(kind, n));
    prop_oneof![
        ".{0,16}",
        id.clone(),
        id.clone().prop_map(|id| format!("{id}-0")),
        id.prop_map(|id| format!("{{{{queries.{id}.data}}}} and {{{{components.{id}.value}}}}")),
        (0..6usize).prop_map(|n| format!("{{{{queries.query{n}.data + constants.C{n}}}}}")),
        Just("Bearer not-a-real-token-00001".to_owned()),
        Just("postgres://app:not-a-real-password@db.example.com/orders".to_owned()),
        Just("password = 'not-a-real-password'".to_owned()),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    let key = prop_oneof![
        "[a-z]{1,6}",
        Just("password".to_owned()),
        Just("value".to_owned()),
        Just("queryId".to_owned()),
        Just("pageId".to_owned())
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

fn list(kind: u8, members: impl Fn(usize, Value) -> Value + Clone) -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(any_json(), 0..6).prop_map(move |values| {
        let with_id = |(n, value)| {
            let mut entry = members(n, value);
            entry["id"] = json!(uuid(kind, n));
            entry["createdAt"] = json!("2025-01-01T00:00:00.000Z");
            entry
        };
        values.into_iter().enumerate().map(with_id).collect()
    })
}

prop_compose! {
    fn any_app()(
        components in list(0xc1, |n, properties| json!({
            "name": format!("component{n}"), "pageId": uuid(0xc2, n % 3), "parent": null, "properties": properties,
            "layouts": [{"id": uuid(0xc8, n), "type": "mobile", "top": n}, {"id": uuid(0xc9, n), "type": "desktop", "top": n}],
        })),
        pages in list(0xc2, |n, extra| json!({"name": format!("page{n}"), "appVersionId": uuid(0xb0, n % 2), "extra": extra})),
        queries in list(0xc3, |n, options| json!({
            "name": format!("query{}", n % 4), "options": options, "dataSourceId": uuid(0xc4, n), "appVersionId": uuid(0xb0, n % 2),
        })),
        sources in list(0xc4, |n, _| json!({
            "name": format!("source{n}"), "kind": KINDS[n % 3], "type": "default",
            "scope": SCOPES[n % 2], "appVersionId": (n % 2 == 1).then(|| uuid(0xb0, 0)),
        })),
        events in list(0xc5, |n, event| json!({
            "name": "onClick", "index": n, "event": event, "sourceId": uuid(0xc1, n), "target": "component", "appVersionId": uuid(0xb0, 0),
        })),
        options in prop::collection::vec(prop::collection::btree_map(
            prop_oneof![Just("password"), Just("url"), Just("headers"), Just("host")],
            prop_oneof![
                any_json().prop_map(|value| json!({"value": value, "encrypted": false})),
                (0..9usize).prop_map(|n| json!({"credential_id": uuid(0xd0, n), "encrypted": true})),
                any_json().prop_map(|value| json!({"credential_id": uuid(0xd0, 0), "value": value, "encrypted": true})),
                any::<i32>().prop_map(|value| json!({"value": value, "encrypted": true})),
                Just(json!({"value": "not-a-real-password", "encrypted": true})),
            ],
            0..4,
        ), 0..12),
    ) -> Value {
        let version = |n| json!({"id": uuid(0xb0, n), "name": format!("v{n}"), "definition": null, "homePageId": uuid(0xc2, 0)});
        let sets: Vec<Value> = options.into_iter().enumerate().map(|(n, options)| json!({
            "id": uuid(0xc6, n), "dataSourceId": uuid(0xc4, n / 2), "environmentId": uuid(0xe0, n % 2), "options": options,
        })).collect();
        json!({"app": [{"definition": {"appV2": {
            "id": uuid(0xa0, 0), "name": "Generated", "slug": "generated", "editingVersion": version(0),
            "components": components, "pages": pages, "events": events, "dataQueries": queries, "dataSources": sources,
            "appVersions": [version(0), version(1)],
            "appEnvironments": [{"id": uuid(0xe0, 0), "name": "development"}, {"id": uuid(0xe0, 1), "name": "production"}],
            "dataSourceOptions": sets, "modules": [],
        }}}], "tooljet_version": "3.20.0"})
    }
}

fn file(value: &Value) -> InputFile {
    InputFile { name: "generated.json".into(), bytes: serde_json::to_vec(value).unwrap() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_generated_app_comes_back(app in any_app()) {
        let native = read(&[file(&app)], LIMIT).unwrap();
        let (ids, decoded) = decode(&native, "development");
        let encoded = encode_back(&native, &decoded, &ids, "development");
        let actual: Value = serde_json::from_slice(&encoded.files[0].bytes).unwrap();
        let mut taken: BTreeSet<String> = decoded.secrets.iter().map(|s| s.value.expose().to_owned()).collect();
        // What was withheld from the other version is kept nowhere: the texts that are known to be
        // secrets, and whatever stands under a secret's name.
        taken.extend(FAKES.map(str::to_owned));
        under_password(&app, false, &mut taken);
        same_but_for(&taken, &normalised(&app), &actual);
        let out = format!("{}{}{:?}", serde_json::to_string(&decoded.objects).unwrap(), decoded.rest, decoded.proposals);
        for fake in FAKES {
            prop_assert!(!out.contains(fake), "{}", fake);
        }
    }

    #[test]
    fn a_mutated_file_is_read_or_refused_and_never_panics(
        sample in 0..SAMPLES.len(),
        edits in prop::collection::vec((any::<Index>(), any_json()), 1..4),
    ) {
        let mut value: Value = serde_json::from_slice(&sample_bytes(SAMPLES[sample])).unwrap();
        for (index, with) in edits {
            let mut places = Vec::new();
            collect(&value, &mut String::new(), &mut places);
            if let Some(place) = value.pointer_mut(&places[index.index(places.len())]) {
                *place = with;
            }
        }
        all_the_way(&[file(&value)]);
    }

    #[test]
    fn damaged_bytes_are_read_or_refused_and_never_panic(
        sample in 0..SAMPLES.len(),
        cut in any::<Index>(),
        flips in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        truncate in any::<bool>(),
    ) {
        let mut bytes = sample_bytes(SAMPLES[sample]);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if truncate {
            bytes.truncate(cut.index(bytes.len()));
        }
        all_the_way(&[InputFile { name: "damaged.json".into(), bytes }]);
    }
}

const SAMPLES: &[&str] = &[
    "tooljet/v2.json",
    "tooljet/legacy.json",
    "tooljet/orders.json",
    "lowcoder-ui/notes.json",
    "lowcoder/libraryQueryRecord.json",
];

fn sample_bytes(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples").join(name)).unwrap()
}

fn collect(value: &Value, at: &mut String, places: &mut Vec<String>) {
    places.push(at.clone());
    let mut inner = |token: String, value: &Value| {
        let length = at.len();
        at.push('/');
        at.push_str(&token.replace('~', "~0").replace('/', "~1"));
        collect(value, at, places);
        at.truncate(length);
    };
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| inner(n.to_string(), item)),
        Value::Object(members) => members.iter().for_each(|(key, member)| inner(key.clone(), member)),
        _ => {}
    }
}

/// Everything that a caller would do with what was read; refusals are fine, panics are not.
fn all_the_way(files: &[InputFile]) {
    let Ok(native) = read(files, LIMIT) else { return };
    let _ = native.inspect();
    let ids = ids(&native);
    let Ok(decoded) = native.clone().decode(&ids, &SlotRules::floor(), "development") else { return };
    let (native_ids, options) = (native_ids(&ids), own_options(&decoded));
    for rest in [None, Some(&decoded.rest)] {
        let input = EncodeInput {
            format: native.format(),
            rest,
            objects: &decoded.objects,
            native_ids: &native_ids,
            options: &options,
            environment: "development",
            position: position("development"),
        };
        if let Ok(encoded) = encode(&input) {
            let files: Vec<_> = encoded
                .files
                .iter()
                .map(|f| InputFile { name: f.name.clone(), bytes: f.bytes.clone() })
                .collect();
            if let Err(error) = read(&files, LIMIT) {
                panic!("what was written cannot be read: {error}");
            }
        }
    }
}

const FAKES: [&str; 2] = ["not-a-real-token-00001", "not-a-real-password"];

fn under_password(value: &Value, within: bool, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if within => {
            found.insert(text.trim().to_owned());
            found.insert(text.trim_end().to_owned());
            found.insert(text.clone());
            found.extend(text.split_once(' ').map(|(_, value)| value.trim().to_owned()));
        }
        Value::Array(items) => items.iter().for_each(|item| under_password(item, within, found)),
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(key, member)| under_password(member, within || key == "password", found));
        }
        _ => {}
    }
}

/// Every difference has to be a text, or another value under a secret's name, that was taken out.
fn same_but_for(taken: &BTreeSet<String>, expected: &Value, actual: &Value) {
    match (expected, actual) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().for_each(|(key, value)| same_but_for(taken, value, &b[key]));
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).for_each(|(a, b)| same_but_for(taken, a, b));
        }
        (Value::String(a), Value::String(b)) => {
            assert!(is_left(taken, a, b, 3), "`{b}` is not what is left of `{a}`")
        }
        (Value::Number(_) | Value::Array(_) | Value::Object(_), Value::String(b)) if b.is_empty() => {}
        (a, b) => assert_eq!(a, b),
    }
}

fn is_left(taken: &BTreeSet<String>, before: &str, after: &str, most: usize) -> bool {
    let without =
        |value: &String| before.contains(value.as_str()).then(|| before.replacen(value.as_str(), "", 1));
    before == after
        || (most > 0
            && after.len() < before.len()
            && taken
                .iter()
                .filter(|value| !value.is_empty())
                .filter_map(without)
                .any(|b| is_left(taken, &b, after, most - 1)))
}
