//! Import: an export becomes objects of an environment.
//!
//! In the first environment the export is the working copy. Elsewhere it teaches native ids and
//! shows what differs of apps, modules and shared objects that a promoted version brought; of all
//! others it records a baseline. It never makes a version.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_model::content::{self, Part};
use sluice_model::diff::{self, Change};
use sluice_model::tree::Tree;
use sluice_model::{Digest, EnvironmentName, LogicalId, Object, ObjectKind, SlotName};
use sluice_platform::{Decoded, InputFile, Native, OPTIONS, SecretText, SlotRules, TakenSecret};
use sluice_plugin::Registry;
use sluice_vault::Secret;

use crate::act::{ImportSummary, What};
use crate::error::{Error, Result};
use crate::identity::{self, IdentityMap, Resolution};
use crate::permission::Wish;
use crate::place;
use crate::records::Actor;
use crate::render::Rendered;
use crate::settings::{Filed, Proposed, proposed_secret};
use crate::state::{EnvironmentState, Holding, Revised, SHARED, Touched, Work, touched, unit_of};
use crate::suspicion::{
    Judgement, SUSPICIONS, Suspicion, fingerprint, judgement_key, suspicion_key, suspicion_place,
};
use crate::version::Carried;
use crate::workspace::{Workspace, environment_stream};

/// What to import, and what a person already said about it.
pub struct ImportRequest {
    /// Into which environment.
    pub environment: EnvironmentName,
    /// The export.
    pub files: Vec<InputFile>,
    /// The digest of matches by name that a person confirmed.
    pub confirm: Option<String>,
    /// Native ids that a person said are new things.
    pub distinct: BTreeSet<String>,
}

/// What an import did.
#[derive(Debug, Clone, Serialize)]
pub struct ImportReport {
    /// What came in.
    pub summary: ImportSummary,
    /// What changed, object by object.
    pub changes: Vec<Difference>,
    /// What the export has otherwise than what was promoted, which stays as it is.
    pub differences: Vec<Difference>,
    /// Whether anything was recorded at all.
    pub changed: bool,
}

/// One object that the export has otherwise than the environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The object.
    pub object: LogicalId,
    /// What it is.
    pub kind: ObjectKind,
    /// What people call it.
    pub name: String,
    /// Whose it is to decide about.
    pub sort: Sort,
    /// What differs; empty where the object is only on one side.
    pub changes: Vec<Change>,
}

/// What sort of difference it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// The export has it and the environment does not.
    Created,
    /// Both have it.
    Updated,
    /// The environment has it and the export does not.
    Deleted,
    /// Options that the environment owns differ from what was rendered.
    EnvironmentOwned,
}

/// What an export held beside its objects, and in which format it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residue {
    /// The format.
    pub format: sluice_platform::Format,
    /// What is of the file alone.
    pub rest: Value,
}

/// A value that was taken out of content, sealed, and its fingerprint by which it is known again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// The sealed value.
    pub filed: Filed,
    /// The keyed fingerprint.
    pub fingerprint: Digest,
}

/// A proposal as the state keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptProposal {
    proposed: Proposed,
    fingerprints: BTreeMap<SlotName, Digest>,
    /// When an export had it otherwise last.
    since: Timestamp,
}

impl Workspace {
    /// Reads an export without storing anything.
    ///
    /// # Errors
    /// When it is no export that can be read.
    pub fn read_export(&self, files: &[InputFile]) -> Result<Native> {
        let limit = usize::try_from(self.config()?.import_limit.bytes()).unwrap_or(usize::MAX);
        Ok(sluice_platform::read(files, limit)?)
    }

    /// Where secrets hide, by the plugins that count.
    ///
    /// # Errors
    /// When a plugin no longer loads.
    pub fn slot_rules(&self) -> Result<SlotRules> {
        Ok(slot_rules(&*self.plugins()?))
    }

