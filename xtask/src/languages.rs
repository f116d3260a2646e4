//! Builds the plugins in other languages than Rust, where the language's own toolchain is there.
//!
//! The tools are the ones that a vendor's new project pins, installed below `target/`. A component
//! is kept by content as the others are. It is not the same byte for byte when it is built again:
//! both languages take a picture of a runtime that has begun, and there are random numbers in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::plugins::{BuiltPlugin, Content, Finisher, MANIFESTS, digest, list};

/// Raised when this file makes components in another way.
const RECIPE: u32 = 2;

/// A language that plugins are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    JavaScript,
    Python,
}

impl Language {
    const ALL: [Self; 2] = [Self::JavaScript, Self::Python];

    /// The file of a plugin that only plugins in this language have.
    fn mark(self) -> &'static str {
        match self {
            Self::JavaScript => "main.js",
            Self::Python => "plugin.py",
        }
    }

    /// The folder of its SDK in `plugins/`.
    fn sdk(self) -> &'static str {
        match self {
            Self::JavaScript => "sdk-js",
            Self::Python => "sdk-python",
        }
    }

    /// The folder of what a new project begins as, in `plugins/templates/`, and of the tools.
    fn template(self) -> &'static str {
        match self {
            Self::JavaScript => "js",
            Self::Python => "python",
        }
    }

    /// The files of a new project that pin the tools.
    fn pins(self) -> &'static [&'static str] {
        match self {
            Self::JavaScript => &["package.json", "package-lock.json"],
            Self::Python => &["requirements.txt"],
        }
    }

    /// Installs the tools into `folder`.
    fn install(self, folder: &Path) -> anyhow::Result<()> {
        match self {
            Self::JavaScript => {
                let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
                run(Command::new("npm").args(arguments).current_dir(folder))
            }
            Self::Python => {
                run(Command::new("python3").args(["-m", "venv", "."]).current_dir(folder))?;
                let pip = ["-m", "pip", "--quiet", "--disable-pip-version-check", "install"];
                let pinned = ["--require-hashes", "--only-binary=:all:", "--requirement", "requirements.txt"];
                run(Command::new(bin(folder).join("python")).args(pip).args(pinned).current_dir(folder))
            }
        }
    }

    /// Makes the component of the plugin in `plugins/<name>`.
    fn build(self, root: &Path, tools: &Path, name: &str, out: &Path) -> anyhow::Result<()> {
        let plugins = root.join("plugins");
        let plugin = plugins.join(name);
        let wit = root.join("wit/1.0");
        let world = "data-source-with-probe";
        match self {
            // With WASI, so that the host's is in use.
            Self::JavaScript => run(Command::new("node")
                .arg(tools.join("node_modules/componentize-qjs/bin/componentize-qjs"))
                .args(["--sync", "--world", world, "--wit"])
                .arg(wit)
                .arg("--js")
                .arg(plugin.join(self.mark()))
                .arg("--module-root")
                .arg(plugins)
                .arg("--output")
                .arg(out)),
            Self::Python => run(Command::new(bin(tools).join("componentize-py"))
                .args(["--quiet", "--world", world, "--wit-path"])
                .arg(wit)
                .args(["componentize", "--stub-wasi", "--python-path"])
                .arg(plugin)
                .arg("--python-path")
                .arg(plugins.join(self.sdk()))
                .arg("--output")
                .arg(out)
                .arg("component_with_probe")
                .env("PYTHONDONTWRITEBYTECODE", "1")),
        }
    }

    /// Runs the tests in this language in a folder of `plugins/`.
    fn test(self, root: &Path, folder: &str) -> anyhow::Result<()> {
        let plugin = root.join("plugins").join(folder);
        match self {
            Self::JavaScript => run(Command::new("node").args(["--test", "."]).current_dir(plugin)),
            Self::Python => run(Command::new("python3")
                .args(["-m", "unittest", "--quiet"])
                .current_dir(plugin)
                .env("PYTHONDONTWRITEBYTECODE", "1")),
        }
    }
}

