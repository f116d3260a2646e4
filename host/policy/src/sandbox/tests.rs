use sluice_model::verdict::Verdict;

use super::*;
use crate::calls::Calls;
use crate::gate::{Gate, GateReport, OWN_FINDINGS};
use crate::pack::{Pack, PackError};
use crate::samples::{facts, gate, ready, refusal, report, still};

const OK: &str = "pass(\"t.ok\", #{fact: \"plan.version\", actual: plan.version});";

/// The script faults at its last line, for this reason, and a `pass` before it saves nothing.
#[track_caller]
fn faults(script: &str, reason: &str) {
    let report = report(&format!("{OK}\n{script}"));
    let told = &report.findings.last().unwrap().message;
    assert_eq!(report.verdict, Verdict::Fault, "{script}: {told}");
    assert!(told.contains(reason), "{script}: `{told}` does not say `{reason}`");
}

#[track_caller]
fn passes(script: &str) {
    let report = report(script);
    assert_eq!(report.verdict, Verdict::Pass, "{script}: {:?}", report.findings);
}

#[track_caller]
fn is_refused(script: &str, reason: &str) {
    let told = refusal(script);
    assert!(told.contains(reason), "{script}: `{told}` does not say `{reason}`");
}

#[test]
fn values_of_different_types_do_not_compare() {
    for (script, reason) in [
        ("if \"3\" > 2 {}", "compares a text with an integer"),
        ("if () > 5 {}", "compares nothing with an integer"),
        ("if 1 == \"1\" {}", "compares an integer with a text"),
        ("if 1 != \"1\" {}", "compares an integer with a text"),
        ("if true == 1 {}", "compares a truth with an integer"),
        ("if 1.0 == 1 {}", "compares a number with an integer"),
        ("if [1] == [1] {}", "compares a list with a list"),
        ("if #{} == #{} {}", "compares a map with a map"),
        ("if now > 5 {}", "compares a moment with an integer"),
        ("if now > \"2026\" {}", "compares a moment with a text"),
        ("if evidence.first.age < now {}", "compares a duration with a moment"),
        ("if plan == plan {}", "compares a fact with a fact"),
        ("if 'a' == \"a\" {}", "compares"),
        ("if workspace.single_operator == \"x\" {}", "ask `is_missing(x)` before"),
        ("if 1 in [\"1\"] {}", "compares a text with an integer"),
        ("if 1 in [1, \"1\"] {}", "compares a text with an integer"),
        ("let nan = 0.0 / 0.0; if nan == nan {}", "compares a number with a number"),
        ("if plan.changes.where(\"kind\", \"==\", 1).count == 0 {}", "compares a text with an integer"),
        ("if evidence.where(\"failed\", \">\", \"0\").count == 0 {}", "compares an integer with a text"),
        ("if evidence.where(\"failed\", \"==\", 0).count == 0 {}", "compares nothing with an integer"),
        ("let x = 1; if x {}", "wanted truth"),
        ("let x = 1; if x && true {}", "wanted truth"),
        ("if !1 {}", "there is no function"),
    ] {
        faults(script, reason);
    }
}

#[test]
fn values_of_one_type_compare() {
    for condition in [
        "2 > 1",
        "\"b\" > \"a\"",
        "true != false",
        "1.5 < 2.5",
        "now == now",
        "duration(\"1d\") < duration(\"25h\")",
        "now - duration(\"1h\") < now",
        "now - moment(\"2026-06-03T09:00:00Z\") == duration(\"1h\")",
        "1 in [3, 2, 1]",
        "\"b\" in \"abc\"",
        "!(\"x\" in [\"a\"])",
        "\"ab\".starts_with(\"a\")",
        "\"abba\".is_made_of(\"ab\") && \"\".is_made_of(\"\") && !\"a\\nb\".is_made_of(\"ab\")",
        "[1, 2].count == 2",
        "evidence.where(\"suite\", \"known\", true).count == 1",
        "people.where(\"roles\", \"has\", \"ops\").count == 2",
        "plan.changes.where(\"kind\", \"in\", [\"page\", \"query\"]).count == 2",
        "is_missing(workspace.single_operator)",
        "plan.changes.where(\"action\", \"!=\", \"create\").first.name == \"list\"",
        "evidence.first.age == duration(\"1d\")",
        "`${now}` == \"2026-06-03T10:00:00Z\"",
        "`${evidence.first.age} ${1} ${true}` == \"1d 1 true\"",
        "plan.changes.values(\"kind\").join(\",\") == \"page,query\"",
        "params.limit == 5",
    ] {
        passes(&format!("if {condition} {{ {OK} }}"));
    }
}

