//! What an app is called: patterns of the configuration know it by every name that it has or had where
//! that counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use sluice_model::LogicalId;

use crate::act::What;
use crate::error::Result;
use crate::state::{EnvironmentState, Work};
use crate::version::{bundle, stream};
use crate::workspace::Workspace;

/// What the bundles of an app's versions call it, up to a revision of their stream. Versions never
/// change, so a process reads only what is new.
#[derive(Default)]
pub(crate) struct CutNames(Mutex<BTreeMap<LogicalId, (u64, BTreeSet<String>)>>);

impl Workspace {
    /// What an app is called in its versions, and in the environments that hold it.
    ///
    /// # Errors
    /// When content or a record is missing or damaged.
    pub(crate) fn names_of(&self, app: &LogicalId) -> Result<BTreeSet<String>> {
        let mut work = self.work();
        let mut names = self.cut_names(&work, app)?;
        for environment in &self.config()?.environments {
            let (_, state) = self.environment(&mut work, &environment.name)?;
            names.extend(name_in(&work, &state, app)?);
        }
        Ok(names)
    }

    fn cut_names(&self, work: &Work<'_>, app: &LogicalId) -> Result<BTreeSet<String>> {
        let stream = stream(app);
        let mut known = self.cut_names.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, names) = known.entry(app.clone()).or_default();
        let newest = self.records().newest(&stream)?;
        let mut bundles = BTreeSet::new();
        for recorded in self.records().between(&stream, *read, newest)? {
            if let What::VersionCut(cut) = recorded.act.what {
                bundles.insert(cut.bundle);
            }
        }
        for digest in bundles {
            names.insert(bundle(work, &digest)?.name);
        }
        *read = newest;
        Ok(names.clone())
    }
}

/// What an environment calls an app, where it holds it.
///
/// # Errors
/// When content is missing or damaged.
pub(crate) fn name_in(work: &Work<'_>, state: &EnvironmentState, app: &LogicalId) -> Result<Option<String>> {
    let digest = state.object_digest(work, app.as_str(), app)?;
    digest.map(|digest| Ok(work.object(&digest)?.name)).transpose()
}
