//! Whether what an environment holds came there by right: every commit is what its plan leaves, by a run
//! whose gates allowed it; nothing comes by a lease, and no import changes what was promoted.

mod origin;
mod said;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sluice_model::tree::{Entry, Tree};
use sluice_model::{Digest, EnvironmentName, LogicalId, json};
use sluice_policy::{Decision, Gate, ReplayError};

use self::origin::{Origins, Run};
use self::said::{Counting, Said};
use super::Entered;
use super::right::Configurations;
use crate::act::{Act, Ended, ImportSummary, Proposal, What};
use crate::break_glass::allowing_emergency;
use crate::decisions::Replays;
use crate::error::{Error, Result};
use crate::gates::{PlannedGate, Policies, gates_for, name_in};
use crate::import::without;
use crate::plan::{Plan, TransitionKind};
use crate::promote::state_after;
use crate::state::{EnvironmentState, Holding, Revised, Standing, Touched, Work, touched};
use crate::version::Carried;
use crate::workspace::Adopted;

/// Something judged, or why it is without a warrant, in words.
type Judgement<T> = Result<T, String>;

/// Checks the acts, which are in the order of the ledger. Answers of how many commits the decisions
/// were not made again.
///
/// # Errors
/// [`Error::Unwarranted`] names the first that is without a warrant.
pub(super) fn check(work: &mut Work<'_>, configurations: &Configurations, acts: &[Entered]) -> Result<u64> {
    let empty = EnvironmentState::empty(work)?;
    let mut court = Court {
        replays: Replays::over(work),
        configurations,
        said: Said::default(),
        origins: Origins::default(),
        names: BTreeMap::new(),
        not_replayed: 0,
    };
    let mut environments: BTreeMap<&str, Environment<'_>> = BTreeMap::new();
    let mut reviewed: BTreeSet<(EnvironmentName, u64)> = BTreeSet::new();
    for Entered { entry, act, .. } in acts {
        let unwarranted = |what: String| Error::Unwarranted { entry: *entry, what };
        court.said.hear(*entry, act);
        court.origins.hear(*entry, act);
        if let What::ReviewOpened(review) = &act.what {
            reviewed.insert((review.environment.clone(), review.promotion));
        }
        let Some(name) = act.stream.strip_prefix("env/") else { continue };
        let (name, list) = name.split_once('/').map_or((name, None), |(name, list)| (name, Some(list)));
        let environment = environments.entry(name).or_insert_with(|| Environment::new(&empty));
        match (list, &act.what) {
            (Some("promotions"), What::PromotionProposed(run)) => {
                environment.journaled.insert(act.revision, Journaled { entry: *entry, act, run });
            }
            (Some("ends"), What::PromotionEnded { promotion, ended }) => {
                let is_committed = environment.committed.contains(promotion);
                if is_committed != (*ended == Ended::Done) {
                    let how = if is_committed { "undone, and was" } else { "done, and was never" };
                    let what = format!("promotion {promotion} of `{name}` is recorded as {how} committed");
                    return Err(unwarranted(what));
                }
            }
            (None, What::Imported { state, summary }) => {
                let place = EnvironmentName::new(name)?;
                let config = configurations.at(act.configuration).map(|adopted| &adopted.config);
                let is_first =
                    config.and_then(|it| it.first_environment()).is_some_and(|first| first.name == place);
                environment
                    .imported(&court, act.revision, state, summary, is_first)
                    .map_err(|why| unwarranted(format!("the import into `{name}` {why}")))?;
                environment.state = state;
            }
            (None, What::LeaseTaken { state } | What::LeaseReturned { state }) => {
                if !state.holds_the_same(environment.state) {
                    return Err(unwarranted(format!("the lease on `{name}` changed what it holds")));
                }
                environment.state = state;
                environment.leased = Leased { entry: *entry, at: act.at };
                environment.leases.insert(act.revision, state);
            }
            (None, What::Committed { state, promotion, decision }) => {
                let place = EnvironmentName::new(name)?;
                let commit = Commit { entry: *entry, act, state, promotion: *promotion, decision };
                let warrant = environment.warrant(&mut court, &place, &commit);
                let is_reviewed = reviewed.contains(&(place, *promotion));
                let warrant = warrant.and_then(|decisions| {
                    if decisions.iter().any(|it| allowing_emergency(it).is_some()) && !is_reviewed {
                        Err("an emergency act let it through, and no review of that was opened".to_owned())
                    } else {
                        Ok(())
                    }
                });
                if let Err(why) = warrant {
                    return Err(unwarranted(format!(
                        "promotion {promotion} of `{name}` was committed without a decision that allowed it: {why}"
                    )));
                }
                environment.committed.insert(*promotion);
                environment.state = state;
            }
            _ => {}
        }
    }
    Ok(court.not_replayed)
}

