//! What has to be there before anything is built: the target of the plugins.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::cargo;

/// What plugins are compiled for: no system interface at all.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Adds the target where it is missing.
///
/// # Errors
/// When it cannot be added; says the one command to run on this system.
pub(crate) fn run() -> anyhow::Result<()> {
    if is_there()? {
        return Ok(());
    }
    println!("the target {TARGET} is missing: adding it with rustup");
    let added = Command::new("rustup")
        .args(["target", "add", TARGET])
        // The toolchain that this repository is built with, whatever the folder it is called in.
        .current_dir(cargo::root()?)
        .stdin(Stdio::null())
        .status();
    let problem = match added {
        Ok(status) if status.success() && is_there()? => return Ok(()),
        Ok(status) if status.success() => "rustup serves another toolchain than the one in use".to_owned(),
        Ok(status) => format!("rustup ended with {status}"),
        Err(_) => "there is no rustup here".to_owned(),
    };
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let advice = advice(std::env::consts::OS, &release, is_distribution_s(&sysroot()?));
    bail!("{problem}. The plugins need the target {TARGET}; run\n\n  {advice}\n\nand try again");
}

/// Whether the standard library for the target is there.
fn is_there() -> anyhow::Result<bool> {
    let folder = rustc(&["--print", "target-libdir", "--target", TARGET])?;
    // The folder alone can be left over from a toolchain that was updated.
    let has_library = fs::read_dir(folder.trim()).is_ok_and(|mut files| {
        files.any(|file| file.is_ok_and(|f| f.file_name().to_string_lossy().starts_with("libstd")))
    });
    Ok(has_library)
}

fn sysroot() -> anyhow::Result<String> {
    rustc(&["--print", "sysroot"])
}

fn rustc(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("rustc")
        .args(arguments)
        .current_dir(cargo::root()?)
        .output()
        .context("rustc cannot be run; install Rust from https://rustup.rs")?;
    if !output.status.success() {
        bail!("rustc {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether the compiler came from the system's own packages.
fn is_distribution_s(sysroot: &str) -> bool {
    let path = Path::new(sysroot.trim());
    path == Path::new("/usr") || path.starts_with("/usr/lib")
}

/// The one command to run.
fn advice(system: &str, release: &str, from_distribution: bool) -> String {
    let rustup = format!("rustup target add {TARGET}");
    let installer =
        format!("curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --target {TARGET}");
    let is_like = |name: &str| {
        release
            .lines()
            .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
            .any(|ids| ids.trim_matches('"').split(' ').any(|id| id == name))
    };
    match system {
        "linux" if from_distribution && is_like("debian") => {
            "sudo apt-get install libstd-rust-dev-wasm32".to_owned()
        }
        "linux" if from_distribution && (is_like("fedora") || is_like("rhel")) => {
            format!("sudo dnf install rust-std-static-{TARGET}")
        }
        "macos" => format!("brew install rustup && rustup default stable && {rustup}"),
        "windows" => format!("winget install Rustlang.Rustup && {rustup}"),
        _ => installer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_gets_one_command() {
        let debian = "NAME=\"x\"\nID=debian\nVERSION_ID=\"12\"";
        let mint = "ID=linuxmint\nID_LIKE=\"ubuntu debian\"";
        for (system, release, packaged, expected) in [
            ("linux", debian, true, "sudo apt-get install libstd-rust-dev-wasm32"),
            ("linux", mint, true, "sudo apt-get install libstd-rust-dev-wasm32"),
            ("linux", debian, false, "curl --proto"),
            ("linux", "ID=fedora", true, "sudo dnf install rust-std-static-wasm32-unknown-unknown"),
            ("linux", "ID=arch", true, "curl --proto"),
            ("linux", "", false, "curl --proto"),
            ("macos", "", false, "brew install rustup"),
            ("windows", "", false, "winget install Rustlang.Rustup"),
        ] {
            let command = advice(system, release, packaged);
            assert!(command.starts_with(expected) && !command.contains('\n'), "{command}");
        }
        assert!(is_distribution_s("/usr\n") && is_distribution_s("/usr/lib/rust-1.95"));
        assert!(
            !is_distribution_s("/home/me/.rustup/toolchains/stable")
                && !is_distribution_s("/usr/local/rustup")
        );
    }
}
