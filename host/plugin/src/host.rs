//! The engine that all plugins share.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

use crate::cache::CodeCache;
use crate::contract::{self, State};
use crate::error::PluginError;
use crate::limits::Limits;
use crate::plugin::Plugin;

/// What runs plugins: one engine with its pool of instances, and the limits of every call.
///
/// Cheap to clone; clones share the engine and the number of calls at a time.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
    cache: Option<Arc<CodeCache>>,
}

struct Shared {
    engine: Engine,
    linker: Linker<State>,
    limits: Arc<Limits>,
    permits: Permits,
}

/// The engine cannot be made on this machine.
#[derive(Debug, thiserror::Error)]
#[error("plugins cannot be run on this machine: {0}")]
pub struct HostError(String);

impl From<wasmtime::Error> for HostError {
    fn from(error: wasmtime::Error) -> Self {
        Self(error.root_cause().to_string())
    }
}

impl Host {
    /// A host with these limits, without a cache of compiled code.
    ///
    /// # Errors
    /// When the machine gives no address space for the pool, or no thread.
    pub fn new(limits: Limits) -> Result<Self, HostError> {
        let engine = Engine::new(&config(&limits))?;
        tick(&engine)?;
        let mut linker = Linker::new(&engine);
        contract::link(&mut linker)?;
        let permits = Permits::new(limits.concurrent_calls);
        Ok(Self {
            shared: Arc::new(Shared { engine, linker, limits: Arc::new(limits), permits }),
            cache: None,
        })
    }

    /// This host with a cache of compiled code: loading a plugin again then takes about a
    /// millisecond instead of a good part of a second.
    #[must_use]
    pub fn with_cache(self, cache: CodeCache) -> Self {
        Self { cache: Some(Arc::new(cache)), ..self }
    }

    /// Loads a plugin: checks its size, form, imports and exports, compiles it or takes the
    /// compiled code from the cache, and asks it what it serves. `name` is for people.
    ///
    /// # Errors
    /// [`PluginError`] says what is wrong with it.
    pub fn load(&self, name: &str, bytes: &[u8]) -> Result<Plugin, PluginError> {
        Plugin::load(self.clone(), name, bytes)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub(crate) fn linker(&self) -> &Linker<State> {
        &self.shared.linker
    }

    pub(crate) fn limits(&self) -> &Arc<Limits> {
        &self.shared.limits
    }

    pub(crate) fn cache(&self) -> Option<&CodeCache> {
        self.cache.as_deref()
    }

    /// Waits until one of the pool's places is free.
    pub(crate) fn permit(&self) -> Permit<'_> {
        self.shared.permits.take()
    }

    /// A store for one call, with all limits set.
    pub(crate) fn store(&self, plugin: Arc<str>) -> wasmtime::Result<Store<State>> {
        let limits = self.limits();
        let mut store = Store::new(self.engine(), State::new(plugin, limits.clone()));
        store.limiter(|state| state);
        store.set_fuel(limits.fuel)?;
        store.set_hostcall_fuel(limits.answer_bytes);
        store.set_max_component_handles(limits.handles);
        // One more than the deadline has, since the first is already partly over.
        let ticks = limits.deadline.as_millis() / Limits::TICK.as_millis() + 1;
        store.set_epoch_deadline(u64::try_from(ticks)?);
        store.epoch_deadline_trap();
        Ok(store)
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

fn config(limits: &Limits) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes)
        // Two machines must not see different bits of the same NaN.
        .cranelift_nan_canonicalization(true)
        .wasm_component_model(true)
        // Calls are synchronous; without this each store pays for the tables of tasks.
        .concurrency_support(false)
        // No plugin needs these, and each is code that could be wrong.
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_threads(false)
        .wasm_exceptions(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    config
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let calls = limits.concurrent_calls;
    let instances = u32::try_from(limits.instances).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls.saturating_mul(instances))
        .max_core_instances_per_component(instances)
        // Few, as each reserves address space.
        .total_memories(calls.saturating_mul(contract::MEMORIES))
        .max_memories_per_component(contract::MEMORIES)
        .total_tables(calls.saturating_mul(instances))
        .max_tables_per_component(instances)
        .max_memory_size(limits.memory_bytes)
        .table_elements(limits.table_elements)
        // The engine's default of 1 MiB is for guests with many imports and exports.
        .max_core_instance_size(1 << 20)
        .max_component_instance_size(1 << 20)
        // Measured: what a call touches fits, and clearing more than that costs two thirds of the
        // throughput.
        .linear_memory_keep_resident(128 << 10)
        .table_keep_resident(16 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Moves the engine's epoch on, from a thread that ends when the engine does.
fn tick(engine: &Engine) -> Result<(), HostError> {
    let engine = engine.weak();
    let ticker = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(Limits::TICK);
        }
    };
    std::thread::Builder::new()
        .name("plugin-ticker".to_owned())
        .spawn(ticker)
        .map(drop)
        .map_err(|error| HostError(error.to_string()))
}

/// Places in the pool, so that a call too many waits instead of failing.
struct Permits {
    free: Mutex<u32>,
    returned: Condvar,
}

impl Permits {
    fn new(free: u32) -> Self {
        Self { free: Mutex::new(free.max(1)), returned: Condvar::new() }
    }

    fn take(&self) -> Permit<'_> {
        // The number is right even if a holder panicked: it is changed in one step.
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Permit(self)
    }
}

/// One place in the pool; given back when dropped.
pub(crate) struct Permit<'h>(&'h Permits);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.returned.notify_one();
    }
}
