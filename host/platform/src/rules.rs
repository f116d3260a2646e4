//! Where each kind's secrets lie: the floor that is always there, and what is added to it.
//!
//! The floor is drawn up from what the platforms' own manifests mark as encrypted, and from where
//! those manifests are wrong: ToolJet leaves MariaDB's password and Twilio's token in the clear.

use std::collections::BTreeMap;

use sluice_model::slot::{SecretShape, SlotRule};
use sluice_model::{Kind, Pointer, SlotName};

use crate::OPTIONS;

/// Rules by kind, on top of the built-in floor. Rules are added, never taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotRules {
    added: BTreeMap<Kind, Vec<SlotRule>>,
}

impl SlotRules {
    /// The built-in floor alone.
    #[must_use]
    pub fn floor() -> Self {
        Self::default()
    }

    /// Adds rules for a kind. Pointers are relative to the native options.
    pub fn add(&mut self, kind: Kind, rules: impl IntoIterator<Item = SlotRule>) {
        self.added.entry(kind).or_default().extend(rules);
    }

    /// All rules for a kind: first those added, so that their names are the ones that slots get.
    #[must_use]
    pub fn for_kind(&self, kind: &Kind) -> Vec<SlotRule> {
        let mut rules = self.added.get(kind).cloned().unwrap_or_default();
        for rule in floor(kind) {
            if !rules.iter().any(|known| known.at == rule.at && known.shape == rule.shape) {
                rules.push(rule);
            }
        }
        rules
    }
}

/// Options that are a secret as a whole wherever they occur.
const WHOLE: &[&str] = &[
    "accessToken",
    "access_token",
    "apiKey",
    "apiSecret",
    "api_key",
    "api_secret",
    "api_token",
    "apikey",
    "authToken",
    "auth_token",
    "bearerToken",
    "bearer_token",
    "clientSecret",
    "client_key",
    "client_secret",
    "consumerSecret",
    "consumer_key",
    "consumer_secret",
    "grpc_apikey_value",
    "passphrase",
    "passwd",
    "password",
    "personal_token",
    "pwd",
    "refreshToken",
    "refresh_token",
    "secret",
    "secretAccessKey",
    "secretKey",
    "secret_access_key",
    "secret_key",
    "signing_secret",
    "ssh_private_key",
    "token",
    "tokenData",
    "webhook_secret",
];

/// Options that are a secret in one kind and something else in others.
const WHOLE_OF_KIND: &[(&str, &str)] = &[
    ("cosmosdb", "key"),
    ("mariadb", "key"),
    ("mysql", "key"),
    ("n8n", "value"),
    ("smtp", "pass"),
    ("supabase", "supabase_key"),
    ("twilio", "authToken"),
];

/// Service accounts: JSON held as text, of which one member is the secret.
const SERVICE_ACCOUNTS: &[&str] =
    &["gcp_key", "private_key", "service_account", "serviceAccount", "credentials"];

/// Options that hold a URL, which may carry a password.
const URLS: &[&str] = &[
    "access_token_url",
    "auth_url",
    "base_url",
    "connectionString",
    "connection_string",
    "endpoint",
    "host",
    "uri",
    "url",
];

/// Options that hold a connection string of `key=value` pairs, and the keys that hide a secret.
const CONNECTION_STRINGS: &[&str] =
    &["connectionString", "connection_string", "connection_url", "uri", "url"];
const CONNECTION_KEYS: &[&str] = &["password", "pwd", "AccountKey", "SharedAccessKey"];

/// Lists of names and values, some of whose names say that the value is a secret.
const PAIRS: &[&str] = &[
    "access_token_custom_headers",
    "body",
    "bodyFormData",
    "cookies",
    "custom_auth_params",
    "custom_query_params",
    "headers",
    "params",
    "query_params",
    "url_parameters",
    "url_params",
];

/// Whether a member of this name lists headers or parameters, in a data source or a query.
pub(crate) fn lists_parameters(member: &str) -> bool {
    PAIRS.contains(&member)
}

/// Where Lowcoder keeps secrets deeper than the options' first level.
const LOWCODER_INNER: &[&str] = &["authConfig", "sslConfig", "dynamicParamsConfig"];
const LOWCODER_KEYS: &[&str] = &["clientKey", "selfSignedKey", "privateKey"];

fn floor(kind: &Kind) -> Vec<SlotRule> {
    let tooljet = kind.platform == "tooljet";
    let at = |option: &str| {
        let at = Pointer::root().child(option);
        if tooljet { at.child("value") } else { at }
    };
    let mut rules: Vec<SlotRule> = Vec::new();
    let mut rule = |name: &str, at: Pointer, shape: SecretShape| {
        if let Ok(name) = SlotName::new(name) {
            rules.push(SlotRule { name, at, shape, required: false });
        }
    };
    for option in WHOLE {
        rule(option, at(option), SecretShape::Whole);
    }
    for (_, option) in WHOLE_OF_KIND.iter().filter(|(of, _)| *of == kind.name) {
        rule(option, at(option), SecretShape::Whole);
    }
    for option in SERVICE_ACCOUNTS {
        rule(option, at(option), SecretShape::JsonMember(Pointer::root().child("private_key")));
    }
    for option in URLS {
        rule(&format!("{option}-password"), at(option), SecretShape::UrlUserinfo);
    }
    for option in CONNECTION_STRINGS {
        for key in CONNECTION_KEYS {
            rule(&format!("{option}-{key}"), at(option), SecretShape::KeyValue((*key).to_owned()));
        }
    }
    for option in PAIRS {
        let value =
            if tooljet { at(option).child("*").child("1") } else { at(option).child("*").child("value") };
        rule(option, value, SecretShape::HeaderValue);
    }
    if !tooljet {
        for inner in LOWCODER_INNER {
            for option in WHOLE.iter().chain(LOWCODER_KEYS) {
                rule(&format!("{inner}-{option}"), at(inner).child(option), SecretShape::Whole);
            }
        }
    }
    rules
}

/// The rules' pointers as they stand in a data source's content.
pub(crate) fn options_pointer() -> Pointer {
    Pointer::root().child(OPTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_are_added_never_lower_the_floor() {
        let kind = Kind::new("tooljet", "mariadb");
        let before = SlotRules::floor().for_kind(&kind);
        let mut rules = SlotRules::floor();
        let mine = SlotRule {
            name: SlotName::new("db-password").unwrap(),
            at: "/password/value".parse().unwrap(),
            shape: SecretShape::Whole,
            required: true,
        };
        rules.add(kind.clone(), [mine.clone()]);
        let after = rules.for_kind(&kind);
        assert_eq!(after[0], mine);
        for rule in &before {
            assert!(after.iter().any(|r| r.at == rule.at && r.shape == rule.shape), "{rule:?}");
        }
    }

    #[test]
    fn the_floor_covers_what_manifests_leave_in_the_clear() {
        for (platform, kind, at) in [
            ("tooljet", "mariadb", "/password/value"),
            ("tooljet", "twilio", "/authToken/value"),
            ("tooljet", "anything", "/secret_key/value"),
            ("lowcoder", "postgres", "/password"),
            ("lowcoder", "restApi", "/authConfig/password"),
        ] {
            let rules = SlotRules::floor().for_kind(&Kind::new(platform, kind));
            assert!(
                rules.iter().any(|r| r.at.to_string() == at && r.shape == SecretShape::Whole),
                "{kind} {at}"
            );
        }
    }
}
