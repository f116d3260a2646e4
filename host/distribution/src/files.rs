//! Plugins as files: the component, and beside it `NAME.sig.json` and `NAME.manifest.json`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sluice_model::Digest;

use crate::artefact::{
    Access, Artefact, COMPONENT, MANIFEST, MANIFEST_BYTES, Release, SIGNATURE, SIGNATURE_BYTES, check_json,
};
use crate::error::Error;
use crate::reference::{Place, Reference};

/// Entries of a folder that are looked at. 10,000: a folder of plugins has some hundred.
const MOST_ENTRIES: usize = 10_000;

const COMPONENT_ENDING: &str = ".wasm";
const SIGNATURE_ENDING: &str = ".sig.json";
const MANIFEST_ENDING: &str = ".manifest.json";

/// The three files of a plugin: their path up to the endings, as written, and where that is.
struct Files {
    written: String,
    stem: PathBuf,
}

impl Files {
    fn of(folder: &Path, written: &str) -> Self {
        Self { written: written.to_owned(), stem: folder.join(written) }
    }

    fn path(&self, ending: &str) -> PathBuf {
        let mut path = OsString::from(&self.stem);
        path.push(ending);
        path.into()
    }

    /// The component as a reference.
    fn reference(&self, asked: &Reference) -> Reference {
        let place = match asked.place {
            Place::Folder(_) => Place::Folder(self.written.clone()),
            _ => Place::File(format!("{}{COMPONENT_ENDING}", self.written)),
        };
        Reference { place, digest: None }
    }
}

impl Reference {
    /// Where a plugin of this name goes that is published here: into a folder, which is there or whose path
    /// ends as one, under its name. `None` where a path is neither that nor the plugin's own, so that
    /// it does not say which is meant.
    ///
    /// `folder` is the one that relative paths begin at.
    #[must_use]
    pub fn for_plugin(&self, name: &str, folder: &Path) -> Option<Self> {
        let Place::Folder(path) = &self.place else { return Some(self.clone()) };
        let files = Files::of(folder, path);
        let is_folder = path.ends_with(std::path::is_separator);
        // As it is found again: files of that name go before a folder of that name.
        if !is_folder && files.path(COMPONENT_ENDING).is_file() {
            return Some(self.clone());
        }
        if is_folder || files.stem.is_dir() {
            return Some(Self { place: Place::Folder(within(path, name)), digest: self.digest });
        }
        (Path::new(path).file_name()? == name).then(|| self.clone())
    }

    /// The files of a plugin at a path, as [`publish`](crate::publish) writes them; none in a registry.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let stem = match &self.place {
            Place::Registry(..) => return Vec::new(),
            Place::File(path) => path.strip_suffix(COMPONENT_ENDING).unwrap_or(path),
            Place::Folder(path) => path,
        };
        [COMPONENT_ENDING, SIGNATURE_ENDING, MANIFEST_ENDING].map(|ending| format!("{stem}{ending}")).into()
    }
}

/// The path of a plugin in a folder.
fn within(folder: &str, name: &str) -> String {
    let separator = if folder.ends_with(std::path::is_separator) { "" } else { "/" };
    format!("{folder}{separator}{name}")
}

/// Reads a plugin from files.
///
/// # Errors
/// When it is not there, too large, or not the one that the reference is pinned to.
pub(crate) fn fetch(reference: &Reference, path: &str, access: &Access) -> Result<Artefact, Error> {
    let files = find(reference, path, &access.folder)?;
    let component = read(&files.path(COMPONENT_ENDING), COMPONENT, access.limits.component_bytes)?
        .ok_or_else(|| Error::NotFound { reference: reference.to_string() })?;
    let digest = Digest::of(&component);
    if let Some(expected) = reference.digest.filter(|expected| *expected != digest) {
        let reference = reference.to_string();
        return Err(Error::Digest { reference, what: COMPONENT, expected, actual: Some(digest) });
    }
    let beside = |ending, what, limit| -> Result<Option<Vec<u8>>, Error> {
        let bytes = read(&files.path(ending), what, limit)?;
        if let Some(bytes) = &bytes {
            check_json(what, bytes, limit)?;
        }
        Ok(bytes)
    };
    Ok(Artefact {
        component,
        digest,
        signatures: beside(SIGNATURE_ENDING, SIGNATURE, SIGNATURE_BYTES)?.into_iter().collect(),
        manifest: beside(MANIFEST_ENDING, MANIFEST, MANIFEST_BYTES)?,
        source: files.reference(reference).pinned(digest),
    })
}

