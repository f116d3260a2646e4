//! `sluice evidence`.

use std::path::PathBuf;

use jiff::Timestamp;
use sluice_engine::attest::Taken;
use sluice_engine::evidence::{MOST_BYTES, MaskingPredicate};
use sluice_model::EnvironmentName;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::input;
use crate::moment;
use crate::page::Page;
use crate::table::Rows;

/// What is typed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Bring a JUnit XML report, or a statement that somebody else signed (DSSE).
    #[command(
        after_help = "Examples:\n  sluice evidence add junit.xml --app Orders --environment development\n  sluice evidence add junit.xml --app Orders --version 1.4 --environment staging\n  sluice evidence add statement.dsse.json\n\nWho brings a report vouches for it with their key. Which of both a file is shows by its content."
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

/// Evidence in a file.
#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// The report or statement.
    file: PathBuf,
    /// The app that was tested, by name or id; a signed statement says it itself.
    #[arg(long)]
    app: Option<String>,
    /// The version that was tested [default: the newest].
    #[arg(long)]
    version: Option<String>,
    /// The environment where it was tested.
    #[arg(long, value_name = "ENV")]
    environment: Option<EnvironmentName>,
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
    let bytes = input::file(&arguments.file, MOST_BYTES as u64)?;
    let name = arguments.file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if is_json(&bytes) {
        return taken(&workspace.add_envelope(&actor, &name, &bytes)?);
    }
    let (Some(app), Some(environment)) = (&arguments.app, &arguments.environment) else {
        return Err(Failure::usage(
            format!("`{name}` is a report, and it is not said of what"),
            "add `--app APP --environment ENV`, and `--version` unless the newest was tested",
        ));
    };
    let app = workspace.app(&mut workspace.work(), app)?;
    let cut = workspace.version(&app.id, arguments.version.as_deref())?;
    let report = workspace.add_tests(&actor, &name, &bytes, &app.id, cut.bundle, environment)?;
    let mut answer = taken(&report)?;
    answer.page.line(format!("about   {} {}", app.name, cut.version));
    Ok(answer)
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
    taken(&workspace.add_masking(&actor, &predicate)?)
}

fn taken(taken: &Taken) -> Result<Answer, Failure> {
    let mut page = Page::new();
    page.line(format!("took evidence of type {}", taken.predicate_type));
    page.line(format!("says    {}", taken.says));
    page.line(format!("where   {}", taken.environment));
    page.line(format!("signer  {}", taken.issuer));
    if let Some(bundle) = &taken.bundle {
        page.line(format!("bundle  {}", bundle.short()));
    }
    Answer::new(taken, page)
}

fn list(context: &Context, app: Option<&str>) -> Result<Answer, Failure> {
    let brought = context.open()?.brought_evidence(app)?;
    let mut rows = Rows::new(&["TYPE", "ABOUT", "ENVIRONMENT", "SIGNER", "RECEIVED", "ENVELOPE"]);
    for one in &brought {
        rows.row([
            one.predicate_type.clone(),
            one.about.clone(),
            one.environment.to_string(),
            one.issuer.clone(),
            one.received_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
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
