//! What the plugin knows of its kind, as a table.

use sluice_guest::OptionType::{Number, Text, Url};
use sluice_guest::connection::{Account, Administrators, Connection, Endpoint, Tls, to};
use sluice_guest::spec::{KindSpec, OptionSpec, Platform, SlotSpec, choice, fixed, kind, owned, place, secret};
use sluice_guest::{Family, plugin};

/// The kinds that the plugin serves.
#[derive(Debug)]
pub struct Kinds;

plugin!(Kinds);

impl Family for Kinds {
    fn kinds() -> &'static [KindSpec] {
        KINDS
    }
}

const KINDS: &[KindSpec] = &[KindSpec {
    options: &[OPTIONS],
    slots: &[SECRETS],
    // What policies are told: where a data source connects to, whether encrypted, and as whom.
    connections: &[Connection {
        tls: &[Tls::Scheme],
        accounts: &[Account::Option("account")],
        ..to(&[Endpoint::Urls(&["url"])])
    }],
    administrators: Administrators { accounts: &["admin"], roles: None },
    ..kind(Platform::Lowcoder, "{{name}}")
}];

const OPTIONS: &[OptionSpec] = &[
    place("url", Url, "Where the service is").required(),
    owned("account", Text, "The account to sign in as"),
    choice("tls", &["verify", "trust", "off"], "Which certificates are accepted").per_environment(),
    fixed("pageSize", Number, "How many records a page has"),
];

const SECRETS: &[SlotSpec] = &[secret("token", "token", "The account's token").required()];

#[cfg(test)]
mod tests {
    use sluice_guest::{Failure, harness};

    use super::Kinds;

    #[test]
    fn the_examples_come_out_as_expected() -> Result<(), harness::Differs> {
        harness::examples::<Kinds>("example")
    }

    #[test]
    fn the_place_of_another_environment_is_never_used() {
        let example = include_str!("../example/orders.json").replace("\"url\": \"https://orders.staging.example\",", "");
        let refused = harness::play::<Kinds>(&example).unwrap().unwrap_err();
        assert!(matches!(refused, Failure::Incomplete(lacking) if lacking == ["/url"]));
    }
}
