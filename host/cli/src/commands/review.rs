//! `sluice review`.

use sluice_engine::review::KnownReview;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::moment;
use crate::page::Page;
use crate::table::Rows;

/// What is typed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the reviews of what an emergency let through.
    #[command(after_help = "Examples:\n  sluice review list")]
    List,
    /// Close a review; not by who broke the glass or carried the plan out.
    #[command(
        after_help = "Examples:\n  sluice --as bob review close 1 --reason \"the fix holds; tests were brought since\""
    )]
    Close {
        /// The review's number, as `sluice review list` shows it.
        number: u64,
        /// What came out.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// Runs `sluice review`.
pub(crate) fn run(context: &Context, command: &Command) -> Result<Answer, Failure> {
    match command {
        Command::List => list(context),
        Command::Close { number, reason } => close(context, *number, reason),
    }
}

fn list(context: &Context) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let mut work = workspace.work();
    let reviews = workspace.reviews()?;
    let mut rows =
        Rows::new(&["N", "APP", "PROMOTION", "BROKE GLASS", "COSIGNED", "TICKET", "OPENED", "STATE"]);
    for KnownReview { review, at, closed, .. } in &reviews {
        rows.row([
            review.number.to_string(),
            workspace
                .app(&mut work, review.app.as_str())
                .map_or_else(|_| review.app.to_string(), |app| app.name),
            format!("{} to {}", review.promotion, review.environment),
            review.by.clone(),
            review.cosigned.clone(),
            review.ticket.clone(),
            moment::told(*at),
            closed.as_ref().map_or_else(
                || "open".to_owned(),
                |closed| format!("closed by {}: {}", closed.by, closed.reason),
            ),
        ]);
    }
    let mut page = Page::new();
    rows.onto(&mut page, "no reviews");
    Answer::new(&reviews, page)
}

fn close(context: &Context, number: u64, reason: &str) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let known = workspace.close_review(&actor, number, reason)?;
    let mut page = Page::new();
    page.line(format!(
        "`{}` closed review {number} of promotion {} to {}",
        actor.name, known.review.promotion, known.review.environment
    ));
    Answer::new(&known, page)
}
