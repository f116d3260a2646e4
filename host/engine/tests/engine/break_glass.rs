//! Emergencies: who may, for what, for how long, and what comes after.

use jiff::SignedDuration;
use sluice_engine::ambient::Ambient as _;
use sluice_engine::audit::audit;
use sluice_engine::plan::Plan;
use sluice_engine::{Actor, Error};
use sluice_model::verdict::{Effect, Outcome};

use crate::stage::{NOT_A_SECRET, Stage, environment, furnishing};

const RULE: &str = "[break_glass]\nrole = \"release-manager\"";

/// 2.0 stands in staging, where it was not tested; `ben` approves and does not manage releases.
fn stage() -> (Stage, Actor) {
    let mut stage = Stage::promoted();
    let ben = stage.with_ben(&["approver"], RULE);
    stage.promote("Orders", "staging").unwrap();
    (stage, ben)
}

fn outcome(stage: &Stage, plan: &Plan) -> Outcome {
    stage.workspace.decide(plan, None).unwrap().decision.outcome
}

fn broken(stage: &Stage, actor: &Actor, plan: &Plan) -> Result<(), Error> {
    stage.workspace.break_glass(actor, plan, "orders are lost", "INC-7").map(drop)
}

fn not_permitted(result: Result<(), Error>, expected: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::NotPermitted { .. }), "{error}");
    let told = format!("{error}; {}", error.help().unwrap());
    assert!(told.contains(expected), "{told} / {expected}");
}

