//! Judging a log: is it whole, and which entry is the first that is not.
//!
//! Three things are compared in both directions: what each stream holds, what the log says of it, and what the
//! checkpoints vouch for. Whoever changes one of them is found at once, at the entry. Whoever changes streams
//! and log alike is found by the next checkpoint, which names the entries since the one before; whoever holds
//! the log's key as well is found by a checkpoint that was kept elsewhere, and by nothing else. Checkpoints are
//! numbered in what is signed, so that one that was taken away from between others is missed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sluice_model::Digest;

use crate::checkpoint::{self, Checkpoint, CheckpointError, LogKey};
use crate::merkle::Frontier;

/// One entry as the log holds it, with what its stream holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its place in the log, from 0.
    pub index: u64,
    /// The stream that it speaks of.
    pub stream: String,
    /// The revision that it speaks of.
    pub revision: u64,
    /// The leaf's hash as the log has it.
    pub leaf: Digest,
    /// What the stream has.
    pub found: Found,
}

/// What a stream holds where the log speaks of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Missing,
    /// A body from which no leaf can be computed ([`crate::entry::recompute`] failed).
    Unreadable,
    /// A revision.
    There {
        /// The leaf's hash that is stored with it.
        stored: Digest,
        /// The leaf's hash, computed again from its body.
        recomputed: Digest,
        /// Its position in the order of insertion.
        position: u64,
    },
}

/// What the streams hold, but for those of the log itself; asked where the log lacks something.
pub struct Streams<'a> {
    /// The number of each stream's newest revision.
    pub heads: &'a BTreeMap<String, u64>,
    /// The position of a revision in the order of insertion, if there is such a revision.
    pub position: &'a dyn Fn(&str, u64) -> Option<u64>,
}

/// A log that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many entries it has.
    pub size: u64,
    /// The root of their tree.
    pub root: Digest,
    /// How many signed checkpoints in the log vouch for it.
    pub checkpoints: u64,
    /// How many of the newest entries no checkpoint in the log vouches for.
    pub unsigned: u64,
    /// Revisions that the log does not have yet: an interrupted writer left them, and the sequencer adds them.
    pub unlogged: Vec<Unlogged>,
    /// Whether a checkpoint that was kept elsewhere was compared; without it, a tail that was cut off or a
    /// history that was signed anew cannot be seen.
    pub kept: bool,
}

/// Revisions of a stream that the log does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlogged {
    /// The stream.
    pub stream: String,
    /// The first of them.
    pub from: u64,
    /// The last of them.
    pub to: u64,
}

/// The first thing that is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger is broken at {}: {what}", place(*.index, *.until))]
pub struct Broken {
    /// The first entry that is not as it was, or may not be; from 0.
    pub index: u64,
    /// The first entry after it that this finding does not speak of. More than `index + 1` where only a
    /// checkpoint tells, which vouches for all entries since the one before.
    pub until: u64,
    /// What is wrong.
    pub what: Wrong,
}

fn place(index: u64, until: u64) -> String {
    let last = until.saturating_sub(1);
    if last > index { format!("one of the entries {index} to {last}") } else { format!("entry {index}") }
}

