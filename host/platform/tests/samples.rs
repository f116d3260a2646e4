//! The samples that were written by hand, through import and export.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use shared::{decode, encode_back, explain, ids, input, native_ids, normalised, own_options, position};
use sluice_model::{LogicalId, NativeId, Object, ObjectKind, Pointer, Target, content};
use sluice_platform::{
    DEFAULT_LIMIT, EncodeError, EncodeInput, Entry, InFile, InputFile, Native, NativeKey, Position,
    SlotRules, encode, pin_library_query, read,
};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples")
}

fn native(name: &str) -> Native {
    read(&[input(&samples().join(name))], DEFAULT_LIMIT).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn folder(name: &str) -> Vec<InputFile> {
    let mut paths: Vec<_> =
        fs::read_dir(samples().join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| input(path)).collect()
}

fn named<'o>(objects: &'o [Object], kind: ObjectKind, name: &str) -> &'o Object {
    objects.iter().find(|o| o.kind == kind && o.name == name).unwrap_or_else(|| panic!("no {kind} {name}"))
}

#[test]
fn every_tooljet_sample_comes_back() {
    for name in ["orders", "orders-changed", "orders-staging", "legacy", "v2"] {
        let path = format!("tooljet/{name}.json");
        let native = native(&path);
        let ids = ids(&native);
        let environment = if name == "orders-staging" { "staging" } else { "development" };
        let decoded = native.clone().decode(&ids, &SlotRules::floor(), environment).unwrap();
        let encoded = encode_back(&native, &decoded, &ids, environment);
        let actual: Value = serde_json::from_slice(&encoded.files[0].bytes).unwrap();
        let original: Value = serde_json::from_slice(&fs::read(samples().join(&path)).unwrap()).unwrap();
        let taken: BTreeSet<&str> = decoded.secrets.iter().map(|s| s.value.expose()).collect();
        explain(&normalised(&original), &actual, &taken, name);
    }
}

#[test]
fn the_lowcoder_folder_comes_back() {
    for name in ["lowcoder", "lowcoder-ui"] {
        let files = folder(name);
        let native = read(&files, DEFAULT_LIMIT).unwrap();
        let (ids, decoded) = decode(&native, "development");
        let encoded = encode_back(&native, &decoded, &ids, "development");
        assert_eq!(encoded.files.len(), files.len());
        let records = |bytes: &[u8]| -> Vec<Value> {
            serde_json::Deserializer::from_slice(bytes).into_iter().map(Result::unwrap).collect()
        };
        let taken: BTreeSet<&str> = decoded.secrets.iter().map(|s| s.value.expose()).collect();
        for (before, after) in files.iter().zip(&encoded.files) {
            assert_eq!(before.name, after.name);
            let (before, after) = (records(&before.bytes), records(&after.bytes));
            explain(
                &Value::Array(before.iter().map(normalised).collect()),
                &Value::Array(after),
                &taken,
                name,
            );
        }
    }
}