/// Writes a plugin into files, over what is there, and answers with the pinned reference. A folder that
/// is not there is made.
///
/// # Errors
/// When the path is a folder or cannot be written to.
pub(crate) fn publish(
    release: &Release,
    reference: &Reference,
    path: &str,
    access: &Access,
) -> Result<Reference, Error> {
    let written = path.strip_suffix(COMPONENT_ENDING).unwrap_or(path);
    let files = Files::of(&access.folder, written);
    let is_folder = matches!(reference.place, Place::Folder(_))
        && (path.ends_with(std::path::is_separator)
            || files.stem.is_dir() && !files.path(COMPONENT_ENDING).is_file());
    if is_folder {
        let found = "no plugin of its own name".to_owned();
        return Err(Error::NotOne { folder: path.into(), found });
    }
    if let Some(parent) = files.stem.parent() {
        fs::create_dir_all(parent).map_err(|source| Error::Io { path: parent.to_owned(), source })?;
    }
    // The component last: until then what is beside it belongs to none, and a signature that
    // belongs to none refuses.
    for (ending, bytes) in [(SIGNATURE_ENDING, &release.signature), (MANIFEST_ENDING, &release.manifest)] {
        match bytes {
            Some(bytes) => write(&files.path(ending), bytes)?,
            None => remove(&files.path(ending))?,
        }
    }
    write(&files.path(COMPONENT_ENDING), &release.component)?;
    Ok(files.reference(reference).pinned(Digest::of(&release.component)))
}

/// Which files a path means.
fn find(reference: &Reference, path: &str, folder: &Path) -> Result<Files, Error> {
    if let Some(written) = path.strip_suffix(COMPONENT_ENDING)
        && matches!(reference.place, Place::File(_))
    {
        return Ok(Files::of(folder, written));
    }
    let files = Files::of(folder, path);
    if files.path(COMPONENT_ENDING).is_file() || !files.stem.is_dir() {
        return Ok(files);
    }
    let mut names = names(&files.stem)?;
    match (names.pop(), names.is_empty()) {
        (Some(name), true) => Ok(Files::of(folder, &within(path, &name))),
        (None, _) => Err(Error::NotOne { folder: path.into(), found: "no plugin".into() }),
        (Some(name), false) => {
            names.push(name);
            names.sort_unstable();
            let shown: Vec<String> = names.iter().take(5).map(|name| format!("`{name}`")).collect();
            let more = if names.len() > shown.len() { ", …" } else { "" };
            Err(Error::NotOne { folder: path.into(), found: format!("{}{more}", shown.join(", ")) })
        }
    }
}

/// The names of the plugins in a folder.
fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let failed = |source| Error::Io { path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)?.take(MOST_ENTRIES) {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(COMPONENT_ENDING));
        if let Some(name) = name.filter(|name| !name.is_empty())
            && entry.path().is_file()
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// A file's bytes, no more of them than the limit; `None` where there is no such file.
fn read(path: &Path, what: &'static str, limit: usize) -> Result<Option<Vec<u8>>, Error> {
    let failed = |source| Error::Io { path: path.to_owned(), source };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        // A pipe or device may never end.
        Ok(metadata) if !metadata.is_file() => {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "this is not a file")));
        }
        Ok(_) => {}
    }
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take((limit as u64).saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit { Err(Error::TooLarge { what, limit }) } else { Ok(Some(bytes)) }
}

/// Puts a file in place at once.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let mut part = OsString::from(path);
    part.push(".part");
    let part = PathBuf::from(part);
    let done = File::create(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&part, path));
    if done.is_err() {
        // The error to tell is the first; what is left over is overwritten the next time.
        drop(fs::remove_file(&part));
    }
    done.map_err(failed)
}

