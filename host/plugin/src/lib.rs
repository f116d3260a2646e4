//! Host of sandboxed data-source plugins: it loads, verifies, limits and calls them.
//!
//! A plugin is a Wasm component that implements the world of `wit/`. It says which kinds of data
//! source it serves and where secrets sit in them, and renders a data source of a bundle for a
//! target environment. Whatever a plugin answers, the host makes sure of this:
//!
//! - options that the environment owns equal the target's binding, byte for byte, and all of them
//!   are there; never does anything fall back to another environment's options;
//! - options that must match equal the bundle's, but for a flag or choice that the plugin changed
//!   to another value of its description;
//! - identity, name and kind are unchanged, and every secret slot is filled with a reference that
//!   the target's owner offered for this very data source;
//! - an endless loop, memory without end, an answer or a log too large, a trap: each ends that one
//!   call with an error naming plugin, data source and limit, and touches nothing else.
//!
//! Architecture invariant: this crate knows no policy and no store, and no secret's value ever
//! enters it: texts arrive with their secrets taken out, and slots are filled with references.
//!
//! ## API
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sluice_plugin::{CodeCache, Environment, Host, Limits, Registry, RenderInput};
//! use sluice_plugin::DataSource;
//! # let (bytes, root_key, folder): (Vec<u8>, [u8; 32], std::path::PathBuf) = todo!();
//!
//! let host = Host::new(Limits::default())?.with_cache(CodeCache::new(folder, &root_key));
//! let registry = Registry::new(vec![host.load("sql", &bytes)?])?;
//!
//! let kind = "tooljet/postgresql".parse()?;
//! if let Some(plugin) = registry.for_kind(&kind) {
//!     let rules = plugin.description(&kind).map(|d| d.slot_rules()); // for the platform's codec
//!     let rendered = plugin.render(&RenderInput {
//!         source: DataSource { logical_id: "db-1".parse()?, name: "db".into(), kind, options: serde_json::json!({}) },
//!         source_environment: Environment { name: "development".parse()?, order: 0 },
//!         target_environment: Environment { name: "staging".parse()?, order: 1 },
//!         binding: serde_json::json!({}),
//!         slots_bound: Default::default(),
//!         candidates: vec![],
//!     })?;
//!     # let _ = (rules, rendered);
//! }
//! # Ok(())
//! # }
//! ```

mod bounds;
mod cache;
pub mod conformance;
mod contract;
mod describe;
mod error;
mod host;
mod leaf;
mod limits;
pub mod manifest;
mod outside;
mod pace;
mod plugin;
mod probe;
mod registry;
mod render;
mod told;
mod turns;
mod wasi;
#[cfg(feature = "watched-memory")]
mod watch;
mod worker;

pub use bounds::examine;
pub use cache::{CacheCounts, CodeCache};
pub use contract::LOG;
pub use describe::{KindDescription, OptionDescription, OptionType, Sameness, SlotDescription};
pub use error::{CompilerFault, Limit, Part, PluginError, Reason, SourceName};
pub use host::{Host, HostError};
pub use limits::{Limits, PluginLimits, Used};
pub use outside::{
    Exchange, Header, NetFailure, Outside, Placed, Placement, Recording, Replay, Request, Response, Tls,
};
pub use plugin::Plugin;
pub use probe::{ProbeInput, Probed};
pub use registry::{Registry, RegistryError};
pub use render::{Candidate, DataSource, Environment, Note, RenderInput, Rendered, Severity, Traits};
pub use told::Told;
#[cfg(feature = "watched-memory")]
pub use watch::Memories;
pub use worker::{Compiler, Worker, compile_worker};
