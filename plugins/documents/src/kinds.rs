//! The options of document stores, platform by platform.
//!
//! ToolJet: its manifests of the kinds, 2.x and 3.x. Lowcoder: its connection configuration.
//! Appsmith: its forms.

use sluice_guest::OptionType::{Flag, Json, Number, Text, Url};
use sluice_guest::connection::{Account, Administrators, Admission, Connection, Endpoint, Tls, closed, to};
use sluice_guest::groups::appsmith::{self, appsmith};
use sluice_guest::groups::aws;
use sluice_guest::groups::certificates::{FILES, SSL_ENABLED};
use sluice_guest::groups::google::service_account;
use sluice_guest::groups::server::{
    BY_PROTOCOL, DATABASE, HOST, PASSWORD, PASSWORD_IF_ANY, PORT, PROTOCOL, SERVER, SERVER_AND_DATABASE,
    USERNAME, by_account, host_and_port,
};
use sluice_guest::groups::tunnel::{SSH, SSH_SECRETS};
use sluice_guest::groups::uri::{self, by_uri};
use sluice_guest::spec::{
    KindSpec, OptionSpec, Platform, SlotSpec, choice, fixed, is, kind, owned, place, secret, url_secret,
};

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        options: &[MONGODB, USERNAME, SSH],
        slots: &[PASSWORD_IF_ANY, STRING, FILES, SSH_SECRETS],
        connections: MONGODB_WAYS,
        administrators: Administrators::named(&["root", "admin", "administrator", "mongoadmin"]),
        ..tooljet("mongodb")
    },
    KindSpec {
        options: &[SERVER_AND_DATABASE, USERNAME, PROTOCOL],
        slots: &[PASSWORD_IF_ANY],
        connections: &[by_account(&[host_and_port("5984")], BY_PROTOCOL)],
        administrators: Administrators::named(&["admin", "administrator"]),
        ..tooljet("couchdb")
    },
    KindSpec {
        slots: &[&[service_account("gcp-key", "gcp_key").required()]],
        connections: &[closed(&[FIRESTORE])],
        ..tooljet("firestore")
    },
    KindSpec {
        options: &[&[place("endpoint", Url, "The account's address").required()]],
        slots: &[&[secret("key", "key", "The account's key, which may do everything").required()]],
        connections: &[closed(&[Endpoint::Urls(&["endpoint"])])],
        ..tooljet("cosmosdb")
    },
    KindSpec {
        options: &[aws::ACCOUNT],
        slots: &[aws::SECRET],
        connections: &[aws::closed(&[Endpoint::Aws { service: "dynamodb", region: "region" }])],
        ..tooljet("dynamodb")
    },
    KindSpec {
        options: &[SERVER_AND_DATABASE, USERNAME, PROTOCOL, RETHINKDB],
        slots: &[PASSWORD_IF_ANY],
        // The driver's port speaks a protocol of its own, which the form does not say is encrypted.
        connections: &[by_account(&[host_and_port("28015")], &[])],
        administrators: Administrators::named(&["admin"]),
        ..tooljet("rethinkdb")
    },
    KindSpec {
        options: &[SERVER, USERNAME, HARPERDB],
        slots: &[PASSWORD],
        connections: &[by_account(&[host_and_port("9925")], SSL_ENABLED)],
        administrators: Administrators::named(&["HDB_ADMIN", "admin", "administrator"]),
        ..tooljet("harperdb")
    },
    KindSpec {
        options: &[uri::URI, LOWCODER_MONGODB, USERNAME],
        slots: &[PASSWORD_IF_ANY, uri::SECRETS],
        connections: LOWCODER_WAYS,
        administrators: Administrators::named(&["root", "admin", "administrator", "mongoadmin"]),
        ..kind(Platform::Lowcoder, "mongodb")
    },
    KindSpec {
        options: &[APPSMITH_MONGODB, appsmith::SERVER, appsmith::DATABASE, appsmith::SSL, appsmith::COMMON],
        slots: &[APPSMITH_URI, appsmith::PASSWORD, appsmith::FILES],
        connections: APPSMITH_WAYS,
        administrators: Administrators::named(&["root", "admin", "administrator", "mongoadmin"]),
        ..appsmith("mongo-plugin")
    },
    KindSpec {
        options: &[APPSMITH_DYNAMODB, appsmith::COMMON],
        slots: &[appsmith::PASSWORD],
        connections: &[appsmith::by_server(
            &[Endpoint::Aws { service: "dynamodb", region: "authentication/databaseName" }],
            &[Tls::Scheme],
        )],
        ..appsmith("dynamo-plugin")
    },
    KindSpec {
        options: &[APPSMITH_FIRESTORE, appsmith::COMMON],
        slots: &[&[service_account("service-account", "authentication/password")]],
        connections: &[to(&[FIRESTORE])],
        ..appsmith("firestore-plugin")
    },
];

