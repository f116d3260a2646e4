//! Carrying a plan out: lease, journal, gates again, one commit point, read back.
//!
//! A run goes through these steps, each of which is one appended revision, so that a crash leaves
//! it before or after the step and never within:
//!
//! 1. the lease on the target (`env/<e>`), whose revision number fences everything after it;
//! 2. the journal entry (`env/<e>/promotions`), whose revision is the promotion's number;
//! 3. the commit (`env/<e>`): the target's next state, and with it the lease's end;
//! 4. the end (`env/<e>/ends`), after what was written has been read back.
//!
//! After a crash [`Workspace::resume`] finishes a run that came to its commit, and undoes one that
//! did not.

use std::time::Duration;

use serde::Serialize;
use sluice_model::verdict::Verdict;
use sluice_model::{Digest, EnvironmentName, Object, ObjectKind};
use sluice_policy::{Decision, GateDecision};
use sluice_store::failpoint;

use crate::act::{Ended, Proposal, What};
use crate::break_glass::allowing_emergency;
use crate::error::{Error, Result};
use crate::permission::Wish;
use crate::plan::{Plan, PlanRequest, TransitionKind, Wanted};
use crate::records::Actor;
use crate::render::Rendered;
use crate::state::{EnvironmentState, Holding, Promoted, Revised, Standing, Touched, Work};
use crate::workspace::{Workspace, environment_stream, state_in};

/// How often gates are asked again where one ran out of time: a machine that is busy for a moment is
/// not busy three times, and a policy that is too slow is so each time.
const ASKED_AGAIN: usize = 3;

/// The list of an environment's promotions.
#[must_use]
pub fn promotions_stream(environment: &EnvironmentName) -> String {
    format!("env/{environment}/promotions")
}

/// The list of how they ended.
#[must_use]
pub fn ends_stream(environment: &EnvironmentName) -> String {
    format!("env/{environment}/ends")
}

/// The list of runs that gates refused.
#[must_use]
pub fn refusals_stream(environment: &EnvironmentName) -> String {
    format!("env/{environment}/refusals")
}

/// What to carry out.
pub struct PromoteRequest {
    /// The transition and its choices; planned anew.
    pub plan: PlanRequest,
    /// The digest that people approved; another plan is refused.
    pub digest: Option<String>,
    /// For how long to wait for a lease that somebody else holds.
    pub wait: Duration,
}

/// What was carried out.
#[derive(Debug, Serialize)]
pub struct PromoteReport {
    /// The promotion's number in its environment.
    pub number: u64,
    /// The plan.
    pub plan: Plan,
    /// The decision of the gates.
    pub decision: Decision,
    /// The ledger's newest checkpoint, for keeping elsewhere; none where it does not cover this run yet.
    pub checkpoint: Option<String>,
    /// The review that is open of it, where an emergency act let it through.
    pub review: Option<u64>,
}

/// What a resumption did about a run that had not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resumed {
    /// The environment.
    pub environment: EnvironmentName,
    /// The promotion, if it had come to be journaled.
    pub promotion: Option<u64>,
    /// Whether it was finished; otherwise it was undone.
    pub finished: bool,
}

impl Workspace {
    /// Carries a transition out.
    ///
    /// # Errors
    /// When the plan has problems, the gates refuse, the plan is not the one that was named, or
    /// somebody else writes to the target. The target is as it was then.
    pub fn promote(&self, actor: &Actor, request: &PromoteRequest) -> Result<PromoteReport> {
        self.check_adopted()?;
        let target = target(&request.plan.transition).clone();
        self.permit(actor, Wish::Promote(&target))?;
        // Kept to the end of this run.
        let turn = self.turn(&target, request.wait)?;
        self.recover(actor, &target)?;
        let plan = self.expected_plan(request)?;
        let (fence, leased) = self.lease(actor, &target, &purpose(&plan), &turn)?;
        tracing::debug!(name: "promote.leased", environment = %target, fence, "has the lease");
        failpoint("promote.leased");
        match self.run(actor, request, plan, fence, &leased) {
            Ok(report) => Ok(report),
            Err(error) => {
                if let Err(also) = self.give_back(actor, &target, fence) {
                    left_to_the_next(&target, &also);
                }
                Err(error)
            }
        }
    }

