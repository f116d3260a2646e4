//! A data source's options, by pointer.

use std::collections::BTreeMap;

use crate::{OptionLeaf, Part, Scalar, Value};

/// The leaves of some options, by pointer.
#[derive(Debug, Default)]
pub struct Options(BTreeMap<String, Value>);

impl Options {
    /// The options with these leaves.
    #[must_use]
    pub fn new(leaves: Vec<OptionLeaf>) -> Self {
        Self(leaves.into_iter().map(|leaf| (leaf.at, leaf.value)).collect())
    }

    /// The leaves, in order of their pointers.
    #[must_use]
    pub fn into_leaves(self) -> Vec<OptionLeaf> {
        self.0.into_iter().map(|(at, value)| OptionLeaf { at, value }).collect()
    }

    /// The leaves with their pointers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(at, value)| (at.as_str(), value))
    }

    /// The leaf at exactly this pointer.
    #[must_use]
    pub fn get(&self, at: &str) -> Option<&Value> {
        self.0.get(at)
    }

    /// Adds a leaf.
    pub fn insert(&mut self, at: &str, value: Value) {
        self.0.insert(at.to_owned(), value);
    }

    /// The leaves at `at` and below it.
    pub fn within<'o>(&'o self, at: &'o str) -> impl Iterator<Item = (&'o str, &'o Value)> {
        self.0
            .range::<str, _>((std::ops::Bound::Included(at), std::ops::Bound::Unbounded))
            .map(|(leaf, value)| (leaf.as_str(), value))
            .take_while(move |(leaf, _)| leaf.starts_with(at))
            .filter(move |(leaf, _)| covers(at, leaf))
    }

    /// The text at a pointer as a person would write it, or `None` where there is none or it is
    /// empty. Slots are shown by name, expressions in their braces.
    #[must_use]
    pub fn text(&self, at: &str) -> Option<String> {
        match self.get(at)? {
            Value::Plain(Scalar::Text(text) | Scalar::Digits(text)) => Some(text.clone()),
            Value::Plain(Scalar::Number(number)) => Some(number.to_string()),
            Value::Plain(_) => None,
            Value::Composed(parts) => Some(
                parts
                    .iter()
                    .map(|part| match part {
                        Part::Literal(text) => text.clone(),
                        Part::Slot(name) => format!("<{name}>"),
                        Part::Expression(inner) => format!("{{{{{inner}}}}}"),
                    })
                    .collect(),
            ),
        }
        .filter(|text| !text.is_empty())
    }

    /// What a flag says, where it says it in a way that is known.
    #[must_use]
    pub fn flag(&self, at: &str) -> Option<bool> {
        match self.get(at)? {
            Value::Plain(Scalar::Flag(flag)) => Some(*flag),
            Value::Plain(Scalar::Text(text)) => flag_of(text),
            _ => None,
        }
    }
}

/// What a text that stands for a flag says.
#[must_use]
pub fn flag_of(text: &str) -> Option<bool> {
    match text {
        "true" | "enabled" | "yes" => Some(true),
        "false" | "disabled" | "no" => Some(false),
        _ => None,
    }
}

/// Whether `leaf` is `at` or lies inside it. A token `*` of `at` stands for any one token.
#[must_use]
pub fn covers(at: &str, leaf: &str) -> bool {
    if !at.contains('*') {
        return leaf.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    }
    let mut tokens = leaf.split('/');
    at.split('/').all(|wanted| tokens.next().is_some_and(|token| wanted == "*" || wanted == token))
}

/// Whether a value says nothing: `null` or an empty text.
#[must_use]
pub fn is_blank(value: &Value) -> bool {
    match value {
        Value::Plain(Scalar::None) => true,
        Value::Plain(Scalar::Text(text)) => text.is_empty(),
        _ => false,
    }
}

/// Whether two values are the same, bit for bit.
#[must_use]
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Plain(a), Value::Plain(b)) => match (a, b) {
            (Scalar::None, Scalar::None)
            | (Scalar::EmptyList, Scalar::EmptyList)
            | (Scalar::EmptyObject, Scalar::EmptyObject) => true,
            (Scalar::Flag(a), Scalar::Flag(b)) => a == b,
            (Scalar::Number(a), Scalar::Number(b)) => a.to_bits() == b.to_bits(),
            (Scalar::Digits(a), Scalar::Digits(b)) | (Scalar::Text(a), Scalar::Text(b)) => a == b,
            _ => false,
        },
        (Value::Composed(a), Value::Composed(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|(a, b)| match (a, b) {
                    (Part::Literal(a), Part::Literal(b))
                    | (Part::Slot(a), Part::Slot(b))
                    | (Part::Expression(a), Part::Expression(b)) => a == b,
                    _ => false,
                })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_covers_itself_and_what_lies_inside() {
        for (at, leaf, expected) in [
            ("/host", "/host", true),
            ("/host", "/host/value", true),
            ("/host", "/hostname", false),
            ("/*/encrypted", "/host/encrypted", true),
            ("/*/encrypted", "/encrypted", false),
            ("/*/encrypted", "/a/b/encrypted", false),
            ("/headers/*/1", "/headers/0/1", true),
            ("/headers/*/1", "/headers/0/0", false),
        ] {
            assert_eq!(covers(at, leaf), expected, "{at} {leaf}");
        }
    }

    #[test]
    fn within_finds_neighbours_that_sort_between() {
        // `-` sorts before `/`, so `/a-b` stands between `/a` and `/a/b`.
        let leaf = |at: &str| OptionLeaf { at: at.into(), value: Value::Plain(Scalar::None) };
        let options = Options::new(vec![leaf("/a"), leaf("/a-b"), leaf("/a/b"), leaf("/b")]);
        assert_eq!(options.within("/a").map(|(at, _)| at).collect::<Vec<_>>(), ["/a", "/a/b"]);
    }
}
