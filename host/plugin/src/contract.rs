//! The contract's types, and what the host offers to plugins.

use std::sync::Arc;

use sluice_model::Kind;
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{ResourceLimiter, Store};

use crate::error::{Limit, Reason, shown};
use crate::host::Running;
use crate::limits::{Limits, Used};
use crate::outside::{
    Exchange, Header, NetFailure, Outside, Placed, Placement, Recording, Request, Response, Tls,
};

use crate::wasi::{self, Wasi};

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
        path: "../../wit/1.0",
        world: "data-source",
        imports: { default: trappable },
        with: {
            "sluice:plugin/secrets.credentials": super::Credentials,
        },
        additional_derives: [PartialEq],
    });

    /// What a plugin with a probe has besides.
    pub(super) mod probe {
        wasmtime::component::bindgen!({
            path: "../../wit/1.0",
            inline: "
                package sluice:host;
                world probe {
                    import sluice:plugin/net@1.0.0;
                    export sluice:plugin/probing@1.0.0;
                }
            ",
            world: "sluice:host/probe",
            imports: { default: trappable },
            with: {
                "sluice:plugin/types": super::sluice::plugin::types,
                "sluice:plugin/secrets": super::sluice::plugin::secrets,
            },
            additional_derives: [PartialEq],
        });
    }
}

pub(crate) use generated::exports::sluice::plugin::transforming::{Assignment, Traits, Transformed};
pub(crate) use generated::probe::exports::sluice::plugin::probing::Probed;
use generated::probe::sluice::plugin::net;
pub(crate) use generated::probe::{Probe, ProbePre};
pub(crate) use generated::sluice::plugin::secrets::Candidate;
pub(crate) use generated::sluice::plugin::types::Kind as WireKind;
pub(crate) use generated::sluice::plugin::types::{
    Environment, Failure, Finding, KindDescription, OptionDescription, OptionLeaf, OptionType, Part,
    Sameness, Scalar, SecretShape, Severity, SlotDescription, Source, Value,
};
use generated::sluice::plugin::{log, secrets, types};
pub(crate) use generated::{DataSource as Guest, DataSourcePre as GuestPre};

/// The interfaces that every plugin may import.
pub(crate) const IMPORTS: [&str; 3] =
    ["sluice:plugin/types@1.0.0", "sluice:plugin/secrets@1.0.0", "sluice:plugin/log@1.0.0"];

/// The interface that a plugin with a probe may import besides.
pub(crate) const NET: &str = "sluice:plugin/net@1.0.0";

/// What makes a plugin one with a probe.
pub(crate) const PROBING: &str = "sluice:plugin/probing@1.0.0";

/// Memories of one component, see [`Limits::instances`].
pub(crate) const MEMORIES: u32 = 3;

/// The slots of the data source that is probed which have a value. The values are not here.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the generated module exports it again")]
pub struct Credentials(Vec<String>);

/// Bytes of a question to the network, which is kept. 64 KiB: twice what an edge lets out.
const QUESTION_BYTES: usize = 64 << 10;

/// What an element of a question's lists counts besides its texts.
const ELEMENT_BYTES: usize = 32;

/// What a probe may ask of the network.
pub(crate) struct Network {
    /// Where its questions go.
    outside: Arc<dyn Outside>,
    /// What it asked there and was told. What the host answers by itself is not in it: it answers
    /// that again when the probe is replayed.
    pub(crate) recording: Recording,
    /// How often it asked at all.
    asked: usize,
    /// Whether it wanted to ask more often than it may.
    pub(crate) is_cut_short: bool,
}

impl Network {
    pub(crate) fn new(outside: Arc<dyn Outside>) -> Self {
        Self { outside, recording: Recording::default(), asked: 0, is_cut_short: false }
    }
}

/// What a store holds for one call.
pub(crate) struct State {
    plugin: Arc<str>,
    pub(crate) table: ResourceTable,
    pub(crate) limits: Arc<Limits>,
    pub(crate) running: Running,
    memory: usize,
    /// Whether a memory was made empty, so that its first growth looks as if it were made.
    is_made_empty: bool,
    table_elements: usize,
    log_bytes: usize,
    log_messages: usize,
    /// In a probe only.
    pub(crate) network: Option<Network>,
    /// Of a guest that uses it.
    pub(crate) wasi: Option<Box<Wasi>>,
}

/// A stop by the host: what a host function or the limiter gives instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Stop(pub(crate) Reason);

