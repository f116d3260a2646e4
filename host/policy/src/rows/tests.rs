use sluice_model::verdict::Verdict;

use crate::samples::report;

/// The `actual` that a script gives in a denial.
fn actual(expression: &str) -> String {
    let report = report(&format!("deny(\"t.no\", \"x\", #{{ actual: {expression} }});"));
    match (report.verdict, report.findings.first().and_then(|finding| finding.because.as_ref())) {
        (Verdict::Deny, Some(because)) => because.actual.to_string(),
        _ => report.findings.iter().map(|finding| finding.message.clone()).collect::<Vec<_>>().join("; "),
    }
}

#[test]
fn lists_are_searched_grouped_and_summed() {
    for (expression, value) in [
        ("history.count", "3"),
        ("history.where(\"outcome\", \"==\", \"done\").count", "2"),
        ("history.sum(\"objects\")", "15"),
        ("history.least(\"objects\")", "2"),
        ("history.most(\"bytes\")", "9000"),
        ("history.median(\"objects\")", "4"),
        ("history.where(\"by\", \"==\", \"ann\").median(\"objects\")", "2"),
        ("history.newest().version", "\"6\""),
        ("history.oldest().version", "\"5\""),
        ("history.where(\"hour\", \"==\", now.hour()).count", "2"),
        ("history.group(\"environment\")[1].value", "\"staging\""),
        ("history.group(\"environment\")[1].count", "2"),
        ("history.group(\"environment\")[1].rows.sum(\"objects\")", "11"),
        ("history.group(\"hour\")[0].value", "10"),
        ("history.where(\"by\", \"==\", \"zoe\").sum(\"objects\")", "0"),
        ("plan.credentials.first.is_reused", "true"),
        ("plan.credentials.first.age > duration(\"29d\")", "true"),
        ("plugins.where(\"is_certified\", \"==\", false).count", "0"),
        ("environments.where(\"order\", \">\", transition.to.order).first.name", "\"production\""),
        ("waivers.where(\"holds\", \"==\", true).values(\"code\")", "[\"window.closed\"]"),
        ("plan.age", "\"1d 1h\""),
        ("history.take(2).values(\"version\")", "[\"5\"]"),
        ("history.where(\"by\", \"==\", \"ann\").take(9).count", "2"),
        ("history.take(0).count", "0"),
        ("#{b: 1, a: 2}.keys()", "[\"a\",\"b\"]"),
        ("#{}.keys()", "[]"),
        ("\"a:b:\".split(\":\")", "[\"a\",\"b\",\"\"]"),
        ("\"\".split(\"::\")", "[\"\"]"),
        ("\"payments\" in app.labels", "true"),
    ] {
        assert_eq!(actual(expression), value, "{expression}");
    }
}

#[test]
fn what_a_list_cannot_answer_faults() {
    for (expression, reason) in [
        ("history.where(\"by\", \"==\", \"zoe\").most(\"objects\")", "no `objects` in an empty list"),
        ("history.where(\"by\", \"==\", \"zoe\").oldest().by", "there is no oldest past transition"),
        ("history.sum(\"by\")", "`by` of some past transition is no integer"),
        ("history.group(\"age\")", "`group` is for texts and integers"),
        ("history.median(\"weight\")", "has no `weight`"),
        ("plan.changes.newest().name", "a change has no `age`"),
        ("plan.changes.take(-1).count", "`take` cannot take -1"),
        ("\"a\".split(\"\")", "`split` needs a text to split at"),
    ] {
        assert!(actual(expression).contains(reason), "{expression}: {}", actual(expression));
    }
    let parts = format!("\"{}\".split(\",\")", ",".repeat(200));
    assert!(actual(&parts).contains("`split` gives more than 200 parts"), "{}", actual(&parts));
}
