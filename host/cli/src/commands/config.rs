//! `sluice config`.

use serde_json::json;
use sluice_engine::config::Config;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style, counted};

/// What is typed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Check `sluice.toml`, the policies and the plugins.
    #[command(after_help = "Examples:\n  sluice config check")]
    Check,
    /// Show what differs from what was adopted.
    #[command(after_help = "Examples:\n  sluice config diff")]
    Diff,
    /// Make `sluice.toml`, the policies and the plugins count, signed by an owner.
    #[command(after_help = "Examples:\n  sluice config adopt\n  sluice --as ada config adopt")]
    Adopt,
    /// Print the JSON Schema of `sluice.toml`.
    #[command(after_help = "Examples:\n  sluice config schema > sluice.schema.json")]
    Schema,
}

/// Runs `sluice config`.
pub(crate) fn run(context: &Context, command: &Command) -> Result<Answer, Failure> {
    match command {
        Command::Check => check(context),
        Command::Diff => diff(context),
        Command::Adopt => adopt(context),
        Command::Schema => schema(),
    }
}

fn check(context: &Context) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let working = context.working("checking the configuration, policies and plugins");
    let candidate = workspace.proposed()?;
    drop(working);
    let changes = workspace.config_diff(&candidate);
    let adopted = &candidate.adopted;
    let Config { environments, transitions, people, .. } = &adopted.config;
    let gates: usize = transitions.values().map(|rules| rules.gates.len()).sum();
    let mut page = Page::new();
    page.styled(Style::Good, "the configuration is sound");
    page.line(format!(
        "{}, {}, {}, {}, {}",
        counted(environments.len(), "environment", "environments"),
        counted(people.len(), "person", "people"),
        counted(gates, "gate", "gates"),
        counted(adopted.policies.len(), "policy", "policies"),
        counted(adopted.plugins.len(), "plugin", "plugins"),
    ));
    let answer = Answer::new(
        &json!({
            "sound": true,
            "adopted": changes.is_empty(),
            "changes": changes,
            "policies": adopted.policies,
            "plugins": adopted.plugins,
        }),
        page,
    )?;
    Ok(if changes.is_empty() {
        answer
    } else {
        answer.hint("\nIt is not what was adopted: see `sluice config diff`, then `sluice config adopt`")
    })
}

fn diff(context: &Context) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let working = context.working("checking the configuration, policies and plugins");
    let candidate = workspace.proposed()?;
    drop(working);
    let changes = workspace.config_diff(&candidate);
    let mut page = Page::new();
    for change in &changes {
        page.line(change);
    }
    if changes.is_empty() {
        page.styled(Style::Quiet, "nothing differs from what was adopted");
    }
    Answer::new(&json!({ "changes": changes }), page)
}

fn adopt(context: &Context) -> Result<Answer, Failure> {
    let mut workspace = context.open()?;
    let is_first = !workspace.is_adopted();
    let working = context.working("checking the configuration, policies and plugins");
    let candidate = workspace.proposed()?;
    drop(working);
    let judge = workspace.config().unwrap_or(&candidate.adopted.config);
    let actor = context.actor(judge)?;
    let changes = workspace.adopt(&actor, candidate)?;
    let mut page = Page::new();
    if changes.is_empty() {
        page.styled(Style::Quiet, "nothing differs from what was adopted");
    } else {
        page.line(format!("`{}` adopted the configuration", actor.name));
        for change in &changes {
            page.line(format!("  {change}"));
        }
    }
    let answer = Answer::new(&json!({ "actor": actor.name, "changes": changes }), page)?;
    let first = workspace.first_environment()?;
    Ok(if is_first { answer.hint(format!("\nNext:\n  sluice import {first} FILE")) } else { answer })
}

fn schema() -> Result<Answer, Failure> {
    let schema = sluice_engine::config::schema();
    Answer::new(&schema, Page::raw(serde_json::to_string_pretty(&schema)? + "\n"))
}
