//! `sluice status`.

use serde_json::json;
use sluice_engine::history::Cell;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style};
use crate::table::Rows;

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sluice status\n  sluice status --output json")]
pub(crate) struct Arguments {}

/// Shows apps by environments.
pub(crate) fn run(context: &Context) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let mut rows = workspace.status()?;
    rows.sort_by(|a, b| (&a.name, &a.app).cmp(&(&b.name, &b.app)));
    let config = workspace.config()?;
    let mut page = Page::new();
    page.styled(Style::Heading, format!("workspace {}", config.workspace));
    if let Some(reason) = &config.single_operator {
        page.styled(Style::Notice, format!("single operator: {reason}"));
    }
    page.gap();
    let mut header = vec!["APP", "MANAGED", "NEWEST"];
    header.extend(config.environments.iter().map(|environment| environment.name.as_str()));
    let mut table = Rows::new(&header);
    for row in &rows {
        let managed = if row.managed { "yes" } else { "no" };
        let newest = row.newest.as_deref().unwrap_or("-");
        let cells = row.cells.iter().map(cell);
        table.row([row.name.clone(), managed.to_owned(), newest.to_owned()].into_iter().chain(cells));
    }
    table.onto(&mut page, "no apps; read one with `sluice import`");
    let data = json!({
        "workspace": config.workspace, "single_operator": config.single_operator, "apps": rows,
    });
    Answer::new(&data, page)
}

/// What an environment holds of an app, and what its end users get.
fn cell(cell: &Cell) -> String {
    match (cell.holds.as_deref(), cell.released.as_deref()) {
        (None, _) => "-".to_owned(),
        (Some(holds), None) => match &cell.with {
            Some(app) => format!("{holds} with {app}"),
            None => holds.to_owned(),
        },
        (Some(holds), Some(released)) if holds == released => format!("{holds} (released)"),
        (Some(holds), Some(released)) => format!("{holds} ({released} released)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_what_is_held_and_what_is_released() {
        for (holds, with, released, expected) in [
            (None, None, None, "-"),
            (Some("imported"), None, None, "imported"),
            (Some("1.1"), Some("Orders"), None, "1.1 with Orders"),
            (Some("1.1"), None, Some("1.1"), "1.1 (released)"),
            (Some("1.2"), None, Some("1.1"), "1.2 (1.1 released)"),
        ] {
            let environment = "staging".parse().unwrap();
            let made = Cell {
                environment,
                holds: holds.map(str::to_owned),
                with: with.map(str::to_owned),
                standing: Vec::new(),
                released: released.map(str::to_owned),
            };
            assert_eq!(cell(&made), expected);
        }
    }
}
