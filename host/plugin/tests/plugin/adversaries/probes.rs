//! What a plugin does wrong while it probes, or with what only a probe has.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sluice_plugin::{
    DataSource, Exchange, Host, Limit, Limits, NetFailure, Outside, Placed, Plugin, ProbeInput, Probed,
    Reason, Request, Response, Tls,
};

use super::network::Reflecting;
use super::{Adversary, Expected, Refusal, load, own_limits, render};
use crate::built::{bytes, environment};

fn loaded(plugin: &OnceCell<Plugin>, host: &Host) -> Plugin {
    plugin.get_or_init(|| load(host, &bytes("test/adversary-probe.wasm")).unwrap()).clone()
}

/// Probes the data source that says what to do.
pub(crate) fn probe(plugin: &Plugin, name: &str) -> Result<Probed, Reason> {
    probe_through(plugin, name, Arc::new(Reflecting))
}

fn probe_through(plugin: &Plugin, name: &str, outside: Arc<dyn Outside>) -> Result<Probed, Reason> {
    let source = DataSource {
        logical_id: "source-1".parse().unwrap(),
        name: name.to_owned(),
        kind: "lowcoder/adversary".parse().unwrap(),
        options: json!({"host": "db.staging.example", "mode": "lax"}),
    };
    let slots = [("password".parse().unwrap(), "secret://staging/orders/new".parse().unwrap())];
    let input = ProbeInput { source, target: environment("staging", 1), slots: slots.into(), outside };
    plugin.probe(input).map_err(|error| {
        let begin = format!("plugin `adversary`, data source `{name}` (source-1): ");
        assert!(error.to_string().starts_with(&begin), "{error}");
        *error.reason
    })
}

/// How the network refused the last question, where the probe itself was not refused.
fn refused(plugin: &Plugin, name: &str) -> Option<Refusal> {
    match probe(plugin, name) {
        Err(reason) => Some(Refusal::Plugin(reason)),
        Ok(probed) => match probed.recording.0.last() {
            Some(
                Exchange::Reach { answer: Err(failure), .. } | Exchange::Http { answer: Err(failure), .. },
            ) => Some(Refusal::Network(failure.clone())),
            _ => None,
        },
    }
}

pub(crate) fn all() -> Vec<Adversary> {
    let limits = Limits::default();
    let exceeded = |limit, most: usize| Refusal::Plugin(Reason::Exceeded { limit, most: most as u64 });
    let fuel = || {
        let most = own_limits().fuel.unwrap();
        Refusal::Plugin(Reason::Exceeded { limit: Limit::Fuel, most })
    };
    let plugin: Rc<OnceCell<Plugin>> = Rc::default();
    let mut all: Vec<_> = [
        ("loop", fuel()),
        ("reach-for-ever", fuel()),
        ("allocate", exceeded(Limit::Memory, limits.memory_bytes)),
        ("recurse", exceeded(Limit::Stack, limits.stack_bytes)),
        ("hoard-handles", exceeded(Limit::Handles, limits.handles)),
        ("findings", exceeded(Limit::Findings, limits.findings)),
        ("giant-request", exceeded(Limit::Answer, limits.answer_bytes)),
        ("giant-host", exceeded(Limit::Answer, limits.answer_bytes)),
        ("many-headers", exceeded(Limit::Answer, limits.answer_bytes)),
        ("many-places", exceeded(Limit::Answer, limits.answer_bytes)),
        ("unsupported", Refusal::Plugin(Reason::UnsupportedKind("lowcoder/adversary".parse().unwrap()))),
        ("other-host", Refusal::Network(NetFailure::NotGranted)),
    ]
    .into_iter()
    .map(|(name, expected)| {
        let plugin = plugin.clone();
        let run = move |host: &Host| refused(&loaded(&plugin, host), name);
        Adversary::new(format!("probe: {name}"), run, Expected::Exactly(expected))
    })
    .collect();
    for name in [
        "trap",
        "forged-handle",
        "forged-handle-in-a-request",
        "handle-of-another-type",
        "used-after-it-was-dropped",
        "dropped-twice",
    ] {
        let plugin = plugin.clone();
        all.push(Adversary::new(
            format!("probe: {name}"),
            move |host| refused(&loaded(&plugin, host), name),
            Expected::Like(|refusal| matches!(refusal, Refusal::Plugin(Reason::Trap(_)))),
        ));
    }
    // What is not lent: that is not even put to the network.
    let not_lent = plugin.clone();
    all.push(Adversary::new(
        "probe: other-slot",
        move |host| {
            let probed = probe(&loaded(&not_lent, host), "other-slot").unwrap();
            assert_eq!((probed.recording.0.len(), probed.used.network_calls), (0, 1));
            let why = "no value fills the slot `of-somebody-else`";
            let is_refused = probed.notes.iter().any(|note| note.message.contains(why));
            is_refused.then(|| Refusal::Network(NetFailure::BadSecret(why.to_owned())))
        },
        Expected::Like(|refusal| matches!(refusal, Refusal::Network(NetFailure::BadSecret(_)))),
    ));
    // More questions than are allowed: the further ones are not even put to the network.
    let often = plugin.clone();
    all.push(Adversary::new(
        "probe: reach-often",
        move |host| {
            let probed = probe(&loaded(&often, host), "reach-often").unwrap();
            let limited = probed.notes.iter().any(|note| note.message.contains("Limit"));
            assert_eq!(probed.recording.0.len(), Limits::default().network_calls);
            limited.then_some(Refusal::Network(NetFailure::Limit))
        },
        Expected::Exactly(Refusal::Network(NetFailure::Limit)),
    ));
    for name in ["reach-early", "forge-early"] {
        let plugin = plugin.clone();
        all.push(Adversary::new(
            format!("network while rendering: {name}"),
            move |host| render(&loaded(&plugin, host), name),
            Expected::Like(|refusal| {
                // Where no credentials were given, a handle for them is found out first.
                matches!(refusal, Refusal::Plugin(Reason::NetworkOutsideOfProbe | Reason::Trap(_)))
            }),
        ));
    }
    all
}

