//! What a gate may know: plain data, filled by the engine, judged by policies.
//!
//! Everything a gate reads is in here, so that a decision replays from it years later. Nothing in
//! here is asked for while a gate runs.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_model::{Digest, EnvironmentName, Kind, LogicalId, ObjectKind, Pointer, SlotName, json};

use crate::calendar::Windows;
use crate::evaluation::MOST_NAMES;
use crate::index::Index;

/// Predicate type of an in-toto statement that says what tests of a bundle found.
pub const TESTS_PREDICATE: &str = "https://sluice.dev/tests/v1";

/// Predicate type of an in-toto statement that says how a data source of an environment was masked.
pub const MASKING_PREDICATE: &str = "https://sluice.dev/masking/v1";

/// Predicate type of an in-toto statement that says how much of a bundle its tests ran.
pub const COVERAGE_PREDICATE: &str = "https://sluice.dev/coverage/v1";

/// Predicate type of an in-toto statement by which a person accepts or rejects a bundle.
pub const ACCEPTANCE_PREDICATE: &str = "https://sluice.dev/acceptance/v1";

/// Predicate type of an in-toto statement that says what was measured of a bundle's speed.
pub const PERFORMANCE_PREDICATE: &str = "https://sluice.dev/performance/v1";

/// Bytes of facts that are read; more is refused. 100,000 changes take about 30 MiB.
pub const MOST_FACT_BYTES: usize = 128 << 20;

/// Everything that gates may know of one transition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// When the gates were asked.
    pub now: Timestamp,
    /// When the last entry of the ledger was made; a clock behind it refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_entry: Option<Timestamp>,
    /// The workspace.
    pub workspace: Workspace,
    /// What happens, from where to where.
    pub transition: Transition,
    /// The app it happens to.
    pub app: App,
    /// What would be done.
    pub plan: Plan,
    /// What scanners found in the bundle, or `None` where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<Scan>,
    /// The statements about this app's bundles and the environments' data whose signatures hold,
    /// or `None` where they were not gathered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Vec<Evidence>>,
    /// The approvals of this app's plans whose signatures hold, or `None` where not gathered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Vec<Approval>>,
    /// The waivers that let into the target, also those that have expired or miss their second
    /// signature, or `None` where not gathered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waivers: Option<Vec<Waiver>>,
    /// The earlier transitions of this app in all environments, oldest first, or `None` where not
    /// gathered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<Past>>,
    /// The plugins that rendered the plan's data sources, or `None` where not gathered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugins: Option<Vec<Plugin>>,
    /// The environments of the adopted configuration, in the order of promotion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<Environment>,
    /// The people of the adopted configuration.
    pub people: Vec<Person>,
    /// The named calendars, already expanded, or `None` where not gathered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendars: Option<Vec<NamedWindows>>,
    /// Release of the IANA time-zone data by which the calendars were expanded.
    pub time_zones: String,
    /// Facts that stand here only because they always stand here, such as `plan` where an export is
    /// judged for which there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_gathered: Vec<String>,
}

/// The tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// Its name.
    pub name: String,
    /// Why one person alone acts here, where the configuration says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_operator: Option<String>,
}

/// A calendar by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedWindows {
    /// Its name in the configuration.
    pub name: String,
    /// When it is open.
    pub windows: Windows,
}

/// What sort of transition is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransitionKind {
    /// From one environment to the next.
    Promotion,
    /// To the end users of one environment.
    Release,
    /// The inverse of an earlier promotion.
    Rollback,
}

impl TransitionKind {
    /// The kind in the words of configuration and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promotion => "promotion",
            Self::Release => "release",
            Self::Rollback => "rollback",
        }
    }

    /// The kind that is called so.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Promotion, Self::Release, Self::Rollback].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What happens, from where to where. A release or rollback has the same environment twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// What sort.
    pub kind: TransitionKind,
    /// Where the bundle comes from.
    pub from: Environment,
    /// Where it goes.
    pub to: Environment,
}

/// An environment, as the adopted configuration has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// Its place in the order of promotion, from 0.
    pub order: u32,
    /// The names of the people who own it.
    pub owners: Vec<String>,
    /// Whether its data are, or are copies of, production data.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub holds_production_data: bool,
}

/// The app that is promoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Its identity.
    pub id: LogicalId,
    /// What people call it.
    pub name: String,
    /// The platform it is built with.
    pub platform: String,
    /// What the configuration says of it, such as `payments`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

