//! Plugins are compiled in another process of this command, which people never call.

use std::ffi::OsString;
use std::process::ExitCode;

use sluice_plugin::{Compiler, Worker, compile_worker};

/// The one word that asks for it.
const WORD: &str = "plugin-compiler";

/// What compiles plugins: this command, or this process where the command cannot be found.
pub(crate) fn compiler() -> Compiler {
    match std::env::current_exe() {
        Ok(command) => Compiler::Worker(Worker::new(command, [WORD.into()])),
        Err(error) => {
            tracing::warn!(%error, "plugins are compiled in this process");
            Compiler::Here
        }
    }
}

/// Whether this process is to compile.
pub(crate) fn is_asked_for(words: &[OsString]) -> bool {
    matches!(words, [_, word] if word == WORD)
}

/// Compiles. Whoever asked is told by the answer, or by there being none.
pub(crate) fn run() -> ExitCode {
    match compile_worker(std::io::stdin().lock(), std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
