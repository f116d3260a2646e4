//! What policies want to know of a rendered source, read as its kind's table says.

use std::borrow::Cow;

use crate::connection::{Account, Admission, Connection, Endpoint, Tls};
use crate::connection_string as string;
use crate::judge::finding;
use crate::options::{Options, flag, is_blank, text_of};
use crate::spec::{Is, KindSpec};
use crate::{Environment, Finding, Part, Severity, Traits, Value};

/// The way in which a source connects.
fn connection(spec: &KindSpec, options: &Options<'_>) -> Option<&'static Connection> {
    spec.connections.iter().find(|connection| connection.when.is_none_or(|is| options.is(is)))
}

/// The traits of a rendered source. `needed` are the slots that it cannot do without.
#[must_use]
pub fn read(spec: &KindSpec, options: &Options<'_>, needed: &[&str]) -> Traits {
    let Some(connection) = connection(spec, options) else { return nothing() };
    let mut endpoints = connection.endpoints.iter().map(|endpoint| endpoint.read(options));
    let endpoints = endpoints.find(|found| !found.is_empty()).unwrap_or_default();
    let account = connection.accounts.iter().find_map(|account| account.read(options));
    Traits {
        tls: connection.tls.iter().find_map(|tls| tls.read(options, &endpoints)),
        privileged: privileged(spec, options, account.as_deref()),
        public_access: if endpoints.is_empty() {
            None
        } else {
            public(connection.admission, options, account.is_some(), needed)
        },
        endpoints,
        account,
    }
}

fn nothing() -> Traits {
    Traits { endpoints: Vec::new(), tls: None, account: None, privileged: None, public_access: None }
}

/// What traits give reason to say. `target` is where the source goes.
#[must_use]
pub fn notes(spec: &KindSpec, options: &Options<'_>, traits: &Traits, target: &Environment) -> Vec<Finding> {
    let mut notes = Vec::new();
    if traits.tls == Some(false) {
        let at = connection(spec, options).and_then(|of| unencrypted(of, options, &traits.endpoints));
        let message = ["the data source's connection in ", &target.name, " is not encrypted"].concat();
        let fix = "turn encryption on in the binding, or bind an address that encrypts";
        notes.push(finding(
            Severity::Warning,
            "tls.off",
            at.map(|key| spec.at(key)).as_deref(),
            &message,
            fix,
        ));
    }
    if traits.privileged == Some(true) {
        let message = ["the data source connects to ", &target.name, " as an administrator"].concat();
        let fix = "bind an account that may do only what the app needs";
        notes.push(finding(Severity::Warning, "account.privileged", None, &message, fix));
    }
    notes
}

/// The option that says that a connection is not encrypted.
fn unencrypted(
    connection: &'static Connection,
    options: &Options<'_>,
    endpoints: &[String],
) -> Option<&'static str> {
    let said = connection.tls.iter().find(|tls| tls.read(options, endpoints).is_some())?;
    let is_plain =
        |key: &str| options.text(key).as_deref().and_then(string::encrypted_by_scheme) == Some(false);
    match said {
        Tls::Flag(key) | Tls::Choice { key, .. } | Tls::ConnectionString(key) => Some(*key),
        Tls::Only(is) => Some(is.key),
        Tls::Always => None,
        Tls::Scheme => connection.endpoints.iter().find_map(|endpoint| match endpoint {
            Endpoint::Urls(keys) => keys.iter().copied().find(|key| is_plain(key)),
            Endpoint::Host { host, .. } => Some(*host).filter(|key| is_plain(key)),
            _ => None,
        }),
    }
}

