//! JSON pointers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// RFC 6901 pointer to a value inside JSON content; the empty pointer is the whole.
///
/// Kept as unescaped tokens; text form escapes `~` and `/`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// The whole document.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// This pointer, one member or element deeper.
    #[must_use]
    pub fn child(&self, token: impl fmt::Display) -> Self {
        let mut tokens = self.0.clone();
        tokens.push(token.to_string());
        Self(tokens)
    }

    /// Goes one deeper in place; [`Pointer::pop`] takes it back.
    pub fn push(&mut self, token: impl fmt::Display) {
        self.0.push(token.to_string());
    }

    /// Goes one up in place.
    pub fn pop(&mut self) -> Option<String> {
        self.0.pop()
    }

    /// The unescaped tokens from the root.
    #[must_use]
    pub fn tokens(&self) -> &[String] {
        &self.0
    }

    /// The parent, unless this is the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }

    /// Whether `self` is `other` or lies inside it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// This pointer appended to `base`.
    #[must_use]
    pub fn under(&self, base: &Self) -> Self {
        Self(base.0.iter().chain(&self.0).cloned().collect())
    }

    /// The value at this pointer, if there is one.
    #[must_use]
    pub fn get<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |value, token| match value {
            Value::Object(members) => members.get(token),
            Value::Array(items) => items.get(index(token)?),
            _ => None,
        })
    }

    /// The value at this pointer for change in place, if there is one.
    #[must_use]
    pub fn get_mut<'v>(&self, value: &'v mut Value) -> Option<&'v mut Value> {
        self.0.iter().try_fold(value, |value, token| match value {
            Value::Object(members) => members.get_mut(token),
            Value::Array(items) => items.get_mut(index(token)?),
            _ => None,
        })
    }
}

/// An array index as RFC 6901 §4 writes it: no sign, no leading zero.
fn index(token: &str) -> Option<usize> {
    if token.len() > 1 && token.starts_with('0') || token.starts_with('+') {
        return None;
    }
    token.parse().ok()
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| write!(f, "/{}", token.replace('~', "~0").replace('/', "~1")))
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// A text is not a JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a JSON pointer: it must be empty or begin with `/`, and `~` must be written `~0`")]
pub struct NotAPointer(String);

impl FromStr for Pointer {
    type Err = NotAPointer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::root());
        }
        let wrong = || NotAPointer(text.chars().take(200).collect());
        let tokens = text.strip_prefix('/').ok_or_else(wrong)?;
        tokens
            .split('/')
            .map(|token| {
                let escapes_are_whole = token.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
                escapes_are_whole.then(|| token.replace("~1", "/").replace("~0", "~")).ok_or_else(wrong)
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn follows_the_examples_of_rfc_6901() {
        let document = json!({"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8});
        for (pointer, expected) in [
            ("", document.clone()),
            ("/foo", json!(["bar", "baz"])),
            ("/foo/0", json!("bar")),
            ("/", json!(0)),
            ("/a~1b", json!(1)),
            ("/c%d", json!(2)),
            ("/m~0n", json!(8)),
        ] {
            let parsed: Pointer = pointer.parse().unwrap();
            assert_eq!(parsed.get(&document), Some(&expected), "{pointer}");
            assert_eq!(parsed.to_string(), pointer);
        }
    }

    #[test]
    fn finds_nothing_where_nothing_is() {
        let document = json!({"foo": ["bar"]});
        for pointer in ["/foo/1", "/foo/00", "/foo/+0", "/foo/-", "/bar", "/foo/0/x"] {
            assert_eq!(pointer.parse::<Pointer>().unwrap().get(&document), None, "{pointer}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_pointer() {
        for text in ["foo", "/~", "/a~2"] {
            assert!(text.parse::<Pointer>().is_err(), "{text}");
        }
    }
}
