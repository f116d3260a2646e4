//! What a plugin may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Limit, Reason};

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
    /// Calls of one plugin at a time; more wait. 8, half of all, so that no plugin has all.
    pub plugin_calls: u32,
    /// Calls that compute at a time; a call that waits for the network computes nothing. As many as
    /// the machine has processors: more would only share them out among each other. One plugin has
    /// half of them, or the one that there is.
    pub processors: u32,
}

/// What one plugin may use where that is less than what the host's [`Limits`] allow everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PluginLimits {
    /// Fuel of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Wall-clock time of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Duration>,
    /// Bytes of linear memory, of all memories of an instance together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<usize>,
    /// Elements of all tables of an instance together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_elements: Option<usize>,
    /// Resource handles at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handles: Option<usize>,
    /// Bytes in one answer, or in one call to the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_bytes: Option<usize>,
    /// Bytes of all log messages of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<usize>,
    /// Log messages of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_messages: Option<usize>,
    /// Findings in one answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<usize>,
    /// Questions to the network in one probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_calls: Option<usize>,
    /// Calls of this plugin at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
}

impl PluginLimits {
    /// These limits, and `others` where they say nothing.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        Self {
            fuel: self.fuel.or(others.fuel),
            deadline: self.deadline.or(others.deadline),
            memory_bytes: self.memory_bytes.or(others.memory_bytes),
            table_elements: self.table_elements.or(others.table_elements),
            handles: self.handles.or(others.handles),
            answer_bytes: self.answer_bytes.or(others.answer_bytes),
            log_bytes: self.log_bytes.or(others.log_bytes),
            log_messages: self.log_messages.or(others.log_messages),
            findings: self.findings.or(others.findings),
            network_calls: self.network_calls.or(others.network_calls),
            calls: self.calls.or(others.calls),
        }
    }

    /// Whether it sets no limit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
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

impl Used {
    /// Takes over what is more in `other`.
    pub(crate) fn raise(&mut self, other: &Self) {
        self.fuel = self.fuel.max(other.fuel);
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
        self.table_elements = self.table_elements.max(other.table_elements);
        self.log_bytes = self.log_bytes.max(other.log_bytes);
        self.log_messages = self.log_messages.max(other.log_messages);
        self.network_calls = self.network_calls.max(other.network_calls);
    }
}

impl Limits {
    /// How often the wall clock is looked at. 10 ms: the cost is not measurable, and a deadline is
    /// in seconds.
    pub const TICK: Duration = Duration::from_millis(10);

    /// How often the memory of one plugin may grow, all its calls together: once in 0.25 ms, beyond
    /// [`Limits::GROWTHS`]. What comes sooner waits. To grow is to change the address space of the
    /// process, which all processors share: the slowest hundredth of a neighbour's calls took 2.6
    /// times as long beside a plugin that did nothing else. First-party plugins never grow: they find
    /// room in the memory that they begin with.
    pub const GROWTH: Duration = Duration::from_micros(250);

    /// How often it may grow at once: more than large inputs take.
    pub const GROWTHS: u32 = 64;

    /// How often the calls of one plugin may break off or break a limit: once in 2.5 ms, beyond
    /// [`Limits::FAILURES`]. What fails sooner is told later, when its place and its processor are
    /// another's. Beside a plugin that did nothing else, the slowest hundredth of a neighbour's calls
    /// took up to 5 times as long: woken in its stead again and again, its threads crossed over to
    /// the neighbour's processor.
    pub const FAILURE: Duration = Duration::from_micros(2_500);

    /// How many may fail at once: as many as the sources of a large promotion, by an honest mistake.
    pub const FAILURES: u32 = 64;
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
            plugin_calls: 8,
            processors: std::thread::available_parallelism()
                .map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX)),
        }
    }
}

impl Limits {
    /// What a plugin may use that is given `own`.
    ///
    /// # Errors
    /// When it would be more than these limits, for which pool and workspace are made, or nothing of
    /// what every call needs.
    pub fn with(&self, own: &PluginLimits) -> Result<Self, Reason> {
        let mut all = self.clone();
        let deadline = own.deadline.map(milliseconds);
        lower(&mut all.fuel, own.fuel, Limit::Fuel)?;
        let mut time = milliseconds(all.deadline);
        lower(&mut time, deadline, Limit::Deadline)?;
        all.deadline = Duration::from_millis(time);
        for (place, own, limit) in [
            (&mut all.memory_bytes, own.memory_bytes, Limit::Memory),
            (&mut all.table_elements, own.table_elements, Limit::TableElements),
            (&mut all.handles, own.handles, Limit::Handles),
            (&mut all.answer_bytes, own.answer_bytes, Limit::Answer),
            (&mut all.log_bytes, own.log_bytes, Limit::LogBytes),
            (&mut all.log_messages, own.log_messages, Limit::LogMessages),
            (&mut all.findings, own.findings, Limit::Findings),
            (&mut all.network_calls, own.network_calls, Limit::NetworkCalls),
        ] {
            lower(place, own, limit)?;
        }
        // Of calls a plugin may be given more than others have, up to all of the host's.
        let mut calls = all.concurrent_calls;
        lower(&mut calls, own.calls, Limit::Calls)?;
        all.plugin_calls = own.calls.map_or(all.plugin_calls, |_| calls);
        Ok(all)
    }
}

