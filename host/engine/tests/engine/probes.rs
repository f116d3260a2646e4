//! Probes: what is asked where it is granted, what is kept of it, and that no value of a secret is.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sluice_engine::ambient::Ambient as _;
use sluice_engine::probe::{Granted, Report, Through};
use sluice_plugin::{DataSource, Environment, Host, Limits, ProbeInput};
use sluice_vault::Secret;
use sluice_vault::edge::{self, Clock, Edge, Grant, Network, Roots};

use crate::stage::{Stage, environment, furnishing};

/// Every name is this machine, and every port one listener's; the names that were asked for are kept.
struct Here {
    port: u16,
    asked: Mutex<Vec<String>>,
}

impl Network for Here {
    fn resolve(&self, name: &str, _: Duration) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().unwrap().push(name.to_owned());
        Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
    }

    fn connect(&self, address: SocketAddr, within: Duration) -> io::Result<TcpStream> {
        TcpStream::connect_timeout(&SocketAddr::new(address.ip(), self.port), within)
    }
}

/// A listener that answers what it is sent, a bounded number of times, and nothing with nothing.
fn serving(answer: impl Fn(&str) -> String + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(20) {
            let Ok(mut stream) = stream else { return };
            let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
            let mut buffer = [0; 4096];
            let Ok(read @ 1..) = stream.read(&mut buffer) else { continue };
            let _ = stream.write_all(answer(&String::from_utf8_lossy(&buffer[..read])).as_bytes());
        }
    });
    port
}

fn echo() -> u16 {
    serving(str::to_owned)
}

fn probe(stage: &Stage, here: &Arc<Here>) -> Result<Report, String> {
    probe_source(stage, here, "orders-db")
}

fn probe_source(stage: &Stage, here: &Arc<Here>, source: &str) -> Result<Report, String> {
    let through = Through { network: here.clone(), roots: Roots::none() };
    stage
        .workspace
        .probe(&stage.ada, &environment("staging"), source, through)
        .map_err(|error| error.to_string())
}

/// Grants the SQL plugin these hosts and private ranges.
fn grant(stage: &mut Stage, hosts: &str, private: &str) {
    grant_to(stage, "sql", hosts, private);
}

fn grant_to(stage: &mut Stage, plugin: &str, hosts: &str, private: &str) {
    stage.configure(|text| {
        let from = format!("path = \"plugins/{plugin}.wasm\"");
        let start = text.find(&from).unwrap() + from.len();
        let (before, after) = text.split_at(start);
        let after = match after.strip_prefix("\nprobe") {
            Some(rest) => rest.split_once('\n').unwrap().1.to_owned(),
            None => after.trim_start_matches('\n').to_owned(),
        };
        format!("{before}\nprobe = {{ hosts = {hosts}, private = {private} }}\n{after}")
    });
}

#[test]
fn what_is_granted_is_reached_and_nothing_else() {
    let mut stage = Stage::promoted();
    let here = Arc::new(Here { port: echo(), asked: Mutex::default() });
    let codes =
        |report: &Report| -> Vec<String> { report.notes.iter().map(|note| note.message.clone()).collect() };

    let report = probe(&stage, &here).unwrap();
    // Nobody was asked, so nothing is known; and it is said what lets it ask.
    assert_eq!(report.reachable, None);
    assert!(codes(&report)[0].contains("does not grant"), "{:?}", report.notes);
    let last = report.notes.last().unwrap();
    assert_eq!(last.code, "probe.not-granted");
    assert!(last.fix.as_ref().unwrap().contains("table of `sql` in `sluice.toml`: `probe = { hosts = [\""));
    assert!(here.asked.lock().unwrap().is_empty());

    let endpoint = stage.plan("Orders", "staging").sources[0].traits.endpoints[0].clone();
    grant(&mut stage, "[\"elsewhere.example:5432\"]", "[]");
    assert_eq!(probe(&stage, &here).unwrap().reachable, None);
    assert!(here.asked.lock().unwrap().is_empty(), "a name was resolved that is not granted");

    grant(&mut stage, &format!("[\"{endpoint}\"]"), "[]");
    let report = probe(&stage, &here).unwrap();
    assert_eq!(report.reachable, None);
    assert!(codes(&report)[0].contains("private"), "{:?}", report.notes);

    grant(&mut stage, &format!("[\"{endpoint}\"]"), "[\"127.0.0.1\"]");
    let report = probe(&stage, &here).unwrap();
    assert_eq!(report.reachable, Some(true), "{:?}", report.notes);
    assert_eq!(report.used.network_calls, 1);
    // Where the workspace lets it ask too seldom, that is said too.
    stage.configure(|text| text + "\n[limits.plugins]\nnetwork-calls = 0\n");
    let report = probe(&stage, &here).unwrap();
    let last = report.notes.last().unwrap();
    assert_eq!((report.reachable, last.code.as_str()), (None, "probe.cut-short"), "{:?}", report.notes);
}

