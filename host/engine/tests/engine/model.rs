//! Random edits, promotions and rollbacks against a model that anybody can check by eye: an app is
//! a map of components, an environment is such a map, and a promotion copies it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use sluice_engine::Error;
use sluice_engine::import::{ImportReport, ImportRequest};
use sluice_engine::plan::{Action, Plan, PlanRequest, Wanted};
use sluice_engine::promote::{PromoteReport, PromoteRequest};
use sluice_engine::version::{CutReport, CutRequest, ManageRequest};
use sluice_engine::workspace::Furnishing;
use sluice_model::{Digest, Object, ObjectKind};
use sluice_platform::InputFile;

use crate::stage::{Stage, environment};

/// What people see of a component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Component {
    name: String,
    text: String,
}

/// An app: its components by the number in their id.
type Model = BTreeMap<u8, Component>;

/// How many objects an app has beside its components: itself and its page.
const FRAME: u64 = 2;

#[derive(Debug, Clone)]
enum Edit {
    /// Puts a component in, or another text into the one that is there.
    Write(u8, u8),
    Remove(u8),
    Rename(u8, u8),
}

impl Edit {
    fn apply(&self, model: &mut Model) {
        match *self {
            Self::Write(n, text) => {
                let text = format!("text {text}");
                model
                    .entry(n)
                    .and_modify(|component| component.text.clone_from(&text))
                    .or_insert(Component { name: format!("text{n}"), text });
            }
            Self::Remove(n) => drop(model.remove(&n)),
            Self::Rename(n, name) => {
                if let Some(component) = model.get_mut(&n) {
                    component.name = format!("renamed{n}x{name}");
                }
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// The edits come in and are cut; the version is promoted.
    Promote(Vec<Edit>),
    /// The same, and the version stays where it is.
    Cut(Vec<Edit>),
    Rollback,
}

fn edits(at_most: usize) -> impl Strategy<Value = Vec<Edit>> {
    // Few numbers, so that edits meet each other.
    let edit = prop_oneof![
        3 => (0..6_u8, 0..3_u8).prop_map(|(n, text)| Edit::Write(n, text)),
        2 => (0..6_u8).prop_map(Edit::Remove),
        2 => (0..6_u8, 0..2_u8).prop_map(|(n, name)| Edit::Rename(n, name)),
    ];
    prop::collection::vec(edit, 0..=at_most)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => edits(4).prop_map(Step::Promote),
        1 => edits(4).prop_map(Step::Cut),
        2 => Just(Step::Rollback),
    ];
    prop::collection::vec(step, 1..=6)
}

/// What is done to one of two apps.
#[derive(Debug, Clone)]
enum Turn {
    /// The edits come in and are cut.
    Edit(u8, Vec<Edit>),
    /// One of its versions is promoted.
    Promote(u8, prop::sample::Index),
    /// Its last promotion is taken back, or any by its number.
    Rollback(u8, Option<prop::sample::Index>),
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        1 => (0..2_u8, edits(3)).prop_map(|(app, edits)| Turn::Edit(app, edits)),
        4 => (0..2_u8, any::<prop::sample::Index>()).prop_map(|(app, pick)| Turn::Promote(app, pick)),
        3 => (0..2_u8).prop_map(|app| Turn::Rollback(app, None)),
        1 => (0..2_u8, any::<prop::sample::Index>()).prop_map(|(app, pick)| Turn::Rollback(app, Some(pick))),
    ]
}

/// What is to be known of an app in staging.
struct Known {
    versions: Vec<Model>,
    /// Its versions that stand there by their place in `versions`, the one that is held last.
    standing: Vec<usize>,
    /// Its promotions that were not taken back, with what stood before them.
    runs: Vec<(u64, Vec<usize>)>,
    /// All its promotions.
    numbers: Vec<u64>,
}

impl Known {
    fn new(first: Model) -> Self {
        Self { versions: vec![first], standing: Vec::new(), runs: Vec::new(), numbers: Vec::new() }
    }
}

fn model() -> impl Strategy<Value = Model> {
    edits(6).prop_map(|edits| edited(&Model::new(), &edits))
}

fn edited(model: &Model, edits: &[Edit]) -> Model {
    let mut model = model.clone();
    edits.iter().for_each(|edit| edit.apply(&mut model));
    model
}

/// What copying `from` over `to` does: each action with the name that is shown for it.
fn difference(to: &Model, from: &Model) -> BTreeSet<(String, String)> {
    let entry = |action: Action, component: &Component| (format!("{action:?}"), component.name.clone());
    let written = from.iter().filter_map(|(n, after)| match to.get(n) {
        None => Some(entry(Action::Create, after)),
        Some(before) if before != after => Some(entry(Action::Update, after)),
        Some(_) => None,
    });
    let gone = to.iter().filter(|(n, _)| !from.contains_key(n));
    written.chain(gone.map(|(_, before)| entry(Action::Delete, before))).collect()
}

/// How many components `to` has as `from` has them.
fn same(to: &Model, from: &Model) -> u64 {
    from.iter().filter(|(n, component)| to.get(n) == Some(component)).count() as u64
}

/// A ToolJet 3.x export of an app with these components. Its number sets it apart from others.
fn export(app: u8, model: &Model) -> InputFile {
    let id = |kind: u32, n: u8| format!("{kind:08x}-0000-4000-80{app:02x}-{n:012x}");
    let at = "2026-01-01T00:00:00.000Z";
    let components: Vec<Value> = model
        .iter()
        .map(|(n, component)| {
            json!({
                "id": id(0xc0, *n), "name": component.name, "type": "Text", "pageId": id(0xb0, 0),
                "parent": null, "properties": {"text": {"value": component.text}}, "general": {},
                "styles": {}, "generalStyles": {}, "displayPreferences": {}, "validation": {},
                "createdAt": at, "updatedAt": at, "layouts": []
            })
        })
        .collect();
    let version = json!({
        "id": id(0xa1, 0), "name": "v1", "definition": null, "globalSettings": {}, "pageSettings": {},
        "showViewerNavigation": true, "homePageId": id(0xb0, 0), "appId": id(0xa0, 0),
        "currentEnvironmentId": id(0xe0, 0), "promotedFrom": null, "createdAt": at, "updatedAt": at
    });
    let definition = json!({
        "id": id(0xa0, 0), "type": "front-end", "name": named(app), "slug": id(0xa0, 0), "isPublic": false,
        "isMaintenanceOn": false, "icon": null, "organizationId": id(0x01, 0), "currentVersionId": null,
        "userId": id(0x02, 0), "createdAt": at, "updatedAt": at,
        "editingVersion": version, "components": components,
        "pages": [{"id": id(0xb0, 0), "name": "Home", "handle": "home", "index": 1, "disabled": false,
            "hidden": false, "appVersionId": id(0xa1, 0)}],
        "events": [], "dataQueries": [], "dataSources": [], "appVersions": [version],
        "appEnvironments": [{"id": id(0xe0, 0), "name": "development", "isDefault": false, "priority": 1,
            "enabled": true}],
        "dataSourceOptions": [],
        "schemaDetails": {"multiPages": true, "multiEnv": true, "globalDataSources": true}
    });
    let file = json!({"app": [{"definition": {"appV2": definition}}], "tooljet_version": "3.20.0"});
    InputFile { name: format!("app{app}.json"), bytes: serde_json::to_vec(&file).unwrap() }
}

fn named(app: u8) -> String {
    format!("App {app}")
}

/// The first-party plugins by their paths.
pub const PLUGINS: [(&str, &str); 3] = [
    ("sql", "plugins/sql.wasm"),
    ("http", "plugins/http.wasm"),
    ("object-storage", "plugins/object-storage.wasm"),
];

/// A workspace whose transitions have no gates, and these plugins, by their paths, alone.
pub fn ungated(furnishing: &Furnishing, plugins: &[(&str, &str)]) -> Stage {
    let mut stage = Stage::unadopted(furnishing);
    let file = stage.place().join("sluice.toml");
    let mut document: toml_edit::DocumentMut = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    document.remove("plugin");
    let mut tables = toml_edit::ArrayOfTables::new();
    for (name, path) in plugins {
        let mut table = toml_edit::Table::new();
        table["name"] = toml_edit::value(*name);
        table["path"] = toml_edit::value(*path);
        tables.push(table);
    }
    if !tables.is_empty() {
        document.insert("plugin", toml_edit::Item::ArrayOfTables(tables));
    }
    let transitions = document.get_mut("transition").and_then(|t| t.as_array_of_tables_mut()).unwrap();
    for transition in transitions.iter_mut() {
        transition.remove("gate");
        transition["ungated"] = toml_edit::value("a test of the engine alone");
    }
    std::fs::write(&file, document.to_string()).unwrap();
    if let Ok(candidate) = stage.workspace.proposed() {
        stage.workspace.adopt(&stage.ada, candidate).unwrap();
    }
    stage
}

/// Apps made of models, in a workspace without gates and plugins.
struct Apps {
    stage: Stage,
}

impl Apps {
    fn new(models: &[&Model]) -> Self {
        let furnishing = Furnishing { policies: BTreeMap::new(), plugins: BTreeMap::new() };
        let apps = Self { stage: ungated(&furnishing, &[]) };
        for (app, model) in (0..).zip(models) {
            assert!(apps.import(app, model).changed);
            let manage = ManageRequest { objects: vec![named(app)], with_dependencies: true, on: true };
            apps.stage.workspace.manage(&apps.stage.ada, &manage).unwrap();
        }
        apps
    }

