//! Where plugins come from and go to: OCI registries, files and folders.
//!
//! [`fetch`] brings an [`Artefact`]: a component, the signatures and the manifest that are kept with it, and
//! where it came from, pinned to a digest. [`publish`] does the reverse, and [`tags`] lists the versions that
//! a registry has. All three block, and none keeps anything between calls.
//!
//! Bytes are compared with the digest that names them, and bounded before they are read. Nothing else that a
//! registry says is believed: not its media types, lengths, redirects or messages.
//!
//! # In a registry
//!
//! A component lies in the layout of CNCF's working group for Wasm ([Wasm OCI Artifact layout][layout]), which
//! `wkg` and others read too: a manifest with a configuration of type `application/vnd.wasm.config.v0+json` and
//! one layer, `application/wasm`, which is the component as it is.
//!
//! The plugin's manifest is the annotation `dev.sluice.plugin.manifest` of the artefact's manifest, so that the
//! digest to which a reference is pinned covers it. A second layer would not do: tools that follow the layout
//! refuse an artefact with more than one.
//!
//! A signature is an artefact of its own that names the first as its `subject` ([OCI image specification
//! 1.1][image]), of type `application/vnd.dsse.envelope.v1+json`. It can be added, by whoever may write to the
//! repository, after the artefact was published and without changing its digest; neither an annotation nor a
//! layer can. A registry that knows referrers lists it; for all others a list is kept under the tag
//! `sha256-DIGEST`, as the [distribution specification][referrers] says. Two who sign at once through such a
//! list can lose one of both signatures, so it is read again after it was written.
//!
//! [layout]: https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/
//! [image]: https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md
//! [referrers]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
//!
//! # What a registry can and cannot do
//!
//! The client for registries reads manifests, lists, tokens and error messages whole. So all its connections go
//! through a gate within this process, which counts the bytes that come, connects only to where it may
//! (`registry::gate`), and ends what exceeds the limit whatever it is. TLS is between client and
//! registry; the gate sees ciphertext.
//!
//! - Plain HTTP is spoken with this very machine and nobody else.
//! - A registry may send elsewhere, as many do for blobs, but only over TLS, and never further inside: one on the
//!   internet not into a private network, and only one on this machine to this machine.
//! - A password goes to the registry that it is for, or to the host that this registry names for signing in; not
//!   to where it redirects.
//! - Whatever takes too long, loops, or breaks the client is an error.
//!
//! Architecture invariant: this crate knows the model and nothing of plugins, trust or workspaces. It reads no
//! environment variable, runs no program and keeps no file but those that it is asked to write. What it hands
//! out is unverified but for its digest.

mod artefact;
mod credentials;
mod error;
mod files;
mod reference;
mod registry;

pub use artefact::{
    Access, Artefact, Limits, MANIFEST_BYTES, MOST_SIGNATURES, Release, SIGNATURE_BYTES, World,
};
pub use credentials::{Credentials, NotACredential};
pub use error::Error;
pub use reference::{NotAReference, Reference, Tag};

use reference::Place;

/// Brings a plugin from where a reference leads.
///
/// # Errors
/// When it is not there or cannot be reached, is larger than it may be, or is not what its digest says.
pub fn fetch(reference: &Reference, access: &Access) -> Result<Artefact, Error> {
    match &reference.place {
        Place::Registry(repository, _) => registry::fetch(reference, repository, access),
        Place::File(path) | Place::Folder(path) => files::fetch(reference, path, access),
    }
}

/// Puts a plugin where a reference leads, and answers with the reference pinned to what was put there.
///
/// In a registry a version is never changed: with the same component and manifest it stays and a new signature
/// is added, with others publishing is refused. Files are replaced.
///
/// # Errors
/// When the reference names no version or a digest, when it holds something else already, or when it cannot be
/// reached or written to.
pub fn publish(release: &Release, reference: &Reference, access: &Access) -> Result<Reference, Error> {
    release.check()?;
    if reference.digest.is_some() {
        return Err(Error::Pinned { reference: reference.to_string() });
    }
    match &reference.place {
        Place::Registry(repository, tag) => {
            registry::publish(release, reference, repository, tag.as_ref(), access)
        }
        Place::File(path) | Place::Folder(path) => files::publish(release, reference, path, access),
    }
}

/// The versions that a registry has of a plugin, in the order of their text. Which version of the
/// reference is named does not matter.
///
/// # Errors
/// When the reference does not lead into a registry, or this cannot be reached or has no such repository.
pub fn tags(reference: &Reference, access: &Access) -> Result<Vec<Tag>, Error> {
    match &reference.place {
        Place::Registry(repository, _) => registry::tags(reference, repository, access),
        Place::File(_) | Place::Folder(_) => Err(Error::NoVersions { reference: reference.to_string() }),
    }
}
