//! Packs: a policy's source with its metadata, parameters, documentation and tests.
//!
//! A pack is a folder `policies/<name>/` with `policy.toml`, `policy.rhai`, `README.md`,
//! `modules/*.rhai` where it has functions of its own, and `tests/*.toml`. It is read whole into memory within limits, and addressed by the digest of all
//! its files, so that what was adopted is what is asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluice_model::{Digest, json};

use crate::calls::Calls;
use crate::parameter::{self, Schema};
use crate::sandbox::{Compiled, FACTS, Sandbox};
use crate::shelf::PerShelf;
use crate::vocabulary::API;

/// Bytes of one file, and of all files of a pack: a policy is read by people.
const MOST_FILE_BYTES: usize = 256 << 10;
const MOST_PACK_BYTES: usize = 4 << 20;

/// Files of a pack.
const MOST_FILES: usize = 500;

/// Bytes of a policy's source. The parser takes time and stack in proportion.
const MOST_SOURCE_BYTES: usize = 64 << 10;

/// The metadata's file within a pack.
pub const MANIFEST_FILE: &str = "policy.toml";
/// The source's file within a pack.
pub const SOURCE_FILE: &str = "policy.rhai";
/// The folder of a pack's modules: `modules/<name>.rhai`, called as `<name>::function()`.
pub const MODULES_FOLDER: &str = "modules/";
/// The documentation's file within a pack.
pub const README_FILE: &str = "README.md";

/// What `policy.toml` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The pack's name, which is its folder's.
    pub name: String,
    /// The pack's version.
    pub version: String,
    /// One line that says what it asks for.
    pub title: String,
    /// The version of facts and functions that it is written for.
    pub api: u32,
    /// The facts that it needs; without one of them it is not asked.
    pub facts: Vec<String>,
    /// The facts that it reads where they were gathered; where not, they are missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional: Vec<String>,
    /// What it does, in Markdown, for its page.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// How it is attached in `sluice.toml`, for its page.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub example: String,
    /// Where more is to be read, such as the regulation that it implements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// Its parameters by name.
    #[serde(default)]
    pub parameters: BTreeMap<String, Schema>,
    /// The findings that it can give, by code.
    pub findings: BTreeMap<String, FindingDoc>,
}

/// What a finding of a code means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingDoc {
    /// What it means.
    pub doc: String,
    /// What would make it pass; used where the policy says nothing more exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// Who can do that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// Whether nothing lifts it, not even an emergency act: for what cannot be made good later,
    /// such as a secret that leaks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inviolable: bool,
}

/// A pack is wrong, with the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", .at)]
pub struct PackError {
    /// File, line and column, such as `policies/x/policy.rhai:12:4`.
    pub at: Place,
    /// What is wrong and what to do.
    pub problem: String,
}

/// A place in a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, with the folder that it was loaded from.
    pub file: String,
    /// Line and column, from 1.
    pub position: Option<(usize, usize)>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.position {
            Some((line, column)) => write!(f, "`{}:{line}:{column}`", self.file),
            None => write!(f, "`{}`", self.file),
        }
    }
}

/// A pack that was read and whose metadata hold; its source is compiled by a sandbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    place: String,
    files: BTreeMap<String, String>,
    manifest: Manifest,
    digest: Digest,
}

/// A pack whose source is compiled. Shared by all gates that use it.
pub struct Policy {
    pub(crate) pack: Pack,
    /// As the thread runs it that compiled it.
    pub(crate) compiled: Arc<Compiled>,
    copies: PerShelf<Arc<Compiled>>,
    /// What decides which function a call means.
    pub(crate) calls: Calls,
    /// The names of facts that a `pass` may cite.
    pub(crate) citable: Arc<[String]>,
    /// The lines of the sources as findings show them, by file: each finding asks for one.
    shown: BTreeMap<String, Vec<String>>,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("pack", &self.pack).finish_non_exhaustive()
    }
}

impl Policy {
    /// The pack it was compiled from.
    #[must_use]
    pub const fn pack(&self) -> &Pack {
        &self.pack
    }

    pub(crate) fn new(pack: Pack, compiled: Compiled, citable: Arc<[String]>) -> Self {
        let sources = pack.files.iter().filter(|(file, _)| file.ends_with(".rhai"));
        let shown = sources.map(|(file, text)| (file.clone(), text.lines().map(shown).collect())).collect();
        let calls = Calls::of(&compiled);
        let (compiled, copies) = (Arc::new(compiled), PerShelf::default());
        copies.here(|| Arc::clone(&compiled));
        Self { pack, compiled, copies, calls, citable, shown }
    }

