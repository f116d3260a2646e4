//! Plans and their application over large apps: what changes is paid for, not what is there.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "benchmarks are no public code and may stop at the first error"
)]

#[path = "../tests/engine/large.rs"]
mod large;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, SamplingMode, criterion_group, criterion_main};
use sluice_engine::ambient::System;
use sluice_engine::config;
use sluice_engine::import::ImportRequest;
use sluice_engine::plan::{PlanRequest, Wanted};
use sluice_engine::promote::PromoteRequest;
use sluice_engine::version::{CutRequest, ManageRequest};
use sluice_engine::workspace::{Furnishing, new_key};
use sluice_engine::{Actor, Home, Workspace};
use sluice_model::EnvironmentName;
use sluice_platform::InputFile;

struct Stage {
    _folder: tempfile::TempDir,
    workspace: Workspace,
    ada: Actor,
    objects: usize,
    changed: usize,
    round: usize,
}

fn staging() -> EnvironmentName {
    EnvironmentName::new("staging").unwrap()
}

impl Stage {
    /// A workspace in which the app is promoted to staging once, and another version is cut.
    fn new(objects: usize, changed: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("workspace");
        std::fs::create_dir(&place).unwrap();
        let ambient = Arc::new(System::default());
        let home = Home::at(folder.path().join("home"));
        let furnishing = Furnishing { policies: BTreeMap::new(), plugins: BTreeMap::new() };
        let mut workspace = Workspace::init(&place, "bench", &home, &furnishing, ambient.clone()).unwrap();
        let ada = Actor { name: "ada".into(), key: new_key(ambient.as_ref()).unwrap() };
        let text = ungated(&config::template("bench", []).unwrap());
        let roles = ["builder", "release-manager"].map(|role| role.parse().unwrap());
        let person = config::person("ada").unwrap();
        let text = config::put_person(&text, &person, &ada.key.public(), &roles).unwrap();
        std::fs::write(place.join("sluice.toml"), text).unwrap();
        let candidate = workspace.proposed().unwrap();
        workspace.adopt(&ada, candidate).unwrap();
        let mut stage = Self { _folder: folder, workspace, ada, objects, changed, round: 0 };
        stage.import();
        let manage = ManageRequest { objects: vec!["Large".into()], with_dependencies: true, on: true };
        stage.workspace.manage(&stage.ada, &manage).unwrap();
        stage.cut();
        stage.promote(None);
        stage.next_version();
        stage
    }

    fn import(&mut self) {
        let bytes = large::export(self.objects, self.changed, self.round);
        let request = ImportRequest {
            environment: EnvironmentName::new("development").unwrap(),
            files: vec![InputFile { name: "large.json".into(), bytes }],
            confirm: None,
            distinct: Default::default(),
        };
        self.workspace.import(&self.ada, &request).unwrap();
    }

    fn cut(&self) {
        let request = CutRequest { app: "Large".into(), version: None, from: None, note: None };
        self.workspace.cut(&self.ada, &request).unwrap();
    }

    fn next_version(&mut self) {
        self.round += 1;
        self.import();
        self.cut();
    }

    /// The promotion of a version to staging; without a name, of the newest.
    fn request(&self, version: Option<&str>) -> PlanRequest {
        let version = version.map(Into::into);
        PlanRequest {
            transition: Wanted::Promotion { app: "Large".into(), version, to: staging() },
            choices: BTreeMap::new(),
        }
    }

    fn promote(&self, version: Option<&str>) {
        let request = PromoteRequest { plan: self.request(version), digest: None, wait: Duration::ZERO };
        self.workspace.promote(&self.ada, &request).unwrap();
    }
}

/// The template without gates and plugins: what is measured is the engine.
fn ungated(template: &str) -> String {
    let mut document: toml_edit::DocumentMut = template.parse().unwrap();
    document.remove("plugin");
    let transitions = document.get_mut("transition").and_then(|t| t.as_array_of_tables_mut()).unwrap();
    for transition in transitions.iter_mut() {
        transition.remove("gate");
        transition["ungated"] = toml_edit::value("a benchmark of the engine");
    }
    document.to_string()
}

/// When each step of a run was done, as the engine tells it.
#[derive(Default)]
struct Steps(Mutex<BTreeMap<&'static str, Instant>>);

impl Steps {
    /// How long it took from the end of one step to the end of another.
    fn between(&self, from: &str, to: &str) -> Duration {
        let steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        steps.get(to).unwrap().duration_since(*steps.get(from).unwrap())
    }
}

/// What the engine tells goes to these steps.
struct Stopwatch(Arc<Steps>);

impl tracing::Subscriber for Stopwatch {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.name().starts_with("promote.")
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut steps = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        steps.insert(event.metadata().name(), Instant::now());
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

fn plans(c: &mut Criterion) {
    for objects in [10_000, 100_000] {
        let stage = Stage::new(objects, 10);
        let request = stage.request(None);
        let plan = stage.workspace.plan(&request).unwrap();
        assert_eq!(plan.objects.len(), 10);
        c.bench_function(&format!("plan/{objects}-objects-10-changed"), |b| {
            b.iter(|| black_box(stage.workspace.plan(&request).unwrap()));
        });
    }
}

fn promotions(c: &mut Criterion) {
    let stage = std::cell::RefCell::new(Stage::new(10_000, 10));
    c.bench_function("promote/10000-objects-10-changed", |b| {
        b.iter_batched(
            || stage.borrow_mut().next_version(),
            |()| stage.borrow().promote(None),
            BatchSize::PerIteration,
        );
    });
}

/// The parts of a run. Two versions go to and fro, which differ in ten objects.
fn parts(c: &mut Criterion) {
    let stage = Stage::new(10_000, 10);
    let steps = Arc::new(Steps::default());
    let mut group = c.benchmark_group("apply");
    group.sampling_mode(SamplingMode::Flat).sample_size(100).measurement_time(Duration::from_millis(1));
    let mut to_and_fro = ["v2", "v1"].into_iter().cycle();
    for (name, from, to) in [
        ("10000-objects-10-changed, lease to commit", "promote.leased", "promote.committed"),
        ("plan under the lease", "promote.leased", "promote.planned"),
        ("gates", "promote.planned", "promote.allowed"),
        ("journal", "promote.allowed", "promote.journaled"),
        ("gates again", "promote.journaled", "promote.allowed-again"),
        ("commit", "promote.allowed-again", "promote.committed"),
        ("read back", "promote.committed", "promote.read-back"),
        ("end", "promote.read-back", "promote.ended"),
    ] {
        group.bench_function(name, |b| {
            b.iter_custom(|runs| {
                tracing::subscriber::with_default(Stopwatch(Arc::clone(&steps)), || {
                    (0..runs)
                        .map(|_| {
                            stage.promote(to_and_fro.next());
                            steps.between(from, to)
                        })
                        .sum()
                })
            });
        });
    }
}

fn configured() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(5))
}

criterion_group! { name = benches; config = configured(); targets = plans, promotions, parts }
criterion_main!(benches);
