//! Names of workspaces, streams and writers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that breaks the rules of a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}: {rule}")]
pub struct BadStoreName {
    text: String,
    what: &'static str,
    rule: &'static str,
}

/// Declares a text newtype whose only way in is a check.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and takes it as this name.
            ///
            /// # Errors
            /// When the text breaks the rule in the type's documentation.
            pub fn new(text: impl Into<String>) -> Result<Self, BadStoreName> {
                let text = text.into();
                let check: fn(&str) -> bool = $check;
                if check(&text) {
                    Ok(Self(text))
                } else {
                    Err(BadStoreName { text: text.chars().take(80).collect(), what: $what, rule: $rule })
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`{}`", self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadStoreName;

            fn from_str(text: &str) -> Result<Self, BadStoreName> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Letters, digits, `-` and `_`, 1 to 64 of them.
fn is_token(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// The highest character, above every name that begins with a prefix: it bounds scans by prefix.
pub(crate) const ABOVE_ALL: char = char::MAX;

name!(
    /// The workspace's identity: 1 to 64 ASCII letters, digits, `-` and `_`.
    /// Every key in a store begins with it.
    WorkspaceId, "a workspace's id", "use 1 to 64 letters, digits, `-` and `_`", is_token
);

name!(
    /// Who inserted a revision: one writing process, or one command of it, so that a repeated insert
    /// is known for one's own. 1 to 64 ASCII letters, digits, `-` and `_`; drawn at random by the
    /// caller.
    WriterId, "a writer's id", "use 1 to 64 letters, digits, `-` and `_`", is_token
);

name!(
    /// A stream's name, such as `env/staging/promotions`: segments joined by `/`, none of them empty,
    /// 1 to 600 bytes, no control characters.
    StreamName, "a stream's name",
    "use segments joined by `/`, none of them empty, 600 bytes in all, without control characters",
    |text| {
        (1..=600).contains(&text.len())
            && text.split('/').all(|segment| !segment.is_empty())
            && !text.chars().any(|c| c.is_control() || c == ABOVE_ALL)
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_rules() {
        for (text, ok) in [
            ("env/staging/promotions", true),
            ("ledger", true),
            ("app/Größe ✓", true),
            ("", false),
            ("/env", false),
            ("env/", false),
            ("env//x", false),
            ("env/\n", false),
            ("env/\u{10ffff}", false),
            (&"x".repeat(601), false),
        ] {
            assert_eq!(StreamName::new(text).is_ok(), ok, "{text}");
        }
        for (text, ok) in [("w-1_A", true), ("", false), ("a b", false), ("ä", false)] {
            assert_eq!(WriterId::new(text).is_ok(), ok, "{text}");
            assert_eq!(WorkspaceId::new(text).is_ok(), ok, "{text}");
        }
    }
}
