//! What is promoted: versions of managed apps, under the name that their bundles have.

use serde_json::{Value, json};
use sluice_engine::Error;
use sluice_engine::plan::{Plan, PlanRequest, Wanted};
use sluice_engine::version::{CutReport, CutRequest, ManageRequest};
use sluice_platform::InputFile;

use crate::stage::{Stage, environment, sample};

const STRICT: &str = r#"
[[app]]
name = "Orders"
labels = ["payments"]

[[transition]]
on = ["development -> staging", "release staging", "rollback staging"]

[[transition.gate]]
name = "of-orders"
policy = "approvals"
level = "hard"
apps = ["Orders"]
parameters = { roles = { approver = 1 } }

[[transition.gate]]
name = "of-payments"
policy = "approvals"
level = "hard"
labels = ["payments"]
parameters = { roles = { approver = 1 } }
"#;

/// The sample app under another name.
fn called(name: &str) -> InputFile {
    let mut file = sample("tooljet/orders.json");
    let mut export: Value = serde_json::from_slice(&file.bytes).unwrap();
    export["app"][0]["definition"]["appV2"]["name"] = json!(name);
    file.bytes = serde_json::to_vec(&export).unwrap();
    file
}

fn import(stage: &Stage, name: &str) {
    stage.import_files("development", vec![called(name)], None).unwrap();
}

fn cut(stage: &Stage, app: &str, version: &str, from: Option<&str>) -> Result<CutReport, Error> {
    let request = CutRequest {
        app: app.into(),
        version: Some(version.into()),
        from: from.map(str::to_owned),
        note: None,
    };
    stage.workspace.cut(&stage.ada, &request)
}

/// 1.0 of the app is cut and tested, and nothing is in its way to staging.
fn orders() -> Stage {
    let stage = Stage::new();
    import(&stage, "Orders");
    stage.manage("Orders");
    stage.dismiss_suspicions();
    cut(&stage, "Orders", "1.0", None).unwrap();
    stage.furnish("Orders", &["staging"]);
    stage.test("Orders", "development", "staging");
    stage
}

fn version(app: &str, version: &str) -> PlanRequest {
    let transition =
        Wanted::Promotion { app: app.into(), version: Some(version.into()), to: environment("staging") };
    PlanRequest { transition, ..Stage::asked(app, "staging") }
}

fn strict_gates(plan: &Plan) -> usize {
    plan.gates.iter().filter(|gate| gate.name.starts_with("of-")).count()
}

#[test]
fn gates_are_chosen_by_the_name_that_the_bundle_has() {
    let mut stage = orders();
    stage.configure(|text| text + STRICT);
    let known = stage.workspace.plan(&version("Orders", "1.0")).unwrap();
    assert_eq!(strict_gates(&known), 2);
    assert!(matches!(stage.carry_out(version("Orders", "1.0")), Err(Error::Refused(_))));

    import(&stage, "Draft");
    for name in ["Draft", known.app.as_str()] {
        let plan = stage.workspace.plan(&version(name, "1.0")).unwrap();
        assert_eq!((plan.app_name.as_str(), plan.digest), ("Orders", known.digest), "{name}");
        let facts = stage.workspace.facts(&plan, "2026-06-01T13:00:00Z".parse().unwrap(), true).unwrap();
        assert_eq!((facts.app.name.as_str(), facts.app.labels), ("Orders", vec!["payments".to_owned()]));
        assert!(matches!(stage.carry_out(version(name, "1.0")), Err(Error::Refused(_))), "{name}");
    }
    // A version that is cut under the new name has the new name, and sheds nothing by it.
    cut(&stage, "Draft", "2.0", None).unwrap();
    let renamed = stage.workspace.plan(&version("Draft", "2.0")).unwrap();
    assert_eq!((renamed.app_name.as_str(), strict_gates(&renamed)), ("Draft", 2));

    // What is released, and what is taken back, are called as they were promoted.
    let plan = stage.workspace.plan(&version("Draft", "1.0")).unwrap();
    stage.workspace.approve(&stage.ada, &plan, None, None).unwrap();
    stage.carry_out(version("Draft", "1.0")).unwrap();
    for request in [stage.release("Draft", Some("1.0"), "staging"), stage.rollback("Draft", "staging")] {
        let plan = stage.workspace.plan(&request).unwrap();
        assert_eq!((plan.app_name.as_str(), strict_gates(&plan)), ("Orders", 2), "{:?}", plan.transition);
        assert!(matches!(stage.carry_out(request), Err(Error::Refused(_))));
    }
}

