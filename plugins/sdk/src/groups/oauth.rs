//! OAuth 2.0 and the other ways to prove oneself to an HTTP interface, as ToolJet spells them.

use crate::OptionType::{Flag, ListOfPairs, Text, Url};
use crate::spec::{OptionSpec, SlotSpec, choice, fixed, header_secrets, owned, secret};

/// The client, and how it gets its token.
pub const OAUTH: &[OptionSpec] = &[
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

/// Secrets in the lists of [`OAUTH`].
pub const OAUTH_LISTS: &[SlotSpec] = &[
    header_secrets("custom_auth_params", "custom_auth_params", "A secret among the consent's parameters"),
    header_secrets("custom_query_params", "custom_query_params", "A secret among the token's parameters"),
    header_secrets(
        "access_token_custom_headers",
        "access_token_custom_headers",
        "A secret among the headers of the token's request",
    ),
];

/// A client of a service's own form of OAuth 2.0.
pub const CLIENT: &[OptionSpec] = &[
    owned("client_id", Text, "The client's name at the service"),
    choice("access_type", &["read", "write"], "Whether the source may also write"),
];

/// What the service gave the client.
pub const CLIENT_SECRETS: &[SlotSpec] = &[
    secret("client-secret", "client_secret", "The client's secret"),
    secret("access-token", "access_token", "The token of the person who consented"),
    secret("refresh-token", "refresh_token", "What makes the next token"),
];
