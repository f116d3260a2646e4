//! `sluice policy`.

mod attempt;
mod diff;
mod explain;
mod lint;
mod reference;
mod replay;
mod rollout;
mod scaffold;
mod test;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use sluice_engine::Error;
use sluice_policy::pack::MANIFEST_FILE;
use sluice_policy::{Pack, Policy, Sandbox};

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;

/// The commands for those who write policies.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play the cases of packs, in the configuration of production.
    Test(test::Arguments),
    /// Look at packs by rules that find what no case has to find.
    Lint(lint::Arguments),
    /// Make a new pack that passes its own tests.
    New(scaffold::Arguments),
    /// Say what a finding code means, what to do about it, and who can.
    Explain(explain::Arguments),
    /// Show all facts and helpers that policies can use, and the rules of `lint`.
    Reference(reference::Arguments),
    /// Ask one policy on a decision that was kept, or on a fixture, and tell how it comes to what it says.
    Try(attempt::Arguments),
    /// Make decisions that were kept again, and compare their bytes.
    Replay(replay::Arguments),
    /// Say what drafts would have made of decisions that were kept.
    Diff(diff::Arguments),
    /// Say what gates in `audit` or `warn` would have refused, and whether they are ready for the next level.
    Rollout(rollout::Arguments),
}

/// Runs one of them.
pub(crate) fn run(context: &Context, command: &Command) -> Result<Answer, Failure> {
    match command {
        Command::Test(arguments) => test::run(context, arguments),
        Command::Lint(arguments) => lint::run(context, arguments),
        Command::New(arguments) => scaffold::run(context, arguments),
        Command::Explain(arguments) => explain::run(context, arguments),
        Command::Reference(arguments) => reference::run(context, arguments),
        Command::Try(arguments) => attempt::run(context, arguments),
        Command::Replay(arguments) => replay::run(context, arguments),
        Command::Diff(arguments) => diff::run(context, arguments),
        Command::Rollout(arguments) => rollout::run(context, arguments),
    }
}

/// The folder of a workspace's packs.
const POLICIES_FOLDER: &str = "policies";

/// The packs at these paths: each is a pack's folder, or one that holds packs. Without a path, the
/// packs of the workspace.
fn packs(context: &Context, paths: &[PathBuf]) -> Result<Vec<Pack>, Failure> {
    let paths = match paths {
        [] => vec![context.folder()?.join(POLICIES_FOLDER)],
        named => named.iter().map(|path| named_pack(context, path)).collect::<Result<_, _>>()?,
    };
    let mut packs = Vec::new();
    for path in &paths {
        let before = packs.len();
        for folder in folders(path)? {
            packs.push(Pack::read(&folder).map_err(Error::from)?);
        }
        if packs.len() == before {
            return Err(Failure::usage(
                format!("`{}` holds no policy pack", path.display()),
                format!("name a folder with a `{MANIFEST_FILE}`, or one that holds such folders"),
            ));
        }
    }
    Ok(packs)
}

/// A path as it is typed, or the workspace's pack of that name.
fn named_pack(context: &Context, path: &Path) -> Result<PathBuf, Failure> {
    if path.exists() || context.found_folder().is_none() {
        return Ok(path.to_owned());
    }
    let of_workspace = context.folder()?.join(POLICIES_FOLDER).join(path);
    Ok(if of_workspace.join(MANIFEST_FILE).is_file() { of_workspace } else { path.to_owned() })
}

fn folders(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if path.join(MANIFEST_FILE).is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let unread = |error: std::io::Error| {
        Failure::usage(
            format!("`{}` cannot be read: {error}", path.display()),
            "name the folder of a policy pack, or one that holds packs",
        )
    };
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unread)? {
        let folder = entry.map_err(unread)?.path();
        if folder.join(MANIFEST_FILE).is_file() {
            folders.push(folder);
        }
    }
    folders.sort();
    Ok(folders)
}

/// A pack, compiled in a sandbox.
fn compiled(sandbox: &Sandbox, pack: Pack) -> Result<Arc<Policy>, Failure> {
    Ok(sandbox.compile(pack).map_err(Error::from)?)
}
