//! `sluice policy try`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use sluice_engine::Error;
use sluice_engine::config::{Config, Transition};
use sluice_engine::decisions::{List, Replays};
use sluice_model::EnvironmentName;
use sluice_model::verdict::{Level, Outcome};
use sluice_policy::cases::{Case, Suite, read_suite};
use sluice_policy::facts::MOST_FACT_BYTES;
use sluice_policy::trace::{Trace, trace};
use sluice_policy::{Facts, Gate, GateSpec, Policy, ReadyFacts, Sandbox, Selector};

use super::{compiled, packs};
use crate::answer::{Answer, Exit};
use crate::context::Context;
use crate::failure::Failure;
use crate::input;
use crate::page::{Page, Style};
use crate::show::{self, Depth};

const EXAMPLES: &str = "\
Examples:
  sluice policy try --in staging --refusal 2 --gate window
  sluice policy try drafts/release-window --in staging --promotion 3
  sluice policy try policies/x --facts policies/x/tests/cases.toml --case 'open passes'
  sluice policy try policies/approvals --facts facts.json --parameter 'roles={\"ops\": 2}'

Asks one policy, as a hard gate, and tells each statement that ran with what it set. Ends with exit
code 0 where it passes, 3 where it denies, 5 where something is missing and 1 where it breaks.
Nothing is changed.";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group(clap::ArgGroup::new("number").args(["promotion", "refusal"])), group(clap::ArgGroup::new("on").required(true).args(["environment", "facts"])))]
pub(crate) struct Arguments {
    /// The pack's folder [default: the pack that was kept with the decision].
    #[arg(value_name = "PACK", required_unless_present = "environment")]
    pack: Option<PathBuf>,
    /// Take the facts of a decision that was kept of this environment.
    #[arg(long = "in", value_name = "ENV", requires = "number")]
    environment: Option<EnvironmentName>,
    /// The decision that let this promotion, release or rollback through.
    #[arg(long, value_name = "N", requires = "environment")]
    promotion: Option<u64>,
    /// The decision that refused, by its number among the refusals.
    #[arg(long, value_name = "N", requires = "environment")]
    refusal: Option<u64>,
    /// The gate whose parameters are taken, where several ask the policy.
    #[arg(long, value_name = "GATE", requires = "environment")]
    gate: Option<String>,
    /// Take the facts of this file: facts as JSON, or a file of cases.
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// The case of the file, by its name.
    #[arg(long, value_name = "NAME", requires = "facts")]
    case: Option<String>,
    /// A parameter, as JSON or plain text, in place of what the gate or case gives.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, Value)>,
}

/// Reads `NAME=VALUE`; what is no JSON is a text.
fn parameter(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write `NAME=VALUE`, such as `max_age=7d`")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((name.to_owned(), value))
}

/// What a policy is tried on.
struct Trial {
    policy: Arc<Policy>,
    facts: Arc<Facts>,
    parameters: BTreeMap<String, Value>,
    /// What the facts are of, in words.
    of: String,
}

/// Asks one policy, and tells how it came to what it says.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let sandbox = Sandbox::new(context.stopwatch());
    let mut trial = match &arguments.facts {
        Some(file) => on_file(context, arguments, &sandbox, file)?,
        None => on_decision(context, arguments, &sandbox)?,
    };
    trial.parameters.extend(arguments.parameters.iter().cloned());
    let manifest = trial.policy.pack().manifest();
    let spec = GateSpec {
        name: manifest.name.clone(),
        pack: trial.policy.pack().digest(),
        level: Level::Hard,
        waivable: false,
        parameters: trial.parameters.clone(),
        selector: Selector::default(),
    };
    let gate = Gate::new(spec, &trial.policy)
        .map_err(|error| Failure::usage(error.to_string(), "give it with `--parameter NAME=VALUE`"))?;
    let ready = ReadyFacts::new(Arc::clone(&trial.facts))
        .map_err(|error| Failure::failed(error.to_string(), "set `now` of the facts right"))?;
    let decision = sandbox.decide(std::slice::from_ref(&gate), &ready, &[], None).decision;
    let (_, trace) = trace(context.stopwatch(), &gate, &ready)
        .map_err(|error| Failure::failed(error.to_string(), "mend the pack"))?;
    let mut page = Page::new();
    page.line(format!("{} {} on {}", manifest.name, manifest.version, trial.of));
    show::decision(&mut page, &decision, Depth::Full);
    tell(&mut page, &trace);
    let data = json!({
        "policy": manifest.name,
        "version": manifest.version,
        "of": trial.of,
        "parameters": trial.parameters,
        "outcome": decision.outcome,
        "gates": decision.gates,
        "trace": trace,
    });
    let exit = match decision.outcome {
        Outcome::Allowed => Exit::Done,
        Outcome::Pending => Exit::Pending,
        Outcome::Denied => Exit::Denied,
        Outcome::Fault => Exit::Failed,
    };
    Ok(Answer::new(&data, page)?.exit(exit))
}