    fn expected_plan(&self, request: &PromoteRequest) -> Result<Plan> {
        let plan = self.plan(&request.plan)?;
        if let Some(named) = &request.digest
            && !is_named(&plan.digest, named)
        {
            return Err(Error::PlanChanged {
                named: named.clone(),
                now: plan.digest,
                what: "the bundle, a choice, a rendered source, a gate or what the target holds".into(),
            });
        }
        if plan.problems.is_empty() { Ok(plan) } else { Err(Error::PlanRefused(Box::new(plan))) }
    }

    /// Everything under the lease. The plan is made again, so that it is of what is there now.
    fn run(
        &self,
        actor: &Actor,
        request: &PromoteRequest,
        before: Plan,
        fence: u64,
        leased: &EnvironmentState,
    ) -> Result<PromoteReport> {
        // Whoever held the lease before can no longer write, so its run came to its end.
        self.conclude_all(actor, &before.to)?;
        let plan = self.expected_plan(request)?;
        if plan.digest != before.digest {
            return Err(Error::PlanChanged {
                named: before.digest.short(),
                now: plan.digest,
                what: "what the target holds".into(),
            });
        }
        tracing::debug!(name: "promote.planned", plan = %plan.digest, "the plan is still the same");
        let decision = self.allowed(actor, &plan)?;
        tracing::debug!(name: "promote.allowed", "the gates allow it");
        let mut work = self.work();
        let after = self.state_left(&mut work, &plan, fence, leased)?;
        let run = self.journal(actor, &plan, &decision, &after, fence)?;
        let number = run.number;
        tracing::debug!(name: "promote.journaled", number, "is in the journal");
        failpoint("promote.journaled");
        let undone = |error| self.undo(actor, &plan.to, number, error);
        let (decision, review) = self.look_again(actor, &plan, number, &decision).map_err(undone)?;
        let kept = work.put_json(&decision).map_err(undone)?;
        let what = What::Committed { state: Box::new(after.clone()), promotion: number, decision: kept };
        let stream = environment_stream(&plan.to);
        failpoint("promote.before-commit");
        if let Err(error) = self.records().append(actor, &stream, fence, what, &work.into_fresh()) {
            // Whoever does not hear that it was done may not say that it was not.
            match self.committed(&plan.to, &run) {
                Ok(true) => {
                    tracing::warn!(%error, number, "is committed, though the store answered otherwise")
                }
                Ok(false) => return Err(undone(error)),
                Err(_) => return Err(error),
            }
        }
        tracing::debug!(name: "promote.committed", number, "is committed");
        failpoint("promote.committed");
        self.read_back(&plan.to, &plan.touched(), &after)?;
        tracing::debug!(name: "promote.read-back", number, "is there as it was committed");
        failpoint("promote.read-back");
        // It is done, whether or not that can be written down now.
        match self.end(actor, &plan.to, number, Ended::Done) {
            Ok(()) => tracing::debug!(name: "promote.ended", number, "is done"),
            Err(error) => left_to_the_next(&plan.to, &error),
        }
        // One from before would prove nothing of this run.
        let checkpoint = self.records().sequence().and_then(|_| self.records().newest_note());
        let checkpoint = checkpoint.unwrap_or_else(|error| {
            tracing::warn!(
                name: "promote.no-checkpoint", number, %error,
                "it is done, and no checkpoint covers it yet: the next command makes one"
            );
            None
        });
        Ok(PromoteReport { number, plan, decision, checkpoint, review })
    }

    /// Asks again right before the commit point: an approval withdrawn, a window closed or a file
    /// changed since then stops it here, with nothing written. Answers the decision, and the review
    /// that is open of the run where an emergency act lets it through.
    fn look_again(
        &self,
        actor: &Actor,
        plan: &Plan,
        number: u64,
        decision: &Decision,
    ) -> Result<(Decision, Option<u64>)> {
        self.check_adopted()?;
        let again = self.allowed(actor, plan)?;
        tracing::debug!(name: "promote.allowed-again", "the gates still allow it");
        // Before the commit, so that none that an emergency act let through is without a review.
        let emergency = allowing_emergency(&again).or_else(|| allowing_emergency(decision));
        let review = emergency.map(|act| self.open_review(actor, plan, number, act)).transpose()?;
        Ok((again, review))
    }

