//! What can go wrong, sorted by what a person can do about it.

use sluice_model::names::BadName;
use sluice_model::tree::TreeError;
use sluice_model::{Digest, EnvironmentName, LogicalId};

use crate::config::ConfigErrors;

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it is; the command line's exit codes follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Something broke or is not there.
    Failed,
    /// The request itself is wrong.
    Usage,
    /// A rule refuses.
    Denied,
    /// The actor may not do that.
    NotPermitted,
    /// It waits for a person or a time.
    Pending,
}

/// Why the engine did not do what was asked. State is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration has mistakes.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// Configuration, policies or plugins differ from what was adopted.
    #[error("not adopted yet: {what}")]
    NotAdopted {
        /// What changed.
        what: String,
    },
    /// There is no workspace.
    #[error("`{0}` is not a workspace: it has no `sluice.toml` and store")]
    NoWorkspace(String),
    /// A configuration without a store, as in a checkout.
    #[error("`{0}` has a `sluice.toml` and no store")]
    NoStore(String),
    /// A workspace whose store is gone.
    #[error("the store `{0}` of this workspace is missing")]
    StoreMissing(String),
    /// A workspace that no longer says which one it is.
    #[error("`{0}`, which holds the id of this workspace, is missing")]
    IdMissing(String),
    /// There is one already.
    #[error("`{0}` already holds a workspace")]
    WorkspaceExists(String),
    /// A name that nothing has.
    #[error("there is no {what} `{named}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// By which name.
        named: String,
        /// What to do.
        help: String,
    },
    /// A name that several things have.
    #[error("`{named}` names {count} {what}: {candidates}")]
    Ambiguous {
        /// What was looked for.
        what: &'static str,
        /// By which name.
        named: String,
        /// How many have it.
        count: usize,
        /// Their ids.
        candidates: String,
    },
    /// A request that cannot be met as it stands.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// The actor may not do this.
    #[error("`{actor}` may not {act}")]
    NotPermitted {
        /// Who.
        actor: String,
        /// What.
        act: String,
        /// Who may.
        who: String,
    },
    /// Matches by name and kind wait for a person.
    #[error("{count} matches by name wait for your word before anything is imported")]
    MatchesToConfirm {
        /// How many.
        count: usize,
        /// What to pass to confirm exactly these.
        digest: String,
        /// The matches.
        matches: Vec<crate::identity::Match>,
    },
    /// The plan cannot be carried out.
    #[error("the plan has {} open problems", .0.problems.len())]
    PlanRefused(Box<crate::plan::Plan>),
    /// The gates refuse.
    #[error("the gates say {}", .0.outcome)]
    Refused(Box<sluice_policy::Decision>),
    /// A gate that refuses nothing ran out of time whenever it was asked, so that what was decided could
    /// not be made again.
    #[error(
        "nothing was done: out of time ran {}, and a decision without an answer cannot be kept",
        gates_in(gates)
    )]
    OutOfTime {
        /// The gates.
        gates: Vec<String>,
    },
    /// The plan is not the one that was named.
    #[error("the plan is now {now}, not {named}: {what} changed since")]
    PlanChanged {
        /// What was asked for.
        named: String,
        /// What it would be now.
        now: Digest,
        /// What differs.
        what: String,
    },
    /// Somebody else writes to the environment.
    #[error("`{environment}` is being written to by `{holder}` ({purpose})")]
    LeaseHeld {
        /// The environment.
        environment: EnvironmentName,
        /// By whom.
        holder: String,
        /// What for.
        purpose: String,
    },
    /// Somebody else wrote first.
    #[error("`{stream}` was changed by somebody else at the same time")]
    Conflict {
        /// The stream.
        stream: String,
    },
    /// Another configuration counts than the one by which an act was judged.
    #[error("the configuration was changed by somebody else since this command began")]
    ConfigurationChanged,
    /// A rollback would undo later work.
    #[error("{} objects changed after the promotion that is to be taken back", .objects.len())]
    RollbackConflicts {
        /// Which.
        objects: Vec<LogicalId>,
    },
    /// A promotion that is to be taken back has a later one of the same app on top of it.
    #[error("promotion {later} of `{app}` {version} came to `{environment}` after promotion {number}")]
    Overtaken {
        /// Its number.
        number: u64,
        /// The newest one's.
        later: u64,
        /// What people call the app.
        app: String,
        /// The version that the newest one brought.
        version: String,
        /// The environment.
        environment: EnvironmentName,
    },
    /// A clock that went backwards.
    #[error("the clock says {now}, before the last entry of the ledger at {last}")]
    ClockBehind {
        /// The clock's time.
        now: String,
        /// The ledger's.
        last: String,
    },
    /// Content that should be there is not.
    #[error("content {0} is missing from the store")]
    ContentMissing(Digest),
    /// Content that is not of its form.
    #[error("content {digest} in the store is damaged: {source}")]
    ContentDamaged {
        /// Which.
        digest: Digest,
        /// How.
        source: serde_json::Error,
    },
    /// A record of the store that is not what it should be.
    #[error("revision {revision} of `{stream}` is damaged: {what}")]
    RecordDamaged {
        /// The stream.
        stream: String,
        /// The revision.
        revision: u64,
        /// What is wrong with it.
        what: String,
    },
    /// Evidence that cannot be taken.
    #[error("`{file}` is no evidence that can be taken: {what}")]
    BadEvidence {
        /// The file.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// An export that cannot be read.
    #[error(transparent)]
    Export(#[from] sluice_platform::ReadError),
    /// An export whose parts do not fit together.
    #[error(transparent)]
    Decode(#[from] sluice_platform::DecodeError),
    /// Objects that cannot be written in the platform's format.
    #[error(transparent)]
    Encode(#[from] sluice_platform::EncodeError),
    /// A plugin that failed.
    #[error(transparent)]
    Plugin(#[from] sluice_plugin::PluginError),
    /// A lock file that cannot be used.
    #[error("`sluice.lock` is not one: {what}")]
    BadLock {
        /// What is wrong.
        what: String,
    },
    /// A plugin that is not trusted.
    #[error("plugin `{plugin}` does not count: {why}")]
    Untrusted {
        /// The plugin.
        plugin: String,
        /// Why not.
        why: String,
        /// What makes it.
        help: String,
    },
    /// A plugin that is to be certified and does not conform.
    #[error("plugin `{plugin}` cannot be certified: it does not conform, as it fails {checks}")]
    NotConforming {
        /// The plugin.
        plugin: String,
        /// The checks of the suite that it fails.
        checks: String,
        /// Where its component lies.
        file: String,
    },
    /// Two plugins for one kind, or the like.
    #[error(transparent)]
    Registry(#[from] sluice_plugin::RegistryError),
    /// A policy pack that cannot be used.
    #[error(transparent)]
    Policy(#[from] sluice_policy::PackError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] sluice_store::StoreError),
    /// The ledger is not whole.
    #[error("{what}")]
    LedgerBroken {
        /// The first entry that is not as it was, from 0.
        entry: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The ledger is whole, and says that something was done without what had to come before it.
    #[error("entry {entry} of the ledger: {what}")]
    Unwarranted {
        /// The first such entry, from 0.
        entry: u64,
        /// What was done, and what is missing.
        what: String,
    },
    /// A checkpoint that was kept elsewhere and vouches for nothing.
    #[error("the kept checkpoint: {0}")]
    Checkpoint(#[from] sluice_ledger::checkpoint::CheckpointError),
    /// The plugin host cannot run here.
    #[error(transparent)]
    Host(#[from] sluice_plugin::HostError),
    /// A gate that does not fit its policy.
    #[error(transparent)]
    Gate(#[from] sluice_policy::GateError),
    /// A root key that cannot be used.
    #[error(transparent)]
    RootKey(#[from] sluice_vault::RootKeyError),
    /// Bytes that are no sealed secret.
    #[error(transparent)]
    NotSealed(#[from] sluice_vault::NotSealed),
    /// A key that is undamaged, and not this workspace's.
    #[error("{origin} is not the {what} of this workspace: it is `{given}`, and `{made}` is wanted")]
    WrongKey {
        /// Which of the workspace's keys.
        what: &'static str,
        /// The file or variable, in words.
        origin: String,
        /// The name of the key that is there.
        given: String,
        /// The name of the key that the workspace was made with.
        made: String,
    },
    /// A key that cannot be used.
    #[error(transparent)]
    Key(#[from] sluice_ledger::keyfile::KeyFileError),
    /// A statement that cannot be used.
    #[error(transparent)]
    Statement(#[from] sluice_ledger::statement::StatementError),
    /// A sealed value that cannot be opened, or a root key that cannot be used.
    #[error(transparent)]
    Vault(#[from] sluice_vault::VaultError),
    /// A file that cannot be read or written.
    #[error("`{path}`: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A name that breaks the rules.
    #[error(transparent)]
    Name(#[from] BadName),
    /// Something that does not become JSON.
    #[error("could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<TreeError<Self>> for Error {
    fn from(error: TreeError<Self>) -> Self {
        match error {
            TreeError::Blobs(error) => error,
            TreeError::Missing(digest) => Self::ContentMissing(digest),
            TreeError::Damaged(digest) => Self::ContentDamaged {
                digest,
                source: serde::de::Error::custom("not a node of a content tree"),
            },
        }
    }
}

/// Gates by their names, in words.
fn gates_in(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("{} {}", if names.len() == 1 { "gate" } else { "gates" }, names.join(", "))
}

impl Error {
    /// A file that could not be read or written.
    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { path, source }
    }

    /// A request that cannot be met, with the way out.
    pub(crate) fn invalid(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), help: help.into() }
    }

    /// What sort of failure it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::PlanRefused(_)
            | Self::PlanChanged { .. }
            | Self::RollbackConflicts { .. }
            | Self::NotConforming { .. }
            | Self::Overtaken { .. } => Class::Denied,
            Self::Refused(decision) => match decision.outcome {
                sluice_model::verdict::Outcome::Denied => Class::Denied,
                sluice_model::verdict::Outcome::Pending => Class::Pending,
                _ => Class::Failed,
            },
            Self::MatchesToConfirm { .. } | Self::LeaseHeld { .. } => Class::Pending,
            Self::NotPermitted { .. } => Class::NotPermitted,
            Self::NotFound { .. }
            | Self::Ambiguous { .. }
            | Self::Invalid { .. }
            | Self::Name(_)
            | Self::NoWorkspace(_)
            | Self::NoStore(_)
            | Self::WorkspaceExists(_) => Class::Usage,
            _ => Class::Failed,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotAdopted { .. } => "see what changed with `sluice config diff`, then an owner runs `sluice config adopt`".into(),
            Self::BadLock { .. } => "install its plugins again with `sluice plugin install`".into(),
            Self::Untrusted { help, .. } => help.clone(),
            Self::NotConforming { file, .. } => {
                format!("see what was found with `sluice plugin test {file}`, and take a version that conforms")
            }
            Self::NoWorkspace(_) => "make one with `sluice init`, or name its folder with `--workspace`".into(),
            Self::NoStore(_) => {
                "copy `.sluice` here from where this workspace is kept, and its keys with it; or make a new store for this \
                 configuration with `sluice init`, where all that was done begins anew"
                    .into()
            }
            Self::StoreMissing(_) => "restore it from a backup".into(),
            Self::IdMissing(_) => {
                "restore it from a backup, or write into it the id that `sluice ledger verify` tells of the store; where \
                 `sluice init` was interrupted, run it again"
                    .into()
            }
            Self::WorkspaceExists(_) => "choose another folder".into(),
            Self::NotFound { help, .. } | Self::Invalid { help, .. } => help.clone(),
            Self::Ambiguous { .. } => "name it by its id".into(),
            Self::NotPermitted { who, .. } => format!("this is for {who}"),
            Self::MatchesToConfirm { digest, .. } => {
                format!("check them, then run the same command with `--confirm {digest}`")
            }
            Self::PlanRefused(_) => "solve each problem as it says, then plan again".into(),
            Self::Refused(_) => "see each finding and its fix with `sluice why`".into(),
            Self::OutOfTime { .. } => {
                "run the command again when this machine has less to do; where that does not help, the policy takes too \
                 long: mend it, or take the gate out"
                    .into()
            }
            Self::PlanChanged { .. } => "look at the new plan, and have it approved again".into(),
            Self::LeaseHeld { .. } => "try again later, or wait with `--wait`; after a crash run `sluice resume`".into(),
            Self::Checkpoint(_) => "give the file as `sluice promote` printed it; if it is, one of the two was changed".into(),
            Self::Export(sluice_platform::ReadError::TooLarge { .. }) => {
                "export less, or raise the limit: `import` of `[limits]` in `sluice.toml`, or `--limit` of `sluice inspect`".into()
            }
            Self::Conflict { .. } | Self::ConfigurationChanged => "run the command again".into(),
            Self::RollbackConflicts { .. } => "take back the later promotion first, or promote a version that has what you want".into(),
            Self::Overtaken { later, .. } => {
                format!("take back promotion {later} first, or promote a version that has what you want")
            }
            Self::ClockBehind { .. } => "set the clock of this machine right".into(),
            Self::WrongKey { what, .. } => {
                format!("put this workspace's own {what} there, from the copy that was made of it")
            }
            Self::Unwarranted { .. } => {
                "see who did it with `sluice history`, take back what it brought, and look at that person's key".into()
            }
            Self::ContentMissing(_) | Self::ContentDamaged { .. } | Self::RecordDamaged { .. } => {
                "run `sluice ledger verify` to see how far the damage goes, and restore the store from a backup".into()
            }
            _ => return None,
        })
    }
}
