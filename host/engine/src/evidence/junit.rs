//! Test reports in JUnit's XML.
//!
//! The format has no standard; read is what the schema of Jenkins' xUnit plugin and the reports of
//! Surefire, pytest, Jest, cargo-nextest and GoogleTest have in common: `testsuites`, `testsuite`
//! (nested or not) and `testcase` with `failure`, `error` or `skipped` in it, or with a `status` or
//! `result` that says as much.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use roxmltree::{Document, Node, ParsingOptions};
use serde::{Deserialize, Serialize};

/// Bytes of a report that are read: some 50,000 tests with their output.
pub const MOST_BYTES: usize = 16 << 20;

/// Elements, texts and comments of a report that are read. A node takes about 100 bytes of memory.
pub const MOST_NODES: u32 = 1_000_000;

/// Nesting of elements that is read; suites within suites take a handful.
pub const MOST_NESTED: usize = 64;

/// Tests that did not pass that are named in a report; all are counted.
pub const MOST_SHOWN: usize = 20;

/// Characters of a test's name or message that are kept.
const MOST_TEXT: usize = 300;

/// What a test's `status` or `result` says where it failed.
const FAILED: &[&str] = &["fail", "failed", "failure"];

/// The same where it broke.
const BROKE: &[&str] = &["error", "broken"];

/// The same where it was left out. GoogleTest says by attribute alone that a test did not run.
const LEFT_OUT: &[&str] = &["notrun", "skipped", "disabled", "suppressed"];

/// What a run of tests found, counted test by test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestReport {
    /// The report's name, or that of its only suite.
    pub name: Option<String>,
    /// How many tests ran to an end, well or not. A report of no tests is a report.
    pub executed: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many of them broke.
    pub errors: u64,
    /// How many were left out.
    pub skipped: u64,
    /// How long the tests took in all, in milliseconds; those that do not say count as nothing.
    pub duration_ms: u64,
    /// The earliest time at which a suite says that it began. Times without a zone are not
    /// trusted, and left out.
    pub began_at: Option<Timestamp>,
    /// The first of the tests that did not pass, at most [`MOST_SHOWN`].
    pub not_passed: Vec<FailedTest>,
}

/// A test that did not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedTest {
    /// Its class and name, as the report has them.
    pub name: String,
    /// What the report says about it, shortened.
    pub message: Option<String>,
    /// The line of the report, from 1.
    pub line: u32,
}

/// Why a report is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// More bytes than are read.
    #[error("the report has {bytes} bytes, and at most {MOST_BYTES} are read: split it by suite")]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("the report is not UTF-8 at byte {at}: write it in UTF-8")]
    NotUtf8 {
        /// The first wrong byte.
        at: usize,
    },
    /// Elements in elements beyond [`MOST_NESTED`].
    #[error("line {line}: elements are nested deeper than {MOST_NESTED}")]
    TooDeep {
        /// The line, from 1.
        line: u32,
    },
    /// More nodes than [`MOST_NODES`].
    #[error("the report has more than {MOST_NODES} elements and texts: split it by suite")]
    TooMany,
    /// A document type, which could define entities.
    #[error("line {line}: a document type is not read, as it can define entities: take out `<!DOCTYPE`")]
    DocumentType {
        /// The line, from 1.
        line: u32,
    },
    /// Not well-formed XML.
    #[error("line {line}: not XML: {what}")]
    Syntax {
        /// The line, from 1.
        line: u32,
        /// What the parser says.
        what: String,
    },
    /// XML, but not JUnit's.
    #[error(
        "line {line}: `{found}` is not expected here: a JUnit report has `testsuites` or `testsuite` outermost, and `testcase` within `testsuite`"
    )]
    NotJunit {
        /// The line, from 1.
        line: u32,
        /// The element's name.
        found: String,
    },
    /// A count that its own tests belie.
    #[error(
        "line {line}: `{attribute}` says {said}, but there are {counted}: the report was cut off or changed"
    )]
    Disagrees {
        /// The line, from 1.
        line: u32,
        /// The attribute.
        attribute: &'static str,
        /// What it says.
        said: String,
        /// What was counted.
        counted: u64,
    },
    /// A duration that is none.
    #[error("line {line}: `time` says `{said}`, which is not a number of seconds")]
    BadTime {
        /// The line, from 1.
        line: u32,
        /// What it says.
        said: String,
    },
}