#[test]
fn what_is_missing_faults() {
    for (script, reason) in [
        ("let m = #{a: 1}; let x = m.b;", "there is no `b` here"),
        ("let x = plan.colour;", "there is no"),
        ("let x = params.colour;", "declares no parameter `colour`"),
        ("let x = evidence.where(\"colour\", \"==\", 1);", "a evidence has no `colour`; it has `id`"),
        ("let x = evidence.where(\"kind\", \"is\", 1);", "`is` is not a comparison"),
        ("let x = evidence.where(\"kind\", \"==\", \"none\").first;", "there is no first evidence"),
        ("let x = evidence.where(\"kind\", \"==\", \"none\").newest();", "there is no newest evidence"),
        ("let x = [1][3];", "element 3 of a list of 1"),
        ("let x = 1 / 0;", "arithmetic"),
        ("let x = 9223372036854775807 + 1;", "arithmetic"),
        ("let x = calendars.named(\"none\");", "the configuration has `releases`"),
        ("let x = duration(\"soon\");", "is not a duration"),
        ("throw \"stop\";", "stop"),
    ] {
        faults(script, reason);
    }
}

#[test]
fn names_that_do_not_exist_are_refused_when_loaded_also_on_paths_not_taken() {
    for (script, reason) in [
        ("if false { let x = nosuch; }", "policies/t/policy.rhai:1:20`: undefined variable: nosuch"),
        ("if false { nosuch(1); }", "policies/t/policy.rhai:1:12`: there is no function `nosuch`"),
        ("\nif false {\n  plan.nosuch(1);\n}", "policies/t/policy.rhai:3:8`: there is no function `nosuch`"),
        ("fn own() { nosuch }", "undefined variable: nosuch"),
        ("fn own() { elsewhere() }", "there is no function `elsewhere`"),
        ("sleep(1);", "sleep"),
        ("let x = a::b;", "no such module"),
        ("let x = a::b(1);", "no such module"),
        ("let x = ;", "policies/t/policy.rhai:1:9`"),
        ("if true {", "policies/t/policy.rhai:1:"),
    ] {
        is_refused(script, reason);
    }
}

#[test]
fn a_name_of_the_api_cannot_be_given_another_meaning() {
    for script in [
        "fn pass(code, because) { }",
        "fn deny(a, b, c) { }",
        "fn quorum(x) { }",
        "fn own(plan) { plan }",
        "let plan = 1;",
        "const params = 1;",
        "for now in [1] { }",
        "for (x, evidence) in [1] { }",
        "fn own() { let scan = 1; scan }",
        "if false { let deny = 1; }",
    ] {
        is_refused(script, "is a name of the API");
    }
    is_refused("let a = 1; let a = 2;", "a");
    is_refused("fn own(x) { let x = 2; x } own(1);", "x");
}

#[test]
fn what_reaches_elsewhere_or_hides_what_is_missing_is_not_there() {
    for script in [
        "let x = () ?? 1;",
        "let x = #{}; let y = x?.a;",
        "let x = []; let y = x?[0];",
        "switch 1 { 1 => {}, _ => {} }",
        "let f = |x| x + 1;",
        "eval(\"1\");",
        "import \"x\" as y;",
        "export let x = 1;",
        "let f = Fn(\"pass\");",
        "let f = 1; f.call();",
        "let f = 1; f.curry(1);",
        "try { } catch { }",
        "print(\"x\");",
        "debug(1);",
        "sleep(1);",
        "let x = is_def_var(\"plan\");",
        "let x = is_def_fn(\"f\", 1);",
        "let x = is_shared(1);",
        "let x = type_of(1);",
        "fn own() { this }",
    ] {
        let told = refusal(script);
        assert!(told.starts_with("`policies/t/policy.rhai:1:"), "{script}: {told}");
    }
}

