//! What a plugin asked the network, as it is told to people.
//!
//! No value of a secret is in a recording. What a server gave out, such as a session, may be in what the
//! plugin asked next: so headers, bodies and the query of a URL are not told.

use std::fmt;

use serde::Serialize;

use crate::error::shown;
use crate::outside::{Exchange, Placed, Placement, Response, Tls};

/// One question to the network and what came of it, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// A connection, or a request's method and URL.
    pub asked: String,
    /// The slots whose values were placed, each with where.
    pub placed: Vec<String>,
    /// What came back, by status and size; or why nothing did.
    pub answer: String,
    /// Whether nothing came back.
    pub failed: bool,
}

impl Exchange {
    /// The exchange in words.
    #[must_use]
    pub fn told(&self) -> Told {
        let (asked, placed, answer) = match self {
            Self::Reach { host, port, tls, answer } => {
                let over = match tls {
                    Tls::Off => "without TLS",
                    Tls::Required => "with TLS",
                };
                let answer = answer.as_ref().map(|()| "connected".to_owned());
                (format!("connect to {host}:{port} {over}"), Vec::new(), answer)
            }
            Self::Http { request, place, answer } => {
                let answer = answer.as_ref().map(|Response { status, body, .. }| {
                    let bytes = body.len();
                    format!("status {status}, {bytes} {}", if bytes == 1 { "byte" } else { "bytes" })
                });
                (
                    format!("{} {}", request.method, without_secrets(&request.url)),
                    place.iter().map(placed).collect(),
                    answer,
                )
            }
        };
        let answer = answer.unwrap_or_else(|failure| failure.to_string());
        Told { asked: shown(&asked), placed, answer: shown(&answer), failed: self.failure().is_some() }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.asked)?;
        if !self.placed.is_empty() {
            write!(f, " with {}", self.placed.join(", "))?;
        }
        write!(f, " -> {}", self.answer)
    }
}

fn placed(placed: &Placed) -> String {
    let at = match &placed.at {
        Placement::Header(name) => format!("in the header `{name}`"),
        Placement::Query(name) => format!("in the query as `{name}`"),
        Placement::BasicPassword(user) => format!("as the password of `{user}`"),
        Placement::Bearer => "as the bearer token".to_owned(),
        Placement::ClientCertificate => "as the client's certificate".to_owned(),
    };
    shown(&format!("`{}` {at}", placed.slot))
}

/// A URL without its query, and without whoever signs in by it.
fn without_secrets(url: &str) -> String {
    let (place, rest) = url.find(['?', '#']).map_or((url, ""), |at| url.split_at(at));
    let (scheme, rest_of_place) = place.split_once("://").unwrap_or(("", place));
    let (authority, path) =
        rest_of_place.find('/').map_or((rest_of_place, ""), |at| rest_of_place.split_at(at));
    let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(_, host)| ("…@", host));
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    format!("{scheme}{user}{host}{path}{}", if rest.is_empty() { "" } else { "?…" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::{Header, NetFailure, Request};

    #[test]
    fn an_exchange_is_told_without_what_could_be_secret() {
        let reach = |tls, answer| Exchange::Reach { host: "db.example".into(), port: 5432, tls, answer };
        let http = |url: &str, place: &[(&str, Placement)], answer| Exchange::Http {
            request: Request {
                method: "GET".into(),
                url: url.into(),
                headers: vec![Header { name: "x-session".into(), value: "hunter2".into() }],
                body: Some(b"hunter2".to_vec()),
            },
            place: place.iter().map(|(slot, at)| Placed { slot: (*slot).into(), at: at.clone() }).collect(),
            answer,
        };
        let response = |body: &str| {
            let headers = vec![Header { name: "set-cookie".into(), value: "hunter2".into() }];
            Ok(Response { status: 200, headers, body: body.into() })
        };
        let cases = [
            (reach(Tls::Required, Ok(())), "connect to db.example:5432 with TLS -> connected"),
            (
                reach(Tls::Off, Err(NetFailure::NotGranted)),
                "connect to db.example:5432 without TLS -> the host is not granted",
            ),
            (
                http("https://api.example/me", &[("token", Placement::Bearer)], response("hunter2")),
                "GET https://api.example/me with `token` as the bearer token -> status 200, 7 bytes",
            ),
            (
                http(
                    "https://me:hunter2@api.example/a@b?session=hunter2#hunter2",
                    &[
                        ("key", Placement::Header("x-key".into())),
                        ("password", Placement::BasicPassword("app".into())),
                    ],
                    Err(NetFailure::TimedOut),
                ),
                "GET https://…@api.example/a@b?… with `key` in the header `x-key`, `password` as the password of `app` \
                 -> there was no answer in time",
            ),
            (
                http(
                    "no url\u{1b}[2J?hunter2",
                    &[("id", Placement::Query("id".into())), ("cert", Placement::ClientCertificate)],
                    response("x"),
                ),
                "GET no url [2J?… with `id` in the query as `id`, `cert` as the client's certificate -> status 200, 1 byte",
            ),
        ];
        for (exchange, expected) in cases {
            let told = exchange.told();
            assert_eq!(told.to_string(), expected);
            assert_eq!(told.failed, exchange.failure().is_some());
            assert!(!serde_json::to_string(&told).unwrap().contains("hunter2"), "{told}");
        }
    }
}
