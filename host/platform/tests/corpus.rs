//! Real exports: counts, identity of decode and encode, and no secret left.

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

use serde_json::Value;
use shared::{decode, encode_back, explain, ids, input, normalised};
use sluice_platform::{DEFAULT_LIMIT, InputFile, ReadError, read};

fn corpus() -> Option<PathBuf> {
    let set = std::env::var_os("SLUICE_CORPUS").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let found = set.into_iter().chain([beside]).find(|path| path.join("expected.tsv").is_file());
    if found.is_none() {
        println!("SKIPPED: there are no real exports; set SLUICE_CORPUS to a folder that holds expected.tsv");
    }
    found
}

fn files(corpus: &Path, platform: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(corpus.join(platform))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension().is_some_and(|e| e == "json")
                && path.file_name() != Some("option-schema.json".as_ref())
        })
        .collect();
    files.sort();
    files
}

/// The rows of `expected.tsv` that are about ToolJet: by file, each column's text.
fn expected(corpus: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let text = fs::read_to_string(corpus.join("expected.tsv")).unwrap();
    let mut lines = text.lines().skip_while(|line| *line != "# ToolJet").skip(1);
    let head: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let rows = lines.take_while(|line| !line.starts_with('#'));
    rows.map(|row| {
        let cells: BTreeMap<String, String> = head
            .iter()
            .zip(row.split('\t'))
            .map(|(name, cell)| ((*name).to_owned(), cell.to_owned()))
            .collect();
        (cells["file"].clone(), cells)
    })
    .collect()
}

/// A column of an inspection as the table writes it.
fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) if !members.is_empty() => {
            members.iter().map(|(k, v)| format!("{k}:{v}")).collect::<Vec<_>>().join(" ")
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().map(|item| item.as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        }
        Value::Object(_) | Value::Array(_) => "-".to_owned(),
        other => other.to_string(),
    }
}

#[test]
fn inspect_finds_what_is_expected() {
    let Some(corpus) = corpus() else { return };
    let expected = expected(&corpus);
    assert!(!expected.is_empty());
    for (file, columns) in expected {
        let native = read(&[input(&corpus.join(&file))], DEFAULT_LIMIT).unwrap();
        let inspection = serde_json::to_value(native.inspect().unwrap()).unwrap();
        for (column, wanted) in columns.iter().filter(|(column, _)| *column != "file") {
            assert_eq!(cell(&inspection[column]), *wanted, "{file}: {column}");
        }
        println!(
            "{file}: {} {}",
            inspection["references"],
            inspection["unresolved"].as_array().unwrap().len()
        );
    }
}

#[test]
fn decode_then_encode_is_the_identity_but_for_secrets_and_orphans() {
    let Some(corpus) = corpus() else { return };
    for path in files(&corpus, "tooljet") {
        let file = input(&path);
        let original: Value = serde_json::from_slice(&file.bytes).unwrap();
        let native = read(std::slice::from_ref(&file), DEFAULT_LIMIT).unwrap();
        let ids = ids(&native);
        let decoded = native.clone().decode(&ids, &Default::default(), "development").unwrap();
        let encoded = encode_back(&native, &decoded, &ids, "development");
        let [written] = encoded.files.as_slice() else { panic!("{path:?}") };
        let actual: Value = serde_json::from_slice(&written.bytes).unwrap();
        let taken: BTreeSet<&str> = decoded.secrets.iter().map(|s| s.value.expose()).collect();
        explain(&normalised(&original), &actual, &taken, &path.display().to_string());
        assert!(encoded.made.is_empty(), "{:?}", encoded.made);
        for secret in &decoded.secrets {
            println!("{}: {} at {} in {:?}", path.display(), secret.what, secret.at, secret.environment);
        }
        println!("{}: {} objects, {} withheld", path.display(), decoded.objects.len(), decoded.withheld);
    }
}

