//! What the command does at a terminal and nowhere else: it asks, colours, and shows that it works.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::lease::{Holder, RELEASE};
use crate::stage::Stage;
use crate::steps;
use crate::story::Act;

const STAGING_PASSWORD: &str = "secret://staging/orders-db/password";

/// A command at a terminal, seen from the keyboard and the screen.
struct Terminal {
    device: File,
    child: Child,
    shown: String,
}

impl Terminal {
    /// Types a command.
    fn open(stage: &Stage, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let device = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&device).unwrap();
        unlockpt(&device).unwrap();
        let name = ptsname(&device, Vec::new()).unwrap();
        // What is left open here would keep the terminal from ending with the command.
        let end = || {
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            Stdio::from(rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap())
        };
        let child = stage
            .command(arguments)
            .env("TERM", "xterm-256color")
            .envs(variables.iter().copied())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        Self { device: device.into(), child, shown: String::new() }
    }

    /// Waits until the screen shows this.
    fn until(&mut self, text: &str) {
        while !self.shown.contains(text) {
            assert!(self.read(), "the command ended without showing `{text}`:\n{}", self.shown);
        }
    }

    /// Waits until what is typed is not shown.
    fn until_hidden(&self) {
        while tcgetattr(&self.device).unwrap().local_modes.contains(LocalModes::ECHO) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn type_in(&mut self, text: &str) {
        self.device.write_all(text.as_bytes()).unwrap();
    }

    /// Waits for the command's end: its exit code, and all that was shown.
    fn end(mut self) -> (i32, String) {
        while self.read() {}
        (self.child.wait().unwrap().code().unwrap(), self.shown)
    }

    /// Waits for the end of a command that must not ask this, and would wait for an answer.
    fn end_without(mut self, question: &str) -> (i32, String) {
        while self.read() {
            if self.shown.contains(question) {
                self.child.kill().unwrap();
                panic!("it asks `{question}`:\n{}", self.shown);
            }
        }
        self.end()
    }

    /// Reads on, and says whether there was more. Linux tells the end as an error.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let read = self.device.read(&mut bytes).unwrap_or(0);
        self.shown.push_str(&String::from_utf8_lossy(&bytes[..read]));
        read > 0
    }
}

#[test]
fn a_value_is_asked_for_and_not_shown() {
    let stage = steps::before("Staging has no bindings");
    let mut terminal = Terminal::open(&stage, &["secret", "set", STAGING_PASSWORD], &[]);
    terminal.until(&format!("Value of `{STAGING_PASSWORD}`: "));
    terminal.until_hidden();
    terminal.type_in("not-the-real-one\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains(&format!("filed {STAGING_PASSWORD}")), "{shown}");
    assert!(!shown.contains("not-the-real-one"), "{shown}");

    let constant = ["constant", "set", "staging", "constants.API_VERSION"];
    let mut terminal = Terminal::open(&stage, &constant, &[]);
    terminal.until("Value of `constants.API_VERSION` in `staging`: ");
    terminal.type_in("v2\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
}

#[test]
fn nobody_is_asked_who_does_not_want_to() {
    let stage = steps::before("Staging has no bindings");
    let set = ["secret", "set", STAGING_PASSWORD, "--no-input"];
    let (code, shown) = Terminal::open(&stage, &set, &[]).end_without("Value of");
    assert_eq!(code, 2, "{shown}");
    assert!(shown.contains("is read from standard input"), "{shown}");
}

#[test]
fn matches_are_taken_on_a_persons_word() {
    let mut stage = steps::before("The platform gets what was promoted");
    stage.play(&Act::Sample { from: "tooljet/orders-staging.json", to: "orders-staging.json" });
    let import = ["import", "staging", "orders-staging.json"];
    const QUESTION: &str = "Take 25 matches as the same? [y/N] ";

    let unasked = [&import[..], &["--no-input"]].concat();
    let (code, shown) = Terminal::open(&stage, &unasked, &[]).end_without("[y/N]");
    assert_eq!(code, 5, "{shown}");
    for (answer, code, last) in
        [("\n", 5, "--confirm"), ("perhaps\n", 5, "--confirm"), ("y\n", 0, "native ids 25 learnt")]
    {
        let mut terminal = Terminal::open(&stage, &import, &[]);
        terminal.until(QUESTION);
        terminal.type_in(answer);
        let (ended, shown) = terminal.end();
        assert_eq!(ended, code, "{answer:?}: {shown}");
        let (_, after) = shown.split_once(QUESTION).unwrap();
        assert!(after.contains(last), "{answer:?}: {shown}");
    }
}

#[test]
fn colours_are_for_terminals_and_for_who_wants_them() {
    let stage = steps::end();
    for (arguments, variables, expected) in [
        (&["status"][..], &[][..], true),
        (&["status"], &[("NO_COLOR", "")], true),
        (&["status"], &[("NO_COLOR", "1")], false),
        (&["status", "--color", "never"], &[], false),
        (&["status", "--output", "json"], &[], false),
        // An error, on standard error.
        (&["plan", "Nothing", "--to", "staging"], &[], true),
        (&["plan", "Nothing", "--to", "staging"], &[("NO_COLOR", "1")], false),
        (&["fly"], &[("NO_COLOR", "1")], false),
    ] {
        let (_, shown) = Terminal::open(&stage, arguments, variables).end();
        assert!(!shown.is_empty());
        assert_eq!(shown.contains("\u{1b}["), expected, "{arguments:?} {variables:?}: {shown:?}");
    }
}

#[test]
fn what_takes_long_is_seen_to_go_on() {
    let stage = steps::end();
    let holder = Holder::begin(&stage, "staging");
    let mut terminal = Terminal::open(&stage, &[&RELEASE[..], &["--wait", "1h"]].concat(), &[]);
    terminal.until("planning, asking the gates, applying");
    holder.finish();
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    // The line that moved is wiped before the answer is written.
    let (before, _) = shown.split_once("released Dispatch 1.0 in staging").unwrap();
    assert!(before.ends_with("\u{1b}[2K") || before.ends_with("\u{1b}[2K\u{1b}[32m"), "{before:?}");
}
