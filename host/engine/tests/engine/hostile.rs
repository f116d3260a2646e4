//! Bad input: each is refused with its place, and nothing is changed.

use std::fs;
use std::path::Path;

use sluice_engine::Error;
use sluice_engine::attest::About;
use sluice_engine::audit::audit;
use sluice_engine::import::ImportRequest;
use sluice_model::Digest;
use sluice_model::verdict::Verdict;
use sluice_platform::InputFile;
use sluice_plugin::manifest::{Card, Manifest};
use sluice_plugin::{Host, Limits};

use crate::stage::{MONDAY_ONE, Stage, ada, copy, environment, furnishing, open, repository, sample};

#[test]
fn bad_exports_change_nothing() {
    let stage = Stage::copied(40);
    let before = stage.contents();
    let entries = stage.workspace.history(None, None).unwrap().len();
    let mut tried = 0;
    for entry in fs::read_dir(repository().join("tests/samples/bad")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let wanted = fs::read_to_string(path.with_extension("err")).unwrap();
        for into in ["development", "production"] {
            let request = ImportRequest {
                environment: environment(into),
                files: vec![InputFile { name: name.clone(), bytes: fs::read(&path).unwrap() }],
                confirm: None,
                distinct: std::collections::BTreeSet::new(),
            };
            let error = stage.workspace.import(&stage.ada, &request).expect_err(&name);
            let said = error.to_string();
            assert!(said.contains(wanted.trim()), "{name}: {said}");
        }
        tried += 1;
    }
    assert!(tried >= 10);
    assert_eq!(stage.contents(), before);
    assert_eq!(stage.workspace.history(None, None).unwrap().len(), entries);
}

#[test]
fn the_limit_of_imports_is_the_adopted_one() {
    let mut stage = Stage::copied(48);
    let before = stage.contents();
    let file = stage.place().join("sluice.toml");
    let text = fs::read_to_string(&file).unwrap();
    let exported = sample("tooljet/orders.json").bytes.len();
    let mut limit = |size: usize| {
        fs::write(&file, text.replace("64 MiB", &format!("{size} B"))).unwrap();
        let candidate = stage.workspace.proposed().unwrap();
        // What only stands in the file is no limit yet.
        let limit = stage.workspace.config().unwrap().import_limit;
        assert_ne!(limit, candidate.adopted.config.import_limit);
        stage.workspace.adopt(&stage.ada, candidate).unwrap();
        let entries = stage.workspace.history(None, None).unwrap().len();
        let result = stage.import("development", &["tooljet/orders.json"]);
        (result, stage.contents(), stage.workspace.history(None, None).unwrap().len() - entries)
    };
    let (result, contents, entries) = limit(exported - 1);
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Export(_)), "{error}");
    let said = error.to_string();
    let expected = format!("{exported} bytes in all are more than the limit of {} bytes", exported - 1);
    assert!(said.contains(&expected) && said.contains("orders.json"), "{said}");
    assert_eq!((contents, entries), (before.clone(), 0));
    let (result, contents, entries) = limit(exported);
    assert!(result.unwrap().changed);
    assert!(contents[0] != before[0] && entries == 1);
}

