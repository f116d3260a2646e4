//! ToolJet's exports.
//!
//! Of the versions in a file the one that is being edited becomes objects; the others, and whatever
//! belongs to them, are of this file only.

mod decode;
mod dialect;
mod encode;
mod incidental;
mod inspect;
mod places;
mod survey;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sluice_model::{NativeId, ObjectKind, Pointer};

pub(crate) use encode::encode;

use crate::format::{Format, Generation, Platform, Wrapper};
use crate::input::{Document, ReadError};

/// The lists of an app whose entries are taken apart, with what an entry needs to have.
const LISTS: &[&str] = &[
    "components",
    "pages",
    "events",
    "dataQueries",
    "dataSources",
    "appVersions",
    "appEnvironments",
    "dataSourceOptions",
];

/// A whole file.
#[derive(Clone)]
pub(crate) struct Export {
    pub(crate) file: String,
    pub(crate) format: Format,
    /// Members beside the app: release, name of the wrapper's other parts.
    top: Map<String, Value>,
    units: Vec<Unit>,
    /// Tables of the platform's own database that the file brings.
    tables: Option<Vec<Value>>,
    pub(crate) orphans: usize,
    /// Credential ids in the orphans that were dropped.
    orphan_credential_ids: BTreeSet<String>,
    /// Option sets, before orphans were dropped.
    option_sets: usize,
}

/// An app, a module or a workflow.
#[derive(Clone)]
struct Unit {
    id: String,
    /// Where in the file it stands.
    at: Pointer,
    kind: ObjectKind,
    /// The unit in whose list of modules it stands.
    owner: Option<usize>,
    wrapper: Wrapper,
    /// What else stands beside `definition`, and beside `appV2`.
    around: Map<String, Value>,
    inside: Map<String, Value>,
    /// The app without its lists.
    app: Map<String, Value>,
    lists: BTreeMap<&'static str, Vec<Value>>,
    /// Where in the file's own list each of the option sets that were kept stood.
    option_places: Vec<usize>,
    /// Where in `appVersions` the edited version stands.
    version: Option<usize>,
    /// The list of modules, where the app has one: units by index, or what another entry repeats.
    modules: Option<Vec<ModuleEntry>>,
}

#[derive(Clone)]
enum ModuleEntry {
    Unit(usize),
    Repeats(Value),
}

/// Whether a document's keys are those of a ToolJet export.
pub(crate) fn recognises(record: &Value) -> bool {
    let has = |key: &str| record.get(key).is_some();
    has("appV2")
        || record.get("app").is_some_and(|app| app.is_array())
        || (has("id") && has("appVersions") && has("dataQueries"))
}

/// Takes a document apart. `document` must have been recognised.
pub(crate) fn read(document: Document) -> Result<Export, ReadError> {
    let mut reader = Reader { file: document.file, units: Vec::new(), ids: BTreeSet::new() };
    let Some(Value::Object(mut top)) = document.records.into_iter().next() else {
        return Err(reader.wrong(&Pointer::root(), "an object"));
    };
    let at = Pointer::root();
    let wrapper = if let Some(app) = top.remove("appV2") {
        reader.unit(app, &at.child("appV2"), None, Wrapper::AppV2, Map::new(), Map::new())?;
        Wrapper::AppV2
    } else if top.get("app").is_some_and(Value::is_array) {
        let Some(Value::Array(entries)) = top.remove("app") else {
            return Err(reader.wrong(&at.child("app"), "a list of apps"));
        };
        for (index, entry) in entries.into_iter().enumerate() {
            reader.wrapped(entry, &at.child("app").child(index), None)?;
        }
        Wrapper::Definition
    } else {
        // In a bare app, the members beside the app's own are the release's name.
        let release: Vec<String> = top.keys().filter(|key| is_release(key)).cloned().collect();
        let beside: Map<String, Value> =
            release.into_iter().filter_map(|key| top.remove(&key).map(|value| (key, value))).collect();
        let app = std::mem::replace(&mut top, beside);
        reader.unit(Value::Object(app), &at, None, Wrapper::Bare, Map::new(), Map::new())?;
        Wrapper::Bare
    };
    let tables = match top.remove("tooljet_database") {
        Some(Value::Array(tables)) => {
            for (index, table) in tables.iter().enumerate() {
                reader.identified(table, &at.child("tooljet_database").child(index), "a table with an id")?;
            }
            Some(tables)
        }
        Some(other) => {
            top.insert("tooljet_database".to_owned(), other);
            None
        }
        None => None,
    };
    if reader.units.is_empty() {
        return Err(ReadError::Unknown { file: reader.file, why: "its list of apps is empty" });
    }
    let flat = reader.units.iter().any(|unit| {
        unit.lists.contains_key("components")
            || unit.lists.contains_key("pages")
            || unit.lists.contains_key("events")
    });
    let generation = match wrapper {
        _ if flat => Generation::Flat,
        Wrapper::Bare => Generation::Legacy,
        Wrapper::AppV2 | Wrapper::Definition => Generation::Nested,
    };
    let release = top.iter().find(|(key, _)| is_release(key)).and_then(|(_, value)| value.as_str());
    let format =
        Format { platform: Platform::Tooljet, generation, wrapper, release: release.map(str::to_owned) };
    let mut export = Export {
        file: reader.file,
        format,
        top,
        units: reader.units,
        tables,
        orphans: 0,
        orphan_credential_ids: BTreeSet::new(),
        option_sets: 0,
    };
    export.drop_orphans();
    export.check()?;
    Ok(export)
}

