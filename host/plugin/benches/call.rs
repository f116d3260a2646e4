//! What a plugin call costs: a warm render, an instance by itself, and loading with and without
//! compiled code at hand.
//!
//! The goal for a warm render of 20 options is 60 µs. One of Lowcoder's options is one leaf of
//! JSON; one of ToolJet's is two, and its source here has six secret slots.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the macros make undocumented items; a benchmark may fail as a test does"
)]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use sluice_model::content::{Part, mark};
use sluice_plugin::{Candidate, CodeCache, DataSource, Environment, Host, Limits, RenderInput};

fn component() -> Vec<u8> {
    let folder = std::env::var_os("SLUICE_PLUGINS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins"),
        std::path::PathBuf::from,
    );
    let path = folder.join("sql.wasm");
    std::fs::read(&path)
        .unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask build-plugins`", path.display()))
}

/// A data source of Lowcoder with 20 options; the binding has all but its secret.
fn lowcoder() -> RenderInput {
    let parameters: serde_json::Map<_, _> = (0..12).map(|n| (format!("parameter{n}"), json!("on"))).collect();
    let owned = |host: &str| {
        json!({"host": host, "port": 5432, "database": "orders", "username": "app", "extParams": parameters,
            "usingSsl": true, "isReadonly": false, "enableTurnOffPreparedStatement": false})
    };
    let mut source = owned("db.dev.example");
    source["password"] = mark(&[Part::Slot("password".parse().unwrap())]);
    render_input("lowcoder/postgres", source, owned("db.staging.example"))
}

/// A data source of ToolJet with 20 options; the binding has all but its six secrets.
fn tooljet() -> RenderInput {
    let mut source = serde_json::Map::new();
    let mut binding = serde_json::Map::new();
    for (key, dev, staging) in [
        ("host", json!("db.dev.example"), json!("db.staging.example")),
        ("port", json!(5432), json!(6432)),
        ("database", json!("orders"), json!("orders")),
        ("username", json!("dev"), json!("app")),
        ("ssh_host", json!("jump.dev.example"), json!("jump.staging.example")),
        ("ssh_port", json!(22), json!(22)),
        ("ssh_username", json!("dev"), json!("tunnel")),
        ("connection_options", json!([]), json!([["application_name", "orders"]])),
    ] {
        source.insert(key.to_owned(), json!({"value": dev, "encrypted": false}));
        binding.insert(key.to_owned(), json!({"value": staging}));
    }
    for (key, value) in [
        ("ssl_enabled", json!(true)),
        ("ssl_certificate", json!("none")),
        ("connection_type", json!("manual")),
        ("allow_dynamic_connection_parameters", json!(false)),
        ("ssh_enabled", json!("enabled")),
        ("ssh_auth_type", json!("private_key")),
    ] {
        source.insert(key.to_owned(), json!({"value": value, "encrypted": false}));
        binding.insert(key.to_owned(), json!({"value": value}));
    }
    for key in ["password", "ca_cert", "client_key", "client_cert", "root_cert", "ssh_private_key"] {
        let slot = mark(&[Part::Slot(key.replace('_', "-").parse().unwrap())]);
        source.insert(key.to_owned(), json!({"value": slot, "encrypted": true}));
    }
    assert_eq!(source.len(), 20);
    render_input("tooljet/postgresql", Value::Object(source), Value::Object(binding))
}

fn render_input(kind: &str, options: Value, binding: Value) -> RenderInput {
    let environment = |name: &str, order| Environment { name: name.parse().unwrap(), order };
    let candidate = |label: &str| Candidate {
        reference: format!("secret://staging/orders/{label}").parse().unwrap(),
        label: label.to_owned(),
        age_days: 3,
    };
    RenderInput {
        source: DataSource {
            logical_id: "orders".parse().unwrap(),
            name: "orders".to_owned(),
            kind: kind.parse().unwrap(),
            options,
        },
        source_environment: environment("development", 0),
        target_environment: environment("staging", 1),
        binding,
        slots_bound: Default::default(),
        candidates: ["password", "ca-cert", "ssh-private-key"].map(candidate).into(),
    }
}

fn calls(criterion: &mut Criterion) {
    let component = component();
    let host = Host::new(Limits::default()).unwrap();
    let plugin = host.load("sql", &component).unwrap();
    for (platform, input, slots) in [("lowcoder", lowcoder(), 1), ("tooljet", tooljet(), 3)] {
        assert_eq!(plugin.render(&input).unwrap().slots.len(), slots);
        let name = format!("plugin/render 20 options, warm/{platform}");
        criterion.bench_function(&name, |b| b.iter(|| plugin.render(black_box(&input)).unwrap()));
    }
    criterion.bench_function("plugin/instantiate", |b| b.iter(|| plugin.instantiate().unwrap()));
    let mut loading = criterion.benchmark_group("plugin/load");
    loading.sample_size(10);
    loading.bench_function("compiled", |b| b.iter(|| host.load("sql", black_box(&component)).unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let cached = host.clone().with_cache(CodeCache::new(folder.path(), &[1; 32]));
    cached.load("sql", &component).unwrap();
    loading
        .bench_function("from the cache", |b| b.iter(|| cached.load("sql", black_box(&component)).unwrap()));
    loading.finish();
}

criterion_group!(benches, calls);
criterion_main!(benches);
