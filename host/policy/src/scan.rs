//! Personal data in content.
/// Version
pub const SCANNER_VERSION: &str = "1";
