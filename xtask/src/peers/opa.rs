//! The same ten rules on the same facts, by Sluice and by Open Policy Agent, in one run.
//!
//! The rules are `host/policy/tests/rules/*.rhai` and their twins `xtask/peers/*.rego`; both must
//! come to the same verdicts before anything is measured. Where OPA is missing, the page says so.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::bench::{self, shown};
use crate::cargo;
use crate::steps::Steps;

/// Begins its section of the page.
pub(super) const SECTION: &str = "\n## Side by side with OPA\n";

const INSTALL: &str = "go install github.com/open-policy-agent/opa@latest";

/// What OPA is asked.
const QUERY: &str = "data.sluice.decision";

/// Changes of the large plan.
const MANY_CHANGES: u32 = 10_000;

/// Runs of each whole process. They take turns, so that what else the machine does meets both.
const RUNS: usize = 21;

/// How much faster Sluice is to be.
const GOAL: f64 = 2.0;

/// The facts that the rules need.
const FACTS: [&str; 8] =
    ["transition", "plan", "scan", "evidence", "approvals", "history", "plugins", "calendars"];

/// Measures both and tells what came of it.
///
/// # Errors
/// When something cannot be run, or both do not come to the same verdicts.
pub(super) fn measure(steps: &mut Steps, root: &Path, folder: &Path) -> anyhow::Result<String> {
    let Some(opa) = opa() else { return Ok(text(None, &[])) };
    let mut rows = Vec::new();
    let mut inputs = None;
    steps.step("facts and packs", || {
        inputs = Some(Inputs::write(root, folder)?);
        Ok(())
    })?;
    let inputs = inputs.context("no facts were written")?;
    let example = ["build", "--release", "--package", "sluice-engine", "--example", "plan_file"];
    steps.run("what writes plan files", cargo::command(&example)?)?;
    steps.run("the process", cargo::command(&["build", "--release", "--package", "sluice"])?)?;
    steps.step("plan files", || inputs.write_plans())?;
    let whole = Whole::new(root, &opa, &inputs)?;
    steps.step("the same verdicts", || whole.agree())?;
    let mut bench =
        cargo::command(&["bench", "--package", "sluice-policy", "--bench", "load", "--", "peers"])?;
    bench.env("SLUICE_PEERS", folder);
    steps.run("in the process", bench)?;
    steps.step("beside OPA", || {
        let mut measured = BTreeMap::new();
        bench::collect(&cargo::target()?.join("criterion"), &mut measured)?;
        for (name, what) in Inputs::NAMES {
            let ours = measured.get(&format!("peers/{name}")).context("criterion left no result")?.median;
            let theirs = whole.opa_bench(name)?;
            rows.push(Row { what: format!("ten rules, {what}, in the process"), ours, theirs });
            let (ours, theirs) = whole.race(name)?;
            rows.push(Row { what: format!("ten rules, {what}, as a process"), ours, theirs });
        }
        Ok(())
    })?;
    Ok(text(Some(&version(&opa)?), &rows))
}

/// OPA's command: the one of the path, or of Go's folder.
fn opa() -> Option<PathBuf> {
    let home = std::env::var_os("GOBIN").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join("go/bin")));
    let candidates = [Some(PathBuf::from("opa")), home.map(|folder| folder.join("opa"))];
    candidates.into_iter().flatten().find(|opa| {
        let version = Command::new(opa).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    })
}

fn version(opa: &Path) -> anyhow::Result<String> {
    let output = output(Command::new(opa).arg("version"))?;
    let text = String::from_utf8_lossy(&output).into_owned();
    let version = text.lines().find_map(|line| line.strip_prefix("Version: "));
    Ok(version.unwrap_or("of no known version").to_owned())
}

/// What a command prints. That of `sluice check` also ends so (3, 5) where gates do not let through.
fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let ended = matches!(output.status.code(), Some(0 | 3 | 5));
    ensure!(ended, "{command:?} ended with {}", output.status);
    Ok(output.stdout)
}

/// What both are asked about.
struct Inputs {
    folder: PathBuf,
    packs: Vec<PathBuf>,
}

