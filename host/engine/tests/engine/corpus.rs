//! Real exports with a secret planted at every place for one: imported, cut and planned, and then
//! no trace of any is in store, ledger, log, plan or export.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sluice_engine::import::ImportRequest;
use sluice_engine::plan::{PlanRequest, Wanted};
use sluice_engine::version::{CutRequest, ManageRequest};
use sluice_model::{Digest, LogicalId, ObjectKind};
use sluice_platform::{InputFile, secrets_in_the_clear};

use crate::canary::{Said, kept, opened, searchable, shapes, streams};
use crate::stage::{Stage, environment, repository};

/// What every planted value begins with, and nothing else.
const MARK: &str = "Zq7Xk3VbN9";

fn corpus() -> Option<PathBuf> {
    let set = std::env::var_os("SLUICE_CORPUS").map(PathBuf::from);
    let beside = repository().join("../shared/data");
    let found = set.into_iter().chain([beside]).find(|path| path.join("expected.tsv").is_file());
    if found.is_none() {
        println!("SKIPPED: there are no real exports; set SLUICE_CORPUS to a folder that holds expected.tsv");
    }
    found
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    files.sort();
    files
}

fn parsed(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Puts values into an export and remembers what was there before that must not be kept either.
#[derive(Default)]
struct Planter {
    planted: usize,
    /// Their plain digests, by which they could be guessed.
    digests: BTreeSet<String>,
    /// Where ToolJet keeps a value: as good as a name for it.
    credentials: BTreeSet<String>,
    /// Values that the corpus has itself where its table of kinds says that a secret is, or where
    /// the option's name says so.
    own: BTreeSet<String>,
    /// Values that it has elsewhere in options.
    open: BTreeSet<String>,
}

impl Planter {
    fn value(&mut self) -> String {
        self.planted += 1;
        // Letters and digits that never repeat: an odd factor is a permutation of the integers.
        let value = format!("{MARK}{:016x}", (self.planted as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        self.digests.insert(Digest::of(value.as_bytes()).hex());
        value
    }

    fn walk(&mut self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::Object(options)) = members.get_mut("options") {
                    self.options(options);
                }
                if let Some(Value::Array(queries)) = members.get_mut("dataQueries") {
                    queries.iter_mut().for_each(|query| self.query(query));
                }
                members.values_mut().for_each(|member| self.walk(member));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(item)),
            _ => {}
        }
    }

    /// A data source's options: each is an object with a value, or with the credential's id.
    fn options(&mut self, options: &mut Map<String, Value>) {
        for (name, option) in options {
            let Some(option) = option.as_object_mut() else { continue };
            if let Some(Value::String(id)) = option.get("credential_id") {
                self.credentials.insert(id.clone());
            }
            if let Some(Value::String(there)) = option.get("value").filter(|there| *there != "") {
                let secret = ["password", "secret", "secret_key", "token", "authToken", "api_key"];
                let known = if secret.contains(&name.as_str()) { &mut self.own } else { &mut self.open };
                known.insert(there.clone());
            }
            let url = match name.as_str() {
                "url" | "base_url" | "access_token_url" | "auth_url" => true,
                _ if option.get("encrypted") == Some(&Value::Bool(true)) => name == "connection_string",
                "headers" if option.contains_key("value") => {
                    option["value"] = json!([["X-Api-Key", self.value()]]);
                    continue;
                }
                _ => continue,
            };
            let value = self.value();
            let value = if url { format!("https://app:{value}@db.corpus.example/x") } else { value };
            option.insert("value".to_owned(), value.into());
        }
    }

    /// A query: nothing declares that a secret is here, but each of these looks like one.
    fn query(&mut self, query: &mut Value) {
        let Some(options) = query.get_mut("options").and_then(Value::as_object_mut) else { return };
        let planted = [
            ("query", format!("select 1; -- password = '{}'", self.value())),
            ("code", format!("fetch(u, {{headers: {{Authorization: 'Bearer {}'}}}})", self.value())),
            ("url", format!("https://app:{}@api.corpus.example/x", self.value())),
        ];
        for (name, text) in planted {
            if let Some(Value::String(there)) = options.get_mut(name) {
                there.push(' ');
                there.push_str(&text);
            }
        }
        let header = json!(["Authorization", format!("Bearer {}", self.value())]);
        match options.get_mut("headers") {
            Some(Value::Array(headers)) => headers.push(header),
            _ => drop(options.insert("headers".to_owned(), json!([header]))),
        }
        options.insert("api_key".to_owned(), self.value().into());
    }
}