impl TestReport {
    /// Reads a report.
    ///
    /// # Errors
    /// [`ReportError`] names the line.
    pub fn read(bytes: &[u8]) -> Result<Self, ReportError> {
        if bytes.len() > MOST_BYTES {
            return Err(ReportError::TooLarge { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|e| ReportError::NotUtf8 { at: e.valid_up_to() })?;
        check_nesting(text)?;
        let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options).map_err(syntax)?;
        let root = document.root_element();
        let mut reader =
            Reader { document: &document, began_at: None, duration_ms: 0, not_passed: Vec::new() };
        let counts = match root.tag_name().name() {
            "testsuites" | "testsuite" => reader.suite(root)?,
            _ => return Err(reader.not_junit(root)),
        };
        Ok(Self {
            name: name_of(root),
            executed: counts.tests - counts.skipped,
            failed: counts.failed,
            errors: counts.errors,
            skipped: counts.skipped,
            duration_ms: reader.duration_ms,
            began_at: reader.began_at,
            not_passed: reader.not_passed,
        })
    }

    /// How many tests ran and passed.
    #[must_use]
    pub const fn passed(&self) -> u64 {
        self.executed.saturating_sub(self.failed).saturating_sub(self.errors)
    }
}

impl fmt::Display for TestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { executed, failed, errors, skipped, .. } = self;
        write!(f, "{executed} executed, {failed} failed, {errors} broke, {skipped} skipped")
    }
}

/// The name of the report, or of the only suite in it.
fn name_of(root: Node<'_, '_>) -> Option<String> {
    let named = |node: Node<'_, '_>| {
        node.attribute("name").map(str::trim).filter(|name| !name.is_empty()).map(shortened)
    };
    named(root).or_else(|| {
        let mut suites = root.children().filter(|child| child.has_tag_name("testsuite"));
        let only = suites.next().filter(|_| suites.next().is_none())?;
        named(only)
    })
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST_TEXT).collect()
}

/// Elements in a suite, with those of the suites in it.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    tests: u64,
    /// Failed and did not break: each test counts once.
    failed: u64,
    errors: u64,
    skipped: u64,
    /// Tests that say that they failed, whatever else they say; what `failures` may mean too.
    with_failure: u64,
    /// Tests that say that they were left out, whatever else they say; what `skipped` may mean too.
    with_skipped: u64,
    /// Tests that are there twice, once as failed and once as broken: those of pytest whose
    /// fixture breaks after they have failed, which it counts as one.
    twice: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.tests += other.tests;
        self.failed += other.failed;
        self.errors += other.errors;
        self.skipped += other.skipped;
        self.with_failure += other.with_failure;
        self.with_skipped += other.with_skipped;
        self.twice += other.twice;
    }
}

struct Reader<'d, 'i> {
    document: &'d Document<'i>,
    began_at: Option<Timestamp>,
    duration_ms: u64,
    not_passed: Vec<FailedTest>,
}

impl Reader<'_, '_> {
    fn line(&self, node: Node<'_, '_>) -> u32 {
        self.document.text_pos_at(node.range().start).row
    }

    fn not_junit(&self, node: Node<'_, '_>) -> ReportError {
        ReportError::NotJunit { line: self.line(node), found: shortened(node.tag_name().name()) }
    }

