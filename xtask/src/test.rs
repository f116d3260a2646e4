//! Everything that must hold before a change goes in, and the campaigns that take longer.

use crate::steps::Steps;
use crate::{cargo, plugins, setup, tools};

/// Crashes of the long campaign.
const SOAK_CRASHES: &str = "5000";

/// Random cases of each property in the long campaign; tests run 256.
const SOAK_CASES: &str = "20000";

/// Random facts on which gates are compared with their reference; tests run 4,000.
const SOAK_FACTS: &str = "100000";

/// Set-up, plugins, formatting, lints, tests and documentation.
///
/// # Errors
/// With the first step that fails.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut steps = prepared()?;
    steps.run("formatting", cargo::command(&["fmt", "--all", "--check"])?)?;
    let lint = ["clippy", "--workspace", "--all-targets"];
    steps.run("lints", cargo::command(&[&lint[..], locked(), &["--", "-D", "warnings"]].concat())?)?;
    steps.run_tests("tests", cargo::command(&[&["test", "--workspace"][..], locked()].concat())?)?;
    steps.step("tests of plugins in other languages", plugins::test)?;
    let mut doc = cargo::command(&[&["doc", "--workspace", "--no-deps"][..], locked()].concat())?;
    doc.env("RUSTDOCFLAGS", "-D warnings");
    steps.run("documentation", doc)?;
    steps.finish();
    Ok(())
}

/// The long campaigns.
///
/// # Errors
/// With the first step that fails.
pub(crate) fn soak() -> anyhow::Result<()> {
    let mut steps = prepared()?;
    let mut crashes = cargo::command(&["test", "--package", "sluice-engine", "--test", "engine", "crash"])?;
    crashes.env("SLUICE_CRASH_RUNS", SOAK_CRASHES);
    steps.run_tests(&format!("{SOAK_CRASHES} crashes"), crashes)?;
    let mut cases = cargo::command(&["test", "--workspace"])?;
    cases.env("PROPTEST_CASES", SOAK_CASES).env("SLUICE_DIFFERENTIAL_FACTS", SOAK_FACTS);
    steps.run_tests(&format!("tests with {SOAK_CASES} random cases"), cases)?;
    steps.finish();
    Ok(())
}

/// Set-up and plugins, which all tests need.
fn prepared() -> anyhow::Result<Steps> {
    let mut steps = Steps::new();
    steps.step("set-up", || setup::run().and_then(|()| tools::run()))?;
    steps.step("plugins", || plugins::build(plugins::By::Tests).map(drop))?;
    Ok(steps)
}

/// In CI, what is built is what `Cargo.lock` says.
fn locked() -> &'static [&'static str] {
    if cargo::is_ci() { &["--locked"] } else { &[] }
}
