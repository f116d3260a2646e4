//! What happened to an app before, as gates may judge by it.

use sluice_model::LogicalId;
use sluice_policy::facts::{Past, PastOutcome};
use std::collections::{BTreeMap, BTreeSet};

use crate::act::{Act, Ended, What};
use crate::error::Result;
use crate::plan::TransitionKind;
use crate::promote::{ends_stream, promotions_stream, refusals_stream};
use crate::records::Recorded;
use crate::workspace::Workspace;

/// Earlier transitions that gates are told of, the newest: as many as tell what is usual for an app.
pub(crate) const MOST_PAST: usize = 500;

/// Runs of each environment that are looked at, the newest, since those of other apps stand among
/// them. What a plan costs does not grow with the workspace's age.
const MOST_RUNS: usize = 1_000;

impl Workspace {
    /// The earlier transitions of an app in all environments of the configuration, oldest first. A run
    /// that has no end yet is not among them.
    pub(crate) fn past_of(&self, app: &LogicalId) -> Result<Vec<Past>> {
        let mut found: Vec<Past> = Vec::new();
        for environment in self.config()?.environments.iter().map(|known| &known.name) {
            let newest = |stream: &str| self.records().newest(stream, MOST_RUNS);
            let mut ends: BTreeMap<u64, Ended> = BTreeMap::new();
            for recorded in newest(&ends_stream(environment))? {
                if let What::PromotionEnded { promotion, ended } = recorded.act.what {
                    ends.insert(promotion, ended);
                }
            }
            let mut taken_back: BTreeSet<u64> = BTreeSet::new();
            // Newest first, so that what takes back is seen before what is taken back.
            for Recorded { act: Act { actor: by, at, what, .. }, .. } in
                newest(&promotions_stream(environment))?
            {
                let What::PromotionProposed(run) = what else { continue };
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
                    at,
                    version: run.version,
                    bundle: run.bundle,
                    by,
                    outcome,
                    objects: run.size.objects,
                    bytes: Some(run.size.bytes),
                });
            }
            for Recorded { act: Act { actor: by, at, what, .. }, .. } in
                newest(&refusals_stream(environment))?
            {
                let What::PromotionRefused { transition, app: of, version, bundle, size, .. } = what else {
                    continue;
                };
                if let Some(kind) = TransitionKind::from_name(&transition).filter(|_| of == *app) {
                    found.push(Past {
                        kind,
                        environment: environment.clone(),
                        at,
                        version,
                        bundle,
                        by,
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
