//! The tables of the first-party plugins, kind by kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::built::{
    IN_OTHER_LANGUAGES, component, examples, host_with_cache, input, registry, repository, slot, tables,
    tooljet,
};
use serde_json::{Value, json};
use sluice_guest::connection::{Admission, Connection};
use sluice_guest::spec::KindSpec;
use sluice_model::Kind;
use sluice_model::slot::SecretShape;
use sluice_plugin::{KindDescription, Sameness, Traits};

fn described() -> impl Iterator<Item = &'static KindDescription> {
    registry().plugins().iter().flat_map(|plugin| plugin.describe())
}

/// Traits in one line, without what is not known.
fn line(traits: &Traits) -> String {
    let mut line = traits.endpoints.join(" ");
    let flags = [("tls", traits.tls), ("privileged", traits.privileged), ("public", traits.public_access)];
    if let Some(account) = &traits.account {
        write!(line, " as {account}").unwrap();
    }
    for (name, flag) in flags.into_iter().filter_map(|(name, flag)| Some((name, flag?))) {
        write!(line, ", {}{name}", if flag { "" } else { "not " }).unwrap();
    }
    line
}

/// Options of each kind, the shortest that tell something, with the traits that follow. A text in
/// angle brackets is a slot.
fn rows() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        // SQL.
        (
            "tooljet/postgresql",
            json!({"host": "db", "username": "app", "ssl_enabled": true, "password": "<password>"}),
            "db:5432 as app, tls, not privileged, not public",
        ),
        (
            "tooljet/postgresql",
            json!({"host": "db", "password": "<password>"}),
            "db:5432, not tls, not public",
        ),
        (
            "tooljet/postgresql",
            json!({"connection_type": "string", "host": "localhost",
                "connection_string": "postgres://postgres@db:7/x?sslmode=require"}),
            "db:7 as postgres, tls, privileged, not public",
        ),
        (
            "tooljet/mysql",
            json!({"host": "db", "port": 1, "username": "root", "ssl_enabled": false}),
            "db:1 as root, not tls, privileged, not public",
        ),
        (
            "tooljet/mariadb",
            json!({"host": "db", "user": "app"}),
            "db:3306 as app, not tls, not privileged, not public",
        ),
        (
            "tooljet/mssql",
            json!({"host": "db", "username": "sa", "azure": true}),
            "db:1433 as sa, tls, privileged, not public",
        ),
        (
            "tooljet/oracledb",
            json!({"host": "db", "username": "SYSTEM", "ssl_enabled": true}),
            "db:1521 as SYSTEM, tls, privileged, not public",
        ),
        (
            "tooljet/snowflake",
            json!({"account": "xy1.eu", "username": "app", "role": "AccountAdmin"}),
            "https://xy1.eu.snowflakecomputing.com as app, tls, privileged, not public",
        ),
        (
            "tooljet/saphana",
            json!({"host": "db", "port": "443", "username": "app"}),
            "db:443 as app, tls, not privileged, not public",
        ),
        (
            "tooljet/saphana",
            json!({"host": "db", "port": 30015, "username": "app"}),
            "db:30015 as app, not tls, not privileged, not public",
        ),
        (
            "tooljet/clickhouse",
            json!({"host": "db", "username": "app", "protocol": "https"}),
            "db:8123 as app, tls, not privileged, not public",
        ),
        ("tooljet/clickhouse", json!({"host": "db", "protocol": "http"}), "db:8123, not tls, public"),
        (
            "tooljet/bigquery",
            json!({"private_key": "<private-key>"}),
            "https://bigquery.googleapis.com, tls, not public",
        ),
        (
            "lowcoder/postgres",
            json!({"host": "db", "username": "app", "usingSsl": true}),
            "db:5432 as app, tls, not privileged, not public",
        ),
        (
            "lowcoder/mysql",
            json!({"host": "db", "username": "app"}),
            "db:3306 as app, not tls, not privileged, not public",
        ),
        (
            "lowcoder/mariadb",
            json!({"host": "db", "username": "root"}),
            "db:3306 as root, not tls, privileged, not public",
        ),
        (
            "lowcoder/mssql",
            json!({"host": "db", "username": "sa"}),
            "db:1433 as sa, not tls, privileged, not public",
        ),
        ("lowcoder/clickHouse", json!({"host": "db"}), "db:8123, not tls, public"),
        (
            "lowcoder/snowflake",
            json!({"host": "xy1.snowflakecomputing.com", "username": "app"}),
            "xy1.snowflakecomputing.com:443 as app, tls, not privileged, not public",
        ),
        (
            "lowcoder/oracle",
            json!({"host": "db", "sid": "X", "username": "sys"}),
            "db:1521 as sys, privileged, not public",
        ),
        ("lowcoder/oracle", json!({"jdbcUrl": "jdbc:oracle:thin:@//db:7/x"}), "db:7, public"),
        (
            "appsmith/postgres-plugin",
            json!({"endpoints": [{"host": "db", "port": 5433.0}], "connection": {"ssl": {"authType": "REQUIRE"}},
                "authentication": {"username": "app", "databaseName": "x"}}),
            "db:5433 as app, tls, not privileged",
        ),
        (
            "appsmith/postgres-plugin",
            json!({"endpoints": [{"host": "db"}], "connection": {"ssl": {"authType": "DEFAULT"}}}),
            "db:5432",
        ),
        (
            "appsmith/mysql-plugin",
            json!({"endpoints": [{"host": "a"}, {"host": "b", "port": 7}]}),
            "a:3306 b:7",
        ),
        ("appsmith/redshift-plugin", json!({"endpoints": [{"host": "db"}]}), "db:5439"),
        (
            "appsmith/oracle-plugin",
            json!({"endpoints": [{"host": "db"}], "connection": {"ssl": {"authType": "DISABLE"}}}),
            "db:1521, not tls",
        ),
        (
            "appsmith/snowflake-plugin",
            json!({"url": "xy1.aws", "properties": [null, null, null, {"value": "SYSADMIN"}]}),
            "https://xy1.aws.snowflakecomputing.com, tls, privileged",
        ),
        // Document stores.
        (
            "tooljet/mongodb",
            json!({"connection_type": "manual", "host": "db", "username": "app", "tls_certificate": "ca_certificate"}),
            "db:27017 as app, tls, not privileged, not public",
        ),
        (
            "tooljet/mongodb",
            json!({"connection_type": "manual", "host": "db", "password": "<password>"}),
            "db:27017, not tls",
        ),
        ("tooljet/mongodb", json!({"connection_type": "manual", "host": "db"}), "db:27017, not tls, public"),
        (
            "tooljet/mongodb",
            json!({"connection_format": "mongodb+srv", "host": "db.example", "username": "app"}),
            "mongodb+srv://db.example as app, tls, not privileged, not public",
        ),
        (
            "tooljet/mongodb",
            json!({"connection_type": "string", "host": "localhost", "connection_string": "<connection-string>"}),
            "",
        ),
        (
            "tooljet/couchdb",
            json!({"host": "db", "username": "admin", "protocol": "https"}),
            "db:5984 as admin, tls, privileged, not public",
        ),
        (
            "tooljet/firestore",
            json!({"gcp_key": "<gcp-key>"}),
            "https://firestore.googleapis.com, tls, not public",
        ),
        (
            "tooljet/cosmosdb",
            json!({"endpoint": "https://acme.documents.azure.com:443/", "key": "<key>"}),
            "https://acme.documents.azure.com:443, tls, not public",
        ),
        (
            "tooljet/dynamodb",
            json!({"access_key": "AK", "region": "cn-north-1"}),
            "https://dynamodb.cn-north-1.amazonaws.com.cn as AK, tls, not public",
        ),
        (
            "tooljet/rethinkdb",
            json!({"host": "db", "username": "admin"}),
            "db:28015 as admin, privileged, not public",
        ),
        (
            "tooljet/harperdb",
            json!({"host": "db", "username": "app", "ssl_enabled": false}),
            "db:9925 as app, not tls, not privileged, not public",
        ),
        (
            "lowcoder/mongodb",
            json!({"usingUri": true, "uri": "mongodb+srv://app@db.example/x"}),
            "mongodb+srv://db.example as app, tls, not privileged, not public",
        ),
        (
            "lowcoder/mongodb",
            json!({"endpoints": [{"host": "a", "port": 1}, {"host": "b"}], "ssl": true, "username": "app"}),
            "a:1 b:27017 as app, tls, not privileged, not public",
        ),
        (
            "appsmith/mongo-plugin",
            json!({"properties": [{"value": "Yes"}, {"value": "mongodb://app@a:1,b/x?tls=true"}], "endpoints": []}),
            "a:1 b:27017 as app, tls, not privileged",
        ),
        (
            "appsmith/mongo-plugin",
            json!({"properties": [{"value": "No"}], "endpoints": [{"host": "a"}],
                "connection": {"type": "DIRECT", "ssl": {"authType": "ENABLED"}}}),
            "a:27017, tls",
        ),
        (
            "appsmith/dynamo-plugin",
            json!({"authentication": {"username": "AK", "databaseName": "eu-west-1"}}),
            "https://dynamodb.eu-west-1.amazonaws.com as AK, tls",
        ),
        (
            "appsmith/firestore-plugin",
            json!({"url": "https://x.firebaseio.com"}),
            "https://firestore.googleapis.com, tls",
        ),
        // Key-value stores and search.
        (
            "tooljet/redis",
            json!({"host": "db", "username": "default", "tls_enabled": true}),
            "db:6379 as default, tls, privileged, not public",
        ),
        ("tooljet/redis", json!({"host": "db"}), "db:6379, not tls, public"),
        (
            "tooljet/elasticsearch",
            json!({"host": "https://db", "port": 9243, "username": "elastic", "ssl_enabled": true}),
            "https://db:9243 as elastic, tls, privileged, not public",
        ),
        ("tooljet/typesense", json!({"host": "db", "protocol": "http"}), "db:8108, not tls, not public"),
        ("tooljet/influxdb", json!({"host": "db", "protocol": "https"}), "db:8086, tls, not public"),
        (
            "lowcoder/redis",
            json!({"usingUri": true, "uri": "rediss://app@db"}),
            "db:6379 as app, tls, not privileged, not public",
        ),
        ("lowcoder/redis", json!({"host": "db", "usingSsl": false}), "db:6379, not tls, public"),
        (
            "lowcoder/es",
            json!({"connectionString": "http://db:9200/", "usingSsl": true}),
            "http://db:9200, not tls, public",
        ),
        ("lowcoder/es", json!({"connectionString": "db", "usingSsl": true}), "db:9200, tls, public"),
        (
            "appsmith/elasticsearch-plugin",
            json!({"endpoints": [{"host": "https://db", "port": 0.0}]}),
            "https://db, tls",
        ),
        // HTTP.
        (
            "tooljet/restapi",
            json!({"url": "https://u:p@api/v1", "auth_type": "basic", "username": "app"}),
            "https://api as app, tls, not public",
        ),
        ("tooljet/restapi", json!({"url": "http://api", "auth_type": "none"}), "http://api, not tls, public"),
        (
            "tooljet/restapi",
            json!({"url": "https://api", "auth_type": "none", "headers": [["Authorization", "<headers-0>"]]}),
            "https://api, tls",
        ),
        (
            "tooljet/restapi",
            json!({"url": "https://api", "auth_type": "oauth2", "access_token_url": "http://id", "client_id": "me"}),
            "https://api http://id as me, not tls, not public",
        ),
        ("tooljet/restapi", json!({}), ""),
        ("tooljet/graphql", json!({"url": "{{constants.API}}/graphql"}), "{{constants.API}}/graphql"),
        (
            "tooljet/grpc",
            json!({"url": "api:50051", "auth_type": "api_key", "grpc_apikey_key": "x"}),
            "api:50051, not public",
        ),
        ("tooljet/grpc", json!({"url": "api:50051", "auth_type": "none"}), "api:50051, public"),
        ("tooljet/openapi", json!({"host": "https://api/v1"}), "https://api, tls"),
        (
            "lowcoder/restApi",
            json!({"url": "https://api", "authConfig": {"type": "NO_AUTH"}}),
            "https://api, tls, public",
        ),
        (
            "lowcoder/graphql",
            json!({"url": "http://api", "authConfig": {"type": "BASIC_AUTH", "username": "app"}}),
            "http://api as app, not tls, not public",
        ),
        ("appsmith/restapi-plugin", json!({"url": "https://api/x"}), "https://api, tls"),
        // Object storage.
        (
            "tooljet/s3",
            json!({"access_key": "AK", "region": "eu-central-1"}),
            "https://s3.eu-central-1.amazonaws.com as AK, tls",
        ),
        ("tooljet/s3", json!({"endpoint": "http://m:9000", "region": "x"}), "http://m:9000, not tls"),
        (
            "tooljet/s3",
            json!({"endpoint": "http://m", "endpoint_enabled": false, "region": "x"}),
            "https://s3.x.amazonaws.com, tls",
        ),
        ("tooljet/s3", json!({}), ""),
        ("tooljet/gcs", json!({"private_key": "<private-key>"}), "https://storage.googleapis.com, tls"),
        (
            "tooljet/minio",
            json!({"host": "m", "access_key": "minioadmin", "ssl_enabled": true}),
            "m:9000 as minioadmin, tls, privileged, not public",
        ),
        (
            "tooljet/minio",
            json!({"host": "m", "access_key": "AK"}),
            "m:9000 as AK, not privileged, not public",
        ),
        ("lowcoder/s3", json!({"accessKey": "AK", "endpointUrl": "https://m"}), "https://m as AK, tls"),
        ("lowcoder/googleCloudStorage", json!({"region": "eu"}), "https://storage.googleapis.com, tls"),
        ("lowcoder/minio", json!({"accessKey": "AK", "endPoint": "m"}), "m:9000 as AK, not privileged"),
        (
            "appsmith/amazons3-plugin",
            json!({"endpoints": [{"host": ""}], "properties": [{"value": "x"}, {"value": "amazon-s3"}]}),
            "https://s3.x.amazonaws.com, tls",
        ),
        (
            "appsmith/amazons3-plugin",
            json!({"endpoints": [{"host": "http://m:9000"}], "properties": [null, {"value": "minio"}]}),
            "http://m:9000, not tls",
        ),
        // Mail and messaging.
        (
            "tooljet/smtp",
            json!({"host": "mail", "port": 465, "user": "app"}),
            "mail:465 as app, tls, not public",
        ),
        ("tooljet/smtp", json!({"host": "mail", "port": 587, "user": "app"}), "mail:587 as app, not public"),
        ("tooljet/mailgun", json!({"domain": "m.example"}), "https://api.mailgun.net, tls, not public"),
        (
            "tooljet/mailgun",
            json!({"domain": "m.example", "eu_hosted": true}),
            "https://api.eu.mailgun.net, tls, not public",
        ),
        ("tooljet/sendgrid", json!({}), "https://api.sendgrid.com, tls, not public"),
        (
            "tooljet/amazonses",
            json!({"access_key": "AK", "region": "eu-west-1"}),
            "https://email.eu-west-1.amazonaws.com as AK, tls, not public",
        ),
        ("tooljet/slack", json!({}), "https://slack.com, tls, not public"),
        ("tooljet/twilio", json!({"accountSid": "AC1"}), "https://api.twilio.com as AC1, tls, not public"),
        ("tooljet/plivo", json!({"authId": "MA1"}), "https://api.plivo.com as MA1, tls, not public"),
        ("lowcoder/smtp", json!({"host": "mail", "port": 465}), "mail:465, tls, public"),
        (
            "appsmith/smtp-plugin",
            json!({"endpoints": [{"host": "mail", "port": 587.0}], "authentication": {"username": "app"}}),
            "mail:587 as app",
        ),
        (
            "appsmith/twilio-1.2-plugin",
            json!({"authentication": {"username": "AC1"}}),
            "https://api.twilio.com as AC1, tls",
        ),
        // Sheets and tables.
        ("tooljet/airtable", json!({}), "https://api.airtable.com, tls"),
        ("tooljet/googlesheets", json!({"access_type": "read"}), "https://sheets.googleapis.com, tls"),
        ("tooljet/baserow", json!({"baserow_host": "baserow_cloud"}), "https://api.baserow.io, tls"),
        (
            "tooljet/baserow",
            json!({"baserow_host": "self_hosted", "base_url": "http://rows"}),
            "http://rows, not tls",
        ),
        ("tooljet/notion", json!({}), "https://api.notion.com, tls"),
        (
            "lowcoder/googleSheets",
            json!({"serviceAccount": "<service-account>"}),
            "https://sheets.googleapis.com, tls",
        ),
        (
            "appsmith/google-sheets-plugin",
            json!({"properties": [{"value": "ann@example.com"}]}),
            "https://sheets.googleapis.com as ann@example.com, tls",
        ),
        ("appsmith/airtable-plugin", json!({}), "https://api.airtable.com, tls"),
        // Services.
        ("tooljet/stripe", json!({}), "https://api.stripe.com, tls, not public"),
        ("tooljet/zendesk", json!({"subdomain": "acme"}), "https://acme.zendesk.com, tls, not public"),
        ("tooljet/woocommerce", json!({"host": "https://shop"}), "https://shop, tls, not public"),
        (
            "tooljet/github",
            json!({"auth_type": "personal_access_token"}),
            "https://api.github.com, tls, not public",
        ),
        ("tooljet/n8n", json!({"host": "https://hook/x", "auth_type": "none"}), "https://hook, tls, public"),
        (
            "tooljet/n8n",
            json!({"host": "https://hook/x", "auth_type": "header", "name": "<name>", "value": "<value>"}),
            "https://hook, tls, not public",
        ),
        (
            "tooljet/appwrite",
            json!({"host": "https://db/v1", "project_id": "p"}),
            "https://db, tls, not public",
        ),
        ("appsmith/hubspot-1.2-plugin", json!({}), "https://api.hubapi.com, tls, not public"),
        // Clouds.
        (
            "tooljet/athena",
            json!({"access_key": "AK", "region": "eu-west-1"}),
            "https://athena.eu-west-1.amazonaws.com as AK, tls, not public",
        ),
        (
            "tooljet/textract",
            json!({"role_arn": "arn:x", "region": "eu-west-1"}),
            "https://textract.eu-west-1.amazonaws.com as arn:x, tls, not public",
        ),
        // Models.
        (
            "tooljet/openai",
            json!({"organizationId": "org-1"}),
            "https://api.openai.com as org-1, tls, not public",
        ),
        (
            "appsmith/Open AI",
            json!({"url": "https://api.openai.com"}),
            "https://api.openai.com, tls, not public",
        ),
    ]
}