impl std::fmt::Display for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::JavaScript => "JavaScript",
            Self::Python => "Python",
        })
    }
}

/// Where a virtual environment of Python has its programs.
fn bin(folder: &Path) -> PathBuf {
    folder.join(if cfg!(windows) { "Scripts" } else { "bin" })
}

/// Builds them into `out`. Where a language's tools cannot be had, what is left of its plugins is
/// removed, and it says so and why.
///
/// # Errors
/// When a plugin does not compile.
pub(crate) fn build(root: &Path, out: &Path, finisher: &Finisher) -> anyhow::Result<Vec<BuiltPlugin>> {
    let mut built = Vec::new();
    for language in Language::ALL {
        let mut stale = Vec::new();
        for name in named(root, language)? {
            let content = content(root, language, &name)?;
            match kept(out, &name, &content) {
                Some(plugin) => built.push(plugin),
                None => stale.push((name, content)),
            }
        }
        if stale.is_empty() {
            continue;
        }
        let tools = match tools(root, language) {
            Ok(tools) => tools,
            Err(why) => {
                for (name, _) in &stale {
                    let _ = fs::remove_file(component(out, name));
                }
                let names: Vec<_> = stale.iter().map(|(name, _)| name.as_str()).collect();
                println!("skipped, as the tools of {language} cannot be had: {} ({why:#})", names.join(", "));
                continue;
            }
        };
        for (name, content) in stale {
            fs::create_dir_all(out)?;
            let path = component(out, &name);
            let made = path.with_extension("made");
            language
                .build(root, &tools, &name, &made)
                .with_context(|| format!("`{name}` cannot be made into a component"))?;
            let digest = finisher.finish(&name, &made)?;
            fs::remove_file(&made)?;
            fs::write(stamp(out, &name), format!("{content}\n{digest}\n"))?;
            built.push(BuiltPlugin { name, path, digest });
        }
    }
    Ok(built)
}

/// Runs the tests that the plugins have in their own languages, where those are there.
///
/// # Errors
/// When one fails.
pub(crate) fn test(root: &Path) -> anyhow::Result<()> {
    for language in Language::ALL {
        let program = match language {
            Language::JavaScript => "node",
            Language::Python => "python3",
        };
        // What all SDKs play, and the plugins' own.
        for name in [vec!["sdk/tests".to_owned()], named(root, language)?].concat() {
            if Command::new(program).arg("--version").output().is_err() {
                println!("skipped, as there is no `{program}`: the tests of {name}");
                continue;
            }
            language.test(root, &name).with_context(|| format!("the tests of `{name}`"))?;
        }
    }
    Ok(())
}

