//! What is expected: files, and what is left of an answer when all that varies is taken out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use regex::{Captures, Regex};

/// A day with a time.
const TIME: &str = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?Z|[+-]\d\d:\d\d)?";

/// Replaces what differs from one run to the next by what it is.
pub(crate) struct Normal {
    texts: Vec<(String, String)>,
    patterns: Vec<(Regex, &'static str)>,
    time: Regex,
    hex: Regex,
}

impl Normal {
    /// These folders and days, and all digests, keys, signatures and times.
    pub(crate) fn new(folders: &[(&Path, &str)], days: &BTreeMap<&'static str, String>) -> Self {
        let mut texts: Vec<(String, String)> =
            folders.iter().map(|(folder, name)| (folder.display().to_string(), (*name).to_owned())).collect();
        texts.extend(days.iter().map(|(name, day)| (day.clone(), format!("[{}]", name.to_uppercase()))));
        let patterns = [
            // A checkpoint: the root, and the signature behind the key's name.
            (r"(?m)^[A-Za-z0-9+/]{43}=$", "[ROOT]"),
            (r"(?m)^— (\S+) [A-Za-z0-9+/]{80,}=*$", "— $1 [SIGNATURE]"),
            (r"ed25519:[A-Za-z0-9+/]{43}=", "[KEY]"),
            (r"sha256:[0-9a-f]{6,64}", "[DIGEST]"),
            // What a plugin uses is another with each build of it.
            (r"[1-9][\d,]* units of fuel, [\d.]+ [KM]iB of memory", "[FUEL], [MEMORY]"),
            (r#""(fuel|memory_bytes|table_elements)": [1-9]\d*"#, "\"$1\": [AMOUNT]"),
            (TIME, "[TIME]"),
            (r"\b\d{4}-\d\d-\d\d\b", "[DAY]"),
        ];
        Self {
            texts,
            patterns: patterns.map(|(pattern, name)| (Regex::new(pattern).unwrap(), name)).to_vec(),
            time: Regex::new(TIME).unwrap(),
            // Ids of samples are UUIDs, which stay.
            hex: Regex::new(
                r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b([0-9a-f]{64}|[0-9a-f]{16}|[0-9a-f]{12})\b",
            )
            .unwrap(),
        }
    }

    /// The text without what varies.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // A scene's own times are whole hours; any other comes from the clock, whatever day it is of.
        let clock_s = |found: &Captures<'_>| {
            let found = &found[0];
            if found.contains(":00:00") { found.to_owned() } else { "[TIME]".to_owned() }
        };
        text = self.time.replace_all(&text, clock_s).into_owned();
        for (varying, name) in &self.texts {
            text = text.replace(varying.as_str(), name);
        }
        for (pattern, name) in &self.patterns {
            text = pattern.replace_all(&text, *name).into_owned();
        }
        let hex = self.hex.replace_all(&text, |found: &Captures<'_>| {
            let found = &found[0];
            let is_number = found.bytes().all(|byte| byte.is_ascii_digit());
            if found.contains('-') || is_number { found.to_owned() } else { "[DIGEST]".to_owned() }
        });
        ended(&hex).into_owned()
    }
}

/// The text with an end of line at its end.
fn ended(text: &str) -> Cow<'_, str> {
    if text.is_empty() || text.ends_with('\n') { text.into() } else { format!("{text}\n").into() }
}

/// Compares what was told with the file of this name.
///
/// # Panics
/// When they differ or there is no such file, unless `SLUICE_UPDATE` says to write it.
pub(crate) fn compare(name: &str, told: &str) {
    let path = folder().join(format!("{name}.out"));
    if std::env::var_os("SLUICE_UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, told).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; SLUICE_UPDATE=1 writes it", path.display()));
    let difference = difference(&expected, told);
    assert!(difference.is_none(), "{name}.out is otherwise: {}", difference.unwrap_or_default());
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/answers")
}

/// Where two texts begin to differ, with what stands around it.
fn difference(expected: &str, told: &str) -> Option<String> {
    if expected == told {
        return None;
    }
    let (expected, told): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), told.lines().collect());
    let same = expected.iter().zip(&told).take_while(|(one, other)| one == other).count();
    let part = |lines: &[&str]| {
        lines
            .iter()
            .skip(same.saturating_sub(6))
            .take(18)
            .map(|line| format!("  | {line}\n"))
            .collect::<String>()
    };
    Some(format!(
        "line {}\nexpected:\n{}told:\n{}SLUICE_UPDATE=1 takes what was told",
        same + 1,
        part(&expected),
        part(&told)
    ))
}

#[test]
fn a_difference_is_found_where_it_begins() {
    assert_eq!(difference("a\nb\n", "a\nb\n"), None);
    for (expected, told, line) in
        [("a\nb\n", "a\nc\n", "line 2"), ("a\n", "a\nb\n", "line 2"), ("a", "", "line 1")]
    {
        let found = difference(expected, told).unwrap();
        assert!(found.contains(line), "{found}");
    }
}

#[test]
fn what_varies_is_named_and_the_rest_stays() {
    let days = BTreeMap::from([("tomorrow", "2031-02-03".to_owned())]);
    let normal = Normal::new(&[(Path::new("/tmp/x"), "[TEMP]")], &days);
    for (text, expected) in [
        ("plan sha256:0a1b2c3d4e5f\n", "plan [DIGEST]\n"),
        ("workspace 86e2805917295aa7, 12345678\n", "workspace [DIGEST], 12345678\n"),
        ("id d20000d1-0000-4000-8000-000000000002\n", "id d20000d1-0000-4000-8000-000000000002\n"),
        ("at 2026-11-21 14:26:01Z, 2026-11-21T14:26:01.123Z\n", "at [TIME], [TIME]\n"),
        ("opens 2031-02-03T00:00:00Z\n", "opens [TOMORROW]T00:00:00Z\n"),
        ("in /tmp/x/workspace\n", "in [TEMP]/workspace\n"),
        ("no end of line", "no end of line\n"),
        ("deadline facade 12 apps\n", "deadline facade 12 apps\n"),
    ] {
        assert_eq!(normal.text(text), expected);
    }
}
