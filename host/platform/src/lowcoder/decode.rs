//! Records as objects, and what is left.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sluice_model::{Kind, LogicalId, Object, ObjectKind};

use super::dialect::Lowcoder;
use super::{Collection, Folder, Record, id_text, query_id, query_key};
use crate::content::{convert, withhold};
use crate::decoded::{DecodeError, Decoded, PlaceIds};
use crate::format::Format;
use crate::references::Scope;
use crate::rules::{SlotRules, options_pointer};
use crate::secret::TakenSecret;
use crate::thing::NativeKey;
use crate::translate::Translator;
use crate::{Likeness, OPTIONS, slots, suspect};

/// The platform's name for a data source's options.
pub(super) const CONFIG: &str = "detailConfig";

/// What of an app is content, beside its design. `gid` is its identity everywhere.
const OF_APPS: &[&str] = &["applicationType", "category", "description", "gid", "name", "title"];
const OF_SOURCES: &[&str] = &["creationSource", "gid", "name", "pluginDefinition", "type"];
const OF_LIBRARY_QUERIES: &[&str] = &["gid", "libraryQueryDSL", "name"];
const OF_LIBRARY_QUERY_VERSIONS: &[&str] =
    &["commitMessage", "gid", "libraryQueryDSL", "libraryQueryId", "tag"];

/// What is of these files only.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rest {
    /// Tells this from the rest of another platform.
    pub(super) collections: bool,
    pub(super) format: Format,
    pub(super) documents: Vec<RestSheet>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RestSheet {
    pub(super) file: String,
    pub(super) layout: String,
    pub(super) entries: Vec<RestRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum RestRecord {
    /// The app with this native id.
    App { id: String, ui: bool, kept: Map<String, Value>, info: Map<String, Value>, queries: Vec<RestQuery> },
    /// Another object with this native id.
    Of { id: String, kept: Map<String, Value> },
    /// Something that is no object.
    Verbatim(Value),
}

/// A query of an app: its key, and its `id` where it has one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RestQuery {
    pub(super) key: String,
    pub(super) id: Option<Value>,
}

fn part(members: &Map<String, Value>, content: &[&str]) -> (Map<String, Value>, Map<String, Value>) {
    let (mut inside, mut kept) = (Map::new(), Map::new());
    for (key, value) in members {
        let into = if content.contains(&key.as_str()) { &mut inside } else { &mut kept };
        into.insert(key.clone(), value.clone());
    }
    (inside, kept)
}

impl Record {
    /// The native JSON of the content, and what is kept aside.
    fn parted(&self) -> (Value, Map<String, Value>) {
        match self.collection {
            Collection::UiExport | Collection::Application => {
                let (app, _) = part(self.info(), OF_APPS);
                let mut content = json!({ "app": app });
                if let (Some(design), Some(members)) =
                    (self.value.get(self.collection.design()).cloned(), content.as_object_mut())
                {
                    let mut design = design;
                    if let Some(Value::Array(queries)) = design.get_mut("queries") {
                        queries.clear();
                    }
                    members.insert("design".to_owned(), design);
                }
                (content, Map::new())
            }
            Collection::Datasource => {
                let (mut content, mut kept) = part(&self.value, OF_SOURCES);
                if let Some(options) = kept.remove(CONFIG) {
                    content.insert(OPTIONS.to_owned(), options);
                }
                (Value::Object(content), kept)
            }
            Collection::LibraryQuery => {
                let (content, kept) = part(&self.value, OF_LIBRARY_QUERIES);
                (Value::Object(content), kept)
            }
            Collection::LibraryQueryRecord | Collection::ApplicationVersion => {
                let (content, kept) = part(&self.value, OF_LIBRARY_QUERY_VERSIONS);
                (Value::Object(content), kept)
            }
        }
    }

