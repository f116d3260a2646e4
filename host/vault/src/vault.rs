//! Sealing, opening and rotating.

use std::fmt;

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use sluice_model::{Digest, EnvironmentName, SecretRef};
use zeroize::{Zeroize as _, Zeroizing};

use crate::root::{DerivedKey, KeyName, Purpose, RootKey};
use crate::sealed::{BLOCK, FORMAT, Metadata, NONCE, NotSealed, Sealed, TAG, WRAPPED};
use crate::secret::Secret;

/// What a sealed secret is bound to: opened for anything else, it stays closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context<'a> {
    /// Where the value lies.
    pub reference: &'a SecretRef,
    /// The environment that asks for it; it must be the one that owns it.
    pub environment: &'a EnvironmentName,
    /// The value's number, from 1, so that an older value cannot be put in place of a newer one.
    pub version: u64,
}

impl Context<'_> {
    fn bytes(&self) -> Vec<u8> {
        // Neither part can hold a zero byte.
        format!("sluice/v1/secret\0{}\0{}\0{}", self.reference, self.environment, self.version).into_bytes()
    }

    fn digest(&self) -> [u8; 32] {
        *Digest::of(&self.bytes()).as_bytes()
    }

    fn refuse_other_environment(&self) -> Result<(), VaultError> {
        if self.reference.environment() == self.environment {
            return Ok(());
        }
        Err(VaultError::OtherEnvironment {
            reference: self.reference.clone(),
            environment: self.environment.clone(),
        })
    }
}

/// The randomness of one sealing: a key and two nonces, used once and wiped.
pub struct Fresh(Zeroizing<[u8; 32 + NONCE + NONCE]>);

impl Fresh {
    /// Draws it: `fill` fills all it is given with unpredictable bytes.
    pub fn draw(fill: impl FnOnce(&mut [u8])) -> Self {
        let mut bytes = Zeroizing::new([0; 80]);
        fill(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Draws it from a source that can fail.
    ///
    /// # Errors
    /// What the source says.
    pub fn try_draw<E>(fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut bytes = Zeroizing::new([0; 80]);
        fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    fn parts(&self) -> (Zeroizing<[u8; 32]>, [u8; NONCE], [u8; NONCE]) {
        let mut key = Zeroizing::new([0; 32]);
        let (mut wrap_nonce, mut nonce) = ([0; NONCE], [0; NONCE]);
        let (first, rest) = self.0.split_at(32);
        let (second, third) = rest.split_at(NONCE);
        key.copy_from_slice(first);
        wrap_nonce.copy_from_slice(second);
        nonce.copy_from_slice(third);
        (key, wrap_nonce, nonce)
    }
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fresh randomness")
    }
}

/// Why a secret stays closed. Nothing of a value is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// An environment asks for another's secret.
    #[error("`{reference}` belongs to another environment than `{environment}`, which asks for it")]
    OtherEnvironment {
        /// The secret.
        reference: SecretRef,
        /// Who asks.
        environment: EnvironmentName,
    },
    /// It was sealed under another root key.
    #[error(
        "the secret was sealed under root key {sealed}, and this is root key {given}: name the right key, or set the secret again"
    )]
    WrongKey {
        /// The key that opens it.
        sealed: KeyName,
        /// The key at hand.
        given: KeyName,
    },
    /// It was sealed for another reference, environment or version.
    #[error(
        "what is stored for `{reference}` version {version} was sealed for another secret or version: restore the store, or set the secret again"
    )]
    OtherContext {
        /// The secret.
        reference: SecretRef,
        /// The version.
        version: u64,
    },
    /// The bytes were changed, or the key is that of another workspace.
    #[error(
        "what is stored for `{reference}` version {version} is damaged: restore the store, or set the secret again"
    )]
    Damaged {
        /// The secret.
        reference: SecretRef,
        /// The version.
        version: u64,
    },
    /// The bytes are not a sealed secret.
    #[error(transparent)]
    NotSealed(#[from] NotSealed),
}

/// Tells whether two values are the same without telling anything of either. It is not shown and
/// not stored: whoever had it and the key could try values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fingerprint")
    }
}

/// Seals and opens the secrets of one workspace.
#[derive(Debug)]
pub struct Vault {
    name: KeyName,
    key: DerivedKey,
}

