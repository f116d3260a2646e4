//! What a plugin's answer is held to.

use std::collections::BTreeSet;

use serde_json::Value;
use sluice_model::{SecretRef, SlotName, content};

use crate::contract::{self, Part, Scalar, Value as Wire};
use crate::describe::{KindDescription, OptionType, Sameness};
use crate::error::{Reason, shown};
use crate::leaf::{self, Leaves};
use crate::render::{Candidate, RenderInput};

/// The options that an answer must have, worked out by the host from the same input.
pub(crate) struct Expected<'d, 'v> {
    description: &'d KindDescription,
    source: Leaves<'v>,
    binding: Leaves<'v>,
    /// Sorted by pointer.
    leaves: Vec<Leaf<'v>>,
    /// The place that the data source connects to, where it is the source environment's.
    same_place: Vec<&'v str>,
}

struct Leaf<'v> {
    at: &'v str,
    origin: Origin,
    wire: &'v Wire,
    json: &'v Value,
}

/// An answer that is what it must be.
pub(crate) struct Accepted<'v> {
    /// The rendered options.
    pub(crate) options: Value,
    /// Their slots that people have confirmed to be secrets, each once, with where it stands first.
    pub(crate) slots: Vec<(&'v str, SlotName)>,
}

/// Where an expected leaf comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The target's owners set it.
    Binding,
    /// It is the same in every environment.
    Bundle,
    /// It is the place of a secret, and only that.
    Slot,
}

impl<'d, 'v> Expected<'d, 'v> {
    /// What must come from the bundle, what from the binding, and the slots that stay.
    pub(crate) fn new(
        description: &'d KindDescription,
        source: Leaves<'v>,
        binding: Leaves<'v>,
    ) -> Result<Self, Reason> {
        let mut leaves = Vec::with_capacity(source.len() + binding.len());
        let (mut from, mut to) = (Vec::new(), Vec::new());
        for (at, wire, json) in source.iter() {
            let sameness = description.sameness(at);
            if sameness == Sameness::MustDiffer {
                from.push((at, wire));
            }
            let origin = if sameness == Sameness::MustMatch {
                Origin::Bundle
            } else if is_slot(wire) && description.is_whole_slot(at) && !binding.any_within(at) {
                Origin::Slot
            } else {
                continue;
            };
            leaves.push(Leaf { at, origin, wire, json });
        }
        for (at, wire, json) in binding.iter() {
            let sameness = description.sameness(at);
            if sameness == Sameness::MustMatch {
                continue;
            }
            if sameness == Sameness::MustDiffer {
                to.push((at, wire));
            }
            leaves.push(Leaf { at, origin: Origin::Binding, wire, json });
        }
        // No pointer is there twice: a leaf is either owned or not, and a slot stays only where
        // the binding has nothing.
        leaves.sort_by_key(|leaf| leaf.at);
        let same_place = same_place(from, to);
        Self { description, source, binding, leaves, same_place }.unfolded()
    }

    /// The options that must differ, where the rendered data source connects to the very place that
    /// the source environment's does; else none. What an answer has for them is the binding's.
    pub(crate) fn same_place(&self) -> &[&'v str] {
        &self.same_place
    }

    /// Without empty lists and objects that have got members from the other side.
    fn unfolded(mut self) -> Result<Self, Reason> {
        let outer = leaf::with_members(self.leaves.iter().map(|leaf| leaf.at));
        let mut clash = None;
        if !outer.is_empty() {
            self.leaves.retain(|leaf| {
                let is_outer = outer.contains(&leaf.at);
                if is_outer && !matches!(leaf.wire, Wire::Plain(Scalar::EmptyObject | Scalar::EmptyList)) {
                    clash.get_or_insert(leaf.at);
                }
                !is_outer
            });
        }
        clash.map_or(Ok(self), |at| Err(Reason::Clash { at: at.to_owned() }))
    }

