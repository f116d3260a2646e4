//! Secrets with unique values go through the whole story, and are then searched for everywhere.

use std::fmt::{Debug, Write as _};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sluice_engine::Error;
use sluice_engine::import::ImportRequest;
use sluice_model::Digest;
use sluice_platform::InputFile;
use sluice_store::{Order, SqliteStore, Store as _, StreamName, WorkspaceId};

use crate::stage::{Stage, environment, sample};

// One value for each place where a secret may lie.
const OWN_PASSWORD: &str = "Kx7vQ2mZr9TbW4nLp1Ys8Hd3";
const STAGING_PASSWORD: &str = "Jw5cFz8RkN2xVt6MqB9gSa4E";
const HEADER: &str = "Hy3TpL7dXw9CjG1vKm6ZnQ8r";
const URL: &str = "Gu6NbX4sVc8WfD2yRt7LhJ5k";
const COMMENT: &str = "Fq9MzK1hTj3PwS5bYn8VxC6d";
const FILED: &str = "Ep2RgW8tLm4ZkN7cXv1JqB9s";
const CONSTANT: &str = "Dn4VyH6fQs8KbT2mPw5GxZ7j";
const SUSPECTED: &str = "Co8LxS3rJd6MvF1nWk9TyQ4h";
const CONNECTION: &str = "Bm1ZtD5wGh7XcR9pLs2KvN6q";

const CANARIES: [&str; 9] =
    [OWN_PASSWORD, STAGING_PASSWORD, HEADER, URL, COMMENT, FILED, CONSTANT, SUSPECTED, CONNECTION];

fn export() -> InputFile {
    let mut file = sample("tooljet/orders.json");
    let mut export: Value = serde_json::from_slice(&file.bytes).unwrap();
    let app = &mut export["app"][0]["definition"]["appV2"];
    let clear = |value: &str| json!({"value": value, "encrypted": false});
    app["dataSourceOptions"][0]["options"]["password"] = clear(OWN_PASSWORD);
    app["dataSourceOptions"][1]["options"]["password"] = clear(STAGING_PASSWORD);
    app["dataSourceOptions"][0]["options"]["connection_string"] =
        clear(&format!("postgres://orders_app:{CONNECTION}@orders-db.dev.example.com/orders"));
    app["dataQueries"][2]["options"]["headers"][1][1] = HEADER.into();
    app["dataQueries"][0]["options"]["query"] = format!(
        "SELECT dblink('postgres://archive:{URL}@archive.example.org/orders', 'select 1'); -- password={COMMENT}"
    )
    .into();
    file.bytes = serde_json::to_vec(&export).unwrap();
    file
}

/// The one-file export of old, which holds values in the clear most often.
fn legacy() -> InputFile {
    let mut file = sample("tooljet/legacy.json");
    let mut export: Value = serde_json::from_slice(&file.bytes).unwrap();
    export["dataSources"][0]["options"]["api_key"] = json!({"value": OWN_PASSWORD, "encrypted": true});
    export["dataQueries"][0]["options"]["headers"] =
        json!([["Authorization", format!("Bearer {SUSPECTED}")]]);
    file.bytes = serde_json::to_vec(&export).unwrap();
    file
}

