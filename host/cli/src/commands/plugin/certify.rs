//! `sluice plugin certify` and `revalidate`: the conformance suite on the plugins that count, and what
//! follows from it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sluice_engine::attest::PluginWord;
use sluice_engine::config::PluginName;
use sluice_engine::evidence::Validated;
use sluice_engine::{Actor, Workspace};
use sluice_plugin::Host;
use sluice_plugin::conformance::{Check, Grade, Outcome, Report, Weight};
use sluice_policy::facts;

use super::subject::{self, Subject};
use super::{project, test};
use crate::answer::{Answer, Exit};
use crate::context::Context;
use crate::failure::Failure;
use crate::moment::{self, Moment};
use crate::page::{Page, Style, counted};
use crate::table::Rows;

const CERTIFY: &str = "\
Examples:
  sluice plugin certify sql --until 180d
  sluice plugin certify orders-db --until 2027-01-01T00:00:00Z --reason 'reviewed by security' \\
    --examples ../orders-db

Runs the conformance suite on the component that was adopted, and certifies none that does not
conform. Gates ask whether a plugin is certified now, and by whom. Examples are taken from
--examples, else from the project that the component lies in. To certify on your word alone, without
the suite, use `sluice evidence add --plugin NAME --certify-until TIME`.";

const REVALIDATE: &str = "\
Examples:
  sluice plugin revalidate
  sluice plugin revalidate --expiring 30d
  sluice plugin revalidate sql http

Runs the conformance suite again on each plugin that is certified, and keeps what it found: gates
see whether a plugin conformed, and how long ago. A certificate is neither prolonged nor taken back
by it.
Ends with exit code 1 where a plugin no longer conforms.";

/// What is typed for `certify`.
#[derive(Debug, clap::Args)]
#[command(after_help = CERTIFY)]
pub(crate) struct Certify {
    /// The plugin.
    name: PluginName,
    /// Until when it may be used: a time, or how long from now.
    #[arg(long, value_name = "TIME|DURATION", value_parser = moment::moment)]
    until: Moment,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The plugin's project, whose examples are played too.
    #[arg(long, value_name = "PATH")]
    examples: Option<PathBuf>,
}

/// What is typed for `revalidate`.
#[derive(Debug, clap::Args)]
#[command(after_help = REVALIDATE)]
pub(crate) struct Revalidate {
    /// The plugins [default: all that are certified, also where that has ended].
    #[arg(value_name = "NAME")]
    names: Vec<PluginName>,
    /// Only those whose certificate ends within that time, or has ended.
    #[arg(long, value_name = "TIME|DURATION", value_parser = moment::moment, conflicts_with = "names")]
    expiring: Option<Moment>,
}

/// Certifies one.
pub(super) fn run_certify(context: &Context, arguments: &Certify) -> Result<Answer, Failure> {
    let Certify { name, until, reason, examples } = arguments;
    let (workspace, actor) = context.open_as_actor()?;
    let until = until.from(context.ambient().now());
    let report = suite(context, &workspace, &workspace.host()?, name.as_str(), examples.as_deref())?;
    let word =
        PluginWord::Certified { until, reason: reason.clone(), report: Some(Box::new(report.clone())) };
    let taken = workspace.add_plugin_word(&actor, name.as_str(), word)?;
    let (validated, _) = Validated::of(&report)?;
    let mut page = Page::new();
    page.styled(Style::Good, format!("certified {name} until {}", moment::told(until)));
    page.line(format!("plugin  {}", report.digest));
    page.line(format!(
        "grade   {}, by version {} of the conformance suite",
        validated.grade, validated.suite
    ));
    for line in found(&report) {
        page.line(format!("        {line}"));
    }
    page.line(format!("report  {}", validated.report));
    page.line(format!("signer  {}", taken.issuer));
    let data = json!({
        "name": name, "digest": report.digest, "until": until, "reason": reason, "by": taken.issuer,
        "validated": validated, "report": test::graded(&report),
    });
    Answer::new(&data, page)
}

