//! What a hundred installed plugins cost: the time until a registry of them is open from a warm
//! cache, and the memory that they take before and after the first is called.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark may fail as a test does, and says what it measured"
)]

mod inputs;

use std::path::Path;

use criterion::Criterion;
use inputs::{component, lowcoder};
use sluice_model::Digest;
use sluice_plugin::{CodeCache, Host, Limits, Plugin, PluginLimits, Registry};

const INSTALLED: usize = 100;

/// A plugin that differs from the others in its bytes and in the kinds that it serves: the names of
/// platforms in it are others.
fn distinct(component: &[u8], number: usize) -> Vec<u8> {
    let mut component = component.to_vec();
    for platform in ["tooljet", "lowcoder", "appsmith"] {
        let other = format!("{}{number:0width$}", &platform[..1], width = platform.len() - 1);
        let places: Vec<usize> = component
            .windows(platform.len())
            .enumerate()
            .filter(|(_, window)| *window == platform.as_bytes())
            .map(|(at, _)| at)
            .collect();
        for at in places {
            component[at..at + platform.len()].copy_from_slice(other.as_bytes());
        }
    }
    component
}

fn resident() -> f64 {
    let pages: f64 = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(f64::NAN);
    pages * 4_096.0 / f64::from(1 << 20)
}

/// How a plugin's bytes are given to the host.
#[derive(Clone, Copy, PartialEq)]
enum Given {
    /// Read when they are needed, which they are not where the cache is warm.
    ByDigest,
    /// Read at once, as from a store.
    AsBytes,
}

/// As a server starts: a host, and all plugins.
fn open(folder: &Path, installed: &[(String, Digest)], given: Given) -> Registry {
    let host = Host::new(Limits::default()).unwrap().with_cache(CodeCache::new(folder, &[1; 32]));
    let load = |(name, digest): &(String, Digest)| -> Plugin {
        let path = folder.join(format!("{digest}.wasm"));
        let read = move || std::fs::read(&path).map_err(|error| error.to_string());
        match given {
            Given::ByDigest => host.load_known(name, *digest, &PluginLimits::default(), read),
            Given::AsBytes => host.load(name, &read().unwrap()),
        }
        .unwrap()
    };
    let registry = Registry::new(installed.iter().map(load).collect()).unwrap();
    assert_eq!(registry.plugins().len(), INSTALLED);
    registry
}

/// Fills the cache, in threads.
fn prepare(folder: &Path) -> Vec<(String, Digest)> {
    let component = component("sql.wasm");
    let install = |number: usize| {
        let component = distinct(&component, number);
        let digest = Digest::of(&component);
        std::fs::write(folder.join(format!("{digest}.wasm")), &component).unwrap();
        (component, (format!("plugin-{number}"), digest))
    };
    let installed: Vec<_> = (0..INSTALLED).map(install).collect();
    std::thread::scope(|scope| {
        for part in installed.chunks(INSTALLED / 2) {
            scope.spawn(|| {
                let cache = CodeCache::new(folder, &[1; 32]);
                let host = Host::new(Limits::default()).unwrap().with_cache(cache);
                part.iter().for_each(|(bytes, (name, _))| drop(host.load(name, bytes).unwrap()));
            });
        }
    });
    installed.into_iter().map(|(_, installed)| installed).collect()
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    // A process of its own fills the cache, so that what it took is not counted.
    if let [_, word, folder] = words.as_slice()
        && word == "prepare"
    {
        let installed = prepare(Path::new(folder));
        return installed.iter().for_each(|(name, digest)| println!("{name} {digest}"));
    }
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .arg("prepare")
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let installed: Vec<(String, Digest)> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let (name, digest) = line.split_once(' ').unwrap();
            (name.to_owned(), digest.parse().unwrap())
        })
        .collect();

    let before = resident();
    let registry = open(folder.path(), &installed, Given::ByDigest);
    let by_digest = resident();
    drop(registry);
    let registry = open(folder.path(), &installed, Given::AsBytes);
    let opened = resident();
    assert!(registry.plugins().iter().all(|plugin| !plugin.is_loaded()));
    let mut input = lowcoder();
    input.source.kind = format!("l{:07}/postgres", 0).parse().unwrap();
    registry.for_kind(&input.source.kind).unwrap().render(&input).unwrap();
    let called = resident();
    assert_eq!(registry.plugins().iter().filter(|plugin| plugin.is_loaded()).count(), 1);
    registry.plugins().iter().for_each(|plugin| plugin.instantiate().unwrap());
    let all = resident();
    drop(registry);
    // Beside criterion's results, since it measures time alone.
    let memory = serde_json::json!({
        "before": before, "opened by digest": by_digest, "opened by bytes": opened, "one called": called,
        "all called": all,
    });
    println!("{INSTALLED} plugins, MiB resident: {memory}");
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed.json"), memory.to_string())
        .unwrap();

    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    for (given, how) in [(Given::ByDigest, "by digest"), (Given::AsBytes, "by bytes")] {
        criterion.bench_function(&format!("plugin/100 installed, opened from the cache {how}"), |b| {
            b.iter(|| open(folder.path(), &installed, given));
        });
    }
    criterion.final_summary();
}
