//! What asking gates costs: one gate, a decision of fifty, and rules over 100,000 changes.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot be set up should stop"
)]
#![allow(missing_docs, reason = "criterion's macros declare functions without any")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use serde_json::{Value, json};
use sluice_model::verdict::Level;
use sluice_policy::{Facts, Gate, GateSpec, Pack, ReadyFacts, Sandbox, Selector};

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn facts(changes: usize) -> Value {
    let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
    let kinds = ["query", "component", "page", "event", "data-source"];
    let changes: Vec<Value> = (0..changes)
        .map(|n| {
            let action = if n % 1_000 == 7 { "delete" } else { "update" };
            json!({"object": format!("object-{n}"), "kind": kinds[n % 5], "name": format!("name {n}"), "action": action})
        })
        .collect();
    json!({
        "now": "2026-06-03T10:00:00Z",
        "workspace": {"name": "acme"},
        "transition": {
            "kind": "promotion",
            "from": {"name": "development", "order": 0, "owners": ["ann"]},
            "to": {"name": "staging", "order": 1, "owners": ["ben"]},
        },
        "app": {"id": "app-1", "name": "orders", "platform": "tooljet"},
        "plan": {
            "digest": digest("a"), "bundle": digest("b"), "version": "7", "baseline": digest("c"),
            "authors": ["ann"], "unchanged": 3, "bytes": 3_000, "cut_at": "2026-06-02T09:00:00Z", "signer": "ann",
            "changes": changes, "still_pointing_at_source": [],
            "sources": [{
                "id": "source-1", "name": "orders-db", "kind": "tooljet/postgresql", "plugin": digest("e"),
                "owned_by_target": ["/host"], "endpoints": ["db.staging.example:5432"], "tls": true,
                "account": "orders", "privileged": false, "missing_slots": [],
            }],
            "credentials": [{
                "source": "source-1", "slot": "password", "reference": "secret://staging/orders-db",
                "set_at": "2026-05-04T10:00:00Z",
            }],
        },
        "scan": {"scanner": "1", "secrets": [], "personal_data": []},
        "evidence": [{
            "id": digest("1"), "predicate_type": "https://sluice.dev/tests/v1", "bundle": digest("b"),
            "environment": "development", "claimed_at": "2026-06-02T10:00:00Z",
            "received_at": "2026-06-02T11:00:00Z", "issuer": {"key": "key-ci", "name": "ci"},
            "payload": {"tests": {"suite": "unit", "executed": 12, "failed": 0, "errors": 0, "skipped": 0}},
        }],
        "approvals": [
            {"person": "ben", "roles": ["qa", "ops"], "plan": digest("a"), "at": "2026-06-03T09:00:00Z"},
            {"person": "cleo", "roles": ["ops"], "plan": digest("a"), "at": "2026-06-03T09:30:00Z"},
        ],
        "waivers": [],
        "history": (0..20).map(|n| json!({
            "kind": "promotion", "environment": "staging", "at": format!("2026-05-{:02}T10:30:00Z", n + 1),
            "version": "6", "bundle": digest("9"), "by": "ann", "outcome": "done", "objects": 10, "bytes": 3_000,
        })).collect::<Vec<_>>(),
        "plugins": [{
            "digest": digest("e"), "name": "sql", "version": "0.1.0", "publisher": "ben",
            "certified_by": "cleo", "certified_until": "2026-12-01T00:00:00Z",
        }],
        "people": [{"name": "ann", "roles": ["builder"]}, {"name": "ben", "roles": ["qa", "ops"]}, {"name": "cleo", "roles": ["ops"]}],
        "calendars": [{
            "name": "releases",
            "windows": {
                "known": {"from": "2026-06-01T00:00:00Z", "until": "2026-07-01T00:00:00Z"},
                "open": [{"from": "2026-06-03T08:00:00Z", "until": "2026-06-03T16:00:00Z"}],
                "frozen": [],
            },
        }],
        "time_zones": "2026a",
    })
}

fn ready(changes: usize) -> Arc<ReadyFacts> {
    let facts: Facts = serde_json::from_value(facts(changes)).expect("facts");
    ReadyFacts::new(facts).expect("facts")
}

fn gate(sandbox: &Sandbox, name: &str, pack: Pack, parameters: Value) -> Gate {
    let spec = GateSpec {
        name: name.to_owned(),
        pack: pack.digest(),
        level: Level::Hard,
        waivable: false,
        parameters: serde_json::from_value(parameters).expect("parameters"),
        selector: Selector::default(),
    };
    Gate::new(spec, &sandbox.compile(pack).expect("compiles")).expect("fits")
}

