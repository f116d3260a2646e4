//! What is asked, and what of it is accepted.

use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use super::failure::{Failure, bad_request, quoted};
use super::grant::Host;

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The name; case does not matter.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A request by HTTP, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `GET`, `HEAD`, `OPTIONS` or `POST`: a probe asks, and changes nothing. Of these, only `POST` could, and without
    /// it GraphQL and token endpoints could not be asked.
    pub method: String,
    /// Absolute, with `http` or `https`, without user information. A fragment is not sent.
    pub url: String,
    /// Headers. The host sets those that frame a message or choose its encoding itself, and refuses them here.
    pub headers: Vec<Header>,
    /// The body, if there is one.
    pub body: Option<Vec<u8>>,
}

/// Bytes of a URL at most: what servers accept at least, by RFC 9110, section 4.1.
const URL_MOST: usize = 8000;

/// Headers of a request at most, and bytes of all of them. Enough for any API, and below what servers accept.
const HEADERS_MOST: usize = 32;
const HEADER_BYTES_MOST: usize = 8 << 10;

/// Bytes of a body at most. 8 KiB: a query, not an upload, nor a list of guesses at a secret that a server repeats.
const BODY_MOST: usize = 8 << 10;

const METHODS: [&str; 4] = ["GET", "HEAD", "OPTIONS", "POST"];

/// Headers that are not the caller's: those that frame a message or belong to the connection (RFC 9110, section 7.6.1,
/// RFC 9112), those by which an answer would come in a form in which secrets are not found, or in pieces, and those that
/// some servers take for another method.
const RESERVED: [&str; 17] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "http2-settings",
    "accept-encoding",
    "accept-charset",
    "range",
    "if-range",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// Checks the name of a header that a caller asks for or places a secret in, and gives it in lower case.
pub(super) fn header_name(name: &str) -> Result<String, Failure> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || name.len() > 128 || !name.bytes().all(is_token) {
        return Err(bad_request(format!("`{}` is not a header's name", quoted(name))));
    }
    let name = name.to_ascii_lowercase();
    if RESERVED.contains(&name.as_str()) || name.starts_with("proxy-") {
        return Err(bad_request(format!(
            "the host sets or refuses the header `{name}` itself; leave it out"
        )));
    }
    Ok(name)
}

/// A request that was checked.
#[derive(Debug)]
pub(super) struct Checked<'a> {
    pub(super) method: &'a str,
    pub(super) is_https: bool,
    pub(super) host: Host,
    pub(super) port: u16,
    /// Path and query, percent-encoded.
    path: String,
    query: Option<String>,
    /// Names in lower case.
    pub(super) headers: Vec<(String, &'a str)>,
    body: Option<&'a [u8]>,
}

impl<'a> Checked<'a> {
    pub(super) fn new(request: &'a Request) -> Result<Self, Failure> {
        if !METHODS.contains(&request.method.as_str()) {
            let method = quoted(&request.method);
            return Err(bad_request(format!("the method `{method}` is none of GET, HEAD, OPTIONS and POST")));
        }
        if request.body.as_ref().is_some_and(|body| body.len() > BODY_MOST) {
            return Err(bad_request("its body has more than 8 KiB"));
        }
        let mut it = Self::of_url(&request.url, &request.method)?;
        it.headers = headers(&request.headers)?;
        it.body = request.body.as_deref();
        Ok(it)
    }

