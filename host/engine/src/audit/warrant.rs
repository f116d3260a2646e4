//! Whether what an environment holds came there by right: every commit by a run whose gates allowed
//! it, and nothing by a lease.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sluice_model::{EnvironmentName, json};
use sluice_policy::{Decision, ReplayError};

use crate::act::{Act, Proposal, What};
use crate::break_glass::allowing_emergency;
use crate::decisions::Replays;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::state::{EnvironmentState, Work, touched};

/// Checks the acts, which are in the order of the ledger.
///
/// # Errors
/// [`Error::Unwarranted`] names the first that is without a warrant.
pub(super) fn check<'a>(work: &mut Work<'_>, acts: impl Iterator<Item = (u64, &'a Act)>) -> Result<()> {
    let empty = EnvironmentState::empty(work)?;
    let mut environments: BTreeMap<&str, Environment<'_>> = BTreeMap::new();
    let mut reviewed: BTreeSet<(EnvironmentName, u64)> = BTreeSet::new();
    let replays = Replays::over(work);
    for (entry, act) in acts {
        if let What::ReviewOpened(review) = &act.what {
            reviewed.insert((review.environment.clone(), review.promotion));
        }
        let Some(name) = act.stream.strip_prefix("env/") else { continue };
        let unwarranted = |what: String| Err(Error::Unwarranted { entry, what });
        let (name, list) = name.split_once('/').map_or((name, None), |(name, list)| (name, Some(list)));
        let environment = environments.entry(name).or_insert_with(|| Environment::new(&empty));
        match (list, &act.what) {
            (Some("promotions"), What::PromotionProposed(proposal)) => {
                environment.journaled.insert(act.revision, (act.at, proposal));
            }
            (None, What::Imported { state, .. }) => environment.state = state,
            (None, What::LeaseTaken { state } | What::LeaseReturned { state }) => {
                if !state.holds_the_same(environment.state) {
                    return unwarranted(format!("the lease on `{name}` changed what it holds"));
                }
                environment.state = state;
                environment.leased = act.at;
            }
            (None, What::Committed { state, promotion }) => {
                let place = EnvironmentName::new(name)?;
                let warrant = environment.warrant(&replays, &place, act.revision, state, *promotion);
                let is_reviewed = reviewed.contains(&(place, *promotion));
                let warrant = warrant.and_then(|decision| match allowing_emergency(&decision) {
                    Some(_) if !is_reviewed => {
                        Err("an emergency act let it through, and no review of that was opened".to_owned())
                    }
                    _ => Ok(()),
                });
                if let Err(why) = warrant {
                    return unwarranted(format!(
                        "promotion {promotion} of `{name}` was committed without a decision that allowed it: {why}"
                    ));
                }
                environment.state = state;
            }
            _ => {}
        }
    }
    Ok(())
}

/// An environment so far.
struct Environment<'a> {
    /// What the newest act of its stream left.
    state: &'a EnvironmentState,
    /// When the newest lease was taken or given back.
    leased: Timestamp,
    /// The runs that were begun, by number, each with the time of that.
    journaled: BTreeMap<u64, (Timestamp, &'a Proposal)>,
}

impl<'a> Environment<'a> {
    const fn new(empty: &'a EnvironmentState) -> Self {
        Self { state: empty, leased: Timestamp::UNIX_EPOCH, journaled: BTreeMap::new() }
    }

    /// The decision that allowed the commit that is revision `revision` of the environment `place`.
    fn warrant(
        &self,
        replays: &Replays<'_, '_>,
        place: &EnvironmentName,
        revision: u64,
        state: &EnvironmentState,
        promotion: u64,
    ) -> Result<Decision, String> {
        let Some((journaled, run)) = self.journaled.get(&promotion) else {
            return Err("no run of that number was begun before it".to_owned());
        };
        if run.number != promotion || run.fence.checked_add(1) != Some(revision) {
            return Err(format!(
                "the run of that number writes revision {} only",
                run.fence.saturating_add(1)
            ));
        }
        let damaged = |error: Error| error.to_string();
        let plan: Plan = replays.work().json(&run.plan).map_err(damaged)?;
        if plan.digest != run.plan_digest || json::digest(&plan.core().map_err(damaged)?) != plan.digest {
            return Err(format!("the plan that was kept for it is not plan {}", run.plan_digest.short()));
        }
        let planned = (plan.transition.as_str(), &plan.app, &plan.version, plan.bundle, &plan.from, &plan.to);
        let journaled_as = (run.transition.as_str(), &run.app, &run.version, run.bundle, &run.from, place);
        if planned != journaled_as || plan.size() != run.size {
            return Err(format!("the run is not the transition of plan {}", plan.digest.short()));
        }
        let mut changed = touched(replays.work(), self.state.content, state.content).map_err(damaged)?;
        let mut planned = plan.touched();
        changed.sort();
        planned.sort();
        if changed != planned {
            return Err(format!("it changed other objects, or otherwise, than plan {}", plan.digest.short()));
        }
        let decision: Decision = replays.work().json(&run.decision).map_err(damaged)?;
        if !decision.is_allowed() {
            return Err(format!("the gates said {}", decision.outcome));
        }
        let facts = &decision.input.facts;
        if decision.digests.plan != plan.digest || facts.plan.digest != plan.digest {
            return Err(format!("the gates were asked about plan {}", decision.digests.plan.short()));
        }
        let asked = (facts.transition.kind, &facts.transition.from.name, &facts.transition.to.name);
        if asked != (plan.transition, &plan.from, &plan.to) {
            return Err("the gates were asked about another transition".to_owned());
        }
        let gates = decision.input.gates.iter().map(|gate| (&gate.name, gate.pack, gate.level));
        if !gates.eq(plan.gates.iter().map(|gate| (&gate.name, gate.pack, gate.level))) {
            return Err("other gates were asked than those of the plan".to_owned());
        }
        if facts.now < self.leased || facts.now > *journaled {
            return Err(format!("the gates were asked at {}, which is not within the run", facts.now));
        }
        match replays.again(&decision) {
            Ok(again) if again == decision => Ok(decision),
            Ok(again) => Err(format!("asked again with the same facts, the gates say {}", again.outcome)),
            // Of names that this version no longer has, what was recorded is all there is.
            Err(ReplayError::Api(_)) => Ok(decision),
            Err(error) => Err(error.to_string()),
        }
    }
}