#[test]
fn facts_cannot_be_changed_and_are_not_baked_into_a_policy() {
    for script in [
        "plan = 1;",
        "now = duration(\"1d\");",
        "plan.version = \"x\";",
        "params.limit = 100;",
        "params = #{};",
        "evidence.first.failed = 0;",
        "plan.authors += [\"x\"];",
        "plan.changes = plan.changes.where(\"kind\", \"==\", \"page\");",
        "scan.secrets = [];",
        "params[\"limit\"] = 100;",
        "params.limit += 1;",
    ] {
        let report = crate::samples::report(&format!("{OK}\n{script}"));
        assert_eq!(report.verdict, Verdict::Fault, "{script}: {:?}", report.findings);
    }

    // One compiled policy, other facts and parameters each time.
    let sandbox = Sandbox::new(still());
    let gate_of = |limit: i64| {
        let pack = crate::samples::pack(&format!(
            "if plan.unchanged < params.limit {{ {OK} }} else {{ deny(\"t.no\", \"too many\", #{{}}); }}"
        ))
        .unwrap();
        let mut spec = crate::samples::spec("g", &pack);
        spec.parameters.insert("limit".to_owned(), limit.into());
        (spec, pack)
    };
    let (spec_5, pack) = gate_of(5);
    let (spec_100, _) = gate_of(100);
    let policy = sandbox.compile(pack).unwrap();
    for (spec, unchanged, expected) in [
        (&spec_5, 1, Verdict::Pass),
        (&spec_5, 100, Verdict::Deny),
        (&spec_100, 99, Verdict::Pass),
        (&spec_5, 4, Verdict::Pass),
    ] {
        let mut facts = facts();
        facts["plan"]["unchanged"] = unchanged.into();
        let gate = Gate::new(spec.clone(), &policy).unwrap();
        assert_eq!(
            sandbox.evaluate(&gate, &ready(facts)).report.verdict,
            expected,
            "{unchanged} of {:?}",
            spec.parameters
        );
    }
}

#[test]
fn a_pass_rests_on_a_fact_that_was_read() {
    for (script, reason) in [
        ("pass(\"t.ok\", #{});", "must cite a fact"),
        ("pass(\"t.ok\", #{fact: []});", "must cite a fact"),
        ("pass(\"t.ok\", #{fact: 1});", "must cite a fact"),
        (
            "pass(\"t.ok\", #{fact: \"evidence.failed\"});",
            "`evidence.failed`, which this policy has not read",
        ),
        (
            "let x = evidence.count; pass(\"t.ok\", #{fact: [\"evidence\", \"evidence.failed\"]});",
            "has not read",
        ),
        ("pass(\"t.ok\", #{fact: \"nothing.at_all\"});", "has not read"),
        ("let x = plan; pass(\"t.ok\", #{fact: \"plan.digest\"});", "has not read"),
        ("let x = params.limit; pass(\"t.ok\", #{fact: \"params.limit\"});", "has not read"),
        ("pass(\"t.ok\", #{fact: \"plan.version\", colour: 1});", "`colour` is not one of"),
        (
            "pass(\"t.other\", #{fact: \"plan.version\", actual: plan.version});",
            "`t.other`, which `policy.toml` does not declare",
        ),
        ("deny(\"t.no\", \"\", #{});", "without a message"),
        ("deny(\"t.no\", \"x\", #{actual: plan});", "cite a value"),
        ("deny(\"t.no\", \"x\", #{fix: 1});", "`fix` is an integer, not a text"),
        ("deny(\"t.no\", \"x\", #{at: \"/a\"});", "`at` needs `object`"),
        ("deny(\"t.no\", 1, #{});", "there is no function"),
        ("deny(\"t.no\");", "there is no function"),
        ("for x in 0..300 { deny(\"t.no\", \"x\", #{}); }", "more than 200 findings"),
    ] {
        let report = report(script);
        let last = report.findings.last().unwrap();
        assert!(report.verdict == Verdict::Fault && last.message.contains(reason), "{script}: {last:?}");
    }
    passes(
        "let x = evidence.where(\"failed\", \"known\", true); pass(\"t.ok\", #{fact: [\"evidence\", \"evidence.failed\"]});",
    );
}

