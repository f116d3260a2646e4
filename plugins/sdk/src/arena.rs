//! The guests' allocator: it hands out memory from front to back and takes none back.
//!
//! An instance lives for one call and is thrown away whole, so freeing is work for nothing; a
//! call's allocations are bounded by the host's limits on options and memory. Measured, it takes
//! a sixth off the fuel of a call.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

/// Bytes of a page of Wasm memory.
const PAGE: usize = 65_536;

/// Pages that are asked for at a time at least. Four: what a call of 20 options takes.
const STEP: usize = 4;

/// The allocator.
#[derive(Debug)]
pub struct Arena {
    next: Cell<usize>,
    end: Cell<usize>,
}

#[allow(unsafe_code, reason = "the world has no threads: a guest of this target has one")]
// SAFETY: there is no second thread that could share it.
unsafe impl Sync for Arena {}

impl Arena {
    /// An arena without memory, which asks for it at the first allocation.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: Cell::new(0), end: Cell::new(0) }
    }

    /// Room from `start` on for `size` bytes, or `None` where the host gives no more memory.
    fn room(&self, start: usize, size: usize) -> Option<usize> {
        let end = start.checked_add(size)?;
        if end > self.end.get() {
            let pages = (end - self.end.get()).div_ceil(PAGE).max(STEP);
            let before = core::arch::wasm32::memory_grow::<0>(pages);
            if before == usize::MAX {
                return None;
            }
            self.end.set((before + pages).checked_mul(PAGE)?);
        }
        self.next.set(end);
        Some(start)
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(unsafe_code, reason = "the trait of allocators is unsafe")]
// SAFETY: every block lies in memory that was grown for this arena alone, behind the last block,
// aligned as asked; `next` goes back only over the last block, which is then free.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.end.get() == 0 {
            // What the linker laid out ends here; all that is grown later is the arena's.
            let end = core::arch::wasm32::memory_size::<0>() * PAGE;
            self.next.set(end);
            self.end.set(end);
        }
        let start = self.next.get().next_multiple_of(layout.align());
        self.room(start, layout.size()).map_or(std::ptr::null_mut(), |start| start as *mut u8)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block as usize + layout.size() == self.next.get() {
            self.next.set(block as usize);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if block as usize + layout.size() == self.next.get() {
            return self.room(block as usize, size).map_or(std::ptr::null_mut(), |_| block);
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: a fresh block of the larger size, which cannot overlap the old one.
        unsafe {
            let fresh = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !fresh.is_null() {
                std::ptr::copy_nonoverlapping(block, fresh, layout.size());
            }
            fresh
        }
    }
}
