//! Errors of `sluice.toml`, each at its place.

use std::fmt;
use std::ops::Range;

/// Something is wrong at a place of the configuration.
///
/// It is written as one line, `FILE:LINE:COLUMN: message`; the fields let a terminal show the line
/// with the place underlined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct ConfigError {
    /// The file's name, as it was given.
    pub file: String,
    /// The bytes of the file that are wrong.
    pub span: Range<usize>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The line's text.
    pub text: String,
    /// How many characters of the line are wrong, at least 1.
    pub width: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Everything that is wrong with a configuration, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// A configuration's text with its file's name: what turns a span into a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceText {
    pub(super) file: String,
    pub(super) text: String,
}

impl SourceText {
    pub(super) fn error(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> ConfigError {
        let start = floor(&self.text, span.start);
        let end = floor(&self.text, span.end).max(start);
        let (before, after) = self.text.split_at_checked(start).unwrap_or((&self.text, ""));
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let lead = before.get(line_start..).unwrap_or_default();
        let rest = after.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let wrong = self.text.get(start..end).unwrap_or_default();
        let wrong = wrong.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        ConfigError {
            file: self.file.clone(),
            span: start..end,
            line: before.matches('\n').count() + 1,
            column: lead.chars().count() + 1,
            text: format!("{lead}{rest}"),
            width: wrong.chars().count().max(1),
            message: message.into(),
            help: help.into(),
        }
    }
}

/// The last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// A hint at the known name that was probably meant, or the list of what is known.
#[must_use]
pub fn did_you_mean<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let most = (text.chars().count() / 3).max(1);
    let near = known.iter().map(|name| (edits(text, name), *name)).filter(|(edits, _)| *edits <= most).min();
    match near {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "there is none yet".to_owned(),
        None => format!("known: {}", ticked(known)),
    }
}

/// Names in backticks, joined by commas.
pub(super) fn ticked<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// How many characters must be put in, left out, changed or swapped with their neighbour to get
/// from one text to the other (optimal string alignment).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous = None;
    for (row, c) in from.chars().enumerate() {
        let mut this = vec![row + 1];
        for (column, &t) in to.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut least = (at(&last, column + 1) + 1)
                .min(at(&this, column) + 1)
                .min(at(&last, column) + usize::from(c != t));
            let swapped = column > 0 && previous == Some(t) && to.get(column - 1) == Some(&c);
            if swapped {
                least = least.min(at(&before, column - 1) + 1);
            }
            this.push(least);
        }
        before = std::mem::replace(&mut last, this);
        previous = Some(c);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_counted_in_characters_and_lines() {
        let source = SourceText { file: "f.toml".into(), text: "a = 1\r\nü = \"öl\" # x\n".into() };
        let at = source.text.find('"').unwrap();
        let error = source.error(at..at + 5, "bad", "mend");
        assert_eq!((error.line, error.column, error.width), (2, 5, 4));
        assert_eq!(error.text, "ü = \"öl\" # x");
        assert_eq!(error.to_string(), "f.toml:2:5: bad");
        let beyond = source.error(900..1000, "bad", "mend");
        assert_eq!((beyond.line, beyond.column, beyond.width), (3, 1, 1));
    }

    #[test]
    fn the_nearest_name_is_offered() {
        let known = ["staging", "production", "development"];
        assert_eq!(did_you_mean("stagin", known), "did you mean `staging`?");
        assert_eq!(did_you_mean("stagign", known), "did you mean `staging`?");
        assert_eq!(did_you_mean("qa", known), "known: `staging`, `production`, `development`");
        assert_eq!(did_you_mean("qa", []), "there is none yet");
    }
}
