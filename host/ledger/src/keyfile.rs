//! Secret keys in files and environment variables.
//!
//! The format is one line: `sluice-secret-key-v1 <seed> <public key>`, where the seed is the standard base64 of
//! 32 bytes and the public key is written as everywhere (`ed25519:…`). That both belong together shows that
//! neither was damaged. The file is readable by its owner only, and one that is not is refused.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize as _, Zeroizing};

use crate::KeyPair;

const MARK: &str = "sluice-secret-key-v1";

/// Bytes that are read at most; the line has about 120.
const MOST: u64 = 1024;

/// Why a secret key was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is no such file.
    #[error("there is no key at `{}`: make one with `sluice key new`, or name another file", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// A key is to be written where a file is.
    #[error("`{}` is there already and is left as it is: name another file for the new key", path.display())]
    AlreadyThere {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner may read the file.
    #[error(
        "the key `{}` can be read by others (mode {mode:03o}): run `chmod 600` on it, and replace the key if \
         somebody may have read it",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not a key.
    #[error("{origin} is not an undamaged secret key: {why}; restore it from a copy, or make a new key")]
    Damaged {
        /// The file or variable, in words.
        origin: String,
        /// What is wrong. Never the content.
        why: &'static str,
    },
    /// The file system refused.
    #[error("the key `{}` cannot be used: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Reads a key file.
///
/// # Errors
/// [`KeyFileError`]; nothing of the content is in it.
pub fn read(path: &Path) -> Result<KeyPair, KeyFileError> {
    let io = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => KeyFileError::Absent { path: path.to_owned() },
        _ => KeyFileError::Io { path: path.to_owned(), error },
    };
    let file = File::open(path).map_err(io)?;
    refuse_exposed(path, &file)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST as usize));
    file.take(MOST).read_to_end(&mut bytes).map_err(io)?;
    let origin = format!("`{}`", path.display());
    let damaged = |why| KeyFileError::Damaged { origin: origin.clone(), why };
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged("it is not text"))?;
    parse(text).map_err(damaged)
}

/// Reads a key from the text of an environment variable, whose name is `variable`.
///
/// # Errors
/// When the text is not a key; nothing of it is in the error.
pub fn from_text(variable: &str, text: &str) -> Result<KeyPair, KeyFileError> {
    parse(text).map_err(|why| KeyFileError::Damaged { origin: format!("the variable `{variable}`"), why })
}

/// The line that [`read`] and [`from_text`] take, with a line end.
#[must_use]
pub fn to_text(key: &KeyPair) -> Zeroizing<String> {
    let mut seed = STANDARD.encode(key.seed().as_slice());
    let line = Zeroizing::new(format!("{MARK} {seed} {}\n", key.public()));
    seed.zeroize();
    line
}

/// Writes a key file, readable by its owner only, where no file is.
///
/// # Errors
/// When something is there already, or the file system refuses.
pub fn create(path: &Path, key: &KeyPair) -> Result<(), KeyFileError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let io = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => KeyFileError::AlreadyThere { path: path.to_owned() },
        _ => KeyFileError::Io { path: path.to_owned(), error },
    };
    let mut file = options.open(path).map_err(io)?;
    file.write_all(to_text(key).as_bytes()).and_then(|()| file.sync_all()).map_err(io)
}

/// Asks the open file, not its name, which could mean another one by then.
#[cfg(unix)]
fn refuse_exposed(path: &Path, file: &File) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let found = file.metadata().map_err(|error| KeyFileError::Io { path: path.to_owned(), error })?;
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyFileError::Exposed { path: path.to_owned(), mode }) }
}

/// Where files have no permission bits, the folder's owner sees to it.
#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &File) -> Result<(), KeyFileError> {
    Ok(())
}

fn parse(text: &str) -> Result<KeyPair, &'static str> {
    let mut words = text.split_ascii_whitespace();
    if words.next() != Some(MARK) {
        return Err("it does not begin with `sluice-secret-key-v1`");
    }
    let (Some(seed), Some(public), None) = (words.next(), words.next(), words.next()) else {
        return Err("it does not consist of a mark, a secret and a public key");
    };
    let mut decoded = Zeroizing::new([0; 33]);
    let bytes =
        STANDARD.decode_slice(seed, decoded.as_mut_slice()).map_err(|_| "its secret is not base64")?;
    let mut seed = Zeroizing::new([0; 32]);
    match decoded.split_at_checked(32) {
        Some((found, _)) if bytes == 32 => seed.copy_from_slice(found),
        _ => return Err("its secret is not of 32 bytes"),
    }
    let pair = KeyPair::from_seed(&seed);
    if pair.public().to_string() != public {
        return Err("its secret and its public key do not belong together");
    }
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::tests::pair;

    #[test]
    fn a_key_file_is_read_as_it_was_written_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ann.key");
        create(&path, &pair(7)).unwrap();
        assert_eq!(read(&path).unwrap().public(), pair(7).public());
        assert!(matches!(create(&path, &pair(8)), Err(KeyFileError::AlreadyThere { .. })));
        assert_eq!(read(&path).unwrap().public(), pair(7).public());
        assert!(matches!(read(&folder.path().join("none")), Err(KeyFileError::Absent { .. })));
        assert!(matches!(read(folder.path()), Err(KeyFileError::Exposed { .. } | KeyFileError::Io { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ann.key");
        create(&path, &pair(7)).unwrap();
        let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        for (bits, refused) in
            [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o610, true), (0o666, true)]
        {
            mode(bits);
            assert_eq!(matches!(read(&path), Err(KeyFileError::Exposed { .. })), refused, "{bits:o}");
        }
    }

    #[test]
    fn a_damaged_key_is_refused_without_showing_it() {
        let good = to_text(&pair(7));
        let seed = STANDARD.encode([7; 32]);
        assert!(good.contains(&seed) && from_text("KEY", &good).is_ok());
        for bad in [
            String::new(),
            good[..good.len() - 3].to_owned(),
            good.replace("v1", "v2"),
            good.replace(&seed, &STANDARD.encode([8; 32])),
            good.replace(&seed, &STANDARD.encode([7; 31])),
            good.replace(&seed, &STANDARD.encode([7; 64])),
            good.replace(&seed, "????"),
            format!("{} more", &*good),
        ] {
            let error = from_text("KEY", &bad).unwrap_err().to_string();
            assert!(error.contains("the variable `KEY` is not an undamaged secret key"), "{error}");
            assert!(!error.contains(&seed[..20]), "{error}");
        }
    }

    #[test]
    fn any_flipped_bit_of_a_key_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let good = to_text(&pair(9)).as_bytes().to_vec();
        let path = folder.path().join("key");
        create(&path, &pair(9)).unwrap();
        for at in 0..(good.len() - 1) * 8 {
            let mut bad = good.clone();
            bad[at / 8] ^= 1 << (at % 8);
            std::fs::write(&path, &bad).unwrap();
            // Between words, another blank means the same.
            if !bad[at / 8].is_ascii_whitespace() || !good[at / 8].is_ascii_whitespace() {
                assert!(read(&path).is_err(), "bit {at}");
            }
        }
    }
}