/// The folders of `plugins/` in a language, sorted.
fn named(root: &Path, language: Language) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("plugins"))? {
        let entry = entry?;
        if entry.path().join(language.mark()).is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn component(out: &Path, name: &str) -> PathBuf {
    out.join(name).with_extension("wasm")
}

/// Where it is kept what a component was made from, and its digest.
fn stamp(out: &Path, name: &str) -> PathBuf {
    out.join(format!("content-{name}"))
}

/// The component that is there, if it is what this content gives.
fn kept(out: &Path, name: &str, content: &str) -> Option<BuiltPlugin> {
    let stamp = fs::read_to_string(stamp(out, name)).ok()?;
    let (of, digest_of) = stamp.trim_end().split_once('\n')?;
    let path = component(out, name);
    let digest = digest(&fs::read(&path).ok()?);
    (of == content && digest_of == digest).then(|| BuiltPlugin { name: name.to_owned(), path, digest })
}

/// A digest of all that goes into a plugin.
fn content(root: &Path, language: Language, name: &str) -> anyhow::Result<String> {
    let plugins = root.join("plugins");
    let mut files = Vec::new();
    for folder in [plugins.join(name), plugins.join(language.sdk()), root.join("wit/1.0")] {
        list(&folder, &mut files)?;
    }
    let template = plugins.join("templates").join(language.template());
    files.extend(language.pins().iter().map(|file| template.join(file)));
    files.push(root.join(MANIFESTS));
    files.sort();
    let mut content = Content::new();
    content.add("recipe", &RECIPE.to_le_bytes());
    for file in files {
        content.add(&file.strip_prefix(root)?.to_string_lossy(), &fs::read(&file)?);
    }
    Ok(content.digest())
}

/// The folder of a language's tools, installed where they are not or others are.
fn tools(root: &Path, language: Language) -> anyhow::Result<PathBuf> {
    let folder = root.join("target/plugin-tools").join(language.template());
    let template = root.join("plugins/templates").join(language.template());
    let mut content = Content::new();
    for file in language.pins() {
        content.add(file, &fs::read(template.join(file))?);
    }
    let (stamp, pinned) = (folder.join("installed"), content.digest());
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == pinned) {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for file in language.pins() {
        fs::copy(template.join(file), folder.join(file))?;
    }
    println!("installing the tools of {language} into {}", folder.display());
    language.install(&folder)?;
    fs::write(stamp, pinned)?;
    Ok(folder)
}

/// Runs a command; what it says is shown only where it fails.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!("there is no `{program}`"),
        Err(error) => return Err(error).with_context(|| format!("`{program}` cannot be run")),
    };
    let told =
        || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "`{program}` ended with {}: {}", output.status, told().trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with one plugin in JavaScript, and where it is built to.
    fn repository(name: &str) -> (PathBuf, PathBuf) {
        let root = std::env::temp_dir().join(format!("sluice-languages-{name}-{}", std::process::id()));
        for (file, text) in [
            ("plugins/x/main.js", "export {}"),
            ("plugins/x/example/a.json", "{}"),
            ("plugins/rust/Cargo.toml", ""),
            ("plugins/sdk-js/sluice.js", ""),
            ("plugins/templates/js/package.json", "{}"),
            ("plugins/templates/js/package-lock.json", "{}"),
            ("wit/1.0/plugin.wit", ""),
            (MANIFESTS, ""),
        ] {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let out = root.join("out");
        fs::create_dir_all(&out).unwrap();
        (root, out)
    }

    #[test]
    fn a_plugin_is_known_by_its_file() {
        let (root, _) = repository("named");
        assert_eq!(named(&root, Language::JavaScript).unwrap(), ["x"]);
        assert_eq!(named(&root, Language::Python).unwrap(), [""; 0]);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_was_built_is_kept_until_it_or_what_it_is_made_of_changes() {
        let (root, out) = repository("kept");
        let now = |root: &Path| content(root, Language::JavaScript, "x").unwrap();
        let before = now(&root);
        fs::write(component(&out, "x"), b"component").unwrap();
        fs::write(stamp(&out, "x"), format!("{before}\n{}\n", digest(b"component"))).unwrap();
        assert_eq!(kept(&out, "x", &before).unwrap().digest, digest(b"component"));
        for file in [
            "plugins/x/main.js",
            "plugins/sdk-js/sluice.js",
            "plugins/templates/js/package-lock.json",
            MANIFESTS,
        ] {
            let text = fs::read_to_string(root.join(file)).unwrap();
            fs::write(root.join(file), "changed").unwrap();
            assert_eq!(kept(&out, "x", &now(&root)), None, "{file}");
            fs::write(root.join(file), text).unwrap();
        }
        fs::write(root.join("plugins/rust/Cargo.toml"), "changed").unwrap();
        assert!(kept(&out, "x", &now(&root)).is_some(), "another plugin");
        fs::write(component(&out, "x"), b"damaged").unwrap();
        assert_eq!(kept(&out, "x", &before), None);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_program_that_is_missing_or_fails_says_so() {
        let missing = run(&mut Command::new("no-such-program-here")).unwrap_err();
        assert_eq!(missing.to_string(), "there is no `no-such-program-here`");
        let failed = run(Command::new("rustc").arg("--no-such-option")).unwrap_err().to_string();
        assert!(failed.starts_with("`rustc` ended with") && failed.contains("no-such-option"), "{failed}");
    }
}
