//! Journeys that cross crates, in one test binary.

#[cfg(test)]
mod walls;
