//! Where a probe may go: hosts with their ports, and private ranges.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::address::{self, Reach};

/// Bytes of a host's name at most, as in the DNS (RFC 1035), and of one label.
const NAME_MOST: usize = 253;
const LABEL_MOST: usize = 63;

/// A host as it is compared: an address, or a name in lower case and in ASCII (IDNA, as the URL standard has it),
/// without a dot at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Name(String),
    Address(IpAddr),
}

impl Host {
    /// Reads a name, an IPv4 address in any notation that URLs allow, or an IPv6 address, with or without brackets.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        // Long enough for any name with letters beyond ASCII, short enough to normalise.
        if text.len() > 4 * NAME_MOST {
            return Err("a host's name has at most 253 characters");
        }
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("a host's name has no spaces in it");
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        match url::Host::parse(text) {
            Ok(url::Host::Ipv4(address)) => Ok(Self::Address(address.into())),
            Ok(url::Host::Ipv6(address)) => Ok(Self::Address(IpAddr::V6(address).to_canonical())),
            Ok(url::Host::Domain(name)) => {
                check_name(&name)?;
                Ok(Self::Name(name))
            }
            Err(_) => Err("it is neither a name nor an address"),
        }
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.len() > NAME_MOST || name.split('.').any(|label| label.len() > LABEL_MOST) {
        return Err("a host's name has at most 253 characters, and 63 between two dots");
    }
    if name.split('.').any(|label| label.is_empty() || !label.chars().all(is_plain)) {
        return Err(
            "a host's name is made of letters, digits, `-` and `_`, with something between any two dots",
        );
    }
    Ok(())
}

/// As in a URL: IPv6 in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// Hosts that are granted, with one port: `host:port`, `[IPv6]:port`, or `*.suffix:port` for all names with one or more
/// labels before the suffix, which itself has at least two and is not among them.
///
/// More than one label, unlike in certificates: hosted databases are called `db.eu-west-1.rds.example.com`. Names are
/// compared without regard to case, in their ASCII form; addresses however they are written. An address is
/// never matched by a suffix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern {
    host: Granted,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Granted {
    One(Host),
    Below(String),
}

impl HostPattern {
    /// The pattern of one host: a name or an address, IPv6 with or without brackets.
    ///
    /// # Errors
    /// When it is neither, or the port is 0.
    pub fn host(host: &str, port: u16) -> Result<Self, NotGrantable> {
        let wrong = |why| NotGrantable::host(&format!("{host}:{port}"), why);
        if port == 0 {
            return Err(wrong("a port is a number from 1 to 65535"));
        }
        Ok(Self { host: Granted::One(Host::parse(host).map_err(wrong)?), port })
    }

    /// The hosts that are of this pattern and of another, where there can be any.
    #[must_use]
    pub fn within(&self, other: &Self) -> Option<Self> {
        if self.port != other.port {
            return None;
        }
        match (&self.host, &other.host) {
            (_, Granted::One(host)) => self.matches(host, self.port).then(|| other.clone()),
            (Granted::One(host), _) => other.matches(host, self.port).then(|| self.clone()),
            (Granted::Below(mine), Granted::Below(theirs)) => {
                let is_below = |longer: &str, suffix: &str| {
                    longer == suffix || longer.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'))
                };
                if is_below(theirs, mine) {
                    Some(other.clone())
                } else {
                    is_below(mine, theirs).then(|| self.clone())
                }
            }
        }
    }

    pub(super) fn matches(&self, host: &Host, port: u16) -> bool {
        self.port == port
            && match (&self.host, host) {
                (Granted::One(one), host) => one == host,
                (Granted::Below(suffix), Host::Name(name)) => {
                    let before = name.strip_suffix(suffix.as_str()).and_then(|rest| rest.strip_suffix('.'));
                    before.is_some_and(|labels| !labels.is_empty())
                }
                (Granted::Below(_), Host::Address(_)) => false,
            }
    }
}

impl FromStr for HostPattern {
    type Err = NotGrantable;

    fn from_str(text: &str) -> Result<Self, NotGrantable> {
        let wrong = |why| NotGrantable::host(text, why);
        if text.contains('/') {
            return Err(wrong("a host is granted without scheme and path"));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("it has no port"))?;
        let is_digits = (1..=5).contains(&port.len()) && port.bytes().all(|digit| digit.is_ascii_digit());
        let port = is_digits.then(|| port.parse().ok()).flatten().filter(|port| *port > 0);
        let port = port.ok_or_else(|| wrong("a port is a number from 1 to 65535"))?;
        if host.contains(':') && !host.starts_with('[') {
            return Err(wrong("an IPv6 address stands in brackets"));
        }
        let Some(suffix) = host.strip_prefix("*.") else {
            return Ok(Self { host: Granted::One(Host::parse(host).map_err(wrong)?), port });
        };
        match Host::parse(suffix).map_err(wrong)? {
            Host::Name(suffix) if suffix.contains('.') => Ok(Self { host: Granted::Below(suffix), port }),
            Host::Name(_) => Err(wrong("a suffix has at least two labels, such as `example.com`")),
            Host::Address(_) => Err(wrong("an address has no hosts below it")),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Granted::One(host) => write!(f, "{host}:{}", self.port),
            Granted::Below(suffix) => write!(f, "*.{suffix}:{}", self.port),
        }
    }
}

