//! What an environment holds, as trees of content: one record of constant size names the roots.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sluice_model::json;
use sluice_model::tree::{Blobs, Entry, Tree};
use sluice_model::{Digest, LogicalId, Object};
use sluice_store::{Lease, Store};

use crate::error::{Error, Result};

/// The unit of objects that several apps share: data sources and library queries.
pub const SHARED: &str = "~shared";

/// The state of an environment, whole: the body of every revision of its stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentState {
    /// Tree of units (apps, modules, [`SHARED`]) to the roots of their trees of objects.
    pub content: Digest,
    /// Tree of data sources to what the plugins rendered for this environment.
    pub rendered: Digest,
    /// Tree of who is who: native ids to logical ids and back.
    pub identity: Digest,
    /// Tree of apps to their [`Standing`].
    pub standing: Digest,
    /// Tree of units to what an export held beside its objects; writes it again unchanged.
    pub residue: Digest,
    /// Tree of `<environment>/<source>` to options that an export proposed for other environments.
    pub proposals: Digest,
    /// Tree of objects and apps to the revision of this environment that changed them last, by
    /// [`Revised`]. What is gone stays in it, so that what comes again is not taken for what was.
    pub revised: Digest,
    /// Who may write next, while somebody does.
    pub held: Option<Held>,
}

/// The right to write to an environment for a while, and what it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Who may write, and for how long.
    pub lease: Lease,
    /// What for, in words.
    pub purpose: String,
}

/// Which version of an app an environment has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// What the environment holds of the app.
    pub holds: Holding,
    /// Versions that were ever promoted to here, by bundle, newest last.
    pub promoted: Vec<Promoted>,
    /// The one version that end users get.
    pub released: Option<Promoted>,
}

/// Where the content of an app in an environment comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Holding {
    /// Read from the platform: the working copy of the first environment, a baseline elsewhere.
    #[default]
    Imported,
    /// A promoted version.
    Version(Promoted),
}

/// What a revision of an environment can change: what plans rest on, each with a revision of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revised<'a> {
    /// The content of an object.
    Object(&'a LogicalId),
    /// Which version of an app is held.
    Holding(&'a LogicalId),
    /// Which version of an app end users get.
    Release(&'a LogicalId),
}

impl Revised<'_> {
    fn key(self) -> String {
        match self {
            Self::Object(id) => format!("object/{id}"),
            Self::Holding(app) => format!("holding/{app}"),
            Self::Release(app) => format!("release/{app}"),
        }
    }
}

/// A version in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promoted {
    /// The version's name.
    pub version: String,
    /// Its bundle.
    pub bundle: Digest,
}

impl Standing {
    /// This standing, gone back to from `left`: what end users get stays, unless it is what is
    /// taken back.
    #[must_use]
    pub fn back_from(mut self, left: &Self) -> Self {
        if let Some(released) = left.released.as_ref().filter(|released| self.promoted.contains(released)) {
            self.released = Some(released.clone());
        }
        self
    }
}

impl EnvironmentState {
    /// An environment with nothing in it.
    ///
    /// # Errors
    /// When the empty tree cannot be kept.
    pub fn empty(work: &mut Work<'_>) -> Result<Self> {
        let root = Tree::empty(work)?.root();
        Ok(Self {
            content: root,
            rendered: root,
            identity: root,
            standing: root,
            residue: root,
            proposals: root,
            revised: root,
            held: None,
        })
    }

    /// Whether it is the other but for who may write next.
    #[must_use]
    pub fn holds_the_same(&self, other: &Self) -> bool {
        let bare = |state: &Self| Self { held: None, ..state.clone() };
        bare(self) == bare(other)
    }

