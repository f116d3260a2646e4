//! Requests over plain HTTP: where they go, what they carry, what comes back.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sluice_vault::edge::{
    Edge, Failure, Header, Limits, Placed, Placement, Request, Response, Roots, SystemNetwork, Tls,
};

use crate::outside::{
    ALSO_PUBLIC, CANARY, Day, PATIENT, PUBLIC, TOKEN, Wires, answering, edge, edge_with, filed, get, grant,
    is_in, place, read_request, reflection, serve,
};

const EMPTY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[test]
fn a_server_that_says_all_it_was_sent_gives_no_secret_away() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let server = serve(move |mut stream| {
        let request = read_request(&mut stream);
        kept.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
        stream.write_all(&reflection(&request)).unwrap();
    });
    let grants = grant(&[&format!("127.0.0.1:{}", server.port())], &["127.0.0.1"]);
    let edge = edge(grants.clone(), Arc::new(SystemNetwork));
    let url = format!("http://127.0.0.1:{}/path?a=b", server.port());
    for (places, sent) in [
        (vec![place("token", Placement::Header("X-Api-Key".into()))], format!("x-api-key: {TOKEN}\r\n")),
        (vec![place("token", Placement::Bearer)], format!("authorization: Bearer {TOKEN}\r\n")),
        (vec![place("password", Placement::Query("key".into()))], "&key=kanari%26enV%2F%2B8%3D%2541".into()),
        (vec![place("token", Placement::Query("key".into()))], "&key=kanarienvogel-8%2B%2F~%3Df00".into()),
        (
            vec![place("password", Placement::BasicPassword("me".into()))],
            "authorization: Basic bWU6a2".into(),
        ),
        (vec![place("token", Placement::BasicPassword("you".into()))], "authorization: Basic eW91Om".into()),
        (
            vec![
                place("token", Placement::Header("x-key".into())),
                place("password", Placement::BasicPassword("me".into())),
                place("password", Placement::Query("p".into())),
                place("token", Placement::Query("t".into())),
            ],
            "x-key: kanarienvogel".into(),
        ),
    ] {
        let response = edge.http(&get(&url), &places, PATIENT).unwrap_or_else(|e| panic!("{places:?}: {e}"));
        let request = seen.lock().unwrap().pop().unwrap();
        assert!(request.contains(&sent), "{request}");
        let pairs = [format!("me:{CANARY}"), format!("you:{TOKEN}")].map(|pair| STANDARD.encode(pair));
        for secret in [CANARY, TOKEN, "kanari%26enV%2F%2B8%3D%2541", &pairs[0], &pairs[1]] {
            let shown = String::from_utf8_lossy(&response.body);
            assert!(!is_in(secret, &response), "{places:?} {:?}\n{shown}", response.headers);
        }
        let body = String::from_utf8_lossy(&response.body);
        assert!(body.contains("GET /path?a=b") && body.contains("•••"), "{body}");
        assert!(body.contains("user-agent: sluice"), "{body}");
    }
    // What it says is found where nothing is taken out, so the test could fail.
    let careless = edge_with(BTreeMap::new(), grants, Arc::new(SystemNetwork));
    for (edge, is_told) in [(careless, true), (edge, false)] {
        let mut plain = get(&url);
        plain.headers.push(Header { name: "x-key".into(), value: TOKEN.into() });
        assert_eq!(is_in(TOKEN, &edge.http(&plain, &[], PATIENT).unwrap()), is_told);
        plain.method = "POST".into();
        plain.body = Some(CANARY.into());
        assert_eq!(is_in(CANARY, &edge.http(&plain, &[], PATIENT).unwrap()), is_told);
    }
}