#[test]
fn the_named_role_breaks_it_a_second_person_signs_and_it_holds_an_hour_for_one_plan() {
    let (mut stage, ben) = stage();
    let plan = stage.plan("Orders", "production");
    assert_ne!(outcome(&stage, &plan), Outcome::Allowed);
    not_permitted(broken(&stage, &ben, &plan), "this is for people with the role `release-manager`");
    for (reason, ticket, expected) in [(" ", "INC-7", "a reason is wanted"), ("lost", " ", "needs a ticket")]
    {
        let error = stage.workspace.break_glass(&stage.ada, &plan, reason, ticket).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let unsigned = |plan| stage.workspace.cosign_break_glass(&ben, plan).unwrap_err().to_string();
    assert!(unsigned(&plan.digest).contains("nobody broke glass"), "{}", unsigned(&plan.digest));
    broken(&stage, &stage.ada, &plan).unwrap();
    assert!(stage.workspace.has_consent(&plan.digest).unwrap());
    assert_ne!(outcome(&stage, &plan), Outcome::Allowed, "by one person alone");
    let own = stage.workspace.cosign_break_glass(&stage.ada, &plan.digest).map(drop);
    not_permitted(own, "sign their own emergency act");
    let signed = stage.workspace.cosign_break_glass(&ben, &plan.digest).unwrap();
    assert_eq!((signed.by.as_str(), signed.cosigned.as_deref()), ("ada", Some("ben")));
    assert!(unsigned(&plan.digest).contains("nobody broke glass"));
    assert_eq!(outcome(&stage, &plan), Outcome::Allowed);

    // Another plan of the same version is another matter.
    let mut request = stage.request("Orders", "production");
    let object = plan.objects.iter().find(|object| object.name == "Orders").unwrap().object.clone();
    request.choices.insert(object, sluice_engine::plan::Choice::Overwrite);
    let other = stage.workspace.plan(&request).unwrap();
    assert_ne!(other.digest, plan.digest);
    assert_ne!(outcome(&stage, &other), Outcome::Allowed);

    // Who lost the role, or was named by a rule that is gone, has broken nothing.
    let managing = "roles = [\"builder\", \"approver\", \"release-manager\"]";
    for (old, new) in [(managing, "roles = [\"builder\", \"approver\"]"), (RULE, "")] {
        stage.configure(|text| {
            assert!(text.contains(old), "{text}");
            text.replace(old, new)
        });
        assert_ne!(outcome(&stage, &plan), Outcome::Allowed, "{new}");
        stage.configure(
            |text| if new.is_empty() { format!("{text}\n{RULE}\n") } else { text.replace(new, old) },
        );
        assert_eq!(outcome(&stage, &plan), Outcome::Allowed);
    }

    let after = |minutes| stage.hand.now() + SignedDuration::from_mins(minutes);
    let decided = |at| stage.workspace.decide(&plan, Some(at)).unwrap().decision;
    assert_eq!(decided(after(58)).outcome, Outcome::Allowed);
    let late = decided(after(61));
    assert_ne!(late.outcome, Outcome::Allowed);
    assert!(late.not_applied.iter().any(|not| not.reason.contains("held for one hour")), "{late:?}");
}

#[test]
fn without_a_rule_nobody_breaks_glass() {
    let stage = Stage::copied(90);
    let plan = stage.plan("Orders", "staging");
    not_permitted(broken(&stage, &stage.ada, &plan), "has no `[break_glass]` that names a role");
}

#[test]
fn what_it_lets_through_is_reviewed_before_the_app_goes_on() {
    let (stage, ben) = stage();
    let plan = stage.plan("Orders", "production");
    broken(&stage, &stage.ada, &plan).unwrap();
    stage.workspace.cosign_break_glass(&ben, &plan.digest).unwrap();
    assert_eq!(stage.workspace.reviews().unwrap(), []);
    let done = stage.promote("Orders", "production").unwrap();
    assert_eq!(done.review, Some(1));
    assert!(done.decision.gates.iter().any(|gate| gate.effect == Effect::Lifted));
    let [known] = &stage.workspace.reviews().unwrap()[..] else { panic!() };
    let review = &known.review;
    assert_eq!((review.by.as_str(), review.cosigned.as_str(), known.ran.as_str()), ("ada", "ben", "ada"));
    assert_eq!((review.promotion, &review.environment), (1, &environment("production")));

    // Nowhere, whatever the gates say; but what was done can be taken back.
    stage.cut("3.0");
    stage.test("Orders", "development", "staging");
    for request in [stage.request("Orders", "staging"), stage.release("Orders", None, "production")] {
        let Error::PlanRefused(plan) = stage.carry_out(request).unwrap_err() else { panic!() };
        let [problem] = &plan.problems[..] else { panic!("{:?}", plan.problems) };
        assert_eq!(problem.code, "review.open");
        assert!(problem.fix.starts_with("sluice review close 1 "), "{problem:?}");
    }
    assert_eq!(stage.workspace.plan(&stage.rollback("Orders", "production")).unwrap().problems, []);

    let close =
        |actor: &Actor, number, reason: &str| stage.workspace.close_review(actor, number, reason).map(drop);
    not_permitted(close(&stage.ada, 1, "all is well"), "anybody but `ada`");
    for (number, reason, expected) in [(2, "x", "no review `2`"), (1, " ", "a reason is wanted")] {
        let error = close(&ben, number, reason).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    close(&ben, 1, "tests were brought since").unwrap();
    let error = close(&ben, 1, "again").unwrap_err().to_string();
    assert!(error.contains("`ben` has closed review 1 already"), "{error}");
    stage.promote("Orders", "staging").unwrap();

    let told: Vec<String> =
        stage.workspace.history(None, None).unwrap().into_iter().map(|happened| happened.what).collect();
    for expected in [
        "broke glass for plan",
        "signed as the second person that glass was broken",
        "opened review 1 of promotion 1",
        "closed review 1: tests were brought since",
    ] {
        assert!(told.iter().any(|what| what.starts_with(expected)), "{expected}: {told:#?}");
    }
    audit(&stage.store(), None, None).unwrap();
}

#[test]
fn a_missing_slot_and_what_is_inviolable_stay_in_the_way() {
    let mut furnishing = furnishing();
    furnishing.policies.insert(
        "leak/policy.toml".into(),
        b"name = \"leak\"\nversion = \"1.0.0\"\ntitle = \"Nothing leaks\"\napi = 1\nfacts = [\"plan\"]\n\n\
          [findings.\"leak.found\"]\ndoc = \"Something leaks.\"\ninviolable = true\n"
            .to_vec(),
    );
    furnishing.policies.insert("leak/README.md".into(), b"# Leak\n".to_vec());
    furnishing.policies.insert(
        "leak/policy.rhai".into(),
        b"deny(\"leak.found\", \"something leaks\", #{ actual: 1, expected: 0 });".to_vec(),
    );
    let mut stage = Stage::furnished(&furnishing);
    let ben = stage.with_ben(&["approver"], RULE);
    stage.import("development", &["tooljet/orders.json"]).unwrap();
    stage.manage("Orders");
    stage.dismiss_suspicions();
    stage.cut("1.0");
    stage.furnish("Orders", &["staging"]);
    let emergency = |stage: &Stage| {
        let plan = stage.plan("Orders", "staging");
        broken(stage, &stage.ada, &plan).unwrap();
        stage.workspace.cosign_break_glass(&ben, &plan.digest).unwrap();
        plan
    };
    let plan = emergency(&stage);
    assert_eq!(outcome(&stage, &plan), Outcome::Allowed, "what was not tested is let through");
    let credential = stage.plan("Orders", "staging").sources[0].slots.values().next().unwrap().clone();
    let setting = sluice_engine::settings::Setting::Secret(credential.clone());
    stage.workspace.remove_setting(&stage.ada, &environment("staging"), &setting).unwrap();
    emergency(&stage);
    let Error::PlanRefused(refused) = stage.promote("Orders", "staging").unwrap_err() else { panic!() };
    assert_eq!(refused.problems[0].code, "slot.empty");
    stage.set_secret(&credential.to_string(), NOT_A_SECRET);

    stage.configure(|text| {
        text.replacen(
            "[[transition.gate]]",
            "[[transition.gate]]\npolicy = \"leak\"\nlevel = \"soft\"\n\n[[transition.gate]]",
            1,
        )
    });
    let plan = emergency(&stage);
    let Error::Refused(decision) = stage.promote("Orders", "staging").unwrap_err() else { panic!() };
    let gate = decision.gates.iter().find(|gate| gate.gate == "leak").unwrap();
    assert_eq!((gate.effect, gate.lifted.len()), (Effect::Refused, 0));
    // An override of that soft gate does not either.
    stage.workspace.override_gate(&stage.ada, &plan, "leak", "we know").unwrap();
    assert!(matches!(stage.promote("Orders", "staging"), Err(Error::Refused(_))));
    assert_eq!(stage.workspace.reviews().unwrap(), []);
    audit(&stage.store(), None, None).unwrap();
}
