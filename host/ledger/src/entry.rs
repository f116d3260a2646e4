//! What the log says of one revision.
//!
//! An entry is the canonical JSON object `{"act", "revision", "salt", "stream"}`: the digest of the revision's
//! body (`sha256:` and 64 hex digits), its number, a salt (32 lower-case hex digits) and the stream's name. The
//! leaf is its RFC 6962 hash. The body carries its salt as the member `salt`, so that a leaf can be computed
//! again from what is stored; once body and salt are purged, the leaf tells nothing of either and the tree
//! still stands.

use std::fmt;

use serde_json::json;
use sluice_model::{Digest, json};

use crate::merkle;

/// 128 random bits that keep a leaf from betraying a body that could be guessed. Drawn by the caller, a new
/// one for each revision.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 16]);

impl Salt {
    /// A salt from random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 32 hex digits that stand in the body as the member `salt`.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Reads what [`hex`](Self::hex) wrote.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        text.bytes().all(|b| !b.is_ascii_uppercase()).then_some(Self(bytes))
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// What the log says of one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The revision's stream.
    pub stream: String,
    /// Its number in the stream, from 1.
    pub revision: u64,
    /// The salt in its body.
    pub salt: Salt,
    /// The digest of its body.
    pub act: Digest,
}

impl Entry {
    /// The entry for a revision that is about to be inserted.
    #[must_use]
    pub fn of(stream: &str, revision: u64, salt: Salt, body: &[u8]) -> Self {
        Self { stream: stream.to_owned(), revision, salt, act: Digest::of(body) }
    }

    /// The canonical bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        json::canonical(&json!({
            "act": self.act.to_string(),
            "revision": self.revision,
            "salt": self.salt.hex(),
            "stream": self.stream,
        }))
    }

    /// The leaf's hash.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        merkle::leaf_hash(&self.bytes())
    }
}

/// A stored body has no salt to be found, so that its leaf cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body of revision {revision} of `{stream}` has no readable `salt`")]
pub struct NoSalt {
    /// The stream.
    pub stream: String,
    /// The revision's number.
    pub revision: u64,
}

/// The leaf of a stored revision, from its place and its body alone. `limit` bounds the body, in bytes.
///
/// # Errors
/// When the body has no member `salt`.
pub fn recompute(stream: &str, revision: u64, body: &[u8], limit: usize) -> Result<Digest, NoSalt> {
    json::read(body, limit)
        .ok()
        .and_then(|value| Salt::from_hex(value.get("salt")?.as_str()?))
        .map(|salt| Entry::of(stream, revision, salt, body).leaf())
        .ok_or_else(|| NoSalt { stream: stream.to_owned(), revision })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_one_spelling_and_is_found_again_from_the_body() {
        let salt = Salt::from_bytes([0xab; 16]);
        let body = json::canonical(&json!({"act": "manage", "salt": salt.hex()}));
        let entry = Entry::of("env/staging", 7, salt, &body);
        let expected = format!(
            r#"{{"act":"{}","revision":7,"salt":"abababababababababababababababab","stream":"env/staging"}}"#,
            Digest::of(&body)
        );
        assert_eq!(String::from_utf8(entry.bytes()).unwrap(), expected);
        assert_eq!(entry.leaf(), Digest::of(format!("\0{expected}").as_bytes()));
        assert_eq!(recompute("env/staging", 7, &body, 1000), Ok(entry.leaf()));
    }

    #[test]
    fn everything_in_it_changes_the_leaf() {
        let salt = Salt::from_bytes([1; 16]);
        let entry = Entry::of("a", 1, salt, b"{}");
        for other in [
            Entry::of("b", 1, salt, b"{}"),
            Entry::of("a", 2, salt, b"{}"),
            Entry::of("a", 1, Salt::from_bytes([2; 16]), b"{}"),
            Entry::of("a", 1, salt, b"[]"),
        ] {
            assert_ne!(entry.leaf(), other.leaf(), "{other:?}");
        }
    }

    #[test]
    fn a_body_without_a_salt_has_no_leaf() {
        for body in ["{}", "", "[1]", r#"{"salt": 1}"#, r#"{"salt": "ABABABABABABABABABABABABABABABAB"}"#] {
            assert!(recompute("s", 1, body.as_bytes(), 1000).is_err(), "{body}");
        }
    }
}
