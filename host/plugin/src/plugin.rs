//! One plugin: loaded, checked, ready to be called.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sluice_model::{Digest, Kind};
use wasmtime::component::Component;
use wasmtime::{Store, Trap};

use crate::bounds;
use crate::cache::Known;
use crate::contract::{self, Guest, GuestPre, IMPORTS, Probe, ProbePre, State, Stop, exceeded};
use crate::describe::{self, KindDescription};
use crate::error::{Limit, PluginError, Reason, SourceName, shown};
use crate::host::{Allowance, Host};
use crate::limits::{Limits, PluginLimits, Used, milliseconds};
use crate::wasi;

/// A plugin that was loaded. Cheap to clone, and good for calls from several threads.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

struct Inner {
    guest: Guests,
    known: Known,
}

/// What makes instances of one plugin.
struct Guests {
    name: Arc<str>,
    digest: Digest,
    host: Host,
    allowance: Allowance,
    bytes: Bytes,
    /// Loaded when it is first needed.
    code: OnceLock<Code>,
    loading: Mutex<()>,
}

/// What came of compiling.
struct Compiled {
    code: Code,
    /// The code as it is kept.
    native: Vec<u8>,
    /// How long it took.
    took: Duration,
}

/// Code with all it imports.
struct Code {
    instances: GuestPre<State>,
    /// Of a plugin with a probe.
    probes: Option<ProbePre<State>>,
}

/// Reads a component's bytes.
type Read = dyn Fn() -> Result<Arc<[u8]>, String> + Send + Sync;

/// Where a component's bytes are, until its code is loaded.
pub(crate) struct Bytes(Mutex<Option<Box<Read>>>);

impl Bytes {
    /// In memory.
    pub(crate) fn here(bytes: &[u8]) -> Self {
        let bytes: Arc<[u8]> = bytes.into();
        Self::new(Box::new(move || Ok(bytes.clone())))
    }

    /// Where they can be read when they are needed.
    pub(crate) fn elsewhere(read: impl Fn() -> Result<Vec<u8>, String> + Send + Sync + 'static) -> Self {
        Self::new(Box::new(move || read().map(Into::into)))
    }

    fn new(read: Box<Read>) -> Self {
        Self(Mutex::new(Some(read)))
    }

    /// The bytes, which have this digest and are no more than are read.
    fn read(&self, digest: Option<Digest>, limit: usize) -> Result<Arc<[u8]>, Reason> {
        let read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = |why: &str| Reason::Gone(shown(why));
        let bytes = read.as_ref().map_or_else(|| Err("it was let go of".to_owned()), |read| read());
        let bytes = bytes.map_err(|why| gone(&why))?;
        if bytes.len() > limit {
            return Err(Reason::TooLarge { bytes: bytes.len(), limit });
        }
        match digest {
            Some(digest) if Digest::of(&bytes) != digest => Err(gone("its content is another by now")),
            _ => Ok(bytes),
        }
    }

    /// Nobody needs them any more.
    fn let_go(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

impl Plugin {
    pub(crate) fn load(
        host: Host,
        name: &str,
        digest: Option<Digest>,
        own: &PluginLimits,
        bytes: Bytes,
    ) -> Result<Self, PluginError> {
        let name: Arc<str> = shown(name).into();
        let failed =
            |reason| PluginError { plugin: name.to_string(), data_source: None, reason: Box::new(reason) };
        let allowance = Allowance::new(host.limits().with(own).map_err(failed)?);
        let digest = match digest {
            Some(digest) => digest,
            None => Digest::of(&bytes.read(None, host.limits().component_bytes).map_err(failed)?),
        };
        let (code, loading) = (OnceLock::new(), Mutex::new(()));
        let guest = Guests { name: name.clone(), digest, host, allowance, bytes, code, loading };
        let known = guest.known().map_err(failed)?;
        Ok(Self { inner: Arc::new(Inner { guest, known }) })
    }

    /// The name by which people know it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.guest.name
    }

    /// The component's digest: which plugin this is, exactly.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.inner.guest.digest
    }

    /// The kinds it serves, as it described them when it was loaded.
    #[must_use]
    pub fn describe(&self) -> &[KindDescription] {
        &self.inner.known.kinds
    }

