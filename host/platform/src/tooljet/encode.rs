//! Objects as a ToolJet file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sluice_model::{LogicalId, NativeId, Object, ObjectKind, ReferenceKind, json as canonical};

use super::decode::{Editing, PAGE, Rest, RestEntry, RestModule, RestUnit, version_token};
use super::incidental::join_layouts;
use crate::OPTIONS;
use crate::content::restore;
use crate::encode::{
    EncodeError, EncodeInput, NativeIds, Position, Written, emptied, made_uuid, options_for,
};
use crate::format::{Format, Generation, Wrapper};
use crate::thing::NativeKey;
use crate::translate::Translator;

/// A release to state where none is known: one whose server takes every shape that is written here.
const RELEASE: &str = "3.20.0";

pub(crate) fn encode(
    input: &EncodeInput<'_>,
) -> Result<(Vec<Written>, BTreeMap<LogicalId, NativeId>), EncodeError> {
    let rest = input.rest.map(read_rest).transpose()?;
    let format = rest.as_ref().map_or(input.format, |rest| &rest.format).clone();
    let ids = NativeIds::of(input, &|object, owner| {
        let owner_id = owner.map(NativeId::as_str).unwrap_or_default();
        let made = made_uuid(&["object", input.environment, owner_id, object.id.as_str()]);
        let nested = format.generation != Generation::Flat
            && matches!(object.kind, ObjectKind::Page | ObjectKind::Component);
        NativeId::new(if nested { format!("{owner_id}/{made}") } else { made }).ok()
    })?;
    let writer = Writer { input, rest, format, ids };
    let file = writer.file()?;
    Ok((vec![file], writer.ids.made))
}

fn read_rest(rest: &Value) -> Result<Rest, EncodeError> {
    serde_json::from_value(emptied(rest)).map_err(|error| EncodeError::Rest(error.to_string()))
}

struct Writer<'a> {
    input: &'a EncodeInput<'a>,
    rest: Option<Rest>,
    format: Format,
    ids: NativeIds,
}

/// One app while it is written.
struct Unit<'a> {
    root: &'a Object,
    native: &'a NativeId,
    rest: Option<&'a RestUnit>,
    parts: Vec<&'a Object>,
    version: String,
    translator: Translator,
}

impl<'a> Writer<'a> {
    fn file(&self) -> Result<Written, EncodeError> {
        let units = self.units();
        let top_level: Vec<&Unit<'_>> =
            units.iter().filter(|unit| self.owner_of(unit, &units).is_none()).collect();
        if top_level.is_empty() {
            return Err(EncodeError::NoApp);
        }
        let mut top = self.rest.as_ref().map(|rest| rest.top.clone()).unwrap_or_else(|| self.fresh_top());
        match self.format.wrapper {
            Wrapper::Definition => {
                let apps =
                    top_level.iter().map(|unit| self.wrapped(unit, &units)).collect::<Result<_, _>>()?;
                top.insert("app".to_owned(), Value::Array(apps));
            }
            Wrapper::AppV2 | Wrapper::Bare => {
                let [unit] = top_level.as_slice() else {
                    let name = top_level.get(1).map(|unit| unit.root.name.clone()).unwrap_or_default();
                    return Err(EncodeError::Content(name));
                };
                let app = self.app(unit, &units)?;
                match (self.format.wrapper, app) {
                    (Wrapper::Bare, Value::Object(app)) => top.extend(app),
                    (_, app) => {
                        top.insert("appV2".to_owned(), app);
                    }
                }
            }
        }
        self.tables(&mut top);
        let name =
            self.rest.as_ref().map_or_else(|| file_name(&self.first_name(&units)), |rest| rest.file.clone());
        Ok(Written { name, bytes: canonical::canonical(&Value::Object(top)) })
    }

