//! A file's things as objects, and what is left.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sluice_model::{Kind, LogicalId, Object, ObjectKind};

use super::dialect::Tooljet;
use super::incidental::{Of, content, content_of_entry, kept, kept_layouts, order_layouts};
use super::survey::{Found, Place};
use super::{Export, ModuleEntry, Unit, is_built_in, text};
use crate::content::{Content, convert, withhold};
use crate::decoded::{DecodeError, Decoded, EnvironmentOptions, PlaceIds};
use crate::format::{Format, Wrapper};
use crate::references::Scope;
use crate::rules::{SlotRules, options_pointer};
use crate::secret::TakenSecret;
use crate::thing::NativeKey;
use crate::translate::Translator;
use crate::{Likeness, OPTIONS, slots};

/// The member in which a nested component's content says on which page it is.
pub(super) const PAGE: &str = "$page";

/// What is of one file only, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rest {
    pub(super) file: String,
    pub(super) format: Format,
    /// The native environment whose options the objects carried.
    pub(super) environment: Option<String>,
    pub(super) top: Map<String, Value>,
    pub(super) units: Vec<RestUnit>,
    pub(super) tables: Option<Vec<RestEntry>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RestUnit {
    pub(super) id: String,
    pub(super) owner: Option<usize>,
    pub(super) wrapper: Wrapper,
    pub(super) around: Map<String, Value>,
    pub(super) inside: Map<String, Value>,
    pub(super) app: Map<String, Value>,
    /// The edited version's own members.
    pub(super) version: Map<String, Value>,
    /// Members of the nested definition's pages that are no content.
    pub(super) lists: BTreeMap<String, Vec<RestEntry>>,
    pub(super) editing: Option<Editing>,
    pub(super) modules: Option<Vec<RestModule>>,
}

/// An entry of a list, in its order.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum RestEntry {
    /// The thing with this native id, and what of it is no content.
    Of { id: String, kept: Map<String, Value> },
    /// Something that is no object.
    Verbatim(Value),
}

/// How `editingVersion` repeats the edited version.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Editing {
    /// As it is, but for these members.
    Repeats { but: Map<String, Value>, without: Vec<String> },
    /// Not at all.
    Verbatim(Value),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum RestModule {
    Unit(usize),
    Verbatim(Value),
}

/// The text by which content names an app's edited version, whatever its id is in an environment.
pub(super) fn version_token(app: &LogicalId) -> String {
    format!("{app}@version")
}

impl Export {
    pub(crate) fn decode(
        mut self,
        ids: &BTreeMap<NativeKey, LogicalId>,
        rules: &SlotRules,
        environment: &str,
    ) -> Result<Decoded, DecodeError> {
        let found = self.found();
        let identified = identify(&found, ids)?;
        let scopes = self.scopes(&found, &identified);
        let environment = self.environment(environment);
        let (rest, withheld) = self.rest(rules, environment.clone());
        let mut out = Decoded {
            objects: Vec::with_capacity(found.len()),
            environment: environment.clone(),
            proposals: Vec::new(),
            secrets: Vec::new(),
            place: self.place(),
            rest,
            orphan_options: self.orphans,
            withheld,
        };
        let mut owners: Vec<Option<LogicalId>> = vec![None; self.units.len()];
        for (thing, id) in
            found.iter().zip(&identified).filter(|(thing, _)| matches!(thing.place, Place::Unit))
        {
            if let Some(owner) = owners.get_mut(thing.unit) {
                *owner = Some(id.clone());
            }
        }
        let natives: Vec<Value> = found.iter().map(|thing| self.take(thing)).collect();
        for ((thing, id), native) in found.into_iter().zip(identified).zip(natives) {
            let Some(scope) = scopes.get(thing.unit) else { continue };
            let owner = owners.get(thing.unit).cloned().flatten().filter(|_| !thing.shared);
            let mut maker =
                Maker { export: &self, scope, rules, environment: environment.as_deref(), out: &mut out };
            maker.object(thing, id, owner, native)?;
        }
        Ok(out)
    }

