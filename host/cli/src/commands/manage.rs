//! `sluice manage`.

use serde_json::json;
use sluice_engine::version::ManageRequest;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style, quoted};
use crate::table::Rows;

const EXAMPLES: &str = "\
Examples:
  sluice manage Orders
  sluice manage Orders --with-dependencies
  sluice manage orders-db --off";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Names or ids of apps, modules and shared objects of the first environment.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Mark all that they reference, too.
    #[arg(long)]
    with_dependencies: bool,
    /// Take the mark away.
    #[arg(long)]
    off: bool,
}

/// Marks objects, or takes the mark away.
pub(crate) fn run(context: &Context, arguments: Arguments) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let on = !arguments.off;
    let request =
        ManageRequest { objects: arguments.names, with_dependencies: arguments.with_dependencies, on };
    let changed = workspace.manage(&actor, &request)?;
    let mut page = Page::new();
    if changed.is_empty() {
        page.styled(
            Style::Quiet,
            if on { "all of them are managed already" } else { "none of them was managed" },
        );
    } else {
        page.line(if on { "managed from now on:" } else { "no longer managed:" });
        let mut rows = Rows::new(&["KIND", "NAME", "ID"]);
        for object in &changed {
            rows.row([object.kind.as_str(), &object.name, object.id.as_str()]);
        }
        rows.onto(&mut page, "");
    }
    let data: Vec<_> = changed
        .iter()
        .map(|object| json!({ "id": object.id, "kind": object.kind, "name": object.name, "managed": on }))
        .collect();
    let answer = Answer::new(&data, page)?;
    let app = request.objects.first().map(|name| quoted(name)).unwrap_or_default();
    Ok(if on && !changed.is_empty() {
        answer.hint(format!("\nNext:\n  sluice version cut {app}"))
    } else {
        answer
    })
}
