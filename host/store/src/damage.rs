//! What becomes of an embedded store that is damaged, copied, or killed in the middle.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sluice_model::Digest;

use crate::{
    AppendError, NewRevision, Order, SqliteStore, Store, StoreError, StreamName, WorkspaceId, WriterId,
};

fn acme() -> WorkspaceId {
    WorkspaceId::new("acme").unwrap()
}

fn new(stream: &str, revision: u64) -> NewRevision {
    NewRevision {
        stream: StreamName::new(stream).unwrap(),
        revision,
        body: format!("{{\"n\":{revision}}}").into_bytes(),
        leaf: Digest::of(b"leaf"),
        writer: WriterId::new("w").unwrap(),
    }
}

fn blobs(number: u64) -> BTreeMap<Digest, Vec<u8>> {
    (0..5_u64)
        .map(|at| format!("blob {number} {at} ").repeat(50).into_bytes())
        .map(|bytes| (Digest::of(&bytes), bytes))
        .collect()
}

/// A store with some revisions and blobs, closed.
fn sample() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = SqliteStore::create(&path, acme()).unwrap();
    for number in 1..=20 {
        store.commit(&blobs(number), &new("env/staging", number)).unwrap();
    }
    (folder, path)
}

fn sql(path: &Path, statements: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(statements).unwrap();
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn what_is_not_a_store_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(
        at("text"),
        "not a database, but a text that is long enough to be taken for one ".repeat(9),
    )
    .unwrap();
    std::fs::write(at("empty"), "").unwrap();
    sql(&at("other"), "CREATE TABLE t (x)");
    std::fs::create_dir(at("folder")).unwrap();
    let (_newer, newer) = sample();
    sql(&newer, "PRAGMA user_version = 9");
    let (_bare, bare) = sample();
    sql(&bare, "DROP TABLE blobs");
    let (_null, null) = sample();
    sql(&null, "UPDATE revisions SET writer = 'not a writer!' WHERE position = 20");
    for (path, expected) in [
        (at("none"), "there is no store at"),
        (at("text"), "is damaged: file is not a database"),
        (at("empty"), "is damaged: it is empty; keep the file, restore the last good copy"),
        (at("other"), "is not a store of Sluice"),
        (at("folder"), "is not a store of Sluice"),
        (newer, "has schema 9, and this version of sluice reads up to 1"),
        (bare, "is damaged: no such table: blobs"),
        (null, "is damaged"),
    ] {
        let before = std::fs::read(&path).ok();
        for result in [SqliteStore::open(&path, acme()), SqliteStore::open_read_only(&path, acme())] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
        assert_eq!(std::fs::read(&path).ok(), before, "{}", path.display());
    }
    for name in ["text", "other", "folder"] {
        let error = SqliteStore::create(&at(name), acme()).unwrap_err();
        assert!(!matches!(error, StoreError::DamagedFile { .. }), "{error}");
    }
    let (_there, there) = sample();
    let error = SqliteStore::create(&there, acme()).unwrap_err();
    assert!(matches!(error, StoreError::AlreadyThere { .. }), "{error}");
    assert!(SqliteStore::open(&there, acme()).unwrap().check().is_ok());
    // An interrupted `create` left nothing behind but a name.
    assert!(SqliteStore::create(&at("empty"), acme()).is_ok());
}

#[test]
fn a_changed_blob_is_named_by_its_digest() {
    let (_folder, path) = sample();
    let store = SqliteStore::open(&path, acme()).unwrap();
    let (digest, bytes) = blobs(3).pop_first().unwrap();
    assert_eq!(store.blob(&digest).unwrap(), Some(bytes));
    sql(&path, &format!("UPDATE blobs SET bytes = x'00' WHERE digest = x'{}'", digest.hex()));
    for error in [store.blob(&digest).unwrap_err(), store.check().unwrap_err()] {
        assert!(matches!(error, StoreError::Damaged { digest: named, .. } if named == digest), "{error}");
    }
}

