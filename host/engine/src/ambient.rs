//! Time and chance, passed in so that every run can be played again.

use std::time::Duration;

use jiff::Timestamp;

/// Where the engine gets time and randomness from.
pub trait Ambient: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment of this process; never goes back.
    fn elapsed(&self) -> Duration;

    /// Fills the buffer with unpredictable bytes.
    ///
    /// # Errors
    /// When the system has none.
    fn random(&self, buffer: &mut [u8]) -> std::io::Result<()>;

    /// Waits until it is worth looking again whether a lease is free.
    fn pause(&self, at_most: Duration);
}

/// The machine's own clock and randomness.
#[derive(Debug)]
pub struct System {
    started: std::time::Instant,
}

impl Default for System {
    fn default() -> Self {
        Self { started: std::time::Instant::now() }
    }
}

impl Ambient for System {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn random(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        getrandom::fill(buffer).map_err(std::io::Error::other)
    }

    fn pause(&self, at_most: Duration) {
        std::thread::sleep(at_most);
    }
}
