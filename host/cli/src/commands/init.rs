//! `sluice init`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;
use sluice_engine::Workspace;
use sluice_engine::workspace::{CONFIG_FILE, Furnishing};

use crate::answer::Answer;
use crate::context::{Context, variable};
use crate::failure::Failure;
use crate::input;
use crate::page::{Page, counted, quoted};

include!(concat!(env!("OUT_DIR"), "/policies.rs"));

/// The variable that names the folder of plugins for new workspaces.
const PLUGINS_VARIABLE: &str = "SLUICE_PLUGINS";

/// Bytes of a plugin that a new workspace is given. 1 MiB: those that carry a language's runtime are
/// larger, and installed by who wants them.
const MOST_PLUGIN: u64 = 1 << 20;

const EXAMPLES: &str = "\
Examples:
  sluice init
  sluice init shop --name shop";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The folder, made where it is not there.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The workspace's name [default: after the folder].
    #[arg(long)]
    name: Option<String>,
}

/// Makes a workspace.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let dir = &arguments.dir;
    let there = Workspace::configured_name(dir)?;
    // What the configuration that is here names lies here too.
    let (from, plugins) = if there.is_some() { Default::default() } else { plugins()? };
    let policies: BTreeMap<String, Vec<u8>> =
        POLICIES.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
    std::fs::create_dir_all(dir).map_err(Failure::file(dir))?;
    let whole = dir.canonicalize().map_err(Failure::file(dir))?;
    let home = context.home_folder()?;
    if home.starts_with(&whole) || home.starts_with(dir) {
        return Err(Failure::usage(
            format!("the folder of keys `{}` would lie in the workspace", home.display()),
            "choose another folder, or another `SLUICE_HOME`: keys never lie in a workspace",
        ));
    }
    let name = match (&there, &arguments.name) {
        (Some(there), Some(wanted)) if there != wanted => {
            return Err(Failure::usage(
                format!("`{CONFIG_FILE}` is here, and calls the workspace `{there}`"),
                "leave `--name` out: the store is made for the configuration that is here",
            ));
        }
        (Some(there), _) => there.clone(),
        (None, wanted) => wanted.clone().unwrap_or_else(|| name_after(&whole)),
    };
    let plugin_files: Vec<String> = plugins.keys().cloned().collect();
    let packs: std::collections::BTreeSet<String> =
        policies.keys().filter_map(|path| path.split('/').next()).map(str::to_owned).collect();
    let workspace = context.init(dir, &name, &Furnishing { policies, plugins })?;
    let log_key = workspace.records().log_key().map(|key| key.to_string()).unwrap_or_default();
    let mut page = Page::new();
    if there.is_some() {
        page.line(format!(
            "made a store for the workspace `{name}` in {}, as `{CONFIG_FILE}` there says",
            dir.display()
        ));
    } else {
        page.line(format!("made the workspace `{name}` in {}", dir.display()));
        page.line(format!("policies: {}", packs.iter().map(String::as_str).collect::<Vec<_>>().join(", ")));
        page.line(format!("plugins:  {} from {}", plugin_files.join(", "), from.display()));
    }
    page.line(format!("log key:  {log_key}"));
    let mut answer = Answer::new(
        &json!({
            "name": name,
            "folder": dir,
            "policies": if there.is_some() { None } else { Some(packs) },
            "plugins": if there.is_some() { None } else { Some(plugin_files) },
            "log_key": log_key,
        }),
        page,
    )?;
    answer = answer.hint("\nKeep the log key: with it anybody can verify a copy of the ledger.\n\nNext:");
    if dir != Path::new(".") {
        answer = answer.hint(format!("  cd {}", quoted(&dir.display().to_string())));
    }
    Ok(answer
        .hint("  sluice key new NAME     makes your key, and puts you into sluice.toml")
        .hint("  sluice config adopt     makes sluice.toml, policies and plugins count"))
}

/// A workspace's name made of the folder's.
fn name_after(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit()).collect();
    let slug = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    let slug: String = slug.chars().take(40).collect();
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "workspace".to_owned() } else { slug.to_owned() }
}

/// The plugins that lie beside this binary, or where the variable says.
fn plugins() -> Result<(PathBuf, BTreeMap<String, Vec<u8>>), Failure> {
    let named = variable(PLUGINS_VARIABLE).map(PathBuf::from);
    let places = match named {
        Some(folder) => vec![folder],
        None => beside_the_binary(),
    };
    for folder in &places {
        let found = plugins_in(folder)?;
        if !found.is_empty() {
            return Ok((folder.clone(), found));
        }
    }
    let looked: Vec<String> = places.iter().map(|place| format!("`{}`", place.display())).collect();
    Err(Failure::failed(
        format!("no plugins were found in {}", looked.join(", ")),
        format!(
            "name the folder that holds `sql.wasm`, `http.wasm` and the others with the variable `{PLUGINS_VARIABLE}`; in Sluice's own source `cargo xtask build-plugins` makes them"
        ),
    ))
}

fn beside_the_binary() -> Vec<PathBuf> {
    let binary = std::env::current_exe().and_then(|path| path.canonicalize());
    let folders = binary.iter().flat_map(|path| path.ancestors().skip(1).take(3));
    folders.map(|folder| folder.join("plugins")).collect()
}

fn plugins_in(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_small = entry.metadata().is_ok_and(|file| file.is_file() && file.len() <= MOST_PLUGIN);
        let is_plugin = path.extension().is_some_and(|ending| ending == "wasm") && is_small;
        if let Some(name) = entry.file_name().to_str().filter(|_| is_plugin) {
            found.insert(name.to_owned(), input::file(&path, MOST_PLUGIN)?);
        }
    }
    tracing::debug!(folder = %folder.display(), "{}", counted(found.len(), "plugin", "plugins"));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_called_after_its_folder() {
        for (folder, name) in [
            ("/a/Shop", "shop"),
            ("/a/My Shop (2)", "my-shop-2"),
            ("/a/..weird__name..", "weird-name"),
            ("/", "workspace"),
            ("/a/名", "workspace"),
        ] {
            assert_eq!(name_after(Path::new(folder)), name);
        }
        let long = name_after(Path::new(&format!("/{}-b", "a".repeat(39))));
        assert_eq!(long.len(), 39);
    }

    #[test]
    fn all_packs_are_in_the_binary_with_their_tests() {
        for pack in [
            "approvals",
            "change-control",
            "data-masking",
            "data-source-hygiene",
            "release-window",
            "supply-chain",
            "test-evidence",
        ] {
            for file in ["policy.toml", "policy.rhai", "README.md", "tests/cases.toml"] {
                let path = format!("{pack}/{file}");
                assert!(POLICIES.iter().any(|(name, bytes)| *name == path && !bytes.is_empty()), "{path}");
            }
        }
    }
}
