//! The guests' allocator: it hands out memory from front to back and takes none back.
//!
//! An instance lives for one render and is thrown away whole, so freeing is work for nothing; a
//! render's allocations are bounded by the host's limits on options and memory. Growing memory is
//! a call to the operating system, and one more when the instance is gone, so the first room is
//! part of the memory that an instance begins with.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::{Cell, UnsafeCell};

/// Bytes of a page of Wasm memory.
const PAGE: usize = 65_536;

/// Bytes of the first room: five times what a render of 40 leaves takes. What is not touched costs
/// nothing.
const FIRST: usize = 4 * PAGE;

/// Pages that are asked for at a time at least, beyond that.
const STEP: usize = 16;

/// The allocator.
#[derive(Debug)]
pub struct Arena {
    first: UnsafeCell<[u8; FIRST]>,
    next: Cell<usize>,
    end: Cell<usize>,
}

#[allow(unsafe_code, reason = "the world has no threads: a guest of this target has one")]
// SAFETY: there is no second thread that could share it.
unsafe impl Sync for Arena {}

impl Arena {
    /// An arena that has handed out nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: UnsafeCell::new([0; FIRST]), next: Cell::new(0), end: Cell::new(0) }
    }

    /// Room for `size` bytes: from `start` on or, where that is not to be had, in fresh memory.
    /// `None` where the host gives no more.
    fn room(&self, start: usize, size: usize) -> Option<usize> {
        let end = start.checked_add(size)?;
        if end <= self.end.get() {
            self.next.set(end);
            return Some(start);
        }
        let memory_end = core::arch::wasm32::memory_size::<0>() * PAGE;
        // Behind the first room the linker may have put something else.
        let is_last = self.end.get() == memory_end;
        let (start, missing) = if is_last { (start, end - memory_end) } else { (memory_end, size) };
        let pages = missing.div_ceil(PAGE).max(STEP);
        if core::arch::wasm32::memory_grow::<0>(pages) == usize::MAX {
            return None;
        }
        self.end.set(memory_end.checked_add(pages * PAGE)?);
        self.next.set(start + size);
        Some(start)
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(unsafe_code, reason = "the trait of allocators is unsafe")]
// SAFETY: every block lies in the first room or in memory that was grown for this arena alone,
// behind the last block, aligned as asked (fresh memory begins with a page); `next` goes back only
// over the last block, which is then free.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.end.get() == 0 {
            let first = self.first.get() as usize;
            self.next.set(first);
            self.end.set(first + FIRST);
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
        if size <= layout.size() {
            return block;
        }
        let is_last = block as usize + layout.size() == self.next.get();
        let start = if is_last { block as usize } else { self.next.get().next_multiple_of(layout.align()) };
        let Some(start) = self.room(start, size) else { return std::ptr::null_mut() };
        let start = start as *mut u8;
        if start != block {
            // SAFETY: a fresh block of the larger size, behind the old one.
            unsafe { std::ptr::copy_nonoverlapping(block, start, layout.size()) };
        }
        start
    }
}
