//! Cases of a pack: facts in, verdict and findings out, in the configuration of production.
//!
//! A file under `tests/` holds facts and cases; each case changes the facts at some places and
//! says what the policy then says. A case that refuses may say what mends it, and then that is
//! tried too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_model::verdict::{Level, Verdict};
use sluice_model::{Pointer, json};

use crate::facts::{Facts, ReadyFacts};
use crate::gate::{Gate, GateReport, GateSpec, Selector};
use crate::pack::{Pack, PackError, Policy};
use crate::sandbox::Sandbox;

/// The folder of a pack's cases: `tests/*.toml` and `tests/*.json`.
pub const TESTS_FOLDER: &str = "tests/";

/// Bytes of a JSON file of cases, which is no larger than a file of a pack may be.
const MOST_BYTES: usize = 1 << 20;

/// A file of cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// The facts that each case starts from.
    pub facts: Value,
    /// The cases.
    #[serde(rename = "case")]
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it is about, in words; unique within its file.
    pub name: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The codes of all findings.
    pub codes: BTreeSet<String>,
    /// Something that a finding's message, fix or values must say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// Parameters of the gate, in place of the policy's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Value>,
    /// Values that are put into the facts, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<Set>,
    /// Places that are then taken out of the facts, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Pointer>,
    /// What mends a refusal: done on top of the case's own change, it makes the gate pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

/// What mends a refusal: a change of facts and parameters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fix {
    /// Parameters of the gate, in place of the policy's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Value>,
    /// Values that are put into the facts, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<Set>,
    /// Places that are then taken out of the facts, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Pointer>,
}

/// A value put at a place of the facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Where; `-` as the last part puts it at the end of a list (RFC 6902).
    pub at: Pointer,
    /// What.
    pub to: Value,
}

/// How a case came out.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseReport {
    /// The case's name.
    pub name: String,
    /// What the policy said, where it was asked.
    pub report: Option<GateReport>,
    /// Whether its fix was tried and the gate then passed.
    pub is_fixed: bool,
    /// Why the case failed, or `None` where it holds.
    pub problem: Option<String>,
}

/// Reads a file of cases, TOML or JSON.
///
/// # Errors
/// Line and column where they are known, and what is wrong.
pub fn read_suite(text: &str, is_toml: bool) -> Result<Suite, (Option<(usize, usize)>, String)> {
    let suite: Suite = if is_toml {
        toml::from_str(text).map_err(|error| {
            let place = error.span().map(|span| crate::pack::position(text, span.start));
            (place, error.message().to_owned())
        })?
    } else {
        let value = json::read(text.as_bytes(), MOST_BYTES).map_err(|error| (None, error.to_string()))?;
        serde_json::from_value(value).map_err(|error| (None, error.to_string()))?
    };
    let mut names = BTreeSet::new();
    match suite.cases.iter().find(|case| !names.insert(case.name.as_str())) {
        Some(twice) => Err((None, format!("has two cases `{}`", twice.name))),
        None => Ok(suite),
    }
}

impl Pack {
    /// The pack's files of cases, by their path within it.
    ///
    /// # Errors
    /// [`PackError`] with the file for what is neither TOML nor JSON, misses something, or names a
    /// case twice.
    pub fn suites(&self) -> Result<BTreeMap<String, Suite>, PackError> {
        let mut suites = BTreeMap::new();
        for (file, text) in self.files().iter().filter(|(file, _)| file.starts_with(TESTS_FOLDER)) {
            let is_toml = file.ends_with(".toml");
            if !is_toml && !file.ends_with(".json") {
                return Err(self.error(file, None, "is neither `.toml` nor `.json`: cases are one of them"));
            }
            let suite =
                read_suite(text, is_toml).map_err(|(place, problem)| self.error(file, place, problem))?;
            suites.insert(file.clone(), suite);
        }
        Ok(suites)
    }
}

