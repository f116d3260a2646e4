//! Plugin for interfaces to models, as ToolJet and Appsmith spell them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, plugin};

/// The interfaces to models.
#[derive(Debug)]
pub struct Ai;

plugin!(Ai, probe);

impl Family for Ai {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}
