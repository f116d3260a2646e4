//! What one plugin costs its neighbour: the time of a call while another plugin is called without end
//! by more threads than there are places.
//!
//! Each sample is one call, so that the 99th percentile can be read off. The goal is that it is at
//! most twice what it is when the neighbour is alone. All of it is measured in turns, round by round:
//! a slow moment of the machine then falls on all that is compared.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the macros make undocumented items; a benchmark may fail as a test does"
)]

mod inputs;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use inputs::{component, lowcoder, render_input};
use serde_json::json;
use sluice_plugin::{Host, Limits, Plugin, RenderInput};

/// Threads that call the adversary: as many as the host has places.
const THREADS: usize = 16;

/// How often all of it is measured.
const ROUNDS: usize = 7;

/// What the adversary does; the first is that there is none.
const ACTS: [&str; 10] = [
    "",
    "decent",
    "loop",
    "allocate",
    "grow",
    "recurse",
    "answer-100-mb",
    "trap",
    "log-many",
    "hoard-handles",
];

fn act(name: &str) -> RenderInput {
    let slot =
        |name: &str| sluice_model::content::mark(&[sluice_model::content::Part::Slot(name.parse().unwrap())]);
    let options = json!({"host": "db.dev.example", "tls": false, "mode": "lax", "dialect": "old",
        "password": slot("password"), "token": slot("token")});
    let mut input = render_input("lowcoder/adversary", options, json!({"host": "db.staging.example"}));
    name.clone_into(&mut input.source.name);
    input
}

/// Runs `work` while the adversary is called without end, and says how often it was.
fn beside(adversary: &Plugin, name: &str, work: impl FnOnce()) -> u64 {
    let (is_over, calls) = (AtomicBool::new(name.is_empty()), AtomicU64::new(0));
    std::thread::scope(|scope| {
        // Also where the work panics.
        let _over = Over(&is_over);
        for _ in 0..THREADS {
            scope.spawn(|| {
                let input = act(name);
                while !is_over.load(Ordering::Relaxed) {
                    let _ = adversary.render(&input);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // It is at it by now.
        while !name.is_empty() && calls.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        work();
    });
    calls.into_inner()
}

/// Ends what the adversary does when it is dropped.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn neighbour(criterion: &mut Criterion) {
    let host = Host::new(Limits::default()).unwrap();
    let neighbour = host.load("sql", &component("sql.wasm")).unwrap();
    let adversary = host.load("adversary", &component("test/adversary.wasm")).unwrap();
    let input = lowcoder();
    for (round, name) in (1..=ROUNDS).flat_map(|round| ACTS.map(|name| (round, name))) {
        let mut group = criterion.benchmark_group(format!("plugin/neighbour, round {round}"));
        group
            .sample_size(1_000)
            .nresamples(1_000)
            .sampling_mode(SamplingMode::Flat)
            .warm_up_time(Duration::from_millis(200))
            // So short that each sample is one call.
            .measurement_time(Duration::from_millis(1));
        let title = if name.is_empty() { "alone".to_owned() } else { format!("beside one that does {name}") };
        beside(&adversary, name, || {
            group.bench_function(title, |b| b.iter(|| neighbour.render(black_box(&input)).unwrap()));
        });
        group.finish();
    }
}

criterion_group!(benches, neighbour);
criterion_main!(benches);
