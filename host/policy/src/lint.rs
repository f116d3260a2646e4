//! What is wrong with a policy although it loads: told before it is asked, also on paths that no
//! case takes.
//!
//! The types of facts are followed through members, `where` and `for`; where a value's type is not
//! known, nothing is said about it.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

use crate::pack::{MANIFEST_FILE, PackError, Policy, SOURCE_FILE};
use crate::sandbox::line_column;
use crate::vocabulary::{Documented, reference};

/// A rule by which policies are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its stable name.
    pub id: &'static str,
    /// What it finds.
    pub doc: &'static str,
    /// What to do.
    pub fix: &'static str,
}

/// A fact has no such member.
const UNKNOWN_MEMBER: Rule = Rule {
    id: "unknown-member",
    doc: "A member that the fact does not have. Asking for it is a fault, and a gate that breaks is lifted by nobody.",
    fix: "use one of the members that the reference lists for the fact",
};
/// The policy declares no such parameter.
const UNKNOWN_PARAMETER: Rule = Rule {
    id: "unknown-parameter",
    doc: "A parameter that `policy.toml` does not declare. Asking for it is a fault.",
    fix: "declare the parameter in `policy.toml`, or use one that is declared",
};
/// The policy declares no such code.
const UNDECLARED_CODE: Rule = Rule {
    id: "undeclared-code",
    doc: "A finding whose code `policy.toml` does not declare. Giving it is a fault.",
    fix: "declare the code under `findings` with its documentation, fix and who",
};
/// A comparison with what may be missing.
const MISSING_VALUE: Rule = Rule {
    id: "missing-value",
    doc: "A value that may be missing is compared, or an optional fact is read, and nothing asks whether it is there. Either is a fault.",
    fix: "ask `is_missing(value)` before, or keep only those that are known by `where(field, \"known\", true)`",
};
/// A finding that no case gives.
const UNTESTED_CODE: Rule = Rule {
    id: "untested-code",
    doc: "A finding that no case of the pack gives: nobody has seen the rule refuse.",
    fix: "write a case under `tests/` whose findings have the code",
};
/// A refusal that no case mends.
const UNMENDED_CODE: Rule = Rule {
    id: "unmended-code",
    doc: "A refusing finding that no case mends by a `fix`: nobody has seen that doing what it says makes the gate pass.",
    fix: "give a case with the code a `fix` after which the gate passes",
};
/// A loop over a list that may be long.
const LARGE_LOOP: Rule = Rule {
    id: "large-loop",
    doc: "A loop over all of a list that may hold 100,000 facts. It takes a step of the script for each.",
    fix: "narrow the list by `where`, or use `count`, `sum`, `group` or `values`",
};
/// A `pass` that cites nothing.
const UNCITED_PASS: Rule = Rule {
    id: "uncited-pass",
    doc: "A `pass` that cites no fact. It is a fault: a pass rests on something that was read.",
    fix: "name what was read: `pass(code, #{fact: \"evidence.executed\", …})`",
};
/// A finding without a way out.
const NO_WAY_OUT: Rule = Rule {
    id: "no-way-out",
    doc: "A refusing finding for which `policy.toml` says neither what to do nor who can.",
    fix: "give the finding `fix` and `who` in `policy.toml`",
};
/// Something declared that nothing uses.
const UNUSED: Rule = Rule {
    id: "unused-declaration",
    doc: "A fact, parameter or finding that `policy.toml` declares and the source does not use.",
    fix: "take it out of `policy.toml`, or use it",
};

/// All rules, in the order of the documentation.
pub const RULES: [Rule; 10] = [
    UNKNOWN_MEMBER,
    UNKNOWN_PARAMETER,
    UNDECLARED_CODE,
    MISSING_VALUE,
    UNTESTED_CODE,
    UNMENDED_CODE,
    LARGE_LOOP,
    UNCITED_PASS,
    NO_WAY_OUT,
    UNUSED,
];

/// Something that a rule found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lint {
    /// The file within the pack.
    pub file: String,
    /// Line and column, from 1, where it has a place in the file.
    pub position: Option<(usize, usize)>,
    /// The rule's name.
    pub rule: &'static str,
    /// What is wrong there.
    pub message: String,
}

impl Lint {
    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> &'static str {
        RULES.iter().find(|rule| rule.id == self.rule).map_or("", |rule| rule.fix)
    }
}

