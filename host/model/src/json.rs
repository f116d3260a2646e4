//! Reading untrusted JSON within limits, and writing it canonically.
//!
//! Canonical form is RFC 8785 (JSON Canonicalization Scheme) with one exception: integers of
//! more than 53 bits, which the scheme would round, keep their digits.

use std::borrow::Cow;

use jiter::{Jiter, JiterError, JiterErrorType, JsonErrorType, NumberAny, NumberInt, Peek};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use crate::{Digest, Pointer};

/// Nesting that is read; deeper input is refused, since reading recurses on the stack. What is kept wraps what was
/// read a few levels deeper (an object in a plan in a decision), and stays below [`MOST_KEPT`].
pub const MOST_NESTED: usize = 100;

/// Nesting of what is kept: the deepest that `serde_json`, by which it is read back, reads.
pub const MOST_KEPT: usize = 127;

/// Why input is not JSON that can be kept exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// More bytes than the limit.
    #[error("{bytes} bytes are more than the limit of {limit} bytes")]
    TooLarge {
        /// How many bytes there are.
        bytes: usize,
        /// How many are read at most.
        limit: usize,
    },
    /// A byte sequence that no UTF-8 text has.
    #[error("not UTF-8 at byte {at}")]
    NotUtf8 {
        /// Offset of the first wrong byte.
        at: usize,
    },
    /// Nothing but white space.
    #[error("there is nothing in it")]
    Empty,
    /// The end comes before all is closed that was opened.
    #[error("it ends {open} at line {line} column {column}, so the rest is missing")]
    CutOff {
        /// What is not closed or not there yet, in words.
        open: &'static str,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// Not JSON (RFC 8259).
    #[error("{what} at line {line} column {column}")]
    Syntax {
        /// What was found or missed, in words.
        what: &'static str,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// Nested deeper than [`MOST_NESTED`].
    #[error("nested deeper than {MOST_NESTED} levels at line {line} column {column}")]
    TooDeep {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// An object with the same key twice, of which other readers keep the one or the other.
    #[error("the key at `{at}` occurs twice")]
    Duplicate {
        /// Where the key is.
        at: Pointer,
    },
    /// A number that would be changed by reading it.
    #[error(
        "the number at `{at}` cannot be kept exactly: it has more digits, or is larger, than 64 bits hold"
    )]
    Inexact {
        /// Where the number is.
        at: Pointer,
    },
}

/// Reads one JSON document of at most `limit` bytes.
///
/// Numbers come out in one spelling each, so that equal documents are equal values.
///
/// # Errors
/// [`ReadError`] says what is wrong and where; nothing is guessed or dropped.
pub fn read(bytes: &[u8], limit: usize) -> Result<Value, ReadError> {
    if bytes.len() > limit {
        return Err(ReadError::TooLarge { bytes: bytes.len(), limit });
    }
    let text = std::str::from_utf8(bytes).map_err(|e| ReadError::NotUtf8 { at: e.valid_up_to() })?;
    let bytes = text.strip_prefix('\u{feff}').unwrap_or(text).as_bytes();
    if bytes.trim_ascii().is_empty() {
        return Err(ReadError::Empty);
    }
    let mut input = Jiter::new(bytes);
    let document = input.peek().map_err(Wrong::from).and_then(|peek| value(&mut input, peek, 1));
    let document = document.and_then(|document| input.finish().map(|()| document).map_err(Wrong::from));
    document.map_err(|wrong| wrong.told(bytes))
}

/// What is wrong with a document, while the way back to its root is still being told.
struct Wrong {
    what: Mistake,
    /// Tokens of the pointer, the innermost first.
    within: Vec<String>,
}

enum Mistake {
    /// What the parser found, at this byte.
    Syntax(JiterErrorType, usize),
    /// A value at this byte that is nested too deep.
    TooDeep(usize),
    Duplicate,
    Inexact,
}

impl From<Mistake> for Wrong {
    fn from(what: Mistake) -> Self {
        Self { what, within: Vec::new() }
    }
}

