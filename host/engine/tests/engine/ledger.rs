//! A ledger that somebody changed: the audit names the first entry that is not as it was.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use sluice_engine::Error;
use sluice_engine::act::{Ended, ImportSummary, Proposal, What};
use sluice_engine::audit::audit;
use sluice_engine::plan::{Plan, Problem};
use sluice_engine::promote::state_after;
use sluice_engine::state::{EnvironmentState, Held, Holding, Revised, Standing, Work};
use sluice_model::verdict::Outcome;
use sluice_model::{Digest, json};
use sluice_policy::facts::Approval;
use sluice_policy::{Decision, Facts, Override, Relief};
use sluice_store::Lease;

use crate::stage::{Stage, copy, environment};

/// A copied store, closed, and the checkpoint that was kept of it.
fn sample() -> (tempfile::TempDir, PathBuf, String) {
    let stage = Stage::opened(copy(), 5, crate::stage::MONDAY_ONE);
    let note = stage.workspace.records().newest_note().unwrap().unwrap();
    let store = stage.store();
    let Stage { folder, workspace, .. } = stage;
    drop(workspace);
    (folder, store, note)
}

fn change(store: &PathBuf, sql: &str) {
    let connection = Connection::open(store).unwrap();
    connection.execute_batch(sql).unwrap();
    connection.execute_batch("DELETE FROM heads; DELETE FROM derived;").unwrap();
}

/// Stream and revision of the ledger's entry with that number.
fn of_entry(store: &PathBuf, entry: u64) -> (String, u64) {
    let connection = Connection::open(store).unwrap();
    let read =
        "SELECT json_extract(CAST(body AS TEXT), '$.stream'), json_extract(CAST(body AS TEXT), '$.revision')
                FROM revisions WHERE stream = 'ledger' AND revision = ?1";
    let (stream, revision) = connection
        .query_row(read, [entry as i64 + 1], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))
        .unwrap();
    (stream, revision as u64)
}

#[test]
fn a_ledger_that_is_whole_is_verified() {
    let (_folder, store, note) = sample();
    for kept in [None, Some(note.as_bytes())] {
        let audited = audit(&store, kept, None).unwrap().remove(0);
        assert_eq!((audited.signatures, audited.unlogged, audited.kept), (audited.size, 0, kept.is_some()));
    }
    let other = "ed25519:not-a-key";
    assert!(audit(&store, None, Some(other)).is_err());
}

#[test]
fn the_first_entry_that_was_changed_is_named() {
    let (_folder, store, _) = sample();
    let size = audit(&store, None, None).unwrap()[0].size;
    for entry in [0, 3, size / 2, size - 1] {
        let (stream, revision) = of_entry(&store, entry);
        let this = format!("WHERE stream = '{stream}' AND revision = {revision}");
        let body = "CAST(replace(CAST(body AS TEXT), '\"salt\":\"', '\"salt\":\"0') AS BLOB)";
        let other = (entry + 1) % size;
        let swap = format!(
            "CREATE TEMP TABLE t AS SELECT revision, body, leaf FROM revisions WHERE stream = 'ledger';
             UPDATE revisions SET body = (SELECT body FROM t WHERE revision = {b}) WHERE stream = 'ledger' AND revision = {a};
             UPDATE revisions SET body = (SELECT body FROM t WHERE revision = {a}) WHERE stream = 'ledger' AND revision = {b};",
            a = entry.min(other) + 1,
            b = entry.max(other) + 1,
        );
        for (what, sql, first) in [
            ("body", format!("UPDATE revisions SET body = {body} {this}"), entry),
            (
                "signature",
                format!(
                    "UPDATE revisions SET body = CAST(replace(CAST(body AS TEXT), '\"sig\":\"', '\"sig\":\"AAAA') AS BLOB) {this}"
                ),
                entry,
            ),
            ("leaf", format!("UPDATE revisions SET leaf = zeroblob(32) {this}"), entry),
            ("removed", format!("DELETE FROM revisions {this}"), entry),
            ("order", swap, entry.min(other)),
            (
                "entry",
                format!(
                    "UPDATE revisions SET body = CAST(replace(CAST(body AS TEXT), 'sha256:', 'sha256:0') AS BLOB) WHERE stream = 'ledger' AND revision = {}",
                    entry + 1
                ),
                entry,
            ),
        ] {
            let (folder, copied) = copied(&store);
            change(&copied, &sql);
            let error = audit(&copied, None, None).unwrap_err();
            match &error {
                Error::LedgerBroken { entry: named, .. } => {
                    assert_eq!(*named, first, "{what} of {entry} ({stream}@{revision}): {error}");
                }
                // The workspace's first act names the key by which all else is judged.
                _ => assert_eq!((entry, first), (0, 0), "{what} of {entry}: {error:?}"),
            }
            drop(folder);
        }
    }
}