    /// The native JSON of a thing's content, which then is no longer here.
    fn take(&mut self, found: &Found) -> Value {
        let entry = match (&found.place, self.units.get_mut(found.unit)) {
            (Place::Table(index), _) => self.tables.as_mut().and_then(|tables| tables.get_mut(*index)),
            (Place::Listed(list, index), Some(unit)) => {
                unit.lists.get_mut(list).and_then(|entries| entries.get_mut(*index))
            }
            (Place::Unit, Some(unit)) => return unit.content(),
            (Place::NestedPage, Some(unit)) => return unit.nested_page(&found.token),
            (Place::NestedComponent(page), Some(unit)) => {
                return unit.take_nested_component(page.as_deref(), &found.token);
            }
            (_, None) => None,
        };
        entry.map(Value::take).map(content_of_entry).unwrap_or_default()
    }

    /// The native environment that `wanted` means: by name, or the only one there is.
    pub(super) fn environment(&self, wanted: &str) -> Option<String> {
        let mut names = Vec::new();
        for name in
            self.units.iter().flat_map(|unit| unit.list("appEnvironments")).filter_map(|e| text(e, "name"))
        {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        match names.as_slice() {
            [one] => Some((*one).to_owned()),
            many => many.iter().find(|name| name.eq_ignore_ascii_case(wanted)).map(|name| (*name).to_owned()),
        }
    }

    fn place(&self) -> PlaceIds {
        let mut place = PlaceIds::default();
        for unit in &self.units {
            place.add(&unit.id);
            let environments = unit.list("appEnvironments");
            for environment in environments {
                if let (Some(id), Some(name)) = (text(environment, "id"), text(environment, "name")) {
                    place.add_environment(id, name);
                }
            }
            let own = unit.app.get("organizationId").and_then(Value::as_str);
            let others = environments.iter().filter_map(|e| text(e, "organizationId"));
            own.into_iter().chain(others).for_each(|id| place.add(id));
        }
        place
    }

    fn scopes(&self, found: &[Found], ids: &[LogicalId]) -> Vec<Scope> {
        let of_unit = |unit: usize| {
            let mut scope = Scope {
                ids: HashMap::new(),
                queries: HashMap::new(),
                components: HashMap::new(),
                translator: Translator::to_native(std::iter::empty()),
            };
            for (thing, id) in found.iter().zip(ids) {
                let own = thing.unit == unit;
                let is_unit = matches!(thing.place, Place::Unit);
                if !(own || thing.shared || is_unit) {
                    continue;
                }
                let kind = thing.thing.key.kind;
                scope.ids.entry(thing.token.clone()).or_insert_with(|| (kind, id.clone()));
                let names = match kind {
                    ObjectKind::Query if own => &mut scope.queries,
                    ObjectKind::Component if own => &mut scope.components,
                    _ => continue,
                };
                names.entry(thing.thing.name.clone()).or_default().push(id.clone());
            }
            let mut versions = Vec::new();
            for (thing, id) in found.iter().zip(ids).filter(|(thing, _)| matches!(thing.place, Place::Unit)) {
                if let Some(native) = self.units.get(thing.unit).and_then(Unit::version_id) {
                    versions.push((native, version_token(id)));
                }
            }
            let pairs = scope.ids.iter().map(|(native, (_, id))| (native.as_str(), id.as_str()));
            let translator = Translator::to_logical(
                pairs.chain(versions.iter().map(|(native, token)| (*native, token.as_str()))),
            );
            Scope { translator, ..scope }
        };
        (0..self.units.len()).map(of_unit).collect()
    }

    fn rest(&self, rules: &SlotRules, environment: Option<String>) -> (Value, usize) {
        let mut withheld = 0;
        let units =
            self.units.iter().map(|unit| unit.rest(rules, environment.as_deref(), &mut withheld)).collect();
        let tables = self.tables.as_ref().map(|tables| {
            let entry = |table: &Value| match table.as_object() {
                Some(members) => of(members),
                None => RestEntry::Verbatim(table.clone()),
            };
            tables.iter().map(entry).collect()
        });
        let rest = Rest {
            file: self.file.clone(),
            format: self.format.clone(),
            environment,
            top: self.top.clone(),
            units,
            tables,
        };
        // Every part of it is JSON already, so this cannot fail; if it did, the rest would be empty.
        let mut rest = serde_json::to_value(&rest).unwrap_or_default();
        withheld += withhold(&mut rest);
        (rest, withheld)
    }
}

fn of(members: &Map<String, Value>) -> RestEntry {
    let id = members.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut kept = kept(members, Of::Entry);
    kept.extend(kept_layouts(members).map(|layouts| ("layouts".to_owned(), layouts)));
    RestEntry::Of { id, kept }
}

/// The logical id of everything found, in its order.
fn identify(found: &[Found], ids: &BTreeMap<NativeKey, LogicalId>) -> Result<Vec<LogicalId>, DecodeError> {
    let mut seen: BTreeMap<&LogicalId, &NativeKey> = BTreeMap::new();
    let mut identified = Vec::with_capacity(found.len());
    for thing in found {
        let key = &thing.thing.key;
        let id = ids.get(key).ok_or_else(|| DecodeError::Unidentified(key.clone()))?;
        if let Some(first) = seen.insert(id, key) {
            return Err(DecodeError::Shared { id: id.clone(), first: first.clone(), second: key.clone() });
        }
        identified.push(id.clone());
    }
    Ok(identified)
}

struct Maker<'a> {
    export: &'a Export,
    scope: &'a Scope,
    rules: &'a SlotRules,
    environment: Option<&'a str>,
    out: &'a mut Decoded,
}

