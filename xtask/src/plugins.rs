//! Builds the plugins: guests to core modules; those in other languages than Rust, to components, are
//! [`languages`]' matter. A component with its manifest in it is made of either by `sluice plugin
//! build`, as a vendor makes one: only it can ask a plugin what it serves.
//!
//! The result is kept by content. While nothing that goes into a plugin has changed (its source,
//! the contract, the packages it is built from, the profile, the compiler), nothing is built and
//! not even cargo is called; a change of host code never rebuilds one.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};
use wit_component::ComponentEncoder;

use crate::setup::{self, TARGET};
use crate::{cargo, languages};

/// Raised when this file makes components in another way, so that kept ones are made again.
const RECIPE: u32 = 2;

/// What decides, beside the plugin, what its manifest says.
pub(crate) const MANIFESTS: &str = "host/plugin/src/manifest.rs";

/// Plugins for tests of the host. They are built with the others, have no manifest and are never
/// shipped.
const TEST_ONLY: [&str; 2] = ["adversary", "adversary-probe"];

/// A plugin that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuiltPlugin {
    /// The folder's name, such as `sql`.
    pub(crate) name: String,
    /// The component.
    pub(crate) path: PathBuf,
    /// SHA-256 of the component, written `sha256:` and 64 hex digits.
    pub(crate) digest: String,
}

/// Builds all plugins into `target/plugins/<name>.wasm`, those for tests into
/// `target/plugins/test/`, and answers with the shipped ones by name.
///
/// # Errors
/// When the target cannot be added, a guest does not compile or a component cannot be made.
pub(crate) fn build(by: By) -> anyhow::Result<Vec<BuiltPlugin>> {
    let root = root()?;
    let out = root.join("target/plugins");
    let finisher = Finisher::new(&root, &out, by);
    let mut built = in_rust(&root, &out, &finisher)?;
    built.extend(languages::build(&root, &out, &finisher)?);
    built.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(built)
}

/// Runs the tests that plugins have in other languages than Rust.
///
/// # Errors
/// When one fails.
pub(crate) fn test() -> anyhow::Result<()> {
    languages::test(&root()?)
}

/// Which build of the `sluice` command finishes plugins: the one that whoever calls needs anyway, as
/// each compiles the engine of plugins once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The one that `cargo test --workspace` has.
    Tests,
    /// The one that `cargo build` makes.
    Debug,
    /// The one that is shipped.
    Release,
}

impl By {
    /// What cargo is told to make it.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            // Beside any test of the command there is the command.
            Self::Tests => &["test", "--quiet", "--workspace", "--no-run", "--test", "golden"],
            Self::Debug => &["build", "--quiet", "--package", "sluice"],
            Self::Release => &["build", "--quiet", "--package", "sluice", "--release"],
        }
    }
}

/// Puts manifests into components.
pub(crate) struct Finisher {
    root: PathBuf,
    out: PathBuf,
    by: By,
    /// The command, built when it is first needed.
    command: OnceCell<PathBuf>,
}

impl Finisher {
    fn new(root: &Path, out: &Path, by: By) -> Self {
        Self { root: root.to_owned(), out: out.to_owned(), by, command: OnceCell::new() }
    }

    /// Makes `<out>/<name>.wasm` of a core module or a component, with the manifest that
    /// `plugins/<name>/sluice-plugin.toml` says. Answers with its digest.
    pub(crate) fn finish(&self, name: &str, made: &Path) -> anyhow::Result<String> {
        // Whole or not at all: another process may be reading the old one.
        let fresh = self.out.join("fresh");
        let mut command = Command::new(self.command()?);
        command.args(["plugin", "build", "-o", "json"]).arg(self.root.join("plugins").join(name));
        command.arg("--component").arg(made).arg("--into").arg(&fresh);
        // Nothing of whoever runs this is used or changed, and what is compiled on the way is of no more use.
        command.env("SLUICE_HOME", fresh.join("home"));
        output(&mut command).with_context(|| format!("`{name}` cannot be made into a plugin"))?;
        let file = format!("{name}.wasm");
        let component = fs::read(fresh.join(&file))
            .with_context(|| format!("plugins/{name}/sluice-plugin.toml does not say `name = \"{name}\"`"))?;
        fs::rename(fresh.join(&file), self.out.join(&file))?;
        fs::remove_dir_all(&fresh)?;
        Ok(digest(&component))
    }

    fn command(&self) -> anyhow::Result<&PathBuf> {
        if let Some(command) = self.command.get() {
            return Ok(command);
        }
        let mut build = cargo::command(self.by.arguments())?;
        if cargo::is_ci() {
            build.arg("--locked");
        }
        let status = build.status().context("cargo cannot be run")?;
        ensure!(status.success(), "the command `sluice`, which finishes plugins, does not compile");
        let folder = if self.by == By::Release { "release" } else { "debug" };
        let file = cargo::target()?.join(folder).join(format!("sluice{}", std::env::consts::EXE_SUFFIX));
        Ok(self.command.get_or_init(|| file))
    }
}

