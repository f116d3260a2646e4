//! Scenes of those who write policies.

use std::fs;

use crate::mistakes::{DENIED, DONE, FAILED, GATES, PENDING, USAGE, edit, ends, scene};
use crate::stage::Stage;
use crate::steps;

#[test]
fn a_policy_is_made_tested_looked_at_and_explained() {
    scene(
        "policy",
        Stage::empty(),
        &[
            ends(DONE, "init --name acme"),
            ends(DONE, "policy new change-size"),
            ends(USAGE, "policy new change-size"),
            ends(DONE, "policy test policies/change-size --coverage --threshold 100 --junit policies.xml"),
            ends(DONE, "policy lint"),
            ends(DONE, "policy explain size.large"),
            ends(DONE, "policy explain facts.missing"),
            ends(USAGE, "policy explain size.huge --path policies/change-size"),
            ends(USAGE, "policy explain size.larg"),
            ends(USAGE, "policy explain gate.faults"),
            ends(USAGE, "policy explain nothing.like-it --path policies/change-size"),
            edit("policies/change-size/policy.rhai", "count > params.most_changes", "count > params.most"),
            ends(FAILED, "policy lint policies/change-size"),
            ends(FAILED, "policy test policies/change-size --coverage"),
            edit(
                "policies/change-size/policy.rhai",
                "count > params.most",
                "count > 2 * params.most_changes",
            ),
            ends(FAILED, "policy test policies/change-size --threshold 90"),
            edit("policies/change-size/policy.rhai", "deny(", "denied("),
            ends(FAILED, "policy test policies/change-size"),
            ends(USAGE, "policy test policies/nowhere"),
        ],
    );
}

#[test]
fn a_pack_without_a_case_is_not_well_tested() {
    let mut stage = Stage::empty();
    stage.play(&ends(DONE, "init --name acme"));
    stage.play(&ends(DONE, "policy new change-size"));
    fs::remove_dir_all(stage.workspace().join("policies/change-size/tests")).unwrap();
    stage.told.clear();
    stage.play(&ends(FAILED, "policy test policies/change-size --junit policies.xml"));
    crate::answers::compare("policy-untested", &stage.told);
    let junit = fs::read_to_string(stage.workspace().join("policies.xml")).unwrap();
    assert!(junit.contains("failures=\"1\"") && junit.contains("has no case"), "{junit}");
}

#[test]
fn policies_are_tried_replayed_compared_and_rolled_out_on_what_was_decided() {
    let audit = "\n[[transition]]\non = [\"staging -> production\"]\n\n[[transition.gate]]\nname = \"tested-twice\"\n\
                 policy = \"test-evidence\"\nlevel = \"audit\"\nparameters.min_executed = 500\n\n[limits]";
    scene(
        "policy-past",
        steps::end(),
        &[
            ends(DONE, "policy replay"),
            ends(DONE, "policy replay --since 2999-01-01T00:00:00Z"),
            ends(USAGE, "policy replay --since lately"),
            ends(DENIED, "policy try --in production --refusal 1 --gate release-window"),
            ends(USAGE, "policy try policies/test-evidence --in staging --promotion 1 --parameter most=900"),
            ends(USAGE, "policy try --in production --refusal 1"),
            ends(USAGE, "policy try --in production --refusal 99 --gate release-window"),
            ends(USAGE, "policy try --in stagin --refusal 1"),
            ends(USAGE, "policy try --in production"),
            ends(USAGE, "policy try policies/approvals"),
            ends(
                DONE,
                "policy try policies/release-window --facts policies/release-window/tests/cases.toml --case 'open passes'",
            ),
            ends(
                USAGE,
                "policy try policies/release-window --facts policies/release-window/tests/cases.toml --case 'no such'",
            ),
            ends(
                FAILED,
                "policy try policies/release-window --facts policies/release-window/tests/cases.toml",
            ),
            ends(DONE, "policy diff --draft policies"),
            edit(
                "policies/test-evidence/policy.rhai",
                "let ",
                "undecided(\"tests.missing\", \"never\");\nlet ",
            ),
            ends(DONE, "policy diff --draft policies/test-evidence --since 90d"),
            edit("policies/test-evidence/policy.rhai", "undecided(\"tests.missing\", \"never\");\n", ""),
            ends(USAGE, "policy diff"),
            ends(USAGE, "policy diff --draft policies --draft policies/test-evidence"),
            ends(DONE, "policy rollout"),
            edit("sluice.toml", "[limits]", audit),
            ends(DONE, "config adopt"),
            ends(DONE, "policy rollout --least 1"),
        ],
    );
}

/// Parameters that are typed take the place of the gate's; ages in the trace differ from run to run.
#[test]
fn a_policy_is_tried_with_other_parameters() {
    let stage = steps::end();
    let pack = ["policy", "try", "policies/test-evidence", "--in", "staging", "--promotion", "1"];
    for (parameter, code, told) in [
        ("min_executed=2", DONE, "pass tests.passed"),
        ("min_executed=900", DENIED, "deny tests.too-few: 3 tests ran"),
        ("suites=[\"e2e\"]", PENDING, "undecided tests.missing"),
    ] {
        let answer = stage.output(&[&pack[..], &["--parameter", parameter]].concat(), "", &[]);
        assert_eq!(answer.code, code, "{parameter}: {}{}", answer.out, answer.talk);
        assert!(answer.out.contains(told) && answer.out.contains("executed = 3"), "{}", answer.out);
    }
}

