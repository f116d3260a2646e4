//! The predicates of statements about how well a bundle is tested, liked and fast.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_model::{Digest, EnvironmentName, json};
pub use sluice_policy::facts::{ACCEPTANCE_PREDICATE, COVERAGE_PREDICATE, PERFORMANCE_PREDICATE};

use super::lcov::Counted;
use super::predicate::{PredicateError, check_text, members, read};

/// How much of a bundle its tests ran: the predicate of type [`COVERAGE_PREDICATE`].
///
/// The statement's subject is the bundle, as of all in this module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoveragePredicate {
    /// The environment where the tests ran.
    pub environment: EnvironmentName,
    /// The suite's name; measures of the same suite and unit supersede each other.
    pub suite: String,
    /// What is counted, such as `line` or `branch`.
    pub unit: String,
    /// The digest of the report's bytes.
    pub report: Digest,
    /// How many there are.
    pub total: u64,
    /// How many of them ran.
    pub covered: u64,
    /// When that was measured, with a zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_at: Option<Timestamp>,
}

/// A person's word on a bundle: the predicate of type [`ACCEPTANCE_PREDICATE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptancePredicate {
    /// The environment where the person looked at it.
    pub environment: EnvironmentName,
    /// What was looked at, such as `user-acceptance`.
    pub scope: String,
    /// Whether it was accepted.
    pub accepted: bool,
    /// What the person says to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub decided_at: Timestamp,
}

/// What was measured of a bundle's speed: the predicate of type [`PERFORMANCE_PREDICATE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerformancePredicate {
    /// The environment where it was measured.
    pub environment: EnvironmentName,
    /// What was measured, such as `page-load`; the newest of a measure counts.
    pub measure: String,
    /// How many times.
    pub samples: u64,
    /// The 95th percentile, in milliseconds.
    pub p95_ms: u64,
    /// When that was measured, with a zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_at: Option<Timestamp>,
}

/// A measurement as a file holds it: the members of [`PerformancePredicate`] but for where it was.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a measurement with `measure`, `samples` and `p95_ms`")]
pub struct Measurement {
    measure: String,
    samples: u64,
    p95_ms: u64,
    #[serde(default)]
    measured_at: Option<Timestamp>,
}

/// Bytes of a measurement that are read; it has four members.
const MOST_MEASUREMENT: usize = 64 << 10;

impl Measurement {
    /// Reads a measurement from JSON.
    ///
    /// # Errors
    /// In words, when it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let value = json::read(bytes, MOST_MEASUREMENT).map_err(|error| error.to_string())?;
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    /// The predicate of what was measured in an environment.
    #[must_use]
    pub fn within(self, environment: EnvironmentName) -> PerformancePredicate {
        let Self { measure, samples, p95_ms, measured_at } = self;
        PerformancePredicate { environment, measure, samples, p95_ms, measured_at }
    }
}

impl CoveragePredicate {
    /// The predicate for what a report counts of one unit; `bytes` are the report's own.
    #[must_use]
    pub fn of(unit: &str, counted: Counted, bytes: &[u8], environment: EnvironmentName, suite: &str) -> Self {
        Self {
            environment,
            suite: suite.to_owned(),
            unit: unit.to_owned(),
            report: Digest::of(bytes),
            total: counted.total,
            covered: counted.covered,
            measured_at: None,
        }
    }

    fn check(&self) -> Result<(), PredicateError> {
        check_text("suite", &self.suite)?;
        check_text("unit", &self.unit)?;
        if self.total == 0 {
            return Err(PredicateError::Member { member: "total", problem: "is zero: nothing was measured" });
        }
        if self.covered > self.total {
            return Err(PredicateError::Member { member: "covered", problem: "is more than `total`" });
        }
        Ok(())
    }
}

impl AcceptancePredicate {
    fn check(&self) -> Result<(), PredicateError> {
        check_text("scope", &self.scope)?;
        self.reason.as_ref().map_or(Ok(()), |reason| check_text("reason", reason))
    }
}

impl PerformancePredicate {
    fn check(&self) -> Result<(), PredicateError> {
        check_text("measure", &self.measure)?;
        if self.samples == 0 {
            return Err(PredicateError::Member { member: "samples", problem: "is zero: measure something" });
        }
        Ok(())
    }
}

/// Reading and writing, which is the same for all of them.
macro_rules! predicate {
    ($name:ident, $predicate_type:expr) => {
        impl $name {
            /// The members of the statement's predicate.
            #[must_use]
            pub fn to_predicate(&self) -> Map<String, Value> {
                members(self)
            }

            /// Reads and checks the predicate of a statement.
            ///
            /// # Errors
            /// When it is not of this type or contradicts itself.
            pub fn from_predicate(predicate: &Map<String, Value>) -> Result<Self, PredicateError> {
                let read: Self = read(predicate, $predicate_type)?;
                read.check()?;
                Ok(read)
            }
        }
    };
}

predicate!(CoveragePredicate, COVERAGE_PREDICATE);
predicate!(AcceptancePredicate, ACCEPTANCE_PREDICATE);
predicate!(PerformancePredicate, PERFORMANCE_PREDICATE);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_contradicts_itself_or_is_not_described_is_refused() {
        let coverage = json!({"environment": "staging", "suite": "s", "unit": "line",
            "report": Digest::of(b"x"), "total": 3, "covered": 2});
        let acceptance = json!({"environment": "staging", "scope": "look", "accepted": true,
            "decided_at": "2026-03-01T10:00:00Z"});
        let performance = json!({"environment": "staging", "measure": "page", "samples": 3, "p95_ms": 20});
        type Read = fn(&Map<String, Value>) -> Result<Map<String, Value>, PredicateError>;
        let kinds: [(Value, Read); 3] = [
            (coverage, |map| CoveragePredicate::from_predicate(map).map(|read| read.to_predicate())),
            (acceptance, |map| AcceptancePredicate::from_predicate(map).map(|read| read.to_predicate())),
            (performance, |map| PerformancePredicate::from_predicate(map).map(|read| read.to_predicate())),
        ];
        for (kind, member, value, expected) in [
            (0, "covered", json!(4), "`covered` of the predicate is more than `total`"),
            (0, "total", json!(0), "`total` of the predicate is zero"),
            (0, "unit", json!(""), "`unit` of the predicate is empty"),
            (0, "extra", json!(1), "unknown field `extra`"),
            (1, "scope", json!(" "), "`scope` of the predicate is empty"),
            (1, "accepted", json!("yes"), "the predicate is not one of type"),
            (1, "reason", json!("a\nb"), "`reason` of the predicate"),
            (2, "samples", json!(0), "`samples` of the predicate is zero"),
            (2, "p95_ms", json!(-1), "the predicate is not one of type"),
            (2, "measured_at", json!("2026-03-01T10:00:00"), "the predicate is not one of type"),
        ] {
            let (good, read) = &kinds[kind];
            let good = good.as_object().unwrap();
            assert_eq!(read(good).as_ref(), Ok(good));
            let mut bad = good.clone();
            bad.insert(member.into(), value);
            let error = read(&bad).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} / {expected}");
        }
    }

    #[test]
    fn a_measurement_is_four_members() {
        let read = |text: &str| Measurement::read(text.as_bytes());
        let staging = EnvironmentName::new("staging").unwrap();
        let made = read(r#"{"measure": "page", "samples": 2, "p95_ms": 30}"#).unwrap().within(staging);
        assert_eq!((made.measure.as_str(), made.samples, made.p95_ms), ("page", 2, 30));
        for bad in ["", "[]", "{}", r#"{"measure": "page", "samples": 2, "p95_ms": 30, "mean": 1}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
