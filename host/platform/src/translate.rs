//! Replacing ids inside text, as whole tokens.
//!
//! An id begins where a word of the text begins. So the text is walked word by word, and only at a
//! word with which some id begins is the id itself looked up, by hash: the work is linear in the
//! text, whatever the number of ids, and nothing has to be built ahead but two tables.

use std::collections::HashMap;

/// A set of replacements made in one pass.
pub(crate) struct Translator {
    /// By the first word of the ids that begin with it, their lengths, longest first.
    first_words: HashMap<String, Vec<usize>>,
    /// Lengths that first words have, as bits; the last one stands for all that are longer.
    lengths: u64,
    /// The length of the shortest id: nothing shorter holds one, which most texts are.
    shortest: usize,
    /// The replacement of each id, or nothing where the id must not occur.
    to: HashMap<String, Option<String>>,
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
pub(crate) fn is_distinct(id: &str) -> bool {
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
        let mut first_words: HashMap<String, Vec<usize>> = HashMap::with_capacity(pairs.len());
        let mut to = HashMap::with_capacity(pairs.len());
        let (mut lengths, mut shortest) = (0, usize::MAX);
        for (from, replacement) in pairs.iter().filter(|(from, _)| !from.is_empty()) {
            let word = first_word(from);
            lengths |= bit(word);
            shortest = shortest.min(from.len());
            let of_word = first_words.entry(word.to_owned()).or_default();
            if !of_word.contains(&from.len()) {
                of_word.push(from.len());
                of_word.sort_unstable_by(|a, b| b.cmp(a));
            }
            to.insert((*from).to_owned(), replacement.map(str::to_owned));
        }
        Self { first_words, lengths, shortest, to, exact: HashMap::new() }
    }

    /// The replacement for a text that is known to be one id.
    pub(crate) fn id(&self, text: &str) -> Option<&str> {
        self.exact.get(text).map(String::as_str)
    }

    /// The text with every token replaced.
    pub(crate) fn text(&self, text: &str) -> Translation {
        if text.len() < self.shortest {
            return Translation::Same;
        }
        let mut out = String::new();
        let (mut done, mut at) = (0, 0);
        while let Some(start) = word_start(text, at) {
            let word = first_word(text.get(start..).unwrap_or_default());
            at = start + word.len().max(1);
            if self.lengths & bit(word) == 0 {
                continue;
            }
            for length in self.first_words.get(word).into_iter().flatten() {
                let Some(id) = text.get(start..start + length) else { continue };
                let Some(to) = self.to.get(id).filter(|_| is_token(text, start, start + length)) else {
                    continue;
                };
                let Some(to) = to else { return Translation::Forbidden(id.to_owned()) };
                out.push_str(text.get(done..start).unwrap_or_default());
                out.push_str(to);
                done = start + length;
                at = done;
                break;
            }
        }
        if done == 0 {
            return Translation::Same;
        }
        out.push_str(text.get(done..).unwrap_or_default());
        Translation::Changed(out)
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The word at the beginning of a text; an id that begins otherwise has an empty one and is not
/// found inside text.
fn first_word(text: &str) -> &str {
    let end = text.bytes().position(|byte| !is_word(byte)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Where the next word begins, from `at` on, which is not inside a word.
fn word_start(text: &str, at: usize) -> Option<usize> {
    text.as_bytes().get(at..)?.iter().position(|byte| is_word(*byte)).map(|found| at + found)
}

const fn bit(word: &str) -> u64 {
    1 << if word.len() < 63 { word.len() } else { 63 }
}

/// Whether what stands at `start..end` is not a piece of a longer word.
pub(crate) fn is_token(text: &str, start: usize, end: usize) -> bool {
    let word = |byte: Option<&u8>| byte.is_some_and(|byte| is_word(*byte));
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