/// What happened to an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// The revision's body or its stored leaf is not what the log says.
    Changed {
        /// The stream.
        stream: String,
        /// The revision.
        revision: u64,
    },
    /// The log's own entry is not what the revision, whose body and stored leaf agree, says.
    EntryChanged {
        /// The stream.
        stream: String,
        /// The revision.
        revision: u64,
    },
    /// Streams and log agree, and a signed checkpoint vouches for something else: both were changed, or the
    /// revision was removed from both.
    Rewritten {
        /// The size that the checkpoint vouches for.
        size: u64,
    },
    /// The log has the entry and its stream has no such revision.
    RevisionRemoved {
        /// The stream.
        stream: String,
        /// The revision.
        revision: u64,
    },
    /// An entry of the log is gone from its place.
    EntryRemoved {
        /// The stream that it spoke of, where that is known.
        stream: Option<String>,
    },
    /// An entry stands before another that it followed.
    Reordered {
        /// The stream of the entry.
        stream: String,
        /// Its revision.
        revision: u64,
    },
    /// An entry speaks of a revision that an earlier one spoke of.
    Repeated {
        /// The stream.
        stream: String,
        /// The revision.
        revision: u64,
    },
    /// Entries from here on are gone.
    CutOff {
        /// The size that a signed checkpoint vouches for.
        size: u64,
    },
    /// A checkpoint in the log is not one that the log's key signed.
    Checkpoint {
        /// Its place among the checkpoints, from 1.
        number: u64,
        /// What is wrong with it.
        error: CheckpointError,
    },
    /// A checkpoint in the log is not the one that followed the one before it.
    CheckpointsReordered {
        /// Its place among the checkpoints, from 1.
        number: u64,
    },
    /// A checkpoint that the log's key signed is gone from the log.
    CheckpointRemoved {
        /// Its number.
        number: u64,
    },
    /// The log and the checkpoints in it agree with each other, and not with the checkpoint kept elsewhere:
    /// whoever holds the log's key signed another history.
    SignedAnew {
        /// The size that the kept checkpoint vouches for.
        size: u64,
    },
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { stream, revision } => {
                write!(f, "revision {revision} of `{stream}` was changed")
            }
            Self::EntryChanged { stream, revision } => {
                write!(f, "the entry for revision {revision} of `{stream}` was changed")
            }
            Self::Rewritten { size } => {
                write!(
                    f,
                    "it was changed or removed together with its revision: the signed checkpoint of {size} entries has another root"
                )
            }
            Self::RevisionRemoved { stream, revision } => {
                write!(f, "revision {revision} of `{stream}` was removed")
            }
            Self::EntryRemoved { stream: Some(stream) } => write!(f, "an entry for `{stream}` was removed"),
            Self::EntryRemoved { stream: None } => f.write_str("an entry was removed"),
            Self::Reordered { stream, revision } => {
                write!(
                    f,
                    "the entry for revision {revision} of `{stream}` was put before others that it followed"
                )
            }
            Self::Repeated { stream, revision } => {
                write!(f, "the entry for revision {revision} of `{stream}` is there twice")
            }
            Self::CutOff { size } => {
                write!(f, "the entries from here on were cut off: a signed checkpoint vouches for {size}")
            }
            Self::Checkpoint { number, error } => write!(f, "checkpoint {number} in the log: {error}"),
            Self::CheckpointsReordered { number } => {
                write!(f, "what stands in the log as checkpoint {number} is another one")
            }
            Self::CheckpointRemoved { number } => write!(f, "checkpoint {number} was removed from the log"),
            Self::SignedAnew { size } => {
                write!(
                    f,
                    "the log was signed anew: the kept checkpoint of {size} entries has another root, and those in the log do not"
                )
            }
        }
    }
}

/// Judges a log.
///
/// `entries` in the order of the log; `checkpoints` in the log in their order, as they were signed; `kept` a
/// checkpoint from elsewhere that [`checkpoint::open`] has accepted.
///
/// # Errors
/// [`Broken`] names the first entry that was changed, removed, reordered or cut off.
pub fn verify<C: AsRef<[u8]>>(
    entries: impl IntoIterator<Item = Logged>,
    checkpoints: impl IntoIterator<Item = C>,
    streams: &Streams<'_>,
    kept: Option<&Checkpoint>,
    log: &LogKey,
) -> Result<Verified, Broken> {
    let (marks, forged) = open_all(checkpoints, log);
    let mut judge = Judge {
        marks,
        next_mark: 0,
        kept,
        kept_differs: false,
        frontier: Frontier::new(),
        logged: BTreeMap::new(),
        vouched: 0,
        since: Vec::new(),
        streams,
    };
    let mut entries = entries.into_iter();
    judge.marks_reached(&mut entries)?;
    while let Some(entry) = entries.next() {
        judge.entry(entry, &mut entries)?;
        judge.marks_reached(&mut entries)?;
    }
    judge.end()?;
    if let Some(what) = forged {
        return Err(judge.since_vouched(judge.size(), what));
    }
    // Entries that are as the kept checkpoint says do not show that the log's own copy of it is gone.
    if let Some(kept) = kept.filter(|kept| !judge.marks.contains(kept)) {
        return Err(judge.since_vouched(judge.size(), Wrong::CheckpointRemoved { number: kept.number }));
    }
    Ok(judge.verified())
}

/// The checkpoints up to the first that is wrong, and what is wrong with that.
fn open_all<C: AsRef<[u8]>>(
    checkpoints: impl IntoIterator<Item = C>,
    log: &LogKey,
) -> (Vec<Checkpoint>, Option<Wrong>) {
    let mut marks: Vec<Checkpoint> = Vec::new();
    let mut checkpoints = checkpoints.into_iter();
    for number in 1.. {
        let Some(bytes) = checkpoints.next() else { break };
        match checkpoint::open(bytes.as_ref(), log) {
            Err(error) => return (marks, Some(Wrong::Checkpoint { number, error })),
            Ok(mark)
                if mark.number > number && !checkpoints.any(|later| is_numbered(&later, number, log)) =>
            {
                return (marks, Some(Wrong::CheckpointRemoved { number }));
            }
            Ok(mark) if mark.number != number || marks.last().is_some_and(|last| mark.size < last.size) => {
                return (marks, Some(Wrong::CheckpointsReordered { number }));
            }
            Ok(mark) => marks.push(mark),
        }
    }
    (marks, None)
}