#[test]
fn a_truncated_file_is_noticed() {
    let (folder, path) = sample();
    let whole = std::fs::read(&path).unwrap();
    let copy = folder.path().join("copy.db");
    for length in (1..whole.len()).step_by(3001) {
        std::fs::write(&copy, &whole[..length]).unwrap();
        let error = SqliteStore::open_read_only(&copy, acme())
            .and_then(|store| store.check())
            .expect_err("a part of the file is gone");
        let damaged = matches!(error, StoreError::DamagedFile { .. } | StoreError::NotAStore { .. });
        assert!(damaged, "{length}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_is_changed_in_the_file_gives_an_answer_or_an_error(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        thread_local!(static SAMPLE: Vec<u8> = {
            let (_folder, path) = sample();
            std::fs::read(path).unwrap()
        });
        let mut bytes = SAMPLE.with(Clone::clone);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        std::fs::write(&path, bytes).unwrap();
        if let Ok(store) = SqliteStore::open_read_only(&path, acme()) {
            let _ = store.check();
            let _ = store.streams("");
            let _ = store.since(0, 100);
            // Content is right or refused, never wrong.
            for (digest, bytes) in (1..=20).flat_map(blobs) {
                if let Ok(Some(found)) = store.blob(&digest) {
                    prop_assert_eq!(found, bytes);
                }
            }
        }
    }
}

#[test]
fn a_copy_is_read_without_a_trace() {
    let (_folder, path) = sample();
    // A connection that stays open keeps the newest commits in the write-ahead log.
    let writer = SqliteStore::open(&path, acme()).unwrap();
    writer.commit(&blobs(21), &new("env/staging", 21)).unwrap();
    let log = path.with_file_name("store.db-wal");
    assert!(std::fs::metadata(&log).unwrap().len() > 0);
    for (with_log, newest) in [(true, 21), (false, 20)] {
        let copy = tempfile::tempdir().unwrap();
        // A name that means something else in an address.
        let file = copy.path().join("copy of 100% ?#.db");
        std::fs::copy(&path, &file).unwrap();
        if with_log {
            std::fs::copy(&log, copy.path().join("copy of 100% ?#.db-wal")).unwrap();
        }
        let before = files(copy.path());
        assert_eq!(SqliteStore::workspaces_in(&file).unwrap(), [acme()]);
        let store = SqliteStore::open_read_only(&file, acme()).unwrap();
        let stream = StreamName::new("env/staging").unwrap();
        assert_eq!(store.head(&stream).unwrap().unwrap().revision, newest);
        assert_eq!(store.streams("").unwrap()[0].revision, newest);
        store.check().unwrap();
        let refused = store.append(&new("env/staging", newest + 1));
        assert!(matches!(refused, Err(AppendError::Store(StoreError::ReadOnly { .. }))));
        assert!(matches!(store.put_blob(b"x"), Err(StoreError::ReadOnly { .. })));
        assert_eq!(files(copy.path()), before);
        drop(store);
        assert_eq!(files(copy.path()), before);
    }
}

#[test]
fn a_derived_index_that_is_wrong_about_its_position_is_made_anew() {
    for tamper in [
        "DELETE FROM derived",
        "DELETE FROM heads; DELETE FROM derived",
        "UPDATE derived SET position = 5; UPDATE heads SET revision = 5, position = 5",
        // Ahead of the revisions, as after a tail was restored from an older copy.
        "UPDATE derived SET position = 999; UPDATE heads SET revision = 999, position = 999",
    ] {
        let (_folder, path) = sample();
        let heads = SqliteStore::open(&path, acme()).unwrap().streams("").unwrap();
        sql(&path, tamper);
        let before = SqliteStore::open_read_only(&path, acme()).unwrap().streams("").unwrap();
        assert_eq!(before, heads, "read only: {tamper}");
        assert_eq!(SqliteStore::open(&path, acme()).unwrap().streams("").unwrap(), heads, "{tamper}");
    }
}

#[test]
fn derived_heads_that_are_wrong_are_made_anew() {
    for tamper in ["UPDATE heads SET revision = 5, position = 5", "UPDATE heads SET stream = 'env/stagink'"] {
        let (_folder, path) = sample();
        let heads = SqliteStore::open(&path, acme()).unwrap().streams("").unwrap();
        sql(&path, tamper);
        assert_eq!(SqliteStore::open(&path, acme()).unwrap().streams("").unwrap(), heads, "{tamper}");
    }
}

