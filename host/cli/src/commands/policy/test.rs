//! `sluice policy test`.

use std::path::PathBuf;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;
use sluice_engine::Error;
use sluice_policy::Sandbox;
use sluice_policy::coverage::{Coverage, Share};

use super::{compiled, packs};
use crate::answer::{Answer, Exit};
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style, counted};

const EXAMPLES: &str = "\
Examples:
  sluice policy test
  sluice policy test policies/approvals --coverage --threshold 90
  sluice policy test --junit policies.xml

Ends with exit code 1 where a case fails, a pack has none, or less ran than the threshold asks for.";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Packs, or folders of packs [default: those of the workspace].
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Show which lines and branches no case ran.
    #[arg(long)]
    coverage: bool,
    /// The least percentage of lines, and of branches, that the cases of each pack must run.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    threshold: Option<u8>,
    /// Write the results as JUnit XML to this file too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// How the cases of a pack came out.
#[derive(Debug, Serialize)]
struct Tested {
    pack: String,
    version: String,
    cases: Vec<Played>,
    lines: Part,
    branches: Part,
    /// Places that did not run, as `FILE:LINE`, with what did not.
    not_run: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Played {
    file: String,
    name: String,
    problem: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Part {
    covered: usize,
    total: usize,
}

impl Part {
    const fn share(self) -> Share {
        Share { covered: self.covered, total: self.total }
    }
}

impl From<Share> for Part {
    fn from(share: Share) -> Self {
        Self { covered: share.covered, total: share.total }
    }
}

impl Tested {
    /// What is wrong where no case is.
    fn untested(&self) -> Option<String> {
        let told = || {
            format!(
                "the pack `{}` has no case: write one into `tests/cases.toml` of its folder, such as \
                 `sluice policy new` makes",
                self.pack
            )
        };
        self.cases.is_empty().then(told)
    }

    fn failed(&self) -> usize {
        self.cases.iter().filter(|case| case.problem.is_some()).count()
    }

    fn is_below(&self, threshold: Option<u8>) -> bool {
        let least = usize::from(threshold.unwrap_or(0)) * 100;
        self.lines.share().hundredths() < least || self.branches.share().hundredths() < least
    }
}

/// Plays the cases.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let working = context.working("playing cases");
    let mut tested = Vec::new();
    for pack in packs(context, &arguments.paths)? {
        // A sandbox that watches serves one policy.
        let sandbox = Sandbox::watching(context.stopwatch());
        let policy = compiled(&sandbox, pack)?;
        let manifest = policy.pack().manifest();
        let mut cases = Vec::new();
        for (file, suite) in policy.pack().suites().map_err(Error::from)? {
            for case in &suite.cases {
                let played = sandbox.play(&policy, &suite, case);
                cases.push(Played { file: file.clone(), name: played.name, problem: played.problem });
            }
        }
        let coverage = sandbox.coverage(&policy);
        let share = |of: fn(&Coverage) -> Share| coverage.as_ref().map_or_else(Share::default, of).into();
        tested.push(Tested {
            pack: manifest.name.clone(),
            version: manifest.version.clone(),
            cases,
            lines: share(Coverage::lines),
            branches: share(Coverage::branches),
            not_run: coverage.as_ref().map(not_run).unwrap_or_default(),
        });
    }
    drop(working);
    if let Some(file) = &arguments.junit {
        write_junit(file, &tested)?;
    }
    let failed = tested.iter().any(|tested| {
        tested.untested().is_some() || tested.failed() > 0 || tested.is_below(arguments.threshold)
    });
    let answer = Answer::new(&tested, page(&tested, arguments))?;
    Ok(if failed { answer.exit(Exit::Failed) } else { answer })
}

/// What did not run, place by place.
fn not_run(coverage: &Coverage) -> Vec<String> {
    let mut places = Vec::new();
    for (file, covered) in &coverage.files {
        let lines = covered.lines.iter().filter(|(_, ran)| !**ran);
        places.extend(lines.map(|(line, _)| (file, *line, 0, "does not run".to_owned())));
        let branches = covered.branches.iter().filter(|branch| !branch.taken);
        places.extend(branches.map(|branch| {
            (file, branch.line, branch.column, format!("it never happens that {}", branch.way.as_str()))
        }));
    }
    places.sort();
    let told = |(file, line, column, what): (&String, usize, usize, String)| match column {
        0 => format!("{file}:{line} {what}"),
        column => format!("{file}:{line}:{column} {what}"),
    };
    places.into_iter().map(told).collect()
}

fn page(all: &[Tested], arguments: &Arguments) -> Page {
    let mut page = Page::new();
    for tested in all {
        let running = counted(tested.cases.len(), "case", "cases");
        page.heading(format!("running {running} of {} {}", tested.pack, tested.version));
        for case in &tested.cases {
            match case.problem {
                None => page.line(format!("case {}: {} ... ok", case.file, case.name)),
                Some(_) => page.styled(Style::Bad, format!("case {}: {} ... FAILED", case.file, case.name)),
            };
        }
        for case in &tested.cases {
            if let Some(problem) = &case.problem {
                page.gap().styled(Style::Bad, format!("{}: {}", case.file, case.name));
                page.line(format!("  {problem}"));
            }
        }
        page.gap();
        let failed = tested.failed();
        let passed = tested.cases.len() - failed;
        let untested = tested.untested();
        let is_good = failed == 0 && untested.is_none();
        let (style, word) = if is_good { (Style::Good, "ok") } else { (Style::Bad, "FAILED") };
        page.styled(style, format!("result: {word}. {passed} passed, {failed} failed"));
        if let Some(untested) = untested {
            page.styled(Style::Bad, untested);
        }
        if arguments.coverage || arguments.threshold.is_some() {
            let is_below = tested.is_below(arguments.threshold);
            let style = if is_below { Style::Bad } else { Style::Plain };
            let below = arguments.threshold.filter(|_| is_below);
            let below = below.map(|least| format!(": below {least} %")).unwrap_or_default();
            let (lines, branches) = (tested.lines.share(), tested.branches.share());
            page.styled(style, format!("coverage: lines {lines}, branches {branches}{below}"));
            if arguments.coverage {
                for place in &tested.not_run {
                    page.line(format!("  {place}"));
                }
            }
        }
    }
    page
}

/// Writes the results as JUnit XML, one suite for each pack.
fn write_junit(file: &std::path::Path, all: &[Tested]) -> Result<(), Failure> {
    let mut report = Report::new("sluice policy test");
    for tested in all {
        let mut suite = TestSuite::new(tested.pack.as_str());
        let mut add = |name: &str, of: String, problem: Option<&str>| {
            let status = match problem {
                None => TestCaseStatus::success(),
                Some(problem) => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(problem);
                    status
                }
            };
            let mut entry = TestCase::new(name, status);
            entry.set_classname(of);
            suite.add_test_case(entry);
        };
        for case in &tested.cases {
            add(&case.name, format!("{}.{}", tested.pack, case.file), case.problem.as_deref());
        }
        if let Some(untested) = tested.untested() {
            add("has cases", tested.pack.clone(), Some(&untested));
        }
        report.add_test_suite(suite);
    }
    let unwritten = |what: String| {
        Failure::failed(
            format!("`{}` cannot be written: {what}", file.display()),
            "name a file that may be written",
        )
    };
    let text = report.to_string().map_err(|error| unwritten(error.to_string()))?;
    std::fs::write(file, text).map_err(|error| unwritten(error.to_string()))
}
