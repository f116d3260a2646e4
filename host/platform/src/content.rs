//! From native JSON to an object's content: references found, secrets out, native ids replaced.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sluice_model::content::{self, Part};
use sluice_model::{Digest, ObjectKind, Pointer, Reference, SlotName};

use crate::promise::{self, Promise};
use crate::references::{Dialect, Scope, references};
use crate::slots::{self, Credential};
use crate::suspect::{self, Naming};
use crate::translate::{Translation, Translator};
use crate::{Likeness, SecretText, rules};

/// What stood where a mark is now.
pub(crate) struct TakenText {
    pub(crate) at: Pointer,
    pub(crate) slot: SlotName,
    pub(crate) provisional: bool,
    pub(crate) what: Likeness,
    pub(crate) value: SecretText,
}

/// The outcome of a pass.
pub(crate) struct Content {
    pub(crate) value: Value,
    pub(crate) references: Vec<Reference>,
    pub(crate) taken: Vec<TakenText>,
    /// A logical id that was in the native text.
    pub(crate) clash: Option<String>,
}

/// Makes the content of one object.
pub(crate) fn convert(native: Value, kind: ObjectKind, scope: &Scope, dialect: &dyn Dialect) -> Content {
    let references = references(&native, kind, scope, dialect);
    // Only a data source's options have marks already.
    let marks = if kind == ObjectKind::DataSource { content::marks(&native) } else { Vec::new() };
    let names = marks.into_iter().map(|mark| mark.slot).collect();
    let (mut value, mut pass) = (native, Pass::new(Some(&scope.translator), names));
    pass.value(&mut value, Path::Root, None);
    Content { value, references, taken: pass.taken, clash: pass.clash }
}

/// Takes secrets out of what is no object's content; answers how many.
pub(crate) fn withhold(native: &mut Value) -> usize {
    take_out(native).len()
}

/// What looks like a secret in some content, with the value and what gave it away.
///
/// In content that was imported nothing is left to find but what a person put back.
#[must_use]
pub fn secrets_in_the_clear(content: &Value) -> Vec<ClearSecret> {
    take_out(&mut content.clone())
        .into_iter()
        .map(|found| ClearSecret { at: found.at, what: found.what, value: found.value })
        .collect()
}

/// A value that looks like a secret and stands in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearSecret {
    /// Where.
    pub at: Pointer,
    /// What gave it away.
    pub what: Likeness,
    /// The value.
    pub value: SecretText,
}

fn take_out(native: &mut Value) -> Vec<TakenText> {
    let mut pass = Pass::new(None, BTreeSet::new());
    pass.value(native, Path::Root, None);
    pass.taken
}

/// The way to a value, as the frames of the pass hold it.
#[derive(Clone, Copy)]
enum Path<'p> {
    Root,
    Member(&'p Path<'p>, &'p str),
    Element(&'p Path<'p>, usize),
}

impl Path<'_> {
    fn pointer(&self) -> Pointer {
        match self {
            Self::Root => Pointer::root(),
            Self::Member(before, name) => before.pointer().child(name),
            Self::Element(before, index) => before.pointer().child(index),
        }
    }

    /// Whether it is one of a list of headers or parameters, which ToolJet wraps as a `value`.
    fn is_listed_parameter(&self) -> bool {
        match self {
            Self::Element(Self::Member(before, "value"), _) => {
                before.name().is_some_and(rules::lists_parameters)
            }
            Self::Element(before @ Self::Member(..), _) => before.name().is_some_and(rules::lists_parameters),
            _ => false,
        }
    }

    /// The name of the innermost member.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Root => None,
            Self::Member(_, name) => Some(name),
            Self::Element(before, _) => before.name(),
        }
    }
}

/// What the first half of the pair at `at` promises of the second.
fn promise_of_pair(name: &str, at: Path<'_>) -> Option<Promise> {
    if at.is_listed_parameter() { Some(promise::of_parameter(name)) } else { promise::of_member(name) }
}

/// What a value's name promises, and how it came by the name.
type Named = Option<(Promise, Naming)>;

/// Rewrites content in place.
struct Pass<'s> {
    translator: Option<&'s Translator>,
    taken: Vec<TakenText>,
    names: BTreeSet<SlotName>,
    clash: Option<String>,
}

impl<'s> Pass<'s> {
    const fn new(translator: Option<&'s Translator>, names: BTreeSet<SlotName>) -> Self {
        Self { translator, taken: Vec::new(), names, clash: None }
    }

