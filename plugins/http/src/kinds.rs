//! The options of HTTP interfaces, platform by platform.
//!
//! ToolJet: its manifests of `restapi` and `graphql`, 2.x and 3.x. Lowcoder: its forms and
//! connection configuration; it encrypts `authConfig` and `sslConfig` only. Headers belong to the
//! environment as a whole; what looks like a secret in them the host finds by itself.

use sluice_guest::OptionType::{Flag, Json, ListOfPairs, Text, Url};
use sluice_guest::spec::{
    KindSpec, OptionSpec, Platform, SlotSpec, choice, fixed, owned, secret, url_secret,
};

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        platform: Platform::ToolJet,
        name: "restapi",
        options: &[URL, AUTH, OAUTH, REST],
        slots: &[URL_SECRET, AUTH_SECRETS],
    },
    KindSpec {
        platform: Platform::ToolJet,
        name: "graphql",
        options: &[URL, AUTH, OAUTH, GRAPHQL],
        slots: &[URL_SECRET, AUTH_SECRETS],
    },
    KindSpec {
        platform: Platform::Lowcoder,
        name: "restApi",
        options: &[LOWCODER],
        slots: &[URL_SECRET, LOWCODER_SECRETS],
    },
    KindSpec {
        platform: Platform::Lowcoder,
        name: "graphql",
        options: &[LOWCODER],
        slots: &[URL_SECRET, LOWCODER_SECRETS],
    },
];

/// The options that hold addresses.
pub(crate) const URLS: &[&str] = &["url", "access_token_url", "auth_url"];

/// The options that hold an account, in the order in which they are believed.
pub(crate) const ACCOUNTS: &[&str] = &["username", "authConfig/username", "client_id"];

const URL: &[OptionSpec] = &[
    // Every app of ToolJet has a static source without any option, whose queries name whole URLs.
    owned("url", Url, "The address that queries are relative to").like_bundle(),
    owned("headers", ListOfPairs, "Headers of every request"),
    owned("url_params", ListOfPairs, "Query parameters of every request"),
    owned("url_parameters", ListOfPairs, "Query parameters of every request"),
    owned("body", ListOfPairs, "Members of every request's body"),
    owned("cookies", ListOfPairs, "Cookies of every request"),
];

const AUTH: &[OptionSpec] = &[
    choice("auth_type", &["none", "basic", "bearer", "oauth2", "aws_v4"], "How requests are authenticated")
        .per_environment(),
    owned("username", Text, "The account of basic authentication"),
];

const OAUTH: &[OptionSpec] = &[
    choice("grant_type", &["authorization_code", "client_credentials"], "The flow of OAuth 2.0"),
    choice("add_token_to", &["header", "request_header"], "Where the token goes"),
    fixed("header_prefix", Text, "What stands before the token in the header"),
    owned("access_token_url", Url, "Where tokens come from"),
    owned("auth_url", Url, "Where a person consents"),
    owned("client_id", Text, "The client's name at the authorisation server"),
    owned("audience", Text, "Whom the token is for"),
    fixed("scopes", Text, "What the token allows"),
    choice("client_auth", &["header", "body"], "How the client proves itself"),
    owned("custom_auth_params", ListOfPairs, "Further parameters of the consent"),
    owned("custom_query_params", ListOfPairs, "Further parameters of the token's request"),
    owned("access_token_custom_headers", ListOfPairs, "Headers of the token's request"),
    fixed("multiple_auth_enabled", Flag, "Whether each end user authenticates"),
];

const REST: &[OptionSpec] = &[
    choice(
        "ssl_certificate",
        &["none", "ca_certificate", "self_signed", "client_certificate"],
        "Which certificates are checked",
    ),
    fixed("retry_network_errors", Flag, "Whether a request is repeated when the network fails"),
];

const GRAPHQL: &[OptionSpec] = &[];

const URL_SECRET: &[SlotSpec] = &[url_secret("url-password", "url", "The password in the address")];

const AUTH_SECRETS: &[SlotSpec] = &[
    secret("password", "password", "The password of basic authentication")
        .needed_when("auth_type", &["basic"]),
    secret("bearer-token", "bearer_token", "The token of bearer authentication")
        .needed_when("auth_type", &["bearer"]),
    secret("client-secret", "client_secret", "The client's secret of OAuth 2.0")
        .needed_when("auth_type", &["oauth2"]),
    secret("ca-cert", "ca_cert", "The certificate authority's certificate"),
    secret("client-key", "client_key", "The client's private key"),
    secret("client-cert", "client_cert", "The client's certificate"),
    secret("root-cert", "root_cert", "The root certificate"),
];

const LOWCODER: &[OptionSpec] = &[
    owned("url", Url, "The address that queries are relative to").like_bundle(),
    owned("headers", ListOfPairs, "Headers of every request"),
    owned("params", ListOfPairs, "Query parameters of every request"),
    owned("body", Text, "The body of every request"),
    owned("bodyFormData", ListOfPairs, "Members of every request's form"),
    fixed("forwardCookies", Json, "The end user's cookies that are passed on"),
    fixed("forwardAllCookies", Flag, "Whether all of the end user's cookies are passed on"),
    choice(
        "authConfig/type",
        &["NO_AUTH", "BASIC_AUTH", "DIGEST_AUTH", "OAUTH2_INHERIT_FROM_LOGIN"],
        "How requests are authenticated",
    ),
    owned("authConfig/username", Text, "The account"),
    owned("authConfig/authId", Text, "The sign-in whose token is passed on"),
    choice(
        "sslConfig/sslCertVerificationType",
        &["VERIFY_CA_CERT", "VERIFY_SELF_SIGNED_CERT", "DISABLED"],
        "Which certificates are checked",
    )
    .per_environment(),
];

const LOWCODER_SECRETS: &[SlotSpec] = &[
    secret("password", "authConfig/password", "The account's password"),
    secret("self-signed-cert", "sslConfig/selfSignedCert", "The certificate that is trusted"),
];
