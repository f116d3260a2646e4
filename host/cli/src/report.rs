//! A decision in the forms that CI systems read: JUnit XML, SARIF, GitHub's workflow commands, and
//! Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};
use sluice_engine::plan::Problem;
use sluice_engine::workspace::CONFIG_FILE;
use sluice_model::verdict::{Effect, Finding, Level, Verdict};
use sluice_policy::{Decision, GateDecision};

use crate::page::harmless;

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

/// Annotations of one level that GitHub shows for a step.
const ANNOTATIONS: usize = 10;

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
}

/// Writes a report.
pub(crate) fn write(form: Form, subject: &Subject, decision: &Decision) -> String {
    let told = Told::all(subject, decision);
    match form {
        Form::Junit => junit(subject, decision, &told),
        Form::Sarif => serde_json::to_string_pretty(&sarif(&told)).unwrap_or_default() + "\n",
        Form::Github => github(&told),
        Form::Markdown => markdown(subject, decision, &told),
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
}

impl<'d> Told<'d> {
    /// All that does not pass, the worst first.
    fn all(subject: &'d Subject, decision: &'d Decision) -> Vec<Self> {
        let configuration = (format!("{}{CONFIG_FILE}", subject.folder), 1);
        let problems = subject.problems.iter().map(|problem| Self {
            weight: Weight::Error,
            is_of_gate: false,
            gate: "plan",
            code: &problem.code,
            message: harmless(&problem.message),
            fix: Some(&problem.fix),
            file: configuration.clone(),
            place: problem.object.as_ref().map(|object| match &problem.at {
                Some(at) => format!("{object}#{at}"),
                None => object.to_string(),
            }),
        });
        let of_gates = decision.gates.iter().flat_map(|gate| {
            let refusing = gate.findings.iter().filter(|finding| finding.verdict != Verdict::Pass);
            refusing.map(move |finding| Self::of(subject, gate, finding))
        });
        let broken = decision.problem.iter().map(|problem| Self {
            weight: Weight::Error,
            is_of_gate: false,
            gate: "gates",
            code: "gates.problem",
            message: problem.clone(),
            fix: None,
            file: configuration.clone(),
            place: None,
        });
        let mut all: Vec<_> = broken.chain(problems).chain(of_gates).collect();
        all.sort_by_key(|told| told.weight);
        all
    }

    fn of(subject: &Subject, gate: &'d GateDecision, finding: &'d Finding) -> Self {
        let weight = match (gate.effect, gate.level) {
            (Effect::Refused, _) if !is_lifted(gate, finding) => Weight::Error,
            (_, Level::Warn) => Weight::Warning,
            _ => Weight::Note,
        };
        Self {
            weight,
            is_of_gate: true,
            gate: &gate.gate,
            code: &finding.code,
            message: harmless(&finding.message),
            fix: finding.fix.as_deref(),
            file: match &finding.source {
                Some(at) => (format!("{}policies/{}/{}", subject.folder, gate.policy, at.file), at.line),
                None => (format!("{}{CONFIG_FILE}", subject.folder), 1),
            },
            place: finding.place.as_ref().map(|place| match &place.at {
                Some(at) => format!("{}#{at}", place.object),
                None => place.object.clone(),
            }),
        }
    }

    /// The message with its place and the way out.
    fn in_full(&self) -> String {
        let mut text = self.message.clone();
        if let Some(place) = &self.place {
            let _ = write!(text, "\nwhere: {}", harmless(place));
        }
        if let Some(fix) = self.fix {
            let _ = write!(text, "\nfix: {}", harmless(fix));
        }
        text
    }
}

/// Whether an act lifted this finding. Where the gate still refuses, a code was not lifted whole: at
/// `hard` a waiver lifts denials of it, and nothing that is undecided.
fn is_lifted(gate: &GateDecision, finding: &Finding) -> bool {
    let whole = gate.effect != Effect::Refused || gate.level != Level::Hard;
    gate.lifted.iter().any(|lifted| lifted.code == finding.code)
        && (whole || finding.verdict == Verdict::Deny)
}

fn junit(subject: &Subject, decision: &Decision, told: &[Told<'_>]) -> String {
    let mut report = Report::new(subject.title.as_str());
    for gate in &decision.gates {
        let mut suite = TestSuite::new(gate.gate.as_str());
        let mut named = Named::default();
        for finding in &gate.findings {
            let this = (finding.verdict != Verdict::Pass).then(|| Told::of(subject, gate, finding));
            let place = this.as_ref().and_then(|told| told.place.clone());
            let status = match this {
                Some(told) if told.weight == Weight::Error => {
                    let kind = if finding.verdict == Verdict::Fault {
                        NonSuccessKind::Error
                    } else {
                        NonSuccessKind::Failure
                    };
                    let mut status = TestCaseStatus::non_success(kind);
                    status.set_type(finding.code.as_str()).set_message(told.in_full());
                    status
                }
                Some(told) => {
                    let mut status = TestCaseStatus::skipped();
                    status.set_message(told.in_full());
                    status
                }
                None => TestCaseStatus::success(),
            };
            let mut case = TestCase::new(named.once(&finding.code, place.as_deref()), status);
            case.set_classname(format!("{}.{}", gate.policy, gate.gate));
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    let besides: Vec<_> = told.iter().filter(|told| !told.is_of_gate).collect();
    if !besides.is_empty() {
        let mut suite = TestSuite::new("the plan itself");
        let mut named = Named::default();
        for told in besides {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(told.code).set_message(told.in_full());
            suite.add_test_case(TestCase::new(named.once(told.code, told.place.as_deref()), status));
        }
        report.add_test_suite(suite);
    }
    report.to_string().unwrap_or_default()
}

/// Names of the cases of a suite: of two that are called the same, some readers show only one.
#[derive(Default)]
struct Named(BTreeMap<String, usize>);

impl Named {
    /// The code with its place, and a number from the second of that name on.
    fn once(&mut self, code: &str, place: Option<&str>) -> String {
        let name = place.map_or_else(|| code.to_owned(), |place| format!("{code} at {}", harmless(place)));
        let count = self.0.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name} ({count})") }
    }
}

/// SARIF 2.1.0, OASIS standard of 27 March 2020: §3.13 log, §3.14 run, §3.27 result.
fn sarif(told: &[Told<'_>]) -> Value {
    let mut codes: Vec<&str> = told.iter().map(|told| told.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules: Vec<Value> = codes.iter().map(|code| json!({ "id": code })).collect();
    let results: Vec<Value> = told
        .iter()
        .map(|told| {
            let (file, line) = &told.file;
            let mut location = serde_json::Map::new();
            // GitHub refuses a file in which a result has no physical location.
            location.insert(
                "physicalLocation".to_owned(),
                json!({ "artifactLocation": { "uri": uri(file) }, "region": { "startLine": line } }),
            );
            if let Some(place) = &told.place {
                location.insert(
                    "logicalLocations".to_owned(),
                    json!([{ "fullyQualifiedName": place, "kind": "object" }]),
                );
            }
            json!({
                "ruleId": told.code,
                "level": told.weight.as_str(),
                "message": { "text": told.in_full() },
                "locations": [location],
                "properties": { "gate": told.gate },
            })
        })
        .collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "sluice",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "results": results,
        }],
    })
}

/// A path as a relative reference (RFC 3986 §4.2).
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// Workflow commands as GitHub documents them: `::error file=…,line=…,title=…::message`. Of each
/// level it shows ten for a step, so the worst come first and the rest are counted.
fn github(told: &[Told<'_>]) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let mut text = String::new();
    for weight in [Weight::Error, Weight::Warning, Weight::Note] {
        let word = if weight == Weight::Note { "notice" } else { weight.as_str() };
        let all: Vec<_> = told.iter().filter(|told| told.weight == weight).collect();
        let rest = all.len().saturating_sub(ANNOTATIONS);
        // The last place says how many there are more.
        let shown = if rest == 0 { all.len() } else { ANNOTATIONS - 1 };
        for told in all.iter().take(shown) {
            let (file, line) = &told.file;
            let title = property(&format!("{} {}", told.gate, told.code));
            let place = format!("file={},line={line}", property(file));
            let _ = writeln!(text, "::{word} {place},title={title}::{}", data(&told.in_full()));
        }
        if rest > 0 {
            let _ = writeln!(text, "::{word} title=sluice::and {} more of this level", all.len() - shown);
        }
    }
    text
}

fn markdown(subject: &Subject, decision: &Decision, told: &[Told<'_>]) -> String {
    // Texts of apps make neither markup nor links, and call nobody.
    let cell = |text: &str| {
        let text = text.replace('\\', "\\\\").replace('&', "&amp;").replace('<', "&lt;");
        let text = text.replace('|', "\\|").replace('[', "\\[").replace('@', "&#64;");
        text.replace('\n', "<br>")
    };
    let mut text = format!("## Sluice: {}\n\n{}\n", decision.outcome, cell(&subject.title));
    if let Some(reason) = &decision.single_operator {
        let _ = writeln!(text, "\nSingle operator: {}", cell(reason));
    }
    if !decision.gates.is_empty() {
        let _ = writeln!(text, "\n| gate | level | verdict |\n|---|---|---|");
        for gate in &decision.gates {
            let _ = writeln!(text, "| {} | {} | {} |", cell(&gate.gate), gate.level, gate.verdict);
        }
    }
    if !told.is_empty() {
        let _ = writeln!(text, "\n| | finding | what | fix |\n|---|---|---|---|");
        for told in told {
            let fix = told.fix.map(|fix| cell(&harmless(fix))).unwrap_or_default();
            let place = told.place.as_deref().map(|place| format!("<br>{}", cell(place))).unwrap_or_default();
            let (weight, message) = (told.weight.as_str(), cell(&told.message));
            let _ = writeln!(text, "| {weight} | `{}` | {message}{place} | {fix} |", told.code);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use sluice_model::verdict::{Outcome, Place, SourceLine};

    use super::*;

    fn finding(verdict: Verdict, code: &str, message: &str) -> Finding {
        Finding {
            verdict,
            code: code.to_owned(),
            message: message.to_owned(),
            because: None,
            fix: Some("mend: it, 100%".to_owned()),
            who: None,
            earliest: None,
            place: Some(Place { object: "query-1".to_owned(), at: Some("/sql".parse().unwrap()) }),
            source: Some(SourceLine { file: "policy.rhai".to_owned(), line: 7, text: String::new() }),
        }
    }

    /// A decision by gates of these levels, each with these findings.
    fn decision(gates: Vec<(Level, Effect, Vec<Finding>)>) -> Decision {
        let facts = json!({
            "now": "2026-06-03T10:00:00Z", "time_zones": "2026a", "people": [],
            "workspace": {"name": "acme"},
            "transition": {
                "kind": "promotion",
                "from": {"name": "development", "order": 0, "owners": []},
                "to": {"name": "staging", "order": 1, "owners": []},
            },
            "app": {"id": "app-1", "name": "orders", "platform": "tooljet"},
            "plan": {
                "digest": format!("sha256:{}", "a".repeat(64)), "bundle": format!("sha256:{}", "b".repeat(64)),
                "version": "7", "baseline": format!("sha256:{}", "c".repeat(64)), "authors": [],
                "changes": [], "unchanged": 0, "sources": [], "still_pointing_at_source": [],
            },
        });
        let digest = format!("sha256:{}", "d".repeat(64));
        let gates: Vec<Value> = gates
            .into_iter()
            .map(|(level, effect, findings)| {
                json!({
                    "gate": "tests", "policy": "test-evidence", "level": level, "verdict": "deny",
                    "effect": effect, "findings": findings,
                })
            })
            .collect();
        serde_json::from_value(json!({
            "input": {"api": 1, "facts": facts, "gates": [], "reliefs": []},
            "digests": {"facts": digest, "plan": digest, "bundle": digest, "packs": {}},
            "outcome": Outcome::Denied, "gates": gates,
        }))
        .unwrap()
    }

    fn subject() -> Subject {
        let problem = Problem {
            code: "slot.empty".to_owned(),
            message: "a slot is empty".to_owned(),
            fix: "fill it".to_owned(),
            who: "its owner".to_owned(),
            object: None,
            at: None,
        };
        let folder = "apps/my orders/".to_owned();
        Subject { title: "plan of orders | 7".to_owned(), problems: vec![problem], folder }
    }

    fn sample() -> Decision {
        decision(vec![
            (Level::Warn, Effect::Noted, vec![finding(Verdict::Deny, "t.warn", "warned")]),
            (
                Level::Hard,
                Effect::Refused,
                vec![
                    finding(Verdict::Pass, "t.ok", "fine"),
                    finding(Verdict::Deny, "t.no", "not\u{1b} fine | <b>"),
                ],
            ),
        ])
    }

    #[test]
    fn github_gets_the_worst_first_escaped_and_ten_at_most() {
        let text = write(Form::Github, &subject(), &sample());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "::error file=apps/my orders/sluice.toml,line=1,title=plan slot.empty::a slot is empty%0Afix: fill it",
                "::error file=apps/my orders/policies/test-evidence/policy.rhai,line=7,title=tests t.no::not\\u{1b} fine | <b>\
                 %0Awhere: query-1#/sql%0Afix: mend: it, 100%25",
                "::warning file=apps/my orders/policies/test-evidence/policy.rhai,line=7,title=tests t.warn::warned\
                 %0Awhere: query-1#/sql%0Afix: mend: it, 100%25",
            ]
        );
        let many = (0..30).map(|n| finding(Verdict::Deny, "t.no", &format!("number {n}"))).collect();
        let many = decision(vec![(Level::Hard, Effect::Refused, many)]);
        let text = write(Form::Github, &Subject { problems: Vec::new(), ..subject() }, &many);
        assert_eq!(text.lines().count(), 10);
        assert!(text.ends_with("::error title=sluice::and 21 more of this level\n"), "{text}");
    }

    #[test]
    fn sarif_has_rules_results_lines_and_pointers() {
        let value: Value = serde_json::from_str(&write(Form::Sarif, &subject(), &sample())).unwrap();
        let run = &value["runs"][0];
        assert_eq!(value["version"], "2.1.0");
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 3);
        let result = &run["results"][1];
        assert_eq!((&result["ruleId"], &result["level"]), (&json!("t.no"), &json!("error")));
        let location = &result["locations"][0];
        assert_eq!(location["physicalLocation"]["region"]["startLine"], 7);
        assert_eq!(location["logicalLocations"][0]["fullyQualifiedName"], "query-1#/sql");
        let uris: Vec<_> = run["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|result| {
                result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap()
            })
            .collect();
        let policy = "apps/my%20orders/policies/test-evidence/policy.rhai";
        assert_eq!(uris, ["apps/my%20orders/sluice.toml", policy, policy]);
        assert_eq!(run["results"][2]["level"], "warning");
    }

    #[test]
    fn junit_fails_what_refuses_and_skips_what_is_only_noted() {
        let text = write(Form::Junit, &subject(), &sample());
        for wanted in [
            "<failure message=\"not\\u{1b} fine | &lt;b&gt;",
            "type=\"t.no\"",
            "<skipped message=\"warned",
            "<testsuite name=\"the plan itself\" tests=\"1\"",
            "<testcase name=\"t.no at query-1#/sql\"",
            "tests=\"4\" skipped=\"1\" failures=\"2\" errors=\"0\"",
        ] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
    }

    #[test]
    fn what_is_lifted_in_part_is_told_apart_and_cases_have_names_of_their_own() {
        let findings = vec![
            finding(Verdict::Deny, "t.no", "lifted"),
            finding(Verdict::Deny, "t.no", "lifted too"),
            finding(Verdict::Undecided, "t.no", "not lifted"),
        ];
        let mut partly = decision(vec![(Level::Hard, Effect::Refused, findings)]);
        let by = sluice_model::Digest::of(b"act");
        let lifted = sluice_policy::decide::Lifted { code: "t.no".to_owned(), by };
        partly.gates.first_mut().unwrap().lifted.push(lifted);
        let subject = Subject { problems: Vec::new(), ..subject() };
        let text = write(Form::Github, &subject, &partly);
        assert_eq!(text.matches("::error ").count(), 1, "{text}");
        assert!(text.contains("::not lifted"), "{text}");
        let text = write(Form::Junit, &subject, &partly);
        for wanted in ["name=\"t.no at query-1#/sql\"", "/sql (2)\"", "/sql (3)\"", "failures=\"1\""] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
    }

    #[test]
    fn markdown_is_a_table_that_texts_cannot_break() {
        let text = write(Form::Markdown, &subject(), &sample());
        assert!(text.starts_with("## Sluice: denied\n\nplan of orders \\| 7\n"), "{text}");
        assert!(
            text.contains(
                "| error | `t.no` | not\\\\u{1b} fine \\| &lt;b><br>query-1#/sql | mend: it, 100% |"
            ),
            "{text}"
        );
    }
}
