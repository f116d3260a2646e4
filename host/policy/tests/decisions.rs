//! Decisions that were stored replay to the same bytes, and old policies keep their meaning.
//!
//! What they are compared with was made once, and no flag makes it again: see `tests/decisions`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what is read wrongly should stop the test with its file"
)]

mod acme;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use sluice_model::verdict::{Outcome, Verdict};
use sluice_policy::trace::trace;
use sluice_policy::{Decision, Gate, Pack, ReadyFacts, Sandbox, reference};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/decisions").join(name)
}

/// What lies in a folder, in order.
fn within(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn stored_decisions_replay_byte_for_byte() {
    let sandbox = Sandbox::new(acme::still());
    let packs: BTreeMap<_, _> = within(&folder("packs"))
        .into_iter()
        .map(|path| {
            let pack = Pack::from_blob(&path.display().to_string(), &fs::read(&path).unwrap()).unwrap();
            let digest = pack.digest();
            assert_eq!(pack.blob().unwrap(), fs::read(&path).unwrap(), "{}", path.display());
            (digest, sandbox.compile(pack).unwrap_or_else(|error| panic!("{error}")))
        })
        .collect();
    let mut outcomes = BTreeSet::new();
    let mut by_pack: BTreeMap<String, BTreeSet<Verdict>> = BTreeMap::new();
    let stored: Vec<_> = within(&folder(""))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    for path in &stored {
        let bytes = fs::read(path).unwrap();
        let decision: Decision = serde_json::from_slice(&bytes).unwrap();
        let again = sandbox.replay(&decision.input, |digest| packs.get(digest).cloned());
        let again = again.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(again.replayable, "{}", path.display());
        let again = again.decision.canonical().unwrap();
        assert!(
            again == bytes,
            "{} comes out otherwise:\n{}\nwas\n{}",
            path.display(),
            String::from_utf8_lossy(&again),
            String::from_utf8_lossy(&bytes)
        );
        outcomes.insert(decision.outcome);
        for gate in &decision.gates {
            by_pack.entry(gate.policy.clone()).or_default().insert(gate.verdict);
        }
    }
    assert!(stored.len() >= 25, "none was taken away");
    assert_eq!(outcomes.len(), 4, "{outcomes:?}");
    assert!(outcomes.contains(&Outcome::Fault));
    for pack in within(&folder("../../policies")) {
        let name = pack.file_name().unwrap().to_str().unwrap();
        let verdicts = &by_pack[name];
        assert!(verdicts.contains(&Verdict::Pass) && verdicts.contains(&Verdict::Undecided), "{name}");
    }
}

/// The policies that are kept, each with its folder and the facts that it is asked with: its own, or
/// those of all.
fn old_policies(sandbox: &Sandbox) -> Vec<(PathBuf, Gate, Arc<ReadyFacts>)> {
    let folders = within(&folder("policies")).into_iter().filter(|path| path.is_dir());
    let old = folders.map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let file = |file: &str| (file.to_owned(), fs::read(path.join(file)).unwrap());
        let files = ["policy.toml", "policy.rhai", "README.md"].map(file);
        let pack = Pack::new(name, files.into_iter().collect()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(pack.manifest().api, 1);
        let gate = acme::gate(sandbox, pack, name, BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"));
        let own = path.join("facts.json");
        let facts = if own.is_file() { own } else { folder("policies/facts.json") };
        let facts: Value = serde_json::from_slice(&fs::read(facts).unwrap()).unwrap();
        (path, gate, acme::ready(facts))
    });
    old.collect()
}

#[test]
fn old_policies_keep_their_meaning() {
    let sandbox = Sandbox::new(acme::still());
    let old = old_policies(&sandbox);
    assert!(old.len() >= 13, "none was taken away");
    for (path, gate, ready) in old {
        let report = serde_json::to_string_pretty(&sandbox.evaluate(&gate, &ready).report).unwrap();
        let expected = fs::read_to_string(path.join("report.json")).unwrap();
        assert_eq!(report.trim_end(), expected.trim_end(), "{}", path.display());
    }
}

/// Who gives the API a new name writes one more policy that reads it, and keeps what that says.
#[test]
fn every_name_of_the_api_stands_in_a_policy_that_is_kept() {
    let sandbox = Sandbox::new(acme::still());
    let (mut read, mut sources) = (BTreeSet::new(), String::new());
    for (path, gate, ready) in old_policies(&sandbox) {
        read.extend(trace(acme::still(), &gate, &ready).unwrap().1.read);
        sources.push_str(&fs::read_to_string(path.join("policy.rhai")).unwrap());
    }
    let unread: Vec<_> = sandbox.citable().iter().filter(|name| !read.contains(*name)).collect();
    let functions = reference().into_iter().filter(|documented| documented.of == "function");
    let is_called = |name: &str| {
        let call = format!("{name}(");
        let mut before = sources.match_indices(&call).map(|(at, _)| sources[..at].chars().next_back());
        before.any(|before| !before.is_some_and(|letter| letter.is_ascii_alphanumeric() || letter == '_'))
    };
    let uncalled: Vec<_> = functions.map(|function| function.name).filter(|name| !is_called(name)).collect();
    assert!(
        unread.is_empty() && uncalled.is_empty(),
        "no policy that is kept reads {unread:?} or calls {uncalled:?}"
    );
}
