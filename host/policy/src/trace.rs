//! How a gate came to what it says: the statements that ran, in order, and what they left in the
//! policy's variables.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{ASTNode, Dynamic, Engine, EvalContext, Expr};
use serde::Serialize;

use crate::facts::ReadyFacts;
use crate::gate::{Asked, Gate, GateError};
use crate::pack::PackError;
use crate::sandbox::{Sandbox, Stopwatch};
use crate::steps;
use crate::value::{json, type_word};

/// Steps that a trace keeps; a loop that goes on says nothing new.
const MOST_STEPS: usize = 2_000;

/// Letters of a value that a trace shows.
const MOST_SHOWN: usize = 120;

/// A statement that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The file within the pack.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The line as it is written.
    pub source: String,
    /// The variables that it set, with what they hold after it.
    pub set: BTreeMap<String, String>,
}

/// How a gate came to what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// The statements that ran, in order.
    pub steps: Vec<Step>,
    /// Whether more ran than are kept.
    pub is_cut: bool,
    /// The facts that were read, by name.
    pub read: Vec<String>,
}

/// What is being noted while a gate is asked.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    trace: Trace,
    /// The variables as the last statement found them.
    variables: BTreeMap<String, String>,
}

impl Notes {
    /// Has an engine tell each statement before it runs.
    pub(crate) fn watch(self: &Arc<Self>, engine: &mut Engine) {
        let notes = Arc::clone(self);
        steps::watch(engine, move |context, node, file, position| {
            if let Some(line) = position.line().filter(|_| is_step(node)) {
                notes.step(context, file, line);
            }
        });
    }

    fn step(&self, context: &EvalContext<'_, '_, '_, '_, '_, '_>, file: &str, line: usize) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.settle(context.scope().iter_raw().map(|(name, _, value)| (name, value)));
        if noted.trace.steps.len() >= MOST_STEPS {
            noted.trace.is_cut = true;
            return;
        }
        let step = Step { file: file.to_owned(), line, source: String::new(), set: BTreeMap::new() };
        noted.trace.steps.push(step);
    }
}

/// Whether a node is a statement. Of calls that are one, only what is said of them shows it: those by
/// which a policy speaks.
fn is_step(node: ASTNode<'_>) -> bool {
    match node {
        ASTNode::Stmt(_) => true,
        ASTNode::Expr(Expr::FnCall(call, _)) => {
            matches!(call.name.as_str(), "pass" | "deny" | "undecided")
        }
        _ => false,
    }
}

impl Noted {
    /// What the last statement set: its effect shows once the next one begins.
    fn settle<'v>(&mut self, variables: impl Iterator<Item = (&'v str, &'v Dynamic)>) {
        let now: BTreeMap<String, String> =
            variables.map(|(name, value)| (name.to_owned(), shown(value))).collect();
        if let Some(last) = self.trace.steps.last_mut().filter(|_| !self.trace.is_cut) {
            let set = now.iter().filter(|(name, value)| self.variables.get(*name) != Some(value));
            last.set.extend(set.map(|(name, value)| (name.clone(), value.clone())));
        }
        self.variables = now;
    }
}

/// A value in a line.
fn shown(value: &Dynamic) -> String {
    let text = json(value).map_or_else(|_| type_word(value).to_owned(), |value| value.to_string());
    if text.chars().count() <= MOST_SHOWN {
        return text;
    }
    let beginning: String = text.chars().take(MOST_SHOWN).collect();
    format!("{beginning}…")
}

