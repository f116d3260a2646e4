//! `sluice policy diff`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;
use sluice_engine::decisions::{Kept, Replays};
use sluice_policy::what_if::{Change, WhatIf};

use super::{compiled, packs};
use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::moment::{self, Since};
use crate::page::{Page, Style, counted};
use crate::table::Rows;

/// Decisions of a sort that are shown; `--output json` has all.
const SAMPLES: usize = 5;

const EXAMPLES: &str = "\
Examples:
  sluice policy diff --draft drafts/release-window
  sluice policy diff --draft drafts --since 90d
  sluice policy diff --draft policies --output json

A draft stands in for the policy of the same name, with the gate's parameters, and is asked with the
facts of each decision that was kept. Nothing is changed.";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A pack, or a folder of packs.
    #[arg(long, value_name = "DIR", required = true)]
    draft: Vec<PathBuf>,
    /// Only decisions since this time, or so long ago [default: all].
    #[arg(long, value_name = "TIME|DURATION", value_parser = moment::since)]
    since: Option<Since>,
}

/// A decision and what the drafts would have made of it.
#[derive(Debug, Serialize)]
struct Compared {
    #[serde(rename = "of")]
    kept: Kept,
    app: String,
    what_if: WhatIf,
}

/// What drafts change about decisions that were kept.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let working = context.working("asking the drafts");
    let since = arguments.since.map(|since| since.before(context.ambient().now()));
    let work = workspace.work();
    let replays = Replays::over(&work);
    let mut drafts = BTreeMap::new();
    for pack in packs(context, &arguments.draft)? {
        let policy = compiled(replays.sandbox(), pack)?;
        let name = policy.pack().manifest().name.clone();
        if drafts.insert(name.clone(), policy).is_some() {
            return Err(Failure::usage(
                format!("more than one of the drafts is a pack of the name `{name}`"),
                "give one draft of each policy, or compare them one after the other",
            ));
        }
    }
    let mut compared = Vec::new();
    let (mut not_meant, mut not_possible) = (0, Vec::new());
    for kept in workspace.kept_decisions(since)? {
        let decision = replays.decision(&kept)?;
        let app = decision.input.facts.app.name.clone();
        match replays.sandbox().what_if(&decision, &drafts, |pack| replays.policy(pack)) {
            Ok(Some(what_if)) => compared.push(Compared { kept, app, what_if }),
            Ok(None) => not_meant += 1,
            Err(error) => not_possible.push((kept, error.to_string())),
        }
    }
    drop(working);
    let count = |change: Change| compared.iter().filter(|one| one.what_if.change == change).count();
    let names: Vec<&String> = drafts.keys().collect();
    let data = json!({
        "drafts": names,
        "newly_refused": count(Change::NewlyRefused),
        "newly_allowed": count(Change::NewlyAllowed),
        "cannot_judge": count(Change::CannotJudge),
        "other_findings": count(Change::OtherFindings),
        "same": count(Change::Same),
        "not_asked": not_meant,
        "not_possible": not_possible.iter().map(|(kept, why)| json!({"of": kept, "why": why})).collect::<Vec<_>>(),
        "decisions": compared,
    });
    let mut page = Page::new();
    let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    page.line(format!("{} in which {list} would be asked", counted(compared.len(), "decision", "decisions")));
    page.gap();
    for (change, words, style) in [
        (Change::NewlyRefused, "newly refused", Style::Bad),
        (Change::NewlyAllowed, "newly allowed", Style::Good),
        (Change::CannotJudge, "cannot be judged", Style::Notice),
        (Change::OtherFindings, "come to the same with other findings", Style::Plain),
        (Change::Same, "stay as they are", Style::Plain),
    ] {
        page.styled(style, format!("{:>5} {words}", count(change)));
    }
    if not_meant > 0 {
        page.styled(Style::Quiet, format!("{not_meant:>5} asked no policy of these names"));
    }
    for (kept, why) in &not_possible {
        page.styled(Style::Bad, format!("{} cannot be made again: {why}", kept.name()));
    }
    for (change, words) in [
        (Change::NewlyRefused, "NEWLY REFUSED"),
        (Change::NewlyAllowed, "NEWLY ALLOWED"),
        (Change::CannotJudge, "CANNOT BE JUDGED"),
        (Change::OtherFindings, "OTHER FINDINGS"),
    ] {
        let these: Vec<&Compared> = compared.iter().filter(|one| one.what_if.change == change).collect();
        if these.is_empty() {
            continue;
        }
        page.heading(words);
        let mut rows = Rows::new(&["AT", "DECISION", "APP", "VERSION", "WHY"]);
        for one in these.iter().rev().take(SAMPLES) {
            let Compared { kept, app, what_if } = one;
            rows.row([&*moment::told(kept.at), &kept.name(), app, &kept.version, &why(what_if)]);
        }
        rows.onto(&mut page, "");
        if these.len() > SAMPLES {
            page.styled(
                Style::Quiet,
                format!("… and {} older; `--output json` has all", these.len() - SAMPLES),
            );
        }
    }
    Answer::new(&data, page)
}

/// What is new, in a line.
fn why(what_if: &WhatIf) -> String {
    if let Some(why) = &what_if.why {
        return why.clone();
    }
    let told = what_if.gates.iter().map(|gate| match gate.new.first() {
        Some(finding) => format!("{}: {} {}", gate.gate, finding.code, finding.message),
        None => format!("{}: without {}", gate.gate, gate.gone.join(", ")),
    });
    told.collect::<Vec<_>>().join("; ")
}
