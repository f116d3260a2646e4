//! Whose work a version holds: four eyes are another's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use sluice_model::tree::Tree;
use sluice_model::{Digest, LogicalId};

use crate::act::What;
use crate::error::Result;
use crate::records::Recorded;
use crate::state::{EnvironmentState, SHARED, Work};
use crate::version::bundle;
use crate::workspace::{Workspace, environment_stream, state_in};

/// A version: its app, and its revision of the app's versions.
type Cut = (LogicalId, u64);

/// Who imported what versions hold: that never changes.
#[derive(Default)]
pub(crate) struct Importers(Mutex<BTreeMap<Cut, Arc<BTreeSet<String>>>>);

impl Workspace {
    /// The people whose work a bundle holds: who cut it, under any name, and whose imports changed what
    /// it holds since the version before it was cut. `cuts` are all versions of the app.
    pub(super) fn authors(
        &self,
        work: &mut Work<'_>,
        cuts: &[Recorded],
        bundle: &Digest,
    ) -> Result<BTreeSet<String>> {
        let mut authors = BTreeSet::new();
        let mut before = None;
        for recorded in cuts {
            let What::VersionCut(cut) = &recorded.act.what else { continue };
            let is_of_it = cut.bundle == *bundle;
            if is_of_it {
                authors.insert(recorded.act.actor.clone());
            }
            // What was cut from a version is that version's, and has nothing of the working copy.
            if cut.from.is_none() {
                if is_of_it {
                    let importers = self.importers(work, &cut.app, recorded, before, bundle)?;
                    authors.extend(importers.iter().cloned());
                }
                before = Some(recorded.act.at);
            }
        }
        Ok(authors)
    }

    fn importers(
        &self,
        work: &mut Work<'_>,
        app: &LogicalId,
        cut: &Recorded,
        since: Option<Timestamp>,
        digest: &Digest,
    ) -> Result<Arc<BTreeSet<String>>> {
        let key = (app.clone(), cut.revision);
        let known = || self.importers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(&key) {
            return Ok(Arc::clone(found));
        }
        let held = Held::of(work, bundle(work, digest)?.content)?;
        let stream = environment_stream(&self.first_environment()?);
        let mut found = BTreeSet::new();
        let mut next = self.newest_until(&stream, cut.act.at)?;
        while let Some(recorded) = next.filter(|it| since.is_none_or(|since| it.act.at > since)) {
            let before = match recorded.revision - 1 {
                0 => None,
                revision => self.records().at(&stream, revision)?,
            };
            let act = recorded.act;
            // A judgement puts nothing there but what somebody imported.
            let is_import = matches!(&act.what, What::Imported { summary, .. } if !summary.files.is_empty());
            if is_import && !found.contains(&act.actor) {
                let former = match &before {
                    Some(before) => state_in(before.act.clone())?,
                    None => EnvironmentState::empty(work)?,
                };
                let actor = act.actor.clone();
                if held.differs(work, former.content, state_in(act)?.content)? {
                    found.insert(actor);
                }
            }
            next = before;
        }
        let found = Arc::new(found);
        known().insert(key, Arc::clone(&found));
        Ok(found)
    }

    /// The newest act of a stream that is not after a time. Acts of a stream are in the order of time.
    fn newest_until(&self, stream: &str, at: Timestamp) -> Result<Option<Recorded>> {
        let (mut least, mut most) = (0, self.records().newest(stream)?);
        let mut found = None;
        while least < most {
            let middle = most - (most - least) / 2;
            match self.records().at(stream, middle)?.filter(|recorded| recorded.act.at <= at) {
                Some(recorded) => {
                    least = middle;
                    found = Some(recorded);
                }
                None => most = middle - 1,
            }
        }
        Ok(found)
    }
}

/// What a bundle holds: whole units, and of what is shared single objects.
struct Held {
    units: BTreeSet<String>,
    shared: BTreeSet<String>,
}

impl Held {
    fn of(work: &Work<'_>, content: Digest) -> Result<Self> {
        let mut units = Tree::at(content).entries(work)?;
        let shared = match units.remove(SHARED) {
            Some(root) => Tree::at(root).entries(work)?.into_keys().collect(),
            None => BTreeSet::new(),
        };
        Ok(Self { units: units.into_keys().collect(), shared })
    }

    /// Whether two contents of an environment differ in it.
    fn differs(&self, work: &mut Work<'_>, before: Digest, after: Digest) -> Result<bool> {
        let (before, after) = (Tree::at(before), Tree::at(after));
        for unit in &self.units {
            if before.lookup(work, unit)? != after.lookup(work, unit)? {
                return Ok(true);
            }
        }
        let (before, after) = (before.lookup(work, SHARED)?, after.lookup(work, SHARED)?);
        if before == after || self.shared.is_empty() {
            return Ok(false);
        }
        let empty = Tree::empty(work)?;
        let (before, after) = (before.map_or(empty, Tree::at), after.map_or(empty, Tree::at));
        Ok(before.diff(&after, work)?.iter().any(|entry| self.shared.contains(&entry.key)))
    }
}
