//! A data source of a bundle, rendered for a target.

mod check;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_model::{Digest, EnvironmentName, Kind, LogicalId, SecretRef, SlotName};

use crate::contract::{self, Failure};
use crate::describe::KindDescription;
use crate::error::{Limit, PluginError, Reason, SourceName, shown};
use crate::leaf::{self, Leaves};
use crate::limits::Used;
use crate::plugin::Plugin;

/// The rule that a target's place is not the source environment's.
const MUST_DIFFER: &str = "option.must-differ";

/// A data source as the bundle has it.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSource {
    /// Its identity.
    pub logical_id: LogicalId,
    /// What people call it.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// The platform's options, with marks where secrets were taken out (see
    /// [`sluice_model::content`]). `null` is as good as none.
    pub options: Value,
}

/// An environment, by name and by its place in the order of promotion, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// Its place.
    pub order: u32,
}

/// A secret of the target that the owner offers to a data source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where its value lies.
    pub reference: SecretRef,
    /// What the owner filed it under, such as `password`.
    pub label: String,
    /// Full days since it was last changed.
    pub age_days: u32,
}

impl From<&Candidate> for contract::Candidate {
    fn from(candidate: &Candidate) -> Self {
        Self { label: candidate.label.clone(), age_days: candidate.age_days }
    }
}

/// All that a rendered source is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderInput {
    /// The data source as the bundle has it.
    pub source: DataSource,
    /// Where the bundle was cut or stands.
    pub source_environment: Environment,
    /// Where it goes.
    pub target_environment: Environment,
    /// The options that the target's owners set, in the platform's form and with marks for
    /// secrets like the source's. `null` is as good as none.
    pub binding: Value,
    /// Slots that the binding fills by name; the plugin is not asked about them.
    pub slots_bound: BTreeMap<SlotName, SecretRef>,
    /// Secrets among which the plugin may choose for the other slots.
    pub candidates: Vec<Candidate>,
}

/// A data source as a plugin made it for the target, after all checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The options; marks stand where secrets belong.
    pub options: Value,
    /// Which secret fills which slot.
    pub slots: BTreeMap<SlotName, SecretRef>,
    /// Required slots that nothing fills; also a confirmed slot that no rule describes, since
    /// nobody says that it may be empty.
    pub missing_slots: Vec<SlotName>,
    /// What policies want to know of it.
    pub traits: Traits,
    /// What the plugin and the host noticed.
    pub notes: Vec<Note>,
    /// What the plugin used of what it may: the same for the same input.
    pub used: Used,
    /// The plugin that made it.
    pub plugin: Digest,
}

/// What policies want to know of a rendered source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traits {
    /// Where it connects to: `host:port`, or a URL's scheme, host and port.
    pub endpoints: Vec<String>,
    /// Whether the connection is encrypted, if the options say so.
    pub tls: Option<bool>,
    /// The account it connects as, if the options name one.
    pub account: Option<String>,
    /// Whether that account is known to be an administrator's.
    pub privileged: Option<bool>,
    /// Whether anybody may read what it connects to, if the options say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_access: Option<bool>,
}

/// How grave a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Probably not wanted.
    Warning,
    /// Wrong.
    Error,
}

/// What was noticed about a data source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// How grave it is.
    pub severity: Severity,
    /// Stable name of the rule, such as `tls.off`.
    pub code: String,
    /// The option it is about, as a JSON pointer into the options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// One sentence for a person.
    pub message: String,
    /// What would mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(at) = &self.at {
            write!(f, " at `{at}`")?;
        }
        Ok(())
    }
}

/// What a plugin answered in one call.
struct Answer {
    judged: Vec<contract::Finding>,
    transformed: contract::Transformed,
    assigned: Vec<(SlotName, SecretRef)>,
    options: Value,
    slots: Vec<(SlotName, bool)>,
}

impl Plugin {
    /// Renders a data source for a target.
    ///
    /// The same input gives the same answer. A required slot that stays empty is no error here:
    /// the plan shows it.
    ///
    /// # Errors
    /// [`PluginError`] names plugin, data source and what is wrong: the options, the plugin's
    /// answer, or a limit that it met.
    pub fn render(&self, input: &RenderInput) -> Result<Rendered, PluginError> {
        self.try_render(input).map_err(|reason| {
            let RenderInput { source: DataSource { logical_id, name, .. }, .. } = input;
            self.failed(SourceName { logical_id: logical_id.clone(), name: shown(name) }, reason)
        })
    }

