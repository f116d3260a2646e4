//! Measures a call of an Extism plugin: `sluice-peer-host PLUGIN INPUT` prints medians in nanoseconds
//! as JSON.
//!
//! A call begins with a value of JSON and ends with one, as Sluice's does. `fresh` makes an instance
//! for each call, as Sluice does; `kept` calls the same one over and over, which is Extism's way, and
//! lets one call see what another left.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};
use serde_json::{Value, json};

const CALLS: usize = 5_000;

/// The guest never frees, so that one instance has memory for so many calls only.
const CALLS_OF_ONE: usize = 500;

fn call(plugin: &mut Plugin, input: &Value) -> anyhow::Result<Value> {
    let answer = plugin.call::<_, &[u8]>("call", serde_json::to_vec(input)?)?;
    Ok(serde_json::from_slice(answer)?)
}

fn median(mut times: Vec<Duration>) -> Option<u128> {
    times.sort();
    times.get(times.len() / 2).map(Duration::as_nanos)
}

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let (plugin, input) = (words.next().context("no plugin")?, words.next().context("no input")?);
    let input: Value = serde_json::from_slice(&std::fs::read(input)?)?;
    let builder = PluginBuilder::new(Manifest::new([Wasm::data(std::fs::read(plugin)?)])).with_wasi(false);
    let compiled = CompiledPlugin::new(builder.with_fuel_limit(500_000_000))?;

    let answer = call(&mut Plugin::new_from_compiled(&compiled)?, &input)?;
    ensure!(answer.get("failure").is_none(), "the plugin refuses: {answer}");

    let mut fresh = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begun = Instant::now();
        let mut plugin = Plugin::new_from_compiled(&compiled)?;
        std::hint::black_box(call(&mut plugin, &input)?);
        drop(plugin);
        fresh.push(begun.elapsed());
    }
    let mut kept = Vec::with_capacity(CALLS);
    while kept.len() < CALLS {
        let mut plugin = Plugin::new_from_compiled(&compiled)?;
        for _ in 0..CALLS_OF_ONE {
            let begun = Instant::now();
            std::hint::black_box(call(&mut plugin, &input)?);
            kept.push(begun.elapsed());
        }
    }
    println!("{}", json!({ "fresh": median(fresh), "kept": median(kept), "answer": answer }));
    Ok(())
}
