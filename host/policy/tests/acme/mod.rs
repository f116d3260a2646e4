//! The workspace `acme`, as tests of the whole crate see it.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_model::verdict::Level;
use sluice_policy::sandbox::FACTS;
use sluice_policy::{Facts, Gate, GateSpec, Pack, PackError, ReadyFacts, Sandbox, Selector, Stopwatch};

/// A clock that stands still, where nothing hangs on time.
pub(crate) fn still() -> Stopwatch {
    Arc::new(|| Duration::ZERO)
}

/// Facts with one of everything, as JSON.
pub(crate) fn facts() -> Value {
    serde_json::from_str(include_str!("facts.json")).unwrap()
}

/// Facts with so many changes of a few kinds.
pub(crate) fn facts_with_changes(count: usize) -> Value {
    let kinds = ["query", "component", "page", "event", "data-source"];
    let action = |n: usize| match n {
        _ if n % 1_000 == 7 => "delete",
        _ if n.is_multiple_of(3) => "create",
        _ => "update",
    };
    let mut facts = facts();
    facts["plan"]["changes"] = (0..count)
        .map(|n| {
            json!({
                "object": format!("object-{n}"), "kind": kinds[n % kinds.len()],
                "name": format!("name {n}"), "action": action(n),
            })
        })
        .collect();
    facts
}

pub(crate) fn ready(facts: Value) -> Arc<ReadyFacts> {
    let facts: Facts = serde_json::from_value(facts).unwrap();
    ReadyFacts::new(facts).unwrap()
}

/// A pack around a script: all facts, the findings `t.ok` and `t.no`, the parameters `limit` and
/// `allowed`.
pub(crate) fn pack(source: &str) -> Result<Pack, PackError> {
    pack_with(source, &[])
}

/// The same with modules.
pub(crate) fn pack_with(source: &str, modules: &[(&str, &str)]) -> Result<Pack, PackError> {
    asking(&FACTS, source, modules)
}

/// A pack that needs these facts only.
pub(crate) fn asking(facts: &[&str], source: &str, modules: &[(&str, &str)]) -> Result<Pack, PackError> {
    let facts: Vec<String> = facts.iter().map(|fact| format!("{fact:?}")).collect();
    let manifest = include_str!("policy.toml").replace("@FACTS@", &facts.join(", "));
    let files = [("policy.toml", manifest.as_str()), ("policy.rhai", source), ("README.md", "t")];
    let files = files.iter().chain(modules);
    Pack::new("t", files.map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect())
}

/// A rule of `tests/rules`, with the facts that it needs.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) facts: &'static [&'static str],
    pub(crate) source: &'static str,
}

macro_rules! rules {
    ($($name:literal: $($fact:literal)+;)+) => {
        /// Small rules, each of the kind that a pack is made of.
        pub(crate) const RULES: &[Rule] = &[$(Rule {
            name: $name,
            facts: &[$($fact),+],
            source: include_str!(concat!("../rules/", $name, ".rhai")),
        }),+];
    };
}

rules! {
    "deletions": "plan";
    "sources-kept": "plan";
    "encrypted": "plan";
    "tested": "evidence" "transition";
    "four-eyes": "approvals";
    "open-now": "calendars";
    "credentials": "plan";
    "usual": "plan" "transition" "history";
    "certified": "plugins";
    "clean": "plan" "transition" "scan";
    "next-step": "transition";
}

impl Rule {
    pub(crate) fn pack(&self) -> Pack {
        asking(self.facts, self.source, &[]).unwrap()
    }
}

/// A hard gate around a pack.
pub(crate) fn gate(
    sandbox: &Sandbox,
    pack: Pack,
    name: &str,
    parameters: BTreeMap<String, Value>,
) -> Result<Gate, PackError> {
    let spec = GateSpec {
        name: name.to_owned(),
        pack: pack.digest(),
        level: Level::Hard,
        waivable: false,
        parameters,
        selector: Selector::default(),
    };
    Ok(Gate::new(spec, &sandbox.compile(pack)?).unwrap())
}
