//! What people say about a plan: approvals, overrides and waivers. Emergencies are in
//! [`crate::break_glass`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sluice_model::verdict::{Effect, Level, Relief as Lifting, Verdict, effect};
use sluice_model::{Digest, EnvironmentName, Object};
use sluice_policy::facts::{self, Approval};
use sluice_policy::gate::{FACTS_MISSING, FAULT, SILENT};
use sluice_policy::{Override, Relief, Subject};

use crate::act::{Act, Waiver, What};
use crate::config::{self, AppNames, Config};
use crate::error::{Error, Result};
use crate::permission::Wish;
use crate::plan::Plan;
use crate::records::{Actor, again};
use crate::workspace::Workspace;

/// The stream of waivers and their second signatures.
pub const WAIVERS: &str = "waivers";

/// For how long whoever approves a plan twice in the same words is taken to have slipped.
const JUST: SignedDuration = SignedDuration::from_mins(1);

/// What every gate can be found to be, whatever its policy: it lacks facts, or says nothing.
const OF_EVERY_GATE: [&str; 2] = [FACTS_MISSING, SILENT];

pub(crate) fn approvals_stream(plan: &Digest) -> String {
    format!("plan/{}/approvals", plan.hex())
}

pub(crate) fn overrides_stream(plan: &Digest) -> String {
    format!("plan/{}/overrides", plan.hex())
}

/// A waiver with what its record says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownWaiver {
    /// The waiver.
    pub waiver: Waiver,
    /// Who asked for it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Who signed it as the second person; it counts once somebody did.
    pub cosigned: Option<String>,
    /// Its digest, by which decisions name it.
    pub id: Digest,
}

/// An exception that somebody asks for.
pub struct WaiverRequest {
    /// The finding code.
    pub code: String,
    /// The app's name or id.
    pub app: String,
    /// The only bundle it is for, if it is for one.
    pub bundle: Option<Digest>,
    /// Into which environment.
    pub environment: EnvironmentName,
    /// Why.
    pub reason: String,
    /// Where that is discussed.
    pub ticket: String,
    /// When it ends.
    pub expires: Timestamp,
}

impl Workspace {
    /// Records a person's consent to a plan's digest. Who has approved it already does so again to say
    /// more, such as a ticket, or because an approval holds for a while only: the newest counts. A
    /// ticket or a reason that is not given anew stays what it was.
    ///
    /// # Errors
    /// When the actor is nobody in the configuration, has just approved it in the same words, or the
    /// ticket or the reason is blank.
    pub fn approve(
        &self,
        actor: &Actor,
        plan: &Plan,
        reason: Option<String>,
        ticket: Option<String>,
    ) -> Result<u64> {
        self.permit(actor, Wish::TakePart)?;
        if ticket.as_ref().is_some_and(|ticket| ticket.trim().is_empty()) {
            return Err(Error::invalid("the ticket is blank", "name one, or leave it out"));
        }
        if let Some(reason) = &reason {
            require_reason(reason)?;
        }
        let stream = approvals_stream(&plan.digest);
        again(|| {
            let known = self.records().all(&stream)?;
            let (mut reason, mut ticket) = (reason.clone(), ticket.clone());
            // With a key that was replaced since, it no longer counts.
            for recorded in known.iter().rev() {
                let What::Approved { reason: said, ticket: named, .. } = &recorded.act.what else { continue };
                if self.signer(recorded)?.as_deref() != Some(actor.name.as_str()) {
                    continue;
                }
                reason = reason.or_else(|| said.clone());
                ticket = ticket.or_else(|| named.clone());
                let is_new = (&reason, &ticket) != (said, named);
                if !is_new && self.records().now()?.duration_since(recorded.act.at) < JUST {
                    return Err(Error::invalid(
                        format!("`{}` has just approved this plan in the same words", actor.name),
                        "one approval a person counts; to say more, name a `--ticket` or a `--reason`",
                    ));
                }
                break;
            }
            let mut work = self.work();
            work.put_json(plan)?;
            let what = What::Approved { plan: plan.digest, reason, ticket };
            self.records().append(actor, &stream, known.len() as u64, what, &work.into_fresh())
        })
    }

