//! Configurations that change while others act: nobody acts by one that no longer counts, and a race
//! breaks nothing.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sluice_engine::act::{Act, PREDICATE, SettingChange, What};
use sluice_engine::audit::audit;
use sluice_engine::{Actor, Error};
use sluice_ledger::entry::{Entry, Salt};
use sluice_ledger::key::KeyPair;
use sluice_ledger::statement::{Statement, Subject};
use sluice_model::Digest;
use sluice_model::json::{canonical, canonical_of};
use sluice_store::{NewRevision, StreamName, WriterId};
use sluice_vault::Secret;
use toml_edit::DocumentMut;
use zeroize::Zeroizing;

use crate::stage::{MONDAY_ONE, Stage, environment, put};

fn cy() -> Actor {
    Actor { name: "cy".into(), key: KeyPair::from_seed(&Zeroizing::new([9; 32])) }
}

fn edit(stage: &Stage, change: impl FnOnce(&mut DocumentMut)) {
    let file = stage.place().join("sluice.toml");
    let mut document: DocumentMut = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    change(&mut document);
    std::fs::write(&file, document.to_string()).unwrap();
}

fn adopt(stage: &mut Stage, change: impl FnOnce(&mut DocumentMut)) {
    edit(stage, change);
    let candidate = stage.workspace.proposed().unwrap();
    stage.workspace.adopt(&stage.ada, candidate).unwrap();
}

/// Who owns staging, and who the workspace.
fn owners(document: &mut DocumentMut, of_staging: &[&str], of_workspace: &[&str]) {
    let list = |names: &[&str]| toml_edit::value(names.iter().copied().collect::<toml_edit::Array>());
    let environments = document["environment"].as_array_of_tables_mut().unwrap();
    let staging = environments.iter_mut().find(|e| e["name"].as_str() == Some("staging")).unwrap();
    staging["owners"] = list(of_staging);
    document["workspace"]["owners"] = list(of_workspace);
}

fn without_cy(document: &mut DocumentMut) {
    owners(document, &["ada"], &["ada"]);
    document["person"]
        .as_array_of_tables_mut()
        .unwrap()
        .retain(|person| person["name"].as_str() != Some("cy"));
}

/// A stage where staging is cy's as well as ada's, and the workspace may be.
fn with_cy(of_workspace: &[&str]) -> Stage {
    let mut stage = Stage::copied(130);
    let dan = Actor { name: "dan".into(), key: KeyPair::from_seed(&Zeroizing::new([10; 32])) };
    for person in [&cy(), &dan] {
        put(&stage.place(), person, &["approver"]);
    }
    adopt(&mut stage, |document| {
        document["workspace"].as_table_mut().unwrap().remove("single_operator");
        owners(document, &["ada", "cy"], of_workspace);
    });
    stage
}

fn set(stage: &Stage, actor: &Actor) -> Result<(), Error> {
    let name = "constants.OTHER".parse().unwrap();
    stage.workspace.set_constant(actor, &environment("staging"), &name, Secret::new("3").unwrap())
}

#[test]
fn an_act_is_not_judged_by_a_configuration_that_no_longer_counts() {
    let mut stage = with_cy(&["ada"]);
    // It waits for a value, or a person.
    let waiting = Stage::beside(stage.folder.path(), 131, "2026-06-01T13:05:00Z");
    adopt(&mut stage, without_cy);
    let entries = stage.workspace.history(None, None).unwrap().len();
    for actor in [cy(), crate::stage::ada()] {
        let error = set(&waiting, &actor).unwrap_err();
        assert!(matches!(error, Error::ConfigurationChanged), "{error:?}");
        assert_eq!(error.help().unwrap(), "run the command again");
    }
    let error = waiting.promote("Orders", "staging").unwrap_err();
    assert!(matches!(error, Error::ConfigurationChanged), "{error:?}");
    assert_eq!(stage.workspace.history(None, None).unwrap().len(), entries);
    // Who runs it again is judged by what counts.
    let again = Stage::beside(stage.folder.path(), 132, "2026-06-01T13:06:00Z");
    assert!(matches!(set(&again, &cy()), Err(Error::NotPermitted { .. })));
    set(&again, &stage.ada).unwrap();
    assert_eq!(audit(&stage.store(), None, None).unwrap()[0].overtaken, [0; 0]);
}

