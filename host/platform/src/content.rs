//! From native JSON to an object's content, in one pass over it: secrets out, references found,
//! native ids replaced.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};
use sluice_model::content::{self, Part};
use sluice_model::{Digest, LogicalId, ObjectKind, Pointer, Reference, ReferenceKind, SlotName, Target};

use crate::SecretText;
use crate::slots;
use crate::suspect::{self, Naming};
use crate::translate::{Translation, Translator};

/// One step into content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'v> {
    Member(&'v str),
    Element(usize),
}

impl<'v> Step<'v> {
    pub(crate) const fn member(self) -> Option<&'v str> {
        match self {
            Self::Member(name) => Some(name),
            Self::Element(_) => None,
        }
    }
}

/// What can be referred to from inside one app, and by which ids and names.
pub(crate) struct Scope {
    /// By native id, as the content spells it.
    pub(crate) ids: HashMap<String, (ObjectKind, LogicalId)>,
    pub(crate) queries: HashMap<String, Vec<LogicalId>>,
    pub(crate) components: HashMap<String, Vec<LogicalId>>,
    pub(crate) translator: Translator,
}

impl Scope {
    /// What a name among `of` leads to.
    pub(crate) fn by_name(of: &HashMap<String, Vec<LogicalId>>, name: &str, wanted: ObjectKind) -> Target {
        match of.get(name).map(Vec::as_slice) {
            None | Some([]) => Target::Dangling { wanted, named: name.to_owned() },
            Some([one]) => Target::Resolved(one.clone()),
            Some(many) => Target::Ambiguous { named: name.to_owned(), candidates: many.to_vec() },
        }
    }

    /// What an id leads to.
    pub(crate) fn by_id(&self, id: &str, wanted: ObjectKind) -> Target {
        match self.ids.get(id) {
            Some((_, to)) => Target::Resolved(to.clone()),
            None => Target::Dangling { wanted, named: id.to_owned() },
        }
    }
}

