//! Decisions made again, and judgements away from the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sluice_engine::Error;
use sluice_engine::bare::{judge_export, judge_input};
use sluice_engine::decisions::{List, Replayed, Replays};
use sluice_engine::lock::LOCK_FILE;
use sluice_engine::plan::Plan;
use sluice_engine::workspace::{CONFIG_FILE, POLICIES};
use sluice_model::verdict::{Outcome, Verdict};
use sluice_platform::InputFile;
use sluice_plugin::{CodeCache, Host, Limits};
use sluice_policy::what_if::Change;
use sluice_policy::{Decision, Input, Pack, Sandbox};

use crate::stage::{Stage, copy_folder, environment, sample};

fn sandbox() -> Sandbox {
    Sandbox::new(Arc::new(|| Duration::ZERO))
}

/// What a checkout holds: the configuration, packs and plugins, and neither store nor keys.
fn checkout(stage: &Stage) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in [POLICIES, "plugins"] {
        std::fs::create_dir(folder.path().join(part)).unwrap();
        copy_folder(&stage.place().join(part), &folder.path().join(part));
    }
    for file in [CONFIG_FILE, LOCK_FILE] {
        std::fs::copy(stage.place().join(file), folder.path().join(file)).unwrap();
    }
    folder
}

/// A workspace with one promotion let through and one refused.
fn decided() -> Stage {
    let stage = Stage::promoted();
    stage.cut("1.1-untested");
    assert!(matches!(stage.promote("Orders", "production").unwrap_err(), Error::Refused(_)));
    stage
}

#[test]
fn decisions_that_were_kept_have_the_same_bytes_when_made_again() {
    let stage = decided();
    let work = stage.workspace.work();
    let replays = Replays::over(&work);
    let all = stage.workspace.kept_decisions(None).unwrap();
    let names: Vec<String> = all.iter().map(|kept| kept.name()).collect();
    assert_eq!(names, ["promotion 1 of staging", "refusal 1 of production"]);
    for kept in &all {
        assert_eq!(replays.replay(kept).unwrap(), Replayed::Same, "{}", kept.name());
    }
    let later = all[1].at;
    assert_eq!(stage.workspace.kept_decisions(Some(later)).unwrap(), all[1..]);
    let production = environment("production");
    assert_eq!(stage.workspace.kept_decision(&production, List::Refusals, 1).unwrap(), all[1]);
    for number in [0, 2] {
        let missing = stage.workspace.kept_decision(&production, List::Refusals, number).unwrap_err();
        assert!(matches!(missing, Error::NotFound { what: "refusal", .. }), "{missing}");
    }
}

#[test]
fn of_a_run_the_decision_right_before_its_commit_is_made_again() {
    let stage = Stage::promoted();
    let report = stage.carry_out(stage.rollback("Orders", "staging")).unwrap();
    let kept =
        stage.workspace.kept_decision(&environment("staging"), List::Promotions, report.number).unwrap();
    assert_eq!(kept.decision, report.decision.digest().unwrap());
    let work = stage.workspace.work();
    assert_eq!(Replays::over(&work).replay(&kept).unwrap(), Replayed::Same);
}

/// A pack of the workspace with another source.
fn draft(stage: &Stage, name: &str, change: impl FnOnce(String) -> String) -> Pack {
    let pack = Pack::read(&stage.place().join(POLICIES).join(name)).unwrap();
    let mut files: BTreeMap<String, Vec<u8>> =
        pack.files().iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())).collect();
    let source = String::from_utf8(files.remove("policy.rhai").unwrap()).unwrap();
    files.insert("policy.rhai".to_owned(), change(source).into_bytes());
    Pack::new("drafts", files).unwrap()
}

#[test]
fn a_draft_is_asked_with_the_facts_of_then() {
    let stage = decided();
    let work = stage.workspace.work();
    let replays = Replays::over(&work);
    let changes = |source: fn(String) -> String| -> Vec<(String, Option<Change>)> {
        let draft = replays.sandbox().compile(draft(&stage, "test-evidence", source)).unwrap();
        let drafts = BTreeMap::from([("test-evidence".to_owned(), draft)]);
        let all = stage.workspace.kept_decisions(None).unwrap();
        all.iter()
            .map(|kept| {
                let decision = replays.decision(kept).unwrap();
                let what_if =
                    replays.sandbox().what_if(&decision, &drafts, |pack| replays.policy(pack)).unwrap();
                (kept.name(), what_if.map(|what_if| what_if.change))
            })
            .collect()
    };
    let staging = |change| ("promotion 1 of staging".to_owned(), change);
    let same = changes(|source| source);
    assert_eq!(same[0], staging(Some(Change::Same)));
    let refusing = changes(|_| "deny(\"tests.failed\", \"never\", #{});".to_owned());
    assert_eq!(refusing[0], staging(Some(Change::NewlyRefused)));
    let broken = changes(|_| "let x = plan.nosuch;".to_owned());
    assert_eq!(broken[0], staging(Some(Change::CannotJudge)));
}

