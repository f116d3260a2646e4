//! Plugin for services that have an interface of their own, as ToolJet and Appsmith spell them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, Serve};

/// The services.
#[derive(Debug)]
pub struct Saas;

impl Family for Saas {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}

#[cfg(target_arch = "wasm32")]
mod export {
    type Plugin = super::Serve<super::Saas>;
    sluice_guest::bindings::export!(Plugin with_types_in sluice_guest::bindings);
    sluice_guest::probe::bindings::export_probe!(Plugin with_types_in sluice_guest::probe::bindings);
}

/// What the component exports.
pub type Plugin = Serve<Saas>;
