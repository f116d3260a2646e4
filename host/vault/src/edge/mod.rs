//! The edge at which secrets leave for a probe's network traffic, and what is kept from coming back.
//!
//! An [`Edge`] opens connections for one probe, to hosts that were granted, and makes single HTTP/1.1 requests with
//! secrets placed in them.
//!
//! - **Where to.** Only to a granted host and port. A name is resolved here, once, and each of its addresses is checked;
//!   one that is private and not granted refuses the whole name. The connection goes to an address that was checked, and
//!   nothing asks for the name again, so that a resolver which changes its mind gains nothing. TLS checks the server's
//!   certificate by the name. No proxy is used.
//! - **Redirects** are not followed, not even to granted hosts: the status and `location` come back, and whoever wants to
//!   go there asks again and is judged again. So no secret is ever placed by a server's choice.
//! - **Secrets over plain `http`** are placed only where all addresses of the host lie in private ranges that were granted:
//!   somebody has said then that this network is their own. Everywhere else it has to be `https`.
//! - **What comes back** is bounded, in time as well, must not be compressed, and has the secrets taken out of it in the
//!   encodings that servers return them in: all that were given to the edge, whichever of them the request carries, and in
//!   each form in which any request has carried one. A server may well show in one answer what came with another request.
//!
//! Whoever reads what comes back could try values out against a server that echoes: what is equal to a secret is marked.
//! So secrets below 8 bytes are neither placed nor looked for, a request has room for a few thousand guesses only, and
//! the number of requests is bounded.
//!
//! ## Memory
//! The secrets lie in the edge as long as it lives, and are wiped with it. The request and the answer lie in memory that is wiped. What
//! cannot be wiped, until that memory is used again: the kernel's socket buffers; the TLS library's buffers, in which what
//! is sent is encrypted in place and what a server returns is decrypted; and of a client's certificate the PEM reader's
//! scratch memory and the key with which the TLS library signs.

mod address;
mod failure;
mod grant;
mod network;
mod placement;
mod request;
mod response;
mod scrub;
mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Secret;
use failure::bad_request;
use grant::{Host, Place};
use network::{Deadline, Timed, is_late};
use placement::Ready;
use request::Checked;
use scrub::Scrubber;

pub use failure::Failure;
pub use grant::{Grant, HostPattern, NotGrantable, PrivateRange};
pub use network::{Clock, Network, SystemNetwork};
pub use placement::{Placed, Placement};
pub use request::{Header, Request};
pub use response::Response;
pub use tls::{NotAuthorities, Roots};

/// Whether a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// It is not.
    Off,
    /// It is, and the server's certificate is checked by the host's name.
    Required,
}

/// Bounds of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all, whatever came of them.
    pub connections: u32,
    /// From a question to its answer, with names, connection and TLS, where who asks has that much time.
    pub total: Duration,
    /// To connect to one address.
    pub connect: Duration,
    /// Bytes of an answer's body.
    pub body: usize,
}

impl Default for Limits {
    /// 16 connections: to reach, to ask, and to go through a few stations of a sign-in. 10 s, of which 3 s for each of at
    /// most three addresses: a server that takes longer is not well. 256 KiB: what says whether credentials are good is
    /// far shorter.
    fn default() -> Self {
        Self {
            connections: 16,
            total: Duration::from_secs(10),
            connect: Duration::from_secs(3),
            body: 256 << 10,
        }
    }
}

/// Addresses of a name that are tried, one after another. 3: with the default limits all of them get their time.
const TRIED_MOST: usize = 3;

