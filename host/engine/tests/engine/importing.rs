//! Imports outside of the first environment: what a version brought is compared, all else is a
//! baseline.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sluice_engine::import::{Difference, ImportReport};
use sluice_engine::version::CutRequest;
use sluice_model::ObjectKind;
use sluice_model::tree::Tree;
use sluice_platform::InputFile;

use crate::model::{PLUGINS, ungated};
use crate::stage::{Stage, environment, furnishing, sample};
use crate::taking_back::{folder, shared};

const MODULE_SQL: &str = "select name, phone from customers";
const LIBRARY_SQL: &str = "select rate from rates";

/// The folder of staging's platform: some of the app, the module and the other app, with other text in
/// all that stands in them.
fn files(lines: &[usize], changes: &[(&str, &str)]) -> Vec<InputFile> {
    let mut files = folder(false);
    for file in &mut files {
        let mut text = String::from_utf8(file.bytes.clone()).unwrap();
        if file.name == "application.json" {
            let all: Vec<&str> = text.lines().collect();
            text = lines.iter().map(|line| all[*line]).collect::<Vec<_>>().join("\n");
        }
        for (from, to) in changes {
            text = text.replace(from, to);
        }
        file.bytes = text.into_bytes();
    }
    files
}

fn counts(report: &ImportReport) -> (usize, usize, usize) {
    let summary = &report.summary;
    (summary.created, summary.updated, summary.deleted)
}

fn names(found: &[Difference]) -> Vec<&str> {
    let mut names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What an export of staging's app says.
fn exported(stage: &Stage, app: &str) -> String {
    let files = stage.workspace.export(&environment("staging"), app).unwrap().files;
    files.into_iter().map(|file| String::from_utf8(file.bytes).unwrap()).collect()
}

#[test]
fn what_a_version_brought_is_compared_and_never_overwritten() {
    const DISPATCH: usize = 0;
    const MODULE: usize = 1;
    const DEPOT: usize = 2;
    let other_module = (MODULE_SQL, "select name, iban from customers");
    let other_library = (LIBRARY_SQL, "select 0 as rate from rates");
    type Case<'a> = (&'a str, &'a [usize], &'a [(&'a str, &'a str)], &'a [&'a str], bool);
    let cases: [Case<'_>; 4] = [
        ("the module alone", &[MODULE], &[other_module], &["getCustomer"], false),
        ("another app over what is shared", &[DEPOT], &[other_library], &["1.0.0", "customerRate"], true),
        ("both apps", &[DISPATCH, MODULE, DEPOT], &[other_module], &["getCustomer"], true),
        ("the promoted app", &[DISPATCH, MODULE], &[("countLate", "countSoon")], &["countSoon"], false),
    ];
    for (case, lines, changes, differ, has_baseline) in cases {
        let stage = shared();
        stage.promote("Dispatch", "staging").unwrap();
        let before = stage.content("staging");
        let report = stage.import_files("staging", files(lines, changes), None).unwrap();
        let differing: Vec<&Difference> =
            report.differences.iter().filter(|found| found.kind != ObjectKind::DataSource).collect();
        for name in differ {
            assert!(differing.iter().any(|found| found.name == *name), "{case}: {:#?}", report.differences);
        }
        assert!(report.summary.learnt > 0, "{case}");
        assert!(report.summary.baseline, "{case}");
        let (created, updated, deleted) = counts(&report);
        assert_eq!((updated, deleted), (0, 0), "{case}: {:#?}", report.changes);
        assert_eq!(created > 0, has_baseline, "{case}");
        assert_eq!(report.changes.len(), created, "{case}");
        assert_eq!(stage.content("staging") != before, has_baseline, "{case}");
        for (_, to) in changes {
            assert!(!exported(&stage, "Dispatch").contains(to), "{case}");
        }
        let depot = stage.workspace.status().unwrap().into_iter().find(|row| row.name == "Depot").unwrap();
        assert_eq!(depot.cells[1].holds.as_deref(), has_baseline.then_some("imported"), "{case}");
        // Nothing of it is in the way of a rollback.
        let plan = stage.workspace.plan(&stage.rollback("Dispatch", "staging")).unwrap();
        assert_eq!(plan.problems, [], "{case}");
        stage.carry_out(stage.rollback("Dispatch", "staging")).unwrap();
        sluice_engine::audit::audit(&stage.store(), None, None).unwrap();
    }
}

