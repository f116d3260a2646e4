//! Lowcoder's exports: the user interface's, and records of its collections.
//!
//! Of an app the state that is being edited becomes objects; its published versions are of this
//! file only. Records whose status is not `NORMAL` were thrown away by somebody and stay aside.

mod decode;
mod dialect;
mod encode;
mod places;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Number, Value};
use sluice_model::{Kind, NativeId, ObjectKind, Pointer, json};

pub use dialect::pin_library_query;
pub(crate) use encode::encode;

use crate::format::{Format, Generation, Platform, Wrapper};
use crate::input::{Document, Layout, ReadError};
use crate::inspect::Counts;
use crate::suspect::shown;
use crate::thing::{NativeKey, NativeThing};

/// Everything that was read.
#[derive(Clone)]
pub(crate) struct Folder {
    pub(crate) format: Format,
    documents: Vec<Sheet>,
}

/// One file.
#[derive(Clone)]
struct Sheet {
    file: String,
    layout: Layout,
    records: Vec<Record>,
}

/// One record, and what it is.
#[derive(Clone)]
struct Record {
    collection: Collection,
    id: String,
    /// Whether it becomes an object.
    live: bool,
    value: Map<String, Value>,
}

/// Where a record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Collection {
    UiExport,
    Application,
    ApplicationVersion,
    Datasource,
    LibraryQuery,
    LibraryQueryRecord,
}

impl Collection {
    /// By the members that only this collection's records have.
    fn of(record: &Map<String, Value>) -> Option<Self> {
        let has = |key: &str| record.contains_key(key);
        let live = has("_id") || has("id");
        if has("applicationInfo") && has("applicationDSL") {
            Some(Self::UiExport)
        } else if live && has("applicationId") && has("applicationDSL") {
            Some(Self::ApplicationVersion)
        } else if live && has("applicationType") && has("name") {
            Some(Self::Application)
        } else if live && has("libraryQueryId") && has("libraryQueryDSL") {
            Some(Self::LibraryQueryRecord)
        } else if live && has("libraryQueryDSL") {
            Some(Self::LibraryQuery)
        } else if live
            && has("type")
            && (has("detailConfig") || has("creationSource") || has("datasourceStatus"))
        {
            Some(Self::Datasource)
        } else {
            None
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::UiExport | Self::Application => "an app",
            Self::ApplicationVersion => "an app's version",
            Self::Datasource => "a data source",
            Self::LibraryQuery => "a library query",
            Self::LibraryQueryRecord => "a library query's version",
        }
    }

    /// The member that holds an app's design.
    const fn design(self) -> &'static str {
        match self {
            Self::UiExport | Self::ApplicationVersion => "applicationDSL",
            _ => "editingApplicationDSL",
        }
    }
}

/// An id as text, whether plain or in `mongoexport`'s extended form.
fn id_text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("$oid").and_then(Value::as_str))
}

fn text<'v>(record: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
    record.get(key).and_then(Value::as_str)
}

fn is_id(id: &str) -> bool {
    id.len() <= 120 && !id.contains('/') && NativeId::new(id).is_ok()
}

pub(crate) fn read(documents: Vec<Document>) -> Result<Folder, ReadError> {
    let mut seen: BTreeMap<(&'static str, String), ()> = BTreeMap::new();
    let mut sheets = Vec::with_capacity(documents.len());
    for document in documents {
        let Document { file, layout, records } = document;
        let lone = layout == Layout::Single;
        let mut kept = Vec::with_capacity(records.len());
        for (index, record) in records.into_iter().enumerate() {
            let at = if lone { Pointer::root() } else { Pointer::root().child(index) };
            let record = take(relaxed(record), &file, &at)?;
            if seen.insert((record.collection.what(), record.id.clone()), ()).is_some() {
                return Err(ReadError::Repeated { file, what: record.collection.what(), id: record.id });
            }
            kept.push(record);
        }
        sheets.push(Sheet { file, layout, records: kept });
    }
    let mut collections = sheets.iter().flat_map(|sheet| &sheet.records).map(|record| record.collection);
    let ui_only = collections.all(|collection| collection == Collection::UiExport);
    let generation = if ui_only { Generation::UiExport } else { Generation::Collections };
    let format = Format { platform: Platform::Lowcoder, generation, wrapper: Wrapper::Bare, release: None };
    Ok(Folder { format, documents: sheets })
}

/// Numbers of MongoDB Extended JSON v2 in its canonical mode (`{"$numberLong": "5432"}`) as plain
/// ones, which is what its relaxed mode writes and `mongoimport` reads alike.
fn relaxed(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(relaxed).collect(),
        Value::Object(members) => {
            let number = match members.iter().next() {
                Some((key, Value::String(text))) if members.len() == 1 => match key.as_str() {
                    "$numberInt" | "$numberLong" => text.parse::<i64>().ok().map(Number::from),
                    "$numberDouble" => text.parse::<f64>().ok().and_then(json::number),
                    _ => None,
                },
                _ => None,
            };
            match number {
                Some(number) => Value::Number(number),
                None => members.into_iter().map(|(key, member)| (key, relaxed(member))).collect(),
            }
        }
        other => other,
    }
}

