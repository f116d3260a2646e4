//! Values that were taken out of content.

use std::fmt;

use sluice_model::{LogicalId, Pointer, SlotName};
use zeroize::Zeroizing;

use crate::Likeness;

/// A secret's value: wiped when dropped, never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes the value.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value, for the vault and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(withheld)")
    }
}

/// One value that was taken out, and where its mark stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenSecret {
    /// The object.
    pub object: LogicalId,
    /// For another environment's options, that environment as the platform names it; `None` for
    /// what stood in the object's own content.
    pub environment: Option<String>,
    /// Where the mark stands, in the object's content; options lie under [`crate::OPTIONS`] also
    /// for another environment.
    pub at: Pointer,
    /// The slot.
    pub slot: SlotName,
    /// Whether it merely looks like a secret. The text at `at` can then be had back by putting the
    /// values in place of the marks.
    pub provisional: bool,
    /// What gave it away.
    pub what: Likeness,
    /// The value. For a member of JSON held as text it is unescaped.
    pub value: SecretText,
}
