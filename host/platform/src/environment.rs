//! What in a content still points at another environment.

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;
use sluice_model::{Pointer, content};

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
            .match_kind(MatchKind::LeftmostLongest)
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
            for hit in tokens.find_iter(text).filter(|hit| is_token(text, hit.start(), hit.end())) {
                if let Some(value) = self.values.get(hit.pattern().as_usize()) {
                    found.push(Occurrence { at: at.clone(), value: value.clone() });
                }
            }
            true
        });
        found.dedup();
        found
    }
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

/// Values of a data source's native options that tell where it lies, with the host of each URL.
///
/// Give both environments' options and look only for what the target does not have as well.
#[must_use]
pub fn environment_values(options: &Value) -> Vec<String> {
    let mut found = Vec::new();
    content::visit(options, &mut |at, value| {
        let name = at.tokens().iter().rev().find(|t| *t != "value" && t.parse::<usize>().is_err());
        let telling = name.is_some_and(|name| {
            let name = name.to_ascii_lowercase();
            TELLING.contains(&name.as_str())
                || name.ends_with("url")
                || name.ends_with("host")
                || name.ends_with("bucket")
        });
        if let (Value::String(text), true) = (value, telling) {
            found.push(text.trim_end_matches('/').to_owned());
            found.extend(host_of(text).map(str::to_owned));
        }
        true
    });
    found.retain(|value| is_telling(value));
    found.sort();
    found.dedup();
    found
}

/// A URL's host (RFC 3986 §3.2.2), without user information and port.
fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    host.split(':').next().filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
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
}
