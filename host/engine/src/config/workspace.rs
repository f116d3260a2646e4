//! A workspace's configuration, checked: every name in it refers to something that is there.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_ledger::PublicKey;
use sluice_model::verdict::Level;
use sluice_model::{Digest, EnvironmentName, Kind, json};
use sluice_plugin::PluginLimits;
use sluice_policy::calendar::Calendar;
use sluice_vault::edge::{HostPattern, PrivateRange};

use super::app_names::AppNames;
use super::names::{
    ByteSize, CalendarName, GateName, LabelName, PersonName, PluginName, PolicyName, Principal,
    PublisherName, RoleName, TimeSpan, WorkspaceName,
};
use super::pattern::NamePattern;
use super::selector::ChangeName;
use super::transition::Transition;

/// Roles that every workspace has.
pub const BUILT_IN_ROLES: [&str; 4] = ["approver", "auditor", "builder", "release-manager"];

/// Environments that every workspace has, in this order: the first is the first of all, the last
/// the last.
pub const BUILT_IN_ENVIRONMENTS: [&str; 3] = ["development", "staging", "production"];

/// What `sluice.toml` says, checked and without its layout: two files that say the same are equal
/// and have the same digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The workspace's name.
    pub workspace: WorkspaceName,
    /// Who may adopt a configuration.
    pub owners: BTreeSet<Principal>,
    /// Why one person alone acts here; there is one person exactly if this is said.
    pub single_operator: Option<String>,
    /// The roles there are, the built-in ones among them.
    pub roles: BTreeSet<RoleName>,
    /// The people, by name.
    pub people: BTreeMap<PersonName, Person>,
    /// The environments, in the order of promotion. Never empty.
    pub environments: Vec<Environment>,
    /// The calendars, by name.
    pub calendars: BTreeMap<CalendarName, Calendar>,
    /// What is said of apps, in order.
    pub apps: Vec<Labelled>,
    /// What stands before each transition. A transition that is not here does not take place.
    pub transitions: BTreeMap<Transition, Rules>,
    /// Whose plugins are taken, with the key that each signs with.
    pub publishers: BTreeMap<PublisherName, PublicKey>,
    /// The plugins, by name.
    pub plugins: BTreeMap<PluginName, Plugin>,
    /// Kinds that no plugin serves and whose binding is used unchanged.
    pub carried: BTreeSet<Kind>,
    /// References out of the workspace that are meant to be there.
    pub externals: Vec<External>,
    /// The largest export that is read.
    pub import_limit: ByteSize,
    /// What each plugin may use, where it has no limit of its own.
    #[serde(default, skip_serializing_if = "PluginLimits::is_empty")]
    pub plugin_limits: PluginLimits,
    /// Rules for waivers.
    pub waivers: WaiverRules,
    /// Who may break glass, if anybody may.
    pub break_glass: Option<BreakGlassRules>,
}

/// A person who acts in the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The key that the person's acts are signed with.
    pub key: PublicKey,
    /// The person's roles.
    pub roles: BTreeSet<RoleName>,
}

/// An isolated place for apps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// Who changes its bindings, secrets and constants.
    pub owners: BTreeSet<Principal>,
    /// Whether its data are, or are copies of, production data.
    pub holds_production_data: bool,
    /// What a platform itself calls it, by platform, where that is another name.
    pub native: BTreeMap<String, String>,
}

impl Environment {
    /// What `platform` calls this environment.
    #[must_use]
    pub fn native_name(&self, platform: &str) -> &str {
        self.native.get(platform).map_or(self.name.as_str(), String::as_str)
    }
}

/// What is said of the apps that a pattern names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labelled {
    /// The apps.
    pub app: NamePattern,
    /// What they are. Never empty.
    pub labels: BTreeSet<LabelName>,
}

/// What stands before a transition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Why no refusing gate stands here for every plan.
    pub ungated: Option<String>,
    /// The gates, in the order of the file; each name once.
    pub gates: Vec<Gate>,
}

