//! The databases' options, platform by platform.
//!
//! ToolJet: its manifests of the kinds, 1.x to 3.x. Lowcoder: its SQL form and connection
//! configurations, where all databases share one set of options. Appsmith: its forms.

use sluice_guest::OptionType::{Flag, Json, Number, Text, Url};
use sluice_guest::connection::{Account, Administrators, Connection, Endpoint, Tls, closed};
use sluice_guest::groups::appsmith::{self, appsmith};
use sluice_guest::groups::certificates::{FILES, SSL, SSL_ENABLED};
use sluice_guest::groups::google::service_account;
use sluice_guest::groups::oauth::{CLIENT, CLIENT_SECRETS, OAUTH, OAUTH_LISTS};
use sluice_guest::groups::server::{
    DATABASE, HOST, PARAMETERS, PASSWORD, PORT, SERVER_AND_DATABASE, USER, USERNAME, by_account,
    host_and_port,
};
use sluice_guest::groups::tunnel::{SSH, SSH_SECRETS};
use sluice_guest::spec::{
    KindSpec, OptionSpec, Platform, SlotSpec, choice, fixed, is, kind, owned, pair_secret, place, secret,
    url_secret,
};

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        options: &[PLACE_OR_STRING, USERNAME, SSL, CONNECTION, PARAMETERS, SSH],
        slots: &[PASSWORD, FILES, STRING, SSH_SECRETS],
        connections: POSTGRESQL,
        ..tooljet("postgresql")
    },
    KindSpec {
        options: &[SERVER_AND_DATABASE, USERNAME, SSL, SOCKET, PARAMETERS, SSH],
        slots: &[PASSWORD, FILES, SSH_SECRETS],
        connections: &[by_account(&[host_and_port("3306")], SSL_ENABLED)],
        ..tooljet("mysql")
    },
    KindSpec {
        options: &[SERVER_AND_DATABASE, USER, SSL, MARIADB],
        slots: &[PASSWORD, MARIADB_FILES],
        connections: &[Connection {
            accounts: &[Account::Option("user")],
            ..by_account(&[host_and_port("3306")], SSL_ENABLED)
        }],
        ..tooljet("mariadb")
    },
    KindSpec {
        options: &[SERVER_AND_DATABASE, USERNAME, MSSQL, PARAMETERS, SSH],
        slots: &[PASSWORD, SSH_SECRETS],
        connections: &[by_account(&[host_and_port("1433")], &[Tls::Flag("azure")])],
        ..tooljet("mssql")
    },
    KindSpec {
        options: &[ORACLE, USERNAME],
        slots: &[PASSWORD, WALLET],
        connections: &[by_account(&[host_and_port("1521")], SSL_ENABLED)],
        ..tooljet("oracledb")
    },
    KindSpec {
        options: &[SNOWFLAKE, USERNAME, OAUTH],
        slots: &[SNOWFLAKE_SECRETS, OAUTH_LISTS],
        connections: &[by_account(
            &[Endpoint::Around("https://", "account", ".snowflakecomputing.com")],
            &[Tls::Scheme],
        )],
        administrators: Administrators { accounts: ADMINISTRATORS, roles: Some(is("role", POWERFUL)) },
        ..tooljet("snowflake")
    },
    KindSpec {
        options: &[SERVER_AND_DATABASE, USERNAME],
        slots: &[PASSWORD],
        // The connector encrypts on this port and on no other.
        connections: &[by_account(&[host_and_port("443")], &[Tls::Only(is("port", &["443"]))])],
        ..tooljet("saphana")
    },
    KindSpec {
        options: &[SERVER_AND_DATABASE, USERNAME, CLICKHOUSE],
        slots: &[PASSWORD_OF_CLICKHOUSE],
        connections: &[by_account(&[host_and_port("8123")], &[Tls::Only(is("protocol", &["https"]))])],
        ..tooljet("clickhouse")
    },
    KindSpec {
        options: &[BIGQUERY, CLIENT, OAUTH_OF_GOOGLE],
        slots: &[&[service_account("private-key", "private_key")], CLIENT_SECRETS],
        connections: &[closed(&[Endpoint::Always("https://bigquery.googleapis.com")])],
        ..tooljet("bigquery")
    },
    lowcoder("postgres", &[by_account(&[host_and_port("5432")], USING_SSL)]),
    lowcoder("mysql", &[by_account(&[host_and_port("3306")], USING_SSL)]),
    lowcoder("mariadb", &[by_account(&[host_and_port("3306")], USING_SSL)]),
    lowcoder("mssql", &[by_account(&[host_and_port("1433")], USING_SSL)]),
    lowcoder("clickHouse", &[by_account(&[host_and_port("8123")], USING_SSL)]),
    // Its host is the account's own, and its driver speaks nothing but HTTPS.
    lowcoder("snowflake", &[by_account(&[host_and_port("443")], &[Tls::Always])]),
    KindSpec {
        options: &[LOWCODER_ORACLE, USERNAME, LOWCODER],
        slots: &[PASSWORD, JDBC],
        ..lowcoder(
            "oracle",
            &[by_account(
                &[Endpoint::ConnectionString { key: "jdbcUrl", usual: "1521" }, host_and_port("1521")],
                &[],
            )],
        )
    },
    of_appsmith("postgres-plugin", &[appsmith::by_server(&[appsmith::servers("5432")], appsmith::SSL_TYPE)]),
    of_appsmith("mysql-plugin", &[appsmith::by_server(&[appsmith::servers("3306")], appsmith::SSL_TYPE)]),
    of_appsmith("redshift-plugin", &[appsmith::by_server(&[appsmith::servers("5439")], appsmith::SSL_TYPE)]),
    of_appsmith("oracle-plugin", &[appsmith::by_server(&[appsmith::servers("1521")], appsmith::SSL_TYPE)]),
    KindSpec {
        options: &[APPSMITH_SNOWFLAKE, appsmith::ACCOUNT, appsmith::COMMON],
        slots: &[appsmith::PASSWORD],
        connections: &[appsmith::by_server(
            &[Endpoint::Around("https://", "url", ".snowflakecomputing.com")],
            &[Tls::Scheme],
        )],
        administrators: Administrators {
            accounts: ADMINISTRATORS,
            roles: Some(is("properties/3/value", POWERFUL)),
        },
        ..appsmith("snowflake-plugin")
    },
];

