//! Connection strings that are made of pairs: `Server=tcp:db,1433;Password="a;b"`.

use std::ops::Range;

/// The values of `key`, wherever it stands, in order and without overlap.
///
/// Pairs are separated by `;` where there is one, or else by `&`, `?` or white space. Quotes around
/// a value stay; inside them a quote is doubled, or escaped as libpq does, and a separator is text.
pub(crate) fn values(text: &str, key: &str) -> Vec<Range<usize>> {
    let separators: &[char] = if text.contains(';') { &[';'] } else { &['&', '?', ' ', '\n', '\t'] };
    let (lower, key) = (text.to_ascii_lowercase(), key.to_ascii_lowercase());
    let mut found: Vec<Range<usize>> = Vec::new();
    for (start, name) in lower.match_indices(key.as_str()) {
        let done = found.last().map_or(0, |last| last.end);
        let (Some(before), Some(after)) = (text.get(..start), text.get(start + name.len()..)) else {
            continue;
        };
        let trimmed = before.trim_end_matches([' ', '\t']);
        let begins = trimmed.is_empty() || before.ends_with(separators) || trimmed.ends_with(separators);
        let Some(value) = after.trim_start().strip_prefix('=').filter(|_| begins && start >= done) else {
            continue;
        };
        let value = value.trim_start();
        let (value, end) =
            quoted(value).unwrap_or_else(|| (value, value.find(separators).unwrap_or(value.len())));
        let from = text.len() - value.len();
        if end > 0 {
            found.push(from..from + end);
        }
    }
    found
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
