//! Evidence: what was tested where, and how data was masked, signed by people and tools.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sluice_ledger::key::PublicKey;
use sluice_ledger::statement::{Envelope, Statement, Subject};
use sluice_model::tree::Blobs as _;
use sluice_model::{Digest, EnvironmentName, LogicalId};
use sluice_policy::facts;

use crate::act::What;
use crate::error::{Error, Result};
use crate::evidence::{
    MASKING_PREDICATE, MaskingPredicate, TESTS_PREDICATE, TestReport, TestsPredicate, bundle_subject,
    data_subject,
};
use crate::permission::Wish;
use crate::plan::Plan;
use crate::records::{Actor, again};
use crate::state::Work;
use crate::workspace::Workspace;

/// Evidence that was taken.
#[derive(Debug, Clone, Serialize)]
pub struct Taken {
    /// Its predicate type.
    pub predicate_type: String,
    /// The bundle it is about.
    pub bundle: Option<Digest>,
    /// The environment where it was produced, or whose data it is about.
    pub environment: EnvironmentName,
    /// Who signed it.
    pub issuer: String,
    /// What it says, in a line.
    pub says: String,
}

/// Evidence that was brought.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Brought {
    /// When it was received.
    pub received_at: Timestamp,
    /// Its predicate type.
    pub predicate_type: String,
    /// The version it is about, as app and version, or the environment whose data it is about.
    pub about: String,
    /// The bundle it is about.
    pub bundle: Option<Digest>,
    /// The environment where it was produced, or whose data it is about.
    pub environment: EnvironmentName,
    /// Who signed it.
    pub issuer: String,
    /// The signed statement.
    pub envelope: Digest,
}

fn stream_of_bundle(bundle: &Digest) -> String {
    format!("evidence/bundle/{}", bundle.hex())
}

fn stream_of_data(environment: &EnvironmentName) -> String {
    format!("evidence/environment/{environment}")
}

impl Workspace {
    /// Takes a JUnit report about a version as tested in an environment; the actor vouches for it.
    ///
    /// # Errors
    /// When the report cannot be read, holds no test or is dated after now, or the version does not
    /// stand there.
    pub fn add_tests(
        &self,
        actor: &Actor,
        file: &str,
        bytes: &[u8],
        app: &LogicalId,
        bundle: Digest,
        environment: &EnvironmentName,
    ) -> Result<Taken> {
        self.permit(actor, Wish::TakePart)?;
        self.known_environment(environment)?;
        let bad = |what: String| Error::BadEvidence { file: file.to_owned(), what };
        self.check_stands(app, &bundle, environment)?;
        let report = TestReport::read(bytes).map_err(|e| bad(e.to_string()))?;
        let predicate =
            TestsPredicate::of(&report, bytes, environment.clone(), None).map_err(|e| bad(e.to_string()))?;
        let statement = Statement {
            subject: vec![bundle_subject(app, bundle)],
            predicate_type: TESTS_PREDICATE.to_owned(),
            predicate: predicate.to_predicate(),
        };
        self.keep(actor, file, &statement.sign(&actor.key))
    }

    /// Takes a statement about the masking of an environment's data source; the actor vouches for
    /// it.
    ///
    /// # Errors
    /// When the statement contradicts itself, or is dated after now.
    pub fn add_masking(&self, actor: &Actor, predicate: &MaskingPredicate) -> Result<Taken> {
        self.permit(actor, Wish::TakePart)?;
        self.known_environment(&predicate.environment)?;
        let statement = Statement {
            subject: vec![data_subject(&predicate.environment, &predicate.source)],
            predicate_type: MASKING_PREDICATE.to_owned(),
            predicate: predicate.to_predicate(),
        };
        self.keep(actor, "masking", &statement.sign(&actor.key))
    }

    /// Takes a statement that somebody else signed: a DSSE envelope by a key of the configuration.
    ///
    /// # Errors
    /// When it is none, its signer is unknown, its signature is wrong, or it is dated after now.
    pub fn add_envelope(&self, actor: &Actor, file: &str, bytes: &[u8]) -> Result<Taken> {
        self.permit(actor, Wish::TakePart)?;
        let bad = |what: String| Error::BadEvidence { file: file.to_owned(), what };
        let envelope = Envelope::parse(bytes).map_err(|e| bad(e.to_string()))?;
        self.keep(actor, file, &envelope)
    }

