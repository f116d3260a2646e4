//! One plugin: loaded, checked, ready to be called.

use std::sync::Arc;

use sluice_model::{Digest, Kind};
use wasmtime::component::Component;
use wasmtime::{Store, Trap};

use crate::contract::{self, Guest, GuestPre, IMPORTS, Probe, ProbePre, State, Stop, exceeded};
use crate::describe::{self, KindDescription};
use crate::error::{Limit, PluginError, Reason, SourceName, shown};
use crate::host::Host;
use crate::limits::{Limits, Used};

/// A plugin that was loaded. Cheap to clone, and good for calls from several threads.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    digest: Digest,
    host: Host,
    instances: GuestPre<State>,
    /// Of a plugin with a probe.
    probes: Option<ProbePre<State>>,
    kinds: Vec<KindDescription>,
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
    pub(crate) fn load(host: Host, name: &str, bytes: &[u8]) -> Result<Self, PluginError> {
        let name: Arc<str> = shown(name).into();
        let failed =
            |reason| PluginError { plugin: name.to_string(), data_source: None, reason: Box::new(reason) };
        let limit = host.limits().component_bytes;
        if bytes.len() > limit {
            return Err(failed(Reason::TooLarge { bytes: bytes.len(), limit }));
        }
        let digest = Digest::of(bytes);
        let component = compiled(&host, digest, bytes).map_err(failed)?;
        let (instances, probes) = linked(&host, &component).map_err(failed)?;
        let mut inner = Inner { name: name.clone(), digest, host, instances, probes, kinds: Vec::new() };
        let (described, _) = inner
            .call(|guest, store| guest.sluice_plugin_transforming().call_describe(store))
            .map_err(failed)?;
        inner.kinds = describe::check(described).map_err(failed)?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The name by which people know it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The component's digest: which plugin this is, exactly.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.inner.digest
    }

    /// The kinds it serves, as it described them when it was loaded.
    #[must_use]
    pub fn describe(&self) -> &[KindDescription] {
        &self.inner.kinds
    }

    /// What it says of one kind, if it serves it.
    #[must_use]
    pub fn description(&self, kind: &Kind) -> Option<&KindDescription> {
        self.inner.kinds.iter().find(|description| description.kind == *kind)
    }

    /// Makes an instance and drops it: what a call costs before it does anything.
    ///
    /// # Errors
    /// When the instance cannot be made within the limits.
    #[doc(hidden)]
    pub fn instantiate(&self) -> Result<(), Reason> {
        self.call(|_, _| Ok(())).map(drop)
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.inner.host.limits()
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
        self.inner.call(work)
    }
}

impl Plugin {
    /// Whether it can probe targets.
    #[must_use]
    pub fn has_probe(&self) -> bool {
        self.inner.probes.is_some()
    }

    /// Runs `work` on a fresh instance of a plugin with a probe.
    pub(crate) fn call_probe<T>(
        &self,
        work: impl FnOnce(&Probe, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<(T, Used), Reason> {
        let probes = self.inner.probes.as_ref().ok_or(Reason::NoProbe)?;
        self.inner.run(|store| {
            let guest = probes.instantiate(&mut *store)?;
            work(&guest, store)
        })
    }
}

impl Inner {
    fn call<T>(
        &self,
        work: impl FnOnce(&Guest, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<(T, Used), Reason> {
        self.run(|store| {
            let guest = self.instances.instantiate(&mut *store)?;
            work(&guest, store)
        })
    }

    /// Runs `work` on a fresh store.
    fn run<T>(
        &self,
        work: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<(T, Used), Reason> {
        let limits = self.host.limits();
        let _permit = self.host.permit();
        let run = || {
            let mut store = self.host.store(self.name.clone())?;
            let answer = work(&mut store)?;
            let fuel = limits.fuel.saturating_sub(store.get_fuel()?);
            Ok((answer, Used { fuel, ..store.data().used() }))
        };
        run().map_err(|error| reason(error, limits))
    }
}

/// The compiled component, from the cache or freshly made.
fn compiled(host: &Host, digest: Digest, bytes: &[u8]) -> Result<Component, Reason> {
    if let Some(component) = host.cache().and_then(|cache| cache.load(host.engine(), digest)) {
        return Ok(component);
    }
    let component = Component::from_binary(host.engine(), bytes)
        .map_err(|error| Reason::NotAComponent(shown(&format!("{error:#}"))))?;
    if let Some(cache) = host.cache() {
        cache.store(host.engine(), digest, &component);
    }
    Ok(component)
}

/// The component with all it imports; nothing else is there to import.
fn linked(host: &Host, component: &Component) -> Result<(GuestPre<State>, Option<ProbePre<State>>), Reason> {
    let ty = component.component_type();
    let probes = ty.exports(host.engine()).any(|(name, _)| name == contract::PROBING);
    let is_known = |name: &str| IMPORTS.contains(&name) || (probes && name == contract::NET);
    if let Some((unknown, _)) = ty.imports(host.engine()).find(|(name, _)| !is_known(name)) {
        return Err(Reason::UnknownImport(shown(unknown)));
    }
    let told = |error: wasmtime::Error| Reason::NotThisWorld(shown(&format!("{error:#}")));
    let instances = host.linker().instantiate_pre(component).map_err(told)?;
    let probes = probes.then(|| ProbePre::new(instances.clone())).transpose().map_err(told)?;
    Ok((GuestPre::new(instances).map_err(told)?, probes))
}

/// What a failed call comes to.
fn reason(error: wasmtime::Error, limits: &Limits) -> Reason {
    if let Some(Stop(reason)) = error.downcast_ref::<Stop>() {
        return reason.clone();
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Reason::Exceeded { limit: Limit::Fuel, most: limits.fuel },
        Some(Trap::Interrupt) => {
            let most = u64::try_from(limits.deadline.as_millis()).unwrap_or(u64::MAX);
            Reason::Exceeded { limit: Limit::Deadline, most }
        }
        Some(Trap::StackOverflow) => exceeded(Limit::Stack, limits.stack_bytes),
        Some(trap) => Reason::Trap(trap.to_string()),
        None => {
            let root = error.root_cause().to_string();
            // The engine has no type for this one; the test with the large answer holds it to it.
            if root.contains("fuel allocated for hostcalls") {
                exceeded(Limit::Answer, limits.answer_bytes)
            } else {
                Reason::Trap(shown(&root))
            }
        }
    }
}
