//! Plugin for object storage, S3, Google Cloud Storage and MinIO, as ToolJet, Lowcoder and Appsmith
//! spell them.

mod kinds;

use sluice_guest::spec::KindSpec;
use sluice_guest::{Family, plugin};

/// The object stores.
#[derive(Debug)]
pub struct ObjectStorage;

plugin!(ObjectStorage, probe);

impl Family for ObjectStorage {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}
