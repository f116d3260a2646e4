//! Probes: what a plugin asks of the network, and what it is told.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::built::{bytes, host, registry, slot, tables, tooljet};
use serde_json::{Value, json};
use sluice_guest::sign_in::Shows;
use sluice_plugin::{
    DataSource, Environment, Exchange, NetFailure, Outside, Placed, Plugin, PluginLimits, ProbeInput, Probed,
    Reason, Replay, Request, Response, Tls,
};

/// A network where one host answers.
struct One(&'static str);

impl Outside for One {
    fn reach(&self, host: &str, _port: u16, _tls: Tls, _: Duration) -> Result<(), NetFailure> {
        if host == self.0 { Ok(()) } else { Err(NetFailure::NotGranted) }
    }

    fn http(&self, _: &Request, _: &[Placed], _: Duration) -> Result<Response, NetFailure> {
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
    // Where nothing is granted nobody was asked: then the plugin's `no` is no answer.
    for (at, expected, code) in
        [("db.staging", Some(true), None), ("db.elsewhere", None, Some("target.unreachable"))]
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
    assert_eq!(other.reachable, None);
}

/// A network in which nobody answers, ever: each question takes all the time that it is given.
struct Silent {
    given: Mutex<Vec<Duration>>,
    never: Mutex<Receiver<()>>,
}

impl Silent {
    fn wait(&self, within: Duration) -> NetFailure {
        self.given.lock().unwrap().push(within);
        let waited = self.never.lock().unwrap().recv_timeout(within);
        assert_eq!(waited, Err(RecvTimeoutError::Timeout));
        NetFailure::TimedOut
    }
}

impl Outside for Silent {
    fn reach(&self, _: &str, _: u16, _: Tls, within: Duration) -> Result<(), NetFailure> {
        Err(self.wait(within))
    }

    fn http(&self, _: &Request, _: &[Placed], within: Duration) -> Result<Response, NetFailure> {
        Err(self.wait(within))
    }
}

#[test]
fn a_target_that_is_silent_is_told_in_time() {
    let (_kept, never) = mpsc::channel();
    let silent = Arc::new(Silent { given: Mutex::default(), never: Mutex::new(never) });
    let deadline = Duration::from_secs(1);
    let own = PluginLimits { deadline: Some(deadline), ..PluginLimits::default() };
    let sql = host().load_within("sql", &bytes("sql.wasm"), &own).unwrap();
    let probed = probe(&sql, "lowcoder/postgres", "db.staging", silent.clone()).unwrap();
    assert_eq!((probed.reachable, probed.authenticated), (Some(false), None));
    assert_eq!(probed.notes[0].code, "target.unreachable");
    let given = silent.given.lock().unwrap().clone();
    let [once] = given.try_into().unwrap();
    assert!(once <= deadline * 9 / 10 && once >= deadline / 2, "{once:?}");
    // Further questions of the same probe have what the first ones have left.
    let adversary = host().load_within("adversary", &bytes("test/adversary-probe.wasm"), &own).unwrap();
    let source = DataSource {
        logical_id: "source-1".parse().unwrap(),
        name: "reach-often".to_owned(),
        kind: "lowcoder/adversary".parse().unwrap(),
        options: json!({"host": "db.staging.example", "mode": "lax"}),
    };
    silent.given.lock().unwrap().clear();
    let target = Environment { name: "staging".parse().unwrap(), order: 1 };
    let input = ProbeInput { source, target, slots: Default::default(), outside: silent.clone() };
    let probed = adversary.probe(input).unwrap();
    assert!(probed.notes.iter().any(|note| note.message.contains("TimedOut")), "{:?}", probed.notes);
    let given = silent.given.lock().unwrap().clone();
    assert_eq!(given.len(), host().limits().network_calls);
    assert!(given.is_sorted_by(|one, next| one >= next) && given[7] < deadline / 2, "{given:?}");
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

/// A network in which every host takes connections, and requests are answered so with and without
/// secrets.
struct Answers {
    with: Response,
    without: u16,
}

impl Outside for Answers {
    fn reach(&self, _: &str, _: u16, _: Tls, _: Duration) -> Result<(), NetFailure> {
        Ok(())
    }

    fn http(&self, _: &Request, place: &[Placed], _: Duration) -> Result<Response, NetFailure> {
        let without = Response { status: self.without, headers: Vec::new(), body: Vec::new() };
        Ok(if place.is_empty() { without } else { self.with.clone() })
    }
}

/// Each kind that is signed in to, with the request that tells about its credentials, in one line.
fn sign_ins() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        (
            "tooljet/restapi",
            json!({"url": "https://api/v1", "auth_type": "basic", "username": "app", "password": slot("password")}),
            "GET https://api/v1, BasicPassword(\"app\") of password",
        ),
        (
            "tooljet/restapi",
            json!({"url": "https://api/v1", "auth_type": "bearer", "bearer_token": slot("bearer-token"),
                "headers": [["X-Team", "a"], ["", ""]], "url_params": [["v", "2"]]}),
            "GET https://api/v1?v=2, X-Team: a, Bearer of bearer-token",
        ),
        (
            "tooljet/restapi",
            json!({"url": "https://api/v1", "auth_type": "none", "headers": [["X-Key", slot("headers-0")]],
                "url_params": [["key", slot("url_params-0")]]}),
            "GET https://api/v1, Header(\"X-Key\") of headers-0, Query(\"key\") of url_params-0",
        ),
        (
            "tooljet/graphql",
            json!({"url": "https://api/graphql", "auth_type": "bearer", "bearer_token": slot("bearer-token")}),
            "POST https://api/graphql, content-type: application/json, Bearer of bearer-token, {\"query\":\"{__typename}\"}",
        ),
        (
            "tooljet/openapi",
            json!({"host": "https://api/v1", "auth_type": "bearer", "bearer_token": slot("bearer-token")}),
            "GET https://api/v1, Bearer of bearer-token",
        ),
        (
            "lowcoder/restApi",
            json!({"url": "https://api/v1", "authConfig":
                {"type": "BASIC_AUTH", "username": "app", "password": slot("password")}}),
            "GET https://api/v1, BasicPassword(\"app\") of password",
        ),
        (
            "lowcoder/graphql",
            json!({"url": "https://api", "authConfig": {"type": "NO_AUTH"},
                "headers": [{"key": "X-Key", "value": slot("headers-0")}]}),
            "POST https://api, content-type: application/json, Header(\"X-Key\") of headers-0, \
             {\"query\":\"{__typename}\"}",
        ),
        (
            "appsmith/restapi-plugin",
            json!({"url": "https://api", "authentication": {"authenticationType": "apiKey", "addTo": "queryParams",
                "label": "key", "value": slot("api-key")}}),
            "GET https://api, Query(\"key\") of api-key",
        ),
        (
            "appsmith/restapi-plugin",
            json!({"url": "https://api", "authentication": {"authenticationType": "bearerToken",
                "bearerToken": slot("bearer-token")}}),
            "GET https://api, Bearer of bearer-token",
        ),
        (
            "tooljet/stripe",
            json!({"api_key": slot("api-key")}),
            "GET https://api.stripe.com/v1/balance, Bearer of api-key",
        ),
        (
            "tooljet/zendesk",
            json!({"subdomain": "acme", "access_token": slot("access-token")}),
            "GET https://acme.zendesk.com/api/v2/users/me.json, Bearer of access-token",
        ),
        (
            "tooljet/github",
            json!({"personal_token": slot("personal-token")}),
            "GET https://api.github.com/user, Bearer of personal-token",
        ),
        (
            "appsmith/hubspot-1.2-plugin",
            json!({"authentication": {"bearerToken": slot("bearer-token")}}),
            "GET https://api.hubapi.com/account-info/v3/details, Bearer of bearer-token",
        ),
        (
            "tooljet/openai",
            json!({"organizationId": "org-1", "apiKey": slot("api-key")}),
            "GET https://api.openai.com/v1/models, openai-organization: org-1, Bearer of api-key",
        ),
        (
            "appsmith/Open AI",
            json!({"url": "https://api.openai.com", "authentication": {"bearerToken": slot("bearer-token")}}),
            "GET https://api.openai.com/v1/models, Bearer of bearer-token",
        ),
        (
            "tooljet/sendgrid",
            json!({"api_key": slot("api-key")}),
            "GET https://api.sendgrid.com/v3/scopes, Bearer of api-key",
        ),
        (
            "tooljet/slack",
            json!({"access_token": slot("access-token")}),
            "GET https://slack.com/api/auth.test, Bearer of access-token",
        ),
        (
            "tooljet/twilio",
            json!({"accountSid": "AC1", "authToken": slot("authToken")}),
            "GET https://api.twilio.com/2010-04-01/Accounts/AC1.json, BasicPassword(\"AC1\") of authToken",
        ),
        (
            "tooljet/plivo",
            json!({"authId": "MA1", "authToken": slot("auth-token")}),
            "GET https://api.plivo.com/v1/Account/MA1/, BasicPassword(\"MA1\") of auth-token",
        ),
        (
            "appsmith/twilio-1.2-plugin",
            json!({"authentication": {"username": "AC1", "password": slot("password")}}),
            "GET https://api.twilio.com/2010-04-01/Accounts/AC1.json, BasicPassword(\"AC1\") of password",
        ),
        (
            "tooljet/airtable",
            json!({"personal_access_token": slot("personal-access-token")}),
            "GET https://api.airtable.com/v0/meta/whoami, Bearer of personal-access-token",
        ),
        (
            "appsmith/airtable-plugin",
            json!({"authentication": {"bearerToken": slot("bearer-token")}}),
            "GET https://api.airtable.com/v0/meta/whoami, Bearer of bearer-token",
        ),
        (
            "tooljet/notion",
            json!({"token": slot("token")}),
            "GET https://api.notion.com/v1/users/me, notion-version: 2022-06-28, Bearer of token",
        ),
    ]
}

fn line(exchange: &Exchange) -> Option<String> {
    let Exchange::Http { request, place, .. } = exchange else { return None };
    let mut parts = vec![format!("{} {}", request.method, request.url)];
    parts.extend(request.headers.iter().map(|header| format!("{}: {}", header.name, header.value)));
    parts.extend(place.iter().map(|placed| format!("{:?} of {}", placed.at, placed.slot)));
    parts.extend(request.body.iter().map(|body| String::from_utf8_lossy(body).into_owned()));
    Some(parts.join(", "))
}

/// The input that probes a source with these options, all of whose slots are filled.
fn signing_in(kind: &str, options: &Value, outside: Arc<dyn Outside>) -> ProbeInput {
    let options = match kind.split_once('/') {
        Some(("tooljet", _)) => {
            let members = options.as_object().unwrap();
            tooljet(members.iter().map(|(key, value)| (key.as_str(), value.clone())))
        }
        _ => options.clone(),
    };
    let reference = |slot: &str| format!("secret://staging/x/{slot}").parse().unwrap();
    let slots = sluice_model::content::marks(&options);
    let slots = slots.into_iter().map(|mark| (mark.slot.clone(), reference(mark.slot.as_str()))).collect();
    let source = DataSource {
        logical_id: "db-1".parse().unwrap(),
        name: "orders".to_owned(),
        kind: kind.parse().unwrap(),
        options,
    };
    let target = Environment { name: "staging".parse().unwrap(), order: 1 };
    ProbeInput { source, target, slots, outside }
}

fn signed_in(kind: &str, options: &Value, outside: Arc<dyn Outside>) -> Probed {
    let plugin = registry().for_kind(&kind.parse().unwrap()).unwrap();
    plugin.probe(signing_in(kind, options, outside)).unwrap_or_else(|error| panic!("{kind}: {error}"))
}

#[test]
fn each_kind_with_an_interface_for_it_is_asked_whether_it_takes_the_credentials() {
    let answers = |status: u16| {
        let body = if status == 200 { br#"{"ok":true}"#.to_vec() } else { Vec::new() };
        let with = Response { status, headers: Vec::new(), body };
        Arc::new(Answers { with, without: 401 })
    };
    for (kind, options, expected) in sign_ins() {
        for (status, authenticated, code) in [
            (200, Some(true), None),
            (401, Some(false), Some("credentials.refused")),
            (302, None, Some("credentials.untold")),
            (503, None, Some("credentials.untold")),
        ] {
            let probed = signed_in(kind, &options, answers(status));
            assert_eq!(
                (probed.reachable, probed.authenticated),
                (Some(true), authenticated),
                "{kind} {status}"
            );
            let codes = probed.notes.first().map(|note| note.code.as_str());
            assert_eq!(codes, code, "{kind} {status}");
            let asked: Vec<_> = probed.recording.0.iter().filter_map(line).collect();
            assert_eq!(asked[0], expected, "{kind}");
            // As recorded, it comes to the same without a network.
            let replay = Arc::new(Replay::new(probed.recording.clone()));
            let again = signed_in(kind, &options, replay);
            assert_eq!(serde_json::to_vec(&again).unwrap(), serde_json::to_vec(&probed).unwrap(), "{kind}");
        }
        // A secret that is not bound is not asked about.
        let unbound = ProbeInput { slots: Default::default(), ..signing_in(kind, &options, answers(200)) };
        let probed = registry().for_kind(&kind.parse().unwrap()).unwrap().probe(unbound).unwrap();
        assert_eq!((probed.reachable, probed.authenticated), (Some(true), None), "{kind}");
        assert_eq!(probed.recording.0.iter().filter_map(line).count(), 0, "{kind}");
    }
    let tried: BTreeSet<String> = sign_ins().into_iter().map(|(kind, ..)| kind.to_owned()).collect();
    assert_eq!(tried, with_sign_in(), "each kind whose table has a request has a row, and no other");
}

/// The kinds whose tables say how it is asked about the credentials.
fn with_sign_in() -> BTreeSet<String> {
    let kinds = tables().into_iter().flat_map(|(_, kinds)| kinds).filter(|kind| !kind.sign_in.is_empty());
    kinds
        .map(|kind| {
            for way in kind.sign_in {
                assert!(way.source.starts_with("https://"), "{}: where is it documented?", kind.name);
                // What is named is there.
                for shows in way.shows {
                    let slot = match shows {
                        Shows::Bearer(slot)
                        | Shows::Basic { slot, .. }
                        | Shows::Header { slot, .. }
                        | Shows::Query { slot, .. } => slot,
                    };
                    assert!(kind.slots().any(|known| known.name == *slot), "{}: {slot}", kind.name);
                }
            }
            format!("{}/{}", kind.platform.name(), kind.name)
        })
        .collect()
}

#[test]
fn an_address_that_answers_everybody_tells_nothing_about_credentials() {
    let options = json!({"url": "https://api", "auth_type": "bearer", "bearer_token": slot("bearer-token")});
    for (without, expected) in [(200, None), (401, Some(true)), (403, Some(true)), (404, None)] {
        let with = Response { status: 200, headers: Vec::new(), body: Vec::new() };
        let probed = signed_in("tooljet/restapi", &options, Arc::new(Answers { with, without }));
        assert_eq!(probed.authenticated, expected, "{without}");
        let placed = probed.recording.0.iter().filter_map(|exchange| match exchange {
            Exchange::Http { place, .. } => Some(place.len()),
            Exchange::Reach { .. } => None,
        });
        assert_eq!(placed.collect::<Vec<_>>(), [1, 0]);
    }
}