#[test]
fn calls_accumulate_the_worst_wins_and_none_is_undecided() {
    for (script, verdict, codes) in [
        (OK.to_owned(), Verdict::Pass, vec!["t.ok"]),
        (format!("{OK} undecided(\"t.no\", \"x\");"), Verdict::Undecided, vec!["t.ok", "t.no"]),
        (
            format!("undecided(\"t.no\", \"x\"); deny(\"t.no\", \"y\", #{{}}); {OK}"),
            Verdict::Deny,
            vec!["t.no", "t.no", "t.ok"],
        ),
        (
            format!("{OK} deny(\"t.no\", \"y\", #{{}}); let x = 1 / 0;"),
            Verdict::Fault,
            vec!["t.ok", "t.no", "gate.fault"],
        ),
        (String::new(), Verdict::Undecided, vec!["gate.silent"]),
        ("return 1;".to_owned(), Verdict::Undecided, vec!["gate.silent"]),
    ] {
        let report = report(&script);
        let given: Vec<_> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!((report.verdict, given), (verdict, codes), "{script}");
    }
}

#[test]
fn a_finding_says_which_line_gave_it_why_and_what_to_do() {
    let report = report(
        "let x = 1;\n\n  deny(\"t.no\", `found ${x}`, #{actual: x, expected: [0, now], object: \"query-1\", at: \"/a/0\"});",
    );
    assert_eq!(
        serde_json::to_value(&report.findings).unwrap(),
        serde_json::json!([{
            "verdict": "deny", "code": "t.no", "message": "found 1",
            "because": {"actual": 1, "expected": [0, "2026-06-03T10:00:00Z"]},
            "fix": "mend it", "who": "you", "where": {"object": "query-1", "at": "/a/0"},
            "source": {
                "file": "policy.rhai", "line": 3,
                "text": "deny(\"t.no\", `found ${x}`, #{actual: x, expected: [0, now], object: \"query-1\", at: \"/a/0\"});",
            },
        }])
    );
    let report = crate::samples::report("fn own(x) {\n  x / 0\n}\nlet y = own(1);");
    assert_eq!(report.findings[0].source.as_ref().unwrap().line, 2, "a fault points into the function");
}

