//! Where a plugin comes from or goes to, as people write it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sluice_model::Digest;
use sluice_model::digest::NotADigest;

/// Bytes of a reference. 4,096: the longest path that common systems take.
const MOST_BYTES: usize = 4_096;

/// Bytes of a repository's name; the distribution specification's bound for host and name together.
const NAME_BYTES: usize = 255;

/// Bytes of a tag (OCI distribution specification 1.1, "Pulling manifests").
const TAG_BYTES: usize = 128;

/// What a reference into a registry begins with.
const SCHEME: &str = "oci://";

/// What a component's file is called.
const COMPONENT: &str = ".wasm";

/// One place of a plugin, as it is written and, if so, with the digest that it is pinned to.
///
/// | written | is |
/// |---|---|
/// | `oci://REGISTRY/REPOSITORY:TAG` | what a registry holds under a tag |
/// | `oci://REGISTRY/REPOSITORY@sha256:…` | the artefact with that manifest digest, and no other |
/// | `oci://REGISTRY/REPOSITORY` | all its versions: something to ask [`tags`](crate::tags) of |
/// | `PATH/NAME.wasm` | a file, with `NAME.sig.json` and `NAME.manifest.json` beside it |
/// | `FOLDER/NAME` | the same files, by the plugin's name |
/// | `FOLDER` | a folder that holds one plugin |
///
/// A path, too, can be pinned: `PATH@sha256:…`, with the digest of the component. What is parsed is
/// written again byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    pub(crate) place: Place,
    /// In a registry the digest of the artefact's manifest, elsewhere that of the component.
    pub(crate) digest: Option<Digest>,
}

/// The place alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    /// A repository and, where one is named, a tag.
    Registry(Repository, Option<Tag>),
    /// A path that ends in `.wasm`.
    File(String),
    /// A path without that ending: a folder, or a folder and a plugin's name.
    Folder(String),
}

/// A repository of a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Repository {
    /// Host and, where it is written, port.
    pub(crate) registry: String,
    /// The name within the registry.
    pub(crate) name: String,
}

/// A version's name in a registry: a tag of the OCI distribution specification.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

/// A text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAReference {
    /// Nothing, too much, or control characters.
    #[error("a plugin's place has 1 to {MOST_BYTES} bytes and no control characters")]
    Text,
    /// A scheme that is not served.
    #[error(
        "`{scheme}://` is not understood; write `{SCHEME}REGISTRY/REPOSITORY:VERSION` for a registry, a path for a file"
    )]
    Scheme {
        /// What stands before `://`.
        scheme: String,
    },
    /// A user or password; what was written is not repeated.
    #[error("a registry is written without user and password; hand them over as credentials")]
    Login,
    /// No host name or address.
    #[error("the registry `{0}` is no host name or address in lower case with an optional port")]
    Registry(String),
    /// No repository's name.
    #[error(
        "the repository `{0}` is no path of lower-case letters and digits, with single `.`, `_` or `-` within"
    )]
    Repository(String),
    /// No tag.
    #[error(
        "the version `{0}` is no tag: it has up to {TAG_BYTES} letters, digits, `_`, `.` and `-`, and begins with none of the last two"
    )]
    Tag(String),
    /// No digest.
    #[error(transparent)]
    Digest(#[from] NotADigest),
    /// A tag and a digest, of which only one can count.
    #[error("`{0}` names a version and a digest; write one of them")]
    Both(String),
    /// A path that looks like a registry's.
    #[error("`{0}` is neither a file nor a folder; for a registry write `{SCHEME}{0}`")]
    Colon(String),
}

impl Reference {
    /// Whether it leads into a registry.
    #[must_use]
    pub const fn is_registry(&self) -> bool {
        matches!(self.place, Place::Registry(..))
    }

    /// Host and port of the registry, as they are written, if it leads into one.
    #[must_use]
    pub fn registry(&self) -> Option<&str> {
        match &self.place {
            Place::Registry(repository, _) => Some(&repository.registry),
            Place::File(_) | Place::Folder(_) => None,
        }
    }

    /// The tag that it names.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        match &self.place {
            Place::Registry(_, tag) => tag.as_ref(),
            Place::File(_) | Place::Folder(_) => None,
        }
    }

    /// The digest that it is pinned to: of the artefact's manifest in a registry, of the component
    /// elsewhere.
    #[must_use]
    pub const fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same place, pinned to `digest`.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Self {
        let place = match &self.place {
            Place::Registry(repository, _) => Place::Registry(repository.clone(), None),
            path => path.clone(),
        };
        Self { place, digest: Some(digest) }
    }

    /// The same place, with whatever is there now.
    #[must_use]
    pub fn unpinned(&self) -> Self {
        Self { place: self.place.clone(), digest: None }
    }

    /// Another version in the same repository; `None` outside of registries, where there is one only.
    #[must_use]
    pub fn at(&self, tag: Tag) -> Option<Self> {
        match &self.place {
            Place::Registry(repository, _) => {
                Some(Self { place: Place::Registry(repository.clone(), Some(tag)), digest: None })
            }
            Place::File(_) | Place::Folder(_) => None,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Registry(repository, tag) => {
                write!(f, "{SCHEME}{}/{}", repository.registry, repository.name)?;
                if let Some(tag) = tag {
                    write!(f, ":{tag}")?;
                }
            }
            Place::File(path) | Place::Folder(path) => f.write_str(path)?,
        }
        match self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Reference {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.len() > MOST_BYTES || text.chars().any(char::is_control) {
            return Err(NotAReference::Text);
        }
        match text.strip_prefix(SCHEME) {
            Some(rest) => in_registry(rest),
            None => path(text),
        }
    }
}