fn shipped(name: &str) -> Pack {
    Pack::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(name)).expect("pack")
}

fn written(source: &str) -> Pack {
    let manifest = "name = \"t\"\nversion = \"1\"\ntitle = \"t\"\napi = 1\nfacts = [\"plan\", \"transition\"]\n\
                    [findings.\"t.ok\"]\ndoc = \"fine\"\n[findings.\"t.no\"]\ndoc = \"not\"\n";
    let files = [("policy.toml", manifest), ("policy.rhai", source), ("README.md", "t")];
    let files: BTreeMap<_, _> =
        files.into_iter().map(|(n, t)| (n.to_owned(), t.as_bytes().to_vec())).collect();
    Pack::new("t", files).expect("pack")
}

/// Five conditions over getters: the size of most gates.
const FIVE: &str = r#"
if transition.kind == "promotion" && transition.to.order == transition.from.order + 1 && plan.unchanged < 10
    && plan.changes.count > 0 && plan.version != "" {
    pass("t.ok", #{ fact: "plan.version", actual: plan.version });
} else {
    deny("t.no", "not so", #{});
}
"#;

const OVER_CHANGES: &str = r#"
let deleted = plan.changes.where("action", "==", "delete").where("kind", "!=", "page");
if deleted.count > 1000 {
    deny("t.no", `${deleted.count} deletions`, #{ actual: deleted.count, expected: 1000 });
} else {
    pass("t.ok", #{ fact: "plan.changes.action", actual: deleted.count });
}
"#;

const OVER_CHANGES_SCANNED: &str = r#"
let kept = plan.changes.where("action", "!=", "delete");
if kept.count < 10 { deny("t.no", "few", #{}); } else { pass("t.ok", #{ fact: "plan.changes.action", actual: kept.count }); }
"#;

fn gates(c: &mut Criterion) {
    let begun = Instant::now();
    let sandbox = Sandbox::new(Arc::new(move || begun.elapsed()));
    let small = ready(20);
    let all = [
        ("test-evidence", shipped("test-evidence"), json!({"min_executed": 10})),
        ("release-window", shipped("release-window"), json!({"calendar": "releases"})),
        ("approvals", shipped("approvals"), json!({"roles": {"qa": 1, "ops": 1}})),
        ("data-masking", shipped("data-masking"), json!({})),
        ("change-control", shipped("change-control"), json!({})),
        ("data-source-hygiene", shipped("data-source-hygiene"), json!({})),
        ("supply-chain", shipped("supply-chain"), json!({"signer_roles": ["builder"]})),
        ("five-conditions", written(FIVE), json!({})),
    ];
    for (name, pack, parameters) in &all {
        let one = gate(&sandbox, name, pack.clone(), parameters.clone());
        let report = sandbox.evaluate(&one, &small).report;
        assert_eq!(report.verdict, sluice_model::verdict::Verdict::Pass, "{report:?}");
        c.bench_function(&format!("one gate/{name}"), |b| b.iter(|| sandbox.evaluate(&one, &small)));
    }
    let fifty: Vec<_> = all
        .iter()
        .cycle()
        .take(50)
        .enumerate()
        .map(|(n, (name, pack, parameters))| {
            gate(&sandbox, &format!("{name}-{n}"), pack.clone(), parameters.clone())
        })
        .collect();
    assert!(sandbox.decide(&fifty, &small, &[], None).decision.is_allowed());
    // Each sample is one run, as many as fit into no time at all: a mean of runs would hide the slowest of a hundred.
    c.benchmark_group("decision")
        .sampling_mode(SamplingMode::Flat)
        .sample_size(2_000)
        .measurement_time(Duration::from_millis(1))
        .bench_function("50-gates", |b| b.iter(|| sandbox.decide(&fifty, &small, &[], None)));

    let large = ready(100_000);
    let indexed = gate(&sandbox, "indexed", written(OVER_CHANGES), json!({}));
    let scanned = gate(&sandbox, "scanned", written(OVER_CHANGES_SCANNED), json!({}));
    c.bench_function("100,000 changes/where ==", |b| b.iter(|| sandbox.evaluate(&indexed, &large)));
    c.bench_function("100,000 changes/where !=", |b| b.iter(|| sandbox.evaluate(&scanned, &large)));
}

criterion_group!(benches, gates);
criterion_main!(benches);
