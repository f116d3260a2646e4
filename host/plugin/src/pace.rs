//! How often a plugin may do what its neighbours feel.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many at once, and then one every so often: the generic cell rate algorithm (ITU-T I.371, annex A)
/// as a scheduler, which tells how long to wait instead of refusing.
pub(crate) struct Pace {
    /// How far it may be ahead of one `every` so often.
    ahead: Duration,
    every: Duration,
    /// When the next would come if each had come in its time.
    next: Mutex<Instant>,
}

impl Pace {
    pub(crate) fn new(at_once: u32, every: Duration, now: Instant) -> Self {
        Self { ahead: every.saturating_mul(at_once), every, next: Mutex::new(now) }
    }

    /// Counts one more, and says how long it has to wait.
    pub(crate) fn one_more(&self, now: Instant) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = (*next).max(now) + self.every;
        next.duration_since(now).saturating_sub(self.ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_go_at_once_and_then_one_every_so_often() {
        let begun = Instant::now();
        let pace = Pace::new(3, Duration::from_millis(10), begun);
        // When one comes, and how long it waits, in milliseconds.
        for (n, (at, wait)) in [
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 10),
            // The one before it waits already.
            (0, 20),
            (15, 15),
            // What has come too early is made up for.
            (60, 0),
            (60, 0),
            // However long nothing came, no more than so many go at once.
            (5_000, 0),
            (5_000, 0),
            (5_000, 0),
            (5_001, 9),
        ]
        .into_iter()
        .enumerate()
        {
            let waits = pace.one_more(begun + Duration::from_millis(at));
            assert_eq!(waits, Duration::from_millis(wait), "{n}");
        }
    }
}
