//! `sluice evidence`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sluice_engine::attest::{About, PluginWord, Taken};
use sluice_engine::evidence::{MOST_BYTES, MaskingPredicate};
use sluice_model::EnvironmentName;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::input;
use crate::moment::{self, Moment};
use crate::page::Page;
use crate::table::Rows;

/// What is typed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Bring a report, a measurement, your own word, or a statement that somebody else signed (DSSE).
    #[command(
        after_help = "Examples:\n  sluice evidence add junit.xml --app Orders --environment development\n  sluice evidence add --coverage lcov.info --app Orders --environment development\n  sluice evidence add --performance page.json --app Orders --environment staging\n  sluice evidence add --accept user-acceptance --app Orders --version 1.4 --environment staging\n  sluice evidence add --plugin sql --certify-until 180d\n  sluice evidence add statement.dsse.json\n\nWho brings a report vouches for it with their key. Whether FILE is a report or a statement shows by\nits content."
    )]
    Add(Add),
    /// State how the data behind a data source were masked; you vouch for it with your key.
    #[command(
        after_help = "Examples:\n  sluice evidence masking --environment staging --source orders-db --method pseudonymised \\\n    --tool \"masker 1.2\" --columns 12 --rows 5000 --checked 200"
    )]
    Masking(Masking),
    /// List the evidence that was brought.
    #[command(after_help = "Examples:\n  sluice evidence list\n  sluice evidence list --app Orders")]
    List {
        /// Only what is about versions of this app, by name or id.
        #[arg(long)]
        app: Option<String>,
    },
}

/// Evidence, of one sort.
#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    #[command(flatten)]
    what: What,
    /// The app it is about, by name or id; a signed statement says it itself.
    #[arg(long)]
    app: Option<String>,
    /// The version it is about [default: the newest]; with `--sign`, the plugin's.
    #[arg(long)]
    version: Option<String>,
    /// The environment where it was tested, measured or seen.
    #[arg(long, value_name = "ENV")]
    environment: Option<EnvironmentName>,
    /// The suite whose coverage it is [default: the report's own name].
    #[arg(long, value_name = "NAME", requires = "coverage")]
    suite: Option<String>,
    /// What you say to what you accept or reject.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["file", "coverage", "performance", "plugin"])]
    reason: Option<String>,
    #[command(flatten)]
    word: Word,
}

/// What is brought.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct What {
    /// A JUnit XML report, or a statement that somebody else signed (DSSE).
    file: Option<PathBuf>,
    /// A coverage report (LCOV).
    #[arg(long, value_name = "FILE")]
    coverage: Option<PathBuf>,
    /// A measurement: JSON with `measure`, `samples` and `p95_ms`.
    #[arg(long, value_name = "FILE")]
    performance: Option<PathBuf>,
    /// Accept the version as to this, such as `user-acceptance`.
    #[arg(long, value_name = "SCOPE")]
    accept: Option<String>,
    /// Reject the version as to this.
    #[arg(long, value_name = "SCOPE")]
    reject: Option<String>,
    /// Say something of this plugin of the configuration.
    #[arg(long, value_name = "NAME", requires = "Word", conflicts_with_all = ["app", "environment"])]
    plugin: Option<String>,
}

/// What is said of a plugin.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(crate) struct Word {
    /// You publish it.
    #[arg(long, requires_all = ["plugin", "version"])]
    sign: bool,
    /// It may be used until then: a time, or how long from now.
    #[arg(long, value_name = "TIME|DURATION", value_parser = moment::moment, requires = "plugin")]
    certify_until: Option<Moment>,
    /// It may not be used any more, and why.
    #[arg(long, value_name = "REASON", requires = "plugin")]
    revoke: Option<String>,
}

/// How data were masked.
#[derive(Debug, clap::Args)]
pub(crate) struct Masking {
    /// The environment whose data they are.
    #[arg(long, value_name = "ENV")]
    environment: EnvironmentName,
    /// The data source, by name or id.
    #[arg(long)]
    source: String,
    /// How, such as `synthetic` or `pseudonymised`; the gate says which words count.
    #[arg(long)]
    method: String,
    /// What masked them, with its version.
    #[arg(long)]
    tool: String,
    /// How many columns or fields hold personal data and were masked.
    #[arg(long, value_name = "N")]
    columns: u64,
    /// How many rows or documents were masked.
    #[arg(long, value_name = "N")]
    rows: u64,
    /// How many rows or documents were looked at afterwards.
    #[arg(long, value_name = "N")]
    checked: u64,
    /// When that was done [default: now].
    #[arg(long, value_name = "TIME", value_parser = moment::time)]
    at: Option<Timestamp>,
}

/// Runs `sluice evidence`.
pub(crate) fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Add(arguments) => add(context, &arguments),
        Command::Masking(arguments) => masking(context, arguments),
        Command::List { app } => list(context, app.as_deref()),
    }
}

