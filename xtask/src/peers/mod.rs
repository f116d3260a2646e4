//! What Sluice does beside others that do the like, in one run.

mod opa;
mod plugins;

use std::fs;

use crate::steps::Steps;
use crate::{bench, cargo};

/// What earlier runs have written into the page, or nothing. It is the page's end.
pub(crate) fn section(page: &str) -> &str {
    page.find(opa::SECTION).and_then(|at| page.get(at..)).unwrap_or_default()
}

/// Measures all and writes the end of the page.
///
/// # Errors
/// When something cannot be run, or two do not come to the same.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut steps = Steps::new();
    let root = cargo::root()?;
    let folder = cargo::target()?.join("peers");
    fs::create_dir_all(&folder)?;
    let gates = opa::measure(&mut steps, &root, &folder)?;
    let calls = plugins::measure(&mut steps, &root, &folder)?;
    steps.step(bench::PAGE, || {
        let file = root.join(bench::PAGE);
        let page = fs::read_to_string(&file)?;
        let kept = page.strip_suffix(section(&page)).unwrap_or(&page);
        fs::write(&file, format!("{kept}{gates}{calls}"))?;
        println!("{gates}{calls}");
        Ok(())
    })?;
    steps.finish();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_peers_measured_is_the_end_of_the_page_and_is_written_over() {
        let end = format!("{}x\n{}y\n", opa::SECTION, plugins::SECTION);
        let page = format!("# Benchmarks\n\nx\n{end}");
        assert_eq!(section(&page), end);
        assert_eq!(section("# Benchmarks\n"), "");
    }
}
