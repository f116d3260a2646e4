//! What a name says about the value that stands under it, judged by its letters and digits.

/// What a name promises about the value that stands under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Something a person chose; it may be short and plain.
    Password,
    /// Something a machine made; it is long and random.
    Token,
    /// Nothing, but it is that of a header or parameter, which is where keys are handed over.
    Nothing,
}

/// A name's letters and digits in lower case; nothing where it is no name.
///
/// Asked of every member, so without an allocation.
struct Plain {
    bytes: [u8; Self::MOST],
    length: usize,
}

impl Plain {
    const MOST: usize = 60;

    fn of(name: &str) -> Option<Self> {
        let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b' ' | b'$');
        if name.len() > Self::MOST || !name.bytes().all(is_name) {
            return None;
        }
        let mut plain = Self { bytes: [0; Self::MOST], length: 0 };
        for (to, byte) in plain.bytes.iter_mut().zip(name.bytes().filter(u8::is_ascii_alphanumeric)) {
            *to = byte.to_ascii_lowercase();
            plain.length += 1;
        }
        Some(plain)
    }

    fn is_any(&self, words: &[&[u8]]) -> bool {
        self.bytes.get(..self.length).is_some_and(|plain| words.contains(&plain))
    }

    fn ends_with_any(&self, ends: &[&[u8]]) -> bool {
        self.bytes.get(..self.length).is_some_and(|plain| ends.iter().any(|end| plain.ends_with(end)))
    }
}

/// What a member of this name holds.
pub(crate) fn of_member(name: &str) -> Option<Promise> {
    const PASSWORDS: &[&[u8]] = &[b"password", b"passwd", b"passphrase", b"passcode", b"secret"];
    const TOKENS: &[&[u8]] = &[
        b"token",
        b"apikey",
        b"secretkey",
        b"privatekey",
        b"authkey",
        b"accountkey",
        b"sharedaccesskey",
        b"secretaccesskey",
        b"subscriptionkey",
        b"authorization",
        b"clientkey",
        b"encryptionkey",
        b"functionskey",
        b"masterkey",
        b"servicekey",
        b"sharedkey",
        b"signingkey",
    ];
    const EXACT: &[&[u8]] =
        &[b"auth", b"bearer", b"cookie", b"jwt", b"xauth", b"xapitoken", b"credential", b"credentials"];
    let plain = Plain::of(name)?;
    if plain.is_any(&[b"pwd"]) || plain.ends_with_any(PASSWORDS) {
        Some(Promise::Password)
    } else if plain.is_any(EXACT) || plain.ends_with_any(TOKENS) {
        Some(Promise::Token)
    } else {
        None
    }
}

/// What a header, cookie or parameter of this name holds: some names are a secret's only there.
pub(crate) fn of_parameter(name: &str) -> Promise {
    const SIGNATURES: &[&[u8]] = &[b"signature", b"hmac", b"sessionid", b"sessid"];
    const EXACT: &[&[u8]] = &[b"sas", b"sig", b"connectsid"];
    let only_there = || {
        let plain = Plain::of(name)?;
        match plain.is_any(&[b"pass"]) {
            true => Some(Promise::Password),
            false => (plain.is_any(EXACT) || plain.ends_with_any(SIGNATURES)).then_some(Promise::Token),
        }
    };
    of_member(name).or_else(only_there).unwrap_or(Promise::Nothing)
}
