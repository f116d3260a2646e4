//! What is said of plugins: who publishes them, who certifies and who revokes them, and whether they
//! conformed when somebody looked.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sluice_ledger::statement::{Envelope, Statement, Subject};
use sluice_model::Digest;
use sluice_model::tree::Blobs as _;
use sluice_plugin::conformance::{Grade, Outcome, Report, Weight};
use sluice_policy::facts;

use super::Taken;
use crate::act::What;
use crate::config::{self, Config, PluginName};
use crate::error::{Error, Result};
use crate::evidence::{Certification, PluginPredicate, Release, Validated, Validation, plugin_subject};
use crate::permission::Wish;
use crate::plan::Plan;
use crate::records::{Actor, again};
use crate::state::Work;
use crate::workspace::Workspace;

pub(super) fn stream(plugin: &Digest) -> String {
    format!("evidence/plugin/{}", plugin.hex())
}

/// What somebody says of a plugin of the configuration.
#[derive(Debug, Clone)]
pub enum PluginWord {
    /// They publish it, as this version.
    Published {
        /// The version.
        version: String,
    },
    /// It may be used until then. By the author of a revocation or an owner of the workspace it lifts
    /// that; by anybody else it counts for nothing while one stands.
    Certified {
        /// The first moment at which it no longer is.
        until: Timestamp,
        /// Why.
        reason: Option<String>,
        /// What the conformance suite found of it; on their word alone where it was not run.
        report: Option<Box<Report>>,
    },
    /// The conformance suite was run on it again. What it found takes nothing back by itself.
    Validated {
        /// What it found.
        report: Box<Report>,
    },
    /// It may not be used any more.
    Revoked {
        /// Why.
        reason: String,
    },
}

impl Workspace {
    /// Takes the actor's word on a plugin, as it was adopted.
    ///
    /// # Errors
    /// When no plugin is called so, the word says nothing, it certifies what does not conform or what
    /// somebody revoked and the actor cannot lift that, or a report is of another component.
    pub fn add_plugin_word(&self, actor: &Actor, plugin: &str, word: PluginWord) -> Result<Taken> {
        self.permit(actor, Wish::TakePart)?;
        let component = self.component_of(plugin)?;
        let said_at = self.records().now()?;
        let (predicate, report) = match word {
            PluginWord::Published { version } => {
                (PluginPredicate::Release(Release { version, said_at }), None)
            }
            PluginWord::Certified { until, reason, report } => {
                self.check_revocations(actor, plugin, &component)?;
                let (validated, bytes) = match report {
                    Some(report) => {
                        let (validated, bytes) = found(plugin, component, &report)?;
                        self.refuse_failing(plugin, &report)?;
                        (Some(validated), Some(bytes))
                    }
                    None => (None, None),
                };
                let said = Certification { reason, validated, ..Certification::certified(until, said_at) };
                (PluginPredicate::Certification(said), bytes)
            }
            PluginWord::Validated { report } => {
                let (validated, bytes) = found(plugin, component, &report)?;
                (PluginPredicate::Validation(Validation { validated, said_at }), Some(bytes))
            }
            PluginWord::Revoked { reason } => {
                (PluginPredicate::Certification(Certification::revoked(reason, said_at)), None)
            }
        };
        let unsaid = |error: crate::evidence::PredicateError| Error::BadEvidence {
            file: plugin.to_owned(),
            what: error.to_string(),
        };
        predicate.check().map_err(unsaid)?;
        let subject = plugin_subject(plugin, component);
        let statement = Statement {
            subject: vec![subject.clone()],
            predicate_type: predicate.predicate_type().to_owned(),
            predicate: predicate.to_predicate(),
        };
        let envelope = statement.sign(&actor.key);
        self.keep_of_plugin(actor, plugin, &envelope, &actor.name, &subject, &predicate, report)
    }

    /// The digest of a plugin's component, as it was adopted.
    fn component_of(&self, plugin: &str) -> Result<Digest> {
        let plugins = &self.adopted()?.plugins;
        plugins.get(plugin).copied().ok_or_else(|| Error::NotFound {
            what: "plugin",
            named: plugin.to_owned(),
            help: crate::config::did_you_mean(plugin, plugins.keys().map(String::as_str)),
        })
    }

    /// A plugin's component, as it was adopted.
    ///
    /// # Errors
    /// When no plugin is called so, or its component is missing or damaged.
    pub fn component(&self, plugin: &str) -> Result<Vec<u8>> {
        let digest = self.component_of(plugin)?;
        self.records().store().blob(&digest)?.ok_or(Error::ContentMissing(digest))
    }

