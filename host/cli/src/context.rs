//! Where a command runs: its workspace, the keys at hand, and the terminal.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use sluice_engine::ambient::Ambient;
use sluice_engine::config::{Config, PersonName};
use sluice_engine::workspace::CONFIG_FILE;
use sluice_engine::{Actor, Home, Workspace};
use sluice_ledger::keyfile::{self, KeyFileError};

use crate::answer::Answer;
use crate::arguments::{Global, Output};
use crate::failure::Failure;
use crate::page::Page;
use crate::{clock, compiler, run};

/// The variable that may hold a person's key instead of a file of the home.
pub(crate) const KEY_VARIABLE: &str = "SLUICE_KEY";

/// The variable that says which workspace, where `--workspace` does not.
const WORKSPACE_VARIABLE: &str = "SLUICE_WORKSPACE";

/// The variable that says who acts, where `--as` does not.
const ACTOR_VARIABLE: &str = "SLUICE_ACTOR";

/// From when on it is shown that something goes on: who waits longer wonders.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often something that moves on a terminal is drawn.
const TICK: Duration = Duration::from_millis(120);

/// A variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Where a command runs.
pub(crate) struct Context {
    global: Global,
    ambient: Arc<dyn Ambient>,
}

impl Context {
    /// The surroundings as arguments say, and variables where arguments say nothing.
    pub(crate) fn new(mut global: Global) -> Result<Self, Failure> {
        if global.workspace.is_none() {
            global.workspace = variable(WORKSPACE_VARIABLE).map(PathBuf::from);
        }
        if global.actor.is_none()
            && let Some(name) = variable(ACTOR_VARIABLE)
        {
            let name = name.to_string_lossy().parse::<PersonName>().map_err(|error| {
                Failure::usage(
                    format!("the variable `{ACTOR_VARIABLE}`: {error}"),
                    "put a person's name into it",
                )
            })?;
            global.actor = Some(name);
        }
        Ok(Self { global, ambient: clock::ambient()? })
    }

    /// Time and chance.
    pub(crate) fn ambient(&self) -> &dyn Ambient {
        self.ambient.as_ref()
    }

    /// Time as it passes, for the limits of policies.
    pub(crate) fn stopwatch(&self) -> sluice_policy::Stopwatch {
        let ambient = Arc::clone(&self.ambient);
        Arc::new(move || ambient.elapsed())
    }

    /// For how long to wait for somebody else's lease.
    pub(crate) fn wait(&self) -> Duration {
        self.global.wait.unwrap_or_default()
    }

