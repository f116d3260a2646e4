//! JUnit XML: a suite for each gate, a case for each finding.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use sluice_model::verdict::Verdict;
use sluice_policy::Decision;

use super::{Subject, Told, Weight};
use crate::page::harmless;

pub(super) fn write(subject: &Subject, decision: &Decision, told: &[Told<'_>]) -> String {
    let mut report = Report::new(subject.title.as_str());
    for gate in &decision.gates {
        let mut suite = TestSuite::new(gate.gate.as_str());
        let mut named = Named::default();
        for finding in &gate.findings {
            let this = (finding.verdict != Verdict::Pass).then(|| Told::of(subject, gate, finding));
            let place = this.as_ref().and_then(|told| told.place.clone());
            let status = match &this {
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
            if let Some(told) = &this {
                lead(&mut case, told);
            }
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
            let mut case = TestCase::new(named.once(told.code, told.place.as_deref()), status);
            lead(&mut case, told);
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    report.to_string().unwrap_or_default()
}

/// Says where to look: attributes that GitLab and others show, though no standard has them.
fn lead(case: &mut TestCase, told: &Told<'_>) {
    let (file, line, _) = told.spot();
    case.extra.insert("file".into(), file.into());
    case.extra.insert("line".into(), line.to_string().into());
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
