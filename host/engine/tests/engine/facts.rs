//! What gates are told beside the plan: history, credentials, plugins, waivers, sizes.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sluice_engine::act::{Proposal, What};
use sluice_engine::ambient::Ambient as _;
use sluice_engine::attest::PluginWord;
use sluice_engine::evidence::{Certification, PluginPredicate, plugin_subject};
use sluice_engine::plan::Plan;
use sluice_engine::{Actor, Error};
use sluice_ledger::key::KeyPair;
use sluice_ledger::statement::Statement;
use sluice_policy::Relief;
use sluice_policy::facts::{Facts, PastOutcome, Plugin};
use zeroize::Zeroizing;

use crate::model::{PLUGINS, ungated};
use crate::stage::{NOT_A_SECRET, Stage, environment, furnishing};

fn facts(stage: &Stage, plan: &Plan) -> Facts {
    let facts = stage.workspace.facts(plan, stage.hand.now(), true).unwrap();
    // Whole, they are what a decision is made from years later.
    assert_eq!(Facts::read(&facts.canonical().unwrap()).unwrap(), facts);
    facts
}

#[test]
fn history_tells_how_each_transition_of_the_app_ended() {
    let stage = Stage::promoted();
    let staging = environment("staging");
    stage.promote("Orders", "staging").unwrap();
    let two = stage.plan("Orders", "production");
    // Nothing was tested in staging.
    assert!(matches!(stage.promote("Orders", "production"), Err(Error::Refused(_))));
    stage.carry_out(stage.rollback("Orders", "staging")).unwrap();
    let plan = stage.plan("Orders", "staging");
    let facts = facts(&stage, &plan);
    let history = facts.history.unwrap();
    let told: Vec<(&str, &str, &str, PastOutcome)> = history
        .iter()
        .map(|past| (past.kind.as_str(), past.environment.as_str(), past.version.as_str(), past.outcome))
        .collect();
    assert_eq!(
        told,
        [
            ("promotion", "staging", "1.0", PastOutcome::Done),
            ("promotion", "staging", "2.0", PastOutcome::RolledBack),
            ("promotion", "production", "2.0", PastOutcome::Refused),
            ("rollback", "staging", "1.0", PastOutcome::Done),
        ]
    );
    assert!(history.iter().all(|past| past.by == "ada" && past.at < facts.now));
    assert!(history.windows(2).all(|pair| pair[0].at < pair[1].at));
    assert_eq!(history[2].bundle, two.bundle);
    // The second promotion of it does what the first one did.
    assert_eq!(history[1].bundle, plan.bundle);
    assert_eq!((history[1].objects, history[1].bytes), (plan.size().objects, Some(plan.size().bytes)));
    assert_eq!(history[0].environment, staging);
    assert!(history[0].objects > history[1].objects, "{history:?}");

    // Sizes are those of the canonical bytes.
    let work = stage.workspace.work();
    let mut sum = 0;
    for change in &facts.plan.changes {
        let planned = plan.objects.iter().find(|planned| planned.object == change.object).unwrap();
        let bytes =
            planned.after.map(|digest| work.object(&digest).unwrap().canonical().unwrap().len() as u64);
        let is_written = matches!(change.action.as_str(), "create" | "update");
        assert_eq!(change.bytes, bytes.filter(|_| is_written), "{change:?}");
        sum += change.bytes.unwrap_or_default();
    }
    assert!(sum > 0);
    assert_eq!(facts.plan.bytes, Some(sum));
    let names: Vec<&str> = facts.environments.iter().map(|known| known.name.as_str()).collect();
    assert_eq!(names, ["development", "staging", "production"]);
}

