//! The predicates of statements about a plugin: who publishes it, who certifies or revokes it, and
//! whether it conformed when somebody looked.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_ledger::Subject;
use sluice_model::Digest;
use sluice_plugin::conformance::{self, Grade, Report};

use super::predicate::{PredicateError, check_text, members, read};

/// Predicate type of a statement by which a publisher signs a plugin.
pub const RELEASE_PREDICATE: &str = "https://sluice.dev/plugin-release/v1";

/// Predicate type of a statement by which somebody certifies a plugin, or revokes that.
pub const CERTIFICATION_PREDICATE: &str = "https://sluice.dev/plugin-certification/v1";

/// Predicate type of a statement by which somebody tells what the conformance suite found of a plugin.
pub const VALIDATION_PREDICATE: &str = "https://sluice.dev/plugin-validation/v1";

/// What somebody says of a plugin, whose component is the statement's subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginPredicate {
    /// The predicate of type [`RELEASE_PREDICATE`].
    Release(Release),
    /// The predicate of type [`CERTIFICATION_PREDICATE`].
    Certification(Certification),
    /// The predicate of type [`VALIDATION_PREDICATE`].
    Validation(Validation),
}

/// A publisher's word: this component is that version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The version.
    pub version: String,
    /// When that was said.
    pub said_at: Timestamp,
}

/// Until when a plugin may be used, or that it may not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certification {
    /// The first moment at which it is no longer certified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why it is revoked. Either this is said or `until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
    /// Why it is certified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the conformance suite found before it was certified, where it was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validated: Option<Validated>,
    /// When that was said; of several statements the latest said counts.
    pub said_at: Timestamp,
}

/// That the conformance suite was run on a plugin again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// What it found.
    pub validated: Validated,
    /// When that was said.
    pub said_at: Timestamp,
}

/// What a run of the conformance suite found of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validated {
    /// What the plugin is worth.
    pub grade: Grade,
    /// The version of the suite.
    pub suite: u32,
    /// The report, as canonical JSON.
    pub report: Digest,
}

impl Validated {
    /// What a report comes to, with the report's canonical bytes.
    ///
    /// # Errors
    /// When it cannot be made JSON.
    pub fn of(report: &Report) -> crate::error::Result<(Self, Vec<u8>)> {
        let bytes = sluice_model::json::canonical_of(report)?;
        let validated =
            Self { grade: report.grade(), suite: conformance::VERSION, report: Digest::of(&bytes) };
        Ok((validated, bytes))
    }

    /// Whether the plugin conformed.
    #[must_use]
    pub fn conforms(&self) -> bool {
        self.grade >= Grade::Conforms
    }

    fn says(&self) -> String {
        format!("by version {} of the conformance suite its grade is `{}`", self.suite, self.grade)
    }
}

impl PluginPredicate {
    /// The statement's predicate type.
    #[must_use]
    pub const fn predicate_type(&self) -> &'static str {
        match self {
            Self::Release(_) => RELEASE_PREDICATE,
            Self::Certification(_) => CERTIFICATION_PREDICATE,
            Self::Validation(_) => VALIDATION_PREDICATE,
        }
    }

    /// When it was said.
    #[must_use]
    pub const fn said_at(&self) -> Timestamp {
        match self {
            Self::Release(release) => release.said_at,
            Self::Certification(certification) => certification.said_at,
            Self::Validation(validation) => validation.said_at,
        }
    }

    /// The members of the statement's predicate.
    #[must_use]
    pub fn to_predicate(&self) -> Map<String, Value> {
        match self {
            Self::Release(release) => members(release),
            Self::Certification(certification) => members(certification),
            Self::Validation(validation) => members(validation),
        }
    }

    /// Reads and checks a predicate; `None` where its type is none of a plugin's.
    ///
    /// # Errors
    /// When it is not of its type or contradicts itself.
    pub fn from_predicate(
        predicate_type: &str,
        predicate: &Map<String, Value>,
    ) -> Result<Option<Self>, PredicateError> {
        let made = match predicate_type {
            RELEASE_PREDICATE => Self::Release(read(predicate, RELEASE_PREDICATE)?),
            CERTIFICATION_PREDICATE => Self::Certification(read(predicate, CERTIFICATION_PREDICATE)?),
            VALIDATION_PREDICATE => Self::Validation(read(predicate, VALIDATION_PREDICATE)?),
            _ => return Ok(None),
        };
        made.check()?;
        Ok(Some(made))
    }

    /// Whether the members say something.
    ///
    /// # Errors
    /// The first member that does not.
    pub fn check(&self) -> Result<(), PredicateError> {
        match self {
            Self::Release(release) => check_text("version", &release.version),
            Self::Certification(certification) => certification.check(),
            Self::Validation(_) => Ok(()),
        }
    }

    /// What it says, in a line.
    #[must_use]
    pub fn says(&self) -> String {
        match self {
            Self::Release(release) => format!("published as version {}", release.version),
            Self::Certification(certification) => certification.says(),
            Self::Validation(validation) => validation.validated.says(),
        }
    }
}