/// What a hostile or careless script tries, and what stops it.
#[test]
fn every_limit_holds() {
    for (script, reason) in [
        ("loop { }", "more than 200000 steps"),
        ("while true { let x = 1; }", "more than 200000 steps"),
        ("let x = 0; do { x += 1; } while x >= 0;", "more than 200000 steps"),
        ("for x in 0..9223372036854775807 { }", "more than 200000 steps"),
        ("fn own(x) { own(x + 1) } own(1);", "deeper than 16 levels"),
        ("fn a(x) { b(x) } fn b(x) { a(x) } a(1);", "deeper than 16 levels"),
        ("let s = \"x\"; loop { s += s; }", "too large"),
        ("let s = \"x\"; loop { s = s + s; }", "too large"),
        ("let s = \"x\"; loop { s = `${s}${s}`; }", "too large"),
        ("let a = [1]; loop { a += a; }", "too large"),
        ("let a = [1]; loop { a += [1]; }", "too large"),
        ("let a = []; loop { a = [a, a]; }", "too large"),
        ("let a = []; loop { a = [a]; }", "too large"),
        ("let m = #{}; loop { m = #{a: m, b: m}; }", "too large"),
        ("let m = #{}; for x in 0..100000 { m[`${x}`] = x; }", "copies more than 8 MiB"),
        ("let m = #{}; loop { m = #{a: m}; }", "copies more than 8 MiB"),
        ("let m = #{}; let a = []; loop { a = [m]; m = #{a: a}; }", "copies more than 8 MiB"),
        (
            "let s = \"aaaaaaaaaaaaaaaa\"; for x in 0..11 { s += s; } deny(\"t.no\", s, #{});",
            "longer than 2000 bytes",
        ),
        (
            "let a = [1]; for x in 0..8 { a += a; } deny(\"t.no\", \"x\", #{actual: a});",
            "more than 200 values",
        ),
        (
            "let a = [1]; for x in 0..8 { a = [a]; } deny(\"t.no\", \"x\", #{actual: a});",
            "nested deeper than 6",
        ),
        ("let x = 2 ** 9223372036854775807;", "arithmetic"),
        ("let x = 1 << 9223372036854775807; if x == 0 { throw \"shifted\"; }", "shifted"),
    ] {
        faults(script, reason);
    }
    for (script, reason) in [
        (format!("let x = {}1{};", "(".repeat(200), ")".repeat(200)), "maximum complexity"),
        (format!("let x = {}1{};", "[".repeat(200), "]".repeat(200)), "maximum complexity"),
        (format!("let x = {}1;", "-".repeat(5000)), ""),
        (format!("let x = {}true;", "!".repeat(5000)), ""),
        (format!("let x = 1{};", " + 1".repeat(5000)), ""),
        (format!("{}{}", "if true { ".repeat(200), "}".repeat(200)), "maximum complexity"),
        ((0..100).map(|n| format!("fn own{n}() {{ }}")).collect(), "functions"),
        (format!("let x = \"{}\";", "x".repeat(70_000)), "has 70"),
        (format!("//{}", "x".repeat(70_000)), "has 70"),
        ("\u{202e}let \u{fe0f} = 1;".to_owned(), ""),
    ] {
        let told = refusal(&script).to_lowercase();
        assert!(
            told.contains(reason),
            "{}: `{told}` does not say `{reason}`",
            &script[..script.len().min(40)]
        );
    }
    let many: String = (0..300).map(|n| format!("let v{n} = 1;")).collect();
    faults(&many, "more than 256 variables");
}

/// Rhai has limits of its own that differ between builds; ours are the same in all.
#[test]
fn nesting_is_limited_where_the_limits_say_and_not_before() {
    let calls = |depth: usize| format!("fn own(n) {{ if n > 0 {{ own(n - 1); }} }} own({depth}); {OK}");
    passes(&calls(12));
    let report = report(&calls(20));
    assert_eq!(report.verdict, Verdict::Fault, "{:?}", report.findings);

    let source = |depth: usize| format!("fn own() {{ {}1{} }} {OK}", "(".repeat(depth), ")".repeat(depth));
    passes(&source(10));
    is_refused(&source(20), "maximum complexity");
}

/// Values that nest deeply are let go of on the stack; a small stack must do.
#[test]
fn hostile_values_fit_a_small_stack() {
    let on_small_stack = std::thread::Builder::new().stack_size(1 << 20).spawn(|| {
        faults("let a = []; loop { a = [a]; }", "too large");
        faults("let m = #{}; let a = []; loop { a = [m]; m = #{a: a}; }", "copies more than 8 MiB");
        faults("fn own(a) { own([a]) } own(1);", "deeper than");
        faults("let m = #{}; loop { m.a = m; }", "");
        faults("let m = #{a: 1}; loop { m[\"a\"] = m; }", "");
        faults("let a = [1]; loop { a[0] = a; }", "");
        faults("let m = #{a: [1]}; loop { m.a[0] = m; }", "");
    });
    on_small_stack.unwrap().join().unwrap();
}

