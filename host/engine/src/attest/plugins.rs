//! What is said of plugins: who publishes them, who certifies and who revokes them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sluice_ledger::statement::{Envelope, Statement, Subject};
use sluice_model::Digest;
use sluice_model::tree::Blobs as _;
use sluice_policy::facts;

use super::{Signed, Taken};
use crate::act::What;
use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::evidence::{Certification, PluginPredicate, Release, plugin_subject};
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
    /// When no plugin is called so, the word says nothing, or it certifies what somebody revoked and the
    /// actor cannot lift that.
    pub fn add_plugin_word(&self, actor: &Actor, plugin: &str, word: PluginWord) -> Result<Taken> {
        self.permit(actor, Wish::TakePart)?;
        let plugins = &self.adopted()?.plugins;
        let component = *plugins.get(plugin).ok_or_else(|| Error::NotFound {
            what: "plugin",
            named: plugin.to_owned(),
            help: crate::config::did_you_mean(plugin, plugins.keys().map(String::as_str)),
        })?;
        if let PluginWord::Certified { .. } = word {
            self.check_revocations(actor, plugin, &component)?;
        }
        let said_at = self.records().now()?;
        let predicate = match word {
            PluginWord::Published { version } => PluginPredicate::Release(Release { version, said_at }),
            PluginWord::Certified { until } => {
                PluginPredicate::Certification(Certification { until: Some(until), revoked: None, said_at })
            }
            PluginWord::Revoked { reason } => {
                PluginPredicate::Certification(Certification { until: None, revoked: Some(reason), said_at })
            }
        };
        let statement = Statement {
            subject: vec![plugin_subject(plugin, component)],
            predicate_type: predicate.predicate_type().to_owned(),
            predicate: predicate.to_predicate(),
        };
        self.keep(actor, plugin, &statement.sign(&actor.key))
    }

    /// Keeps a statement about a plugin.
    pub(super) fn keep_of_plugin(
        &self,
        actor: &Actor,
        file: &str,
        envelope: &Envelope,
        signed: &Signed,
        subject: &Subject,
        predicate: &PluginPredicate,
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
                issuer: signed.issuer.clone(),
            };
            let after = self.records().newest(&name)?;
            self.records().append(actor, &name, after, what, &work.into_fresh())
        })?;
        Ok(Taken {
            predicate_type,
            bundle: None,
            plugin: Some(plugin),
            environment: None,
            issuer: signed.issuer.clone(),
            says: predicate.says(),
        })
    }

    /// The plugins that rendered a plan's data sources, with what people who are in the configuration
    /// say of them. Signatures are checked again. Of several statements the latest said counts, so
    /// that bringing an old one again brings nothing back; but a revocation stands until its author or
    /// an owner of the workspace certifies the plugin.
    pub(crate) fn plugin_facts(&self, work: &Work<'_>, plan: &Plan) -> Result<Vec<facts::Plugin>> {
        let used: BTreeSet<Digest> = plan.all_sources().filter_map(|source| source.plugin).collect();
        let mut found = Vec::new();
        for digest in used {
            let name = self.adopted()?.plugins.iter().find(|(_, known)| **known == digest);
            let mut plugin = facts::Plugin {
                digest,
                name: name.map(|(name, _)| name.clone()).unwrap_or_default(),
                version: String::new(),
                publisher: None,
                certified_by: None,
                certified_until: None,
                is_revoked: false,
            };
            if let Some(locked) = name.and_then(|(name, _)| self.adopted().ok()?.locked.get(name)) {
                plugin.version = locked.version.clone().unwrap_or_default();
                plugin.publisher = locked.publisher.as_ref().map(ToString::to_string);
            }
            let mut revoked = Revoked::default();
            for (predicate, issuer) in self.said_of(work, &digest)? {
                match predicate {
                    PluginPredicate::Release(release) => {
                        plugin.version = release.version;
                        plugin.publisher = Some(issuer);
                    }
                    PluginPredicate::Certification(said) => {
                        if let Some(until) = revoked.hear(&said, &issuer, self.config()?) {
                            plugin.certified_by = Some(issuer);
                            plugin.certified_until = Some(until);
                        }
                    }
                }
            }
            plugin.is_revoked = !revoked.by.is_empty();
            found.push(plugin);
        }
        Ok(found)
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
