//! What happened, and how things stand.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sluice_model::tree::Tree;
use sluice_model::{EnvironmentName, LogicalId};

use crate::act::{BreakGlass, Ended, What};
use crate::config;
use crate::error::Result;
use crate::records::{LEDGER, LedgerEntry, Recorded, parse, stream};
use crate::state::{EnvironmentState, Holding, Promoted, SHARED, Work};
use crate::version;
use crate::workspace::Workspace;

/// One act, in a line.
#[derive(Debug, Clone, Serialize)]
pub struct Happened {
    /// Its entry in the ledger, from 0.
    pub entry: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// Where, if in one environment.
    pub environment: Option<String>,
    /// Which app, if one.
    pub app: Option<LogicalId>,
    /// What, in words.
    pub what: String,
}

/// How an app stands in one environment.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    /// The environment.
    pub environment: EnvironmentName,
    /// The version it holds, `imported`, or nothing.
    pub holds: Option<String>,
    /// The app whose version it is, where the module came along with that app.
    pub with: Option<String>,
    /// Versions that stand there.
    pub standing: Vec<String>,
    /// The version that end users get.
    pub released: Option<String>,
}

/// An app across the environments.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The app.
    pub app: LogicalId,
    /// What people call it.
    pub name: String,
    /// Whether it is managed.
    pub managed: bool,
    /// Its newest version.
    pub newest: Option<String>,
    /// Environment by environment, in order.
    pub cells: Vec<Cell>,
}

impl Workspace {
    /// The acts of the workspace in the order of the ledger, newest last; of one environment or
    /// app where asked.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn history(
        &self,
        environment: Option<&EnvironmentName>,
        app: Option<&LogicalId>,
    ) -> Result<Vec<Happened>> {
        let mut found = Vec::new();
        let ledger = stream(LEDGER)?;
        let mut next = 1;
        loop {
            let page = self.records().store().range(&ledger, next, 500, sluice_store::Order::OldestFirst)?;
            if page.is_empty() {
                return Ok(found);
            }
            next += page.len() as u64;
            for revision in page {
                let entry: LedgerEntry = parse(&revision)?;
                let Some(recorded) = self.records().at(&entry.stream, entry.revision)? else { continue };
                let happened = told(revision.revision - 1, recorded);
                let fits_environment =
                    environment.is_none_or(|wanted| happened.environment.as_deref() == Some(wanted.as_str()));
                let fits_app = app.is_none_or(|wanted| happened.app.as_ref() == Some(wanted));
                if fits_environment && fits_app {
                    found.push(happened);
                }
            }
        }
    }

    /// Apps by environments.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn status(&self) -> Result<Vec<Row>> {
        let mut work = self.work();
        let (_, managed) = self.managed(&mut work)?;
        let mut rows: BTreeMap<LogicalId, Row> = BTreeMap::new();
        let mut along = Vec::new();
        let environments: Vec<EnvironmentName> =
            self.config()?.environments.iter().map(|e| e.name.clone()).collect();
        for environment in &environments {
            let (_, state) = self.environment(&mut work, environment)?;
            along.push(came_along(&work, &state)?);
            for (app, standing) in state.standings(&work)? {
                let Some(digest) = state.object_digest(&work, app.as_str(), &app)? else { continue };
                let object = work.object(&digest)?;
                let newest = self.versions(&app)?.pop().map(|cut| cut.version);
                let is_managed = self.is_managed(&work, managed, &object)?;
                let row = rows.entry(app.clone()).or_insert_with(|| Row {
                    app: app.clone(),
                    name: object.name.clone(),
                    managed: is_managed,
                    newest,
                    cells: environments
                        .iter()
                        .map(|environment| Cell {
                            environment: environment.clone(),
                            holds: None,
                            with: None,
                            standing: Vec::new(),
                            released: None,
                        })
                        .collect(),
                });
                if let Some(cell) = row.cells.iter_mut().find(|cell| cell.environment == *environment) {
                    cell.holds = Some(match standing.holds {
                        Holding::Imported => "imported".to_owned(),
                        Holding::Version(promoted) => promoted.version,
                    });
                    cell.standing = standing.promoted.into_iter().map(|promoted| promoted.version).collect();
                    cell.released = standing.released.map(|promoted| promoted.version);
                }
            }
        }
        for (app, row) in &mut rows {
            for (cell, along) in row.cells.iter_mut().zip(&along) {
                if let Some((with, version)) = along.get(app.as_str()) {
                    cell.holds = Some(version.clone());
                    cell.with = Some(with.clone());
                }
            }
        }
        Ok(rows.into_values().collect())
    }

    /// The person of the adopted configuration whose key signed an act, and who it says did it.
    ///
    /// # Errors
    /// When no configuration was adopted.
    pub fn signer(&self, recorded: &Recorded) -> Result<Option<String>> {
        let config = self.config()?;
        let name = config::person(&recorded.act.actor);
        let person = name.as_ref().and_then(|name| config.people.get(name));
        let signed = person.is_some_and(|person| recorded.is_signed_by(&person.key));
        Ok(signed.then(|| recorded.act.actor.clone()))
    }
}

