//! Gates: policies attached to a transition, and what each of them says.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_model::verdict::{Finding, Level, Verdict};
use sluice_model::{Digest, ObjectKind};

use crate::evaluation::Evaluation;
use crate::facts::{Action, Facts, ReadyFacts};
use crate::pack::Policy;
use crate::parameter::{self, Parameter, ParameterError, Values};
use crate::sandbox::{Compiled, Ended, Sandbox, Used};
use crate::shelf::PerShelf;

/// Code of the finding where a policy says nothing at all.
pub const SILENT: &str = "gate.silent";
/// Code of the finding where a policy breaks.
pub const FAULT: &str = "gate.fault";
/// Code of the finding where a fact that a policy needs was not gathered.
pub const FACTS_MISSING: &str = "facts.missing";

/// What a finding of the engine's own means. What is stored in a decision says less: it stays as it
/// is, so that decisions replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnFinding {
    /// Its code, as decisions and waivers name it.
    pub code: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// What would mend it.
    pub fix: &'static str,
    /// Who can do that.
    pub who: &'static str,
}

/// The findings that every gate can have, whatever its policy declares.
pub const OWN_FINDINGS: [OwnFinding; 3] = [
    OwnFinding {
        code: FACTS_MISSING,
        doc: "The policy needs a fact that nobody gathered, so it was not asked: an export without a plan has none \
              of the plan, and what was decided earlier has none that came later.",
        fix: "ask where the fact is known: import the export, cut a version and ask about its plan, with \
              `sluice check APP --to ENV`; or let the policy declare the fact under `optional` and say what it \
              means that it is missing",
        who: "who asks; for the policy, an owner of the configuration",
    },
    OwnFinding {
        code: SILENT,
        doc: "The policy ran to its end and said neither `pass`, `deny` nor `undecided`, so nothing rests on it.",
        fix: "let the policy say something of this case too, and give it a case under `tests/`",
        who: "the policy's authors; an owner of the configuration adopts it",
    },
    OwnFinding {
        code: FAULT,
        doc: "The policy broke: on a value that is missing or of another type, on a limit of steps, size or time, \
              or on a time in the future, which says that a clock is wrong. Nothing lifts it.",
        fix: "mend what the message names, in the policy or in what it reads; `sluice policy try` shows the \
              statements that ran up to there",
        who: "the policy's authors; for a clock or a fact, who it comes from",
    },
];

/// How often a gate is asked again whose fault was a matter of wall-clock time.
const RETRIES: usize = 2;

/// A gate as the adopted configuration has it. Part of the plan's digest and of every decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateSpec {
    /// Its name, unique within the transition.
    pub name: String,
    /// The pack's digest.
    pub pack: Digest,
    /// How strictly it is taken.
    pub level: Level,
    /// Whether a waiver lifts its denials where it is `hard`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waivable: bool,
    /// What it gives for the policy's parameters; the rest have their defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Value>,
    /// Which plans it is asked about.
    #[serde(default, skip_serializing_if = "Selector::is_everything")]
    pub selector: Selector,
}

/// Which plans a gate is asked about. Each part that says something must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// Logical ids or names of apps; nothing here means every app.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<String>,
    /// Labels, of which the app has at least one; nothing here means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Kinds of change, of which the plan has at least one; nothing here means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ChangeKind>,
}

/// A kind of change that a gate is asked about: the action, the kind of object, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeKind {
    /// What is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// To what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectKind>,
}

impl Selector {
    /// Whether a plan of these facts is meant.
    #[must_use]
    pub fn selects(&self, facts: &Facts) -> bool {
        let app = &facts.app;
        let by_name = self.apps.is_empty()
            || self.apps.iter().any(|wanted| wanted == app.id.as_str() || *wanted == app.name);
        let by_label = self.labels.is_empty() || self.labels.iter().any(|label| app.labels.contains(label));
        let by_change = self.changes.is_empty()
            || facts.plan.changes.iter().any(|change| {
                self.changes.iter().any(|wanted| {
                    wanted.action.is_none_or(|action| action == change.action)
                        && wanted.object.is_none_or(|kind| kind == change.kind)
                })
            });
        by_name && by_label && by_change
    }

    /// Whether every plan is meant.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.apps.is_empty() && self.labels.is_empty() && self.changes.is_empty()
    }
}

/// A gate that can be asked. Cheap to clone; serves any number of threads.
#[derive(Clone)]
pub struct Gate {
    spec: GateSpec,
    policy: Arc<Policy>,
    parameters: Arc<BTreeMap<String, Parameter>>,
    copies: Arc<PerShelf<Arc<Local>>>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("spec", &self.spec).finish_non_exhaustive()
    }
}

/// A gate as the threads of one shelf ask it.
pub(crate) struct Local {
    pub(crate) policy: Arc<Policy>,
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) parameters: Values,
}

