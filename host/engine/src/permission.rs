//! Who may do what. Asked before anything is written.

use sluice_model::EnvironmentName;

use crate::config::{self, Config};
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
        let (ok, act, who) = match wish {
            Wish::TakePart => (true, String::new(), String::new()),
            Wish::BreakGlass => {
                let role = config.break_glass.as_ref().map(|rule| rule.role.as_str());
                (
                    role.is_some_and(|role| config.holds(&person, role)),
                    "break glass".to_owned(),
                    role.map_or_else(
                        || "nobody, as `sluice.toml` has no `[break_glass]` that names a role".to_owned(),
                        |role| format!("people with the role `{role}`"),
                    ),
                )
            }
            Wish::Build => (
                config.holds(&person, BUILDER) || config.owns_workspace(&person),
                "mark objects or cut versions".into(),
                format!("people with the role `{BUILDER}`"),
            ),
            Wish::Import(environment) => (
                config.owns(&person, environment)
                    || self.first_environment()? == *environment && config.holds(&person, BUILDER),
                format!("import into `{environment}`"),
                owners(config, environment),
            ),
            Wish::Own(environment) => (
                config.owns(&person, environment),
                format!("change what `{environment}` owns"),
                owners(config, environment),
            ),
            Wish::Promote(environment) => (
                config.owns(&person, environment) || config.holds(&person, RELEASE_MANAGER),
                format!("change what `{environment}` holds"),
                format!("{}, or people with the role `{RELEASE_MANAGER}`", owners(config, environment)),
            ),
        };
        if ok { Ok(()) } else { refuse(act, who) }
    }
}

fn owners(config: &Config, environment: &EnvironmentName) -> String {
    let names: Vec<String> = config
        .environment(environment)
        .map(|e| config.people_of(&e.owners).into_iter().map(ToString::to_string).collect())
        .unwrap_or_default();
    format!("the owners of `{environment}` ({})", names.join(", "))
}
