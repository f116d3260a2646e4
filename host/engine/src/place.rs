//! Ids by which content points at an environment: of its organisation, its apps, and of itself, as
//! the exports that came from there told them.

use std::collections::{BTreeMap, BTreeSet};

use sluice_model::tree::Tree;
use sluice_model::{Digest, EnvironmentName};
use sluice_platform::Decoded;

use crate::error::Result;
use crate::state::Work;
use crate::version::Bundle;
use crate::workspace::Workspace;

/// Where an environment keeps them, beside what exports held. No app has such an id.
const PLACE: &str = "~place";

/// Ids, and which environment each is of.
type Known = BTreeMap<String, EnvironmentName>;

/// The tree of what exports held, with the ids of the place that one came from. They are only ever
/// added to: an id that the platform gave once is no other's.
pub(crate) fn keep(
    work: &mut Work<'_>,
    residue: Digest,
    decoded: &Decoded,
    from: &EnvironmentName,
    named: impl Fn(&str) -> Option<EnvironmentName>,
) -> Result<Digest> {
    let mut known: Known = work.lookup(residue, PLACE)?.unwrap_or_default();
    known.extend(decoded.place.own.iter().map(|id| (id.clone(), from.clone())));
    for (id, name) in &decoded.place.environments {
        let carried = decoded.environment.as_ref() == Some(name);
        let of = if carried { Some(from.clone()) } else { named(name) };
        known.extend(of.map(|of| (id.clone(), of)));
    }
    if known.is_empty() { Ok(residue) } else { work.set(residue, PLACE, Some(&known)) }
}

impl Workspace {
    /// Ids that are of environments below `to` and not of `to`, each with the nearest to it, but for
    /// those by which the bundle itself calls its objects: these are written as the target has them.
    pub(crate) fn lower_ids(
        &self,
        work: &mut Work<'_>,
        to: &EnvironmentName,
        bundle: &Bundle,
    ) -> Result<Known> {
        let config = self.config()?;
        let reach = config.position(to).unwrap_or_default();
        let (mut lower, mut own) = (Known::new(), BTreeSet::new());
        for environment in config.environments.iter().take(reach + 1) {
            let (_, state) = self.environment(work, &environment.name)?;
            let known: Known = work.lookup(state.residue, PLACE)?.unwrap_or_default();
            for (id, of) in known {
                let position = config.position(&of).unwrap_or(usize::MAX);
                if position == reach {
                    own.insert(id);
                } else if position < reach {
                    lower.insert(id, of);
                }
            }
        }
        let units = Tree::at(bundle.content).entries(work)?;
        let expected =
            bundle.expects.iter().flat_map(|expected| [expected.unit.as_str(), expected.id.as_str()]);
        for id in own.iter().map(String::as_str).chain(units.keys().map(String::as_str)).chain(expected) {
            lower.remove(id);
        }
        Ok(lower)
    }
}
