//! What lies in a workspace's folder: configuration, policies and plugins as they are there now, which
//! count for nothing until they are adopted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use sluice_model::Digest;
use sluice_plugin::{Host, Registry};
use sluice_policy::{Pack, Sandbox};

use crate::config::{ConfigErrors, Document, Place};
use crate::error::{Error, Result};
use crate::gates::Policies;
use crate::lock::Lock;
use crate::workspace::{Adopted, CONFIG_FILE, POLICIES};

/// Files that were read and checked, ready to be adopted.
pub struct Candidate {
    /// What would be adopted.
    pub adopted: Adopted,
    /// Their bytes, by digest.
    pub(crate) content: BTreeMap<Digest, Vec<u8>>,
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
        let bytes = fs::read(&path).map_err(Error::file(&path))?;
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
    Ok((document, Candidate { adopted: Adopted { config, policies, plugins, locked }, content }))
}

/// Plugins of a configuration, loaded.
pub(crate) fn load_plugins(
    host: Host,
    adopted: &Adopted,
    read: &dyn Fn(&Digest) -> Result<Option<Vec<u8>>>,
) -> Result<Registry> {
    let mut plugins = Vec::new();
    for (name, digest) in &adopted.plugins {
        let bytes = read(digest)?.ok_or(Error::ContentMissing(*digest))?;
        plugins.push(host.load(name, &bytes)?);
    }
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
pub(crate) fn load_policies(
    sandbox: &Sandbox,
    adopted: &Adopted,
    read: &dyn Fn(&Digest) -> Result<Option<Vec<u8>>>,
) -> Result<Policies> {
    let mut policies = BTreeMap::new();
    for (name, digest) in &adopted.policies {
        let bytes = read(digest)?.ok_or(Error::ContentMissing(*digest))?;
        let pack = Pack::from_blob(&format!("{POLICIES}/{name}"), &bytes)?;
        policies.insert(name.clone(), sandbox.compile(pack)?);
    }
    Ok(policies)
}

/// The gates of a configuration against their policies, each mistake with its place.
pub(crate) fn check_gates(document: &Document, policies: &Policies) -> Result<()> {
    let mut errors = Vec::new();
    for (transition, rules) in &document.config.transitions {
        for (index, configured) in rules.gates.iter().enumerate() {
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