#[test]
fn orders_has_its_edges_secrets_and_proposals() {
    let native = native("tooljet/orders.json");
    assert_eq!(native.orphan_options(), 1);
    let (_, decoded) = decode(&native, "development");
    let objects = &decoded.objects;
    let inspection = native.inspect().unwrap();
    assert_eq!(
        (inspection.references.dangling, inspection.references.ambiguous),
        (0, 0),
        "{:?}",
        inspection.unresolved
    );
    assert_eq!(
        inspection.constants,
        ["constants.API_VERSION", "constants.RECEIPTS_BUCKET", "secrets.BILLING_TOKEN"]
    );

    let app = named(objects, ObjectKind::App, "Orders");
    let list = named(objects, ObjectKind::Query, "listOrders");
    let database = named(objects, ObjectKind::DataSource, "orders-db");
    assert_eq!(app.unit.as_ref(), Some(&app.id));
    assert_eq!((list.unit.as_ref(), database.unit.as_ref()), (Some(&app.id), None));
    assert_eq!(database.source_kind.as_ref().map(ToString::to_string).as_deref(), Some("tooljet/postgresql"));
    assert_eq!(named(objects, ObjectKind::DataSource, "runjsdefault").source_kind, None);
    let leads =
        |from: &Object, to: &Object| from.references.iter().any(|r| r.target.object() == Some(&to.id));
    assert!(leads(list, database));
    for (kind, name) in [
        (ObjectKind::Component, "ordersTable"),
        (ObjectKind::Query, "summary"),
        (ObjectKind::Event, "onClick 0"),
    ] {
        assert!(leads(named(objects, kind, name), list), "{name}");
    }

    let declared = |at: &str| at.parse().unwrap();
    let password = content::parts(
        sluice_model::Pointer::get(&declared("/options/password/value"), &database.content).unwrap(),
    );
    assert_eq!(password.map(|parts| parts.len()), Some(1));
    let provisional: Vec<_> = decoded.secrets.iter().filter(|s| s.provisional).collect();
    let [header] = provisional.as_slice() else { panic!("{provisional:?}") };
    assert_eq!(
        (header.at.to_string().as_str(), header.value.expose()),
        ("/options/headers/1/1", "not-a-real-api-key")
    );
    assert!(!format!("{decoded:?}").contains("not-a-real-api-key"));

    let mut proposed: Vec<_> = decoded
        .proposals
        .iter()
        .filter(|p| p.source == database.id)
        .map(|p| (p.environment.as_str(), p.options["host"]["value"].as_str().unwrap()))
        .collect();
    proposed.sort();
    assert_eq!(
        proposed,
        [("production", "orders-db.prod.example.com"), ("staging", "orders-db.staging.example.com")]
    );
    assert_eq!(database.content["options"]["host"]["value"], "orders-db.dev.example.com");
    for text in ["payroll", "2025-03-03", "credential_id"] {
        let all = serde_json::to_string(&decoded.objects).unwrap();
        assert!(!all.contains(text), "{text}");
    }
    assert!(!decoded.rest.to_string().contains("payroll"));
}

#[test]
fn what_tooljet_marks_as_secret_is_taken_and_comes_back() {
    let mut original: Value =
        serde_json::from_slice(&fs::read(samples().join("tooljet/orders.json")).unwrap()).unwrap();
    let app = &mut original["app"][0]["definition"]["appV2"];
    let query = app["dataQueries"].as_array_mut().unwrap().iter_mut().find(|q| q["name"] == "listOrders");
    query.unwrap()["options"]["login"] = json!({
        "pin": {"credential_id": "query-credential", "value": 123_456_789, "encrypted": true},
        "pw": {"credential_id": "query-credential", "value": "{{secrets.QUERY_PW}}", "encrypted": true},
    });
    for set in app["dataSourceOptions"].as_array_mut().unwrap() {
        let Some(options) = set["options"].as_object_mut().filter(|o| o.contains_key("password")) else {
            continue;
        };
        options.insert("marked".into(), json!({"value": "not-a-real-mark", "encrypted": true}));
        options.insert("pin".into(), json!({"value": 987_654_321, "encrypted": true}));
        options.insert(
            "asked".into(),
            json!({"credential_id": "c1", "value": "{{secrets.BILLING_PW}}", "encrypted": true}),
        );
    }
    let file = InputFile { name: "orders.json".into(), bytes: serde_json::to_vec(&original).unwrap() };
    let native = read(&[file], DEFAULT_LIMIT).unwrap();
    let (ids, decoded) = decode(&native, "development");
    let database = named(&decoded.objects, ObjectKind::DataSource, "orders-db");
    let list = named(&decoded.objects, ObjectKind::Query, "listOrders");
    for (object, constant) in [(database, "secrets.BILLING_PW"), (list, "secrets.QUERY_PW")] {
        let constant = Target::Constant(constant.parse().unwrap());
        assert!(object.references.iter().any(|r| r.target == constant), "{:?}", object.references);
    }
    let of_database: BTreeSet<_> = decoded
        .secrets
        .iter()
        .filter(|taken| taken.object == database.id && taken.environment.is_none() && !taken.provisional)
        .map(|taken| (taken.slot.as_str(), taken.value.expose()))
        .collect();
    assert_eq!(of_database, BTreeSet::from([("marked", "not-a-real-mark"), ("pin", "987654321")]));
    let of_query: Vec<_> = decoded.secrets.iter().filter(|taken| taken.object == list.id).collect();
    assert_eq!(of_query.iter().map(|taken| taken.value.expose()).collect::<Vec<_>>(), ["123456789"]);
    let kept = format!("{:?} {:?} {}", decoded.objects, decoded.proposals, decoded.rest);
    for gone in ["not-a-real-mark", "987654321", "123456789", "query-credential"] {
        assert!(!kept.contains(gone), "{gone}");
    }
    let encoded = encode_back(&native, &decoded, &ids, "development");
    let actual: Value = serde_json::from_slice(&encoded.files[0].bytes).unwrap();
    let taken: BTreeSet<&str> = decoded.secrets.iter().map(|s| s.value.expose()).collect();
    explain(&normalised(&original), &actual, &taken, "orders");
}