    /// Counts a suite, or the list of suites. Recursion is bounded by [`MOST_NESTED`].
    fn suite(&mut self, suite: Node<'_, '_>) -> Result<Counts, ReportError> {
        let is_list = suite.has_tag_name("testsuites");
        let mut counts = Counts::default();
        let mut failed = BTreeSet::new();
        for child in suite.children().filter(Node::is_element) {
            match child.tag_name().name() {
                "testsuite" => counts.add(self.suite(child)?),
                "testcase" if !is_list => {
                    let case = self.case(child)?;
                    let called = (child.attribute("classname"), child.attribute("name"));
                    if case.failed > 0 {
                        failed.insert(called);
                    } else if case.errors > 0 && failed.remove(&called) {
                        counts.twice += 1;
                    }
                    counts.add(case);
                }
                "testcase" | "testsuites" => return Err(self.not_junit(child)),
                // A suite that broke before its tests has an error of its own in some reports.
                "error" | "failure" => {
                    counts.add(Counts { tests: 1, errors: 1, ..Counts::default() });
                    self.note(child, name_of(suite).unwrap_or_default(), child);
                }
                // Properties and output say nothing about what passed.
                _ => {}
            }
        }
        if let Some(began) =
            suite.attribute("timestamp").and_then(|text| text.trim().parse::<Timestamp>().ok())
        {
            self.began_at = Some(self.began_at.map_or(began, |other| other.min(began)));
        }
        self.agree(suite, counts)?;
        Ok(counts)
    }

    fn case(&mut self, case: Node<'_, '_>) -> Result<Counts, ReportError> {
        self.duration_ms = self.duration_ms.saturating_add(self.milliseconds(case)?);
        let part = |name: &str| case.children().find(|child| child.has_tag_name(name));
        let says = |words: &[&str]| {
            let said = ["status", "result"].into_iter().filter_map(|name| case.attribute(name));
            said.map(str::trim).any(|said| words.iter().any(|word| word.eq_ignore_ascii_case(said)))
        };
        // Where only an attribute says it, the test itself is what there is to show.
        let error = part("error").or_else(|| says(BROKE).then_some(case));
        let failure = part("failure").or_else(|| says(FAILED).then_some(case));
        let left_out = part("skipped").is_some() || says(LEFT_OUT);
        let mut counts = Counts {
            tests: 1,
            with_failure: u64::from(failure.is_some()),
            with_skipped: u64::from(left_out),
            ..Counts::default()
        };
        if let Some(problem) = error.or(failure) {
            if error.is_some() {
                counts.errors = 1;
            } else {
                counts.failed = 1;
            }
            let name = [case.attribute("classname"), case.attribute("name")];
            let name: Vec<&str> = name.into_iter().flatten().filter(|part| !part.is_empty()).collect();
            self.note(case, name.join(" "), problem);
        } else if left_out {
            counts.skipped = 1;
        }
        Ok(counts)
    }

    fn note(&mut self, at: Node<'_, '_>, name: String, problem: Node<'_, '_>) {
        if self.not_passed.len() < MOST_SHOWN {
            let message = problem.attribute("message").or_else(|| problem.text()).map(str::trim);
            self.not_passed.push(FailedTest {
                name: shortened(&name),
                message: message.filter(|message| !message.is_empty()).map(shortened),
                line: self.line(at),
            });
        }
    }

