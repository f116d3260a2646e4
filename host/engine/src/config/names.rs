//! Names, spans of time and sizes as `sluice.toml` writes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that `sluice.toml` does not take in this place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}: {rule}")]
pub struct BadText {
    text: String,
    what: &'static str,
    rule: &'static str,
}

impl BadText {
    pub(super) fn new(text: &str, what: &'static str, rule: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), what, rule }
    }
}

/// Declares a text newtype whose only way in is a check.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadText;

            fn from_str(text: &str) -> Result<Self, BadText> {
                if is_slug(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadText::new(text, $what, "use 1 to 40 lower-case letters, digits and single hyphens"))
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`{}`", self.0)
            }
        }

        serde_as_text!($name);
    };
}

/// Serialises a type through its `Display` and `FromStr`.
macro_rules! serde_as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(super) use serde_as_text;

fn is_slug(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.split('-').all(|word| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

name!(
    /// The tenant's name; every key in the store begins with it.
    WorkspaceName,
    "a workspace's name"
);
name!(
    /// A person's name in configuration, commands and the ledger.
    PersonName,
    "a person's name"
);
name!(
    /// What a person may be asked for, such as `approver`.
    RoleName,
    "a role's name"
);
name!(
    /// A named calendar of allowed and frozen times.
    CalendarName,
    "a calendar's name"
);
name!(
    /// What the workspace calls a plugin.
    PluginName,
    "a plugin's name"
);
name!(
    /// Who publishes plugins, as the configuration calls them.
    PublisherName,
    "a publisher's name"
);
name!(
    /// A gate's name, unique on its transition.
    GateName,
    "a gate's name"
);
name!(
    /// What the configuration says of an app, such as `payments`.
    LabelName,
    "a label"
);
name!(
    /// A policy's name, which is that of its folder under `policies/`.
    PolicyName,
    "a policy's name"
);

/// The person's name in `text`, where it can be one.
#[must_use]
pub fn person(text: &str) -> Option<PersonName> {
    text.parse().ok()
}

/// Someone who owns something: a person, or whoever holds a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// This person; written as the name.
    Person(PersonName),
    /// Everyone who holds this role; written `role:NAME`.
    Role(RoleName),
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => write!(f, "{name}"),
            Self::Role(name) => write!(f, "role:{name}"),
        }
    }
}

impl FromStr for Principal {
    type Err = BadText;

    fn from_str(text: &str) -> Result<Self, BadText> {
        match text.strip_prefix("role:") {
            Some(role) => role.parse().map(Self::Role),
            None => text.parse().map(Self::Person),
        }
    }
}

serde_as_text!(Principal);

/// A length of time in whole seconds; written as a number and a unit, such as `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeSpan(u64);

/// Units and their seconds, longest first.
const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl TimeSpan {
    /// So many days.
    #[must_use]
    pub const fn days(days: u32) -> Self {
        Self(days as u64 * 86_400)
    }

    /// The seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Weeks are read but not written: `14d` is what people compare.
        let (unit, seconds) = UNITS
            .into_iter()
            .skip(1)
            .find(|(_, seconds)| self.0 > 0 && self.0.is_multiple_of(*seconds))
            .unwrap_or(('s', 1));
        write!(f, "{}{unit}", self.0 / seconds)
    }
}

impl FromStr for TimeSpan {
    type Err = BadText;

    fn from_str(text: &str) -> Result<Self, BadText> {
        UNITS
            .into_iter()
            .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
            .filter(|(digits, _)| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|(digits, seconds)| digits.parse::<u64>().ok()?.checked_mul(seconds))
            .map(Self)
            .ok_or_else(|| {
                BadText::new(
                    text,
                    "a length of time",
                    "write a number and one of `s`, `m`, `h`, `d`, `w`, such as `7d`",
                )
            })
    }
}

serde_as_text!(TimeSpan);

/// A number of bytes; written as a number and a unit, such as `64 MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// Units and their bytes, largest first.
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl ByteSize {
    /// So many mebibytes.
    #[must_use]
    pub const fn mebibytes(count: u32) -> Self {
        Self((count as u64) << 20)
    }

    /// So many bytes.
    #[must_use]
    pub const fn of(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, bytes) = SIZES
            .into_iter()
            .find(|(_, bytes)| self.0 > 0 && self.0.is_multiple_of(*bytes))
            .unwrap_or(("B", 1));
        write!(f, "{} {unit}", self.0 / bytes)
    }
}

impl FromStr for ByteSize {
    type Err = BadText;

    fn from_str(text: &str) -> Result<Self, BadText> {
        SIZES
            .into_iter()
            .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?.trim_end(), bytes)))
            .filter(|(digits, _)| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|(digits, bytes)| digits.parse::<u64>().ok()?.checked_mul(bytes))
            .map(Self)
            .ok_or_else(|| {
                BadText::new(
                    text,
                    "a size",
                    "write a number and one of `B`, `KiB`, `MiB`, `GiB`, such as `64 MiB`",
                )
            })
    }
}

serde_as_text!(ByteSize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_and_sizes_read_and_write() {
        for (text, seconds, written) in [
            ("7d", 604_800, "7d"),
            ("2w", 1_209_600, "14d"),
            ("90m", 5_400, "90m"),
            ("120m", 7_200, "2h"),
            ("0s", 0, "0s"),
        ] {
            let span: TimeSpan = text.parse().unwrap();
            assert_eq!((span.seconds(), span.to_string().as_str()), (seconds, written), "{text}");
        }
        for (text, bytes, written) in [
            ("64 MiB", 67_108_864, "64 MiB"),
            ("64MiB", 67_108_864, "64 MiB"),
            ("1025 B", 1_025, "1025 B"),
            ("2048 KiB", 2_097_152, "2 MiB"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, written), "{text}");
        }
        for bad in ["", "d", "7", "-7d", "+7d", "7 d", "1.5h", "99999999999999999999d", "9999999999999999w"] {
            assert!(bad.parse::<TimeSpan>().is_err(), "{bad}");
        }
        for bad in ["", "MiB", "64", "64 MB", "-1 B", "99999999999 GiB", "é MiB"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_owner_is_a_person_or_a_role() {
        assert_eq!("ada".parse::<Principal>().unwrap(), Principal::Person("ada".parse().unwrap()));
        let role: Principal = "role:approver".parse().unwrap();
        assert_eq!(role, Principal::Role("approver".parse().unwrap()));
        assert_eq!(role.to_string(), "role:approver");
        assert!("role:".parse::<Principal>().is_err());
        assert!("Ada".parse::<Principal>().is_err());
    }
}
