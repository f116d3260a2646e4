//! Set-up, tests, demonstration and benchmarks of the project.

mod plugins;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("build-plugins") => plugins::build().map(drop),
        _ => anyhow::bail!("usage: cargo xtask build-plugins"),
    }
}
