//! What a plan's file carries for its gates: `input FACTS PACK…` reads facts and packs, makes each pack
//! a hard gate, and writes the input of their decision as JSON.
//!
//! For measuring `sluice check` on facts that no workspace has, beside other policy engines.

#![allow(clippy::print_stdout, reason = "its output is the input of a decision")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluice_model::verdict::Level;
use sluice_policy::{API, Facts, GateSpec, Input, Pack, Selector};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let facts = arguments.next().ok_or("usage: input FACTS PACK…")?;
    let facts = Arc::new(Facts::read(&std::fs::read(facts)?)?);
    let gates = arguments.map(|folder| gate(&folder)).collect::<Result<Vec<_>, _>>()?;
    let input = Input { api: API, facts, gates, reliefs: Vec::new(), ungated: None };
    println!("{}", serde_json::to_string(&input)?);
    Ok(())
}

fn gate(folder: &Path) -> Result<GateSpec, Box<dyn Error>> {
    let pack = Pack::read(folder)?;
    Ok(GateSpec {
        name: folder.file_name().and_then(|name| name.to_str()).unwrap_or("gate").to_owned(),
        pack: pack.digest(),
        level: Level::Hard,
        waivable: false,
        parameters: BTreeMap::new(),
        selector: Selector::default(),
    })
}
