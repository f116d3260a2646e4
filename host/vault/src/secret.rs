//! A value that nobody sees by accident.

use std::fmt;

use zeroize::Zeroizing;

/// Bytes of a secret at most: certificates and service accounts fit.
const MOST: usize = 256 << 10;

/// A secret's value, wiped when dropped. It has no `Display`, no `Serialize` and no equality, and shows nothing
/// in `Debug`, not even its length.
pub struct Secret(Zeroizing<Vec<u8>>);

/// A value is longer than a secret can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret has at most {MOST} bytes")]
pub struct SecretTooLong;

impl Secret {
    /// Takes a value over.
    ///
    /// # Errors
    /// When it has more than 256 KiB; it is wiped then, too.
    pub fn new(value: impl Into<Vec<u8>>) -> Result<Self, SecretTooLong> {
        let value = Zeroizing::new(value.into());
        if value.len() > MOST { Err(SecretTooLong) } else { Ok(Self(value)) }
    }

    pub(crate) const fn of(value: Zeroizing<Vec<u8>>) -> Self {
        Self(value)
    }

    /// The value, for an edge of the vault: a delivery or a probe.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The value as text, where it is text.
    #[must_use]
    pub fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing_and_is_bounded() {
        let secret = Secret::new("hunter2").unwrap();
        assert_eq!(format!("{secret:?} {secret:#?}"), "a secret a secret");
        assert_eq!(secret.expose(), b"hunter2");
        assert_eq!(secret.expose_text(), Some("hunter2"));
        assert_eq!(Secret::new([0xff]).unwrap().expose_text(), None);
        assert!(Secret::new(vec![0; MOST]).is_ok());
        assert!(matches!(Secret::new(vec![0; MOST + 1]), Err(SecretTooLong)));
    }
}