    /// Whether there is a person at the terminal who may be asked.
    pub(crate) fn is_interactive(&self) -> bool {
        !self.global.no_input && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// The folder of keys.
    pub(crate) fn home(&self) -> Result<Home, Failure> {
        Ok(Home::at(self.home_folder()?))
    }

    /// The folder of keys, as a path.
    pub(crate) fn home_folder(&self) -> Result<PathBuf, Failure> {
        let folder = |name: &str| variable(name).map(PathBuf::from);
        folder("SLUICE_HOME")
            .or_else(|| folder("XDG_CONFIG_HOME").map(|folder| folder.join("sluice")))
            .or_else(|| folder("HOME").map(|folder| folder.join(".config").join("sluice")))
            .or_else(|| folder("APPDATA").map(|folder| folder.join("sluice")))
            .ok_or_else(|| {
                Failure::failed(
                    "there is no folder for keys",
                    "say where keys lie with the variable `SLUICE_HOME`",
                )
            })
    }

    /// The workspace's folder: the one that was named, or the current folder or the nearest above
    /// it that holds a configuration.
    pub(crate) fn folder(&self) -> Result<PathBuf, Failure> {
        if let Some(named) = &self.global.workspace {
            return Ok(named.clone());
        }
        self.found_folder().ok_or_else(|| {
            Failure::usage(
                format!("neither this folder nor one above it holds `{CONFIG_FILE}`"),
                "make a workspace with `sluice init`, or name its folder with `--workspace`",
            )
        })
    }

    /// The workspace's folder, if there is one.
    pub(crate) fn found_folder(&self) -> Option<PathBuf> {
        if let Some(named) = &self.global.workspace {
            return named.join(CONFIG_FILE).is_file().then(|| named.clone());
        }
        let here = std::env::current_dir().ok()?;
        here.ancestors().find(|folder| folder.join(CONFIG_FILE).is_file()).map(Path::to_owned)
    }

    /// The workspace's folder as seen from the current one: empty, or with a slash behind it.
    pub(crate) fn folder_from_here(&self) -> Result<String, Failure> {
        let folder = self.folder()?;
        let here = std::env::current_dir().unwrap_or_default();
        let (folder, here) = (folder.canonicalize().unwrap_or(folder), here.canonicalize().unwrap_or(here));
        let shown = folder.strip_prefix(&here).unwrap_or(&folder).display().to_string();
        Ok(if shown.is_empty() { shown } else { format!("{}/", shown.replace('\\', "/")) })
    }

    /// A path as CI systems look for it: from the current folder, where it lies within.
    pub(crate) fn from_here(path: &Path) -> String {
        let here = std::env::current_dir().unwrap_or_default();
        let within = path.strip_prefix(&here).unwrap_or(path);
        let plain: PathBuf = within.components().filter(|part| *part != Component::CurDir).collect();
        plain.display().to_string().replace('\\', "/")
    }

    /// Whether the workspace has its store here, and not only its configuration.
    pub(crate) fn has_store(&self) -> bool {
        self.found_folder().is_some_and(|folder| sluice_engine::workspace::has_store(&folder))
    }

    /// Whether the answer is read by a program, so that nothing else is written.
    pub(crate) fn is_for_programs(&self) -> bool {
        self.global.output != Output::Table
    }

    /// Tells one of the answers of a command that goes on.
    pub(crate) fn tell(&self, answer: &Answer) {
        run::tell(answer, &self.global);
    }

    /// Tells why one of them is not there.
    pub(crate) fn tell_failure(&self, failure: &Failure) {
        run::fail(failure, &self.global);
    }

    /// Says something to people between the answers.
    pub(crate) fn talk(&self, page: &Page) {
        if !self.is_for_programs() {
            run::talk(page, &self.global);
        }
    }

    /// What policies run in.
    pub(crate) fn sandbox(&self) -> sluice_policy::Sandbox {
        sluice_policy::Sandbox::new(self.stopwatch())
    }

    /// Opens the workspace.
    pub(crate) fn open(&self) -> Result<Workspace, Failure> {
        let folder = self.folder()?;
        tracing::debug!(folder = %folder.display(), "opening the workspace");
        let workspace = Workspace::open(&folder, &self.home()?, Arc::clone(&self.ambient))?;
        Ok(workspace.with_compiler(compiler::compiler()))
    }

    /// Makes a workspace.
    pub(crate) fn init(
        &self,
        folder: &Path,
        name: &str,
        furnishing: &sluice_engine::workspace::Furnishing,
    ) -> Result<Workspace, Failure> {
        let workspace = Workspace::init(folder, name, &self.home()?, furnishing, Arc::clone(&self.ambient))?;
        Ok(workspace.with_compiler(compiler::compiler()))
    }

    /// Opens the workspace, and finds out who acts.
    pub(crate) fn open_as_actor(&self) -> Result<(Workspace, Actor), Failure> {
        let workspace = self.open()?;
        let actor = self.actor(workspace.config()?)?;
        Ok((workspace, actor))
    }

    /// Who acts: whom `--as` names, whose key the variable holds, or the only person whose key is
    /// at hand and whom the configuration knows.
    pub(crate) fn actor(&self, config: &Config) -> Result<Actor, Failure> {
        if let Some(text) = std::env::var(KEY_VARIABLE).ok().filter(|text| !text.is_empty()) {
            let key = keyfile::from_text(KEY_VARIABLE, &text)?;
            let known = config.person_with_key(&key.public()).map(|(name, _)| name.clone());
            let name = self.global.actor.clone().or(known).ok_or_else(|| {
                Failure::not_permitted(
                    format!("the key in `{KEY_VARIABLE}` belongs to nobody in the configuration"),
                    "an owner puts its public key into `sluice.toml` and adopts it",
                )
            })?;
            return Ok(Actor { name: name.to_string(), key });
        }
        let home = self.home()?;
        let name = match &self.global.actor {
            Some(name) => name.clone(),
            None => self.only_actor(&home, config)?,
        };
        let key = keyfile::read(&home.person_key(name.as_str())).map_err(|error| match error {
            KeyFileError::Absent { .. } => without_key(&name, &home, config),
            error => error.into(),
        })?;
        Ok(Actor { name: name.to_string(), key })
    }

    fn only_actor(&self, home: &Home, config: &Config) -> Result<PersonName, Failure> {
        let at_hand = names_of_keys(home);
        let mut known: Vec<&PersonName> =
            at_hand.iter().filter(|name| config.people.contains_key(*name)).collect();
        if known.len() > 1 {
            // Keys of other workspaces' people of the same name are not meant.
            known.retain(|name| {
                let key = keyfile::read(&home.person_key(name.as_str()));
                key.is_ok_and(|key| config.key_of(name.as_str()) == Some(key.public()))
            });
        }
        match known.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(Failure::not_permitted(
                format!("no key in `{}` belongs to a person of the configuration", home.keys().display()),
                "make one with `sluice key new NAME`, or put one that is there into `sluice.toml` with `sluice key use NAME`",
            )),
            several => {
                let names: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
                Err(Failure::usage(
                    format!("the keys of several people are at hand: {}", names.join(", ")),
                    "say who acts with `--as NAME`, or the variable `SLUICE_ACTOR`",
                ))
            }
        }
    }

