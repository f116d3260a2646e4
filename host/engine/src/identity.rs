//! Who is who: each environment's native ids and the logical ids they stand for.
//!
//! A thing is recognised by its native id in the same environment, by an identity that the
//! platform itself keeps stable, or by an id that another environment gave it. A match by name and
//! kind is only ever proposed, and a person confirms exactly what was proposed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sluice_model::{Digest, Kind, LogicalId, ObjectKind, json};
use sluice_platform::{NativeKey, NativeThing};

use crate::error::{Error, Result};
use crate::state::{SHARED, Work};

/// A thing of an environment and its identity everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identified {
    /// Its identity everywhere.
    pub logical: LogicalId,
    /// Its identity in this environment.
    pub native: NativeKey,
    /// What people call it.
    pub name: String,
    /// What it is part of.
    pub parent: Option<LogicalId>,
    /// For a data source, the platform's kind.
    pub source_kind: Option<Kind>,
    /// An identity that the platform keeps across environments.
    pub stable: Option<String>,
}

/// A proposed match: the thing of the export would be taken for one that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// What it is.
    pub kind: ObjectKind,
    /// What both are called.
    pub name: String,
    /// The export's id.
    pub native: String,
    /// The known object.
    pub logical: LogicalId,
}

/// One unit's things in one environment.
type Roll = Vec<Identified>;

/// The identity map of an environment, as far as an import needs it.
#[derive(Default)]
pub struct IdentityMap {
    rolls: BTreeMap<String, Roll>,
}

impl IdentityMap {
    /// Reads an environment's map.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn read(work: &Work<'_>, root: Digest) -> Result<Self> {
        Ok(Self { rolls: work.all(root)? })
    }

    /// All things.
    pub fn things(&self) -> impl Iterator<Item = &Identified> {
        self.rolls.values().flatten()
    }
}

/// What a file's things turned out to be.
pub struct Resolution {
    /// Logical ids for all of them.
    pub ids: BTreeMap<NativeKey, LogicalId>,
    /// The things with their identities, by unit.
    pub rolls: BTreeMap<String, Roll>,
    /// How many native ids this environment did not know before.
    pub learnt: usize,
}

/// Finds out what the things of an export are.
///
/// `here` is the environment's own map, `elsewhere` those of the others, nearest first. `confirm`
/// is the digest of matches that a person confirmed; `distinct` names native ids that a person
/// said are new things.
///
/// # Errors
/// [`Error::MatchesToConfirm`] when there are matches by name that nobody confirmed.
pub fn resolve(
    things: &[NativeThing],
    here: &IdentityMap,
    elsewhere: &[IdentityMap],
    confirm: Option<&str>,
    distinct: &BTreeSet<String>,
) -> Result<Resolution> {
    let by_native: BTreeMap<&NativeKey, &LogicalId> =
        here.things().map(|t| (&t.native, &t.logical)).collect();
    let known_here: BTreeSet<&LogicalId> = here.things().map(|t| &t.logical).collect();
    let others: Vec<&Identified> = elsewhere.iter().flat_map(IdentityMap::things).collect();
    let mut taken: BTreeSet<LogicalId> =
        things.iter().filter_map(|t| by_native.get(&t.key)).copied().cloned().collect();
    let mut ids: BTreeMap<NativeKey, LogicalId> = BTreeMap::new();
    let mut matches = Vec::new();
    let mut learnt = 0;
    for thing in parents_first(things) {
        let is_new_by_word = distinct.contains(thing.key.id.as_str());
        let parent = thing.parent.as_ref().and_then(|parent| ids.get(parent)).cloned();
        let free =
            |other: &&&Identified| !taken.contains(&other.logical) && !known_here.contains(&other.logical);
        let logical = if let Some(known) = by_native.get(&thing.key) {
            (*known).clone()
        } else {
            learnt += 1;
            let same_id = others.iter().filter(free).find(|other| {
                other.native == thing.key
                    || thing.stable.is_some()
                        && other.stable == thing.stable
                        && other.native.kind == thing.key.kind
            });
            let by_name = others.iter().filter(free).find(|other| {
                other.native.kind == thing.key.kind
                    && other.name == thing.name
                    && other.source_kind == thing.source_kind
                    && other.parent == parent
            });
            match (same_id, by_name) {
                (Some(other), _) if !is_new_by_word => other.logical.clone(),
                (None, Some(other)) if !is_new_by_word => {
                    matches.push(Match {
                        kind: thing.key.kind,
                        name: thing.name.clone(),
                        native: thing.key.id.to_string(),
                        logical: other.logical.clone(),
                    });
                    other.logical.clone()
                }
                _ => fresh(&thing.key, &|id| {
                    taken.contains(id)
                        || known_here.contains(id)
                        || others.iter().any(|other| other.logical == *id)
                })?,
            }
        };
        taken.insert(logical.clone());
        ids.insert(thing.key.clone(), logical);
    }
    if !matches.is_empty() {
        let digest = json::digest(&serde_json::to_value(&matches)?).short();
        if confirm != Some(digest.as_str()) {
            return Err(Error::MatchesToConfirm { count: matches.len(), digest, matches });
        }
    }
    let rolls = rolls(things, &ids);
    Ok(Resolution { ids, rolls, learnt })
}