impl State {
    pub(crate) fn new(plugin: Arc<str>, limits: Arc<Limits>, running: Running) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        Self {
            plugin,
            table,
            limits,
            running,
            memory: 0,
            is_made_empty: false,
            table_elements: 0,
            log_bytes: 0,
            log_messages: 0,
            network: None,
            wasi: None,
        }
    }
}

impl State {
    /// What was used so far, but for the fuel, which the store counts.
    pub(crate) fn used(&self) -> Used {
        let network = self.network.as_ref().map_or(0, |network| network.asked);
        let written = self.wasi.as_ref().map(|wasi| wasi.written()).unwrap_or_default();
        Used {
            fuel: 0,
            memory_bytes: self.memory as u64,
            table_elements: self.table_elements as u64,
            log_bytes: (self.log_bytes + written.len()) as u64,
            log_messages: (self.log_messages + written.lines().count()) as u64,
            network_calls: network as u64,
        }
    }
}

/// Adds what plugins are offered.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    Guest::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    net::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    wasi::link(linker)
}

/// Gives the guest what stands for these slots' secrets; it dies with the store, at the latest.
///
/// The guest owns it: bindings of some languages do not give borrowed handles back in time.
pub(crate) fn give_credentials(
    store: &mut Store<State>,
    slots: Vec<String>,
) -> wasmtime::Result<Resource<Credentials>> {
    Ok(store.data_mut().table.push(Credentials(slots))?)
}

/// The target of the traces that are a plugin's own messages, by which they are told from what the host
/// says of the plugin.
pub const LOG: &str = "sluice_plugin::log";

impl State {
    /// Passes on what the guest has written to standard output and error.
    pub(crate) fn log_written(&self) {
        let Some(wasi) = &self.wasi else { return };
        for line in wasi.written().lines().take(self.limits.log_messages) {
            tracing::warn!(target: LOG, plugin = &*self.plugin, "{}", shown(line));
        }
    }
}

impl types::Host for State {}

impl secrets::HostCredentials for State {
    fn slots(&mut self, of: Resource<Credentials>) -> wasmtime::Result<Vec<String>> {
        Ok(self.table.get(&of)?.0.clone())
    }

    fn drop(&mut self, of: Resource<Credentials>) -> wasmtime::Result<()> {
        self.table.delete(of)?;
        Ok(())
    }
}

impl State {
    /// The network for one more question. Outside of a probe there is none, and asking ends the
    /// call: what a plugin makes of a data source must not depend on anything but its input.
    fn network(&mut self) -> wasmtime::Result<Option<(&mut Network, &mut Running)>> {
        let most = self.limits.network_calls;
        let network =
            self.network.as_mut().ok_or_else(|| wasmtime::Error::new(Stop(Reason::NetworkOutsideOfProbe)))?;
        if network.asked >= most {
            network.is_cut_short = true;
            return Ok(None);
        }
        network.asked += 1;
        Ok(Some((network, &mut self.running)))
    }
}

impl net::Host for State {
    fn reach(
        &mut self,
        host: String,
        port: u16,
        tls: net::Tls,
    ) -> wasmtime::Result<Result<(), net::Failure>> {
        let Some((network, running)) = self.network()? else { return Ok(Err(net::Failure::Limit)) };
        let tls = match tls {
            net::Tls::Off => Tls::Off,
            net::Tls::Required => Tls::Required,
        };
        if let Some(failure) = too_long(host.len()) {
            return Ok(Err(failure.into()));
        }
        let answer = running.aside(|within| network.outside.reach(&host, port, tls, within));
        network.recording.0.push(Exchange::Reach { host, port, tls, answer: answer.clone() });
        Ok(answer.map_err(Into::into))
    }

    fn http(
        &mut self,
        credentials: Resource<Credentials>,
        request: net::Request,
        place: Vec<net::Placed>,
    ) -> wasmtime::Result<Result<net::Response, net::Failure>> {
        let lent = self.table.get(&credentials)?.0.clone();
        let Some((network, running)) = self.network()? else { return Ok(Err(net::Failure::Limit)) };
        let (request, place) =
            (Request::from(request), place.into_iter().map(Placed::from).collect::<Vec<_>>());
        if let Some(failure) = too_long(length(&request, &place)).or_else(|| not_lent(&lent, &place)) {
            return Ok(Err(failure.into()));
        }
        let answer = running.aside(|within| network.outside.http(&request, &place, within));
        network.recording.0.push(Exchange::Http { request, place, answer: answer.clone() });
        Ok(answer.map(Into::into).map_err(Into::into))
    }
}

