//! Signed checkpoints of the log, in the formats of C2SP: tlog-checkpoint inside a signed-note.
//!
//! The text is three lines — origin, size in decimal, root in standard base64 — and lines of extension, of which
//! the first is ours: `number N`, the checkpoint's place among those of its log, so that one that was taken away
//! is missed. Then an empty line, then signatures, each `— NAME BASE64`. The base64 is of four bytes, the beginning of
//! `SHA-256(NAME || "\n" || 0x01 || public key)`, and the 64 bytes of an Ed25519 signature over the text up to
//! the empty line. The log signs under its origin.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sluice_model::Digest;

use crate::key::{KeyPair, PublicKey};

/// Bytes of a signed checkpoint that are read at most. One with sixteen witnesses has about 3 KiB.
pub const MOST_BYTES: usize = 64 << 10;

/// Signature lines that are read at most; signed-note asks readers to take sixteen or more.
const MOST_SIGNATURES: usize = 100;

/// What the line of extension with the checkpoint's number begins with.
const NUMBER: &str = "number ";

/// signed-note: the number of the signature type Ed25519.
const ED25519: u8 = 1;

/// A log's public key with its name; written as signed-note's verifier key, `NAME+HASH+BASE64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    name: String,
    key: PublicKey,
}

/// A text is not a log's key, or a name cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLogKey {
    /// The name is empty or has a space, a plus or a control character.
    #[error("`{0}` cannot name a log: use 1 to 200 bytes without spaces, `+` and control characters")]
    Name(String),
    /// Not `NAME+HASH+BASE64`, or its parts do not fit each other.
    #[error("`{0}` is not a log's key: expected `NAME+HASH+BASE64` whose hash fits the rest")]
    Text(String),
}

impl LogKey {
    /// A log's name, its origin, with its public key.
    ///
    /// # Errors
    /// When the name has a character that signed-note refuses.
    pub fn new(name: &str, key: PublicKey) -> Result<Self, BadLogKey> {
        let ok = (1..=200).contains(&name.len())
            && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+');
        if ok {
            Ok(Self { name: name.to_owned(), key })
        } else {
            Err(BadLogKey::Name(name.chars().take(80).collect()))
        }
    }

    /// The log's name, which is the origin in its checkpoints.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    fn typed_key(&self) -> [u8; 33] {
        let mut bytes = [ED25519; 33];
        bytes.split_at_mut(1).1.copy_from_slice(self.key.as_bytes());
        bytes
    }

    fn hash(&self) -> [u8; 4] {
        let digest = Digest::of(&[self.name.as_bytes(), b"\n", &self.typed_key()].concat());
        digest.as_bytes().first_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, hex::encode(self.hash()), STANDARD.encode(self.typed_key()))
    }
}

impl FromStr for LogKey {
    type Err = BadLogKey;

    fn from_str(text: &str) -> Result<Self, BadLogKey> {
        let bad = || BadLogKey::Text(text.chars().take(80).collect());
        let (name, rest) = text.split_once('+').ok_or_else(bad)?;
        let (_, encoded) = rest.split_once('+').ok_or_else(bad)?;
        let bytes = STANDARD.decode(encoded.get(..44).unwrap_or_default()).map_err(|_| bad())?;
        let key = match bytes.split_first() {
            Some((&ED25519, key)) => key.try_into().ok().and_then(PublicKey::from_bytes).ok_or_else(bad)?,
            _ => return Err(bad()),
        };
        let read = Self::new(name, key)?;
        // The hash and any trailing text are judged by writing it again.
        if read.to_string() == text { Ok(read) } else { Err(bad()) }
    }
}

/// The log's size and root at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root of their tree.
    pub root: Digest,
    /// Its place among the log's checkpoints, from 1.
    pub number: u64,
}

/// Why a text is not a checkpoint of this log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Over [`MOST_BYTES`].
    #[error("a checkpoint of {0} bytes is over the limit of {MOST_BYTES} bytes")]
    TooLarge(usize),
    /// Not in the format.
    #[error("not a signed checkpoint: {0}")]
    Malformed(&'static str),
    /// A checkpoint of another log.
    #[error("the checkpoint is of the log `{found}`, not of `{expected}`")]
    OtherLog {
        /// The origin in it.
        found: String,
        /// The log that was asked about.
        expected: String,
    },
    /// The log did not sign it, or did so with another key.
    #[error("the checkpoint has no signature by the key of `{0}`")]
    UnknownSigner(String),
    /// The signature is not of these bytes.
    #[error("the signature of `{0}` does not belong to this checkpoint: it was changed or forged")]
    BadSignature(String),
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let root = STANDARD.encode(self.root.as_bytes());
        format!("{}\n{}\n{root}\n{NUMBER}{}\n", self.origin, self.size, self.number)
    }

    /// The signed checkpoint of a log.
    ///
    /// # Errors
    /// When the origin cannot name a log.
    pub fn sign(&self, key: &KeyPair) -> Result<String, BadLogKey> {
        let signer = LogKey::new(&self.origin, key.public())?;
        let text = self.text();
        let signature = [signer.hash().as_slice(), &key.sign(text.as_bytes())].concat();
        Ok(format!("{text}\n\u{2014} {} {}\n", self.origin, STANDARD.encode(signature)))
    }
}

