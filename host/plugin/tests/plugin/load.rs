//! What is let in, and which plugins fit together. What is refused is in `adversaries`.

use crate::built::{bytes, host};
use sluice_plugin::{Reason, Registry};

#[test]
fn further_exports_are_accepted() {
    // Two more sections in the component's binary format: an instance without members, and its
    // export. Its index is the number of instances before it, the highest that is valid.
    let name = "vendor:extra/more@1.0.0";
    let with_export = |index: u8| {
        let mut component = bytes("sql.wasm");
        component.extend([0x05, 0x03, 0x01, 0x01, 0x00]);
        let export = [&[0x01, 0x00, name.len() as u8], name.as_bytes(), &[0x05, index, 0x00]].concat();
        component.extend([0x0b, export.len() as u8]);
        component.extend(export);
        component
    };
    let valid = (0..40).rev().map(with_export).find(|component| {
        let loaded = host().load("more", component);
        !loaded.is_err_and(|error| matches!(*error.reason, Reason::NotAComponent(_)))
    });
    let plugin = host().load("more", &valid.expect("some index is valid")).unwrap();
    assert_eq!(plugin.describe(), host().load("sql", &bytes("sql.wasm")).unwrap().describe());
}

#[test]
fn two_plugins_for_one_kind_are_refused_by_name() {
    let sql = host().load("sql", &bytes("sql.wasm")).unwrap();
    let http = host().load("http", &bytes("http.wasm")).unwrap();
    let other = host().load("sql-of-a-vendor", &bytes("sql.wasm")).unwrap();
    let registry = Registry::new(vec![sql.clone(), http]).unwrap();
    assert_eq!(registry.for_kind(&"lowcoder/graphql".parse().unwrap()).unwrap().name(), "http");
    assert!(registry.for_kind(&"tooljet/redis".parse().unwrap()).is_none());
    let error = Registry::new(vec![sql, other]).unwrap_err();
    assert_eq!((error.first.as_str(), error.second.as_str()), ("sql", "sql-of-a-vendor"));
}
