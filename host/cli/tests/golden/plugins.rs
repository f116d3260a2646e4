//! Scenes of those who make plugins. What needs a language's tools is played in `tests/vendors`.

use std::fs;
use std::path::Path;

use crate::mistakes::{DENIED, DONE, FAILED, USAGE, edit, ends, scene};
#[cfg(unix)]
use crate::registry::Registry;
use crate::stage::{Output, Stage, plugins};
use crate::steps;

#[test]
fn a_plugin_is_made_and_what_stands_in_its_way_is_said() {
    scene(
        "plugin",
        Stage::empty(),
        &[
            ends(USAGE, "plugin"),
            ends(DONE, "plugin new orders-db --lang rust"),
            ends(USAGE, "plugin new orders-db --lang rust"),
            ends(USAGE, "plugin new Orders --lang rust"),
            ends(USAGE, "plugin new 7orders --lang rust"),
            ends(USAGE, "plugin new orders-db"),
            ends(DONE, "plugin new orders-api --lang js --folder more"),
            ends(DONE, "plugin new orders-sheet --lang python --folder more"),
            ends(USAGE, "plugin build"),
            ends(FAILED, "plugin test nowhere -o json"),
            edit("orders-db/sluice-plugin.toml", "command = [\"cargo\"", "command = [\"no-such-tool\""),
            ends(FAILED, "plugin build orders-db"),
            ends(FAILED, "plugin build orders-db -o json"),
            edit("orders-db/sluice-plugin.toml", "\"no-such-tool\", \"build\"", "\"true\""),
            ends(FAILED, "plugin test orders-db"),
            edit("orders-db/sluice-plugin.toml", "\"true\"", "\"false\""),
            ends(FAILED, "plugin dev orders-db --once"),
            edit("orders-db/sluice-plugin.toml", "version = ", "versions = "),
            ends(FAILED, "plugin bench orders-db"),
            ends(USAGE, "plugin inspect orders-db.wasm"),
            ends(FAILED, "plugin inspect orders-db/README.md"),
            ends(FAILED, "plugin test orders-db/README.md --junit report.xml"),
        ],
    );
}

/// A project whose build copies a component.
fn project(stage: &Stage, component: &Path) {
    let folder = stage.workspace();
    fs::create_dir(folder.join("example")).unwrap();
    let project = format!(
        "name = \"orders\"\nversion = \"1.2.3\"\npublisher = \"acme\"\nlicence = \"MIT\"\ndescription = \"Orders\"\n\
         minimum-host = \"0.1.0\"\n[probe]\nhosts = [\"endpoints\"]\n[build]\ncommand = [\"cp\", \"{}\", \"made.wasm\"]\n\
         component = \"made.wasm\"\n",
        component.display()
    );
    fs::write(folder.join("sluice-plugin.toml"), project).unwrap();
}

const EXAMPLE: &str = r#"{
  "source": {
    "logical-id": "orders", "name": "Orders", "kind": "lowcoder/postgres",
    "options": {"host": "db.dev.example", "port": "5432", "database": "orders", "username": "dev",
      "password": {"$sluice": [{"slot": "password"}]}}
  },
  "binding": {"host": "db.staging.example", "port": "5432", "database": "orders", "username": "app"},
  "candidates": [{"reference": "secret://staging/orders/password", "label": "password"}],
  "expected": {
    "options": {"host": "db.staging.example", "port": "5432", "database": "orders", "username": "app",
      "password": {"$sluice": [{"slot": "password"}]}},
    "slots": {"password": "secret://staging/orders/password"}
  }
}"#;