#[test]
fn nothing_is_written_where_the_index_hides_the_newest_revision() {
    let (folder, path) = sample();
    let stream = StreamName::new("env/staging").unwrap();
    let (page, size) = {
        let connection = rusqlite::Connection::open(&path).unwrap();
        let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_revisions_1'";
        let page: usize = connection.query_row(root, [], |row| row.get::<_, i64>(0)).unwrap() as usize;
        let size: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
        (page, size as usize)
    };
    let whole = std::fs::read(&path).unwrap();
    let copy = folder.path().join("copy.db");
    let (mut hidden, mut whole_heads) = (0, 0);
    for at in ((page - 1) * size..page * size).step_by(3) {
        for flip in [0x01, 0x40] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            std::fs::write(&copy, bytes).unwrap();
            match SqliteStore::open(&copy, acme()) {
                Ok(store) => {
                    let head = store
                        .head(&stream)
                        .unwrap()
                        .unwrap_or_else(|| panic!("byte {at} {flip} of page {page} {size}"));
                    assert_eq!((head.revision, &*head.body), (20, &br#"{"n":20}"#[..]), "byte {at}");
                    whole_heads += 1;
                }
                Err(StoreError::DamagedFile { detail, .. }) => {
                    hidden += usize::from(detail.contains("the newest revision of `env/staging`"));
                }
                Err(error) => panic!("byte {at}: {error}"),
            }
            for beside in ["copy.db-wal", "copy.db-shm"] {
                let _ = std::fs::remove_file(folder.path().join(beside));
            }
        }
    }
    assert!(hidden > 0 && whole_heads > 0, "{hidden} hidden, {whole_heads} whole");
}

#[test]
fn a_store_without_any_of_its_revisions_is_not_taken_for_a_new_one() {
    let (_folder, path) = sample();
    sql(&path, "DELETE FROM revisions");
    let error = SqliteStore::open(&path, acme()).unwrap_err();
    assert!(error.to_string().contains("is damaged: all of its revisions are gone"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("store.db");
    drop(SqliteStore::create(&new, acme()).unwrap());
    assert_eq!(SqliteStore::open(&new, acme()).unwrap().streams("").unwrap(), []);
}

#[test]
fn workspaces_in_one_file_do_not_see_each_other() {
    let (_folder, path) = sample();
    let other = SqliteStore::open(&path, WorkspaceId::new("other").unwrap()).unwrap();
    let stream = StreamName::new("env/staging").unwrap();
    assert_eq!(other.head(&stream).unwrap(), None);
    assert_eq!(other.range(&stream, 1, 10, Order::OldestFirst).unwrap(), []);
    assert_eq!(other.since(0, 10).unwrap(), []);
    assert_eq!(other.streams("").unwrap(), []);
    assert!(!other.has_blob(blobs(1).keys().next().unwrap()).unwrap());
    assert_eq!(other.append(&new("env/staging", 1)).unwrap().revision, 1);
    let names: Vec<_> = SqliteStore::workspaces_in(&path).unwrap();
    assert_eq!(names.iter().map(WorkspaceId::as_str).collect::<Vec<_>>(), ["acme", "other"]);
    assert_eq!(SqliteStore::open(&path, acme()).unwrap().head(&stream).unwrap().unwrap().revision, 20);
}

/// Kills a process that commits, at each step, and looks at what is left.
#[cfg(all(feature = "failpoints", unix))]
mod crash {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;

    use super::*;

    const CHILD: &str = "damage::crash::the_child_that_is_killed";

    /// Does nothing unless the test below starts it.
    #[test]
    fn the_child_that_is_killed() {
        if let Ok(path) = std::env::var("SLUICE_TEST_CRASH") {
            let store = SqliteStore::open(Path::new(&path), acme()).unwrap();
            store.commit(&blobs(21), &new("env/staging", 21)).unwrap();
            std::fs::write(Path::new(&path).with_extension("acknowledged"), "").unwrap();
            store.commit(&blobs(22), &new("env/staging", 22)).unwrap();
        }
    }

    #[test]
    fn a_killed_commit_is_wholly_there_or_not_at_all() {
        let (mut killed, mut seen) = (0, std::collections::BTreeSet::new());
        for step in 1..100 {
            let (_folder, path) = sample();
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", CHILD])
                .env("SLUICE_TEST_CRASH", &path)
                .env("SLUICE_FAILPOINT", format!("*:{step}"))
                .output()
                .unwrap()
                .status;
            let store = SqliteStore::open(&path, acme()).unwrap();
            store.check().unwrap();
            let newest = store.head(&StreamName::new("env/staging").unwrap()).unwrap().unwrap().revision;
            for number in 1..=newest {
                for (digest, bytes) in blobs(number) {
                    assert_eq!(store.blob(&digest).unwrap(), Some(bytes), "step {step}");
                }
            }
            if path.with_extension("acknowledged").exists() {
                assert!(newest >= 21, "step {step}: what was acknowledged is lost");
            }
            seen.insert(newest);
            if status.success() {
                assert_eq!((newest, killed), (22, step - 1));
                break;
            }
            assert_eq!(status.signal(), Some(9));
            killed += 1;
        }
        assert_eq!(killed, 10, "two commits of five steps");
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [20, 21, 22]);
    }
}