#[test]
fn an_app_that_is_called_otherwise_now_sheds_no_gate() {
    type Play = fn(&Stage);
    let ways: [(&str, &str, Play); 4] = [
        ("a version had the name", "Orders", |stage| {
            cut(stage, "Orders", "1.0", None).unwrap();
            import(stage, "Sales");
        }),
        ("an environment holds it under the name", "Orders", |stage| {
            let confirm = |error| match error {
                Error::MatchesToConfirm { digest, .. } => Some(digest),
                other => panic!("{other}"),
            };
            let asked = stage.import_files("production", vec![called("Orders")], None);
            if let Err(error) = asked {
                stage.import_files("production", vec![called("Orders")], confirm(error)).unwrap();
            }
            import(stage, "Sales");
        }),
        ("the working copy has the name by now", "Sales", |_| {}),
        ("its id is named", "ID", |stage| import(stage, "Sales")),
    ];
    for (way, pattern, play) in ways {
        let mut stage = Stage::new();
        import(&stage, "Orders");
        stage.manage("Orders");
        stage.dismiss_suspicions();
        let id = stage.workspace.app(&mut stage.workspace.work(), "Orders").unwrap().id;
        let pattern = if pattern == "ID" { id.as_str() } else { pattern };
        stage.configure(|text| text + STRICT.replace("Orders", pattern).as_str());
        play(&stage);
        cut(&stage, id.as_str(), "2.0", None).unwrap();
        stage.dismiss_suspicions();
        import(&stage, "Sales");
        stage.furnish(id.as_str(), &["staging"]);
        stage.test(id.as_str(), "development", "staging");
        let plan = stage.plan(id.as_str(), "staging");
        assert_eq!(strict_gates(&plan), 2, "{way}: {:?} {:?}", plan.app_name, plan.other_names);
        let facts = stage.workspace.facts(&plan, "2026-06-01T13:00:00Z".parse().unwrap(), true).unwrap();
        assert_eq!(facts.app.labels, ["payments"], "{way}");
        assert!(matches!(stage.promote(id.as_str(), "staging"), Err(Error::Refused(_))), "{way}");
        stage.workspace.approve(&stage.ada, &plan, None, None).unwrap();
        stage.promote(id.as_str(), "staging").unwrap();
        sluice_engine::audit::audit(&stage.store(), None, None).unwrap();
    }
}

#[test]
fn what_is_no_longer_managed_is_not_promoted() {
    let stage = orders();
    let mark = |object: &str, on: bool| {
        let request = ManageRequest { objects: vec![object.into()], with_dependencies: false, on };
        assert_eq!(stage.workspace.manage(&stage.ada, &request).unwrap().len(), 1);
    };
    let problems = || -> Vec<(String, String)> {
        let plan = stage.plan("Orders", "staging");
        plan.problems.into_iter().map(|problem| (problem.code, problem.fix)).collect()
    };
    for object in ["Orders", "orders-db"] {
        mark(object, false);
        let expected = ("object.unmanaged".to_owned(), format!("sluice manage \"{object}\""));
        assert_eq!(problems(), [expected]);
        assert!(matches!(stage.promote("Orders", "staging"), Err(Error::PlanRefused(_))));
        if object == "Orders" {
            for from in [None, Some("1.0")] {
                let error = cut(&stage, "Orders", "1.1", from).err().unwrap();
                assert!(error.to_string().contains("is not managed"), "{error}");
            }
        }
        mark(object, true);
        assert_eq!(problems(), []);
    }
    stage.promote("Orders", "staging").unwrap();
    // What is there already is not promoted again.
    mark("orders-db", false);
    assert_eq!(problems(), []);
    cut(&stage, "Orders", "1.1", Some("1.0")).unwrap();
}

#[test]
fn a_version_has_a_name_that_can_be_told() {
    let stage = orders();
    let long = "x".repeat(101);
    for name in ["", " ", "\u{a0}", " 2.0", "2.0 ", "2\n0", "2\u{1b}[31m0", &long] {
        let error = cut(&stage, "Orders", name, None).err().unwrap();
        assert!(matches!(error, Error::Invalid { .. }), "{name:?}: {error}");
    }
    assert_eq!(stage.workspace.versions(&stage.plan("Orders", "staging").app).unwrap().len(), 1);
    for name in ["2.0", "2.0 (Käse)", &long[..100]] {
        cut(&stage, "Orders", name, None).unwrap();
    }
}
