//! A plugin's project: a folder with a `sluice-plugin.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;
use sluice_engine::config::{PluginName, PublisherName};
use sluice_plugin::conformance::Example;
use sluice_plugin::manifest::Card;

use super::licence::Licence;
use crate::failure::Failure;
use crate::input;

/// The file that makes a folder a plugin's project.
pub(super) const PROJECT_FILE: &str = "sluice-plugin.toml";

/// The folder of examples in it.
const EXAMPLES: &str = "example";

/// The folder for what is made.
const MADE: &str = "build";

/// Bytes of [`PROJECT_FILE`] that are read: some lines.
const MOST_BYTES: u64 = 64 << 10;

/// Bytes of an example that are read, as the suite says.
const MOST_EXAMPLE: u64 = 4 << 20;

/// Examples, and files whose changes are watched: a project has a handful of the one and some
/// hundred of the other.
const MOST_EXAMPLES: usize = 1_000;
const MOST_FILES: usize = 20_000;

/// Folders that tools make: what changes there is no change of the project's.
const OF_TOOLS: [&str; 5] = ["target", "node_modules", MADE, "dist", "__pycache__"];

/// A plugin's project.
#[derive(Debug)]
pub(super) struct Project {
    folder: PathBuf,
    made: PathBuf,
    /// What is said of the plugin.
    pub(super) card: Card,
    /// How its component is made.
    pub(super) build: Build,
}

/// How a component is made.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Build {
    /// A program and what it is given; it is run in the project's folder.
    pub(super) command: Vec<String>,
    /// The file that it makes: a component, or a core module that is made into one.
    pub(super) component: PathBuf,
}

/// What [`PROJECT_FILE`] says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    name: PluginName,
    version: String,
    publisher: PublisherName,
    licence: Licence,
    description: String,
    minimum_host: String,
    #[serde(default)]
    probe: Probe,
    build: Build,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Probe {
    #[serde(default)]
    hosts: Vec<String>,
}

/// When each of a project's own files was last changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Snapshot(BTreeMap<PathBuf, SystemTime>);

impl Project {
    /// Whether a folder is one.
    pub(super) fn is_at(folder: &Path) -> bool {
        folder.join(PROJECT_FILE).is_file()
    }

    /// Reads what the project says of itself.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(PROJECT_FILE);
        if !path.is_file() {
            return Err(Failure::usage(
                format!("`{}` has no `{PROJECT_FILE}`", folder.display()),
                "name a plugin's project, or make one with `sluice plugin new NAME --lang rust`",
            ));
        }
        let bytes = input::file(&path, MOST_BYTES)?;
        let text = String::from_utf8(bytes).map_err(|_| {
            Failure::failed(format!("`{}` is not written in UTF-8", path.display()), "write it in UTF-8")
        })?;
        let File { name, version, publisher, licence, description, minimum_host, probe, build } =
            toml::from_str(&text).map_err(|error| unreadable(&path, &text, &error))?;
        if build.command.is_empty() || build.component.as_os_str().is_empty() {
            return Err(Failure::failed(
                format!("`{}` says in `[build]` no command, or no component", path.display()),
                "write `command = [\"PROGRAM\", \"ARGUMENT\"]` and `component = \"FILE\"`",
            ));
        }
        let card = Card {
            name: name.to_string(),
            version,
            publisher: publisher.to_string(),
            licence: licence.to_string(),
            description,
            minimum_host,
            probe_hosts: probe.hosts,
        };
        Ok(Self { folder: folder.to_owned(), made: folder.join(MADE), card, build })
    }

    /// The project, with another folder for what is made.
    pub(super) fn into_folder(self, made: &Path) -> Self {
        Self { made: made.to_owned(), ..self }
    }

    /// Its folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where its component goes.
    pub(super) fn component(&self) -> PathBuf {
        self.made.join(format!("{}.wasm", self.card.name))
    }

    /// Where its manifest goes.
    pub(super) fn manifest(&self) -> PathBuf {
        self.made.join(format!("{}.manifest.json", self.card.name))
    }

    /// Whether the component is there, and younger than all that it is made of.
    pub(super) fn is_built(&self) -> Result<bool, Failure> {
        let made = |path: PathBuf| std::fs::metadata(path).and_then(|data| data.modified()).ok();
        let (Some(component), Some(_)) = (made(self.component()), made(self.manifest())) else {
            return Ok(false);
        };
        let examples = self.folder.join(EXAMPLES);
        let Snapshot(files) = snapshot(&self.folder)?;
        Ok(files.iter().all(|(path, changed)| path.starts_with(&examples) || *changed < component))
    }
}