    fn keep(&self, actor: &Actor, file: &str, envelope: &Envelope) -> Result<Taken> {
        let bad = |what: String| Error::BadEvidence { file: file.to_owned(), what };
        let signed = envelope.verify(&self.people_keys()?).map_err(|e| bad(e.to_string()))?;
        let issuer = signed.signers.first().and_then(|key| self.name_of(key)).unwrap_or_default();
        let statement = &signed.statement;
        let subject = match statement.subject.as_slice() {
            [one] => one,
            several => return Err(bad(format!("it has {} subjects, and one is wanted", several.len()))),
        };
        let (bundle, environment, says) = read(statement, subject).map_err(bad)?;
        self.known_environment(&environment)?;
        let now = self.records().now()?;
        let (claimed, _) = payload(statement, now);
        if claimed > now {
            return Err(bad(format!(
                "it is dated {claimed}, which is after now ({now}): set the clock right that is wrong, and make it again"
            )));
        }
        if let Some(bundle) = &bundle
            && self.work().get(bundle)?.is_none()
        {
            return Err(bad(format!(
                "it is about the bundle {bundle}, which no version of this workspace has"
            )));
        }
        let name = bundle.as_ref().map_or_else(|| stream_of_data(&environment), stream_of_bundle);
        again(|| {
            let mut work = self.work();
            let what = What::EvidenceAdded {
                predicate_type: statement.predicate_type.clone(),
                bundle,
                environment: environment.clone(),
                envelope: work.put(envelope.to_json())?,
                issuer: issuer.clone(),
            };
            let after = self.records().head(&name)?.map_or(0, |head| head.revision);
            self.records().append(actor, &name, after, what, &work.into_fresh())
        })?;
        Ok(Taken { predicate_type: statement.predicate_type.clone(), bundle, environment, issuer, says })
    }

    /// Refuses evidence about a bundle from an environment where none of the app's versions is it.
    fn check_stands(&self, app: &LogicalId, bundle: &Digest, environment: &EnvironmentName) -> Result<()> {
        let stands = if *environment == self.first_environment()? {
            self.versions(app)?.iter().any(|cut| cut.bundle == *bundle)
        } else {
            let mut work = self.work();
            let (_, state) = self.environment(&mut work, environment)?;
            let standing = state.standing_of(&work, app)?;
            standing
                .is_some_and(|standing| standing.promoted.iter().any(|promoted| promoted.bundle == *bundle))
        };
        if stands {
            return Ok(());
        }
        Err(Error::invalid(
            format!(
                "no version with the bundle {bundle} stands in `{environment}`, so nothing was tested there"
            ),
            "name the environment where the tests ran, and the version that they tested",
        ))
    }

