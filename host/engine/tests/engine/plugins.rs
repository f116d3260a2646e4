//! A plugin that misbehaves, in a workspace: what it does is a problem of the plan, and nothing
//! comes of it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_engine::Error;
use sluice_engine::ambient::Ambient as _;
use sluice_engine::import::ImportRequest;
use sluice_engine::probe::Through;
use sluice_engine::settings::Binding;
use sluice_engine::state::EnvironmentState;
use sluice_engine::workspace::Furnishing;
use sluice_model::ObjectKind;
use sluice_model::verdict::Outcome;
use sluice_platform::InputFile;
use sluice_plugin::Limits;
use sluice_vault::edge::{Network, Roots};

use crate::model::ungated;
use crate::stage::{NOT_A_SECRET, Stage, environment, repository};

const KIND: &str = "lowcoder/adversary";

/// The plugin that behaves as its data source's name says, in files of these names.
fn adversaries(files: &[&str]) -> Furnishing {
    adversaries_made_of("adversary.wasm", files)
}

fn adversaries_made_of(component: &str, files: &[&str]) -> Furnishing {
    let file = repository().join("target/plugins/test").join(component);
    let bytes = std::fs::read(&file)
        .unwrap_or_else(|_| panic!("`{}` is not there: run `cargo xtask build-plugins`", file.display()));
    let plugins = files.iter().map(|name| ((*name).to_owned(), bytes.clone())).collect();
    Furnishing { policies: BTreeMap::new(), plugins }
}

/// An app with a query to each of these data sources, which are bound in staging.
fn stage(acts: &[&str]) -> Stage {
    stage_with("adversary.wasm", acts)
}

fn stage_with(component: &str, acts: &[&str]) -> Stage {
    let host = json!("db.dev.example");
    let sources: Vec<_> = acts.iter().map(|act| (*act, host.clone(), NOT_A_SECRET)).collect();
    let stage = imported_with(component, &sources);
    let staging = environment("staging");
    let planned = stage.plan("Orders", "staging").objects;
    let sources: Vec<_> = planned.iter().filter(|o| o.kind == ObjectKind::DataSource).collect();
    assert_eq!(sources.len(), acts.len());
    for source in sources {
        let options = json!({"host": "db.staging.example"});
        let binding = Binding { kind: KIND.parse().unwrap(), options, slots: BTreeMap::new() };
        stage.workspace.set_binding(&stage.ada, &staging, &source.object, binding).unwrap();
        stage.set_secret(&format!("secret://staging/{}/password", source.name), NOT_A_SECRET);
    }
    stage
}

/// Version 1.0 of an app with these data sources: what each does, its host and its password.
fn imported(sources: &[(&str, Value, &str)]) -> Stage {
    imported_with("adversary.wasm", sources)
}

fn imported_with(component: &str, sources: &[(&str, Value, &str)]) -> Stage {
    let furnishing = adversaries_made_of(component, &["adversary.wasm"]);
    let stage = ungated(&furnishing, &[("adversary", "plugins/adversary.wasm")]);
    let request = ImportRequest {
        environment: environment("development"),
        files: export(sources),
        confirm: None,
        distinct: std::collections::BTreeSet::new(),
    };
    stage.workspace.import(&stage.ada, &request).unwrap();
    stage.manage("Orders");
    stage.dismiss_suspicions();
    stage.cut("1.0");
    stage
}

