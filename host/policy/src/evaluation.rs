//! One gate being asked once: what it reads, and what it has said so far.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{Dynamic, EvalAltResult, Position};
use sluice_model::verdict::Finding;

use crate::facts::ReadyFacts;
use crate::gate::Local;

/// An error that ends an evaluation as a fault.
pub(crate) type Fault = Box<EvalAltResult>;

/// A fault with this reason; the engine adds the position.
pub(crate) fn fault(reason: impl Into<String>) -> Fault {
    EvalAltResult::ErrorRuntime(Dynamic::from(reason.into()), Position::NONE).into()
}

/// Findings that one gate may make; a gate that says more says nothing that is read.
pub(crate) const MOST_FINDINGS: usize = 200;

/// Rows of facts that one evaluation may look at: forty searches through 100,000 changes. Steps do
/// not count them, and the clock differs between machines; this does not.
const MOST_ROWS: u64 = 4_000_000;

/// From how many rows on a call is long enough that the clock is looked at after it.
const LONG_CALL_ROWS: u64 = 256;

/// Bytes that one evaluation may copy in large values. What it holds at a time is no more than
/// that and what its steps build out of nothing, so that it stays within 64 MiB.
const MOST_COPIED_BYTES: u64 = 8 << 20;

/// Up to this size copies are free: variables and calls are limited too.
const SMALL_BYTES: u64 = 1 << 10;

/// One gate being asked once. Handles to facts hold on to it, so that reads are noted.
pub(crate) struct Evaluation {
    pub(crate) ready: Arc<ReadyFacts>,
    pub(crate) gate: Arc<Local>,
    pub(crate) reads: Reads,
    pub(crate) said: Mutex<Vec<Finding>>,
    looked_at: AtomicU64,
    copied: AtomicU64,
    /// Tells the engine that much time may have passed within one step.
    was_long: Arc<AtomicBool>,
}

impl Evaluation {
    pub(crate) fn new(ready: Arc<ReadyFacts>, gate: Arc<Local>, was_long: Arc<AtomicBool>) -> Arc<Self> {
        Arc::new(Self {
            ready,
            gate,
            reads: Reads::default(),
            said: Mutex::default(),
            looked_at: AtomicU64::new(0),
            copied: AtomicU64::new(0),
            was_long,
        })
    }

    /// Counts rows before they are looked at.
    pub(crate) fn look_at(&self, rows: usize) -> Result<(), Fault> {
        let rows = rows as u64;
        if rows >= LONG_CALL_ROWS {
            self.was_long.store(true, Ordering::Relaxed);
        }
        let so_far = self.looked_at.fetch_add(rows, Ordering::Relaxed).saturating_add(rows);
        if so_far > MOST_ROWS {
            return Err(fault(format!(
                "looks at more than {MOST_ROWS} rows of facts: keep what `where` found, and ask that"
            )));
        }
        Ok(())
    }

    /// Counts a large value that is copied, or made from facts.
    pub(crate) fn copy(&self, bytes: u64) -> Result<(), Fault> {
        if bytes <= SMALL_BYTES {
            return Ok(());
        }
        let so_far = self.copied.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if so_far > MOST_COPIED_BYTES {
            return Err(fault(format!(
                "copies more than {} MiB of lists, maps and texts: ask facts by `where`, with `in` for a list",
                MOST_COPIED_BYTES >> 20
            )));
        }
        Ok(())
    }

    /// Takes down a finding.
    pub(crate) fn say(&self, finding: Finding) -> Result<(), Fault> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= MOST_FINDINGS {
            return Err(fault(format!("says more than {MOST_FINDINGS} findings: sum them up")));
        }
        said.push(finding);
        Ok(())
    }

    /// What was said so far.
    pub(crate) fn take_said(&self) -> Vec<Finding> {
        std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Which names of facts were read: a bit for each name of the vocabulary.
#[derive(Default)]
pub(crate) struct Reads([AtomicU64; 4]);

/// Names that can be told apart.
pub(crate) const MOST_NAMES: usize = 256;

impl Reads {
    pub(crate) fn note(&self, name: usize) {
        // Most reads are of names that were read before, and to look is cheaper than to write.
        if let Some(word) = self.0.get(name / 64).filter(|_| !self.has(name)) {
            word.fetch_or(1 << (name % 64), Ordering::Relaxed);
        }
    }

    pub(crate) fn has(&self, name: usize) -> bool {
        self.0.get(name / 64).is_some_and(|word| word.load(Ordering::Relaxed) & (1 << (name % 64)) != 0)
    }
}
