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

/// The story: an app of ToolJet goes from development to production, is refused for good reasons on
/// the way, and is taken back; one of Lowcoder follows. Two people play it: `ada`, who acts unless
/// said otherwise, and `ben`.
pub(crate) const STORY: &[Act] = &[
    Act::Say("A workspace, two people with keys, and a configuration that counts."),
    done(&["init", ".", "--name", "orders"]),
    done(&["key", "new", "ada"]),
    done(&["key", "new", "ben", "--role", "approver"]),
    Act::Edit {
        file: "sluice.toml",
        old: "single_operator = \"the workspace was just set up by one person\"",
        new: "# There are two of us.",
    },
    Act::Say("Production is closed until tomorrow, whenever this is played, and freezes some other time."),
    Act::Edit {
        file: "sluice.toml",
        old: "start = \"2026-01-05T09:00:00\"",
        new: "start = \"{tomorrow}T00:00:00\"",
    },
    Act::Edit { file: "sluice.toml", old: "BYDAY=MO,TU,WE,TH", new: "BYDAY=MO,TU,WE,TH,FR,SA,SU" },
    Act::Edit {
        file: "sluice.toml",
        old: "start = \"2026-12-18T00:00:00\"",
        new: "start = \"{long-ago}T00:00:00\"",
    },
    done(&["config", "adopt"]),
    Act::Say("An export of ToolJet comes in; one app becomes a candidate for promotion."),
    Act::Sample { from: "tooljet/orders.json", to: "orders.json" },
    done(&["inspect", "orders.json"]),
    done(&["import", "development", "orders.json"]),
    done(&["import", "development", "orders.json"]),
    done(&["secret", "suspicions"]),
    done(&["secret", "dismiss", "name@/options/headers/1/1", "--reason", "a made-up key of the sample"]),
    done(&["manage", "Orders", "--with-dependencies"]),
    done(&["version", "cut", "Orders", "1.0"]),
    Act::Say("Staging has no bindings, secrets and constants yet: nothing passes by default."),
    ends(3, &["plan", "Orders", "--to", "staging"]),
    done(&["binding", "adopt", "staging", "--all"]),
    given(&["secret", "set", "secret://staging/orders-db/password"], "not-the-real-one\n"),
    given(&["secret", "set", "secret://staging/billing-api/bearer-token"], "not-the-real-one\n"),
    given(&["secret", "set", "secret://staging/receipts/secret-key"], "not-the-real-one\n"),
    given(&["constant", "set", "staging", "constants.API_VERSION"], "v2\n"),
    given(&["constant", "set", "staging", "constants.RECEIPTS_BUCKET"], "receipts-staging\n"),
    given(&["constant", "set", "staging", "secrets.BILLING_TOKEN"], "not-the-real-one\n"),
    done(&["plan", "Orders", "--to", "staging"]),
    Act::Say("Without evidence the gates wait; with it they let through."),
    ends(5, &["check", "Orders", "--to", "staging"]),
    Act::Sample { from: "junit-pass.xml", to: "junit.xml" },
    done(&["evidence", "add", "junit.xml", "--app", "Orders", "--environment", "development"]),
    done(&["check", "Orders", "--to", "staging"]),
    done(&["promote", "Orders", "--to", "staging"]),
    Act::Say("The platform gets what was promoted; its own ids come back and are matched by a person."),
    done(&["export", "staging", "Orders", "--out", "for-staging"]),
    Act::Sample { from: "tooljet/orders-staging.json", to: "orders-staging.json" },
    Act::Sluice(Run {
        arguments: &["import", "staging", "orders-staging.json"],
        input: None,
        exit: 5,
        keep: Some(("matches", "--confirm ")),
    }),
    done(&["import", "staging", "orders-staging.json", "--confirm", "{matches}"]),
    Act::Say("On to production, which has its own settings, a closed window and a second person."),
    done(&["binding", "adopt", "production", "--all"]),
    given(&["secret", "set", "secret://production/orders-db/password"], "not-the-real-one\n"),
    given(&["secret", "set", "secret://production/billing-api/bearer-token"], "not-the-real-one\n"),
    given(&["secret", "set", "secret://production/receipts/secret-key"], "not-the-real-one\n"),
    given(&["constant", "set", "production", "constants.API_VERSION"], "v2\n"),
    given(&["constant", "set", "production", "constants.RECEIPTS_BUCKET"], "receipts-production\n"),
    given(&["constant", "set", "production", "secrets.BILLING_TOKEN"], "not-the-real-one\n"),
    done(&["evidence", "add", "junit.xml", "--app", "Orders", "--environment", "staging"]),
    done(&["plan", "Orders", "--to", "production"]),
    done(&["approve", "Orders", "--to", "production", "--as", "ben"]),
    ends(3, &["promote", "Orders", "--to", "production"]),
    ends(3, &["why", "Orders", "--to", "production"]),
    done(&["check", "Orders", "--to", "production", "--at", "{tomorrow}T02:00:00Z"]),
    done(&[
        "waive",
        "window.closed",
        "--app",
        "Orders",
        "--to",
        "production",
        "--reason",
        "the demonstration cannot wait",
        "--ticket",
        "OPS-1",
        "--expires",
        "2h",
    ]),
    done(&["cosign", "1", "--as", "ben"]),
    done(&["promote", "Orders", "--to", "production"]),
    done(&["release", "Orders", "--in", "production"]),
    Act::Say("The app goes on in development; the changed file shows what changed."),
    Act::Sample { from: "tooljet/orders-changed.json", to: "orders.json" },
    done(&["import", "development", "orders.json"]),
    done(&["version", "cut", "Orders", "1.1"]),
    done(&["plan", "Orders", "--to", "staging"]),
    done(&["evidence", "add", "junit.xml", "--app", "Orders", "--environment", "development"]),
    done(&["promote", "Orders", "--to", "staging"]),
    Act::Say("And back again: a rollback is a plan of its own."),
    done(&["plan", "Orders", "--rollback", "staging"]),
    done(&["rollback", "Orders", "--in", "staging"]),
    done(&["rollback", "Orders", "--in", "production"]),
    Act::Say("An app of Lowcoder goes the same way, with its module, library query and data source."),
    Act::Sample { from: "lowcoder", to: "lowcoder" },
    done(&["import", "development", "lowcoder"]),
    done(&["manage", "Dispatch", "--with-dependencies"]),
    done(&["version", "cut", "Dispatch", "1.0"]),
    ends(3, &["plan", "Dispatch", "--to", "staging"]),
    done(&[
        "binding",
        "set",
        "staging",
        "dispatch-db",
        "/host=dispatch-db.staging.example.com",
        "/port=5432",
        "/database=dispatch_staging",
        "/username=dispatch_app",
        "/usingSsl=true",
    ]),
    given(&["secret", "set", "secret://staging/dispatch-db/password"], "not-the-real-one\n"),
    Act::Sample { from: "junit-dispatch.xml", to: "dispatch.xml" },
    done(&["evidence", "add", "dispatch.xml", "--app", "Dispatch", "--environment", "development"]),
    done(&["promote", "Dispatch", "--to", "staging"]),
    done(&["export", "staging", "Dispatch", "--out", "dispatch-for-staging"]),
    Act::Sample { from: "lowcoder-staging", to: "lowcoder-staging" },
    Act::Sluice(Run {
        arguments: &["import", "staging", "lowcoder-staging"],
        input: None,
        exit: 5,
        keep: Some(("dispatch", "--confirm ")),
    }),
    done(&["import", "staging", "lowcoder-staging", "--confirm", "{dispatch}"]),
    done(&[
        "binding",
        "set",
        "production",
        "dispatch-db",
        "/host=dispatch-db.prod.example.com",
        "/port=5432",
        "/database=dispatch",
        "/username=dispatch_live",
        "/usingSsl=true",
    ]),
    given(&["secret", "set", "secret://production/dispatch-db/password"], "not-the-real-one\n"),
    done(&["evidence", "add", "dispatch.xml", "--app", "Dispatch", "--environment", "staging"]),
    done(&["approve", "Dispatch", "--to", "production", "--as", "ben"]),
    ends(3, &["promote", "Dispatch", "--to", "production"]),
    done(&[
        "waive",
        "window.closed",
        "--app",
        "Dispatch",
        "--to",
        "production",
        "--reason",
        "drivers wait for it",
        "--ticket",
        "OPS-2",
        "--expires",
        "2h",
    ]),
    done(&["cosign", "2", "--as", "ben"]),
    done(&["promote", "Dispatch", "--to", "production"]),
    done(&["release", "Dispatch", "--in", "production"]),
    Act::Say("What happened, and that nobody changed it since."),
    done(&["status"]),
    done(&["history"]),
    done(&["ledger", "verify"]),
];
