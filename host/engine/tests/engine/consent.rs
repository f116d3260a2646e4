//! Waivers: asked for where they can lift something, and used nowhere else.

use jiff::SignedDuration;
use sluice_engine::act::{Waiver, What};
use sluice_engine::ambient::Ambient as _;
use sluice_engine::consent::{WAIVERS, WaiverRequest};
use sluice_engine::plan::Plan;
use sluice_engine::{Actor, Error};
use sluice_ledger::key::KeyPair;
use sluice_model::LogicalId;
use sluice_model::verdict::{Outcome, Verdict};
use zeroize::Zeroizing;

use crate::stage::{Stage, ada, environment};

/// What is in the way of promoting the newest version to production but for an open window.
fn closed() -> (Stage, Actor, Plan) {
    let mut stage = Stage::promoted();
    let ben = stage.with_ben(&["approver"], "");
    stage.promote("Orders", "staging").unwrap();
    stage.test("Orders", "staging", "production");
    // An evening, when the window is closed.
    stage.hand.set("2026-06-01T20:00:00Z");
    let plan = stage.plan("Orders", "production");
    stage.workspace.approve(&ben, &plan, None, None).unwrap();
    (stage, ben, plan)
}

fn asked(stage: &Stage, plan: &Plan) -> (Outcome, Vec<String>) {
    let decision = stage.workspace.decide(plan, None).unwrap().decision;
    (decision.outcome, decision.not_applied.into_iter().map(|not| not.reason).collect())
}

#[test]
fn a_waiver_counts_for_its_app_its_environment_its_time_and_with_two_people() {
    let (stage, ben, plan) = closed();
    assert_eq!(asked(&stage, &plan), (Outcome::Denied, vec![]));
    let waiver = waive(&stage, "window.closed", "production").unwrap();
    // By its author alone.
    assert_eq!(asked(&stage, &plan), (Outcome::Denied, vec!["nobody but `ada` has signed it".into()]));
    let own = stage.workspace.cosign(&stage.ada, waiver.number).unwrap_err();
    assert!(matches!(own, Error::NotPermitted { .. }), "{own}");
    // A signature under the author's own name, put there past the command, is none.
    let records = stage.workspace.records();
    let forged = What::WaiverCosigned { number: waiver.number };
    records.append(&stage.ada, WAIVERS, 1, forged, &Default::default()).unwrap();
    assert_eq!(asked(&stage, &plan).0, Outcome::Denied);
    // Nor one under another's name by a key that is not theirs.
    let pretender = Actor { name: "ben".into(), key: ada().key };
    let forged = What::WaiverCosigned { number: waiver.number };
    records.append(&pretender, WAIVERS, 2, forged, &Default::default()).unwrap();
    assert_eq!(asked(&stage, &plan).0, Outcome::Denied);
    stage.workspace.cosign(&ben, waiver.number).unwrap();
    assert_eq!(asked(&stage, &plan), (Outcome::Allowed, vec![]));

    // Into another environment it is no act at all, and for another code or app none that counts.
    let staging = stage.plan("Orders", "staging");
    let reliefs = stage.workspace.reliefs(&staging).unwrap();
    assert!(reliefs.is_empty(), "{reliefs:?}");
    let mut of_other = plan.clone();
    of_other.app = LogicalId::new("tooljet:another").unwrap();
    let (outcome, not_applied) = asked(&stage, &of_other);
    assert_eq!(outcome, Outcome::Denied);
    assert!(not_applied[0].starts_with("it is for another app"), "{not_applied:?}");
    // Later.
    stage.hand.set("2026-06-01T22:30:00Z");
    let (outcome, not_applied) = asked(&stage, &plan);
    assert_eq!(outcome, Outcome::Denied);
    assert!(not_applied[0].starts_with("it expired at"), "{not_applied:?}");
    assert!(matches!(stage.promote("Orders", "production"), Err(Error::Refused(_))));
}

