//! What people say about plans: `sluice approve`, `override`, `waive`, `break-glass`, `cosign` and
//! `waiver`.

use serde_json::{Value, json};
use sluice_engine::consent::{KnownWaiver, WaiverRequest};
use sluice_model::{Digest, EnvironmentName};

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::moment::{self, Moment};
use crate::page::Page;
use crate::plan_argument::{PlanArgument, TransitionArguments};
use crate::show;
use crate::table::Rows;

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sluice approve 0a1b2c3d --reason \"looked at it with the team\"\n  sluice --as bob approve Orders --to production --ticket CHG-1042"
)]
pub(crate) struct Approve {
    #[command(flatten)]
    plan: PlanArgument,
    /// What you say to it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The change record under which you approve it.
    #[arg(long)]
    ticket: Option<String>,
}

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sluice override 0a1b2c3d --gate test-evidence --reason \"tested by hand\""
)]
pub(crate) struct Override {
    #[command(flatten)]
    plan: PlanArgument,
    /// The gate to pass over; it must be soft.
    #[arg(long, value_name = "GATE")]
    gate: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sluice waive window.closed --app Orders --to production --reason outage --ticket OPS-17 \\\n    --expires 4h"
)]
pub(crate) struct Waive {
    /// The finding code to lift, as `sluice why` shows it.
    code: String,
    /// The app it is for, by name or id.
    #[arg(long)]
    app: String,
    /// The environment into which it lets.
    #[arg(long, value_name = "ENV")]
    to: EnvironmentName,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Where that is discussed.
    #[arg(long)]
    ticket: String,
    /// When it ends: a time, or how long from now.
    #[arg(long, value_name = "TIME|DURATION", value_parser = moment::moment)]
    expires: Moment,
    /// The only bundle it is for [default: every version of the app].
    #[arg(long, value_name = "DIGEST")]
    bundle: Option<Digest>,
}

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sluice --as bob cosign 1\n  sluice --as bob cosign 0a1b2c3d\n  sluice --as bob cosign Orders --to production"
)]
pub(crate) struct Cosign {
    /// The waiver's number, as `sluice waiver list` shows it; or the plan for which glass was broken:
    /// a file, the beginning of its digest, or an app with `--to`, `--release` or `--rollback`.
    #[arg(value_name = "NUMBER|PLAN|APP")]
    what: String,
    #[command(flatten)]
    transition: TransitionArguments,
}

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sluice break-glass Orders --to production --reason \"orders are lost\" --ticket INC-7\n  sluice break-glass 0a1b2c3d --reason \"orders are lost\" --ticket INC-7\n\nIt is for the role that `[break_glass]` in `sluice.toml` names, counts once a second person has\nsigned it with `sluice cosign`, and holds for this plan and one hour. A secret in the clear and a\nplan's problems it does not lift. What it lets through has a review open, and the app is promoted\nno further until somebody else has closed that."
)]
pub(crate) struct BreakGlass {
    #[command(flatten)]
    plan: PlanArgument,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Where the emergency is written down.
    #[arg(long)]
    ticket: String,
}

/// What is typed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Waiver {
    /// List waivers with who signed them and whether they hold.
    #[command(after_help = "Examples:\n  sluice waiver list")]
    List,
}

/// Approves a plan.
pub(crate) fn approve(context: &Context, arguments: Approve) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let plan = arguments.plan.plan(&workspace)?;
    let number = workspace.approve(&actor, &plan, arguments.reason, arguments.ticket.clone())?;
    let mut page = Page::new();
    page.line(format!(
        "`{}` approved plan {}: {} {} to {}",
        actor.name,
        plan.digest.short(),
        plan.app_name,
        plan.version,
        plan.to
    ));
    let ticket = arguments.ticket.as_ref().map(|ticket| format!(" under {ticket}")).unwrap_or_default();
    page.line(format!("approval {number} of this plan{ticket}"));
    let data = json!({
        "plan": plan.digest, "actor": actor.name, "approval": number, "ticket": arguments.ticket
    });
    let answer = Answer::new(&data, page)?;
    Ok(if plan.problems.is_empty() {
        answer
    } else {
        let count = show::count_of(&plan.problems);
        answer.hint(format!(
            "\nThe plan still has {count}; once solved it is another plan and needs another approval"
        ))
    })
}

/// Passes over a soft gate.
pub(crate) fn override_gate(context: &Context, arguments: &Override) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let plan = arguments.plan.plan(&workspace)?;
    workspace.override_gate(&actor, &plan, &arguments.gate, &arguments.reason)?;
    let mut page = Page::new();
    page.line(format!(
        "`{}` passes over gate `{}` on plan {}",
        actor.name,
        arguments.gate,
        plan.digest.short()
    ));
    let data = json!({
        "plan": plan.digest, "actor": actor.name, "gate": arguments.gate, "reason": arguments.reason
    });
    Answer::new(&data, page)
}

