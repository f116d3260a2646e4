//! The databases' options, platform by platform.
//!
//! ToolJet: its manifests of the four kinds, 1.x to 3.x. Lowcoder: its SQL form and connection
//! configuration, where all databases share one set of options.

use sluice_guest::OptionType::{Flag, Json, ListOfPairs, Number, Text};
use sluice_guest::options::Options;
use sluice_guest::spec::{
    KindSpec, OptionSpec, Platform, SlotSpec, choice, fixed, owned, place, secret, url_secret,
};

pub(crate) const KINDS: &[KindSpec] = &[
    tooljet(
        "postgresql",
        &[PLACE_OR_STRING, USERNAME, SSL, CONNECTION, SSH],
        &[PASSWORD, SSL_FILES, STRING, SSH_SECRETS],
    ),
    tooljet("mysql", &[PLACE, USERNAME, SSL, SOCKET, SSH], &[PASSWORD, SSL_FILES, SSH_SECRETS]),
    tooljet("mariadb", &[PLACE, USER, SSL, MARIADB], &[PASSWORD, MARIADB_FILES]),
    tooljet("mssql", &[PLACE, USERNAME, MSSQL], &[PASSWORD]),
    lowcoder("postgres"),
    lowcoder("mysql"),
    lowcoder("mariadb"),
    lowcoder("mssql"),
];

const fn tooljet(
    name: &'static str,
    options: &'static [&'static [OptionSpec]],
    slots: &'static [&'static [SlotSpec]],
) -> KindSpec {
    KindSpec { platform: Platform::ToolJet, name, options, slots }
}

const fn lowcoder(name: &'static str) -> KindSpec {
    KindSpec { platform: Platform::Lowcoder, name, options: &[PLACE, USERNAME, LOWCODER], slots: &[PASSWORD] }
}

const HOST: OptionSpec = place("host", Text, "The server's name or address");
const PORT: OptionSpec = place("port", Number, "The server's port");
const DATABASE: OptionSpec = place("database", Text, "The database on the server");

const PLACE: &[OptionSpec] = &[HOST.required(), PORT, DATABASE];

const PLACE_OR_STRING: &[OptionSpec] = &[
    HOST.unless("connection_string"),
    PORT,
    DATABASE,
    place("connection_string", Text, "All of the connection as one URL, instead of host, port and database"),
];

const USERNAME: &[OptionSpec] = &[owned("username", Text, "The account to connect as")];
const USER: &[OptionSpec] = &[owned("user", Text, "The account to connect as")];

const SSL: &[OptionSpec] = &[
    fixed("ssl_enabled", Flag, "Whether the connection is encrypted").per_environment(),
    choice(
        "ssl_certificate",
        &["none", "ca_certificate", "self_signed", "client_certificate"],
        "Which certificates are checked",
    )
    .per_environment(),
];

const CONNECTION: &[OptionSpec] = &[
    choice(
        "connection_type",
        &["manual", "string"],
        "Whether the connection is given in parts or as one URL",
    )
    .per_environment(),
    owned("connection_options", ListOfPairs, "Further parameters of the connection"),
    fixed("allow_dynamic_connection_parameters", Flag, "Whether queries may name another host or database"),
];

const SOCKET: &[OptionSpec] = &[
    choice(
        "connection_type",
        &["hostname", "socket_path"],
        "Whether the server is named by host or by socket",
    )
    .per_environment(),
    place("socket_path", Text, "The server's socket"),
    choice("protocol", &["hostname", "socket_path"], "Whether the server is named by host or by socket")
        .per_environment(),
    owned("connection_options", ListOfPairs, "Further parameters of the connection"),
    fixed("allow_dynamic_connection_parameters", Flag, "Whether queries may name another host or database"),
];

const SSH: &[OptionSpec] = &[
    choice("ssh_enabled", &["disabled", "enabled"], "Whether the connection goes through a tunnel")
        .per_environment(),
    choice("ssh_auth_type", &["private_key", "password"], "How the tunnel is opened").per_environment(),
    owned("ssh_host", Text, "The tunnel's host"),
    owned("ssh_port", Number, "The tunnel's port"),
    owned("ssh_username", Text, "The account on the tunnel's host"),
];

/// Both spellings occur: releases before 2.13 write the one, later ones the other.
const MARIADB: &[OptionSpec] = &[
    owned("connectionLimit", Number, "The most connections at a time"),
    owned("connection_limit", Number, "The most connections at a time"),
];

const MSSQL: &[OptionSpec] = &[
    place("instanceName", Text, "The named instance on the server"),
    fixed("azure", Flag, "Whether the connection is encrypted, as Azure asks for").per_environment(),
    owned("connection_options", ListOfPairs, "Further parameters of the connection"),
];

const LOWCODER: &[OptionSpec] = &[
    fixed("usingSsl", Flag, "Whether the connection is encrypted").per_environment(),
    fixed("enableTurnOffPreparedStatement", Flag, "Whether queries may turn prepared statements off"),
    fixed("isReadonly", Flag, "Whether queries may only read"),
    owned("serverTimezone", Text, "The server's time zone"),
    owned("extParams", Json, "Further parameters of the connection"),
];

const PASSWORD: &[SlotSpec] = &[secret("password", "password", "The account's password").required()];

const SSL_FILES: &[SlotSpec] = &[
    secret("ca-cert", "ca_cert", "The certificate authority's certificate"),
    secret("client-key", "client_key", "The client's private key"),
    secret("client-cert", "client_cert", "The client's certificate"),
    secret("root-cert", "root_cert", "The root certificate"),
];

const MARIADB_FILES: &[SlotSpec] = &[
    secret("ca", "ca", "The certificate authority's certificate"),
    secret("cert", "cert", "The client's certificate"),
    secret("key", "key", "The client's private key"),
];

const STRING: &[SlotSpec] =
    &[url_secret("connection-password", "connection_string", "The password in the URL")];

const SSH_SECRETS: &[SlotSpec] = &[
    secret("ssh-private-key", "ssh_private_key", "The tunnel's private key"),
    secret("ssh-passphrase", "ssh_passphrase", "The passphrase of the tunnel's private key"),
    secret("ssh-password", "ssh_password", "The password on the tunnel's host"),
];

/// The account that a source connects as.
pub(crate) fn account(options: &Options<'_>) -> Option<String> {
    ["username", "user"].into_iter().find_map(|key| options.text(key))
}

/// The option that says whether the connection is encrypted.
pub(crate) fn tls_key(spec: &KindSpec) -> Option<&'static str> {
    spec.options().map(|o| o.key).find(|key| matches!(*key, "ssl_enabled" | "usingSsl" | "azure"))
}

/// The database's port where the options name none.
pub(crate) fn usual_port(spec: &KindSpec) -> &'static str {
    match spec.name {
        "postgresql" | "postgres" => "5432",
        "mssql" => "1433",
        _ => "3306",
    }
}