#[test]
fn what_changed_in_the_folder_without_adoption_does_not_count() {
    let stage = Stage::copied(49);
    let (before, plan) = (stage.contents(), stage.plan("Orders", "staging"));
    let gate = "policies/test-evidence/policy.rhai";
    let allows = b"pass(\"tests.passed\", #{ fact: \"evidence.count\", actual: evidence.count });".to_vec();
    let read = |path: &str| fs::read(stage.place().join(path)).unwrap();
    // A component takes a custom section: id 0, its size, the length of its name, its name.
    let plugin = [read("plugins/sql.wasm"), vec![0, 2, 1, b'x']].concat();
    let lenient =
        String::from_utf8(read("sluice.toml")).unwrap().replace("max_age = \"7d\"", "max_age = \"9d\"");
    for (path, changed, said) in [
        (gate, Some(allows), "policy `test-evidence` changed"),
        (gate, None, gate),
        ("plugins/sql.wasm", Some(plugin), "plugin `sql` does not count"),
        ("plugins/sql.wasm", None, "plugins/sql.wasm"),
        ("sluice.toml", Some(lenient.into_bytes()), "not adopted yet: gate"),
        ("sluice.toml", None, "sluice.toml"),
    ] {
        let file = stage.place().join(path);
        let adopted = fs::read(&file).unwrap();
        match &changed {
            Some(changed) => fs::write(&file, changed).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let error = stage.promote("Orders", "staging").unwrap_err();
        assert!(error.to_string().contains(said), "{path}: {error}");
        // A file that is there says something else than what was adopted, or than the lock knows.
        let says_another = matches!(error, Error::NotAdopted { .. } | Error::Untrusted { .. });
        assert_eq!(says_another, changed.is_some(), "{path}: {error}");
        // What is asked and rendered meanwhile is what was adopted.
        let (beside, _) = open(stage.folder.path(), 50, "2026-06-01T14:00:00Z").unwrap();
        let now = beside.plan(&stage.request("Orders", "staging")).unwrap();
        assert_eq!((now.digest, &now.sources), (plan.digest, &plan.sources), "{path}");
        assert_eq!(stage.contents(), before);
        fs::write(&file, adopted).unwrap();
    }
    stage.promote("Orders", "staging").unwrap();
}

#[test]
fn gates_name_only_calendars_roles_and_people_that_are_there() {
    let stage = Stage::unadopted(&furnishing());
    let file = stage.place().join("sluice.toml");
    let text = fs::read_to_string(&file).unwrap();
    let gate = "policy = \"release-window\"";
    let attach = |gates: &str| text.replacen(gate, &format!("{gates}\n{gate}"), 1);
    let gate = |policy: &str, parameters: &str| {
        attach(&format!(
            "policy = \"{policy}\"\nname = \"more\"\nlevel = \"warn\"\nparameters = {{ {parameters} }}\n[[transition.gate]]"
        ))
    };
    for (policy, parameters, said, help) in [
        (
            "release-window",
            "calendar = \"working-hour\"",
            "there is no calendar `working-hour`",
            "`working-hours`",
        ),
        (
            "release-window",
            "calendar = \"working-hours\", also = [\"hollidays\"]",
            "there is no calendar `hollidays`",
            "",
        ),
        ("approvals", "roles = { aprover = 1 }", "there is no role `aprover`", "`approver`"),
        ("test-evidence", "acceptance_roles = [\"bulider\"]", "there is no role `bulider`", "`builder`"),
    ] {
        fs::write(&file, gate(policy, parameters)).unwrap();
        let Err(Error::Config(errors)) = stage.workspace.proposed() else { panic!("{parameters} is taken") };
        let told = errors.0.iter().find(|error| error.message == said);
        let told = told.unwrap_or_else(|| panic!("{parameters}: {errors}"));
        assert!(told.help.contains(help) && told.text.contains(parameters), "{parameters}: {}", told.help);
    }
    fs::write(&file, gate("release-window", "calendar = \"working-hours\", also = [\"working-hours\"]"))
        .unwrap();
    stage.workspace.proposed().map(drop).unwrap();
}

#[test]
fn a_policy_that_breaks_lets_nothing_through() {
    let path = "data-masking/policy.rhai";
    // What cannot be compiled is not adopted.
    for broken in ["let x = ;", "fn deny(a, b, c) { }"] {
        let mut furnishing = furnishing();
        furnishing.policies.insert(path.into(), broken.into());
        let stage = Stage::unadopted(&furnishing);
        let Err(error) = stage.workspace.proposed() else { panic!("`{broken}` is taken") };
        assert!(error.to_string().contains("data-masking"), "{error}");
    }
    // What breaks when it runs is a fault of its gate, which nobody lifts.
    for broken in ["loop { }", "if plan.nothing { }", "if plan.version > 3 { }", "throw \"x\";"] {
        let mut stage = Stage::copied(41);
        fs::write(stage.place().join("policies").join(path), broken).unwrap();
        let before = stage.contents();
        let error = stage.promote("Orders", "staging").unwrap_err();
        assert!(matches!(error, Error::NotAdopted { .. }), "{error}");
        let candidate = stage.workspace.proposed().unwrap();
        stage.workspace.adopt(&stage.ada, candidate).unwrap();
        let Err(Error::Refused(decision)) = stage.promote("Orders", "staging") else { panic!("{broken}") };
        let gate = decision.gates.iter().find(|gate| gate.gate == "data-masking").unwrap();
        assert_eq!(gate.verdict, Verdict::Fault, "{broken}");
        assert_eq!(stage.contents(), before);
    }
}

#[test]
fn evidence_that_shows_nothing_opens_nothing() {
    let stage = Stage::copied(42);

    let before = stage.contents();
    let plan = stage.plan("Orders", "staging");
    let add = |name: &str, bundle| {
        let file = sample(name);
        let from = environment("development");
        let about = About { app: &plan.app, bundle, environment: &from };
        stage.workspace.add_tests(&stage.ada, &file.name, &file.bytes, about)
    };
    let error = add("junit-entities.xml", plan.bundle).unwrap_err();
    assert!(error.to_string().contains("junit-entities.xml"), "{error}");
    let nowhere = sluice_model::Digest::of(b"no bundle");
    let error = add("junit-pass.xml", nowhere).unwrap_err();
    assert!(error.to_string().contains("no version of this workspace has"), "{error}");
    let error = stage.workspace.add_envelope(&stage.ada, "x.json", b"{\"payload\":1}").unwrap_err();
    assert!(error.to_string().contains("x.json"), "{error}");
    assert_eq!(stage.contents(), before);
}

/// Whether two entries of the ledger are of one revision; a ledger that cannot be read does not tell.
fn gives_a_number_twice(file: &std::path::Path) -> bool {
    let count = "SELECT count(*) - count(DISTINCT json_extract(CAST(body AS TEXT), '$.stream') || ' ' ||
                                     json_extract(CAST(body AS TEXT), '$.revision'))
                 FROM revisions NOT INDEXED WHERE stream = 'ledger'";
    let twice =
        |connection: rusqlite::Connection| connection.query_row(count, [], |row| row.get::<_, i64>(0));
    rusqlite::Connection::open(file).and_then(twice).is_ok_and(|twice| twice > 0)
}

