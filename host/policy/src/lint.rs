//! What is wrong with a policy although it loads: told before it is asked, also on paths that no
//! case takes.
//!
//! The types of facts are followed along all ways through a source: through members, `where`, `for`,
//! `if`, and into the policy's own functions from where they are called. Where a value's type is not
//! known, nothing is said about it.

mod reader;
mod shape;
mod state;

use std::collections::BTreeSet;

use rhai::Position;
use sluice_model::verdict::Verdict;

use crate::pack::{MANIFEST_FILE, PackError, Policy, SOURCE_FILE};
use crate::page::verdicts;
use crate::sandbox::line_column;
use reader::{Calls, Part, Reader};
use shape::{Members, Shape};

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
    doc: "A value that may be missing is compared, reckoned with or taken for a truth, or an optional fact is read, where nothing has asked whether it is there. Each is a fault.",
    fix: "ask `is_missing(value)` before, on each way there, or keep only those that are known by `where(field, \"known\", true)`",
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
/// A `pass` that cites what cannot be read.
const UNKNOWN_CITATION: Rule = Rule {
    id: "unknown-citation",
    doc: "A `pass` that cites a fact which does not exist, or which `policy.toml` does not declare. It is a fault.",
    fix: "cite a fact that the policy reads, by its name in the reference: `plan.changes.action`",
};
/// A call that no function takes.
const WRONG_CALL: Rule = Rule {
    id: "wrong-call",
    doc: "A function that is given more or fewer values than it takes, a finding that tells what findings do not, or a comparison that `where` does not know. Each is a fault.",
    fix: "write the call as the reference shows it, such as `deny(code, message, #{…})`",
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
pub const RULES: [Rule; 12] = [
    UNKNOWN_MEMBER,
    UNKNOWN_PARAMETER,
    UNDECLARED_CODE,
    MISSING_VALUE,
    UNTESTED_CODE,
    UNMENDED_CODE,
    LARGE_LOOP,
    UNCITED_PASS,
    UNKNOWN_CITATION,
    WRONG_CALL,
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
    let found = read(policy);
    let mut lints = found.lints;
    lints.extend(unused(policy, &found.used));
    lints.extend(untested(policy)?);
    Ok(lints.into_iter().collect())
}

/// How often the sources are read until it is known what each function is called with.
const MOST_READINGS: usize = 8;

/// Reads all sources of a policy, until what its functions are called with is known.
fn read(policy: &Policy) -> Found {
    let members = Members::new();
    let parts: Vec<(String, Vec<Part>)> = policy
        .compiled
        .sources()
        .map(|ast| {
            let file = ast.source().unwrap_or(SOURCE_FILE);
            (file.to_owned(), Part::all(ast, file))
        })
        .collect();
    let mut calls = Calls::new();
    let mut reading = 0;
    loop {
        let mut found = Found { calls: calls.clone(), ..Found::default() };
        for (file, parts) in &parts {
            file.clone_into(&mut found.file);
            for part in parts {
                let given = part.name.as_ref().and_then(|name| calls.get(name));
                Reader::new(policy, &members, &mut found).read(part, given);
            }
        }
        if found.calls == calls || reading > MOST_READINGS {
            return found;
        }
        calls = std::mem::take(&mut found.calls);
        if reading == MOST_READINGS {
            calls.values_mut().flatten().for_each(|shape| *shape = Shape::Unknown);
        }
        reading += 1;
    }
}

/// What was found in the sources, and what they use.
#[derive(Default)]
struct Found {
    file: String,
    lints: BTreeSet<Lint>,
    used: Used,
    calls: Calls,
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
    let said = verdicts(policy);
    let only_passes = |code: &String| said.get(code).is_some_and(|said| said.iter().eq([&Verdict::Pass]));
    let (mut given, mut refusing, mut mended) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for suite in policy.pack().suites()?.values() {
        for case in &suite.cases {
            given.extend(case.codes.iter().cloned());
            if matches!(case.verdict, Verdict::Deny | Verdict::Undecided) {
                refusing.extend(case.codes.iter().filter(|code| !only_passes(code)).cloned());
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
mod tests;
