//! What is in guests' memories when a call is over: all of it is read, from outside.

use std::sync::Arc;
use std::time::Duration;

use crate::adversaries::network::{Reflecting, VALUE};
use crate::built::{act, bytes, environment, input};
use serde_json::json;
use sluice_plugin::{
    DataSource, Host, Limits, Memories, NetFailure, Outside, Placed, Plugin, ProbeInput, Rendered, Request,
    Response, Tls,
};

/// How often a text is in the memories, in any form in which a text could well be there.
fn found(memories: &[Vec<u8>], text: &str) -> usize {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let reversed: String = text.chars().rev().collect();
    // At each of three offsets a text has another form in base 64; its ends depend on neighbours.
    let base64 = (0..3).map(|offset| {
        let text = [&vec![0; offset][..], text.as_bytes()].concat();
        let encoded = base64(&text);
        encoded[4..encoded.len() - 4].to_vec()
    });
    let mut forms: Vec<Vec<u8>> = base64.collect();
    forms.extend([text, &hex, &percent, &reversed].map(|form| form.as_bytes().to_vec()));
    forms.extend([hex.to_uppercase().into_bytes(), wide]);
    let is_in = |memory: &[u8], form: &[u8]| memory.windows(form.len()).any(|window| window == form);
    memories.iter().flat_map(|memory| forms.iter().filter(|form| is_in(memory, form))).count()
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let three = |chunk: &[u8]| (0..3).fold(0, |n, at| n << 8 | usize::from(*chunk.get(at).unwrap_or(&0)));
    let digits = |chunk: &[u8]| [18, 12, 6, 0].map(|shift| DIGITS[three(chunk) >> shift & 63]);
    bytes.chunks(3).flat_map(digits).collect()
}

fn probe(plugin: &Plugin, kind: &str, name: &str, outside: impl Outside + 'static) -> String {
    let options = json!({"host": "db.staging.example", "port": "5433", "mode": "lax", "username": "app",
        "url": "https://db.staging.example/", "authConfig": {"type": "BASIC_AUTH", "username": "app"}});
    let source = DataSource {
        logical_id: "source-1".parse().unwrap(),
        name: name.to_owned(),
        kind: kind.parse().unwrap(),
        options,
    };
    let slots = [("password".parse().unwrap(), "secret://staging/orders/new".parse().unwrap())];
    let target = environment("staging", 1);
    let input = ProbeInput { source, target, slots: slots.into(), outside: Arc::new(outside) };
    match plugin.probe(input) {
        Ok(probed) => probed.notes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Err(error) => error.to_string(),
    }
}

fn watched(file: &str) -> (Plugin, Memories) {
    let (host, memories) = Host::watched(Limits::default()).unwrap();
    let plugin = host.load("watched", &bytes(file)).unwrap();
    assert!(!memories.take().is_empty(), "describing has a memory too");
    (plugin, memories)
}

#[test]
fn a_text_is_found_in_each_form() {
    for form in [VALUE.to_owned(), VALUE.chars().rev().collect(), "Y2FuYXJ5LTdmM2IyMWM5ZDQ=".to_owned()] {
        for offset in 0..3 {
            let memory = [&vec![b'x'; offset][..], form.as_bytes(), b"yyyy"].concat();
            assert_eq!(found(&[memory], VALUE), 1, "{form}");
        }
    }
    assert_eq!(base64(b"any carnal pleas"), b"YW55IGNhcm5hbCBwbGVhcwAA".map(|b| b).to_vec());
    assert_eq!(found(&[b"canary-7f3b21c9d".to_vec()], VALUE), 0);
}

