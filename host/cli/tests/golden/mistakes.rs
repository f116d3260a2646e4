//! Scenes beside the story: each way to go wrong, and the answers that programs read.

use std::fs;

use crate::answers;
use crate::stage::{Output, Stage};
use crate::steps;
use crate::story::{Act, Run};

pub(crate) const DONE: i32 = 0;
pub(crate) const FAILED: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const DENIED: i32 = 3;
pub(crate) const NOT_PERMITTED: i32 = 4;
pub(crate) const PENDING: i32 = 5;

/// A command as it is typed into a shell; what stands between two `'` is one word.
fn typed(exit: i32, line: &str) -> Run {
    let mut words: Vec<String> = Vec::new();
    for (place, part) in line.split('\'').enumerate() {
        if place % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    let words: Vec<&'static str> = words.into_iter().map(|word| &*word.leak()).collect();
    Run { arguments: words.leak(), input: None, exit, keep: None }
}

/// A command that ends so.
pub(crate) fn ends(exit: i32, line: &str) -> Act {
    Act::Sluice(typed(exit, line))
}

/// A command that reads a value.
fn given(exit: i32, line: &str, input: &'static str) -> Act {
    Act::Sluice(Run { input: Some(input), ..typed(exit, line) })
}

/// A command in whose answer something is found that later ones use.
fn keeps(exit: i32, line: &str, name: &'static str, before: &'static str) -> Act {
    Act::Sluice(Run { keep: Some((name, before)), ..typed(exit, line) })
}

/// A file of the workspace is edited.
pub(crate) const fn edit(file: &'static str, old: &'static str, new: &'static str) -> Act {
    Act::Edit { file, old, new }
}

/// Plays the acts and compares what was told with `answers/NAME.out`.
pub(crate) fn scene(name: &str, mut stage: Stage, acts: &[Act]) {
    for act in acts {
        stage.play(act);
    }
    answers::compare(name, &stage.told);
}

/// The beginnings of the story's chapters.
const FIRST_EXPORT: &str = "An export of ToolJet comes in";
const FIRST_PLAN: &str = "Staging has no bindings";
pub(crate) const GATES: &str = "Without evidence the gates wait";
const TO_PRODUCTION: &str = "On to production";
const GOES_ON: &str = "The app goes on in development";

#[test]
fn words_that_are_not_understood() {
    scene(
        "usage",
        Stage::empty(),
        &[
            ends(USAGE, ""),
            ends(USAGE, "key"),
            ends(USAGE, "fly"),
            ends(USAGE, "fly -o json"),
            ends(USAGE, "import development"),
            ends(USAGE, "import Dev orders.json"),
            ends(USAGE, "--as ../../ada status"),
            ends(USAGE, "plan Orders"),
            ends(USAGE, "plan -o json"),
            ends(USAGE, "plan Orders --to staging --release staging"),
            ends(USAGE, "plan Orders --to staging --choose orders-db=maybe"),
            ends(USAGE, "check Orders --to staging --at yesterday"),
            ends(USAGE, "override Orders --gate approvals"),
            ends(USAGE, "binding set staging orders-db /host"),
            ends(USAGE, "status --wait soon"),
            ends(USAGE, "status --color sometimes"),
            ends(USAGE, "-o yaml status"),
            ends(DONE, "--version"),
            ends(DONE, "--help"),
            ends(DONE, "plan --help"),
        ],
    );
}

/// What a variable says is as if it were typed, and changes nothing where it is not asked for.
#[test]
fn variables_stand_for_options() {
    let stage = steps::before(GATES);
    let output = |words: &[&str], variables: &[(&str, &str)]| {
        let Output { code, out, talk } = stage.output(words, "", variables);
        (code, [out, talk].concat())
    };
    let nobody = [("SLUICE_ACTOR", ""), ("SLUICE_WORKSPACE", "")];
    for words in [&[][..], &["key"], &["import", "development"]] {
        let said = output(words, &[("SLUICE_ACTOR", "eve"), ("SLUICE_WORKSPACE", "elsewhere")]);
        assert_eq!(said, output(words, &nobody), "{words:?}");
    }
    let (code, said) = output(&["status"], &[("SLUICE_ACTOR", "../ada")]);
    assert_eq!(code, USAGE);
    assert!(said.starts_with("error: the variable `SLUICE_ACTOR`: `../ada` is "), "{said}");
    let (code, said) = output(&["status"], &[("SLUICE_WORKSPACE", "elsewhere")]);
    assert_eq!(code, USAGE);
    assert!(said.contains("`elsewhere`"), "{said}");
    assert_eq!(output(&["status", "--workspace", "."], &[("SLUICE_WORKSPACE", "elsewhere")]).0, DONE);
    let cut = ["version", "cut", "Orders", "2.0"];
    assert_eq!(output(&cut, &[("SLUICE_ACTOR", "ben")]).0, NOT_PERMITTED);
    // The keys of two people are at hand.
    assert_eq!(output(&cut, &nobody).0, USAGE);
    assert_eq!(output(&[&cut[..], &["--as", "ada"]].concat(), &[("SLUICE_ACTOR", "ben")]).0, DONE);
}

#[test]
fn no_workspace_is_there() {
    scene(
        "no-workspace",
        Stage::empty(),
        &[
            ends(USAGE, "status"),
            ends(USAGE, "status -o json"),
            ends(USAGE, "status --workspace elsewhere"),
            ends(USAGE, "import development orders.json"),
            ends(FAILED, "inspect orders.json"),
            ends(FAILED, "inspect orders.json -o json"),
            ends(DONE, "key list"),
            ends(FAILED, "key show ada"),
        ],
    );
}

#[test]
fn a_workspace_and_keys_are_made_once() {
    scene(
        "init",
        Stage::empty(),
        &[
            ends(DONE, "init . --name orders"),
            ends(USAGE, "init . --name orders"),
            // Nobody owns anything yet.
            ends(FAILED, "config adopt"),
            ends(DONE, "key new ada"),
            ends(USAGE, "key new ada"),
            ends(NOT_PERMITTED, "--as eve config adopt"),
            ends(DONE, "config check"),
            ends(DONE, "config diff"),
        ],
    );
}

#[test]
fn a_mistake_in_the_configuration_is_shown_in_its_line() {
    let mistakes = [
        ("unknown-member", "owners = [\"ada\"]", "owner = [\"ada\"]"),
        ("not-toml", "carried = []", "carried = ["),
        ("unknown-level", "level = \"hard\"", "level = \"granite\""),
        ("unknown-policy", "policy = \"test-evidence\"", "policy = \"coin-toss\""),
        ("unknown-environment", "on = [\"development -> staging\"]", "on = [\"development -> moon\"]"),
        ("renamed-environment", "name = \"production\"", "name = \"prod\""),
        ("unknown-zone", "time_zone = \"UTC\"", "time_zone = \"Europe/Atlantis\""),
        ("bad-size", "import = \"64 MiB\"", "import = \"a lot\""),
        ("wrong-type", "min_executed = 1", "min_executed = \"one\""),
    ];
    let mut told = String::new();
    for (name, old, new) in mistakes {
        let mut stage = steps::before(FIRST_EXPORT);
        stage.told = format!("# {name}: `{old}` becomes `{new}`\n\n");
        stage.play(&edit("sluice.toml", old, new));
        stage.play(&ends(FAILED, "config check"));
        stage.play(&ends(FAILED, "config adopt"));
        told.push_str(&stage.told);
    }
    let mut stage = steps::before(FIRST_EXPORT);
    stage.play(&edit("sluice.toml", "level = \"hard\"", "level = \"granite\""));
    stage.play(&ends(FAILED, "config check -o json"));
    told.push_str(&stage.told);
    answers::compare("config-mistakes", &told);
}

#[test]
fn a_change_counts_once_it_is_adopted() {
    scene(
        "not-adopted",
        steps::before(GATES),
        &[
            edit("sluice.toml", "max_age = \"7d\"", "max_age = \"14d\""),
            ends(DONE, "config diff"),
            ends(PENDING, "check Orders --to staging"),
            ends(PENDING, "check Orders --to staging -o json"),
            ends(NOT_PERMITTED, "config adopt --as ben"),
            ends(DONE, "config adopt"),
            ends(DONE, "config adopt"),
            ends(DONE, "config diff"),
        ],
    );
}

#[test]
fn names_of_what_is_not_there() {
    scene(
        "unknown-names",
        steps::before(GATES),
        &[
            Act::Sample { from: "junit-pass.xml", to: "junit.xml" },
            ends(USAGE, "plan Orders --to moon"),
            ends(USAGE, "plan Invoices --to staging"),
            ends(USAGE, "plan Orders --to staging --version 9.9"),
            ends(USAGE, "plan Orders --to production"),
            ends(USAGE, "plan Orders --to development"),
            ends(USAGE, "import moon orders.json"),
            ends(FAILED, "import development nothing.json"),
            ends(USAGE, "version cut Orders 1.0"),
            ends(USAGE, "version cut Orders 2.0 --from 9.9"),
            ends(USAGE, "version list Invoices"),
            ends(USAGE, "manage Invoices"),
            ends(USAGE, "binding list moon"),
            ends(USAGE, "constant list moon"),
            ends(USAGE, "evidence add junit.xml --app Invoices --environment development"),
            ends(USAGE, "evidence add junit.xml --app Orders --environment moon"),
            ends(USAGE, "export moon Orders"),
            ends(USAGE, "export production Orders"),
            ends(USAGE, "release Orders --in staging"),
            ends(USAGE, "rollback Orders --in staging"),
            ends(USAGE, "rollback Orders --in staging --promotion 7"),
            ends(USAGE, "cosign 7 --as ben"),
            ends(USAGE, "why 0a1b2c3d4e5f"),
            ends(USAGE, "secret dismiss name@/nowhere --reason 'a guess'"),
            ends(USAGE, "secret dismiss name@/nowhere --in loadInvoice --reason 'a guess'"),
            ends(DONE, "resume"),
            ends(DONE, "waiver list"),
        ],
    );
}

#[test]
fn what_somebody_else_may_do() {
    scene(
        "not-permitted",
        steps::before(FIRST_PLAN),
        &[
            ends(NOT_PERMITTED, "binding adopt staging --all --as ben"),
            ends(NOT_PERMITTED, "version cut Orders 2.0 --as ben"),
            ends(NOT_PERMITTED, "promote Orders --to staging --as ben"),
            ends(NOT_PERMITTED, "import development orders.json --as ben"),
            given(
                NOT_PERMITTED,
                "secret set secret://staging/orders-db/password --as ben",
                "not-the-real-one\n",
            ),
            given(NOT_PERMITTED, "constant set staging constants.API_VERSION --as ben", "v3\n"),
            // Who looks needs no key.
            ends(DONE, "status --as eve"),
            ends(NOT_PERMITTED, "approve Orders --to staging --as eve"),
        ],
    );
}

/// Whose key lies under a name is seen by the key, and what lies open is not taken for a key.
#[test]
fn keys_that_are_not_the_persons() {
    let mut stage = steps::before(GATES);
    let keys = stage.home().join("keys");
    fs::copy(keys.join("ben.key"), keys.join("ada.key")).unwrap();
    stage.play(&ends(NOT_PERMITTED, "version cut Orders 2.0"));
    fs::write(keys.join("ada.key"), "no key at all\n").unwrap();
    stage.play(&ends(FAILED, "version cut Orders 2.0"));
    fs::remove_file(keys.join("ada.key")).unwrap();
    stage.play(&ends(NOT_PERMITTED, "version cut Orders 2.0"));
    fs::remove_dir_all(stage.home()).unwrap();
    stage.play(&ends(FAILED, "status"));
    answers::compare("keys", &stage.told);
}

#[test]
fn values_come_from_standard_input_only() {
    scene(
        "values",
        steps::before(GATES),
        &[
            ends(USAGE, "secret set secret://staging/orders-db/password hunter2"),
            ends(USAGE, "constant set staging constants.API_VERSION v3"),
            given(USAGE, "secret set secret://staging/orders-db/password", ""),
            given(USAGE, "secret set secret://moon/orders-db/password", "not-the-real-one\n"),
            given(USAGE, "secret set 'not a place'", "not-the-real-one\n"),
            given(DONE, "secret set secret://staging/orders-db/password", "another-one\n"),
            given(DONE, "secret set secret://staging/orders-db/password", "another-one\n"),
            given(DONE, "secret set secret://staging/orders-db/password -o json", "another-one\n"),
            ends(DONE, "secret list staging"),
            ends(DONE, "constant list staging"),
            ends(DONE, "binding list staging"),
        ],
    );
}

#[test]
fn exports_that_cannot_be_read() {
    let samples = crate::stage::root().join("tests/samples/bad");
    let mut names: Vec<String> = fs::read_dir(samples)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() > 8, "{names:?}");
    let mut stage = steps::before(FIRST_EXPORT);
    for name in names {
        let file: &'static str = format!("{name}.json").leak();
        stage.play(&Act::Sample { from: format!("bad/{file}").leak(), to: file });
        stage.play(&ends(FAILED, &format!("import development {file}")));
    }
    stage.play(&ends(FAILED, "import development truncated.json -o json"));
    stage.play(&ends(FAILED, "inspect truncated.json"));
    stage.play(&Act::Sample { from: "tooljet/orders.json", to: "orders.json" });
    stage.play(&ends(FAILED, "inspect orders.json --limit '1 KiB'"));
    stage.play(&ends(DONE, "status"));
    answers::compare("bad-exports", &stage.told);
}

