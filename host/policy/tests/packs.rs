//! Every pack of `policies/` against its own cases, in the configuration of production.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a case that is written wrongly should stop the test with its name"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sluice_model::verdict::Verdict;
use sluice_policy::{Pack, Policy, Sandbox};

fn sandbox() -> Sandbox {
    Sandbox::new(Arc::new(|| Duration::ZERO))
}

fn policies(sandbox: &Sandbox) -> Vec<(PathBuf, Arc<Policy>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut folders: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
        .into_iter()
        .map(|folder| {
            let pack = Pack::read(&folder).unwrap_or_else(|error| panic!("{error}"));
            (folder, sandbox.compile(pack).unwrap_or_else(|error| panic!("{error}")))
        })
        .collect()
}

#[test]
fn every_pack_meets_its_cases_and_gives_every_finding_it_declares() {
    let sandbox = sandbox();
    let policies = policies(&sandbox);
    assert!(policies.len() >= 4, "all packs are there");
    for (folder, policy) in policies {
        let manifest = policy.pack().manifest();
        let name = &manifest.name;
        assert_eq!(
            folder.file_name().unwrap().to_str(),
            Some(name.as_str()),
            "a pack is named as its folder"
        );
        let suites = policy.pack().suites().unwrap_or_else(|error| panic!("{error}"));
        assert!(!suites.is_empty(), "{name} has no cases");
        let mut given = BTreeSet::new();
        for (file, suite) in &suites {
            for case in &suite.cases {
                let played = sandbox.play(&policy, suite, case);
                assert_eq!(played.problem, None, "{name}/{file}: {}", case.name);
                given.extend(played.report.unwrap().findings.into_iter().map(|finding| finding.code));
            }
        }
        let untested: Vec<_> = manifest.findings.keys().filter(|code| !given.contains(*code)).collect();
        assert!(untested.is_empty(), "{name}: no case gives {untested:?}");
    }
}

#[test]
fn doing_what_each_refusing_finding_says_makes_the_gate_pass() {
    let sandbox = sandbox();
    for (_, policy) in policies(&sandbox) {
        let manifest = policy.pack().manifest();
        let (mut refusing, mut mended) = (BTreeSet::new(), BTreeSet::new());
        for (_, suite) in policy.pack().suites().unwrap() {
            for case in &suite.cases {
                let played = sandbox.play(&policy, &suite, case);
                let findings = played.report.unwrap().findings;
                let refusals = findings.iter().filter(|finding| {
                    matches!(finding.verdict, Verdict::Deny | Verdict::Undecided)
                        && manifest.findings.contains_key(&finding.code)
                });
                for finding in refusals {
                    assert!(finding.fix.is_some() && finding.who.is_some(), "{}: {finding:?}", manifest.name);
                    refusing.insert(finding.code.clone());
                    if played.is_fixed {
                        mended.insert(finding.code.clone());
                    }
                }
            }
        }
        let unmended: Vec<_> = refusing.difference(&mended).collect();
        assert!(unmended.is_empty(), "{}: no case performs the fix of {unmended:?}", manifest.name);
    }
}
