//! The way of a vendor, as `docs/vendors.md` describes it: its shell lines are played, for each
//! language whose toolchain is there. Which are not played is said on standard error.
//!
//! The variable `SLUICE_VENDORS` names the languages that are played, as in `rust,js`: the builds of
//! JavaScript and Python fetch packages.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the helpers of tests may fail as tests do, and say what they skip"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The repository's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The shell lines below a heading of a page, block by block.
fn lines(page: &str, heading: &str) -> Vec<String> {
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).expect("the page has the heading");
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

#[test]
fn the_lines_of_a_section_are_those_of_its_shells() {
    let page = "# x\n\n## A\n\ntext\n\n```sh\none\ntwo\n```\n\n```toml\nx\n```\n\n```sh\nthree\n```\n\n## B\n\n```sh\nfour\n```\n";
    assert_eq!(lines(page, "A"), ["one", "two", "three"]);
    assert_eq!(lines(page, "B"), ["four"]);
}

/// Whether a program runs and says something.
fn runs(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Why a language is not played; `None` where it is.
fn lacking(lang: &str) -> Option<String> {
    let chosen = std::env::var("SLUICE_VENDORS").ok();
    if chosen.is_some_and(|chosen| !chosen.split(',').any(|one| one == lang)) {
        return Some("SLUICE_VENDORS does not name it".to_owned());
    }
    let (is_there, what) = match lang {
        "rust" => {
            let target = runs("rustc", &["--print", "target-libdir", "--target", "wasm32-unknown-unknown"]);
            (target.is_some_and(|folder| Path::new(&folder).is_dir()), "Rust with wasm32-unknown-unknown")
        }
        "js" => (runs("node", &["--version"]).and(runs("npm", &["--version"])).is_some(), "Node.js"),
        _ => (runs("python3", &["-c", "import venv, ensurepip"]).is_some(), "Python with venv"),
    };
    (!is_there).then(|| format!("{what} is not there"))
}

/// Plays a section of the page in a folder of its own.
fn play(lang: &str, heading: &str) {
    if let Some(why) = lacking(lang) {
        eprintln!("skipped: the page's way in {heading}: {why}");
        return;
    }
    let root = root();
    let page = fs::read_to_string(root.join("docs/vendors.md")).unwrap();
    let lines = lines(&page, heading);
    assert!(lines.len() >= 4, "{lines:?}");
    let folder = tempfile::tempdir().unwrap();
    // What one run of this test compiled, the next one does not.
    let shared = root.join("target/vendors").join(lang);
    fs::create_dir_all(&shared).unwrap();
    let mut script = String::new();
    for line in &lines {
        script.push_str(&format!("echo '$ {line}'\n{line}\n"));
        if line.starts_with("cd ") && lang == "rust" {
            script.push_str(&format!("ln -s '{}' target\n", shared.display()));
        }
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_sluice")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("sh");
    shell
        .args(["-eu", "-c", &script])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", binary.display()))
        .stdin(Stdio::null());
    // What one run compiled of plugins neither; and nothing of whoever runs this is touched.
    let home = root.join("target/vendors/home");
    shell.env("SLUICE_HOME", &home);
    // What cargo says to tests is not meant for the project's cargo.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO") && name != "CARGO_HOME") {
        shell.env_remove(name);
    }
    shell.env_remove("RUSTFLAGS").env("CARGO_NET_OFFLINE", "true");
    let output = shell.output().unwrap();
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{heading}:\n{told}");
    assert!(told.contains("grade: exemplary"), "{heading}:\n{told}");
    let project = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let name = project.file_name().unwrap().to_str().unwrap();
    for made in [format!("{name}.wasm"), format!("{name}.manifest.json")] {
        assert!(project.join("build").join(&made).is_file(), "{made}");
    }
    let sluice = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(arguments)
            .current_dir(&project)
            .env("SLUICE_HOME", &home)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}{}", String::from_utf8_lossy(&output.stderr));
        told
    };
    // Nothing has changed, so nothing is built again.
    assert!(sluice(&["plugin", "dev", "--once"]).contains("example orders"));
    let inspected = sluice(&["plugin", "inspect", "."]);
    let imports = inspected.lines().find(|line| line.starts_with("imports "));
    assert!(imports.is_some_and(|line| line.contains("sluice:plugin/types@")), "{inspected}");
    assert!(inspected.contains("token"), "{inspected}");
    // Nor is anything compiled again that the commands before have compiled.
    assert!(inspected.contains("compiled   before, and kept"), "{inspected}");
    let measured = sluice(&["plugin", "bench", "--calls", "3"]);
    assert!(measured.contains("loaded from kept code"), "{measured}");
    assert!(measured.contains("instantiate") && measured.contains("orders"), "{measured}");
    if lang == "rust" {
        publish(&page, &project, &path);
    }
    tell_a_mistake(lang, &project, &home);
}

/// Plays the section on publishing in a project that is built, as somebody with no key.
fn publish(page: &str, project: &Path, path: &str) {
    let lines = lines(page, "Publish");
    assert!(lines.len() >= 2, "{lines:?}");
    let home = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_sluice")).parent().unwrap();
    let output = Command::new("sh")
        .args(["-eu", "-c", &lines.join("\n")])
        .current_dir(project)
        .env("PATH", format!("{}:{path}", binary.display()))
        .env("HOME", home.path())
        .env_remove("SLUICE_HOME")
        .env_remove("XDG_CONFIG_HOME")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && !told.contains("running "), "{told}");
    assert!(told.contains("[[publisher]]\nname = \"example\"\nkey = \"ed25519:"), "{told}");
    let mut files: Vec<_> = fs::read_dir(project.join("dist"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["orders-db.manifest.json", "orders-db.sig.json", "orders-db.wasm"]);
}

/// Makes a mistake in the project. What the language's runtime says of it, and what the plugin says
/// itself, must be in the log; Rust's has no runtime.
fn tell_a_mistake(lang: &str, project: &Path, home: &Path) {
    let (file, line, mistaken, reasons) = match lang {
        "js" => (
            "src/plugin.js",
            "    const account =",
            "    console.log(\"seen\", { url });\n    null.length;\n",
            [
                "log info: seen {\"url\":\"https://orders.staging.example\"}",
                "cannot read property 'length' of null",
            ],
        ),
        "python" => (
            "src/plugin.py",
            "    return Traits(",
            "    print(\"seen\", url)\n    None.length\n",
            ["log warn: seen https://orders.staging.example", "'NoneType' object has no attribute 'length'"],
        ),
        _ => return,
    };
    let path = project.join(file);
    let right = fs::read_to_string(&path).unwrap();
    assert!(right.contains(line), "{right}");
    fs::write(&path, right.replacen(line, &format!("{mistaken}{line}"), 1)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["plugin", "dev", "--once"])
        .current_dir(project)
        .env("SLUICE_HOME", home)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}{}", String::from_utf8_lossy(&output.stderr));
    for reason in reasons {
        assert!(told.contains(reason), "{reason}: {told}");
    }
}

#[test]
#[cfg(unix)]
fn the_way_in_rust() {
    play("rust", "Rust");
}

#[test]
#[cfg(unix)]
fn the_way_in_javascript() {
    play("js", "JavaScript");
}

#[test]
#[cfg(unix)]
fn the_way_in_python() {
    play("python", "Python");
}
