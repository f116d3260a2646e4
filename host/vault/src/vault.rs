//! Sealing, opening and rotating.

use std::fmt;

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
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