/// A gate's configuration is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The parameters do not fit the policy.
    #[error("gate `{gate}`: {problem}")]
    Parameter {
        /// The gate.
        gate: String,
        /// What does not fit.
        problem: ParameterError,
    },
    /// The policy is not the one that the gate names.
    #[error("gate `{gate}`: wants the pack {wanted} and was given {found}: adopt the configuration again")]
    Pack {
        /// The gate.
        gate: String,
        /// The digest it names.
        wanted: Digest,
        /// The digest of what it was given.
        found: Digest,
    },
}

/// What one gate says of some facts. Everything in here is the same on every replay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateReport {
    /// The gate's name.
    pub gate: String,
    /// The name of its pack.
    pub policy: String,
    /// The worst of its findings.
    pub verdict: Verdict,
    /// What it says, in order; never empty.
    pub findings: Vec<Finding>,
}

/// A gate's report with what it took, which no replay repeats.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// What it says.
    pub report: GateReport,
    /// What it used.
    pub used: Used,
    /// Whether it broke by wall-clock time, so that the report is not one to be replayed.
    pub transient: bool,
}

impl Gate {
    /// Attaches a policy.
    ///
    /// # Errors
    /// [`GateError`] where the parameters do not fit or the policy is another.
    pub fn new(spec: GateSpec, policy: &Arc<Policy>) -> Result<Self, GateError> {
        let manifest = policy.pack().manifest();
        let found = policy.pack().digest();
        if spec.pack != found {
            return Err(GateError::Pack { gate: spec.name, wanted: spec.pack, found });
        }
        let parameters = parameter::check(&manifest.parameters, &spec.parameters)
            .map_err(|problem| GateError::Parameter { gate: spec.name.clone(), problem })?;
        Ok(Self {
            spec,
            policy: Arc::clone(policy),
            parameters: Arc::new(parameters),
            copies: Arc::default(),
        })
    }

    /// The configuration.
    #[must_use]
    pub const fn spec(&self) -> &GateSpec {
        &self.spec
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// As this thread asks it.
    pub(crate) fn local(&self, sandbox: &Sandbox) -> Arc<Local> {
        self.copies.here(|| {
            let compiled = self.policy.local(sandbox);
            let parameters = Values::of(&self.parameters);
            Arc::new(Local { policy: Arc::clone(&self.policy), compiled, parameters })
        })
    }

    /// Whether nothing lifts a finding of this code.
    pub(crate) fn is_inviolable(&self, code: &str) -> bool {
        self.policy.pack().manifest().findings.get(code).is_some_and(|finding| finding.inviolable)
    }

    /// The first fact that it needs and nobody gathered.
    #[must_use]
    pub fn missing_fact(&self, facts: &Facts) -> Option<&str> {
        self.policy.pack().manifest().facts.iter().map(String::as_str).find(|fact| !facts.has(fact))
    }

    fn report(&self, findings: Vec<Finding>) -> GateReport {
        let verdict = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Undecided);
        GateReport {
            gate: self.spec.name.clone(),
            policy: self.policy.pack().manifest().name.clone(),
            verdict,
            findings,
        }
    }
}

/// A finding of the engine's own.
fn own(verdict: Verdict, code: &str, message: String, fix: &str) -> Finding {
    Finding {
        verdict,
        code: code.to_owned(),
        message,
        because: None,
        fix: Some(fix.to_owned()),
        who: None,
        earliest: None,
        place: None,
        source: None,
    }
}

impl Sandbox {
    /// Asks one gate. Never panics; whatever goes wrong is a verdict that refuses.
    #[must_use]
    pub fn evaluate(&self, gate: &Gate, ready: &Arc<ReadyFacts>) -> Asked {
        if let Some(fact) = gate.missing_fact(ready.facts()) {
            let message = format!("needs the fact `{fact}`, which was not gathered");
            let findings = vec![own(Verdict::Undecided, FACTS_MISSING, message, "ask where that is known")];
            return Asked { report: gate.report(findings), used: Used::default(), transient: false };
        }
        let mut asked = self.evaluate_once(gate, ready).0;
        for _ in 0..RETRIES {
            if !asked.transient {
                break;
            }
            asked = self.evaluate_once(gate, ready).0;
        }
        asked
    }

    /// Asks a gate once, all of whose facts are there.
    pub(crate) fn evaluate_once(&self, gate: &Gate, ready: &Arc<ReadyFacts>) -> (Asked, Arc<Evaluation>) {
        let (evaluation, ended, used) = self.run(gate, ready);
        let mut findings = evaluation.take_said();
        let mut transient = false;
        match ended {
            Ended::Well if findings.is_empty() => findings.push(own(
                Verdict::Undecided,
                SILENT,
                "the policy says neither pass nor deny of this".to_owned(),
                "let the policy judge this case too",
            )),
            Ended::Well => {}
            Ended::Broke { reason, place, transient: by_time } => {
                transient = by_time;
                let source = place.map(|at| crate::api::source_line(&evaluation, &at.file, at.line));
                let reason = reason.chars().take(1_000).collect();
                let finding = own(Verdict::Fault, FAULT, reason, "mend the policy, or what it reads");
                findings.push(Finding { source, ..finding });
            }
        }
        (Asked { report: gate.report(findings), used, transient }, evaluation)
    }
}
