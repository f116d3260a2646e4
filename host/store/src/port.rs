//! The port: what every store can do, and what it promises.

use std::collections::BTreeMap;

use sluice_model::{Digest, json};

use crate::{AppendError, StoreError, StreamName, WriterId};

/// Bytes of a revision's body at most. Bodies are records; what is large goes into blobs. A document
/// database takes 16 MB at most, and a body must fit there with room to spare.
pub const MOST_BODY: usize = 4 << 20;

/// Bytes of a blob at most: one whole export at the default limit of imports.
pub const MOST_BLOB: usize = 64 << 20;

/// A revision to be inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRevision {
    /// The stream.
    pub stream: StreamName,
    /// The number that it is to get: one more than the stream's newest, from 1.
    pub revision: u64,
    /// Canonical JSON, at most [`MOST_BODY`] bytes.
    pub body: Vec<u8>,
    /// The hash of the ledger's leaf for this revision (RFC 6962 §2.1), computed by the caller.
    pub leaf: Digest,
    /// Who inserts it.
    pub writer: WriterId,
}

/// A revision as it is stored. It never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The stream.
    pub stream: StreamName,
    /// Its number in the stream, from 1.
    pub revision: u64,
    /// Canonical JSON.
    pub body: Vec<u8>,
    /// The hash of the ledger's leaf for this revision.
    pub leaf: Digest,
    /// Who inserted it.
    pub writer: WriterId,
    /// Where it stands in the order of insertion over all streams: later ones have higher positions,
    /// gaps are allowed.
    pub position: u64,
}

/// What became of an insert that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The revision's number.
    pub revision: u64,
    /// Its position in the order of insertion.
    pub position: u64,
    /// It had been inserted before by the same writer with the same bytes; nothing was written now.
    pub repeated: bool,
}

/// A stream and the number of its newest revision, from an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// The stream.
    pub stream: StreamName,
    /// The newest revision's number.
    pub revision: u64,
    /// The newest revision's position.
    pub position: u64,
}

/// From which end a range of revisions is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Ascending numbers.
    OldestFirst,
    /// Descending numbers.
    NewestFirst,
}

/// What every store can do, for one workspace. Nothing but the insert of one revision is atomic.
pub trait Store: Send + Sync {
    /// Inserts the next revision of a stream. It is durable once this returns.
    ///
    /// An insert that was made before by the same writer with the same bytes succeeds again, so a
    /// caller that does not know whether its insert arrived repeats it.
    ///
    /// # Errors
    /// [`AppendError::Conflict`] when the number is taken by somebody else or by other bytes,
    /// [`AppendError::Gap`] when the number before it is free.
    fn append(&self, new: &NewRevision) -> Result<Appended, AppendError> {
        self.commit(&BTreeMap::new(), new)
    }

    /// Stores blobs, then inserts the one revision that makes them matter. Blobs of an insert that is
    /// refused may stay; as content they are harmless.
    ///
    /// # Errors
    /// As [`append`](Store::append); and when a blob's bytes are not what its digest says.
    fn commit(&self, blobs: &BTreeMap<Digest, Vec<u8>>, new: &NewRevision) -> Result<Appended, AppendError>;

    /// Inserts revisions one after the other, as [`append`](Store::append) would. They are durable once
    /// this returns. For what is derived from other revisions: it is not atomic, and a store that can
    /// wait for its disk once for all of them does.
    ///
    /// # Errors
    /// As [`append`](Store::append), of the first that is refused. None after it is inserted; those
    /// before it may be.
    fn append_all(&self, new: &[NewRevision]) -> Result<(), AppendError> {
        new.iter().try_for_each(|new| self.append(new).map(drop))
    }

    /// The newest revision of a stream, from the revisions themselves: decisions may rest on it.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn head(&self, stream: &StreamName) -> Result<Option<Revision>, StoreError>;

    /// The revision with that number.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn revision(&self, stream: &StreamName, number: u64) -> Result<Option<Revision>, StoreError>;

    /// At most `limit` revisions, beginning with number `from` or the nearest one after it in `order`.
    /// `u64::MAX` and [`Order::NewestFirst`] read from the newest.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn range(
        &self,
        stream: &StreamName,
        from: u64,
        limit: usize,
        order: Order,
    ) -> Result<Vec<Revision>, StoreError>;

    /// The streams whose names begin with the text `prefix`, sorted, from an index that is derived from
    /// the revisions. No decision rests on it alone: read [`head`](Store::head) before deciding.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn streams(&self, prefix: &str) -> Result<Vec<Head>, StoreError>;

    /// At most `limit` revisions with positions above `position`, in order of insertion over all streams.
    ///
    /// A store of several machines may show a revision late, behind a position that was read already; so
    /// whoever follows the order also compares the heads of streams with what it has seen.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn since(&self, position: u64, limit: usize) -> Result<Vec<Revision>, StoreError>;

    /// The content with that digest, which is checked.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the bytes are not what the digest says.
    fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError>;

    /// Stores content and says its digest. Content that is there already is left as it is.
    ///
    /// # Errors
    /// When there are more than [`MOST_BLOB`] bytes, or the store cannot be written.
    fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError>;

    /// Whether there is content with that digest.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn has_blob(&self, digest: &Digest) -> Result<bool, StoreError>;
}

/// Checks what is to be inserted, the same for every store.
pub(crate) fn check(blobs: &BTreeMap<Digest, Vec<u8>>, new: &NewRevision) -> Result<(), StoreError> {
    let refused =
        |why: String| StoreError::NotCanonical { stream: new.stream.clone(), revision: new.revision, why };
    if new.revision == 0 {
        return Err(refused("revisions are numbered from 1".to_owned()));
    }
    let body = json::read(&new.body, MOST_BODY).map_err(|error| refused(error.to_string()))?;
    if json::canonical(&body) != new.body {
        return Err(refused("the bytes are not in canonical form".to_owned()));
    }
    for (digest, bytes) in blobs {
        check_blob_size(bytes)?;
        let found = Digest::of(bytes);
        if found != *digest {
            return Err(StoreError::Damaged { digest: *digest, found });
        }
    }
    Ok(())
}

/// Refuses content that is too large.
pub(crate) fn check_blob_size(bytes: &[u8]) -> Result<(), StoreError> {
    if bytes.len() > MOST_BLOB {
        return Err(StoreError::TooLarge { bytes: bytes.len(), limit: MOST_BLOB });
    }
    Ok(())
}

/// What follows from a stream's newest number, and from what stands where `new` wants to be.
pub(crate) fn judge(
    new: &NewRevision,
    head: u64,
    there: Option<&Revision>,
) -> Result<Option<Appended>, AppendError> {
    if new.revision == head.saturating_add(1) {
        return Ok(None);
    }
    match there {
        Some(old) if old.writer == new.writer && old.body == new.body && old.leaf == new.leaf => {
            Ok(Some(Appended { revision: old.revision, position: old.position, repeated: true }))
        }
        Some(_) => Err(AppendError::Conflict { stream: new.stream.clone(), revision: new.revision, head }),
        None => Err(AppendError::Gap { stream: new.stream.clone(), revision: new.revision, head }),
    }
}
