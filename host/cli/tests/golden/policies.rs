//! Scenes of those who write policies.

use crate::mistakes::{DONE, FAILED, USAGE, edit, ends, scene};
use crate::stage::Stage;

#[test]
fn a_policy_is_made_tested_looked_at_and_explained() {
    scene(
        "policy",
        Stage::empty(),
        &[
            ends(DONE, "init --name acme"),
            ends(DONE, "policy new change-size"),
            ends(USAGE, "policy new change-size"),
            ends(DONE, "policy test policies/change-size --coverage --threshold 100 --junit policies.xml"),
            ends(DONE, "policy lint"),
            ends(DONE, "policy explain size.large"),
            ends(USAGE, "policy explain size.huge --path policies/change-size"),
            edit("policies/change-size/policy.rhai", "count > params.most_changes", "count > params.most"),
            ends(FAILED, "policy lint policies/change-size"),
            ends(FAILED, "policy test policies/change-size --coverage"),
            edit(
                "policies/change-size/policy.rhai",
                "count > params.most",
                "count > 2 * params.most_changes",
            ),
            ends(FAILED, "policy test policies/change-size --threshold 90"),
            edit("policies/change-size/policy.rhai", "deny(", "denied("),
            ends(FAILED, "policy test policies/change-size"),
            ends(USAGE, "policy test policies/nowhere"),
        ],
    );
}
