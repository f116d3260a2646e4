//! Plugins in OCI registries.

mod gate;
mod layout;
mod session;

use std::collections::BTreeSet;

use oci_client::RegistryOperation;
use sluice_model::Digest;

use crate::artefact::{
    Access, Artefact, COMPONENT, MOST_SIGNATURES, Release, SIGNATURE, SIGNATURE_BYTES, check_json,
};
use crate::error::Error;
use crate::reference::{Place, Reference, Repository, Tag};
use layout::Packed;
use session::{By, Session};

/// Bytes that may come beside the component in one operation. 16 MiB: manifests and lists of 4 MiB at most, all
/// signatures, and what sign-in and TLS add.
const ROOM_BYTES: usize = 16 << 20;

/// Versions of one plugin. 10,000: some in every week of a century.
const MOST_TAGS: usize = 10_000;

/// How often a signature is put into a list that others may be writing to.
const ATTEMPTS: usize = 3;

/// Brings a plugin from a registry.
pub(crate) fn fetch(
    reference: &Reference,
    repository: &Repository,
    access: &Access,
) -> Result<Artefact, Error> {
    let by = match (&reference.place, reference.digest) {
        (_, Some(digest)) => By::Digest(digest),
        (Place::Registry(_, Some(tag)), None) => By::Tag(tag.as_str()),
        _ => return Err(Error::NoVersion { reference: reference.to_string() }),
    };
    let limit = access.limits.component_bytes;
    // TLS adds about a hundredth.
    let room = limit.saturating_add(limit / 32).saturating_add(ROOM_BYTES);
    run(reference, repository, access, RegistryOperation::Pull, room, async |session| {
        let not_found = || Error::NotFound { reference: reference.to_string() };
        let not_a_plugin = |why| Error::NotAPlugin { reference: reference.to_string(), why };
        let bytes = session.manifest(by).await?.ok_or_else(not_found)?;
        let digest = Digest::of(&bytes);
        let unpacked = layout::unpack(&bytes).map_err(not_a_plugin)?;
        let component = session.blob(unpacked.component, COMPONENT, limit).await?;
        let mut signatures = Vec::new();
        let listed: BTreeSet<Digest> = session.signatures(digest).await?.into_iter().collect();
        if listed.len() > MOST_SIGNATURES {
            let reference = reference.to_string();
            return Err(Error::TooMany { reference, what: "signatures", limit: MOST_SIGNATURES });
        }
        for signature in listed {
            let missing = || not_a_plugin("a signature that is listed for it is not there".into());
            let bytes = session.manifest(By::Digest(signature)).await?.ok_or_else(missing)?;
            let blob = layout::unpack_signature(&bytes, digest).map_err(not_a_plugin)?;
            let envelope = session.blob(blob, SIGNATURE, SIGNATURE_BYTES).await?;
            check_json(SIGNATURE, &envelope, SIGNATURE_BYTES)?;
            signatures.push(envelope);
        }
        if let Some(manifest) = &unpacked.manifest {
            check_json(crate::artefact::MANIFEST, manifest, crate::artefact::MANIFEST_BYTES)?;
        }
        Ok(Artefact {
            component,
            digest: unpacked.component.digest,
            signatures,
            manifest: unpacked.manifest,
            source: reference.pinned(digest),
        })
    })
}

/// Publishes a plugin under a version of a repository.
pub(crate) fn publish(
    release: &Release,
    reference: &Reference,
    repository: &Repository,
    tag: Option<&Tag>,
    access: &Access,
) -> Result<Reference, Error> {
    let tag = tag.ok_or_else(|| Error::NoVersion { reference: reference.to_string() })?;
    let packed = layout::pack(release);
    run(reference, repository, access, RegistryOperation::Push, ROOM_BYTES, async |session| {
        let (digest, subject) = match session.manifest(By::Tag(tag.as_str())).await? {
            Some(bytes) if is_same(&bytes, release) => (Digest::of(&bytes), layout::descriptor(&bytes)),
            Some(_) => return Err(Error::Taken { reference: reference.to_string() }),
            None => {
                let put = (packed.digest, layout::descriptor(&packed.manifest));
                session.put(packed, Some(tag)).await?;
                put
            }
        };
        if let Some(envelope) = &release.signature {
            add_signature(session, digest, layout::pack_signature(envelope, &subject)).await?;
        }
        Ok(reference.pinned(digest))
    })
}