#[test]
fn a_panic_in_the_engine_is_a_fault_and_the_sandbox_goes_on() {
    let sandbox = Sandbox::spoiled(still(), |engine| {
        engine.register_fn("starts_with", |_: i64, _: i64| -> bool { panic!("as a bug would") });
    });
    let breaks = gate(&sandbox, "breaks", &format!("{OK} let x = 1.starts_with(1);")).unwrap();
    let fine = gate(&sandbox, "fine", OK).unwrap();
    for _ in 0..3 {
        let report = sandbox.evaluate(&breaks, &ready(facts())).report;
        assert_eq!(report.verdict, Verdict::Fault);
        assert!(report.findings.last().unwrap().message.contains("broke the engine"));
        assert_eq!(sandbox.evaluate(&fine, &ready(facts())).report.verdict, Verdict::Pass);
    }
}

#[test]
fn time_that_runs_out_is_a_fault_that_is_not_kept() {
    // Each look at the clock takes a millisecond, so that a loop runs out of time before steps.
    let ticks = Arc::new(AtomicU64::new(0));
    let clock: Stopwatch = Arc::new(move || Duration::from_millis(ticks.fetch_add(1, Ordering::Relaxed)));
    let sandbox = Sandbox::new(clock);
    let looping = gate(&sandbox, "slow", &format!("{OK} loop {{ }}")).unwrap();
    let asked = sandbox.evaluate(&looping, &ready(facts()));
    assert!(asked.transient && asked.report.verdict == Verdict::Fault, "{asked:?}");
    assert_eq!(asked.report.findings.last().unwrap().message, "took longer than 50 ms");
    assert!(asked.used.operations < 10_000, "it was stopped on the way: {:?}", asked.used);
    let decided = sandbox.decide(&[looping], &ready(facts()), &[], None);
    assert!(!decided.replayable && !decided.decision.is_allowed());

    // A native call that takes too long is noticed after it.
    let ticks = Arc::new(AtomicU64::new(0));
    let clock: Stopwatch =
        Arc::new(move || Duration::from_millis(60 * ticks.fetch_add(1, Ordering::Relaxed)));
    let sandbox = Sandbox::new(clock);
    let asked = sandbox.evaluate(&gate(&sandbox, "slow", OK).unwrap(), &ready(facts()));
    assert!(asked.transient && asked.report.verdict == Verdict::Fault, "{asked:?}");
}

#[test]
fn a_gate_is_asked_again_when_only_time_ran_out() {
    // The first evaluation overruns, later ones do not.
    let looks = Arc::new(AtomicU64::new(0));
    let clock: Stopwatch = Arc::new(move || match looks.fetch_add(1, Ordering::Relaxed) {
        0 => Duration::ZERO,
        _ => Duration::from_secs(5),
    });
    let sandbox = Sandbox::new(clock);
    let asked = sandbox.evaluate(&gate(&sandbox, "g", OK).unwrap(), &ready(facts()));
    assert!(!asked.transient && asked.report.verdict == Verdict::Pass, "{asked:?}");
}

#[test]
fn one_sandbox_serves_many_threads() {
    let sandbox = Sandbox::new(still());
    let good = gate(&sandbox, "good", OK).unwrap();
    let bad = gate(&sandbox, "bad", "deny(\"t.no\", plan.version, #{});").unwrap();
    let own = "fn told(count) { words::of(count) }\ndeny(\"t.no\", told(params.limit), #{});";
    let module = ("modules/words.rhai", "fn of(count) { `at most ${count}` }");
    let own = crate::samples::pack_with(own, &[module]).unwrap();
    let own = crate::samples::gate_of(&sandbox, "own", own).unwrap();
    let here = own.local(&sandbox);
    let other = {
        let mut facts = facts();
        facts["plan"]["version"] = "8".into();
        ready(facts)
    };
    let ready = ready(facts());
    std::thread::scope(|scope| {
        // Also more than have compiled policies of their own.
        for _ in 0..12 {
            scope.spawn(|| {
                for _ in 0..70 {
                    assert_eq!(sandbox.evaluate(&own, &ready).report.findings[0].message, "at most 5");
                    assert_eq!(sandbox.evaluate(&good, &ready).report.verdict, Verdict::Pass);
                    assert_eq!(sandbox.evaluate(&bad, &ready).report.findings[0].message, "7");
                    assert_eq!(sandbox.evaluate(&bad, &other).report.findings[0].message, "8");
                }
            });
        }
        let is_apart = || !Arc::ptr_eq(&here.compiled, &own.local(&sandbox).compiled);
        assert!((0..100).any(|_| scope.spawn(is_apart).join().unwrap()), "all run one copy");
    });
}

