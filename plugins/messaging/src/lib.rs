//! Plugin for mail and messaging, as ToolJet, Lowcoder and Appsmith spell them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, Serve};

/// The ways to send mail and messages.
#[derive(Debug)]
pub struct Messaging;

impl Family for Messaging {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}

#[cfg(target_arch = "wasm32")]
mod export {
    type Plugin = super::Serve<super::Messaging>;
    sluice_guest::bindings::export!(Plugin with_types_in sluice_guest::bindings);
    sluice_guest::probe::bindings::export_probe!(Plugin with_types_in sluice_guest::probe::bindings);
}

/// What the component exports.
pub type Plugin = Serve<Messaging>;