/// Bytes of a question, about.
fn length(request: &Request, place: &[Placed]) -> usize {
    let of_header = |header: &Header| header.name.len() + header.value.len();
    let of_place = |placed: &Placed| {
        placed.slot.len()
            + match &placed.at {
                Placement::Header(name) | Placement::Query(name) | Placement::BasicPassword(name) => {
                    name.len()
                }
                Placement::Bearer | Placement::ClientCertificate => 0,
            }
    };
    let elements = request.headers.iter().map(of_header).chain(place.iter().map(of_place));
    let texts = [request.method.len(), request.url.len(), request.body.as_ref().map_or(0, Vec::len)];
    elements.map(|bytes| bytes + ELEMENT_BYTES).chain(texts).sum()
}

fn too_long(bytes: usize) -> Option<NetFailure> {
    (bytes > QUESTION_BYTES).then(|| NetFailure::BadRequest("it has more than 64 KiB".to_owned()))
}

/// Why not all that is to be placed can be: the plugin was lent only some slots.
fn not_lent(lent: &[String], place: &[Placed]) -> Option<NetFailure> {
    let placed = place.iter().find(|placed| !lent.contains(&placed.slot))?;
    Some(NetFailure::BadSecret(format!("no value fills the slot `{}`", shown(&placed.slot))))
}

impl From<NetFailure> for net::Failure {
    fn from(failure: NetFailure) -> Self {
        match failure {
            NetFailure::NotGranted => Self::NotGranted,
            NetFailure::Unresolved => Self::Unresolved,
            NetFailure::PrivateAddress => Self::PrivateAddress,
            NetFailure::Refused => Self::Refused,
            NetFailure::TimedOut => Self::TimedOut,
            NetFailure::Tls(why) => Self::Tls(why),
            NetFailure::TooLarge => Self::TooLarge,
            NetFailure::Limit => Self::Limit,
            NetFailure::BadRequest(why) => Self::BadRequest(why),
            NetFailure::BadSecret(why) => Self::BadSecret(why),
            NetFailure::BadResponse => Self::BadResponse,
        }
    }
}

impl From<net::Request> for Request {
    fn from(request: net::Request) -> Self {
        let net::Request { method, url, headers, body } = request;
        let headers = headers.into_iter().map(|net::Header { name, value }| Header { name, value }).collect();
        Self { method, url, headers, body }
    }
}

impl From<net::Placed> for Placed {
    fn from(placed: net::Placed) -> Self {
        let at = match placed.at {
            net::Placement::Header(name) => Placement::Header(name),
            net::Placement::Query(name) => Placement::Query(name),
            net::Placement::BasicPassword(user) => Placement::BasicPassword(user),
            net::Placement::Bearer => Placement::Bearer,
            net::Placement::ClientCertificate => Placement::ClientCertificate,
        };
        Self { slot: placed.slot, at }
    }
}

impl From<Response> for net::Response {
    fn from(response: Response) -> Self {
        let Response { status, headers, body } = response;
        let headers = headers.into_iter().map(|Header { name, value }| net::Header { name, value }).collect();
        Self { status, headers, body }
    }
}

