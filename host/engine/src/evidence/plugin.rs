//! The predicates of statements about a plugin: who publishes it, and who certifies or revokes it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_ledger::Subject;
use sluice_model::Digest;

use super::predicate::{PredicateError, check_text, members, read};

/// Predicate type of a statement by which a publisher signs a plugin.
pub const RELEASE_PREDICATE: &str = "https://sluice.dev/plugin-release/v1";

/// Predicate type of a statement by which somebody certifies a plugin, or revokes that.
pub const CERTIFICATION_PREDICATE: &str = "https://sluice.dev/plugin-certification/v1";

/// What somebody says of a plugin, whose component is the statement's subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginPredicate {
    /// The predicate of type [`RELEASE_PREDICATE`].
    Release(Release),
    /// The predicate of type [`CERTIFICATION_PREDICATE`].
    Certification(Certification),
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
    /// When that was said; of several statements the latest said counts.
    pub said_at: Timestamp,
}

impl PluginPredicate {
    /// The statement's predicate type.
    #[must_use]
    pub const fn predicate_type(&self) -> &'static str {
        match self {
            Self::Release(_) => RELEASE_PREDICATE,
            Self::Certification(_) => CERTIFICATION_PREDICATE,
        }
    }

    /// When it was said.
    #[must_use]
    pub const fn said_at(&self) -> Timestamp {
        match self {
            Self::Release(release) => release.said_at,
            Self::Certification(certification) => certification.said_at,
        }
    }

    /// The members of the statement's predicate.
    #[must_use]
    pub fn to_predicate(&self) -> Map<String, Value> {
        match self {
            Self::Release(release) => members(release),
            Self::Certification(certification) => members(certification),
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
            Self::Certification(Certification { until: Some(until), revoked: None, said_at }) => {
                if until > said_at {
                    return Ok(());
                }
                Err(PredicateError::Member { member: "until", problem: "is over when it is said" })
            }
            Self::Certification(Certification { until: None, revoked: Some(reason), .. }) => {
                check_text("revoked", reason)
            }
            Self::Certification(_) => Err(PredicateError::Member {
                member: "until",
                problem: "or `revoked` is said, and not both or neither",
            }),
        }
    }

    /// What it says, in a line.
    #[must_use]
    pub fn says(&self) -> String {
        match self {
            Self::Release(release) => format!("published as version {}", release.version),
            Self::Certification(Certification { until: Some(until), .. }) => {
                format!("certified until {until}")
            }
            Self::Certification(Certification { revoked, .. }) => {
                format!("revoked: {}", revoked.as_deref().unwrap_or_default())
            }
        }
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
