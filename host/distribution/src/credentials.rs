//! What one is known by to registries. All of it is handed in: nothing here reads an environment
//! variable or starts a program.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;
use sluice_model::json::{self, ReadError};
use zeroize::Zeroizing;

/// Bytes of docker's configuration. 1 MiB: it has some lines for each registry.
const CONFIG_BYTES: usize = 1 << 20;

/// What docker calls its own registry.
const DOCKER: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// Users and passwords by registry. A password goes to the registry that it is for and to no other.
#[derive(Debug, Clone, Default)]
pub struct Credentials(BTreeMap<String, Known>);

/// What is known for one registry.
#[derive(Clone)]
enum Known {
    Login {
        user: String,
        password: Zeroizing<String>,
    },
    Token(Zeroizing<String>),
    /// Something that cannot be used, in words.
    Unusable(String),
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login { user, .. } => f.debug_struct("Login").field("user", user).finish_non_exhaustive(),
            Self::Token(_) => f.write_str("Token"),
            Self::Unusable(why) => f.debug_tuple("Unusable").field(why).finish(),
        }
    }
}

/// Docker's configuration cannot be read. What it holds is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotACredential {
    /// Not JSON.
    #[error("docker's configuration is not JSON: {0}")]
    Json(ReadError),
    /// Other members than docker writes.
    #[error(
        "docker's configuration has not the form of `{{\"auths\": {{\"REGISTRY\": {{\"auth\": \"…\"}}}}}}`"
    )]
    Shape,
    /// Not base64 of `user:password`.
    #[error("docker's configuration has for `{registry}` an `auth` that is not base64 of `user:password`")]
    Auth {
        /// The registry as it is written there.
        registry: String,
    },
}

/// `config.json` of docker, as far as it is read.
#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct DockerAuth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl Credentials {
    /// Of somebody that no registry knows.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// With a user and password for one registry, which is written as in references: host and, where it
    /// has one, port. They count before those of docker's configuration, whichever is added first.
    #[must_use]
    pub fn with_login(mut self, registry: &str, user: &str, password: &str) -> Self {
        let login = Known::Login { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) };
        self.0.insert(key(registry), login);
        self
    }

    /// With what docker's `config.json` has: passwords and registry tokens under `auths`. Helper programs
    /// that it names are not run, and identity tokens not exchanged; a registry that then refuses says so.
    ///
    /// # Errors
    /// When it is not of docker's form.
    pub fn with_docker_config(mut self, bytes: &[u8]) -> Result<Self, NotACredential> {
        let value = json::read(bytes, CONFIG_BYTES).map_err(NotACredential::Json)?;
        let config: DockerConfig = serde_json::from_value(value).map_err(|_| NotACredential::Shape)?;
        for (registry, auth) in config.auths {
            let known = auth.known(&registry, config.store.as_deref())?;
            self.0.entry(key(&registry)).or_insert(known);
        }
        for (registry, helper) in config.helpers {
            self.0.entry(key(&registry)).or_insert_with(|| in_helper(&helper));
        }
        Ok(self)
    }

    /// How to sign in.
    pub(crate) fn auth(&self, registry: &str) -> RegistryAuth {
        match self.0.get(&key(registry)) {
            Some(Known::Login { user, password }) => {
                RegistryAuth::Basic(user.clone(), String::clone(password))
            }
            Some(Known::Token(token)) => RegistryAuth::Bearer(String::clone(token)),
            Some(Known::Unusable(_)) | None => RegistryAuth::Anonymous,
        }
    }

    /// What to say of a registry that refuses.
    pub(crate) fn refused(&self, registry: &str) -> String {
        match self.0.get(&key(registry)) {
            Some(Known::Login { user, .. }) => {
                format!("the password of the user `{user}` is wrong, or that user may not do this")
            }
            Some(Known::Token(_)) => "the token is wrong or expired, or does not allow this".to_owned(),
            Some(Known::Unusable(why)) => why.clone(),
            None => "it wants a user and password, and none are known for it".to_owned(),
        }
    }
}

