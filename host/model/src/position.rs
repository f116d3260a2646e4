//! Where in a file a value of its JSON stands, for people and tools that show lines.

use std::collections::BTreeMap;

use jiter::{Jiter, JiterError, Peek};

use crate::Pointer;
use crate::json::MOST_NESTED;

/// Where a value begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1. A line ends with a line feed.
    pub line: usize,
    /// Column in characters (Unicode code points), from 1. A byte order mark is none.
    pub column: usize,
}

/// A value that was looked for, or the nearest around it that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What was found: the pointer that was wanted, or the longest beginning of it that is there.
    pub at: Pointer,
    /// Where it begins.
    pub position: Position,
}

/// Finds where values begin in the bytes of one JSON document, in the order of `wanted`; nothing
/// for one where not even the document begins.
///
/// The bytes are gone through once, whatever is wanted, and no deeper than the pointers lead. Where
/// they are no JSON, what stands before the mistake is found all the same.
#[must_use]
pub fn find(bytes: &[u8], wanted: &[&Pointer]) -> Vec<Option<Found>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut search = Search { wanted, met: vec![None; wanted.len()] };
    let mut input = Jiter::new(bytes);
    // Whatever is wrong later on, what was met until then is met.
    let _ = input.peek().and_then(|peek| search.value(&mut input, peek, (0..wanted.len()).collect(), 0));
    let met = search.met;
    let positions = positions(bytes, met.iter().flatten().map(|met| met.byte).collect());
    let found = |(pointer, met): (&&Pointer, Option<Met>)| {
        let met = met?;
        let at = pointer.tokens().iter().take(met.depth).fold(Pointer::root(), |at, token| at.child(token));
        Some(Found { at, position: *positions.get(&met.byte)? })
    };
    wanted.iter().zip(met).map(found).collect()
}

/// How far a pointer has led so far.
#[derive(Clone, Copy)]
struct Met {
    depth: usize,
    byte: usize,
}

struct Search<'w> {
    wanted: &'w [&'w Pointer],
    met: Vec<Option<Met>>,
}

impl Search<'_> {
    /// Goes through the value that begins with `peek`, to which these of the pointers lead.
    fn value(
        &mut self,
        input: &mut Jiter<'_>,
        peek: Peek,
        here: Vec<usize>,
        depth: usize,
    ) -> Result<(), JiterError> {
        let byte = input.current_index();
        let mut deeper: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for index in here {
            if let Some(met) = self.met.get_mut(index) {
                *met = Some(Met { depth, byte });
            }
            if let Some(token) = self.wanted.get(index).and_then(|pointer| pointer.tokens().get(depth)) {
                deeper.entry(token).or_default().push(index);
            }
        }
        match peek {
            _ if deeper.is_empty() || depth >= MOST_NESTED => input.known_skip(peek),
            Peek::Object => {
                let mut key = input.known_object()?.map(|key| deeper.remove(key));
                while let Some(within) = key {
                    let peek = input.peek()?;
                    match within {
                        Some(within) => self.value(input, peek, within, depth + 1)?,
                        None => input.known_skip(peek)?,
                    }
                    key = input.next_key()?.map(|key| deeper.remove(key));
                }
                Ok(())
            }
            Peek::Array => {
                let (mut next, mut count) = (input.known_array()?, 0_usize);
                while let Some(peek) = next {
                    match deeper.remove(count.to_string().as_str()) {
                        Some(within) => self.value(input, peek, within, depth + 1)?,
                        None => input.known_skip(peek)?,
                    }
                    next = input.array_step()?;
                    count += 1;
                }
                Ok(())
            }
            _ => input.known_skip(peek),
        }
    }
}

