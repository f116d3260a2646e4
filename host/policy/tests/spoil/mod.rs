//! Policies and facts made of random bytes, and what must hold of every one of them.
//!
//! Shared by the fuzz target, which chooses the bytes by what they reach, and by a test that takes
//! them at random.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_model::verdict::Verdict;
use sluice_policy::{Facts, Limits, ReadyFacts, Sandbox, reference};

use crate::acme;

/// Choices taken from bytes; after their end always the first choice, so that all comes to an end.
struct Choices<'b>(&'b [u8]);

impl<'b> Choices<'b> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, count: usize) -> usize {
        let wide = if count > 200 { usize::from(self.byte()) << 8 } else { 0 };
        (wide + usize::from(self.byte())) % count.max(1)
    }

    fn of<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len())]
    }
}

/// Whole expressions: the API, and values that break what is careless.
const ATOMS: &[&str] = &[
    "1",
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775807 - 1",
    "1.5",
    "0.0 / 0.0",
    "\"\"",
    "\"page\"",
    "\"\u{202e}\u{301}\u{1f468}\"",
    "'x'",
    "true",
    "false",
    "()",
    "[]",
    "#{}",
    "[1, \"1\"]",
    "#{a: 1, b: []}",
    "x",
    "y",
    "n",
    "s",
    "now",
    "plan",
    "params",
    "evidence",
    "approvals",
    "plan.changes",
    "plan.sources",
    "scan.secrets",
    "transition.to.name",
    "plan.changes.first",
    "evidence.newest()",
    "calendars.first",
    "params.limit",
    "params.allowed",
    "duration(\"7d\")",
    "moment(\"2026-01-05T09:00:00Z\")",
    "own(1, 1, [1], s)",
    "0..3",
    "`${x}`",
    "``",
    "people.values(\"name\")",
    "plan.changes.group(\"kind\")",
    "history.median(\"objects\")",
    "approvals.quorum(#{ops: 1})",
];

const OPERATORS: &[&str] = &[
    "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "**", "<<", ">>", "&&", "||", "&", "^", "in",
    "..", "..=",
];

const TESTS: &[&str] = &["==", "!=", "<", ">=", "in", "has", "known", "is", ""];

/// What holds, or not, of most facts.
const CONDITIONS: &[&str] = &[
    "plan.changes.count > n",
    "plan.changes.where(\"kind\", \"==\", \"page\").count == 1",
    "x in [1, 2]",
    "true",
    "s == \"7\"",
    "scan.secrets.count == 0",
    "evidence.where(\"failed\", \"known\", true).count > 0",
    "transition.to.holds_production_data",
    "now > moment(\"2026-01-05T09:00:00Z\")",
    "is_missing(plan.bytes)",
    "y.is_empty()",
    "people.where(\"roles\", \"has\", \"ops\").count < 9",
    "calendars.named(\"releases\").is_open",
    "approvals.quorum(#{ops: 1}).met",
    "evidence.newest().age < duration(\"9d\")",
];

/// What no policy may have.
const ABSENT: &[&str] =
    &["own", "this", "global::x", "x ?? 1", "x?.a", "eval(s)", "nothing", "plan.nothing", "m::f()"];

/// Text that no grammar would make.
const NOISE: &[&str] = &[
    "(", ")", "{", "}", "[", "]", ";", ",", ".", "`", "\"", "${", "/*", "//", "#", "|", "?.", "fn", "let",
    "switch", "try", "\u{0}", "\u{feff}", "\\u{", "0x", "1e9", "'", "::", "=>", "import", "\n",
];

struct Script<'c, 'b> {
    choices: &'c mut Choices<'b>,
    /// Names of facts' fields, and of functions.
    fields: Vec<&'static str>,
    functions: Vec<&'static str>,
}

impl Script<'_, '_> {
    /// What a statement does something with: mostly a value, sometimes anything.
    fn value(&mut self) -> String {
        if self.choices.below(3) == 0 { self.expression(3) } else { (*self.choices.of(ATOMS)).to_owned() }
    }

