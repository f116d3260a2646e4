//! What lies in a workspace's folder: configuration, policies and plugins as they are there now, which
//! count for nothing until they are adopted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, available_parallelism};

use sluice_model::Digest;
use sluice_plugin::{Host, Limits, Registry};
use sluice_policy::{Format, Pack, Sandbox};

use crate::config::{self, ConfigError, ConfigErrors, Document, Place, PluginName, Transition, did_you_mean};
use crate::error::{Error, Result};
use crate::gates::Policies;
use crate::lock::Lock;
use crate::workspace::{Adopted, CONFIG_FILE, POLICIES};

/// Files that were read and checked, ready to be adopted.
pub struct Candidate {
    /// What would be adopted.
    pub adopted: Adopted,
    /// Their bytes, by digest.
    pub(crate) content: Arc<BTreeMap<Digest, Vec<u8>>>,
}

impl Candidate {
    /// Its files' bytes.
    pub(crate) fn content(&self) -> Content {
        let content = Arc::clone(&self.content);
        Arc::new(move |digest| Ok(content.get(digest).cloned()))
    }
}

/// What the files of a workspace's folder say now: the configuration is checked, policies and plugins
/// are as they lie there.
pub(crate) fn read_files(workspace: &Path) -> Result<(Document, Candidate)> {
    let path = workspace.join(CONFIG_FILE);
    let text = fs::read_to_string(&path).map_err(Error::file(&path))?;
    let document = Document::parse(&text, CONFIG_FILE)?;
    let config = document.config.clone();
    let mut content = BTreeMap::new();
    let mut keep = |bytes: Vec<u8>| {
        let digest = Digest::of(&bytes);
        content.insert(digest, bytes);
        digest
    };
    let mut policies = BTreeMap::new();
    let wanted: BTreeSet<&str> = config
        .transitions
        .values()
        .flat_map(|rules| rules.gates.iter().map(|gate| gate.policy.as_str()))
        .collect();
    for name in wanted {
        let folder = workspace.join(POLICIES).join(name);
        if !folder.is_dir() {
            // Told below with the gate's place.
            continue;
        }
        policies.insert(name.to_owned(), keep(Pack::read(&folder)?.blob()?));
    }
    let lock = Lock::read(workspace)?;
    let mut plugins = BTreeMap::new();
    let mut locked = BTreeMap::new();
    for (name, plugin) in &config.plugins {
        let path = workspace.join(&plugin.path);
        let bytes = component(&path)?;
        let digest = keep(bytes);
        if let Some(pinned) = plugin.digest.filter(|pinned| *pinned != digest) {
            return Err(Error::invalid(
                format!("plugin `{name}` is pinned to {pinned}, and `{}` has {digest}", plugin.path),
                "put the right file in place, or change the digest in `sluice.toml`",
            ));
        }
        plugins.insert(name.to_string(), digest);
        locked.insert(name.to_string(), lock.trusted(workspace, &config, name, digest)?.clone());
    }
    Ok((
        document,
        Candidate { adopted: Adopted { config, policies, plugins, locked }, content: Arc::new(content) },
    ))
}

/// The bytes of a component, as far as any is read.
///
/// # Errors
/// When it is no file, or too large to be a plugin.
pub(crate) fn component(path: &Path) -> Result<Vec<u8>> {
    bounded(path, Limits::default().component_bytes as u64).map_err(Error::file(path))
}

