//! What a plugin call costs: a warm render, an instance by itself, loading with and without compiled
//! code at hand, and calls of two threads at once; and beside them the same call in a host that has
//! nothing but wasmtime.
//!
//! The goal for a warm render of 20 options is 60 µs, and 10,000 of them in a second on two
//! processors. One of Lowcoder's options is one leaf of JSON; one of ToolJet's is two, and its source
//! here has six secret slots.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the macros make undocumented items; a benchmark may fail as a test does"
)]

mod inputs;
mod plain;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inputs::{component, lowcoder, tooljet};
use sluice_plugin::{CodeCache, Host, Limits, Plugin, RenderInput};

fn calls(criterion: &mut Criterion) {
    let component = component("sql.wasm");
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
    loading.bench_function("from the cache, and its code", |b| {
        b.iter(|| cached.load("sql", black_box(&component)).unwrap().instantiate().unwrap())
    });
    loading.finish();
}

/// As many calls by so many threads, each with its share: the time until all are done.
fn shared(plugin: &Plugin, input: &RenderInput, threads: u32, calls: u32) -> Duration {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..calls / threads).for_each(|_| drop(plugin.render(black_box(input)).unwrap())));
        }
    });
    begun.elapsed()
}

fn throughput(criterion: &mut Criterion) {
    const CALLS: u32 = 1_000;
    let host = Host::new(Limits { processors: 4, ..Limits::default() }).unwrap();
    let plugin = host.load("sql", &component("sql.wasm")).unwrap();
    let input = lowcoder();
    let mut group = criterion.benchmark_group("plugin/1000 calls of 20 options");
    group.throughput(Throughput::Elements(CALLS.into())).sample_size(20);
    for threads in [1, 2] {
        group.bench_function(format!("threads-{threads}"), |b| {
            b.iter_custom(|times| (0..times).map(|_| shared(&plugin, &input, threads, CALLS)).sum());
        });
    }
    group.finish();
}

fn beside_plain_wasmtime(criterion: &mut Criterion) {
    let bytes = component("sql.wasm");
    let plugin = Host::new(Limits::default()).unwrap().load("sql", &bytes).unwrap();
    let input = lowcoder();
    // What other hosts are asked too, with what comes of it here.
    if let Some(folder) = std::env::var_os("SLUICE_PEERS") {
        let asked = inputs::as_json(&input);
        let answer = serde_json::json!({"options": plugin.render(&input).unwrap().options});
        for (file, json) in [("call.json", asked), ("answer.json", answer)] {
            std::fs::write(std::path::Path::new(&folder).join(file), json.to_string()).unwrap();
        }
    }
    let mut group = criterion.benchmark_group("plugin/the same call");
    group.bench_function("sluice", |b| b.iter(|| plugin.render(black_box(&input)).unwrap()));
    for limited in [false, true] {
        let plain = plain::Plain::new(&bytes, limited);
        let source = plain::source(&input);
        let binding = plain::leaves(&input.binding);
        let name = if limited { "wasmtime with fuel and epochs" } else { "wasmtime" };
        group.bench_function(name, |b| b.iter(|| plain.render(black_box(&source), black_box(&binding))));
    }
    group.finish();
}

criterion_group!(benches, calls, throughput, beside_plain_wasmtime);
criterion_main!(benches);