#[test]
fn evidence_that_shows_nothing() {
    const ADD: &str = "evidence add junit.xml --app Orders --environment development";
    scene(
        "evidence",
        steps::before(GATES),
        &[
            Act::Sample { from: "junit-entities.xml", to: "junit.xml" },
            ends(FAILED, ADD),
            Act::Sample { from: "tooljet/orders.json", to: "junit.xml" },
            ends(FAILED, ADD),
            Act::Sample { from: "junit-empty.xml", to: "junit.xml" },
            ends(FAILED, ADD),
            ends(PENDING, "check Orders --to staging"),
            Act::Sample { from: "junit-fail.xml", to: "junit.xml" },
            ends(DONE, ADD),
            ends(DENIED, "check Orders --to staging"),
            ends(DENIED, "why Orders --to staging"),
            ends(DENIED, "promote Orders --to staging"),
            ends(DENIED, "promote Orders --to staging -o json"),
            ends(DONE, "evidence list"),
        ],
    );
}

#[test]
fn gates_that_people_want_to_pass() {
    const WAIVE: &str = "waive window.closed --app Orders --to production --reason 'it cannot wait' --ticket OPS-2 --expires 2h";
    scene(
        "consent",
        steps::before(GOES_ON),
        &[
            ends(DONE, "waiver list"),
            keeps(DONE, WAIVE, "waiver", "waiver "),
            ends(NOT_PERMITTED, "cosign {waiver}"),
            ends(DONE, "cosign {waiver} --as ben"),
            ends(DONE, "waiver list"),
            ends(
                USAGE,
                "waive window.closed --app Orders --to production --reason 'for ever' --ticket OPS-3 --expires 90d",
            ),
            ends(
                USAGE,
                "waive window.close --app Orders --to production --reason 'in haste' --ticket OPS-4 --expires 2h",
            ),
            ends(
                USAGE,
                "waive tests.failed --app Orders --to production --reason 'in haste' --ticket OPS-4 --expires 2h",
            ),
        ],
    );
}