fn in_rust(root: &Path, out: &Path, finisher: &Finisher) -> anyhow::Result<Vec<BuiltPlugin>> {
    let guests = guests(root)?;
    let content = content(root)?;
    if let Some(kept) = kept(out, &guests, &content) {
        return Ok(kept);
    }
    setup::run()?;
    compile(root, &guests)?;
    fs::create_dir_all(out.join("test"))?;
    let mut stamp = format!("{content}\n");
    for guest in &guests {
        let module = module(root, guest);
        let digest = if TEST_ONLY.contains(&guest.as_str()) {
            let bytes = fs::read(&module).with_context(|| format!("{} was not built", module.display()))?;
            let component =
                component(&bytes).with_context(|| format!("`{guest}` cannot be made into a component"))?;
            let path = component_path(out, guest);
            let fresh = path.with_extension("fresh");
            fs::write(&fresh, &component)?;
            fs::rename(&fresh, &path)?;
            digest(&component)
        } else {
            finisher.finish(guest, &module)?
        };
        stamp.push_str(&format!("{guest} {digest}\n"));
    }
    fs::write(out.join("content"), stamp)?;
    kept(out, &guests, &content).context("the plugins that were just built are gone")
}

/// The components that are there, if they are what this content gives.
fn kept(out: &Path, guests: &[String], content: &str) -> Option<Vec<BuiltPlugin>> {
    let stamp = fs::read_to_string(out.join("content")).ok()?;
    let mut lines = stamp.lines();
    if lines.next()? != content {
        return None;
    }
    let digests: BTreeMap<_, _> = lines.filter_map(|line| line.split_once(' ')).collect();
    let mut plugins = Vec::new();
    for guest in guests {
        let path = component_path(out, guest);
        let digest = digest(&fs::read(&path).ok()?);
        if *digests.get(guest.as_str())? != digest {
            return None;
        }
        if !TEST_ONLY.contains(&guest.as_str()) {
            plugins.push(BuiltPlugin { name: guest.clone(), path, digest });
        }
    }
    Some(plugins)
}

fn component_path(out: &Path, guest: &str) -> PathBuf {
    let folder = if TEST_ONLY.contains(&guest) { out.join("test") } else { out.to_owned() };
    folder.join(guest).with_extension("wasm")
}

fn root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(Path::to_owned).context("the workspace has no folder")
}

/// The folders of `plugins/` that make a component, sorted.
fn guests(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut guests = Vec::new();
    for entry in fs::read_dir(root.join("plugins"))? {
        let entry = entry?;
        let manifest = entry.path().join("Cargo.toml");
        if manifest.is_file() && fs::read_to_string(&manifest)?.contains("cdylib") {
            guests.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    ensure!(!guests.is_empty(), "there are no plugins in {}", root.join("plugins").display());
    guests.sort();
    Ok(guests)
}

fn package(guest: &str) -> String {
    format!("sluice-plugin-{guest}")
}

fn module(root: &Path, guest: &str) -> PathBuf {
    let name = package(guest).replace('-', "_");
    root.join("target/guest").join(TARGET).join("plugin").join(name).with_extension("wasm")
}

fn compile(root: &Path, guests: &[String]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["build", "--quiet", "--profile", "plugin", "--target", TARGET]);
    // A folder of its own, so that it never waits for the lock of the build that runs this.
    command.args(["--target-dir", "target/guest"]).env_remove("CARGO_TARGET_DIR");
    for guest in guests {
        command.args(["-p", &package(guest)]);
    }
    // Without the machine's paths, so that the same source gives the same digest everywhere.
    let mut flags = vec![format!("--remap-path-prefix={}=.", root.display())];
    let home = std::env::home_dir().map(|home| home.join(".cargo"));
    if let Some(cargo_home) = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home) {
        flags.push(format!("--remap-path-prefix={}=cargo", cargo_home.display()));
    }
    command.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    let status = command.status().context("cargo cannot be run")?;
    ensure!(status.success(), "the plugins do not compile (cargo ended with {status})");
    Ok(())
}

