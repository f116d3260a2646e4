//! `sluice binding`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sluice_engine::Workspace;
use sluice_engine::probe::Through;
use sluice_engine::settings::{Binding, Setting, set_option, slots_in};
use sluice_engine::state::Work;
use sluice_model::content::{self, Part};
use sluice_model::slot::{SecretShape, SlotRule};
use sluice_model::{EnvironmentName, Object, Pointer, SecretRef, SlotName};
use sluice_vault::edge::{Roots, SystemNetwork};

use super::check::by_what_was_adopted;
use crate::answer::{Answer, Exit};
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style, quoted};
use crate::show::{self, with_marks_named};
use crate::table::Rows;

/// What is typed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the data sources and what an environment has bound for each.
    #[command(after_help = "Examples:\n  sluice binding list staging")]
    List {
        /// The environment.
        #[arg(value_name = "ENV")]
        environment: EnvironmentName,
    },
    /// Show the binding of a data source, or what an import proposed for it.
    #[command(after_help = "Examples:\n  sluice binding show staging orders-db")]
    Show {
        /// The environment.
        #[arg(value_name = "ENV")]
        environment: EnvironmentName,
        /// The data source's name or id.
        source: String,
    },
    /// Take the binding that an import proposed, where there is none yet.
    #[command(
        after_help = "Examples:\n  sluice binding adopt staging orders-db\n  sluice binding adopt staging --all"
    )]
    Adopt {
        /// The environment.
        #[arg(value_name = "ENV")]
        environment: EnvironmentName,
        /// The data source's name or id.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        source: Option<String>,
        /// Take every proposal for this environment.
        #[arg(long)]
        all: bool,
    },
    /// Change options of a data source's binding, or say which secret fills a slot.
    #[command(
        after_help = "Examples:\n  sluice binding set staging orders-db /host/value=db.staging.example /port/value=5433\n  sluice binding set staging orders-db --slot password=secret://staging/shared/db\n\nA value is JSON where it can be read as such, else text; to write the text 5433, type '\"5433\"' in\nthe shell's quotes. What stands at a secret's place is refused: file it with `sluice secret set`."
    )]
    Set {
        /// The environment.
        #[arg(value_name = "ENV")]
        environment: EnvironmentName,
        /// The data source's name or id.
        source: String,
        /// A JSON pointer into the native options, and the value.
        #[arg(value_name = "/POINTER=VALUE", value_parser = option, required_unless_present = "slots")]
        options: Vec<(Pointer, Value)>,
        /// Fill a secret slot with a secret of this environment.
        #[arg(long = "slot", value_name = "NAME=secret://ENV/PATH", value_parser = slot)]
        slots: Vec<(SlotName, SecretRef)>,
    },
    /// Ask whether a data source can be reached in an environment, and takes its credentials.
    #[command(
        after_help = "Examples:\n  sluice binding probe staging orders-db\n\nThe plugin asks what its manifest asks for and `probe` of its `[[plugin]]` grants, nothing else.\nWhat it found is kept, and gates can ask for it.\n`-v` tells each question and what came of it, and `-o json` has them as `asked`: without secrets,\nheaders and bodies."
    )]
    Probe {
        /// The environment.
        #[arg(value_name = "ENV")]
        environment: EnvironmentName,
        /// The data source's name or id.
        source: String,
    },
    /// Remove a data source's binding.
    #[command(after_help = "Examples:\n  sluice binding remove staging orders-db")]
    Remove {
        /// The environment.
        #[arg(value_name = "ENV")]
        environment: EnvironmentName,
        /// The data source's name or id.
        source: String,
    },
}

