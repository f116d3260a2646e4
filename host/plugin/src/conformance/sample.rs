//! Data sources made from a plugin's own description.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sluice_model::content::{Part, mark};
use sluice_model::slot::{SecretShape, SlotRule};
use sluice_model::{EnvironmentName, Pointer, SlotName};

use crate::describe::{KindDescription, OptionDescription, OptionType, Sameness};
use crate::render::{Candidate, DataSource, Environment, RenderInput};

/// Which side's value an option gets, so that one that came from the wrong side is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The bundle's.
    Bundle,
    /// The target's.
    Target,
}

/// A data source of a kind with all its options and slots, and a binding that has what the
/// environment owns, under this name; `None` where the kind's name cannot be used.
pub(super) fn full(kind: &KindDescription, called: &str) -> Option<RenderInput> {
    let mut options = Value::Object(Map::new());
    let mut binding = Value::Object(Map::new());
    for option in described(kind) {
        put(&mut options, &option.at, value(option, Side::Bundle));
        if option.across_environments != Sameness::MustMatch {
            put(&mut binding, &option.at, value(option, Side::Target));
        }
    }
    for rule in kind.slots.iter().map(|slot| &slot.rule) {
        let (at, slot) = place(rule)?;
        put(&mut options, &at, secret(rule, &slot, Side::Bundle));
        // A whole option is kept where the bundle has it; text around a secret is the target's.
        if rule.shape != SecretShape::Whole {
            put(&mut binding, &at, secret(rule, &slot, Side::Target));
        }
    }
    let names: BTreeSet<String> =
        kind.slots.iter().filter_map(|slot| Some(place(&slot.rule)?.1.to_string())).collect();
    // Decoys first, so that who takes the first of all is seen.
    let labels = ["another source's".to_owned()].into_iter().chain(names).enumerate();
    Some(RenderInput {
        source: DataSource {
            logical_id: "conformance".parse().ok()?,
            name: called.to_owned(),
            kind: kind.kind.clone(),
            options,
        },
        source_environment: environment("development", 0)?,
        target_environment: environment("staging", 1)?,
        binding,
        slots_bound: BTreeMap::new(),
        candidates: labels.filter_map(|(index, label)| candidate(index, &label)).collect(),
    })
}

/// A secret of the target that is offered.
fn candidate(index: usize, label: &str) -> Option<Candidate> {
    let reference = format!("secret://staging/conformance/{index}").parse().ok()?;
    Some(Candidate { reference, label: label.to_owned(), age_days: u32::try_from(index).ok()? })
}

pub(super) fn environment(name: &str, order: u32) -> Option<Environment> {
    Some(Environment { name: EnvironmentName::new(name).ok()?, order })
}

/// The options that a value can be given to: those at one place, and of nested ones the inner. A
/// secret's place gets the secret.
pub(super) fn described(kind: &KindDescription) -> impl Iterator<Item = &OptionDescription> {
    let is_pattern = |at: &Pointer| at.tokens().iter().any(|token| token == "*");
    let is_outer = |at: &Pointer| kind.options.iter().any(|o| o.at != *at && o.at.is_within(at));
    let holds_secret =
        |at: &Pointer| kind.slots.iter().any(|s| s.rule.at.is_within(at) || at.is_within(&s.rule.at));
    kind.options.iter().filter(move |o| !is_pattern(&o.at) && !is_outer(&o.at) && !holds_secret(&o.at))
}

/// A good value.
fn value(option: &OptionDescription, side: Side) -> Value {
    let who = match side {
        Side::Bundle => "development",
        Side::Target => "staging",
    };
    match option.ty {
        OptionType::Text => json!(format!("{who}.example")),
        OptionType::Number => match side {
            Side::Bundle => json!(1001),
            Side::Target => json!(1002),
        },
        OptionType::Flag => json!(true),
        OptionType::Choice => json!(option.choices.first().cloned().unwrap_or_default()),
        OptionType::ListOfPairs => json!([]),
        OptionType::Url => json!(format!("https://{who}.example/v1")),
        OptionType::Json => json!({ "of": who }),
    }
}

/// A value that the option cannot have; `None` where it can have any.
pub(super) fn wrong(option: &OptionDescription) -> Option<Value> {
    match option.ty {
        OptionType::Number => Some(json!("neither digits nor empty")),
        OptionType::Flag => Some(json!("neither true nor false")),
        OptionType::Choice => Some(json!("none of the choices")),
        OptionType::Text => Some(json!({ "inner": ["a", "list"] })),
        OptionType::Url => Some(json!({ "inner": true })),
        OptionType::ListOfPairs | OptionType::Json => None,
    }
}

/// Where a rule's secret is put, and the slot's name there.
fn place(rule: &SlotRule) -> Option<(Pointer, SlotName)> {
    let mut at = Pointer::root();
    let mut name = rule.name.to_string();
    for token in rule.at.tokens() {
        if token == "*" {
            at.push("0");
            name.push_str("-0");
        } else {
            at.push(token);
        }
    }
    Some((at, SlotName::new(name).ok()?))
}

/// A text with a secret in it, as its shape says.
fn secret(rule: &SlotRule, slot: &SlotName, side: Side) -> Value {
    let host = match side {
        Side::Bundle => "development.example",
        Side::Target => "staging.example",
    };
    let text = |text: String| Part::Text(text);
    let slot = Part::Slot(slot.clone());
    mark(&match &rule.shape {
        SecretShape::Whole => vec![slot],
        SecretShape::UrlUserinfo => vec![text("https://app:".into()), slot, text(format!("@{host}/orders"))],
        SecretShape::KeyValue(key) => vec![text(format!("Server={host};{key}=")), slot, text(";".into())],
        SecretShape::HeaderValue => vec![text("Bearer ".into()), slot],
        SecretShape::JsonMember(at) => {
            let open: String = at.tokens().iter().map(|token| format!("{{{}:", json!(token))).collect();
            let close = "}".repeat(at.tokens().len());
            vec![text(format!("{open}\"")), slot, text(format!("\"{close}"))]
        }
    })
}

/// Puts a value at a place, making the objects on the way.
pub(super) fn put(into: &mut Value, at: &Pointer, value: Value) {
    let mut here = into;
    for token in at.tokens() {
        if !here.is_object() {
            *here = Value::Object(Map::new());
        }
        let Value::Object(members) = here else { return };
        here = members.entry(token.clone()).or_insert(Value::Null);
    }
    *here = value;
}

/// Takes out what stands at a place.
pub(super) fn take(from: &mut Value, at: &Pointer) {
    let (Some(parent), Some(last)) = (at.parent(), at.tokens().last()) else { return };
    let mut here = from;
    for token in parent.tokens() {
        let Some(inner) = here.get_mut(token) else { return };
        here = inner;
    }
    if let Value::Object(members) = here {
        members.remove(last);
    }
}
