//! Marks in content: where a secret was taken out.
//!
//! A text from which the host took a secret becomes `{"$sluice": [part, …]}`, its parts in order:
//! `{"text": …}` for what stayed, `{"slot": …}` for a declared secret slot, `{"provisional": …}`
//! for what merely looks like a secret until a person has confirmed or dismissed it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Pointer, SlotName};

/// The member name that no native content may have.
pub const MARK: &str = "$sluice";

/// A piece of a text out of which a secret was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What stayed.
    Text(String),
    /// A declared secret's place.
    Slot(SlotName),
    /// The place of what looks like a secret.
    Provisional(SlotName),
}

/// The content that stands for these parts.
#[must_use]
pub fn mark(parts: &[Part]) -> Value {
    let parts: Vec<Value> = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => json!({ "text": text }),
            Part::Slot(name) => json!({ "slot": name }),
            Part::Provisional(name) => json!({ "provisional": name }),
        })
        .collect();
    json!({ MARK: parts })
}

/// The parts of a marked value, or `None` for any other value.
#[must_use]
pub fn parts(value: &Value) -> Option<Vec<Part>> {
    let members = value.as_object()?;
    let marked = if members.len() == 1 { members.get(MARK)? } else { return None };
    Vec::deserialize(marked).ok()
}

/// Where content uses the reserved member name, if it does; such an export is refused.
#[must_use]
pub fn reserved(value: &Value) -> Option<Pointer> {
    let here = Pointer::root();
    match value {
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| Some(reserved(item)?.under(&here.child(index))))
        }
        Value::Object(members) if members.contains_key(MARK) => Some(here.child(MARK)),
        Value::Object(members) => {
            members.iter().find_map(|(key, member)| Some(reserved(member)?.under(&here.child(key))))
        }
        _ => None,
    }
}

/// One mark in some content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Where it stands.
    pub at: Pointer,
    /// The slot's name.
    pub slot: SlotName,
    /// Whether nobody has confirmed yet that this is a secret.
    pub provisional: bool,
}

/// All marks, in order of their place.
#[must_use]
pub fn marks(value: &Value) -> Vec<Mark> {
    let mut found = Vec::new();
    visit(value, &mut |at, value| {
        let Some(parts) = parts(value) else { return true };
        found.extend(parts.into_iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Slot(slot) => Some(Mark { at: at.clone(), slot, provisional: false }),
            Part::Provisional(slot) => Some(Mark { at: at.clone(), slot, provisional: true }),
        }));
        false
    });
    found
}

/// The value with every marked text rewritten by `text`; all else stays.
#[must_use]
pub fn replace_marks(value: &Value, text: &mut impl FnMut(Vec<Part>) -> Value) -> Value {
    if let Some(parts) = parts(value) {
        return text(parts);
    }
    match value {
        Value::Array(items) => items.iter().map(|item| replace_marks(item, text)).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, member)| (key.clone(), replace_marks(member, text))).collect()
        }
        other => other.clone(),
    }
}

/// Calls `see` on every value, outermost first; goes inside where it answers `true`.
pub fn visit<'v>(value: &'v Value, see: &mut impl FnMut(&Pointer, &'v Value) -> bool) {
    fn go<'v>(value: &'v Value, at: &mut Pointer, see: &mut impl FnMut(&Pointer, &'v Value) -> bool) {
        if !see(at, value) {
            return;
        }
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    at.push(index);
                    go(item, at, see);
                    at.pop();
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    at.push(key);
                    go(member, at, see);
                    at.pop();
                }
            }
            _ => {}
        }
    }
    go(value, &mut Pointer::root(), see);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str) -> SlotName {
        SlotName::new(name).unwrap()
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let written = vec![
            Part::Text("postgres://app:".into()),
            Part::Slot(slot("password")),
            Part::Text("@db".into()),
            Part::Provisional(slot("header-1")),
        ];
        assert_eq!(parts(&mark(&written)), Some(written));
        for other in [json!({"$sluice": 1}), json!({"$sluice": [], "x": 1}), json!([]), json!("x")] {
            assert_eq!(parts(&other), None, "{other}");
        }
    }

    #[test]
    fn finds_marks_and_reserved_names() {
        let content =
            json!({"a": [mark(&[Part::Slot(slot("x"))])], "b": mark(&[Part::Provisional(slot("y"))])});
        let found: Vec<_> =
            marks(&content).into_iter().map(|m| (m.at.to_string(), m.slot, m.provisional)).collect();
        assert_eq!(found, [("/a/0".into(), slot("x"), false), ("/b".into(), slot("y"), true)]);
        assert_eq!(reserved(&json!({"a": [{"$sluice": 1}]})).unwrap().to_string(), "/a/0/$sluice");
        assert_eq!(reserved(&json!({"a": "$sluice"})), None);
    }
}