impl Rules {
    /// The gates for the app of these names with these labels, with their index in [`Rules::gates`].
    /// Whether a plan has the changes that a gate is for is another matter.
    pub fn for_app(
        &self,
        app: &AppNames,
        labels: &BTreeSet<LabelName>,
    ) -> impl Iterator<Item = (usize, &Gate)> {
        self.gates.iter().enumerate().filter(move |(_, gate)| gate.is_for(app, labels))
    }
}

/// A policy attached to a transition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Its name: the policy's, where it has none of its own.
    pub name: GateName,
    /// The policy.
    pub policy: PolicyName,
    /// How strictly it is taken.
    pub level: Level,
    /// Whether a waiver lifts a refusal of a hard gate.
    pub waivable: bool,
    /// The apps it is for: those that any of these matches. Never empty.
    pub apps: BTreeSet<NamePattern>,
    /// The labels it is for, of which an app has at least one; empty for any.
    pub labels: BTreeSet<LabelName>,
    /// The kinds of change it is for, of which a plan has at least one; empty for any.
    pub changes: BTreeSet<ChangeName>,
    /// The policy's parameters; what is left out is the policy's own default.
    pub parameters: Map<String, Value>,
}

impl Gate {
    /// Whether the gate is for the app of these names with these labels.
    #[must_use]
    pub fn is_for(&self, app: &AppNames, labels: &BTreeSet<LabelName>) -> bool {
        let by_label = self.labels.is_empty() || !self.labels.is_disjoint(labels);
        by_label && self.apps.iter().any(|pattern| app.are_meant_by(pattern))
    }

    /// Whether no app is left out by what it is called.
    #[must_use]
    pub fn is_for_every_app(&self) -> bool {
        self.apps.iter().any(NamePattern::is_all)
    }

    /// Whether it is for the same plans as the other.
    #[must_use]
    pub fn selects_as(&self, other: &Self) -> bool {
        (&self.apps, &self.labels, &self.changes) == (&other.apps, &other.labels, &other.changes)
    }

    /// Whether it is for every plan, and can refuse.
    #[must_use]
    pub fn stops_all(&self) -> bool {
        self.level.refuses() && self.is_for_every_app() && self.labels.is_empty() && self.changes.is_empty()
    }
}

/// A plugin that renders data sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// The component's file, seen from the workspace's folder; never leads out of it.
    pub path: String,
    /// The only content of the file that is taken, where said.
    pub digest: Option<Digest>,
    /// What its probes may ask of the network; `None` is nothing.
    pub probe: Option<Probing>,
    /// What it may use, where that is not what every plugin of the workspace may.
    #[serde(default, skip_serializing_if = "PluginLimits::is_empty")]
    pub limits: PluginLimits,
}

/// What a plugin's probes may ask of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probing {
    /// Hosts with their ports.
    pub hosts: Vec<HostPattern>,
    /// Private ranges in which they may lie.
    pub private: Vec<PrivateRange>,
}

/// A reference out of the workspace that is meant to be there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct External {
    /// The apps that may refer to it.
    pub app: NamePattern,
    /// What they refer to, by the name or id in the export.
    pub object: NamePattern,
    /// Why it is outside.
    pub reason: String,
    /// By environment, the platform's own id of what the reference leads to there. A reference
    /// that is not bound in an environment refuses there.
    pub bound: BTreeMap<EnvironmentName, String>,
}

/// Rules for waivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaiverRules {
    /// The longest time for which a waiver holds.
    pub longest: TimeSpan,
}

/// Who may break glass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakGlassRules {
    /// The role that somebody needs for it.
    pub role: RoleName,
}

impl Config {
    /// The canonical bytes of what the configuration says.
    ///
    /// # Errors
    /// Never for a configuration that was parsed; `serde` asks for the type.
    pub fn canonical(&self) -> Result<Vec<u8>, serde_json::Error> {
        json::canonical_of(self)
    }

