//! What URLs and connection strings say of a connection.
//!
//! A text is as [`crate::options::text_of`] gives it: a secret is `<its slot>`, an expression
//! stands in its braces, and nothing inside those is taken for syntax.

/// Schemes that encrypt, and schemes that do not. Others say nothing.
const ENCRYPTED: &[&str] = &["https", "wss", "rediss", "mongodb+srv", "grpcs", "amqps", "ftps"];
const PLAIN: &[&str] = &["http", "ws", "redis", "amqp", "ftp"];

/// Parameters that say whether a connection is encrypted, as drivers call them, and what they say.
const SWITCHES: &[&str] = &["sslmode", "ssl", "tls", "encrypt", "usessl", "ssl-mode"];
const ON: &[&str] =
    &["true", "yes", "1", "require", "required", "verify-ca", "verify-full", "strict", "mandatory"];
const OFF: &[&str] = &["false", "no", "0", "disable", "disabled"];

/// Parameters that name the server, and the user.
const SERVERS: &[&str] = &["server", "data source", "host", "address", "addr", "network address"];
const USERS: &[&str] = &["user id", "uid", "user", "username"];

/// What a URL's scheme says.
#[must_use]
pub fn encrypted_by_scheme(url: &str) -> Option<bool> {
    let (scheme, _) = split_scheme(url)?;
    let is = |known: &&str| scheme.eq_ignore_ascii_case(known);
    if ENCRYPTED.iter().any(is) {
        return Some(true);
    }
    PLAIN.iter().any(is).then_some(false)
}

/// Scheme, host and port of a URL, without the user; an expression in place of them as it is.
#[must_use]
pub fn origin(url: &str) -> Option<String> {
    let Some((scheme, rest)) = split_scheme(url) else {
        // All of it is an expression, perhaps with a path behind it.
        return url.starts_with("{{").then(|| url.to_owned());
    };
    let host = without_user(authority(rest));
    (!host.is_empty()).then(|| [scheme, "://", host].concat())
}

/// A host as `host:port`, or a URL's scheme, host and port. `port` is none where no option says
/// one, `usual` empty where there is no usual one.
#[must_use]
pub fn host_and_port(host: &str, port: Option<&str>, usual: &str) -> Option<String> {
    let is_name = !host.is_empty()
        && host.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-'));
    if is_name {
        // Nearly all hosts are names, in which there is nothing to look for.
        return Some(join(host, port.unwrap_or(usual)));
    }
    if split_scheme(host).is_some() {
        let origin = origin(host)?;
        let named = split_scheme(&origin).is_some_and(|(_, host)| has_port(host));
        return Some(match port {
            Some(port) if !named => [&origin, ":", port].concat(),
            _ => origin,
        });
    }
    let host = without_user(authority(host));
    (!host.is_empty())
        .then(|| if has_port(host) { host.to_owned() } else { join(host, port.unwrap_or(usual)) })
}

fn join(host: &str, port: &str) -> String {
    if port.is_empty() { host.to_owned() } else { [host, ":", port].concat() }
}

/// The servers of a connection string, as `host:port`; of a name that stands for servers which only
/// the DNS knows, scheme and name.
#[must_use]
pub fn servers(text: &str, usual: &str) -> Vec<String> {
    if let Some((scheme, rest)) = split_scheme(text) {
        if scheme.ends_with("+srv") {
            return origin(text).into_iter().collect();
        }
        let hosts = without_user(authority(rest)).split(',');
        return hosts.filter_map(|host| host_and_port(host, None, usual)).collect();
    }
    if let Some(thin) = oracle_thin(text) {
        return host_and_port(thin, None, usual).into_iter().collect();
    }
    let Some(server) = parameter(text, SERVERS) else { return Vec::new() };
    // SQL Server writes `tcp:host,port` and `host\instance`.
    let server = server.strip_prefix("tcp:").unwrap_or(server);
    let (server, port) = server.split_once(',').unwrap_or((server, ""));
    let host = server.split('\\').next().unwrap_or_default();
    let port = Some(port).filter(|port| !port.is_empty()).or_else(|| parameter(text, &["port"]));
    host_and_port(host, port, usual).into_iter().collect()
}

