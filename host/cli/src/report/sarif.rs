//! SARIF 2.1.0, OASIS standard of 27 March 2020: §3.13 log, §3.14 run, §3.27 result.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Told;

pub(super) fn write(told: &[Told<'_>]) -> String {
    serde_json::to_string_pretty(&log(told)).unwrap_or_default() + "\n"
}

fn log(told: &[Told<'_>]) -> Value {
    let mut codes: Vec<&str> = told.iter().map(|told| told.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules: Vec<Value> = codes.iter().map(|code| json!({ "id": code })).collect();
    let results: Vec<Value> = told.iter().map(result).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "sluice",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(told: &Told<'_>) -> Value {
    let (file, line, column) = told.spot();
    let mut region = json!({ "startLine": line });
    if let (Some(column), Some(region)) = (column, region.as_object_mut()) {
        region.insert("startColumn".to_owned(), json!(column));
    }
    // GitHub refuses a file in which a result has no physical location.
    let physical = json!({ "artifactLocation": { "uri": uri(file) }, "region": region });
    let logical = told.place.iter().map(|place| json!({ "fullyQualifiedName": place, "kind": "object" }));
    let in_file = told.in_file.iter().map(|at| json!({ "fullyQualifiedName": at.at, "kind": "value" }));
    let logical: Vec<Value> = logical.chain(in_file).collect();
    let mut location = json!({ "physicalLocation": physical });
    if let (false, Some(location)) = (logical.is_empty(), location.as_object_mut()) {
        location.insert("logicalLocations".to_owned(), Value::Array(logical));
    }
    let mut result = json!({
        "ruleId": told.code,
        "level": told.weight.as_str(),
        "message": { "text": told.in_full() },
        "locations": [location],
        "properties": { "gate": told.gate },
    });
    if let (true, Some(result)) = (told.in_file.is_some() && told.is_of_gate, result.as_object_mut()) {
        let (file, line) = &told.file;
        let policy = json!({
            "message": { "text": "the policy's line" },
            "physicalLocation": { "artifactLocation": { "uri": uri(file) }, "region": { "startLine": line } },
        });
        result.insert("relatedLocations".to_owned(), json!([policy]));
    }
    result
}

/// A path as a relative reference (RFC 3986 §4.2).
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}