#[test]
fn a_run_that_failed_is_told_and_one_that_goes_on_is_not() {
    let stage = ungated(&furnishing(), &PLUGINS);
    stage.import("development", &["tooljet/orders.json"]).unwrap();
    stage.manage("Orders");
    stage.dismiss_suspicions();
    stage.cut("1.0");
    stage.furnish("Orders", &["staging"]);
    let plan = stage.plan("Orders", "staging");
    assert_eq!(facts(&stage, &plan).history, Some(Vec::new()));
    stage.promote("Orders", "staging").unwrap();
    stage.carry_out(stage.release("Orders", None, "staging")).unwrap();
    let told = || {
        let history = facts(&stage, &plan).history.unwrap();
        history.into_iter().map(|past| (past.kind.as_str(), past.outcome, past.objects, past.bytes)).collect()
    };
    let size = plan.size();
    let mut expected = vec![
        ("promotion", PastOutcome::Done, size.objects, Some(size.bytes)),
        ("release", PastOutcome::Done, 0, Some(0)),
    ];
    let before: Vec<_> = told();
    assert_eq!(before, expected);

    // One that was begun and went no further, as after a crash.
    let records = stage.workspace.records();
    let promotions = sluice_engine::promote::promotions_stream(&plan.to);
    let What::PromotionProposed(first) = records.at(&promotions, 1).unwrap().unwrap().act.what else {
        panic!()
    };
    let begun = What::PromotionProposed(Proposal { number: 3, fence: 99, ..first });
    records.append(&stage.ada, &promotions, 2, begun, &Default::default()).unwrap();
    assert_eq!(told(), expected);
    stage.workspace.resume(&stage.ada).unwrap();
    expected.push(("promotion", PastOutcome::Failed, size.objects, Some(size.bytes)));
    assert_eq!(told(), expected);
}

#[test]
fn who_cut_the_version_is_told_while_they_are_in_the_configuration() {
    let mut stage = Stage::promoted();
    let plan = stage.plan("Orders", "staging");
    let told = facts(&stage, &plan).plan;
    let cut =
        stage.workspace.records().all(&sluice_engine::version::stream(&plan.app)).unwrap().pop().unwrap();
    assert_eq!((told.signer.as_deref(), told.cut_at), (Some("ada"), Some(cut.act.at)));
    let renewed = KeyPair::from_seed(&Zeroizing::new([99; 32]));
    let key = renewed.public().to_string();
    stage.configure(|text| text.replace(&stage_key(), &key));
    let told = facts(&stage, &plan).plan;
    assert_eq!((told.signer, told.cut_at), (None, Some(cut.act.at)));
}

fn stage_key() -> String {
    crate::stage::ada().key.public().to_string()
}

#[test]
fn credentials_tell_their_age_and_who_shares_them_and_nothing_of_the_value() {
    let stage = Stage::promoted();
    let plan = stage.plan("Orders", "staging");
    let told = facts(&stage, &plan).plan.credentials;
    let slots: Vec<&str> = told.iter().map(|credential| credential.reference.as_str()).collect();
    assert!(slots.len() >= 3 && slots.iter().all(|reference| reference.starts_with("secret://staging/")));
    // The stage files the same text everywhere.
    assert!(told.iter().all(|credential| credential.shared_with == ["production"]), "{told:?}");
    let changed: Timestamp = "2026-06-01T15:00:00Z".parse().unwrap();
    stage.hand.set("2026-06-01T15:00:00Z");
    stage.set_secret(slots[0], "of-staging-alone");
    let told = facts(&stage, &plan);
    let first = &told.plan.credentials[0];
    assert!(first.shared_with.is_empty(), "{first:?}");
    assert!(first.set_at.unwrap() >= changed && told.plan.credentials[1].set_at.unwrap() < changed);
    // The same value at another place of production is shared with it all the same.
    stage.set_secret("secret://production/elsewhere/altogether", "of-staging-alone");
    let told = facts(&stage, &plan);
    assert_eq!(told.plan.credentials[0].shared_with, ["production"]);
    let text = String::from_utf8(told.canonical().unwrap()).unwrap();
    assert!(!text.contains("of-staging-alone") && !text.contains(NOT_A_SECRET));
}

fn plugin(stage: &Stage, plan: &Plan, name: &str) -> Plugin {
    facts(stage, plan).plugins.unwrap().into_iter().find(|plugin| plugin.name == name).unwrap()
}

