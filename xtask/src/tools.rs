//! Programs that some tests run beside the product: a registry for plugins.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::cargo;

/// Debian's package, and its program of the same name.
const REGISTRY: &str = "docker-registry";

/// Fetches what is missing into `target/tools`. Where that cannot be done it says what is missing and why, and
/// goes on: tests that want it say that they were skipped.
///
/// # Errors
/// When the repository's own folder cannot be written to.
pub(crate) fn run() -> anyhow::Result<()> {
    let folder = cargo::root()?.join("target/tools");
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        std::env::split_paths(&paths).chain([folder.clone()]).any(|folder| folder.join(REGISTRY).is_file());
    if is_there {
        return Ok(());
    }
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    println!("`{REGISTRY}` is missing: fetching Debian's package into target/tools");
    if let Err(why) = fetch(&folder) {
        println!("it cannot be fetched ({why:#}): tests against a real registry of plugins are skipped");
    }
    Ok(())
}

/// Takes the program out of the package, for which nobody has to be root and nothing is installed.
fn fetch(folder: &Path) -> anyhow::Result<()> {
    let unpacked = folder.join("unpacked");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked)?;
    }
    fs::create_dir(&unpacked)?;
    let done = unpack(&unpacked).and_then(|()| {
        fs::rename(unpacked.join("usr/bin").join(REGISTRY), folder.join(REGISTRY))
            .context("the package has no such program")
    });
    fs::remove_dir_all(&unpacked)?;
    done
}

fn unpack(folder: &Path) -> anyhow::Result<()> {
    call(folder, "apt-get", &["download", REGISTRY])?;
    let is_package = |path: &Path| path.extension().is_some_and(|ending| ending == "deb");
    let mut files = fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
    let package = files.find(|path| is_package(path)).context("apt-get downloaded no package")?;
    call(folder, "dpkg-deb", &["-x", &package.to_string_lossy(), "."])
}

fn call(folder: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(folder).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("`{program}` cannot be run"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("`{program}` ended with {}: {}", output.status, told.trim().lines().last().unwrap_or_default());
    }
    Ok(())
}