    /// Imports an export into an environment.
    ///
    /// # Errors
    /// When the actor may not, the export cannot be read, or matches by name wait for a person;
    /// nothing is changed then.
    pub fn import(&self, actor: &Actor, request: &ImportRequest) -> Result<ImportReport> {
        self.permit(actor, Wish::Import(&request.environment))?;
        let native = self.read_export(&request.files)?;
        let mut work = self.work();
        let (revision, before) = self.environment(&mut work, &request.environment)?;
        self.refuse_held(&request.environment, &before)?;
        let resolution = self.resolve(&mut work, &native, &before, request)?;
        let format = native.format().clone();
        let platform = format.platform.as_str();
        let called = self
            .config()?
            .environment(&request.environment)
            .map_or_else(|| request.environment.to_string(), |e| e.native_name(platform).to_owned());
        let decoded = native.decode(&resolution.ids, &self.slot_rules()?, &called)?;
        let mut import = Import {
            workspace: self,
            environment: &request.environment,
            platform,
            revision: revision + 1,
            before: &before,
            after: before.clone(),
            objects: Vec::new(),
            summary: ImportSummary {
                files: request.files.iter().map(|file| file.name.clone()).collect(),
                platform: platform.to_owned(),
                generation: format.generation.as_str().to_owned(),
                learnt: resolution.learnt,
                orphans: decoded.orphan_options,
                ..ImportSummary::default()
            },
        };
        import.take(&mut work, &decoded, &resolution)?;
        import.keep_place(&mut work, &decoded)?;
        let residue = Residue { format: format.clone(), rest: decoded.rest };
        import.keep_residue(&mut work, &residue)?;
        let (changes, differences) =
            import.place(&mut work, self.first_environment()? == request.environment)?;
        let Import { after, mut summary, .. } = import;
        let changed = after != before;
        if changed {
            summary.apps.sort();
            summary.proposals.sort();
            let what = What::Imported { state: Box::new(after), summary: summary.clone() };
            let stream = environment_stream(&request.environment);
            sluice_store::failpoint("import.before-commit");
            self.records().append(actor, &stream, revision, what, &work.into_fresh())?;
            sluice_store::failpoint("import.after-commit");
        }
        Ok(ImportReport { summary, changes, differences, changed })
    }

    fn resolve(
        &self,
        work: &mut Work<'_>,
        native: &Native,
        state: &EnvironmentState,
        request: &ImportRequest,
    ) -> Result<Resolution> {
        let here = IdentityMap::read(work, state.identity)?;
        let mut elsewhere = Vec::new();
        let environments: Vec<EnvironmentName> =
            self.config()?.environments.iter().map(|e| e.name.clone()).collect();
        for environment in environments.iter().filter(|name| **name != request.environment) {
            let (_, state) = self.environment(work, environment)?;
            elsewhere.push(IdentityMap::read(work, state.identity)?);
        }
        let confirm = request.confirm.as_deref();
        identity::resolve(&native.survey(), &here, &elsewhere, confirm, &request.distinct)
    }
}

/// Where secrets hide: what is declared of every platform, and what plugins say of their kinds.
pub(crate) fn slot_rules(plugins: &Registry) -> SlotRules {
    let mut rules = SlotRules::floor();
    for plugin in plugins.plugins() {
        for described in plugin.describe() {
            rules.add(described.kind.clone(), described.slot_rules());
        }
    }
    rules
}

/// One import on its way from decoded objects to the environment's next state.
struct Import<'a> {
    workspace: &'a Workspace,
    environment: &'a EnvironmentName,
    platform: &'a str,
    /// The revision that it will be.
    revision: u64,
    before: &'a EnvironmentState,
    after: EnvironmentState,
    objects: Vec<Object>,
    summary: ImportSummary,
}

