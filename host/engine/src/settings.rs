//! What an environment owns: bindings, constants and secrets. Nothing but its owners changes them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_model::content;
use sluice_model::tree::Tree;
use sluice_model::{ConstantName, Digest, EnvironmentName, Kind, LogicalId, Pointer, SecretRef, SlotName};
use sluice_plugin::Candidate;
use sluice_vault::{Context, Fingerprint, Fresh, Metadata, Sealed, Secret};

use crate::act::{SettingChange, What};
use crate::error::{Error, Result};
use crate::permission::Wish;
use crate::records::{Actor, again};
use crate::state::Work;
use crate::workspace::Workspace;

/// What an environment owns for a data source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The platform's kind, so that a source that changed its kind is not bound by accident.
    pub kind: Kind,
    /// The native options; secrets stand in them as marks.
    pub options: Value,
    /// Which secret fills which slot, where the owner said so; a plugin assigns the others.
    pub slots: BTreeMap<SlotName, SecretRef>,
}

/// A constant's value in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Constant {
    /// `constants.X`: plain.
    Plain(String),
    /// `secrets.X`: filed as a secret.
    Secret(SecretRef),
}

/// A secret as it is filed: its value sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filed {
    /// The sealed value, in base64.
    pub sealed: String,
    /// The value's number, from 1: an older one cannot be put in its place.
    pub version: u64,
    /// When the value was first filed.
    pub since: Timestamp,
}

/// What became of a value that was filed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filing {
    /// It was never filed at its place before.
    Anew,
    /// It was, and is as old as it was: a credential is rotated by another value alone.
    AsBefore {
        /// Since when it is known.
        since: Timestamp,
    },
}

/// All that an environment owns: the root of a tree that every revision of its settings carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    revision: u64,
    root: Digest,
}

/// The stream of an environment's settings.
#[must_use]
pub fn stream(environment: &EnvironmentName) -> String {
    format!("env/{environment}/settings")
}

fn binding_key(source: &LogicalId) -> String {
    format!("binding/{source}")
}

fn constant_key(name: &ConstantName) -> String {
    format!("constant/{name}")
}

fn secret_key(reference: &SecretRef) -> String {
    format!("secret/{}", reference.path())
}

impl Settings {
    /// The root of the tree.
    #[must_use]
    pub const fn root(&self) -> Digest {
        self.root
    }

    /// The binding of a data source.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn binding(&self, work: &Work<'_>, source: &LogicalId) -> Result<Option<Binding>> {
        work.lookup(self.root, &binding_key(source))
    }

    /// All bindings, by data source.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn bindings(&self, work: &Work<'_>) -> Result<BTreeMap<String, Binding>> {
        self.with_prefix(work, "binding/")
    }

    /// A constant's value.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn constant(&self, work: &Work<'_>, name: &ConstantName) -> Result<Option<Constant>> {
        work.lookup(self.root, &constant_key(name))
    }

    /// Whether a constant has a value: of a secret one, whether it is still filed.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn has_constant(&self, work: &Work<'_>, name: &ConstantName) -> Result<bool> {
        match self.constant(work, name)? {
            Some(Constant::Secret(reference)) => Ok(self.filed(work, &reference)?.is_some()),
            Some(Constant::Plain(_)) => Ok(true),
            None => Ok(false),
        }
    }

    /// All constants, by name.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn constants(&self, work: &Work<'_>) -> Result<BTreeMap<String, Constant>> {
        self.with_prefix(work, "constant/")
    }

    /// A filed secret.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn filed(&self, work: &Work<'_>, reference: &SecretRef) -> Result<Option<Filed>> {
        work.lookup(self.root, &secret_key(reference))
    }

    /// All filed secrets, by path.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn secrets(&self, work: &Work<'_>) -> Result<BTreeMap<String, Filed>> {
        self.with_prefix(work, "secret/")
    }

    /// The secrets that are offered to a data source: those filed under its name or its id, each
    /// labelled by the rest of its path.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn offered(
        &self,
        work: &Work<'_>,
        environment: &EnvironmentName,
        source: &LogicalId,
        name: &str,
        now: Timestamp,
    ) -> Result<Vec<Candidate>> {
        let mut offered = Vec::new();
        for (path, filed) in self.secrets(work)? {
            let label = [name, source.as_str()]
                .into_iter()
                .find_map(|folder| path.strip_prefix(folder)?.strip_prefix('/'))
                .map(str::to_owned);
            if let Some(label) = label {
                let reference = SecretRef::new(environment.clone(), path)?;
                offered.push(Candidate { reference, label, age_days: age_days(filed.since, now) });
            }
        }
        Ok(offered)
    }

    fn with_prefix<T: serde::de::DeserializeOwned>(
        &self,
        work: &Work<'_>,
        prefix: &str,
    ) -> Result<BTreeMap<String, T>> {
        let mut found = BTreeMap::new();
        for (key, digest) in Tree::at(self.root).entries(work)? {
            if let Some(name) = key.strip_prefix(prefix) {
                found.insert(name.to_owned(), work.json(&digest)?);
            }
        }
        Ok(found)
    }
}

