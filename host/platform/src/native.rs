//! A file or folder that was read, whatever platform it is of.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_model::{Digest, LogicalId};

use crate::decoded::{DecodeError, Decoded};
use crate::format::Format;
use crate::input::{self, Document, InputFile, ReadError};
use crate::inspect::Inspection;
use crate::places::Places;
use crate::rules::SlotRules;
use crate::thing::{NativeKey, NativeThing};
use crate::{lowcoder, tooljet};

/// An export that was read and found to be whole. Orphan option sets are gone from it.
#[derive(Clone)]
pub struct Native(Inner);

#[derive(Clone)]
enum Inner {
    Tooljet(tooljet::Export),
    Lowcoder(lowcoder::Folder),
}

/// Reads an export of at most `limit` bytes over all its files.
///
/// Several files are a Lowcoder folder: exports of its user interface and `mongoexport` output,
/// as JSON lines or arrays. The platform and generation are told by keys alone.
///
/// # Errors
/// [`ReadError`] names the file, the place in it and what to do.
pub fn read(files: &[InputFile], limit: usize) -> Result<Native, ReadError> {
    let mut documents = input::parse(files, limit)?;
    if let Some(document) = documents.iter().find(|d| d.records.iter().any(is_appsmith)) {
        return Err(ReadError::OtherPlatform { file: document.file.clone(), platform: "Appsmith" });
    }
    let tooljet = documents.iter().position(|document| document.records.iter().any(tooljet::recognises));
    match (tooljet, documents.len()) {
        (Some(0), 1) => {
            let Some(document) = documents.pop() else { return Err(ReadError::NoFiles) };
            alone(&document)?;
            tooljet::read(document).map(|export| Native(Inner::Tooljet(export)))
        }
        (Some(index), _) => {
            let file = documents.swap_remove(index).file;
            Err(ReadError::NotAlone { file })
        }
        (None, _) => lowcoder::read(documents).map(|folder| Native(Inner::Lowcoder(folder))),
    }
}

fn alone(document: &Document) -> Result<(), ReadError> {
    match document.records.len() {
        1 if document.layout == input::Layout::Single => Ok(()),
        _ => Err(ReadError::Unknown { file: document.file.clone(), why: "a ToolJet export is one object" }),
    }
}

fn is_appsmith(record: &Value) -> bool {
    ["exportedApplication", "pageList", "actionList", "datasourceList", "clientSchemaVersion"]
        .iter()
        .any(|key| record.get(key).is_some())
}

impl Native {
    /// The shape of the export; keep it, a first export of another environment is written in it.
    #[must_use]
    pub const fn format(&self) -> &Format {
        match &self.0 {
            Inner::Tooljet(export) => &export.format,
            Inner::Lowcoder(folder) => &folder.format,
        }
    }

    /// Option sets that belong to no data source of the app and were dropped.
    #[must_use]
    pub const fn orphan_options(&self) -> usize {
        match &self.0 {
            Inner::Tooljet(export) => export.orphans,
            Inner::Lowcoder(_) => 0,
        }
    }

    /// Everything that has an identity, owners before what they own.
    #[must_use]
    pub fn survey(&self) -> Vec<NativeThing> {
        match &self.0 {
            Inner::Tooljet(export) => export.survey(),
            Inner::Lowcoder(folder) => folder.survey(),
        }
    }

    /// Where in the files everything stands that becomes an object, where this environment is
    /// imported into: in the words of [`Native::decode`].
    #[must_use]
    pub fn places(&self, environment: &str) -> Places {
        match &self.0 {
            Inner::Tooljet(export) => export.places(environment),
            Inner::Lowcoder(folder) => folder.places(),
        }
    }

    /// The export as objects: secrets out, native ids replaced by those given for the survey.
    ///
    /// `environment` is the one that is imported into. Where the export has several, the one of
    /// that name gives the data sources their options, and the others' come as proposals.
    ///
    /// # Errors
    /// When the ids do not fit the survey, or cannot be told from the export's own text.
    pub fn decode(
        self,
        ids: &BTreeMap<NativeKey, LogicalId>,
        rules: &SlotRules,
        environment: &str,
    ) -> Result<Decoded, DecodeError> {
        match self.0 {
            Inner::Tooljet(export) => export.decode(ids, rules, environment),
            Inner::Lowcoder(folder) => folder.decode(ids, rules),
        }
    }

    /// What the export holds, and which references are not resolved.
    ///
    /// # Errors
    /// As [`Native::decode`], which it does with a copy.
    pub fn inspect(&self) -> Result<Inspection, DecodeError> {
        let ids = self.survey().into_iter().filter_map(|thing| {
            let id = Digest::of(thing.key.to_string().as_bytes()).hex();
            LogicalId::new(id).ok().map(|id| (thing.key, id))
        });
        let decoded = self.clone().decode(&ids.collect(), &SlotRules::floor(), "development")?;
        let format = self.format();
        let counts = match &self.0 {
            Inner::Tooljet(export) => export.counts(),
            Inner::Lowcoder(folder) => folder.counts(),
        };
        Ok(Inspection::of(
            format.platform,
            format.generation,
            format.release.clone(),
            counts,
            &decoded.objects,
        ))
    }
}