/// The network as one probe may use it. Calls block until there is an answer or the time is over.
pub struct Edge {
    grant: Grant,
    secrets: BTreeMap<String, Secret>,
    scrubber: Scrubber,
    roots: Roots,
    limits: Limits,
    network: Arc<dyn Network>,
    clock: Arc<dyn Clock>,
    connections: AtomicU32,
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge")
            .field("grant", &self.grant)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Edge {
    /// An edge for one probe, with the secrets that it may place, by slot. TLS draws its randomness from the operating
    /// system.
    #[must_use]
    pub fn new(
        grant: Grant,
        secrets: BTreeMap<String, Secret>,
        roots: Roots,
        limits: Limits,
        network: Arc<dyn Network>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let scrubber = placement::look_for(&secrets);
        Self { grant, secrets, scrubber, roots, limits, network, clock, connections: AtomicU32::new(0) }
    }

    /// Opens a connection and closes it again, `within` this time; sends nothing but what TLS needs.
    ///
    /// # Errors
    /// [`Failure`] says why there was none.
    pub fn reach(&self, host: &str, port: u16, tls: Tls, within: Duration) -> Result<(), Failure> {
        self.count()?;
        let deadline = self.deadline(within);
        let quoted = failure::quoted(host);
        let host =
            Host::parse(host).map_err(|why| bad_request(format!("`{quoted}` is not a host: {why}")))?;
        let (addresses, _) = self.addresses(&host, port, deadline)?;
        let tcp = self.connect(&addresses, port, deadline)?;
        if tls == Tls::Required {
            self.client(None, None).connect(&host, tcp)?;
        }
        Ok(())
    }

    /// Makes one request `within` this time, with the secrets of these slots placed, and takes all secrets out of what
    /// comes back.
    ///
    /// # Errors
    /// [`Failure`] says why there was no answer; an answer of any status is one.
    pub fn http(&self, request: &Request, place: &[Placed], within: Duration) -> Result<Response, Failure> {
        self.count()?;
        let deadline = self.deadline(within);
        let request = Checked::new(request)?;
        placement::check(&request, place)?;
        let (addresses, network) = self.addresses(&request.host, request.port, deadline)?;
        if !place.is_empty() && !request.is_https && network == Place::Public {
            return Err(bad_request(
                "over plain `http` secrets are placed only within a private range that was granted; use `https`",
            ));
        }
        let ready = Ready::new(place, &self.secrets, &self.scrubber)?;
        let tcp = self.connect(&addresses, request.port, deadline)?;
        let mut stream: Box<dyn Stream + '_> = if request.is_https {
            let client = self.client(ready.identity.as_ref(), Some(b"http/1.1"));
            Box::new(client.connect(&request.host, tcp)?)
        } else {
            Box::new(tcp)
        };
        let bytes = request.write(&ready.query, &ready.headers);
        let sent = stream.write_all(&bytes).and_then(|()| stream.flush());
        drop(bytes);
        sent.map_err(|error| tls::failure(&error).unwrap_or(Failure::Refused))?;
        response::read(&mut *stream, request.method, self.limits.body, &self.scrubber)
    }

    fn deadline(&self, within: Duration) -> Deadline<'_> {
        Deadline::new(&*self.clock, self.limits.total.min(within))
    }

    fn count(&self) -> Result<(), Failure> {
        let counted = self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |made| {
            (made < self.limits.connections).then_some(made.saturating_add(1))
        });
        counted.map(drop).map_err(|_| Failure::Limit)
    }

    /// The addresses of a granted host, all of which may be connected to, and whether any of them is public.
    fn addresses(
        &self,
        host: &Host,
        port: u16,
        deadline: Deadline<'_>,
    ) -> Result<(Vec<IpAddr>, Place), Failure> {
        if !self.grant.allows(host, port) {
            return Err(Failure::NotGranted);
        }
        let found = match host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self
                .network
                .resolve(name, deadline.left()?)
                .map_err(|error| if is_late(&error) { Failure::TimedOut } else { Failure::Unresolved })?,
        };
        let mut addresses = Vec::new();
        let mut network = Place::Own;
        for address in found.iter().map(IpAddr::to_canonical) {
            match self.grant.place(address).ok_or(Failure::PrivateAddress)? {
                Place::Public => network = Place::Public,
                Place::Own => {}
            }
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() { Err(Failure::Unresolved) } else { Ok((addresses, network)) }
    }

    fn connect<'t>(
        &self,
        addresses: &[IpAddr],
        port: u16,
        deadline: Deadline<'t>,
    ) -> Result<Timed<'t>, Failure> {
        let mut failure = Failure::Refused;
        for address in addresses.iter().take(TRIED_MOST) {
            let within = deadline.left()?.min(self.limits.connect);
            match self.network.connect(SocketAddr::new(*address, port), within) {
                Ok(tcp) => return Ok(Timed::new(tcp, deadline)),
                Err(error) => failure = if is_late(&error) { Failure::TimedOut } else { Failure::Refused },
            }
        }
        Err(failure)
    }

    fn client<'a>(
        &'a self,
        identity: Option<&'a tls::Identity>,
        protocol: Option<&'static [u8]>,
    ) -> tls::Client<'a> {
        tls::Client { roots: &self.roots, now: self.clock.now(), identity, protocol }
    }
}

/// A connection, encrypted or not.
trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}