/// Where the references of a platform's content are.
pub(crate) trait Dialect {
    /// The edges that the text at `steps` of `root` stands for.
    fn edges(
        &self,
        kind: ObjectKind,
        root: &Value,
        steps: &[Step<'_>],
        text: &str,
        scope: &Scope,
        found: &mut Vec<(ReferenceKind, Target)>,
    );
}

/// What stood where a mark is now.
pub(crate) struct TakenText {
    pub(crate) at: Pointer,
    pub(crate) slot: SlotName,
    pub(crate) provisional: bool,
    pub(crate) what: &'static str,
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

/// Whether the member at these steps is no content.
pub(crate) type LeaveOut<'a> = &'a dyn Fn(&[Step<'_>]) -> bool;

/// Makes the content of one object.
pub(crate) fn convert(
    native: &Value,
    kind: ObjectKind,
    scope: &Scope,
    dialect: &dyn Dialect,
    leave_out: LeaveOut<'_>,
) -> Content {
    // Only a data source's options have marks already.
    let marks = if kind == ObjectKind::DataSource { content::marks(native) } else { Vec::new() };
    let mut pass = Pass {
        root: native,
        kind,
        context: Some((scope, dialect)),
        leave_out,
        steps: Vec::new(),
        references: Vec::new(),
        edges: Vec::new(),
        taken: Vec::new(),
        names: marks.into_iter().map(|mark| mark.slot).collect(),
        clash: None,
    };
    let value = pass.value(native, None);
    let mut references = pass.references;
    references.sort();
    references.dedup();
    Content { value, references, taken: pass.taken, clash: pass.clash }
}

/// Takes secrets out of what is no object's content; answers how many.
pub(crate) fn withhold(native: &Value) -> (Value, usize) {
    let (value, taken) = take_out(native);
    (value, taken.len())
}

/// What looks like a secret in some content, with the value and what gave it away.
///
/// In content that was imported nothing is left to find but what a person put back.
#[must_use]
pub fn secrets_in_the_clear(content: &Value) -> Vec<ClearSecret> {
    let (_, taken) = take_out(content);
    taken
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
    pub what: &'static str,
    /// The value.
    pub value: SecretText,
}

fn take_out(native: &Value) -> (Value, Vec<TakenText>) {
    let mut pass = Pass {
        root: native,
        kind: ObjectKind::App,
        context: None,
        leave_out: &|_| false,
        steps: Vec::new(),
        references: Vec::new(),
        edges: Vec::new(),
        taken: Vec::new(),
        names: BTreeSet::new(),
        clash: None,
    };
    let value = pass.value(native, None);
    (value, pass.taken)
}

struct Pass<'v, 's> {
    root: &'v Value,
    kind: ObjectKind,
    context: Option<(&'s Scope, &'s dyn Dialect)>,
    leave_out: LeaveOut<'s>,
    steps: Vec<Step<'v>>,
    references: Vec<Reference>,
    edges: Vec<(ReferenceKind, Target)>,
    taken: Vec<TakenText>,
    names: BTreeSet<SlotName>,
    clash: Option<String>,
}

impl<'v> Pass<'v, '_> {
    fn pointer(&self) -> Pointer {
        let mut at = Pointer::root();
        for step in &self.steps {
            match step {
                Step::Member(name) => at.push(name),
                Step::Element(index) => at.push(index),
            }
        }
        at
    }

    fn value(&mut self, value: &'v Value, name: Option<(&'v str, Naming)>) -> Value {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
            Value::String(text) => self.text(text, name),
            Value::Array(items) => {
                let pair = match items.as_slice() {
                    [Value::String(first), Value::String(_)] if suspect::promise(first).is_some() => {
                        Some(first.as_str())
                    }
                    _ => None,
                };
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let name = pair.filter(|_| index == 1).map(|first| (first, Naming::Pair)).or(name);
                    self.steps.push(Step::Element(index));
                    list.push(self.value(item, name));
                    self.steps.pop();
                }
                Value::Array(list)
            }
            Value::Object(members) => {
                if let Some(parts) = content::parts(value) {
                    return self.marked(&parts);
                }
                if members.contains_key("credential_id") {
                    return self.credential(members, name);
                }
                self.members(members, name)
            }
        }
    }

