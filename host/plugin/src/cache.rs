//! Compiled code, kept between runs, and beside it what the plugin described.
//!
//! Compiled code is native code: whoever can write it can do what this process can. So an entry
//! carries MACs whose key only the holder of the root key can derive, and the very bytes that were
//! checked are the bytes that are loaded.
//!
//! An entry is `MAGIC`, the MAC of its head, the engine it is for, the MAC of its code, the lengths
//! of description and code (32 and 64 bits, least significant byte first), the description, the
//! code. All but the code is the head: what a plugin serves is known without reading its code.

use std::hash::{Hash, Hasher};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{fmt, fs, io};

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sluice_model::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::describe::KindDescription;

/// What the MACs' key is derived for; a new meaning of entries takes a new text.
const PURPOSE: &[u8] = b"sluice/plugin/compiled-code/v2";

/// Begins an entry.
const MAGIC: [u8; 8] = *b"sluice\0\x02";

/// Bytes of a head before the description.
const FIXED: usize = 8 + 32 + 32 + 32 + 4 + 8;

/// Bytes of a description that are read at most. 16 MiB: a thousand kinds with long texts.
const KNOWN_BYTES: usize = 16 << 20;

/// Bytes of code that are read at most. 256 MiB: native code is up to ten times a component.
pub(crate) const CODE_BYTES: u64 = 256 << 20;

/// The endings of an entry, and of a file that becomes one.
const ENTRY: &str = "code";
const FRESH: &str = "fresh";

/// For how long somebody may write an entry. An hour: writing takes a second, and what is older was left
/// by one that was ended.
const WRITING: Duration = Duration::from_secs(3_600);

/// A folder of compiled plugins.
pub struct CodeCache {
    folder: PathBuf,
    key: [u8; 32],
    /// Bytes that all entries have together at most.
    most: Option<u64>,
    counts: [AtomicU64; 6],
}

/// What became of the entries that a [`CodeCache`] was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CacheCounts {
    /// Descriptions that were taken from an entry.
    pub known: u64,
    /// Code that was taken from an entry.
    pub taken: u64,
    /// Entries that were not there.
    pub missing: u64,
    /// Entries that were forged, truncated or otherwise damaged, or made with another key.
    pub damaged: u64,
    /// Good entries of another engine, or of another version of it.
    pub stale: u64,
    /// Entries that could not be written.
    pub unwritten: u64,
}

/// What is known of a plugin without its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    /// The kinds it serves.
    pub(crate) kinds: Vec<KindDescription>,
    /// Whether it can probe targets.
    pub(crate) has_probe: bool,
    /// How long its code was compiled for, in nanoseconds.
    pub(crate) compile_ns: u64,
}

/// Why there is no good entry.
#[derive(Debug, Clone, Copy)]
enum Bad {
    Missing = 2,
    Damaged = 3,
    Stale = 4,
}

/// Places of the other counts.
const KNOWN: usize = 0;
const TAKEN: usize = 1;
const UNWRITTEN: usize = 5;

