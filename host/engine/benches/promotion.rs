//! Plans and their application over large apps: what changes is paid for, not what is there.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "benchmarks are no public code and may stop at the first error"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
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

/// A ToolJet 3.x export with so many components, the first `changed` of them in another state.
fn export(objects: usize, changed: usize, round: usize) -> Vec<u8> {
    let id = |kind: u32, n: usize| format!("{kind:08x}-0000-4000-8000-{n:012x}");
    let components: Vec<Value> = (0..objects)
        .map(|n| {
            let text = if n < changed { format!("text {n} of round {round}") } else { format!("text {n}") };
            json!({
                "id": id(0xc0, n), "name": format!("text{n}"), "type": "Text", "pageId": id(0xb0, 0), "parent": null,
                "properties": {"text": {"value": text}}, "general": {}, "styles": {}, "generalStyles": {},
                "displayPreferences": {}, "validation": {},
                "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z", "layouts": []
            })
        })
        .collect();
    let version = json!({
        "id": id(0xa1, 0), "name": "v1", "definition": null, "globalSettings": {}, "pageSettings": {},
        "showViewerNavigation": true, "homePageId": id(0xb0, 0), "appId": id(0xa0, 0),
        "currentEnvironmentId": id(0xe0, 0), "promotedFrom": null,
        "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z"
    });
    let app = json!({
        "id": id(0xa0, 0), "type": "front-end", "name": "Large", "slug": id(0xa0, 0), "isPublic": false,
        "isMaintenanceOn": false, "icon": null, "organizationId": id(0x01, 0), "currentVersionId": null,
        "userId": id(0x02, 0), "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
        "editingVersion": version, "components": components,
        "pages": [{"id": id(0xb0, 0), "name": "Home", "handle": "home", "index": 1, "disabled": false,
            "hidden": false, "appVersionId": id(0xa1, 0)}],
        "events": [], "dataQueries": [], "dataSources": [], "appVersions": [version],
        "appEnvironments": [{"id": id(0xe0, 0), "name": "development", "isDefault": false, "priority": 1,
            "enabled": true}],
        "dataSourceOptions": [], "schemaDetails": {"multiPages": true, "multiEnv": true, "globalDataSources": true}
    });
    let file = json!({"app": [{"definition": {"appV2": app}}], "tooljet_version": "3.20.0"});
    serde_json::to_vec(&file).unwrap()
}

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
        let text = ungated(&config::template("bench").unwrap());
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
        stage.promote();
        stage.next_version();
        stage
    }

    fn import(&mut self) {
        let bytes = export(self.objects, self.changed, self.round);
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

    fn request(&self) -> PlanRequest {
        PlanRequest {
            transition: Wanted::Promotion { app: "Large".into(), version: None, to: staging() },
            choices: BTreeMap::new(),
        }
    }

    fn promote(&self) {
        let request = PromoteRequest { plan: self.request(), digest: None, wait: Duration::ZERO };
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

fn plans(c: &mut Criterion) {
    for objects in [10_000, 100_000] {
        let stage = Stage::new(objects, 10);
        let request = stage.request();
        let plan = stage.workspace.plan(&request).unwrap();
        assert_eq!(plan.objects.len(), 10);
        c.bench_function(&format!("plan/{objects}-objects-10-changed"), |b| {
            b.iter(|| black_box(stage.workspace.plan(&request).unwrap()));
        });
    }
}

fn applications(c: &mut Criterion) {
    let stage = std::cell::RefCell::new(Stage::new(10_000, 10));
    c.bench_function("promote/10000-objects-10-changed", |b| {
        b.iter_batched(
            || stage.borrow_mut().next_version(),
            |()| stage.borrow().promote(),
            BatchSize::PerIteration,
        );
    });
}

fn configured() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(5))
}

criterion_group! { name = benches; config = configured(); targets = plans, applications }
criterion_main!(benches);
