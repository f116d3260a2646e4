//! The plan: what a transition would do, object by object, and what stands in its way.

mod references;
mod rollback;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sluice_model::diff::{self, Change};
use sluice_model::tree::{Entry, Tree};
use sluice_model::{ConstantName, Digest, EnvironmentName, LogicalId, Object, ObjectKind, Pointer, SlotName};
use sluice_plugin::Used;
pub use sluice_policy::facts::{Action, TransitionKind};

use crate::act::{Review, Size};
use crate::config::{AppNames, Transition};
use crate::error::{Error, Result};
use crate::gates::PlannedGate;
use crate::render::{self, Rendered};
use crate::scan::{Find, PointsAt};
use crate::state::{EnvironmentState, Revised, SHARED, Touched, Work};
use crate::version::{Bundle, Expected};
use crate::workspace::Workspace;

/// What to plan.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// What kind of transition.
    pub transition: Wanted,
    /// What to do about single objects.
    pub choices: BTreeMap<LogicalId, Choice>,
}

/// The transition that is asked for.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// A version goes to the next environment.
    Promotion {
        /// The app's name or id.
        app: String,
        /// The version, or the newest.
        version: Option<String>,
        /// Where it goes.
        to: EnvironmentName,
    },
    /// End users of an environment get another version.
    Release {
        /// The app's name or id.
        app: String,
        /// The version, or the newest promoted one.
        version: Option<String>,
        /// Where.
        environment: EnvironmentName,
    },
    /// A promotion is taken back.
    Rollback {
        /// The app's name or id.
        app: String,
        /// Where.
        environment: EnvironmentName,
        /// Its number, or the app's last one.
        promotion: Option<u64>,
    },
}

/// What to do about one object, instead of what follows from the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// Replace what the target has; refused where it has nothing.
    Overwrite,
    /// Leave the target as it is.
    Skip,
    /// Make it new; refused where the target has it already.
    Create,
}

/// What stands in the way of a plan: not a gate's judgement but something that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// Its stable name.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
    /// What solves it.
    pub fix: String,
    /// Who can.
    pub who: String,
    /// The object it is about.
    pub object: Option<LogicalId>,
    /// Where in it.
    pub at: Option<Pointer>,
}

/// What would be done to one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedObject {
    /// The object.
    pub object: LogicalId,
    /// The unit it lies in.
    pub unit: String,
    /// What it is.
    pub kind: ObjectKind,
    /// What people call it.
    pub name: String,
    /// What is done.
    pub action: Action,
    /// Its content in the target before.
    pub before: Option<Digest>,
    /// The revision of the target that changed it last, if any did: what comes again is not what
    /// was there before.
    pub revision: Option<u64>,
    /// Its content in the target after.
    pub after: Option<Digest>,
    /// The canonical bytes of what is created or updated.
    pub bytes: Option<u64>,
    /// What changes in it.
    pub changes: Vec<Change>,
}

/// What a transition would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What people approve: the digest of [`Plan::core`].
    pub digest: Digest,
    /// What kind of transition.
    pub transition: TransitionKind,
    /// The app.
    pub app: LogicalId,
    /// What people call it: as its bundle has it, the working copy can be called anything by now.
    pub app_name: String,
    /// What its other versions and the environments call it besides. Gates, labels and externals are
    /// chosen by all its names.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub other_names: BTreeSet<String>,
    /// The platform it is built with.
    pub platform: String,
    /// The version.
    pub version: String,
    /// Its bundle.
    pub bundle: Digest,
    /// Where it comes from.
    pub from: EnvironmentName,
    /// Where it goes.
    pub to: EnvironmentName,
    /// What was chosen for single objects.
    pub choices: BTreeMap<LogicalId, Choice>,
    /// What would be done; what is unchanged is only counted.
    pub objects: Vec<PlannedObject>,
    /// How many objects of the bundle the target has as they are.
    pub unchanged: u64,
    /// The data sources, rendered for the target.
    pub sources: Vec<Rendered>,
    /// Data sources that stay as the target has them: skipped, or matched. Nothing is written of
    /// them, and the app runs on them like on the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_sources: Vec<Rendered>,
    /// What plugins remarked.
    pub notes: Vec<String>,
    /// What each data source's plugin used of what it may. It is no part of the digest: another
    /// engine may count otherwise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub used: BTreeMap<LogicalId, Used>,
    /// Values of lower environments that are still in what the bundle carries.
    pub points_at_source: Vec<PointsAt>,
    /// Constants that the app reads, and whether the target has them.
    pub constants: BTreeMap<ConstantName, bool>,
    /// What stands in the way.
    pub problems: Vec<Problem>,
    /// The gates that stand before it.
    pub gates: Vec<PlannedGate>,
    /// For a rollback, the promotion that is taken back.
    pub takes_back: Option<u64>,
    /// Slots for which the target has no secret, by data source.
    pub missing_slots: BTreeMap<LogicalId, Vec<SlotName>>,
    /// The revision of the target that last changed which version of the app it holds, or for a
    /// release that or which version end users get.
    pub revision: Option<u64>,
    /// The target's content before and after.
    pub content: (Digest, Digest),
}

