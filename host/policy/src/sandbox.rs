//! Where policies run: a Rhai engine with nothing in it but facts and the gate's calls.
//!
//! Each engine option here has a test that fails without it; what each is for stands beside it.

mod compile;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

pub(crate) use compile::Compiled;
use rhai::{Caches, Dynamic, Engine, EvalAltResult, ImmutableString, OptimizationLevel, Position, Scope};

use crate::calls::Known;
use crate::coverage::{Coverage, Visits};
use crate::evaluation::{Evaluation, Fault, MOST_NAMES};
use crate::facts::ReadyFacts;
use crate::gate::Gate;
use crate::pack::{Policy, SOURCE_FILE};
use crate::rows::{self, Record, Rows};
use crate::shelf::Idle;
use crate::trace::Notes;
use crate::value::heap_bytes;
use crate::vocabulary as v;
use crate::{api, strict};

/// The facts that a policy may declare under `facts`, by the names of their variables.
pub const FACTS: [&str; 13] = [
    "workspace",
    "transition",
    "app",
    "plan",
    "scan",
    "evidence",
    "approvals",
    "waivers",
    "history",
    "plugins",
    "environments",
    "people",
    "calendars",
];

/// The variables that every policy has.
pub(crate) const ALWAYS: [&str; 2] = ["now", "params"];

/// What one evaluation may use. A policy that is asked about 100,000 changes by `where` uses a
/// few dozen operations; these limits are far above any rule and far below harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Steps of the script. They decide, being the same on every machine.
    pub operations: u64,
    /// Wall-clock time. A fault by it is not kept as a decision to be replayed.
    pub time: Duration,
    /// Calls of functions within each other.
    pub calls: usize,
    /// Nesting of expressions in the source.
    pub nesting: usize,
    /// Bytes of a text.
    pub text_bytes: usize,
    /// Elements of a list, all levels together. Values nest no deeper than they are large, and
    /// letting go of a nested value takes stack, so this stays small.
    pub elements: usize,
    /// Entries of a map, all levels together.
    pub entries: usize,
    /// Variables at a time.
    pub variables: usize,
    /// Functions of a policy's own.
    pub functions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 200_000,
            time: Duration::from_millis(50),
            calls: 16,
            nesting: 32,
            text_bytes: 64 << 10,
            elements: 512,
            entries: 256,
            variables: 256,
            functions: 64,
        }
    }
}

/// Time that has passed since some moment, by a clock that never goes back.
pub type Stopwatch = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Compiles policies and asks them. Engines are made when first needed and used again; one
/// sandbox serves any number of threads.
pub struct Sandbox {
    limits: Limits,
    stopwatch: Stopwatch,
    names: Arc<[String]>,
    idle: Idle<Runner>,
    extend: Option<fn(&mut Engine)>,
    watcher: Option<Watcher>,
}

/// What sees each step of a policy. All else is as in production.
#[derive(Clone)]
enum Watcher {
    /// How often each was taken, over many evaluations.
    Visits(Arc<Visits>),
    /// In which order, and what it left, of one evaluation.
    Notes(Arc<Notes>),
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// A place in the sources of a policy.
#[derive(Debug)]
pub(crate) struct BrokeAt {
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// How an evaluation ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The script came to its end.
    Well,
    /// It broke.
    Broke {
        reason: String,
        place: Option<BrokeAt>,
        /// Whether asking again may end otherwise.
        transient: bool,
    },
}

/// What an evaluation used. Kept apart from what is compared on replay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Steps of the script.
    pub operations: u64,
    /// Wall-clock time.
    pub time: Duration,
}

impl Sandbox {
    /// A sandbox with the usual limits.
    #[must_use]
    pub fn new(stopwatch: Stopwatch) -> Self {
        Self::with_limits(stopwatch, Limits::default())
    }

    /// A sandbox with other limits, for tests and for machines that are slow.
    #[must_use]
    pub fn with_limits(stopwatch: Stopwatch, limits: Limits) -> Self {
        Self::build(stopwatch, limits, None, None)
    }

    /// A sandbox that sees what of its policies is evaluated, for tests of policies. All else is
    /// as in production. It serves one policy, whose files it knows by their names.
    #[must_use]
    pub fn watching(stopwatch: Stopwatch) -> Self {
        Self::build(stopwatch, Limits::default(), None, Some(Watcher::Visits(Arc::default())))
    }

