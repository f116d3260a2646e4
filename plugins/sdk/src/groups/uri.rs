//! A connection that is given as one URL, as Lowcoder spells it.

use crate::OptionType::{Flag, Text};
use crate::connection::{Account, Admission, Connection, Endpoint, Tls, to};
use crate::spec::{OptionSpec, SlotSpec, fixed, is, pair_secret, place, url_secret};

/// The URL, and whether it is used.
pub const URI: &[OptionSpec] = &[
    fixed("usingUri", Flag, "Whether the connection is given as one URL").per_environment(),
    place("uri", Text, "All of the connection as one URL"),
];

/// What hides in the URL.
pub const SECRETS: &[SlotSpec] = &[
    url_secret("uri", "uri", "The password in the URL"),
    pair_secret("uri-parameter", "uri", "password", "The password among the URL's parameters"),
];

/// A connection by the URL; options of other ways may be left over from before.
#[must_use]
pub const fn by_uri(endpoints: &'static [Endpoint]) -> Connection {
    Connection {
        when: Some(is("usingUri", &["true"])),
        tls: &[Tls::ConnectionString("uri")],
        accounts: &[Account::ConnectionString("uri")],
        admission: Admission::By(&["uri"]),
        ..to(endpoints)
    }
}
