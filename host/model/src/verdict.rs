//! What gates say, and what follows from it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Pointer;

/// How strictly a gate is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Recorded only.
    Audit,
    /// Shown, never refused.
    Warn,
    /// Refused, unless overridden or waived.
    Soft,
    /// Refused, unless waived where the gate says `waivable`.
    Hard,
}

impl Level {
    /// Whether a gate of this level can refuse.
    #[must_use]
    pub const fn refuses(self) -> bool {
        matches!(self, Self::Soft | Self::Hard)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Audit => "audit",
            Self::Warn => "warn",
            Self::Soft => "soft",
            Self::Hard => "hard",
        })
    }
}

/// What one gate says. The order is by gravity: of several calls the worst wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The rule is met, and a fact that was read says so.
    Pass,
    /// Something is missing, so the rule cannot be judged.
    Undecided,
    /// The rule is broken.
    Deny,
    /// The gate itself broke.
    Fault,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Undecided => "undecided",
            Self::Deny => "deny",
            Self::Fault => "fault",
        })
    }
}

/// What a gate found, with the grounds for it and the way out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What this finding alone says.
    pub verdict: Verdict,
    /// Stable name of the rule, such as `window.closed`; a waiver names it.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
    /// The values it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Because>,
    /// What would make it pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// Who can do that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The earliest moment at which it could pass, where time alone or together with a person's
    /// act mends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Timestamp>,
    /// What it is about: an object's place in the plan.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The policy's source that said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceLine>,
}

/// The values a finding rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// What was found.
    pub actual: Value,
    /// What was wanted.
    pub expected: Value,
}

/// A place in what is promoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The object's logical id or name.
    pub object: String,
    /// Where in its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Pointer>,
}

/// A line of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceLine {
    /// The file's path within its pack.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The line's text.
    pub text: String,
}

/// What was done about a refusing finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Relief {
    /// Nothing.
    None,
    /// A `soft` gate was passed over by name, with a reason.
    Override,
    /// A co-signed, expiring exception to the finding's code.
    Waiver,
    /// An emergency act on one plan, by a named role and a second signer, for one hour.
    BreakGlass,
}

/// What a verdict comes to at a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The gate lets the promotion on.
    GoesOn,
    /// The gate would have refused but its level only records or shows.
    Noted,
    /// The gate refused and a person's act, recorded in the ledger, lifts it.
    Lifted,
    /// The gate refuses.
    Refused,
}

/// The table of verdicts and levels.
///
/// Every pairing that is not named here as lifted or noted refuses.
#[must_use]
pub const fn effect(level: Level, verdict: Verdict, waivable: bool, relief: Relief) -> Effect {
    match (level, verdict, relief) {
        (_, Verdict::Pass, _) => Effect::GoesOn,
        (Level::Warn | Level::Audit, _, _) => Effect::Noted,
        (Level::Soft, Verdict::Deny | Verdict::Undecided, Relief::Override | Relief::Waiver) => {
            Effect::Lifted
        }
        (Level::Hard, Verdict::Deny, Relief::Waiver) if waivable => Effect::Lifted,
        (Level::Hard | Level::Soft, Verdict::Deny | Verdict::Undecided, Relief::BreakGlass) => Effect::Lifted,
        _ => Effect::Refused,
    }
}

/// What all gates together come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing refuses.
    Allowed,
    /// Refused only because something is missing that a person or time can bring.
    Pending,
    /// Refused because a rule is broken.
    Denied,
    /// Refused because a gate itself broke.
    Fault,
}

impl Outcome {
    /// The outcome of gates' effects: the worst of those that refuse. No gate at all is pending:
    /// nothing passes by default.
    #[must_use]
    pub fn of(gates: impl IntoIterator<Item = (Verdict, Effect)>) -> Self {
        gates
            .into_iter()
            .map(|(verdict, effect)| match (effect, verdict) {
                (Effect::GoesOn | Effect::Noted | Effect::Lifted, _) => Self::Allowed,
                (Effect::Refused, Verdict::Undecided) => Self::Pending,
                (Effect::Refused, Verdict::Deny) => Self::Denied,
                (Effect::Refused, Verdict::Fault | Verdict::Pass) => Self::Fault,
            })
            .max()
            .unwrap_or(Self::Pending)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Allowed => "allowed",
            Self::Pending => "pending",
            Self::Denied => "denied",
            Self::Fault => "fault",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The design's table, cell by cell: what lifts a refusal of this verdict at this level.
    fn lifted_by(level: Level, verdict: Verdict) -> &'static [(bool, Relief)] {
        match (level, verdict) {
            (Level::Hard, Verdict::Deny) => {
                &[(true, Relief::Waiver), (true, Relief::BreakGlass), (false, Relief::BreakGlass)]
            }
            (Level::Hard, Verdict::Undecided) => &[(true, Relief::BreakGlass), (false, Relief::BreakGlass)],
            (Level::Soft, Verdict::Deny | Verdict::Undecided) => &[
                (true, Relief::Waiver),
                (false, Relief::Waiver),
                (true, Relief::Override),
                (false, Relief::Override),
                (true, Relief::BreakGlass),
                (false, Relief::BreakGlass),
            ],
            _ => &[],
        }
    }

    #[test]
    fn the_table_is_the_designs_in_every_cell() {
        for level in [Level::Hard, Level::Soft, Level::Warn, Level::Audit] {
            for verdict in [Verdict::Pass, Verdict::Deny, Verdict::Undecided, Verdict::Fault] {
                for waivable in [true, false] {
                    for relief in [Relief::None, Relief::Override, Relief::Waiver, Relief::BreakGlass] {
                        let expected = if verdict == Verdict::Pass {
                            Effect::GoesOn
                        } else if !level.refuses() {
                            Effect::Noted
                        } else if lifted_by(level, verdict).contains(&(waivable, relief)) {
                            Effect::Lifted
                        } else {
                            Effect::Refused
                        };
                        let actual = effect(level, verdict, waivable, relief);
                        assert_eq!(actual, expected, "{level} {verdict} waivable={waivable} {relief:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_worst_refusal_is_the_outcome_and_no_gate_is_not_allowed() {
        use {Effect as E, Verdict as V};
        for (gates, expected) in [
            (vec![], Outcome::Pending),
            (vec![(V::Pass, E::GoesOn)], Outcome::Allowed),
            (vec![(V::Pass, E::GoesOn), (V::Undecided, E::Refused)], Outcome::Pending),
            (vec![(V::Deny, E::Refused), (V::Undecided, E::Refused)], Outcome::Denied),
            (vec![(V::Fault, E::Refused), (V::Deny, E::Refused)], Outcome::Fault),
            (vec![(V::Fault, E::Noted), (V::Deny, E::Lifted)], Outcome::Allowed),
        ] {
            assert_eq!(Outcome::of(gates.clone()), expected, "{gates:?}");
        }
    }
}