#[test]
fn nobody_adopts_over_a_configuration_that_they_did_not_see() {
    for removed in [true, false] {
        let mut stage = with_cy(&["ada", "cy"]);
        let mut other = Stage::beside(stage.folder.path(), 133, "2026-06-01T13:05:00Z");
        let limit = |document: &mut DocumentMut| document["limits"]["import"] = toml_edit::value("32 MiB");
        edit(&stage, limit);
        let candidate = other.workspace.proposed().unwrap();
        adopt(&mut stage, |document| if removed { without_cy(document) } else { limit(document) });
        let before = stage.workspace.adopted().unwrap().clone();
        let error = other.workspace.adopt(&cy(), candidate).unwrap_err();
        assert!(matches!(error, Error::ConfigurationChanged), "{removed}: {error:?}");
        let again = Stage::beside(stage.folder.path(), 134, "2026-06-01T13:06:00Z");
        assert_eq!(*again.workspace.adopted().unwrap(), before);
        audit(&stage.store(), None, None).unwrap();
    }
}

/// An act that somebody writes into the store without the engine's say.
struct Forged {
    actor: Actor,
    at: Timestamp,
    configuration: u64,
    writer: String,
    what: What,
    stream: &'static str,
}

/// Puts it at the end of its stream. It is in no ledger yet.
fn append(stage: &Stage, forged: Forged) {
    let Forged { actor, at, configuration, writer, what, stream } = forged;
    let store = stage.workspace.records().store();
    let name = StreamName::new(stream).unwrap();
    let revision = store.head(&name).unwrap().map_or(0, |head| head.revision) + 1;
    let digest = Digest::of(&canonical_of(&what).unwrap());
    let workspace = stage.workspace.id().to_owned();
    let act = Act { workspace, actor: actor.name, at, stream: stream.into(), revision, configuration, what };
    let Value::Object(predicate) = serde_json::to_value(&act).unwrap() else { panic!("it is an object") };
    let subject = vec![Subject { name: format!("{stream}@{revision}"), digest }];
    let envelope = Statement { subject, predicate_type: PREDICATE.into(), predicate }.sign(&actor.key);
    let envelope: Value = serde_json::from_slice(&envelope.to_json()).unwrap();
    let salt = Salt::from_bytes([5; 16]);
    let body = canonical(&json!({ "envelope": envelope, "salt": salt.hex() }));
    let leaf = Entry::of(stream, revision, salt, &body).leaf();
    let writer = WriterId::new(writer).unwrap();
    store.append(&NewRevision { stream: name, revision, body, leaf, writer }).unwrap();
}

