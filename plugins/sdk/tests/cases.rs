//! The cases that the SDKs of all languages play: what one makes of them, all do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail as tests do")]

use sluice_guest::OptionType::{Flag, Json, ListOfPairs, Number, Text, Url};
use sluice_guest::spec::{
    KindSpec, OptionSpec, Platform, SlotSpec, choice, fixed, kind, owned, place, secret, url_secret,
};
use sluice_guest::{Family, harness};

const OPTIONS: &[OptionSpec] = &[
    place("host", Text, "").unless("url"),
    place("port", Number, ""),
    place("url", Url, ""),
    owned("user", Text, ""),
    owned("auth/user", Text, ""),
    fixed("ssl", Flag, "").per_environment(),
    choice("mode", &["fast", "safe"], ""),
    owned("labels", ListOfPairs, ""),
    owned("extra", Json, ""),
    fixed("fixedJson", Json, ""),
    fixed("pageSize", Number, ""),
];

const SLOTS: &[SlotSpec] = &[
    secret("password", "password", "").needed_when("mode", &["safe"]),
    secret("token", "token", ""),
    url_secret("url-password", "url", ""),
];

const KINDS: &[KindSpec] = &[
    KindSpec { options: &[OPTIONS], slots: &[SLOTS], ..kind(Platform::ToolJet, "case") },
    KindSpec { options: &[OPTIONS], slots: &[SLOTS], ..kind(Platform::Lowcoder, "case") },
];

struct Cases;

impl Family for Cases {
    fn kinds() -> &'static [KindSpec] {
        KINDS
    }
}

#[test]
fn the_cases_of_all_languages_come_out_as_expected() {
    let cases: Vec<serde_json::Value> = serde_json::from_str(include_str!("cases.json")).unwrap();
    assert!(cases.len() > 40, "{}", cases.len());
    for case in cases {
        if let Err(differs) = harness::example::<Cases>(&case.to_string()) {
            panic!("{}: {differs}", case["title"]);
        }
    }
}
