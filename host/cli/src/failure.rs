//! Why a command failed, as people and programs read it.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::{Value, json};
use sluice_engine::Error;
use sluice_engine::config::{ConfigError, ConfigErrors};
use sluice_engine::identity::Match;
use sluice_engine::plan::Plan;
use sluice_model::names::BadName;
use sluice_model::{EnvironmentName, LogicalId};
use sluice_policy::Decision;
use sluice_vault::RootKeyError;

use crate::answer::Exit;
use crate::page::{Page, harmless};
use crate::show;
use crate::table::Rows;

/// Why a command failed, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    help: Option<String>,
    detail: Box<Detail>,
}

/// What belongs to a failure beside its sentence.
#[derive(Debug)]
enum Detail {
    None,
    Config(ConfigErrors),
    Plan(Box<Plan>),
    Decision(Box<Decision>),
    Matches { digest: String, matches: Vec<Match>, command: Option<String> },
    Objects(Vec<LogicalId>),
    Entry(u64),
}

impl Failure {
    /// Something broke, or is not there.
    pub(crate) fn failed(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message, help)
    }

    /// The command asks for something that cannot be meant.
    pub(crate) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message, help)
    }

    /// Nobody, or somebody else, acts.
    pub(crate) fn not_permitted(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Exit::NotPermitted, message, help)
    }

    fn new(exit: Exit, message: impl Into<String>, help: impl Into<String>) -> Self {
        let help = Some(help.into()).filter(|help| !help.is_empty());
        Self { exit, message: message.into(), help, detail: Box::new(Detail::None) }
    }

    /// A file that could not be read or written.
    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |error| {
            let help = match error.kind() {
                std::io::ErrorKind::NotFound => "check the path",
                std::io::ErrorKind::PermissionDenied => "check who may use it",
                _ => "",
            };
            Self::failed(format!("`{path}`: {error}"), help)
        }
    }

    /// The same of a plan that became another one since this command began.
    pub(crate) fn overtaken(mut self, to: &EnvironmentName) -> Self {
        self.message = format!(
            "somebody else promoted to `{to}` meanwhile, and this is another plan now: {}",
            self.message
        );
        self
    }

    /// With the whole command that goes on from here.
    pub(crate) fn go_on(mut self, with: String) -> Self {
        if let Detail::Matches { command, .. } = self.detail.as_mut() {
            self.help = Some(
                "check them, then run the command below; or say `--new NATIVE_ID` for what is new".into(),
            );
            *command = Some(with);
        }
        self
    }

    /// The matches that wait for a person's word, with what confirms them.
    pub(crate) fn matches(&self) -> Option<(&str, &[Match])> {
        match self.detail.as_ref() {
            Detail::Matches { digest, matches, .. } => Some((digest, matches)),
            _ => None,
        }
    }

    /// How the command ends.
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// The failure as one JSON document.
    pub(crate) fn json(&self) -> Value {
        let mut error = json!({
            "class": self.exit.as_str(),
            "exit": self.exit.code(),
            "message": self.message,
        });
        let mut put = |name: &str, value: Value| {
            if let Some(members) = error.as_object_mut() {
                members.insert(name.to_owned(), value);
            }
        };
        if let Some(help) = &self.help {
            put("help", json!(help));
        }
        match self.detail.as_ref() {
            Detail::None => {}
            Detail::Config(errors) => put("places", errors.0.iter().map(place).collect()),
            Detail::Plan(plan) => {
                put("plan", json!(plan.digest));
                put("problems", json!(plan.problems));
            }
            Detail::Decision(decision) => put("decision", show::decision_data(decision)),
            Detail::Matches { digest, matches, command } => {
                put("confirm", json!(digest));
                put("matches", json!(matches));
                put("command", json!(command));
            }
            Detail::Objects(objects) => put("objects", json!(objects)),
            Detail::Entry(entry) => put("entry", json!(entry)),
        }
        json!({ "error": error })
    }

    /// The failure for people.
    pub(crate) fn text(&self, color: bool) -> String {
        let mut text = String::new();
        if let Detail::Config(errors) = self.detail.as_ref() {
            for error in &errors.0 {
                text.push_str(&pointed(error, color));
                text.push_str("\n\n");
            }
            return text.trim_end().to_owned() + "\n";
        }
        let mut page = Page::new();
        let lead = if color { "\u{1b}[1;31merror\u{1b}[0m: " } else { "error: " };
        text.push_str(lead);
        text.push_str(&self.message.split('\n').map(harmless).collect::<Vec<_>>().join("\n"));
        text.push('\n');
        match self.detail.as_ref() {
            Detail::None | Detail::Config(_) | Detail::Entry(_) => {}
            Detail::Plan(plan) => show::problems(&mut page, &plan.problems),
            Detail::Decision(decision) => show::decision(&mut page, decision, show::Depth::Short),
            Detail::Matches { matches, .. } => {
                let mut rows = Rows::new(&["KIND", "NAME", "IN THE EXPORT", "TAKEN FOR"]);
                for found in matches {
                    rows.row([found.kind.as_str(), &found.name, &found.native, found.logical.as_str()]);
                }
                rows.onto(&mut page, "");
            }
            Detail::Objects(objects) => {
                for object in objects {
                    page.line(format!("  {object}"));
                }
            }
        }
        if !page.is_empty() {
            text.push('\n');
            text.push_str(&page.render(color));
            text.push('\n');
        }
        if let Some(help) = &self.help {
            text.push_str(if color { "\u{1b}[1mhelp\u{1b}[0m: " } else { "help: " });
            text.push_str(&help.split('\n').map(harmless).collect::<Vec<_>>().join("\n      "));
            text.push('\n');
        }
        if let Detail::Matches { command: Some(command), .. } = self.detail.as_ref() {
            text.push_str("\n  ");
            text.push_str(&harmless(command));
            text.push('\n');
        }
        text
    }
}

