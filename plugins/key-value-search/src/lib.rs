//! Plugin for key-value stores, search and time series, as ToolJet, Lowcoder and Appsmith spell them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, Serve};

/// The key-value stores, search engines and stores of time series.
#[derive(Debug)]
pub struct KeyValueSearch;

impl Family for KeyValueSearch {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}

#[cfg(target_arch = "wasm32")]
mod export {
    type Plugin = super::Serve<super::KeyValueSearch>;
    sluice_guest::bindings::export!(Plugin with_types_in sluice_guest::bindings);
    sluice_guest::probe::bindings::export_probe!(Plugin with_types_in sluice_guest::probe::bindings);
}

/// What the component exports.
pub type Plugin = Serve<KeyValueSearch>;
