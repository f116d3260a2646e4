//! Against a registry as others run it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use sluice_distribution::{Credentials, Limits, MOST_SIGNATURES};
use sluice_model::Digest;

use super::*;

/// A user of the guarded registry, whose password is `correct horse`.
const HTPASSWD: &str = "me:$2b$04$EmGcwxU5sYSZNJj8Oa/eL.uIXK85y2TetECZNAMIwaeCUW55CwHC2\n";

/// A registry on a free port of this machine with a storage folder of its own; ended when dropped.
struct Registry {
    process: Child,
    folder: tempfile::TempDir,
    at: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Nothing can be done about an error, and the process may have ended itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The registry's program, from the search path or where `cargo xtask setup` puts it.
fn program() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let found = std::env::split_paths(&paths).chain([own]).map(|folder| folder.join("docker-registry"));
    found.into_iter().find(|file| file.is_file())
}

/// What differs between the registries of these tests.
#[derive(Default)]
struct Setup {
    /// Whether it asks for a user and password.
    is_guarded: bool,
    /// Where it listens if not on loopback, with certificate and key as PEM: there it speaks TLS.
    outside: Option<(IpAddr, String, String)>,
}

impl Registry {
    /// An open one on loopback. `None`, and a message, where there is no such program.
    fn start() -> Option<Self> {
        Self::with(&Setup::default())
    }

    fn with(setup: &Setup) -> Option<Self> {
        let Some(program) = program() else {
            eprintln!(
                "skipped: there is no `docker-registry`; `cargo xtask setup` fetches Debian's, or put one into the search path"
            );
            return None;
        };
        // Between asking for a free port and using it another may take it.
        let tries = (0..5).find_map(|_| Self::on_free_port(&program, setup).ok());
        Some(tries.expect("the registry starts on one of five free ports"))
    }

    fn on_free_port(program: &Path, setup: &Setup) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let ip = setup.outside.as_ref().map_or(Ipv4Addr::LOCALHOST.into(), |(ip, ..)| *ip);
        let at = TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap().to_string();
        let path = folder.path().to_str().unwrap();
        let mut config = format!(
            "version: 0.1\nlog: {{ level: info }}\nstorage: {{ filesystem: {{ rootdirectory: {path}/storage }} }}\n"
        );
        if setup.is_guarded {
            config += &format!("auth: {{ htpasswd: {{ realm: plugins, path: {path}/htpasswd }} }}\n");
        }
        config += &format!("http: {{ addr: \"{at}\"");
        if let Some((_, certificate, key)) = &setup.outside {
            config += &format!(", tls: {{ certificate: {path}/cert.pem, key: {path}/key.pem }}");
            fs::write(folder.path().join("cert.pem"), certificate).unwrap();
            fs::write(folder.path().join("key.pem"), key).unwrap();
        }
        config += " }\n";
        fs::write(folder.path().join("config.yml"), config).unwrap();
        fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
        let mut process = Command::new(program)
            .arg("serve")
            .arg(folder.path().join("config.yml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut told = String::new();
        while !told.contains("listening on") {
            if log.read_line(&mut told).unwrap() == 0 {
                process.wait().unwrap();
                return Err(told);
            }
        }
        // A full pipe would stop it.
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Ok(Self { process, folder, at })
    }

    fn at(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.at)
    }

