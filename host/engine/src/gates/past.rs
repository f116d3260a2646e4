//! What happened to an app before, as gates may judge by it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use sluice_model::{Digest, EnvironmentName, LogicalId};
use sluice_policy::facts::{Past, PastOutcome};

use crate::act::{Act, Ended, Size, What};
use crate::error::Result;
use crate::plan::TransitionKind;
use crate::promote::{ends_stream, promotions_stream, refusals_stream};
use crate::records::Records;
use crate::workspace::Workspace;

/// Earlier transitions that gates are told of, the newest of each environment: as many as tell what is
/// usual for an app. Refused ones are counted apart, so that being refused makes nobody's past short.
const MOST_PAST: usize = 200;

/// Acts of a list that are read at once on the way back to an app's older ones.
const PAGE: u64 = 500;

/// The lists of runs of each environment, as far as this process has read them.
#[derive(Default)]
pub(crate) struct Lists(Mutex<BTreeMap<EnvironmentName, Known>>);

/// What this process has read of an environment's lists. Acts never change, so none is read twice: what
/// is new is read on, and what is older until an app has as many runs as gates are told of. The lists
/// are those of all apps, and what others did takes nothing out of an app's own past.
#[derive(Default)]
struct Known {
    promotions: List,
    refusals: List,
    ends: Ends,
}

/// The part of a stream that was read: the revisions after `after`, up to `last`.
#[derive(Default)]
struct Span {
    after: u64,
    last: u64,
}

impl Span {
    /// What is new in the stream. The first time that is nothing: everything is behind.
    fn on(&mut self, records: &Records, stream: &str) -> Result<Vec<Act>> {
        let newest = records.newest(stream)?;
        if self.last == 0 {
            (self.after, self.last) = (newest, newest);
        }
        let found = records.between(stream, self.last, newest)?;
        self.last = newest;
        Ok(found.into_iter().map(|recorded| recorded.act).collect())
    }

    /// A page of what is older than what was read, newest first; none at the stream's beginning.
    fn back(&mut self, records: &Records, stream: &str) -> Result<Vec<Act>> {
        let after = self.after.saturating_sub(PAGE);
        let found = records.between(stream, after, self.after)?;
        self.after = after;
        Ok(found.into_iter().rev().map(|recorded| recorded.act).collect())
    }
}

/// A run in one of the lists.
struct Run {
    number: u64,
    takes_back: Option<u64>,
    kind: TransitionKind,
    at: Timestamp,
    version: String,
    bundle: Digest,
    by: String,
    size: Size,
}

impl Run {
    /// The run that an act tells of, and whose it is.
    fn of(act: Act) -> Option<(LogicalId, Self)> {
        let (at, by) = (act.at, act.actor);
        match act.what {
            What::PromotionProposed(run) => {
                let kind = TransitionKind::from_name(&run.transition)?;
                let (number, takes_back, size) = (run.number, run.takes_back, run.size);
                let (version, bundle) = (run.version, run.bundle);
                Some((run.app, Self { number, takes_back, kind, at, version, bundle, by, size }))
            }
            What::PromotionRefused { transition, app, version, bundle, size, .. } => {
                let kind = TransitionKind::from_name(&transition)?;
                let (number, takes_back) = (act.revision, None);
                Some((app, Self { number, takes_back, kind, at, version, bundle, by, size }))
            }
            _ => None,
        }
    }

    fn past(&self, environment: &EnvironmentName, outcome: PastOutcome) -> Past {
        Past {
            kind: self.kind,
            environment: environment.clone(),
            at: self.at,
            version: self.version.clone(),
            bundle: self.bundle,
            by: self.by.clone(),
            outcome,
            objects: self.size.objects,
            bytes: Some(self.size.bytes),
        }
    }
}

/// A list of runs: of each app the newest that were read, oldest first.
#[derive(Default)]
struct List {
    read: Span,
    runs: BTreeMap<LogicalId, VecDeque<Run>>,
}

impl List {
    /// The newest runs of an app, oldest first.
    fn of(&mut self, records: &Records, stream: &str, app: &LogicalId) -> Result<&VecDeque<Run>> {
        for (app, run) in self.read.on(records, stream)?.into_iter().filter_map(Run::of) {
            let runs = self.runs.entry(app).or_default();
            runs.push_back(run);
            if runs.len() > MOST_PAST {
                runs.pop_front();
            }
        }
        while self.read.after > 0 && self.runs.get(app).map_or(0, VecDeque::len) < MOST_PAST {
            for (app, run) in self.read.back(records, stream)?.into_iter().filter_map(Run::of) {
                let runs = self.runs.entry(app).or_default();
                if runs.len() < MOST_PAST {
                    runs.push_front(run);
                }
            }
        }
        Ok(self.runs.entry(app.clone()).or_default())
    }
}

/// How runs ended, by number: whether they were done.
#[derive(Default)]
struct Ends {
    read: Span,
    /// When the oldest end that was read was written down.
    since: Option<Timestamp>,
    done: BTreeMap<u64, bool>,
}

impl Ends {
    /// How all runs ended whose ends can have been written down since a time.
    fn since(&mut self, records: &Records, stream: &str, at: Timestamp) -> Result<&BTreeMap<u64, bool>> {
        let newer = self.read.on(records, stream)?;
        self.take(newer);
        // An end is never written down before its run is.
        while self.read.after > 0 && self.since.is_none_or(|since| since >= at) {
            let older = self.read.back(records, stream)?;
            self.take(older);
        }
        Ok(&self.done)
    }

    fn take(&mut self, acts: Vec<Act>) {
        for act in acts {
            self.since = Some(self.since.map_or(act.at, |since| since.min(act.at)));
            if let What::PromotionEnded { promotion, ended } = act.what {
                self.done.insert(promotion, ended == Ended::Done);
            }
        }
    }
}

impl Workspace {
    /// The earlier transitions of an app in all environments of the configuration, oldest first. A run
    /// that has no end yet is not among them.
    pub(crate) fn past_of(&self, app: &LogicalId) -> Result<Vec<Past>> {
        let mut lists = self.lists.0.lock().unwrap_or_else(PoisonError::into_inner);
        let records = self.records();
        let mut found: Vec<Past> = Vec::new();
        for environment in self.config()?.environments.iter().map(|known| &known.name) {
            let Known { promotions, refusals, ends } = lists.entry(environment.clone()).or_default();
            let runs = promotions.of(records, &promotions_stream(environment), app)?;
            if let Some(oldest) = runs.iter().map(|run| run.at).min() {
                let ends = ends.since(records, &ends_stream(environment), oldest)?;
                let mut taken_back: BTreeSet<u64> = BTreeSet::new();
                // Newest first, so that what takes back is seen before what is taken back.
                for run in runs.iter().rev() {
                    let outcome = match ends.get(&run.number) {
                        Some(true) if taken_back.contains(&run.number) => PastOutcome::RolledBack,
                        Some(true) => PastOutcome::Done,
                        Some(false) => PastOutcome::Failed,
                        None => continue,
                    };
                    if outcome == PastOutcome::Done {
                        taken_back.extend(run.takes_back);
                    }
                    found.push(run.past(environment, outcome));
                }
            }
            let refused = refusals.of(records, &refusals_stream(environment), app)?;
            found.extend(refused.iter().map(|run| run.past(environment, PastOutcome::Refused)));
        }
        found.sort_by(|a, b| (a.at, &a.environment).cmp(&(b.at, &b.environment)));
        Ok(found)
    }
}
