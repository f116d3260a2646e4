//! Keys and stores that are not what they were: each is told by its name, and nothing is written over it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _};
use sluice_engine::act::What;
use sluice_engine::audit::audit;
use sluice_engine::{Error, Workspace};
use sluice_ledger::key::KeyPair;
use sluice_ledger::keyfile;
use sluice_model::Digest;
use sluice_store::{NewRevision, SqliteStore, Store as _, StoreError, StreamName, WorkspaceId, WriterId};
use sluice_vault::{RootKey, Secret};
use zeroize::Zeroizing;

use crate::stage::{MONDAY_ONE, Stage, copy, environment, open};

const LATER: &str = "2026-06-01T14:00:00Z";

fn store_of(folder: &Path) -> PathBuf {
    folder.join("workspace/.sluice/store.db")
}

fn sql(folder: &Path, statements: &str) {
    Connection::open(store_of(folder)).unwrap().execute_batch(statements).unwrap();
}

fn refused(folder: &Path, why: &str) -> Error {
    match open(folder, 81, LATER) {
        Err(error) => error,
        Ok(_) => panic!("{why}: it is opened"),
    }
}

#[test]
fn keys_of_another_workspace_are_refused() {
    let folder = copy();
    let (workspace, _) = open(folder.path(), 80, MONDAY_ONE).unwrap();
    let keys = folder.path().join("home/workspaces").join(workspace.id());
    drop(workspace);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = elsewhere.path().join("other.key");
    RootKey::from_random(Zeroizing::new([9; 32])).create_file(&other, &elsewhere.path().join("w")).unwrap();
    let other_root = fs::read(&other).unwrap();
    let other_log = keyfile::to_text(&KeyPair::from_seed(&Zeroizing::new([9; 32]))).as_bytes().to_vec();
    for (name, other) in [("root key", other_root), ("log key", other_log)] {
        let key = keys.join(name.replace(' ', "."));
        let own = fs::read(&key).unwrap();
        let damaged = own[..own.len() - 3].to_vec();
        for (bytes, is_whole) in [(other, true), (damaged, false)] {
            fs::write(&key, bytes).unwrap();
            let error = refused(folder.path(), name);
            let said = error.to_string();
            assert!(said.contains(&key.display().to_string()), "{said}");
            if is_whole {
                assert!(matches!(&error, Error::WrongKey { what, .. } if *what == name), "{error:?}");
                assert!(said.contains(&format!("is not the {name} of this workspace")), "{said}");
                assert!(error.help().unwrap().contains("from the copy"), "{error:?}");
            }
        }
        fs::write(&key, own).unwrap();
        // Nothing was signed with it, and nothing was sealed.
        audit(&store_of(folder.path()), None, None).unwrap();
        open(folder.path(), 82, LATER).unwrap();
    }
}

/// The newest revision of a stream.
fn newest(folder: &Path, stream: &str) -> u64 {
    let count = "SELECT max(revision) FROM revisions WHERE stream = ?1";
    let connection = Connection::open(store_of(folder)).unwrap();
    connection.query_row(count, [stream], |row| row.get::<_, i64>(0)).unwrap() as u64
}