/// What one request carries is in the answer to another: in that to one that carries nothing, or a secret of another slot.
#[test]
fn a_server_that_says_what_it_was_sent_before_gives_no_secret_away() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&sent);
    let server = serve(move |mut stream| {
        let request = read_request(&mut stream);
        let mut sent = kept.lock().unwrap();
        stream.write_all(&reflection(&sent)).unwrap();
        if !String::from_utf8_lossy(&request).starts_with("GET /again") {
            *sent = request;
        }
    });
    let grants = grant(&[&server.to_string()], &["127.0.0.1"]);
    let url = |path: &str| format!("http://{server}/{path}");
    let token = || place("token", Placement::Bearer);
    for (carried, secret, pair) in [
        (place("token", Placement::Bearer), TOKEN, None),
        (place("password", Placement::Query("key".into())), CANARY, None),
        (place("password", Placement::BasicPassword("me".into())), CANARY, Some(format!("me:{CANARY}"))),
    ] {
        let edge = edge(grants.clone(), Arc::new(SystemNetwork));
        edge.http(&get(&url("first")), std::slice::from_ref(&carried), PATIENT).unwrap();
        for others in [vec![], vec![token()]] {
            let response = edge.http(&get(&url("again")), &others, PATIENT).unwrap();
            let body = String::from_utf8_lossy(&response.body);
            assert!(body.contains("GET /first") && body.contains("•••"), "{carried:?} {others:?}\n{body}");
            assert!(!is_in(secret, &response), "{carried:?} {others:?}\n{body}");
            let pair = pair.as_ref().map(|pair| STANDARD.encode(pair));
            assert!(!pair.is_some_and(|pair| is_in(&pair, &response)), "{carried:?} {others:?}\n{body}");
        }
        let careless = edge_with(BTreeMap::new(), grants.clone(), Arc::new(SystemNetwork));
        assert!(is_in(secret, &careless.http(&get(&url("again")), &[], PATIENT).unwrap()), "{carried:?}");
    }
}

#[test]
fn what_a_server_knows_by_itself_is_taken_out_word_by_word() {
    let bearer = format!("Bearer {TOKEN}");
    let parameters = format!("Signature user=\"me\", token=\"{TOKEN}\"");
    for (secret, said, is_told) in [
        (TOKEN, TOKEN, false),
        (&bearer, &bearer, false),
        (&bearer, TOKEN, false),
        (&parameters, TOKEN, false),
        // So short that a mark would tell which guess is right, and never sent.
        ("1234567", "1234567", true),
        ("a 1234567 b", "1234567", true),
    ] {
        let server =
            answering(format!("HTTP/1.1 401 x\r\nx: {said}\r\ncontent-length: {}\r\n\r\n{said}", said.len()));
        let grant = grant(&[&server.to_string()], &["127.0.0.1"]);
        let edge = edge_with(filed(&[("key", secret)]), grant, Arc::new(SystemNetwork));
        let request = get(&format!("http://{server}/"));
        let at = Placement::Header("authorization".into());
        for places in [vec![], vec![place("key", at)]] {
            match edge.http(&request, &places, PATIENT) {
                Err(Failure::BadSecret(why)) => {
                    assert!(why.contains("fewer than 8 bytes") && secret.len() < 8 && !places.is_empty());
                }
                Err(other) => panic!("{secret}: {other:?}"),
                Ok(response) => {
                    let text = format!("{:?} {}", response.headers, String::from_utf8_lossy(&response.body));
                    assert_eq!(text.contains(said), is_told, "{secret} {places:?}: {text}");
                }
            }
        }
    }
}

#[test]
fn only_what_is_granted_is_looked_up_and_dialled() {
    let network = Arc::new(Wires::default().name("api.example.test", &[&[PUBLIC]]));
    let edge = edge(grant(&["api.example.test:443", "*.example.org:443"], &[]), network.clone());
    for url in [
        "https://api.example.test:8443/",
        "http://api.example.test/",
        "https://example.test/",
        "https://evil.api.example.test/",
        "https://example.org/",
        "https://93.184.216.34/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://api.example.test.evil.test/",
    ] {
        let place = [place("token", Placement::Bearer)];
        assert_eq!(edge.http(&get(url), &place, PATIENT), Err(Failure::NotGranted), "{url}");
    }
    assert_eq!(edge.reach("db.example.test", 443, Tls::Off, PATIENT), Err(Failure::NotGranted));
    assert_eq!(edge.reach("api.example.test", 22, Tls::Off, PATIENT), Err(Failure::NotGranted));
    assert!(matches!(edge.reach("no host", 443, Tls::Off, PATIENT), Err(Failure::BadRequest(_))));
    assert!(network.asked.lock().unwrap().is_empty() && network.dialled().is_empty());
}

#[test]
fn a_name_that_changes_its_address_is_asked_once() {
    let server = answering(EMPTY);
    let network =
        Wires::default().name("api.example.test", &[&[PUBLIC], &["127.0.0.1"], &["169.254.169.254"]]);
    let network = Arc::new(network.wire(PUBLIC, 80, Some(server)));
    let edge = edge(grant(&["api.example.test:80"], &[]), network.clone());
    assert_eq!(edge.http(&get("http://api.example.test/"), &[], PATIENT).unwrap().status, 200);
    assert_eq!(*network.asked.lock().unwrap(), ["api.example.test"]);
    assert_eq!(network.dialled(), [format!("{PUBLIC}:80")]);
    // The next connection asks anew, and judges anew.
    for _ in 0..2 {
        let answer = edge.http(&get("http://api.example.test/"), &[], PATIENT);
        assert_eq!(answer, Err(Failure::PrivateAddress));
    }
    assert_eq!(network.dialled().len(), 1);
}

