//! Amounts as people read them.

use std::time::Duration;

/// Bytes in the largest unit of 1,024 in which they are one or more.
pub(crate) fn bytes(count: u64) -> String {
    let (unit, name) = match count {
        0..0x400 => return format!("{count} B"),
        0x400..0x10_0000 => (0x400, "KiB"),
        0x10_0000..0x4000_0000 => (0x10_0000, "MiB"),
        _ => (0x4000_0000, "GiB"),
    };
    tenths(count, unit, name)
}

/// A time in the largest unit in which it is one or more.
pub(crate) fn time(time: Duration) -> String {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let (unit, name) = match nanos {
        0..1_000 => return format!("{nanos} ns"),
        1_000..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    tenths(nanos, unit, name)
}

fn tenths(count: u64, unit: u64, name: &str) -> String {
    let tenths = (u128::from(count) * 10 + u128::from(unit) / 2) / u128::from(unit);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// A number with a comma between each three digits.
pub(crate) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_in_units_that_people_read() {
        for (count, expected) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_536, "1.5 KiB"),
            (219_136, "214.0 KiB"),
            (3 << 19, "1.5 MiB"),
            (u64::MAX, "17179869184.0 GiB"),
        ] {
            assert_eq!(bytes(count), expected);
        }
        for (nanos, expected) in [
            (999, "999 ns"),
            (1_000, "1.0 µs"),
            (56_449, "56.4 µs"),
            (1_500_000, "1.5 ms"),
            (13_000_000_000, "13.0 s"),
        ] {
            assert_eq!(time(Duration::from_nanos(nanos)), expected);
        }
        for (count, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(count), expected);
        }
    }
}