/// Looks at a policy by all rules.
///
/// # Errors
/// [`PackError`] where its cases cannot be read.
pub fn lint(policy: &Policy) -> Result<Vec<Lint>, PackError> {
    let members = Members::new();
    let mut found = Found::default();
    let modules = policy.modules.values().map(|(_, ast)| ast);
    for ast in std::iter::once(&policy.ast).chain(modules) {
        found.file = ast.source().unwrap_or(SOURCE_FILE).to_owned();
        // A function sees its own variables only.
        for part in [ast.clone_statements_only(), ast.clone_functions_only()] {
            Reader::new(policy, &members, &part).read(&part, &mut found);
        }
    }
    let mut lints = found.lints;
    lints.extend(unused(policy, &found.used));
    lints.extend(untested(policy)?);
    Ok(lints.into_iter().collect())
}

/// What was found in the sources, and what they use.
#[derive(Default)]
struct Found {
    file: String,
    lints: BTreeSet<Lint>,
    used: Used,
}

#[derive(Default)]
struct Used {
    variables: BTreeSet<String>,
    parameters: BTreeSet<String>,
    codes: BTreeSet<String>,
}

impl Found {
    fn note(&mut self, rule: &Rule, position: Position, message: String) {
        let (file, position) = (self.file.clone(), line_column(position));
        self.lints.insert(Lint { file, position, rule: rule.id, message });
    }
}

/// What is known of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// One fact of a type, with the fields that are known to be there.
    Fact(&'static str, BTreeSet<String>),
    /// A list of facts, with the fields that are known to be there, and whether all are in it.
    List(&'static str, BTreeSet<String>, bool),
    /// The gate's parameters.
    Parameters,
    /// A field of a fact, and whether it may be missing.
    Value { name: String, may_be_missing: bool },
    /// Anything.
    Unknown,
}

impl Shape {
    fn list(of: &'static str) -> Self {
        Self::List(of, BTreeSet::new(), true)
    }

    fn fact(of: &'static str) -> Self {
        Self::Fact(of, BTreeSet::new())
    }

    fn present(name: &str) -> Self {
        Self::Value { name: name.to_owned(), may_be_missing: false }
    }
}

/// The shapes of variables that every policy can have.
fn of_variable(name: &str) -> Option<Shape> {
    Some(match name {
        "workspace" => Shape::fact("workspace"),
        "transition" => Shape::fact("transition"),
        "app" => Shape::fact("app"),
        "plan" => Shape::fact("plan"),
        "scan" => Shape::fact("scan"),
        "evidence" => Shape::list("evidence"),
        "approvals" => Shape::list("approval"),
        "waivers" => Shape::list("waiver"),
        "history" => Shape::list("past transition"),
        "plugins" => Shape::list("plugin"),
        "environments" => Shape::list("environment of the workspace"),
        "people" => Shape::list("person"),
        "calendars" => Shape::list("calendar"),
        "now" => Shape::present("now"),
        "params" => Shape::Parameters,
        _ => return None,
    })
}

/// Facts that are reached through another fact.
fn within(fact: &str, member: &str) -> Option<Shape> {
    Some(match (fact, member) {
        ("transition", "from" | "to") => Shape::fact("environment"),
        ("plan", "changes") => Shape::list("change"),
        ("plan", "sources") => Shape::list("source"),
        ("plan", "credentials") => Shape::list("credential"),
        ("plan", "still_pointing_at_source") => Shape::list("leftover"),
        ("scan", "secrets") => Shape::list("secret"),
        ("scan", "personal_data") => Shape::list("personal datum"),
        _ => return None,
    })
}

/// Lists that may hold 100,000 facts.
const LARGE: [&str; 4] = ["change", "leftover", "personal datum", "past transition"];

/// The fields of each type of fact, and whether they may be missing.
struct Members(BTreeMap<&'static str, BTreeMap<&'static str, bool>>);

impl Members {
    fn new() -> Self {
        let mut members: BTreeMap<_, BTreeMap<_, bool>> = BTreeMap::new();
        for Documented { of, name, doc } in reference() {
            let fields = members.entry(of).or_default();
            if !name.is_empty() {
                fields.insert(name, doc.contains("missing"));
            }
        }
        Self(members)
    }

    fn may_be_missing(&self, fact: &str, field: &str) -> Option<bool> {
        self.0.get(fact)?.get(field).copied()
    }

    fn names(&self, fact: &str) -> String {
        let names = self.0.get(fact).into_iter().flat_map(BTreeMap::keys);
        names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }
}

/// Reads a part of a source whose variables belong together.
struct Reader<'p> {
    policy: &'p Policy,
    members: &'p Members,
    variables: BTreeMap<String, Shape>,
    /// What `is_missing` is asked of, as it is written.
    guarded: BTreeSet<String>,
}

