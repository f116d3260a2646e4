//! What comes back (RFC 9112), bounded before it is read and without anything that could hide a secret.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::failure::{Failure, bad_response};
use super::network::is_late;
use super::request::Header;
use super::scrub::Scrubber;
use super::tls;

/// What came back, with the secrets taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The status. Redirects are not followed: their status and `location` come back like any other.
    pub status: u16,
    /// The headers, in the order in which they came. Bytes that are not UTF-8 are replaced.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Vec<u8>,
}

/// Bytes before the body at most, and headers. What a server sends beyond that says nothing about whether it answers.
const HEAD_MOST: usize = 16 << 10;
const HEADERS_MOST: usize = 64;

/// Answers before the answer (status 1xx) at most; none are asked for.
const INTERIM_MOST: usize = 4;

/// Bytes of the line before a chunk at most: a number and extensions, which nobody uses.
const CHUNK_LINE_MOST: usize = 256;

/// Bytes that are read at once.
const PIECE: usize = 8 << 10;

/// The body in the order of RFC 9112, section 6.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClosed,
}

/// An answer's status and headers as they came.
struct Head {
    status: u16,
    headers: Vec<(String, Zeroizing<Vec<u8>>)>,
}

/// Reads the answer to a request and takes the secrets out.
pub(super) fn read(
    stream: &mut dyn Read,
    method: &str,
    body_most: usize,
    scrubber: &Scrubber,
) -> Result<Response, Failure> {
    let mut incoming = Incoming::new(stream);
    let head = incoming.head()?;
    head.check_encoding()?;
    let body = match head.framing(method)? {
        Framing::None => Zeroizing::default(),
        Framing::Length(length) if length > body_most => return Err(Failure::TooLarge),
        Framing::Length(length) => incoming.sized(length)?,
        Framing::Chunked => incoming.chunked(body_most)?,
        Framing::UntilClosed => incoming.until_closed(body_most)?,
    };
    let text = |bytes| {
        let bytes = scrubber.scrub(bytes);
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    };
    let headers = head.headers.into_iter().map(|(name, value)| {
        let name = text(Zeroizing::new(name.into_bytes()));
        Header { name, value: text(value) }
    });
    Ok(Response { status: head.status, headers: headers.collect(), body: scrubber.scrub(body) })
}

impl Head {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.headers.iter().filter(move |(it, _)| it.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim_ascii())
    }

    /// Only plain text is asked for. In compressed text secrets would not be found.
    fn check_encoding(&self) -> Result<(), Failure> {
        let mut values = self.values("content-encoding");
        if values.any(|value| !value.is_empty() && !value.eq_ignore_ascii_case(b"identity")) {
            return Err(bad_response("its body is compressed, though that was not asked for"));
        }
        Ok(())
    }

    fn framing(&self, method: &str) -> Result<Framing, Failure> {
        let mut lengths = self.values("content-length");
        let length = lengths.next();
        if lengths.any(|other| Some(other) != length) {
            return Err(bad_response("it names two lengths"));
        }
        let mut transfers = self.values("transfer-encoding");
        let transfer = transfers.next();
        if transfers.next().is_some() || transfer.is_some_and(|value| !value.eq_ignore_ascii_case(b"chunked"))
        {
            return Err(bad_response("its transfer encoding is not `chunked`"));
        }
        if method == "HEAD" || matches!(self.status, 204 | 304) {
            return Ok(Framing::None);
        }
        match (transfer, length) {
            // Two servers could disagree on where it ends.
            (Some(_), Some(_)) => Err(bad_response("it has a length and chunks")),
            (Some(_), None) => Ok(Framing::Chunked),
            (None, Some(length)) => decimal(length).map(Framing::Length),
            (None, None) => Ok(Framing::UntilClosed),
        }
    }
}

fn decimal(digits: &[u8]) -> Result<usize, Failure> {
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(bad_response("its length is not a number"));
    }
    let digits = std::str::from_utf8(digits).unwrap_or_default();
    digits.parse().map_err(|_| Failure::TooLarge)
}

/// What has arrived, in memory that is wiped.
struct Incoming<'a> {
    stream: &'a mut dyn Read,
    /// Of a fixed size; what is not read yet lies from `from` to `to`.
    bytes: Zeroizing<Vec<u8>>,
    from: usize,
    to: usize,
}

impl<'a> Incoming<'a> {
    fn new(stream: &'a mut dyn Read) -> Self {
        let bytes = Zeroizing::new(vec![0; HEAD_MOST.saturating_add(PIECE)]);
        Self { stream, bytes, from: 0, to: 0 }
    }

    fn unread(&self) -> &[u8] {
        self.bytes.get(self.from..self.to).unwrap_or_default()
    }

    fn consume(&mut self, count: usize) {
        self.from = self.from.saturating_add(count).min(self.to);
    }

