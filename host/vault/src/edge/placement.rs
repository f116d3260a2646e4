//! Where secrets go into a request, and what is looked for in the answer because of it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::failure::{Failure, bad_request, bad_secret, quoted};
use super::request::{Checked, header_name};
use super::scrub::{MARK, Scrubber};
use super::tls::{self, Identity};
use crate::Secret;

/// Where in a request a secret goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// The whole value of this header. The secret is printable ASCII.
    Header(String),
    /// The value of this parameter, appended to the query, percent-encoded. The secret is text.
    Query(String),
    /// The password of the basic scheme (RFC 7617) for this user. The secret is text without control characters.
    BasicPassword(String),
    /// The token of the bearer scheme (RFC 6750). The secret is printable ASCII without spaces.
    Bearer,
    /// The client's certificate with its key. The secret is PEM: the client's own certificate, then those that lead to
    /// its authority, and one unencrypted private key (PKCS #8, PKCS #1 or SEC 1). Only over `https`.
    ClientCertificate,
}

/// A slot whose secret is placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The slot.
    pub slot: String,
    /// Where its secret goes.
    pub at: Placement,
}

/// Secrets placed into one request at most. 8: key, token, certificate and a few of an API's own.
const PLACED_MOST: usize = 8;

/// Bytes of a placed secret: at least 8, below which it could be guessed, as whoever lets a server repeat all guesses of
/// few letters learns by the mark which of them is right; at most 8 KiB, what servers accept as a header. A client's
/// certificate is as large as a secret can be.
const LEAST: usize = 8;
const MOST: usize = 8 << 10;

/// Words of a secret that are looked for by themselves. 16: a header's value has a scheme and a few parameters.
const WORDS_MOST: usize = 16;

/// Bytes of a parameter's name or a user at most; ours, to bound the request.
const NAME_MOST: usize = 256;

/// Secrets, ready to be sent.
pub(super) struct Ready {
    /// Parameters in the form `name=value&…`.
    pub(super) query: Zeroizing<Vec<u8>>,
    /// Names in lower case, and values.
    pub(super) headers: Vec<(String, Zeroizing<Vec<u8>>)>,
    pub(super) identity: Option<Identity>,
}

/// What is looked for in every answer: the secrets as they are, of those in PEM what is in it, and of those that a header
/// could hold each word, since of `Bearer` and a token the token may come back alone.
pub(super) fn look_for(secrets: &BTreeMap<String, Secret>) -> Scrubber {
    let scrubber = Scrubber::default();
    let long_enough = |bytes: &[u8]| {
        if bytes.len() >= LEAST {
            scrubber.look_for(bytes);
        }
    };
    for secret in secrets.values() {
        tls::sections(secret).for_each(|section| long_enough(&section));
        let text = secret.expose_text();
        // It is what a mask looks like, and no secret.
        if text.is_some_and(|text| text.contains(MARK)) {
            continue;
        }
        long_enough(secret.expose());
        let words = text.filter(|text| fits_a_header(text)).into_iter().flat_map(|text| {
            text.split([' ', ',', ';', '"']).filter(|word| word.len() >= LEAST).take(WORDS_MOST)
        });
        words.for_each(|word| long_enough(word.as_bytes()));
    }
    scrubber
}

fn fits_a_header(text: &str) -> bool {
    text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) && text.trim() == text
}

/// Checks where secrets are to go, before any is opened: each place once, and none that the request has already.
pub(super) fn check(request: &Checked<'_>, place: &[Placed]) -> Result<(), Failure> {
    if place.len() > PLACED_MOST {
        return Err(bad_request("more than 8 secrets are to be placed"));
    }
    let mut headers: Vec<String> = request.headers.iter().map(|(name, _)| name.clone()).collect();
    let mut parameters: Vec<&str> = Vec::new();
    let mut has_certificate = false;
    for placed in place {
        if let Some(name) = header_of(&placed.at)? {
            if headers.contains(&name) {
                return Err(bad_request(format!("the header `{name}` is there twice")));
            }
            headers.push(name);
        }
        match &placed.at {
            Placement::Query(name) => {
                if name.is_empty() || name.len() > NAME_MOST || name.chars().any(char::is_control) {
                    return Err(bad_request(format!("`{}` is not a parameter's name", quoted(name))));
                }
                if request.has_parameter(name) || parameters.contains(&name.as_str()) {
                    return Err(bad_request(format!("the parameter `{}` is there twice", quoted(name))));
                }
                parameters.push(name);
            }
            Placement::BasicPassword(user)
                if user.contains(':') || user.len() > NAME_MOST || user.chars().any(char::is_control) =>
            {
                return Err(bad_request(format!("`{}` is not a user of the basic scheme", quoted(user))));
            }
            Placement::ClientCertificate if !request.is_https => {
                return Err(bad_request("a client's certificate is of use only with `https`"));
            }
            Placement::ClientCertificate if has_certificate => {
                return Err(bad_request("a client has one certificate"));
            }
            Placement::ClientCertificate => has_certificate = true,
            Placement::BasicPassword(_) | Placement::Header(_) | Placement::Bearer => {}
        }
    }
    Ok(())
}

