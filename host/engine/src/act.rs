//! Acts: everything that changes a workspace, each signed by the person who did it.
//!
//! An act is the predicate of an in-toto statement whose envelope, with a salt, is the body of a
//! revision. The state of a stream is what its newest act says; nothing else is kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_model::{ConstantName, Digest, EnvironmentName, LogicalId, SecretRef, SlotName};

use crate::state::EnvironmentState;

/// The predicate type of acts.
pub const PREDICATE: &str = "https://sluice.dev/act/v1";

/// One act, as it is signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// The workspace's id.
    pub workspace: String,
    /// Who did it.
    pub actor: String,
    /// When, by the clock of the actor's machine.
    pub at: Timestamp,
    /// The stream it is the next revision of.
    pub stream: String,
    /// That revision's number.
    pub revision: u64,
    /// The newest revision of the stream `workspace` that was known when it was judged whether the
    /// actor may do it: the configuration by which it was judged. Before one was adopted, 0 or 1.
    pub configuration: u64,
    /// What was done.
    pub what: What,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum What {
    /// A workspace was made.
    Initialised {
        /// Its name in configuration.
        name: String,
        /// The public key that signs checkpoints of its ledger.
        log_key: String,
        /// The name of the root key from which its vault is keyed.
        root_key: String,
    },
    /// Configuration, policies and plugins were adopted.
    ConfigAdopted {
        /// The [`crate::workspace::Adopted`] content.
        adopted: Digest,
        /// What changed, in words.
        changes: Vec<String>,
    },
    /// An export was read into an environment.
    Imported {
        /// The environment after.
        state: Box<EnvironmentState>,
        /// What came in.
        summary: ImportSummary,
    },
    /// Objects were marked as candidates for promotion, or no longer.
    Managed {
        /// Tree of managed objects after.
        managed: Digest,
        /// Which.
        objects: Vec<LogicalId>,
        /// Whether they are managed now.
        on: bool,
    },
    /// A version was cut.
    VersionCut(VersionCut),
    /// An owner changed what their environment owns.
    SettingChanged {
        /// Tree of the environment's settings after.
        settings: Digest,
        /// What changed.
        change: SettingChange,
    },
    /// A person said whether what looks like a secret is one.
    SuspicionJudged {
        /// Tree of judgements after.
        judgements: Digest,
        /// The provisional slot.
        slot: SlotName,
        /// The object in which it stands.
        object: LogicalId,
        /// Whether it is a secret.
        secret: bool,
        /// Why.
        reason: String,
    },
    /// Evidence came in.
    EvidenceAdded {
        /// Its predicate type.
        predicate_type: String,
        /// The bundle it speaks of, if it does.
        bundle: Option<Digest>,
        /// The environment where it was produced, or whose data it speaks of.
        environment: EnvironmentName,
        /// The signed envelope's content.
        envelope: Digest,
        /// Who signed it.
        issuer: String,
    },
    /// A person consented to a plan.
    Approved {
        /// The plan's digest.
        plan: Digest,
        /// What they say to it.
        reason: Option<String>,
        /// The change record that they name.
        ticket: Option<String>,
    },
    /// A `soft` gate is passed over on one plan.
    Overridden {
        /// The plan's digest.
        plan: Digest,
        /// The gate.
        gate: String,
        /// Why.
        reason: String,
    },
    /// An exception was asked for; it counts once somebody else has signed it too.
    Waived(Waiver),
    /// A waiver was signed by a second person.
    WaiverCosigned {
        /// The waiver's number.
        number: u64,
    },
    /// The refusals of one plan are to be lifted in an emergency; it counts once somebody else has
    /// signed it too, and for one hour from now.
    BrokeGlass(BreakGlass),
    /// An emergency act was signed by a second person.
    BreakGlassCosigned {
        /// The plan's digest.
        plan: Digest,
        /// The revision of the emergency act in the plan's stream.
        number: u64,
    },
    /// A run that an emergency act let through is to be looked at.
    ReviewOpened(Review),
    /// It was looked at.
    ReviewClosed {
        /// The review's number.
        number: u64,
        /// What came out.
        reason: String,
    },
    /// Somebody said something of a plugin.
    PluginStated {
        /// The statement's predicate type.
        predicate_type: String,
        /// The component's digest.
        plugin: Digest,
        /// The signed envelope's content.
        envelope: Digest,
        /// Who signed it.
        issuer: String,
        /// The conformance suite's report that the statement names, where it was brought with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<Digest>,
    },
    /// A plugin asked whether a data source's target answers.
    Probed {
        /// The environment.
        environment: EnvironmentName,
        /// The data source.
        source: LogicalId,
        /// The plugin.
        plugin: Digest,
        /// The data source as it was rendered.
        rendered: Digest,
        /// Whether the target answered, where the plugin could tell.
        reachable: Option<bool>,
        /// Whether it took the credentials, where the plugin could tell.
        authenticated: Option<bool>,
        /// Which filing of its secret filled each slot, by number.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        filled: BTreeMap<SlotName, u64>,
        /// Why the plugin found nothing: it broke, or met a limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<String>,
    },
    /// The right to write to an environment was taken.
    LeaseTaken {
        /// The environment with the lease.
        state: Box<EnvironmentState>,
    },
    /// The right to write was given back with nothing written.
    LeaseReturned {
        /// The environment without the lease.
        state: Box<EnvironmentState>,
    },
    /// A run of a transition was begun: journaled before anything is written.
    PromotionProposed(Proposal),
    /// The environment was swapped: the one commit point.
    Committed {
        /// The environment after.
        state: Box<EnvironmentState>,
        /// The promotion's number in this environment.
        promotion: u64,
        /// The content of the decision that let it through: of the gates as they were asked right
        /// before it.
        decision: Digest,
    },
    /// A run of a transition came to its end.
    PromotionEnded {
        /// The promotion's number in its environment.
        promotion: u64,
        /// How.
        ended: Ended,
    },
    /// A run of a transition was refused by its gates.
    PromotionRefused {
        /// What kind of transition.
        transition: String,
        /// The app.
        app: LogicalId,
        /// The version.
        version: String,
        /// Its bundle.
        bundle: Digest,
        /// How much it would have changed.
        size: Size,
        /// The plan.
        plan: Digest,
        /// The decision's content.
        decision: Digest,
        /// What the decision came to.
        outcome: String,
    },
}

