//! One call of the plugin for relational databases: by Sluice, by a host that has nothing but wasmtime,
//! and by Extism.
//!
//! Extism's plugin (`xtask/peers/extism`) has the same tables and merge, with JSON in and out; both
//! must make the same options before anything is compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::bench::{self, shown};
use crate::cargo;
use crate::setup::TARGET;
use crate::steps::Steps;

/// Begins its section of the page.
pub(super) const SECTION: &str = "\n## Side by side with Extism and plain wasmtime\n";

/// Measures all and tells what came of it.
///
/// # Errors
/// When something cannot be run, or both plugins do not make the same.
pub(super) fn measure(steps: &mut Steps, root: &Path, folder: &Path) -> anyhow::Result<String> {
    let mut bench =
        cargo::command(&["bench", "--package", "sluice-plugin", "--bench", "call", "--", "the same call"])?;
    bench.env("SLUICE_PEERS", folder);
    steps.run("calls of a plugin", bench)?;
    let extism = Extism::new(root, folder);
    let theirs = if extism.can_be_fetched()? {
        steps.run(
            "an Extism plugin",
            extism.build(&["--package", "sluice-peer-guest", "--target", TARGET])?,
        )?;
        steps.run("a host for it", extism.build(&["--package", "sluice-peer-host"])?)?;
        let mut measured = None;
        steps.step("calls of an Extism plugin", || {
            measured = Some(extism.measure()?);
            Ok(())
        })?;
        measured
    } else {
        None
    };
    let mut measured = BTreeMap::new();
    bench::collect(&cargo::target()?.join("criterion"), &mut measured)?;
    let ours = |name: &str| {
        let result = measured.get(&format!("plugin/the same call/{name}"));
        result.map(|result| result.median).context("criterion left no result")
    };
    let mut rows = vec![
        Row("Sluice: a fresh instance, limits, every answer checked".to_owned(), ours("sluice")?),
        Row("wasmtime alone: a fresh instance, no limits, nothing checked".to_owned(), ours("wasmtime")?),
        Row("the same, counting fuel, with a deadline".to_owned(), ours("wasmtime with fuel and epochs")?),
    ];
    let version = theirs.map(|Told { version, fresh, kept }| {
        rows.push(Row("Extism: a fresh instance".to_owned(), fresh));
        rows.push(Row("Extism: one instance for all calls, which see what others left".to_owned(), kept));
        version
    });
    Ok(text(version.as_deref(), &rows))
}

/// The workspace with Extism's plugin and host.
struct Extism<'f> {
    source: std::path::PathBuf,
    folder: &'f Path,
}

/// What it measured: medians in nanoseconds.
struct Told {
    version: String,
    fresh: f64,
    kept: f64,
}

impl<'f> Extism<'f> {
    fn new(root: &Path, folder: &'f Path) -> Self {
        Self { source: root.join("xtask/peers/extism"), folder }
    }

    fn cargo(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = cargo::command(arguments)?;
        command.current_dir(&self.source).env("CARGO_TARGET_DIR", self.folder.join("extism"));
        Ok(command)
    }

    /// Whether what it is built of can be had.
    fn can_be_fetched(&self) -> anyhow::Result<bool> {
        Ok(self.cargo(&["fetch", "--quiet", "--locked"])?.status()?.success())
    }

    fn build(&self, what: &[&str]) -> anyhow::Result<Command> {
        self.cargo(&[&["build", "--release", "--locked"], what].concat())
    }