/// Every stream of acts.
fn streams(folder: &Path) -> Vec<String> {
    let connection = Connection::open(store_of(folder)).unwrap();
    let mut query = connection
        .prepare("SELECT DISTINCT stream FROM revisions WHERE stream NOT LIKE 'ledger%' ORDER BY stream")
        .unwrap();
    query.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_revision_that_was_lost_is_named_before_anything_is_written() {
    for stream in streams(copy().path()) {
        for derived in ["", "DELETE FROM heads; DELETE FROM derived"] {
            let folder = copy();
            let lost = newest(folder.path(), &stream);
            let delete = format!("DELETE FROM revisions WHERE stream = '{stream}' AND revision = {lost};");
            sql(folder.path(), &format!("{delete}{derived}"));
            let error = refused(folder.path(), &stream);
            let Error::RecordDamaged { stream: named, revision, what } = &error else { panic!("{error:?}") };
            assert_eq!((named, *revision), (&stream, lost), "{error}");
            assert_eq!(what, "it was there, and it is gone from the store");
            assert!(error.help().unwrap().contains("from a backup"));
        }
    }
}

#[test]
fn a_revision_that_was_lost_and_written_anew_is_named() {
    for logged in [false, true] {
        let folder = copy();
        let (workspace, _) = open(folder.path(), 80, MONDAY_ONE).unwrap();
        let id = WorkspaceId::new(workspace.id()).unwrap();
        let stage = Stage::beside(folder.path(), 83, LATER);
        let stream = "env/staging/settings";
        let lost = newest(folder.path(), stream);
        stage.set_constant("staging", "constants.LATER", "3");
        let body = workspace.records().store().head(&StreamName::new(stream).unwrap()).unwrap().unwrap().body;
        drop((workspace, stage));
        let delete = "DELETE FROM revisions WHERE stream = 'env/staging/settings' AND revision >=";
        sql(folder.path(), &format!("{delete} {lost}"));
        let store = SqliteStore::open(&store_of(folder.path()), id).unwrap();
        let new = |stream: &str, revision, body| NewRevision {
            stream: StreamName::new(stream).unwrap(),
            revision,
            body,
            leaf: Digest::of(b"another"),
            writer: WriterId::new("w").unwrap(),
        };
        let position = store.append(&new(stream, lost, body.clone())).unwrap().position;
        store.append(&new(stream, lost + 1, body)).unwrap();
        if logged {
            for revision in [lost, lost + 1] {
                let entries = newest(folder.path(), "ledger");
                let position = position + revision - lost;
                let leaf = Digest::of(b"another");
                let entry = format!(
                    r#"{{"leaf":"{leaf}","position":{position},"revision":{revision},"stream":"{stream}"}}"#
                );
                store.append(&new("ledger", entries + 1, entry.into_bytes())).unwrap();
            }
        }
        drop(store);
        let error = refused(folder.path(), stream);
        let Error::RecordDamaged { stream: named, revision, what } = &error else { panic!("{error:?}") };
        assert_eq!((named.as_str(), *revision), (stream, lost), "{error}");
        assert_eq!(what, "it was lost, and another was written in its place");
    }
}

#[test]
fn what_is_lost_under_an_open_workspace_is_not_written_over() {
    let stage = Stage::copied(84);
    let folder = stage.folder.path();
    let lost = newest(folder, "env/staging/settings");
    sql(
        folder,
        "DELETE FROM revisions WHERE stream = 'env/staging/settings' AND revision = (SELECT max(revision) FROM revisions WHERE stream = 'env/staging/settings')",
    );
    let staging = environment("staging");
    let read = stage.workspace.settings(&mut stage.workspace.work(), &staging).unwrap_err();
    let value = Secret::new("3").unwrap();
    let written = stage
        .workspace
        .set_constant(&stage.ada, &staging, &"constants.LATER".parse().unwrap(), value)
        .unwrap_err();
    for error in [read, written] {
        assert!(matches!(error, Error::RecordDamaged { revision, .. } if revision == lost), "{error:?}");
    }
    assert_eq!(newest(folder, "env/staging/settings"), lost - 1);
}

/// The digests in a text.
fn digests_in(text: &str) -> impl Iterator<Item = String> {
    text.split("sha256:").skip(1).filter_map(|rest| Some(rest.get(..64)?.to_owned()))
}

/// All content that the acts name, or that such content names, by what is written there.
fn content_named_by_acts(workspace: &Workspace, folder: &Path) -> BTreeSet<String> {
    let mut next: Vec<String> = Vec::new();
    for stream in streams(folder) {
        for recorded in workspace.records().all(&stream).unwrap() {
            next.extend(digests_in(&serde_json::to_string(&recorded.act).unwrap()));
        }
    }
    let connection = Connection::open(store_of(folder)).unwrap();
    let mut read = connection.prepare("SELECT bytes FROM blobs WHERE lower(hex(digest)) = ?1").unwrap();
    let mut named = BTreeSet::new();
    while let Some(digest) = next.pop() {
        let bytes: Option<Vec<u8>> = read.query_row([&digest], |row| row.get(0)).optional().unwrap();
        if let Some(bytes) = bytes
            && named.insert(digest)
        {
            next.extend(digests_in(&String::from_utf8_lossy(&bytes)));
        }
    }
    named
}

#[test]
fn content_that_is_gone_or_altered_is_named_with_the_entry_that_names_it() {
    let base = copy();
    let (workspace, _) = open(base.path(), 80, MONDAY_ONE).unwrap();
    let evidence = streams(base.path()).into_iter().find(|name| name.starts_with("evidence/")).unwrap();
    let What::EvidenceAdded { envelope, .. } = workspace.records().head(&evidence).unwrap().unwrap().act.what
    else {
        panic!("it is evidence");
    };
    let entry: u64 = {
        let at = "SELECT revision - 1 FROM revisions WHERE stream = 'ledger'
                  AND json_extract(CAST(body AS TEXT), '$.stream') = ?1 ORDER BY revision DESC";
        let connection = Connection::open(store_of(base.path())).unwrap();
        connection.query_row(at, [&evidence], |row| row.get::<_, i64>(0)).unwrap() as u64
    };
    let named = content_named_by_acts(&workspace, base.path());
    drop(workspace);
    let store = store_of(base.path());
    assert!(named.len() > 50);
    let some = named.iter().step_by(named.len() / 25).cloned();
    for digest in some.chain([envelope.hex()]) {
        for (change, said) in
            [("DELETE FROM blobs", "is missing"), ("UPDATE blobs SET bytes = x'00'", "is damaged")]
        {
            let folder = tempfile::tempdir().unwrap();
            let copied = folder.path().join("store.db");
            fs::copy(&store, &copied).unwrap();
            let change = format!("{change} WHERE digest = x'{digest}'");
            Connection::open(&copied).unwrap().execute_batch(&change).unwrap();
            let error = audit(&copied, None, None).unwrap_err();
            let Error::LedgerBroken { entry: named, what } = &error else { panic!("{change}: {error:?}") };
            assert!(what.contains(&digest) && what.contains(said), "{change}: {what}");
            if digest == envelope.hex() {
                assert_eq!(*named, entry, "{what}");
            }
        }
    }
    Connection::open(&store).unwrap().execute_batch("DELETE FROM blobs").unwrap();
    assert!(matches!(audit(&store, None, None), Err(Error::LedgerBroken { .. })));
}

#[test]
fn a_store_that_is_gone_or_emptied_is_no_new_workspace() {
    let folder = copy();
    let store = store_of(folder.path());
    let id = store.with_file_name("workspace");
    for beside in ["store.db-wal", "store.db-shm"] {
        let _ = fs::remove_file(store.with_file_name(beside));
    }
    let (whole, named) = (fs::read(&store).unwrap(), fs::read(&id).unwrap());
    for (bytes, said) in [(&b""[..], "it is empty"), (&[b'x'; 4096], "is damaged")] {
        fs::write(&store, bytes).unwrap();
        let error = refused(folder.path(), said);
        assert!(matches!(error, Error::Store(StoreError::DamagedFile { .. })), "{error:?}");
        let words = error.to_string();
        assert!(words.contains(said) && words.contains("restore the last good copy"), "{words}");
    }
    fs::remove_file(&store).unwrap();
    let error = refused(folder.path(), "no store");
    assert!(matches!(error, Error::StoreMissing(_)), "{error:?}");
    assert!(error.help().unwrap().contains("from a backup"));
    fs::write(&store, whole).unwrap();
    fs::remove_file(&id).unwrap();
    let error = refused(folder.path(), "no id");
    assert!(matches!(error, Error::IdMissing(_)), "{error:?}");
    fs::write(&id, named).unwrap();
    sql(folder.path(), "DELETE FROM revisions");
    let error = refused(folder.path(), "no revisions");
    assert!(error.to_string().contains("all of its revisions are gone"), "{error}");
}