/// By what everything is judged.
struct Court<'w, 's, 'a> {
    replays: Replays<'w, 's>,
    configurations: &'a Configurations,
    said: Said<'a>,
    origins: Origins<'a>,
    /// What bundles call their apps.
    names: BTreeMap<Digest, String>,
    /// Of how many commits the decisions were not made again.
    not_replayed: u64,
}

impl<'a> Court<'_, '_, 'a> {
    /// Whether a decision allowed a plan, as it was asked for by an act, at its entry, not before a
    /// time.
    fn allowed(
        &self,
        plan: &Plan,
        decision: &Decision,
        (entry, act): (u64, &'a Act),
        since: Timestamp,
    ) -> Judgement<()> {
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
        if facts.now < since || facts.now > act.at {
            return Err(format!("the gates were asked at {}, which is not within the run", facts.now));
        }
        let Some(adopted) = self.configurations.at(act.configuration) else {
            return Err("no configuration had been adopted".to_owned());
        };
        let counting = Counting { entry, configurations: self.configurations, config: &adopted.config };
        gates_stood(&self.replays, plan, decision, adopted)?;
        self.said.check(plan, decision, &counting)?;
        match self.replays.again(decision) {
            Ok(again) if again == *decision => Ok(()),
            Ok(again) => Err(format!("asked again with the same facts, the gates say {}", again.outcome)),
            // Of names that this version no longer has, what was recorded is all there is.
            Err(ReplayError::Api(_)) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Whether a decision was made for names of facts that this version no longer has.
fn is_of_another_api(decision: &Decision) -> bool {
    decision.input.api != sluice_policy::API
}

/// A commit to be judged.
struct Commit<'a> {
    entry: u64,
    act: &'a Act,
    state: &'a EnvironmentState,
    promotion: u64,
    decision: &'a Digest,
}

/// When a lease was taken or given back.
#[derive(Clone, Copy)]
struct Leased {
    entry: u64,
    at: Timestamp,
}

/// A run that was begun.
struct Journaled<'a> {
    entry: u64,
    act: &'a Act,
    run: &'a Proposal,
}

/// An environment so far.
struct Environment<'a> {
    /// What the newest act of its stream left.
    state: &'a EnvironmentState,
    /// The newest lease.
    leased: Leased,
    /// What it held when leases were taken, by revision.
    leases: BTreeMap<u64, &'a EnvironmentState>,
    /// The runs that were begun, by number.
    journaled: BTreeMap<u64, Journaled<'a>>,
    /// Those that came to their commit.
    committed: BTreeSet<u64>,
}

fn damaged(error: impl Into<Error>) -> String {
    error.into().to_string()
}

impl<'a> Environment<'a> {
    const fn new(empty: &'a EnvironmentState) -> Self {
        Self {
            state: empty,
            leased: Leased { entry: 0, at: Timestamp::UNIX_EPOCH },
            leases: BTreeMap::new(),
            journaled: BTreeMap::new(),
            committed: BTreeSet::new(),
        }
    }

