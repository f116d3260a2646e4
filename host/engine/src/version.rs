//! Managed objects, and versions: named bundles of an app, cut in the first environment only.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sluice_model::closure::closure;
use sluice_model::tree::{Blobs, Tree};
use sluice_model::{Digest, LogicalId, Object, ObjectKind, ReferenceKind, Target};
use sluice_platform::{Format, pin_library_query};

use crate::act::{VersionCut, What};
use crate::error::{Error, Result};
use crate::import::Residue;
use crate::permission::Wish;
use crate::records::{Actor, again};
use crate::state::{EnvironmentState, Holding, SHARED, Standing, Work, unit_of};
use crate::workspace::Workspace;

/// The stream of marks.
pub const MANAGED: &str = "managed";

/// The stream of an app's versions.
#[must_use]
pub fn stream(app: &LogicalId) -> String {
    format!("versions/{app}")
}

/// Called so is what was there before any version, where a promotion is taken back to it.
pub(crate) const NO_VERSION: &str = "-";

/// Bytes of a version's name at most: it stands in tables, and whoever cuts one types it.
const LONGEST_NAME: usize = 100;

/// A frozen closure. Its digest is that of its canonical JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The app.
    pub app: LogicalId,
    /// What people call it.
    pub name: String,
    /// The format in which the app was exported.
    pub format: Format,
    /// The managed objects: a tree of units to trees of objects, as an environment has.
    pub content: Digest,
    /// What the closure holds and is not managed: the target must have it.
    pub expects: Vec<Expected>,
}

/// What versions brought into an environment: the units, and of what is shared the objects, of the
/// bundles that stand in it. What the version that is held does not have stays there for the one before
/// it, which a rollback goes back to.
#[derive(Default)]
pub struct Carried {
    bundles: Vec<BTreeMap<String, Digest>>,
}

impl Carried {
    /// Into this environment.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn by(work: &Work<'_>, state: &EnvironmentState) -> Result<Self> {
        let mut digests = BTreeSet::new();
        for Standing { holds, promoted, released } in state.standings(work)?.into_values() {
            if let Holding::Version(held) = holds {
                digests.insert(held.bundle);
            }
            digests.extend(promoted.into_iter().chain(released).map(|standing| standing.bundle));
        }
        let units = |digest| Ok(Tree::at(bundle(work, digest)?.content).entries(work)?);
        Ok(Self { bundles: digests.iter().map(units).collect::<Result<_>>()? })
    }

    /// Whether one of them has the object, or the unit in which it would lie.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn has(&self, work: &Work<'_>, unit: &str, object: &LogicalId) -> Result<bool> {
        for root in self.bundles.iter().filter_map(|units| units.get(unit)) {
            if unit != SHARED || Tree::at(*root).lookup(work, object.as_str())?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// An object that is not in the bundle and that the target must have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The object.
    pub id: LogicalId,
    /// The unit in which it lies.
    pub unit: String,
    /// What it is.
    pub kind: ObjectKind,
    /// What people call it.
    pub name: String,
}

/// What somebody wants to be managed, or no longer.
pub struct ManageRequest {
    /// Names or ids of apps and shared objects.
    pub objects: Vec<String>,
    /// Whether all that they reference is marked too.
    pub with_dependencies: bool,
    /// Whether they are managed from now on.
    pub on: bool,
}

/// Which version to cut.
pub struct CutRequest {
    /// The app's name or id.
    pub app: String,
    /// The version's name.
    pub version: Option<String>,
    /// The earlier version to cut from, instead of the working copy.
    pub from: Option<String>,
    /// What its author says of it.
    pub note: Option<String>,
}

/// A version that was cut.
#[derive(Debug, Clone, Serialize)]
pub struct CutReport {
    /// The version.
    pub version: VersionCut,
    /// How many objects are in the bundle.
    pub objects: u64,
    /// What is expected of targets.
    pub expects: Vec<Expected>,
    /// How many references lead nowhere; the plan says which.
    pub unresolved: usize,
    /// How many floating references this cut fixed to what is newest now.
    pub floating: usize,
}