/// Host and port in Oracle's `jdbc:oracle:thin:@//host:port/service` or `…@host:port:sid`.
fn oracle_thin(text: &str) -> Option<&str> {
    let (_, server) = text.strip_prefix("jdbc:oracle:")?.rsplit_once('@')?;
    let server = authority(server.strip_prefix("//").unwrap_or(server));
    let mut colons = server.match_indices(':').skip(1).map(|(at, _)| at);
    server.get(..colons.next().unwrap_or(server.len()))
}

/// The user that a URL or connection string names.
#[must_use]
pub fn user(text: &str) -> Option<&str> {
    let user = match split_scheme(text) {
        Some((_, rest)) => {
            let (info, _) = authority(rest).rsplit_once('@')?;
            info.split(':').next()
        }
        None => parameter(text, USERS),
    };
    user.filter(|user| !user.is_empty())
}

/// Whether a connection string's parameters, or else its scheme, say that it is encrypted.
#[must_use]
pub fn encrypted(text: &str) -> Option<bool> {
    let Some(switch) = parameter(text, SWITCHES) else { return encrypted_by_scheme(text) };
    let is = |known: &&str| switch.eq_ignore_ascii_case(known);
    if ON.iter().any(is) {
        return Some(true);
    }
    OFF.iter().any(is).then_some(false)
}

/// What the first of these parameters says that the text has: of a URL behind the `?`, or of SQL
/// Server's behind the first `;`, else anywhere.
fn parameter<'t>(text: &'t str, names: &[&str]) -> Option<&'t str> {
    let (parameters, separators): (&str, &[char]) = match split_scheme(text) {
        Some((_, rest)) => (rest.get(rest.find(['?', ';'])? + 1..)?, &['&', ';']),
        None if text.contains(';') => (text, &[';']),
        None => (text, &[' ']),
    };
    let pairs = || parameters.split(separators).filter_map(|pair| pair.split_once('='));
    names.iter().find_map(|name| {
        let (_, value) = pairs().find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
        Some(value.trim().trim_matches(['\'', '"']))
    })
}

/// Scheme, and what stands behind `://`.
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    // A search for a text would cost several times what these few bytes do.
    let end = url.as_bytes().windows(3).position(|bytes| bytes == b"://")?;
    let scheme = url.get(..end).filter(|scheme| !scheme.is_empty() && !scheme.contains(['{', ' ', '=']))?;
    Some((scheme, url.get(end + 3..)?))
}