fn copied(store: &PathBuf) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copied = folder.path().join("store.db");
    std::fs::copy(store, &copied).unwrap();
    (folder, copied)
}

#[test]
fn a_tail_that_was_cut_off_is_seen_against_a_kept_checkpoint() {
    let (_folder, store, note) = sample();
    let size = audit(&store, None, None).unwrap()[0].size;
    for cut in [1, 4, 9] {
        let (_folder, copied) = copied(&store);
        let first = size - cut;
        let mut sql = String::new();
        for entry in first..size {
            let (stream, revision) = of_entry(&store, entry);
            sql += &format!("DELETE FROM revisions WHERE stream = '{stream}' AND revision = {revision};");
        }
        sql += &format!(
            "DELETE FROM revisions WHERE stream = 'ledger' AND revision > {first};
             DELETE FROM revisions WHERE stream = 'ledger/checkpoints'
                 AND json_extract(CAST(body AS TEXT), '$.size') > {first};"
        );
        change(&copied, &sql);
        // Without a checkpoint from elsewhere there is nothing that could tell.
        assert_eq!(audit(&copied, None, None).unwrap()[0].size, first);
        let error = audit(&copied, Some(note.as_bytes()), None).unwrap_err();
        let Error::LedgerBroken { entry, .. } = error else { panic!("{error}") };
        assert_eq!(entry, first);
    }
}

#[test]
fn a_checkpoint_that_was_taken_away_is_missed() {
    let (_folder, store, note) = sample();
    let checkpoints = audit(&store, None, None).unwrap()[0].checkpoints;
    assert!(checkpoints > 5);
    for gone in [1, 3, checkpoints - 1] {
        let (_folder, copied) = copied(&store);
        // Whoever takes one away gives the later ones its place.
        let mut sql =
            format!("DELETE FROM revisions WHERE stream = 'ledger/checkpoints' AND revision = {gone};");
        for later in gone + 1..=checkpoints {
            sql += &format!(
                "UPDATE revisions SET revision = {} WHERE stream = 'ledger/checkpoints' AND revision = {later};",
                later - 1
            );
        }
        change(&copied, &sql);
        for kept in [None, Some(note.as_bytes())] {
            let error = audit(&copied, kept, None).unwrap_err();
            assert!(matches!(error, Error::LedgerBroken { .. }), "{error}");
            assert!(error.to_string().contains(&format!("checkpoint {gone} was removed")), "{gone}: {error}");
        }
    }
    // The newest one is missed by who kept it.
    change(
        &store,
        &format!("DELETE FROM revisions WHERE stream = 'ledger/checkpoints' AND revision = {checkpoints}"),
    );
    assert_eq!(audit(&store, None, None).unwrap()[0].checkpoints, checkpoints - 1);
    let error = audit(&store, Some(note.as_bytes()), None).unwrap_err();
    assert!(error.to_string().contains(&format!("checkpoint {checkpoints} was removed")), "{error}");
}