/// Reads `/POINTER=VALUE`.
fn option(text: &str) -> Result<(Pointer, Value), String> {
    // What was typed may hold a secret and is not repeated.
    let wrong = || "write a JSON pointer and a value, such as `/host/value=db.example`".to_owned();
    let (at, value) = text.split_once('=').ok_or_else(wrong)?;
    let at: Pointer = at.parse().map_err(|_| wrong())?;
    if at.tokens().is_empty() {
        return Err(wrong());
    }
    Ok((at, serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
}

/// Reads `NAME=secret://ENV/PATH`.
fn slot(text: &str) -> Result<(SlotName, SecretRef), String> {
    let (name, reference) =
        text.split_once('=').ok_or_else(|| "write `SLOT=secret://ENVIRONMENT/PATH`".to_owned())?;
    let name = SlotName::new(name).map_err(|e| e.to_string())?;
    let reference = reference.parse().map_err(|_| "write `SLOT=secret://ENVIRONMENT/PATH`".to_owned())?;
    Ok((name, reference))
}

/// Probes.
fn probe(context: &Context, environment: &EnvironmentName, source: &str) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let working = context.working("probing");
    let through = Through { network: Arc::new(SystemNetwork), roots: Roots::of_system() };
    let report = workspace.probe(&actor, environment, source, through)?;
    drop(working);
    for exchange in &report.asked {
        tracing::debug!("asked: {exchange}");
    }
    let mut page = Page::new();
    page.heading(format!("{} in {environment}", report.name));
    page.line(format!("reachable:          {}", show::answered(report.reachable)));
    page.line(format!("credentials taken:  {}", show::answered(report.authenticated)));
    for note in &report.notes {
        page.styled(Style::Notice, note.to_string());
        page.line(note.fix.as_deref().map(|fix| format!("  fix: {fix}")).unwrap_or_default());
    }
    let data = json!({
        "source": report.source, "name": report.name, "environment": environment, "plugin": report.plugin,
        "reachable": report.reachable, "authenticated": report.authenticated, "notes": report.notes,
        "asked": report.asked, "used": report.used,
    });
    let answer = by_what_was_adopted(&workspace, Answer::new(&data, page)?);
    let is_bad = report.reachable == Some(false) || report.authenticated == Some(false);
    Ok(if is_bad { answer.exit(Exit::Failed) } else { answer })
}

/// Runs `sluice binding`.
pub(crate) fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::List { environment } => list(context, &environment),
        Command::Show { environment, source } => show(context, &environment, &source),
        Command::Probe { environment, source } => probe(context, &environment, &source),
        Command::Adopt { environment, source, .. } => adopt(context, &environment, source.as_deref()),
        Command::Set { environment, source, options, slots } => {
            set(context, &environment, &source, options, &slots)
        }
        Command::Remove { environment, source } => remove(context, &environment, &source),
    }
}

fn list(context: &Context, environment: &EnvironmentName) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let mut work = workspace.work();
    let settings = workspace.settings(&mut work, environment)?;
    let bindings = settings.bindings(&work)?;
    let mut rows = Rows::new(&["SOURCE", "KIND", "BINDING", "SECRETS OFFERED", "ID"]);
    let mut data = Vec::new();
    for source in workspace.data_sources(&mut work)? {
        let binding = bindings.get(source.id.as_str());
        let is_proposed = workspace.proposal(&mut work, environment, &source.id)?.is_some();
        let state = match (binding, is_proposed) {
            (Some(binding), _) if Some(&binding.kind) != source.source_kind.as_ref() => "of another kind",
            (Some(_), _) => "bound",
            (None, true) => "proposed",
            (None, false) => "none",
        };
        let now = context.ambient().now();
        let offered = settings.offered(&work, environment, &source.id, &source.name, now)?;
        let labels: Vec<String> = offered.into_iter().map(|candidate| candidate.label).collect();
        let kind = source.source_kind.as_ref().map(ToString::to_string).unwrap_or_default();
        rows.row([source.name.clone(), kind, state.to_owned(), labels.join(", "), source.id.to_string()]);
        data.push(json!({
            "source": source.id, "name": source.name, "kind": source.source_kind, "state": state,
            "offered": labels, "binding": binding,
        }));
    }
    let mut page = Page::new();
    rows.onto(&mut page, "no data sources; import an app that has one");
    Answer::new(&data, page)
}