    fn try_render(&self, input: &RenderInput) -> Result<Rendered, Reason> {
        let kind = &input.source.kind;
        let description = self.description(kind).ok_or_else(|| Reason::UnsupportedKind(kind.clone()))?;
        check::references(input)?;
        let (source, binding) = (members(&input.source.options), members(&input.binding));
        let (options, of_source) = leaf::flatten(&source, self.limits())?;
        let (binding, of_binding) = leaf::flatten(&binding, self.limits())?;
        let wire = contract::Source {
            logical_id: input.source.logical_id.to_string(),
            name: input.source.name.clone(),
            kind: (&input.source.kind).into(),
            options,
        };
        let source = Leaves::new(&wire.options, &of_source);
        let expected = check::Expected::new(description, source, Leaves::new(&binding, &of_binding))?;
        let (answer, used) = self.ask(input, description, &wire, &binding, &expected)?;

        let Answer { judged, transformed, assigned, options, slots } = answer;
        let findings = judged.into_iter().chain(transformed.notes);
        let mut notes = notes(findings, self.limits().findings)?;
        notes.extend(unknown_slots(&input.slots_bound, &slots));
        let same_place = self.same_place(expected.same_place(), &notes);
        notes.extend(same_place);
        let mut filled: BTreeMap<_, _> = assigned.into_iter().collect();
        for (slot, _) in &slots {
            if let Some(reference) = input.slots_bound.get(slot) {
                filled.insert(slot.clone(), reference.clone());
            }
        }
        let missing = slots.into_iter().filter(|(slot, required)| *required && !filled.contains_key(slot));
        let missing_slots = missing.map(|(slot, _)| slot).collect();
        let traits = traits(transformed.traits, self.limits().findings)?;
        let plugin = self.digest();
        Ok(Rendered { options, slots: filled, missing_slots, traits, notes, used, plugin })
    }

    /// The calls into the plugin, on one fresh instance, each answer checked before the next call.
    fn ask(
        &self,
        input: &RenderInput,
        description: &KindDescription,
        wire: &contract::Source,
        binding: &[contract::OptionLeaf],
        expected: &check::Expected<'_, '_>,
    ) -> Result<(Answer, Used), Reason> {
        let refusal = |failure| self.refusal(&input.source.kind, &input.target_environment.name, failure);
        let (from, to) = (environment(&input.source_environment), environment(&input.target_environment));
        let (answer, used) = self.call(|guest, store| {
            let guest = guest.sluice_plugin_transforming().rendering();
            let rendering = guest.call_constructor(&mut *store, wire)?;
            let judged = match guest.call_validate(&mut *store, rendering)? {
                Ok(judged) => judged,
                Err(failure) => return Ok(Err(refusal(failure))),
            };
            let transformed = match guest.call_transform(&mut *store, rendering, &from, &to, binding)? {
                Ok(transformed) => transformed,
                Err(failure) => return Ok(Err(refusal(failure))),
            };
            let check::Accepted { options, slots } = match expected.accept(wire, &transformed.source) {
                Ok(accepted) => accepted,
                Err(reason) => return Ok(Err(reason)),
            };
            let mut slots = with_need(description, slots);
            let mut asked: Vec<SlotName> = slots
                .iter()
                .map(|(slot, _)| slot)
                .filter(|s| !input.slots_bound.contains_key(*s))
                .cloned()
                .collect();
            let mut assigned = Vec::new();
            if !asked.is_empty() {
                let offered: Vec<_> = input.candidates.iter().map(Into::into).collect();
                let mut ask = |slots: &[SlotName]| {
                    let names: Vec<_> = slots.iter().map(SlotName::to_string).collect();
                    guest.call_remap_credentials(&mut *store, rendering, &names, &offered)
                };
                let mut answer = ask(&asked)?;
                if let Err(contract::Failure::Incomplete(lacking)) = &answer {
                    // A plugin knows which slots its source cannot do without as it is configured.
                    for (slot, required) in &mut slots {
                        *required |= lacking.iter().any(|name| name == slot.as_str());
                    }
                    asked.retain(|slot| !lacking.iter().any(|name| name == slot.as_str()));
                    answer = ask(&asked)?;
                }
                match answer {
                    Ok(answer) => match check::assignments(
                        &answer,
                        &asked.iter().collect::<Vec<_>>(),
                        &input.candidates,
                    ) {
                        Ok(good) => assigned = good,
                        Err(reason) => return Ok(Err(reason)),
                    },
                    Err(failure) => return Ok(Err(refusal(failure))),
                }
            }
            Ok(Ok(Answer { judged, transformed, assigned, options, slots }))
        })?;
        answer.map(|answer| (answer, used))
    }

