//! The options of services that have an interface of their own.
//!
//! ToolJet: its manifests of the kinds, 2.x and 3.x. Appsmith: its form.
//!
//! A service with one address for everybody is told apart by its key, which each environment has of
//! its own; where the account has a name, such as a subdomain, the name must differ.

use sluice_guest::OptionType::{ListOfPairs, Text, Url};
use sluice_guest::connection::{Account, Admission, Connection, Endpoint, closed, to};
use sluice_guest::groups::appsmith::{self, appsmith};
use sluice_guest::groups::oauth::{CLIENT, CLIENT_SECRETS};
use sluice_guest::sign_in::{Answer, Piece, Shows, SignIn, get};
use sluice_guest::spec::{
    KindSpec, OptionSpec, Platform, SlotSpec, choice, header_secrets, is, kind, owned, place, secret,
    url_secret,
};

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        slots: &[&[secret("api-key", "api_key", "The account's secret key").required()]],
        connections: &[closed(&[Endpoint::Always("https://api.stripe.com")])],
        // A restricted key may be good and yet forbidden to ask this.
        sign_in: &[SignIn {
            answer: Answer::Status(&[401]),
            ..get(
                &[Piece::Text("/v1/balance")],
                &[Shows::Bearer("api-key")],
                "https://docs.stripe.com/api/balance/balance_retrieve",
            )
        }],
        ..tooljet("stripe")
    },
    KindSpec {
        options: &[ZENDESK, CLIENT],
        slots: &[CLIENT_SECRETS],
        connections: &[Connection {
            accounts: &[Account::Option("client_id")],
            ..closed(&[Endpoint::Around("https://", "subdomain", ".zendesk.com")])
        }],
        sign_in: &[get(
            &[Piece::Text("/api/v2/users/me.json")],
            &[Shows::Bearer("access-token")],
            "https://developer.zendesk.com/api-reference/ticketing/users/users/#show-self",
        )],
        ..tooljet("zendesk")
    },
    KindSpec {
        options: &[&[place("host", Text, "The shop's address").required()]],
        slots: &[WOOCOMMERCE],
        connections: &[closed(&[Endpoint::Host { host: "host", port: "", usual: "" }])],
        ..tooljet("woocommerce")
    },
    KindSpec {
        options: &[&[choice("auth_type", &["personal_access_token"], "How the source proves itself")]],
        slots: &[&[secret("personal-token", "personal_token", "The account's token").required()]],
        connections: &[closed(&[Endpoint::Always("https://api.github.com")])],
        // 403 is also the answer to who asks too often.
        sign_in: &[SignIn {
            answer: Answer::Status(&[401]),
            ..get(
                &[Piece::Text("/user")],
                &[Shows::Bearer("personal-token")],
                "https://docs.github.com/en/rest/users/users#get-the-authenticated-user",
            )
        }],
        ..tooljet("github")
    },
    KindSpec {
        options: &[N8N],
        slots: &[N8N_SECRETS],
        connections: &[
            Connection {
                when: Some(is("auth_type", &["none"])),
                admission: Admission::By(&["host", "headers"]),
                ..N8N_HOOK
            },
            Connection {
                when: Some(is("auth_type", &["basic", "header"])),
                admission: Admission::Credential,
                accounts: &[Account::Option("username")],
                ..N8N_HOOK
            },
            N8N_HOOK,
        ],
        ..tooljet("n8n")
    },
    KindSpec {
        options: &[APPWRITE],
        slots: &[&[secret("secret-key", "secret_key", "The project's key").required()]],
        connections: &[closed(&[Endpoint::Host { host: "host", port: "", usual: "" }])],
        ..tooljet("appwrite")
    },
    KindSpec {
        options: &[appsmith::COMMON],
        slots: &[HUBSPOT],
        connections: &[closed(&[Endpoint::Always("https://api.hubapi.com")])],
        sign_in: &[get(
            &[Piece::Text("/account-info/v3/details")],
            &[Shows::Bearer("bearer-token")],
            "https://developers.hubspot.com/docs/api-reference/account-account-info-v3/details/get-account-info-v3-details",
        )],
        ..appsmith("hubspot-1.2-plugin")
    },
];

const fn tooljet(name: &'static str) -> KindSpec {
    kind(Platform::ToolJet, name)
}

const ZENDESK: &[OptionSpec] = &[place("subdomain", Text, "The account's name in its address").required()];

const WOOCOMMERCE: &[SlotSpec] = &[
    secret("consumer-key", "consumer_key", "The key's name").required(),
    secret("consumer-secret", "consumer_secret", "The key's secret").required(),
];

const N8N: &[OptionSpec] = &[
    place("host", Url, "The hook's address").required(),
    choice("auth_type", &["none", "basic", "header"], "How calls are authenticated").per_environment(),
    owned("username", Text, "The account of basic authentication"),
    owned("headers", ListOfPairs, "Headers of every call"),
];

const N8N_SECRETS: &[SlotSpec] = &[
    secret("password", "password", "The password of basic authentication")
        .needed_when("auth_type", &["basic"]),
    secret("name", "name", "The name of the header that authenticates").needed_when("auth_type", &["header"]),
    secret("value", "value", "The value of the header that authenticates")
        .needed_when("auth_type", &["header"]),
    url_secret("host-password", "host", "The password in the address"),
    header_secrets("headers", "headers", "A secret among the headers"),
];

const N8N_HOOK: Connection = to(&[Endpoint::Urls(&["host"])]);

const APPWRITE: &[OptionSpec] = &[
    place("host", Text, "The server's address").required(),
    place("project_id", Text, "The project on the server").required(),
];

const HUBSPOT: &[SlotSpec] = &[
    secret("bearer-token", "authentication/bearerToken", "The app's token"),
    secret("api-key", "authentication/value", "The account's key"),
];