impl Plan {
    /// What the digest is of: bundle, choices, what is done, rendered sources, plugins, gates and the
    /// baseline. Times are not in it.
    ///
    /// # Errors
    /// When it cannot be made JSON.
    pub fn core(&self) -> Result<Value> {
        let objects: Vec<Value> =
            self.objects.iter().map(|o| json!([o.unit, o.object, o.after, o.action])).collect();
        let rendered: Vec<Digest> = self.sources.iter().map(render::digest).collect::<Result<_>>()?;
        let kept: Vec<Digest> = self.kept_sources.iter().map(render::digest).collect::<Result<_>>()?;
        Ok(json!({
            "transition": self.transition,
            "app": self.app,
            "version": self.version,
            "bundle": self.bundle,
            "from": self.from,
            "to": self.to,
            "choices": self.choices,
            "objects": objects,
            "baseline": self.baseline()?,
            "rendered": rendered,
            "kept": kept,
            "plugins": self.sources.iter().filter_map(|s| s.plugin).collect::<BTreeSet<_>>(),
            "gates": self.gates,
            "takes-back": self.takes_back,
        }))
    }

    /// What patterns of the configuration know the app by.
    #[must_use]
    pub fn names(&self) -> AppNames {
        AppNames::new(&self.app, self.other_names.iter().chain([&self.app_name]))
    }

    /// All data sources that the app would run on in the target: what is rendered for it, and what
    /// stays as it is.
    pub fn all_sources(&self) -> impl Iterator<Item = &Rendered> {
        self.sources.iter().chain(&self.kept_sources)
    }

    /// The revisions of what the plan touches in the target, with what they hold of it. What was
    /// taken back and done again has others, so no consent to it counts twice; what other apps do
    /// to other objects changes none of them.
    ///
    /// # Errors
    /// When it cannot be made JSON.
    pub fn baseline(&self) -> Result<Digest> {
        let objects: Vec<Value> =
            self.objects.iter().map(|o| json!([o.unit, o.object, o.before, o.revision])).collect();
        Ok(sluice_model::json::digest(&json!({"app": self.revision, "objects": objects})))
    }

    /// The objects that would change.
    #[must_use]
    pub fn touched(&self) -> Vec<Touched> {
        let changes = |object: &&PlannedObject| object.before != object.after;
        let touched = |object: &PlannedObject| Touched {
            unit: object.unit.clone(),
            object: object.object.clone(),
            before: object.before,
            after: object.after,
        };
        self.objects.iter().filter(changes).map(touched).collect()
    }

    /// How much it changes.
    #[must_use]
    pub fn size(&self) -> Size {
        let is_change = |object: &&PlannedObject| {
            matches!(object.action, Action::Create | Action::Update | Action::Delete)
        };
        Size {
            objects: self.objects.iter().filter(is_change).count() as u64,
            bytes: self.objects.iter().filter_map(|object| object.bytes).sum(),
        }
    }

    /// The transition, in the configuration's words.
    #[must_use]
    pub fn configured(&self) -> Transition {
        match self.transition {
            TransitionKind::Promotion => Transition::Promote { from: self.from.clone(), to: self.to.clone() },
            TransitionKind::Release => Transition::Release(self.to.clone()),
            TransitionKind::Rollback => Transition::Rollback(self.to.clone()),
        }
    }
}