/// A run that somebody with a key writes into the streams without the engine's say.
struct Run {
    plan: Plan,
    decision: Decision,
    proposal: Proposal,
    /// What is journaled, if anything is.
    is_journaled: bool,
    state: EnvironmentState,
    promotion: u64,
    /// Changes what the gates say right before the commit.
    governing: fn(&mut Decision),
}

/// Takes the lease on staging, asks the gates as a promotion does, and writes what `forge` makes of it. Answers the
/// entry of the commit.
fn write_run(stage: &Stage, forge: fn(&mut Run)) -> u64 {
    let staging = environment("staging");
    let records = stage.workspace.records();
    let none = std::collections::BTreeMap::new();
    let (revision, mut state) = stage.workspace.environment(&mut stage.workspace.work(), &staging).unwrap();
    let lease = Lease { holder: "ada".into(), writer: records.writer().clone(), milliseconds: 1 };
    state.held = Some(Held { lease, purpose: "forging".into() });
    let what = What::LeaseTaken { state: Box::new(state.clone()) };
    let fence = records.append(&stage.ada, "env/staging", revision, what, &none).unwrap();

    let plan = stage.plan("Orders", "staging");
    let decision = stage.workspace.decide(&plan, None).unwrap().decision;
    assert!(decision.is_allowed());
    let before = state.content;
    let mut content = stage.workspace.work();
    let state = state_after(&mut content, &plan, fence, &state, Standing::default()).unwrap();
    let number = records.head("env/staging/promotions").unwrap().unwrap().revision + 1;
    let proposal = Proposal {
        number,
        transition: plan.transition.as_str().to_owned(),
        app: plan.app.clone(),
        version: plan.version.clone(),
        bundle: plan.bundle,
        size: plan.size(),
        from: plan.from.clone(),
        plan: Digest::of(b""),
        plan_digest: plan.digest,
        decision: Digest::of(b""),
        touched: Digest::of(b""),
        before,
        after: state.content,
        fence,
        takes_back: None,
    };
    let governing = |_: &mut Decision| {};
    let asked = plan.clone();
    let mut run = Run { plan, decision, proposal, is_journaled: true, state, promotion: number, governing };
    forge(&mut run);
    let mut work = content;
    run.proposal.plan = work.put_json(&run.plan).unwrap();
    run.proposal.decision = work.put_json(&run.decision).unwrap();
    run.proposal.touched = work.put_json(&run.plan.touched()).unwrap();
    let fresh = work.into_fresh();
    if run.is_journaled {
        let what = What::PromotionProposed(run.proposal);
        records.append(&stage.ada, "env/staging/promotions", number - 1, what, &fresh).unwrap();
    }
    let mut governing = stage.workspace.decide(&asked, None).unwrap().decision;
    (run.governing)(&mut governing);
    let mut work = stage.workspace.work();
    let decision = work.put_json(&governing).unwrap();
    let what = What::Committed { state: Box::new(run.state), promotion: run.promotion, decision };
    let fresh = fresh.into_iter().chain(work.into_fresh()).collect();
    records.append(&stage.ada, "env/staging", fence, what, &fresh).unwrap();
    stage.workspace.history(None, None).unwrap().len() as u64 - 1
}