/// One entry of the tree of settings as it is to be.
fn entry<T: Serialize>(key: String, value: &T) -> Result<(String, Option<Value>)> {
    Ok((key, Some(serde_json::to_value(value)?)))
}

/// The sealed bytes of what is filed.
fn sealed(reference: &SecretRef, filed: &Filed) -> Result<Sealed> {
    let bytes = STANDARD.decode(&filed.sealed).map_err(|_| {
        Error::invalid(format!("what is filed for `{reference}` is damaged"), "file the secret again")
    })?;
    Ok(Sealed::from_bytes(&bytes)?)
}

/// The place that a value was sealed for.
const fn context<'a>(reference: &'a SecretRef, filed: &Filed) -> Context<'a> {
    Context { reference, environment: reference.environment(), version: filed.version }
}

/// A label of the length that the vault takes.
fn shortened(label: &str) -> String {
    label.chars().take(40).collect()
}

/// Whole days between two times; none where the first is later.
fn age_days(since: Timestamp, now: Timestamp) -> u32 {
    let hours = now.as_second().saturating_sub(since.as_second()) / 3_600;
    u32::try_from(hours / 24).unwrap_or_default()
}

/// Where the secret of a constant lies.
///
/// # Errors
/// Never for a valid constant's name; the type asks.
pub fn constant_secret(environment: &EnvironmentName, name: &ConstantName) -> Result<SecretRef> {
    Ok(SecretRef::new(environment.clone(), format!("constants/{name}"))?)
}

impl Workspace {
    /// What an environment owns.
    ///
    /// # Errors
    /// When the environment is unknown, or a record is damaged.
    pub fn settings(&self, work: &mut Work<'_>, environment: &EnvironmentName) -> Result<Settings> {
        self.known_environment(environment)?;
        match self.records().head(&stream(environment))? {
            None => Ok(Settings { revision: 0, root: Tree::empty(work)?.root() }),
            Some(head) => match head.act.what {
                What::SettingChanged { settings, .. } => {
                    Ok(Settings { revision: head.revision, root: settings })
                }
                _ => Err(Error::RecordDamaged {
                    stream: stream(environment),
                    revision: head.revision,
                    what: "it is no change of settings".into(),
                }),
            },
        }
    }

    /// One act, however many entries it changes: a crash never leaves a part of them.
    fn change_settings(
        &self,
        actor: &Actor,
        environment: &EnvironmentName,
        mut work: Work<'_>,
        before: Settings,
        entries: &[(String, Option<Value>)],
        change: SettingChange,
    ) -> Result<()> {
        let mut settings = before.root;
        for (key, value) in entries {
            settings = work.set(settings, key, value.as_ref())?;
        }
        if settings == before.root {
            return Ok(());
        }
        let what = What::SettingChanged { settings, change };
        self.records().append(actor, &stream(environment), before.revision, what, &work.into_fresh())?;
        Ok(())
    }

