//! The network, as a probe sees it: a port that whoever holds the secrets' values implements, and
//! recordings of what came back through it.
//!
//! Nothing of this crate opens a connection, and no secret's value enters it: a request names the
//! slots to be placed, and whoever implements [`Outside`] places them and takes them out of what
//! comes back.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where a probe's questions to the network go.
///
/// An implementation connects only where the workspace grants it, resolves names itself, and keeps
/// within its own bounds of size and time. Each question has the time `within` which the plugin still
/// gets to make something of the answer: none, where that is over.
pub trait Outside: Send + Sync {
    /// Opens a connection and closes it again.
    ///
    /// # Errors
    /// Why there was none; the plugin gets it as an answer.
    fn reach(&self, host: &str, port: u16, tls: Tls, within: Duration) -> Result<(), NetFailure>;

    /// Makes one request with the values of these slots placed.
    ///
    /// # Errors
    /// Why there was no answer; the plugin gets it as an answer.
    fn http(&self, request: &Request, place: &[Placed], within: Duration) -> Result<Response, NetFailure>;
}

/// Whether a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// It is not.
    Off,
    /// It is, and the server's certificate is checked.
    Required,
}

/// Why the network gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum NetFailure {
    /// The manifest does not ask for the host, or the workspace does not grant it.
    #[error("the host is not granted")]
    NotGranted,
    /// The name has no address.
    #[error("the name has no address")]
    Unresolved,
    /// The name leads to a private address, which the workspace does not grant.
    #[error("the name leads to a private address, which is not granted")]
    PrivateAddress,
    /// Nobody listens there, or the connection was closed.
    #[error("the connection was refused")]
    Refused,
    /// There was no answer in time.
    #[error("there was no answer in time")]
    TimedOut,
    /// The encryption could not be agreed on.
    #[error("no TLS: {0}")]
    Tls(String),
    /// The answer has more bytes than are read.
    #[error("the answer is too large")]
    TooLarge,
    /// The plugin has asked as often as it may.
    #[error("the plugin has asked as often as it may")]
    Limit,
    /// The request cannot be made as it is.
    #[error("the request cannot be made: {0}")]
    BadRequest(String),
    /// A secret cannot be placed as asked, or its slot has none.
    #[error("a secret cannot be placed: {0}")]
    BadSecret(String),
    /// What came back is not HTTP.
    #[error("what came back is not HTTP")]
    BadResponse,
}

/// Where in a request a secret goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// The value of this header.
    Header(String),
    /// The value of this parameter of the query.
    Query(String),
    /// The password of the basic scheme (RFC 7617) for this user.
    BasicPassword(String),
    /// The token of the bearer scheme (RFC 6750).
    Bearer,
    /// The client's certificate with its key, both in PEM.
    ClientCertificate,
}

/// A slot whose value is placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The slot, as the plugin wrote it.
    pub slot: String,
    /// Where its value goes.
    pub at: Placement,
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A request by HTTP, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// Headers.
    pub headers: Vec<Header>,
    /// The body, if there is one.
    pub body: Option<Vec<u8>>,
}

/// What came back, with the values of secrets taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, in the order in which they came.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Vec<u8>,
}

/// What a plugin asked the network and what it was told, in order: with it a probe can be made again
/// without a network. What a host refuses by itself, such as a question of more than 64 KiB, is not
/// in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording(pub Vec<Exchange>);

impl Recording {
    /// The questions that nobody was asked: the workspace grants no such host, or no such address.
    pub fn ungranted(&self) -> impl Iterator<Item = &Exchange> {
        self.0.iter().filter(|exchange| {
            matches!(exchange.failure(), Some(NetFailure::NotGranted | NetFailure::PrivateAddress))
        })
    }
}

/// How far a question got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Distance {
    /// Nobody was asked.
    Nowhere,
    /// The network was asked, and nobody answered.
    Network,
    /// Somebody was there, whatever came of it.
    Target,
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exchange {
    /// Of [`Outside::reach`].
    Reach {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Whether encrypted.
        tls: Tls,
        /// What came of it.
        answer: Result<(), NetFailure>,
    },
    /// Of [`Outside::http`].
    Http {
        /// The request.
        request: Request,
        /// What was placed.
        place: Vec<Placed>,
        /// What came of it.
        answer: Result<Response, NetFailure>,
    },
}

impl Exchange {
    /// Why there is no answer, if there is none.
    #[must_use]
    pub const fn failure(&self) -> Option<&NetFailure> {
        match self {
            Self::Reach { answer: Err(failure), .. } | Self::Http { answer: Err(failure), .. } => {
                Some(failure)
            }
            Self::Reach { answer: Ok(()), .. } | Self::Http { answer: Ok(_), .. } => None,
        }
    }

    pub(crate) const fn distance(&self) -> Distance {
        match self.failure() {
            None | Some(NetFailure::Tls(_) | NetFailure::TooLarge | NetFailure::BadResponse) => {
                Distance::Target
            }
            Some(NetFailure::Unresolved | NetFailure::Refused | NetFailure::TimedOut) => Distance::Network,
            Some(
                NetFailure::NotGranted
                | NetFailure::PrivateAddress
                | NetFailure::Limit
                | NetFailure::BadRequest(_)
                | NetFailure::BadSecret(_),
            ) => Distance::Nowhere,
        }
    }

    /// Whether somebody was shown a secret.
    pub(crate) fn has_shown_a_secret(&self) -> bool {
        matches!(self, Self::Http { place, .. } if !place.is_empty()) && self.distance() == Distance::Target
    }
}

/// The network of a recording: it gives the recorded answers to the recorded questions in their
/// order, and to all else that nothing is granted.
#[derive(Debug)]
pub struct Replay(Mutex<VecDeque<Exchange>>);

impl Replay {
    /// The network that this recording is of.
    #[must_use]
    pub fn new(recording: Recording) -> Self {
        Self(Mutex::new(recording.0.into()))
    }

    fn next(&self, is_it: impl FnOnce(&Exchange) -> bool) -> Option<Exchange> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.pop_front_if(|exchange| is_it(exchange))
    }
}

impl Outside for Replay {
    fn reach(&self, host: &str, port: u16, tls: Tls, _: Duration) -> Result<(), NetFailure> {
        let is_it = |exchange: &Exchange| matches!(exchange, Exchange::Reach { host: h, port: p, tls: t, .. } if h == host && *p == port && *t == tls);
        match self.next(is_it) {
            Some(Exchange::Reach { answer, .. }) => answer,
            _ => Err(NetFailure::NotGranted),
        }
    }

    fn http(&self, request: &Request, place: &[Placed], _: Duration) -> Result<Response, NetFailure> {
        let is_it = |exchange: &Exchange| matches!(exchange, Exchange::Http { request: r, place: p, .. } if r == request && p == place);
        match self.next(is_it) {
            Some(Exchange::Http { answer, .. }) => answer,
            _ => Err(NetFailure::NotGranted),
        }
    }
}