#[test]
fn a_damaged_store_is_an_error_or_right() {
    let stage = Stage::copied(43);
    let before = stage.contents();
    let Stage { folder, workspace, .. } = stage;
    drop(workspace);
    let file = folder.path().join("workspace/.sluice/store.db");
    let whole = fs::read(&file).unwrap();
    let (mut errors, mut written) = (0, 0);
    // Spread over the file by a number prime to its length.
    let anywhere = (0..60_usize).map(|flip| ((flip * 104_729 + 100) % whole.len(), 0x55));
    // In rows and in their index a revision's number comes after its stream's name.
    let stream = b"env/staging/settings";
    let numbers = whole.windows(stream.len()).enumerate().filter(|(_, window)| window == stream);
    let numbers = numbers.flat_map(|(at, _)| [0x01, 0x02, 0x08].map(|flip| (at + stream.len(), flip)));
    for (at, flip) in anywhere.chain(numbers) {
        let mut bytes = whole.clone();
        bytes[at] ^= flip;
        fs::write(&file, bytes).unwrap();
        let is_whole = audit(&file, None, None).is_ok();
        match open(folder.path(), 44, MONDAY_ONE) {
            Err(error) => {
                errors += 1;
                assert!(!error.to_string().is_empty());
            }
            Ok((workspace, _)) => {
                let mut work = workspace.work();
                for (name, content) in ["development", "staging", "production"].iter().zip(&before) {
                    match workspace.environment(&mut work, &environment(name)) {
                        Ok((_, state)) if state.content == *content => {}
                        Ok(_) => panic!("flipped at {at}: `{name}` is not what it was, and nobody says so"),
                        Err(_) => errors += 1,
                    }
                }
                // What is written over it makes it no worse, or is refused.
                let value = sluice_vault::Secret::new("3").unwrap();
                let name = "constants.LATER".parse().unwrap();
                if workspace.set_constant(&ada(), &environment("staging"), &name, value).is_ok() {
                    written += 1;
                }
                let after = audit(&file, None, None);
                assert_eq!(after.is_ok(), is_whole, "flipped at {at}, then written to: {after:?}");
                assert!(!gives_a_number_twice(&file), "flipped at {at}, then written to");
            }
        }
        for beside in ["store.db-wal", "store.db-shm"] {
            let _ = fs::remove_file(file.with_file_name(beside));
        }
    }
    assert!(errors > 0 && written > 0, "{errors} errors, {written} written");
}

#[cfg(unix)]
#[test]
fn keys_that_others_can_read_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = copy();
    let (workspace, _) = open(folder.path(), 45, MONDAY_ONE).unwrap();
    let keys = folder.path().join("home/workspaces").join(workspace.id());
    drop(workspace);
    for key in ["root.key", "log.key"] {
        let key = keys.join(key);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let Err(error) = open(folder.path(), 46, MONDAY_ONE) else { panic!("{}", key.display()) };
        assert!(error.to_string().contains(&key.display().to_string()), "{error}");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    }
    open(folder.path(), 47, MONDAY_ONE).unwrap();
}

