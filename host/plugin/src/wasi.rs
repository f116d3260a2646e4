//! WASI, for guests whose language's runtime imports it, such as JavaScript's and Python's.
//!
//! What a plugin makes of a data source must depend on nothing but its input, so all of it is made
//! up: time begins at a fixed instant and passes only when it is looked at or waited for, randomness
//! has a fixed seed, the environment and the list of folders are empty, and what is written to
//! standard output and error is bounded and goes into the log. Nothing ever waits. Network
//! interfaces are there to be imported, and end the call when they are called.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasData, Linker, Resource, ResourceTable, ResourceType};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::io::streams as waiting;
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, io, random, sync};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, Pollable, StreamError, StreamResult, subscribe,
};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::contract::State;

/// Interfaces of WASI 0.2 that a plugin may import and that answer.
const ANSWERED: [&str; 20] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Packages of WASI 0.2 that a plugin may import, of which every call ends the plugin's.
const REFUSED: [&str; 2] = ["wasi:sockets/", "wasi:http/"];

/// When time begins, in seconds since 1970: the first of January 2020.
const BEGINNING: u64 = 1_577_836_800;

/// Nanoseconds that pass with each look at the clock, so that a guest which waits for time to pass
/// comes to an end.
const LOOK: u64 = 1_000;

/// The seed of randomness: the same for every call.
const SEED: u64 = 0x736c_7569_6365;

/// Most random bytes in one answer.
const MOST_RANDOM: u64 = 64 << 10;

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// What a guest of WASI has of it.
pub(crate) struct Wasi {
    context: WasiCtx,
    written: MemoryOutputPipe,
    /// Nanoseconds since time began.
    now: u64,
}

impl Wasi {
    fn new(most_written: usize) -> Self {
        let written = MemoryOutputPipe::new(most_written);
        let mut builder = WasiCtx::builder();
        builder
            .stdout(written.clone())
            .stderr(written.clone())
            .secure_random(StdRng::seed_from_u64(SEED))
            .insecure_random(StdRng::seed_from_u64(SEED))
            .insecure_random_seed(u128::from(SEED))
            .max_random_size(MOST_RANDOM);
        Self { context: builder.build(), written, now: 0 }
    }

    /// What the guest has written to standard output and error.
    pub(crate) fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.contents()).into_owned()
    }
}

impl State {
    /// Made when it is first asked for: most plugins never do.
    fn wasi(&mut self) -> (&mut Wasi, &mut ResourceTable) {
        let most = self.limits.log_bytes;
        (self.wasi.get_or_insert_with(|| Box::new(Wasi::new(most))), &mut self.table)
    }

    fn at_once(&mut self) -> AtOnce<'_> {
        let (wasi, table) = self.wasi();
        AtOnce { table, now: &mut wasi.now }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (wasi, table) = self.wasi();
        WasiCtxView { ctx: &mut wasi.context, table }
    }
}

/// Whether a plugin may import this interface.
pub(crate) fn is_known(import: &str) -> bool {
    import.split_once('@').is_some_and(|(name, version)| {
        version.starts_with("0.2.") && (ANSWERED.contains(&name) || is_refused(name))
    })
}

/// Whether calls of this interface end the plugin's.
fn is_refused(import: &str) -> bool {
    REFUSED.iter().any(|package| import.starts_with(package))
}

/// Adds what answers, each interface by itself.
pub(crate) fn link(l: &mut Linker<State>) -> wasmtime::Result<()> {
    cli::environment::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stderr::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, State::cli)?;
    clocks::monotonic_clock::add_to_linker::<_, Made>(l, State::at_once)?;
    clocks::wall_clock::add_to_linker::<_, Made>(l, State::at_once)?;
    // There are no folders, so that no guest has a descriptor to call any of these with.
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, State::filesystem)?;
    sync::filesystem::types::add_to_linker::<_, WasiFilesystem>(l, State::filesystem)?;
    io::error::add_to_linker::<_, Table>(l, |state| &mut state.table)?;
    sync::io::poll::add_to_linker::<_, Made>(l, State::at_once)?;
    sync::io::streams::add_to_linker::<_, Made>(l, State::at_once)?;
    random::random::add_to_linker::<_, WasiRandom>(l, State::random)?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, State::random)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, State::random)
}