    /// What it says of one kind, if it serves it.
    #[must_use]
    pub fn description(&self, kind: &Kind) -> Option<&KindDescription> {
        self.inner.known.kinds.iter().find(|description| description.kind == *kind)
    }

    /// Makes an instance and drops it: what a call costs before it does anything.
    ///
    /// # Errors
    /// When the instance cannot be made within the limits.
    #[doc(hidden)]
    pub fn instantiate(&self) -> Result<(), Reason> {
        self.call(|_, _| Ok(())).map(drop)
    }

    /// For how long it was compiled: now, or when that was done whose code is kept.
    #[must_use]
    pub fn compile_time(&self) -> Duration {
        Duration::from_nanos(self.inner.known.compile_ns)
    }

    /// Whether its code was loaded: when it had to be compiled, or was called.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.inner.guest.code.get().is_some()
    }

    /// What a call of it may use.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.guest.allowance.limits
    }

    pub(crate) fn failed(&self, data_source: SourceName, reason: Reason) -> PluginError {
        let plugin = self.name().to_owned();
        PluginError { plugin, data_source: Some(data_source), reason: Box::new(reason) }
    }

    /// Runs `work` on a fresh instance, which is gone afterwards. Answers with what it used.
    pub(crate) fn call<T>(
        &self,
        work: impl FnOnce(&Guest, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<(T, Used), Reason> {
        let code = self.inner.code()?;
        self.inner.guest.call(code, work)
    }

    /// Whether it can probe targets.
    #[must_use]
    pub fn has_probe(&self) -> bool {
        self.inner.known.has_probe
    }

    /// Runs `work` on a fresh instance of a plugin with a probe.
    pub(crate) fn call_probe<T>(
        &self,
        work: impl FnOnce(&Probe, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<(T, Used), Reason> {
        let guest = &self.inner.guest;
        let probes = self.inner.code()?.probes.as_ref().ok_or(Reason::NoProbe)?;
        guest.run(|store| {
            let guest = probes.instantiate(&mut *store)?;
            work(&guest, store)
        })
    }
}

impl Inner {
    /// The code: loaded already, from the cache, or compiled again.
    fn code(&self) -> Result<&Code, Reason> {
        let guest = &self.guest;
        if let Some(code) = guest.code.get() {
            return Ok(code);
        }
        // One loads, and who comes meanwhile waits for it.
        let _loading = guest.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = guest.code.get() {
            return Ok(code);
        }
        let (engine, cache) = (guest.host.engine(), guest.host.cache());
        let code = match cache.and_then(|cache| cache.code(engine, guest.digest)) {
            Some(component) => linked(&guest.host, &component)?,
            None => {
                let Compiled { code, native, .. } = guest.compiled()?;
                if let Some(cache) = cache {
                    cache.store(engine, guest.digest, &self.known, &native);
                }
                code
            }
        };
        guest.bytes.let_go();
        Ok(guest.code.get_or_init(|| code))
    }
}

impl Guests {
    /// What the plugin serves: from the cache, or as it says itself.
    fn known(&self) -> Result<Known, Reason> {
        let (engine, cache) = (self.host.engine(), self.host.cache());
        if let Some(known) = cache.and_then(|cache| cache.known(engine, self.digest)) {
            return Ok(known);
        }
        let Compiled { code, native, took } = self.compiled()?;
        let code = self.code.get_or_init(|| code);
        let (described, _) =
            self.call(code, |guest, store| guest.sluice_plugin_transforming().call_describe(store))?;
        let known = Known {
            kinds: describe::check(described)?,
            has_probe: code.probes.is_some(),
            compile_ns: u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
        };
        if let Some(cache) = cache {
            cache.store(engine, self.digest, &known, &native);
        }
        self.bytes.let_go();
        Ok(known)
    }

    /// The code, freshly compiled.
    fn compiled(&self) -> Result<Compiled, Reason> {
        let began = Instant::now();
        let (engine, limits) = (self.host.engine(), self.host.limits());
        let bytes = self.bytes.read(Some(self.digest), limits.component_bytes)?;
        bounds::check(&bytes, limits)?;
        let native = self.host.compiler().compile(engine, &bytes)?;
        #[allow(unsafe_code, reason = "the bytes are what this host's own compiler has just made")]
        // SAFETY: `native` comes from `Engine::precompile_component`, called here or by the worker,
        // which is a program that this host was told to trust.
        let component = unsafe { Component::deserialize(engine, &native) };
        // What the pool has no room for is told here, where the compiler had nothing against it.
        let component = component.map_err(|error| Reason::NotAComponent(shown(&format!("{error:#}"))))?;
        Ok(Compiled { code: linked(&self.host, &component)?, native, took: began.elapsed() })
    }

    fn call<T>(
        &self,
        code: &Code,
        work: impl FnOnce(&Guest, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<(T, Used), Reason> {
        self.run(|store| {
            let guest = code.instances.instantiate(&mut *store)?;
            work(&guest, store)
        })
    }

    /// Runs `work` on a fresh store.
    fn run<T>(
        &self,
        work: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<(T, Used), Reason> {
        let limits = &self.allowance.limits;
        let state = State::new(self.name.clone(), limits.clone(), self.host.begin(&self.allowance));
        let mut store = self.host.store(state).map_err(|error| reason(error, limits))?;
        let worked = work(&mut store).and_then(|answer| Ok((answer, store.get_fuel()?)));
        let left = worked.map_err(|error| reason(error, limits));
        // The instance is gone before another has its place, and clearing up is done before another computes.
        let state = store.into_data();
        state.log_written();
        let used = state.used();
        drop(state);
        let (answer, fuel) = left.inspect_err(|_| self.allowance.failed())?;
        let used = Used { fuel: limits.fuel.saturating_sub(fuel), ..used };
        tracing::debug!(
            plugin = &*self.name,
            fuel = used.fuel,
            memory_bytes = used.memory_bytes,
            table_elements = used.table_elements,
            log_bytes = used.log_bytes,
            network_calls = used.network_calls,
            "a plugin was called"
        );
        Ok((answer, used))
    }
}

/// The component with all it imports; nothing else is there to import.
fn linked(host: &Host, component: &Component) -> Result<Code, Reason> {
    let ty = component.component_type();
    let probes = ty.exports(host.engine()).any(|(name, _)| name == contract::PROBING);
    let is_known =
        |name: &str| IMPORTS.contains(&name) || (probes && name == contract::NET) || wasi::is_known(name);
    if let Some((unknown, _)) = ty.imports(host.engine()).find(|(name, _)| !is_known(name)) {
        return Err(Reason::UnknownImport(shown(unknown)));
    }
    let told = |error: wasmtime::Error| Reason::NotThisWorld(shown(&format!("{error:#}")));
    let refusing = wasi::refusing(host.linker(), component).map_err(told)?;
    let linker = refusing.as_ref().unwrap_or(host.linker());
    let instances = linker.instantiate_pre(component).map_err(told)?;
    let probes = probes.then(|| ProbePre::new(instances.clone())).transpose().map_err(told)?;
    Ok(Code { instances: GuestPre::new(instances).map_err(told)?, probes })
}

/// What a failed call comes to.
fn reason(error: wasmtime::Error, limits: &Limits) -> Reason {
    if let Some(Stop(reason)) = error.downcast_ref::<Stop>() {
        return reason.clone();
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Reason::Exceeded { limit: Limit::Fuel, most: limits.fuel },
        Some(Trap::Interrupt) => {
            Reason::Exceeded { limit: Limit::Deadline, most: milliseconds(limits.deadline) }
        }
        Some(Trap::StackOverflow) => exceeded(Limit::Stack, limits.stack_bytes),
        Some(trap) => Reason::Trap(trap.to_string()),
        None => {
            let root = error.root_cause().to_string();
            // The engine has no types for these; the adversaries in the tests hold it to them.
            let handles = ["store handle limit exceeded", "resource table has no free keys"];
            if root.contains("fuel allocated for hostcalls") {
                exceeded(Limit::Answer, limits.answer_bytes)
            } else if handles.iter().any(|told| root.contains(told)) {
                exceeded(Limit::Handles, limits.handles)
            } else {
                Reason::Trap(shown(&root))
            }
        }
    }
}
