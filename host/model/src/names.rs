//! Names and identities, each a type of its own so that none is taken for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that breaks the rules of a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}: {rule}")]
pub struct BadName {
    text: String,
    what: &'static str,
    rule: &'static str,
}

/// Declares a text newtype whose only way in is a check.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and takes it as this name.
            ///
            /// # Errors
            /// When the text breaks the rule in the type's documentation.
            pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
                let text = text.into();
                let check: fn(&str) -> bool = $check;
                if check(&text) {
                    Ok(Self(text))
                } else {
                    Err(BadName { text: text.chars().take(80).collect(), what: $what, rule: $rule })
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`{}`", self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Lower-case words of letters and digits joined by single hyphens, 1 to 40 characters.
fn is_slug(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.split('-').all(|word| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

/// Some text of at most `most` bytes without control characters.
fn is_plain(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && !text.chars().any(char::is_control)
}

name!(
    /// An environment's name in configuration and commands, such as `staging`.
    EnvironmentName, "an environment's name",
    "use 1 to 40 lower-case letters, digits and single hyphens", is_slug
);

name!(
    /// An object's identity everywhere. The identity map ties it to each environment's native id.
    LogicalId, "a logical id", "use 1 to 300 bytes without control characters",
    |text| is_plain(text, 300)
);

name!(
    /// The id that a platform itself gave to an object in one environment.
    NativeId, "a native id", "use 1 to 300 bytes without control characters",
    |text| is_plain(text, 300)
);

name!(
    /// The named place for a secret in a data source, unique within the source.
    SlotName, "a secret slot's name", "use 1 to 200 bytes without control characters",
    |text| is_plain(text, 200)
);

name!(
    /// What an app calls a constant, with its scope: `constants.X` or `secrets.X`.
    ConstantName, "a constant's name", "write `constants.NAME` or `secrets.NAME`",
    |text| text.split_once('.').is_some_and(|(scope, name)| {
        matches!(scope, "constants" | "secrets")
            && is_plain(name, 200)
            && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
    })
);

impl ConstantName {
    /// Whether the platform keeps the value as a secret.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.0.starts_with("secrets.")
    }
}

/// A platform's own name for a sort of data source: the same database has other options elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// The platform, such as `tooljet`.
    pub platform: String,
    /// The platform's name of the kind, such as `postgresql`.
    pub name: String,
}

impl Kind {
    /// The kind `name` of `platform`.
    #[must_use]
    pub fn new(platform: &str, name: &str) -> Self {
        Self { platform: platform.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.platform, self.name)
    }
}

impl FromStr for Kind {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        match text.split_once('/') {
            Some((platform, name)) if is_slug(platform) && is_plain(name, 100) => {
                Ok(Self::new(platform, name))
            }
            _ => Err(BadName {
                text: text.chars().take(80).collect(),
                what: "a kind",
                rule: "write `PLATFORM/NAME`, such as `tooljet/postgresql`",
            }),
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a secret's value lies: `secret://<environment>/<path>`; never the value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef {
    environment: EnvironmentName,
    path: String,
}

impl SecretRef {
    /// The secret at `path` of `environment`. A path is segments joined by `/`.
    ///
    /// # Errors
    /// When a segment is empty, `.` or `..`, or holds a control character.
    pub fn new(environment: EnvironmentName, path: impl Into<String>) -> Result<Self, BadName> {
        let path = path.into();
        let ok = is_plain(&path, 500) && path.split('/').all(|s| !matches!(s, "" | "." | ".."));
        if ok {
            Ok(Self { environment, path })
        } else {
            Err(BadName {
                text: path.chars().take(80).collect(),
                what: "a secret's path",
                rule: "use segments joined by `/`, none of them empty, `.` or `..`",
            })
        }
    }

    /// The environment that owns the secret.
    #[must_use]
    pub const fn environment(&self) -> &EnvironmentName {
        &self.environment
    }

    /// The path within the environment.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret://{}/{}", self.environment, self.path)
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

impl FromStr for SecretRef {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let (environment, path) =
            text.strip_prefix("secret://").and_then(|rest| rest.split_once('/')).ok_or_else(|| BadName {
                text: text.chars().take(80).collect(),
                what: "a secret reference",
                rule: "write `secret://ENVIRONMENT/PATH`",
            })?;
        Self::new(EnvironmentName::new(environment)?, path)
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_rules() {
        for (text, ok) in [
            ("staging", true),
            ("pre-prod-2", true),
            ("", false),
            ("Staging", false),
            ("a--b", false),
            ("a/b", false),
        ] {
            assert_eq!(EnvironmentName::new(text).is_ok(), ok, "{text}");
        }
        for (text, ok) in
            [("constants.API", true), ("secrets.a_b", true), ("globals.x", false), ("constants.", false)]
        {
            assert_eq!(ConstantName::new(text).is_ok(), ok, "{text}");
        }
    }

    #[test]
    fn a_secret_reference_reads_as_it_is_written() {
        let text = "secret://production/orders-db/password";
        assert_eq!(text.parse::<SecretRef>().unwrap().to_string(), text);
        for bad in
            ["secret://production", "secret://production/../x", "http://x/y", "secret://P/x", "secret://p//x"]
        {
            assert!(bad.parse::<SecretRef>().is_err(), "{bad}");
        }
    }
}