    /// The approvals of a plan, of each person whom the adopted configuration has the newest.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn approvals(&self, plan: &Digest) -> Result<Vec<Approval>> {
        let said = self.holding(&approvals_stream(plan))?;
        let mut newest: Vec<Approval> = Vec::new();
        for approval in approvals_in(self.config()?, said.iter()) {
            newest.retain(|known| known.person != approval.person);
            newest.push(approval);
        }
        Ok(newest)
    }

    /// The acts of a stream whose signatures hold by the adopted configuration.
    pub(crate) fn holding(&self, stream: &str) -> Result<Vec<Act>> {
        let mut found = Vec::new();
        for recorded in self.records().all(stream)? {
            if self.signer(&recorded)?.is_some() {
                found.push(recorded.act);
            }
        }
        Ok(found)
    }

    /// Whether anybody approved a plan, passed over one of its gates or broke glass for it.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn has_consent(&self, plan: &Digest) -> Result<bool> {
        let records = self.records();
        Ok(records.head(&approvals_stream(plan))?.is_some()
            || records.head(&overrides_stream(plan))?.is_some()
            || records.head(&crate::break_glass::stream(plan))?.is_some())
    }

    /// Passes over a `soft` gate on one plan, by name and with a reason.
    ///
    /// # Errors
    /// When the actor may not promote to the plan's target.
    pub fn override_gate(&self, actor: &Actor, plan: &Plan, gate: &str, reason: &str) -> Result<u64> {
        self.permit(actor, Wish::Promote(&plan.to))?;
        require_reason(reason)?;
        let planned = plan.gates.iter().find(|planned| planned.name == gate);
        if let Some(planned) = planned.filter(|planned| planned.level != Level::Soft) {
            return Err(Error::invalid(
                format!("gate `{gate}` is {}, and an override passes over soft gates only", planned.level),
                "solve what the gate says, or ask for a waiver where the gate is waivable",
            ));
        }
        if planned.is_none() {
            return Err(Error::NotFound {
                what: "gate",
                named: gate.to_owned(),
                help: if plan.gates.is_empty() {
                    "no gate stands before this plan, so there is nothing to pass over".to_owned()
                } else {
                    let gates: Vec<&str> = plan.gates.iter().map(|gate| gate.name.as_str()).collect();
                    format!("the gates of this plan are: {}", gates.join(", "))
                },
            });
        }
        let stream = overrides_stream(&plan.digest);
        again(|| {
            let after = self.records().all(&stream)?.len() as u64;
            let what =
                What::Overridden { plan: plan.digest, gate: gate.to_owned(), reason: reason.to_owned() };
            self.records().append(actor, &stream, after, what, &BTreeMap::new())
        })
    }

    /// Asks for an exception to one finding code. It counts once a second person has signed it.
    ///
    /// # Errors
    /// When the request breaks the rules for waivers, or the waiver could lift nothing.
    pub fn waive(&self, actor: &Actor, request: &WaiverRequest) -> Result<Waiver> {
        self.permit(actor, Wish::Promote(&request.environment))?;
        self.known_environment(&request.environment)?;
        require_reason(&request.reason)?;
        if request.ticket.trim().is_empty() {
            return Err(Error::invalid(
                "a waiver needs a ticket",
                "say with `--ticket` where the exception is discussed",
            ));
        }
        let now = self.records().now()?;
        let rules = self.config()?.waivers;
        let longest = now
            .checked_add(SignedDuration::from_secs(
                i64::try_from(rules.longest.seconds()).unwrap_or(i64::MAX),
            ))
            .unwrap_or(now);
        if request.expires <= now || request.expires > longest {
            return Err(Error::invalid(
                format!("a waiver that ends {} would hold for too long, or not at all", request.expires),
                format!("let it end between now and {longest}, as `waivers.longest` in `sluice.toml` says"),
            ));
        }
        let app = self.app(&mut self.work(), &request.app)?;
        self.check_liftable(&request.code, &app, &request.environment)?;
        again(|| {
            let known = self.records().all(WAIVERS)?;
            let number = 1 + known.iter().filter(|r| matches!(r.act.what, What::Waived(_))).count() as u64;
            let waiver = Waiver {
                number,
                code: request.code.clone(),
                app: app.id.clone(),
                bundle: request.bundle,
                environment: request.environment.clone(),
                reason: request.reason.clone(),
                ticket: request.ticket.clone(),
                expires: request.expires,
            };
            let what = What::Waived(waiver.clone());
            self.records().append(actor, WAIVERS, known.len() as u64, what, &BTreeMap::new())?;
            Ok(waiver)
        })
    }

    /// Refuses a waiver that could lift nothing: of a code that no policy gives, or that gates before
    /// the environment give for this app only where no waiver lifts it.
    fn check_liftable(&self, code: &str, app: &Object, environment: &EnvironmentName) -> Result<()> {
        let policies = self.policies()?;
        let of_policies = policies.values().flat_map(|policy| policy.pack().manifest().findings.keys());
        let declared: BTreeSet<&str> = of_policies.map(String::as_str).chain(OF_EVERY_GATE).collect();
        if code == FAULT {
            return Err(Error::invalid(
                format!("no waiver lifts `{code}`: what a gate that broke would have said is not known"),
                "mend the policy, or what it reads",
            ));
        }
        if !declared.contains(code) {
            return Err(Error::invalid(
                format!("no policy that was adopted gives a finding `{code}`"),
                config::did_you_mean(code, declared),
            ));
        }
        let finding = |gate: &config::Gate| {
            policies.get(gate.policy.as_str()).and_then(|policy| policy.pack().manifest().findings.get(code))
        };
        let is_of_every_gate = OF_EVERY_GATE.contains(&code);
        let config = self.config()?;
        let names = AppNames::new(&app.id, self.names_of(&app.id)?);
        let labels = config.labels_of(&names);
        let rules =
            config.transitions.iter().filter(|(transition, _)| transition.environment() == environment);
        let giving: Vec<&config::Gate> = rules
            .flat_map(|(_, rules)| rules.for_app(&names, &labels))
            .map(|(_, gate)| gate)
            .filter(|gate| is_of_every_gate || finding(gate).is_some())
            .collect();
        let is_inviolable = |gate: &config::Gate| finding(gate).is_some_and(|finding| finding.inviolable);
        // What every gate can say leaves it undecided; what a policy's own finding says, it alone knows.
        let verdict = if is_of_every_gate { Verdict::Undecided } else { Verdict::Deny };
        let is_liftable = |gate: &&config::Gate| {
            !is_inviolable(gate)
                && effect(gate.level, verdict, gate.waivable, Lifting::Waiver) == Effect::Lifted
        };
        if giving.iter().any(is_liftable) {
            return Ok(());
        }
        let refuses = |gate: &&&config::Gate| gate.level.refuses();
        // Why the one does not that looks as if it did.
        let nearest = giving.iter().filter(refuses).find(|gate| gate.waivable || gate.level == Level::Soft);
        let refusing = nearest.or_else(|| giving.iter().find(refuses));
        let solve = "solve what the gate says";
        let (why, help) = match (refusing, giving.first()) {
            (Some(gate), _) if is_inviolable(gate) => {
                (format!("the policy of gate `{}` says that nothing does", gate.name), solve)
            }
            (Some(gate), _) if gate.waivable => (
                format!(
                    "gate `{}` is hard, where a waiver lifts what is denied, and this leaves it undecided",
                    gate.name
                ),
                "bring what the gate lacks, or mend its policy",
            ),
            (Some(gate), _) => (
                format!("gate `{}` is hard and not `waivable`", gate.name),
                "solve what the gate says; an owner of the configuration decides whether it is waivable",
            ),
            (None, Some(gate)) => {
                (format!("gate `{}` refuses nothing, being {}", gate.name, gate.level), "go on without one")
            }
            (None, None) => (
                format!("no gate before `{environment}` gives it for `{}`", app.name),
                "see what the gates say with `sluice why`",
            ),
        };
        Err(Error::invalid(format!("no waiver lifts `{code}` in `{environment}`: {why}"), help))
    }

    /// Signs a waiver as the second person.
    ///
    /// # Errors
    /// When there is no such waiver, or the actor asked for it.
    pub fn cosign(&self, actor: &Actor, number: u64) -> Result<Waiver> {
        self.permit(actor, Wish::TakePart)?;
        again(|| {
            let known = self.records().all(WAIVERS)?;
            let found = known.iter().find_map(|recorded| match &recorded.act.what {
                What::Waived(waiver) if waiver.number == number => {
                    Some((recorded.act.actor.clone(), waiver.clone()))
                }
                _ => None,
            });
            let Some((author, waiver)) = found else {
                return Err(Error::NotFound {
                    what: "waiver",
                    named: number.to_string(),
                    help: "see the waivers with `sluice waiver list`".into(),
                });
            };
            if author == actor.name {
                return Err(Error::NotPermitted {
                    actor: actor.name.clone(),
                    act: "sign their own waiver as the second person".into(),
                    who: "somebody else of the workspace".into(),
                });
            }
            if self.waivers()?.iter().any(|known| known.waiver.number == number && known.cosigned.is_some()) {
                return Err(Error::invalid(
                    format!("waiver {number} has its second signature already"),
                    "see the waivers with `sluice waiver list`",
                ));
            }
            let what = What::WaiverCosigned { number };
            self.records().append(actor, WAIVERS, known.len() as u64, what, &BTreeMap::new())?;
            Ok(waiver)
        })
    }

    /// The waivers of an app that let into a plan's target, as policies see them.
    pub(crate) fn waiver_facts(&self, plan: &Plan) -> Result<Vec<facts::Waiver>> {
        let is_meant = |known: &KnownWaiver| {
            let Waiver { app, bundle, environment, .. } = &known.waiver;
            *environment == plan.to && *app == plan.app && bundle.is_none_or(|bundle| bundle == plan.bundle)
        };
        Ok(self.waivers()?.into_iter().filter(is_meant).map(KnownWaiver::fact).collect())
    }

    /// All waivers, with who asked and who signed second.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn waivers(&self) -> Result<Vec<KnownWaiver>> {
        waivers_in(self.holding(WAIVERS)?.iter())
    }

    /// Overrides of a plan, emergency acts on it, and waivers that let into its target.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn reliefs(&self, plan: &Plan) -> Result<Vec<Relief>> {
        let waivers = self.waivers()?.into_iter().filter(|known| known.waiver.environment == plan.to);
        let mut found: Vec<Relief> = waivers.map(KnownWaiver::relief).collect();
        found.extend(overrides_in(self.holding(&overrides_stream(&plan.digest))?.iter()));
        found.extend(self.emergency_reliefs(&plan.digest)?);
        Ok(found)
    }
}