impl Inputs {
    /// The files of facts, with what they hold in words.
    const NAMES: [(&'static str, &'static str); 2] =
        [("small", "a plan of 2 changes"), ("large", "a plan of 10,000 changes")];

    fn write(root: &Path, folder: &Path) -> anyhow::Result<Self> {
        let tests = root.join("host/policy/tests");
        fs::create_dir_all(folder)?;
        let mut facts: Value = serde_json::from_slice(&fs::read(tests.join("acme/facts.json"))?)?;
        fs::write(folder.join("small.json"), facts.to_string())?;
        let changes = facts.pointer_mut("/plan/changes").context("the facts have no plan")?;
        *changes = (0..MANY_CHANGES).map(change).collect();
        fs::write(folder.join("large.json"), facts.to_string())?;
        let manifest = fs::read_to_string(tests.join("acme/policy.toml"))?;
        let manifest = manifest.replace("@FACTS@", &FACTS.map(|fact| format!("{fact:?}")).join(", "));
        let mut packs = Vec::new();
        for entry in fs::read_dir(root.join("xtask/peers"))? {
            let path = entry?.path();
            if path.extension().is_none_or(|ending| ending != "rego") {
                continue;
            }
            let name = path.file_stem().and_then(|name| name.to_str()).context("a rule has no name")?;
            if name == "decision" {
                continue;
            }
            let name = name.replace('_', "-");
            let pack = folder.join("policies").join(&name);
            fs::create_dir_all(&pack)?;
            fs::copy(tests.join(format!("rules/{name}.rhai")), pack.join("policy.rhai"))?;
            fs::write(pack.join("policy.toml"), &manifest)?;
            fs::write(pack.join("README.md"), "A rule beside its twin in Rego.\n")?;
            packs.push(pack);
        }
        packs.sort();
        Ok(Self { folder: folder.to_owned(), packs })
    }

    fn facts(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    fn plan(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}-plan.json"))
    }

    /// Writes plan files as `sluice plan --out` does, the facts that they carry, and what makes the folder
    /// a checkout.
    fn write_plans(&self) -> anyhow::Result<()> {
        fs::write(self.folder.join("sluice.toml"), "")?;
        let example = cargo::target()?.join("release/examples/plan_file");
        for (name, _) in Self::NAMES {
            let file = output(Command::new(&example).arg(self.facts(name)).args(&self.packs))?;
            let plan: Value = serde_json::from_slice(&file)?;
            let facts = plan.pointer("/input/facts").context("the plan's file carries no facts")?;
            fs::write(self.facts(name), facts.to_string())?;
            fs::write(self.plan(name), file)?;
        }
        Ok(())
    }
}

fn change(n: u32) -> Value {
    let kind = match n % 4 {
        0 => "query",
        1 => "component",
        2 => "page",
        _ => "data-source",
    };
    let action = if n.is_multiple_of(3) { "create" } else { "update" };
    json!({"object": format!("object-{n}"), "kind": kind, "name": format!("name {n}"), "action": action})
}

/// Both as processes of their own: each reads its rules and the facts, asks, and writes JSON. Neither
/// verdict is one that lets through, which `sluice check` tells by its exit code.
struct Whole<'i> {
    opa: &'i Path,
    ours: PathBuf,
    rules: PathBuf,
    inputs: &'i Inputs,
}

impl<'i> Whole<'i> {
    fn new(root: &Path, opa: &'i Path, inputs: &'i Inputs) -> anyhow::Result<Self> {
        let ours = cargo::target()?.join("release/sluice");
        Ok(Self { opa, ours, rules: root.join("xtask/peers"), inputs })
    }

    fn sluice(&self, facts: &str) -> Command {
        let mut command = Command::new(&self.ours);
        command.arg("check").arg(self.inputs.plan(facts)).args(["--no-input", "--output", "json"]);
        command.arg("--workspace").arg(&self.inputs.folder);
        command
    }

    fn opa(&self, verb: &str, facts: &str) -> Command {
        let mut command = Command::new(self.opa);
        command.args([verb, "--format", "json", "--data"]).arg(&self.rules);
        command.arg("--input").arg(self.inputs.facts(facts)).arg(QUERY);
        command
    }

