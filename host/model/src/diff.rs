//! The difference between two contents, member by member.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Pointer;

/// One place in which two contents differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Where.
    pub at: Pointer,
    /// What was there; absent where something is new.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "present")]
    pub before: Option<Value>,
    /// What is there; absent where something was removed.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "present")]
    pub after: Option<Value>,
}

/// Keeps an absent value apart from a JSON `null`, which `Option` alone does not.
mod present {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(value: &Option<Value>, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
        Value::deserialize(deserializer).map(Some)
    }
}

/// The changes that lead from `before` to `after`, in the order in which [`apply`] takes them.
///
/// Lists are compared by position; what a longer list has beyond the shorter one's end is added
/// or removed there.
#[must_use]
pub fn diff(before: &Value, after: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(before, after, &mut Pointer::root(), &mut changes);
    changes
}

fn compare(before: &Value, after: &Value, at: &mut Pointer, changes: &mut Vec<Change>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, before) in a {
                at.push(key);
                match b.get(key) {
                    Some(after) => compare(before, after, at, changes),
                    None => {
                        changes.push(Change { at: at.clone(), before: Some(before.clone()), after: None })
                    }
                }
                at.pop();
            }
            for (key, after) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                changes.push(Change { at: at.child(key), before: None, after: Some(after.clone()) });
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for (index, (before, after)) in a.iter().zip(b).enumerate() {
                at.push(index);
                compare(before, after, at, changes);
                at.pop();
            }
            // From the end, so that each index is still right when it is taken away.
            for (index, before) in a.iter().enumerate().skip(b.len()).rev() {
                changes.push(Change { at: at.child(index), before: Some(before.clone()), after: None });
            }
            for (index, after) in b.iter().enumerate().skip(a.len()) {
                changes.push(Change { at: at.child(index), before: None, after: Some(after.clone()) });
            }
        }
        (a, b) if a == b => {}
        (a, b) => changes.push(Change { at: at.clone(), before: Some(a.clone()), after: Some(b.clone()) }),
    }
}

/// A change that does not fit the content it is applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the change at `{at}` does not fit: the content there is not what the change was made from")]
pub struct Misfit {
    /// Where.
    pub at: Pointer,
}

/// The content with the changes made.
///
/// # Errors
/// When a change's `before` is not what is there.
pub fn apply(changes: &[Change], content: &Value) -> Result<Value, Misfit> {
    let mut content = content.clone();
    for change in changes {
        make(change, &mut content).ok_or_else(|| Misfit { at: change.at.clone() })?;
    }
    Ok(content)
}

fn make(change: &Change, content: &mut Value) -> Option<()> {
    if change.at.get(content) != change.before.as_ref() {
        return None;
    }
    let Some(parent) = change.at.parent() else {
        *content = change.after.clone()?;
        return Some(());
    };
    let token = change.at.tokens().last()?;
    match (parent.get_mut(content)?, &change.after) {
        (Value::Object(members), Some(after)) => set(members, token, after),
        (Value::Object(members), None) => drop(members.remove(token)?),
        (Value::Array(items), Some(after)) => {
            let index: usize = token.parse().ok()?;
            match index.cmp(&items.len()) {
                Ordering::Less => *items.get_mut(index)? = after.clone(),
                Ordering::Equal => items.push(after.clone()),
                Ordering::Greater => return None,
            }
        }
        (Value::Array(items), None) => {
            let index: usize = token.parse().ok()?;
            if index + 1 != items.len() {
                return None;
            }
            items.pop();
        }
        _ => return None,
    }
    Some(())
}

fn set(members: &mut Map<String, Value>, key: &str, value: &Value) {
    members.insert(key.to_owned(), value.clone());
}

/// The changes that lead back.
#[must_use]
pub fn inverse(changes: &[Change]) -> Vec<Change> {
    let turned = |change: &Change| Change {
        at: change.at.clone(),
        before: change.after.clone(),
        after: change.before.clone(),
    };
    changes.iter().rev().map(turned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::json::tests::any_json;

    proptest! {
        #[test]
        fn applying_a_diff_gives_the_other_content(a in any_json(), b in any_json()) {
            let changes = diff(&a, &b);
            prop_assert_eq!(apply(&changes, &a).unwrap(), b.clone());
            prop_assert_eq!(apply(&inverse(&changes), &b).unwrap(), a.clone());
            prop_assert_eq!(changes.is_empty(), a == b);
        }

        #[test]
        fn a_change_survives_being_stored(a in any_json(), b in any_json()) {
            for change in diff(&a, &b) {
                let stored = serde_json::to_string(&change).unwrap();
                prop_assert_eq!(serde_json::from_str::<Change>(&stored).unwrap(), change);
            }
        }
    }

    #[test]
    fn says_what_changed_and_where() {
        let changes = diff(
            &json!({"query": "select 1", "gone": null, "same": [1, 2, 3]}),
            &json!({"query": "select 2", "new": null, "same": [1, 2]}),
        );
        let told: Vec<_> =
            changes.iter().map(|c| (c.at.to_string(), c.before.clone(), c.after.clone())).collect();
        assert_eq!(
            told,
            [
                ("/gone".into(), Some(json!(null)), None),
                ("/query".into(), Some(json!("select 1")), Some(json!("select 2"))),
                ("/same/2".into(), Some(json!(3)), None),
                ("/new".into(), None, Some(json!(null))),
            ]
        );
    }

    #[test]
    fn a_change_that_does_not_fit_is_refused() {
        let changes = diff(&json!({"a": 1}), &json!({"a": 2}));
        assert_eq!(apply(&changes, &json!({"a": 3})).unwrap_err().at.to_string(), "/a");
    }
}