fn take(record: Value, file: &str, at: &Pointer) -> Result<Record, ReadError> {
    let wrong = |at: Pointer, wanted| ReadError::Structure { file: file.to_owned(), at, wanted };
    let Value::Object(value) = record else { return Err(wrong(at.clone(), "a record")) };
    let Some(collection) = Collection::of(&value) else {
        let why = "neither the members of an app nor of any record that is served are in it";
        return Err(ReadError::Unknown { file: file.to_owned(), why });
    };
    let (id, place) = match collection {
        Collection::UiExport => (
            value.get("applicationInfo").and_then(|info| info.get("applicationId")),
            at.child("applicationInfo").child("applicationId"),
        ),
        _ => (value.get("_id").or_else(|| value.get("id")), at.child("_id")),
    };
    let Some(id) = id.and_then(id_text).filter(|id| is_id(id)).map(str::to_owned) else {
        return Err(wrong(place, "an id"));
    };
    let named = match collection {
        Collection::UiExport => value.get("applicationInfo").and_then(|info| info.get("name")),
        Collection::Application | Collection::Datasource | Collection::LibraryQuery => value.get("name"),
        Collection::ApplicationVersion | Collection::LibraryQueryRecord => {
            value.get("_id").or_else(|| value.get("id"))
        }
    };
    if named.and_then(id_text).is_none() {
        return Err(wrong(at.child("name"), "a name"));
    }
    if collection == Collection::Datasource && text(&value, "type").is_none() {
        return Err(wrong(at.child("type"), "a data source's type"));
    }
    let live = collection != Collection::ApplicationVersion
        && ["applicationStatus", "datasourceStatus", "status"]
            .iter()
            .all(|key| text(&value, key).is_none_or(|status| status == "NORMAL"));
    let record = Record { collection, id, live, value };
    record.check(file, at)?;
    Ok(record)
}

impl Record {
    /// What becomes objects has to be in shape; each query needs a key of its own.
    fn check(&self, file: &str, at: &Pointer) -> Result<(), ReadError> {
        let wrong = |at: Pointer, wanted| ReadError::Structure { file: file.to_owned(), at, wanted };
        let at = at.child(self.collection.design());
        match self.value.get(self.collection.design()) {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Object(design)) => match design.get("queries") {
                None | Some(Value::Null | Value::Array(_)) => {}
                Some(_) => return Err(wrong(at.child("queries"), "a list")),
            },
            Some(_) => return Err(wrong(at, "an app's design")),
        }
        let mut seen = BTreeSet::new();
        for (index, query) in self.queries().iter().enumerate() {
            let id = query_id(query).filter(|id| is_id(id));
            let Some(id) = id else {
                return Err(wrong(at.child("queries").child(index), "a query with an id"));
            };
            if !seen.insert(id) {
                return Err(ReadError::Repeated {
                    file: file.to_owned(),
                    what: "a query",
                    id: id.to_owned(),
                });
            }
        }
        Ok(())
    }

    fn design(&self) -> Option<&Map<String, Value>> {
        self.value.get(self.collection.design())?.as_object()
    }

    fn queries(&self) -> &[Value] {
        let queries = self.design().and_then(|design| design.get("queries")).and_then(Value::as_array);
        queries.map(Vec::as_slice).unwrap_or_default()
    }

    /// What an app says of itself: inside `applicationInfo` in the user interface's export.
    fn info(&self) -> &Map<String, Value> {
        let info = self.value.get("applicationInfo").filter(|_| self.collection == Collection::UiExport);
        info.and_then(Value::as_object).unwrap_or(&self.value)
    }

    fn name(&self) -> &str {
        let tag =
            if self.collection == Collection::LibraryQueryRecord { text(&self.value, "tag") } else { None };
        tag.or_else(|| text(self.info(), "name")).unwrap_or(&self.id)
    }

    fn kind(&self) -> ObjectKind {
        match self.collection {
            // The platform's numbers: 1 app, 2 module, 3, 6 and 7 navigation.
            Collection::UiExport | Collection::Application | Collection::ApplicationVersion => {
                match self.info().get("applicationType").and_then(Value::as_i64) {
                    Some(2) => ObjectKind::Module,
                    _ => ObjectKind::App,
                }
            }
            Collection::Datasource => ObjectKind::DataSource,
            Collection::LibraryQuery => ObjectKind::LibraryQuery,
            Collection::LibraryQueryRecord => ObjectKind::LibraryQueryVersion,
        }
    }

    fn is_app(&self) -> bool {
        matches!(self.collection, Collection::UiExport | Collection::Application)
    }

    /// When it was made; a record that does not say so is older than all that do.
    fn created(&self) -> Option<Timestamp> {
        let at = self.value.get("createdAt")?;
        match at.get("$date").unwrap_or(at) {
            Value::String(text) => text.parse().ok(),
            other => Timestamp::from_millisecond(other.as_i64()?).ok(),
        }
    }

    fn source_kind(&self) -> Option<Kind> {
        let kind = text(&self.value, "type").filter(|_| self.collection == Collection::Datasource)?;
        Some(Kind::new("lowcoder", kind))
    }

    fn key(&self) -> Option<NativeKey> {
        NativeKey::of(self.kind(), &self.id)
    }
}

