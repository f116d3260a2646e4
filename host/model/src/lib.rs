//! The words of promotion as types: objects, digests, trees, diffs, verdicts.
//!
//! Architecture invariant: this crate is pure. It performs no I/O, reads no clock,
//! draws no randomness, knows no platform, store, plugin or policy, and is not async.

pub mod closure;
pub mod content;
pub mod diff;
pub mod digest;
pub mod json;
pub mod names;
pub mod object;
pub mod pointer;
pub mod position;
pub mod slot;
pub mod tree;
pub mod verdict;

pub use digest::Digest;
pub use names::{ConstantName, EnvironmentName, Kind, LogicalId, NativeId, SecretRef, SlotName};
pub use object::{Object, ObjectKind, Reference, ReferenceKind, Target};
pub use pointer::Pointer;
