//! Whether gates that refuse nothing yet are ready to.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use sluice_model::verdict::{Level, Verdict};
use sluice_model::{Digest, LogicalId};
use sluice_policy::{Decision, Gate, ReadyFacts};

use crate::config::{AppNames, Transition};
use crate::decisions::{Kept, Replays};
use crate::error::Result;
use crate::plan::TransitionKind;
use crate::workspace::Workspace;

/// What a gate says of one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Would {
    /// The newest decision about the plan.
    pub kept: Kept,
    /// What people call its app.
    pub app: String,
    /// What the gate says of it.
    pub verdict: Verdict,
    /// The codes of the findings that refuse.
    pub codes: Vec<String>,
}

/// How a gate that refuses nothing yet would have done lately, as it is configured now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// The transition, in the words of the configuration.
    pub transition: String,
    /// The gate.
    pub gate: String,
    /// Its policy.
    pub policy: String,
    /// Its level.
    pub level: Level,
    /// The next level.
    pub next: Level,
    /// Of how many plans it was asked.
    pub plans: usize,
    /// How many it lets through.
    pub passes: usize,
    /// What it would not let through, newest last.
    pub would_refuse: Vec<Would>,
    /// Whether it was asked often enough and lets all through.
    pub is_ready: bool,
}

impl Workspace {
    /// The gates in `audit` or `warn`, each asked about the plans that were decided since a time in
    /// its transition, with the facts of then and as it is configured now. A gate that was asked
    /// about at least `least` plans, and lets all of them through, is ready for the next level.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn rollout(&self, since: Option<Timestamp>, least: usize) -> Result<Vec<Readiness>> {
        let work = self.work();
        let replays = Replays::over(&work);
        // Of a plan that was refused again and again, the last word counts.
        let mut newest: BTreeMap<Digest, (Kept, Decision)> = BTreeMap::new();
        for kept in self.kept_decisions(since)? {
            let decision = replays.decision(&kept)?;
            newest.insert(decision.digests.plan, (kept, decision));
        }
        let mut decided = Vec::new();
        for (kept, decision) in newest.into_values() {
            // Facts that were judged once are not behind the ledger.
            let ready = ReadyFacts::new(Arc::clone(&decision.input.facts))
                .map_err(|e| crate::Error::invalid(e.to_string(), "verify the ledger"))?;
            decided.push((kept, ready));
        }
        decided.sort_by_key(|(kept, _)| kept.at);
        let policies = self.policies()?;
        let config = self.config()?;
        let mut called: BTreeMap<LogicalId, AppNames> = BTreeMap::new();
        for (_, ready) in &decided {
            let app = &ready.facts().app;
            if !called.contains_key(&app.id) {
                let mut names = self.names_of(&app.id)?;
                names.insert(app.name.clone());
                called.insert(app.id.clone(), AppNames::new(&app.id, names));
            }
        }
        let mut found = Vec::new();
        for (transition, rules) in &config.transitions {
            for configured in &rules.gates {
                let Some(next) = next_level(configured.level) else { continue };
                let mut readiness = Readiness {
                    transition: transition.to_string(),
                    gate: configured.name.to_string(),
                    policy: configured.policy.to_string(),
                    level: configured.level,
                    next,
                    plans: 0,
                    passes: 0,
                    would_refuse: Vec::new(),
                    is_ready: false,
                };
                for (kept, ready) in &decided {
                    let facts = ready.facts();
                    let app = &facts.app;
                    let is_for = |names| configured.is_for(names, &config.labels_of(names));
                    if transition_of(facts) != *transition || !called.get(&app.id).is_some_and(is_for) {
                        continue;
                    }
                    let gate: Gate = crate::gates::gate(configured, &policies, Some(&app.id))?;
                    if !gate.spec().selector.selects(facts) {
                        continue;
                    }
                    readiness.plans += 1;
                    let report = self.sandbox().evaluate(&gate, ready).report;
                    if report.verdict == Verdict::Pass {
                        readiness.passes += 1;
                        continue;
                    }
                    let refusing = report.findings.iter().filter(|f| f.verdict != Verdict::Pass);
                    let mut codes: Vec<String> = refusing.map(|finding| finding.code.clone()).collect();
                    codes.sort();
                    codes.dedup();
                    let app = app.name.clone();
                    let (kept, verdict) = (kept.clone(), report.verdict);
                    readiness.would_refuse.push(Would { kept, app, verdict, codes });
                }
                readiness.is_ready = readiness.plans >= least.max(1) && readiness.passes == readiness.plans;
                found.push(readiness);
            }
        }
        Ok(found)
    }
}

const fn next_level(level: Level) -> Option<Level> {
    match level {
        Level::Audit => Some(Level::Warn),
        Level::Warn => Some(Level::Soft),
        Level::Soft | Level::Hard => None,
    }
}

/// The transition that facts are of, in the configuration's words.
fn transition_of(facts: &sluice_policy::Facts) -> Transition {
    let (from, to) = (facts.transition.from.name.clone(), facts.transition.to.name.clone());
    match facts.transition.kind {
        TransitionKind::Promotion => Transition::Promote { from, to },
        TransitionKind::Release => Transition::Release(to),
        TransitionKind::Rollback => Transition::Rollback(to),
    }
}