    /// A sandbox that notes how an evaluation goes. All else is as in production.
    pub(crate) fn noting(stopwatch: Stopwatch, notes: Arc<Notes>) -> Self {
        Self::build(stopwatch, Limits::default(), None, Some(Watcher::Notes(notes)))
    }

    /// What of a policy was evaluated so far, in a sandbox that watches.
    #[must_use]
    pub fn coverage(&self, policy: &Policy) -> Option<Coverage> {
        match &self.watcher {
            Some(Watcher::Visits(visits)) => Some(visits.of(policy)),
            _ => None,
        }
    }

    fn build(
        stopwatch: Stopwatch,
        limits: Limits,
        extend: Option<fn(&mut Engine)>,
        watcher: Option<Watcher>,
    ) -> Self {
        let mut sandbox =
            Self { limits, stopwatch, names: Arc::from([]), idle: Idle::default(), extend, watcher };
        let (runner, names) = sandbox.runner();
        sandbox.names = names.into();
        sandbox.idle.give_back(runner);
        sandbox
    }

    /// A sandbox whose engines a test spoils, to show that the walls hold.
    #[cfg(test)]
    pub(crate) fn spoiled(stopwatch: Stopwatch, extend: fn(&mut Engine)) -> Self {
        Self::build(stopwatch, Limits::default(), Some(extend), None)
    }

    /// The names of facts that a `pass` may cite.
    #[must_use]
    pub fn citable(&self) -> &[String] {
        &self.names
    }

    /// Asks a gate once.
    pub(crate) fn run(&self, gate: &Gate, ready: &Arc<ReadyFacts>) -> (Arc<Evaluation>, Ended, Used) {
        // A thread that asks a gate for the first time compiles it, on an engine that waits.
        let gate = gate.local(self);
        let mut runner = self.take();
        let was_long = Arc::clone(&runner.cell.was_long);
        let asked = Evaluation::new(Arc::clone(ready), gate, was_long);
        let begun = (self.stopwatch)();
        runner.cell.begin(begun.saturating_add(self.limits.time));
        let ended = catch_unwind(AssertUnwindSafe(|| runner.run(&asked)));
        let overrun = runner.cell.overrun.load(Ordering::Relaxed);
        let operations = runner.cell.operations.load(Ordering::Relaxed);
        let took = (self.stopwatch)().saturating_sub(begun);
        let used = Used { operations, time: took };
        let ended = match ended {
            // An engine that panicked is not used again.
            Err(panic) => {
                drop(panic as Box<dyn Any>);
                return (
                    asked,
                    Ended::Broke {
                        reason: "the policy broke the engine that runs it: report this as a bug of Sluice"
                            .to_owned(),
                        place: None,
                        transient: false,
                    },
                    used,
                );
            }
            Ok(_) if overrun || took > self.limits.time => Ended::Broke {
                reason: format!("took longer than {} ms", self.limits.time.as_millis()),
                place: None,
                transient: true,
            },
            Ok(Ok(())) => Ended::Well,
            Ok(Err(error)) => {
                let (reason, file, position) = explain(&error, SOURCE_FILE, &self.limits);
                let place = position.line().map(|line| BrokeAt { file, line });
                Ended::Broke { reason, place, transient: false }
            }
        };
        self.idle.give_back(runner);
        (asked, ended, used)
    }

    /// Lends an engine as every policy gets it.
    pub(crate) fn with_engine<T>(&self, read: impl FnOnce(&Engine) -> T) -> T {
        let runner = self.take();
        let value = read(&runner.engine);
        self.idle.give_back(runner);
        value
    }

    fn take(&self) -> Runner {
        self.idle.take().unwrap_or_else(|| self.runner().0)
    }

    /// A new engine, with the names of facts that it knows.
    fn runner(&self) -> (Runner, Vec<String>) {
        let cell = Arc::new(Cell::default());
        let (mut engine, names) = engine(&self.limits, &cell, &self.stopwatch);
        if let Some(extend) = self.extend {
            extend(&mut engine);
        }
        match &self.watcher {
            Some(Watcher::Visits(visits)) => visits.watch(&mut engine),
            Some(Watcher::Notes(notes)) => notes.watch(&mut engine),
            None => {}
        }
        debug_assert!(names.len() <= MOST_NAMES, "more names than bits");
        let source = SOURCE_FILE.into();
        (Runner { engine, cell, source, known: Known::default() }, names)
    }
}