#[test]
#[cfg(unix)]
fn a_component_is_built_tested_measured_and_looked_at() {
    let stage = Stage::empty();
    project(&stage, &plugins().join("sql.wasm"));
    let example = stage.workspace().join("example/orders.json");
    fs::write(&example, EXAMPLE).unwrap();
    let sluice = |words: &str, code: i32| {
        let words: Vec<&str> = words.split(' ').collect();
        let Output { code: is, out, talk } = stage.output(&words, "", &[]);
        assert_eq!(is, code, "{words:?}: {out}{talk}");
        (out, talk)
    };
    let has = |text: &str, parts: &[&str]| {
        for part in parts {
            assert!(text.contains(part), "`{part}` is not in:\n{text}");
        }
    };

    let (out, talk) = sluice("plugin build", DONE);
    has(
        &out,
        &["built orders 1.2.3 in ./build/orders.wasm", "world   data-source-with-probe", "lowcoder/postgres"],
    );
    has(&talk, &["running cp ", "sluice plugin test"]);
    let (out, talk) = sluice("plugin build -o json", DONE);
    let built: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((built["manifest"]["name"].as_str(), talk.as_str()), (Some("orders"), ""));
    let manifest = fs::read(stage.workspace().join("build/orders.manifest.json")).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&manifest).unwrap(), built["manifest"]);

    let (out, talk) = sluice("plugin build --component made.wasm --into dist", DONE);
    has(&out, &["built orders 1.2.3 in dist/orders.wasm"]);
    assert!(!talk.contains("running") && talk.contains("sluice plugin test dist/orders.wasm"), "{talk}");
    let same = |file: &str| fs::read(stage.workspace().join(file)).unwrap();
    assert_eq!(same("dist/orders.wasm"), same("build/orders.wasm"));
    assert_eq!(same("dist/orders.manifest.json"), same("build/orders.manifest.json"));
    sluice("plugin build --component none.wasm", FAILED);

    let file = stage.workspace().join("sluice-plugin.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("minimum-host = \"0.1.0\"", "minimum-host = \"99.0.0\"")).unwrap();
    has(&sluice("plugin build", DONE).0, &["warning: it needs Sluice 99.0.0 or later, and this is "]);
    fs::write(&file, text.replace("\"acme\"", "\"Acme Inc\"")).unwrap();
    has(&sluice("plugin build", FAILED).1, &["line 3: `Acme Inc` is not a publisher's name"]);
    fs::write(&file, text).unwrap();
    sluice("plugin build", DONE);

    let (out, talk) = sluice("plugin test --junit report.xml", DONE);
    has(
        &out,
        &[
            "check load: ",
            "check manifest: its manifest says what it is ... ok",
            "check examples: ",
            "grade: ",
        ],
    );
    assert!(!talk.contains("running"), "nothing has changed: {talk}");
    has(&fs::read_to_string(stage.workspace().join("report.xml")).unwrap(), &["classname=\"orders.load\""]);
    let (of_file, _) = sluice("plugin test build/orders.wasm", DONE);
    assert_eq!(of_file, out);
    let (out, _) = sluice("plugin test -o json", DONE);
    let tested: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(tested["digest"], built["digest"]);
    assert_ne!(tested["grade"], "fails");

    let (out, _) = sluice("plugin dev --once", DONE);
    has(&out, &["example orders (lowcoder/postgres)", "host = \"db.staging.example\"", "units of fuel"]);
    has(
        &out,
        &[
            "its probe, with a network that answers everything",
            "asked: connect to db.staging.example:5432 without TLS -> connected",
            "reachable: yes, credentials taken: unknown",
        ],
    );
    // It writes nothing, and what the host says of its call is not its own.
    assert!(!out.contains("log debug") && out.contains(", 0 log messages"), "{out}");
    let played: serde_json::Value =
        serde_json::from_str(&sluice("plugin dev --once -o json", DONE).0).unwrap();
    assert_eq!(played["examples"][0]["log"], serde_json::json!([]));
    let asked = &played["examples"][0]["probe"]["asked"][0];
    assert_eq!((&asked["answer"], &asked["failed"]), (&"connected".into(), &false.into()), "{asked}");
    has(
        &sluice("plugin bench --calls 2", DONE).0,
        &["loaded from kept code in ", "instantiate", "orders", "lowcoder/postgres"],
    );
    has(&sluice("plugin bench --calls 2 --fresh", DONE).0, &["compiled and loaded in "]);

    let (out, _) = sluice("plugin inspect .", DONE);
    has(
        &out,
        &[
            "orders 1.2.3",
            "publisher  acme, as it says",
            "WHAT IT CAN DO",
            "signed     by nobody",
            "postgres",
        ],
    );
    has(&sluice("plugin inspect . -o json", DONE).0, &["\"sluice:plugin/net@1.0.0\"", "\"compile_ns\""]);
    fs::write(stage.workspace().join("build/orders.sig.json"), "{}").unwrap();
    has(&sluice("plugin inspect build/orders.wasm", DONE).0, &["not a signed statement"]);

    fs::write(&example, EXAMPLE.replace("\"username\": \"app\",\n", "\"username\": \"other\",\n")).unwrap();
    let (out, _) = sluice("plugin test --junit report.xml", FAILED);
    has(&out, &["check examples: each example comes out as it says ... FAILED", "orders: the options are"]);
    has(&out, &["grade: fails"]);
    let junit = fs::read_to_string(stage.workspace().join("report.xml")).unwrap();
    has(&junit, &["<failure message=\"orders: the options are"]);
    fs::write(&example, EXAMPLE.replace("\"slot\": \"password\"", "\"slot\": \"pass-word\"")).unwrap();
    let (out, _) = sluice("plugin test", FAILED);
    has(&out, &["the example's slot `pass-word` is not described; `password` is, at /password"]);
    fs::remove_file(&example).unwrap();
    let (out, _) = sluice("plugin test", DONE);
    has(&out, &["check examples: each example comes out as it says ... skipped: there is no example"]);
    fs::write(&example, "{}").unwrap();
    has(&sluice("plugin test", FAILED).1, &["`orders.json`", "missing field `source`"]);
}