#[test]
fn a_waiver_for_a_bundle_or_another_code_lifts_nothing_else() {
    let (stage, ben, plan) = closed();
    let older = stage.workspace.versions(&plan.app).unwrap()[0].bundle;
    let mut request = request(&stage, "window.closed", "production");
    request.bundle = Some(older);
    stage.workspace.waive(&stage.ada, &request).unwrap();
    waive(&stage, "window.frozen", "production").unwrap();
    for number in [1, 2] {
        stage.workspace.cosign(&ben, number).unwrap();
    }
    let (outcome, not_applied) = asked(&stage, &plan);
    assert_eq!(outcome, Outcome::Denied);
    assert!(not_applied[0].starts_with("it is for another bundle"), "{not_applied:?}");
    assert_eq!(not_applied[1], "no gate refuses by `window.frozen`");
    // Whoever signed it and left the configuration has signed nothing.
    request.bundle = Some(plan.bundle);
    stage.workspace.waive(&stage.ada, &request).unwrap();
    stage.workspace.cosign(&ben, 3).unwrap();
    assert_eq!(asked(&stage, &plan).0, Outcome::Allowed);
    let mut stage = stage;
    let other = KeyPair::from_seed(&Zeroizing::new([97; 32])).public().to_string();
    stage.configure(|text| text.replace(&ben.key.public().to_string(), &other));
    let (outcome, not_applied) = asked(&stage, &plan);
    assert_ne!(outcome, Outcome::Allowed);
    assert!(not_applied.iter().any(|reason| reason == "nobody but `ada` has signed it"), "{not_applied:?}");
}

fn waive(stage: &Stage, code: &str, to: &str) -> Result<Waiver, Error> {
    stage.workspace.waive(&stage.ada, &request(stage, code, to))
}

fn request(stage: &Stage, code: &str, to: &str) -> WaiverRequest {
    WaiverRequest {
        code: code.into(),
        app: "Orders".into(),
        bundle: None,
        environment: environment(to),
        reason: "it cannot wait".into(),
        ticket: "OPS-1".into(),
        expires: stage.hand.now() + SignedDuration::from_hours(1),
    }
}

#[test]
fn a_waiver_that_could_lift_nothing_is_refused() {
    let stage = Stage::copied(70);
    for (code, to, expected) in [
        ("nonsense.code", "production", "no policy that was adopted gives a finding `nonsense.code`"),
        ("window.close", "production", "did you mean `window.closed`?"),
        ("window.closed", "staging", "no gate before `staging` gives it for `Orders`"),
        ("tests.failed", "staging", "gate `test-evidence` is hard and not `waivable`"),
        ("gate.fault", "production", "no waiver lifts `gate.fault`"),
    ] {
        let error = waive(&stage, code, to).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
        let told = format!("{error}; {}", error.help().unwrap());
        assert!(told.contains(expected), "{code}: {told}");
    }
    assert_eq!(stage.workspace.waivers().unwrap(), []);
    // Those that a gate before production can give and that a waiver lifts.
    for code in ["window.closed", "window.frozen"] {
        assert_eq!(waive(&stage, code, "production").unwrap().code, code);
    }
    assert_eq!(stage.workspace.waivers().unwrap().len(), 2);
}

#[test]
fn a_waiver_lifts_what_the_table_lets_it_lift_and_nothing_inviolable() {
    let mut stage = Stage::copied(71);
    let undecided = "is hard, where a waiver lifts what is denied, and this leaves it undecided";
    let inviolable = "the policy of gate `protection` says that nothing does";
    let ways: [(&str, bool, &str, Option<&str>); 8] = [
        ("hard", true, "secrets.clear", Some(inviolable)),
        ("soft", false, "secrets.clear", Some(inviolable)),
        ("hard", true, "facts.missing", Some(undecided)),
        ("hard", true, "gate.silent", Some(undecided)),
        ("hard", true, "personal.found", None),
        ("hard", false, "personal.found", Some("is hard and not `waivable`")),
        ("soft", false, "facts.missing", None),
        ("warn", false, "personal.found", Some("gate `protection` refuses nothing, being warn")),
    ];
    let first = std::fs::read_to_string(stage.place().join("sluice.toml")).unwrap();
    for (level, waivable, code, expected) in ways {
        let waivable = if waivable { "waivable = true\n" } else { "" };
        let gate =
            format!("name = \"protection\"\npolicy = \"data-masking\"\nlevel = \"{level}\"\n{waivable}");
        stage.configure(|_| first.replacen("policy = \"data-masking\"\nlevel = \"hard\"\n", &gate, 1));
        match (waive(&stage, code, "staging"), expected) {
            (Ok(waiver), None) => assert_eq!(waiver.code, code),
            (Err(error), Some(expected)) => {
                assert!(error.to_string().contains(expected), "{level} {code}: {error}");
            }
            (result, _) => panic!("{level} {code}: {result:?}"),
        }
    }
}