impl From<JiterError> for Wrong {
    fn from(error: JiterError) -> Self {
        Mistake::Syntax(error.error_type, error.index).into()
    }
}

impl Wrong {
    fn within(mut self, token: impl ToString) -> Self {
        self.within.push(token.to_string());
        self
    }

    fn told(self, bytes: &[u8]) -> ReadError {
        let at = || {
            let mut at = Pointer::root();
            self.within.iter().rev().for_each(|token| at.push(token));
            at
        };
        match self.what {
            Mistake::Duplicate => ReadError::Duplicate { at: at() },
            Mistake::Inexact => ReadError::Inexact { at: at() },
            Mistake::TooDeep(byte) => {
                let (line, column) = position(bytes, byte);
                ReadError::TooDeep { line, column }
            }
            Mistake::Syntax(error, byte) => {
                let (line, column) = position(bytes, byte);
                match in_words(&error) {
                    Words::Ends(open) => ReadError::CutOff { open, line, column },
                    Words::Found(what) => ReadError::Syntax { what, line, column },
                }
            }
        }
    }
}

/// Line and column of a byte, from 1.
fn position(bytes: &[u8], byte: usize) -> (usize, usize) {
    let before = bytes.get(..byte).unwrap_or(bytes);
    let lines = before.split(|byte| *byte == b'\n');
    let (count, last) = lines.fold((0, 0), |(count, _), line| (count + 1, line.len()));
    (count, last + 1)
}

