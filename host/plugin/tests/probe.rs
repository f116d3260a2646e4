//! Probes: what a plugin asks of the network, and what it is told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail as tests do"
)]

mod built;

use std::sync::Arc;

use built::{bytes, host};
use serde_json::json;
use sluice_plugin::{
    DataSource, Environment, Exchange, NetFailure, Outside, Placed, Plugin, ProbeInput, Probed, Reason,
    Replay, Request, Response, Tls,
};

/// A network where one host answers.
struct One(&'static str);

impl Outside for One {
    fn reach(&self, host: &str, _port: u16, _tls: Tls) -> Result<(), NetFailure> {
        if host == self.0 { Ok(()) } else { Err(NetFailure::NotGranted) }
    }

    fn http(&self, _: &Request, _: &[Placed]) -> Result<Response, NetFailure> {
        Err(NetFailure::Refused)
    }
}

fn probe(plugin: &Plugin, kind: &str, host: &str, outside: Arc<dyn Outside>) -> Result<Probed, Reason> {
    let source = DataSource {
        logical_id: "db-1".parse().unwrap(),
        name: "orders".to_owned(),
        kind: kind.parse().unwrap(),
        options: json!({ "host": host, "port": "5433", "database": "orders", "username": "app" }),
    };
    let target = Environment { name: "staging".parse().unwrap(), order: 1 };
    let input = ProbeInput { source, target, slots: Default::default(), outside };
    plugin.probe(input).map_err(|error| *error.reason)
}

#[test]
fn a_target_is_reachable_where_its_endpoints_are() {
    let sql = host().load("sql", &bytes("sql.wasm")).unwrap();
    assert!(sql.has_probe());
    for (at, expected, code) in
        [("db.staging", Some(true), None), ("db.elsewhere", Some(false), Some("target.unreachable"))]
    {
        let probed = probe(&sql, "lowcoder/postgres", at, Arc::new(One("db.staging"))).unwrap();
        assert_eq!(probed.reachable, expected, "{at}");
        assert_eq!(probed.authenticated, None);
        assert_eq!(probed.notes.first().map(|note| note.code.as_str()), code, "{at}");
        let asked = [Exchange::Reach {
            host: at.to_owned(),
            port: 5433,
            tls: Tls::Off,
            answer: expected.filter(|is| *is).map(drop).ok_or(NetFailure::NotGranted),
        }];
        assert_eq!(probed.recording.0, asked);
        assert_eq!(probed.used.network_calls, 1);
    }
}

#[test]
fn a_recorded_probe_is_the_same_again_without_a_network() {
    let sql = host().load("sql", &bytes("sql.wasm")).unwrap();
    let first = probe(&sql, "lowcoder/postgres", "db.staging", Arc::new(One("db.staging"))).unwrap();
    let replay = Arc::new(Replay::new(first.recording.clone()));
    let again = probe(&sql, "lowcoder/postgres", "db.staging", replay.clone()).unwrap();
    assert_eq!(serde_json::to_vec(&again).unwrap(), serde_json::to_vec(&first).unwrap());
    // Of what was not recorded nothing is granted.
    let other = Arc::new(Replay::new(first.recording));
    let other = probe(&sql, "lowcoder/postgres", "db.other", other).unwrap();
    assert_eq!(other.reachable, Some(false));
}

#[test]
fn a_pure_plugin_and_a_probing_one_load_in_one_host() {
    let pure = host().load("adversary", &bytes("test/adversary.wasm")).unwrap();
    assert!(!pure.has_probe());
    let refused = probe(&pure, "lowcoder/adversary", "db.staging", Arc::new(One("db.staging")));
    assert_eq!(refused, Err(Reason::NoProbe));
    let sql = host().load("sql", &bytes("sql.wasm")).unwrap();
    let refused = probe(&sql, "lowcoder/adversary", "db.staging", Arc::new(One("db.staging")));
    assert!(matches!(refused, Err(Reason::UnsupportedKind(_))), "{refused:?}");
}
