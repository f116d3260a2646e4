//! The book of a workspace: acts are signed, appended, and entered into the ledger.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sluice_ledger::checkpoint::Checkpoint;
use sluice_ledger::entry::{Entry, Salt, recompute};
use sluice_ledger::key::{KeyPair, PublicKey};
use sluice_ledger::merkle::Frontier;
use sluice_ledger::statement::{Envelope, Statement, Subject};
use sluice_model::Digest;
use sluice_model::json::{canonical, canonical_of};
use sluice_store::{AppendError, MOST_BODY, NewRevision, Order, Revision, Store, StreamName, WriterId};

use crate::act::{Act, PREDICATE, What};
use crate::ambient::Ambient;
use crate::error::{Error, Result};
use crate::workspace::STREAM;

/// The stream whose revision n holds entry n - 1 of the ledger.
pub const LEDGER: &str = "ledger";

/// The stream of signed checkpoints of the ledger.
pub const CHECKPOINTS: &str = "ledger/checkpoints";

/// How many revisions are read at once when the ledger catches up.
const PAGE: usize = 500;

/// A person at work: a name of the configuration and the key that goes with it.
pub struct Actor {
    /// The person's name.
    pub name: String,
    /// Their key.
    pub key: KeyPair,
}

/// The body of a revision: the envelope of the signed act, and what keeps the act from being
/// guessed from its ledger leaf.
struct Body {
    envelope: Envelope,
}

impl Body {
    fn write(envelope: &Envelope, salt: Salt) -> Result<Vec<u8>> {
        let envelope: Value = serde_json::from_slice(&envelope.to_json())?;
        Ok(canonical(&json!({ "envelope": envelope, "salt": salt.hex() })))
    }

    fn read(revision: &Revision) -> Result<Self> {
        let value: Value = parse(revision)?;
        let envelope = value.get("envelope").ok_or_else(|| damaged(revision, "it has no envelope".into()))?;
        let envelope = Envelope::parse(&canonical(envelope)).map_err(|e| damaged(revision, e.to_string()))?;
        Ok(Self { envelope })
    }
}

/// One entry of the ledger: which revision it is of, and the leaf that was hashed into the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerEntry {
    /// The stream.
    pub stream: String,
    /// The revision.
    pub revision: u64,
    /// Its leaf.
    pub leaf: Digest,
    /// The insertion order of the revision in the store.
    pub position: u64,
}

/// A checkpoint as its stream keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptCheckpoint {
    /// The signed note (C2SP tlog-checkpoint).
    pub note: String,
    /// How many entries it vouches for.
    pub size: u64,
    /// The roots of the perfect subtrees of that many entries, so that the next checkpoint needs
    /// only the entries since. Derived; a verification makes the tree anew.
    pub peaks: Vec<Digest>,
}

/// An act with its place.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its revision in its stream.
    pub revision: u64,
    /// The act.
    pub act: Act,
    envelope: Envelope,
}

impl Recorded {
    /// Whether the act was signed with this key: the signature is checked, not the name of the key
    /// that stands beside it.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.envelope.verify(std::slice::from_ref(key)).is_ok()
    }
}

/// The streams of one workspace, and who writes to them.
pub struct Records {
    store: Arc<dyn Store>,
    ambient: Arc<dyn Ambient>,
    workspace: String,
    writer: WriterId,
    log_key: Option<KeyPair>,
    /// The newest revision of each stream that is known to have been there.
    known: Mutex<BTreeMap<String, u64>>,
    /// The newest revision of the stream of configurations that this process judges by.
    configuration: AtomicU64,
}

/// How often an act is done again at most. Of all that write to a stream at once one gets through each time, and
/// more than these few dozen are not people at work.
const ROUNDS: usize = 64;

/// Does what reads a stream's head, judges by it and appends after it; all of it once more where
/// somebody else wrote in between.
///
/// # Errors
/// Those of `attempt`; [`Error::Conflict`] when others were first every time.
pub(crate) fn again<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 1..ROUNDS {
        match attempt() {
            Err(Error::Conflict { .. }) => {}
            other => return other,
        }
    }
    attempt()
}

