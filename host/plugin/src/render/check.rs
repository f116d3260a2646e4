//! What a plugin's answer is held to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sluice_model::{SecretRef, SlotName};

use crate::contract::{self, Part, Scalar, Value as Wire};
use crate::describe::{KindDescription, OptionType};
use crate::error::{Reason, shown};
use crate::leaf::{self, Leaves};
use crate::render::{Candidate, RenderInput};

/// The options that an answer must have, worked out by the host from the same input.
pub(crate) struct Expected<'d, 'v> {
    description: &'d KindDescription,
    leaves: BTreeMap<&'v str, Leaf<'v>>,
}

struct Leaf<'v> {
    origin: Origin,
    wire: &'v Wire,
    json: &'v Value,
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
        source: &'v Leaves<'v>,
        binding: &'v Leaves<'v>,
    ) -> Result<Self, Reason> {
        let mut leaves = BTreeMap::new();
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
            leaves.insert(at, Leaf { origin, wire, json });
        }
        for (at, wire, json) in binding.iter().filter(|(at, ..)| description.is_owned(at)) {
            leaves.insert(at, Leaf { origin: Origin::Binding, wire, json });
        }
        Self { description, leaves }.unfolded()
    }

    /// Without empty lists and objects that have got members from the other side.
    fn unfolded(mut self) -> Result<Self, Reason> {
        for at in leaf::with_members(self.leaves.keys().copied()) {
            match self.leaves.remove(at).map(|leaf| leaf.wire) {
                Some(Wire::Plain(Scalar::EmptyObject | Scalar::EmptyList)) => {}
                _ => return Err(Reason::Clash { at: at.to_owned() }),
            }
        }
        Ok(self)
    }

    /// Compares an answer with what it must be, and gives the rendered options.
    ///
    /// They are put together from the host's own JSON; of the plugin's answer only a flag or
    /// choice that it was free to set enters them.
    pub(crate) fn accept(
        &self,
        asked: &contract::DataSource,
        answer: &contract::DataSource,
        source: &Leaves<'_>,
        binding: &Leaves<'_>,
    ) -> Result<Value, Reason> {
        let same = [
            ("kind", answer.kind == asked.kind),
            ("identity", answer.logical_id == asked.logical_id),
            ("name", answer.name == asked.name),
        ];
        if let Some((what, _)) = same.into_iter().find(|(_, same)| !same) {
            return Err(Reason::IdentityChanged(what));
        }
        let mut seen = BTreeSet::new();
        let mut options = Vec::with_capacity(answer.options.len().min(self.leaves.len()));
        for contract::OptionLeaf { at, value } in &answer.options {
            if !seen.insert(at.as_str()) {
                return Err(Reason::Twice { at: shown(at) });
            }
            let leaf = self.leaves.get(at.as_str());
            let json = match leaf {
                Some(leaf) if leaf.wire == value => leaf.json.clone(),
                Some(leaf) if leaf.origin == Origin::Bundle => {
                    self.chosen(at, value).ok_or_else(|| Reason::NotTheBundles { at: shown(at) })?
                }
                _ => return Err(refused(at, value, leaf, source)),
            };
            options.push((at.as_str(), json));
        }
        if let Some(at) = self.leaves.keys().find(|at| !seen.contains(*at)) {
            return Err(Reason::LeftOut { at: shown(at) });
        }
        let is_list = |at: &str| source.lists.contains(at) || binding.lists.contains(at);
        leaf::tree(options, is_list).map_err(|at| Reason::Clash { at })
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
}

fn refused(at: &str, value: &Wire, expected: Option<&Leaf<'_>>, source: &Leaves<'_>) -> Reason {
    let of_source = source.get(at).is_some_and(|of_source| of_source == value);
    let at = shown(at);
    match expected {
        _ if of_source => Reason::FromAnotherEnvironment { at },
        Some(_) => Reason::NotTheBindings { at },
        None => Reason::MadeUp { at },
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
