//! Journeys that cross crates.