fn in_registry(rest: &str) -> Result<Reference, NotAReference> {
    let (registry, rest) = rest.split_once('/').unwrap_or((rest, ""));
    if registry.contains('@') {
        return Err(NotAReference::Login);
    }
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse()?)),
        None => (rest, None),
    };
    let (name, tag) = match rest.split_once(':') {
        Some((name, tag)) => (name, Some(tag.parse()?)),
        None => (rest, None),
    };
    if digest.is_some() && tag.is_some() {
        return Err(NotAReference::Both(shown(rest)));
    }
    let repository = Repository { registry: registry.to_owned(), name: name.to_owned() };
    if repository.host_and_port().is_none() {
        return Err(NotAReference::Registry(shown(registry)));
    }
    if !is_name(name) {
        return Err(NotAReference::Repository(shown(name)));
    }
    Ok(Reference { place: Place::Registry(repository, tag), digest })
}

fn path(text: &str) -> Result<Reference, NotAReference> {
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(NotAReference::Scheme { scheme: shown(scheme) });
    }
    let (path, digest) = match text.rsplit_once('@') {
        Some((path, digest)) if digest.starts_with("sha256:") => (path, Some(digest.parse()?)),
        _ => (text, None),
    };
    let last = path.rsplit(['/', '\\']).next().unwrap_or_default();
    if path.is_empty() {
        return Err(NotAReference::Text);
    }
    let place = if last.len() > COMPONENT.len() && last.ends_with(COMPONENT) {
        Place::File(path.to_owned())
    } else if last.contains(':') {
        return Err(NotAReference::Colon(shown(path)));
    } else {
        Place::Folder(path.to_owned())
    };
    Ok(Reference { place, digest })
}

/// What of a text is repeated in a message.
fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}

/// Whether it is a repository's name: components of lower-case letters and digits, joined by `/`,
/// and within by `.`, `_`, `__` or any number of `-`.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_component = |component: &str| {
        let joints = component.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        component.bytes().next().is_some_and(is_plain)
            && component.bytes().last().is_some_and(is_plain)
            && joints
                .into_iter()
                .all(|joint| matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|byte| byte == b'-'))
    };
    name.len() <= NAME_BYTES && name.split('/').all(is_component)
}

