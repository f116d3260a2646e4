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

    /// Counts one more, and says how long it has to wait. If that were longer than `most`, it does not
    /// come, and is not counted.
    pub(crate) fn one_more(&self, now: Instant, most: Duration) -> Option<Duration> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let after = (*next).max(now) + self.every;
        let wait = after.duration_since(now).saturating_sub(self.ahead);
        (wait <= most).then(|| {
            *next = after;
            wait
        })
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
            (0, Some(0)),
            (0, Some(0)),
            (0, Some(0)),
            (0, Some(10)),
            // The one before it waits already.
            (0, Some(20)),
            (15, Some(15)),
            (20, Some(20)),
            // That would be too long, and costs the next ones nothing.
            (20, None),
            (20, None),
            // What has come too early is made up for.
            (70, Some(0)),
            (70, Some(0)),
            // However long nothing came, no more than so many go at once.
            (5_000, Some(0)),
            (5_000, Some(0)),
            (5_000, Some(0)),
            (5_001, Some(9)),
        ]
        .into_iter()
        .enumerate()
        {
            let waits = pace.one_more(begun + Duration::from_millis(at), Duration::from_millis(20));
            assert_eq!(waits, wait.map(Duration::from_millis), "{n}");
        }
    }
}
