//! Data sources of a workspace, by the name or id that a person types.

use std::collections::BTreeMap;

use sluice_engine::state::Work;
use sluice_engine::{Error, Workspace};
use sluice_model::tree::Tree;
use sluice_model::{LogicalId, Object, ObjectKind};

use crate::failure::Failure;

/// All data sources that any environment holds and that have a kind of their own, each as the
/// first environment that holds it has it.
pub(crate) fn all(workspace: &Workspace, work: &mut Work<'_>) -> Result<Vec<Object>, Failure> {
    let mut found: BTreeMap<LogicalId, Object> = BTreeMap::new();
    for environment in &workspace.config()?.environments {
        let (_, state) = workspace.environment(work, &environment.name)?;
        for tree in state.units(work)?.values() {
            for (key, digest) in Tree::at(tree.root()).entries(work).map_err(Error::from)? {
                let id = LogicalId::new(key)?;
                if found.contains_key(&id) {
                    continue;
                }
                let object: Object = work.object(&digest)?;
                if object.kind == ObjectKind::DataSource && object.source_kind.is_some() {
                    found.insert(id, object);
                }
            }
        }
    }
    let mut sources: Vec<Object> = found.into_values().collect();
    sources.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(sources)
}

/// The data source with this name or id.
pub(crate) fn named(workspace: &Workspace, work: &mut Work<'_>, named: &str) -> Result<Object, Failure> {
    let sources = all(workspace, work)?;
    let known: Vec<String> = sources.iter().map(|source| format!("`{}`", source.name)).collect();
    let found = sluice_engine::version::one_named(sources, named, "data sources")?;
    found.ok_or_else(|| {
        Error::NotFound {
            what: "data source",
            named: named.to_owned(),
            help: if known.is_empty() {
                "import an app that has one".into()
            } else {
                format!("use one of: {}", known.join(", "))
            },
        }
        .into()
    })
}
