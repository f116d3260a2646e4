//! Plugins put into a workspace's folder, and taken out of it.
//!
//! Files only: `plugins/NAME.wasm`, its signature beside it, `sluice.lock` and `sluice.toml`. Nothing of
//! it counts until an owner adopts the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sluice_model::{Digest, Kind};
use sluice_plugin::manifest::Manifest;
use sluice_plugin::{Host, KindDescription, Plugin};
use sluice_store::Store;

use crate::config::{Document, PluginName, PublisherName, put_plugin, take_plugin};
use crate::error::{Error, Result};
use crate::files::component;
use crate::lock::{LOCK_FILE, Lock, Locked, published, signature_path};
use crate::workspace::{CONFIG_FILE, PLUGINS, Workspace};

/// A plugin that was fetched and is to be installed.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The component.
    pub component: Vec<u8>,
    /// Signatures that were kept with it, as DSSE envelopes; of those, one of an allowed publisher counts.
    pub signatures: Vec<Vec<u8>>,
    /// Where it came from, pinned where it can be.
    pub source: String,
    /// Why it is taken where no allowed publisher signed it.
    pub vouched: Option<String>,
}

/// A plugin that was installed.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Its name in the workspace.
    pub name: PluginName,
    /// How it stands in the lock.
    pub locked: Locked,
    /// What it was before, where another version was there.
    pub before: Option<Locked>,
    /// What differs from what was there.
    pub differences: Differences,
    /// What its vendor says of it.
    pub manifest: Option<Manifest>,
}

/// What a plugin can do that the one before it could not, and the reverse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Differences {
    /// This, in words: nothing where both describe the same, or none was there before.
    Known(Vec<String>),
    /// They could not be compared, for this reason.
    Unknown(String),
}

/// A plugin that can be installed, as nothing is to be said against it.
#[derive(Debug)]
pub struct Prepared {
    /// What it will be.
    pub installed: Installed,
    folder: PathBuf,
    /// The component's path within.
    path: String,
    component: Vec<u8>,
    signature: Option<Vec<u8>>,
    /// What `sluice.toml` will say.
    text: String,
    lock: Lock,
}

/// Puts a plugin into a workspace's folder.
///
/// # Errors
/// As [`prepare`], and where a file cannot be written.
pub fn install(folder: &Path, host: &Host, name: &PluginName, incoming: Incoming) -> Result<Installed> {
    prepare(folder, host, name, incoming)?.put()
}

/// Finds out whether a plugin can be installed, and what that would change. Nothing is written.
///
/// # Errors
/// When nobody says why it is trusted, it cannot be loaded here, its manifest says what is not so, or
/// another plugin serves one of its kinds.
pub fn prepare(folder: &Path, host: &Host, name: &PluginName, incoming: Incoming) -> Result<Prepared> {
    prepare_with(folder, host, None, name, incoming)
}

impl Workspace {
    /// As [`prepare`], in this workspace: what is compiled is kept for it, and what was there before is
    /// taken from its store where the file is gone.
    ///
    /// # Errors
    /// As [`prepare`].
    pub fn prepare_plugin(&self, name: &PluginName, incoming: Incoming) -> Result<Prepared> {
        prepare_with(self.folder(), &self.host()?, Some(self.records().store()), name, incoming)
    }
}

