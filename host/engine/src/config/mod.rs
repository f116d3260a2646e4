//! The workspace's configuration: what `sluice.toml` says, checked, with the place of everything
//! that is wrong; what adopting another one changes; the one that a new workspace begins with.
//!
//! Architecture invariant: this module reads no file and no clock. It is given a text and says
//! what it means; whether that counts is for the adoption to decide.
//!
//! ## API
//! - [`Config::parse`] gives the checked configuration or all that is wrong with it.
//! - [`Document::parse`] keeps the text too, so that a policy, a plugin or a kind that is found
//!   wrong later is told with its place: [`Document::error`], [`Document::check_kinds`].
//! - [`Config::digest`], [`diff`], [`template`], [`put_person`], [`schema`].

mod app_names;
mod change;
mod check;
mod error;
mod file;
mod names;
mod pattern;
mod read;
mod selector;
mod template;
mod transition;
mod workspace;

#[cfg(test)]
mod tests;

pub use app_names::AppNames;
pub use change::{ChangeKind, ConfigChange, diff};
pub use error::{ConfigError, ConfigErrors, did_you_mean};
pub use file::schema;
pub use names::person;
pub use names::{
    BadText, ByteSize, CalendarName, GateName, LabelName, PersonName, PluginName, PolicyName, Principal,
    PublisherName, RoleName, TimeSpan, WorkspaceName,
};
pub use pattern::NamePattern;
pub use read::{Document, MOST_BYTES, Place};
pub use selector::ChangeName;
pub use sluice_ledger::PublicKey;
pub use template::{PutPersonError, PutPluginError, put_person, put_plugin, take_plugin, template};
pub use transition::Transition;
pub use workspace::{
    BUILT_IN_ENVIRONMENTS, BUILT_IN_ROLES, BreakGlassRules, Config, Environment, External, Gate, Labelled,
    Person, Plugin, Probing, Rules, WaiverRules,
};