    /// Sets a data source's binding in an environment.
    ///
    /// # Errors
    /// When the actor does not own the environment, an option holds a secret in the clear, or a
    /// slot is given another environment's secret.
    pub fn set_binding(
        &self,
        actor: &Actor,
        environment: &EnvironmentName,
        source: &LogicalId,
        binding: Binding,
    ) -> Result<()> {
        self.permit(actor, Wish::Own(environment))?;
        if let Some((slot, reference)) = binding.slots.iter().find(|(_, r)| r.environment() != environment) {
            return Err(Error::invalid(
                format!("slot `{slot}` would get `{reference}`, which another environment owns"),
                format!("file the secret in `{environment}` with `sluice secret set`"),
            ));
        }
        let rules = self.slot_rules()?.for_kind(&binding.kind);
        if let Some((at, slot)) = sluice_platform::declared_in_the_clear(&binding.options, &rules).first() {
            return Err(Error::invalid(
                format!("the value at `{at}` is the secret `{slot}`, and no secret stands in a binding"),
                format!("leave it out, and file it in `{environment}` with `sluice secret set`"),
            ));
        }
        again(|| {
            let mut work = self.work();
            let settings = self.settings(&mut work, environment)?;
            let entries = [entry(binding_key(source), &binding)?];
            let change = SettingChange::BindingSet { source: source.clone() };
            self.change_settings(actor, environment, work, settings, &entries, change)
        })
    }

    /// Takes the binding that an import proposed, where the environment has none yet.
    ///
    /// # Errors
    /// When the actor does not own the environment, nothing was proposed, or there is a binding.
    pub fn adopt_binding(
        &self,
        actor: &Actor,
        environment: &EnvironmentName,
        source: &LogicalId,
    ) -> Result<()> {
        self.permit(actor, Wish::Own(environment))?;
        again(|| {
            let mut work = self.work();
            let settings = self.settings(&mut work, environment)?;
            if settings.binding(&work, source)?.is_some() {
                return Err(Error::invalid(
                    format!("`{environment}` has a binding for `{source}` already, which stays its own"),
                    "change it with `sluice binding set`",
                ));
            }
            let Some(proposal) = self.proposal(&mut work, environment, source)? else {
                return Err(Error::NotFound {
                    what: "proposed binding",
                    named: format!("{environment}/{source}"),
                    help: "see `sluice binding list`, or write one with `sluice binding set`".into(),
                });
            };
            let mut entries = Vec::new();
            for (slot, filed) in &proposal.secrets {
                let reference = proposed_secret(environment, source, slot)?;
                // What the owner filed there already stays.
                if settings.filed(&work, &reference)?.is_none() {
                    entries.push(entry(secret_key(&reference), filed)?);
                }
            }
            let binding = Binding { kind: proposal.kind, options: proposal.options, slots: BTreeMap::new() };
            entries.push(entry(binding_key(source), &binding)?);
            let change = SettingChange::BindingAdopted {
                source: source.clone(),
                proposal: format!("{environment}/{source}"),
            };
            self.change_settings(actor, environment, work, settings, &entries, change)
        })
    }