/// Runs the suite again on those that are certified.
pub(super) fn run_revalidate(context: &Context, arguments: &Revalidate) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let host = workspace.host()?;
    let mut rows = Rows::new(&["PLUGIN", "VERSION", "CERTIFIED UNTIL", "BY", "GRADE"]);
    let (mut data, mut failing) = (Vec::new(), Vec::new());
    for plugin in meant(context, &workspace, arguments)? {
        let (told, report) = validate(context, &workspace, &actor, &host, &plugin)?;
        rows.row([
            plugin.name.clone(),
            if plugin.version.is_empty() { "-".to_owned() } else { plugin.version.clone() },
            plugin.certified_until.map_or_else(|| "-".to_owned(), moment::told),
            plugin.certified_by.clone().unwrap_or_else(|| "-".to_owned()),
            report.grade().to_string(),
        ]);
        data.push(told);
        if report.grade() == Grade::Fails {
            failing.push((plugin, report));
        }
    }
    let mut page = Page::new();
    rows.onto(&mut page, "no plugin is certified, or none of those that are meant");
    for (plugin, report) in &failing {
        page.gap().styled(Style::Bad, format!("{} {} no longer conforms", plugin.name, plugin.version));
        for line in found(report) {
            page.line(format!("  {line}"));
        }
    }
    let answer = Answer::new(&data, page)?;
    let Some((first, _)) = failing.first() else { return Ok(answer) };
    Ok(answer.exit(Exit::Failed).hint(format!(
        "\n{} may not be relied on any more. Take another version, or revoke it, so that it makes no data source:\n  \
         sluice plugin upgrade {}\n  sluice evidence add --plugin {} --revoke 'it no longer conforms'",
        counted(failing.len(), "plugin", "plugins"),
        first.name,
        first.name,
    )))
}

/// The plugins that are meant, in order of their names.
fn meant(
    context: &Context,
    workspace: &Workspace,
    arguments: &Revalidate,
) -> Result<Vec<facts::Plugin>, Failure> {
    let Revalidate { names, expiring } = arguments;
    let mut told = workspace.told_of_plugins()?;
    if let Some(name) = names.iter().find(|name| !told.iter().any(|plugin| plugin.name == name.as_str())) {
        // The engine knows what else was meant.
        workspace.component(name.as_str())?;
    }
    if names.is_empty() {
        let before = expiring.map(|moment| moment.from(context.ambient().now()));
        let ends = |plugin: &facts::Plugin| {
            plugin.certified_until.is_some_and(|until| before.is_none_or(|before| until <= before))
        };
        told.retain(|plugin| ends(plugin) && !plugin.is_revoked);
    } else {
        told.retain(|plugin| names.iter().any(|name| name.as_str() == plugin.name));
    }
    told.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(told)
}

fn validate(
    context: &Context,
    workspace: &Workspace,
    actor: &Actor,
    host: &Host,
    plugin: &facts::Plugin,
) -> Result<(Value, Report), Failure> {
    let report = suite(context, workspace, host, &plugin.name, None)?;
    let word = PluginWord::Validated { report: Box::new(report.clone()) };
    workspace.add_plugin_word(actor, &plugin.name, word)?;
    let (validated, _) = Validated::of(&report)?;
    let told = json!({
        "name": plugin.name, "version": plugin.version, "digest": plugin.digest,
        "certified_by": plugin.certified_by, "certified_until": plugin.certified_until,
        "conforms": validated.conforms(), "validated": validated, "found": found(&report),
    });
    Ok((told, report))
}

/// What the suite finds of a plugin as it was adopted.
fn suite(
    context: &Context,
    workspace: &Workspace,
    host: &Host,
    name: &str,
    examples: Option<&Path>,
) -> Result<Report, Failure> {
    let bytes = workspace.component(name)?;
    let examples = match examples {
        Some(folder) => project::examples(folder)?,
        None => {
            let configured = name.parse().ok().and_then(|name: PluginName| {
                let plugin = workspace.config().ok()?.plugins.get(&name)?;
                Some(context.found_folder()?.join(&plugin.path))
            });
            configured.as_deref().map(subject::examples_of).transpose()?.unwrap_or_default()
        }
    };
    let subject = Subject { name: name.to_owned(), bytes, examples };
    let working = context.working("asking the plugin");
    let report = test::suite(&subject).run(host, &subject.name, &subject.bytes);
    drop(working);
    Ok(report)
}

/// What a report has against a plugin, in lines.
fn found(report: &Report) -> Vec<String> {
    let failed = report.checks.iter().filter_map(|Check { id, weight, outcome, .. }| {
        let Outcome::Failed(found) = outcome else { return None };
        let without = match weight {
            Weight::Must => "",
            Weight::Should => " (a plugin conforms without it)",
        };
        Some(format!("{id}{without}: {}", found.join("; ")))
    });
    let skipped = report.checks.iter().filter_map(|Check { id, outcome, .. }| match outcome {
        Outcome::Skipped(why) => Some(format!("{id} was skipped: {why}")),
        _ => None,
    });
    failed.chain(skipped).collect()
}