/// A project of the publisher `acme`, whose key lies among the keys.
#[cfg(unix)]
fn published(stage: &mut Stage) -> impl Fn(&str, i32) -> String {
    project(stage, &plugins().join("sql.wasm"));
    stage.play(&ends(DONE, "key new acme"));
    let stage = &*stage;
    move |words: &str, code: i32| {
        let key = stage.home().join("keys/acme.key");
        let mut words: Vec<&str> = words.split(' ').collect();
        if words[1] == "publish" {
            words.extend(["--key", key.to_str().unwrap()]);
        }
        let Output { code: is, out, talk } = stage.output(&words, "", &[]);
        assert_eq!(is, code, "{words:?}: {out}{talk}");
        format!("{out}{talk}")
    }
}

#[test]
#[cfg(unix)]
fn a_project_is_published_as_it_stands_and_not_as_it_was_built() {
    let mut stage = Stage::empty();
    let file = stage.workspace().join("sluice-plugin.toml");
    let sluice = published(&mut stage);
    let told = sluice("plugin publish . build/first.wasm", DONE);
    assert!(told.contains("running cp ") && told.contains("published orders 1.2.3"), "{told}");
    let told = sluice("plugin publish . build/again.wasm", DONE);
    assert!(!told.contains("running") && told.contains("published orders 1.2.3"), "{told}");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("1.2.3", "1.2.4")).unwrap();
    let told = sluice("plugin publish . build/again.wasm", DONE);
    assert!(told.contains("running cp ") && told.contains("published orders 1.2.4"), "{told}");
    // What cannot be built now is not published as it was.
    fs::write(&file, text.replace("1.2.3", "1.2.5").replace("\"cp\"", "\"false\"")).unwrap();
    let told = sluice("plugin publish . build/again.wasm", FAILED);
    assert!(told.contains("the build failed"), "{told}");
    assert!(sluice("plugin inspect build/again.wasm", DONE).contains("orders 1.2.4"));
}

#[test]
#[cfg(unix)]
fn a_plugin_is_published_into_a_folder_and_installed_from_there() {
    let mut stage = Stage::empty();
    let folder = stage.workspace();
    let sluice = published(&mut stage);
    let told = sluice("plugin publish . dist/", DONE);
    let files = ["dist/orders.wasm", "dist/orders.sig.json", "dist/orders.manifest.json"];
    for file in files {
        assert!(
            folder.join(file).is_file() && told.contains(&format!("wrote:     {file}\n")),
            "{file}: {told}"
        );
    }
    let (_, block) = told.split_once("[[publisher]]").unwrap();
    let block = format!("[[publisher]]{block}");
    // What is there once more, and a folder that is there and empty.
    fs::create_dir(folder.join("empty")).unwrap();
    sluice("plugin publish . dist", DONE);
    sluice("plugin publish . ./empty", DONE);
    assert!(folder.join("empty/orders.wasm").is_file());
    // A path that says neither.
    let told = sluice("plugin publish . out/none", USAGE);
    assert!(told.contains("there is no folder `out/none`") && told.contains("`out/none/`"), "{told}");
    assert!(!folder.join("out").exists());
    // A customer pastes what was printed, and installs.
    for words in ["init customer --name customer", "--workspace customer key use acme"] {
        sluice(words, DONE);
    }
    let config = folder.join("customer/sluice.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n{block}")).unwrap();
    sluice("--workspace customer plugin remove sql", DONE);
    let told = sluice("--workspace customer plugin install dist", DONE);
    assert!(told.contains("acme"), "{told}");
}