/// An engine, what it works on, and what it has found out.
pub(crate) struct Runner {
    engine: Engine,
    cell: Arc<Cell>,
    /// What Rhai calls a policy's own source; one for each engine, since threads count its users.
    source: ImmutableString,
    known: Known,
}

impl Runner {
    /// Takes a policy through an evaluation.
    #[expect(
        deprecated,
        reason = "the only way to keep what was found out about calls from one evaluation to the next"
    )]
    fn run(&mut self, asked: &Arc<Evaluation>) -> Result<(), Fault> {
        let mut global = self.engine.new_global_runtime_state();
        global.source = Some(self.source.clone());
        let compiled = &asked.gate.compiled;
        global.lib.push(Arc::clone(&compiled.parameters));
        global.lib.push(Arc::clone(compiled.ast.shared_lib()));
        for (name, (module, _)) in &compiled.modules {
            global.push_import(name.as_str(), Arc::clone(module));
        }
        // Facts reach functions by it.
        global.tag = Dynamic::from(Lent(Arc::clone(asked)));
        let mut fresh = Caches::new();
        let caches = self.known.of(&asked.gate.policy.calls).unwrap_or(&mut fresh);
        let statements = compiled.ast.statements();
        self.engine.eval_statements_raw(&mut global, caches, &mut Scope::new(), statements).map(drop)
    }
}

/// The evaluation, as the engine hands it to functions.
#[derive(Clone)]
struct Lent(Arc<Evaluation>);

/// What is being asked, by the tag that the engine carries through an evaluation.
pub(crate) fn asked(tag: Option<&Dynamic>) -> Result<Arc<Evaluation>, Fault> {
    let lent = tag.and_then(|tag| tag.read_lock::<Lent>());
    lent.map(|lent| Arc::clone(&lent.0)).ok_or_else(|| crate::evaluation::fault("nothing is being asked"))
}

/// What an engine works on: the engine is the same for all evaluations, this is not.
#[derive(Default)]
pub(crate) struct Cell {
    /// Nanoseconds of the stopwatch.
    deadline: AtomicU64,
    overrun: AtomicBool,
    operations: AtomicU64,
    /// Whether the last step may have taken long.
    was_long: Arc<AtomicBool>,
}

