//! A vendor's example: a data source, what the target has, and what is to come of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_model::{EnvironmentName, Kind, LogicalId, Pointer, SecretRef, SlotName};

use super::sample;
use crate::describe::SlotDescription;
use crate::error::{Reason, shown};
use crate::plugin::Plugin;
use crate::render::{Candidate, DataSource, Environment, RenderInput, Rendered, Traits};

/// Bytes of an example that are read at most.
const MOST_BYTES: usize = 4 << 20;

/// An example as a vendor writes it, in JSON; the harnesses of the guest SDKs play the same files.
///
/// Out of a text in the options, the host has taken a secret where it has
/// `{"$sluice": [{"text": "…"}, {"slot": "NAME"}]}` (see [`sluice_model::content`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Example {
    /// What people call it: the file's name without its ending.
    #[serde(skip)]
    pub title: String,
    /// The data source as the bundle has it.
    pub source: Bundled,
    /// The options that the target's owners set.
    #[serde(default)]
    pub binding: Value,
    /// The target's secrets that are offered to the data source.
    #[serde(default)]
    pub candidates: Vec<Offered>,
    /// Where the bundle comes from; the first environment, unless it is said.
    pub source_environment: Option<Place>,
    /// Where the data source goes; the second environment, unless it is said.
    pub target_environment: Option<Place>,
    /// What comes of it.
    pub expected: Expected,
}

/// A data source as a bundle has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Bundled {
    /// Its identity.
    pub logical_id: LogicalId,
    /// What people call it.
    pub name: String,
    /// Its kind, written `PLATFORM/NAME`.
    pub kind: Kind,
    /// Its options.
    pub options: Value,
}

/// A secret that is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Offered {
    /// Where it lies.
    pub reference: SecretRef,
    /// What the owner filed it under.
    pub label: String,
    /// Full days since it was last changed.
    #[serde(default)]
    pub age_days: u32,
}

/// An environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its name.
    pub name: EnvironmentName,
    /// Its place in the order of promotion, from 0.
    pub order: u32,
}

/// What is to come of an example: either `options`, and as much else as the vendor says, or a
/// `failure`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Expected {
    /// The options.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Value>,
    /// Which secret fills which slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<BTreeMap<SlotName, SecretRef>>,
    /// The required slots that stay empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_slots: Option<BTreeSet<SlotName>>,
    /// What policies are told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traits: Option<Traits>,
    /// The codes of what is noticed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<BTreeSet<String>>,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// Why an example is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tag", content = "val", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Failure {
    /// The options are wrong: the codes of what is.
    Invalid(BTreeSet<String>),
    /// The binding lacks options: their pointers.
    Incomplete(BTreeSet<String>),
}

/// An example that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the example `{file}` is not one: {what}")]
pub struct ExampleError {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
}

impl Example {
    /// Reads an example; `file` is its name.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(file: &str, json: &[u8]) -> Result<Self, ExampleError> {
        let wrong = |what: String| ExampleError { file: file.to_owned(), what };
        if json.len() > MOST_BYTES {
            return Err(wrong(format!("it has more than {MOST_BYTES} bytes")));
        }
        let example: Self = serde_json::from_slice(json).map_err(|error| wrong(error.to_string()))?;
        if example.expected.options.is_some() == example.expected.failure.is_some() {
            return Err(wrong("it must expect either `options` or a `failure`".to_owned()));
        }
        Ok(Self { title: shown(file.strip_suffix(".json").unwrap_or(file)), ..example })
    }

    /// What the plugin is asked; `None` where there is no name for an environment that none is said
    /// of.
    #[must_use]
    pub fn input(&self) -> Option<RenderInput> {
        let Bundled { logical_id, name, kind, options } = self.source.clone();
        let said = |place: &Option<Place>| {
            let Place { name, order } = place.clone()?;
            Some(Environment { name, order })
        };
        let offered = self.candidates.iter().cloned();
        Some(RenderInput {
            source: DataSource { logical_id, name, kind, options },
            source_environment: said(&self.source_environment)
                .or_else(|| sample::environment("development", 0))?,
            target_environment: said(&self.target_environment)
                .or_else(|| sample::environment("staging", 1))?,
            binding: self.binding.clone(),
            slots_bound: BTreeMap::new(),
            candidates: offered
                .map(|Offered { reference, label, age_days }| Candidate { reference, label, age_days })
                .collect(),
        })
    }

    /// What differs between what is expected and what comes of it.
    pub(super) fn differs(&self, plugin: &Plugin) -> Option<String> {
        if let Some(kind) = plugin.describe().iter().find(|described| described.kind == self.source.kind)
            && let Some(undescribed) = self.undescribed(&kind.slots)
        {
            return Some(undescribed);
        }
        let Some(input) = self.input() else { return Some("nothing can be asked".to_owned()) };
        match (plugin.render(&input).map_err(|error| *error.reason), &self.expected.failure) {
            (Ok(rendered), None) => self.expected.differs(&rendered),
            (Ok(_), Some(_)) => Some("it is not refused".to_owned()),
            (Err(reason), None) => Some(reason.to_string()),
            (Err(reason), Some(expected)) => {
                (Failure::of(&reason).as_ref() != Some(expected)).then(|| reason.to_string())
            }
        }
    }
}

