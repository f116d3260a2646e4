//! `sluice policy lint`.

use std::path::PathBuf;

use serde_json::json;
use sluice_engine::Error;
use sluice_policy::Sandbox;
use sluice_policy::lint::{Lint, lint};

use super::{compiled, packs};
use crate::answer::{Answer, Exit};
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style, counted};

const EXAMPLES: &str = "\
Examples:
  sluice policy lint
  sluice policy lint policies/approvals -o json

Ends with exit code 1 where a rule finds something. `docs/policy-reference.md` has the rules.";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Packs, or folders of packs [default: those of the workspace].
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Looks at packs.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let sandbox = Sandbox::new(context.stopwatch());
    let mut found: Vec<(String, Lint)> = Vec::new();
    let packs = packs(context, &arguments.paths)?;
    let looked_at = packs.len();
    for pack in packs {
        let policy = compiled(&sandbox, pack)?;
        let place = policy.pack().place().to_owned();
        found.extend(lint(&policy).map_err(Error::from)?.into_iter().map(|lint| (place.clone(), lint)));
    }
    let data: Vec<_> = found
        .iter()
        .map(|(place, lint)| {
            json!({
                "file": format!("{place}/{}", lint.file),
                "line": lint.position.map(|(line, _)| line),
                "column": lint.position.map(|(_, column)| column),
                "rule": lint.rule,
                "message": lint.message,
                "fix": lint.fix(),
            })
        })
        .collect();
    let answer = Answer::new(&data, page(&found, looked_at))?;
    Ok(if found.is_empty() { answer } else { answer.exit(Exit::Failed) })
}

fn page(found: &[(String, Lint)], looked_at: usize) -> Page {
    let mut page = Page::new();
    for (place, lint) in found {
        let at = lint.position.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        page.styled(Style::Bad, format!("{place}/{}{at}: {} ({})", lint.file, lint.message, lint.rule));
        page.line(format!("  fix: {}", lint.fix()));
    }
    page.gap();
    let packs = counted(looked_at, "pack", "packs");
    match found.len() {
        0 => page.styled(Style::Good, format!("{packs}, nothing found")),
        count => page.styled(Style::Bad, format!("{packs}, {}", counted(count, "finding", "findings"))),
    };
    page
}
