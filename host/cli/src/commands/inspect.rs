//! `sluice inspect`.

use std::path::PathBuf;

use sluice_engine::Error;
use sluice_engine::config::ByteSize;
use sluice_platform::{DEFAULT_LIMIT, Inspection};

use crate::answer::Answer;
use crate::failure::Failure;
use crate::input;
use crate::page::{Page, Style, counted};
use crate::table::Rows;

/// Unresolved references that are listed; `--output json` has all.
const MOST_UNRESOLVED: usize = 30;

const EXAMPLES: &str = "\
Examples:
  sluice inspect orders.json
  sluice inspect lowcoder-export/ --output json
  sluice inspect large.json --limit '256 MiB'";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The export's file, or the folder whose `*.json` it is.
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// The largest export that is read [default: 64 MiB].
    #[arg(long, value_name = "SIZE")]
    limit: Option<ByteSize>,
}

/// Looks into an export. Needs no workspace and stores nothing.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    let limit = arguments.limit.map_or(DEFAULT_LIMIT as u64, ByteSize::bytes);
    let files = input::export(&arguments.paths, limit)?.files;
    let native =
        sluice_platform::read(&files, usize::try_from(limit).unwrap_or(usize::MAX)).map_err(Error::from)?;
    let inspection = native.inspect().map_err(Error::from)?;
    Answer::new(&inspection, page(&inspection))
}

fn page(found: &Inspection) -> Page {
    let mut page = Page::new();
    let release = found.release.as_ref().map(|release| format!(", release {release}")).unwrap_or_default();
    page.styled(Style::Heading, format!("{} export, {}{release}", found.platform, found.generation.as_str()));
    page.line(format!("apps       {}", found.apps.join(", ")));
    let objects: Vec<String> = found.objects.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    page.line(format!("objects    {}", objects.join(", ")));
    let sources: Vec<String> =
        found.data_sources.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    page.line(format!(
        "sources    {}",
        if sources.is_empty() { "none".to_owned() } else { sources.join(", ") }
    ));
    page.line(format!(
        "contains   {}, {}",
        counted(found.environments, "environment", "environments"),
        counted(found.versions, "version", "versions")
    ));
    if !found.constants.is_empty() {
        page.line(format!("constants  {}", found.constants.join(", ")));
    }
    let references = found.references;
    page.line(format!(
        "references {} resolved, {} dangling, {} ambiguous, {} floating",
        references.resolved, references.dangling, references.ambiguous, references.floating
    ));
    if found.orphan_options > 0 {
        page.styled(
            Style::Bad,
            format!(
                "orphans    {} of {} option sets belong to no data source of the app, with {} of {} credentials; \
                 an import drops them",
                found.orphan_options,
                found.data_source_options,
                found.credential_ids.saturating_sub(found.credential_ids_of_own_sources),
                found.credential_ids
            ),
        );
    }
    if !found.unresolved.is_empty() {
        page.heading(format!("UNRESOLVED REFERENCES ({})", found.unresolved.len()));
        let mut rows = Rows::new(&["STATE", "FROM", "KIND", "TO", "AT"]);
        for reference in found.unresolved.iter().take(MOST_UNRESOLVED) {
            rows.row([
                reference.state.clone(),
                reference.object.clone(),
                reference.kind.to_string(),
                reference.named.clone(),
                reference.at.to_string(),
            ]);
        }
        rows.onto(&mut page, "");
        if found.unresolved.len() > MOST_UNRESOLVED {
            let rest = found.unresolved.len() - MOST_UNRESOLVED;
            page.styled(Style::Quiet, format!("… and {rest} more; `--output json` has all"));
        }
    }
    page
}