    /// What this thread runs of it.
    pub(crate) fn local(&self, sandbox: &Sandbox) -> Arc<Compiled> {
        self.copies.here(|| match sandbox.compiled(&self.pack) {
            Ok(copy) => Arc::new(copy),
            // It compiled once. To share that is slower, and as right.
            Err(_) => Arc::clone(&self.compiled),
        })
    }

    /// A line of a source as findings show it, from 1.
    pub(crate) fn line(&self, file: &str, line: usize) -> Option<&str> {
        self.shown.get(file)?.get(line.checked_sub(1)?).map(String::as_str)
    }
}

impl Pack {
    /// Takes the files of a pack, by their path within it. `place` is the folder for messages.
    ///
    /// # Errors
    /// [`PackError`] with file and line for what is too large, missing, not UTF-8, not TOML, or
    /// contradicts itself.
    pub fn new(place: &str, files: BTreeMap<String, Vec<u8>>) -> Result<Self, PackError> {
        let at = |file: &str| Place { file: format!("{place}/{file}"), position: None };
        let wrong = |file: &str, problem: String| PackError { at: at(file), problem };
        if files.len() > MOST_FILES {
            return Err(wrong("", format!("has {} files, more than {MOST_FILES}", files.len())));
        }
        let total: usize = files.values().map(Vec::len).sum();
        if total > MOST_PACK_BYTES {
            return Err(wrong("", format!("has {total} bytes, more than {MOST_PACK_BYTES}")));
        }
        let mut texts = BTreeMap::new();
        for (name, bytes) in files {
            let most = if name.ends_with(".rhai") { MOST_SOURCE_BYTES } else { MOST_FILE_BYTES };
            if bytes.len() > most {
                return Err(wrong(&name, format!("has {} bytes, more than {most}", bytes.len())));
            }
            let text = String::from_utf8(bytes).map_err(|error| {
                wrong(&name, format!("is not UTF-8 at byte {}", error.utf8_error().valid_up_to()))
            })?;
            texts.insert(name, text);
        }
        for needed in [MANIFEST_FILE, SOURCE_FILE, README_FILE] {
            if !texts.contains_key(needed) {
                return Err(wrong(needed, "is missing: a pack needs it".to_owned()));
            }
        }
        let text = texts.get(MANIFEST_FILE).map_or("", String::as_str);
        let manifest: Manifest = toml::from_str(text).map_err(|error| PackError {
            at: Place { position: error.span().map(|span| position(text, span.start)), ..at(MANIFEST_FILE) },
            problem: error.message().to_owned(),
        })?;
        manifest.check().map_err(|problem| wrong(MANIFEST_FILE, problem))?;
        let blob = json::canonical_of(&texts).map_err(|error| wrong("", error.to_string()))?;
        Ok(Self { place: place.to_owned(), digest: Digest::of(&blob), files: texts, manifest })
    }

    /// Reads the folder of a pack.
    ///
    /// # Errors
    /// As [`Pack::new`], and for what cannot be read or is a link out of the folder.
    pub fn read(folder: &Path) -> Result<Self, PackError> {
        let place = folder.display().to_string();
        let mut files = BTreeMap::new();
        let mut bytes_left = MOST_PACK_BYTES as u64;
        collect(folder, "", &mut files, &mut bytes_left).map_err(|(file, problem)| PackError {
            at: Place { file: format!("{place}/{file}"), position: None },
            problem,
        })?;
        Self::new(&place, files)
    }

    /// The bytes that hold the whole pack, to be kept under its digest.
    ///
    /// # Errors
    /// Never for a pack that was read; `serde` asks for the type.
    pub fn blob(&self) -> Result<Vec<u8>, serde_json::Error> {
        json::canonical_of(&self.files)
    }

    /// A pack from the bytes of [`Pack::blob`].
    ///
    /// # Errors
    /// As [`Pack::new`].
    pub fn from_blob(place: &str, bytes: &[u8]) -> Result<Self, PackError> {
        let wrong =
            |problem: String| PackError { at: Place { file: place.to_owned(), position: None }, problem };
        let value = json::read(bytes, 2 * MOST_PACK_BYTES).map_err(|error| wrong(error.to_string()))?;
        let texts: BTreeMap<String, String> =
            serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
        Self::new(place, texts.into_iter().map(|(name, text)| (name, text.into_bytes())).collect())
    }

    /// What its metadata say.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The digest of all its files.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Its files by their path within it.
    #[must_use]
    pub const fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// The policy's source.
    #[must_use]
    pub fn source(&self) -> &str {
        self.files.get(SOURCE_FILE).map_or("", String::as_str)
    }

