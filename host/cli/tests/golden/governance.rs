//! Scenes of those who govern: gates for some apps, evidence of each sort, emergencies.

use std::fs;

use crate::mistakes::{DENIED, DONE, FAILED, GATES, NOT_PERMITTED, PENDING, USAGE, edit, ends, scene};
use crate::steps;

#[test]
fn an_emergency_is_signed_by_two_and_looked_at_afterwards() {
    let rule = "[break_glass]\nrole = \"release-manager\"\n\n[limits]";
    let broken = "break-glass Orders --to staging --reason 'orders are lost' --ticket INC-7";
    scene(
        "break-glass",
        steps::before(GATES),
        &[
            ends(DONE, "review list"),
            ends(NOT_PERMITTED, broken),
            edit("sluice.toml", "[limits]", rule),
            ends(DONE, "config adopt"),
            ends(NOT_PERMITTED, &format!("{broken} --as ben")),
            ends(USAGE, "cosign Orders --to staging --as ben"),
            ends(DONE, broken),
            ends(PENDING, "check Orders --to staging"),
            ends(NOT_PERMITTED, "cosign Orders --to staging"),
            ends(DONE, "cosign Orders --to staging --as ben"),
            ends(USAGE, "cosign Orders --to staging --as ben"),
            ends(DONE, "why Orders --to staging"),
            ends(DONE, "promote Orders --to staging"),
            ends(DONE, "review list"),
            ends(DONE, "version cut Orders 1.1"),
            ends(DENIED, "plan Orders --to staging"),
            ends(DENIED, "promote Orders --to staging"),
            ends(NOT_PERMITTED, "review close 1 --reason fine"),
            ends(USAGE, "review close 2 --reason fine --as ben"),
            ends(DONE, "review close 1 --reason 'tests were brought since' --as ben"),
            ends(USAGE, "review close 1 --reason again --as ben"),
            ends(DONE, "review list"),
            ends(DONE, "review list -o json"),
            ends(PENDING, "check Orders --to staging"),
            ends(DONE, "history"),
            ends(DONE, "ledger verify"),
        ],
    );
}

#[test]
fn evidence_of_each_sort_is_taken() {
    let stage = steps::before(GATES);
    let lcov = "TN:orders\nSF:orders.js\nDA:1,4\nDA:2,0\nLF:2\nLH:1\nBRF:4\nBRH:3\nend_of_record\n";
    for (name, text) in [
        ("lcov.info", lcov),
        ("wrong.info", "SF:orders.js\nLF:1\nLH:2\nend_of_record\n"),
        ("page.json", "{\"measure\": \"page-load\", \"samples\": 200, \"p95_ms\": 340}\n"),
    ] {
        fs::write(stage.workspace().join(name), text).unwrap();
    }
    let of = "--app Orders --environment development";
    scene(
        "evidence-kinds",
        stage,
        &[
            ends(DONE, &format!("evidence add --coverage lcov.info {of}")),
            ends(DONE, &format!("evidence add --coverage lcov.info --suite units {of} -o json")),
            ends(FAILED, &format!("evidence add --coverage wrong.info {of}")),
            ends(USAGE, "evidence add --coverage lcov.info --app Orders"),
            ends(USAGE, "evidence add --coverage lcov.info --app Orders --environment production"),
            ends(DONE, &format!("evidence add --performance page.json {of}")),
            ends(FAILED, &format!("evidence add --performance lcov.info {of}")),
            ends(DONE, &format!("evidence add --reject user-acceptance --reason 'too slow' {of} --as ben")),
            ends(DONE, &format!("evidence add --accept user-acceptance {of} --as ben")),
            ends(DONE, "evidence add --plugin sql --sign --version 1.2.0"),
            ends(DONE, "evidence add --plugin sql --certify-until 180d --as ben"),
            ends(DONE, "evidence add --plugin sql --revoke 'a hole was found' --as ben"),
            ends(USAGE, "evidence add --plugin sqll --revoke 'a hole was found'"),
            ends(USAGE, "evidence add --plugin sql --certify-until soon"),
            ends(USAGE, "evidence add --plugin sql"),
            ends(USAGE, "evidence add --sign --version 1.2.0"),
            ends(USAGE, "evidence add"),
            ends(DONE, "evidence list"),
        ],
    );
}

#[test]
fn gates_are_for_labels_and_changes() {
    let more = "[[app]]\nname = \"Ord*\"\nlabels = [\"payments\"]\n\n[[transition]]\non = [\"development -> staging\"]\n\n\
                [[transition.gate]]\nname = \"approvals-of-payments\"\npolicy = \"approvals\"\nlevel = \"soft\"\n\
                labels = [\"payments\"]\nparameters = =roles=\n\n\
                [[transition.gate]]\nname = \"approvals-of-deletions\"\npolicy = \"approvals\"\nlevel = \"hard\"\n\
                changes = [\"delete\", \"update data-source\"]\nparameters = =roles=\n\n[limits]";
    let stage = steps::before(GATES);
    let file = stage.workspace().join("sluice.toml");
    let text = fs::read_to_string(&file).unwrap();
    let more = more.replace("=roles=", "{ roles = { approver = 1 } }");
    fs::write(&file, text.replacen("[limits]", &more, 1)).unwrap();
    scene(
        "selectors",
        stage,
        &[
            ends(DONE, "config diff"),
            ends(DONE, "config adopt"),
            ends(DONE, "plan Orders --to staging"),
            ends(PENDING, "check Orders --to staging"),
            ends(DONE, "approve Orders --to staging --ticket CHG-1042 --reason 'looked at it' --as ben"),
            ends(USAGE, "override Orders --to staging --gate approvals --reason x"),
            ends(
                DONE,
                "override Orders --to staging --gate approvals-of-payments --reason 'approved by hand'",
            ),
            ends(PENDING, "check Orders --to staging"),
            edit("sluice.toml", "labels = [\"payments\"]\nparameters", "labels = [\"payment\"]\nparameters"),
            ends(FAILED, "config check"),
            edit("sluice.toml", "labels = [\"payment\"]\nparameters", "parameters"),
            edit("sluice.toml", "name = \"approvals-of-deletions\"\n", ""),
            edit("sluice.toml", "name = \"approvals-of-payments\"\n", ""),
            ends(FAILED, "config check"),
        ],
    );
}
