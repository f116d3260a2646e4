//! `sluice version`.

use serde_json::json;
use sluice_engine::version::CutRequest;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style, counted, quoted};
use crate::table::Rows;

/// What is typed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Cut a version from the working copy of the first environment, or from an earlier version.
    #[command(
        after_help = "Examples:\n  sluice version cut Orders\n  sluice version cut Orders 1.4 --note \"new filters\"\n  sluice version cut Orders 1.5 --from 1.3"
    )]
    Cut {
        /// The app's name or id.
        app: String,
        /// The version's name [default: v1, v2, …].
        name: Option<String>,
        /// The earlier version to cut from.
        #[arg(long, value_name = "VERSION")]
        from: Option<String>,
        /// What you say of it.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// List an app's versions, oldest first.
    #[command(after_help = "Examples:\n  sluice version list Orders")]
    List {
        /// The app's name or id.
        app: String,
    },
}

/// Runs `sluice version`.
pub(crate) fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Cut { app, name, from, note } => {
            cut(context, &CutRequest { app, version: name, from, note })
        }
        Command::List { app } => list(context, &app),
    }
}

fn cut(context: &Context, request: &CutRequest) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let report = workspace.cut(&actor, request)?;
    let mut page = Page::new();
    page.line(format!("cut version `{}` of `{}`", report.version.version, request.app));
    page.line(format!("bundle  {}", report.version.bundle));
    page.line(format!("objects {}", report.objects));
    if report.floating > 0 {
        let floating = counted(report.floating, "floating reference is", "floating references are");
        page.line(format!("{floating} fixed to what is meant now"));
    }
    if report.unresolved > 0 {
        page.styled(
            Style::Bad,
            format!("{} references lead nowhere; the plan says which", report.unresolved),
        );
    }
    if !report.expects.is_empty() {
        page.heading("EXPECTED OF THE TARGET, FOR THEY ARE NOT MANAGED");
        let mut rows = Rows::new(&["KIND", "NAME", "ID"]);
        for expected in &report.expects {
            rows.row([expected.kind.as_str(), &expected.name, expected.id.as_str()]);
        }
        rows.onto(&mut page, "");
    }
    let mut answer = Answer::new(&report, page)?;
    if !report.expects.is_empty() {
        let app = quoted(&request.app);
        answer = answer.hint(format!(
            "\nA target that does not have them refuses. To take them along:\n  sluice manage {app} --with-dependencies, and cut again"
        ));
    }
    let second = workspace.config()?.environments.get(1).map(|e| e.name.to_string()).unwrap_or_default();
    Ok(answer.hint(format!("\nNext:\n  sluice plan {} --to {second}", quoted(&request.app))))
}

fn list(context: &Context, app: &str) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let app = workspace.app(&mut workspace.work(), app)?;
    let versions = workspace.versions(&app.id)?;
    let mut rows = Rows::new(&["VERSION", "BUNDLE", "FROM", "NOTE"]);
    for cut in &versions {
        let from = cut.from.clone().unwrap_or_else(|| "working copy".to_owned());
        rows.row([cut.version.clone(), cut.bundle.short(), from, cut.note.clone().unwrap_or_default()]);
    }
    let mut page = Page::new();
    rows.onto(&mut page, "no version was cut yet; cut one with `sluice version cut`");
    Answer::new(&json!({ "app": app.id, "name": app.name, "versions": versions }), page)
}