/// The linker with what a component imports of the interfaces that end a call; `None` where it
/// imports none of them.
pub(crate) fn refusing(
    linker: &Linker<State>,
    component: &Component,
) -> wasmtime::Result<Option<Linker<State>>> {
    let engine = component.engine();
    let ty = component.component_type();
    let mut refusing = None;
    for (import, item) in ty.imports(engine).filter(|(import, _)| is_refused(import)) {
        let ComponentItem::ComponentInstance(interface) = item.ty else { continue };
        let linker = refusing.get_or_insert_with(|| linker.clone());
        let mut instance = linker.instance(import)?;
        for (name, item) in interface.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => {
                    let called = format!("`{import}#{name}` is not for plugins");
                    instance.func_new(name, move |_, _, _, _| Err(wasmtime::Error::msg(called.clone())))?;
                }
                // Those of `wasi:io` are its own.
                ComponentItem::Resource(_)
                    if !matches!(name, "pollable" | "error" | "input-stream" | "output-stream") =>
                {
                    instance.resource(name, ResourceType::host::<Refused>(), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(refusing)
}

/// What a guest would have of a refused interface. There is none.
enum Refused {}

/// Interfaces that need the table alone.
struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

/// Interfaces in which a guest could wait.
struct Made;

impl HasData for Made {
    type Data<'a> = AtOnce<'a>;
}

/// Time that passes at once, and streams that never wait.
struct AtOnce<'a> {
    table: &'a mut ResourceTable,
    now: &'a mut u64,
}

/// What a future comes to that is ready.
fn at_once<T>(future: impl Future<Output = T>) -> wasmtime::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ready) => Ok(ready),
        Poll::Pending => Err(wasmtime::Error::msg("it waits for what never comes")),
    }
}

/// The same for streams.
fn stream_at_once<T>(future: impl Future<Output = StreamResult<T>>) -> StreamResult<T> {
    at_once(future).map_err(StreamError::Trap)?
}

impl clocks::wall_clock::Host for AtOnce<'_> {
    fn now(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        *self.now = self.now.saturating_add(LOOK);
        let nanoseconds = u32::try_from(*self.now % SECOND)?;
        Ok(clocks::wall_clock::Datetime {
            seconds: BEGINNING.saturating_add(*self.now / SECOND),
            nanoseconds,
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        Ok(clocks::wall_clock::Datetime { seconds: 0, nanoseconds: u32::try_from(LOOK)? })
    }
}

impl clocks::monotonic_clock::Host for AtOnce<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        *self.now = self.now.saturating_add(LOOK);
        Ok(*self.now)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(LOOK)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        *self.now = when.max(*self.now);
        let over = self.table.push(Over)?;
        subscribe(self.table, over)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.subscribe_instant(self.now.saturating_add(duration))
    }
}

/// A wait that is over.
struct Over;

#[wasmtime_wasi::async_trait]
impl Pollable for Over {
    async fn ready(&mut self) {}
}

impl sync::io::poll::Host for AtOnce<'_> {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        at_once(io::poll::Host::poll(self.table, pollables))?
    }
}

impl sync::io::poll::HostPollable for AtOnce<'_> {
    fn ready(&mut self, of: Resource<DynPollable>) -> wasmtime::Result<bool> {
        at_once(io::poll::HostPollable::ready(self.table, of))?
    }

    fn block(&mut self, of: Resource<DynPollable>) -> wasmtime::Result<()> {
        at_once(io::poll::HostPollable::block(self.table, of))?
    }

    fn drop(&mut self, of: Resource<DynPollable>) -> wasmtime::Result<()> {
        io::poll::HostPollable::drop(self.table, of)
    }
}