/// A Lowcoder export, one record a line.
fn export(acts: &[(&str, Value, &str)]) -> Vec<InputFile> {
    let id = |kind: u32, n: usize| format!("65f0{kind:04x}{n:016x}");
    let gid = |kind: u32, n: usize| format!("018e4b00-{kind:04x}-7000-8000-{n:012x}");
    let mut sources = Vec::new();
    let mut queries = Vec::new();
    for (n, (act, host, password)) in acts.iter().enumerate() {
        let source = json!({
            "_id": {"$oid": id(1, n)}, "gid": gid(1, n), "name": act, "type": "adversary",
            "organizationId": id(9, 0), "creationSource": 0, "datasourceStatus": "NORMAL",
            "detailConfig": {"host": host, "tls": false, "mode": "lax", "dialect": "old",
                "password": password},
        });
        serde_json::to_writer(&mut sources, &source).unwrap();
        sources.push(b'\n');
        queries.push(json!({
            "id": id(2, n), "name": format!("query{n}"), "compType": "adversary", "comp": {"ask": "all"},
            "datasourceId": id(1, n), "triggerType": "manual", "order": n, "onEvent": [], "timeout": "10s",
        }));
    }
    let app = json!({
        "_id": {"$oid": id(3, 0)}, "gid": gid(3, 0), "slug": "orders", "organizationId": id(9, 0),
        "name": "Orders", "applicationType": 1, "applicationStatus": "NORMAL",
        "editingApplicationDSL": {
            "ui": {"compType": "normal", "comp": {"layout": {}, "items": {}}},
            "queries": queries, "refTree": {"value": "", "items": []}, "hooks": [], "settings": {},
            "preload": {"libs": []},
        },
    });
    let app = InputFile { name: "application.json".into(), bytes: serde_json::to_vec(&app).unwrap() };
    vec![app, InputFile { name: "datasource.json".into(), bytes: sources }]
}

/// All that every environment is, with its revision.
fn states(stage: &Stage) -> Vec<(u64, EnvironmentState)> {
    let mut work = stage.workspace.work();
    ["development", "staging", "production"]
        .map(|name| stage.workspace.environment(&mut work, &environment(name)).unwrap())
        .into()
}

#[test]
fn each_misdeed_is_a_problem_that_names_plugin_source_and_limit() {
    let limits = Limits::default();
    let most = |limit: usize, of: &str| format!("it used more than the limit of {limit} bytes {of}");
    let misdeeds = [
        ("trap", "plugin.failed", "it broke off".to_owned()),
        ("trap-late", "plugin.failed", "it broke off".to_owned()),
        // By fuel, or on a slow machine by the clock.
        ("loop", "plugin.failed", "it used more than the limit of ".to_owned()),
        ("allocate", "plugin.failed", most(limits.memory_bytes, "of memory")),
        ("grow", "plugin.failed", most(limits.memory_bytes, "of memory")),
        ("recurse", "plugin.failed", most(limits.stack_bytes, "of stack")),
        ("answer-100-mb", "plugin.failed", most(limits.answer_bytes, "in one answer")),
        ("wrong-kind", "plugin.failed", "it changed the data source's kind".to_owned()),
        ("source-options", "plugin.failed", "the source environment's option at `/host`".to_owned()),
        ("source-host", "plugin.failed", "the source environment's option at `/host`".to_owned()),
        ("own-host", "plugin.failed", "only the target's owners may".to_owned()),
        ("index", "plugin.failed", "it chose secret number 1, but only 1 were offered".to_owned()),
        ("unsupported", "plugin.failed", format!("it does not serve the kind `{KIND}`")),
        ("incomplete", "binding.incomplete", "the binding of `staging` lacks `/host`, `/port`".to_owned()),
        ("invalid", "binding.invalid", "the host is bad".to_owned()),
    ];
    let acts: Vec<&str> = misdeeds.iter().map(|(act, _, _)| *act).chain(["decent"]).collect();
    let stage = stage(&acts);
    let before = states(&stage);

    let plan = stage.plan("Orders", "staging");
    for (act, code, said) in &misdeeds {
        let source = plan.objects.iter().find(|o| o.kind == ObjectKind::DataSource && o.name == *act);
        let id = &source.unwrap().object;
        let problems: Vec<_> = plan.problems.iter().filter(|p| p.object.as_ref() == Some(id)).collect();
        let [problem] = problems.as_slice() else { panic!("{act}: {problems:#?}") };
        let message = &problem.message;
        assert_eq!(problem.code, *code, "{message}");
        assert!(message.starts_with(&format!("plugin `adversary`, data source `{act}`")), "{message}");
        assert!(message.contains(said), "{message}");
        assert!(!message.contains(NOT_A_SECRET) && !message.contains('\u{1b}'), "{message}");
        assert!(!problem.fix.is_empty() && !problem.who.is_empty());
    }
    // Who shares a plugin with all those is served all the same.
    assert_eq!(plan.problems.len(), misdeeds.len(), "{:#?}", plan.problems);
    let rendered: Vec<&str> = plan.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(rendered, ["decent"]);

    let Err(Error::PlanRefused(refused)) = stage.promote("Orders", "staging") else { panic!("promoted") };
    assert_eq!(refused.problems.len(), misdeeds.len());
    assert_eq!(states(&stage), before);
}