    /// The pack's modules: name, file and source.
    pub fn modules(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.files.iter().filter_map(|(file, source)| {
            let name = file.strip_prefix(MODULES_FOLDER)?.strip_suffix(".rhai")?;
            Some((name, file.as_str(), source.as_str()))
        })
    }

    /// The JSON Schema (draft 2020-12) of the parameters that a gate gives.
    #[must_use]
    pub fn parameter_schema(&self) -> serde_json::Value {
        parameter::schema(&self.manifest.parameters)
    }

    /// The folder that it was read from, for messages.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    pub(crate) fn error(
        &self,
        file: &str,
        position: Option<(usize, usize)>,
        problem: impl Into<String>,
    ) -> PackError {
        PackError { at: Place { file: format!("{}/{file}", self.place), position }, problem: problem.into() }
    }
}

/// Characters of a line that findings show.
const MOST_SHOWN: usize = 200;

fn shown(line: &str) -> String {
    line.trim().chars().take(MOST_SHOWN).collect()
}

fn collect(
    folder: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, Vec<u8>>,
    bytes_left: &mut u64,
) -> Result<(), (String, String)> {
    let failed = |error: std::io::Error| (prefix.to_owned(), format!("cannot be read: {error}"));
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let failed = |error: std::io::Error| (name.clone(), format!("cannot be read: {error}"));
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() && prefix.len() < 200 {
            collect(&entry.path(), &format!("{name}/"), files, bytes_left)?;
        } else if kind.is_file() {
            let bytes = entry.metadata().map_err(failed)?.len();
            *bytes_left =
                bytes_left.checked_sub(bytes).filter(|_| files.len() <= MOST_FILES).ok_or_else(|| {
                    (
                        name.clone(),
                        format!("makes the pack larger than {MOST_PACK_BYTES} bytes or {MOST_FILES} files"),
                    )
                })?;
            files.insert(name.clone(), std::fs::read(entry.path()).map_err(failed)?);
        } else {
            return Err((name, "is neither a file nor a folder: a pack holds no links".to_owned()));
        }
    }
    Ok(())
}

/// Line and column, from 1, of a byte in a text.
pub(crate) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (
        before.matches('\n').count() + 1,
        before.chars().count() - text.get(..line_start).map_or(0, |t| t.chars().count()) + 1,
    )
}

impl Manifest {
    /// The facts that it reads, needed or not.
    pub(crate) fn reads(&self) -> impl Iterator<Item = &String> {
        self.facts.iter().chain(&self.optional)
    }

    fn check(&self) -> Result<(), String> {
        if self.api != API {
            return Err(format!("`api = {}` is not known: this Sluice has `api = {API}`", self.api));
        }
        if sluice_model::EnvironmentName::new(self.name.as_str()).is_err() {
            return Err(format!(
                "`name = {:?}`: use lower-case letters, digits and single hyphens",
                self.name
            ));
        }
        for (list, facts) in [("facts", &self.facts), ("optional", &self.optional)] {
            if let Some(unknown) = facts.iter().find(|fact| !FACTS.contains(&fact.as_str())) {
                return Err(format!(
                    "`{list}`: there is no fact `{unknown}`; there are {}",
                    FACTS.join(", ")
                ));
            }
        }
        if let Some(both) = self.optional.iter().find(|fact| self.facts.contains(fact)) {
            return Err(format!("`optional`: `{both}` stands under `facts` too: a fact is needed or not"));
        }
        for code in self.findings.keys() {
            let slug = |word: &str| sluice_model::EnvironmentName::new(word).is_ok();
            let ok = code.split_once('.').is_some_and(|(a, b)| slug(a) && slug(b));
            if !ok || code.starts_with("gate.") || code.starts_with("facts.") {
                return Err(format!(
                    "`findings`: `{code}` is not a code: write `subject.what`; `gate.` and `facts.` are the engine's own"
                ));
            }
        }
        if let Some(taken) = self.parameters.keys().find(|name| {
            name.is_empty()
                || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        }) {
            return Err(format!(
                "`parameters`: `{taken}` is not a name: use lower-case letters, digits and `_`"
            ));
        }
        for (name, declared) in &self.parameters {
            let problem = if declared.description.trim().is_empty() {
                Some("needs a `description`".to_owned())
            } else {
                declared.problem()
            };
            if let Some(problem) = problem {
                return Err(format!("`parameters.{name}`: {problem}"));
            }
        }
        let with_default = self.parameters.iter().filter(|(_, declared)| declared.default.is_some());
        let with_default: BTreeMap<_, _> =
            with_default.map(|(name, declared)| (name.clone(), declared.clone())).collect();
        parameter::check(&with_default, &BTreeMap::new())
            .map(|_| ())
            .map_err(|error| format!("`parameters`: {error}"))
    }
}