impl<'p> Reader<'p> {
    fn new(policy: &'p Policy, members: &'p Members, part: &AST) -> Self {
        let mut guarded = BTreeSet::new();
        part.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)))
                    if call.name == "is_missing" =>
                {
                    guarded.extend(call.args.first().and_then(written));
                }
                Some(ASTNode::Expr(chain @ Expr::Dot(..))) => {
                    guarded.extend(
                        written(chain).and_then(|text| text.strip_suffix(".is_missing()").map(str::to_owned)),
                    );
                }
                _ => {}
            }
            true
        });
        Self { policy, members, variables: BTreeMap::new(), guarded }
    }

    fn read(mut self, part: &AST, found: &mut Found) {
        part.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Stmt(statement)) => self.statement(statement, found),
                Some(ASTNode::Expr(expression)) => self.expression(expression, found),
                _ => {}
            }
            true
        });
    }

    fn statement(&mut self, statement: &Stmt, found: &mut Found) {
        match statement {
            Stmt::Var(var, _, _) => {
                let shape = self.shape(&var.1, found);
                self.variables.insert(var.0.name.to_string(), shape);
            }
            Stmt::For(each, position) => {
                let list = self.shape(&each.2.expr, found);
                let element = match list {
                    Shape::List(of, known, is_all) => {
                        if is_all && LARGE.contains(&of) {
                            let message = format!("goes over every {of} one by one");
                            found.note(&LARGE_LOOP, *position, message);
                        }
                        Shape::Fact(of, known)
                    }
                    _ => Shape::Unknown,
                };
                self.variables.insert(each.0.name.to_string(), element);
            }
            Stmt::Assignment(assignment) => {
                if let Expr::Variable(variable, _, _) = &assignment.1.lhs {
                    self.variables.insert(variable.1.to_string(), Shape::Unknown);
                }
            }
            Stmt::FnCall(call, position) => self.call(call, *position, found),
            _ => {}
        }
    }

    fn expression(&mut self, expression: &Expr, found: &mut Found) {
        match expression {
            Expr::FnCall(call, position) => self.call(call, *position, found),
            Expr::Dot(..) => drop(self.shape(expression, found)),
            Expr::Variable(variable, _, position) => {
                let name = variable.1.as_str();
                let is_optional = self.policy.pack().manifest().optional.iter().any(|fact| fact == name);
                if is_optional && !self.guarded.contains(name) {
                    found.note(
                        &MISSING_VALUE,
                        *position,
                        format!("the optional fact `{name}` may be missing"),
                    );
                }
                found.used.variables.insert(name.to_owned());
            }
            _ => {}
        }
    }

    fn call(&mut self, call: &FnCallExpr, position: Position, found: &mut Found) {
        match call.name.as_str() {
            "pass" | "deny" | "undecided" => self.finding(call, position, found),
            "==" | "!=" | "<" | "<=" | ">" | ">=" => {
                for side in &call.args {
                    self.compared(side, found);
                }
            }
            _ => {}
        }
    }

    fn finding(&mut self, call: &FnCallExpr, position: Position, found: &mut Found) {
        let manifest = self.policy.pack().manifest();
        if let Some(Expr::StringConstant(code, position)) = call.args.first() {
            found.used.codes.insert(code.to_string());
            match manifest.findings.get(code.as_str()) {
                None => {
                    let message = format!("gives the finding `{code}`, which is not declared");
                    found.note(&UNDECLARED_CODE, *position, message);
                }
                Some(doc) => {
                    let refuses = call.name != "pass";
                    if refuses && (doc.fix.is_none() || doc.who.is_none()) {
                        let message = format!("`{code}` does not say what to do or who can");
                        found.note(&NO_WAY_OUT, *position, message);
                    }
                }
            }
        }
        if call.name == "pass"
            && let Some(Expr::Map(map, _)) = call.args.get(1)
            && !map.0.iter().any(|(name, _)| name.name == "fact")
        {
            found.note(&UNCITED_PASS, position, "passes without a `fact`".to_owned());
        }
    }

    /// A side of a comparison.
    fn compared(&mut self, side: &Expr, found: &mut Found) {
        if let Shape::Value { name, may_be_missing: true } = self.shape(side, found)
            && !written(side).is_some_and(|text| self.guarded.contains(&text))
        {
            found.note(&MISSING_VALUE, side.position(), format!("`{name}` may be missing"));
        }
    }

    fn shape(&self, expression: &Expr, found: &mut Found) -> Shape {
        match expression {
            Expr::Variable(variable, _, _) => {
                let name = variable.1.as_str();
                self.variables.get(name).cloned().or_else(|| of_variable(name)).unwrap_or(Shape::Unknown)
            }
            Expr::Dot(sides, _, _) => {
                let base = self.shape(&sides.lhs, found);
                self.step(base, &sides.rhs, found)
            }
            _ => Shape::Unknown,
        }
    }

    /// What a step of a chain comes to: chains nest to the right.
    fn step(&self, base: Shape, step: &Expr, found: &mut Found) -> Shape {
        match step {
            Expr::Dot(sides, _, _) => {
                let next = self.step(base, &sides.lhs, found);
                self.step(next, &sides.rhs, found)
            }
            Expr::Property(property, position) => self.member(base, &property.2, *position, found),
            Expr::MethodCall(call, position) => self.method(base, call, *position, found),
            _ => Shape::Unknown,
        }
    }

    fn member(&self, base: Shape, name: &str, position: Position, found: &mut Found) -> Shape {
        match base {
            Shape::Fact(fact, known) => {
                if let Some(inner) = within(fact, name) {
                    return inner;
                }
                match self.members.may_be_missing(fact, name) {
                    Some(may_be_missing) => Shape::Value {
                        name: name.to_owned(),
                        may_be_missing: may_be_missing && !known.contains(name),
                    },
                    None => self.unknown(fact, name, position, found),
                }
            }
            Shape::List(of, known, _) => match name {
                "count" => Shape::present("count"),
                "first" => Shape::Fact(of, known),
                _ => {
                    let message = format!("a list of {of} has no `{name}`; it has `count` and `first`");
                    found.note(&UNKNOWN_MEMBER, position, message);
                    Shape::Unknown
                }
            },
            Shape::Parameters => {
                found.used.parameters.insert(name.to_owned());
                if !self.policy.pack().manifest().parameters.contains_key(name) {
                    let message = format!("`policy.toml` declares no parameter `{name}`");
                    found.note(&UNKNOWN_PARAMETER, position, message);
                }
                Shape::Unknown
            }
            Shape::Value { .. } | Shape::Unknown => Shape::Unknown,
        }
    }

    fn unknown(&self, fact: &str, name: &str, position: Position, found: &mut Found) -> Shape {
        let article = if fact.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let message = format!("{article} {fact} has no `{name}`; it has {}", self.members.names(fact));
        found.note(&UNKNOWN_MEMBER, position, message);
        Shape::Unknown
    }

    fn method(&self, base: Shape, call: &FnCallExpr, position: Position, found: &mut Found) -> Shape {
        let Shape::List(of, mut known, is_all) = base else { return Shape::Unknown };
        let field = match call.args.first() {
            Some(Expr::StringConstant(field, position)) => Some((field.as_str(), *position)),
            _ => None,
        };
        let takes_field =
            matches!(call.name.as_str(), "where" | "values" | "group" | "sum" | "least" | "most" | "median");
        if let Some((field, position)) = field.filter(|_| takes_field) {
            match self.members.may_be_missing(of, field) {
                None => return self.unknown(of, field, position, found),
                Some(true) if !known.contains(field) && !asks_whether_known(call) => {
                    found.note(&MISSING_VALUE, position, format!("`{field}` of some {of} may be missing"));
                }
                Some(_) => {}
            }
        }
        match call.name.as_str() {
            "where" => {
                if let Some((field, _)) = field.filter(|_| keeps_known(call)) {
                    known.insert(field.to_owned());
                }
                Shape::List(of, known, false)
            }
            "take" => Shape::List(of, known, false),
            "newest" | "oldest" | "named" => {
                if call.name != "named" && self.members.may_be_missing(of, "age").is_none() {
                    return self.unknown(of, "age", position, found);
                }
                Shape::Fact(of, known)
            }
            "outside" => Shape::List(of, known, is_all),
            "sum" | "least" | "most" | "median" => Shape::present(call.name.as_str()),
            _ => Shape::Unknown,
        }
    }
}