#[test]
fn an_export_tells_the_ids_of_the_place_it_comes_from() {
    let (_, decoded) = decode(&native("tooljet/orders.json"), "development");
    let environments: Vec<_> = decoded.place.environments.iter().map(|(id, name)| (&id[..3], name)).collect();
    let names = ["development", "staging", "production"].map(str::to_owned);
    assert_eq!(environments, names.iter().map(|name| ("e00", name)).collect::<Vec<_>>());
    assert!(decoded.place.own.contains("f00000d1-0000-4000-8000-000000000001"), "the organisation");
    assert!(decoded.place.own.contains("a00000d1-0000-4000-8000-000000000001"), "the app");

    let (_, decoded) = decode(&read(&folder("lowcoder"), DEFAULT_LIMIT).unwrap(), "development");
    let own = ["65f000000000000000000001", "65f000000000000000000002", "65f0000000000000000000f0"];
    assert_eq!(decoded.place.own, own.map(str::to_owned).into());
}

#[test]
fn an_environment_that_was_never_imported_is_written_in_its_place() {
    let native = native("tooljet/orders.json");
    let (_, decoded) = decode(&native, "development");
    let (none, options) = (BTreeMap::new(), own_options(&decoded));
    for (environment, number, is_default) in
        [("development", 1, false), ("qa", 2, false), ("staging", 3, false), ("live", 4, true)]
    {
        let input = EncodeInput {
            format: native.format(),
            rest: None,
            objects: &decoded.objects,
            native_ids: &none,
            options: &options,
            environment,
            position: Position { number, of: 4 },
        };
        let file: Value = serde_json::from_slice(&encode(&input).unwrap().files[0].bytes).unwrap();
        let own = &file["app"][0]["definition"]["appV2"]["appEnvironments"][0];
        assert_eq!(
            (&own["name"], &own["priority"], &own["isDefault"]),
            (&json!(environment), &json!(number), &json!(is_default))
        );
    }
}