    /// The decisions that allowed a commit to the environment `place`: the one with which its run was
    /// begun, and the one right before it.
    fn warrant(
        &self,
        court: &mut Court<'_, '_, 'a>,
        place: &EnvironmentName,
        commit: &Commit<'a>,
    ) -> Judgement<[Decision; 2]> {
        let promotion = commit.promotion;
        let Some(Journaled { entry, act, run }) = self.journaled.get(&promotion) else {
            return Err("no run of that number was begun before it".to_owned());
        };
        if run.number != promotion || run.fence.checked_add(1) != Some(commit.act.revision) {
            return Err(format!(
                "the run of that number writes revision {} only",
                run.fence.saturating_add(1)
            ));
        }
        let work = court.replays.work();
        let plan: Plan = work.json(&run.plan).map_err(damaged)?;
        if plan.digest != run.plan_digest || json::digest(&plan.core().map_err(damaged)?) != plan.digest {
            return Err(format!("the plan that was kept for it is not plan {}", run.plan_digest.short()));
        }
        let planned = (plan.transition.as_str(), &plan.app, &plan.version, plan.bundle, &plan.from, &plan.to);
        let journaled_as = (run.transition.as_str(), &run.app, &run.version, run.bundle, &run.from, place);
        let changes: Vec<Touched> = work.json(&run.touched).map_err(damaged)?;
        if planned != journaled_as
            || plan.size() != run.size
            || plan.takes_back != run.takes_back
            || plan.touched() != changes
        {
            return Err(format!("the run is not the transition of plan {}", plan.digest.short()));
        }
        let Some(adopted) = court.configurations.at(act.configuration) else {
            return Err("no configuration had been adopted".to_owned());
        };
        self.named(court, &plan)?;
        let entries = Run { leased: self.leased.entry, journaled: *entry, committed: commit.entry };
        self.brings(&court.origins, work, &plan, (entries, &adopted.config))?;
        self.left(work, &plan, run, commit.state)?;
        let begun: Decision = work.json(&run.decision).map_err(damaged)?;
        court.origins.authored(&plan, &begun, &act.actor, entries)?;
        court.allowed(&plan, &begun, (*entry, act), self.leased.at)?;
        let governing: Decision = work.json(commit.decision).map_err(damaged)?;
        let knew = court.origins.authored(&plan, &governing, &commit.act.actor, entries);
        let asked_again =
            knew.and_then(|()| court.allowed(&plan, &governing, (commit.entry, commit.act), act.at));
        asked_again.map_err(|why| format!("right before it, {why}"))?;
        if is_of_another_api(&begun) || is_of_another_api(&governing) {
            court.not_replayed += 1;
        }
        Ok([begun, governing])
    }

    /// Whether a plan knows what the app was called when it was made: in the versions that had been cut,
    /// and in its target. Gates are chosen by that.
    fn named(&self, court: &mut Court<'_, '_, 'a>, plan: &Plan) -> Judgement<()> {
        let work = court.replays.work();
        let mut names: BTreeSet<String> =
            name_in(work, self.state, &plan.app).map_err(damaged)?.into_iter().collect();
        for bundle in court.origins.bundles_of(&plan.app, self.leased.entry) {
            let name = match court.names.get(bundle) {
                Some(name) => name.clone(),
                None => {
                    let name = crate::version::bundle(work, bundle).map_err(damaged)?.name;
                    court.names.entry(*bundle).or_insert(name).clone()
                }
            };
            names.insert(name);
        }
        names.remove(&plan.app_name);
        match names.difference(&plan.other_names).next() {
            Some(name) => {
                let plan = plan.digest.short();
                Err(format!("plan {plan} does not know that the app is called `{name}` too"))
            }
            None => Ok(()),
        }
    }

    /// Whether a commit left what its plan leaves, and nothing else.
    fn left(&self, work: &Work<'_>, plan: &Plan, run: &Proposal, state: &EnvironmentState) -> Judgement<()> {
        let mut changed = touched(work, self.state.content, state.content).map_err(damaged)?;
        let mut planned = plan.touched();
        changed.sort();
        planned.sort();
        if changed != planned {
            return Err(format!("it changed other objects, or otherwise, than plan {}", plan.digest.short()));
        }
        if (run.before, run.after) != (self.state.content, state.content) || self.state.held.is_none() {
            return Err("the run was begun for other content, or without the lease".to_owned());
        }
        let mut scratch = work.anew();
        let former = match plan.transition {
            TransitionKind::Rollback => {
                let taken_back = plan.takes_back.and_then(|number| self.journaled.get(&number));
                let before = taken_back.and_then(|taken_back| self.leases.get(&taken_back.run.fence));
                let before = before.ok_or("it takes back a promotion that was never begun")?;
                before.standing_of(&scratch, &plan.app).map_err(damaged)?.unwrap_or_default()
            }
            TransitionKind::Promotion | TransitionKind::Release => Standing::default(),
        };
        let expected = state_after(&mut scratch, plan, run.fence, self.state, former).map_err(damaged)?;
        let what = if expected.standing != state.standing {
            "which version stands or is released"
        } else if expected.rendered != state.rendered {
            "what is rendered"
        } else if expected != *state {
            "what the environment knows of its objects"
        } else {
            return Ok(());
        };
        Err(format!("{what} is not as plan {} leaves it", plan.digest.short()))
    }

