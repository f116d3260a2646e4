//! Break-glass: an emergency act that lifts the refusals of one plan for one hour.
//!
//! Whoever has the role that the configuration names breaks the glass, a second person signs, and
//! the run that it lets through has a review open ([`crate::review`]). What its policy declares
//! inviolable, what a gate that broke would have said, and a plan's problems it does not lift.

use jiff::Timestamp;
use serde::Serialize;
use sluice_model::Digest;
use sluice_policy::{BREAK_GLASS_HOLDS, Decision, Relief};

use crate::act::{Act, BreakGlass, What};
use crate::config::Config;
use crate::consent::require_reason;
use crate::error::{Error, Result};
use crate::permission::Wish;
use crate::plan::Plan;
use crate::records::{Actor, again};
use crate::workspace::Workspace;

pub(crate) fn stream(plan: &Digest) -> String {
    format!("plan/{}/break-glass", plan.hex())
}

/// An emergency act with what its record says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownBreakGlass {
    /// Its number among those of the plan: its revision.
    pub number: u64,
    /// The act.
    pub act: BreakGlass,
    /// Who did it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The first moment at which it no longer holds.
    pub until: Timestamp,
    /// Who signed it as the second person; it counts once somebody did.
    pub cosigned: Option<String>,
    /// Its digest, by which decisions name it.
    pub id: Digest,
}

/// The emergency act without which a decision would not allow, if one lifted something.
pub(crate) fn allowing_emergency(decision: &Decision) -> Option<&sluice_policy::BreakGlass> {
    decision.input.reliefs.iter().find_map(|relief| match relief {
        Relief::BreakGlass(act) => {
            let lifted =
                decision.gates.iter().flat_map(|gate| &gate.lifted).any(|lifted| lifted.by == act.id);
            lifted.then_some(act)
        }
        _ => None,
    })
}

impl Workspace {
    /// Breaks glass for one plan: all that its gates refuse is lifted for one hour from now, once a
    /// second person has signed.
    ///
    /// # Errors
    /// When the configuration names no role for it or the actor does not have it, or no reason or
    /// ticket is given.
    pub fn break_glass(
        &self,
        actor: &Actor,
        plan: &Plan,
        reason: &str,
        ticket: &str,
    ) -> Result<KnownBreakGlass> {
        self.permit(actor, Wish::BreakGlass)?;
        require_reason(reason)?;
        if ticket.trim().is_empty() {
            return Err(Error::invalid(
                "an emergency act needs a ticket",
                "say with `--ticket` where the emergency is written down",
            ));
        }
        let stream = stream(&plan.digest);
        let number = again(|| {
            let after = self.records().newest(&stream)?;
            let mut work = self.work();
            work.put_json(plan)?;
            let what = What::BrokeGlass(BreakGlass {
                plan: plan.digest,
                reason: reason.to_owned(),
                ticket: ticket.to_owned(),
            });
            self.records().append(actor, &stream, after, what, &work.into_fresh())
        })?;
        let known = self.emergencies(&plan.digest)?;
        known.into_iter().find(|known| known.number == number).ok_or_else(|| Error::RecordDamaged {
            stream,
            revision: number,
            what: "it is not as it was just written".into(),
        })
    }

    /// Signs the newest emergency act on a plan as the second person.
    ///
    /// # Errors
    /// When there is none that still holds and waits for that, or the actor did it.
    pub fn cosign_break_glass(&self, actor: &Actor, plan: &Digest) -> Result<KnownBreakGlass> {
        self.permit(actor, Wish::TakePart)?;
        let stream = stream(plan);
        again(|| {
            let now = self.records().now()?;
            let known = self.emergencies(plan)?.pop();
            let Some(mut known) = known.filter(|known| known.cosigned.is_none() && now < known.until) else {
                return Err(Error::invalid(
                    format!(
                        "nobody broke glass for plan {} in a way that waits for a second person",
                        plan.short()
                    ),
                    "it holds for one hour and is signed once; somebody with the role does it with \
                     `sluice break-glass`",
                ));
            };
            if known.by == actor.name {
                return Err(Error::NotPermitted {
                    actor: actor.name.clone(),
                    act: "sign their own emergency act as the second person".into(),
                    who: "somebody else of the workspace".into(),
                });
            }
            let after = self.records().newest(&stream)?;
            let what = What::BreakGlassCosigned { plan: *plan, number: known.number };
            self.records().append(actor, &stream, after, what, &std::collections::BTreeMap::new())?;
            known.cosigned = Some(actor.name.clone());
            Ok(known)
        })
    }

    /// The emergency acts on a plan whose signatures hold, oldest first.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn emergencies(&self, plan: &Digest) -> Result<Vec<KnownBreakGlass>> {
        Ok(emergencies_in(plan, self.holding(&stream(plan))?.iter()))
    }

    /// The emergency acts on a plan as gates take them: none where the configuration names no role.
    pub(crate) fn emergency_reliefs(&self, plan: &Digest) -> Result<Vec<Relief>> {
        Ok(emergency_reliefs_in(self.config()?, self.emergencies(plan)?))
    }
}

/// Emergency acts as gates take them by a configuration: none where it names no role.
pub(crate) fn emergency_reliefs_in(config: &Config, known: Vec<KnownBreakGlass>) -> Vec<Relief> {
    let Some(role) = config.break_glass.as_ref().map(|rule| rule.role.to_string()) else {
        return Vec::new();
    };
    let relief = |known: KnownBreakGlass| {
        Relief::BreakGlass(sluice_policy::BreakGlass {
            id: known.id,
            plan: known.act.plan,
            role: role.clone(),
            by: known.by,
            cosigned: known.cosigned,
            reason: known.act.reason,
            ticket: known.act.ticket,
            at: known.at,
        })
    };
    known.into_iter().map(relief).collect()
}

/// The emergency acts on a plan in acts of its stream whose signatures hold, oldest first.
pub(crate) fn emergencies_in<'a>(plan: &Digest, said: impl Iterator<Item = &'a Act>) -> Vec<KnownBreakGlass> {
    let mut found: Vec<KnownBreakGlass> = Vec::new();
    for act in said {
        let (number, at, person) = (act.revision, act.at, &act.actor);
        match &act.what {
            What::BrokeGlass(broken) if broken.plan == *plan => found.push(KnownBreakGlass {
                number,
                id: Digest::of(format!("break-glass/{plan}/{number}").as_bytes()),
                act: broken.clone(),
                by: person.clone(),
                at,
                until: at.checked_add(BREAK_GLASS_HOLDS).unwrap_or(at),
                cosigned: None,
            }),
            What::BreakGlassCosigned { number, .. } => {
                let known = found.iter_mut().find(|known| known.number == *number && known.by != *person);
                if let Some(known) = known {
                    known.cosigned.get_or_insert_with(|| person.clone());
                }
            }
            _ => {}
        }
    }
    found
}
