//! `sluice plugin`.

mod bench;
mod build;
mod certify;
mod compiled;
mod dev;
mod inspect;
mod installed;
mod licence;
mod project;
mod publish;
mod reference;
mod scaffold;
mod subject;
mod test;

use clap::Subcommand;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;

pub(crate) use compiled::host;
use compiled::{forgetful_host, is_kept};

/// The commands for those who make plugins, and who use them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a new plugin's project that builds and passes its own tests.
    New(scaffold::Arguments),
    /// Make a project's component, with its manifest in it and beside it.
    Build(build::Arguments),
    /// Run the conformance suite and the examples on a plugin, and say what it is worth.
    Test(test::Arguments),
    /// Build and play the examples again whenever a file of the project changes.
    Dev(dev::Arguments),
    /// Measure what loading and calling a plugin costs.
    Bench(bench::Arguments),
    /// Say what a plugin is, what it can do, and who signed it.
    Inspect(inspect::Arguments),
    /// Sign a plugin and put it where others install it from.
    Publish(publish::Arguments),
    /// Put a plugin into the workspace, from a file, a folder or a registry.
    Install(installed::Install),
    /// List the plugins of the workspace: which they are, and why they are trusted.
    #[command(after_help = "Examples:\n  sluice plugin list")]
    List,
    /// Put another version of a plugin in place, and say what differs.
    Upgrade(installed::Upgrade),
    /// Take a plugin out of the workspace.
    Remove(installed::Remove),
    /// Run the conformance suite on a plugin of the workspace, and certify it where it conforms.
    Certify(certify::Certify),
    /// Run the conformance suite again on the plugins that are certified, and keep what it found.
    Revalidate(certify::Revalidate),
}

/// Runs one of them.
pub(crate) fn run(context: &Context, command: &Command) -> Result<Answer, Failure> {
    match command {
        Command::New(arguments) => scaffold::run(arguments),
        Command::Build(arguments) => build::run(context, arguments),
        Command::Test(arguments) => test::run(context, arguments),
        Command::Dev(arguments) => dev::run(context, arguments),
        Command::Bench(arguments) => bench::run(context, arguments),
        Command::Inspect(arguments) => inspect::run(context, arguments),
        Command::Publish(arguments) => publish::run(context, arguments),
        Command::Install(arguments) => installed::run_install(context, arguments),
        Command::List => installed::run_list(context),
        Command::Upgrade(arguments) => installed::run_upgrade(context, arguments),
        Command::Remove(arguments) => installed::run_remove(context, arguments),
        Command::Certify(arguments) => certify::run_certify(context, arguments),
        Command::Revalidate(arguments) => certify::run_revalidate(context, arguments),
    }
}

/// This version of Sluice.
const VERSION: &str = env!("CARGO_PKG_VERSION");
