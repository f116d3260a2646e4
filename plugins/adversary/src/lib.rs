//! A plugin that misbehaves as its data source's name says; for tests of the host only.
//!
//! Its one kind, `lowcoder/adversary`, has a host that the environment owns, a flag, a choice and a
//! text that must match, and two slots. A name that asks for nothing makes it behave. What it says
//! of its kinds is chosen by a text in the component, which tests change.

mod acts;
mod describing;
mod misbehaving;

pub use misbehaving::Plugin;

/// What only a plugin with a network can do.
fn act_outside_of_a_probe(_name: &str) {}

#[cfg(target_arch = "wasm32")]
mod export {
    use super::Plugin;
    sluice_guest::bindings::export!(Plugin with_types_in sluice_guest::bindings);
}