#[test]
fn a_commit_that_no_decision_allowed_is_named() {
    type Forge = fn(&mut Run);
    let ways: [(&str, Forge, Option<&str>); 27] = [
        ("as the engine would", |_| {}, None),
        ("never begun", |run| run.is_journaled = false, Some("no run of that number was begun before it")),
        ("of another number", |run| run.promotion = 1, Some("the run of that number writes revision")),
        ("other content", |run| run.state.content = run.proposal.before, Some("it changed other objects")),
        ("denied", |run| run.decision.outcome = Outcome::Denied, Some("the gates said denied")),
        ("pending", |run| run.decision.outcome = Outcome::Pending, Some("the gates said pending")),
        (
            "without evidence, and allowed all the same",
            |run| change_facts(run, |facts| facts.evidence = Some(Vec::new())),
            Some("asked again with the same facts, the gates say pending"),
        ),
        (
            "asked an hour before",
            |run| change_facts(run, |facts| facts.now = "2026-06-01T12:00:00Z".parse().unwrap()),
            Some("the gates were asked at 2026-06-01T12:00:00Z"),
        ),
        (
            "one gate fewer",
            |run| drop(run.decision.input.gates.pop()),
            Some("other gates were asked than those of the plan"),
        ),
        (
            "another plan's decision",
            |run| run.decision.digests.plan = Digest::of(b"another"),
            Some("the gates were asked about plan"),
        ),
        (
            "another plan",
            |run| run.plan.version = "9.9".into(),
            Some("the plan that was kept for it is not plan"),
        ),
        (
            "another transition",
            |run| run.proposal.transition = "release".into(),
            Some("the run is not the transition of plan"),
        ),
        (
            "another version",
            |run| run.state.standing = run.state.rendered,
            Some("which version stands or is released is not as plan"),
        ),
        (
            "other sources",
            |run| run.state.rendered = run.state.proposals,
            Some("what is rendered is not as plan"),
        ),
        (
            "other ids",
            |run| run.state.identity = run.state.rendered,
            Some("what the environment knows of its objects is not as plan"),
        ),
        (
            "for other content",
            |run| run.proposal.after = run.proposal.before,
            Some("begun for other content"),
        ),
        (
            "with fewer gates than were adopted",
            |run| {
                run.plan.gates.pop();
                run.decision.input.gates.pop();
                run.plan.digest = json::digest(&run.plan.core().unwrap());
                run.proposal.plan_digest = run.plan.digest;
                run.decision.digests.plan = run.plan.digest;
                let mut facts = Facts::clone(&run.decision.input.facts);
                facts.plan.digest = run.plan.digest;
                run.decision.input.facts = Arc::new(facts);
            },
            Some("other gates than those of plan"),
        ),
        (
            "with another parameter",
            |run| drop(run.decision.input.gates[0].parameters.insert("max_age".into(), "900d".into())),
            Some("the gates were asked otherwise than they were adopted"),
        ),
        (
            "with people that nobody adopted",
            |run| change_facts(run, |facts| facts.people[0].roles.push("auditor".into())),
            Some("told of other people or environments"),
        ),
        (
            "with an approval that nobody gave",
            |run| {
                change_facts(run, |facts| {
                    let (person, roles) = ("ada".to_owned(), facts.people[0].roles.clone());
                    let (plan, at) = (facts.plan.digest, facts.now);
                    facts.approvals = Some(vec![Approval { person, roles, plan, ticket: None, at }]);
                });
            },
            Some("the approval by `ada` does not stand in the ledger before it"),
        ),
        (
            "with an override that nobody gave",
            |run| {
                let (plan, at) = (run.plan.digest, run.decision.input.facts.now);
                let (gate, by, reason) = ("test-evidence".into(), "ada".into(), "why not".into());
                let over = Override { id: Digest::of(b""), gate, plan, by, reason, at };
                run.decision.input.reliefs.push(Relief::Override(over));
            },
            Some("the override of `test-evidence` by `ada` does not stand in the ledger before it"),
        ),
        (
            "with evidence that nobody brought",
            |run| {
                change_facts(run, |facts| {
                    facts.evidence.iter_mut().flatten().for_each(|one| one.id = Digest::of(b"made up"));
                });
            },
            Some("does not stand in the ledger before it"),
        ),
        (
            "taking back what it does not",
            |run| run.proposal.takes_back = Some(1),
            Some("the run is not the transition of plan"),
        ),
        (
            "smaller than it is",
            |run| run.proposal.size.bytes = 0,
            Some("the run is not the transition of plan"),
        ),
        (
            "denied right before it",
            |run| run.governing = |decision| decision.outcome = Outcome::Denied,
            Some("right before it, the gates said denied"),
        ),
        (
            "not asked again before it",
            |run| {
                run.governing = |decision| {
                    let now = "2026-06-01T12:00:00Z".parse().unwrap();
                    decision.input.facts = Arc::new(Facts { now, ..Facts::clone(&decision.input.facts) });
                };
            },
            Some("right before it, the gates were asked at 2026-06-01T12:00:00Z"),
        ),
        (
            "let through right before it by an override that nobody gave",
            |run| {
                run.governing = |decision| {
                    let (plan, at) = (decision.digests.plan, decision.input.facts.now);
                    let (gate, by, reason) = ("test-evidence".into(), "ada".into(), "why not".into());
                    let over = Override { id: Digest::of(b""), gate, plan, by, reason, at };
                    decision.input.reliefs.push(Relief::Override(over));
                };
            },
            Some("right before it, the override of `test-evidence` by `ada` does not stand"),
        ),
    ];
    for (name, forge, expected) in ways {
        let stage = Stage::copied(70);
        let commit = write_run(&stage, forge);
        match (audit(&stage.store(), None, None), expected) {
            (Ok(_), None) => {}
            (Err(Error::Unwarranted { entry, what }), Some(expected)) => {
                assert_eq!(entry, commit, "{name}: {what}");
                assert!(what.contains(expected), "{name}: {what}");
                assert!(
                    what.contains("of `staging` was committed without a decision that allowed it"),
                    "{what}"
                );
            }
            (result, _) => panic!("{name}: {result:?}"),
        }
    }
}

