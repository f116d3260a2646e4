//! The root key, the file or variable that it comes from, and the keys derived from it.
//!
//! The format is one line: `sluice-root-key-v1 <key> <name>`, where the key is the standard base64 of 32 bytes and
//! the name is its [`KeyName`], which shows that the key was not damaged. The file lies outside the workspace and
//! is readable by its owner only; one that is not is refused.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

const MARK: &str = "sluice-root-key-v1";

/// Bytes that are read at most; the line has about 80.
const MOST: u64 = 1024;

/// The key from which all others of this machine's workspaces are derived. Wiped when dropped, shown never.
pub struct RootKey(Zeroizing<[u8; 32]>);

/// What a derived key is for. Keys for two purposes tell nothing of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Seals the keys of secrets.
    Secrets,
    /// Authenticates compiled plugin code in the cache.
    CompiledCode,
    /// Salts digests of values that could be guessed.
    Salts,
}

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Self::Secrets => "sluice/v1/secrets",
            Self::CompiledCode => "sluice/v1/compiled-code",
            Self::Salts => "sluice/v1/salts",
        }
    }
}

/// A key for one workspace and one purpose. Wiped when dropped, shown never.
pub struct DerivedKey(Zeroizing<[u8; 32]>);

impl DerivedKey {
    /// The 32 bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a derived key")
    }
}

/// Tells keys apart without telling anything of them: eight bytes derived from the key, in hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyName(pub(crate) [u8; 8]);

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a root key was not read or written. Nothing of a key is in it.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// There is no such file.
    #[error("there is no root key of this workspace at `{}`", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// A key is to be written where a file is.
    #[error("`{}` is there already and is left as it is: secrets may depend on it", path.display())]
    AlreadyThere {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner may read the file.
    #[error(
        "the root key `{}` can be read by others (mode {mode:03o}): run `chmod 600` on it, and rotate the key if \
         somebody may have read it",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file lies where the workspace's own files are copied and shared.
    #[error("the root key `{}` lies inside the workspace `{}`: move it elsewhere", path.display(), workspace.display())]
    InsideWorkspace {
        /// The file.
        path: PathBuf,
        /// The workspace's folder.
        workspace: PathBuf,
    },
    /// The content is not a key.
    #[error("{origin} is not an undamaged root key: {why}; restore it from a copy")]
    Damaged {
        /// The file or variable, in words.
        origin: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The file system refused.
    #[error("the root key `{}` cannot be used: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

impl RootKey {
    /// A new key from 32 random bytes, which the caller draws.
    #[must_use]
    pub const fn from_random(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Reads the key of the workspace in the folder `workspace` from a file outside of it.
    ///
    /// # Errors
    /// When the file is absent, inside the workspace, open to others, or damaged.
    pub fn read_file(path: &Path, workspace: &Path) -> Result<Self, RootKeyError> {
        refuse_inside(path, workspace)?;
        let io = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => RootKeyError::Absent { path: path.to_owned() },
            _ => RootKeyError::Io { path: path.to_owned(), error },
        };
        let file = File::open(path).map_err(io)?;
        refuse_exposed(path, &file)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(MOST as usize));
        file.take(MOST).read_to_end(&mut bytes).map_err(io)?;
        let origin = format!("`{}`", path.display());
        match std::str::from_utf8(&bytes) {
            Ok(text) => parse(text).map_err(|why| RootKeyError::Damaged { origin, why }),
            Err(_) => Err(RootKeyError::Damaged { origin, why: "it is not text" }),
        }
    }

    /// Writes the key to a file outside the folder `workspace`, readable by its owner only, where no file is.
    ///
    /// # Errors
    /// When something is there, the file would be inside the workspace, or the file system refuses.
    pub fn create_file(&self, path: &Path, workspace: &Path) -> Result<(), RootKeyError> {
        refuse_inside(path, workspace)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let io = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => RootKeyError::AlreadyThere { path: path.to_owned() },
            _ => RootKeyError::Io { path: path.to_owned(), error },
        };
        let mut file = options.open(path).map_err(io)?;
        file.write_all(self.to_text().as_bytes()).and_then(|()| file.sync_all()).map_err(io)
    }

    /// Reads a key from the text of an environment variable, whose name is `variable`.
    ///
    /// # Errors
    /// When the text is not a key.
    pub fn from_text(variable: &str, text: &str) -> Result<Self, RootKeyError> {
        parse(text).map_err(|why| RootKeyError::Damaged { origin: format!("the variable `{variable}`"), why })
    }

    /// The line that files and variables hold, with a line end.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut key = STANDARD.encode(self.0.as_slice());
        let line = Zeroizing::new(format!("{MARK} {key} {}\n", self.name()));
        key.zeroize();
        line
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> KeyName {
        let mut name = [0; 8];
        self.expand(&["sluice/v1/name"], &mut name);
        KeyName(name)
    }

    /// The key of `workspace` for `purpose`: HKDF-SHA256 (RFC 5869), the info being the purpose's label, a zero
    /// byte and the workspace's id.
    #[must_use]
    pub fn derive(&self, workspace: &str, purpose: Purpose) -> DerivedKey {
        let mut key = Zeroizing::new([0; 32]);
        self.expand(&[purpose.label(), "\0", workspace], key.as_mut_slice());
        DerivedKey(key)
    }

    fn expand(&self, info: &[&str], into: &mut [u8]) {
        // HKDF refuses only what is over 255 hashes long; here are 32 bytes at most.
        let parts: Vec<&[u8]> = info.iter().map(|part| part.as_bytes()).collect();
        let done = Hkdf::<Sha256>::new(None, self.0.as_slice()).expand_multi_info(&parts, into);
        debug_assert!(done.is_ok());
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "root key {}", self.name())
    }
}

