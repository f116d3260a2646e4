//! Verifying a ledger offline, on a copied store.

mod content;
mod right;
mod warrant;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use sluice_ledger::checkpoint::{self, LogKey};
use sluice_ledger::entry;
use sluice_ledger::key::PublicKey;
use sluice_ledger::verify::{Found, Logged, Streams, Unlogged};
use sluice_model::Digest;
use sluice_store::{MOST_BODY, Order, Revision, SqliteStore, Store, StoreError};

use crate::act::{Act, What};
use crate::error::{Error, Result};
use crate::records::{
    CHECKPOINTS, KeptCheckpoint, LEDGER, LedgerEntry, is_derived, origin, parse, read, stream,
};
use crate::state::Work;
use crate::workspace::STREAM;

/// What a verification found.
#[derive(Debug, Clone, Serialize)]
pub struct Audited {
    /// The workspace's id.
    pub workspace: String,
    /// How many entries the ledger has.
    pub size: u64,
    /// The root of its tree.
    pub root: Digest,
    /// How many signed checkpoints vouch for it.
    pub checkpoints: u64,
    /// How many acts had their signatures checked, and whether they were their authors' to do.
    pub signatures: u64,
    /// Entries of acts that were done while another configuration was adopted than the one by which
    /// they were judged: somebody should look at them.
    pub overtaken: Vec<u64>,
    /// Commits whose decisions were not made again, as they were made for names of facts that this
    /// version does not know: what was recorded of them is all there is.
    pub not_replayed: u64,
    /// Revisions that an interrupted writer left and the next command enters.
    pub unlogged: u64,
    /// Whether a checkpoint kept elsewhere was compared.
    pub kept: bool,
    /// The key that signs the log's checkpoints.
    pub log_key: String,
}

/// Verifies the ledger in a store's file: entries against streams both ways, the tree against its
/// signed checkpoints and one kept elsewhere, all content that acts name, every act against its
/// author's key and rights as adopted then, and every commit against its plan and the decision that
/// allowed it. What is not in the log yet is judged as if it were. Without `log_key` the one that the
/// first act names is believed.
///
/// # Errors
/// [`Error::LedgerBroken`] names the first entry that is not as it was, [`Error::Unwarranted`] the
/// first of a whole ledger that was not its author's to do, or that changed an environment without a
/// plan and a decision that allowed it.
pub fn audit(file: &Path, kept: Option<&[u8]>, log_key: Option<&str>) -> Result<Vec<Audited>> {
    SqliteStore::workspaces_in(file)?
        .into_iter()
        .map(|id| {
            let workspace = id.to_string();
            let store = SqliteStore::open_read_only(file, id)?;
            // Content that was altered is told by the entry that names it, where one does.
            let altered = match store.check() {
                Ok(()) => None,
                Err(StoreError::Damaged { digest, found }) => Some((digest, found)),
                Err(error) => return Err(error.into()),
            };
            let audited =
                audit_workspace(&store, &workspace, kept, log_key, altered.map(|(digest, _)| digest))?;
            match altered {
                None => Ok(audited),
                Some((digest, found)) => Err(StoreError::Damaged { digest, found }.into()),
            }
        })
        .collect()
}

fn pages(store: &dyn Store, name: &str) -> Result<Vec<Revision>> {
    let name = stream(name)?;
    let mut found: Vec<Revision> = Vec::new();
    loop {
        // After the last one's own number: where a row is gone, none is read twice.
        let next = found.last().map_or(1, |last| last.revision.saturating_add(1));
        let page = store.range(&name, next, 500, Order::OldestFirst)?;
        let end = page.len() < 500;
        found.extend(page);
        if end {
            return Ok(found);
        }
    }
}

