//! What an import gives.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sluice_model::{LogicalId, Object};

use crate::translate::is_distinct;
use crate::{NativeKey, TakenSecret};

/// A data source's options in another environment of the same export: a proposal to its owner.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvironmentOptions {
    /// The data source.
    pub source: LogicalId,
    /// The environment, as the platform names it.
    pub environment: String,
    /// The native options, with marks where secrets were.
    pub options: Value,
}

/// Ids by which a platform knows where an export comes from. Content that names one, in a URL or in
/// code, is about that place; ids that could be ordinary words are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaceIds {
    /// Of organisations, apps, modules and workflows.
    pub own: BTreeSet<String>,
    /// Of environments, each with the name that the platform gives it.
    pub environments: BTreeMap<String, String>,
}

impl PlaceIds {
    pub(crate) fn add(&mut self, id: &str) {
        if is_distinct(id) {
            self.own.insert(id.to_owned());
        }
    }

    pub(crate) fn add_environment(&mut self, id: &str, name: &str) {
        if is_distinct(id) {
            self.environments.insert(id.to_owned(), name.to_owned());
        }
    }
}

/// An export as objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The objects, in the order of the survey.
    pub objects: Vec<Object>,
    /// The native environment whose options the data sources carry; `None` where the export has no
    /// environments or none of that name, and then sources with environments carry no options.
    pub environment: Option<String>,
    /// The other environments' options.
    pub proposals: Vec<EnvironmentOptions>,
    /// The values taken out.
    pub secrets: Vec<TakenSecret>,
    /// Ids of the place that the export comes from.
    pub place: PlaceIds,
    /// What is of this file alone: order, time stamps, other versions, ids of no object. Hand it
    /// back to [`crate::encode`] to get the file again. It holds native ids but no secret.
    pub rest: Value,
    /// Option sets of no data source of the app, dropped when the file was read.
    pub orphan_options: usize,
    /// Values that were taken out of `rest` and kept nowhere, such as those of other versions.
    pub withheld: usize,
}

/// Why an export cannot be taken as objects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The survey named it and the caller gave it no identity.
    #[error("`{0}` has no logical id: give one to everything that the survey names")]
    Unidentified(NativeKey),
    /// One logical id for two things.
    #[error("the logical id `{id}` was given to both `{first}` and `{second}`: give each its own")]
    Shared {
        /// The id.
        id: LogicalId,
        /// One thing.
        first: NativeKey,
        /// The other.
        second: NativeKey,
    },
    /// A logical id that the content would be confused with.
    #[error("the text `{id}` in `{object}` is also a logical id: choose ids that do not occur in exports")]
    Clash {
        /// The id.
        id: LogicalId,
        /// The object whose content has it.
        object: String,
    },
}
