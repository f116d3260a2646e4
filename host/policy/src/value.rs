//! Values as scripts see them, and as findings keep them.

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, Unit};
use rhai::Dynamic;
use serde_json::{Map, Value};

/// Values that one `because` may hold, and how long a text in it may be: a finding is read by a
/// person.
const MOST_VALUES: usize = 200;
const MOST_TEXT_BYTES: usize = 2_000;
const MOST_DEPTH: usize = 6;

/// Reads a length of time such as `7d`, `90m` or `PT8H`; a day is 24 hours, a week 7 days.
///
/// # Errors
/// Says what to write instead.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("`{text}` is not a duration: write it like `7d`, `8h 30m` or `PT8H`");
    let span: Span = text.parse().map_err(|_| wrong())?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err(format!("`{text}` has years or months, whose length differs: write days or weeks"));
    }
    let seconds = span.total((Unit::Second, SpanRelativeTo::days_are_24_hours())).map_err(|_| wrong())?;
    if seconds < 0.0 {
        return Err(format!("`{text}` is negative"));
    }
    SignedDuration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// A length of time in words, such as `7d`, `1h 30m`.
pub(crate) fn in_words(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    let parts =
        [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let words: Vec<String> =
        parts.iter().filter(|(n, _)| *n != 0).map(|(n, unit)| format!("{n}{unit}")).take(2).collect();
    if words.is_empty() { "0s".to_owned() } else { words.join(" ") }
}

/// The word for a value's type in messages.
pub(crate) fn type_word(value: &Dynamic) -> &'static str {
    if value.is_string() {
        "a text"
    } else if value.is_int() {
        "an integer"
    } else if value.is_float() {
        "a number"
    } else if value.is_bool() {
        "a truth"
    } else if value.is_unit() {
        "nothing"
    } else if value.is_array() {
        "a list"
    } else if value.is_map() {
        "a map"
    } else if value.is::<Timestamp>() {
        "a moment"
    } else if value.is::<SignedDuration>() {
        "a duration"
    } else {
        "a fact"
    }
}

/// Bytes that a value takes besides its own place, about; a map of one entry takes as much as one
/// of ten.
pub(crate) fn heap_bytes(value: &Dynamic) -> u64 {
    const PLACE: u64 = 16;
    const NODE: u64 = 512;
    if let Ok(text) = value.as_immutable_string_ref() {
        text.len() as u64
    } else if let Ok(list) = value.as_array_ref() {
        list.iter().map(|item| PLACE + heap_bytes(item)).sum()
    } else if let Ok(map) = value.as_map_ref() {
        let nodes = (map.len() as u64).div_ceil(6) * NODE;
        nodes + map.values().map(heap_bytes).sum::<u64>()
    } else {
        0
    }
}

/// The JSON of a value that a script put into a finding.
///
/// # Errors
/// When it is too large, or a whole fact rather than a value of it.
pub(crate) fn json(value: &Dynamic) -> Result<Value, String> {
    let mut left = MOST_VALUES;
    convert(value, MOST_DEPTH, &mut left)
}

fn convert(value: &Dynamic, depth: usize, left: &mut usize) -> Result<Value, String> {
    *left = left.checked_sub(1).ok_or_else(|| format!("holds more than {MOST_VALUES} values"))?;
    let deeper = || depth.checked_sub(1).ok_or_else(|| format!("is nested deeper than {MOST_DEPTH} levels"));
    if value.is_unit() {
        Ok(Value::Null)
    } else if let Ok(truth) = value.as_bool() {
        Ok(Value::Bool(truth))
    } else if let Ok(int) = value.as_int() {
        Ok(Value::from(int))
    } else if let Ok(float) = value.as_float() {
        sluice_model::json::number(float)
            .map(Value::Number)
            .ok_or_else(|| "holds a number that is not finite".to_owned())
    } else if let Ok(text) = value.as_immutable_string_ref() {
        bounded(&text).map(Value::String)
    } else if let Ok(list) = value.as_array_ref() {
        let depth = deeper()?;
        list.iter().map(|item| convert(item, depth, left)).collect::<Result<_, _>>().map(Value::Array)
    } else if let Ok(map) = value.as_map_ref() {
        let depth = deeper()?;
        map.iter()
            .map(|(key, item)| Ok((bounded(key)?, convert(item, depth, left)?)))
            .collect::<Result<Map<_, _>, String>>()
            .map(Value::Object)
    } else if let Some(moment) = value.read_lock::<Timestamp>() {
        Ok(Value::String(moment.to_string()))
    } else if let Some(length) = value.read_lock::<SignedDuration>() {
        Ok(Value::String(in_words(*length)))
    } else {
        Err("holds a whole fact: cite a value of it".to_owned())
    }
}

/// A text that fits into a finding.
pub(crate) fn bounded(text: &str) -> Result<String, String> {
    check_length(text).map(|()| text.to_owned())
}

/// Refuses a text that does not fit into a finding.
pub(crate) fn check_length(text: &str) -> Result<(), String> {
    if text.len() > MOST_TEXT_BYTES {
        return Err(format!("holds a text longer than {MOST_TEXT_BYTES} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, seconds, words) in [
            ("7d", 604_800, "7d"),
            ("90m", 5_400, "1h 30m"),
            ("PT8H", 28_800, "8h"),
            ("1w", 604_800, "7d"),
            ("0s", 0, "0s"),
        ] {
            let length = duration(text).unwrap();
            assert_eq!(length.as_secs(), seconds, "{text}");
            assert_eq!(in_words(length), words, "{text}");
        }
        for text in ["", "7", "soon", "1 month", "-1d", "P1Y"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