/// What an import brought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportSummary {
    /// The files' names, without folders.
    pub files: Vec<String>,
    /// The platform.
    pub platform: String,
    /// The platform's generation of exports.
    pub generation: String,
    /// The apps in it.
    pub apps: Vec<LogicalId>,
    /// How many objects are new. Which, the content before and after tells.
    pub created: usize,
    /// How many changed.
    pub updated: usize,
    /// How many are gone.
    pub deleted: usize,
    /// How many stayed as they were.
    pub unchanged: usize,
    /// Native ids that were learnt.
    pub learnt: usize,
    /// Option sets of data sources that are not the app's, dropped unread.
    pub orphans: usize,
    /// Secrets that were taken out into the vault.
    pub secrets: usize,
    /// Texts that look like secrets and wait for a person.
    pub suspicions: usize,
    /// Bindings proposed for other environments, as `<environment>/<source>`.
    pub proposals: Vec<String>,
    /// Whether it only recorded native ids and a baseline.
    pub baseline: bool,
}

/// A version: a named bundle of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionCut {
    /// The app.
    pub app: LogicalId,
    /// The version's name.
    pub version: String,
    /// The bundle's digest, which is that of its content.
    pub bundle: Digest,
    /// The earlier version it was cut from, if it was not the working copy.
    pub from: Option<String>,
    /// What its author says of it.
    pub note: Option<String>,
}

/// What an owner changed in an environment's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SettingChange {
    /// A data source's binding was set.
    BindingSet {
        /// The data source.
        source: LogicalId,
    },
    /// A proposed binding was adopted.
    BindingAdopted {
        /// The data source.
        source: LogicalId,
        /// The import's proposal, as `<environment>/<source>`.
        proposal: String,
    },
    /// A constant was set.
    ConstantSet {
        /// The constant.
        name: ConstantName,
    },
    /// A secret was filed. Its value is sealed and not here.
    SecretSet {
        /// Where it lies.
        reference: SecretRef,
    },
    /// Something was taken away.
    Removed {
        /// The setting's key.
        key: String,
    },
}

/// An exception to one finding code for one app or bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Its number in the workspace, from 1.
    pub number: u64,
    /// The finding code it lifts.
    pub code: String,
    /// The app it is for.
    pub app: LogicalId,
    /// The only bundle it is for, if it is for one.
    pub bundle: Option<Digest>,
    /// The environment into which it lets.
    pub environment: EnvironmentName,
    /// Why.
    pub reason: String,
    /// Where that is discussed.
    pub ticket: String,
    /// When it ends.
    pub expires: Timestamp,
}

/// An emergency act on one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakGlass {
    /// The plan's digest.
    pub plan: Digest,
    /// Why.
    pub reason: String,
    /// Where that is discussed.
    pub ticket: String,
}

/// A run that an emergency act let through, to be looked at by somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Its number in the workspace, from 1.
    pub number: u64,
    /// The app.
    pub app: LogicalId,
    /// The environment that the run changes.
    pub environment: EnvironmentName,
    /// The run's number in it.
    pub promotion: u64,
    /// The plan's digest.
    pub plan: Digest,
    /// Who broke the glass.
    pub by: String,
    /// Who signed that as the second person.
    pub cosigned: String,
    /// Why.
    pub reason: String,
    /// Where that is discussed.
    pub ticket: String,
}

/// How much a transition changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// How many objects are created, updated or deleted.
    pub objects: u64,
    /// Canonical bytes of what is created and updated.
    pub bytes: u64,
}

/// A run of a transition that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Its number in the environment, from 1: the revision of the list it stands in.
    pub number: u64,
    /// What kind of transition.
    pub transition: String,
    /// The app.
    pub app: LogicalId,
    /// The version.
    pub version: String,
    /// Its bundle.
    pub bundle: Digest,
    /// How much it changes.
    pub size: Size,
    /// The environment it comes from; its own for a rollback or release.
    pub from: EnvironmentName,
    /// The plan's content.
    pub plan: Digest,
    /// The plan's digest: what people approved.
    pub plan_digest: Digest,
    /// The decision's content.
    pub decision: Digest,
    /// The objects that change: the content of a list of [`crate::state::Touched`].
    pub touched: Digest,
    /// The environment's content before and after.
    pub before: Digest,
    /// As it will be.
    pub after: Digest,
    /// The revision of the environment that carries the lease.
    pub fence: u64,
    /// For a rollback, the promotion that it takes back.
    pub takes_back: Option<u64>,
}

/// How a run of a transition ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ended {
    /// The environment holds what the plan said; it was read back.
    Done,
    /// It did not come to the commit point; nothing was written.
    Undone {
        /// Why.
        reason: String,
    },
}
