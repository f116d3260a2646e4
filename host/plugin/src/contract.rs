//! The contract's types, and what the host offers to plugins.

use std::sync::Arc;

use sluice_model::Kind;
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{ResourceLimiter, Store};

use crate::error::{Limit, Reason, shown};
use crate::limits::Limits;

#[allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::allow_attributes_without_reason,
    reason = "generated from the contract"
)]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "data-source-plugin",
        imports: { default: trappable },
        with: { "sluice:plugin/secrets.candidates": super::Offered },
        additional_derives: [PartialEq],
    });
}

pub(crate) use generated::exports::sluice::plugin::transforming::{Assignment, Traits, Transformed};
pub(crate) use generated::sluice::plugin::types::Kind as WireKind;
pub(crate) use generated::sluice::plugin::types::{
    DataSource, Environment, Failure, Finding, KindDescription, OptionDescription, OptionLeaf, OptionType,
    Part, Sameness, Scalar, SecretShape, Severity, SlotDescription, Value,
};
use generated::sluice::plugin::{log, secrets, types};
pub(crate) use generated::{DataSourcePlugin, DataSourcePluginPre};

/// The interfaces that a plugin may import.
pub(crate) const IMPORTS: [&str; 3] =
    ["sluice:plugin/types@0.1.0", "sluice:plugin/secrets@0.1.0", "sluice:plugin/log@0.1.0"];

/// Memories of one component, see [`Limits::instances`].
pub(crate) const MEMORIES: u32 = 2;

/// The secrets offered to one data source, as a plugin sees them.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the generated module exports it again")]
pub struct Offered(Vec<(String, u32)>);

/// What a store holds for one call.
pub(crate) struct State {
    plugin: Arc<str>,
    table: ResourceTable,
    limits: Arc<Limits>,
    memory: usize,
    table_elements: usize,
    log_bytes: usize,
    log_messages: usize,
}

/// A stop by the host: what a host function or the limiter gives instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Stop(pub(crate) Reason);

impl State {
    pub(crate) fn new(plugin: Arc<str>, limits: Arc<Limits>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        Self { plugin, table, limits, memory: 0, table_elements: 0, log_bytes: 0, log_messages: 0 }
    }
}

/// Adds what plugins are offered.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    DataSourcePlugin::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

/// Lends the candidates to the guest; they die with the store.
pub(crate) fn lend(
    store: &mut Store<State>,
    offered: impl Iterator<Item = (String, u32)>,
) -> wasmtime::Result<Resource<Offered>> {
    let own = store.data_mut().table.push(Offered(offered.collect()))?;
    Ok(Resource::new_borrow(own.rep()))
}

impl types::Host for State {}

impl secrets::Host for State {}

impl State {
    fn offered(&self, of: &Resource<Offered>, index: u32) -> wasmtime::Result<&(String, u32)> {
        let offered = &self.table.get(of)?.0;
        let stop = || Stop(Reason::NotOffered { index, offered: offered.len() });
        usize::try_from(index).ok().and_then(|i| offered.get(i)).ok_or_else(|| wasmtime::Error::new(stop()))
    }
}

impl secrets::HostCandidates for State {
    fn count(&mut self, of: Resource<Offered>) -> wasmtime::Result<u32> {
        Ok(u32::try_from(self.table.get(&of)?.0.len())?)
    }

    fn label(&mut self, of: Resource<Offered>, index: u32) -> wasmtime::Result<String> {
        self.offered(&of, index).map(|(label, _)| label.clone())
    }

    fn age_days(&mut self, of: Resource<Offered>, index: u32) -> wasmtime::Result<u32> {
        self.offered(&of, index).map(|(_, age)| *age)
    }

    fn drop(&mut self, of: Resource<Offered>) -> wasmtime::Result<()> {
        self.table.delete(of)?;
        Ok(())
    }
}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.log_messages += 1;
        if self.log_messages > self.limits.log_messages {
            return Err(stop(Limit::LogMessages, self.limits.log_messages));
        }
        self.log_bytes = self.log_bytes.saturating_add(message.len());
        if self.log_bytes > self.limits.log_bytes {
            return Err(stop(Limit::LogBytes, self.limits.log_bytes));
        }
        let (plugin, message) = (&*self.plugin, shown(&message));
        match level {
            log::Level::Debug => tracing::debug!(plugin, "{message}"),
            log::Level::Info => tracing::info!(plugin, "{message}"),
            log::Level::Warn => tracing::warn!(plugin, "{message}"),
        }
        Ok(())
    }
}

fn stop(limit: Limit, most: usize) -> wasmtime::Error {
    wasmtime::Error::new(Stop(exceeded(limit, most)))
}

pub(crate) fn exceeded(limit: Limit, most: usize) -> Reason {
    Reason::Exceeded { limit, most: most as u64 }
}

/// Counts memory and tables in total, not each by itself, and ends the call instead of letting the
/// guest go on without what it asked for.
impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _most: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.memory = self.memory.saturating_add(desired.saturating_sub(current));
        if self.memory > self.limits.memory_bytes {
            return Err(stop(Limit::Memory, self.limits.memory_bytes));
        }
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _most: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.table_elements = self.table_elements.saturating_add(desired.saturating_sub(current));
        if self.table_elements > self.limits.table_elements {
            return Err(stop(Limit::TableElements, self.limits.table_elements));
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        self.limits.instances
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}

impl From<&Kind> for WireKind {
    fn from(kind: &Kind) -> Self {
        Self { platform: kind.platform.clone(), name: kind.name.clone() }
    }
}