impl Certification {
    /// That a plugin may be used until then.
    #[must_use]
    pub const fn certified(until: Timestamp, said_at: Timestamp) -> Self {
        Self { until: Some(until), revoked: None, reason: None, validated: None, said_at }
    }

    /// That a plugin may not be used any more.
    #[must_use]
    pub const fn revoked(why: String, said_at: Timestamp) -> Self {
        Self { until: None, revoked: Some(why), reason: None, validated: None, said_at }
    }

    fn check(&self) -> Result<(), PredicateError> {
        let wrong = |member, problem| Err(PredicateError::Member { member, problem });
        match (&self.until, &self.revoked) {
            (Some(until), None) if *until <= self.said_at => wrong("until", "is over when it is said"),
            (Some(_), None) if self.validated.as_ref().is_some_and(|found| !found.conforms()) => {
                wrong("validated", "says that it does not conform, and so it cannot be certified")
            }
            (Some(_), None) => self.reason.as_ref().map_or(Ok(()), |reason| check_text("reason", reason)),
            (None, Some(_)) if self.reason.is_some() || self.validated.is_some() => {
                wrong("revoked", "is said beside what certifies it")
            }
            (None, Some(reason)) => check_text("revoked", reason),
            _ => wrong("until", "or `revoked` is said, and not both or neither"),
        }
    }

    fn says(&self) -> String {
        let Some(until) = self.until else {
            return format!("revoked: {}", self.revoked.as_deref().unwrap_or_default());
        };
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let found = self.validated.as_ref().map(|found| format!("; {}", found.says())).unwrap_or_default();
        format!("certified until {until}{reason}{found}")
    }
}

/// The subject of a statement about a plugin.
#[must_use]
pub fn plugin_subject(name: &str, component: Digest) -> Subject {
    Subject { name: format!("plugin/{name}"), digest: component }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_contradicts_itself_is_refused_and_the_rest_comes_back() {
        let (now, later) = ("2026-03-01T10:00:00Z", "2026-09-01T10:00:00Z");
        let found = |grade: &str| json!({"grade": grade, "suite": 1, "report": Digest::of(b"report")});
        for (predicate_type, predicate, expected) in [
            (RELEASE_PREDICATE, json!({"version": "1.2", "said_at": now}), "published as version 1.2"),
            (
                RELEASE_PREDICATE,
                json!({"version": "", "said_at": now}),
                "`version` of the predicate is empty",
            ),
            (RELEASE_PREDICATE, json!({"version": "1"}), "missing field `said_at`"),
            (
                CERTIFICATION_PREDICATE,
                json!({"until": later, "said_at": now}),
                "certified until 2026-09-01T10:00:00Z",
            ),
            (CERTIFICATION_PREDICATE, json!({"revoked": "a hole", "said_at": now}), "revoked: a hole"),
            (CERTIFICATION_PREDICATE, json!({"said_at": now}), "not both or neither"),
            (
                CERTIFICATION_PREDICATE,
                json!({"until": later, "revoked": "x", "said_at": now}),
                "not both or neither",
            ),
            (CERTIFICATION_PREDICATE, json!({"until": now, "said_at": now}), "is over when it is said"),
            (CERTIFICATION_PREDICATE, json!({"revoked": " ", "said_at": now}), "`revoked` of the predicate"),
            (
                CERTIFICATION_PREDICATE,
                json!({"until": later, "reason": "reviewed", "validated": found("conforms"), "said_at": now}),
                "certified until 2026-09-01T10:00:00Z: reviewed; by version 1 of the conformance suite its grade is `conforms`",
            ),
            (
                CERTIFICATION_PREDICATE,
                json!({"until": later, "validated": found("fails"), "said_at": now}),
                "`validated` of the predicate says that it does not conform",
            ),
            (
                CERTIFICATION_PREDICATE,
                json!({"revoked": "x", "validated": found("fails"), "said_at": now}),
                "beside what certifies it",
            ),
            (
                CERTIFICATION_PREDICATE,
                json!({"until": later, "reason": "", "said_at": now}),
                "`reason` of the",
            ),
            (
                VALIDATION_PREDICATE,
                json!({"validated": found("fails"), "said_at": now}),
                "by version 1 of the conformance suite its grade is `fails`",
            ),
            (VALIDATION_PREDICATE, json!({"validated": found("superb"), "said_at": now}), "superb"),
            (VALIDATION_PREDICATE, json!({"said_at": now}), "missing field `validated`"),
        ] {
            let members = predicate.as_object().unwrap();
            let said = match PluginPredicate::from_predicate(predicate_type, members) {
                Ok(read) => {
                    let read = read.unwrap();
                    assert_eq!((read.predicate_type(), &read.to_predicate()), (predicate_type, members));
                    read.says()
                }
                Err(error) => error.to_string(),
            };
            assert!(said.contains(expected), "{said} / {expected}");
        }
        assert_eq!(PluginPredicate::from_predicate("https://example.com", &Map::new()), Ok(None));
    }
}
