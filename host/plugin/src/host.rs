//! The engine that all plugins share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sluice_model::Digest;
use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, Trap, UpdateDeadline,
};

use crate::cache::{CacheCounts, CodeCache};
use crate::contract::{self, State};
use crate::error::PluginError;
use crate::limits::{Limits, PluginLimits};
use crate::pace::Pace;
use crate::plugin::{Bytes, Plugin};
use crate::turns::{Count, Share, Turn, Turns};
use crate::worker::Compiler;

/// What runs plugins: one engine with its pool of instances, and the limits of every call.
///
/// Cheap to clone; clones share the engine and the number of calls at a time.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
    cache: Option<Arc<CodeCache>>,
    compiler: Arc<Compiler>,
}

struct Shared {
    engine: Engine,
    linker: Linker<State>,
    limits: Arc<Limits>,
    /// Places in the pool, so that a call too many waits instead of failing, and processors.
    turns: Arc<Turns>,
    clock: Clock,
}

/// The time, in [ticks](Limits::TICK) since the host was made.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one plugin has of a host.
pub(crate) struct Allowance {
    pub(crate) limits: Arc<Limits>,
    share: Arc<Share>,
    growths: Arc<Pace>,
    failures: Pace,
}

impl Allowance {
    pub(crate) fn new(limits: Limits) -> Self {
        let share = Share::new(Count { places: limits.plugin_calls, processors: limits.processors / 2 });
        let now = Instant::now();
        let growths = Arc::new(Pace::new(Limits::GROWTHS, Limits::GROWTH, now));
        let failures = Pace::new(Limits::FAILURES, Limits::FAILURE, now);
        Self { share, growths, failures, limits: Arc::new(limits) }
    }

    /// Told of a call that failed; waits where they do so too often.
    pub(crate) fn failed(&self) {
        thread::sleep(self.failures.one_more(Instant::now(), LATEST).unwrap_or(LATEST));
    }
}

/// How much later a failure is told, at the most.
const LATEST: Duration = Duration::from_millis(250);

/// Which part of its time a call keeps when it waits for the network: a tenth. Of the usual ten
/// seconds that is one, in which it could use up its fuel twice.
const RESERVED: u32 = 10;

/// A call that has begun: its place in the pool, the processor that it computes on while it does not
/// wait, and its time.
pub(crate) struct Running {
    turn: Turn,
    growths: Arc<Pace>,
    clock: Clock,
    /// The tick at which the call is over time.
    deadline: u64,
    /// What a call keeps of its time when it waits.
    reserve: Duration,
}

impl Running {
    /// Does what only waits, and should wait no longer than it is told: the call has time left then
    /// to make something of it.
    pub(crate) fn aside<T>(&mut self, wait: impl FnOnce(Duration) -> T) -> T {
        let left = self.left();
        self.turn.pause();
        let waited = wait(left.saturating_sub(self.reserve));
        self.go_on();
        waited
    }

