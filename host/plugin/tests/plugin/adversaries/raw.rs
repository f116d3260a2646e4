//! Plugins without a language: core modules that do what no compiler lets a plugin do.

use std::path::Path;

use sluice_plugin::{Host, Limit, Limits, PluginLimits, Reason};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::{Adversary, Expected, Refusal, load, load_within, own_limits};
use crate::built::input;

/// The memory that a raw plugin begins with, up to where it allocates.
struct Memory(Vec<u8>);

const END: usize = 0x1000;

/// Where the answer of `describe` is: a list of one kind.
const ANSWER: usize = 0x200;
/// The kind: platform, name, slots, options.
const KIND: usize = 0x210;
/// Its slot: name, at, shape, required, doc.
const SLOT: usize = 0x300;
/// Its option: at, type, choices, required, sameness, doc.
const OPTION: usize = 0x400;
/// An answer of `validate`: an empty list.
const JUDGED: usize = 0x500;

impl Memory {
    /// Of a plugin that describes the kind `tooljet/raw` with a slot and an option.
    fn decent() -> Self {
        let mut memory = Self(vec![0; END]);
        for (at, text) in [(0x100, &b"tooljet"[..]), (0x110, b"raw"), (0x120, b"/a")] {
            memory.put(at, text);
        }
        for (at, pointer, length) in [
            (ANSWER, KIND, 1),
            (KIND, 0x100, 7),
            (KIND + 8, 0x110, 3),
            (KIND + 16, SLOT, 1),
            (KIND + 24, OPTION, 1),
            (SLOT, 0x110, 3),
            (SLOT + 8, 0x120, 2),
            (OPTION, 0x120, 2),
        ] {
            memory.text(at, pointer, length);
        }
        memory
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn number(&mut self, at: usize, number: usize) {
        self.put(at, &u32::try_from(number).unwrap().to_le_bytes());
    }

    /// A text or list: where it is, and how long.
    fn text(&mut self, at: usize, pointer: usize, length: usize) {
        self.number(at, pointer);
        self.number(at + 4, length);
    }
}

/// The parts of a raw plugin that an adversary changes, as WebAssembly text.
pub(crate) struct Raw {
    memory: Memory,
    /// What it imports beside the log.
    imports: String,
    /// The interfaces of those imports, as WIT: packages, and a world `raw` that has theirs and the
    /// contract's. Empty where it imports none.
    interfaces: &'static str,
    /// What `describe` does; its result is where the answer is.
    describe: String,
    /// What allocating does; its result is where.
    allocate: String,
    /// What making a data source does; its result is a handle.
    make: String,
    /// What judging does; its result is where the answer is.
    validate: String,
    /// What happens when an instance is made.
    start: String,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            memory: Memory::decent(),
            imports: String::new(),
            interfaces: "",
            describe: format!("i32.const {ANSWER}"),
            allocate: "global.get $free (global.set $free (i32.add (global.get $free) (local.get 3)))
                (global.set $free (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))"
                .to_owned(),
            make: "(call $new (i32.const 1))".to_owned(),
            validate: format!("i32.const {JUDGED}"),
            start: String::new(),
        }
    }
}

impl Raw {
    fn component(&self) -> Vec<u8> {
        let bytes: String = self.memory.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let Self { imports, describe, allocate, make, validate, start, .. } = self;
        let of = "sluice:plugin/transforming@1.0.0";
        let text = format!(
            r#"(module
                (import "sluice:plugin/log@1.0.0" "write" (func $log (param i32 i32 i32)))
                (import "[export]{of}" "[resource-new]rendering" (func $new (param i32) (result i32)))
                {imports}
                (memory (export "memory") 2)
                (table $table 1 funcref)
                (global $free (mut i32) (i32.const {END}))
                (data (i32.const 0) "{bytes}")
                (func $allocate (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {allocate})
                (func (export "{of}#describe") (result i32) (local i32) {describe})
                (func (export "{of}#[constructor]rendering")
                    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) {make})
                (func (export "{of}#[method]rendering.validate") (param i32) (result i32) {validate})
                (func (export "{of}#[method]rendering.transform")
                    (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable)
                (func (export "{of}#[method]rendering.remap-credentials")
                    (param i32 i32 i32 i32 i32) (result i32) unreachable)
                (func $start (local i32) {start})
                (start $start))"#
        );
        let mut module = wat::parse_str(text).unwrap();
        let mut resolve = Resolve::default();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/1.0");
        let (package, _) = resolve.push_dir(folder).unwrap();
        let (package, world) = match self.interfaces {
            "" => (package, "data-source"),
            interfaces => (resolve.push_str("raw.wit", interfaces).unwrap(), "raw"),
        };
        let world = resolve.select_world(&[package], Some(world)).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
        ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
    }
}

