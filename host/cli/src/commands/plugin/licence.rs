//! A licence, as vendors write it.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// A licence that has the form of an SPDX expression (SPDX specification 2.3, annex D, "SPDX license
/// expressions"). Whether SPDX lists what it names is not asked: lists grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Licence(String);

impl fmt::Display for Licence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Licence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if is_expression(&text) {
            return Ok(Self(text));
        }
        Err(serde::de::Error::custom(format!(
            "`{}` is no SPDX expression; write one such as `MIT`, `Apache-2.0 OR MIT` or `LicenseRef-Acme`",
            text.escape_debug()
        )))
    }
}

/// Whether a text has the form of one: licences between `AND`, `OR` and, before an exception, `WITH`, in
/// brackets that match.
fn is_expression(text: &str) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let (mut open, mut before) = (0_usize, "AND");
    for word in spaced.split_ascii_whitespace() {
        let joined = matches!(before, "AND" | "OR" | "(");
        let fits = match word {
            "(" => joined,
            "AND" | "OR" | ")" => !joined && before != "WITH",
            "WITH" => is_identifier(before),
            word => (joined || before == "WITH") && is_identifier(word),
        };
        let depth = match word {
            "(" => open.checked_add(1),
            ")" => open.checked_sub(1),
            _ => Some(open),
        };
        let (true, Some(depth)) = (fits, depth) else { return false };
        (open, before) = (depth, word);
    }
    open == 0 && (before == ")" || is_identifier(before))
}

/// Whether a word is a licence's or an exception's: letters, digits, `-` and `.`, and after a licence a
/// `+`; before a colon that of another document.
fn is_identifier(word: &str) -> bool {
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
    };
    let (document, name) = word.split_once(':').unwrap_or(("DocumentRef-", word));
    !matches!(word, "AND" | "OR" | "WITH")
        && document.strip_prefix("DocumentRef-").is_some_and(|of| of.is_empty() || is_name(of))
        && is_name(name.strip_suffix('+').unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_has_the_form_of_an_expression() {
        for good in [
            "MIT",
            "Apache-2.0 OR MIT",
            "GPL-2.0+",
            "GPL-2.0-only WITH Classpath-exception-2.0",
            "(MIT OR Apache-2.0) AND BSD-3-Clause",
            "MIT AND (LGPL-2.1-or-later WITH x OR BSD-3-Clause)",
            "LicenseRef-Acme",
            "DocumentRef-acme:LicenseRef-terms",
        ] {
            assert!(is_expression(good), "{good}");
        }
        for bad in [
            "",
            " ",
            "MIT License",
            "Apache 2.0",
            "MIT OR",
            "OR MIT",
            "AND",
            "(MIT",
            "MIT)",
            ")MIT(",
            "()",
            "MIT (Apache-2.0)",
            "MIT WITH",
            "WITH x",
            "(MIT) WITH x",
            "MIT, Apache-2.0",
            "MIT/Apache-2.0",
            "© Acme",
            "acme:terms",
            "+",
        ] {
            assert!(!is_expression(bad), "{bad}");
        }
    }
}
