//! What a plugin does wrong with WASI, which the runtimes of some languages import.

use std::time::Duration;

use sluice_plugin::{Limit, Limits, PluginLimits, Reason};

use super::raw::{Raw, refused_within};
use super::{Adversary, Expected, Refusal, own_limits};

/// What of WASI 0.2 the adversaries import.
const INTERFACES: &str = r#"
    package vendor:raw;

    world raw {
        include sluice:plugin/data-source@1.0.0;
        import wasi:cli/exit@0.2.0;
        import wasi:cli/stdin@0.2.0;
        import wasi:cli/stdout@0.2.0;
        import wasi:clocks/monotonic-clock@0.2.0;
        import wasi:random/random@0.2.0;
        import wasi:sockets/tcp-create-socket@0.2.0;
    }

    package wasi:cli@0.2.0 {
        interface exit { exit: func(status: result); }
        interface stdin { use wasi:io/streams@0.2.0.{input-stream}; get-stdin: func() -> input-stream; }
        interface stdout { use wasi:io/streams@0.2.0.{output-stream}; get-stdout: func() -> output-stream; }
    }

    package wasi:clocks@0.2.0 {
        interface monotonic-clock {
            use wasi:io/poll@0.2.0.{pollable};
            subscribe-duration: func(when: u64) -> pollable;
        }
    }

    package wasi:io@0.2.0 {
        interface error { resource error; }
        interface poll {
            resource pollable { block: func(); }
            poll: func(in: list<borrow<pollable>>) -> list<u32>;
        }
        interface streams {
            use error.{error};
            variant stream-error { last-operation-failed(error), closed }
            resource input-stream { blocking-read: func(len: u64) -> result<list<u8>, stream-error>; }
            resource output-stream {
                blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
                blocking-write-zeroes-and-flush: func(len: u64) -> result<_, stream-error>;
            }
        }
    }

    package wasi:random@0.2.0 {
        interface random { get-random-bytes: func(len: u64) -> list<u8>; }
    }

    package wasi:sockets@0.2.0 {
        interface network { enum ip-address-family { ipv4, ipv6 } enum error-code { unknown } }
        interface tcp { resource tcp-socket; }
        interface tcp-create-socket {
            use network.{error-code, ip-address-family};
            use tcp.{tcp-socket};
            create-tcp-socket: func(address-family: ip-address-family) -> result<tcp-socket, error-code>;
        }
    }
"#;

const RANDOM: &str =
    r#"(import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))"#;
const EXIT: &str = r#"(import "wasi:cli/exit@0.2.0" "exit" (func $exit (param i32)))"#;
const WAIT: &str = r#"
    (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $wait (param i64) (result i32)))
    (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $drop (param i32)))
    (import "wasi:io/poll@0.2.0" "poll" (func $poll (param i32 i32 i32)))"#;
const OUT: &str = r#"
    (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $out (result i32)))
    (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
        (func $write (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-zeroes-and-flush"
        (func $zeroes (param i32 i64 i32)))"#;
const IN: &str = r#"
    (import "wasi:cli/stdin@0.2.0" "get-stdin" (func $in (result i32)))
    (import "wasi:io/streams@0.2.0" "[method]input-stream.blocking-read"
        (func $read (param i32 i64 i32)))"#;
const SOCKET: &str = r#"(import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket"
        (func $socket (param i32 i32)))"#;

/// How long an adversary may take that only the clock stops.
const SOON: Duration = Duration::from_millis(500);

pub(crate) fn all() -> Vec<Adversary> {
    // What the host does for a call of WASI costs no fuel, so that the clock stops who never ends.
    let limits = PluginLimits { deadline: Some(SOON), ..own_limits() };
    let too_long = || {
        Expected::Like(|refusal| {
            matches!(refusal, Refusal::Plugin(Reason::Exceeded { limit: Limit::Fuel | Limit::Deadline, .. }))
        })
    };
    let trap = || Expected::Like(|refusal| matches!(refusal, Refusal::Plugin(Reason::Trap(_))));
    [
        (
            "a terabyte of randomness",
            RANDOM,
            "(call $random (i64.const 0x10000000000) (i32.const 64))",
            trap(),
        ),
        ("an end of the process", EXIT, "(call $exit (i32.const 0))", trap()),
        ("a failed end of the process", EXIT, "(call $exit (i32.const 1))", trap()),
        (
            "waits for ever",
            WAIT,
            "(loop $on (local.set 0 (call $wait (i64.const -1)))
                (call $block (local.get 0)) (call $drop (local.get 0)) (br $on))",
            too_long(),
        ),
        (
            "waits that are never dropped",
            WAIT,
            "(loop $on (drop (call $wait (i64.const 1))) (br $on))",
            Expected::Exactly(Refusal::Plugin(Reason::Exceeded {
                limit: Limit::Handles,
                most: Limits::default().handles as u64,
            })),
        ),
        ("a wait for nothing", WAIT, "(call $poll (i32.const 64) (i32.const 0) (i32.const 72))", trap()),
        ("a wait for a made-up handle", WAIT, "(call $block (i32.const 7))", trap()),
        (
            "a wait for handles beyond memory",
            WAIT,
            "(call $poll (i32.const 64) (i32.const 0x1000000) (i32.const 72))",
            trap(),
        ),
        (
            "writes without end",
            OUT,
            "(local.set 0 (call $out))
                (loop $on (call $write (local.get 0) (i32.const 0) (i32.const 4096) (i32.const 64)) (br $on))",
            too_long(),
        ),
        (
            "zeroes as many as can be",
            OUT,
            "(call $zeroes (call $out) (i64.const -1) (i32.const 64))",
            trap(),
        ),
        ("writes what is beyond memory", OUT, "(call $write (call $out) (i32.const -8) (i32.const 64) (i32.const 64))", trap()),
        (
            "reads without end",
            IN,
            "(local.set 0 (call $in))
                (loop $on (call $read (local.get 0) (i64.const -1) (i32.const 64)) (br $on))",
            too_long(),
        ),
        ("a socket", SOCKET, "(call $socket (i32.const 0) (i32.const 64))", trap()),
    ]
    .into_iter()
    .map(|(name, imports, act, expected)| {
        let limits = limits.clone();
        let raw = Raw::importing(imports, INTERFACES, act);
        Adversary::new(format!("wasi: {name}"), move |host| refused_within(host, &raw, &limits), expected)
    })
    .collect()
}
