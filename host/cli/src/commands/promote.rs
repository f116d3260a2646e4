//! `sluice promote`, `release`, `rollback` and `resume`.

use std::collections::BTreeMap;

use serde_json::json;
use sluice_engine::Error;
use sluice_engine::plan::{PlanRequest, TransitionKind, Wanted};
use sluice_engine::promote::{PromoteReport, PromoteRequest};
use sluice_model::EnvironmentName;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style, quoted};
use crate::plan_argument::{Named, PlanArgument, remember};
use crate::show::{self, Depth};

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sluice promote Orders --to staging\n  sluice promote Orders --to production --version 1.4 --plan 0a1b2c3d\n  sluice promote plan.json\n  sluice promote 0a1b2c3d --wait 2m\n\nThe gates are asked again right before anything is written. With a plan that was named, anything\nelse than that very plan is refused. A plan of a release or rollback is carried out as well."
)]
pub(crate) struct Promote {
    #[command(flatten)]
    what: PlanArgument,
    /// The digest of the plan that was looked at, or its beginning: another plan is refused.
    #[arg(long = "plan", value_name = "DIGEST", requires = "transition")]
    digest: Option<String>,
}

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sluice release Orders --in production\n  sluice release Orders --in production --version 1.3"
)]
pub(crate) struct Release {
    /// The app's name or id.
    app: String,
    /// The environment whose end users get it.
    #[arg(long = "in", value_name = "ENV")]
    environment: EnvironmentName,
    /// The version [default: the newest that stands there].
    #[arg(long)]
    version: Option<String>,
    /// The digest of the plan that was looked at, or its beginning: another plan is refused.
    #[arg(long = "plan", value_name = "DIGEST")]
    digest: Option<String>,
}

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sluice rollback Orders --in production\n  sluice rollback Orders --in production --promotion 3\n\nA rollback is an inverse plan over what the promotion touched, with gates of its own. The bindings\nof the environment stay. Later changes to the same objects refuse it."
)]
pub(crate) struct Rollback {
    /// The app's name or id.
    app: String,
    /// The environment.
    #[arg(long = "in", value_name = "ENV")]
    environment: EnvironmentName,
    /// The promotion's number [default: the app's last one].
    #[arg(long, value_name = "N")]
    promotion: Option<u64>,
    /// The digest of the plan that was looked at, or its beginning: another plan is refused.
    #[arg(long = "plan", value_name = "DIGEST")]
    digest: Option<String>,
}

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sluice resume")]
pub(crate) struct Resume {}

/// Promotes, or carries out whatever plan was named.
pub(crate) fn promote(context: &Context, arguments: &Promote) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let Named { request, digest } = arguments.what.named(&workspace)?;
    let digest = arguments.digest.clone().or(digest);
    carry_out(context, &workspace, &actor, request, digest)
}

/// Releases.
pub(crate) fn release(context: &Context, arguments: Release) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let Release { app, environment, version, digest } = arguments;
    let transition = Wanted::Release { app, version, environment };
    carry_out(context, &workspace, &actor, PlanRequest { transition, choices: BTreeMap::new() }, digest)
}

/// Takes a promotion back.
pub(crate) fn rollback(context: &Context, arguments: Rollback) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let Rollback { app, environment, promotion, digest } = arguments;
    let transition = Wanted::Rollback { app, environment, promotion };
    carry_out(context, &workspace, &actor, PlanRequest { transition, choices: BTreeMap::new() }, digest)
}

fn carry_out(
    context: &Context,
    workspace: &sluice_engine::Workspace,
    actor: &sluice_engine::Actor,
    plan: PlanRequest,
    digest: Option<String>,
) -> Result<Answer, Failure> {
    let planned = workspace.plan(&plan).ok();
    // So that the refusal's hint, `sluice why`, can name the plan.
    if let Some(planned) = &planned {
        remember(workspace, planned);
    }
    let working = context.working("planning, asking the gates, applying");
    let done = workspace.promote(actor, &PromoteRequest { plan, digest, wait: context.wait() });
    drop(working);
    let error = match done {
        Ok(report) => return answer(&report),
        Err(error) => error,
    };
    let refused = match &error {
        Error::PlanRefused(plan) => Some(plan.digest),
        Error::Refused(decision) => Some(decision.digests.plan),
        _ => None,
    };
    Err(match planned {
        Some(planned) if refused.is_some_and(|refused| refused != planned.digest) => {
            Failure::from(error).overtaken(&planned.to)
        }
        _ => error.into(),
    })
}

fn answer(report: &PromoteReport) -> Result<Answer, Failure> {
    let plan = &report.plan;
    let what = match plan.transition {
        TransitionKind::Promotion => {
            format!("promoted {} {} from {} to {}", plan.app_name, plan.version, plan.from, plan.to)
        }
        TransitionKind::Release => format!("released {} {} in {}", plan.app_name, plan.version, plan.to),
        TransitionKind::Rollback => {
            let number = plan.takes_back.map(|n| n.to_string()).unwrap_or_default();
            format!("took back promotion {number} of {} in {}", plan.app_name, plan.to)
        }
    };
    let mut page = Page::new();
    page.styled(Style::Good, what);
    page.line(format!("number  {} in {}", report.number, plan.to));
    page.line(format!("plan    {}", plan.digest));
    let changed = plan.objects.iter().filter(|object| object.before != object.after).count();
    page.line(format!("objects {changed} changed, {} unchanged", plan.unchanged));
    page.gap();
    show::decision(&mut page, &report.decision, Depth::Short);
    match &report.checkpoint {
        Some(checkpoint) => {
            page.heading("CHECKPOINT OF THE LEDGER");
            page.line(checkpoint.trim_end());
        }
        None => {
            let none = "no checkpoint covers it yet: the next command makes one";
            page.gap().styled(Style::Notice, none);
        }
    }
    let data = json!({
        "number": report.number,
        "plan": plan,
        "decision": show::decision_data(&report.decision),
        "checkpoint": report.checkpoint,
        "review": report.review,
    });
    if let Some(review) = report.review {
        page.gap().styled(
            Style::Notice,
            format!(
                "an emergency let it through: review {review} is open, and {} goes no further until somebody else \
                 has closed it",
                plan.app_name
            ),
        );
    }
    let answer = Answer::new(&data, page)?;
    // A run that went on after a crash may have none yet.
    let answer = match report.checkpoint {
        Some(_) => answer.hint("\nKeep the checkpoint elsewhere (`sluice ledger checkpoint > FILE`): with it `sluice ledger verify` shows\nwhether anything was cut off"),
        None => answer,
    };
    let (app, to) = (quoted(&plan.app_name), &plan.to);
    Ok(match plan.transition {
        TransitionKind::Promotion => answer.hint(format!(
            "\nNext:\n  sluice export {to} {app}         writes it for the platform\n  sluice release {app} --in {to}   gives it to end users"
        )),
        TransitionKind::Release | TransitionKind::Rollback => answer,
    })
}

/// Finishes or undoes what a crash left.
pub(crate) fn resume(context: &Context) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let resumed = workspace.resume(&actor)?;
    let mut page = Page::new();
    for run in &resumed {
        let which =
            run.promotion.map_or_else(|| "a lease".to_owned(), |number| format!("promotion {number}"));
        let how = match (run.promotion, run.finished) {
            (None, _) => "was given back with nothing written",
            (Some(_), true) => "was finished",
            (Some(_), false) => "was undone with nothing written",
        };
        page.line(format!("{}: {which} {how}", run.environment));
    }
    if resumed.is_empty() {
        page.styled(Style::Quiet, "nothing is half done");
    }
    Answer::new(&resumed, page)
}
