//! Decisions: what all gates of a transition come to, kept whole so that they replay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluice_model::verdict::{Effect, Finding, Level, Outcome, Place, Relief as Kind, Verdict, effect};
use sluice_model::{Digest, json};

use crate::facts::{Facts, FactsError, ReadyFacts};
use crate::gate::{Gate, GateError, GateSpec};
use crate::pack::Policy;
use crate::relief::{self, NotApplied, Relief};
use crate::sandbox::{Sandbox, Used};
use crate::vocabulary::API;

/// All that a decision was made from. Packs are kept beside it under their digests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The version of facts and functions.
    pub api: u32,
    /// The facts.
    pub facts: Arc<Facts>,
    /// The gates of the transition, in order, also those whose selector leaves this plan out.
    pub gates: Vec<GateSpec>,
    /// What people did about refusals.
    pub reliefs: Vec<Relief>,
    /// Why the transition has no gate that refuses, where the configuration declares that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ungated: Option<String>,
}

/// What one gate came to in a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateDecision {
    /// The gate's name.
    pub gate: String,
    /// The name of its pack.
    pub policy: String,
    /// How strictly it was taken.
    pub level: Level,
    /// The worst of its findings.
    pub verdict: Verdict,
    /// What that came to.
    pub effect: Effect,
    /// What it says, in order.
    pub findings: Vec<Finding>,
    /// What was lifted, and by which act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lifted: Vec<Lifted>,
}

/// A refusing finding that a person's act lifted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifted {
    /// The finding's code.
    pub code: String,
    /// The act's digest.
    pub by: Digest,
}

/// The digests that a decision used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsedDigests {
    /// The facts.
    pub facts: Digest,
    /// The plan.
    pub plan: Digest,
    /// The bundle.
    pub bundle: Digest,
    /// The packs, by the gate that asked them.
    pub packs: BTreeMap<String, Digest>,
}

/// Of all gates on a plan: allowed, pending, denied or faulty; with all its input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What it was made from.
    pub input: Input,
    /// The digests of that.
    pub digests: UsedDigests,
    /// What it comes to.
    pub outcome: Outcome,
    /// Why, where no gate says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Why one person alone acts in this workspace, where that is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_operator: Option<String>,
    /// What each gate came to, in order.
    pub gates: Vec<GateDecision>,
    /// The gates that were not asked, because their selector leaves this plan out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_selected: Vec<String>,
    /// The acts that lifted nothing, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_applied: Vec<NotApplied>,
}

/// A decision with what making it took, which no replay repeats.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// What each gate used, by name.
    pub used: BTreeMap<String, Used>,
    /// Whether it may be stored: not where a gate broke by wall-clock time.
    pub replayable: bool,
}

/// A decision cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Made for names that this version does not know.
    #[error("the decision was made for `api = {0}`, and this Sluice has `api = {API}`")]
    Api(u32),
    /// A pack is gone.
    #[error("gate `{gate}` used the pack {pack}, which is not there: restore it to replay the decision")]
    PackMissing {
        /// The gate.
        gate: String,
        /// The pack's digest.
        pack: Digest,
    },
    /// The facts cannot be judged.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// A gate's configuration is wrong.
    #[error(transparent)]
    Gate(#[from] GateError),
}

impl Decision {
    /// The canonical bytes: what is stored, and what a replay is compared with.
    ///
    /// # Errors
    /// Never for a decision that was made or read; `serde` asks for the type.
    pub fn canonical(&self) -> Result<Vec<u8>, serde_json::Error> {
        json::canonical_of(self)
    }

    /// The digest of the canonical bytes.
    ///
    /// # Errors
    /// As [`Decision::canonical`].
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        self.canonical().map(|bytes| Digest::of(&bytes))
    }

    /// What findings are about, in the order of the findings.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.gates.iter().flat_map(|gate| &gate.findings).filter_map(|finding| finding.place.as_ref())
    }

    /// Whether the transition may go on.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allowed
    }
}

impl Sandbox {
    /// Asks all gates of a transition and decides. Never panics; whatever is missing or breaks
    /// refuses.
    ///
    /// `ungated` is the reason that the configuration declares for a transition without a gate
    /// that refuses; without one such a transition is denied.
    #[must_use]
    pub fn decide(
        &self,
        gates: &[Gate],
        ready: &Arc<ReadyFacts>,
        reliefs: &[Relief],
        ungated: Option<&str>,
    ) -> Decided {
        let ready = &ready.local();
        let facts = ready.facts();
        let counting = Counting::of(reliefs, facts);
        let (asked, left_out): (Vec<_>, Vec<_>) =
            gates.iter().partition(|gate| gate.spec().selector.selects(facts));
        let mut used = BTreeMap::new();
        let mut replayable = true;
        let mut decisions = Vec::with_capacity(asked.len());
        let mut effects = Vec::new();
        let mut applied = Applied::default();
        for gate in &asked {
            let answer = self.evaluate(gate, ready);
            replayable &= !answer.transient;
            used.insert(gate.spec().name.clone(), answer.used);
            let spec = gate.spec();
            let mut worst = Effect::GoesOn;
            for finding in &answer.report.findings {
                let came_to = counting.settle(gate, finding, &mut applied);
                effects.push((finding.verdict, came_to));
                worst = worst.max(came_to);
            }
            decisions.push(GateDecision {
                gate: answer.report.gate,
                policy: answer.report.policy,
                level: spec.level,
                verdict: answer.report.verdict,
                effect: worst,
                findings: answer.report.findings,
                lifted: std::mem::take(&mut applied.here).into_iter().collect(),
            });
        }
        let problem = problem(&asked, gates, ungated);
        let outcome = match problem {
            Some(_) => Outcome::of(effects).max(Outcome::Denied),
            // Declared to have no gate that refuses: what warns and audits is only noted.
            None if effects.is_empty() => Outcome::Allowed,
            None => Outcome::of(effects),
        };
        let decision = Decision {
            digests: UsedDigests {
                facts: ready.digest(),
                plan: facts.plan.digest,
                bundle: facts.plan.bundle,
                packs: asked.iter().map(|gate| (gate.spec().name.clone(), gate.spec().pack)).collect(),
            },
            outcome,
            problem,
            single_operator: facts.workspace.single_operator.clone(),
            gates: decisions,
            not_selected: left_out.iter().map(|gate| gate.spec().name.clone()).collect(),
            not_applied: counting.not_applied(&applied),
            input: Input {
                api: API,
                facts: Arc::clone(facts),
                gates: gates.iter().map(|gate| gate.spec().clone()).collect(),
                reliefs: reliefs.to_vec(),
                ungated: ungated.map(str::to_owned),
            },
        };
        Decided { decision, used, replayable }
    }