/// Forks call it by their own product's name.
fn is_release(key: &str) -> bool {
    key == "tooljetVersion"
        || key == "tooljet_version"
        || key.ends_with("Version") && !matches!(key, "editingVersion")
}

struct Reader {
    file: String,
    units: Vec<Unit>,
    ids: BTreeSet<String>,
}

impl Reader {
    fn wrong(&self, at: &Pointer, wanted: &'static str) -> ReadError {
        ReadError::Structure { file: self.file.clone(), at: at.clone(), wanted }
    }

    /// An object with an id that can be kept; answers the id.
    fn identified(&self, value: &Value, at: &Pointer, wanted: &'static str) -> Result<String, ReadError> {
        let id = value.get("id").and_then(Value::as_str).filter(|id| is_id(id));
        id.map(str::to_owned).ok_or_else(|| self.wrong(at, wanted))
    }

    /// `{definition: {appV2}}`, `{appV2}` or the app itself.
    fn wrapped(&mut self, entry: Value, at: &Pointer, owner: Option<usize>) -> Result<usize, ReadError> {
        let Value::Object(mut around) = entry else { return Err(self.wrong(at, "an app")) };
        if let Some(app) = around.remove("appV2") {
            return self.unit(app, &at.child("appV2"), owner, Wrapper::AppV2, around, Map::new());
        }
        match around.remove("definition") {
            Some(Value::Object(mut inside)) if inside.contains_key("appV2") => {
                let at = at.child("definition").child("appV2");
                let app = inside.remove("appV2").unwrap_or_default();
                self.unit(app, &at, owner, Wrapper::Definition, around, inside)
            }
            other => {
                if let Some(other) = other {
                    around.insert("definition".to_owned(), other);
                }
                self.unit(Value::Object(around), at, owner, Wrapper::Bare, Map::new(), Map::new())
            }
        }
    }

