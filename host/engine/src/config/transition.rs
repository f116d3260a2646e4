//! Transitions: what gates stand before.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sluice_model::EnvironmentName;

use super::names::{BadText, serde_as_text};

/// A step that has gates of its own.
///
/// Written `development -> staging`, `release production`, `rollback production`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transition {
    /// A version goes on to the next environment.
    Promote {
        /// Where the version is.
        from: EnvironmentName,
        /// Where it goes.
        to: EnvironmentName,
    },
    /// A version becomes the one that end users of the environment get.
    Release(EnvironmentName),
    /// A promotion into the environment is taken back.
    Rollback(EnvironmentName),
}

impl Transition {
    /// The environment that the transition changes.
    #[must_use]
    pub const fn environment(&self) -> &EnvironmentName {
        match self {
            Self::Promote { to: environment, .. }
            | Self::Release(environment)
            | Self::Rollback(environment) => environment,
        }
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Promote { from, to } => write!(f, "{from} -> {to}"),
            Self::Release(environment) => write!(f, "release {environment}"),
            Self::Rollback(environment) => write!(f, "rollback {environment}"),
        }
    }
}

impl FromStr for Transition {
    type Err = BadText;

    fn from_str(text: &str) -> Result<Self, BadText> {
        let name = |part: &str| EnvironmentName::new(part.trim()).ok();
        let parsed = if let Some((from, to)) = text.split_once("->") {
            name(from).zip(name(to)).map(|(from, to)| Self::Promote { from, to })
        } else {
            match text.trim().split_once(' ') {
                Some(("release", environment)) => name(environment).map(Self::Release),
                Some(("rollback", environment)) => name(environment).map(Self::Rollback),
                _ => None,
            }
        };
        parsed.ok_or_else(|| {
            BadText::new(
                text,
                "a transition",
                "write `ENVIRONMENT -> ENVIRONMENT`, `release ENVIRONMENT` or `rollback ENVIRONMENT`",
            )
        })
    }
}

serde_as_text!(Transition);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_it_is_written() {
        for (text, written) in [
            ("development -> staging", Some("development -> staging")),
            ("development->staging", Some("development -> staging")),
            ("release production", Some("release production")),
            ("rollback  production", Some("rollback production")),
            ("development -> staging -> production", None),
            ("release", None),
            ("promote staging", None),
            ("-> staging", None),
            ("", None),
        ] {
            let read = text.parse::<Transition>().ok().map(|t| t.to_string());
            assert_eq!(read.as_deref(), written, "{text}");
        }
    }
}