    /// The tree of a unit's objects, if the environment has the unit.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn unit(&self, work: &Work<'_>, unit: &str) -> Result<Option<Tree>> {
        Ok(Tree::at(self.content).lookup(work, unit)?.map(Tree::at))
    }

    /// The digest of one object, looked up in its unit.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn object_digest(&self, work: &Work<'_>, unit: &str, id: &LogicalId) -> Result<Option<Digest>> {
        match self.unit(work, unit)? {
            Some(tree) => Ok(tree.lookup(work, id.as_str())?),
            None => Ok(None),
        }
    }

    /// Every object of the environment, by logical id. For imports and version cuts, which read
    /// all of an app anyway; a plan never does.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn units(&self, work: &Work<'_>) -> Result<BTreeMap<String, Tree>> {
        let units = Tree::at(self.content).entries(work)?;
        Ok(units.into_iter().map(|(unit, root)| (unit, Tree::at(root))).collect())
    }

    /// The app's standing, if the environment knows the app.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn standing_of(&self, work: &Work<'_>, app: &LogicalId) -> Result<Option<Standing>> {
        work.lookup(self.standing, app.as_str())
    }

    /// Sets the app's standing, or forgets it.
    ///
    /// # Errors
    /// When content cannot be kept.
    pub fn set_standing(
        &mut self,
        work: &mut Work<'_>,
        app: &LogicalId,
        standing: Option<&Standing>,
    ) -> Result<()> {
        self.standing = work.set(self.standing, app.as_str(), standing)?;
        Ok(())
    }

    /// Apps with a standing, by logical id.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn standings(&self, work: &Work<'_>) -> Result<BTreeMap<LogicalId, Standing>> {
        let entries: BTreeMap<String, Standing> = work.all(self.standing)?;
        entries.into_iter().map(|(id, standing)| Ok((LogicalId::new(id)?, standing))).collect()
    }

    /// The revision of this environment that changed something last, if any did.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn revision_of(&self, work: &Work<'_>, what: Revised<'_>) -> Result<Option<u64>> {
        work.lookup(self.revised, &what.key())
    }

    /// Notes the revision that changes these.
    ///
    /// # Errors
    /// When content cannot be kept.
    pub fn revise<'a>(
        &mut self,
        work: &mut Work<'_>,
        revision: u64,
        what: impl IntoIterator<Item = Revised<'a>>,
    ) -> Result<()> {
        let digest = work.put_json(&revision)?;
        let keys: Vec<String> = what.into_iter().map(Revised::key).collect();
        let entries = keys.iter().map(|key| (key.as_str(), Some(digest)));
        self.revised = Tree::at(self.revised).with(work, entries)?.root();
        Ok(())
    }

    /// Puts a unit's tree in place; an empty one goes.
    ///
    /// # Errors
    /// When content cannot be kept.
    pub fn set_unit(&mut self, work: &mut Work<'_>, unit: &str, tree: Option<Tree>) -> Result<()> {
        let kept = match tree {
            Some(tree) if !tree.is_empty(work)? => Some(tree.root()),
            _ => None,
        };
        self.content = Tree::at(self.content).with(work, [(unit, kept)])?.root();
        Ok(())
    }
}

/// The unit in whose tree an object lies.
#[must_use]
pub fn unit_of(object: &Object) -> &str {
    object.unit.as_ref().map_or(SHARED, LogicalId::as_str)
}

/// One changed object of a unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Touched {
    /// The unit.
    pub unit: String,
    /// The object's logical id.
    pub object: LogicalId,
    /// Its digest before.
    pub before: Option<Digest>,
    /// Its digest after.
    pub after: Option<Digest>,
}

/// What differs between two content trees, by unit and object. Costs what differs.
///
/// # Errors
/// When content is missing or damaged.
pub fn touched(work: &Work<'_>, before: Digest, after: Digest) -> Result<Vec<Touched>> {
    let mut found = Vec::new();
    let empty = BTreeMap::new();
    for Entry { key: unit, before, after } in Tree::at(before).diff(&Tree::at(after), work)? {
        let entries = match (before, after) {
            (Some(before), Some(after)) => Tree::at(before).diff(&Tree::at(after), work)?,
            (before, after) => {
                let read = |root: Option<Digest>| {
                    root.map_or(Ok(empty.clone()), |root| Tree::at(root).entries(work))
                };
                let (before, mut after) = (read(before)?, read(after)?);
                let mut entries: Vec<Entry> = before
                    .into_iter()
                    .map(|(key, digest)| Entry { after: after.remove(&key), key, before: Some(digest) })
                    .collect();
                entries.extend(after.into_iter().map(|(key, digest)| Entry {
                    key,
                    before: None,
                    after: Some(digest),
                }));
                entries
            }
        };
        for entry in entries {
            found.push(Touched {
                unit: unit.clone(),
                object: LogicalId::new(entry.key)?,
                before: entry.before,
                after: entry.after,
            });
        }
    }
    Ok(found)
}

