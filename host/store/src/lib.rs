//! Streams of revisions and content-addressed blobs: what a workspace remembers.
//!
//! A stream is a list of revisions numbered from 1. State grows by inserting the next revision and
//! in no other way, so of two writers one gets the number and the other a [`AppendError::Conflict`];
//! that is the only atomicity that the [`Store`] port asks of a database, and why one file, a
//! replica set and a sharded cluster can behave alike. Content is blobs by digest.
//!
//! Architecture invariant: this crate does not know what a revision's body says, nor what a policy,
//! a plugin, a secret or a ledger is. It reads no clock and draws no randomness.
//!
//! ## API
//!
//! - [`Store`]: [`append`](Store::append), [`commit`](Store::commit), [`head`](Store::head),
//!   [`revision`](Store::revision), [`range`](Store::range), [`streams`](Store::streams),
//!   [`since`](Store::since), [`blob`](Store::blob), [`put_blob`](Store::put_blob),
//!   [`has_blob`](Store::has_blob).
//! - [`SqliteStore`]: `create`, `open`, `open_read_only`, `workspaces_in`, `check`; [`MemoryStore`]
//!   is the reference that it is compared with.
//! - [`Lease`] and [`Watch`]: who may write to an environment, and when that has expired.
//! - [`failpoint()`]: a named step at which a crash test can kill the process.

mod error;
mod failpoint;
mod lease;
mod memory;
mod name;
mod port;
mod schema;
mod sqlite;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod damage;

pub use error::{AppendError, StoreError};
pub use failpoint::failpoint;
pub use lease::{Lease, LeaseState, Watch};
pub use memory::MemoryStore;
pub use name::{BadStoreName, StreamName, WorkspaceId, WriterId};
pub use port::{Appended, Head, MOST_BLOB, MOST_BODY, NewRevision, Order, Revision, Store};
pub use sqlite::SqliteStore;
