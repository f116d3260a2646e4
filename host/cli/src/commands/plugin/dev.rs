//! `sluice plugin dev`.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sluice_plugin::conformance::{Example, Grade, Report, Uniform};
use sluice_plugin::{Exchange, Host, LOG, Note, Plugin, ProbeInput, RenderInput, Rendered, Told, Used};
use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context as Within, SubscriberExt as _};

use super::project::{self, Project};
use super::subject::{self, Subject};
use super::{host, test};
use crate::answer::{Answer, Exit};
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style};
use crate::show::{self, amount};

const EXAMPLES: &str = "\
Examples:
  sluice plugin dev
  sluice plugin dev plugins/orders-db --once

A probe is played too, with a network that takes every connection and answers every request with the
status 200 and what it was sent. Nothing is really asked, and no secret is placed.
Goes on until Ctrl-C.";

/// How often the project's files are looked at. A third of a second: a person does not wait, and
/// looking at some hundred files takes a millisecond.
const PAUSE: Duration = Duration::from_millis(300);

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The project's folder.
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
    /// Build and play once, and end as `sluice plugin test` does.
    #[arg(long)]
    once: bool,
}

/// Builds and plays, and again whenever a file changes.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let host = host(context)?;
    let folder = &arguments.path;
    // A folder that is no project never becomes one by waiting.
    let project = Project::read(folder)?;
    if arguments.once {
        return round(context, &host, folder);
    }
    loop {
        let mut seen = project::snapshot(folder)?;
        match round(context, &host, folder) {
            Ok(answer) => {
                context.tell(&answer.hint("\nwaiting for a change; Ctrl-C stops"));
                // What the build itself wrote, such as a lock file, is no change.
                if project.is_built()? {
                    seen = project::snapshot(folder)?;
                }
            }
            Err(failure) => context.tell_failure(&failure),
        }
        let changed = loop {
            context.ambient().pause(PAUSE);
            let changed = seen.changes(&project::snapshot(folder)?);
            if !changed.is_empty() {
                break changed;
            }
        };
        let mut page = Page::new();
        let changed: Vec<String> = changed.iter().map(|path| Context::from_here(path)).collect();
        page.gap().styled(Style::Quiet, format!("changed: {}", changed.join(", ")));
        context.talk(&page);
    }
}

/// What one round found.
#[derive(Debug, Serialize)]
struct Round<'r> {
    examples: Vec<Played>,
    #[serde(flatten)]
    report: test::Graded<'r>,
}

/// What came of one example.
#[derive(Debug, Serialize)]
struct Played {
    example: String,
    kind: String,
    /// What the plugin wrote while it was asked.
    log: Vec<Said>,
    /// What it made: options, with the slots by name.
    options: Option<Value>,
    notes: Vec<Note>,
    used: Option<Used>,
    /// Why it is refused.
    refused: Option<String>,
    /// What its probe asked, of a plugin that has one.
    probe: Option<Probing>,
}

/// What a probe did.
#[derive(Debug, Serialize)]
struct Probing {
    /// What it asked the network, in order.
    asked: Vec<Told>,
    /// What the plugin wrote meanwhile.
    log: Vec<Said>,
    reachable: Option<bool>,
    authenticated: Option<bool>,
    notes: Vec<Note>,
    used: Option<Used>,
    /// Why there is no answer.
    failed: Option<String>,
}

/// Builds where that is necessary, plays the examples, and runs the suite.
fn round(context: &Context, host: &Host, folder: &Path) -> Result<Answer, Failure> {
    let subject = subject::at(context, host, folder)?;
    let report = test::suite(&subject).run(host, &subject.name, &subject.bytes);
    let Subject { name, bytes, examples } = &subject;
    // Where it does not load the report says why.
    let played = match host.load(name, bytes) {
        Ok(plugin) => examples.iter().filter_map(|example| play(&plugin, example)).collect(),
        Err(_) => Vec::new(),
    };
    let page = page(&played, &report);
    let is_bad = report.grade() == Grade::Fails;
    let answer = Answer::new(&Round { examples: played, report: test::graded(&report) }, page)?;
    Ok(if is_bad { answer.exit(Exit::Failed) } else { answer })
}

fn play(plugin: &Plugin, example: &Example) -> Option<Played> {
    let input = example.input()?;
    let (rendered, log) = heard(|| plugin.render(&input));
    let (rendered, refused) = match rendered {
        Ok(rendered) => (Some(rendered), None),
        Err(error) => (None, Some(error.reason.to_string())),
    };
    let used = rendered.as_ref().map(|rendered| rendered.used);
    let probe = rendered
        .as_ref()
        .filter(|_| plugin.has_probe())
        .map(|rendered| probe(plugin, input.clone(), rendered));
    let (options, notes) = rendered.map(|rendered| (rendered.options, rendered.notes)).unzip();
    Some(Played {
        example: example.title.clone(),
        kind: input.source.kind.to_string(),
        log,
        options,
        notes: notes.unwrap_or_default(),
        used,
        refused,
        probe,
    })
}

