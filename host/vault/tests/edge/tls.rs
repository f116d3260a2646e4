//! Requests over TLS: whose certificate counts, and the client's own.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use sluice_vault::Secret;
use sluice_vault::edge::{Edge, Failure, Limits, NotAuthorities, Placement, Response, Roots, Tls};

use crate::outside::{
    CANARY, Day, PATIENT, PUBLIC, TOKEN, Wires, filed, get, grant, is_in, place, read_request, reflection,
    secrets, serve,
};

const TODAY: &str = "2026-07-01T00:00:00Z";

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Somebody who signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
struct Leaf {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn leaf(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Leaf {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        Leaf { certificate: params.signed_by(&key, &self.0).unwrap().der().clone(), key }
    }

    fn server(&self, name: &str) -> Leaf {
        self.leaf(name, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn client(&self) -> Leaf {
        self.leaf("client.example.test", ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn roots(&self) -> Roots {
        Roots::none().with_pem(pem("CERTIFICATE", self.0.der()).as_bytes()).unwrap()
    }
}

impl Leaf {
    fn certificate(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    fn key(&self) -> String {
        pem("PRIVATE KEY", self.key.serialized_der())
    }

    fn both(&self) -> String {
        self.certificate() + &self.key()
    }
}

/// What a server learned of its client: the name that it asked for, and what it sent.
type Learned = Arc<Mutex<Vec<(String, String)>>>;

/// A server that says all that it was sent, with the client's certificate if it wants one.
fn reflecting(leaf: &Leaf, clients: Option<&Authority>) -> (SocketAddr, Learned) {
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = match clients {
        None => config.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            config.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::Pkcs8(leaf.key.serialize_der().into());
    let config = Arc::new(config.with_single_cert(vec![leaf.certificate.clone()], key).unwrap());
    let learned = Learned::default();
    let kept = Arc::clone(&learned);
    let address = serve(move |tcp| {
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
        let mut request = read_request(&mut stream);
        if request.is_empty() {
            return;
        }
        let name = stream.conn.server_name().unwrap_or_default().to_owned();
        kept.lock().unwrap().push((name, String::from_utf8_lossy(&request).into_owned()));
        for certificate in stream.conn.peer_certificates().unwrap_or_default() {
            let text = pem("CERTIFICATE", certificate);
            request.extend_from_slice(format!("{text}{}", hex::encode(certificate)).as_bytes());
        }
        let _ = stream.write_all(&reflection(&request));
        stream.conn.send_close_notify();
        let _ = stream.flush();
    });
    (address, learned)
}

fn edge(server: SocketAddr, roots: Roots, day: &str) -> Edge {
    edge_with(secrets(), server, roots, day)
}

fn edge_with(secrets: BTreeMap<String, Secret>, server: SocketAddr, roots: Roots, day: &str) -> Edge {
    let network =
        Wires::default().name("api.example.test", &[&[PUBLIC]]).name("other.example.test", &[&[PUBLIC]]);
    let network = network.wire(PUBLIC, 443, Some(server));
    let hosts = ["*.example.test:443", "93.184.216.34:443"];
    let (grant, clock) = (grant(&hosts, &[]), Arc::new(Day::new(day)));
    Edge::new(grant, secrets, roots, Limits::default(), Arc::new(network), clock)
}

fn why(failure: Failure) -> String {
    match failure {
        Failure::Tls(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_is_believed_by_its_certificate_for_the_name() {
    let authority = Authority::new("ours");
    let (server, learned) = reflecting(&authority.server("api.example.test"), None);
    let good = edge(server, authority.roots(), TODAY);
    let places = [place("token", Placement::Bearer), place("password", Placement::Query("p".into()))];
    let response = good.http(&get("https://API.example.test/x"), &places, PATIENT).unwrap();
    assert!(!is_in(TOKEN, &response) && !is_in(CANARY, &response), "{response:?}");
    let (name, request) = learned.lock().unwrap().pop().unwrap();
    assert_eq!(name, "api.example.test");
    assert!(
        request.contains(&format!("authorization: Bearer {TOKEN}"))
            && request.contains("host: api.example.test\r\n")
    );
    assert_eq!(good.reach("api.example.test", 443, Tls::Required, PATIENT), Ok(()));
    assert_eq!(good.reach("api.example.test", 443, Tls::Off, PATIENT), Ok(()));

    for (host, roots, day, expected) in [
        (
            "api.example.test",
            Authority::new("another").roots(),
            TODAY,
            "of an authority that is not known here",
        ),
        ("api.example.test", Roots::none(), TODAY, "of an authority that is not known here"),
        ("other.example.test", authority.roots(), TODAY, "for another name"),
        ("93.184.216.34", authority.roots(), TODAY, "for another name"),
        ("api.example.test", authority.roots(), "5000-01-01T00:00:00Z", "has expired"),
        ("api.example.test", authority.roots(), "1970-01-02T00:00:00Z", "not valid yet"),
    ] {
        let edge = edge(server, roots, day);
        let got = why(edge.http(&get(&format!("https://{host}/")), &places, PATIENT).unwrap_err());
        assert!(got.contains(expected), "{host}: {got}");
        assert!(why(edge.reach(host, 443, Tls::Required, PATIENT).unwrap_err()).contains(expected), "{host}");
        assert_eq!(edge.reach(host, 443, Tls::Off, PATIENT), Ok(()));
    }
    let clients_only = authority.leaf("api.example.test", ExtendedKeyUsagePurpose::ClientAuth);
    let (wrong, _) = reflecting(&clients_only, None);
    let got = edge(wrong, authority.roots(), TODAY).reach("api.example.test", 443, Tls::Required, PATIENT);
    assert!(why(got.unwrap_err()).contains("not for servers"));
    assert!(learned.lock().unwrap().is_empty(), "a secret went to a server that is not believed");

    let (by_address, _) = reflecting(&authority.server(PUBLIC), None);
    assert_eq!(edge(by_address, authority.roots(), TODAY).reach(PUBLIC, 443, Tls::Required, PATIENT), Ok(()));
}

#[test]
fn a_client_shows_its_certificate_and_nothing_of_it_comes_back() {
    let authority = Authority::new("ours");
    let client = authority.client();
    let (server, learned) = reflecting(&authority.server("api.example.test"), Some(&authority));
    let ask = |pem: String| -> Result<Response, Failure> {
        let edge = edge_with(filed(&[("certificate", &pem)]), server, authority.roots(), TODAY);
        edge.http(
            &get("https://api.example.test/"),
            &[place("certificate", Placement::ClientCertificate)],
            PATIENT,
        )
    };
    for pem in [
        client.both(),
        client.key() + &client.certificate(),
        client.both() + &pem("CERTIFICATE", authority.0.der()),
    ] {
        let response = ask(pem).unwrap();
        assert_eq!(response.status, 200);
        let body = String::from_utf8_lossy(&response.body);
        assert!(body.contains("BEGIN CERTIFICATE-----") && body.contains("•••"), "{body}");
        let middle = |bytes: &[u8]| bytes[40..60].to_vec();
        for der in [client.certificate.as_ref(), client.key.serialized_der()] {
            assert!(!body.contains(&hex::encode(middle(der))));
            let text = STANDARD.encode(der);
            assert!(!body.contains(&text[100..120]), "{body}");
        }
    }
    assert_eq!(learned.lock().unwrap().len(), 3);

    let without =
        edge(server, authority.roots(), TODAY).http(&get("https://api.example.test/"), &[], PATIENT);
    assert_eq!(why(without.unwrap_err()), "the server wants a client's certificate");
    assert!(
        why(ask(Authority::new("another").client().both()).unwrap_err())
            .contains("does not accept the client's")
    );

    let other = authority.client();
    let damaged =
        client.certificate() + "-----BEGIN PRIVATE KEY-----\nkanarienvogel!\n-----END PRIVATE KEY-----\n";
    let not_a_key = client.certificate() + &pem("PRIVATE KEY", b"kanarienvogel");
    for (pem, expected) in [
        (client.certificate(), "no private key"),
        (client.key(), "no certificate"),
        (client.certificate() + &other.key(), "not that of its first certificate"),
        (client.both() + &other.key(), "more than one private key"),
        (damaged, "damaged PEM"),
        (client.both().replace("-----END PRIVATE KEY-----", ""), "damaged PEM"),
        (not_a_key, "a kind that is not supported"),
        (client.certificate() + &pem("ENCRYPTED PRIVATE KEY", b"kanarienvogel"), "or an encrypted one"),
        (pem("CERTIFICATE", b"kanarienvogel") + &client.key(), "not that of its first certificate"),
    ] {
        match ask(pem) {
            Err(Failure::BadSecret(got)) => {
                assert!(got.starts_with("`certificate` ") && got.contains(expected), "{expected}: {got}");
                assert!(!got.contains("kanarienvogel"), "{got}");
            }
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn what_does_not_speak_tls_is_told_apart() {
    let roots = Authority::new("ours").roots();
    for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.9\r\n"] {
        let server = serve(move |mut stream| {
            let _ = stream.read(&mut [0; 16]);
            let _ = stream.write_all(answer.as_bytes());
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let got = edge(server, roots.clone(), TODAY).reach("api.example.test", 443, Tls::Required, PATIENT);
        assert_eq!(why(got.unwrap_err()), "what answers there does not speak TLS");
    }
    let closing = serve(drop);
    let got = edge(closing, roots.clone(), TODAY).reach("api.example.test", 443, Tls::Required, PATIENT);
    assert_eq!(why(got.unwrap_err()), "the connection was closed during the handshake");
}

#[test]
fn an_answer_that_is_cut_off_is_not_taken_for_whole() {
    let authority = Authority::new("ours");
    let leaf = authority.server("api.example.test");
    let key = PrivateKeyDer::Pkcs8(leaf.key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![leaf.certificate.clone()], key).unwrap());
    let server = serve(move |tcp| {
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhalf an ans").unwrap();
    });
    let got = edge(server, authority.roots(), TODAY).http(&get("https://api.example.test/"), &[], PATIENT);
    assert_eq!(got, Err(Failure::BadResponse("it was cut off".into())));
}

#[test]
fn authorities_are_read_from_pem_only() {
    for text in [String::new(), "kanarienvogel".into(), pem("CERTIFICATE", b"x"), pem("PRIVATE KEY", b"x")] {
        assert_eq!(Roots::none().with_pem(text.as_bytes()).err(), Some(NotAuthorities), "{text}");
    }
}
