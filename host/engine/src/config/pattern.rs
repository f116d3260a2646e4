//! Patterns of names: which apps a gate is for, which dangling references are declared.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::names::{BadText, serde_as_text};

/// A name, or a pattern of names in which `*` stands for any characters and `?` for one.
///
/// Names are compared as they are, capitals and all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamePattern {
    text: String,
}

impl NamePattern {
    /// The pattern `*`, which every name matches.
    #[must_use]
    pub fn all() -> Self {
        Self { text: "*".to_owned() }
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether every name matches.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.text.chars().all(|c| c == '*')
    }

    /// Whether `name` matches. Takes time proportional to both lengths multiplied.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        // The places of the pattern that can be reached after each character of the name.
        let pattern: Vec<char> = self.text.chars().collect();
        let mut reached = after_stars(&pattern, BTreeSet::from([0]));
        for c in name.chars() {
            let next = reached
                .iter()
                .filter_map(|&at| match pattern.get(at) {
                    Some('*') => Some(at),
                    Some(&p) if p == '?' || p == c => Some(at + 1),
                    _ => None,
                })
                .collect();
            reached = after_stars(&pattern, next);
        }
        reached.contains(&pattern.len())
    }

    /// Whether some name matches both patterns.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (left, right): (Vec<char>, Vec<char>) =
            (self.text.chars().collect(), other.text.chars().collect());
        let mut seen = BTreeSet::new();
        let mut open = vec![(0, 0)];
        while let Some((l, r)) = open.pop() {
            if !seen.insert((l, r)) {
                continue;
            }
            match (left.get(l), right.get(r)) {
                (None, None) => return true,
                (Some('*'), Some('*')) => open.extend([(l + 1, r), (l, r + 1)]),
                // A star takes the other's next character, or nothing.
                (Some('*'), other) => {
                    open.push((l + 1, r));
                    open.extend(other.map(|_| (l, r + 1)));
                }
                (other, Some('*')) => {
                    open.push((l, r + 1));
                    open.extend(other.map(|_| (l + 1, r)));
                }
                (Some(a), Some(b)) if a == b || *a == '?' || *b == '?' => open.push((l + 1, r + 1)),
                _ => {}
            }
        }
        false
    }
}

/// Adds what is reached by letting a star stand for nothing.
fn after_stars(pattern: &[char], mut reached: BTreeSet<usize>) -> BTreeSet<usize> {
    let mut open: Vec<usize> = reached.iter().copied().collect();
    while let Some(at) = open.pop() {
        if pattern.get(at) == Some(&'*') && reached.insert(at + 1) {
            open.push(at + 1);
        }
    }
    reached
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for NamePattern {
    type Err = BadText;

    fn from_str(text: &str) -> Result<Self, BadText> {
        if (1..=200).contains(&text.len()) && !text.chars().any(char::is_control) {
            Ok(Self { text: text.to_owned() })
        } else {
            Err(BadText::new(
                text,
                "a pattern of names",
                "write a name of 1 to 200 bytes; `*` stands for any characters, `?` for one",
            ))
        }
    }
}

serde_as_text!(NamePattern);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The obvious definition, by recursion.
    fn is_match(pattern: &[char], name: &[char]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), tail) => {
                is_match(rest, name) || tail.is_some_and(|(_, tail)| is_match(pattern, tail))
            }
            (Some((p, rest)), Some((c, tail))) => (*p == '?' || p == c) && is_match(rest, tail),
            _ => false,
        }
    }

    /// All names of at most six characters over two letters: enough for patterns of three.
    fn names() -> Vec<Vec<char>> {
        let mut all = vec![vec![]];
        let mut longest = all.clone();
        for _ in 0..6 {
            longest = longest
                .iter()
                .flat_map(|name| ['a', 'b'].map(|c| [name.clone(), vec![c]].concat()))
                .collect();
            all.extend(longest.clone());
        }
        all
    }

    proptest! {
        #[test]
        fn matching_and_overlap_are_what_trying_every_name_says(l in "[ab*?]{1,3}", r in "[ab*?]{1,3}") {
            let (left, right) = (l.parse::<NamePattern>().unwrap(), r.parse::<NamePattern>().unwrap());
            let mut both = false;
            for name in names() {
                let text: String = name.iter().collect();
                let expected = is_match(&l.chars().collect::<Vec<_>>(), &name);
                prop_assert_eq!(left.matches(&text), expected, "{} {}", &l, &text);
                both |= expected && is_match(&r.chars().collect::<Vec<_>>(), &name);
            }
            prop_assert_eq!(left.overlaps(&right), both, "{} {}", l, r);
        }
    }

    #[test]
    fn a_long_hostile_pattern_is_no_slower() {
        let pattern: NamePattern = "*a".repeat(100).parse().unwrap();
        assert!(!pattern.matches(&"a".repeat(99)));
        assert!(pattern.matches(&"a".repeat(100)));
    }
}
