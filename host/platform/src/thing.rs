//! The things in an export that have an identity.

use std::fmt;

use serde::{Deserialize, Serialize};
use sluice_model::{Kind, NativeId, ObjectKind};

/// The identity that a platform gave to a thing, in one environment.
///
/// ToolJet's ids are unique by themselves, except those of pages and components before 3.x, which a
/// cloned app shares, and Lowcoder's query ids: these are written `OWNER/ID`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NativeKey {
    /// What it is.
    pub kind: ObjectKind,
    /// Its native id.
    pub id: NativeId,
}

impl NativeKey {
    /// The thing of this kind with this id.
    #[must_use]
    pub const fn new(kind: ObjectKind, id: NativeId) -> Self {
        Self { kind, id }
    }

    /// As [`NativeKey::new`], of a text that was checked when the file was read.
    pub(crate) fn of(kind: ObjectKind, id: &str) -> Option<Self> {
        NativeId::new(id).ok().map(|id| Self { kind, id })
    }

    /// The id as the platform spells it: without its owner.
    pub(crate) fn token(id: &NativeId) -> &str {
        id.as_str().rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for NativeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

/// One thing of an export, with what helps to recognise it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NativeThing {
    /// Its native identity.
    pub key: NativeKey,
    /// What people call it.
    pub name: String,
    /// What it is part of. Names are meant to be unique among the parts of one thing, but need not be.
    pub parent: Option<NativeKey>,
    /// For a data source, the platform's kind.
    pub source_kind: Option<Kind>,
    /// An identity that stays the same across environments, where the platform has one: Lowcoder's
    /// `gid`, ToolJet's `co_relation_id`.
    pub stable: Option<String>,
}