fn prepare_with(
    folder: &Path,
    host: &Host,
    store: Option<&dyn Store>,
    name: &PluginName,
    incoming: Incoming,
) -> Result<Prepared> {
    let (text, document) = configuration(folder)?;
    let config = &document.config;
    let plugin = host.load(name.as_str(), &incoming.component)?;
    let manifest = checked_manifest(&plugin, &incoming.component)?;
    let digest = plugin.digest();
    let signed = signer(&document, &incoming.signatures, digest);
    let version = manifest.as_ref().map(|manifest| manifest.version.clone());
    let source = incoming.source.clone();
    let (locked, signature) = match (signed, &incoming.vouched) {
        (Some((publisher, release, envelope)), _) => {
            check_publisher(name.as_str(), manifest.as_ref(), &publisher)?;
            if let Some(manifest) = manifest.as_ref().filter(|manifest| manifest.version != release) {
                return Err(untrusted(
                    name,
                    format!(
                        "`{publisher}` signed it as version {release}, and its manifest says {}",
                        manifest.version
                    ),
                    "ask its publisher which of the two is right",
                ));
            }
            let locked =
                Locked { version: Some(release), digest, source, publisher: Some(publisher), vouched: None };
            (locked, Some(envelope.to_vec()))
        }
        (None, Some(reason)) if !reason.trim().is_empty() => {
            (Locked { version, digest, source, publisher: None, vouched: Some(reason.clone()) }, None)
        }
        (None, _) => {
            let why = if incoming.signatures.is_empty() {
                "it is not signed".to_owned()
            } else {
                "no publisher of the configuration signed it".to_owned()
            };
            return Err(untrusted(
                name,
                why,
                "add its publisher's key as a `[[publisher]]`, or say with `--vouch REASON` why it is taken without",
            ));
        }
    };
    let mut lock = Lock::read(folder)?;
    let before = lock.0.get(name).cloned();
    let path = config
        .plugins
        .get(name)
        .map_or_else(|| format!("{PLUGINS}/{name}.wasm"), |configured| configured.path.clone());
    let differences = match before.as_ref().filter(|before| before.digest != digest) {
        None => Differences::Known(Vec::new()),
        Some(before) => match component_before(&folder.join(&path), &path, before.digest, store) {
            Err(why) => Differences::Unknown(why),
            Ok(old) => compared(host, name, &old, &plugin, manifest.as_ref()),
        },
    };
    for (other, configured) in config.plugins.iter().filter(|(other, _)| *other != name) {
        let Ok(bytes) = component(&folder.join(&configured.path)) else { continue };
        let Ok(there) = host.load(other.as_str(), &bytes) else { continue };
        if let Some(kind) = plugin.describe().iter().find(|kind| there.description(&kind.kind).is_some()) {
            return Err(Error::invalid(
                format!("plugin `{other}` serves the kind `{}` already", kind.kind),
                format!("take it out first with `sluice plugin remove {other}`; a kind has one plugin"),
            ));
        }
    }
    let text =
        put_plugin(&text, name, &path).map_err(|error| Error::invalid(error.to_string(), "mend it"))?;
    lock.0.insert(name.clone(), locked.clone());
    let installed = Installed { name: name.clone(), locked, before, differences, manifest };
    let component = incoming.component;
    Ok(Prepared { installed, folder: folder.to_owned(), path, component, signature, text, lock })
}

impl Prepared {
    /// Puts it into the workspace's folder.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn put(self) -> Result<Installed> {
        let Self { installed, folder, path, component, signature, text, lock } = self;
        let file = folder.join(&path);
        write(&file, &component)?;
        match signature {
            Some(signature) => write(&signature_path(&file), &signature)?,
            None => drop(fs::remove_file(signature_path(&file))),
        }
        write(&folder.join(LOCK_FILE), lock.to_toml().as_bytes())?;
        write(&folder.join(CONFIG_FILE), text.as_bytes())?;
        Ok(installed)
    }
}