/// The name of a stream.
///
/// # Errors
/// When a segment is not fit for one.
pub fn stream(name: impl Into<String>) -> Result<StreamName> {
    StreamName::new(name).map_err(|e| Error::invalid(e.to_string(), "use another name"))
}

impl Records {
    /// The book of `workspace` in `store`. Without the log key nothing can be appended.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        ambient: Arc<dyn Ambient>,
        workspace: String,
        writer: WriterId,
        log_key: Option<KeyPair>,
    ) -> Self {
        let (known, configuration) = (Mutex::default(), AtomicU64::new(0));
        Self { store, ambient, workspace, writer, log_key, known, configuration }
    }

    /// Acts are judged by the configuration in this revision of the workspace's stream from now on.
    pub(crate) fn judge_by(&self, configuration: u64) {
        self.configuration.store(configuration, Ordering::SeqCst);
    }

    /// The revision of the workspace's stream by which acts are judged; 0 before there is one.
    pub(crate) fn judged_by(&self) -> u64 {
        self.configuration.load(Ordering::SeqCst)
    }

    /// Refuses an act that was judged by a configuration that no longer counts. Somebody may adopt
    /// another between this and the insert; the act names the one that it was judged by, and an
    /// audit sees to the rest.
    pub(crate) fn check_configuration(&self, judged_by: u64) -> Result<()> {
        let newest = self.store.head(&stream(STREAM)?)?.map_or(0, |head| head.revision);
        if newest > judged_by { Err(Error::ConfigurationChanged) } else { Ok(()) }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a stream whose newest revision is older than one that was there: it was lost, and who
    /// writes after it would give a number twice.
    fn check_known(&self, name: &str, newest: u64) -> Result<()> {
        match self.known().get(name) {
            Some(known) if *known > newest => Err(lost(name, newest + 1)),
            _ => Ok(()),
        }
    }

    /// Compares the ledger with the streams before anything is read from them or written to them.
    /// Each revision has one entry, so there are never more entries, and revisions that wait for
    /// one, than revisions.
    ///
    /// # Errors
    /// [`Error::RecordDamaged`] names a revision that was lost, or lost and written anew.
    pub(crate) fn check_whole(&self) -> Result<()> {
        let head = self.store.head(&stream(LEDGER)?)?;
        let (entries, mut position) = match &head {
            Some(head) => (head.revision, parse::<LedgerEntry>(head)?.position),
            None => (0, 0),
        };
        let mut waiting = Vec::new();
        loop {
            let page = self.store.since(position, PAGE)?;
            let Some(last) = page.last() else { break };
            position = last.position;
            let acts = page.into_iter().filter(|revision| !is_derived(&revision.stream));
            waiting.extend(acts.map(|revision| (revision.stream.to_string(), revision.revision)));
        }
        // Last, so that what others write meanwhile only makes more of them.
        let heads = self.store.streams("")?.into_iter().filter(|head| !is_derived(&head.stream));
        let heads: BTreeMap<String, u64> =
            heads.map(|head| (head.stream.to_string(), head.revision)).collect();
        let there = heads.values().fold(0, |sum: u64, newest| sum.saturating_add(*newest));
        if there < entries.saturating_add(waiting.len() as u64) {
            return Err(self.find_lost(entries, &waiting, &heads)?);
        }
        *self.known() = heads;
        Ok(())
    }

    /// What was lost of a store that has fewer revisions than its ledger has entries.
    fn find_lost(
        &self,
        entries: u64,
        waiting: &[(String, u64)],
        heads: &BTreeMap<String, u64>,
    ) -> Result<Error> {
        let ledger = stream(LEDGER)?;
        let mut newest: BTreeMap<String, u64> = BTreeMap::new();
        let mut next = 1;
        while next <= entries {
            let page = self.store.range(&ledger, next, PAGE, Order::OldestFirst)?;
            let Some(last) = page.last() else { break };
            next = last.revision.saturating_add(1);
            for revision in &page {
                let entry: LedgerEntry = parse(revision)?;
                let newest = newest.entry(entry.stream.clone()).or_default();
                if entry.revision <= *newest {
                    return Ok(written_anew(&entry.stream, entry.revision));
                }
                *newest = entry.revision;
            }
        }
        for (stream, revision) in waiting {
            if newest.get(stream).is_some_and(|newest| revision <= newest) {
                return Ok(written_anew(stream, *revision));
            }
        }
        let there = |stream: &str| heads.get(stream).copied().unwrap_or_default();
        Ok(match newest.iter().find(|(stream, newest)| there(stream) < **newest) {
            Some((stream, _)) => lost(stream, there(stream) + 1),
            None => Error::RecordDamaged {
                stream: LEDGER.into(),
                revision: entries,
                what: "the ledger has more entries than there are revisions".into(),
            },
        })
    }

    /// The store below, for who outlives this.
    pub(crate) fn shared_store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// This process among the writers.
    #[must_use]
    pub const fn writer(&self) -> &WriterId {
        &self.writer
    }

    /// Where time and chance come from.
    #[must_use]
    pub fn ambient(&self) -> &dyn Ambient {
        self.ambient.as_ref()
    }

    /// The same, to be kept by something that outlives this borrow.
    #[must_use]
    pub fn shared_ambient(&self) -> Arc<dyn Ambient> {
        Arc::clone(&self.ambient)
    }

    /// The public key that signs checkpoints.
    #[must_use]
    pub fn log_key(&self) -> Option<PublicKey> {
        self.log_key.as_ref().map(KeyPair::public)
    }

    /// The newest act of a stream.
    ///
    /// # Errors
    /// When the store fails or the record is damaged.
    pub fn head(&self, name: &str) -> Result<Option<Recorded>> {
        let head = self.store.head(&stream(name)?)?;
        self.check_known(name, head.as_ref().map_or(0, |head| head.revision))?;
        head.map(|revision| read(&revision)).transpose()
    }

    /// One act of a stream.
    ///
    /// # Errors
    /// When the store fails or the record is damaged.
    pub fn at(&self, name: &str, revision: u64) -> Result<Option<Recorded>> {
        self.store.revision(&stream(name)?, revision)?.map(|revision| read(&revision)).transpose()
    }

    /// All acts of a stream, oldest first.
    ///
    /// # Errors
    /// When the store fails or a record is damaged.
    pub fn all(&self, name: &str) -> Result<Vec<Recorded>> {
        let name = stream(name)?;
        let mut found = Vec::new();
        loop {
            let page = self.store.range(&name, found.len() as u64 + 1, PAGE, Order::OldestFirst)?;
            let full = page.len() == PAGE;
            for revision in &page {
                let next = found.len() as u64 + 1;
                if revision.revision != next {
                    return Err(lost(name.as_str(), next));
                }
                found.push(read(revision)?);
            }
            if !full {
                self.check_known(name.as_str(), found.len() as u64)?;
                return Ok(found);
            }
        }
    }

    /// The number of a stream's newest revision; 0 before there is one.
    ///
    /// # Errors
    /// When the store fails or the revision was lost.
    pub fn newest(&self, name: &str) -> Result<u64> {
        let newest = self.store.head(&stream(name)?)?.map_or(0, |head| head.revision);
        self.check_known(name, newest)?;
        Ok(newest)
    }

    /// The acts of a stream after the revision `after`, up to `last`, oldest first.
    ///
    /// # Errors
    /// When the store fails or a record is damaged or lost.
    pub fn between(&self, name: &str, after: u64, last: u64) -> Result<Vec<Recorded>> {
        let stream = stream(name)?;
        let mut found = Vec::new();
        let mut next = after + 1;
        while next <= last {
            let wanted = PAGE.min(usize::try_from(last - next + 1).unwrap_or(PAGE));
            let page = self.store.range(&stream, next, wanted, Order::OldestFirst)?;
            let is_whole = page.len() == wanted;
            for revision in &page {
                if revision.revision != next {
                    return Err(lost(name, next));
                }
                found.push(read(revision)?);
                next += 1;
            }
            if !is_whole {
                return Err(lost(name, next));
            }
        }
        Ok(found)
    }

    /// Signs an act as the next revision after `after`, and appends it with its content. The
    /// ledger catches up in the same call, or in the next command where it cannot.
    ///
    /// # Errors
    /// [`Error::Conflict`] when somebody else wrote first, [`Error::ConfigurationChanged`] when
    /// somebody else adopted another configuration, [`Error::ClockBehind`] when the clock is before
    /// the ledger's last entry; nothing is written then.
    pub fn append(
        &self,
        actor: &Actor,
        name: &str,
        after: u64,
        what: What,
        fresh: &BTreeMap<Digest, Vec<u8>>,
    ) -> Result<u64> {
        let at = self.now()?;
        let revision = after + 1;
        let configuration = self.judged_by();
        let subject =
            Subject { name: format!("{name}@{revision}"), digest: Digest::of(&canonical_of(&what)?) };
        let act = Act {
            workspace: self.workspace.clone(),
            actor: actor.name.clone(),
            at,
            stream: name.to_owned(),
            revision,
            configuration,
            what,
        };
        let Value::Object(predicate) = serde_json::to_value(&act)? else {
            return Err(Error::invalid("an act is no JSON object", "report this"));
        };
        let statement = Statement { subject: vec![subject], predicate_type: PREDICATE.to_owned(), predicate };
        let envelope = statement.sign(&actor.key);
        let mut salt = [0; 16];
        self.ambient.random(&mut salt).map_err(|source| Error::File { path: "randomness".into(), source })?;
        let salt = Salt::from_bytes(salt);
        let body = Body::write(&envelope, salt)?;
        let stream = stream(name)?;
        let leaf = Entry::of(name, revision, salt, &body).leaf();
        let new = NewRevision { stream, revision, body, leaf, writer: self.writer.clone() };
        if self.known().get(name).is_some_and(|known| *known >= revision)
            && self.store.revision(&new.stream, revision)?.is_none()
        {
            return Err(lost(name, revision));
        }
        sluice_store::failpoint("records.before-append");
        // After its time was taken, so that no act is dated after a configuration that it did not see.
        self.check_configuration(configuration)?;
        match self.store.commit(fresh, &new) {
            Ok(_) => {}
            Err(AppendError::Conflict { .. } | AppendError::Gap { .. }) if name == STREAM => {
                return Err(Error::ConfigurationChanged);
            }
            Err(error) => return Err(refused(error)),
        }
        sluice_store::failpoint("records.after-append");
        self.known().insert(name.to_owned(), revision);
        if name == STREAM {
            self.judge_by(revision);
        }
        // What was done is done, and the ledger is derived.
        if let Err(error) = self.sequence() {
            tracing::warn!(
                name: "records.not-sequenced", stream = name, revision, %error,
                "it is done; the next command enters it into the ledger"
            );
        }
        Ok(revision)
    }

    /// The time, once it is known not to be before the ledger's last entry.
    ///
    /// # Errors
    /// [`Error::ClockBehind`].
    pub fn now(&self) -> Result<Timestamp> {
        // In this order: what another process of this machine enters meanwhile is not before it.
        let last = self.last_entry()?;
        let now = self.ambient.now();
        match last {
            Some(last) if now < last => {
                Err(Error::ClockBehind { now: now.to_string(), last: last.to_string() })
            }
            _ => Ok(now),
        }
    }

    /// When the ledger's last entry was made.
    ///
    /// # Errors
    /// When the store fails or the ledger is damaged.
    pub fn last_entry(&self) -> Result<Option<Timestamp>> {
        let Some(head) = self.store.head(&stream(LEDGER)?)? else { return Ok(None) };
        let entry: LedgerEntry = parse(&head)?;
        Ok(self.at(&entry.stream, entry.revision)?.map(|recorded| recorded.act.at))
    }

    /// Enters into the ledger what is not in it yet, in the order in which the store took it, and
    /// signs a checkpoint. Safe to do again: the ledger is derived.
    ///
    /// # Errors
    /// When the store fails, or no log key is at hand.
    pub fn sequence(&self) -> Result<Option<String>> {
        let mut note = None;
        // Who derives the same at the same time is as good as oneself: what is left is derived again.
        while again(|| self.sequence_page(&mut note))? {}
        Ok(note)
    }

    /// Enters a page of revisions, with their checkpoint where nothing is left after them. Answers
    /// whether something is.
    fn sequence_page(&self, note: &mut Option<String>) -> Result<bool> {
        let ledger = stream(LEDGER)?;
        let head = self.store.head(&ledger)?;
        let (entries, position) = match &head {
            Some(head) => (head.revision, parse::<LedgerEntry>(head)?.position),
            None => (0, 0),
        };
        let (waiting, is_more) = self.waiting(position)?;
        let mut derived = Vec::with_capacity(waiting.len() + 1);
        for (entry, number) in waiting.iter().zip(entries + 1..) {
            derived.push(self.derived(&ledger, number, canonical_of(entry)?));
        }
        let mut signed = None;
        if !is_more
            && let Some(key) = &self.log_key
            && let Some((checkpoint, text)) = self.checkpoint(key, entries, &waiting)?
        {
            derived.push(checkpoint);
            signed = Some(text);
        }
        if derived.is_empty() {
            return Ok(false);
        }
        sluice_store::failpoint("records.before-derived");
        self.store.append_all(&derived).map_err(refused)?;
        sluice_store::failpoint("records.after-derived");
        *note = signed;
        Ok(is_more)
    }

    /// The entries of at most a page of revisions after a position, and whether more may be waiting.
    fn waiting(&self, mut position: u64) -> Result<(Vec<LedgerEntry>, bool)> {
        loop {
            let page = self.store.since(position, PAGE)?;
            let is_more = page.len() == PAGE;
            position = page.last().map_or(position, |last| last.position);
            let acts = page.into_iter().filter(|revision| !is_derived(&revision.stream));
            let found: Vec<LedgerEntry> = acts
                .map(|revision| LedgerEntry {
                    stream: revision.stream.to_string(),
                    revision: revision.revision,
                    leaf: revision.leaf,
                    position: revision.position,
                })
                .collect();
            // Of entries and checkpoints alone the next page begins where this one did.
            if !found.is_empty() || !is_more {
                return Ok((found, is_more));
            }
        }
    }

    fn newest_kept(&self) -> Result<Option<KeptCheckpoint>> {
        self.store.head(&stream(CHECKPOINTS)?)?.map(|head| parse(&head)).transpose()
    }

    /// The newest signed checkpoint's text, for keeping elsewhere.
    ///
    /// # Errors
    /// When the store fails or the record is damaged.
    pub fn newest_note(&self) -> Result<Option<String>> {
        Ok(self.newest_kept()?.map(|kept| kept.note))
    }

    /// The checkpoint of the ledger's `entries` with those that wait after them, and its text; none
    /// where somebody has vouched for as many.
    fn checkpoint(
        &self,
        key: &KeyPair,
        entries: u64,
        waiting: &[LedgerEntry],
    ) -> Result<Option<(NewRevision, String)>> {
        let stream = stream(CHECKPOINTS)?;
        let head = self.store.head(&stream)?;
        let number = head.as_ref().map_or(0, |head| head.revision) + 1;
        let newest: Option<KeptCheckpoint> = head.as_ref().map(parse).transpose()?;
        let size = entries.saturating_add(waiting.len() as u64);
        if newest.as_ref().map_or(0, |kept| kept.size) >= size {
            return Ok(None);
        }
        let mut frontier = self.frontier(newest, entries)?;
        waiting.iter().for_each(|entry| frontier.push(entry.leaf));
        let checkpoint = Checkpoint { origin: origin(&self.workspace), size, root: frontier.root(), number };
        let note = checkpoint
            .sign(key)
            .map_err(|e| Error::invalid(e.to_string(), "restore the file `.sluice/workspace`"))?;
        let kept = KeptCheckpoint { note: note.clone(), size, peaks: frontier.peaks().to_vec() };
        Ok(Some((self.derived(&stream, number, canonical_of(&kept)?), note)))
    }

    /// The tree over the first `size` entries, from where the newest checkpoint left it.
    fn frontier(&self, newest: Option<KeptCheckpoint>, size: u64) -> Result<Frontier> {
        let ledger = stream(LEDGER)?;
        let from = newest.filter(|kept| kept.size <= size);
        let mut next = from.as_ref().map_or(0, |kept| kept.size) + 1;
        let mut frontier = match from {
            Some(kept) => Frontier::from_parts(kept.size, kept.peaks).map_err(|e| Error::RecordDamaged {
                stream: CHECKPOINTS.into(),
                revision: kept.size,
                what: e.to_string(),
            })?,
            None => Frontier::new(),
        };
        while next <= size {
            let page = self.store.range(&ledger, next, PAGE, Order::OldestFirst)?;
            if page.is_empty() {
                break;
            }
            for revision in page.iter().filter(|revision| revision.revision <= size) {
                frontier.push(parse::<LedgerEntry>(revision)?.leaf);
            }
            next += page.len() as u64;
        }
        Ok(frontier)
    }

    /// A revision of a derived stream.
    fn derived(&self, stream: &StreamName, revision: u64, body: Vec<u8>) -> NewRevision {
        let leaf = Digest::of(&body);
        NewRevision { stream: stream.clone(), revision, body, leaf, writer: self.writer.clone() }
    }
}