fn component(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    ComponentEncoder::default().validate(true).module(module)?.encode()
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("{command:?} cannot be run"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {}", said.trim());
    Ok(String::from_utf8(output.stdout)?)
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All that goes into a plugin, piece by piece.
pub(crate) struct Content(Sha256);

impl Content {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(crate) fn add(&mut self, name: &str, bytes: &[u8]) {
        for piece in [name.as_bytes(), bytes] {
            self.0.update((piece.len() as u64).to_le_bytes());
            self.0.update(piece);
        }
    }

    pub(crate) fn digest(self) -> String {
        hex(&self.0.finalize())
    }
}

/// A digest of all that goes into the plugins.
fn content(root: &Path) -> anyhow::Result<String> {
    let mut content = Content::new();
    content.add("recipe", &RECIPE.to_le_bytes());
    content.add("rustc", output(Command::new("rustc").arg("-vV"))?.as_bytes());
    let mut files = Vec::new();
    for entry in fs::read_dir(root.join("plugins"))? {
        let folder = entry?.path();
        if folder.join("Cargo.toml").is_file() {
            list(&folder, &mut files)?;
        }
    }
    list(&root.join("wit"), &mut files)?;
    files.push(root.join(MANIFESTS));
    files.sort();
    for file in files {
        let name = file.strip_prefix(root)?.to_string_lossy().into_owned();
        content.add(&name, &fs::read(&file)?);
    }
    content.add("Cargo.toml", manifest(&fs::read_to_string(root.join("Cargo.toml"))?).as_bytes());
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    content.add("Cargo.lock", packages(&lock).as_bytes());
    Ok(content.digest())
}

/// Folders in a plugin's that are made of it: what it is made into, and what Python leaves behind.
const MADE: [&str; 2] = ["build", "__pycache__"];

/// Adds all files below a folder that were written by hand.
pub(crate) fn list(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let entry = entry?;
        let path = entry.path();
        if !path.is_dir() {
            files.push(path);
        } else if !MADE.iter().any(|made| entry.file_name() == *made) {
            list(&path, files)?;
        }
    }
    Ok(())
}

/// The parts of the workspace's manifest that decide how a guest is compiled.
fn manifest(text: &str) -> String {
    let mut kept = String::new();
    let mut section = "";
    for line in text.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let whole = matches!(section, "[workspace.package]" | "[profile.plugin]" | "[profile.release]");
        if whole || (section == "[workspace.dependencies]" && line.starts_with("wit-bindgen ")) {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The packages of a `Cargo.lock` that the guests are built from, as they stand there.
fn packages(lock: &str) -> String {
    let blocks: Vec<&str> = lock.split("[[package]]").skip(1).collect();
    let name = |block: &str| -> Option<String> {
        let line = block.lines().find_map(|line| line.strip_prefix("name = "))?;
        Some(line.trim_matches('"').to_owned())
    };
    let by_name: BTreeMap<String, Vec<&str>> = blocks.iter().fold(BTreeMap::new(), |mut by_name, block| {
        by_name.entry(name(block).unwrap_or_default()).or_insert_with(Vec::new).push(*block);
        by_name
    });
    let is_guest = |name: &String| name == "sluice-guest" || name.starts_with("sluice-plugin-");
    let mut ahead: Vec<String> = by_name.keys().filter(|name| is_guest(name)).cloned().collect();
    let mut found = BTreeMap::new();
    while let Some(name) = ahead.pop() {
        let Some(blocks) = by_name.get(&name).filter(|_| !found.contains_key(&name)) else { continue };
        for line in blocks.iter().flat_map(|block| block.lines()) {
            // A dependency is written ` "name",` or ` "name version",`.
            if let Some(dependency) = line.strip_prefix(" \"") {
                ahead.extend(dependency.split(['"', ' ']).next().map(str::to_owned));
            }
        }
        found.insert(name, blocks.concat());
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"bits\"\nversion = \"1.0.0\"\n\n\
        [[package]]\nname = \"sluice-plugin-x\"\nversion = \"0.1.0\"\ndependencies = [\n \"wit 2.0.0\",\n]\n\n\
        [[package]]\nname = \"wit\"\nversion = \"2.0.0\"\ndependencies = [\n \"bits\",\n]\n\n\
        [[package]]\nname = \"host\"\nversion = \"1.0.0\"\n";

    #[test]
    fn only_packages_of_guests_count() {
        let before = packages(LOCK);
        assert!(before.contains("\"bits\"") && before.contains("\"wit\"") && !before.contains("\"host\""));
        assert_eq!(
            packages(&LOCK.replace("name = \"host\"\nversion = \"1", "name = \"host\"\nversion = \"2")),
            before
        );
        assert_ne!(packages(&LOCK.replace("\"bits\"\nversion = \"1", "\"bits\"\nversion = \"3")), before);
    }

    #[test]
    fn only_what_compiles_a_guest_counts_of_the_manifest() {
        let text = "[workspace.dependencies]\nwit-bindgen = \"1\"\nserde = \"1\"\n[profile.plugin]\nlto = true\n[profile.dev]\nx = 1\n";
        let before = manifest(text);
        assert_eq!(
            manifest(&text.replace("serde = \"1\"", "serde = \"2\"").replace("x = 1", "x = 2")),
            before
        );
        for changed in [
            text.replace("lto = true", "lto = false"),
            text.replace("wit-bindgen = \"1\"", "wit-bindgen = \"2\""),
        ] {
            assert_ne!(manifest(&changed), before);
        }
    }

    #[test]
    fn what_was_built_is_kept_until_it_or_its_content_changes() {
        let out = std::env::temp_dir().join(format!("sluice-plugins-{}", std::process::id()));
        fs::create_dir_all(&out).unwrap();
        let guests = ["x".to_owned()];
        fs::write(out.join("x.wasm"), b"component").unwrap();
        fs::write(out.join("content"), format!("c1\nx {}\n", digest(b"component"))).unwrap();
        assert_eq!(kept(&out, &guests, "c1").unwrap().len(), 1);
        assert_eq!(kept(&out, &guests, "c2"), None);
        fs::write(out.join("x.wasm"), b"damaged").unwrap();
        assert_eq!(kept(&out, &guests, "c1"), None);
        fs::remove_dir_all(&out).unwrap();
    }
}