/// A private range that is granted, in CIDR notation (`10.2.0.0/16`, `fd12::/16`), or one address.
///
/// Metadata services of clouds and all link-local IPv4 addresses are opened only by the very address, never by a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PrivateRange(IpNet);

/// The widest ranges that are granted: a whole private network, but not the internet with all that is in it.
const WIDEST_FOUR: u8 = 8;
const WIDEST_SIX: u8 = 7;

impl FromStr for PrivateRange {
    type Err = NotGrantable;

    fn from_str(text: &str) -> Result<Self, NotGrantable> {
        let wrong = |why: &str| NotGrantable::range(text, why);
        let range = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let range = range.map_err(|_| wrong("it is not in CIDR notation"))?;
        if range.addr() != range.network() {
            return Err(wrong(&format!("the range that it lies in is `{}`", range.trunc())));
        }
        let widest = match range {
            IpNet::V4(_) => WIDEST_FOUR,
            IpNet::V6(range) if range.addr().to_ipv4_mapped().is_some() => {
                return Err(wrong("IPv4 is granted as IPv4"));
            }
            IpNet::V6(_) => WIDEST_SIX,
        };
        if range.prefix_len() < widest {
            return Err(wrong(&format!("it is wider than /{widest}")));
        }
        Ok(Self(range))
    }
}

impl fmt::Display for PrivateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl TryFrom<String> for HostPattern {
    type Error = NotGrantable;

    fn try_from(text: String) -> Result<Self, NotGrantable> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

impl TryFrom<String> for PrivateRange {
    type Error = NotGrantable;

    fn try_from(text: String) -> Result<Self, NotGrantable> {
        text.parse()
    }
}

impl From<PrivateRange> for String {
    fn from(range: PrivateRange) -> Self {
        range.to_string()
    }
}

/// Why a text grants nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` cannot be granted: {why}; write {form}")]
pub struct NotGrantable {
    given: String,
    why: String,
    form: &'static str,
}

impl NotGrantable {
    fn host(given: &str, why: &str) -> Self {
        Self {
            given: given.chars().take(120).collect(),
            why: why.to_owned(),
            form: "`host:port`, `*.suffix:port` or `[IPv6]:port`",
        }
    }

    fn range(given: &str, why: &str) -> Self {
        Self {
            given: given.chars().take(120).collect(),
            why: why.to_owned(),
            form: "a range such as `10.2.0.0/16` or `fd12:3456::/32`, or one address",
        }
    }
}

/// All that is granted. An empty grant opens nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// Hosts with their ports.
    pub hosts: Vec<HostPattern>,
    /// Private ranges in which those hosts may lie.
    pub private: Vec<PrivateRange>,
}

impl Grant {
    pub(super) fn allows(&self, host: &Host, port: u16) -> bool {
        self.hosts.iter().any(|pattern| pattern.matches(host, port))
    }

    /// Where an address is, if it may be connected to.
    pub(super) fn place(&self, address: IpAddr) -> Option<Place> {
        let reach = address::reach(address);
        let ranges: Vec<IpNet> = self.private.iter().map(|range| range.0).collect();
        match reach {
            Reach::Public => Some(Place::Public),
            _ => address::opens(&ranges, address, reach).then_some(Place::Own),
        }
    }
}