    /// Reads once; false at the end.
    fn more(&mut self) -> Result<bool, Failure> {
        if self.from > 0 {
            self.bytes.copy_within(self.from..self.to, 0);
            self.to = self.to.saturating_sub(self.from);
            self.from = 0;
        }
        let free = self.bytes.get_mut(self.to..).unwrap_or_default();
        if free.is_empty() {
            return Err(Failure::TooLarge);
        }
        loop {
            match self.stream.read(free) {
                Ok(count) => {
                    self.to = self.to.saturating_add(count);
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(&error)),
            }
        }
    }

    fn more_or_cut_off(&mut self) -> Result<(), Failure> {
        if self.more()? { Ok(()) } else { Err(cut_off()) }
    }

    /// Status and headers of the answer, past those of interim ones.
    fn head(&mut self) -> Result<Head, Failure> {
        for _ in 0..=INTERIM_MOST {
            let head = self.one_head()?;
            match head.status {
                101 => return Err(bad_response("it changes the protocol, though that was not asked for")),
                100..=199 => {}
                200..=599 => return Ok(head),
                _ => return Err(bad_response("its status is none")),
            }
        }
        Err(bad_response("it is interim again and again"))
    }

    fn one_head(&mut self) -> Result<Head, Failure> {
        loop {
            if let Some((head, length)) = parse_head(self.unread())? {
                self.consume(length);
                return Ok(head);
            }
            if self.unread().len() >= HEAD_MOST {
                return Err(Failure::TooLarge);
            }
            let is_empty = self.unread().is_empty();
            if !self.more()? {
                return Err(if is_empty { Failure::Refused } else { cut_off() });
            }
        }
    }

    fn sized(&mut self, length: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut body = Zeroizing::new(Vec::with_capacity(length));
        self.take(length, &mut body)?;
        Ok(body)
    }

    fn take(&mut self, length: usize, body: &mut Vec<u8>) -> Result<(), Failure> {
        let mut left = length;
        while left > 0 {
            if self.unread().is_empty() {
                self.more_or_cut_off()?;
            }
            let count = left.min(self.unread().len());
            body.extend_from_slice(self.unread().get(..count).unwrap_or_default());
            self.consume(count);
            left = left.saturating_sub(count);
        }
        Ok(())
    }

    fn until_closed(&mut self, most: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut body = Zeroizing::new(Vec::with_capacity(most));
        loop {
            let count = self.unread().len();
            if count > most.saturating_sub(body.len()) {
                return Err(Failure::TooLarge);
            }
            self.take(count, &mut body)?;
            if !self.more()? {
                return Ok(body);
            }
        }
    }

    /// RFC 9112, section 7.1; extensions and trailers are dropped.
    fn chunked(&mut self, most: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut body = Zeroizing::new(Vec::with_capacity(most));
        loop {
            let size = self.chunk_size()?;
            if size == 0 {
                self.trailers()?;
                return Ok(body);
            }
            let size = usize::try_from(size).map_err(|_| Failure::TooLarge)?;
            if size > most.saturating_sub(body.len()) {
                return Err(Failure::TooLarge);
            }
            self.take(size, &mut body)?;
            let mut end = Zeroizing::new(Vec::with_capacity(2));
            self.take(2, &mut end)?;
            if end.as_slice() != b"\r\n" {
                return Err(bad_response("a chunk does not end where it should"));
            }
        }
    }

    fn chunk_size(&mut self) -> Result<u64, Failure> {
        loop {
            let line = self.unread().get(..CHUNK_LINE_MOST).unwrap_or(self.unread());
            match httparse::parse_chunk_size(line) {
                Ok(httparse::Status::Complete((length, size))) => {
                    self.consume(length);
                    return Ok(size);
                }
                Ok(httparse::Status::Partial) if line.len() < CHUNK_LINE_MOST => self.more_or_cut_off()?,
                _ => return Err(bad_response("a chunk has no size")),
            }
        }
    }

    fn trailers(&mut self) -> Result<(), Failure> {
        let mut seen = 0_usize;
        loop {
            let Some(end) = self.unread().windows(2).position(|pair| pair == b"\r\n") else {
                if self.unread().len() >= HEAD_MOST {
                    return Err(Failure::TooLarge);
                }
                self.more_or_cut_off()?;
                continue;
            };
            self.consume(end.saturating_add(2));
            seen = seen.saturating_add(end);
            match end {
                0 => return Ok(()),
                _ if seen > HEAD_MOST => return Err(Failure::TooLarge),
                _ => {}
            }
        }
    }
}

fn cut_off() -> Failure {
    bad_response("it was cut off")
}