/// What staging holds of each app, and the app whose version a module's is.
fn told(stage: &Stage) -> BTreeMap<String, [Option<String>; 2]> {
    let rows = stage.workspace.status().unwrap();
    rows.into_iter()
        .map(|mut row| (row.name, [row.cells[1].holds.take(), row.cells[1].with.take()]))
        .collect()
}

#[test]
fn what_an_earlier_version_brought_is_there_to_go_back_to() {
    let some = |text: &str| Some(text.to_owned());
    let stage = shared();
    stage.promote("Dispatch", "staging").unwrap();
    let first = stage.content("staging");
    // The next version uses nothing of what is shared, nor the module.
    stage.import_files("development", folder(true), None).unwrap();
    let request = CutRequest { app: "Dispatch".into(), version: None, from: None, note: None };
    stage.workspace.cut(&stage.ada, &request).unwrap();
    stage.promote("Dispatch", "staging").unwrap();
    let second = stage.content("staging");
    let changes = [
        (MODULE_SQL, "select name, iban from customers"),
        (LIBRARY_SQL, "select 0 as rate from rates"),
        ("dispatch-db.dev.example.com", "changed-db.example.com"),
    ];
    let report = stage.import_files("staging", files(&[1], &changes), None).unwrap();
    assert_eq!((counts(&report), stage.content("staging")), ((0, 0, 0), second), "{:#?}", report.changes);
    let differing = names(&report.differences);
    assert!(differing.contains(&"getCustomer") && differing.contains(&"customerRate"), "{differing:?}");
    stage.carry_out(stage.rollback("Dispatch", "staging")).unwrap();
    assert_eq!(stage.content("staging"), first);
    assert_eq!(told(&stage)["Customer card"], [some("v1"), some("Dispatch")]);
    stage.carry_out(stage.rollback("Dispatch", "staging")).unwrap();
    assert_eq!(stage.count("staging"), 0);
    sluice_engine::audit::audit(&stage.store(), None, None).unwrap();
}

#[test]
fn what_is_the_platforms_again_is_rendered_no_more() {
    let stage = shared();
    stage.promote("Dispatch", "staging").unwrap();
    // The platform has the other app over the same source, which therefore outlives the promotion.
    stage.import_files("staging", files(&[2], &[]), None).unwrap();
    stage.carry_out(stage.rollback("Dispatch", "staging")).unwrap();
    let rendered = || {
        let mut work = stage.workspace.work();
        let (_, state) = stage.workspace.environment(&mut work, &environment("staging")).unwrap();
        Tree::at(state.rendered).entries(&work).unwrap().len()
    };
    assert_eq!(rendered(), 1);
    stage.import_files("staging", files(&[2], &[("\"host\":\"", "\"host\":\"new.")]), None).unwrap();
    assert_eq!(rendered(), 0);
    assert!(exported(&stage, "Depot").contains("new."));
    sluice_engine::audit::audit(&stage.store(), None, None).unwrap();
}