#[test]
fn nobody_takes_the_place_of_who_published_a_plugin() {
    let mut stage = Stage::promoted();
    let ben = stage.with_ben(&["auditor"], "");
    let plan = stage.plan("Orders", "staging");
    let until = stage.hand.now() + SignedDuration::from_hours(24 * 30);
    let say = |actor: &Actor, word: PluginWord| {
        stage.workspace.add_plugin_word(actor, "sql", word).unwrap();
        let told = plugin(&stage, &plan, "sql");
        (told.publisher.unwrap_or_default(), told.certified_by.unwrap_or_default())
    };
    let published = || PluginWord::Published { version: "1.2.0".into() };
    let certified = || PluginWord::Certified { until, reason: None, report: None };
    for (actor, word, publisher, certifier) in [
        (&stage.ada, published(), "ada", ""),
        (&stage.ada, certified(), "ada", "ada"),
        // Who says so too makes nobody's certificate another's.
        (&ben, published(), "ada", "ada"),
        (&ben, certified(), "ben", "ben"),
        (&stage.ada, published(), "ben", "ben"),
    ] {
        assert_eq!(say(actor, word), (publisher.to_owned(), certifier.to_owned()));
    }
}

#[test]
fn plugins_are_what_their_publisher_and_certifiers_say() {
    let mut stage = Stage::promoted();
    let ben = stage.with_ben(&["auditor"], "");
    let plan = stage.plan("Orders", "staging");
    let used: BTreeSet<_> = plan.sources.iter().filter_map(|source| source.plugin).collect();
    let told: BTreeSet<_> =
        facts(&stage, &plan).plugins.unwrap().iter().map(|plugin| plugin.digest).collect();
    assert_eq!(told, used);
    let nothing = plugin(&stage, &plan, "sql");
    assert_eq!((nothing.publisher, nothing.certified_until, nothing.is_revoked), (None, None, false));

    let published = PluginWord::Published { version: "1.2.0".into() };
    stage.workspace.add_plugin_word(&stage.ada, "sql", published).unwrap();
    let until = stage.hand.now() + SignedDuration::from_hours(24 * 30);
    stage
        .workspace
        .add_plugin_word(&ben, "sql", PluginWord::Certified { until, reason: None, report: None })
        .unwrap();
    let told = plugin(&stage, &plan, "sql");
    // The version is the manifest's, whatever people say.
    assert_eq!((told.publisher, told.version), (Some("ada".to_owned()), nothing.version));
    assert_eq!((told.certified_by.as_deref(), told.certified_until), (Some("ben"), Some(until)));
    assert_eq!(plugin(&stage, &plan, "http").publisher, None);

    let early = stage.hand.now();
    stage
        .workspace
        .add_plugin_word(&stage.ada, "sql", PluginWord::Revoked { reason: "a hole".into() })
        .unwrap();
    assert!(plugin(&stage, &plan, "sql").is_revoked);
    // An older statement that is brought again brings nothing back.
    let digest = plugin(&stage, &plan, "sql").digest;
    let statement = |certification: Certification| {
        let predicate = PluginPredicate::Certification(certification);
        Statement {
            subject: vec![plugin_subject("sql", digest)],
            predicate_type: predicate.predicate_type().to_owned(),
            predicate: predicate.to_predicate(),
        }
    };
    let old = statement(Certification::certified(until, early));
    stage.workspace.add_envelope(&ben, "old.json", &old.sign(&ben.key).to_json()).unwrap();
    assert!(plugin(&stage, &plan, "sql").is_revoked);
    // Nor does a new one by anybody else, who is told so; it counts for nothing when it comes by a file.
    let later = until + SignedDuration::from_hours(1);
    let certified = || PluginWord::Certified { until: later, reason: None, report: None };
    let error = stage.workspace.add_plugin_word(&ben, "sql", certified()).unwrap_err();
    assert!(matches!(error, Error::NotPermitted { .. }), "{error}");
    assert!(error.to_string().contains("certify `sql`, which `ada` revoked"), "{error}");
    let new = statement(Certification::certified(later, stage.hand.now()));
    stage.workspace.add_envelope(&ben, "new.json", &new.sign(&ben.key).to_json()).unwrap();
    let told = plugin(&stage, &plan, "sql");
    assert_eq!((told.is_revoked, told.certified_until), (true, Some(until)));
    // Its author lifts it, who owns the workspace besides.
    stage.workspace.add_plugin_word(&stage.ada, "sql", certified()).unwrap();
    let told = plugin(&stage, &plan, "sql");
    assert_eq!((told.is_revoked, told.certified_until), (false, Some(later)));
    let until = later + SignedDuration::from_hours(1);
    stage
        .workspace
        .add_plugin_word(&ben, "sql", PluginWord::Certified { until, reason: None, report: None })
        .unwrap();
    assert_eq!(plugin(&stage, &plan, "sql").certified_until, Some(until));

    let entries = stage.workspace.history(None, None).unwrap().len();
    let now = stage.hand.now();
    let ahead = now + SignedDuration::from_hours(1);
    let by = |key: &KeyPair, statement: Statement| {
        stage.workspace.add_envelope(&ben, "x.json", &statement.sign(key).to_json()).unwrap_err().to_string()
    };
    let stranger = KeyPair::from_seed(&Zeroizing::new([98; 32]));
    let certified = Certification::certified(until, now);
    let mut of_other = statement(certified.clone());
    of_other.subject = vec![plugin_subject("sql", sluice_model::Digest::of(b"another"))];
    for (told, expected) in [
        (by(&stranger, statement(certified.clone())), "nobody who is known"),
        (by(&ben.key, of_other), "which is no plugin of this workspace"),
        (
            by(&ben.key, statement(Certification { said_at: ahead, ..certified.clone() })),
            "which is after now",
        ),
        (by(&ben.key, statement(Certification { until: None, ..certified })), "not both or neither"),
    ] {
        assert!(told.contains(expected), "{told} / {expected}");
    }
    let error = stage
        .workspace
        .add_plugin_word(&ben, "sqll", PluginWord::Revoked { reason: "x".into() })
        .unwrap_err();
    assert!(format!("{error} {:?}", error.help()).contains("did you mean `sql`?"), "{error}");
    assert_eq!(stage.workspace.history(None, None).unwrap().len(), entries);
    // Whoever left says nothing any more.
    stage.configure(|text| text.replace(&ben.key.public().to_string(), &stranger.public().to_string()));
    let told = plugin(&stage, &plan, "sql");
    assert_eq!((told.certified_by.as_deref(), told.certified_until), (Some("ada"), Some(later)));
}

