//! One operation's talk with a registry: the client, and what its errors mean.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use oci_client::Client;
use oci_client::RegistryOperation;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{DigestError, OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use sluice_model::Digest;
use tokio::io::AsyncWrite;

use super::gate::Gate;
use super::layout::{Blob, ENVELOPE, INDEX, MANIFEST, Packed};
use crate::artefact::Access;
use crate::error::Error;
use crate::reference::{Reference, Repository, Tag};

/// Versions asked for at a time. 1,000, of which registries may give fewer.
const PAGE: usize = 1_000;

/// A registry, signed in to.
pub(super) struct Session<'a> {
    client: Client,
    auth: RegistryAuth,
    gate: Arc<Gate>,
    repository: &'a Repository,
    asked: &'a Reference,
    access: &'a Access,
}

/// A manifest by one of its two names.
#[derive(Clone, Copy)]
pub(super) enum By<'a> {
    Tag(&'a str),
    Digest(Digest),
}

impl<'a> Session<'a> {
    /// Signs in, if the registry asks for it, to an operation in which at most `limit` bytes may come.
    pub(super) async fn open(
        asked: &'a Reference,
        repository: &'a Repository,
        access: &'a Access,
        operation: RegistryOperation,
        limit: usize,
    ) -> Result<Self, Error> {
        let (gate, at) = Gate::open(repository, limit).await?;
        let through_gate = Some(format!("http://{at}"));
        let config = ClientConfig {
            protocol: if repository.is_loopback() { ClientProtocol::Http } else { ClientProtocol::Https },
            platform_resolver: None,
            https_proxy: through_gate.clone(),
            http_proxy: through_gate,
            user_agent: concat!("sluice/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        // The client's TLS takes its cryptography from the process. Where there is one already, it stays.
        drop(rustls::crypto::ring::default_provider().install_default());
        let answer = |why: &str| Error::Answer { registry: repository.registry.clone(), why: why.to_owned() };
        let client = Client::try_from(config).map_err(|error| Error::Unreachable {
            registry: repository.registry.clone(),
            why: format!("TLS cannot be set up: {}", innermost(&error)),
        })?;
        let auth = access.credentials.auth(&repository.registry);
        let session = Self { client, auth, gate, repository, asked, access };
        let signed_in = session.client.auth(&session.image(By::Tag("")), &session.auth, operation).await;
        let token = signed_in.map_err(|error| session.failure(error))?;
        // The client puts it into a header as it is.
        if token.is_some_and(|token| token.bytes().any(|byte| !byte.is_ascii_graphic())) {
            return Err(answer("its token has characters that none has"));
        }
        Ok(session)
    }

    /// Why the gate did not let something through, if it was not told yet.
    pub(super) fn refusal(&self) -> Option<Error> {
        self.gate.refusal()
    }

    /// A manifest's bytes, compared with the digest if it is named by that; `None` where there is none.
    pub(super) async fn manifest(&self, by: By<'_>) -> Result<Option<Vec<u8>>, Error> {
        let accepted = match by {
            By::Tag(_) => &[MANIFEST, INDEX][..],
            By::Digest(_) => &[MANIFEST],
        };
        let pulled = self.client.pull_manifest_raw(&self.image(by), &self.auth, accepted).await;
        let bytes = match pulled {
            Ok((bytes, _)) => bytes.to_vec(),
            Err(error) => {
                return match self.failure(error) {
                    Error::NotFound { .. } => Ok(None),
                    error => Err(error),
                };
            }
        };
        if let By::Digest(expected) = by {
            self.check("the manifest", expected, &bytes)?;
        }
        Ok(Some(bytes))
    }

    /// A blob's bytes: as many as its manifest says, and those that its digest names.
    pub(super) async fn blob(&self, blob: Blob, what: &'static str, limit: usize) -> Result<Vec<u8>, Error> {
        let size = usize::try_from(blob.size).ok().filter(|size| *size <= limit);
        let size = size.ok_or(Error::TooLarge { what, limit })?;
        let mut bytes = Bounded { bytes: Vec::new(), limit: size, is_exceeded: false };
        let digest = blob.digest.to_string();
        let pulled = self.client.pull_blob(&self.image(By::Tag("")), digest.as_str(), &mut bytes).await;
        let Bounded { bytes, is_exceeded, .. } = bytes;
        if is_exceeded {
            // It goes on after the size that its manifest says, so these are other bytes.
            return Err(self.differs(what, blob.digest, None));
        }
        match pulled.map_err(|error| self.failure(error)) {
            Ok(()) => {}
            Err(Error::Digest { actual, .. }) => return Err(self.differs(what, blob.digest, actual)),
            Err(error) => return Err(error),
        }
        self.check(what, blob.digest, &bytes)?;
        Ok(bytes)
    }

    fn check(&self, what: &'static str, expected: Digest, bytes: &[u8]) -> Result<(), Error> {
        let actual = Digest::of(bytes);
        if actual == expected { Ok(()) } else { Err(self.differs(what, expected, Some(actual))) }
    }

    fn differs(&self, what: &'static str, expected: Digest, actual: Option<Digest>) -> Error {
        Error::Digest { reference: self.asked.to_string(), what, expected, actual }
    }

    /// Digests of the signatures that the registry lists for an artefact.
    pub(super) async fn signatures(&self, of: Digest) -> Result<Vec<Digest>, Error> {
        let listed = self.client.pull_referrers(&self.image(By::Digest(of)), None).await;
        let entries = listed.map_err(|error| self.failure(error))?.manifests;
        let signatures = entries.iter().filter(|entry| entry.artifact_type.as_deref() == Some(ENVELOPE));
        signatures
            .map(|entry| {
                entry.digest.parse().map_err(|_| self.answer("a signature that it lists has no digest"))
            })
            .collect()
    }

    /// The versions after `last`, a page of them.
    pub(super) async fn tags(&self, last: Option<&str>) -> Result<Vec<String>, Error> {
        let image = self.image(By::Tag(""));
        let listed = self.client.list_tags(&image, &self.auth, Some(PAGE), last).await;
        Ok(listed.map_err(|error| self.failure(error))?.tags)
    }

    /// Puts an artefact into the registry, under a tag or under its digest alone.
    pub(super) async fn put(&self, packed: Packed, tag: Option<&Tag>) -> Result<(), Error> {
        for blob in packed.blobs {
            let digest = Digest::of(&blob).to_string();
            let image = self.image(By::Tag(""));
            if let Ok(true) = self.client.blob_exists(&image, &digest).await {
                continue;
            }
            let pushed = self.client.push_blob(&image, blob, &digest).await;
            pushed.map_err(|error| self.failure(error))?;
        }
        let digest = packed.digest.to_string();
        self.put_manifest(tag.map_or(digest.as_str(), Tag::as_str), packed.manifest, MANIFEST).await
    }

    /// Puts a manifest or list into the registry under a tag or digest.
    pub(super) async fn put_manifest(
        &self,
        name: &str,
        bytes: Vec<u8>,
        media_type: &str,
    ) -> Result<(), Error> {
        let content_type = media_type.parse().map_err(|_| self.answer("a media type cannot be sent"))?;
        // A digest, too, is given as a tag: the request is the same, and by a digest the client fails over
        // registries that answer without a `Location`.
        let image = self.image(By::Tag(name));
        let pushed = self.client.push_manifest_raw(&image, bytes, content_type).await;
        pushed.map(drop).map_err(|error| self.failure(error))
    }

    fn image(&self, by: By<'_>) -> oci_client::Reference {
        let Repository { registry, name } = self.repository.clone();
        match by {
            By::Tag(tag) => oci_client::Reference::with_tag(registry, name, tag.to_owned()),
            By::Digest(digest) => oci_client::Reference::with_digest(registry, name, digest.to_string()),
        }
    }

    pub(super) fn answer(&self, why: impl Into<String>) -> Error {
        Error::Answer { registry: self.repository.registry.clone(), why: why.into() }
    }

    /// What an error of the client means. Whatever the registry wrote stays out of it.
    fn failure(&self, error: OciDistributionError) -> Error {
        use OciDistributionError as Oci;
        // What the gate did not let through tells more than how the client failed over it.
        if let Some(refusal) = self.gate.refusal() {
            return refusal;
        }
        let registry = self.repository.registry.clone();
        let denied = || {
            let why = self.access.credentials.refused(&registry);
            Error::Denied { registry: registry.clone(), why }
        };
        let not_found = || Error::NotFound { reference: self.asked.to_string() };
        match error {
            Oci::UnauthorizedError { .. } | Oci::AuthenticationFailure(_) => denied(),
            Oci::ServerError { code: 401 | 403, .. } => denied(),
            Oci::ServerError { code: 404, .. } | Oci::ImageManifestNotFoundError(_) => not_found(),
            Oci::ServerError { code, .. } => self.answer(format!("it answers with status {code}")),
            Oci::RegistryError { envelope, .. } => {
                let is = |wanted: &[OciErrorCode]| envelope.errors.iter().any(|e| wanted.contains(&e.code));
                if is(&[OciErrorCode::Unauthorized, OciErrorCode::Denied]) {
                    denied()
                } else if is(&[
                    OciErrorCode::ManifestUnknown,
                    OciErrorCode::NameUnknown,
                    OciErrorCode::NotFound,
                    OciErrorCode::BlobUnknown,
                ]) {
                    not_found()
                } else if is(&[OciErrorCode::Toomanyrequests]) {
                    self.answer("it had too many requests; try again later")
                } else {
                    self.answer("it answers with an error")
                }
            }
            Oci::DigestError(DigestError::VerificationError { expected, actual }) => {
                match (expected.parse(), actual.parse()) {
                    (Ok(expected), actual) => self.differs("what lies", expected, actual.ok()),
                    (Err(_), _) => self.answer("it names a digest that is none"),
                }
            }
            Oci::RequestError(error) if error.is_redirect() => self.answer("it redirects without end"),
            Oci::RequestError(error) if error.is_body() || error.is_decode() => {
                self.answer(format!("its answer breaks off: {}", innermost(&error)))
            }
            Oci::RequestError(error) => Error::Unreachable { registry, why: innermost(&error) },
            Oci::IoError(error) => self.answer(format!("its answer breaks off: {}", innermost(&error))),
            Oci::SpecViolationError(_)
            | Oci::RegistryNoLocationError
            | Oci::RegistryNoDigestError
            | Oci::UrlParseError(_) => self.answer("it does not keep to the distribution specification"),
            _ => self.answer("what it sends cannot be read"),
        }
    }
}

/// The error that began it: what the system or TLS says.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Takes as many bytes as it may have, and fails over the next.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    is_exceeded: bool,
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if bytes.len() > self.limit - self.bytes.len() {
            self.is_exceeded = true;
            return Poll::Ready(Err(std::io::ErrorKind::FileTooLarge.into()));
        }
        self.bytes.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
