//! What a plugin says of the kinds it serves, checked.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sluice_model::slot::{SecretShape, SlotRule};
use sluice_model::{Kind, Pointer, SlotName};

use crate::contract;
use crate::error::{Reason, shown};

/// Options and slots of one kind together; a description with more is refused.
const MOST_PLACES: usize = 1_000;

/// What a plugin knows of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct KindDescription {
    /// The kind.
    pub kind: Kind,
    /// The places for secrets.
    pub slots: Vec<SlotDescription>,
    /// The options.
    pub options: Vec<OptionDescription>,
    #[serde(skip)]
    places: Places,
}

/// A description as it is written down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: Kind,
    slots: Vec<SlotDescription>,
    options: Vec<OptionDescription>,
}

/// A place for a secret, as a rule for the codecs and in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotDescription {
    /// The rule.
    pub rule: SlotRule,
    /// One sentence for a person.
    pub doc: String,
}

/// An option, with everything inside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionDescription {
    /// Where; a token `*` stands for any one.
    pub at: Pointer,
    /// What it may hold.
    pub ty: OptionType,
    /// For a choice, the texts it may be.
    pub choices: Vec<String>,
    /// Whether the data source is of no use without it.
    pub required: bool,
    /// Who decides what it holds.
    pub across_environments: Sameness,
    /// One sentence for a person.
    pub doc: String,
}

/// What an option may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptionType {
    /// A text.
    Text,
    /// A number, or a text of digits.
    Number,
    /// A boolean, or a text that says one.
    Flag,
    /// One of some texts.
    Choice,
    /// Names and values.
    ListOfPairs,
    /// A URL.
    Url,
    /// Anything.
    Json,
}

/// Who decides what an option holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sameness {
    /// The environment; it is part of the name of the place a source connects to.
    MustDiffer,
    /// The environment.
    MayDiffer,
    /// The bundle.
    MustMatch,
}

/// Indexes over the places, so that a leaf is looked up and not searched for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Places {
    exact: BTreeMap<String, usize>,
    patterns: Vec<(Vec<String>, usize)>,
    whole_slots: BTreeMap<String, SlotName>,
}

impl KindDescription {
    /// The slots' rules, as the platforms' codecs take them.
    #[must_use]
    pub fn slot_rules(&self) -> Vec<SlotRule> {
        self.slots.iter().map(|slot| slot.rule.clone()).collect()
    }

    /// The option that covers a leaf: the one with the longest pointer, and of those one without
    /// a `*`.
    pub(crate) fn option(&self, leaf: &str) -> Option<&OptionDescription> {
        let exact = |end| self.places.exact.get(leaf.get(..end)?);
        // From the longest on, so that the first found is the one; its length is counted in tokens.
        let ends = || [leaf.len()].into_iter().chain(leaf.rmatch_indices('/').map(|(at, _)| at));
        let longest = ends().filter(|end| *end > 0).find_map(|end| Some((end, *exact(end)?)));
        let slashes = |end| leaf.bytes().take(end).filter(|byte| *byte == b'/').count();
        let tokens = longest.map_or(0, |(end, _)| slashes(end));
        let pattern = self.places.patterns.iter().filter_map(|(wanted, index)| {
            let mut of_leaf = leaf.split('/').skip(1);
            let covers = wanted.len() > tokens
                && wanted.iter().all(|t| of_leaf.next().is_some_and(|of_leaf| t == "*" || t == of_leaf));
            covers.then_some((wanted.len(), *index))
        });
        let index = pattern.max().map(|(_, index)| index).or_else(|| longest.map(|(_, index)| index))?;
        self.options.get(index)
    }

    /// Who decides what a leaf holds: the environment, where nobody describes it.
    pub(crate) fn sameness(&self, leaf: &str) -> Sameness {
        self.option(leaf).map_or(Sameness::MayDiffer, |option| option.across_environments)
    }

    /// Whether a secret is the whole of the option at this pointer.
    pub(crate) fn is_whole_slot(&self, leaf: &str) -> bool {
        self.places.whole_slots.contains_key(leaf)
    }

    /// The rule that a mark at this place came from.
    pub(crate) fn rule(&self, at: &Pointer, slot: &SlotName) -> Option<&SlotRule> {
        let tokens = at.tokens();
        self.slots.iter().map(|slot| &slot.rule).find(|rule| {
            let wanted = rule.at.tokens();
            let mut name = rule.name.as_str().to_owned();
            let covers = wanted.len() <= tokens.len()
                && wanted.iter().zip(tokens).all(|(wanted, token)| {
                    if wanted == "*" {
                        name.push('-');
                        name.push_str(token);
                    }
                    wanted == "*" || wanted == token
                });
            covers && name == slot.as_str()
        })
    }
}