/// A server that lets in whoever has the token: to whom it answers `status`, giving back all it was
/// sent. All others are refused.
fn guarded(status: &'static str, token: &'static str) -> u16 {
    serving(move |asked| {
        let is_let_in = asked.contains(&format!("authorization: Bearer {token}\r\n"));
        let status = if is_let_in { status } else { "401 Unauthorized" };
        format!(
            "HTTP/1.1 {status}\r\nlocation: http://elsewhere.example/\r\ncontent-length: {}\r\n\r\n{asked}",
            asked.len()
        )
    })
}

#[test]
fn credentials_are_placed_by_the_host_and_what_the_target_makes_of_them_is_told() {
    const TOKEN: &str = "canary-4be1d07a55";
    let mut stage = Stage::promoted();
    let staging = environment("staging");
    let plan = stage.plan("Orders", "staging");
    let source = plan.sources.iter().find(|source| source.name == "billing-api").unwrap();
    let id = source.source.clone();
    {
        let mut work = stage.workspace.work();
        let settings = stage.workspace.settings(&mut work, &staging).unwrap();
        let mut binding = settings.binding(&work, &id).unwrap().unwrap();
        *binding.options.pointer_mut("/url/value").unwrap() = "http://billing.staging.example/api".into();
        stage.workspace.set_binding(&stage.ada, &staging, &id, binding).unwrap();
    }
    let reference = source.slots[&"bearer-token".parse().unwrap()].to_string();
    stage.set_secret(&reference, TOKEN);
    grant_to(&mut stage, "http", "[\"billing.staging.example:80\"]", "[\"127.0.0.1\"]");

    for (status, token, authenticated, code) in [
        ("200 OK", TOKEN, Some(true), None),
        ("204 No Content", TOKEN, Some(true), None),
        ("200 OK", "another-token", Some(false), Some("credentials.refused")),
        // Where a redirect leads to is not asked, so that no secret goes there.
        ("302 Found", TOKEN, None, Some("credentials.untold")),
        ("503 Service Unavailable", TOKEN, None, Some("credentials.untold")),
    ] {
        let here = Arc::new(Here { port: guarded(status, token), asked: Mutex::default() });
        let report = probe_source(&stage, &here, "billing-api").unwrap();
        assert_eq!((report.reachable, report.authenticated), (Some(true), authenticated), "{status}");
        let codes = report.notes.first().map(|note| note.code.as_str());
        assert_eq!(codes, code, "{status}: {:?}", report.notes);
        assert!(report.notes.iter().all(|note| !note.message.contains(TOKEN)));
        // What was asked is told, with the slot's name and not its value.
        let told: Vec<_> = report.asked.iter().map(ToString::to_string).collect();
        let status = if token == TOKEN { status.split(' ').next().unwrap() } else { "401" };
        let with = "GET http://billing.staging.example/api with `bearer-token` as the bearer token -> status";
        assert!(told.iter().any(|told| told.starts_with(&format!("{with} {status}, "))), "{told:?}");
        assert!(told.iter().all(|told| !told.contains(TOKEN)), "{told:?}");
        let asked = here.asked.lock().unwrap();
        assert!(asked.iter().all(|name| name == "billing.staging.example"), "{asked:?}");
        // A gate sees it.
        let facts = stage.workspace.facts(&stage.plan("Orders", "staging"), stage.hand.now(), true).unwrap();
        let source = facts.plan.sources.into_iter().find(|source| source.name == "billing-api").unwrap();
        assert_eq!(source.probe.unwrap().authenticated, authenticated);
    }
}

/// A server that takes connections and never says anything.
fn silent() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || drop(listener.incoming().take(20).collect::<Vec<_>>()));
    port
}

#[test]
fn a_target_that_never_answers_is_told_within_the_plugins_deadline() {
    let mut stage = Stage::promoted();
    let plan = stage.plan("Orders", "staging");
    let source = plan.sources.iter().find(|source| source.name == "billing-api").unwrap();
    let reference = source.slots[&"bearer-token".parse().unwrap()].to_string();
    stage.set_secret(&reference, "canary-4be1d07a55");
    grant_to(&mut stage, "http", "[\"billing.staging.example.com:443\"]", "[\"127.0.0.1\"]");
    stage.configure(|text| {
        let of_plugin = "path = \"plugins/http.wasm\"\n";
        text.replace(of_plugin, &format!("{of_plugin}limits = {{ deadline = \"1s\" }}\n"))
    });
    let here = Arc::new(Here { port: silent(), asked: Mutex::default() });
    let report = probe_source(&stage, &here, "billing-api").unwrap();
    assert_eq!(report.authenticated, None);
    let told: Vec<_> = report.notes.iter().map(|note| note.message.as_str()).collect();
    assert!(told.iter().any(|message| message.contains("in time")), "{told:?}");
}