impl Import<'_> {
    /// Takes identities, secrets and proposals, and settles what was judged about suspicions.
    fn take(&mut self, work: &mut Work<'_>, decoded: &Decoded, resolution: &Resolution) -> Result<()> {
        self.after.identity = identity::merge(work, self.before.identity, &resolution.rolls)?;
        let judgements = self.workspace.judgements(work)?;
        let mut objects = decoded.objects.clone();
        for object in &mut objects {
            let suspicious: Vec<&TakenSecret> = decoded
                .secrets
                .iter()
                .filter(|taken| taken.provisional && taken.environment.is_none() && taken.object == object.id)
                .collect();
            if !suspicious.is_empty() {
                self.settle(work, object, &suspicious, &judgements)?;
            }
        }
        self.objects = objects;
        self.forget_suspicions(work, decoded, &judgements)?;
        self.propose(work, decoded)
    }

    /// Puts a dismissed text back, makes a confirmed one a slot, and keeps the others for a person.
    fn settle(
        &mut self,
        work: &mut Work<'_>,
        object: &mut Object,
        suspicious: &[&TakenSecret],
        judgements: &BTreeMap<String, Judgement>,
    ) -> Result<()> {
        let workspace = self.workspace;
        for taken in suspicious {
            let mark = fingerprint(workspace, taken.value.expose());
            let judged = judgements.get(&judgement_key(&object.id, &taken.slot));
            let judged = judged.filter(|judged| judged.fingerprint == mark);
            let secret = match judged {
                Some(judged) => judged.secret,
                None => {
                    self.summary.suspicions += 1;
                    self.keep_suspicion(work, object, taken, mark)?;
                    continue;
                }
            };
            let place = taken.at.get_mut(&mut object.content);
            let Some((place, parts)) =
                place.and_then(|place| content::parts(place).map(|parts| (place, parts)))
            else {
                continue;
            };
            let parts: Vec<Part> = parts
                .into_iter()
                .map(|part| match part {
                    Part::Provisional(slot) if slot == taken.slot && secret => Part::Slot(slot),
                    Part::Provisional(slot) if slot == taken.slot => {
                        Part::Text(taken.value.expose().to_owned())
                    }
                    other => other,
                })
                .collect();
            *place = joined(parts);
        }
        Ok(())
    }

    /// Forgets what an earlier state of these objects was suspected of: it is gone, or was judged.
    fn forget_suspicions(
        &mut self,
        work: &mut Work<'_>,
        decoded: &Decoded,
        judgements: &BTreeMap<String, Judgement>,
    ) -> Result<()> {
        let here: BTreeSet<&LogicalId> = decoded.objects.iter().map(|object| &object.id).collect();
        for (key, digest) in Tree::at(self.after.proposals).entries(work)? {
            if !key.starts_with(SUSPICIONS) {
                continue;
            }
            let suspicion: Suspicion = work.json(&digest)?;
            let mark = suspicion.taken.fingerprint;
            let judged = judgements.get(&judgement_key(&suspicion.object, &suspicion.slot));
            let is_judged = judged.is_some_and(|judged| judged.fingerprint == mark);
            let still_there = decoded.secrets.iter().any(|taken| {
                taken.provisional && taken.slot == suspicion.slot && taken.object == suspicion.object
            });
            if here.contains(&suspicion.object) && (is_judged || !still_there) {
                self.after.proposals = work.set::<Suspicion>(self.after.proposals, &key, None)?;
            }
        }
        Ok(())
    }

    fn keep_suspicion(
        &mut self,
        work: &mut Work<'_>,
        object: &Object,
        taken: &TakenSecret,
        mark: Digest,
    ) -> Result<()> {
        let key = suspicion_key(&object.id, &taken.slot);
        let former: Option<Suspicion> = work.lookup(self.before.proposals, &key)?;
        let value = match former {
            Some(former) if former.taken.fingerprint == mark => former.taken,
            _ => {
                let reference = suspicion_place(self.environment, &object.id, &taken.slot)?;
                let filed = self.workspace.seal(&reference, 1, &secret(&taken.value)?)?;
                Taken { filed, fingerprint: mark }
            }
        };
        let suspicion = Suspicion {
            slot: taken.slot.clone(),
            object: object.id.clone(),
            name: object.name.clone(),
            at: taken.at.clone(),
            what: taken.what,
            taken: value,
        };
        self.after.proposals = work.set(self.after.proposals, &key, Some(&suspicion))?;
        Ok(())
    }

    /// Keeps each environment's options as a proposal to its owner.
    fn propose(&mut self, work: &mut Work<'_>, decoded: &Decoded) -> Result<()> {
        let kinds: BTreeMap<&LogicalId, &Object> =
            decoded.objects.iter().filter(|o| o.source_kind.is_some()).map(|o| (&o.id, o)).collect();
        let own = kinds.values().filter_map(|object| {
            let options = object.content.get(OPTIONS).filter(|options| !options.is_null())?;
            Some((object.id.clone(), None, options.clone()))
        });
        let others = decoded
            .proposals
            .iter()
            .map(|other| (other.source.clone(), Some(other.environment.clone()), other.options.clone()));
        let config = self.workspace.config()?;
        let now = self.workspace.records().ambient().now();
        for (source, native, options) in own.chain(others).collect::<Vec<_>>() {
            let environment = match &native {
                None => Some(self.environment.clone()),
                Some(native) => config.environment_called(self.platform, native).map(|e| e.name.clone()),
            };
            let (Some(environment), Some(object)) = (environment, kinds.get(&source)) else { continue };
            let Some(kind) = object.source_kind.clone() else { continue };
            let taken = decoded.secrets.iter().filter(|taken| {
                taken.object == source
                    && taken.environment == native
                    && taken.at.tokens().first().is_some_and(|t| t == OPTIONS)
            });
            let key = format!("{environment}/{source}");
            if options.as_object().is_some_and(Map::is_empty) {
                // A platform has a place for every environment, and often nothing in it, its own included.
                self.after.proposals = work.set::<KeptProposal>(self.after.proposals, &key, None)?;
                continue;
            }
            let former: Option<KeptProposal> = work.lookup(self.before.proposals, &key)?;
            let mut secrets = BTreeMap::new();
            let mut fingerprints = BTreeMap::new();
            for taken in taken {
                let mark = fingerprint(self.workspace, taken.value.expose());
                let known = former
                    .as_ref()
                    .filter(|former| former.fingerprints.get(&taken.slot) == Some(&mark))
                    .and_then(|former| former.proposed.secrets.get(&taken.slot).cloned());
                let filed = match known {
                    Some(filed) => filed,
                    None => {
                        let reference = proposed_secret(&environment, &source, &taken.slot)?;
                        self.workspace.seal(&reference, 1, &secret(&taken.value)?)?
                    }
                };
                self.summary.secrets += 1;
                secrets.insert(taken.slot.clone(), filed);
                fingerprints.insert(taken.slot.clone(), mark);
            }
            let proposed = Proposed { kind, options, secrets };
            let is_same =
                |former: &&KeptProposal| former.proposed == proposed && former.fingerprints == fingerprints;
            let since = former.as_ref().filter(is_same).map_or(now, |former| former.since);
            let kept = KeptProposal { proposed, fingerprints, since };
            if environment != *self.environment {
                self.summary.proposals.push(key.clone());
            }
            self.after.proposals = work.set(self.after.proposals, &key, Some(&kept))?;
        }
        Ok(())
    }

    fn keep_place(&mut self, work: &mut Work<'_>, decoded: &Decoded) -> Result<()> {
        let config = self.workspace.config()?;
        let named = |name: &str| config.environment_called(self.platform, name).map(|e| e.name.clone());
        self.after.residue = place::keep(work, self.after.residue, decoded, self.environment, named)?;
        Ok(())
    }

    fn keep_residue(&mut self, work: &mut Work<'_>, residue: &Residue) -> Result<()> {
        for app in roots(&self.objects) {
            self.after.residue = work.set(self.after.residue, app.as_str(), Some(residue))?;
        }
        Ok(())
    }

    /// Puts the objects in place, but for those that a version brought here: these are compared with
    /// what was promoted. Answers what changed, and what differs.
    fn place(&mut self, work: &mut Work<'_>, first: bool) -> Result<(Vec<Difference>, Vec<Difference>)> {
        self.summary.apps = roots(&self.objects);
        self.summary.baseline = !first;
        let carried = if first { Carried::default() } else { Carried::by(work, self.before)? };
        let mut promoted = Vec::new();
        let mut others = Vec::new();
        for object in std::mem::take(&mut self.objects) {
            let is_promoted = carried.has(work, unit_of(&object), &object.id)?;
            if is_promoted { &mut promoted } else { &mut others }.push(object);
        }
        let differing = self.compare(work, &promoted)?;
        let read = self.read_state(work, &others)?;
        let entries = touched(work, self.before.content, read.content)?;
        self.after.content = read.content;
        // What was rendered for a source that is the platform's again is no more what it has there.
        self.after.rendered = without(work, self.before.rendered, &entries)?;
        for app in roots(&others) {
            let mut standing = self.before.standing_of(work, &app)?.unwrap_or_default();
            standing.holds = Holding::Imported;
            self.after.set_standing(work, &app, Some(&standing))?;
        }
        if !first {
            // Plans rest on it; the first environment is nobody's target.
            let objects = entries.iter().map(|entry| Revised::Object(&entry.object));
            self.after.revise(work, self.revision, objects)?;
        }
        let placed = entries.iter().filter(|entry| entry.after.is_some()).count();
        self.summary.unchanged += others.len().saturating_sub(placed);
        let changes = differences(work, &entries)?;
        for change in &changes {
            match change.sort {
                Sort::Created => self.summary.created += 1,
                Sort::Deleted => self.summary.deleted += 1,
                Sort::Updated | Sort::EnvironmentOwned => self.summary.updated += 1,
            }
        }
        Ok((changes, differing))
    }

    /// The environment with some objects as the export has them: their apps and modules replaced,
    /// what is shared added.
    fn read_state(&self, work: &mut Work<'_>, objects: &[Object]) -> Result<EnvironmentState> {
        let mut state = self.before.clone();
        let mut units: BTreeMap<String, Vec<(String, Digest)>> = BTreeMap::new();
        for object in objects {
            let digest = work.put_json(object)?;
            units.entry(unit_of(object).to_owned()).or_default().push((object.id.to_string(), digest));
        }
        for (unit, entries) in units {
            let base = match state.unit(work, &unit)? {
                Some(shared) if unit == SHARED => shared,
                _ => Tree::empty(work)?,
            };
            let tree = base.with(work, entries.iter().map(|(id, digest)| (id.as_str(), Some(*digest))))?;
            state.set_unit(work, &unit, Some(tree))?;
        }
        Ok(state)
    }

    /// What the platform holds otherwise than what was promoted: content against content, a data
    /// source's options against what was rendered.
    fn compare(&mut self, work: &mut Work<'_>, objects: &[Object]) -> Result<Vec<Difference>> {
        let read = self.read_state(work, objects)?;
        let mut found = Vec::new();
        for difference in differences(work, &touched(work, self.before.content, read.content)?)? {
            if difference.kind != ObjectKind::DataSource {
                found.push(difference);
                continue;
            }
            let changes: Vec<Change> = difference
                .changes
                .iter()
                .filter(|change| change.at.tokens().first().is_none_or(|token| token != OPTIONS))
                .cloned()
                .collect();
            if !changes.is_empty() || difference.sort != Sort::Updated {
                found.push(Difference { changes, ..difference });
            }
        }
        for object in objects.iter().filter(|object| object.source_kind.is_some()) {
            let rendered: Option<Rendered> = work.lookup(self.before.rendered, object.id.as_str())?;
            let options = object.content.get(OPTIONS).cloned().unwrap_or(Value::Null);
            let changes = rendered
                .map(|rendered| diff::diff(&without_marks(&rendered.options), &without_marks(&options)))
                .unwrap_or_default();
            if !changes.is_empty() {
                found.push(Difference {
                    object: object.id.clone(),
                    kind: object.kind,
                    name: object.name.clone(),
                    sort: Sort::EnvironmentOwned,
                    changes,
                });
            }
        }
        let otherwise: BTreeSet<&LogicalId> = found.iter().map(|difference| &difference.object).collect();
        self.summary.unchanged += objects.iter().filter(|object| !otherwise.contains(&object.id)).count();
        Ok(found)
    }
}

