//! From the words of a command to its exit code.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;

use clap::Parser as _;
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

use crate::answer::{Answer, Exit};
use crate::arguments::{Arguments, Command, Global, Output};
use crate::commands as c;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style};
use crate::report;

/// Runs a command.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    let parsed = match Arguments::try_parse_from(&words) {
        Ok(parsed) => parsed,
        Err(error) => return not_understood(&error, &words),
    };
    let Arguments { global, command } = parsed;
    trace(&global);
    let outcome = fits(&global, &command)
        .and_then(|()| Context::new(global.clone()))
        .and_then(|context| dispatch(&context, command));
    match outcome {
        Ok(answer) => tell(&answer, &global),
        Err(failure) => fail(&failure, &global),
    }
}

/// Refuses a form of report for a command that makes no decision, before anything is done.
fn fits(global: &Global, command: &Command) -> Result<(), Failure> {
    if global.output.report().is_some() && !matches!(command, Command::Check(_) | Command::Why(_)) {
        return Err(Failure::usage(
            "only `sluice check` and `sluice why` are told as a report for CI systems",
            "use `--output json` for programs",
        ));
    }
    Ok(())
}

fn dispatch(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Init(arguments) => c::init::run(context, &arguments),
        Command::Key(command) => c::key::run(context, command),
        Command::Config(command) => c::config::run(context, &command),
        Command::Inspect(arguments) => c::inspect::run(&arguments),
        Command::Import(arguments) => c::import::run(context, &arguments),
        Command::Manage(arguments) => c::manage::run(context, arguments),
        Command::Version(command) => c::version::run(context, command),
        Command::Plan(arguments) => c::plan::run(context, &arguments),
        Command::Check(arguments) => c::check::run(context, &arguments, crate::show::Depth::Short),
        Command::Why(arguments) => c::check::run(context, &arguments, crate::show::Depth::Full),
        Command::Approve(arguments) => c::consent::approve(context, arguments),
        Command::Override(arguments) => c::consent::override_gate(context, &arguments),
        Command::Waive(arguments) => c::consent::waive(context, arguments),
        Command::BreakGlass(arguments) => c::consent::break_glass(context, &arguments),
        Command::Cosign(arguments) => c::consent::cosign(context, arguments),
        Command::Review(command) => c::review::run(context, &command),
        Command::Waiver(c::consent::Waiver::List) => c::consent::list(context),
        Command::Binding(command) => c::binding::run(context, command),
        Command::Constant(command) => c::constant::run(context, command),
        Command::Secret(command) => c::secret::run(context, command),
        Command::Evidence(command) => c::evidence::run(context, command),
        Command::Policy(command) => c::policy::run(context, &command),
        Command::Plugin(command) => c::plugin::run(context, &command),
        Command::Promote(arguments) => c::promote::promote(context, &arguments),
        Command::Release(arguments) => c::promote::release(context, arguments),
        Command::Rollback(arguments) => c::promote::rollback(context, arguments),
        Command::Resume(_) => c::promote::resume(context),
        Command::Export(arguments) => c::export::run(context, &arguments),
        Command::Status(_) => c::status::run(context),
        Command::History(arguments) => c::history::run(context, &arguments),
        Command::Ledger(command) => c::ledger::run(context, &command),
        Command::Completions(arguments) => c::shell::completions(&arguments),
        Command::Man(arguments) => c::shell::man(&arguments),
    }
}

/// Tells what is done on standard error: nothing unless asked, by `-v` or the variable.
fn trace(global: &Global) {
    let default = match global.verbose {
        0 => "off",
        1 => "sluice=debug,sluice_engine=info",
        2 => "sluice=trace,sluice_engine=debug,sluice_plugin=debug,sluice_policy=debug,sluice_store=debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("SLUICE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let color = global.color.on(std::io::stderr().is_terminal(), no_color());
    // A second subscriber, as in tests, is not wanted.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color)
        .without_time()
        .try_init();
}

fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Tells an answer.
pub(crate) fn tell(answer: &Answer, global: &Global) -> ExitCode {
    let written = match global.output {
        Output::Json => write_out(&document(&answer.data)),
        Output::Table => {
            let color = global.color.on(std::io::stdout().is_terminal(), no_color());
            write_out(&answer.page.render(color))
        }
        form => {
            let report = form.report().zip(answer.decided.as_deref());
            write_out(&report.map_or_else(String::new, |(form, (subject, decision))| {
                report::write(form, subject, decision)
            }))
        }
    };
    if global.output == Output::Table && !answer.hints.is_empty() {
        let mut hints = Page::new();
        for hint in &answer.hints {
            hints.styled(Style::Plain, hint);
        }
        talk(&hints, global);
    }
    if written { ExitCode::from(answer.exit.code()) } else { ExitCode::from(Exit::Failed.code()) }
}

/// Says something to people.
pub(crate) fn talk(page: &Page, global: &Global) {
    write_err(&page.render(global.color.on(std::io::stderr().is_terminal(), no_color())));
}

/// Tells a failure.
pub(crate) fn fail(failure: &Failure, global: &Global) -> ExitCode {
    let color = global.color.on(std::io::stderr().is_terminal(), no_color());
    let text = match global.output {
        Output::Json => document(&failure.json()),
        _ => failure.text(color),
    };
    write_err(&text);
    ExitCode::from(failure.exit().code())
}

/// Help and version go to standard output; a mistake is told in the form that was asked for.
fn not_understood(error: &clap::Error, words: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        return if error.print().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if wants_json(words) {
        let text = error.to_string();
        let message = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
        write_err(&document(&json!({
            "error": { "class": Exit::Usage.as_str(), "exit": Exit::Usage.code(), "message": in_a_line(message),
                       "help": "see `sluice --help`" }
        })));
    } else {
        // Nothing can be said where standard error is closed.
        let _ = error.print();
    }
    ExitCode::from(Exit::Usage.code())
}

/// A message that was laid out over several lines, in one.
fn in_a_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether JSON was asked for, in words that were not understood as a whole.
fn wants_json(words: &[OsString]) -> bool {
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    words.windows(2).any(|pair| matches!(pair, ["-o" | "--output", "json"]))
        || words.iter().any(|word| matches!(*word, "--output=json" | "-ojson" | "-o=json"))
}

fn document(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// Writes to standard output. A reader that has gone, as `head` does, is no failure.
fn write_out(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::BrokenPipe,
    }
}

fn write_err(text: &str) {
    // Nothing can be said where standard error is closed.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_in_one_line() {
        let error = Arguments::try_parse_from(["sluice", "plan", "-o", "json"]).unwrap_err().to_string();
        let told = in_a_line(error.split("\n\n").next().unwrap());
        assert!(told.contains("not provided: <") && !told.contains('\n'), "{told}");
    }

    #[test]
    fn json_is_recognised_also_in_what_is_not_understood() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (line, expected) in [
            ("sluice fly -o json", true),
            ("sluice --output json fly", true),
            ("sluice --output=json fly", true),
            ("sluice -ojson fly", true),
            ("sluice fly", false),
            ("sluice fly -o table json", false),
        ] {
            assert_eq!(wants_json(&words(line)), expected, "{line}");
        }
    }
}