/// The modules that came to an environment with a version of an app and hold none of their own: each
/// with the app's name and the version. Of several apps, the one whose version is what is there.
fn came_along(work: &Work<'_>, state: &EnvironmentState) -> Result<BTreeMap<String, (String, String)>> {
    let standings = state.standings(work)?;
    let has_its_own = |unit: &str| {
        LogicalId::new(unit)
            .ok()
            .and_then(|unit| standings.get(&unit))
            .is_some_and(|standing| matches!(standing.holds, Holding::Version(_)))
    };
    let held = Tree::at(state.content).entries(work)?;
    let mut found: BTreeMap<String, (String, String)> = BTreeMap::new();
    for standing in standings.values() {
        let Holding::Version(Promoted { version, bundle }) = &standing.holds else { continue };
        let bundle = version::bundle(work, bundle)?;
        for (unit, root) in Tree::at(bundle.content).entries(work)? {
            if unit == SHARED || has_its_own(&unit) {
                continue;
            }
            let came = (bundle.name.clone(), version.clone());
            match held.get(&unit) {
                Some(there) if *there == root => drop(found.insert(unit, came)),
                Some(_) => drop(found.entry(unit).or_insert(came)),
                None => {}
            }
        }
    }
    Ok(found)
}

fn told(entry: u64, recorded: Recorded) -> Happened {
    let act = recorded.act;
    let environment =
        act.stream.strip_prefix("env/").and_then(|rest| rest.split('/').next()).map(str::to_owned);
    let mut happened =
        Happened { entry, at: act.at, actor: act.actor, environment, app: None, what: String::new() };
    happened.what = match act.what {
        What::Initialised { name, .. } => format!("made the workspace `{name}`"),
        What::ConfigAdopted { changes, .. } => format!("adopted the configuration: {}", changes.join("; ")),
        What::Imported { summary, .. } => {
            happened.app = summary.apps.first().cloned();
            let kind = if summary.baseline { "read a baseline or native ids of" } else { "imported" };
            // A judgement changes objects that are there, and reads no file.
            if summary.files.is_empty() {
                format!("put a judgement into the working copy: {} updated", summary.updated)
            } else {
                format!(
                    "{kind} {}: {} created, {} updated, {} deleted, {} unchanged, {} ids learnt",
                    summary.files.join(", "),
                    summary.created,
                    summary.updated,
                    summary.deleted,
                    summary.unchanged,
                    summary.learnt
                )
            }
        }
        What::Managed { objects, on, .. } => {
            happened.app = objects.first().cloned();
            format!("{} {} objects", if on { "marked" } else { "unmarked" }, objects.len())
        }
        What::VersionCut(cut) => {
            happened.app = Some(cut.app);
            format!("cut version `{}` ({})", cut.version, cut.bundle.short())
        }
        What::SettingChanged { change, .. } => {
            use crate::act::SettingChange as C;
            match change {
                C::BindingSet { source } => format!("set the binding of `{source}`"),
                C::BindingAdopted { source, .. } => format!("adopted the proposed binding of `{source}`"),
                C::ConstantSet { name } => format!("set `{name}`"),
                C::SecretSet { reference } => format!("filed `{reference}`"),
                C::Removed { key } => format!("removed `{key}`"),
            }
        }
        What::SuspicionJudged { slot, object, secret, reason, .. } => {
            format!(
                "said that `{slot}` of `{object}` is {}a secret: {reason}",
                if secret { "" } else { "not " }
            )
        }
        What::EvidenceAdded { predicate_type, environment, issuer, .. } => {
            happened.environment = Some(environment.to_string());
            format!("brought evidence {predicate_type} signed by `{issuer}`")
        }
        What::Approved { plan, reason, ticket } => {
            let ticket = ticket.map(|ticket| format!(" under {ticket}")).unwrap_or_default();
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("approved plan {}{ticket}{reason}", plan.short())
        }
        What::Overridden { plan, gate, reason } => {
            format!("overrode gate `{gate}` on plan {}: {reason}", plan.short())
        }
        What::Waived(waiver) => {
            happened.app = Some(waiver.app);
            happened.environment = Some(waiver.environment.to_string());
            format!(
                "asked for waiver {} of `{}` until {}: {}",
                waiver.number, waiver.code, waiver.expires, waiver.reason
            )
        }
        What::WaiverCosigned { number } => format!("signed waiver {number} as the second person"),
        What::BrokeGlass(BreakGlass { plan, reason, ticket }) => {
            format!("broke glass for plan {} under {ticket}: {reason}", plan.short())
        }
        What::BreakGlassCosigned { plan, number } => {
            format!("signed as the second person that glass was broken for plan {} ({number})", plan.short())
        }
        What::ReviewOpened(review) => {
            happened.app = Some(review.app);
            happened.environment = Some(review.environment.to_string());
            let (number, promotion) = (review.number, review.promotion);
            format!("opened review {number} of promotion {promotion}, for which `{}` broke glass", review.by)
        }
        What::ReviewClosed { number, reason } => format!("closed review {number}: {reason}"),
        What::PluginStated { predicate_type, plugin, issuer, .. } => {
            format!("brought {predicate_type} of plugin {} signed by `{issuer}`", plugin.short())
        }
        What::Probed { environment, source, failed: Some(why), .. } => {
            happened.environment = Some(environment.to_string());
            format!("probed data source {source}, which failed: {why}")
        }
        What::Probed { environment, source, reachable, authenticated, .. } => {
            happened.environment = Some(environment.to_string());
            let told = |what: Option<bool>| what.map_or("unknown", |is| if is { "yes" } else { "no" });
            let (reachable, authenticated) = (told(reachable), told(authenticated));
            format!("probed data source {source}: reachable {reachable}, credentials taken {authenticated}")
        }
        What::LeaseTaken { .. } => "took the lease".to_owned(),
        What::LeaseReturned { .. } => "gave the lease back".to_owned(),
        What::PromotionProposed(proposal) => {
            happened.app = Some(proposal.app);
            let undoes = proposal.takes_back.map(|n| format!(" of promotion {n}")).unwrap_or_default();
            format!(
                "began {} {}{undoes}: version `{}` from `{}`, plan {}",
                proposal.transition,
                proposal.number,
                proposal.version,
                proposal.from,
                proposal.plan_digest.short()
            )
        }
        What::Committed { promotion, .. } => format!("committed promotion {promotion}"),
        What::PromotionEnded { promotion, ended } => match ended {
            Ended::Done => format!("finished promotion {promotion}: read back and whole"),
            Ended::Undone { reason } => format!("undid promotion {promotion}: {reason}"),
        },
        What::PromotionRefused { app, outcome, plan, .. } => {
            happened.app = Some(app);
            format!("was refused by the gates ({outcome}), plan content {}", plan.short())
        }
    };
    happened
}