/// What would be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The plan's digest, which approvals name.
    pub digest: Digest,
    /// The bundle's digest, which evidence names.
    pub bundle: Digest,
    /// The version's name.
    pub version: String,
    /// The revisions of what the plan touches in the target, as one digest.
    pub baseline: Digest,
    /// The people who cut the version, whose imports changed what it holds since the version before, or
    /// who carry the plan out; four eyes are theirs and another's.
    pub authors: Vec<String>,
    /// What is done to each object; unchanged ones are only counted.
    pub changes: Vec<Change>,
    /// How many objects of the bundle stand in the target as they are.
    pub unchanged: u64,
    /// Canonical bytes of what is created and updated, or `None` where nobody has counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// When the version was cut, or `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_at: Option<Timestamp>,
    /// The person of the configuration whose signature on the bundle holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The data sources as plugins rendered them for the target.
    pub sources: Vec<Source>,
    /// The secret references that the target's bindings put into the sources' slots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<Credential>,
    /// Values that still point at an environment below the target.
    pub still_pointing_at_source: Vec<Leftover>,
}

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The target gets it.
    Create,
    /// The target's gets another content.
    Update,
    /// The target's own is used in its place.
    Match,
    /// The target loses it.
    Delete,
    /// The choice was to leave it out.
    Skip,
}

impl Action {
    /// The action in the words of plans and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Match => "match",
            Self::Delete => "delete",
            Self::Skip => "skip",
        }
    }
}

/// What is done to one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The object.
    pub object: LogicalId,
    /// What it is.
    pub kind: ObjectKind,
    /// What people call it.
    pub name: String,
    /// What is done.
    pub action: Action,
    /// Canonical bytes of its content after, or `None` where nobody has counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// A data source as it would be in the target; no value of a secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The data source.
    pub id: LogicalId,
    /// What people call it.
    pub name: String,
    /// The platform's kind.
    pub kind: Kind,
    /// The plugin that rendered it, or `None` where the kind is declared carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<Digest>,
    /// Where its options are owned by the target.
    pub owned_by_target: Vec<Pointer>,
    /// The hosts, URLs or buckets that it reaches, as the plugin reports them.
    pub endpoints: Vec<String>,
    /// Whether the connection is encrypted, if the plugin can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<bool>,
    /// The account it signs in with, if the plugin can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Whether that account may do everything, if the plugin can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privileged: Option<bool>,
    /// Whether anybody may read what it connects to, if the plugin can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_access: Option<bool>,
    /// The newest probe of it as it is rendered here, or `None` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// The secret slots for which the target has no value.
    pub missing_slots: Vec<SlotName>,
}

/// What a plugin found when it asked whether a data source's target answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Whether the target answered, if the plugin could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reachable: Option<bool>,
    /// Whether it took the credentials, if the plugin could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticated: Option<bool>,
    /// When it was asked.
    pub at: Timestamp,
}

/// A secret reference in a slot of a data source; the value itself is nowhere in the facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The data source.
    pub source: LogicalId,
    /// The slot.
    pub slot: SlotName,
    /// Where the value lies, `secret://ENVIRONMENT/PATH`.
    pub reference: String,
    /// When the value was last set, or `None` where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_at: Option<Timestamp>,
    /// The other environments that have the very same value somewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<String>,
}

/// A plugin that rendered a data source of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// The component's digest.
    pub digest: Digest,
    /// What it calls itself.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Who in the configuration signed it as its publisher, or `None` where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// Who in the configuration certified it last, or `None` where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certified_by: Option<String>,
    /// Until when it is certified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certified_until: Option<Timestamp>,
    /// Whether somebody in the configuration has revoked it since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_revoked: bool,
    /// When somebody in the configuration ran the conformance suite on it last, or `None` where nobody
    /// did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validated_at: Option<Timestamp>,
    /// Whether it conformed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conforms: Option<bool>,
}

/// How an earlier transition ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PastOutcome {
    /// It was done and stands.
    Done,
    /// It was done and taken back later.
    RolledBack,
    /// It failed, and nothing was changed.
    Failed,
    /// Its gates refused.
    Refused,
}

impl PastOutcome {
    /// The outcome in the words of policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::RolledBack => "rolled-back",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// An earlier transition of the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// What sort.
    pub kind: TransitionKind,
    /// The environment that it changed.
    pub environment: EnvironmentName,
    /// When.
    pub at: Timestamp,
    /// The version's name.
    pub version: String,
    /// The bundle's digest.
    pub bundle: Digest,
    /// Who ran it.
    pub by: String,
    /// How it ended.
    pub outcome: PastOutcome,
    /// How many objects it created, updated or deleted.
    pub objects: u64,
    /// Canonical bytes of what it created and updated, or `None` where nobody has counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// An expiring, co-signed exception, as policies see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The finding's code.
    pub code: String,
    /// Whether it is for this plan's bundle alone; else for all of the app.
    pub is_for_bundle: bool,
    /// Who gave it.
    pub by: String,
    /// Who signed too, or `None` where nobody has yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosigned: Option<String>,
    /// Why.
    pub reason: String,
    /// Where that is written down.
    pub ticket: String,
    /// When it was given.
    pub at: Timestamp,
    /// The first moment at which it no longer holds.
    pub expires: Timestamp,
}