    fn value(&mut self, value: &mut Value, at: Path<'_>, named: Named) {
        if let Some(parts) = content::parts(value) {
            *value = self.marked(&parts, at);
            return;
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => {
                if let Some(changed) = self.text(text, at, named) {
                    *value = changed;
                }
            }
            Value::Array(items) => {
                let pair = match items.as_slice() {
                    [Value::String(first), Value::String(_)] => promise_of_pair(first, at),
                    _ => None,
                };
                for (index, item) in items.iter_mut().enumerate() {
                    let pair = pair.filter(|_| index == 1).map(|promise| (promise, Naming::Pair));
                    self.value(item, Path::Element(&at, index), pair.or(named));
                }
            }
            Value::Object(members) => {
                let credential = slots::credential(members);
                members.remove(slots::CREDENTIAL_ID);
                match credential {
                    Some(credential) => self.credential(members, credential, at, named),
                    None => self.members(members, at, named),
                }
            }
        }
    }

    fn members(&mut self, members: &mut Map<String, Value>, at: Path<'_>, named: Named) {
        let pair = ["key", "name", "header"]
            .iter()
            .find_map(|of| members.get(*of))
            .and_then(Value::as_str)
            .and_then(|name| promise_of_pair(name, at))
            .filter(|_| !members.contains_key("label"));
        let mut renamed = Vec::new();
        for (key, member) in members.iter_mut() {
            // ToolJet wraps values: `{"password": {"value": …}}` is still about a password.
            let named = match (key.as_str(), pair) {
                ("value", Some(promise)) => Some((promise, Naming::Pair)),
                ("value", None) => named,
                (key, _) => promise::of_member(key).map(|promise| (promise, Naming::Member)),
            };
            self.value(member, Path::Member(&at, key), named);
            renamed.extend(self.translated(key).map(|to| (key.clone(), to)));
        }
        for (from, to) in renamed {
            if let Some(member) = members.remove(&from) {
                members.insert(to, member);
            }
        }
    }

    /// A value that ToolJet says is secret, outside of a data source's options.
    fn credential(
        &mut self,
        members: &mut Map<String, Value>,
        credential: Credential,
        at: Path<'_>,
        named: Named,
    ) {
        members.remove("value");
        for (key, member) in members.iter_mut() {
            self.value(member, Path::Member(&at, key), named);
        }
        let Some(base) = slots::credential_name(at.name().unwrap_or_default()) else { return };
        let slot = slots::named(&mut self.names, &base, "");
        self.taken.extend(credential.value.map(|value| TakenText {
            at: at.pointer().child("value"),
            slot: slot.clone(),
            provisional: false,
            what: Likeness::Declared,
            value,
        }));
        members.insert("value".to_owned(), content::mark(&[Part::Slot(slot)]));
    }

    /// What a text becomes, unless it stays.
    fn text(&mut self, text: &str, at: Path<'_>, named: Named) -> Option<Value> {
        if text.is_empty() {
            return None;
        }
        let suspects = suspect::find(text, named);
        if suspects.is_empty() {
            let is_id = at.name().is_some_and(|name| name == "id" || name.ends_with("Id"));
            let id = self.translator.filter(|_| is_id).and_then(|translator| translator.id(text));
            return id.map(str::to_owned).or_else(|| self.translated(text)).map(Value::String);
        }
        let mut parts = Vec::new();
        self.split(text, &suspects, at, &mut parts);
        Some(content::mark(&parts))
    }

    /// What a declared slot left of a text may still hold what looks like a secret.
    fn marked(&mut self, before: &[Part], at: Path<'_>) -> Value {
        let mut parts = Vec::new();
        for part in before {
            match part {
                Part::Text(text) => self.split(text, &suspect::find(text, None), at, &mut parts),
                slot => parts.push(slot.clone()),
            }
        }
        content::mark(&parts)
    }

    fn split(&mut self, text: &str, suspects: &[suspect::Suspect], at: Path<'_>, parts: &mut Vec<Part>) {
        let mut done = 0;
        for found in suspects {
            let Some(value) = text.get(found.range.clone()) else { continue };
            let at = at.pointer();
            let Some(slot) = self.provisional(found.what, &at) else { continue };
            self.keep(text.get(done..found.range.start), parts);
            parts.push(Part::Provisional(slot.clone()));
            let value = SecretText::new(value);
            self.taken.push(TakenText { at, slot, provisional: true, what: found.what, value });
            done = found.range.end;
        }
        self.keep(text.get(done..), parts);
    }