/// Takes a plugin out of a workspace's folder.
///
/// # Errors
/// When there is none of that name, or a file cannot be written.
pub fn remove(folder: &Path, name: &PluginName) -> Result<()> {
    let (text, document) = configuration(folder)?;
    let mut lock = Lock::read(folder)?;
    let configured = document.config.plugins.get(name);
    if configured.is_none() && !lock.0.contains_key(name) {
        let known = document.config.plugins.keys().map(PluginName::as_str);
        return Err(Error::NotFound {
            what: "plugin",
            named: name.to_string(),
            help: crate::config::did_you_mean(name.as_str(), known),
        });
    }
    let text = take_plugin(&text, name).map_err(|error| Error::invalid(error.to_string(), "mend it"))?;
    write(&folder.join(CONFIG_FILE), text.as_bytes())?;
    lock.0.remove(name);
    write(&folder.join(LOCK_FILE), lock.to_toml().as_bytes())?;
    if let Some(configured) = configured {
        let component = folder.join(&configured.path);
        for file in [signature_path(&component), component] {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::file(&file)(error));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The component that was there before: the file, or where that is gone or another by now, what the store
/// has of it. Else why there is none.
fn component_before(
    file: &Path,
    path: &str,
    digest: Digest,
    store: Option<&dyn Store>,
) -> std::result::Result<Vec<u8>, String> {
    let why = match component(file) {
        Ok(bytes) if Digest::of(&bytes) == digest => return Ok(bytes),
        Ok(_) => format!("`{path}` is another component than `{LOCK_FILE}` has"),
        Err(_) if !file.exists() => format!("`{path}`, which was there before, is gone"),
        Err(error) => error.to_string(),
    };
    match store.map(|store| store.blob(&digest)) {
        None => Err(format!("{why}, and there is no store here that could have it")),
        Some(Ok(Some(bytes))) => Ok(bytes),
        Some(Ok(None)) => Err(format!("{why}, and the store does not have it, as it was never adopted")),
        Some(Err(error)) => Err(format!("{why}, and the store cannot be asked: {error}")),
    }
}

/// What differs from a component that may load no more.
fn compared(
    host: &Host,
    name: &PluginName,
    old: &[u8],
    new: &Plugin,
    manifest: Option<&Manifest>,
) -> Differences {
    let before = match Manifest::read(old) {
        Ok(before) => before,
        Err(error) => return Differences::Unknown(format!("of what was there before: {error}")),
    };
    match host.load(name.as_str(), old) {
        Err(error) => {
            Differences::Unknown(format!("what was there before cannot be loaded: {}", error.reason))
        }
        Ok(old) => {
            let mut found = asked_hosts(before.as_ref(), manifest);
            found.extend(differences(&old, new));
            Differences::Known(found)
        }
    }
}

/// What a plugin can do that another could not, and the reverse: kinds, options with their meaning, slots
/// with their places, and whether it has a probe.
#[must_use]
pub fn differences(before: &Plugin, after: &Plugin) -> Vec<String> {
    let mut found = Vec::new();
    match (before.has_probe(), after.has_probe()) {
        (false, true) => found.push("it can ask the network in probes now, where that is granted".to_owned()),
        (true, false) => found.push("it can no longer probe".to_owned()),
        _ => {}
    }
    let kinds = |plugin: &Plugin| -> BTreeMap<Kind, KindDescription> {
        plugin.describe().iter().map(|kind| (kind.kind.clone(), kind.clone())).collect()
    };
    let (old, new) = (kinds(before), kinds(after));
    found.extend(
        old.keys().filter(|kind| !new.contains_key(*kind)).map(|kind| format!("{kind} is no longer served")),
    );
    found.extend(
        new.keys().filter(|kind| !old.contains_key(*kind)).map(|kind| format!("{kind} is served now")),
    );
    for (kind, old) in &old {
        let Some(new) = new.get(kind) else { continue };
        let slots = |of: &KindDescription| -> BTreeSet<String> {
            of.slots.iter().map(|slot| slot.rule.name.to_string()).collect()
        };
        named(&mut found, kind, "slot", &slots(old), &slots(new));
        let options = |of: &KindDescription| -> BTreeSet<String> {
            of.options.iter().map(|option| option.at.to_string()).collect()
        };
        named(&mut found, kind, "option", &options(old), &options(new));
        for slot in &old.slots {
            let same = new.slots.iter().find(|other| other.rule.name == slot.rule.name);
            if same.is_some_and(|other| other.rule != slot.rule) {
                found.push(format!("{kind}: the slot `{}` is in another place or form", slot.rule.name));
            }
        }
        for option in &old.options {
            let same = new.options.iter().find(|other| other.at == option.at);
            if let Some(other) = same.filter(|other| {
                other.across_environments != option.across_environments
                    || other.ty != option.ty
                    || other.choices != option.choices
                    || other.required != option.required
            }) {
                found.push(format!("{kind}: the option `{}` has another meaning", other.at));
            }
        }
    }
    found
}

/// Hosts that a manifest asks for in probes and another did not, and the reverse.
fn asked_hosts(before: Option<&Manifest>, after: Option<&Manifest>) -> Vec<String> {
    let hosts = |of: Option<&Manifest>| -> BTreeSet<String> {
        of.into_iter().flat_map(|manifest| manifest.probe_hosts.iter().cloned()).collect()
    };
    let (old, new) = (hosts(before), hosts(after));
    let more = new.difference(&old).map(|host| format!("its probes ask for `{host}` now"));
    let less = old.difference(&new).map(|host| format!("its probes no longer ask for `{host}`"));
    more.chain(less).collect()
}

fn named(found: &mut Vec<String>, kind: &Kind, what: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) {
    found.extend(old.difference(new).map(|name| format!("{kind}: the {what} `{name}` is gone")));
    found.extend(new.difference(old).map(|name| format!("{kind}: the {what} `{name}` is new")));
}

fn configuration(folder: &Path) -> Result<(String, Document)> {
    let path = folder.join(CONFIG_FILE);
    let text = fs::read_to_string(&path).map_err(Error::file(&path))?;
    let document = Document::parse(&text, CONFIG_FILE)?;
    Ok((text, document))
}

/// Holds the manifest of a plugin that a workspace has to what the plugin does, and to who signed it.
///
/// # Errors
/// [`Error::Untrusted`] says what is not so.
pub(crate) fn check_manifest(plugin: &Plugin, component: &[u8], locked: Option<&Locked>) -> Result<()> {
    let manifest = checked_manifest(plugin, component)?;
    let Some((manifest, locked)) = manifest.zip(locked) else { return Ok(()) };
    if let Some(version) = locked.version.as_ref().filter(|version| **version != manifest.version) {
        return Err(Error::Untrusted {
            plugin: plugin.name().to_owned(),
            why: format!("`{LOCK_FILE}` says version {version}, and its manifest says {}", manifest.version),
            help: "install it again with `sluice plugin install`".to_owned(),
        });
    }
    let publisher = locked.publisher.as_ref();
    publisher.map_or(Ok(()), |publisher| check_publisher(plugin.name(), Some(&manifest), publisher))
}

fn check_publisher(name: &str, manifest: Option<&Manifest>, signed: &PublisherName) -> Result<()> {
    match manifest.filter(|manifest| manifest.publisher != signed.as_str()) {
        None => Ok(()),
        Some(manifest) => Err(Error::Untrusted {
            plugin: name.to_owned(),
            why: format!("`{signed}` signed it, and its manifest says it is of `{}`", manifest.publisher),
            help: "ask its publisher which of the two is right".to_owned(),
        }),
    }
}

fn checked_manifest(plugin: &Plugin, component: &[u8]) -> Result<Option<Manifest>> {
    let wrong = |what: String| Error::Untrusted {
        plugin: plugin.name().to_owned(),
        why: what,
        help: "report it to its vendor".to_owned(),
    };
    let manifest = Manifest::read(component).map_err(|error| wrong(error.to_string()))?;
    let lies = manifest.as_ref().map(|manifest| manifest.lies(plugin)).unwrap_or_default();
    if lies.is_empty() { Ok(manifest) } else { Err(wrong(lies.join("; "))) }
}

/// The publisher of the configuration that signed this component, the version that it says, and the
/// envelope.
fn signer<'s>(
    document: &Document,
    signatures: &'s [Vec<u8>],
    digest: Digest,
) -> Option<(PublisherName, String, &'s [u8])> {
    signatures.iter().find_map(|envelope| {
        document.config.publishers.iter().find_map(|(name, key)| {
            let release = published(envelope, &[*key], digest).ok()?;
            Some((name.clone(), release.version, envelope.as_slice()))
        })
    })
}

fn untrusted(name: &PluginName, why: String, help: &str) -> Error {
    Error::Untrusted { plugin: name.to_string(), why, help: help.to_owned() }
}

/// Writes a file whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::file(folder))?;
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".fresh");
    let fresh = Path::new(&fresh);
    // A folder that others share may hold a link of that name, which leads elsewhere.
    match fs::remove_file(fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::file(fresh)(error)),
        _ => {}
    }
    crate::workspace::write_new(fresh, bytes)?;
    fs::rename(fresh, path).map_err(Error::file(path))
}