    /// The evidence that was brought, oldest first: all of it, or what is about versions of one app.
    ///
    /// # Errors
    /// When there is no such app, or a record is damaged.
    pub fn brought_evidence(&self, app: Option<&str>) -> Result<Vec<Brought>> {
        let wanted = app.map(|app| self.app(&mut self.work(), app)).transpose()?;
        let mut versions: BTreeMap<Digest, String> = BTreeMap::new();
        for row in self.status()? {
            if wanted.as_ref().is_none_or(|app| app.id == row.app) {
                let cuts = self.versions(&row.app)?.into_iter();
                versions.extend(cuts.map(|cut| (cut.bundle, format!("{} {}", row.name, cut.version))));
            }
        }
        let environments = &self.config()?.environments;
        let mut streams: Vec<String> = versions.keys().map(stream_of_bundle).collect();
        if wanted.is_none() {
            streams.extend(environments.iter().map(|environment| stream_of_data(&environment.name)));
        }
        let mut found = Vec::new();
        for stream in &streams {
            for recorded in self.records().all(stream)? {
                let received_at = recorded.act.at;
                if let What::EvidenceAdded { predicate_type, bundle, environment, envelope, issuer } =
                    recorded.act.what
                {
                    let about = match &bundle {
                        Some(bundle) => versions.get(bundle).cloned().unwrap_or_else(|| bundle.short()),
                        None => format!("data of {environment}"),
                    };
                    found.push(Brought {
                        received_at,
                        predicate_type,
                        about,
                        bundle,
                        environment,
                        issuer,
                        envelope,
                    });
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn people_keys(&self) -> Result<Vec<PublicKey>> {
        Ok(self.config()?.people.values().map(|person| person.key).collect())
    }

    fn name_of(&self, key: &PublicKey) -> Option<String> {
        self.config().ok()?.person_with_key(key).map(|(name, _)| name.to_string())
    }

    /// The evidence that gates may read for a plan: about its bundle, and about the data of the
    /// environments that it connects. Signatures are checked again.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn evidence_for(&self, work: &mut Work<'_>, plan: &Plan) -> Result<Vec<facts::Evidence>> {
        let mut streams = vec![stream_of_bundle(&plan.bundle)];
        streams.extend([&plan.from, &plan.to].map(stream_of_data));
        streams.dedup();
        let known = self.people_keys()?;
        let mut found = Vec::new();
        for name in streams {
            for recorded in self.records().all(&name)? {
                let received_at = recorded.act.at;
                let What::EvidenceAdded { envelope, bundle, environment, .. } = recorded.act.what else {
                    continue;
                };
                let bytes = work.get(&envelope)?.ok_or(Error::ContentMissing(envelope))?;
                let parsed = Envelope::parse(&bytes)?;
                // A signer who left the configuration is an unknown issuer, which gates refuse.
                let (statement, issuer) = match parsed.verify(&known) {
                    Ok(signed) => {
                        let key = signed.signers.first().map(ToString::to_string).unwrap_or_default();
                        let name = signed.signers.first().and_then(|key| self.name_of(key));
                        (signed.statement, facts::Issuer { key, name })
                    }
                    Err(_) => {
                        let key = parsed.signatures().first().map(|s| s.keyid.clone()).unwrap_or_default();
                        let Ok(statement) = unverified(&parsed) else { continue };
                        (statement, facts::Issuer { key, name: None })
                    }
                };
                let (claimed, payload) = payload(&statement, received_at);
                found.push(facts::Evidence {
                    id: envelope,
                    predicate_type: statement.predicate_type,
                    bundle,
                    environment,
                    claimed_at: claimed,
                    received_at,
                    issuer,
                    payload,
                });
            }
        }
        Ok(found)
    }
}

/// The statement in an envelope whose signature nobody vouches for.
fn unverified(envelope: &Envelope) -> Result<Statement> {
    let value: serde_json::Value = serde_json::from_slice(envelope.payload())?;
    let predicate =
        value.get("predicate").and_then(serde_json::Value::as_object).cloned().unwrap_or_default();
    let predicate_type = value.get("predicateType").and_then(serde_json::Value::as_str).unwrap_or_default();
    Ok(Statement { subject: Vec::new(), predicate_type: predicate_type.to_owned(), predicate })
}

/// What a statement is about, and what it says in a line.
fn read(
    statement: &Statement,
    subject: &Subject,
) -> Result<(Option<Digest>, EnvironmentName, String), String> {
    match statement.predicate_type.as_str() {
        TESTS_PREDICATE => {
            let tests = TestsPredicate::from_predicate(&statement.predicate).map_err(|e| e.to_string())?;
            if tests.executed == 0 && tests.skipped == 0 {
                return Err("no test is in it: look why none ran, and bring the report of a run".to_owned());
            }
            let says = format!(
                "{} executed, {} failed, {} broke, {} skipped",
                tests.executed, tests.failed, tests.errors, tests.skipped
            );
            Ok((Some(subject.digest), tests.environment, says))
        }
        MASKING_PREDICATE => {
            let masking =
                MaskingPredicate::from_predicate(&statement.predicate, subject).map_err(|e| e.to_string())?;
            let says = format!("data of `{}` masked by {}", masking.source, masking.method);
            Ok((None, masking.environment, says))
        }
        other => Err(format!("its predicate type is `{other}`, of which Sluice knows nothing")),
    }
}

fn payload(statement: &Statement, received_at: Timestamp) -> (Timestamp, facts::Payload) {
    if let Ok(tests) = TestsPredicate::from_predicate(&statement.predicate)
        && statement.predicate_type == TESTS_PREDICATE
    {
        let payload = facts::Tests {
            suite: tests.suite,
            executed: tests.executed,
            failed: tests.failed,
            errors: tests.errors,
            skipped: tests.skipped,
        };
        return (tests.began_at.unwrap_or(received_at), facts::Payload::Tests(payload));
    }
    let subject = |masking: &BTreeMap<String, serde_json::Value>| {
        let environment = masking.get("environment")?.as_str()?.parse().ok()?;
        let source = masking.get("source")?.as_str()?.parse().ok()?;
        Some(data_subject(&environment, &source))
    };
    let members: BTreeMap<String, serde_json::Value> = statement.predicate.clone().into_iter().collect();
    if statement.predicate_type == MASKING_PREDICATE
        && let Some(subject) = subject(&members)
        && let Ok(masking) = MaskingPredicate::from_predicate(&statement.predicate, &subject)
    {
        let payload = facts::Masking { source: masking.source, method: masking.method };
        return (masking.masked_at, facts::Payload::Masking(payload));
    }
    (received_at, facts::Payload::Other)
}
