//! Why there was no answer.

use serde::{Deserialize, Serialize};

/// Why the network gave no answer. Nothing of a secret, and nothing that a server sent, is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The host with this port is not granted.
    #[error("the host is not granted")]
    NotGranted,
    /// The name has no address.
    #[error("the name has no address")]
    Unresolved,
    /// The name, or the address itself, leads to a private address that is not granted.
    #[error("it leads to a private address, which is not granted")]
    PrivateAddress,
    /// Nobody listens there, or the connection was closed.
    #[error("the connection was refused or closed")]
    Refused,
    /// There was no answer in time.
    #[error("there was no answer in time")]
    TimedOut,
    /// The encryption could not be agreed on.
    #[error("no TLS: {0}")]
    Tls(String),
    /// The answer is larger than what is read.
    #[error("the answer is too large")]
    TooLarge,
    /// The edge was asked as often as it may be.
    #[error("there may be no more requests")]
    Limit,
    /// The request cannot be made as it is.
    #[error("the request cannot be made: {0}")]
    BadRequest(String),
    /// A secret cannot be placed as asked, or its slot has none.
    #[error("a secret cannot be placed: {0}")]
    BadSecret(String),
    /// What came back is not HTTP as it is read here.
    #[error("what came back cannot be read: {0}")]
    BadResponse(String),
}

/// At most this much of what a caller wrote is repeated in a message.
const QUOTED: usize = 80;

/// What a caller wrote, short and harmless.
pub(super) fn quoted(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(QUOTED).collect()
}

pub(super) fn bad_request(why: impl Into<String>) -> Failure {
    Failure::BadRequest(why.into())
}

pub(super) fn bad_secret(slot: &str, why: &str) -> Failure {
    Failure::BadSecret(format!("`{}` {why}", quoted(slot)))
}

/// Only fixed texts: a server could have put a secret into what it sent.
pub(super) fn bad_response(why: &'static str) -> Failure {
    Failure::BadResponse(why.to_owned())
}
