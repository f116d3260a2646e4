//! Ed25519 keys (RFC 8032) of people and of workspaces.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// A public key; written `ed25519:` and the standard base64 of its 32 bytes, as in the configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A text is not a public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a public key: put in the line that `sluice key new` prints")]
pub struct NotAPublicKey(String);

/// A signature does not belong to the key and the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not belong to this key and these bytes")]
pub struct BadSignature;

impl PublicKey {
    /// A key from its 32 bytes; `None` for bytes that are no point of the curve, or one of small order, for
    /// which signatures prove nothing.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        VerifyingKey::from_bytes(bytes).ok().filter(|key| !key.is_weak()).map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key's name in signatures.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId(sluice_model::Digest::of(self.as_bytes()).hex())
    }

    /// Checks a signature, by the strict rules, under which it has one spelling only.
    ///
    /// # Errors
    /// When it is not this key's signature of these bytes.
    pub fn verify(&self, bytes: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
        self.0.verify_strict(bytes, &Signature::from_bytes(signature)).map_err(|_| BadSignature)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", STANDARD.encode(self.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl std::hash::Hash for PublicKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl FromStr for PublicKey {
    type Err = NotAPublicKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("ed25519:")
            .and_then(|encoded| STANDARD.decode(encoded.get(..44)?).ok().filter(|_| encoded.len() == 44))
            .and_then(|bytes| Self::from_bytes(&bytes.try_into().ok()?))
            .ok_or_else(|| NotAPublicKey(text.chars().take(80).collect()))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A key's name in signatures: the 64 hex digits of the SHA-256 of its 32 bytes. A hint for finding the key,
/// never a proof.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(crate) String);

impl KeyId {
    /// The hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret key with its public half. Wiped when dropped; shows only the public half.
pub struct KeyPair(SigningKey);

impl KeyPair {
    /// The key that grows from a seed, 32 random bytes that the caller draws.
    #[must_use]
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs some bytes.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }

    pub(crate) fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key pair of {}", self.public())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn pair(number: u8) -> KeyPair {
        KeyPair::from_seed(&Zeroizing::new([number; 32]))
    }

    /// RFC 8032 §7.1, test 2.
    #[test]
    fn signs_as_the_specification() {
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            seed.as_mut_slice(),
        )
        .unwrap();
        let pair = KeyPair::from_seed(&seed);
        assert_eq!(
            hex::encode(pair.public().as_bytes()),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        );
        let signature = pair.sign(&[0x72]);
        assert_eq!(
            hex::encode(signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        assert_eq!(pair.public().verify(&[0x72], &signature), Ok(()));
        assert_eq!(pair.public().verify(&[0x73], &signature), Err(BadSignature));
    }

    #[test]
    fn a_public_key_reads_as_it_is_written() {
        let key = pair(1).public();
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(key.id().as_str().len(), 64);
        let weak = format!("ed25519:{}", STANDARD.encode([0; 32]));
        for bad in ["", "ed25519:", "ed25519:AAAA", &key.to_string()[8..], &format!("{key}A"), &weak] {
            assert!(bad.parse::<PublicKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_pair_shows_no_secret() {
        let pair = pair(3);
        let shown = format!("{pair:?}");
        assert!(shown.contains(&pair.public().to_string()));
        assert!(!shown.contains(&STANDARD.encode([3; 32])) && !shown.contains("030303"));
    }
}
