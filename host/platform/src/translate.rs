//! Replacing ids inside text, as whole tokens.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};

/// A set of replacements made in one pass.
pub(crate) struct Translator {
    tokens: Option<AhoCorasick>,
    to: Vec<Option<String>>,
    exact: HashMap<String, String>,
}

/// What a pass over a text came to.
pub(crate) enum Translation {
    /// Nothing to replace.
    Same,
    /// The text with everything replaced.
    Changed(String),
    /// A token that must not be there.
    Forbidden(String),
}

/// Whether an id can be told from other text: long, one word, with a digit in it.
fn is_distinct(id: &str) -> bool {
    id.len() >= 20 && id.bytes().any(|b| b.is_ascii_digit()) && !id.contains(char::is_whitespace)
}

impl Translator {
    /// Replaces native ids by logical ones. An id that could be an ordinary word is replaced only
    /// where it is the whole of a text that is known to be an id. A logical id that is in the text
    /// before anything was replaced is forbidden.
    pub(crate) fn to_logical<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let exact: HashMap<String, String> =
            pairs.map(|(from, to)| (from.to_owned(), to.to_owned())).collect();
        let mut patterns: Vec<(&str, Option<&str>)> = exact
            .iter()
            .filter(|(from, _)| is_distinct(from))
            .map(|(from, to)| (from.as_str(), Some(to.as_str())))
            .collect();
        patterns.extend(exact.values().filter(|to| !exact.contains_key(*to)).map(|to| (to.as_str(), None)));
        let built = Self::build(&patterns);
        Self { exact, ..built }
    }

    /// Replaces logical ids by native ones, wherever they are.
    pub(crate) fn to_native<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let pairs: Vec<(&str, Option<&str>)> = pairs.map(|(from, to)| (from, Some(to))).collect();
        Self::build(&pairs)
    }

    fn build(pairs: &[(&str, Option<&str>)]) -> Self {
        let tokens = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(pairs.iter().map(|(from, _)| from))
            .ok()
            .filter(|_| !pairs.is_empty());
        Self {
            tokens,
            to: pairs.iter().map(|(_, to)| to.map(str::to_owned)).collect(),
            exact: HashMap::new(),
        }
    }

    /// The replacement for a text that is known to be one id.
    pub(crate) fn id(&self, text: &str) -> Option<&str> {
        self.exact.get(text).map(String::as_str)
    }

    /// The text with every token replaced.
    pub(crate) fn text(&self, text: &str) -> Translation {
        let Some(tokens) = &self.tokens else { return Translation::Same };
        let mut out = String::new();
        let mut done = 0;
        for hit in tokens.find_iter(text) {
            if !is_token(text, hit.start(), hit.end()) {
                continue;
            }
            match self.to.get(hit.pattern().as_usize()) {
                Some(Some(to)) => {
                    out.push_str(text.get(done..hit.start()).unwrap_or_default());
                    out.push_str(to);
                    done = hit.end();
                }
                _ => return Translation::Forbidden(text.get(hit.range()).unwrap_or_default().to_owned()),
            }
        }
        if done == 0 {
            return Translation::Same;
        }
        out.push_str(text.get(done..).unwrap_or_default());
        Translation::Changed(out)
    }
}

/// Whether what stands at `start..end` is not a piece of a longer word.
pub(crate) fn is_token(text: &str, start: usize, end: usize) -> bool {
    let word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let bytes = text.as_bytes();
    !word(start.checked_sub(1).and_then(|before| bytes.get(before))) && !word(bytes.get(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "cea6a39b-fd2b-4d13-acb2-50dc237d4242";
    const B: &str = "65b3f6635ad33e16b574aef3";

    fn changed(translator: &Translator, text: &str) -> String {
        match translator.text(text) {
            Translation::Same => text.to_owned(),
            Translation::Changed(text) => text,
            Translation::Forbidden(id) => format!("forbidden {id}"),
        }
    }

    #[test]
    fn replaces_whole_tokens_and_short_ids_only_where_they_are_known() {
        let pairs = [(A, "query-a"), (B, "app-b"), ("app01", "app-c")];
        let translator = Translator::to_logical(pairs.into_iter());
        for (text, expected) in [
            (format!("{{{{queries.{A}.data}}}}"), "{{queries.query-a.data}}".to_owned()),
            (format!("{A}-1 x{B} {B}"), format!("query-a-1 x{B} app-b")),
            ("app01".into(), "app01".into()),
            ("see query-a".into(), "forbidden query-a".into()),
        ] {
            assert_eq!(changed(&translator, &text), expected);
        }
        assert_eq!(translator.id("app01"), Some("app-c"));
    }

    proptest! {
        #[test]
        fn the_way_back_undoes_it(pieces in prop::collection::vec(prop_oneof![Just(A.to_owned()), Just(B.to_owned()), "[ .{}a-z-]{1,6}"], 0..12)) {
            let pairs = [(A, "sl-0001"), (B, "sl-0002")];
            let text = pieces.concat();
            let there = changed(&Translator::to_logical(pairs.into_iter()), &text);
            let back = Translator::to_native(pairs.into_iter().map(|(a, b)| (b, a)));
            prop_assert_eq!(changed(&back, &there), text);
        }
    }
}
