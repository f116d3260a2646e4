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

use sluice_model::verdict::{Level, Verdict};
use sluice_policy::{Gate, GateSpec, Pack, Policy, Sandbox, Selector};

fn sandbox() -> Sandbox {
    Sandbox::new(Arc::new(|| Duration::ZERO))
}

fn folders() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut folders: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

fn policies(sandbox: &Sandbox) -> Vec<(PathBuf, Arc<Policy>)> {
    folders()
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
    assert_eq!(policies.len(), 7, "all packs are there");
    let mut problems = Vec::new();
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
                problems
                    .extend(played.problem.map(|problem| format!("{name}/{file}: {}: {problem}", case.name)));
                given.extend(
                    played.report.into_iter().flat_map(|report| report.findings).map(|finding| finding.code),
                );
            }
        }
        let untested: Vec<_> = manifest.findings.keys().filter(|code| !given.contains(*code)).collect();
        assert!(untested.is_empty(), "{name}: no case gives {untested:?}");
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn doing_what_each_refusing_finding_says_makes_the_gate_pass() {
    let sandbox = sandbox();
    let mut unmended = Vec::new();
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
        unmended.extend(refusing.difference(&mended).map(|code| format!("{}: {code}", manifest.name)));
    }
    assert!(unmended.is_empty(), "no case performs the fix of {unmended:?}");
}

#[test]
fn cases_run_every_line_and_take_every_branch_of_every_pack() {
    let mut open = Vec::new();
    for folder in folders() {
        // A sandbox that watches serves one policy.
        let sandbox = Sandbox::watching(Arc::new(|| Duration::ZERO));
        let policy = sandbox.compile(Pack::read(&folder).unwrap()).unwrap();
        for suite in policy.pack().suites().unwrap().values() {
            for case in &suite.cases {
                drop(sandbox.play(&policy, suite, case));
            }
        }
        let coverage = sandbox.coverage(&policy).unwrap();
        let name = &policy.pack().manifest().name;
        for (file, of) in &coverage.files {
            open.extend(
                of.lines.iter().filter(|(_, ran)| !**ran).map(|(line, _)| format!("{name}/{file}:{line}")),
            );
            let branches = of.branches.iter().filter(|branch| !branch.taken);
            open.extend(
                branches.map(|b| format!("{name}/{file}:{}:{} {}", b.line, b.column, b.way.as_str())),
            );
        }
    }
    assert!(open.is_empty(), "no case goes to {open:#?}");
}

#[test]
fn every_pack_is_clean_by_all_lint_rules() {
    let mut all = Vec::new();
    for (_, policy) in policies(&sandbox()) {
        let name = &policy.pack().manifest().name;
        let lints = sluice_policy::lint::lint(&policy).unwrap().into_iter();
        all.extend(lints.map(|lint| (name.clone(), lint)));
    }
    assert!(all.is_empty(), "{all:#?}");
}

/// `SLUICE_UPDATE=1` writes the pages.
#[test]
fn every_packs_page_is_made_from_it() {
    for (folder, policy) in policies(&sandbox()) {
        let page = sluice_policy::page::page(&policy);
        let file = folder.join("README.md");
        if std::env::var_os("SLUICE_UPDATE").is_some() {
            std::fs::write(&file, &page).unwrap();
        }
        let there = std::fs::read_to_string(&file).unwrap();
        assert!(there == page, "{}: is not what the pack says: run with SLUICE_UPDATE=1", file.display());
    }
}

#[test]
fn every_pack_says_what_it_does_what_it_serves_and_how_it_is_attached() {
    for (_, policy) in policies(&sandbox()) {
        let manifest = policy.pack().manifest();
        let name = &manifest.name;
        assert!(!manifest.about.is_empty() && !manifest.links.is_empty(), "{name}");
        let example: toml::Value = toml::from_str(&manifest.example).unwrap();
        let gate = &example["transition"][0]["gate"][0];
        assert_eq!(gate["policy"].as_str(), Some(name.as_str()));
        let parameters = gate["parameters"].clone().try_into().unwrap();
        let spec = GateSpec {
            name: name.clone(),
            pack: policy.pack().digest(),
            level: gate["level"].clone().try_into::<Level>().unwrap(),
            waivable: false,
            parameters,
            selector: Selector::default(),
        };
        assert!(Gate::new(spec, &policy).is_ok(), "{name}: its example's parameters do not fit");
    }
}