/// A value that still points at an environment below the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leftover {
    /// The object.
    pub object: LogicalId,
    /// Where in its content.
    pub at: Pointer,
    /// The host, URL or id that was found; never a secret.
    pub value: String,
    /// The environment whose value it is.
    pub environment: EnvironmentName,
}

/// What scanners found in what the bundle carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// Version of the rules by which was looked.
    pub scanner: String,
    /// Secrets that are still in the content, and what looks like one until a person has said.
    pub secrets: Vec<SecretFound>,
    /// What looks like data of people.
    pub personal_data: Vec<PersonalDatum>,
}

/// How sure it is that something is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretState {
    /// Its format says so, and it stands there in the clear.
    Clear,
    /// It was taken out because it looks like one; nobody has confirmed or dismissed it.
    Provisional,
}

impl SecretState {
    /// The state in the words of policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Provisional => "provisional",
        }
    }
}

/// A secret, or what looks like one, in what the bundle carries. Its value is not in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretFound {
    /// The object.
    pub object: LogicalId,
    /// Where in its content.
    pub at: Pointer,
    /// What sort of secret, in words.
    pub what: String,
    /// How sure that is.
    pub state: SecretState,
}

/// What looks like data of a person in what the bundle carries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonalDatum {
    /// The object.
    pub object: LogicalId,
    /// Where in its content.
    pub at: Pointer,
    /// Name of the pattern that it meets, such as `iban`.
    pub pattern: String,
    /// The find with all but its ends masked.
    pub sample: String,
}

/// A statement whose signature holds, about a bundle or about an environment's data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The statement's digest.
    pub id: Digest,
    /// The in-toto predicate type, a URI.
    pub predicate_type: String,
    /// The bundle it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Digest>,
    /// The environment where it was produced, or whose data it is about.
    pub environment: EnvironmentName,
    /// When its issuer says that it was produced.
    pub claimed_at: Timestamp,
    /// When Sluice got it.
    pub received_at: Timestamp,
    /// Who signed it.
    pub issuer: Issuer,
    /// What it says.
    pub payload: Payload,
}

/// Who signed a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The key's id.
    pub key: String,
    /// The person or CI identity whose key it is, or `None` for a key nobody in the
    /// configuration has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What a statement says, as far as gates understand it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Payload {
    /// What tests found ([`TESTS_PREDICATE`]).
    Tests(Tests),
    /// How a data source was masked ([`MASKING_PREDICATE`]).
    Masking(Masking),
    /// How much the tests ran ([`COVERAGE_PREDICATE`]).
    Coverage(Coverage),
    /// A person's word on the bundle ([`ACCEPTANCE_PREDICATE`]).
    Acceptance(Acceptance),
    /// What was measured ([`PERFORMANCE_PREDICATE`]).
    Performance(Performance),
    /// Something else, told by its predicate type alone.
    Other,
}

impl Payload {
    /// The payload's name in policies.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Tests(_) => "tests",
            Self::Masking(_) => "masking",
            Self::Coverage(_) => "coverage",
            Self::Acceptance(_) => "acceptance",
            Self::Performance(_) => "performance",
            Self::Other => "other",
        }
    }
}

/// What a run of tests found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tests {
    /// The suite's name; runs of the same suite supersede each other.
    pub suite: String,
    /// How many tests ran to an end, well or not.
    pub executed: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many of them broke.
    pub errors: u64,
    /// How many were left out.
    pub skipped: u64,
}

/// How a data source's data were masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Masking {
    /// The data source.
    pub source: LogicalId,
    /// How, such as `synthetic` or `pseudonymised`.
    pub method: String,
}

/// How much of a bundle its tests ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// The suite's name; measures of the same suite supersede each other.
    pub suite: String,
    /// What is counted, such as `line`, `branch` or `query`.
    pub unit: String,
    /// How many there are.
    pub total: u64,
    /// How many of them ran.
    pub covered: u64,
}

impl Coverage {
    /// Hundredths of a percent that ran, rounded down: 9,999 is 99.99 %, and only all is 10,000.
    /// Nothing to run is nothing covered.
    #[must_use]
    pub fn hundredths(&self) -> u64 {
        let covered = u128::from(self.covered.min(self.total)) * 10_000;
        covered.checked_div(u128::from(self.total)).and_then(|part| u64::try_from(part).ok()).unwrap_or(0)
    }
}

/// A person's word on a bundle as they saw it in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// What was looked at, such as `user-acceptance`.
    pub scope: String,
    /// Whether it was accepted.
    pub accepted: bool,
}

