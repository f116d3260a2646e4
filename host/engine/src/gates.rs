//! Gates before a transition: the facts that they may read, and the decision that they come to.

mod authors;
mod credentials;
mod names;
mod past;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_model::verdict::Level;
use sluice_model::{Digest, EnvironmentName, LogicalId, Pointer};
use sluice_policy::facts::{self, Facts, ReadyFacts};
use sluice_policy::{Decided, Gate, GateSpec, Policy, Sandbox, Selector};

use crate::act::What;
use crate::config::{self, AppNames, ChangeName, Config, Transition};
use crate::error::{Error, Result};
use crate::plan::{Plan, TransitionKind};
use crate::records::{Actor, Recorded};
use crate::scan::Find;
use crate::state::Work;
use crate::workspace::Workspace;

pub(crate) use authors::Importers;
pub(crate) use credentials::Fingerprints;
pub(crate) use names::{CutNames, name_in};
pub(crate) use past::Lists;

/// How far ahead calendars are expanded: a window further away than that is no plan.
const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 92);

/// How far back calendars are expanded, so that a window that is open now has its beginning.
const BEHIND: SignedDuration = SignedDuration::from_hours(24 * 32);

/// A gate as it stands in a plan's digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedGate {
    /// Its name: the policy's, unless the configuration gives it another.
    pub name: String,
    /// The policy.
    pub policy: String,
    /// Its pack's digest.
    pub pack: Digest,
    /// How strictly it is taken.
    pub level: Level,
    /// Whether a waiver lifts a refusal of this hard gate.
    pub waivable: bool,
    /// Its parameters, where they are not the policy's own defaults.
    pub parameters: BTreeMap<String, Value>,
    /// Which plans it is asked about. A gate for other apps or labels does not stand before the plan,
    /// so what is left to tell is whether its changes are meant.
    #[serde(default, skip_serializing_if = "Selector::is_everything")]
    pub selector: Selector,
}

impl PlannedGate {
    /// As a plan names a gate.
    pub(crate) fn of(gate: &Gate) -> Self {
        let spec = gate.spec();
        Self {
            name: spec.name.clone(),
            policy: gate.policy().pack().manifest().name.clone(),
            pack: spec.pack,
            level: spec.level,
            waivable: spec.waivable,
            parameters: spec.parameters.clone(),
            selector: spec.selector.clone(),
        }
    }
}

/// The policies that count, compiled, by name.
pub type Policies = BTreeMap<String, Arc<Policy>>;

/// A configured gate with its policy, as it is asked about the app with this id, or as it is checked
/// where that is about none yet.
///
/// # Errors
/// When its policy is not there, or does not take its parameters.
pub fn gate(configured: &config::Gate, policies: &Policies, app: Option<&LogicalId>) -> Result<Gate> {
    let name = configured.policy.as_str();
    let policy = policies.get(name).ok_or_else(|| Error::NotFound {
        what: "policy",
        named: name.to_owned(),
        help: format!("put its pack into `policies/{name}`, or remove the gate from `sluice.toml`"),
    })?;
    // Patterns are the configuration's; here it is known which app they name.
    let apps = app.filter(|_| !configured.is_for_every_app()).map(ToString::to_string);
    let spec = GateSpec {
        name: configured.name.to_string(),
        pack: policy.pack().digest(),
        level: configured.level,
        waivable: configured.waivable,
        parameters: configured.parameters.clone().into_iter().collect(),
        selector: Selector {
            apps: apps.into_iter().collect(),
            labels: configured.labels.iter().map(ToString::to_string).collect(),
            changes: configured.changes.iter().map(ChangeName::kind).collect(),
        },
    };
    Ok(Gate::new(spec, policy)?)
}

/// The gates that a configuration puts before a transition of an app, and why none of them refuses
/// where it says so.
///
/// # Errors
/// When the configuration does not have the transition.
pub(crate) fn gates_for(
    config: &Config,
    policies: &Policies,
    transition: &Transition,
    app: &LogicalId,
    names: &AppNames,
) -> Result<(Vec<Gate>, Option<String>)> {
    let Some(rules) = config.rules(transition) else {
        return Err(Error::invalid(
            format!("the configuration has no transition `{transition}`"),
            "add it to `sluice.toml` with its gates, and adopt it",
        ));
    };
    let gates = rules
        .for_app(names, &config.labels_of(names))
        .map(|(_, configured)| gate(configured, policies, Some(app)))
        .collect::<Result<Vec<_>>>()?;
    Ok((gates, rules.ungated.clone()))
}

/// The tenant, as the configuration has it.
pub(crate) fn workspace_fact(config: &Config) -> facts::Workspace {
    facts::Workspace { name: config.workspace.to_string(), single_operator: config.single_operator.clone() }
}

