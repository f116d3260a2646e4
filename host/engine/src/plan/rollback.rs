//! The plan that takes a promotion back: the inverse of what it touched, without what other apps of
//! the environment stand on.

use std::collections::{BTreeMap, BTreeSet};

use sluice_model::tree::Tree;
use sluice_model::{Digest, EnvironmentName, LogicalId, Object};

use super::references::Held;
use super::{Action, Draft, Plan, PlannedObject, TransitionKind, apply};
use crate::error::{Error, Result};
use crate::scan::Find;
use crate::state::{EnvironmentState, Holding, Revised, SHARED, Touched, Work};
use crate::version::{Expected, Finder, NO_VERSION};
use crate::workspace::Workspace;

impl Workspace {
    pub(super) fn plan_rollback(
        &self,
        mut work: Work<'_>,
        app: &Object,
        environment: &EnvironmentName,
        promotion: Option<u64>,
    ) -> Result<Plan> {
        self.known_environment(environment)?;
        let (_, state) = self.environment(&mut work, environment)?;
        let undone = self.promotion_to_take_back(app, environment, promotion)?;
        let touched: Vec<Touched> = work.json(&undone.touched)?;
        let mut conflicts = Vec::new();
        for entry in &touched {
            if state.object_digest(&work, &entry.unit, &entry.object)? != entry.after {
                conflicts.push(entry.object.clone());
            }
        }
        if !conflicts.is_empty() {
            return Err(Error::RollbackConflicts { objects: conflicts });
        }
        let former: Plan = work.json(&undone.plan)?;
        let bundle = crate::version::bundle(&work, &former.bundle)?;
        let back_to = match self.standing_before(&work, environment, &undone)?.holds {
            Holding::Version(promoted) => (promoted.version, promoted.bundle),
            Holding::Imported => (NO_VERSION.to_owned(), former.bundle),
        };
        let place = environment.clone();
        let mut draft = Draft::new(self, TransitionKind::Rollback, &bundle, back_to, place.clone(), place)?;
        draft.plan.takes_back = Some(undone.number);
        draft.plan.revision = state.revision_of(&work, Revised::Holding(&app.id))?;
        let mut inverse: Vec<Touched> = touched
            .into_iter()
            .map(|entry| Touched { before: entry.after, after: entry.before, ..entry })
            .collect();
        let kept = draft.keep(&work, &state, &mut inverse)?;
        draft.show(&work, &state, &inverse, &BTreeMap::new())?;
        draft.plan.objects.extend(kept);
        let content = apply(&mut work, &state, &inverse)?;
        draft.plan.content = (state.content, content);
        let left = left_by(&mut work, content, &inverse)?;
        draft.check_left(&work, content, left, &self.finds(&work, left)?)?;
        let carried = self.finds(&work, bundle.content)?;
        let sources = draft.sources_left(&work, content, &inverse, &carried)?;
        draft.render(&mut work, &sources)?;
        draft.finish()
    }

    /// What a rollback leaves in the units that it touches, for gates to look at. The plan's own
    /// nodes are nowhere yet, so they are made again.
    pub(crate) fn left_by_rollback(&self, work: &mut Work<'_>, plan: &Plan) -> Result<Digest> {
        let (_, state) = self.environment(work, &plan.to)?;
        let touched = plan.touched();
        let content = apply(work, &state, &touched)?;
        left_by(work, content, &touched)
    }
}

/// Of a content, the units that were touched; of what is shared, the objects that were.
fn left_by(work: &mut Work<'_>, content: Digest, touched: &[Touched]) -> Result<Digest> {
    let units: BTreeSet<&str> = touched.iter().map(|entry| entry.unit.as_str()).collect();
    let mut left = Tree::empty(work)?;
    for unit in units {
        let root = if unit == SHARED {
            let shared = touched.iter().filter(|entry| entry.unit == SHARED && entry.after.is_some());
            let shared = shared.map(|entry| (entry.object.as_str(), entry.after));
            Some(Tree::empty(work)?.with(work, shared)?.root())
        } else {
            Tree::at(content).lookup(work, unit)?
        };
        left = left.with(work, [(unit, root)])?;
    }
    Ok(left.root())
}