fn show(context: &Context, environment: &EnvironmentName, named: &str) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let mut work = workspace.work();
    let source = workspace.data_source(&mut work, named)?;
    let settings = workspace.settings(&mut work, environment)?;
    let bound = settings.binding(&work, &source.id)?;
    let proposed = workspace.proposal(&mut work, environment, &source.id)?;
    let state = match (&bound, &proposed) {
        (Some(_), _) => "bound",
        (None, Some(_)) => "proposed",
        (None, None) => "none",
    };
    let mut page = Page::new();
    let kind = source.source_kind.as_ref().map(ToString::to_string).unwrap_or_default();
    page.styled(Style::Heading, format!("{} ({kind}) in {environment}: {state}", source.name));
    let options = bound.as_ref().map(|b| &b.options).or(proposed.as_ref().map(|p| &p.options));
    if let Some(options) = options {
        page.line(serde_json::to_string_pretty(&with_marks_named(options))?);
    }
    for (slot, reference) in bound.iter().flat_map(|binding| &binding.slots) {
        page.line(format!("slot {slot} <- {reference}"));
    }
    let offered = settings.offered(&work, environment, &source.id, &source.name, context.ambient().now())?;
    for candidate in &offered {
        page.line(format!("offered: {} <- {}", candidate.label, candidate.reference));
    }
    let data = json!({
        "source": source.id, "name": source.name, "kind": source.source_kind, "environment": environment,
        "state": state, "binding": bound, "proposed_options": proposed.map(|p| p.options),
        "offered": offered.into_iter().map(|c| c.reference).collect::<Vec<_>>(),
    });
    let answer = Answer::new(&data, page)?;
    let name = quoted(&source.name);
    Ok(match state {
        "proposed" => answer.hint(format!("\nNext:\n  sluice binding adopt {environment} {name}")),
        "none" => answer.hint(format!("\nNext:\n  sluice binding set {environment} {name} /OPTION=VALUE …")),
        _ => answer,
    })
}

fn adopt(context: &Context, environment: &EnvironmentName, named: Option<&str>) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let mut work = workspace.work();
    let wanted = match named {
        Some(named) => vec![workspace.data_source(&mut work, named)?],
        None => open_proposals(&workspace, &mut work, environment)?,
    };
    drop(work);
    let mut page = Page::new();
    for source in &wanted {
        workspace.adopt_binding(&actor, environment, &source.id)?;
        page.line(format!("adopted the proposed binding of `{}` in `{environment}`", source.name));
    }
    if wanted.is_empty() {
        page.styled(Style::Quiet, format!("nothing is proposed for `{environment}` that is not bound"));
    }
    let data: Vec<Value> =
        wanted.iter().map(|source| json!({ "source": source.id, "name": source.name })).collect();
    let answer = Answer::new(&json!({ "environment": environment, "adopted": data }), page)?;
    Ok(if wanted.is_empty() {
        answer
    } else {
        answer.hint(format!(
            "\nCheck that it is what {environment} should use: `sluice binding show {environment} SOURCE`"
        ))
    })
}

fn open_proposals(
    workspace: &Workspace,
    work: &mut Work<'_>,
    environment: &EnvironmentName,
) -> Result<Vec<Object>, Failure> {
    let settings = workspace.settings(work, environment)?;
    let mut open = Vec::new();
    for source in workspace.data_sources(work)? {
        let is_open = settings.binding(work, &source.id)?.is_none()
            && workspace.proposal(work, environment, &source.id)?.is_some();
        if is_open {
            open.push(source);
        }
    }
    Ok(open)
}