/// The pack that was named, if one was.
fn named(
    context: &Context,
    arguments: &Arguments,
    sandbox: &Sandbox,
) -> Result<Option<Arc<Policy>>, Failure> {
    let Some(path) = &arguments.pack else { return Ok(None) };
    let mut packs = packs(context, std::slice::from_ref(path))?;
    match (packs.pop(), packs.pop()) {
        (Some(pack), None) => compiled(sandbox, pack).map(Some),
        _ => Err(Failure::usage(
            format!("`{}` holds several packs", path.display()),
            "name the folder of one pack",
        )),
    }
}

fn on_file(
    context: &Context,
    arguments: &Arguments,
    sandbox: &Sandbox,
    file: &Path,
) -> Result<Trial, Failure> {
    let Some(policy) = named(context, arguments, sandbox)? else {
        return Err(Failure::usage("which policy is not said", "name the folder of a pack"));
    };
    let bytes = input::file(file, MOST_FACT_BYTES as u64)?;
    let unread =
        |problem: String| Failure::failed(format!("`{}`: {problem}", file.display()), "mend the file");
    if let Some(name) = &arguments.case {
        let text = std::str::from_utf8(&bytes).map_err(|error| unread(error.to_string()))?;
        let is_toml = file.extension().is_some_and(|extension| extension == "toml");
        let suite: Suite = read_suite(text, is_toml).map_err(|(_, problem)| unread(problem))?;
        let case: &Case = suite.cases.iter().find(|case| case.name == *name).ok_or_else(|| {
            let known: Vec<String> = suite.cases.iter().map(|case| format!("`{}`", case.name)).collect();
            Failure::usage(
                format!("`{}` has no case `{name}`", file.display()),
                format!("its cases are {}", known.join(", ")),
            )
        })?;
        let facts = case.facts(&suite).map_err(unread)?;
        let (parameters, of) = (case.parameters.clone(), format!("case `{name}` of {}", file.display()));
        return Ok(Trial { policy, facts: Arc::new(facts), parameters, of });
    }
    let facts = Facts::read(&bytes).map_err(|error| {
        Failure::failed(
            format!("`{}`: {error}", file.display()),
            "give facts as JSON, or name a case of a file of cases with `--case NAME`",
        )
    })?;
    let of = file.display().to_string();
    Ok(Trial { policy, facts: Arc::new(facts), parameters: BTreeMap::new(), of })
}