#[test]
fn whose_key_was_replaced_approves_anew() {
    let (mut stage, ben, plan) = closed();
    let approved = |stage: &Stage| stage.workspace.approvals(&plan.digest).unwrap().len();
    assert_eq!(approved(&stage), 1);
    let renewed = Actor { name: "ben".into(), key: KeyPair::from_seed(&Zeroizing::new([96; 32])) };
    let (old, new) = (ben.key.public().to_string(), renewed.key.public().to_string());
    stage.configure(|text| text.replace(&old, &new));
    assert_eq!(approved(&stage), 0);
    assert!(matches!(stage.workspace.approve(&ben, &plan, None, None), Err(Error::NotPermitted { .. })));
    stage.workspace.approve(&renewed, &plan, None, None).unwrap();
    assert_eq!(approved(&stage), 1);
    let error = stage.workspace.approve(&renewed, &plan, None, None).unwrap_err();
    assert!(error.to_string().contains("`ben` has just approved this plan"), "{error}");
}

#[test]
fn who_has_approved_approves_again_to_say_more_or_when_it_has_run_out() {
    let mut stage = Stage::promoted();
    let ben = stage.with_ben(&["approver"], "");
    stage.promote("Orders", "staging").unwrap();
    stage.test("Orders", "staging", "production");
    stage.configure(|text| {
        let asked = "parameters = { roles = { approver = 1 }, ticket_required = true, max_age = \"1h\" }";
        text.replace("parameters = { roles = { approver = 1 } }", asked)
    });
    let plan = stage.plan("Orders", "production");
    let approve = |reason: Option<&str>, ticket: Option<&str>| {
        stage.workspace.approve(&ben, &plan, reason.map(str::to_owned), ticket.map(str::to_owned))
    };
    let told = || -> Vec<(String, Option<String>)> {
        let approvals = stage.workspace.approvals(&plan.digest).unwrap();
        approvals.into_iter().map(|approval| (approval.person, approval.ticket)).collect()
    };
    let codes = || -> Vec<String> {
        let decision = stage.workspace.decide(&plan, None).unwrap().decision;
        let findings = decision.gates.iter().flat_map(|gate| &gate.findings);
        findings.filter(|found| found.verdict != Verdict::Pass).map(|found| found.code.clone()).collect()
    };
    approve(None, None).unwrap();
    assert_eq!((told(), codes()), (vec![("ben".into(), None)], vec!["approvals.no-ticket".to_owned()]));
    for (reason, ticket) in [(None, None), (Some("seen"), None), (None, Some("CHG-7"))] {
        let first = reason.is_none() && ticket.is_none();
        assert_eq!(approve(reason, ticket).is_ok(), !first, "{reason:?} {ticket:?}");
        let error = approve(reason, ticket).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }
    let ben_with_a_ticket = vec![("ben".to_owned(), Some("CHG-7".to_owned()))];
    assert_eq!((told(), codes()), (ben_with_a_ticket.clone(), vec![]));
    // What was said is not withdrawn by saying less.
    approve(Some("seen twice"), None).unwrap();
    assert_eq!((told(), codes()), (ben_with_a_ticket.clone(), vec![]));
    stage.hand.set("2026-06-01T15:00:00Z");
    assert_eq!(codes(), ["approvals.missing", "approvals.no-ticket"]);
    approve(None, None).unwrap();
    assert_eq!((told(), codes()), (ben_with_a_ticket, vec![]));
    stage.promote("Orders", "production").unwrap();
    sluice_engine::audit::audit(&stage.store(), None, None).unwrap();
}