impl Workspace {
    /// Works out what a transition would do. Nothing is changed.
    ///
    /// # Errors
    /// When the app, version or environment is not there, or the transition is not one.
    pub fn plan(&self, request: &PlanRequest) -> Result<Plan> {
        let mut work = self.work();
        match &request.transition {
            Wanted::Promotion { app, version, to } => {
                let app = self.app(&mut work, app)?;
                self.plan_promotion(work, &app, version.as_deref(), to, &request.choices)
            }
            Wanted::Release { app, version, environment } => {
                let app = self.app(&mut work, app)?;
                self.plan_release(work, &app, version.as_deref(), environment)
            }
            Wanted::Rollback { app, environment, promotion } => {
                let app = self.app(&mut work, app)?;
                self.plan_rollback(work, &app, environment, *promotion)
            }
        }
    }

    fn plan_promotion(
        &self,
        mut work: Work<'_>,
        app: &Object,
        version: Option<&str>,
        to: &EnvironmentName,
        choices: &BTreeMap<LogicalId, Choice>,
    ) -> Result<Plan> {
        self.known_environment(to)?;
        let Some(from) = self.config()?.environment_before(to).map(|e| e.name.clone()) else {
            return Err(Error::invalid(
                format!("nothing is promoted to `{to}`: it is the first environment"),
                "promote to the one after it",
            ));
        };
        let cut = self.version_standing_in(&mut work, app, version, &from)?;
        let bundle = crate::version::bundle(&work, &cut.1)?;
        let (_, target) = self.environment(&mut work, to)?;
        let mut draft = Draft::new(self, TransitionKind::Promotion, &bundle, cut, from, to.clone())?;
        draft.plan.choices = choices.clone();
        let content = draft.place(&mut work, &bundle, &target)?;
        draft.plan.content = (target.content, content);
        draft.check_managed(&mut work, &bundle)?;
        let finds = self.finds(&work, bundle.content)?;
        draft.check_constants(&work, &finds)?;
        draft.check_references(&work, &bundle, &finds)?;
        draft.check_holes(&work, &bundle)?;
        draft.render(&mut work, &finds)?;
        draft.keep_sources(&work, &target)?;
        draft.check_slots_elsewhere(&mut work, &finds)?;
        draft.check_points_at_source(&mut work, &bundle)?;
        draft.finish()
    }

    fn plan_release(
        &self,
        mut work: Work<'_>,
        app: &Object,
        version: Option<&str>,
        environment: &EnvironmentName,
    ) -> Result<Plan> {
        self.known_environment(environment)?;
        let cut = self.version_standing_in(&mut work, app, version, environment)?;
        let bundle = crate::version::bundle(&work, &cut.1)?;
        let (_, state) = self.environment(&mut work, environment)?;
        let released = state.standing_of(&work, &app.id)?.and_then(|standing| standing.released);
        if released.as_ref().is_some_and(|released| released.bundle == cut.1) {
            return Err(Error::invalid(
                format!("version `{}` of `{}` is released in `{environment}` already", cut.0, app.name),
                "name another version, or leave it",
            ));
        }
        let from = environment.clone();
        let mut draft = Draft::new(self, TransitionKind::Release, &bundle, cut, from, environment.clone())?;
        draft.plan.content = (state.content, state.content);
        let holding = state.revision_of(&work, Revised::Holding(&app.id))?;
        draft.plan.revision = state.revision_of(&work, Revised::Release(&app.id))?.max(holding);
        draft.plan.unchanged = crate::version::count(&work, bundle.content)?;
        draft.finish()
    }

    /// A version that stands in an environment: cut, in the first; promoted to, elsewhere.
    pub(crate) fn version_standing_in(
        &self,
        work: &mut Work<'_>,
        app: &Object,
        version: Option<&str>,
        environment: &EnvironmentName,
    ) -> Result<(String, Digest)> {
        if *environment == self.first_environment()? {
            let cut = self.version(&app.id, version)?;
            return Ok((cut.version, cut.bundle));
        }
        let (_, state) = self.environment(work, environment)?;
        let standing =
            state.standing_of(work, &app.id)?.map(|standing| standing.promoted).unwrap_or_default();
        let found = match version {
            None => standing.last(),
            Some(name) => standing.iter().find(|promoted| promoted.version == name),
        };
        found.map(|promoted| (promoted.version.clone(), promoted.bundle)).ok_or_else(|| {
            let what = version.map_or_else(|| "no version".to_owned(), |name| format!("no version `{name}`"));
            Error::invalid(
                format!("{what} of `{}` stands in `{environment}`", app.name),
                format!("promote one to `{environment}` first: promotion goes one environment at a time"),
            )
        })
    }
}

