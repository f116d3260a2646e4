//! A decision as a process of its own: `decide FACTS PACK…` reads facts and packs, asks each pack
//! as a hard gate, and writes the decision as JSON.
//!
//! The measure of what reading, compiling and asking cost together, beside other policy engines.

#![allow(clippy::print_stdout, reason = "its output is the decision")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use sluice_model::verdict::Level;
use sluice_policy::{Facts, Gate, GateSpec, Pack, ReadyFacts, Sandbox, Selector};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let facts = arguments.next().ok_or("usage: decide FACTS PACK…")?;
    let ready = ReadyFacts::new(Facts::read(&std::fs::read(facts)?)?)?;
    let begun = Instant::now();
    let sandbox = Sandbox::new(Arc::new(move || begun.elapsed()));
    let gates = arguments.map(|folder| gate(&sandbox, &folder)).collect::<Result<Vec<_>, _>>()?;
    let decided = sandbox.decide(&gates, &ready, &[], None);
    println!("{}", serde_json::to_string(&decided.decision.gates)?);
    Ok(())
}

fn gate(sandbox: &Sandbox, folder: &Path) -> Result<Gate, Box<dyn Error>> {
    let pack = Pack::read(folder)?;
    let spec = GateSpec {
        name: folder.file_name().and_then(|name| name.to_str()).unwrap_or("gate").to_owned(),
        pack: pack.digest(),
        level: Level::Hard,
        waivable: false,
        parameters: BTreeMap::new(),
        selector: Selector::default(),
    };
    Ok(Gate::new(spec, &sandbox.compile(pack)?)?)
}
