//! What a vendor says of a plugin: its manifest.
//!
//! It lies in the component itself, in a custom section named [`SECTION`] (WebAssembly core
//! specification, appendix "Custom Sections"; the component model has them too), as canonical JSON,
//! and beside the component as a file. It is a claim: the host holds it against what the component
//! imports and describes, and refuses one that says otherwise.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use sluice_model::Digest;
use wasmparser::{Parser, Payload};

use crate::host::Host;
use crate::plugin::Plugin;

/// The custom section's name.
pub const SECTION: &str = "sluice-manifest";

/// Bytes of a manifest that are read at most.
const MOST_BYTES: usize = 256 << 10;

/// Bytes of one of its texts at most.
const MOST_TEXT: usize = 1_000;

/// Hosts that a probe may ask for.
const MOST_HOSTS: usize = 100;

/// What stands for the endpoints of the data source that is probed, in [`Manifest::probe_hosts`].
pub const ENDPOINTS: &str = "endpoints";

/// What a vendor says of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's name: lower-case letters, digits and single hyphens.
    pub name: String,
    /// Its version (Semantic Versioning 2.0.0).
    pub version: String,
    /// Who publishes it.
    pub publisher: String,
    /// Its licence, as an SPDX expression.
    pub licence: String,
    /// One sentence on what it is.
    pub description: String,
    /// The world that it implements.
    pub world: World,
    /// The smallest version of Sluice that it runs in.
    pub minimum_host: String,
    /// The hosts that its probe asks for: `endpoints`, or `host:port` where the host may begin with
    /// `*.`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probe_hosts: Vec<String>,
    /// The kinds that it serves, as `PLATFORM/NAME`.
    pub kinds: Vec<String>,
    /// What it can do, in plain words.
    pub capabilities: Vec<String>,
}

/// The worlds of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    /// Pure.
    DataSource,
    /// With a probe.
    DataSourceWithProbe,
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::DataSource => "data-source",
            Self::DataSourceWithProbe => "data-source-with-probe",
        })
    }
}

/// What a vendor writes of a plugin; all else follows from the component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Card {
    /// The plugin's name: lower-case letters, digits and single hyphens.
    pub name: String,
    /// Its version (Semantic Versioning 2.0.0).
    pub version: String,
    /// Who publishes it.
    pub publisher: String,
    /// Its licence, as an SPDX expression.
    pub licence: String,
    /// One sentence on what it is.
    pub description: String,
    /// The smallest version of Sluice that it runs in.
    pub minimum_host: String,
    /// The hosts that its probe asks for.
    #[serde(default)]
    pub probe_hosts: Vec<String>,
}