impl Example {
    /// A slot that it names and the kind has not. A host makes slots of what is described, so what is
    /// shown of another never comes.
    fn undescribed(&self, slots: &[SlotDescription]) -> Option<String> {
        let Expected { options, slots: filled, missing_slots, .. } = &self.expected;
        let marked = [Some(&self.source.options), Some(&self.binding), options.as_ref()];
        let marked = marked.into_iter().flatten().flat_map(sluice_model::content::marks);
        let mut named: Vec<(SlotName, Option<Pointer>)> =
            marked.map(|mark| (mark.slot, Some(mark.at))).collect();
        named.extend(filled.iter().flat_map(BTreeMap::keys).map(|slot| (slot.clone(), None)));
        named.extend(missing_slots.iter().flatten().map(|slot| (slot.clone(), None)));
        let (slot, at) = named.into_iter().find(|(slot, _)| slots.iter().all(|is| is.rule.name != *slot))?;
        let here: Vec<_> = slots.iter().filter(|is| at.as_ref() == Some(&is.rule.at)).collect();
        let meant = if here.is_empty() { slots.iter().collect() } else { here };
        let meant: Vec<_> =
            meant.iter().map(|is| format!("`{}` is, at {}", is.rule.name, is.rule.at)).collect();
        let meant = if meant.is_empty() { "the kind has none".to_owned() } else { meant.join(", ") };
        Some(format!("the example's slot `{slot}` is not described; {meant}"))
    }
}

impl Failure {
    /// What a plugin said where it refused; `None` where it was the host that did.
    fn of(reason: &Reason) -> Option<Self> {
        match reason {
            Reason::Invalid(notes) => {
                Some(Self::Invalid(notes.iter().map(|note| note.code.clone()).collect()))
            }
            Reason::Incomplete { options, .. } => Some(Self::Incomplete(options.iter().cloned().collect())),
            _ => None,
        }
    }
}

