//! Connection strings that are made of pairs: `Server=tcp:db,1433;Password="a;b"`.

use std::ops::Range;

/// What may stand before a key.
const BEFORE_KEYS: [char; 6] = [';', '&', '?', ' ', '\n', '\t'];

/// What ends a value in a URL's query and in libpq's strings.
const AFTER_VALUES: [char; 4] = ['&', ' ', '\n', '\t'];

/// Keys of several words, as ADO.NET, ODBC and OLE DB have them.
const LONG_KEYS: &[&str] = &[
    "application intent",
    "application name",
    "column encryption setting",
    "connect timeout",
    "connection lifetime",
    "connection timeout",
    "current language",
    "data source",
    "failover partner",
    "initial catalog",
    "integrated security",
    "load balance timeout",
    "max pool size",
    "min pool size",
    "network address",
    "network library",
    "packet size",
    "persist security info",
    "ssl mode",
    "trust server certificate",
    "type system version",
    "user id",
    "user name",
    "workstation id",
];

/// The values of `key`, wherever it stands, in order and without overlap.
///
/// Pairs are separated by `;`, or else by `&` or white space. Where a text can be read both ways a value
/// is the longer one: what is taken out too much comes back, what is left is read by others. Quotes
/// around a value stay; inside them a quote is doubled, or escaped as libpq does, and a separator is text.
pub(crate) fn values(text: &str, key: &str) -> Vec<Range<usize>> {
    let (lower, key) = (text.to_ascii_lowercase(), key.to_ascii_lowercase());
    let semicolons = is_by_semicolons(&lower);
    let others = !semicolons || has_two_pairs(lower.split(';').next().unwrap_or_default());
    let mut found: Vec<Range<usize>> = Vec::new();
    for (start, name) in lower.match_indices(key.as_str()) {
        let done = found.last().map_or(0, |last| last.end);
        let (Some(before), Some(after)) = (text.get(..start), text.get(start + name.len()..)) else {
            continue;
        };
        let begins = before.trim_end().is_empty() || before.ends_with(BEFORE_KEYS);
        let Some(value) = after.trim_start().strip_prefix('=').filter(|_| begins && start >= done) else {
            continue;
        };
        let value = value.trim_start();
        let until = |ends: &[char]| value.find(ends).unwrap_or(value.len());
        let (value, end) = quoted(value).unwrap_or_else(|| {
            let end = if semicolons { until(&[';']) } else { 0 };
            (value, if others { end.max(until(&AFTER_VALUES)) } else { end })
        });
        let from = text.len() - value.len();
        if end > 0 {
            found.push(from..from + end);
        }
    }
    found
}

/// Whether a text's pairs are separated by `;`: behind each comes another key, or nothing.
fn is_by_semicolons(lower: &str) -> bool {
    let mut parts = lower.split(';').skip(1).map(str::trim).peekable();
    parts.peek().is_some()
        && parts.all(|part| match part.split_once('=') {
            Some((key, _)) => {
                let key = key.trim();
                let is_plain = |c: char| c.is_alphanumeric() || "_.-".contains(c);
                !key.is_empty() && key.chars().all(is_plain) || LONG_KEYS.contains(&key)
            }
            None => part.is_empty(),
        })
}

/// Whether a text has a key behind a value and something else than `;`.
fn has_two_pairs(lower: &str) -> bool {
    let Some((_, after)) = lower.split_once('=') else { return false };
    after.match_indices('=').any(|(at, _)| {
        let key = after.get(..at).unwrap_or_default().trim_end();
        let word = key.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
        word.len() < key.len() && word.ends_with(BEFORE_KEYS)
    })
}

/// What is inside the quotes that a value begins with, and where it ends: ODBC's are braces, which
/// an expression's are not.
fn quoted(value: &str) -> Option<(&str, usize)> {
    let open = value.chars().next()?;
    let close = match open {
        '"' | '\'' => open,
        '{' if !value.starts_with("{{") => '}',
        _ => return None,
    };
    let inner = value.get(open.len_utf8()..)?;
    let mut rest = inner.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        if c == '\\' && open == '\'' {
            rest.next();
        } else if c == close && rest.next_if(|(_, next)| *next == close).is_none() {
            return Some((inner, at));
        }
    }
    Some((inner, inner.len()))
}

/// Keys under which a connection string says where it leads.
const PLACES: &[&str] = &[
    "accountname",
    "addr",
    "address",
    "blobendpoint",
    "data source",
    "database",
    "databasename",
    "datasource",
    "dbname",
    "endpoint",
    "host",
    "hostaddr",
    "hostname",
    "initial catalog",
    "network address",
    "server",
];

