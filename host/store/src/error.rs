//! What goes wrong in a store, and what to do about it.

use std::path::PathBuf;

use sluice_model::Digest;

use crate::StreamName;

/// Why a revision was not inserted.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another writer has the number. Read the stream again, and decide again.
    #[error("revision {revision} of `{stream}` is taken; the newest is {head}: read it and try again")]
    Conflict {
        /// The stream.
        stream: StreamName,
        /// The number that was wanted.
        revision: u64,
        /// The newest number.
        head: u64,
    },
    /// The number before the wanted one is free.
    #[error("revision {revision} of `{stream}` would leave a gap: the newest is {head}")]
    Gap {
        /// The stream.
        stream: StreamName,
        /// The number that was wanted.
        revision: u64,
        /// The newest number, 0 for a stream that has none.
        head: u64,
    },
    /// The store itself failed; whether the revision was inserted is not known.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a store could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no file.
    #[error("there is no store at `{}`: run `sluice init`, or name the workspace's folder", path.display())]
    Absent {
        /// Where the store was looked for.
        path: PathBuf,
    },
    /// A store is to be made where a file is.
    #[error("`{}` is there already and is left as it is", path.display())]
    AlreadyThere {
        /// The file.
        path: PathBuf,
    },
    /// The file is a database, but not one of Sluice.
    #[error("`{}` is not a store of Sluice: name another file", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// The store was written by a newer Sluice.
    #[error(
        "the store `{}` has schema {found}, and this version of sluice reads up to {known}: use a newer sluice",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema number in the file.
        found: i64,
        /// The newest schema number that is understood.
        known: i64,
    },
    /// The file is not what was written.
    #[error(
        "the store `{}` is damaged: {detail}; keep the file, restore the last good copy, and run \
         `sluice ledger verify` on it",
        path.display()
    )]
    DamagedFile {
        /// The file.
        path: PathBuf,
        /// What was found wrong.
        detail: String,
    },
    /// Content is not what its digest says.
    #[error(
        "the content with digest `{digest}` is damaged: its bytes have digest `{found}`; restore it from a copy \
         or import the file it came from again"
    )]
    Damaged {
        /// The digest that it is stored under.
        digest: Digest,
        /// The digest of the bytes that are there.
        found: Digest,
    },
    /// Another process has been writing for longer than this one waits.
    #[error("the store `{}` is in use by another process: try again when that is done", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The store was opened for reading only.
    #[error("the store `{}` was opened for reading only", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// A body that a store does not keep.
    #[error("the body of revision {revision} of `{stream}` cannot be kept: {why}")]
    NotCanonical {
        /// The stream.
        stream: StreamName,
        /// The number.
        revision: u64,
        /// What is wrong.
        why: String,
    },
    /// Content that is too large.
    #[error("content of {bytes} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// How many bytes there are.
        bytes: usize,
        /// How many are kept at most.
        limit: usize,
    },
    /// The file system or the database refused.
    #[error("the store `{}` cannot be used: {detail}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
}
