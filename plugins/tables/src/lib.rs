//! Plugin for sheets and tables, as ToolJet, Lowcoder and Appsmith spell them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, plugin};

/// The sheets and tables.
#[derive(Debug)]
pub struct Tables;

plugin!(Tables, probe);

impl Family for Tables {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}