#[test]
fn a_baseline_is_read_again_until_a_version_takes_its_place() {
    let stage = shared();
    let changed = [(MODULE_SQL, "select name, iban from customers")];
    let first = stage.import_files("staging", files(&[0, 1, 2], &[]), None).unwrap();
    assert!(first.summary.created > 0 && first.differences.is_empty());
    let second = stage.import_files("staging", files(&[0, 1, 2], &changed), None).unwrap();
    assert_eq!((counts(&second), names(&second.changes)), ((0, 1, 0), vec!["getCustomer"]));
    assert!(second.differences.is_empty());
    let same = stage.import_files("staging", files(&[0, 1, 2], &changed), None).unwrap();
    assert!(!same.changed && same.changes.is_empty() && same.differences.is_empty());
    // The version of the one app brings the module; the other app's is the platform's still.
    stage.promote("Dispatch", "staging").unwrap();
    let renamed = [changed[0], ("\"name\":\"Depot\"", "\"name\":\"Depot two\"")];
    let third = stage.import_files("staging", files(&[0, 1, 2], &renamed), None).unwrap();
    assert_eq!(names(&third.changes), ["Depot two"]);
    assert!(names(&third.differences).contains(&"getCustomer"), "{:#?}", third.differences);
}

#[test]
fn a_module_shows_the_version_it_came_with() {
    let stage = shared();
    stage.promote("Dispatch", "staging").unwrap();
    let told = || told(&stage);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        told(),
        BTreeMap::from([
            ("Customer card".to_owned(), [some("v1"), some("Dispatch")]),
            ("Depot".to_owned(), [None, None]),
            ("Dispatch".to_owned(), [some("v1"), None]),
        ])
    );
    stage.carry_out(stage.rollback("Dispatch", "staging")).unwrap();
    assert!(told().values().all(|told| *told == [None, None]), "{:?}", told());
}

/// The sample with a host of the environment's own, as if its platform said so.
fn saying(host: &str, environment: &str) -> Vec<InputFile> {
    let mut file = sample("tooljet/orders.json");
    let text = String::from_utf8(file.bytes).unwrap();
    let was = format!("orders-db.{environment}.example.com");
    assert!(text.contains(&was));
    file.bytes = text.replace(&was, host).into_bytes();
    vec![file]
}

#[test]
fn the_environments_own_word_on_its_options_comes_first_and_then_the_newest() {
    let stage = ungated(&furnishing(), &PLUGINS);
    let orders_db = "d20000d1-0000-4000-8000-000000000001".parse().unwrap();
    let proposed = |of: &str| {
        let proposal = stage.workspace.proposal(&mut stage.workspace.work(), &environment(of), &orders_db);
        proposal.unwrap().unwrap().options["host"]["value"].as_str().unwrap().to_owned()
    };
    stage.import_files("development", saying("guess.example.com", "staging"), None).unwrap();
    assert_eq!(proposed("staging"), "guess.example.com");
    stage.import_files("staging", saying("guess-of-staging.example.com", "prod"), None).unwrap();
    assert_eq!(proposed("staging"), "orders-db.staging.example.com", "its own import knows");
    assert_eq!(proposed("production"), "guess-of-staging.example.com", "the newest");
    stage.import_files("development", saying("later-guess.example.com", "staging"), None).unwrap();
    assert_eq!(proposed("staging"), "orders-db.staging.example.com");
    // What development said of production is as old as it was.
    assert_eq!(proposed("production"), "guess-of-staging.example.com");
    stage.import_files("development", saying("latest.example.com", "prod"), None).unwrap();
    assert_eq!(proposed("production"), "latest.example.com");
    // Its platform has a place for production's options, and nothing in it.
    let mut file = sample("tooljet/orders.json");
    let mut export: Value = serde_json::from_slice(&file.bytes).unwrap();
    export["app"][0]["definition"]["appV2"]["dataSourceOptions"][2]["options"] = json!({});
    file.bytes = serde_json::to_vec(&export).unwrap();
    assert!(stage.import_files("staging", vec![file], None).unwrap().changed);
    assert_eq!(proposed("production"), "latest.example.com");
    stage.workspace.adopt_binding(&stage.ada, &environment("staging"), &orders_db).unwrap();
    let mut work = stage.workspace.work();
    let settings = stage.workspace.settings(&mut work, &environment("staging")).unwrap();
    let binding = settings.binding(&work, &orders_db).unwrap().unwrap();
    assert_eq!(binding.options["host"]["value"], "orders-db.staging.example.com");
}