    fn keep(&mut self, text: Option<&str>, parts: &mut Vec<Part>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            parts.push(Part::Text(self.translated(text).unwrap_or_else(|| text.to_owned())));
        }
    }

    /// Named for what was found and where, so that the same import gives the same name again.
    fn provisional(&mut self, what: Likeness, at: &Pointer) -> Option<SlotName> {
        let name =
            SlotName::new(format!("{what}@{at}")).ok().filter(|name| name.as_str().len() <= 160).or_else(
                || SlotName::new(format!("{what}@{}", Digest::of(at.to_string().as_bytes()).short())).ok(),
            )?;
        Some(slots::named(&mut self.names, &name, ""))
    }

    /// The text with its ids replaced, unless there are none.
    fn translated(&mut self, text: &str) -> Option<String> {
        match self.translator?.text(text) {
            Translation::Same => None,
            Translation::Changed(text) => Some(text),
            Translation::Forbidden(id) => {
                self.clash = Some(id);
                None
            }
        }
    }
}

/// Content back to native JSON: logical ids replaced, marks emptied.
pub(crate) fn restore(content: &Value, translator: &Translator) -> Value {
    let text = |text: &str| match translator.text(text) {
        Translation::Changed(text) => text,
        Translation::Same | Translation::Forbidden(_) => text.to_owned(),
    };
    match content {
        Value::String(value) => Value::String(text(value)),
        Value::Array(items) => items.iter().map(|item| restore(item, translator)).collect(),
        Value::Object(members) => match content::parts(content) {
            Some(parts) => Value::String(
                parts
                    .iter()
                    .map(|part| match part {
                        Part::Text(value) => text(value),
                        Part::Slot(_) | Part::Provisional(_) => String::new(),
                    })
                    .collect(),
            ),
            None => members.iter().map(|(key, member)| (text(key), restore(member, translator))).collect(),
        },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_looks_random_is_suspected_in_lists_of_headers_and_parameters() {
        let made = "n0tAr3alC0d3Xq7Zw2LmPk";
        for (content, at) in [
            (json!({"headers": [["x-anything", made]]}), Some("/headers/0/1")),
            (json!({"headers": {"value": [["", ""], ["x-anything", made]]}}), Some("/headers/value/1/1")),
            (json!({"url_parameters": {"value": [["sig", "not-real"]]}}), Some("/url_parameters/value/0/1")),
            (json!({"comp": {"params": [{"key": "code", "value": made}]}}), Some("/comp/params/0/value")),
            (json!({"columns": [["anything", made]]}), None),
            (json!({"columns": [{"key": "anything", "value": made}]}), None),
            (json!({"columns": [["sig", "not-real"]]}), None),
            (json!({"headers": [["x-anything", "{{queries.a.data}}"]]}), None),
        ] {
            let found: Vec<_> =
                secrets_in_the_clear(&content).iter().map(|found| found.at.to_string()).collect();
            assert_eq!(found, at.into_iter().collect::<Vec<_>>(), "{content}");
        }
    }

    #[test]
    fn what_the_platform_marks_is_taken_outside_of_options_too() {
        let take = |mut native: Value| {
            let taken: Vec<_> = take_out(&mut native)
                .into_iter()
                .map(|taken| (taken.slot.to_string(), taken.value.expose().to_owned(), taken.provisional))
                .collect();
            (native, taken)
        };
        let slot = |name: &str| json!({"$sluice": [{"slot": name}]});
        for (native, left, taken) in [
            (
                json!({"pin": {"credential_id": "c", "value": 1234}}),
                json!({"pin": {"value": slot("pin")}}),
                vec![("pin".to_owned(), "1234".to_owned(), false)],
            ),
            (
                json!({"pin": {"encrypted": true, "value": "not-real"}}),
                json!({"pin": {"encrypted": true, "value": slot("pin")}}),
                vec![("pin".to_owned(), "not-real".to_owned(), false)],
            ),
            (json!({"pin": {"credential_id": "c"}}), json!({"pin": {"value": slot("pin")}}), vec![]),
            (
                json!({"pin": {"credential_id": "c", "value": "{{secrets.PIN}}"}}),
                json!({"pin": {"value": "{{secrets.PIN}}"}}),
                vec![],
            ),
        ] {
            assert_eq!(take(native), (left, taken));
        }
    }
}