impl Draft<'_> {
    /// Takes out of a rollback what other apps of the environment stand on, and answers it as it is
    /// shown.
    fn keep(
        &mut self,
        work: &Work<'_>,
        state: &EnvironmentState,
        inverse: &mut Vec<Touched>,
    ) -> Result<Vec<PlannedObject>> {
        let app = self.plan.app.clone();
        // What lies in the app's own unit is no other app's.
        if inverse.iter().all(|entry| entry.unit == app.as_str()) {
            return Ok(Vec::new());
        }
        let others = Others::beside(work, state, &app)?;
        let mut kept = Vec::new();
        let mut taken_back = Vec::new();
        for entry in std::mem::take(inverse) {
            let user = if entry.unit == app.as_str() { None } else { others.keeping(work, &entry)? };
            let there = entry.before.map(|digest| work.object(&digest)).transpose()?;
            match (user, there.or(entry.after.map(|digest| work.object(&digest)).transpose()?)) {
                (Some(user), Some(object)) => {
                    self.plan.notes.push(format!(
                        "the {} `{}` stays as it is: {user} stands on it",
                        object.kind, object.name
                    ));
                    kept.push(PlannedObject {
                        revision: state.revision_of(work, Revised::Object(&entry.object))?,
                        object: entry.object,
                        unit: entry.unit,
                        kind: object.kind,
                        name: object.name,
                        action: Action::Match,
                        before: entry.before,
                        after: entry.before,
                        bytes: None,
                        changes: Vec::new(),
                    });
                }
                _ => taken_back.push(entry),
            }
        }
        *inverse = taken_back;
        Ok(kept)
    }

    /// Whether what comes back finds what it refers to: another app may have taken it along when it
    /// was taken back itself.
    fn check_left(&mut self, work: &Work<'_>, content: Digest, left: Digest, finds: &[Find]) -> Result<()> {
        let held = Held::new(work, Tree::at(content), Tree::at(left))?;
        for find in finds {
            let Find::Needs { object, reference } = find else { continue };
            let Some(to) = reference.target.object() else { continue };
            if !held.has(work, to)? {
                let name = held.name(work, object)?;
                self.missing(object, &name, &format!("`{to}`"), "");
            }
        }
        Ok(())
    }

    /// The data sources to render: those that come back, and those of the version that is taken back
    /// that stay.
    fn sources_left(
        &self,
        work: &Work<'_>,
        content: Digest,
        inverse: &[Touched],
        carried: &[Find],
    ) -> Result<Vec<Find>> {
        let units = Tree::at(content);
        let back = inverse.iter().filter(|entry| entry.after.is_some()).map(|entry| &entry.object);
        let carried = carried.iter().filter_map(|find| match find {
            Find::Source { id, .. } => Some(id),
            _ => None,
        });
        let ids: BTreeSet<&LogicalId> = back.chain(carried).collect();
        let mut found = Vec::new();
        for root in units.entries(work)?.into_values() {
            for id in &ids {
                let Some(digest) = Tree::at(root).lookup(work, id.as_str())? else { continue };
                let object = work.object(&digest)?;
                if let Some(kind) = object.source_kind {
                    found.push(Find::Source { id: object.id, name: object.name, kind, digest });
                }
            }
        }
        Ok(found)
    }
}

/// What the other apps of an environment stand on.
struct Others(Vec<Other>);

struct Other {
    /// In words.
    called: String,
    footing: Footing,
}

enum Footing {
    /// A version's bundle: its units, and what it expects to be there.
    Bundle { units: BTreeMap<String, Tree>, expects: Vec<Expected> },
    /// The closure of an app that was read from the platform: ids.
    Closure(BTreeSet<LogicalId>),
}

impl Others {
    fn beside(work: &Work<'_>, state: &EnvironmentState, app: &LogicalId) -> Result<Self> {
        let mut found = Vec::new();
        for (id, standing) in state.standings(work)?.into_iter().filter(|(id, _)| id != app) {
            let Some(digest) = state.object_digest(work, id.as_str(), &id)? else { continue };
            let name = work.object(&digest)?.name;
            let held = match standing.holds {
                Holding::Version(promoted) => Some(promoted),
                Holding::Imported => {
                    let members = Finder::over(work, state)?.closure(&id)?.members;
                    let footing = Footing::Closure(members.into_iter().collect());
                    found.push(Other { called: format!("`{name}`"), footing });
                    None
                }
            };
            let released = standing.released.filter(|released| held.as_ref() != Some(released));
            for promoted in held.into_iter().chain(released) {
                let bundle = crate::version::bundle(work, &promoted.bundle)?;
                let units = Tree::at(bundle.content).entries(work)?;
                let units = units.into_iter().map(|(unit, root)| (unit, Tree::at(root))).collect();
                found.push(Other {
                    called: format!("`{name}` {}", promoted.version),
                    footing: Footing::Bundle { units, expects: bundle.expects },
                });
            }
        }
        Ok(Self(found))
    }

    /// The app that stands on an object as it is, where a rollback would change it: one that the
    /// object would be taken from, or whose version has it exactly as it is and not as it was.
    fn keeping(&self, work: &Work<'_>, entry: &Touched) -> Result<Option<&str>> {
        for other in &self.0 {
            let stands = match &other.footing {
                Footing::Closure(members) => {
                    let whole = LogicalId::new(entry.unit.clone()).is_ok_and(|unit| members.contains(&unit));
                    entry.after.is_none() && (whole || members.contains(&entry.object))
                }
                Footing::Bundle { units, expects } => {
                    let theirs = units.get(&entry.unit).map(|tree| tree.lookup(work, entry.object.as_str()));
                    match theirs.transpose()? {
                        // A unit that they have came whole; what is shared came one by one.
                        Some(theirs) if theirs.is_some() || entry.unit != SHARED => {
                            theirs == entry.before || (theirs.is_some() && entry.after.is_none())
                        }
                        _ => {
                            let expected = |expected: &Expected| {
                                expected.unit == entry.unit
                                    && (entry.unit != SHARED || expected.id == entry.object)
                            };
                            entry.after.is_none() && expects.iter().any(expected)
                        }
                    }
                }
            };
            if stands {
                return Ok(Some(&other.called));
            }
        }
        Ok(None)
    }
}
