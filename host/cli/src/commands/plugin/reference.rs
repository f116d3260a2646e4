//! What a person names when a plugin is meant: a file, a project, or a plugin of the workspace.

use std::path::{Path, PathBuf};

use sluice_engine::Error;
use sluice_engine::config::{Config, PluginName};
use sluice_engine::workspace::CONFIG_FILE;
use sluice_plugin::Limits;

use super::project::Project;
use crate::context::Context;
use crate::failure::Failure;
use crate::input;

/// Bytes of a configuration that are read, as the engine reads them.
const MOST_CONFIG: u64 = 1 << 20;

/// A component that was found.
pub(super) struct Found {
    /// What it is called.
    pub(super) name: String,
    /// Where it lies.
    pub(super) path: PathBuf,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

/// The component that is meant: a file, a project's folder, or a plugin of the workspace's
/// configuration by its name.
pub(super) fn resolve(context: &Context, named: &str) -> Result<Found, Failure> {
    let path = Path::new(named);
    if path.is_file() {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        return read(name, path.to_owned());
    }
    if Project::is_at(path) {
        let project = Project::read(path)?;
        return read(project.card.name.clone(), project.component());
    }
    let name = named.parse::<PluginName>().ok().zip(configuration(context)?);
    if let Some((name, (folder, config))) = name
        && let Some(plugin) = config.plugins.get(&name)
    {
        return read(name.to_string(), folder.join(&plugin.path));
    }
    Err(Failure::usage(
        format!("`{named}` is no component's file, no plugin's project, and no plugin of a workspace here"),
        "name a file such as `build/orders-db.wasm`, or a plugin of `sluice.toml`",
    ))
}

/// The configuration here as it stands, adopted or not, with its folder.
pub(super) fn configuration(context: &Context) -> Result<Option<(PathBuf, Config)>, Failure> {
    let Some(folder) = context.found_folder() else { return Ok(None) };
    let bytes = input::file(&folder.join(CONFIG_FILE), MOST_CONFIG)?;
    let text = String::from_utf8_lossy(&bytes);
    let config = Config::parse(&text, CONFIG_FILE).map_err(Error::Config)?;
    Ok(Some((folder, config)))
}

fn read(name: String, path: PathBuf) -> Result<Found, Failure> {
    let bytes = input::file(&path, Limits::default().component_bytes as u64)?;
    Ok(Found { name, path, bytes })
}
