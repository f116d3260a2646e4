//! Plugin for services of clouds, as ToolJet spells them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, plugin};

/// The services of clouds.
#[derive(Debug)]
pub struct Cloud;

plugin!(Cloud, probe);

impl Family for Cloud {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}
