//! What surrounds an edge in these tests: servers on loopback, and a network on which they have public names and
//! addresses.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use sluice_vault::Secret;
use sluice_vault::edge::{
    Clock, Edge, Grant, Header, Limits, Network, Placed, Placement, Request, Response, Roots,
};

/// Long enough for any machine, and reached only when something is wrong.
pub(crate) const PATIENT: Duration = Duration::from_secs(60);

/// A password with what each encoding treats in its own way.
pub(crate) const CANARY: &str = r#"kanari&enV/+8=%41"'<x>\ ?"#;

/// A key that can be in a header.
pub(crate) const TOKEN: &str = "kanarienvogel-8+/~=f00";

/// An address that anybody could have. Nobody is asked: the network below wires it to loopback.
pub(crate) const PUBLIC: &str = "93.184.216.34";
pub(crate) const ALSO_PUBLIC: &str = "2606:2800:220:1::1";

/// Names, and where a connection to an address really goes.
#[derive(Default)]
pub(crate) struct Wires {
    /// The answers for a name, one after another; the last one stays.
    names: BTreeMap<String, Vec<Vec<IpAddr>>>,
    /// By address and port; none for one where nobody answers in time.
    wires: BTreeMap<SocketAddr, Option<SocketAddr>>,
    pub(crate) asked: Mutex<Vec<String>>,
    pub(crate) dialled: Mutex<Vec<SocketAddr>>,
}

impl Wires {
    pub(crate) fn name(mut self, name: &str, answers: &[&[&str]]) -> Self {
        let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        self.names.insert(name.to_owned(), answers.iter().map(parse).collect());
        self
    }

    pub(crate) fn wire(mut self, address: &str, port: u16, to: Option<SocketAddr>) -> Self {
        self.wires.insert(SocketAddr::new(address.parse().unwrap(), port), to);
        self
    }