    /// Makes a decision again from its input; `policy` hands over the pack of a digest.
    ///
    /// # Errors
    /// [`ReplayError`] where the input is not all there.
    pub fn replay(
        &self,
        input: &Input,
        policy: impl Fn(&Digest) -> Option<Arc<Policy>>,
    ) -> Result<Decided, ReplayError> {
        if input.api != API {
            return Err(ReplayError::Api(input.api));
        }
        let ready = ReadyFacts::new(Arc::clone(&input.facts))?;
        let gates = input
            .gates
            .iter()
            .map(|spec| {
                let policy = policy(&spec.pack)
                    .ok_or_else(|| ReplayError::PackMissing { gate: spec.name.clone(), pack: spec.pack })?;
                Ok(Gate::new(spec.clone(), &policy)?)
            })
            .collect::<Result<Vec<_>, ReplayError>>()?;
        Ok(self.decide(&gates, &ready, &input.reliefs, input.ungated.as_deref()))
    }
}

/// Why the gates as such cannot let anything through.
fn problem(asked: &[&Gate], all: &[Gate], ungated: Option<&str>) -> Option<String> {
    let mut names = BTreeSet::new();
    if let Some(twice) = all.iter().find(|gate| !names.insert(gate.spec().name.as_str())) {
        return Some(format!("two gates are called `{}`: name each gate once", twice.spec().name));
    }
    let refuses = asked.iter().any(|gate| gate.spec().level.refuses());
    let declared = ungated.is_some_and(|reason| !reason.trim().is_empty());
    (!refuses && !declared).then(|| {
        "no hard or soft gate is asked about this plan: attach one to the transition, or declare `ungated = \"reason\"`"
            .to_owned()
    })
}

/// What was lifted so far.
#[derive(Default)]
struct Applied {
    /// By the gate that is being judged.
    here: BTreeSet<Lifted>,
    /// The acts that lifted something.
    acts: BTreeSet<Digest>,
    /// Why the table let an act lift nothing.
    barred: BTreeMap<Digest, String>,
}

/// The reliefs, split into those that count for these facts and those that do not.
struct Counting<'r> {
    counts: Vec<&'r Relief>,
    not: Vec<NotApplied>,
}

impl<'r> Counting<'r> {
    fn of(reliefs: &'r [Relief], facts: &Facts) -> Self {
        let mut counting = Self { counts: Vec::new(), not: Vec::new() };
        for relief in reliefs {
            match relief.problem(facts) {
                None => counting.counts.push(relief),
                Some(reason) => counting.not.push(NotApplied { id: relief.id(), reason }),
            }
        }
        counting
    }

    /// What a finding comes to: each refusing finding needs a relief of its own.
    fn settle(&self, gate: &Gate, finding: &Finding, applied: &mut Applied) -> Effect {
        let is_inviolable = gate.is_inviolable(&finding.code);
        let gate = gate.spec();
        let bare = effect(gate.level, finding.verdict, gate.waivable, Kind::None);
        if bare != Effect::Refused {
            return bare;
        }
        for relief in self.counts.iter().filter(|relief| relief::is_meant(relief, gate, finding)) {
            if is_inviolable {
                applied
                    .barred
                    .insert(relief.id(), format!("nothing lifts `{}`: its policy says so", finding.code));
                continue;
            }
            let lifted = effect(gate.level, finding.verdict, gate.waivable, relief::kind(relief));
            if lifted == Effect::Lifted {
                applied.here.insert(Lifted { code: finding.code.clone(), by: relief.id() });
                applied.acts.insert(relief.id());
                return lifted;
            }
            applied.barred.insert(relief.id(), relief::not_by_the_table(relief, gate, finding));
        }
        bare
    }

    fn not_applied(self, applied: &Applied) -> Vec<NotApplied> {
        let mut not = self.not;
        for relief in self.counts {
            let id = relief.id();
            if !applied.acts.contains(&id) {
                let reason = applied.barred.get(&id).cloned().unwrap_or_else(|| match relief {
                    Relief::Waiver(waiver) => format!("no gate refuses by `{}`", waiver.code),
                    Relief::Override(over) => format!("no gate `{}` refuses", over.gate),
                    Relief::BreakGlass(_) => "no gate refuses".to_owned(),
                });
                not.push(NotApplied { id, reason });
            }
        }
        not
    }
}

#[cfg(test)]
mod tests;