    fn rest(&self, rules: &SlotRules, withheld: &mut usize) -> RestRecord {
        if !self.live {
            let mut value = Value::Object(self.value.clone());
            if let (Some(kind), Some(options)) = (self.source_kind(), value.get_mut(CONFIG)) {
                *withheld += slots::take(options, &rules.for_kind(&kind)).len();
            }
            return RestRecord::Verbatim(value);
        }
        if !self.is_app() {
            return RestRecord::Of { id: self.id.clone(), kept: self.parted().1 };
        }
        let ui = self.collection == Collection::UiExport;
        let (_, info) = part(self.info(), OF_APPS);
        let mut kept = if ui { self.value.clone() } else { Map::new() };
        let mut info = info;
        kept.remove(self.collection.design());
        kept.remove("applicationInfo");
        info.remove(self.collection.design());
        let query = |query: &Value| {
            let key = query_key(&self.id, query)?.id.to_string();
            Some(RestQuery { key, id: query.get("id").cloned() })
        };
        let queries = self.queries().iter().filter_map(query).collect();
        RestRecord::App { id: self.id.clone(), ui, kept, info, queries }
    }
}

impl Folder {
    pub(crate) fn decode(
        &self,
        ids: &BTreeMap<NativeKey, LogicalId>,
        rules: &SlotRules,
    ) -> Result<Decoded, DecodeError> {
        let mut seen: BTreeMap<&LogicalId, NativeKey> = BTreeMap::new();
        for thing in self.survey() {
            let id = ids.get(&thing.key).ok_or_else(|| DecodeError::Unidentified(thing.key.clone()))?;
            if let Some(first) = seen.insert(id, thing.key.clone()) {
                return Err(DecodeError::Shared { id: id.clone(), first, second: thing.key });
            }
        }
        let shared: Vec<(String, ObjectKind, LogicalId)> = self
            .live()
            .filter_map(|record| Some((record.id.clone(), record.kind(), ids.get(&record.key()?)?.clone())))
            .collect();
        let common = scope(&shared, &[]);
        let dialect = Lowcoder { newest: self.newest(ids) };
        let mut out = Decoded {
            objects: Vec::new(),
            environment: None,
            proposals: Vec::new(),
            secrets: Vec::new(),
            place: self.place(),
            rest: Value::Null,
            orphan_options: 0,
            withheld: 0,
        };
        for record in self.live() {
            let Some(id) = record.key().and_then(|key| ids.get(&key)) else { continue };
            if !record.is_app() {
                object(record, id, None, &common, &dialect, rules, &mut out)?;
                continue;
            }
            let of_query = |query| ids.get(&query_key(&record.id, query)?).cloned();
            let queries: Vec<(&Value, LogicalId)> =
                record.queries().iter().filter_map(|query| Some((query, of_query(query)?))).collect();
            let own = scope(&shared, &queries);
            object(record, id, Some(id), &own, &dialect, rules, &mut out)?;
            for (query, of_query) in &queries {
                let mut native = (*query).clone();
                if let Some(members) = native.as_object_mut() {
                    members.remove("id");
                }
                let name =
                    query.get("name").and_then(Value::as_str).or_else(|| query_id(query)).unwrap_or_default();
                let made =
                    Made { id: of_query, unit: Some(id), kind: ObjectKind::Query, source_kind: None, name };
                keep(native, made, Vec::new(), &own, &dialect, &mut out)?;
            }
        }
        let mut withheld = 0;
        let documents = self
            .documents
            .iter()
            .map(|sheet| RestSheet {
                file: sheet.file.clone(),
                layout: sheet.layout.as_str().to_owned(),
                entries: sheet.records.iter().map(|record| record.rest(rules, &mut withheld)).collect(),
            })
            .collect();
        let rest = Rest { collections: true, format: self.format.clone(), documents };
        // Every part of it is JSON already, so this cannot fail; if it did, the rest would be empty.
        out.rest = serde_json::to_value(&rest).unwrap_or_default();
        out.withheld = withheld + withhold(&mut out.rest);
        Ok(out)
    }

    fn place(&self) -> PlaceIds {
        let mut place = PlaceIds::default();
        for record in self.live() {
            let organisation = record.info().get("organizationId").and_then(id_text);
            let app = Some(record.id.as_str()).filter(|_| record.is_app());
            organisation.into_iter().chain(app).for_each(|id| place.add(id));
        }
        place
    }