/// The bytes of a file that has so many at most. What is no plain file is not opened: a pipe would never
/// end.
pub(crate) fn bounded(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no plain file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(std::io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

/// Content by its digest, whenever it is asked for.
pub(crate) type Content = Arc<dyn Fn(&Digest) -> Result<Option<Vec<u8>>> + Send + Sync>;

/// Plugins of a configuration, each with its limits. What the host's cache knows is not read until it
/// is needed; what it does not know is compiled, several at a time.
pub(crate) fn load_plugins(host: &Host, adopted: &Adopted, content: &Content) -> Result<Registry> {
    let config = &adopted.config;
    let load = |name: &PluginName, digest: Digest| {
        let content = content.clone();
        let read = move || {
            let bytes = content(&digest).map_err(|error| error.to_string())?;
            bytes.ok_or_else(|| Error::ContentMissing(digest).to_string())
        };
        host.load_known(name.as_str(), digest, &config.limits_of(name), read)
    };
    let wanted: Vec<(PluginName, Digest)> = config
        .plugins
        .keys()
        .filter_map(|name| Some((name.clone(), *adopted.plugins.get(name.as_str())?)))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut loaded = Vec::new();
        while let Some((name, digest)) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
            loaded.push((name.clone(), load(name, *digest)));
        }
        loaded
    };
    let threads = available_parallelism().map_or(1, NonZero::get).min(wanted.len());
    let loaded = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut loaded = work();
        for other in others {
            loaded.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        loaded
    });
    // In the order of names, so that of several errors it is always the same that is told.
    let loaded: BTreeMap<PluginName, _> = loaded.into_iter().collect();
    let plugins = loaded.into_values().collect::<std::result::Result<Vec<_>, _>>()?;
    let registry = Registry::new(plugins)?;
    for kind in &adopted.config.carried {
        if let Some(plugin) = registry.for_kind(kind) {
            return Err(Error::invalid(
                format!(
                    "the kind `{kind}` is declared carried and is also served by plugin `{}`",
                    plugin.name()
                ),
                "remove one of the two from `sluice.toml`",
            ));
        }
    }
    Ok(registry)
}

/// Policies of a configuration, compiled.
pub(crate) fn load_policies(sandbox: &Sandbox, adopted: &Adopted, content: &Content) -> Result<Policies> {
    let mut policies = BTreeMap::new();
    for (name, digest) in &adopted.policies {
        let bytes = content(digest)?.ok_or(Error::ContentMissing(*digest))?;
        let pack = Pack::from_blob(&format!("{POLICIES}/{name}"), &bytes)?;
        policies.insert(name.clone(), sandbox.compile(pack)?);
    }
    Ok(policies)
}

/// What the parameters of a gate name, calendars, people and such, and the configuration does not have.
fn unknown_names(
    document: &Document,
    transition: &Transition,
    index: usize,
    configured: &config::Gate,
    policies: &Policies,
) -> Vec<ConfigError> {
    let config = &document.config;
    let known = |format: Format| -> Vec<&str> {
        let people = config.people.keys().map(|name| name.as_str());
        match format {
            Format::Calendar => config.calendars.keys().map(|name| name.as_str()).collect(),
            Format::Role => config.roles.iter().map(|name| name.as_str()).collect(),
            Format::Person => people.collect(),
            Format::Publisher => config.publishers.keys().map(|name| name.as_str()).chain(people).collect(),
            Format::Duration | Format::DateTime => Vec::new(),
        }
    };
    let Some(policy) = policies.get(configured.policy.as_str()) else { return Vec::new() };
    let declared = &policy.pack().manifest().parameters;
    let mut errors = Vec::new();
    for (name, value) in &configured.parameters {
        let named = declared.get(name).map(|schema| schema.named(value)).unwrap_or_default();
        for (format, text) in named {
            let (known, what) = (known(format), format.named().unwrap_or_default());
            if !known.contains(&text) {
                let place = Place::Parameter(transition.clone(), index, name.clone());
                let message = format!("there is no {what} `{text}`");
                errors.push(document.error(&place, message, did_you_mean(text, known)));
            }
        }
    }
    errors
}

/// The gates of a configuration against their policies, each mistake with its place.
pub(crate) fn check_gates(document: &Document, policies: &Policies) -> Result<()> {
    let mut errors = Vec::new();
    for (transition, rules) in &document.config.transitions {
        for (index, configured) in rules.gates.iter().enumerate() {
            errors.extend(unknown_names(document, transition, index, configured, policies));
            let Err(error) = crate::gates::gate(configured, policies, None) else { continue };
            let message = error.to_string();
            let named = |parameter: &&String| message.contains(&format!("`{parameter}`"));
            let place = match configured.parameters.keys().find(named) {
                Some(parameter) => Place::Parameter(transition.clone(), index, parameter.clone()),
                None => Place::Gate(transition.clone(), index),
            };
            let help = error.help().unwrap_or_else(|| {
                format!("see `{POLICIES}/{}/README.md` for the policy's parameters", configured.policy)
            });
            errors.push(document.error(&place, message, help));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(ConfigErrors(errors).into()) }
}
