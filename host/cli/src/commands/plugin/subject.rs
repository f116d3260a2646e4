//! The plugin that is tested or measured: a project's, or a file.

use std::path::{Path, PathBuf};

use sluice_plugin::conformance::Example;
use sluice_plugin::{Host, Limits};

use super::build;
use super::project::{self, Project};
use crate::context::Context;
use crate::failure::Failure;
use crate::input;

/// A plugin with its examples.
pub(super) struct Subject {
    /// What it is called.
    pub(super) name: String,
    /// Its component.
    pub(super) bytes: Vec<u8>,
    /// Its examples.
    pub(super) examples: Vec<Example>,
}

/// The plugin of a project, which is built where that is necessary; or of a file, with the examples
/// of the project that it lies in.
pub(super) fn at(context: &Context, host: &Host, path: &Path) -> Result<Subject, Failure> {
    if path.is_dir() {
        let project = Project::read(path)?;
        let bytes = build::made(context, host, &project)?;
        let examples = project::examples(path)?;
        return Ok(Subject { name: project.card.name, bytes, examples });
    }
    let bytes = input::file(path, Limits::default().component_bytes as u64)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Subject { name, bytes, examples: examples_of(path)? })
}

/// The examples of the project that a component's file lies in, if it lies in one.
pub(super) fn examples_of(file: &Path) -> Result<Vec<Example>, Failure> {
    project_of(file).map_or_else(|| Ok(Vec::new()), |folder| project::examples(&folder))
}

/// The project that a file lies in, which is its folder or the one above.
fn project_of(file: &Path) -> Option<PathBuf> {
    let file = file.canonicalize().ok()?;
    file.ancestors().skip(1).take(2).find(|folder| Project::is_at(folder)).map(Path::to_owned)
}
