//! Takes secrets out of what comes back.
//!
//! A server may return what it was sent: in an error page, in the headers that it prints, in an echo. A secret is looked
//! for in the text as it is and in what comes out of it by undoing up to two encodings, one upon the other: percent-encoding
//! and forms, escapes with backslashes (JSON and most languages), references (HTML and XML), base64 in both alphabets and
//! at any alignment, also with line breaks, hex in either case and with separators, and zero bytes between letters
//! (UTF-16). Case does not matter. Every character that a secret has a part in is replaced.
//!
//! What a server makes of a secret beyond that (a hash, a cipher, letters in reverse, halves) passes: such a server could
//! as well send the secret elsewhere. That is why only granted hosts are given any.

use std::sync::{PoisonError, RwLock};

use memchr::memmem::Finder;
use zeroize::Zeroizing;

/// Stands where a secret was. No secret that is looked for has this character in it, so none comes about beside it.
pub(super) const MARK: char = '•';
const MARKED: &str = "•••";

/// Encodings, one upon the other, that are undone. 2: a secret is also looked for in the form in which it was sent, such
/// as base64 with its user, so that a server may add two of its own. The largest answer, made for it, takes 0.1 s.
const LAYERS: usize = 2;

/// Rounds after which a text in which secrets still come about is given up. Each round leaves fewer, and one is enough
/// unless somebody has constructed the text.
const ROUNDS: usize = 4;

/// Secrets, as they are and in the forms in which they were sent so far. Wiped when dropped.
#[derive(Default)]
pub(super) struct Scrubber(RwLock<Vec<Zeroizing<Vec<u8>>>>);

impl Scrubber {
    /// From now on this is taken out, too.
    pub(super) fn look_for(&self, secret: &[u8]) {
        let folded = Zeroizing::new(secret.to_ascii_lowercase());
        let mut wanted = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !folded.is_empty() && !wanted.contains(&folded) {
            wanted.push(folded);
        }
    }

    /// The text without any secret.
    pub(super) fn scrub(&self, text: Zeroizing<Vec<u8>>) -> Vec<u8> {
        let mut text = text;
        for _ in 0..ROUNDS {
            let found = self.find(&text);
            if found.is_empty() {
                // Nothing to wipe is left in it.
                return std::mem::take(&mut *text);
            }
            text = replace(&text, found);
        }
        MARKED.as_bytes().to_vec()
    }

    fn find(&self, text: &[u8]) -> Vec<Span> {
        let wanted = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let finders: Vec<Finder<'_>> = wanted.iter().map(|secret| Finder::new(secret.as_slice())).collect();
        let mut found = Vec::new();
        if !finders.is_empty() {
            search(&View::of(text), &finders, LAYERS, &mut found);
        }
        found
    }
}

/// Bytes of the original text, from the first to before the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    from: u32,
    to: u32,
}

impl Span {
    /// From where one begins to where the other ends.
    const fn to(self, last: Self) -> Self {
        Self { from: self.from, to: last.to }
    }
}

/// A text after decoding, and where in the original each of its bytes was.
#[derive(Default)]
struct View {
    bytes: Zeroizing<Vec<u8>>,
    spans: Vec<Span>,
}

impl View {
    fn of(text: &[u8]) -> Self {
        let span = |at: usize| {
            let from = u32::try_from(at).unwrap_or(u32::MAX);
            Span { from, to: from.saturating_add(1) }
        };
        Self { bytes: Zeroizing::new(text.to_vec()), spans: (0..text.len()).map(span).collect() }
    }

    /// Room for what comes out of another, which is never longer; memory that grows leaves a copy behind.
    fn from_within(other: &Self) -> Self {
        Self {
            bytes: Zeroizing::new(Vec::with_capacity(other.bytes.len())),
            spans: Vec::with_capacity(other.bytes.len()),
        }
    }

    fn push(&mut self, byte: u8, span: Span) {
        self.bytes.push(byte);
        self.spans.push(span);
    }

    /// The original's part that these bytes were made of.
    fn span(&self, from: usize, to: usize) -> Option<Span> {
        Some(self.spans.get(from)?.to(*self.spans.get(to.checked_sub(1)?)?))
    }

    fn chars(&self) -> impl Iterator<Item = (u8, Span)> {
        self.bytes.iter().copied().zip(self.spans.iter().copied())
    }
}