    /// The error that the data source would connect to the place that the source environment's
    /// does, unless the plugin has said so itself.
    fn same_place(&self, place: &[&str], notes: &[Note]) -> Option<Note> {
        let is_said = |note: &Note| note.severity == Severity::Error && note.code == MUST_DIFFER;
        let at = place.first().filter(|_| !notes.iter().any(is_said))?;
        Some(Note {
            severity: Severity::Error,
            code: MUST_DIFFER.to_owned(),
            at: Some(shown(at)),
            message: format!(
                "plugin `{}` would let the target connect to the same place as the source environment: `{}` equal its options",
                self.name(),
                shown(&place.join("`, `"))
            ),
            fix: Some("bind the target's own place".to_owned()),
        })
    }

    pub(crate) fn refusal(&self, kind: &Kind, target: &EnvironmentName, failure: Failure) -> Reason {
        match failure {
            Failure::UnsupportedKind => Reason::UnsupportedKind(kind.clone()),
            Failure::Invalid(findings) => match notes(findings, self.limits().findings) {
                Ok(notes) => Reason::Invalid(notes),
                Err(reason) => reason,
            },
            Failure::Incomplete(options) => Reason::Incomplete {
                environment: target.clone(),
                options: options.iter().take(self.limits().findings).map(|at| shown(at)).collect(),
            },
        }
    }
}

/// Options, where `null` is none.
pub(crate) fn members(options: &Value) -> std::borrow::Cow<'_, Value> {
    match options {
        Value::Null => std::borrow::Cow::Owned(Value::Object(serde_json::Map::new())),
        options => std::borrow::Cow::Borrowed(options),
    }
}

pub(crate) fn environment(environment: &Environment) -> contract::Environment {
    contract::Environment { name: environment.name.to_string(), order: environment.order }
}

/// Slots with whether each must be filled.
fn with_need(description: &KindDescription, slots: Vec<(&str, SlotName)>) -> Vec<(SlotName, bool)> {
    let is_required = |at: &str, slot: &SlotName| {
        let rule = at.parse().ok().and_then(|at| description.rule(&at, slot));
        rule.is_none_or(|rule| rule.required)
    };
    slots
        .into_iter()
        .map(|(at, slot)| {
            let required = is_required(at, &slot);
            (slot, required)
        })
        .collect()
}

pub(crate) fn notes(
    findings: impl IntoIterator<Item = contract::Finding>,
    most: usize,
) -> Result<Vec<Note>, Reason> {
    let mut notes = Vec::new();
    for (count, finding) in findings.into_iter().enumerate() {
        if count == most {
            return Err(contract::exceeded(Limit::Findings, most));
        }
        let note = Note {
            severity: match finding.severity {
                contract::Severity::Note => Severity::Note,
                contract::Severity::Warning => Severity::Warning,
                contract::Severity::Error => Severity::Error,
            },
            code: shown(&finding.code),
            at: finding.at.as_deref().map(shown),
            message: shown(&finding.message),
            fix: finding.fix.as_deref().map(shown),
        };
        // A plugin judges the bundle's options and the rendered ones; what is odd in both is one note.
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    Ok(notes)
}

/// Notes on references for slots that the rendered source does not have.
fn unknown_slots(bound: &BTreeMap<SlotName, SecretRef>, slots: &[(SlotName, bool)]) -> Vec<Note> {
    bound
        .keys()
        .filter(|bound| !slots.iter().any(|(slot, _)| slot == *bound))
        .map(|slot| Note {
            severity: Severity::Warning,
            code: "slot.unknown".to_owned(),
            at: None,
            message: format!("the binding fills the slot `{slot}`, which the data source does not have"),
            fix: Some("remove it from the binding, or correct its name".to_owned()),
        })
        .collect()
}

fn traits(traits: contract::Traits, most: usize) -> Result<Traits, Reason> {
    if traits.endpoints.len() > most {
        return Err(contract::exceeded(Limit::Findings, most));
    }
    Ok(Traits {
        endpoints: traits.endpoints.iter().map(|endpoint| shown(endpoint)).collect(),
        tls: traits.tls,
        account: traits.account.as_deref().map(shown),
        privileged: traits.privileged,
        public_access: traits.public_access,
    })
}
