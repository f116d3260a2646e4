//! What stands in `integrations/`, run as a CI system would: its own shell lines, with the command.

use std::fs;
use std::process::Command;

use crate::mistakes::{DENIED, DONE, FAILED, GATES, PENDING, ends};
use crate::stage::{Stage, root};
use crate::steps;

/// The blocks of shell behind `KEY: |` of a YAML file, each without its indentation.
fn blocks(yaml: &str, key: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = yaml.lines().peekable();
    let indent = |line: &str| line.len() - line.trim_start().len();
    while let Some(line) = lines.next() {
        if line.trim() != format!("{key}: |") {
            continue;
        }
        let (outer, mut block) = (indent(line), String::new());
        while let Some(next) = lines.peek().filter(|next| next.trim().is_empty() || indent(next) > outer) {
            block.push_str(next.trim_start());
            block.push('\n');
            lines.next();
        }
        blocks.push(block);
    }
    blocks
}

/// The shell lines of the lists behind `KEY:` of a YAML file, each list as one script.
fn lists(yaml: &str, key: &str) -> Vec<String> {
    let mut lists: Vec<String> = Vec::new();
    let mut inside = false;
    for line in yaml.lines() {
        let line = line.trim();
        if line == format!("{key}:") {
            inside = true;
            lists.push(String::new());
        } else if let (true, Some(item)) = (inside, line.strip_prefix("- '")) {
            let script = lists.last_mut().unwrap();
            script.push_str(item.strip_suffix('\'').unwrap());
            script.push('\n');
        } else if !line.starts_with('#') {
            inside = false;
        }
    }
    lists
}

/// Runs a script as a step does: it ends at the first command that fails. Answers how it ended.
fn step(stage: &Stage, script: &str, variables: &[(&str, &str)]) -> i32 {
    let sluice = stage.command(&["status"]);
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
    bash.current_dir(stage.workspace()).env("SLUICE", sluice.get_program());
    bash.envs(sluice.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bash.envs(variables.iter().copied());
    bash.output().unwrap().status.code().unwrap()
}

fn file(stage: &Stage, name: &str) -> String {
    fs::read_to_string(stage.workspace().join(name)).unwrap()
}

#[test]
fn the_step_for_github_tests_policies_and_tells_the_verdict() {
    let yaml = fs::read_to_string(root().join("integrations/github/action.yml")).unwrap();
    let scripts = blocks(&yaml, "run");
    let [policies, check] = scripts.as_slice() else { panic!("{scripts:?}") };
    let mut stage = steps::before(GATES);
    stage.play(&ends(DONE, "plan Orders --to staging --out plan.json"));
    assert_eq!(step(&stage, policies, &[("COVERAGE", "100")]), DONE);
    let variables = |plan: &'static str, to: &'static str| {
        [("PLAN", plan), ("TO", to), ("SARIF", "found.sarif"), ("GITHUB_STEP_SUMMARY", "summary.md")]
    };
    for (plan, to, exit) in [
        ("Orders", "staging", PENDING),
        ("plan.json", "", PENDING),
        ("orders.json", "staging", DENIED),
        ("nothing.json", "", 2),
    ] {
        assert_eq!(step(&stage, check, &variables(plan, to)), exit, "{plan}");
    }
    assert!(file(&stage, "summary.md").contains("tests.missing"), "{}", file(&stage, "summary.md"));
    assert_eq!(step(&stage, check, &variables("Orders", "staging")), PENDING);
    let sarif: serde_json::Value = serde_json::from_str(&file(&stage, "found.sarif")).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    fs::write(stage.workspace().join("policies/approvals/policy.rhai"), "let x = plan.nosuch;").unwrap();
    assert_eq!(step(&stage, policies, &[("COVERAGE", "0")]), FAILED);
}

#[test]
fn the_jobs_for_gitlab_write_reports_and_end_as_the_gates_decide() {
    let yaml = fs::read_to_string(root().join("integrations/gitlab/sluice.gitlab-ci.yml")).unwrap();
    let scripts = lists(&yaml, "script");
    let [policies, check] = scripts.as_slice() else { panic!("{scripts:?}") };
    let stage = steps::before(GATES);
    assert_eq!(step(&stage, policies, &[("SLUICE_COVERAGE", "100")]), DONE);
    assert!(file(&stage, "sluice-policies.xml").contains("<testsuites"));
    for (plan, to, exit) in [("Orders", "staging", PENDING), ("orders.json", "", DENIED)] {
        assert_eq!(step(&stage, check, &[("SLUICE_PLAN", plan), ("SLUICE_TO", to)]), exit, "{plan}");
        assert!(file(&stage, "sluice-check.xml").contains("<testsuites"));
    }
}
