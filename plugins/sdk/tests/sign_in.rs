//! What a probe asks about credentials, and what it makes of the answer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail as tests do"
)]

use std::cell::RefCell;

use serde_json::{Value, json};
use sluice_guest::OptionType::{ListOfPairs, Text, Url};
use sluice_guest::connection::{Endpoint, to};
use sluice_guest::probe::{Probed, net};
use sluice_guest::sign_in::{Answer, At, List, Piece, Shows, SignIn, get};
use sluice_guest::spec::{
    KindSpec, OptionSpec, Platform, SlotSpec, header_secrets, is, kind, owned, place, secret, url_secret,
};
use sluice_guest::{Family, harness};

const OPTIONS: &[OptionSpec] = &[
    place("url", Url, ""),
    owned("mode", Text, ""),
    owned("user", Text, ""),
    owned("name", Text, ""),
    owned("headers", ListOfPairs, ""),
    owned("params", ListOfPairs, ""),
    owned("cookies", ListOfPairs, ""),
];

const SLOTS: &[SlotSpec] = &[
    secret("token", "token", ""),
    secret("password", "password", ""),
    url_secret("url-password", "url", ""),
    header_secrets("headers", "headers", ""),
    header_secrets("params", "params", ""),
    header_secrets("cookies", "cookies", ""),
];

const OPEN: SignIn = SignIn {
    when: &[is("mode", &[""])],
    at: At::Url("url"),
    lists: &[List::Headers("headers"), List::Query("params"), List::Unsent("cookies")],
    answer: Answer::UnlessOpen,
    ..get(&[], &[], "")
};

const WAYS: &[SignIn] = &[
    SignIn {
        when: &[is("mode", &["user"])],
        headers: &[("x-version", Piece::Text("1")), ("x-name", Piece::Option("name"))],
        ..get(
            &[Piece::Text("/users/"), Piece::Option("user"), Piece::Text("?x")],
            &[Shows::Basic { user: "user", slot: "password" }],
            "",
        )
    },
    SignIn { when: &[is("mode", &["token"])], ..get(&[Piece::Text("/me")], &[Shows::Bearer("token")], "") },
    // Where there is no token.
    SignIn {
        when: &[is("mode", &["token"])],
        ..get(&[Piece::Text("/me")], &[Shows::Header { name: "name", slot: "password" }], "")
    },
    SignIn {
        when: &[is("mode", &["body"])],
        body: Some("{}"),
        answer: Answer::Text { good: r#""ok":true"#, bad: r#""ok":false"# },
        ..get(&[Piece::Text("/me")], &[Shows::Query { name: "name", slot: "token" }], "")
    },
    SignIn {
        when: &[is("mode", &["only-401"])],
        answer: Answer::Status(&[401]),
        ..get(&[Piece::Text("/me")], &[Shows::Bearer("token")], "")
    },
    OPEN,
];

const KINDS: &[KindSpec] = &[
    KindSpec {
        options: &[OPTIONS],
        slots: &[SLOTS],
        connections: &[to(&[Endpoint::Urls(&["url"])])],
        sign_in: WAYS,
        ..kind(Platform::Lowcoder, "x")
    },
    KindSpec {
        options: &[OPTIONS],
        slots: &[SLOTS],
        connections: &[to(&[Endpoint::Urls(&["url"])])],
        sign_in: WAYS,
        ..kind(Platform::ToolJet, "x")
    },
];

struct X;

impl Family for X {
    fn kinds() -> &'static [KindSpec] {
        KINDS
    }
}

type Answered = Result<net::Response, net::Failure>;

fn status(status: u16, body: &str) -> Answered {
    Ok(net::Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() })
}

/// What a probe found of a source of this kind, and what it asked: each request in one line.
fn probe(kind: &str, options: &Value, slots: &[&str], answer: &harness::Answer<'_>) -> (Probed, Vec<String>) {
    let json = json!({ "source": { "logical-id": "s", "name": "S", "kind": kind, "options": options } });
    let network = harness::Answering {
        reach: &|_, _| Ok(()),
        http: answer,
        slots: slots.iter().map(|&slot| slot.to_owned()).collect(),
        asked: RefCell::default(),
    };
    let probed = harness::probe::<X>(&json.to_string(), &network).unwrap().unwrap();
    let line = |(request, place): &(net::Request, Vec<net::Placed>)| {
        let mut line = format!("{} {}", request.method, request.url);
        for header in &request.headers {
            line.push_str(&format!(" {}: {}", header.name, header.value));
        }
        for placed in place {
            line.push_str(&format!(" {:?}={}", placed.at, placed.slot));
        }
        if let Some(body) = &request.body {
            line.push_str(&format!(" {}", String::from_utf8_lossy(body)));
        }
        line
    };
    let asked = network.asked.borrow().iter().map(line).collect();
    (probed, asked)
}

