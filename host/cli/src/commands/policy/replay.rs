//! `sluice policy replay`.

use serde::Serialize;
use sluice_engine::decisions::{Kept, Replayed, Replays};

use crate::answer::{Answer, Exit};
use crate::context::Context;
use crate::failure::Failure;
use crate::moment::{self, Since};
use crate::page::{Page, Style, counted};
use crate::table::Rows;

const EXAMPLES: &str = "\
Examples:
  sluice policy replay
  sluice policy replay --since 90d
  sluice policy replay --since 2026-01-01T00:00:00Z --output json

Ends with exit code 1 where a decision does not come out with the same bytes. Nothing is changed.";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Only decisions since this time, or so long ago [default: all].
    #[arg(long, value_name = "TIME|DURATION", value_parser = moment::since)]
    since: Option<Since>,
}

/// A decision and what it comes to when it is made again.
#[derive(Debug, Serialize)]
struct Again {
    #[serde(rename = "of")]
    kept: Kept,
    app: String,
    replayed: Replayed,
}

/// Makes decisions that were kept again.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let working = context.working("making decisions again");
    let since = arguments.since.map(|since| since.before(context.ambient().now()));
    let work = workspace.work();
    let replays = Replays::over(&work);
    let mut all = Vec::new();
    for kept in workspace.kept_decisions(since)? {
        let app = replays.decision(&kept)?.input.facts.app.name.clone();
        let replayed = replays.replay(&kept)?;
        all.push(Again { kept, app, replayed });
    }
    drop(working);
    let same = all.iter().filter(|again| again.replayed == Replayed::Same).count();
    let answer = Answer::new(&all, page(&all, same))?;
    Ok(if same == all.len() { answer } else { answer.exit(Exit::Failed) })
}

fn page(all: &[Again], same: usize) -> Page {
    let mut page = Page::new();
    if all.is_empty() {
        page.styled(Style::Quiet, "no decision was kept");
        return page;
    }
    let style = if same == all.len() { Style::Good } else { Style::Bad };
    let decisions = counted(all.len(), "decision", "decisions");
    page.styled(style, format!("{decisions} made again, {same} with the same bytes"));
    page.gap();
    let mut rows = Rows::new(&["AT", "DECISION", "TRANSITION", "APP", "VERSION", "AGAIN"]);
    for Again { kept, app, replayed } in all {
        let again = match replayed {
            Replayed::Same => "the same".to_owned(),
            Replayed::Differs { then, now } => format!("was {then}, is {now}"),
            Replayed::NotPossible { why } => why.clone(),
        };
        rows.row([&*moment::told(kept.at), &kept.name(), &kept.transition, app, &kept.version, &again]);
    }
    rows.onto(&mut page, "");
    page
}