    fn unit(
        &mut self,
        app: Value,
        at: &Pointer,
        owner: Option<usize>,
        wrapper: Wrapper,
        around: Map<String, Value>,
        inside: Map<String, Value>,
    ) -> Result<usize, ReadError> {
        let id = self.identified(&app, at, "an app with an id")?;
        let Value::Object(mut app) = app else { return Err(self.wrong(at, "an app")) };
        if !app.get("name").is_some_and(Value::is_string) {
            return Err(self.wrong(&at.child("name"), "the app's name"));
        }
        if !self.ids.insert(id.clone()) {
            return Err(ReadError::Repeated { file: self.file.clone(), what: "an app", id });
        }
        let mut lists = BTreeMap::new();
        for list in LISTS {
            match app.remove(*list) {
                Some(Value::Array(entries)) => {
                    let wanted =
                        if *list == "dataSourceOptions" { "an option set" } else { "an object with an id" };
                    for (index, entry) in entries.iter().enumerate() {
                        let ok = match *list {
                            "dataSourceOptions" => entry.is_object(),
                            _ => entry.get("id").and_then(Value::as_str).is_some_and(is_id),
                        };
                        if !ok {
                            return Err(self.wrong(&at.child(list).child(index), wanted));
                        }
                    }
                    lists.insert(*list, entries);
                }
                Some(Value::Null) => {
                    app.insert((*list).to_owned(), Value::Null);
                }
                Some(_) => return Err(self.wrong(&at.child(list), "a list")),
                None => {}
            }
        }
        for needed in ["dataQueries", "dataSources", "appVersions"] {
            if !lists.contains_key(needed) {
                return Err(self.wrong(&at.child(needed), "a list, which every export of ToolJet has"));
            }
        }
        if app.get("editingVersion").is_some_and(|version| !version.is_object() && !version.is_null()) {
            return Err(self.wrong(&at.child("editingVersion"), "a version"));
        }
        let version = edited_version(&app, lists.get("appVersions"));
        let kind = match app.get("type").and_then(Value::as_str) {
            Some("workflow") => ObjectKind::Workflow,
            Some("module") => ObjectKind::Module,
            _ if owner.is_some() => ObjectKind::Module,
            _ => ObjectKind::App,
        };
        let index = self.units.len();
        let modules = match app.remove("modules") {
            Some(Value::Array(entries)) => Some(entries),
            Some(other) => {
                app.insert("modules".to_owned(), other);
                None
            }
            None => None,
        };
        self.units.push(Unit {
            id,
            at: at.clone(),
            kind,
            owner,
            wrapper,
            around,
            inside,
            app,
            lists,
            option_places: Vec::new(),
            version,
            modules: None,
        });
        if let Some(entries) = modules {
            let mut kept = Vec::with_capacity(entries.len());
            for (position, entry) in entries.into_iter().enumerate() {
                // Two apps of a file may bring the same module.
                if module_id(&entry).is_some_and(|id| self.ids.contains(id)) {
                    kept.push(ModuleEntry::Repeats(entry));
                } else {
                    let at = at.child("modules").child(position);
                    kept.push(ModuleEntry::Unit(self.wrapped(entry, &at, Some(index))?));
                }
            }
            if let Some(unit) = self.units.get_mut(index) {
                unit.modules = Some(kept);
            }
        }
        Ok(index)
    }
}

fn module_id(entry: &Value) -> Option<&str> {
    let app =
        entry.get("appV2").or_else(|| entry.get("definition").and_then(|d| d.get("appV2"))).unwrap_or(entry);
    app.get("id").and_then(Value::as_str)
}

/// Ids are kept as native ids, and two of them joined still have to be one.
fn is_id(id: &str) -> bool {
    id.len() <= 90 && !id.contains('/') && NativeId::new(id).is_ok()
}

/// The version that `editingVersion` repeats; where it repeats none, the one changed last.
fn edited_version(app: &Map<String, Value>, versions: Option<&Vec<Value>>) -> Option<usize> {
    let versions = versions?;
    let editing = app.get("editingVersion").and_then(|version| version.get("id"));
    versions.iter().position(|version| editing.is_some() && version.get("id") == editing).or_else(|| {
        let newest = versions
            .iter()
            .enumerate()
            .max_by_key(|(_, version)| text(version, "updatedAt").unwrap_or_default());
        newest.map(|(index, _)| index)
    })
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

fn credential_ids<'v>(value: &'v Value, seen: &mut BTreeSet<&'v str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| credential_ids(item, seen)),
        Value::Object(members) => {
            for (key, member) in members {
                match member.as_str() {
                    Some(id) if key == "credential_id" => {
                        seen.insert(id);
                    }
                    _ => credential_ids(member, seen),
                }
            }
        }
        _ => {}
    }
}