/// An insert that was refused.
fn refused(error: AppendError) -> Error {
    match error {
        AppendError::Conflict { stream, .. } | AppendError::Gap { stream, .. } => {
            Error::Conflict { stream: stream.to_string() }
        }
        AppendError::Store(error) => error.into(),
    }
}

/// The origin line of a workspace's checkpoints.
#[must_use]
pub fn origin(workspace: &str) -> String {
    format!("sluice.dev/workspace/{workspace}")
}

/// Whether a stream is derived from the others and so not in the ledger itself.
#[must_use]
pub fn is_derived(stream: &StreamName) -> bool {
    matches!(stream.as_str(), LEDGER | CHECKPOINTS)
}

/// Reads a derived record.
///
/// # Errors
/// When it is not of that form.
pub fn parse<T: serde::de::DeserializeOwned>(revision: &Revision) -> Result<T> {
    serde_json::from_slice(&revision.body).map_err(|e| damaged(revision, e.to_string()))
}

/// Reads a revision's act without judging its signature; [`verify`] does.
///
/// # Errors
/// When it is not of that form, or says it stands elsewhere.
pub fn read(revision: &Revision) -> Result<Recorded> {
    // What the disk changed is seen before anything rests on it; what a person changed, leaf and
    // all, is for the audit.
    let leaf = recompute(revision.stream.as_str(), revision.revision, &revision.body, MOST_BODY);
    if !leaf.is_ok_and(|leaf| leaf == revision.leaf) {
        return Err(damaged(revision, "its bytes are not those that were entered into the ledger".into()));
    }
    let body = Body::read(revision)?;
    let wrong = |what: String| damaged(revision, what);
    let statement: Value =
        serde_json::from_slice(body.envelope.payload()).map_err(|e| wrong(e.to_string()))?;
    if statement.get("predicateType").and_then(Value::as_str) != Some(PREDICATE) {
        return Err(wrong("it is no act".into()));
    }
    let predicate = statement.get("predicate").cloned().unwrap_or(Value::Null);
    let act: Act = serde_json::from_value(predicate).map_err(|e| wrong(e.to_string()))?;
    if act.stream != revision.stream.as_str() || act.revision != revision.revision {
        return Err(wrong(format!("its act is of `{}`@{}", act.stream, act.revision)));
    }
    Ok(Recorded { revision: revision.revision, act, envelope: body.envelope })
}

/// Checks that a revision's act was signed with `key`.
///
/// # Errors
/// When it was not.
pub fn verify(revision: &Revision, key: &PublicKey) -> Result<()> {
    let body = Body::read(revision)?;
    body.envelope.verify(std::slice::from_ref(key)).map_err(|e| damaged(revision, e.to_string()))?;
    Ok(())
}

fn lost(stream: &str, revision: u64) -> Error {
    Error::RecordDamaged {
        stream: stream.to_owned(),
        revision,
        what: "it was there, and it is gone from the store".into(),
    }
}

fn written_anew(stream: &str, revision: u64) -> Error {
    Error::RecordDamaged {
        stream: stream.to_owned(),
        revision,
        what: "it was lost, and another was written in its place".into(),
    }
}

fn damaged(revision: &Revision, what: String) -> Error {
    Error::RecordDamaged { stream: revision.stream.to_string(), revision: revision.revision, what }
}
