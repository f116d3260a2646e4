//! Compiled code, kept between runs.
//!
//! Compiled code is native code: whoever can write it can do what this process can. So an entry
//! carries a MAC whose key only the holder of the root key can derive, and the very bytes that
//! were checked are the bytes that are loaded.

use std::hash::{Hash, Hasher};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use sluice_model::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

/// What the MAC's key is derived for; a new meaning of entries takes a new text.
const PURPOSE: &[u8] = b"sluice/plugin/compiled-code/v1";

/// Bytes of a MAC.
const MAC_BYTES: usize = 32;

/// Bytes of an entry that are read at most. 256 MiB: native code is up to ten times a component.
const ENTRY_BYTES: u64 = 256 << 20;

/// A folder of compiled plugins.
pub struct CodeCache {
    folder: PathBuf,
    key: [u8; 32],
}

impl fmt::Debug for CodeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeCache").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl CodeCache {
    /// The cache in `folder`, which is made when something is stored. Its key is derived from
    /// `root_key`, the vault's root key or another of its length.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, root_key: &[u8; 32]) -> Self {
        let mut key = [0; 32];
        // Only a length beyond 255 hashes fails (RFC 5869 §2.3).
        let derived = Hkdf::<Sha256>::new(None, root_key).expand(PURPOSE, &mut key);
        debug_assert!(derived.is_ok());
        Self { folder: folder.into(), key }
    }

    fn path(&self, engine: &Engine, plugin: Digest) -> PathBuf {
        let mut compatibility = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut compatibility);
        let compatibility = Digest::from_bytes(compatibility.0.finalize().into());
        self.folder.join(format!("{}-{}.code", plugin.hex(), compatibility.short()))
    }

    /// The MAC over an entry's code and over where it belongs, so that no entry passes for
    /// another.
    fn mac(&self, path: &Path, code: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        let name = path.file_name()?.as_encoded_bytes();
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name);
        mac.update(code);
        Some(mac)
    }

    /// The compiled plugin, if there is a good entry.
    pub(crate) fn load(&self, engine: &Engine, plugin: Digest) -> Option<Component> {
        let path = self.path(engine, plugin);
        let entry = match read(&path) {
            Ok(entry) => entry,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(entry = %path.display(), %error, "compiled plugin cannot be read; compiling again");
                return None;
            }
        };
        let Some(code) = self.checked(&path, &entry) else {
            tracing::warn!(entry = %path.display(), "compiled plugin is damaged or not from here; compiling again");
            return None;
        };
        #[allow(
            unsafe_code,
            reason = "the bytes are an earlier result of `Component::serialize`: the MAC proves it"
        )]
        // SAFETY: `code` was authenticated just above with a key that only this host derives; it
        // is the same memory, not a file that could change in between.
        let component = unsafe { Component::deserialize(engine, code) };
        match component {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(entry = %path.display(), %error, "compiled plugin does not fit; compiling again");
                None
            }
        }
    }

    fn checked<'e>(&self, path: &Path, entry: &'e [u8]) -> Option<&'e [u8]> {
        let (mac, code) = entry.split_at_checked(MAC_BYTES)?;
        self.mac(path, code)?.verify_slice(mac).ok()?;
        Some(code)
    }

    /// Keeps a compiled plugin. A cache that cannot be written is reported and does no harm.
    pub(crate) fn store(&self, engine: &Engine, plugin: Digest, component: &Component) {
        let path = self.path(engine, plugin);
        if let Err(error) = self.try_store(&path, component) {
            tracing::warn!(entry = %path.display(), %error, "compiled plugin cannot be kept");
        }
    }

    fn try_store(&self, path: &Path, component: &Component) -> io::Result<()> {
        let code = component.serialize().map_err(io::Error::other)?;
        let mac = self.mac(path, &code).ok_or_else(|| io::Error::other("no MAC can be made"))?;
        fs::create_dir_all(&self.folder)?;
        // Under a name of its own first: a reader finds a whole entry or none.
        let fresh = path.with_extension(format!("{}.fresh", std::process::id()));
        let mut file = fs::File::create(&fresh)?;
        file.write_all(&mac.finalize().into_bytes())?;
        file.write_all(&code)?;
        drop(file);
        fs::rename(&fresh, path)
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut entry = Vec::new();
    let file = fs::File::open(path)?;
    file.take(ENTRY_BYTES).read_to_end(&mut entry)?;
    Ok(entry)
}

/// SHA-256 as a [`Hasher`], since the standard library's may change between compilers.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest: [u8; 32] = self.0.clone().finalize().into();
        digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}
