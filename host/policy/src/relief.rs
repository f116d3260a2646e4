//! What people did about a refusal: overrides and waivers, and why one does not apply.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sluice_model::verdict::{Finding, Level};
use sluice_model::{Digest, LogicalId};

use crate::facts::Facts;
use crate::gate::GateSpec;

/// An act by which a person passes over a refusal; its signature was checked by the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relief {
    /// An expiring, co-signed exception.
    Waiver(Waiver),
    /// A `soft` gate passed over.
    Override(Override),
    /// An emergency act.
    BreakGlass(BreakGlass),
}

/// An expiring, co-signed exception to one finding code for one app or bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The digest of the signed act.
    pub id: Digest,
    /// The finding's code.
    pub code: String,
    /// What it is for.
    pub subject: Subject,
    /// Who gave it.
    pub by: String,
    /// Who signed too; never the same person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosigned: Option<String>,
    /// Why.
    pub reason: String,
    /// Where that is written down.
    pub ticket: String,
    /// When it was given.
    pub at: Timestamp,
    /// The first moment at which it no longer holds.
    pub expires: Timestamp,
}

/// What a waiver is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// One app, whatever the version.
    App(LogicalId),
    /// One bundle.
    Bundle(Digest),
}

/// A `soft` gate passed over for one plan, with a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The digest of the signed act.
    pub id: Digest,
    /// The gate's name.
    pub gate: String,
    /// The plan.
    pub plan: Digest,
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// An emergency act: it lifts all refusals on one plan for one hour, but for those whose code a
/// policy declares `inviolable` and those of a gate that broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakGlass {
    /// The digest of the signed act.
    pub id: Digest,
    /// The plan.
    pub plan: Digest,
    /// The role that the configuration names for it.
    pub role: String,
    /// Who did it; has that role.
    pub by: String,
    /// Who signed too; never the same person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosigned: Option<String>,
    /// Why.
    pub reason: String,
    /// Where that is written down.
    pub ticket: String,
    /// When.
    pub at: Timestamp,
}

/// How long an emergency act holds.
pub const BREAK_GLASS_HOLDS: SignedDuration = SignedDuration::from_hours(1);

/// A relief that lifted nothing, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotApplied {
    /// The act.
    pub id: Digest,
    /// Why not.
    pub reason: String,
}

impl Relief {
    /// The digest of the signed act.
    #[must_use]
    pub const fn id(&self) -> Digest {
        match self {
            Self::Waiver(waiver) => waiver.id,
            Self::Override(over) => over.id,
            Self::BreakGlass(act) => act.id,
        }
    }

    /// Why it cannot count for these facts at all, if so.
    pub(crate) fn problem(&self, facts: &Facts) -> Option<String> {
        let is_known = |name: &str| facts.people.iter().any(|person| person.name == name);
        let (by, reason, at) = match self {
            Self::Waiver(waiver) => (&waiver.by, &waiver.reason, waiver.at),
            Self::Override(over) => (&over.by, &over.reason, over.at),
            Self::BreakGlass(act) => (&act.by, &act.reason, act.at),
        };
        if !is_known(by) {
            return Some(format!("`{by}` is nobody in the configuration"));
        }
        if reason.trim().is_empty() {
            return Some("it gives no reason".to_owned());
        }
        if at > facts.now {
            return Some(format!("it is dated {at}, which is after now ({})", facts.now));
        }
        match self {
            Self::Override(over) => (over.plan != facts.plan.digest)
                .then(|| format!("it is for another plan, {}", over.plan.short())),
            Self::Waiver(waiver) => waiver.problem(facts, is_known),
            Self::BreakGlass(act) => act.problem(facts, is_known),
        }
    }
}

impl Waiver {
    fn problem(&self, facts: &Facts, is_known: impl Fn(&str) -> bool) -> Option<String> {
        if facts.now >= self.expires {
            return Some(format!("it expired at {}", self.expires));
        }
        match &self.subject {
            Subject::App(app) if *app != facts.app.id => {
                return Some(format!("it is for another app, `{app}`"));
            }
            Subject::Bundle(bundle) if *bundle != facts.plan.bundle => {
                return Some(format!("it is for another bundle, {}", bundle.short()));
            }
            _ => {}
        }
        without_ticket_or_second(&self.ticket, &self.by, self.cosigned.as_deref(), is_known)
    }
}

impl BreakGlass {
    fn problem(&self, facts: &Facts, is_known: impl Fn(&str) -> bool) -> Option<String> {
        if self.plan != facts.plan.digest {
            return Some(format!("it is for another plan, {}", self.plan.short()));
        }
        if facts.now.duration_since(self.at) >= BREAK_GLASS_HOLDS {
            return Some(format!("it held for one hour from {}", self.at));
        }
        let has_role =
            |person: &crate::facts::Person| person.name == self.by && person.roles.contains(&self.role);
        if !facts.people.iter().any(has_role) {
            return Some(format!("`{}` does not have the role `{}`", self.by, self.role));
        }
        without_ticket_or_second(&self.ticket, &self.by, self.cosigned.as_deref(), is_known)
    }
}

/// What an act that two people sign lacks, if something.
fn without_ticket_or_second(
    ticket: &str,
    by: &str,
    cosigned: Option<&str>,
    is_known: impl Fn(&str) -> bool,
) -> Option<String> {
    if ticket.trim().is_empty() {
        return Some("it names no ticket".to_owned());
    }
    match cosigned {
        None => Some(format!("nobody but `{by}` has signed it")),
        Some(second) if second == by => Some(format!("nobody but `{by}` has signed it")),
        Some(second) if !is_known(second) => Some(format!("`{second}` is nobody in the configuration")),
        Some(_) => None,
    }
}

/// Whether a relief is meant for this finding of this gate.
pub(crate) fn is_meant(relief: &Relief, gate: &GateSpec, finding: &Finding) -> bool {
    match relief {
        Relief::Waiver(waiver) => waiver.code == finding.code,
        Relief::Override(over) => over.gate == gate.name,
        Relief::BreakGlass(_) => true,
    }
}

/// The kind of relief in the words of the verdict table.
pub(crate) const fn kind(relief: &Relief) -> sluice_model::verdict::Relief {
    match relief {
        Relief::Waiver(_) => sluice_model::verdict::Relief::Waiver,
        Relief::Override(_) => sluice_model::verdict::Relief::Override,
        Relief::BreakGlass(_) => sluice_model::verdict::Relief::BreakGlass,
    }
}

/// Why the table lifts nothing although a relief that counts was meant for the finding.
pub(crate) fn not_by_the_table(relief: &Relief, gate: &GateSpec, finding: &Finding) -> String {
    let Finding { verdict, code, .. } = finding;
    match (relief, gate.level) {
        (Relief::Override(_), Level::Hard) => {
            format!("gate `{}` is hard: an override lifts soft gates only", gate.name)
        }
        (Relief::Waiver(_), Level::Hard) if !gate.waivable => {
            format!("gate `{}` is hard and not waivable", gate.name)
        }
        _ => format!(
            "nothing lifts `{code}` of gate `{}`, which is {verdict} at level {}",
            gate.name, gate.level
        ),
    }
}
