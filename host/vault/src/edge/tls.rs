//! TLS: whose certificates count, and who the client is.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, RootCertStore, StreamOwned,
};
use zeroize::{Zeroize as _, Zeroizing};

use super::failure::{Failure, bad_secret};
use super::grant::Host;
use super::network::{Timed, is_late};
use crate::Secret;

/// Sections in a client's PEM at most. 16: a chain has rarely more than four certificates.
const SECTIONS_MOST: usize = 16;

/// The authorities by which servers' certificates are checked.
#[derive(Debug, Clone)]
pub struct Roots(Arc<RootCertStore>);

impl Roots {
    /// None at all: no server is believed until some are added.
    #[must_use]
    pub fn none() -> Self {
        Self(Arc::new(RootCertStore::empty()))
    }

    /// Those that the operating system knows, or those that the variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name. What
    /// cannot be read is left out. It reads a few hundred files or one large one: make it once and clone it.
    #[must_use]
    pub fn of_system() -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self(Arc::new(store))
    }

    /// With further authorities, from a text in PEM.
    ///
    /// # Errors
    /// When there is no certificate in it, or one that cannot be an authority.
    pub fn with_pem(self, pem: &[u8]) -> Result<Self, NotAuthorities> {
        let mut store = Arc::unwrap_or_clone(self.0);
        let before = store.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| NotAuthorities)?;
            store.add(certificate).map_err(|_| NotAuthorities)?;
        }
        if store.len() == before { Err(NotAuthorities) } else { Ok(Self(Arc::new(store))) }
    }
}

/// A text holds no certificates of authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a list of authorities' certificates in PEM")]
pub struct NotAuthorities;

/// A client's certificate with its key.
pub(super) struct Identity {
    key: Arc<CertifiedKey>,
}

impl Identity {
    /// Reads PEM: the client's own certificate, then those that lead to its authority, and one unencrypted key (PKCS #8,
    /// PKCS #1 or SEC 1) before, between or after them.
    pub(super) fn parse(slot: &str, secret: &Secret) -> Result<Self, Failure> {
        let mut chain = Vec::new();
        let mut keys = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(secret.expose()).take(SECTIONS_MOST) {
            // What is wrong would be said with the line that is.
            let (kind, der) = section.map_err(|_| bad_secret(slot, "is damaged PEM"))?;
            match kind {
                SectionKind::Certificate => chain.push(CertificateDer::from(der)),
                SectionKind::PrivateKey => keys.push(PrivateKeyDer::Pkcs8(der.into())),
                SectionKind::RsaPrivateKey => keys.push(PrivateKeyDer::Pkcs1(der.into())),
                SectionKind::EcPrivateKey => keys.push(PrivateKeyDer::Sec1(der.into())),
                _ => {}
            }
        }
        let signing = match keys.as_slice() {
            [key] => ring::sign::any_supported_type(key)
                .map_err(|_| bad_secret(slot, "holds a key of a kind that is not supported")),
            [] => Err(bad_secret(slot, "holds no private key in PEM, or an encrypted one")),
            _ => Err(bad_secret(slot, "holds more than one private key")),
        };
        for key in &mut keys {
            key.zeroize();
        }
        let signing = signing?;
        if chain.is_empty() {
            return Err(bad_secret(slot, "holds no certificate in PEM beside its key"));
        }
        let key = CertifiedKey::new(chain, signing);
        if key.keys_match().is_err() {
            return Err(bad_secret(slot, "holds a key that is not that of its first certificate"));
        }
        Ok(Self { key: Arc::new(key) })
    }
}

/// What the sections of a secret in PEM hold: the forms in which a certificate could come back, and its key.
pub(super) fn sections(secret: &Secret) -> impl Iterator<Item = Zeroizing<Vec<u8>>> {
    let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(secret.expose()).take(SECTIONS_MOST);
    sections.flatten().map(|(_, der)| Zeroizing::new(der))
}

/// The moment at which certificates have to be valid.
#[derive(Debug)]
struct Moment(UnixTime);

impl TimeProvider for Moment {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

/// How a connection is encrypted.
pub(super) struct Client<'a> {
    pub(super) roots: &'a Roots,
    pub(super) now: Timestamp,
    pub(super) identity: Option<&'a Identity>,
    /// What is spoken inside (ALPN), if that is known.
    pub(super) protocol: Option<&'static [u8]>,
}

pub(super) type Encrypted<'a> = StreamOwned<ClientConnection, Timed<'a>>;

impl Client<'_> {
    /// Shakes hands with a server, whose certificate must be valid for this host.
    pub(super) fn connect<'t>(&self, host: &Host, mut tcp: Timed<'t>) -> Result<Encrypted<'t>, Failure> {
        let name = match host {
            Host::Name(name) => ServerName::try_from(name.clone())
                .map_err(|_| Failure::Tls("no certificate can be for such a name".to_owned()))?,
            Host::Address(address) => ServerName::from(*address),
        };
        let wrong = |error: &rustls::Error| Failure::Tls(describe(error).to_owned());
        let mut connection = ClientConnection::new(self.config().map_err(|e| wrong(&e))?, name)
            .map_err(|error| wrong(&error))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut tcp).map_err(|error| failure(&error).unwrap_or_else(closed))?;
        }
        Ok(StreamOwned::new(connection, tcp))
    }

    fn config(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let since = u64::try_from(self.now.as_second()).unwrap_or_default();
        let moment = Moment(UnixTime::since_unix_epoch(Duration::from_secs(since)));
        let config = ClientConfig::builder_with_details(provider, Arc::new(moment))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&self.roots.0));
        let mut config = match self.identity {
            Some(it) => {
                config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&it.key))))
            }
            None => config.with_no_client_auth(),
        };
        // Nothing of a connection outlives it.
        config.resumption = Resumption::disabled();
        config.alpn_protocols = self.protocol.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

fn closed() -> Failure {
    Failure::Tls("the connection was closed during the handshake".to_owned())
}

/// What went wrong on an encrypted connection, where it is about time or TLS.
pub(super) fn failure(error: &io::Error) -> Option<Failure> {
    if is_late(error) {
        return Some(Failure::TimedOut);
    }
    let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(Failure::Tls(describe(inner).to_owned()))
}

/// In fixed words: what a library says may repeat what the server sent.
fn describe(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::UnknownIssuer => {
                "the server's certificate is of an authority that is not known here; name the authority, if it is yours"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another name"
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                "the server's certificate is not for servers"
            }
            _ => "the server's certificate is not valid",
        },
        rustls::Error::InvalidMessage(_) => "what answers there does not speak TLS",
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => "the server wants a client's certificate",
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied => "the server does not accept the client's certificate",
            AlertDescription::ProtocolVersion => "the server speaks no version of TLS from 1.2 on",
            AlertDescription::UnrecognisedName => "the server knows no such name",
            _ => "the server broke the handshake off",
        },
        rustls::Error::PeerIncompatible(_) => "the server offers nothing that is accepted here",
        _ => "the handshake failed",
    }
}
