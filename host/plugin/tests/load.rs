//! What is refused when it is loaded, and the cache of compiled code.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail as tests do"
)]

mod built;

use built::{act, bytes, host};
use sluice_plugin::{CodeCache, Host, Limits, Reason, Registry};

fn refused(bytes: &[u8]) -> Reason {
    let error = host().load("vendor", bytes).expect_err("must be refused");
    assert!(error.to_string().starts_with("plugin `vendor`: "), "{error}");
    *error.reason
}

#[test]
fn what_is_not_a_component_is_refused() {
    let good = bytes("sql.wasm");
    let module = wat::parse_str("(module)").unwrap();
    let threads = wat::parse_str("(component (core module (memory 1 1 shared)))").unwrap();
    let large_memory = wat::parse_str("(component (core module (memory 20000)))").unwrap();
    for (name, bytes) in [
        ("empty", &[][..]),
        ("garbage", b"\0asm and something else"),
        ("text", b"(component)"),
        ("module", &module),
        ("truncated", &good[..good.len() / 2]),
        ("cut by one", &good[..good.len() - 1]),
        ("threads", &threads),
        ("large memory", &large_memory),
    ] {
        let reason = refused(bytes);
        assert!(matches!(reason, Reason::NotAComponent(_)), "{name}: {reason}");
    }
}

#[test]
fn size_is_judged_before_anything_else() {
    let small = Host::new(Limits { component_bytes: 1000, ..Limits::default() }).unwrap();
    let reason = *small.load("vendor", &[0; 1001]).unwrap_err().reason;
    assert_eq!(reason, Reason::TooLarge { bytes: 1001, limit: 1000 });
}

#[test]
fn an_unknown_import_is_refused_by_name() {
    for (import, expected) in [
        (r#"(import "wasi:sockets/tcp@0.2.0" (instance))"#, "wasi:sockets/tcp@0.2.0"),
        (r#"(import "sluice:plugin/net@1.0.0" (instance))"#, "sluice:plugin/net@1.0.0"),
        (r#"(import "helper" (func))"#, "helper"),
    ] {
        let component = wat::parse_str(format!("(component {import})")).unwrap();
        assert_eq!(refused(&component), Reason::UnknownImport(expected.to_owned()));
    }
}

#[test]
fn an_unknown_function_of_a_known_interface_is_refused_by_name() {
    let component = wat::parse_str(
        r#"(component (import "sluice:plugin/log@1.0.0" (instance (export "erase" (func)))))"#,
    );
    let reason = refused(&component.unwrap());
    assert!(matches!(&reason, Reason::NotThisWorld(what) if what.contains("erase")), "{reason}");
}

#[test]
fn a_component_without_the_world_is_refused() {
    let reason = refused(&wat::parse_str("(component)").unwrap());
    assert!(matches!(&reason, Reason::NotThisWorld(what) if what.contains("transforming")), "{reason}");
}

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
    assert_eq!(plugin.describe().len(), 8);
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

#[test]
fn compiled_code_is_kept_and_only_good_entries_are_believed() {
    let folder = tempfile::tempdir().unwrap();
    let host =
        |key: u8| Host::new(Limits::default()).unwrap().with_cache(CodeCache::new(folder.path(), &[key; 32]));
    let component = bytes("test/adversary.wasm");
    let entry = || {
        let mut entries = std::fs::read_dir(folder.path()).unwrap();
        let path = entries.next().unwrap().unwrap().path();
        assert!(entries.next().is_none(), "one plugin has one entry");
        path
    };
    let load = |host: &Host| host.load("adversary", &component).unwrap().render(&act("decent")).unwrap();

    let first = load(&host(1));
    let good = std::fs::read(entry()).unwrap();
    assert_eq!(load(&host(1)), first);
    assert_eq!(std::fs::read(entry()).unwrap(), good);

    // The last is an entry of another key: made again, not believed.
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut forged = good.clone();
    forged[0] ^= 1;
    for (name, bytes) in [
        ("empty", &[][..]),
        ("truncated", &good[..good.len() / 2]),
        ("flipped", &flipped),
        ("forged", &forged),
    ] {
        std::fs::write(entry(), bytes).unwrap();
        assert_eq!(load(&host(1)), first, "{name}");
        assert_eq!(std::fs::read(entry()).unwrap().len(), good.len(), "{name} was not mended");
    }
    assert_eq!(load(&host(2)), first);
    assert_ne!(std::fs::read(entry()).unwrap()[..32], good[..32], "another key has another code");
}

#[test]
fn a_damaged_entry_is_reported() {
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(Limits::default()).unwrap().with_cache(CodeCache::new(folder.path(), &[1; 32]));
    let component = bytes("sql.wasm");
    host.load("sql", &component).unwrap();
    let entry = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    std::fs::write(entry, b"nothing good").unwrap();
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || host.load("sql", &component).unwrap());
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("damaged or not from here"), "{text}");
}