impl Maker<'_> {
    fn object(
        &mut self,
        found: Found,
        id: LogicalId,
        owner: Option<LogicalId>,
        mut native: Value,
    ) -> Result<(), DecodeError> {
        let Some(unit) = self.export.units.get(found.unit) else { return Ok(()) };
        let kind = found.thing.key.kind;
        let mut declared = Vec::new();
        let mut source_kind = None;
        if let Some(kind) = found.thing.source_kind {
            if let (Some(set), Some(members)) =
                (unit.options_of(&found.token, self.environment), native.as_object_mut())
            {
                members.insert(OPTIONS.to_owned(), set);
            }
            if let Some(options) = native.get_mut(OPTIONS) {
                declared = slots::take(options, &self.rules.for_kind(&kind));
            }
            self.propose(unit, &found.token, &id, &kind)?;
            source_kind = (!is_built_in(&native)).then_some(kind);
        }
        let mut content = convert(native, kind, self.scope, &Tooljet);
        if kind == ObjectKind::Component && matches!(found.place, Place::Listed(..)) {
            order_layouts(&mut content.value);
        }
        let object = Object {
            id,
            unit: owner,
            kind,
            source_kind,
            name: found.thing.name,
            content: Value::Null,
            references: Vec::new(),
        };
        self.keep(object, None, declared, content)
    }

    /// The options of the other environments.
    fn propose(&mut self, unit: &Unit, token: &str, id: &LogicalId, kind: &Kind) -> Result<(), DecodeError> {
        for set in
            unit.list("dataSourceOptions").iter().filter(|set| text(set, "dataSourceId") == Some(token))
        {
            let name = text(set, "environmentId").and_then(|id| unit.environment_name(id));
            let (Some(name), Some(options)) = (name, set.get("options")) else { continue };
            if Some(name) == self.environment || options.is_null() {
                continue;
            }
            let mut options = json!({ OPTIONS: options });
            let declared =
                options.get_mut(OPTIONS).map(|options| slots::take(options, &self.rules.for_kind(kind)));
            let mut content = convert(options, ObjectKind::DataSource, self.scope, &Tooljet);
            let options = content.value.get_mut(OPTIONS).map(Value::take).unwrap_or_default();
            self.out.proposals.push(EnvironmentOptions {
                source: id.clone(),
                environment: name.to_owned(),
                options,
            });
            self.secrets(id, Some(name), declared.unwrap_or_default(), content.taken);
        }
        Ok(())
    }

    fn keep(
        &mut self,
        object: Object,
        environment: Option<&str>,
        declared: Vec<slots::TakenSlot>,
        content: Content,
    ) -> Result<(), DecodeError> {
        if let Some(clash) = content.clash {
            let id = LogicalId::new(clash).unwrap_or_else(|_| object.id.clone());
            return Err(DecodeError::Clash { id, object: object.name });
        }
        self.secrets(&object.id, environment, declared, content.taken);
        self.out.objects.push(Object { content: content.value, references: content.references, ..object });
        Ok(())
    }

    fn secrets(
        &mut self,
        object: &LogicalId,
        environment: Option<&str>,
        declared: Vec<slots::TakenSlot>,
        found: Vec<crate::content::TakenText>,
    ) {
        let environment = environment.map(str::to_owned);
        let base = options_pointer();
        self.out.secrets.extend(declared.into_iter().map(|taken| TakenSecret {
            object: object.clone(),
            environment: environment.clone(),
            at: taken.at.under(&base),
            slot: taken.slot,
            provisional: false,
            what: Likeness::Declared,
            value: taken.value,
        }));
        self.out.secrets.extend(found.into_iter().map(|taken| TakenSecret {
            object: object.clone(),
            environment: environment.clone(),
            at: taken.at,
            slot: taken.slot,
            provisional: taken.provisional,
            what: taken.what,
            value: taken.value,
        }));
    }
}

