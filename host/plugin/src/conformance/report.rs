//! What the suite found.

use serde::{Deserialize, Serialize};
use sluice_model::Digest;

use crate::limits::Used;

/// Mistakes of one check that are told; of more, how many.
const MOST_TOLD: usize = 10;

/// What a suite found of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The plugin's name.
    pub plugin: String,
    /// The component.
    pub digest: Digest,
    /// The checks, in the order in which they were made.
    pub checks: Vec<Check>,
    /// The most that one call used.
    pub most_used: Used,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable name of the check.
    pub id: String,
    /// What it is about, as a sentence that is true of a good plugin.
    pub title: String,
    /// Whether a plugin can do without it.
    pub weight: Weight,
    /// How it ended.
    pub outcome: Outcome,
}

/// Whether a plugin can do without a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// A plugin that fails does not conform.
    Must,
    /// A plugin that fails conforms, and could be better.
    Should,
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should; says what was found.
    Failed(Vec<String>),
    /// There was nothing to check; says why.
    Skipped(String),
}

/// What a plugin is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Grade {
    /// It fails what it must do.
    #[serde(rename = "fails")]
    Fails,
    /// It does what it must.
    #[serde(rename = "conforms")]
    Conforms,
    /// It does what it must and what it should.
    #[serde(rename = "exemplary")]
    Exemplary,
}

impl std::fmt::Display for Grade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fails => "fails",
            Self::Conforms => "conforms",
            Self::Exemplary => "exemplary",
        })
    }
}

impl Outcome {
    /// Passed where nothing was found.
    pub(super) fn of(mut found: Vec<String>) -> Self {
        if found.is_empty() {
            return Self::Passed;
        }
        found.dedup();
        let more = found.len().saturating_sub(MOST_TOLD);
        found.truncate(MOST_TOLD);
        if more > 0 {
            found.push(format!("and {more} more"));
        }
        Self::Failed(found)
    }
}

impl Report {
    pub(super) fn new(plugin: &str, digest: Digest) -> Self {
        Self { plugin: plugin.to_owned(), digest, checks: Vec::new(), most_used: Used::default() }
    }

    pub(super) fn add(&mut self, id: &str, title: &str, weight: Weight, outcome: Outcome) {
        self.checks.push(Check { id: id.to_owned(), title: title.to_owned(), weight, outcome });
    }

    /// What the plugin is worth: the worst check decides.
    #[must_use]
    pub fn grade(&self) -> Grade {
        let failed = |check: &&Check| matches!(check.outcome, Outcome::Failed(_));
        let worst = self.checks.iter().filter(failed).map(|check| check.weight);
        let grades = worst.map(|weight| match weight {
            Weight::Must => Grade::Fails,
            Weight::Should => Grade::Conforms,
        });
        grades.min().unwrap_or(Grade::Exemplary)
    }
}