#[test]
fn an_audit_judges_acts_by_the_configuration_that_they_name() {
    type Forge = fn(&mut Forged);
    /// What the audit says of it.
    enum Says {
        Nothing,
        Overtaken,
        Unwarranted(&'static str),
        Broken(&'static str),
    }
    let adopting = |forged: &mut Forged, stage: &Stage| {
        let head = stage.workspace.records().head("workspace").unwrap().unwrap();
        (forged.stream, forged.what) = ("workspace", head.act.what);
    };
    // cy's act is judged by revision 3, and revision 4, which does not have cy, was adopted at one o'clock.
    let ways: [(&str, Forge, Says); 11] = [
        ("on its way when cy was removed", |_| {}, Says::Overtaken),
        ("on its way when that was written", |act| act.at += SignedDuration::from_secs(59), Says::Overtaken),
        (
            "an hour later",
            |act| act.at += SignedDuration::from_hours(1),
            Says::Unwarranted("after revision 4 of `workspace` had been adopted"),
        ),
        (
            "by the configuration without cy",
            |act| act.configuration = 4,
            Says::Broken("`cy` was nobody in the configuration then"),
        ),
        ("by ada, on its way", |act| act.actor = crate::stage::ada(), Says::Overtaken),
        (
            "by ada, who may do it still, an hour later",
            |act| {
                act.actor = crate::stage::ada();
                act.at += SignedDuration::from_hours(1);
            },
            Says::Unwarranted("and it was judged by revision 3"),
        ),
        (
            "by ada, who looked again",
            |act| {
                act.actor = crate::stage::ada();
                act.at += SignedDuration::from_hours(1);
                act.configuration = 4;
            },
            Says::Nothing,
        ),
        (
            "by one that was never adopted",
            |act| act.configuration = 5,
            Says::Broken("revision 5 of `workspace`, by which it was judged, is no configuration before it"),
        ),
        (
            "by a process that knew",
            |act| act.writer = "knows".into(),
            Says::Broken("its process had read revision 4 of `workspace`"),
        ),
        (
            "signed by another",
            |act| act.actor.key = crate::stage::ada().key,
            Says::Broken("nobody who is known signed the statement"),
        ),
        (
            "of another environment",
            |act| act.stream = "env/production/settings",
            Says::Unwarranted("by revision 3 of `workspace`, which counted then, `cy` may not do"),
        ),
    ];
    for (name, forge, says) in ways {
        let mut stage = with_cy(&["ada"]);
        adopt(&mut stage, without_cy);
        assert_eq!(stage.workspace.records().head("workspace").unwrap().unwrap().revision, 4);
        let size = stage.workspace.history(None, None).unwrap().len() as u64;
        let settings = stage.workspace.records().head("env/staging/settings").unwrap().unwrap();
        let What::SettingChanged { settings, .. } = settings.act.what else { panic!("it is a setting") };
        let change = SettingChange::ConstantSet { name: "constants.OTHER".parse().unwrap() };
        let forged = |actor, configuration, writer: &str| Forged {
            actor,
            at: MONDAY_ONE.parse().unwrap(),
            configuration,
            writer: writer.into(),
            what: What::SettingChanged { settings, change: change.clone() },
            stream: "env/staging/settings",
        };
        append(&stage, forged(crate::stage::ada(), 4, "knows"));
        let mut act = forged(cy(), 3, "new");
        forge(&mut act);
        append(&stage, act);
        match (audit(&stage.store(), None, None), says) {
            (Ok(audited), Says::Nothing) => {
                let found = &audited[0];
                assert_eq!((found.signatures, found.unlogged), (size + 2, 2), "{name}");
                assert_eq!(found.overtaken, [0; 0], "{name}");
            }
            (Ok(audited), Says::Overtaken) => assert_eq!(audited[0].overtaken, [size + 1], "{name}"),
            (Err(Error::Unwarranted { entry, what }), Says::Unwarranted(expected))
            | (Err(Error::LedgerBroken { entry, what }), Says::Broken(expected)) => {
                assert_eq!(entry, size + 1, "{name}: {what}");
                assert!(what.contains(expected), "{name}: {what}");
            }
            (result, _) => panic!("{name}: {result:?}"),
        }
    }
    // Who owns an environment does not own the workspace.
    let stage = with_cy(&["ada"]);
    let mut act = Forged {
        actor: cy(),
        at: "2026-06-01T13:01:00Z".parse().unwrap(),
        configuration: 3,
        writer: "new".into(),
        what: What::WaiverCosigned { number: 1 },
        stream: "workspace",
    };
    adopting(&mut act, &stage);
    append(&stage, act);
    let error = audit(&stage.store(), None, None).unwrap_err();
    let Error::Unwarranted { what, .. } = error else { panic!("{error}") };
    assert!(what.contains("`cy` may not do what was done to `workspace`"), "{what}");
}
