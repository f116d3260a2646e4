//! Puts files of the repository into the binary, so that it needs nothing else: the policy packs for
//! `sluice init`; the guest SDKs, the contract and the templates for `sluice plugin new`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What the projects of new plugins are made of.
const OF_PLUGINS: [&str; 5] =
    ["plugins/templates", "plugins/sdk/src", "plugins/sdk-js", "plugins/sdk-python", "wit/1.0"];

/// Folders that tools leave behind.
const OF_TOOLS: [&str; 5] = ["target", "node_modules", "build", ".venv", "__pycache__"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let mut policies = Vec::new();
    collect(&root.join("policies"), "", &mut policies)?;
    write("policies.rs", &list("POLICIES", policies)?)?;
    let mut plugins = Vec::new();
    for folder in OF_PLUGINS {
        collect(&root.join(folder), folder, &mut plugins)?;
    }
    let mut code = list("FILES", plugins)?;
    writeln!(code, "const WIT_BINDGEN: &str = {:?};", wit_bindgen(&root.join("Cargo.toml"))?)?;
    write("plugins.rs", &code)
}

fn write(name: &str, code: &str) -> Result<(), Box<dyn Error>> {
    Ok(fs::write(PathBuf::from(env::var("OUT_DIR")?).join(name), code)?)
}

/// A constant that holds files by their names.
fn list(constant: &str, mut files: Vec<(String, PathBuf)>) -> Result<String, Box<dyn Error>> {
    files.sort();
    let mut code = format!("const {constant}: &[(&str, &[u8])] = &[\n");
    for (name, path) in &files {
        println!("cargo:rerun-if-changed={}", path.display());
        writeln!(code, "    ({name:?}, include_bytes!({:?})),", path.display().to_string())?;
    }
    code.push_str("];\n");
    Ok(code)
}

/// The line by which the workspace asks for `wit-bindgen`: the guest SDK is the same outside of it.
fn wit_bindgen(manifest: &Path) -> Result<String, Box<dyn Error>> {
    println!("cargo:rerun-if-changed={}", manifest.display());
    let text = fs::read_to_string(manifest)?;
    let line = text.lines().find(|line| line.starts_with("wit-bindgen = "));
    Ok(line.ok_or("the workspace does not ask for wit-bindgen")?.to_owned())
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|_| "a file name is not UTF-8")?;
        if OF_TOOLS.contains(&name.as_str()) || (name.starts_with('.') && name != ".gitignore") {
            continue;
        }
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &name, files)?;
        } else {
            files.push((name, entry.path()));
        }
    }
    Ok(())
}
