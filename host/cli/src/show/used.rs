//! What a decision took: steps of its gates, and what the plugins used that made its data sources.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sluice_plugin::Used;

use super::amount;
use crate::page::Page;

/// Shows what gates and plugins used. Time is left out: it says more of the machine.
pub(crate) fn used(
    page: &mut Page,
    gates: &BTreeMap<String, sluice_policy::Used>,
    sources: &BTreeMap<String, Used>,
) {
    if gates.is_empty() && sources.is_empty() {
        return;
    }
    page.gap().line("used:");
    for (gate, used) in gates {
        page.line(format!("  gate {gate}: {} steps", amount::number(used.operations)));
    }
    for (source, used) in sources {
        page.line(format!(
            "  plugin for {source}: {} units of fuel, {} of memory",
            amount::number(used.fuel),
            amount::bytes(used.memory_bytes)
        ));
    }
}

/// The same, for programs.
pub(crate) fn used_data(
    gates: &BTreeMap<String, sluice_policy::Used>,
    sources: &BTreeMap<String, Used>,
) -> Value {
    let gates: BTreeMap<_, _> =
        gates.iter().map(|(gate, used)| (gate, json!({"operations": used.operations}))).collect();
    json!({"gates": gates, "plugins": sources})
}
