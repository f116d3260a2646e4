//! `sluice plugin new`.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::json;
use sluice_engine::config::PluginName;

use super::VERSION;
use crate::answer::Answer;
use crate::failure::Failure;
use crate::page::{Page, Style, quoted};

// The guest SDKs, the contract and the templates, as `(path, content)` within the repository, and
// how the workspace asks for `wit-bindgen`.
include!(concat!(env!("OUT_DIR"), "/plugins.rs"));

const EXAMPLES: &str = "\
Examples:
  sluice plugin new orders-db --lang rust
  sluice plugin new orders-db --lang js --folder plugins";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The plugin's name: lower-case letters, digits and single hyphens.
    name: PluginName,
    /// The language that it is written in.
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    lang: Language,
    /// The folder into which the project's folder goes.
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

/// A language that there is a guest SDK for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Rust.
    Rust,
    /// JavaScript.
    Js,
    /// Python.
    Python,
}

impl Language {
    /// Where a project's files come from, and where they go.
    const fn places(self) -> [(&'static str, &'static str); 3] {
        const CONTRACT: (&str, &str) = ("wit/1.0/", "wit/1.0/");
        match self {
            Self::Rust => {
                [("plugins/templates/rust/", ""), ("plugins/sdk/src/", "vendor/sluice-guest/src/"), CONTRACT]
            }
            Self::Js => [("plugins/templates/js/", ""), ("plugins/sdk-js/", "sdk/"), CONTRACT],
            Self::Python => [("plugins/templates/python/", ""), ("plugins/sdk-python/", "sdk/"), CONTRACT],
        }
    }

    /// What runs the project's own tests.
    const fn tests(self) -> &'static str {
        match self {
            Self::Rust => "cargo test",
            Self::Js => "npm test",
            Self::Python => "python3 -m unittest discover test",
        }
    }
}

/// Writes the project.
pub(super) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    let Arguments { name, lang, folder } = arguments;
    let name = name.as_str();
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(Failure::usage(
            format!("`{name}` does not begin with a letter, as names of packages must"),
            "choose another name",
        ));
    }
    let folder = if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) };
    if folder.exists() {
        return Err(Failure::usage(
            format!("`{}` is there already", folder.display()),
            "choose another name, or another folder with `--folder`",
        ));
    }
    let files = project(*lang, name);
    for (path, bytes) in &files {
        write(&folder.join(path), bytes).map_err(|error| {
            Failure::failed(
                format!("`{}` cannot be written: {error}", folder.display()),
                "name a folder that may be written with `--folder`",
            )
        })?;
    }
    let mut page = Page::new();
    page.styled(Style::Good, format!("made the plugin `{name}` in {}", folder.display()));
    for (path, _) in files.iter().filter(|(path, _)| is_own(path)) {
        page.line(format!("  {path}"));
    }
    let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    let answer = Answer::new(&json!({"name": name, "folder": folder, "files": paths}), page)?;
    Ok(answer
        .hint("\nNext:")
        .hint(format!("  cd {}", quoted(&folder.display().to_string())))
        .hint(format!("  {}", lang.tests()))
        .hint("  sluice plugin build")
        .hint("  sluice plugin test"))
}

/// Whether a vendor will change the file: it is no part of the SDK or the contract.
fn is_own(path: &str) -> bool {
    !["vendor/", "sdk/", "wit/"].iter().any(|folder| path.starts_with(folder))
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, bytes)
}

/// The files of a new project, in order.
fn project(lang: Language, name: &str) -> Vec<(String, Vec<u8>)> {
    let [(template, _), ..] = lang.places();
    let mut files = Vec::new();
    for (from, to) in lang.places() {
        for (path, bytes) in FILES {
            let Some(rest) = path.strip_prefix(from) else { continue };
            let bytes = if from == template { filled(bytes, name) } else { bytes.to_vec() };
            files.push((format!("{to}{rest}"), bytes));
        }
    }
    files.sort();
    files
}

/// A template with what it leaves open.
fn filled(template: &[u8], name: &str) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(template) else { return template.to_vec() };
    text.replace("{{name}}", name)
        .replace("{{name_}}", &name.replace('-', "_"))
        .replace("{{host}}", VERSION)
        .replace("{{wit-bindgen}}", WIT_BINDGEN)
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_of_each_language_has_all_that_it_needs_and_nothing_is_left_open() {
        for lang in Language::value_variants() {
            let files = project(*lang, "orders-db");
            let is_there =
                |wanted: &str| files.iter().any(|(path, bytes)| path == wanted && !bytes.is_empty());
            for wanted in
                ["sluice-plugin.toml", "README.md", ".gitignore", "example/orders.json", "wit/1.0/plugin.wit"]
            {
                assert!(
                    is_there(wanted),
                    "{lang:?}: {wanted} in {:?}",
                    files.iter().map(|f| &f.0).collect::<Vec<_>>()
                );
            }
            for (path, bytes) in files.iter().filter(|(path, _)| is_own(path)) {
                let text = std::str::from_utf8(bytes).unwrap();
                for open in ["{{name", "{{host", "{{wit-"] {
                    assert!(!text.contains(open), "{lang:?}: {path} has {open}");
                }
            }
            let (_, toml) = files.iter().find(|(path, _)| path == "sluice-plugin.toml").unwrap();
            let toml: toml::Table = std::str::from_utf8(toml).unwrap().parse().unwrap();
            assert_eq!(toml["name"].as_str(), Some("orders-db"));
            assert!(
                files.iter().all(|(path, _)| !path.contains("__pycache__") && !path.contains("node_modules"))
            );
        }
    }

    #[test]
    fn a_template_is_filled() {
        let filled = filled(b"{{name}} {{name_}} {{host}} {{other}}", "a-b");
        assert_eq!(filled, format!("a-b a_b {VERSION} {{{{other}}}}").into_bytes());
        assert!(WIT_BINDGEN.starts_with("wit-bindgen = {"));
    }
}