impl KnownWaiver {
    /// As policies see it.
    pub(crate) fn fact(self) -> facts::Waiver {
        facts::Waiver {
            code: self.waiver.code,
            is_for_bundle: self.waiver.bundle.is_some(),
            by: self.by,
            cosigned: self.cosigned,
            reason: self.waiver.reason,
            ticket: self.waiver.ticket,
            at: self.at,
            expires: self.waiver.expires,
        }
    }

    /// As gates take it.
    pub(crate) fn relief(self) -> Relief {
        let Self { waiver, by, at, cosigned, id } = self;
        let subject = match waiver.bundle {
            Some(bundle) => Subject::Bundle(bundle),
            None => Subject::App(waiver.app),
        };
        Relief::Waiver(sluice_policy::Waiver {
            id,
            code: waiver.code,
            subject,
            by,
            cosigned,
            reason: waiver.reason,
            ticket: waiver.ticket,
            at,
            expires: waiver.expires,
        })
    }
}

/// All approvals in acts of a plan's stream whose signatures hold.
pub(crate) fn approvals_in<'a>(config: &Config, said: impl Iterator<Item = &'a Act>) -> Vec<Approval> {
    let approval = |act: &Act| {
        let What::Approved { plan, ticket, .. } = &act.what else { return None };
        let person = config::person(&act.actor).and_then(|name| config.people.get(&name));
        let roles = person.map(|person| person.roles.iter().map(ToString::to_string).collect());
        let (plan, ticket, at) = (*plan, ticket.clone(), act.at);
        Some(Approval { person: act.actor.clone(), roles: roles.unwrap_or_default(), plan, ticket, at })
    };
    said.filter_map(approval).collect()
}

