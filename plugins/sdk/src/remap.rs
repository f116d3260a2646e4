//! Which candidate fills which slot.

use crate::options::Options;
use crate::spec::{KindSpec, SlotSpec};
use crate::{Assignment, Candidate};

/// For each slot the candidate whose label is the slot's name, the newest of several, the first
/// of equally new ones. Names are compared as [`plain`] makes them; a candidate that is filed under
/// another slot's very name is that slot's.
#[must_use]
pub fn assign(slots: &[String], offered: &[Candidate]) -> Vec<Assignment> {
    let offered: Vec<_> = (0..).zip(offered).map(|(index, c)| (plain(&c.label), c, index)).collect();
    slots
        .iter()
        .filter_map(|slot| {
            let wanted = plain(slot);
            let is_its = |label: &String| label == slot || !slots.contains(label);
            offered
                .iter()
                .filter(|(label, c, _)| !wanted.is_empty() && *label == wanted && is_its(&c.label))
                .min_by_key(|(_, c, index)| (c.age_days, *index))
                .map(|(.., candidate)| Assignment { slot: slot.clone(), candidate: *candidate })
        })
        .collect()
}

/// The slots that a source, as it is configured, cannot do without.
pub fn needed(spec: &KindSpec, options: &Options<'_>) -> impl Iterator<Item = &'static str> {
    let is_needed = |slot: &&SlotSpec| slot.required || slot.needed_when.is_some_and(|is| options.is(is));
    spec.slots().filter(is_needed).map(|slot| slot.name)
}

/// The slots among those asked for that are needed and that nothing fills.
#[must_use]
pub fn missing(needed: &[&str], slots: &[String], assigned: &[Assignment]) -> Vec<String> {
    let is_filled = |slot: &String| assigned.iter().any(|assignment| assignment.slot == *slot);
    slots.iter().filter(|slot| needed.contains(&slot.as_str()) && !is_filled(slot)).cloned().collect()
}

/// A name without what people spell differently: letters in lower case and digits stay, all else
/// goes, so that `client_secret`, `Client Secret` and `client-secret` are one.
#[must_use]
pub fn plain(name: &str) -> String {
    if name.is_ascii() {
        let plain = name.bytes().filter(u8::is_ascii_alphanumeric);
        return plain.map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    }
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_by_label_and_then_by_age() {
        let offered: Vec<_> = [("password", 30), ("Pass_Word", 3), ("client-secret", 1), ("password", 3)]
            .map(|(label, age_days)| Candidate { label: label.into(), age_days })
            .into();
        let slots: Vec<String> = ["password", "client_secret", "token"].map(String::from).into();
        let picked: Vec<_> = assign(&slots, &offered).into_iter().map(|a| (a.slot, a.candidate)).collect();
        assert_eq!(picked, [("password".to_owned(), 1), ("client_secret".to_owned(), 2)]);
    }
}