/// The header that a placement takes.
fn header_of(at: &Placement) -> Result<Option<String>, Failure> {
    match at {
        Placement::Header(name) => header_name(name).map(Some),
        Placement::BasicPassword(_) | Placement::Bearer => Ok(Some("authorization".to_owned())),
        Placement::Query(_) | Placement::ClientCertificate => Ok(None),
    }
}

impl Ready {
    /// Brings the secrets of the slots into the form in which they are sent, and has that looked for from now on.
    pub(super) fn new(
        place: &[Placed],
        secrets: &BTreeMap<String, Secret>,
        scrubber: &Scrubber,
    ) -> Result<Self, Failure> {
        let most: usize = place.iter().map(|placed| query_room(&placed.at)).sum();
        let mut it =
            Self { query: Zeroizing::new(Vec::with_capacity(most)), headers: Vec::new(), identity: None };
        for placed in place {
            let slot = placed.slot.as_str();
            let secret = secrets.get(slot).ok_or_else(|| bad_secret(slot, "is a slot without a secret"))?;
            if secret.expose().len() < LEAST {
                return Err(bad_secret(
                    slot,
                    "has fewer than 8 bytes, so few that a probe could guess them; set a longer one",
                ));
            }
            match &placed.at {
                Placement::Header(name) => it.header(slot, name, secret)?,
                Placement::Query(name) => it.parameter(slot, name, secret, scrubber)?,
                Placement::BasicPassword(user) => it.basic(slot, user, secret, scrubber)?,
                Placement::Bearer => it.bearer(slot, secret)?,
                Placement::ClientCertificate => it.identity = Some(Identity::parse(slot, secret)?),
            }
        }
        Ok(it)
    }

    fn header(&mut self, slot: &str, name: &str, secret: &Secret) -> Result<(), Failure> {
        let text = text(slot, secret)?;
        if !fits_a_header(text) {
            return Err(bad_secret(slot, "cannot be in a header: it is not printable ASCII"));
        }
        self.headers.push((header_name(name)?, Zeroizing::new(text.as_bytes().to_vec())));
        Ok(())
    }

    fn parameter(
        &mut self,
        slot: &str,
        name: &str,
        secret: &Secret,
        scrubber: &Scrubber,
    ) -> Result<(), Failure> {
        let text = text(slot, secret)?;
        if !self.query.is_empty() {
            self.query.push(b'&');
        }
        percent_encode(name.as_bytes(), &mut self.query);
        self.query.push(b'=');
        let from = self.query.len();
        percent_encode(text.as_bytes(), &mut self.query);
        scrubber.look_for(self.query.get(from..).unwrap_or_default());
        Ok(())
    }

    fn basic(&mut self, slot: &str, user: &str, secret: &Secret, scrubber: &Scrubber) -> Result<(), Failure> {
        let text = text(slot, secret)?;
        if text.chars().any(char::is_control) {
            return Err(bad_secret(slot, "cannot be a password here: it has control characters in it"));
        }
        let mut pair = Zeroizing::new(Vec::with_capacity(user.len().saturating_add(1 + text.len())));
        pair.extend_from_slice(user.as_bytes());
        pair.push(b':');
        pair.extend_from_slice(text.as_bytes());
        // A string that is filled once, and to its end.
        let encoded = Zeroizing::new(STANDARD.encode(&pair));
        scrubber.look_for(encoded.as_bytes());
        self.authorize("Basic ", encoded.as_bytes());
        Ok(())
    }

