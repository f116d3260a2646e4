//! Evidence that does not show what it should: refused when it is brought, or by the gate.

use sluice_engine::attest::{About, Taken};
use sluice_engine::evidence::{
    MaskingPredicate, TESTS_PREDICATE, TestReport, TestsPredicate, bundle_subject,
};
use sluice_engine::import::ImportRequest;
use sluice_engine::{Actor, Error};
use sluice_ledger::key::KeyPair;
use sluice_ledger::statement::{Statement, Subject};
use sluice_model::verdict::Verdict;
use sluice_model::{Digest, LogicalId};
use sluice_platform::InputFile;
use sluice_policy::facts::{Acceptance, Coverage, Payload, Performance};
use zeroize::Zeroizing;

use crate::stage::{Stage, environment, put, sample};

/// A title in the sample, which a version of these tests changes.
const TITLE: &str = "Orders, billing API";

/// 1.0 and 2.0 are tested and 1.0 is in staging; 3.0, which differs from both, was just cut.
fn untested(seed: u64) -> Stage {
    let stage = Stage::copied(seed);
    let InputFile { name, bytes } = sample("tooljet/orders.json");
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(TITLE), "the sample has another title");
    let request = ImportRequest {
        environment: environment("development"),
        files: vec![InputFile { name, bytes: text.replace(TITLE, "Orders of today").into_bytes() }],
        confirm: None,
        distinct: std::collections::BTreeSet::new(),
    };
    assert!(stage.workspace.import(&stage.ada, &request).unwrap().changed);
    stage.dismiss_suspicions();
    stage.cut("3.0");
    stage
}

fn stranger() -> KeyPair {
    KeyPair::from_seed(&Zeroizing::new([99; 32]))
}

/// A statement that tests passed, about whatever subjects.
fn passed(subject: Vec<Subject>) -> Statement {
    let junit = sample("junit-pass.xml");
    let report = TestReport::read(&junit.bytes).unwrap();
    let predicate = TestsPredicate::of(&report, &junit.bytes, environment("development"), None).unwrap();
    Statement { subject, predicate_type: TESTS_PREDICATE.to_owned(), predicate: predicate.to_predicate() }
}

/// What the gate of tests says where a promotion to staging is refused; nothing is changed.
fn refusal(stage: &Stage) -> (Verdict, String) {
    refusal_by(stage, &stage.ada)
}

fn refusal_by(stage: &Stage, actor: &Actor) -> (Verdict, String) {
    let before = stage.contents();
    let error = stage.promote_as(actor, "Orders", "staging").unwrap_err();
    let Error::Refused(decision) = error else { panic!("{error}") };
    assert_eq!(stage.contents(), before);
    let gate = decision.gates.into_iter().find(|gate| gate.gate == "test-evidence").unwrap();
    (gate.verdict, gate.findings.into_iter().map(|finding| finding.code).collect::<Vec<_>>().join(" "))
}

/// Brings a report about the newest version.
fn bring_report(stage: &Stage, report: &str) -> Result<Taken, Error> {
    let plan = stage.plan("Orders", "staging");
    let from = environment("development");
    let about = About { app: &plan.app, bundle: plan.bundle, environment: &from };
    stage.workspace.add_tests(&stage.ada, "junit.xml", report.as_bytes(), about)
}

