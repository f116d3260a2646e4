//! `sluice history`.

use sluice_model::EnvironmentName;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::moment;
use crate::page::Page;
use crate::table::Rows;

const EXAMPLES: &str = "\
Examples:
  sluice history
  sluice history production --limit 10
  sluice history --app Orders --output json";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Only what happened in this environment.
    #[arg(value_name = "ENV")]
    environment: Option<EnvironmentName>,
    /// Only what happened to this app, by name or id.
    #[arg(long)]
    app: Option<String>,
    /// How many of the newest acts.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

/// Shows what happened, the newest last.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    if let Some(environment) = &arguments.environment {
        workspace.known_environment(environment)?;
    }
    let app = arguments.app.as_ref().map(|app| workspace.app(&mut workspace.work(), app)).transpose()?;
    let mut acts = workspace.history(arguments.environment.as_ref(), app.as_ref().map(|app| &app.id))?;
    let left_out = acts.len().saturating_sub(arguments.limit);
    acts.drain(..left_out);
    let mut rows = Rows::new(&["ENTRY", "WHEN", "WHO", "WHERE", "WHAT"]);
    for act in &acts {
        rows.row([
            act.entry.to_string(),
            moment::told(act.at),
            act.actor.clone(),
            act.environment.clone().unwrap_or_default(),
            act.what.clone(),
        ]);
    }
    let mut page = Page::new();
    rows.onto(&mut page, "nothing happened yet");
    let answer = Answer::new(&acts, page)?;
    Ok(if left_out > 0 {
        answer.hint(format!("\n{left_out} earlier acts are left out; see more with `--limit`"))
    } else {
        answer
    })
}
