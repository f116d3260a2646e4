//! Keys and a store that are not those of the workspace: each command says which, and what restores it.

use std::fs;
use std::path::PathBuf;

use crate::mistakes::{DONE, FAILED};
use crate::stage::{Output, Stage};
use crate::steps;

/// The folder of the only workspace's keys.
fn keys(stage: &Stage) -> PathBuf {
    let mut workspaces = fs::read_dir(stage.home().join("workspaces")).unwrap();
    workspaces.next().unwrap().unwrap().path()
}

/// Commands that read and commands that write all end so, and say this.
fn all_say(stage: &Stage, expected: &[&str]) {
    for words in [
        &["status"][..],
        &["history"],
        &["plan", "Dispatch", "--to", "staging"],
        &["secret", "set", "staging/dispatch-db/password"],
        &["promote", "Dispatch", "--to", "staging"],
    ] {
        let Output { code, out, talk } = stage.output(words, "a value", &[]);
        assert_eq!((code, out.as_str()), (FAILED, ""), "{words:?}: {talk}");
        for part in expected {
            assert!(talk.contains(part), "{words:?} does not say `{part}`: {talk}");
        }
    }
}

#[test]
fn another_workspaces_key_is_told_by_its_file() {
    let other = Stage::empty();
    assert_eq!(other.output(&["init"], "", &[]).code, DONE);
    let stage = steps::end();
    for (file, name) in [("root.key", "root key"), ("log.key", "log key")] {
        let key = keys(&stage).join(file);
        let own = fs::read(&key).unwrap();
        let place = key.display().to_string();
        fs::write(&key, fs::read(keys(&other).join(file)).unwrap()).unwrap();
        all_say(&stage, &[&place, &format!("is not the {name} of this workspace"), &format!("own {name}")]);
        fs::write(&key, &own[..own.len() / 2]).unwrap();
        all_say(&stage, &[&place, "is not an undamaged", "restore it from a copy"]);
        fs::write(&key, own).unwrap();
        assert_eq!(stage.output(&["status"], "", &[]).code, DONE);
    }
    assert_eq!(stage.output(&["ledger", "verify"], "", &[]).code, DONE);
}

#[test]
fn a_store_that_is_damaged_or_gone_is_told_with_what_restores_it() {
    let stage = steps::end();
    let store = stage.workspace().join(".sluice/store.db");
    for beside in ["store.db-wal", "store.db-shm"] {
        let _ = fs::remove_file(store.with_file_name(beside));
    }
    let whole = fs::read(&store).unwrap();
    let half = whole[..whole.len() / 2].to_vec();
    for (bytes, said) in [(half, "is damaged"), (Vec::new(), "is damaged: it is empty")] {
        fs::write(&store, bytes).unwrap();
        all_say(&stage, &["store.db", said, "restore the last good copy"]);
    }
    fs::remove_file(&store).unwrap();
    all_say(&stage, &["store.db", "is missing", "from a backup"]);
    fs::write(&store, whole).unwrap();
    assert_eq!(stage.output(&["ledger", "verify"], "", &[]).code, DONE);
}
