//! `sluice policy rollout`.

use sluice_engine::rollout::Readiness;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::moment::{self, Since};
use crate::page::{Page, Style, counted};
use crate::table::Rows;

/// Refusals of a gate that are shown; `--output json` has all.
const SAMPLES: usize = 5;

const EXAMPLES: &str = "\
Examples:
  sluice policy rollout
  sluice policy rollout --since 90d --least 20

Each gate in `audit` or `warn` is asked, as it is adopted now, about the plans that were decided in
its transition, with the facts of then. It is ready for the next level where it was asked about
enough plans and lets all of them through. Nothing is changed.";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Only plans that were decided since this time, or so long ago.
    #[arg(long, value_name = "TIME|DURATION", value_parser = moment::since, default_value = "30d")]
    since: Since,
    /// How many plans a gate must have been asked about before it is ready.
    #[arg(long, value_name = "N", default_value_t = 5)]
    least: usize,
}

/// Shows what gates that refuse nothing yet would have refused.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let working = context.working("asking gates about past plans");
    let since = arguments.since.before(context.ambient().now());
    let all = workspace.rollout(Some(since), arguments.least)?;
    drop(working);
    Answer::new(&all, page(&all, arguments.least.max(1)))
}

fn page(all: &[Readiness], least: usize) -> Page {
    let mut page = Page::new();
    if all.is_empty() {
        page.styled(Style::Quiet, "no gate is in `audit` or `warn`");
        return page;
    }
    let mut rows = Rows::new(&["TRANSITION", "GATE", "LEVEL", "PLANS", "PASSES", "WOULD REFUSE", "NEXT"]);
    for one in all {
        rows.row([
            &*one.transition,
            &one.gate,
            &one.level.to_string(),
            &one.plans.to_string(),
            &one.passes.to_string(),
            &one.would_refuse.len().to_string(),
            &next(one, least),
        ]);
    }
    rows.onto(&mut page, "");
    for one in all.iter().filter(|one| !one.would_refuse.is_empty()) {
        page.heading(format!("{} OF {} WOULD REFUSE", one.gate, one.transition));
        let mut rows = Rows::new(&["AT", "DECISION", "APP", "VERSION", "VERDICT", "FINDINGS"]);
        for would in one.would_refuse.iter().rev().take(SAMPLES) {
            let kept = &would.kept;
            rows.row([
                &*moment::told(kept.at),
                &kept.name(),
                &would.app,
                &kept.version,
                &would.verdict.to_string(),
                &would.codes.join(", "),
            ]);
        }
        rows.onto(&mut page, "");
        if one.would_refuse.len() > SAMPLES {
            let rest = one.would_refuse.len() - SAMPLES;
            page.styled(Style::Quiet, format!("… and {rest} older; `--output json` has all"));
        }
    }
    page
}

/// Whether it is ready for the next level, in words.
fn next(one: &Readiness, least: usize) -> String {
    if one.is_ready {
        format!("ready for `{}`", one.next)
    } else if !one.would_refuse.is_empty() {
        "not yet: it would refuse".to_owned()
    } else {
        format!("not yet: {} more", counted(least.saturating_sub(one.plans), "plan", "plans"))
    }
}