impl Vault {
    /// The vault of `workspace` under a root key.
    #[must_use]
    pub fn new(root: &RootKey, workspace: &str) -> Self {
        Self { name: root.name(), key: root.derive(workspace, Purpose::Secrets) }
    }

    /// The name of the root key.
    #[must_use]
    pub const fn root(&self) -> KeyName {
        self.name
    }

    /// Seals a value for one place.
    ///
    /// # Errors
    /// [`VaultError::OtherEnvironment`] when the environment does not own the reference.
    pub fn seal(
        &self,
        context: &Context<'_>,
        metadata: &Metadata,
        secret: &Secret,
        fresh: Fresh,
    ) -> Result<Sealed, VaultError> {
        context.refuse_other_environment()?;
        let (key, wrap_nonce, nonce) = fresh.parts();
        let bound = bound(context, metadata);
        let mut value = pad(secret.expose());
        encrypt(&key, &nonce, &bound, &mut value).ok_or_else(|| damaged(context))?;
        let wrapped = self.wrap(&key, &wrap_nonce, &bound).ok_or_else(|| damaged(context))?;
        Ok(Sealed {
            root: self.name,
            context: context.digest(),
            metadata: metadata.clone(),
            wrap_nonce,
            wrapped,
            nonce,
            value: std::mem::take(&mut *value),
        })
    }

    /// Opens a sealed secret for the place that it was sealed for.
    ///
    /// # Errors
    /// [`VaultError`] says why it stays closed.
    pub fn open(&self, context: &Context<'_>, sealed: &Sealed) -> Result<Secret, VaultError> {
        let key = self.unwrap_key(context, sealed)?;
        let bound = bound(context, &sealed.metadata);
        let mut value = Zeroizing::new(sealed.value.clone());
        decrypt(&key, &sealed.nonce, &bound, &mut value).ok_or_else(|| damaged(context))?;
        unpad(value).ok_or_else(|| damaged(context))
    }

    /// The fingerprint of a sealed value: the same for the same value, wherever it is sealed, and of no
    /// use to whoever does not have this vault's key (HKDF-SHA256 of the value, salted with the key).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn fingerprint(&self, context: &Context<'_>, sealed: &Sealed) -> Result<Fingerprint, VaultError> {
        let secret = self.open(context, sealed)?;
        let mut mark = [0; 32];
        let keyed = Hkdf::<Sha256>::new(Some(self.key.expose()), secret.expose());
        keyed.expand(b"sluice/v1/fingerprint", &mut mark).map_err(|_| damaged(context))?;
        Ok(Fingerprint(mark))
    }

    /// Takes a secret that `old` sealed over to this vault's root key. The value is checked and not sealed anew,
    /// so it keeps its age.
    ///
    /// # Errors
    /// As [`open`](Self::open) with `old`.
    pub fn rewrap(
        &self,
        old: &Self,
        context: &Context<'_>,
        sealed: &Sealed,
        fresh: Fresh,
    ) -> Result<Sealed, VaultError> {
        old.open(context, sealed)?;
        let key = old.unwrap_key(context, sealed)?;
        let (_, wrap_nonce, _) = fresh.parts();
        let bound = bound(context, &sealed.metadata);
        let wrapped = self.wrap(&key, &wrap_nonce, &bound).ok_or_else(|| damaged(context))?;
        Ok(Sealed { root: self.name, wrap_nonce, wrapped, ..sealed.clone() })
    }

    fn wrap(&self, key: &[u8; 32], nonce: &[u8; NONCE], bound: &[u8]) -> Option<[u8; WRAPPED]> {
        let mut wrapped = Zeroizing::new(key.to_vec());
        encrypt(self.key.expose(), nonce, &[bound, &self.name.0].concat(), &mut wrapped)?;
        wrapped.as_slice().try_into().ok()
    }

    fn unwrap_key(&self, context: &Context<'_>, sealed: &Sealed) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        context.refuse_other_environment()?;
        if sealed.root != self.name {
            return Err(VaultError::WrongKey { sealed: sealed.root, given: self.name });
        }
        if sealed.context != context.digest() {
            let reference = context.reference.clone();
            return Err(VaultError::OtherContext { reference, version: context.version });
        }
        let mut wrapped = Zeroizing::new(sealed.wrapped.to_vec());
        let bound = [bound(context, &sealed.metadata).as_slice(), &self.name.0].concat();
        decrypt(self.key.expose(), &sealed.wrap_nonce, &bound, &mut wrapped)
            .ok_or_else(|| damaged(context))?;
        let mut key = Zeroizing::new([0; 32]);
        match wrapped.len() {
            32 => key.copy_from_slice(&wrapped),
            _ => return Err(damaged(context)),
        }
        Ok(key)
    }
}