#[test]
#[cfg(unix)]
fn what_a_registry_has_is_looked_at_without_being_installed() {
    let Some(registry) = Registry::start() else { return };
    let mut stage = Stage::empty();
    let folder = stage.workspace();
    let sluice = published(&mut stage);
    let place = format!("oci://{}/acme/orders:1.2.3", registry.at);
    let told = sluice(&format!("plugin publish . {place}"), DONE);
    let (_, block) = told.split_once("[[publisher]]").unwrap();
    let told = sluice(&format!("plugin inspect {place}"), DONE);
    let has = |told: &str, parts: &[&str]| {
        for part in parts {
            assert!(told.contains(part), "`{part}` is not in:\n{told}");
        }
    };
    let from = format!("from       oci://{}/acme/orders@sha256:", registry.at);
    has(&told, &["orders 1.2.3", &from, "size  ", "compiled  ", "sluice:plugin/net@", "lowcoder/postgres"]);
    has(&told, &["signed     by the key `", "which nobody here is known by"]);
    let json = |words: &str| -> serde_json::Value {
        let told = sluice(words, DONE);
        serde_json::from_str(&told).unwrap()
    };
    let remote = json(&format!("plugin inspect {place} -o json"));
    let local = json("plugin inspect build/orders.wasm -o json");
    for member in ["digest", "bytes", "manifest", "imports", "kinds", "compile_ns"] {
        assert_eq!(remote[member], local[member], "{member}");
    }
    assert_eq!(remote["signatures"][0]["problem"], serde_json::Value::Null);
    // Who its publisher is, a workspace knows.
    for words in ["init customer --name customer", "--workspace customer key use acme"] {
        sluice(words, DONE);
    }
    let config = folder.join("customer/sluice.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n[[publisher]]{block}")).unwrap();
    let before = fs::read(&config).unwrap();
    has(
        &sluice(&format!("--workspace customer plugin inspect {place}"), DONE),
        &["signed     by publisher `acme`"],
    );
    assert_eq!(fs::read(&config).unwrap(), before);
    assert!(!folder.join("customer/plugins/orders.wasm").exists());
    // What is not there, or nowhere.
    has(&sluice(&format!("plugin inspect oci://{}/acme/orders:9.9.9", registry.at), FAILED), &["error: "]);
    has(&sluice("plugin inspect oci://Registry/orders:1", USAGE), &["help: name one such as `oci://"]);
}