    fn of_url(text: &str, method: &'a str) -> Result<Self, Failure> {
        let wrong = |why: &str| bad_request(format!("the URL `{}` {why}", quoted(text)));
        // The URL standard drops line breaks, trims, and takes `\` for `/`; nobody means that here.
        if text.len() > URL_MOST || text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(wrong("is longer than 8000 bytes, or has spaces, control characters or `\\` in it"));
        }
        let url = Url::parse(text).map_err(|_| wrong("is not an absolute URL"))?;
        let is_https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(wrong("is neither `http` nor `https`")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("has user information in it; place a secret instead"));
        }
        let host = url.host_str().ok_or_else(|| wrong("has no host"))?;
        let host = Host::parse(host).map_err(|why| wrong(&format!("has a host that is none: {why}")))?;
        let port = url.port_or_known_default().filter(|port| *port > 0);
        Ok(Self {
            method,
            is_https,
            host,
            port: port.ok_or_else(|| wrong("has no port"))?,
            path: url.path().to_owned(),
            query: url.query().map(str::to_owned),
            headers: Vec::new(),
            body: None,
        })
    }

    /// Whether the query already has a parameter of this name.
    pub(super) fn has_parameter(&self, name: &str) -> bool {
        let query = self.query.as_deref().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes()).any(|(present, _)| present == name)
    }

    /// The bytes that are sent, with these parameters and headers placed. They lie in one piece of memory, which is wiped.
    pub(super) fn write(&self, query: &[u8], placed: &[(String, Zeroizing<Vec<u8>>)]) -> Zeroizing<Vec<u8>> {
        let standing = self.standing_headers();
        // Memory that grows leaves what it held behind. Each header takes four bytes beside its text.
        let texts = [self.path.len(), self.query.as_ref().map_or(0, String::len), query.len(), 256];
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len() + 4);
        let headers = headers.chain(standing.iter().map(|(name, value)| name.len() + value.len() + 4));
        let headers = headers.chain(placed.iter().map(|(name, value)| name.len() + value.len() + 4));
        let body = self.body.map_or(0, <[u8]>::len);
        let capacity = texts.into_iter().chain(headers).chain([body]).sum();
        let mut out = Zeroizing::new(Vec::with_capacity(capacity));
        let mut put = |pieces: &[&[u8]]| pieces.iter().for_each(|piece| out.extend_from_slice(piece));
        put(&[self.method.as_bytes(), b" ", self.path.as_bytes()]);
        match (&self.query, query.is_empty()) {
            (None, true) => {}
            (None, false) => put(&[b"?", query]),
            (Some(present), true) => put(&[b"?", present.as_bytes()]),
            (Some(present), false) if present.is_empty() => put(&[b"?", query]),
            (Some(present), false) => put(&[b"?", present.as_bytes(), b"&", query]),
        }
        put(&[b" HTTP/1.1\r\n"]);
        for (name, value) in &standing {
            put(&[name.as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
        }
        for (name, value) in &self.headers {
            put(&[name.as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
        }
        for (name, value) in placed {
            put(&[name.as_bytes(), b": ", value.as_slice(), b"\r\n"]);
        }
        put(&[b"\r\n", self.body.unwrap_or_default()]);
        debug_assert!(out.len() <= capacity, "the request grew");
        out
    }

    /// Headers that the host sets itself.
    fn standing_headers(&self) -> Vec<(&'static str, String)> {
        let default = if self.is_https { 443 } else { 80 };
        let host = &self.host;
        let host = if self.port == default { host.to_string() } else { format!("{host}:{}", self.port) };
        let mut headers = vec![
            ("host", host),
            ("connection", "close".to_owned()),
            // Secrets are looked for in the text.
            ("accept-encoding", "identity".to_owned()),
        ];
        if !self.headers.iter().any(|(name, _)| name == "user-agent") {
            headers.push(("user-agent", "sluice".to_owned()));
        }
        if self.body.is_some() || self.method == "POST" {
            headers.push(("content-length", self.body.map_or(0, <[u8]>::len).to_string()));
        }
        headers
    }
}

fn headers(given: &[Header]) -> Result<Vec<(String, &str)>, Failure> {
    let bytes = given.iter().map(|header| header.name.len().saturating_add(header.value.len()));
    if given.len() > HEADERS_MOST || bytes.fold(0, usize::saturating_add) > HEADER_BYTES_MOST {
        return Err(bad_request("it has more than 32 headers, or more than 8 KiB of them"));
    }
    given
        .iter()
        .map(|header| {
            let name = header_name(&header.name)?;
            if header.value.chars().any(|c| c.is_control() && c != '\t') {
                return Err(bad_request(format!(
                    "the value of the header `{name}` has control characters in it"
                )));
            }
            Ok((name, header.value.as_str()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, url: &str) -> Request {
        Request { method: method.into(), url: url.into(), headers: Vec::new(), body: None }
    }

    fn why(request: &Request) -> String {
        match Checked::new(request) {
            Err(Failure::BadRequest(why)) => why,
            other => panic!("{request:?}: {other:?}"),
        }
    }

    #[test]
    fn a_request_is_written_as_it_was_asked_for() {
        let header = |name: &str, value: &str| Header { name: name.into(), value: value.into() };
        for (url, query, expected) in [
            ("http://h.test", "", "GET / HTTP/1.1\r\nhost: h.test\r\n"),
            ("http://h.test?", "a=1", "GET /?a=1 HTTP/1.1\r\nhost: h.test\r\n"),
            ("http://H.test:80/a%20b", "", "GET /a%20b HTTP/1.1\r\nhost: h.test\r\n"),
            ("http://h.test:443/", "", "GET / HTTP/1.1\r\nhost: h.test:443\r\n"),
            ("https://h.test:443/ä?ö=ü#x", "", "GET /%C3%A4?%C3%B6=%C3%BC HTTP/1.1\r\nhost: h.test\r\n"),
            ("https://h.test/a/../b?x=1", "k=v", "GET /b?x=1&k=v HTTP/1.1\r\nhost: h.test\r\n"),
            ("http://[::1]:8080/", "", "GET / HTTP/1.1\r\nhost: [::1]:8080\r\n"),
            ("http://bücher.example/", "", "GET / HTTP/1.1\r\nhost: xn--bcher-kva.example\r\n"),
            ("http://0x7f.1/", "", "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n"),
        ] {
            let request = request("GET", url);
            let out = Checked::new(&request).unwrap().write(query.as_bytes(), &[]);
            let rest = "connection: close\r\naccept-encoding: identity\r\nuser-agent: sluice\r\n\r\n";
            assert_eq!(String::from_utf8_lossy(&out), format!("{expected}{rest}"), "{url}");
        }
        let mut post = request("POST", "http://h.test/");
        post.headers = vec![header("User-Agent", "x\ty"), header("X-A", "ä")];
        post.body = Some(b"body".to_vec());
        let placed = [("authorization".to_owned(), Zeroizing::new(b"Bearer t".to_vec()))];
        let out = Checked::new(&post).unwrap().write(b"", &placed);
        let expected = "POST / HTTP/1.1\r\nhost: h.test\r\nconnection: close\r\naccept-encoding: identity\r\n\
            content-length: 4\r\nuser-agent: x\ty\r\nx-a: ä\r\nauthorization: Bearer t\r\n\r\nbody";
        assert_eq!(String::from_utf8_lossy(&out), expected);
        let empty = request("POST", "http://h.test/");
        let out = Checked::new(&empty).unwrap().write(b"", &[]);
        assert!(String::from_utf8_lossy(&out).contains("content-length: 0\r\n"));
    }

    #[test]
    fn urls_and_methods_that_are_none_are_refused() {
        for url in [
            "",
            "/path",
            "h.test/path",
            "ftp://h.test/",
            "file:///etc/passwd",
            "unix:/run/x",
            "http://",
            "http://user@h.test/",
            "http://user:password@h.test/",
            "http://:p@h.test/",
            "http://h.test:0/",
            "http://h.test:70000/",
            "http://h.test/a b",
            "http://h.test/\r\nx: y",
            "http://h.te\nst/",
            " http://h.test/",
            "http://h.test/\u{0}",
            "http://a..b/",
            "http://*.h.test/",
            "https://h.test\\@evil.test/",
            "https://h.test@evil.test/",
        ] {
            let why = why(&request("GET", url));
            assert!(why.starts_with("the URL `"), "{url}: {why}");
        }
        why(&request("GET", &format!("http://h.test/{}", "a".repeat(URL_MOST))));
        for method in
            ["", "get", "PUT", "DELETE", "PATCH", "CONNECT", "TRACE", "GET / HTTP/1.1\r\nx: y\r\n", "GET "]
        {
            assert!(why(&request(method, "http://h.test/")).starts_with("the method `"), "{method}");
        }
    }

    #[test]
    fn headers_that_frame_or_hide_are_refused() {
        let with = |headers: &[(&str, &str)]| {
            let mut it = request("GET", "http://h.test/");
            it.headers =
                headers.iter().map(|(n, v)| Header { name: (*n).into(), value: (*v).into() }).collect();
            it
        };
        for name in RESERVED.into_iter().chain(["Host", "CONTENT-Length", "Proxy-Authorization"]) {
            assert!(why(&with(&[(name, "x")])).contains("itself; leave it out"), "{name}");
        }
        for name in ["", "a b", "a:", "a\r\nb", "ä", "a\0", ":path", &"a".repeat(129)] {
            assert!(why(&with(&[(name, "x")])).contains("is not a header's name"), "{name:?}");
        }
        for value in ["a\r\nb: c", "a\nb", "a\rb", "\0", "\u{7f}", "\u{85}"] {
            assert!(why(&with(&[("x", value)])).contains("control characters"), "{value:?}");
        }
        why(&with(&[("x", ""); HEADERS_MOST + 1]));
        why(&with(&[("x", &"a".repeat(HEADER_BYTES_MOST))]));
        assert!(Checked::new(&with(&[("x", ""); HEADERS_MOST])).is_ok());
        let mut large = request("POST", "http://h.test/");
        large.body = Some(vec![0; (8 << 10) + 1]);
        assert_eq!(why(&large), "its body has more than 8 KiB");
        large.body = Some(vec![0; BODY_MOST]);
        assert!(Checked::new(&large).is_ok());
    }
}