fn search(view: &View, finders: &[Finder<'_>], layers: usize, found: &mut Vec<Span>) {
    let shortest = finders.iter().map(|finder| finder.needle().len()).min().unwrap_or_default();
    if view.bytes.len() < shortest {
        return;
    }
    let folded = Zeroizing::new(view.bytes.to_ascii_lowercase());
    for finder in finders {
        let length = finder.needle().len();
        found.extend(finder.find_iter(&folded).filter_map(|at| view.span(at, at.saturating_add(length))));
    }
    drop(folded);
    let Some(layers) = layers.checked_sub(1) else { return };
    let escapes: [Escape; 5] = [percent, form, backslash, reference, zero];
    let unescaped = escapes.into_iter().filter_map(|escape| unescape(view, escape));
    let unarmoured = (0..4).map(|skip| base64(view, skip)).chain((0..2).map(|skip| hex(view, skip)));
    for inner in unescaped.chain(unarmoured) {
        search(&inner, finders, layers, found);
    }
}

/// The text with a mark in place of each span, of which those that touch are one.
fn replace(text: &[u8], mut found: Vec<Span>) -> Zeroizing<Vec<u8>> {
    found.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for span in found {
        match merged.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => merged.push(span),
        }
    }
    let at = |position: u32| usize::try_from(position).unwrap_or(usize::MAX).min(text.len());
    let room = text.len().saturating_add(merged.len().saturating_mul(MARKED.len()));
    let mut out = Zeroizing::new(Vec::with_capacity(room));
    let mut done = 0;
    for span in merged {
        out.extend_from_slice(text.get(done..at(span.from)).unwrap_or_default());
        out.extend_from_slice(MARKED.as_bytes());
        done = at(span.to);
    }
    out.extend_from_slice(text.get(done..).unwrap_or_default());
    out
}

/// What an escape at the beginning of a text stands for, and how many bytes it takes.
type Escape = fn(&[u8]) -> Option<(Meaning, usize)>;

enum Meaning {
    Byte(u8),
    Char(char),
    Nothing,
}

/// Undoes one sort of escape throughout; nothing when there is none.
fn unescape(view: &View, escape: Escape) -> Option<View> {
    let mut out = View::from_within(view);
    let mut at = 0;
    let mut is_changed = false;
    while let Some(byte) = view.bytes.get(at) {
        let rest = view.bytes.get(at..).unwrap_or_default();
        let (meaning, length) = match escape(rest) {
            Some(escaped) => {
                is_changed = true;
                escaped
            }
            None => (Meaning::Byte(*byte), 1),
        };
        let next = at.saturating_add(length.max(1));
        let span = view.span(at, next)?;
        match meaning {
            Meaning::Byte(byte) => out.push(byte, span),
            // An escape for a character is at least as long as its bytes.
            Meaning::Char(char) => {
                char.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| out.push(byte, span))
            }
            Meaning::Nothing => {}
        }
        at = next;
    }
    is_changed.then_some(out)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// A number in these digits; none for no digits or more than eight.
fn number(digits: &[u8], radix: u32) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits.iter().try_fold(0_u32, |sum, digit| {
        sum.checked_mul(radix)?.checked_add(char::from(*digit).to_digit(radix)?)
    })
}

/// `%41` (RFC 3986, section 2.1).
fn percent(text: &[u8]) -> Option<(Meaning, usize)> {
    let [b'%', high, low, ..] = text else { return None };
    Some((Meaning::Byte(hex_digit(*high)? << 4 | hex_digit(*low)?), 3))
}

/// As in forms, where a space is `+`.
fn form(text: &[u8]) -> Option<(Meaning, usize)> {
    if text.first() == Some(&b'+') { Some((Meaning::Byte(b' '), 1)) } else { percent(text) }
}

