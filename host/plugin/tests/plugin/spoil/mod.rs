//! Components and data sources made of random bytes, and what must hold of every one of them.
//!
//! Shared by the fuzz targets, which choose the bytes by what they reach, and by a test that takes
//! them at random.

#![allow(dead_code, reason = "each fuzz target uses a part of it")]

pub(crate) mod component;
pub(crate) mod source;

/// Choices taken from bytes; after their end always the first choice, so that all comes to an end.
struct Choices<'b>(&'b [u8]);

impl<'b> Choices<'b> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, count: usize) -> usize {
        let wide = if count > 200 { usize::from(self.byte()) << 8 } else { 0 };
        let wider = if count > 50_000 { usize::from(self.byte()) << 16 } else { 0 };
        (wider + wide + usize::from(self.byte())) % count.max(1)
    }

    fn of<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len())]
    }

    fn rest(&self) -> &'b [u8] {
        self.0
    }
}
