use std::sync::OnceLock;

use wasmtime::component::Component;

use super::*;
use crate::host::{Allowance, Host};
use crate::limits::Limits;

/// A component whose `run` is `body`. `imports` declares instances, and what is lowered of them as
/// `(core instance $wasi …)`.
fn component(imports: &str, wasi: &str, core: &str, body: &str) -> String {
    format!(
        r#"(component
            {imports}
            (core module $memory (memory (export "memory") 1)
                (global $next (mut i32) (i32.const 1024))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    (global.set $next (i32.add (global.get $next) (i32.add (local.get 3) (i32.const 8))))
                    (i32.and (global.get $next) (i32.const -8))))
            (core instance $m (instantiate $memory))
            {wasi}
            (core module $main
                (import "m" "memory" (memory 1))
                {core}
                (func (export "run") (result i64) {body}))
            (core instance $i (instantiate $main (with "wasi" (instance $wasi)) (with "m" (instance $m))))
            (func (export "run") (result u64) (canon lift (core func $i "run"))))"#
    )
}

/// What `run` answers, and what was written meanwhile.
fn run(wat: &str) -> wasmtime::Result<(u64, String)> {
    static HOST: OnceLock<Host> = OnceLock::new();
    let host = HOST.get_or_init(|| Host::new(Limits::default()).unwrap());
    let component = Component::new(host.engine(), wat::parse_str(wat).unwrap())?;
    let refusing = refusing(host.linker(), &component)?;
    let linker = refusing.as_ref().unwrap_or(host.linker());
    let allowance = Allowance::new(Limits { log_bytes: 64, ..Limits::default() });
    let state = State::new("vendor".into(), allowance.limits.clone(), host.begin(&allowance));
    let mut store = host.store(state)?;
    let instance = linker.instantiate(&mut store, &component)?;
    let run = instance.get_typed_func::<(), (u64,)>(&mut store, "run")?;
    let (answer,) = run.call(&mut store, ())?;
    let written = store.data().wasi.as_ref().map(|wasi| wasi.written()).unwrap_or_default();
    let used = store.data().used();
    assert_eq!((used.log_bytes, used.log_messages), (written.len() as u64, written.lines().count() as u64));
    Ok((answer, written))
}

const TIME: &str = r#"
    (import "wasi:io/poll@0.2.0" (instance $poll
        (export "pollable" (type $p (sub resource)))
        (export "[method]pollable.block" (func (param "self" (borrow $p))))))
    (alias export $poll "pollable" (type $pollable))
    (import "wasi:clocks/monotonic-clock@0.2.3" (instance $clock
        (export "pollable" (type $p (eq $pollable)))
        (export "now" (func (result u64)))
        (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))"#;

const TIME_LOWERED: &str = r#"
    (core func $now (canon lower (func $clock "now")))
    (core func $wait (canon lower (func $clock "subscribe-duration")))
    (core func $block (canon lower (func $poll "[method]pollable.block")))
    (core instance $wasi (export "now" (func $now)) (export "wait" (func $wait)) (export "block" (func $block)))"#;

const TIME_CORE: &str = r#"
    (import "wasi" "now" (func $now (result i64)))
    (import "wasi" "wait" (func $wait (param i64) (result i32)))
    (import "wasi" "block" (func $block (param i32)))"#;

#[test]
fn time_passes_only_when_it_is_looked_at_or_waited_for() {
    let looked = component(TIME, TIME_LOWERED, TIME_CORE, "(drop (call $now)) (call $now)");
    let hour = 3_600 * SECOND;
    let body = format!("(call $block (call $wait (i64.const {hour}))) (call $now)");
    let waited = component(TIME, TIME_LOWERED, TIME_CORE, &body);
    for (wat, expected) in [(looked, 2 * LOOK), (waited, hour + LOOK)] {
        for _ in 0..2 {
            assert_eq!(run(&wat).unwrap().0, expected);
        }
    }
}

#[test]
fn randomness_is_the_same_for_every_call() {
    let imports = r#"
        (import "wasi:random/random@0.2.12" (instance $random (export "get-random-u64" (func (result u64)))))"#;
    let lowered = r#"
        (core func $random (canon lower (func $random "get-random-u64")))
        (core instance $wasi (export "random" (func $random)))"#;
    let core = r#"(import "wasi" "random" (func $random (result i64)))"#;
    let once = component(imports, lowered, core, "(call $random)");
    let twice = component(imports, lowered, core, "(drop (call $random)) (call $random)");
    let first = run(&once).unwrap().0;
    assert_eq!(run(&once).unwrap().0, first);
    assert_ne!(run(&twice).unwrap().0, first);
}

#[test]
fn there_is_no_environment_and_no_folder() {
    for (imports, function) in [
        (
            r#"(import "wasi:cli/environment@0.2.0" (instance $x
                (export "get-environment" (func (result (list (tuple string string)))))))"#,
            "get-environment",
        ),
        (
            r#"(import "wasi:filesystem/types@0.2.0" (instance $types (export "descriptor" (type (sub resource)))))
            (alias export $types "descriptor" (type $descriptor))
            (import "wasi:filesystem/preopens@0.2.0" (instance $x
                (export "descriptor" (type $d (eq $descriptor)))
                (export "get-directories" (func (result (list (tuple (own $d) string)))))))"#,
            "get-directories",
        ),
    ] {
        let lowered = format!(
            r#"(core func $get (canon lower (func $x "{function}")
                (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
            (core instance $wasi (export "get" (func $get)))"#
        );
        let core = r#"(import "wasi" "get" (func $get (param i32)))"#;
        let body =
            "(i32.store (i32.const 4) (i32.const 7)) (call $get (i32.const 0)) (i64.load32_u (i32.const 4))";
        assert_eq!(run(&component(imports, &lowered, core, body)).unwrap().0, 0, "{function}");
    }
}

