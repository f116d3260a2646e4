//! `sluice check` and `sluice why`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use sluice_engine::config::Document;
use sluice_engine::plan::{Plan, Problem};
use sluice_engine::workspace::CONFIG_FILE;
use sluice_engine::{Error, Workspace, bare};
use sluice_model::verdict::Outcome;
use sluice_model::{Digest, EnvironmentName};
use sluice_platform::DEFAULT_LIMIT;
use sluice_plugin::Used;
use sluice_policy::Decided;

use crate::answer::{Answer, Exit};
use crate::context::Context;
use crate::failure::Failure;
use crate::input;
use crate::moment;
use crate::page::{Page, Style, quoted};
use crate::plan_argument::{Given, PlanArgument, PlanFile, given};
use crate::report::{Places, Subject, place_of};
use crate::show::{self, Depth};

pub(crate) const EXAMPLES_OF_CHECK: &str = "\
Examples:
  sluice check Orders --to staging
  sluice check 0a1b2c3d --at 2026-03-02T10:00:00Z
  sluice check plan.json --offline --output junit
  sluice check orders-export.json --to staging

A plan's file is judged by the facts that it carries where there is no store, or with `--offline`;
it needs the packs in `policies/` and no key. Of an export that nobody has planned, the gates are
asked whose facts it tells; the others are named.

Ends with exit code 0 where the gates let through, 3 where they deny, also where they say from when
on they would not, and 5 where something is missing that a person or time can bring; an export is
never let through. Nothing is changed.";

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
    /// Judge a plan's file by the facts that it carries, also where there is a store.
    #[arg(long)]
    offline: bool,
    /// The app of an export that holds several.
    #[arg(long, value_name = "APP")]
    app: Option<String>,
}

/// What was asked about, and what the gates say.
struct Asked {
    title: String,
    /// By what it was judged, where that is not what is there now.
    notes: Vec<String>,
    decided: Decided,
    /// What making the plan's data sources took, by the source's name.
    made_with: BTreeMap<String, Used>,
    problems: Vec<Problem>,
    /// The plan's digest, where there is a plan.
    plan: Option<Digest>,
    /// Whether it was judged by a file and not by the store.
    is_offline: bool,
    app: String,
    version: Option<String>,
    to: EnvironmentName,
    /// What differs from what was adopted.
    unadopted: Option<String>,
    /// The gates that were not asked, with the fact that each needs.
    not_judged: Vec<(String, String)>,
    /// Where in the file that was given stands what findings are about.
    places: Places,
}

impl Asked {
    fn about(plan: &Plan, decided: Decided) -> Self {
        Self {
            title: format!(
                "plan {} of {} {} to {}",
                plan.digest.short(),
                plan.app_name,
                plan.version,
                plan.to
            ),
            notes: Vec::new(),
            decided,
            made_with: plan
                .sources
                .iter()
                .filter_map(|source| Some((source.name.clone(), *plan.used.get(&source.source)?)))
                .collect(),
            problems: plan.problems.clone(),
            plan: Some(plan.digest),
            is_offline: false,
            app: plan.app_name.clone(),
            version: Some(plan.version.clone()),
            to: plan.to.clone(),
            unadopted: None,
            not_judged: Vec::new(),
            places: Places::default(),
        }
    }

    /// With the places in a plan's file.
    fn in_plan(self, path: &Path, bytes: &[u8]) -> Self {
        let of_problems: Vec<_> = self.problems.iter().filter_map(place_of).collect();
        let wanted = self.decided.decision.places().chain(&of_problems);
        let places = Places::in_plan(path, bytes, wanted);
        Self { places, ..self }
    }

    /// How the command ends.
    fn exit(&self) -> Exit {
        match self.decided.decision.outcome {
            Outcome::Fault => Exit::Failed,
            _ if !self.problems.is_empty() => Exit::Denied,
            Outcome::Denied => Exit::Denied,
            // Without a plan there is nothing that could be let through.
            Outcome::Allowed if self.plan.is_some() => Exit::Done,
            Outcome::Allowed | Outcome::Pending => Exit::Pending,
        }
    }
}