/// What a version's content changes in a target: its units come whole, what is shared object by object.
///
/// # Errors
/// When content is missing or damaged.
pub(crate) fn brought(work: &Work<'_>, content: Digest, target: &EnvironmentState) -> Result<Vec<Touched>> {
    let mut entries = Vec::new();
    for (unit, root) in Tree::at(content).entries(work)? {
        let tree = Tree::at(root);
        let changes = match target.unit(work, &unit)? {
            // The target has what is shared of all apps: most of it is not looked at.
            Some(there) if unit == SHARED => {
                let mut changes = Vec::new();
                for (key, after) in tree.entries(work)? {
                    let (before, after) = (there.lookup(work, &key)?, Some(after));
                    if before != after {
                        changes.push(Entry { key, before, after });
                    }
                }
                changes
            }
            Some(there) => there.diff(&tree, work)?,
            None => {
                let all = tree.entries(work)?.into_iter();
                all.map(|(key, after)| Entry { key, before: None, after: Some(after) }).collect()
            }
        };
        for Entry { key, before, after } in changes {
            entries.push(Touched { unit: unit.clone(), object: LogicalId::new(key)?, before, after });
        }
    }
    Ok(entries)
}

/// The target's content with some objects changed.
///
/// # Errors
/// When content cannot be read or kept.
pub fn apply(work: &mut Work<'_>, target: &EnvironmentState, touched: &[Touched]) -> Result<Digest> {
    let mut by_unit: BTreeMap<&str, Vec<&Touched>> = BTreeMap::new();
    for entry in touched {
        by_unit.entry(&entry.unit).or_default().push(entry);
    }
    let mut after = target.clone();
    for (unit, entries) in by_unit {
        let tree = match after.unit(work, unit)? {
            Some(tree) => tree,
            None => Tree::empty(work)?,
        };
        let tree = tree.with(work, entries.iter().map(|entry| (entry.object.as_str(), entry.after)))?;
        after.set_unit(work, unit, Some(tree))?;
    }
    Ok(after.content)
}

/// A plan in the making.
struct Draft<'a> {
    workspace: &'a Workspace,
    plan: Plan,
}

impl<'a> Draft<'a> {
    /// A plan about a bundle.
    fn new(
        workspace: &'a Workspace,
        transition: TransitionKind,
        bundle: &Bundle,
        (version, digest): (String, Digest),
        from: EnvironmentName,
        to: EnvironmentName,
    ) -> Result<Self> {
        let mut other_names = workspace.names_of(&bundle.app)?;
        other_names.remove(&bundle.name);
        let nothing = Digest::of(b"");
        let plan = Plan {
            digest: nothing,
            transition,
            app: bundle.app.clone(),
            app_name: bundle.name.clone(),
            other_names,
            platform: bundle.format.platform.as_str().to_owned(),
            version,
            bundle: digest,
            from,
            to,
            choices: BTreeMap::new(),
            objects: Vec::new(),
            unchanged: 0,
            sources: Vec::new(),
            kept_sources: Vec::new(),
            notes: Vec::new(),
            used: BTreeMap::new(),
            points_at_source: Vec::new(),
            constants: BTreeMap::new(),
            problems: Vec::new(),
            gates: Vec::new(),
            takes_back: None,
            missing_slots: BTreeMap::new(),
            revision: None,
            content: (nothing, nothing),
        };
        Ok(Self { workspace, plan })
    }

    fn problem(&mut self, code: &str, message: String, fix: String, who: &str, object: Option<&LogicalId>) {
        self.plan.problems.push(Problem {
            code: code.into(),
            message,
            fix,
            who: who.into(),
            object: object.cloned(),
            at: None,
        });
    }

    /// Compares the bundle with the target, unit by unit, honouring the choices.
    fn place(&mut self, work: &mut Work<'_>, bundle: &Bundle, target: &EnvironmentState) -> Result<Digest> {
        let mut entries = brought(work, bundle.content, target)?;
        let total = crate::version::count(work, bundle.content)?;
        let in_bundle = entries.iter().filter(|entry| entry.after.is_some()).count() as u64;
        self.plan.unchanged = total.saturating_sub(in_bundle);
        self.plan.revision = target.revision_of(work, Revised::Holding(&self.plan.app))?;
        let skipped = self.choose(&mut entries)?;
        self.show(work, target, &entries, &skipped)?;
        self.match_expected(work, &bundle.expects, target)?;
        apply(work, target, &self.plan.touched())
    }