fn slot(name: &str) -> Value {
    json!({ "$sluice": [{ "slot": name }] })
}

fn around(before: &str, name: &str, after: &str) -> Value {
    json!({ "$sluice": [{ "text": before }, { "slot": name }, { "text": after }] })
}

#[test]
fn what_is_asked_is_what_the_table_and_the_options_say() {
    let all = ["token", "password", "url-password", "headers-0", "headers-1", "params-0", "cookies-0"];
    let url = "https://api.example:8443/v1";
    for (options, slots, expected) in [
        (
            json!({"url": url, "mode": "user", "user": "a b/ü", "name": "n"}),
            &all[..],
            Some(
                "GET https://api.example:8443/users/a%20b%2F%C3%BC?x x-version: 1 x-name: n \
                  Placement::BasicPassword(\"a b/ü\")=password",
            ),
        ),
        // What an option does not say is no header; without a user there is nothing to ask.
        (
            json!({"url": url, "mode": "user", "user": "a"}),
            &all,
            Some(
                "GET https://api.example:8443/users/a?x x-version: 1 Placement::BasicPassword(\"a\")=password",
            ),
        ),
        (json!({"url": url, "mode": "user"}), &all, None),
        (json!({"url": url, "mode": "user", "user": "a", "name": "{{constants.NAME}}"}), &all, None),
        (json!({"url": url, "mode": "user", "user": "{{constants.USER}}"}), &all, None),
        (json!({"url": url, "mode": "user", "user": "a"}), &["token"], None),
        // The first way for which there are secrets.
        (
            json!({"url": url, "mode": "token", "name": "n"}),
            &all,
            Some("GET https://api.example:8443/me Placement::Bearer=token"),
        ),
        (
            json!({"url": url, "mode": "token", "name": "n"}),
            &["password"],
            Some("GET https://api.example:8443/me Placement::Header(\"n\")=password"),
        ),
        (
            json!({"url": url, "mode": "body", "name": "n"}),
            &all,
            Some(
                "POST https://api.example:8443/me content-type: application/json Placement::Query(\"n\")=token {}",
            ),
        ),
        (json!({"url": "ftp://files.example:21", "mode": "token"}), &all, None),
        // Lists: with their secrets, and without lines that were never filled in.
        (
            json!({"url": format!("{url}?a=b#c"), "headers": [
                {"key": "X-Team", "value": "t"}, {"key": "X-Key", "value": slot("headers-1")}, {"key": "", "value": ""}],
                "params": [{"key": "k", "value": slot("params-0")}, {"key": "q r", "value": "&"}],
                "cookies": [{"key": "c", "value": "d"}]}),
            &all,
            Some(
                "GET https://api.example:8443/v1?a=b&q%20r=%26 X-Team: t Placement::Header(\"X-Key\")=headers-1 \
                  Placement::Query(\"k\")=params-0",
            ),
        ),
        (
            json!({"url": url, "headers": [{"key": "authorization", "value":
                {"$sluice": [{"text": "Bearer "}, {"slot": "headers-0"}]}}]}),
            &all,
            Some("GET https://api.example:8443/v1 Placement::Bearer=headers-0"),
        ),
        // A secret that the host cannot place, or a part that is another in each environment.
        (
            json!({"url": url, "headers": [{"key": "Authorization", "value":
            {"$sluice": [{"text": "Token "}, {"slot": "headers-0"}]}}]}),
            &all,
            None,
        ),
        (
            json!({"url": url, "headers": [{"key": "X-Key", "value": slot("headers-0")}],
            "cookies": [{"key": "c", "value": slot("cookies-0")}]}),
            &all,
            None,
        ),
        (
            json!({"url": url, "headers": [{"key": "X-Key", "value": slot("headers-0")},
            {"key": "{{constants.H}}", "value": "x"}]}),
            &all,
            None,
        ),
        (
            json!({"url": url, "headers": [{"key": "X-Key", "value": slot("headers-0")},
            {"key": "X-Team", "value": "{{constants.H}}"}]}),
            &all,
            None,
        ),
        // Without a secret there is nothing to find out.
        (json!({"url": url, "headers": [{"key": "X-Team", "value": "t"}]}), &all, None),
        // A password in the address.
        (
            json!({"url": around("https://app:", "url-password", "@api.example/v1")}),
            &all,
            Some("GET https://api.example/v1 Placement::BasicPassword(\"app\")=url-password"),
        ),
        (json!({"url": around("https://a%40b:", "url-password", "@api.example/v1")}), &all, None),
        (json!({"url": around("https://app:x", "url-password", "@api.example/v1")}), &all, None),
        (json!({"url": around("https://api.example/v1?key=", "url-password", "")}), &all, None),
        (
            json!({"url": "https://app@api.example", "headers": [{"key": "X-Key", "value": slot("headers-0")}]}),
            &all,
            None,
        ),
    ] {
        let (probed, asked) = probe("lowcoder/x", &options, slots, &|_, _| status(418, ""));
        assert_eq!(asked.first().map(String::as_str), expected, "{options}");
        assert_eq!(asked.len(), usize::from(expected.is_some()), "{options}");
        assert_eq!((probed.reachable, probed.authenticated), (Some(true), None), "{options}");
    }
}

