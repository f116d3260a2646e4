//! Compiling, in a process of its own.
//!
//! A component is untrusted, and compiling one takes what memory and time its author chose. So the
//! process that serves many hands it to a worker: another process of the same program, which limits
//! itself before it reads a byte of the component and does nothing but compile. One that dies, takes
//! too long or answers nonsense is an error that names the plugin. A worker bounds what compiling
//! costs; it is no wall against a mistake of the compiler, as its answer is run as native code.
//!
//! The request is [`REQUEST`], the engine that the code is for, the limits of memory in bytes and of
//! processor time in seconds, and the component with its length before it; the answer is
//! [`ANSWER`], a byte that says what it is, and what it is, with its length. Numbers have 64 bits,
//! least significant byte first.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use wasmtime::{Config, Engine};

use crate::cache::{self, CODE_BYTES};
use crate::error::{CompilerFault, Reason, shown};
use crate::host;
use crate::limits::{Limits, milliseconds};

/// Begins a request.
const REQUEST: [u8; 8] = *b"compile1";

/// Begins an answer.
const ANSWER: [u8; 8] = *b"compiled";

/// Bytes of a text that says why a component is refused.
const REFUSAL_BYTES: u64 = 16 << 10;

/// What an answer is: code, why the component is none that can run, or that the worker is another
/// version than who asks.
const CODE: u8 = 0;
const REFUSED: u8 = 1;
const OTHER_ENGINE: u8 = 2;

/// Where components are compiled.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// In this process, without limits of its own: for commands that serve one person, and tests.
    Here,
    /// In another.
    Worker(Worker),
}

/// A process that compiles one component and ends.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The program, which calls [`compile_worker`] when it is given these arguments.
    pub program: PathBuf,
    /// What it is given.
    pub arguments: Vec<OsString>,
    /// Bytes of address space that it may take. The largest guests that are read take 2 GiB.
    pub memory_bytes: u64,
    /// Wall-clock time, and at most as much processor time, rounded up to seconds.
    pub time: Duration,
}

impl Worker {
    /// A worker with limits that suit the largest component that is read: one with Python in it has
    /// 18 MiB and takes a quarter of a minute and 1 GiB.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().collect(),
            memory_bytes: 4 << 30,
            time: Duration::from_secs(120),
        }
    }
}

impl Compiler {
    /// The code of a component.
    pub(crate) fn compile(&self, engine: &Engine, component: &Arc<[u8]>) -> Result<Vec<u8>, Reason> {
        match self {
            Self::Here => precompile(engine, component).map_err(Reason::NotAComponent),
            Self::Worker(worker) => worker.compile(engine, component),
        }
    }
}

fn precompile(engine: &Engine, component: &[u8]) -> Result<Vec<u8>, String> {
    engine.precompile_component(component).map_err(|error| shown(&format!("{error:#}")))
}

impl Worker {
    fn compile(&self, engine: &Engine, component: &Arc<[u8]>) -> Result<Vec<u8>, Reason> {
        let fault = |fault| Err(Reason::Compiler(fault));
        let started = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => return fault(CompilerFault::NotStarted(shown(&error.to_string()))),
        };
        let answer = self.ask(&mut child, cache::engine_digest(engine), component);
        // It has no more to do, whatever came of it; of one that ended already this is no news.
        let _ = child.kill();
        let ended = child.wait();
        match answer {
            Ok(Answer::Code(code)) => Ok(code),
            Ok(Answer::Refused(why)) => Err(Reason::NotAComponent(shown(&why))),
            Ok(Answer::OtherEngine) => fault(CompilerFault::OtherEngine),
            Err(None) => fault(CompilerFault::TimedOut { milliseconds: milliseconds(self.time) }),
            Err(Some(error)) => fault(match ended {
                Ok(ended) if error.kind() != io::ErrorKind::InvalidData && !ended.success() => {
                    CompilerFault::Died(shown(&ended.to_string()))
                }
                _ => CompilerFault::Nonsense(shown(&error.to_string())),
            }),
        }
    }

    /// Sends the request and reads the answer, each in a thread of its own, since a worker may read
    /// or write nothing. `None` where time ran out.
    fn ask(
        &self,
        child: &mut Child,
        engine: [u8; 32],
        component: &Arc<[u8]>,
    ) -> Result<Answer, Option<io::Error>> {
        let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Some(io::Error::other("it has no standard input and output")));
        };
        let (component, memory, seconds) = (component.clone(), self.memory_bytes, self.seconds());
        let write = move || {
            // A worker that ends early says so in its answer, or by having none.
            let _ = write_request(&mut stdin, &engine, memory, seconds, &component);
        };
        let (tell, told) = mpsc::sync_channel(1);
        let read = move || {
            let _ = tell.send(read_answer(&mut stdout));
        };
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop).map_err(Some)
        };
        spawn("plugin-to-compiler", Box::new(write))?;
        spawn("plugin-of-compiler", Box::new(read))?;
        match told.recv_timeout(self.time) {
            Ok(answer) => answer.map_err(Some),
            Err(RecvTimeoutError::Timeout) => Err(None),
            Err(RecvTimeoutError::Disconnected) => Err(Some(io::Error::other("its answer was not read"))),
        }
    }

    fn seconds(&self) -> u64 {
        self.time.as_secs() + u64::from(self.time.subsec_nanos() > 0)
    }
}