#[test]
fn no_secret_and_no_native_id_is_left() {
    let Some(corpus) = corpus() else { return };
    for path in files(&corpus, "tooljet") {
        let file = input(&path);
        let text = String::from_utf8(file.bytes.clone()).unwrap();
        let native = read(&[file], DEFAULT_LIMIT).unwrap();
        let (ids, decoded) = decode(&native, "development");
        let objects = serde_json::to_string(&decoded.objects).unwrap();
        let proposals: String = decoded.proposals.iter().map(|p| p.options.to_string()).collect();
        let rest = decoded.rest.to_string();
        let mut credentials = BTreeSet::new();
        for piece in text.split("\"credential_id\"").skip(1) {
            credentials.extend(piece.split('"').nth(1).map(str::to_owned));
        }
        for out in [&objects, &proposals, &rest] {
            assert!(!out.contains("credential_id"), "{path:?}");
            for id in &credentials {
                assert!(!out.contains(id.as_str()), "{path:?}: {id}");
            }
            for secret in &decoded.secrets {
                assert!(!out.contains(secret.value.expose()), "{path:?}: {}", secret.at);
            }
        }
        for key in ids.keys() {
            let token = key.id.as_str().rsplit('/').next().unwrap();
            assert!(!objects.contains(token), "{path:?}: {key}");
        }
        for id in decoded.place.own.iter().chain(decoded.place.environments.keys()) {
            assert!(!objects.contains(id.as_str()), "{path:?}: {id}");
        }
    }
}

#[test]
fn lowcoder_files_are_read_or_refused_by_name() {
    let Some(corpus) = corpus() else { return };
    for path in files(&corpus, "lowcoder") {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let file = input(&path);
        let document: Value = serde_json::from_slice(&file.bytes).unwrap();
        // Fixtures wrap a collection's records in a list of their own; `mongoexport` does not.
        let records = document["data"].as_array();
        let record_file = match (&records, name.as_str()) {
            (Some(records), _) => {
                InputFile { name: name.clone(), bytes: serde_json::to_vec(records).unwrap() }
            }
            (None, "CompoundApplicationDslFilterTest.json") => {
                let record = serde_json::json!({
                    "_id": {"$oid": "65b3f6635ad33e16b574aef3"}, "name": "nav", "applicationType": 3,
                    "editingApplicationDSL": document,
                });
                InputFile { name: name.clone(), bytes: serde_json::to_vec(&record).unwrap() }
            }
            _ => file.clone(),
        };
        match (name.as_str(), read(std::slice::from_ref(&record_file), DEFAULT_LIMIT)) {
            ("DatasourceControllerTest.json" | "mongo-fixture-bundle.json", result) => {
                assert!(matches!(result, Err(ReadError::Unknown { .. })), "{name}");
            }
            (_, Err(error)) => panic!("{name}: {error}"),
            (_, Ok(native)) => {
                let (ids, decoded) = decode(&native, "development");
                let encoded = encode_back(&native, &decoded, &ids, "development");
                let actual: Value = serde_json::from_slice(&encoded.files[0].bytes).unwrap();
                let expected: Value = serde_json::from_slice(&record_file.bytes).unwrap();
                assert_eq!(normalised(&expected), actual, "{name}");
                let inspection = native.inspect().unwrap();
                println!("{name}: {:?}", inspection.references);
                if name.starts_with("Compound") {
                    assert!(inspection.references.dangling >= 5, "its items lead to apps that are elsewhere");
                }
            }
        }
    }
}

#[test]
fn other_platforms_are_refused_by_name() {
    let Some(corpus) = corpus() else { return };
    for path in files(&corpus, "appsmith") {
        match read(&[input(&path)], DEFAULT_LIMIT) {
            Err(ReadError::OtherPlatform { platform: "Appsmith", .. }) => {}
            Err(other) => panic!("{path:?}: {other}"),
            Ok(_) => panic!("{path:?} was read"),
        }
    }
}
