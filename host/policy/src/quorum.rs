//! Who of several people fills which role.

use std::collections::BTreeMap;

/// How far the roles are filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filled {
    /// The people who fill a role, in order.
    pub(crate) people: Vec<String>,
    /// The roles that lack a person, each as often as it does.
    pub(crate) missing: Vec<String>,
}

/// Places that are filled at most; more approvals than this are never asked for, and the search
/// takes stack for each.
pub(crate) const MOST_PLACES: i64 = 100;

/// Fills as many places as distinct people can: each person takes one place, of one of their
/// roles. Whether all can be filled is a matching in a bipartite graph, found by augmenting
/// paths (Kuhn); taking the first role that fits would wrongly leave places empty.
pub(crate) fn fill<'p>(
    wanted: &BTreeMap<String, i64>,
    approvals: impl Iterator<Item = (&'p str, &'p [String])>,
) -> Filled {
    let mut people: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (person, roles) in approvals {
        people.entry(person).or_default().extend(roles.iter().map(String::as_str));
    }
    let people: Vec<_> = people.into_iter().collect();
    let places: Vec<&str> = wanted
        .iter()
        .flat_map(|(role, count)| {
            std::iter::repeat_n(role.as_str(), usize::try_from((*count).min(MOST_PLACES)).unwrap_or(0))
        })
        .collect();
    // Per person, the place that they take.
    let mut takes: Vec<Option<usize>> = vec![None; people.len()];
    let mut missing = Vec::new();
    for place in 0..places.len() {
        let mut seen = vec![false; people.len()];
        if !seat(place, &places, &people, &mut takes, &mut seen) {
            missing.extend(places.get(place).map(|role| (*role).to_owned()));
        }
    }
    let seated = people.iter().zip(&takes).filter(|(_, takes)| takes.is_some());
    Filled { people: seated.map(|((name, _), _)| (*name).to_owned()).collect(), missing }
}

fn seat(
    place: usize,
    places: &[&str],
    people: &[(&str, Vec<&str>)],
    takes: &mut [Option<usize>],
    seen: &mut [bool],
) -> bool {
    let Some(role) = places.get(place) else { return false };
    for (at, (_, roles)) in people.iter().enumerate() {
        let Some(seen_here) = seen.get_mut(at) else { continue };
        if *seen_here || !roles.contains(role) {
            continue;
        }
        *seen_here = true;
        let taken = takes.get(at).copied().flatten();
        if taken.is_none_or(|other| seat(other, places, people, takes, seen)) {
            if let Some(slot) = takes.get_mut(at) {
                *slot = Some(place);
            }
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn met(wanted: &[(&str, i64)], approvals: &[(&str, &[&str])]) -> Filled {
        let wanted = wanted.iter().map(|(role, count)| ((*role).to_owned(), *count)).collect();
        let approvals: Vec<(&str, Vec<String>)> = approvals
            .iter()
            .map(|(who, roles)| (*who, roles.iter().map(|r| (*r).to_owned()).collect()))
            .collect();
        fill(&wanted, approvals.iter().map(|(who, roles)| (*who, roles.as_slice())))
    }

    #[test]
    fn one_person_fills_one_place() {
        for (wanted, approvals, missing) in [
            (&[("qa", 1)][..], &[("ann", &["qa"][..])][..], &[][..]),
            (&[("ops", 1), ("qa", 1)], &[("ann", &["qa", "ops"])], &["qa"]),
            (&[("qa", 2)], &[("ann", &["qa"]), ("ann", &["qa"])], &["qa"]),
            (&[("qa", 1), ("ops", 1)], &[("ann", &["ops", "qa"]), ("ben", &["ops"])], &[]),
            (&[("qa", 1)], &[], &["qa"]),
            (&[], &[], &[]),
        ] {
            assert_eq!(met(wanted, approvals).missing, missing, "{wanted:?} {approvals:?}");
        }
    }

    /// Tries every way of giving people places.
    fn can_fill(places: &[usize], people: &[Vec<usize>], used: u32) -> bool {
        let Some((role, rest)) = places.split_first() else { return true };
        (0..people.len()).any(|p| {
            used & (1 << p) == 0 && people[p].contains(role) && can_fill(rest, people, used | (1 << p))
        })
    }

    proptest! {
        #[test]
        fn it_is_met_exactly_where_some_way_of_seating_exists(
            places in prop::collection::vec(0usize..3, 0..5),
            people in prop::collection::vec(prop::collection::vec(0usize..3, 0..3), 0..5),
        ) {
            let mut wanted: BTreeMap<String, i64> = BTreeMap::new();
            for role in &places {
                *wanted.entry(role.to_string()).or_default() += 1;
            }
            let named: Vec<(String, Vec<String>)> = people.iter().enumerate()
                .map(|(n, roles)| (format!("p{n}"), roles.iter().map(ToString::to_string).collect()))
                .collect();
            let filled = fill(&wanted, named.iter().map(|(name, roles)| (name.as_str(), roles.as_slice())));
            prop_assert_eq!(filled.missing.is_empty(), can_fill(&places, &people, 0));
        }
    }
}