fn damaged(context: &Context<'_>) -> VaultError {
    VaultError::Damaged { reference: context.reference.clone(), version: context.version }
}

/// What is authenticated with a ciphertext: the format, the context and what is said in the clear.
fn bound(context: &Context<'_>, metadata: &Metadata) -> Vec<u8> {
    [[FORMAT].as_slice(), &metadata.bytes(), &context.bytes()].concat()
}

fn encrypt(key: &[u8; 32], nonce: &[u8; NONCE], bound: &[u8], buffer: &mut Vec<u8>) -> Option<()> {
    // Room for the tag, so that the plain text is not moved and left behind.
    let mut roomy = Zeroizing::new(Vec::with_capacity(buffer.len().checked_add(TAG)?));
    roomy.extend_from_slice(buffer);
    buffer.zeroize();
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.encrypt_in_place(&XNonce::from(*nonce), bound, &mut *roomy).ok()?;
    std::mem::swap(buffer, &mut *roomy);
    Some(())
}

fn decrypt(key: &[u8; 32], nonce: &[u8; NONCE], bound: &[u8], buffer: &mut Vec<u8>) -> Option<()> {
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.decrypt_in_place(&XNonce::from(*nonce), bound, buffer).ok()
}

/// The value's length in four bytes, the value, and zeros up to a multiple of [`BLOCK`].
fn pad(value: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = value.len().saturating_add(4).next_multiple_of(BLOCK);
    let mut padded = Zeroizing::new(Vec::with_capacity(length));
    padded.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    padded.extend_from_slice(value);
    padded.resize(length, 0);
    padded
}