    fn measure(&self) -> anyhow::Result<Told> {
        let built = self.folder.join("extism");
        let guest = built.join(TARGET).join("release/sluice_peer_guest.wasm");
        let host = built.join("release/sluice-peer-host");
        let output = Command::new(host).arg(guest).arg(self.folder.join("call.json")).output()?;
        ensure!(output.status.success(), "Extism's host failed: {}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout)?;
        let ours: Value = serde_json::from_slice(&fs::read(self.folder.join("answer.json"))?)?;
        let ours = leaves(ours.get("options").context("the call made no options")?);
        let theirs = told.pointer("/answer/options").and_then(Value::as_object).context("no options")?;
        let theirs = theirs.iter().map(|(at, value)| (at.clone(), comparable(value))).collect();
        ensure!(ours == theirs, "Sluice made {ours:?} and Extism's plugin {theirs:?}");
        let median = |name: &str| told.get(name).and_then(Value::as_f64).context("no median");
        let lock = fs::read_to_string(self.source.join("Cargo.lock"))?;
        let version = |name: &str| locked(&lock, name);
        let versions = version("extism").zip(version("wasmtime")).context("the lock names no Extism")?;
        let version = format!("{} on wasmtime {}", versions.0, versions.1);
        Ok(Told { version, fresh: median("fresh")?, kept: median("kept")? })
    }
}

/// The version of a package that Cargo's lock file names.
fn locked(lock: &str, package: &str) -> Option<String> {
    let (_, found) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(found.split_once('"')?.0.to_owned())
}

/// The leaves of options by their pointers; where secrets are, the list of what they stand between.
fn leaves(options: &Value) -> BTreeMap<String, String> {
    fn add(value: &Value, at: &str, all: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(members) => match members.get("$sluice") {
                Some(parts) => drop(all.insert(at.to_owned(), comparable(parts))),
                None => members.iter().for_each(|(key, value)| add(value, &format!("{at}/{key}"), all)),
            },
            leaf => drop(all.insert(at.to_owned(), comparable(leaf))),
        }
    }
    let mut all = BTreeMap::new();
    add(options, "", &mut all);
    all
}

/// A value as text, where a number is the same however it is written.
fn comparable(value: &Value) -> String {
    value.as_f64().map_or_else(|| value.to_string(), |number| number.to_string())
}

/// What was called, and how long it took in nanoseconds.
struct Row(String, f64);

fn text(extism: Option<&str>, rows: &[Row]) -> String {
    let machine = bench::machine();
    let mut text = format!(
        "{SECTION}\nWritten by `cargo xtask bench-peers`: the same data source of 20 options with one secret, rendered for the same target, in one run.\n\n\
         - processor: {}\n- cores: {}\n- system: {}\n",
        machine.processor, machine.cores, machine.system
    );
    text += &match extism {
        Some(version) => format!("- Extism: {version}\n"),
        None => "\nNot measured: Extism, whose packages cannot be fetched here.\n".to_owned(),
    };
    text += "\n| what | median | times Sluice's |\n|---|---|---|\n";
    let ours = rows.first().map_or(f64::NAN, |Row(_, ours)| *ours);
    for Row(what, time) in rows {
        text += &format!("| {what} | {} | {:.2} |\n", shown(*time), time / ours);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_compared_leaf_by_leaf() {
        let ours = serde_json::json!({"a": {"b": 5}, "c": {"$sluice": [{"slot": "x"}]}, "d": "5"});
        let expected = [("/a/b", "5"), ("/c", r#"[{"slot":"x"}]"#), ("/d", "\"5\"")];
        assert_eq!(leaves(&ours), expected.map(|(at, value)| (at.to_owned(), value.to_owned())).into());
        assert_eq!(comparable(&serde_json::json!(5.0)), comparable(&serde_json::json!(5)));
    }

    #[test]
    fn versions_are_read_from_the_lock() {
        let lock = "[[package]]\nname = \"extism\"\nversion = \"1.30.0\"\n\n[[package]]\nname = \"x\"\n";
        assert_eq!(locked(lock, "extism").as_deref(), Some("1.30.0"));
        assert_eq!(locked(lock, "x"), None);
    }

    #[test]
    fn where_extism_is_missing_the_page_says_so() {
        let rows = [Row("Sluice".to_owned(), 5e4), Row("wasmtime".to_owned(), 4e4)];
        let page = text(None, &rows);
        assert!(
            page.contains("Not measured: Extism") && page.contains("| wasmtime | 40 µs | 0.80 |"),
            "{page}"
        );
        assert!(!text(Some("1.30"), &rows).contains("Not measured"));
    }
}
