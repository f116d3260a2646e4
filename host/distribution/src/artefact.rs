//! A plugin as it is carried: the component and what belongs to it.

use std::time::Duration;

use jiff::Timestamp;
use sluice_model::{Digest, json};

use crate::credentials::Credentials;
use crate::error::Error;
use crate::reference::Reference;

/// Bytes of a signature's envelope. 64 KiB: a statement about one component, in base64 and signed,
/// has about 1 KiB.
pub const SIGNATURE_BYTES: usize = 64 << 10;

/// Signatures of one artefact. 16: a publisher and those who vouch again after it; whoever may write to
/// a repository could add any number.
pub const MOST_SIGNATURES: usize = 16;

/// Bytes of a plugin's manifest. 256 KiB: one of a plugin with a hundred kinds has about 20 KiB, and
/// registries take manifests of 4 MiB, which it is a part of.
pub const MANIFEST_BYTES: usize = 256 << 10;

/// What is fetched at most, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a component.
    pub component_bytes: usize,
    /// How long a registry may take for one fetch, publication or list, all requests together.
    pub within: Duration,
}

impl Limits {
    /// Five minutes: enough for the largest plugins over a slow line.
    pub const WITHIN: Duration = Duration::from_secs(300);
}

/// With what one goes to where plugins are.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where relative paths begin.
    pub folder: std::path::PathBuf,
    /// What one is known by to registries.
    pub credentials: Credentials,
    /// Bounds.
    pub limits: Limits,
}

/// A plugin that was fetched. Its bytes are what their digest says; nothing else is known of them:
/// who signed, and whether the manifest tells the truth, is for others to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    /// The component.
    pub component: Vec<u8>,
    /// The component's digest.
    pub digest: Digest,
    /// DSSE envelopes that were kept with it, as JSON: one beside a file, any number in a registry.
    /// Whose they are, and what they are about, was not looked at.
    pub signatures: Vec<Vec<u8>>,
    /// The plugin's manifest, as JSON.
    pub manifest: Option<Vec<u8>>,
    /// Where it came from, pinned: fetched again it is the same, or refused.
    pub source: Reference,
}

/// A plugin that is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The component.
    pub component: Vec<u8>,
    /// A DSSE envelope about the component, as JSON.
    pub signature: Option<Vec<u8>>,
    /// The plugin's manifest, as JSON.
    pub manifest: Option<Vec<u8>>,
    /// What a registry is told of the component.
    pub world: World,
    /// When it was made. A registry is told; of the same component at another time it makes another
    /// artefact.
    pub created: Timestamp,
}

/// The outside of a component, by the names of its interfaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct World {
    /// What it exports.
    pub exports: Vec<String>,
    /// What it imports.
    pub imports: Vec<String>,
    /// The world that it was made for, `NAMESPACE:PACKAGE/WORLD@VERSION`.
    pub target: Option<String>,
}

impl Release {
    /// Whether what goes with the component could be fetched again.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for (what, bytes, limit) in
            [(SIGNATURE, &self.signature, SIGNATURE_BYTES), (MANIFEST, &self.manifest, MANIFEST_BYTES)]
        {
            if let Some(bytes) = bytes {
                check_json(what, bytes, limit)?;
            }
        }
        Ok(())
    }
}

/// How messages call a signature.
pub(crate) const SIGNATURE: &str = "the signature";

/// How messages call a plugin's manifest.
pub(crate) const MANIFEST: &str = "the plugin's manifest";

/// How messages call a component.
pub(crate) const COMPONENT: &str = "the component";

/// Whether bytes are JSON within a limit.
pub(crate) fn check_json(what: &'static str, bytes: &[u8], limit: usize) -> Result<(), Error> {
    if bytes.len() > limit {
        return Err(Error::TooLarge { what, limit });
    }
    json::read(bytes, limit).map(drop).map_err(|why| Error::Json { what, why })
}
