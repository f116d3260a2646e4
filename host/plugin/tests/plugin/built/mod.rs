//! The built plugins, and inputs for them.

#![allow(dead_code, unreachable_pub, clippy::print_stderr, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};
use sluice_guest::Family;
use sluice_guest::spec::KindSpec;
use sluice_model::content::{Part, mark};
use sluice_model::{SecretRef, SlotName};
use sluice_plugin::conformance::Example;
use sluice_plugin::{
    Candidate, CodeCache, DataSource, Environment, Host, Limits, Plugin, Registry, RenderInput,
};

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where a built plugin is; `file` is its path below the folder of built plugins.
fn built(file: &str) -> PathBuf {
    let folder = std::env::var_os("SLUICE_PLUGINS");
    folder.map_or_else(|| repository().join("target/plugins"), PathBuf::from).join(file)
}

/// The bytes of a built plugin; `file` is its path below the folder of built plugins.
pub fn bytes(file: &str) -> Vec<u8> {
    let path = built(file);
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
    let is_guest = |folder: &PathBuf| {
        std::fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("cdylib"))
    };
    let folders = std::fs::read_dir(repository().join("plugins")).unwrap().map(|entry| entry.unwrap().path());
    let folders = folders.filter(is_guest);
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

/// The neighbour that goes on working, and works for its own.
pub fn behaves(plugin: &Plugin) {
    let rendered = plugin.render(&act("decent")).unwrap();
    let expected = json!({
        "host": "db.staging.example", "tls": false, "mode": "lax", "dialect": "old",
        "password": slot("password"), "token": slot("token"),
    });
    assert_eq!(rendered.options, expected);
    let filled: Vec<_> = rendered.slots.iter().map(|(s, r)| format!("{s} {r}")).collect();
    assert_eq!(filled, ["password secret://staging/orders/new"]);
    assert_eq!(rendered.missing_slots, []);
}

/// An input for the adversary, whose act is the data source's name.
pub fn act(name: &str) -> RenderInput {
    let options = json!({
        "host": "db.dev.example", "tls": false, "mode": "lax", "dialect": "old",
        "password": slot("password"), "token": slot("token"),
    });
    input("lowcoder/adversary", name, options, json!({"host": "db.staging.example"}))
}

/// The tables of the first-party plugins, by the plugin's name.
pub fn tables() -> [(&'static str, &'static [KindSpec]); 10] {
    [
        ("ai", sluice_plugin_ai::Ai::kinds()),
        ("cloud", sluice_plugin_cloud::Cloud::kinds()),
        ("documents", sluice_plugin_documents::Documents::kinds()),
        ("http", sluice_plugin_http::Http::kinds()),
        ("key-value-search", sluice_plugin_key_value_search::KeyValueSearch::kinds()),
        ("messaging", sluice_plugin_messaging::Messaging::kinds()),
        ("object-storage", sluice_plugin_object_storage::ObjectStorage::kinds()),
        ("saas", sluice_plugin_saas::Saas::kinds()),
        ("sql", sluice_plugin_sql::Sql::kinds()),
        ("tables", sluice_plugin_tables::Tables::kinds()),
    ]
}

/// The plugins in other languages than Rust, and the file that each is written in.
pub const IN_OTHER_LANGUAGES: [(&str, &str); 2] = [("aws-lambda", "plugin.js"), ("firebird", "plugin.py")];

/// A host that keeps what it compiles: Python takes a while.
pub fn host_with_cache() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    let folder = repository().join("target/plugins/compiled");
    HOST.get_or_init(|| Host::new(Limits::default()).unwrap().with_cache(CodeCache::new(folder, &[0; 32])))
}

/// The component of a plugin in another language, where its toolchain was there when plugins were
/// built.
pub fn component(name: &str) -> Option<Vec<u8>> {
    let file = format!("{name}.wasm");
    let is_there = built(&file).is_file();
    if !is_there {
        eprintln!("skipped: `{name}` was not built, see what `cargo xtask build-plugins` says");
    }
    is_there.then(|| bytes(&file))
}

/// The examples of a plugin in another language.
pub fn examples(name: &str) -> Vec<Example> {
    let folder = repository().join("plugins").join(name).join("example");
    let read = |path: PathBuf| {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        Example::parse(&file, &std::fs::read(&path).unwrap()).unwrap()
    };
    std::fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap().path())).collect()
}