impl Endpoint {
    fn read(&self, options: &Options<'_>) -> Vec<String> {
        match self {
            Self::Host { host, port, usual } => hosts(options, host, port, usual),
            Self::Urls(keys) => keys.iter().filter_map(|key| string::origin(&options.text(key)?)).collect(),
            Self::ConnectionString { key, usual } => {
                options.text(key).map(|text| string::servers(&text, usual)).unwrap_or_default()
            }
            Self::Around(before, key, after) => {
                options.text(key).map(|text| [before, &*text, after].concat()).into_iter().collect()
            }
            Self::Aws { service, region } => {
                options.text(region).map(|text| aws(service, &text)).into_iter().collect()
            }
            Self::Always(endpoint) => vec![(*endpoint).to_owned()],
        }
    }
}

/// The address of a service of Amazon's; China has a domain of its own.
fn aws(service: &str, region: &str) -> String {
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    ["https://", service, ".", region, ".amazonaws.com", china].concat()
}

fn hosts(options: &Options<'_>, host: &str, port: &str, usual: &str) -> Vec<String> {
    let named = |host: &Value, port: Option<&Value>| {
        // Some forms write 0 where nothing was filled in.
        let port = port.and_then(text_of).filter(|port| port != "0");
        string::host_and_port(&text_of(host)?, port.as_deref(), usual)
    };
    if !host.bytes().any(|byte| byte == b'*') {
        return options.get(host).and_then(|value| named(value, options.get(port))).into_iter().collect();
    }
    // Of a list, each item has its own port.
    let (_, member) = port.rsplit_once('/').unwrap_or_default();
    let items = options.of(host).filter(|entry| !entry.found.deeper);
    items
        .filter_map(|entry| {
            let (item, _) = entry.at.rsplit_once('/')?;
            named(entry.value, options.at(&[item, "/", member].concat()))
        })
        .collect()
}

impl Tls {
    fn read(&self, options: &Options<'_>, endpoints: &[String]) -> Option<bool> {
        match self {
            Self::Scheme => {
                let said = || endpoints.iter().map(|endpoint| string::encrypted_by_scheme(endpoint));
                if said().any(|said| said == Some(false)) {
                    return Some(false);
                }
                (!endpoints.is_empty() && said().all(|said| said == Some(true))).then_some(true)
            }
            Self::Always => Some(true),
            Self::Only(is) => match options.get(is.key) {
                Some(Value::Composed(_)) => None,
                _ => Some(options.is(*is)),
            },
            Self::Flag(key) => match options.get(key) {
                Some(value) if !is_blank(value) => flag(value),
                _ => Some(false),
            },
            Self::Choice { key, on, off } => {
                let is = |one_of| options.is(Is { key, one_of });
                if is(on) {
                    return Some(true);
                }
                is(off).then_some(false)
            }
            Self::ConnectionString(key) => string::encrypted(&options.text(key)?),
        }
    }
}

impl Account {
    fn read(&self, options: &Options<'_>) -> Option<String> {
        match self {
            Self::Option(key) => options.text(key).map(Cow::into_owned),
            Self::ConnectionString(key) => string::user(&options.text(key)?).map(str::to_owned),
        }
    }
}

/// Whether an account is known to be, or not to be, one that may do everything. An expression or a
/// secret is nothing that is known.
fn privileged(spec: &KindSpec, options: &Options<'_>, account: Option<&str>) -> Option<bool> {
    let administrators = spec.administrators;
    let is_one_of = |names: &[&str], name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    if administrators
        .roles
        .is_some_and(|roles| options.text(roles.key).is_some_and(|role| is_one_of(roles.one_of, &role)))
    {
        return Some(true);
    }
    let is_known = |name: &&str| !administrators.accounts.is_empty() && !name.contains(['{', '<']);
    account.filter(is_known).map(|account| is_one_of(administrators.accounts, account))
}

