//! The gate that all connections to a registry go through.
//!
//! The client reads manifests, lists, tokens and error messages into memory whole, and follows redirects to
//! wherever they lead. It has no hook for either, but it takes a proxy: this is one, within the process and
//! for one operation. It counts what comes, refuses once that is too much, and connects to the addresses
//! that it looked at itself.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::error::Error;
use crate::reference::Repository;

/// Bytes of a request's head. 64 KiB: the client's own, with a token in it.
const HEAD_BYTES: usize = 64 << 10;

/// Bytes that are passed on at a time.
const PIECE_BYTES: usize = 16 << 10;

/// How far from this machine an address is. A registry may send only as far out as it is itself, or further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    ThisMachine,
    PrivateNetwork,
    Internet,
}

/// What the gate lets through for one operation.
pub(super) struct Gate {
    /// The registry as it is written.
    registry: String,
    host: String,
    port: u16,
    /// Where the registry is. Looked up once, so that it is the same for every request.
    addresses: Vec<SocketAddr>,
    reach: Reach,
    limit: usize,
    state: Mutex<State>,
}

struct State {
    /// Bytes that may still come.
    left: usize,
    refusal: Option<Error>,
}

/// Where a request is to go.
#[derive(Debug, PartialEq, Eq)]
struct Destination {
    host: String,
    port: u16,
    is_encrypted: bool,
}

impl Gate {
    /// Opens a gate to a repository's registry that lets `limit` bytes in. Answers with it and with the address
    /// at which it takes connections, until the runtime ends.
    pub(super) async fn open(
        repository: &Repository,
        limit: usize,
    ) -> Result<(Arc<Self>, SocketAddr), Error> {
        let registry = repository.registry.clone();
        let unreachable = |why: String| Error::Unreachable { registry: repository.registry.clone(), why };
        let (host, port) = repository
            .host_and_port()
            .ok_or_else(|| unreachable("that is no host name or address".into()))?;
        let addresses = look_up(host, port).await.map_err(|error| unreachable(error.to_string()))?;
        let reach = addresses.iter().map(|address| reach(address.ip())).min().unwrap_or(Reach::Internet);
        let is_all_here = addresses.iter().all(|address| address.ip().is_loopback());
        if repository.is_loopback() && !is_all_here {
            return Err(unreachable(format!("`{host}` is not this machine")));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let opened = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (at, listener) = opened.map_err(|error| unreachable(error.to_string()))?;
        let state = Mutex::new(State { left: limit, refusal: None });
        let gate = Arc::new(Self { registry, host: host.to_owned(), port, addresses, reach, limit, state });
        let served = Arc::clone(&gate);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let gate = Arc::clone(&served);
                tokio::spawn(async move { gate.serve(client).await });
            }
        });
        Ok((gate, at))
    }

    /// Why something was not let through, if anything was not.
    pub(super) fn refusal(&self) -> Option<Error> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).refusal.take()
    }

    /// The first refusal is the one that is told.
    fn refuse(&self, why: Error) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).refusal.get_or_insert(why);
    }

    /// Takes so many bytes off what may come; `false`, and a refusal, if that is too much.
    fn admit(&self, bytes: usize) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.left.checked_sub(bytes) {
            Some(left) => state.left = left,
            None => {
                state.left = 0;
                let what = "what the registry sends";
                state.refusal.get_or_insert(Error::TooLarge { what, limit: self.limit });
                return false;
            }
        }
        true
    }

    /// One connection of the client. What fails ends it; the client notices, and the refusal says why.
    async fn serve(&self, mut client: TcpStream) {
        let Ok(head) = head(&mut client).await else { return };
        let Some(destination) = destination(&head) else { return };
        let registry = match self.connect(&destination).await {
            Ok(registry) => registry,
            Err(why) => return self.refuse(why),
        };
        let begun = if destination.is_encrypted {
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.map(|()| registry)
        } else {
            let mut registry = registry;
            registry.write_all(&head).await.map(|()| registry)
        };
        let Ok(registry) = begun else { return };
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_registry, mut to_registry) = registry.into_split();
        let outward = tokio::spawn(async move {
            // An end here is told to the registry by closing; its answer may still come.
            drop(tokio::io::copy(&mut from_client, &mut to_registry).await);
            drop(to_registry.shutdown().await);
        });
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(count @ 1..) = from_registry.read(&mut piece).await {
            let bytes = piece.get(..count).unwrap_or_default();
            if !self.admit(count) || to_client.write_all(bytes).await.is_err() {
                break;
            }
        }
        outward.abort();
    }

    async fn connect(&self, to: &Destination) -> Result<TcpStream, Error> {
        let addresses = self.addresses(to).await?;
        let mut problem = "it has no address".to_owned();
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => problem = error.to_string(),
            }
        }
        Err(Error::Unreachable { registry: to.shown(), why: problem })
    }

    /// The addresses of a destination to which the registry may send us.
    async fn addresses(&self, to: &Destination) -> Result<Vec<SocketAddr>, Error> {
        let elsewhere = |why| Error::Elsewhere { registry: self.registry.clone(), to: to.shown(), why };
        let is_registry = to.host == self.host && to.port == self.port;
        let stays_here = is_registry && self.reach == Reach::ThisMachine;
        if !to.is_encrypted && !stays_here {
            return Err(elsewhere("over HTTP without TLS"));
        }
        if is_registry {
            return Ok(self.addresses.clone());
        }
        let addresses = look_up(&to.host, to.port)
            .await
            .map_err(|error| Error::Unreachable { registry: to.shown(), why: error.to_string() })?;
        if addresses.iter().any(|address| reach(address.ip()) < self.reach) {
            return Err(elsewhere("inside of a network that it is itself outside of"));
        }
        Ok(addresses)
    }
}