    fn import(&self, app: u8, model: &Model) -> ImportReport {
        let request = ImportRequest {
            environment: environment("development"),
            files: vec![export(app, model)],
            confirm: None,
            distinct: BTreeSet::new(),
        };
        self.stage.workspace.import(&self.stage.ada, &request).unwrap()
    }

    fn cut(&self, app: u8) -> CutReport {
        let request = CutRequest { app: named(app), version: None, from: None, note: None };
        self.stage.workspace.cut(&self.stage.ada, &request).unwrap()
    }

    fn request(app: u8, version: Option<&str>) -> PlanRequest {
        let transition = Wanted::Promotion {
            app: named(app),
            version: version.map(Into::into),
            to: environment("staging"),
        };
        PlanRequest { transition, choices: BTreeMap::new() }
    }

    fn plan(&self, app: u8, version: Option<&str>) -> Plan {
        self.stage.workspace.plan(&Self::request(app, version)).unwrap()
    }

    fn promote(
        &self,
        app: u8,
        version: Option<&str>,
        digest: Option<Digest>,
    ) -> Result<PromoteReport, Error> {
        let digest = digest.map(|digest| digest.to_string());
        let request = PromoteRequest { plan: Self::request(app, version), digest, wait: Duration::ZERO };
        self.stage.workspace.promote(&self.stage.ada, &request)
    }

