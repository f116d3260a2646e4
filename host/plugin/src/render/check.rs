//! What a plugin's answer is held to.

use std::collections::BTreeSet;

use serde_json::Value;
use sluice_model::{SecretRef, SlotName, content};

use crate::contract::{self, Part, Scalar, Value as Wire};
use crate::describe::{KindDescription, OptionType};
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
        for (at, wire, json) in source.iter() {
            let is_slot =
                matches!(wire, Wire::Composed(parts) if matches!(parts.as_slice(), [Part::Slot(_)]));
            let origin = if !description.is_owned(at) {
                Origin::Bundle
            } else if is_slot && description.is_whole_slot(at) && !binding.any_within(at) {
                Origin::Slot
            } else {
                continue;
            };
            leaves.push(Leaf { at, origin, wire, json });
        }
        for (at, wire, json) in binding.iter().filter(|(at, ..)| description.is_owned(at)) {
            leaves.push(Leaf { at, origin: Origin::Binding, wire, json });
        }
        // No pointer is there twice: a leaf is either owned or not, and a slot stays only where
        // the binding has nothing.
        leaves.sort_by_key(|leaf| leaf.at);
        Self { description, source, binding, leaves }.unfolded()
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
        asked: &contract::DataSource,
        answer: &contract::DataSource,
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
    /// one of the described choices. Neither can carry anything of an environment.
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