/// Asks the gates about a plan, or as far as they can be asked about an export.
pub(crate) fn run(context: &Context, arguments: &Arguments, depth: Depth) -> Result<Answer, Failure> {
    let path = Path::new(&arguments.plan.plan);
    // Where there is a store, an app may be called as a file or folder that lies here.
    let transition = &arguments.plan.transition;
    let says_where = transition.release.is_some() || transition.rollback.is_some() || transition.to.is_some();
    let lies_here = path.exists();
    let is_app = lies_here && says_where && context.has_store() && knows_app(context, &arguments.plan.plan)?;
    let file = (lies_here && !is_app).then(|| given(path)).transpose()?;
    if matches!(file, Some(Given::Plan(..))) && says_where {
        return Err(Failure::usage(
            format!("`{}` is a plan's file, which says where it goes", path.display()),
            "leave out `--to`, `--release` and `--rollback`",
        ));
    }
    if file.is_none() && !context.has_store() && context.found_folder().is_some() {
        return Err(Failure::usage(
            format!("there is no file `{}`, and this workspace has no store here", path.display()),
            "name a plan's file or an export; whatever else is named is looked up in the store",
        ));
    }
    let asked = match file {
        Some(Given::Export) => of_export(context, arguments, path)?,
        Some(Given::Plan(file, bytes)) if arguments.offline || !context.has_store() => {
            of_file(context, arguments, *file)?.in_plan(path, &bytes)
        }
        Some(Given::Plan(_, bytes)) => of_plan(context, arguments)?.in_plan(path, &bytes),
        _ if arguments.offline => {
            return Err(Failure::usage(
                format!("`{}` is no plan's file", arguments.plan.plan),
                "write one with `sluice plan APP --to ENV --out FILE`",
            ));
        }
        _ => of_plan(context, arguments)?,
    };
    answer(context, arguments, &asked, depth)
}

/// Whether the workspace has an app of this name or id.
fn knows_app(context: &Context, named: &str) -> Result<bool, Failure> {
    let workspace = context.open()?;
    Ok(workspace.app(&mut workspace.work(), named).is_ok())
}

/// What differs between the workspace's files and what was adopted, if anything does.
fn unadopted(workspace: &Workspace) -> Option<String> {
    match workspace.check_adopted() {
        Ok(()) => None,
        Err(Error::NotAdopted { what }) => Some(what),
        Err(error) => Some(error.to_string()),
    }
}

/// The answer, with a word where it is by another configuration than the files say.
pub(super) fn by_what_was_adopted(workspace: &Workspace, answer: Answer) -> Answer {
    match unadopted(workspace) {
        None => answer,
        Some(what) => {
            answer.hint(format!("\nThis is by what was adopted, from which the files differ: {what}"))
        }
    }
}

/// Of a plan that is made now.
fn of_plan(context: &Context, arguments: &Arguments) -> Result<Asked, Failure> {
    let workspace = context.open()?;
    let _working = context.working("asking the gates");
    let plan = arguments.plan.plan(&workspace)?;
    let decided = workspace.decide(&plan, arguments.at)?;
    let unadopted = unadopted(&workspace);
    let notes = arguments.at.map(|at| format!("as if it were {at}")).into_iter().collect();
    Ok(Asked { unadopted, notes, ..Asked::about(&plan, decided) })
}

/// Of a plan's file, by the facts that it carries.
fn of_file(context: &Context, arguments: &Arguments, file: PlanFile) -> Result<Asked, Failure> {
    let PlanFile { plan, mut input, .. } = file;
    let _working = context.working("asking the gates");
    let mut notes = vec![format!("by the facts that the file carries, of {}", input.facts.now)];
    if let Some(at) = arguments.at {
        let mut facts = (*input.facts).clone();
        (facts.now, facts.last_entry) = (at, None);
        input.facts = Arc::new(facts);
        notes.push(format!("as if it were {at}"));
    }
    let decided = bare::judge_input(&context.folder()?, &context.sandbox(), &plan, &input)?;
    Ok(Asked { notes, is_offline: true, ..Asked::about(&plan, decided) })
}

