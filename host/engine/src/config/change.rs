//! What adopting another configuration changes, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_plugin::PluginLimits;

use super::error::ticked;
use super::names::{ByteSize, PluginName};
use super::transition::Transition;
use super::workspace::{Config, Environment, External, Gate, Labelled, Person, Plugin, Probing, Rules};

/// How something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It is no longer there.
    Removed,
    /// It is there with other settings.
    Changed,
}

/// One difference between two configurations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigChange {
    /// How.
    pub kind: ChangeKind,
    /// What, such as ``person `ada` ``.
    pub subject: String,
    /// The settings, each as `name: old -> new` where it changed, and as `name: value` where the
    /// whole was added or removed.
    pub details: Vec<String>,
}

impl Display for ConfigChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ChangeKind::Added => "added",
            ChangeKind::Removed => "removed",
            ChangeKind::Changed => "changed",
        };
        write!(f, "{} {kind}", self.subject)?;
        if !self.details.is_empty() {
            write!(f, " ({})", self.details.join("; "))?;
        }
        Ok(())
    }
}

/// Everything that differs from `old` to `new`. Empty exactly if the two are equal, but for the
/// order of gates.
#[must_use]
pub fn diff(old: &Config, new: &Config) -> Vec<ConfigChange> {
    let (old, new) = (parts(old), parts(new));
    let mut changes = Vec::new();
    for (subject, settings) in &new {
        match old.get(subject) {
            None => changes.push(ConfigChange {
                kind: ChangeKind::Added,
                subject: subject.1.clone(),
                details: settings.iter().map(|(name, value)| format!("{name}: {value}")).collect(),
            }),
            Some(before) if before != settings => changes.push(ConfigChange {
                kind: ChangeKind::Changed,
                subject: subject.1.clone(),
                details: changed(before, settings),
            }),
            Some(_) => {}
        }
    }
    for (subject, settings) in &old {
        if !new.contains_key(subject) {
            changes.push(ConfigChange {
                kind: ChangeKind::Removed,
                subject: subject.1.clone(),
                details: settings.iter().map(|(name, value)| format!("{name}: {value}")).collect(),
            });
        }
    }
    changes
}

/// A part's settings, by name, in words.
type Settings = BTreeMap<&'static str, String>;

/// A configuration as parts with settings, in the order in which they are shown.
type Parts = BTreeMap<(u8, String), Settings>;

fn changed(before: &Settings, after: &Settings) -> Vec<String> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let value = |settings: &Settings, name| settings.get(name).map_or("nothing", String::as_str).to_owned();
    names
        .into_iter()
        .map(|name| (name, value(before, name), value(after, name)))
        .filter(|(_, before, after)| before != after)
        .map(|(name, before, after)| format!("{name}: {before} -> {after}"))
        .collect()
}

fn parts(config: &Config) -> Parts {
    // Every member is taken by name, so that a new one cannot be forgotten here.
    let Config {
        workspace,
        owners,
        single_operator,
        roles,
        people,
        environments,
        calendars,
        apps,
        transitions,
        publishers,
        plugins,
        carried,
        externals,
        import_limit,
        plugin_limits,
        waivers,
        break_glass,
    } = config;
    let mut parts = Parts::new();
    let order: Vec<_> = environments.iter().map(|e| e.name.as_str()).collect();
    let mut whole = Settings::from([
        ("name", format!("`{workspace}`")),
        ("owners", names(owners)),
        ("roles", names(roles)),
        ("order of environments", ticked(order)),
        ("largest import", import_limit.to_string()),
        ("longest waiver", waivers.longest.to_string()),
    ]);
    whole.extend(limits(plugin_limits).map(|limits| ("limits of plugins", limits)));
    whole.extend(break_glass.as_ref().map(|rules| ("who breaks glass", format!("role `{}`", rules.role))));
    whole.extend(single_operator.as_ref().map(|reason| ("single operator", quoted(reason))));
    parts.insert((0, "workspace".to_owned()), whole);
    for (name, person) in people {
        parts.insert((1, format!("person `{name}`")), of_person(person));
    }
    for environment in environments {
        parts.insert((2, format!("environment `{}`", environment.name)), of_environment(environment));
    }
    for (name, calendar) in calendars {
        let text = |rules: &Vec<_>| serde_json::to_string(rules).unwrap_or_default();
        let settings = Settings::from([
            ("time zone", format!("`{}`", calendar.time_zone)),
            ("allowed", text(&calendar.allowed)),
            ("frozen", text(&calendar.frozen)),
        ]);
        parts.insert((3, format!("calendar `{name}`")), settings);
    }
    for Labelled { app, labels } in apps {
        parts.insert((8, format!("app `{app}`")), Settings::from([("labels", names(labels))]));
    }
    for (transition, rules) in transitions {
        of_transition(&mut parts, transition, rules);
    }
    for (name, key) in publishers {
        parts.insert((10, format!("publisher `{name}`")), Settings::from([("key", format!("`{key}`"))]));
    }
    for (name, plugin) in plugins {
        parts.insert((6, plugin_subject(name)), of_plugin(plugin));
    }
    for kind in carried {
        parts.insert((7, format!("carried kind `{kind}`")), Settings::new());
    }
    for external in externals {
        let subject = format!("external `{}` of app `{}`", external.object, external.app);
        parts.insert((9, subject), of_external(external));
    }
    parts
}

