//! Runs the benchmarks and writes down what they measured, nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::steps::Steps;
use crate::{cargo, peers, plugins, setup};

/// A number to reach.
struct Goal {
    /// What is measured, in the design's words.
    what: &'static str,
    /// The benchmark that measures it: its full name in criterion.
    bench: &'static str,
    /// What the median must not exceed, in nanoseconds.
    median: Option<f64>,
    /// What the 99th percentile must not exceed, in nanoseconds.
    p99: Option<f64>,
    /// How many times it waits for the disk, which comes on top.
    syncs: u32,
}

/// The benchmark of one wait for the disk.
const SYNC: &str = "sync of 4 KiB";

const MICROSECOND: f64 = 1e3;
const MILLISECOND: f64 = 1e6;

/// The design's numbers. Where it has one number for several things, each of them is a row.
const GOALS: [Goal; 19] = [
    Goal {
        what: "one gate evaluated, facts ready: five conditions, written for this",
        bench: "one gate/five-conditions",
        median: Some(10.0 * MICROSECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "the same: the pack `approvals`",
        bench: "one gate/approvals",
        median: Some(10.0 * MICROSECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "the same: the pack `data-masking`",
        bench: "one gate/data-masking",
        median: Some(10.0 * MICROSECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "the same: the pack `release-window`",
        bench: "one gate/release-window",
        median: Some(10.0 * MICROSECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "the same: the pack `test-evidence`",
        bench: "one gate/test-evidence",
        median: Some(10.0 * MICROSECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "the same: the pack `data-source-hygiene`",
        bench: "one gate/data-source-hygiene",
        median: Some(10.0 * MICROSECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "the same: the pack `change-control`",
        bench: "one gate/change-control",
        median: Some(10.0 * MICROSECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "the same: the pack `supply-chain`",
        bench: "one gate/supply-chain",
        median: Some(10.0 * MICROSECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "a decision of 50 gates",
        bench: "decision/50-gates",
        median: Some(MILLISECOND),
        p99: Some(5.0 * MILLISECOND),
        syncs: 0,
    },
    Goal {
        what: "50 gates over a plan of 10,000 changes",
        bench: "decision/50-gates-10000-changes",
        median: Some(5.0 * MILLISECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "1,000 policies loaded",
        bench: "load/1000-policies",
        median: Some(300.0 * MILLISECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "a plugin call, warm, 20 options",
        bench: "plugin/render 20 options, warm/lowcoder",
        median: Some(60.0 * MICROSECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "1,000 plugin calls of 20 options, on two cores: 10,000 calls a second",
        bench: "plugin/1000 calls of 20 options/threads-2",
        median: Some(100.0 * MILLISECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "100 plugins known to a host that has just started, from the cache: by their digests, as the engine does",
        bench: "plugin/100 installed, opened from the cache by digest",
        median: Some(1_000.0 * MILLISECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "the same: by their bytes",
        bench: "plugin/100 installed, opened from the cache by bytes",
        median: Some(1_000.0 * MILLISECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "plan for 10,000 objects, 10 changed",
        bench: "plan/10000-objects-10-changed",
        median: Some(100.0 * MILLISECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "plan for 100,000 objects, 10 changed",
        bench: "plan/100000-objects-10-changed",
        median: Some(200.0 * MILLISECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "reading a 3 MB export",
        bench: "read and decode/generated-3MB.json",
        median: Some(60.0 * MILLISECOND),
        p99: None,
        syncs: 0,
    },
    Goal {
        what: "apply, 10 changes among 10,000 objects, SQLite: from the lease to the commit, with plan and gates once more",
        bench: "apply/10000-objects-10-changed, lease to commit",
        median: Some(5.0 * MILLISECOND),
        p99: None,
        // The journal's act and the commit's, each with its ledger entry and a checkpoint.
        syncs: 6,
    },
];

/// MiB that a process with 100 plugins may have resident.
const MOST_RESIDENT: f64 = 150.0;

/// Where the numbers are written down.
pub(crate) const PAGE: &str = "docs/benchmarks.md";

/// What a benchmark measured, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    pub(crate) median: f64,
    /// Only where each sample is one run: a mean of runs says nothing about the slowest.
    p99: Option<f64>,
}

/// Runs all benchmarks and writes `docs/benchmarks.md`.
///
/// # Errors
/// When a benchmark fails, or none ran.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut steps = Steps::new();
    steps.step("set-up", setup::run)?;
    steps.step("plugins", || plugins::build(plugins::By::Release).map(drop))?;
    let results = cargo::target()?.join("criterion");
    if results.exists() {
        // What is left of earlier runs would be taken for measured now.
        fs::remove_dir_all(&results)?;
    }
    let resident = cargo::target()?.join("tmp/installed.json");
    if resident.exists() {
        fs::remove_file(&resident)?;
    }
    steps.run("benchmarks", cargo::command(&["bench", "--workspace", "--bench", "*"])?)?;
    steps.step("docs/benchmarks.md", || {
        let mut measured = BTreeMap::new();
        collect(&results, &mut measured)?;
        ensure!(!measured.is_empty(), "no benchmark left a result in {}", results.display());
        let file = cargo::root()?.join(PAGE);
        let resident = serde_json::from_slice(&fs::read(&resident).unwrap_or_default()).unwrap_or_default();
        let mut text = page(&measured, &resident, &machine());
        // What another command has measured stays.
        text.push_str(peers::section(&fs::read_to_string(&file).unwrap_or_default()));
        fs::write(file, &text)?;
        println!("{text}");
        Ok(())
    })?;
    steps.finish();
    Ok(())
}

/// Every result below a folder: criterion leaves one in `new/` of each benchmark's own.
pub(crate) fn collect(folder: &Path, measured: &mut BTreeMap<String, Measured>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name == "new") && path.join("estimates.json").is_file() {
            let (name, result) =
                read(&path).with_context(|| format!("{} is not criterion's", path.display()))?;
            measured.insert(name, result);
        } else if path.is_dir() {
            collect(&path, measured)?;
        }
    }
    Ok(())
}

fn read(folder: &Path) -> anyhow::Result<(String, Measured)> {
    let json =
        |file: &str| -> anyhow::Result<Value> { Ok(serde_json::from_slice(&fs::read(folder.join(file))?)?) };
    let name = json("benchmark.json")?;
    let name = name.pointer("/full_id").and_then(Value::as_str).context("no name")?.to_owned();
    let estimates = json("estimates.json")?;
    let median = estimates.pointer("/median/point_estimate").and_then(Value::as_f64).context("no median")?;
    let sample = json("sample.json")?;
    let numbers = |member: &str| -> Vec<f64> {
        let list = sample.get(member).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    Ok((name, Measured { median, p99: percentile_99(&numbers("iters"), numbers("times")) }))
}

/// The 99th percentile by nearest rank, where each sample is one run and there are enough of them.
fn percentile_99(runs: &[f64], mut times: Vec<f64>) -> Option<f64> {
    if times.len() < 100 || runs.len() != times.len() || runs.iter().any(|runs| *runs > 1.0) {
        return None;
    }
    times.sort_by(f64::total_cmp);
    times.get((times.len() * 99).div_ceil(100) - 1).copied()
}

/// What it was measured on.
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) system: String,
}

pub(crate) fn machine() -> Machine {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or_else(|| "not known".to_owned(), |(_, name)| name.trim().to_owned());
    Machine {
        processor,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    }
}

fn page(measured: &BTreeMap<String, Measured>, resident: &Value, machine: &Machine) -> String {
    let mut text = String::from(
        "# Benchmarks\n\nWritten by `cargo xtask bench`: what criterion measured in that run, on the machine named here.\n\n",
    );
    let Machine { processor, cores, system } = machine;
    let _ = writeln!(text, "- processor: {processor}\n- cores: {cores}\n- system: {system}\n");
    text.push_str(
        "## Against the goals\n\n| what | goal | median | 99th percentile | |\n|---|---|---|---|---|\n",
    );
    let sync = measured.get(SYNC).map(|sync| sync.median);
    for goal in &GOALS {
        let result = measured.get(goal.bench);
        let (median, p99) = (result.map(|r| r.median), result.and_then(|r| r.p99));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            goal.what,
            goal.shown(),
            median.map_or_else(|| "not measured".to_owned(), shown),
            p99.map_or_else(|| "–".to_owned(), shown),
            goal.judge(result, sync)
        );
    }
    text.push_str("| memory of an idle server | ≤ 60 MiB | not measured: there is no server yet | – |  |\n");
    text.push_str(&threads(measured).unwrap_or_default());
    text.push_str(&memory(resident).unwrap_or_default());
    text.push_str(&neighbours(measured));
    text.push_str("\nA 99th percentile is given where every sample is a single run.");
    let _ = write!(
        text,
        " A sync is one wait for the disk: `{SYNC}`, {}. That bytes written grow with the change and not with the environment is no matter of time: `host/engine/tests/engine/written.rs` counts them.",
        sync.map_or_else(|| "not measured".to_owned(), shown)
    );
    text.push_str("\n\n## All\n\n| benchmark | median | 99th percentile |\n|---|---|---|\n");
    // What was measured in rounds is told above.
    for (name, result) in measured.iter().filter(|(name, _)| !name.contains(ROUND)) {
        let p99 = result.p99.map_or_else(|| "–".to_owned(), shown);
        let _ = writeln!(text, "| `{name}` | {} | {p99} |", shown(result.median));
    }
    text
}

/// What stands between the name of a benchmark and the number of a round.
const ROUND: &str = ", round ";

/// A benchmark whose parts were measured in turns, round by round, so that a slow moment of the
/// machine falls on all that is compared: the results of each round by their names.
fn rounds<'m>(measured: &'m BTreeMap<String, Measured>, group: &str) -> Vec<BTreeMap<&'m str, &'m Measured>> {
    let mut rounds: BTreeMap<&str, BTreeMap<&str, &Measured>> = BTreeMap::new();
    for (name, result) in measured {
        let of_group = name.strip_prefix(group).and_then(|rest| rest.strip_prefix(ROUND));
        if let Some((round, name)) = of_group.and_then(|rest| rest.split_once('/')) {
            rounds.entry(round).or_default().insert(name, result);
        }
    }
    rounds.into_values().collect()
}

/// The one in the middle, of an even number the lower of two.
fn middle(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// How much more two threads decide than one.
fn threads(measured: &BTreeMap<String, Measured>) -> Option<String> {
    let rounds = rounds(measured, "64-decisions-of-50-gates");
    let times = |threads: &str| {
        let times = |round: &BTreeMap<&str, &Measured>| {
            Some(round.get("threads-1")?.median / round.get(threads)?.median)
        };
        middle(rounds.iter().filter_map(times))
    };
    let (ratio, apart) = (times("threads-2")?, times("threads-2-apart")?);
    let reached = if ratio >= 1.8 { "reached" } else { "missed" };
    Some(format!(
        "\nTwo threads that ask one sandbox decide {ratio:.2} times as much as one; the goal is 1.8: {reached}. \
         Two that share nothing decide {apart:.2} times as much: what is missing there is the machine's. \
         Measured is each thread's own time of a processor; both are the median of {} rounds.\n",
        rounds.len()
    ))
}

/// How much longer a plugin's calls take beside another that is called without end.
fn neighbours(measured: &BTreeMap<String, Measured>) -> String {
    let rounds = rounds(measured, "plugin/neighbour");
    let p99s = |name: &str| -> Vec<(f64, f64)> {
        let of_round =
            |round: &BTreeMap<&str, &Measured>| Some((round.get("alone")?.p99?, round.get(name)?.p99?));
        rounds.iter().filter_map(of_round).collect()
    };
    let Some(alone) = middle(p99s("alone").iter().map(|(alone, _)| *alone)) else { return String::new() };
    let mut text = format!(
        "\nBeside a plugin that is called without end, by as many threads as the host takes calls, the 99th percentile of \
         a neighbour's call is to be at most twice what it is alone ({}). Each is the median of {} rounds, and so is what it \
         is times that of the same round:\n\n\
         | the other plugin | 99th percentile | times | |\n|---|---|---|---|\n",
        shown(alone),
        rounds.len()
    );
    let acts: BTreeSet<&str> = rounds.iter().flat_map(BTreeMap::keys).copied().collect();
    for (name, act) in
        acts.iter().filter_map(|name| Some((*name, name.strip_prefix("beside one that does ")?)))
    {
        let of_rounds = p99s(name);
        let times = middle(of_rounds.iter().map(|(alone, p99)| p99 / alone));
        let Some((times, p99)) = times.zip(middle(of_rounds.iter().map(|(_, p99)| *p99))) else { continue };
        let reached = if times <= 2.0 { "reached" } else { "missed" };
        let _ = writeln!(text, "| `{act}` | {} | {times:.2} | {reached} |", shown(p99));
    }
    text
}

/// What 100 plugins take of memory, where that was measured: MiB resident, by when it was looked at.
fn memory(resident: &Value) -> Option<String> {
    let at = |when: &str| resident.get(when).and_then(Value::as_f64);
    let (before, opened) = (at("before")?, at("opened by digest")?);
    let reached = if opened <= MOST_RESIDENT { "reached" } else { "missed" };
    let mut text = format!(
        "\nA process with 100 plugins known from the cache has {opened:.1} MiB resident, {before:.1} MiB of them before it \
         began; the goal is {MOST_RESIDENT} MiB: {reached}."
    );
    if let (Some(one), Some(all)) = (at("one called"), at("all called")) {
        let _ = write!(
            text,
            " A plugin's code is loaded when it is first called: {one:.1} MiB after one was, {all:.1} MiB after all were."
        );
    }
    Some(text + "\n")
}

impl Goal {
    fn shown(&self) -> String {
        let parts = [(self.median, "median"), (self.p99, "99th percentile")];
        let parts = parts.into_iter().filter_map(|(goal, what)| Some(format!("≤ {} {what}", shown(goal?))));
        let goals = parts.collect::<Vec<_>>().join(", ");
        if self.syncs == 0 { goals } else { format!("{goals}, plus {} syncs", self.syncs) }
    }

    /// What was not measured is not reached.
    fn judge(&self, result: Option<&Measured>, sync: Option<f64>) -> &'static str {
        let Some(result) = result else { return "" };
        let waits = match (self.syncs, sync) {
            (0, _) => 0.0,
            (syncs, Some(sync)) => f64::from(syncs) * sync,
            (_, None) => return "",
        };
        let within = |goal: Option<f64>, actual: Option<f64>| {
            goal.map(|goal| actual.map(|actual| actual <= goal + waits))
        };
        match (within(self.median, Some(result.median)), within(self.p99, result.p99)) {
            (Some(Some(false)), _) | (_, Some(Some(false))) => "missed",
            (_, Some(None)) => "reached in the median",
            _ => "reached",
        }
    }
}

/// A time in the unit that suits it, with three digits.
pub(crate) fn shown(nanoseconds: f64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    let (size, unit) = units.into_iter().find(|(size, _)| nanoseconds >= *size).unwrap_or((1.0, "ns"));
    let value = nanoseconds / size;
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_their_unit() {
        for (nanoseconds, expected) in [
            (0.5, "0.5 ns"),
            (999.0, "999 ns"),
            (10_000.0, "10 µs"),
            (61_234.0, "61.2 µs"),
            (5e6, "5 ms"),
            (1.5e9, "1.5 s"),
        ] {
            assert_eq!(shown(nanoseconds), expected);
        }
    }

    #[test]
    fn a_percentile_needs_single_runs_and_enough_of_them() {
        let times: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile_99(&[1.0; 200], times.clone()), Some(198.0));
        assert_eq!(percentile_99(&[2.0; 200], times.clone()), None);
        assert_eq!(percentile_99(&[1.0; 50], times.into_iter().take(50).collect()), None);
    }

    #[test]
    fn what_was_not_measured_is_said_and_never_reached() {
        let machine = Machine { processor: "P".into(), cores: 2, system: "s".into() };
        let result = |median: f64, p99| Measured { median, p99 };
        let measured = BTreeMap::from([
            ("one gate/five-conditions".to_owned(), result(9_000.0, None)),
            ("decision/50-gates".to_owned(), result(9e5, None)),
            ("read and decode/generated-3MB.json".to_owned(), result(61e6, None)),
        ]);
        let text = page(&measured, &Value::Null, &machine);
        for expected in [
            "| one gate evaluated, facts ready: five conditions, written for this | ≤ 10 µs median | 9 µs | – | reached |",
            "| a decision of 50 gates | ≤ 1 ms median, ≤ 5 ms 99th percentile | 900 µs | – | reached in the median |",
            "| reading a 3 MB export | ≤ 60 ms median | 61 ms | – | missed |",
            "| the same: the pack `approvals` | ≤ 10 µs median | not measured | – |  |",
            "| ≤ 5 ms median, plus 6 syncs | not measured | – |  |",
            "| memory of an idle server | ≤ 60 MiB | not measured: there is no server yet | – |  |",
        ] {
            assert!(text.contains(expected), "{text}");
        }
        let slow = BTreeMap::from([("decision/50-gates".to_owned(), result(9e5, Some(6e6)))]);
        assert!(page(&slow, &Value::Null, &machine).contains("| 900 µs | 6 ms | missed |"));
        // What waits for the disk is judged only where one knows how long the disk takes.
        let apply = ("apply/10000-objects-10-changed, lease to commit".to_owned(), result(10e6, None));
        for (sync, expected) in
            [(None, "| 10 ms | – |  |"), (Some(1e6), "| reached |"), (Some(5e5), "| missed |")]
        {
            let sync = sync.map(|sync| (SYNC.to_owned(), result(sync, None)));
            let all = [apply.clone()].into_iter().chain(sync).collect();
            let text = page(&all, &Value::Null, &machine);
            let row = text.lines().find(|line| line.contains("plus 6 syncs")).unwrap();
            assert!(row.ends_with(expected), "{row}");
        }
    }

    #[test]
    fn threads_are_judged_by_the_median_of_rounds() {
        let mut measured = BTreeMap::new();
        for (round, two) in [(1, 10.0), (2, 11.0), (3, 20.0)] {
            for (threads, median) in [("1", 20.0), ("2", two), ("2-apart", 10.0)] {
                let name = format!("64-decisions-of-50-gates, round {round}/threads-{threads}");
                measured.insert(name, Measured { median, p99: None });
            }
        }
        let text = threads(&measured).unwrap();
        assert!(text.contains("decide 1.82 times as much as one; the goal is 1.8: reached"), "{text}");
        assert!(text.contains("decide 2.00 times as much"), "{text}");
        let machine = Machine { processor: "p".to_owned(), cores: 2, system: "s".to_owned() };
        assert!(!page(&measured, &Value::Null, &machine).contains("| `64-decisions"));
        assert_eq!(threads(&BTreeMap::new()), None);
    }

    #[test]
    fn neighbours_and_memory_are_judged() {
        let single = |p99| Measured { median: 1e4, p99: Some(p99) };
        let mut measured = BTreeMap::new();
        // A slow round is slow for all, and one disturbance decides nothing.
        for (round, slow, trap) in [(1, 1.0, 2.1e5), (2, 3.0, 2.1e5), (3, 1.0, 9e5)] {
            for (name, p99) in
                [("alone", 1e5), ("beside one that does loop", 1.9e5), ("beside one that does trap", trap)]
            {
                measured.insert(format!("plugin/neighbour, round {round}/{name}"), single(slow * p99));
            }
        }
        let text = neighbours(&measured);
        assert!(text.contains("alone (100 µs)"), "{text}");
        assert!(text.contains("| `loop` | 190 µs | 1.90 | reached |"), "{text}");
        assert!(text.contains("| `trap` | 630 µs | 2.10 | missed |"), "{text}");
        assert_eq!(neighbours(&BTreeMap::new()), "");
        let resident = |opened: f64| serde_json::json!({"before": 10.0, "opened by digest": opened});
        assert!(memory(&resident(149.9)).unwrap().ends_with("the goal is 150 MiB: reached.\n"));
        assert!(memory(&resident(150.1)).unwrap().contains("missed"));
        assert_eq!(memory(&Value::Null), None);
    }

    #[test]
    fn results_are_read_where_criterion_leaves_them() {
        let folder = std::env::temp_dir().join(format!("sluice-bench-{}", std::process::id()));
        let new = folder.join("gate/one/new");
        fs::create_dir_all(&new).unwrap();
        fs::create_dir_all(folder.join("gate/one/base")).unwrap();
        fs::write(new.join("benchmark.json"), r#"{"full_id":"gate/one"}"#).unwrap();
        fs::write(new.join("estimates.json"), r#"{"median":{"point_estimate":12.5}}"#).unwrap();
        fs::write(new.join("sample.json"), r#"{"iters":[1.0],"times":[12.5]}"#).unwrap();
        let mut measured = BTreeMap::new();
        collect(&folder, &mut measured).unwrap();
        assert_eq!(measured, BTreeMap::from([("gate/one".to_owned(), Measured { median: 12.5, p99: None })]));
        fs::write(new.join("benchmark.json"), "{}").unwrap();
        assert!(collect(&folder, &mut measured).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