/// The line and column of each of these bytes.
fn positions(bytes: &[u8], mut wanted: Vec<usize>) -> BTreeMap<usize, Position> {
    wanted.sort_unstable();
    wanted.dedup();
    let (mut line, mut column, mut done) = (1, 1, 0);
    let mut found = BTreeMap::new();
    for byte in wanted {
        for passed in bytes.get(done..byte).unwrap_or_default() {
            if *passed == b'\n' {
                (line, column) = (line + 1, 1);
            } else if passed & 0b1100_0000 != 0b1000_0000 {
                // Each byte but those that continue a character begins one.
                column += 1;
            }
        }
        done = byte;
        found.insert(byte, Position { line, column });
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn found(text: &str, pointer: &str) -> Option<(String, usize, usize)> {
        let pointer = pointer.parse().unwrap();
        let found = find(text.as_bytes(), &[&pointer]).remove(0)?;
        Some((found.at.to_string(), found.position.line, found.position.column))
    }

    #[test]
    fn a_value_is_found_or_the_nearest_around_it() {
        let text = "\u{feff}{\n  \"é\": \"ü\", \"a/b\": [1,\n    {\"c\": null}\n  ]\r\n}\n";
        for (pointer, at, line, column) in [
            ("", "", 1, 1),
            ("/é", "/é", 2, 8),
            ("/a~1b", "/a~1b", 2, 20),
            ("/a~1b/0", "/a~1b/0", 2, 21),
            ("/a~1b/1/c", "/a~1b/1/c", 3, 11),
            ("/a~1b/1/d/e", "/a~1b/1", 3, 5),
            ("/a~1b/2", "/a~1b", 2, 20),
            ("/a~1b/01", "/a~1b", 2, 20),
            ("/nothing", "", 1, 1),
        ] {
            assert_eq!(found(text, pointer), Some((at.to_owned(), line, column)), "{pointer}");
        }
    }

    #[test]
    fn what_is_before_a_mistake_is_found_and_of_nothing_nothing() {
        assert_eq!(found("{\"a\": 1,\n \"b\": [2, 3", "/b/1"), Some(("/b/1".to_owned(), 2, 11)));
        assert_eq!(found("{\"a\": 1,\n \"b\": tru", "/b"), Some(("/b".to_owned(), 2, 7)));
        assert_eq!(found("{\"a\": oops, \"b\": 1}", "/b"), Some((String::new(), 1, 1)));
        for text in ["", "  \n"] {
            assert_eq!(found(text, "/a"), None, "{text}");
        }
        let deep = format!("{}1{}", "[".repeat(400), "]".repeat(400));
        let pointer = "/0".repeat(400);
        assert_eq!(found(&deep, &pointer).unwrap().2, MOST_NESTED + 1);
    }

    /// Writes a value with white space from `noise`, and notes where everything in it begins.
    fn write(
        value: &Value,
        at: &Pointer,
        noise: &mut impl Iterator<Item = u8>,
        text: &mut String,
        places: &mut Vec<(Pointer, Position)>,
    ) {
        let mut space = |text: &mut String| match noise.next().unwrap_or(0) {
            0 => text.push('\n'),
            1 => text.push_str("\r\n\t"),
            2 => text.push(' '),
            _ => {}
        };
        space(text);
        let line = text.split('\n').count();
        let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        places.push((at.clone(), Position { line, column }));
        match value {
            Value::Array(items) => {
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    text.push_str(if index == 0 { "" } else { "," });
                    write(item, &at.child(index), noise, text, places);
                }
                text.push(']');
            }
            Value::Object(members) => {
                text.push('{');
                for (index, (key, member)) in members.iter().enumerate() {
                    text.push_str(if index == 0 { "" } else { "," });
                    text.push_str(&Value::from(key.as_str()).to_string());
                    text.push(':');
                    write(member, &at.child(key), noise, text, places);
                }
                text.push('}');
            }
            scalar => text.push_str(&scalar.to_string()),
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            Just(json!(true)),
            any::<i32>().prop_map(|n| json!(n)),
            "[a\"\\\\é\u{1f600}\n/~]{0,4}".prop_map(|text| json!(text)),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[01a\"é\\\\~/]{0,3}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_is_found_where_it_was_written(
            value in values(),
            noise in prop::collection::vec(0_u8..6, 0..60),
            missing in "[a-z]{1,3}x",
        ) {
            let (mut text, mut places) = (String::new(), Vec::new());
            write(&value, &Pointer::root(), &mut noise.into_iter(), &mut text, &mut places);
            prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &value);
            let beyond: Vec<Pointer> = places.iter().map(|(at, _)| at.child(&missing)).collect();
            let wanted: Vec<&Pointer> = places.iter().map(|(at, _)| at).chain(&beyond).collect();
            let found = find(text.as_bytes(), &wanted);
            let expected = places.iter().chain(&places);
            for (found, (at, position)) in found.into_iter().zip(expected) {
                prop_assert_eq!(found, Some(Found { at: at.clone(), position: *position }));
            }
        }
    }
}
