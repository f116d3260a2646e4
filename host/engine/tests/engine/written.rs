//! What a promotion writes grows with what changes, not with what is there.

use std::collections::{BTreeMap, BTreeSet};

use sluice_engine::import::ImportRequest;
use sluice_engine::version::{CutRequest, ManageRequest};
use sluice_engine::workspace::Furnishing;
use sluice_platform::InputFile;

use crate::large;
use crate::model::ungated;
use crate::stage::{Stage, environment};

/// The store's content in bytes: all revisions and blobs.
fn stored(stage: &Stage) -> u64 {
    let connection = rusqlite::Connection::open(stage.store()).unwrap();
    let sum = "SELECT (SELECT sum(length(bytes)) FROM blobs) + (SELECT sum(length(body)) FROM revisions)";
    connection.query_row(sum, [], |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
}

/// What the promotion of so many changes writes among so many objects, and how large all of them are.
fn written(objects: usize, changed: usize) -> (u64, u64) {
    let stage = ungated(&Furnishing { policies: BTreeMap::new(), plugins: BTreeMap::new() }, &[]);
    for round in [0, 1] {
        let bytes = large::export(objects, changed, round);
        let request = ImportRequest {
            environment: environment("development"),
            files: vec![InputFile { name: "large.json".into(), bytes }],
            confirm: None,
            distinct: BTreeSet::new(),
        };
        stage.workspace.import(&stage.ada, &request).unwrap();
        if round == 0 {
            let manage = ManageRequest { objects: vec!["Large".into()], with_dependencies: true, on: true };
            stage.workspace.manage(&stage.ada, &manage).unwrap();
        }
        let cut = CutRequest { app: "Large".into(), version: None, from: None, note: None };
        stage.workspace.cut(&stage.ada, &cut).unwrap();
        if round == 0 {
            stage.promote("Large", "staging").unwrap();
        }
    }
    let before = stored(&stage);
    let done = stage.promote("Large", "staging").unwrap();
    assert_eq!((done.plan.objects.len(), done.plan.unchanged), (changed, (objects - changed) as u64 + 2));
    (stored(&stage) - before, before)
}

#[test]
fn a_promotion_writes_what_changes_and_not_what_is_there() {
    let (small, among_few) = written(500, 10);
    let (more, _) = written(500, 100);
    let (large, among_many) = written(5_000, 10);
    // Ten times as much is there.
    assert!(among_many > 8 * among_few, "{among_few} and {among_many} bytes are stored");
    // Of the tree, a node more for each change at most.
    assert!(large < small * 3 / 2, "{small} bytes among 500 objects, {large} among 5000");
    // That it is the changes that are paid for: ten times as many cost more, and no more than that.
    assert!((3 * small..11 * small).contains(&more), "{small} bytes for 10 changes, {more} for 100");
}
