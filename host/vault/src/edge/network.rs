//! The machine's network and clock, as ports; and a connection that keeps a deadline.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use jiff::Timestamp;

use super::failure::Failure;

/// Names and connections.
pub trait Network: Send + Sync {
    /// All addresses of a name. It is asked once for each connection.
    ///
    /// # Errors
    /// When the name has none; of the kind [`io::ErrorKind::TimedOut`] when that was not found out in time.
    fn resolve(&self, name: &str, within: Duration) -> io::Result<Vec<IpAddr>>;

    /// Connects to this very address.
    ///
    /// # Errors
    /// When nobody answers; of the kind [`io::ErrorKind::TimedOut`] when not in time.
    fn connect(&self, address: SocketAddr, within: Duration) -> io::Result<TcpStream>;
}

/// Time, for deadlines and for the validity of certificates.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Time since any fixed moment; it never goes back.
    fn elapsed(&self) -> Duration;
}

/// The machine's own resolver (with its `hosts` file and search list) and its TCP. Proxies that the environment
/// names are not used.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNetwork;

/// Questions to the system's resolver that wait at once, in the whole process. 32: it cannot be told to stop, so
/// whoever gives up leaves a thread behind, for as long as the system's own patience lasts.
const QUESTIONS_MOST: usize = 32;
static QUESTIONS: AtomicUsize = AtomicUsize::new(0);

impl Network for SystemNetwork {
    fn resolve(&self, name: &str, within: Duration) -> io::Result<Vec<IpAddr>> {
        let asked = QUESTIONS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            (waiting < QUESTIONS_MOST).then_some(waiting.saturating_add(1))
        });
        asked.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
        let (answer, answered) = mpsc::sync_channel(1);
        let name = name.to_owned();
        let thread = std::thread::Builder::new().name("sluice-resolve".to_owned()).spawn(move || {
            let found = (name.as_str(), 0).to_socket_addrs();
            QUESTIONS.fetch_sub(1, Ordering::Relaxed);
            // Nobody listens any more when it took too long.
            let _ = answer.send(found.map(|found| found.map(|address| address.ip()).collect()));
        });
        if let Err(error) = thread {
            QUESTIONS.fetch_sub(1, Ordering::Relaxed);
            return Err(error);
        }
        answered.recv_timeout(within).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    fn connect(&self, address: SocketAddr, within: Duration) -> io::Result<TcpStream> {
        TcpStream::connect_timeout(&address, within)
    }
}

/// When an answer has to be there.
#[derive(Clone, Copy)]
pub(super) struct Deadline<'a> {
    clock: &'a dyn Clock,
    ends: Duration,
}

impl<'a> Deadline<'a> {
    pub(super) fn new(clock: &'a dyn Clock, within: Duration) -> Self {
        Self { clock, ends: clock.elapsed().saturating_add(within) }
    }

    /// What is left, and never nothing.
    pub(super) fn left(&self) -> Result<Duration, Failure> {
        let left = self.ends.saturating_sub(self.clock.elapsed());
        if left.is_zero() { Err(Failure::TimedOut) } else { Ok(left) }
    }

    fn left_to_wait(&self) -> io::Result<Duration> {
        // Below the resolution of sockets a time would be rounded to none, which stands for no limit.
        let left = self.left().map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
        Ok(left.max(Duration::from_millis(1)))
    }
}

/// A connection on which nothing lasts longer than the deadline.
pub(super) struct Timed<'a> {
    tcp: TcpStream,
    deadline: Deadline<'a>,
}

impl<'a> Timed<'a> {
    pub(super) const fn new(tcp: TcpStream, deadline: Deadline<'a>) -> Self {
        Self { tcp, deadline }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(Some(self.deadline.left_to_wait()?))?;
        self.tcp.read(buffer)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(Some(self.deadline.left_to_wait()?))?;
        self.tcp.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// Whether somebody waited for too long.
pub(super) fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}