/// A manifest that cannot be read, or says what is not so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not a component's bytes.
    #[error("the component cannot be read: {0}")]
    NotAComponent(String),
    /// More than one.
    #[error("it has more than one section `{SECTION}`")]
    Twice,
    /// More bytes than are read.
    #[error("its manifest has {0} bytes, more than the limit of {MOST_BYTES}")]
    TooLarge(usize),
    /// Not a manifest.
    #[error("its manifest is not one: {0}")]
    Malformed(String),
    /// A member that says nothing, or not what it should.
    #[error("its manifest's `{member}` {problem}")]
    Member {
        /// Which.
        member: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl Manifest {
    /// The manifest of a plugin: what its vendor says, and what it describes.
    ///
    /// # Errors
    /// When a member of the card does not say what it should.
    pub fn of(card: Card, plugin: &Plugin) -> Result<Self, ManifestError> {
        let Card { name, version, publisher, licence, description, minimum_host, probe_hosts } = card;
        let mut kinds: Vec<String> = plugin.describe().iter().map(|kind| kind.kind.to_string()).collect();
        kinds.sort();
        let world = world(plugin);
        let capabilities = capabilities(world, &kinds, &probe_hosts);
        let manifest = Self {
            name,
            version,
            publisher,
            licence,
            description,
            world,
            minimum_host,
            probe_hosts,
            kinds,
            capabilities,
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// The manifest in a component, if it has one. Nothing is compiled or run.
    ///
    /// # Errors
    /// When the bytes are no component, or what the section holds is no manifest.
    pub fn read(component: &[u8]) -> Result<Option<Self>, ManifestError> {
        let Some(found) = section(component)? else { return Ok(None) };
        Self::parse(found.content).map(Some)
    }

    /// A manifest from its JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        if json.len() > MOST_BYTES {
            return Err(ManifestError::TooLarge(json.len()));
        }
        let manifest: Self =
            serde_json::from_slice(json).map_err(|error| ManifestError::Malformed(error.to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The component with this manifest in it, instead of the one that it has.
    ///
    /// # Errors
    /// When the bytes are no component.
    pub fn embed(&self, component: &[u8]) -> Result<Vec<u8>, ManifestError> {
        let before: Cow<'_, [u8]> = match section(component)? {
            None => component.into(),
            Some(found) => {
                let mut without = component.get(..found.start).unwrap_or_default().to_vec();
                without.extend_from_slice(component.get(found.end..).unwrap_or_default());
                without.into()
            }
        };
        let json = self.to_json()?;
        let mut embedded = before.into_owned();
        let name = SECTION.as_bytes();
        let mut body = Vec::with_capacity(json.len() + name.len() + 5);
        length(&mut body, name.len());
        body.extend_from_slice(name);
        body.extend_from_slice(&json);
        embedded.push(0);
        length(&mut embedded, body.len());
        embedded.extend_from_slice(&body);
        Ok(embedded)
    }

    /// As [`Self::embed`]; and what the host keeps of the component's code it keeps for the result too,
    /// since a custom section is none.
    ///
    /// # Errors
    /// When the bytes are no component.
    pub fn embed_compiled(&self, host: &Host, component: &[u8]) -> Result<Vec<u8>, ManifestError> {
        let embedded = self.embed(component)?;
        if let Some(cache) = host.cache() {
            cache.carry(host.engine(), Digest::of(component), Digest::of(&embedded));
        }
        Ok(embedded)
    }

    /// The manifest as canonical JSON.
    ///
    /// # Errors
    /// When it has a text that JSON cannot hold; there is none.
    pub fn to_json(&self) -> Result<Vec<u8>, ManifestError> {
        sluice_model::json::canonical_of(self).map_err(|error| ManifestError::Malformed(error.to_string()))
    }

    /// What it says that is not so of the plugin that it lies in, and whether it wants a later Sluice
    /// than this one.
    #[must_use]
    pub fn lies(&self, plugin: &Plugin) -> Vec<String> {
        // A version that could not be read would be below all that is asked for.
        let host = &env!("CARGO_PKG_VERSION").parse().unwrap_or(semver::Version::new(0, 0, 0));
        let mut lies = Vec::new();
        let is = world(plugin);
        if self.world != is {
            lies.push(format!("its world is `{is}` and not `{}`", self.world));
        }
        let mut kinds: Vec<String> = plugin.describe().iter().map(|kind| kind.kind.to_string()).collect();
        kinds.sort();
        if self.kinds != kinds {
            lies.push(format!(
                "it describes the kinds `{}` and not `{}`",
                kinds.join("`, `"),
                self.kinds.join("`, `")
            ));
        }
        if self.capabilities != capabilities(is, &kinds, &self.probe_hosts) {
            lies.push(
                "its capabilities are not those that follow from its world, kinds and hosts".to_owned(),
            );
        }
        if semver::Version::parse(&self.minimum_host).is_ok_and(|least| *host < least) {
            lies.push(format!("it needs Sluice {} or later, and this is {host}", self.minimum_host));
        }
        lies
    }

    /// Whether each member says what it should.
    fn check(&self) -> Result<(), ManifestError> {
        let wrong = |member, problem: &str| ManifestError::Member { member, problem: problem.to_owned() };
        let texts = [
            ("name", &self.name),
            ("version", &self.version),
            ("publisher", &self.publisher),
            ("licence", &self.licence),
            ("description", &self.description),
            ("minimum-host", &self.minimum_host),
        ];
        for (member, text) in texts {
            if text.trim().is_empty() {
                return Err(wrong(member, "says nothing"));
            }
            if text.len() > MOST_TEXT || text.chars().any(char::is_control) {
                return Err(wrong(member, "must be one line of at most 1,000 bytes"));
            }
        }
        let letters = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !self.name.split('-').all(|part| !part.is_empty() && letters(part)) {
            return Err(wrong("name", "must be lower-case letters, digits and single hyphens"));
        }
        for (member, version) in [("version", &self.version), ("minimum-host", &self.minimum_host)] {
            semver::Version::parse(version)
                .map_err(|error| wrong(member, &format!("is no version such as `1.2.3`: {error}")))?;
        }
        if self.world == World::DataSource && !self.probe_hosts.is_empty() {
            return Err(wrong("probe-hosts", "asks for hosts, and the plugin has no probe"));
        }
        if self.probe_hosts.len() > MOST_HOSTS {
            return Err(wrong("probe-hosts", "asks for more than 100 hosts"));
        }
        if let Some(host) = self.probe_hosts.iter().find(|host| !is_asked_host(host)) {
            let problem = format!("has `{host}`, which is neither `{ENDPOINTS}` nor `host:port`");
            return Err(wrong("probe-hosts", &problem));
        }
        Ok(())
    }
}

fn is_asked_host(host: &str) -> bool {
    let is_address = |text: &str| {
        let Some((name, port)) = text.rsplit_once(':') else { return false };
        let name = name.strip_prefix("*.").unwrap_or(name);
        !name.is_empty() && !name.contains(['*', '/', ' ']) && port.parse::<u16>().is_ok()
    };
    host == ENDPOINTS || is_address(host)
}

/// The world that a plugin implements.
fn world(plugin: &Plugin) -> World {
    if plugin.has_probe() { World::DataSourceWithProbe } else { World::DataSource }
}

/// What a plugin of this world can do, in plain words.
fn capabilities(world: World, kinds: &[String], hosts: &[String]) -> Vec<String> {
    let count = if kinds.len() == 1 { "1 kind".to_owned() } else { format!("{} kinds", kinds.len()) };
    let mut said = vec![
        format!("makes data sources of {count} for their target"),
        "sees options and the labels of secrets, never a secret's value".to_owned(),
    ];
    match world {
        World::DataSource => said.push("has no network, files or clock".to_owned()),
        World::DataSourceWithProbe => {
            let hosts = hosts.iter().map(|host| match host.as_str() {
                ENDPOINTS => "the endpoints of the data source".to_owned(),
                host => format!("`{host}`"),
            });
            let hosts = hosts.collect::<Vec<_>>().join(", ");
            let hosts = if hosts.is_empty() { "no host".to_owned() } else { hosts };
            said.push(format!("asks the network in a probe, where the workspace grants it: {hosts}"));
            said.push("has no files or clock".to_owned());
        }
    }
    said
}

/// Where a component's manifest stands.
struct Section<'c> {
    start: usize,
    end: usize,
    content: &'c [u8],
}

fn section(component: &[u8]) -> Result<Option<Section<'_>>, ManifestError> {
    let mut found = None;
    let mut depth = 0_usize;
    // What is read last ends where the next thing begins.
    let mut end = 0;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(|error| ManifestError::NotAComponent(error.to_string()))?;
        match &payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(custom) if depth == 0 && custom.name() == SECTION => {
                if found.is_some() {
                    return Err(ManifestError::Twice);
                }
                let range = custom.range();
                found = Some(Section { start: end, end: range.end, content: custom.data() });
            }
            _ => {}
        }
        if let Some((_, range)) = payload.as_section() {
            end = range.end;
        } else if let Payload::Version { range, .. } = &payload {
            end = range.end;
        }
    }
    Ok(found)
}