impl secrets::Host for State {}

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
            log::Level::Debug => tracing::debug!(target: LOG, plugin, "{message}"),
            log::Level::Info => tracing::info!(target: LOG, plugin, "{message}"),
            log::Level::Warn => tracing::warn!(target: LOG, plugin, "{message}"),
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
        most: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // More than it may have by its own word: it is told so, and nothing grows.
        if most.is_some_and(|most| desired > most) {
            return Ok(false);
        }
        self.memory = self.memory.saturating_add(desired.saturating_sub(current));
        if self.memory > self.limits.memory_bytes {
            return Err(stop(Limit::Memory, self.limits.memory_bytes));
        }
        let is_made = current == 0 && !self.is_made_empty;
        self.is_made_empty |= desired == 0;
        if !is_made {
            self.running.grow()?;
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::host::{Allowance, Host};
    use crate::outside::Replay;

    /// A network in which every host takes connections and answers.
    struct Open;

    impl Outside for Open {
        fn reach(&self, _: &str, _: u16, _: Tls, _: Duration) -> Result<(), NetFailure> {
            Ok(())
        }

        fn http(&self, _: &Request, _: &[Placed], _: Duration) -> Result<Response, NetFailure> {
            Ok(Response { status: 204, headers: Vec::new(), body: Vec::new() })
        }
    }

    fn request() -> net::Request {
        net::Request {
            method: "GET".to_owned(),
            url: "https://h.test/".to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// What some questions are answered, among them some that the host answers by itself.
    fn asked(outside: Arc<dyn Outside>) -> (Vec<String>, Recording, u64) {
        let limits = Limits { network_calls: 7, ..Limits::default() };
        let host = Host::new(limits.clone()).unwrap();
        let running = host.begin(&Allowance::new(limits.clone()));
        let mut state = State::new("x".into(), Arc::new(limits), running);
        state.network = Some(Network::new(outside));
        let credentials = state.table.push(Credentials(vec!["password".to_owned()])).unwrap();
        let placed = |slot: &str| net::Placed { slot: slot.to_owned(), at: net::Placement::Bearer };
        let header = net::Header { name: String::new(), value: String::new() };
        let questions = [
            (request(), vec![placed("of-somebody-else")]),
            (request(), vec![placed("password")]),
            (net::Request { body: Some(vec![0; 64 << 10]), ..request() }, vec![]),
            (net::Request { headers: vec![header; 4_000], ..request() }, vec![]),
            (request(), vec![]),
        ];
        let mut answers = Vec::new();
        for (request, place) in questions {
            let handle = Resource::new_borrow(credentials.rep());
            answers.push(format!("{:?}", net::Host::http(&mut state, handle, request, place).unwrap()));
        }
        for host in ["x".repeat(100_000), "h.test".to_owned(), "one.too.many".to_owned()] {
            answers.push(format!("{:?}", net::Host::reach(&mut state, host, 443, net::Tls::Off).unwrap()));
        }
        let used = state.used().network_calls;
        (answers, state.network.unwrap().recording, used)
    }

    #[test]
    fn growing_waits_when_it_comes_too_often_and_making_a_memory_never_does() {
        let limits = Limits { memory_bytes: usize::MAX, ..Limits::default() };
        let host = Host::new(Limits::default()).unwrap();
        let allowance = Allowance::new(limits.clone());
        let grow = |state: &mut State, sizes: &[(usize, usize)]| {
            for (current, desired) in sizes {
                assert!(state.memory_growing(*current, *desired, None).unwrap());
            }
        };
        let state = || State::new("x".into(), Arc::new(limits.clone()), host.begin(&allowance));
        for _ in 0..10 * Limits::GROWTHS {
            grow(&mut state(), &[(0, 1 << 16), (0, 1 << 16)]);
        }
        let begun = Instant::now();
        // All calls of a plugin together, and also what grows from nothing.
        for _ in 0..Limits::GROWTHS {
            grow(&mut state(), &[(0, 0), (0, 1 << 16), (0, 1 << 16), (1 << 16, 2 << 16)]);
        }
        assert!(begun.elapsed() >= 2 * Limits::GROWTHS * Limits::GROWTH);
        // What does not grow is not counted.
        let mut one = state();
        assert!(!one.memory_growing(1 << 16, 3 << 16, Some(2 << 16)).unwrap());
        assert_eq!(one.used().memory_bytes, 0);
    }

    #[test]
    fn growing_that_would_wait_beyond_the_deadline_ends_the_call() {
        let limits = Limits { deadline: 5 * Limits::TICK, memory_bytes: usize::MAX, ..Limits::default() };
        let host = Host::new(Limits::default()).unwrap();
        let allowance = Allowance::new(limits.clone());
        let mut state = State::new("x".into(), Arc::new(limits.clone()), host.begin(&allowance));
        let growths = (1..).find_map(|n| Some((n, state.memory_growing(1, 2, None).err()?)));
        let (growths, error) = growths.unwrap();
        assert!(matches!(error.downcast_ref(), Some(wasmtime::Trap::Interrupt)), "{error:#}");
        let paced = limits.deadline.as_nanos() / Limits::GROWTH.as_nanos();
        let at_once = u128::from(Limits::GROWTHS);
        assert!((at_once..=at_once + paced + 1).contains(&growths), "{growths}");
    }

    #[test]
    fn what_the_host_answers_by_itself_is_counted_and_not_recorded() {
        let first = asked(Arc::new(Open));
        let (answers, recording, used) = &first;
        for (answer, expected) in answers.iter().zip([
            "of-somebody-else",
            "status: 204",
            "more than 64 KiB",
            "more than 64 KiB",
            "status: 204",
            "more than 64 KiB",
            "Ok(())",
            "Failure::Limit",
        ]) {
            assert!(answer.contains(expected), "{expected}: {answer}");
        }
        assert_eq!((answers.len(), recording.0.len(), *used), (8, 3, 7));
        // So a recording is answered again to the end.
        assert_eq!(asked(Arc::new(Replay::new(recording.clone()))), first);
    }
}
