//! `sluice key`.

use std::fs;
use std::path::Path;

use serde_json::json;
use sluice_engine::config::{self, Config, PersonName, RoleName};
use sluice_engine::workspace::{CONFIG_FILE, new_key};
use sluice_ledger::{KeyPair, keyfile};

use crate::answer::Answer;
use crate::context::{Context, names_of_keys};
use crate::failure::Failure;
use crate::input;
use crate::page::Page;
use crate::table::Rows;

/// Roles of the first person, who does everything until others come.
const FIRST_ROLES: [&str; 3] = ["approver", "builder", "release-manager"];

/// What is typed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key and, in a workspace, put the person into `sluice.toml`.
    ///
    /// The key lies in the folder of keys and never in a workspace. The first person of a workspace
    /// becomes its owner and gets the roles approver, builder and release-manager.
    #[command(
        after_help = "Examples:\n  sluice key new ada\n  sluice key new bob --role approver --role release-manager"
    )]
    New(Person),
    /// Put a person whose key is there already into `sluice.toml`.
    #[command(after_help = "Examples:\n  sluice key use ada\n  sluice key use bob --role approver")]
    Use(Person),
    /// List the keys that are at hand.
    #[command(after_help = "Examples:\n  sluice key list")]
    List,
    /// Print a person's public key.
    #[command(after_help = "Examples:\n  sluice key show ada")]
    Show {
        /// The person.
        name: PersonName,
    },
}

/// A person and their roles.
#[derive(Debug, clap::Args)]
pub(crate) struct Person {
    /// The person's name in the workspace: lower-case letters, digits and hyphens.
    name: PersonName,
    /// A role that the person gets.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<RoleName>,
}

/// Runs `sluice key`.
pub(crate) fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::New(person) => new(context, &person),
        Command::Use(person) => take(context, &person),
        Command::List => list(context),
        Command::Show { name } => show(context, &name),
    }
}

fn new(context: &Context, person: &Person) -> Result<Answer, Failure> {
    let home = context.home()?;
    let folder = context.found_folder();
    if let Some(folder) = &folder {
        let whole = folder.canonicalize().map_err(Failure::file(folder))?;
        if home.keys().starts_with(&whole) || home.keys().starts_with(folder) {
            return Err(Failure::usage(
                format!("`{}` lies in the workspace, where keys never lie", home.keys().display()),
                "say where keys lie with the variable `SLUICE_HOME`",
            ));
        }
    }
    let path = home.person_key(person.name.as_str());
    if path.exists() {
        return Err(Failure::usage(
            format!("`{}` is there already and is left as it is", path.display()),
            format!("use it in this workspace with `sluice key use {}`, or choose another name", person.name),
        ));
    }
    make_private_folder(&home.keys())?;
    let key = new_key(context.ambient())?;
    keyfile::create(&path, &key)?;
    let mut page = Page::new();
    page.line(format!("made a key for `{}` in {}", person.name, path.display()));
    join(&key, person, folder.as_deref(), page)
}

fn take(context: &Context, person: &Person) -> Result<Answer, Failure> {
    let key = keyfile::read(&context.home()?.person_key(person.name.as_str()))?;
    let folder = context.folder()?;
    join(&key, person, Some(&folder), Page::new())
}

/// Puts the person into the workspace's configuration.
fn join(key: &KeyPair, person: &Person, folder: Option<&Path>, mut page: Page) -> Result<Answer, Failure> {
    let public = key.public().to_string();
    page.line(format!("public key: {public}"));
    let mut roles = person.roles.clone();
    let mut hints = Vec::new();
    if let Some(folder) = folder {
        let path = folder.join(CONFIG_FILE);
        let text = input::file(&path, config::MOST_BYTES as u64)?;
        let text = String::from_utf8(text).map_err(|_| {
            Failure::failed(format!("`{}` is not UTF-8", path.display()), "write it as UTF-8")
        })?;
        let is_first = !text.lines().any(|line| line.trim_start().starts_with("[[person]]"));
        if is_first && roles.is_empty() {
            roles = FIRST_ROLES.iter().filter_map(|role| role.parse().ok()).collect();
        }
        let put = config::put_person(&text, &person.name, &key.public(), &roles).map_err(|e| {
            Failure::failed(e.to_string(), "the key is made; mend the file and run `sluice key use`")
        })?;
        replace(&path, put.as_bytes())?;
        let names: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
        let with =
            if names.is_empty() { "without a role".to_owned() } else { format!("as {}", names.join(", ")) };
        page.line(format!("put `{}` into {CONFIG_FILE} {with}", person.name));
        hints = match Config::parse(&put, CONFIG_FILE) {
            Ok(_) => vec!["\nNext:\n  sluice config adopt     makes it count; an owner does it".to_owned()],
            Err(errors) => {
                let mut hints = vec!["\nBefore it can be adopted:".to_owned()];
                hints.extend(
                    errors.0.iter().map(|e| format!("  {CONFIG_FILE}:{}: {}; {}", e.line, e.message, e.help)),
                );
                hints
            }
        };
    }
    let mut answer =
        Answer::new(&json!({ "name": person.name, "public_key": public, "roles": roles }), page)?;
    answer.hints = hints;
    Ok(answer)
}

fn list(context: &Context) -> Result<Answer, Failure> {
    let home = context.home()?;
    let mut rows = Rows::new(&["NAME", "PUBLIC KEY"]);
    let mut data = Vec::new();
    for name in names_of_keys(&home) {
        // A key that others can read, or a damaged one, is listed with what is wrong with it.
        let (shown, problem) = match keyfile::read(&home.person_key(name.as_str())) {
            Ok(key) => (key.public().to_string(), None),
            Err(error) => (error.to_string(), Some(error.to_string())),
        };
        rows.row([name.as_str(), &shown]);
        let public = problem.is_none().then_some(shown);
        data.push(json!({ "name": name, "public_key": public, "problem": problem }));
    }
    let mut page = Page::new();
    rows.onto(&mut page, "no keys; make one with `sluice key new NAME`");
    Answer::new(&data, page)
}

fn show(context: &Context, name: &PersonName) -> Result<Answer, Failure> {
    let public = keyfile::read(&context.home()?.person_key(name.as_str()))?.public().to_string();
    let mut page = Page::new();
    page.line(&public);
    Answer::new(&json!({ "name": name, "public_key": public }), page)
}

fn make_private_folder(folder: &Path) -> Result<(), Failure> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(Failure::file(folder))
}

/// Replaces a file as a whole, so that a crash leaves the old one or the new one.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let fresh = path.with_extension("toml.new");
    fs::write(&fresh, bytes).map_err(Failure::file(&fresh))?;
    fs::rename(&fresh, path).map_err(Failure::file(path))
}
