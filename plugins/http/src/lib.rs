//! Plugin for HTTP interfaces, REST, GraphQL, gRPC and OpenAPI, as ToolJet, Lowcoder and Appsmith
//! spell them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, plugin};

/// The HTTP interfaces.
#[derive(Debug)]
pub struct Http;

plugin!(Http, probe);

impl Family for Http {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}
