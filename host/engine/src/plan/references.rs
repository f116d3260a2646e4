//! Whether everything that a plan puts into the target finds there what it refers to.

use std::collections::{BTreeMap, BTreeSet};

use sluice_model::tree::Tree;
use sluice_model::{ConstantName, Digest, LogicalId, Target};

use super::{Action, Choice, Draft};
use crate::error::Result;
use crate::scan::Find;
use crate::state::{SHARED, Work};
use crate::version::Bundle;

impl Draft<'_> {
    /// Constants that the target lacks.
    pub(super) fn check_constants(&mut self, work: &Work<'_>, finds: &[Find]) -> Result<()> {
        let to = self.plan.to.clone();
        let settings = self.workspace.settings(&mut self.workspace.work(), &to)?;
        for find in finds {
            if let Find::Constant { name, .. } = find {
                let there = settings.has_constant(work, name)?;
                self.plan.constants.insert(name.clone(), there);
            }
        }
        let missing: Vec<ConstantName> =
            self.plan.constants.iter().filter(|(_, there)| !**there).map(|(name, _)| name.clone()).collect();
        for name in missing {
            self.problem(
                "constant.missing",
                format!("the app reads `{name}`, and `{to}` has no value for it"),
                format!("sluice constant set {to} {name}"),
                &format!("an owner of `{to}`"),
                None,
            );
        }
        Ok(())
    }

    /// References that lead nowhere, and marks that nobody has judged.
    pub(super) fn check_references(
        &mut self,
        work: &Work<'_>,
        bundle: &Bundle,
        finds: &[Find],
    ) -> Result<()> {
        let holes = self.holes();
        let held = Held::new(work, Tree::at(self.plan.content.1), Tree::at(bundle.content))?;
        for find in finds {
            match find {
                Find::Unresolved { object, name, reference } => {
                    self.check_external(object, name, &reference.target)?;
                }
                Find::Needs { object, reference } => {
                    let Some(to) = reference.target.object() else { continue };
                    let told = bundle.expects.iter().any(|expected| expected.id == *to);
                    if !told && !holes.contains_key(to) && !held.has(work, to)? {
                        let name = held.name(work, object)?;
                        self.missing(object, &name, &format!("`{to}`"), "");
                    }
                }
                Find::Mark { object, name, slot, provisional: true, .. } => {
                    let message = format!(
                        "`{name}` holds what looks like a secret (`{slot}`), and nobody has said whether it is one"
                    );
                    let named = format!("\"{slot}\" --in \"{object}\" --reason …");
                    let fix = format!(
                        "sluice secret confirm {named} or sluice secret dismiss {named}, then cut a version"
                    );
                    self.problem("suspicion.open", message, fix, "a person of the workspace", Some(object));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What choices leave out although something that the target will hold refers to it. Without a
    /// choice there is none: a bundle is whole.
    pub(super) fn check_holes(&mut self, work: &Work<'_>, bundle: &Bundle) -> Result<()> {
        let holes = self.holes();
        if holes.is_empty() {
            return Ok(());
        }
        let to = self.plan.to.clone();
        for object in self.plan.objects.clone() {
            if object.action == Action::Skip
                && object.after.is_none()
                && object.object.as_str() == object.unit
            {
                self.problem(
                    "choice.root",
                    format!(
                        "the {} `{}` itself was chosen to be skipped, and `{to}` does not have it",
                        object.kind, object.name
                    ),
                    "plan without that choice".into(),
                    "whoever plans",
                    Some(&object.object),
                );
            }
        }
        let after = Tree::at(self.plan.content.1);
        for (unit, root) in Tree::at(bundle.content).entries(work)? {
            let Some(held) = after.lookup(work, &unit)?.map(Tree::at) else { continue };
            // Of what is shared, the plan answers for what the bundle has.
            let keys = if unit == SHARED { Tree::at(root) } else { held }.entries(work)?;
            for key in keys.keys() {
                let Some(digest) = held.lookup(work, key)? else { continue };
                let object = work.object(&digest)?;
                let gone: BTreeSet<&LogicalId> =
                    object.references.iter().filter_map(|reference| reference.target.object()).collect();
                for to in gone {
                    let Some((name, why)) = holes.get(to) else { continue };
                    // What is wrong with a unit without its root was said of the root.
                    if to.as_str() != unit {
                        self.missing(&object.id, &object.name, name, why);
                    }
                }
            }
        }
        Ok(())
    }

    /// What the target will not have because of the plan, where choices took the plan away from the
    /// bundle: names, and why.
    fn holes(&self) -> BTreeMap<LogicalId, (String, &'static str)> {
        if !self.plan.choices.values().any(|choice| *choice == Choice::Skip) {
            return BTreeMap::new();
        }
        let absent = self.plan.objects.iter().filter(|object| object.after.is_none());
        absent
            .map(|object| {
                let why = if object.action == Action::Skip { ": it is skipped" } else { ": it is deleted" };
                (object.object.clone(), (format!("the {} `{}`", object.kind, object.name), why))
            })
            .collect()
    }

    /// Reports a reference to something that the target will not have.
    pub(super) fn missing(&mut self, object: &LogicalId, name: &str, to: &str, why: &str) {
        let message = format!("`{name}` refers to {to}, which `{}` will not have{why}", self.plan.to);
        let (fix, who) = if why.is_empty() {
            ("promote a version that has it", "a builder")
        } else {
            ("choose the same for both, or plan without that choice", "whoever plans")
        };
        self.problem("reference.missing", message, fix.into(), who, Some(object));
    }

    fn check_external(&mut self, object: &LogicalId, name: &str, target: &Target) -> Result<()> {
        let (code, named, what) = match target {
            Target::Dangling { wanted, named } => {
                ("reference.dangling", named, format!("refers to the {wanted} `{named}`, which is not there"))
            }
            Target::Ambiguous { named, candidates } => (
                "reference.ambiguous",
                named,
                format!("refers to `{named}`, which {} objects are called", candidates.len()),
            ),
            _ => return Ok(()),
        };
        let config = self.workspace.config()?;
        let external = config.external(&self.plan.names(), named);
        let to = self.plan.to.clone();
        match external {
            Some(external) if external.bound.contains_key(&to) => {
                self.plan
                    .notes
                    .push(format!("`{name}` refers to `{named}` outside of Sluice: {}", external.reason));
            }
            Some(_) => {
                let fix = format!("say in `sluice.toml` to what `{named}` is bound in `{to}`, and adopt it");
                let message =
                    format!("`{name}` refers to the external `{named}`, which is not bound in `{to}`");
                self.problem("reference.unbound", message, fix, "an owner of the workspace", Some(object));
            }
            None => {
                let fix =
                    "mend the app and cut a version, or declare the reference external in `sluice.toml`";
                self.problem(code, format!("`{name}` {what}"), fix.into(), "a builder", Some(object));
            }
        }
        Ok(())
    }
}

/// The objects that the target will hold, as far as a bundle's can refer to them: in the bundle's
/// units, in the unit of what is shared, and at the roots of other units.
pub(super) struct Held {
    content: Tree,
    units: BTreeSet<String>,
}

impl Held {
    /// Those in `content`, for what lies in the units that `bundle` has too.
    pub(super) fn new(work: &Work<'_>, content: Tree, bundle: Tree) -> Result<Self> {
        let mut units: BTreeSet<String> = bundle.entries(work)?.into_keys().collect();
        units.insert(SHARED.to_owned());
        Ok(Self { content, units })
    }

    /// Whether the object is there.
    pub(super) fn has(&self, work: &Work<'_>, id: &LogicalId) -> Result<bool> {
        Ok(self.digest(work, id)?.is_some())
    }

    /// What people call the object, or its id.
    pub(super) fn name(&self, work: &Work<'_>, id: &LogicalId) -> Result<String> {
        match self.digest(work, id)? {
            Some(digest) => Ok(work.object(&digest)?.name),
            None => Ok(id.to_string()),
        }
    }

    fn digest(&self, work: &Work<'_>, id: &LogicalId) -> Result<Option<Digest>> {
        for unit in self.units.iter().map(String::as_str).chain([id.as_str()]) {
            let Some(root) = self.content.lookup(work, unit)? else { continue };
            if let Some(digest) = Tree::at(root).lookup(work, id.as_str())? {
                return Ok(Some(digest));
            }
        }
        Ok(None)
    }
}