#[test]
fn private_addresses_are_dialled_only_where_they_are_granted() {
    let server = answering(EMPTY);
    for (answer, ranges, expected) in [
        (&["10.0.0.1"][..], &[][..], Err(Failure::PrivateAddress)),
        (&["10.0.0.1"], &["10.0.0.0/16"], Ok(())),
        (&["10.1.0.1"], &["10.0.0.0/16"], Err(Failure::PrivateAddress)),
        (&["::ffff:10.0.0.1"], &[], Err(Failure::PrivateAddress)),
        (&["::ffff:10.0.0.1"], &["10.0.0.0/16"], Ok(())),
        (&["64:ff9b::a00:1"], &["10.0.0.0/16"], Err(Failure::PrivateAddress)),
        (&["169.254.169.254"], &["169.254.0.0/16"], Err(Failure::PrivateAddress)),
        (&["127.0.0.1"], &["10.0.0.0/8"], Err(Failure::PrivateAddress)),
        (&["::1"], &[], Err(Failure::PrivateAddress)),
        (&["0.0.0.0"], &["127.0.0.0/8"], Err(Failure::PrivateAddress)),
        // One private address spoils a name.
        (&[PUBLIC, "10.0.0.1"], &[], Err(Failure::PrivateAddress)),
        (&[PUBLIC, "10.0.0.1"], &["10.0.0.0/8"], Ok(())),
        (&[], &["10.0.0.0/8"], Err(Failure::Unresolved)),
    ] {
        let network = Wires::default().name("db.example.test", &[answer]);
        let network = network.wire(PUBLIC, 5432, Some(server)).wire("10.0.0.1", 5432, Some(server));
        let network = Arc::new(network);
        let edge = edge(grant(&["db.example.test:5432"], ranges), network.clone());
        assert_eq!(edge.reach("db.example.test", 5432, Tls::Off, PATIENT), expected, "{answer:?} {ranges:?}");
        assert_eq!(network.dialled().is_empty(), expected.is_err(), "{answer:?} {ranges:?}");
    }
    let edge = edge(grant(&["localhost:1"], &[]), Arc::new(SystemNetwork));
    assert_eq!(edge.reach("localhost", 1, Tls::Off, PATIENT), Err(Failure::PrivateAddress));
}

#[test]
fn addresses_are_tried_in_order_and_a_few_only() {
    let server = answering(EMPTY);
    let all = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];
    for (dead, late, expected, dialled) in [
        (0, 0, Ok(()), 1),
        (1, 0, Ok(()), 2),
        (2, 0, Ok(()), 3),
        (3, 0, Err(Failure::Refused), 3),
        (0, 1, Ok(()), 2),
        (0, 3, Err(Failure::TimedOut), 3),
    ] {
        let mut network = Wires::default().name("h.example.test", &[&all]);
        for (at, address) in all.iter().enumerate().skip(dead) {
            network = network.wire(address, 80, (at >= late).then_some(server));
        }
        let network = Arc::new(network);
        let edge = edge(grant(&["h.example.test:80"], &["10.0.0.0/8"]), network.clone());
        assert_eq!(edge.reach("h.example.test", 80, Tls::Off, PATIENT), expected, "{dead} {late}");
        assert_eq!(network.dialled().len(), dialled, "{dead} {late}");
    }
}

#[test]
fn over_plain_http_secrets_stay_in_private_ranges() {
    let server = answering(EMPTY);
    let bearer = [place("token", Placement::Bearer)];
    for (answer, expected) in [
        (&["10.0.0.1"][..], true),
        (&[PUBLIC], false),
        (&["10.0.0.1", PUBLIC], false),
        (&["10.0.0.1", ALSO_PUBLIC], false),
    ] {
        let network = Wires::default().name("h.example.test", &[answer]);
        let network = network.wire(PUBLIC, 80, Some(server)).wire("10.0.0.1", 80, Some(server));
        let network = Arc::new(network);
        let edge = edge(grant(&["h.example.test:80"], &["10.0.0.0/8"]), network.clone());
        let request = get("http://h.example.test/");
        assert_eq!(edge.http(&request, &[], PATIENT).unwrap().status, 200, "{answer:?}");
        if expected {
            assert_eq!(edge.http(&request, &bearer, PATIENT).unwrap().status, 200, "{answer:?}");
            continue;
        }
        match edge.http(&request, &bearer, PATIENT) {
            Err(Failure::BadRequest(why)) => assert!(why.contains("use `https`"), "{why}"),
            other => panic!("{answer:?}: {other:?}"),
        }
        assert_eq!(network.dialled().len(), 1, "{answer:?}");
    }
}

