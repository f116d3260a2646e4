//! The walls of the house: which crate may know which, and which outside package lives in which
//! room.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The rooms and their floors. A crate imports only from floors below its own.
const FLOORS: [(&str, u8); 12] = [
    ("sluice", 5),
    ("sluice-server", 4),
    ("sluice-console", 4),
    ("sluice-engine", 3),
    ("sluice-policy", 2),
    ("sluice-plugin", 2),
    ("sluice-store", 2),
    ("sluice-vault", 2),
    ("sluice-ledger", 2),
    ("sluice-platform", 2),
    ("sluice-distribution", 2),
    ("sluice-model", 1),
];

/// Outside packages that live in these rooms only.
const ROOMS_OF: [(&str, &[&str]); 28] = [
    ("wasmtime", &["sluice-plugin"]),
    ("wasmtime-wasi", &["sluice-plugin"]),
    ("rhai", &["sluice-policy"]),
    ("rrule", &["sluice-policy"]),
    ("rusqlite", &["sluice-store"]),
    ("mongodb", &["sluice-store"]),
    ("chacha20poly1305", &["sluice-vault"]),
    ("rustls", &["sluice-vault", "sluice-distribution"]),
    ("rustls-native-certs", &["sluice-vault"]),
    ("httparse", &["sluice-vault"]),
    ("ed25519-dalek", &["sluice-ledger"]),
    ("oci-client", &["sluice-distribution"]),
    ("clap", &["sluice", "sluice-server"]),
    ("clap_complete", &["sluice"]),
    ("clap_mangen", &["sluice"]),
    ("comfy-table", &["sluice"]),
    ("indicatif", &["sluice"]),
    ("miette", &["sluice"]),
    ("annotate-snippets", &["sluice"]),
    ("crossterm", &["sluice"]),
    ("tracing-subscriber", &["sluice", "sluice-server"]),
    ("anyhow", &["sluice", "sluice-server", "sluice-console"]),
    ("axum", &["sluice-server"]),
    ("hyper", &["sluice-server"]),
    ("tower", &["sluice-server"]),
    ("tower-http", &["sluice-server"]),
    ("openidconnect", &["sluice-server"]),
    ("reqwest", &["sluice-server"]),
];

/// All that the model is made of: what computes, and nothing that reads, waits or draws.
const MODEL_IS_MADE_OF: [&str; 10] =
    ["hex", "jiff", "jiter", "ryu-js", "schemars", "serde", "serde_json", "sha2", "thiserror", "zeroize"];

/// What the model's code never calls.
const NOT_IN_THE_MODEL: [&str; 13] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "std::io",
    "std::time",
    "async fn",
    "async move",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
];

/// Folders that the top level may have. Hidden ones and what is built are not looked at.
const TOP_LEVEL: [&str; 8] = ["docs", "host", "integrations", "plugins", "policies", "tests", "wit", "xtask"];

/// Folders that it must have.
const MUST_HAVE: [&str; 5] = ["host", "plugins", "policies", "tests", "wit"];

/// How a crate uses another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Built,
    Tested,
}

/// The workspace's crates: folder within the repository, and what each uses.
#[derive(Debug, Clone, Default)]
struct Graph(BTreeMap<String, Crate>);

#[derive(Debug, Clone, Default)]
struct Crate {
    folder: String,
    uses: BTreeSet<(String, Use)>,
}