/// The options with slots for texts in angle brackets.
fn with_slots(value: Value) -> Value {
    match value {
        Value::String(text) if text.starts_with('<') => slot(text.trim_matches(['<', '>'])),
        Value::Array(items) => items.into_iter().map(with_slots).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key, with_slots(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other,
    }
}

#[test]
fn traits_follow_from_each_kinds_options() {
    let rows = rows();
    for (kind, options, expected) in &rows {
        let mut options = with_slots(options.clone());
        if kind.starts_with("tooljet/") {
            let members = options.as_object().unwrap().clone();
            options = tooljet(members.iter().map(|(key, value)| (key.as_str(), value.clone())));
        }
        let input = input(kind, "x", options.clone(), options.clone());
        let plugin =
            registry().for_kind(&kind.parse().unwrap()).unwrap_or_else(|| panic!("no plugin for {kind}"));
        match plugin.render(&input) {
            Ok(rendered) => assert_eq!(line(&rendered.traits), *expected, "{kind} {options}"),
            Err(error) => panic!("{kind}: {error}"),
        }
    }
    let told: BTreeSet<_> = rows.iter().map(|(kind, ..)| (*kind).to_owned()).collect();
    let served: BTreeSet<_> = registry().kinds().map(ToString::to_string).collect();
    assert_eq!(told, served, "each kind that is served has a row, and no other");
}

/// Kinds whose sources are told apart by their credential alone: the service has one address for
/// everybody and the options name no account. A target is given secrets of its own only, so that
/// two environments never share the reference.
const BY_CREDENTIAL: [&str; 16] = [
    "appsmith/Open AI",
    "appsmith/airtable-plugin",
    "appsmith/google-sheets-plugin",
    "appsmith/hubspot-1.2-plugin",
    "lowcoder/googleCloudStorage",
    "lowcoder/googleSheets",
    "tooljet/airtable",
    "tooljet/firestore",
    "tooljet/gcs",
    "tooljet/github",
    "tooljet/googlesheets",
    "tooljet/notion",
    "tooljet/openai",
    "tooljet/sendgrid",
    "tooljet/slack",
    "tooljet/stripe",
];

#[test]
fn each_kind_names_what_tells_two_environments_apart() {
    let mut by_credential = Vec::new();
    for kind in described() {
        let must_differ = kind.options.iter().any(|o| o.across_environments == Sameness::MustDiffer);
        if !must_differ {
            assert!(!kind.slots.is_empty(), "{} has neither a place nor a credential", kind.kind);
            by_credential.push(kind.kind.to_string());
        }
    }
    by_credential.sort();
    assert_eq!(by_credential, BY_CREDENTIAL);
}

/// What words an option's or slot's place ends with where it surely holds a secret.
const SECRET_WORDS: [&str; 7] =
    ["password", "passphrase", "secret", "token", "apikey", "privatekey", "secretkey"];

#[test]
fn what_is_called_a_secret_is_a_slot() {
    for kind in described() {
        let slots: BTreeSet<_> = kind.slots.iter().map(|slot| slot.rule.at.to_string()).collect();
        for option in &kind.options {
            let at = option.at.to_string();
            let name = at.trim_end_matches("/value").rsplit('/').next().unwrap_or_default();
            let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            let plain = plain.to_lowercase();
            if SECRET_WORDS.iter().any(|word| plain.ends_with(word)) {
                assert!(slots.contains(&at), "{}: {at} is an option and no slot", kind.kind);
            }
        }
    }
}

#[test]
fn docs_have_each_kind() {
    let path = repository().join("docs/plugins.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- kinds: written by a test -->\n", "<!-- end of kinds -->");
    let (before, rest) = text.split_once(begin).unwrap();
    let (told, after) = rest.split_once(end).unwrap();
    let fresh = format!("{before}{begin}{}{end}{after}", table(told));
    if std::env::var_os("SLUICE_UPDATE").is_some() {
        std::fs::write(&path, fresh).unwrap();
    } else {
        assert!(
            fresh == text,
            "the table of kinds in docs/plugins.md is not what the plugins say: run \
             `SLUICE_UPDATE=1 cargo test -p sluice-plugin --test kinds`"
        );
    }
}

/// All kinds as a table. Of a plugin that was not built for want of its language's toolchain, the
/// lines stay as they were `told`.
fn table(told: &str) -> String {
    let mut lines = BTreeMap::<(usize, String), String>::new();
    let platforms = ["tooljet", "lowcoder", "appsmith"];
    let place = |kind: &Kind| {
        let platform = platforms.iter().position(|platform| *platform == kind.platform.as_str());
        (platform.unwrap(), kind.name.to_lowercase())
    };
    for (plugin, kinds) in tables() {
        for spec in kinds {
            let kind: Kind = format!("{}/{}", spec.platform.name(), spec.name).parse().unwrap();
            let described = registry().for_kind(&kind).unwrap().description(&kind).unwrap();
            let (source, credentials) = (format!("{plugin}/src/kinds.rs"), signs_in(spec));
            lines.insert(place(&kind), row(described, plugin, &source, &traits_of(spec), &credentials));
        }
    }
    for (name, file) in IN_OTHER_LANGUAGES {
        let source = format!("{name}/{file}");
        match component(name) {
            Some(component) => {
                let plugin = host_with_cache().load(name, &component).unwrap();
                let rendered = examples(name).into_iter().map(|example| {
                    let input = example.input().unwrap();
                    (input.source.kind.clone(), plugin.render(&input).unwrap().traits)
                });
                let rendered: Vec<_> = rendered.collect();
                for described in plugin.describe() {
                    let of_kind = rendered.iter().filter(|(kind, _)| *kind == described.kind);
                    let traits = known(of_kind.map(|(_, traits)| traits));
                    lines.insert(place(&described.kind), row(described, name, &source, &traits, ""));
                }
            }
            None => {
                for line in told.lines().filter(|line| line.contains(&format!("/{source})"))) {
                    let kind = line.split('`').nth(1).unwrap().parse().unwrap();
                    lines.insert(place(&kind), format!("{line}\n"));
                }
            }
        }
    }
    let head =
        "| kind | plugin | what must differ | secrets | traits | credentials |\n|---|---|---|---|---|---|\n";
    head.to_owned() + &lines.into_values().collect::<String>()
}

/// A kind as a line of the table.
fn row(described: &KindDescription, plugin: &str, source: &str, traits: &str, credentials: &str) -> String {
    let option = |at: &sluice_model::Pointer| {
        let at = at.to_string();
        let at =
            if described.kind.platform.as_str() == "tooljet" { at.trim_end_matches("/value") } else { &at };
        format!("`{}`", at.trim_start_matches('/'))
    };
    let places = described.options.iter().filter(|o| o.across_environments == Sameness::MustDiffer);
    let places: Vec<_> = places.map(|place| option(&place.at)).collect();
    let places = if places.is_empty() { "the credential".to_owned() } else { places.join(", ") };
    let names: BTreeSet<_> = described.slots.iter().map(|slot| slot.rule.name.to_string()).collect();
    let slots = described.slots.iter().filter_map(|slot| {
        let name = slot.rule.name.to_string();
        // All of the option instead of a part of it is no other secret.
        if name.strip_suffix("-whole").is_some_and(|part| names.contains(part)) {
            return None;
        }
        let within = match &slot.rule.shape {
            SecretShape::Whole => "",
            SecretShape::UrlUserinfo => " in a URL",
            SecretShape::KeyValue(_) => " in a connection string",
            SecretShape::JsonMember(_) => " in JSON",
            SecretShape::HeaderValue => " in a list",
        };
        Some(format!("`{name}`{within}"))
    });
    let slots: Vec<_> = slots.collect();
    format!(
        "| `{}` | [{plugin}](../plugins/{source}) | {places} | {} | {traits} | {credentials} |\n",
        described.kind,
        slots.join(", ")
    )
}

/// The traits that can be read of a kind's options.
fn traits_of(spec: &KindSpec) -> String {
    let any = |is: fn(&Connection) -> bool| spec.connections.iter().any(is);
    let administrators = &spec.administrators;
    told([
        any(|connection| !connection.endpoints.is_empty()),
        any(|connection| !connection.tls.is_empty()),
        any(|connection| !connection.accounts.is_empty()),
        !administrators.accounts.is_empty() || administrators.roles.is_some(),
        any(|connection| connection.admission != Admission::Unsaid),
    ])
}

/// The traits that any of these has.
fn known<'t>(traits: impl Iterator<Item = &'t Traits> + Clone) -> String {
    let any = |is: fn(&Traits) -> bool| traits.clone().any(is);
    told([
        any(|traits| !traits.endpoints.is_empty()),
        any(|traits| traits.tls.is_some()),
        any(|traits| traits.account.is_some()),
        any(|traits| traits.privileged.is_some()),
        any(|traits| traits.public_access.is_some()),
    ])
}

fn told(has: [bool; 5]) -> String {
    let names = ["endpoints", "TLS", "account", "privilege", "public access"];
    let has = names.into_iter().zip(has).filter_map(|(name, has)| has.then_some(name));
    has.collect::<Vec<_>>().join(", ")
}

/// By which documented request a probe tries the credentials.
fn signs_in(spec: &KindSpec) -> String {
    let sources: BTreeSet<_> = spec.sign_in.iter().map(|way| way.source).collect();
    sources.into_iter().map(|source| format!("[tried]({source})")).collect::<Vec<_>>().join(", ")
}