/// Probes what was made, through a network that answers everything.
fn probe(plugin: &Plugin, input: RenderInput, rendered: &Rendered) -> Probing {
    let RenderInput { mut source, target_environment: target, .. } = input;
    source.options = rendered.options.clone();
    let slots = rendered.slots.clone();
    let outside = Arc::new(Uniform(Ok(())));
    let (probed, log) = heard(|| plugin.probe(ProbeInput { source, target, slots, outside }));
    match probed {
        Ok(probed) => Probing {
            asked: probed.recording.0.iter().map(Exchange::told).collect(),
            log,
            reachable: probed.reachable,
            authenticated: probed.authenticated,
            notes: probed.notes,
            used: Some(probed.used),
            failed: None,
        },
        Err(error) => Probing {
            asked: Vec::new(),
            log,
            reachable: None,
            authenticated: None,
            notes: Vec::new(),
            used: None,
            failed: Some(error.reason.to_string()),
        },
    }
}

fn page(played: &[Played], report: &Report) -> Page {
    let mut page = Page::new();
    for Played { example, kind, log, options, notes, used, refused, probe } in played {
        page.heading(format!("example {example} ({kind})"));
        tell_log(&mut page, log);
        if let Some(Value::Object(members)) = options {
            for (key, value) in members {
                page.line(format!("  {key} = {}", show::in_a_line(value)));
            }
        }
        tell_notes(&mut page, notes);
        if let Some(reason) = refused {
            page.styled(Style::Notice, format!("  refused: {reason}"));
        }
        tell_used(&mut page, used.as_ref());
        if let Some(probe) = probe {
            tell_probe(&mut page, probe);
        }
    }
    test::tell(&mut page, report);
    page
}

fn tell_probe(page: &mut Page, probe: &Probing) {
    let Probing { asked, log, reachable, authenticated, notes, used, failed } = probe;
    page.line("  its probe, with a network that answers everything:");
    tell_log(page, log);
    for exchange in asked {
        page.line(format!("  asked: {exchange}"));
    }
    match failed {
        Some(reason) => {
            page.styled(Style::Notice, format!("  failed: {reason}"));
        }
        None => {
            if asked.is_empty() {
                page.line("  it asked nothing");
            }
            let (reachable, taken) = (show::answered(*reachable), show::answered(*authenticated));
            page.line(format!("  reachable: {reachable}, credentials taken: {taken}"));
        }
    }
    tell_notes(page, notes);
    tell_used(page, used.as_ref());
}

fn tell_log(page: &mut Page, log: &[Said]) {
    for Said { level, message } in log {
        page.styled(Style::Quiet, format!("  log {level}: {message}"));
    }
}

fn tell_notes(page: &mut Page, notes: &[Note]) {
    for note in notes {
        page.styled(Style::Notice, format!("  {} {}: {note}", severity(note), note.code));
    }
}

fn tell_used(page: &mut Page, used: Option<&Used>) {
    if let Some(used) = used {
        page.styled(
            Style::Quiet,
            format!(
                "  used {} units of fuel, {} of memory, {} log messages",
                amount::number(used.fuel),
                amount::bytes(used.memory_bytes),
                used.log_messages
            ),
        );
    }
}

const fn severity(note: &Note) -> &'static str {
    match note.severity {
        sluice_plugin::Severity::Note => "note",
        sluice_plugin::Severity::Warning => "warning",
        sluice_plugin::Severity::Error => "error",
    }
}

/// A message of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Said {
    level: String,
    message: String,
}

/// Hears what plugins write while something is done. The host passes it on to whoever listens to
/// its traces.
fn heard<T>(done: impl FnOnce() -> T) -> (T, Vec<Said>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let listening = tracing_subscriber::registry().with(Listening(Arc::clone(&said)));
    let done = tracing::subscriber::with_default(listening, done);
    let said = std::mem::take(&mut *said.lock().unwrap_or_else(PoisonError::into_inner));
    (done, said)
}

struct Listening(Arc<Mutex<Vec<Said>>>);

impl<S: tracing::Subscriber> Layer<S> for Listening {
    fn on_event(&self, event: &tracing::Event<'_>, _: Within<'_, S>) {
        // What the host says of the plugin is not the plugin's.
        if event.metadata().target() != LOG {
            return;
        }
        let mut words = Words::default();
        event.record(&mut words);
        let level = event.metadata().level().as_str().to_lowercase();
        let said = Said { level, message: words.0 };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(said);
    }
}

/// The message of an event.
#[derive(Default)]
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a string does not fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_writes_is_heard_and_nothing_else() {
        let (answer, said) = heard(|| {
            tracing::warn!("the host's own");
            tracing::debug!(plugin = "orders", "a plugin was called");
            tracing::debug!(target: LOG, plugin = "orders", "{}", "12 options");
            tracing::warn!(target: LOG, plugin = "orders", "no \"host\"");
            7
        });
        assert_eq!(answer, 7);
        let of = |level: &str, message: &str| Said { level: level.into(), message: message.into() };
        assert_eq!(said, [of("debug", "12 options"), of("warn", "no \"host\"")]);
    }
}
