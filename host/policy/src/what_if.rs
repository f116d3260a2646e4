//! What a draft of a policy would have made of a decision that was kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use sluice_model::Digest;
use sluice_model::verdict::{Finding, Outcome, Verdict};

use crate::decide::{Decision, GateDecision, ReplayError};
use crate::facts::ReadyFacts;
use crate::gate::{FACTS_MISSING, Gate};
use crate::pack::Policy;
use crate::sandbox::Sandbox;
use crate::vocabulary::API;

/// What a draft changes about a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// What was let through would be refused.
    NewlyRefused,
    /// What was refused would be let through.
    NewlyAllowed,
    /// The draft breaks on these facts, or needs some that nobody gathered then.
    CannotJudge,
    /// It comes to the same, with other findings.
    OtherFindings,
    /// Nothing.
    Same,
}

/// What a gate would say in place of what it said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateChange {
    /// The gate's name.
    pub gate: String,
    /// What it said.
    pub then: Verdict,
    /// What it would say.
    pub now: Verdict,
    /// The findings that it did not have then.
    pub new: Vec<Finding>,
    /// The codes of those that it would no longer have.
    pub gone: Vec<String>,
}

/// What drafts would have made of a decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhatIf {
    /// What changes.
    pub change: Change,
    /// What it came to.
    pub then: Outcome,
    /// What it would come to, where that can be judged.
    pub now: Option<Outcome>,
    /// Why it cannot be judged.
    pub why: Option<String>,
    /// The gates that would say something else.
    pub gates: Vec<GateChange>,
}

impl Sandbox {
    /// Makes a decision again with drafts in place of the policies of the same name; `None` where
    /// no gate of it asked one of those. `policy` hands over the pack of a digest.
    ///
    /// # Errors
    /// [`ReplayError`] where the decision's input is not all there. That a draft cannot judge it is
    /// no error.
    pub fn what_if(
        &self,
        past: &Decision,
        drafts: &BTreeMap<String, Arc<Policy>>,
        policy: impl Fn(&Digest) -> Option<Arc<Policy>>,
    ) -> Result<Option<WhatIf>, ReplayError> {
        let input = &past.input;
        if input.api != API {
            return Err(ReplayError::Api(input.api));
        }
        let mut gates = Vec::with_capacity(input.gates.len());
        let mut drafted = Vec::new();
        for spec in &input.gates {
            let kept = policy(&spec.pack)
                .ok_or_else(|| ReplayError::PackMissing { gate: spec.name.clone(), pack: spec.pack })?;
            let Some(draft) = drafts.get(&kept.pack().manifest().name) else {
                gates.push(Gate::new(spec.clone(), &kept)?);
                continue;
            };
            drafted.push(spec.name.as_str());
            let mut spec = spec.clone();
            spec.pack = draft.pack().digest();
            match Gate::new(spec, draft) {
                Ok(gate) => gates.push(gate),
                Err(error) => return Ok(Some(cannot_judge(past, error.to_string(), Vec::new()))),
            }
        }
        if drafted.is_empty() {
            return Ok(None);
        }
        let ready = ReadyFacts::new(Arc::clone(&input.facts))?;
        let now = self.decide(&gates, &ready, &input.reliefs, input.ungated.as_deref()).decision;
        let changes = changes(&past.gates, &now.gates);
        let broken = now.gates.iter().filter(|gate| drafted.contains(&gate.gate.as_str())).find_map(stuck);
        if let Some(why) = broken {
            return Ok(Some(cannot_judge(past, why, changes)));
        }
        let change = match (past.is_allowed(), now.is_allowed()) {
            (true, false) => Change::NewlyRefused,
            (false, true) => Change::NewlyAllowed,
            _ if changes.is_empty() => Change::Same,
            _ => Change::OtherFindings,
        };
        Ok(Some(WhatIf { change, then: past.outcome, now: Some(now.outcome), why: None, gates: changes }))
    }
}

fn cannot_judge(past: &Decision, why: String, gates: Vec<GateChange>) -> WhatIf {
    WhatIf { change: Change::CannotJudge, then: past.outcome, now: None, why: Some(why), gates }
}

