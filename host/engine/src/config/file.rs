//! The shape of `sluice.toml`, as it is read and as its JSON Schema is published.
//!
//! Texts stay texts here and keep their place in the file; [`super::read`] gives them their meaning.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// A value with the bytes of the file where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Located<T>(toml::Spanned<T>);

impl<T> Located<T> {
    pub(super) fn span(&self) -> Range<usize> {
        self.0.span()
    }

    pub(super) fn get(&self) -> &T {
        self.0.get_ref()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        toml::Spanned::deserialize(deserializer).map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// The configuration of a Sluice workspace. It counts once adopted with `sluice config adopt`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "the tables of a configuration")]
#[schemars(title = "sluice.toml", rename = "Configuration")]
pub(super) struct File {
    /// The workspace as a whole.
    pub(super) workspace: Located<WorkspaceTable>,
    /// The people who act in the workspace. Every act is signed with a person's key.
    #[serde(default)]
    pub(super) person: Vec<Located<PersonTable>>,
    /// The environments in the order of promotion. `development` is first, `production` last,
    /// `staging` and any others stand between.
    #[serde(default)]
    pub(super) environment: Vec<Located<EnvironmentTable>>,
    /// Named calendars, which gates refer to.
    #[serde(default)]
    pub(super) calendar: Vec<Located<CalendarTable>>,
    /// What is said of apps, by which gates are chosen.
    #[serde(default)]
    pub(super) app: Vec<Located<AppTable>>,
    /// The gates of each transition.
    #[serde(default)]
    pub(super) transition: Vec<Located<TransitionTable>>,
    /// Whose plugins are taken: a plugin counts where one of them signed it, or `sluice.lock` says why
    /// it is taken without.
    #[serde(default)]
    pub(super) publisher: Vec<Located<PublisherTable>>,
    /// The plugins that render data sources.
    #[serde(default)]
    pub(super) plugin: Vec<Located<PluginTable>>,
    /// References out of the workspace that are meant to be there.
    #[serde(default)]
    pub(super) external: Vec<Located<ExternalTable>>,
    /// How much input is read.
    #[serde(default)]
    pub(super) limits: LimitsTable,
    /// Rules for waivers.
    #[serde(default)]
    pub(super) waivers: WaiversTable,
    /// Who may lift all refusals of a plan in an emergency. Left out, nobody may.
    pub(super) break_glass: Option<BreakGlassTable>,
}

/// The workspace as a whole.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Workspace")]
pub(super) struct WorkspaceTable {
    /// The workspace's name: lower-case letters, digits and single hyphens.
    pub(super) name: Located<String>,
    /// Who may adopt a changed configuration: names of people, or `role:NAME`.
    pub(super) owners: Located<Vec<Located<String>>>,
    /// Why one person alone acts here. Said by a workspace of one person, and only by that; every
    /// verdict shows it.
    pub(super) single_operator: Option<Located<String>>,
    /// Roles beside `builder`, `approver`, `release-manager` and `auditor`.
    #[serde(default)]
    pub(super) roles: Vec<Located<String>>,
    /// Kinds of data source, as `PLATFORM/NAME`, that no plugin serves: the target's binding is
    /// used unchanged.
    #[serde(default)]
    pub(super) carried: Vec<Located<String>>,
}

/// A person who acts in the workspace.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a person's table")]
#[schemars(rename = "Person")]
pub(super) struct PersonTable {
    /// The person's name: lower-case letters, digits and single hyphens.
    pub(super) name: Located<String>,
    /// The person's public key, as `sluice key new` prints it.
    pub(super) key: Located<String>,
    /// The person's roles.
    #[serde(default)]
    pub(super) roles: Vec<Located<String>>,
}

/// An isolated place for apps.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an environment's table")]
#[schemars(rename = "Environment")]
pub(super) struct EnvironmentTable {
    /// The environment's name: lower-case letters, digits and single hyphens.
    pub(super) name: Located<String>,
    /// Who owns its bindings, secrets and constants: names of people, or `role:NAME`.
    pub(super) owners: Located<Vec<Located<String>>>,
    /// Whether its data are, or are copies of, production data.
    #[serde(default)]
    pub(super) holds_production_data: bool,
    /// What a platform itself calls this environment, by platform, where that is another name.
    #[serde(default)]
    pub(super) native: BTreeMap<String, Located<String>>,
}

/// A calendar of times when a transition may run and when it may not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a calendar's table")]
#[schemars(rename = "Calendar")]
pub(super) struct CalendarTable {
    /// The calendar's name: lower-case letters, digits and single hyphens.
    pub(super) name: Located<String>,
    /// The IANA name of the time zone in which times are meant, such as `Europe/Vienna`.
    pub(super) time_zone: Located<String>,
    /// When a transition may run.
    #[serde(default)]
    pub(super) allowed: Vec<Located<PeriodTable>>,
    /// When it may not, whatever is allowed.
    #[serde(default)]
    pub(super) frozen: Vec<Located<PeriodTable>>,
}

/// A time, once or repeatedly.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table with `start`")]
#[schemars(rename = "Period")]
pub(super) struct PeriodTable {
    /// The first start, in wall-clock time of the calendar's zone, such as `2026-01-05T09:00:00`.
    pub(super) start: Located<String>,
    /// The end, for a time that occurs once; wall-clock time.
    pub(super) end: Option<Located<String>>,
    /// How long it lasts, such as `8h` or `P1D`; in place of `end`.
    pub(super) duration: Option<Located<String>>,
    /// How it repeats: an RFC 5545 recurrence rule, such as `FREQ=WEEKLY;BYDAY=MO,TU,WE,TH`.
    pub(super) repeat: Option<Located<String>>,
    /// What people call it; a finding names it.
    pub(super) title: Option<Located<String>>,
}

/// What is said of apps.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an app's table")]
#[schemars(rename = "App")]
pub(super) struct AppTable {
    /// The apps, by name; `*` stands for any characters, `?` for one.
    pub(super) name: Located<String>,
    /// What they are, such as `payments`: lower-case letters, digits and single hyphens. An app has
    /// the labels of all tables that name it.
    pub(super) labels: Located<Vec<Located<String>>>,
}

/// The gates of one or more transitions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a transition's table")]
#[schemars(rename = "Transition")]
pub(super) struct TransitionTable {
    /// The transitions: `FROM -> TO`, `release ENVIRONMENT`, `rollback ENVIRONMENT`.
    pub(super) on: Located<Vec<Located<String>>>,
    /// Why no `hard` or `soft` gate stands here for every plan.
    pub(super) ungated: Option<Located<String>>,
    /// The gates.
    #[serde(default)]
    pub(super) gate: Vec<Located<GateTable>>,
}

/// A policy attached to a transition.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a gate's table")]
#[schemars(rename = "Gate")]
pub(super) struct GateTable {
    /// The gate's name, which findings and overrides tell: lower-case letters, digits and single
    /// hyphens. Left out, it is the policy's; a policy that stands several times on a transition needs
    /// it.
    pub(super) name: Option<Located<String>>,
    /// The policy's name.
    pub(super) policy: Located<String>,
    /// How strictly the gate is taken.
    #[schemars(with = "LevelName")]
    pub(super) level: Located<String>,
    /// Whether a waiver lifts a refusal of this `hard` gate.
    #[serde(default)]
    pub(super) waivable: Option<Located<bool>>,
    /// The apps the gate is for, by name; `*` stands for any characters, `?` for one. All, where
    /// left out.
    pub(super) apps: Option<Located<Vec<Located<String>>>>,
    /// The labels the gate is for, of which the app has at least one. Any, where left out.
    pub(super) labels: Option<Located<Vec<Located<String>>>>,
    /// The kinds of change the gate is for, of which the plan has at least one: what is done, a kind of
    /// object, or both, such as `data-source` or `delete query`. Any, where left out.
    pub(super) changes: Option<Located<Vec<Located<String>>>>,
    /// The policy's parameters.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub(super) parameters: BTreeMap<String, Located<toml::Value>>,
}

/// How strictly a gate is taken.
#[derive(JsonSchema)]
#[schemars(rename = "Level", rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used: levels are read as text, for better errors")]
enum LevelName {
    /// Refused, unless waived where the gate says `waivable`.
    Hard,
    /// Refused, unless overridden or waived.
    Soft,
    /// Shown, never refused.
    Warn,
    /// Recorded only.
    Audit,
}

/// Someone whose plugins are taken.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a publisher's table")]
#[schemars(rename = "Publisher")]
pub(super) struct PublisherTable {
    /// The publisher's name, as plugins' manifests have it: lower-case letters, digits and single
    /// hyphens.
    pub(super) name: Located<String>,
    /// The publisher's public key.
    pub(super) key: Located<String>,
}

/// A plugin that renders data sources.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a plugin's table")]
#[schemars(rename = "Plugin")]
pub(super) struct PluginTable {
    /// What the workspace calls it: lower-case letters, digits and single hyphens.
    pub(super) name: Located<String>,
    /// The component's file, seen from the workspace's folder.
    pub(super) path: Located<String>,
    /// The file's digest, `sha256:` and 64 hex digits; another file is refused.
    pub(super) digest: Option<Located<String>>,
    /// What its probes may ask of the network. Left out, nothing.
    pub(super) probe: Option<ProbeTable>,
    /// What it may use, where that is not what `limits.plugins` says.
    #[serde(default)]
    pub(super) limits: PluginLimitsTable,
}

/// What a plugin may use: of each at most what the host allows, which is the default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table of a plugin's limits")]
#[schemars(rename = "PluginLimits")]
pub(super) struct PluginLimitsTable {
    /// Fuel of a call, about one unit per Wasm instruction.
    pub(super) fuel: Option<Located<u64>>,
    /// Wall-clock time of a call, such as `2s`.
    pub(super) deadline: Option<Located<String>>,
    /// Linear memory, of all memories together, such as `32 MiB`.
    pub(super) memory: Option<Located<String>>,
    /// Elements of all tables together.
    pub(super) table_elements: Option<Located<u64>>,
    /// Resource handles at a time.
    pub(super) handles: Option<Located<u64>>,
    /// The size of an answer, or of one call to the host, such as `1 MiB`.
    pub(super) answer: Option<Located<String>>,
    /// The size of all log messages of a call, such as `16 KiB`.
    pub(super) log: Option<Located<String>>,
    /// Log messages of a call.
    pub(super) log_messages: Option<Located<u64>>,
    /// Findings in one answer.
    pub(super) findings: Option<Located<u64>>,
    /// Questions to the network in one probe.
    pub(super) network_calls: Option<Located<u64>>,
    /// Calls of the plugin at a time; more wait.
    pub(super) calls: Option<Located<u32>>,
}

/// What a plugin's probes may ask of the network: of what the plugin asks for, nothing else.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a probe's table")]
#[schemars(rename = "Probe")]
pub(super) struct ProbeTable {
    /// Hosts with their port, such as `db.staging.example:5432` or `*.example.com:443`.
    pub(super) hosts: Vec<Located<String>>,
    /// Private ranges in which they may lie, such as `10.2.0.0/16`.
    #[serde(default)]
    pub(super) private: Vec<Located<String>>,
}

/// A reference out of the workspace that is meant to be there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an external's table")]
#[schemars(rename = "External")]
pub(super) struct ExternalTable {
    /// The apps that may refer to it, by name or pattern.
    pub(super) app: Located<String>,
    /// What they refer to, by the name or id in the export, or a pattern.
    pub(super) object: Located<String>,
    /// Why it is outside.
    pub(super) reason: Located<String>,
    /// By environment, the platform's own id of what the reference leads to there.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) bound: BTreeMap<Located<String>, Located<String>>,
}

/// How much input is read.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of limits")]
#[schemars(rename = "Limits")]
pub(super) struct LimitsTable {
    /// The largest export that is read, such as `64 MiB`, which is the default.
    pub(super) import: Option<Located<String>>,
    /// What each plugin may use, where it has no `limits` of its own.
    #[serde(default)]
    pub(super) plugins: PluginLimitsTable,
}

/// Rules for waivers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of rules for waivers")]
#[schemars(rename = "Waivers")]
pub(super) struct WaiversTable {
    /// The longest time for which a waiver holds, such as `7d`, which is the default.
    pub(super) longest: Option<Located<String>>,
}

/// Who may lift all refusals of a plan in an emergency.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table that names a role")]
#[schemars(rename = "BreakGlass")]
pub(super) struct BreakGlassTable {
    /// The role that somebody needs for it; a second person signs too.
    pub(super) role: Located<String>,
}

/// The JSON Schema (draft 2020-12) of `sluice.toml`, as published in `docs/sluice.schema.json`.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(File).to_value()
}
