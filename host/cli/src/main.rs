//! The `sluice` command.
//!
//! It reads arguments, asks the engine, and shows what the engine answers: data on standard
//! output, talk on standard error, and an exit code that says what to do next ([`answer::Exit`]).
//!
//! Architecture invariant: no rule of promotion is decided here. What this crate knows is how
//! people type and read; files, terminals and the machine's clock are touched here and handed
//! down. A value of a secret comes in through standard input only and goes nowhere but the vault.

mod answer;
mod arguments;
mod clock;
mod commands;
mod compiler;
mod context;
mod failure;
mod input;
mod moment;
mod page;
mod plan_argument;
mod report;
mod run;
mod show;
mod table;

/// Exports are held as many small maps, which the C library of Linux is slow to free.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    if compiler::is_asked_for(&words) { compiler::run() } else { run::run(words) }
}