impl Cell {
    fn begin(&self, deadline: Duration) {
        self.deadline.store(nanos(deadline), Ordering::Relaxed);
        self.overrun.store(false, Ordering::Relaxed);
        self.operations.store(0, Ordering::Relaxed);
        self.was_long.store(false, Ordering::Relaxed);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// How many steps pass between looks at the clock: a look costs about as much as a step.
const STEPS_BETWEEN_LOOKS: u64 = 32;

/// What a policy must not have. `??`, `?.` and `?[` hide what is missing; `switch` compares
/// without faulting on other types; closures capture by shared values, on which the size limits
/// panic; the rest reaches code that was not reviewed, or the outside, or other functions' names.
const ABSENT: [&str; 23] = [
    "??",
    "?.",
    "?[",
    "switch",
    "|",
    "||=",
    "eval",
    "import",
    "export",
    "as",
    "Fn",
    "call",
    "curry",
    "try",
    "catch",
    "print",
    "debug",
    "sleep",
    "is_def_var",
    "is_def_fn",
    "is_shared",
    "type_of",
    "this",
];

#[expect(
    deprecated,
    reason = "rhai marks `on_var` as volatile, not as deprecated; there is no other way to lend facts"
)]
fn engine(limits: &Limits, cell: &Arc<Cell>, stopwatch: &Stopwatch) -> (Engine, Vec<String>) {
    let mut engine = Engine::new_raw();
    // Above `None`, values that a scope holds at compile time are baked into the policy.
    engine.set_optimization_level(OptimizationLevel::None);
    // Rhai's built-in comparisons are silently false between types; ours come first only so.
    engine.set_fast_operators(false);
    engine.set_strict_variables(true);
    engine.set_fail_on_invalid_map_property(true);
    engine.set_allow_shadowing(false);
    engine.set_allow_anonymous_fn(false);
    for symbol in ABSENT {
        engine.disable_symbol(symbol);
    }
    engine.set_max_operations(limits.operations);
    engine.set_max_call_levels(limits.calls);
    engine.set_max_expr_depths(limits.nesting, limits.nesting);
    engine.set_max_string_size(limits.text_bytes);
    engine.set_max_array_size(limits.elements);
    engine.set_max_map_size(limits.entries);
    engine.set_max_variables(limits.variables);
    engine.set_max_functions(limits.functions);
    engine.set_max_modules(0);

    let (watched, clock) = (Arc::clone(cell), Arc::clone(stopwatch));
    engine.on_progress(move |operations| {
        watched.operations.store(operations, Ordering::Relaxed);
        let looks = operations % STEPS_BETWEEN_LOOKS == 0 || watched.was_long.load(Ordering::Relaxed);
        if looks {
            watched.was_long.store(false, Ordering::Relaxed);
            if nanos(clock()) > watched.deadline.load(Ordering::Relaxed) {
                watched.overrun.store(true, Ordering::Relaxed);
                return Some(Dynamic::UNIT);
            }
        }
        None
    });

    engine.on_var(|name, index, context| {
        let scope = context.scope();
        // The parser counted from the last variable on; facts are none of the scope's.
        let own = index.checked_sub(1).and_then(|behind| scope.iter_raw().nth(behind));
        let own = own.filter(|(own, ..)| *own == name).map(|(_, _, value)| value);
        if own.is_none()
            && let Some(fact) = fact(name, context.tag())?
        {
            return Ok(Some(fact));
        }
        // Reading a variable copies it.
        let bytes = own.or_else(|| scope.get(name)).map_or(0, heap_bytes);
        if bytes > 0 {
            asked(Some(context.tag()))?.copy(bytes)?;
        }
        Ok(None)
    });

    strict::register(&mut engine);
    let mut names = Vec::new();
    rows::register::<v::WorkspaceFact>(&mut engine, "workspace", &mut names);
    rows::register::<v::TransitionFact>(&mut engine, "transition", &mut names);
    rows::register::<v::EnvironmentFact>(&mut engine, "transition.environment", &mut names);
    rows::register::<v::AppFact>(&mut engine, "app", &mut names);
    rows::register::<v::PlanFact>(&mut engine, "plan", &mut names);
    rows::register::<v::ChangeFact>(&mut engine, "plan.changes", &mut names);
    rows::register::<v::SourceFact>(&mut engine, "plan.sources", &mut names);
    rows::register::<v::CredentialFact>(&mut engine, "plan.credentials", &mut names);
    rows::register::<v::LeftoverFact>(&mut engine, "plan.still_pointing_at_source", &mut names);
    rows::register::<v::ScanFact>(&mut engine, "scan", &mut names);
    rows::register::<v::SecretFact>(&mut engine, "scan.secrets", &mut names);
    rows::register::<v::PersonalFact>(&mut engine, "scan.personal_data", &mut names);
    rows::register::<v::EvidenceFact>(&mut engine, "evidence", &mut names);
    rows::register::<v::ApprovalFact>(&mut engine, "approvals", &mut names);
    rows::register::<v::WaiverFact>(&mut engine, "waivers", &mut names);
    rows::register::<v::PastFact>(&mut engine, "history", &mut names);
    rows::register::<v::PluginFact>(&mut engine, "plugins", &mut names);
    rows::register::<v::PlaceFact>(&mut engine, "environments", &mut names);
    rows::register::<v::PersonFact>(&mut engine, "people", &mut names);
    rows::register::<v::CalendarFact>(&mut engine, "calendars", &mut names);
    api::register(&mut engine, &names);
    (engine, names)
}

/// The facts that a name stands for. Not scope values: a script that assigned to one of those
/// would break the host, and a copy of all facts for every gate would be slow.
fn fact(name: &str, tag: &Dynamic) -> Result<Option<Dynamic>, Fault> {
    type Make = fn(Arc<Evaluation>) -> Result<Dynamic, Fault>;
    fn record<F: v::Fact>(asked: Arc<Evaluation>) -> Result<Dynamic, Fault> {
        Ok(Dynamic::from(Record::<F>::new(asked, 0)))
    }
    fn rows<F: v::Fact>(asked: Arc<Evaluation>) -> Result<Dynamic, Fault> {
        Ok(Dynamic::from(Rows::<F>::all(&asked)?))
    }
    let make: Make = match name {
        "workspace" => record::<v::WorkspaceFact>,
        "transition" => record::<v::TransitionFact>,
        "app" => record::<v::AppFact>,
        "plan" => record::<v::PlanFact>,
        "scan" => record::<v::ScanFact>,
        "evidence" => rows::<v::EvidenceFact>,
        "approvals" => rows::<v::ApprovalFact>,
        "waivers" => rows::<v::WaiverFact>,
        "history" => rows::<v::PastFact>,
        "plugins" => rows::<v::PluginFact>,
        "environments" => rows::<v::PlaceFact>,
        "people" => rows::<v::PersonFact>,
        "calendars" => rows::<v::CalendarFact>,
        "now" => |asked| Ok(Dynamic::from(asked.ready.facts().now)),
        "params" => |asked| Ok(Dynamic::from(api::Parameters(asked))),
        _ => return Ok(None),
    };
    let asked = asked(Some(tag))?;
    if asked.ready.facts().has(name) {
        make(asked).map(Some)
    } else {
        // Optional: a gate that needs it is not asked.
        Ok(Some(Dynamic::UNIT))
    }
}