/// Whose network an address is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Public,
    /// In a private range that was granted.
    Own,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_say_and_nothing_else() {
        for (pattern, host, port, expected) in [
            ("db.example.com:5432", "db.example.com", 5432, true),
            ("db.example.com:5432", "DB.Example.COM", 5432, true),
            ("DB.example.com:5432", "db.example.com.", 5432, true),
            ("db.example.com:5432", "db.example.com", 5433, false),
            ("db.example.com:5432", "a.db.example.com", 5432, false),
            ("db.example.com:5432", "example.com", 5432, false),
            ("*.example.com:443", "a.example.com", 443, true),
            ("*.example.com:443", "b.a.Example.com", 443, true),
            ("*.example.com:443", "example.com", 443, false),
            ("*.example.com:443", "aexample.com", 443, false),
            ("*.example.com:443", "a.example.com.evil.test", 443, false),
            ("*.example.com:443", "a.example.com", 80, false),
            ("bücher.example:443", "xn--bcher-kva.example", 443, true),
            ("xn--bcher-kva.example:443", "BÜCHER.example", 443, true),
            ("*.bücher.example:443", "a.xn--bcher-kva.example", 443, true),
            ("10.0.0.1:80", "10.0.0.1", 80, true),
            ("10.0.0.1:80", "0x0a.1", 80, true),
            ("10.0.0.1:80", "167772161", 80, true),
            ("10.0.0.1:80", "::ffff:10.0.0.1", 80, true),
            ("[2001:db8::1]:443", "2001:DB8:0::1", 443, true),
            ("[2001:db8::1]:443", "[2001:db8::1]", 443, true),
            ("[2001:db8::1]:443", "2001:db8::2", 443, false),
            ("a_b.example.com:1", "a_b.example.com", 1, true),
        ] {
            let parsed: HostPattern = pattern.parse().unwrap_or_else(|e| panic!("{pattern}: {e}"));
            let host_ = Host::parse(host).unwrap_or_else(|e| panic!("{host}: {e}"));
            assert_eq!(parsed.matches(&host_, port), expected, "{pattern} {host}:{port}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed), "{pattern}");
        }
        let exact = HostPattern::host("::1", 80).unwrap();
        assert_eq!(exact.to_string(), "[::1]:80");
        assert_eq!(exact, "[::1]:80".parse().unwrap());
    }

    #[test]
    fn what_cannot_be_granted_says_why() {
        for (given, why) in [
            ("", "it has no port"),
            ("example.com", "it has no port"),
            ("https://example.com", "without scheme and path"),
            ("https://example.com:443", "without scheme and path"),
            ("example.com:443/", "without scheme and path"),
            ("example.com:0", "a port is a number"),
            ("example.com:65536", "a port is a number"),
            ("example.com:+80", "a port is a number"),
            ("example.com:*", "a port is a number"),
            ("example.com:", "a port is a number"),
            (":80", "neither a name nor an address"),
            ("*:80", "made of letters, digits"),
            ("*.com:80", "at least two labels"),
            ("*.10.0.0.1:80", "no hosts below it"),
            ("*.*.example.com:80", "made of letters, digits"),
            ("a.*.example.com:80", "made of letters, digits"),
            ("::1:80", "in brackets"),
            ("[::1:80", "neither a name nor an address"),
            ("[fe80::1%25eth0]:80", "neither a name nor an address"),
            ("a..b:80", "between any two dots"),
            ("a b:80", "no spaces"),
            ("a\r\nb:80", "no spaces"),
            ("user@example.com:80", "neither a name nor an address"),
            ("256.1.1.1:80", "neither a name nor an address"),
        ] {
            let error = given.parse::<HostPattern>().map(|p| p.to_string()).expect_err(given).to_string();
            assert!(error.contains(why), "{given}: {error}");
        }
        let long = format!("{}.example.com:80", "a".repeat(64));
        assert!(long.parse::<HostPattern>().is_err());
        let long = format!("{}example.com:80", "a.".repeat(140));
        assert!(long.parse::<HostPattern>().is_err());
        assert!("a".repeat(1 << 20).parse::<HostPattern>().unwrap_err().to_string().len() < 400);
    }

    #[test]
    fn ranges_are_networks_and_not_the_whole_internet() {
        for (given, expected) in [
            ("10.0.0.0/8", Ok("10.0.0.0/8")),
            ("127.0.0.1", Ok("127.0.0.1/32")),
            ("fd12::/16", Ok("fd12::/16")),
            ("::1", Ok("::1/128")),
            ("fc00::/7", Ok("fc00::/7")),
            ("10.1.2.3/8", Err("lies in is `10.0.0.0/8`")),
            ("0.0.0.0/0", Err("wider than /8")),
            ("::/0", Err("wider than /7")),
            ("::ffff:10.0.0.0/104", Err("IPv4 is granted as IPv4")),
            ("10.0.0.0/33", Err("CIDR")),
            ("localhost", Err("CIDR")),
            ("", Err("CIDR")),
        ] {
            match (given.parse::<PrivateRange>(), expected) {
                (Ok(range), Ok(expected)) => assert_eq!(range.to_string(), expected),
                (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
                (got, _) => panic!("{given}: {got:?}"),
            }
        }
    }

    #[test]
    fn what_is_of_two_patterns_is_of_the_narrower() {
        for (one, other, both) in [
            ("db.example.com:5432", "db.example.com:5432", Some("db.example.com:5432")),
            ("db.example.com:5432", "db.example.com:5433", None),
            ("*.example.com:443", "a.b.example.com:443", Some("a.b.example.com:443")),
            ("*.example.com:443", "example.com:443", None),
            ("*.example.com:443", "*.eu.example.com:443", Some("*.eu.example.com:443")),
            ("*.example.com:443", "*.notexample.com:443", None),
            ("*.example.com:443", "*.example.org:443", None),
            ("*.example.com:443", "10.0.0.1:443", None),
        ] {
            let (a, b): (HostPattern, HostPattern) = (one.parse().unwrap(), other.parse().unwrap());
            let both = both.map(|both| both.parse().unwrap());
            assert_eq!(a.within(&b), both, "{one} {other}");
            assert_eq!(b.within(&a), both, "{other} {one}");
        }
    }
}