    fn milliseconds(&self, case: Node<'_, '_>) -> Result<u64, ReportError> {
        let Some(said) = case.attribute("time").map(str::trim).filter(|said| !said.is_empty()) else {
            return Ok(0);
        };
        // Some write thousands with commas.
        let seconds = said.replace(',', "").parse::<f64>().ok().filter(|s| (0.0..=1e9).contains(s));
        let seconds =
            seconds.ok_or_else(|| ReportError::BadTime { line: self.line(case), said: shortened(said) })?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from nothing to 1e12, as checked"
        )]
        let milliseconds = (seconds * 1000.0).round() as u64;
        Ok(milliseconds)
    }

    /// The suite's own counts must be those of its tests, as one tool or another counts them. What
    /// differs between tools is only how a test is counted that says two things of itself.
    fn agree(&self, suite: Node<'_, '_>, counts: Counts) -> Result<(), ReportError> {
        let Counts { tests, failed, errors, skipped, with_failure, with_skipped, twice } = counts;
        let says = |attribute| suite.attribute(attribute).map(str::trim).filter(|said| !said.is_empty());
        let disabled = says("disabled").and_then(|said| said.parse::<u64>().ok());
        for (attribute, counted) in
            [("tests", tests), ("failures", failed), ("errors", errors), ("skipped", skipped)]
        {
            let Some(said) = says(attribute) else { continue };
            let agrees = |said: u64| match attribute {
                // A passed test whose fixture breaks afterwards is one that passed and one that broke
                // for some versions of pytest.
                "tests" => (tests - twice..=tests + errors).contains(&said),
                // A test that failed and then broke is counted as either or both.
                "failures" => said == failed || said == with_failure,
                "errors" => said == errors,
                // GoogleTest counts what is disabled by itself.
                _ => [skipped, with_skipped].into_iter().any(|left_out| {
                    said == left_out || disabled.is_some_and(|out| said.checked_add(out) == Some(left_out))
                }),
            };
            if !said.parse::<u64>().is_ok_and(agrees) {
                return Err(ReportError::Disagrees {
                    line: self.line(suite),
                    attribute,
                    said: shortened(said),
                    counted,
                });
            }
        }
        Ok(())
    }
}