impl DockerAuth {
    fn known(self, registry: &str, store: Option<&str>) -> Result<Known, NotACredential> {
        if !self.registrytoken.is_empty() {
            return Ok(Known::Token(Zeroizing::new(self.registrytoken)));
        }
        if !self.identitytoken.is_empty() {
            let why = "docker's configuration has an identity token for it, which is not supported; give a user and password";
            return Ok(Known::Unusable(why.to_owned()));
        }
        if !self.username.is_empty() {
            return Ok(Known::Login { user: self.username, password: Zeroizing::new(self.password) });
        }
        if self.auth.is_empty() {
            return Ok(in_helper(store.unwrap_or_default()));
        }
        let wrong = || NotACredential::Auth { registry: registry.chars().take(100).collect() };
        let bytes = STANDARD.decode(self.auth.as_bytes()).map(Zeroizing::new).map_err(|_| wrong())?;
        let text = str::from_utf8(&bytes).map_err(|_| wrong())?;
        let (user, password) = text.split_once(':').ok_or_else(wrong)?;
        // Docker pads with zero bytes.
        let password = password.trim_end_matches('\0');
        Ok(Known::Login { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) })
    }
}

fn in_helper(helper: &str) -> Known {
    Known::Unusable(format!(
        "docker keeps the password in a program, `{helper}`, which is not run; give a user and password"
    ))
}

/// A registry as docker's configuration and references write it: without scheme and path.
fn key(registry: &str) -> String {
    let rest = registry.split_once("://").map_or(registry, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default().to_ascii_lowercase();
    if DOCKER.contains(&host.as_str()) { "docker.io".to_owned() } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> RegistryAuth {
        RegistryAuth::Basic(user.into(), password.into())
    }

    #[test]
    fn dockers_configuration_is_read() {
        let config = serde_json::json!({
            "auths": {
                "registry.example:5000": { "auth": STANDARD.encode("me:pass:word") },
                "https://index.docker.io/v1/": { "auth": STANDARD.encode("you:1234\0\0") },
                "https://plain.example": { "username": "u", "password": "p" },
                "token.example": { "registrytoken": "abc" },
                "identity.example": { "auth": STANDARD.encode("<token>:"), "identitytoken": "abc" },
                "store.example": {}
            },
            "credsStore": "desktop",
            "credHelpers": { "cloud.example": "ecr-login" },
            "proxies": {}
        });
        let config = serde_json::to_vec(&config).unwrap();
        let known = Credentials::none().with_docker_config(&config).unwrap();
        for (registry, expected) in [
            ("registry.example:5000", basic("me", "pass:word")),
            ("registry.example", RegistryAuth::Anonymous),
            ("docker.io", basic("you", "1234")),
            ("plain.example", basic("u", "p")),
            ("token.example", RegistryAuth::Bearer("abc".into())),
            ("identity.example", RegistryAuth::Anonymous),
        ] {
            assert!(known.auth(registry) == expected, "{registry}");
        }
        for (registry, expected) in [
            ("registry.example:5000", "the password of the user `me` is wrong"),
            ("registry.example", "none are known for it"),
            ("identity.example", "identity token"),
            ("store.example", "in a program, `desktop`"),
            ("cloud.example", "in a program, `ecr-login`"),
        ] {
            assert!(known.refused(registry).contains(expected), "{}", known.refused(registry));
        }
        let shown = format!("{known:?}");
        assert!(!shown.contains("pass:word") && !shown.contains("1234") && !shown.contains("abc"), "{shown}");
    }

    #[test]
    fn what_is_given_goes_before_what_docker_has_and_to_its_registry_only() {
        let config = br#"{"auths":{"registry.example":{"username":"docker","password":"d"}}}"#;
        let before = Credentials::none().with_login("registry.example", "me", "m");
        for known in [
            before.clone().with_docker_config(config).unwrap(),
            Credentials::none().with_docker_config(config).unwrap().with_login("registry.example", "me", "m"),
        ] {
            assert!(known.auth("registry.example") == basic("me", "m"));
            assert!(known.auth("evil.example") == RegistryAuth::Anonymous);
        }
    }

    #[test]
    fn a_broken_configuration_is_refused_without_repeating_it() {
        for (config, expected) in [
            (&b"{"[..], "is not JSON"),
            (br#"{"auths":["hunter2"]}"#, "has not the form"),
            (br#"{"auths":{"a.example":{"auth":"hunter2"}}}"#, "has for `a.example` an `auth`"),
            (br#"{"auths":{"a.example":{"auth":"aHVudGVyMg=="}}}"#, "has for `a.example` an `auth`"),
        ] {
            let error = Credentials::none().with_docker_config(config).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
    }
}
