use std::collections::BTreeSet;

use super::*;
use crate::samples;
use crate::sandbox::Sandbox;

/// The rules that find something in the source of a script, with their lines.
fn found(source: &str) -> Vec<(&'static str, usize, String)> {
    let policy = Sandbox::new(samples::still()).compile(samples::pack(source).unwrap()).unwrap();
    let lints = lint(&policy).unwrap();
    lints.into_iter().filter_map(|lint| Some((lint.rule, lint.position?.0, lint.message))).collect()
}

#[test]
fn each_rule_finds_what_it_is_for_also_on_paths_not_taken() {
    for (source, rule, line, message) in [
        ("if false {\n  let x = plan.nosuch;\n}", "unknown-member", 2, "a plan has no `nosuch`"),
        (
            "let e = evidence.where(\"kind\", \"==\", \"tests\");\nlet a = e.first.ages;",
            "unknown-member",
            2,
            "an evidence has no `ages`",
        ),
        ("for s in plan.sources { let x = s.hosts; }", "unknown-member", 1, "a source has no `hosts`"),
        (
            "let c = plan.changes.where(\"kinds\", \"==\", \"page\");",
            "unknown-member",
            1,
            "a change has no `kinds`",
        ),
        ("let c = plan.changes.newest();", "unknown-member", 1, "a change has no `age`"),
        ("let c = plan.changes.length;", "unknown-member", 1, "it has `count` and `first`"),
        ("let o = transition.to.ordinal;", "unknown-member", 1, "an environment has no `ordinal`"),
        ("if false { let x = params.limits; }", "unknown-parameter", 1, "no parameter `limits`"),
        ("if false { deny(\"t.nope\", \"x\", #{}); }", "undeclared-code", 1, "`t.nope`"),
        ("for s in plan.sources { if s.tls == false { } }", "missing-value", 1, "`tls` may be missing"),
        (
            "let p = plan.sources.where(\"tls\", \"==\", false);",
            "missing-value",
            1,
            "`tls` of some source may be missing",
        ),
        ("if evidence.newest().executed < 3 { }", "missing-value", 1, "`executed` may be missing"),
        (
            "let a = true; let x = if a { plan } else { plan };\nlet y = x.nosuch;",
            "unknown-member",
            2,
            "a plan has no `nosuch`",
        ),
        (
            "fn look(thing) {\n thing.nosuch }\nlook(plan); look(plan);",
            "unknown-member",
            2,
            "a plan has no `nosuch`",
        ),
        (
            "fn look(thing) {\n deeper(1, thing) }\nfn deeper(n, thing) {\n thing.nosuch }\nlook(app);",
            "unknown-member",
            4,
            "an app has no `nosuch`",
        ),
        (
            "fn look(thing) {\n if thing.tls == true { 1 } else { 2 } }\nlook(plan.sources.first);",
            "missing-value",
            2,
            "`tls` may be missing",
        ),
        (
            "let few = plan.changes; for n in 0..3 { few = few.take(n); }\nlet x = few.first.nosuch;",
            "unknown-member",
            2,
            "a change has no `nosuch`",
        ),
        ("let m = #{a: [1]}; let x = m.a[plan.nosuch];", "unknown-member", 1, "a plan has no `nosuch`"),
        ("let x = `of ${plan.nosuch}`;", "unknown-member", 1, "a plan has no `nosuch`"),
        ("if plan.signer in [\"ann\"] { }", "missing-value", 1, "`signer` may be missing"),
        ("let x = [\"ann\"].contains(plan.signer);", "missing-value", 1, "`signer` may be missing"),
        ("let x = plan.cut_at + duration(\"1d\");", "missing-value", 1, "`cut_at` may be missing"),
        ("let x = 0; x += plan.bytes;", "missing-value", 1, "`bytes` may be missing"),
        ("let x = plan.cut_at.hour();", "missing-value", 1, "`cut_at` may be missing"),
        ("if plan.sources.first.tls { }", "missing-value", 1, "`tls` may be missing"),
        (
            "let p = people.where(\"name\", \"==\", plan.signer);",
            "missing-value",
            1,
            "`signer` may be missing",
        ),
        (
            "let x = plan.bytes > 5;\nif is_missing(plan.bytes) { }",
            "missing-value",
            1,
            "`bytes` may be missing",
        ),
        (
            "if is_missing(plan.bytes) { let x = 1; }\nlet x = plan.bytes > 5;",
            "missing-value",
            2,
            "`bytes` may be missing",
        ),
        (
            "let s = plan.sources.first; if !is_missing(s.tls) {\n s = plan.sources.where(\"tls\", \"known\", false).first;\n let x = s.tls == true; }",
            "missing-value",
            3,
            "`tls` may be missing",
        ),
        (
            "pass(\"t.ok\", #{fact: \"plan.chnges.action\"});",
            "unknown-citation",
            1,
            "no fact `plan.chnges.action` to cite",
        ),
        (
            "pass(\"t.ok\", #{fact: [\"plan.bytes\", \"plan.byte\"]});",
            "unknown-citation",
            1,
            "no fact `plan.byte` to cite",
        ),
        ("for c in plan.changes { }", "large-loop", 1, "goes over every change"),
        ("if false { pass(\"t.ok\", #{actual: 1}); }", "uncited-pass", 1, "passes without a `fact`"),
        ("if false { deny(\"t.no\", \"x\"); }", "wrong-call", 1, "`deny` takes 3 values and is given 2"),
        (
            "if false { undecided(\"t.no\"); }",
            "wrong-call",
            1,
            "`undecided` takes 2 or 3 values and is given 1",
        ),
        ("if false { pass(\"t.ok\"); }", "wrong-call", 1, "`pass` takes 2 values and is given 1"),
        ("if false { let x = is_missing(); }", "wrong-call", 1, "`is_missing` takes 1 value and is given 0"),
        ("if false { let x = plan.bytes.is_missing(1); }", "wrong-call", 1, "`is_missing` takes 0 values"),
        (
            "if false {\n let x = plan.changes.where(\"kind\", \"page\"); }",
            "wrong-call",
            2,
            "`where` takes 3 values and is given 2",
        ),
        ("if false { let x = duration(1, 2); }", "wrong-call", 1, "`duration` takes 1 value and is given 2"),
        (
            "if false { let x = 5.where().text(); }\nfn text() { 1 }",
            "wrong-call",
            1,
            "`where` takes 3 values",
        ),
        ("fn own(a, b) { a } if false { own(1); }", "wrong-call", 1, "`own` takes 2 values and is given 1"),
        (
            "if false {\n deny(\"t.no\", \"x\", #{\n foo: 1}); }",
            "wrong-call",
            3,
            "`foo` is not one of actual, expected, fix, who, object, at, earliest",
        ),
        (
            "if false { undecided(\"t.no\", \"x\", #{fact: \"plan.bytes\"}); }",
            "wrong-call",
            1,
            "`fact` is not one of",
        ),
        (
            "if false { pass(\"t.ok\", #{fact: \"plan.bytes\", who: \"me\"}); }",
            "wrong-call",
            1,
            "`who` is not one of fact, actual, expected",
        ),
        (
            "if false { let x = plan.changes.where(\"kind\", \"=~\", \"page\"); }",
            "wrong-call",
            1,
            "`=~` is not a comparison",
        ),
        (
            "if false { let x = where(plan.changes, \"kind\", \"is\", \"page\"); }",
            "wrong-call",
            1,
            "`is` is not a comparison",
        ),
        ("if false { deny(\"t.leak\", \"x\", #{}); }", "no-way-out", 1, "`t.leak` does not say"),
    ] {
        let all = found(source);
        assert!(
            all.iter().any(|(r, l, m)| (*r, *l) == (rule, line) && m.contains(message)),
            "{source}: {all:?}"
        );
    }
}