impl fmt::Debug for CodeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeCache").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The head of an entry, checked.
struct Head {
    known: Vec<u8>,
    code_mac: [u8; 32],
    code_bytes: u64,
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
        Self { folder: folder.into(), key, most: None, counts: Default::default() }
    }

    /// This cache with a bound: when something is stored and all entries have more bytes than that,
    /// those that were stored first are removed.
    #[must_use]
    pub fn bounded(self, most: u64) -> Self {
        Self { most: Some(most), ..self }
    }

    /// What became so far of what was asked for.
    #[must_use]
    pub fn counts(&self) -> CacheCounts {
        let [known, taken, missing, damaged, stale, unwritten] =
            self.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        CacheCounts { known, taken, missing, damaged, stale, unwritten }
    }

    fn count(&self, what: usize) {
        if let Some(count) = self.counts.get(what) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn path(&self, plugin: Digest) -> PathBuf {
        self.folder.join(plugin.hex()).with_extension(ENTRY)
    }

    /// A MAC over some parts of the entry of a plugin, so that no entry passes for another.
    fn mac(&self, of: &[u8], plugin: Digest, parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        for part in [of, plugin.as_bytes()].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        Some(mac)
    }

    /// What is known of a plugin, if there is a good entry. Its code is not read.
    pub(crate) fn known(&self, engine: &Engine, plugin: Digest) -> Option<Known> {
        let known = self.open(engine, plugin).and_then(|(_, head)| {
            serde_json::from_slice(&head.known).map_err(|error| (Bad::Stale, error.to_string()))
        });
        self.told(plugin, known, KNOWN)
    }

    /// The compiled plugin, if there is a good entry.
    pub(crate) fn code(&self, engine: &Engine, plugin: Digest) -> Option<Component> {
        let component = self.open(engine, plugin).and_then(|(mut file, head)| {
            let code = self.checked_code(&mut file, &head, plugin)?;
            #[allow(
                unsafe_code,
                reason = "the bytes are an earlier result of `Engine::precompile_component`: the MAC proves it"
            )]
            // SAFETY: `code` was authenticated just above with a key that only this host derives;
            // it is the same memory, not a file that could change in between.
            let component = unsafe { Component::deserialize(engine, code) };
            component.map_err(|error| (Bad::Stale, format!("{error:#}")))
        });
        self.told(plugin, component, TAKEN)
    }

    /// Counts what came of an entry, and reports one that is no good.
    fn told<T>(&self, plugin: Digest, found: Result<T, (Bad, String)>, good: usize) -> Option<T> {
        match found {
            Ok(found) => {
                self.count(good);
                Some(found)
            }
            Err((bad, why)) => {
                self.count(bad as usize);
                let entry = self.path(plugin);
                match bad {
                    Bad::Missing => {}
                    Bad::Damaged => tracing::warn!(
                        entry = %entry.display(), why, "compiled plugin is damaged or not from here; compiling again"
                    ),
                    Bad::Stale => tracing::warn!(
                        entry = %entry.display(), why, "compiled plugin is of another engine; compiling again"
                    ),
                }
                None
            }
        }
    }

    /// The entry of a plugin, which stands at its code, with its head.
    fn open(&self, engine: &Engine, plugin: Digest) -> Result<(fs::File, Head), (Bad, String)> {
        let mut file = fs::File::open(self.path(plugin)).map_err(|error| {
            let is_missing = error.kind() == io::ErrorKind::NotFound;
            (if is_missing { Bad::Missing } else { Bad::Damaged }, error.to_string())
        })?;
        let damaged = |why: &str| (Bad::Damaged, why.to_owned());
        let mut fixed = [0; FIXED];
        file.read_exact(&mut fixed).map_err(|error| damaged(&error.to_string()))?;
        let mut rest = fixed.as_slice();
        let (magic, mac, of_engine, code_mac) =
            (taken::<8>(&mut rest), taken::<32>(&mut rest), taken::<32>(&mut rest), taken::<32>(&mut rest));
        let known_bytes = u32::from_le_bytes(taken(&mut rest)) as usize;
        let code_bytes = u64::from_le_bytes(taken(&mut rest));
        if magic != MAGIC {
            return Err(damaged("it does not begin as an entry does"));
        }
        if known_bytes > KNOWN_BYTES || code_bytes > CODE_BYTES {
            return Err(damaged("it claims to be larger than entries are"));
        }
        let mut known = vec![0; known_bytes];
        file.read_exact(&mut known).map_err(|error| damaged(&error.to_string()))?;
        let (_, signed) = fixed.split_at(8 + 32);
        let right = self.mac(b"head", plugin, &[signed, &known]);
        if right.is_none_or(|right| right.verify_slice(&mac).is_err()) {
            return Err(damaged("the MAC of its head is wrong"));
        }
        if of_engine != engine_digest(engine) {
            return Err((Bad::Stale, "it was made by another engine".to_owned()));
        }
        Ok((file, Head { known, code_mac, code_bytes }))
    }

    fn checked_code(
        &self,
        file: &mut fs::File,
        head: &Head,
        plugin: Digest,
    ) -> Result<Vec<u8>, (Bad, String)> {
        let damaged = |why: String| (Bad::Damaged, why);
        let at = file.stream_position().map_err(|error| damaged(error.to_string()))?;
        let end = file.seek(SeekFrom::End(0)).map_err(|error| damaged(error.to_string()))?;
        if end.checked_sub(at) != Some(head.code_bytes) {
            return Err(damaged("its code has another length than its head says".to_owned()));
        }
        file.seek(SeekFrom::Start(at)).map_err(|error| damaged(error.to_string()))?;
        let mut code = Vec::new();
        file.take(head.code_bytes).read_to_end(&mut code).map_err(|error| damaged(error.to_string()))?;
        let right = self.mac(b"code", plugin, &[&code]);
        if right.is_none_or(|right| right.verify_slice(&head.code_mac).is_err()) {
            return Err(damaged("the MAC of its code is wrong".to_owned()));
        }
        Ok(code)
    }

    /// Keeps a compiled plugin. A cache that cannot be written is reported and does no harm.
    pub(crate) fn store(&self, engine: &Engine, plugin: Digest, known: &Known, code: &[u8]) {
        if let Err(error) = self.try_store(engine, plugin, known, code) {
            self.count(UNWRITTEN);
            tracing::warn!(entry = %self.path(plugin).display(), %error, "compiled plugin cannot be kept");
        }
    }

    fn try_store(&self, engine: &Engine, plugin: Digest, known: &Known, code: &[u8]) -> io::Result<()> {
        let no_mac = || io::Error::other("no MAC can be made");
        let too_large = |_| io::Error::other("it is too large");
        let known = serde_json::to_vec(known)?;
        let code_mac = self.mac(b"code", plugin, &[code]).ok_or_else(no_mac)?.finalize().into_bytes();
        let mut signed = Vec::with_capacity(FIXED);
        signed.extend(engine_digest(engine));
        signed.extend(code_mac);
        signed.extend(u32::try_from(known.len()).map_err(too_large)?.to_le_bytes());
        signed.extend((code.len() as u64).to_le_bytes());
        let mac = self.mac(b"head", plugin, &[&signed, &known]).ok_or_else(no_mac)?.finalize().into_bytes();
        fs::create_dir_all(&self.folder)?;
        let path = self.path(plugin);
        // Under a name of its own first: a reader finds a whole entry or none.
        let (mut file, fresh) = fresh_file(&path)?;
        for part in [&MAGIC[..], &mac, &signed, &known, code] {
            file.write_all(part)?;
        }
        drop(file);
        fs::rename(&fresh, &path)?;
        self.most.map_or(Ok(()), |most| self.make_room(most, &path))
    }

    /// Removes what was left half written, and the oldest entries, but not this one, until all have no
    /// more bytes than that.
    fn make_room(&self, most: u64, kept: &Path) -> io::Result<()> {
        let now = fs::metadata(kept)?.modified()?;
        let mut entries = Vec::new();
        let mut all = 0_u64;
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let ending = path.extension().unwrap_or_default();
            let is_fresh = ending == FRESH;
            if !is_fresh && ending != ENTRY {
                continue;
            }
            // What another process has removed meanwhile is gone as well.
            let Ok(data) = fs::metadata(&path) else { continue };
            let modified = data.modified()?;
            if is_fresh && now.duration_since(modified).is_ok_and(|age| age > WRITING) {
                removed(&path)?;
                continue;
            }
            all = all.saturating_add(data.len());
            // What somebody writes now has its bytes, and is not taken away.
            if !is_fresh && path != kept {
                entries.push((modified, path, data.len()));
            }
        }
        entries.sort();
        for (_, path, bytes) in entries {
            if all <= most {
                break;
            }
            removed(&path)?;
            all = all.saturating_sub(bytes);
        }
        Ok(())
    }

    /// Keeps what is there of one component for another too, whose code is the same.
    pub(crate) fn carry(&self, engine: &Engine, from: Digest, to: Digest) {
        let entry = self.open(engine, from).and_then(|(mut file, head)| {
            let code = self.checked_code(&mut file, &head, from)?;
            let known =
                serde_json::from_slice(&head.known).map_err(|error| (Bad::Stale, error.to_string()))?;
            Ok((known, code))
        });
        // Without one, the other is compiled when it is loaded.
        if let Ok((known, code)) = entry {
            self.store(engine, to, &known, &code);
        }
    }
}

