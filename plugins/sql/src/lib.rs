//! Plugin for relational databases, as ToolJet, Lowcoder and Appsmith spell them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, plugin};

/// The relational databases.
#[derive(Debug)]
pub struct Sql;

plugin!(Sql, probe);

impl Family for Sql {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}