/// The overrides in acts of a plan's stream whose signatures hold.
pub(crate) fn overrides_in<'a>(said: impl Iterator<Item = &'a Act>) -> Vec<Relief> {
    let relief = |act: &Act| {
        let What::Overridden { plan, gate, reason } = &act.what else { return None };
        let id = Digest::of(format!("{plan}/{gate}/{}", act.revision).as_bytes());
        let (gate, reason, by) = (gate.clone(), reason.clone(), act.actor.clone());
        Some(Relief::Override(Override { id, gate, plan: *plan, by, reason, at: act.at }))
    };
    said.filter_map(relief).collect()
}

/// The waivers in acts of their stream whose signatures hold.
///
/// # Errors
/// When one cannot be made JSON.
pub(crate) fn waivers_in<'a>(said: impl Iterator<Item = &'a Act>) -> Result<Vec<KnownWaiver>> {
    let mut found: Vec<KnownWaiver> = Vec::new();
    for act in said {
        let person = &act.actor;
        match &act.what {
            What::Waived(waiver) => {
                let id = sluice_model::json::digest(&serde_json::to_value(waiver)?);
                let (waiver, by) = (waiver.clone(), person.clone());
                found.push(KnownWaiver { waiver, by, at: act.at, cosigned: None, id });
            }
            What::WaiverCosigned { number } => {
                let known =
                    found.iter_mut().find(|known| known.waiver.number == *number && known.by != *person);
                if let Some(known) = known {
                    known.cosigned.get_or_insert_with(|| person.clone());
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Refuses an act that says nothing of why.
///
/// # Errors
/// [`Error::Invalid`].
pub(crate) fn require_reason(reason: &str) -> Result<()> {
    if reason.trim().is_empty() {
        return Err(Error::invalid("a reason is wanted, and none is given", "say why with `--reason`"));
    }
    Ok(())
}