const fn tooljet(name: &'static str) -> KindSpec {
    kind(Platform::ToolJet, name)
}

const FIRESTORE: Endpoint = Endpoint::Always("https://firestore.googleapis.com");

const MONGODB: &[OptionSpec] = &[
    HOST.when("connection_type", &["manual"]),
    PORT,
    DATABASE,
    choice(
        "connection_type",
        &["manual", "string"],
        "Whether the connection is given in parts or as one URL",
    )
    .per_environment(),
    choice("connection_format", &["mongodb", "mongodb+srv"], "Whether the DNS knows the servers")
        .per_environment(),
    place("connection_string", Text, "All of the connection as one URL, instead of host, port and database"),
    fixed("use_ssl", Flag, "Whether the connection is encrypted").per_environment(),
    choice(
        "tls_certificate",
        &["none", "ca_certificate", "client_certificate"],
        "Which certificates are checked, if the connection is encrypted",
    )
    .per_environment(),
    owned("query_params", Text, "Further parameters of the connection"),
];

/// ToolJet keeps all of the URL as a secret; where it does not, the password alone is taken out.
const STRING: &[SlotSpec] =
    &[url_secret("connection-string", "connection_string", "The password in the URL")
        .or_whole()
        .needed_when("connection_type", &["string"])];

/// An option of the other way may be left over from before.
const MONGODB_WAYS: &[Connection] = &[
    Connection {
        when: Some(is("connection_type", &["string"])),
        endpoints: &[MONGODB_STRING],
        tls: &[Tls::ConnectionString("connection_string")],
        accounts: &[Account::ConnectionString("connection_string")],
        admission: Admission::By(&["connection_string"]),
    },
    Connection {
        when: Some(is("connection_format", &["mongodb+srv"])),
        ..by_account(&[Endpoint::Around("mongodb+srv://", "host", "")], &[Tls::Scheme])
    },
    by_account(
        &[host_and_port("27017"), MONGODB_STRING],
        &[Tls::Choice {
            key: "tls_certificate",
            on: &["ca_certificate", "client_certificate"],
            off: &["none", ""],
        }],
    ),
];
const MONGODB_STRING: Endpoint = Endpoint::ConnectionString { key: "connection_string", usual: "27017" };

const RETHINKDB: &[OptionSpec] =
    &[owned("ssl", Text, "The certificate authority's certificate, or its file")];

const HARPERDB: &[OptionSpec] =
    &[fixed("ssl_enabled", Flag, "Whether the connection is encrypted").per_environment()];

const LOWCODER_MONGODB: &[OptionSpec] = &[
    fixed("srvMode", Flag, "Whether the DNS knows the servers").per_environment(),
    fixed("ssl", Flag, "Whether the connection is encrypted").per_environment(),
    HOST,
    PORT,
    place("endpoints", Json, "The servers of a replica set"),
    place("endpoints/*/host", Text, "A server's name or address"),
    place("endpoints/*/port", Number, "A server's port"),
    DATABASE,
    owned("authMechanism", Text, "How the account is checked"),
];

const LOWCODER_WAYS: &[Connection] = &[
    by_uri(&[Endpoint::ConnectionString { key: "uri", usual: "27017" }]),
    Connection {
        when: Some(is("srvMode", &["true"])),
        ..by_account(&[Endpoint::Around("mongodb+srv://", "host", "")], &[Tls::Flag("ssl")])
    },
    by_account(
        &[
            Endpoint::Host { host: "endpoints/*/host", port: "endpoints/*/port", usual: "27017" },
            host_and_port("27017"),
        ],
        &[Tls::Flag("ssl")],
    ),
];

const APPSMITH_MONGODB: &[OptionSpec] = &[
    choice("properties/0/value", &["Yes", "No"], "Whether the connection is given as one URL")
        .per_environment(),
    place("properties/1/value", Text, "All of the connection as one URL"),
    place("connection/defaultDatabaseName", Text, "The database that queries go to"),
];

const APPSMITH_URI: &[SlotSpec] =
    &[url_secret("connection-string", "properties/1/value", "The password in the URL")];

const APPSMITH_WAYS: &[Connection] = &[
    Connection {
        when: Some(is("properties/0/value", &["Yes"])),
        tls: &[Tls::ConnectionString("properties/1/value")],
        accounts: &[Account::ConnectionString("properties/1/value")],
        ..to(&[Endpoint::ConnectionString { key: "properties/1/value", usual: "27017" }])
    },
    appsmith::by_server(&[appsmith::servers("27017")], appsmith::SSL_TYPE),
];

const APPSMITH_DYNAMODB: &[OptionSpec] = &[
    place("authentication/username", Text, "The account's key id"),
    owned("authentication/databaseName", Text, "The region of the tables"),
];

const APPSMITH_FIRESTORE: &[OptionSpec] = &[
    place("url", Url, "The database's address").like_bundle(),
    place("authentication/username", Text, "The project's id"),
];
