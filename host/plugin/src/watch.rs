//! Guests' memories, looked into when a call is over. For tests only: that nothing is in there which
//! no guest may see is shown by reading all of it, not by asking the guest.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::{Config, LinearMemory, MemoryCreator, MemoryType};

use crate::host::{self, Host, HostError};
use crate::limits::Limits;

/// Every linear memory of every guest of a host, as it was when the call was over.
#[derive(Debug, Clone, Default)]
pub struct Memories(Arc<Mutex<Vec<Vec<u8>>>>);

impl Memories {
    /// Those of the calls since this was last asked, each with all its bytes.
    #[must_use]
    pub fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Host {
    /// A host whose guests' memories can be looked into. It has no pool, and checks each access.
    ///
    /// # Errors
    /// As [`Host::new`].
    pub fn watched(limits: Limits) -> Result<(Self, Memories), HostError> {
        let memories = Memories::default();
        let mut config = Config::new();
        host::code(&mut config, &limits);
        // No memory but what the guest has: then it may lie, and be moved, anywhere.
        config
            .memory_reservation(0)
            .memory_guard_size(0)
            .memory_reservation_for_growth(0)
            .guard_before_linear_memory(false)
            .memory_may_move(true)
            .memory_init_cow(false)
            .with_host_memory(Arc::new(memories.clone()));
        Ok((Self::with_config(&config, limits)?, memories))
    }
}

/// A memory that is kept when its guest is gone.
struct Watched {
    bytes: Vec<AtomicU8>,
    kept: Memories,
}

fn zeroes(count: usize) -> impl Iterator<Item = AtomicU8> {
    std::iter::repeat_with(|| AtomicU8::new(0)).take(count)
}

impl Drop for Watched {
    fn drop(&mut self) {
        let bytes = self.bytes.iter().map(|byte| byte.load(Ordering::Relaxed)).collect();
        self.kept.0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}

#[allow(unsafe_code, reason = "memory of one's own is how the engine lets it be looked into")]
// SAFETY: all that is asked of a memory without reservation and guard is that the pointer leads to
// so many bytes, that they may be written through it, and that growing keeps them: a vector of
// atomics has all three.
unsafe impl LinearMemory for Watched {
    fn byte_size(&self) -> usize {
        self.bytes.len()
    }

    fn byte_capacity(&self) -> usize {
        self.bytes.len()
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        let more = new_size.saturating_sub(self.bytes.len());
        self.bytes.extend(zeroes(more));
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.bytes.as_ptr().cast_mut().cast()
    }
}

#[allow(unsafe_code, reason = "memory of one's own is how the engine lets it be looked into")]
// SAFETY: each memory is a new one, of zeroes, and the configuration asks for no reservation and no
// guard.
unsafe impl MemoryCreator for Memories {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        _: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        if guard > 0 {
            return Err("a watched memory has no guard".to_owned());
        }
        Ok(Box::new(Watched { bytes: zeroes(minimum).collect(), kept: self.clone() }))
    }
}