impl Workspace {
    /// The root of the tree of managed objects, and the revision that carries it.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn managed(&self, work: &mut Work<'_>) -> Result<(u64, Digest)> {
        match self.records().head(MANAGED)? {
            None => Ok((0, Tree::empty(work)?.root())),
            Some(head) => match head.act.what {
                What::Managed { managed, .. } => Ok((head.revision, managed)),
                _ => Err(Error::RecordDamaged {
                    stream: MANAGED.into(),
                    revision: head.revision,
                    what: "it marks nothing".into(),
                }),
            },
        }
    }

    /// Marks objects of the first environment as candidates for promotion, or takes the mark away.
    /// Answers those whose mark changed.
    ///
    /// # Errors
    /// When the actor may not, or a name is not known there.
    pub fn manage(&self, actor: &Actor, request: &ManageRequest) -> Result<Vec<Object>> {
        self.permit(actor, Wish::Build)?;
        again(|| self.mark(actor, request))
    }

    fn mark(&self, actor: &Actor, request: &ManageRequest) -> Result<Vec<Object>> {
        let mut work = self.work();
        let (_, state) = self.environment(&mut work, &self.first_environment()?)?;
        let mut finder = Finder::over(&work, &state)?;
        let mut objects: BTreeMap<LogicalId, Object> = BTreeMap::new();
        for named in &request.objects {
            let object = finder.named(named)?;
            if request.with_dependencies {
                let found = finder.closure(&object.id)?;
                for id in &found.members {
                    if let Some(member) = finder.object(id)?
                        && is_markable(&member)
                    {
                        objects.insert(id.clone(), member.into_owned());
                    }
                }
            }
            objects.insert(object.id.clone(), object);
        }
        let (revision, root) = self.managed(&mut work)?;
        let mut managed = Tree::at(root);
        let mark = request.on.then(|| work.put_json(&true)).transpose()?;
        let mut changed = Vec::new();
        for (id, object) in objects {
            if managed.lookup(&work, id.as_str())? != mark {
                managed = managed.with(&mut work, [(id.as_str(), mark)])?;
                changed.push(object);
            }
        }
        if !changed.is_empty() {
            let what = What::Managed {
                managed: managed.root(),
                objects: changed.iter().map(|object| object.id.clone()).collect(),
                on: request.on,
            };
            self.records().append(actor, MANAGED, revision, what, &work.into_fresh())?;
        }
        Ok(changed)
    }

    /// Whether an object is managed: by a mark of its own, or of the unit or library query it is
    /// part of.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn is_managed(&self, work: &Work<'_>, managed: Digest, object: &Object) -> Result<bool> {
        let marks = Tree::at(managed);
        let owner = object.unit.clone().or_else(|| {
            let part_of = object.references.iter().find(|r| r.kind == ReferenceKind::PartOf)?;
            part_of.target.object().cloned()
        });
        for id in [Some(&object.id), owner.as_ref()].into_iter().flatten() {
            if marks.lookup(work, id.as_str())?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The apps of the first environment, by name or id.
    ///
    /// # Errors
    /// When no app or several have the name.
    pub fn app(&self, work: &mut Work<'_>, named: &str) -> Result<Object> {
        for environment in self.config()?.environments.clone() {
            let (_, state) = self.environment(work, &environment.name)?;
            let mut apps = Vec::new();
            for id in state.standings(work)?.into_keys() {
                let unit = state.unit(work, id.as_str())?;
                if let Some(digest) = unit.map(|tree| tree.lookup(work, id.as_str())).transpose()?.flatten() {
                    apps.push(work.object(&digest)?);
                }
            }
            if let Some(found) = one_named(apps, named, "apps")? {
                return Ok(found);
            }
        }
        Err(Error::NotFound {
            what: "app",
            named: named.to_owned(),
            help: "see the apps with `sluice status`, or import one".into(),
        })
    }

    /// All versions of an app, oldest first.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn versions(&self, app: &LogicalId) -> Result<Vec<VersionCut>> {
        let acts = self.records().all(&stream(app))?;
        Ok(acts
            .into_iter()
            .filter_map(|recorded| match recorded.act.what {
                What::VersionCut(cut) => Some(cut),
                _ => None,
            })
            .collect())
    }

    /// A version of an app by name, or the newest.
    ///
    /// # Errors
    /// When the app has no such version.
    pub fn version(&self, app: &LogicalId, name: Option<&str>) -> Result<VersionCut> {
        let versions = self.versions(app)?;
        let known: Vec<String> = versions.iter().map(|cut| cut.version.clone()).collect();
        let found = match name {
            None => versions.into_iter().next_back(),
            Some(name) => versions.into_iter().find(|cut| cut.version == name),
        };
        found.ok_or_else(|| Error::NotFound {
            what: "version",
            named: name.unwrap_or("the newest").to_owned(),
            help: if known.is_empty() {
                "cut one with `sluice version cut`".into()
            } else {
                format!("use one of: {}", known.join(", "))
            },
        })
    }

    /// Cuts a version from the working copy of the first environment, or from an earlier version.
    ///
    /// # Errors
    /// When the app is not managed, the name is taken or none, or the actor may not.
    pub fn cut(&self, actor: &Actor, request: &CutRequest) -> Result<CutReport> {
        self.permit(actor, Wish::Build)?;
        again(|| self.cut_next(actor, request))
    }

    fn cut_next(&self, actor: &Actor, request: &CutRequest) -> Result<CutReport> {
        let mut work = self.work();
        let (_, state) = self.environment(&mut work, &self.first_environment()?)?;
        let app = self.app(&mut work, &request.app)?;
        let versions = self.versions(&app.id)?;
        let name = match &request.version {
            Some(name) => name.clone(),
            None => format!("v{}", versions.len() + 1),
        };
        check_name(&name)?;
        let (_, managed) = self.managed(&mut work)?;
        if !self.is_managed(&work, managed, &app)? {
            return Err(Error::invalid(
                format!("`{}` is not managed, so it is no candidate for promotion", app.name),
                format!("mark it with `sluice manage \"{}\"`", app.name),
            ));
        }
        if versions.iter().any(|cut| cut.version == name) {
            return Err(Error::invalid(
                format!("`{}` has a version `{name}` already, and versions never change", app.name),
                "choose another name",
            ));
        }
        let (bundle, unresolved, floating) = match &request.from {
            Some(from) => (work.json(&self.version(&app.id, Some(from))?.bundle)?, 0, 0),
            None => self.freeze(&mut work, &state, &app, managed)?,
        };
        let digest = work.put_json(&bundle)?;
        let cut = VersionCut {
            app: app.id.clone(),
            version: name,
            bundle: digest,
            from: request.from.clone(),
            note: request.note.clone(),
        };
        let objects = count(&work, bundle.content)?;
        let what = What::VersionCut(cut.clone());
        self.records().append(actor, &stream(&app.id), versions.len() as u64, what, &work.into_fresh())?;
        Ok(CutReport { version: cut, objects, expects: bundle.expects, unresolved, floating })
    }

    /// The bundle of an app as the working copy has it.
    fn freeze(
        &self,
        work: &mut Work<'_>,
        state: &EnvironmentState,
        app: &Object,
        managed: Digest,
    ) -> Result<(Bundle, usize, usize)> {
        let mut whole: BTreeMap<String, Tree> = BTreeMap::new();
        let mut shared: BTreeMap<LogicalId, Digest> = BTreeMap::new();
        let mut expects = BTreeSet::new();
        let mut fixed: Vec<(String, Fixed)> = Vec::new();
        let unresolved = {
            let mut finder = Finder::over(work, state)?;
            let found = finder.closure(&app.id)?;
            for id in &found.members {
                let Some(object) = finder.object(id)? else { continue };
                let unit = unit_of(&object).to_owned();
                if !self.is_managed(work, managed, &object)? {
                    if is_markable(&object) {
                        expects.insert(Expected {
                            id: id.clone(),
                            unit,
                            kind: object.kind,
                            name: object.name.clone(),
                        });
                    }
                    continue;
                }
                if unit == SHARED {
                    shared.extend(finder.digest(id)?.map(|digest| (id.clone(), digest)));
                } else if let Some(tree) = state.unit(work, &unit)? {
                    // A unit comes whole, and so its tree does.
                    whole.insert(unit.clone(), tree);
                }
                fixed.extend(finder.fixed(&object)?.map(|fixed| (unit, fixed)));
            }
            found.unresolved.values().map(Vec::len).sum()
        };
        if !shared.is_empty() {
            let entries = shared.iter().map(|(id, digest)| (id.as_str(), Some(*digest)));
            whole.insert(SHARED.to_owned(), Tree::empty(work)?.with(work, entries)?);
        }
        let mut floating = 0;
        for (unit, Fixed { object, references }) in fixed {
            floating += references;
            let digest = work.put_json(&object)?;
            if let Some(tree) = whole.get_mut(&unit) {
                *tree = tree.with(work, [(object.id.as_str(), Some(digest))])?;
            }
        }
        let mut content = Tree::empty(work)?;
        for (unit, tree) in whole {
            content = content.with(work, [(unit.as_str(), Some(tree.root()))])?;
        }
        let residue: Residue = work.lookup(state.residue, app.id.as_str())?.ok_or_else(|| {
            Error::invalid("the app was never imported here", "import it into the first environment")
        })?;
        let bundle = Bundle {
            app: app.id.clone(),
            name: app.name.clone(),
            format: residue.format,
            content: content.root(),
            expects: expects.into_iter().collect(),
        };
        Ok((bundle, unresolved, floating))
    }
}

