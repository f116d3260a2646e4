//! `sluice plugin build`.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::json;
use sluice_model::Digest;
use sluice_plugin::manifest::Manifest;
use sluice_plugin::{Host, Limits};
use wit_component::ComponentEncoder;

use super::host;
use super::project::Project;
use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::input;
use crate::page::{Page, Style, harmless, quoted};
use crate::show::amount;

const EXAMPLES: &str = "\
Examples:
  sluice plugin build
  sluice plugin build plugins/orders-db
  sluice plugin build --component out/orders_db.wasm --into dist

Runs the command that `sluice-plugin.toml` names under `[build]`, as you would yourself.";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The project's folder.
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
    /// What was made already, a component or a core module: nothing is run.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// The folder for the component and its manifest [default: `build` in the project's].
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
}

/// Builds, and says what was made.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let mut project = Project::read(&arguments.path)?;
    if let Some(folder) = &arguments.into {
        project = project.into_folder(folder);
    }
    let host = host(context)?;
    let Built { manifest, bytes, wrong } = match &arguments.component {
        Some(file) => finish(&host, &project, file)?,
        None => build(context, &host, &project)?,
    };
    let digest = Digest::of(&bytes);
    let mut page = Page::new();
    let component = project.component();
    let name = format!("{} {}", manifest.name, manifest.version);
    page.styled(Style::Good, format!("built {name} in {}", component.display()));
    page.line(format!("digest  {digest}"));
    page.line(format!("size    {}", amount::bytes(bytes.len() as u64)));
    page.line(format!("world   {}", manifest.world));
    page.line(format!("kinds   {}", manifest.kinds.join(", ")));
    page.line("what it can do:");
    for capability in &manifest.capabilities {
        page.line(format!("  {capability}"));
    }
    for wrong in &wrong {
        page.styled(Style::Notice, format!("warning: {wrong}"));
    }
    let answer = Answer::new(
        &json!({
            "component": component,
            "manifest_file": project.manifest(),
            "digest": digest,
            "bytes": bytes.len(),
            "manifest": manifest,
            "warnings": wrong,
        }),
        page,
    )?;
    if arguments.into.is_some() {
        return Ok(answer.hint(format!(
            "\nSee whether it conforms with `sluice plugin test {}`",
            quoted(&component.display().to_string())
        )));
    }
    let here = if arguments.path == Path::new(".") {
        String::new()
    } else {
        format!(" {}", quoted(&arguments.path.display().to_string()))
    };
    Ok(answer.hint(format!("\nSee whether it conforms with `sluice plugin test{here}`")))
}

/// A component that was made.
pub(super) struct Built {
    /// What is said of it.
    pub(super) manifest: Manifest,
    /// The component with the manifest in it.
    pub(super) bytes: Vec<u8>,
    /// What is said of it and not so here, such as a smallest version of Sluice above this one.
    pub(super) wrong: Vec<String>,
}

/// Makes the component, and leaves it and its manifest in the project.
pub(super) fn build(context: &Context, host: &Host, project: &Project) -> Result<Built, Failure> {
    command(context, project)?;
    let file = project.folder().join(&project.build.component);
    if !file.is_file() {
        return Err(Failure::failed(
            format!("the build made no `{}`", file.display()),
            "say in `[build]` of `sluice-plugin.toml` which file it makes",
        ));
    }
    finish(host, project, &file)
}

/// The component of a project, made first where a file of it is younger.
pub(super) fn made(context: &Context, host: &Host, project: &Project) -> Result<Vec<u8>, Failure> {
    if project.is_built()? {
        return input::file(&project.component(), Limits::default().component_bytes as u64);
    }
    Ok(build(context, host, project)?.bytes)
}

/// Makes the component of what was compiled, and leaves it and its manifest where they belong.
fn finish(host: &Host, project: &Project, file: &Path) -> Result<Built, Failure> {
    let limit = Limits::default().component_bytes as u64;
    let component = component(file, input::file(file, limit)?)?;
    let name = &project.card.name;
    let plugin = host.load(name, &component).map_err(|error| {
        Failure::failed(error.to_string(), "a plugin is a component of a world of `wit/1.0/plugin.wit`")
    })?;
    let unsound = |error: sluice_plugin::manifest::ManifestError| {
        Failure::failed(error.to_string(), "correct it in `sluice-plugin.toml`")
    };
    let manifest = Manifest::of(project.card.clone(), &plugin).map_err(unsound)?;
    let bytes = manifest.embed_compiled(host, &component).map_err(unsound)?;
    write(&project.manifest(), &manifest.to_json().map_err(unsound)?)?;
    // Last, since its age says when all was made.
    write(&project.component(), &bytes)?;
    let wrong = manifest.lies(&plugin);
    Ok(Built { manifest, bytes, wrong })
}

