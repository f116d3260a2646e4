//! A network that stands in for the vault's edge and a server behind it: the server gives back all
//! that it is sent, and the edge takes the secret's value out of that.

use std::time::Duration;

use sluice_plugin::{Header, NetFailure, Outside, Placed, Placement, Request, Response, Tls};

/// The value of every secret.
pub(crate) const VALUE: &str = "canary-7f3b21c9d4";

/// The one host that is granted.
pub(crate) const GRANTED: &str = "db.staging.example";

/// A server that gives back whatever it is sent.
pub(crate) struct Reflecting;

impl Outside for Reflecting {
    fn reach(&self, host: &str, _port: u16, _tls: Tls, _: Duration) -> Result<(), NetFailure> {
        if host == GRANTED { Ok(()) } else { Err(NetFailure::NotGranted) }
    }

    fn http(&self, request: &Request, place: &[Placed], _: Duration) -> Result<Response, NetFailure> {
        if !request.url.starts_with(&format!("https://{GRANTED}/")) {
            return Err(NetFailure::NotGranted);
        }
        let sent: Vec<String> = place
            .iter()
            .map(|placed| match &placed.at {
                Placement::Header(name) => format!("{name}: {VALUE}"),
                Placement::Query(name) => format!("{}?{name}={VALUE}", request.url),
                Placement::BasicPassword(user) => format!("authorization: Basic {user}:{VALUE}"),
                Placement::Bearer => format!("authorization: Bearer {VALUE}"),
                Placement::ClientCertificate => VALUE.to_owned(),
            })
            .collect();
        let clean = |text: String| text.replace(VALUE, "…");
        let headers =
            sent.iter().map(|line| Header { name: "x-echo".to_owned(), value: clean(line.clone()) });
        let body = clean(format!("{request:?} {}", sent.join("\n"))).into_bytes();
        Ok(Response { status: 200, headers: headers.collect(), body })
    }
}