impl Expected {
    fn differs(&self, rendered: &Rendered) -> Option<String> {
        fn other<T: PartialEq + Serialize>(what: &str, expected: Option<&T>, is: &T) -> Option<String> {
            expected.filter(|expected| *expected != is)?;
            Some(format!("the {what} are {}", serde_json::to_string(is).unwrap_or_default()))
        }
        let notes = rendered.notes.iter().map(|note| note.code.clone()).collect();
        other("options", self.options.as_ref(), &rendered.options)
            .or_else(|| other("slots", self.slots.as_ref(), &rendered.slots))
            .or_else(|| {
                let missing = rendered.missing_slots.iter().cloned().collect();
                other("missing slots", self.missing_slots.as_ref(), &missing)
            })
            .or_else(|| other("traits", self.traits.as_ref(), &rendered.traits))
            .or_else(|| other("notes", self.notes.as_ref(), &notes))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sluice_model::slot::{SecretShape, SlotRule};

    use super::*;

    fn example() -> Value {
        json!({
            "source": {
                "logical-id": "orders", "name": "Orders", "kind": "lowcoder/orders",
                "options": {"host": "dev", "password": {"$sluice": [{"slot": "password"}]}},
            },
            "binding": {"host": "staging"},
            "candidates": [{"reference": "secret://staging/orders/new", "label": "password"}],
            "expected": {"options": {"host": "staging"}},
        })
    }

    fn parse(example: &Value) -> Result<Example, ExampleError> {
        Example::parse("orders.json", example.to_string().as_bytes())
    }

    #[test]
    fn what_is_not_said_is_usual() {
        let read = parse(&example()).unwrap();
        assert_eq!(read.title, "orders");
        let input = read.input().unwrap();
        assert_eq!(input.source_environment.name.as_str(), "development");
        assert_eq!((input.target_environment.name.as_str(), input.target_environment.order), ("staging", 1));
        assert_eq!(input.candidates.len(), 1);
        assert_eq!(sluice_model::content::marks(&input.source.options).len(), 1);
    }

    #[test]
    fn what_is_no_example_is_refused() {
        type Change = fn(&mut Value);
        let cases: [(&str, Change); 7] = [
            ("is not a kind", |e| e["source"]["kind"] = json!("orders")),
            ("unknown field `title`", |e| e["title"] = json!("x")),
            ("missing field `expected`", |e| drop(e.as_object_mut().unwrap().remove("expected"))),
            ("either", |e| e["expected"] = json!({"slots": {}})),
            ("either", |e| e["expected"]["failure"] = json!({"tag": "incomplete", "val": ["/host"]})),
            ("Staging", |e| e["target-environment"] = json!({"name": "Staging", "order": 1})),
            ("secret", |e| e["candidates"][0]["reference"] = json!("password")),
        ];
        for (told, change) in cases {
            let mut changed = example();
            change(&mut changed);
            let error = parse(&changed).unwrap_err().to_string();
            assert!(error.contains(told) && error.contains("orders.json"), "{told}: {error}");
        }
    }

    #[test]
    fn a_slot_that_is_not_described_is_told_with_the_one_that_is() {
        let slot = |name: &str, at: &str| SlotDescription {
            rule: SlotRule {
                name: name.parse().unwrap(),
                at: at.parse().unwrap(),
                shape: SecretShape::Whole,
                required: true,
            },
            doc: "A secret.".to_owned(),
        };
        let described = [slot("password", "/password"), slot("Api Key", "/apiKey/value")];
        let good = example();
        assert_eq!(parse(&good).unwrap().undescribed(&described), None);
        let both = "`password` is, at /password, `Api Key` is, at /apiKey/value";
        let mark = json!({"$sluice": [{"text": "Bearer "}, {"slot": "api-key"}]});
        for (member, value, meant) in [
            ("/source/options", json!({"apiKey": {"value": mark}}), "`Api Key` is, at /apiKey/value"),
            ("/source/options", json!({"elsewhere": mark}), both),
            ("/binding", json!({"password": mark}), "`password` is, at /password"),
            ("/expected/options", json!({"password": mark}), "`password` is, at /password"),
            ("/expected", json!({"options": {}, "slots": {"api-key": "secret://s/x"}}), both),
            ("/expected", json!({"options": {}, "missing-slots": ["api-key"]}), both),
        ] {
            let mut changed = good.clone();
            *changed.pointer_mut(member).unwrap() = value;
            let told = parse(&changed).unwrap().undescribed(&described);
            let expected = format!("the example's slot `api-key` is not described; {meant}");
            assert_eq!(told, Some(expected), "{member}");
        }
        let told = parse(&good).unwrap().undescribed(&[]).unwrap();
        assert_eq!(told, "the example's slot `password` is not described; the kind has none");
    }

    #[test]
    fn a_failure_is_what_the_plugin_said() {
        let incomplete = json!({"tag": "incomplete", "val": ["/b", "/a"]});
        let incomplete: Failure = serde_json::from_value(incomplete).unwrap();
        let environment = EnvironmentName::new("staging").unwrap();
        let reason = Reason::Incomplete { environment, options: vec!["/a".into(), "/b".into()] };
        assert_eq!(Failure::of(&reason), Some(incomplete));
        assert_eq!(Failure::of(&Reason::MadeUp { at: "/a".into() }), None);
    }

    #[test]
    fn only_what_is_said_is_compared() {
        let rendered = Rendered {
            options: json!({"host": "staging"}),
            slots: BTreeMap::new(),
            missing_slots: vec!["password".parse().unwrap()],
            traits: Traits { endpoints: vec!["staging:1".into()], ..Traits::default() },
            notes: Vec::new(),
            used: crate::Used::default(),
            plugin: sluice_model::Digest::of(b""),
        };
        for (expected, told) in [
            (json!({"options": {"host": "staging"}}), None),
            (json!({"options": {"host": "staging"}, "missing-slots": ["password"], "notes": []}), None),
            (json!({"options": {"host": "staging"}, "traits": {"endpoints": ["staging:1"]}}), None),
            (json!({"options": {"host": "x"}}), Some("the options are {\"host\":\"staging\"}")),
            (
                json!({"options": {"host": "staging"}, "slots": {"a": "secret://s/x"}}),
                Some("the slots are {}"),
            ),
            (json!({"options": {"host": "staging"}, "missing-slots": []}), Some("the missing slots are")),
            (json!({"options": {"host": "staging"}, "traits": {"endpoints": []}}), Some("the traits are")),
            (json!({"options": {"host": "staging"}, "notes": ["tls.off"]}), Some("the notes are []")),
        ] {
            let expected: Expected = serde_json::from_value(expected).unwrap();
            let differs = expected.differs(&rendered);
            assert_eq!(differs.is_some(), told.is_some(), "{expected:?}: {differs:?}");
            assert!(differs.unwrap_or_default().contains(told.unwrap_or_default()));
        }
    }
}