    fn expression(&mut self, depth: usize) -> String {
        let way = if depth == 0 { 0 } else { self.choices.below(12) };
        match way {
            0..=2 if self.choices.below(60) == 1 => (*self.choices.of(ABSENT)).to_owned(),
            0..=2 => (*self.choices.of(ATOMS)).to_owned(),
            3 => {
                let (a, b) = (self.expression(depth - 1), self.expression(depth - 1));
                format!("({a} {} {b})", self.choices.of(OPERATORS))
            }
            4 => format!("{}.{}", self.expression(depth - 1), self.field()),
            5 => {
                let (list, wanted) = (self.expression(depth - 1), self.expression(depth - 1));
                format!("{list}.where(\"{}\", \"{}\", {wanted})", self.field(), self.choices.of(TESTS))
            }
            6 => {
                let of = self.expression(depth - 1);
                format!("{of}.{}(\"{}\")", self.function(), self.field())
            }
            7 => format!("{}({})", self.function(), self.expression(depth - 1)),
            8 => format!("{}[{}]", self.expression(depth - 1), self.expression(depth - 1)),
            9 => format!("[{}, {}]", self.expression(depth - 1), self.expression(depth - 1)),
            10 => format!("`a${{{}}}b${{{}}}`", self.expression(depth - 1), self.expression(depth - 1)),
            _ => format!("#{{fact: {}, actual: {}}}", self.expression(depth - 1), self.expression(depth - 1)),
        }
    }

    fn condition(&mut self) -> String {
        if self.choices.below(4) != 0 {
            return (*self.choices.of(CONDITIONS)).to_owned();
        }
        let (a, b) = (self.expression(2), self.expression(1));
        format!("{a} {} {b}", self.choices.of(&OPERATORS[..6]))
    }

    fn statement(&mut self, depth: usize) -> String {
        let way = self.choices.below(if depth == 0 { 7 } else { 13 });
        let inner = |more: &mut Self| if depth == 0 { String::new() } else { more.statement(depth - 1) };
        match way {
            0 => format!("x = {};", self.value()),
            1 => format!("s += {};", self.value()),
            2 => format!("{};", self.value()),
            3 => format!("pass(\"t.ok\", #{{fact: \"plan.version\", actual: {}}});", self.value()),
            4 => {
                format!("deny(\"t.no\", `${{{}}}`, #{{actual: {}}});", self.value(), self.value())
            }
            5 => format!("undecided(\"t.no\", \"{}\");", self.field()),
            6 => format!("y[{}] = {};", self.value(), self.value()),
            7 => format!("if {} {{ {} }} else {{ {} }}", self.condition(), inner(self), inner(self)),
            8 => format!("for i in {} {{ {} }}", self.value(), inner(self)),
            9 => format!("while {} {{ {} }}", self.condition(), inner(self)),
            10 => format!("loop {{ {} {} break; }}", inner(self), inner(self)),
            11 => format!("{{ let z = {}; {} }}", self.value(), inner(self)),
            _ => format!("return {};", self.value()),
        }
    }

    fn field(&mut self) -> &'static str {
        let fields = std::mem::take(&mut self.fields);
        let field = *self.choices.of(&fields);
        self.fields = fields;
        field
    }

    fn function(&mut self) -> &'static str {
        let functions = std::mem::take(&mut self.functions);
        let function = *self.choices.of(&functions);
        self.functions = functions;
        function
    }
}