    /// Records that a run did not come to its commit, and hands on why.
    fn undo(&self, actor: &Actor, environment: &EnvironmentName, number: u64, why: Error) -> Error {
        if let Err(error) = self.end(actor, environment, number, Ended::Undone { reason: why.to_string() }) {
            left_to_the_next(environment, &error);
        }
        why
    }

    /// The gates' decision, where it lets through; a refusal is kept. What a gate that ran out of time
    /// would have said is asked again, and nothing rests on a decision that has no answer to that.
    fn allowed(&self, actor: &Actor, plan: &Plan) -> Result<Decision> {
        let mut decided = self.decide_for(plan, actor)?;
        for _ in 0..ASKED_AGAIN {
            if decided.replayable {
                break;
            }
            decided = self.decide_for(plan, actor)?;
        }
        if decided.decision.is_allowed() {
            if decided.replayable {
                return Ok(decided.decision);
            }
            let broke = |gate: &&GateDecision| gate.verdict == Verdict::Fault;
            let gates = decided.decision.gates.iter().filter(broke).map(|gate| gate.gate.clone());
            return Err(Error::OutOfTime { gates: gates.collect() });
        }
        if decided.replayable {
            let mut work = self.work();
            let decision = work.put_json(&decided.decision)?;
            let content = work.put_json(plan)?;
            let stream = refusals_stream(&plan.to);
            let after = self.records().newest(&stream)?;
            let outcome = decided.decision.outcome.to_string();
            let what = What::PromotionRefused {
                transition: plan.transition.as_str().to_owned(),
                app: plan.app.clone(),
                version: plan.version.clone(),
                bundle: plan.bundle,
                size: plan.size(),
                plan: content,
                decision,
                outcome,
            };
            self.records().append(actor, &stream, after, what, &work.into_fresh())?;
        }
        Err(Error::Refused(Box::new(decided.decision)))
    }

    /// The target's state as the plan will leave it, in the revision after `fence`.
    fn state_left(
        &self,
        work: &mut Work<'_>,
        plan: &Plan,
        fence: u64,
        leased: &EnvironmentState,
    ) -> Result<EnvironmentState> {
        let former = match plan.transition {
            TransitionKind::Rollback => {
                let taken_back = self.journaled(&plan.to, plan.takes_back)?;
                self.standing_before(work, &plan.to, &taken_back)?
            }
            TransitionKind::Promotion | TransitionKind::Release => Standing::default(),
        };
        state_after(work, plan, fence, leased, former)
    }

    /// The run of an environment with this number.
    pub(crate) fn journaled(&self, environment: &EnvironmentName, number: Option<u64>) -> Result<Proposal> {
        let stream = promotions_stream(environment);
        let number = number.unwrap_or_default();
        match self.records().at(&stream, number)?.map(|recorded| recorded.act.what) {
            Some(What::PromotionProposed(proposal)) => Ok(proposal),
            _ => Err(Error::RecordDamaged { stream, revision: number, what: "it is no run".into() }),
        }
    }

    /// How an app stood before a run: its lease carries the environment as it was.
    pub(crate) fn standing_before(
        &self,
        work: &Work<'_>,
        environment: &EnvironmentName,
        run: &Proposal,
    ) -> Result<Standing> {
        let stream = environment_stream(environment);
        let Some(leased) = self.records().at(&stream, run.fence)? else {
            let what = format!("promotion {} has no lease", run.number);
            return Err(Error::RecordDamaged { stream, revision: run.fence, what });
        };
        Ok(state_in(leased.act)?.standing_of(work, &run.app)?.unwrap_or_default())
    }

    fn journal(
        &self,
        actor: &Actor,
        plan: &Plan,
        decision: &Decision,
        after: &EnvironmentState,
        fence: u64,
    ) -> Result<Proposal> {
        let stream = promotions_stream(&plan.to);
        let number = self.records().newest(&stream)? + 1;
        let mut kept = self.work();
        let proposal = Proposal {
            number,
            transition: plan.transition.as_str().to_owned(),
            app: plan.app.clone(),
            version: plan.version.clone(),
            bundle: plan.bundle,
            size: plan.size(),
            from: plan.from.clone(),
            plan: kept.put_json(plan)?,
            plan_digest: plan.digest,
            decision: kept.put_json(decision)?,
            touched: kept.put_json(&plan.touched())?,
            before: plan.content.0,
            after: after.content,
            fence,
            takes_back: plan.takes_back,
        };
        let what = What::PromotionProposed(proposal.clone());
        self.records().append(actor, &stream, number - 1, what, &kept.into_fresh())?;
        Ok(proposal)
    }

