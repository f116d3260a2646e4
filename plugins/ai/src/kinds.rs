//! The options of interfaces to models, platform by platform.
//!
//! ToolJet: its manifest of `openai`, 2.x and 3.x. Appsmith: its form.
//!
//! The service has one address for everybody, and an organisation may well be the same in every
//! environment: sources are told apart by their key, which each environment has of its own.

use sluice_guest::OptionType::{Text, Url};
use sluice_guest::connection::{Account, Connection, Endpoint, closed};
use sluice_guest::groups::appsmith::{self, appsmith};
use sluice_guest::sign_in::{Answer, Piece, Shows, SignIn, get};
use sluice_guest::spec::{KindSpec, OptionSpec, Platform, SlotSpec, kind, owned, secret};

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        options: &[&[owned("organizationId", Text, "The organisation that pays")]],
        slots: &[&[secret("api-key", "apiKey", "The key").required()]],
        connections: &[Connection {
            accounts: &[Account::Option("organizationId")],
            ..closed(&[Endpoint::Always("https://api.openai.com")])
        }],
        sign_in: &[SignIn {
            headers: &[("openai-organization", Piece::Option("organizationId"))],
            ..models(&[Shows::Bearer("api-key")])
        }],
        ..kind(Platform::ToolJet, "openai")
    },
    KindSpec {
        options: &[APPSMITH, appsmith::COMMON],
        slots: &[APPSMITH_TOKEN],
        connections: &[closed(&[Endpoint::Urls(&["url"])])],
        sign_in: &[models(&[Shows::Bearer("bearer-token")])],
        ..appsmith("Open AI")
    },
];

/// A key that is not for all of the interface may be good and yet forbidden to ask this.
const fn models(shows: &'static [Shows]) -> SignIn {
    SignIn {
        answer: Answer::Status(&[401]),
        ..get(
            &[Piece::Text("/v1/models")],
            shows,
            "https://platform.openai.com/docs/api-reference/models/list",
        )
    }
}

const APPSMITH: &[OptionSpec] = &[owned("url", Url, "The interface's address").like_bundle()];

const APPSMITH_TOKEN: &[SlotSpec] =
    &[secret("bearer-token", "authentication/bearerToken", "The key").required()];
