//! Markdown, for a comment or a step's summary.

use std::fmt::Write as _;

use sluice_policy::Decision;

use super::{Subject, Told};
use crate::page::harmless;

pub(super) fn write(subject: &Subject, decision: &Decision, told: &[Told<'_>]) -> String {
    // Texts of apps make neither markup nor links, and call nobody.
    let cell = |text: &str| {
        let text = text.replace('\\', "\\\\").replace('&', "&amp;").replace('<', "&lt;");
        let text = text.replace('|', "\\|").replace('[', "\\[").replace('@', "&#64;");
        text.replace('\n', "<br>")
    };
    let mut text = format!("## Sluice: {}\n\n{}\n", decision.outcome, cell(&subject.title));
    if let Some(reason) = &decision.single_operator {
        let _ = writeln!(text, "\nSingle operator: {}", cell(reason));
    }
    if !decision.gates.is_empty() {
        let _ = writeln!(text, "\n| gate | level | verdict |\n|---|---|---|");
        for gate in &decision.gates {
            let _ = writeln!(text, "| {} | {} | {} |", cell(&gate.gate), gate.level, gate.verdict);
        }
    }
    if !told.is_empty() {
        let _ = writeln!(text, "\n| | finding | what | fix |\n|---|---|---|---|");
        for told in told {
            let fix = told.fix.map(|fix| cell(&harmless(fix))).unwrap_or_default();
            let spot = told.in_file.map(|at| harmless(&at.spot()));
            let places = told.place.iter().cloned().chain(spot);
            let place: String = places.map(|place| format!("<br>{}", cell(&place))).collect();
            let (weight, message) = (told.weight.as_str(), cell(&told.message));
            let _ = writeln!(text, "| {weight} | `{}` | {message}{place} | {fix} |", told.code);
        }
    }
    text
}