/// A query's id; the oldest designs know it by name only.
fn query_id(query: &Value) -> Option<&str> {
    let id = query.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
    id.or_else(|| query.get("name").and_then(Value::as_str))
}

/// A copied app has the same query ids, so the app's goes before.
fn query_key(app: &str, query: &Value) -> Option<NativeKey> {
    NativeKey::of(ObjectKind::Query, &format!("{app}/{}", query_id(query)?))
}

impl Folder {
    fn records(&self) -> impl Iterator<Item = &Record> {
        self.documents.iter().flat_map(|sheet| &sheet.records)
    }

    fn live(&self) -> impl Iterator<Item = &Record> {
        self.records().filter(|record| record.live)
    }

    pub(crate) fn survey(&self) -> Vec<NativeThing> {
        let mut things = Vec::new();
        for record in self.live() {
            let Some(key) = record.key() else { continue };
            let library = record.value.get("libraryQueryId").and_then(id_text);
            let library = library.filter(|_| record.collection == Collection::LibraryQueryRecord);
            things.push(NativeThing {
                key: key.clone(),
                name: shown(record.name()),
                parent: library.and_then(|id| NativeKey::of(ObjectKind::LibraryQuery, id)),
                source_kind: record.source_kind(),
                stable: text(&record.value, "gid").filter(|gid| !gid.is_empty()).map(str::to_owned),
            });
            for query in record.queries().iter().filter(|_| record.is_app()) {
                let Some(of_query) = query_key(&record.id, query) else { continue };
                let name =
                    query.get("name").and_then(Value::as_str).or_else(|| query_id(query)).unwrap_or_default();
                things.push(NativeThing {
                    key: of_query,
                    name: shown(name),
                    parent: Some(key.clone()),
                    source_kind: None,
                    stable: None,
                });
            }
        }
        things
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        let sources: BTreeSet<&str> = self
            .records()
            .filter(|r| r.collection == Collection::Datasource)
            .map(|r| r.id.as_str())
            .collect();
        for record in self.records() {
            match record.collection {
                Collection::ApplicationVersion | Collection::LibraryQueryRecord => counts.versions += 1,
                Collection::Datasource => {
                    let kind = text(&record.value, "type").unwrap_or("unknown").to_owned();
                    *counts.data_sources.entry(kind).or_default() += 1;
                }
                _ => {}
            }
            for query in record.queries().iter().filter(|_| record.is_app()) {
                counts.queries += 1;
                let source = query.get("datasourceId").and_then(Value::as_str).unwrap_or_default();
                counts.queries_without_source +=
                    usize::from(!source.is_empty() && !sources.contains(source) && !source.starts_with('#'));
            }
        }
        counts
    }
}