#[test]
fn a_plan_file_is_judged_without_a_store_byte_for_byte() {
    let stage = decided();
    let plan = stage.plan("Orders", "production");
    let here: Decision = stage.workspace.decide(&plan, None).unwrap().decision;
    assert_ne!(here.outcome, Outcome::Allowed);
    let carried = serde_json::to_string_pretty(&here.input).unwrap();

    let folder = checkout(&stage);
    let input: Input = serde_json::from_str(&carried).unwrap();
    let there = judge_input(folder.path(), &sandbox(), &plan, &input).unwrap().decision;
    assert_eq!(there.canonical().unwrap(), here.canonical().unwrap());

    let refused = |plan: &Plan, input: &Input| {
        let error = judge_input(folder.path(), &sandbox(), plan, input).unwrap_err();
        assert!(error.to_string().contains("was changed since it was written"), "{error}");
    };
    refused(&plan, &Input { gates: Vec::new(), ungated: Some("because".into()), ..input.clone() });
    refused(&Plan { gates: Vec::new(), ..plan.clone() }, &Input { gates: Vec::new(), ..input.clone() });
    refused(&stage.plan("Orders", "staging"), &input);

    // With another state of a pack it would be another verdict.
    let source = folder.path().join(POLICIES).join("test-evidence").join("policy.rhai");
    std::fs::write(&source, "pass(\"tests.passed\", #{fact: \"plan.version\", actual: plan.version});")
        .unwrap();
    let error = judge_input(folder.path(), &sandbox(), &plan, &input).unwrap_err();
    assert!(matches!(error, Error::NotFound { what: "pack", .. }), "{error}");
}

#[test]
fn an_export_without_a_plan_is_judged_as_far_as_it_tells_and_never_let_through() {
    let stage = Stage::promoted();
    let folder = checkout(&stage);
    let now = "2026-06-01T13:00:00Z".parse().unwrap();
    let compiled = tempfile::tempdir().unwrap();
    let host = Host::new(Limits::default()).unwrap().with_cache(CodeCache::new(compiled.path(), &[1; 32]));
    let judge = |files: &[InputFile], app: Option<&str>, to: Option<&str>| {
        let to = to.map(environment);
        judge_export(folder.path(), &host, &sandbox(), files, app, to.as_ref(), now)
    };
    let clean = judge(&[sample("tooljet/orders.json")], None, None).unwrap();
    assert_eq!((clean.app.as_str(), clean.to.as_str()), ("Orders", "staging"));
    let needs: BTreeMap<_, _> = clean.not_judged.iter().cloned().collect();
    assert_eq!(needs.get("test-evidence").map(String::as_str), Some("plan"), "{needs:?}");
    assert!(!needs.contains_key("data-masking"), "{needs:?}");
    assert_ne!(clean.decided.decision.outcome, Outcome::Allowed);

    let mut leaking = sample("tooljet/orders.json");
    let text = String::from_utf8(leaking.bytes).unwrap();
    leaking.bytes = text.replace("SELECT id", "/* IBAN DE89370400440532013000 */ SELECT id").into_bytes();
    let denied = judge(&[leaking], Some("Orders"), Some("staging")).unwrap().decided.decision;
    assert_eq!(denied.outcome, Outcome::Denied);
    let gate = denied.gates.iter().find(|gate| gate.gate == "data-masking").unwrap();
    let codes: Vec<_> = gate.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert!(codes.contains(&"personal.found") && codes.contains(&"plan.unknown"), "{codes:?}");

    let orders = [sample("tooljet/orders.json")];
    for (app, to) in [(Some("Nothing"), None), (None, Some("production")), (None, Some("nowhere"))] {
        assert!(judge(&orders, app, to).is_err(), "{app:?} {to:?}");
    }
    assert!(judge(&[sample("bad/truncated.json")], None, None).is_err());
}

#[test]
fn a_gate_in_audit_is_ready_once_it_lets_enough_plans_through() {
    let mut stage = Stage::promoted();
    stage.configure(|text| {
        text + r#"
[[transition]]
on = ["development -> staging"]

[[transition.gate]]
name = "approved-too"
policy = "approvals"
level = "audit"
parameters = { roles = { approver = 1 } }

[[transition.gate]]
name = "tested-too"
policy = "test-evidence"
level = "warn"
parameters = { min_executed = 1 }
"#
    });
    let readiness = |least: usize| {
        let all = stage.workspace.rollout(None, least).unwrap();
        let told = all
            .iter()
            .map(|one| (one.gate.clone(), one.plans, one.passes, one.is_ready, one.next.to_string()));
        told.collect::<Vec<_>>()
    };
    let approved = ("approved-too".to_owned(), 1, 0, false, "warn".to_owned());
    assert_eq!(readiness(1), [approved.clone(), ("tested-too".to_owned(), 1, 1, true, "soft".to_owned())]);
    assert_eq!(readiness(2), [approved, ("tested-too".to_owned(), 1, 1, false, "soft".to_owned())]);
    let all = stage.workspace.rollout(None, 1).unwrap();
    let would = &all[0].would_refuse[0];
    assert_eq!(would.kept.name(), "promotion 1 of staging");
    assert_eq!((would.verdict, would.codes.len()), (Verdict::Undecided, 1), "{would:?}");
    let future = "2030-01-01T00:00:00Z".parse().unwrap();
    let later = stage.workspace.rollout(Some(future), 1).unwrap();
    assert!(later.iter().all(|one| one.plans == 0 && !one.is_ready));
}