/// Bytes as text, each a character, since the standard library searches in texts far faster.
pub fn searchable(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The shapes in which a value could be found in what is [`searchable`]: as it is, in base64 at
/// each offset, in hex, and its plain digest, by which it could be guessed.
pub fn shapes(canary: &str) -> Vec<String> {
    let mut shapes = vec![canary.to_owned()];
    for offset in 0..3 {
        let padded = [vec![0; offset], canary.as_bytes().to_vec()].concat();
        let text = STANDARD.encode(padded);
        // What depends on the neighbours is left out.
        shapes.push(text[4..text.len() - 6].to_owned());
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    shapes.push(hex(canary.as_bytes()));
    let digest = Digest::of(canary.as_bytes());
    shapes.push(searchable(digest.as_bytes()));
    shapes.push(hex(digest.as_bytes()));
    shapes
}

/// A record's body as its act reads, without the envelope's base64; anything else as it is.
pub fn opened(bytes: Vec<u8>) -> Vec<u8> {
    let body: Option<Value> = serde_json::from_slice(&bytes).ok();
    let payload = body.as_ref().and_then(|body| body.pointer("/envelope/payload")?.as_str());
    payload.map_or(bytes, |payload| STANDARD.decode(payload).unwrap())
}

/// All that was said to anybody.
#[derive(Clone, Default)]
pub struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    pub fn add(&self, what: &impl Debug) {
        let mut text = String::new();
        write!(text, "{what:?}").unwrap();
        self.bytes(text.as_bytes());
    }

    pub fn json(&self, what: &impl serde::Serialize) {
        self.bytes(&serde_json::to_vec(what).unwrap());
    }

    pub fn bytes(&self, what: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(what);
    }

    pub fn all(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    pub fn error(&self, error: &Error) {
        self.bytes(error.to_string().as_bytes());
        self.bytes(error.help().unwrap_or_default().as_bytes());
        self.add(error);
    }
}

impl std::io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn import(stage: &Stage, into: &str, file: InputFile) -> Result<sluice_engine::import::ImportReport, Error> {
    let request = ImportRequest {
        environment: environment(into),
        files: vec![file],
        confirm: None,
        distinct: std::collections::BTreeSet::new(),
    };
    stage.workspace.import(&stage.ada, &request)
}

fn play(said: &Said) -> Stage {
    let stage = Stage::new();
    for file in [export(), legacy()] {
        let report = import(&stage, "development", file.clone()).unwrap();
        said.json(&report);
        said.add(&report);
        said.add(&import(&stage, "development", file).unwrap().changes);
    }
    // Cut off in the middle, with a message about the place.
    for file in [export(), legacy()] {
        for part in [2, 3, 5] {
            let bytes = file.bytes[..file.bytes.len() * (part - 1) / part].to_vec();
            said.error(&import(&stage, "development", InputFile { bytes, ..file.clone() }).unwrap_err());
        }
    }
    let suspicions = stage.workspace.suspicions(&mut stage.workspace.work()).unwrap();
    assert!(suspicions.len() >= 3, "{suspicions:?}");
    said.add(&suspicions);
    stage.manage("Orders");
    stage.cut("0.9");
    said.json(&stage.plan("Orders", "staging"));
    said.error(&stage.promote("Orders", "staging").unwrap_err());
    for suspicion in suspicions {
        stage.workspace.judge(&stage.ada, &suspicion.named(), true, "it is one").unwrap();
    }
    stage.cut("1.0");
    stage.furnish("Orders", &["staging", "production"]);
    stage.set_secret("secret://staging/orders-db/password", FILED);
    stage.set_constant("staging", "secrets.BILLING_TOKEN", CONSTANT);
    stage.test("Orders", "development", "staging");
    let plan = stage.plan("Orders", "staging");
    said.json(&plan);
    let decided = stage.workspace.decide(&plan, None).unwrap();
    said.json(&decided.decision);
    said.add(&decided);
    said.add(&stage.workspace.facts(&plan, "2026-06-01T13:00:00Z".parse().unwrap(), true).unwrap());
    said.json(&stage.promote("Orders", "staging").unwrap());
    for place in ["development", "staging"] {
        let exported = stage.workspace.export(&environment(place), "Orders").unwrap();
        for file in &exported.files {
            said.bytes(&file.bytes);
        }
        said.json(&exported.to_enter);
    }
    said.add(&import(&stage, "staging", export()).map(|report| report.summary).map_err(|e| e.to_string()));
    said.json(&stage.carry_out(stage.release("Orders", None, "staging")).unwrap());
    said.json(&stage.carry_out(stage.rollback("Orders", "staging")).unwrap());
    said.json(&stage.workspace.history(None, None).unwrap());
    said.json(&stage.workspace.status().unwrap());
    stage
}

/// Every file below a folder, and what is in the store's records and content.
pub fn kept(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            kept(&path, found);
        } else {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

pub fn streams(stage: &Stage) -> Vec<(String, Vec<u8>)> {
    let id = WorkspaceId::new(stage.workspace.id()).unwrap();
    let store = SqliteStore::open_read_only(&stage.store(), id).unwrap();
    let mut found = Vec::new();
    for head in store.streams("").unwrap() {
        let name = StreamName::new(head.stream.as_str()).unwrap();
        for revision in store.range(&name, 1, 10_000, Order::OldestFirst).unwrap() {
            found.push((format!("{name}@{}", revision.revision), revision.body));
        }
    }
    let connection = rusqlite::Connection::open(stage.store()).unwrap();
    let mut query = connection.prepare("SELECT bytes FROM blobs").unwrap();
    let blobs = query.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    found.extend(blobs.map(|blob| ("content".to_owned(), blob.unwrap())));
    found
}

#[test]
fn no_secret_is_found_anywhere() {
    let said = Said::default();
    let writer = said.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let stage = tracing::subscriber::with_default(subscriber, || play(&said));

    let mut found = vec![("what was said".to_owned(), said.all())];
    kept(stage.folder.path(), &mut found);
    found.extend(streams(&stage));
    let found: Vec<_> = found.iter().map(|(place, bytes)| (place, searchable(bytes))).collect();
    assert!(found.iter().any(|(place, text)| place.ends_with("store.db-wal") && !text.is_empty()));
    // What should be there is found by the same search, in the clear and in what is signed.
    let places = |wanted: &str| {
        let shapes = shapes(wanted);
        found.iter().filter(|(_, text)| shapes.iter().any(|shape| text.contains(shape))).count()
    };
    assert!(places("orders-db.staging.example.com") > 2);
    assert!(found[0].1.contains("orders-db.staging.example.com"));
    assert!(places("secret://staging/orders-db/password") > 2);
    for canary in CANARIES {
        for shape in shapes(canary) {
            for (place, text) in &found {
                assert!(!text.contains(&shape), "`{canary}` is in {place}");
            }
        }
    }
    // And they are kept: the vault gives back what was filed.
    let owned = stage.workspace.settings(&mut stage.workspace.work(), &environment("staging")).unwrap();
    let filed = owned.secrets(&stage.workspace.work()).unwrap();
    assert!(
        filed.contains_key("orders-db/password") && filed.contains_key("constants/secrets.BILLING_TOKEN")
    );
}