/// A copy with these members empty: their place is left, so that writing puts them back there.
fn without_inner(value: &Value, inner: &[&str]) -> Value {
    let Some(members) = value.as_object() else { return value.clone() };
    let copy = members.iter().map(|(key, member)| match member {
        Value::Object(_) if inner.contains(&key.as_str()) => (key.clone(), Value::Object(Map::new())),
        member => (key.clone(), member.clone()),
    });
    Value::Object(copy.collect())
}

impl Unit {
    fn is_legacy(&self) -> bool {
        self.version().and_then(|v| v.get("definition")).is_some_and(|d| d.get("components").is_some())
    }

    fn of_version(&self) -> Of {
        if self.is_legacy() { Of::LegacyVersion } else { Of::Version }
    }

    /// The app's own content: itself and its edited version, without what stands for itself.
    fn content(&self) -> Value {
        let mut own = Map::new();
        for (key, value) in self.version().and_then(Value::as_object).into_iter().flatten() {
            if self.of_version().is_kept(key) {
                continue;
            }
            let value = match key.as_str() {
                "definition" => without_inner(value, &["components", "pages"]),
                _ => value.clone(),
            };
            own.insert(key.clone(), value);
        }
        json!({ "app": content(&self.app, Of::App), "version": own })
    }

    fn environment_name(&self, id: &str) -> Option<&str> {
        self.list("appEnvironments").iter().find(|e| text(e, "id") == Some(id)).and_then(|e| text(e, "name"))
    }

    /// A page without its components, which are objects themselves.
    fn nested_page(&self, id: &str) -> Value {
        let page = self.nested_pages().and_then(|pages| pages.get(id));
        page.map(|page| without_inner(page, &["components"])).unwrap_or_default()
    }

    fn take_nested_component(&mut self, page: Option<&str>, id: &str) -> Value {
        let definition = self.version_mut().and_then(|version| version.get_mut("definition"));
        let within = match page {
            Some(page) => definition.and_then(|d| d.get_mut("pages")).and_then(|pages| pages.get_mut(page)),
            None => definition,
        };
        let components = within.and_then(|within| within.get_mut("components"));
        let component = components.and_then(|components| components.get_mut(id));
        let mut component = component.map(Value::take).unwrap_or_default();
        if let (Some(members), Some(page)) = (component.as_object_mut(), page) {
            members.insert(PAGE.to_owned(), Value::String(page.to_owned()));
        }
        component
    }

    /// The first option set of a source for an environment, and which it is of those that were kept.
    pub(super) fn set_of(&self, source: &str, environment: Option<&str>) -> Option<(usize, &Value)> {
        self.list("dataSourceOptions").iter().enumerate().find(|(_, set)| {
            text(set, "dataSourceId") == Some(source)
                && text(set, "environmentId").and_then(|id| self.environment_name(id)) == environment
                && environment.is_some()
        })
    }

    fn options_of(&self, source: &str, environment: Option<&str>) -> Option<Value> {
        self.set_of(source, environment)?.1.get("options").cloned()
    }

