//! The plugins as they are built, in the host: what they make, what it costs them to do wrong, and what
//! is kept of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "helpers of tests may fail as tests do, and say what they skip"
)]

mod adversaries;
mod adversary;
mod built;
mod cache;
mod conformance;
mod contract;
mod corpus;
mod first_party;
mod fuzz;
mod kinds;
mod languages;
mod load;
mod memory;
mod probe;
mod spoil;
