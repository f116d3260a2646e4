//! The options of object stores, platform by platform.
//!
//! ToolJet: its manifests of `s3`, `gcs` and `minio`. Lowcoder: the configurations of its
//! `s3`, `googleCloudStorage` and `minio` sources.

use sluice_guest::OptionType::{Flag, Number, Text, Url};
use sluice_guest::options::Options;
use sluice_guest::spec::{KindSpec, OptionSpec, Platform, SlotSpec, choice, fixed, owned, place, secret};

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec { platform: Platform::ToolJet, name: "s3", options: &[TOOLJET_S3], slots: &[SECRET_KEY] },
    KindSpec { platform: Platform::ToolJet, name: "gcs", options: &[], slots: &[PRIVATE_KEY] },
    KindSpec {
        platform: Platform::ToolJet,
        name: "minio",
        options: &[TOOLJET_MINIO],
        slots: &[SECRET_KEY_REQUIRED],
    },
    KindSpec {
        platform: Platform::Lowcoder,
        name: "s3",
        options: &[LOWCODER_S3],
        slots: &[LOWCODER_SECRET_KEY],
    },
    KindSpec {
        platform: Platform::Lowcoder,
        name: "googleCloudStorage",
        options: &[LOWCODER_GCS],
        slots: &[LOWCODER_PRIVATE_KEY],
    },
    KindSpec {
        platform: Platform::Lowcoder,
        name: "minio",
        options: &[LOWCODER_MINIO],
        slots: &[LOWCODER_SECRET_KEY],
    },
];

const TOOLJET_S3: &[OptionSpec] = &[
    owned("access_key", Text, "The account's key id"),
    owned("region", Text, "The region of the buckets"),
    owned("endpoint", Text, "The address of a store that is not Amazon's"),
    fixed("endpoint_enabled", Flag, "Whether the store is not Amazon's"),
    choice(
        "instance_metadata_credentials",
        &["iam_access_keys", "ec2_instance_credentials", "aws_arn_role"],
        "Where credentials come from",
    ),
    owned("role_arn", Text, "The role to take on"),
];

const TOOLJET_MINIO: &[OptionSpec] = &[
    place("host", Text, "The server's name or address").required(),
    place("port", Number, "The server's port"),
    fixed("ssl_enabled", Flag, "Whether the connection is encrypted"),
    owned("access_key", Text, "The account's key id").required(),
];

const LOWCODER_S3: &[OptionSpec] = &[
    owned("accessKey", Text, "The account's key id").required(),
    owned("endpointUrl", Url, "The address of a store that is not Amazon's"),
    owned("region", Text, "The region of the buckets"),
];

const LOWCODER_MINIO: &[OptionSpec] = &[
    owned("accessKey", Text, "The account's key id").required(),
    place("endPoint", Text, "The server's address"),
    owned("region", Text, "The region of the buckets"),
];

const LOWCODER_GCS: &[OptionSpec] = &[
    owned("region", Text, "The region of the buckets"),
    fixed("specVersion", Text, "The version of the interface that queries use"),
];

const SECRET_KEY: &[SlotSpec] = &[secret("secret-key", "secret_key", "The account's secret key")
    .needed_when("instance_metadata_credentials", &["iam_access_keys"])];
const SECRET_KEY_REQUIRED: &[SlotSpec] =
    &[secret("secret-key", "secret_key", "The account's secret key").required()];
const PRIVATE_KEY: &[SlotSpec] =
    &[secret("private-key", "private_key", "The service account's JSON with its private key").required()];
const LOWCODER_SECRET_KEY: &[SlotSpec] =
    &[secret("secret-key", "secretKey", "The account's secret key").required()];
const LOWCODER_PRIVATE_KEY: &[SlotSpec] =
    &[secret("private-key", "privateKey", "The service account's JSON with its private key").required()];

/// Where a source connects to.
pub(crate) fn endpoint(spec: &KindSpec, options: &Options<'_>) -> Option<String> {
    if spec.name == "gcs" || spec.name == "googleCloudStorage" {
        return Some("https://storage.googleapis.com".to_owned());
    }
    if let Some(host) = options.text("host") {
        let port = options.text("port").unwrap_or_else(|| "9000".to_owned());
        return Some(format!("{host}:{port}"));
    }
    let own = ["endpoint", "endpointUrl", "endPoint"].into_iter().find_map(|key| options.text(key));
    own.or_else(|| {
        let region = options.text("region")?;
        (spec.name == "s3").then(|| format!("https://s3.{region}.amazonaws.com"))
    })
}