/// Whether a manifest is one of the same release, if perhaps from another time.
fn is_same(manifest: &[u8], release: &Release) -> bool {
    layout::unpack(manifest).is_ok_and(|it| {
        it.component.digest == Digest::of(&release.component) && it.manifest == release.manifest
    })
}

/// Puts a signature into the registry, and into the list of what refers to `subject` where the registry does
/// not do that itself.
async fn add_signature(session: &Session<'_>, subject: Digest, signature: Packed) -> Result<(), Error> {
    let digest = signature.digest;
    let entry = layout::descriptor(&signature.manifest);
    session.put(signature, None).await?;
    let list = referrers_tag(subject);
    for _ in 0..ATTEMPTS {
        if session.signatures(subject).await?.contains(&digest) {
            return Ok(());
        }
        let before = session.manifest(By::Tag(&list)).await?;
        let after = layout::with_referrer(before.as_deref(), &entry)
            .map_err(|why| session.answer(format!("under `{list}` it has no list of signatures: {why}")))?;
        session.put_manifest(&list, after, layout::INDEX).await?;
    }
    if session.signatures(subject).await?.contains(&digest) {
        return Ok(());
    }
    Err(session.answer("it does not list a signature that was put there"))
}

/// The tag under which the distribution specification has the list of what refers to an artefact.
fn referrers_tag(subject: Digest) -> String {
    subject.to_string().replace(':', "-")
}

/// Whether a tag is such a list's.
fn is_referrers_tag(tag: &str) -> bool {
    tag.strip_prefix("sha256-").is_some_and(|hex| format!("sha256:{hex}").parse::<Digest>().is_ok())
}

/// The versions of a repository.
pub(crate) fn tags(
    reference: &Reference,
    repository: &Repository,
    access: &Access,
) -> Result<Vec<Tag>, Error> {
    run(reference, repository, access, RegistryOperation::Pull, ROOM_BYTES, async |session| {
        let mut tags = BTreeSet::new();
        let mut last: Option<String> = None;
        loop {
            let page = session.tags(last.as_deref()).await?;
            let before = tags.len();
            last = page.last().cloned();
            tags.extend(page);
            // There is no page after the last; a registry without pages gives everything again.
            if tags.len() == before {
                break;
            }
            if tags.len() > MOST_TAGS {
                let reference = reference.to_string();
                return Err(Error::TooMany { reference, what: "versions", limit: MOST_TAGS });
            }
        }
        let tags = tags.iter().filter(|tag| !is_referrers_tag(tag));
        tags.map(|tag| tag.parse().map_err(|_| session.answer("it lists a version that is no tag"))).collect()
    })
}

/// Runs one operation within its time, on a thread of its own: the caller may be in a runtime already, and an
/// answer over which the client panics is an error.
fn run<T: Send>(
    reference: &Reference,
    repository: &Repository,
    access: &Access,
    operation: RegistryOperation,
    limit: usize,
    work: impl AsyncFnOnce(&Session<'_>) -> Result<T, Error> + Send,
) -> Result<T, Error> {
    let registry = || repository.registry.clone();
    let within = access.limits.within;
    let whole = async || {
        let session = Session::open(reference, repository, access, operation, limit).await?;
        let done = work(&session).await;
        // Where an answer ends with its connection, the client takes the gate's end for it.
        session.refusal().map_or(done, Err)
    };
    let on_thread = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Error::Unreachable { registry: registry(), why: error.to_string() })?;
        let done = runtime.block_on(async { tokio::time::timeout(within, whole()).await });
        // A name that is still being looked up is not waited for.
        runtime.shutdown_background();
        done.unwrap_or_else(|_| Err(Error::Late { registry: registry(), seconds: within.as_secs() }))
    };
    std::thread::scope(|scope| scope.spawn(on_thread).join()).unwrap_or_else(|_| {
        Err(Error::Answer { registry: registry(), why: "the client fails over what it sends".into() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_signatures_are_no_versions() {
        let tag = referrers_tag(Digest::of(b""));
        assert_eq!(tag, "sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert!(is_referrers_tag(&tag) && tag.parse::<Tag>().is_ok());
        for version in ["1.0.0", "sha256-12", "latest", &tag.to_uppercase()] {
            assert!(!is_referrers_tag(version), "{version}");
        }
    }
}