    /// The binding that imports propose: what the environment's own had, else the newest of those
    /// that imports of other environments had for it.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn proposal(
        &self,
        work: &mut Work<'_>,
        environment: &EnvironmentName,
        source: &LogicalId,
    ) -> Result<Option<Proposed>> {
        let mut newest: Option<(Proposed, Timestamp)> = None;
        for from in &self.config()?.environments {
            let (_, state) = self.environment(work, &from.name)?;
            let Some(found) = crate::import::kept_proposal(work, &state, environment, source)? else {
                continue;
            };
            if from.name == *environment {
                return Ok(Some(found.0));
            }
            if newest.as_ref().is_none_or(|known| known.1 < found.1) {
                newest = Some(found);
            }
        }
        Ok(newest.map(|(proposed, _)| proposed))
    }

    /// Sets a constant's value.
    ///
    /// # Errors
    /// When the actor does not own the environment.
    pub fn set_constant(
        &self,
        actor: &Actor,
        environment: &EnvironmentName,
        name: &ConstantName,
        value: Secret,
    ) -> Result<()> {
        self.permit(actor, Wish::Own(environment))?;
        again(|| {
            let mut work = self.work();
            let settings = self.settings(&mut work, environment)?;
            let mut entries = Vec::new();
            let constant = if name.is_secret() {
                let reference = constant_secret(environment, name)?;
                let (filed, _) = self.sealed_next(&work, &reference, &value)?;
                entries.push(entry(secret_key(&reference), &filed)?);
                Constant::Secret(reference)
            } else {
                Constant::Plain(value.expose_text().unwrap_or_default().to_owned())
            };
            entries.push(entry(constant_key(name), &constant)?);
            let change = SettingChange::ConstantSet { name: name.clone() };
            self.change_settings(actor, environment, work, settings, &entries, change)
        })
    }

    /// Files a secret in the vault. A value that was filed there before is as old as it was.
    ///
    /// # Errors
    /// When the actor does not own the secret's environment.
    pub fn set_secret(&self, actor: &Actor, reference: &SecretRef, value: Secret) -> Result<Filing> {
        self.permit(actor, Wish::Own(reference.environment()))?;
        again(|| {
            let mut work = self.work();
            let settings = self.settings(&mut work, reference.environment())?;
            let (filed, filing) = self.sealed_next(&work, reference, &value)?;
            let entries = [entry(secret_key(reference), &filed)?];
            let change = SettingChange::SecretSet { reference: reference.clone() };
            self.change_settings(actor, reference.environment(), work, settings, &entries, change)?;
            Ok(filing)
        })
    }

    /// Seals a value as the next one at its place, or answers what is filed there where that is it.
    fn sealed_next(&self, work: &Work<'_>, reference: &SecretRef, value: &Secret) -> Result<(Filed, Filing)> {
        let former = self.filed_ever(work, reference)?;
        let version = 1 + former.iter().map(|(filed, _)| filed.version).max().unwrap_or_default();
        let fresh = self.seal(reference, version, value)?;
        let mark = self.fingerprint_of(reference, &fresh)?;
        for (filed, is_there) in former {
            // What cannot be opened any more is no value that could be the same.
            if self.fingerprint_of(reference, &filed).ok().as_ref() != Some(&mark) {
                continue;
            }
            let filing = Filing::AsBefore { since: filed.since };
            let again =
                if is_there { filed } else { self.seal_since(reference, version, value, filed.since)? };
            return Ok((again, filing));
        }
        Ok((fresh, Filing::Anew))
    }

    /// All that was ever filed at a place, newest first, each with whether it is there now: what was
    /// taken away or replaced and comes again is no younger for it.
    fn filed_ever(&self, work: &Work<'_>, reference: &SecretRef) -> Result<Vec<(Filed, bool)>> {
        let key = secret_key(reference);
        let acts = self.records().all(&stream(reference.environment()))?;
        let mut found: Vec<(Digest, bool)> = Vec::new();
        let mut is_there = true;
        for recorded in acts.into_iter().rev() {
            let What::SettingChanged { settings, .. } = recorded.act.what else { continue };
            let filed = Tree::at(settings).lookup(work, &key)?;
            if let Some(digest) = filed.filter(|digest| found.iter().all(|(known, _)| known != digest)) {
                found.push((digest, is_there));
            }
            is_there = false;
        }
        found.into_iter().map(|(digest, is_there)| Ok((work.json(&digest)?, is_there))).collect()
    }

    /// Seals a value for one place in the vault.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn seal(&self, reference: &SecretRef, version: u64, value: &Secret) -> Result<Filed> {
        self.seal_since(reference, version, value, self.records().ambient().now())
    }

    fn seal_since(
        &self,
        reference: &SecretRef,
        version: u64,
        value: &Secret,
        since: Timestamp,
    ) -> Result<Filed> {
        let ambient = self.records().ambient();
        let fresh = Fresh::try_draw(|buffer| ambient.random(buffer))
            .map_err(|source| Error::File { path: "the system's randomness".into(), source })?;
        let label = reference.path().rsplit('/').next().unwrap_or_default();
        let metadata = Metadata::new(&shortened(label), since)?;
        let context = Context { reference, environment: reference.environment(), version };
        let sealed = self.vault().seal(&context, &metadata, value, fresh)?;
        Ok(Filed { sealed: STANDARD.encode(sealed.to_bytes()), version, since })
    }

    /// Opens a sealed value.
    ///
    /// # Errors
    /// When it was sealed for another place or with another key.
    pub(crate) fn open_sealed(&self, reference: &SecretRef, filed: &Filed) -> Result<Secret> {
        let sealed = sealed(reference, filed)?;
        Ok(self.vault().open(&context(reference, filed), &sealed)?)
    }

    /// The fingerprint of a sealed value, by which it is known again where it is filed elsewhere.
    ///
    /// # Errors
    /// As [`Workspace::open_sealed`].
    pub(crate) fn fingerprint_of(&self, reference: &SecretRef, filed: &Filed) -> Result<Fingerprint> {
        let sealed = sealed(reference, filed)?;
        Ok(self.vault().fingerprint(&context(reference, filed), &sealed)?)
    }

    /// Removes a setting: a binding, a constant or a secret, by its key.
    ///
    /// # Errors
    /// When the actor does not own the environment, or nothing has the key.
    pub fn remove_setting(
        &self,
        actor: &Actor,
        environment: &EnvironmentName,
        setting: &Setting,
    ) -> Result<()> {
        self.permit(actor, Wish::Own(environment))?;
        let key = match setting {
            Setting::Binding(source) => binding_key(source),
            Setting::Constant(name) => constant_key(name),
            Setting::Secret(reference) => secret_key(reference),
        };
        again(|| {
            let mut work = self.work();
            let settings = self.settings(&mut work, environment)?;
            if Tree::at(settings.root).lookup(&work, &key)?.is_none() {
                return Err(Error::NotFound {
                    what: "setting",
                    named: key.clone(),
                    help: format!("see what `{environment}` owns with `sluice binding list {environment}`"),
                });
            }
            let change = SettingChange::Removed { key: key.clone() };
            self.change_settings(actor, environment, work, settings, &[(key.clone(), None)], change)
        })
    }
}