    fn end(&self, actor: &Actor, environment: &EnvironmentName, promotion: u64, ended: Ended) -> Result<()> {
        let stream = ends_stream(environment);
        loop {
            // Whoever resumed it meanwhile has said so already.
            if self.end_of(environment, promotion)?.is_some() {
                return Ok(());
            }
            let after = self.records().newest(&stream)?;
            let what = What::PromotionEnded { promotion, ended: ended.clone() };
            match self.records().append(actor, &stream, after, what, &std::collections::BTreeMap::new()) {
                Ok(_) => return Ok(()),
                Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// How a journaled run ended, if that is recorded. Ends are in no order, and none comes before
    /// the run was journaled.
    fn end_of(&self, environment: &EnvironmentName, promotion: u64) -> Result<Option<Ended>> {
        let Some(journaled) = self.records().at(&promotions_stream(environment), promotion)? else {
            return Ok(None);
        };
        let stream = ends_stream(environment);
        let mut next = self.records().head(&stream)?;
        while let Some(recorded) = next.filter(|recorded| recorded.act.at >= journaled.act.at) {
            let before = recorded.revision - 1;
            match recorded.act.what {
                What::PromotionEnded { promotion: number, ended } if number == promotion => {
                    return Ok(Some(ended));
                }
                _ => next = if before == 0 { None } else { self.records().at(&stream, before)? },
            }
        }
        Ok(None)
    }

    /// Reads the target and every object that was to be changed, by its digest.
    fn read_back(
        &self,
        environment: &EnvironmentName,
        touched: &[Touched],
        expected: &EnvironmentState,
    ) -> Result<()> {
        let mut work = self.work();
        let (revision, state) = self.environment(&mut work, environment)?;
        let wrong =
            |what: String| Error::RecordDamaged { stream: environment_stream(environment), revision, what };
        if state.content != expected.content {
            return Err(wrong("it does not hold what was committed".into()));
        }
        for entry in touched {
            if state.object_digest(&work, &entry.unit, &entry.object)? != entry.after {
                return Err(wrong(format!("`{}` is not what was committed", entry.object)));
            }
            if let Some(digest) = entry.after {
                let _: Object = work.object(&digest)?;
            }
        }
        Ok(())
    }

    /// Finishes or undoes runs that did not come to their end, in all environments.
    ///
    /// # Errors
    /// When the actor may not write to an environment that has one.
    pub fn resume(&self, actor: &Actor) -> Result<Vec<Resumed>> {
        let mut done = Vec::new();
        let names: Vec<EnvironmentName> =
            self.config()?.environments.iter().map(|e| e.name.clone()).collect();
        for name in &names {
            if self.is_held(name)? || !self.unfinished(name)?.is_empty() {
                self.permit(actor, Wish::Promote(name))?;
                done.extend(self.settle(actor, name)?);
            }
        }
        Ok(done)
    }

    /// Before a run: records the ends of those that came to their commit point and whose processes are
    /// gone. Those that did not are undone once this run has the lease.
    fn recover(&self, actor: &Actor, environment: &EnvironmentName) -> Result<()> {
        for run in self.unfinished(environment)? {
            if self.committed(environment, &run)? {
                self.conclude(actor, environment, &run)?;
            }
        }
        Ok(())
    }

    /// The journaled runs of an environment that have no recorded end, oldest first. It need not be
    /// the newest: who lost the lease may journal its run after the one that has it now.
    fn unfinished(&self, environment: &EnvironmentName) -> Result<Vec<Proposal>> {
        // Each run has one end. In this order: what ends meanwhile is looked at once more.
        let ended = self.records().newest(&ends_stream(environment))?;
        let mut number = self.records().newest(&promotions_stream(environment))?;
        let mut missing = number.saturating_sub(ended);
        let mut found = Vec::new();
        while missing > 0 && number > 0 {
            if self.end_of(environment, number)?.is_none() {
                found.push(self.journaled(environment, Some(number))?);
                missing -= 1;
            }
            number -= 1;
        }
        found.reverse();
        Ok(found)
    }

    /// Whether a journaled run came to its commit point: the revision after its fence says so.
    pub(crate) fn committed(&self, environment: &EnvironmentName, run: &Proposal) -> Result<bool> {
        Ok(self.governing(environment, run)?.is_some())
    }

    /// The content of the decision that let a journaled run through at its commit point, if it came there.
    pub(crate) fn governing(&self, environment: &EnvironmentName, run: &Proposal) -> Result<Option<Digest>> {
        let next = self.records().at(&environment_stream(environment), run.fence + 1)?;
        Ok(next.and_then(|recorded| match recorded.act.what {
            What::Committed { promotion, decision, .. } if promotion == run.number => Some(decision),
            _ => None,
        }))
    }

    /// Finishes or undoes what stands half done in one environment.
    fn settle(&self, actor: &Actor, environment: &EnvironmentName) -> Result<Vec<Resumed>> {
        // First the fence: a run that is judged not to have committed must not do so afterwards.
        let was_held = self.is_held(environment)?;
        if was_held {
            self.fence_off(actor, environment)?;
        }
        let resumed = |promotion, finished| Resumed { environment: environment.clone(), promotion, finished };
        let concluded = self.conclude_all(actor, environment)?;
        let mut settled: Vec<Resumed> =
            concluded.into_iter().map(|(number, finished)| resumed(Some(number), finished)).collect();
        if settled.is_empty() && was_held {
            settled.push(resumed(None, false));
        }
        Ok(settled)
    }

    /// Records how runs ended of which that is not recorded. Whoever calls this has seen to it that
    /// nothing of them can be written any more. Answers their numbers and whether each was done.
    fn conclude_all(&self, actor: &Actor, environment: &EnvironmentName) -> Result<Vec<(u64, bool)>> {
        let runs = self.unfinished(environment)?;
        runs.iter().map(|run| Ok((run.number, self.conclude(actor, environment, run)?))).collect()
    }

    /// Records how a run ended: done if it came to its commit point, undone otherwise. Answers which.
    fn conclude(&self, actor: &Actor, environment: &EnvironmentName, run: &Proposal) -> Result<bool> {
        let commit = self.records().at(&environment_stream(environment), run.fence + 1)?;
        let finished = self.committed(environment, run)?;
        let ended = match commit {
            Some(commit) if finished => {
                let touched: Vec<Touched> = self.work().json(&run.touched)?;
                let (revision, _) = self.environment(&mut self.work(), environment)?;
                // Only where nothing came after it can what it wrote be read back as it was.
                if revision == commit.revision {
                    self.read_back(environment, &touched, &state_in(commit.act)?)?;
                }
                Ended::Done
            }
            _ => Ended::Undone { reason: "the process that ran it ended before the commit point".to_owned() },
        };
        self.end(actor, environment, run.number, ended)?;
        Ok(finished)
    }

    /// The promotion of an app that a rollback takes back: the newest that was done and not taken
    /// back. Whoever names it by its number is told if it is another: to take one back from under a
    /// later one would leave content that no version ever had.
    ///
    /// # Errors
    /// When there is none, or another one was named.
    pub fn promotion_to_take_back(
        &self,
        app: &Object,
        environment: &EnvironmentName,
        number: Option<u64>,
    ) -> Result<Proposal> {
        let mut standing = self.promotions(environment)?;
        let taken_back: Vec<u64> = standing
            .iter()
            .filter_map(|(proposal, ended)| proposal.takes_back.filter(|_| *ended == Some(Ended::Done)))
            .collect();
        standing.retain(|(proposal, ended)| {
            proposal.app == app.id
                && proposal.transition == TransitionKind::Promotion.as_str()
                && *ended == Some(Ended::Done)
                && !taken_back.contains(&proposal.number)
        });
        let newest = standing.pop().map(|(proposal, _)| proposal);
        let is_under = |number| standing.iter().any(|(proposal, _)| proposal.number == number);
        match (number, newest) {
            (None, Some(newest)) => Ok(newest),
            (Some(number), Some(newest)) if number == newest.number => Ok(newest),
            (Some(number), Some(newest)) if is_under(number) => Err(Error::Overtaken {
                number,
                later: newest.number,
                app: app.name.clone(),
                version: newest.version,
                environment: environment.clone(),
            }),
            _ => {
                let which = number.map_or_else(|| "no promotion".to_owned(), |n| format!("no promotion {n}"));
                Err(Error::invalid(
                    format!("`{}` has {which} in `{environment}` that could be taken back", app.name),
                    format!(
                        "see what was promoted there with `sluice history {environment}`: a promotion that was \
                         finished can be taken back, once"
                    ),
                ))
            }
        }
    }

    /// All journaled runs of an environment with how they ended, oldest first.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn promotions(&self, environment: &EnvironmentName) -> Result<Vec<(Proposal, Option<Ended>)>> {
        let mut ends = std::collections::BTreeMap::new();
        for recorded in self.records().all(&ends_stream(environment))? {
            if let What::PromotionEnded { promotion, ended } = recorded.act.what {
                ends.insert(promotion, ended);
            }
        }
        let mut found = Vec::new();
        for recorded in self.records().all(&promotions_stream(environment))? {
            if let What::PromotionProposed(proposal) = recorded.act.what {
                let ended = ends.get(&proposal.number).cloned();
                found.push((proposal, ended));
            }
        }
        Ok(found)
    }
}

/// An environment's state as a plan leaves it, in the revision after `fence`. `former` is how the app
/// stood before the promotion that a rollback takes back.
///
/// # Errors
/// When content cannot be read or kept.
pub fn state_after(
    work: &mut Work<'_>,
    plan: &Plan,
    fence: u64,
    leased: &EnvironmentState,
    former: Standing,
) -> Result<EnvironmentState> {
    let mut after = leased.clone();
    after.held = None;
    let mut standing = after.standing_of(work, &plan.app)?.unwrap_or_default();
    let promoted = Promoted { version: plan.version.clone(), bundle: plan.bundle };
    let touched = plan.touched();
    let mut revised: Vec<Revised<'_>> = touched.iter().map(|t| Revised::Object(&t.object)).collect();
    match plan.transition {
        TransitionKind::Promotion => {
            standing.promoted.retain(|known| *known != promoted);
            standing.promoted.push(promoted.clone());
            standing.holds = Holding::Version(promoted);
            revised.push(Revised::Holding(&plan.app));
        }
        TransitionKind::Rollback => {
            standing = former.back_from(&standing);
            revised.extend([Revised::Holding(&plan.app), Revised::Release(&plan.app)]);
        }
        TransitionKind::Release => {
            standing.released = Some(promoted);
            revised.push(Revised::Release(&plan.app));
        }
    }
    after.content = crate::plan::apply(work, leased, &touched)?;
    after.revise(work, fence.saturating_add(1), revised)?;
    for gone in plan.objects.iter().filter(|o| o.kind == ObjectKind::DataSource && o.after.is_none()) {
        after.rendered = work.set::<Rendered>(after.rendered, gone.object.as_str(), None)?;
    }
    for source in &plan.sources {
        after.rendered = work.set(after.rendered, source.source.as_str(), Some(source))?;
    }
    let app_is_there = after.object_digest(work, plan.app.as_str(), &plan.app)?.is_some();
    after.set_standing(work, &plan.app, app_is_there.then_some(&standing))?;
    Ok(after)
}

/// Tells that a run could not be put in order by who ran it.
fn left_to_the_next(environment: &EnvironmentName, error: &Error) {
    tracing::warn!(
        name: "promote.left", %environment, %error,
        "the run could not be ended: the next one does, or `sluice resume`"
    );
}

/// Where a transition writes.
#[must_use]
pub const fn target(wanted: &Wanted) -> &EnvironmentName {
    match wanted {
        Wanted::Promotion { to, .. } => to,
        Wanted::Release { environment, .. } | Wanted::Rollback { environment, .. } => environment,
    }
}

fn purpose(plan: &Plan) -> String {
    format!("{} of `{}` {}", plan.transition.as_str(), plan.app_name, plan.version)
}

/// Whether a person meant this digest: whole, or its first digits, at least eight of them.
#[must_use]
pub fn is_named(digest: &Digest, named: &str) -> bool {
    let digits = named.strip_prefix("sha256:").unwrap_or(named);
    digits.len() >= 8 && digest.hex().starts_with(digits)
}