fn is_numbered<C: AsRef<[u8]>>(bytes: &C, number: u64, log: &LogKey) -> bool {
    checkpoint::open(bytes.as_ref(), log).is_ok_and(|mark| mark.number == number)
}

struct Judge<'a> {
    marks: Vec<Checkpoint>,
    next_mark: usize,
    kept: Option<&'a Checkpoint>,
    /// The kept checkpoint was reached and has another root; what that means shows at the next mark.
    kept_differs: bool,
    frontier: Frontier,
    /// The newest logged revision of each stream.
    logged: BTreeMap<String, u64>,
    /// The size that the last good mark vouches for.
    vouched: u64,
    /// Stream, revision and position of the entries since then.
    since: Vec<(String, u64, u64)>,
    streams: &'a Streams<'a>,
}

impl Judge<'_> {
    fn size(&self) -> u64 {
        self.frontier.size()
    }

    fn at(index: u64, what: Wrong) -> Broken {
        Broken { index, until: index.saturating_add(1), what }
    }

    /// A finding about the entries from the last good mark up to `until`.
    fn since_vouched(&self, until: u64, what: Wrong) -> Broken {
        Broken { index: self.vouched, until: until.max(self.vouched.saturating_add(1)), what }
    }

    fn entry(&mut self, entry: Logged, rest: &mut impl Iterator<Item = Logged>) -> Result<(), Broken> {
        let at = self.size();
        let Logged { index, stream, revision, leaf, found } = entry;
        if index != at {
            let what = if index > at {
                Wrong::EntryRemoved { stream: None }
            } else {
                Wrong::Repeated { stream, revision }
            };
            return Err(Self::at(at, what));
        }
        let next = self.logged.get(&stream).map_or(1, |newest| newest.saturating_add(1));
        if revision < next {
            return Err(Self::at(at, Wrong::Repeated { stream, revision }));
        }
        if revision > next {
            let later = rest.any(|entry| entry.stream == stream && entry.revision == next);
            return Err(self.out_of_place((stream, revision), next, later));
        }
        let position = match found {
            Found::Missing => return Err(Self::at(at, Wrong::RevisionRemoved { stream, revision })),
            Found::There { stored, recomputed, position } if stored == leaf && recomputed == leaf => position,
            Found::There { stored, recomputed, .. } if stored == recomputed => {
                return Err(Self::at(at, Wrong::EntryChanged { stream, revision }));
            }
            Found::There { .. } | Found::Unreadable => {
                return Err(Self::at(at, Wrong::Changed { stream, revision }));
            }
        };
        self.frontier.push(leaf);
        self.logged.insert(stream.clone(), revision);
        self.since.push((stream, revision, position));
        Ok(())
    }

    /// The log goes on with a `revision` of a stream whose revision `next` should come before it and stands
    /// `later` or nowhere. Its place is told by the order of insertion, where that knows it.
    fn out_of_place(&self, (stream, revision): (String, u64), next: u64, later: bool) -> Broken {
        let at = self.size();
        match ((self.streams.position)(&stream, next), later) {
            (Some(position), false) => {
                let place = self.place_of(position).unwrap_or(at);
                Self::at(place, Wrong::EntryRemoved { stream: Some(stream) })
            }
            (None, false) => {
                let until = at.saturating_add(1);
                self.since_vouched(until, Wrong::EntryRemoved { stream: Some(stream) })
            }
            (position, true) => {
                let place = position.and_then(|position| self.place_of(position)).unwrap_or(at);
                let (stream, revision) = self.since_at(place).unwrap_or((stream, revision));
                Self::at(place, Wrong::Reordered { stream, revision })
            }
        }
    }

    /// The first entry since the last good mark that was inserted after `position`.
    fn place_of(&self, position: u64) -> Option<u64> {
        let place = self.since.iter().position(|(_, _, other)| *other > position)?;
        Some(self.vouched.saturating_add(place as u64))
    }

    fn since_at(&self, index: u64) -> Option<(String, u64)> {
        let place = usize::try_from(index.checked_sub(self.vouched)?).ok()?;
        self.since.get(place).map(|(stream, revision, _)| (stream.clone(), *revision))
    }

    /// Compares with the checkpoints that vouch for exactly the entries so far.
    fn marks_reached(&mut self, rest: &mut impl Iterator<Item = Logged>) -> Result<(), Broken> {
        let size = self.size();
        while let Some(mark) = self.marks.get(self.next_mark).filter(|mark| mark.size == size) {
            if mark.root != self.frontier.root() {
                self.count(rest);
                return Err(self.somewhere_until(size, Wrong::Rewritten { size }));
            }
            if self.kept_differs {
                return Err(self.signed_anew());
            }
            self.next_mark = self.next_mark.saturating_add(1);
            self.vouched = size;
            self.since.clear();
        }
        if self.kept.is_some_and(|kept| kept.size == size && kept.root != self.frontier.root()) {
            if self.vouched == size && self.next_mark > 0 {
                return Err(self.signed_anew());
            }
            self.kept_differs = true;
        }
        Ok(())
    }

    fn signed_anew(&self) -> Broken {
        let size = self.kept.map_or(0, |kept| kept.size);
        Broken { index: 0, until: size.max(1), what: Wrong::SignedAnew { size } }
    }

    fn end(&mut self) -> Result<(), Broken> {
        let size = self.size();
        if let Some(kept) = self.kept.filter(|_| self.kept_differs) {
            return Err(self.somewhere_until(kept.size, Wrong::Rewritten { size: kept.size }));
        }
        let vouched = self.marks.last().into_iter().chain(self.kept).map(|mark| mark.size).max();
        match vouched.filter(|vouched| *vouched > size) {
            None => Ok(()),
            Some(vouched) => match self.removed() {
                Some(removed) => Err(removed),
                None => Err(Broken { index: size, until: vouched, what: Wrong::CutOff { size: vouched } }),
            },
        }
    }

    /// Counts the remaining entries as logged, whatever they hold and in whatever order they stand.
    fn count(&mut self, rest: &mut impl Iterator<Item = Logged>) {
        let rest: BTreeSet<(String, u64)> = rest.map(|entry| (entry.stream, entry.revision)).collect();
        // Sorted, so a stream's revisions come in order, up to the first that is not there.
        for (stream, revision) in rest {
            let newest = self.logged.entry(stream).or_default();
            if revision == newest.saturating_add(1) {
                *newest = revision;
            }
        }
    }

    /// A root over the entries before `until` differs: names the entry by the order of insertion, where that was
    /// left as it was.
    fn somewhere_until(&self, until: u64, what: Wrong) -> Broken {
        let within = |found: &Broken| found.index < until;
        self.removed()
            .filter(within)
            .or_else(|| self.reordered().filter(within))
            .unwrap_or_else(|| self.since_vouched(until, what))
    }

    /// The first place since the last good mark from which an entry is missing, told by a stream with a revision
    /// that is not logged although later ones of other streams are.
    fn removed(&self) -> Option<Broken> {
        let missing = |(stream, newest): (&String, &u64)| {
            let next = self.logged.get(stream).map_or(1, |logged| logged.saturating_add(1));
            let position = (*newest >= next).then(|| (self.streams.position)(stream, next))??;
            Some((self.place_of(position)?, stream.clone()))
        };
        let (index, stream) = self.streams.heads.iter().filter_map(missing).min()?;
        Some(Self::at(index, Wrong::EntryRemoved { stream: Some(stream) }))
    }

    /// The first entry since the last good mark that stands before one that was inserted earlier.
    fn reordered(&self) -> Option<Broken> {
        let mut earliest = u64::MAX;
        let mut found = None;
        for (place, (stream, revision, position)) in self.since.iter().enumerate().rev() {
            if *position > earliest {
                found = Some((place, stream, *revision));
            }
            earliest = earliest.min(*position);
        }
        let (place, stream, revision) = found?;
        let index = self.vouched.saturating_add(place as u64);
        Some(Self::at(index, Wrong::Reordered { stream: stream.clone(), revision }))
    }

    fn verified(self) -> Verified {
        let size = self.size();
        let unlogged = self
            .streams
            .heads
            .iter()
            .filter_map(|(stream, newest)| {
                let from = self.logged.get(stream).map_or(1, |logged| logged.saturating_add(1));
                (*newest >= from).then(|| Unlogged { stream: stream.clone(), from, to: *newest })
            })
            .collect();
        Verified {
            size,
            root: self.frontier.root(),
            checkpoints: self.marks.len() as u64,
            unsigned: size.saturating_sub(self.vouched),
            unlogged,
            kept: self.kept.is_some(),
        }
    }
}

#[cfg(test)]
mod tests;
