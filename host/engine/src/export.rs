//! Export: an environment's app in the platform's own format, with empty credentials.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use sluice_model::{EnvironmentName, LogicalId, NativeId, Object, SecretRef};
use sluice_platform::{EncodeInput, Entry, Position, Written};

use crate::error::{Error, Result};
use crate::identity::IdentityMap;
use crate::import::Residue;
use crate::plan::content_secret;
use crate::render::Rendered;
use crate::settings::constant_secret;
use crate::version::Finder;
use crate::workspace::Workspace;

/// An export, and what a person enters by hand after importing it.
pub struct ExportReport {
    /// The files.
    pub files: Vec<Written>,
    /// What to enter.
    pub to_enter: Vec<ByHand>,
}

/// One thing to enter by hand in the platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ByHand {
    /// The data source or other object, by name.
    pub object: String,
    /// What to enter: a slot or a constant.
    pub what: String,
    /// Where the value lies in Sluice, where it does.
    pub value: Option<SecretRef>,
}

impl Workspace {
    /// Writes an environment's app in the platform's own format.
    ///
    /// # Errors
    /// When the environment does not have the app, or it cannot be written.
    pub fn export(&self, environment: &EnvironmentName, app: &str) -> Result<ExportReport> {
        let mut work = self.work();
        let (_, state) = self.environment(&mut work, environment)?;
        let app = self.app(&mut work, app)?;
        let mut finder = Finder::over(&work, &state)?;
        if finder.object(&app.id)?.is_none() {
            return Err(Error::invalid(
                format!("`{environment}` does not have `{}`", app.name),
                format!("promote it with `sluice promote \"{}\" --to {environment}`", app.name),
            ));
        }
        let mut objects: Vec<Object> = Vec::new();
        for id in finder.closure(&app.id)?.members {
            objects.extend(finder.object(&id)?.map(std::borrow::Cow::into_owned));
        }
        let own: Option<Residue> = work.lookup(state.residue, app.id.as_str())?;
        let format = match &own {
            Some(residue) => residue.format.clone(),
            None => self.format_of(&mut work, &app)?,
        };
        let native_ids: BTreeMap<LogicalId, NativeId> = IdentityMap::read(&work, state.identity)?
            .things()
            .filter_map(|thing| {
                Some((thing.logical.clone(), NativeId::new(own_part(thing.native.id.as_str())).ok()?))
            })
            .collect();
        let rendered: BTreeMap<String, Rendered> = work.all(state.rendered)?;
        let mut options: BTreeMap<LogicalId, Value> = BTreeMap::new();
        for object in objects.iter().filter(|object| object.source_kind.is_some()) {
            if let Some(rendered) = rendered.get(object.id.as_str()) {
                options.insert(object.id.clone(), rendered.options.clone());
            } else if own.is_some() || *environment == self.first_environment()? {
                // Never promoted to: what the platform itself holds here.
                if let Some(held) = object.content.get(sluice_platform::OPTIONS) {
                    options.insert(object.id.clone(), held.clone());
                }
            }
        }
        let platform = format.platform.as_str();
        let called = self
            .config()?
            .environment(environment)
            .map_or_else(|| environment.to_string(), |e| e.native_name(platform).to_owned());
        let encoded = sluice_platform::encode(&EncodeInput {
            format: &format,
            rest: own.as_ref().map(|residue| &residue.rest),
            objects: &objects,
            native_ids: &native_ids,
            options: &options,
            environment: &called,
            position: self.position_of(environment)?,
        })?;
        let mut to_enter = Vec::new();
        for entry in encoded.to_enter {
            let (what, value) = match entry.entry {
                Entry::Slot { slot, .. } | Entry::Provisional { slot, .. } => {
                    let bound = rendered
                        .get(entry.object.as_str())
                        .map(|rendered| rendered.slots.get(&slot).cloned())
                        .unwrap_or(Some(content_secret(environment, &entry.object, &slot)?));
                    (format!("secret `{slot}`"), bound)
                }
                Entry::Constant(name) => {
                    let value = name.is_secret().then(|| constant_secret(environment, &name)).transpose()?;
                    (format!("constant `{name}`"), value)
                }
            };
            to_enter.push(ByHand { object: entry.name, what, value });
        }
        to_enter.sort();
        to_enter.dedup();
        Ok(ExportReport { files: encoded.files, to_enter })
    }

    fn position_of(&self, environment: &EnvironmentName) -> Result<Position> {
        let config = self.config()?;
        let number = config.position(environment).map_or(1, |before| before + 1);
        Ok(Position { number, of: config.environments.len() })
    }

    /// The format in which an app came, from the environment where it was imported first.
    fn format_of(&self, work: &mut crate::state::Work<'_>, app: &Object) -> Result<sluice_platform::Format> {
        for environment in &self.config()?.environments {
            let (_, state) = self.environment(work, &environment.name)?;
            if let Some(residue) = work.lookup::<Residue>(state.residue, app.id.as_str())? {
                return Ok(residue.format);
            }
        }
        Err(Error::invalid(
            format!("`{}` was never imported", app.name),
            "import it into the first environment",
        ))
    }
}

/// The platform's own id in a native key, which is written `OWNER/ID` where the platform's is not
/// unique.
fn own_part(id: &str) -> &str {
    id.rsplit_once('/').map_or(id, |(_, own)| own)
}
