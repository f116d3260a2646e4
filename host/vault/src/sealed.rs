//! The bytes of a sealed secret.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | format, 1 |
//! | 8 | name of the root key |
//! | 32 | SHA-256 of the context (reference, environment, version) |
//! | 8 | created, seconds since 1970, big-endian, signed |
//! | 1 + 63 | label: its length and its bytes, padded with zeros |
//! | 24 + 48 | the secret's key, sealed under the workspace's: nonce, ciphertext and tag |
//! | 24 + n | the value, padded to a multiple of 64, sealed under the secret's key: nonce, ciphertext and tag |
//!
//! Everything before a ciphertext is authenticated with it, but for the part that rotation replaces.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::root::KeyName;

pub(crate) const FORMAT: u8 = 1;
pub(crate) const LABEL: usize = 63;
pub(crate) const METADATA: usize = 8 + 1 + LABEL;
pub(crate) const NONCE: usize = 24;
pub(crate) const TAG: usize = 16;
pub(crate) const WRAPPED: usize = 32 + TAG;

/// Values are padded to a multiple of that many bytes, so that a stored password's length does not show.
pub(crate) const BLOCK: usize = 64;

/// What is known of a secret without opening it. Of constant size when stored, and authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    label: String,
    created: Timestamp,
}

impl Metadata {
    /// A label for people, of at most 63 bytes, and when the value was set, to the second.
    ///
    /// # Errors
    /// When the label is longer or has control characters.
    pub fn new(label: &str, created: Timestamp) -> Result<Self, NotSealed> {
        if label.len() > LABEL || label.chars().any(char::is_control) {
            return Err(NotSealed::Label);
        }
        let created = Timestamp::from_second(created.as_second()).map_err(|_| NotSealed::Time)?;
        Ok(Self { label: label.to_owned(), created })
    }

    /// The label.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// When the value was set.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// How old the value is; `None` when `now` lies before it was set, which no rule may take for young.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<SignedDuration> {
        Some(now.duration_since(self.created)).filter(|age| !age.is_negative())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.created.as_second().to_be_bytes().to_vec();
        bytes.push(u8::try_from(self.label.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(self.label.as_bytes());
        bytes.resize(METADATA, 0);
        bytes
    }

    fn read(bytes: &[u8; METADATA]) -> Result<Self, NotSealed> {
        let (seconds, label) = bytes.split_first_chunk::<8>().ok_or(NotSealed::Length)?;
        let created = Timestamp::from_second(i64::from_be_bytes(*seconds)).map_err(|_| NotSealed::Time)?;
        let (length, label) = label.split_first().ok_or(NotSealed::Length)?;
        let (label, padding) = label.split_at_checked(usize::from(*length)).ok_or(NotSealed::Label)?;
        let label = std::str::from_utf8(label).map_err(|_| NotSealed::Label)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(NotSealed::Label);
        }
        Self::new(label, created)
    }
}

/// Bytes are not a sealed secret. Nothing of them is in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSealed {
    /// Fewer bytes than there must be, or a number that no padding gives.
    #[error("the sealed secret is truncated")]
    Length,
    /// Another format.
    #[error(
        "the sealed secret has format {0}, which this version of sluice does not read: use a newer sluice"
    )]
    Format(u8),
    /// A label that is too long or not text.
    #[error("a secret's label has at most {LABEL} bytes and no control characters")]
    Label,
    /// A time that is out of range.
    #[error("the sealed secret's time is out of range")]
    Time,
}

/// A sealed secret: safe to store, not to be believed before it is opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    pub(crate) root: KeyName,
    pub(crate) context: [u8; 32],
    pub(crate) metadata: Metadata,
    pub(crate) wrap_nonce: [u8; NONCE],
    pub(crate) wrapped: [u8; WRAPPED],
    pub(crate) nonce: [u8; NONCE],
    pub(crate) value: Vec<u8>,
}

impl Sealed {
    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`NotSealed`] when they cannot be a sealed secret.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotSealed> {
        let (format, rest) = bytes.split_first().ok_or(NotSealed::Length)?;
        if *format != FORMAT {
            return Err(NotSealed::Format(*format));
        }
        let (root, rest) = rest.split_first_chunk().ok_or(NotSealed::Length)?;
        let (context, rest) = rest.split_first_chunk().ok_or(NotSealed::Length)?;
        let (metadata, rest) = rest.split_first_chunk().ok_or(NotSealed::Length)?;
        let (wrap_nonce, rest) = rest.split_first_chunk().ok_or(NotSealed::Length)?;
        let (wrapped, rest) = rest.split_first_chunk().ok_or(NotSealed::Length)?;
        let (nonce, value) = rest.split_first_chunk().ok_or(NotSealed::Length)?;
        let padded = value.len().checked_sub(TAG).ok_or(NotSealed::Length)?;
        if padded == 0 || padded % BLOCK != 0 {
            return Err(NotSealed::Length);
        }
        Ok(Self {
            root: KeyName(*root),
            context: *context,
            metadata: Metadata::read(metadata)?,
            wrap_nonce: *wrap_nonce,
            wrapped: *wrapped,
            nonce: *nonce,
            value: value.to_vec(),
        })
    }

    /// The bytes to store.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [
            [FORMAT].as_slice(),
            &self.root.0,
            &self.context,
            &self.metadata.bytes(),
            &self.wrap_nonce,
            &self.wrapped,
            &self.nonce,
            &self.value,
        ]
        .concat()
    }

    /// The name of the root key that opens it.
    #[must_use]
    pub const fn root(&self) -> KeyName {
        self.root
    }

    /// What is known of it; authentic once it was opened.
    #[must_use]
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sealed secret under root key {}", self.root)
    }
}
