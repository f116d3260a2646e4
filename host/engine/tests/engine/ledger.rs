//! A ledger that somebody changed: the audit names the first entry that is not as it was.

use std::path::PathBuf;

use rusqlite::Connection;
use sluice_engine::Error;
use sluice_engine::audit::audit;

use crate::stage::{Stage, copy};

/// A copied store, closed, and the checkpoint that was kept of it.
fn sample() -> (tempfile::TempDir, PathBuf, String) {
    let stage = Stage::opened(copy(), 5, crate::stage::MONDAY_ONE);
    let note = stage.workspace.records().newest_note().unwrap().unwrap();
    let store = stage.store();
    let Stage { folder, workspace, .. } = stage;
    drop(workspace);
    (folder, store, note)
}

fn change(store: &PathBuf, sql: &str) {
    let connection = Connection::open(store).unwrap();
    connection.execute_batch(sql).unwrap();
    connection.execute_batch("DELETE FROM heads; DELETE FROM derived;").unwrap();
}

/// Stream and revision of the ledger's entry with that number.
fn of_entry(store: &PathBuf, entry: u64) -> (String, u64) {
    let connection = Connection::open(store).unwrap();
    let read =
        "SELECT json_extract(CAST(body AS TEXT), '$.stream'), json_extract(CAST(body AS TEXT), '$.revision')
                FROM revisions WHERE stream = 'ledger' AND revision = ?1";
    let (stream, revision) = connection
        .query_row(read, [entry as i64 + 1], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))
        .unwrap();
    (stream, revision as u64)
}

#[test]
fn a_ledger_that_is_whole_is_verified() {
    let (_folder, store, note) = sample();
    for kept in [None, Some(note.as_bytes())] {
        let audited = audit(&store, kept, None).unwrap().remove(0);
        assert_eq!((audited.signatures, audited.unlogged, audited.kept), (audited.size, 0, kept.is_some()));
    }
    let other = "ed25519:not-a-key";
    assert!(audit(&store, None, Some(other)).is_err());
}

#[test]
fn the_first_entry_that_was_changed_is_named() {
    let (_folder, store, _) = sample();
    let size = audit(&store, None, None).unwrap()[0].size;
    for entry in [0, 3, size / 2, size - 1] {
        let (stream, revision) = of_entry(&store, entry);
        let this = format!("WHERE stream = '{stream}' AND revision = {revision}");
        let body = "CAST(replace(CAST(body AS TEXT), '\"salt\":\"', '\"salt\":\"0') AS BLOB)";
        let other = (entry + 1) % size;
        let swap = format!(
            "CREATE TEMP TABLE t AS SELECT revision, body, leaf FROM revisions WHERE stream = 'ledger';
             UPDATE revisions SET body = (SELECT body FROM t WHERE revision = {b}) WHERE stream = 'ledger' AND revision = {a};
             UPDATE revisions SET body = (SELECT body FROM t WHERE revision = {a}) WHERE stream = 'ledger' AND revision = {b};",
            a = entry.min(other) + 1,
            b = entry.max(other) + 1,
        );
        for (what, sql, first) in [
            ("body", format!("UPDATE revisions SET body = {body} {this}"), entry),
            (
                "signature",
                format!(
                    "UPDATE revisions SET body = CAST(replace(CAST(body AS TEXT), '\"sig\":\"', '\"sig\":\"AAAA') AS BLOB) {this}"
                ),
                entry,
            ),
            ("leaf", format!("UPDATE revisions SET leaf = zeroblob(32) {this}"), entry),
            ("removed", format!("DELETE FROM revisions {this}"), entry),
            ("order", swap, entry.min(other)),
            (
                "entry",
                format!(
                    "UPDATE revisions SET body = CAST(replace(CAST(body AS TEXT), 'sha256:', 'sha256:0') AS BLOB) WHERE stream = 'ledger' AND revision = {}",
                    entry + 1
                ),
                entry,
            ),
        ] {
            let (folder, copied) = copied(&store);
            change(&copied, &sql);
            let error = audit(&copied, None, None).unwrap_err();
            match &error {
                Error::LedgerBroken { entry: named, .. } => {
                    assert_eq!(*named, first, "{what} of {entry} ({stream}@{revision}): {error}");
                }
                // The workspace's first act names the key by which all else is judged.
                _ => assert_eq!((entry, first), (0, 0), "{what} of {entry}: {error:?}"),
            }
            drop(folder);
        }
    }
}

fn copied(store: &PathBuf) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copied = folder.path().join("store.db");
    std::fs::copy(store, &copied).unwrap();
    (folder, copied)
}

#[test]
fn a_tail_that_was_cut_off_is_seen_against_a_kept_checkpoint() {
    let (_folder, store, note) = sample();
    let size = audit(&store, None, None).unwrap()[0].size;
    for cut in [1, 4, 9] {
        let (_folder, copied) = copied(&store);
        let first = size - cut;
        let mut sql = String::new();
        for entry in first..size {
            let (stream, revision) = of_entry(&store, entry);
            sql += &format!("DELETE FROM revisions WHERE stream = '{stream}' AND revision = {revision};");
        }
        sql += &format!(
            "DELETE FROM revisions WHERE stream = 'ledger' AND revision > {first};
             DELETE FROM revisions WHERE stream = 'ledger/checkpoints'
                 AND json_extract(CAST(body AS TEXT), '$.size') > {first};"
        );
        change(&copied, &sql);
        // Without a checkpoint from elsewhere there is nothing that could tell.
        assert_eq!(audit(&copied, None, None).unwrap()[0].size, first);
        let error = audit(&copied, Some(note.as_bytes()), None).unwrap_err();
        let Error::LedgerBroken { entry, .. } = error else { panic!("{error}") };
        assert_eq!(entry, first);
    }
}
