//! Rendered sources: what plugins make of a bundle's data sources for a target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_model::{Digest, EnvironmentName, Kind, LogicalId, Object, Pointer, SecretRef, SlotName};
use sluice_platform::OPTIONS;
use sluice_plugin::{
    DataSource, Environment, KindDescription, Limits, Plugin, PluginError, Reason, RenderInput, Sameness,
    Severity, Traits, Used,
};

use crate::error::{Error, Result};
use crate::plan::Problem;
use crate::scan::Find;
use crate::settings::{Settings, slots_in};
use crate::state::Work;
use crate::workspace::Workspace;

/// A data source as a plugin made it for the target. No value of a secret is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rendered {
    /// The data source.
    pub source: LogicalId,
    /// What people call it.
    pub name: String,
    /// The platform's kind.
    pub kind: Kind,
    /// The plugin that made it; `None` where the kind is declared carried.
    pub plugin: Option<Digest>,
    /// The native options, with marks at the slots.
    pub options: Value,
    /// Which of the target's secrets fills which slot.
    pub slots: BTreeMap<SlotName, SecretRef>,
    /// What the plugin reports for policies.
    pub traits: Traits,
    /// Options that come from the target's binding.
    pub owned_by_target: Vec<Pointer>,
}

impl Rendered {
    /// A data source as its platform has it, by no plugin's hand; nothing of kinds that are part of
    /// the platform itself.
    pub(crate) fn as_held(mut object: Object) -> Option<Self> {
        Some(Self {
            source: object.id,
            name: object.name,
            kind: object.source_kind?,
            plugin: None,
            options: object.content.get_mut(OPTIONS).map(Value::take).unwrap_or_default(),
            slots: BTreeMap::new(),
            traits: Traits::default(),
            owned_by_target: vec![Pointer::root()],
        })
    }
}

/// A rendered source with what stands in its way.
#[derive(Default)]
pub struct Rendering {
    /// The source, where it could be rendered.
    pub rendered: Option<Rendered>,
    /// Slots for which the target has no secret.
    pub missing_slots: Vec<SlotName>,
    /// What stands in its way.
    pub problems: Vec<Problem>,
    /// What the plugin remarked.
    pub notes: Vec<String>,
    /// What the plugin used of what it may; nothing where it was not asked, or broke.
    pub used: Option<Used>,
}

impl Workspace {
    /// Renders a bundle's data source for an environment.
    ///
    /// # Errors
    /// When content is missing or damaged; what a plugin or binding lacks is a problem, not an
    /// error.
    pub fn render(
        &self,
        work: &Work<'_>,
        settings: &Settings,
        from: &EnvironmentName,
        to: &EnvironmentName,
        find: &Find,
    ) -> Result<Rendering> {
        let Find::Source { kind, .. } = find else { return Ok(Rendering::default()) };
        self.render_by(self.plugins()?.for_kind(kind), work, settings, from, to, find)
    }

    /// Renders a bundle's data source for an environment, by this plugin or none.
    pub(crate) fn render_by(
        &self,
        plugin: Option<&Plugin>,
        work: &Work<'_>,
        settings: &Settings,
        from: &EnvironmentName,
        to: &EnvironmentName,
        find: &Find,
    ) -> Result<Rendering> {
        let Find::Source { id, name, kind, digest } = find else {
            return Ok(Rendering::default());
        };
        let object: Object = work.object(digest)?;
        let options = object.content.get(OPTIONS).cloned().unwrap_or(Value::Null);
        let mut rendering = Rendering::default();
        let binding = settings.binding(work, id)?.filter(|binding| binding.kind == *kind);
        let carried = self.config()?.carried.contains(kind);
        if plugin.is_none() && !carried {
            rendering.problems.push(Problem {
                code: "kind.unserved".into(),
                message: format!("no plugin serves the kind `{kind}` of data source `{name}`"),
                fix: format!("add a plugin that serves `{kind}`, or declare it carried, in `sluice.toml`"),
                who: "an owner of the workspace".into(),
                object: Some(id.clone()),
                at: None,
            });
            return Ok(rendering);
        }
        let Some(binding) = binding else {
            let proposed = self.proposal(&mut self.work(), to, id)?.is_some();
            let fix = if proposed {
                format!("sluice binding adopt {to} \"{name}\"")
            } else {
                format!("sluice binding set {to} \"{name}\" /OPTION=VALUE …")
            };
            rendering.problems.push(Problem {
                code: "binding.missing".into(),
                message: format!("`{to}` has no binding for data source `{name}` ({kind})"),
                fix,
                who: format!("an owner of `{to}`"),
                object: Some(id.clone()),
                at: None,
            });
            return Ok(rendering);
        };
        let Some(plugin) = plugin else {
            for slot in slots_in(&binding.options) {
                if !binding.slots.contains_key(&slot) {
                    // Nobody assigns what is filed under a carried source's name.
                    let fix = format!(
                        "sluice binding set {to} \"{name}\" --slot \"{slot}=secret://{to}/{name}/{slot}\""
                    );
                    rendering.lacks(to, id, name, slot, fix);
                }
            }
            rendering.lacks_unfiled(work, settings, to, id, name, &binding.slots)?;
            rendering.rendered = Some(Rendered {
                source: id.clone(),
                name: name.clone(),
                kind: kind.clone(),
                plugin: None,
                options: binding.options,
                slots: binding.slots,
                traits: Traits::default(),
                owned_by_target: vec![Pointer::root()],
            });
            return Ok(rendering);
        };
        let revoked = self.revoked_by(work, &plugin.digest())?;
        if !revoked.is_empty() {
            let by = revoked.iter().map(|person| format!("`{person}`")).collect::<Vec<_>>().join(" and ");
            rendering.problems.push(Problem {
                code: "plugin.revoked".into(),
                message: format!(
                    "plugin `{}`, which serves data source `{name}`, was revoked by {by}",
                    plugin.name()
                ),
                fix: format!(
                    "install another version with `sluice plugin upgrade {}`, or have it certified",
                    plugin.name()
                ),
                who: "an owner of the workspace".into(),
                object: Some(id.clone()),
                at: None,
            });
            return Ok(rendering);
        }
        let place = |environment: &EnvironmentName| -> Result<Environment> {
            let order = self.config()?.position(environment).unwrap_or_default();
            Ok(Environment { name: environment.clone(), order: u32::try_from(order).unwrap_or(u32::MAX) })
        };
        let now = self.records().ambient().now();
        let input = RenderInput {
            source: DataSource { logical_id: id.clone(), name: name.clone(), kind: kind.clone(), options },
            source_environment: place(from)?,
            target_environment: place(to)?,
            binding: binding.options,
            slots_bound: binding.slots,
            candidates: settings.offered(work, to, id, name, now)?,
        };
        match plugin.render(&input) {
            Ok(made) => {
                for note in &made.notes {
                    let text = note.to_string();
                    if note.severity == Severity::Error {
                        rendering.problems.push(Problem {
                            code: format!("plugin.{}", note.code),
                            message: format!("data source `{name}`: {}", note.message),
                            fix: note.fix.clone().unwrap_or_else(|| format!("change the binding in `{to}`")),
                            who: format!("an owner of `{to}`"),
                            object: Some(id.clone()),
                            at: note.at.as_deref().and_then(|at| at.parse().ok()),
                        });
                    } else {
                        rendering.notes.push(format!("data source `{name}`: {text}"));
                    }
                }
                for slot in made.missing_slots {
                    let fix = format!("sluice secret set \"secret://{to}/{name}/{slot}\"");
                    rendering.lacks(to, id, name, slot, fix);
                }
                rendering.lacks_unfiled(work, settings, to, id, name, &made.slots)?;
                rendering.used = Some(made.used);
                let owned = plugin.description(kind).map(owned_by_target).unwrap_or_default();
                rendering.rendered = Some(Rendered {
                    source: id.clone(),
                    name: name.clone(),
                    kind: kind.clone(),
                    plugin: Some(made.plugin),
                    options: made.options,
                    slots: made.slots,
                    traits: made.traits,
                    owned_by_target: owned,
                });
            }
            Err(error) => rendering.problems.push(problem_of(plugin, &error, to, id, name)),
        }
        Ok(rendering)
    }
}

