//! A data source's options, by pointer.

use crate::{OptionLeaf, Part, Scalar, Value};

/// The leaves of some options, sorted by pointer.
///
/// A sorted list and not a map: a call makes it once and looks up some twenty leaves, and the
/// leaves stay as the contract has them.
#[derive(Debug, Default)]
pub struct Options(Vec<OptionLeaf>);

impl Options {
    /// The options with these leaves.
    #[must_use]
    pub fn new(mut leaves: Vec<OptionLeaf>) -> Self {
        leaves.sort_by(|a, b| a.at.cmp(&b.at));
        Self(leaves)
    }

    /// The leaves, in order of their pointers.
    #[must_use]
    pub fn into_leaves(self) -> Vec<OptionLeaf> {
        self.0
    }

    /// The leaves with their pointers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|leaf| (leaf.at.as_str(), &leaf.value))
    }

    /// The leaf at exactly this pointer.
    #[must_use]
    pub fn get(&self, at: &str) -> Option<&Value> {
        let index = self.0.binary_search_by(|leaf| leaf.at.as_str().cmp(at)).ok()?;
        self.0.get(index).map(|leaf| &leaf.value)
    }

    /// The leaves at `at` and below it.
    pub fn within<'o>(&'o self, at: &'o str) -> impl Iterator<Item = (&'o str, &'o Value)> {
        let from = self.0.partition_point(|leaf| leaf.at.as_str() < at);
        self.0
            .iter()
            .skip(from)
            .map(|leaf| (leaf.at.as_str(), &leaf.value))
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

/// Whether `leaf` is `at` or lies inside it.
#[must_use]
pub fn covers(at: &str, leaf: &str) -> bool {
    leaf.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
        for (at, leaf, expected) in
            [("/host", "/host", true), ("/host", "/host/value", true), ("/host", "/hostname", false)]
        {
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
