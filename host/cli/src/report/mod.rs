//! A decision in the forms that CI systems read: JUnit XML, SARIF, GitHub's workflow commands, and
//! Markdown.

mod github;
mod junit;
mod markdown;
mod places;
mod sarif;

use std::cmp::Reverse;
use std::fmt::Write as _;

use sluice_engine::plan::Problem;
use sluice_engine::workspace::CONFIG_FILE;
use sluice_model::verdict::{Effect, Finding, Level, Place, Verdict};
use sluice_policy::{Decision, GateDecision};

use crate::page::harmless;
pub(crate) use places::{InFile, Places};

/// A form of report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// JUnit XML: a suite for each gate, a case for each finding.
    Junit,
    /// SARIF 2.1.0 (OASIS): a rule for each finding code, a result for each finding.
    Sarif,
    /// GitHub's workflow commands, which become annotations.
    Github,
    /// Markdown, for a comment or a step's summary.
    Markdown,
}

/// What a decision is about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// One line: the plan, the app, the version and the target.
    pub(crate) title: String,
    /// What stands against the plan whatever the gates say.
    pub(crate) problems: Vec<Problem>,
    /// The workspace's folder as seen from where the command runs, which is where CI systems look for
    /// files: empty, or with a slash behind it.
    pub(crate) folder: String,
    /// Where in the file that was given stands what findings are about.
    pub(crate) places: Places,
}

/// Writes a report.
pub(crate) fn write(form: Form, subject: &Subject, decision: &Decision) -> String {
    let told = Told::all(subject, decision);
    match form {
        Form::Junit => junit::write(subject, decision, &told),
        Form::Sarif => sarif::write(&told),
        Form::Github => github::write(&told),
        Form::Markdown => markdown::write(subject, decision, &told),
    }
}

/// How much a finding weighs, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Error,
    Warning,
    Note,
}

impl Weight {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A finding that does not pass, as all forms tell it.
struct Told<'d> {
    weight: Weight,
    verdict: Verdict,
    /// Whether a gate says it; else it stands against the plan, or against its gates as such.
    is_of_gate: bool,
    gate: &'d str,
    code: &'d str,
    message: String,
    fix: Option<&'d str>,
    /// The policy's file and the line; the configuration's, where no line of a policy says it.
    file: (String, usize),
    /// The object, and the JSON pointer into its content.
    place: Option<String>,
    /// Where that stands in the file that was given.
    in_file: Option<&'d InFile>,
}

impl<'d> Told<'d> {
    /// All that does not pass, the worst first.
    fn all(subject: &'d Subject, decision: &'d Decision) -> Vec<Self> {
        let configuration = (format!("{}{CONFIG_FILE}", subject.folder), 1);
        let problems = subject.problems.iter().map(|problem| {
            let place = place_of(problem);
            Self {
                weight: Weight::Error,
                verdict: Verdict::Deny,
                is_of_gate: false,
                gate: "plan",
                code: &problem.code,
                message: harmless(&problem.message),
                fix: Some(&problem.fix),
                file: configuration.clone(),
                place: place.as_ref().map(in_words),
                in_file: subject.places.of(place.as_ref()),
            }
        });
        let of_gates = decision.gates.iter().flat_map(|gate| {
            let refusing = gate.findings.iter().filter(|finding| finding.verdict != Verdict::Pass);
            refusing.map(move |finding| Self::of(subject, gate, finding))
        });
        let broken = decision.problem.iter().map(|problem| Self {
            weight: Weight::Error,
            verdict: Verdict::Fault,
            is_of_gate: false,
            gate: "gates",
            code: "gates.problem",
            message: problem.clone(),
            fix: None,
            file: configuration.clone(),
            place: None,
            in_file: None,
        });
        let mut all: Vec<_> = broken.chain(problems).chain(of_gates).collect();
        // By the level first, as a form may show so many of each; then what breaks before what denies, and
        // that before what is missing.
        all.sort_by_key(|told| (told.weight, Reverse(told.verdict)));
        all
    }

    fn of(subject: &'d Subject, gate: &'d GateDecision, finding: &'d Finding) -> Self {
        let weight = match (gate.effect, gate.level) {
            (Effect::Refused, _) if !is_lifted(gate, finding) => Weight::Error,
            (_, Level::Warn) => Weight::Warning,
            _ => Weight::Note,
        };
        Self {
            weight,
            verdict: finding.verdict,
            is_of_gate: true,
            gate: &gate.gate,
            code: &finding.code,
            message: harmless(&finding.message),
            fix: finding.fix.as_deref(),
            file: match &finding.source {
                Some(at) => (format!("{}policies/{}/{}", subject.folder, gate.policy, at.file), at.line),
                None => (format!("{}{CONFIG_FILE}", subject.folder), 1),
            },
            place: finding.place.as_ref().map(in_words),
            in_file: subject.places.of(finding.place.as_ref()),
        }
    }

    /// The file, line and column to be sent to: where the file that was given has it; else the policy
    /// that says it.
    fn spot(&self) -> (&str, usize, Option<usize>) {
        match self.in_file {
            Some(at) => (&at.file, at.line, Some(at.column)),
            None => (&self.file.0, self.file.1, None),
        }
    }

    /// The message with its place, the way out, and the policy's line where one is sent elsewhere.
    fn in_full(&self) -> String {
        let mut text = self.message.clone();
        if let Some(place) = &self.place {
            let _ = write!(text, "\nwhere: {}", harmless(place));
        }
        if let Some(at) = self.in_file {
            let _ = write!(text, "\nin the file: {}", harmless(&at.at.to_string()));
        }
        if let Some(fix) = self.fix {
            let _ = write!(text, "\nfix: {}", harmless(fix));
        }
        if self.in_file.is_some() && self.is_of_gate {
            let _ = write!(text, "\npolicy: {}:{}", self.file.0, self.file.1);
        }
        text
    }
}

/// What a problem is about.
pub(crate) fn place_of(problem: &Problem) -> Option<Place> {
    Some(Place { object: problem.object.as_ref()?.to_string(), at: problem.at.clone() })
}

/// The object, and the JSON pointer into its content.
fn in_words(place: &Place) -> String {
    match &place.at {
        Some(at) => format!("{}#{at}", place.object),
        None => place.object.clone(),
    }
}

/// Whether an act lifted this finding. Where the gate still refuses, a code was not lifted whole: at
/// `hard` a waiver lifts denials of it, and nothing that is undecided.
fn is_lifted(gate: &GateDecision, finding: &Finding) -> bool {
    let whole = gate.effect != Effect::Refused || gate.level != Level::Hard;
    gate.lifted.iter().any(|lifted| lifted.code == finding.code)
        && (whole || finding.verdict == Verdict::Deny)
}

#[cfg(test)]
mod tests;