#[test]
fn a_platform_with_nothing_in_its_own_place_does_not_speak_against_what_others_said() {
    let orders_db = "d20000d1-0000-4000-8000-000000000001".parse().unwrap();
    for is_known in [false, true] {
        let stage = ungated(&furnishing(), &PLUGINS);
        stage.import_files("development", saying("guess.example.com", "staging"), None).unwrap();
        if is_known {
            stage.import_files("staging", saying("own.example.com", "staging"), None).unwrap();
        }
        let mut file = sample("tooljet/orders.json");
        let mut export: Value = serde_json::from_slice(&file.bytes).unwrap();
        export["app"][0]["definition"]["appV2"]["dataSourceOptions"][1]["options"] = json!({});
        file.bytes = serde_json::to_vec(&export).unwrap();
        stage.import_files("staging", vec![file], None).unwrap();
        stage.workspace.adopt_binding(&stage.ada, &environment("staging"), &orders_db).unwrap();
        let mut work = stage.workspace.work();
        let settings = stage.workspace.settings(&mut work, &environment("staging")).unwrap();
        let binding = settings.binding(&work, &orders_db).unwrap().unwrap();
        assert_eq!(binding.options["host"]["value"], "guess.example.com", "{is_known}");
    }
}

#[test]
fn what_was_found_in_one_app_outlives_the_import_of_another() {
    let stage = shared();
    let remembered = || -> BTreeMap<String, Vec<u8>> {
        let files = std::fs::read_dir(stage.workspace.cache_folder()).unwrap();
        let named = |file: &std::fs::DirEntry| file.file_name().into_string().unwrap();
        files
            .map(|file| file.unwrap())
            .map(|file| (named(&file), std::fs::read(file.path()).unwrap()))
            .collect()
    };
    let before = stage.plan("Dispatch", "staging");
    let known = remembered();
    assert!(known.keys().any(|name| name.starts_with("ids-")), "{:?}", known.keys());
    // The other app's id is one more that content may name.
    stage.import("development", &["tooljet/orders.json"]).unwrap();
    assert_eq!(stage.plan("Dispatch", "staging"), before);
    let after = remembered();
    assert!(after.keys().eq(known.keys()), "{:?}", after.keys());
    assert!(after == known, "something was looked at again");

    // What nobody asked for in a long time goes when something new is kept.
    let old = stage.workspace.cache_folder().join("points-0-of-old.json");
    for (days, is_there) in [(29, true), (31, false)] {
        std::fs::write(&old, "{}").unwrap();
        let written = std::time::SystemTime::now() - std::time::Duration::from_secs(days * 24 * 60 * 60);
        std::fs::File::options().write(true).open(&old).unwrap().set_modified(written).unwrap();
        let changed = [("countLate", if is_there { "countSoon" } else { "countNever" })];
        stage.import_files("development", files(&[0, 1, 2], &changed), None).unwrap();
        let request = CutRequest { app: "Dispatch".into(), version: None, from: None, note: None };
        stage.workspace.cut(&stage.ada, &request).unwrap();
        stage.plan("Dispatch", "staging");
        assert_eq!(old.exists(), is_there, "{days} days");
    }
}

#[test]
fn a_value_that_the_target_writes_in_other_letters_is_its_own() {
    for (own, expected) in [("orders-db.staging.example.com", 1), ("Orders-DB.Dev.example.com", 0)] {
        let stage = ungated(&furnishing(), &PLUGINS);
        let mut file = saying(own, "staging").remove(0);
        let text = String::from_utf8(file.bytes).unwrap();
        file.bytes = text.replace("SELECT id", "/* orders-db.dev.example.com */ SELECT id").into_bytes();
        stage.import_files("development", vec![file], None).unwrap();
        stage.manage("Orders");
        stage.dismiss_suspicions();
        stage.cut("1.0");
        stage.furnish("Orders", &["staging"]);
        assert_eq!(stage.plan("Orders", "staging").points_at_source.len(), expected, "{own}");
    }
}