/// Refuses nesting beyond the limit before a tree is built of it. What is not well formed is left
/// to the parser.
fn check_nesting(text: &str) -> Result<(), ReportError> {
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some((_, tag)) = rest.split_once('<') {
        // Within comments, CDATA and instructions, `<` opens nothing.
        let closed_by = [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>")]
            .into_iter()
            .find(|(open, _)| tag.starts_with(open))
            .map(|(_, close)| close);
        if let Some(close) = closed_by {
            let Some((_, after)) = tag.split_once(close) else { return Ok(()) };
            rest = after;
            continue;
        }
        let end = tag_end(tag);
        let inside = tag.get(..end).unwrap_or(tag);
        if inside.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !inside.ends_with('/') && !inside.starts_with('!') {
            depth += 1;
            if depth > MOST_NESTED {
                let before = text.len() - tag.len();
                let line = text.get(..before).unwrap_or_default().matches('\n').count() + 1;
                return Err(ReportError::TooDeep { line: u32::try_from(line).unwrap_or(u32::MAX) });
            }
        }
        rest = tag.get(end..).unwrap_or_default();
    }
    Ok(())
}

/// Where the tag ends: at the first `>` that is not in an attribute's value.
fn tag_end(tag: &str) -> usize {
    let mut quote = None;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    tag.len()
}

fn syntax(error: roxmltree::Error) -> ReportError {
    let line = error.pos().row;
    match error {
        roxmltree::Error::DtdDetected => ReportError::DocumentType { line },
        roxmltree::Error::NodesLimitReached => ReportError::TooMany,
        other => ReportError::Syntax { line, what: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(xml: &str) -> Result<[u64; 4], ReportError> {
        TestReport::read(xml.as_bytes()).map(|r| [r.executed, r.failed, r.errors, r.skipped])
    }

    #[test]
    fn reports_of_different_tools_are_counted() {
        for (tool, xml, expected) in [
            ("none at all", r#"<testsuites/>"#, [0, 0, 0, 0]),
            ("an empty suite", r#"<testsuite name="a" tests="0"></testsuite>"#, [0, 0, 0, 0]),
            (
                "flat, like pytest",
                r#"<?xml version="1.0"?><testsuites><testsuite tests="4" failures="1" errors="1" skipped="1">
                <testcase name="a"/><testcase name="b"><failure message="m"/></testcase>
                <testcase name="c"><error/></testcase><testcase name="d"><skipped/></testcase>
                </testsuite></testsuites>"#,
                [3, 1, 1, 1],
            ),
            (
                "nested, outer counts in total",
                r#"<testsuites tests="2" failures="1"><testsuite tests="2"><testsuite tests="2" failures="1">
                <testcase/><testcase><failure/></testcase></testsuite></testsuite></testsuites>"#,
                [2, 1, 0, 0],
            ),
            (
                "failed and then broke, counted as both",
                r#"<testsuite tests="1" failures="1" errors="1"><testcase><failure/><error/></testcase></testsuite>"#,
                [1, 0, 1, 0],
            ),
            (
                "left out by attribute, like GoogleTest",
                r#"<testsuite tests="1" skipped="1"><testcase status="notrun"/></testsuite>"#,
                [0, 0, 0, 1],
            ),
            (
                "GoogleTest, some disabled and some skipped as they ran",
                r#"<testsuites tests="4" failures="1" disabled="2" errors="0" name="AllTests">
                <testsuite name="Orders" tests="4" failures="1" disabled="2" skipped="1" errors="0">
                <testcase name="DISABLED_a" status="notrun" result="suppressed"/>
                <testcase name="DISABLED_b" status="notrun" result="suppressed"/>
                <testcase name="c" status="run" result="skipped"><skipped message="no"/></testcase>
                <testcase name="d" status="run" result="completed"><failure message="m"/></testcase>
                </testsuite></testsuites>"#,
                [1, 1, 0, 3],
            ),
            (
                "GoogleTest, disabled only",
                r#"<testsuite tests="2" disabled="1" skipped="0"><testcase status="run" result="completed"/>
                <testcase status="notrun"/></testsuite>"#,
                [1, 0, 0, 1],
            ),
            (
                "pytest 8, passed and then its fixture broke",
                r#"<testsuite tests="3" failures="0" errors="1" skipped="0"><testcase name="a"/>
                <testcase name="b"><error message="failed on teardown"/></testcase></testsuite>"#,
                [2, 0, 1, 0],
            ),
            (
                "pytest 8, failed and then its fixture broke",
                r#"<testsuite tests="1" failures="1" errors="1" skipped="0">
                <testcase classname="x" name="a"><failure/></testcase>
                <testcase classname="x" name="a"><error/></testcase></testsuite>"#,
                [2, 1, 1, 0],
            ),
            (
                "pytest, left out and then its fixture broke",
                r#"<testsuite tests="1" failures="0" errors="1" skipped="1">
                <testcase><skipped/><error/></testcase></testsuite>"#,
                [1, 0, 1, 0],
            ),
            (
                "a suite that broke",
                r#"<testsuite errors="1"><error message="no database"/></testsuite>"#,
                [1, 0, 1, 0],
            ),
        ] {
            assert_eq!(counts(xml), Ok(expected), "{tool}");
        }
    }

    #[test]
    fn a_test_says_by_attribute_how_it_ended() {
        for (case, expected) in [
            ("status='failed'", [1, 1, 0, 0]),
            ("status='Fail'", [1, 1, 0, 0]),
            ("result='FAILURE'", [1, 1, 0, 0]),
            ("status=' failed '", [1, 1, 0, 0]),
            ("status='run' result='failed'", [1, 1, 0, 0]),
            ("status='error'", [1, 0, 1, 0]),
            ("result='Broken'", [1, 0, 1, 0]),
            ("status='failed' result='error'", [1, 0, 1, 0]),
            // What contradicts itself did not pass, and was not left out.
            ("status='passed' result='failed'", [1, 1, 0, 0]),
            ("status='skipped' result='failed'", [1, 1, 0, 0]),
            ("status='Skipped'", [0, 0, 0, 1]),
            ("status='run' result='completed'", [1, 0, 0, 0]),
            ("status='passed'", [1, 0, 0, 0]),
            ("name='failed' classname='error'", [1, 0, 0, 0]),
        ] {
            assert_eq!(counts(&format!("<testsuite><testcase {case}/></testsuite>")), Ok(expected), "{case}");
            let told = format!(
                "<testsuite tests='1' failures='{}' errors='{}' skipped='{}'><testcase {case}/></testsuite>",
                expected[1], expected[2], expected[3]
            );
            assert_eq!(counts(&told), Ok(expected), "{told}");
        }
        let xml =
            "<testsuite>\n<testcase classname='A' name='b' status='failed' message='no order'/></testsuite>";
        let failed = FailedTest { name: "A b".into(), message: Some("no order".into()), line: 2 };
        assert_eq!(TestReport::read(xml.as_bytes()).unwrap().not_passed, [failed]);
    }

    #[test]
    fn what_cannot_be_believed_is_refused_with_its_line() {
        let deep = "<testsuite>\n".repeat(MOST_NESTED + 1);
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aa\"><!ENTITY b \"&a;&a;\">]>\n<testsuites>&b;</testsuites>";
        for (xml, expected) in [
            ("", "line 1: not XML"),
            ("<testsuite>", "not XML"),
            ("<testsuite>\n<testcase></testsuite>", "line 2: not XML"),
            (deep.as_str(), "line 65: elements are nested deeper than 64"),
            (bomb, "a document type is not read"),
            ("<testsuite>&lol;</testsuite>", "line 1: not XML"),
            ("<html/>", "line 1: `html` is not expected here"),
            ("<testsuites>\n<testcase/></testsuites>", "line 2: `testcase` is not expected here"),
            (
                "<testsuites>\n<testsuite tests='2'><testcase/></testsuite></testsuites>",
                "line 2: `tests` says 2, but there are 1",
            ),
            (
                "<testsuite failures='0'><testcase><failure/></testcase></testsuite>",
                "`failures` says 0, but there are 1",
            ),
            ("<testsuite errors='-1'/>", "`errors` says -1, but there are 0"),
            ("<testsuite skipped='1'><testcase/></testsuite>", "`skipped` says 1, but there are 0"),
            (
                "<testsuite failures='0'><testcase status='failed'/></testsuite>",
                "`failures` says 0, but there are 1",
            ),
            (
                "<testsuite failures='2' errors='1'><testcase><failure/></testcase><testcase><error/></testcase></testsuite>",
                "`failures` says 2, but there are 1",
            ),
            (
                "<testsuite errors='2'><testcase><error/></testcase></testsuite>",
                "`errors` says 2, but there are 1",
            ),
            // Room there is only for tests that broke, and one for each.
            (
                "<testsuite tests='3' errors='1'><testcase><error/></testcase></testsuite>",
                "`tests` says 3, but there are 1",
            ),
            (
                "<testsuite tests='2' failures='1'><testcase><failure/></testcase></testsuite>",
                "`tests` says 2, but there are 1",
            ),
            (
                "<testsuite tests='1'><testcase name='a'><failure/></testcase><testcase name='b'><error/></testcase></testsuite>",
                "`tests` says 1, but there are 2",
            ),
            (
                "<testsuite tests='1'><testcase name='a'/><testcase name='a'><error/></testcase></testsuite>",
                "`tests` says 1, but there are 2",
            ),
            (
                "<testsuite disabled='1' skipped='2'><testcase status='notrun'/></testsuite>",
                "`skipped` says 2, but there are 1",
            ),
            (
                "<testsuite disabled='2' skipped='0'><testcase status='notrun'/></testsuite>",
                "`skipped` says 0, but there are 1",
            ),
            (
                "<testsuite skipped='0'><testcase status='notrun'/></testsuite>",
                "`skipped` says 0, but there are 1",
            ),
            (
                "<testsuite disabled='1' skipped='0'><testcase><failure/></testcase><testcase status='notrun'/>\
                <testcase><skipped/></testcase></testsuite>",
                "`skipped` says 0, but there are 2",
            ),
            (
                "<testsuites tests='2'><testsuite tests='1'><testcase/></testsuite></testsuites>",
                "`tests` says 2",
            ),
            ("<testsuite><testcase time='soon'/></testsuite>", "`time` says `soon`"),
            ("<testsuite><testcase time='-1'/></testsuite>", "`time` says `-1`"),
            ("<testsuite><testcase time='NaN'/></testsuite>", "`time` says `NaN`"),
        ] {
            let error = TestReport::read(xml.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} / {expected}");
        }
        assert_eq!(TestReport::read(b"<a>\xff</a>"), Err(ReportError::NotUtf8 { at: 3 }));
        let large = vec![b' '; MOST_BYTES + 1];
        assert_eq!(TestReport::read(&large), Err(ReportError::TooLarge { bytes: MOST_BYTES + 1 }));
        let many = format!("<testsuite>{}</testsuite>", "<a/>".repeat(MOST_NODES as usize));
        assert_eq!(TestReport::read(many.as_bytes()), Err(ReportError::TooMany));
    }

    #[test]
    fn only_times_with_a_zone_are_taken_and_the_earliest_counts() {
        for (stamps, expected) in [
            (vec!["2026-03-01T10:00:00"], None),
            (vec!["2026-03-01T10:00:00Z"], Some("2026-03-01T10:00:00Z")),
            (vec!["2026-03-01T10:00:00+02:00", "2026-03-01T09:00:00Z"], Some("2026-03-01T08:00:00Z")),
            (vec!["2026-03-01T07:00:00", "2026-03-01T09:00:00Z"], Some("2026-03-01T09:00:00Z")),
            (vec!["yesterday", ""], None),
        ] {
            let suites: String = stamps.iter().map(|t| format!("<testsuite timestamp='{t}'/>")).collect();
            let report = TestReport::read(format!("<testsuites>{suites}</testsuites>").as_bytes()).unwrap();
            assert_eq!(report.began_at.map(|t| t.to_string()).as_deref(), expected, "{stamps:?}");
        }
    }

    #[test]
    fn what_did_not_pass_is_named_and_durations_are_added() {
        let xml = "<testsuites name='orders'><testsuite name='x'>\n<testcase classname='A' name='b' time='1.5'>\n\
                   <failure>expected 1\u{9}</failure></testcase><testcase time='1,000.25'/></testsuite></testsuites>";
        let report = TestReport::read(xml.as_bytes()).unwrap();
        assert_eq!(report.name.as_deref(), Some("orders"));
        assert_eq!(report.duration_ms, 1_001_750);
        assert_eq!(report.passed(), 1);
        let failed = FailedTest { name: "A b".into(), message: Some("expected 1".into()), line: 2 };
        assert_eq!(report.not_passed, [failed]);
        let many = format!("<testsuite>{}</testsuite>", "<testcase><error/></testcase>".repeat(50));
        let report = TestReport::read(many.as_bytes()).unwrap();
        assert_eq!((report.errors, report.not_passed.len()), (50, MOST_SHOWN));
    }

    #[test]
    fn angle_brackets_in_texts_do_not_nest() {
        let inert = r#"<!-- <a><a> --><![CDATA[<a><a>]]><a b='>' c=">"/><?x <a>?>"#;
        let xml = format!("<testsuite>{}</testsuite>", inert.repeat(100));
        assert_eq!(counts(&xml), Ok([0, 0, 0, 0]));
    }

    proptest! {
        #[test]
        fn no_input_panics_and_counts_always_add_up(parts in proptest::collection::vec(
            prop_oneof![
                Just("<testsuite>"), Just("</testsuite>"), Just("<testcase/>"), Just("<testcase>"),
                Just("</testcase>"), Just("<failure/>"), Just("<error/>"), Just("<skipped/>"),
                Just("<testcase status='failed'>"), Just("<testcase result='Broken'/>"),
                Just("<testcase status='notrun'/>"),
                Just("<!--"), Just("-->"), Just("<![CDATA["), Just("]]>"), Just("\n"), Just("é"), Just("\""),
            ], 0..24))
        {
            let xml = format!("<testsuite>{}</testsuite>", parts.concat());
            if let Ok(report) = TestReport::read(xml.as_bytes()) {
                prop_assert_eq!(report.passed() + report.failed + report.errors, report.executed);
                let told = report.failed + report.errors;
                prop_assert_eq!(report.not_passed.len() as u64, told.min(MOST_SHOWN as u64));
            }
        }
    }
}