fn secret(value: &SecretText) -> Result<Secret> {
    Secret::new(value.expose()).map_err(|e| Error::invalid(e.to_string(), "shorten it in the platform"))
}

/// The options with every mark emptied: whether a secret stands there is compared, never which.
fn without_marks(options: &Value) -> Value {
    content::replace_marks(options, &mut |parts| {
        let text: String = parts
            .into_iter()
            .map(|part| match part {
                Part::Text(text) => text,
                Part::Slot(_) | Part::Provisional(_) => String::new(),
            })
            .collect();
        Value::String(text)
    })
}

/// A text put together from parts: plain where no mark is left.
#[must_use]
pub fn joined(parts: Vec<Part>) -> Value {
    if parts.iter().all(|part| matches!(part, Part::Text(_))) {
        return parts
            .into_iter()
            .filter_map(|part| match part {
                Part::Text(text) => Some(text),
                Part::Slot(_) | Part::Provisional(_) => None,
            })
            .collect::<String>()
            .into();
    }
    let mut merged: Vec<Part> = Vec::new();
    for part in parts {
        match (merged.last_mut(), part) {
            (Some(Part::Text(before)), Part::Text(after)) => before.push_str(&after),
            (_, part) => merged.push(part),
        }
    }
    content::mark(&merged)
}