/// One thing that an environment owns.
#[derive(Debug, Clone)]
pub enum Setting {
    /// A data source's binding.
    Binding(LogicalId),
    /// A constant.
    Constant(ConstantName),
    /// A secret.
    Secret(SecretRef),
}

/// Options that an export held for another environment, as a proposal to its owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposed {
    /// The data source's kind.
    pub kind: Kind,
    /// The native options with marks.
    pub options: Value,
    /// Values that stood in them in the clear, sealed for the place where they would be filed.
    pub secrets: BTreeMap<SlotName, Filed>,
}

/// Where a proposed secret would be filed: under the data source, by its slot's name.
///
/// # Errors
/// When the slot's name is no part of a path.
pub fn proposed_secret(
    environment: &EnvironmentName,
    source: &LogicalId,
    slot: &SlotName,
) -> Result<SecretRef> {
    Ok(SecretRef::new(environment.clone(), format!("{source}/{slot}"))?)
}

/// The options with one more value set, making the objects on the way.
///
/// # Errors
/// When the pointer leads through something that is no object.
pub fn set_option(options: &mut Value, at: &Pointer, value: Value) -> Result<()> {
    let wrong = || {
        Error::invalid(
            format!("`{at}` is no place in the options"),
            "write a JSON pointer to a member, such as `/host/value`",
        )
    };
    let mut place = options;
    for token in at.tokens() {
        if place.is_null() {
            *place = Value::Object(serde_json::Map::new());
        }
        place = match place {
            Value::Object(members) => members.entry(token.clone()).or_insert(Value::Null),
            Value::Array(items) => {
                token.parse::<usize>().ok().and_then(|index| items.get_mut(index)).ok_or_else(wrong)?
            }
            _ => return Err(wrong()),
        };
    }
    *place = value;
    Ok(())
}

/// The slots that stand in some options.
#[must_use]
pub fn slots_in(options: &Value) -> Vec<SlotName> {
    let mut slots: Vec<SlotName> = content::marks(options).into_iter().map(|mark| mark.slot).collect();
    slots.sort();
    slots.dedup();
    slots
}
