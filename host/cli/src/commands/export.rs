//! `sluice export`.

use std::path::{Path, PathBuf};

use serde_json::json;
use sluice_engine::settings::Constant;
use sluice_model::EnvironmentName;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::Page;
use crate::table::Rows;

const EXAMPLES: &str = "\
Examples:
  sluice export staging Orders
  sluice export staging Orders --out to-import --force

Credentials are empty in what is written: the answer lists what is to be entered by hand after
importing it into the platform.";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The environment.
    #[arg(value_name = "ENV")]
    environment: EnvironmentName,
    /// The app's name or id.
    app: String,
    /// The folder for the files [default: exports/ENV].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite files that are there.
    #[arg(long)]
    force: bool,
}

/// Writes an environment's app in the platform's own format.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let working = context.working("exporting");
    let report = workspace.export(&arguments.environment, &arguments.app)?;
    drop(working);
    let folder =
        arguments.out.clone().unwrap_or_else(|| Path::new("exports").join(arguments.environment.as_str()));
    let mut files = Vec::new();
    for file in &report.files {
        // The names come from exports: nothing is written outside of the folder.
        let is_plain = Path::new(&file.name).file_name().is_some_and(|name| name == file.name.as_str());
        if !is_plain {
            return Err(Failure::failed(
                format!("a file of the export would be called `{}`", file.name),
                "name the file otherwise, and import it again",
            ));
        }
        files.push((folder.join(&file.name), &file.bytes));
    }
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()).filter(|_| !arguments.force) {
        return Err(Failure::usage(
            format!("`{}` is there already and is left as it is", path.display()),
            "choose another folder with `--out`, or overwrite it with `--force`",
        ));
    }
    std::fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    let mut work = workspace.work();
    let constants = workspace.settings(&mut work, &arguments.environment)?.constants(&work)?;
    let mut page = Page::new();
    for (path, bytes) in &files {
        std::fs::write(path, bytes).map_err(Failure::file(path))?;
        page.line(format!("wrote {} ({} bytes)", path.display(), bytes.len()));
    }
    if !report.to_enter.is_empty() {
        page.heading("TO ENTER BY HAND, AFTER IMPORTING IT INTO THE PLATFORM");
        let mut rows = Rows::new(&["IN", "WHAT", "VALUE"]);
        for entry in &report.to_enter {
            let name = entry.what.strip_prefix("constant `").and_then(|name| name.strip_suffix('`'));
            let value = match (&entry.value, name.and_then(|name| constants.get(name))) {
                (Some(reference), _) => reference.to_string(),
                (None, Some(Constant::Plain(value))) => value.clone(),
                (None, _) => "nothing is filed in Sluice".to_owned(),
            };
            rows.row([entry.object.clone(), entry.what.clone(), value]);
        }
        rows.onto(&mut page, "");
    }
    let paths: Vec<&PathBuf> = files.iter().map(|(path, _)| path).collect();
    let data = json!({ "files": paths, "to_enter": report.to_enter });
    let environment = &arguments.environment;
    Ok(Answer::new(&data, page)?.hint(format!(
        "\nNext: import it into the platform, enter the above, export it from there, and let Sluice learn the ids:\n  sluice import {environment} FILE"
    )))
}
