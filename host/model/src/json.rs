//! Reading untrusted JSON within limits, and writing it canonically.
//!
//! Canonical form is RFC 8785 (JSON Canonicalization Scheme) with one exception: integers of
//! more than 53 bits, which the scheme would round, keep their digits.

use std::borrow::Cow;

use jiter::{JsonErrorType, JsonValue, LinePosition};
use serde_json::{Map, Number, Value};

use crate::{Digest, Pointer};

/// Nesting that is read; deeper input is refused. The parser's own limit: it recurses on the stack.
pub const MOST_NESTED: usize = 200;

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
    /// Not JSON (RFC 8259).
    #[error("{what} at line {line} column {column}")]
    Syntax {
        /// What was wrong, in words.
        what: String,
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
    let parsed = JsonValue::parse(bytes, false).map_err(|error| {
        let LinePosition { line, column } = error.get_position(bytes);
        match error.error_type {
            JsonErrorType::RecursionLimitExceeded => ReadError::TooDeep { line, column },
            what => ReadError::Syntax { what: what.to_string(), line, column },
        }
    })?;
    convert(&parsed, &mut Pointer::root())
}

fn convert(value: &JsonValue<'_>, at: &mut Pointer) -> Result<Value, ReadError> {
    Ok(match value {
        JsonValue::Null => Value::Null,
        JsonValue::Bool(flag) => Value::Bool(*flag),
        JsonValue::Int(int) => Value::Number((*int).into()),
        JsonValue::BigInt(int) => {
            let digits = int.to_string();
            let exact = digits.parse::<u64>().map(Number::from).ok().or_else(|| {
                let float: f64 = digits.parse().ok()?;
                (ryu_js::Buffer::new().format(float) == digits).then(|| Number::from_f64(float))?
            });
            Value::Number(exact.ok_or_else(|| ReadError::Inexact { at: at.clone() })?)
        }
        JsonValue::Float(float) => {
            Value::Number(number(*float).ok_or_else(|| ReadError::Inexact { at: at.clone() })?)
        }
        JsonValue::Str(text) => Value::String(text.clone().into_owned()),
        JsonValue::Array(items) => {
            let mut list = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                at.push(index);
                list.push(convert(item, at)?);
                at.pop();
            }
            Value::Array(list)
        }
        JsonValue::Object(members) => {
            let mut object = Map::new();
            for (key, member) in members.iter() {
                at.push(key);
                if object.insert(key.clone().into_owned(), convert(member, at)?).is_some() {
                    return Err(ReadError::Duplicate { at: at.clone() });
                }
                at.pop();
            }
            Value::Object(object)
        }
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
            ("{\"a\":\n  tru}", "at line 2 column"),
            ("{\"a\": 1", "EOF"),
            ("", "EOF"),
        ] {
            let error = read(written.as_bytes(), LIMIT).unwrap_err().to_string();
            assert!(error.contains(expected), "{written}: {error}");
        }
        let deep = "[".repeat(5000);
        assert!(matches!(read(deep.as_bytes(), LIMIT), Err(ReadError::TooDeep { .. })));
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
