//! A server by host and port, and the account on it.

use crate::OptionType::{Number, Text};
use crate::connection::{Account, Admission, Connection, Endpoint, Tls, to};
use crate::spec::{OptionSpec, SlotSpec, choice, owned, place, secret};

/// The server's name or address.
pub const HOST: OptionSpec = place("host", Text, "The server's name or address");
/// The server's port.
pub const PORT: OptionSpec = place("port", Number, "The server's port");
/// The database on the server.
pub const DATABASE: OptionSpec = place("database", Text, "The database on the server");

/// A server.
pub const SERVER: &[OptionSpec] = &[HOST.required(), PORT];
/// A database on a server.
pub const SERVER_AND_DATABASE: &[OptionSpec] = &[HOST.required(), PORT, DATABASE];

/// The account, as most kinds spell it.
pub const USERNAME: &[OptionSpec] = &[owned("username", Text, "The account to connect as")];
/// The account, as some kinds spell it.
pub const USER: &[OptionSpec] = &[owned("user", Text, "The account to connect as")];

/// A password that must be there.
pub const PASSWORD: &[SlotSpec] = &[secret("password", "password", "The account's password").required()];
/// A password that a server may do without.
pub const PASSWORD_IF_ANY: &[SlotSpec] = &[secret("password", "password", "The account's password")];

/// Further parameters of a connection, as ToolJet lists them.
pub const PARAMETERS: &[OptionSpec] =
    &[owned("connection_options", crate::OptionType::ListOfPairs, "Further parameters of the connection")];

/// The scheme of a server that speaks HTTP.
pub const PROTOCOL: &[OptionSpec] =
    &[choice("protocol", &["http", "https"], "Whether the connection is encrypted").per_environment()];
/// What [`PROTOCOL`] says.
pub const BY_PROTOCOL: &[Tls] = &[Tls::Choice { key: "protocol", on: &["https"], off: &["http"] }];

/// A connection as the account `username` with its `password`.
#[must_use]
pub const fn by_account(endpoints: &'static [Endpoint], tls: &'static [Tls]) -> Connection {
    Connection {
        tls,
        accounts: &[Account::Option("username")],
        admission: Admission::By(&["password"]),
        ..to(endpoints)
    }
}

/// The server that the options `host` and `port` name.
#[must_use]
pub const fn host_and_port(usual: &'static str) -> Endpoint {
    Endpoint::Host { host: "host", port: "port", usual }
}