/// Where a text leads: the hosts of a URL, or what the pairs of a connection string say.
pub(crate) fn places(text: &str) -> Vec<&str> {
    let mut found = url_hosts(text);
    for range in PLACES.iter().flat_map(|key| values(text, key)) {
        let Some(value) = text.get(range) else { continue };
        match url_hosts(value).as_slice() {
            [] => found.extend(bare_hosts(value)),
            hosts => found.extend(hosts),
        }
    }
    found
}

/// A URL's hosts (RFC 3986 §3.2.2), without user information and ports; MongoDB's name several.
fn url_hosts(url: &str) -> Vec<&str> {
    let Some((_, rest)) = url.split_once("://") else { return Vec::new() };
    let authority = rest.split(['/', '?', '#', ';']).next().unwrap_or_default();
    bare_hosts(authority.rsplit('@').next().unwrap_or_default())
}

/// Hosts as drivers take them: `tcp:db,1433`, `db\instance`, `a:5432,b:5432`, `[::1]:80`.
pub(crate) fn bare_hosts(text: &str) -> Vec<&str> {
    let text = ["tcp:", "np:", "lpc:", "admin:"]
        .iter()
        .find_map(|protocol| {
            let (head, rest) = text.split_at_checked(protocol.len())?;
            head.eq_ignore_ascii_case(protocol).then_some(rest)
        })
        .unwrap_or(text);
    let host = |entry: &'_ str| -> usize {
        match entry.strip_prefix('[').and_then(|literal| literal.find(']')) {
            Some(end) => end + 2,
            None => entry.find([':', '\\']).unwrap_or(entry.len()),
        }
    };
    text.split(',')
        .map(str::trim)
        .filter_map(|entry| entry.get(..host(entry)))
        .filter(|host| !host.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_every_value_of_a_key() {
        for (text, key, expected) in [
            ("Server=db;Pwd=not-real;X=1", "pwd", vec!["not-real"]),
            ("Password=;Server=db;Password=not-real", "Password", vec!["not-real"]),
            ("password=a1;x=2;PASSWORD = b2 ;password=c3", "password", vec!["a1", "b2 ", "c3"]),
            ("host=db password='not real' x=1", "password", vec!["not real"]),
            (r#"Password="not;""real""";X=1"#, "password", vec![r#"not;""real"""#]),
            (r"password='not\'real' x=1", "password", vec![r"not\'real"]),
            ("PWD={not;real}};x};X=1", "pwd", vec!["not;real}};x"]),
            ("password={{secrets.DB}};x=1", "password", vec!["{{secrets.DB}}"]),
            (r#"x="password=inner";password=outer"#, "password", vec!["outer"]),
            ("jdbc:x://db?user=me&password=not-real", "password", vec!["not-real"]),
            ("password='never closed", "password", vec!["never closed"]),
            // A separator of the other way of writing is part of the value.
            ("host=db password=not;real user=x", "password", vec!["not;real"]),
            ("password=not;real host=db", "password", vec!["not;real"]),
            ("host=db password=not;a=real user=x", "password", vec!["not;a=real"]),
            ("Server=db;Password=not real;User Id=x", "password", vec!["not real"]),
            ("Password=not b=real;Server=db", "password", vec!["not b=real"]),
            ("Server=db;Password=not;real;User=x", "password", vec!["not;real;User=x"]),
            ("Server=db;Password=not-real;Data Source=x;", "password", vec!["not-real"]),
            ("jdbc:x://db?user=me&password=not;real&init=a;b", "password", vec!["not;real"]),
            ("postgres://db/x?password=not?real", "password", vec!["not?real"]),
            ("nopassword=1;xpassword=2", "password", vec![]),
            ("password", "password", vec![]),
        ] {
            let found: Vec<_> = values(text, key).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn tells_where_a_text_leads() {
        for (text, expected) in [
            ("https://api.dev.example.com:8443/v1", vec!["api.dev.example.com"]),
            ("postgres://app:@db.dev.example.com:5432/x", vec!["db.dev.example.com"]),
            ("mongodb://a:b@m1.dev:27017,m2.dev:27017/x", vec!["m1.dev", "m2.dev"]),
            ("http://[2001:db8::1]:80/x", vec!["[2001:db8::1]"]),
            (
                "Server=tcp:sql.dev.example.com,1433;Database=orders_dev;User=x",
                vec!["orders_dev", "sql.dev.example.com", "1433"],
            ),
            (r"data source=sql.dev\one;Initial Catalog=orders_dev", vec!["sql.dev", "orders_dev"]),
            ("host=db.dev.example.com port=5432 dbname=orders_dev", vec!["orders_dev", "db.dev.example.com"]),
            ("jdbc:sqlserver://sql.dev:1433;databaseName=orders_dev", vec!["sql.dev", "orders_dev"]),
            ("Endpoint=sb://bus.dev.example.com/;X=1", vec!["bus.dev.example.com", "bus.dev.example.com"]),
            ("db.dev.example.com", vec![]),
        ] {
            assert_eq!(places(text), expected, "{text}");
        }
    }
}
