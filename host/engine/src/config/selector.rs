//! Selectors of gates: labels of apps, and kinds of change.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sluice_model::ObjectKind;
use sluice_policy::facts::Action;
use sluice_policy::gate::ChangeKind;

use super::names::{BadText, serde_as_text};

/// A kind of change that a gate is for: an action, a kind of object, or both.
///
/// Written `delete`, `data-source` or `delete query`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeName {
    action: Option<Action>,
    object: Option<ObjectKind>,
}

impl ChangeName {
    /// The kind of change as policies know it.
    #[must_use]
    pub const fn kind(&self) -> ChangeKind {
        ChangeKind { action: self.action, object: self.object }
    }
}

impl fmt::Display for ChangeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.action, self.object) {
            (Some(action), Some(object)) => write!(f, "{} {object}", action.as_str()),
            (Some(action), None) => f.write_str(action.as_str()),
            (None, Some(object)) => write!(f, "{object}"),
            // No text reads so.
            (None, None) => f.write_str("any"),
        }
    }
}

/// The thing of this name; names are those of documents.
fn named<T: for<'de> Deserialize<'de>>(name: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

impl FromStr for ChangeName {
    type Err = BadText;

    fn from_str(text: &str) -> Result<Self, BadText> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (action, object) = match words.as_slice() {
            [one] => (named(one), named(one)),
            [first, second] => match (named(first), named(second)) {
                (Some(action), Some(object)) => (Some(action), Some(object)),
                _ => (None, None),
            },
            _ => (None, None),
        };
        if action.is_none() && object.is_none() {
            return Err(BadText::new(
                text,
                "a kind of change",
                "write what is done (`create`, `update`, `match`, `delete`, `skip`), a kind of object such as \
                 `query` or `data-source`, or both, such as `delete query`",
            ));
        }
        Ok(Self { action, object })
    }
}

serde_as_text!(ChangeName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_it_is_written() {
        for (text, written) in [
            ("delete", Some("delete")),
            ("data-source", Some("data-source")),
            ("delete  query", Some("delete query")),
            ("query delete", None),
            ("delete querry", None),
            ("remove query", None),
            ("any", None),
            ("delete query page", None),
            ("", None),
        ] {
            let read = text.parse::<ChangeName>().ok();
            assert_eq!(read.map(|change| change.to_string()).as_deref(), written, "{text}");
        }
        let kind = "delete query".parse::<ChangeName>().unwrap().kind();
        assert_eq!((kind.action, kind.object), (Some(Action::Delete), Some(ObjectKind::Query)));
    }
}
