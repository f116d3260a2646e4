//! `sluice completions` and `sluice man`.

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::Shell;
use serde_json::json;

use crate::answer::Answer;
use crate::failure::Failure;
use crate::page::{Page, counted};

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sluice completions bash > ~/.local/share/bash-completion/completions/sluice\n  sluice completions zsh > _sluice"
)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sluice man > sluice.1\n  sluice man --out ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Write a page for each command into this folder [default: print the page of `sluice`].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints a completion script.
pub(crate) fn completions(arguments: &Completions) -> Result<Answer, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut crate::arguments::Arguments::command(),
        "sluice",
        &mut script,
    );
    let script = String::from_utf8_lossy(&script).into_owned();
    Answer::new(&json!({ "shell": arguments.shell.to_string(), "script": script }), Page::raw(script))
}

/// Writes manual pages.
pub(crate) fn man(arguments: &Man) -> Result<Answer, Failure> {
    let command = crate::arguments::Arguments::command();
    let Some(folder) = &arguments.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(|error| Failure::failed(error.to_string(), ""))?;
        let page = String::from_utf8_lossy(&page).into_owned();
        return Answer::new(&json!({ "page": page }), Page::raw(page));
    };
    std::fs::create_dir_all(folder).map_err(Failure::file(folder))?;
    clap_mangen::generate_to(command, folder).map_err(Failure::file(folder))?;
    let mut written: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(Failure::file(folder))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "1"))
        .collect();
    written.sort();
    let mut page = Page::new();
    page.line(format!("wrote {} into {}", counted(written.len(), "page", "pages"), folder.display()));
    Answer::new(&json!({ "pages": written }), page)
}