    fn first_name(&self, units: &[Unit<'_>]) -> String {
        units.first().map(|unit| unit.root.name.clone()).unwrap_or_default()
    }

    fn fresh_top(&self) -> Map<String, Value> {
        let release = json!(self.format.release.as_deref().unwrap_or(RELEASE));
        let member =
            if self.format.wrapper == Wrapper::Definition { "tooljet_version" } else { "tooljetVersion" };
        Map::from_iter([(member.to_owned(), release)])
    }

    /// Apps, modules and workflows: first those that the rest knows, in its order.
    fn units(&self) -> Vec<Unit<'_>> {
        let is_unit = |object: &&Object| {
            matches!(object.kind, ObjectKind::App | ObjectKind::Module | ObjectKind::Workflow)
        };
        let mut roots: Vec<(&'a Object, &NativeId)> = self
            .input
            .objects
            .iter()
            .filter(is_unit)
            .filter_map(|object| self.ids.get(&object.id).map(|native| (object, native)))
            .collect();
        let order = |native: &NativeId| {
            self.rest
                .iter()
                .flat_map(|rest| &rest.units)
                .position(|unit| unit.id == native.as_str())
                .unwrap_or(usize::MAX)
        };
        roots.sort_by_key(|(object, native)| (order(native), object.kind));
        let versions: Vec<(String, String)> = roots
            .iter()
            .map(|(object, native)| (version_token(&object.id), self.version_of(native)))
            .collect();
        let translator = || {
            let ids = self.ids.by_object.iter().map(|(id, native)| (id.as_str(), NativeKey::token(native)));
            Translator::to_native(
                ids.chain(versions.iter().map(|(token, native)| (token.as_str(), native.as_str()))),
            )
        };
        let unit = |(root, native): (&'a Object, _)| Unit {
            root,
            native,
            rest: self.rest_unit(native),
            parts: self.parts(root),
            version: self.version_of(native),
            translator: translator(),
        };
        roots.into_iter().map(unit).collect()
    }

    fn rest_unit(&self, native: &NativeId) -> Option<&RestUnit> {
        self.rest.as_ref()?.units.iter().find(|unit| unit.id == native.as_str())
    }

    fn version_of(&self, native: &NativeId) -> String {
        let known = self.rest_unit(native).and_then(|unit| unit.version.get("id")).and_then(Value::as_str);
        known.map_or_else(|| made_uuid(&["version", self.input.environment, native.as_str()]), str::to_owned)
    }

    /// What is written into the app: its own, and the shared sources that its queries run on.
    fn parts(&self, root: &'a Object) -> Vec<&'a Object> {
        let objects = self.input.objects;
        let own = |object: &&Object| object.unit.as_ref() == Some(&root.id) && object.id != root.id;
        let mut used: BTreeSet<&LogicalId> = BTreeSet::new();
        for query in objects.iter().filter(own) {
            let runs_on = query.references.iter().filter(|r| r.kind == ReferenceKind::RunsOn);
            used.extend(runs_on.filter_map(|r| r.target.object()));
        }
        let known: BTreeSet<&str> = self
            .ids
            .get(&root.id)
            .and_then(|native| self.rest_unit(native))
            .and_then(|unit| unit.lists.get("dataSources"))
            .into_iter()
            .flatten()
            .filter_map(|entry| match entry {
                RestEntry::Of { id, .. } => Some(id.as_str()),
                RestEntry::Verbatim(_) => None,
            })
            .collect();
        let only = objects.iter().filter(|o| o.unit.as_ref() == Some(&o.id)).count() <= 1;
        let is_source = |object: &&Object| {
            object.kind == ObjectKind::DataSource
                && object.unit.is_none()
                && (only
                    || used.contains(&object.id)
                    || self.ids.get(&object.id).is_some_and(|native| known.contains(native.as_str())))
        };
        objects.iter().filter(|object| own(object) || is_source(object)).collect()
    }

    /// The unit in whose list of modules a module goes: the rest's, or the first app that there is.
    fn owner_of<'u>(&self, unit: &Unit<'_>, units: &'u [Unit<'a>]) -> Option<&'u Unit<'a>> {
        if let Some(rest) = unit.rest {
            let owner = self.rest.as_ref()?.units.get(rest.owner?)?;
            return units.iter().find(|other| other.native.as_str() == owner.id);
        }
        if unit.root.kind != ObjectKind::Module || self.format.generation != Generation::Flat {
            return None;
        }
        units.iter().find(|other| other.root.kind == ObjectKind::App)
    }