impl Sandbox {
    /// Plays a case, and then its fix where it has one.
    #[must_use]
    pub fn play(&self, policy: &Arc<Policy>, suite: &Suite, case: &Case) -> CaseReport {
        let mut played = CaseReport { name: case.name.clone(), report: None, is_fixed: false, problem: None };
        let mut facts = suite.facts.clone();
        let asked = change(&mut facts, &case.set, &case.remove)
            .and_then(|()| self.ask(policy, &facts, &case.parameters));
        let report = match asked {
            Ok(report) => report,
            Err(problem) => return CaseReport { problem: Some(problem), ..played },
        };
        played.problem = case.missed(&report);
        let refuses = report.verdict != Verdict::Pass;
        played.report = Some(report);
        let Some(fix) = &case.fix else { return played };
        if !refuses {
            let nothing = || "has a `fix`, and its verdict is pass: there is nothing to mend".to_owned();
            played.problem.get_or_insert_with(nothing);
            return played;
        }
        let parameters = case.parameters.iter().chain(&fix.parameters);
        let parameters = parameters.map(|(name, value)| (name.clone(), value.clone())).collect();
        let mended = change(&mut facts, &fix.set, &fix.remove)
            .and_then(|()| self.ask(policy, &facts, &parameters))
            .and_then(|report| match report.verdict {
                Verdict::Pass => Ok(()),
                verdict => Err(format!("does not pass, but is {verdict}: {}", said(&report))),
            });
        match mended {
            Ok(()) => played.is_fixed = true,
            Err(problem) => {
                played.problem.get_or_insert(format!("after its fix: {problem}"));
            }
        }
        played
    }

    fn ask(
        &self,
        policy: &Arc<Policy>,
        facts: &Value,
        parameters: &BTreeMap<String, Value>,
    ) -> Result<GateReport, String> {
        let facts = facts_of(facts.clone())?;
        let ready = ReadyFacts::new(facts).map_err(|error| error.to_string())?;
        let spec = GateSpec {
            name: policy.pack().manifest().name.clone(),
            pack: policy.pack().digest(),
            level: Level::Hard,
            waivable: false,
            parameters: parameters.clone(),
            selector: Selector::default(),
        };
        let gate = Gate::new(spec, policy).map_err(|error| error.to_string())?;
        Ok(self.evaluate(&gate, &ready).report)
    }
}

impl Case {
    /// The facts of the case: those of its file with its own changes.
    ///
    /// # Errors
    /// Says which change does not fit, or what the facts miss.
    pub fn facts(&self, suite: &Suite) -> Result<Facts, String> {
        let mut facts = suite.facts.clone();
        change(&mut facts, &self.set, &self.remove)?;
        facts_of(facts)
    }

    /// What the report has otherwise than the case wants, if anything.
    fn missed(&self, report: &GateReport) -> Option<String> {
        let codes: BTreeSet<String> = report.findings.iter().map(|finding| finding.code.clone()).collect();
        if report.verdict != self.verdict {
            return Some(format!("wants {} and is {}: {}", self.verdict, report.verdict, said(report)));
        }
        if codes != self.codes {
            let list = |codes: &BTreeSet<String>| {
                let codes: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
                if codes.is_empty() { "no finding".to_owned() } else { codes.join(", ") }
            };
            return Some(format!("wants {} and has {}: {}", list(&self.codes), list(&codes), said(report)));
        }
        let wanted = self.says.as_deref()?;
        let told = serde_json::to_string(&report.findings).unwrap_or_default();
        (!told.contains(wanted)).then(|| format!("nothing says `{wanted}`: {}", said(report)))
    }
}

fn facts_of(facts: Value) -> Result<Facts, String> {
    serde_json::from_value(facts).map_err(|error| format!("the facts are none: {error}"))
}

/// What a report says, in a line.
fn said(report: &GateReport) -> String {
    let lines = report.findings.iter().map(|finding| {
        let place = finding.source.as_ref().map(|at| format!(" ({}:{})", at.file, at.line));
        format!("{} {}: {}{}", finding.verdict, finding.code, finding.message, place.unwrap_or_default())
    });
    lines.collect::<Vec<_>>().join("; ")
}

fn change(facts: &mut Value, set: &[Set], remove: &[Pointer]) -> Result<(), String> {
    for Set { at, to } in set {
        put(facts, at, to.clone()).ok_or_else(|| format!("`set`: the facts have no place `{at}`"))?;
    }
    for at in remove {
        take(facts, at).ok_or_else(|| format!("`remove`: the facts have nothing at `{at}`"))?;
    }
    Ok(())
}

fn put(facts: &mut Value, at: &Pointer, to: Value) -> Option<()> {
    let (member, parent) = (at.tokens().last()?, at.parent()?);
    match parent.get_mut(facts)? {
        Value::Object(members) => {
            members.insert(member.clone(), to);
        }
        Value::Array(items) if member == "-" => items.push(to),
        Value::Array(items) => *items.get_mut(member.parse::<usize>().ok()?)? = to,
        _ => return None,
    }
    Some(())
}

