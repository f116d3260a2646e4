//! `sluice.lock`: which plugins a workspace has, exactly, where they came from and why they are
//! trusted.
//!
//! It is written by `sluice plugin install` and its like, read when a configuration is proposed, and
//! adopted with it. A plugin that `sluice.toml` names counts only if the lock has its digest, and
//! either a publisher that the configuration allows has signed that digest, or a person says in the
//! lock why it is taken without; whoever adopts the configuration signs for that.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sluice_ledger::statement::Envelope;
use sluice_model::Digest;

use crate::config::{Config, PluginName, PublisherName};
use crate::error::{Error, Result};
use crate::evidence::{PluginPredicate, Release};
use crate::files::bounded;

/// The file's name, in the workspace's folder.
pub const LOCK_FILE: &str = "sluice.lock";

/// Bytes of a lock file that are read at most.
const MOST_BYTES: u64 = 1 << 20;

/// Bytes of a signature that are read at most.
pub const MOST_SIGNATURE_BYTES: u64 = 256 << 10;

/// The lock's own version; a new meaning of entries takes a new one.
const VERSION: u32 = 1;

/// The plugins of a workspace as they were installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock(pub BTreeMap<PluginName, Locked>);

/// A plugin as it was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// Its version, as its manifest says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The component's content.
    pub digest: Digest,
    /// Where it came from, for people and for upgrades.
    pub source: String,
    /// The publisher whose signature counts for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<PublisherName>,
    /// Why it is taken without a publisher's signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vouched: Option<String>,
}

impl Locked {
    /// Which content it is, in words.
    fn what(&self) -> String {
        let digest = self.digest.short();
        self.version.as_ref().map_or_else(|| digest.clone(), |version| format!("{version} ({digest})"))
    }

    /// Why it is trusted, in words.
    #[must_use]
    pub fn why(&self) -> String {
        match (&self.publisher, &self.vouched) {
            (Some(publisher), _) => format!("`{publisher}` signed it"),
            (None, Some(reason)) => format!("unsigned, {reason}"),
            (None, None) => "for none".to_owned(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default)]
    plugin: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: PluginName,
    version: Option<String>,
    digest: Digest,
    source: String,
    publisher: Option<PublisherName>,
    vouched: Option<String>,
}

impl Lock {
    /// Reads a workspace's lock; without the file it is empty.
    ///
    /// # Errors
    /// When the file is there and is none.
    pub fn read(workspace: &Path) -> Result<Self> {
        let path = workspace.join(LOCK_FILE);
        let wrong = |what: String| Error::BadLock { what };
        let bytes = match bounded(&path, MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::file(&path)(error)),
        };
        let text = String::from_utf8(bytes).map_err(|_| wrong("it is not text".to_owned()))?;
        let File { version, plugin } =
            toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
        if version != VERSION {
            return Err(wrong(format!("it has version {version}, and this Sluice reads version {VERSION}")));
        }
        let mut lock = BTreeMap::new();
        for Entry { name, version, digest, source, publisher, vouched } in plugin {
            if publisher.is_some() == vouched.is_some() {
                return Err(wrong(format!(
                    "plugin `{name}` must have `publisher` or `vouched`, and not both"
                )));
            }
            if vouched.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
                return Err(wrong(format!("plugin `{name}` gives no reason in `vouched`")));
            }
            let locked = Locked { version, digest, source, publisher, vouched };
            if lock.insert(name.clone(), locked).is_some() {
                return Err(wrong(format!("plugin `{name}` is there twice")));
            }
        }
        Ok(Self(lock))
    }

    /// The file's text.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = format!(
            "# Which plugins this workspace has, exactly. Written by `sluice plugin`; adopted with sluice.toml.\n\
             version = {VERSION}\n"
        );
        for (name, locked) in &self.0 {
            let Locked { version, digest, source, publisher, vouched } = locked;
            let mut line = |key: &str, value: &str| {
                // A TOML value writes itself as it must be quoted.
                let _ = writeln!(text, "{key} = {}", toml::Value::from(value));
            };
            line("\n[[plugin]]\nname", name.as_str());
            if let Some(version) = version {
                line("version", version);
            }
            line("digest", &digest.to_string());
            line("source", source);
            if let Some(publisher) = publisher {
                line("publisher", publisher.as_str());
            }
            if let Some(vouched) = vouched {
                line("vouched", vouched);
            }
        }
        text
    }

    /// Why a plugin of the configuration counts.
    ///
    /// # Errors
    /// [`Error::Untrusted`] says why it does not, and what makes it.
    pub(crate) fn trusted(
        &self,
        workspace: &Path,
        config: &Config,
        name: &PluginName,
        digest: Digest,
    ) -> Result<&Locked> {
        let refuse = |why: String, help: String| Error::Untrusted { plugin: name.to_string(), why, help };
        let path = config.plugins.get(name).map(|plugin| plugin.path.as_str()).unwrap_or_default();
        let Some(locked) = self.0.get(name) else {
            let why = format!("`{LOCK_FILE}` does not have it");
            return Err(refuse(why, format!("install it with `sluice plugin install {path} --name {name}`")));
        };
        if locked.digest != digest {
            return Err(refuse(
                format!("`{LOCK_FILE}` has {}, and `{path}` has {digest}", locked.digest),
                format!(
                    "put the right file in place, or take it with `sluice plugin install {path} --name {name}`"
                ),
            ));
        }
        let Some(publisher) = &locked.publisher else { return Ok(locked) };
        let Some(key) = config.publishers.get(publisher) else {
            let why = format!("its publisher `{publisher}` is not allowed");
            return Err(refuse(
                why,
                format!("add a `[[publisher]]` with the key of `{publisher}`, if you trust it"),
            ));
        };
        let file = signature_path(&workspace.join(path));
        let help = || format!("fetch it again with `sluice plugin install {} --name {name}`", locked.source);
        let bytes = bounded(&file, MOST_SIGNATURE_BYTES).map_err(|error| {
            refuse(format!("its signature `{}` cannot be read: {error}", file.display()), help())
        })?;
        let release = published(&bytes, &[*key], digest).map_err(|why| refuse(why, help()))?;
        if locked.version.as_ref().is_some_and(|version| *version != release.version) {
            let why = format!("`{publisher}` signed it as version {}", release.version);
            return Err(refuse(why, help()));
        }
        Ok(locked)
    }
}