/// Identities as a person would confirm them: same kind, same name, same parent.
fn matched(
    known: &Native,
    ids: &BTreeMap<NativeKey, LogicalId>,
    other: &Native,
) -> BTreeMap<NativeKey, LogicalId> {
    let path = |native: &Native| {
        let things: BTreeMap<NativeKey, _> =
            native.survey().into_iter().map(|t| (t.key.clone(), t)).collect();
        let of = |key: &NativeKey| {
            let (mut names, mut at) = (Vec::new(), Some(key));
            while let Some(key) = at {
                names.push(format!("{} {}", key.kind, things[key].name));
                at = things[key].parent.as_ref();
            }
            names.join(" of ")
        };
        things.keys().map(|key| (of(key), key.clone())).collect::<BTreeMap<_, _>>()
    };
    let (known, other) = (path(known), path(other));
    assert_eq!(known.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    other.into_iter().map(|(path, key)| (key, ids[&known[&path]].clone())).collect()
}

#[test]
fn the_same_app_of_two_environments_is_the_same_content() {
    let (development, staging) = (native("tooljet/orders.json"), native("tooljet/orders-staging.json"));
    let ids = ids(&development);
    let there = matched(&development, &ids, &staging);
    let by_id =
        |objects: Vec<Object>| objects.into_iter().map(|o| (o.id.clone(), o)).collect::<BTreeMap<_, _>>();
    let a = by_id(development.clone().decode(&ids, &SlotRules::floor(), "development").unwrap().objects);
    let b = by_id(staging.clone().decode(&there, &SlotRules::floor(), "staging").unwrap().objects);
    assert_eq!(a.len(), b.len());
    for (id, object) in &a {
        if object.source_kind.is_none() {
            assert_eq!(object.digest().unwrap(), b[id].digest().unwrap(), "{} {}", object.kind, object.name);
        }
    }
}

#[test]
fn a_changed_file_shows_what_changed() {
    let (before, after) = (native("tooljet/orders.json"), native("tooljet/orders-changed.json"));
    let all: BTreeMap<NativeKey, LogicalId> = ids(&after);
    let a = before.clone().decode(&all, &SlotRules::floor(), "development").unwrap().objects;
    let b = after.clone().decode(&all, &SlotRules::floor(), "development").unwrap().objects;
    let before: BTreeMap<_, _> = a.iter().map(|o| (&o.id, o)).collect();
    let changed: Vec<_> =
        b.iter().filter(|o| before.get(&o.id) != Some(o)).map(|o| (o.kind, o.name.as_str())).collect();
    assert_eq!(
        changed,
        [
            (ObjectKind::Component, "cancelButton"),
            (ObjectKind::Query, "saveNote"),
            (ObjectKind::Event, "onClick 0")
        ]
    );
}

#[test]
fn a_first_export_reads_back_as_the_same_objects() {
    let inputs = [
        (vec![input(&samples().join("tooljet/orders.json"))], "development"),
        (vec![input(&samples().join("tooljet/v2.json"))], "development"),
        (vec![input(&samples().join("tooljet/legacy.json"))], "development"),
        (folder("lowcoder"), "development"),
        (folder("lowcoder-ui"), "development"),
    ];
    for (files, environment) in inputs {
        let name = &files[0].name;
        let native = read(&files, DEFAULT_LIMIT).unwrap();
        let (_, decoded) = decode(&native, environment);
        let none = BTreeMap::new();
        let options = own_options(&decoded);
        let fresh = EncodeInput {
            format: native.format(),
            rest: None,
            objects: &decoded.objects,
            native_ids: &none,
            options: &options,
            environment: "staging",
            position: position("staging"),
        };
        let encoded = encode(&fresh).unwrap();
        assert_eq!(encoded.made.len(), decoded.objects.len(), "{name}");
        let files: Vec<_> = encoded
            .files
            .iter()
            .map(|f| InputFile { name: f.name.clone(), bytes: f.bytes.clone() })
            .collect();
        let again = read(&files, DEFAULT_LIMIT).unwrap_or_else(|e| panic!("{name}: {e}"));
        let kinds: BTreeMap<_, _> = decoded.objects.iter().map(|o| (&o.id, o.kind)).collect();
        let ids =
            encoded.made.iter().map(|(id, native)| (NativeKey::new(kinds[id], native.clone()), id.clone()));
        let back = again.clone().decode(&ids.collect(), &SlotRules::floor(), "staging").unwrap();
        let by_id: BTreeMap<_, _> = back.objects.iter().map(|o| (&o.id, o)).collect();
        assert_eq!(by_id.len(), decoded.objects.len(), "{name}");
        for object in &decoded.objects {
            let emptied = |value: &Value| {
                content::replace_marks(value, &mut |parts| {
                    json!(
                        parts
                            .into_iter()
                            .filter_map(|p| match p {
                                content::Part::Text(t) => Some(t),
                                _ => None,
                            })
                            .collect::<String>()
                    )
                })
            };
            let (wanted, found) = (emptied(&object.content), emptied(&by_id[&object.id].content));
            assert_eq!(wanted, found, "{name}: {} {}", object.kind, object.name);
            assert_eq!(
                object.references, by_id[&object.id].references,
                "{name}: {} {}",
                object.kind, object.name
            );
        }
        if name == "orders.json" {
            let file: Value = serde_json::from_slice(&encoded.files[0].bytes).unwrap();
            let app = &file["app"][0]["definition"]["appV2"];
            assert_eq!(app["appEnvironments"].as_array().unwrap().len(), 1);
            assert_eq!(app["appEnvironments"][0]["name"], "staging");
            assert_eq!(app["dataSourceOptions"].as_array().unwrap().len(), 4);
            let native = native_ids(&shared::ids(&again));
            assert!(native.len() == decoded.objects.len());
            let constants = encoded.to_enter.iter().filter(|e| matches!(e.entry, Entry::Constant(_))).count();
            assert!(constants >= 3, "{:?}", encoded.to_enter);
            let slot = |source: &str, slot: &str| {
                encoded.to_enter.iter().any(|e| {
                    e.name == source && matches!(&e.entry, Entry::Slot { slot: s, .. } if s.as_str() == slot)
                })
            };
            assert!(
                slot("orders-db", "password")
                    && slot("billing-api", "bearer_token")
                    && slot("receipts", "secret_key")
            );
        }
    }
}

#[test]
fn a_source_without_options_of_the_environment_is_refused() {
    let native = native("tooljet/orders.json");
    let (ids, decoded) = decode(&native, "development");
    let mut options = own_options(&decoded);
    let database = named(&decoded.objects, ObjectKind::DataSource, "orders-db");
    options.remove(&database.id);
    let native_ids = native_ids(&ids);
    for rest in [None, Some(&decoded.rest)] {
        let input = EncodeInput {
            format: native.format(),
            rest,
            objects: &decoded.objects,
            native_ids: &native_ids,
            options: &options,
            environment: "staging",
            position: position("staging"),
        };
        let refused = EncodeError::NoOptions { name: "orders-db".into(), environment: "staging".into() };
        assert_eq!(encode(&input), Err(refused));
    }
}

#[test]
fn the_other_generations_have_their_edges() {
    let v2 = native("tooljet/v2.json");
    let (_, decoded) = decode(&v2, "development");
    assert_eq!(decoded.environment.as_deref(), Some("production"), "the only environment there is");
    let taken: Vec<_> = decoded.secrets.iter().map(|s| (s.at.to_string(), s.provisional)).collect();
    assert_eq!(taken, [("/options/password/value".to_owned(), false)]);
    let inspection = v2.inspect().unwrap();
    let dangling: Vec<_> =
        inspection.unresolved.iter().map(|u| (u.object.as_str(), u.state.as_str())).collect();
    assert_eq!(dangling, [("countLow", "dangling")]);
    let tabs = named(&decoded.objects, ObjectKind::Component, "tabs");
    let button = named(&decoded.objects, ObjectKind::Component, "countButton");
    assert_eq!(button.content["parent"], format!("{}-0", tabs.id));
    assert!(button.references.iter().any(|r| r.target == Target::Resolved(tabs.id.clone())));

    let (_, decoded) = decode(&native("tooljet/legacy.json"), "development");
    let names: Vec<_> = decoded.objects.iter().map(|o| o.name.as_str()).collect();
    assert_eq!(
        names,
        ["Contacts", "Address book", "contactsTable", "nameInput", "listContacts", "addContact"]
    );
}

#[test]
fn lowcoder_has_its_edges() {
    let native = read(&folder("lowcoder"), DEFAULT_LIMIT).unwrap();
    let (_, decoded) = decode(&native, "development");
    let app = named(&decoded.objects, ObjectKind::App, "Dispatch");
    let module = named(&decoded.objects, ObjectKind::Module, "Customer card");
    let library = named(&decoded.objects, ObjectKind::LibraryQuery, "customerRate");
    let record = named(&decoded.objects, ObjectKind::LibraryQueryVersion, "1.0.0");
    assert!(record.references.iter().any(|r| r.target == Target::Resolved(library.id.clone())));
    let floating = Target::Floating { to: record.id.clone(), tag: "latest".into() };
    assert!(app.references.iter().any(|r| r.target == Target::Resolved(module.id.clone())));
    assert!(
        named(&decoded.objects, ObjectKind::Query, "rate").references.iter().any(|r| r.target == floating)
    );
    let late = named(&decoded.objects, ObjectKind::Query, "countLate");
    let list = named(&decoded.objects, ObjectKind::Query, "listJobs");
    assert!(late.references.iter().any(|r| r.target == Target::Resolved(list.id.clone())));
    let taken: Vec<_> = decoded.secrets.iter().map(|s| (s.slot.as_str(), s.value.expose())).collect();
    assert_eq!(taken, [("password", "not-a-real-password")]);
    assert!(
        native
            .survey()
            .iter()
            .filter(|t| t.key.kind != ObjectKind::Query)
            .filter(|t| t.stable.is_some())
            .count()
            >= 4
    );
    let inspection = native.inspect().unwrap();
    assert_eq!((inspection.references.dangling, inspection.references.floating), (0, 1));
}

/// The Lowcoder folder, with records `1.0.0`, … of its library query in place of those it has.
fn published(records: &[Value]) -> Vec<InputFile> {
    let mut files = folder("lowcoder");
    let file = files.iter_mut().find(|file| file.name == "libraryQueryRecord.json").unwrap();
    let template: Value = serde_json::from_slice(&file.bytes).unwrap();
    let made = records.iter().enumerate().map(|(n, created)| {
        let mut record = template[0].clone();
        record["_id"] = json!({ "$oid": format!("65f0000000000000000001{n:02}") });
        record["tag"] = json!(format!("{n}"));
        record["createdAt"] = created.clone();
        record
    });
    file.bytes = serde_json::to_vec(&made.collect::<Value>()).unwrap();
    files
}

#[test]
fn the_latest_record_is_the_one_that_was_made_last() {
    for (created, latest) in [
        (vec![json!({"$date": "2024-03-12T08:00:00Z"}), json!({"$date": "2024-03-12T08:00:00.5Z"})], "1"),
        (vec![json!({"$date": "2024-03-13T08:00:00Z"}), json!({"$date": "2024-03-12T23:00:00Z"})], "0"),
        (
            vec![
                json!({"$date": {"$numberLong": "1700000000001"}}),
                json!({"$date": "2023-11-14T00:00:00Z"}),
            ],
            "0",
        ),
        (vec![json!(1_700_000_000_001_i64), Value::Null], "0"),
        // Of one moment, or without any: ids grow.
        (vec![json!("2024-03-12T08:00:00Z"), json!("2024-03-12T08:00:00Z")], "1"),
        (vec![Value::Null, Value::Null], "1"),
    ] {
        let (_, decoded) = decode(&read(&published(&created), DEFAULT_LIMIT).unwrap(), "development");
        let rate = named(&decoded.objects, ObjectKind::Query, "rate");
        let newest = named(&decoded.objects, ObjectKind::LibraryQueryVersion, latest);
        let meant = |r: &sluice_model::Reference| match &r.target {
            Target::Floating { to, .. } => Some(to.clone()),
            _ => None,
        };
        assert_eq!(rate.references.iter().find_map(meant), Some(newest.id.clone()), "{created:?}");
    }
    // Nothing was ever published: the draft is what the platform runs.
    let (_, decoded) = decode(&read(&published(&[]), DEFAULT_LIMIT).unwrap(), "development");
    let draft = named(&decoded.objects, ObjectKind::LibraryQuery, "customerRate");
    let rate = named(&decoded.objects, ObjectKind::Query, "rate");
    assert!(
        rate.references
            .iter()
            .any(|r| r.target == Target::Floating { to: draft.id.clone(), tag: "latest".into() })
    );
}

#[test]
fn a_query_that_is_pinned_reads_as_if_it_had_always_named_the_record() {
    let native = read(&folder("lowcoder"), DEFAULT_LIMIT).unwrap();
    let (ids, mut decoded) = decode(&native, "development");
    let record = named(&decoded.objects, ObjectKind::LibraryQueryVersion, "1.0.0").id.clone();
    let rate = decoded.objects.iter_mut().find(|o| o.name == "rate").unwrap();
    let floating = |o: &Object| {
        let found = o.references.iter().find(|r| matches!(r.target, Target::Floating { .. }));
        found.map(|r| r.at.clone())
    };
    let at = floating(rate).unwrap();
    assert!(!pin_library_query(rate, &at.child("beyond"), &record));
    assert!(pin_library_query(rate, &at, &record));
    assert!(!pin_library_query(rate, &at, &record), "it floats no longer");
    let pinned = rate.clone();

    let encoded = encode_back(&native, &decoded, &ids, "development");
    let files: Vec<InputFile> =
        encoded.files.into_iter().map(|file| InputFile { name: file.name, bytes: file.bytes }).collect();
    let app = files.iter().find(|file| file.name == "application.json").unwrap();
    let text = String::from_utf8(app.bytes.clone()).unwrap();
    assert!(text.contains(r#""libraryQueryRecordId":"65f000000000000000000021""#), "{text}");
    let again =
        read(&files, DEFAULT_LIMIT).unwrap().decode(&ids, &SlotRules::floor(), "development").unwrap();
    assert_eq!(*named(&again.objects, ObjectKind::Query, "rate"), pinned);
}

#[test]
fn bad_files_are_refused_and_the_place_is_named() {
    let mut seen = 0;
    for entry in fs::read_dir(samples().join("bad")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "json") {
            let expected = fs::read_to_string(path.with_extension("err")).unwrap();
            let error = match read(&[input(&path)], DEFAULT_LIMIT) {
                Ok(_) => panic!("{path:?} was read"),
                Err(error) => error.to_string(),
            };
            assert!(error.contains(expected.trim()), "{path:?}: {error}");
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(error.contains(name), "{error}");
            seen += 1;
        }
    }
    assert!(seen >= 12, "{seen}");
    let both =
        [input(&samples().join("tooljet/orders.json")), input(&samples().join("lowcoder/datasource.json"))];
    assert!(read(&both, DEFAULT_LIMIT).is_err_and(|e| e.to_string().contains("read it alone")));
}

/// Pointers to everything in a value that holds nothing else.
fn leaves(value: &Value, at: &Pointer, found: &mut Vec<Pointer>) {
    match value {
        Value::Object(members) if !members.is_empty() && content::parts(value).is_none() => {
            members.iter().for_each(|(key, member)| leaves(member, &at.child(key), found));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(index, item)| leaves(item, &at.child(index), found));
        }
        _ => found.push(at.clone()),
    }
}

/// What stands at a place of a file, read by nothing but the place.
fn standing(file: &InputFile, place: &InFile) -> Value {
    let mut rest = std::str::from_utf8(&file.bytes).unwrap();
    for _ in 1..place.line {
        rest = rest.split_once('\n').unwrap().1;
    }
    let (from, _) = rest.char_indices().nth(place.column - 1).unwrap();
    serde_json::Deserializer::from_str(&rest[from..]).into_iter().next().unwrap().unwrap()
}

#[test]
fn what_an_object_holds_is_found_where_the_file_has_it() {
    let tooljet = ["orders", "orders-changed", "orders-staging", "legacy", "v2"];
    let tooljet = tooljet.map(|name| vec![input(&samples().join(format!("tooljet/{name}.json")))]);
    let lowcoder = ["lowcoder", "lowcoder-staging", "lowcoder-ui"].map(folder);
    let (mut exact, mut secrets) = (0, 0);
    for (files, environment) in tooljet
        .into_iter()
        .chain(lowcoder)
        .flat_map(|files| ["development", "staging"].map(|e| (files.clone(), e)))
    {
        let native = read(&files, DEFAULT_LIMIT).unwrap();
        let places = native.places(environment);
        let ids = ids(&native);
        let decoded = native.decode(&ids, &SlotRules::floor(), environment).unwrap();
        let key = |id: &LogicalId| ids.iter().find(|(_, logical)| *logical == id).unwrap().0;
        for object in &decoded.objects {
            let mut wanted = Vec::new();
            leaves(&object.content, &Pointer::root(), &mut wanted);
            let asked: Vec<_> = wanted.iter().map(|at| (key(&object.id), at)).collect();
            for (at, place) in wanted.iter().zip(places.locate(&files, &asked)) {
                let place = place.unwrap();
                let (there, here) = (standing(&files[place.file], &place), at.get(&object.content).unwrap());
                let last = at.tokens().last().unwrap().as_str();
                // What only a content has, or has in an order of its own, leads to what is around it.
                let is_credential = content::parts(here).is_some() && there.get("credential_id").is_some();
                let is_layout = at.tokens()[0] == "layouts" && object.content["layouts"].is_array();
                if is_layout || last == "$page" || is_credential {
                    assert!(there.is_object() || there.is_array(), "{at} {place:?}");
                } else if *here == json!({}) || *here == json!([]) {
                    // What was in it are objects themselves.
                    assert_eq!((here.is_object(), here.is_array()), (there.is_object(), there.is_array()));
                } else if let Some(number) = there.get("$numberLong") {
                    assert_eq!(number.as_str().unwrap(), here.to_string());
                } else if !here.is_string() && content::parts(here).is_none() {
                    assert_eq!(normalised(&there), *here, "{} {at} {place:?}", object.id);
                    exact += 1;
                } else {
                    assert!(there.is_string(), "{} {at} {place:?} {there}", object.id);
                    let same = there == *here;
                    exact += usize::from(same);
                    assert!(
                        same || content::parts(here).is_some() || here.to_string().contains("logical"),
                        "{here} {there}"
                    );
                }
            }
        }
        for secret in decoded.secrets.iter().filter(|secret| secret.environment.is_none()) {
            let place = places.locate(&files, &[(key(&secret.object), &secret.at)]).remove(0).unwrap();
            let there = standing(&files[place.file], &place);
            assert!(there.to_string().contains(secret.value.expose()), "{} {place:?}", secret.at);
            secrets += 1;
        }
        assert_eq!(
            places.locate(
                &files,
                &[(&NativeKey::new(ObjectKind::Page, NativeId::new("no").unwrap()), &Pointer::root())]
            ),
            [None]
        );
    }
    assert!(exact > 2_000 && secrets > 10, "{exact} {secrets}");
}