fn place(error: &ConfigError) -> Value {
    json!({
        "file": error.file,
        "line": error.line,
        "column": error.column,
        "message": error.message,
        "help": error.help,
    })
}

/// The line of the configuration with the place underlined.
fn pointed(error: &ConfigError, color: bool) -> String {
    // The line is shown as it is but for what steers terminals, each of which stays one character.
    let line: String = error
        .text
        .chars()
        .map(|c| if harmless(&c.to_string()).len() == c.len_utf8() { c } else { '?' })
        .collect();
    let byte = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let from = byte(error.column.saturating_sub(1));
    let to = byte(error.column.saturating_sub(1).saturating_add(error.width)).max(from);
    let message = harmless(&error.message);
    let help = harmless(&error.help);
    let snippet = Snippet::source(line)
        .line_start(error.line)
        .path(error.file.clone())
        .annotation(AnnotationKind::Primary.span(from..to));
    let mut group = Level::ERROR.primary_title(message).element(snippet);
    if !help.is_empty() {
        group = group.element(Level::HELP.message(help));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = Exit::from(error.class());
        let message = error.to_string();
        let help = match &error {
            Error::Refused(decision) => {
                let plan = decision.digests.plan.short();
                Some(format!("see the grounds of each finding with `sluice why {plan}`"))
            }
            Error::LedgerBroken { entry, .. } => Some(format!(
                "entries before {entry} are as they were; keep this file, and restore the last good copy of the store"
            )),
            Error::RootKey(RootKeyError::Absent { .. }) => Some(
                "bring it there, say with the variable `SLUICE_HOME` in which folder keys lie, or put it into the \
                 variable `SLUICE_ROOT_KEY`"
                    .to_owned(),
            ),
            error => error.help().filter(|help| !help.is_empty()),
        };
        let detail = match error {
            Error::Config(errors) => Detail::Config(errors),
            Error::PlanRefused(plan) => Detail::Plan(plan),
            Error::Refused(decision) => Detail::Decision(decision),
            Error::MatchesToConfirm { digest, matches, .. } => {
                Detail::Matches { digest, matches, command: None }
            }
            Error::RollbackConflicts { objects } => Detail::Objects(objects),
            Error::LedgerBroken { entry, .. } | Error::Unwarranted { entry, .. } => Detail::Entry(entry),
            _ => Detail::None,
        };
        Self { exit, message, help, detail: Box::new(detail) }
    }
}