#[test]
fn what_is_written_is_bounded() {
    let imports = r#"
        (import "wasi:io/streams@0.2.0" (instance $streams
            (export "output-stream" (type $s (sub resource)))
            (export "[method]output-stream.check-write"
                (func (param "self" (borrow $s)) (result (result u64 (error $e)))))))"#;
    // `stream-error` has an error of `wasi:io/error` in it.
    let imports = imports.replace(
        "(export \"[method]",
        r#"(export "error" (type $error (eq $io-error)))
            (type $failure (variant (case "last-operation-failed" (own $error)) (case "closed")))
            (export "stream-error" (type $e (eq $failure)))
            (export "[method]output-stream.write"
                (func (param "self" (borrow $s)) (param "contents" (list u8)) (result (result (error $e)))))
            (export "[method]"#,
    );
    let imports = format!(
        r#"(import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
        (alias export $errors "error" (type $io-error))
        {imports}
        (alias export $streams "output-stream" (type $stream))
        (import "wasi:cli/stderr@0.2.0" (instance $stderr
            (export "output-stream" (type $s (eq $stream)))
            (export "get-stderr" (func (result (own $s))))))"#
    );
    let lowered = r#"
        (core func $get (canon lower (func $stderr "get-stderr")))
        (core func $room (canon lower (func $streams "[method]output-stream.check-write") (memory (core memory $m "memory"))))
        (core func $write (canon lower (func $streams "[method]output-stream.write") (memory (core memory $m "memory"))))
        (core instance $wasi
            (export "get" (func $get)) (export "room" (func $room)) (export "write" (func $write)))"#;
    let core = r#"
        (import "wasi" "get" (func $get (result i32)))
        (import "wasi" "room" (func $room (param i32 i32)))
        (import "wasi" "write" (func $write (param i32 i32 i32 i32)))
        (data (i32.const 100) "0123456789abcdef0123456789abcdef")"#;
    let write = "(call $write (local.get $s) (i32.const 100) (i32.const 32) (i32.const 0))";
    let room = "(call $room (local.get $s) (i32.const 8)) (i64.load (i32.const 16))";
    let once = format!("(local $s i32) (local.set $s (call $get)) {write} {room}");
    let (room_left, written) = run(&component(&imports, lowered, core, &once)).unwrap();
    assert_eq!((room_left, written.as_str()), (32, "0123456789abcdef0123456789abcdef"));
    let thrice = format!("(local $s i32) (local.set $s (call $get)) {write} {write} {write} {room}");
    let error = run(&component(&imports, lowered, core, &thrice)).unwrap_err();
    assert!(error.root_cause().to_string().contains("capacity"), "{error:?}");
}

#[test]
fn a_socket_can_be_imported_and_never_made() {
    let imports = r#"
        (import "wasi:sockets/tcp@0.2.0" (instance $tcp (export "tcp-socket" (type (sub resource)))))
        (alias export $tcp "tcp-socket" (type $socket))
        (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
            (export "tcp-socket" (type $s (eq $socket)))
            (export "create-tcp-socket" (func (result (own $s))))))"#;
    let lowered = r#"
        (core func $create (canon lower (func $create "create-tcp-socket")))
        (core instance $wasi (export "create" (func $create)))"#;
    let core = r#"(import "wasi" "create" (func $create (result i32)))"#;
    let called = component(imports, lowered, core, "(drop (call $create)) (i64.const 1)");
    let error = run(&called).unwrap_err();
    let expected = "`wasi:sockets/tcp-create-socket@0.2.0#create-tcp-socket` is not for plugins";
    assert_eq!(error.root_cause().to_string(), expected);
    assert_eq!(run(&component(imports, lowered, core, "(i64.const 1)")).unwrap().0, 1);
}

#[test]
fn only_what_is_linked_is_known() {
    for (import, known) in [
        ("wasi:cli/environment@0.2.0", true),
        ("wasi:io/streams@0.2.12", true),
        ("wasi:sockets/udp@0.2.3", true),
        ("wasi:http/types@0.2.0", true),
        ("wasi:cli/run@0.2.0", false),
        ("wasi:cli/environment@0.3.0", false),
        ("wasi:cli/environment", false),
        ("wasi:keyvalue/store@0.2.0", false),
        ("sluice:plugin/log@0.2.0", false),
    ] {
        assert_eq!(is_known(import), known, "{import}");
    }
}
