//! Objects: the versioned things of an app, and the edges between them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ConstantName, Digest, Kind, LogicalId, Pointer, json};

/// What sort of thing an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    /// An app: what end users open.
    App,
    /// A part of apps that other apps embed.
    Module,
    /// A page of an app.
    Page,
    /// A widget on a page.
    Component,
    /// What happens when something occurs in a component, page or query.
    Event,
    /// A query of an app.
    Query,
    /// A connection to a database or service.
    DataSource,
    /// A query that several apps share.
    LibraryQuery,
    /// One published state of a library query.
    LibraryQueryVersion,
    /// A table of the platform's own database.
    Table,
    /// A sequence of queries run outside a page.
    Workflow,
}

impl ObjectKind {
    /// The kind in the words of configuration, commands and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Module => "module",
            Self::Page => "page",
            Self::Component => "component",
            Self::Event => "event",
            Self::Query => "query",
            Self::DataSource => "data-source",
            Self::LibraryQuery => "library-query",
            Self::LibraryQueryVersion => "library-query-version",
            Self::Table => "table",
            Self::Workflow => "workflow",
        }
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One versioned thing of an app, as every environment has it: without native ids of its own,
/// without secrets, without time stamps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Its identity everywhere.
    pub id: LogicalId,
    /// The app or module that owns it and is replaced as a whole, or `None` where several share it.
    pub unit: Option<LogicalId>,
    /// What it is.
    pub kind: ObjectKind,
    /// For a data source, the platform's kind; decides which plugin serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_kind: Option<Kind>,
    /// What people call it.
    pub name: String,
    /// The platform's own JSON; secrets stand in it as marks, see [`crate::content`].
    pub content: Value,
    /// Its edges, in order of their place in the content.
    pub references: Vec<Reference>,
}

impl Object {
    /// The canonical bytes: what is stored, and what the digest is of.
    ///
    /// # Errors
    /// Never for an object that was read or built from JSON; `serde` asks for the type.
    pub fn canonical(&self) -> Result<Vec<u8>, serde_json::Error> {
        json::canonical_of(self)
    }

    /// The digest of the canonical bytes.
    ///
    /// # Errors
    /// As [`Object::canonical`].
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        self.canonical().map(|bytes| Digest::of(&bytes))
    }
}

/// What an edge means to the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceKind {
    /// The object is part of the one referred to: a component of its page, an event of its component.
    PartOf,
    /// A query runs on a data source.
    RunsOn,
    /// An event runs a query.
    Runs,
    /// An expression or code reads the other object.
    Reads,
    /// An app or module embeds a module.
    Embeds,
    /// A query is an instance of a library query.
    InstanceOf,
    /// Navigation leads to an app or page.
    LeadsTo,
    /// A query works on a table of the platform's own database.
    UsesTable,
    /// Something reads a constant that its environment holds.
    NeedsConstant,
}

/// A typed edge of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Where in the content it stands.
    pub at: Pointer,
    /// What it means.
    pub kind: ReferenceKind,
    /// What it leads to.
    pub target: Target,
}

/// What a reference leads to, as far as the export tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Target {
    /// An object that is known.
    Resolved(LogicalId),
    /// Something that is not there.
    Dangling {
        /// What kind of thing was wanted.
        wanted: ObjectKind,
        /// The id or name by which it was asked for.
        named: String,
    },
    /// A name that several objects have.
    Ambiguous {
        /// The name.
        named: String,
        /// The objects that have it, in order.
        candidates: Vec<LogicalId>,
    },
    /// Whatever is newest when it is asked for.
    Floating {
        /// The object that is newest now.
        to: LogicalId,
        /// The platform's word, such as `latest`.
        tag: String,
    },
    /// A constant, which is a dependency on the environment.
    Constant(ConstantName),
}

impl Target {
    /// The object that must come along, if the target names one.
    #[must_use]
    pub const fn object(&self) -> Option<&LogicalId> {
        match self {
            Self::Resolved(to) | Self::Floating { to, .. } => Some(to),
            Self::Dangling { .. } | Self::Ambiguous { .. } | Self::Constant(_) => None,
        }
    }
}