fn refuse_inside(path: &Path, workspace: &Path) -> Result<(), RootKeyError> {
    let io = |error| RootKeyError::Io { path: path.to_owned(), error };
    let real = |path: &Path| std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    // The file itself may be absent yet; its folder tells where it lies. A link is judged by where it leads.
    let place = match (std::fs::canonicalize(path), path.parent(), path.file_name()) {
        (Ok(place), ..) => place,
        (Err(_), Some(folder), Some(name)) => {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            real(folder).map_err(io)?.join(name)
        }
        _ => std::path::absolute(path).map_err(io)?,
    };
    let inside = real(workspace).is_ok_and(|workspace| place.starts_with(workspace));
    if inside {
        Err(RootKeyError::InsideWorkspace { path: path.to_owned(), workspace: workspace.to_owned() })
    } else {
        Ok(())
    }
}

/// Asks the open file, not its name, which could mean another one by then.
#[cfg(unix)]
fn refuse_exposed(path: &Path, file: &File) -> Result<(), RootKeyError> {
    use std::os::unix::fs::PermissionsExt as _;
    let found = file.metadata().map_err(|error| RootKeyError::Io { path: path.to_owned(), error })?;
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(RootKeyError::Exposed { path: path.to_owned(), mode }) }
}

/// Where files have no permission bits, the folder's owner sees to it.
#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &File) -> Result<(), RootKeyError> {
    Ok(())
}

