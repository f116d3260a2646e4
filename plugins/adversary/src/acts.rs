//! What no plugin should do.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use sluice_guest::judge::finding;
use sluice_guest::{Failure, Finding, Severity, Source};

#[allow(clippy::panic, reason = "the act is to trap")]
pub(crate) fn trap() {
    panic!("as asked");
}

#[allow(clippy::empty_loop, reason = "the act is to loop")]
pub(crate) fn run_for_ever() {
    loop {
        black_box(());
    }
}

pub(crate) fn allocate_without_end() {
    let mut kept = Vec::new();
    loop {
        kept.push(vec![1_u8; 1 << 20]);
        black_box(&kept);
    }
}

/// Asks for memory that it never touches.
pub(crate) fn grow_in_steps() {
    #[cfg(target_arch = "wasm32")]
    loop {
        black_box(core::arch::wasm32::memory_grow::<0>(16));
    }
}

/// Fills memory over and over: much time for few instructions.
pub(crate) fn fill_without_end() {
    let mut much = vec![0_u8; 40 << 20];
    loop {
        black_box(&mut much).fill(black_box(1));
    }
}

/// Makes resources that nobody gives back.
pub(crate) fn hoard_handles(source: &Source) {
    #[cfg(target_arch = "wasm32")]
    loop {
        use sluice_guest::bindings::exports::sluice::plugin::transforming::Rendering;
        let one = <crate::misbehaving::Misbehaving as sluice_guest::GuestRendering>::new(source.clone());
        std::mem::forget(Rendering::new(one));
    }
    #[cfg(not(target_arch = "wasm32"))]
    black_box(source);
}

#[allow(unconditional_recursion, reason = "the act is to recurse")]
pub(crate) fn recurse(depth: u64) -> u64 {
    black_box([depth; 8]);
    black_box(recurse(black_box(depth + 1)) + 1)
}

/// An answer of `count` findings with a message of `bytes` each.
pub(crate) fn answer(count: usize, bytes: usize) -> Result<Vec<Finding>, Failure> {
    let message = "x".repeat(bytes);
    #[cfg(target_arch = "wasm32")]
    {
        // Each finding refers to the same text, which no guest could hold so often. They are
        // never dropped: the instance ends with the call.
        let text = std::mem::ManuallyDrop::new(message);
        #[allow(unsafe_code, reason = "the act is to refer to one text many times")]
        let same = || unsafe { String::from_raw_parts(text.as_ptr().cast_mut(), text.len(), text.len()) };
        let one = || Finding { message: same(), ..finding(Severity::Note, "x", None, "", "") };
        Ok((0..count).map(|_| one()).collect())
    }
    #[cfg(not(target_arch = "wasm32"))]
    Ok(vec![finding(Severity::Note, "x", None, &message, ""); count])
}

/// Whether a text is anywhere in this guest's memory. `spelled` is the text as hex digits, each
/// byte with all its bits turned, so that what is searched for is not itself in memory.
pub(crate) fn search(spelled: &str) -> bool {
    let turned: Vec<u8> = spelled
        .as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    #[cfg(target_arch = "wasm32")]
    {
        let bytes = core::arch::wasm32::memory_size::<0>() * 65_536;
        #[allow(unsafe_code, reason = "the act is to read all memory")]
        // SAFETY: the address is within memory, by its size; a read of one byte is always aligned.
        let at = |address: usize| unsafe { std::ptr::read_volatile(address as *const u8) };
        (1..bytes.saturating_sub(turned.len()))
            .any(|from| turned.iter().enumerate().all(|(offset, byte)| at(from + offset) == !byte))
    }
    #[cfg(not(target_arch = "wasm32"))]
    turned.is_empty()
}

/// How often it was called in this instance before.
pub(crate) fn remember() -> u32 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    CALLS.fetch_add(1, Ordering::Relaxed)
}
