//! The options of sheets and tables, platform by platform.
//!
//! ToolJet: its manifests of the kinds, 1.x to 3.x. Lowcoder: its connection configuration.
//! Appsmith: its forms. Queries name the sheets and
//! tables, and with whom they are shared is nothing that a source says.
//!
//! A service with one address for everybody is told apart by its key or token, which each
//! environment has of its own.

use sluice_guest::OptionType::{Text, Url};
use sluice_guest::connection::{Account, Connection, Endpoint, to};
use sluice_guest::groups::appsmith::{self, appsmith};
use sluice_guest::groups::google::service_account;
use sluice_guest::groups::oauth::{CLIENT, CLIENT_SECRETS};
use sluice_guest::sign_in::{Piece, Shows, SignIn, get};
use sluice_guest::spec::{KindSpec, OptionSpec, Platform, SlotSpec, choice, is, kind, owned, place, secret};

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        slots: &[AIRTABLE],
        connections: &[AIRTABLE_API],
        sign_in: &[airtable(&[Shows::Bearer("personal-access-token")])],
        ..tooljet("airtable")
    },
    KindSpec {
        options: &[CLIENT, SHEETS],
        slots: &[CLIENT_SECRETS, SHEETS_SECRETS],
        connections: &[SHEETS_API],
        ..tooljet("googlesheets")
    },
    KindSpec {
        options: &[BASEROW],
        slots: &[&[secret("api-token", "api_token", "The token").required()]],
        connections: &[
            Connection {
                when: Some(is("baserow_host", &["", "baserow_cloud"])),
                ..to(&[Endpoint::Always("https://api.baserow.io")])
            },
            to(&[Endpoint::Urls(&["base_url"])]),
        ],
        ..tooljet("baserow")
    },
    KindSpec {
        slots: &[&[secret("token", "token", "The integration's token").required()]],
        connections: &[to(&[Endpoint::Always("https://api.notion.com")])],
        sign_in: &[SignIn {
            headers: &[("notion-version", Piece::Text("2022-06-28"))],
            ..get(
                &[Piece::Text("/v1/users/me")],
                &[Shows::Bearer("token")],
                "https://developers.notion.com/reference/get-self",
            )
        }],
        ..tooljet("notion")
    },
    KindSpec {
        slots: &[&[service_account("service-account", "serviceAccount").required()]],
        connections: &[SHEETS_API],
        ..kind(Platform::Lowcoder, "googleSheets")
    },
    KindSpec {
        options: &[APPSMITH_SHEETS, appsmith::COMMON],
        slots: &[APPSMITH_TOKENS],
        connections: &[Connection { accounts: &[Account::Option("properties/0/value")], ..SHEETS_API }],
        ..appsmith("google-sheets-plugin")
    },
    KindSpec {
        options: &[appsmith::COMMON],
        slots: &[APPSMITH_AIRTABLE],
        connections: &[AIRTABLE_API],
        sign_in: &[airtable(&[Shows::Bearer("bearer-token")])],
        ..appsmith("airtable-plugin")
    },
];

const fn tooljet(name: &'static str) -> KindSpec {
    kind(Platform::ToolJet, name)
}

const SHEETS_API: Connection = to(&[Endpoint::Always("https://sheets.googleapis.com")]);
const AIRTABLE_API: Connection = to(&[Endpoint::Always("https://api.airtable.com")]);

/// A token; the keys of before are no longer taken.
const fn airtable(shows: &'static [Shows]) -> SignIn {
    get(
        &[Piece::Text("/v0/meta/whoami")],
        shows,
        "https://airtable.com/developers/web/api/get-user-id-scopes",
    )
}

/// Both occur: releases before 2.17 write the one, later ones the other.
const AIRTABLE: &[SlotSpec] = &[
    secret("api-key", "api_key", "The account's key"),
    secret("personal-access-token", "personal_access_token", "The account's token"),
];

const SHEETS: &[OptionSpec] = &[owned("authentication_type", Text, "How the source proves itself")];

const SHEETS_SECRETS: &[SlotSpec] =
    &[secret("api-key", "api_key", "The key"), service_account("service-account-key", "service_account_key")];

const BASEROW: &[OptionSpec] = &[
    choice("baserow_host", &["baserow_cloud", "self_hosted"], "Whether the server is the vendor's")
        .per_environment(),
    place("base_url", Url, "The address of a server that is not the vendor's")
        .when("baserow_host", &["self_hosted"]),
];

const APPSMITH_SHEETS: &[OptionSpec] = &[
    owned("properties/0/value", Text, "The account of the person who consented"),
    owned("authentication/grantType", Text, "The flow of OAuth 2.0"),
    owned("authentication/scopeString", Text, "What the token allows"),
];

const APPSMITH_TOKENS: &[SlotSpec] = &[
    secret("client-secret", "authentication/clientSecret", "The client's secret"),
    secret("access-token", "authentication/token", "The token of the person who consented"),
];

const APPSMITH_AIRTABLE: &[SlotSpec] = &[
    secret("api-key", "authentication/value", "The account's key"),
    secret("bearer-token", "authentication/bearerToken", "The account's token"),
];