    pub(crate) fn dialled(&self) -> Vec<String> {
        self.dialled.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

impl Network for Wires {
    fn resolve(&self, name: &str, _: Duration) -> io::Result<Vec<IpAddr>> {
        let mut asked = self.asked.lock().unwrap();
        let before = asked.iter().filter(|earlier| *earlier == name).count();
        asked.push(name.to_owned());
        let answers = self.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(answers.get(before).or(answers.last()).cloned().unwrap_or_default())
    }

    fn connect(&self, address: SocketAddr, within: Duration) -> io::Result<TcpStream> {
        self.dialled.lock().unwrap().push(address);
        match self.wires.get(&address) {
            Some(Some(to)) => TcpStream::connect_timeout(to, within),
            Some(None) => Err(io::ErrorKind::TimedOut.into()),
            None => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }
}

/// The machine's time for deadlines, and a fixed day for certificates.
pub(crate) struct Day(Instant, Timestamp);

impl Day {
    pub(crate) fn new(text: &str) -> Self {
        Self(Instant::now(), text.parse().unwrap())
    }
}

impl Clock for Day {
    fn now(&self) -> Timestamp {
        self.1
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

pub(crate) fn grant(hosts: &[&str], private: &[&str]) -> Grant {
    Grant {
        hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
        private: private.iter().map(|range| range.parse().unwrap()).collect(),
    }
}

/// An edge with the secrets of `secrets`.
pub(crate) fn edge(grant: Grant, network: Arc<dyn Network>) -> Edge {
    edge_with(secrets(), grant, network)
}

pub(crate) fn edge_with(secrets: BTreeMap<String, Secret>, grant: Grant, network: Arc<dyn Network>) -> Edge {
    let clock = Arc::new(Day::new("2026-07-01T00:00:00Z"));
    Edge::new(grant, secrets, Roots::none(), Limits::default(), network, clock)
}

pub(crate) fn get(url: &str) -> Request {
    Request { method: "GET".into(), url: url.into(), headers: Vec::new(), body: None }
}

pub(crate) fn place(slot: &str, at: Placement) -> Placed {
    Placed { slot: slot.into(), at }
}

/// Secrets by their slots.
pub(crate) fn filed(secrets: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    secrets.iter().map(|(slot, value)| ((*slot).to_owned(), Secret::new(*value).unwrap())).collect()
}

/// The slots `password` and `token`.
pub(crate) fn secrets() -> BTreeMap<String, Secret> {
    filed(&[("password", CANARY), ("token", TOKEN)])
}

/// A server that does the same with every connection, each on a thread of its own.
pub(crate) fn serve(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (answer, stream) = (Arc::clone(&answer), stream.unwrap());
            // A test that goes wrong ends all the same.
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

/// A server that reads a request and answers these bytes.
pub(crate) fn answering(bytes: impl Into<Vec<u8>>) -> SocketAddr {
    let bytes = bytes.into();
    serve(move |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(&bytes);
    })
}

/// The bytes of one request, as they came.
pub(crate) fn read_request(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let head = bytes.windows(4).position(|end| end == b"\r\n\r\n");
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
            if bytes.len() >= head + 4 + length.map_or(0, |length| length.parse().unwrap()) {
                return bytes;
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return bytes,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

/// An answer that says all that was asked, in every way in which servers say such things.
pub(crate) fn reflection(request: &[u8]) -> Vec<u8> {
    let head =
        request.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).take_while(|line| !line.is_empty());
    let lines: Vec<&[u8]> = head.collect();
    let (mut headers, mut body) = (String::new(), String::new());
    for (at, line) in lines.iter().enumerate() {
        let text = String::from_utf8_lossy(line);
        headers.push_str(&format!("x-line-{at}: {text}\r\n"));
        headers.push_str(&format!("x-base64-{at}: {}\r\n", STANDARD.encode(line)));
    }
    // What a server finds in the request.
    let mut found = vec![request.to_vec()];
    for line in &lines {
        let text = String::from_utf8_lossy(line).into_owned();
        if let Some(credentials) = text.strip_prefix("authorization: Basic ") {
            let pair = STANDARD.decode(credentials).unwrap();
            found.push(pair.splitn(2, |byte| *byte == b':').last().unwrap().to_vec());
            found.push(pair);
        }
        let query = text.split(' ').nth(1).and_then(|path| path.split_once('?')).map(|(_, query)| query);
        for (_, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            found.push(value.as_bytes().to_vec());
        }
    }
    for bytes in found {
        for form in forms(&bytes) {
            body.push_str(&format!("{form}\n"));
            body.push_str(&format!("{}\n", STANDARD.encode(&form)));
            body.push_str(&format!("{}\n", serde_json::to_string(&form).unwrap()));
        }
    }
    let framing = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", body.len());
    format!("{framing}{headers}\r\n{body}").into_bytes()
}

/// A text in encodings, all of them text again.
fn forms(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let mut forms = vec![
        serde_json::to_string(&text).unwrap(),
        html,
        url::form_urlencoded::byte_serialize(bytes).collect(),
        bytes.iter().map(|byte| format!("%{byte:02X}")).collect(),
        bytes.iter().map(|byte| format!("\\u{byte:04x}")).collect(),
        hex::encode(bytes),
        hex::encode_upper(bytes),
        text,
    ];
    for shift in 0..3 {
        let shifted = [&b"???"[..shift], bytes].concat();
        forms.push(STANDARD.encode(&shifted));
        forms.push(URL_SAFE_NO_PAD.encode(&shifted));
    }
    forms
}

/// Whether a secret is in an answer in any form in which `reflection` says it.
pub(crate) fn is_in(secret: &str, response: &Response) -> bool {
    let header = |Header { name, value }: &Header| format!("{name}\n{value}\n");
    let mut text: String = response.headers.iter().map(header).collect();
    text.push_str(&String::from_utf8_lossy(&response.body));
    let said = forms(secret.as_bytes()).into_iter().flat_map(|form| {
        let again = forms(form.as_bytes());
        [form].into_iter().chain(again)
    });
    // The first and last characters of base64 have bits of what stands beside.
    said.map(|form| form.trim_matches('"').trim_end_matches('=').to_owned())
        .map(|form| form.get(4..form.len().saturating_sub(4)).unwrap_or(&form).to_owned())
        .any(|form| text.contains(&form))
}
