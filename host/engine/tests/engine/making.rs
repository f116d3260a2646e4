//! Workspaces that are made where something is already.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use sluice_engine::{Class, Error, Home, Workspace};

use crate::stage::{Hand, MONDAY_ONE, Stage, ada, furnishing, put};

fn init(folder: &Path) -> Result<Workspace, Error> {
    static MADE: AtomicU64 = AtomicU64::new(150);
    let hand = Hand::new(MADE.fetch_add(1, Ordering::SeqCst), MONDAY_ONE);
    let home = Home::at(folder.join("home"));
    Workspace::init(&folder.join("workspace"), "another", &home, &furnishing(), hand)
}

fn open(folder: &Path) -> Result<Workspace, Error> {
    let home = Home::at(folder.join("home"));
    Workspace::open(&folder.join("workspace"), &home, Hand::new(151, MONDAY_ONE))
}

/// Every file of a workspace but what lies beside its store.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with(".sluice") {
                walk(&path, found);
            } else if path.is_file() {
                found.insert(path.display().to_string(), fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&folder.join("workspace"), &mut found);
    found
}

#[test]
fn a_checkout_gets_a_store_of_its_own_and_keeps_its_files() {
    let Stage { folder, workspace, ada, .. } = Stage::new();
    let id = workspace.id().to_owned();
    drop(workspace);
    let folder = folder.path();
    // A pack that nothing names was taken out, and does not come back.
    fs::remove_dir_all(folder.join("workspace/policies/change-control")).unwrap();
    fs::remove_dir_all(folder.join("workspace/.sluice")).unwrap();
    let kept = files(folder);
    let error = open(folder).err().unwrap();
    assert!(matches!(error, Error::NoStore(_)), "{error:?}");
    assert!(error.help().unwrap().contains("copy `.sluice` here"), "{error:?}");
    // What has mistakes is told first.
    let toml = folder.join("workspace/sluice.toml");
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, "[workspace").unwrap();
    let error = init(folder).err().unwrap();
    assert!(error.to_string().contains("names no workspace"), "{error}");
    assert!(!folder.join("workspace/.sluice").exists());
    fs::write(&toml, &text).unwrap();
    let made = init(folder).unwrap();
    assert_eq!(files(folder), kept);
    assert!(made.id() != id && !made.is_adopted());
    // It is a workspace as any other.
    drop(made);
    let mut made = open(folder).unwrap();
    let candidate = made.proposed().unwrap();
    made.adopt(&ada, candidate).unwrap();
}

#[test]
fn what_an_interrupted_making_left_is_finished() {
    for left in ["all but the id", "an empty store", "no store", "no configuration", "keys alone"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::create_dir(folder.join("workspace")).unwrap();
        drop(init(folder).unwrap());
        let inner = folder.join("workspace/.sluice");
        fs::remove_file(inner.join("workspace")).unwrap();
        let store = inner.join("store.db");
        match left {
            "all but the id" => {}
            "an empty store" => fs::write(&store, b"").unwrap(),
            _ => fs::remove_file(&store).unwrap(),
        }
        if matches!(left, "no configuration" | "keys alone") {
            fs::remove_file(folder.join("workspace/sluice.toml")).unwrap();
        }
        if left == "keys alone" {
            fs::remove_dir_all(folder.join("workspace")).unwrap();
            fs::create_dir(folder.join("workspace")).unwrap();
        }
        let error = open(folder).err().unwrap();
        let told = format!("{error}; {}", error.help().unwrap());
        assert!(told.contains("`sluice init`"), "{left}: {told}");
        init(folder).unwrap_or_else(|error| panic!("{left}: {error}"));
        put(&folder.join("workspace"), &ada(), &["builder"]);
        open(folder).unwrap().proposed().unwrap();
    }
}

#[test]
fn a_workspace_is_never_made_over_another() {
    let stage = Stage::copied(152);
    let folder = stage.folder.path().to_owned();
    let Stage { folder: _kept, workspace, .. } = stage;
    drop(workspace);
    let inner = folder.join("workspace/.sluice");
    let refused = |expected: fn(&Error) -> bool| {
        let error = init(&folder).err().unwrap();
        assert!(expected(&error), "{error:?}");
    };
    refused(|error| matches!(error, Error::WorkspaceExists(_)) && error.class() == Class::Usage);
    let (id, store) = (inner.join("workspace"), inner.join("store.db"));
    let named = fs::read(&id).unwrap();
    fs::remove_file(&id).unwrap();
    refused(|error| matches!(error, Error::IdMissing(_)));
    assert!(!id.exists());
    fs::write(&id, named).unwrap();
    let bytes = fs::read(&store).unwrap();
    fs::remove_file(&store).unwrap();
    refused(|error| matches!(error, Error::StoreMissing(_)));
    fs::write(&store, bytes).unwrap();
    open(&folder).unwrap();
}
