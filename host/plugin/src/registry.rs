//! Which plugin serves which kind.

use std::collections::BTreeMap;

use sluice_model::Kind;

use crate::plugin::Plugin;

/// The plugins of a workspace, by the kinds they serve.
#[derive(Debug, Default)]
pub struct Registry {
    plugins: Vec<Plugin>,
    by_kind: BTreeMap<Kind, usize>,
}

/// Two plugins cannot serve one kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plugins `{first}` and `{second}` both serve the kind `{kind}`; remove one of them")]
pub struct RegistryError {
    /// The kind.
    pub kind: Kind,
    /// The one plugin.
    pub first: String,
    /// The other.
    pub second: String,
}

impl Registry {
    /// A registry of these plugins.
    ///
    /// # Errors
    /// When two of them serve the same kind.
    pub fn new(plugins: Vec<Plugin>) -> Result<Self, RegistryError> {
        let mut by_kind = BTreeMap::new();
        for (index, plugin) in plugins.iter().enumerate() {
            for description in plugin.describe() {
                if let Some(other) = by_kind.insert(description.kind.clone(), index) {
                    let first = plugins.get(other).map_or("", Plugin::name).to_owned();
                    let (kind, second) = (description.kind.clone(), plugin.name().to_owned());
                    return Err(RegistryError { kind, first, second });
                }
            }
        }
        Ok(Self { plugins, by_kind })
    }

    /// The plugin that serves a kind.
    #[must_use]
    pub fn for_kind(&self, kind: &Kind) -> Option<&Plugin> {
        self.plugins.get(*self.by_kind.get(kind)?)
    }

    /// All plugins, in the order given.
    #[must_use]
    pub fn plugins(&self) -> &[Plugin] {
        &self.plugins
    }

    /// All kinds that are served, in order.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.by_kind.keys()
    }
}