#[test]
fn what_is_written_well_is_left_alone() {
    for source in [
        "for s in plan.sources { if is_missing(s.tls) { } else if s.tls == false { } }",
        "for s in plan.sources { if s.tls.is_missing() { } else if s.tls == false { } }",
        "let p = plan.sources.where(\"tls\", \"known\", true).where(\"tls\", \"==\", false); if p.first.tls == true { }",
        "for c in plan.changes.where(\"kind\", \"==\", \"page\") { let n = c.name; }",
        "for c in plan.changes.take(20) { let n = c.name; }",
        "let r = evidence.where(\"kind\", \"==\", \"tests\").newest(); let a = r.age > duration(\"1d\");",
        "let a = true; let x = if a { plan } else { app }; let y = x.nosuch;",
        "fn look(thing) { thing.nosuch } look(plan); look(app);",
        "fn look(thing) { thing.nosuch } let m = #{}; look(plan); look(m.x);",
        "fn look(thing) { thing.nosuch } let y = 1;",
        "if is_missing(plan.signer) { } else if plan.signer in [\"ann\"] { }",
        "let there = !is_missing(plan.bytes); if there && plan.bytes > 5 { }",
        "if is_missing(plan.bytes) || plan.bytes > 5 { }",
        "if is_missing(plan.bytes) { deny(\"t.no\", \"x\", #{}); return; } let x = plan.bytes + 5;",
        "let age = plan.age; if !is_missing(age) { let x = plan.cut_at + age; }",
        "for s in plan.sources { if is_missing(s.tls) { continue; } if s.tls { } }",
        "let r = evidence.where(\"kind\", \"==\", \"tests\").newest(); let broken = r.failed + r.errors;",
        "let r = evidence.where(\"unit\", \"known\", true).newest(); let x = r.covered_hundredths > 3;",
        "let t = \"signed by \" + plan.signer;",
        "fn look(thing) { if thing.tls == true { 1 } else { 2 } } let s = plan.sources.first; if !is_missing(s.tls) { look(plan.sources.where(\"tls\", \"known\", true).first); }",
        "let n = plan.changes; for x in 0..3 { n = plan.sources; } let y = n.first.nosuch;",
        "pass(\"t.ok\", #{fact: [\"plan.changes.action\", \"transition.environment.order\"]});",
        "let x = #{a: 1}; let y = x.anything;",
        "fn own(plan) { 1 } let y = params.limit;",
        "deny(\"t.no\", \"x\", #{});",
        "undecided(\"t.no\", \"x\"); undecided(\"t.no\", \"x\", #{who: \"me\"});",
        "let how = \"==\"; let x = where(plan.changes, \"kind\", how, \"page\").count + newest(history).objects;",
        "let told = #{who: \"me\"}; deny(\"t.no\", \"x\", told); \"t.no\".deny(\"x\", #{actual: 1});",
        "fn own(a) { a } fn own(a, b) { a } own(1); own(1, 2); let x = [1, 2].contains(1) || 3 in [1];",
        "fn own(a) { a } let x = 1; x.own(2);",
    ] {
        let source = source.replace("fn own(plan)", "fn own(thing)");
        assert_eq!(found(&source), [], "{source}");
    }
}