/// What differs between two states of the plugins, in words: whose code, which, and why it counts.
#[must_use]
pub fn differences(before: &BTreeMap<String, Locked>, after: &BTreeMap<String, Locked>) -> Vec<String> {
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let mut told: Vec<String> = gone.map(|name| format!("plugin `{name}` removed")).collect();
    for (name, locked) in after {
        let Locked { version: _, digest, source, .. } = locked;
        let why = locked.why();
        match before.get(name) {
            None => told.push(format!("plugin `{name}` added: {} from {source}; {why}", locked.what())),
            Some(old) if old.digest != *digest => told.push(format!(
                "plugin `{name}` changed: {} -> {} from {source}; {why}",
                old.what(),
                locked.what()
            )),
            Some(old) if (&old.publisher, &old.vouched) != (&locked.publisher, &locked.vouched) => {
                told.push(format!("plugin `{name}` is trusted for another reason: {why}"));
            }
            Some(old) if old != locked => told.push(format!(
                "plugin `{name}` is the same content, of another version or source: {} from {} -> {} from {source}",
                old.what(),
                old.source,
                locked.what()
            )),
            Some(_) => {}
        }
    }
    told
}

/// Where the signature of a component lies: beside it.
#[must_use]
pub fn signature_path(component: &Path) -> PathBuf {
    component.with_extension("sig.json")
}

/// What a publisher with one of these keys says of a component.
///
/// # Errors
/// Why this is not its word, in a sentence.
pub fn published(
    envelope: &[u8],
    keys: &[sluice_ledger::PublicKey],
    component: Digest,
) -> std::result::Result<Release, String> {
    let envelope = Envelope::parse(envelope).map_err(|error| format!("its signature is none: {error}"))?;
    let signed =
        envelope.verify(keys).map_err(|error| format!("its signature is not its publisher's: {error}"))?;
    let statement = &signed.statement;
    if !statement.subject.iter().any(|subject| subject.digest == component) {
        return Err("its signature is for another component".to_owned());
    }
    match PluginPredicate::from_predicate(&statement.predicate_type, &statement.predicate) {
        Ok(Some(PluginPredicate::Release(release))) => Ok(release),
        Ok(_) => Err("its signature does not say that it was published".to_owned()),
        Err(error) => Err(format!("its signature says nothing: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked() -> Locked {
        Locked {
            version: Some("1.2.0".into()),
            digest: Digest::of(b"component"),
            source: "oci://registry.example/acme/orders:1.2.0".into(),
            publisher: Some("acme".parse().unwrap()),
            vouched: None,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Lock::read(folder.path()).unwrap(), Lock::default());
        let vouched = Locked { publisher: None, vouched: Some("built \"here\" = ours\\".into()), ..locked() };
        let lock = Lock([("a", locked()), ("b", vouched)].map(|(n, l)| (n.parse().unwrap(), l)).into());
        std::fs::write(folder.path().join(LOCK_FILE), lock.to_toml()).unwrap();
        assert_eq!(Lock::read(folder.path()).unwrap(), lock);
    }

    #[test]
    fn what_is_no_lock_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"component");
        let entry = |rest: &str| {
            format!("version = 1\n[[plugin]]\nname = \"a\"\ndigest = \"{digest}\"\nsource = \"x\"\n{rest}")
        };
        for (text, said) in [
            ("version = 2".to_owned(), "version 2"),
            ("[[plugin]]\nname = \"a\"".to_owned(), "missing field"),
            (entry(""), "`publisher` or `vouched`"),
            (entry("vouched = \"x\"\npublisher = \"acme\""), "not both"),
            (entry("vouched = \" \""), "no reason"),
            (entry("trusted = true"), "trusted"),
            (format!("{}\n{}", entry("vouched = \"x\""), &entry("vouched = \"x\"")[11..]), "twice"),
        ] {
            std::fs::write(folder.path().join(LOCK_FILE), &text).unwrap();
            let error = Lock::read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