impl Rendering {
    /// Notes a slot for which the target has no secret, and what gives it one.
    fn lacks(&mut self, to: &EnvironmentName, id: &LogicalId, name: &str, slot: SlotName, fix: String) {
        self.problems.push(Problem {
            code: "slot.empty".into(),
            message: format!("`{to}` has no secret for slot `{slot}` of data source `{name}`"),
            fix,
            who: format!("an owner of `{to}`"),
            object: Some(id.clone()),
            at: None,
        });
        self.missing_slots.push(slot);
    }

    /// Notes the slots whose secret is named and not filed.
    fn lacks_unfiled(
        &mut self,
        work: &Work<'_>,
        settings: &Settings,
        to: &EnvironmentName,
        id: &LogicalId,
        name: &str,
        slots: &BTreeMap<SlotName, SecretRef>,
    ) -> Result<()> {
        for (slot, reference) in slots {
            if settings.filed(work, reference)?.is_none() {
                let fix = format!("sluice secret set \"{reference}\"");
                self.lacks(to, id, name, slot.clone(), fix);
            }
        }
        Ok(())
    }
}

/// The described options that come from the target's binding.
fn owned_by_target(description: &KindDescription) -> Vec<Pointer> {
    let owned = description.options.iter().filter(|option| option.across_environments != Sameness::MustMatch);
    owned.map(|option| option.at.clone()).collect()
}

fn problem_of(
    plugin: &Plugin,
    error: &PluginError,
    to: &EnvironmentName,
    id: &LogicalId,
    name: &str,
) -> Problem {
    let is_lowered = *plugin.limits() != Limits::default();
    let (code, fix, who) = match error.reason.as_ref() {
        Reason::Incomplete { options, .. } => {
            let options: Vec<String> = options.iter().map(|option| format!("{option}=VALUE")).collect();
            (
                "binding.incomplete",
                format!("sluice binding set {to} \"{name}\" {}", options.join(" ")),
                format!("an owner of `{to}`"),
            )
        }
        Reason::Invalid(_) | Reason::Clash { .. } => (
            "binding.invalid",
            format!("change the binding with `sluice binding set {to} \"{name}\"`"),
            format!("an owner of `{to}`"),
        ),
        Reason::Exceeded { .. } if is_lowered => (
            "plugin.failed",
            format!(
                "raise the limits of plugin `{}` in `sluice.toml`, which gives it less than the host does",
                error.plugin
            ),
            "an owner of the workspace".to_owned(),
        ),
        _ => (
            "plugin.failed",
            "report it to the plugin's vendor, or go back to the plugin's former version".to_owned(),
            "an owner of the workspace".to_owned(),
        ),
    };
    Problem { code: code.into(), message: error.to_string(), fix, who, object: Some(id.clone()), at: None }
}

/// The digest by which a rendered source stands in the plan's.
///
/// # Errors
/// When it cannot be made JSON.
pub fn digest(rendered: &Rendered) -> Result<Digest> {
    sluice_model::json::canonical_of(rendered).map(|bytes| Digest::of(&bytes)).map_err(Error::from)
}