#[test]
fn lists_are_read_in_each_platforms_spelling() {
    let option = |value: Value| json!({"value": value, "encrypted": false});
    let options = json!({
        "url": option(json!("https://api.example")),
        "headers": option(json!([["X-Team", "t"], ["X-Key", slot("headers-1-1")], ["", ""]])),
    });
    let (_, asked) = probe("tooljet/x", &options, &["headers-1-1"], &|_, _| status(418, ""));
    assert_eq!(asked, ["GET https://api.example X-Team: t Placement::Header(\"X-Key\")=headers-1-1"]);
}

#[test]
fn an_answer_means_what_the_table_says() {
    let wholly = |mode: &str| json!({"url": "https://api.example/v1", "mode": mode, "name": "n"});
    let (good, bad) = (r#"{ "ok" : true }"#, r#"{"ok":false,"error":"invalid_auth"}"#);
    for (mode, answer, expected, code) in [
        ("token", status(200, ""), Some(true), ""),
        ("token", status(204, ""), Some(true), ""),
        ("token", status(401, ""), Some(false), "credentials.refused"),
        ("token", status(403, ""), Some(false), "credentials.refused"),
        ("token", status(302, ""), None, "credentials.untold"),
        ("token", status(404, ""), None, "credentials.untold"),
        ("token", status(500, ""), None, "credentials.untold"),
        ("token", Err(net::Failure::TimedOut), None, "credentials.untold"),
        ("only-401", status(401, ""), Some(false), "credentials.refused"),
        ("only-401", status(403, ""), None, "credentials.untold"),
        ("body", status(200, good), Some(true), ""),
        ("body", status(200, bad), Some(false), "credentials.refused"),
        ("body", status(200, "<html>"), None, "credentials.untold"),
        ("body", status(401, ""), Some(false), "credentials.refused"),
        ("body", status(302, good), None, "credentials.untold"),
    ] {
        let (probed, asked) = probe("lowcoder/x", &wholly(mode), &["token"], &|_, _| answer.clone());
        assert_eq!(probed.authenticated, expected, "{mode} {answer:?}");
        assert_eq!(probed.reachable, Some(true));
        assert_eq!(asked.len(), 1);
        let codes: Vec<_> = probed.findings.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(codes, Vec::from_iter((!code.is_empty()).then_some(code)), "{mode} {answer:?}");
        let told = probed.findings.iter().map(|finding| &finding.message);
        assert!(told.clone().all(|told| told.contains("`https://api.example` in staging")), "{mode}");
    }
}

#[test]
fn what_answers_everybody_tells_nothing() {
    let options =
        json!({"url": "https://api.example", "headers": [{"key": "X-Key", "value": slot("headers-0")}]});
    for (with, without, expected) in [
        (200, status(401, ""), Some(true)),
        (200, status(403, ""), Some(true)),
        (200, status(200, ""), None),
        (200, status(404, ""), None),
        (200, Err(net::Failure::Limit), None),
        (401, status(200, ""), Some(false)),
        (302, status(401, ""), None),
    ] {
        let answer = |_: &net::Request, place: &[net::Placed]| {
            if place.is_empty() { without.clone() } else { status(with, "") }
        };
        let (probed, asked) = probe("lowcoder/x", &options, &["headers-0"], &answer);
        assert_eq!(probed.authenticated, expected, "{with} {without:?}");
        assert_eq!(probed.findings.is_empty(), expected == Some(true));
        assert_eq!(asked.len(), if with == 200 { 2 } else { 1 });
    }
}

#[test]
fn nothing_is_signed_in_to_where_nothing_is_reached() {
    let json = json!({ "source": { "logical-id": "s", "name": "S", "kind": "lowcoder/x",
        "options": { "url": "https://api.example", "mode": "token" } } });
    let network = harness::Answering {
        reach: &|_, _| Err(net::Failure::Refused),
        http: &|_, _| status(200, ""),
        slots: vec!["token".to_owned()],
        asked: RefCell::default(),
    };
    let probed = harness::probe::<X>(&json.to_string(), &network).unwrap().unwrap();
    assert_eq!((probed.reachable, probed.authenticated), (Some(false), None));
    assert!(network.asked.borrow().is_empty());
}