    /// Keeps a statement about a plugin, with the report that it names.
    #[expect(clippy::too_many_arguments, reason = "a statement comes with who signed it and what it names")]
    pub(super) fn keep_of_plugin(
        &self,
        actor: &Actor,
        file: &str,
        envelope: &Envelope,
        issuer: &str,
        subject: &Subject,
        predicate: &PluginPredicate,
        report: Option<Vec<u8>>,
    ) -> Result<Taken> {
        let bad = |what: String| Error::BadEvidence { file: file.to_owned(), what };
        let plugin = subject.digest;
        if !self.adopted()?.plugins.values().any(|known| *known == plugin) {
            return Err(bad(format!("it is about {plugin}, which is no plugin of this workspace")));
        }
        super::refuse_future(predicate.said_at(), self.records().now()?).map_err(bad)?;
        let predicate_type = predicate.predicate_type().to_owned();
        let name = stream(&plugin);
        again(|| {
            let mut work = self.work();
            let what = What::PluginStated {
                predicate_type: predicate_type.clone(),
                plugin,
                envelope: work.put(envelope.to_json())?,
                issuer: issuer.to_owned(),
                report: report.clone().map(|report| work.put(report)).transpose()?,
            };
            let after = self.records().newest(&name)?;
            self.records().append(actor, &name, after, what, &work.into_fresh())
        })?;
        Ok(Taken {
            predicate_type,
            bundle: None,
            plugin: Some(plugin),
            environment: None,
            issuer: issuer.to_owned(),
            says: predicate.says(),
        })
    }

    /// The plugins of the adopted configuration, with what people who are in it say of them.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn told_of_plugins(&self) -> Result<Vec<facts::Plugin>> {
        let work = self.work();
        self.adopted()?.plugins.values().map(|digest| self.told_of(&work, *digest)).collect()
    }

    /// The plugins that rendered a plan's data sources, with what people who are in the configuration
    /// say of them. Signatures are checked again. Of several statements the latest said counts, so
    /// that bringing an old one again brings nothing back; but a revocation stands until its author or
    /// an owner of the workspace certifies the plugin.
    pub(crate) fn plugin_facts(&self, work: &Work<'_>, plan: &Plan) -> Result<Vec<facts::Plugin>> {
        let used: BTreeSet<Digest> = plan.all_sources().filter_map(|source| source.plugin).collect();
        used.into_iter().map(|digest| self.told_of(work, digest)).collect()
    }

    fn told_of(&self, work: &Work<'_>, digest: Digest) -> Result<facts::Plugin> {
        let name = self.adopted()?.plugins.iter().find(|(_, known)| **known == digest);
        let mut plugin = facts::Plugin {
            digest,
            name: name.map(|(name, _)| name.clone()).unwrap_or_default(),
            version: String::new(),
            publisher: None,
            certified_by: None,
            certified_until: None,
            is_revoked: false,
            validated_at: None,
            conforms: None,
        };
        if let Some(locked) = name.and_then(|(name, _)| self.adopted().ok()?.locked.get(name)) {
            plugin.version = locked.version.clone().unwrap_or_default();
            plugin.publisher = locked.publisher.as_ref().map(ToString::to_string);
        }
        // What the lock says was checked when the configuration was adopted. Where nobody's signature
        // counted then, people of the configuration say who published it.
        let is_signed = plugin.publisher.is_some();
        let mut published = BTreeSet::new();
        let mut revoked = Revoked::default();
        let validate = |plugin: &mut facts::Plugin, validated: &Validated, at: Timestamp| {
            plugin.validated_at = Some(at);
            plugin.conforms = Some(validated.conforms());
        };
        for (predicate, issuer) in self.said_of(work, &digest)? {
            match predicate {
                PluginPredicate::Release(release) => {
                    if plugin.version.is_empty() {
                        plugin.version = release.version;
                    }
                    // Whoever says so later takes nobody's place.
                    if plugin.publisher.is_none() {
                        plugin.publisher = Some(issuer.clone());
                    }
                    published.insert(issuer);
                }
                PluginPredicate::Certification(said) => {
                    if let Some(validated) = &said.validated {
                        validate(&mut plugin, validated, said.said_at);
                    }
                    if let Some(until) = revoked.hear(&said, &issuer, self.config()?) {
                        plugin.certified_by = Some(issuer);
                        plugin.certified_until = Some(until);
                    }
                }
                PluginPredicate::Validation(said) => validate(&mut plugin, &said.validated, said.said_at),
            }
        }
        plugin.is_revoked = !revoked.by.is_empty();
        // Of several who say that they published it, the one who certified it is named: a gate looks
        // for who vouches for their own.
        if let Some(certifier) = plugin.certified_by.as_ref().filter(|_| !is_signed) {
            plugin.publisher = published.take(certifier).or(plugin.publisher);
        }
        Ok(plugin)
    }

    /// What people who are in the configuration say of a plugin, in the order in which they said it.
    fn said_of(&self, work: &Work<'_>, plugin: &Digest) -> Result<Vec<(PluginPredicate, String)>> {
        let keys = self.people_keys()?;
        let mut said: Vec<(PluginPredicate, String)> = Vec::new();
        for recorded in self.records().all(&stream(plugin))? {
            let What::PluginStated { envelope, .. } = recorded.act.what else { continue };
            let bytes = work.get(&envelope)?.ok_or(Error::ContentMissing(envelope))?;
            // Of whom nobody knows any more, nothing counts.
            let Ok(signed) = Envelope::parse(&bytes)?.verify(&keys) else { continue };
            let issuer = signed.signers.first().and_then(|key| self.name_of(key));
            let Statement { predicate_type, predicate, subject } = &signed.statement;
            let is_meant = subject.iter().all(|subject| subject.digest == *plugin);
            let read = PluginPredicate::from_predicate(predicate_type, predicate).ok().flatten();
            said.extend(read.filter(|_| is_meant).zip(issuer));
        }
        // Of two at one moment, what revokes is the later.
        said.sort_by_key(|(predicate, _)| (predicate.said_at(), revokes(predicate)));
        Ok(said)
    }

    /// The people whose revocations of a plugin stand.
    pub(crate) fn revoked_by(&self, work: &Work<'_>, component: &Digest) -> Result<BTreeSet<String>> {
        let config = self.config()?;
        let mut revoked = Revoked::default();
        for (predicate, issuer) in self.said_of(work, component)? {
            if let PluginPredicate::Certification(said) = predicate {
                revoked.hear(&said, &issuer, config);
            }
        }
        Ok(revoked.by)
    }

    /// Refuses to certify what does not conform.
    fn refuse_failing(&self, plugin: &str, report: &Report) -> Result<()> {
        if report.grade() >= Grade::Conforms {
            return Ok(());
        }
        let fails = report
            .checks
            .iter()
            .filter(|check| check.weight == Weight::Must && matches!(check.outcome, Outcome::Failed(_)));
        let fails: Vec<String> = fails.map(|check| format!("`{}`", check.id)).collect();
        let configured =
            plugin.parse().ok().and_then(|name| self.config().ok()?.plugins.get::<PluginName>(&name));
        let file = configured.map_or_else(|| "FILE".to_owned(), |configured| configured.path.clone());
        Err(Error::NotConforming { plugin: plugin.to_owned(), checks: fails.join(", "), file })
    }

    /// Refuses a certification by somebody who cannot lift a revocation that stands.
    fn check_revocations(&self, actor: &Actor, plugin: &str, component: &Digest) -> Result<()> {
        let revoked = self.revoked_by(&self.work(), component)?;
        if revoked.is_empty() || revoked.contains(&actor.name) || lifts_all(&actor.name, self.config()?) {
            return Ok(());
        }
        let by = revoked.iter().map(|person| format!("`{person}`")).collect::<Vec<_>>().join(" and ");
        Err(Error::NotPermitted {
            actor: actor.name.clone(),
            act: format!("certify `{plugin}`, which {by} revoked"),
            who: format!("{by}, or owners of the workspace"),
        })
    }
}

