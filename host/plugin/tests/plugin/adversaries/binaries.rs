//! Files that are no plugins, or are made of too much.

use sluice_plugin::{Host, Part, Reason};

use super::{Adversary, Expected, Refusal, load};
use crate::built::bytes;

fn adversary(name: &str, component: Vec<u8>, expected: Expected) -> Adversary {
    Adversary::new(format!("file: {name}"), move |host: &Host| load(host, &component).err(), expected)
}

fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// What a core module begins with.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A code section's content: one function, with one declaration of as many variables as can be.
const LOCALS: &[u8] = &[1, 8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b];

/// A component of these sections.
fn component(sections: &[u8]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0", sections].concat()
}

/// One of the binary format's numbers (LEB128).
fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

pub(crate) fn all() -> Vec<Adversary> {
    let good = bytes("test/adversary.wasm");
    let limit = sluice_plugin::Limits::default().component_bytes;
    let no_component =
        || Expected::Like(|refusal| matches!(refusal, Refusal::Plugin(Reason::NotAComponent(_))));
    let mut all: Vec<_> = [
        ("empty", vec![]),
        ("garbage", b"\0asm and something else".to_vec()),
        ("text", b"(component)".to_vec()),
        ("a program", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec()),
        ("a core module", text("(module)")),
        ("half its beginning", good[..4].to_vec()),
        ("half of it", good[..good.len() / 2].to_vec()),
        ("all but its last byte", good[..good.len() - 1].to_vec()),
        ("something behind it", [&good[..], &[0xff; 16]].concat()),
        ("itself twice", [&good[..], &good[..]].concat()),
        ("shared memory", text("(component (core module (memory 1 1 shared)))")),
        ("a memory of 64 bits", text("(component (core module (memory i64 1)))")),
        ("references of garbage collection", text("(component (core module (type (struct (field i32)))))")),
        ("exceptions", text("(component (core module (tag)))")),
        ("a function without what it promises", text("(component (core module (func (result i32))))")),
        ("an export of nothing", b"\0asm\x0d\0\x01\0\x01\x0f\0asm\x01\0\0\0\x07\x05\x01\x01x\0\x09".to_vec()),
    ]
    .into_iter()
    .map(|(name, component)| adversary(name, component, no_component()))
    .collect();
    for (name, import) in [
        ("sockets", "wasi:sockets/types@0.3.0"),
        ("files", "wasi:filesystem/types@0.3.0"),
        ("a store of its own", "wasi:keyvalue/store@0.2.0"),
        ("the network without a probe", "sluice:plugin/net@1.0.0"),
        ("another version", "sluice:plugin/log@2.0.0"),
        ("a function of nobody", "vendor:private/backdoor"),
    ] {
        let component = text(&format!(r#"(component (import "{import}" (instance)))"#));
        let expected = Expected::Exactly(Refusal::Plugin(Reason::UnknownImport(import.to_owned())));
        all.push(adversary(&format!("imports {name}"), component, expected));
    }
    let over =
        |part, found, most| Expected::Exactly(Refusal::Plugin(Reason::OverBounds { part, found, most }));
    let modules = "(core module)".repeat(200);
    let components = "(component)".repeat(100);
    let nested = format!("{}{}", "(component ".repeat(9), ")".repeat(9));
    let giant = format!("(func {})", "nop ".repeat(2 << 20));
    for (name, component, expected) in [
        (
            "a table of a million",
            text("(component (core module (table 1000000 funcref)))"),
            over(Part::TableElements, 1_000_000, 20_000),
        ),
        (
            "a memory of a gigabyte",
            text("(component (core module (memory 16384)))"),
            over(Part::MemoryBytes, 1 << 30, 64 << 20),
        ),
        ("many modules", text(&format!("(component {modules})")), over(Part::Modules, 193, 192)),
        ("many components", text(&format!("(component {components})")), over(Part::Components, 65, 64)),
        ("components in components", text(&nested), over(Part::Levels, 9, 8)),
        (
            "a giant function",
            text(&format!("(component (core module {giant}))")),
            over(Part::FunctionBytes, (2 << 20) + 2, 1 << 20),
        ),
    ] {
        all.push(adversary(name, component, expected));
    }
    // Sections that are huge, or say that they are.
    let section = |id: u8, size: usize, content: &[u8]| [&[id][..], &number(size), content].concat();
    let whole = |id: u8, content: &[u8]| section(id, content.len(), content);
    let module = |sections: Vec<u8>| component(&whole(1, &[MODULE, &sections].concat()));
    for (name, component, expected) in [
        ("a section longer than the file", component(&section(1, u32::MAX as usize, MODULE)), no_component()),
        ("a section that ends within a number", component(&[7, 0xff, 0xff]), no_component()),
        ("a section shorter than what is in it", component(&section(7, 1, &[2, 0x7f, 0x7f])), no_component()),
        (
            "four thousand million types",
            component(&whole(7, &number(u32::MAX as usize))),
            over(Part::Types, u32::MAX.into(), 50_000),
        ),
        (
            "four thousand million functions",
            module(whole(3, &number(u32::MAX as usize))),
            over(Part::Functions, u32::MAX.into(), 200_000),
        ),
        (
            "four thousand million globals",
            module(whole(6, &number(u32::MAX as usize))),
            over(Part::Globals, u32::MAX.into(), 50_000),
        ),
        (
            "four thousand million segments of data",
            module(whole(11, &number(u32::MAX as usize))),
            over(Part::Segments, u32::MAX.into(), 50_000),
        ),
        (
            "four thousand million instances",
            component(&whole(2, &number(u32::MAX as usize))),
            over(Part::Instances, u32::MAX.into(), 50_000),
        ),
        (
            "four thousand million variables of a function",
            module([whole(1, &[1, 0x60, 0, 0]), whole(3, &[1, 0]), whole(10, LOCALS)].concat()),
            over(Part::Locals, u32::MAX.into(), 10_000),
        ),
        ("more types than it has room for", component(&whole(7, &[2, 0x7f])), no_component()),
        (
            "more sections than are read",
            component(&whole(0, b"\x01x").repeat(20_001)),
            over(Part::Sections, 20_001, 20_000),
        ),
        (
            "a giant name",
            component(&whole(0, &[&number(5_000)[..], &[b'x'; 5_000]].concat())),
            over(Part::NameBytes, 5_000, 4_096),
        ),
        (
            "types in types",
            text(&format!("(component {} {})", "(type (component ".repeat(17), "))".repeat(17))),
            over(Part::TypeLevels, 17, 16),
        ),
        (
            "a section of megabytes that nobody asked for",
            component(&whole(0, &[&b"\x01x"[..], &vec![0; 8 << 20]].concat())),
            Expected::Like(|refusal| matches!(refusal, Refusal::Plugin(Reason::NotThisWorld(_)))),
        ),
    ] {
        all.push(adversary(name, component, expected));
    }
    let too_large = Expected::Exactly(Refusal::Plugin(Reason::TooLarge { bytes: limit + 1, limit }));
    all.push(adversary("more bytes than are read", vec![0; limit + 1], too_large));
    let other_world =
        || Expected::Like(|refusal| matches!(refusal, Refusal::Plugin(Reason::NotThisWorld(_))));
    all.push(adversary("only its beginning", good[..8].to_vec(), other_world()));
    all.push(adversary("no world", text("(component (core module))"), other_world()));
    let function = r#"(component (import "sluice:plugin/log@1.0.0" (instance (export "erase" (func)))))"#;
    all.push(adversary("a function that the host has not", text(function), other_world()));
    let instances = "(core instance (instantiate $m))".repeat(60);
    all.push(adversary(
        "more instances than the pool has",
        text(&format!("(component (core module $m) {instances})")),
        Expected::Like(|refusal| matches!(refusal, Refusal::Plugin(Reason::NotAComponent(_)))),
    ));
    all
}

#[test]
fn every_beginning_of_a_small_component_is_refused() {
    let host = Host::new(sluice_plugin::Limits::default()).unwrap();
    let component = text(
        r#"(component
            (core module $m (memory (export "m") 1) (func (export "f") (result i32) i32.const 1))
            (core instance $i (instantiate $m))
            (func $f (result u32) (canon lift (core func $i "f")))
            (export "f" (func $f)))"#,
    );
    for end in 0..component.len() {
        let refused = load(&host, &component[..end]);
        // Where a section ends the rest is a component too, if not a plugin.
        assert!(
            matches!(refused, Err(Refusal::Plugin(Reason::NotAComponent(_) | Reason::NotThisWorld(_)))),
            "{end}: {refused:?}"
        );
    }
}

mod mutations {
    use std::sync::OnceLock;

    use proptest::prelude::*;
    use sluice_plugin::{Limits, examine};

    use super::*;

    fn host() -> &'static Host {
        static HOST: OnceLock<Host> = OnceLock::new();
        HOST.get_or_init(|| Host::new(sluice_plugin::Limits::default()).unwrap())
    }

    /// A component of which some bytes are others.
    fn changed() -> impl Strategy<Value = Vec<u8>> {
        let good = text(
            r#"(component
                (type $t (instance (export "r" (type (sub resource))) (type (list u8)) (export "f" (func (param "x" string)))))
                (import "sluice:plugin/log@1.0.0" (instance (type $t)))
                (core module $m (table 1 funcref) (memory (export "m") 1) (global i32 (i32.const 1))
                    (elem (i32.const 0) func 0) (data (i32.const 0) "x")
                    (func (export "f") (result i32) (local i32) (block (br_table 0 0 (i32.const 1))) i32.const 1))
                (core instance $i (instantiate $m))
                (func $f (result u32) (canon lift (core func $i "f")))
                (export "f" (func $f)))"#,
        );
        let length = good.len();
        prop::collection::vec((0..length, any::<u8>()), 1..6).prop_map(move |changes| {
            let mut component = good.clone();
            changes.into_iter().for_each(|(at, byte)| component[at] = byte);
            component
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]
        #[test]
        fn whatever_a_component_is_changed_to_is_refused(component in changed()) {
            let Err(Refusal::Plugin(refused)) = load(host(), &component) else {
                panic!("it is let in");
            };
            // What is judged without compiling is what compiling judges.
            let is_good = examine(&component, &Limits::default()).is_ok();
            let is_of_form = matches!(refused, Reason::NotAComponent(_) | Reason::OverBounds { .. });
            prop_assert_eq!(is_good, !is_of_form, "{}", refused);
        }
    }
}
