//! Which rows of a list of facts have which text in a field.
//!
//! Rows are sorted by a hash of their text, so that those of one text lie together: twelve bytes
//! for each row, however long the texts are. Facts may hold texts of a hundred megabytes.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher as _};
use std::ops::Range;

/// The rows of a list in the order of the hashes of their texts.
#[derive(Debug)]
pub(crate) struct Index {
    hashes: Box<[u64]>,
    rows: Box<[u32]>,
}

/// The place of the rows of one text within an index.
pub(crate) type Run = Range<usize>;

impl Index {
    /// Sorts rows by their text; `None` where one has none, or two texts have one hash.
    pub(crate) fn of<'f>(count: usize, text: impl Fn(u32) -> Option<Cow<'f, str>>) -> Option<Self> {
        let mut sorted = Vec::with_capacity(count);
        for row in 0..u32::try_from(count).ok()? {
            sorted.push((hash(&text(row)?), row));
        }
        // Stable, so that rows stay in order, and quick where few texts are many rows'.
        sorted.sort_by_key(|(hash, _)| *hash);
        for pair in sorted.windows(2) {
            if let [(a, first), (b, second)] = pair
                && a == b
                && text(*first) != text(*second)
            {
                return None;
            }
        }
        Some(Self {
            hashes: sorted.iter().map(|(hash, _)| *hash).collect(),
            rows: sorted.iter().map(|(_, row)| *row).collect(),
        })
    }

    /// Where the rows of a text lie, in the order of the list; nothing for a text that no row has.
    pub(crate) fn run<'f>(&self, wanted: &str, text: impl Fn(u32) -> Option<Cow<'f, str>>) -> Run {
        let hash = hash(wanted);
        let from = self.hashes.partition_point(|other| *other < hash);
        let until = from + self.hashes.get(from..).map_or(0, |rest| rest.partition_point(|h| *h == hash));
        match self.rows.get(from).and_then(|row| text(*row)) {
            Some(found) if found == wanted => from..until,
            _ => 0..0,
        }
    }

    /// The rows of a run.
    pub(crate) fn rows(&self, run: &Run) -> &[u32] {
        self.rows.get(run.clone()).unwrap_or_default()
    }
}

fn hash(text: &str) -> u64 {
    // Always the same keys: a text that collides with another costs the index, nothing else.
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_run_holds_the_rows_that_a_walk_finds(texts in prop::collection::vec("[a-c]{0,2}", 0..60)) {
            let text = |row: u32| texts.get(row as usize).map(|text| Cow::Borrowed(text.as_str()));
            let index = Index::of(texts.len(), text).unwrap();
            for wanted in ["", "a", "ab", "cc", "abc"] {
                let walked: Vec<u32> =
                    (0..).zip(&texts).filter(|(_, text)| *text == wanted).map(|(row, _)| row).collect();
                prop_assert_eq!(index.rows(&index.run(wanted, text)), walked);
            }
        }
    }

    #[test]
    fn a_row_without_a_text_leaves_no_index() {
        assert!(Index::of(2, |row| (row == 0).then_some(Cow::Borrowed("a"))).is_none());
        assert_eq!(Index::of(0, |_| None).unwrap().run("a", |_| None), 0..0);
    }
}