/// Reads a signed checkpoint and checks that the log signed it. Signatures of others are passed over.
///
/// # Errors
/// [`CheckpointError`] says what is wrong with it.
pub fn open(bytes: &[u8], log: &LogKey) -> Result<Checkpoint, CheckpointError> {
    let text = open_note(bytes, log)?;
    let checkpoint = parse_text(text)?;
    if checkpoint.origin == log.name {
        Ok(checkpoint)
    } else {
        Err(CheckpointError::OtherLog { found: checkpoint.origin, expected: log.name.clone() })
    }
}

/// Reads a signed note and checks the signature of one signer; gives the text.
fn open_note<'a>(bytes: &'a [u8], signer: &LogKey) -> Result<&'a str, CheckpointError> {
    if bytes.len() > MOST_BYTES {
        return Err(CheckpointError::TooLarge(bytes.len()));
    }
    let note = std::str::from_utf8(bytes).map_err(|_| CheckpointError::Malformed("it is not UTF-8"))?;
    if note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(CheckpointError::Malformed("it has control characters"));
    }
    let at = note.rfind("\n\n").ok_or(CheckpointError::Malformed("no empty line before the signatures"))?;
    // The text keeps its last line end; the empty line belongs to neither.
    let (text, rest) = note.split_at(at.saturating_add(1));
    let lines = rest.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
    let lines = lines.ok_or(CheckpointError::Malformed("no signature line with a line end"))?;
    let mut signed = Err(CheckpointError::UnknownSigner(signer.name.clone()));
    for (number, line) in lines.split('\n').enumerate() {
        if number >= MOST_SIGNATURES {
            return Err(CheckpointError::Malformed("it has over 100 signatures"));
        }
        let (name, signature) = signature_line(line)?;
        let (hash, signature) = signature
            .split_first_chunk::<4>()
            .ok_or(CheckpointError::Malformed("a signature is too short"))?;
        if name != signer.name || *hash != signer.hash() {
            continue;
        }
        let good = signature.try_into().is_ok_and(|s| signer.key.verify(text.as_bytes(), s).is_ok());
        if !good {
            return Err(CheckpointError::BadSignature(signer.name.clone()));
        }
        signed = Ok(text);
    }
    signed
}

fn signature_line(line: &str) -> Result<(&str, Vec<u8>), CheckpointError> {
    line.strip_prefix("\u{2014} ")
        .and_then(|rest| rest.split_once(' '))
        .and_then(|(name, encoded)| Some((name, STANDARD.decode(encoded).ok()?)))
        .ok_or(CheckpointError::Malformed("a signature line is not `\u{2014} NAME BASE64`"))
}

fn parse_text(text: &str) -> Result<Checkpoint, CheckpointError> {
    let wrong = CheckpointError::Malformed;
    let mut lines = text.lines();
    let origin = lines.next().filter(|line| !line.is_empty()).ok_or(wrong("it has no origin"))?;
    let size = decimal(lines.next().ok_or(wrong("it has no size"))?)
        .ok_or(wrong("its size is not in plain decimal digits"))?;
    let root = lines
        .next()
        .and_then(|line| STANDARD.decode(line).ok())
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .ok_or(wrong("its root is not base64 of 32 bytes"))?;
    let number = lines
        .next()
        .and_then(|line| decimal(line.strip_prefix(NUMBER)?))
        .ok_or(wrong("its number is not in plain decimal digits after `number `"))?;
    if lines.any(str::is_empty) {
        return Err(wrong("it has an empty line of extension"));
    }
    Ok(Checkpoint { origin: origin.to_owned(), size, root: Digest::from_bytes(root), number })
}