/// A gate that was attached later is tried on what went before with its own parameters.
#[test]
fn a_policy_that_a_decision_did_not_ask_is_tried_as_it_is_attached_now() {
    let mut stage = steps::end();
    let tried = |stage: &Stage, more: &[&str]| {
        let pack = ["policy", "try", "policies/change-control", "--in", "staging", "--promotion", "1"];
        stage.output(&[&pack[..], more].concat(), "", &[])
    };
    let before = tried(&stage, &[]);
    assert_eq!(before.code, DONE, "{}{}", before.out, before.talk);
    assert!(before.out.contains("which did not ask it, with its own defaults"), "{}", before.out);
    let gate = "\n[[transition]]\non = [\"development -> staging\"]\n\n[[transition.gate]]\nname = \"small\"\n\
                policy = \"change-control\"\nlevel = \"audit\"\nparameters.max_objects = 1\n\n[limits]";
    stage.play(&edit("sluice.toml", "[limits]", gate));
    stage.play(&ends(DONE, "config adopt"));
    let after = tried(&stage, &[]);
    assert_eq!(after.code, DENIED, "{}{}", after.out, after.talk);
    assert!(after.out.contains("with the parameters of the gate `small`"), "{}", after.out);
    assert!(after.out.contains("deny size.objects"), "{}", after.out);
    assert_eq!(tried(&stage, &["--gate", "small"]).code, DENIED);
    let other = tried(&stage, &["--gate", "large"]);
    assert_eq!(other.code, USAGE);
    assert!(other.talk.contains("no gate `large` before staging"), "{}", other.talk);
}

/// What lies here hides no app: where an app was exported into a folder of its name it is still meant.
#[test]
fn an_app_is_meant_also_where_a_folder_is_called_like_it() {
    let mut stage = steps::before(GATES);
    fs::create_dir(stage.workspace().join("Orders")).unwrap();
    let check = ["check", "Orders", "--to", "staging"];
    let with_folder = stage.output(&check, "", &[]);
    fs::remove_dir(stage.workspace().join("Orders")).unwrap();
    let without = stage.output(&check, "", &[]);
    assert_eq!((with_folder.code, with_folder.out), (without.code, without.out));
    assert_eq!(without.code, PENDING);
    fs::create_dir(stage.workspace().join("Nobody")).unwrap();
    stage.play(&ends(USAGE, "check Nobody --release staging"));
}

/// The same plan's file, in the workspace and in a folder that has its policies and nothing else.
#[test]
fn a_plan_file_gives_its_verdict_where_there_is_no_store() {
    let mut stage = steps::before(GATES);
    stage.play(&ends(DONE, "plan Orders --to staging --out plan.json"));
    let here = stage.output(&["check", "plan.json", "--offline", "-o", "json"], "", &[]);
    assert_eq!(here.code, PENDING, "{}", here.talk);
    let store = stage.workspace().join(".sluice");
    fs::rename(&store, stage.home().join("store")).unwrap();
    let there = stage.output(&["check", "plan.json", "-o", "json"], "", &[]);
    assert_eq!((there.code, &there.out), (here.code, &here.out), "{}", there.talk);
    assert_eq!(stage.output(&["promote", "plan.json"], "", &[]).code, USAGE);
    let missing = stage.output(&["check", "missing.json"], "", &[]);
    assert_eq!(missing.code, USAGE);
    assert!(missing.talk.contains("there is no file `missing.json`"), "{}", missing.talk);
    fs::rename(stage.home().join("store"), &store).unwrap();
    stage.told.clear();
    for act in [
        ends(PENDING, "check plan.json --offline"),
        ends(PENDING, "check plan.json --offline -o markdown"),
        ends(USAGE, "check plan.json --to production"),
        ends(PENDING, "why plan.json --offline --at 2999-01-01T00:00:00Z"),
        ends(USAGE, "check Orders --to staging --offline"),
        ends(DENIED, "check orders.json"),
        ends(DENIED, "check orders.json --to staging -o json"),
        ends(DENIED, "check ./orders.json -o github"),
        ends(DENIED, "check orders.json -o sarif"),
        ends(DENIED, "check orders.json -o junit"),
        ends(USAGE, "check orders.json --release staging"),
        ends(USAGE, "check orders.json --to production"),
        ends(USAGE, "check orders.json --app Payments"),
        edit("orders.json", "SELECT id", "/* DE89370400440532013000 */ SELECT id"),
        ends(DENIED, "check orders.json"),
        edit("policies/test-evidence/policy.rhai", "let ", "let  "),
        ends(USAGE, "check plan.json --offline"),
        edit("plan.json", "\"request\"", "\"requests\""),
        ends(FAILED, "check plan.json"),
    ] {
        stage.play(&act);
    }
    crate::answers::compare("plan-file", &stage.told);
}
