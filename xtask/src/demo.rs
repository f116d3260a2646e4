//! Plays the story with the real command, as a user would type it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};

use crate::story::{self, Act, Run};
use crate::{cargo, plugins, setup};

/// Builds the command and plays the story in a fresh folder, which is left there to go on with.
///
/// # Errors
/// When a step ends otherwise than the story says.
pub(crate) fn run() -> anyhow::Result<()> {
    setup::run()?;
    plugins::build(plugins::By::Debug)?;
    let status = cargo::command(&["build", "--quiet", "--package", "sluice"])?.status()?;
    ensure!(status.success(), "the command does not compile");
    let target = cargo::target()?;
    let command = target.join("debug").join(format!("sluice{}", std::env::consts::EXE_SUFFIX));
    let folder = target.join("demo");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    let mut stage = Stage {
        command,
        workspace: folder.join("workspace"),
        home: folder.join("home"),
        samples: cargo::root()?.join("tests/samples"),
        kept: dates()?,
    };
    fs::create_dir_all(&stage.workspace)?;
    let began = Instant::now();
    for act in story::STORY {
        stage.play(act)?;
    }
    println!("\n{} steps in {:.1} s.", story::STORY.len(), began.elapsed().as_secs_f64());
    println!("Go on with it:\n");
    // Whole paths: they are used from within the workspace.
    println!("  cd {}", stage.workspace.display());
    println!("  export SLUICE_HOME={} SLUICE_ACTOR=ada", stage.home.display());
    println!("  {} status", stage.command.display());
    Ok(())
}

/// Days that the story speaks of, seen from the day on which it is played.
fn dates() -> anyhow::Result<BTreeMap<&'static str, String>> {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let tomorrow = today.tomorrow()?;
    let long_ago = today.checked_sub(jiff::Span::new().days(60))?;
    Ok(BTreeMap::from([("tomorrow", tomorrow.to_string()), ("long-ago", long_ago.to_string())]))
}

/// Where the story is played.
struct Stage {
    command: PathBuf,
    workspace: PathBuf,
    home: PathBuf,
    samples: PathBuf,
    /// What earlier answers held, by the name that later steps use.
    kept: BTreeMap<&'static str, String>,
}

impl Stage {
    fn play(&mut self, act: &Act) -> anyhow::Result<()> {
        match act {
            Act::Say(text) => println!("\n# {text}"),
            Act::Sample { from, to } => {
                println!("\n$ cp -r samples/{from} {to}");
                copy(&self.samples.join(from), &self.workspace.join(to))
                    .with_context(|| format!("the sample `{from}` cannot be copied"))?;
            }
            Act::Edit { file, old, new } => {
                let new = self.filled(new)?;
                println!("\n$ edit {file}: {} -> {}", old.trim(), new.trim());
                let path = self.workspace.join(file);
                let text = fs::read_to_string(&path)?;
                ensure!(text.contains(old), "{file} does not hold `{old}`");
                fs::write(&path, text.replacen(old, &new, 1))?;
            }
            Act::Sluice(run) => self.sluice(run)?,
        }
        Ok(())
    }

    fn sluice(&mut self, run: &Run) -> anyhow::Result<()> {
        let mut arguments = Vec::new();
        for argument in run.arguments {
            arguments.push(self.filled(argument)?);
        }
        let typed = format!("sluice {}", arguments.iter().map(|a| quoted(a)).collect::<Vec<_>>().join(" "));
        match run.input {
            // A value is never part of a command: it would stay in the shell's history.
            Some(_) => println!("\n$ {typed} < input"),
            None => println!("\n$ {typed}"),
        }
        let mut child = Command::new(&self.command)
            .args(&arguments)
            .current_dir(&self.workspace)
            .env("SLUICE_HOME", &self.home)
            .env("SLUICE_ACTOR", "ada")
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be run", self.command.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read its input may be gone by now.
            let _ = stdin.write_all(run.input.unwrap_or_default().as_bytes());
        }
        let output = child.wait_with_output()?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        for text in [&answer, &talk] {
            if !text.trim().is_empty() {
                println!("{}", text.trim_end());
            }
        }
        let code = output.status.code();
        if run.exit != 0 && code == Some(run.exit) {
            println!("[exit {}]", run.exit);
        }
        if code != Some(run.exit) {
            let ended =
                code.map_or_else(|| "was killed".to_owned(), |code| format!("ended with exit code {code}"));
            bail!("`{typed}` {ended}, and the story says {}", run.exit);
        }
        if let Some((name, before)) = run.keep {
            let found = following(&answer, before).or_else(|| following(&talk, before));
            let found = found.with_context(|| format!("the answer of `{typed}` has no `{before}`"))?;
            self.kept.insert(name, found);
        }
        Ok(())
    }

    /// The text with each `{name}` replaced by what was kept.
    fn filled(&self, text: &str) -> anyhow::Result<String> {
        let mut filled = text.to_owned();
        for (name, value) in &self.kept {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        ensure!(!filled.contains(['{', '}']), "`{text}` names something that no earlier step kept");
        Ok(filled)
    }
}

/// The word that begins with `before`; where `before` ends in a blank, the word that follows it.
fn following(answer: &str, before: &str) -> Option<String> {
    let (_, rest) = answer.split_once(before)?;
    let is_end = |c: char| c.is_whitespace() || matches!(c, '`' | '"' | ',' | ')');
    let word = rest.trim_start_matches([' ', '`']).split(is_end).next().filter(|word| !word.is_empty())?;
    Some(if before.ends_with(' ') { word.to_owned() } else { format!("{before}{word}") })
}

fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@,".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', "'\\''"))
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(from, to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_holds_is_kept_and_filled_in() {
        let answer = "plan sha256:ab12, for `orders`\nversion: 3\n";
        for (before, expected) in [
            ("sha256:", Some("sha256:ab12")),
            ("version: ", Some("3")),
            ("for ", Some("orders")),
            ("nothing ", None),
            ("version: 3\n", None),
        ] {
            assert_eq!(following(answer, before).as_deref(), expected, "{before}");
        }
        let stage = Stage {
            command: PathBuf::new(),
            workspace: PathBuf::new(),
            home: PathBuf::new(),
            samples: PathBuf::new(),
            kept: BTreeMap::from([("plan", "sha256:ab12".to_owned())]),
        };
        assert_eq!(stage.filled("{plan}").unwrap(), "sha256:ab12");
        assert!(stage.filled("{waiver}").unwrap_err().to_string().contains("{waiver}"));
    }

    #[test]
    fn commands_are_shown_as_a_shell_takes_them() {
        for (argument, expected) in
            [("a-b/c.d", "a-b/c.d"), ("", "''"), ("two words", "'two words'"), ("it's", "'it'\\''s'")]
        {
            assert_eq!(quoted(argument), expected);
        }
    }

    /// The story itself is data: what it names must have been kept before.
    #[test]
    fn the_story_uses_only_what_it_has_kept() {
        let mut kept = Vec::new();
        for act in story::STORY {
            let Act::Sluice(run) = act else { continue };
            for argument in run.arguments {
                if let Some(name) = argument.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                    assert!(kept.contains(&name), "`{argument}` of {:?} was not kept before", run.arguments);
                }
            }
            kept.extend(run.keep.map(|(name, _)| name));
        }
    }
}