#[test]
fn credentials_are_gone_after_the_call() {
    let host = Host::new(Limits::default()).unwrap();
    let plugin = load(&host, &bytes("test/adversary-probe.wasm")).unwrap();
    for _ in 0..3 {
        let probed = probe(&plugin, "kept").unwrap();
        assert_eq!(probed.notes[0].message, "0", "nothing is there that an earlier call kept");
    }
}

#[test]
fn a_probe_learns_names_of_slots_and_no_values() {
    let host = Host::new(Limits::default()).unwrap();
    let plugin = load(&host, &bytes("test/adversary-probe.wasm")).unwrap();
    let probed = probe(&plugin, "decent").unwrap();
    assert_eq!(probed.notes[0].message, "password");
    assert!(probed.notes[1].message.contains("authorization: Bearer …"), "{}", probed.notes[1].message);
}

/// A network that answers every question alike.
struct Always(Result<(), NetFailure>);

impl Outside for Always {
    fn reach(&self, _: &str, _: u16, _: Tls, _: Duration) -> Result<(), NetFailure> {
        self.0.clone()
    }

    fn http(&self, _: &Request, _: &[Placed], _: Duration) -> Result<Response, NetFailure> {
        self.0.clone().map(|()| Response { status: 200, headers: Vec::new(), body: Vec::new() })
    }
}

#[test]
fn a_probe_is_believed_what_its_questions_can_have_shown() {
    let host = Host::new(Limits::default()).unwrap();
    let plugin = load(&host, &bytes("test/adversary-probe.wasm")).unwrap();
    let refused = || Err(NetFailure::Refused);
    let tls = || Err(NetFailure::Tls("no common version".to_owned()));
    let (yes, no) = (Some(true), Some(false));
    // What it asks, what it is told, what is made of its `yes` to both questions, and of its `no`.
    for (asks, answer, of_yes, of_no) in [
        ("nothing", Ok(()), (None, None), (None, None)),
        ("reach", Ok(()), (yes, None), (no, None)),
        ("reach", refused(), (None, None), (no, None)),
        ("reach", Err(NetFailure::TimedOut), (None, None), (no, None)),
        ("reach", Err(NetFailure::Unresolved), (None, None), (no, None)),
        ("reach", Err(NetFailure::NotGranted), (None, None), (None, None)),
        ("reach", Err(NetFailure::PrivateAddress), (None, None), (None, None)),
        ("reach", tls(), (yes, None), (no, None)),
        ("request", Ok(()), (yes, None), (no, None)),
        ("secret", Ok(()), (yes, yes), (no, no)),
        ("secret", refused(), (None, None), (no, None)),
        ("secret", tls(), (yes, None), (no, no)),
        ("secret", Err(NetFailure::BadSecret("x".to_owned())), (None, None), (None, None)),
    ] {
        for (word, believed) in [("yes", of_yes), ("no", of_no)] {
            let name = format!("claims-{word}-{asks}");
            let probed = probe_through(&plugin, &name, Arc::new(Always(answer.clone()))).unwrap();
            assert_eq!((probed.reachable, probed.authenticated), believed, "{name}, {answer:?}");
            let is_unfounded = word == "yes" && believed != (yes, yes);
            assert_eq!(probed.is_unfounded, is_unfounded, "{name}, {answer:?}");
        }
    }
}
