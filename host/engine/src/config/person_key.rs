//! Public keys of people.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::names::{BadText, serde_as_text, text_forms};

/// A person's public key as it is written. One key has one spelling: that of
/// [`sluice_ledger::PublicKey`], by which it is checked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(String);

impl PublicKey {
    /// The key as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = BadText;

    fn from_str(text: &str) -> Result<Self, BadText> {
        if text.parse::<sluice_ledger::PublicKey>().is_ok() {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadText::new(text, "a public key", "put in the line that `sluice key new` prints"))
        }
    }
}

text_forms!(PublicKey);
