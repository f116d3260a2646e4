//! Which plugins count: what the lock, a publisher's signature and a revocation make of them.

use std::fs;

use sluice_engine::ambient::Ambient as _;
use sluice_engine::attest::PluginWord;
use sluice_engine::config::PluginName;
use sluice_engine::evidence::{PluginPredicate, Release, Validated, plugin_subject};
use sluice_engine::install::{Differences, Incoming, install, prepare, remove};
use sluice_engine::lock::{LOCK_FILE, Lock, signature_path};
use sluice_ledger::key::KeyPair;
use sluice_ledger::statement::Statement;
use sluice_model::Digest;
use sluice_plugin::conformance::{Outcome, Report, Suite, Weight};
use sluice_plugin::manifest::Manifest;
use sluice_plugin::{Host, Limits};
use sluice_policy::facts;
use zeroize::Zeroizing;

use crate::stage::{Stage, furnishing};

fn key(seed: u8) -> KeyPair {
    KeyPair::from_seed(&Zeroizing::new([seed; 32]))
}

fn name(text: &str) -> PluginName {
    text.parse().unwrap()
}

fn sql() -> Vec<u8> {
    furnishing().plugins.remove("sql.wasm").unwrap()
}

/// The version that its manifest says.
fn version_of(component: &[u8]) -> String {
    Manifest::read(component).unwrap().unwrap().version
}

/// What a publisher says of a component, signed.
fn signature(by: &KeyPair, component: Digest, version: &str) -> Vec<u8> {
    let said_at = "2026-01-05T12:00:00Z".parse().unwrap();
    let release = PluginPredicate::Release(Release { version: version.into(), said_at });
    let statement = Statement {
        subject: vec![plugin_subject("sql", component)],
        predicate_type: release.predicate_type().to_owned(),
        predicate: release.to_predicate(),
    };
    statement.sign(by).to_json()
}

fn publisher(name: &str, key: &KeyPair) -> String {
    format!("\n[[publisher]]\nname = \"{name}\"\nkey = \"{}\"\n", key.public())
}

/// The error with which the files of a workspace are refused.
fn refused(stage: &Stage) -> String {
    match stage.workspace.proposed() {
        Ok(_) => panic!("it is taken"),
        Err(error) => error.to_string(),
    }
}

fn with_lock(stage: &Stage, change: impl FnOnce(&mut Lock)) {
    let mut lock = Lock::read(&stage.place()).unwrap();
    change(&mut lock);
    fs::write(stage.place().join(LOCK_FILE), lock.to_toml()).unwrap();
}

#[test]
fn a_plugin_counts_by_the_lock_and_nothing_else() {
    let stage = Stage::new();
    let lock = Lock::read(&stage.place()).unwrap();
    fs::remove_file(stage.place().join(LOCK_FILE)).unwrap();
    assert!(refused(&stage).contains("`sluice.lock` does not have it"));
    fs::write(stage.place().join(LOCK_FILE), lock.to_toml()).unwrap();
    assert!(stage.workspace.proposed().is_ok());

    with_lock(&stage, |lock| lock.0.get_mut(&name("sql")).unwrap().digest = Digest::of(b"another"));
    assert!(refused(&stage).contains("plugin `sql` does not count"));
    // And with what was adopted the same is refused, whatever the component is.
    assert!(stage.promote("Orders", "staging").is_err());
}

#[test]
fn a_publisher_counts_who_is_allowed_and_signed_this_component() {
    let mut stage = Stage::new();
    let (acme, other) = (key(40), key(41));
    stage.configure(|text| format!("{text}{}", publisher("sluice", &acme)));
    let component = sql();
    let digest = Digest::of(&component);
    let says = version_of(&component);
    let beside = signature_path(&stage.place().join("plugins/sql.wasm"));
    with_lock(&stage, |lock| {
        let locked = lock.0.get_mut(&name("sql")).unwrap();
        locked.vouched = None;
        locked.publisher = Some("sluice".parse().unwrap());
        locked.version = Some(says.clone());
    });
    let cases: [(&str, Option<Vec<u8>>, &str); 6] = [
        ("missing", None, "cannot be read"),
        ("no signature", Some(b"{}".to_vec()), "its signature is none"),
        ("another's", Some(signature(&other, digest, &says)), "not its publisher's"),
        ("another component's", Some(signature(&acme, Digest::of(b"x"), &says)), "for another component"),
        ("another version's", Some(signature(&acme, digest, "1.3.0")), "as version 1.3.0"),
        ("good", Some(signature(&acme, digest, &says)), ""),
    ];
    for (case, bytes, said) in cases {
        match bytes {
            Some(bytes) => fs::write(&beside, bytes).unwrap(),
            None => drop(fs::remove_file(&beside)),
        }
        match stage.workspace.proposed() {
            Ok(_) => assert_eq!(said, "", "{case}"),
            Err(error) => assert!(!said.is_empty() && error.to_string().contains(said), "{case}: {error}"),
        }
    }
    // A version that its manifest does not say is none.
    fs::write(&beside, signature(&acme, digest, "1.3.0")).unwrap();
    with_lock(&stage, |lock| lock.0.get_mut(&name("sql")).unwrap().version = Some("1.3.0".into()));
    assert!(refused(&stage).contains("says version 1.3.0, and its manifest says"));
    fs::write(&beside, signature(&acme, digest, &says)).unwrap();
    with_lock(&stage, |lock| lock.0.get_mut(&name("sql")).unwrap().version = Some(says.clone()));
    let candidate = stage.workspace.proposed().unwrap();
    let changes = stage.workspace.config_diff(&candidate);
    assert!(changes.iter().any(|change| change.contains("`sluice` signed it")), "{changes:?}");
}

