//! Set-up, tests, demonstration and benchmarks of the project.
//!
//! Architecture invariant: this is a tool of the repository and no part of the product. It calls
//! the product only as a user does, through the `sluice` command, and needs no other tool than
//! cargo and, to add a target once, rustup. What only some tests want it fetches where it can.

#![expect(clippy::print_stdout, reason = "what this tool does is told on standard output")]

mod bench;
mod cargo;
mod demo;
mod languages;
mod peers;
mod plugins;
mod setup;
mod steps;
mod story;
mod test;
mod tools;

use std::process::ExitCode;

use plugins::By;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  setup          add what the plugins are compiled for, where it is missing, and fetch a registry for tests
  build-plugins  build the first-party plugins into target/plugins; with --release, by the command as it is shipped
  test           set-up, plugins, formatting, lints, all tests, documentation
  demo           play the story on the samples and leave a workspace in target/demo
  soak           long campaigns: 5,000 crashes, many more random cases
  bench          run the benchmarks and write docs/benchmarks.md
  bench-peers    gates beside OPA, plugin calls beside Extism and wasmtime, into docs/benchmarks.md";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["setup"] => setup::run().and_then(|()| tools::run()),
        ["build-plugins"] => plugins::build(By::Tests).map(drop),
        ["build-plugins", "--release"] => plugins::build(By::Release).map(drop),
        ["test"] => test::run(),
        ["demo"] => demo::run(),
        ["soak"] => test::soak(),
        ["bench"] => bench::run(),
        ["bench-peers"] => peers::run(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            println!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nfailed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