/// Refuses a version's name that nobody could tell or type again.
fn check_name(name: &str) -> Result<()> {
    let is_told = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name.trim() == name
        && !name.chars().any(char::is_control);
    if is_told {
        return Ok(());
    }
    let shown: String = name.chars().take(40).collect();
    Err(Error::invalid(
        format!("`{shown}` is no name of a version"),
        format!(
            "use 1 to {LONGEST_NAME} bytes without control characters, and no blank at the beginning or end"
        ),
    ))
}

/// Objects that a person marks by themselves: what is part of a unit follows the unit's mark.
fn is_markable(object: &Object) -> bool {
    object.unit.as_ref().is_none_or(|unit| *unit == object.id)
}

/// How many objects a content tree holds.
///
/// # Errors
/// When content is missing or damaged.
pub fn count(work: &Work<'_>, content: Digest) -> Result<u64> {
    let mut total = 0;
    for unit in Tree::at(content).entries(work)?.into_values() {
        total += Tree::at(unit).len(work)?;
    }
    Ok(total)
}

/// The one object that has this id or name, if any has.
///
/// # Errors
/// When several have the name.
pub(crate) fn one_named(objects: Vec<Object>, named: &str, what: &'static str) -> Result<Option<Object>> {
    if let Some(exact) = objects.iter().find(|object| object.id.as_str() == named) {
        return Ok(Some(exact.clone()));
    }
    let found: Vec<Object> = objects.into_iter().filter(|object| object.name == named).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        several => Err(Error::Ambiguous {
            what,
            named: named.to_owned(),
            count: several.len(),
            candidates: several.iter().map(|object| object.id.to_string()).collect::<Vec<_>>().join(", "),
        }),
    }
}

