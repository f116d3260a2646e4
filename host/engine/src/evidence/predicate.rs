//! The predicates of in-toto statements that Sluice understands, and their subjects.
//!
//! Members are described field by field; a member that is not described is refused, so that
//! nobody believes that something was said which is not read.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_ledger::Subject;
use sluice_model::{Digest, EnvironmentName, LogicalId};
pub use sluice_policy::facts::{MASKING_PREDICATE, TESTS_PREDICATE};

use super::junit::TestReport;

/// What tests of a bundle found: the predicate of type [`TESTS_PREDICATE`].
///
/// The statement's subject is the bundle ([`bundle_subject`]). in-toto's own `test-result` has no
/// place for counts, for skipped tests or for the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestsPredicate {
    /// The environment where the tests ran.
    pub environment: EnvironmentName,
    /// The suite's name; runs of the same suite supersede each other.
    pub suite: String,
    /// The digest of the report's bytes.
    pub report: Digest,
    /// How many tests ran to an end, well or not.
    pub executed: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many of them broke.
    pub errors: u64,
    /// How many were left out.
    pub skipped: u64,
    /// How long they took in all, in milliseconds.
    pub duration_ms: u64,
    /// When the report says that they began, with a zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
}

/// How the data of an environment were masked: the predicate of type [`MASKING_PREDICATE`].
///
/// The statement's subject is the environment's data source ([`data_subject`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskingPredicate {
    /// The environment whose data they are.
    pub environment: EnvironmentName,
    /// The data source.
    pub source: LogicalId,
    /// How, such as `synthetic` or `pseudonymised`; the gate says which words count.
    pub method: String,
    /// How many columns or fields hold personal data and were masked.
    pub columns_masked: u64,
    /// How many rows or documents were masked.
    pub rows_masked: u64,
    /// How many rows or documents were looked at afterwards, to see that they are masked.
    pub rows_checked: u64,
    /// What masked them, with its version.
    pub tool: String,
    /// When that was done.
    pub masked_at: Timestamp,
}

/// Why a predicate is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PredicateError {
    /// Its members are not those of its type.
    #[error("the predicate is not one of type `{predicate_type}`: {what}")]
    Shape {
        /// The type it should be of.
        predicate_type: &'static str,
        /// What is wrong, in the words of the JSON reader.
        what: String,
    },
    /// A member has a value that it cannot have.
    #[error("`{member}` of the predicate {problem}")]
    Member {
        /// The member.
        member: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The statement is about something else than its predicate.
    #[error("the statement is about `{found}`, and its predicate about `{expected}`")]
    Subject {
        /// What it is about.
        found: String,
        /// What it should be about.
        expected: String,
    },
}

impl TestsPredicate {
    /// The predicate for a report of tests that ran in an environment. `bytes` are the report's
    /// own; `suite` names it otherwise than it does itself. A report without a name is `tests`.
    ///
    /// # Errors
    /// When the suite's name is not usable.
    pub fn of(
        report: &TestReport,
        bytes: &[u8],
        environment: EnvironmentName,
        suite: Option<&str>,
    ) -> Result<Self, PredicateError> {
        let suite = suite.or(report.name.as_deref()).unwrap_or("tests").to_owned();
        let predicate = Self {
            environment,
            suite,
            report: Digest::of(bytes),
            executed: report.executed,
            failed: report.failed,
            errors: report.errors,
            skipped: report.skipped,
            duration_ms: report.duration_ms,
            began_at: report.began_at,
        };
        predicate.check()?;
        Ok(predicate)
    }

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
        let read: Self = read(predicate, TESTS_PREDICATE)?;
        read.check()?;
        Ok(read)
    }

    fn check(&self) -> Result<(), PredicateError> {
        check_text("suite", &self.suite)?;
        let bad = self.failed.checked_add(self.errors).is_none_or(|bad| bad > self.executed);
        if bad {
            return Err(PredicateError::Member {
                member: "executed",
                problem: "is less than `failed` and `errors` together",
            });
        }
        Ok(())
    }
}

impl MaskingPredicate {
    /// The members of the statement's predicate.
    #[must_use]
    pub fn to_predicate(&self) -> Map<String, Value> {
        members(self)
    }

    /// Reads and checks the predicate of a statement about `subject`.
    ///
    /// # Errors
    /// When it is not of this type, says nothing, or is about other data than its statement.
    pub fn from_predicate(predicate: &Map<String, Value>, subject: &Subject) -> Result<Self, PredicateError> {
        let read: Self = read(predicate, MASKING_PREDICATE)?;
        read.check()?;
        let expected = data_subject(&read.environment, &read.source);
        if *subject != expected {
            return Err(PredicateError::Subject {
                found: subject.name.chars().take(200).collect(),
                expected: expected.name,
            });
        }
        Ok(read)
    }