    /// The time that the call has left.
    fn left(&self) -> Duration {
        // The tick that has begun is partly over.
        let ticks = self.deadline.saturating_sub(self.clock.now()).saturating_sub(1);
        Limits::TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX))
    }

    /// Lets memory grow, as often as the plugin may: its calls together, and the rest waits.
    ///
    /// # Errors
    /// Where it would have to wait for longer than it has time.
    pub(crate) fn grow(&mut self) -> Result<(), Trap> {
        let wait = self.growths.one_more(Instant::now(), self.left()).ok_or(Trap::Interrupt)?;
        if !wait.is_zero() {
            self.aside(|_| thread::sleep(wait));
        }
        Ok(())
    }

    /// Waits for its turn. That time is not the call's.
    fn go_on(&mut self) {
        let before = self.clock.now();
        self.turn.go_on();
        self.deadline += self.clock.now().saturating_sub(before);
    }

    /// What happens at each tick: a call that is over time ends, and another plugin's that waits
    /// comes first.
    fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if self.clock.now() >= self.deadline {
            return Err(Trap::Interrupt.into());
        }
        if self.turn.is_wanted() {
            self.turn.pause();
            self.go_on();
        }
        Ok(UpdateDeadline::Continue(1))
    }
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
        let mut config = Config::new();
        code(&mut config, &limits);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(&limits)));
        Self::with_config(&config, limits)
    }

    pub(crate) fn with_config(config: &Config, limits: Limits) -> Result<Self, HostError> {
        let engine = Engine::new(config)?;
        let clock = Clock::default();
        tick(&engine, clock.clone())?;
        let mut linker = Linker::new(&engine);
        contract::link(&mut linker)?;
        let turns = Turns::new(Count { places: limits.concurrent_calls, processors: limits.processors });
        let limits = Arc::new(limits);
        Ok(Self {
            shared: Arc::new(Shared { engine, linker, limits, turns, clock }),
            cache: None,
            compiler: Arc::new(Compiler::Here),
        })
    }

    /// This host with a cache of compiled code: loading a plugin again then takes about a
    /// millisecond instead of a good part of a second.
    #[must_use]
    pub fn with_cache(self, cache: CodeCache) -> Self {
        Self { cache: Some(Arc::new(cache)), ..self }
    }

    /// This host with another place where plugins are compiled than this process.
    #[must_use]
    pub fn with_compiler(self, compiler: Compiler) -> Self {
        Self { compiler: Arc::new(compiler), ..self }
    }

    /// Loads a plugin: checks its size, form, imports and exports, compiles it and asks it what it
    /// serves; or takes from the cache what it serves, and its code when it is first called.
    /// `name` is for people.
    ///
    /// # Errors
    /// [`PluginError`] says what is wrong with it.
    pub fn load(&self, name: &str, bytes: &[u8]) -> Result<Plugin, PluginError> {
        self.load_within(name, bytes, &PluginLimits::default())
    }

    /// Loads a plugin that has limits of its own.
    ///
    /// # Errors
    /// As [`Self::load`], and where a limit is above the host's.
    pub fn load_within(&self, name: &str, bytes: &[u8], own: &PluginLimits) -> Result<Plugin, PluginError> {
        Plugin::load(self.clone(), name, None, own, Bytes::here(bytes))
    }

    /// Loads a plugin of which only the digest is at hand. Where the cache knows it, its bytes are
    /// not read: neither now nor, as long as its entry is good, when it is called.
    ///
    /// # Errors
    /// As [`Self::load_within`], and where `read` gives no bytes, or other bytes.
    pub fn load_known(
        &self,
        name: &str,
        digest: Digest,
        own: &PluginLimits,
        read: impl Fn() -> Result<Vec<u8>, String> + Send + Sync + 'static,
    ) -> Result<Plugin, PluginError> {
        Plugin::load(self.clone(), name, Some(digest), own, Bytes::elsewhere(read))
    }

    /// What a call may use.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// What became so far of what the cache was asked for; `None` without a cache.
    #[must_use]
    pub fn cache_counts(&self) -> Option<CacheCounts> {
        self.cache.as_ref().map(|cache| cache.counts())
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub(crate) fn linker(&self) -> &Linker<State> {
        &self.shared.linker
    }

    pub(crate) fn compiler(&self) -> &Compiler {
        &self.compiler
    }

    pub(crate) fn cache(&self) -> Option<&CodeCache> {
        self.cache.as_deref()
    }

    /// Waits until a call of a plugin may begin, for as long as its deadline says.
    pub(crate) fn begin(&self, of: &Allowance) -> Running {
        let clock = self.shared.clock.clone();
        let turn = self.shared.turns.begin(&of.share);
        let ticks = of.limits.deadline.as_millis() / Limits::TICK.as_millis();
        // One more than the deadline has, since the first is already partly over.
        let ticks = u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(1);
        let deadline = clock.now().saturating_add(ticks);
        Running { turn, growths: of.growths.clone(), clock, deadline, reserve: of.limits.deadline / RESERVED }
    }

    /// A store for one call, with all limits set.
    pub(crate) fn store(&self, state: State) -> wasmtime::Result<Store<State>> {
        let limits = state.limits.clone();
        let mut store = Store::new(self.engine(), state);
        store.limiter(|state| state);
        store.set_fuel(limits.fuel)?;
        store.set_hostcall_fuel(limits.answer_bytes);
        store.set_max_component_handles(limits.handles);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| store.data_mut().running.tick());
        Ok(store)
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

/// What decides which code a component becomes.
pub(crate) fn code(config: &mut Config, limits: &Limits) {
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
        .wasm_relaxed_simd(false);
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let calls = limits.concurrent_calls;
    let instances = u32::try_from(limits.instances).unwrap_or(u32::MAX);
    // What a call wrote is cleared up to so many bytes, and given back to the system beyond, which
    // stops the other processors each time: the slowest hundredth of a neighbour's calls took almost
    // three times as long beside a plugin that traps. Where the system cannot tell what was written,
    // all of it is cleared, and more than this costs two thirds of the throughput. Both measured.
    let kept = if PoolingAllocationConfig::is_pagemap_scan_available() { 1 << 20 } else { 128 << 10 };
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
        .linear_memory_keep_resident(kept)
        .table_keep_resident(16 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Moves the engine's epoch and the clock on, from a thread that ends when the engine does.
fn tick(engine: &Engine, clock: Clock) -> Result<(), HostError> {
    let engine = engine.weak();
    let ticker = move || {
        while let Some(engine) = engine.upgrade() {
            clock.0.fetch_add(1, Ordering::Relaxed);
            engine.increment_epoch();
            drop(engine);
            thread::sleep(Limits::TICK);
        }
    };
    thread::Builder::new()
        .name("plugin-ticker".to_owned())
        .spawn(ticker)
        .map(drop)
        .map_err(|error| HostError(error.to_string()))
}
