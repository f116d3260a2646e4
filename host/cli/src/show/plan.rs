//! A plan for people: what is done to which object, what the data sources become, what stands in
//! the way.

use std::collections::BTreeMap;

use sluice_engine::gates::PlannedGate;
use sluice_engine::import::Difference;
use sluice_engine::plan::{Action, Choice, Plan, PlannedObject, Problem, TransitionKind};
use sluice_engine::render::Rendered;
use sluice_engine::scan::PointsAt;
use sluice_model::ObjectKind;
use sluice_model::diff::Change;
use sluice_policy::Selector;

use super::value::{against, in_a_line};
use crate::page::{Page, Style, counted};
use crate::table::Rows;

/// Objects of one action that are listed; `--output json` has all.
const MOST_OBJECTS: usize = 40;

/// Changes of one object that are listed.
const MOST_CHANGES: usize = 12;

/// Values that still point elsewhere that are listed.
const MOST_POINTERS: usize = 20;

/// Shows a plan.
pub(crate) fn plan(plan: &Plan) -> Page {
    let mut page = Page::new();
    page.styled(Style::Heading, title(plan));
    page.line(format!("plan    {}", plan.digest));
    page.line(format!("bundle  {}", plan.bundle));
    if plan.transition != TransitionKind::Release {
        objects(&mut page, &plan.objects, plan.unchanged);
    }
    sources(&mut page, plan);
    constants(&mut page, plan);
    if !plan.points_at_source.is_empty() {
        page.heading(format!("STILL POINTS AT A LOWER ENVIRONMENT ({})", plan.points_at_source.len()));
        for found in plan.points_at_source.iter().take(MOST_POINTERS) {
            let PointsAt { name, at, value, environment, .. } = found;
            page.styled(Style::Notice, format!("  {name} at {at}: {value}, which belongs to {environment}"));
        }
        more(&mut page, plan.points_at_source.len(), MOST_POINTERS);
    }
    if !plan.notes.is_empty() {
        page.heading("NOTES");
        for note in &plan.notes {
            page.line(format!("  {note}"));
        }
    }
    if !plan.choices.is_empty() {
        page.heading("CHOICES");
        for (object, choice) in &plan.choices {
            let planned = plan.objects.iter().find(|planned| planned.object == *object);
            let named = planned
                .map_or_else(|| object.to_string(), |planned| format!("{} ({})", planned.name, planned.kind));
            page.line(format!("  {named}: {}", in_words(*choice)));
        }
    }
    gates(&mut page, plan);
    if !plan.problems.is_empty() {
        page.heading(format!("PROBLEMS ({})", plan.problems.len()));
        problems(&mut page, &plan.problems);
    }
    page
}

/// A choice as it is typed.
const fn in_words(choice: Choice) -> &'static str {
    match choice {
        Choice::Overwrite => "overwrite",
        Choice::Skip => "skip",
        Choice::Create => "create",
    }
}

fn title(plan: &Plan) -> String {
    match plan.transition {
        TransitionKind::Promotion => {
            format!("Promotion of {} {} from {} to {}", plan.app_name, plan.version, plan.from, plan.to)
        }
        TransitionKind::Release => format!("Release of {} {} in {}", plan.app_name, plan.version, plan.to),
        TransitionKind::Rollback => {
            let number = plan.takes_back.map(|n| n.to_string()).unwrap_or_default();
            let back_to = if plan.version == "-" {
                "what was before".to_owned()
            } else {
                format!("version {}", plan.version)
            };
            format!(
                "Rollback of {} in {}: takes back promotion {number}, back to {back_to}",
                plan.app_name, plan.to
            )
        }
    }
}

const ORDER: [Action; 5] = [Action::Delete, Action::Update, Action::Create, Action::Match, Action::Skip];

/// Shows what is done to each object.
pub(crate) fn objects(page: &mut Page, objects: &[PlannedObject], unchanged: u64) {
    let mut by_action: BTreeMap<Action, Vec<&PlannedObject>> = BTreeMap::new();
    for object in objects {
        by_action.entry(object.action).or_default().push(object);
    }
    let mut counts: Vec<String> = ORDER
        .iter()
        .filter_map(|action| Some(format!("{} {}", by_action.get(action)?.len(), action.as_str())))
        .collect();
    counts.push(format!("{unchanged} unchanged"));
    page.heading(format!("OBJECTS: {}", counts.join(", ")));
    for action in ORDER {
        let Some(objects) = by_action.get(&action) else { continue };
        let (sign, style) = match action {
            Action::Create => ('+', Style::Good),
            Action::Update => ('~', Style::Notice),
            Action::Delete => ('-', Style::Bad),
            Action::Match => ('=', Style::Quiet),
            Action::Skip => ('.', Style::Quiet),
        };
        for object in objects.iter().take(MOST_OBJECTS) {
            page.styled(
                style,
                format!("  {sign} {:<7} {:<13} {}", action.as_str(), object.kind, object.name),
            );
            changes(page, &object.changes);
        }
        more(page, objects.len(), MOST_OBJECTS);
    }
}

/// Shows what changes in one object.
pub(crate) fn changes(page: &mut Page, changes: &[Change]) {
    for change in changes.iter().take(MOST_CHANGES) {
        let text = match (&change.before, &change.after) {
            (Some(before), Some(after)) => {
                let (before, after) = against(before, after);
                format!("{before} -> {after}")
            }
            (None, Some(after)) => format!("now {}", in_a_line(after)),
            (Some(before), None) => format!("was {}", in_a_line(before)),
            (None, None) => continue,
        };
        page.line(format!("      {}: {text}", change.at));
    }
    if changes.len() > MOST_CHANGES {
        page.styled(Style::Quiet, format!("      … and {} more changes", changes.len() - MOST_CHANGES));
    }
}

