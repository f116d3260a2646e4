//! What in a content still points at another environment.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;
use sluice_model::Pointer;
use sluice_model::content::{self, Part};

use crate::connection;
use crate::translate::is_token;

/// The values of one environment to look for: hosts, URLs, buckets, native ids.
///
/// Built once and used for any number of contents; each is looked through in one pass.
pub struct EnvironmentValues {
    values: Vec<String>,
    tokens: Option<AhoCorasick>,
}

/// One place where a value of the other environment stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    /// Where in the content.
    pub at: Pointer,
    /// The value, as the environment has it.
    pub value: String,
}

/// Values that every environment may have, so that finding one says nothing.
const EVERYWHERE: &[&str] = &[
    "127.0.0.1",
    "admin",
    "default",
    "(local)",
    "disabled",
    "enabled",
    "false",
    "header",
    "localhost",
    "mongodb",
    "mysql",
    "none",
    "null",
    "postgres",
    "postgresql",
    "public",
    "root",
    "true",
    "user",
    "write",
    "https://",
    "http://",
];

impl EnvironmentValues {
    /// Takes the values that are worth looking for: those of at least four characters that are no
    /// bare number, no expression and no word that every environment has.
    pub fn new(values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut values: Vec<String> =
            values.into_iter().map(Into::into).filter(|value| is_telling(value)).collect();
        values.sort();
        values.dedup();
        let tokens = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&values)
            .ok()
            .filter(|_| !values.is_empty());
        Self { values, tokens }
    }

    /// The values that are looked for.
    #[must_use]
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// Every occurrence in `content`, as a whole token, once per place.
    #[must_use]
    pub fn find(&self, content: &Value) -> Vec<Occurrence> {
        let mut found = Vec::new();
        let Some(tokens) = &self.tokens else { return found };
        content::visit(content, &mut |at, value| {
            let Value::String(text) = value else { return true };
            let here = longest_tokens(tokens, text);
            let values = here.into_iter().filter_map(|pattern| self.values.get(pattern));
            found.extend(values.map(|value| Occurrence { at: at.clone(), value: value.clone() }));
            true
        });
        found
    }
}

/// The patterns that stand in `text` as whole tokens: from the left, each time the longest. One that
/// is no token hides none that stands inside of it.
fn longest_tokens(tokens: &AhoCorasick, text: &str) -> BTreeSet<usize> {
    // Most texts have none, which is found out faster.
    if !tokens.is_match(text) {
        return BTreeSet::new();
    }
    let mut hits: Vec<_> = tokens
        .find_overlapping_iter(text)
        .filter(|hit| is_token(text, hit.start(), hit.end()))
        .map(|hit| (hit.start(), Reverse(hit.end()), hit.pattern().as_usize()))
        .collect();
    hits.sort_unstable();
    let mut done = 0;
    hits.retain(|(start, Reverse(end), _)| {
        let apart = *start >= done;
        if apart {
            done = *end;
        }
        apart
    });
    hits.into_iter().map(|(_, _, pattern)| pattern).collect()
}

