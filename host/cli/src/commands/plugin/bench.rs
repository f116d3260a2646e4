//! `sluice plugin bench`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use sluice_plugin::{Plugin, RenderInput, conformance};

use super::subject::{self, Subject};
use super::{forgetful_host, host, is_kept};
use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style};
use crate::show::amount;
use crate::table::Rows;

const EXAMPLES: &str = "\
Examples:
  sluice plugin bench
  sluice plugin bench build/orders-db.wasm --calls 10000
  sluice plugin bench -o json

Calls are made one after the other, each on a fresh instance, as in a plan: of each example, or
where there is none of a data source with all options of each kind.";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The project's folder, or a component.
    #[arg(value_name = "PATH|FILE", default_value = ".")]
    path: PathBuf,
    /// How many calls of each are measured.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    calls: u32,
    /// Compile it anew, and measure that too, whether or not compiled code is kept.
    #[arg(long)]
    fresh: bool,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Measured {
    plugin: String,
    bytes: usize,
    calls: u32,
    /// Nanoseconds that loading took, once.
    load_ns: u64,
    /// Whether it was compiled then, and did not come from what is kept.
    compiled: bool,
    instantiate: Times,
    renders: Vec<Render>,
}

/// Of one data source.
#[derive(Debug, Serialize)]
struct Render {
    of: String,
    kind: String,
    #[serde(flatten)]
    times: Times,
    fuel: u64,
    memory_bytes: u64,
}

/// Nanoseconds of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Times {
    median_ns: u64,
    /// 99 of 100 calls took no longer.
    p99_ns: u64,
}

impl Times {
    fn of(mut times: Vec<u64>) -> Self {
        times.sort_unstable();
        let at = |part: usize| times.get((times.len() * part / 100).min(times.len().saturating_sub(1)));
        Self { median_ns: at(50).copied().unwrap_or(0), p99_ns: at(99).copied().unwrap_or(0) }
    }
}

/// Measures.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let host = if arguments.fresh { forgetful_host()? } else { host(context)? };
    let Subject { name, bytes, examples } = subject::at(context, &host, &arguments.path)?;
    let working = context.working("measuring");
    let clock = context.stopwatch();
    let began = clock();
    let plugin = host.load(&name, &bytes).map_err(|error| {
        Failure::failed(error.to_string(), "see what is wrong with it with `sluice plugin test`")
    })?;
    let load_ns = nanos(clock().saturating_sub(began));
    let compiled = !is_kept(&host);
    let time = |call: &mut dyn FnMut() -> Result<(), Failure>| {
        let mut times = Vec::new();
        // What is done first finds nothing warm.
        call()?;
        for _ in 0..arguments.calls {
            let began = clock();
            call()?;
            times.push(nanos(clock().saturating_sub(began)));
        }
        Ok::<_, Failure>(Times::of(times))
    };
    let instantiate =
        time(&mut || plugin.instantiate().map_err(|reason| Failure::failed(reason.to_string(), "")))?;
    let mut inputs: Vec<(String, RenderInput)> =
        examples.iter().filter_map(|example| Some((example.title.clone(), example.input()?))).collect();
    // An example that shows how something is refused costs what a refusal costs.
    inputs.retain(|(_, input)| plugin.render(input).is_ok());
    if inputs.is_empty() {
        inputs = samples(&plugin);
    }
    let mut renders = Vec::new();
    for (of, input) in &inputs {
        let rendered = plugin.render(input).map_err(failed)?;
        let times = time(&mut || plugin.render(input).map(drop).map_err(failed))?;
        let (fuel, memory_bytes) = (rendered.used.fuel, rendered.used.memory_bytes);
        renders.push(Render {
            of: of.clone(),
            kind: input.source.kind.to_string(),
            times,
            fuel,
            memory_bytes,
        });
    }
    drop(working);
    let (bytes, calls) = (bytes.len(), arguments.calls);
    let measured = Measured { plugin: name, bytes, calls, load_ns, compiled, instantiate, renders };
    Answer::new(&measured, page(&measured))
}

fn failed(error: sluice_plugin::PluginError) -> Failure {
    Failure::failed(error.to_string(), "see what is wrong with it with `sluice plugin test`")
}

/// A data source of each kind that can be rendered.
fn samples(plugin: &Plugin) -> Vec<(String, RenderInput)> {
    let kinds = plugin.describe().iter();
    let inputs = kinds.filter_map(|kind| Some(("all options".to_owned(), conformance::sample(kind)?)));
    inputs.filter(|(_, input)| plugin.render(input).is_ok()).collect()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn page(measured: &Measured) -> Page {
    let shown = |nanos: u64| amount::time(Duration::from_nanos(nanos));
    let mut page = Page::new();
    page.styled(
        Style::Plain,
        format!(
            "{}, {}: {} in {}, then {} calls of each",
            measured.plugin,
            amount::bytes(measured.bytes as u64),
            if measured.compiled { "compiled and loaded" } else { "loaded from kept code" },
            shown(measured.load_ns),
            amount::number(u64::from(measured.calls)),
        ),
    );
    page.gap();
    let mut rows = Rows::new(&["CALL", "KIND", "MEDIAN", "99 OF 100", "FUEL", "MEMORY"]);
    let Times { median_ns, p99_ns } = measured.instantiate;
    rows.row([
        "instantiate".to_owned(),
        String::new(),
        shown(median_ns),
        shown(p99_ns),
        String::new(),
        String::new(),
    ]);
    for Render { of, kind, times, fuel, memory_bytes } in &measured.renders {
        rows.row([
            of.clone(),
            kind.clone(),
            shown(times.median_ns),
            shown(times.p99_ns),
            amount::number(*fuel),
            amount::bytes(*memory_bytes),
        ]);
    }
    rows.onto(&mut page, "");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_middle_and_few_calls_take_longer_than_the_other() {
        for (times, median_ns, p99_ns) in
            [(vec![3, 1, 2], 2, 3), (vec![5], 5, 5), ((0..1_000).rev().collect(), 500, 990), (vec![], 0, 0)]
        {
            assert_eq!(Times::of(times), Times { median_ns, p99_ns });
        }
    }
}