impl Raw {
    /// One that imports more, and does something before it describes itself.
    pub(crate) fn importing(imports: &str, interfaces: &'static str, act: &str) -> Self {
        Self { imports: imports.to_owned(), interfaces, describe: then(act), ..Self::default() }
    }
}

/// Describes itself, after something else.
fn then(act: &str) -> String {
    format!("{act} i32.const {ANSWER}")
}

/// Loads it and, if it is let in, renders a data source.
fn refused(host: &Host, raw: &Raw) -> Option<Refusal> {
    refused_within(host, raw, &own_limits())
}

pub(crate) fn refused_within(host: &Host, raw: &Raw, limits: &PluginLimits) -> Option<Refusal> {
    let plugin = match load_within(host, &raw.component(), limits) {
        Ok(plugin) => plugin,
        Err(refusal) => return Some(refusal),
    };
    let input = input("tooljet/raw", "raw", serde_json::json!({"a": "x"}), serde_json::Value::Null);
    plugin.render(&input).err().map(|error| Refusal::Plugin(*error.reason))
}

const FOR_EVER: &str = "(loop $on (br $on))";

pub(crate) fn all() -> Vec<Adversary> {
    let limits = Limits::default();
    let of_memory = |change: fn(&mut Memory)| {
        let mut raw = Raw::default();
        change(&mut raw.memory);
        raw
    };
    let exceeded = |limit, most: usize| {
        Expected::Exactly(Refusal::Plugin(Reason::Exceeded { limit, most: most as u64 }))
    };
    let fuel = || exceeded(Limit::Fuel, own_limits().fuel.unwrap().try_into().unwrap());
    let trap = || Expected::Like(|refusal| matches!(refusal, Refusal::Plugin(Reason::Trap(_))));
    let too_much = || {
        Expected::Like(|refusal| {
            matches!(
                refusal,
                Refusal::Plugin(Reason::Trap(_) | Reason::Exceeded { limit: Limit::Answer, .. })
            )
        })
    };
    let grow_memory = "(loop $on (drop (memory.grow (i32.const 1))) (br $on))";
    let grow_table = "(loop $on (drop (table.grow $table (ref.null func) (i32.const 100))) (br $on))";
    [
        // Answers that are not there, or are no answers.
        ("an answer beyond memory", Raw { describe: "i32.const -16".to_owned(), ..Raw::default() }, trap()),
        ("an answer across the end of memory", Raw { describe: "i32.const 131068".to_owned(), ..Raw::default() }, trap()),
        ("an answer that is not aligned", Raw { describe: format!("i32.const {}", ANSWER + 1), ..Raw::default() }, trap()),
        ("a list as long as can be", of_memory(|m| m.text(ANSWER, KIND, u32::MAX as usize)), too_much()),
        ("a list of a million", of_memory(|m| m.text(ANSWER, KIND, 1_000_000)), too_much()),
        ("a list whose length wraps around", of_memory(|m| m.text(ANSWER, KIND, 0x0800_0001)), too_much()),
        ("a list beyond memory", of_memory(|m| m.text(ANSWER, 0xffff_fff0, 1)), trap()),
        ("a list that is not aligned", of_memory(|m| m.text(ANSWER, KIND + 1, 1)), trap()),
        ("a text beyond memory", of_memory(|m| m.text(KIND, 0xffff_0000, 7)), trap()),
        ("a text as long as can be", of_memory(|m| m.text(KIND, 0x100, u32::MAX as usize)), too_much()),
        ("a text that is no text", of_memory(|m| m.put(0x100, &[0xff; 7])), trap()),
        ("half a character", of_memory(|m| m.put(0x106, &[0xc3])), trap()),
        ("a shape that is none", of_memory(|m| m.put(SLOT + 16, &[99])), trap()),
        ("a type that is none", of_memory(|m| m.put(OPTION + 8, &[99])), trap()),
        ("a sameness that is none", of_memory(|m| m.put(OPTION + 21, &[3])), trap()),
        ("a result that is none", of_memory(|m| m.put(JUDGED, &[2])), trap()),
        ("a failure that is none", of_memory(|m| m.put(JUDGED, &[1, 0, 0, 0, 9])), trap()),
        // Resources that nobody made.
        ("a made-up resource", Raw { make: "i32.const 7".to_owned(), ..Raw::default() }, trap()),
        ("no resource", Raw { make: "i32.const 0".to_owned(), ..Raw::default() }, trap()),
        (
            "resources without end",
            Raw { make: "(loop $on (drop (call $new (i32.const 1))) (br $on)) i32.const 0".to_owned(), ..Raw::default() },
            exceeded(Limit::Handles, limits.handles),
        ),
        // Allocating for the host what is not the plugin's to give.
        ("an allocation beyond memory", Raw { allocate: "i32.const -4096".to_owned(), ..Raw::default() }, trap()),
        ("an allocation that is not aligned", Raw { allocate: "i32.const 4097".to_owned(), ..Raw::default() }, trap()),
        ("an allocation at the end of memory", Raw { allocate: "i32.const 131072".to_owned(), ..Raw::default() }, trap()),
        ("an allocation that traps", Raw { allocate: "unreachable".to_owned(), ..Raw::default() }, trap()),
        ("an allocation that loops", Raw { allocate: format!("{FOR_EVER} i32.const 0"), ..Raw::default() }, fuel()),
        (
            "an allocation that grows",
            Raw { allocate: format!("{grow_memory} i32.const 0"), ..Raw::default() },
            exceeded(Limit::Memory, limits.memory_bytes),
        ),
        // Re-entrance: the host is in the plugin's memory, and the plugin calls the host.
        (
            "an allocation that calls the host",
            Raw { allocate: "(call $log (i32.const 0) (i32.const 0) (i32.const 1)) i32.const 4096".to_owned(), ..Raw::default() },
            trap(),
        ),
        (
            "an allocation that makes resources",
            Raw { allocate: "(drop (call $new (i32.const 1))) i32.const 4096".to_owned(), ..Raw::default() },
            trap(),
        ),
        // While an instance is made.
        ("a start that traps", Raw { start: "unreachable".to_owned(), ..Raw::default() }, trap()),
        ("a start that loops", Raw { start: FOR_EVER.to_owned(), ..Raw::default() }, fuel()),
        ("a start that calls itself", Raw { start: "(call $start)".to_owned(), ..Raw::default() }, exceeded(Limit::Stack, limits.stack_bytes)),
        ("a start that grows memory", Raw { start: grow_memory.to_owned(), ..Raw::default() }, exceeded(Limit::Memory, limits.memory_bytes)),
        ("a start that grows a table", Raw { start: grow_table.to_owned(), ..Raw::default() }, exceeded(Limit::TableElements, limits.table_elements)),
        ("a start that asks for all memory at once", Raw { start: "(drop (memory.grow (i32.const 65000)))".to_owned(), ..Raw::default() }, exceeded(Limit::Memory, limits.memory_bytes)),
        ("a start that asks for all table elements at once", Raw { start: "(drop (table.grow $table (ref.null func) (i32.const 100000)))".to_owned(), ..Raw::default() }, exceeded(Limit::TableElements, limits.table_elements)),
        // In a call.
        ("a table that grows", Raw { describe: then(grow_table), ..Raw::default() }, exceeded(Limit::TableElements, limits.table_elements)),
        ("a read beyond memory", Raw { describe: then("(drop (i32.load (i32.const -4)))"), ..Raw::default() }, trap()),
        ("a write beyond memory", Raw { describe: then("(memory.fill (i32.const 131000) (i32.const 0) (i32.const 1000))"), ..Raw::default() }, trap()),
        ("a call of no function", Raw { describe: then("(call_indirect (i32.const 0))"), ..Raw::default() }, trap()),
        ("a division by zero", Raw { describe: then("(drop (i32.div_u (i32.const 1) (i32.const 0)))"), ..Raw::default() }, trap()),
        ("a log beyond memory", Raw { describe: then("(call $log (i32.const 0) (i32.const -8) (i32.const 8))"), ..Raw::default() }, trap()),
        ("a log of no level", Raw { describe: then("(call $log (i32.const 9) (i32.const 0) (i32.const 1))"), ..Raw::default() }, trap()),
        ("a log that is no text", Raw { describe: then("(i32.store8 (i32.const 64) (i32.const 255)) (call $log (i32.const 0) (i32.const 64) (i32.const 1))"), ..Raw::default() }, trap()),
        ("a log as long as can be", Raw { describe: then("(call $log (i32.const 0) (i32.const 0) (i32.const -1))"), ..Raw::default() }, too_much()),
    ]
    .into_iter()
    .map(|(name, raw, expected)| Adversary::new(format!("raw: {name}"), move |host| refused(host, &raw), expected))
    .collect()
}

#[test]
fn a_raw_plugin_that_does_nothing_wrong_is_let_in() {
    let host = Host::new(Limits::default()).unwrap();
    let plugin = load(&host, &Raw::default().component()).unwrap();
    let [kind] = plugin.describe() else { panic!("{:?}", plugin.describe()) };
    assert_eq!(kind.kind, "tooljet/raw".parse().unwrap());
    assert_eq!((kind.slots.len(), kind.options.len()), (1, 1));
    // It gets as far as what it has no answer for.
    let refused = refused(&host, &Raw::default());
    assert!(
        matches!(&refused, Some(Refusal::Plugin(Reason::Trap(why))) if why.contains("unreachable")),
        "{refused:?}"
    );
}
