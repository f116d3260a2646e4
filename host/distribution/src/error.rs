//! Why a plugin does not come or go.

use std::io;
use std::path::PathBuf;

use sluice_model::Digest;
use sluice_model::json::ReadError;

/// Why something could not be fetched, published or listed. Nothing in it was written by a registry but
/// names and digests of the right form; no password is in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such version, repository or file.
    #[error("there is nothing at `{reference}`")]
    NotFound {
        /// What was asked for.
        reference: String,
    },
    /// A registry's reference without version and digest.
    #[error("`{reference}` names no version; append `:VERSION` or `@sha256:…`")]
    NoVersion {
        /// What was asked for.
        reference: String,
    },
    /// Versions are asked of something that has none.
    #[error("`{reference}` is not in a registry; only there a plugin has versions")]
    NoVersions {
        /// What was asked for.
        reference: String,
    },
    /// Publishing to a digest.
    #[error("`{reference}` names a digest, which is what publishing gives; write a version or a path")]
    Pinned {
        /// Where it was to go.
        reference: String,
    },
    /// A folder in which there is not exactly one plugin.
    #[error("`{}` holds {found}; name the plugin, `{}/NAME`", .folder.display(), .folder.display())]
    NotOne {
        /// The folder.
        folder: PathBuf,
        /// What is in it, in words.
        found: String,
    },
    /// The version is there already and holds something else.
    #[error(
        "`{reference}` is published already with other content; a version is never changed: publish under another"
    )]
    Taken {
        /// What was to be published.
        reference: String,
    },
    /// More bytes than are read.
    #[error("{what} has more than the limit of {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// More of something than is read.
    #[error("`{reference}` has more than {limit} {what}")]
    TooMany {
        /// What was asked for.
        reference: String,
        /// Of what there are too many.
        what: &'static str,
        /// How many are read.
        limit: usize,
    },
    /// Not the bytes that were named.
    #[error("{what} at `{reference}` is not what its digest says: expected `{expected}`, got {}", got(.actual))]
    Digest {
        /// What was asked for.
        reference: String,
        /// What differs.
        what: &'static str,
        /// The digest that was named.
        expected: Digest,
        /// The digest of what came, where it was made.
        actual: Option<Digest>,
    },
    /// Something in a registry that is no plugin.
    #[error("what lies at `{reference}` is no plugin: {why}")]
    NotAPlugin {
        /// What was asked for.
        reference: String,
        /// What is missing or odd.
        why: String,
    },
    /// Not JSON within limits.
    #[error("{what} is not JSON that can be kept: {why}")]
    Json {
        /// What was read.
        what: &'static str,
        /// Where and why.
        why: ReadError,
    },
    /// The registry does not let us.
    #[error("the registry `{registry}` refuses access: {why}")]
    Denied {
        /// Host and port.
        registry: String,
        /// What is known of our credentials, and what to do.
        why: String,
    },
    /// No connection.
    #[error("the registry `{registry}` cannot be reached: {why}")]
    Unreachable {
        /// Host and port.
        registry: String,
        /// What the system or TLS says.
        why: String,
    },
    /// Too slow.
    #[error("the registry `{registry}` took longer than {seconds} s")]
    Late {
        /// Host and port.
        registry: String,
        /// The limit.
        seconds: u64,
    },
    /// An answer that sends us where we do not go.
    #[error("the registry `{registry}` sends to `{to}`, {why}")]
    Elsewhere {
        /// Host and port.
        registry: String,
        /// Where to.
        to: String,
        /// Why we do not go there.
        why: &'static str,
    },
    /// An answer that no registry gives.
    #[error("the registry `{registry}` does not answer as registries do: {why}")]
    Answer {
        /// Host and port.
        registry: String,
        /// What is odd.
        why: String,
    },
    /// Files.
    #[error("`{}`: {source}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn got(actual: &Option<Digest>) -> String {
    actual.map_or_else(|| "other bytes".to_owned(), |digest| format!("`{digest}`"))
}