/// When a project's files were last changed.
pub(super) fn snapshot(folder: &Path) -> Result<Snapshot, Failure> {
    let mut snapshot = Snapshot::default();
    snapshot.add(folder)?;
    Ok(snapshot)
}

impl Snapshot {
    fn add(&mut self, folder: &Path) -> Result<(), Failure> {
        for entry in std::fs::read_dir(folder).map_err(Failure::file(folder))? {
            let entry = entry.map_err(Failure::file(folder))?;
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            if name.starts_with('.') || OF_TOOLS.contains(&&*name) {
                continue;
            }
            // Of a file that has gone meanwhile nothing is to be known.
            let Ok(data) = entry.metadata() else { continue };
            if data.is_dir() {
                self.add(&path)?;
            } else if let Ok(changed) = data.modified() {
                self.0.insert(path, changed);
            }
            if self.0.len() > MOST_FILES {
                return Err(Failure::failed(
                    format!("`{}` holds more than {MOST_FILES} files", folder.display()),
                    format!("put what does not belong to the plugin elsewhere, or into a folder `{MADE}`"),
                ));
            }
        }
        Ok(())
    }

    /// The files that are otherwise in a later one, in order.
    pub(super) fn changes(&self, later: &Self) -> Vec<PathBuf> {
        let is_other = |path: &&PathBuf| self.0.get(*path) != later.0.get(*path);
        let mut changed: Vec<PathBuf> =
            self.0.keys().chain(later.0.keys()).filter(is_other).cloned().collect();
        changed.sort();
        changed.dedup();
        changed
    }
}

/// The examples in a folder, in order of their names.
pub(super) fn examples(folder: &Path) -> Result<Vec<Example>, Failure> {
    let folder = folder.join(EXAMPLES);
    let mut paths = Vec::new();
    if folder.is_dir() {
        for entry in std::fs::read_dir(&folder).map_err(Failure::file(&folder))? {
            let path = entry.map_err(Failure::file(&folder))?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                paths.push(path);
            }
            if paths.len() > MOST_EXAMPLES {
                return Err(Failure::failed(
                    format!("`{}` holds more than {MOST_EXAMPLES} examples", folder.display()),
                    "leave the ones that show something",
                ));
            }
        }
    }
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = input::file(&path, MOST_EXAMPLE)?;
        Example::parse(&name, &bytes).map_err(|error| {
            Failure::failed(
                error.to_string(),
                "an example has `source`, `binding`, `candidates` and what is `expected`; `sluice plugin new` writes \
                 one",
            )
        })
    };
    paths.into_iter().map(read).collect()
}