/// Writes a file whole or not at all: another process may be reading the old one.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Failure::file(folder))?;
    }
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, bytes).map_err(Failure::file(&fresh))?;
    fs::rename(&fresh, path).map_err(Failure::file(path))
}

/// What was built, as a component: a core module becomes one.
fn component(file: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, Failure> {
    /// How a core module begins: the magic, the version and the layer (component model, "Component
    /// definitions").
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    if !bytes.starts_with(MODULE) {
        return Ok(bytes);
    }
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(&bytes).and_then(|encoder| encoder.encode()).map_err(|error| {
        Failure::failed(
            format!("`{}` cannot be made into a component: {error:#}", file.display()),
            "a core module needs what `wit-bindgen` puts into it: check that the plugin is exported",
        )
    })
}

/// Runs the project's command. For people its words go on as they come; for programs only where it
/// fails.
fn command(context: &Context, project: &Project) -> Result<(), Failure> {
    let [program, arguments @ ..] = project.build.command.as_slice() else { return Ok(()) };
    let shown = project.build.command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let mut command = Command::new(program_of(project.folder(), program));
    command.args(arguments).current_dir(project.folder()).stdin(Stdio::null());
    let ended = if context.is_for_programs() {
        command.output()
    } else {
        // Talk, like all that it says. That nobody can hear it is no reason not to build.
        let _ = writeln!(std::io::stderr(), "{}", harmless(&format!("running {shown}")));
        command.stdout(std::io::stderr());
        command.status().map(|status| Output { status, stdout: Vec::new(), stderr: Vec::new() })
    };
    let ended = ended.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            Failure::failed(format!("the build runs `{program}`, which is not here"), install(program))
        }
        _ => Failure::failed(format!("`{program}` cannot be run: {error}"), ""),
    })?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    let said = said.trim().lines().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>();
    let said = if said.is_empty() { String::new() } else { format!(":\n{}", said.join("\n")) };
    let message = format!("the build failed: `{shown}` ended with {}{said}", ended.status);
    Err(Failure::failed(message, lacking_target(project)))
}

/// A program with a path is one of the project's; any other is found as a shell would.
fn program_of(folder: &Path, program: &str) -> PathBuf {
    let path = Path::new(program);
    if path.components().count() > 1 { folder.join(path) } else { path.to_owned() }
}

/// How to come by a program.
fn install(program: &str) -> &'static str {
    match program {
        "cargo" | "rustup" => {
            "install Rust from https://rustup.rs, then `rustup target add wasm32-unknown-unknown`"
        }
        "node" | "npm" | "npx" => "install Node.js 20 or later from https://nodejs.org",
        "python" | "python3" => "install Python 3.10 or later from https://www.python.org",
        _ => "install it, or name another in `[build]` of `sluice-plugin.toml`",
    }
}

/// Rust's target for components that is asked for.
const TARGET: &str = "wasm32-unknown-unknown";

/// What to do where Rust's target is asked for and is not there.
fn lacking_target(project: &Project) -> String {
    let asks = project.build.command.iter().any(|word| word == TARGET);
    let says = |arguments: &[&str]| {
        let output = Command::new("rustc").args(arguments).current_dir(project.folder()).output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let folder = says(&["--print", "target-libdir", "--target", TARGET]).filter(|_| asks);
    match folder {
        Some(folder) if !Path::new(folder.trim()).is_dir() => {
            format!("the compiler lacks the target: `rustup target add {TARGET}`")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_core_module_is_made_into_a_component() {
        let file = Path::new("x.wasm");
        let is = b"\0asm\x0d\0\x01\0".to_vec();
        assert_eq!(component(file, is.clone()).unwrap(), is);
        let failure = component(file, b"\0asm\x01\0\0\0\xff".to_vec()).unwrap_err().text(false);
        assert!(failure.starts_with("error: `x.wasm` cannot be made into a component: "), "{failure}");
    }

    #[test]
    fn a_program_with_a_path_is_the_projects() {
        for (program, expected) in
            [("cargo", "cargo"), ("./make", "/p/./make"), (".venv/bin/python", "/p/.venv/bin/python")]
        {
            assert_eq!(program_of(Path::new("/p"), program), Path::new(expected));
        }
    }
}