fn parse(text: &str) -> Result<RootKey, &'static str> {
    let mut words = text.split_ascii_whitespace();
    if words.next() != Some(MARK) {
        return Err("it does not begin with `sluice-root-key-v1`");
    }
    let (Some(key), Some(name), None) = (words.next(), words.next(), words.next()) else {
        return Err("it does not consist of a mark, a key and the key's name");
    };
    let mut decoded = Zeroizing::new([0; 33]);
    let length = STANDARD.decode_slice(key, decoded.as_mut_slice()).map_err(|_| "its key is not base64")?;
    let mut bytes = Zeroizing::new([0; 32]);
    match decoded.split_at_checked(32) {
        Some((found, _)) if length == 32 => bytes.copy_from_slice(found),
        _ => return Err("its key is not of 32 bytes"),
    }
    let key = RootKey(bytes);
    if key.name().to_string() == name { Ok(key) } else { Err("its key does not fit its name") }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn root(number: u8) -> RootKey {
        RootKey::from_random(Zeroizing::new([number; 32]))
    }

    #[test]
    fn derives_another_key_for_each_purpose_workspace_and_root() {
        let mut seen = std::collections::BTreeSet::new();
        for number in 1..=3 {
            for workspace in ["acme", "acme2", ""] {
                for purpose in [Purpose::Secrets, Purpose::CompiledCode, Purpose::Salts] {
                    let key = *root(number).derive(workspace, purpose).expose();
                    assert_eq!(key, *root(number).derive(workspace, purpose).expose());
                    assert!(seen.insert(key));
                }
            }
        }
    }

    /// Computed by RFC 5869's two steps, written out with HMAC by hand.
    #[test]
    fn derives_as_the_specification() {
        fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
            use sha2::Digest as _;
            let mut block = [0; 64];
            block[..key.len()].copy_from_slice(key);
            let pad = |x: u8| block.map(|byte| byte ^ x);
            let inner = Sha256::digest([&pad(0x36), parts.concat().as_slice()].concat());
            Sha256::digest([pad(0x5c).as_slice(), inner.as_slice()].concat()).to_vec()
        }
        let prk = hmac(&[0; 32], &[&[5; 32]]);
        let expected = hmac(&prk, &[b"sluice/v1/secrets\0acme", &[1]]);
        assert_eq!(root(5).derive("acme", Purpose::Secrets).expose().as_slice(), expected);
    }

    #[test]
    fn a_root_key_file_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let (path, workspace) = (folder.path().join("root.key"), folder.path().join("workspace"));
        std::fs::create_dir(&workspace).unwrap();
        root(1).create_file(&path, &workspace).unwrap();
        assert_eq!(RootKey::read_file(&path, &workspace).unwrap().name(), root(1).name());
        let again = root(2).create_file(&path, &workspace);
        assert!(matches!(again, Err(RootKeyError::AlreadyThere { .. })), "{again:?}");
        let none = RootKey::read_file(&folder.path().join("none"), &workspace);
        assert!(matches!(none, Err(RootKeyError::Absent { .. })), "{none:?}");
        for inside in [workspace.join("root.key"), workspace.join("../workspace/root.key")] {
            for error in [
                root(1).create_file(&inside, &workspace).unwrap_err(),
                RootKey::read_file(&inside, &workspace).unwrap_err(),
            ] {
                assert!(matches!(error, RootKeyError::InsideWorkspace { .. }), "{error}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_root_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, workspace) = (folder.path().join("root.key"), folder.path().join("workspace"));
        root(1).create_file(&path, &workspace).unwrap();
        for (bits, refused) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o620, true)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(bits)).unwrap();
            let read = RootKey::read_file(&path, &workspace);
            assert_eq!(matches!(read, Err(RootKeyError::Exposed { .. })), refused, "{bits:o}");
        }
        // A link inside the workspace to a key outside of it is the key outside of it.
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::create_dir(&workspace).unwrap();
        std::os::unix::fs::symlink(&path, workspace.join("link")).unwrap();
        assert!(RootKey::read_file(&workspace.join("link"), &workspace).is_ok());
    }

    #[test]
    fn a_damaged_root_key_is_refused_without_showing_it() {
        let good = root(7).to_text();
        let key = STANDARD.encode([7; 32]);
        assert!(good.contains(&key) && RootKey::from_text("KEY", &good).is_ok());
        assert!(!format!("{:?}", root(7)).contains(&key));
        for bad in [
            String::new(),
            good[..good.len() - 2].to_owned(),
            good.replace("v1", "v2"),
            good.replace(&key, &STANDARD.encode([8; 32])),
            good.replace(&key, &STANDARD.encode([7; 31])),
            good.replace(&key, &STANDARD.encode([7; 64])),
            good.replace(&key, "????"),
            format!("{} more", &*good),
        ] {
            let error = RootKey::from_text("KEY", &bad).unwrap_err().to_string();
            assert!(error.contains("the variable `KEY` is not an undamaged root key"), "{error}");
            assert!(!error.contains(&key[..20]), "{error}");
        }
    }
}
