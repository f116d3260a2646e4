//! Tables: columns by spaces, as wide as they need to be unless a terminal is narrower.

use comfy_table::{ContentArrangement, Table, TableStyle};

use crate::page::{Page, Style, harmless};

/// A table in the making.
pub(crate) struct Rows {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Rows {
    /// A table with these columns.
    pub(crate) fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(|title| harmless(title)).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) -> &mut Self {
        self.rows.push(cells.into_iter().map(|cell| harmless(&cell.into())).collect());
        self
    }

    /// Puts it on a page, or a sentence where it has no rows.
    pub(crate) fn onto(self, page: &mut Page, empty: &str) {
        if self.rows.is_empty() {
            page.styled(Style::Quiet, empty);
            return;
        }
        self.lines(page, width());
    }

    fn lines(self, page: &mut Page, width: Option<u16>) {
        let mut table = Table::new();
        table.load_style(TableStyle::new());
        if let Some(width) = width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        table.set_header(self.header);
        for row in self.rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for (index, line) in table.lines().enumerate() {
            page.styled(if index == 0 { Style::Heading } else { Style::Plain }, line);
        }
    }
}

/// The width of the terminal, where there is one.
fn width() -> Option<u16> {
    let terminal = console::Term::stdout();
    let (_, columns) = terminal.is_term().then(|| terminal.size_checked()).flatten()?;
    Some(columns)
}
