//! `sluice constant`.

use std::ffi::OsString;

use serde_json::{Value, json};
use sluice_engine::settings::{Constant, Setting};
use sluice_model::{ConstantName, EnvironmentName};

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::input;
use crate::page::Page;
use crate::table::Rows;

/// What is typed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Set a constant's value, read from standard input.
    #[command(
        after_help = "Examples:\n  sluice constant set staging constants.API_URL < url.txt\n  sluice constant set staging secrets.API_KEY < key.txt\n\nOne line end at the end of the input is not part of the value."
    )]
    Set {
        /// The environment.
        #[arg(value_name = "ENV")]
        environment: EnvironmentName,
        /// The constant as the app reads it: `constants.NAME`, or `secrets.NAME`.
        name: ConstantName,
        /// Values come from standard input only.
        #[arg(hide = true)]
        value: Vec<OsString>,
    },
    /// List an environment's constants.
    #[command(after_help = "Examples:\n  sluice constant list staging")]
    List {
        /// The environment.
        #[arg(value_name = "ENV")]
        environment: EnvironmentName,
    },
    /// Remove a constant.
    #[command(after_help = "Examples:\n  sluice constant remove staging constants.API_URL")]
    Remove {
        /// The environment.
        #[arg(value_name = "ENV")]
        environment: EnvironmentName,
        /// The constant.
        name: ConstantName,
    },
}

/// Runs `sluice constant`.
pub(crate) fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Set { environment, name, value } => {
            input::refuse_typed(&value, &format!("sluice constant set {environment} {name}"))?;
            set(context, &environment, &name)
        }
        Command::List { environment } => list(context, &environment),
        Command::Remove { environment, name } => remove(context, &environment, &name),
    }
}

fn set(context: &Context, environment: &EnvironmentName, name: &ConstantName) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let value = input::value(context, &format!("`{name}` in `{environment}`"), name.is_secret())?;
    if value.expose_text().is_none() {
        return Err(Failure::usage("the value is not UTF-8", "a constant is text"));
    }
    if name.is_secret() && value.expose().is_empty() {
        return Err(Failure::usage("the value is empty", "pipe the secret in"));
    }
    workspace.set_constant(&actor, environment, name, value)?;
    let mut page = Page::new();
    page.line(format!("set `{name}` in `{environment}`"));
    Answer::new(&json!({ "environment": environment, "name": name }), page)
}

fn list(context: &Context, environment: &EnvironmentName) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let mut work = workspace.work();
    let settings = workspace.settings(&mut work, environment)?;
    let mut rows = Rows::new(&["NAME", "VALUE"]);
    let mut data: Vec<Value> = Vec::new();
    for (name, constant) in settings.constants(&work)? {
        let shown = match &constant {
            Constant::Plain(value) => value.clone(),
            Constant::Secret(reference) => reference.to_string(),
        };
        rows.row([name.as_str(), &shown]);
        data.push(json!({ "name": name, "constant": constant }));
    }
    let mut page = Page::new();
    rows.onto(&mut page, "no constants");
    Answer::new(&data, page)
}

fn remove(context: &Context, environment: &EnvironmentName, name: &ConstantName) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    workspace.remove_setting(&actor, environment, &Setting::Constant(name.clone()))?;
    let mut page = Page::new();
    page.line(format!("removed `{name}` from `{environment}`"));
    Answer::new(&json!({ "environment": environment, "name": name, "removed": true }), page)
}