fn on_decision(context: &Context, arguments: &Arguments, sandbox: &Sandbox) -> Result<Trial, Failure> {
    let workspace = context.open()?;
    let work = workspace.work();
    let replays = Replays::over(&work);
    let (list, number) = match (arguments.promotion, arguments.refusal) {
        (Some(number), _) => (List::Promotions, number),
        (None, number) => (List::Refusals, number.unwrap_or_default()),
    };
    let Some(environment) = &arguments.environment else {
        return Err(Failure::usage("which decision is not said", "add `--in ENV`"));
    };
    let kept = workspace.kept_decision(environment, list, number)?;
    let decision = replays.decision(&kept)?;
    let draft = named(context, arguments, sandbox)?;
    let input = &decision.input;
    let mut meant = Vec::new();
    for spec in &input.gates {
        let policy = replays.policy(&spec.pack).ok_or(Error::ContentMissing(spec.pack))?;
        let is_named = arguments.gate.as_ref().is_none_or(|gate| *gate == spec.name);
        let name = &policy.pack().manifest().name;
        if is_named && draft.as_ref().is_none_or(|draft| draft.pack().manifest().name == *name) {
            meant.push((spec, policy));
        }
    }
    let facts = Arc::clone(&input.facts);
    let of = kept.name();
    match (meant.as_slice(), draft) {
        ([(spec, _)], Some(policy)) => Ok(Trial { policy, facts, parameters: spec.parameters.clone(), of }),
        ([(spec, kept)], None) => {
            let policy = compiled(sandbox, kept.pack().clone())?;
            Ok(Trial { policy, facts, parameters: spec.parameters.clone(), of })
        }
        // A policy that no gate of the decision asked is tried as it is attached now.
        ([], Some(policy)) => {
            let (parameters, how) =
                attached(workspace.config()?, &policy, &facts, arguments.gate.as_deref())?;
            Ok(Trial { policy, facts, parameters, of: format!("{of}, which did not ask it, {how}") })
        }
        (meant, _) => {
            let names: Vec<String> = input.gates.iter().map(|spec| format!("`{}`", spec.name)).collect();
            let how_many = if meant.is_empty() { "no gate" } else { "more than one gate" };
            Err(Failure::usage(
                format!("{how_many} of {of} is meant"),
                format!("name one with `--gate`: {}", names.join(", ")),
            ))
        }
    }
}

/// The parameters of the gate that has a policy now, for a transition into the same environment, and
/// whose they are in words.
fn attached(
    config: &Config,
    policy: &Policy,
    facts: &Facts,
    gate: Option<&str>,
) -> Result<(BTreeMap<String, Value>, String), Failure> {
    let name = &policy.pack().manifest().name;
    let here = |transition: &Transition| *transition.environment() == facts.transition.to.name;
    let of_policy = config
        .transitions
        .iter()
        .filter(|(transition, _)| here(transition))
        .flat_map(|(_, rules)| &rules.gates)
        .filter(|attached| attached.policy.as_str() == *name);
    let meant: Vec<_> =
        of_policy.filter(|attached| gate.is_none_or(|gate| attached.name.as_str() == gate)).collect();
    match (meant.as_slice(), gate) {
        ([], None) => Ok((BTreeMap::new(), "with its own defaults".to_owned())),
        ([], Some(gate)) => Err(Failure::usage(
            format!("no gate `{gate}` before {} asks the policy `{name}`", facts.transition.to.name),
            "leave `--gate` out, and give parameters with `--parameter NAME=VALUE`",
        )),
        ([first, more @ ..], _) if more.iter().all(|other| other.parameters == first.parameters) => {
            let parameters = first.parameters.clone().into_iter().collect();
            Ok((parameters, format!("with the parameters of the gate `{}`", first.name)))
        }
        (several, _) => {
            let names: Vec<String> = several.iter().map(|attached| format!("`{}`", attached.name)).collect();
            Err(Failure::usage(
                format!("several gates ask the policy `{name}`, with other parameters each"),
                format!("name one with `--gate`: {}", names.join(", ")),
            ))
        }
    }
}

/// Tells what ran.
fn tell(page: &mut Page, trace: &Trace) {
    if trace.steps.is_empty() {
        return;
    }
    page.heading("TRACE");
    for step in &trace.steps {
        page.line(format!("{}:{:<4} {}", step.file, step.line, step.source));
        for (name, value) in &step.set {
            page.styled(Style::Quiet, format!("      {name} = {value}"));
        }
    }
    if trace.is_cut {
        page.styled(Style::Notice, "… and more steps, which are not kept");
    }
    page.gap().line(format!("facts read: {}", trace.read.join(", ")));
}