    fn wrapped(&self, unit: &Unit<'_>, units: &[Unit<'_>]) -> Result<Value, EncodeError> {
        let app = self.app(unit, units)?;
        let wrapper = unit.rest.map_or(self.format.wrapper, |rest| rest.wrapper);
        let mut around = unit.rest.map(|rest| rest.around.clone()).unwrap_or_default();
        Ok(match wrapper {
            Wrapper::Bare => app,
            Wrapper::AppV2 => {
                around.insert("appV2".to_owned(), app);
                Value::Object(around)
            }
            Wrapper::Definition => {
                let mut inside = unit.rest.map(|rest| rest.inside.clone()).unwrap_or_default();
                inside.insert("appV2".to_owned(), app);
                around.insert("definition".to_owned(), Value::Object(inside));
                Value::Object(around)
            }
        })
    }

    fn app(&self, unit: &Unit<'_>, units: &[Unit<'_>]) -> Result<Value, EncodeError> {
        let content = restore(&unit.root.content, &unit.translator);
        let (Some(Value::Object(own)), Some(Value::Object(version))) =
            (content.get("app").cloned(), content.get("version").cloned())
        else {
            return Err(EncodeError::Content(unit.root.name.clone()));
        };
        let mut app = unit.rest.map_or_else(|| self.fresh_app(unit), |rest| rest.app.clone());
        app.extend(own);
        let version = self.version(unit, version);
        // Where nothing is known, `editingVersion` repeats the version as it is.
        let as_it_is = Editing::Repeats { but: Map::new(), without: Vec::new() };
        if let Some(editing) = unit.rest.map_or(Some(&as_it_is), |rest| rest.editing.as_ref()) {
            app.insert("editingVersion".to_owned(), editing_version(editing, &version));
        }
        for (list, kind) in [
            ("components", ObjectKind::Component),
            ("pages", ObjectKind::Page),
            ("events", ObjectKind::Event),
            ("dataQueries", ObjectKind::Query),
            ("dataSources", ObjectKind::DataSource),
        ] {
            let nested = matches!(kind, ObjectKind::Component | ObjectKind::Page | ObjectKind::Event);
            if nested && self.format.generation != Generation::Flat {
                continue;
            }
            let entries = self.list(unit, list, kind)?;
            self.put(&mut app, unit, list, entries);
        }
        if self.format.generation != Generation::Legacy {
            let environments = self.environments(unit);
            let sets = self.option_sets(unit, &environments)?;
            self.put(&mut app, unit, "appEnvironments", environments);
            self.put(&mut app, unit, "dataSourceOptions", sets);
        }
        let versions = match unit.rest.and_then(|rest| rest.lists.get("appVersions")) {
            None => vec![version],
            Some(entries) if entries.is_empty() => Vec::new(),
            Some(entries) => entries
                .iter()
                .map(|entry| match entry {
                    RestEntry::Of { .. } => version.clone(),
                    RestEntry::Verbatim(other) => other.clone(),
                })
                .collect(),
        };
        app.insert("appVersions".to_owned(), Value::Array(versions));
        self.modules(&mut app, unit, units)?;
        Ok(Value::Object(app))
    }

    /// A list goes where the file had it, where something is in it, or where its generation has it.
    fn put(&self, app: &mut Map<String, Value>, unit: &Unit<'_>, list: &str, entries: Vec<Value>) {
        let had = unit.rest.is_none_or(|rest| rest.lists.contains_key(list));
        if had || !entries.is_empty() {
            app.insert(list.to_owned(), Value::Array(entries));
        }
    }

    fn fresh_app(&self, unit: &Unit<'_>) -> Map<String, Value> {
        let id = unit.native.as_str();
        let mut app = Map::new();
        let mut set = |key: &str, value: Value| app.insert(key.to_owned(), value);
        set("id", json!(id));
        set("slug", json!(id));
        set("isPublic", json!(false));
        set("isMaintenanceOn", json!(false));
        set("currentVersionId", Value::Null);
        if self.format.generation != Generation::Legacy {
            set("schemaDetails", json!({ "multiPages": true, "multiEnv": true, "globalDataSources": true }));
        }
        app
    }

    fn version(&self, unit: &Unit<'_>, content: Map<String, Value>) -> Value {
        let mut version = unit.rest.map(|rest| rest.version.clone()).unwrap_or_else(|| {
            let (id, app) = (json!(unit.version), json!(unit.native.as_str()));
            let mut fresh = Map::from_iter([
                ("id".to_owned(), id),
                ("name".to_owned(), json!("v1")),
                ("appId".to_owned(), app),
            ]);
            if self.format.generation != Generation::Legacy {
                fresh.insert("currentEnvironmentId".to_owned(), json!(self.environment_id(unit)));
            }
            fresh
        });
        version.extend(content);
        if self.format.generation != Generation::Flat {
            self.nest(unit, &mut version);
        }
        Value::Object(version)
    }

    /// Puts pages and components back into the version's definition.
    fn nest(&self, unit: &Unit<'_>, version: &mut Map<String, Value>) {
        let parts = |kind: ObjectKind| unit.parts.iter().filter(move |part| part.kind == kind);
        if parts(ObjectKind::Page).next().is_none() && parts(ObjectKind::Component).next().is_none() {
            return;
        }
        let definition = version.entry("definition").or_insert_with(|| json!({}));
        if !definition.is_object() {
            *definition = json!({});
        }
        let Some(definition) = definition.as_object_mut() else { return };
        let mut pages: Map<String, Value> = Map::new();
        for page in parts(ObjectKind::Page) {
            let Some(native) = self.ids.get(&page.id) else { continue };
            pages.insert(NativeKey::token(native).to_owned(), restore(&page.content, &unit.translator));
        }
        let mut loose = Map::new();
        for component in parts(ObjectKind::Component) {
            let Some(native) = self.ids.get(&component.id) else { continue };
            let mut value = restore(&component.content, &unit.translator);
            let page = value.as_object_mut().and_then(|members| members.remove(PAGE));
            let on_page = page.as_ref().and_then(Value::as_str).and_then(|page| pages.get_mut(page));
            let components = on_page
                .and_then(Value::as_object_mut)
                .and_then(|page| page.entry("components").or_insert_with(|| json!({})).as_object_mut());
            components.unwrap_or(&mut loose).insert(NativeKey::token(native).to_owned(), value);
        }
        if !pages.is_empty() {
            definition.insert("pages".to_owned(), Value::Object(pages));
        }
        if !loose.is_empty() {
            definition.insert("components".to_owned(), Value::Object(loose));
        }
    }

    /// A list's entries: those that the rest knows in its order, then what is new.
    fn list(&self, unit: &Unit<'_>, list: &str, kind: ObjectKind) -> Result<Vec<Value>, EncodeError> {
        let mut by_native: BTreeMap<&str, &Object> = BTreeMap::new();
        for part in unit.parts.iter().filter(|part| part.kind == kind) {
            if let Some(native) = self.ids.get(&part.id) {
                by_native.insert(native.as_str(), part);
            }
        }
        let mut entries = Vec::new();
        for entry in unit.rest.and_then(|rest| rest.lists.get(list)).into_iter().flatten() {
            match entry {
                RestEntry::Verbatim(other) => entries.push(other.clone()),
                RestEntry::Of { id, kept } => {
                    if let Some(object) = by_native.remove(id.as_str()) {
                        entries.push(self.entry(unit, object, id, kept.clone())?);
                    }
                }
            }
        }
        for object in unit.parts.iter().filter(|part| part.kind == kind) {
            let Some(native) = self.ids.get(&object.id).map(NativeId::as_str) else { continue };
            if by_native.contains_key(native) {
                entries.push(self.entry(unit, object, native, self.fresh_entry(unit, object, native))?);
            }
        }
        Ok(entries)
    }

    fn entry(
        &self,
        unit: &Unit<'_>,
        object: &Object,
        native: &str,
        mut kept: Map<String, Value>,
    ) -> Result<Value, EncodeError> {
        let Value::Object(mut content) = restore(&object.content, &unit.translator) else {
            return Err(EncodeError::Content(object.name.clone()));
        };
        if object.kind == ObjectKind::DataSource {
            content.remove(OPTIONS);
            if self.format.generation == Generation::Legacy
                && let Some(options) = options_for(self.input, object)?
            {
                content.insert(OPTIONS.to_owned(), restore(options, &unit.translator));
            }
        }
        join_layouts(&mut content, &mut kept);
        self.fresh_layouts(&mut content, native);
        kept.extend(content);
        Ok(Value::Object(kept))
    }

    /// Layouts that are new need ids of their own.
    fn fresh_layouts(&self, content: &mut Map<String, Value>, native: &str) {
        let Some(Value::Array(layouts)) = content.get_mut("layouts") else { return };
        for layout in
            layouts.iter_mut().filter_map(Value::as_object_mut).filter(|layout| !layout.contains_key("id"))
        {
            let kind = layout.get("type").map(Value::to_string).unwrap_or_default();
            layout.insert(
                "id".to_owned(),
                json!(made_uuid(&["layout", self.input.environment, native, &kind])),
            );
            layout.insert("componentId".to_owned(), json!(native));
        }
    }

    fn fresh_entry(&self, unit: &Unit<'_>, object: &Object, native: &str) -> Map<String, Value> {
        let mut entry = Map::from_iter([("id".to_owned(), json!(native))]);
        let global = object.kind == ObjectKind::DataSource && object.unit.is_none();
        if object.kind != ObjectKind::Component {
            let version = if global { Value::Null } else { json!(unit.version) };
            entry.insert("appVersionId".to_owned(), version);
        }
        if self.format.generation == Generation::Legacy {
            entry.insert("appId".to_owned(), json!(unit.native.as_str()));
        }
        entry
    }

    fn environments(&self, unit: &Unit<'_>) -> Vec<Value> {
        let known = unit.rest.and_then(|rest| rest.lists.get("appEnvironments"));
        let Some(known) = known.filter(|entries| !entries.is_empty()) else {
            return vec![self.fresh_environment(unit)];
        };
        let verbatim = |entry: &RestEntry| match entry {
            RestEntry::Verbatim(environment) => Some(environment.clone()),
            RestEntry::Of { .. } => None,
        };
        known.iter().filter_map(verbatim).collect()
    }

    /// ToolJet orders environments by priority and calls the last one its default.
    fn fresh_environment(&self, unit: &Unit<'_>) -> Value {
        let Position { number, of } = self.input.position;
        json!({
            "id": self.environment_id(unit),
            "name": self.input.environment,
            "isDefault": number == of,
            "priority": number,
            "enabled": true,
        })
    }

    fn environment_id(&self, unit: &Unit<'_>) -> String {
        made_uuid(&["environment", self.input.environment, unit.native.as_str()])
    }

    /// The file's id of the environment that is written for.
    fn own_environment(&self, environments: &[Value]) -> Option<String> {
        let named = |wanted: &str| {
            environments.iter().find(|e| {
                e.get("name").and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case(wanted))
            })
        };
        let carried = self.rest.as_ref().and_then(|rest| rest.environment.as_deref());
        let own = carried
            .and_then(named)
            .or_else(|| named(self.input.environment))
            .or_else(|| environments.first().filter(|_| environments.len() == 1));
        own.and_then(|e| e.get("id")).and_then(Value::as_str).map(str::to_owned)
    }

    fn option_sets(&self, unit: &Unit<'_>, environments: &[Value]) -> Result<Vec<Value>, EncodeError> {
        let own = self.own_environment(environments);
        let mut left: BTreeMap<&str, &Object> = BTreeMap::new();
        for source in unit.parts.iter().filter(|part| part.kind == ObjectKind::DataSource) {
            if let Some(native) = self.ids.get(&source.id) {
                left.insert(native.as_str(), source);
            }
        }
        let there: BTreeSet<&str> = left.keys().copied().collect();
        let others: BTreeSet<&str> = unit
            .rest
            .and_then(|rest| rest.lists.get("dataSources"))
            .into_iter()
            .flatten()
            .filter_map(|entry| match entry {
                RestEntry::Verbatim(source) => source.get("id").and_then(Value::as_str),
                RestEntry::Of { .. } => None,
            })
            .collect();
        let mut sets = Vec::new();
        for entry in unit.rest.and_then(|rest| rest.lists.get("dataSourceOptions")).into_iter().flatten() {
            match entry {
                RestEntry::Verbatim(set) => {
                    let of = set.get("dataSourceId").and_then(Value::as_str).unwrap_or_default();
                    if there.contains(of) || others.contains(of) {
                        sets.push(set.clone());
                    }
                }
                RestEntry::Of { id, kept } => {
                    if let Some(source) = left.remove(id.as_str()) {
                        let options = options_for(self.input, source)?.cloned().unwrap_or_default();
                        let mut set = kept.clone();
                        set.insert(OPTIONS.to_owned(), restore(&options, &unit.translator));
                        sets.push(Value::Object(set));
                    }
                }
            }
        }
        for (native, source) in left {
            let Some(options) = options_for(self.input, source)? else { continue };
            let Some(own) = &own else { continue };
            sets.push(json!({
                "id": made_uuid(&["options", self.input.environment, native]),
                "dataSourceId": native,
                "environmentId": own,
                "options": restore(options, &unit.translator),
            }));
        }
        Ok(sets)
    }

    fn modules(
        &self,
        app: &mut Map<String, Value>,
        unit: &Unit<'_>,
        units: &[Unit<'_>],
    ) -> Result<(), EncodeError> {
        let mut own: Vec<&Unit<'_>> = units
            .iter()
            .filter(|other| self.owner_of(other, units).is_some_and(|owner| owner.root.id == unit.root.id))
            .collect();
        let mut entries = Vec::new();
        for module in unit.rest.and_then(|rest| rest.modules.as_ref()).into_iter().flatten() {
            match module {
                RestModule::Verbatim(value) => entries.push(value.clone()),
                RestModule::Unit(index) => {
                    let id = self
                        .rest
                        .as_ref()
                        .and_then(|rest| rest.units.get(*index))
                        .map(|unit| unit.id.as_str());
                    if let Some(position) = own.iter().position(|other| Some(other.native.as_str()) == id) {
                        entries.push(self.wrapped_module(own.remove(position), units)?);
                    }
                }
            }
        }
        for module in own {
            entries.push(self.wrapped_module(module, units)?);
        }
        let had = match unit.rest {
            Some(rest) => rest.modules.is_some(),
            None => self.format.generation == Generation::Flat,
        };
        if had || !entries.is_empty() {
            app.insert("modules".to_owned(), Value::Array(entries));
        }
        Ok(())
    }

    /// A module is an app again, `{appV2: …}` where nothing else is known.
    fn wrapped_module(&self, unit: &Unit<'_>, units: &[Unit<'_>]) -> Result<Value, EncodeError> {
        match unit.rest {
            Some(_) => self.wrapped(unit, units),
            None => Ok(json!({ "appV2": self.app(unit, units)? })),
        }
    }

    fn tables(&self, top: &mut Map<String, Value>) {
        let mut left: Vec<&Object> =
            self.input.objects.iter().filter(|o| o.kind == ObjectKind::Table).collect();
        let known = self.rest.as_ref().and_then(|rest| rest.tables.as_ref());
        if left.is_empty() && known.is_none() {
            return;
        }
        let ids = self.ids.by_object.iter().map(|(id, native)| (id.as_str(), NativeKey::token(native)));
        let translator = Translator::to_native(ids);
        let table = |object: &Object, mut kept: Map<String, Value>| {
            if let Value::Object(content) = restore(&object.content, &translator) {
                kept.extend(content);
            }
            Value::Object(kept)
        };
        let mut tables = Vec::new();
        for entry in known.into_iter().flatten() {
            match entry {
                RestEntry::Verbatim(other) => tables.push(other.clone()),
                RestEntry::Of { id, kept } => {
                    let of = |o: &&Object| self.ids.get(&o.id).is_some_and(|native| native.as_str() == id);
                    if let Some(position) = left.iter().position(of) {
                        tables.push(table(left.remove(position), kept.clone()));
                    }
                }
            }
        }
        for object in left {
            let native = self.ids.get(&object.id).map(NativeId::as_str).unwrap_or_default();
            tables.push(table(object, Map::from_iter([("id".to_owned(), json!(native))])));
        }
        top.insert("tooljet_database".to_owned(), Value::Array(tables));
    }
}

fn editing_version(editing: &Editing, version: &Value) -> Value {
    match editing {
        Editing::Verbatim(value) => value.clone(),
        Editing::Repeats { but, without } => {
            let mut editing = version.as_object().cloned().unwrap_or_default();
            editing.retain(|key, _| !without.contains(key));
            editing.extend(but.clone());
            Value::Object(editing)
        }
    }
}

fn file_name(app: &str) -> String {
    let slug: String = app
        .chars()
        .map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(80)
        .collect();
    format!("{}.json", if slug.is_empty() { "app" } else { &slug })
}