#[test]
fn a_publisher_that_is_no_longer_allowed_refuses() {
    let mut stage = Stage::new();
    let acme = key(40);
    stage.configure(|text| format!("{text}{}", publisher("acme", &acme)));
    let file = stage.place().join("sluice.toml");
    let rename = |from: &str, to: &str| {
        let name = |name: &str| publisher(name, &acme);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace(&name(from), &name(to))).unwrap();
    };
    let host = Host::new(Limits::default()).unwrap();
    let component = sql();
    let signatures = vec![
        signature(&key(41), Digest::of(&component), "1.2.0"),
        signature(&acme, Digest::of(&component), "1.2.0"),
    ];
    let incoming = Incoming { component, signatures, source: "./sql.wasm".into(), vouched: None };
    // Its manifest says whose it is.
    let error = install(&stage.place(), &host, &name("sql"), incoming.clone()).unwrap_err().to_string();
    assert!(error.contains("`acme` signed it, and its manifest says it is of `sluice`"), "{error}");
    rename("acme", "sluice");
    // And which version: an old one that was signed well is not a new one.
    let error = install(&stage.place(), &host, &name("sql"), incoming.clone()).unwrap_err().to_string();
    assert!(error.contains("signed it as version 1.2.0, and its manifest says"), "{error}");
    let says = version_of(&incoming.component);
    let signatures = vec![signature(&acme, Digest::of(&incoming.component), &says)];
    let incoming = Incoming { signatures, ..incoming };
    let installed = install(&stage.place(), &host, &name("sql"), incoming).unwrap();
    assert_eq!(installed.locked.publisher.as_ref().map(ToString::to_string).as_deref(), Some("sluice"));
    assert_eq!(installed.locked.version, Some(says));
    let candidate = stage.workspace.proposed().unwrap();
    stage.workspace.adopt(&stage.ada, candidate).unwrap();
    rename("sluice", "somebody");
    assert!(refused(&stage).contains("its publisher `sluice` is not allowed"));
}

#[test]
fn nothing_is_changed_by_what_is_not_installed() {
    let stage = Stage::new();
    let host = Host::new(Limits::default()).unwrap();
    let files = || {
        let read = |file: &str| fs::read(stage.place().join(file)).ok();
        ["sluice.toml", LOCK_FILE, "plugins/sql.wasm", "plugins/other.wasm"].map(read)
    };
    let before = files();
    let incoming = |component: Vec<u8>, vouched: Option<&str>| Incoming {
        component,
        signatures: vec![],
        source: "./x.wasm".into(),
        vouched: vouched.map(str::to_owned),
    };
    for (called, incoming, said) in [
        ("sql", incoming(sql(), None), "it is not signed"),
        ("sql", incoming(sql(), Some(" ")), "it is not signed"),
        ("sql", incoming(b"no component".to_vec(), Some("x")), "not a component"),
        ("other", incoming(sql(), Some("x")), "serves the kind"),
    ] {
        let error = install(&stage.place(), &host, &name(called), incoming).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(files(), before, "{said}");
    }
    assert!(remove(&stage.place(), &name("nothing")).is_err());
    assert_eq!(files(), before);
    remove(&stage.place(), &name("sql")).unwrap();
    assert!(!stage.place().join("plugins/sql.wasm").exists());
    assert!(!Lock::read(&stage.place()).unwrap().0.contains_key(&name("sql")));
    // Put back it is as it was, but for where it came from.
    install(&stage.place(), &host, &name("sql"), incoming(sql(), Some("ours"))).unwrap();
    assert!(stage.workspace.proposed().is_ok());
}

