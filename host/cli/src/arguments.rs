//! What people type: global options and the tree of commands.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use sluice_engine::config::PersonName;

use crate::commands;
use crate::moment;
use crate::report::Form;

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or allowed
  1  failed: something broke or cannot be read
  2  usage: the command was not understood
  3  denied: a rule refuses
  4  not permitted: somebody else may do that
  5  pending: it waits for a person or a time

Data goes to standard output, talk to standard error. With `--output json` the answer is one JSON
document, and an error is {\"error\": …} on standard error.

The way of an app, from the first command to the last:
  sluice init && sluice key new ada && sluice config adopt
  sluice import development orders.json && sluice manage Orders && sluice version cut Orders
  sluice plan Orders --to staging && sluice check Orders --to staging
  sluice promote Orders --to staging
  sluice ledger verify";

/// Promotes low-code apps between environments, through gates.
///
/// Sluice reads an app's export with all it depends on, works out a plan for the next environment,
/// puts the plan before gates, renders every data source for the target, and applies the plan so
/// that the target is wholly old or wholly new.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, after_help = EXIT_CODES, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// How the answer is written.
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: Output,
    /// The workspace's folder [default: `SLUICE_WORKSPACE`; else the current one, or the nearest
    /// above it that has a `sluice.toml`].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    /// Who acts [default: `SLUICE_ACTOR`; else the only person of the configuration whose key is
    /// at hand].
    #[arg(long = "as", global = true, value_name = "NAME")]
    pub(crate) actor: Option<PersonName>,
    /// Never ask at the terminal.
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// For how long to wait while somebody else writes to the environment, such as `30s`.
    #[arg(long, global = true, value_name = "DURATION", value_parser = moment::length)]
    pub(crate) wait: Option<Duration>,
    /// When to colour; where `NO_COLOR` is set, never.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
    /// Tell on standard error what is done; twice for more.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// JUnit XML; of `check` and `why`, as are those that follow.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
    /// GitHub's workflow commands, which become annotations.
    Github,
    /// Markdown.
    Markdown,
}

