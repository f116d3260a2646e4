//! What is rendered in benchmarks, and by what.

#![allow(dead_code, unreachable_pub, reason = "each benchmark uses a part of it")]

use std::path::Path;

use serde_json::{Value, json};
use sluice_model::content::{Part, mark};
use sluice_plugin::{Candidate, DataSource, Environment, RenderInput};

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A built plugin; `file` is its path below the folder of built plugins.
pub fn component(file: &str) -> Vec<u8> {
    let folder = std::env::var_os("SLUICE_PLUGINS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins"),
        std::path::PathBuf::from,
    );
    let path = folder.join(file);
    std::fs::read(&path)
        .unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask build-plugins`", path.display()))
}

/// A data source of Lowcoder with 20 options; the binding has all but its secret.
pub fn lowcoder() -> RenderInput {
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
pub fn tooljet() -> RenderInput {
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

/// The same as one JSON text, for hosts whose plugins take bytes.
pub fn as_json(input: &RenderInput) -> Value {
    let RenderInput { source, source_environment, target_environment, binding, slots_bound: _, candidates } =
        input;
    let environment =
        |environment: &Environment| json!({"name": environment.name, "order": environment.order});
    let offered: Vec<Value> =
        candidates.iter().map(|one| json!({"label": one.label, "age-days": one.age_days})).collect();
    let slots: Vec<_> =
        sluice_model::content::marks(&source.options).iter().map(|mark| mark.slot.to_string()).collect();
    json!({
        "source": {
            "logical-id": source.logical_id,
            "name": source.name,
            "kind": {"platform": source.kind.platform, "name": source.kind.name},
            "options": source.options,
        },
        "binding": binding,
        "from": environment(source_environment),
        "to": environment(target_environment),
        "slots": slots,
        "offered": offered,
    })
}

pub fn render_input(kind: &str, options: Value, binding: Value) -> RenderInput {
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