/// Why a gate came to no judgement of its own.
fn stuck(gate: &GateDecision) -> Option<String> {
    let own = |finding: &&Finding| finding.verdict == Verdict::Fault || finding.code == FACTS_MISSING;
    gate.findings.iter().find(own).map(|finding| format!("gate `{}`: {}", gate.gate, finding.message))
}

/// The gates whose findings differ. Where a finding stands in the source is no difference.
fn changes(then: &[GateDecision], now: &[GateDecision]) -> Vec<GateChange> {
    let plain = |findings: &[Finding]| -> Vec<Finding> {
        findings.iter().map(|finding| Finding { source: None, ..finding.clone() }).collect()
    };
    let mut found = Vec::new();
    for gate in now {
        let before = then.iter().find(|before| before.gate == gate.gate);
        let (old, new) =
            (before.map(|gate| plain(&gate.findings)).unwrap_or_default(), plain(&gate.findings));
        if old == new {
            continue;
        }
        let gone = old.iter().filter(|finding| !new.contains(finding)).map(|finding| finding.code.clone());
        found.push(GateChange {
            gate: gate.gate.clone(),
            then: before.map_or(Verdict::Undecided, |gate| gate.verdict),
            now: gate.verdict,
            gone: gone.collect(),
            new: new.into_iter().filter(|finding| !old.contains(finding)).collect(),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    const OVER: &str = "if plan.changes.count > params.limit { deny(\"t.no\", \"many\", #{}); } \
                        else { pass(\"t.ok\", #{fact: \"plan.changes\"}); }";

    /// What a draft would have made of the decision of one hard gate with this limit.
    fn what_if(limit: i64, draft: &str) -> Option<WhatIf> {
        let sandbox = Sandbox::new(samples::still());
        let policy = sandbox.compile(samples::pack(OVER).unwrap()).unwrap();
        let mut spec = samples::spec("g", policy.pack());
        spec.parameters = BTreeMap::from([("limit".to_owned(), limit.into())]);
        let gate = Gate::new(spec, &policy).unwrap();
        let past = sandbox.decide(&[gate], &samples::ready(samples::facts()), &[], None).decision;
        let draft = sandbox.compile(samples::pack(draft).unwrap()).unwrap();
        let drafts = BTreeMap::from([(draft.pack().manifest().name.clone(), draft)]);
        sandbox.what_if(&past, &drafts, |_| Some(Arc::clone(&policy))).unwrap()
    }

    #[test]
    fn a_draft_refuses_allows_leaves_or_cannot_judge() {
        let all = "deny(\"t.no\", \"never\", #{});";
        let none = "pass(\"t.ok\", #{fact: \"plan.version\", actual: plan.version});";
        let moved = format!("\n\n{OVER}");
        for (limit, draft, change, code) in [
            (90, all, Change::NewlyRefused, Some("t.no")),
            (0, none, Change::NewlyAllowed, Some("t.ok")),
            (90, none, Change::OtherFindings, Some("t.ok")),
            (0, all, Change::OtherFindings, Some("t.no")),
            (90, &*moved, Change::Same, None),
            (0, "let x = params.nosuch;", Change::CannotJudge, Some("gate.fault")),
        ] {
            let found = what_if(limit, draft).unwrap();
            assert_eq!(found.change, change, "{limit} {draft}: {found:?}");
            assert_eq!(found.why.is_some(), change == Change::CannotJudge);
            assert_eq!(found.now.is_none(), change == Change::CannotJudge);
            let mut codes =
                found.gates.iter().flat_map(|gate| &gate.new).map(|finding| finding.code.as_str());
            assert_eq!(codes.next_back(), code, "{limit} {draft}");
        }
    }

    #[test]
    fn a_decision_in_which_no_gate_asks_the_draft_is_not_meant() {
        let sandbox = Sandbox::new(samples::still());
        let policy = sandbox.compile(samples::pack(OVER).unwrap()).unwrap();
        let gate = Gate::new(samples::spec("g", policy.pack()), &policy).unwrap();
        let past = sandbox.decide(&[gate], &samples::ready(samples::facts()), &[], None).decision;
        let drafts = BTreeMap::from([("another".to_owned(), Arc::clone(&policy))]);
        assert_eq!(sandbox.what_if(&past, &drafts, |_| Some(Arc::clone(&policy))).unwrap(), None);
        assert!(sandbox.what_if(&past, &drafts, |_| None).is_err());
    }
}