fn unreadable(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let at = error.span().map_or(0, |span| span.start);
    let line = text.get(..at).unwrap_or(text).matches('\n').count() + 1;
    Failure::failed(
        format!("`{}`, line {line}: {}", path.display(), error.message().trim()),
        "`sluice plugin new` writes one that can be read",
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    const GOOD: &str = "name = \"orders\"\nversion = \"0.1.0\"\npublisher = \"example\"\nlicence = \"MIT\"\n\
        description = \"Orders\"\nminimum-host = \"0.1.0\"\n\n[build]\ncommand = [\"cargo\", \"build\"]\n\
        component = \"target/orders.wasm\"\n";

    fn project(text: &str) -> (tempfile::TempDir, Result<Project, Failure>) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(PROJECT_FILE), text).unwrap();
        let read = Project::read(folder.path());
        (folder, read)
    }

    #[test]
    fn a_project_says_what_it_is_and_how_it_is_built() {
        let (folder, read) = project(&GOOD.replace("[build]", "[probe]\nhosts = [\"endpoints\"]\n\n[build]"));
        let read = read.unwrap();
        assert_eq!(read.card.probe_hosts, ["endpoints"]);
        assert_eq!(read.component(), folder.path().join("build/orders.wasm"));
        for (from, to, told) in [
            ("name = \"orders\"", "name = \"../x\"", "line 1: "),
            ("version", "versions", "line 2: unknown field `versions`"),
            ("[build]\n", "", "line 8: unknown field `command`"),
            ("description = \"Orders\"\n", "", "missing field `description`"),
            ("[\"cargo\", \"build\"]", "[]", "no command"),
            ("command", "komando", "line 9: unknown field `komando`"),
            ("licence = \"MIT\"", "licence = MIT", "line 4: "),
            (
                "publisher = \"example\"",
                "publisher = \"Acme Inc\"",
                "line 3: `Acme Inc` is not a publisher's name",
            ),
            ("\"MIT\"", "\"MIT License\"", "line 4: `MIT License` is no SPDX expression"),
        ] {
            let (_folder, read) = project(&GOOD.replace(from, to));
            let failure = read.unwrap_err();
            assert!(failure.text(false).contains(told), "{told}: {}", failure.text(false));
            assert_eq!(failure.exit().code(), 1);
        }
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(Project::read(empty.path()).unwrap_err().exit().code(), 2);
    }

    #[test]
    fn what_is_younger_than_the_component_asks_for_a_build() {
        let (folder, read) = project(GOOD);
        let project = read.unwrap();
        let place = |file: &str, later: u64| {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let file = fs::File::create(path).unwrap();
            let base = fs::metadata(folder.path().join(PROJECT_FILE)).unwrap().modified().unwrap();
            file.set_modified(base + Duration::from_secs(later)).unwrap();
        };
        assert!(!project.is_built().unwrap());
        place("build/orders.manifest.json", 5);
        place("build/orders.wasm", 5);
        let before = snapshot(folder.path()).unwrap();
        assert!(project.is_built().unwrap());
        for file in
            ["example/a.json", "node_modules/x.js", ".venv/x", "target/x", "src/__pycache__/x", "src/lib.rs"]
        {
            place(file, 4);
        }
        assert!(project.is_built().unwrap());
        place("example/a.json", 6);
        assert!(project.is_built().unwrap(), "an example is no part of a component");
        place("src/lib.rs", 5);
        assert!(!project.is_built().unwrap());
        let changed = before.changes(&snapshot(folder.path()).unwrap());
        let expected: Vec<_> = ["example/a.json", "src/lib.rs"].map(|file| folder.path().join(file)).into();
        assert_eq!(changed, expected);
        assert!(before.changes(&before).is_empty());
    }

    #[test]
    fn examples_are_read_in_order_and_one_that_is_none_is_named() {
        let (folder, _) = project(GOOD);
        assert!(examples(folder.path()).unwrap().is_empty());
        let example = r#"{"source": {"logical-id": "a", "name": "a", "kind": "lowcoder/orders", "options": {}},
            "expected": {"options": {}}}"#;
        fs::create_dir(folder.path().join("example")).unwrap();
        for name in ["b.json", "a.json", "README.md"] {
            fs::write(folder.path().join("example").join(name), example).unwrap();
        }
        let titles: Vec<_> =
            examples(folder.path()).unwrap().into_iter().map(|example| example.title).collect();
        assert_eq!(titles, ["a", "b"]);
        fs::write(folder.path().join("example/c.json"), "{}").unwrap();
        let failure = examples(folder.path()).unwrap_err().text(false);
        assert!(failure.contains("`c.json`") && failure.contains("missing field `source`"), "{failure}");
    }
}