impl From<BadName> for Failure {
    fn from(error: BadName) -> Self {
        Self::usage(error.to_string(), "")
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::failed(format!("could not be written as JSON: {error}"), "")
    }
}

impl From<sluice_ledger::keyfile::KeyFileError> for Failure {
    fn from(error: sluice_ledger::keyfile::KeyFileError) -> Self {
        Error::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use sluice_engine::config::Config;

    use super::*;

    #[test]
    fn a_mistake_in_the_configuration_is_shown_in_its_line() {
        let text = "[workspace]\nname = \"Shop!\"\n";
        let errors = Config::parse(text, "sluice.toml").unwrap_err();
        let failure = Failure::from(Error::Config(errors));
        assert_eq!(failure.exit(), Exit::Failed);
        let shown = failure.text(false);
        assert!(shown.starts_with("error: "), "{shown}");
        assert!(shown.contains("--> sluice.toml:"), "{shown}");
        assert!(shown.contains("^"), "{shown}");
        let json = failure.json();
        assert_eq!(json["error"]["places"][0]["file"], "sluice.toml");
        assert_eq!(json["error"]["exit"], 1);
    }

    #[test]
    fn a_place_is_underlined_by_characters_also_beside_wide_and_harmful_ones() {
        let error = ConfigError {
            file: "f.toml".into(),
            span: 0..1,
            line: 3,
            column: 5,
            text: "ü = \"ö\u{1b}l\" # x".into(),
            width: 5,
            message: "bad".into(),
            help: "mend it".into(),
        };
        let shown = pointed(&error, false);
        assert_eq!(
            shown,
            "error: bad\n --> f.toml:3:5\n  |\n3 | ü = \"ö?l\" # x\n  |     ^^^^^\n  |\n  = help: mend it"
        );
        let beyond = ConfigError { column: 900, width: 900, text: String::new(), ..error };
        assert!(pointed(&beyond, false).contains("f.toml:3"));
    }

    #[test]
    fn a_failure_says_what_and_what_to_do() {
        let failure = Failure::usage("`x\u{1b}` is nothing", "use `y`");
        assert_eq!(failure.text(false), "error: `x\\u{1b}` is nothing\nhelp: use `y`\n");
        assert_eq!(
            failure.json(),
            json!({"error": {"class": "usage", "exit": 2, "message": "`x\u{1b}` is nothing", "help": "use `y`"}})
        );
        assert_eq!(Failure::failed("it broke", "").text(false), "error: it broke\n");
    }

    #[test]
    fn exit_codes_follow_what_a_person_can_do() {
        use sluice_engine::Error as E;
        for (error, code) in [
            (E::NoWorkspace("x".into()), 2),
            (E::NotPermitted { actor: "a".into(), act: "b".into(), who: "c".into() }, 4),
            (E::MatchesToConfirm { count: 1, digest: "d".into(), matches: vec![] }, 5),
            (E::RollbackConflicts { objects: vec![] }, 3),
            (
                E::Overtaken {
                    number: 1,
                    later: 2,
                    app: "a".into(),
                    version: "b".into(),
                    environment: sluice_model::EnvironmentName::new("staging").unwrap(),
                },
                3,
            ),
            (E::LedgerBroken { entry: 3, what: "x".into() }, 1),
            (E::Unwarranted { entry: 3, what: "x".into() }, 1),
        ] {
            assert_eq!(Failure::from(error).exit().code(), code);
        }
    }
}