/// Removes a file, unless somebody else has.
fn removed(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Names that are tried for a file that becomes an entry.
const NAMES_TRIED: usize = 64;

/// A file beside an entry that no other process or thread writes. One that is there already, were it
/// only a link to somewhere else, is not written into.
fn fresh_file(path: &Path) -> io::Result<(fs::File, PathBuf)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..NAMES_TRIED {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = path.with_extension(format!("{}-{count}.{FRESH}", std::process::id()));
        match fs::OpenOptions::new().write(true).create_new(true).open(&name) {
            Ok(file) => return Ok((file, name)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = error,
            Err(error) => return Err(error),
        }
    }
    Err(taken)
}

/// Takes bytes off the front, which are there.
fn taken<const COUNT: usize>(from: &mut &[u8]) -> [u8; COUNT] {
    from.split_first_chunk().map_or([0; COUNT], |(first, rest)| {
        *from = rest;
        *first
    })
}

/// What code is good for: an engine and its settings, and the version of what describes plugins.
pub(crate) fn engine_digest(engine: &Engine) -> [u8; 32] {
    let mut hasher = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    hasher.0.finalize().into()
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

#[cfg(test)]
mod tests {
    use wasmtime::Config;

    use super::*;

    #[test]
    fn a_good_entry_of_another_engine_is_stale() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::new(folder.path(), &[1; 32]);
        let engine = |fuel| Engine::new(Config::new().consume_fuel(fuel)).unwrap();
        let (old, new) = (engine(false), engine(true));
        let component = wat::parse_str("(component)").unwrap();
        let plugin = Digest::of(&component);
        let known = Known { kinds: Vec::new(), has_probe: true, compile_ns: 7 };
        cache.store(&old, plugin, &known, &old.precompile_component(&component).unwrap());
        assert_eq!(cache.known(&old, plugin), Some(known.clone()));
        assert!(cache.code(&old, plugin).is_some());
        assert_eq!(cache.known(&new, plugin), None);
        assert!(cache.code(&new, plugin).is_none());
        let counts = CacheCounts { known: 1, taken: 1, stale: 2, ..CacheCounts::default() };
        assert_eq!(cache.counts(), counts);
        // It is replaced, not kept beside the new one.
        cache.store(&new, plugin, &known, &new.precompile_component(&component).unwrap());
        assert!(cache.code(&new, plugin).is_some());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn beyond_its_bound_the_oldest_entries_go() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let known = Known { kinds: Vec::new(), has_probe: true, compile_ns: 7 };
        let digests: Vec<Digest> = (0..5_u8).map(|number| Digest::of(&[number])).collect();
        let entry = |cache: &CodeCache, number: usize, age: u64| {
            cache.store(&engine, digests[number], &known, &[0; 1_000]);
            let file = fs::File::options().write(true).open(cache.path(digests[number])).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000 - age)).unwrap();
        };
        let there = |cache: &CodeCache| -> Vec<bool> {
            digests.iter().map(|digest| cache.path(*digest).exists()).collect()
        };
        let unbounded = CodeCache::new(folder.path(), &[1; 32]);
        for (number, age) in [(0, 1), (1, 4), (2, 3), (3, 2)] {
            entry(&unbounded, number, age);
        }
        fs::write(folder.path().join("other"), [0; 10_000]).unwrap();
        // What was left half written goes, and what is being written has its bytes.
        let (left, writing) = (folder.path().join("a.1-0.fresh"), folder.path().join("b.1-0.fresh"));
        fs::write(&left, [0; 10_000]).unwrap();
        fs::File::options().write(true).open(&left).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        fs::write(&writing, [0; 1_000]).unwrap();
        assert_eq!(there(&unbounded), [true, true, true, true, false]);
        // Room for four: each has some hundred bytes more than its code.
        let cache = CodeCache::new(folder.path(), &[1; 32]).bounded(5_000);
        entry(&cache, 4, 0);
        assert_eq!(there(&cache), [true, false, false, true, true]);
        assert!(!left.exists() && writing.exists());
        fs::remove_file(&writing).unwrap();
        // What was stored last stays, however large.
        let cache = CodeCache::new(folder.path(), &[1; 32]).bounded(1);
        entry(&cache, 1, 9);
        assert_eq!(there(&cache), [false, true, false, false, false]);
        assert!(folder.path().join("other").exists());
        assert_eq!(cache.counts().unwritten, 0);
    }

    #[test]
    fn an_entry_is_carried_over_as_it_is_and_a_bad_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let cache = CodeCache::new(folder.path(), &[1; 32]);
        let component = wat::parse_str("(component)").unwrap();
        let known = Known { kinds: Vec::new(), has_probe: false, compile_ns: 7 };
        let (from, to) = (Digest::of(&component), Digest::of(b"the same code"));
        cache.carry(&engine, from, to);
        assert_eq!(cache.known(&engine, to), None);
        cache.store(&engine, from, &known, &engine.precompile_component(&component).unwrap());
        cache.carry(&engine, from, to);
        assert_eq!(cache.known(&engine, to), Some(known));
        assert!(cache.code(&engine, to).is_some());
        let path = cache.path(from);
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        let other = Digest::of(b"another");
        cache.carry(&engine, from, other);
        assert!(!cache.path(other).exists());
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_links_that_lie_in_wait() {
        let folder = tempfile::tempdir().unwrap();
        let (entries, victim) = (folder.path().join("plugins"), folder.path().join("victim"));
        fs::create_dir(&entries).unwrap();
        fs::write(&victim, "mine").unwrap();
        let cache = CodeCache::new(&entries, &[1; 32]);
        let engine = Engine::default();
        let component = wat::parse_str("(component)").unwrap();
        let (plugin, code) = (Digest::of(&component), engine.precompile_component(&component).unwrap());
        let known = Known { kinds: Vec::new(), has_probe: false, compile_ns: 7 };
        // The names of the next files, whatever other tests take of them.
        let lie_in_wait = |names: std::ops::Range<u64>| {
            for count in names {
                let name = format!("{}.{}-{count}.fresh", plugin.hex(), std::process::id());
                std::os::unix::fs::symlink(&victim, entries.join(name)).unwrap();
            }
        };
        lie_in_wait(0..40);
        cache.store(&engine, plugin, &known, &code);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
        assert_eq!((cache.known(&engine, plugin), cache.counts().unwritten), (Some(known.clone()), 0));
        // Where each name is taken, it gives up.
        fs::remove_file(cache.path(plugin)).unwrap();
        lie_in_wait(40..1_000);
        cache.store(&engine, plugin, &known, &code);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
        assert_eq!((cache.known(&engine, plugin), cache.counts().unwritten), (None, 1));
    }
}