#[test]
fn consent_is_given_once_and_to_one_plan() {
    scene(
        "one-plan",
        steps::before("The platform gets what was promoted"),
        &[
            ends(DONE, "version cut Orders 1.1"),
            keeps(DONE, "plan Orders --to staging --version 1.1", "plan", "sha256:"),
            // The bundle is that of version 1.0, whose tests count.
            ends(DONE, "check {plan}"),
            ends(NOT_PERMITTED, "approve {plan} --as eve"),
            ends(DONE, "approve {plan} --as ben"),
            ends(USAGE, "approve {plan} --as ben"),
            ends(DONE, "approve {plan} --ticket CHG-7 --as ben"),
            ends(USAGE, "override {plan} --gate test-evidence --reason 'tested by hand'"),
            ends(USAGE, "override {plan} --gate coin-toss --reason 'tested by hand'"),
            ends(USAGE, "override Orders --release staging --gate coin-toss --reason 'tested by hand'"),
            ends(DENIED, "promote Orders --to staging --version 1.1 --plan sha256:00000000"),
            ends(DENIED, "promote Orders --to staging --version 1.0 --plan {plan}"),
        ],
    );
}

#[test]
fn imports_that_wait_for_a_word() {
    scene(
        "matches",
        steps::before("The platform gets what was promoted"),
        &[
            Act::Sample { from: "tooljet/orders-staging.json", to: "orders-staging.json" },
            ends(PENDING, "import staging orders-staging.json --confirm sha256:00000000"),
            ends(PENDING, "import staging orders-staging.json -o json"),
        ],
    );
}