enum Words {
    /// The input ends, and this is open.
    Ends(&'static str),
    /// This was found or missed.
    Found(&'static str),
}

fn in_words(error: &JiterErrorType) -> Words {
    use JsonErrorType as E;
    let JiterErrorType::JsonError(error) = error else { return Words::Found("something that is no JSON") };
    match error {
        E::EofWhileParsingList => Words::Ends("inside a list"),
        E::EofWhileParsingObject => Words::Ends("inside an object"),
        E::EofWhileParsingString => Words::Ends("inside a text"),
        E::EofWhileParsingValue => Words::Ends("before a value is complete"),
        E::ExpectedColon => Words::Found("no `:` after a member's name"),
        E::ExpectedListCommaOrEnd => Words::Found("no `,` or `]` after a list's element"),
        E::ExpectedObjectCommaOrEnd => Words::Found("no `,` or `}` after an object's member"),
        E::ExpectedSomeIdent => Words::Found("a word that is not `true`, `false` or `null`"),
        E::ExpectedSomeValue => Words::Found("something that begins no value"),
        E::InvalidEscape => Words::Found("a `\\` that begins no escape"),
        E::InvalidUnicodeCodePoint | E::LoneLeadingSurrogateInHexEscape | E::UnexpectedEndOfHexEscape => {
            Words::Found("a `\\u` that stands for no character")
        }
        E::ControlCharacterWhileParsingString => {
            Words::Found("a control character inside a text, which has to be escaped")
        }
        E::InvalidNumber => Words::Found("a number that JSON does not write so"),
        E::NumberOutOfRange => Words::Found("a number with more digits than are read"),
        E::KeyMustBeAString => Words::Found("a member's name that is not in double quotes"),
        E::TrailingComma => Words::Found("a `,` with nothing after it"),
        E::TrailingCharacters => Words::Found("more text after the end of the document"),
        E::FloatExpectingInt | E::DuplicateKey(_) | E::InternalError(_) | E::RecursionLimitExceeded => {
            Words::Found("something that is no JSON")
        }
    }
}

/// Reads the value that begins with `peek`, at the `level`-th level of nesting.
fn value(input: &mut Jiter<'_>, peek: Peek, level: usize) -> Result<Value, Wrong> {
    Ok(match peek {
        Peek::Null => {
            input.known_null()?;
            Value::Null
        }
        Peek::True | Peek::False => Value::Bool(input.known_bool(peek)?),
        Peek::String => Value::String(input.known_str()?.to_owned()),
        Peek::Array => {
            let mut items = Vec::new();
            let mut next = input.known_array()?;
            while let Some(peek) = next {
                check_level(input, level)?;
                items.push(value(input, peek, level + 1).map_err(|wrong| wrong.within(items.len()))?);
                next = input.array_step()?;
            }
            Value::Array(items)
        }
        Peek::Object => {
            let mut members = Map::new();
            let mut next = input.known_object()?.map(str::to_owned);
            while let Some(key) = next {
                check_level(input, level)?;
                let peek = input.peek()?;
                match (value(input, peek, level + 1), members.entry(key)) {
                    (Ok(member), Entry::Vacant(free)) => drop(free.insert(member)),
                    (Ok(_), taken) => return Err(Wrong::from(Mistake::Duplicate).within(taken.key())),
                    (Err(wrong), entry) => return Err(wrong.within(entry.key())),
                }
                next = input.next_key()?.map(str::to_owned);
            }
            Value::Object(members)
        }
        _ => {
            let read = match input.known_number(peek)? {
                NumberAny::Int(NumberInt::Int(int)) => Some(int.into()),
                NumberAny::Int(NumberInt::BigInt(int)) => exact(&int.to_string()),
                NumberAny::Float(float) => number(float),
            };
            Value::Number(read.ok_or(Mistake::Inexact)?)
        }
    })
}

fn check_level(input: &Jiter<'_>, level: usize) -> Result<(), Mistake> {
    if level > MOST_NESTED { Err(Mistake::TooDeep(input.current_index())) } else { Ok(()) }
}

/// The number of these digits, if there is one that is written with just these.
fn exact(digits: &str) -> Option<Number> {
    digits.parse::<u64>().map(Number::from).ok().or_else(|| {
        let float: f64 = digits.parse().ok()?;
        (ryu_js::Buffer::new().format(float) == digits).then(|| Number::from_f64(float))?
    })
}

/// The one [`Number`] for a float: an integer where its shortest spelling is one.
///
/// `None` for what JSON cannot say (not finite).
#[must_use]
pub fn number(float: f64) -> Option<Number> {
    let mut buffer = ryu_js::Buffer::new();
    let text = if float.is_finite() { buffer.format(float) } else { return None };
    text.parse::<i64>()
        .map(Number::from)
        .or_else(|_| text.parse::<u64>().map(Number::from))
        .ok()
        .or_else(|| Number::from_f64(float))
}

/// The canonical bytes of a value.
#[must_use]
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

/// The digest of a value's canonical bytes.
#[must_use]
pub fn digest(value: &Value) -> Digest {
    Digest::of(&canonical(value))
}

/// The canonical bytes of something that serialises.
///
/// # Errors
/// When `serde` cannot make JSON of it, such as a map whose keys are not text.
pub fn canonical_of<T: serde::Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_value(value).map(|value| canonical(&value))
}

/// Whether a value is nested no deeper than `levels`. The list or object that holds nothing else is one level.
#[must_use]
pub fn is_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_within(item, levels - 1)),
        Value::Object(members) => levels > 0 && members.values().all(|member| is_within(member, levels - 1)),
        _ => true,
    }
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Number(number) => out.extend_from_slice(spelling(number).as_bytes()),
        Value::String(text) => quote(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            // RFC 8785 §3.2.3: by UTF-16 code units, which differs from UTF-8 order beyond the BMP.
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (index, (key, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                quote(key, out);
                out.push(b':');
                write(member, out);
            }
            out.push(b'}');
        }
    }
}

fn spelling(number: &Number) -> Cow<'static, str> {
    match number.as_f64() {
        Some(float) if number.is_f64() => Cow::Owned(ryu_js::Buffer::new().format(float).to_owned()),
        _ => Cow::Owned(number.to_string()),
    }
}

fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const LIMIT: usize = 1 << 20;

    fn canonical_text(text: &str) -> String {
        String::from_utf8(canonical(&read(text.as_bytes(), LIMIT).unwrap())).unwrap()
    }

    #[test]
    fn spells_numbers_as_rfc_8785_and_keeps_the_digits_of_integers() {
        for (written, expected) in [
            ("6.0", "6"),
            ("5432.0", "5432"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("1e3", "1000"),
            ("333333333.33333329", "333333333.3333333"),
            ("1E30", "1e+30"),
            ("4.50", "4.5"),
            ("0.000001", "0.000001"),
            ("1e-7", "1e-7"),
            ("9007199254740993", "9007199254740993"),
            ("18446744073709551615", "18446744073709551615"),
            ("1e20", "100000000000000000000"),
            ("100000000000000000000", "100000000000000000000"),
        ] {
            assert_eq!(canonical_text(written), expected, "{written}");
        }
    }

    #[test]
    fn sorts_keys_by_utf_16_and_escapes_as_rfc_8785() {
        let written = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
        assert_eq!(
            canonical_text(written),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
        assert_eq!(canonical_text(r#""\u0000\u001f\"\\\/""#), r#""\u0000\u001f\"\\/""#);
    }

    #[test]
    fn refuses_what_it_cannot_keep_and_says_where() {
        for (written, expected) in [
            (r#"{"a": [1, {"b": 1, "b": 2}]}"#, "the key at `/a/1/b` occurs twice"),
            (r#"{"n": 123456789012345678901}"#, "the number at `/n` cannot be kept exactly"),
            (r#"{"n": [1e999]}"#, "the number at `/n/0` cannot be kept exactly"),
            (r#"{"b": 1, "b": [}"#, "something that begins no value at line 1 column 16"),
            ("{\"a\":\n  tru}", "a word that is not `true`, `false` or `null` at line 2 column"),
            ("{\"a\": 1\n", "it ends inside an object at line 2 column 1, so the rest is missing"),
            ("[1, [\"a", "it ends inside a text at line 1 column"),
            ("[1,", "it ends before a value is complete at line 1 column 4"),
            ("{\"a\":", "it ends before a value is complete at line 1 column 6"),
            ("", "there is nothing in it"),
            ("\u{feff} \n", "there is nothing in it"),
            ("[1 2]", "no `,` or `]` after a list's element at line 1 column 4"),
            ("{\"a\" 1}", "no `:` after a member's name at line 1 column 6"),
            ("{a: 1}", "a member's name that is not in double quotes at line 1 column 2"),
            ("[1,]", "a `,` with nothing after it at line 1 column 4"),
            ("[\"\\x\"]", "a `\\` that begins no escape at line 1 column"),
            ("[01]", "a number that JSON does not write so at line 1 column"),
            ("1 2", "more text after the end of the document at line 1 column 3"),
        ] {
            let error = read(written.as_bytes(), LIMIT).unwrap_err().to_string();
            assert!(error.contains(expected), "{written}: {error}");
        }
        let nested = |levels| "[".repeat(levels) + "0" + &"]".repeat(levels);
        assert!(read(nested(MOST_NESTED).as_bytes(), LIMIT).is_ok());
        for levels in [MOST_NESTED + 1, 100_000] {
            let error = read(nested(levels).as_bytes(), LIMIT);
            assert_eq!(error, Err(ReadError::TooDeep { line: 1, column: MOST_NESTED + 2 }));
        }
        for kept in [MOST_NESTED, MOST_KEPT] {
            let value: Value = serde_json::from_str(&nested(kept)).unwrap();
            assert!(is_within(&value, kept) && !is_within(&value, kept - 1));
        }
        assert!(serde_json::from_str::<Value>(&nested(MOST_KEPT + 1)).is_err());
        assert_eq!(read(b"\"a\xff\"", LIMIT), Err(ReadError::NotUtf8 { at: 2 }));
        assert_eq!(read(b"[1,2]", 4), Err(ReadError::TooLarge { bytes: 5, limit: 4 }));
    }

    pub(crate) fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_filter_map("finite", number).prop_map(Value::Number),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..6).prop_map(|m| json!(m)),
            ]
        })
    }

    proptest! {
        #[test]
        fn reading_what_was_written_gives_the_value_again(value in any_json()) {
            prop_assert_eq!(read(&canonical(&value), LIMIT).unwrap(), value);
        }

        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, LIMIT);
        }
    }
}