#[test]
fn gates_see_the_newest_probe_of_what_is_rendered() {
    let mut stage = Stage::promoted();
    let source = |stage: &Stage| {
        let plan = stage.plan("Orders", "staging");
        let facts = stage.workspace.facts(&plan, stage.hand.now(), true).unwrap();
        facts.plan.sources.into_iter().find(|source| source.name == "orders-db").unwrap()
    };
    assert_eq!(source(&stage).probe, None);
    let here = Arc::new(Here { port: echo(), asked: Mutex::default() });
    let endpoint = stage.plan("Orders", "staging").sources[0].traits.endpoints[0].clone();
    grant(&mut stage, &format!("[\"{endpoint}\"]"), "[\"127.0.0.1\"]");
    probe(&stage, &here).unwrap();
    let told = source(&stage).probe.unwrap();
    assert_eq!(told.reachable, Some(true));
    assert!(told.at <= stage.hand.now());
    // Rendered otherwise, it is another question.
    let mut work = stage.workspace.work();
    let settings = stage.workspace.settings(&mut work, &environment("staging")).unwrap();
    let id = source(&stage).id;
    let mut binding = settings.binding(&work, &id).unwrap().unwrap();
    let at = binding.options.pointer_mut("/database/value").unwrap();
    *at = "another".into();
    stage.workspace.set_binding(&stage.ada, &environment("staging"), &id, binding).unwrap();
    assert_eq!(source(&stage).probe, None);
}

#[test]
fn who_does_not_own_the_environment_probes_nothing() {
    let mut stage = Stage::promoted();
    let ben = stage.with_ben(&["builder"], "");
    let here = Arc::new(Here { port: 1, asked: Mutex::default() });
    let through = Through { network: here.clone(), roots: Roots::none() };
    let refused = stage.workspace.probe(&ben, &environment("staging"), "orders-db", through);
    assert!(refused.is_err());
    let through = Through { network: here, roots: Roots::none() };
    let first = stage.workspace.probe(&stage.ada, &environment("development"), "orders-db", through);
    assert!(first.unwrap_err().to_string().contains("first environment"));
}

/// Time stands still: nothing here waits.
struct Still;

impl Clock for Still {
    fn now(&self) -> jiff::Timestamp {
        "2026-06-01T13:00:00Z".parse().unwrap()
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

#[test]
fn no_value_is_in_the_memory_of_a_guest_whose_target_gives_all_back() {
    const TOKEN: &str = "canary-90c3f7ad12";
    let stage = Stage::promoted();
    let plan = stage.plan("Orders", "staging");
    let source = plan.sources.iter().find(|source| source.name == "billing-api").unwrap();
    let mut options = source.options.clone();
    *options.pointer_mut("/url/value").unwrap() = "http://billing.staging.example/api".into();
    let slot = "bearer-token".parse().unwrap();
    let secret = Secret::new(TOKEN.as_bytes()).unwrap();
    let here = Arc::new(Here { port: guarded("200 OK", TOKEN), asked: Mutex::default() });
    let edge = Edge::new(
        Grant {
            hosts: vec!["billing.staging.example:80".parse().unwrap()],
            private: vec!["127.0.0.1".parse().unwrap()],
        },
        [("bearer-token".to_owned(), secret)].into(),
        Roots::none(),
        edge::Limits::default(),
        here.clone(),
        Arc::new(Still),
    );
    let (host, memories) = Host::watched(Limits::default()).unwrap();
    let plugin = host.load("http", &furnishing().plugins["http.wasm"]).unwrap();
    drop(memories.take());
    let probed = plugin
        .probe(ProbeInput {
            source: DataSource {
                logical_id: source.source.clone(),
                name: source.name.clone(),
                kind: source.kind.clone(),
                options,
            },
            target: Environment { name: environment("staging"), order: 1 },
            slots: source
                .slots
                .iter()
                .filter(|(name, _)| **name == slot)
                .map(|(n, r)| (n.clone(), r.clone()))
                .collect(),
            outside: Arc::new(Granted::new(edge)),
        })
        .unwrap();
    assert_eq!((probed.reachable, probed.authenticated), (Some(true), Some(true)), "{:?}", probed.notes);
    let memories = memories.take();
    let found = |text: &str| {
        let holds = |memory: &Vec<u8>| memory.windows(text.len()).any(|part| part == text.as_bytes());
        memories.iter().filter(|memory| holds(memory)).count()
    };
    // What came back has been there, without the token: nothing of it, however it is written.
    assert!(found("authorization: Bearer") > 0);
    for hidden in [TOKEN, "secret://", "90c3f7ad12", "Y2FuYXJ5LTkwYzNmN2Fk", "63616e6172792d"] {
        assert_eq!(found(hidden), 0, "{hidden}");
    }
}
