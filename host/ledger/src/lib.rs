//! The tamper-evident log, its checkpoints, and signed statements.
//!
//! A workspace has one log: a Merkle tree (RFC 6962) whose leaves are the salted entries of every revision of
//! every stream. Checkpoints (C2SP tlog-checkpoint) are signed statements of its size and root; statements
//! (in-toto in DSSE) are what people and tools sign. Whoever holds a copied database, the log's public key
//! and perhaps a checkpoint kept elsewhere can find the first entry that is not as it was.
//!
//! Architecture invariant: this crate knows nothing but the model; where entries are stored, and what acts
//! say, is the caller's. It reads no clock and draws no randomness. [`keyfile`] alone touches files.
//!
//! ## API
//!
//! - [`key`]: [`KeyPair::from_seed`], [`KeyPair::public`], [`KeyPair::sign`], [`PublicKey`]
//!   (`ed25519:<base64>`), [`KeyId`].
//! - [`keyfile`]: [`keyfile::create`], [`keyfile::read`], [`keyfile::from_text`], [`keyfile::to_text`].
//! - [`entry`]: [`Entry`] → [`Entry::leaf`]; [`Salt`]; [`entry::recompute`] for a stored body.
//! - [`merkle`]: [`Frontier`] to append and take roots; [`merkle::root`], inclusion and consistency proofs.
//! - [`checkpoint`]: [`Checkpoint::sign`], [`checkpoint::open`]; [`LogKey`] is the key with its name.
//! - [`statement`]: [`Statement::sign`] → [`Envelope`]; [`Envelope::parse`], [`Envelope::verify`].
//! - [`verify`](verify()): judges a log: [`Logged`] entries, checkpoints in the log, a kept checkpoint.

pub mod checkpoint;
pub mod entry;
pub mod key;
pub mod keyfile;
pub mod merkle;
pub mod statement;
pub mod verify;

pub use checkpoint::{Checkpoint, CheckpointError, LogKey};
pub use entry::{Entry, Salt};
pub use key::{KeyId, KeyPair, PublicKey};
pub use merkle::Frontier;
pub use statement::{Envelope, Statement, StatementError, Subject};
pub use verify::{Broken, Found, Logged, Streams, Unlogged, Verified, Wrong, verify};