#[test]
fn every_name_fits_the_bits_that_note_reads_and_has_documentation() {
    let sandbox = Sandbox::new(still());
    assert!(sandbox.citable().len() <= MOST_NAMES, "{}", sandbox.citable().len());
    let mut seen = std::collections::BTreeSet::new();
    for entry in crate::vocabulary::reference() {
        assert!(!entry.doc.is_empty() && seen.insert((entry.of, entry.name)), "{entry:?}");
    }
    for function in api::FUNCTIONS {
        assert!(seen.contains(&("function", function)), "{function}");
    }
}

#[test]
fn the_findings_of_the_engines_own_are_told_of_and_belong_to_no_pack() {
    let mut without_scan = facts();
    without_scan.as_object_mut().unwrap().remove("scan");
    let sandbox = Sandbox::new(still());
    let given = [("let a = 1;", without_scan), ("let a = 1;", facts()), ("let a = 1 / 0;", facts())];
    let given = given.map(|(source, facts)| {
        let report = sandbox.evaluate(&gate(&sandbox, "g", source).unwrap(), &ready(facts)).report;
        report.findings.first().unwrap().code.clone()
    });
    assert_eq!(given.each_ref().map(String::as_str), OWN_FINDINGS.map(|own| own.code));
    for own in OWN_FINDINGS {
        assert!(own.doc.ends_with('.') && !own.fix.is_empty() && !own.who.is_empty(), "{own:?}");
        let manifest = format!(
            "name = \"t\"\nversion = \"1\"\ntitle = \"t\"\napi = 1\nfacts = []\n[findings.{:?}]\ndoc = \"x\"\n",
            own.code
        );
        let files = [("policy.toml", manifest.as_str()), ("policy.rhai", ""), ("README.md", "")];
        let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        let error = Pack::new("t", files.into_iter().collect()).unwrap_err().to_string();
        assert!(error.contains("the engine's own"), "{error}");
    }
}

#[test]
fn a_packs_modules_are_called_by_their_names_and_faults_in_them_have_their_place() {
    let sandbox = Sandbox::new(still());
    let module = ("modules/sizes.rhai", "// Sizes.\nfn is_large(count, limit) {\n    count > limit\n}\n");
    let ask = |source: &str, module: (&str, &str)| -> Result<GateReport, PackError> {
        let gate = crate::samples::gate_of(&sandbox, "g", crate::samples::pack_with(source, &[module])?)?;
        Ok(sandbox.evaluate(&gate, &ready(facts())).report)
    };
    let source = "if sizes::is_large(plan.changes.count, params.limit) { deny(\"t.no\", \"large\", #{}); } \
                  else { pass(\"t.ok\", #{fact: \"plan.changes\"}); }";
    assert_eq!(ask(source, module).unwrap().verdict, Verdict::Pass);
    let report = ask("sizes::is_large(plan.version, 1);", module).unwrap();
    assert_eq!(report.verdict, Verdict::Fault);
    let place = report.findings[0].source.as_ref().unwrap();
    assert_eq!((place.file.as_str(), place.line, place.text.as_str()), (module.0, 3, "count > limit"));
    // Another policy's engine does not know the module.
    assert!(refusal(source).contains("no such module"), "{}", refusal(source));

    for (source, file, text, problem) in [
        ("sizes::is_small(1);", module.0, module.1, "the module has no such function"),
        ("sizes::is_large(1);", module.0, module.1, "takes 2 values and is given 1"),
        ("x::y::z();", module.0, module.1, "the pack has no such module"),
        ("let a = 1;", "modules/plan.rhai", "fn f() { 1 }", "`plan` is a name of the API"),
        ("let a = 1;", "modules/Big.rhai", "fn f() { 1 }", "lower-case letters"),
        (
            "let a = 1;",
            "modules/a.rhai",
            "let x = 1; fn f() { 1 }",
            "a module holds functions, and nothing else",
        ),
        ("let a = 1;", "modules/a.rhai", "fn deny() { 1 }", "`deny` is a name of the API"),
        ("let a = 1;", "modules/a.rhai", "fn f() { nothing() }", "there is no function `nothing`"),
        ("let a = 1;", "modules/a.rhai", "fn f() { plan.version }", "plan"),
        ("let a = 1;", "modules/a.rhai", "fn f( {", "modules/a.rhai:1"),
    ] {
        let error = ask(source, (file, text)).expect_err(source).to_string();
        assert!(error.contains(problem), "{source} {text}: {error}");
    }
}