    fn members(&mut self, members: &'v Map<String, Value>, name: Option<(&'v str, Naming)>) -> Value {
        let pair = ["key", "name", "header"]
            .iter()
            .find_map(|of| members.get(*of))
            .and_then(Value::as_str)
            .filter(|of| suspect::promise(of).is_some());
        let mut object = Map::new();
        for (key, member) in members {
            // ToolJet wraps values: `{"password": {"value": …}}` is still about a password.
            let name = match (key.as_str(), pair) {
                ("value", Some(of)) if !members.contains_key("label") => Some((of, Naming::Pair)),
                ("value", _) => name,
                (key, _) => Some((key, Naming::Member)),
            };
            self.steps.push(Step::Member(key));
            if !(self.leave_out)(&self.steps) {
                let member = self.value(member, name);
                object.insert(self.translated(key), member);
            }
            self.steps.pop();
        }
        Value::Object(object)
    }

    /// A place whose value ToolJet keeps elsewhere, outside of a data source's options.
    fn credential(&mut self, members: &'v Map<String, Value>, name: Option<(&'v str, Naming)>) -> Value {
        let mut object = Map::new();
        for (key, member) in
            members.iter().filter(|(key, _)| !matches!(key.as_str(), "credential_id" | "value"))
        {
            self.steps.push(Step::Member(key));
            let member = self.value(member, name);
            self.steps.pop();
            object.insert(key.clone(), member);
        }
        let base = self.steps.iter().rev().find_map(|step| step.member()).unwrap_or("credential");
        let Some(base) = SlotName::new(base).or_else(|_| SlotName::new("credential")).ok() else {
            return Value::Object(object);
        };
        let slot = slots::named(&mut self.names, &base, "");
        if let Some(text) = members.get("value").and_then(Value::as_str).filter(|text| !text.is_empty()) {
            let at = self.pointer().child("value");
            let value = SecretText::new(text);
            self.taken.push(TakenText {
                at,
                slot: slot.clone(),
                provisional: false,
                what: "declared",
                value,
            });
        }
        object.insert("value".to_owned(), content::mark(&[Part::Slot(slot)]));
        Value::Object(object)
    }

    fn text(&mut self, text: &'v str, name: Option<(&'v str, Naming)>) -> Value {
        if text.is_empty() {
            return Value::String(String::new());
        }
        self.refer(text);
        let suspects = suspect::find(text, name);
        if suspects.is_empty() {
            let is_id = self
                .steps
                .iter()
                .rev()
                .find_map(|step| step.member())
                .is_some_and(|key| key == "id" || key.ends_with("Id"));
            if let Some(id) = self.context.filter(|_| is_id).and_then(|(scope, _)| scope.translator.id(text))
            {
                return Value::String(id.to_owned());
            }
            return Value::String(self.translated(text));
        }
        let mut parts = Vec::new();
        self.split(text, &suspects, &mut parts);
        content::mark(&parts)
    }

    /// What a declared slot left of a text may still hold what looks like a secret.
    fn marked(&mut self, before: &[Part]) -> Value {
        let mut parts = Vec::new();
        for part in before {
            match part {
                Part::Text(text) => {
                    self.refer(text);
                    let suspects = suspect::find(text, None);
                    self.split(text, &suspects, &mut parts);
                }
                slot => parts.push(slot.clone()),
            }
        }
        content::mark(&parts)
    }

    fn split(&mut self, text: &str, suspects: &[suspect::Suspect], parts: &mut Vec<Part>) {
        let mut done = 0;
        for found in suspects {
            let Some(value) = text.get(found.range.clone()) else { continue };
            let at = self.pointer();
            let Some(slot) = self.provisional(found.what, &at) else { continue };
            if let Some(before) = text.get(done..found.range.start).filter(|before| !before.is_empty()) {
                parts.push(Part::Text(self.translated(before)));
            }
            parts.push(Part::Provisional(slot.clone()));
            let value = SecretText::new(value);
            self.taken.push(TakenText { at, slot, provisional: true, what: found.what, value });
            done = found.range.end;
        }
        if let Some(after) = text.get(done..).filter(|after| !after.is_empty()) {
            parts.push(Part::Text(self.translated(after)));
        }
    }

    /// Named for what was found and where, so that the same import gives the same name again.
    fn provisional(&mut self, what: &str, at: &Pointer) -> Option<SlotName> {
        let name =
            SlotName::new(format!("{what}@{at}")).ok().filter(|name| name.as_str().len() <= 160).or_else(
                || SlotName::new(format!("{what}@{}", Digest::of(at.to_string().as_bytes()).short())).ok(),
            )?;
        Some(slots::named(&mut self.names, &name, ""))
    }

    fn refer(&mut self, text: &str) {
        let Some((scope, dialect)) = self.context else { return };
        dialect.edges(self.kind, self.root, &self.steps, text, scope, &mut self.edges);
        if self.edges.is_empty() {
            return;
        }
        let at = self.pointer();
        let references = self.edges.drain(..).map(|(kind, target)| {
            // What is asked for may be anything, and is shown.
            let target = match target {
                Target::Dangling { wanted, named } => {
                    Target::Dangling { wanted, named: suspect::shown(&named) }
                }
                Target::Ambiguous { named, candidates } => {
                    Target::Ambiguous { named: suspect::shown(&named), candidates }
                }
                known => known,
            };
            Reference { at: at.clone(), kind, target }
        });
        self.references.extend(references);
    }

    fn translated(&mut self, text: &str) -> String {
        let Some((scope, _)) = self.context else { return text.to_owned() };
        match scope.translator.text(text) {
            Translation::Same => text.to_owned(),
            Translation::Changed(text) => text,
            Translation::Forbidden(id) => {
                self.clash = Some(id);
                text.to_owned()
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