/// `\"`, `\n`, `\x41`, `\u0041`, `\u{41}`, and pairs of `\ud83d\ude00`.
fn backslash(text: &[u8]) -> Option<(Meaning, usize)> {
    let [b'\\', kind, rest @ ..] = text else { return None };
    let simple = |byte| Some((Meaning::Byte(byte), 2));
    match kind {
        b'n' => simple(b'\n'),
        b'r' => simple(b'\r'),
        b't' => simple(b'\t'),
        b'b' => simple(8),
        b'f' => simple(12),
        b'x' => {
            let byte = number(rest.get(..2)?, 16)?;
            Some((Meaning::Byte(u8::try_from(byte).ok()?), 4))
        }
        b'u' if rest.first() == Some(&b'{') => {
            let length = rest.iter().take(10).position(|byte| *byte == b'}')?;
            let char = char::from_u32(number(rest.get(1..length)?, 16)?)?;
            Some((Meaning::Char(char), length.checked_add(3)?))
        }
        b'u' => {
            let unit = number(rest.get(..4)?, 16)?;
            if let Some(char) = char::from_u32(unit) {
                return Some((Meaning::Char(char), 6));
            }
            let [b'\\', b'u', low @ ..] = rest.get(4..)? else { return None };
            let units = [u16::try_from(unit).ok()?, u16::try_from(number(low.get(..4)?, 16)?).ok()?];
            let char = char::decode_utf16(units).next()?.ok()?;
            Some((Meaning::Char(char), 12))
        }
        b'"' | b'\'' | b'\\' | b'/' => simple(*kind),
        _ => None,
    }
}

/// `&amp;`, `&#38;`, `&#x26;`. Of the names those that XML knows, which are what software writes.
fn reference(text: &[u8]) -> Option<(Meaning, usize)> {
    let [b'&', rest @ ..] = text else { return None };
    let length = rest.iter().take(10).position(|byte| *byte == b';')?;
    let char = match rest.get(..length)? {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(number(digits, 16)?)?,
        [b'#', digits @ ..] => char::from_u32(number(digits, 10)?)?,
        _ => return None,
    };
    Some((Meaning::Char(char), length.checked_add(2)?))
}

/// A zero byte, as between the letters of UTF-16.
fn zero(text: &[u8]) -> Option<(Meaning, usize)> {
    (text.first() == Some(&0)).then_some((Meaning::Nothing, 1))
}

/// Puts bytes together from characters that have some of their bits each.
struct Bits {
    out: View,
    /// Characters of a run that are still left out, so that bytes begin at another one.
    skip: usize,
    skipped: usize,
    bits: u32,
    count: u32,
    begun: Span,
}

impl Bits {
    fn new(view: &View, skip: usize) -> Self {
        let begun = Span { from: 0, to: 0 };
        Self { out: View::from_within(view), skip, skipped: 0, bits: 0, count: 0, begun }
    }

    /// A character with this many bits.
    fn push(&mut self, bits: u8, width: u32, span: Span) {
        if self.skipped < self.skip {
            self.skipped = self.skipped.saturating_add(1);
            return;
        }
        if self.count == 0 {
            self.begun = span;
        }
        self.bits = (self.bits << width | u32::from(bits)) & 0xffff;
        self.count = self.count.saturating_add(width);
        if let Some(left) = self.count.checked_sub(8) {
            let byte = u8::try_from(self.bits >> left & 0xff).unwrap_or_default();
            self.out.push(byte, self.begun.to(span));
            self.count = left;
            self.begun = span;
        }
    }

    /// A character that belongs to nothing: what comes after it begins anew.
    fn end(&mut self) {
        (self.skipped, self.bits, self.count) = (0, 0, 0);
    }
}

/// All base64 in a text, in both alphabets (RFC 4648), without line breaks, read from the `skip`-th character of each run.
fn base64(view: &View, skip: usize) -> View {
    let mut bits = Bits::new(view, skip);
    for (byte, span) in view.chars() {
        let value = match byte {
            b'A'..=b'Z' => byte.checked_sub(b'A'),
            b'a'..=b'z' => byte.checked_sub(b'a' - 26),
            b'0'..=b'9' => byte.checked_add(52 - b'0'),
            b'+' | b'-' => Some(62),
            b'/' | b'_' => Some(63),
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            _ => None,
        };
        match value {
            Some(value) => bits.push(value, 6, span),
            None => bits.end(),
        }
    }
    bits.out
}