#[test]
#[cfg(unix)]
fn what_was_compiled_is_kept_under_a_key_of_its_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::empty();
    fs::copy(plugins().join("http.wasm"), stage.workspace().join("http.wasm")).unwrap();
    let inspect = |code: i32| {
        let Output { code: is, out, talk } = stage.output(&["plugin", "inspect", "http.wasm"], "", &[]);
        assert_eq!(is, code, "{out}{talk}");
        format!("{out}{talk}")
    };
    let is_kept = |told: &str| told.contains("compiled   before, and kept: it took ");
    let first = inspect(DONE);
    assert!(!is_kept(&first) && first.contains("compiled   in "), "{first}");
    let again = inspect(DONE);
    assert!(is_kept(&again));
    // How long it took is known as long as its code is.
    let line =
        |told: &str| told.lines().find_map(|line| line.strip_prefix("compiled ").map(str::to_owned)).unwrap();
    let last =
        |told: &str| line(told).rsplit("in ").next().unwrap().rsplit("took ").next().unwrap().to_owned();
    assert_eq!(last(&first), last(&again));
    let words = ["plugin", "inspect", "http.wasm", "-o", "json"];
    let told: serde_json::Value = serde_json::from_str(&stage.output(&words, "", &[]).out).unwrap();
    assert!(
        told["compile_ns"].as_u64().is_some_and(|nanos| nanos > 0) && told["compile_kept"] == true,
        "{told}"
    );
    let entries: Vec<_> =
        fs::read_dir(stage.home().join("compiled")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };

    // An entry that another key vouches for, or nobody, is made again.
    let key = stage.home().join("compiled.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::remove_file(&key).unwrap();
    assert!(!is_kept(&inspect(DONE)));
    assert!(is_kept(&inspect(DONE)));
    let mut bytes = fs::read(entry).unwrap();
    bytes[60] ^= 1;
    fs::write(entry, bytes).unwrap();
    assert!(!is_kept(&inspect(DONE)));

    // Whoever knows the key can write code that is run: one that others can read is refused.
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let told = inspect(FAILED);
    assert!(told.contains("can be read by others (mode 644)"), "{told}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "no key").unwrap();
    assert!(inspect(FAILED).contains("is not an undamaged root key"));
}

#[test]
#[cfg(unix)]
fn a_plugin_that_does_not_conform_fails() {
    let stage = Stage::empty();
    project(&stage, &plugins().join("test/adversary.wasm"));
    let text = fs::read_to_string(stage.workspace().join("sluice-plugin.toml")).unwrap();
    fs::write(
        stage.workspace().join("sluice-plugin.toml"),
        text.replace("[probe]\nhosts = [\"endpoints\"]\n", ""),
    )
    .unwrap();
    let Output { code, out, .. } = stage.output(&["plugin", "test"], "", &[]);
    assert!(out.contains("result: "), "{out}");
    assert_eq!(code == FAILED, out.contains("grade: fails"), "{out}");
}

#[test]
fn a_plugin_of_the_workspace_is_looked_at_by_its_name() {
    let mut stage = Stage::empty();
    stage.play(&ends(DONE, "init --name acme"));
    stage.play(&ends(DONE, "key new ada"));
    let Output { code, out, talk } = stage.output(&["plugin", "inspect", "http"], "", &[]);
    assert_eq!(code, DONE, "{out}{talk}");
    assert!(out.contains("tooljet/restapi"), "{out}");
    assert_eq!(stage.output(&["plugin", "inspect", "sqlite"], "", &[]).code, USAGE);
}

#[test]
fn a_plugin_is_certified_and_looked_at_again() {
    scene(
        "certified",
        Stage::empty(),
        &[
            ends(DONE, "init --name acme"),
            ends(DONE, "key new ada"),
            ends(DONE, "config adopt"),
            ends(DONE, "plugin list"),
            ends(DONE, "plugin revalidate"),
            ends(USAGE, "plugin certify sql"),
            ends(USAGE, "plugin certify sqll --until 180d"),
            ends(USAGE, "plugin revalidate sqll"),
            ends(DONE, "plugin certify sql --until 180d --reason reviewed"),
            ends(FAILED, "plugin certify http --until 2020-01-01T00:00:00Z"),
            ends(DONE, "plugin revalidate --expiring 30d"),
            ends(DONE, "plugin revalidate"),
            ends(DONE, "plugin revalidate http"),
            ends(DONE, "evidence list"),
        ],
    );
}

#[test]
fn a_plugin_that_no_longer_conforms_is_told_with_what_to_do() {
    let mut stage = Stage::empty();
    stage.play(&ends(DONE, "init --name acme"));
    stage.play(&ends(DONE, "key new ada"));
    // It loads, and says nothing of its options, which a plugin must.
    let mut component = fs::read(plugins().join("test/adversary.wasm")).unwrap();
    let before = format!("{:40}", "describes: as it is");
    let at = component.windows(40).position(|part| part == before.as_bytes()).unwrap();
    let lie = format!("{:40}", "describes: nothing of options");
    component[at..at + 40].copy_from_slice(lie.as_bytes());
    fs::write(stage.workspace().join("adversary.wasm"), component).unwrap();
    let output = |words: &[&str], code: i32| {
        let Output { code: is, out, talk } = stage.output(words, "", &[]);
        assert_eq!(is, code, "{words:?}: {out}{talk}");
        (out, talk)
    };
    output(&["plugin", "install", "adversary.wasm", "--vouch", "to see it refused"], DONE);
    output(&["config", "adopt"], DONE);
    let (_, talk) = output(&["plugin", "certify", "adversary", "--until", "30d"], DENIED);
    assert!(talk.contains("cannot be certified: it does not conform, as it fails `describe`"), "{talk}");
    assert!(talk.contains("sluice plugin test plugins/adversary.wasm"), "{talk}");
    output(&["evidence", "add", "--plugin", "adversary", "--certify-until", "30d"], DONE);
    let (out, talk) = output(&["plugin", "revalidate"], FAILED);
    assert!(out.contains("adversary") && out.contains("no longer conforms"), "{out}");
    assert!(talk.contains("sluice evidence add --plugin adversary --revoke"), "{talk}");
    let (out, _) = output(&["plugin", "revalidate", "-o", "json"], FAILED);
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&found[0]["conforms"], &found[0]["validated"]["grade"]), (&false.into(), &"fails".into()));
}

