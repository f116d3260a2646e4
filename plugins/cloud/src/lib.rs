//! Plugin for services of clouds, as ToolJet spells them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, Serve};

/// The services of clouds.
#[derive(Debug)]
pub struct Cloud;

impl Family for Cloud {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}

#[cfg(target_arch = "wasm32")]
mod export {
    type Plugin = super::Serve<super::Cloud>;
    sluice_guest::bindings::export!(Plugin with_types_in sluice_guest::bindings);
    sluice_guest::probe::bindings::export_probe!(Plugin with_types_in sluice_guest::probe::bindings);
}

/// What the component exports.
pub type Plugin = Serve<Cloud>;
