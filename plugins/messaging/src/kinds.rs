//! The options of mail and messaging, platform by platform.
//!
//! ToolJet: its manifests of the kinds, 1.x to 3.x. Lowcoder: its connection configuration.
//! Appsmith: its form.
//!
//! A service with one address for everybody is told apart by the account: its id must differ, or
//! its key, which each environment has of its own.

use sluice_guest::OptionType::{Flag, Text};
use sluice_guest::connection::{Account, Connection, Endpoint, Tls, closed};
use sluice_guest::groups::appsmith::{self, appsmith};
use sluice_guest::groups::aws;
use sluice_guest::groups::oauth::{CLIENT, CLIENT_SECRETS};
use sluice_guest::groups::server::{PASSWORD, PASSWORD_IF_ANY, SERVER, USERNAME, by_account, host_and_port};
use sluice_guest::sign_in::{Answer, Piece, Shows, SignIn, get};
use sluice_guest::spec::{KindSpec, OptionSpec, Platform, SlotSpec, fixed, is, kind, owned, place, secret};

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        options: &[SERVER, &[place("user", Text, "The account to connect as")]],
        slots: &[PASSWORD],
        connections: &[Connection {
            accounts: &[Account::Option("user")],
            ..by_account(&[host_and_port("465")], BY_PORT)
        }],
        ..tooljet("smtp")
    },
    KindSpec {
        options: &[MAILGUN],
        slots: &[API_KEY],
        connections: &[
            Connection {
                when: Some(is("eu_hosted", &["true"])),
                ..closed(&[Endpoint::Always("https://api.eu.mailgun.net")])
            },
            closed(&[Endpoint::Always("https://api.mailgun.net")]),
        ],
        ..tooljet("mailgun")
    },
    KindSpec {
        slots: &[API_KEY],
        connections: &[closed(&[Endpoint::Always("https://api.sendgrid.com")])],
        sign_in: &[get(
            &[Piece::Text("/v3/scopes")],
            &[Shows::Bearer("api-key")],
            "https://www.twilio.com/docs/sendgrid/api-reference/api-key-permissions/retrieve-a-list-of-scopes-for-which-this-user-has-access",
        )],
        ..tooljet("sendgrid")
    },
    KindSpec {
        options: &[aws::ACCOUNT],
        slots: &[aws::SECRET],
        connections: &[aws::closed(&[Endpoint::Aws { service: "email", region: "region" }])],
        ..tooljet("amazonses")
    },
    KindSpec {
        options: &[SLACK, CLIENT],
        slots: &[SLACK_TOKEN, CLIENT_SECRETS],
        connections: &[closed(&[Endpoint::Always("https://slack.com")])],
        sign_in: &[slack(&[Shows::Bearer("api-key")]), slack(&[Shows::Bearer("access-token")])],
        ..tooljet("slack")
    },
    KindSpec {
        options: &[TWILIO],
        slots: &[TWILIO_TOKEN],
        connections: &[Connection {
            accounts: &[Account::Option("account_sid"), Account::Option("accountSid")],
            ..closed(&[Endpoint::Always("https://api.twilio.com")])
        }],
        sign_in: &[
            twilio(
                &[Piece::Text(TWILIO_ACCOUNTS), Piece::Option("accountSid"), Piece::Text(".json")],
                &[Shows::Basic { user: "accountSid", slot: "authToken" }],
            ),
            twilio(
                &[Piece::Text(TWILIO_ACCOUNTS), Piece::Option("account_sid"), Piece::Text(".json")],
                &[Shows::Basic { user: "account_sid", slot: "auth-token" }],
            ),
        ],
        ..tooljet("twilio")
    },
    KindSpec {
        options: &[&[place("authId", Text, "The account's id").required()]],
        slots: &[&[secret("auth-token", "authToken", "The account's token").required()]],
        connections: &[Connection {
            accounts: &[Account::Option("authId")],
            ..closed(&[Endpoint::Always("https://api.plivo.com")])
        }],
        sign_in: &[get(
            &[Piece::Text("/v1/Account/"), Piece::Option("authId"), Piece::Text("/")],
            &[Shows::Basic { user: "authId", slot: "auth-token" }],
            "https://www.plivo.com/docs/account/api/account#retrieve-account-details",
        )],
        ..tooljet("plivo")
    },
    KindSpec {
        options: &[SERVER, USERNAME],
        slots: &[PASSWORD_IF_ANY],
        connections: &[by_account(&[host_and_port("465")], BY_PORT)],
        ..kind(Platform::Lowcoder, "smtp")
    },
    KindSpec {
        options: &[
            appsmith::SERVER,
            &[place("authentication/username", Text, "The account to connect as")],
            appsmith::COMMON,
        ],
        slots: &[appsmith::PASSWORD],
        connections: &[appsmith::by_server(
            &[appsmith::servers("25")],
            &[Tls::Choice { key: "endpoints/*/port", on: &["465"], off: &[] }],
        )],
        ..appsmith("smtp-plugin")
    },
    KindSpec {
        options: &[&[place("authentication/username", Text, "The account's id")], appsmith::COMMON],
        slots: &[appsmith::PASSWORD],
        connections: &[appsmith::by_server(&[Endpoint::Always("https://api.twilio.com")], &[Tls::Scheme])],
        sign_in: &[twilio(
            &[Piece::Text(TWILIO_ACCOUNTS), Piece::Option("authentication/username"), Piece::Text(".json")],
            &[Shows::Basic { user: "authentication/username", slot: "password" }],
        )],
        ..appsmith("twilio-1.2-plugin")
    },
];

const fn tooljet(name: &'static str) -> KindSpec {
    kind(Platform::ToolJet, name)
}

const API_KEY: &[SlotSpec] = &[secret("api-key", "api_key", "The account's key").required()];

/// On this port the connection is encrypted from the start (RFC 8314, section 3.3); on others the
/// server may offer it.
const BY_PORT: &[Tls] = &[Tls::Choice { key: "port", on: &["465"], off: &[] }];

/// Answers any token with success, and says in the body whether it is good.
const fn slack(shows: &'static [Shows]) -> SignIn {
    SignIn {
        answer: Answer::Text { good: r#""ok":true"#, bad: r#""ok":false"# },
        ..get(&[Piece::Text("/api/auth.test")], shows, "https://api.slack.com/methods/auth.test")
    }
}

const TWILIO_ACCOUNTS: &str = "/2010-04-01/Accounts/";

const fn twilio(path: &'static [Piece], shows: &'static [Shows]) -> SignIn {
    get(path, shows, "https://www.twilio.com/docs/iam/api/account#fetch-an-account-resource")
}

const MAILGUN: &[OptionSpec] = &[
    place("domain", Text, "The domain that mail is sent from").required(),
    fixed("eu_hosted", Flag, "Whether the account is kept in the European Union").per_environment(),
];

const SLACK: &[OptionSpec] = &[owned("credential_source", Text, "Whose client it is")];

const SLACK_TOKEN: &[SlotSpec] = &[secret("api-key", "api_key", "The workspace's token")];

/// Both spellings occur: releases before 2.0 write the one, later ones the other.
const TWILIO: &[OptionSpec] = &[
    place("account_sid", Text, "The account's id").unless("accountSid"),
    place("messaging_service_sid", Text, "The service that messages are sent from"),
    place("accountSid", Text, "The account's id"),
    place("messagingServiceSid", Text, "The service that messages are sent from"),
];

const TWILIO_TOKEN: &[SlotSpec] = &[
    secret("auth-token", "auth_token", "The account's token"),
    secret("authToken", "authToken", "The account's token"),
];