    /// The file in which the registry keeps a blob or manifest.
    fn file(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        let blobs = self.folder.path().join("storage/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }

    fn json(&self, digest: Digest) -> Value {
        serde_json::from_slice(&fs::read(self.file(digest)).unwrap()).unwrap()
    }
}

/// A component that takes several requests to upload.
fn large() -> Vec<u8> {
    let numbers = (0..COMPONENT_BYTES / 4).map(|number| u32::try_from(number).unwrap());
    numbers.flat_map(u32::to_le_bytes).collect()
}

#[test]
fn what_is_published_is_fetched_by_version_and_by_digest() {
    let Some(registry) = Registry::start() else { return };
    let access = access();
    let manifest = br#"{ "name": "sql",  "kinds": ["tooljet/postgresql", "t\u00f6oljet/mysql"] }"#.to_vec();
    let release = Release { manifest: Some(manifest.clone()), ..release(&large()) };
    let pinned = publish(&release, &registry.at("acme/plugins/sql:1.0.0"), &access).unwrap();
    assert!(pinned.to_string().starts_with(&registry.at("acme/plugins/sql@sha256:")), "{pinned}");
    let second = Release { component: b"second".to_vec(), ..release.clone() };
    publish(&second, &registry.at("acme/plugins/sql:1.1.0"), &access).unwrap();

    assert_eq!(tags(&registry.at("acme/plugins/sql"), &access).unwrap(), ["1.0.0", "1.1.0"]);
    for text in [registry.at("acme/plugins/sql:1.0.0"), pinned.to_string()] {
        let fetched = fetch(&text, &access).unwrap();
        assert!(fetched.component == release.component, "{text}");
        assert_eq!(fetched.digest, Digest::of(&release.component));
        assert_eq!(fetched.manifest.as_ref(), Some(&manifest));
        assert_eq!(fetched.source, pinned);
        assert!(fetched.signatures.is_empty());
    }
    assert_eq!(fetch(&registry.at("acme/plugins/sql:1.1.0"), &access).unwrap().component, b"second");

    // What others read of it.
    let stored = registry.json(pinned.digest().unwrap());
    assert_eq!(stored["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(stored["layers"].as_array().unwrap().len(), 1);
    assert_eq!(stored["layers"][0]["mediaType"], "application/wasm");
    let config = registry.json(stored["config"]["digest"].as_str().unwrap().parse().unwrap());
    assert_eq!((&config["architecture"], &config["os"]), (&json!("wasm"), &json!("wasip2")));
    assert_eq!(config["layerDigests"], json!([Digest::of(&release.component)]));
    assert_eq!(config["component"]["target"], "sluice:plugin/data-source@1.0.0");
}

#[test]
fn a_version_is_never_changed() {
    let Some(registry) = Registry::start() else { return };
    let (access, at) = (access(), registry.at("sql:1"));
    let first = publish(&release(b"one"), &at, &access).unwrap();
    let later = Release { created: "2027-01-01T00:00:00Z".parse().unwrap(), ..release(b"one") };
    assert_eq!(publish(&later, &at, &access).unwrap(), first);
    for other in [release(b"two"), Release { manifest: Some(b"{}".to_vec()), ..release(b"one") }] {
        let error = refused(publish(&other, &at, &access));
        assert_eq!(
            error,
            format!(
                "`{at}` is published already with other content; a version is never changed: publish under another"
            )
        );
    }
    assert_eq!(fetch(&at, &access).unwrap().component, b"one");
}

#[test]
fn signatures_come_with_the_artefact_whenever_they_were_added() {
    let Some(registry) = Registry::start() else { return };
    let (access, at) = (access(), registry.at("sql:1"));
    let signature = |number: usize| {
        let envelope = json!({ "payloadType": "x", "payload": number, "signatures": [] });
        Some(serde_json::to_vec(&envelope).unwrap())
    };
    let signed = |number| Release { signature: signature(number), ..release(b"one") };
    let pinned = publish(&release(b"one"), &at, &access).unwrap();
    for number in [0, 1, 1, 0] {
        assert_eq!(publish(&signed(number), &at, &access).unwrap(), pinned);
    }
    let mut signatures = fetch(&pinned.to_string(), &access).unwrap().signatures;
    signatures.sort();
    assert_eq!(signatures, [signature(0).unwrap(), signature(1).unwrap()]);

    // The list is a tag of the registry, and no version.
    assert_eq!(tags(&at, &access).unwrap(), ["1"]);
    // Another artefact has none of them.
    publish(&release(b"two"), &registry.at("sql:2"), &access).unwrap();
    assert!(fetch(&registry.at("sql:2"), &access).unwrap().signatures.is_empty());

    for number in 2..MOST_SIGNATURES {
        publish(&signed(number), &at, &access).unwrap();
    }
    assert_eq!(fetch(&at, &access).unwrap().signatures.len(), MOST_SIGNATURES);
    publish(&signed(MOST_SIGNATURES), &at, &access).unwrap();
    assert_eq!(refused(fetch(&at, &access)), format!("`{at}` has more than 16 signatures"));
}

#[test]
fn what_was_changed_in_the_registry_is_refused() {
    let Some(registry) = Registry::start() else { return };
    let access = access();
    let release = Release {
        signature: Some(b"{\"payload\":\"aaaa\"}".to_vec()),
        ..release(b"a component of a plugin")
    };
    let publish_as = |name: &str| publish(&release, &registry.at(&format!("{name}:1")), &access).unwrap();
    let [a, b, c] = ["a", "b", "c"].map(publish_as);
    let (component, signature) = (Digest::of(&release.component), Digest::of(b"{\"payload\":\"aaaa\"}"));
    let whole = fetch(&a.to_string(), &access).unwrap();
    assert_eq!(whole.signatures, [b"{\"payload\":\"aaaa\"}"]);

    let change = |digest: Digest, bytes: &[u8], back: bool| {
        let file = registry.file(digest);
        let before = fs::read(&file).unwrap();
        fs::write(&file, bytes).unwrap();
        let error = refused(fetch(&a.to_string(), &access));
        if back {
            fs::write(&file, before).unwrap();
        }
        error
    };
    for (bytes, expected) in [
        (&b"A component of a plugin"[..], format!("got `{}`", Digest::of(b"A component of a plugin"))),
        (b"a component of a plugin and more", "got other bytes".into()),
        (b"a component", format!("got `{}`", Digest::of(b"a component"))),
    ] {
        let error = change(component, bytes, true);
        let named = format!("the component at `{a}` is not what its digest says: expected `{component}`, ");
        assert_eq!(error, format!("{named}{expected}"));
    }
    let error = change(signature, b"{\"payload\":\"bbbb\"}", true);
    assert!(error.starts_with(&format!("the signature at `{a}` is not what its digest says")), "{error}");

    // A manifest: by its digest, and by a tag that leads to it.
    let mut stored = registry.json(a.digest().unwrap());
    stored["layers"][0]["digest"] = json!(Digest::of(b"other"));
    let error = change(a.digest().unwrap(), &serde_json::to_vec(&stored).unwrap(), false);
    assert!(error.contains("is not what its digest says") || error.contains("answers with"), "{error}");
    // The three are one in the registry's storage.
    assert_eq!((a.digest(), b.digest()), (b.digest(), c.digest()));
    refused(fetch(&registry.at("b:1"), &access));
}

#[test]
fn what_is_too_large_is_refused_by_its_manifest() {
    let Some(registry) = Registry::start() else { return };
    let access = access();
    let at = registry.at("sql:1");
    publish(&release(&large()), &at, &access).unwrap();
    assert!(fetch(&at, &access).is_ok());
    // If the component were asked for, its absence would be told.
    fs::remove_file(registry.file(Digest::of(&large()))).unwrap();
    let small =
        Access { limits: Limits { component_bytes: COMPONENT_BYTES - 1, ..access.limits }, ..access.clone() };
    assert_eq!(
        refused(fetch(&at, &small)),
        format!("the component has more than the limit of {} bytes", COMPONENT_BYTES - 1)
    );
    assert!(
        refused(fetch(&at, &access)).starts_with("there is nothing at"),
        "{}",
        refused(fetch(&at, &access))
    );
}

#[test]
fn what_is_missing_is_named() {
    let Some(registry) = Registry::start() else { return };
    let access = access();
    let pinned = publish(&release(b"one"), &registry.at("sql:1"), &access).unwrap();
    for missing in [
        registry.at("sql:2"),
        registry.at("http:1"),
        reference(&registry.at("sql:1")).pinned(Digest::of(b"other")).to_string(),
        registry.at(&format!("http@{}", pinned.digest().unwrap())),
    ] {
        assert_eq!(refused(fetch(&missing, &access)), format!("there is nothing at `{missing}`"));
    }
    let missing = registry.at("http");
    assert_eq!(refused(tags(&missing, &access)), format!("there is nothing at `{missing}`"));
    let unnamed = registry.at("sql");
    let expected = format!("`{unnamed}` names no version; append `:VERSION` or `@sha256:…`");
    assert_eq!(refused(fetch(&unnamed, &access)), expected);
    assert_eq!(refused(publish(&release(b"one"), &unnamed, &access)), expected);
    let at = registry.at("sql:1");
    drop(registry);
    let error = refused(fetch(&at, &access));
    assert!(error.contains("cannot be reached: Connection refused"), "{error}");
}

#[test]
fn who_may_not_is_told_without_the_password() {
    let Some(registry) = Registry::with(&Setup { is_guarded: true, ..Setup::default() }) else { return };
    let with = |credentials| Access { credentials, ..access() };
    let login = |password| with(Credentials::none().with_login(&registry.at, "me", password));
    let at = registry.at("sql:1");
    let right = login("correct horse");
    publish(&release(b"one"), &at, &right).unwrap();
    assert_eq!(fetch(&at, &right).unwrap().component, b"one");
    assert_eq!(tags(&at, &right).unwrap(), ["1"]);
    let docker = json!({ "auths": { &registry.at: { "username": "me", "password": "correct horse" } } });
    let docker = Credentials::none().with_docker_config(&serde_json::to_vec(&docker).unwrap()).unwrap();
    assert_eq!(fetch(&at, &with(docker)).unwrap().component, b"one");

    let elsewhere = Credentials::none().with_login("registry.example", "me", "correct horse");
    for (access, expected) in [
        (login("battery staple"), "the password of the user `me` is wrong, or that user may not do this"),
        (with(Credentials::none()), "it wants a user and password, and none are known for it"),
        (with(elsewhere), "it wants a user and password, and none are known for it"),
    ] {
        for error in [
            refused(fetch(&at, &access)),
            refused(publish(&release(b"two"), &registry.at("sql:2"), &access)),
            refused(tags(&at, &access)),
        ] {
            assert_eq!(error, format!("the registry `{}` refuses access: {expected}", registry.at));
        }
    }
}

/// The variable by which the next two tests tell each other where the registry is.
const TLS_REGISTRY: &str = "SLUICE_TEST_TLS_REGISTRY";

/// Beyond loopback there is TLS. Which authorities are trusted is the system's, that is a variable of the process;
/// so this test runs the next in a process of its own, with and without trust in the registry's certificate.
#[test]
fn beyond_this_machine_there_is_tls() {
    // No packet is sent: this asks which address of this machine would be used.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let ip = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()).map(|address| address.ip());
    let Some(ip) = ip.ok().filter(|ip| !ip.is_loopback() && !ip.is_unspecified()) else {
        eprintln!("skipped: this machine has no address but loopback");
        return;
    };
    let made = rcgen::generate_simple_self_signed([ip.to_string()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let setup = Setup { is_guarded: true, outside: Some((ip, certificate, key)) };
    let Some(registry) = Registry::with(&setup) else { return };
    let run = |trusted: &Path| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "real::over_tls", "--ignored", "--nocapture"])
            .env(TLS_REGISTRY, &registry.at)
            .env("SSL_CERT_FILE", trusted)
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let told = run(&registry.folder.path().join("cert.pem"));
    assert!(told.contains("came over TLS") && told.contains("1 passed"), "{told}");
    let other = rcgen::generate_simple_self_signed([ip.to_string()]).unwrap();
    let other_file = registry.folder.path().join("other.pem");
    fs::write(&other_file, other.cert.pem()).unwrap();
    let told = run(&other_file);
    let expected = format!("the registry `{}` cannot be reached: invalid peer certificate", registry.at);
    assert!(told.contains(&expected) && told.contains("1 failed"), "{told}");
}

#[test]
#[ignore = "run by `beyond_this_machine_there_is_tls` against its registry"]
fn over_tls() {
    let registry = std::env::var(TLS_REGISTRY).expect("the test before says where the registry is");
    let access =
        Access { credentials: Credentials::none().with_login(&registry, "me", "correct horse"), ..access() };
    let at = format!("oci://{registry}/sql:1");
    let release = Release { signature: Some(b"{}".to_vec()), ..release(&large()) };
    let pinned = publish(&release, &at, &access).unwrap_or_else(|e| panic!("{e}"));
    let fetched = fetch(&pinned.to_string(), &access).unwrap_or_else(|e| panic!("{e}"));
    assert!(fetched.component == release.component && fetched.signatures == [b"{}"]);
    eprintln!("{} bytes came over TLS", fetched.component.len());
}