/// An environment, as the configuration has it.
pub(crate) fn environment_fact(config: &Config, name: &EnvironmentName) -> facts::Environment {
    let known = config.environment(name);
    facts::Environment {
        name: name.clone(),
        order: config.position(name).and_then(|order| u32::try_from(order).ok()).unwrap_or_default(),
        owners: known
            .map(|e| config.people_of(&e.owners).into_iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
        holds_production_data: known.is_some_and(|e| e.holds_production_data),
    }
}

/// The environments, in the order of promotion.
pub(crate) fn environment_facts(config: &Config) -> Vec<facts::Environment> {
    config.environments.iter().map(|known| environment_fact(config, &known.name)).collect()
}

/// The people.
pub(crate) fn people_facts(config: &Config) -> Vec<facts::Person> {
    let person = |(name, person): (&config::PersonName, &config::Person)| facts::Person {
        name: name.to_string(),
        roles: person.roles.iter().map(ToString::to_string).collect(),
    };
    config.people.iter().map(person).collect()
}

/// The calendars around a time.
///
/// # Errors
/// When one cannot be expanded.
pub(crate) fn calendar_facts(config: &Config, now: Timestamp) -> Result<Vec<facts::NamedWindows>> {
    let from = now.checked_sub(BEHIND).unwrap_or(now);
    let until = now.checked_add(HORIZON).unwrap_or(now);
    let expand = |(name, calendar): (&_, &sluice_policy::Calendar)| {
        let name = ToString::to_string(name);
        let windows = calendar
            .expand(from, until)
            .map_err(|e| Error::invalid(format!("calendar `{name}`: {e}"), "mend it in `sluice.toml`"))?;
        Ok(facts::NamedWindows { name, windows })
    };
    config.calendars.iter().map(expand).collect()
}

/// What scanners found that gates are told of, but for what `is_dismissed` by object, place and
/// fingerprint.
pub(crate) fn scan_fact(
    finds: impl IntoIterator<Item = Find>,
    is_dismissed: &dyn Fn(&LogicalId, &Pointer, Digest) -> bool,
) -> facts::Scan {
    let mut secrets = Vec::new();
    let mut personal_data = Vec::new();
    for find in finds {
        match find {
            Find::Mark { object, at, slot, provisional: true, .. } => secrets.push(facts::SecretFound {
                object,
                at,
                what: slot.to_string(),
                state: facts::SecretState::Provisional,
            }),
            Find::Clear { object, at, what, fingerprint } if !is_dismissed(&object, &at, fingerprint) => {
                secrets.push(facts::SecretFound { object, at, what, state: facts::SecretState::Clear });
            }
            Find::Personal(datum) => personal_data.push(datum),
            _ => {}
        }
    }
    facts::Scan { scanner: sluice_policy::scan::SCANNER_VERSION.to_owned(), secrets, personal_data }
}

impl Workspace {
    /// The gates that stand before a planned transition of its app.
    ///
    /// # Errors
    /// When the configuration does not have the transition.
    pub fn planned_gates(&self, plan: &Plan) -> Result<Vec<PlannedGate>> {
        let (gates, _) = self.gates_before(plan)?;
        Ok(gates.iter().map(PlannedGate::of).collect())
    }

    fn gates_before(&self, plan: &Plan) -> Result<(Vec<Gate>, Option<String>)> {
        gates_for(self.config()?, &*self.policies()?, &plan.configured(), &plan.app, &plan.names())
    }

    /// Asks the gates about a plan, now or as if it were another time, for nobody who would carry it
    /// out.
    ///
    /// # Errors
    /// When facts cannot be gathered. What a gate says is no error.
    pub fn decide(&self, plan: &Plan, at: Option<Timestamp>) -> Result<Decided> {
        match at {
            Some(at) => self.decide_on(plan, self.facts(plan, at, true)?),
            None => self.decide_on(plan, self.facts(plan, self.records().now()?, false)?),
        }
    }

    /// Asks the gates now, about a plan that somebody carries out. A plan is made by whoever asks
    /// for it, so that person is one of its authors.
    ///
    /// # Errors
    /// As [`Workspace::decide`].
    pub(crate) fn decide_for(&self, plan: &Plan, actor: &Actor) -> Result<Decided> {
        let mut facts = self.facts(plan, self.records().now()?, false)?;
        facts.plan.authors.push(actor.name.clone());
        facts.plan.authors.sort();
        facts.plan.authors.dedup();
        self.decide_on(plan, facts)
    }

    fn decide_on(&self, plan: &Plan, facts: Facts) -> Result<Decided> {
        let ready = ReadyFacts::new(Arc::new(facts))
            .map_err(|e| Error::invalid(e.to_string(), "set the clock of this machine right"))?;
        let (gates, ungated) = self.gates_before(plan)?;
        let reliefs = self.reliefs(plan)?;
        Ok(self.sandbox().decide(&gates, &ready, &reliefs, ungated.as_deref()))
    }

    /// The sandbox in which policies run.
    #[must_use]
    pub fn sandbox(&self) -> &Sandbox {
        self.sandbox.get_or_init(|| {
            let ambient = self.records().shared_ambient();
            Sandbox::new(Arc::new(move || ambient.elapsed()))
        })
    }

    /// Everything that gates may know of a plan.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn facts(&self, plan: &Plan, now: Timestamp, supposed: bool) -> Result<Facts> {
        let mut work = self.work();
        let config = self.config()?;
        Ok(Facts {
            now,
            last_entry: if supposed { None } else { self.records().last_entry()? },
            workspace: workspace_fact(config),
            transition: facts::Transition {
                kind: plan.transition,
                from: environment_fact(config, &plan.from),
                to: environment_fact(config, &plan.to),
            },
            app: facts::App {
                id: plan.app.clone(),
                name: plan.app_name.clone(),
                platform: plan.platform.clone(),
                labels: config.labels_of(&plan.names()).iter().map(ToString::to_string).collect(),
            },
            scan: Some(self.scanned(&mut work, plan)?),
            evidence: Some(self.evidence_for(&mut work, plan)?),
            approvals: Some(self.approvals(&plan.digest)?),
            waivers: Some(self.waiver_facts(plan)?),
            history: Some(self.past_of(&plan.app)?),
            plugins: Some(self.plugin_facts(&work, plan)?),
            environments: environment_facts(config),
            people: people_facts(config),
            calendars: Some(calendar_facts(config, now)?),
            time_zones: sluice_policy::calendar::time_zone_release().to_owned(),
            not_gathered: Vec::new(),
            plan: self.plan_facts(&mut work, plan)?,
        })
    }

    fn plan_facts(&self, work: &mut Work<'_>, plan: &Plan) -> Result<facts::Plan> {
        let mut cuts = self.records().all(&crate::version::stream(&plan.app))?;
        let authors = self.authors(work, &cuts, &plan.bundle)?;
        let settings = self.settings(work, &plan.to)?;
        cuts.retain(|cut| matches!(&cut.act.what, What::VersionCut(cut) if cut.bundle == plan.bundle));
        // The same bundle can be cut under several names.
        let named =
            |cut: &&Recorded| matches!(&cut.act.what, What::VersionCut(cut) if cut.version == plan.version);
        let cut = cuts.iter().find(named).or(cuts.first());
        Ok(facts::Plan {
            digest: plan.digest,
            bundle: plan.bundle,
            version: plan.version.clone(),
            baseline: plan.baseline()?,
            authors: authors.into_iter().collect(),
            changes: plan
                .objects
                .iter()
                .map(|object| facts::Change {
                    object: object.object.clone(),
                    kind: object.kind,
                    name: object.name.clone(),
                    action: object.action,
                    bytes: object.bytes,
                })
                .collect(),
            unchanged: plan.unchanged,
            bytes: Some(plan.size().bytes),
            cut_at: cut.map(|cut| cut.act.at),
            signer: cut.map(|cut| self.signer(cut)).transpose()?.flatten(),
            credentials: self.credentials(work, plan)?,
            sources: plan
                .all_sources()
                .map(|source| {
                    Ok(facts::Source {
                        id: source.source.clone(),
                        name: source.name.clone(),
                        kind: source.kind.clone(),
                        plugin: source.plugin,
                        owned_by_target: source.owned_by_target.clone(),
                        endpoints: source.traits.endpoints.clone(),
                        tls: source.traits.tls,
                        account: source.traits.account.clone(),
                        privileged: source.traits.privileged,
                        public_access: source.traits.public_access,
                        probe: self.probed(work, &settings, &plan.to, source)?.map(|probed| facts::Probe {
                            reachable: probed.reachable,
                            authenticated: probed.authenticated,
                            at: probed.at,
                        }),
                        missing_slots: plan.missing_slots.get(&source.source).cloned().unwrap_or_default(),
                    })
                })
                .collect::<Result<_>>()?,
            still_pointing_at_source: plan
                .points_at_source
                .iter()
                .map(|found| facts::Leftover {
                    object: found.object.clone(),
                    at: found.at.clone(),
                    value: found.value.clone(),
                    environment: found.environment.clone(),
                })
                .collect(),
        })
    }

    fn scanned(&self, work: &mut Work<'_>, plan: &Plan) -> Result<facts::Scan> {
        let content = match plan.transition {
            TransitionKind::Rollback => self.left_by_rollback(work, plan)?,
            TransitionKind::Promotion | TransitionKind::Release => {
                crate::version::bundle(work, &plan.bundle)?.content
            }
        };
        let dismissed = self.dismissed()?;
        // What a person has said is none stays none, for the same value at the same place.
        Ok(scan_fact(self.finds(work, content)?, &|object, at, fingerprint| {
            dismissed.contains(&(object.clone(), at.clone(), fingerprint))
        }))
    }
}