const fn tooljet(name: &'static str) -> KindSpec {
    KindSpec { administrators: Administrators::named(ADMINISTRATORS), ..kind(Platform::ToolJet, name) }
}

const fn lowcoder(name: &'static str, connections: &'static [Connection]) -> KindSpec {
    KindSpec {
        options: &[SERVER_AND_DATABASE, USERNAME, LOWCODER],
        slots: &[PASSWORD],
        connections,
        administrators: Administrators::named(ADMINISTRATORS),
        ..kind(Platform::Lowcoder, name)
    }
}

const fn of_appsmith(name: &'static str, connections: &'static [Connection]) -> KindSpec {
    KindSpec {
        options: &[appsmith::SERVER, appsmith::DATABASE, appsmith::SSL, appsmith::COMMON],
        slots: &[appsmith::PASSWORD, appsmith::FILES],
        connections,
        administrators: Administrators::named(ADMINISTRATORS),
        ..appsmith(name)
    }
}

/// Accounts that come with the database or a hosted service and may do everything.
const ADMINISTRATORS: &[&str] = &[
    "root",
    "postgres",
    "sa",
    "admin",
    "administrator",
    "mysql",
    "mariadb.sys",
    "rdsadmin",
    "cloudsqladmin",
    "sys",
    "system",
    "awsuser",
];

const PLACE_OR_STRING: &[OptionSpec] = &[
    HOST.unless("connection_string"),
    PORT,
    DATABASE,
    place("connection_string", Text, "All of the connection as one URL, instead of host, port and database"),
];

const STRING: &[SlotSpec] = &[
    url_secret("connection-password", "connection_string", "The password in the URL"),
    pair_secret("connection-parameter", "connection_string", "password", "The password among the parameters"),
];

/// An option of the other way may be left over from before.
const POSTGRESQL: &[Connection] = &[
    Connection {
        when: Some(is("connection_type", &["string"])),
        tls: &[Tls::ConnectionString("connection_string"), Tls::Flag("ssl_enabled")],
        accounts: &[Account::ConnectionString("connection_string")],
        ..by_account(&[POSTGRESQL_STRING], &[])
    },
    by_account(&[host_and_port("5432"), POSTGRESQL_STRING], SSL_ENABLED),
];
const POSTGRESQL_STRING: Endpoint = Endpoint::ConnectionString { key: "connection_string", usual: "5432" };

const CONNECTION: &[OptionSpec] = &[
    choice(
        "connection_type",
        &["manual", "string"],
        "Whether the connection is given in parts or as one URL",
    )
    .per_environment(),
    DYNAMIC,
];

const DYNAMIC: OptionSpec =
    fixed("allow_dynamic_connection_parameters", Flag, "Whether queries may name another host or database");

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
    DYNAMIC,
];

/// Both spellings occur: releases before 2.13 write the one, later ones the other.
const MARIADB: &[OptionSpec] = &[
    owned("connectionLimit", Number, "The most connections at a time"),
    owned("connection_limit", Number, "The most connections at a time"),
];

const MARIADB_FILES: &[SlotSpec] = &[
    secret("ca", "ca", "The certificate authority's certificate"),
    secret("cert", "cert", "The client's certificate"),
    secret("key", "key", "The client's private key"),
];

const MSSQL: &[OptionSpec] = &[
    place("instanceName", Text, "The named instance on the server"),
    fixed("azure", Flag, "Whether the connection is encrypted, as Azure asks for").per_environment(),
];