    fn bearer(&mut self, slot: &str, secret: &Secret) -> Result<(), Failure> {
        let text = text(slot, secret)?;
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(bad_secret(slot, "cannot be a token: it is not printable ASCII without spaces"));
        }
        self.authorize("Bearer ", text.as_bytes());
        Ok(())
    }

    fn authorize(&mut self, scheme: &str, credentials: &[u8]) {
        let mut value = Zeroizing::new(Vec::with_capacity(scheme.len().saturating_add(credentials.len())));
        value.extend_from_slice(scheme.as_bytes());
        value.extend_from_slice(credentials);
        self.headers.push(("authorization".to_owned(), value));
    }
}

/// The secret as text of a length that can be sent.
fn text<'s>(slot: &str, secret: &'s Secret) -> Result<&'s str, Failure> {
    let text = secret.expose_text().ok_or_else(|| bad_secret(slot, "is not text"))?;
    if text.len() > MOST {
        return Err(bad_secret(slot, "has more than 8 KiB"));
    }
    if text.contains(MARK) {
        return Err(bad_secret(
            slot,
            "has `•` in it, by which a masked secret is known; set the secret itself",
        ));
    }
    Ok(text)
}

/// Bytes that a parameter takes at most, so that the memory never grows.
fn query_room(at: &Placement) -> usize {
    match at {
        Placement::Query(name) => 2 + 3 * (name.len() + MOST),
        _ => 0,
    }
}