fn script(choices: &mut Choices<'_>) -> String {
    let all = reference();
    let names = |are_functions: bool| {
        let entries =
            all.iter().filter(|entry| (entry.of == "function") == are_functions && !entry.name.is_empty());
        entries.map(|entry| entry.name).collect::<Vec<_>>()
    };
    let mut script = Script { choices, fields: names(false), functions: names(true) };
    let mut text = "let x = 1; let y = [1]; let n = 1; let s = plan.version;\n".to_owned();
    for _ in 0..1 + script.choices.below(6) {
        text += &script.statement(3);
        text.push('\n');
    }
    if script.choices.below(2) == 1 {
        text += &format!("fn own(n, x, y, s) {{ {} {} }}", script.statement(2), script.expression(2));
    } else {
        text += "fn own(n, x, y, s) { n }";
    }
    // Sometimes something is cut out or put in, wherever that is.
    if script.choices.below(6) == 1 {
        let at = script.choices.below(text.len());
        let at = (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let noise: &&str = script.choices.of(NOISE);
        text.insert_str(at, noise);
    }
    text
}

/// A place at most so deep in a value.
fn within<'v>(value: &'v mut Value, choices: &mut Choices<'_>, depth: usize) -> &'v mut Value {
    let count = match &*value {
        Value::Object(members) => members.len(),
        Value::Array(items) => items.len(),
        _ => 0,
    };
    if depth == 0 || count == 0 || choices.below(6) == 1 {
        return value;
    }
    let at = choices.below(count);
    let inner = match value {
        Value::Object(members) => members.values_mut().nth(at).unwrap(),
        other => &mut other[at],
    };
    within(inner, choices, depth - 1)
}

/// Puts something else at some places of the facts.
fn facts(choices: &mut Choices<'_>) -> Value {
    let mut facts = acme::facts();
    if choices.below(3) != 1 {
        return facts;
    }
    for _ in 0..1 + choices.below(3) {
        let other = [
            Value::Null,
            json!(0),
            json!(u64::MAX),
            json!(-1),
            json!(1.5),
            json!(""),
            json!("x".repeat(70_000)),
            json!("2999-01-01T00:00:00Z"),
            json!("\u{202e}"),
            json!([]),
            json!({}),
            json!(true),
        ];
        let other = choices.of(&other).clone();
        let place = within(&mut facts, choices, 6);
        *place = other;
    }
    facts
}

/// Makes a policy and facts of bytes, asks the one about the other, and checks what must hold.
/// Says what it came to.
pub(crate) fn spoil(bytes: &[u8]) -> &'static str {
    let mut choices = Choices(bytes);
    let source = script(&mut choices);
    let facts = facts(&mut choices);

    // Few steps, so that a run is short; they stop as the many do.
    let begun = Instant::now();
    let limits = Limits { operations: 5_000, time: Duration::from_secs(10), ..Limits::default() };
    let sandbox = Sandbox::with_limits(Arc::new(move || begun.elapsed()), limits);
    let gate = acme::pack(&source).and_then(|pack| acme::gate(&sandbox, pack, "g", BTreeMap::new()));
    let gate = match gate {
        Ok(gate) => gate,
        Err(error) => {
            let told = error.to_string();
            assert!(told.starts_with("`t/policy.rhai:") && !error.problem.is_empty(), "{source}\n{told}");
            assert!(!told.contains("the parser broke"), "{source}\n{told}");
            return "refused";
        }
    };
    let Ok(facts) = serde_json::from_value::<Facts>(facts) else { return "no facts" };
    let Ok(ready) = ReadyFacts::new(facts) else { return "no facts" };
    let decided = sandbox.decide(std::slice::from_ref(&gate), &ready, &[], None);
    let report = &decided.decision.gates[0];
    assert!(!report.findings.is_empty(), "{source}");
    for finding in &report.findings {
        assert!(!finding.message.is_empty(), "{source}\n{finding:?}");
        assert!(!finding.message.contains("broke the engine"), "{source}\n{finding:?}");
    }
    let worst = report.findings.iter().map(|finding| finding.verdict).max();
    assert_eq!(worst, Some(report.verdict), "{source}");
    assert_eq!(decided.decision.is_allowed(), report.verdict == Verdict::Pass, "{source}");
    assert!(report.verdict != Verdict::Pass || source.contains("pass("), "{source}");
    assert!(decided.replayable, "{source}");
    let again = sandbox
        .replay(&decided.decision.input, |digest| {
            (*digest == gate.spec().pack).then(|| Arc::clone(gate.policy()))
        })
        .unwrap();
    assert_eq!(again.decision.canonical().unwrap(), decided.decision.canonical().unwrap(), "{source}");
    match report.verdict {
        Verdict::Pass => "pass",
        Verdict::Undecided => "undecided",
        Verdict::Deny => "deny",
        Verdict::Fault => "fault",
    }
}
