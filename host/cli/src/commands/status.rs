//! `sluice status`.

use serde_json::json;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style};

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sluice status\n  sluice status --output json")]
pub(crate) struct Arguments {}

/// Shows apps by environments.
pub(crate) fn run(context: &Context) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let rows = workspace.status()?;
    let config = workspace.config()?;
    let mut page = Page::new();
    page.styled(Style::Heading, format!("workspace {}", config.workspace));
    if let Some(reason) = &config.single_operator {
        page.styled(Style::Notice, format!("single operator: {reason}"));
    }
    page.gap();
    if rows.is_empty() {
        page.styled(Style::Quiet, "no apps; read one with `sluice import`");
    }
    for row in &rows {
        let managed = if row.managed { "managed" } else { "not managed" };
        let newest =
            row.newest.as_ref().map_or_else(|| "no version".to_owned(), |v| format!("newest version {v}"));
        page.styled(Style::Heading, format!("{} ({managed}, {newest})", row.name));
        for cell in &row.cells {
            let holds = cell.holds.clone().unwrap_or_else(|| "-".to_owned());
            let mut notes = Vec::new();
            if let Some(released) = &cell.released {
                notes.push(format!("released: {released}"));
            }
            if cell.standing.len() > 1 {
                notes.push(format!("stood here: {}", cell.standing.join(", ")));
            }
            let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join("; ")) };
            page.line(format!("  {:<14} {holds}{notes}", cell.environment.as_str()));
        }
    }
    let data = json!({
        "workspace": config.workspace, "single_operator": config.single_operator, "apps": rows,
    });
    Answer::new(&data, page)
}