/// Leaves only the unreserved characters of RFC 3986, section 2.3, as they are.
fn percent_encode(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(*byte);
        } else {
            out.push(b'%');
            out.extend(DIGITS.get(usize::from(byte >> 4)));
            out.extend(DIGITS.get(usize::from(byte & 15)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::{Header, Request};
    use super::*;

    fn ask(url: &str, headers: &[&str]) -> Request {
        let header = |name: &&str| Header { name: (*name).into(), value: "x".into() };
        Request {
            method: "GET".into(),
            url: url.into(),
            headers: headers.iter().map(header).collect(),
            body: None,
        }
    }

    fn sent(at: Placement, value: &[u8]) -> Result<String, Failure> {
        let request = ask("https://h.test/?a=b", &[]);
        let request = Checked::new(&request).unwrap();
        let place = [Placed { slot: "s".into(), at }];
        check(&request, &place)?;
        let secrets = BTreeMap::from([("s".to_owned(), Secret::new(value).unwrap())]);
        let ready = Ready::new(&place, &secrets, &look_for(&secrets))?;
        let out = request.write(&ready.query, &ready.headers);
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn secrets_are_placed_where_they_belong() {
        for (at, value, expected) in [
            (Placement::Header("X-Api-Key".into()), "key 1 of~", "\r\nx-api-key: key 1 of~\r\n"),
            (Placement::Bearer, "abcd.efgh", "\r\nauthorization: Bearer abcd.efgh\r\n"),
            // RFC 7617, section 2.
            (
                Placement::BasicPassword("Aladdin".into()),
                "open sesame",
                "\r\nauthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n",
            ),
            (
                Placement::BasicPassword("test".into()),
                "1234567£",
                "\r\nauthorization: Basic dGVzdDoxMjM0NTY3wqM=\r\n",
            ),
            (
                Placement::Query("key".into()),
                "a&b=ä \r\n",
                "GET /?a=b&key=a%26b%3D%C3%A4%20%0D%0A HTTP/1.1\r\n",
            ),
            (Placement::Query("k&y".into()), "vwxy~-._", "GET /?a=b&k%26y=vwxy~-._ HTTP/1.1\r\n"),
        ] {
            let sent = sent(at.clone(), value.as_bytes()).unwrap();
            assert!(sent.contains(expected), "{at:?}: {sent}");
        }
    }

    #[test]
    fn secrets_that_cannot_be_placed_are_refused_without_a_word_of_them() {
        let long = "x".repeat(MOST + 1);
        for (at, value, why) in [
            (Placement::Bearer, "1234567".as_bytes(), "fewer than 8 bytes"),
            (Placement::Query("q".into()), b"", "fewer than 8 bytes"),
            (Placement::ClientCertificate, b"abc", "fewer than 8 bytes"),
            (Placement::Bearer, long.as_bytes(), "more than 8 KiB"),
            (Placement::Bearer, "••••••••".as_bytes(), "has `•` in it"),
            (Placement::Bearer, b"canary\r\nx: y", "printable ASCII"),
            (Placement::Bearer, b"a canary\n", "printable ASCII"),
            (Placement::Bearer, b"canary canary", "printable ASCII"),
            (Placement::Header("x".into()), b"canary\r\nx: y", "printable ASCII"),
            (Placement::Header("x".into()), b"a canary ", "printable ASCII"),
            (Placement::Header("x".into()), "a canaryä".as_bytes(), "printable ASCII"),
            (Placement::Header("x".into()), b"a canary\0", "printable ASCII"),
            (Placement::Header("x".into()), b"a canary\xff", "is not text"),
            (Placement::Query("q".into()), b"a canary\xff", "is not text"),
            (Placement::BasicPassword("u".into()), b"a canary\n", "control characters"),
            (Placement::ClientCertificate, b"a canary", "no private key"),
        ] {
            match sent(at.clone(), value) {
                Err(Failure::BadSecret(got)) => {
                    assert!(got.starts_with("`s` ") && got.contains(why), "{at:?}: {got}");
                    assert!(!got.contains("canary"), "{got}");
                }
                other => panic!("{at:?}: {other:?}"),
            }
        }
        let none = Ready::new(
            &[Placed { slot: "s".into(), at: Placement::Bearer }],
            &BTreeMap::new(),
            &Scrubber::default(),
        );
        assert!(
            matches!(none.err(), Some(Failure::BadSecret(why)) if why == "`s` is a slot without a secret")
        );
    }

    #[test]
    fn places_that_are_taken_or_none_are_refused() {
        use Placement::{BasicPassword, Bearer, ClientCertificate, Header, Query};
        let of = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        for (url, headers, places, why) in [
            ("http://h.test", vec!["Authorization"], vec![Bearer], "`authorization` is there twice"),
            ("http://h.test", vec!["x-key"], vec![Header("X-KEY".into())], "`x-key` is there twice"),
            ("http://h.test", vec![], vec![Bearer, BasicPassword("u".into())], "there twice"),
            ("http://h.test", vec![], vec![Bearer, Header("Authorization".into())], "there twice"),
            ("http://h.test/?k=1", vec![], vec![Query("k".into())], "`k` is there twice"),
            ("http://h.test/?%6b=1", vec![], vec![Query("k".into())], "`k` is there twice"),
            ("http://h.test", vec![], vec![Query("k".into()), Query("k".into())], "`k` is there twice"),
            ("http://h.test", vec![], vec![Query(String::new())], "not a parameter's name"),
            ("http://h.test", vec![], vec![Query("a\r\n".into())], "not a parameter's name"),
            ("http://h.test", vec![], vec![Header("Host".into())], "leave it out"),
            ("http://h.test", vec![], vec![Header("Content-Length".into())], "leave it out"),
            ("http://h.test", vec![], vec![Header("Transfer-Encoding".into())], "leave it out"),
            ("http://h.test", vec![], vec![Header("Connection".into())], "leave it out"),
            ("http://h.test", vec![], vec![Header("a\r\nb".into())], "not a header's name"),
            ("http://h.test", vec![], vec![BasicPassword("a:b".into())], "not a user"),
            ("http://h.test", vec![], vec![BasicPassword("a\n".into())], "not a user"),
            ("http://h.test", vec![], vec![ClientCertificate], "only with `https`"),
            ("https://h.test", vec![], vec![ClientCertificate, ClientCertificate], "one certificate"),
            ("http://h.test", vec![], vec![Query("k".into()); PLACED_MOST + 1], "more than 8"),
        ] {
            let request = ask(url, &headers);
            let request = Checked::new(&request).unwrap_or_else(|e| panic!("{url}: {e}"));
            let place: Vec<_> = places.into_iter().map(|at| Placed { slot: "s".into(), at }).collect();
            match check(&request, &place) {
                Err(Failure::BadRequest(got)) => assert!(got.contains(why), "{why}: {got}"),
                other => panic!("{:?} {place:?}: {other:?}", of(&headers)),
            }
        }
    }
}
