//! Compiling in a process of its own. This program is the worker too, and such as misbehave: so it
//! has no test harness, and runs its tests in order.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test program may fail as tests do, and says what it runs"
)]

#[path = "plugin/built/mod.rs"]
mod built;

use std::io::{Read as _, Write as _};
use std::time::Duration;

use built::{act, bytes};
use sluice_plugin::{
    CodeCache, Compiler, CompilerFault, Host, Limits, Part, Plugin, Reason, Worker, compile_worker,
};

fn main() {
    if let Some(way) = std::env::args().nth(1).as_deref().and_then(|word| word.strip_prefix("worker:")) {
        return work(way);
    }
    let tests: [(&str, fn()); 6] = [
        ("a worker's code is the same as one's own", a_workers_code_is_the_same_as_ones_own),
        ("what a worker does wrong is told", what_a_worker_does_wrong_is_told),
        ("a worker that may have less compiles with that", a_worker_that_may_have_less_compiles_with_that),
        ("what takes too much is stopped", what_takes_too_much_is_stopped),
        ("what is no component is told as ever", what_is_no_component_is_told_as_ever),
        ("what is over bounds is never given to a worker", what_is_over_bounds_is_never_given_to_a_worker),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
}

/// What this program does as a worker.
fn work(way: &str) {
    let (mut stdin, mut stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut read_all = || stdin.read_to_end(&mut Vec::new()).unwrap();
    let code = |length: u64| [&b"compiled\0"[..], &length.to_le_bytes()].concat();
    match way {
        "right" => compile_worker(stdin, stdout).unwrap(),
        "dies" => {
            read_all();
            std::process::abort();
        }
        "dies at once" => std::process::exit(3),
        "says nothing" => drop(read_all()),
        "never reads" => loop {
            std::thread::park();
        },
        "says something else" => {
            read_all();
            stdout.write_all(b"hello, this is no compiler").unwrap();
        }
        "answers another question" => {
            read_all();
            stdout.write_all(b"compiled\x07\0\0\0\0\0\0\0\0").unwrap();
        }
        "promises too much" => {
            read_all();
            stdout.write_all(&code(u64::MAX)).unwrap();
        }
        "gives less than it promised" => {
            read_all();
            stdout.write_all(&[code(100), vec![0; 50]].concat()).unwrap();
        }
        "gives more than it promised" => {
            read_all();
            stdout.write_all(&[code(100), vec![0; 200]].concat()).unwrap();
        }
        "gives no code" => {
            read_all();
            stdout.write_all(&[code(100), vec![0; 100]].concat()).unwrap();
        }
        "is of another version" => {
            read_all();
            stdout.write_all(b"compiled\x02\0\0\0\0\0\0\0\0").unwrap();
        }
        other => panic!("no worker is `{other}`"),
    }
}

fn worker(way: &str) -> Worker {
    Worker::new(std::env::current_exe().unwrap(), [format!("worker:{way}").into()])
}

fn load(worker: Worker, component: &[u8]) -> Result<Plugin, Reason> {
    let host = Host::new(Limits::default()).unwrap().with_compiler(Compiler::Worker(worker));
    host.load("vendor", component).map_err(|error| {
        assert!(error.to_string().starts_with("plugin `vendor`: "), "{error}");
        *error.reason
    })
}

fn a_workers_code_is_the_same_as_ones_own() {
    let component = bytes("test/adversary.wasm");
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut codes = Vec::new();
    for (compiler, folder) in [Compiler::Here, Compiler::Worker(worker("right"))].into_iter().zip(&folders) {
        let cache = CodeCache::new(folder.path(), &[1; 32]);
        let host = Host::new(Limits::default()).unwrap().with_cache(cache).with_compiler(compiler);
        let plugin = host.load("adversary", &component).unwrap();
        assert!(plugin.render(&act("decent")).is_ok());
        let entry = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
        // An entry ends with the code; how long that is stands before the description.
        let entry = std::fs::read(entry.path()).unwrap();
        let length = usize::try_from(u64::from_le_bytes(entry[108..116].try_into().unwrap())).unwrap();
        codes.push(entry[entry.len() - length..].to_vec());
    }
    assert!(codes[0].starts_with(b"\x7fELF"));
    assert!(codes[0] == codes[1], "the same code, byte for byte");
}

fn what_a_worker_does_wrong_is_told() {
    let component = bytes("test/adversary.wasm");
    for (way, expected) in [
        ("dies", "ended before it was done"),
        ("dies at once", "exit status: 3"),
        ("says nothing", "nonsense"),
        ("says something else", "nonsense: it did not answer as a compiler does"),
        ("answers another question", "nonsense"),
        ("promises too much", "nonsense"),
        ("gives less than it promised", "nonsense"),
        ("gives more than it promised", "nonsense"),
        ("is of another version", "of another version"),
    ] {
        match load(worker(way), &component) {
            Err(reason @ Reason::Compiler(_)) => {
                assert!(reason.to_string().contains(expected), "{way}: {reason}")
            }
            other => panic!("one that {way}: {other:?}"),
        }
    }
    let none = load(worker("gives no code"), &component);
    assert!(matches!(none, Err(Reason::NotAComponent(_))), "{none:?}");
    let never = Worker { time: Duration::from_millis(50), ..worker("never reads") };
    let never = load(never, &component).unwrap_err();
    assert_eq!(never, Reason::Compiler(CompilerFault::TimedOut { milliseconds: 50 }));
    let absent = load(Worker::new("/nowhere/compiler", []), &component).unwrap_err();
    assert!(matches!(absent, Reason::Compiler(CompilerFault::NotStarted(_))), "{absent}");
}

/// A component with so many functions, each as large as is compiled.
fn large_functions(count: usize) -> Vec<u8> {
    // `local.get 0`, `i32.const 7`, `i32.add`, `local.set 0`, so often.
    let body = format!(
        "(func (param i32) {})",
        "(local.set 0 (i32.add (local.get 0) (i32.const 7)))".repeat(140_000)
    );
    wat::parse_str(format!("(component (core module {}))", body.repeat(count))).unwrap()
}

#[cfg(not(unix))]
fn a_worker_that_may_have_less_compiles_with_that() {}

/// Limits below those that a worker is told, which a process cannot raise again.
#[cfg(unix)]
fn a_worker_that_may_have_less_compiles_with_that() {
    let program = std::env::current_exe().unwrap();
    let below = |limit: &str| {
        let script = format!("ulimit {limit} && exec \"$0\" worker:right");
        Worker::new("/bin/sh", ["-c".into(), script.into(), program.clone().into_os_string()])
    };
    let component = bytes("test/adversary.wasm");
    for limit in ["-t 60", "-v 3000000", "-c 0"] {
        let plugin = load(below(limit), &component).unwrap_or_else(|reason| panic!("{limit}: {reason}"));
        assert!(plugin.render(&act("decent")).is_ok(), "{limit}");
    }
    // And holds it.
    let died = load(below("-v 200000"), &large_functions(12)).unwrap_err();
    assert!(matches!(died, Reason::Compiler(CompilerFault::Died(_))), "{died}");
}

fn what_takes_too_much_is_stopped() {
    // The engine alone takes more than that.
    let small = Worker { memory_bytes: 16 << 20, ..worker("right") };
    let died = load(small, &bytes("test/adversary.wasm")).unwrap_err();
    assert!(matches!(died, Reason::Compiler(CompilerFault::Died(_))), "{died}");
    let bomb = large_functions(12);
    let little = Worker { memory_bytes: 400 << 20, ..worker("right") };
    let died = load(little, &bomb).unwrap_err();
    assert!(matches!(died, Reason::Compiler(CompilerFault::Died(_))), "{died}");
    // Whichever of the two clocks is faster.
    let short = Worker { time: Duration::from_millis(999), ..worker("right") };
    let late = load(short, &bomb).unwrap_err();
    let is_stopped =
        matches!(&late, Reason::Compiler(CompilerFault::TimedOut { .. } | CompilerFault::Died(_)));
    assert!(is_stopped, "{late}");
}

fn what_is_no_component_is_told_as_ever() {
    let good = bytes("test/adversary.wasm");
    for component in [&good[..good.len() - 1], b"\0asm\x0d\0\x01\0\x07\x01\x09"] {
        let refused = load(worker("right"), component);
        assert!(matches!(refused, Err(Reason::NotAComponent(_))), "{refused:?}");
    }
    // Valid by its form, and no more: found out by the worker.
    let invalid = wat::parse_str("(component (core module (func (result i32))))").unwrap();
    let refused = load(worker("right"), &invalid);
    assert!(
        matches!(&refused, Err(Reason::NotAComponent(why)) if why.contains("type mismatch")),
        "{refused:?}"
    );
    let import = wat::parse_str(r#"(component (import "wasi:io/poll@0.3.0" (instance)))"#).unwrap();
    let refused = load(worker("right"), &import);
    assert_eq!(refused.unwrap_err(), Reason::UnknownImport("wasi:io/poll@0.3.0".to_owned()));
}

fn what_is_over_bounds_is_never_given_to_a_worker() {
    let table = wat::parse_str("(component (core module (table 1000000 funcref)))").unwrap();
    let expected = Reason::OverBounds { part: Part::TableElements, found: 1_000_000, most: 20_000 };
    assert_eq!(load(worker("dies"), &table).unwrap_err(), expected);
}
