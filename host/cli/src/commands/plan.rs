//! `sluice plan`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sluice_engine::plan::{PlanRequest, TransitionKind, Wanted};

use super::check::by_what_was_adopted;
use crate::answer::{Answer, Exit};
use crate::context::Context;
use crate::failure::Failure;
use crate::page::quoted;
use crate::plan_argument::{PlanFile, TransitionArguments, choose, remember};
use crate::show;

const EXAMPLES: &str = "\
Examples:
  sluice plan Orders --to staging
  sluice plan Orders --to staging --version 1.4 --choose orders-db=skip
  sluice plan Orders --to production --out plan.json
  sluice plan Orders --release production
  sluice plan Orders --rollback production --promotion 3

Ends with exit code 3 where something stands in the way. Nothing is changed.";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group(clap::ArgGroup::new("where").required(true).args(["to", "release", "rollback"])))]
pub(crate) struct Arguments {
    /// The app's name or id.
    app: String,
    #[command(flatten)]
    transition: TransitionArguments,
    /// Write the plan, with the facts that gates judge it by, into a file that other commands take.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Works out what a transition would do.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let working = context.working("planning");
    let (app, version) = (arguments.app.clone(), arguments.transition.version.clone());
    let TransitionArguments { to, release, rollback, promotion, choose: chosen, .. } = &arguments.transition;
    let transition = match (to, release, rollback) {
        (Some(to), _, _) => Wanted::Promotion { app, version, to: to.clone() },
        (_, Some(environment), _) => Wanted::Release { app, version, environment: environment.clone() },
        (_, _, Some(environment)) => {
            Wanted::Rollback { app, environment: environment.clone(), promotion: *promotion }
        }
        _ => return Err(Failure::usage("where to is not said", "add `--to ENV`")),
    };
    let request = choose(&workspace, PlanRequest { transition, choices: BTreeMap::new() }, chosen)?;
    let plan = workspace.plan(&request)?;
    drop(working);
    remember(&workspace, &plan);
    if let Some(path) = &arguments.out {
        let input = workspace.decide(&plan, None)?.decision.input;
        let bytes = serde_json::to_vec_pretty(&PlanFile::of(&plan, input))?;
        std::fs::write(path, bytes).map_err(Failure::file(path))?;
    }
    let mut answer = Answer::new(&plan, show::plan(&plan))?;
    if let Some(path) = &arguments.out {
        answer = answer.hint(format!("\nwrote {}", path.display()));
    }
    answer = by_what_was_adopted(&workspace, answer);
    if !plan.problems.is_empty() {
        let count = show::count_of(&plan.problems);
        return Ok(answer
            .exit(Exit::Denied)
            .hint(format!("\n{count} in the way: solve each as it says, then plan again")));
    }
    let short = plan.digest.short();
    let app = quoted(&arguments.app);
    Ok(answer.hint(match plan.transition {
        TransitionKind::Promotion => {
            format!("\nNext:\n  sluice check {short}\n  sluice promote {app} --to {} --plan {short}", plan.to)
        }
        TransitionKind::Release => format!("\nNext:\n  sluice release {app} --in {}", plan.to),
        TransitionKind::Rollback => format!("\nNext:\n  sluice rollback {app} --in {}", plan.to),
    }))
}