/// What a worker answers.
enum Answer {
    Code(Vec<u8>),
    Refused(String),
    OtherEngine,
}

fn write_request(
    to: &mut impl Write,
    engine: &[u8; 32],
    memory: u64,
    seconds: u64,
    component: &[u8],
) -> io::Result<()> {
    let length = component.len() as u64;
    for part in [&REQUEST[..], engine, &memory.to_le_bytes(), &seconds.to_le_bytes(), &length.to_le_bytes()] {
        to.write_all(part)?;
    }
    to.write_all(component)?;
    to.flush()
}

fn read_answer(from: &mut impl Read) -> io::Result<Answer> {
    let nonsense = || io::Error::new(io::ErrorKind::InvalidData, "it did not answer as a compiler does");
    if bytes::<8>(from)? != ANSWER {
        return Err(nonsense());
    }
    let [what] = bytes(from)?;
    let length = u64::from_le_bytes(bytes(from)?);
    let most = if what == CODE { CODE_BYTES } else { REFUSAL_BYTES };
    if length > most {
        return Err(nonsense());
    }
    let mut content = Vec::new();
    from.take(length).read_to_end(&mut content)?;
    // All that was promised, and nothing behind it.
    if content.len() as u64 != length || from.read(&mut [0])? != 0 {
        return Err(nonsense());
    }
    match what {
        CODE => Ok(Answer::Code(content)),
        REFUSED => String::from_utf8(content).map(Answer::Refused).map_err(|_| nonsense()),
        OTHER_ENGINE => Ok(Answer::OtherEngine),
        _ => Err(nonsense()),
    }
}

fn bytes<const COUNT: usize>(from: &mut impl Read) -> io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// What a worker does: it takes one request, limits itself as that says, and answers.
///
/// # Errors
/// When the request is none, the limits cannot be set, or nobody reads the answer.
pub fn compile_worker(mut stdin: impl Read, mut stdout: impl Write) -> io::Result<()> {
    if bytes::<8>(&mut stdin)? != REQUEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "this is not a request to compile"));
    }
    let wanted: [u8; 32] = bytes(&mut stdin)?;
    let [memory, seconds, length] =
        [bytes(&mut stdin)?, bytes(&mut stdin)?, bytes(&mut stdin)?].map(u64::from_le_bytes);
    limit(memory, seconds)?;
    let (what, content) = match engine() {
        Ok(engine) if cache::engine_digest(&engine) == wanted => {
            let mut component = Vec::new();
            stdin.take(length).read_to_end(&mut component)?;
            match precompile(&engine, &component) {
                Ok(code) => (CODE, code),
                Err(why) => (REFUSED, why.into_bytes()),
            }
        }
        Ok(_) => (OTHER_ENGINE, Vec::new()),
        Err(error) => return Err(io::Error::other(error.to_string())),
    };
    for part in [&ANSWER[..], &[what], &(content.len() as u64).to_le_bytes(), &content] {
        stdout.write_all(part)?;
    }
    stdout.flush()
}

/// An engine that makes the code that every host runs: what limits change does not change code.
fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    host::code(&mut config, &Limits::default());
    Engine::new(&config)
}

/// Limits this process. What it may not have, it dies of.
#[cfg(unix)]
fn limit(memory: u64, seconds: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // What is left of it is of no use to anybody, and has the component in it.
    for (what, most) in [(Resource::As, memory), (Resource::Cpu, seconds), (Resource::Core, 0)] {
        // Where it was started with less, it cannot be given more.
        let most = getrlimit(what).maximum.map_or(most, |before| before.min(most));
        setrlimit(what, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Elsewhere only the time is limited, by who waits.
#[cfg(not(unix))]
fn limit(_memory: u64, _seconds: u64) -> io::Result<()> {
    Ok(())
}