fn take(facts: &mut Value, at: &Pointer) -> Option<()> {
    let (member, parent) = (at.tokens().last()?, at.parent()?);
    match parent.get_mut(facts)? {
        Value::Object(members) => members.remove(member).map(drop),
        Value::Array(items) => {
            let index = member.parse::<usize>().ok().filter(|index| *index < items.len())?;
            items.remove(index);
            Some(())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::samples;

    /// Plays one case of a script that denies more changes than `limit` allows.
    fn played(case: Value) -> CaseReport {
        let source = "if plan.changes.count > params.limit { deny(\"t.no\", \"many\", #{}); } \
                      else { pass(\"t.ok\", #{fact: \"plan.changes\"}); }";
        let sandbox = Sandbox::new(samples::still());
        let suite = Suite { facts: samples::facts(), cases: vec![serde_json::from_value(case).unwrap()] };
        let policy = sandbox.compile(samples::pack(source).unwrap()).unwrap();
        sandbox.play(&policy, &suite, &suite.cases[0])
    }

    #[test]
    fn a_case_holds_only_if_verdict_codes_words_and_fix_do() {
        let passes = json!({"name": "c", "verdict": "pass", "codes": ["t.ok"]});
        let denies = json!({
            "name": "c", "verdict": "deny", "codes": ["t.no"], "parameters": {"limit": 1}, "says": "many",
        });
        let with = |case: &Value, member: &str, value: Value| {
            let mut case = case.clone();
            case[member] = value;
            case
        };
        for (case, problem) in [
            (passes.clone(), None),
            (denies.clone(), None),
            (with(&denies, "fix", json!({"parameters": {"limit": 2}})), None),
            (with(&denies, "fix", json!({"remove": ["/plan/changes/0"]})), None),
            (with(&denies, "set", json!([{"at": "/plan/changes/0/name", "to": "x"}])), None),
            (with(&passes, "verdict", json!("deny")), Some("wants deny and is pass: pass t.ok: rests on")),
            (with(&passes, "codes", json!(["t.no"])), Some("wants `t.no` and has `t.ok`")),
            (with(&denies, "says", json!("few")), Some("nothing says `few`")),
            (
                with(&denies, "fix", json!({"set": [{"at": "/plan/version", "to": "9"}]})),
                Some("after its fix: does not pass, but is deny"),
            ),
            (with(&passes, "fix", json!({})), Some("there is nothing to mend")),
            // What the case wants comes first.
            (
                with(&with(&passes, "fix", json!({})), "verdict", json!("deny")),
                Some("wants deny and is pass: pass t.ok: rests on"),
            ),
            (
                with(&passes, "remove", json!(["/plan/nothing"])),
                Some("the facts have nothing at `/plan/nothing`"),
            ),
            (
                with(&passes, "set", json!([{"at": "/no/where", "to": 1}])),
                Some("the facts have no place `/no/where`"),
            ),
            (
                with(&passes, "remove", json!(["/plan/version"])),
                Some("the facts are none: missing field `version`"),
            ),
            (with(&passes, "parameters", json!({"limits": 1})), Some("the policy has no parameter `limits`")),
        ] {
            let played = played(case.clone());
            match problem {
                None => assert_eq!(played.problem, None, "{case}"),
                Some(problem) => {
                    let told = played.problem.unwrap_or_default();
                    assert!(told.contains(problem), "{case}: {told}");
                }
            }
            assert_eq!(played.is_fixed, problem.is_none() && case.get("fix").is_some(), "{case}");
        }
    }

    #[test]
    fn files_of_cases_are_toml_or_json_and_wrong_ones_are_told_with_their_place() {
        let facts = samples::facts();
        let case = json!({"name": "c", "verdict": "pass", "codes": ["t.ok"]});
        let good = json!({"facts": facts, "case": [case]}).to_string();
        let twice = json!({"facts": {}, "case": [case, case]}).to_string();
        for (file, text, problem) in [
            ("tests/a.json", good.as_str(), None),
            (
                "tests/a.toml",
                "[facts]\nnow = \"x\"\n[[case]]\nname = \"c\"\nverdict = \"deny\"\ncodes = []\n",
                None,
            ),
            ("tests/a.json", twice.as_str(), Some("`policies/t/tests/a.json`: has two cases `c`")),
            ("tests/a.toml", "[facts]\n[[case]]\nname = 1\n", Some("`policies/t/tests/a.toml:3:8`")),
            (
                "tests/a.toml",
                "[facts]\n[[case]]\nname = \"c\"\nverdict = \"allow\"\ncodes = []\n",
                Some("allow"),
            ),
            ("tests/a.txt", "", Some("is neither `.toml` nor `.json`")),
        ] {
            let pack = samples::pack_with("let a = 1;", &[(file, text)]).unwrap();
            match (pack.suites(), problem) {
                (Ok(suites), None) => assert_eq!(suites.len(), 1, "{file}"),
                (Err(error), Some(problem)) => assert!(error.to_string().contains(problem), "{error}"),
                (outcome, _) => panic!("{file} {text}: {outcome:?}"),
            }
        }
    }
}