/// The files of the corpus as they are imported together, with what was planted.
fn exports(corpus: &Path, planter: &mut Planter) -> Vec<(String, Vec<InputFile>)> {
    let file = |name: &str, value: &Value| InputFile {
        name: name.to_owned(),
        bytes: serde_json::to_vec(value).unwrap(),
    };
    let mut found = Vec::new();
    for path in json_files(&corpus.join("tooljet")) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "option-schema.json" {
            continue;
        }
        let mut export = parsed(&path);
        planter.walk(&mut export);
        found.push((name.clone(), vec![file(&name, &export)]));
    }
    let lowcoder = |name: &str| parsed(&corpus.join("lowcoder").join(name));
    let mut export = lowcoder("DayJs with Plugin.json");
    let link = format!("https://app:{}@api.corpus.example", planter.value());
    export["applicationDSL"]["ui"]["planted"] = link.into();
    found.push(("DayJs with Plugin.json".to_owned(), vec![file("dayjs.json", &export)]));
    // Fixtures wrap a collection's records in a list of their own; `mongoexport` does not.
    let applications = lowcoder("mongo-fixture-application.json")["data"].take();
    let nav = json!({
        "_id": {"$oid": "65b3f6635ad33e16b574aef5"}, "name": "nav", "applicationType": 3,
        "editingApplicationDSL": lowcoder("CompoundApplicationDslFilterTest.json"),
    });
    let request = lowcoder("DatasourceControllerTest.json");
    let mut config = request["datasourceConfig"].clone();
    config["connectionString"] = format!("http://elastic:{}@localhost:9200/", planter.value()).into();
    config["password"] = planter.value().into();
    let source = json!({
        "_id": {"$oid": "65b3f6635ad33e16b574aef4"}, "gid": "018e4b00-0001-7000-8000-000000000001",
        "name": request["name"], "type": request["type"], "organizationId": request["organizationId"],
        "creationSource": 0, "datasourceStatus": "NORMAL", "detailConfig": config,
    });
    let files = vec![file("application.json", &applications), file("datasource.json", &json!([source]))];
    found.push(("records".to_owned(), files));
    found.push(("nav".to_owned(), vec![file("nav.json", &nav)]));
    found
}

/// Imports, manages, cuts, plans and exports everything; answers with the plans and exports.
fn play(stage: &Stage, exports: Vec<(String, Vec<InputFile>)>, said: &Said) -> Vec<(String, Vec<u8>)> {
    let mut apps: BTreeSet<LogicalId> = BTreeSet::new();
    for (name, files) in exports {
        let request = ImportRequest {
            environment: environment("development"),
            files,
            confirm: None,
            distinct: BTreeSet::new(),
        };
        let report = match stage.workspace.import(&stage.ada, &request) {
            Ok(report) => report,
            Err(error) => panic!("{name}: {error}"),
        };
        said.json(&report);
        said.add(&report.summary);
        println!("{name}: {:?}", report.summary);
        apps.extend(report.summary.apps);
    }
    said.add(&stage.workspace.suspicions(&mut stage.workspace.work()).unwrap());
    let mut made = Vec::new();
    for app in apps {
        let manage = ManageRequest { objects: vec![app.to_string()], with_dependencies: true, on: true };
        let request = CutRequest { app: app.to_string(), version: None, from: None, note: None };
        let managed = stage.workspace.manage(&stage.ada, &manage).map(drop);
        match managed.and_then(|()| stage.workspace.cut(&stage.ada, &request)) {
            Ok(report) => said.json(&report),
            Err(error) => {
                println!("{app}: {error}");
                said.error(&error);
                continue;
            }
        }
        let staging = environment("staging");
        let transition = Wanted::Promotion { app: app.to_string(), version: None, to: staging.clone() };
        let request = PlanRequest { transition, choices: BTreeMap::new() };
        let plan = stage.workspace.plan(&request).unwrap();
        for source in plan.objects.iter().filter(|o| o.kind == ObjectKind::DataSource) {
            if let Err(error) = stage.workspace.adopt_binding(&stage.ada, &staging, &source.object) {
                said.error(&error);
            }
        }
        let bound = stage.workspace.plan(&request).unwrap();
        for plan in [&plan, &bound] {
            made.push((format!("plan of {app}"), serde_json::to_vec(plan).unwrap()));
        }
        println!(
            "{app}: {} problems, then {}; {} sources rendered",
            plan.problems.len(),
            bound.problems.len(),
            bound.sources.len()
        );
        match stage.workspace.export(&environment("development"), app.as_str()) {
            Ok(exported) => {
                let files = exported.files.into_iter();
                made.extend(files.map(|file| (format!("export of {app}"), file.bytes)));
                said.json(&exported.to_enter);
            }
            Err(error) => said.error(&error),
        }
    }
    said.json(&stage.workspace.history(None, None).unwrap());
    said.json(&stage.workspace.status().unwrap());
    made
}