fn is_telling(value: &str) -> bool {
    value.len() >= 4
        && value.len() <= 2000
        && !value.contains("{{")
        && (value.parse::<std::net::Ipv4Addr>().is_ok()
            || !value.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        && value.bytes().any(|b| b.is_ascii_alphanumeric())
        && !EVERYWHERE.contains(&value.to_ascii_lowercase().as_str())
}

/// The options whose values tell where a source lies.
const TELLING: &[&str] = &[
    "account",
    "base_url",
    "bucket",
    "connection_string",
    "connectionstring",
    "database",
    "dsn",
    "endpoint",
    "host",
    "hostname",
    "instance",
    "index",
    "project",
    "project_id",
    "region_host",
    "server",
    "site",
    "uri",
    "url",
    "warehouse",
    "workspace",
];

/// Options that hold nothing but a host, or several.
const HOSTS: &[&str] = &["endpoint", "host", "hostname", "server"];

/// Values of a data source's native options that tell where it lies, with the hosts of each URL and
/// connection string, also of one out of which a password was taken.
///
/// Give both environments' options and look only for what the target does not have as well.
#[must_use]
pub fn environment_values(options: &Value) -> Vec<String> {
    let mut found = Vec::new();
    content::visit(options, &mut |at, value| {
        let parts = content::parts(value);
        let name = at.tokens().iter().rev().find(|t| *t != "value" && t.parse::<usize>().is_err());
        let name = name.map(|name| name.to_ascii_lowercase()).filter(|name| {
            TELLING.contains(&name.as_str())
                || name.ends_with("url")
                || name.ends_with("host")
                || name.ends_with("bucket")
        });
        match (name, value, &parts) {
            (Some(name), Value::String(text), _) => {
                found.push(text.trim_end_matches('/').to_owned());
                found.extend(connection::places(text).into_iter().map(str::to_owned));
                if !text.contains("://") && (HOSTS.contains(&name.as_str()) || name.ends_with("host")) {
                    found.extend(connection::bare_hosts(text).into_iter().map(str::to_owned));
                }
            }
            // What is left of it stands nowhere else as it is here, but where it leads may.
            (Some(_), _, Some(parts)) => {
                let left: String = parts
                    .iter()
                    .map(|part| match part {
                        Part::Text(text) => text.as_str(),
                        Part::Slot(_) | Part::Provisional(_) => "",
                    })
                    .collect();
                found.extend(connection::places(&left).into_iter().map(str::to_owned));
            }
            _ => {}
        }
        parts.is_none()
    });
    found.retain(|value| is_telling(value));
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_whole_values_in_texts_and_says_where() {
        let options = json!({
            "host": {"value": "db.dev.example.com"},
            "port": {"value": "5432"},
            "url": {"value": "https://api.dev.example.com:8443/v1/"},
            "bucket": {"value": "orders-dev"},
            "username": {"value": "somebody"},
            "database": {"value": "postgres"},
        });
        let values = environment_values(&options);
        assert_eq!(
            values,
            [
                "api.dev.example.com",
                "db.dev.example.com",
                "https://api.dev.example.com:8443/v1",
                "orders-dev"
            ]
        );
        let values = EnvironmentValues::new(values);
        let content = json!({
            "query": "select dblink('host=DB.dev.example.com')",
            "headers": [["Origin", "https://api.dev.example.com"]],
            "code": "fetch('https://api.dev.example.com:8443/v1/x'); // myorders-dev2",
        });
        let found: Vec<_> = values.find(&content).into_iter().map(|o| (o.at.to_string(), o.value)).collect();
        assert_eq!(
            found,
            [
                ("/code".to_owned(), "https://api.dev.example.com:8443/v1".to_owned()),
                ("/headers/0/1".to_owned(), "api.dev.example.com".to_owned()),
                ("/query".to_owned(), "db.dev.example.com".to_owned()),
            ]
        );
        assert_eq!(EnvironmentValues::new(["", "abc", "5432", "true"]).find(&content), []);
    }

    #[test]
    fn a_long_value_that_is_no_token_hides_no_shorter_one() {
        let options = json!({"url": {"value": "https://billing.dev.example.com/api"}});
        let (whole, host) = ("https://billing.dev.example.com/api", "billing.dev.example.com");
        let values = EnvironmentValues::new(environment_values(&options));
        for (text, expected) in [
            ("https://billing.dev.example.com/api/x", vec![whole]),
            ("https://billing.dev.example.com/apiv2/x", vec![host]),
            ("https://billing.dev.example.com/v1beta", vec![host]),
            ("https://billing.dev.example.com/api and billing.dev.example.com", vec![host, whole]),
            ("https://mybilling.dev.example.com/api", vec![]),
        ] {
            let found: Vec<_> = values.find(&json!(text)).into_iter().map(|found| found.value).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn connection_strings_tell_their_hosts_also_without_their_passwords() {
        let slot = || Part::Slot("password".parse().unwrap());
        let around = |before: &str, after: &str| {
            content::mark(&[Part::Text(before.into()), slot(), Part::Text(after.into())])
        };
        for (option, value, expected) in [
            (
                "connection_string",
                around("postgres://app:", "@db.dev.example.com:5432/x"),
                vec!["db.dev.example.com"],
            ),
            (
                "connection_string",
                around("Server=tcp:sql.dev.example.com,1433;Database=orders_dev;Password=", ";Encrypt=yes"),
                vec!["orders_dev", "sql.dev.example.com"],
            ),
            ("uri", around("Host=pg.dev.example.com;Password=", ""), vec!["pg.dev.example.com"]),
            (
                "connection_url",
                json!("data source=sql.dev.example.com"),
                vec!["data source=sql.dev.example.com", "sql.dev.example.com"],
            ),
            ("host", json!("db.dev.example.com:5432"), vec!["db.dev.example.com", "db.dev.example.com:5432"]),
            ("note", around("postgres://app:", "@db.dev.example.com:5432/x"), vec![]),
        ] {
            for options in [json!({option: {"value": value}}), json!({option: value})] {
                assert_eq!(environment_values(&options), expected, "{options}");
            }
        }
    }

    /// The longest value that stands at a place as a whole token, from the left: by trying all.
    fn by_trying(values: &[String], text: &str) -> BTreeSet<String> {
        let (text, mut at, mut found) = (text.to_ascii_lowercase(), 0, BTreeSet::new());
        while at < text.len() {
            let here = values
                .iter()
                .filter(|value| text[at..].starts_with(&value.to_ascii_lowercase()))
                .filter(|value| is_token(&text, at, at + value.len()))
                .max_by_key(|value| value.len());
            at += here.map_or(1, |value| value.len());
            found.extend(here.cloned());
        }
        found
    }

    proptest! {
        #[test]
        fn finds_what_trying_every_place_finds(
            values in prop::collection::btree_set("[ab./]{0,3}ab[ab.]{2,4}", 1..6),
            pieces in prop::collection::vec((any::<prop::sample::Index>(), "[abAB./ ]{0,3}"), 0..6),
        ) {
            let values: Vec<String> = values.into_iter().collect();
            let text: String =
                pieces.iter().map(|(which, between)| format!("{}{between}", which.get(&values))).collect();
            let wanted = EnvironmentValues::new(values);
            let found: Vec<String> = wanted.find(&json!(text)).into_iter().map(|found| found.value).collect();
            let expected: Vec<String> = by_trying(wanted.values(), &text).into_iter().collect();
            prop_assert_eq!(found, expected, "{}", text);
        }
    }
}
