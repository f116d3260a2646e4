//! Facts and policies that tests share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_model::verdict::Level;

use crate::facts::{Facts, ReadyFacts};
use crate::gate::{Gate, GateReport, GateSpec, Selector};
use crate::pack::{Pack, PackError};
use crate::sandbox::{FACTS, Sandbox, Stopwatch};

/// A clock that stands still, so that no test depends on the machine's speed.
pub(crate) fn still() -> Stopwatch {
    Arc::new(|| Duration::ZERO)
}

pub(crate) fn digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

/// Facts with one of everything.
pub(crate) fn facts() -> Value {
    json!({
        "now": "2026-06-03T10:00:00Z",
        "last_entry": "2026-06-03T09:59:00Z",
        "workspace": {"name": "acme"},
        "transition": {
            "kind": "promotion",
            "from": {"name": "development", "order": 0, "owners": ["ann"]},
            "to": {"name": "staging", "order": 1, "owners": ["ben"], "holds_production_data": true},
        },
        "app": {"id": "app-1", "name": "orders", "platform": "tooljet", "labels": ["payments"]},
        "plan": {
            "digest": digest('a'), "bundle": digest('b'), "version": "7", "baseline": digest('c'),
            "authors": ["ann"], "unchanged": 3, "bytes": 3_000, "cut_at": "2026-06-02T09:00:00Z",
            "signer": "ann",
            "credentials": [{
                "source": "source-1", "slot": "password", "reference": "secret://staging/orders-db",
                "set_at": "2026-05-04T10:00:00Z", "shared_with": ["production"],
            }],
            "changes": [
                {"object": "query-1", "kind": "query", "name": "list", "action": "update"},
                {"object": "page-1", "kind": "page", "name": "home", "action": "create"},
            ],
            "sources": [{
                "id": "source-1", "name": "orders-db", "kind": "tooljet/postgresql", "plugin": digest('e'),
                "owned_by_target": ["/host"], "endpoints": ["db.staging.example:5432"], "tls": true,
                "missing_slots": [],
            }],
            "still_pointing_at_source": [],
        },
        "scan": {"scanner": "1", "secrets": [], "personal_data": []},
        "evidence": [
            {
                "id": digest('1'), "predicate_type": crate::facts::TESTS_PREDICATE, "bundle": digest('b'),
                "environment": "development", "claimed_at": "2026-06-02T10:00:00Z",
                "received_at": "2026-06-02T11:00:00Z", "issuer": {"key": "key-ci", "name": "ci"},
                "payload": {"tests": {"suite": "unit", "executed": 12, "failed": 0, "errors": 0, "skipped": 0}},
            },
            {
                "id": digest('2'), "predicate_type": crate::facts::MASKING_PREDICATE,
                "environment": "staging", "claimed_at": "2026-06-01T10:00:00Z",
                "received_at": "2026-06-01T11:00:00Z", "issuer": {"key": "key-dba", "name": "ben"},
                "payload": {"masking": {"source": "source-1", "method": "synthetic"}},
            },
        ],
        "approvals": [
            {"person": "ben", "roles": ["qa", "ops"], "plan": digest('a'), "at": "2026-06-03T09:00:00Z"},
            {"person": "cleo", "roles": ["ops"], "plan": digest('a'), "at": "2026-06-03T09:30:00Z"},
        ],
        "waivers": [{
            "code": "window.closed", "is_for_bundle": false, "by": "ann", "cosigned": "ben",
            "reason": "a hot fix", "ticket": "CHG-7", "at": "2026-06-03T09:00:00Z",
            "expires": "2026-06-04T09:00:00Z",
        }],
        "history": [
            {
                "kind": "promotion", "environment": "staging", "at": "2026-05-01T10:30:00Z", "version": "5",
                "bundle": digest('7'), "by": "ann", "outcome": "done", "objects": 2, "bytes": 1_000,
            },
            {
                "kind": "promotion", "environment": "production", "at": "2026-05-08T10:10:00Z",
                "version": "5", "bundle": digest('7'), "by": "ben", "outcome": "rolled-back", "objects": 4,
                "bytes": 2_000,
            },
            {
                "kind": "promotion", "environment": "staging", "at": "2026-05-15T22:10:00Z", "version": "6",
                "bundle": digest('8'), "by": "ann", "outcome": "done", "objects": 9, "bytes": 9_000,
            },
        ],
        "plugins": [{
            "digest": digest('e'), "name": "sql", "version": "0.1.0", "publisher": "ben",
            "certified_by": "cleo", "certified_until": "2026-12-01T00:00:00Z",
            "validated_at": "2026-05-01T00:00:00Z", "conforms": true,
        }],
        "environments": [
            {"name": "development", "order": 0, "owners": ["ann"]},
            {"name": "staging", "order": 1, "owners": ["ben"], "holds_production_data": true},
            {"name": "production", "order": 2, "owners": ["cleo"]},
        ],
        "people": [
            {"name": "ann", "roles": ["builder"]},
            {"name": "ben", "roles": ["qa", "ops"]},
            {"name": "cleo", "roles": ["ops"]},
        ],
        "calendars": [{
            "name": "releases",
            "windows": {
                "known": {"from": "2026-06-01T00:00:00Z", "until": "2026-07-01T00:00:00Z"},
                "open": [{"from": "2026-06-03T08:00:00Z", "until": "2026-06-03T16:00:00Z"}],
                "frozen": [],
            },
        }],
        "time_zones": "2026a",
    })
}