/// What stands before a URL's path, parameters or fragment.
fn authority(rest: &str) -> &str {
    let mut depth = 0usize;
    let end = rest.bytes().position(|byte| {
        match byte {
            b'{' | b'<' => depth += 1,
            b'}' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && matches!(byte, b'/' | b'?' | b'#' | b';')
    });
    end.and_then(|end| rest.get(..end)).unwrap_or(rest)
}

/// An authority without the user that stands before the host.
#[must_use]
pub fn without_user(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Whether a port stands behind a host: digits, or an expression of their own.
fn has_port(host: &str) -> bool {
    let Some((before, port)) = host.rsplit_once(':') else { return false };
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = |text: &str| text.matches("{{").count() == text.matches("}}").count();
    (is_number || port.starts_with("{{")) && is_whole(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (url, expected) in [
            ("https://api.example:8443/v1?x=1", Some("https://api.example:8443")),
            ("http://user:secret@api.example", Some("http://api.example")),
            ("https://{{constants.HOST}}/v1", Some("https://{{constants.HOST}}")),
            ("https://{{constants.A ? 'a/b' : 'c'}}/v1", Some("https://{{constants.A ? 'a/b' : 'c'}}")),
            ("{{secrets.url}}/v1", Some("{{secrets.url}}/v1")),
            ("https:///v1", None),
            ("api", None),
            ("://api", None),
        ] {
            assert_eq!(origin(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn only_a_known_scheme_says_whether_it_encrypts() {
        for (url, expected) in [
            ("HTTPS://a", Some(true)),
            ("wss://a", Some(true)),
            ("http://a", Some(false)),
            ("redis://a", Some(false)),
            ("postgres://a", None),
            ("{{secrets.url}}", None),
            ("a:1", None),
        ] {
            assert_eq!(encrypted_by_scheme(url), expected, "{url}");
        }
    }

    #[test]
    fn a_host_has_one_port() {
        for (host, port, usual, expected) in [
            ("db", None, "5432", Some("db:5432")),
            ("db", Some("1"), "5432", Some("db:1")),
            ("db:7", Some("1"), "5432", Some("db:7")),
            ("db", None, "", Some("db")),
            ("db/x", None, "1", Some("db:1")),
            ("[::1]", None, "5432", Some("[::1]:5432")),
            ("[::1]:7", None, "5432", Some("[::1]:7")),
            ("https://db", Some("9200"), "1", Some("https://db:9200")),
            ("https://u@db:7/x", Some("9200"), "1", Some("https://db:7")),
            ("https://db", None, "1", Some("https://db")),
            ("{{constants.H}}", None, "1", Some("{{constants.H}}:1")),
            ("{{constants.H}}:{{constants.P}}", None, "1", Some("{{constants.H}}:{{constants.P}}")),
            ("{{a ? b : 1}}", None, "2", Some("{{a ? b : 1}}:2")),
            ("https://", None, "1", None),
        ] {
            assert_eq!(host_and_port(host, port, usual).as_deref(), expected, "{host} {port:?}");
        }
    }

    #[test]
    fn a_connection_string_says_where_as_whom_and_whether_encrypted() {
        for (text, servers_of_it, user_of_it, encrypted_of_it) in [
            ("postgres://u@db:7/x?y", vec!["db:7"], Some("u"), None),
            ("postgres://db/x?sslmode=require", vec!["db:1"], None, Some(true)),
            ("postgres://db/x?sslmode=disable", vec!["db:1"], None, Some(false)),
            ("postgres://db/x?sslmode=prefer", vec!["db:1"], None, None),
            ("postgres://app:<password>@{{constants.HOST}}", vec!["{{constants.HOST}}:1"], Some("app"), None),
            ("mongodb://a:b@m1:2,m2/x?tls=true", vec!["m1:2", "m2:1"], Some("a"), Some(true)),
            ("mongodb+srv://a@m.example/x", vec!["mongodb+srv://m.example"], Some("a"), Some(true)),
            ("mongodb+srv://m.example/x?ssl=false", vec!["mongodb+srv://m.example"], None, Some(false)),
            (
                "Server=tcp:db,1433;User ID=app;Password=<p>;Encrypt=True",
                vec!["db:1433"],
                Some("app"),
                Some(true),
            ),
            (r"Data Source=db\one;Uid=app;", vec!["db:1"], Some("app"), None),
            ("host=db port=5 user='app' sslmode=verify-full", vec!["db:5"], Some("app"), Some(true)),
            ("jdbc:sqlserver://db:7;databaseName=x;encrypt=false", vec!["db:7"], None, Some(false)),
            ("rediss://:<p>@db", vec!["db:1"], None, Some(true)),
            ("jdbc:oracle:thin:@//db:7/x", vec!["db:7"], None, None),
            ("jdbc:oracle:thin:@db:7:x", vec!["db:7"], None, None),
            ("jdbc:oracle:thin:@tns", vec!["tns:1"], None, None),
            ("<connection-string>", vec![], None, None),
            ("{{secrets.DB}}", vec![], None, None),
            ("", vec![], None, None),
        ] {
            assert_eq!(servers(text, "1"), servers_of_it, "{text}");
            assert_eq!(user(text), user_of_it, "{text}");
            assert_eq!(encrypted(text), encrypted_of_it, "{text}");
        }
    }
}