#[test]
fn redirects_come_back_and_are_not_followed() {
    let others = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&others);
    let other = serve(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let bearer = [place("token", Placement::Bearer)];
    for (status, target) in [
        (301, format!("http://127.0.0.1:{}/", other.port())),
        (302, format!("http://other.example.test:{}/{TOKEN}", other.port())),
        (307, "http://169.254.169.254/latest/meta-data".to_owned()),
        (308, "/elsewhere".to_owned()),
    ] {
        let answer = format!("HTTP/1.1 {status} x\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
        let server = answering(answer);
        let network = Wires::default().name("h.example.test", &[&["10.0.0.1"]]);
        let network = network.name("other.example.test", &[&["10.0.0.1"]]).wire("10.0.0.1", 80, Some(server));
        let network = Arc::new(network);
        // Even where the other host is granted.
        let grant = grant(
            &["h.example.test:80", &format!("127.0.0.1:{}", other.port())],
            &["10.0.0.0/8", "127.0.0.1"],
        );
        let edge = edge(grant, network.clone());
        let response = edge.http(&get("http://h.example.test/"), &bearer, PATIENT).unwrap();
        assert_eq!(response.status, status);
        let expected = Header { name: "location".into(), value: target.replace(TOKEN, "•••") };
        assert_eq!(response.headers[0], expected);
        assert_eq!((network.asked.lock().unwrap().len(), network.dialled().len()), (1, 1), "{target}");
    }
    assert_eq!(others.load(Ordering::SeqCst), 0);
}

#[test]
fn an_edge_makes_so_many_connections_and_no_more() {
    let server = answering(EMPTY);
    let network = Arc::new(Wires::default().wire("10.0.0.1", 80, Some(server)));
    let limits = Limits { connections: 3, ..Limits::default() };
    let clock = Arc::new(Day::new("2026-07-01T00:00:00Z"));
    let grant = grant(&["10.0.0.1:80"], &["10.0.0.0/8"]);
    let edge = Edge::new(grant, BTreeMap::new(), Roots::none(), limits, network.clone(), clock);
    assert_eq!(edge.reach("10.0.0.1", 80, Tls::Off, PATIENT), Ok(()));
    // One that fails counts.
    assert_eq!(edge.reach("10.0.0.2", 80, Tls::Off, PATIENT), Err(Failure::NotGranted));
    assert_eq!(edge.http(&get("http://10.0.0.1/"), &[], PATIENT).unwrap().status, 200);
    assert_eq!(edge.http(&get("http://10.0.0.1/"), &[], PATIENT), Err(Failure::Limit));
    assert_eq!(edge.reach("10.0.0.1", 80, Tls::Off, PATIENT), Err(Failure::Limit));
    assert_eq!(network.dialled().len(), 2);
}

#[test]
fn what_was_asked_and_answered_can_be_written_down() {
    let header = Header { name: "x".into(), value: "•••".into() };
    let request = Request {
        method: "GET".into(),
        url: "https://h.test/".into(),
        headers: vec![header.clone()],
        body: Some(vec![1]),
    };
    let place: Vec<Placed> = [
        Placement::Header("x".into()),
        Placement::Query("q".into()),
        Placement::BasicPassword("u".into()),
        Placement::Bearer,
        Placement::ClientCertificate,
    ]
    .map(|at| place("password", at))
    .to_vec();
    let answers: Vec<Result<Response, Failure>> = vec![
        Ok(Response { status: 401, headers: vec![header], body: vec![0, 255] }),
        Err(Failure::PrivateAddress),
        Err(Failure::Tls("why".into())),
    ];
    let written = serde_json::to_string(&(&request, &place, &answers)).unwrap();
    let read: (Request, Vec<Placed>, Vec<Result<Response, Failure>>) =
        serde_json::from_str(&written).unwrap();
    assert_eq!(read, (request, place, answers));
    assert!(
        written.contains(r#"{"Err":"private-address"}"#) && written.contains(r#""basic-password":"u""#),
        "{written}"
    );
}