/// Takes away what belonged to the component that was there before.
fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::artefact::{Limits, World};
    use crate::credentials::Credentials;

    use super::*;

    fn access(folder: &Path) -> Access {
        Access {
            folder: folder.to_owned(),
            credentials: Credentials::none(),
            limits: Limits { component_bytes: 100, within: Limits::WITHIN },
        }
    }

    fn release(component: &[u8]) -> Release {
        Release {
            component: component.to_vec(),
            signature: Some(b"{\"s\":1}".to_vec()),
            manifest: Some(b"{\"m\":1}".to_vec()),
            world: World::default(),
            created: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn put(access: &Access, release: &Release, text: &str) -> Result<Reference, Error> {
        crate::publish(release, &text.parse().unwrap(), access)
    }

    fn get(access: &Access, text: &str) -> Result<Artefact, Error> {
        crate::fetch(&text.parse().unwrap(), access)
    }

    #[test]
    fn what_is_put_into_files_comes_out_by_every_name() {
        let folder = tempfile::tempdir().unwrap();
        let access = access(folder.path());
        fs::create_dir(folder.path().join("plugins")).unwrap();
        let pinned = put(&access, &release(b"one"), "./plugins/sql").unwrap();
        let digest = Digest::of(b"one");
        assert_eq!(pinned.to_string(), format!("./plugins/sql@{digest}"));
        for (text, source) in [
            ("./plugins/sql.wasm", "./plugins/sql.wasm"),
            ("./plugins/sql", "./plugins/sql"),
            ("plugins", "plugins/sql"),
            ("./plugins/", "./plugins/sql"),
            (&pinned.to_string(), "./plugins/sql"),
        ] {
            let artefact = get(&access, text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(artefact.component, b"one");
            assert_eq!(artefact.digest, digest);
            assert_eq!(artefact.signatures, [b"{\"s\":1}"]);
            assert_eq!(artefact.manifest.as_deref(), Some(&b"{\"m\":1}"[..]));
            assert_eq!(artefact.source.to_string(), format!("{source}@{digest}"));
        }
        let mut files: Vec<_> = fs::read_dir(folder.path().join("plugins"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files, ["sql.manifest.json", "sql.sig.json", "sql.wasm"]);
    }

    #[test]
    fn a_plugin_goes_into_a_folder_under_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let access = access(folder.path());
        fs::create_dir(folder.path().join("there")).unwrap();
        fs::create_dir(folder.path().join("both")).unwrap();
        fs::write(folder.path().join("both.wasm"), "").unwrap();
        for (written, expected) in [
            ("there", Some("there/sql")),
            ("./there/", Some("./there/sql")),
            (".", Some("./sql")),
            ("new/", Some("new/sql")),
            ("new/er/", Some("new/er/sql")),
            ("new/sql", Some("new/sql")),
            ("sql", Some("sql")),
            ("both", Some("both")),
            ("both/", Some("both/sql")),
            ("new.wasm", Some("new.wasm")),
            ("new", None),
            ("there/new", None),
            ("oci://r.example/acme/new:1.0.0", Some("oci://r.example/acme/new:1.0.0")),
        ] {
            let asked: Reference = written.parse().unwrap();
            let found = asked.for_plugin("sql", folder.path());
            assert_eq!(found.as_ref().map(ToString::to_string).as_deref(), expected, "{written}");
        }
        for written in ["there", "new/er/"] {
            let asked: Reference = written.parse().unwrap();
            let at = asked.for_plugin("sql", folder.path()).unwrap();
            let pinned = crate::publish(&release(b"one"), &at, &access).unwrap();
            assert_eq!(get(&access, written).unwrap().component, b"one");
            for file in pinned.files() {
                assert!(folder.path().join(&file).is_file(), "{file}");
            }
            assert_eq!(pinned.files().len(), fs::read_dir(folder.path().join(written)).unwrap().count());
        }
        assert!("oci://r.example/acme/new:1".parse::<Reference>().unwrap().files().is_empty());
    }

    #[test]
    fn nothing_of_a_former_plugin_stays() {
        let folder = tempfile::tempdir().unwrap();
        let access = access(folder.path());
        let pinned = put(&access, &release(b"one"), "sql.wasm").unwrap();
        let bare = Release { signature: None, manifest: None, ..release(b"two") };
        put(&access, &bare, "sql.wasm").unwrap();
        let artefact = get(&access, "sql.wasm").unwrap();
        assert_eq!(
            (artefact.component, artefact.signatures, artefact.manifest),
            (b"two".to_vec(), vec![], None)
        );
        let error = get(&access, &pinned.to_string()).unwrap_err();
        assert!(matches!(error, Error::Digest { .. }), "{error}");
        assert!(error.to_string().contains(&format!("got `{}`", Digest::of(b"two"))), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let access = access(folder.path());
        let at = |path: &str| folder.path().join(path);
        for path in ["empty", "two", "folder.wasm"] {
            fs::create_dir(at(path)).unwrap();
        }
        for (path, bytes) in [
            ("two/a.wasm", &b"a"[..]),
            ("two/b.wasm", b"b"),
            ("large.wasm", &[0; 101]),
            ("full.wasm", &[0; 100]),
            ("odd.wasm", b""),
            ("odd.sig.json", b"not json"),
            ("heavy.wasm", b""),
            ("heavy.sig.json", &vec![b' '; SIGNATURE_BYTES + 1]),
        ] {
            fs::write(at(path), bytes).unwrap();
        }
        assert!(get(&access, "full.wasm").is_ok());
        for (text, expected) in [
            ("none.wasm", "there is nothing at `none.wasm`"),
            ("none", "there is nothing at `none`"),
            ("empty", "`empty` holds no plugin; name the plugin, `empty/NAME`"),
            ("two", "`two` holds `a`, `b`; name the plugin, `two/NAME`"),
            ("large.wasm", "the component has more than the limit of 100 bytes"),
            ("odd.wasm", "the signature is not JSON"),
            ("heavy.wasm", "the signature has more than the limit of 65536 bytes"),
            ("folder.wasm", "this is not a file"),
        ] {
            let error = get(&access, text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        for (text, expected) in [
            ("two", "name the plugin, `two/NAME`"),
            ("missing/", "`missing/` holds no plugin of its own name"),
            ("full.wasm/sql", "full.wasm"),
            (&format!("sql@{}", Digest::of(b"one")), "names a digest"),
        ] {
            let error = put(&access, &release(b"one"), text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let error = crate::tags(&"two/a".parse().unwrap(), &access).unwrap_err().to_string();
        assert_eq!(error, "`two/a` is not in a registry; only there a plugin has versions");
        let odd = Release { manifest: Some(b"{".to_vec()), ..release(b"one") };
        let error = put(&access, &odd, "sql").unwrap_err().to_string();
        assert!(error.contains("the plugin's manifest is not JSON"), "{error}");
    }
}