    /// Whether an import brought only what one may: outside of the first environment nothing that a
    /// version brought, and nowhere a version.
    fn imported(
        &self,
        court: &Court<'_, '_, 'a>,
        revision: u64,
        state: &EnvironmentState,
        summary: &ImportSummary,
        is_first: bool,
    ) -> Judgement<()> {
        let work = court.replays.work();
        let changed = touched(work, self.state.content, state.content).map_err(damaged)?;
        let mut scratch = work.anew();
        let rendered = without(&mut scratch, self.state.rendered, &changed);
        if state.rendered != rendered.map_err(damaged)? || state.held != self.state.held {
            return Err("changed what is rendered, or the lease".to_owned());
        }
        let stands = |digest: Option<Digest>| digest.map(|it| work.json::<Standing>(&it)).transpose();
        let standings =
            Tree::at(self.state.standing).diff(&Tree::at(state.standing), work).map_err(damaged)?;
        for Entry { key: app, before, after } in standings {
            let (before, after) = (stands(before).map_err(damaged)?, stands(after).map_err(damaged)?);
            let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
            if after.holds != Holding::Imported
                || (&before.promoted, &before.released) != (&after.promoted, &after.released)
            {
                return Err(format!("changed which version of `{app}` stands or is released"));
            }
        }
        if is_first {
            // A judgement puts one text in its place; only files bring more.
            let roots = |state: &EnvironmentState| (state.standing, state.identity, state.residue);
            if summary.files.is_empty() && (changed.len() > 1 || roots(state) != roots(self.state)) {
                return Err("names no file, and changed more than a judgement does".to_owned());
            }
            return Ok(());
        }
        let carried = Carried::by(work, self.state).map_err(damaged)?;
        for Touched { unit, object, .. } in &changed {
            if carried.has(work, unit, object).map_err(damaged)? {
                return Err(format!("changed `{object}`, which a version brought"));
            }
        }
        let mut expected = self.state.clone();
        let objects: Vec<&LogicalId> = changed.iter().map(|entry| &entry.object).collect();
        expected.revise(&mut scratch, revision, objects.into_iter().map(Revised::Object)).map_err(damaged)?;
        if expected.revised != state.revised {
            return Err("changed when objects were changed that it did not touch".to_owned());
        }
        Ok(())
    }
}

/// Whether the gates that a decision asked are those that the configuration put before its plan.
fn gates_stood(
    replays: &Replays<'_, '_>,
    plan: &Plan,
    decision: &Decision,
    adopted: &Adopted,
) -> Judgement<()> {
    let input = &decision.input;
    let planned = input.gates.iter().map(|gate| (&gate.name, gate.pack, gate.level));
    if !planned.eq(plan.gates.iter().map(|gate| (&gate.name, gate.pack, gate.level))) {
        return Err("other gates were asked than those of the plan".to_owned());
    }
    let compiled = |(name, pack): (&String, &Digest)| Some((name.clone(), replays.policy(pack)?));
    let policies: Policies = adopted.policies.iter().filter_map(compiled).collect();
    let transition = plan.configured();
    let (gates, ungated) = match gates_for(&adopted.config, &policies, &transition, &plan.app, &plan.names())
    {
        Ok(stood) => stood,
        // Of policies that this version cannot read, what was recorded is all there is.
        Err(_) if input.api != sluice_policy::API => return Ok(()),
        Err(error) => return Err(damaged(error)),
    };
    if !gates.iter().map(PlannedGate::of).eq(plan.gates.iter().cloned()) {
        return Err(format!("other gates than those of plan {} were adopted then", plan.digest.short()));
    }
    if !gates.iter().map(Gate::spec).eq(&input.gates) || ungated != input.ungated {
        return Err("the gates were asked otherwise than they were adopted".to_owned());
    }
    Ok(())
}
