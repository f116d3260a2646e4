//! The built plugins, and inputs for them.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::{Value, json};
use sluice_model::content::{Part, mark};
use sluice_model::{SecretRef, SlotName};
use sluice_plugin::{Candidate, DataSource, Environment, Host, Limits, Plugin, Registry, RenderInput};

/// The bytes of a built plugin; `file` is its path below the folder of built plugins.
pub fn bytes(file: &str) -> Vec<u8> {
    let folder = std::env::var_os("SLUICE_PLUGINS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins"),
        PathBuf::from,
    );
    let path = folder.join(file);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{} cannot be read ({error}): run `cargo xtask build-plugins` first", path.display())
    })
}

pub fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| Host::new(Limits::default()).unwrap())
}

/// The names of the first-party plugins that are tables of kinds: the folders of `plugins/` that
/// make a component, without those for tests.
pub fn first_party() -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let is_guest = |folder: &PathBuf| {
        std::fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("cdylib"))
    };
    let folders = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(is_guest);
    let names = folders.map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with("adversary")).collect();
    names.sort();
    names
}

/// The first-party plugins by the kinds they serve. That no two serve one is checked here.
pub fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let load = |name: &String| host().load(name, &bytes(&format!("{name}.wasm"))).unwrap();
        Registry::new(first_party().iter().map(load).collect()).unwrap()
    })
}

pub fn adversary() -> &'static Plugin {
    static PLUGIN: OnceLock<Plugin> = OnceLock::new();
    PLUGIN.get_or_init(|| host().load("adversary", &bytes("test/adversary.wasm")).unwrap())
}

pub fn slot(name: &str) -> Value {
    mark(&[Part::Slot(SlotName::new(name).unwrap())])
}

/// ToolJet's form of options.
pub fn tooljet<'k>(options: impl IntoIterator<Item = (&'k str, Value)>) -> Value {
    let option = |value: Value| {
        let secret = value.get("$sluice").is_some();
        json!({"value": value, "encrypted": secret})
    };
    let options = options.into_iter().map(|(key, value)| (key.to_owned(), option(value)));
    options.collect::<serde_json::Map<_, _>>().into()
}

pub fn environment(name: &str, order: u32) -> Environment {
    Environment { name: name.parse().unwrap(), order }
}

pub fn candidate(path: &str, label: &str, age_days: u32) -> Candidate {
    let reference: SecretRef = format!("secret://staging/{path}").parse().unwrap();
    Candidate { reference, label: label.to_owned(), age_days }
}

pub fn input(kind: &str, name: &str, options: Value, binding: Value) -> RenderInput {
    RenderInput {
        source: DataSource {
            logical_id: "source-1".parse().unwrap(),
            name: name.to_owned(),
            kind: kind.parse().unwrap(),
            options,
        },
        source_environment: environment("development", 0),
        target_environment: environment("staging", 1),
        binding,
        slots_bound: Default::default(),
        candidates: vec![
            candidate("orders/old", "password", 400),
            candidate("orders/new", "Password", 2),
            candidate("orders/token", "api-token", 2),
        ],
    }
}

/// An input for the adversary, whose act is the data source's name.
pub fn act(name: &str) -> RenderInput {
    let options = json!({
        "host": "db.dev.example", "tls": false, "mode": "lax", "dialect": "old",
        "password": slot("password"), "token": slot("token"),
    });
    input("lowcoder/adversary", name, options, json!({"host": "db.staging.example"}))
}