    fn rest(&self, rules: &SlotRules, environment: Option<&str>, withheld: &mut usize) -> RestUnit {
        let mut lists = BTreeMap::new();
        for (list, entries) in &self.lists {
            let taken: HashSet<usize> = self.taken(list).into_iter().map(|(index, _)| index).collect();
            let kept = entries.iter().enumerate().map(|(index, entry)| match *list {
                "appVersions" if Some(index) == self.version => {
                    RestEntry::Of { id: self.version_id().unwrap_or_default().to_owned(), kept: Map::new() }
                }
                "dataSourceOptions" => self.rest_of_set(entry, rules, environment, withheld),
                _ if taken.contains(&index) => match entry.as_object() {
                    Some(members) => of(members),
                    None => RestEntry::Verbatim(entry.clone()),
                },
                _ => RestEntry::Verbatim(self.withheld_source(entry, rules, withheld)),
            });
            lists.insert((*list).to_owned(), kept.collect());
        }
        let editing = self.app.get("editingVersion").map(|editing| self.editing(editing));
        let own = self.app.iter().filter(|(key, _)| key.as_str() != "editingVersion" && Of::App.is_kept(key));
        let mut app: Map<String, Value> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
        // A token of the server, whatever it looks like.
        if let Some(token) = app.get_mut("workflowApiToken").filter(|token| token.is_string()) {
            *token = Value::Null;
            *withheld += 1;
        }
        let modules = self.modules.as_ref().map(|modules| {
            let entry = |module: &ModuleEntry| match module {
                ModuleEntry::Unit(index) => RestModule::Unit(*index),
                ModuleEntry::Repeats(value) => RestModule::Verbatim(value.clone()),
            };
            modules.iter().map(entry).collect()
        });
        RestUnit {
            id: self.id.clone(),
            owner: self.owner,
            wrapper: self.wrapper,
            around: self.around.clone(),
            inside: self.inside.clone(),
            app,
            version: self
                .version()
                .and_then(Value::as_object)
                .map(|v| kept(v, self.of_version()))
                .unwrap_or_default(),
            lists,
            editing,
            modules,
        }
    }

    /// An option set that an object carries, or one of another environment.
    fn rest_of_set(
        &self,
        set: &Value,
        rules: &SlotRules,
        environment: Option<&str>,
        withheld: &mut usize,
    ) -> RestEntry {
        let source = text(set, "dataSourceId").unwrap_or_default();
        let carried = self.set_of(source, environment).is_some_and(|(_, own)| std::ptr::eq(own, set));
        let is_object = self.taken("dataSources").iter().any(|(_, taken)| text(taken, "id") == Some(source));
        if carried && is_object && set.get("options").is_some() {
            let mut kept = set.as_object().cloned().unwrap_or_default();
            kept.remove("options");
            return RestEntry::Of { id: source.to_owned(), kept };
        }
        let mut set = set.clone();
        let kind = self
            .list("dataSources")
            .iter()
            .find(|s| text(s, "id") == Some(source))
            .and_then(|s| text(s, "kind"));
        if let (Some(options), Some(kind)) = (set.get_mut(OPTIONS), kind) {
            *withheld += slots::take(options, &rules.for_kind(&Kind::new("tooljet", kind))).len();
        }
        RestEntry::Verbatim(set)
    }

    /// A source of another version still has its options inside, in the oldest files.
    fn withheld_source(&self, entry: &Value, rules: &SlotRules, withheld: &mut usize) -> Value {
        let mut entry = entry.clone();
        let kind = text(&entry, "kind").map(|kind| Kind::new("tooljet", kind));
        if let (Some(kind), Some(options)) = (kind, entry.get_mut(OPTIONS)) {
            *withheld += slots::take(options, &rules.for_kind(&kind)).len();
        }
        entry
    }

    fn editing(&self, editing: &Value) -> Editing {
        let (Some(version), Some(members)) = (self.version().and_then(Value::as_object), editing.as_object())
        else {
            return Editing::Verbatim(editing.clone());
        };
        if members.get("id") != version.get("id") {
            return Editing::Verbatim(editing.clone());
        }
        let differs = |(key, value): &(&String, &Value)| version.get(key.as_str()) != Some(*value);
        let but = members.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())).collect();
        let without = version.keys().filter(|key| !members.contains_key(*key)).cloned().collect();
        Editing::Repeats { but, without }
    }
}
