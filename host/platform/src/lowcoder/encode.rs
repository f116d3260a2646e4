//! Objects as Lowcoder's files.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sluice_model::{Digest, LogicalId, NativeId, Object, ObjectKind, json as canonical};

use super::Collection;
use super::decode::{CONFIG, Rest, RestQuery, RestRecord};
use crate::OPTIONS;
use crate::content::restore;
use crate::encode::{EncodeError, EncodeInput, NativeIds, Written, emptied, options_for};
use crate::format::Generation;
use crate::input::Layout;
use crate::thing::NativeKey;
use crate::translate::Translator;

pub(crate) fn encode(
    input: &EncodeInput<'_>,
) -> Result<(Vec<Written>, BTreeMap<LogicalId, NativeId>), EncodeError> {
    let rest: Option<Rest> = input
        .rest
        .map(|rest| {
            serde_json::from_value(emptied(rest)).map_err(|error| EncodeError::Rest(error.to_string()))
        })
        .transpose()?;
    let ids = NativeIds::of(input, &|object, owner| {
        let made = object_id(&[
            input.environment,
            owner.map(NativeId::as_str).unwrap_or_default(),
            object.id.as_str(),
        ]);
        NativeId::new(match owner {
            Some(owner) => format!("{owner}/{made}"),
            None => made,
        })
        .ok()
    })?;
    let pairs = ids.by_object.iter().map(|(id, native)| (id.as_str(), NativeKey::token(native)));
    let translator = Translator::to_native(pairs);
    let writer = Writer { input, ids, translator };
    let files = writer.files(rest.as_ref())?;
    if files.is_empty() {
        return Err(EncodeError::NoApp);
    }
    Ok((files, writer.ids.made))
}

/// Twenty-four hex digits, as MongoDB's ObjectId has.
fn object_id(what: &[&str]) -> String {
    let mut hex = Digest::of(what.join("\n").as_bytes()).hex();
    hex.truncate(24);
    hex
}

struct Writer<'a> {
    input: &'a EncodeInput<'a>,
    ids: NativeIds,
    translator: Translator,
}

impl<'a> Writer<'a> {
    fn files(&self, rest: Option<&Rest>) -> Result<Vec<Written>, EncodeError> {
        let mut left: BTreeMap<(ObjectKind, &str), &'a Object> = BTreeMap::new();
        for object in self.input.objects.iter().filter(|object| object.kind != ObjectKind::Query) {
            if let Some(native) = self.ids.get(&object.id) {
                left.insert((object.kind, native.as_str()), object);
            }
        }
        let mut files = Vec::new();
        for sheet in rest.into_iter().flat_map(|rest| &rest.documents) {
            let layout = Layout::from_name(&sheet.layout);
            let mut records = Vec::new();
            for entry in &sheet.entries {
                records.extend(self.known(entry, &mut left)?);
            }
            // A lone record whose object is gone leaves no file behind.
            if !(records.is_empty() && layout == Layout::Single) {
                files.push(Written { name: sheet.file.clone(), bytes: bytes(&records, layout) });
            }
        }
        let ui =
            rest.map_or(self.input.format.generation, |rest| rest.format.generation) == Generation::UiExport;
        let mut fresh: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for ((kind, native), object) in left {
            match kind {
                ObjectKind::App | ObjectKind::Module if ui => {
                    let record = self.app(object, true, Map::new(), self.fresh_info(native, true), &[])?;
                    files.push(Written {
                        name: format!("{native}.json"),
                        bytes: bytes(&[record], Layout::Single),
                    });
                }
                ObjectKind::App | ObjectKind::Module => {
                    let record = self.app(object, false, Map::new(), self.fresh_info(native, false), &[])?;
                    fresh.entry("application.json").or_default().push(record);
                }
                _ => {
                    let name = match kind {
                        ObjectKind::DataSource => "datasource.json",
                        ObjectKind::LibraryQuery => "libraryQuery.json",
                        ObjectKind::LibraryQueryVersion => "libraryQueryRecord.json",
                        _ => continue,
                    };
                    let kept = Map::from_iter([("_id".to_owned(), json!({ "$oid": native }))]);
                    fresh.entry(name).or_default().push(self.record(object, kept)?);
                }
            }
        }
        for (name, records) in fresh {
            let mut free = name.to_owned();
            while files.iter().any(|file| file.name == free) {
                free = format!("new-{free}");
            }
            files.push(Written { name: free, bytes: bytes(&records, Layout::Lines) });
        }
        Ok(files)
    }