/// Makes a run's plan the one that it was changed into.
fn planned_anew(run: &mut Run) {
    run.plan.digest = json::digest(&run.plan.core().unwrap());
    run.proposal.plan_digest = run.plan.digest;
    run.proposal.size = run.plan.size();
    run.proposal.version.clone_from(&run.plan.version);
    run.proposal.bundle = run.plan.bundle;
    run.proposal.from = run.plan.from.clone();
    run.decision.digests.plan = run.plan.digest;
    let mut facts = Facts::clone(&run.decision.input.facts);
    facts.plan.digest = run.plan.digest;
    run.decision.input.facts = Arc::new(facts);
}

#[test]
fn a_run_that_brings_what_is_not_the_versions_is_named() {
    type Forge = fn(&mut Run);
    let ways: [(&str, Forge, &str); 8] = [
        (
            "over a problem",
            |run| {
                run.plan.problems.push(Problem {
                    code: "slot.empty".into(),
                    message: "`staging` has no secret".into(),
                    fix: String::new(),
                    who: String::new(),
                    object: None,
                    at: None,
                });
            },
            "had a problem: `staging` has no secret",
        ),
        (
            "a version that nobody cut",
            |run| {
                run.plan.version = "9.9".into();
                planned_anew(run);
            },
            "version 9.9 was not cut before it",
        ),
        (
            "another bundle than was cut",
            |run| {
                run.plan.bundle = Digest::of(b"made up");
                planned_anew(run);
            },
            "version 2.0 was not cut before it",
        ),
        (
            "from where nothing comes",
            |run| {
                run.plan.from = environment("production");
                planned_anew(run);
            },
            "nothing comes to `staging` from `production`",
        ),
        (
            "less than the version has",
            |run| {
                run.plan.objects.pop();
                planned_anew(run);
            },
            "is not of what version 2.0 has",
        ),
        (
            "other content than the version has",
            |run| {
                let other = run.plan.objects.iter().find_map(|object| object.before);
                let changed = run.plan.objects.iter_mut().find(|object| object.before.is_none());
                changed.expect("2.0 has something new").after = other;
                planned_anew(run);
            },
            "is not of what version 2.0 has",
        ),
        (
            "by authors that the gates did not know",
            |run| change_facts(run, |facts| facts.plan.authors.clear()),
            "the gates did not know that it is the work of `ada`",
        ),
        (
            "by authors that the gates did not know right before it",
            |run| {
                run.governing = |decision| {
                    let mut facts = Facts::clone(&decision.input.facts);
                    facts.plan.authors.clear();
                    decision.input.facts = Arc::new(facts);
                };
            },
            "right before it, the gates did not know that it is the work of `ada`",
        ),
    ];
    for (name, forge, expected) in ways {
        let stage = Stage::copied(76);
        let commit = write_run(&stage, forge);
        let Err(Error::Unwarranted { entry, what }) = audit(&stage.store(), None, None) else {
            panic!("{name}")
        };
        assert_eq!(entry, commit, "{name}: {what}");
        assert!(what.contains(expected), "{name}: {what}");
    }
}