/// The component with the text at its first place, of the same length, replaced.
fn with(mut component: Vec<u8>, old: &str, new: &str) -> Vec<u8> {
    let at = component.windows(old.len()).position(|part| part == old.as_bytes()).unwrap();
    component[at..at + old.len()].copy_from_slice(new.as_bytes());
    component
}

#[test]
fn what_differs_from_before_is_said_only_where_it_could_be_compared() {
    let stage = Stage::new();
    let host = Host::new(Limits::default()).unwrap();
    let file = stage.place().join("plugins/sql.wasm");
    let incoming = |component: &[u8]| Incoming {
        component: component.to_vec(),
        signatures: vec![],
        source: "./x.wasm".into(),
        vouched: Some("tried".into()),
    };
    let blind = with(sql(), "ssl_enabled", "ssl_enableD");
    let differs = |component: &[u8], with_store: bool| {
        let incoming = incoming(component);
        let prepared = match with_store {
            true => stage.workspace.prepare_plugin(&name("sql"), incoming),
            false => prepare(&stage.place(), &host, &name("sql"), incoming),
        };
        prepared.unwrap().installed.differences
    };
    let known = differs(&blind, false);
    let Differences::Known(found) = &known else { panic!("{known:?}") };
    assert!(found.iter().any(|one| one.ends_with("the option `/ssl_enabled/value` is gone")), "{found:?}");
    assert_eq!(differs(&sql(), false), Differences::Known(Vec::new()));
    // A custom section more, which says nothing.
    let same = [&sql()[..], &[0, 2, 1, b'x']].concat();
    assert_eq!(differs(&same, false), Differences::Known(Vec::new()));

    let is_unknown = |differences: Differences, why: &str| match differences {
        Differences::Unknown(said) => assert!(said.contains(why), "{said}"),
        Differences::Known(found) => panic!("{why}: {found:?}"),
    };
    // Where the file is no longer what was locked the store has it, if anybody does.
    fs::write(&file, &blind).unwrap();
    assert_eq!(differs(&blind, true), known);
    is_unknown(differs(&blind, false), "another component than `sluice.lock` has, and there is no store");
    fs::remove_file(&file).unwrap();
    assert_eq!(differs(&blind, true), known);
    is_unknown(differs(&blind, false), "is gone, and there is no store");
    with_lock(&stage, |lock| lock.0.get_mut(&name("sql")).unwrap().digest = Digest::of(b"never adopted"));
    is_unknown(differs(&blind, true), "is gone, and the store does not have it");

    // What was there loads no more.
    for (old, why) in [
        (b"no component".to_vec(), "component"),
        (with(sql(), "sluice:plugin/secrets@1.0.0", "sluice:plugin/secrets@9.0.0"), "cannot be loaded"),
    ] {
        fs::write(&file, &old).unwrap();
        with_lock(&stage, |lock| lock.0.get_mut(&name("sql")).unwrap().digest = Digest::of(&old));
        is_unknown(differs(&blind, true), why);
    }
}

#[test]
fn a_revoked_plugin_makes_no_data_source() {
    let stage = Stage::promoted();
    let problems = |stage: &Stage| -> Vec<String> {
        stage.plan("Orders", "staging").problems.iter().map(|problem| problem.code.clone()).collect()
    };
    assert!(!problems(&stage).contains(&"plugin.revoked".to_owned()));
    let revoked = PluginWord::Revoked { reason: "a hole".into() };
    stage.workspace.add_plugin_word(&stage.ada, "sql", revoked).unwrap();
    assert!(problems(&stage).contains(&"plugin.revoked".to_owned()));
    assert!(stage.promote("Orders", "staging").is_err());
}

/// What the suite finds of a component.
fn report(component: &[u8]) -> Report {
    Suite::default().run(&Host::new(Limits::default()).unwrap(), "sql", component)
}

fn told(stage: &Stage, name: &str) -> facts::Plugin {
    stage.workspace.told_of_plugins().unwrap().into_iter().find(|plugin| plugin.name == name).unwrap()
}

