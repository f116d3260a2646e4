//! Every pack of `policies/` against its own cases, in the configuration of production.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a case that is written wrongly should stop the test with its name"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use sluice_model::Pointer;
use sluice_model::verdict::{Level, Verdict};
use sluice_policy::{Facts, Gate, GateSpec, Pack, ReadyFacts, Sandbox, Selector};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    facts: Value,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    verdict: Verdict,
    codes: BTreeSet<String>,
    /// Something that a finding's message, fix or values must say.
    says: Option<String>,
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    #[serde(default)]
    set: Vec<Set>,
    #[serde(default)]
    remove: Vec<Pointer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    at: Pointer,
    to: Value,
}

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")
}

fn changed(facts: &Value, case: &Case) -> Value {
    let mut facts = facts.clone();
    let tokens = |pointer: &Pointer| (pointer.parent().unwrap(), pointer.tokens().last().unwrap().clone());
    for Set { at, to } in &case.set {
        let (parent, member) = tokens(at);
        match parent.get_mut(&mut facts).unwrap_or_else(|| panic!("{}: nothing at {at}", case.name)) {
            Value::Object(members) => drop(members.insert(member, to.clone())),
            Value::Array(items) => items[member.parse::<usize>().unwrap()] = to.clone(),
            _ => panic!("{}: nothing at {at}", case.name),
        }
    }
    for at in &case.remove {
        let (parent, member) = tokens(at);
        let removed = parent.get_mut(&mut facts).and_then(|value| value.as_object_mut()?.remove(&member));
        assert!(removed.is_some(), "{}: nothing at {at}", case.name);
    }
    facts
}

#[test]
fn every_pack_meets_its_cases_and_gives_every_finding_it_declares() {
    let sandbox = Sandbox::new(Arc::new(|| Duration::ZERO));
    let mut packs = 0;
    for folder in std::fs::read_dir(policies()).unwrap() {
        let folder = folder.unwrap().path();
        let pack = Pack::read(&folder).unwrap_or_else(|error| panic!("{error}"));
        let name = pack.manifest().name.clone();
        assert_eq!(
            folder.file_name().unwrap().to_str(),
            Some(name.as_str()),
            "a pack is named as its folder"
        );
        let digest = pack.digest();
        let tests: Vec<String> = pack
            .files()
            .iter()
            .filter(|(file, _)| file.starts_with("tests/"))
            .map(|(_, text)| text.clone())
            .collect();
        assert!(!tests.is_empty(), "{name} has no tests");
        let policy = sandbox.compile(pack).unwrap_or_else(|error| panic!("{error}"));
        let mut given = BTreeSet::new();
        for text in tests {
            let cases: Cases = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            for case in &cases.case {
                let facts: Facts = serde_json::from_value(changed(&cases.facts, case))
                    .unwrap_or_else(|error| panic!("{name}: {}: {error}", case.name));
                let spec = GateSpec {
                    name: name.clone(),
                    pack: digest,
                    level: Level::Hard,
                    waivable: false,
                    parameters: case.parameters.clone(),
                    selector: Selector::default(),
                };
                let gate =
                    Gate::new(spec, &policy).unwrap_or_else(|error| panic!("{name}: {}: {error}", case.name));
                let report = sandbox.evaluate(&gate, &ReadyFacts::new(facts).unwrap()).report;
                let codes: BTreeSet<String> =
                    report.findings.iter().map(|finding| finding.code.clone()).collect();
                let told = serde_json::to_string(&report.findings).unwrap();
                assert_eq!(
                    (report.verdict, &codes),
                    (case.verdict, &case.codes),
                    "{name}: {}: {told}",
                    case.name
                );
                if let Some(says) = &case.says {
                    assert!(told.contains(says), "{name}: {}: {told} does not say {says}", case.name);
                }
                given.extend(codes);
            }
        }
        let declared: BTreeSet<_> = policy.pack().manifest().findings.keys().cloned().collect();
        let untested: Vec<_> = declared.difference(&given).collect();
        assert!(untested.is_empty(), "{name}: no case gives {untested:?}");
        packs += 1;
    }
    assert_eq!(packs, 4, "all packs are there");
}
