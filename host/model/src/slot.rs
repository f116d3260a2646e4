//! Where secrets hide in a data source's options, as data.

use serde::{Deserialize, Serialize};

use crate::{Pointer, SlotName};

/// How a secret sits in an option. The host, never a plugin, takes it apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretShape {
    /// The option's whole value.
    Whole,
    /// The password in a URL's user information (RFC 3986 §3.2.1).
    UrlUserinfo,
    /// The value of this key in a connection string such as `Server=…;Password=…`.
    KeyValue(String),
    /// The text at this pointer in an option that holds JSON as text, such as a service account.
    JsonMember(Pointer),
    /// A header's value, after its scheme (`Bearer`, `Basic`) if it has one.
    HeaderValue,
}

/// One place for a secret in the options of a kind.
///
/// A token `*` in the pointer stands for every element or member there; the slot's name then
/// gets the tokens found appended, joined by `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SlotRule {
    /// The slot's name.
    pub name: SlotName,
    /// Where in the native options.
    pub at: Pointer,
    /// How it sits there.
    pub shape: SecretShape,
    /// Whether the data source is of no use without it.
    pub required: bool,
}
