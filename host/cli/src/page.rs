//! Text for people, line by line. Whatever comes from exports is made harmless for terminals here.

use std::fmt::Write as _;

/// How a line is shown where there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// As it is.
    Plain,
    /// A heading.
    Heading,
    /// Something good, or new.
    Good,
    /// Something that changes, or waits.
    Notice,
    /// Something bad, or gone.
    Bad,
    /// Something less important.
    Quiet,
}

impl Style {
    /// The parameters of SGR (ECMA-48 §8.3.117).
    const fn sgr(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Heading => Some("1"),
            Self::Good => Some("32"),
            Self::Notice => Some("33"),
            Self::Bad => Some("31"),
            Self::Quiet => Some("2"),
        }
    }
}

/// Lines for people.
#[derive(Debug, Default)]
pub(crate) struct Page {
    lines: Vec<(Style, String)>,
    raw: String,
}

impl Page {
    /// An empty page.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A page that is a file of its own, such as a script or a schema, and is passed on as it is.
    pub(crate) fn raw(text: impl Into<String>) -> Self {
        Self { lines: Vec::new(), raw: text.into() }
    }

    /// Adds text, which may have several lines.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.styled(Style::Plain, text)
    }

    /// Adds text in a style.
    pub(crate) fn styled(&mut self, style: Style, text: impl AsRef<str>) -> &mut Self {
        for line in text.as_ref().split('\n') {
            self.lines.push((style, harmless(line.trim_end())));
        }
        self
    }

    /// Adds a heading, after an empty line unless it is the first.
    pub(crate) fn heading(&mut self, text: impl AsRef<str>) -> &mut Self {
        if !self.lines.is_empty() {
            self.gap();
        }
        self.styled(Style::Heading, text)
    }

    /// Adds an empty line, unless there is one.
    pub(crate) fn gap(&mut self) -> &mut Self {
        if self.lines.last().is_some_and(|(_, line)| !line.is_empty()) {
            self.lines.push((Style::Plain, String::new()));
        }
        self
    }

    /// Whether there is nothing on it.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.raw.is_empty()
    }

    /// The text with a line end after each line.
    pub(crate) fn render(&self, color: bool) -> String {
        let mut text = self.raw.clone();
        for (style, line) in &self.lines {
            match style.sgr().filter(|_| color && !line.is_empty()) {
                // Writing to a string does not fail.
                Some(sgr) => drop(writeln!(text, "\u{1b}[{sgr}m{line}\u{1b}[0m")),
                None => drop(writeln!(text, "{line}")),
            }
        }
        text
    }
}

/// The text without what could steer a terminal or reorder what is read: such characters are
/// written as escapes.
pub(crate) fn harmless(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => clean.push(' '),
            c if steers(c) => clean.extend(c.escape_unicode()),
            c => clean.push(c),
        }
    }
    clean
}

/// The text, cut where it is longer than so many characters.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A number with its noun.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// The text as a shell takes it as one word.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@,+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_terminals_is_escaped() {
        for (text, expected) in [
            ("Orders", "Orders"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\rb\u{7}", "a\\u{d}b\\u{7}"),
            ("x\u{202e}y\u{2066}", "x\\u{202e}y\\u{2066}"),
            ("a\tb", "a b"),
            ("Ümläut 名", "Ümläut 名"),
            ("c1\u{9b}31m", "c1\\u{9b}31m"),
        ] {
            assert_eq!(harmless(text), expected);
        }
    }

    #[test]
    fn styles_are_shown_only_with_colours_and_around_harmless_text() {
        let mut page = Page::new();
        page.heading("TITLE").line("one\ntwo \u{1b}").gap().gap().styled(Style::Bad, "bad");
        assert_eq!(page.render(false), "TITLE\none\ntwo \\u{1b}\n\nbad\n");
        assert_eq!(
            page.render(true),
            "\u{1b}[1mTITLE\u{1b}[0m\none\ntwo \\u{1b}\n\n\u{1b}[31mbad\u{1b}[0m\n"
        );
        assert_eq!(Page::raw("a\n\u{1b}").render(false), "a\n\u{1b}");
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (word, expected) in [
            ("a-b/c.d", "a-b/c.d"),
            ("", "''"),
            ("two words", "'two words'"),
            ("it's", r"'it'\''s'"),
            ("$x", "'$x'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn long_texts_are_cut_by_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 3), "äö…");
        assert_eq!(counted(1, "object", "objects"), "1 object");
        assert_eq!(counted(0, "object", "objects"), "0 objects");
    }
}
