//! `sluice export`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;
use sluice_engine::export::ByHand;
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

/// One thing to enter by hand in the platform.
#[derive(Debug, Serialize)]
struct ToEnter<'r> {
    /// The data source or other object, by name.
    object: &'r str,
    /// What to enter: a slot or a constant.
    what: &'r str,
    /// A plain constant's value; of a secret where it lies in Sluice; nothing where nothing is filed.
    value: Option<String>,
}

/// What to enter, with the values that people may see.
fn to_enter<'r>(entries: &'r [ByHand], constants: &BTreeMap<String, Constant>) -> Vec<ToEnter<'r>> {
    let resolved = |entry: &ByHand| match &entry.value {
        Some(reference) => Some(reference.to_string()),
        None => {
            let name = entry.what.strip_prefix("constant `")?.strip_suffix('`')?;
            match constants.get(name)? {
                Constant::Plain(value) => Some(value.clone()),
                Constant::Secret(reference) => Some(reference.to_string()),
            }
        }
    };
    let one =
        |entry: &'r ByHand| ToEnter { object: &entry.object, what: &entry.what, value: resolved(entry) };
    entries.iter().map(one).collect()
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
    let to_enter = to_enter(&report.to_enter, &constants);
    if !to_enter.is_empty() {
        page.heading("TO ENTER BY HAND, AFTER IMPORTING IT INTO THE PLATFORM");
        let mut rows = Rows::new(&["IN", "WHAT", "VALUE"]);
        for ToEnter { object, what, value } in &to_enter {
            rows.row([*object, *what, value.as_deref().unwrap_or("nothing is filed in Sluice")]);
        }
        rows.onto(&mut page, "");
    }
    let paths: Vec<&PathBuf> = files.iter().map(|(path, _)| path).collect();
    let data = json!({ "files": paths, "to_enter": to_enter });
    let environment = &arguments.environment;
    Ok(Answer::new(&data, page)?.hint(format!(
        "\nNext: import it into the platform, enter the above, export it from there, and let Sluice learn the ids:\n  sluice import {environment} FILE"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_entered_says_plain_values_and_where_secrets_lie() {
        let reference: sluice_model::SecretRef = "secret://staging/x".parse().unwrap();
        let constants = BTreeMap::from([
            ("constants.PLAIN".to_owned(), Constant::Plain("v1".to_owned())),
            ("constants.EMPTY".to_owned(), Constant::Plain(String::new())),
            ("secrets.FILED".to_owned(), Constant::Secret(reference.clone())),
        ]);
        for (what, value, expected) in [
            ("constant `constants.PLAIN`", None, Some("v1")),
            ("constant `constants.EMPTY`", None, Some("")),
            ("constant `constants.MISSING`", None, None),
            ("constant `secrets.FILED`", Some(&reference), Some("secret://staging/x")),
            ("constant `secrets.FILED`", None, Some("secret://staging/x")),
            ("secret `password`", Some(&reference), Some("secret://staging/x")),
            ("secret `password`", None, None),
            // A slot that is called as a constant is not one.
            ("secret `constants.PLAIN`", None, None),
        ] {
            let entry = ByHand { object: "db".to_owned(), what: what.to_owned(), value: value.cloned() };
            let entries = [entry];
            let told = to_enter(&entries, &constants);
            assert_eq!(told[0].value.as_deref(), expected, "{what}");
            let data = json!([{"object": "db", "what": what, "value": expected}]);
            assert_eq!(serde_json::to_value(&told).unwrap(), data);
        }
    }
}
