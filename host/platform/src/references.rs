//! What the texts of some content refer to.

use std::collections::HashMap;

use serde_json::Value;
use sluice_model::content::{self, Part};
use sluice_model::{LogicalId, ObjectKind, Pointer, Reference, ReferenceKind, Target};

use crate::translate::Translator;
use crate::{slots, suspect};

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

/// What holds the text at `steps` of `root`, innermost first.
pub(crate) fn holders<'v>(root: &'v Value, steps: &[Step<'_>]) -> impl Iterator<Item = &'v Value> {
    let mut held = vec![root];
    for step in steps.split_last().map(|(_, before)| before).unwrap_or_default() {
        let inner = held.last().and_then(|value| match step {
            Step::Member(name) => value.get(name),
            Step::Element(index) => value.get(index),
        });
        held.extend(inner);
    }
    held.into_iter().rev()
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

/// All edges of an object with this native content, in order of their place.
pub(crate) fn references(
    native: &Value,
    kind: ObjectKind,
    scope: &Scope,
    dialect: &dyn Dialect,
) -> Vec<Reference> {
    let mut walk =
        Walk { root: native, kind, scope, dialect, steps: Vec::new(), edges: Vec::new(), found: Vec::new() };
    walk.value(native);
    walk.found.sort();
    walk.found.dedup();
    walk.found
}

struct Walk<'v, 's> {
    root: &'v Value,
    kind: ObjectKind,
    scope: &'s Scope,
    dialect: &'s dyn Dialect,
    steps: Vec<Step<'v>>,
    edges: Vec<(ReferenceKind, Target)>,
    found: Vec<Reference>,
}

impl<'v> Walk<'v, '_> {
    fn value(&mut self, value: &'v Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.step(Step::Element(index), item);
                }
            }
            Value::Object(members) => {
                if let Some(parts) = content::parts(value) {
                    for part in parts {
                        if let Part::Text(text) = part {
                            self.text(&text);
                        }
                    }
                    return;
                }
                let is_credential = slots::credential(members).is_some();
                for (key, member) in members {
                    // Both are taken out.
                    if key != slots::CREDENTIAL_ID && !(is_credential && key == "value") {
                        self.step(Step::Member(key), member);
                    }
                }
            }
        }
    }

    fn step(&mut self, step: Step<'v>, value: &'v Value) {
        self.steps.push(step);
        self.value(value);
        self.steps.pop();
    }

    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.dialect.edges(self.kind, self.root, &self.steps, text, self.scope, &mut self.edges);
        if self.edges.is_empty() {
            return;
        }
        let mut at = Pointer::root();
        for step in &self.steps {
            match step {
                Step::Member(name) => at.push(name),
                Step::Element(index) => at.push(index),
            }
        }
        self.found.extend(self.edges.drain(..).map(|(kind, target)| {
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
        }));
    }
}