    /// Compares an answer with what it must be, and gives the rendered options.
    ///
    /// They are put together from the host's own JSON; of the plugin's answer only a flag or
    /// choice that it was free to set enters them.
    pub(crate) fn accept(
        &self,
        asked: &contract::Source,
        answer: &contract::Source,
    ) -> Result<Accepted<'v>, Reason> {
        let same = [
            ("kind", answer.kind == asked.kind),
            ("identity", answer.logical_id == asked.logical_id),
            ("name", answer.name == asked.name),
        ];
        if let Some((what, _)) = same.into_iter().find(|(_, same)| !same) {
            return Err(Reason::IdentityChanged(what));
        }
        let mut options: Vec<_> = self.leaves.iter().map(|leaf| (leaf.at, None)).collect();
        // Where the next leaf is looked for first: a plugin that keeps the order is the rule.
        let mut next = 0;
        for contract::OptionLeaf { at, value } in &answer.options {
            let index = self.position(at, next);
            let found =
                index.and_then(|index| Some((index, self.leaves.get(index)?, options.get_mut(index)?)));
            let Some((index, leaf, (_, place))) = found else {
                return Err(self.refused(at, value, None));
            };
            next = index + 1;
            if place.is_some() {
                return Err(Reason::Twice { at: shown(at) });
            }
            *place = Some(if leaf.wire == value {
                leaf.json.clone()
            } else if leaf.origin == Origin::Bundle {
                self.chosen(at, value).ok_or_else(|| Reason::NotTheBundles { at: shown(at) })?
            } else {
                return Err(self.refused(at, value, Some(leaf)));
            });
        }
        let mut rendered = Vec::with_capacity(options.len());
        let mut slots: Vec<(&str, SlotName)> = Vec::new();
        for (leaf, (at, json)) in self.leaves.iter().zip(options) {
            let json = json.ok_or_else(|| Reason::LeftOut { at: shown(at) })?;
            if matches!(leaf.wire, Wire::Composed(_)) {
                slots.extend(content::parts(&json).unwrap_or_default().into_iter().filter_map(|part| {
                    match part {
                        content::Part::Slot(slot) => Some((at, slot)),
                        content::Part::Text(_) | content::Part::Provisional(_) => None,
                    }
                }));
            }
            rendered.push((at, json));
        }
        let mut seen = BTreeSet::new();
        slots.retain(|(_, slot)| seen.insert(slot.clone()));
        let is_list = |at: &str| self.source.is_list(at) || self.binding.is_list(at);
        let options = leaf::tree(&mut rendered, &is_list).map_err(|at| Reason::Clash { at })?;
        Ok(Accepted { options, slots })
    }

    /// The index of the leaf at a pointer, which may well be `near`.
    fn position(&self, at: &str, near: usize) -> Option<usize> {
        if self.leaves.get(near).is_some_and(|leaf| leaf.at == at) {
            return Some(near);
        }
        self.leaves.binary_search_by(|leaf| leaf.at.cmp(at)).ok()
    }

    /// What a plugin set an option to that is the same everywhere, where it may: to a flag, or to
    /// one of the described choices. Both are fixed before it sees any environment, so no text of one
    /// gets out by them; but which of them it takes may depend on all that it was given, and tells
    /// as much as there are of them.
    fn chosen(&self, at: &str, value: &Wire) -> Option<Value> {
        let option = self.description.option(at).filter(|option| option.at.to_string() == at)?;
        match (option.ty, value) {
            (OptionType::Flag, Wire::Plain(Scalar::Flag(flag))) => Some(Value::Bool(*flag)),
            (OptionType::Choice, Wire::Plain(Scalar::Text(text))) => {
                option.choices.contains(text).then(|| Value::String(text.clone()))
            }
            _ => None,
        }
    }

    fn refused(&self, at: &str, value: &Wire, expected: Option<&Leaf<'_>>) -> Reason {
        let of_source = self.source.get(at).is_some_and(|of_source| of_source == value);
        let at = shown(at);
        match expected {
            _ if of_source => Reason::FromAnotherEnvironment { at },
            Some(_) => Reason::NotTheBindings { at },
            None => Reason::MadeUp { at },
        }
    }
}

/// The pointers of the options that name a place, where all that say something are in both and
/// equal.
///
/// Expressions and secrets tell nothing: each environment gives them a value of its own.
fn same_place<'v>(mut from: Vec<(&'v str, &'v Wire)>, mut to: Vec<(&'v str, &'v Wire)>) -> Vec<&'v str> {
    for place in [&mut from, &mut to] {
        place.retain(|(_, wire)| !is_blank(wire));
    }
    if from != to || from.iter().any(|(_, wire)| is_slot(wire) || has_expression(wire)) {
        return Vec::new();
    }
    from.into_iter().map(|(at, _)| at).collect()
}

/// Whether a value says nothing.
fn is_blank(wire: &Wire) -> bool {
    match wire {
        Wire::Plain(Scalar::None | Scalar::EmptyList | Scalar::EmptyObject) => true,
        Wire::Plain(Scalar::Text(text)) => text.is_empty(),
        Wire::Plain(_) | Wire::Composed(_) => false,
    }
}

/// Whether a secret is all that stands there.
fn is_slot(wire: &Wire) -> bool {
    matches!(wire, Wire::Composed(parts) if matches!(parts.as_slice(), [Part::Slot(_)]))
}

fn has_expression(wire: &Wire) -> bool {
    matches!(wire, Wire::Composed(parts) if parts.iter().any(|part| matches!(part, Part::Expression(_))))
}

/// Whether all references are the target's own.
pub(crate) fn references(input: &RenderInput) -> Result<(), Reason> {
    let target = &input.target_environment.name;
    let offered = input.candidates.iter().map(|candidate| &candidate.reference);
    match input.slots_bound.values().chain(offered).find(|reference| reference.environment() != target) {
        None => Ok(()),
        Some(foreign) => Err(Reason::ForeignSecret { reference: foreign.clone(), target: target.clone() }),
    }
}

