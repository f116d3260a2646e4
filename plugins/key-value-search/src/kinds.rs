//! The options of key-value stores, search engines and stores of time series, platform by platform.
//!
//! ToolJet: its manifests of the kinds, 2.x and 3.x. Lowcoder: its connection configurations.
//! Appsmith: its form.

use sluice_guest::OptionType::{Flag, Json, Text};
use sluice_guest::connection::{Administrators, Connection, Endpoint, Tls, closed};
use sluice_guest::groups::appsmith::{self, appsmith};
use sluice_guest::groups::certificates::{FILES, SSL, SSL_ENABLED};
use sluice_guest::groups::server::{
    BY_PROTOCOL, HOST, PARAMETERS, PASSWORD_IF_ANY, PORT, PROTOCOL, SERVER, SERVER_AND_DATABASE, USERNAME,
    by_account, host_and_port,
};
use sluice_guest::groups::uri::{self, by_uri};
use sluice_guest::spec::{
    KindSpec, OptionSpec, Platform, SlotSpec, choice, fixed, header_secrets, kind, owned, place, secret,
    url_secret,
};

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        options: &[SERVER, USERNAME, REDIS, PARAMETERS],
        slots: &[PASSWORD_IF_ANY, FILES],
        connections: &[by_account(&[host_and_port("6379")], &[Tls::Flag("tls_enabled")])],
        administrators: OF_REDIS,
        ..tooljet("redis")
    },
    KindSpec {
        options: &[SERVER, USERNAME, SSL, ELASTICSEARCH],
        slots: &[PASSWORD_IF_ANY, FILES],
        connections: &[by_account(&[host_and_port("9200")], SSL_ENABLED)],
        administrators: OF_ELASTICSEARCH,
        ..tooljet("elasticsearch")
    },
    KindSpec {
        options: &[SERVER, PROTOCOL],
        slots: &[&[secret("api-key", "api_key", "The key").required()]],
        connections: &[Connection { tls: BY_PROTOCOL, ..closed(&[host_and_port("8108")]) }],
        ..tooljet("typesense")
    },
    KindSpec {
        options: &[SERVER_AND_DATABASE, PROTOCOL],
        slots: &[&[secret("api-token", "api_token", "The token").required()]],
        connections: &[Connection { tls: BY_PROTOCOL, ..closed(&[host_and_port("8086")]) }],
        ..tooljet("influxdb")
    },
    KindSpec {
        options: &[uri::URI, LOWCODER_REDIS, USERNAME],
        slots: &[PASSWORD_IF_ANY, uri::SECRETS],
        connections: LOWCODER_WAYS,
        administrators: OF_REDIS,
        ..kind(Platform::Lowcoder, "redis")
    },
    KindSpec {
        options: &[LOWCODER_ELASTICSEARCH, USERNAME],
        slots: &[PASSWORD_IF_ANY, CONNECTION_STRING],
        connections: &[by_account(
            &[Endpoint::Host { host: "connectionString", port: "", usual: "9200" }],
            &[Tls::Scheme, Tls::Flag("usingSsl")],
        )],
        administrators: OF_ELASTICSEARCH,
        ..kind(Platform::Lowcoder, "es")
    },
    KindSpec {
        options: &[appsmith::SERVER, appsmith::ACCOUNT, APPSMITH_ELASTICSEARCH, appsmith::COMMON],
        slots: &[APPSMITH_HEADERS, appsmith::PASSWORD],
        connections: &[appsmith::by_server(&[appsmith::servers("9200")], &[Tls::Scheme])],
        administrators: OF_ELASTICSEARCH,
        ..appsmith("elasticsearch-plugin")
    },
];

const fn tooljet(name: &'static str) -> KindSpec {
    kind(Platform::ToolJet, name)
}

const OF_REDIS: Administrators = Administrators::named(&["default"]);
const OF_ELASTICSEARCH: Administrators = Administrators::named(&["elastic", "admin", "superuser"]);

const REDIS: &[OptionSpec] = &[
    fixed("tls_enabled", Flag, "Whether the connection is encrypted").per_environment(),
    choice(
        "tls_certificate",
        &["none", "ca_certificate", "self_signed", "client_certificate"],
        "Which certificates are checked",
    )
    .per_environment(),
];

const ELASTICSEARCH: &[OptionSpec] = &[owned("scheme", Text, "The scheme of the server's address")];

const LOWCODER_REDIS: &[OptionSpec] =
    &[HOST, PORT, fixed("usingSsl", Flag, "Whether the connection is encrypted").per_environment()];

const LOWCODER_WAYS: &[Connection] = &[
    by_uri(&[Endpoint::ConnectionString { key: "uri", usual: "6379" }]),
    by_account(&[host_and_port("6379")], &[Tls::Flag("usingSsl")]),
];

const LOWCODER_ELASTICSEARCH: &[OptionSpec] = &[
    place("connectionString", Text, "The server's address").required(),
    place("index", Text, "The index"),
    fixed("usingSsl", Flag, "Whether the connection is encrypted").per_environment(),
];

const CONNECTION_STRING: &[SlotSpec] =
    &[url_secret("connection-password", "connectionString", "The password in the address")];

const APPSMITH_ELASTICSEARCH: &[OptionSpec] = &[owned("headers", Json, "Headers of every request")];

const APPSMITH_HEADERS: &[SlotSpec] = &[header_secrets("headers", "headers", "A secret among the headers")];