#[test]
fn a_denial_says_the_earliest_time_at_which_it_could_pass() {
    let said = report("deny(\"t.no\", \"closed\", #{earliest: moment(\"2026-06-04T08:00:00Z\")});");
    assert_eq!(said.findings[0].earliest, Some("2026-06-04T08:00:00Z".parse().unwrap()));
    let said = report("undecided(\"t.no\", \"soon\", #{earliest: now + duration(\"1h\"), who: \"you\"});");
    assert_eq!(said.findings[0].earliest, Some("2026-06-03T11:00:00Z".parse().unwrap()));
    faults("deny(\"t.no\", \"closed\", #{earliest: \"tomorrow\"});", "`earliest` is a text, not a moment");
}

/// What an engine remembers of one policy's calls says nothing of another's, nor does it matter who
/// asked first.
#[test]
fn a_call_means_the_same_whatever_was_asked_before() {
    let sandbox = Sandbox::new(still());
    let facts = ready(facts());
    let say = |what: &str| format!("deny(\"t.no\", {what}, #{{}});");
    let own = |word: &str| format!("fn word() {{ \"{word}\" }}\n{}", say("word()"));
    // Two files of one pack call a function alike; which is meant depends on where it is called.
    let asking = "fn word() { \"inside\" }\nfn ask() { word() }\n";
    let module = [("modules/inner.rhai", asking)];
    let both =
        |first: &str, second: &str| format!("fn word() {{ \"outside\" }}\n{}\n{}", say(first), say(second));
    let gate_with = |source: &str, module: &[(&str, &str)]| {
        crate::samples::gate_of(&sandbox, "g", crate::samples::pack_with(source, module).unwrap()).unwrap()
    };
    let cases = [
        (gate_with(&own("one"), &[]), vec!["one"]),
        (gate_with(&own("two"), &[]), vec!["two"]),
        (gate_with(&say("\"none\""), &[]), vec!["none"]),
        (gate_with(&say("inner::ask()"), &module), vec!["inside"]),
        (gate_with(&both("word()", "word()"), &module), vec!["outside", "outside"]),
    ];
    for _ in 0..3 {
        for (gate, expected) in cases.iter().chain(cases.iter().rev()) {
            let report = sandbox.evaluate(gate, &facts).report;
            let told: Vec<_> = report.findings.iter().map(|finding| finding.message.as_str()).collect();
            assert_eq!(&told, expected, "{:?}", report.findings);
        }
    }
    let clashing = gate_with(&both("word()", "inner::ask()"), &module);
    assert_eq!(clashing.policy().calls, Calls::Clashing);
    let first = sandbox.evaluate(&clashing, &facts).report;
    for (gate, _) in &cases {
        assert_eq!(sandbox.evaluate(gate, &facts).report.verdict, Verdict::Deny);
        assert_eq!(sandbox.evaluate(&clashing, &facts).report, first);
    }
}
