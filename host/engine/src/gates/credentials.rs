//! The secret references in a plan's data sources: how old their values are, and who shares them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use sluice_model::{Digest, EnvironmentName, SecretRef};
use sluice_policy::facts::Credential;
use sluice_vault::Fingerprint;

use crate::error::Result;
use crate::plan::Plan;
use crate::state::Work;
use crate::workspace::Workspace;

/// The root of an environment's settings, and the fingerprints of what it has filed then.
type Filed = (Digest, Arc<BTreeSet<Fingerprint>>);

/// The fingerprints of what environments have filed, by the root of their settings: nothing is opened
/// twice by a process.
#[derive(Default)]
pub(crate) struct Fingerprints(Mutex<BTreeMap<EnvironmentName, Filed>>);

impl Workspace {
    /// The secret references that the target's bindings put into the slots of a plan's data sources.
    ///
    /// Whether another environment holds the very same value is seen by keyed fingerprints, which are
    /// made in the vault and leave this process in no form.
    pub(crate) fn credentials(&self, work: &mut Work<'_>, plan: &Plan) -> Result<Vec<Credential>> {
        let settings = self.settings(work, &plan.to)?;
        let mut found = Vec::new();
        let mut marks: Vec<Option<Fingerprint>> = Vec::new();
        for source in plan.all_sources() {
            for (slot, reference) in &source.slots {
                let filed = settings.filed(work, reference)?;
                let mark = filed.as_ref().map(|filed| self.fingerprint_of(reference, filed)).transpose()?;
                marks.push(mark);
                found.push(Credential {
                    source: source.source.clone(),
                    slot: slot.clone(),
                    reference: reference.to_string(),
                    set_at: filed.map(|filed| filed.since),
                    shared_with: Vec::new(),
                });
            }
        }
        // Nothing is opened where nobody could share anything.
        if marks.iter().all(Option::is_none) {
            return Ok(found);
        }
        for (environment, held) in self.held_elsewhere(work, &plan.to)? {
            for (credential, mark) in found.iter_mut().zip(&marks) {
                if mark.as_ref().is_some_and(|mark| held.contains(mark)) {
                    credential.shared_with.push(environment.to_string());
                }
            }
        }
        Ok(found)
    }

    /// The fingerprints of all values that the other environments have filed.
    fn held_elsewhere(
        &self,
        work: &mut Work<'_>,
        here: &EnvironmentName,
    ) -> Result<BTreeMap<EnvironmentName, Arc<BTreeSet<Fingerprint>>>> {
        let mut found = BTreeMap::new();
        for other in self.config()?.environments.iter().map(|known| &known.name).filter(|name| *name != here)
        {
            let settings = self.settings(work, other)?;
            let mut known = self.fingerprints.0.lock().unwrap_or_else(PoisonError::into_inner);
            let held = match known.get(other) {
                Some((root, held)) if *root == settings.root() => Arc::clone(held),
                _ => {
                    let mut held = BTreeSet::new();
                    for (path, filed) in settings.secrets(work)? {
                        held.insert(self.fingerprint_of(&SecretRef::new(other.clone(), path)?, &filed)?);
                    }
                    let held = Arc::new(held);
                    known.insert(other.clone(), (settings.root(), Arc::clone(&held)));
                    held
                }
            };
            found.insert(other.clone(), held);
        }
        Ok(found)
    }
}
