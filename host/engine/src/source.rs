//! The data sources of a workspace, by the name or id that a person types.

use std::collections::BTreeMap;

use sluice_model::tree::Tree;
use sluice_model::{LogicalId, Object, ObjectKind};

use crate::error::{Error, Result};
use crate::state::Work;
use crate::version::one_named;
use crate::workspace::Workspace;

impl Workspace {
    /// All data sources that any environment holds and that have a kind of their own, by name, each
    /// as the first environment that holds it has it.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn data_sources(&self, work: &mut Work<'_>) -> Result<Vec<Object>> {
        let mut found: BTreeMap<LogicalId, Object> = BTreeMap::new();
        for environment in &self.config()?.environments {
            let (_, state) = self.environment(work, &environment.name)?;
            for tree in state.units(work)?.values() {
                for (key, digest) in Tree::at(tree.root()).entries(work)? {
                    let id = LogicalId::new(key)?;
                    if found.contains_key(&id) {
                        continue;
                    }
                    let object = work.object(&digest)?;
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
    ///
    /// # Errors
    /// When there is none, or several have the name.
    pub fn data_source(&self, work: &mut Work<'_>, named: &str) -> Result<Object> {
        let sources = self.data_sources(work)?;
        let known: Vec<String> = sources.iter().map(|source| format!("`{}`", source.name)).collect();
        one_named(sources, named, "data sources")?.ok_or_else(|| Error::NotFound {
            what: "data source",
            named: named.to_owned(),
            help: if known.is_empty() {
                "import an app that has one".into()
            } else {
                format!("use one of: {}", known.join(", "))
            },
        })
    }
}