/// Whether a `where` asks whether a field is there.
fn asks_whether_known(call: &FnCallExpr) -> bool {
    matches!(call.args.get(1), Some(Expr::StringConstant(word, _)) if word == "known")
}

/// Whether a `where` keeps those whose field is there.
fn keeps_known(call: &FnCallExpr) -> bool {
    asks_whether_known(call) && matches!(call.args.get(2), Some(Expr::BoolConstant(true, _)))
}

/// A chain of members as it is written.
fn written(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Variable(variable, _, _) => Some(variable.1.to_string()),
        Expr::Property(property, _) => Some(property.2.to_string()),
        Expr::MethodCall(call, _) if call.args.is_empty() => Some(format!("{}()", call.name)),
        Expr::Dot(sides, _, _) => Some(format!("{}.{}", written(&sides.lhs)?, written(&sides.rhs)?)),
        _ => None,
    }
}

fn in_manifest(rule: &Rule, message: String) -> Lint {
    Lint { file: MANIFEST_FILE.to_owned(), position: None, rule: rule.id, message }
}

fn unused(policy: &Policy, used: &Used) -> Vec<Lint> {
    let manifest = policy.pack().manifest();
    let mut lints = Vec::new();
    for fact in manifest.reads().filter(|fact| !used.variables.contains(*fact)) {
        lints.push(in_manifest(&UNUSED, format!("the fact `{fact}` is declared and not read")));
    }
    for name in manifest.parameters.keys().filter(|name| !used.parameters.contains(*name)) {
        lints.push(in_manifest(&UNUSED, format!("the parameter `{name}` is declared and not read")));
    }
    for code in manifest.findings.keys().filter(|code| !used.codes.contains(*code)) {
        lints.push(in_manifest(&UNUSED, format!("the finding `{code}` is declared and not given")));
    }
    lints
}

