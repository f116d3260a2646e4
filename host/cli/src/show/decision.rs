//! A decision for people: what each gate says, on what grounds, and what would make it pass.

use serde_json::{Value, json};
use sluice_model::verdict::{Effect, Finding, Outcome, Verdict};
use sluice_policy::{Decision, GateDecision};

use super::value::in_a_line;
use crate::page::{Page, Style, counted};
use crate::report::Places;
use crate::table::Rows;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What does not pass, and its fix.
    Short,
    /// Every finding with its grounds.
    Full,
}

/// Shows a decision.
pub(crate) fn decision(page: &mut Page, decision: &Decision, depth: Depth) {
    decision_in(page, decision, &Places::default(), depth);
}

/// Shows a decision, with where in a file that was given stands what findings are about.
pub(crate) fn decision_in(page: &mut Page, decision: &Decision, places: &Places, depth: Depth) {
    let style = match decision.outcome {
        Outcome::Allowed => Style::Good,
        Outcome::Pending => Style::Notice,
        Outcome::Denied | Outcome::Fault => Style::Bad,
    };
    page.styled(style, outcome_line(decision));
    if let Some(reason) = &decision.single_operator {
        page.styled(Style::Notice, format!("single operator: {reason}"));
    }
    if let Some(problem) = &decision.problem {
        page.line(problem);
    }
    if !decision.gates.is_empty() {
        page.gap();
        let mut rows = Rows::new(&["GATE", "LEVEL", "VERDICT", "EFFECT"]);
        for gate in &decision.gates {
            rows.row([
                gate.gate.as_str(),
                &gate.level.to_string(),
                &gate.verdict.to_string(),
                effect_word(gate.effect),
            ]);
        }
        rows.onto(page, "");
    }
    for gate in &decision.gates {
        let shown = gate.findings.iter().filter(|f| depth == Depth::Full || f.verdict != Verdict::Pass);
        for found in shown {
            finding(page, gate, found, places, depth);
        }
    }
    if !decision.not_selected.is_empty() {
        page.gap().line(format!("not asked about this plan: {}", decision.not_selected.join(", ")));
    }
    // What lifts nothing matters where something is to be lifted.
    let tells_reliefs = depth == Depth::Full || decision.outcome != Outcome::Allowed;
    for relief in decision.not_applied.iter().filter(|_| tells_reliefs) {
        page.gap()
            .styled(Style::Notice, format!("act {} lifts nothing: {}", relief.id.short(), relief.reason));
    }
}

fn outcome_line(decision: &Decision) -> String {
    let refusing = decision.gates.iter().filter(|gate| gate.effect == Effect::Refused).count();
    match decision.outcome {
        Outcome::Allowed => "allowed".to_owned(),
        Outcome::Pending if refusing == 0 => "pending".to_owned(),
        Outcome::Pending => {
            format!("pending: {} for something", counted(refusing, "gate waits", "gates wait"))
        }
        Outcome::Denied => format!("denied: {}", counted(refusing, "gate refuses", "gates refuse")),
        Outcome::Fault => {
            format!("fault: {}, and one of them broke", counted(refusing, "gate refuses", "gates refuse"))
        }
    }
}

fn effect_word(effect: Effect) -> &'static str {
    match effect {
        Effect::GoesOn => "goes on",
        Effect::Noted => "noted",
        Effect::Lifted => "lifted",
        Effect::Refused => "refused",
    }
}

fn finding(page: &mut Page, gate: &GateDecision, found: &Finding, places: &Places, depth: Depth) {
    let style = match (found.verdict, gate.effect) {
        (Verdict::Pass, _) => Style::Good,
        (_, Effect::Refused) => Style::Bad,
        _ => Style::Notice,
    };
    page.gap();
    let lifted = gate.lifted.iter().find(|lifted| lifted.code == found.code);
    let note = lifted.map(|lifted| format!(" (lifted by act {})", lifted.by.short())).unwrap_or_default();
    page.styled(style, format!("{} {}: {}{note}", found.verdict, found.code, found.message));
    if depth == Depth::Full {
        page.line(format!("  gate:     {} ({}), {}", gate.gate, gate.level, effect_word(gate.effect)));
    }
    if let Some(because) = &found.because {
        page.line(format!("  because:  it is {}", in_a_line(&because.actual)));
        page.line(format!("            and {} is wanted", in_a_line(&because.expected)));
    }
    if let Some(place) = &found.place {
        let at = place.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
        page.line(format!("  where:    {}{at}", place.object));
    }
    if let Some(at) = places.of(found.place.as_ref()) {
        page.line(format!("  in file:  {} at {}", at.spot(), at.at));
    }
    if let Some(fix) = &found.fix {
        page.line(format!("  fix:      {fix}"));
    }
    if let Some(who) = &found.who {
        page.line(format!("  who:      {who}"));
    }
    if let Some(earliest) = &found.earliest {
        page.line(format!("  earliest: {earliest}"));
    }
    if let Some(source) = found.source.as_ref().filter(|_| depth == Depth::Full) {
        page.line(format!("  policy:   {}/{}:{}", gate.policy, source.file, source.line));
        page.styled(Style::Quiet, format!("            {}", source.text.trim()));
    }
}

/// A decision as data, without the facts it was made from, which the ledger keeps.
pub(crate) fn decision_data(decision: &Decision) -> Value {
    decision_data_in(decision, &Places::default())
}

/// A decision as data, with where in a file that was given stands what findings are about.
pub(crate) fn decision_data_in(decision: &Decision, places: &Places) -> Value {
    let mut data = json!({
        "outcome": decision.outcome,
        "problem": decision.problem,
        "single_operator": decision.single_operator,
        "digests": decision.digests,
        "gates": decision.gates,
        "not_selected": decision.not_selected,
        "not_applied": decision.not_applied,
    });
    let gates = data.get_mut("gates").and_then(Value::as_array_mut).into_iter().flatten();
    for (gate, shown) in decision.gates.iter().zip(gates) {
        let findings = shown.get_mut("findings").and_then(Value::as_array_mut).into_iter().flatten();
        for (finding, shown) in gate.findings.iter().zip(findings) {
            if let (Some(at), Some(shown)) = (places.of(finding.place.as_ref()), shown.as_object_mut()) {
                shown.insert("in_file".to_owned(), at.data());
            }
        }
    }
    data
}