fn add(context: &Context, arguments: &Add) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let What { file, coverage, performance, accept, reject, plugin } = &arguments.what;
    if let Some(plugin) = plugin {
        let word = arguments.word.said(arguments.version.as_deref(), context)?;
        return taken(&[workspace.add_plugin_word(&actor, plugin, word)?]);
    }
    if let Some((name, bytes)) = file.as_deref().map(read).transpose()?
        && is_json(&bytes)
    {
        return taken(&[workspace.add_envelope(&actor, &name, &bytes)?]);
    }
    let (Some(app), Some(environment)) = (&arguments.app, &arguments.environment) else {
        return Err(Failure::usage(
            "it is not said of what this is evidence",
            "add `--app APP --environment ENV`, and `--version` unless it is about the newest",
        ));
    };
    let app = workspace.app(&mut workspace.work(), app)?;
    let cut = workspace.version(&app.id, arguments.version.as_deref())?;
    let about = About { app: &app.id, bundle: cut.bundle, environment };
    let found = if let Some((scope, accepted)) =
        accept.as_ref().map(|scope| (scope, true)).or_else(|| reject.as_ref().map(|scope| (scope, false)))
    {
        vec![workspace.add_acceptance(&actor, scope, accepted, arguments.reason.clone(), about)?]
    } else if let Some(file) = coverage {
        let (name, bytes) = read(file)?;
        workspace.add_coverage(&actor, &name, &bytes, arguments.suite.as_deref(), about)?
    } else if let Some(file) = performance {
        let (name, bytes) = read(file)?;
        vec![workspace.add_performance(&actor, &name, &bytes, about)?]
    } else {
        let (name, bytes) = file.as_deref().map(read).transpose()?.unwrap_or_default();
        vec![workspace.add_tests(&actor, &name, &bytes, about)?]
    };
    let mut answer = taken(&found)?;
    answer.page.line(format!("about   {} {}", app.name, cut.version));
    Ok(answer)
}

impl Word {
    /// What is meant, now.
    fn said(&self, version: Option<&str>, context: &Context) -> Result<PluginWord, Failure> {
        match (self, version) {
            (Self { sign: true, .. }, Some(version)) => {
                Ok(PluginWord::Published { version: version.to_owned() })
            }
            (Self { certify_until: Some(until), .. }, _) => {
                let until = until.from(context.ambient().now());
                Ok(PluginWord::Certified { until, reason: None, report: None })
            }
            (Self { revoke: Some(reason), .. }, _) => Ok(PluginWord::Revoked { reason: reason.clone() }),
            _ => Err(Failure::usage(
                "nothing is said of the plugin",
                "add `--sign --version VERSION`, `--certify-until TIME` or `--revoke REASON`",
            )),
        }
    }
}

/// A file with its name.
fn read(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    let bytes = input::file(path, MOST_BYTES as u64)?;
    Ok((path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(), bytes))
}

/// Whether the content begins as JSON does; everything else is read as a report and judged there.
fn is_json(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

fn masking(context: &Context, arguments: Masking) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let source = workspace.data_source(&mut workspace.work(), &arguments.source)?;
    let predicate = MaskingPredicate {
        environment: arguments.environment,
        source: source.id,
        method: arguments.method,
        columns_masked: arguments.columns,
        rows_masked: arguments.rows,
        rows_checked: arguments.checked,
        tool: arguments.tool,
        masked_at: arguments.at.unwrap_or_else(|| context.ambient().now()),
    };
    taken(&[workspace.add_masking(&actor, &predicate)?])
}

fn taken(all: &[Taken]) -> Result<Answer, Failure> {
    let mut page = Page::new();
    for taken in all {
        page.line(format!("took evidence of type {}", taken.predicate_type));
        page.line(format!("says    {}", taken.says));
        if let Some(environment) = &taken.environment {
            page.line(format!("where   {environment}"));
        }
        page.line(format!("signer  {}", taken.issuer));
        if let Some(bundle) = &taken.bundle {
            page.line(format!("bundle  {}", bundle.short()));
        }
        if let Some(plugin) = &taken.plugin {
            page.line(format!("plugin  {}", plugin.short()));
        }
    }
    match all {
        [one] => Answer::new(one, page),
        several => Answer::new(&several, page),
    }
}

fn list(context: &Context, app: Option<&str>) -> Result<Answer, Failure> {
    let brought = context.open()?.brought_evidence(app)?;
    let mut rows = Rows::new(&["TYPE", "ABOUT", "ENVIRONMENT", "SIGNER", "RECEIVED", "ENVELOPE"]);
    for one in &brought {
        rows.row([
            one.predicate_type.clone(),
            one.about.clone(),
            one.environment.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            one.issuer.clone(),
            moment::told(one.received_at),
            one.envelope.short(),
        ]);
    }
    let mut page = Page::new();
    rows.onto(&mut page, "no evidence");
    Answer::new(&brought, page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_told_from_a_report_by_its_content() {
        for (bytes, expected) in [
            (b"{}".as_slice(), true),
            (b" \n\t{\"a\":1}", true),
            (b"<testsuite/>", false),
            (b"\xef\xbb\xbf<x/>", false),
            (b"", false),
        ] {
            assert_eq!(is_json(bytes), expected);
        }
    }
}
