//! What comes in: files, bounded before they are read, and values from standard input.

use std::fs::{self, File};
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use sluice_engine::Error;
use sluice_platform::{InputFile, ReadError};
use sluice_vault::Secret;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::failure::Failure;
use crate::page::harmless;

/// Bytes that are read of a value: those that the vault takes, and a line end.
const MOST_VALUE: u64 = (256 << 10) + 3;

/// Files of a folder that are read: an export has one or a handful.
const MOST_FILES: usize = 1_000;

/// Reads a file of at most `limit` bytes.
pub(crate) fn file(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Failure::file(path))?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(Failure::file(path))?;
    if bytes.len() as u64 > limit {
        return Err(Failure::failed(
            format!("`{}` has more than the {limit} bytes that are read", path.display()),
            "check that it is the right file",
        ));
    }
    Ok(bytes)
}

/// An export as it lies on the disk.
pub(crate) struct Export {
    /// Its files.
    pub(crate) files: Vec<InputFile>,
    /// Where each of them lies.
    pub(crate) paths: Vec<PathBuf>,
}

/// Reads an export: files, and of a folder its `*.json`, of at most `limit` bytes in all.
pub(crate) fn export(paths: &[PathBuf], limit: u64) -> Result<Export, Failure> {
    let mut wanted = Vec::new();
    for path in paths {
        if path.is_dir() {
            wanted.extend(json_files(path)?);
        } else {
            wanted.push(path.clone());
        }
    }
    let mut files = Vec::new();
    let mut total = 0;
    for path in &wanted {
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
        let file = File::open(path).map_err(Failure::file(path))?;
        let mut bytes = Vec::new();
        let rest = limit.saturating_sub(total).saturating_add(1);
        file.take(rest).read_to_end(&mut bytes).map_err(Failure::file(path))?;
        total += bytes.len() as u64;
        if total > limit {
            // What is on disk is what is said, though no more than the limit was read.
            let on_disk = fs::metadata(path).map_or(0, |data| data.len()) + total - bytes.len() as u64;
            let bytes = usize::try_from(on_disk.max(total)).unwrap_or(usize::MAX);
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            return Err(Error::Export(ReadError::TooLarge { file: name, bytes, limit }).into());
        }
        files.push(InputFile { name, bytes });
    }
    Ok(Export { files, paths: wanted })
}

fn json_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Failure::file(folder))? {
        let path = entry.map_err(Failure::file(folder))?.path();
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json")) && path.is_file() {
            found.push(path);
        }
        if found.len() > MOST_FILES {
            return Err(Failure::failed(
                format!("`{}` holds more than {MOST_FILES} JSON files", folder.display()),
                "name the files of the export",
            ));
        }
    }
    if found.is_empty() {
        return Err(Failure::failed(
            format!("`{}` holds no `*.json`", folder.display()),
            "name an export, or a folder that holds one",
        ));
    }
    found.sort();
    Ok(found)
}

/// Refuses a value that was typed as a part of the command.
pub(crate) fn refuse_typed(values: &[std::ffi::OsString], command: &str) -> Result<(), Failure> {
    if values.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(
        "a value is read from standard input and never taken from the command itself",
        format!(
            "type `{command} < FILE`, or pipe it in; if what you typed was a secret, it is now in your shell's \
             history: replace it"
        ),
    ))
}

/// Reads a value from standard input; at a terminal it is asked for, without echo where `hidden`.
pub(crate) fn value(context: &Context, what: &str, hidden: bool) -> Result<Secret, Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("standard input: {error}"), "");
    let mut bytes = Zeroizing::new(Vec::new());
    if std::io::stdin().is_terminal() {
        if !context.is_interactive() {
            return Err(Failure::usage(
                format!("the value of {what} is read from standard input, and there is nothing"),
                "pipe it in; or be asked for it, at a terminal and without `--no-input`",
            ));
        }
        let terminal = console::Term::stderr();
        terminal.write_str(&format!("Value of {}: ", harmless(what))).map_err(failed)?;
        let line = if hidden { terminal.read_secure_line() } else { terminal.read_line() }.map_err(failed)?;
        bytes.extend_from_slice(Zeroizing::new(line).as_bytes());
    } else {
        std::io::stdin().lock().take(MOST_VALUE).read_to_end(&mut bytes).map_err(failed)?;
        let kept = without_line_end(&bytes).len();
        bytes.truncate(kept);
    }
    Secret::new(bytes.to_vec()).map_err(|error| Failure::usage(error.to_string(), "check what was piped in"))
}

/// The bytes without one line end, which editors and `echo` put there.
fn without_line_end(bytes: &[u8]) -> &[u8] {
    match bytes {
        [value @ .., b'\r', b'\n'] | [value @ .., b'\n'] => value,
        value => value,
    }
}

/// Asks a person yes or no; anything but a yes is a no.
pub(crate) fn confirm(question: &str) -> bool {
    let terminal = console::Term::stderr();
    let asked = terminal.write_str(&format!("{question} [y/N] "));
    asked.is_ok()
        && terminal
            .read_line()
            .is_ok_and(|answer| matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_a_file_or_the_json_of_a_folder_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("b.json", "{}"), ("a.JSON", "[]"), ("c.txt", "no"), ("z.json", "1")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        fs::create_dir(folder.path().join("d.json")).unwrap();
        let Export { files, paths } = export(&[folder.path().to_owned()], 100).unwrap();
        let names = ["a.JSON", "b.json", "z.json"];
        assert!(files.iter().map(|file| file.name.as_str()).eq(names));
        assert_eq!(paths, names.map(|name| folder.path().join(name)));
        let one = export(&[folder.path().join("c.txt")], 2).unwrap().files;
        assert_eq!((one.len(), one[0].bytes.as_slice()), (1, b"no".as_slice()));
        let empty = tempfile::tempdir().unwrap();
        assert!(export(&[empty.path().to_owned()], 100).is_err());
    }

    #[test]
    fn what_is_over_the_limit_is_refused_and_never_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, vec![b' '; 1_000]).unwrap();
        let message = export(std::slice::from_ref(&path), 999).err().unwrap().text(false);
        assert!(message.contains("1000 bytes in all are more than the limit of 999"), "{message}");
        assert!(export(std::slice::from_ref(&path), 1_000).is_ok());
        assert!(export(&[path.clone(), path.clone()], 1_999).is_err());
        assert!(file(&path, 999).is_err());
        assert_eq!(file(&path, 1_000).unwrap().len(), 1_000);
    }

    #[test]
    fn one_line_end_is_not_part_of_a_value() {
        for (bytes, value) in [
            (b"a\n".as_slice(), b"a".as_slice()),
            (b"a\r\n", b"a"),
            (b"a\n\n", b"a\n"),
            (b"a", b"a"),
            (b"", b""),
            (b"a\r", b"a\r"),
        ] {
            assert_eq!(without_line_end(bytes), value);
        }
    }

    #[test]
    fn a_typed_value_is_refused_and_not_repeated() {
        let failure = refuse_typed(&["hunter2".into()], "sluice secret set REF").unwrap_err();
        assert_eq!(failure.exit().code(), 2);
        assert!(!failure.text(false).contains("hunter2"));
        assert!(refuse_typed(&[], "x").is_ok());
    }
}
