//! Times and lengths of time as people type them.

use std::time::Duration;

use jiff::{Timestamp, Zoned};
use sluice_engine::config::TimeSpan;

/// A time, or one so long from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// This time.
    At(Timestamp),
    /// So long from now.
    In(TimeSpan),
}

impl Moment {
    /// The time that is meant.
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(span) => {
                // Whole seconds are what people read and compare.
                let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
                now.checked_add(Duration::from_secs(span.seconds())).unwrap_or(Timestamp::MAX)
            }
        }
    }
}

/// A time, or one so long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// This time.
    At(Timestamp),
    /// So long before now.
    Ago(TimeSpan),
}

impl Since {
    /// The time that is meant.
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(span) => now.checked_sub(Duration::from_secs(span.seconds())).unwrap_or(Timestamp::MIN),
        }
    }
}

/// Reads a time, or a length of time before now.
pub(crate) fn since(text: &str) -> Result<Since, String> {
    if let Ok(span) = text.parse() {
        return Ok(Since::Ago(span));
    }
    time(text).map(Since::At).map_err(|_| {
        "write a time such as `2026-03-02T10:00:00Z`, or how long ago, such as `90d` or `4h`".to_owned()
    })
}

/// A time as tables show it, to the second.
pub(crate) fn told(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Reads a time: RFC 3339, or with a zone's name as RFC 9557 writes it.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    text.parse::<Timestamp>().or_else(|_| text.parse::<Zoned>().map(|zoned| zoned.timestamp())).map_err(
        |_| {
            "write a time with its zone, such as `2026-03-02T10:00:00Z` or `2026-03-02T10:00[Europe/Berlin]`"
                .to_owned()
        },
    )
}

/// Reads a time, or a length of time from now.
pub(crate) fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(span) = text.parse() {
        return Ok(Moment::In(span));
    }
    time(text).map(Moment::At).map_err(|_| {
        "write a time such as `2026-03-02T10:00:00Z`, or how long from now, such as `4h` or `2d`".to_owned()
    })
}

/// Reads a length of time.
pub(crate) fn length(text: &str) -> Result<Duration, String> {
    let span: TimeSpan = text
        .parse()
        .map_err(|_| "write a number and one of `s`, `m`, `h`, `d`, `w`, such as `30s`".to_owned())?;
    Ok(Duration::from_secs(span.seconds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_zone() {
        let noon: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        for text in ["2026-03-02T12:00:00Z", "2026-03-02T13:00:00+01:00", "2026-03-02T13:00[Europe/Berlin]"] {
            assert_eq!(time(text), Ok(noon), "{text}");
        }
        for text in ["", "2026-03-02", "2026-03-02T12:00:00", "noon", "4h"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_times_or_lengths_from_now() {
        let now: Timestamp = "2026-03-02T12:00:00.75Z".parse().unwrap();
        for (text, expected) in [
            ("4h", "2026-03-02T16:00:00Z"),
            ("2d", "2026-03-04T12:00:00Z"),
            ("2026-03-02T13:00:00Z", "2026-03-02T13:00:00Z"),
        ] {
            assert_eq!(moment(text).unwrap().from(now).to_string(), expected);
        }
        for (text, expected) in
            [("4h", "2026-03-02T08:00:00.75Z"), ("2026-03-02T11:00:00Z", "2026-03-02T11:00:00Z")]
        {
            assert_eq!(since(text).unwrap().before(now).to_string(), expected);
        }
        let ages = format!("{}w", u64::MAX / 604_800);
        assert_eq!(moment(&ages).unwrap().from(now), Timestamp::MAX);
        assert_eq!(since(&ages).unwrap().before(now), Timestamp::MIN);
        assert!(moment("soon").is_err() && since("lately").is_err());
        assert_eq!(length("2m"), Ok(Duration::from_secs(120)));
        assert!(length("2").is_err());
    }
}