/// An object whose floating references were fixed.
struct Fixed {
    object: Object,
    /// How many.
    references: usize,
}

/// Finds objects of an environment by id, reading each unit's tree once.
pub struct Finder<'w, 's> {
    work: &'w Work<'s>,
    units: BTreeMap<String, BTreeMap<String, Digest>>,
    unread: BTreeMap<String, Tree>,
}

impl<'w, 's> Finder<'w, 's> {
    /// A finder over an environment's content.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn over(work: &'w Work<'s>, state: &EnvironmentState) -> Result<Self> {
        let mut finder = Self { work, units: BTreeMap::new(), unread: state.units(work)? };
        finder.load(SHARED)?;
        Ok(finder)
    }

    fn load(&mut self, unit: &str) -> Result<()> {
        if let Some(tree) = self.unread.remove(unit) {
            self.units.insert(unit.to_owned(), tree.entries(self.work)?);
        }
        Ok(())
    }

    /// The digest of an object. An app or module is looked up in its own unit, all else in the
    /// units read so far.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn digest(&mut self, id: &LogicalId) -> Result<Option<Digest>> {
        self.load(id.as_str())?;
        Ok(self.units.values().find_map(|entries| entries.get(id.as_str()).copied()))
    }

    /// An object by its id.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn object(&mut self, id: &LogicalId) -> Result<Option<Cow<'static, Object>>> {
        self.digest(id)?.map(|digest| self.work.object(&digest).map(Cow::Owned)).transpose()
    }

    /// The closure of an object.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn closure(&mut self, start: &LogicalId) -> Result<sluice_model::closure::Closure> {
        let finder = std::cell::RefCell::new(self);
        closure(
            [start.clone()],
            |id| finder.borrow_mut().object(id),
            |unit| {
                let mut finder = finder.borrow_mut();
                finder.load(unit.as_str())?;
                let entries = finder.units.get(unit.as_str());
                entries
                    .into_iter()
                    .flat_map(BTreeMap::keys)
                    .map(|id| Ok(LogicalId::new(id.clone())?))
                    .collect()
            },
        )
    }

    /// An object with its floating references fixed to what is newest now, if it has any that can be.
    /// A library query that was never published has nothing to be fixed to: its draft comes along.
    fn fixed(&mut self, object: &Object) -> Result<Option<Fixed>> {
        let mut fixed = Fixed { object: object.clone(), references: 0 };
        for reference in &object.references {
            let Target::Floating { to, .. } = &reference.target else { continue };
            let Some(newest) = self.object(to)? else { continue };
            if newest.kind == ObjectKind::LibraryQueryVersion {
                fixed.references += usize::from(pin_library_query(&mut fixed.object, &reference.at, to));
            } else if self.is_published(to)? {
                return Err(Error::invalid(
                    format!(
                        "`{}` uses the newest version of `{}`, and the export that `{}` came in does not say \
                         which that is",
                        object.name, newest.name, object.name
                    ),
                    "import the app together with the versions of its library queries",
                ));
            }
        }
        Ok((fixed.references > 0).then_some(fixed))
    }

    /// Whether the environment has a version of a library query.
    fn is_published(&self, library: &LogicalId) -> Result<bool> {
        for digest in self.units.get(SHARED).into_iter().flat_map(BTreeMap::values) {
            let object: Object = self.work.object(digest)?;
            if object.kind == ObjectKind::LibraryQueryVersion
                && object
                    .references
                    .iter()
                    .any(|r| r.kind == ReferenceKind::PartOf && r.target.object() == Some(library))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The app, module or shared object with this id or name.
    ///
    /// # Errors
    /// When none or several have it.
    pub fn named(&mut self, named: &str) -> Result<Object> {
        let mut candidates = Vec::new();
        let roots: Vec<String> = self.unread.keys().chain(self.units.keys()).cloned().collect();
        for unit in roots {
            if unit == SHARED {
                let digests: Vec<Digest> =
                    self.units.get(SHARED).into_iter().flat_map(BTreeMap::values).copied().collect();
                for digest in digests {
                    candidates.push(self.work.object(&digest)?);
                }
            } else {
                let tree = self.unread.get(&unit).copied();
                let digest = match tree {
                    Some(tree) => tree.lookup(self.work, &unit)?,
                    None => self.units.get(&unit).and_then(|entries| entries.get(&unit)).copied(),
                };
                if let Some(digest) = digest {
                    candidates.push(self.work.object(&digest)?);
                }
            }
        }
        one_named(candidates, named, "apps or shared objects")?.ok_or_else(|| Error::NotFound {
            what: "app or shared object",
            named: named.to_owned(),
            help: "name an app, a module, a shared data source or a library query of the first environment"
                .into(),
        })
    }
}

/// Reads a bundle.
///
/// # Errors
/// When content is missing or damaged.
pub fn bundle(work: &Work<'_>, digest: &Digest) -> Result<Bundle> {
    let bytes = work.get(digest)?.ok_or(Error::ContentMissing(*digest))?;
    serde_json::from_slice(&bytes).map_err(|source| Error::ContentDamaged { digest: *digest, source })
}
