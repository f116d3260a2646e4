//! Service accounts of Google's, which platforms keep as the JSON that Google hands out.

use crate::spec::{SlotSpec, member_secret};

/// The account in the option `key`: its private key, or all of it where the platform hides all.
#[must_use]
pub const fn service_account(name: &'static str, key: &'static str) -> SlotSpec {
    member_secret(name, key, "/private_key", "The service account's private key").or_whole()
}