fn of_person(person: &Person) -> Settings {
    let Person { key, roles } = person;
    Settings::from([("key", format!("`{key}`")), ("roles", names(roles))])
}

fn of_environment(environment: &Environment) -> Settings {
    let Environment { name: _, owners, holds_production_data, native } = environment;
    Settings::from([
        ("owners", names(owners)),
        ("holds production data", if *holds_production_data { "yes" } else { "no" }.to_owned()),
        ("native names", pairs(native)),
    ])
}

fn of_transition(parts: &mut Parts, transition: &Transition, rules: &Rules) {
    let Rules { ungated, gates } = rules;
    let settings = ungated.iter().map(|reason| ("ungated", quoted(reason))).collect();
    parts.insert((4, format!("transition `{transition}`")), settings);
    for gate in gates {
        let Gate { name, policy, level, waivable, apps, labels, changes, parameters } = gate;
        let mut settings = Settings::from([
            ("policy", format!("`{policy}`")),
            ("level", level.to_string()),
            ("waivable", if *waivable { "yes" } else { "no" }.to_owned()),
            ("parameters", Value::Object(parameters.clone()).to_string()),
        ]);
        if !gate.is_for_every_app() {
            settings.insert("apps", names(apps));
        }
        if !labels.is_empty() {
            settings.insert("labels", names(labels));
        }
        if !changes.is_empty() {
            settings.insert("changes", names(changes));
        }
        parts.insert((5, format!("gate `{name}` on `{transition}`")), settings);
    }
}

fn plugin_subject(name: &PluginName) -> String {
    format!("plugin `{name}`")
}

fn of_plugin(plugin: &Plugin) -> Settings {
    let Plugin { path, digest, probe, limits: own } = plugin;
    let digest = digest.map_or_else(|| "any".to_owned(), |digest| digest.to_string());
    let mut settings = Settings::from([("path", format!("`{path}`")), ("digest", digest)]);
    if let Some(Probing { hosts, private }) = probe {
        let listed = |texts: Vec<String>| match texts.as_slice() {
            [] => "none".to_owned(),
            texts => ticked(texts.iter().map(String::as_str)),
        };
        settings.insert("hosts of its probes", listed(hosts.iter().map(ToString::to_string).collect()));
        settings.insert(
            "private ranges of its probes",
            listed(private.iter().map(ToString::to_string).collect()),
        );
    }
    settings.extend(limits(own).map(|limits| ("limits", limits)));
    settings
}

/// The limits that are set, by their names.
fn limits(limits: &PluginLimits) -> Option<String> {
    let PluginLimits {
        fuel,
        deadline,
        memory_bytes,
        table_elements,
        handles,
        answer_bytes,
        log_bytes,
        log_messages,
        findings,
        network_calls,
        calls,
    } = limits;
    let number = |n: usize| n.to_string();
    let bytes = |n: usize| ByteSize::of(n as u64).to_string();
    let set = [
        ("fuel", fuel.map(|n| n.to_string())),
        ("deadline", deadline.map(|time| format!("{time:?}"))),
        ("memory", memory_bytes.map(bytes)),
        ("table-elements", table_elements.map(number)),
        ("handles", handles.map(number)),
        ("answer", answer_bytes.map(bytes)),
        ("log", log_bytes.map(bytes)),
        ("log-messages", log_messages.map(number)),
        ("findings", findings.map(number)),
        ("network-calls", network_calls.map(number)),
        ("calls", calls.map(|n| n.to_string())),
    ];
    let set = set.into_iter().filter_map(|(name, value)| Some(format!("{name} = {}", value?)));
    let set: Vec<String> = set.collect();
    (!set.is_empty()).then(|| set.join(", "))
}

fn of_external(external: &External) -> Settings {
    let External { app: _, object: _, reason, bound } = external;
    Settings::from([("reason", quoted(reason)), ("bound", pairs(bound))])
}

fn names<T: Display>(names: &BTreeSet<T>) -> String {
    let texts: Vec<String> = names.iter().map(T::to_string).collect();
    if texts.is_empty() { "none".to_owned() } else { ticked(texts.iter().map(String::as_str)) }
}

fn pairs<K: Display>(pairs: &BTreeMap<K, String>) -> String {
    let texts: Vec<String> = pairs.iter().map(|(key, value)| format!("{key} = `{value}`")).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
