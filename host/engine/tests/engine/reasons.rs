//! Whoever gives a reason says something.

use sluice_engine::attest::{About, PluginWord};
use sluice_engine::consent::WaiverRequest;

use crate::stage::{Stage, environment};

#[test]
fn a_blank_reason_is_none() {
    let stage = Stage::promoted();
    let (workspace, ada) = (&stage.workspace, &stage.ada);
    let plan = stage.plan("Orders", "staging");
    let (from, to) = (environment("development"), environment("staging"));
    let before = workspace.history(None, None).unwrap().len();
    for blank in ["", " ", "\t\n", "\u{a0}"] {
        let about = || About { app: &plan.app, bundle: plan.bundle, environment: &from };
        let waiver = WaiverRequest {
            code: "tests.too-few".into(),
            app: "Orders".into(),
            bundle: None,
            environment: to.clone(),
            reason: blank.into(),
            ticket: "CHG-7".into(),
            expires: "2026-06-02T12:00:00Z".parse().unwrap(),
        };
        let acts: [(&str, Result<(), sluice_engine::Error>); 5] = [
            ("approve", workspace.approve(ada, &plan, Some(blank.into()), None).map(drop)),
            ("override", workspace.override_gate(ada, &plan, "test-evidence", blank).map(drop)),
            ("waive", workspace.waive(ada, &waiver).map(drop)),
            ("accept", workspace.add_acceptance(ada, "orders", true, Some(blank.into()), about()).map(drop)),
            (
                "revoke",
                workspace.add_plugin_word(ada, "sql", PluginWord::Revoked { reason: blank.into() }).map(drop),
            ),
        ];
        for (act, answer) in acts {
            let told = answer.err().unwrap_or_else(|| panic!("{act} with {blank:?} is taken")).to_string();
            assert!(
                told.contains("a reason is wanted")
                    || told.contains("`reason` of the predicate is empty")
                    || told.contains("`revoked` of the predicate is empty"),
                "{act} with {blank:?}: {told}"
            );
        }
    }
    assert_eq!(workspace.history(None, None).unwrap().len(), before, "nothing was recorded");
}
