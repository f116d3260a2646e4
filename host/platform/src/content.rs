//! From native JSON to an object's content: references found, secrets out, native ids replaced.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sluice_model::content::{self, Part};
use sluice_model::{Digest, ObjectKind, Pointer, Reference, SlotName};

use crate::references::{Dialect, Scope, references};
use crate::slots;
use crate::suspect::{self, Naming, Promise};
use crate::translate::{Translation, Translator};
use crate::{Likeness, SecretText};

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

    /// The name of the innermost member.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Root => None,
            Self::Member(_, name) => Some(name),
            Self::Element(before, _) => before.name(),
        }
    }
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
                    [Value::String(first), Value::String(_)] => suspect::promise(first),
                    _ => None,
                };
                for (index, item) in items.iter_mut().enumerate() {
                    let pair = pair.filter(|_| index == 1).map(|promise| (promise, Naming::Pair));
                    self.value(item, Path::Element(&at, index), pair.or(named));
                }
            }
            Value::Object(members) if members.contains_key("credential_id") => {
                self.credential(members, at, named);
            }
            Value::Object(members) => self.members(members, at, named),
        }
    }

    fn members(&mut self, members: &mut Map<String, Value>, at: Path<'_>, named: Named) {
        let pair = ["key", "name", "header"]
            .iter()
            .find_map(|of| members.get(*of))
            .and_then(Value::as_str)
            .and_then(suspect::promise)
            .filter(|_| !members.contains_key("label"));
        let mut renamed = Vec::new();
        for (key, member) in members.iter_mut() {
            // ToolJet wraps values: `{"password": {"value": …}}` is still about a password.
            let named = match (key.as_str(), pair) {
                ("value", Some(promise)) => Some((promise, Naming::Pair)),
                ("value", None) => named,
                (key, _) => suspect::promise(key).map(|promise| (promise, Naming::Member)),
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

    /// A place whose value ToolJet keeps elsewhere, outside of a data source's options.
    fn credential(&mut self, members: &mut Map<String, Value>, at: Path<'_>, named: Named) {
        members.remove("credential_id");
        let value = members.remove("value");
        for (key, member) in members.iter_mut() {
            self.value(member, Path::Member(&at, key), named);
        }
        let base = at.name().unwrap_or("credential");
        let Some(base) = SlotName::new(base).or_else(|_| SlotName::new("credential")).ok() else { return };
        let slot = slots::named(&mut self.names, &base, "");
        if let Some(Value::String(text)) = value.filter(|value| value != "") {
            self.taken.push(TakenText {
                at: at.pointer().child("value"),
                slot: slot.clone(),
                provisional: false,
                what: Likeness::Declared,
                value: SecretText::new(text),
            });
        }
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
