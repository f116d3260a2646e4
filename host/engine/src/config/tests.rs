//! Tests of the whole configuration: golden pairs, the template, what adoption shows.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;

/// Set to write the files that tests compare with, instead of comparing.
const UPDATE: &str = "SLUICE_UPDATE";

const KEYS: [&str; 3] = [
    "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=",
    "ed25519:/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=",
];

fn key(index: usize) -> PublicKey {
    KEYS[index].parse().unwrap()
}

fn role(name: &str) -> RoleName {
    name.parse().unwrap()
}

/// The template with some plugins.
fn made(name: &str) -> Result<String, BadText> {
    let plugins: Vec<PluginName> = ["sql", "http"].map(|name| name.parse().unwrap()).into();
    template(name, plugins.iter().zip(["sql.wasm", "http.wasm"]))
}

/// The template with its first person.
fn ready() -> String {
    let roles = ["approver", "builder", "release-manager"].map(role);
    put_person(&made("orders").unwrap(), &person("ada").unwrap(), &key(0), &roles).unwrap()
}

fn parse(text: &str) -> Config {
    Config::parse(text, "sluice.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

/// As a terminal would show it, without colour.
fn shown(errors: &ConfigErrors) -> String {
    let mut text = String::new();
    for error in &errors.0 {
        let indent = " ".repeat(error.column - 1);
        let mark = "^".repeat(error.width);
        writeln!(text, "{error}\n  | {}\n  | {indent}{mark}\n  = {}\n", error.text, error.help).unwrap();
    }
    text
}

/// Compares with a file, or writes it.
fn golden(path: &Path, actual: &str) {
    if std::env::var_os(UPDATE).is_some() {
        fs::write(path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(actual, expected, "{} differs; {UPDATE}=1 writes it", path.display());
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

/// Every `NAME.toml` gives exactly the errors in `NAME.err`, and none where that is empty.
///
/// A file that begins with `#: OLD => NEW` is `ok-base.toml` with that text replaced, and what
/// follows added at the end.
#[test]
fn every_mistake_is_told_as_its_golden_file_says() {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    files.sort();
    assert!(files.len() > 20, "the golden files are gone");
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = assembled(&fs::read_to_string(&path).unwrap());
        let errors = Config::parse(&text, name).err().map(|errors| shown(&errors)).unwrap_or_default();
        assert_eq!(errors.is_empty(), name.starts_with("ok-"), "{name}:\n{errors}");
        golden(&path.with_extension("err"), &errors);
    }
}

fn assembled(text: &str) -> String {
    if !text.starts_with("#:") {
        return text.to_owned();
    }
    let (edits, tail): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("#:"));
    let mut base = fs::read_to_string(folder().join("ok-base.toml")).unwrap();
    for edit in edits {
        let Some((old, new)) = edit.trim_start_matches("#:").split_once("=>") else { continue };
        let (old, new) = (old.trim(), new.trim());
        assert!(base.contains(old), "`ok-base.toml` has no `{old}`");
        base = base.replacen(old, new, 1);
    }
    format!("{base}\n{}\n", tail.join("\n"))
}

#[test]
fn the_template_is_complete_once_the_first_person_is_in() {
    let errors = Config::parse(&made("orders").unwrap(), "sluice.toml").unwrap_err();
    assert!(errors.to_string().contains("`owners` names nobody"), "{errors}");
    let config = parse(&ready());
    let ada = person("ada").unwrap();
    assert!(config.owns_workspace(&ada));
    for environment in &config.environments {
        assert!(config.owns(&ada, &environment.name), "{}", environment.name);
    }
    assert!(config.holds(&ada, "approver") && !config.holds(&ada, "auditor"));
    assert_eq!(config.key_of("ada"), Some(key(0)));
    assert!(config.single_operator.is_some());
    assert_eq!(config.import_limit.bytes(), 64 << 20);
    let policies = |transition: &str| -> Vec<String> {
        let rules = config.rules(&transition.parse().unwrap()).unwrap();
        rules.for_app(&called(&["any"]), &BTreeSet::new()).map(|(_, gate)| gate.policy.to_string()).collect()
    };
    assert_eq!(policies("development -> staging"), ["test-evidence", "data-masking"]);
    assert_eq!(
        policies("staging -> production"),
        ["test-evidence", "data-masking", "release-window", "approvals"]
    );
    assert!(made("Orders!").is_err());
}

#[test]
fn putting_a_person_in_keeps_everything_else_as_it_was() {
    let first = ready();
    let roles = [role("approver")];
    // A second person: only a table at the end is new.
    let second = put_person(&first, &person("bo").unwrap(), &key(1), &roles).unwrap();
    assert!(second.starts_with(first.trim_end()), "{second}");
    let errors = Config::parse(&second, "sluice.toml").unwrap_err();
    assert!(errors.to_string().contains("`single_operator` is for one person, and there are 2"), "{errors}");
    // A new key for somebody who is there: only the key is new.
    let third = put_person(&first, &person("ada").unwrap(), &key(2), &roles).unwrap();
    assert_eq!(third, first.replace(KEYS[0], KEYS[2]));
    assert_eq!(put_person("a = ", &person("bo").unwrap(), &key(1), &[]), Err(PutPersonError::NotToml));
    assert_eq!(put_person("person = 1", &person("bo").unwrap(), &key(1), &[]), Err(PutPersonError::NotAList));
}

#[test]
fn layout_and_order_do_not_change_the_digest_and_content_does() {
    let text = ready();
    let config = parse(&text);
    let without_comments: String =
        text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    assert_eq!(parse(&without_comments).digest().unwrap(), config.digest().unwrap());
    let swapped = text.replace(
        "[\"approver\", \"builder\", \"release-manager\"]",
        "[\"builder\", \"release-manager\", \"approver\"]",
    );
    assert_ne!(swapped, text);
    assert_eq!(parse(&swapped).digest().unwrap(), config.digest().unwrap());
    let other = parse(&text.replace("64 MiB", "65 MiB"));
    assert_ne!(other.digest().unwrap(), config.digest().unwrap());
    let back: Config = serde_json::from_slice(&config.canonical().unwrap()).unwrap();
    assert_eq!(back, config);
}

#[test]
fn adoption_shows_every_change_in_words() {
    let old = ready();
    for (from, to, expected) in [
        (
            "import = \"64 MiB\"",
            "import = \"1 GiB\"",
            vec!["workspace changed (largest import: 64 MiB -> 1 GiB)"],
        ),
        (
            "holds_production_data = false",
            "holds_production_data = true",
            vec!["environment `staging` changed (holds production data: no -> yes)"],
        ),
        (
            KEYS[0],
            KEYS[1],
            vec![
                "person `ada` changed (key: `ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=` -> `ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=`)",
            ],
        ),
        (
            "waivable = true",
            "waivable = false",
            vec!["gate `release-window` on `staging -> production` changed (waivable: yes -> no)"],
        ),
        ("carried = []", "carried = [\"tooljet/slack\"]", vec!["carried kind `tooljet/slack` added"]),
        (
            "path = \"plugins/sql.wasm\"",
            "path = \"plugins/sql2.wasm\"",
            vec!["plugin `sql` changed (path: `plugins/sql.wasm` -> `plugins/sql2.wasm`)"],
        ),
        (
            "name = \"http\"",
            "name = \"web\"",
            vec![
                "plugin `web` added (digest: any; path: `plugins/http.wasm`)",
                "plugin `http` removed (digest: any; path: `plugins/http.wasm`)",
            ],
        ),
        (
            "time_zone = \"UTC\"",
            "time_zone = \"Asia/Tokyo\"",
            vec!["calendar `working-hours` changed (time zone: `UTC` -> `Asia/Tokyo`)"],
        ),
        (
            "and must not wait",
            "and hurries",
            vec![
                "transition `rollback production` changed (ungated: \"what is gone back to has passed the gates before, and must not wait\" -> \"what is gone back to has passed the gates before, and hurries\")",
                "transition `rollback staging` changed (ungated: \"what is gone back to has passed the gates before, and must not wait\" -> \"what is gone back to has passed the gates before, and hurries\")",
            ],
        ),
        ("# For editors", "# Layout alone. Schema", vec![]),
    ] {
        let new = old.replacen(from, to, 1);
        assert_ne!(new, old, "the template has no `{from}`");
        let changes: Vec<String> = diff(&parse(&old), &parse(&new)).iter().map(ToString::to_string).collect();
        assert_eq!(changes, expected, "{from} -> {to}");
    }
}

/// A configuration that differs in one member only is a difference: none is forgotten.
#[test]
fn no_member_can_change_unseen() {
    let config = parse(&(ready() + MORE));
    let value = serde_json::to_value(&config).unwrap();
    let mut seen = BTreeSet::new();
    for pointer in leaves(&value, String::new()) {
        let mut changed = value.clone();
        let leaf = changed.pointer_mut(&pointer).unwrap();
        let Some(other) = other_than(leaf) else { continue };
        *leaf = other;
        // What is no longer well formed cannot be adopted anyway.
        let Ok(changed) = serde_json::from_value::<Config>(changed) else { continue };
        if changed == config {
            continue;
        }
        seen.insert(pointer.split('/').nth(1).unwrap_or_default().to_owned());
        assert!(!diff(&config, &changed).is_empty(), "a change at {pointer} is not shown");
        assert_ne!(changed.digest().unwrap(), config.digest().unwrap(), "{pointer}");
    }
    for member in value.as_object().unwrap().keys() {
        assert!(seen.contains(member), "`{member}` was not tried");
    }
}

const MORE: &str = r#"
[[plugin]]
name = "probing"
path = "plugins/probing.wasm"
probe = { hosts = ["db.example:5432"], private = ["10.2.0.0/16"] }
limits = { fuel = 1_000, deadline = "3s", memory = "8 MiB", log-messages = 3, calls = 2 }

[limits.plugins]
fuel = 2_000
answer = "1 MiB"
table-elements = 9

[[publisher]]
name = "acme"
key = "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

[[external]]
app = "orders"
object = "legacy*"
reason = "is moved next year"
bound = { staging = "m-1" }

[[app]]
name = "orders*"
labels = ["payments"]

[break_glass]
role = "release-manager"

[[transition]]
on = ["staging -> production"]

[[transition.gate]]
name = "payments"
policy = "approvals"
level = "hard"
labels = ["payments"]
changes = ["delete query", "data-source"]
parameters = { roles = { approver = 2 } }
"#;

fn leaves(value: &serde_json::Value, at: String) -> Vec<String> {
    match value {
        serde_json::Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| {
                let name = name.replace('~', "~0").replace('/', "~1");
                leaves(value, format!("{at}/{name}"))
            })
            .collect(),
        serde_json::Value::Array(list) if !list.is_empty() => {
            list.iter().enumerate().flat_map(|(i, value)| leaves(value, format!("{at}/{i}"))).collect()
        }
        _ => vec![at],
    }
}

fn other_than(value: &serde_json::Value) -> Option<serde_json::Value> {
    use serde_json::Value;
    match value {
        Value::Bool(yes) => Some(json!(!yes)),
        Value::Number(number) => Some(json!(number.as_u64()? + 1)),
        Value::String(text) if text.starts_with("ed25519:") => Some(json!(KEYS[2])),
        Value::String(text) if text.ends_with("MiB") => Some(json!("3 MiB")),
        Value::String(text) if text == "hard" => Some(json!("soft")),
        Value::String(text) if text.contains('/') => Some(json!(format!("{text}x"))),
        Value::String(text) if text == "7d" => Some(json!("8d")),
        Value::String(text) => Some(json!(format!("{text}x"))),
        Value::Array(list) if list.is_empty() => Some(json!(["tooljet/slack"])),
        _ => None,
    }
}

fn called(names: &[&str]) -> AppNames {
    AppNames::new(&sluice_model::LogicalId::new("tooljet:0").unwrap(), names.iter().copied())
}

#[test]
fn a_pattern_means_an_app_by_its_id_too() {
    for (pattern, is_meant) in
        [("tooljet:0", true), ("tooljet:*", true), ("Orders", true), ("tooljet", false), ("orders", false)]
    {
        let pattern: NamePattern = pattern.parse().unwrap();
        assert_eq!(called(&["Sales", "Orders"]).are_meant_by(&pattern), is_meant, "{pattern}");
    }
}

#[test]
fn a_gate_is_for_the_apps_and_labels_that_it_says() {
    let text = ready().replacen(
        "policy = \"data-masking\"\nlevel = \"hard\"",
        "policy = \"data-masking\"\nlevel = \"hard\"\napps = [\"a*\", \"x\"]\n\n[[transition.gate]]\nname = \"strict\"\npolicy = \"data-masking\"\nlevel = \"warn\"\nlabels = [\"payments\", \"health\"]\n\n[[transition.gate]]\nname = \"both\"\npolicy = \"data-masking\"\nlevel = \"soft\"\napps = [\"a*\"]\nlabels = [\"health\"]\nchanges = [\"delete\"]",
        1,
    ) + r#"
[[app]]
name = "a*"
labels = ["payments"]

[[app]]
name = "*b"
labels = ["health", "public"]
"#;
    let config = parse(&text);
    let rules = config.rules(&"development -> staging".parse().unwrap()).unwrap();
    for (app, labels, expected) in [
        ("ab", "health payments public", vec![0, 1, 2, 3]),
        ("a", "payments", vec![0, 1, 2]),
        ("b", "health public", vec![0, 2]),
        ("c", "", vec![0]),
        ("x", "", vec![0, 1]),
        // Whatever it is called besides, and by its id.
        ("c ab", "health payments public", vec![0, 1, 2, 3]),
        ("c b", "health public", vec![0, 2]),
        ("c d", "", vec![0]),
    ] {
        let names = called(&app.split(' ').collect::<Vec<_>>());
        let known = config.labels_of(&names);
        assert_eq!(known.iter().map(LabelName::as_str).collect::<Vec<_>>().join(" "), labels, "{app}");
        let found: Vec<usize> = rules.for_app(&names, &known).map(|(index, _)| index).collect();
        assert_eq!(found, expected, "{app}");
    }
    let names: Vec<&str> = rules.gates.iter().map(|gate| gate.name.as_str()).collect();
    assert_eq!(names, ["test-evidence", "data-masking", "strict", "both"]);
    // A gate that leaves plans out stops not all of them.
    assert_eq!(rules.gates.iter().map(Gate::stops_all).collect::<Vec<_>>(), [true, false, false, false]);
}

#[test]
fn a_plugins_own_limits_come_before_those_of_all() {
    let config = parse(&(ready() + MORE));
    let probing = config.limits_of(&"probing".parse().unwrap());
    assert_eq!((probing.fuel, probing.answer_bytes, probing.calls), (Some(1000), Some(1 << 20), Some(2)));
    let sql = config.limits_of(&"sql".parse().unwrap());
    assert_eq!((sql.fuel, sql.table_elements, sql.calls), (Some(2000), Some(9), None));
    assert!(parse(&ready()).limits_of(&"sql".parse().unwrap()).is_empty());
}

#[test]
fn what_is_found_wrong_later_is_told_with_its_place() {
    let document =
        Document::parse(&ready().replace("carried = []", "carried = [\"tooljet/slack\"]"), "s.toml").unwrap();
    let kind = |text: &str| text.parse::<sluice_model::Kind>().unwrap();
    let plugin = |text: &str| text.parse::<PluginName>().unwrap();
    let served = [
        (plugin("sql"), kind("tooljet/postgresql")),
        (plugin("http"), kind("tooljet/slack")),
        (plugin("http"), kind("tooljet/postgresql")),
    ];
    let errors = document.check_kinds(served.iter().map(|(plugin, kind)| (plugin, kind)));
    let told: Vec<(&str, &str)> = errors.iter().map(|e| (e.text.as_str(), e.message.as_str())).collect();
    assert_eq!(
        told,
        [
            (
                "carried = [\"tooljet/slack\"]",
                "the kind `tooljet/slack` is carried, but the plugin `http` serves it"
            ),
            (
                "path = \"plugins/http.wasm\"",
                "the kind `tooljet/postgresql` is served by the plugins `sql` and `http`"
            ),
        ]
    );
    assert!(document.check_kinds([(&plugin("sql"), &kind("tooljet/mysql"))]).is_empty());
    let on: Transition = "staging -> production".parse().unwrap();
    for (place, line) in [
        (Place::Gate(on.clone(), 3), "policy = \"approvals\""),
        (Place::Parameter(on.clone(), 2, "calendar".into()), "parameters = { calendar = \"working-hours\" }"),
        (Place::Parameter(on, 2, "left-out".into()), "policy = \"release-window\""),
        (Place::Calendar("working-hours".parse().unwrap()), "name = \"working-hours\""),
    ] {
        assert_eq!(document.error(&place, "m", "h").text, line, "{place:?}");
    }
}

#[test]
fn the_published_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sluice.schema.json");
    golden(&path, &(serde_json::to_string_pretty(&schema()).unwrap() + "\n"));
}

#[test]
fn no_cut_off_or_changed_text_panics() {
    let text = ready() + MORE;
    for end in 0..text.len() {
        if text.is_char_boundary(end) {
            let _ = Config::parse(&text[..end], "sluice.toml");
        }
    }
    for word in ["\"\"", "[]", "{}", "1", "true", "\"*\"", "\"é -> é\""] {
        for (at, _) in text.match_indices('=') {
            let line_end = text[at..].find('\n').map_or(text.len(), |end| at + end);
            let changed = format!("{}= {word}{}", &text[..at], &text[line_end..]);
            if let Err(errors) = Config::parse(&changed, "sluice.toml") {
                assert!(!errors.0.is_empty());
                for error in &errors.0 {
                    assert!(!error.message.is_empty() && !error.help.is_empty(), "{error:?}");
                    assert!(!error.message.contains("Table") && !error.message.contains("u64"), "{error}");
                }
            }
        }
    }
    let deep = format!("a = {}1{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(Config::parse(&deep, "sluice.toml").is_err());
    let large = "#".repeat(MOST_BYTES + 1);
    assert!(Config::parse(&large, "sluice.toml").unwrap_err().to_string().contains("more than the"));
}
