//! Set-up, tests, demonstration and benchmarks of the project.
fn main() {}