impl Repository {
    /// Host, without the brackets of an IPv6 address, and port; `None` where the text is neither.
    pub(crate) fn host_and_port(&self) -> Option<(&str, u16)> {
        let (host, port) = match self.registry.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (self.registry.as_str(), None),
        };
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok().then_some(address)?,
            None => host.split('.').all(is_label).then_some(host)?,
        };
        let port = match port {
            // `parse` would take a sign and leading zeros.
            Some(digits) if digits.starts_with(|c: char| c.is_ascii_digit() && c != '0') => {
                digits.parse().ok()?
            }
            Some(_) => return None,
            None if is_loopback(host) => 80,
            None => 443,
        };
        Some((host, port))
    }

    /// Whether the registry is on this very machine, by its name or address. Only there plain HTTP is
    /// spoken, and there nothing else.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host_and_port().is_some_and(|(host, _)| is_loopback(host))
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Tag {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_tag = text.len() <= TAG_BYTES
            && text.bytes().next().is_some_and(is_word)
            && text.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-');
        if is_tag { Ok(Self(text.to_owned())) } else { Err(NotAReference::Tag(shown(text))) }
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn what_is_written_is_understood_and_written_again() {
        for (text, is_registry, registry, tag, is_pinned) in [
            ("oci://registry.example/acme/sql:1.2.0", true, Some("registry.example"), Some("1.2.0"), false),
            ("oci://registry.example:5000/sql", true, Some("registry.example:5000"), None, false),
            ("oci://localhost:5000/a-b/c__d/e.f:latest", true, Some("localhost:5000"), Some("latest"), false),
            ("oci://[::1]:5000/sql:1", true, Some("[::1]:5000"), Some("1"), false),
            (&format!("oci://127.0.0.1/sql@{DIGEST}"), true, Some("127.0.0.1"), None, true),
            ("./sql.wasm", false, None, None, false),
            ("sql.wasm", false, None, None, false),
            ("/opt/plugins/sql", false, None, None, false),
            ("..", false, None, None, false),
            ("C:\\plugins\\sql.wasm", false, None, None, false),
            ("at@home/sql.wasm", false, None, None, false),
            (&format!("./plugins/sql@{DIGEST}"), false, None, None, true),
            (&format!("sql.wasm@{DIGEST}"), false, None, None, true),
        ] {
            let read: Reference = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(read.to_string(), text);
            assert_eq!(read.is_registry(), is_registry, "{text}");
            assert_eq!(read.registry(), registry, "{text}");
            assert_eq!(read.tag().map(Tag::as_str), tag, "{text}");
            assert_eq!(read.digest().is_some(), is_pinned, "{text}");
            let pinned = read.pinned(Digest::of(b""));
            assert!(pinned.to_string().ends_with(&format!("@{DIGEST}")), "{pinned}");
            assert_eq!(pinned.unpinned().digest(), None, "{text}");
            assert_eq!(pinned.to_string().parse(), Ok(pinned), "{text}");
            let json = serde_json::to_string(&read).unwrap();
            assert_eq!(serde_json::from_str::<Reference>(&json).unwrap(), read);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, expected) in [
            (String::new(), "1 to 4096 bytes"),
            ("a\nb".into(), "no control characters"),
            ("x".repeat(5_000), "1 to 4096 bytes"),
            (format!("@{DIGEST}"), "1 to 4096 bytes"),
            ("https://registry.example/sql:1".into(), "`https://` is not understood; write `oci://"),
            ("registry.example/acme/sql:1.0".into(), "write `oci://registry.example/acme/sql:1.0`"),
            ("oci://".into(), "the registry `` is no host name"),
            ("oci://registry.example".into(), "the repository `` is no path"),
            ("oci://registry.example/".into(), "the repository `` is no path"),
            ("oci://Registry.example/sql:1".into(), "the registry `Registry.example`"),
            ("oci://registry.example:0/sql:1".into(), "the registry `registry.example:0`"),
            ("oci://registry.example:+5/sql:1".into(), "the registry `registry.example:+5`"),
            ("oci://registry.example:65536/sql:1".into(), "the registry `registry.example:65536`"),
            ("oci://a..b/sql:1".into(), "the registry `a..b`"),
            ("oci://[::g]/sql:1".into(), "the registry `[::g]`"),
            ("oci://registry.example/Sql:1".into(), "the repository `Sql`"),
            ("oci://registry.example/a//b:1".into(), "the repository `a//b`"),
            ("oci://registry.example/a/../b:1".into(), "the repository `a/../b`"),
            ("oci://registry.example/a?b:1".into(), "the repository `a?b`"),
            ("oci://registry.example/a___b:1".into(), "the repository `a___b`"),
            ("oci://registry.example/sql:".into(), "the version `` is no tag"),
            ("oci://registry.example/sql:.1".into(), "the version `.1` is no tag"),
            ("oci://registry.example/sql:1/2".into(), "the version `1/2` is no tag"),
            (format!("oci://registry.example/sql:{}", "1".repeat(129)), "is no tag"),
            (format!("oci://registry.example/sql:1@{DIGEST}"), "names a version and a digest"),
            ("oci://registry.example/sql@sha256:12".into(), "`sha256:12` is not a digest"),
            ("./sql.wasm@sha256:12".into(), "`sha256:12` is not a digest"),
        ] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        for text in ["oci://me:hunter2@registry.example/sql:1", "https://me:hunter2@registry.example/sql:1"] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        for (registry, expected) in [
            ("localhost", Some(("localhost", 80, true))),
            ("127.0.0.1:5000", Some(("127.0.0.1", 5000, true))),
            ("[::1]:5000", Some(("::1", 5000, true))),
            ("registry.example", Some(("registry.example", 443, false))),
            ("localhost.example:80", Some(("localhost.example", 80, false))),
            ("10.0.0.1", Some(("10.0.0.1", 443, false))),
            ("[2001:db8::1]", Some(("2001:db8::1", 443, false))),
            ("a:b:1", None),
        ] {
            let repository = Repository { registry: registry.into(), name: "sql".into() };
            let read = repository.host_and_port().map(|(host, port)| (host, port, repository.is_loopback()));
            assert_eq!(read, expected, "{registry}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_misread(text in "(oci://)?[a-z0-9.:@/_-]{0,40}(:[a-zA-Z0-9._-]{1,8}|@sha256:[0-9a-f]{64})?") {
            if let Ok(read) = text.parse::<Reference>() {
                prop_assert_eq!(read.to_string(), text.clone());
                prop_assert_eq!(read.is_registry(), text.starts_with("oci://"));
                prop_assert!(read.tag().is_none() || read.digest().is_none());
            }
        }

        #[test]
        fn what_is_put_together_by_the_rules_is_understood(
            host in "[a-z][a-z0-9-]{0,10}(\\.[a-z0-9]{1,8}){0,2}(:[1-9][0-9]{0,3})?",
            name in "[a-z0-9]{1,6}([._-][a-z0-9]{1,6}){0,2}(/[a-z0-9]{1,6}){0,2}",
            tag in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,30}",
        ) {
            let text = format!("oci://{host}/{name}:{tag}");
            let read = text.parse::<Reference>().map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
            prop_assert_eq!(read.registry(), Some(host.as_str()));
            prop_assert_eq!(read.tag().map(Tag::as_str), Some(tag.as_str()));
        }
    }
}