/// Appends a length as unsigned LEB128.
fn length(to: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            to.push(low);
            return;
        }
        to.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            name: "orders-db".into(),
            version: "1.2.3".into(),
            publisher: "acme".into(),
            licence: "Apache-2.0".into(),
            description: "Orders".into(),
            world: World::DataSourceWithProbe,
            minimum_host: "0.1.0".into(),
            probe_hosts: vec![ENDPOINTS.into(), "*.example.com:443".into()],
            kinds: vec!["lowcoder/x".into()],
            capabilities: vec![],
        }
    }

    #[test]
    fn what_is_embedded_is_read_and_replaced() {
        let inner = wat::parse_str(r#"(component (core module (func)) (component (core module)))"#).unwrap();
        for component in [wat::parse_str("(component)").unwrap(), inner] {
            assert_eq!(Manifest::read(&component).unwrap(), None);
            let once = manifest().embed(&component).unwrap();
            assert_eq!(Manifest::read(&once).unwrap(), Some(manifest()));
            let other = Manifest { version: "2.0.0".into(), ..manifest() };
            let twice = other.embed(&once).unwrap();
            assert_eq!(Manifest::read(&twice).unwrap(), Some(other));
            assert_eq!(twice.len(), once.len());
            assert_eq!(manifest().embed(&twice).unwrap(), once);
            // Two of them are a mistake, whoever made it.
            let both = [&once[..], &once[component.len()..]].concat();
            assert_eq!(Manifest::read(&both), Err(ManifestError::Twice));
            for end in 0..component.len() {
                assert!(!matches!(Manifest::read(&once[..end]), Ok(Some(_))), "cut at {end}");
            }
        }
    }

    #[test]
    fn one_inside_of_a_part_is_not_the_components() {
        let inner = manifest().embed(&wat::parse_str("(component)").unwrap()).unwrap();
        let mut outer = b"\0asm\x0d\0\x01\0".to_vec();
        outer.push(4);
        length(&mut outer, inner.len());
        outer.extend_from_slice(&inner);
        assert_eq!(Manifest::read(&outer).unwrap(), None);
    }

    #[test]
    fn a_member_that_says_nothing_is_named() {
        type Change = fn(&mut Manifest);
        let cases: [(&str, Change); 10] = [
            ("name", |m| m.name = "Orders".into()),
            ("name", |m| m.name = "a--b".into()),
            ("name", |m| m.name = String::new()),
            ("version", |m| m.version = "1".into()),
            ("publisher", |m| m.publisher = " ".into()),
            ("licence", |m| m.licence = "a\nb".into()),
            ("description", |m| m.description = "x".repeat(1_001)),
            ("minimum-host", |m| m.minimum_host = "soon".into()),
            ("probe-hosts", |m| m.probe_hosts = vec!["*".into()]),
            ("probe-hosts", |m| m.world = World::DataSource),
        ];
        for (member, change) in cases {
            let mut changed = manifest();
            change(&mut changed);
            let error = Manifest::parse(&serde_json::to_vec(&changed).unwrap()).unwrap_err();
            assert!(matches!(&error, ManifestError::Member { member: m, .. } if *m == member), "{error}");
        }
        assert!(matches!(Manifest::parse(b"{}"), Err(ManifestError::Malformed(_))));
        assert!(matches!(Manifest::parse(&vec![b' '; MOST_BYTES + 1]), Err(ManifestError::TooLarge(_))));
    }
}
