//! `sluice import`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use sluice_engine::import::{ImportReport, ImportRequest};
use sluice_engine::{Actor, Workspace};
use sluice_model::EnvironmentName;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::input;
use crate::page::{Page, Style, counted, quoted};
use crate::show;

const EXAMPLES: &str = "\
Examples:
  sluice import development orders.json
  sluice import development lowcoder-export/
  sluice import production orders-production.json --confirm 0a1b2c3d
  sluice import staging orders-staging.json --new 4f2c9d1e

What only looks like something that is known, by its name and kind, waits for your word: the command
ends with exit code 5 and prints what to run.";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The environment that the export is of.
    #[arg(value_name = "ENV")]
    environment: EnvironmentName,
    /// The export's file, or the folder whose `*.json` it is.
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Confirm exactly the matches by name that were proposed.
    #[arg(long, value_name = "DIGEST")]
    confirm: Option<String>,
    /// Say that the thing with this id of the platform is new, whatever it is called.
    #[arg(long = "new", value_name = "NATIVE_ID")]
    distinct: Vec<String>,
}

/// Imports an export.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let files = input::export(&arguments.paths, workspace.config()?.import_limit.bytes())?.files;
    let mut request = ImportRequest {
        environment: arguments.environment.clone(),
        files,
        confirm: arguments.confirm.clone(),
        distinct: arguments.distinct.iter().cloned().collect::<BTreeSet<_>>(),
    };
    match import(context, &workspace, &actor, &request) {
        Ok(report) => answer(&arguments.environment, &report),
        Err(failure) => {
            let Some((digest, matches)) = failure.matches() else { return Err(failure) };
            let (digest, count) = (digest.to_owned(), matches.len());
            let failure = failure.go_on(again(arguments, &digest));
            if !context.is_interactive() {
                return Err(failure);
            }
            console::Term::stderr()
                .write_str(&failure.text(false))
                .map_err(|e| Failure::failed(e.to_string(), ""))?;
            let question = format!("Take {} as the same?", counted(count, "match", "matches"));
            if !input::confirm(&question) {
                return Err(failure);
            }
            request.confirm = Some(digest);
            answer(&arguments.environment, &import(context, &workspace, &actor, &request)?)
        }
    }
}

fn import(
    context: &Context,
    workspace: &Workspace,
    actor: &Actor,
    request: &ImportRequest,
) -> Result<ImportReport, Failure> {
    let working = context.working("importing");
    let report = workspace.import(actor, request);
    drop(working);
    Ok(report?)
}

/// The command that goes on with these matches confirmed.
fn again(arguments: &Arguments, digest: &str) -> String {
    let mut words = vec!["sluice".to_owned(), "import".to_owned(), arguments.environment.to_string()];
    words.extend(arguments.paths.iter().map(|path| quoted(&path.display().to_string())));
    words.extend(arguments.distinct.iter().map(|id| format!("--new {}", quoted(id))));
    words.push(format!("--confirm {digest}"));
    words.join(" ")
}

/// How many bindings are proposed for which environment, of `ENVIRONMENT/SOURCE`.
fn proposals(proposals: &[String]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for proposal in proposals {
        *counts.entry(proposal.split('/').next().unwrap_or_default()).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(name, count)| format!("{} for {name}", counted(count, "binding", "bindings")))
        .collect();
    counts.join(", ")
}

fn answer(environment: &EnvironmentName, report: &ImportReport) -> Result<Answer, Failure> {
    let summary = &report.summary;
    let mut page = Page::new();
    let what = match (report.changed, summary.baseline) {
        (false, _) => "nothing changed in",
        (true, true) => "recorded native ids and differences of",
        (true, false) => "imported into",
    };
    page.styled(
        Style::Heading,
        format!(
            "{what} {environment}: {} {} export of {}",
            summary.platform,
            summary.generation,
            summary.files.join(", ")
        ),
    );
    page.line(format!(
        "objects    {} created, {} updated, {} deleted, {} unchanged",
        summary.created, summary.updated, summary.deleted, summary.unchanged
    ));
    page.line(format!("native ids {} learnt", summary.learnt));
    page.line(format!("secrets    {} taken out", summary.secrets));
    if summary.orphans > 0 {
        page.styled(
            Style::Bad,
            format!(
                "orphans    {} of no data source of the app dropped unread",
                counted(summary.orphans, "option set", "option sets")
            ),
        );
    }
    if summary.suspicions > 0 {
        page.styled(
            Style::Notice,
            format!(
                "suspicions {} like a secret and {} for a person",
                counted(summary.suspicions, "text looks", "texts look"),
                if summary.suspicions == 1 { "waits" } else { "wait" }
            ),
        );
    }
    if !summary.proposals.is_empty() {
        page.line(format!("proposals  {}", proposals(&summary.proposals)));
    }
    for (heading, found) in [("CHANGES", &report.changes), ("DIFFERENCES", &report.differences)] {
        if !found.is_empty() {
            page.heading(heading);
            show::differences(&mut page, found);
        }
    }
    let mut answer = Answer::new(report, page)?;
    if summary.suspicions > 0 {
        answer = answer.hint("\nSee what looks like a secret with `sluice secret suspicions`");
    }
    if !summary.baseline && report.changed {
        let apps = if summary.apps.len() == 1 { "its app" } else { "its apps" };
        answer = answer.hint(format!("\nNext:\n  sluice status           shows {apps}\n  sluice manage APP       marks it as a candidate for promotion"));
    }
    Ok(answer)
}