    /// Takes the choices in, and answers what the bundle has of objects that are skipped.
    fn choose(&mut self, entries: &mut [Touched]) -> Result<BTreeMap<LogicalId, Option<Digest>>> {
        let mut skipped = BTreeMap::new();
        for (object, choice) in self.plan.choices.clone() {
            let Some(entry) = entries.iter_mut().find(|entry| entry.object == object) else {
                return Err(Error::invalid(
                    format!("there is nothing to choose for `{object}`: the plan does not touch it"),
                    "choose for objects that `sluice plan` lists",
                ));
            };
            match (choice, entry.before) {
                (Choice::Skip, before) => {
                    skipped.insert(object, std::mem::replace(&mut entry.after, before));
                }
                (Choice::Create, Some(_)) => self.problem(
                    "choice.exists",
                    format!(
                        "`{object}` was chosen to be created, and `{}` has it already",
                        self.plan.to.clone()
                    ),
                    "choose `overwrite` or `skip`".into(),
                    "whoever plans",
                    Some(&object),
                ),
                (Choice::Overwrite, None) => self.problem(
                    "choice.missing",
                    format!(
                        "`{object}` was chosen to be overwritten, and `{}` does not have it",
                        self.plan.to.clone()
                    ),
                    "choose `create` or `skip`".into(),
                    "whoever plans",
                    Some(&object),
                ),
                _ => {}
            }
        }
        Ok(skipped)
    }

    /// Lists what is done to objects of the target, and what was `skipped` with what it would be.
    fn show(
        &mut self,
        work: &Work<'_>,
        target: &EnvironmentState,
        entries: &[Touched],
        skipped: &BTreeMap<LogicalId, Option<Digest>>,
    ) -> Result<()> {
        let read = |digest: Option<Digest>| digest.map(|digest| work.object_with_size(&digest)).transpose();
        for entry in entries {
            let before = read(entry.before)?;
            let left_out = skipped.get(&entry.object);
            let after = read(left_out.copied().unwrap_or(entry.after))?;
            let (action, bytes, changes) = match (&before, &after) {
                _ if left_out.is_some() => (Action::Skip, None, Vec::new()),
                (Some((before, _)), Some((after, size))) => {
                    (Action::Update, Some(*size), content_changes(before, after)?)
                }
                (None, Some((_, size))) => (Action::Create, Some(*size), Vec::new()),
                (_, None) => (Action::Delete, None, Vec::new()),
            };
            let Some((shown, _)) = after.or(before) else { continue };
            self.plan.objects.push(PlannedObject {
                object: entry.object.clone(),
                unit: entry.unit.clone(),
                kind: shown.kind,
                name: shown.name,
                action,
                before: entry.before,
                revision: target.revision_of(work, Revised::Object(&entry.object))?,
                after: entry.after,
                bytes,
                changes,
            });
        }
        Ok(())
    }

    /// Dependencies that are not in the bundle must be in the target.
    fn match_expected(
        &mut self,
        work: &Work<'_>,
        expects: &[Expected],
        target: &EnvironmentState,
    ) -> Result<()> {
        for expected in expects {
            let there = target.object_digest(work, &expected.unit, &expected.id)?;
            match there {
                Some(digest) => self.plan.objects.push(PlannedObject {
                    object: expected.id.clone(),
                    unit: expected.unit.clone(),
                    kind: expected.kind,
                    name: expected.name.clone(),
                    action: Action::Match,
                    before: Some(digest),
                    revision: target.revision_of(work, Revised::Object(&expected.id))?,
                    after: Some(digest),
                    bytes: None,
                    changes: Vec::new(),
                }),
                None => {
                    let message = format!(
                        "the {} `{}` is not managed, and `{}` does not have it",
                        expected.kind, expected.name, self.plan.to
                    );
                    let fix = format!("sluice manage \"{}\", then cut a version with it", expected.name);
                    self.problem("dependency.unmanaged", message, fix, "a builder", Some(&expected.id));
                }
            }
        }
        Ok(())
    }

