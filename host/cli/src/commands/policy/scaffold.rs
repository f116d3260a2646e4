//! `sluice policy new`.

use std::path::PathBuf;

use serde_json::json;
use sluice_engine::config::PolicyName;
use sluice_policy::pack::{MANIFEST_FILE, README_FILE, SOURCE_FILE};

use super::POLICIES_FOLDER;
use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style, quoted};

const EXAMPLES: &str = "\
Examples:
  sluice policy new change-size
  sluice policy new change-size --folder rules";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The pack's name: lower-case letters, digits and single hyphens.
    name: PolicyName,
    /// The folder into which the pack's folder goes [default: `policies` of the workspace].
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Makes a pack with a rule that works, its cases and its documentation.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let parent = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => context.folder()?.join(POLICIES_FOLDER),
    };
    let folder = parent.join(arguments.name.as_str());
    if folder.exists() {
        return Err(Failure::usage(
            format!("`{}` is there already", folder.display()),
            "choose another name, or another folder with `--folder`",
        ));
    }
    let files = [
        (MANIFEST_FILE, include_str!("pack/policy.toml")),
        (SOURCE_FILE, include_str!("pack/policy.rhai")),
        (README_FILE, include_str!("pack/README.md")),
        ("tests/cases.toml", include_str!("pack/cases.toml")),
    ];
    let unwritten = |error: std::io::Error| {
        Failure::failed(
            format!("`{}` cannot be written: {error}", folder.display()),
            "name a folder that may be written with `--folder`",
        )
    };
    std::fs::create_dir_all(folder.join("tests")).map_err(unwritten)?;
    for (name, text) in files {
        let text = text.replace("{name}", arguments.name.as_str());
        std::fs::write(folder.join(name), text).map_err(unwritten)?;
    }
    let mut page = Page::new();
    page.styled(
        Style::Good,
        format!("made the policy `{}` in {}", arguments.name.as_str(), folder.display()),
    );
    for (name, _) in files {
        page.line(format!("  {name}"));
    }
    let path = quoted(&folder.display().to_string());
    let answer = Answer::new(&json!({"name": arguments.name.as_str(), "folder": folder}), page)?;
    Ok(answer.hint(format!(
        "\nNext:\n  sluice policy test {path}\n\
         Attach it to a transition in `sluice.toml`; it counts once `sluice config adopt` has adopted both"
    )))
}
