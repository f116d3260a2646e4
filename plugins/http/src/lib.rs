//! Plugin for HTTP interfaces, REST, GraphQL, gRPC and OpenAPI, as ToolJet, Lowcoder and Appsmith
//! spell them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, Serve};

/// The HTTP interfaces.
#[derive(Debug)]
pub struct Http;

impl Family for Http {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}

#[cfg(target_arch = "wasm32")]
mod export {
    type Plugin = super::Serve<super::Http>;
    sluice_guest::bindings::export!(Plugin with_types_in sluice_guest::bindings);
    sluice_guest::probe::bindings::export_probe!(Plugin with_types_in sluice_guest::probe::bindings);
}

/// What the component exports.
pub type Plugin = Serve<Http>;
