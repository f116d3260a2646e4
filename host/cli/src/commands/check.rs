//! `sluice check` and `sluice why`.

use jiff::Timestamp;
use serde_json::json;
use sluice_engine::Error;
use sluice_model::verdict::Outcome;

use crate::answer::{Answer, Exit};
use crate::context::Context;
use crate::failure::Failure;
use crate::moment;
use crate::page::{Page, Style};
use crate::plan_argument::PlanArgument;
use crate::report::Subject;
use crate::show::{self, Depth};

pub(crate) const EXAMPLES_OF_CHECK: &str = "\
Examples:
  sluice check Orders --to staging
  sluice check plan.json
  sluice check 0a1b2c3d --at 2026-03-02T10:00:00Z

Ends with exit code 0 where the gates let through, 3 where they deny, 5 where something is missing
that a person or time can bring. Nothing is changed.";

pub(crate) const EXAMPLES_OF_WHY: &str = "\
Examples:
  sluice why Orders --to staging
  sluice why plan.json
  sluice why 0a1b2c3d --output json

Says of each finding what is, what is wanted, how to mend it, who can, and the policy's line. Ends
with the same exit codes as `sluice check`. Nothing is changed.";

/// What is typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    plan: PlanArgument,
    /// Ask as if it were this time.
    #[arg(long, value_name = "TIME", value_parser = moment::time)]
    at: Option<Timestamp>,
}

/// Asks the gates about a plan.
pub(crate) fn run(context: &Context, arguments: &Arguments, depth: Depth) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let working = context.working("asking the gates");
    let plan = arguments.plan.plan(&workspace)?;
    let decided = workspace.decide(&plan, arguments.at)?;
    let unadopted = match workspace.check_adopted() {
        Ok(()) => None,
        Err(Error::NotAdopted { what }) => Some(what),
        Err(error) => Some(error.to_string()),
    };
    drop(working);
    let decision = &decided.decision;
    let mut page = Page::new();
    page.line(format!("plan {} of {} {} to {}", plan.digest.short(), plan.app_name, plan.version, plan.to));
    if let Some(at) = arguments.at {
        page.line(format!("as if it were {at}"));
    }
    show::decision(&mut page, decision, depth);
    if !plan.problems.is_empty() {
        page.gap().styled(
            Style::Bad,
            format!("Whatever the gates say, the plan has {}:", show::count_of(&plan.problems)),
        );
        show::problems(&mut page, &plan.problems);
    }
    if let Some(unadopted) = &unadopted {
        page.gap().styled(
            Style::Notice,
            format!(
                "files differ from what was adopted ({unadopted}): promote refuses until `sluice config adopt`"
            ),
        );
    }
    let exit = match decision.outcome {
        Outcome::Fault => Exit::Failed,
        _ if !plan.problems.is_empty() => Exit::Denied,
        Outcome::Allowed => Exit::Done,
        Outcome::Pending => Exit::Pending,
        Outcome::Denied => Exit::Denied,
    };
    let data = json!({
        "plan": plan.digest,
        "at": arguments.at,
        "decision": show::decision_data(decision),
        "replayable": decided.replayable,
        "problems": plan.problems,
        "unadopted": unadopted,
    });
    let subject = Subject {
        title: format!("plan {} of {} {} to {}", plan.digest.short(), plan.app_name, plan.version, plan.to),
        problems: plan.problems.clone(),
    };
    let answer = Answer::new(&data, page)?.decided(subject, decision.clone()).exit(exit);
    Ok(if exit == Exit::Done || depth == Depth::Full {
        answer
    } else {
        answer.hint(format!("\nSee the grounds of each finding with `sluice why {}`", plan.digest.short()))
    })
}