    /// The digest of the canonical bytes.
    ///
    /// # Errors
    /// As [`Config::canonical`].
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        self.canonical().map(|bytes| Digest::of(&bytes))
    }

    /// The environment of this name.
    #[must_use]
    pub fn environment(&self, name: &EnvironmentName) -> Option<&Environment> {
        self.environments.iter().find(|e| e.name == *name)
    }

    /// The environment's place in the order of promotion, from 0.
    #[must_use]
    pub fn position(&self, name: &EnvironmentName) -> Option<usize> {
        self.environments.iter().position(|e| e.name == *name)
    }

    /// The environment where versions are cut.
    #[must_use]
    pub fn first_environment(&self) -> Option<&Environment> {
        self.environments.first()
    }

    /// The environment from which versions come into this one.
    #[must_use]
    pub fn environment_before(&self, name: &EnvironmentName) -> Option<&Environment> {
        self.position(name)?.checked_sub(1).and_then(|at| self.environments.get(at))
    }

    /// The environment that `platform` calls `native`.
    #[must_use]
    pub fn environment_called(&self, platform: &str, native: &str) -> Option<&Environment> {
        self.environments.iter().find(|e| e.native_name(platform) == native)
    }

    /// What stands before a transition, or `None` where the configuration does not have it.
    #[must_use]
    pub fn rules(&self, transition: &Transition) -> Option<&Rules> {
        self.transitions.get(transition)
    }

    /// What is said of the app of these names.
    #[must_use]
    pub fn labels_of(&self, app: &AppNames) -> BTreeSet<LabelName> {
        let naming = self.apps.iter().filter(|known| app.are_meant_by(&known.app));
        naming.flat_map(|known| known.labels.iter().cloned()).collect()
    }

    /// The person whose key this is.
    #[must_use]
    pub fn person_with_key(&self, key: &PublicKey) -> Option<(&PersonName, &Person)> {
        self.people.iter().find(|(_, person)| person.key == *key)
    }

    /// What the plugin may use where that is less than the host allows.
    #[must_use]
    pub fn limits_of(&self, plugin: &PluginName) -> PluginLimits {
        let own = self.plugins.get(plugin).map(|plugin| &plugin.limits);
        own.map_or_else(|| self.plugin_limits.clone(), |own| own.or(&self.plugin_limits))
    }

    /// The key of the person of this name.
    #[must_use]
    pub fn key_of(&self, person: &str) -> Option<PublicKey> {
        let name = super::names::person(person)?;
        self.people.get(&name).map(|person| person.key)
    }

    /// The names of the people whom these owners are.
    #[must_use]
    pub fn people_of<'a>(&'a self, owners: &'a BTreeSet<Principal>) -> BTreeSet<&'a PersonName> {
        self.people
            .iter()
            .filter(|(name, person)| {
                owners.iter().any(|owner| match owner {
                    Principal::Person(owner) => owner == *name,
                    Principal::Role(role) => person.roles.contains(role),
                })
            })
            .map(|(name, _)| name)
            .collect()
    }

    /// Whether the person may adopt a configuration.
    #[must_use]
    pub fn owns_workspace(&self, person: &PersonName) -> bool {
        self.people_of(&self.owners).contains(person)
    }

    /// Whether the person may change what the environment owns.
    #[must_use]
    pub fn owns(&self, person: &PersonName, environment: &EnvironmentName) -> bool {
        self.environment(environment).is_some_and(|e| self.people_of(&e.owners).contains(person))
    }

    /// Whether the person holds the role.
    #[must_use]
    pub fn holds(&self, person: &PersonName, role: &str) -> bool {
        self.people.get(person).is_some_and(|p| p.roles.iter().any(|held| held.as_str() == role))
    }

    /// The first declaration of a dangling reference of `app` to `object` as external.
    #[must_use]
    pub fn external(&self, app: &AppNames, object: &str) -> Option<&External> {
        self.externals.iter().find(|e| app.are_meant_by(&e.app) && e.object.matches(object))
    }
}