pub(crate) fn line_column(position: Position) -> Option<(usize, usize)> {
    Some((position.line()?, position.position().unwrap_or(1)))
}

/// Why a script broke, in the house's words, in which file, and where.
fn explain(error: &EvalAltResult, file: &str, limits: &Limits) -> (String, String, Position) {
    use EvalAltResult as E;
    let position = error.position();
    let reason = match error {
        E::ErrorInFunctionCall(_, of_function, inner, own) => {
            let inside = if of_function.is_empty() { file } else { of_function };
            let (reason, inner_file, inner_position) = explain(inner, inside, limits);
            return if inner_position.is_none() {
                (reason, file.to_owned(), *own)
            } else {
                (reason, inner_file, inner_position)
            };
        }
        E::ErrorRuntime(reason, _) => match reason.as_immutable_string_ref() {
            Ok(reason) if !reason.trim().is_empty() => reason.to_string(),
            _ => "the policy throws".to_owned(),
        },
        E::ErrorFunctionNotFound(signature, _) => {
            // The name is the policy's own word; what follows are types.
            let (name, types) = signature.split_at(signature.find(" (").unwrap_or(signature.len()));
            format!("there is no function {name}{}", in_words(types))
        }
        E::ErrorPropertyNotFound(name, _) => format!("there is no `{name}` here"),
        E::ErrorDotExpr(text, _) | E::ErrorIndexingType(text, _) if text == api::UNCHANGEABLE => text.clone(),
        E::ErrorDotExpr(text, _) | E::ErrorIndexingType(text, _) => {
            format!("there is no such member: {}", in_words(text))
        }
        E::ErrorIndexNotFound(index, _) => format!("there is no member `{index}`"),
        E::ErrorArrayBounds(count, index, _) => {
            format!("element {index} of a list of {count} does not exist")
        }
        E::ErrorMismatchDataType(wanted, found, _) => {
            format!("found {}, wanted {}", in_words(found), in_words(wanted))
        }
        E::ErrorAssignmentToConstant(name, _) => format!("`{name}` cannot be changed"),
        E::ErrorArithmetic(text, _) => format!("arithmetic: {}", text.to_lowercase()),
        E::ErrorTooManyOperations(_) => format!("took more than {} steps", limits.operations),
        E::ErrorTooManyVariables(_) => format!("has more than {} variables", limits.variables),
        E::ErrorStackOverflow(_) => format!("calls functions deeper than {} levels", limits.calls),
        E::ErrorDataTooLarge(what, _) => format!("made a value that is too large: {}", what.to_lowercase()),
        E::ErrorVariableNotFound(name, _) => format!("there is no variable `{name}`"),
        E::ErrorFor(_) => "`for` goes over lists and ranges only".to_owned(),
        E::ErrorTerminated(..) => format!("took longer than {} ms", limits.time.as_millis()),
        other => in_words(&other.to_string().to_lowercase()),
    };
    (reason, file.to_owned(), position)
}

/// A text of Rhai's with its type names in the words of policies.
fn in_words(text: &str) -> String {
    let mut text = text.to_owned();
    for (from, to) in [
        ("&str | ImmutableString | String", "text"),
        ("&str | immutablestring | string", "text"),
        ("string", "text"),
        ("i64", "integer"),
        ("f64", "number"),
        ("bool", "truth"),
        ("array", "list"),
        ("jiff::timestamp::Timestamp", "moment"),
        ("jiff::signed_duration::SignedDuration", "duration"),
    ] {
        text = text.replace(from, to);
    }
    text
}

#[cfg(test)]
mod tests;