#[test]
fn the_same_plugin_is_of_use_where_it_behaves() {
    let stage = stage(&["decent", "harden"]);
    let before = stage.contents();
    let done = stage.promote("Orders", "staging").unwrap();
    assert_eq!(done.decision.outcome, Outcome::Allowed);
    let options: Vec<_> = done.plan.sources.iter().map(|source| &source.options["host"]).collect();
    assert_eq!(options, [&json!("db.staging.example"), &json!("db.staging.example")]);
    let after = stage.contents();
    assert_eq!((before[0], before[2]), (after[0], after[2]));
    assert_ne!(before[1], after[1]);
}

/// The act of searching for a text, which is turned so that its name does not hold it.
fn search(text: &str) -> String {
    let turned: String = text.bytes().map(|byte| format!("{:02x}", !byte)).collect();
    format!("search:{turned}")
}

#[test]
fn no_secret_is_in_a_guests_memory() {
    const PASSWORD: &str = "Kx7vQ2mZr9TbW4nLp1Ys8Hd3";
    const IN_URL: &str = "Gu6NbX4sVc8WfD2yRt7LhJ5k";
    const FILED: &str = "Ep2RgW8tLm4ZkN7cXv1JqB9s";
    const SOURCE_HOST: &str = "orders-db.dev.example";
    const TARGET_HOST: &str = "orders-db.staging.example";
    const LABEL: &str = "the-label";
    // What the guest finds when it has the binding, and when it has seen the labels too.
    let expected = [
        (PASSWORD, "not found", false),
        (IN_URL, "not found", false),
        (FILED, "not found", false),
        // The reference by which the secret is filed is none of the guest's business either.
        ("secret://staging", "not found", false),
        // What does cross is found by the same search.
        (SOURCE_HOST, "found", true),
        (TARGET_HOST, "found", true),
        (LABEL, "not found", true),
    ];
    let acts: Vec<String> = expected.iter().map(|(text, _, _)| search(text)).collect();
    let host = json!(format!("postgres://app:{IN_URL}@{SOURCE_HOST}/orders"));
    let sources: Vec<_> = acts.iter().map(|act| (act.as_str(), host.clone(), PASSWORD)).collect();
    let stage = imported(&sources);
    let staging = environment("staging");
    for source in stage.plan("Orders", "staging").objects.iter().filter(|o| o.kind == ObjectKind::DataSource)
    {
        let options = json!({"host": format!("postgres://{TARGET_HOST}/orders")});
        let binding = Binding { kind: KIND.parse().unwrap(), options, slots: BTreeMap::new() };
        stage.workspace.set_binding(&stage.ada, &staging, &source.object, binding).unwrap();
        stage.set_secret(&format!("secret://staging/{}/{LABEL}", source.object), FILED);
    }

    let plan = stage.plan("Orders", "staging");
    assert_eq!(plan.sources.len(), expected.len(), "{:#?}", plan.problems);
    for ((text, in_transform, in_remap), act) in expected.iter().zip(&acts) {
        let source = plan.sources.iter().find(|source| source.name == *act).unwrap();
        let said: Vec<_> = plan.notes.iter().filter(|note| note.contains(act.as_str())).collect();
        let [note] = said.as_slice() else { panic!("{text}: {said:?}") };
        assert_eq!(!note.contains("not found"), *in_transform == "found", "{text}: {note}");
        assert!(note.contains(in_transform), "{text}: {note}");
        assert_eq!(source.slots.keys().any(|slot| slot.as_str() == "password"), *in_remap, "{text}");
    }
}

#[test]
fn two_plugins_for_one_kind_are_not_adopted() {
    let files = adversaries(&["one.wasm", "other.wasm"]);
    let stage = ungated(&files, &[("one", "plugins/one.wasm"), ("other", "plugins/other.wasm")]);
    let Err(error) = stage.workspace.proposed() else { panic!("taken") };
    let said = error.to_string();
    for named in ["`one`", "`other`", KIND] {
        assert!(said.contains(named), "{said}");
    }
    assert!(stage.workspace.adopted().is_err());
}