/// Shows what an import found otherwise.
pub(crate) fn differences(page: &mut Page, differences: &[Difference]) {
    use sluice_engine::import::Sort;
    for difference in differences.iter().take(MOST_OBJECTS) {
        let (sign, word, style) = match difference.sort {
            Sort::Created => ('+', "created", Style::Good),
            Sort::Updated => ('~', "updated", Style::Notice),
            Sort::Deleted => ('-', "deleted", Style::Bad),
            Sort::EnvironmentOwned => ('!', "owned", Style::Notice),
        };
        page.styled(style, format!("  {sign} {word:<7} {:<13} {}", difference.kind, difference.name));
        changes(page, &difference.changes);
    }
    more(page, differences.len(), MOST_OBJECTS);
}

fn more(page: &mut Page, there: usize, shown: usize) {
    if there > shown {
        page.styled(Style::Quiet, format!("  … and {} more; `--output json` has all", there - shown));
    }
}

fn sources(page: &mut Page, plan: &Plan) {
    rendered(page, format!("DATA SOURCES, RENDERED FOR {}", plan.to), &plan.sources);
    rendered(page, format!("DATA SOURCES, AS {} HAS THEM", plan.to), &plan.kept_sources);
}

fn rendered(page: &mut Page, heading: String, sources: &[Rendered]) {
    if sources.is_empty() {
        return;
    }
    page.heading(heading);
    let mut rows = Rows::new(&["NAME", "KIND", "BY", "ENDPOINT", "TLS", "ACCOUNT", "SECRETS"]);
    for source in sources {
        let tls = source.traits.tls.map_or("?", |tls| if tls { "yes" } else { "no" });
        let secrets: Vec<String> =
            source.slots.iter().map(|(slot, reference)| format!("{slot} <- {reference}")).collect();
        let account = match (source.traits.account.as_deref(), source.traits.privileged) {
            (Some(account), Some(true)) => format!("{account} (privileged)"),
            (account, _) => account.unwrap_or("?").to_owned(),
        };
        rows.row([
            source.name.clone(),
            source.kind.to_string(),
            source.plugin.map_or_else(|| "carried".to_owned(), |digest| format!("plugin {}", digest.short())),
            source.traits.endpoints.join(" "),
            tls.to_owned(),
            account,
            secrets.join(", "),
        ]);
    }
    rows.onto(page, "");
}

fn constants(page: &mut Page, plan: &Plan) {
    if plan.constants.is_empty() {
        return;
    }
    page.heading("CONSTANTS");
    for (name, is_there) in &plan.constants {
        if *is_there {
            page.line(format!("  {name}: {} has it", plan.to));
        } else {
            page.styled(Style::Bad, format!("  {name}: missing in {}", plan.to));
        }
    }
}

fn gates(page: &mut Page, plan: &Plan) {
    page.heading("GATES");
    let is_for_some = |gate: &PlannedGate| !gate.selector.is_everything();
    let mut header = vec!["GATE", "LEVEL", "WAIVABLE", "PARAMETERS", "PACK"];
    let selects = plan.gates.iter().any(is_for_some);
    if selects {
        header.push("FOR");
    }
    let mut rows = Rows::new(&header);
    for gate in &plan.gates {
        let parameters: Vec<String> =
            gate.parameters.iter().map(|(name, value)| format!("{name} = {}", in_a_line(value))).collect();
        let mut row = vec![
            if gate.name == gate.policy {
                gate.name.clone()
            } else {
                format!("{} ({})", gate.name, gate.policy)
            },
            gate.level.to_string(),
            if gate.waivable { "yes" } else { "no" }.to_owned(),
            parameters.join(", "),
            gate.pack.short(),
        ];
        if selects {
            row.push(selected(gate));
        }
        rows.row(row);
    }
    rows.onto(page, "  none: the transition is declared ungated");
}

/// Which plans a gate is asked about, in words.
fn selected(gate: &PlannedGate) -> String {
    let Selector { apps, labels, changes } = &gate.selector;
    let changes = changes.iter().map(|change| {
        let words = [change.action.map(Action::as_str), change.object.map(ObjectKind::as_str)];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    });
    let mut parts = Vec::new();
    if !apps.is_empty() {
        parts.push("this app".to_owned());
    }
    if !labels.is_empty() {
        parts.push(format!("labels {}", labels.join(", ")));
    }
    let changes: Vec<String> = changes.collect();
    if !changes.is_empty() {
        parts.push(format!("changes {}", changes.join(", ")));
    }
    if parts.is_empty() { "every plan".to_owned() } else { parts.join("; ") }
}

/// Shows what stands in the way.
pub(crate) fn problems(page: &mut Page, problems: &[Problem]) {
    for (index, problem) in problems.iter().enumerate() {
        page.styled(Style::Bad, format!("  {}. {}: {}", index + 1, problem.code, problem.message));
        page.line(format!("     fix: {}", problem.fix));
        page.line(format!("     who: {}", problem.who));
        if let Some(at) = &problem.at {
            page.line(format!("     at:  {at}"));
        }
    }
}

/// How many problems there are, in words.
pub(crate) fn count_of(problems: &[Problem]) -> String {
    counted(problems.len(), "problem", "problems")
}
