//! Components made of bytes: `cargo +nightly fuzz run component` in `host/plugin`.

#![no_main]

#[path = "../../tests/plugin/spoil/mod.rs"]
mod spoil;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    spoil::component::spoil(bytes);
});
