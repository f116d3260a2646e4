//! What a plugin may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one plugin, and one call of it, may use. Each default is well above what the first-party
/// plugins need (a render of 20 options takes about 0.15 million of fuel and 1.4 MiB) and well
/// below what hurts a host that serves many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a component, before anything is parsed. 24 MiB: Rust guests have 0.2 MiB, guests
    /// that carry QuickJS about 1.2 MiB, those that carry Python 18 MiB.
    pub component_bytes: usize,
    /// Fuel of a call, about one unit per Wasm instruction. 500 million: half a second on a common
    /// core. This decides, being the same on every machine; all the calls into a plugin that one
    /// render takes share it.
    pub fuel: u64,
    /// Wall-clock time of a call. 10 s: far beyond what the fuel lasts, so that only a machine in
    /// trouble meets it. It is judged in steps of [`Limits::TICK`].
    pub deadline: Duration,
    /// Bytes of linear memory, of all memories of an instance together. 64 MiB: a guest in a
    /// language with a runtime of its own starts at 20 MiB or so.
    pub memory_bytes: usize,
    /// Elements of all tables of an instance together. 20,000: one per function whose address is
    /// taken; large guests have some thousand.
    pub table_elements: usize,
    /// Core instances and tables, each, of one component. 48: a Rust guest has one, and up to three
    /// are adapters; Python's libraries make 38. Memories are three at most: the guest's, an
    /// adapter's and a runtime's.
    pub instances: usize,
    /// Bytes of the Wasm stack. 512 KiB, the engine's default, which fits into any thread's stack.
    pub stack_bytes: usize,
    /// Bytes that a plugin may hand to the host in one answer or call. 4 MiB: ten times the
    /// largest data source that was seen.
    pub answer_bytes: usize,
    /// Bytes of all log messages of a call. 64 KiB.
    pub log_bytes: usize,
    /// Log messages of a call. 200.
    pub log_messages: usize,
    /// Findings in one answer. 200: more is not read by people.
    pub findings: usize,
    /// Options of a data source or binding. 10,000 leaves: real ones have fewer than 100.
    pub options: usize,
    /// Bytes of a data source's or binding's texts and pointers. 4 MiB.
    pub option_bytes: usize,
    /// Resource handles that a plugin holds at a time. 64: it is given one.
    pub handles: usize,
    /// Questions to the network in one probe. 8: a connection, a sign-in and a few pages.
    pub network_calls: usize,
    /// Calls at a time; more wait. 16, for each of which the pool reserves address space.
    pub concurrent_calls: u32,
}

/// What a call used of what it may. All but the network is the same for the same input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Used {
    /// Fuel, about one unit per Wasm instruction.
    pub fuel: u64,
    /// Bytes of linear memory, of all memories together, at the most.
    pub memory_bytes: u64,
    /// Elements of all tables together, at the most.
    pub table_elements: u64,
    /// Bytes of log.
    pub log_bytes: u64,
    /// Log messages.
    pub log_messages: u64,
    /// Questions to the network.
    pub network_calls: u64,
}

impl Limits {
    /// How often the wall clock is looked at. 10 ms: the cost is not measurable, and a deadline is
    /// in seconds.
    pub const TICK: Duration = Duration::from_millis(10);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            component_bytes: 24 << 20,
            fuel: 500_000_000,
            deadline: Duration::from_secs(10),
            memory_bytes: 64 << 20,
            table_elements: 20_000,
            instances: 48,
            stack_bytes: 512 << 10,
            answer_bytes: 4 << 20,
            log_bytes: 64 << 10,
            log_messages: 200,
            findings: 200,
            options: 10_000,
            option_bytes: 4 << 20,
            handles: 64,
            network_calls: 8,
            concurrent_calls: 16,
        }
    }
}