pub(crate) fn ready(facts: Value) -> Arc<ReadyFacts> {
    let facts: Facts = serde_json::from_value(facts).unwrap();
    ReadyFacts::new(facts).unwrap()
}

/// A pack around a script, with all facts, two codes and a parameter.
pub(crate) fn pack(source: &str) -> Result<Pack, PackError> {
    pack_with(source, &[])
}

/// The same with more files.
pub(crate) fn pack_with(source: &str, more: &[(&str, &str)]) -> Result<Pack, PackError> {
    let manifest = format!(
        "name = \"t\"\nversion = \"1\"\ntitle = \"t\"\napi = 1\nfacts = {FACTS:?}\n\
         [parameters.limit]\ntype = \"integer\"\nminimum = 0\ndefault = 5\ndescription = \"a limit\"\n\
         [findings.\"t.ok\"]\ndoc = \"fine\"\n[findings.\"t.no\"]\ndoc = \"not fine\"\nfix = \"mend it\"\nwho = \"you\"\n\
         [findings.\"t.leak\"]\ndoc = \"a leak\"\ninviolable = true\n"
    );
    let files = [("policy.toml", manifest.as_str()), ("policy.rhai", source), ("README.md", "t")];
    Pack::new(
        "policies/t",
        files
            .into_iter()
            .chain(more.iter().copied())
            .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
            .collect(),
    )
}

pub(crate) fn spec(name: &str, pack: &Pack) -> GateSpec {
    GateSpec {
        name: name.to_owned(),
        pack: pack.digest(),
        level: Level::Hard,
        waivable: false,
        parameters: BTreeMap::new(),
        selector: Selector::default(),
    }
}

/// A hard gate around a script.
pub(crate) fn gate(sandbox: &Sandbox, name: &str, source: &str) -> Result<Gate, PackError> {
    gate_of(sandbox, name, pack(source)?)
}

/// A hard gate around a pack.
pub(crate) fn gate_of(sandbox: &Sandbox, name: &str, pack: Pack) -> Result<Gate, PackError> {
    let spec = spec(name, &pack);
    Ok(Gate::new(spec, &sandbox.compile(pack)?).unwrap())
}

/// What a script says of the sample facts.
pub(crate) fn report(source: &str) -> GateReport {
    let sandbox = Sandbox::new(still());
    let gate = gate(&sandbox, "g", source).unwrap_or_else(|error| panic!("{source}: {error}"));
    sandbox.evaluate(&gate, &ready(facts())).report
}

/// Why a script is not loaded.
pub(crate) fn refusal(source: &str) -> String {
    let sandbox = Sandbox::new(still());
    match gate(&sandbox, "g", source) {
        Ok(_) => panic!("{source}: is loaded"),
        Err(error) => error.to_string(),
    }
}