#[test]
fn no_reference_of_a_secret_is_in_a_guest_that_renders() {
    let (adversary, of_adversary) = watched("test/adversary.wasm");
    let (sql, of_sql) = watched("sql.wasm");
    for name in ["decent", "trap-late", "own-host", "findings"] {
        // Whether it is refused or not: there is a memory to look into.
        let _ = adversary.render(&act(name));
        let memories = of_adversary.take();
        // What it is told of is there, so what is not there would have been seen.
        for told in ["db.dev.example", "db.staging.example", "adversary"] {
            assert!(found(&memories, told) > 0, "{name}: {told}");
        }
        for hidden in ["secret://", "orders/new", "orders/token"] {
            assert_eq!(found(&memories, hidden), 0, "{name}: {hidden}");
        }
    }
    adversary.render(&act("decent")).unwrap();
    assert!(found(&of_adversary.take(), "api-token") > 0, "labels are told");
    let options = json!({"host": "db.dev.example", "port": "5432", "database": "orders", "username": "app",
        "password": crate::built::slot("password")});
    let binding =
        json!({"host": "db.staging.example", "port": "5432", "database": "orders", "username": "app"});
    let rendered = sql.render(&input("lowcoder/postgres", "orders", options, binding)).unwrap();
    assert_eq!(rendered.slots.len(), 1);
    let memories = of_sql.take();
    assert!(found(&memories, "db.staging.example") > 0);
    assert_eq!(found(&memories, "secret://") + found(&memories, "orders/new"), 0);
}

#[test]
fn no_value_of_a_secret_is_in_a_guest_that_probes_what_gives_all_back() {
    let (adversary, of_adversary) = watched("test/adversary-probe.wasm");
    for name in
        ["decent", "other-slot", "other-host", "reach-often", "kept", "dropped-twice", "trap", "findings"]
    {
        let told = probe(&adversary, "lowcoder/adversary", name, Reflecting);
        let memories = of_adversary.take();
        assert!(found(&memories, "db.staging.example") > 0, "{name}");
        for hidden in [VALUE, "secret://", "orders/new"] {
            assert_eq!(found(&memories, hidden), 0, "{name}: {hidden}");
        }
        if name == "decent" {
            assert!(told.contains("Bearer …"), "{told}");
            assert!(found(&memories, "authorization: Bearer") > 0, "what came back has been there");
        }
    }
    let (sql, of_sql) = watched("sql.wasm");
    probe(&sql, "lowcoder/postgres", "orders", Reflecting);
    let memories = of_sql.take();
    assert!(found(&memories, "db.staging.example") > 0);
    assert_eq!(found(&memories, VALUE), 0);
    let (http, of_http) = watched("http.wasm");
    let told = probe(&http, "lowcoder/restApi", "orders", Reflecting);
    assert!(told.contains("without them it answers 200"), "{told}");
    let memories = of_http.take();
    assert!(found(&memories, "authorization: Basic app:") > 0, "what came back has been there");
    assert_eq!(found(&memories, VALUE), 0);
}

/// An edge that takes nothing out of what comes back.
struct Careless;

impl Outside for Careless {
    fn reach(&self, _: &str, _: u16, _: Tls, _: Duration) -> Result<(), NetFailure> {
        Ok(())
    }

    fn http(&self, _: &Request, _: &[Placed], _: Duration) -> Result<Response, NetFailure> {
        Ok(Response { status: 200, headers: Vec::new(), body: format!("you sent {VALUE}").into_bytes() })
    }
}

#[test]
fn a_value_that_came_back_would_be_seen() {
    let (adversary, memories) = watched("test/adversary-probe.wasm");
    assert!(probe(&adversary, "lowcoder/adversary", "decent", Careless).contains(VALUE));
    assert!(found(&memories.take(), VALUE) > 0);
}

#[test]
fn a_watched_host_makes_the_same_as_any() {
    let (plugin, _) = watched("test/adversary.wasm");
    let rendered = plugin.render(&act("decent")).unwrap();
    let usual = crate::built::adversary().render(&act("decent")).unwrap();
    // Memory that is not mapped from the component costs fuel to fill.
    assert_eq!(Rendered { used: usual.used, ..rendered }, usual);
}
