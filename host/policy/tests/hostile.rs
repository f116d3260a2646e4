//! Scripts that are meant to harm, each against what stops it: refused with its place when it is
//! loaded, or a verdict that refuses with a reason; no panic, little memory, little time.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a broken wall should stop the test with the script that broke it"
)]

mod acme;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use peak_alloc::PeakAlloc;
use rustix::time::{ClockId, clock_gettime};
use sluice_model::verdict::Verdict;
use sluice_policy::{ReadyFacts, Sandbox, Stopwatch};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What one evaluation, or one compilation, may take at a time.
const MOST_BYTES: usize = 64 << 20;

/// What one evaluation may take of a processor: the limit of 50 ms and one native call, for which
/// an unoptimised build gets ten times what an optimised one needs.
const MOST_TIME: Duration = Duration::from_millis(50 + 250);

/// What must become of a script.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// It is not loaded, and told so with its place.
    Refused(&'static str),
    /// It breaks, for this reason; or it ran out of time before, on a slow machine.
    Fault(&'static str),
    /// It is harmless here, and says what it may.
    Says(Verdict),
    /// It breaks when it is loaded or asked: which of both is Rhai's choice.
    Either,
}

use Wanted::{Either, Fault, Refused, Says};

struct Case {
    script: String,
    wanted: Wanted,
    modules: Vec<(&'static str, String)>,
}

/// The time that this thread has had of a processor: what others do on the machine is not in it.
fn processor() -> Stopwatch {
    Arc::new(|| {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
    })
}

/// A text of 32 KiB in `s`.
const LONG: &str = "let s = \"0123456789abcdef\"; for i in 0..11 { s += s; } ";

/// The same text so many times, with `@` as the number.
fn many(count: usize, text: &str) -> String {
    (0..count).map(|n| text.replace('@', &n.to_string())).collect()
}

fn nested(count: usize, open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(count), close.repeat(count))
}

/// A list with so many of a value.
fn list(count: usize, value: &str) -> String {
    format!("[{}]", vec![value; count].join(", "))
}

const LOOPS: &[(&str, Wanted)] = &[
    ("loop { }", Fault("more than 200000 steps")),
    ("while true { }", Fault("more than 200000 steps")),
    ("do { } while true;", Fault("more than 200000 steps")),
    ("do { continue; } until false;", Fault("more than 200000 steps")),
    ("for x in 0..9223372036854775807 { }", Fault("more than 200000 steps")),
    ("for x in -9223372036854775807..9223372036854775807 { }", Fault("more than 200000 steps")),
    ("for x in plan.changes { for y in plan.changes { for z in plan.changes { } } }", Fault("steps")),
    ("loop { for x in plan.changes { if x.kind == \"none\" { } } }", Fault("steps")),
    ("loop { break; }", Says(Verdict::Undecided)),
    (
        "for x in 9223372036854775806..=9223372036854775807 { }",
        Fault("`for` goes over lists and ranges only"),
    ),
    ("for x in 9223372036854775807..-9223372036854775807 { }", Says(Verdict::Undecided)),
    ("loop { return; }", Says(Verdict::Undecided)),
];

const CALLS: &[(&str, Wanted)] = &[
    ("fn own(x) { own(x + 1) } own(1);", Fault("deeper than 16 levels")),
    ("fn a(x) { b(x) } fn b(x) { c(x) } fn c(x) { a(x) } a(1);", Fault("deeper than 16 levels")),
    ("fn own(x) { own(own(own(x))) } own(1);", Fault("deeper than 16 levels")),
    // Two calls in each of sixteen levels are 65,536 calls.
    ("fn own(n) { if n > 0 { own(n - 1); own(n - 1); } } loop { own(14); }", Fault("steps")),
    ("fn own(a) { own([a]) } own(1);", Fault("deeper than 16 levels")),
    ("fn own(s) { own(s + s) } own(\"0123456789abcdef\");", Fault("")),
];

const GROWTH: &[(&str, Wanted)] = &[
    ("let s = \"x\"; loop { s += s; }", Fault("too large")),
    ("let s = \"x\"; loop { s = s + s; }", Fault("too large")),
    ("let s = \"x\"; loop { s = `${s}${s}${s}${s}`; }", Fault("too large")),
    ("let s = \"x\"; loop { s += 'x'; }", Fault("")),
    ("let s = \"x\"; loop { s += 1; }", Fault("")),
    ("let a = [1]; loop { a += a; }", Fault("too large")),
    ("let a = [1]; loop { a = a + a; }", Fault("there is no function")),
    ("let a = []; loop { a += [[1, 2], [3, 4]]; }", Fault("too large")),
    ("let a = [1]; loop { a.push(1); }", Refused("there is no function `push`")),
    ("let a = [1]; a.pad(1000000000, 1);", Refused("there is no function `pad`")),
    ("let a = [1]; loop { a = [a, a]; }", Fault("too large")),
    ("let a = []; loop { a = [a]; }", Fault("too large")),
    ("let m = #{}; loop { m = #{a: m, b: m}; }", Fault("too large")),
    ("let m = #{}; loop { m = #{a: [m]}; }", Fault("")),
    ("let m = #{}; loop { m += #{a: m}; }", Fault("")),
    ("let m = #{}; for x in 0..1000000 { m[`${x}`] = x; }", Fault("copies more than 8 MiB")),
    ("let m = #{}; for x in 0..1000000 { m[`${x}`] = #{a: #{b: #{}}}; }", Fault("")),
    ("let m = #{}; let i = 0; loop { m[`${i}`] = [i, `${i}`]; i += 1; }", Fault("")),
    ("let m = #{a: 1}; loop { m.a = m; }", Fault("")),
    ("let a = [1]; loop { a[0] = a; }", Fault("")),
    ("let m = #{a: [1]}; loop { m.a[0] = m; }", Fault("")),
    ("let a = [[]]; loop { a[0] += [a]; }", Fault("")),
    (
        "let t = \"\"; for x in 0..400 { t += [`${x}`, \"a long text between\"].join(\", \"); } let u = t + t; loop { u += u; }",
        Fault("too large"),
    ),
    (
        "let s = `${`${`${`${1}`}`}`}`; let a = [s].join(\"\"); pass(\"t.ok\", #{fact: \"plan.version\", actual: plan.version});",
        Says(Verdict::Pass),
    ),
    ("let s = \"x\"; s.pad(1000000000, \"x\");", Refused("there is no function `pad`")),
    ("let s = \"x\" * 1000000000;", Fault("there is no function")),
    ("let b = blob(1000000000, 0);", Refused("there is no function `blob`")),
    ("let r = range(0, 9223372036854775807);", Refused("there is no function `range`")),
];

/// What follows on a text of 32 KiB in `s`.
const LARGE: &[(&str, Wanted)] = &[
    ("let m = #{}; for x in 0..10000 { m[`${x}`] = s + x; }", Fault("")),
    ("let a = []; for x in 0..512 { a += [s + \"x\"]; }", Fault("too large")),
    ("let a = [\"a\", \"b\"]; for i in 0..8 { a += a; } let t = a.join(s);", Fault("longer than 2000 bytes")),
    ("let a = [\"\"]; for i in 0..8 { a += a; } let t = a.join(s);", Fault("longer than 2000 bytes")),
    ("deny(\"t.no\", s, #{});", Fault("longer than 2000 bytes")),
    ("deny(\"t.no\", \"x\", #{actual: s});", Fault("longer than 2000 bytes")),
    ("loop { deny(\"t.no\", \"x\", #{fix: s}); }", Fault("longer than 2000 bytes")),
    ("throw s;", Fault("0123456789abcdef")),
    ("throw [s];", Fault("the policy throws")),
    ("let x = plan[s];", Fault("")),
    ("let x = params[s];", Fault("declares no parameter")),
    ("let x = plan.changes.where(s, \"==\", 1);", Fault("has no `0123456789abcdef")),
    ("let x = plan.changes.where(\"kind\", s, 1);", Fault("`0123456789abcdef")),
    ("loop { let x = plan.changes.where(\"kind\", \"==\", s); }", Fault("")),
    ("let x = duration(s);", Fault("`0123456789abcdef")),
    ("let x = moment(s);", Fault("`0123456789abcdef")),
    ("let x = calendars.named(s);", Fault("there is no calendar")),
    ("let x = s.split(\"0\");", Fault("more than 200 parts")),
    (
        "let x = approvals.quorum(#{\"ops\": 9223372036854775807});",
        Fault("asks for 9223372036854775807 people"),
    ),
    (
        "let m = #{}; for x in 0..250 { m[`${x}`] = 100; } let x = approvals.quorum(m);",
        Fault("asks for 25000 people"),
    ),
];

const NUMBERS: &[(&str, Wanted)] = &[
    ("let x = -9223372036854775807 - 1; let y = x / -1;", Fault("arithmetic")),
    ("let x = -9223372036854775807 - 1; let y = x % -1;", Fault("arithmetic")),
    ("let x = -9223372036854775807 - 1; let y = -x;", Fault("out of range")),
    ("let x = 9223372036854775807; x += 1;", Fault("arithmetic")),
    ("let x = 9223372036854775807 * 2;", Fault("arithmetic")),
    ("let x = 1 / 0;", Fault("arithmetic")),
    ("let x = 1 % 0;", Fault("arithmetic")),
    ("let x = 2 ** 9223372036854775807;", Fault("arithmetic")),
    ("let x = 2 ** -1;", Fault("")),
    (
        "let x = 1 << 9223372036854775807; let y = 1 << -9223372036854775807; let z = 1 >> -1; let w = 1 >> 64; throw `${x} ${y} ${z} ${w}`;",
        Fault(""),
    ),
    ("let x = 1 << (-9223372036854775807 - 1); throw \"shifted\";", Fault("")),
    ("let x = 1.0 / 0.0; let y = x - x; if y == y { }", Fault("compares a number with a number")),
    ("let x = 1.0 / 0.0; deny(\"t.no\", \"x\", #{actual: x});", Fault("not finite")),
    ("let x = 0.0 / 0.0; deny(\"t.no\", \"x\", #{actual: [x]});", Fault("not finite")),
    ("let x = 1e308 * 10.0; for i in 0..x { }", Fault("")),
    ("let x = 99999999999999999999;", Either),
    ("let x = 0xFFFFFFFFFFFFFFFF; if x > 0 { } else { throw \"negative\"; }", Fault("negative")),
    ("let x = 1e999999999; deny(\"t.no\", \"x\", #{actual: x});", Either),
    ("let x = 1.2.3.4;", Either),
    ("let x = [1][9223372036854775807];", Fault("element 9223372036854775807 of a list of 1")),
    ("let x = [][-9223372036854775807 - 1];", Fault("")),
    ("let x = \"abc\"[-9223372036854775807 - 1];", Fault("")),
    (
        "let x = \"abc\"[0..9223372036854775807]; let y = \"abc\"[9223372036854775806..=9223372036854775807]; let z = \"abc\"[-5..=-9]; throw x;",
        Fault(""),
    ),
    ("let x = 5; let y = x[63]; let z = x[0..=63]; x[0..=63] = -1; x[1..2] = 7; throw `${x}`;", Fault("")),
    ("let x = 5; let y = x[64];", Fault("")),
    ("let x = 5; let y = x[-9223372036854775807 - 1];", Fault("")),
    ("let x = 5; let y = x[3..=9223372036854775807];", Says(Verdict::Undecided)),
    ("let x = now + duration(\"7000000d\") + duration(\"7000000d\");", Fault("out of range")),
    ("let d = duration(\"7000000d\"); loop { d = d + d; }", Fault("out of range")),
    ("let x = duration(\"99999999999997000000d\");", Fault("is not a duration")),
    ("let x = duration(\"-0.0000000000000000001s\");", Fault("")),
    ("let x = moment(\"-009999-01-01T00:00:00Z\") - duration(\"9999d\");", Fault("is not a moment")),
];

const NAMES: &[(&str, Wanted)] = &[
    ("eval(\"pass()\");", Refused("eval")),
    ("let e = \"ev\" + \"al\"; e.call(\"1\");", Refused("name of a property")),
    ("let f = Fn(\"deny\"); f.call();", Refused("Fn")),
    ("let f = |x| x;", Refused("|")),
    ("let f = || 1;", Refused("")),
    ("fn own() { 1 } let f = own; let g = f + f; loop { f = [f, f]; }", Either),
    ("fn own() { 1 } let f = own; if f == f { }", Either),
    ("fn own() { 1 } deny(\"t.no\", \"x\", #{actual: own});", Either),
    ("fn pass(code, because) { }", Refused("is a name of the API")),
    ("fn own(deny) { deny }", Refused("is a name of the API")),
    ("let plan = #{version: \"9\"};", Refused("is a name of the API")),
    ("const now = 1;", Refused("is a name of the API")),
    ("for params in [1] { }", Refused("is a name of the API")),
    ("{ { { let evidence = 1; } } }", Refused("is a name of the API")),
    ("fn `pass`() { }", Refused("")),
    ("fn to_string(x) { \"x\" } let a = `${1}`;", Refused("is a name of the API")),
    ("fn is_missing(x) { true }", Refused("is a name of the API")),
    ("fn anything(x) { true } let x = 1; x.anything();", Either),
    ("private fn pass(a, b) { }", Refused("is a name of the API")),
    ("fn int.own() { 1 } fn \"text\".own() { 1 }", Says(Verdict::Undecided)),
    ("fn int.pass() { 1 }", Refused("is a name of the API")),
    ("let x = 1; let x = 2;", Refused("")),
    ("plan.version = \"9\";", Fault("")),
    ("plan = 1;", Fault("cannot be changed")),
    ("plan.changes = [];", Fault("")),
    ("now -= duration(\"30d\");", Fault("")),
    ("params[\"limit\"] = 100;", Fault("")),
    ("evidence.first.issuer_is_known = true;", Fault("")),
    ("let x = global::plan;", Fault("")),
    ("let x = global::own;", Fault("")),
    ("import \"/etc/passwd\" as x;", Refused("import")),
    ("export plan;", Refused("export")),
    ("let x = std::env::vars();", Refused("no such module")),
    ("sleep(9223372036854775807);", Refused("sleep")),
    ("let t = timestamp(); while t.elapsed < 10.0 { }", Refused("there is no function `timestamp`")),
    ("let x = rand();", Refused("there is no function `rand`")),
    ("let x = parse_json(\"[1]\");", Refused("there is no function `parse_json`")),
    ("print(\"x\"); debug(\"x\");", Refused("print")),
    ("let x = this;", Refused("this")),
    (
        "try { deny(\"t.no\", \"x\", #{}); throw 1; } catch { pass(\"t.ok\", #{fact: \"plan.version\"}); }",
        Refused("try"),
    ),
    ("let x = plan?.version ?? \"9\";", Refused("")),
    ("let x = switch 1 { _ => 2 };", Refused("switch")),
    ("let a = 1; let f = a.is_shared();", Refused("there is no function `is_shared`")),
    ("let a = [1]; let b = a; a[0] = b; b[0] = a; if a.count != 1 { throw 1; }", Says(Verdict::Undecided)),
    ("let x = \"a\".contains(1);", Fault("")),
    ("let x = plan.to_string();", Fault("there is no function")),
    ("let x = \"a\".to_string();", Fault("there is no function to_string (text)")),
    ("let x = `${plan}`; let y = `${evidence} ${params} ${now}`; throw x;", Fault("")),
    ("let x = [plan, evidence, params]; deny(\"t.no\", \"x\", #{actual: x});", Fault("cite a value")),
    ("pass(\"t.ok\", #{fact: [\"plan.version\", [\"plan\"]]});", Fault("must cite a fact")),
    ("pass(\"t.ok\", #{fact: \"plan.version\"});", Fault("has not read")),
    ("return pass(\"t.ok\", #{fact: \"now\"});", Fault("has not read")),
];

const SYNTAX: &[(&str, Wanted)] = &[
    ("", Says(Verdict::Undecided)),
    (";;;;", Says(Verdict::Undecided)),
    ("/* no end", Says(Verdict::Undecided)),
    ("/* /* nested */ deny(\"t.no\", \"x\", #{});", Says(Verdict::Undecided)),
    ("\"no end", Refused("")),
    ("`no end ${", Refused("")),
    ("`${`${`${", Refused("")),
    ("`${}`", Either),
    ("let x = `${}`;", Either),
    ("let a = [`${}`, ``]; let m = #{a: `${}`}; throw a[0];", Fault("the policy throws")),
    ("my_obj[\"a\"].().b", Refused("")),
    ("let x = 1; x.().b;", Refused("")),
    ("let x = 1; (x.a).b.c; (x[1])[2];", Either),
    ("let x = (plan.version).y;", Either),
    ("let x = 1 ** 2 ** 3 ** 4 ** 5 ** 6 ** 7;", Either),
    ("let x = -----1; let y = !!!!!true; let z = - - - 1;", Either),
    ("let x = 'ab';", Refused("")),
    ("let x = '';", Refused("")),
    ("let x = \"\\u{110000}\";", Refused("")),
    ("let x = \"\\uD800\";", Refused("")),
    ("let x = \"\\x80\";", Either),
    ("let x = #\"raw\"#; let y = ##\"raw \"# \"##; throw y;", Either),
    ("#{", Refused("")),
    ("let m = #{a: 1, a: 2};", Refused("")),
    ("let m = #{\"\": 1, \" \": 2};", Either),
    ("fn (", Refused("")),
    ("fn f(a, a) { }", Refused("")),
    ("fn f() { fn g() { } }", Refused("")),
    ("if true { fn g() { } }", Refused("")),
    ("return return return 1;", Either),
    ("break;", Refused("")),
    ("fn f() { break; } loop { f(); }", Refused("")),
    ("let x = loop { break 1; }; let y = if true { 1 }; let z = { 1 };", Says(Verdict::Undecided)),
    ("\u{0}", Refused("")),
    ("let x = \"\u{0}\"; throw x;", Fault("")),
    ("\u{feff}let x = 1;", Either),
    ("\u{202e}let x = 1;", Refused("")),
    (
        "if plan.version == \"\u{202e}\u{2066}// fine\u{2069} \u{2066}\" \u{202e}{ pass(\"t.ok\", #{fact: \"plan.version\"}); }",
        Refused(""),
    ),
    ("let pl\u{430}n = \"9\";", Refused("")),
    ("let \u{1d4d0} = 1;", Refused("")),
    ("let \u{fe0f} = 1;", Refused("")),
    ("let\u{a0}x = 1;", Refused("")),
    ("let x = 1;\u{2028}let y = 2;", Refused("")),
    (
        "let x = \"\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\"[1]; let y = \"\u{1f468}\u{200d}\"[0..1]; throw `${x}${y}`;",
        Fault(""),
    ),
    ("/**\u{3000}\n \u{3000}* doc\n \u{a0}*/\nfn own() { 1 }", Either),
    ("/// doc\n///\u{3000}doc\nfn own() { 1 }", Either),
    ("let x = \"\\", Refused("")),
    ("let x = \"a\\\n   b\"; throw x;", Either),
    ("x = 1;", Refused("")),
    ("1 = 2;", Refused("")),
    ("own() = 2; fn own() { 1 }", Refused("")),
    ("let a = [1]; a[0][0][0] = 1;", Fault("")),
    ("let a = [1]; a.count = 5;", Fault("")),
    ("[1, 2][0] = 5;", Either),
    ("let x = 1..; let y = ..2; for i in .. { }", Refused("")),
    ("let r = 0..10; for i in r { for j in r { } } let a = [0, 1][r];", Fault("")),
    ("let r = 0..9223372036854775807; let s = `${r}`; r += r;", Fault("")),
];

fn generated() -> Vec<(String, Wanted)> {
    let filled = |count: usize| format!("{LONG}{}", many(count, "let v@ = s + \"x\"; "));
    let frames =
        |body: String| format!("fn own(n, s) {{ {body} if n > 0 {{ own(n - 1, s); }} }} {LONG} own(14, s);");
    vec![
        (format!("let x = {};", nested(200, "(", "1", ")")), Refused("complexity")),
        (format!("let x = {};", nested(10_000, "(", "1", ")")), Refused("complexity")),
        (format!("let x = {};", nested(10_000, "[", "", "]")), Refused("complexity")),
        (format!("let x = {};", nested(5_000, "#{a:", "1", "}")), Refused("complexity")),
        (format!("let x = {};", nested(5_000, "`${", "1", "}`")), Refused("")),
        (nested(5_000, "if true {", "", "}"), Refused("complexity")),
        (nested(10_000, "{", "", "}"), Refused("complexity")),
        (nested(5_000, "loop {", "", "}"), Refused("complexity")),
        (format!("let x = {}1;", "-".repeat(30_000)), Refused("")),
        (format!("let x = {}true;", "!".repeat(30_000)), Refused("")),
        (format!("let x = 1{};", " + 1".repeat(10_000)), Refused("")),
        (format!("let x = 2{};", " ** 2".repeat(10_000)), Refused("")),
        (format!("let x = true{};", " && true".repeat(8_000)), Refused("")),
        (format!("let x = plan{};", ".version".repeat(5_000)), Refused("")),
        (format!("let x = plan{};", "[0]".repeat(15_000)), Refused("")),
        (
            format!("let x = own({}){}; fn own(x) {{ x }}", "own(".repeat(5_000), ")".repeat(5_000)),
            Refused(""),
        ),
        (format!("if false {{ }}{}", " else if false { }".repeat(3_000)), Either),
        (many(100, "fn own@() { 1 } "), Refused("functions")),
        (many(300, "let v@ = 1; "), Fault("more than 256 variables")),
        (many(60, "fn own@(x) { own@(x) } "), Says(Verdict::Undecided)),
        (format!("fn own({}) {{ 1 }}", many(5_000, "p@, ")), Either),
        (format!("let x = {};", list(20_000, "1")), Refused("array literal")),
        (format!("let x = {};", list(511, "1")), Says(Verdict::Undecided)),
        (format!("let x = #{{{}}};", many(300, "a@: 1, ")), Refused("object map literal")),
        (format!("let x = \"{}\";", "x".repeat(64_000)), Says(Verdict::Undecided)),
        (format!("let x = \"{}\";", "x".repeat(70_000)), Refused("has 70")),
        (format!("let {} = 1;", "x".repeat(60_000)), Says(Verdict::Undecided)),
        (format!("let x = {}1;", "\n".repeat(65_000)), Either),
        (format!("{}let x = 1 / 0;", " ".repeat(65_000)), Fault("arithmetic")),
        (format!("let x = 1{};", "0".repeat(60_000)), Either),
        (format!("let x = 0.{}1; throw `${{x}}`;", "0".repeat(60_000)), Fault("")),
        (format!("let x = \"e{}\"; let y = x[1]; throw x[0..2];", "\u{301}".repeat(30_000)), Fault("")),
        (format!("//{}\nlet x = 1 / 0;", "x".repeat(65_000)), Fault("arithmetic")),
        (format!("{}{}", "/*".repeat(16_000), "*/".repeat(16_000)), Either),
        ("/*".repeat(32_000), Says(Verdict::Undecided)),
        ("`".repeat(60_001), Either),
        ("#".repeat(60_000), Refused("")),
        ("\"\\u{1F600}\" + ".repeat(4_000) + "\"\"", Refused("")),
        (format!("pass({});", many(1_000, "@, ")), Refused("is given 1000 values, more than 32")),
        (format!("let n = 1; n.pass({});", many(1_000, "@, ")), Refused("values, more than 32")),
        (format!("let x = pass({});", many(32, "@, ")), Fault("there is no function pass")),
        (filled(250), Says(Verdict::Undecided)),
        (frames(many(200, "let v@ = s + \"x\"; ")), Fault("copies more than 8 MiB")),
        (frames(many(200, "let v@ = `${s}x`; ")), Fault("copies more than 8 MiB")),
        (frames(many(200, "let v@ = [s, 1]; let w@ = v@; ")), Fault("copies more than 8 MiB")),
        // Arguments are variables that no `let` declares.
        (
            format!(
                "fn own({}) {{ let s = p0; own({}); }} {LONG} own({});",
                many(30, "p@, "),
                many(30, "s + \"@\", "),
                many(30, "s + \"@\", ")
            ),
            Fault("copies more than 8 MiB"),
        ),
        // A map of one entry takes half a kilobyte and two steps: as many as there can be.
        (frames(many(28, &format!("let v@ = {}; ", list(250, "#{a:1}")))), Fault("steps")),
        (frames(many(100, &format!("let v@ = {}; ", list(40, "`${n}text`")))), Fault("steps")),
        (frames(many(60, &format!("let v@ = {}; ", list(100, "[n,[n]]")))), Fault("steps")),
        (
            format!(
                "let m = #{{{}}}; fn own(n, m) {{ {} if n > 0 {{ own(n - 1, m); }} }} own(14, m);",
                many(250, "k@: #{a: 1}, "),
                many(200, "let v@ = m; ")
            ),
            Fault(""),
        ),
        (
            format!("{} f0(100000);", many(60, "fn f@(x) { if x > 0 { f@(x - 1) } else { 0 } } ")),
            Fault("deeper than 16 levels"),
        ),
        (
            format!(
                "{LONG} for x in 0..200 {{ deny(\"t.no\", \"x\", #{{actual: {}}}); }}",
                list(30, "s[0..1900]")
            ),
            Fault(""),
        ),
        (
            format!(
                "for x in 0..199 {{ deny(\"t.no\", \"{}\", #{{actual: {}}}); }}",
                "x".repeat(1_900),
                list(100, "\"0123456789\"")
            ),
            Says(Verdict::Deny),
        ),
        (
            format!(
                "for x in 0..200 {{ deny(\"t.no\", \"x\", #{{actual: {}}}); }}",
                nested(5, "[", "[1],[1],[1],[1],[1]", "]")
            ),
            Says(Verdict::Deny),
        ),
    ]
}

/// What asks much of the facts: 20,000 changes.
const FACTS: &[(&str, Wanted)] = &[
    ("loop { let x = plan.changes.where(\"kind\", \"!=\", \"none\"); }", Fault("more than 4000000 rows")),
    (
        "let a = []; loop { a += [plan.changes.where(\"kind\", \"known\", true)]; }",
        Fault("more than 4000000 rows"),
    ),
    ("loop { let x = plan.changes.where(\"name\", \"==\", \"name 7\"); }", Fault("steps")),
    (
        "let l = plan.changes.where(\"kind\", \"!=\", \"none\"); loop { l = l.where(\"kind\", \"!=\", \"none\"); }",
        Fault("more than 4000000 rows"),
    ),
    ("let x = plan.changes.values(\"name\");", Fault("more than 200 values")),
    ("let x = plan.changes.group(\"object\");", Fault("more than 60 values")),
    ("loop { let x = plan.changes.values(\"kind\"); }", Fault("more than 4000000 rows")),
    ("loop { let x = plan.changes.group(\"kind\"); }", Fault("more than 4000000 rows")),
    ("let a = []; for x in 0..500 { a += plan.changes.group(\"kind\"); }", Fault("")),
    ("let a = [1]; for i in 0..8 { a += a; } let x = plan.changes.where(\"kind\", \"in\", a);", Fault("")),
    (
        "let a = [\"q\"]; for i in 0..8 { a += a; } loop { let x = plan.changes.where(\"kind\", \"in\", a); }",
        Fault(""),
    ),
    ("let a = []; for c in plan.changes { a += [c.name]; }", Fault("")),
    ("let m = #{}; for c in plan.changes { m[c.name] = c; }", Fault("")),
    ("let t = \"\"; for c in plan.changes { t += c.name; }", Fault("")),
    ("let x = plan.changes.first.bytes + 1;", Fault("")),
    ("let x = plan.changes.sum(\"bytes\");", Fault("is no integer")),
    ("for c in plan.changes { if c in plan.changes { } }", Fault("")),
];

/// What is asked about changes whose names are 100 KiB each.
const LONG_FACTS: &[(&str, Wanted)] = &[
    ("let x = plan.changes.first.name;", Fault("bytes of text, more than")),
    ("for c in plan.changes { if c.name == \"x\" { } }", Fault("bytes of text, more than")),
    ("let x = plan.changes.values(\"name\");", Fault("bytes of text is more than")),
    (
        "let x = plan.changes.where(\"kind\", \"==\", \"page\").group(\"name\");",
        Fault("bytes of text is more than"),
    ),
    (
        "let x = plan.changes.where(\"name\", \"in\", [\"a\", \"b\"]); let y = plan.changes.where(\"name\", \">\", \"b\");",
        Says(Verdict::Undecided),
    ),
    (
        "if plan.changes.where(\"name\", \"==\", \"x\").count == 0 { pass(\"t.ok\", #{fact: \"plan.changes.name\"}); }",
        Says(Verdict::Pass),
    ),
];

fn cases() -> Vec<Case> {
    let plain = [LOOPS, CALLS, GROWTH, NUMBERS, NAMES, SYNTAX, FACTS].concat();
    let large = LARGE.iter().map(|(script, wanted)| (format!("{LONG}{script}"), *wanted));
    let mut cases: Vec<Case> = plain
        .into_iter()
        .map(|(script, wanted)| (script.to_owned(), wanted))
        .chain(large)
        .chain(generated())
        .map(|(script, wanted)| Case { script, wanted, modules: Vec::new() })
        .collect();
    let in_module = [
        ("m::f(1);", "fn f(x) { m::f(x) }", Refused("no such module")),
        ("m::f(1);", "fn f(x) { f(x) }", Fault("deeper than 16 levels")),
        ("m::f(1);", "fn f(x) { loop { } }", Fault("more than 200000 steps")),
        ("m::f(1);", "fn f(x) { plan.version }", Refused("plan")),
        ("m::f(plan);", "fn f(x) { x.version = 1; }", Fault("")),
        ("let m = 1; m::f(1);", "fn f(x) { x / 0 }", Fault("arithmetic")),
        ("fn f(x) { 1 } m::f(1);", "fn g(x) { f(x) } fn f(x) { throw \"mine\" }", Fault("mine")),
    ];
    cases.extend(in_module.map(|(script, module, wanted)| Case {
        script: script.to_owned(),
        wanted,
        modules: vec![("modules/m.rhai", module.to_owned())],
    }));
    cases
}

/// How a script ended, or what is wrong with how.
fn played(sandbox: &Sandbox, ready: &Arc<ReadyFacts>, case: &Case) -> Result<(), String> {
    let modules: Vec<_> = case.modules.iter().map(|(file, text)| (*file, text.as_str())).collect();
    let begun = MEMORY.current_usage();
    let took = |what: &str| match MEMORY.peak_usage().saturating_sub(begun) {
        bytes if bytes > MOST_BYTES => Err(format!("{what} takes {bytes} bytes at a time")),
        _ => Ok(()),
    };
    MEMORY.reset_peak_usage();
    let gate = acme::pack_with(&case.script, &modules)
        .and_then(|pack| acme::gate(sandbox, pack, "g", BTreeMap::new()));
    took("loading it")?;
    let gate = match (gate, case.wanted) {
        (Ok(gate), Fault(_) | Says(_) | Either) => gate,
        (Ok(_), Refused(_)) => return Err("is loaded".to_owned()),
        (Err(error), Refused(reason)) => {
            let told = error.to_string();
            // A file that is too large has no line.
            let has_place = error.at.position.is_some() || told.contains("has 70");
            let is_told = told.contains(reason) && !error.problem.is_empty();
            return if has_place && is_told { Ok(()) } else { Err(format!("is refused so: {told}")) };
        }
        (Err(error), Either) if error.at.position.is_some() => return Ok(()),
        (Err(error), _) => return Err(format!("is refused: {error}")),
    };
    MEMORY.reset_peak_usage();
    let asked = sandbox.evaluate(&gate, ready);
    took("asking it")?;
    if asked.used.time > MOST_TIME {
        return Err(format!("takes {:?} of a processor", asked.used.time));
    }
    let report = asked.report;
    let last = report.findings.last().ok_or("says nothing at all")?;
    let is_out_of_time = asked.transient && last.message == "took longer than 50 ms";
    let is_as_wanted = match case.wanted {
        Fault(reason) => {
            report.verdict == Verdict::Fault && (last.message.contains(reason) || is_out_of_time)
        }
        Says(verdict) => report.verdict == verdict,
        _ => report.verdict != Verdict::Pass,
    };
    // A panic is caught, and still one too many.
    if is_as_wanted && !last.message.is_empty() && !last.message.contains("broke the engine") {
        Ok(())
    } else {
        Err(format!("is {}: {}", report.verdict, last.message))
    }
}

/// One after the other in one thread, since the memory is counted for the whole process.
#[test]
fn every_hostile_script_is_stopped_with_a_reason_within_its_bounds() {
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    let ready = acme::ready(acme::facts_with_changes(20_000));
    let sandbox = Sandbox::new(processor());
    let mut long = acme::facts_with_changes(100);
    for change in long["plan"]["changes"].as_array_mut().unwrap() {
        change["name"] = format!("{}{}", "x".repeat(100 << 10), change["name"]).into();
    }
    let long = acme::ready(long);
    let long_facts: Vec<Case> = LONG_FACTS
        .iter()
        .map(|(script, wanted)| Case { script: (*script).to_owned(), wanted: *wanted, modules: Vec::new() })
        .collect();
    let mut wrong = Vec::new();
    for (case, ready) in
        cases.iter().map(|case| (case, &ready)).chain(long_facts.iter().map(|case| (case, &long)))
    {
        let start: String = case.script.chars().take(100).collect();
        match catch_unwind(AssertUnwindSafe(|| played(&sandbox, ready, case))) {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => wrong.push(format!("{start:?} {:?}: {problem:.300}", case.wanted)),
            Err(_) => wrong.push(format!("{start:?}: a panic left the engine")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
