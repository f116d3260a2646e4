//! What an export holds, without taking it in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_model::{LogicalId, Object, ObjectKind, Pointer, ReferenceKind, Target};

use crate::format::{Generation, Platform};

/// A report of an export. Counts are of the file as it came, unless a name says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inspection {
    /// The platform.
    pub platform: Platform,
    /// The shape of the export, told by its keys.
    pub generation: Generation,
    /// The release that the file states.
    pub release: Option<String>,
    /// Apps, modules and workflows by name.
    pub apps: Vec<String>,
    /// How many queries.
    pub queries: usize,
    /// How many data sources of each kind.
    pub data_sources: BTreeMap<String, usize>,
    /// How many option sets, orphans included.
    pub data_source_options: usize,
    /// Option sets of no data source of the app; dropped before anything is stored.
    pub orphan_options: usize,
    /// Distinct credential ids, orphans included.
    pub credential_ids: usize,
    /// Distinct credential ids without orphans.
    pub credential_ids_of_own_sources: usize,
    /// How many environments.
    pub environments: usize,
    /// How many versions.
    pub versions: usize,
    /// Queries whose data source is not in the file.
    pub queries_without_source: usize,
    /// Queries of a version that is not in the file.
    pub queries_of_absent_versions: usize,
    /// Constants and secrets that expressions name, such as `constants.API_VERSION`, in order.
    pub constants: Vec<String>,
    /// Distinct queries that events name.
    pub queries_named_by_events: usize,
    /// Of those, the ones that are not in the file.
    pub missing_queries_named_by_events: usize,
    /// Objects by kind.
    pub objects: BTreeMap<ObjectKind, usize>,
    /// References by what they lead to.
    pub references: ReferenceCounts,
    /// Every reference that is not resolved.
    pub unresolved: Vec<UnresolvedReference>,
}

/// How many references lead where. Constants are counted apart, by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceCounts {
    /// To an object of the export.
    pub resolved: usize,
    /// To nothing.
    pub dangling: usize,
    /// To one of several.
    pub ambiguous: usize,
    /// To whatever is newest.
    pub floating: usize,
}

/// A reference that is not resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnresolvedReference {
    /// The name of the object that has it.
    pub object: String,
    /// What that object is.
    pub kind: ObjectKind,
    /// Where in its content.
    pub at: Pointer,
    /// What the reference means.
    pub what: ReferenceKind,
    /// `dangling`, `ambiguous` or `floating`.
    pub state: String,
    /// The id or name by which it asks.
    pub named: String,
}

/// What is counted straight from the file.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) queries: usize,
    pub(crate) data_sources: BTreeMap<String, usize>,
    pub(crate) data_source_options: usize,
    pub(crate) orphan_options: usize,
    pub(crate) credential_ids: usize,
    pub(crate) credential_ids_of_own_sources: usize,
    pub(crate) environments: usize,
    pub(crate) versions: usize,
    pub(crate) queries_without_source: usize,
    pub(crate) queries_of_absent_versions: usize,
    pub(crate) constants: Vec<String>,
    pub(crate) queries_named_by_events: usize,
    pub(crate) missing_queries_named_by_events: usize,
}

impl Inspection {
    pub(crate) fn of(
        platform: Platform,
        generation: Generation,
        release: Option<String>,
        counts: Counts,
        objects: &[Object],
    ) -> Self {
        let mut references = ReferenceCounts::default();
        let mut unresolved = Vec::new();
        let mut by_kind = BTreeMap::new();
        let names: BTreeMap<&LogicalId, &str> = objects.iter().map(|o| (&o.id, o.name.as_str())).collect();
        for object in objects {
            *by_kind.entry(object.kind).or_default() += 1;
            for reference in &object.references {
                let (state, named) = match &reference.target {
                    Target::Constant(_) => continue,
                    Target::Resolved(_) => {
                        references.resolved += 1;
                        continue;
                    }
                    Target::Dangling { named, .. } => {
                        references.dangling += 1;
                        ("dangling", named.clone())
                    }
                    Target::Ambiguous { named, .. } => {
                        references.ambiguous += 1;
                        ("ambiguous", named.clone())
                    }
                    Target::Floating { to, tag } => {
                        references.floating += 1;
                        let to = names.get(to).copied().unwrap_or(to.as_str());
                        ("floating", format!("{to} {tag}"))
                    }
                };
                unresolved.push(UnresolvedReference {
                    object: object.name.clone(),
                    kind: object.kind,
                    at: reference.at.clone(),
                    what: reference.kind,
                    state: state.to_owned(),
                    named,
                });
            }
        }
        unresolved.sort();
        let is_unit =
            |o: &&Object| matches!(o.kind, ObjectKind::App | ObjectKind::Module | ObjectKind::Workflow);
        Self {
            platform,
            generation,
            release,
            apps: objects.iter().filter(is_unit).map(|o| o.name.clone()).collect(),
            queries: counts.queries,
            data_sources: counts.data_sources,
            data_source_options: counts.data_source_options,
            orphan_options: counts.orphan_options,
            credential_ids: counts.credential_ids,
            credential_ids_of_own_sources: counts.credential_ids_of_own_sources,
            environments: counts.environments,
            versions: counts.versions,
            queries_without_source: counts.queries_without_source,
            queries_of_absent_versions: counts.queries_of_absent_versions,
            constants: counts.constants,
            queries_named_by_events: counts.queries_named_by_events,
            missing_queries_named_by_events: counts.missing_queries_named_by_events,
            objects: by_kind,
            references,
            unresolved,
        }
    }
}
