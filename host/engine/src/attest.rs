//! Evidence: what was tested where, how data was masked, and what is said of plugins, signed by
//! people and tools.

mod plugins;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sluice_ledger::key::PublicKey;
use sluice_ledger::statement::{Envelope, Statement, Subject};
use sluice_model::tree::Blobs as _;
use sluice_model::{Digest, EnvironmentName, LogicalId};
use sluice_policy::facts;

use crate::act::What;
use crate::error::{Error, Result};
use crate::evidence::{
    ACCEPTANCE_PREDICATE, AcceptancePredicate, COVERAGE_PREDICATE, CoveragePredicate, CoverageReport,
    MASKING_PREDICATE, MaskingPredicate, Measurement, PERFORMANCE_PREDICATE, PerformancePredicate,
    PluginPredicate, TESTS_PREDICATE, TestReport, TestsPredicate, bundle_subject, data_subject,
};
use crate::permission::Wish;
use crate::plan::Plan;
use crate::records::{Actor, again};
use crate::state::Work;
use crate::workspace::Workspace;

pub use plugins::PluginWord;

/// The version that evidence is about, and the environment where it was produced.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The app.
    pub app: &'a LogicalId,
    /// The version's bundle.
    pub bundle: Digest,
    /// The environment.
    pub environment: &'a EnvironmentName,
}

/// Evidence that was taken.
#[derive(Debug, Clone, Serialize)]
pub struct Taken {
    /// Its predicate type.
    pub predicate_type: String,
    /// The bundle it is about.
    pub bundle: Option<Digest>,
    /// The plugin it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<Digest>,
    /// The environment where it was produced, or whose data it is about; none where it is about a
    /// plugin.
    pub environment: Option<EnvironmentName>,
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
    /// The version it is about, as app and version, the environment whose data it is about, or the
    /// plugin.
    pub about: String,
    /// The bundle it is about.
    pub bundle: Option<Digest>,
    /// The environment where it was produced, or whose data it is about; none where it is about a
    /// plugin.
    pub environment: Option<EnvironmentName>,
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
    pub fn add_tests(&self, actor: &Actor, file: &str, bytes: &[u8], about: About<'_>) -> Result<Taken> {
        self.check_about(actor, about)?;
        let bad = |what: String| Error::BadEvidence { file: file.to_owned(), what };
        let report = TestReport::read(bytes).map_err(|e| bad(e.to_string()))?;
        let predicate = TestsPredicate::of(&report, bytes, about.environment.clone(), None)
            .map_err(|e| bad(e.to_string()))?;
        self.vouch(actor, file, about, TESTS_PREDICATE, predicate.to_predicate())
    }

    /// Takes an LCOV report about a version as tested in an environment; the actor vouches for it.
    /// There is a statement for each unit that it counts. `suite` names it otherwise than it does
    /// itself; a report without a name is `tests`.
    ///
    /// # Errors
    /// When the report cannot be read or counts nothing, or the version does not stand there.
    pub fn add_coverage(
        &self,
        actor: &Actor,
        file: &str,
        bytes: &[u8],
        suite: Option<&str>,
        about: About<'_>,
    ) -> Result<Vec<Taken>> {
        self.check_about(actor, about)?;
        let report = CoverageReport::read(bytes)
            .map_err(|e| Error::BadEvidence { file: file.to_owned(), what: e.to_string() })?;
        let suite = suite.or(report.name.as_deref()).unwrap_or("tests");
        let stated = report.units.iter().map(|(unit, counted)| {
            let predicate = CoveragePredicate::of(unit, *counted, bytes, about.environment.clone(), suite);
            self.vouch(actor, file, about, COVERAGE_PREDICATE, predicate.to_predicate())
        });
        stated.collect()
    }

    /// Takes a measurement of a version's speed in an environment; the actor vouches for it.
    ///
    /// # Errors
    /// When it is none or dated after now, or the version does not stand there.
    pub fn add_performance(
        &self,
        actor: &Actor,
        file: &str,
        bytes: &[u8],
        about: About<'_>,
    ) -> Result<Taken> {
        self.check_about(actor, about)?;
        let measured = Measurement::read(bytes)
            .map_err(|what| Error::BadEvidence { file: file.to_owned(), what })?
            .within(about.environment.clone());
        self.vouch(actor, file, about, PERFORMANCE_PREDICATE, measured.to_predicate())
    }

    /// Takes the actor's word on a version as they saw it in an environment: whether they accept it,
    /// and why.
    ///
    /// # Errors
    /// When the scope is blank, or the version does not stand there.
    pub fn add_acceptance(
        &self,
        actor: &Actor,
        scope: &str,
        accepted: bool,
        reason: Option<String>,
        about: About<'_>,
    ) -> Result<Taken> {
        self.check_about(actor, about)?;
        let predicate = AcceptancePredicate {
            environment: about.environment.clone(),
            scope: scope.to_owned(),
            accepted,
            reason,
            decided_at: self.records().now()?,
        };
        self.vouch(actor, scope, about, ACCEPTANCE_PREDICATE, predicate.to_predicate())
    }