/// A component with this manifest; its kinds and the rest are as the plugin says.
fn with_manifest(component: &[u8], change: impl FnOnce(&mut Card)) -> Vec<u8> {
    let plugin = Host::new(Limits::default()).unwrap().load("sql", component).unwrap();
    let mut card = Card {
        name: "sql".into(),
        version: "1.0.0".into(),
        publisher: "sluice".into(),
        licence: "Apache-2.0".into(),
        description: "Relational databases".into(),
        minimum_host: "0.1.0".into(),
        probe_hosts: vec!["endpoints".into()],
    };
    change(&mut card);
    Manifest::of(card, &plugin).unwrap().embed(component).unwrap()
}

#[test]
fn an_owner_is_told_whose_code_counts_and_why_and_can_always_adopt() {
    let mut stage = Stage::copied(50);
    let (toml, lock) = (stage.place().join("sluice.toml"), stage.place().join("sluice.lock"));
    let file = stage.place().join("plugins/sql.wasm");
    let old = fs::read(&file).unwrap();
    let adopt = |stage: &mut Stage| {
        let candidate = stage.workspace.proposed().map_err(|error| error.to_string())?;
        let told = stage.workspace.config_diff(&candidate);
        assert_eq!(stage.workspace.adopt(&stage.ada, candidate).unwrap(), told);
        stage.workspace.check_adopted().unwrap();
        Ok::<_, String>(told)
    };
    // Other code with the old word for it: who adopts sees both, and that nobody signed it.
    let put = |component: &[u8]| {
        let entry = |component: &[u8]| {
            let manifest = Manifest::read(component).unwrap().unwrap();
            format!("version = \"{}\"\ndigest = \"{}\"", manifest.version, Digest::of(component))
        };
        let (text, there) = (fs::read_to_string(&lock).unwrap(), entry(&fs::read(&file).unwrap()));
        assert!(text.contains(&there), "{text}");
        fs::write(&lock, text.replace(&there, &entry(component))).unwrap();
        fs::write(&file, component).unwrap();
    };
    let other = with_manifest(&old, |card| card.version = "1.2.3".into());
    put(&other);
    let told = adopt(&mut stage).unwrap();
    let [line] = told.as_slice() else { panic!("{told:?}") };
    for part in
        ["`sql` changed", &Digest::of(&old).short(), &Digest::of(&other).short(), "unsigned, it came with"]
    {
        assert!(line.contains(part), "{line}");
    }
    // The same from elsewhere, and the same in another order: each can be adopted.
    let edit = |path: &Path, from: &str, to: &str| {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    };
    edit(&lock, "source = \"sluice init\"", "source = \"elsewhere\"");
    assert!(adopt(&mut stage).unwrap()[0].contains("from sluice init ->"));
    let text = fs::read_to_string(&toml).unwrap();
    let pair = |first: &str, second: &str| {
        format!(
            "policy = \"{first}\"\nlevel = \"hard\"\n\n[[transition.gate]]\npolicy = \"{second}\"\nlevel = \"hard\""
        )
    };
    let (gates, other_way) = (pair("test-evidence", "data-masking"), pair("data-masking", "test-evidence"));
    let swapped = text.replacen(&gates, &other_way, 1);
    assert_ne!(swapped, text);
    fs::write(&toml, swapped).unwrap();
    assert_eq!(adopt(&mut stage).unwrap(), ["`sluice.toml` says the same in another order"]);
    assert!(adopt(&mut stage).unwrap().is_empty());
    // What the manifest says is looked at here too, not only where a plugin is installed.
    put(&with_manifest(&old, |card| card.minimum_host = "9.1.0".into()));
    let refused = adopt(&mut stage).unwrap_err();
    assert!(refused.contains("9.1.0") && refused.contains("sql"), "{refused}");
    put(&other);
    assert!(adopt(&mut stage).unwrap().is_empty());
}

#[test]
#[cfg(unix)]
fn a_plugin_that_is_no_plain_file_is_not_read() {
    let stage = Stage::copied(51);
    let file = stage.place().join("plugins/sql.wasm");
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    let Err(error) = stage.workspace.proposed() else { panic!("it is read") };
    assert!(error.to_string().contains("sql.wasm"), "{error}");
}