    /// Only what is managed is promoted, whatever was when the version was cut: the app, and each
    /// module and shared object that the plan changes in the target.
    fn check_managed(&mut self, work: &mut Work<'_>, bundle: &Bundle) -> Result<()> {
        let (_, managed) = self.workspace.managed(work)?;
        let mut brought = BTreeSet::from([(bundle.app.to_string(), bundle.app.clone())]);
        for object in &self.plan.objects {
            if matches!(object.action, Action::Create | Action::Update) {
                let is_shared = object.unit == SHARED;
                let marked = if is_shared { object.object.clone() } else { LogicalId::new(&*object.unit)? };
                brought.insert((object.unit.clone(), marked));
            }
        }
        let content = Tree::at(bundle.content);
        for (unit, id) in brought {
            let Some(root) = content.lookup(work, &unit)? else { continue };
            let Some(digest) = Tree::at(root).lookup(work, id.as_str())? else { continue };
            let object = work.object(&digest)?;
            if !self.workspace.is_managed(work, managed, &object)? {
                let Object { kind, name, .. } = object;
                let message =
                    format!("the {kind} `{name}` is not managed, so it is no candidate for promotion");
                let fix = format!("sluice manage \"{name}\"");
                self.problem("object.unmanaged", message, fix, "a builder", Some(&id));
            }
        }
        Ok(())
    }

    /// Hands every data source to its plugin.
    fn render(&mut self, work: &mut Work<'_>, finds: &[Find]) -> Result<()> {
        let settings = self.workspace.settings(work, &self.plan.to)?;
        for find in finds {
            let Find::Source { id, .. } = find else { continue };
            if self.plan.choices.get(id) == Some(&Choice::Skip) {
                continue;
            }
            let made = self.workspace.render(work, &settings, &self.plan.from, &self.plan.to, find)?;
            self.plan.sources.extend(made.rendered);
            self.plan.problems.extend(made.problems);
            self.plan.notes.extend(made.notes);
            self.plan.used.extend(made.used.map(|used| (id.clone(), used)));
            if !made.missing_slots.is_empty() {
                self.plan.missing_slots.insert(id.clone(), made.missing_slots);
            }
        }
        self.plan.sources.sort_by(|a, b| a.source.cmp(&b.source));
        Ok(())
    }

    /// Data sources that stay as they are: as they were rendered for the target, or as its platform has
    /// them where nothing was.
    fn keep_sources(&mut self, work: &Work<'_>, target: &EnvironmentState) -> Result<()> {
        for object in self.plan.objects.iter().filter(|object| object.kind == ObjectKind::DataSource) {
            let Some(held) = object.after.filter(|_| matches!(object.action, Action::Skip | Action::Match))
            else {
                continue;
            };
            let rendered = work.lookup(target.rendered, object.object.as_str())?;
            let kept = match rendered {
                Some(rendered) => Some(rendered),
                None => Rendered::as_held(work.object(&held)?),
            };
            self.plan.kept_sources.extend(kept);
        }
        self.plan.kept_sources.sort_by(|a, b| a.source.cmp(&b.source));
        Ok(())
    }

    /// Confirmed secrets outside of data sources: the target's owner files each under its object.
    fn check_slots_elsewhere(&mut self, work: &mut Work<'_>, finds: &[Find]) -> Result<()> {
        let settings = self.workspace.settings(work, &self.plan.to)?;
        let to = self.plan.to.clone();
        for find in finds {
            let Find::Mark { object, name, kind, slot, provisional: false, .. } = find else { continue };
            if *kind == ObjectKind::DataSource {
                continue;
            }
            let reference = content_secret(&to, object, slot)?;
            if settings.filed(work, &reference)?.is_none() {
                let message = format!("`{to}` has no secret for slot `{slot}` in the {kind} `{name}`");
                let fix = format!("sluice secret set \"{reference}\"");
                self.problem("slot.empty", message, fix, &format!("an owner of `{to}`"), Some(object));
            }
        }
        Ok(())
    }