/// The references for slots: each slot asked about, none twice, each secret offered.
pub(crate) fn assignments(
    answer: &[contract::Assignment],
    asked: &[&SlotName],
    candidates: &[Candidate],
) -> Result<Vec<(SlotName, SecretRef)>, Reason> {
    let mut assigned: Vec<(SlotName, SecretRef)> = Vec::new();
    for contract::Assignment { slot, candidate } in answer {
        let Some(slot) = asked.iter().copied().find(|asked| asked.as_str() == slot) else {
            return Err(Reason::SlotNotAsked { slot: shown(slot) });
        };
        if assigned.iter().any(|(other, _)| other == slot) {
            return Err(Reason::SlotTwice { slot: slot.clone() });
        }
        let chosen = usize::try_from(*candidate).ok().and_then(|index| candidates.get(index));
        let not_offered = || Reason::NotOffered { index: *candidate, offered: candidates.len() };
        assigned.push((slot.clone(), chosen.ok_or_else(not_offered)?.reference.clone()));
    }
    Ok(assigned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sluice_model::content::mark;

    use super::*;
    use crate::contract::{KindDescription as WireKindDescription, OptionDescription, WireKind};
    use crate::limits::Limits;

    /// A kind whose place is a host, a port and what a list of replicas says.
    fn description() -> KindDescription {
        use contract::Sameness::{MayDiffer, MustDiffer, MustMatch};
        let option = |(at, across_environments): (&str, _)| OptionDescription {
            at: at.to_owned(),
            ty: contract::OptionType::Json,
            choices: vec![],
            required: false,
            across_environments,
            doc: String::new(),
        };
        let options = [
            ("/host", MustDiffer),
            ("/port", MustDiffer),
            ("/replicas/*/name", MustDiffer),
            ("/user", MayDiffer),
            ("/tls", MustMatch),
        ];
        let kind = WireKind { platform: "lowcoder".to_owned(), name: "x".to_owned() };
        let options = options.map(option).into();
        let described = vec![WireKindDescription { kind, slots: vec![], options }];
        crate::describe::check(described).unwrap().remove(0)
    }

    #[test]
    fn a_place_is_the_same_where_all_that_names_it_is() {
        let description = description();
        let slot = |name: &str| content::Part::Slot(SlotName::new(name).unwrap());
        let text = |text: &str| content::Part::Text(text.to_owned());
        let with_password = |host: &str| mark(&[text("db://app:"), slot("password"), text(host)]);
        let none: &[&str] = &[];
        for (source, binding, expected) in [
            (json!({"host": "a"}), json!({"host": "a"}), &["/host"][..]),
            (json!({"host": "a"}), json!({"host": "b"}), none),
            (json!({"host": "a", "port": 1}), json!({"host": "a", "port": 1}), &["/host", "/port"]),
            (json!({"host": "a", "port": 1}), json!({"host": "a", "port": 2}), none),
            (json!({"host": "a", "port": 1}), json!({"host": "a"}), none),
            (json!({"host": "a"}), json!({"host": "a", "port": 1}), none),
            // What says nothing does not tell two places apart.
            (json!({"host": "a", "port": ""}), json!({"host": "a"}), &["/host"]),
            (json!({"host": "a"}), json!({"host": "a", "port": null}), &["/host"]),
            (json!({"host": "a", "replicas": []}), json!({"host": "a"}), &["/host"]),
            (json!({"host": ""}), json!({"host": ""}), none),
            (json!({}), json!({}), none),
            // Options of other sorts do not count.
            (json!({"host": "a", "user": "x", "tls": true}), json!({"host": "a", "user": "y"}), &["/host"]),
            (json!({"user": "x"}), json!({"user": "x"}), none),
            (json!({"nobody-knows": "x"}), json!({"nobody-knows": "x"}), none),
            // Everything inside an option belongs to it, at whatever place in a list.
            (
                json!({"replicas": [{"name": "a", "x": 1}, {"name": "b"}]}),
                json!({"replicas": [{"name": "a", "x": 2}, {"name": "b"}]}),
                &["/replicas/0/name", "/replicas/1/name"],
            ),
            (json!({"replicas": [{"name": "a"}]}), json!({"replicas": [{"name": "b"}]}), none),
            (json!({"host": {"a": 1}}), json!({"host": {"a": 1}}), &["/host/a"]),
            // Each environment gives these a value of its own.
            (json!({"host": "{{constants.H}}"}), json!({"host": "{{constants.H}}"}), none),
            (json!({"host": mark(&[slot("s")])}), json!({"host": mark(&[slot("s")])}), none),
            (json!({"host": with_password("a")}), json!({"host": with_password("a")}), &["/host"]),
            (json!({"host": with_password("a")}), json!({"host": with_password("b")}), none),
        ] {
            let [(wires, origin), (bound, origin_of_bound)] =
                [&source, &binding].map(|options| leaf::flatten(options, &Limits::default()).unwrap());
            let (of_source, of_binding) =
                (Leaves::new(&wires, &origin), Leaves::new(&bound, &origin_of_bound));
            let answer = Expected::new(&description, of_source, of_binding).unwrap();
            assert_eq!(answer.same_place(), expected, "{source} {binding}");
        }
    }
}
