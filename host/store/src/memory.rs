//! A store in memory: the small, obvious reference that others are compared with.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sluice_model::Digest;

use crate::port::{self, Appended, Head, NewRevision, Order, Revision, Store};
use crate::{AppendError, StoreError, StreamName};

/// A store that is gone with the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In order of insertion; a position is an index plus one.
    revisions: Vec<Revision>,
    blobs: BTreeMap<Digest, Vec<u8>>,
}

impl State {
    fn stream(&self, stream: &StreamName) -> impl DoubleEndedIterator<Item = &Revision> {
        self.revisions.iter().filter(move |revision| revision.stream == *stream)
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one push or one insert, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn commit(&self, blobs: &BTreeMap<Digest, Vec<u8>>, new: &NewRevision) -> Result<Appended, AppendError> {
        port::check(blobs, new)?;
        let mut state = self.state();
        let head = state.stream(&new.stream).next_back().map_or(0, |revision| revision.revision);
        let there = state.stream(&new.stream).find(|revision| revision.revision == new.revision);
        if let Some(repeated) = port::judge(new, head, there)? {
            return Ok(repeated);
        }
        state.blobs.extend(blobs.iter().map(|(digest, bytes)| (*digest, bytes.clone())));
        let position = (state.revisions.len() as u64).saturating_add(1);
        let NewRevision { stream, revision, body, leaf, writer } = new.clone();
        state.revisions.push(Revision { stream, revision, body, leaf, writer, position });
        Ok(Appended { revision, position, repeated: false })
    }

    fn head(&self, stream: &StreamName) -> Result<Option<Revision>, StoreError> {
        Ok(self.state().stream(stream).next_back().cloned())
    }

    fn revision(&self, stream: &StreamName, number: u64) -> Result<Option<Revision>, StoreError> {
        Ok(self.state().stream(stream).find(|revision| revision.revision == number).cloned())
    }

    fn range(
        &self,
        stream: &StreamName,
        from: u64,
        limit: usize,
        order: Order,
    ) -> Result<Vec<Revision>, StoreError> {
        let state = self.state();
        let all = state.stream(stream);
        Ok(match order {
            Order::OldestFirst => all.filter(|r| r.revision >= from).take(limit).cloned().collect(),
            Order::NewestFirst => all.rev().filter(|r| r.revision <= from).take(limit).cloned().collect(),
        })
    }

    fn streams(&self, prefix: &str) -> Result<Vec<Head>, StoreError> {
        let mut heads = BTreeMap::new();
        for Revision { stream, revision, position, .. } in &self.state().revisions {
            if stream.as_str().starts_with(prefix) {
                heads.insert(stream.clone(), (*revision, *position));
            }
        }
        Ok(heads
            .into_iter()
            .map(|(stream, (revision, position))| Head { stream, revision, position })
            .collect())
    }

    fn since(&self, position: u64, limit: usize) -> Result<Vec<Revision>, StoreError> {
        Ok(self.state().revisions.iter().filter(|r| r.position > position).take(limit).cloned().collect())
    }

    fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.state().blobs.get(digest).cloned())
    }

    fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        port::check_blob_size(bytes)?;
        let digest = Digest::of(bytes);
        self.state().blobs.entry(digest).or_insert_with(|| bytes.to_vec());
        Ok(digest)
    }

    fn has_blob(&self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.state().blobs.contains_key(digest))
    }
}