    /// A record that the rest knows, unless its object is gone.
    fn known(
        &self,
        entry: &RestRecord,
        left: &mut BTreeMap<(ObjectKind, &str), &'a Object>,
    ) -> Result<Option<Value>, EncodeError> {
        let mut take = |id: &str, kinds: &[ObjectKind]| {
            kinds.iter().find_map(|kind| {
                let key = *left.keys().find(|(of, native)| of == kind && *native == id)?;
                left.remove(&key)
            })
        };
        Ok(match entry {
            RestRecord::Verbatim(value) => Some(value.clone()),
            RestRecord::App { id, ui, kept, info, queries } => {
                let Some(object) = take(id, &[ObjectKind::App, ObjectKind::Module]) else { return Ok(None) };
                Some(self.app(object, *ui, kept.clone(), info.clone(), queries)?)
            }
            RestRecord::Of { id, kept } => {
                let kinds =
                    [ObjectKind::DataSource, ObjectKind::LibraryQuery, ObjectKind::LibraryQueryVersion];
                let Some(object) = take(id, &kinds) else { return Ok(None) };
                Some(self.record(object, kept.clone())?)
            }
        })
    }

    fn fresh_info(&self, native: &str, ui: bool) -> Map<String, Value> {
        let (key, id) =
            if ui { ("applicationId", json!(native)) } else { ("_id", json!({ "$oid": native })) };
        Map::from_iter([(key.to_owned(), id)])
    }

    fn app(
        &self,
        object: &Object,
        ui: bool,
        mut kept: Map<String, Value>,
        mut info: Map<String, Value>,
        known: &[RestQuery],
    ) -> Result<Value, EncodeError> {
        let content = restore(&object.content, &self.translator);
        let Some(Value::Object(app)) = content.get("app").cloned() else {
            return Err(EncodeError::Content(object.name.clone()));
        };
        info.extend(app);
        let mut design = content.get("design").cloned();
        let queries = self.queries(object, known)?;
        if !queries.is_empty()
            || design.as_ref().is_some_and(|design| design.get("queries").is_some_and(Value::is_array))
        {
            let members = design.get_or_insert_with(|| json!({}));
            if !members.is_object() {
                *members = json!({});
            }
            if let Some(members) = members.as_object_mut() {
                members.insert("queries".to_owned(), Value::Array(queries));
            }
        }
        let collection = if ui { Collection::UiExport } else { Collection::Application };
        if ui {
            kept.insert("applicationInfo".to_owned(), Value::Object(info));
        } else {
            kept.extend(info);
        }
        if let Some(design) = design {
            kept.insert(collection.design().to_owned(), design);
        }
        Ok(Value::Object(kept))
    }

    fn queries(&self, app: &Object, known: &[RestQuery]) -> Result<Vec<Value>, EncodeError> {
        let mut left: Vec<(&Object, &NativeId)> = self
            .input
            .objects
            .iter()
            .filter(|object| object.kind == ObjectKind::Query && object.unit.as_ref() == Some(&app.id))
            .filter_map(|object| self.ids.get(&object.id).map(|native| (object, native)))
            .collect();
        let mut queries = Vec::new();
        for RestQuery { key, id } in known {
            if let Some(position) = left.iter().position(|(_, native)| native.as_str() == key) {
                let (object, _) = left.remove(position);
                queries.push(self.query(object, id.clone())?);
            }
        }
        for (object, native) in left {
            queries.push(self.query(object, Some(json!(NativeKey::token(native))))?);
        }
        Ok(queries)
    }

    fn query(&self, object: &Object, id: Option<Value>) -> Result<Value, EncodeError> {
        let Value::Object(mut query) = restore(&object.content, &self.translator) else {
            return Err(EncodeError::Content(object.name.clone()));
        };
        if let Some(id) = id {
            query.insert("id".to_owned(), id);
        }
        Ok(Value::Object(query))
    }

    fn record(&self, object: &Object, mut kept: Map<String, Value>) -> Result<Value, EncodeError> {
        let Value::Object(mut content) = restore(&object.content, &self.translator) else {
            return Err(EncodeError::Content(object.name.clone()));
        };
        if object.kind == ObjectKind::DataSource {
            content.remove(OPTIONS);
            if let Some(options) = options_for(self.input, object)? {
                content.insert(CONFIG.to_owned(), restore(options, &self.translator));
            }
        }
        kept.extend(content);
        Ok(Value::Object(kept))
    }
}

fn bytes(records: &[Value], layout: Layout) -> Vec<u8> {
    match layout {
        Layout::Single => records.first().map(canonical::canonical).unwrap_or_default(),
        Layout::Array => canonical::canonical(&Value::Array(records.to_vec())),
        Layout::Lines => records
            .iter()
            .flat_map(|record| {
                let mut line = canonical::canonical(record);
                line.push(b'\n');
                line
            })
            .collect(),
    }
}