impl sync::io::streams::Host for AtOnce<'_> {
    fn convert_stream_error(&mut self, of: StreamError) -> wasmtime::Result<sync::io::streams::StreamError> {
        waiting::Host::convert_stream_error(self.table, of).map(Into::into)
    }
}

impl sync::io::streams::HostInputStream for AtOnce<'_> {
    fn read(&mut self, of: Resource<DynInputStream>, most: u64) -> StreamResult<Vec<u8>> {
        waiting::HostInputStream::read(self.table, of, most)
    }

    fn blocking_read(&mut self, of: Resource<DynInputStream>, most: u64) -> StreamResult<Vec<u8>> {
        stream_at_once(waiting::HostInputStream::blocking_read(self.table, of, most))
    }

    fn skip(&mut self, of: Resource<DynInputStream>, most: u64) -> StreamResult<u64> {
        waiting::HostInputStream::skip(self.table, of, most)
    }

    fn blocking_skip(&mut self, of: Resource<DynInputStream>, most: u64) -> StreamResult<u64> {
        stream_at_once(waiting::HostInputStream::blocking_skip(self.table, of, most))
    }

    fn subscribe(&mut self, of: Resource<DynInputStream>) -> wasmtime::Result<Resource<DynPollable>> {
        waiting::HostInputStream::subscribe(self.table, of)
    }

    fn drop(&mut self, of: Resource<DynInputStream>) -> wasmtime::Result<()> {
        at_once(waiting::HostInputStream::drop(self.table, of))?
    }
}

impl sync::io::streams::HostOutputStream for AtOnce<'_> {
    fn check_write(&mut self, of: Resource<DynOutputStream>) -> StreamResult<u64> {
        waiting::HostOutputStream::check_write(self.table, of)
    }

    fn write(&mut self, of: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        waiting::HostOutputStream::write(self.table, of, bytes)
    }

    fn blocking_write_and_flush(
        &mut self,
        of: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        stream_at_once(waiting::HostOutputStream::blocking_write_and_flush(self.table, of, bytes))
    }

    fn flush(&mut self, of: Resource<DynOutputStream>) -> StreamResult<()> {
        waiting::HostOutputStream::flush(self.table, of)
    }

    fn blocking_flush(&mut self, of: Resource<DynOutputStream>) -> StreamResult<()> {
        stream_at_once(waiting::HostOutputStream::blocking_flush(self.table, of))
    }

    fn subscribe(&mut self, of: Resource<DynOutputStream>) -> wasmtime::Result<Resource<DynPollable>> {
        waiting::HostOutputStream::subscribe(self.table, of)
    }

    fn write_zeroes(&mut self, of: Resource<DynOutputStream>, count: u64) -> StreamResult<()> {
        // The engine's own makes room for all of them first.
        if count > self.check_write(Resource::new_borrow(of.rep()))? {
            return Err(StreamError::trap("it writes more than fits"));
        }
        waiting::HostOutputStream::write_zeroes(self.table, of, count)
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        of: Resource<DynOutputStream>,
        count: u64,
    ) -> StreamResult<()> {
        stream_at_once(waiting::HostOutputStream::blocking_write_zeroes_and_flush(self.table, of, count))
    }

    fn splice(
        &mut self,
        of: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        most: u64,
    ) -> StreamResult<u64> {
        waiting::HostOutputStream::splice(self.table, of, from, most)
    }

    fn blocking_splice(
        &mut self,
        of: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        most: u64,
    ) -> StreamResult<u64> {
        stream_at_once(waiting::HostOutputStream::blocking_splice(self.table, of, from, most))
    }

    fn drop(&mut self, of: Resource<DynOutputStream>) -> wasmtime::Result<()> {
        at_once(waiting::HostOutputStream::drop(self.table, of))?
    }
}

#[cfg(test)]
mod tests;