    /// Shows on a terminal that something goes on, until the answer is dropped.
    pub(crate) fn working(&self, on: &'static str) -> Working {
        if std::io::stderr().is_terminal() {
            Working::begin(PATIENCE, move || bar(on))
        } else {
            Working(None)
        }
    }
}

/// Something that moves on a terminal.
fn bar(on: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_elapsed(PATIENCE);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(on);
    bar.enable_steady_tick(TICK);
    bar
}

/// Something that goes on, shown once it takes a while: a thread waits, and shows it unless it is
/// told before that there is no more need.
pub(crate) struct Working(Option<(Sender<Infallible>, JoinHandle<()>)>);

impl Working {
    /// Shows what `show` makes, once it goes on for longer than `patience`.
    fn begin(patience: Duration, show: impl FnOnce() -> ProgressBar + Send + 'static) -> Self {
        let (working, end) = mpsc::channel::<Infallible>();
        let thread = std::thread::Builder::new().spawn(move || {
            if end.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                let bar = show();
                // Nothing is ever sent: the channel is closed when the work is done.
                let _ = end.recv();
                bar.finish_and_clear();
            }
        });
        Self(thread.ok().map(|thread| (working, thread)))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        if let Some((working, thread)) = self.0.take() {
            drop(working);
            // What it drew is gone before anything else is written; that it could not draw is nothing.
            let _ = thread.join();
        }
    }
}

/// Somebody whose key is not at hand cannot act here.
fn without_key(name: &PersonName, home: &Home, config: &Config) -> Failure {
    let mut help = if config.people.contains_key(name) {
        format!("bring the key of `{name}` there, or put it into the variable `{KEY_VARIABLE}`")
    } else {
        format!(
            "nobody of the configuration is called `{name}`; make a key with `sluice key new {name}`, which puts \
             `{name}` into `{CONFIG_FILE}`, and have an owner adopt it"
        )
    };
    let others = names_of_keys(home).into_iter().filter(|other| config.people.contains_key(other));
    let others: Vec<String> = others.map(|other| format!("`--as {other}`")).collect();
    if !others.is_empty() {
        help = format!("{help}; or act as somebody whose key is there: {}", others.join(", "));
    }
    Failure::not_permitted(format!("there is no key of `{name}` in `{}`", home.keys().display()), help)
}

/// The people whose keys lie in a home, in order.
pub(crate) fn names_of_keys(home: &Home) -> Vec<PersonName> {
    let entries = std::fs::read_dir(home.keys()).into_iter().flatten().flatten();
    let mut names: Vec<PersonName> =
        entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".key")?.parse().ok()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_shown_only_once_it_takes_a_while() {
        for (patience, expected) in [(Duration::ZERO, true), (Duration::from_secs(3_600), false)] {
            let (shown, seen) = mpsc::channel();
            let working = Working::begin(patience, move || {
                shown.send(()).unwrap();
                ProgressBar::hidden()
            });
            if expected {
                // The thread shows it in its own time.
                seen.recv().unwrap();
            }
            drop(working);
            assert!(seen.try_recv().is_err(), "{patience:?}");
        }
    }
}