/// Whether what a source reaches may be read by anybody.
fn public(admission: Admission, options: &Options<'_>, has_account: bool, needed: &[&str]) -> Option<bool> {
    let keys = match admission {
        Admission::Unsaid => return None,
        Admission::Credential => return Some(false),
        Admission::By(_) if has_account => return Some(false),
        Admission::By(keys) => keys,
    };
    let mut maybe = false;
    for entry in keys.iter().flat_map(|key| options.of(key)) {
        let Value::Composed(parts) = entry.value else { continue };
        let is_needed = |part: &Part| matches!(part, Part::Slot(name) if needed.contains(&name.as_str()));
        if parts.iter().any(is_needed) {
            return Some(false);
        }
        maybe = true;
    }
    (!maybe).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OptionType::{Flag, Json, Number, Text};
    use crate::connection::{Administrators, closed, to};
    use crate::options::{Leaves, Side};
    use crate::spec::{OptionSpec, Platform, SlotSpec, is, kind, owned, secret};
    use crate::{OptionLeaf, Scalar};

    const OPTIONS: &[OptionSpec] = &[
        owned("host", Text, ""),
        owned("port", Number, ""),
        owned("url", Text, ""),
        owned("string", Text, ""),
        owned("ssl", Flag, ""),
        owned("mode", Text, ""),
        owned("user", Text, ""),
        owned("role", Text, ""),
        owned("region", Text, ""),
        owned("headers", Json, ""),
        owned("servers/*/host", Text, ""),
        owned("servers/*/port", Number, ""),
    ];
    const SLOTS: &[SlotSpec] = &[secret("key", "key", "").needed_when("mode", &["key"])];

    /// Traits of a kind that connects this way, where `set` are its options. A text in angle
    /// brackets is a slot, one in braces an expression.
    fn traits(connections: &'static [Connection], set: &[(&str, &str)]) -> Traits {
        let administrators = Administrators { accounts: &["root"], roles: Some(is("role", &["OWNER"])) };
        let spec = KindSpec {
            options: &[OPTIONS],
            slots: &[SLOTS],
            connections,
            administrators,
            ..kind(Platform::Appsmith, "x")
        };
        let spec: &'static KindSpec = Box::leak(Box::new(spec));
        let value = |text: &str| match text.as_bytes().first() {
            Some(b'<') => Value::Composed(vec![Part::Slot(text.trim_matches(['<', '>']).into())]),
            Some(b'{') => Value::Composed(vec![Part::Expression(text.trim_matches(['{', '}']).into())]),
            _ => Value::Plain(Scalar::Text(text.into())),
        };
        let mut leaves: Vec<_> =
            set.iter().map(|(at, text)| OptionLeaf { at: (*at).into(), value: value(text) }).collect();
        leaves.sort_by(|a, b| a.at.cmp(&b.at));
        let leaves = Leaves::new(spec, leaves);
        let options = leaves.options(Side::Binding);
        let needed: Vec<_> = crate::remap::needed(spec, &options).collect();
        read(spec, &options, &needed)
    }

    const HOST: Endpoint = Endpoint::Host { host: "host", port: "port", usual: "1" };

    #[test]
    fn endpoints_are_the_first_that_the_options_say_something_of() {
        const WAYS: &[Connection] = &[
            Connection { when: Some(is("mode", &["string"])), ..to(&[STRING]) },
            Connection {
                when: Some(is("mode", &["cloud"])),
                ..to(&[Endpoint::Always("https://cloud.example")])
            },
            to(&[
                Endpoint::Host { host: "servers/*/host", port: "servers/*/port", usual: "1" },
                HOST,
                Endpoint::Urls(&["url", "string"]),
                Endpoint::Around("https://", "user", ".example"),
                Endpoint::Aws { service: "s3", region: "region" },
            ]),
        ];
        const STRING: Endpoint = Endpoint::ConnectionString { key: "string", usual: "1" };
        for (set, expected) in [
            (vec![], vec![]),
            (vec![("/host", "a")], vec!["a:1"]),
            (vec![("/host", "a"), ("/port", "2")], vec!["a:2"]),
            (vec![("/host", "https://a"), ("/port", "0")], vec!["https://a"]),
            (vec![("/host", "{a}")], vec!["{{a}}:1"]),
            (vec![("/host", ""), ("/url", "https://u/x")], vec!["https://u"]),
            (vec![("/url", "https://u/x"), ("/string", "http://s")], vec!["https://u", "http://s"]),
            (vec![("/mode", "string"), ("/host", "left-over"), ("/string", "db://s/x")], vec!["s:1"]),
            (vec![("/mode", "string"), ("/string", "<key>")], vec![]),
            (vec![("/mode", "cloud"), ("/host", "left-over")], vec!["https://cloud.example"]),
            (vec![("/user", "shop")], vec!["https://shop.example"]),
            (vec![("/region", "eu-central-1")], vec!["https://s3.eu-central-1.amazonaws.com"]),
            (vec![("/region", "cn-north-1")], vec!["https://s3.cn-north-1.amazonaws.com.cn"]),
            (
                vec![
                    ("/servers/0/host", "a"),
                    ("/servers/1/host", "b"),
                    ("/servers/1/port", "2"),
                    ("/host", "c"),
                ],
                vec!["a:1", "b:2"],
            ),
        ] {
            assert_eq!(traits(WAYS, &set).endpoints, expected, "{set:?}");
        }
    }

    #[test]
    fn encryption_is_what_the_first_switch_says() {
        const FLAG: &[Connection] = &[Connection { tls: &[Tls::Flag("ssl")], ..to(&[HOST]) }];
        const ONLY: &[Connection] = &[Connection { tls: &[Tls::Only(is("port", &["443"]))], ..to(&[HOST]) }];
        const CHOICE: &[Connection] = &[Connection {
            tls: &[Tls::Scheme, Tls::Choice { key: "mode", on: &["on"], off: &["off"] }],
            ..to(&[HOST])
        }];
        const STRING: &[Connection] =
            &[Connection { tls: &[Tls::ConnectionString("string"), Tls::Flag("ssl")], ..to(&[HOST]) }];
        const ALWAYS: &[Connection] = &[Connection { tls: &[Tls::Always], ..to(&[HOST]) }];
        const URLS: &[Connection] = &[to(&[Endpoint::Urls(&["url", "string"])])];
        for (connections, set, expected) in [
            (FLAG, vec![], Some(false)),
            (FLAG, vec![("/ssl", "")], Some(false)),
            (FLAG, vec![("/ssl", "enabled")], Some(true)),
            (FLAG, vec![("/ssl", "maybe")], None),
            (FLAG, vec![("/ssl", "{a}")], None),
            (ONLY, vec![("/port", "443")], Some(true)),
            (ONLY, vec![("/port", "1")], Some(false)),
            (ONLY, vec![("/port", "{a}")], None),
            (CHOICE, vec![("/host", "https://a"), ("/mode", "off")], Some(true)),
            (CHOICE, vec![("/host", "a"), ("/mode", "off")], Some(false)),
            (CHOICE, vec![("/host", "a"), ("/mode", "on")], Some(true)),
            (CHOICE, vec![("/host", "a")], None),
            (STRING, vec![("/string", "db://a?sslmode=require")], Some(true)),
            (STRING, vec![("/string", "db://a"), ("/ssl", "true")], Some(true)),
            (ALWAYS, vec![], Some(true)),
            (URLS, vec![], None),
            (URLS, vec![("/url", "https://a"), ("/string", "https://b")], Some(true)),
            (URLS, vec![("/url", "https://a"), ("/string", "http://b")], Some(false)),
            (URLS, vec![("/url", "https://a"), ("/string", "{b}")], None),
            (&[], vec![("/ssl", "true")], None),
        ] {
            assert_eq!(traits(connections, &set).tls, expected, "{set:?}");
        }
    }

    #[test]
    fn an_account_is_an_administrators_by_name_or_role() {
        const BY_USER: &[Connection] = &[Connection {
            accounts: &[Account::ConnectionString("string"), Account::Option("user")],
            ..to(&[HOST])
        }];
        for (set, account, privileged) in [
            (vec![], None, None),
            (vec![("/user", "app")], Some("app"), Some(false)),
            (vec![("/user", "Root")], Some("Root"), Some(true)),
            (vec![("/user", "app"), ("/role", "owner")], Some("app"), Some(true)),
            (vec![("/user", "app"), ("/role", "reader")], Some("app"), Some(false)),
            (vec![("/role", "owner")], None, Some(true)),
            (vec![("/user", "{a}")], Some("{{a}}"), None),
            (vec![("/user", "<key>")], Some("<key>"), None),
            (vec![("/user", "app"), ("/string", "db://root@a")], Some("root"), Some(true)),
        ] {
            let found = traits(BY_USER, &set);
            assert_eq!((found.account.as_deref(), found.privileged), (account, privileged), "{set:?}");
        }
    }

    #[test]
    fn open_is_what_asks_for_no_credential_and_unknown_what_may() {
        const BY: &[Connection] = &[Connection {
            accounts: &[Account::Option("user")],
            admission: Admission::By(&["key", "headers"]),
            ..to(&[HOST])
        }];
        const CLOSED: &[Connection] = &[closed(&[HOST])];
        const UNSAID: &[Connection] = &[to(&[HOST])];
        for (connections, set, expected) in [
            (BY, vec![("/host", "a")], Some(true)),
            (BY, vec![("/host", "a"), ("/headers/0/value", "x")], Some(true)),
            (BY, vec![("/host", "a"), ("/headers/0/value", "<headers-0>")], None),
            (BY, vec![("/host", "a"), ("/headers/0/value", "{secrets.TOKEN}")], None),
            (BY, vec![("/host", "a"), ("/key", "<key>")], None),
            (BY, vec![("/host", "a"), ("/key", "<key>"), ("/mode", "key")], Some(false)),
            (BY, vec![("/host", "a"), ("/user", "app")], Some(false)),
            (BY, vec![], None),
            (CLOSED, vec![("/host", "a")], Some(false)),
            (UNSAID, vec![("/host", "a")], None),
        ] {
            assert_eq!(traits(connections, &set).public_access, expected, "{set:?}");
        }
    }

    #[test]
    fn what_is_not_encrypted_is_said_where_it_is_turned_on() {
        const FLAG: &[Connection] = &[Connection { tls: &[Tls::Flag("ssl")], ..to(&[HOST]) }];
        const URLS: &[Connection] = &[to(&[Endpoint::Urls(&["url", "string"])])];
        let spec =
            |connections| KindSpec { options: &[OPTIONS], connections, ..kind(Platform::Lowcoder, "x") };
        static SPECS: [KindSpec; 1] = [KindSpec { options: &[OPTIONS], ..kind(Platform::Lowcoder, "x") }];
        for (connections, set, expected) in [
            (FLAG, vec![("/host", "a")], Some("/ssl")),
            (URLS, vec![("/string", "http://a"), ("/url", "https://a")], Some("/string")),
            (URLS, vec![("/url", "https://a")], None),
        ] {
            let leaf = |(at, text): &(&str, &str)| OptionLeaf {
                at: (*at).into(),
                value: Value::Plain(Scalar::Text((*text).into())),
            };
            let leaves = Leaves::new(&SPECS[0], set.iter().map(leaf).collect());
            let (spec, options) = (spec(connections), leaves.options(Side::Binding));
            let found = read(&spec, &options, &[]);
            let target = Environment { name: "staging".into(), order: 1 };
            let notes = notes(&spec, &options, &found, &target);
            let at = notes.iter().find(|note| note.code == "tls.off").map(|note| note.at.as_deref());
            assert_eq!(at, expected.map(Some), "{set:?}");
        }
    }
}