#[test]
fn a_plan_that_does_not_know_what_the_app_was_called_is_named() {
    let stage = Stage::copied(72);
    let mut export = crate::stage::sample("tooljet/orders-changed.json");
    let text = String::from_utf8(export.bytes).unwrap();
    export.bytes = text.replace("\"name\": \"Orders\"", "\"name\": \"Sales\"").into_bytes();
    stage.import_files("development", vec![export], None).unwrap();
    let (app, version) = ("Sales".to_owned(), Some("3.0".to_owned()));
    let request = sluice_engine::version::CutRequest { app, version, from: None, note: None };
    stage.workspace.cut(&stage.ada, &request).unwrap();
    stage.test("Sales", "development", "staging");
    let commit = write_run(&stage, |run| {
        assert_eq!((run.plan.app_name.as_str(), run.plan.other_names.len()), ("Sales", 1));
        run.plan.other_names.clear();
    });
    let Err(Error::Unwarranted { entry, what }) = audit(&stage.store(), None, None) else { panic!() };
    assert_eq!(entry, commit, "{what}");
    assert!(what.contains("does not know that the app is called `Orders` too"), "{what}");
}

#[test]
fn a_commit_by_an_emergency_that_nobody_is_to_review_is_named() {
    let mut stage = Stage::promoted();
    let ben = stage.with_ben(&["approver"], "[break_glass]\nrole = \"release-manager\"");
    stage.configure(|text| text.replacen("min_executed = 1", "min_executed = 10_000", 1));
    let plan = stage.plan("Orders", "staging");
    stage.workspace.break_glass(&stage.ada, &plan, "orders are lost", "INC-7").unwrap();
    stage.workspace.cosign_break_glass(&ben, &plan.digest).unwrap();
    let commit = write_run(&stage, |_| {});
    let Err(Error::Unwarranted { entry, what }) = audit(&stage.store(), None, None) else { panic!() };
    assert_eq!(entry, commit, "{what}");
    assert!(what.contains("no review of that was opened"), "{what}");
}

fn change_facts(run: &mut Run, change: fn(&mut Facts)) {
    let mut facts = Facts::clone(&run.decision.input.facts);
    change(&mut facts);
    run.decision.input.facts = Arc::new(facts);
}

#[test]
fn a_lease_that_brings_content_is_named() {
    let stage = Stage::copied(71);
    let records = stage.workspace.records();
    let staging = environment("staging");
    let (revision, mut state) = stage.workspace.environment(&mut stage.workspace.work(), &staging).unwrap();
    state.content = stage.content("development");
    let what = What::LeaseReturned { state: Box::new(state) };
    records.append(&stage.ada, "env/staging", revision, what, &std::collections::BTreeMap::new()).unwrap();
    let error = audit(&stage.store(), None, None).unwrap_err();
    let Error::Unwarranted { entry, what } = error else { panic!("{error}") };
    assert_eq!(entry, stage.workspace.history(None, None).unwrap().len() as u64 - 1);
    assert_eq!(what, "the lease on `staging` changed what it holds");
}

