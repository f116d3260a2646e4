//! The story of the demonstration, as data.

/// One thing that happens.
pub(crate) enum Act {
    /// Somebody explains.
    Say(&'static str),
    /// A sample is put into the workspace's folder.
    Sample {
        /// Its path in `tests/samples`.
        from: &'static str,
        /// Its path in the workspace's folder.
        to: &'static str,
    },
    /// A file is edited.
    Edit {
        /// Its path in the workspace's folder.
        file: &'static str,
        /// What stands there.
        old: &'static str,
        /// What is put in its place.
        new: &'static str,
    },
    /// A command is typed.
    Sluice(Run),
}

/// A command and how it ends.
pub(crate) struct Run {
    /// What stands behind `sluice`; `{name}` is what an earlier answer held.
    pub(crate) arguments: &'static [&'static str],
    /// What is put into its standard input.
    pub(crate) input: Option<&'static str>,
    /// The exit code: 0 done, 1 failed, 2 usage, 3 denied, 4 not permitted, 5 pending.
    pub(crate) exit: i32,
    /// A name, and the text in the answer that what it stands for begins with, or follows where
    /// the text ends in a blank.
    pub(crate) keep: Option<(&'static str, &'static str)>,
}

/// A command that succeeds.
const fn done(arguments: &'static [&'static str]) -> Act {
    Act::Sluice(Run { arguments, input: None, exit: 0, keep: None })
}

/// A command that reads a value and succeeds.
const fn given(arguments: &'static [&'static str], input: &'static str) -> Act {
    Act::Sluice(Run { arguments, input: Some(input), exit: 0, keep: None })
}

/// A command that ends with this exit code.
const fn ends(exit: i32, arguments: &'static [&'static str]) -> Act {
    Act::Sluice(Run { arguments, input: None, exit, keep: None })
}

/// A command that succeeds, and a part of its answer that is used later.
const fn kept(name: &'static str, before: &'static str, arguments: &'static [&'static str]) -> Act {
    Act::Sluice(Run { arguments, input: None, exit: 0, keep: Some((name, before)) })
}

/// The story: an app goes from development to production, is refused for good reasons on the way,
/// and is taken back.
pub(crate) const STORY: &[Act] = &[
    Act::Say("A workspace, a person with a key, and a configuration that counts."),
    done(&["init", "orders"]),
    done(&["key", "new", "ada"]),
    done(&["config", "adopt"]),
    Act::Say("An export of the platform comes in; one app becomes a candidate for promotion."),
    Act::Sample { from: "tooljet/orders.json", to: "orders.json" },
    done(&["inspect", "orders.json"]),
    done(&["import", "development", "orders.json"]),
    done(&["manage", "Orders"]),
    done(&["version", "cut", "Orders", "--name", "1.0"]),
    Act::Say("Staging has no bindings and no secrets yet: nothing passes by default."),
    ends(3, &["plan", "Orders", "--to", "staging"]),
    done(&["binding", "adopt", "staging", "--all"]),
    given(&["secret", "set", "staging", "orders-db/password"], "staging-password\n"),
    given(&["constant", "set", "staging", "constants.API_URL"], "https://api.staging.example\n"),
    kept("plan", "sha256:", &["plan", "Orders", "--to", "staging"]),
    Act::Say("Without evidence the gates wait."),
    ends(5, &["check", "{plan}"]),
    Act::Sample { from: "tooljet/junit.xml", to: "junit.xml" },
    done(&["evidence", "add", "tests", "Orders", "--environment", "development", "junit.xml"]),
    done(&["check", "{plan}"]),
    done(&["promote", "{plan}"]),
    Act::Say("The platform gets what was promoted; its own ids come back."),
    done(&["export", "staging", "Orders", "--file", "orders.staging.json"]),
    done(&["import", "staging", "orders.staging.json"]),
    Act::Say("Production is closed now, whenever this is played: its window opens in another year."),
    Act::Edit {
        file: "sluice.toml",
        old: "start = \"2026-01-05T09:00:00\"",
        new: "start = \"2099-01-05T09:00:00\"",
    },
    ends(3, &["plan", "Orders", "--to", "production"]),
    done(&["config", "adopt"]),
    done(&["binding", "adopt", "production", "--all"]),
    given(&["secret", "set", "production", "orders-db/password"], "production-password\n"),
    given(&["constant", "set", "production", "constants.API_URL"], "https://api.example\n"),
    done(&["evidence", "add", "tests", "Orders", "--environment", "staging", "junit.xml"]),
    kept("plan", "sha256:", &["plan", "Orders", "--to", "production"]),
    ends(5, &["check", "{plan}"]),
    done(&["approve", "{plan}"]),
    ends(3, &["check", "{plan}"]),
    done(&["check", "{plan}", "--at", "2099-01-05T10:00:00Z"]),
    done(&["waive", "Orders", "window.closed", "--reason", "the demonstration cannot wait", "--for", "1h"]),
    done(&["promote", "{plan}"]),
    done(&["release", "Orders", "--in", "production"]),
    Act::Say("And back again: a rollback is a plan of its own."),
    done(&["rollback", "Orders", "--in", "production"]),
    Act::Say("What happened, and that nobody changed it since."),
    done(&["status"]),
    done(&["history"]),
    done(&["ledger", "verify"]),
];