#[test]
fn answers_that_programs_read() {
    scene(
        "json",
        steps::before(TO_PRODUCTION),
        &[
            ends(DONE, "status -o json"),
            ends(DONE, "version list Orders -o json"),
            ends(DONE, "check Orders --release staging -o json"),
            ends(DENIED, "plan Orders --to production -o json"),
            ends(DONE, "inspect orders.json -o json"),
            ends(DONE, "waiver list -o json"),
            ends(DONE, "secret list staging -o json"),
        ],
    );
}

#[test]
fn a_plan_for_programs_holds_all_of_it() {
    scene(
        "plan-json",
        steps::before(GATES),
        &[ends(DONE, "plan Orders --to staging -o json"), ends(PENDING, "check Orders --to staging -o json")],
    );
}

/// The columns of the table of expected facts about exports, by the names that are used there.
#[test]
fn inspection_names_the_facts() {
    let mut stage = steps::before(FIRST_EXPORT);
    stage.play(&Act::Sample { from: "tooljet/orders.json", to: "orders.json" });
    stage.play(&Act::Sample { from: "lowcoder", to: "lowcoder" });
    for (path, facts) in [
        (
            "orders.json",
            "generation queries data_sources data_source_options orphan_options credential_ids \
             credential_ids_of_own_sources environments versions queries_without_source \
             queries_of_absent_versions constants queries_named_by_events \
             missing_queries_named_by_events references",
        ),
        ("lowcoder", "generation queries data_sources references"),
    ] {
        let Output { code, out, talk } = stage.output(&["inspect", path, "--output", "json"], "", &[]);
        assert_eq!((code, talk.as_str()), (DONE, ""), "{path}");
        let found: serde_json::Value = serde_json::from_str(&out).unwrap();
        for fact in facts.split_whitespace() {
            assert!(found.get(fact).is_some(), "{path} has no `{fact}`: {out}");
        }
        for kind in ["resolved", "dangling", "ambiguous", "floating"] {
            assert!(found["references"][kind].is_u64(), "{path} has no count of {kind} references: {out}");
        }
    }
}