/// The tree of what is rendered, without what was for some objects.
///
/// # Errors
/// When content cannot be read or kept.
pub(crate) fn without(work: &mut Work<'_>, rendered: Digest, objects: &[Touched]) -> Result<Digest> {
    let gone = objects.iter().map(|entry| (entry.object.as_str(), None));
    Ok(Tree::at(rendered).with(work, gone)?.root())
}

/// The apps and modules among some objects.
fn roots(objects: &[Object]) -> Vec<LogicalId> {
    let is_root = |object: &&Object| matches!(object.kind, ObjectKind::App | ObjectKind::Module);
    objects.iter().filter(is_root).map(|object| object.id.clone()).collect()
}

/// What some changed objects come to, in content.
///
/// # Errors
/// When content is missing or damaged.
pub fn differences(work: &Work<'_>, entries: &[Touched]) -> Result<Vec<Difference>> {
    let mut found = Vec::new();
    for entry in entries {
        let before: Option<Object> = entry.before.map(|digest| work.object(&digest)).transpose()?;
        let after: Option<Object> = entry.after.map(|digest| work.object(&digest)).transpose()?;
        let Some(shown) = after.as_ref().or(before.as_ref()) else { continue };
        let (sort, changes) = match (&before, &after) {
            (Some(before), Some(after)) => (Sort::Updated, crate::plan::content_changes(before, after)?),
            (None, _) => (Sort::Created, Vec::new()),
            (_, None) => (Sort::Deleted, Vec::new()),
        };
        found.push(Difference {
            object: shown.id.clone(),
            kind: shown.kind,
            name: shown.name.clone(),
            sort,
            changes,
        });
    }
    Ok(found)
}

/// The proposal that a state keeps for an environment's data source, and since when.
///
/// # Errors
/// When content is missing or damaged.
pub fn kept_proposal(
    work: &Work<'_>,
    state: &EnvironmentState,
    environment: &EnvironmentName,
    source: &LogicalId,
) -> Result<Option<(Proposed, Timestamp)>> {
    let kept: Option<KeptProposal> = work.lookup(state.proposals, &format!("{environment}/{source}"))?;
    Ok(kept.map(|kept| (kept.proposed, kept.since)))
}
