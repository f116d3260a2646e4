//! An app's own past, however much others did since.

use sluice_engine::act::{Ended, Proposal, What};
use sluice_engine::plan::Plan;
use sluice_model::LogicalId;
use sluice_policy::facts::PastOutcome;

use crate::stage::{Stage, environment};

/// More than are read of a list at once.
const OTHERS: u64 = 520;

fn history(stage: &Stage, plan: &Plan) -> Vec<(String, PastOutcome)> {
    let facts = stage.workspace.facts(plan, "2026-06-01T20:00:00Z".parse().unwrap(), true).unwrap();
    facts.history.unwrap().into_iter().map(|past| (past.version, past.outcome)).collect()
}

#[test]
fn what_others_do_takes_nothing_out_of_an_apps_past_and_is_read_once() {
    let stage = Stage::copied(180);
    let plan = stage.plan("Orders", "staging");
    let known = history(&stage, &plan);
    assert_eq!(known, [("1.0".to_owned(), PastOutcome::Done)]);
    let records = stage.workspace.records();
    let (promotions, ends) = ("env/staging/promotions", "env/staging/ends");
    let What::PromotionProposed(own) = records.at(promotions, 1).unwrap().unwrap().act.what else { panic!() };
    let none = std::collections::BTreeMap::new();
    for number in 2..OTHERS + 2 {
        let app = LogicalId::new("tooljet:another").unwrap();
        let begun = What::PromotionProposed(Proposal { app, number, ..own.clone() });
        records.append(&stage.ada, promotions, number - 1, begun, &none).unwrap();
        let ended = Ended::Undone { reason: "of another app".into() };
        let ended = What::PromotionEnded { promotion: number, ended };
        records.append(&stage.ada, ends, number - 1, ended, &none).unwrap();
    }
    // Whether or not a process was there when they did it.
    assert_eq!(history(&stage, &plan), known);
    let other = Stage::beside(stage.folder.path(), 181, "2026-06-01T19:00:00Z");
    assert_eq!(history(&other, &plan), known);
    assert_eq!(history(&other, &plan), known);

    // What was read is not read again: it could be gone.
    let gone = format!("DELETE FROM revisions WHERE stream IN ('{promotions}', '{ends}') AND revision < 10");
    rusqlite::Connection::open(stage.store()).unwrap().execute_batch(&gone).unwrap();
    assert_eq!(history(&other, &plan), known);
    // And what is new is there.
    let runs = other.workspace.promotions(&environment("staging"));
    assert!(runs.is_err(), "whoever reads all of them sees that some are gone");
    let number = OTHERS + 2;
    let begun = What::PromotionProposed(Proposal { number, version: "1.5".into(), ..own });
    other.workspace.records().append(&other.ada, promotions, number - 1, begun, &none).unwrap();
    let ended = What::PromotionEnded { promotion: number, ended: Ended::Done };
    other.workspace.records().append(&other.ada, ends, number - 1, ended, &none).unwrap();
    assert_eq!(history(&other, &plan).last(), Some(&("1.5".to_owned(), PastOutcome::Done)));
}

#[test]
fn being_refused_takes_nothing_out_of_an_apps_past() {
    let stage = Stage::copied(180);
    let plan = stage.plan("Orders", "staging");
    let known = history(&stage, &plan);
    assert_eq!(known, [("1.0".to_owned(), PastOutcome::Done)]);
    let records = stage.workspace.records();
    let none = std::collections::BTreeMap::new();
    for place in ["staging", "production"] {
        for number in 0..OTHERS {
            let refused = What::PromotionRefused {
                transition: "promotion".to_owned(),
                app: plan.app.clone(),
                version: "9.9".to_owned(),
                bundle: plan.bundle,
                size: plan.size(),
                plan: plan.digest,
                decision: plan.digest,
                outcome: "denied".to_owned(),
            };
            records.append(&stage.ada, &format!("env/{place}/refusals"), number, refused, &none).unwrap();
        }
    }
    let past = history(&stage, &plan);
    assert_eq!(past.first(), known.first());
    // And they are not told without end.
    assert!(past.len() < 500, "{}", past.len());
}
