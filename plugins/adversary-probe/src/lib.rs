//! The adversary in the world with a probe: it misbehaves with the network and its secrets too, as
//! its data source's name says; for tests of the host only.

#[path = "../../adversary/src/acts.rs"]
mod acts;
#[path = "../../adversary/src/describing.rs"]
mod describing;
#[path = "../../adversary/src/misbehaving.rs"]
mod misbehaving;
mod probing;

pub use misbehaving::Plugin;
use probing::act_outside_of_a_probe;

#[cfg(target_arch = "wasm32")]
mod export {
    use super::Plugin;
    sluice_guest::bindings::export!(Plugin with_types_in sluice_guest::bindings);
    sluice_guest::probe::bindings::export_probe!(Plugin with_types_in sluice_guest::probe::bindings);
}