#[test]
fn a_ledger_is_verified_where_it_lies_and_as_a_copy() {
    let mut stage = steps::end();
    let here = stage.workspace();
    let checkpoint = |stage: &Stage| {
        let Output { code, out, .. } = stage.output(&["ledger", "checkpoint"], "", &[]);
        assert_eq!(code, DONE);
        out
    };
    fs::write(here.join("kept.txt"), checkpoint(&stage)).unwrap();
    let store = here.join(".sluice").join("store.db");
    stage.play(&ends(DONE, "ledger checkpoint"));
    stage.play(&ends(DONE, "ledger verify --checkpoint kept.txt"));
    fs::copy(&store, here.join("copy.db")).unwrap();
    stage.play(&ends(DONE, "ledger verify copy.db --checkpoint kept.txt"));
    stage.play(&ends(DONE, "ledger verify copy.db -o json"));

    // The last entry is cut off: only what was kept elsewhere can tell.
    let older = steps::before(GOES_ON);
    fs::copy(older.workspace().join(".sluice/store.db"), here.join("older.db")).unwrap();
    stage.play(&ends(DONE, "ledger verify older.db"));
    stage.play(&ends(FAILED, "ledger verify older.db --checkpoint kept.txt"));

    for (name, change) in [
        // The ledger's entry, and an act that it is of.
        (
            "changed.db",
            "UPDATE revisions SET body = CAST(replace(CAST(body AS TEXT), 'sha256:', 'sha256:0') AS BLOB) WHERE stream = 'ledger' AND revision = 4",
        ),
        (
            "changed-act.db",
            "UPDATE revisions SET body = CAST(replace(CAST(body AS TEXT), 'keyid', 'keyId') AS BLOB) WHERE stream = 'managed' AND revision = 1",
        ),
        ("removed.db", "DELETE FROM revisions WHERE stream = 'ledger' AND revision = 4"),
        ("removed-act.db", "DELETE FROM revisions WHERE stream = 'managed' AND revision = 1"),
        (
            "reordered.db",
            "UPDATE revisions SET revision = 9999 WHERE stream = 'ledger' AND revision = 4;
             UPDATE revisions SET revision = 4 WHERE stream = 'ledger' AND revision = 7;
             UPDATE revisions SET revision = 7 WHERE stream = 'ledger' AND revision = 9999;",
        ),
    ] {
        fs::copy(&store, here.join(name)).unwrap();
        rusqlite::Connection::open(here.join(name)).unwrap().execute_batch(change).unwrap();
        stage.play(&ends(FAILED, &format!("ledger verify {name}")));
        stage.play(&ends(FAILED, &format!("ledger verify {name} --checkpoint kept.txt -o json")));
    }
    let mut lines: Vec<String> = checkpoint(&stage).lines().map(str::to_owned).collect();
    lines[1] = "7".to_owned();
    fs::write(here.join("forged.txt"), lines.join("\n") + "\n").unwrap();
    stage.play(&ends(FAILED, "ledger verify --checkpoint forged.txt"));
    fs::write(here.join("no-checkpoint.txt"), "nothing\n").unwrap();
    fs::write(here.join("no-store.db"), "nothing\n").unwrap();
    stage.play(&ends(FAILED, "ledger verify --checkpoint no-checkpoint.txt"));
    stage.play(&ends(FAILED, "ledger verify no-store.db"));
    stage.play(&ends(USAGE, "ledger verify absent.db"));
    answers::compare("ledger", &stage.told);
}

