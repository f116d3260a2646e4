//! Plugin for key-value stores, search and time series, as ToolJet, Lowcoder and Appsmith spell them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, plugin};

/// The key-value stores, search engines and stores of time series.
#[derive(Debug)]
pub struct KeyValueSearch;

plugin!(KeyValueSearch, probe);

impl Family for KeyValueSearch {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}