#[test]
fn a_decision_for_facts_that_nobody_knows_is_told_and_not_made_again() {
    let stage = Stage::copied(72);
    write_run(&stage, |run| run.decision.input.api = 99);
    let audited = audit(&stage.store(), None, None).unwrap();
    assert_eq!(audited[0].not_replayed, 1);
    // The gates are asked about all the same: which they are, and of whom.
    let stage = Stage::copied(73);
    write_run(&stage, |run| {
        run.decision.input.api = 99;
        drop(run.decision.input.gates.pop());
    });
    assert!(matches!(audit(&stage.store(), None, None), Err(Error::Unwarranted { .. })));
}

#[test]
fn an_end_that_is_not_so_is_named() {
    for (promotion, ended, expected) in [
        (99, Ended::Done, "promotion 99 of `staging` is recorded as done, and was never committed"),
        (
            1,
            Ended::Undone { reason: "x".into() },
            "promotion 1 of `staging` is recorded as undone, and was committed",
        ),
    ] {
        let stage = Stage::copied(74);
        let records = stage.workspace.records();
        let after = records.head("env/staging/ends").unwrap().unwrap().revision;
        let what = What::PromotionEnded { promotion, ended };
        records.append(&stage.ada, "env/staging/ends", after, what, &Default::default()).unwrap();
        let Err(Error::Unwarranted { what, .. }) = audit(&stage.store(), None, None) else { panic!() };
        assert_eq!(what, expected);
    }
}

/// What an import into staging, which holds a promoted version, may not change.
#[test]
fn an_import_that_changes_what_was_promoted_is_named() {
    type Forge = fn(&Stage, &mut Work<'_>, &mut EnvironmentState, u64);
    let ways: [(&str, Forge, Option<&str>); 6] = [
        ("native ids", |_, _, state, _| state.residue = state.identity, None),
        (
            "content",
            |stage, _, state, _| state.content = stage.content("development"),
            Some("which a version brought"),
        ),
        (
            "a release",
            |stage, work, state, _| {
                let app = stage.workspace.app(work, "Orders").unwrap().id;
                let mut standing = state.standing_of(work, &app).unwrap().unwrap();
                standing.released = standing.promoted.first().cloned();
                state.set_standing(work, &app, Some(&standing)).unwrap();
            },
            Some("changed which version of"),
        ),
        (
            "what it holds",
            |stage, work, state, _| {
                let app = stage.workspace.app(work, "Orders").unwrap().id;
                let mut standing = state.standing_of(work, &app).unwrap().unwrap();
                standing.holds = Holding::Imported;
                standing.promoted.clear();
                state.set_standing(work, &app, Some(&standing)).unwrap();
            },
            Some("changed which version of"),
        ),
        (
            "what is rendered",
            |_, _, state, _| state.rendered = state.proposals,
            Some("changed what is rendered"),
        ),
        (
            "when objects changed",
            |stage, work, state, revision| {
                let app = stage.workspace.app(work, "Orders").unwrap().id;
                state.revise(work, revision, [Revised::Object(&app)]).unwrap();
            },
            Some("changed when objects were changed"),
        ),
    ];
    for (name, forge, expected) in ways {
        let stage = Stage::copied(75);
        let records = stage.workspace.records();
        let mut work = stage.workspace.work();
        let (revision, mut state) = stage.workspace.environment(&mut work, &environment("staging")).unwrap();
        forge(&stage, &mut work, &mut state, revision + 1);
        let summary = ImportSummary { files: vec!["forged.json".into()], ..ImportSummary::default() };
        let what = What::Imported { state: Box::new(state), summary };
        records.append(&stage.ada, "env/staging", revision, what, &work.into_fresh()).unwrap();
        match (audit(&stage.store(), None, None), expected) {
            (Ok(_), None) => {}
            (Err(Error::Unwarranted { what, .. }), Some(expected)) => {
                assert!(
                    what.contains("the import into `staging`") && what.contains(expected),
                    "{name}: {what}"
                );
            }
            (result, _) => panic!("{name}: {result:?}"),
        }
    }
}