/// What looks like a secret in a text, by rules that owe nothing to those of the product.
fn looks_secret(text: &str) -> Vec<(&'static str, String)> {
    const ISSUED: [(&str, usize); 19] = [
        ("AKIA", 16),
        ("ASIA", 16),
        ("ghp_", 36),
        ("gho_", 36),
        ("ghs_", 36),
        ("github_pat_", 22),
        ("glpat-", 20),
        ("xoxb-", 10),
        ("xoxp-", 10),
        ("sk_live_", 16),
        ("sk_test_", 16),
        ("rk_live_", 16),
        ("AIza", 35),
        ("GOCSPX-", 20),
        ("npm_", 36),
        ("hf_", 30),
        ("ya29.", 20),
        ("whsec_", 24),
        ("dop_v1_", 64),
    ];
    let lower = text.to_ascii_lowercase();
    let run =
        |from: usize, of: fn(u8) -> bool| text.as_bytes()[from..].iter().take_while(|b| of(**b)).count();
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let mut found = Vec::new();
    let mut add = |rule: &'static str, from: usize, bytes: usize| {
        let shown: String =
            text.as_bytes()[from..].iter().take(bytes.min(60)).map(|b| char::from(*b)).collect();
        found.push((rule, shown));
    };
    for (prefix, least) in ISSUED {
        for (at, _) in text.match_indices(prefix) {
            let own_word = at == 0 || !text.as_bytes()[at - 1].is_ascii_alphanumeric();
            if own_word && run(at + prefix.len(), word) >= least {
                add("issued key", at, prefix.len() + least);
            }
        }
    }
    for (at, _) in text.match_indices("-----BEGIN ") {
        if text.as_bytes()[at..]
            .iter()
            .take(60)
            .map(|b| char::from(*b))
            .collect::<String>()
            .contains("PRIVATE KEY")
        {
            add("private key", at, 40);
        }
    }
    for (at, _) in text.match_indices("eyJ") {
        let head = run(at, word);
        if text[at + head..].starts_with(".eyJ") && head > 10 {
            add("token", at, head);
        }
    }
    for scheme in ["bearer ", "basic "] {
        for (at, _) in lower.match_indices(scheme) {
            let from = at + scheme.len();
            let length = run(from, |b| b.is_ascii_alphanumeric() || b"._~+/=-".contains(&b));
            if length >= 12 && text.as_bytes()[from..from + length].iter().any(u8::is_ascii_digit) {
                add("authorization", at, scheme.len() + length);
            }
        }
    }
    for (at, _) in text.match_indices("://") {
        let of_authority: fn(u8) -> bool = |b| b > b' ' && !b"/\"'\\<>{}?#".contains(&b);
        let authority = &text.as_bytes()[at + 3..at + 3 + run(at + 3, of_authority)];
        if let Some(end) = authority.iter().rposition(|b| *b == b'@')
            && let Some(colon) = authority[..end].iter().position(|b| *b == b':')
            && colon + 1 < end
        {
            add("password in a URL", at, end + 3);
        }
    }
    // In code and connection strings; members of JSON are judged by `named`.
    for name in ["password", "passwd", "pwd", "accountkey"] {
        for (at, _) in lower.match_indices(name) {
            let mut from = at + name.len();
            from += run(from, |b| b == b' ');
            if !matches!(text.as_bytes().get(from), Some(b'=')) {
                continue;
            }
            from += 1;
            from += run(from, |b| b" '\"\\".contains(&b));
            let length = run(from, |b| b > b' ' && !b"'\"\\;,&{}()$".contains(&b));
            if length >= 6 && text.as_bytes()[from..from + length].iter().any(u8::is_ascii_digit) {
                add("assigned password", at, from - at + length);
            }
        }
    }
    found
}

/// Values that stand under a secret's name in options, and are none of those that say nothing.
fn named(value: &Value, name: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => {
            let plain: String =
                name.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
            let secret = ["password", "passwd", "secret", "secretkey", "apikey", "authtoken", "accesstoken"];
            let says_something = text.len() >= 6
                && !text.contains(char::is_whitespace)
                && !text.contains("{{")
                && text.bytes().any(|b| b.is_ascii_digit());
            if secret.contains(&plain.as_str()) && says_something {
                found.push((format!("under `{name}`"), text.clone()));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| named(item, "", found)),
        Value::Object(members) => members
            .iter()
            .for_each(|(key, member)| named(member, if key == "value" { name } else { key }, found)),
        _ => {}
    }
}

/// A reference to a secret, or the keyed digest by which its next value is told from this one.
fn stands_for_one(value: &str) -> bool {
    value.starts_with("secret://") || value.parse::<Digest>().is_ok()
}