#[test]
fn what_a_plugin_used_is_told_and_bounded_by_what_the_workspace_gives_it() {
    let mut stage = Stage::copied(77);
    let plan = stage.plan("Orders", "staging");
    let database = plan.sources.iter().find(|source| source.name == "orders-db").unwrap();
    let used = plan.used[&database.source];
    assert_eq!(plan.used.len(), plan.sources.len());
    assert!(used.fuel > 1_000 && used.memory_bytes > 1 << 20, "{used:?}");
    // What suffices is no matter of the plan's digest; what does not stops the plan, and says so.
    let give = |stage: &mut Stage, all: u64, own: u64| {
        stage.configure(|text| {
            let text = text.lines().filter(|line| !line.contains("fuel = ")).collect::<Vec<_>>().join("\n");
            let own = format!("path = \"plugins/sql.wasm\"\nlimits = {{ fuel = {own} }}");
            let all = format!("[limits]\nplugins = {{ fuel = {all} }}");
            text.replace("path = \"plugins/sql.wasm\"", &own).replace("[limits]", &all) + "\n"
        });
        stage.plan("Orders", "staging")
    };
    let enough = give(&mut stage, 400_000_000, used.fuel);
    assert_eq!((enough.digest, enough.used[&database.source]), (plan.digest, used));
    assert!(enough.problems.is_empty(), "{:?}", enough.problems);
    // Fuel is looked at where code branches, so that one unit less need not be missed.
    let half = used.fuel / 2;
    for (all, own) in [(400_000_000, half), (half, used.fuel)] {
        let short = give(&mut stage, all, own);
        let named: Vec<_> = short.problems.iter().map(|p| (p.code.as_str(), p.message.as_str())).collect();
        let of_database = named.iter().any(|(_, told)| told.contains("orders-db"));
        assert_eq!(of_database, own < used.fuel, "its own limit comes first: {named:?}");
        let limit = format!("{half} units of fuel");
        assert!(
            !named.is_empty()
                && named.iter().all(|(code, told)| *code == "plugin.failed" && told.contains(&limit)),
            "{named:?}"
        );
        // It is the workspace's limit, not the vendor's mistake.
        assert!(short.problems.iter().all(|problem| problem.fix.contains("raise the limits of plugin")));
        let refused = stage.promote("Orders", "staging").unwrap_err();
        assert!(matches!(refused, Error::PlanRefused(_)), "{refused}");
    }
}

/// No network at all.
struct Nowhere;

impl Network for Nowhere {
    fn resolve(&self, _: &str, _: Duration) -> io::Result<Vec<IpAddr>> {
        Err(io::Error::other("there is no network"))
    }

    fn connect(&self, _: SocketAddr, _: Duration) -> io::Result<TcpStream> {
        Err(io::Error::other("there is no network"))
    }
}

#[test]
fn a_probe_that_breaks_takes_the_place_of_the_one_before() {
    let stage = stage_with("adversary-probe.wasm", &["decent", "reach-for-ever"]);
    let staging = environment("staging");
    let probe = |stage: &Stage, source: &str| {
        let through = Through { network: Arc::new(Nowhere), roots: Roots::none() };
        stage.workspace.probe(&stage.ada, &staging, source, through)
    };
    probe(&stage, "decent").unwrap();
    let broken = probe(&stage, "reach-for-ever").unwrap_err().to_string();
    assert!(broken.contains("units of fuel"), "{broken}");
    let facts = |stage: &Stage| {
        let plan = stage.plan("Orders", "staging");
        let facts = stage.workspace.facts(&plan, stage.hand.now(), true).unwrap();
        let probes = facts.plan.sources.into_iter().map(|source| (source.name, source.probe));
        probes.collect::<BTreeMap<_, _>>()
    };
    let told = facts(&stage)["reach-for-ever"].clone().unwrap();
    assert_eq!((told.reachable, told.authenticated), (None, None));
    let history = stage.workspace.history(None, None).unwrap();
    assert!(history.iter().any(|entry| entry.what.contains("which failed")), "{history:?}");

    // Another secret in the same slot is another question.
    assert!(facts(&stage)["decent"].is_some());
    stage.set_secret("secret://staging/decent/password", "another that is none either");
    assert_eq!(facts(&stage)["decent"], None);
    probe(&stage, "decent").unwrap();
    assert!(facts(&stage)["decent"].is_some());
}