/// What a report says of a component, which it must be about, with its canonical bytes.
fn found(plugin: &str, component: Digest, report: &Report) -> Result<(Validated, Vec<u8>)> {
    if report.digest != component {
        return Err(Error::invalid(
            format!(
                "the report is about {}, and `{plugin}` is {component} in the adopted configuration",
                report.digest
            ),
            "run the suite on the component that was adopted",
        ));
    }
    Validated::of(report)
}

/// The people whose revocations of a plugin stand.
#[derive(Default)]
struct Revoked {
    by: BTreeSet<String>,
}

impl Revoked {
    /// Hears what somebody says. Answers until when the plugin is certified by that, where it counts.
    fn hear(&mut self, said: &Certification, person: &str, config: &Config) -> Option<Timestamp> {
        let Some(until) = said.until else {
            self.by.insert(person.to_owned());
            return None;
        };
        // Who certifies takes their own revocation back. While one stands, no certification counts.
        if lifts_all(person, config) {
            self.by.clear();
        }
        self.by.remove(person);
        self.by.is_empty().then_some(until)
    }
}

/// Whether somebody takes everybody's revocations back by certifying: an owner of the workspace.
fn lifts_all(person: &str, config: &Config) -> bool {
    config::person(person).is_some_and(|person| config.owns_workspace(&person))
}

const fn revokes(predicate: &PluginPredicate) -> bool {
    matches!(predicate, PluginPredicate::Certification(Certification { until: None, .. }))
}