/// A number in its one spelling.
fn decimal(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|number: &u64| number.to_string() == digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::tests::pair;

    const ORIGIN: &str = "sluice.example/acme";

    fn sample() -> (Checkpoint, LogKey, String) {
        let checkpoint =
            Checkpoint { origin: ORIGIN.to_owned(), size: 42, root: Digest::of(b"root"), number: 7 };
        let signed = checkpoint.sign(&pair(1)).unwrap();
        (checkpoint, LogKey::new(ORIGIN, pair(1).public()).unwrap(), signed)
    }

    /// The example of Go's golang.org/x/mod/sumdb/note, the first implementation of signed notes.
    #[test]
    fn opens_the_known_note() {
        let key: LogKey =
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let text = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
        let note = format!(
            "{text}\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
        );
        assert_eq!(open_note(note.as_bytes(), &key), Ok(text));
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn a_checkpoint_opens_as_it_was_signed() {
        let (checkpoint, key, signed) = sample();
        assert!(signed.starts_with("sluice.example/acme\n42\n"), "{signed}");
        assert_eq!(open(signed.as_bytes(), &key), Ok(checkpoint.clone()));
        let witness = format!("{signed}\u{2014} witness.example {}\n", STANDARD.encode([7; 76]));
        assert_eq!(open(witness.as_bytes(), &key), Ok(checkpoint));
    }

    #[test]
    fn what_is_not_a_checkpoint_of_this_log_is_refused() {
        let (checkpoint, key, signed) = sample();
        let other = LogKey::new(ORIGIN, pair(2).public()).unwrap();
        let renamed = LogKey::new("sluice.example/other", pair(1).public()).unwrap();
        for key in [other, renamed] {
            let error = open(signed.as_bytes(), &key).unwrap_err();
            assert!(matches!(error, CheckpointError::UnknownSigner(_)), "{error}");
        }
        let resign = |text: String| {
            let signature = [key.hash().as_slice(), &pair(1).sign(text.as_bytes())].concat();
            format!("{text}\n\u{2014} {ORIGIN} {}\n", STANDARD.encode(signature))
        };
        let text = checkpoint.text();
        let good = open(resign(format!("{text}an extension\n")).as_bytes(), &key);
        assert_eq!(good, Ok(checkpoint));
        for (bad, expected) in [
            (signed.replace("42", "43"), "changed or forged"),
            (resign(text.replace(ORIGIN, "elsewhere")), "is of the log `elsewhere`"),
            (resign(text.replace("42", "042")), "plain decimal"),
            (resign(text.replace("42", "-1")), "plain decimal"),
            (resign(text.replace("42", "18446744073709551616")), "plain decimal"),
            (resign(text.replace("number 7\n", "")), "its number is not"),
            (resign(text.replace("number 7", "number 07")), "its number is not"),
            (resign(text.replace("number 7", "7")), "its number is not"),
            (resign(format!("{ORIGIN}\n42\n{}\n", STANDARD.encode([1; 31]))), "its root"),
            (resign(format!("{ORIGIN}\n")), "no size"),
            (resign(format!("{text}\n\nmore\n")), "an empty line of extension"),
            (text.clone(), "no empty line"),
            (format!("{text}\n"), "no signature line"),
            (format!("{text}\n- {ORIGIN} AAAA\n"), "a signature line is not"),
            (format!("{text}\n\u{2014} {ORIGIN} AAA=\n"), "too short"),
            (signed.replace('\n', "\r\n"), "control characters"),
            ("x".repeat(MOST_BYTES + 1), "over the limit"),
        ] {
            let error = open(bad.as_bytes(), &key).unwrap_err().to_string();
            assert!(error.contains(expected), "{bad:.200}: {error}");
        }
        assert!(open(b"\xff\n\n", &key).is_err());
    }

    #[test]
    fn a_log_key_reads_as_it_is_written() {
        let (_, key, _) = sample();
        let text = key.to_string();
        assert_eq!(text.parse(), Ok(key));
        for bad in ["", "a+b", "a+00000000+AAAA", &text[1..], &format!("{text}A"), &text.replace('+', " ")] {
            assert!(bad.parse::<LogKey>().is_err(), "{bad}");
        }
        assert!(LogKey::new("a b", pair(1).public()).is_err());
    }

    proptest! {
        #[test]
        fn any_bit_flipped_in_a_signed_checkpoint_is_noticed(at in any::<prop::sample::Index>()) {
            let (_, key, signed) = sample();
            let mut bytes = signed.into_bytes();
            let at = at.index(bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
            prop_assert!(open(&bytes, &key).is_err());
        }

        #[test]
        fn any_text_is_opened_or_refused_without_a_panic(text in "[\u{2014} a-c0-9=\n]{0,60}") {
            let (_, key, _) = sample();
            prop_assert!(open(text.as_bytes(), &key).is_err());
        }
    }
}
