//! The closure: an object and all it references, transitively.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{LogicalId, Object, Reference, Target};

/// What a closure holds, and what it could not follow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closure {
    /// The objects, by logical id.
    pub members: BTreeSet<LogicalId>,
    /// References of members that lead nowhere, by the object that has them.
    pub unresolved: BTreeMap<LogicalId, Vec<Reference>>,
}

/// Follows references from `starts` through `objects`.
///
/// A unit (an app or module) comes whole: with one of its objects come all that it owns, which is
/// what `owned_by` answers. A resolved reference to an object that is not there is dangling and
/// counts as unresolved; a floating one is followed and left to the caller to pin.
pub fn closure<'o, E>(
    starts: impl IntoIterator<Item = LogicalId>,
    mut object: impl FnMut(&LogicalId) -> Result<Option<std::borrow::Cow<'o, Object>>, E>,
    mut owned_by: impl FnMut(&LogicalId) -> Result<Vec<LogicalId>, E>,
) -> Result<Closure, E> {
    let mut found = Closure::default();
    let mut ahead: VecDeque<LogicalId> = starts.into_iter().collect();
    let mut units = BTreeSet::new();
    while let Some(id) = ahead.pop_front() {
        if found.members.contains(&id) {
            continue;
        }
        let Some(current) = object(&id)? else { continue };
        found.members.insert(id.clone());
        if let Some(unit) = &current.unit
            && units.insert(unit.clone())
        {
            ahead.extend(owned_by(unit)?);
        }
        for reference in &current.references {
            let lost = match &reference.target {
                Target::Resolved(to) | Target::Floating { to, .. } => {
                    let there = found.members.contains(to) || object(to)?.is_some();
                    if there {
                        ahead.push_back(to.clone());
                    }
                    !there
                }
                Target::Dangling { .. } | Target::Ambiguous { .. } => true,
                Target::Constant(_) => false,
            };
            if lost {
                found.unresolved.entry(id.clone()).or_default().push(reference.clone());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::convert::Infallible;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{ObjectKind, Pointer, ReferenceKind};

    fn id(n: usize) -> LogicalId {
        LogicalId::new(format!("o{n}")).unwrap()
    }

    fn graph(edges: &[(usize, usize)], units: &[Option<usize>]) -> BTreeMap<LogicalId, Object> {
        let object = |n: usize| Object {
            id: id(n),
            unit: units[n].map(id),
            kind: ObjectKind::Query,
            source_kind: None,
            name: format!("o{n}"),
            content: json!({}),
            references: edges
                .iter()
                .filter(|(from, _)| *from == n)
                .map(|(_, to)| Reference {
                    at: Pointer::root(),
                    kind: ReferenceKind::Reads,
                    target: Target::Resolved(id(*to)),
                })
                .collect(),
        };
        (0..units.len()).map(|n| (id(n), object(n))).collect()
    }

    /// The reference model: repeat one step until nothing is added.
    fn fixed_point(objects: &BTreeMap<LogicalId, Object>, start: &LogicalId) -> BTreeSet<LogicalId> {
        let mut members: BTreeSet<_> = objects.keys().filter(|id| *id == start).cloned().collect();
        loop {
            let units: BTreeSet<_> = members.iter().filter_map(|m| objects[m].unit.clone()).collect();
            let next: BTreeSet<_> = objects
                .values()
                .filter(|o| {
                    members.contains(&o.id)
                        || o.unit.as_ref().is_some_and(|unit| units.contains(unit))
                        || members
                            .iter()
                            .any(|m| objects[m].references.iter().any(|r| r.target.object() == Some(&o.id)))
                })
                .map(|o| o.id.clone())
                .collect();
            if next == members {
                return members;
            }
            members = next;
        }
    }

    proptest! {
        #[test]
        fn is_the_least_fixed_point(
            edges in prop::collection::vec((0..12usize, 0..16usize), 0..30),
            units in prop::collection::vec(prop::option::of(0..3usize), 12),
        ) {
            let objects = graph(&edges, &units);
            let found = closure::<Infallible>(
                [id(0)],
                |id| Ok(objects.get(id).map(Cow::Borrowed)),
                |unit| Ok(objects.values().filter(|o| o.unit.as_ref() == Some(unit)).map(|o| o.id.clone()).collect()),
            )
            .unwrap();
            prop_assert_eq!(&found.members, &fixed_point(&objects, &id(0)));
            let lost = edges.iter().filter(|(from, to)| found.members.contains(&id(*from)) && *to >= 12).count();
            prop_assert_eq!(found.unresolved.values().map(Vec::len).sum::<usize>(), lost);
        }
    }
}
