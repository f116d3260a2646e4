//! What patterns know an app by.

use std::collections::BTreeSet;

use sluice_model::LogicalId;

use super::pattern::NamePattern;

/// An app as patterns of `sluice.toml` know it: by its id, and by every name that it has or had where
/// that counts. Who builds an app calls it what they like, and what is said of it stays with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppNames(BTreeSet<String>);

impl AppNames {
    /// The app of this id, which is or was called so.
    #[must_use]
    pub fn new<N: Into<String>>(id: &LogicalId, names: impl IntoIterator<Item = N>) -> Self {
        let mut all: BTreeSet<String> = names.into_iter().map(Into::into).collect();
        all.insert(id.to_string());
        Self(all)
    }

    /// Whether a pattern means the app.
    #[must_use]
    pub fn are_meant_by(&self, pattern: &NamePattern) -> bool {
        self.0.iter().any(|name| pattern.matches(name))
    }
}
