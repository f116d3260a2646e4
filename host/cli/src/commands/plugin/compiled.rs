//! Code that was compiled outside of a workspace, kept in the folder of keys: what a vendor's commands
//! have compiled once, the next one takes from there.

use std::path::Path;

use sluice_engine::Error;
use sluice_plugin::{CodeCache, Host, Limits};
use sluice_vault::{Purpose, RootKey, RootKeyError};
use zeroize::Zeroizing;

use crate::compiler;
use crate::context::Context;
use crate::failure::Failure;

/// The folder of compiled code, and the key of its MACs, which does not lie with what it vouches for.
const FOLDER: &str = "compiled";
const KEY: &str = "compiled.key";

/// Bytes of compiled code that are kept. 512 MiB: a dozen plugins with Python in them, of 40 MiB each,
/// or some hundred in Rust.
const MOST_BYTES: u64 = 512 << 20;

/// A host with the limits that a workspace has where it says nothing else.
pub(crate) fn host(context: &Context) -> Result<Host, Failure> {
    let host = forgetful_host()?;
    Ok(match cache(context)? {
        Some(cache) => host.with_cache(cache),
        None => host,
    })
}

/// Whether a host that has loaded one plugin took it from what is kept.
pub(crate) fn is_kept(host: &Host) -> bool {
    host.cache_counts().is_some_and(|counts| counts.known > 0)
}

/// A host that keeps nothing, to measure with.
pub(crate) fn forgetful_host() -> Result<Host, Failure> {
    let host = Host::new(Limits::default()).map_err(|error| Failure::failed(error.to_string(), ""))?;
    Ok(host.with_compiler(compiler::compiler()))
}

/// The cache; none where there is no folder for keys, or nothing can be written there.
fn cache(context: &Context) -> Result<Option<CodeCache>, Failure> {
    let Ok(home) = context.home_folder() else { return Ok(None) };
    let folder = home.join(FOLDER);
    match key(context, &home.join(KEY), &folder) {
        Ok(key) => {
            let key = key.derive(FOLDER, Purpose::CompiledCode);
            Ok(Some(CodeCache::new(folder, key.expose()).bounded(MOST_BYTES)))
        }
        Err(RootKeyError::Io { path, error }) => {
            tracing::warn!(key = %path.display(), %error, "compiled plugins are not kept");
            Ok(None)
        }
        Err(error) => Err(Error::from(error).into()),
    }
}

/// The key, made where there is none.
fn key(context: &Context, path: &Path, folder: &Path) -> Result<RootKey, RootKeyError> {
    match RootKey::read_file(path, folder) {
        Err(RootKeyError::Absent { .. }) => {}
        read => return read,
    }
    let io = |error| RootKeyError::Io { path: path.to_owned(), error };
    if let Some(home) = path.parent() {
        std::fs::create_dir_all(home).map_err(io)?;
    }
    let mut random = Zeroizing::new([0; 32]);
    context.ambient().random(random.as_mut_slice()).map_err(io)?;
    // Whole at once: of two who make one, the later counts, and what the other has kept is compiled again.
    let fresh = path.with_extension(std::process::id().to_string());
    RootKey::from_random(random).create_file(&fresh, folder)?;
    std::fs::rename(&fresh, path).map_err(io)?;
    RootKey::read_file(path, folder)
}
