//! Who may write to a stream for a while, and when that is over.
//!
//! A lease is a revision of the stream that it guards, and its fencing token is that revision's number: the
//! holder writes revision token + 1, then + 2, and so on. Whoever takes the lease over does so by inserting
//! a revision, after which the former holder's next number is taken and nothing of it is written. Expiry
//! only decides when somebody *tries*; safety never rests on a clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::WriterId;

/// The part of a revision that says who holds its stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The person or process, for people to read.
    pub holder: String,
    /// The writer whose inserts it covers.
    pub writer: WriterId,
    /// How long others leave it alone after they first saw it, in milliseconds.
    pub milliseconds: u64,
}

impl Lease {
    /// How long others leave it alone after they first saw it.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }
}

/// How a lease looks to one observer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// Others wait that much longer.
    Held {
        /// What is left of its time.
        left: Duration,
    },
    /// Whoever wants it may try.
    Expired,
}

/// What one observer knows of a stream's newest revision. Kept for as long as it waits.
///
/// Time is the observer's own monotonic clock, from any start, and is passed in: clocks of two machines are
/// never compared.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watch {
    seen: Option<(u64, Duration)>,
}

impl Watch {
    /// Judges the lease in the stream's newest `revision` at the observer's time `now`. The lease's time runs
    /// from when this observer first saw this revision; a newer revision starts it again.
    pub fn judge(&mut self, revision: u64, lease: &Lease, now: Duration) -> LeaseState {
        let since = match self.seen {
            Some((number, since)) if number == revision => since,
            _ => {
                self.seen = Some((revision, now));
                now
            }
        };
        match lease.duration().checked_sub(now.saturating_sub(since)) {
            Some(left) if !left.is_zero() => LeaseState::Held { left },
            _ => LeaseState::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn expiry_counts_from_when_the_observer_first_saw_the_revision() {
        let lease =
            Lease { holder: "ann".to_owned(), writer: WriterId::new("w1").unwrap(), milliseconds: 100 };
        let mut watch = Watch::default();
        for (revision, now, expected) in [
            (3, 5_000, LeaseState::Held { left: ms(100) }),
            (3, 5_060, LeaseState::Held { left: ms(40) }),
            (4, 5_099, LeaseState::Held { left: ms(100) }),
            (4, 5_198, LeaseState::Held { left: ms(1) }),
            (4, 5_199, LeaseState::Expired),
            (5, 9_000, LeaseState::Held { left: ms(100) }),
            // A clock that steps back never makes a lease expire.
            (5, 1_000, LeaseState::Held { left: ms(100) }),
        ] {
            assert_eq!(watch.judge(revision, &lease, ms(now)), expected, "revision {revision} at {now}");
        }
    }
}
