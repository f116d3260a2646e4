//! `sluice plugin test`.

use std::path::{Path, PathBuf};

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;
use sluice_plugin::conformance::{Check, Grade, Outcome, Report, Suite, Weight};

use super::host;
use super::subject::{self, Subject};
use crate::answer::{Answer, Exit};
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style, counted};
use crate::show::amount;

const EXAMPLES: &str = "\
Examples:
  sluice plugin test
  sluice plugin test build/orders-db.wasm
  sluice plugin test --junit conformance.xml

A project is built first where one of its files is younger than its component.
Ends with exit code 1 where the plugin does not conform.";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The project's folder, or a component.
    #[arg(value_name = "PATH|FILE", default_value = ".")]
    path: PathBuf,
    /// Write the results as JUnit XML to this file too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// What is told to programs.
#[derive(Debug, Serialize)]
pub(super) struct Graded<'r> {
    #[serde(flatten)]
    report: &'r Report,
    grade: Grade,
}

/// Runs the suite.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let host = host(context)?;
    let subject = subject::at(context, &host, &arguments.path)?;
    let working = context.working("asking the plugin");
    let report = suite(&subject).run(&host, &subject.name, &subject.bytes);
    drop(working);
    if let Some(file) = &arguments.junit {
        write_junit(file, &report)?;
    }
    let mut page = Page::new();
    tell(&mut page, &report);
    let answer = Answer::new(&graded(&report), page)?;
    Ok(if report.grade() == Grade::Fails { answer.exit(Exit::Failed) } else { answer })
}

/// The suite with the vendor's own examples.
pub(super) fn suite(subject: &Subject) -> Suite {
    Suite { examples: subject.examples.clone(), ..Suite::default() }
}

/// The report with its grade.
pub(super) fn graded(report: &Report) -> Graded<'_> {
    Graded { report, grade: report.grade() }
}

/// Puts a report on a page: each check, what failed, and the grade.
pub(super) fn tell(page: &mut Page, report: &Report) {
    let running = counted(report.checks.len(), "check", "checks");
    page.heading(format!("running {running} of {}", report.plugin));
    for Check { id, title, weight, outcome } in &report.checks {
        let line = format!("check {id}: {title} ...");
        match outcome {
            Outcome::Passed => page.line(format!("{line} ok")),
            Outcome::Skipped(why) => page.styled(Style::Quiet, format!("{line} skipped: {why}")),
            Outcome::Failed(_) => page.styled(style(*weight), format!("{line} FAILED")),
        };
    }
    for Check { id, weight, outcome, .. } in &report.checks {
        let Outcome::Failed(found) = outcome else { continue };
        let can_do_without = match weight {
            Weight::Must => "",
            Weight::Should => " (a plugin conforms without it)",
        };
        page.gap().styled(style(*weight), format!("{id}{can_do_without}"));
        for what in found {
            page.line(format!("  {what}"));
        }
    }
    let count = |is: fn(&Outcome) -> bool| report.checks.iter().filter(|check| is(&check.outcome)).count();
    let passed = count(|outcome| matches!(outcome, Outcome::Passed));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    let grade = report.grade();
    let (style, word) = match grade {
        Grade::Fails => (Style::Bad, "FAILED"),
        Grade::Conforms | Grade::Exemplary => (Style::Good, "ok"),
    };
    page.gap().styled(
        style,
        format!("result: {word}. {passed} passed, {failed} failed, {skipped} skipped; grade: {grade}"),
    );
    let used = &report.most_used;
    page.line(format!(
        "a call used at most {} units of fuel and {} of memory",
        amount::number(used.fuel),
        amount::bytes(used.memory_bytes)
    ));
}

const fn style(weight: Weight) -> Style {
    match weight {
        Weight::Must => Style::Bad,
        Weight::Should => Style::Notice,
    }
}

/// Writes the results as JUnit XML. What a plugin conforms without is skipped, with what was found.
fn write_junit(file: &Path, report: &Report) -> Result<(), Failure> {
    let mut suite = TestSuite::new(report.plugin.as_str());
    for check in &report.checks {
        let status = match &check.outcome {
            Outcome::Passed => TestCaseStatus::success(),
            Outcome::Skipped(why) => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(why.as_str());
                status
            }
            Outcome::Failed(found) => {
                let mut status = match check.weight {
                    Weight::Must => TestCaseStatus::non_success(NonSuccessKind::Failure),
                    Weight::Should => TestCaseStatus::skipped(),
                };
                status.set_message(found.join("; "));
                status
            }
        };
        let mut case = TestCase::new(check.title.as_str(), status);
        case.set_classname(format!("{}.{}", report.plugin, check.id));
        suite.add_test_case(case);
    }
    let mut junit = Junit::new("sluice plugin test");
    junit.add_test_suite(suite);
    let unwritten = |what: String| {
        Failure::failed(
            format!("`{}` cannot be written: {what}", file.display()),
            "name a file that may be written",
        )
    };
    let text = junit.to_string().map_err(|error| unwritten(error.to_string()))?;
    std::fs::write(file, text).map_err(|error| unwritten(error.to_string()))
}
