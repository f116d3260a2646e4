//! Where what a run brings comes from: which versions were cut, and by whom, and what stood where.

use std::collections::{BTreeMap, BTreeSet};

use sluice_model::{Digest, EnvironmentName, LogicalId};
use sluice_policy::Decision;
use sluice_policy::facts::Action;

use super::{Environment, Journaled, Judgement, damaged};
use crate::act::{Act, VersionCut, What};
use crate::config::Config;
use crate::plan::{Choice, Plan, TransitionKind, brought};
use crate::state::{EnvironmentState, Holding, Touched, Work};
use crate::version::{NO_VERSION, bundle};

/// The versions that were cut and what environments held, each since its entry.
#[derive(Default)]
pub(super) struct Origins<'a> {
    cuts: BTreeMap<&'a LogicalId, Vec<Cut<'a>>>,
    states: BTreeMap<&'a str, Vec<(u64, &'a EnvironmentState)>>,
}

struct Cut<'a> {
    entry: u64,
    by: &'a str,
    version: &'a str,
    bundle: &'a Digest,
}

/// Entries between which a plan was made: that of its lease, that of its run's journal and that of its
/// commit.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) leased: u64,
    pub(super) journaled: u64,
    pub(super) committed: u64,
}

impl<'a> Origins<'a> {
    pub(super) fn hear(&mut self, entry: u64, act: &'a Act) {
        match &act.what {
            What::VersionCut(VersionCut { app, version, bundle, .. }) => {
                let cut = Cut { entry, by: &act.actor, version, bundle };
                self.cuts.entry(app).or_default().push(cut);
            }
            What::Imported { state, .. }
            | What::LeaseTaken { state }
            | What::LeaseReturned { state }
            | What::Committed { state, .. } => {
                let place = act.stream.strip_prefix("env/").unwrap_or_default();
                self.states.entry(place).or_default().push((entry, state));
            }
            _ => {}
        }
    }

    /// The bundles of an app's versions that were cut before an entry.
    pub(super) fn bundles_of(&self, app: &LogicalId, before: u64) -> impl Iterator<Item = &'a Digest> {
        let cuts = self.cuts.get(app).into_iter().flatten();
        cuts.take_while(move |cut| cut.entry < before).map(|cut| cut.bundle)
    }

    /// Whether the gates knew who made what they were asked about: who carries it out, and who cut the
    /// version.
    pub(super) fn authored(&self, plan: &Plan, decision: &Decision, actor: &str, run: Run) -> Judgement<()> {
        let known = &decision.input.facts.plan.authors;
        let cuts = self.cuts.get(&plan.app).into_iter().flatten();
        let cut = cuts.filter(|cut| cut.entry < run.leased && *cut.bundle == plan.bundle);
        match cut.map(|cut| cut.by).chain([actor]).find(|by| !known.iter().any(|known| known == by)) {
            Some(by) => Err(format!("the gates did not know that it is the work of `{by}`")),
            None => Ok(()),
        }
    }

    /// Whether the version was there to be brought: in the first environment where it was cut, elsewhere
    /// where it stood, while the plan was made.
    fn stood(
        &self,
        work: &Work<'_>,
        plan: &Plan,
        run: Run,
        first: Option<&EnvironmentName>,
    ) -> Judgement<()> {
        if first == Some(&plan.from) {
            let mut cuts = self.cuts.get(&plan.app).into_iter().flatten();
            let is_it = |cut: &Cut<'_>| {
                cut.entry < run.journaled
                    && (cut.version, cut.bundle) == (plan.version.as_str(), &plan.bundle)
            };
            if cuts.any(is_it) {
                return Ok(());
            }
            return Err(format!("version {} was not cut before it", plan.version));
        }
        let states = self.states.get(plan.from.as_str()).into_iter().flatten();
        for (entry, state) in states.rev().filter(|(entry, _)| *entry < run.committed) {
            let standing = state.standing_of(work, &plan.app).map_err(damaged)?.unwrap_or_default();
            if standing.promoted.iter().any(|it| (&it.version, it.bundle) == (&plan.version, plan.bundle)) {
                return Ok(());
            }
            if *entry < run.leased {
                break;
            }
        }
        Err(format!("version {} did not stand in `{}`", plan.version, plan.from))
    }
}

impl Environment<'_> {
    /// Whether a plan brings what it says: nothing that stood in its way, and of a version that was there
    /// all that it has and nothing else; where it takes a promotion back, nothing but what that brought.
    pub(super) fn brings(
        &self,
        origins: &Origins<'_>,
        work: &Work<'_>,
        plan: &Plan,
        (run, config): (Run, &Config),
    ) -> Judgement<()> {
        if let Some(problem) = plan.problems.first() {
            return Err(format!("plan {} had a problem: {}", plan.digest.short(), problem.message));
        }
        let from = match plan.transition {
            TransitionKind::Promotion => config.environment_before(&plan.to).map(|before| &before.name),
            TransitionKind::Release | TransitionKind::Rollback => Some(&plan.to),
        };
        if from != Some(&plan.from) {
            return Err(format!("nothing comes to `{}` from `{}`", plan.to, plan.from));
        }
        if plan.transition == TransitionKind::Rollback {
            return self.takes_back(work, plan);
        }
        origins.stood(work, plan, run, config.first_environment().map(|first| &first.name))?;
        let version = bundle(work, &plan.bundle).map_err(damaged)?;
        let mut expected = match plan.transition {
            TransitionKind::Promotion => brought(work, version.content, self.state).map_err(damaged)?,
            _ => Vec::new(),
        };
        expected.retain(|entry| plan.choices.get(&entry.object) != Some(&Choice::Skip));
        if version.app != plan.app || version.name != plan.app_name || !same(expected, plan.touched()) {
            return Err(format!("plan {} is not of what version {} has", plan.digest.short(), plan.version));
        }
        Ok(())
    }

    fn takes_back(&self, work: &Work<'_>, plan: &Plan) -> Judgement<()> {
        let number = plan.takes_back.unwrap_or_default();
        let is_promotion = |it: &&Journaled<'_>| {
            it.run.app == plan.app
                && it.run.transition == TransitionKind::Promotion.as_str()
                && self.committed.contains(&number)
        };
        let Some(Journaled { run, .. }) = self.journaled.get(&number).filter(is_promotion) else {
            return Err(format!("promotion {number}, which it takes back, brought nothing of its app"));
        };
        let before = self.leases.get(&run.fence).map(|before| before.standing_of(work, &plan.app));
        let back_to = match before.transpose().map_err(damaged)?.flatten().unwrap_or_default().holds {
            Holding::Version(promoted) => (promoted.version, promoted.bundle),
            Holding::Imported => (NO_VERSION.to_owned(), run.bundle),
        };
        let stays: BTreeSet<&LogicalId> =
            plan.objects.iter().filter(|it| it.action == Action::Match).map(|it| &it.object).collect();
        let brought: Vec<Touched> = work.json(&run.touched).map_err(damaged)?;
        let inverse = |entry: Touched| Touched { before: entry.after, after: entry.before, ..entry };
        let back = brought.into_iter().map(inverse).filter(|entry| !stays.contains(&entry.object)).collect();
        if back_to != (plan.version.clone(), plan.bundle) || !same(back, plan.touched()) {
            return Err(format!("plan {} does not take promotion {number} back", plan.digest.short()));
        }
        Ok(())
    }
}

fn same(mut one: Vec<Touched>, mut other: Vec<Touched>) -> bool {
    one.sort();
    other.sort();
    one == other
}