/// Content under work: what is stored, and what will be stored with the next revision.
pub struct Work<'s> {
    store: &'s dyn Store,
    fresh: BTreeMap<Digest, Vec<u8>>,
}

impl<'s> Work<'s> {
    /// Nothing new yet over this store.
    #[must_use]
    pub fn over(store: &'s dyn Store) -> Self {
        Self { store, fresh: BTreeMap::new() }
    }

    /// The same store, and nothing new.
    #[must_use]
    pub(crate) fn anew(&self) -> Self {
        Self::over(self.store)
    }

    /// What was put since, to be committed with a revision.
    #[must_use]
    pub fn into_fresh(self) -> BTreeMap<Digest, Vec<u8>> {
        self.fresh
    }

    /// Keeps a value's canonical JSON.
    ///
    /// # Errors
    /// When it cannot be made JSON, or is nested so deep that it could not be read again.
    pub fn put_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<Digest> {
        let value = serde_json::to_value(value)?;
        if !json::is_within(&value, json::MOST_KEPT) {
            return Err(Error::invalid(
                format!(
                    "it would be nested deeper than {} levels, and nobody could read it again",
                    json::MOST_KEPT
                ),
                "make it of fewer levels",
            ));
        }
        self.put(json::canonical(&value))
    }

    /// Whether content is there, whatever its bytes are.
    ///
    /// # Errors
    /// When the store fails.
    pub fn has(&self, digest: &Digest) -> Result<bool> {
        Ok(self.fresh.contains_key(digest) || self.store.has_blob(digest)?)
    }

    /// Reads a value that was kept as JSON.
    ///
    /// # Errors
    /// When it is not there or not of that form.
    pub fn json<T: DeserializeOwned>(&self, digest: &Digest) -> Result<T> {
        let bytes = self.get(digest)?.ok_or(Error::ContentMissing(*digest))?;
        serde_json::from_slice(&bytes).map_err(|source| Error::ContentDamaged { digest: *digest, source })
    }

    /// Reads an object.
    ///
    /// # Errors
    /// As [`Work::json`].
    pub fn object(&self, digest: &Digest) -> Result<Object> {
        self.json(digest)
    }

    /// Reads an object, with the number of its canonical bytes.
    ///
    /// # Errors
    /// As [`Work::json`].
    pub fn object_with_size(&self, digest: &Digest) -> Result<(Object, u64)> {
        let bytes = self.get(digest)?.ok_or(Error::ContentMissing(*digest))?;
        let object = serde_json::from_slice(&bytes)
            .map_err(|source| Error::ContentDamaged { digest: *digest, source })?;
        Ok((object, bytes.len() as u64))
    }

    /// What a tree maps a key to, read as JSON.
    ///
    /// # Errors
    /// As [`Work::json`].
    pub fn lookup<T: DeserializeOwned>(&self, tree: Digest, key: &str) -> Result<Option<T>> {
        Tree::at(tree).lookup(self, key)?.map(|digest| self.json(&digest)).transpose()
    }

    /// All that a tree maps to, read as JSON.
    ///
    /// # Errors
    /// As [`Work::json`].
    pub fn all<T: DeserializeOwned>(&self, tree: Digest) -> Result<BTreeMap<String, T>> {
        let entries = Tree::at(tree).entries(self)?;
        entries.into_iter().map(|(key, digest)| Ok((key, self.json(&digest)?))).collect()
    }

    /// The tree with `key` mapped to a value's JSON, or without it.
    ///
    /// # Errors
    /// When content cannot be kept.
    pub fn set<T: Serialize>(&mut self, tree: Digest, key: &str, value: Option<&T>) -> Result<Digest> {
        let digest = value.map(|value| self.put_json(value)).transpose()?;
        Ok(Tree::at(tree).with(self, [(key, digest)])?.root())
    }
}

impl Blobs for Work<'_> {
    type Error = Error;

    fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        match self.fresh.get(digest) {
            Some(bytes) => Ok(Some(bytes.clone())),
            None => Ok(self.store.blob(digest)?),
        }
    }

    fn put(&mut self, bytes: Vec<u8>) -> Result<Digest> {
        let digest = Digest::of(&bytes);
        self.fresh.insert(digest, bytes);
        Ok(digest)
    }
}
