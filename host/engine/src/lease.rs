//! Who may write to an environment next.
//!
//! Of the runs of one machine, each waits for its turn, which is a lock on a file beside the store;
//! only with it is the lease taken, and it is kept to the run's end. The system takes the lock of a
//! process back however it ends, so a lease without a lock is one that a crash left behind, and it is
//! taken over at once. What has the lock and has not moved for the time of a lease is stuck, and is
//! passed over. Should it move again, it finds that the environment's next number is given: safety
//! rests on that alone, and neither on locks nor on time.

use std::fs::{File, OpenOptions, TryLockError};
use std::time::Duration;

use sluice_model::EnvironmentName;
use sluice_store::{Lease, LeaseState, Watch};

use crate::act::What;
use crate::error::{Error, Result};
use crate::records::Actor;
use crate::state::{EnvironmentState, Held};
use crate::workspace::{Workspace, environment_stream};

/// How long a lease holds for observers. A run takes far less; one that is stuck keeps others waiting no
/// longer than this, and not at all once somebody resumes it.
const LEASE: Duration = Duration::from_secs(60);

/// How often a waiting run looks whether it is its turn.
const LOOK: Duration = Duration::from_millis(250);

/// A run's turn to take the lease on an environment.
pub(crate) struct Turn {
    /// Nobody else's while this is kept; none where whoever has the lock was passed over.
    _lock: Option<File>,
    /// The environment's newest revision when the turn came: a lease in it is nobody's any more.
    revision: u64,
}

impl Workspace {
    /// Waits for the turn to take the lease on an environment.
    ///
    /// # Errors
    /// [`Error::LeaseHeld`] when it did not come within `wait`.
    pub(crate) fn turn(&self, environment: &EnvironmentName, wait: Duration) -> Result<Turn> {
        let ambient = self.records().ambient();
        let began = ambient.elapsed();
        let mut watch = Watch::default();
        let mut waits = false;
        loop {
            let lock = self.lock(environment)?;
            let (revision, state) = self.environment(&mut self.work(), environment)?;
            // Whoever has the lock may not have come to the lease yet, or may have given it back already.
            let held = state.held.unwrap_or_else(|| Held {
                lease: self.new_lease("another process"),
                purpose: "without the lease yet".to_owned(),
            });
            if lock.is_some() || watch.judge(revision, &held.lease, ambient.elapsed()) == LeaseState::Expired
            {
                return Ok(Turn { _lock: lock, revision });
            }
            if ambient.elapsed().saturating_sub(began) >= wait {
                return Err(held_by(environment, &held));
            }
            if !waits {
                let holder = &held.lease.holder;
                tracing::info!(%environment, holder, purpose = held.purpose, "waiting for the lease");
                waits = true;
            }
            ambient.pause(LOOK);
        }
    }

    /// The lock on an environment, unless somebody has it.
    fn lock(&self, environment: &EnvironmentName) -> Result<Option<File>> {
        let path = self.lock_file(environment);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::file(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::file(&path)(source)),
        }
    }

    fn new_lease(&self, holder: &str) -> Lease {
        Lease {
            holder: holder.to_owned(),
            writer: self.records().writer().clone(),
            milliseconds: u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Takes the lease on an environment. Answers the revision that carries it, and what is leased.
    ///
    /// # Errors
    /// [`Error::LeaseHeld`] when somebody took it since the turn came.
    pub(crate) fn lease(
        &self,
        actor: &Actor,
        environment: &EnvironmentName,
        purpose: &str,
        turn: &Turn,
    ) -> Result<(u64, EnvironmentState)> {
        loop {
            let mut work = self.work();
            let (revision, mut state) = self.environment(&mut work, environment)?;
            if revision > turn.revision {
                self.refuse_held(environment, &state)?;
            }
            state.held = Some(Held { lease: self.new_lease(&actor.name), purpose: purpose.to_owned() });
            let what = What::LeaseTaken { state: Box::new(state.clone()) };
            let stream = environment_stream(environment);
            match self.records().append(actor, &stream, revision, what, &work.into_fresh()) {
                Ok(fence) => return Ok((fence, state)),
                Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends one's own lease with nothing written, unless somebody else wrote since.
    pub(crate) fn give_back(&self, actor: &Actor, environment: &EnvironmentName, fence: u64) -> Result<()> {
        let mut work = self.work();
        let (revision, mut state) = self.environment(&mut work, environment)?;
        if revision != fence || state.held.is_none() {
            return Ok(());
        }
        state.held = None;
        let what = What::LeaseReturned { state: Box::new(state) };
        let stream = environment_stream(environment);
        match self.records().append(actor, &stream, fence, what, &work.into_fresh()) {
            Ok(_) | Err(Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes the next revision without the lease: whoever held it can no longer write.
    pub(crate) fn fence_off(&self, actor: &Actor, environment: &EnvironmentName) -> Result<()> {
        let mut work = self.work();
        let (revision, mut state) = self.environment(&mut work, environment)?;
        if state.held.take().is_none() {
            return Ok(());
        }
        let what = What::LeaseReturned { state: Box::new(state) };
        self.records().append(actor, &environment_stream(environment), revision, what, &work.into_fresh())?;
        Ok(())
    }

    pub(crate) fn is_held(&self, environment: &EnvironmentName) -> Result<bool> {
        let (_, state) = self.environment(&mut self.work(), environment)?;
        Ok(state.held.is_some())
    }

    /// Refuses to write to an environment while somebody promotes to it.
    ///
    /// # Errors
    /// [`Error::LeaseHeld`].
    pub(crate) fn refuse_held(&self, environment: &EnvironmentName, state: &EnvironmentState) -> Result<()> {
        match &state.held {
            Some(held) if held.lease.writer != *self.records().writer() => Err(held_by(environment, held)),
            _ => Ok(()),
        }
    }
}

fn held_by(environment: &EnvironmentName, held: &Held) -> Error {
    Error::LeaseHeld {
        environment: environment.clone(),
        holder: held.lease.holder.clone(),
        purpose: held.purpose.clone(),
    }
}