/// Parents before what is part of them, otherwise in the order of the file.
fn parents_first(things: &[NativeThing]) -> Vec<&NativeThing> {
    let mut placed: BTreeSet<&NativeKey> = BTreeSet::new();
    let present: BTreeSet<&NativeKey> = things.iter().map(|thing| &thing.key).collect();
    let mut ordered = Vec::with_capacity(things.len());
    let mut ahead: Vec<&NativeThing> = things.iter().collect();
    loop {
        let before = ahead.len();
        ahead.retain(|thing| {
            let ready = thing
                .parent
                .as_ref()
                .is_none_or(|parent| placed.contains(parent) || !present.contains(parent));
            if ready {
                placed.insert(&thing.key);
                ordered.push(*thing);
            }
            !ready
        });
        if ahead.is_empty() {
            return ordered;
        }
        if ahead.len() == before {
            // Parts of each other: no order is better than the file's.
            ordered.extend(ahead);
            return ordered;
        }
    }
}

/// A logical id for a thing that nobody knew: its native id, told apart where another has it.
fn fresh(key: &NativeKey, is_taken: &dyn Fn(&LogicalId) -> bool) -> Result<LogicalId> {
    let plain = LogicalId::new(key.id.as_str())?;
    if !is_taken(&plain) {
        return Ok(plain);
    }
    let digest = Digest::of(key.to_string().as_bytes()).short();
    Ok(LogicalId::new(format!("{}-{digest}", key.kind))?)
}

fn rolls(things: &[NativeThing], ids: &BTreeMap<NativeKey, LogicalId>) -> BTreeMap<String, Roll> {
    let by_key: BTreeMap<&NativeKey, &NativeThing> = things.iter().map(|thing| (&thing.key, thing)).collect();
    let mut rolls: BTreeMap<String, Roll> = BTreeMap::new();
    for thing in things {
        let Some(logical) = ids.get(&thing.key) else { continue };
        let identified = Identified {
            logical: logical.clone(),
            native: thing.key.clone(),
            name: thing.name.clone(),
            parent: thing.parent.as_ref().and_then(|parent| ids.get(parent)).cloned(),
            source_kind: thing.source_kind.clone(),
            stable: thing.stable.clone(),
        };
        rolls.entry(unit(thing, &by_key, ids)).or_default().push(identified);
    }
    rolls
}

/// The app or module at the top of a thing, or [`SHARED`].
fn unit(
    thing: &NativeThing,
    by_key: &BTreeMap<&NativeKey, &NativeThing>,
    ids: &BTreeMap<NativeKey, LogicalId>,
) -> String {
    let mut top = thing;
    // No thing is nested deeper than there are things.
    for _ in 0..by_key.len() {
        match top.parent.as_ref().and_then(|parent| by_key.get(parent)) {
            Some(parent) => top = parent,
            None => break,
        }
    }
    match (top.key.kind, ids.get(&top.key)) {
        (ObjectKind::App | ObjectKind::Module, Some(id)) => id.to_string(),
        _ => SHARED.to_owned(),
    }
}

