//! What people said, and whether the gates before a run were told of nothing else.

use std::collections::BTreeMap;

use sluice_model::{Digest, EnvironmentName};
use sluice_policy::{Decision, Relief};

use super::super::right::Configurations;
use super::Judgement;
use crate::act::{Act, What};
use crate::break_glass::{self, emergencies_in, emergency_reliefs_in};
use crate::config::{self, Config};
use crate::consent::{
    KnownWaiver, WAIVERS, approvals_in, approvals_stream, overrides_in, overrides_stream, waivers_in,
};
use crate::gates::{environment_facts, people_facts, workspace_fact};
use crate::permission::Wish;
use crate::plan::Plan;

/// Consent so far by stream and evidence by envelope, each with its entry.
#[derive(Default)]
pub(super) struct Said<'a> {
    streams: BTreeMap<&'a str, Vec<(u64, &'a Act)>>,
    evidence: BTreeMap<&'a Digest, Vec<Evidence<'a>>>,
}

/// What evidence is of, by its envelope.
struct Evidence<'a> {
    entry: u64,
    bundle: &'a Option<Digest>,
    environment: &'a EnvironmentName,
}

/// Which of it counts: what was entered before a run was journaled, with a key that the configuration
/// by which that was judged has.
pub(super) struct Counting<'a> {
    pub(super) entry: u64,
    pub(super) configurations: &'a Configurations,
    pub(super) config: &'a Config,
}

impl<'a> Said<'a> {
    pub(super) fn hear(&mut self, entry: u64, act: &'a Act) {
        let is_said = matches!(
            act.what,
            What::Approved { .. }
                | What::Overridden { .. }
                | What::Waived(_)
                | What::WaiverCosigned { .. }
                | What::BrokeGlass(_)
                | What::BreakGlassCosigned { .. }
        );
        if let What::EvidenceAdded { envelope, bundle, environment, .. } = &act.what {
            self.evidence.entry(envelope).or_default().push(Evidence { entry, bundle, environment });
        }
        if is_said {
            self.streams.entry(&act.stream).or_default().push((entry, act));
        }
    }

    fn of(&self, stream: &str, counting: &Counting<'_>) -> Vec<&'a Act> {
        let said = self.streams.get(stream).into_iter().flatten();
        let counts = |act: &&Act| counting.configurations.knows_signer(act, counting.config);
        said.filter(|(entry, _)| *entry < counting.entry).map(|(_, act)| *act).filter(counts).collect()
    }

    /// Whether what a decision was made on stands in the ledger before the run: people and environments
    /// as the configuration has them, approvals, evidence, and what lifts a refusal.
    pub(super) fn check(&self, plan: &Plan, decision: &Decision, counting: &Counting<'_>) -> Judgement<()> {
        let facts = &decision.input.facts;
        let config = counting.config;
        if facts.people != people_facts(config)
            || facts.workspace != workspace_fact(config)
            || facts.environments != environment_facts(config)
        {
            return Err(
                "the gates were told of other people or environments than the configuration has".into()
            );
        }
        let known = approvals_in(config, self.of(&approvals_stream(&plan.digest), counting).into_iter());
        if let Some(made_up) = facts.approvals.iter().flatten().find(|used| !known.contains(used)) {
            return Err(format!(
                "the approval by `{}` does not stand in the ledger before it",
                made_up.person
            ));
        }
        let waivers = waivers_in(self.of(WAIVERS, counting).into_iter()).map_err(|e| e.to_string())?;
        for used in facts.waivers.iter().flatten() {
            let is_it = |known: &KnownWaiver| {
                let mut known = known.clone().fact();
                // The second signature may have come after the gates were asked.
                known.cosigned = known.cosigned.filter(|_| used.cosigned.is_some());
                known == *used
            };
            if !waivers.iter().any(is_it) {
                return Err(format!("the waiver of `{}` does not stand in the ledger before it", used.code));
            }
        }
        let mut reliefs: Vec<Relief> = waivers.into_iter().map(KnownWaiver::relief).collect();
        let mut overriding = self.of(&overrides_stream(&plan.digest), counting);
        overriding.retain(|act| may_promote(act, &plan.to, counting.configurations));
        reliefs.extend(overrides_in(overriding.into_iter()));
        let emergencies = self.of(&break_glass::stream(&plan.digest), counting);
        reliefs.extend(emergency_reliefs_in(config, emergencies_in(&plan.digest, emergencies.into_iter())));
        if let Some(made_up) =
            decision.input.reliefs.iter().find(|used| !reliefs.iter().any(|it| is(it, used)))
        {
            let what = match made_up {
                Relief::Waiver(waiver) => format!("the waiver of `{}` by `{}`", waiver.code, waiver.by),
                Relief::Override(over) => format!("the override of `{}` by `{}`", over.gate, over.by),
                Relief::BreakGlass(act) => format!("the emergency act by `{}`", act.by),
            };
            return Err(format!("{what} does not stand in the ledger before it"));
        }
        for used in facts.evidence.iter().flatten() {
            let mut brought = self.evidence.get(&used.id).into_iter().flatten();
            let is_it = |it: &Evidence<'_>| {
                it.entry < counting.entry && (it.bundle, it.environment) == (&used.bundle, &used.environment)
            };
            if !brought.any(is_it) {
                return Err(format!(
                    "the evidence {} does not stand in the ledger before it",
                    used.id.short()
                ));
            }
        }
        Ok(())
    }
}

/// Whether the author of an act might carry a plan out by the configuration of that time.
fn may_promote(act: &Act, to: &EnvironmentName, configurations: &Configurations) -> bool {
    let then = configurations.at(act.configuration);
    let person = config::person(&act.actor);
    then.zip(person).is_some_and(|(then, person)| Wish::Promote(to).is_granted(&then.config, &person))
}

/// Whether a relief is this one, or was before its second signature came.
fn is(known: &Relief, used: &Relief) -> bool {
    let mut known = known.clone();
    match (&mut known, used) {
        (Relief::Waiver(known), Relief::Waiver(used)) if used.cosigned.is_none() => known.cosigned = None,
        (Relief::BreakGlass(known), Relief::BreakGlass(used)) if used.cosigned.is_none() => {
            known.cosigned = None;
        }
        _ => {}
    }
    known == *used
}