fn audit_workspace(
    store: &dyn Store,
    workspace: &str,
    kept: Option<&[u8]>,
    log_key: Option<&str>,
    altered: Option<Digest>,
) -> Result<Audited> {
    let first = store.revision(&stream(STREAM)?, 1)?;
    let key_text = match (log_key, &first) {
        (Some(key), _) => key.to_owned(),
        (None, Some(first)) => match read(first)?.act.what {
            What::Initialised { log_key, .. } => log_key,
            _ => return Err(broken(0, "the workspace's first act is not its making")),
        },
        (None, None) => return Err(broken(0, "the workspace's first act is missing")),
    };
    let public: PublicKey = key_text.parse().map_err(|_| {
        Error::invalid(
            format!("`{key_text}` is no public key"),
            "give the log's key as `sluice init` printed it",
        )
    })?;
    let log = LogKey::new(&origin(workspace), public)
        .map_err(|e| Error::invalid(e.to_string(), "the workspace's id is damaged"))?;
    let kept = kept.map(|bytes| checkpoint::open(bytes, &log)).transpose()?;
    let mut entries = Vec::new();
    let mut revisions = Vec::new();
    for revision in pages(store, LEDGER)? {
        let index = revision.revision - 1;
        let logged: LedgerEntry = parse(&revision).map_err(|_| broken(index, "its row is no entry"))?;
        let there = store.revision(&stream(&logged.stream)?, logged.revision)?;
        let found = match &there {
            None => Found::Missing,
            Some(there) => match entry::recompute(&logged.stream, logged.revision, &there.body, MOST_BODY) {
                Err(_) => Found::Unreadable,
                Ok(recomputed) => Found::There { stored: there.leaf, recomputed, position: there.position },
            },
        };
        revisions.extend(there.map(|there| (index, there)));
        entries.push(Logged {
            index,
            stream: logged.stream,
            revision: logged.revision,
            leaf: logged.leaf,
            found,
        });
    }
    let notes = pages(store, CHECKPOINTS)?
        .iter()
        .map(|revision| parse::<KeptCheckpoint>(revision).map(|kept| kept.note.into_bytes()))
        .collect::<Result<Vec<_>>>()?;
    let heads: BTreeMap<String, u64> = heads(store)?;
    let position = |name: &str, revision: u64| {
        let name = stream(name).ok()?;
        store.revision(&name, revision).ok().flatten().map(|revision| revision.position)
    };
    let streams = Streams { heads: &heads, position: &position };
    let verified = sluice_ledger::verify(entries, notes, &streams, kept.as_ref(), &log)
        .map_err(|broken| Error::LedgerBroken { entry: broken.index, what: broken.to_string() })?;
    let unlogged = unlogged(store, verified.unlogged, verified.size)?;
    let waiting = unlogged.len() as u64;
    let acts = acts_in(revisions.into_iter().chain(unlogged), workspace)?;
    let mut work = Work::over(store);
    content::check(&work, altered, acts.iter().map(|entered| (entered.entry, &entered.act)))?;
    let judged = right::check(&work, &acts)?;
    let not_replayed = warrant::check(&mut work, &judged.configurations, &acts)?;
    Ok(Audited {
        workspace: workspace.to_owned(),
        size: verified.size,
        root: verified.root,
        checkpoints: verified.checkpoints,
        signatures: judged.signatures,
        overtaken: judged.overtaken,
        not_replayed,
        unlogged: waiting,
        kept: verified.kept,
        log_key: key_text,
    })
}

/// The heads of all streams, read from the revisions themselves and not from a derived table.
fn heads(store: &dyn Store) -> Result<BTreeMap<String, u64>> {
    let mut heads = BTreeMap::new();
    let mut position = 0;
    loop {
        let page = store.since(position, 500)?;
        let Some(last) = page.last() else { return Ok(heads) };
        position = last.position;
        for revision in &page {
            if !is_derived(&revision.stream) {
                let head: &mut u64 = heads.entry(revision.stream.to_string()).or_default();
                *head = revision.revision.max(*head);
            }
        }
    }
}

/// What an interrupted writer left, in the order in which the next command enters it, each with the
/// entry that it will be.
fn unlogged(store: &dyn Store, found: Vec<Unlogged>, size: u64) -> Result<Vec<(u64, Revision)>> {
    let mut revisions = Vec::new();
    for Unlogged { stream: name, from, to } in found {
        let name = stream(&name)?;
        for number in from..=to {
            revisions.extend(store.revision(&name, number)?);
        }
    }
    revisions.sort_by_key(|revision| revision.position);
    Ok((size..).zip(revisions).collect())
}

/// An act with its revision, at its entry of the ledger.
struct Entered {
    entry: u64,
    revision: Revision,
    act: Act,
}

/// The acts in a workspace's revisions.
fn acts_in(revisions: impl Iterator<Item = (u64, Revision)>, workspace: &str) -> Result<Vec<Entered>> {
    revisions
        .map(|(entry, revision)| {
            let act = read(&revision).map_err(|e| broken(entry, &e.to_string()))?.act;
            if act.workspace != workspace {
                return Err(broken(entry, &format!("it is an act of the workspace `{}`", act.workspace)));
            }
            Ok(Entered { entry, revision, act })
        })
        .collect()
}

fn broken(entry: u64, what: &str) -> Error {
    Error::LedgerBroken { entry, what: format!("the ledger is broken at entry {entry}: {what}") }
}