#[test]
fn what_would_be_in_the_way_for_good_is_not_taken() {
    let stage = untested(63);
    let plan = stage.plan("Orders", "staging");
    let entries = stage.workspace.history(None, None).unwrap().len();
    let refused = |taken: Result<Taken, Error>, expected: &str| {
        let error = taken.err().unwrap_or_else(|| panic!("taken, and not: {expected}"));
        assert!(matches!(error, Error::BadEvidence { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(stage.workspace.history(None, None).unwrap().len(), entries, "{expected}");
    };
    let began =
        |at: &str| format!(r#"<testsuite name="orders" timestamp="{at}"><testcase name="a"/></testsuite>"#);
    stage.hand.set("2026-06-01T14:00:00Z");
    refused(
        bring_report(&stage, &began("2026-06-01T14:01:00Z")),
        "dated 2026-06-01T14:01:00Z, which is after now",
    );
    refused(bring_report(&stage, &began("2999-01-01T00:00:00+02:00")), "after now");
    let empty = String::from_utf8(sample("junit-empty.xml").bytes).unwrap();
    refused(bring_report(&stage, &empty), "no test is in it");
    refused(bring_report(&stage, "<testsuites/>"), "no test is in it");

    let bring = |statement: Statement| {
        stage.workspace.add_envelope(&stage.ada, "tests.json", &statement.sign(&stage.ada.key).to_json())
    };
    let of_bundle = passed(vec![bundle_subject(&plan.app, plan.bundle)]);
    let with = |member: &str, value: serde_json::Value| {
        let mut statement = of_bundle.clone();
        statement.predicate.insert(member.to_owned(), value);
        statement
    };
    refused(bring(with("began_at", "2026-06-02T00:00:00Z".into())), "after now");
    let mut none = with("executed", 0.into());
    none.predicate.insert("skipped".to_owned(), 0.into());
    refused(bring(none), "no test is in it");
    let masking = MaskingPredicate {
        environment: environment("staging"),
        source: plan.sources[0].source.clone(),
        method: "synthetic".into(),
        columns_masked: 1,
        rows_masked: 1,
        rows_checked: 1,
        tool: "mask 1.0".into(),
        masked_at: "2026-06-01T14:00:59Z".parse().unwrap(),
    };
    refused(stage.workspace.add_masking(&stage.ada, &masking), "after now");

    // What was refused is in nobody's way.
    bring_report(&stage, &began("2026-06-01T13:59:59Z")).unwrap();
    stage.promote("Orders", "staging").unwrap();
}

#[test]
fn reports_that_show_no_success_open_nothing() {
    let failed = String::from_utf8(sample("junit-fail.xml").bytes).unwrap();
    for (report, expected) in [
        (None, (Verdict::Undecided, "tests.missing")),
        (Some(failed.as_str()), (Verdict::Deny, "tests.failed")),
        (
            Some(r#"<testsuite name="orders"><testcase name="a"><skipped/></testcase></testsuite>"#),
            (Verdict::Deny, "tests.too-few"),
        ),
    ] {
        let stage = untested(60);
        let plan = stage.plan("Orders", "staging");
        assert_eq!((plan.version.as_str(), plan.problems.len()), ("3.0", 0), "{:?}", plan.problems);
        if let Some(report) = report {
            bring_report(&stage, report).unwrap();
        }
        let (verdict, codes) = refusal(&stage);
        assert_eq!((verdict, codes.as_str()), expected, "{report:?}");
    }
}

#[test]
fn statements_by_others_or_about_others_open_nothing() {
    let stage = untested(61);
    let plan = stage.plan("Orders", "staging");
    let older = stage.workspace.versions(&plan.app).unwrap()[0].bundle;
    assert_ne!(older, plan.bundle);
    let of = |bundle: Digest| bundle_subject(&plan.app, bundle);
    let bring = |statement: Statement, key: &KeyPair| {
        stage.workspace.add_envelope(&stage.ada, "tests.json", &statement.sign(key).to_json())
    };
    let entries = stage.workspace.history(None, None).unwrap().len();
    for (statement, key, expected) in [
        (passed(vec![of(plan.bundle)]), &stranger(), "nobody who is known signed the statement"),
        (passed(vec![of(Digest::of(b"nothing"))]), &stage.ada.key, "no version of this workspace has"),
        (passed(vec![of(plan.bundle), of(older)]), &stage.ada.key, "2 subjects, and one is wanted"),
        (
            Statement {
                predicate_type: "https://example.com/other/v1".into(),
                ..passed(vec![of(plan.bundle)])
            },
            &stage.ada.key,
            "of which Sluice knows nothing",
        ),
    ] {
        let error = bring(statement, key).unwrap_err();
        assert!(matches!(error, Error::BadEvidence { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains("`tests.json`"), "{error}");
    }
    let mut forged = passed(vec![of(older)]).sign(&stage.ada.key).to_json();
    let other = String::from_utf8(passed(vec![of(plan.bundle)]).sign(&stranger()).to_json()).unwrap();
    let payload = |text: &str| {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        value["payload"].as_str().unwrap().to_owned()
    };
    let text = String::from_utf8(forged).unwrap();
    forged = text.replace(&payload(&text), &payload(&other)).into_bytes();
    let error = stage.workspace.add_envelope(&stage.ada, "tests.json", &forged).unwrap_err();
    assert!(error.to_string().contains("changed or forged"), "{error}");
    assert_eq!(stage.workspace.history(None, None).unwrap().len(), entries, "something was taken");

    // One about another version is taken for that version, and for no other.
    bring(passed(vec![of(older)]), &stage.ada.key).unwrap();
    assert_eq!(refusal(&stage), (Verdict::Undecided, "tests.missing".into()));
    bring(passed(vec![of(plan.bundle)]), &stage.ada.key).unwrap();
    stage.promote("Orders", "staging").unwrap();
}

#[test]
fn evidence_of_a_key_that_left_the_configuration_no_longer_counts() {
    let mut stage = Stage::copied(62);
    let app: LogicalId = stage.plan("Orders", "staging").app;
    assert!(!stage.workspace.versions(&app).unwrap().is_empty());
    let renewed = Actor { name: "ada".into(), key: stranger() };
    put(&stage.place(), &renewed, &[]);
    let candidate = stage.workspace.proposed().unwrap();
    stage.workspace.adopt(&stage.ada, candidate).unwrap();
    let error = stage.promote("Orders", "staging").unwrap_err();
    assert!(matches!(error, Error::NotPermitted { .. }), "{error}");
    stage.ada = renewed;
    assert_eq!(refusal(&stage), (Verdict::Undecided, "tests.issuer-unknown".into()));
}

#[test]
fn coverage_acceptance_and_performance_are_taken_and_told() {
    let stage = untested(64);
    let plan = stage.plan("Orders", "staging");
    let from = environment("development");
    let about = About { app: &plan.app, bundle: plan.bundle, environment: &from };
    let lcov = b"TN:orders\nSF:a.js\nLF:3\nLH:2\nBRF:2\nBRH:2\nend_of_record\n";
    let taken = stage.workspace.add_coverage(&stage.ada, "lcov.info", lcov, None, about).unwrap();
    let says: Vec<&str> = taken.iter().map(|taken| taken.says.as_str()).collect();
    assert_eq!(says, ["2 of 2 by branch (100.00 %)", "2 of 3 by line (66.66 %)"]);
    let scope = "user-acceptance";
    stage.workspace.add_acceptance(&stage.ada, scope, false, Some("slow".into()), about).unwrap();
    let taken = stage.workspace.add_acceptance(&stage.ada, scope, true, None, about).unwrap();
    assert_eq!((taken.says.as_str(), taken.issuer.as_str()), ("accepted as to `user-acceptance`", "ada"));
    let page = br#"{"measure": "page", "samples": 9, "p95_ms": 120, "measured_at": "2026-06-01T12:30:00Z"}"#;
    stage.workspace.add_performance(&stage.ada, "page.json", page, about).unwrap();

    let facts = stage.workspace.facts(&plan, "2026-06-01T14:00:00Z".parse().unwrap(), true).unwrap();
    let evidence = facts.evidence.unwrap();
    assert!(evidence.iter().all(|one| one.issuer.name.as_deref() == Some("ada") && one.environment == from));
    let payloads: Vec<&Payload> = evidence.iter().map(|one| &one.payload).collect();
    let coverage = |unit: &str, total, covered| {
        Payload::Coverage(Coverage { suite: "orders".into(), unit: unit.into(), total, covered })
    };
    let accepted = |accepted| Payload::Acceptance(Acceptance { scope: scope.into(), accepted });
    assert_eq!(
        payloads,
        [
            &coverage("branch", 2, 2),
            &coverage("line", 3, 2),
            &accepted(false),
            &accepted(true),
            &Payload::Performance(Performance { measure: "page".into(), samples: 9, p95_ms: 120 }),
        ]
    );
    assert_eq!(evidence[4].claimed_at, "2026-06-01T12:30:00Z".parse().unwrap());

    let entries = stage.workspace.history(None, None).unwrap().len();
    let elsewhere = environment("production");
    let there = About { environment: &elsewhere, ..about };
    let ahead = br#"{"measure": "page", "samples": 9, "p95_ms": 1, "measured_at": "2999-01-01T00:00:00Z"}"#;
    let workspace = &stage.workspace;
    for (error, expected) in [
        (workspace.add_coverage(&stage.ada, "x", b"", None, about).map(drop), "counts neither lines nor"),
        (workspace.add_coverage(&stage.ada, "x", lcov, None, there).map(drop), "stands in `production`"),
        (workspace.add_acceptance(&stage.ada, " ", true, None, about).map(drop), "`scope` of the predicate"),
        (workspace.add_acceptance(&stage.ada, scope, true, None, there).map(drop), "stands in `production`"),
        (workspace.add_performance(&stage.ada, "x", ahead, about).map(drop), "which is after now"),
        (workspace.add_performance(&stage.ada, "x", b"{}", about).map(drop), "missing field `measure`"),
    ] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{error} / {expected}");
    }
    assert_eq!(workspace.history(None, None).unwrap().len(), entries);
}

#[test]
fn evidence_that_is_brought_again_is_as_old_as_it_was() {
    let mut stage = untested(65);
    let ben = stage.with_ben(&["approver"], "");
    let plan = stage.plan("Orders", "staging");
    let entries = |stage: &Stage| stage.workspace.history(None, None).unwrap().len();
    let report =
        r#"<testsuite name="orders" timestamp="2026-06-01T10:00:00"><testcase name="a"/></testsuite>"#;
    let times = |stage: &Stage| -> Vec<_> {
        let facts = stage.workspace.facts(&plan, "2026-06-20T00:00:00Z".parse().unwrap(), true).unwrap();
        facts.evidence.unwrap().iter().map(|one| (one.claimed_at, one.received_at)).collect()
    };
    bring_report(&stage, report).unwrap();
    let (brought, first) = (entries(&stage), times(&stage));
    assert_eq!(first.len(), 1);
    stage.hand.set("2026-06-09T12:00:00Z");
    // The very statement says nothing new, nor does the report under another name.
    bring_report(&stage, report).unwrap();
    assert_eq!((entries(&stage), times(&stage)), (brought, first.clone()));
    stage.ada = ben;
    bring_report(&stage, report).unwrap();
    assert_eq!(times(&stage), [first[0], first[0]]);
    assert_eq!(refusal_by(&stage, &crate::stage::ada()), (Verdict::Deny, "tests.stale".into()));
    // Another run of the same tests is another report.
    bring_report(&stage, &report.replace("10:00:00", "11:00:00")).unwrap();
    assert!(times(&stage)[2].1 > first[0].1);
}

#[test]
fn a_statement_is_about_a_version_that_stands_where_it_was_made() {
    let stage = untested(66);
    let plan = stage.plan("Orders", "staging");
    let mut statement = passed(vec![bundle_subject(&plan.app, plan.bundle)]);
    statement.predicate.insert("environment".into(), "production".into());
    let envelope = statement.sign(&stage.ada.key).to_json();
    let entries = stage.workspace.history(None, None).unwrap().len();
    let error = stage.workspace.add_envelope(&stage.ada, "tests.json", &envelope).unwrap_err();
    assert!(error.to_string().contains("stands in `production`, so nothing was tested there"), "{error}");
    assert_eq!(stage.workspace.history(None, None).unwrap().len(), entries);
}