impl Output {
    /// The form of report, where it is one.
    pub(crate) const fn report(self) -> Option<Form> {
        match self {
            Self::Table | Self::Json => None,
            Self::Junit => Some(Form::Junit),
            Self::Sarif => Some(Form::Sarif),
            Self::Github => Some(Form::Github),
            Self::Markdown => Some(Form::Markdown),
        }
    }
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always, unless `NO_COLOR` is set.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to colour what goes to something that is, or is not, a terminal.
    pub(crate) fn on(self, is_terminal: bool, no_color: bool) -> bool {
        match self {
            Self::Always => !no_color,
            Self::Never => false,
            Self::Auto => is_terminal && !no_color,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a workspace.
    Init(commands::init::Arguments),
    /// Make and show people's keys.
    #[command(subcommand, arg_required_else_help = true)]
    Key(commands::key::Command),
    /// Check, compare and adopt the configuration.
    #[command(subcommand, arg_required_else_help = true)]
    Config(commands::config::Command),
    /// Look into an export without storing anything.
    Inspect(commands::inspect::Arguments),
    /// Read an export into an environment.
    Import(commands::import::Arguments),
    /// Mark apps and shared objects as candidates for promotion.
    Manage(commands::manage::Arguments),
    /// Cut and list versions of an app.
    #[command(subcommand, arg_required_else_help = true)]
    Version(commands::version::Command),
    /// Say what a transition would do; changes nothing.
    Plan(commands::plan::Arguments),
    /// Ask the gates about a plan; changes nothing.
    #[command(after_help = commands::check::EXAMPLES_OF_CHECK)]
    Check(commands::check::Arguments),
    /// Say why the gates decide as they do: each finding with its grounds.
    #[command(after_help = commands::check::EXAMPLES_OF_WHY)]
    Why(commands::check::Arguments),
    /// Approve a plan.
    Approve(commands::consent::Approve),
    /// Pass over a soft gate on one plan.
    Override(commands::consent::Override),
    /// Ask for an exception to one finding code; a second person signs it with `cosign`.
    Waive(commands::consent::Waive),
    /// Lift all refusals of one plan in an emergency; a second person signs it with `cosign`.
    BreakGlass(commands::consent::BreakGlass),
    /// Sign a waiver, or that glass was broken, as the second person.
    Cosign(commands::consent::Cosign),
    /// List waivers.
    #[command(subcommand, arg_required_else_help = true)]
    Waiver(commands::consent::Waiver),
    /// List and close reviews of what an emergency let through.
    #[command(subcommand, arg_required_else_help = true)]
    Review(commands::review::Command),
    /// What an environment owns for data sources.
    #[command(subcommand, arg_required_else_help = true)]
    Binding(commands::binding::Command),
    /// Constants of an environment.
    #[command(subcommand, arg_required_else_help = true)]
    Constant(commands::constant::Command),
    /// Secrets of an environment, and what looks like one.
    #[command(subcommand, arg_required_else_help = true)]
    Secret(commands::secret::Command),
    /// Bring and list evidence.
    #[command(subcommand, arg_required_else_help = true)]
    Evidence(commands::evidence::Command),
    /// Write, test and look into policies.
    #[command(subcommand, arg_required_else_help = true)]
    Policy(commands::policy::Command),
    /// Make, test and look into plugins.
    #[command(subcommand, arg_required_else_help = true)]
    Plugin(commands::plugin::Command),
    /// Promote a version to the next environment.
    Promote(commands::promote::Promote),
    /// Give a version to the end users of an environment.
    Release(commands::promote::Release),
    /// Take a promotion back.
    Rollback(commands::promote::Rollback),
    /// Finish or undo what a crash left half done.
    Resume(commands::promote::Resume),
    /// Write an environment's app in the platform's own format.
    Export(commands::export::Arguments),
    /// Show apps by environments.
    Status(commands::status::Arguments),
    /// Show what happened.
    History(commands::history::Arguments),
    /// Verify the ledger, and show its checkpoint.
    #[command(subcommand, arg_required_else_help = true)]
    Ledger(commands::ledger::Command),
    /// Print a script that completes commands in a shell.
    Completions(commands::shell::Completions),
    /// Write the manual pages.
    Man(commands::shell::Man),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn the_tree_of_commands_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_gives_examples() {
        fn look(command: &clap::Command, path: &str, missing: &mut Vec<String>) {
            if command.get_about().is_none() {
                missing.push(format!("{path}: no help"));
            }
            for argument in command.get_arguments().filter(|a| !a.is_hide_set()) {
                if argument.get_help().is_none() {
                    missing.push(format!("{path} {}: no help", argument.get_id()));
                }
            }
            let is_leaf = !command.has_subcommands();
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            if is_leaf && !examples.contains("sluice ") {
                missing.push(format!("{path}: no examples"));
            }
            for child in command.get_subcommands() {
                look(child, &format!("{path} {}", child.get_name()), missing);
            }
        }
        let mut missing = Vec::new();
        look(&Arguments::command(), "sluice", &mut missing);
        assert!(missing.is_empty(), "{missing:#?}");
    }

    /// Lines that a terminal would break are broken by hand, and examples are not broken at all.
    #[test]
    fn what_stands_after_the_help_fits_a_terminal() {
        fn look(command: &clap::Command, long: &mut Vec<String>) {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            long.extend(after.lines().filter(|line| line.chars().count() > 100).map(str::to_owned));
            command.get_subcommands().for_each(|child| look(child, long));
        }
        let mut long = Vec::new();
        look(&Arguments::command(), &mut long);
        assert!(long.is_empty(), "{long:#?}");
    }

    /// The table of commands in `docs/cli.md` is written from their arguments; `SLUICE_UPDATE=1`
    /// writes it anew.
    #[test]
    fn the_documentation_lists_every_command_with_its_options() {
        const TITLE: &str = "## Commands\n";
        fn shown(argument: &clap::Arg) -> String {
            let value = argument.get_value_names().map(|names| names.join(" ")).unwrap_or_default();
            let many = argument.get_num_args().is_some_and(|count| count.max_values() > 1);
            let text = match argument.get_long() {
                Some(long) if argument.get_action().takes_values() => format!("--{long} {value}"),
                Some(long) => format!("--{long}"),
                None if many => format!("{value}..."),
                None => value,
            };
            if argument.is_required_set() { text } else { format!("[{text}]") }
        }
        fn rows(command: &clap::Command, path: &str, table: &mut String) {
            if command.has_subcommands() {
                for child in command.get_subcommands() {
                    rows(child, &format!("{path} {}", child.get_name()), table);
                }
                return;
            }
            let own = |argument: &&clap::Arg| !argument.is_global_set() && !argument.is_hide_set();
            let mut words = vec![path.to_owned()];
            words.extend(command.get_positionals().filter(own).map(shown));
            words.extend(command.get_opts().filter(own).map(shown));
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            table.push_str(&format!("| `{}` | {about} |\n", words.join(" ").replace('|', "\\|")));
        }
        let mut table = "\n| command | what it does |\n|---|---|\n".to_owned();
        rows(&Arguments::command(), "sluice", &mut table);
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
        let text = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = text.split_once(TITLE).unwrap();
        let (_, after) = rest.split_once("\n## ").unwrap();
        let expected = format!("{before}{TITLE}{table}\n## {after}");
        if std::env::var_os("SLUICE_UPDATE").is_some_and(|value| value == "1") {
            std::fs::write(&path, expected).unwrap();
        } else {
            assert!(text == expected, "docs/cli.md is otherwise than:\n{table}\nSLUICE_UPDATE=1 writes it");
        }
    }

    /// Each example of the help is a command that is understood.
    #[test]
    fn every_example_is_understood() {
        fn look(command: &clap::Command, seen: &mut usize) {
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples = examples.replace("\\\n    ", "");
            for line in examples.lines().filter_map(|line| line.trim().strip_prefix("sluice ")) {
                for part in line.split(" && sluice ") {
                    let part = part.split(" < ").next().unwrap_or(part).split(" > ").next().unwrap_or(part);
                    let words = std::iter::once("sluice".to_owned()).chain(words(part));
                    let parsed = Arguments::try_parse_from(words);
                    assert!(parsed.is_ok(), "sluice {part}: {}", parsed.unwrap_err());
                    *seen += 1;
                }
            }
            command.get_subcommands().for_each(|child| look(child, seen));
        }
        let mut seen = 0;
        look(&Arguments::command(), &mut seen);
        assert!(seen > 40, "{seen}");
    }

    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for c in line.chars() {
            match c {
                c if quote == Some(c) => quote = None,
                '"' | '\'' if quote.is_none() => quote = Some(c),
                ' ' if quote.is_none() => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        words
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (line, kind) in [
            ("sluice", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
            ("sluice fly", ErrorKind::InvalidSubcommand),
            ("sluice import Dev x.json", ErrorKind::ValueValidation),
            ("sluice import development", ErrorKind::MissingRequiredArgument),
            ("sluice --as Ada status", ErrorKind::ValueValidation),
            ("sluice --as ../../x status", ErrorKind::ValueValidation),
            ("sluice check x --at yesterday", ErrorKind::ValueValidation),
            ("sluice plan Orders", ErrorKind::MissingRequiredArgument),
            ("sluice plan Orders --to staging --release staging", ErrorKind::ArgumentConflict),
            ("sluice plan Orders --to staging --choose db=maybe", ErrorKind::ValueValidation),
            ("sluice override x --gate g", ErrorKind::MissingRequiredArgument),
            ("sluice break-glass x --reason r", ErrorKind::MissingRequiredArgument),
            ("sluice review close 1", ErrorKind::MissingRequiredArgument),
            ("sluice evidence add", ErrorKind::MissingRequiredArgument),
            ("sluice evidence add x.xml --accept looks", ErrorKind::ArgumentConflict),
            ("sluice evidence add --accept a --reject b", ErrorKind::ArgumentConflict),
            ("sluice evidence add --plugin sql", ErrorKind::MissingRequiredArgument),
            ("sluice evidence add --sign --version 1", ErrorKind::MissingRequiredArgument),
            ("sluice binding adopt staging", ErrorKind::MissingRequiredArgument),
            ("sluice binding set staging db /host", ErrorKind::ValueValidation),
            ("sluice binding set staging db host=x", ErrorKind::ValueValidation),
            ("sluice -o yaml status", ErrorKind::InvalidValue),
            (
                "sluice waive c --app A --to staging --reason r --expires 1h",
                ErrorKind::MissingRequiredArgument,
            ),
        ] {
            let error = Arguments::try_parse_from(words(line)).unwrap_err();
            assert_eq!(error.kind(), kind, "{line}: {error}");
            let text = error.to_string();
            assert!(!text.contains("::"), "{text}");
        }
    }

    #[test]
    fn global_options_stand_anywhere() {
        for line in ["sluice -o json --wait 5s status", "sluice status --wait 5s -o json"] {
            let parsed = Arguments::try_parse_from(words(line)).unwrap();
            assert_eq!(parsed.global.output, Output::Json);
            assert_eq!(parsed.global.wait, Some(Duration::from_secs(5)));
        }
    }

    #[test]
    fn colour_is_for_terminals() {
        for (color, is_terminal, no_color, expected) in [
            (Color::Auto, true, false, true),
            (Color::Auto, true, true, false),
            (Color::Auto, false, false, false),
            (Color::Always, false, false, true),
            (Color::Always, true, true, false),
            (Color::Never, true, false, false),
        ] {
            assert_eq!(color.on(is_terminal, no_color), expected, "{color:?} {is_terminal} {no_color}");
        }
    }
}