#[test]
fn loops_within_loops_and_functions_that_call_each_other_are_read_to_an_end() {
    let mut loops = "h = a; a = b; b = c; c = d; d = h;".to_owned();
    for depth in 0..8 {
        loops = format!("for n{depth} in 0..2 {{ {loops} }}");
    }
    let declared = "let a = plan; let b = app; let c = plan.sources; let d = 1; let h = 1;";
    let last = "let x = a.nosuch; let y = b.nosuch;";
    assert_eq!(found(&format!("{declared} {loops} {last}")), []);
    let functions =
        "fn one(a, b, c) { two(b, c, a) } fn two(a, b, c) { one(a, c, b) } fn three(a) { a.nosuch }";
    let calls = "one(plan, app, workspace); three(plan); three(transition);";
    assert_eq!(found(&format!("{functions} {calls}")), []);
}

#[test]
fn what_is_declared_is_used_tested_and_mended() {
    let source = "if plan.unchanged > params.limit { deny(\"t.no\", \"x\", #{}); }";
    let of = |source: &str, more: &[(&str, &str)]| {
        let pack = samples::pack_with(source, more).unwrap();
        let policy = Sandbox::new(samples::still()).compile(pack).unwrap();
        let lints = lint(&policy).unwrap();
        lints.into_iter().map(|lint| format!("{}: {}", lint.rule, lint.message)).collect::<Vec<_>>()
    };
    let rest = |more: &[(&str, &str)]| of(source, more);
    let all = rest(&[]);
    for wanted in [
        "unused-declaration: the fact `evidence` is declared and not read",
        "unused-declaration: the finding `t.ok` is declared and not given",
        "untested-code: no case gives the finding `t.no`",
    ] {
        assert!(all.iter().any(|lint| lint == wanted), "{all:?}");
    }
    let case = "[facts]\n[[case]]\nname = \"c\"\nverdict = \"deny\"\ncodes = [\"t.no\"]\n";
    let with_case = rest(&[("tests/a.toml", case)]);
    assert!(!with_case.iter().any(|lint| lint.contains("no case gives the finding `t.no`")));
    assert!(with_case.iter().any(|lint| lint == "unmended-code: no case mends the finding `t.no`"));
    let passed = case.replace("[\"t.no\"]", "[\"t.no\", \"t.ok\"]");
    let source_that_passes = format!("{source} else {{ pass(\"t.ok\", #{{fact: \"plan.unchanged\"}}); }}");
    let with_a_pass = of(&source_that_passes, &[("tests/a.toml", &passed)]);
    assert!(!with_a_pass.iter().any(|lint| lint == "unmended-code: no case mends the finding `t.ok`"));
    assert!(with_a_pass.iter().any(|lint| lint == "unmended-code: no case mends the finding `t.no`"));
    let mended = rest(&[("tests/a.toml", &format!("{case}fix = {{}}\n"))]);
    assert!(!mended.iter().any(|lint| lint.contains("no case mends")), "{mended:?}");
}

#[test]
fn every_rule_is_documented_once() {
    let ids: BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), RULES.len());
    assert!(RULES.iter().all(|rule| rule.doc.ends_with('.') && !rule.fix.is_empty()));
}