/// Asks a gate once, as production does, and notes each statement that runs.
///
/// # Errors
/// [`TraceError`] where the gate's pack no longer compiles, which for a gate that was made does not
/// happen.
pub fn trace(
    stopwatch: Stopwatch,
    gate: &Gate,
    ready: &Arc<ReadyFacts>,
) -> Result<(Asked, Trace), TraceError> {
    let notes = Arc::new(Notes::default());
    let sandbox = Sandbox::noting(stopwatch, Arc::clone(&notes));
    if gate.missing_fact(ready.facts()).is_some() {
        return Ok((sandbox.evaluate(gate, ready), Trace::default()));
    }
    // The engines that a policy with modules keeps are those of the sandbox that compiled it.
    let gate = &Gate::new(gate.spec().clone(), &sandbox.compile(gate.policy().pack().clone())?)?;
    let (asked, evaluation) = sandbox.evaluate_once(gate, ready);
    let noted = std::mem::take(&mut *notes.0.lock().unwrap_or_else(PoisonError::into_inner));
    let mut trace = noted.trace;
    for step in &mut trace.steps {
        step.source = gate.policy().line(&step.file, step.line).unwrap_or_default().to_owned();
    }
    let names = sandbox.citable().iter().enumerate();
    trace.read = names.filter(|(at, _)| evaluation.reads.has(*at)).map(|(_, name)| name.clone()).collect();
    Ok((asked, trace))
}

/// A gate cannot be traced.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// Its pack does not compile.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// Its configuration is wrong.
    #[error(transparent)]
    Gate(#[from] GateError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn traced(source: &str) -> (Asked, Trace) {
        let pack = samples::pack(source).unwrap();
        let policy = Sandbox::new(samples::still()).compile(pack.clone()).unwrap();
        let gate = Gate::new(samples::spec("g", &pack), &policy).unwrap();
        trace(samples::still(), &gate, &samples::ready(samples::facts())).unwrap()
    }

    #[test]
    fn statements_are_told_in_order_with_what_they_set_and_what_was_read() {
        let (asked, trace) = traced(
            "let n = plan.changes.count;\nlet changes = plan.changes;\nif n > 90 {\n    n = 1;\n} else {\n    \
             n += 40;\n}\npass(\"t.ok\", #{fact: \"plan.changes\"});",
        );
        assert_eq!(asked.report.findings.first().unwrap().code, "t.ok");
        let told: Vec<_> = trace.steps.iter().map(|step| (step.line, &*step.source, &step.set)).collect();
        let set = |pairs: &[(&str, String)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
        };
        let count = samples::facts()["plan"]["changes"].as_array().unwrap().len();
        assert_eq!(
            told,
            [
                (1, "let n = plan.changes.count;", &set(&[("n", count.to_string())])),
                (2, "let changes = plan.changes;", &set(&[("changes", "a fact".to_owned())])),
                (3, "if n > 90 {", &set(&[])),
                (6, "n += 40;", &set(&[("n", (count + 40).to_string())])),
                (8, "pass(\"t.ok\", #{fact: \"plan.changes\"});", &set(&[])),
            ]
        );
        assert!(trace.read.contains(&"plan.changes".to_owned()), "{:?}", trace.read);
        assert!(!trace.is_cut);
    }

    #[test]
    fn a_trace_says_what_production_says_and_stays_small() {
        for source in [
            "let n = 0; while n < 5000 { n += 1; } deny(\"t.no\", \"x\", #{});",
            "let n = 1; let m = n.nosuch;",
            "let t = \"x\"; while true { t += t; }",
        ] {
            let (asked, trace) = traced(source);
            let pack = samples::pack(source).unwrap();
            let sandbox = Sandbox::new(samples::still());
            let gate = Gate::new(samples::spec("g", &pack), &sandbox.compile(pack.clone()).unwrap()).unwrap();
            let plain = sandbox.evaluate(&gate, &samples::ready(samples::facts()));
            assert_eq!(asked.report, plain.report, "{source}");
            assert!(trace.steps.len() <= MOST_STEPS);
            assert!(trace.steps.iter().flat_map(|step| step.set.values()).all(|value| value.len() < 500));
        }
        assert!(traced("let n = 0; while n < 5000 { n += 1; }").1.is_cut);
    }
}