const ORACLE: &[OptionSpec] = &[
    HOST.like_bundle(),
    PORT,
    DATABASE,
    choice("database_type", &["SID", "SERVICE_NAME"], "Whether `database` is a SID or a service")
        .per_environment(),
    fixed("ssl_enabled", Flag, "Whether the connection is encrypted").per_environment(),
    choice("use_tns_alias", &["no", "thick", "thin"], "Whether an alias names the server").per_environment(),
    place("tns_alias", Text, "The alias of the server"),
    owned("config_dir", Text, "The folder that explains aliases"),
    owned("wallet_file_path", Text, "The folder of the wallet"),
    choice("client_path_type", &["default", "custom"], "Where the client library is").per_environment(),
    owned("path", Text, "The folder of the client library"),
    owned("instant_client_version", Text, "The version of the client library"),
];

const WALLET: &[SlotSpec] = &[
    secret("wallet-file", "wallet_file", "The wallet, which signs in for whoever has it"),
    secret("wallet-password", "wallet_password", "The wallet's password"),
];

const SNOWFLAKE: &[OptionSpec] = &[
    place("account", Text, "The account's identifier").required(),
    DATABASE,
    place("schema", Text, "The schema in the database"),
    owned("warehouse", Text, "The warehouse that computes"),
    owned("role", Text, "The role that is taken on"),
    choice("auth_type", &["basic", "oauth2", "bearer_token", "key_pair"], "How the account proves itself")
        .per_environment(),
    DYNAMIC,
];

const SNOWFLAKE_SECRETS: &[SlotSpec] = &[
    secret("password", "password", "The account's password").needed_when("auth_type", &["", "basic"]),
    secret("bearer-token", "bearer_token", "The token").needed_when("auth_type", &["bearer_token"]),
    secret("private-key", "private_key", "The account's private key").needed_when("auth_type", &["key_pair"]),
    secret("private-key-passphrase", "private_key_passphrase", "The passphrase of the private key"),
    secret("client-secret", "client_secret", "The client's secret of OAuth 2.0")
        .needed_when("auth_type", &["oauth2"]),
];

/// Roles that come with every account and may change it.
const POWERFUL: &[&str] = &["ACCOUNTADMIN", "ORGADMIN", "SECURITYADMIN", "SYSADMIN", "USERADMIN"];

const CLICKHOUSE: &[OptionSpec] = &[
    choice("protocol", &["http", "https"], "Whether the connection is encrypted").per_environment(),
    fixed("usePost", Text, "Whether queries are sent as POST"),
    fixed("trimQuery", Text, "Whether queries are trimmed"),
    fixed("isUseGzip", Text, "Whether answers are compressed"),
    fixed("raw", Text, "Whether answers are passed on as they come"),
    owned("session_id", Text, "The session that queries share"),
    owned("session_timeout", Text, "After how many seconds the session ends"),
    owned("debug", Text, "Whether the driver tells what it does"),
];

const PASSWORD_OF_CLICKHOUSE: &[SlotSpec] = &[secret("password", "password", "The account's password")];

const BIGQUERY: &[OptionSpec] = &[
    place("project_id", Text, "The project that pays and is asked by default"),
    owned("location", Text, "Where the data sets are"),
    choice("authentication_type", &["oauth2", "service_account"], "How the source proves itself")
        .per_environment(),
    fixed("scope", Text, "What the account asks to be allowed"),
];

const OAUTH_OF_GOOGLE: &[OptionSpec] = &[
    choice("grant_type", &["authorization_code"], "The flow of OAuth 2.0"),
    owned("oauth_type", Text, "Whose client it is"),
    owned("auth_type", Text, "How the client proves itself"),
    owned("auth_url", Url, "Where a person consents"),
    owned("access_token_url", Url, "Where tokens come from"),
    owned("redirect_url", Url, "Where the person comes back to"),
    owned("allowed_auth_types", Text, "The ways to prove oneself that the form offers"),
];

const USING_SSL: &[Tls] = &[Tls::Flag("usingSsl")];

const LOWCODER: &[OptionSpec] = &[
    fixed("usingSsl", Flag, "Whether the connection is encrypted").per_environment(),
    fixed("enableTurnOffPreparedStatement", Flag, "Whether queries may turn prepared statements off"),
    fixed("isReadonly", Flag, "Whether queries may only read"),
    owned("serverTimezone", Text, "The server's time zone"),
    owned("extParams", Json, "Further parameters of the connection"),
];

const LOWCODER_ORACLE: &[OptionSpec] = &[
    HOST.unless("jdbcUrl"),
    PORT,
    place("sid", Text, "The database's SID"),
    place("serviceName", Text, "The database's service"),
    place("jdbcUrl", Text, "All of the connection as one URL"),
];

const JDBC: &[SlotSpec] =
    &[pair_secret("jdbc-password", "jdbcUrl", "password", "The password among the URL's parameters")];

const APPSMITH_SNOWFLAKE: &[OptionSpec] = &[
    place("url", Text, "The account's identifier").like_bundle(),
    owned("properties/0/value", Text, "The warehouse that computes"),
    place("properties/1/value", Text, "The database"),
    place("properties/2/value", Text, "The schema in the database"),
    owned("properties/3/value", Text, "The role that is taken on"),
];
