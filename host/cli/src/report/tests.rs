//! Reports of one decision in each form.

use sluice_model::verdict::{Outcome, Place, SourceLine};

use serde_json::{Value, json};

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
    let title = "plan of orders | 7".to_owned();
    Subject { title, problems: vec![problem], folder, places: Places::default() }
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
fn what_is_missing_hides_no_denial_and_no_denial_hides_what_broke() {
    let of = |verdict: Verdict, code: &str, count: usize| vec![finding(verdict, code, "told"); count];
    for (gates, expected) in [
        (vec![of(Verdict::Undecided, "t.missing", 12), of(Verdict::Deny, "t.no", 1)], "t.no"),
        (vec![[of(Verdict::Undecided, "t.missing", 12), of(Verdict::Deny, "t.no", 1)].concat()], "t.no"),
        (vec![of(Verdict::Deny, "t.no", 12), of(Verdict::Fault, "gate.fault", 1)], "gate.fault"),
    ] {
        let gates = gates.into_iter().map(|findings| (Level::Hard, Effect::Refused, findings));
        let decision = decision(gates.collect());
        let text = write(Form::Github, &Subject { problems: Vec::new(), ..subject() }, &decision);
        let first = text.lines().next().unwrap();
        assert!(first.contains(&format!("title=tests {expected}::")), "{text}");
    }
    let lifted = decision(vec![
        (Level::Audit, Effect::Noted, of(Verdict::Fault, "gate.fault", 1)),
        (Level::Hard, Effect::Refused, of(Verdict::Undecided, "t.missing", 1)),
    ]);
    let text = write(Form::Github, &Subject { problems: Vec::new(), ..subject() }, &lifted);
    assert!(text.starts_with(
        "::error file=apps/my orders/policies/test-evidence/policy.rhai,line=7,title=tests t.missing::"
    ));
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
        .map(|result| result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap())
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
        text.contains("| error | `t.no` | not\\\\u{1b} fine \\| &lt;b><br>query-1#/sql | mend: it, 100% |"),
        "{text}"
    );
}

#[test]
fn what_stands_in_the_file_that_was_given_is_shown_there() {
    let text = r#"{
  "input": {"facts": {"scan": {"secrets": [
    {"object": "other", "at": "/sql"},
    {"object": "query-1", "at": "/sql"}
  ]}}}
}"#;
    let decision = sample();
    let places = Places::in_plan(std::path::Path::new("plans/7, 8.json"), text.as_bytes(), decision.places());
    let subject = Subject { places, problems: Vec::new(), ..subject() };

    let github = write(Form::Github, &subject, &decision);
    let first = github.lines().next().unwrap();
    assert_eq!(
        first,
        "::error file=plans/7%2C 8.json,line=4,col=5,title=tests t.no::not\\u{1b} fine | <b>%0Awhere: query-1#/sql\
         %0Ain the file: /input/facts/scan/secrets/1%0Afix: mend: it, 100%25\
         %0Apolicy: apps/my orders/policies/test-evidence/policy.rhai:7"
    );

    let sarif: Value = serde_json::from_str(&write(Form::Sarif, &subject, &decision)).unwrap();
    assert_eq!(sarif["runs"][0]["columnKind"], "unicodeCodePoints");
    let result = &sarif["runs"][0]["results"][0];
    let location = &result["locations"][0];
    assert_eq!(
        location["physicalLocation"],
        json!({
            "artifactLocation": {"uri": "plans/7%2C%208.json"},
            "region": {"startLine": 4, "startColumn": 5},
        })
    );
    assert_eq!(location["logicalLocations"][1]["fullyQualifiedName"], "/input/facts/scan/secrets/1");
    let policy = &result["relatedLocations"][0]["physicalLocation"];
    assert_eq!(policy["artifactLocation"]["uri"], "apps/my%20orders/policies/test-evidence/policy.rhai");
    assert_eq!(policy["region"]["startLine"], 7);

    let junit = write(Form::Junit, &subject, &decision);
    assert!(junit.contains("file=\"plans/7, 8.json\" line=\"4\""), "{junit}");
    let markdown = write(Form::Markdown, &subject, &decision);
    assert!(markdown.contains("<br>query-1#/sql<br>plans/7, 8.json:4:5 |"), "{markdown}");

    let mut nowhere = decision;
    nowhere.gates.iter_mut().flat_map(|gate| &mut gate.findings).for_each(|finding| finding.place = None);
    let github = write(Form::Github, &subject, &nowhere);
    assert!(
        github.starts_with("::error file=apps/my orders/policies/test-evidence/policy.rhai,line=7,title=")
    );
    let sarif = write(Form::Sarif, &subject, &nowhere);
    assert!(!sarif.contains("relatedLocations") && !sarif.contains("startColumn"), "{sarif}");
}
