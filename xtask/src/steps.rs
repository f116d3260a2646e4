//! Named steps with their durations; the first that fails ends the run.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// What was done so far.
pub(crate) struct Steps {
    began: Instant,
    done: Vec<(String, Duration)>,
    tests: TestTotals,
}

/// The sums of what test binaries say at their end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TestTotals {
    pub(crate) binaries: u64,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), done: Vec::new(), tests: TestTotals::default() }
    }

    /// Does one step.
    pub(crate) fn step(
        &mut self,
        name: &str,
        act: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        println!("\n== {name}");
        let began = Instant::now();
        act().with_context(|| format!("step `{name}`"))?;
        self.end(name, began);
        Ok(())
    }

    /// Runs a command as one step.
    pub(crate) fn run(&mut self, name: &str, mut command: Command) -> anyhow::Result<()> {
        self.step(name, || {
            let status = command.stdin(Stdio::null()).status().with_context(|| shown(&command))?;
            if !status.success() {
                bail!("`{}` ended with {status}", shown(&command));
            }
            Ok(())
        })
    }

    /// Runs a command that runs tests, passes its output on, and adds up what it says at the end.
    pub(crate) fn run_tests(&mut self, name: &str, mut command: Command) -> anyhow::Result<()> {
        println!("\n== {name}");
        let began = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("`{}` cannot be run", shown(&command)))?;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n') {
                let line = line?;
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                self.tests.add(&line);
            }
        }
        let status = child.wait()?;
        if !status.success() {
            println!("\n{}", self.tests.shown());
            bail!("step `{name}`: `{}` ended with {status}", shown(&command));
        }
        self.end(name, began);
        Ok(())
    }

    fn end(&mut self, name: &str, began: Instant) {
        let took = began.elapsed();
        println!("-- {name}: done in {}", seconds(took));
        self.done.push((name.to_owned(), took));
    }

    /// Says what was done, and what the tests came to.
    pub(crate) fn finish(self) {
        println!("\n== all steps\n{}", self.summary(self.began.elapsed()));
    }

    /// How long each step took, and all of them, and the sums of the tests.
    fn summary(&self, in_all: Duration) -> String {
        let in_all = ("in all".to_owned(), in_all);
        let steps = self.done.iter().chain([&in_all]);
        let mut lines: Vec<String> =
            steps.map(|(name, took)| format!("{:>8}  {name}", seconds(*took))).collect();
        if self.tests.binaries > 0 {
            lines.push(self.tests.shown());
        }
        lines.join("\n")
    }
}

impl TestTotals {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        self.binaries += 1;
        for part in counts.split("; ") {
            let Some((count, what)) = part.trim().split_once(' ') else { continue };
            let count = count.parse::<u64>().unwrap_or(0);
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }

    /// In the words of the test runner.
    fn shown(&self) -> String {
        let Self { binaries, passed, failed, ignored } = self;
        let result = if *failed == 0 { "ok" } else { "FAILED" };
        format!(
            "test result: {result}. {passed} passed; {failed} failed; {ignored} ignored; in {binaries} test binaries"
        )
    }
}

fn shown(command: &Command) -> String {
    let mut text =
        command.get_program().to_string_lossy().rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_test_binaries_add_up() {
        let mut totals = TestTotals::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "a test said: test result: ok. 9 passed",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            totals.add(line);
        }
        assert_eq!(totals, TestTotals { binaries: 2, passed: 4, failed: 2, ignored: 1 });
        assert_eq!(totals.shown(), "test result: FAILED. 4 passed; 2 failed; 1 ignored; in 2 test binaries");
    }

    #[test]
    fn the_summary_says_how_long_each_step_took() {
        let mut steps = Steps::new();
        steps.done = vec![
            ("plugins".to_owned(), Duration::from_millis(1_240)),
            ("tests".to_owned(), Duration::from_secs(600)),
        ];
        let in_all = Duration::from_millis(601_260);
        assert_eq!(steps.summary(in_all), "   1.2 s  plugins\n 600.0 s  tests\n 601.3 s  in all");
        steps.tests = TestTotals { binaries: 1, passed: 2, failed: 0, ignored: 0 };
        let shown = steps.summary(in_all);
        assert!(
            shown.ends_with("\ntest result: ok. 2 passed; 0 failed; 0 ignored; in 1 test binaries"),
            "{shown}"
        );
    }

    #[test]
    fn a_step_that_is_done_is_kept_with_its_time() {
        let mut steps = Steps::new();
        steps.step("set-up", || Ok(())).unwrap();
        let names: Vec<&str> = steps.done.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["set-up"]);
    }

    #[test]
    fn a_failing_step_is_named_and_ends_the_run() {
        let mut steps = Steps::new();
        let error = steps.step("lint", || bail!("two warnings")).unwrap_err();
        assert_eq!(format!("{error:#}"), "step `lint`: two warnings");
        assert!(steps.done.is_empty());
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--no-such-flag");
        assert!(steps.run("run", command).is_err());
    }
}
