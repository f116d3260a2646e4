//! One gate being asked once: what it reads, and what it has said so far.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{Dynamic, EvalAltResult, Position};
use sluice_model::verdict::Finding;

use crate::facts::ReadyFacts;
use crate::pack::Policy;
use crate::parameter::Parameter;

/// An error that ends an evaluation as a fault.
pub(crate) type Fault = Box<EvalAltResult>;

/// A fault with this reason; the engine adds the position.
pub(crate) fn fault(reason: impl Into<String>) -> Fault {
    EvalAltResult::ErrorRuntime(Dynamic::from(reason.into()), Position::NONE).into()
}

/// Findings that one gate may make; a gate that says more says nothing that is read.
pub(crate) const MOST_FINDINGS: usize = 200;

/// One gate being asked once. Handles to facts hold on to it, so that reads are noted.
pub(crate) struct Evaluation {
    pub(crate) ready: Arc<ReadyFacts>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) parameters: Arc<BTreeMap<String, Parameter>>,
    pub(crate) reads: Reads,
    pub(crate) said: Mutex<Vec<Finding>>,
}

impl Evaluation {
    pub(crate) fn new(
        ready: Arc<ReadyFacts>,
        policy: Arc<Policy>,
        parameters: Arc<BTreeMap<String, Parameter>>,
    ) -> Arc<Self> {
        Arc::new(Self { ready, policy, parameters, reads: Reads::default(), said: Mutex::default() })
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
        if let Some(word) = self.0.get(name / 64) {
            word.fetch_or(1 << (name % 64), Ordering::Relaxed);
        }
    }

    pub(crate) fn has(&self, name: usize) -> bool {
        self.0.get(name / 64).is_some_and(|word| word.load(Ordering::Relaxed) & (1 << (name % 64)) != 0)
    }
}
