//! The suite: what it says of plugins that conform, and of one that does not.

use crate::built::{bytes, host};
use sluice_plugin::conformance::{Grade, Outcome, Suite, Weight};

/// All components that the build made, but those for tests, and those that are large for the
/// runtime in them, which `languages.rs` has.
fn shipped() -> Vec<String> {
    let folder = std::env::var_os("SLUICE_PLUGINS").map_or_else(
        || std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins"),
        std::path::PathBuf::from,
    );
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".wasm"))
        .filter(|name| !["aws-lambda.wasm", "firebird.wasm"].contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

#[test]
fn every_shipped_plugin_conforms() {
    let names = shipped();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        let report = Suite::default().run(host(), &name, &bytes(&name));
        for check in &report.checks {
            let fails = check.weight == Weight::Must && matches!(check.outcome, Outcome::Failed(_));
            assert!(!fails, "{name}: {}: {:#?}", check.title, check.outcome);
        }
        assert!(report.grade() >= Grade::Conforms);
        assert!(report.most_used.fuel > 0 && report.most_used.memory_bytes > 0);
    }
}

#[test]
fn what_a_plugin_must_not_do_is_found() {
    let adversary = bytes("test/adversary.wasm");
    for (act, id) in [
        ("decent", ""),
        ("trap", "transform"),
        ("source-host", "transform"),
        ("own-host", "transform"),
        ("made-up", "transform"),
        ("dialect", "transform"),
        ("wrong-id", "transform"),
        ("other-slot", "transform"),
        ("trap-late", "typed-errors"),
        ("invalid", "transform"),
        ("empty-slots", "credentials"),
        ("first-secret", "credentials"),
    ] {
        let suite = Suite { called: act.to_owned(), ..Suite::default() };
        let report = suite.run(host(), "adversary", &adversary);
        let fails = |id: &str| {
            report.checks.iter().any(|check| {
                check.id == id && check.weight == Weight::Must && matches!(check.outcome, Outcome::Failed(_))
            })
        };
        assert_eq!(report.grade() == Grade::Fails, !id.is_empty(), "{act}: {:#?}", report.checks);
        assert!(id.is_empty() || fails(id), "{act}: {:#?}", report.checks);
    }
    let report = Suite::default().run(host(), "text", b"(component)");
    assert_eq!(report.grade(), Grade::Fails);
    assert_eq!(report.checks.len(), 1);
}