    /// Values of the environments below the target that the bundle's content still holds.
    fn check_points_at_source(&mut self, work: &mut Work<'_>, bundle: &Bundle) -> Result<()> {
        // What is skipped is no less of the bundle, whether or not the target has it.
        let skipped = self.plan.choices.iter().filter(|(_, choice)| **choice == Choice::Skip);
        let sources = self.plan.all_sources().map(|source| &source.source);
        let sources = sources.chain(skipped.map(|(object, _)| object)).collect();
        let own = self.plan.all_sources().map(|source| &source.options);
        let mut values = self.workspace.lower_values(work, &self.plan.to, &sources, own)?;
        let ids = self.workspace.lower_ids(work, &self.plan.to, bundle)?;
        values.retain(|value, _| !ids.contains_key(value));
        let mut found = self.workspace.points_at(work, bundle.content, &values)?;
        found.extend(self.workspace.ids_at(work, bundle.content, &ids)?);
        found.sort();
        self.plan.points_at_source = found;
        Ok(())
    }

    /// A run that an emergency act let through is looked at before the app goes on. What it brought
    /// can be taken back at any time.
    fn check_reviews(&mut self) -> Result<()> {
        if self.plan.transition == TransitionKind::Rollback {
            return Ok(());
        }
        for known in self.workspace.open_reviews(&self.plan.app)? {
            let who = known.who_closes();
            let Review { number, environment, promotion, by, .. } = known.review;
            self.problem(
                "review.open",
                format!(
                    "`{by}` broke glass for promotion {promotion} of `{}` to `{environment}`, and review {number} of \
                     that is open",
                    self.plan.app_name
                ),
                format!("sluice review close {number} --reason \"WHAT CAME OUT\""),
                &who,
                None,
            );
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Plan> {
        self.check_reviews()?;
        self.plan.gates = self.workspace.planned_gates(&self.plan)?;
        self.plan.objects.sort_by(|a, b| (a.kind, &a.name, &a.object).cmp(&(b.kind, &b.name, &b.object)));
        self.plan.digest = sluice_model::json::digest(&self.plan.core()?);
        Ok(self.plan)
    }
}

/// Where the secret of a slot outside of data sources lies.
///
/// # Errors
/// When the slot's name is no part of a path.
pub fn content_secret(
    environment: &EnvironmentName,
    object: &LogicalId,
    slot: &SlotName,
) -> Result<sluice_model::SecretRef> {
    Ok(sluice_model::SecretRef::new(environment.clone(), format!("{object}/{slot}"))?)
}

/// What changed between two states of an object; a change of name or references alone is shown as
/// one of the whole.
pub(crate) fn content_changes(before: &Object, after: &Object) -> Result<Vec<Change>> {
    let changes = diff::diff(&before.content, &after.content);
    if !changes.is_empty() {
        return Ok(changes);
    }
    Ok(diff::diff(&serde_json::to_value(before)?, &serde_json::to_value(after)?))
}

impl Workspace {
    /// Values by which content points at the environments below `to`, each with the nearest to it
    /// that has it: hosts, URLs, buckets and the like from the options that those own of `sources`,
    /// unless the target uses the same value itself, in its `own` options.
    fn lower_values<'o>(
        &self,
        work: &mut Work<'_>,
        to: &EnvironmentName,
        sources: &BTreeSet<&LogicalId>,
        own: impl Iterator<Item = &'o Value>,
    ) -> Result<BTreeMap<String, EnvironmentName>> {
        let mut values = BTreeMap::new();
        let position = self.config()?.position(to).unwrap_or_default();
        let lower: Vec<EnvironmentName> =
            self.config()?.environments.iter().take(position).map(|e| e.name.clone()).collect();
        for environment in &lower {
            let (_, state) = self.environment(work, environment)?;
            let settings = self.settings(work, environment)?;
            let mut owns = |options: &Value| {
                let found = sluice_platform::environment_values(options);
                values.extend(found.into_iter().map(|value| (value, environment.clone())));
            };
            for source in sources {
                if let Some(binding) = settings.binding(work, source)? {
                    owns(&binding.options);
                }
                if let Some((own, _)) = crate::import::kept_proposal(work, &state, environment, source)? {
                    owns(&own.options);
                }
            }
        }
        // As they are found: without regard to case.
        let own: BTreeSet<String> =
            own.flat_map(sluice_platform::environment_values).map(|own| own.to_ascii_lowercase()).collect();
        values.retain(|value, _| !own.contains(&value.to_ascii_lowercase()));
        Ok(values)
    }
}