    /// The components that an environment holds.
    fn components(&self, name: &str) -> BTreeSet<Component> {
        self.components_in(name, |_| true)
    }

    /// Those of one app.
    fn components_of(&self, app: u8, name: &str) -> BTreeSet<Component> {
        let app = self.stage.workspace.app(&mut self.stage.workspace.work(), &named(app)).unwrap();
        self.components_in(name, |object| object.unit.as_ref() == Some(&app.id))
    }

    fn components_in(&self, name: &str, is_meant: impl Fn(&Object) -> bool) -> BTreeSet<Component> {
        let mut work = self.stage.workspace.work();
        let (_, state) = self.stage.workspace.environment(&mut work, &environment(name)).unwrap();
        let mut found = BTreeSet::new();
        for tree in state.units(&work).unwrap().into_values() {
            for digest in tree.entries(&work).unwrap().into_values() {
                let object: Object = work.object(&digest).unwrap();
                if object.kind == ObjectKind::Component && is_meant(&object) {
                    let text = object.content.pointer("/properties/text/value").and_then(Value::as_str);
                    found.insert(Component { name: object.name, text: text.unwrap().to_owned() });
                }
            }
        }
        found
    }
}

fn seen(model: &Model) -> BTreeSet<Component> {
    model.values().cloned().collect()
}

/// The components that a plan touches, as [`difference`] has them, and how many others it touches.
fn touched(plan: &Plan) -> (BTreeSet<(String, String)>, u64) {
    let (components, others): (Vec<_>, Vec<_>) =
        plan.objects.iter().partition(|object| object.kind == ObjectKind::Component);
    let entries = components.iter().map(|o| (format!("{:?}", o.action), o.name.clone())).collect();
    (entries, others.len() as u64)
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn an_environment_holds_what_was_promoted_and_not_taken_back(first in model(), steps in steps()) {
        let apps = Apps::new(&[&first]);
        let mut working = first;
        let mut staging = None;
        // What promotions that were not taken back found: the newest last.
        let mut before: Vec<(Option<Model>, Digest)> = Vec::new();
        let mut bundles: BTreeMap<Model, Digest> = BTreeMap::new();
        for step in steps {
            let promoted = matches!(step, Step::Promote(_));
            match step {
                Step::Promote(edits) | Step::Cut(edits) => {
                    let after = edited(&working, &edits);
                    let report = apps.import(0, &after);
                    prop_assert_eq!(report.changed, after != working);
                    prop_assert_eq!(report.changes.len(), difference(&working, &after).len());
                    prop_assert!(!apps.import(0, &after).changed);
                    working = after;
                    prop_assert_eq!(apps.components("development"), seen(&working));

                    let cut = apps.cut(0);
                    prop_assert_eq!(cut.objects, FRAME + working.len() as u64);
                    let bundle = cut.version.bundle;
                    for (model, known) in &bundles {
                        prop_assert_eq!(*known == bundle, *model == working);
                    }
                    bundles.insert(working.clone(), bundle);

                    let plan = apps.plan(0, None);
                    prop_assert_eq!(&plan.problems, &[]);
                    let there = staging.clone().unwrap_or_default();
                    let frame = if staging.is_none() { FRAME } else { 0 };
                    prop_assert_eq!(touched(&plan), (difference(&there, &working), frame));
                    prop_assert_eq!(plan.unchanged, same(&there, &working) + FRAME - frame);
                    prop_assert_eq!(plan.bundle, bundle);

                    if promoted {
                        before.push((staging.clone(), apps.stage.content("staging")));
                        apps.promote(0, None, Some(plan.digest)).unwrap();
                        staging = Some(working.clone());
                        let again = apps.plan(0, None);
                        prop_assert_eq!(&again.objects, &[]);
                        prop_assert_eq!(again.unchanged, cut.objects);
                        prop_assert_eq!(apps.stage.content("staging"), plan.content.1);
                    }
                }
                Step::Rollback => {
                    let done = apps.stage.carry_out(apps.stage.rollback(&named(0), "staging"));
                    match before.pop() {
                        None => prop_assert!(matches!(done, Err(Error::Invalid { .. })), "taken back"),
                        Some((model, content)) => {
                            let (old, new) = (staging.unwrap_or_default(), model.clone().unwrap_or_default());
                            prop_assert_eq!(touched(&done.unwrap().plan).0, difference(&old, &new));
                            prop_assert_eq!(apps.stage.content("staging"), content);
                            staging = model;
                        }
                    }
                }
            }
            prop_assert_eq!(apps.components("staging"), seen(&staging.clone().unwrap_or_default()));
        }
    }

    #[test]
    fn a_digest_outlives_what_is_none_of_its_business(
        models in (model(), edits(3), edits(3)),
        other in (model(), edits(3)),
    ) {
        let (first, second, third) = (models.0.clone(), edited(&models.0, &models.1), models.2);
        let third = edited(&first, &third);
        let apps = Apps::new(&[&first, &other.0]);
        for (version, model) in [("v1", &first), ("v2", &second), ("v3", &third)] {
            apps.import(0, model);
            prop_assert_eq!(apps.cut(0).version.version, version);
        }
        apps.promote(0, Some("v1"), None).unwrap();
        let approved = apps.plan(0, Some("v2")).digest;

        // Another app comes, changes, and is taken back.
        for model in [other.0.clone(), edited(&other.0, &other.1)] {
            apps.import(1, &model);
            apps.cut(1);
            apps.promote(1, None, None).unwrap();
            prop_assert_eq!(apps.plan(0, Some("v2")).digest, approved);
        }
        apps.stage.carry_out(apps.stage.rollback(&named(1), "staging")).unwrap();
        prop_assert_eq!(apps.plan(0, Some("v2")).digest, approved);

        // The app itself comes, be it in the state that it had.
        apps.promote(0, Some("v3"), None).unwrap();
        let before = apps.stage.contents();
        let done = apps.promote(0, Some("v2"), Some(approved));
        prop_assert!(matches!(done, Err(Error::PlanChanged { .. })), "the plan is taken for the same");
        prop_assert_eq!(apps.stage.contents(), before);

        // It is taken back: what is there is what was there, and still it came after.
        apps.stage.carry_out(apps.stage.rollback(&named(0), "staging")).unwrap();
        let done = apps.promote(0, Some("v2"), Some(approved));
        prop_assert!(matches!(done, Err(Error::PlanChanged { .. })), "an approval is revived");
    }

    #[test]
    fn apps_between_each_other_are_taken_back_each_by_itself(
        models in [model(), model()],
        turns in prop::collection::vec(turn(), 6..=14),
    ) {
        let apps = Apps::new(&[&models[0], &models[1]]);
        let mut known = models.map(Known::new);
        for (app, one) in (0..).zip(&mut known) {
            apps.cut(app);
            // From the beginning there are two versions that differ.
            let other = edited(&one.versions[0], &[Edit::Write(6, 0)]);
            apps.import(app, &other);
            apps.cut(app);
            one.versions.push(other);
        }
        let mut number = 0;
        for turn in turns {
            match turn {
                Turn::Edit(app, edits) => {
                    let one = &mut known[usize::from(app)];
                    let after = edited(one.versions.last().unwrap(), &edits);
                    apps.import(app, &after);
                    apps.cut(app);
                    one.versions.push(after);
                }
                Turn::Promote(app, pick) => {
                    let one = &mut known[usize::from(app)];
                    let version = pick.index(one.versions.len());
                    let done = apps.promote(app, Some(&format!("v{}", version + 1)), None).unwrap();
                    number += 1;
                    prop_assert_eq!(done.number, number);
                    one.runs.push((number, one.standing.clone()));
                    one.numbers.push(number);
                    // The same model may be cut twice; each is a version of its own.
                    one.standing.retain(|known| *known != version);
                    one.standing.push(version);
                }
                Turn::Rollback(app, pick) => {
                    let one = &mut known[usize::from(app)];
                    let named = pick.filter(|_| !one.numbers.is_empty()).map(|pick| *pick.get(&one.numbers));
                    let mut request = apps.stage.rollback(&self::named(app), "staging");
                    let Wanted::Rollback { promotion, .. } = &mut request.transition else { panic!() };
                    *promotion = named;
                    let content = apps.stage.content("staging");
                    let done = apps.stage.carry_out(request);
                    match one.runs.pop() {
                        Some((newest, before)) if named.is_none_or(|named| named == newest) => {
                            let plan = done.unwrap().plan;
                            number += 1;
                            prop_assert_eq!(plan.takes_back, Some(newest));
                            let back_to = before.last().map_or("-".to_owned(), |v| format!("v{}", v + 1));
                            prop_assert_eq!(plan.version, back_to);
                            one.standing = before;
                        }
                        run => {
                            one.runs.extend(run);
                            let is_under = one.runs.iter().any(|(number, _)| Some(*number) == named);
                            match done.err() {
                                Some(Error::Overtaken { .. }) => prop_assert!(is_under),
                                Some(Error::Invalid { .. }) => prop_assert!(!is_under),
                                other => prop_assert!(false, "{other:?}"),
                            }
                            prop_assert_eq!(apps.stage.content("staging"), content);
                        }
                    }
                }
            }
            let rows = apps.stage.workspace.status().unwrap();
            for (app, one) in (0..).zip(&known) {
                let held = one.standing.last().map(|version| &one.versions[*version]);
                let held = held.cloned().unwrap_or_default();
                prop_assert_eq!(apps.components_of(app, "staging"), seen(&held));
                let names: Vec<String> = one.standing.iter().map(|v| format!("v{}", v + 1)).collect();
                let cell = &rows.iter().find(|row| row.name == named(app)).unwrap().cells[1];
                prop_assert_eq!(&cell.holds, &names.last().cloned());
                prop_assert_eq!(&cell.standing, &names);
            }
        }
    }

    #[test]
    fn a_rename_is_one_update(model in model().prop_filter("a component", |m| !m.is_empty()), pick in any::<prop::sample::Index>()) {
        let apps = Apps::new(&[&model]);
        apps.cut(0);
        apps.promote(0, None, None).unwrap();
        let n = *model.keys().nth(pick.index(model.len())).unwrap();
        let renamed = edited(&model, &[Edit::Rename(n, 9)]);
        apps.import(0, &renamed);
        apps.cut(0);
        let plan = apps.plan(0, None);
        prop_assert_eq!(plan.objects.len(), 1);
        prop_assert_eq!(plan.objects[0].action, Action::Update);
        prop_assert_eq!(&plan.objects[0].name, &renamed[&n].name);
        prop_assert!(!plan.objects[0].changes.is_empty());
        apps.promote(0, None, None).unwrap();
        prop_assert_eq!(apps.components("staging"), seen(&renamed));
    }
}

#[test]
fn what_is_left_may_be_content_that_never_was() {
    let first = edited(&Model::new(), &[Edit::Write(0, 0)]);
    let second = edited(&first, &[Edit::Write(1, 0)]);
    let apps = Apps::new(&[&first, &first]);
    for app in [0, 1] {
        apps.cut(app);
        apps.import(app, &second);
        apps.cut(app);
    }
    // No environment ever held the first version of one and the second of the other.
    for (app, version) in [(0, "v1"), (0, "v2"), (1, "v2")] {
        apps.promote(app, Some(version), None).unwrap();
    }
    let plan = apps.stage.carry_out(apps.stage.rollback(&named(0), "staging")).unwrap().plan;
    assert_eq!((plan.version.as_str(), plan.content.1), ("v1", apps.stage.content("staging")));
    assert_eq!(apps.components_of(0, "staging"), seen(&first));
    assert_eq!(apps.components_of(1, "staging"), seen(&second));
}
