//! What policies cost by their number: a thousand loaded, fifty gates over a large plan, and two
//! threads that ask one sandbox.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot be set up should stop"
)]
#![allow(missing_docs, reason = "criterion's macros declare functions without any")]

#[path = "../tests/acme/mod.rs"]
mod acme;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rustix::time::{ClockId, clock_gettime};
use sluice_policy::{Facts, Gate, Pack, ReadyFacts, Sandbox};

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn sandbox() -> Sandbox {
    let begun = Instant::now();
    Sandbox::new(Arc::new(move || begun.elapsed()))
}

/// A thousand packs as they are kept, no two of which are alike.
fn thousand() -> Vec<Vec<u8>> {
    let rules = acme::RULES.iter().cycle().take(1_000).enumerate();
    rules
        .map(|(n, rule)| {
            let source = format!("// The rule number {n}.\n{}", rule.source);
            acme::asking(rule.facts, &source, &[]).expect("pack").blob().expect("blob")
        })
        .collect()
}

fn fifty(sandbox: &Sandbox) -> Vec<Gate> {
    let rules = acme::RULES.iter().cycle().take(50).enumerate();
    rules
        .map(|(n, rule)| {
            acme::gate(sandbox, rule.pack(), &format!("{}-{n}", rule.name), BTreeMap::new()).expect("gate")
        })
        .collect()
}

fn load(c: &mut Criterion) {
    let blobs = thousand();
    c.benchmark_group("load").sample_size(10).bench_function("1000-policies", |b| {
        b.iter_batched(
            sandbox,
            |sandbox| {
                let policies: Vec<_> = blobs
                    .iter()
                    .map(|blob| sandbox.compile(Pack::from_blob("t", blob).expect("pack")).expect("compiles"))
                    .collect();
                (sandbox, policies)
            },
            BatchSize::PerIteration,
        );
    });
}

fn large(c: &mut Criterion) {
    let sandbox = sandbox();
    let gates = fifty(&sandbox);
    let facts = acme::facts_with_changes(10_000);
    c.benchmark_group("decision").sample_size(50).bench_function("50-gates-10000-changes", |b| {
        // Fresh facts each time, so that what is made for the first gate is part of it.
        b.iter_batched(
            || acme::ready(facts.clone()),
            |ready| sandbox.decide(&gates, &ready, &[], None),
            BatchSize::PerIteration,
        );
    });
}

/// The time that this thread has had of a processor.
fn processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// As many decisions by so many threads, each with its share: the time that a thread takes, with a
/// processor of its own. What else the machine does is not in it, what threads cost each other is.
/// It is the mean, since throughput is what all of them get done and not what the slowest does.
fn shared(asked: &[&Asked], decisions: usize) -> Duration {
    std::thread::scope(|scope| {
        let threads: Vec<_> = asked
            .iter()
            .map(|Asked { sandbox, gates, ready }| {
                scope.spawn(move || {
                    for _ in 0..decisions / asked.len() {
                        assert!(!sandbox.decide(gates, ready, &[], None).decision.gates.is_empty());
                    }
                    processor()
                })
            })
            .collect();
        let took: Duration = threads.into_iter().map(|thread| thread.join().expect("decides")).sum();
        took / u32::try_from(asked.len()).expect("a count")
    })
}

/// A sandbox with gates and facts.
struct Asked {
    sandbox: Sandbox,
    gates: Vec<Gate>,
    ready: Arc<ReadyFacts>,
}

impl Asked {
    fn new() -> Self {
        let sandbox = sandbox();
        let gates = fifty(&sandbox);
        Self { sandbox, gates, ready: acme::ready(acme::facts_with_changes(100)) }
    }
}

/// How often that is measured.
const ROUNDS: usize = 9;

/// One thread, two that ask one sandbox, and two that share nothing: what those lose, the machine
/// takes. In turns, so that a slow moment of the machine falls on all of them.
fn threads(c: &mut Criterion) {
    let (one, other) = (Asked::new(), Asked::new());
    for round in 1..=ROUNDS {
        let mut group = c.benchmark_group(format!("64-decisions-of-50-gates, round {round}"));
        group.sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
        for (name, asked) in
            [("threads-1", &[&one][..]), ("threads-2", &[&one, &one]), ("threads-2-apart", &[&one, &other])]
        {
            group.bench_function(name, |b| {
                b.iter_custom(|times| shared(asked, 64 * usize::try_from(times).expect("a count")));
            });
        }
        group.finish();
    }
}

/// The ten rules that have a twin in `xtask/peers`, on the facts that the twins are asked about.
fn peers(c: &mut Criterion) {
    let Some(folder) = std::env::var_os("SLUICE_PEERS").map(PathBuf::from) else { return };
    let sandbox = sandbox();
    let rules = acme::RULES.iter().filter(|rule| rule.name != "next-step");
    let gates: Vec<_> = rules
        .map(|rule| acme::gate(&sandbox, rule.pack(), rule.name, BTreeMap::new()).expect("gate"))
        .collect();
    for name in ["small", "large"] {
        let bytes = std::fs::read(folder.join(format!("{name}.json"))).expect("facts");
        let ready = ReadyFacts::new(Facts::read(&bytes).expect("facts")).expect("facts");
        c.bench_function(&format!("peers/{name}"), |b| b.iter(|| sandbox.decide(&gates, &ready, &[], None)));
    }
}

criterion_group!(benches, load, large, threads, peers);
criterion_main!(benches);
