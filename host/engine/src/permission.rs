//! Who may do what. Asked before anything is written.

use sluice_model::EnvironmentName;

use crate::config::{self, Config, PersonName};
use crate::error::{Error, Result};
use crate::records::Actor;
use crate::workspace::Workspace;

/// The role that promotes, releases and rolls back.
pub const RELEASE_MANAGER: &str = "release-manager";

/// The role that imports, marks and cuts.
pub const BUILDER: &str = "builder";

/// What somebody wants to do.
#[derive(Debug, Clone, Copy)]
pub enum Wish<'a> {
    /// Read an export into an environment.
    Import(&'a EnvironmentName),
    /// Mark objects as managed, or cut a version.
    Build,
    /// Change what an environment owns.
    Own(&'a EnvironmentName),
    /// Promote into, release in or roll back an environment.
    Promote(&'a EnvironmentName),
    /// Break glass.
    BreakGlass,
    /// Bring evidence, approve, override, waive, judge a suspicion: anybody in the configuration.
    TakePart,
}

impl Wish<'_> {
    /// Whether a configuration lets a person do it.
    #[must_use]
    pub fn is_granted(self, config: &Config, person: &PersonName) -> bool {
        match self {
            Self::TakePart => config.people.contains_key(person),
            Self::BreakGlass => {
                config.break_glass.as_ref().is_some_and(|rule| config.holds(person, rule.role.as_str()))
            }
            Self::Build => config.holds(person, BUILDER) || config.owns_workspace(person),
            Self::Import(environment) => {
                let is_first = config.first_environment().is_some_and(|first| first.name == *environment);
                config.owns(person, environment) || is_first && config.holds(person, BUILDER)
            }
            Self::Own(environment) => config.owns(person, environment),
            Self::Promote(environment) => {
                config.owns(person, environment) || config.holds(person, RELEASE_MANAGER)
            }
        }
    }

    /// What it is, and who may, in words.
    fn told(self, config: &Config) -> (String, String) {
        match self {
            Self::TakePart => {
                ("take part in this workspace".into(), "people whom `sluice.toml` names".into())
            }
            Self::BreakGlass => (
                "break glass".to_owned(),
                config.break_glass.as_ref().map_or_else(
                    || "nobody, as `sluice.toml` has no `[break_glass]` that names a role".to_owned(),
                    |rule| format!("people with the role `{}`", rule.role),
                ),
            ),
            Self::Build => {
                ("mark objects or cut versions".into(), format!("people with the role `{BUILDER}`"))
            }
            Self::Import(environment) => {
                (format!("import into `{environment}`"), owners(config, environment))
            }
            Self::Own(environment) => {
                (format!("change what `{environment}` owns"), owners(config, environment))
            }
            Self::Promote(environment) => (
                format!("change what `{environment}` holds"),
                format!("{}, or people with the role `{RELEASE_MANAGER}`", owners(config, environment)),
            ),
        }
    }
}

impl Workspace {
    /// Refuses what the actor may not do. The actor's key must be the one in the configuration.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] says who may.
    pub fn permit(&self, actor: &Actor, wish: Wish<'_>) -> Result<()> {
        let config = self.config()?;
        if let Wish::Import(environment) | Wish::Own(environment) | Wish::Promote(environment) = wish {
            self.known_environment(environment)?;
        }
        let refuse =
            |act: String, who: String| Err(Error::NotPermitted { actor: actor.name.clone(), act, who });
        if config.key_of(&actor.name) != Some(actor.key.public()) {
            let who = "people whom `sluice.toml` names, each with the key that stands there";
            return refuse("act in this workspace with this key".into(), who.into());
        }
        let Some(person) = config::person(&actor.name) else {
            return refuse("act in this workspace".into(), "people whom `sluice.toml` names".into());
        };
        if wish.is_granted(config, &person) {
            return Ok(());
        }
        let (act, who) = wish.told(config);
        refuse(act, who)
    }
}

fn owners(config: &Config, environment: &EnvironmentName) -> String {
    let names: Vec<String> = config
        .environment(environment)
        .map(|e| config.people_of(&e.owners).into_iter().map(ToString::to_string).collect())
        .unwrap_or_default();
    format!("the owners of `{environment}` ({})", names.join(", "))
}
