//! Where scenes are played: a folder with a workspace, a home for keys, and the command.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::answers::Normal;
use crate::story::{Act, Run};

/// The repository's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The plugins that `cargo xtask test` has built.
pub(crate) fn plugins() -> PathBuf {
    let folder = std::env::var_os("SLUICE_PLUGINS")
        .map_or_else(|| root().join("target").join("plugins"), PathBuf::from);
    assert!(
        folder.join("sql.wasm").is_file(),
        "no plugins in {}: build them with `cargo xtask plugins`",
        folder.display()
    );
    folder
}

/// The plugins that scenes' workspaces are furnished with: those whose kinds the samples have. All
/// that are built would be loaded in each scene.
const FURNISHED: [&str; 3] = ["http.wasm", "object-storage.wasm", "sql.wasm"];

/// The folder that holds only these.
fn furnished() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("furnished");
        fs::create_dir_all(&folder).unwrap();
        for file in FURNISHED {
            // Whole or not at all: another run of these tests may be reading there.
            let fresh = folder.join(file).with_extension(std::process::id().to_string());
            fs::copy(plugins().join(file), &fresh).unwrap();
            fs::rename(&fresh, folder.join(file)).unwrap();
        }
        folder
    });
    &FOLDER
}

/// A folder with a workspace and keys, and what was printed there.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    kept: BTreeMap<&'static str, String>,
    normal: Normal,
    /// What was typed and printed, as it is compared.
    pub(crate) told: String,
}

impl Stage {
    /// An empty folder and no keys.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("workspace")).unwrap();
        Self::new(folder, dates())
    }

    /// All that is here, to go on from later and elsewhere.
    pub(crate) fn held(&self) -> Held {
        let mut held = Held { folders: Vec::new(), files: Vec::new(), kept: self.kept.clone() };
        hold(self.folder.path(), Path::new(""), &mut held);
        held
    }

    fn new(folder: tempfile::TempDir, kept: BTreeMap<&'static str, String>) -> Self {
        let folders = [(folder.path(), "[TEMP]"), (furnished(), "[PLUGINS]"), (&root(), "[REPOSITORY]")];
        let normal = Normal::new(&folders, &dates());
        Self { folder, kept, normal, told: String::new() }
    }

    /// The workspace's folder.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    /// The folder with the keys.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Plays one act. An exit code that is not the expected one is told, and so is seen.
    pub(crate) fn play(&mut self, act: &Act) {
        match act {
            Act::Say(text) => self.told.push_str(&format!("# {text}\n\n")),
            Act::Sample { from, to } => {
                copy(&root().join("tests/samples").join(from), &self.workspace().join(to));
            }
            Act::Edit { file, old, new } => {
                let path = self.workspace().join(file);
                let text = fs::read_to_string(&path).unwrap();
                assert!(text.contains(old), "{file} does not hold `{old}`");
                fs::write(&path, text.replacen(old, &self.filled(new), 1)).unwrap();
            }
            Act::Sluice(run) => self.sluice(run),
        }
    }

    fn sluice(&mut self, run: &Run) {
        let arguments: Vec<String> = run.arguments.iter().map(|word| self.filled(word)).collect();
        let Output { code, out, talk } = self.output(&arguments, run.input.unwrap_or_default(), &[]);
        let shown = |word: &&str| if word.contains(' ') { format!("'{word}'") } else { (*word).to_owned() };
        let typed = run.arguments.iter().map(shown).collect::<Vec<_>>().join(" ");
        let input = if run.input.is_some() { " < input" } else { "" };
        self.told.push_str(&format!("$ sluice {typed}{input}\n"));
        for (name, text) in [("", &out), ("-- standard error\n", &talk)] {
            if !text.is_empty() {
                self.told.push_str(name);
                self.told.push_str(&self.normal.text(text));
            }
        }
        self.told.push_str(&format!("-- exit {code}\n\n"));
        assert_eq!(code, run.exit, "`sluice {typed}` ended otherwise than is expected:\n{out}{talk}");
        if let Some((name, before)) = run.keep {
            let found = following(&out, before).or_else(|| following(&talk, before));
            let found =
                found.unwrap_or_else(|| panic!("the answer of `{typed}` has no `{before}`:\n{out}{talk}"));
            self.kept.insert(name, found);
        }
    }

    /// The command here, with an environment that holds nothing else.
    pub(crate) fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command
            .args(arguments)
            .current_dir(self.workspace())
            .env_clear()
            .env("SLUICE_HOME", self.home())
            .env("SLUICE_PLUGINS", furnished())
            .env("SLUICE_ACTOR", "ada");
        command
    }

    /// Runs the command here, with `input` and these variables beside its own.
    pub(crate) fn output(
        &self,
        arguments: &[impl AsRef<OsStr>],
        input: &str,
        more: &[(&str, &str)],
    ) -> Output {
        let mut child = self
            .command(arguments)
            .envs(more.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input may be gone by now.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Output {
            code: output.status.code().expect("the command was killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            talk: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The text with each `{name}` replaced by what was kept.
    fn filled(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (name, value) in &self.kept {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        assert!(!filled.contains(['{', '}']), "`{text}` names something that no earlier step kept");
        filled
    }
}

/// What a folder with a workspace and keys held at some time. It lies in memory, so that nothing is
/// left behind.
pub(crate) struct Held {
    folders: Vec<PathBuf>,
    files: Vec<(PathBuf, Vec<u8>, fs::Permissions)>,
    kept: BTreeMap<&'static str, String>,
}

impl Held {
    /// A stage that holds the same, with nothing told yet.
    pub(crate) fn stage(&self) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        for path in &self.folders {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        for (path, bytes, permissions) in &self.files {
            let path = folder.path().join(path);
            fs::write(&path, bytes).unwrap();
            // Keys that others may read are refused.
            fs::set_permissions(&path, permissions.clone()).unwrap();
        }
        Stage::new(folder, self.kept.clone())
    }
}

fn hold(root: &Path, part: &Path, held: &mut Held) {
    held.folders.push(part.to_owned());
    for entry in fs::read_dir(root.join(part)).unwrap() {
        let entry = entry.unwrap();
        let (path, permissions) = (part.join(entry.file_name()), entry.metadata().unwrap().permissions());
        if entry.file_type().unwrap().is_dir() {
            hold(root, &path, held);
        } else {
            held.files.push((path, fs::read(entry.path()).unwrap(), permissions));
        }
    }
}

/// How a command ended and what it printed.
pub(crate) struct Output {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) talk: String,
}

/// Days that scenes speak of. Tomorrow is seen from an hour ahead, so that it is still to come
/// when a scene that began before midnight ends after it.
fn dates() -> BTreeMap<&'static str, String> {
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let today = soon.to_zoned(jiff::tz::TimeZone::UTC).date();
    let long_ago = today.checked_sub(jiff::Span::new().days(60)).unwrap();
    BTreeMap::from([("tomorrow", today.tomorrow().unwrap().to_string()), ("long-ago", long_ago.to_string())])
}

/// The word that begins with `before`; where `before` ends in a blank, the word that follows it.
fn following(answer: &str, before: &str) -> Option<String> {
    let (_, rest) = answer.split_once(before)?;
    let is_end = |c: char| c.is_whitespace() || matches!(c, '`' | '"' | ',' | ')');
    let word = rest.trim_start_matches([' ', '`']).split(is_end).next().filter(|word| !word.is_empty())?;
    Some(if before.ends_with(' ') { word.to_owned() } else { format!("{before}{word}") })
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}
