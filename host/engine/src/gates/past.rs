//! What happened to an app before, as gates may judge by it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use sluice_model::LogicalId;
use sluice_policy::facts::{Past, PastOutcome};

use crate::act::{Act, Ended, What};
use crate::error::Result;
use crate::plan::TransitionKind;
use crate::promote::{ends_stream, promotions_stream, refusals_stream};
use crate::workspace::Workspace;

/// Earlier transitions that gates are told of, the newest: as many as tell what is usual for an app.
const MOST_PAST: usize = 500;

/// Acts of each list that are looked at, the newest, those of other apps among them: what a plan
/// costs does not grow with the workspace's age.
const MOST_ACTS: usize = 500;

/// The newest acts of the lists of runs, by stream, as this process has read them. They never change,
/// so only what is new is read again.
#[derive(Default)]
pub(crate) struct Lists(Mutex<BTreeMap<String, VecDeque<Arc<Act>>>>);

impl Workspace {
    /// The newest acts of a list, newest first.
    fn list(&self, stream: &str) -> Result<Vec<Arc<Act>>> {
        let mut lists = self.lists.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lists.entry(stream.to_owned()).or_default();
        let after = known.back().map_or(0, |act| act.revision);
        for recorded in self.records().newest(stream, after, MOST_ACTS)? {
            known.push_back(Arc::new(recorded.act));
        }
        while known.len() > MOST_ACTS {
            known.pop_front();
        }
        Ok(known.iter().rev().cloned().collect())
    }

    /// The earlier transitions of an app in all environments of the configuration, oldest first. A run
    /// that has no end yet is not among them.
    pub(crate) fn past_of(&self, app: &LogicalId) -> Result<Vec<Past>> {
        let mut found: Vec<Past> = Vec::new();
        for environment in self.config()?.environments.iter().map(|known| &known.name) {
            let mut ends: BTreeMap<u64, Ended> = BTreeMap::new();
            for act in self.list(&ends_stream(environment))? {
                if let What::PromotionEnded { promotion, ended } = &act.what {
                    ends.insert(*promotion, ended.clone());
                }
            }
            let mut taken_back: BTreeSet<u64> = BTreeSet::new();
            // Newest first, so that what takes back is seen before what is taken back.
            for act in self.list(&promotions_stream(environment))? {
                let What::PromotionProposed(run) = &act.what else { continue };
                if run.app != *app {
                    continue;
                }
                let outcome = match ends.get(&run.number) {
                    Some(Ended::Done) if taken_back.contains(&run.number) => PastOutcome::RolledBack,
                    Some(Ended::Done) => PastOutcome::Done,
                    Some(Ended::Undone { .. }) => PastOutcome::Failed,
                    None => continue,
                };
                if outcome == PastOutcome::Done {
                    taken_back.extend(run.takes_back);
                }
                let Some(kind) = TransitionKind::from_name(&run.transition) else { continue };
                found.push(Past {
                    kind,
                    environment: environment.clone(),
                    at: act.at,
                    version: run.version.clone(),
                    bundle: run.bundle,
                    by: act.actor.clone(),
                    outcome,
                    objects: run.size.objects,
                    bytes: Some(run.size.bytes),
                });
            }
            for act in self.list(&refusals_stream(environment))? {
                let What::PromotionRefused { transition, app: of, version, bundle, size, .. } = &act.what
                else {
                    continue;
                };
                if let Some(kind) = TransitionKind::from_name(transition).filter(|_| of == app) {
                    found.push(Past {
                        kind,
                        environment: environment.clone(),
                        at: act.at,
                        version: version.clone(),
                        bundle: *bundle,
                        by: act.actor.clone(),
                        outcome: PastOutcome::Refused,
                        objects: size.objects,
                        bytes: Some(size.bytes),
                    });
                }
            }
        }
        found.sort_by(|a, b| (a.at, &a.environment).cmp(&(b.at, &b.environment)));
        let older = found.len().saturating_sub(MOST_PAST);
        Ok(found.split_off(older))
    }
}