    /// What the platform takes for `latest`: the record that was made last.
    fn newest(&self, ids: &BTreeMap<NativeKey, LogicalId>) -> HashMap<String, LogicalId> {
        let mut newest: HashMap<&str, &Record> = HashMap::new();
        for record in self.live().filter(|record| record.collection == Collection::LibraryQueryRecord) {
            let Some(of) = record.value.get("libraryQueryId").and_then(id_text) else { continue };
            let kept = newest.entry(of).or_insert(record);
            // Ids grow with time, which decides between records of one moment.
            if (record.created(), &record.id) > (kept.created(), &kept.id) {
                *kept = record;
            }
        }
        let known = |(of, record): (&str, &Record)| Some((of.to_owned(), ids.get(&record.key()?)?.clone()));
        newest.into_iter().filter_map(known).collect()
    }
}

fn scope(shared: &[(String, ObjectKind, LogicalId)], queries: &[(&Value, LogicalId)]) -> Scope {
    let mut ids: HashMap<String, (ObjectKind, LogicalId)> = HashMap::new();
    let mut names: HashMap<String, Vec<LogicalId>> = HashMap::new();
    for (query, id) in queries {
        if let Some(native) = query_id(query) {
            ids.insert(native.to_owned(), (ObjectKind::Query, id.clone()));
        }
        if let Some(name) = query.get("name").and_then(Value::as_str) {
            names.entry(name.to_owned()).or_default().push(id.clone());
        }
    }
    for (native, kind, id) in shared {
        ids.insert(native.clone(), (*kind, id.clone()));
    }
    let translator =
        Translator::to_logical(ids.iter().map(|(native, (_, id))| (native.as_str(), id.as_str())));
    Scope { ids, queries: names, components: HashMap::new(), translator }
}

fn object(
    record: &Record,
    id: &LogicalId,
    unit: Option<&LogicalId>,
    scope: &Scope,
    dialect: &Lowcoder,
    rules: &SlotRules,
    out: &mut Decoded,
) -> Result<(), DecodeError> {
    let (mut native, _) = record.parted();
    let source_kind = record.source_kind();
    let declared = match (&source_kind, native.get_mut(OPTIONS)) {
        (Some(kind), Some(options)) => slots::take(options, &rules.for_kind(kind)),
        _ => Vec::new(),
    };
    let made = Made { id, unit, kind: record.kind(), source_kind, name: record.name() };
    keep(native, made, declared, scope, dialect, out)
}

/// An object without its content.
struct Made<'a> {
    id: &'a LogicalId,
    unit: Option<&'a LogicalId>,
    kind: ObjectKind,
    source_kind: Option<Kind>,
    name: &'a str,
}

fn keep(
    native: Value,
    made: Made<'_>,
    declared: Vec<slots::TakenSlot>,
    scope: &Scope,
    dialect: &Lowcoder,
    out: &mut Decoded,
) -> Result<(), DecodeError> {
    let content = convert(native, made.kind, scope, dialect);
    if let Some(clash) = content.clash {
        let id = LogicalId::new(clash).unwrap_or_else(|_| made.id.clone());
        return Err(DecodeError::Clash { id, object: made.name.to_owned() });
    }
    let base = options_pointer();
    let declared =
        declared.into_iter().map(|t| (t.at.under(&base), t.slot, false, Likeness::Declared, t.value));
    let found = content.taken.into_iter().map(|t| (t.at, t.slot, t.provisional, t.what, t.value));
    for (at, slot, provisional, what, value) in declared.chain(found) {
        let object = made.id.clone();
        out.secrets.push(TakenSecret { object, environment: None, at, slot, provisional, what, value });
    }
    out.objects.push(Object {
        id: made.id.clone(),
        unit: made.unit.cloned(),
        kind: made.kind,
        source_kind: made.source_kind,
        name: suspect::shown(made.name),
        content: content.value,
        references: content.references,
    });
    Ok(())
}
