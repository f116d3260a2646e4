//! Platforms, and the generations of their export formats.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A platform whose exports are read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// ToolJet.
    Tooljet,
    /// Lowcoder.
    Lowcoder,
}

impl Platform {
    /// The name in kinds, configuration and commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tooljet => "tooljet",
            Self::Lowcoder => "lowcoder",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A shape that a platform's exports have had; told by keys, never by a version string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Generation {
    /// ToolJet 1.x to 2.1: the top level is the app, credentials sit in the data sources.
    #[serde(rename = "legacy")]
    Legacy,
    /// ToolJet 2.x: `appV2`, pages and components nested in the versions' definitions.
    #[serde(rename = "2.x")]
    Nested,
    /// ToolJet 3.x: flat lists of pages, components and events.
    #[serde(rename = "3.x")]
    Flat,
    /// Lowcoder: the user interface's export of one app.
    #[serde(rename = "ui-export")]
    UiExport,
    /// Lowcoder: records of its collections, alone or beside exports of the user interface.
    #[serde(rename = "collections")]
    Collections,
}

impl Generation {
    /// The name in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Nested => "2.x",
            Self::Flat => "3.x",
            Self::UiExport => "ui-export",
            Self::Collections => "collections",
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How an app is wrapped in a ToolJet file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wrapper {
    /// The app itself.
    Bare,
    /// `{appV2: …}`.
    AppV2,
    /// `{definition: {appV2: …}}`, an entry of the list `app`.
    Definition,
}

/// The shape of an export: what a first export of an environment that never imported is written in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Format {
    /// The platform.
    pub platform: Platform,
    /// The shape of its exports.
    pub generation: Generation,
    /// How ToolJet wraps the app.
    pub(crate) wrapper: Wrapper,
    /// The platform's release as the file states it; copied, never judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
}

impl Format {
    /// The newest shape of the platform's exports.
    #[must_use]
    pub const fn newest(platform: Platform) -> Self {
        let (generation, wrapper) = match platform {
            Platform::Tooljet => (Generation::Flat, Wrapper::Definition),
            Platform::Lowcoder => (Generation::Collections, Wrapper::Bare),
        };
        Self { platform, generation, wrapper, release: None }
    }
}