fn broken(error: &io::Error) -> Failure {
    match tls::failure(error) {
        Some(failure) => failure,
        None if is_late(error) => Failure::TimedOut,
        // An encrypted connection that was closed without saying so (RFC 8446, section 6.1).
        None if error.kind() == io::ErrorKind::UnexpectedEof => cut_off(),
        None => Failure::Refused,
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MOST];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length > HEAD_MOST => return Err(Failure::TooLarge),
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Failure::TooLarge),
        Err(_) => return Err(bad_response("it is not HTTP/1.1, or its headers are malformed")),
    };
    let headers = response.headers.iter();
    let headers = headers.map(|it| (it.name.to_owned(), Zeroizing::new(it.value.to_vec()))).collect();
    Ok(Some((Head { status: response.code.unwrap_or_default(), headers }, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its pieces one by one, then the end.
    struct Pieces<'a>(Vec<&'a [u8]>);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.first_mut() else { return Ok(0) };
            let count = piece.read(buffer)?;
            if piece.is_empty() {
                self.0.remove(0);
            }
            Ok(count)
        }
    }

    const MOST: usize = 64;

    fn answer(method: &str, pieces: Vec<&[u8]>) -> Result<Response, Failure> {
        read(&mut Pieces(pieces), method, MOST, &Scrubber::default())
    }

    #[test]
    fn bodies_are_read_as_they_are_framed_in_whatever_pieces_they_come() {
        for (method, text, expected) in [
            ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab", (200, "ab")),
            ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabc", (200, "ab")),
            ("GET", "HTTP/1.1 200\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nab", (200, "ab")),
            ("GET", "HTTP/1.0 200 OK\r\n\r\nuntil the end", (200, "until the end")),
            (
                "GET",
                "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n",
                (200, "abc"),
            ),
            (
                "GET",
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: y\r\n\r\n",
                (200, "a"),
            ),
            ("GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\n\r\nHTTP/1.1 404 No\r\n\r\n", (404, "")),
            ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", (200, "")),
            ("GET", "HTTP/1.1 204 No\r\n\r\nxyz", (204, "")),
            ("GET", "HTTP/1.1 304 No\r\ncontent-length: 9\r\n\r\n", (304, "")),
            ("GET", "HTTP/1.1 302 x\r\nlocation: http://h.test/\r\ncontent-length: 0\r\n\r\n", (302, "")),
            ("GET", "HTTP/1.1 200 OK\r\ncontent-encoding: identity\r\ncontent-length: 0\r\n\r\n", (200, "")),
        ] {
            let whole = answer(method, vec![text.as_bytes()]).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!((whole.status, std::str::from_utf8(&whole.body).unwrap()), expected, "{text}");
            assert_eq!(answer(method, text.as_bytes().chunks(1).collect()), Ok(whole), "{text}");
        }
    }

    #[test]
    fn what_is_too_large_or_no_answer_is_refused() {
        let long_header = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(HEAD_MOST));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(HEADERS_MOST + 1));
        let just = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(HEADERS_MOST));
        let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "a".repeat(MOST + 1));
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let many_chunks = format!("{chunks}{}", "1\r\na\r\n".repeat(MOST + 1));
        let trailers = format!("{chunks}0\r\n{}", "x: y\r\n".repeat(HEAD_MOST));
        let extension = format!("{chunks}1;{}", "a".repeat(CHUNK_LINE_MOST));
        let interim = "HTTP/1.1 100 x\r\n\r\n".repeat(INTERIM_MOST + 1);
        assert!(answer("GET", vec![just.as_bytes()]).is_ok());
        for text in [
            long_header.as_str(),
            &many,
            &endless,
            &many_chunks,
            &trailers,
            "HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 9999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffff\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n41\r\n",
        ] {
            assert_eq!(answer("GET", vec![text.as_bytes()]), Err(Failure::TooLarge), "{text:.80}");
        }
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na",
            "HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\na",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nx",
            "HTTP/1.1 200 OK\r\ncontent-encoding: identity\r\ncontent-encoding: br\r\n\r\nx",
            "HTTP/1.1 101 x\r\n\r\n",
            "HTTP/1.1 000 x\r\n\r\n",
            "HTTP/1.1 600 x\r\n\r\n",
            "HTTP/1.1 2 x\r\n\r\n",
            "HTTP/2 200 x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx y: z\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: z\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: \0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: a\rb: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: y",
            "SSH-2.0-OpenSSH\r\n",
            "\0\0\0\0",
            &extension,
            &interim,
        ] {
            match answer("GET", vec![text.as_bytes()]) {
                Err(Failure::BadResponse(_)) => {}
                other => panic!("{text:.80}: {other:?}"),
            }
        }
        assert_eq!(answer("GET", vec![]), Err(Failure::Refused));
    }

    #[test]
    fn secrets_are_taken_out_of_names_values_and_body() {
        let scrubber = Scrubber::default();
        scrubber.look_for(b"canary");
        let text =
            b"HTTP/1.1 200 canary\r\nX-Canary: a\r\nset-cookie: k=canary; x\r\nx: \xff\r\n\r\n[canary]";
        let got = read(&mut Pieces(vec![text]), "GET", MOST, &scrubber).unwrap();
        let header = |name: &str, value: &str| Header { name: name.into(), value: value.into() };
        let headers = vec![header("X-•••", "a"), header("set-cookie", "k=•••; x"), header("x", "\u{fffd}")];
        assert_eq!(got, Response { status: 200, headers, body: "[•••]".into() });
    }
}