/// Of an export that nobody has planned.
fn of_export(context: &Context, arguments: &Arguments, path: &Path) -> Result<Asked, Failure> {
    let transition = &arguments.plan.transition;
    if transition.release.is_some() || transition.rollback.is_some() || transition.version.is_some() {
        return Err(Failure::usage(
            format!("`{}` is an export: nothing of it was promoted yet", path.display()),
            "leave out all but `--to`, or name the app in place of the file",
        ));
    }
    let folder = context.folder()?;
    let _working = context.working("reading the export, asking the gates");
    let input::Export { files, paths } = input::export(&[path.to_owned()], limit(&folder))?;
    let now = arguments.at.unwrap_or_else(|| context.ambient().now());
    let (app, to) = (arguments.app.as_deref(), transition.to.as_ref());
    let judged = bare::judge_export(
        &folder,
        &super::plugin::host(context)?,
        &context.sandbox(),
        &files,
        app,
        to,
        now,
    )?;
    let mut notes = vec![
        "of an export for which there is no plan: secrets that a person dismissed are found again".to_owned(),
    ];
    notes.extend(arguments.at.map(|at| format!("as if it were {at}")));
    Ok(Asked {
        title: format!("{} in {} to {}", judged.app, path.display(), judged.to),
        places: Places::in_export(&judged, &paths),
        notes,
        decided: judged.decided,
        made_with: BTreeMap::new(),
        problems: Vec::new(),
        plan: None,
        is_offline: true,
        app: judged.app,
        version: None,
        to: judged.to,
        unadopted: None,
        not_judged: judged.not_judged,
    })
}

/// Bytes of an export that are read, as the folder's configuration says.
fn limit(folder: &Path) -> u64 {
    let text = std::fs::read_to_string(folder.join(CONFIG_FILE)).ok();
    let document = text.and_then(|text| Document::parse(&text, CONFIG_FILE).ok());
    // A configuration that is wrong is told when it is used.
    document.map_or(DEFAULT_LIMIT as u64, |document| document.config.import_limit.bytes())
}

fn answer(context: &Context, arguments: &Arguments, asked: &Asked, depth: Depth) -> Result<Answer, Failure> {
    let decision = &asked.decided.decision;
    let mut page = Page::new();
    page.line(&asked.title);
    for note in &asked.notes {
        page.line(note);
    }
    show::decision_in(&mut page, decision, &asked.places, depth);
    if depth == Depth::Full {
        show::used(&mut page, &asked.decided.used, &asked.made_with);
    }
    if !asked.not_judged.is_empty() {
        page.gap();
        for (gate, fact) in &asked.not_judged {
            page.styled(Style::Notice, format!("not judged: {gate} needs `{fact}`"));
        }
    }
    if !asked.problems.is_empty() {
        page.gap().styled(
            Style::Bad,
            format!("Whatever the gates say, the plan has {}:", show::count_of(&asked.problems)),
        );
        show::problems(&mut page, &asked.problems);
    }
    if let Some(unadopted) = &asked.unadopted {
        page.gap().styled(
            Style::Notice,
            format!(
                "files differ from what was adopted ({unadopted}): promote refuses until `sluice config adopt`"
            ),
        );
    }
    let not_judged = asked.not_judged.iter().map(|(gate, needs)| json!({"gate": gate, "needs": needs}));
    let data = json!({
        "plan": asked.plan,
        "app": asked.app,
        "version": asked.version,
        "transition": decision.input.facts.transition.kind,
        "from": decision.input.facts.transition.from.name,
        "to": asked.to,
        "at": arguments.at,
        "decision": show::decision_data_in(decision, &asked.places),
        "replayable": asked.decided.replayable,
        "used": show::used_data(&asked.decided.used, &asked.made_with),
        "not_judged": not_judged.collect::<Vec<_>>(),
        "problems": asked.problems,
        "unadopted": asked.unadopted,
    });
    let subject = Subject {
        title: asked.title.clone(),
        problems: asked.problems.clone(),
        folder: context.folder_from_here()?,
        places: asked.places.clone(),
    };
    let exit = asked.exit();
    let answer = Answer::new(&data, page)?.decided(subject, decision.clone()).exit(exit);
    Ok(if exit == Exit::Done || depth == Depth::Full {
        answer
    } else {
        // What was judged without the store is not known there by its digest.
        let named = asked.plan.filter(|_| !asked.is_offline);
        let named = named.map_or_else(|| quoted(&arguments.plan.plan), |plan| plan.short());
        answer.hint(format!("\nSee the grounds of each finding with `sluice why {named}`"))
    })
}