/// All hex in a text, also with separators, read from the `skip`-th digit of each run.
fn hex(view: &View, skip: usize) -> View {
    let mut bits = Bits::new(view, skip);
    for (byte, span) in view.chars() {
        match hex_digit(byte) {
            Some(digit) => bits.push(digit, 4, span),
            None if matches!(byte, b' ' | b':' | b'-' | b'\t' | b'\r' | b'\n') => {}
            None => bits.end(),
        }
    }
    bits.out
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    fn scrubbed(secrets: &[&[u8]], text: &[u8]) -> Vec<u8> {
        let scrubber = Scrubber::default();
        for secret in secrets {
            scrubber.look_for(secret);
        }
        scrubber.scrub(Zeroizing::new(text.to_vec()))
    }

    fn scrubbed_text(secret: &str, text: &str) -> String {
        String::from_utf8(scrubbed(&[secret.as_bytes()], text.as_bytes())).unwrap()
    }

    #[test]
    fn a_secret_is_replaced_and_all_else_stays() {
        for (secret, text, expected) in [
            ("hunter2", "", ""),
            ("hunter2", "nothing here", "nothing here"),
            ("hunter2", "hunter2", "•••"),
            ("hunter2", "<hunter2>", "<•••>"),
            ("hunter2", "hunter2hunter2 and hunter2.", "••• and •••."),
            ("hunter2", "HUNTER2 Hunter2", "••• •••"),
            ("hunter2", "hunter hunter3 unter2", "hunter hunter3 unter2"),
            ("hunter2", "x%68unter%32y", "x•••y"),
            ("hunter2", "x%2568unter2y", "x•••y"),
            ("a&b=c d", "q=a%26b%3Dc+d&r", "q=•••&r"),
            ("a&b=c d", "q=a%26b%3dc%20d&r", "q=•••&r"),
            ("a&b=c", "<p>a&amp;b=c</p> a&#38;b&#x3D;c", "<p>•••</p> •••"),
            ("a\"b/c\\", r#"{"x":"a\"b\/c\\"}"#, r#"{"x":"•••"}"#),
            ("a\"bc", "a\\u0022bc \\x61\\u{22}bc", "••• •••"),
            ("pä😀s", r"p\u00e4\ud83d\ude00s", "•••"),
            ("hunter2", "68756e74657232", "•••"),
            ("hunter2", "(68:75:6E:74:65:72:32)", "(•••)"),
            ("hunter2", "ff68756e746572320a", "ff•••0a"),
            // One hex digit out of step.
            ("hunter2", "f68756e74657232f", "f•••f"),
            ("hunter2", "h\0u\0n\0t\0e\0r\x002\0", "•••\0"),
            ("100%25", "100%25 100%2525", "••• •••"),
        ] {
            assert_eq!(scrubbed_text(secret, text), expected, "{secret} in {text}");
        }
    }

    #[test]
    fn base64_is_found_at_every_alignment_in_both_alphabets_and_across_lines() {
        let secret = b"\xfb\xff\xbehunter\xff\xfe";
        for before in 0..4 {
            for after in 0..4 {
                let mut bytes = vec![b'x'; before];
                bytes.extend_from_slice(secret);
                bytes.extend(vec![b'y'; after]);
                for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                    let encoded = engine.encode(&bytes);
                    for text in
                        [encoded.clone(), format!("\"{encoded}\""), encoded.replacen('h', "\r\n h", 1)]
                    {
                        let out = scrubbed(&[secret], text.as_bytes());
                        let out = String::from_utf8(out).unwrap();
                        assert!(out.contains(MARKED), "{before} {after} {text}: {out}");
                        let left = out.replace(MARKED, "");
                        assert!(left.len() <= 7 + (before + after) * 2, "{before} {after} {text}: {out}");
                    }
                }
            }
        }
        // Two layers on what was sent.
        let sent = STANDARD.encode("user:hunter2");
        let twice = STANDARD.encode(STANDARD.encode(&sent));
        let left = scrubbed_text(&sent, &twice);
        assert!(left.starts_with(MARKED) && left.len() <= MARKED.len() + 3, "{left}");
        assert_eq!(scrubbed_text("hunter2", &hex::encode(&sent)), "64584e6c636a•••");
    }

    #[test]
    fn several_secrets_that_overlap_leave_nothing_of_each_other() {
        assert_eq!(scrubbed(&[b"abcdef", b"defghi"], b"-abcdefghi-"), "-•••-".as_bytes());
        assert_eq!(scrubbed(&[b"abcd", b"abcdef"], b"abcdef abcd"), "••• •••".as_bytes());
        // Taking out the second makes the first come about.
        assert_eq!(scrubbed(&[b"xyz%", b"41bc"], b"xy%7a%41BC"), "••••••".as_bytes());
        assert_eq!(scrubbed(&[], b"abcd"), b"abcd");
    }

    /// An encoding that a server could use, written without what is tested.
    #[derive(Debug, Clone, Copy)]
    enum Coding {
        Plain,
        Percent,
        PercentAll,
        Json,
        Html,
        Base64(usize),
        UrlSafe(usize),
        Hex,
        HexColons,
        Upper,
    }

    impl Coding {
        fn encode(self, bytes: &[u8]) -> Vec<u8> {
            let each =
                |f: &dyn Fn(u8) -> String| bytes.iter().map(|b| f(*b)).collect::<String>().into_bytes();
            let shifted = |by: usize| [&b"?!%"[..by], bytes, b"~"].concat();
            match self {
                Self::Plain => bytes.to_vec(),
                Self::Percent => each(&|b| {
                    if b.is_ascii_alphanumeric() { char::from(b).into() } else { format!("%{b:02x}") }
                }),
                Self::PercentAll => each(&|b| format!("%{b:02X}")),
                Self::Json => {
                    let text = String::from_utf8_lossy(bytes).into_owned();
                    serde_json::to_vec(&text).unwrap()
                }
                Self::Html => each(&|b| match b {
                    b'<' => "&lt;".into(),
                    b'&' => "&amp;".into(),
                    b'"' => "&#34;".into(),
                    b'\'' => "&#x27;".into(),
                    b => char::from(b).into(),
                }),
                Self::Base64(by) => STANDARD.encode(shifted(by)).into_bytes(),
                Self::UrlSafe(by) => URL_SAFE_NO_PAD.encode(shifted(by)).into_bytes(),
                Self::Hex => hex::encode(bytes).into_bytes(),
                Self::HexColons => each(&|b| format!("{b:02x}:")),
                Self::Upper => bytes.to_ascii_uppercase(),
            }
        }
    }

    fn coding() -> impl Strategy<Value = Coding> {
        prop_oneof![
            Just(Coding::Plain),
            Just(Coding::Percent),
            Just(Coding::PercentAll),
            Just(Coding::Json),
            Just(Coding::Html),
            (0..3_usize).prop_map(Coding::Base64),
            (0..3_usize).prop_map(Coding::UrlSafe),
            Just(Coding::Hex),
            Just(Coding::HexColons),
        ]
    }

    /// Letters with all that encodings treat in their own way, and none of a hex number's.
    const SECRETS: &str = r#"[G-Zg-z0-9 %&+"'<>/\\:=_~-]{4,24}"#;

    proptest! {
        /// What a server encodes twice is gone, with every character of it, and what stands around it is as it was.
        /// `#` and `;` belong to no encoding here, so nothing runs on.
        #[test]
        fn an_encoded_secret_is_taken_out_and_what_is_around_it_stays(
            secret in SECRETS, first in coding(), second in coding(), upper in any::<bool>(),
            before in "[ -~]{0,40}", after in "[ -~]{0,40}",
        ) {
            let mut encoded = if upper { Coding::Upper.encode(secret.as_bytes()) } else { secret.clone().into_bytes() };
            encoded = second.encode(&first.encode(&encoded));
            let sides = [before, after].map(|side| format!(";#{side}#;").into_bytes());
            let [left, right] = &sides;
            prop_assume!(sides.iter().all(|side| scrubbed(&[secret.as_bytes()], side) == *side));
            let out = scrubbed(&[secret.as_bytes()], &[left.as_slice(), &encoded, right].concat());
            prop_assert!(out.starts_with(left) && out.ends_with(right), "{}", String::from_utf8_lossy(&out));
            let middle = String::from_utf8(out[left.len()..out.len() - right.len()].to_vec()).unwrap();
            prop_assert!(middle.contains(MARKED), "{middle} of {}", String::from_utf8_lossy(&encoded));
            // Only what the codings put around it is left, and never two characters in a row that tell anything.
            let rest = middle.replace(MARKED, "");
            let frame = second.encode(&first.encode(b""));
            prop_assert!(rest.len() <= 2 * frame.len() + 12, "{rest} of {}", String::from_utf8_lossy(&encoded));
        }

        /// Where nothing of the secret is, in any encoding, nothing changes; and a text is bounded by what it was.
        #[test]
        fn other_bytes_are_left_alone(text in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(scrubbed(&[b"a secret of many letters"], &text), text);
        }

        /// Once is enough: nothing is found in what was scrubbed.
        #[test]
        fn scrubbing_again_changes_nothing(secret in "[ab%4]{4,6}", text in "[abAB%4125 -]{0,80}") {
            let once = scrubbed(&[secret.as_bytes()], text.as_bytes());
            prop_assert_eq!(&scrubbed(&[secret.as_bytes()], &once), &once);
            prop_assert!(!String::from_utf8_lossy(&once).contains(&secret));
        }
    }
}