/// Checks a plugin's description of its kinds.
pub(crate) fn check(described: Vec<contract::KindDescription>) -> Result<Vec<KindDescription>, Reason> {
    if described.is_empty() {
        return Err(Reason::BadDescription { kind: String::new(), what: "it serves no kind".to_owned() });
    }
    let mut kinds = BTreeSet::new();
    let mut checked = Vec::new();
    for description in described {
        let name = shown(&format!("{}/{}", description.kind.platform, description.kind.name));
        let wrong = |what: String| Reason::BadDescription { kind: name.clone(), what: shown(&what) };
        let description = kind(description).map_err(&wrong)?;
        if !kinds.insert(description.kind.clone()) {
            return Err(wrong("it occurs twice".to_owned()));
        }
        checked.push(description);
    }
    Ok(checked)
}

fn kind(described: contract::KindDescription) -> Result<KindDescription, String> {
    let contract::KindDescription { kind, slots, options } = described;
    let kind: Kind = format!("{}/{}", kind.platform, kind.name).parse().map_err(|e| format!("{e}"))?;
    // Before each of them is looked at.
    most_places(slots.len() + options.len())?;
    let slots = slots.into_iter().map(slot).collect::<Result<_, _>>()?;
    let options = options.into_iter().map(option).collect::<Result<_, _>>()?;
    Written { kind, slots, options }.try_into()
}

fn most_places(count: usize) -> Result<(), String> {
    if count > MOST_PLACES {
        return Err(format!("it has more than {MOST_PLACES} slots and options"));
    }
    Ok(())
}

impl TryFrom<Written> for KindDescription {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { kind, slots, options } = written;
        most_places(slots.len() + options.len())?;
        let mut places = Places::default();
        let mut names = BTreeSet::new();
        for SlotDescription { rule: SlotRule { name, at, shape, .. }, .. } in &slots {
            if !names.insert(name) {
                return Err(format!("the slot `{name}` occurs twice"));
            }
            if *shape == SecretShape::Whole && !at.tokens().iter().any(|token| token == "*") {
                places.whole_slots.insert(at.to_string(), name.clone());
            }
        }
        let mut pointers = BTreeSet::new();
        for (index, OptionDescription { at, .. }) in options.iter().enumerate() {
            if !pointers.insert(at) {
                return Err(format!("the option `{at}` occurs twice"));
            }
            if at.tokens().iter().any(|token| token == "*") {
                // Tokens as a leaf's pointer has them, escaped.
                let tokens = at.to_string().split('/').skip(1).map(str::to_owned).collect();
                places.patterns.push((tokens, index));
            } else {
                places.exact.insert(at.to_string(), index);
            }
        }
        Ok(Self { kind, slots, options, places })
    }
}

fn slot(described: contract::SlotDescription) -> Result<SlotDescription, String> {
    let contract::SlotDescription { name, at, shape, required, doc } = described;
    let shape = match shape {
        contract::SecretShape::Whole => SecretShape::Whole,
        contract::SecretShape::UrlUserinfo => SecretShape::UrlUserinfo,
        contract::SecretShape::KeyValue(key) if key.is_empty() => {
            return Err(format!("the slot `{name}` names no key"));
        }
        contract::SecretShape::KeyValue(key) => SecretShape::KeyValue(key),
        contract::SecretShape::JsonMember(at) => {
            SecretShape::JsonMember(at.parse().map_err(|e| format!("{e}"))?)
        }
        contract::SecretShape::HeaderValue => SecretShape::HeaderValue,
    };
    let name = SlotName::new(name).map_err(|e| e.to_string())?;
    let rule = SlotRule { name, at: pointer(&at)?, shape, required };
    Ok(SlotDescription { rule, doc: shown(&doc) })
}

fn option(described: contract::OptionDescription) -> Result<OptionDescription, String> {
    use contract::{OptionType as Ty, Sameness as Same};
    let contract::OptionDescription { at, ty, choices, required, across_environments, doc } = described;
    let ty = match ty {
        Ty::Text => OptionType::Text,
        Ty::Number => OptionType::Number,
        Ty::Flag => OptionType::Flag,
        Ty::Choice => OptionType::Choice,
        Ty::ListOfPairs => OptionType::ListOfPairs,
        Ty::Url => OptionType::Url,
        Ty::Json => OptionType::Json,
    };
    if let Some(choice) = choices.iter().find(|choice| choice.contains("{{")) {
        return Err(format!("the option `{at}` has a choice `{choice}`, which a platform would evaluate"));
    }
    if (ty == OptionType::Choice) == choices.is_empty() {
        return Err(format!("the option `{at}` must have choices if it is a choice, and only then"));
    }
    let across_environments = match across_environments {
        Same::MustDiffer => Sameness::MustDiffer,
        Same::MayDiffer => Sameness::MayDiffer,
        Same::MustMatch => Sameness::MustMatch,
    };
    Ok(OptionDescription { at: pointer(&at)?, ty, choices, required, across_environments, doc: shown(&doc) })
}

