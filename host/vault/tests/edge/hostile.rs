//! Servers that do not answer as they should: too late, too much, or not at all.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_vault::edge::{Edge, Failure, Limits, Placement, Response, Roots, SystemNetwork, Tls};

use crate::outside::{
    Day, PATIENT, TOKEN, answering, edge, get, grant, is_in, place, read_request, secrets, serve,
};

fn ask(server: SocketAddr) -> Result<Response, Failure> {
    ask_within(server, PATIENT, PATIENT)
}

fn ask_within(server: SocketAddr, total: Duration, within: Duration) -> Result<Response, Failure> {
    let limits = Limits { total, ..Limits::default() };
    let clock = Arc::new(Day::new("2026-07-01T00:00:00Z"));
    let grant = grant(&[&server.to_string()], &["127.0.0.1"]);
    let edge = Edge::new(grant, secrets(), Roots::none(), limits, Arc::new(SystemNetwork), clock);
    edge.http(&get(&format!("http://{server}/")), &[place("token", Placement::Bearer)], within)
}

#[test]
fn servers_that_are_late_are_left() {
    let brief = Duration::from_millis(150);
    let silent = serve(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    // It listens, and the system accepts for it.
    let absent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dripping = |before: &'static str| {
        serve(move |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(before.as_bytes());
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(5));
            }
        })
    };
    let begun = Instant::now();
    for server in [
        silent,
        absent.local_addr().unwrap(),
        dripping("HTTP/1.1 200 OK\r\nx: "),
        dripping("HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n"),
        dripping("HTTP/1.1 200 OK\r\n\r\n"),
        dripping("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2000\r\n"),
    ] {
        // The edge's own patience, and that of who asks.
        for (total, within) in [(brief, PATIENT), (PATIENT, brief)] {
            assert_eq!(ask_within(server, total, within), Err(Failure::TimedOut));
        }
    }
    let edge = edge(grant(&[&silent.to_string()], &["127.0.0.1"]), Arc::new(SystemNetwork));
    let reached = |within| edge.reach("127.0.0.1", silent.port(), Tls::Required, within);
    assert_eq!(reached(brief), Err(Failure::TimedOut));
    assert_eq!(reached(Duration::ZERO), Err(Failure::TimedOut));
    assert!(begun.elapsed() < PATIENT);
}

#[test]
fn servers_that_never_end_are_cut_off() {
    let endless = |before: &'static str, again: &'static str| {
        serve(move |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(before.as_bytes());
            let again = again.repeat(500);
            while stream.write_all(again.as_bytes()).is_ok() {}
        })
    };
    for (before, again) in [
        ("HTTP/1.1 200 OK\r\n", "x: y\r\n"),
        ("HTTP/1.1 200 OK\r\nx: ", "endless"),
        ("HTTP/1.1 200 OK\r\n\r\n", "endless"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", "x: y\r\n"),
    ] {
        assert_eq!(ask(endless(before, again)), Err(Failure::TooLarge), "{before:?} {again:?}");
    }
    for (before, again) in [
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("", "endless"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", "endless"),
    ] {
        let answer = ask(endless(before, again));
        assert!(matches!(answer, Err(Failure::BadResponse(_))), "{before:?} {again:?}: {answer:?}");
    }
}

/// What a server says of its mistakes could be the secret.
#[test]
fn no_failure_repeats_what_a_server_sent() {
    for answer in [
        format!("{TOKEN} 200 OK\r\n\r\n"),
        format!("HTTP/1.1 {TOKEN} OK\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\n{TOKEN}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\ncontent-length: {TOKEN}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: {TOKEN}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {TOKEN}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{TOKEN}\r\n"),
    ] {
        let failure = ask(answering(answer.clone())).expect_err(&answer);
        assert!(matches!(failure, Failure::BadResponse(_)), "{failure:?}");
        assert!(!format!("{failure} {failure:?}").contains(TOKEN), "{failure:?}");
    }
}

#[test]
fn a_split_answer_is_one_answer() {
    // A second answer in the first one's place for a body: what comes after the length is not read.
    let split =
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfalse";
    let response = ask(answering(split)).unwrap();
    assert_eq!((response.status, response.body.len()), (200, 0));
    let trailing =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-late: {TOKEN}\r\n\r\n");
    let response = ask(answering(trailing)).unwrap();
    assert!(!is_in(TOKEN, &response) && response.headers.len() == 1, "{response:?}");
}

#[test]
fn nobody_at_all_is_refused() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(ask(nobody), Err(Failure::Refused));
    let closing = serve(|mut stream| {
        read_request(&mut stream);
    });
    assert_eq!(ask(closing), Err(Failure::Refused));
    let grant = grant(&["10.0.0.1:80"], &[]);
    let clock = Arc::new(Day::new("2026-07-01T00:00:00Z"));
    let edge = Edge::new(grant, secrets(), Roots::none(), Limits::default(), Arc::new(SystemNetwork), clock);
    assert_eq!(edge.http(&get("http://10.0.0.1/"), &[], PATIENT), Err(Failure::PrivateAddress));
}