fn unpad(padded: Zeroizing<Vec<u8>>) -> Option<Secret> {
    let (length, rest) = padded.split_first_chunk::<4>()?;
    let value = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some(Secret::of(Zeroizing::new(value.to_vec())))
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::root::tests::root;
    use crate::sealed::METADATA;

    fn name(text: &str) -> EnvironmentName {
        text.parse().unwrap()
    }

    fn reference(text: &str) -> SecretRef {
        text.parse().unwrap()
    }

    fn metadata() -> Metadata {
        Metadata::new("orders database", Timestamp::from_second(1_700_000_000).unwrap()).unwrap()
    }

    /// Not random at all, but different for each number.
    fn fresh(number: u8) -> Fresh {
        Fresh::draw(|bytes| bytes.iter_mut().enumerate().for_each(|(at, b)| *b = number ^ (at as u8)))
    }

    fn seal(vault: &Vault, value: &[u8], number: u8) -> Sealed {
        let (reference, environment) = (reference("secret://staging/db/password"), name("staging"));
        let context = Context { reference: &reference, environment: &environment, version: 1 };
        vault.seal(&context, &metadata(), &Secret::new(value).unwrap(), fresh(number)).unwrap()
    }

    fn open(vault: &Vault, sealed: &Sealed) -> Result<Vec<u8>, VaultError> {
        let (reference, environment) = (reference("secret://staging/db/password"), name("staging"));
        let context = Context { reference: &reference, environment: &environment, version: 1 };
        vault.open(&context, sealed).map(|secret| secret.expose().to_vec())
    }

    #[test]
    fn the_same_value_has_the_same_fingerprint_wherever_it_is_sealed() {
        let vault = Vault::new(&root(1), "acme");
        let mark = |vault: &Vault, place: &str, value: &[u8], number: u8| {
            let (reference, environment) = (reference(&format!("secret://{place}/db")), name(place));
            let context = Context { reference: &reference, environment: &environment, version: 1 };
            let secret = Secret::new(value).unwrap();
            let sealed = vault.seal(&context, &metadata(), &secret, fresh(number)).unwrap();
            vault.fingerprint(&context, &sealed).unwrap()
        };
        let first = mark(&vault, "staging", b"hunter2", 1);
        assert_eq!(mark(&vault, "production", b"hunter2", 2), first);
        assert_ne!(mark(&vault, "production", b"hunter3", 2), first);
        assert_ne!(mark(&vault, "production", b"", 2), first);
        for other in [Vault::new(&root(2), "acme"), Vault::new(&root(1), "other")] {
            assert_ne!(mark(&other, "staging", b"hunter2", 1), first);
        }
        assert_eq!(format!("{first:?}"), "a fingerprint");
    }

    #[test]
    fn a_secret_opens_where_it_belongs_and_nowhere_else() {
        let vault = Vault::new(&root(1), "acme");
        let sealed = seal(&vault, b"hunter2", 1);
        assert_eq!(open(&vault, &sealed).unwrap(), b"hunter2");
        for (vault, secret, environment, version, expected) in [
            (Vault::new(&root(2), "acme"), "secret://staging/db/password", "staging", 1, "under root key"),
            (Vault::new(&root(1), "other"), "secret://staging/db/password", "staging", 1, "is damaged"),
            (Vault::new(&root(1), "acme"), "secret://staging/db/user", "staging", 1, "for another secret"),
            (
                Vault::new(&root(1), "acme"),
                "secret://staging/db/password",
                "staging",
                2,
                "for another secret",
            ),
            (
                Vault::new(&root(1), "acme"),
                "secret://staging/db/password",
                "production",
                1,
                "another environment",
            ),
            (
                Vault::new(&root(1), "acme"),
                "secret://production/db/password",
                "production",
                1,
                "for another secret",
            ),
        ] {
            let (reference, environment) = (reference(secret), name(environment));
            let context = Context { reference: &reference, environment: &environment, version };
            let error = vault.open(&context, &sealed).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        // What is said in the clear about where it belongs is not what decides.
        let (reference, environment) = (reference("secret://staging/db/user"), name("staging"));
        let context = Context { reference: &reference, environment: &environment, version: 1 };
        let moved = Sealed { context: context.digest(), ..sealed };
        assert!(matches!(vault.open(&context, &moved), Err(VaultError::Damaged { .. })));
    }

    #[test]
    fn nothing_is_sealed_for_an_environment_that_does_not_own_it() {
        let (reference, environment) = (reference("secret://staging/db/password"), name("production"));
        let context = Context { reference: &reference, environment: &environment, version: 1 };
        let secret = Secret::new("x").unwrap();
        let refused = Vault::new(&root(1), "acme").seal(&context, &metadata(), &secret, fresh(1));
        assert!(matches!(refused, Err(VaultError::OtherEnvironment { .. })), "{refused:?}");
    }

    #[test]
    fn a_sealed_secret_shows_its_metadata_and_nothing_of_the_value() {
        let vault = Vault::new(&root(1), "acme");
        let sealed = seal(&vault, b"hunter2", 1);
        assert_eq!(sealed.metadata(), &metadata());
        assert_eq!(metadata().bytes().len(), METADATA);
        let later = |seconds: i64| Timestamp::from_second(1_700_000_000 + seconds).unwrap();
        assert_eq!(sealed.metadata().age(later(90)), Some(SignedDuration::from_secs(90)));
        assert_eq!(sealed.metadata().age(later(-1)), None);
        let bytes = sealed.to_bytes();
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(format!("{sealed:?}"), format!("sealed secret under root key {}", vault.root()));
        assert!(format!("{vault:?}").ends_with("key: a derived key }"));
        assert_eq!(format!("{:?}", fresh(1)), "fresh randomness");
        // Neither a short value nor the same value twice can be told by length or by bytes.
        assert_eq!(seal(&vault, b"", 1).to_bytes().len(), bytes.len());
        assert_eq!(seal(&vault, &[7; 60], 1).to_bytes().len(), bytes.len());
        assert_ne!(seal(&vault, &[7; 61], 1).to_bytes().len(), bytes.len());
        assert_ne!(seal(&vault, b"hunter2", 2).value, sealed.value);
    }

    #[test]
    fn metadata_keeps_its_rules() {
        let now = Timestamp::from_second(0).unwrap();
        for (label, ok) in
            [("", true), ("Größe", true), (&"x".repeat(63), true), (&"x".repeat(64), false), ("a\nb", false)]
        {
            assert_eq!(Metadata::new(label, now).is_ok(), ok, "{label}");
        }
        let exact: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        assert_eq!(Metadata::new("", exact).unwrap().created().to_string(), "2026-01-02T03:04:05Z");
    }

    #[test]
    fn rotation_moves_a_secret_to_another_root_key() {
        let (old, new) = (Vault::new(&root(1), "acme"), Vault::new(&root(2), "acme"));
        let sealed = seal(&old, b"hunter2", 1);
        let (reference, environment) = (reference("secret://staging/db/password"), name("staging"));
        let context = Context { reference: &reference, environment: &environment, version: 1 };
        let rotated = new.rewrap(&old, &context, &sealed, fresh(9)).unwrap();
        assert_eq!(rotated.root(), new.root());
        assert_eq!(open(&new, &rotated).unwrap(), b"hunter2");
        assert!(matches!(open(&old, &rotated), Err(VaultError::WrongKey { .. })));
        assert_eq!((rotated.metadata(), &rotated.value), (sealed.metadata(), &sealed.value));
        assert_ne!(rotated.wrapped, sealed.wrapped);
        // What does not open is not carried over.
        let mut damaged = sealed.clone();
        damaged.value[0] ^= 1;
        assert!(matches!(new.rewrap(&old, &context, &damaged, fresh(9)), Err(VaultError::Damaged { .. })));
        assert!(matches!(new.rewrap(&new, &context, &sealed, fresh(9)), Err(VaultError::WrongKey { .. })));
        let other = Context { version: 2, ..context };
        assert!(matches!(new.rewrap(&old, &other, &sealed, fresh(9)), Err(VaultError::OtherContext { .. })));
    }

    #[test]
    fn what_is_not_a_sealed_secret_is_refused() {
        let bytes = seal(&Vault::new(&root(1), "acme"), b"hunter2", 1).to_bytes();
        for length in 0..bytes.len() {
            assert_eq!(Sealed::from_bytes(&bytes[..length]), Err(NotSealed::Length), "{length}");
        }
        assert_eq!(Sealed::from_bytes(&[bytes.as_slice(), &[0]].concat()), Err(NotSealed::Length));
        assert_eq!(Sealed::from_bytes(&[&[2], &bytes[1..]].concat()), Err(NotSealed::Format(2)));
    }

    proptest! {
        #[test]
        fn any_value_comes_back(value in prop::collection::vec(any::<u8>(), 0..300), number in any::<u8>()) {
            let vault = Vault::new(&root(1), "acme");
            let sealed = Sealed::from_bytes(&seal(&vault, &value, number).to_bytes()).unwrap();
            prop_assert_eq!(open(&vault, &sealed), Ok(value));
        }

        #[test]
        fn any_bit_flipped_keeps_it_closed(
            value in prop::collection::vec(any::<u8>(), 0..100), at in any::<prop::sample::Index>(),
        ) {
            let vault = Vault::new(&root(1), "acme");
            let mut bytes = seal(&vault, &value, 3).to_bytes();
            let at = at.index(bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
            let opened = Sealed::from_bytes(&bytes).map_err(VaultError::from).and_then(|s| open(&vault, &s));
            prop_assert!(opened.is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = Sealed::from_bytes(&[&[FORMAT], bytes.as_slice()].concat());
        }
    }

    /// XChaCha20-Poly1305 of draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    #[test]
    fn encrypts_as_the_specification() {
        let mut key = [0; 32];
        key.iter_mut().zip(0x80..).for_each(|(byte, value)| *byte = value);
        let mut nonce = [0; NONCE];
        nonce.iter_mut().zip(0x40..).for_each(|(byte, value)| *byte = value);
        let bound = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let mut buffer = plain.to_vec();
        encrypt(&key, &nonce, &bound, &mut buffer).unwrap();
        let tag =
            [0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a, 0xcf, 0x49];
        assert_eq!(buffer[..4], [0xbd, 0x6d, 0x17, 0x9d]);
        assert_eq!(buffer[plain.len()..], tag);
        decrypt(&key, &nonce, &bound, &mut buffer).unwrap();
        assert_eq!(buffer, plain);
    }
}
