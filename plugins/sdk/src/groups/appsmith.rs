//! The members of Appsmith's `datasourceConfiguration`, the same for all its kinds.
//!
//! An export keeps authentication apart, in `decryptedFields`, in the clear; here it stands where
//! the platform has it, under `authentication`. What `properties` means goes by its place.

use crate::OptionType::{Flag, Json, Number, Text};
use crate::connection::{Account, Connection, Endpoint, Tls, to};
use crate::spec::{KindSpec, OptionSpec, Platform, SlotSpec, choice, fixed, kind, owned, place, secret};

/// A kind of Appsmith by the name of its plugin.
#[must_use]
pub const fn appsmith(name: &'static str) -> KindSpec {
    kind(Platform::Appsmith, name)
}

/// What any kind may have and none needs.
pub const COMMON: &[OptionSpec] = &[
    owned("properties", Json, "Further settings, by their place"),
    choice("connection/mode", &["READ_WRITE", "READ_ONLY"], "Whether queries may also write"),
    choice("connection/type", &["DIRECT", "REPLICA_SET"], "Whether one server or several are connected to"),
    fixed("sshProxyEnabled", Flag, "Whether the connection goes through a tunnel").per_environment(),
    owned("sshProxy", Json, "The tunnel"),
    owned("authentication/authenticationType", Text, "How the source proves itself"),
    owned("authentication/authType", Text, "How the account is checked"),
    owned("authentication/secretExists", Json, "Which secrets the platform has"),
    owned("authentication/isAuthorized", Flag, "Whether somebody has consented"),
];

/// The server.
pub const SERVER: &[OptionSpec] = &[
    place("endpoints/*/host", Text, "The server's name or address").like_bundle(),
    place("endpoints/*/port", Number, "The server's port"),
    owned("endpoints", Json, "The servers"),
];

/// The database on the server, and the account.
pub const DATABASE: &[OptionSpec] =
    &[place("authentication/databaseName", Text, "The database on the server"), USERNAME];

/// The account.
pub const ACCOUNT: &[OptionSpec] = &[USERNAME];

const USERNAME: OptionSpec = owned("authentication/username", Text, "The account to connect as");

/// Whether the connection is encrypted.
pub const SSL: &[OptionSpec] = &[
    owned("connection/ssl", Json, "How the connection is encrypted"),
    choice(
        "connection/ssl/authType",
        &[
            "DEFAULT",
            "NO_SSL",
            "ALLOW",
            "PREFER",
            "REQUIRE",
            "ENABLED",
            "DISABLE",
            "DISABLED",
            "CA_CERTIFICATE",
            "SELF_SIGNED_CERTIFICATE",
            "VERIFY_CA",
            "VERIFY_FULL",
            "NO_VERIFY",
        ],
        "Whether the connection is encrypted",
    )
    .per_environment(),
];

/// What [`SSL`] says. `DEFAULT`, `ALLOW` and `PREFER` leave it to the server.
pub const SSL_TYPE: &[Tls] = &[Tls::Choice {
    key: "connection/ssl/authType",
    on: &[
        "REQUIRE",
        "ENABLED",
        "CA_CERTIFICATE",
        "SELF_SIGNED_CERTIFICATE",
        "VERIFY_CA",
        "VERIFY_FULL",
        "NO_VERIFY",
    ],
    off: &["DISABLE", "DISABLED", "NO_SSL"],
}];

/// The account's password.
pub const PASSWORD: &[SlotSpec] = &[secret("password", "authentication/password", "The account's password")];

/// The files of [`SSL`], and what opens a tunnel.
pub const FILES: &[SlotSpec] = &[
    secret("key-file", "connection/ssl/keyFile/base64Content", "The client's private key"),
    secret("certificate-file", "connection/ssl/certificateFile/base64Content", "The client's certificate"),
    secret(
        "ca-certificate-file",
        "connection/ssl/caCertificateFile/base64Content",
        "The certificate authority's certificate",
    ),
    secret("pem-password", "connection/ssl/pemCertificate/password", "The passphrase of the certificate"),
    secret("ssh-private-key", "sshProxy/privateKey/keyFile/base64Content", "The tunnel's private key"),
    secret("ssh-passphrase", "sshProxy/privateKey/password", "The passphrase of the tunnel's private key"),
    secret("ssh-password", "sshProxy/password", "The password on the tunnel's host"),
];

/// A connection to the server.
#[must_use]
pub const fn by_server(endpoints: &'static [Endpoint], tls: &'static [Tls]) -> Connection {
    Connection { tls, accounts: &[Account::Option("authentication/username")], ..to(endpoints) }
}

/// The servers in `endpoints`.
#[must_use]
pub const fn servers(usual: &'static str) -> Endpoint {
    Endpoint::Host { host: "endpoints/*/host", port: "endpoints/*/port", usual }
}