/// What was measured of a bundle's speed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Performance {
    /// What was measured, such as `page-load` or `query orders`.
    pub measure: String,
    /// How many times.
    pub samples: u64,
    /// The 95th percentile, in milliseconds.
    pub p95_ms: u64,
}

/// A person's consent to a plan digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Who.
    pub person: String,
    /// The roles that the person had in the adopted configuration when the gates were asked.
    pub roles: Vec<String>,
    /// The plan consented to.
    pub plan: Digest,
    /// The change record that the person names, such as `CHG-1042`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A person of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Their name in the configuration.
    pub name: String,
    /// Their roles.
    pub roles: Vec<String>,
}

/// Why facts cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// Not JSON within the limits.
    #[error("the facts cannot be read: {0}")]
    Json(#[from] json::ReadError),
    /// JSON, but not of this shape.
    #[error("the facts cannot be read: {0}")]
    Shape(String),
    /// The clock is behind the ledger.
    #[error(
        "the clock says {now}, which is before the last entry of the ledger at {last_entry}: set the clock right"
    )]
    ClockBehind {
        /// The clock.
        now: Timestamp,
        /// The ledger.
        last_entry: Timestamp,
    },
}

impl Facts {
    /// Reads facts from JSON of at most [`MOST_FACT_BYTES`].
    ///
    /// # Errors
    /// When it is not JSON, too large, misses something or holds something unknown.
    pub fn read(bytes: &[u8]) -> Result<Self, FactsError> {
        let value = json::read(bytes, MOST_FACT_BYTES)?;
        serde_json::from_value(value).map_err(|error| FactsError::Shape(error.to_string()))
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// [`FactsError::Shape`], never for facts that came out of [`Facts::read`].
    pub fn canonical(&self) -> Result<Vec<u8>, FactsError> {
        json::canonical_of(self).map_err(|error| FactsError::Shape(error.to_string()))
    }

    /// The digest of the canonical bytes.
    ///
    /// # Errors
    /// As [`Facts::canonical`].
    pub fn digest(&self) -> Result<Digest, FactsError> {
        self.canonical().map(|bytes| Digest::of(&bytes))
    }

    /// Whether the fact that a policy declares by this name was gathered.
    #[must_use]
    pub fn has(&self, fact: &str) -> bool {
        let is_there = match fact {
            "scan" => self.scan.is_some(),
            "evidence" => self.evidence.is_some(),
            "approvals" => self.approvals.is_some(),
            "calendars" => self.calendars.is_some(),
            "waivers" => self.waivers.is_some(),
            "history" => self.history.is_some(),
            "plugins" => self.plugins.is_some(),
            _ => true,
        };
        is_there && !self.not_gathered.iter().any(|missing| missing == fact)
    }

    /// Refuses a clock that is behind the ledger.
    ///
    /// # Errors
    /// [`FactsError::ClockBehind`].
    pub fn check_clock(&self) -> Result<(), FactsError> {
        match self.last_entry {
            Some(last_entry) if self.now < last_entry => {
                Err(FactsError::ClockBehind { now: self.now, last_entry })
            }
            _ => Ok(()),
        }
    }
}

/// Facts that were checked and digested once, to be judged by many gates, also at the same time.
#[derive(Debug)]
pub struct ReadyFacts {
    facts: Arc<Facts>,
    digest: Digest,
    /// By the number of a name: where the rows of each text of that field lie, or that they cannot
    /// be told so. Made when a gate first asks; gates that ask at the same time share no lock.
    indexes: Arc<[OnceLock<Option<Index>>]>,
}

impl ReadyFacts {
    /// Checks and digests facts.
    ///
    /// # Errors
    /// [`FactsError`] for a clock that is behind the ledger.
    pub fn new(facts: impl Into<Arc<Facts>>) -> Result<Arc<Self>, FactsError> {
        let facts = facts.into();
        facts.check_clock()?;
        let digest = facts.digest()?;
        let indexes = std::iter::repeat_with(OnceLock::new).take(MOST_NAMES).collect();
        Ok(Arc::new(Self { facts, digest, indexes }))
    }

    /// The same facts for one thread: every gate counts itself among the users of what it is lent,
    /// and to count together is slow.
    pub(crate) fn local(&self) -> Arc<Self> {
        let (facts, indexes) = (Arc::clone(&self.facts), Arc::clone(&self.indexes));
        Arc::new(Self { facts, digest: self.digest, indexes })
    }

    /// The facts.
    #[must_use]
    pub const fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// The digest of their canonical bytes.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The place of the index of the name of this number.
    pub(crate) fn index(&self, name: usize) -> Option<&OnceLock<Option<Index>>> {
        self.indexes.get(name)
    }
}