impl Destination {
    /// As it is written in messages. A registry wrote the host.
    fn shown(&self) -> String {
        let host: String = self.host.chars().filter(char::is_ascii_graphic).take(255).collect();
        format!("{host}:{}", self.port)
    }
}

async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((host, port)).await?.collect())
}

/// A request's head: all of it if it asks for a tunnel, or its first piece that has the first line.
async fn head(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = client.read(&mut piece).await?;
        head.extend_from_slice(piece.get(..count).unwrap_or_default());
        let is_whole = if head.starts_with(b"CONNECT ") {
            head.ends_with(b"\r\n\r\n")
        } else {
            head.len() >= b"CONNECT ".len() && head.contains(&b'\n')
        };
        if is_whole {
            return Ok(head);
        }
        if count == 0 || head.len() > HEAD_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

/// Where a request to a proxy is to go (RFC 9112, "Request Target").
fn destination(head: &[u8]) -> Option<Destination> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let line = str::from_utf8(line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let is_encrypted = method == "CONNECT";
    let authority =
        if is_encrypted { target } else { target.strip_prefix("http://")?.split(['/', '?']).next()? };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, 80),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some(Destination { host: host.to_owned(), port, is_encrypted })
}

/// How far an address is. What is neither public nor of this machine counts as private (IANA's registries of
/// special-purpose addresses), also those that lead on to an IPv4 address of which one cannot be sure.
fn reach(address: IpAddr) -> Reach {
    match address.to_canonical() {
        address if address.is_loopback() || address.is_unspecified() => Reach::ThisMachine,
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let is_special =
                matches!((a, b, c), (0 | 240.., ..) | (100, 64..=127, _) | (192, 0, 0) | (198, 18..=19, _));
            let is_near = v4.is_private() || v4.is_link_local() || v4.is_multicast();
            if is_special || is_near { Reach::PrivateNetwork } else { Reach::Internet }
        }
        IpAddr::V6(v6) => {
            let is_through = matches!(v6.segments(), [0x64, 0xff9b, ..] | [0x2002, ..] | [0x2001, 0, ..]);
            let is_near = v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_multicast();
            let is_old = v6.segments().starts_with(&[0; 6]) || v6.segments().first() == Some(&0xfec0);
            if is_through || is_near || is_old { Reach::PrivateNetwork } else { Reach::Internet }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_as_far_as_they_are() {
        for (address, expected) in [
            ("127.0.0.1", Reach::ThisMachine),
            ("127.9.9.9", Reach::ThisMachine),
            ("0.0.0.0", Reach::ThisMachine),
            ("::1", Reach::ThisMachine),
            ("::", Reach::ThisMachine),
            ("::ffff:127.0.0.1", Reach::ThisMachine),
            ("0.1.2.3", Reach::PrivateNetwork),
            ("10.0.0.1", Reach::PrivateNetwork),
            ("172.16.0.1", Reach::PrivateNetwork),
            ("192.168.1.1", Reach::PrivateNetwork),
            ("169.254.169.254", Reach::PrivateNetwork),
            ("100.64.0.1", Reach::PrivateNetwork),
            ("192.0.0.1", Reach::PrivateNetwork),
            ("198.19.0.1", Reach::PrivateNetwork),
            ("224.0.0.1", Reach::PrivateNetwork),
            ("255.255.255.255", Reach::PrivateNetwork),
            ("fd00::1", Reach::PrivateNetwork),
            ("fe80::1", Reach::PrivateNetwork),
            ("ff02::1", Reach::PrivateNetwork),
            ("::ffff:10.0.0.1", Reach::PrivateNetwork),
            ("::10.0.0.1", Reach::PrivateNetwork),
            ("64:ff9b::a00:1", Reach::PrivateNetwork),
            ("2002:a00:1::", Reach::PrivateNetwork),
            ("2001:0:1::", Reach::PrivateNetwork),
            ("100.63.0.1", Reach::Internet),
            ("172.32.0.1", Reach::Internet),
            ("8.8.8.8", Reach::Internet),
            ("2606:4700::1111", Reach::Internet),
            ("::ffff:8.8.8.8", Reach::Internet),
        ] {
            assert_eq!(reach(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn a_request_says_where_it_goes() {
        let to = |host: &str, port, is_encrypted| Some(Destination { host: host.into(), port, is_encrypted });
        for (head, expected) in [
            ("CONNECT registry.example:443 HTTP/1.1\r\n\r\n", to("registry.example", 443, true)),
            ("CONNECT [2001:db8::1]:8443 HTTP/1.1\r\n\r\n", to("2001:db8::1", 8443, true)),
            ("GET http://localhost:5000/v2/ HTTP/1.1\r\n", to("localhost", 5000, false)),
            ("GET http://127.0.0.1/v2/?a=b:1 HTTP/1.1\r\n", to("127.0.0.1", 80, false)),
            ("GET http://[::1]?x HTTP/1.1\r\n", to("::1", 80, false)),
            ("GET /v2/ HTTP/1.1\r\n", None),
            ("GET https://registry.example/ HTTP/1.1\r\n", None),
            ("CONNECT registry.example:x HTTP/1.1\r\n\r\n", None),
            ("\r\n", None),
        ] {
            assert_eq!(destination(head.as_bytes()), expected, "{head}");
        }
    }

    fn gate(reach: Reach) -> Gate {
        let addresses = vec![SocketAddr::from(([192, 0, 2, 1], 443))];
        let state = Mutex::new(State { left: 10, refusal: None });
        let host = "registry.example".to_owned();
        Gate { registry: host.clone(), host, port: 443, addresses, reach, limit: 10, state }
    }

    fn sent(from: Reach, host: &str, port: u16, is_encrypted: bool) -> Result<usize, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let to = Destination { host: host.into(), port, is_encrypted };
        let found = runtime.block_on(gate(from).addresses(&to));
        found.map(|addresses| addresses.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn nobody_is_sent_further_inside() {
        let (here, near, far) = (Reach::ThisMachine, Reach::PrivateNetwork, Reach::Internet);
        for (from, host, port, is_encrypted, expected) in [
            (far, "registry.example", 443, true, Ok(1)),
            (far, "registry.example", 443, false, Err("over HTTP without TLS")),
            (far, "8.8.8.8", 80, false, Err("over HTTP without TLS")),
            (far, "8.8.8.8", 443, true, Ok(1)),
            (far, "10.0.0.1", 443, true, Err("sends to `10.0.0.1:443`, inside of a network")),
            (far, "169.254.169.254", 443, true, Err("inside of a network")),
            (far, "127.0.0.1", 443, true, Err("inside of a network")),
            (near, "10.0.0.1", 443, true, Ok(1)),
            (near, "8.8.8.8", 443, true, Ok(1)),
            (near, "::1", 443, true, Err("inside of a network")),
            (near, "registry.example", 443, false, Err("over HTTP without TLS")),
            (here, "registry.example", 443, false, Ok(1)),
            (here, "127.0.0.1", 444, true, Ok(1)),
            (here, "127.0.0.1", 80, false, Err("over HTTP without TLS")),
        ] {
            match (sent(from, host, port, is_encrypted), expected) {
                (Ok(count), Ok(expected)) => assert_eq!(count, expected, "{from:?} {host}"),
                (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
                (found, expected) => panic!("{from:?} {host}: {found:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn no_more_comes_than_may() {
        let gate = gate(Reach::Internet);
        assert!(gate.admit(4) && gate.admit(6) && gate.admit(0));
        assert!(gate.refusal().is_none());
        assert!(!gate.admit(1) && !gate.admit(1));
        let why = gate.refusal().unwrap().to_string();
        assert_eq!(why, "what the registry sends has more than the limit of 10 bytes");
    }
}