    /// Whether the members say something.
    ///
    /// # Errors
    /// The first member that does not.
    pub fn check(&self) -> Result<(), PredicateError> {
        check_text("method", &self.method)?;
        check_text("tool", &self.tool)?;
        if self.rows_checked == 0 && self.rows_masked > 0 {
            return Err(PredicateError::Member {
                member: "rows_checked",
                problem: "is zero: look at a sample of what was masked",
            });
        }
        Ok(())
    }
}

/// The subject of a statement about a bundle.
#[must_use]
pub fn bundle_subject(app: &LogicalId, bundle: Digest) -> Subject {
    Subject { name: format!("bundle/{app}"), digest: bundle }
}

/// The subject of a statement about an environment's data. Data have no digest, so it is that of
/// the subject's name.
#[must_use]
pub fn data_subject(environment: &EnvironmentName, source: &LogicalId) -> Subject {
    let name = format!("environment/{environment}/data-source/{source}");
    Subject { digest: Digest::of(name.as_bytes()), name }
}

pub(super) fn members<T: Serialize>(predicate: &T) -> Map<String, Value> {
    match serde_json::to_value(predicate) {
        Ok(Value::Object(members)) => members,
        // Predicates are structs of texts and numbers, which always are objects.
        _ => Map::new(),
    }
}

pub(super) fn read<T: DeserializeOwned>(
    predicate: &Map<String, Value>,
    predicate_type: &'static str,
) -> Result<T, PredicateError> {
    serde_json::from_value(Value::Object(predicate.clone()))
        .map_err(|error| PredicateError::Shape { predicate_type, what: error.to_string() })
}

pub(super) fn check_text(member: &'static str, text: &str) -> Result<(), PredicateError> {
    if text.trim().is_empty() {
        return Err(PredicateError::Member { member, problem: "is empty" });
    }
    if text.len() > 300 || text.chars().any(char::is_control) {
        return Err(PredicateError::Member {
            member,
            problem: "is longer than 300 bytes or has control characters",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn masking() -> MaskingPredicate {
        MaskingPredicate {
            environment: EnvironmentName::new("staging").unwrap(),
            source: LogicalId::new("tooljet:orders/db").unwrap(),
            method: "pseudonymised".into(),
            columns_masked: 4,
            rows_masked: 1000,
            rows_checked: 50,
            tool: "masker 1.2".into(),
            masked_at: "2026-03-01T10:00:00Z".parse().unwrap(),
        }
    }

    fn tests() -> TestsPredicate {
        let xml =
            b"<testsuite name='orders' timestamp='2026-03-01T10:00:00Z'><testcase time='1'/></testsuite>";
        let report = TestReport::read(xml).unwrap();
        TestsPredicate::of(&report, xml, EnvironmentName::new("staging").unwrap(), None).unwrap()
    }

    #[test]
    fn predicates_come_back_as_they_were() {
        let masking = masking();
        let subject = data_subject(&masking.environment, &masking.source);
        assert_eq!(MaskingPredicate::from_predicate(&masking.to_predicate(), &subject), Ok(masking));
        let tests = tests();
        assert_eq!((tests.suite.as_str(), tests.executed, tests.duration_ms), ("orders", 1, 1000));
        assert_eq!(TestsPredicate::from_predicate(&tests.to_predicate()), Ok(tests));
    }

    #[test]
    fn what_is_not_described_or_contradicts_itself_is_refused() {
        for (member, value, expected) in [
            ("executed", json!(-1), "the predicate is not one of type"),
            ("executed", json!(0), "ok"),
            ("failed", json!(2), "`executed` of the predicate is less than"),
            ("errors", json!(u64::MAX), "`executed` of the predicate is less than"),
            ("suite", json!(" "), "`suite` of the predicate is empty"),
            ("environment", json!("Staging"), "is not an environment's name"),
            ("began_at", json!("2026-03-01T10:00:00"), "the predicate is not one of type"),
            ("extra", json!(1), "unknown field `extra`"),
        ] {
            let mut predicate = tests().to_predicate();
            predicate.insert(member.into(), value);
            let said =
                TestsPredicate::from_predicate(&predicate).map_or_else(|e| e.to_string(), |_| "ok".into());
            assert!(said.contains(expected), "{said} / {expected}");
        }
        let subject = data_subject(&masking().environment, &masking().source);
        for (member, value, expected) in [
            ("method", json!(""), "`method` of the predicate is empty"),
            ("tool", json!("a\nb"), "`tool` of the predicate"),
            ("rows_checked", json!(0), "`rows_checked` of the predicate is zero"),
            (
                "source",
                json!("other"),
                "the statement is about `environment/staging/data-source/tooljet:orders/db`",
            ),
            ("environment", json!("production"), "and its predicate about `environment/production/"),
            ("masked_at", Value::Null, "the predicate is not one of type"),
        ] {
            let mut predicate = masking().to_predicate();
            predicate.insert(member.into(), value);
            let error = MaskingPredicate::from_predicate(&predicate, &subject).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} / {expected}");
        }
        let mut without = masking().to_predicate();
        without.remove("masked_at");
        assert!(MaskingPredicate::from_predicate(&without, &subject).is_err());
    }
}