/// A pointer to a place inside the options: the whole of them cannot be described.
fn pointer(text: &str) -> Result<Pointer, String> {
    let pointer: Pointer = text.parse().map_err(|e| format!("{e}"))?;
    if pointer.tokens().is_empty() {
        return Err("the empty pointer names all options at once".to_owned());
    }
    Ok(pointer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{OptionDescription as WireOption, SlotDescription as WireSlot, WireKind};

    fn wire_option(at: &str, across_environments: contract::Sameness) -> WireOption {
        let ty = contract::OptionType::Text;
        WireOption {
            at: at.into(),
            ty,
            choices: vec![],
            required: false,
            across_environments,
            doc: String::new(),
        }
    }

    fn wire_slot(name: &str, at: &str, shape: contract::SecretShape) -> WireSlot {
        WireSlot { name: name.into(), at: at.into(), shape, required: true, doc: String::new() }
    }

    fn wire(slots: Vec<WireSlot>, options: Vec<WireOption>) -> contract::KindDescription {
        let kind = WireKind { platform: "tooljet".into(), name: "x".into() };
        contract::KindDescription { kind, slots, options }
    }

    #[test]
    fn the_longest_pointer_decides_and_then_the_one_without_a_star() {
        use contract::Sameness::{MayDiffer, MustDiffer, MustMatch};
        let options = vec![
            wire_option("/*/encrypted", MustMatch),
            wire_option("/host", MustDiffer),
            wire_option("/ssl", MustMatch),
            wire_option("/ssl/ca", MayDiffer),
            wire_option("/both/encrypted", MayDiffer),
            wire_option("/a~1b", MustMatch),
        ];
        let [kind] = check(vec![wire(vec![], options)]).unwrap().try_into().unwrap();
        for (leaf, expected) in [
            ("/host/value", Sameness::MustDiffer),
            ("/host", Sameness::MustDiffer),
            ("/hostname", Sameness::MayDiffer),
            ("/host/encrypted", Sameness::MustMatch),
            ("/ssl", Sameness::MustMatch),
            ("/ssl/mode/x", Sameness::MustMatch),
            ("/ssl/ca/0", Sameness::MayDiffer),
            ("/both/encrypted", Sameness::MayDiffer),
            ("/a~1b/0", Sameness::MustMatch),
            ("/other", Sameness::MayDiffer),
            ("", Sameness::MayDiffer),
        ] {
            assert_eq!(kind.sameness(leaf), expected, "{leaf}");
        }
    }

    #[test]
    fn a_mark_is_traced_to_its_rule() {
        let slots = vec![
            wire_slot("password", "/password", contract::SecretShape::Whole),
            wire_slot("header", "/headers/*/value", contract::SecretShape::HeaderValue),
        ];
        let [kind] = check(vec![wire(slots, vec![])]).unwrap().try_into().unwrap();
        for (at, slot, expected) in [
            ("/password", "password", Some("password")),
            ("/headers/3/value", "header-3", Some("header")),
            ("/headers/3/value", "header-4", None),
            ("/password", "other", None),
        ] {
            let rule = kind.rule(&at.parse().unwrap(), &SlotName::new(slot).unwrap());
            assert_eq!(rule.map(|r| r.name.as_str()), expected, "{at} {slot}");
        }
        assert!(kind.is_whole_slot("/password") && !kind.is_whole_slot("/headers/3/value"));
    }

    #[test]
    fn a_description_that_does_not_hold_together_is_refused() {
        use contract::Sameness::MayDiffer;
        use contract::SecretShape::{JsonMember, KeyValue, Whole};
        let choice = WireOption { ty: contract::OptionType::Choice, ..wire_option("/a", MayDiffer) };
        let choices = vec!["plain".to_owned(), "a{{secrets.x}}".to_owned()];
        let evaluated = WireOption { choices, ..choice.clone() };
        for (described, expected) in [
            (vec![], "serves no kind"),
            (vec![wire(vec![], vec![]), wire(vec![], vec![])], "occurs twice"),
            (vec![wire(vec![], vec![wire_option("host", MayDiffer)])], "not a JSON pointer"),
            (vec![wire(vec![], vec![wire_option("", MayDiffer)])], "all options at once"),
            (
                vec![wire(vec![], vec![wire_option("/a", MayDiffer), wire_option("/a", MayDiffer)])],
                "`/a` occurs twice",
            ),
            (vec![wire(vec![], vec![choice])], "must have choices"),
            (
                vec![wire(vec![], vec![evaluated])],
                "a choice `a{{secrets.x}}`, which a platform would evaluate",
            ),
            (
                vec![wire(vec![wire_slot("p", "/a", Whole), wire_slot("p", "/b", Whole)], vec![])],
                "`p` occurs twice",
            ),
            (vec![wire(vec![wire_slot("", "/a", Whole)], vec![])], "slot's name"),
            (vec![wire(vec![wire_slot("p", "/a~", Whole)], vec![])], "not a JSON pointer"),
            (vec![wire(vec![wire_slot("p", "/a", JsonMember("x".into()))], vec![])], "not a JSON pointer"),
            (vec![wire(vec![wire_slot("p", "/a", KeyValue(String::new()))], vec![])], "names no key"),
        ] {
            let error = check(described).unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
