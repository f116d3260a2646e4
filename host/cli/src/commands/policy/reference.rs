//! `sluice policy reference`.

use serde_json::json;
use sluice_policy::definitions::page;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::Page;

const EXAMPLES: &str = "\
Examples:
  sluice policy reference
  sluice policy reference --definitions > sluice.d.rhai";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The definitions for editors that know Rhai, instead of the page for people.
    #[arg(long)]
    definitions: bool,
}

/// Shows the page, or the definitions.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let text = if arguments.definitions { context.sandbox().definitions() } else { page() };
    Answer::new(&json!({ "text": text }), Page::raw(text.clone()))
}
