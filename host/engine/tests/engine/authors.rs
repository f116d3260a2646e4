//! Four eyes: whose work a version holds does not approve it.

use std::collections::BTreeSet;

use sluice_engine::act::What;
use sluice_engine::import::ImportRequest;
use sluice_engine::{Actor, Error};
use sluice_model::verdict::Verdict;
use sluice_platform::InputFile;

use crate::stage::{Stage, environment, sample};

/// The sample app with a text in it changed.
fn with(from: &str, to: &str) -> InputFile {
    let mut file = sample("tooljet/orders-changed.json");
    let text = String::from_utf8(file.bytes).unwrap();
    assert!(text.contains(from), "{from}");
    file.bytes = text.replace(from, to).into_bytes();
    file
}

fn import(stage: &Stage, by: &Actor, file: InputFile) {
    let request = ImportRequest {
        environment: environment("development"),
        files: vec![file],
        confirm: None,
        distinct: BTreeSet::new(),
    };
    assert!(stage.workspace.import(by, &request).unwrap().changed);
}

const TEXT: &str = "Orders, billing API";

const HOST: &str = "orders-db.dev.example.com";

#[test]
fn who_imported_what_a_version_holds_is_one_of_its_authors() {
    type Play = fn(&Stage, &Actor);
    let ways: [(&str, &[&str], Play); 7] = [
        ("nobody else", &["ada"], |stage, _| import(stage, &stage.ada, with(TEXT, "By ada"))),
        ("the app", &["ada", "ben"], |stage, ben| import(stage, ben, with(TEXT, "By ben"))),
        ("what it shares", &["ada", "ben"], |stage, ben| {
            import(stage, ben, with(HOST, "db.ben.example.com"))
        }),
        ("changed again by another", &["ada", "ben"], |stage, ben| {
            import(stage, ben, with(TEXT, "By ben"));
            import(stage, &stage.ada, with(TEXT, "By ada"));
        }),
        ("before the version before", &["ada"], |stage, ben| {
            import(stage, ben, with(TEXT, "By ben"));
            stage.cut("3.0");
            import(stage, &stage.ada, with(TEXT, "By ada"));
        }),
        ("after it was cut", &["ada"], |stage, ben| {
            import(stage, &stage.ada, with(TEXT, "By ada"));
            stage.cut("4.0");
            import(stage, ben, with(TEXT, "By ben"));
        }),
        ("only judged", &["ada"], |stage, ben| {
            let looks = "Orders glpat-0123456789abcdefghij";
            import(stage, &stage.ada, with(TEXT, looks));
            let found = stage.workspace.suspicions(&mut stage.workspace.work()).unwrap();
            assert!(!found.is_empty(), "nothing of it looks like a secret");
            for suspicion in found {
                stage.workspace.judge(ben, &suspicion.named(), false, "a sample").unwrap();
            }
        }),
    ];
    for (way, expected, play) in ways {
        let mut stage = Stage::copied(210);
        let ben = stage.with_ben(&["approver", "builder"], "");
        stage.configure(|text| {
            let gate = "[[transition.gate]]\npolicy = \"approvals\"\nlevel = \"hard\"\nparameters = { roles = { approver = 1 } }\n\n";
            text.replacen("[[transition.gate]]\n", &format!("{gate}[[transition.gate]]\n"), 1)
        });
        play(&stage, &ben);
        if stage.workspace.version(&stage.plan("Orders", "staging").app, Some("4.0")).is_err() {
            stage.dismiss_suspicions();
            stage.cut("4.0");
        }
        stage.test("Orders", "development", "staging");
        let plan = stage.plan("Orders", "staging");
        let facts = stage.workspace.facts(&plan, "2026-06-01T20:00:00Z".parse().unwrap(), true).unwrap();
        assert_eq!(facts.plan.authors, expected, "{way}");
        stage.workspace.approve(&ben, &plan, None, None).unwrap();
        match stage.promote("Orders", "staging") {
            Ok(_) => assert!(!expected.contains(&"ben"), "{way}"),
            Err(Error::Refused(decision)) => {
                assert!(expected.contains(&"ben"), "{way}");
                let gate = decision.gates.iter().find(|gate| gate.verdict != Verdict::Pass).unwrap();
                assert_eq!(gate.findings[0].code, "approvals.missing", "{way}");
            }
            Err(error) => panic!("{way}: {error}"),
        }
    }
}

#[test]
fn a_version_that_is_cut_from_another_has_its_authors() {
    let mut stage = Stage::copied(211);
    let ben = stage.with_ben(&["builder"], "");
    import(&stage, &ben, with(TEXT, "By ben"));
    stage.cut("3.0");
    import(&stage, &stage.ada, with(TEXT, "By ada"));
    let cut = |version: &str, from: Option<&str>| {
        let request = sluice_engine::version::CutRequest {
            app: "Orders".into(),
            version: Some(version.into()),
            from: from.map(str::to_owned),
            note: None,
        };
        stage.workspace.cut(&stage.ada, &request).unwrap();
        let plan = stage.plan("Orders", "staging");
        assert_eq!(plan.version, version);
        let stream = sluice_engine::version::stream(&plan.app);
        let newest = stage.workspace.records().head(&stream).unwrap().unwrap().act;
        assert!(matches!(newest.what, What::VersionCut(_)));
        let facts = stage.workspace.facts(&plan, "2026-06-01T20:00:00Z".parse().unwrap(), true).unwrap();
        facts.plan.authors
    };
    assert_eq!(cut("3.0.1", Some("3.0")), ["ada", "ben"]);
    // The working copy has changed since 3.0 was cut, and by ada alone.
    assert_eq!(cut("4.0", None), ["ada"]);
}
