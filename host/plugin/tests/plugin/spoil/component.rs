//! Components: random bytes, and a good one with bytes changed, put in and taken out.

use std::sync::LazyLock;

use sluice_plugin::manifest::Manifest;
use sluice_plugin::{Limits, Reason, examine};

use super::Choices;

/// A component with a bit of everything.
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    wat::parse_str(
        r#"(component
            (type $t (instance
                (export "r" (type (sub resource))) (type (list u8))
                (type (record (field "a" string) (field "b" (option u32))))
                (export "f" (func (param "x" string)))))
            (import "sluice:plugin/log@1.0.0" (instance (type $t)))
            (component (type (component (type (instance (type (variant (case "a") (case "b" u8))))))))
            (core module $m
                (type (func (param i32) (result i32)))
                (import "env" "f" (func (type 0)))
                (table 3 funcref) (memory (export "m") 1) (global (mut i64) (i64.const 1))
                (elem (i32.const 0) func 0 1) (data (i32.const 8) "text")
                (func (export "g") (type 0) (local i32 i64)
                    (block (br_table 0 0 (local.get 0))) (call_indirect (type 0) (local.get 0) (i32.const 1)))
                (@custom "name-like" "\01\02\03"))
            (core module $n (func (export "f") (param i32) (result i32) (local.get 0)))
            (core instance $j (instantiate $n))
            (core instance $i (instantiate $m (with "env" (instance $j))))
            (func $f (param "x" u32) (result u32) (canon lift (core func $i "g")))
            (export "f" (func $f))
            (@custom "sluice-manifest" "{\22name\22:\22orders\22,\22version\22:\221.2.3\22,\22publisher\22:\22acme\22,\22licence\22:\22MIT\22,\22description\22:\22Orders.\22,\22world\22:\22data-source-with-probe\22,\22minimum-host\22:\220.1.0\22,\22probe-hosts\22:[\22endpoints\22,\22*.example.com:443\22],\22kinds\22:[\22lowcoder/orders\22],\22capabilities\22:[\22makes data sources\22]}"))"#,
    )
    .unwrap()
});

/// A real plugin, as it was released.
const RELEASED: &[u8] = include_bytes!("../../released/1.0.wasm");

fn made(choices: &mut Choices<'_>) -> Vec<u8> {
    if choices.below(4) == 0 {
        let header: &[u8] = if choices.below(2) == 0 { &[] } else { b"\0asm\x0d\0\x01\0" };
        return [header, choices.rest()].concat();
    }
    let mut component = if choices.below(16) == 1 { RELEASED.to_vec() } else { GOOD.clone() };
    for _ in 0..1 + choices.below(6) {
        let at = choices.below(component.len());
        match choices.below(4) {
            0 | 1 => component[at] = choices.byte(),
            2 => component.insert(at, choices.byte()),
            _ => drop(component.drain(at..(at + 1 + choices.below(8)).min(component.len()))),
        }
        if component.is_empty() {
            break;
        }
    }
    component
}

/// Makes a component of bytes and looks at it, as far as that goes without compiling it. Says what
/// it came to.
pub(crate) fn spoil(bytes: &[u8]) -> &'static str {
    let mut choices = Choices(bytes);
    let component = made(&mut choices);
    let limits = Limits::default();
    // Whatever is there, a manifest is read or refused.
    let _ = Manifest::read(&component);
    let judged = examine(&component, &limits);
    assert_eq!(examine(&component, &limits), judged, "it is judged alike each time");
    let roomy = Limits { memory_bytes: usize::MAX >> 1, table_elements: 1 << 40, instances: 1_000, ..limits };
    match judged {
        Ok(()) => {
            assert_eq!(examine(&component, &roomy), Ok(()), "what is within bounds is within wider ones");
            "good"
        }
        Err(Reason::NotAComponent(why)) => {
            assert!(!why.is_empty() && why.len() < 2_100, "{why}");
            "no component"
        }
        Err(Reason::OverBounds { found, most, .. }) => {
            assert!(found > most);
            "over bounds"
        }
        Err(other) => panic!("it is refused for what is not its form: {other}"),
    }
}
