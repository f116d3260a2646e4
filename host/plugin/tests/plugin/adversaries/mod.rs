//! Plugins that do what they should not: each is refused with an error that says why, while a
//! neighbour goes on, at the same time and right after.
//!
//! The adversaries are data: what each does, and what must come of it.

mod binaries;
mod lies;
pub(crate) mod network;
mod probes;
mod raw;
mod renders;
mod wasi;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::built::{act, behaves, bytes};
use sluice_plugin::{Host, Limits, NetFailure, Plugin, PluginLimits, Reason, RegistryError};

/// A plugin that does what it should not.
struct Adversary {
    /// What it does.
    name: String,
    /// Does it, and says how it was refused; `None` where it was not.
    run: Box<Run>,
    /// What must come of it.
    expected: Expected,
}

/// Does what an adversary does.
type Run = dyn Fn(&Host) -> Option<Refusal>;

/// How an adversary was refused.
#[derive(Debug, PartialEq)]
enum Refusal {
    /// It was not loaded, or its call was ended or its answer not taken.
    Plugin(Reason),
    /// It was not let in beside the others.
    Registry(RegistryError),
    /// What it asked of the network was not done.
    Network(NetFailure),
}

/// What must come of an adversary.
enum Expected {
    Exactly(Refusal),
    Like(fn(&Refusal) -> bool),
}

impl Adversary {
    fn new(
        name: impl Into<String>,
        run: impl Fn(&Host) -> Option<Refusal> + 'static,
        expected: Expected,
    ) -> Self {
        Self { name: name.into(), run: Box::new(run), expected }
    }
}

/// What an adversary may use: less than others, so that it comes to its end sooner.
fn own_limits() -> PluginLimits {
    PluginLimits { fuel: Some(200_000_000), ..PluginLimits::default() }
}

/// Loads an adversary.
fn load(host: &Host, component: &[u8]) -> Result<Plugin, Refusal> {
    load_within(host, component, &own_limits())
}

fn load_within(host: &Host, component: &[u8], limits: &PluginLimits) -> Result<Plugin, Refusal> {
    host.load_within("adversary", component, limits).map_err(|error| {
        assert!(error.to_string().starts_with("plugin `adversary`: "), "{error}");
        assert_eq!(error.data_source, None);
        Refusal::Plugin(*error.reason)
    })
}

/// Renders the data source that says what to do.
fn render(plugin: &Plugin, name: &str) -> Option<Refusal> {
    let error = plugin.render(&act(name)).err()?;
    let begin = format!("plugin `adversary`, data source `{name}` (source-1): ");
    assert!(error.to_string().starts_with(&begin), "{error}");
    Some(Refusal::Plugin(*error.reason))
}

#[test]
fn each_adversary_is_refused_and_its_neighbour_goes_on() {
    let adversaries: Vec<Adversary> =
        [renders::all(), probes::all(), lies::all(), raw::all(), wasi::all(), binaries::all()]
            .into_iter()
            .flatten()
            .collect();
    let names: BTreeSet<_> = adversaries.iter().map(|adversary| &adversary.name).collect();
    assert_eq!(names.len(), adversaries.len(), "each does something else");
    assert!(adversaries.len() >= 100, "there are only {} adversaries", adversaries.len());

    let host = Host::new(Limits::default()).unwrap();
    let neighbour = host.load("neighbour", &bytes("test/adversary.wasm")).unwrap();
    let (is_over, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                behaves(&neighbour);
                calls.fetch_add(1, Ordering::Relaxed);
            }
        });
        for Adversary { name, run, expected } in &adversaries {
            let before = calls.load(Ordering::Relaxed);
            let refused = run(&host);
            behaves(&neighbour);
            let is_right = refused.as_ref().is_some_and(|refused| match expected {
                Expected::Exactly(expected) => refused == expected,
                Expected::Like(is_right) => is_right(refused),
            });
            if !is_right {
                wrong.push(format!("{name}: {refused:?}"));
            }
            // Whoever is slow to refuse lets others go on meanwhile.
            while calls.load(Ordering::Relaxed) == before && !beside.is_finished() {
                std::thread::yield_now();
            }
        }
        is_over.store(true, Ordering::Relaxed);
        beside.join().unwrap();
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(calls.into_inner() >= adversaries.len());
}