/// The words of a text that are wanted, once each.
fn tokens(text: &str, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|token| wanted(token))
        .map(str::to_owned)
        .collect()
}

#[test]
fn each_rule_finds_what_it_is_for() {
    let issued = format!("x {}{} y", "ghp_", "0Not1A2Real3Token".repeat(3));
    for (text, expected) in [
        (issued.as_str(), "issued key"),
        ("-----BEGIN RSA PRIVATE KEY-----\\nnot-a-key", "private key"),
        ("eyJub3QtYS1yZWFs.eyJ0b2tlbiI6MX0.c2lnbmF0dXJl", "token"),
        ("Bearer not-a-real-token-1", "authorization"),
        ("postgres://app:not-real@db.example.com/x", "password in a URL"),
        ("Server=db;Pwd=not-real-1;Encrypt=yes", "assigned password"),
    ] {
        let rules: Vec<_> = looks_secret(text).into_iter().map(|(rule, _)| rule).collect();
        assert_eq!(rules, [expected], "{text}");
    }
    for text in ["https://db.example.com:8080/a@b", "password={{secrets.x}}", "basic authentication is here"]
    {
        assert_eq!(looks_secret(text), [], "{text}");
    }
    let mut found = Vec::new();
    let options =
        json!({"password": {"value": "not-real-1"}, "api_key": "{{secrets.x1}}", "name": "not-real-2"});
    named(&options, "", &mut found);
    assert_eq!(found, [("under `password`".to_owned(), "not-real-1".to_owned())]);
}

#[test]
fn nothing_secret_is_left_of_real_exports() {
    let Some(corpus) = corpus() else { return };
    let mut planter = Planter::default();
    let exports = exports(&corpus, &mut planter);
    // What is searched for is there, and the search finds it where nothing took it out.
    assert!(planter.planted > 1_000 && planter.credentials.len() > 1_000, "{}", planter.planted);
    let raw: Vec<String> = exports
        .iter()
        .flat_map(|(_, files)| files)
        .map(|file| String::from_utf8(file.bytes.clone()).unwrap())
        .collect();
    let rules: BTreeSet<&str> =
        raw.iter().flat_map(|text| looks_secret(text)).map(|(rule, _)| rule).collect();
    assert!(
        ["authorization", "password in a URL", "assigned password"].iter().all(|rule| rules.contains(rule))
    );

    let said = Said::default();
    let writer = said.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let stage = Stage::new();
    let made = tracing::subscriber::with_default(subscriber, || play(&stage, exports, &said));
    let plans = made.iter().filter(|(what, _)| what.starts_with("plan")).count();
    assert!(plans >= 30, "only {plans} plans");

    let mut found = made;
    found.push(("what was said".to_owned(), said.all()));
    found.extend(streams(&stage).into_iter().map(|(place, bytes)| (place, opened(bytes))));
    let mut wrong = BTreeSet::new();
    let is_redacted = |token: &str| token.starts_with("REDACTED-");
    // A credential's id, or a digest.
    let is_id = |token: &str| matches!(token.len(), 36 | 64);
    let own: BTreeSet<&String> = planter.own.difference(&planter.open).collect();
    let mut beside = 0;
    for (place, bytes) in &found {
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        beside += text.matches(".corpus.example/x").count();
        for token in tokens(text, |token| is_redacted(token) || is_id(token)) {
            if planter.credentials.contains(&token)
                || planter.digests.contains(&token)
                || own.contains(&token)
            {
                wrong.insert(format!("{place}: {token}"));
            }
        }
        wrong.extend(looks_secret(text).into_iter().map(|(rule, what)| format!("{place}: {rule}: {what}")));
        if let Ok(value) = serde_json::from_str::<Value>(text) {
            let mut clear = Vec::new();
            named(&value, "", &mut clear);
            clear.extend(
                secrets_in_the_clear(&value).into_iter().map(|clear| {
                    (format!("{} at {}", clear.what, clear.at), clear.value.expose().to_owned())
                }),
            );
            clear.retain(|(_, value)| !stands_for_one(value));
            wrong.extend(clear.into_iter().map(|(what, value)| format!("{place}: {what}: {value}")));
        }
    }
    // What stood beside planted values did come through: what was searched is what was imported.
    assert!(beside > 20, "{beside}");
    kept(&stage.place(), &mut found);
    for (place, bytes) in &found {
        let text = searchable(bytes);
        for shape in shapes(MARK) {
            if let Some(at) = text.find(&shape) {
                let before: Vec<char> = text[..at].chars().rev().take(200).collect();
                let before: String = before.into_iter().rev().collect();
                wrong.insert(format!("{place}: a planted value, after {before}"));
            }
        }
    }
    assert_eq!(wrong, BTreeSet::new());
}
