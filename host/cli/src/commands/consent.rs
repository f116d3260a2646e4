//! What people say about plans: `sluice approve`, `override`, `waive`, `cosign` and `waiver`.

use serde_json::{Value, json};
use sluice_engine::consent::{KnownWaiver, WaiverRequest};
use sluice_model::{Digest, EnvironmentName};

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::moment::{self, Moment};
use crate::page::Page;
use crate::plan_argument::PlanArgument;
use crate::show;
use crate::table::Rows;

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sluice approve 0a1b2c3d --reason \"looked at it with the team\"\n  sluice --as bob approve Orders --to production"
)]
pub(crate) struct Approve {
    #[command(flatten)]
    plan: PlanArgument,
    /// What you say to it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
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
#[command(after_help = "Examples:\n  sluice --as bob cosign 1")]
pub(crate) struct Cosign {
    /// The waiver's number, as `sluice waiver list` shows it.
    number: u64,
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
    let number = workspace.approve(&actor, &plan, arguments.reason)?;
    let mut page = Page::new();
    page.line(format!(
        "`{}` approved plan {}: {} {} to {}",
        actor.name,
        plan.digest.short(),
        plan.app_name,
        plan.version,
        plan.to
    ));
    page.line(format!("approval {number} of this plan"));
    let data = json!({ "plan": plan.digest, "actor": actor.name, "approval": number });
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

/// Signs a waiver as the second person.
pub(crate) fn cosign(context: &Context, arguments: &Cosign) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let waiver = workspace.cosign(&actor, arguments.number)?;
    let mut page = Page::new();
    page.line(format!(
        "`{}` signed waiver {} of `{}` until {}",
        actor.name, waiver.number, waiver.code, waiver.expires
    ));
    Answer::new(&json!({ "waiver": waiver, "cosigned": actor.name }), page)
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
            waiver.expires.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
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
