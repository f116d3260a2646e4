//! Closure, plan, gates, apply, verify: one promotion from end to end.
//!
//! An export is read into an environment ([`import`]), objects are marked and a version of an app
//! is cut ([`version`]), a plan says what its promotion would do ([`plan`]), plugins render its
//! data sources ([`render`]), gates judge it ([`gates`]), and it is carried out in steps of which
//! each is whole or not there ([`promote`]). Everything that changes anything is an act that a
//! person signs ([`act`], [`records`]).
//!
//! Architecture invariant: this crate knows no HTTP and no terminal. Time and randomness are
//! passed in ([`ambient`]). State is changed by appending acts and in no other way.

pub mod act;
pub mod ambient;
pub mod attest;
pub mod audit;
pub mod bare;
pub mod break_glass;
pub mod config;
pub mod consent;
pub mod decisions;
pub mod error;
pub mod evidence;
pub mod export;
pub mod files;
pub mod gates;
pub mod history;
pub mod identity;
pub mod import;
pub mod install;
mod keys;
mod lease;
pub mod lock;
pub mod permission;
mod place;
pub mod plan;
pub mod probe;
pub mod promote;
pub mod records;
pub mod render;
pub mod review;
pub mod rollout;
pub mod scan;
pub mod settings;
pub mod source;
pub mod state;
pub mod suspicion;
pub mod upgrade;
pub mod version;
pub mod workspace;

pub use error::{Class, Error};
pub use records::Actor;
pub use workspace::{Home, Workspace};
