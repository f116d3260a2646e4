//! Plugin for mail and messaging, as ToolJet, Lowcoder and Appsmith spell them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, plugin};

/// The ways to send mail and messages.
#[derive(Debug)]
pub struct Messaging;

plugin!(Messaging, probe);

impl Family for Messaging {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}