    /// What is not the same is not compared.
    fn agree(&self) -> anyhow::Result<()> {
        for (facts, _) in Inputs::NAMES {
            let ours: Value = serde_json::from_slice(&output(&mut self.sluice(facts))?)?;
            let theirs: Value = serde_json::from_slice(&output(&mut self.opa("eval", facts))?)?;
            let gates = ours.pointer("/decision/gates").and_then(Value::as_array);
            let ours: BTreeMap<String, &Value> = gates
                .into_iter()
                .flatten()
                .filter_map(|gate| {
                    Some((gate.get("gate")?.as_str()?.replace('-', "_"), gate.get("verdict")?))
                })
                .collect();
            let theirs = theirs.pointer("/result/0/expressions/0/value/gates").and_then(Value::as_object);
            let theirs: BTreeMap<String, &Value> = theirs
                .into_iter()
                .flatten()
                .filter_map(|(name, gate)| Some((name.clone(), gate.get("verdict")?)))
                .collect();
            ensure!(ours.len() == 10, "there are {} rules, not ten", ours.len());
            if ours != theirs {
                bail!("of `{facts}`, Sluice says {ours:?} and OPA {theirs:?}");
            }
        }
        Ok(())
    }

    /// The median of OPA's own benchmark of one evaluation, in nanoseconds.
    fn opa_bench(&self, facts: &str) -> anyhow::Result<f64> {
        let told: Value = serde_json::from_slice(&output(&mut self.opa("bench", facts))?)?;
        told.pointer("/Extra/histogram_timer_rego_query_eval_ns_median")
            .and_then(Value::as_f64)
            .context("`opa bench` tells no median of an evaluation")
    }

    /// The medians of both, in nanoseconds.
    fn race(&self, facts: &str) -> anyhow::Result<(f64, f64)> {
        let timed = |mut command: Command| -> anyhow::Result<f64> {
            let begun = Instant::now();
            output(&mut command)?;
            Ok(begun.elapsed().as_secs_f64() * 1e9)
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            ours.push(timed(self.sluice(facts))?);
            theirs.push(timed(self.opa("eval", facts))?);
        }
        Ok((median(ours), median(theirs)))
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What both took for one thing, in nanoseconds.
struct Row {
    what: String,
    ours: f64,
    theirs: f64,
}

fn text(version: Option<&str>, rows: &[Row]) -> String {
    let mut text = format!(
        "{SECTION}\nWritten by `cargo xtask bench-peers`: ten rules, in Rhai (`host/policy/tests/rules`) and in Rego (`xtask/peers`), on the same facts in one run.\n"
    );
    let Some(version) = version else {
        text += &format!("\nNot measured: OPA is not installed here. `{INSTALL}` gets it.\n");
        return text;
    };
    let machine = bench::machine();
    text += &format!(
        "Both come to the same verdicts. In the process, Sluice is measured by criterion and OPA by `opa bench`; as a process, `sluice check` on a plan's file and `opa eval` take turns.\n\n\
         - processor: {}\n- cores: {}\n- system: {}\n- OPA: {version}\n\n\
         | what | Sluice, median | OPA, median | times as fast | goal: twice |\n|---|---|---|---|---|\n",
        machine.processor, machine.cores, machine.system
    );
    for Row { what, ours, theirs } in rows {
        let times = theirs / ours;
        let reached = if times >= GOAL { "reached" } else { "missed" };
        text += &format!("| {what} | {} | {} | {times:.1} | {reached} |\n", shown(*ours), shown(*theirs));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_twice_as_fast_is_missed() {
        let rows = [Row { what: "ten rules".to_owned(), ours: 1e5, theirs: 1.9e5 }];
        let text = text(Some("1.0"), &rows);
        assert!(text.contains("| ten rules | 100 µs | 190 µs | 1.9 | missed |"), "{text}");
    }

    #[test]
    fn where_the_peer_is_missing_the_page_says_so() {
        let text = text(None, &[]);
        assert!(text.contains("OPA is not installed here") && text.contains(INSTALL), "{text}");
    }

    #[test]
    fn the_middle_of_some_numbers_is_the_median() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    }
}
