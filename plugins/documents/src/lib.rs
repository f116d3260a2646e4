//! Plugin for document stores, as ToolJet, Lowcoder and Appsmith spell them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, plugin};

/// The document stores.
#[derive(Debug)]
pub struct Documents;

plugin!(Documents, probe);

impl Family for Documents {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}
