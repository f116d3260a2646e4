//! A plan's file for facts that no workspace has: `plan_file FACTS PACK…` reads facts and packs, makes each
//! pack a hard gate, and writes what `sluice plan --out` would.
//!
//! For measuring `sluice check` beside other policy engines.

#![allow(clippy::print_stdout, reason = "its output is the plan's file")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use sluice_engine::gates::PlannedGate;
use sluice_engine::plan::Plan;
use sluice_model::verdict::Level;
use sluice_policy::{API, Facts, GateSpec, Input, Pack, Selector};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let file = arguments.next().ok_or("usage: plan_file FACTS PACK…")?;
    let text = std::fs::read_to_string(file)?;
    let facts = Facts::read(text.as_bytes())?;
    let planned = arguments.map(|folder| gate(&folder)).collect::<Result<Vec<_>, _>>()?;
    let mut plan = plan(&facts, planned);
    plan.digest = sluice_model::json::digest(&plan.core()?);
    // What the facts say of the plan's digest, they say of this one.
    let text = text.replace(&facts.plan.digest.to_string(), &plan.digest.to_string());
    let facts = Arc::new(Facts::read(text.as_bytes())?);
    let gates = plan.gates.iter().map(spec).collect();
    let input = Input { api: API, facts, gates, reliefs: Vec::new(), ungated: None };
    let request = json!({
        "digest": plan.digest, "transition": plan.transition, "app": plan.app, "environment": plan.to,
        "version": plan.version, "promotion": null, "choices": {},
    });
    println!("{}", json!({"request": request, "plan": plan, "input": input}));
    Ok(())
}

fn gate(folder: &Path) -> Result<PlannedGate, Box<dyn Error>> {
    let pack = Pack::read(folder)?;
    Ok(PlannedGate {
        name: folder.file_name().and_then(|name| name.to_str()).unwrap_or("gate").to_owned(),
        policy: pack.manifest().name.clone(),
        pack: pack.digest(),
        level: Level::Hard,
        waivable: false,
        parameters: BTreeMap::new(),
        selector: Selector::default(),
    })
}

fn spec(gate: &PlannedGate) -> GateSpec {
    GateSpec {
        name: gate.name.clone(),
        pack: gate.pack,
        level: gate.level,
        waivable: gate.waivable,
        parameters: gate.parameters.clone(),
        selector: gate.selector.clone(),
    }
}

/// A plan of which only its facts are known.
fn plan(facts: &Facts, gates: Vec<PlannedGate>) -> Plan {
    Plan {
        digest: facts.plan.digest,
        transition: facts.transition.kind,
        app: facts.app.id.clone(),
        app_name: facts.app.name.clone(),
        other_names: BTreeSet::new(),
        platform: facts.app.platform.clone(),
        version: facts.plan.version.clone(),
        bundle: facts.plan.bundle,
        from: facts.transition.from.name.clone(),
        to: facts.transition.to.name.clone(),
        choices: BTreeMap::new(),
        objects: Vec::new(),
        unchanged: facts.plan.unchanged,
        sources: Vec::new(),
        kept_sources: Vec::new(),
        notes: Vec::new(),
        used: BTreeMap::new(),
        points_at_source: Vec::new(),
        constants: BTreeMap::new(),
        problems: Vec::new(),
        gates,
        takes_back: None,
        missing_slots: BTreeMap::new(),
        revision: None,
        content: (facts.plan.bundle, facts.plan.bundle),
    }
}