#[test]
fn nothing_is_coloured_unless_it_is_asked_for() {
    let stage = steps::end();
    let status = |more: &[&str], variables: &[(&str, &str)]| {
        let Output { code, out, talk } = stage.output(&[&["status"], more].concat(), "", variables);
        assert_eq!(code, DONE, "{talk}");
        [out, talk].concat().contains('\u{1b}')
    };
    assert!(!status(&[], &[]), "piped");
    assert!(!status(&[], &[("NO_COLOR", "1"), ("TERM", "xterm-256color")]), "NO_COLOR");
    assert!(!status(&["--color", "never"], &[]), "never");
    assert!(status(&["--color", "always"], &[]), "always");
    assert!(!status(&["--color", "always"], &[("NO_COLOR", "1")]), "always, and NO_COLOR");
    let words = ["plan", "Nothing", "--to", "staging"];
    assert!(!stage.output(&words, "", &[("CLICOLOR_FORCE", "0")]).talk.contains('\u{1b}'));
}

#[test]
fn shells_and_manuals_are_served() {
    let stage = Stage::empty();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let Output { code, out, talk } = stage.output(&["completions", shell], "", &[]);
        assert_eq!((code, talk.as_str()), (DONE, ""), "{shell}");
        for word in ["sluice", "promote", "rollback", "ledger"] {
            assert!(out.contains(word), "{shell} does not complete `{word}`");
        }
    }
    let Output { code, out, .. } = stage.output(&["man"], "", &[]);
    assert_eq!(code, DONE);
    assert!(out.starts_with(".ie") || out.contains(".TH sluice 1"), "{out}");
    let Output { code, talk, .. } = stage.output(&["man", "--out", "man"], "", &[]);
    assert_eq!((code, talk.as_str()), (DONE, ""));
    for page in ["sluice.1", "sluice-promote.1", "sluice-ledger-verify.1"] {
        let text = fs::read_to_string(stage.workspace().join("man").join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
}