    /// Signs a statement about a version as the actor's own, and takes it.
    fn vouch(
        &self,
        actor: &Actor,
        file: &str,
        about: About<'_>,
        predicate_type: &str,
        predicate: serde_json::Map<String, Value>,
    ) -> Result<Taken> {
        let statement = Statement {
            subject: vec![bundle_subject(about.app, about.bundle)],
            predicate_type: predicate_type.to_owned(),
            predicate,
        };
        self.keep(actor, file, &statement.sign(&actor.key))
    }

    /// Refuses who may not, before a report is read.
    fn check_about(&self, actor: &Actor, about: About<'_>) -> Result<()> {
        self.permit(actor, Wish::TakePart)?;
        self.known_environment(about.environment)
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
        let signed = Signed { statement: signed.statement, issuer };
        let Signed { statement, issuer } = &signed;
        let subject = match statement.subject.as_slice() {
            [one] => one,
            several => return Err(bad(format!("it has {} subjects, and one is wanted", several.len()))),
        };
        let of_plugin = PluginPredicate::from_predicate(&statement.predicate_type, &statement.predicate);
        if let Some(predicate) = of_plugin.map_err(|e| bad(e.to_string()))? {
            return self.keep_of_plugin(actor, file, envelope, issuer, subject, &predicate, None);
        }
        let now = self.records().now()?;
        let Read { bundle, environment, dated, says, .. } = read(statement, subject).map_err(bad)?;
        self.known_environment(&environment)?;
        refuse_future(dated.unwrap_or(now), now).map_err(bad)?;
        if let Some(bundle) = &bundle {
            let app = match crate::version::bundle(&self.work(), bundle) {
                Ok(known) => known.app,
                Err(Error::ContentMissing(_) | Error::ContentDamaged { .. }) => {
                    return Err(bad(format!(
                        "it is about the bundle {bundle}, which no version of this workspace has"
                    )));
                }
                Err(error) => return Err(error),
            };
            self.check_stands(&app, bundle, &environment)?;
        }
        let name = bundle.as_ref().map_or_else(|| stream_of_data(&environment), stream_of_bundle);
        again(|| {
            let mut work = self.work();
            let digest = work.put(envelope.to_json())?;
            let known = self.records().all(&name)?;
            let is_it =
                |what: &What| matches!(what, What::EvidenceAdded { envelope, .. } if *envelope == digest);
            // What is there is there since it came first; bringing it again makes it no younger.
            if known.iter().any(|recorded| is_it(&recorded.act.what)) {
                return Ok(());
            }
            let what = What::EvidenceAdded {
                predicate_type: statement.predicate_type.clone(),
                bundle,
                environment: environment.clone(),
                envelope: digest,
                issuer: issuer.clone(),
            };
            self.records().append(actor, &name, known.len() as u64, what, &work.into_fresh()).map(drop)
        })?;
        Ok(Taken {
            predicate_type: statement.predicate_type.clone(),
            bundle,
            plugin: None,
            environment: Some(environment),
            issuer: issuer.clone(),
            says,
        })
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
            "name the environment where it was tested, and the version",
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
        let plugins = &self.adopted()?.plugins;
        if wanted.is_none() {
            streams.extend(plugins.values().map(plugins::stream));
            streams.extend(environments.iter().map(|environment| stream_of_data(&environment.name)));
        }
        let mut found = Vec::new();
        for stream in &streams {
            for recorded in self.records().all(stream)? {
                let received_at = recorded.act.at;
                match recorded.act.what {
                    What::EvidenceAdded { predicate_type, bundle, environment, envelope, issuer } => {
                        let about = match &bundle {
                            Some(bundle) => versions.get(bundle).cloned().unwrap_or_else(|| bundle.short()),
                            None => format!("data of {environment}"),
                        };
                        let environment = Some(environment);
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
                    What::PluginStated { predicate_type, plugin, envelope, issuer, .. } => {
                        let name = plugins.iter().find(|(_, known)| **known == plugin);
                        found.push(Brought {
                            received_at,
                            predicate_type,
                            about: name.map_or_else(|| plugin.short(), |(name, _)| format!("plugin {name}")),
                            bundle: None,
                            environment: None,
                            issuer,
                            envelope,
                        });
                    }
                    _ => {}
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
    /// environments that it connects. Signatures are checked again. Of what was brought several
    /// times, a statement or a report under several, the first receipt counts.
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
            let mut statements = BTreeSet::new();
            let mut reports = BTreeMap::new();
            for recorded in self.records().all(&name)? {
                let What::EvidenceAdded { envelope, bundle, environment, .. } = recorded.act.what else {
                    continue;
                };
                if !statements.insert(envelope) {
                    continue;
                }
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
                let at = recorded.act.at;
                let received_at = match statement.predicate.get("report").and_then(Value::as_str) {
                    Some(report) => *reports.entry((environment.clone(), report.to_owned())).or_insert(at),
                    None => at,
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

/// The statement in an envelope whose signature nobody vouches for. It was read when it was taken.
fn unverified(envelope: &Envelope) -> Result<Statement> {
    let value: Value = serde_json::from_slice(envelope.payload())?;
    let text = |at: &str| value.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let digest = format!("sha256:{}", text("/subject/0/digest/sha256")).parse().ok();
    let subject = digest.map(|digest| Subject { name: text("/subject/0/name").to_owned(), digest });
    let predicate = value.get("predicate").and_then(Value::as_object).cloned().unwrap_or_default();
    let predicate_type = text("/predicateType").to_owned();
    Ok(Statement { subject: subject.into_iter().collect(), predicate_type, predicate })
}

/// A statement with who signed it.
struct Signed {
    statement: Statement,
    issuer: String,
}

/// Refuses what is dated after now.
fn refuse_future(dated: Timestamp, now: Timestamp) -> Result<(), String> {
    if dated <= now {
        return Ok(());
    }
    Err(format!(
        "it is dated {dated}, which is after now ({now}): set the clock right that is wrong, and make it again"
    ))
}

/// A statement about a bundle or data, understood.
struct Read {
    /// The bundle it is about, if it is about one.
    bundle: Option<Digest>,
    /// The environment where it was produced, or whose data it is about.
    environment: EnvironmentName,
    /// When it says that what it tells of happened.
    dated: Option<Timestamp>,
    /// What it says, in a line.
    says: String,
    /// What gates understand of it.
    payload: facts::Payload,
}

/// What a statement is about and says.
fn read(statement: &Statement, subject: &Subject) -> Result<Read, String> {
    let predicate = &statement.predicate;
    let bundle = Some(subject.digest);
    match statement.predicate_type.as_str() {
        TESTS_PREDICATE => {
            let tests = TestsPredicate::from_predicate(predicate).map_err(|e| e.to_string())?;
            let TestsPredicate { environment, suite, executed, failed, errors, skipped, began_at, .. } =
                tests;
            if executed == 0 && skipped == 0 {
                return Err("no test is in it: look why none ran, and bring the report of a run".to_owned());
            }
            Ok(Read {
                bundle,
                environment,
                dated: began_at,
                says: format!("{executed} executed, {failed} failed, {errors} broke, {skipped} skipped"),
                payload: facts::Payload::Tests(facts::Tests { suite, executed, failed, errors, skipped }),
            })
        }
        COVERAGE_PREDICATE => {
            let coverage = CoveragePredicate::from_predicate(predicate).map_err(|e| e.to_string())?;
            let CoveragePredicate { environment, suite, unit, total, covered, measured_at, .. } = coverage;
            let coverage = facts::Coverage { suite, unit, total, covered };
            let hundredths = coverage.hundredths();
            Ok(Read {
                bundle,
                environment,
                dated: measured_at,
                says: format!(
                    "{covered} of {total} by {} ({}.{:02} %)",
                    coverage.unit,
                    hundredths / 100,
                    hundredths % 100
                ),
                payload: facts::Payload::Coverage(coverage),
            })
        }
        ACCEPTANCE_PREDICATE => {
            let acceptance = AcceptancePredicate::from_predicate(predicate).map_err(|e| e.to_string())?;
            let AcceptancePredicate { environment, scope, accepted, reason, decided_at } = acceptance;
            let said = if accepted { "accepted" } else { "rejected" };
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            Ok(Read {
                bundle,
                environment,
                dated: Some(decided_at),
                says: format!("{said} as to `{scope}`{reason}"),
                payload: facts::Payload::Acceptance(facts::Acceptance { scope, accepted }),
            })
        }
        PERFORMANCE_PREDICATE => {
            let measured = PerformancePredicate::from_predicate(predicate).map_err(|e| e.to_string())?;
            let PerformancePredicate { environment, measure, samples, p95_ms, measured_at } = measured;
            Ok(Read {
                bundle,
                environment,
                dated: measured_at,
                says: format!("`{measure}` takes {p95_ms} ms at the 95th percentile of {samples}"),
                payload: facts::Payload::Performance(facts::Performance { measure, samples, p95_ms }),
            })
        }
        MASKING_PREDICATE => {
            let masking = MaskingPredicate::from_predicate(predicate, subject).map_err(|e| e.to_string())?;
            let MaskingPredicate { environment, source, method, masked_at, .. } = masking;
            Ok(Read {
                bundle: None,
                environment,
                dated: Some(masked_at),
                says: format!("data of `{source}` masked by {method}"),
                payload: facts::Payload::Masking(facts::Masking { source, method }),
            })
        }
        other => Err(format!("its predicate type is `{other}`, of which Sluice knows nothing")),
    }
}

/// When a statement says that what it tells of happened, and what gates understand of it.
fn payload(statement: &Statement, received_at: Timestamp) -> (Timestamp, facts::Payload) {
    let read = statement.subject.first().and_then(|subject| read(statement, subject).ok());
    read.map_or((received_at, facts::Payload::Other), |read| {
        (read.dated.unwrap_or(received_at), read.payload)
    })
}