fn untested(policy: &Policy) -> Result<Vec<Lint>, PackError> {
    use sluice_model::verdict::Verdict;
    let (mut given, mut refusing, mut mended) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for suite in policy.pack().suites()?.values() {
        for case in &suite.cases {
            given.extend(case.codes.iter().cloned());
            if matches!(case.verdict, Verdict::Deny | Verdict::Undecided) {
                refusing.extend(case.codes.iter().cloned());
                if case.fix.is_some() {
                    mended.extend(case.codes.iter().cloned());
                }
            }
        }
    }
    let declared = &policy.pack().manifest().findings;
    let untested = declared.keys().filter(|code| !given.contains(*code));
    let untested =
        untested.map(|code| in_manifest(&UNTESTED_CODE, format!("no case gives the finding `{code}`")));
    let unmended = declared.keys().filter(|code| refusing.contains(*code) && !mended.contains(*code));
    let unmended =
        unmended.map(|code| in_manifest(&UNMENDED_CODE, format!("no case mends the finding `{code}`")));
    Ok(untested.chain(unmended).collect())
}

#[cfg(test)]
mod tests {
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
            ("for c in plan.changes { }", "large-loop", 1, "goes over every change"),
            ("if false { pass(\"t.ok\", #{actual: 1}); }", "uncited-pass", 1, "passes without a `fact`"),
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
            "let x = #{a: 1}; let y = x.anything;",
            "fn own(plan) { 1 } let y = params.limit;",
            "deny(\"t.no\", \"x\", #{});",
        ] {
            let source = source.replace("fn own(plan)", "fn own(thing)");
            assert_eq!(found(&source), [], "{source}");
        }
    }

    #[test]
    fn what_is_declared_is_used_tested_and_mended() {
        let source = "if plan.unchanged > params.limit { deny(\"t.no\", \"x\", #{}); }";
        let rest = |more: &[(&str, &str)]| {
            let pack = samples::pack_with(source, more).unwrap();
            let policy = Sandbox::new(samples::still()).compile(pack).unwrap();
            let lints = lint(&policy).unwrap();
            lints.into_iter().map(|lint| format!("{}: {}", lint.rule, lint.message)).collect::<Vec<_>>()
        };
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
        let mended = rest(&[("tests/a.toml", &format!("{case}fix = {{}}\n"))]);
        assert!(!mended.iter().any(|lint| lint.contains("no case mends")), "{mended:?}");
    }

    #[test]
    fn every_rule_is_documented_once() {
        let ids: BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), RULES.len());
        assert!(RULES.iter().all(|rule| rule.doc.ends_with('.') && !rule.fix.is_empty()));
    }
}