/// Asks for a waiver.
pub(crate) fn waive(context: &Context, arguments: Waive) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let request = WaiverRequest {
        code: arguments.code,
        app: arguments.app,
        bundle: arguments.bundle,
        environment: arguments.to,
        reason: arguments.reason,
        ticket: arguments.ticket,
        expires: arguments.expires.from(context.ambient().now()),
    };
    let waiver = workspace.waive(&actor, &request)?;
    let mut page = Page::new();
    page.line(format!(
        "waiver {} of `{}` for `{}` into {} until {}",
        waiver.number, waiver.code, request.app, waiver.environment, waiver.expires
    ));
    Ok(Answer::new(&waiver, page)?.hint(format!(
        "\nIt counts once somebody else has signed it:\n  sluice --as NAME cosign {}",
        waiver.number
    )))
}

/// Breaks glass for a plan.
pub(crate) fn break_glass(context: &Context, arguments: &BreakGlass) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let plan = arguments.plan.plan(&workspace)?;
    let broke = workspace.break_glass(&actor, &plan, &arguments.reason, &arguments.ticket)?;
    let mut page = Page::new();
    page.line(format!(
        "`{}` broke glass for plan {}: {} {} to {}",
        broke.by,
        plan.digest.short(),
        plan.app_name,
        plan.version,
        plan.to
    ));
    page.line(format!("it holds until {}", broke.until));
    let mut answer = Answer::new(&broke, page)?.hint(format!(
        "\nIt counts once somebody else has signed it:\n  sluice --as NAME cosign {}",
        plan.digest.short()
    ));
    if !plan.problems.is_empty() {
        let count = show::count_of(&plan.problems);
        answer = answer.hint(format!("\nThe plan still has {count}, which no emergency lifts"));
    }
    Ok(answer)
}

/// Signs a waiver, or that glass was broken, as the second person.
pub(crate) fn cosign(context: &Context, arguments: Cosign) -> Result<Answer, Failure> {
    match waiver_number(&arguments.what) {
        Some(number) => cosign_waiver(context, number),
        None => {
            let plan = PlanArgument { plan: arguments.what, transition: arguments.transition };
            cosign_break_glass(context, &plan)
        }
    }
}

/// The waiver's number, where one was typed: a plan's digest is named by eight digits or more.
fn waiver_number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.len() < 8)
}

fn cosign_waiver(context: &Context, number: u64) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let waiver = workspace.cosign(&actor, number)?;
    let mut page = Page::new();
    page.line(format!(
        "`{}` signed waiver {} of `{}` until {}",
        actor.name, waiver.number, waiver.code, waiver.expires
    ));
    Answer::new(&json!({ "waiver": waiver, "cosigned": actor.name }), page)
}

fn cosign_break_glass(context: &Context, plan: &PlanArgument) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let plan = plan.plan(&workspace)?;
    let broke = workspace.cosign_break_glass(&actor, &plan.digest)?;
    let mut page = Page::new();
    page.line(format!(
        "`{}` signed that `{}` broke glass for plan {} until {}",
        actor.name,
        broke.by,
        plan.digest.short(),
        broke.until
    ));
    Answer::new(&broke, page)
}

/// Lists waivers.
pub(crate) fn list(context: &Context) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let now = context.ambient().now();
    let mut rows = Rows::new(&["N", "CODE", "APP", "INTO", "BY", "COSIGNED", "EXPIRES", "STATE", "TICKET"]);
    let mut data: Vec<Value> = Vec::new();
    let mut work = workspace.work();
    for KnownWaiver { waiver, by, at, cosigned, id } in workspace.waivers()? {
        let state = if waiver.expires <= now {
            "expired"
        } else if cosigned.is_none() {
            "waits for a second person"
        } else {
            "holds"
        };
        rows.row([
            waiver.number.to_string(),
            waiver.code.clone(),
            workspace
                .app(&mut work, waiver.app.as_str())
                .map_or_else(|_| waiver.app.to_string(), |app| app.name),
            waiver.environment.to_string(),
            by.clone(),
            cosigned.clone().unwrap_or_else(|| "-".to_owned()),
            moment::told(waiver.expires),
            state.to_owned(),
            waiver.ticket.clone(),
        ]);
        data.push(json!({
            "waiver": waiver, "by": by, "at": at, "cosigned": cosigned, "id": id, "state": state
        }));
    }
    let mut page = Page::new();
    rows.onto(&mut page, "no waivers");
    Answer::new(&data, page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waivers_number_is_shorter_than_the_beginning_of_a_digest() {
        for (text, expected) in [
            ("1", Some(1)),
            ("1234567", Some(1_234_567)),
            ("12345678", None),
            ("0a1b2c3d", None),
            ("Orders", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(waiver_number(text), expected, "{text}");
        }
    }
}
