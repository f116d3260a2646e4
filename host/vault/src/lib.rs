//! Secrets: sealed for one place, opened only there, and let out at the edge.
//!
//! A root key lies outside the workspace. Keys for each purpose are derived from it; a secret's value is sealed
//! under a key of its own, which is sealed under the workspace's (envelope encryption), and both are bound to the
//! secret's reference, the environment and the version. The sealed bytes are stored by the caller.
//!
//! Architecture invariant: this crate does not know where sealed bytes are stored, nor what plugins and policies
//! are. It reads no clock and draws no randomness but what TLS needs. Nothing that holds a value can be printed or
//! serialised, and values leave only through [`edge`] and [`Secret::expose`].
//!
//! ## API
//!
//! - [`RootKey`]: `from_random`, `create_file`, `read_file`, `from_text`, `to_text`, [`RootKey::derive`].
//! - [`Vault::new`] (root key, workspace), [`Vault::seal`], [`Vault::open`], [`Vault::rewrap`].
//! - [`Context`] (reference, environment, version), [`Metadata`] (label, created), [`Secret`], [`Sealed`],
//!   [`Fresh`] (the randomness of one sealing).
//! - [`edge`]: a probe's network, with secrets placed into requests and taken out of answers.

pub mod edge;
mod root;
mod sealed;
mod secret;
mod vault;

pub use root::{DerivedKey, KeyName, Purpose, RootKey, RootKeyError};
pub use sealed::{Metadata, NotSealed, Sealed};
pub use secret::{Secret, SecretTooLong};
pub use vault::{Context, Fingerprint, Fresh, Vault, VaultError};