#[test]
fn what_conforms_is_certified_and_what_was_found_is_kept() {
    let stage = Stage::promoted();
    assert_eq!(stage.workspace.component("sql").unwrap(), sql());
    assert!(stage.workspace.component("sqll").is_err());
    let good = report(&sql());
    let mut failing = good.clone();
    let must = failing.checks.iter_mut().find(|check| check.weight == Weight::Must).unwrap();
    must.outcome = Outcome::Failed(vec!["it does not".into()]);
    let must = must.id.clone();
    let until = stage.hand.now() + jiff::SignedDuration::from_hours(24 * 30);
    let certify = |report: &Report| {
        let (reason, report) = (Some("reviewed".into()), Some(Box::new(report.clone())));
        stage.workspace.add_plugin_word(&stage.ada, "sql", PluginWord::Certified { until, reason, report })
    };
    let validate = |report: &Report| {
        let report = Box::new(report.clone());
        stage.workspace.add_plugin_word(&stage.ada, "sql", PluginWord::Validated { report })
    };

    // Nothing is kept of what is refused.
    let before = stage.workspace.history(None, None).unwrap().len();
    let of_other = report(b"(component)");
    for (refused, said) in [
        (certify(&failing), format!("it fails `{must}`")),
        (certify(&of_other), "the report is about".to_owned()),
        (validate(&of_other), "the report is about".to_owned()),
    ] {
        let error = refused.unwrap_err();
        assert!(error.to_string().contains(&said), "{error}");
    }
    assert_eq!(stage.workspace.history(None, None).unwrap().len(), before);
    let nothing = told(&stage, "sql");
    assert_eq!((nothing.certified_until, nothing.validated_at, nothing.conforms), (None, None, None));

    let taken = certify(&good).unwrap();
    assert!(taken.says.contains("reviewed") && taken.says.contains("conformance suite"), "{}", taken.says);
    let certified = told(&stage, "sql");
    assert_eq!((certified.certified_until, certified.conforms), (Some(until), Some(true)));
    let (_, bytes) = Validated::of(&good).unwrap();
    let kept = stage.workspace.records().store().blob(&Digest::of(&bytes)).unwrap();
    assert_eq!(kept.as_deref(), Some(&bytes[..]));

    // A later run that finds otherwise is seen, and takes no certificate back.
    validate(&failing).unwrap();
    let failed = told(&stage, "sql");
    assert_eq!((failed.certified_until, failed.conforms), (Some(until), Some(false)));
    assert!(failed.validated_at > certified.validated_at);
    validate(&good).unwrap();
    assert_eq!(told(&stage, "sql").conforms, Some(true));
    assert_eq!(told(&stage, "http").conforms, None);
}

/// The plugin for databases, made blind to whether a connection is encrypted.
fn blind() -> Vec<u8> {
    let (mut component, option) = (sql(), b"ssl_enabled");
    let at = component.windows(option.len()).position(|part| part == option).unwrap();
    component[at..at + option.len()].copy_from_slice(b"ssl_enableD");
    component
}

#[test]
fn what_an_upgrade_changes_is_known_before_it_counts() {
    let stage = Stage::promoted();
    let before = stage.workspace.history(None, None).unwrap().len();
    let impact = |called: &str, component: &[u8]| stage.workspace.impact(&name(called), component).unwrap();
    let manifest = Manifest::read(&sql()).unwrap().unwrap();
    let newer = Manifest { version: "9.0.0".into(), ..manifest }.embed(&sql()).unwrap();

    // Another component that does the same: 2.0 is next in staging, where 1.0 is, and 1.0 next in
    // production.
    let same = impact("sql", &newer);
    assert!(same.is_nothing() && same.before == Some(Digest::of(&sql())), "{same:?}");
    let told: Vec<_> = same
        .promotions
        .iter()
        .map(|promotion| {
            (promotion.version.as_str(), promotion.to.as_str(), promotion.is_there, promotion.same)
        })
        .collect();
    assert_eq!(
        told,
        [("2.0", "staging", false, 1), ("1.0", "staging", true, 1), ("1.0", "production", false, 1)]
    );

    let blind = impact("sql", &blind());
    assert!(!blind.is_nothing() && blind.promotions.len() == 3);
    for promotion in &blind.promotions {
        let [changed] = promotion.changed.as_slice() else { panic!("{promotion:?}") };
        assert_eq!((changed.name.as_str(), promotion.same), ("orders-db", 0));
        let traits: Vec<_> = changed.traits.iter().map(|change| change.at.to_string()).collect();
        assert_eq!(traits, ["/tls"], "{changed:?}");
    }

    // One that serves none of its kinds, and one that nobody would ask.
    let none = impact("sql", &furnishing().plugins.remove("object-storage.wasm").unwrap());
    for changed in none.promotions.iter().flat_map(|promotion| &promotion.changed) {
        let problems: Vec<_> = changed.problems.iter().map(|problem| problem.code.as_str()).collect();
        assert_eq!(problems, ["kind.unserved"]);
        assert!(changed.options[0].before.is_some() && changed.options[0].after.is_none());
    }
    assert!(!none.is_nothing());
    let other = impact("other", &sql());
    assert_eq!((other.before, other.promotions.len()), (None, 0));
    assert!(stage.workspace.impact(&name("sql"), b"no component").is_err());
    assert_eq!(stage.workspace.history(None, None).unwrap().len(), before);
}
