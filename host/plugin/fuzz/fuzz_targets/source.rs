//! Data sources for the first-party plugins made of bytes: `cargo +nightly fuzz run source` in `host/plugin`.

#![no_main]

#[path = "../../tests/plugin/spoil/mod.rs"]
mod spoil;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    spoil::source::spoil(bytes);
});
