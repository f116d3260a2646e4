//! How long an export takes to read and decode. The goal is 60 ms for 3 MB.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use mimalloc::MiMalloc;
use serde_json::{Value, json};
use sluice_model::LogicalId;
use sluice_platform::{DEFAULT_LIMIT, InputFile, NativeKey, SlotRules, read};

/// As in the command.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn id(kind: u8, n: usize) -> String {
    format!("{kind:02x}000000-0000-4000-8000-{n:012x}")
}

/// An app of 3.x with as many components as make about three million bytes, none of them orphans.
fn generated() -> InputFile {
    const COMPONENTS: usize = 2400;
    const QUERIES: usize = 200;
    let component = |n: usize| {
        json!({
            "id": id(1, n), "name": format!("component{n}"), "type": "Table", "pageId": id(2, n % 20), "parent": null,
            "properties": {
                "data": {"value": format!("{{{{queries.{}.data}}}}", id(3, n % QUERIES))},
                "columns": {"value": (0..6).map(|c| json!({"name": format!("column{c}"), "columnType": "string"})).collect::<Vec<_>>()},
                "title": {"value": "Orders of the week"}, "visibility": {"value": "{{true}}"},
            },
            "styles": {"textColor": {"value": "#1b1f24"}, "boxShadow": {"value": "0px 0px 0px 0px #00000040"}},
            "layouts": [{"id": id(4, n), "type": "desktop", "top": n, "left": 1, "width": 10, "height": 40, "componentId": id(1, n)}],
            "createdAt": "2025-01-01T00:00:00.000Z", "updatedAt": "2025-01-01T00:00:00.000Z",
        })
    };
    let query = |n: usize| {
        json!({
            "id": id(3, n), "name": format!("query{n}"), "dataSourceId": id(5, 0), "appVersionId": id(6, 0),
            "options": {"mode": "sql", "query": format!("SELECT * FROM orders WHERE id = {{{{components.{}.value}}}}", id(1, n)),
                "transformation": "return data.map(row => ({ ...row, late: row.due < Date.now() }));\n".repeat(60)},
        })
    };
    let version = json!({"id": id(6, 0), "name": "v1", "definition": null, "homePageId": id(2, 0)});
    let app: Value = json!({"app": [{"definition": {"appV2": {
        "id": id(7, 0), "name": "Generated", "editingVersion": version,
        "components": (0..COMPONENTS).map(component).collect::<Vec<_>>(),
        "pages": (0..20).map(|n| json!({"id": id(2, n), "name": format!("page{n}"), "appVersionId": id(6, 0)})).collect::<Vec<_>>(),
        "events": [], "dataQueries": (0..QUERIES).map(query).collect::<Vec<_>>(),
        "dataSources": [{"id": id(5, 0), "name": "db", "kind": "postgresql", "scope": "global", "type": "default"}],
        "appVersions": [version], "appEnvironments": [{"id": id(8, 0), "name": "development"}],
        "dataSourceOptions": [{"id": id(9, 0), "dataSourceId": id(5, 0), "environmentId": id(8, 0), "options": {"host": {"value": "db"}}}],
    }}}], "tooljet_version": "3.20.0"});
    InputFile { name: "generated-3MB.json".into(), bytes: serde_json::to_vec(&app).unwrap_or_default() }
}

/// The largest real exports, where they are.
fn real() -> Vec<InputFile> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let corpus = std::env::var_os("SLUICE_CORPUS").map_or(beside, Into::into);
    ["v2.13-inventory-and-order-manager.json", "v2.x-job-application-tracker.json"]
        .iter()
        .filter_map(|name| {
            let bytes = fs::read(corpus.join("tooljet").join(name)).ok()?;
            Some(InputFile { name: (*name).to_owned(), bytes })
        })
        .collect()
}

fn main() {
    let mut criterion = Criterion::default()
        .configure_from_args()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    let mut group = criterion.benchmark_group("read and decode");
    let rules = SlotRules::floor();
    for file in std::iter::once(generated()).chain(real()) {
        group.throughput(Throughput::Bytes(file.bytes.len() as u64));
        let files = [file];
        let Ok(native) = read(&files, DEFAULT_LIMIT) else { continue };
        let things = native.survey().into_iter().enumerate();
        let ids: BTreeMap<NativeKey, LogicalId> = things
            .filter_map(|(n, thing)| Some((thing.key, LogicalId::new(format!("logical-{n:06}-id")).ok()?)))
            .collect();
        let [file] = &files;
        group.bench_function(&file.name, |bencher| {
            bencher.iter(|| {
                let native = read(black_box(&files), DEFAULT_LIMIT);
                native.map(|native| native.decode(&ids, &rules, "development"))
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