fn lower<N: Copy + Ord + TryInto<u64>>(place: &mut N, own: Option<N>, limit: Limit) -> Result<(), Reason> {
    let number = |n: N| n.try_into().unwrap_or(u64::MAX);
    match own {
        Some(own) if number(own) == 0 && limit.is_needed() => Err(Reason::NothingAllowed(limit)),
        Some(own) if own > *place => {
            Err(Reason::BeyondTheHost { limit, asked: number(own), most: number(*place) })
        }
        Some(own) => {
            *place = own;
            Ok(())
        }
        None => Ok(()),
    }
}

/// Whole milliseconds.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_given_less_than_the_host_and_never_more() {
        let host = Limits::default();
        assert_eq!(host.with(&PluginLimits::default()).unwrap(), host);
        let own = PluginLimits {
            fuel: Some(5),
            deadline: Some(Duration::from_millis(7)),
            log_messages: Some(0),
            calls: Some(16),
            ..PluginLimits::default()
        };
        let all = host.with(&own).unwrap();
        let expected = Limits {
            fuel: 5,
            deadline: Duration::from_millis(7),
            log_messages: 0,
            plugin_calls: 16,
            ..host.clone()
        };
        assert_eq!(all, expected);
        let none = PluginLimits::default();
        for (own, limit) in [
            (PluginLimits { fuel: Some(host.fuel + 1), ..none.clone() }, Limit::Fuel),
            (PluginLimits { deadline: Some(host.deadline * 2), ..none.clone() }, Limit::Deadline),
            (PluginLimits { memory_bytes: Some(65 << 20), ..none.clone() }, Limit::Memory),
            (PluginLimits { table_elements: Some(20_001), ..none.clone() }, Limit::TableElements),
            (PluginLimits { handles: Some(65), ..none.clone() }, Limit::Handles),
            (PluginLimits { answer_bytes: Some(5 << 20), ..none.clone() }, Limit::Answer),
            (PluginLimits { log_bytes: Some(1 << 20), ..none.clone() }, Limit::LogBytes),
            (PluginLimits { log_messages: Some(201), ..none.clone() }, Limit::LogMessages),
            (PluginLimits { findings: Some(201), ..none.clone() }, Limit::Findings),
            (PluginLimits { network_calls: Some(9), ..none.clone() }, Limit::NetworkCalls),
            (PluginLimits { calls: Some(17), ..none.clone() }, Limit::Calls),
        ] {
            let refused = host.with(&own).unwrap_err();
            assert!(matches!(refused, Reason::BeyondTheHost { limit: l, .. } if l == limit), "{refused}");
        }
        for (own, limit) in [
            (PluginLimits { fuel: Some(0), ..none.clone() }, Limit::Fuel),
            (PluginLimits { deadline: Some(Duration::from_micros(9)), ..none.clone() }, Limit::Deadline),
            (PluginLimits { memory_bytes: Some(0), ..none.clone() }, Limit::Memory),
            (PluginLimits { answer_bytes: Some(0), ..none.clone() }, Limit::Answer),
            (PluginLimits { handles: Some(0), ..none.clone() }, Limit::Handles),
            (PluginLimits { calls: Some(0), ..none.clone() }, Limit::Calls),
        ] {
            let refused = host.with(&own).unwrap_err();
            assert!(matches!(refused, Reason::NothingAllowed(l) if l == limit), "{refused}");
        }
        let fewer = PluginLimits { fuel: Some(5), log_messages: Some(0), ..none.clone() };
        let others = PluginLimits { fuel: Some(9), handles: Some(3), ..none };
        let both = PluginLimits {
            fuel: Some(5),
            log_messages: Some(0),
            handles: Some(3),
            ..PluginLimits::default()
        };
        assert_eq!(fewer.or(&others), both);
    }
}
