//! Whether a target takes the credentials, as data: one request by HTTP whose answer tells.
//!
//! A plugin names slots and where their secrets go; the host places the values. What cannot be asked
//! in that way, such as a request that is signed, has no [`SignIn`], and nothing is said of its
//! credentials then.

use std::borrow::Cow;

use crate::connection_string::{origin, without_user};
use crate::judge::finding;
use crate::options::{Options, text_of};
use crate::probe::{Network, fix, net, told};
use crate::spec::{Is, KindSpec};
use crate::{Environment, Finding, Part, Severity, Traits, Value};

/// One request that tells whether the credentials are good.
#[derive(Debug, Clone, Copy)]
pub struct SignIn {
    /// What the options say where a source signs in this way: all of it.
    pub when: &'static [Is],
    /// Where it is asked.
    pub at: At,
    /// What is sent. Without it the request is a `GET`, with it a `POST` of JSON.
    pub body: Option<&'static str>,
    /// Headers that are no secret.
    pub headers: &'static [(&'static str, Piece)],
    /// Where secrets go.
    pub shows: &'static [Shows],
    /// Lists of the source's own that go into each of its requests, with their secrets.
    pub lists: &'static [List],
    /// What the answer means.
    pub answer: Answer,
    /// Where it is documented.
    pub source: &'static str,
}

/// A `GET` of a path that only good credentials get.
#[must_use]
pub const fn get(path: &'static [Piece], shows: &'static [Shows], source: &'static str) -> SignIn {
    let answer = Answer::Status(&[401, 403]);
    SignIn { when: &[], at: At::Path(path), body: None, headers: &[], shows, lists: &[], answer, source }
}