#[test]
fn an_upgrade_says_what_plans_it_changes() {
    let stage = steps::end();
    // Another version, blind to whether a connection is encrypted.
    let mut component = fs::read(plugins().join("sql.wasm")).unwrap();
    let option = b"ssl_enabled";
    let at = component.windows(option.len()).position(|part| part == option).unwrap();
    component[at..at + option.len()].copy_from_slice(b"ssl_enableD");
    fs::write(stage.workspace().join("blind.wasm"), &component).unwrap();
    let words = ["plugin", "upgrade", "sql", "blind.wasm", "--vouch", "tried", "--dry-run", "-o", "json"];
    let told: serde_json::Value = serde_json::from_str(&stage.output(&words, "", &[]).out).unwrap();
    let changed = &told["impact"]["promotions"][1]["changed"][0];
    assert_eq!((&changed["name"], &changed["traits"][0]["at"]), (&"orders-db".into(), &"/tls".into()));
    scene(
        "upgrade",
        stage,
        &[
            ends(USAGE, "plugin upgrade sqll blind.wasm --vouch x"),
            ends(FAILED, "plugin upgrade sql blind.wasm"),
            ends(DONE, "plugin upgrade sql blind.wasm --vouch tried --dry-run"),
            ends(DONE, "config diff"),
            ends(DONE, "plugin upgrade sql blind.wasm --vouch tried"),
            ends(DONE, "plugin upgrade sql blind.wasm --vouch tried"),
            ends(DONE, "config diff"),
        ],
    );
}

#[test]
fn what_a_probe_asked_is_told_to_who_wants_to_know() {
    let stage = steps::end();
    // Nothing is granted, and so nobody is asked.
    let probe = |more: &[&str]| {
        stage.output(&[&["binding", "probe", "staging", "orders-db"], more].concat(), "", &[])
    };
    let told: serde_json::Value = serde_json::from_str(&probe(&["-o", "json"]).out).unwrap();
    let asked = told["asked"][0]["asked"].as_str().unwrap();
    assert!(
        asked.starts_with("connect to ") && told["asked"][0]["answer"] == "the host is not granted",
        "{told}"
    );
    let line = format!("asked: {asked} -> the host is not granted");
    assert!(!probe(&[]).talk.contains(&line));
    let Output { out, talk, .. } = probe(&["-v"]);
    assert!(talk.contains(&line) && !out.contains(&line), "{out}{talk}");
}

#[test]
fn an_upgrade_that_could_not_compare_does_not_say_that_nothing_differs() {
    let mut stage = Stage::empty();
    for words in ["init --name acme", "key new ada"] {
        stage.play(&ends(DONE, words));
    }
    fs::copy(plugins().join("test/adversary.wasm"), stage.workspace().join("other.wasm")).unwrap();
    let file = stage.workspace().join("plugins/http.wasm");
    let upgrade = |more: &[&str]| {
        let words = ["plugin", "upgrade", "http", "other.wasm", "--vouch", "x", "--dry-run"];
        let Output { code, out, talk } = stage.output(&[&words[..], more].concat(), "", &[]);
        assert_eq!(code, DONE, "{out}{talk}");
        out
    };
    let known = upgrade(&[]);
    assert!(
        known.contains("tooljet/restapi is no longer served") && !known.contains("not known: `"),
        "{known}"
    );
    let component = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let unknown = upgrade(&[]);
    let said = "what differs is not known: `plugins/http.wasm`, which was there before, is gone, and the store does \
                not have it";
    assert!(unknown.contains(said) && !unknown.contains("is the same"), "{unknown}");
    let told: serde_json::Value = serde_json::from_str(&upgrade(&["-o", "json"])).unwrap();
    assert!(told["differences"].is_null() && told["differences_unknown"].is_string(), "{told}");
    // Adopted, it is in the store.
    fs::write(&file, component).unwrap();
    assert_eq!(stage.output(&["config", "adopt"], "", &[]).code, DONE);
    fs::remove_file(&file).unwrap();
    assert_eq!(
        upgrade(&[]).lines().filter(|line| line.contains("served")).collect::<Vec<_>>(),
        known.lines().filter(|line| line.contains("served")).collect::<Vec<_>>()
    );
}