/// The map with these rolls in place of the units' former ones; what is shared is added to.
///
/// # Errors
/// When content cannot be kept.
pub fn merge(work: &mut Work<'_>, root: Digest, rolls: &BTreeMap<String, Roll>) -> Result<Digest> {
    let mut root = root;
    for (unit, roll) in rolls {
        let mut roll = roll.clone();
        if unit == SHARED {
            let former: Option<Roll> = work.lookup(root, unit)?;
            let named: BTreeSet<LogicalId> = roll.iter().map(|thing| thing.logical.clone()).collect();
            roll.extend(
                former.unwrap_or_default().into_iter().filter(|thing| !named.contains(&thing.logical)),
            );
            roll.sort_by(|a, b| a.logical.cmp(&b.logical));
        }
        root = work.set(root, unit, Some(&roll))?;
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: ObjectKind, id: &str) -> NativeKey {
        NativeKey::new(kind, sluice_model::NativeId::new(id).unwrap())
    }

    fn thing(kind: ObjectKind, id: &str, name: &str, parent: Option<(ObjectKind, &str)>) -> NativeThing {
        NativeThing {
            key: key(kind, id),
            name: name.into(),
            parent: parent.map(|(kind, id)| key(kind, id)),
            source_kind: None,
            stable: None,
        }
    }

    fn app(prefix: &str) -> Vec<NativeThing> {
        let id = |n: &str| format!("{prefix}-{n}");
        vec![
            // A part before its whole, as files have it.
            thing(ObjectKind::Component, &id("c"), "table1", Some((ObjectKind::Page, &id("p")))),
            thing(ObjectKind::Page, &id("p"), "Home", Some((ObjectKind::App, &id("a")))),
            thing(ObjectKind::App, &id("a"), "Orders", None),
        ]
    }

    fn empty() -> IdentityMap {
        IdentityMap { rolls: BTreeMap::new() }
    }

    fn map_of(things: &[NativeThing]) -> IdentityMap {
        IdentityMap { rolls: resolve(things, &empty(), &[], None, &BTreeSet::new()).unwrap().rolls }
    }

    #[test]
    fn what_nobody_knew_gets_the_id_it_came_with() {
        let found = resolve(&app("dev"), &empty(), &[], None, &BTreeSet::new()).unwrap();
        assert_eq!(found.learnt, 3);
        assert_eq!(found.ids[&key(ObjectKind::App, "dev-a")].as_str(), "dev-a");
        assert_eq!(found.rolls.keys().collect::<Vec<_>>(), ["dev-a"]);
    }

    #[test]
    fn a_match_by_name_waits_for_a_person_and_counts_once_confirmed() {
        let elsewhere = [map_of(&app("dev"))];
        let asked = resolve(&app("stg"), &empty(), &elsewhere, None, &BTreeSet::new()).err().unwrap();
        let Error::MatchesToConfirm { count, digest, .. } = asked else { panic!("{asked}") };
        assert_eq!(count, 3);
        let found = resolve(&app("stg"), &empty(), &elsewhere, Some(&digest), &BTreeSet::new()).unwrap();
        assert_eq!(found.ids[&key(ObjectKind::Component, "stg-c")].as_str(), "dev-c");
        // Another file is another question.
        let mut other = app("stg");
        other.pop();
        assert!(resolve(&other, &empty(), &elsewhere, Some(&digest), &BTreeSet::new()).is_ok());
    }

    #[test]
    fn a_rename_is_the_same_object_and_a_new_id_under_an_old_name_is_another() {
        let here = map_of(&app("dev"));
        let mut renamed = app("dev");
        renamed[0].name = "orders_table".into();
        renamed.push(thing(ObjectKind::Component, "dev-x", "table1", Some((ObjectKind::Page, "dev-p"))));
        let found = resolve(&renamed, &here, &[], None, &BTreeSet::new()).unwrap();
        assert_eq!(found.ids[&key(ObjectKind::Component, "dev-c")].as_str(), "dev-c");
        assert_eq!(found.ids[&key(ObjectKind::Component, "dev-x")].as_str(), "dev-x");
        assert_eq!(found.learnt, 1);
    }

    #[test]
    fn a_stable_identity_needs_no_word_and_a_distinct_thing_gets_its_own() {
        let mut dev = app("dev");
        let mut staging = app("stg");
        for (a, b) in dev.iter_mut().zip(&mut staging) {
            a.stable = Some(format!("gid-{}", a.name));
            b.stable = a.stable.clone();
        }
        let elsewhere = [map_of(&dev)];
        let found = resolve(&staging, &empty(), &elsewhere, None, &BTreeSet::new()).unwrap();
        assert_eq!(found.ids[&key(ObjectKind::App, "stg-a")].as_str(), "dev-a");
        let distinct = BTreeSet::from(["stg-a".to_owned(), "stg-p".to_owned(), "stg-c".to_owned()]);
        let found = resolve(&staging, &empty(), &elsewhere, None, &distinct).unwrap();
        assert_eq!(found.ids[&key(ObjectKind::App, "stg-a")].as_str(), "stg-a");
    }
}
