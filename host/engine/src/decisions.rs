//! Decisions that were kept, and what becomes of them when they are made again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use sluice_model::tree::Blobs as _;
use sluice_model::verdict::Outcome;
use sluice_model::{Digest, EnvironmentName, LogicalId};
use sluice_policy::{Decision, Pack, Policy, ReplayError, Sandbox};

use crate::act::{Act, What};
use crate::error::{Error, Result};
use crate::promote::{promotions_stream, refusals_stream};
use crate::state::Work;
use crate::workspace::Workspace;

/// In which list of an environment a decision is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum List {
    /// Of the runs that gates let through.
    Promotions,
    /// Of those that they refused.
    Refusals,
}

impl List {
    /// The list's stream in an environment.
    fn stream(self, environment: &EnvironmentName) -> String {
        match self {
            Self::Promotions => promotions_stream(environment),
            Self::Refusals => refusals_stream(environment),
        }
    }

    /// What one of the list is called.
    #[must_use]
    pub const fn of_one(self) -> &'static str {
        match self {
            Self::Promotions => "promotion",
            Self::Refusals => "refusal",
        }
    }
}

/// A decision that was kept: where it stands, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The environment that would change.
    pub environment: EnvironmentName,
    /// In which of its lists.
    pub list: List,
    /// Its number there, from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Who wanted to carry the plan out.
    pub by: String,
    /// What kind of transition, in the words of acts.
    pub transition: String,
    /// The app.
    pub app: LogicalId,
    /// The version.
    pub version: String,
    /// The decision's content: of a run that came to its commit point, of the gates as they were asked
    /// right before it.
    pub decision: Digest,
}

impl Kept {
    fn of(environment: &EnvironmentName, act: Act) -> Option<Self> {
        let (list, transition, app, version, decision) = match act.what {
            What::PromotionProposed(run) => {
                (List::Promotions, run.transition, run.app, run.version, run.decision)
            }
            What::PromotionRefused { transition, app, version, decision, .. } => {
                (List::Refusals, transition, app, version, decision)
            }
            _ => return None,
        };
        let environment = environment.clone();
        let (number, at, by) = (act.revision, act.at, act.actor);
        Some(Self { environment, list, number, at, by, transition, app, version, decision })
    }

    /// How people call it, such as `promotion 3 of staging`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {} of {}", self.list.of_one(), self.number, self.environment)
    }
}

/// What a decision comes to when it is made again from its own input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replayed {
    /// The same bytes.
    Same,
    /// Others.
    Differs {
        /// What it came to.
        then: Outcome,
        /// What it comes to now.
        now: Outcome,
    },
    /// It cannot be made again.
    NotPossible {
        /// Why.
        why: String,
    },
}

impl Workspace {
    /// The decisions that were kept since a time, of all environments that there ever were, oldest
    /// first.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn kept_decisions(&self, since: Option<Timestamp>) -> Result<Vec<Kept>> {
        let mut found = Vec::new();
        for head in self.records().store().streams("env/")? {
            let Some(name) = head.stream.as_str().strip_prefix("env/") else { continue };
            let Ok(environment) = EnvironmentName::new(name) else { continue };
            for list in [List::Promotions, List::Refusals] {
                let stream = list.stream(&environment);
                let mut next = self.records().head(&stream)?;
                while let Some(recorded) = next.filter(|it| since.is_none_or(|since| it.act.at >= since)) {
                    let before = recorded.revision - 1;
                    found.extend(self.kept(&environment, recorded.act)?);
                    next = self.records().at(&stream, before)?;
                }
            }
        }
        found.sort_by(|a, b| (a.at, &a.environment, a.number).cmp(&(b.at, &b.environment, b.number)));
        Ok(found)
    }

    /// One decision that was kept.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn kept_decision(&self, environment: &EnvironmentName, list: List, number: u64) -> Result<Kept> {
        let recorded = match number {
            0 => None,
            number => self.records().at(&list.stream(environment), number)?,
        };
        let kept = recorded.map(|recorded| self.kept(environment, recorded.act)).transpose()?.flatten();
        if let Some(kept) = kept {
            return Ok(kept);
        }
        // What was decided of an environment that the configuration has no more is found all the same.
        self.known_environment(environment)?;
        Err(Error::NotFound {
            what: list.of_one(),
            named: number.to_string(),
            help: format!(
                "`sluice policy replay` lists what was decided; `sluice history {environment}` what was done"
            ),
        })
    }

    fn kept(&self, environment: &EnvironmentName, act: Act) -> Result<Option<Kept>> {
        let governing = match &act.what {
            What::PromotionProposed(run) => self.governing(environment, run)?,
            _ => None,
        };
        let kept = Kept::of(environment, act);
        Ok(kept.map(|kept| Kept { decision: governing.unwrap_or(kept.decision), ..kept }))
    }
}

/// Makes decisions again, by the policies that were kept with them.
pub struct Replays<'w, 's> {
    work: &'w Work<'s>,
    sandbox: Sandbox,
    policies: RefCell<BTreeMap<Digest, Arc<Policy>>>,
}

impl<'w, 's> Replays<'w, 's> {
    /// Over the content of a store.
    #[must_use]
    pub fn over(work: &'w Work<'s>) -> Self {
        // A stopped clock: steps bound a replay, and no time is part of a decision.
        let sandbox = Sandbox::new(Arc::new(|| Duration::ZERO));
        Self { work, sandbox, policies: RefCell::default() }
    }

    /// The content.
    pub(crate) const fn work(&self) -> &'w Work<'s> {
        self.work
    }

    /// The sandbox in which decisions are made again.
    #[must_use]
    pub const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The policy that was kept under this digest.
    #[must_use]
    pub fn policy(&self, pack: &Digest) -> Option<Arc<Policy>> {
        if let Some(known) = self.policies.borrow().get(pack) {
            return Some(Arc::clone(known));
        }
        let bytes = self.work.get(pack).ok().flatten()?;
        let policy = self.sandbox.compile(Pack::from_blob("policy", &bytes).ok()?).ok()?;
        self.policies.borrow_mut().insert(*pack, Arc::clone(&policy));
        Some(policy)
    }

    /// A decision as it was kept.
    ///
    /// # Errors
    /// When its content is missing or damaged.
    pub fn decision(&self, kept: &Kept) -> Result<Decision> {
        self.work.json(&kept.decision)
    }

    /// A decision made again.
    ///
    /// # Errors
    /// [`ReplayError`] where its input is not all there.
    pub fn again(&self, decision: &Decision) -> Result<Decision, ReplayError> {
        self.sandbox.replay(&decision.input, |pack| self.policy(pack)).map(|again| again.decision)
    }

    /// Whether a decision, made again, has the same bytes.
    ///
    /// # Errors
    /// When its content is missing or damaged. That it cannot be made again is no error.
    pub fn replay(&self, kept: &Kept) -> Result<Replayed> {
        let then = self.decision(kept)?;
        let now = match self.again(&then) {
            Ok(now) => now,
            Err(error) => return Ok(Replayed::NotPossible { why: error.to_string() }),
        };
        // Content is kept under the digest of its bytes.
        Ok(if now.digest()? == kept.decision {
            Replayed::Same
        } else {
            Replayed::Differs { then: then.outcome, now: now.outcome }
        })
    }
}