impl Graph {
    /// From what `cargo metadata --no-deps` says.
    fn read(metadata: &Value, root: &Path) -> Self {
        let text = |value: &Value, member: &str| value[member].as_str().unwrap_or_default().to_owned();
        let packages = metadata["packages"].as_array().expect("cargo metadata names packages");
        Self(
            packages
                .iter()
                .map(|package| {
                    let manifest = PathBuf::from(text(package, "manifest_path"));
                    let folder = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok());
                    let folder =
                        folder.expect("a member lies in the repository").to_string_lossy().into_owned();
                    let uses = package["dependencies"].as_array().into_iter().flatten();
                    let uses = uses.map(|used| {
                        let kind = if used["kind"] == "dev" { Use::Tested } else { Use::Built };
                        (text(used, "name"), kind)
                    });
                    (text(package, "name"), Crate { folder, uses: uses.collect() })
                })
                .collect(),
        )
    }

    /// Everything in which the crates are not as the house wants them.
    fn breaches(&self) -> Vec<String> {
        let mut breaches = Vec::new();
        let floors = BTreeMap::from(FLOORS);
        for (name, it) in &self.0 {
            let is_room = it.folder.starts_with("host");
            if is_room && !floors.contains_key(name.as_str()) {
                breaches.push(format!("`{name}` in {} has no floor", it.folder));
            }
            for (used, kind) in &it.uses {
                breaches.extend(self.breach(name, it, used, *kind, &floors));
            }
        }
        breaches
    }

    fn breach(
        &self,
        name: &str,
        it: &Crate,
        used: &str,
        kind: Use,
        floors: &BTreeMap<&str, u8>,
    ) -> Option<String> {
        let is_free = it.folder.starts_with("tests");
        if let Some(used_floor) = floors.get(used) {
            return match floors.get(name) {
                Some(floor) if floor > used_floor => None,
                // A crate's own tests may turn a feature of it on.
                Some(_) if name == used && kind == Use::Tested => None,
                Some(floor) if floor == used_floor => Some(format!("`{name}` uses its sibling `{used}`")),
                Some(_) => Some(format!("`{name}` uses `{used}` from a floor above")),
                None if is_free => None,
                None => Some(format!("`{name}` in {} is outside the house and uses `{used}`", it.folder)),
            };
        }
        if is_free || self.0.contains_key(used) {
            return None;
        }
        let floor = floors.get(name)?;
        if kind == Use::Tested {
            return None;
        }
        if *floor == 1 && !MODEL_IS_MADE_OF.contains(&used) {
            return Some(format!("`{name}` is pure and uses `{used}`"));
        }
        let (_, rooms) = ROOMS_OF.iter().find(|(package, _)| *package == used)?;
        (!rooms.contains(&name)).then(|| format!("`{used}` lives in {rooms:?}, and `{name}` uses it"))
    }
}

/// Settings that end the process where a panic is to be caught.
fn aborts(manifest: &toml::Table) -> Vec<String> {
    let profiles = manifest.get("profile").and_then(toml::Value::as_table);
    let aborts =
        |settings: &toml::Value| settings.get("panic").and_then(toml::Value::as_str) == Some("abort");
    profiles
        .into_iter()
        .flatten()
        .filter(|(_, settings)| aborts(settings))
        .map(|(name, _)| name.clone())
        .collect()
}

/// Lines of code, outside tests, in which the model does what it must not.
fn impurities(code: &str) -> Vec<String> {
    code.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .filter(|line| !line.trim_start().starts_with("//"))
        .filter(|line| NOT_IN_THE_MODEL.iter().any(|call| line.contains(call)))
        .map(|line| line.trim().to_owned())
        .collect()
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate lies two folders down").to_owned()
}

fn graph() -> Graph {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    Graph::read(&metadata, &root())
}

/// Files below a folder with this ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with("target") && !name.starts_with('.') {
                found.extend(files(&path, ending));
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found
}