fn set(
    context: &Context,
    environment: &EnvironmentName,
    named: &str,
    options: Vec<(Pointer, Value)>,
    slots: &[(SlotName, SecretRef)],
) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let mut work = workspace.work();
    let source = workspace.data_source(&mut work, named)?;
    let Some(kind) = source.source_kind.clone() else {
        return Err(Failure::usage(
            format!("`{}` is part of the platform itself and is not bound", source.name),
            "leave it as it is",
        ));
    };
    let settings = workspace.settings(&mut work, environment)?;
    let before = settings.binding(&work, &source.id)?.filter(|binding| binding.kind == kind);
    drop(work);
    let is_new = before.is_none();
    let mut binding =
        before.unwrap_or_else(|| Binding { kind: kind.clone(), options: json!({}), slots: BTreeMap::new() });
    let rules = workspace.slot_rules()?.for_kind(&kind);
    for (at, value) in options {
        set_option(&mut binding.options, &at, value)?;
    }
    for (slot, reference) in slots {
        place_slot(&mut binding, slot, &rules)?;
        binding.slots.insert(slot.clone(), reference.clone());
    }
    workspace.set_binding(&actor, environment, &source.id, binding.clone())?;
    let mut page = Page::new();
    let what = if is_new { "made" } else { "changed" };
    page.line(format!("{what} the binding of `{}` in `{environment}`", source.name));
    page.line(serde_json::to_string_pretty(&with_marks_named(&binding.options))?);
    for (slot, reference) in &binding.slots {
        page.line(format!("slot {slot} <- {reference}"));
    }
    let data =
        json!({ "source": source.id, "name": source.name, "environment": environment, "binding": binding });
    Answer::new(&data, page)
}

/// Makes sure that the slot stands in the options, where it is known to lie.
fn place_slot(binding: &mut Binding, slot: &SlotName, rules: &[SlotRule]) -> Result<(), Failure> {
    let there = slots_in(&binding.options);
    if there.contains(slot) {
        return Ok(());
    }
    let known = |rule: &&SlotRule| {
        rule.name == *slot
            && rule.shape == SecretShape::Whole
            && !rule.at.tokens().iter().any(|token| token == "*")
    };
    let Some(rule) = rules.iter().find(known) else {
        let names: Vec<String> = there.iter().map(|slot| format!("`{slot}`")).collect();
        let help = if names.is_empty() {
            "see the data source's kind".to_owned()
        } else {
            format!("use one of: {}", names.join(", "))
        };
        return Err(Failure::usage(format!("the data source has no slot `{slot}`"), help));
    };
    Ok(set_option(&mut binding.options, &rule.at, content::mark(&[Part::Slot(slot.clone())]))?)
}

fn remove(context: &Context, environment: &EnvironmentName, named: &str) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let source = workspace.data_source(&mut workspace.work(), named)?;
    workspace.remove_setting(&actor, environment, &Setting::Binding(source.id.clone()))?;
    let mut page = Page::new();
    page.line(format!("removed the binding of `{}` in `{environment}`", source.name));
    Answer::new(&json!({ "source": source.id, "environment": environment, "removed": true }), page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_a_pointer_and_json_or_text() {
        for (text, at, value) in [
            ("/host/value=db.example", "/host/value", json!("db.example")),
            ("/port/value=5433", "/port/value", json!(5433)),
            ("/port/value=\"5433\"", "/port/value", json!("5433")),
            ("/ssl/value=true", "/ssl/value", json!(true)),
            ("/query=a=b", "/query", json!("a=b")),
            ("/empty=", "/empty", json!("")),
        ] {
            let (found, read) = option(text).unwrap();
            assert_eq!((found.to_string().as_str(), read), (at, value), "{text}");
        }
        for text in ["", "=", "host=x", "/host", "=x"] {
            let message = option(text).unwrap_err();
            assert!(!text.contains('x') || !message.contains("=x"), "{message}");
        }
    }

    #[test]
    fn a_slot_is_put_where_its_rule_says() {
        let kind: sluice_model::Kind = "tooljet/postgresql".parse().unwrap();
        let rules = sluice_platform::SlotRules::floor().for_kind(&kind);
        let mut binding = Binding { kind, options: json!({}), slots: BTreeMap::new() };
        let password = SlotName::new("password").unwrap();
        place_slot(&mut binding, &password, &rules).unwrap();
        assert_eq!(slots_in(&binding.options), std::slice::from_ref(&password));
        assert!(binding.options.pointer("/password/value").is_some());
        let unknown = SlotName::new("sesame").unwrap();
        assert!(place_slot(&mut binding, &unknown, &rules).unwrap_err().text(false).contains("`password`"));
    }
}