/// Where it is asked.
#[derive(Debug, Clone, Copy)]
pub enum At {
    /// At the URL that this option holds.
    Url(&'static str),
    /// At this path of the first place that the source connects to.
    Path(&'static [Piece]),
}

/// A part of a text.
#[derive(Debug, Clone, Copy)]
pub enum Piece {
    /// As it stands.
    Text(&'static str),
    /// What the option with this key says.
    Option(&'static str),
}

/// Where a secret goes.
#[derive(Debug, Clone, Copy)]
pub enum Shows {
    /// The token of the bearer scheme, from this slot.
    Bearer(&'static str),
    /// The password of the basic scheme, from this slot.
    Basic {
        /// The option that names the user.
        user: &'static str,
        /// The slot.
        slot: &'static str,
    },
    /// The value of a header.
    Header {
        /// The option that names the header.
        name: &'static str,
        /// The slot.
        slot: &'static str,
    },
    /// The value of a parameter of the query.
    Query {
        /// The option that names the parameter.
        name: &'static str,
        /// The slot.
        slot: &'static str,
    },
}

/// A list of names and values that goes into each request.
#[derive(Debug, Clone, Copy)]
pub enum List {
    /// The option with this key lists headers.
    Headers(&'static str),
    /// The option with this key lists parameters of the query.
    Query(&'static str),
    /// The option with this key lists what a probe does not send. Where a secret is in it, nothing can
    /// be asked.
    Unsent(&'static str),
}

/// What an answer means. No redirect is followed, so that one means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Success means that the credentials are good, and these statuses that they are not.
    Status(&'static [u16]),
    /// As with a status of 401 or 403; but the address may be open to anybody. So it is asked without
    /// the credentials too, and has to refuse that.
    UnlessOpen,
    /// A successful answer has one of these texts in it, but for its white space.
    Text {
        /// Where the credentials are good.
        good: &'static str,
        /// Where they are not.
        bad: &'static str,
    },
}

/// A request, and what the host places into it.
#[derive(Debug)]
pub struct Question {
    /// The request, without secrets.
    pub request: net::Request,
    /// The secrets' slots, and where they go.
    pub place: Vec<net::Placed>,
}

/// Whether a target that is reached takes the credentials, and what was noticed. Nothing is asked
/// where the options do not say all that there is to ask, or a slot has no value.
pub fn ask(
    spec: &KindSpec,
    options: &Options<'_>,
    traits: &Traits,
    target: &Environment,
    network: &dyn Network,
) -> (Option<bool>, Vec<Finding>) {
    let filled = network.slots();
    let is_filled = |question: &Question| question.place.iter().all(|placed| filled.contains(&placed.slot));
    let mut ways = spec.sign_in.iter().filter(|way| way.when.iter().all(|is| options.is(*is)));
    let found = ways.find_map(|way| way.question(spec, options, traits).filter(is_filled).map(|q| (way, q)));
    let Some((way, Question { request, place })) = found else { return (None, Vec::new()) };
    let place_of = origin(&request.url).unwrap_or_default();
    let whom = format!("`{place_of}` in {}", target.name);
    let untold = |why: &str, fix: &str| {
        let message = format!("{whom} does not tell whether it takes the credentials: {why}");
        (None, vec![finding(Severity::Note, "credentials.untold", None, &message, fix)])
    };
    let response = match network.http(&request, &place) {
        Ok(response) => response,
        Err(failure) => return untold(&told(&failure), fix(&failure)),
    };
    let status = response.status;
    match way.answer.meaning(&response) {
        Some(true) if way.answer == Answer::UnlessOpen => match network.http(&request, &[]) {
            Ok(open) if way.answer.meaning(&open) == Some(false) => (Some(true), Vec::new()),
            Ok(open) => untold(&format!("without them it answers {}", open.status), ""),
            Err(failure) => untold(&told(&failure), fix(&failure)),
        },
        Some(true) => (Some(true), Vec::new()),
        Some(false) => {
            let message = format!("{whom} refuses the credentials: it answers {status}");
            let fix = "bind the slots to secrets of this environment that are in force";
            (Some(false), vec![finding(Severity::Warning, "credentials.refused", None, &message, fix)])
        }
        None => {
            let redirects = "bind the address that it leads to, since no redirect is followed";
            let fix = if (300..400).contains(&status) { redirects } else { "" };
            untold(&format!("it answers {status}"), fix)
        }
    }
}

impl Answer {
    fn meaning(self, response: &net::Response) -> Option<bool> {
        let is_success = (200..300).contains(&response.status);
        match self {
            Self::Text { good, bad } if is_success => {
                let body = String::from_utf8_lossy(&response.body);
                let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
                match (body.contains(good), body.contains(bad)) {
                    (true, false) => Some(true),
                    (false, true) => Some(false),
                    _ => None,
                }
            }
            Self::Status(_) | Self::UnlessOpen if is_success => Some(true),
            Self::Status(refused) => refused.contains(&response.status).then_some(false),
            Self::UnlessOpen | Self::Text { .. } => [401, 403].contains(&response.status).then_some(false),
        }
    }
}

impl SignIn {
    /// What is asked of a source with these options; `None` where they do not say it, or have a secret
    /// where the host places none.
    #[must_use]
    pub fn question(&self, spec: &KindSpec, options: &Options<'_>, traits: &Traits) -> Option<Question> {
        let mut place = Vec::new();
        let mut url = match self.at {
            At::Url(key) => {
                let (url, login) = address(options.get(key)?)?;
                place.extend(login);
                url
            }
            At::Path(path) => {
                let path: Option<String> = path.iter().map(|piece| piece.read(options, encoded)).collect();
                endpoint(traits)? + &path?
            }
        };
        let mut headers = Vec::new();
        let mut add = |name: &str, value: String| headers.push(net::Header { name: name.to_owned(), value });
        for (name, value) in self.headers {
            match value.read(options, str::to_owned) {
                Some(value) => add(name, value),
                None if value.is_unknown(options) => return None,
                // What an option does not say is left out.
                None => {}
            }
        }
        if self.body.is_some() {
            add("content-type", "application/json".to_owned());
        }
        for shows in self.shows {
            place.push(shows.placed(options)?);
        }
        for list in self.lists {
            for (name, value) in list.read(spec, options)? {
                match (list, value) {
                    (List::Headers(_), Listed::Plain(value)) => add(&name, value),
                    (List::Headers(_), Listed::Slot(slot)) => {
                        place.push(net::Placed { slot, at: net::Placement::Header(name) });
                    }
                    (List::Headers(_), Listed::Token(slot)) if name.eq_ignore_ascii_case("authorization") => {
                        place.push(net::Placed { slot, at: net::Placement::Bearer });
                    }
                    (List::Query(_), Listed::Plain(value)) => {
                        url.push(if url.contains('?') { '&' } else { '?' });
                        url.push_str(&[encoded(&name), encoded(&value)].join("="));
                    }
                    (List::Query(_), Listed::Slot(slot)) => {
                        place.push(net::Placed { slot, at: net::Placement::Query(name) });
                    }
                    (List::Unsent(_), Listed::Plain(_)) => {}
                    _ => return None,
                }
            }
        }
        if place.is_empty() {
            return None;
        }
        let method = if self.body.is_some() { "POST" } else { "GET" };
        let body = self.body.map(|body| body.as_bytes().to_vec());
        Some(Question { request: net::Request { method: method.to_owned(), url, headers, body }, place })
    }
}

impl Piece {
    fn read(self, options: &Options<'_>, write: impl Fn(&str) -> String) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.to_owned()),
            Self::Option(key) => plain(options.get(key)?).map(|text| write(&text)),
        }
    }

    /// Whether an option says it with a secret or an expression.
    fn is_unknown(self, options: &Options<'_>) -> bool {
        let Self::Option(key) = self else { return false };
        options.get(key).is_some_and(|value| plain(value).is_none() && text_of(value).is_some())
    }
}

impl Shows {
    fn placed(self, options: &Options<'_>) -> Option<net::Placed> {
        let says = |key: &str| plain(options.get(key)?);
        let (slot, at) = match self {
            Self::Bearer(slot) => (slot, net::Placement::Bearer),
            Self::Basic { user, slot } => (slot, net::Placement::BasicPassword(says(user)?)),
            Self::Header { name, slot } => (slot, net::Placement::Header(says(name)?)),
            Self::Query { name, slot } => (slot, net::Placement::Query(says(name)?)),
        };
        Some(net::Placed { slot: slot.to_owned(), at })
    }
}

/// A value in a list.
enum Listed {
    /// Without a secret.
    Plain(String),
    /// All of it is the secret of this slot.
    Slot(String),
    /// A token of the bearer scheme.
    Token(String),
}

impl List {
    /// The names and values; `None` where one of them is another in each environment, or has a secret
    /// in the midst of it.
    fn read(self, spec: &KindSpec, options: &Options<'_>) -> Option<Vec<(String, Listed)>> {
        let (Self::Headers(key) | Self::Query(key) | Self::Unsent(key)) = self;
        let at = spec.at(key);
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for entry in options.of(key) {
            let Some((item, member)) = entry.at.strip_prefix(&*at).and_then(|rest| rest.rsplit_once('/'))
            else {
                continue;
            };
            match member {
                "0" | "key" => names.push((item, entry.value)),
                "1" | "value" => values.push((item, entry.value)),
                _ => {}
            }
        }
        let mut listed = Vec::new();
        for (item, value) in values {
            let name = names.iter().find(|(of, _)| *of == item).map(|(_, name)| *name);
            let is_composed = |value: &Value| matches!(value, Value::Composed(_));
            let Some(name) = name.and_then(plain) else {
                // A line that was never filled in says nothing.
                if is_composed(value) || name.is_some_and(|name| text_of(name).is_some()) {
                    return None;
                }
                continue;
            };
            let value = match value {
                Value::Plain(_) if text_of(value).is_some() => Listed::Plain(plain(value)?),
                Value::Plain(_) => Listed::Plain(String::new()),
                Value::Composed(parts) => match parts.as_slice() {
                    [Part::Slot(slot)] => Listed::Slot(slot.clone()),
                    [Part::Literal(scheme), Part::Slot(slot)]
                        if scheme.trim_end().eq_ignore_ascii_case("bearer") =>
                    {
                        Listed::Token(slot.clone())
                    }
                    _ => return None,
                },
            };
            listed.push((name, value));
        }
        Some(listed)
    }
}

/// A value in which there is neither a secret nor an expression; `None` where it says nothing.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Plain(_) => text_of(value).filter(|text| !text.contains("{{")).map(Cow::into_owned),
        Value::Composed(_) => None,
    }
}

/// The address that a value is, without the user and the secret that stand in it, and where those go.
fn address(value: &Value) -> Option<(String, Option<net::Placed>)> {
    let is_http = |url: &str| {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    };
    let (url, login) = match value {
        Value::Plain(_) => (plain(value)?, None),
        Value::Composed(parts) => {
            let [Part::Literal(before), Part::Slot(slot), Part::Literal(after)] = parts.as_slice() else {
                return None;
            };
            let (scheme, user) = before.split_once("://")?;
            let (user, host) = (user.strip_suffix(':')?, after.strip_prefix('@')?);
            let is_name = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
            if !user.chars().all(is_name) {
                return None;
            }
            let at = net::Placement::BasicPassword(user.to_owned());
            ([scheme, "://", host].concat(), Some(net::Placed { slot: slot.clone(), at }))
        }
    };
    let url = url.split('#').next().unwrap_or_default();
    let authority =
        url.split_once("://").map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or_default())?;
    (is_http(url) && !authority.is_empty() && without_user(authority) == authority)
        .then(|| (url.to_owned(), login))
}

/// The first place that a source connects to, with the scheme of HTTP that it speaks.
fn endpoint(traits: &Traits) -> Option<String> {
    let first = traits.endpoints.first().filter(|first| !first.contains(['{', '<']))?;
    match first.split_once("://") {
        Some(("http" | "https", _)) => Some(first.clone()),
        Some(_) => None,
        None => Some([if traits.tls? { "https://" } else { "http://" }, first].concat()),
    }
}

/// A text as it stands in a path or a query (RFC 3986, section 2.1).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
