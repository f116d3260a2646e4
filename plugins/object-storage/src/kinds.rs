//! The options of object stores, platform by platform.
//!
//! ToolJet: its manifests of `s3`, `gcs` and `minio`. Lowcoder: the configurations of its
//! `s3`, `googleCloudStorage` and `minio` sources. Appsmith: its form. Buckets are named by
//! queries, and whether they are open to the world is nothing that a source says.

use sluice_guest::OptionType::{Flag, Text, Url};
use sluice_guest::connection::{Account, Administrators, Connection, Endpoint, Tls, to};
use sluice_guest::groups::appsmith::{self, appsmith};
use sluice_guest::groups::google::service_account;
use sluice_guest::groups::{aws, server};
use sluice_guest::spec::{
    KindSpec, OptionSpec, Platform, SlotSpec, choice, fixed, is, kind, owned, place, secret, url_secret,
};

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        options: &[aws::ACCOUNT, TOOLJET_S3],
        slots: &[aws::SECRET, ENDPOINT_SECRET],
        connections: S3,
        ..kind(Platform::ToolJet, "s3")
    },
    KindSpec {
        slots: &[&[service_account("private-key", "private_key").required()]],
        connections: GOOGLE,
        ..kind(Platform::ToolJet, "gcs")
    },
    KindSpec {
        options: &[server::SERVER, TOOLJET_MINIO],
        slots: &[TOOLJET_KEY],
        connections: &[Connection {
            accounts: &[Account::Option("access_key")],
            ..server::by_account(&[server::host_and_port("9000")], &[Tls::Scheme, SSL_ENABLED])
        }],
        administrators: MINIO,
        ..kind(Platform::ToolJet, "minio")
    },
    KindSpec {
        options: &[LOWCODER_KEY, LOWCODER_S3],
        slots: &[LOWCODER_SECRET],
        connections: &[Connection {
            accounts: &[Account::Option("accessKey")],
            ..to(&[
                Endpoint::Host { host: "endpointUrl", port: "", usual: "" },
                Endpoint::Aws { service: "s3", region: "region" },
            ])
        }],
        ..kind(Platform::Lowcoder, "s3")
    },
    KindSpec {
        options: &[LOWCODER_GCS],
        slots: &[&[service_account("private-key", "privateKey").required()]],
        connections: GOOGLE,
        ..kind(Platform::Lowcoder, "googleCloudStorage")
    },
    KindSpec {
        options: &[LOWCODER_KEY, LOWCODER_MINIO],
        slots: &[LOWCODER_SECRET],
        connections: &[Connection {
            accounts: &[Account::Option("accessKey")],
            ..to(&[Endpoint::Host { host: "endPoint", port: "", usual: "9000" }])
        }],
        administrators: MINIO,
        ..kind(Platform::Lowcoder, "minio")
    },
    KindSpec {
        options: &[APPSMITH_S3, appsmith::COMMON],
        slots: &[appsmith::PASSWORD],
        connections: APPSMITH_STORES,
        ..appsmith("amazons3-plugin")
    },
];

/// The account that a MinIO server comes with.
const MINIO: Administrators = Administrators::named(&["minioadmin", "minio"]);

const GOOGLE: &[Connection] = &[to(&[Endpoint::Always("https://storage.googleapis.com")])];

const TOOLJET_S3: &[OptionSpec] = &[
    place("endpoint", Text, "The address of a store that is not Amazon's"),
    fixed("endpoint_enabled", Flag, "Whether the store is not Amazon's"),
];

const ENDPOINT_SECRET: &[SlotSpec] =
    &[url_secret("endpoint-password", "endpoint", "The password in the address")];

/// An address may be left over from before.
const S3: &[Connection] = &[
    Connection { when: Some(is("endpoint_enabled", &["false"])), ..aws::by_account(&[AMAZON]) },
    aws::by_account(&[Endpoint::Host { host: "endpoint", port: "", usual: "" }, AMAZON]),
];
const AMAZON: Endpoint = Endpoint::Aws { service: "s3", region: "region" };

const TOOLJET_MINIO: &[OptionSpec] = &[
    fixed("ssl_enabled", Flag, "Whether the connection is encrypted").per_environment(),
    owned("access_key", Text, "The account's key id").required(),
];

/// The connector's own default is not the platform's to say.
const SSL_ENABLED: Tls = Tls::Choice { key: "ssl_enabled", on: &["true"], off: &["false"] };

const TOOLJET_KEY: &[SlotSpec] = &[secret("secret-key", "secret_key", "The account's secret key").required()];

const LOWCODER_KEY: &[OptionSpec] = &[
    place("accessKey", Text, "The account's key id").required(),
    owned("region", Text, "The region of the buckets"),
];

const LOWCODER_S3: &[OptionSpec] =
    &[place("endpointUrl", Url, "The address of a store that is not Amazon's")];

const LOWCODER_MINIO: &[OptionSpec] = &[place("endPoint", Text, "The server's address")];

const LOWCODER_GCS: &[OptionSpec] = &[
    owned("region", Text, "The region of the buckets"),
    fixed("specVersion", Text, "The version of the interface that queries use"),
];

const LOWCODER_SECRET: &[SlotSpec] =
    &[secret("secret-key", "secretKey", "The account's secret key").required()];

const APPSMITH_S3: &[OptionSpec] = &[
    place("endpoints/*/host", Text, "The address of a store that is not Amazon's"),
    place("authentication/username", Text, "The account's key id"),
    owned("properties/0/value", Text, "The region of the buckets"),
    choice(
        "properties/1/value",
        &[
            "amazon-s3",
            "upcloud",
            "digital-ocean-spaces",
            "wasabi",
            "dream-objects",
            "minio",
            "google-cloud-storage",
            "other",
        ],
        "Whose store it is",
    )
    .per_environment(),
    owned("properties/2/value", Text, "The region of a store that is not Amazon's"),
];

const APPSMITH_STORES: &[Connection] = &[
    Connection {
        when: Some(is("properties/1/value", &["", "amazon-s3"])),
        ..appsmith::by_server(
            &[Endpoint::Aws { service: "s3", region: "properties/0/value" }],
            &[Tls::Scheme],
        )
    },
    appsmith::by_server(&[Endpoint::Host { host: "endpoints/*/host", port: "", usual: "" }], &[Tls::Scheme]),
];