impl Unit {
    fn list(&self, name: &str) -> &[Value] {
        self.lists.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    fn version(&self) -> Option<&Value> {
        self.list("appVersions").get(self.version?)
    }

    fn version_mut(&mut self) -> Option<&mut Value> {
        self.lists.get_mut("appVersions")?.get_mut(self.version?)
    }

    fn version_id(&self) -> Option<&str> {
        text(self.version()?, "id")
    }

    fn name(&self) -> &str {
        self.app.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether an entry is of the edited version, or of no version in particular.
    fn is_of_edited(&self, entry: &Value) -> bool {
        match (text(entry, "appVersionId"), self.version_id()) {
            (Some(of), Some(edited)) => of == edited,
            _ => true,
        }
    }

    /// The entries of a list that become objects, each with where in the list it stands.
    fn taken(&self, list: &str) -> Vec<(usize, &Value)> {
        let entries = self.list(list).iter().enumerate();
        match list {
            "components" => {
                let others: BTreeSet<_> = self
                    .list("pages")
                    .iter()
                    .filter(|page| !self.is_of_edited(page))
                    .filter_map(|p| text(p, "id"))
                    .collect();
                entries.filter(|(_, c)| text(c, "pageId").is_none_or(|page| !others.contains(page))).collect()
            }
            "dataSources" => {
                let used: BTreeSet<_> = self
                    .taken("dataQueries")
                    .into_iter()
                    .filter_map(|(_, query)| text(query, "dataSourceId"))
                    .collect();
                let is_used = |source: &Value| text(source, "id").is_some_and(|id| used.contains(id));
                entries.filter(|(_, s)| is_global(s) || self.is_of_edited(s) || is_used(s)).collect()
            }
            "pages" | "events" | "dataQueries" => {
                entries.filter(|(_, entry)| self.is_of_edited(entry)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Pages inside the edited version's definition, before 3.x.
    fn nested_pages(&self) -> Option<&Map<String, Value>> {
        self.version()?.get("definition")?.get("pages")?.as_object()
    }

    /// Components inside the edited version's definition: without pages in 1.x.
    fn nested_components(&self) -> Vec<(Option<&str>, &String, &Value)> {
        let mut found = Vec::new();
        let definition = self.version().and_then(|version| version.get("definition"));
        if let Some(components) = definition.and_then(|d| d.get("components")).and_then(Value::as_object) {
            found.extend(components.iter().map(|(id, component)| (None, id, component)));
        }
        for (page, value) in self.nested_pages().into_iter().flatten() {
            if let Some(components) = value.get("components").and_then(Value::as_object) {
                found.extend(components.iter().map(|(id, component)| (Some(page.as_str()), id, component)));
            }
        }
        found
    }
}

/// Whether several apps share a source.
fn is_global(source: &Value) -> bool {
    text(source, "scope") == Some("global")
}

/// Whether a source is part of the platform itself and needs no connection.
fn is_built_in(source: &Value) -> bool {
    text(source, "type") == Some("static")
}

impl Export {
    /// Releases 2.5 to 2.17 export every option set of the organisation; those of other apps go.
    fn drop_orphans(&mut self) {
        for unit in &mut self.units {
            let own: BTreeSet<String> = unit
                .list("dataSources")
                .iter()
                .filter_map(|source| text(source, "id"))
                .map(str::to_owned)
                .collect();
            if let Some(sets) = unit.lists.get_mut("dataSourceOptions") {
                let before = sets.len();
                self.option_sets += before;
                let mut index = 0..;
                sets.retain(|set| {
                    let kept = text(set, "dataSourceId").is_some_and(|id| own.contains(id));
                    let place = index.next();
                    if kept {
                        unit.option_places.extend(place);
                    } else {
                        let mut ids = BTreeSet::new();
                        credential_ids(set, &mut ids);
                        self.orphan_credential_ids.extend(ids.into_iter().map(str::to_owned));
                    }
                    kept
                });
                self.orphans += before - sets.len();
            }
        }
    }

    /// Ids that would be taken for one another.
    fn check(&self) -> Result<(), ReadError> {
        for unit in &self.units {
            for list in LISTS.iter().filter(|list| **list != "dataSourceOptions") {
                let mut seen = BTreeSet::new();
                for id in unit.list(list).iter().filter_map(|entry| text(entry, "id")) {
                    if !seen.insert(id) {
                        return Err(ReadError::Repeated {
                            file: self.file.clone(),
                            what: list,
                            id: id.to_owned(),
                        });
                    }
                }
            }
            let nested = unit.nested_pages().into_iter().flat_map(Map::keys);
            let wrong =
                nested.chain(unit.nested_components().into_iter().map(|(_, id, _)| id)).find(|id| !is_id(id));
            if let Some(id) = wrong {
                let at = Pointer::root().child("definition").child(id);
                return Err(ReadError::Structure { file: self.file.clone(), at, wanted: "named by an id" });
            }
            for (_, id, component) in unit.nested_components() {
                if !component.is_object() || component.get(decode::PAGE).is_some() {
                    let at = Pointer::root().child("definition").child("components").child(id);
                    return Err(ReadError::Structure { file: self.file.clone(), at, wanted: "a component" });
                }
            }
        }
        Ok(())
    }
}