#[test]
fn a_revocation_stands_until_its_author_or_an_owner_certifies() {
    let mut stage = Stage::promoted();
    let ben = stage.with_ben(&["auditor"], "");
    let eve = Actor { name: "eve".into(), key: KeyPair::from_seed(&Zeroizing::new([9; 32])) };
    crate::stage::put(&stage.place(), &eve, &["auditor"]);
    stage.configure(|text| text);
    let plan = stage.plan("Orders", "staging");
    let until = stage.hand.now() + SignedDuration::from_hours(24 * 30);
    let revoked = || PluginWord::Revoked { reason: "a hole".into() };
    let certify = |by: &Actor| {
        stage.workspace.add_plugin_word(
            by,
            "sql",
            PluginWord::Certified { until, reason: None, report: None },
        )
    };
    /// Who certifies, whether that is taken, and whether the plugin is revoked then.
    type Certifying<'a> = &'a [(&'a Actor, bool, bool)];
    let ways: [(&[&Actor], Certifying<'_>); 4] = [
        (&[&ben], &[(&eve, false, true), (&ben, true, false), (&eve, true, false)]),
        (&[&ben], &[(&eve, false, true), (&stage.ada, true, false)]),
        (&[&ben, &eve], &[(&ben, true, true), (&ben, false, true), (&eve, true, false)]),
        (&[&ben, &eve, &stage.ada], &[(&stage.ada, true, false)]),
    ];
    for (number, (revoking, certifying)) in ways.into_iter().enumerate() {
        for by in revoking {
            stage.workspace.add_plugin_word(by, "sql", revoked()).unwrap();
        }
        assert!(plugin(&stage, &plan, "sql").is_revoked, "{number}");
        for (by, is_taken, is_revoked) in certifying {
            assert_eq!(certify(by).is_ok(), *is_taken, "{number} {}", by.name);
            assert_eq!(plugin(&stage, &plan, "sql").is_revoked, *is_revoked, "{number} {}", by.name);
        }
    }
}

#[test]
fn waivers_are_told_as_they_are_also_where_they_do_not_hold() {
    let mut stage = Stage::promoted();
    let ben = stage.with_ben(&["approver"], "");
    stage.promote("Orders", "staging").unwrap();
    let plan = stage.plan("Orders", "production");
    let older = stage.workspace.versions(&plan.app).unwrap()[0].bundle;
    for bundle in [None, Some(plan.bundle), Some(older)] {
        let request = sluice_engine::consent::WaiverRequest {
            code: "window.closed".into(),
            app: "Orders".into(),
            bundle,
            environment: environment("production"),
            reason: "it cannot wait".into(),
            ticket: "OPS-1".into(),
            expires: stage.hand.now() + SignedDuration::from_hours(1),
        };
        stage.workspace.waive(&stage.ada, &request).unwrap();
    }
    stage.workspace.cosign(&ben, 1).unwrap();
    let told = |plan: &Plan| -> Vec<(bool, Option<String>)> {
        let waivers = facts(&stage, plan).waivers.unwrap();
        waivers.into_iter().map(|waiver| (waiver.is_for_bundle, waiver.cosigned)).collect()
    };
    assert_eq!(told(&plan), [(false, Some("ben".into())), (true, None)]);
    assert_eq!(told(&stage.plan("Orders", "staging")), []);
    // After they have expired they are told all the same, and lift nothing.
    stage.hand.set("2026-06-03T10:00:00Z");
    assert_eq!(told(&plan).len(), 2);
    let reliefs = stage.workspace.reliefs(&plan).unwrap();
    assert_eq!(reliefs.iter().filter(|relief| matches!(relief, Relief::Waiver(_))).count(), 3);
}

#[test]
fn what_others_did_meanwhile_is_told_too() {
    let stage = Stage::promoted();
    let plan = stage.plan("Orders", "staging");
    let told = |stage: &Stage| {
        let history = facts(stage, &plan).history.unwrap();
        history.into_iter().map(|past| (past.version, past.outcome)).collect::<Vec<_>>()
    };
    let one = ("1.0".to_owned(), PastOutcome::Done);
    assert_eq!(told(&stage), std::slice::from_ref(&one));
    let first = &facts(&stage, &plan).plan.credentials[0];
    assert_eq!(first.shared_with, ["production"]);
    let (reference, elsewhere) = (first.reference.clone(), first.reference.replace("staging", "production"));
    // Another process, which began later and has a clock of its own.
    let other = Stage::beside(stage.folder.path(), 5, "2026-06-01T14:00:00Z");
    other.promote("Orders", "staging").unwrap();
    other.set_secret(&elsewhere, "of-production-alone");
    stage.hand.set("2026-06-01T15:00:00Z");
    assert_eq!(told(&stage), [one, ("2.0".to_owned(), PastOutcome::Done)]);
    let credentials = facts(&stage, &plan).plan.credentials;
    let same = credentials.iter().find(|credential| credential.reference == reference).unwrap();
    // The text that the stage files everywhere is still at other places of production.
    assert_eq!(same.shared_with, ["production"]);
    other.set_secret(&reference, "of-production-alone-");
    let credentials = facts(&stage, &plan).plan.credentials;
    let same = credentials.iter().find(|credential| credential.reference == reference).unwrap();
    assert!(same.shared_with.is_empty());
    other.set_secret(&elsewhere, "of-production-alone-");
    let credentials = facts(&stage, &plan).plan.credentials;
    let same = credentials.iter().find(|credential| credential.reference == reference).unwrap();
    assert_eq!(same.shared_with, ["production"]);
}