#[test]
fn crates_import_only_downward_and_outside_packages_stay_in_their_rooms() {
    let graph = graph();
    assert!(graph.0.len() > 10, "cargo named only {:?}", graph.0.keys());
    let breaches = graph.breaches();
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn a_planted_breach_is_found() {
    let whole = graph();
    for (name, used, kind, expected) in [
        (
            "sluice-policy",
            "sluice-plugin",
            Use::Built,
            Some("`sluice-policy` uses its sibling `sluice-plugin`"),
        ),
        (
            "sluice-store",
            "sluice-ledger",
            Use::Tested,
            Some("`sluice-store` uses its sibling `sluice-ledger`"),
        ),
        (
            "sluice-vault",
            "sluice-engine",
            Use::Built,
            Some("`sluice-vault` uses `sluice-engine` from a floor above"),
        ),
        ("sluice-model", "sluice-model", Use::Built, Some("`sluice-model` uses its sibling `sluice-model`")),
        (
            "xtask",
            "sluice-engine",
            Use::Built,
            Some("`xtask` in xtask is outside the house and uses `sluice-engine`"),
        ),
        (
            "sluice-engine",
            "wasmtime",
            Use::Built,
            Some("`wasmtime` lives in [\"sluice-plugin\"], and `sluice-engine` uses it"),
        ),
        (
            "sluice-engine",
            "rusqlite",
            Use::Built,
            Some("`rusqlite` lives in [\"sluice-store\"], and `sluice-engine` uses it"),
        ),
        (
            "sluice-engine",
            "clap",
            Use::Built,
            Some("`clap` lives in [\"sluice\", \"sluice-server\"], and `sluice-engine` uses it"),
        ),
        ("sluice", "rhai", Use::Built, Some("`rhai` lives in [\"sluice-policy\"], and `sluice` uses it")),
        ("sluice-model", "tokio", Use::Built, Some("`sluice-model` is pure and uses `tokio`")),
        ("sluice-model", "getrandom", Use::Built, Some("`sluice-model` is pure and uses `getrandom`")),
        ("sluice-model", "proptest", Use::Tested, None),
        ("journeys", "sluice-store", Use::Built, None),
        ("sluice", "sluice-engine", Use::Built, None),
    ] {
        let mut graph = whole.clone();
        let it = graph.0.get_mut(name).unwrap_or_else(|| panic!("there is no crate `{name}`"));
        it.uses.insert((used.to_owned(), kind));
        let breaches = graph.breaches();
        match expected {
            Some(expected) => assert!(breaches.iter().any(|b| b == expected), "{expected}: {breaches:?}"),
            None => assert_eq!(breaches, whole.breaches(), "{name} may use {used}"),
        }
    }
    let mut graph = whole;
    graph.0.insert("sluice-attic".into(), Crate { folder: "host/attic".into(), uses: BTreeSet::new() });
    assert!(graph.breaches().contains(&"`sluice-attic` in host/attic has no floor".to_owned()));
}

#[test]
fn the_model_performs_no_io_and_reads_no_clock() {
    let sources = files(&root().join("host/model/src"), ".rs");
    assert!(sources.len() > 5, "{sources:?}");
    for file in sources {
        let found = impurities(&fs::read_to_string(&file).unwrap());
        assert!(found.is_empty(), "{}: {found:?}", file.display());
    }
    let planted =
        "use std::fs;\n// std::net is not used\nlet now = Timestamp::now();\n#[cfg(test)]\nuse std::env;\n";
    assert_eq!(impurities(planted), ["use std::fs;", "let now = Timestamp::now();"]);
}

#[test]
fn no_profile_aborts_on_a_panic() {
    let root = root();
    let mut manifests = files(&root, "Cargo.toml");
    manifests.extend([root.join(".cargo/config.toml")].into_iter().filter(|file| file.is_file()));
    assert!(manifests.len() > 10, "{manifests:?}");
    for file in manifests {
        // A template is no manifest before its places are filled; `{{NAME}}` stands for lines of its own.
        let text = fs::read_to_string(&file).unwrap();
        let text: String =
            text.lines().filter(|line| !line.starts_with("{{")).map(|line| format!("{line}\n")).collect();
        let table = text.parse().unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert_eq!(aborts(&table), Vec::<String>::new(), "{}", file.display());
    }
    let planted = "[profile.release]\npanic = \"abort\"\n[profile.dev]\npanic = \"unwind\"";
    assert_eq!(aborts(&planted.parse().unwrap()), ["release"]);
}

#[test]
fn the_top_level_has_only_the_folders_that_it_should() {
    let folders: BTreeSet<String> = fs::read_dir(root())
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !name.starts_with("target"))
        .collect();
    let strange: Vec<_> = folders.iter().filter(|name| !TOP_LEVEL.contains(&name.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?}");
    for name in MUST_HAVE {
        assert!(folders.contains(name), "{name} is missing");
    }
}

/// Each room says at its door what it is for and what it must not know.
#[test]
fn every_room_states_its_invariant() {
    for (name, it) in graph().0.iter().filter(|(_, it)| it.folder.starts_with("host")) {
        let source = root().join(&it.folder).join("src");
        let door = [source.join("lib.rs"), source.join("main.rs")].into_iter().find(|file| file.is_file());
        let text = fs::read_to_string(door.expect("a crate has a root")).unwrap();
        let opening: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(opening.iter().any(|line| line.contains("Architecture invariant:")), "`{name}` does not");
    }
}
