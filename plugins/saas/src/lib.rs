//! Plugin for services that have an interface of their own, as ToolJet and Appsmith spell them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, plugin};

/// The services.
#[derive(Debug)]
pub struct Saas;

plugin!(Saas, probe);

impl Family for Saas {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}
