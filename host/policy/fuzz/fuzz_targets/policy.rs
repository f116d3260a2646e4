//! Policies and facts made of bytes: `cargo +nightly fuzz run policy` in `host/policy`.

#![no_main]

#[path = "../../tests/acme/mod.rs"]
mod acme;
#[path = "../../tests/spoil/mod.rs"]
mod spoil;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    spoil::spoil(bytes);
});