#[test]
fn what_is_compiled_when_a_plugin_is_installed_the_workspace_does_not_compile_again() {
    let mut stage = Stage::empty();
    for words in ["init --name acme", "key new ada", "config adopt"] {
        stage.play(&ends(DONE, words));
    }
    // In no workspace's files yet, and its code in no cache.
    let component = [fs::read(plugins().join("test/adversary.wasm")).unwrap(), vec![0, 2, 1, b'x']].concat();
    fs::write(stage.workspace().join("mine.wasm"), &component).unwrap();
    let sluice = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        let Output { code, out, talk } = stage.output(&words, "", &[]);
        assert_eq!(code, DONE, "{words:?}: {out}{talk}");
    };
    // What an earlier process left half written, long ago, has no place where there is a bound.
    let left = stage.workspace().join(".sluice/compiled/left.1-0.fresh");
    fs::write(&left, "half").unwrap();
    fs::File::options().write(true).open(&left).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    sluice("plugin install mine.wasm --vouch mine");
    assert!(!left.exists());
    let entry = format!(".sluice/compiled/{}.code", sluice_model::Digest::of(&component).hex());
    let entry = stage.workspace().join(entry);
    let compiled = fs::metadata(&entry).unwrap().modified().unwrap();
    sluice("config adopt");
    sluice("plugin certify mine --until 30d");
    // The same again changes nothing; another in its place is an upgrade.
    sluice("plugin install mine.wasm --vouch mine");
    let other = plugins().join("sql.wasm");
    let other = ["plugin", "install", other.to_str().unwrap(), "--name", "mine", "--vouch", "theirs"];
    let refused = stage.output(&other, "", &[]);
    assert_eq!(refused.code, USAGE, "{}", refused.out);
    assert!(refused.talk.contains("`sluice plugin upgrade mine "), "{}", refused.talk);
    assert_eq!(fs::metadata(&entry).unwrap().modified().unwrap(), compiled);
    assert!(!stage.home().join("compiled").exists());
}

#[test]
fn an_upgrade_without_a_place_takes_what_is_there_now_and_nothing_older() {
    let mut stage = Stage::empty();
    for words in ["init --name acme", "key new ada", "config adopt"] {
        stage.play(&ends(DONE, words));
    }
    let component = fs::read(plugins().join("sql.wasm")).unwrap();
    let version = "\"version\":\"0.1.0\"";
    let made = |to: &str| {
        let mut component = component.clone();
        let at = component.windows(version.len()).position(|part| part == version.as_bytes()).unwrap();
        component[at..at + version.len()].copy_from_slice(version.replace("0.1.0", to).as_bytes());
        fs::write(stage.workspace().join("mine.wasm"), component).unwrap();
    };
    let upgrade = |more: &[&str], code: i32| {
        let words = [&["plugin", "upgrade", "sql"], more, &["--vouch", "mine"]].concat();
        let Output { code: is, out, talk } = stage.output(&words, "", &[]);
        assert_eq!(is, code, "{words:?}: {out}{talk}");
        format!("{out}{talk}")
    };
    made("0.3.0");
    upgrade(&["mine.wasm"], DONE);
    made("0.4.0");
    assert!(upgrade(&[], DONE).contains("upgraded sql 0.4.0"));
    made("0.2.0");
    let refused = upgrade(&[], USAGE);
    assert!(refused.contains("has version 0.2.0 of `sql`, and here is 0.4.0"), "{refused}");
    assert!(upgrade(&["mine.wasm"], DONE).contains("upgraded sql 0.2.0"));
}
