//! What in a file has an identity.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_model::{Kind, ObjectKind};

use super::{Export, Unit, is_built_in, is_global, text};
use crate::suspect::shown;
use crate::thing::{NativeKey, NativeThing};

/// A thing and where its native JSON is.
pub(super) struct Found {
    pub(super) thing: NativeThing,
    /// Its id as the file spells it.
    pub(super) token: String,
    /// The unit in which it stands.
    pub(super) unit: usize,
    /// Whether several apps share it.
    pub(super) shared: bool,
    pub(super) place: Place,
}

pub(super) enum Place {
    Unit,
    /// The list, and where in it.
    Listed(&'static str, usize),
    NestedPage,
    /// The page, where the definition has components by page.
    NestedComponent(Option<String>),
    /// Where among the tables.
    Table(usize),
}

/// Makes what was found, of one unit: from key, name, parent, stable id, place and token.
type Own<'a> = dyn Fn(NativeKey, &str, Option<NativeKey>, Option<String>, Place, &str) -> Found + 'a;

impl Export {
    /// Everything that becomes an object, each once, owners before what they own.
    pub(super) fn found(&self) -> Vec<Found> {
        let mut found = Vec::new();
        let mut shared = BTreeMap::new();
        for (index, unit) in self.units.iter().enumerate() {
            unit.found(index, &mut found, &mut shared);
        }
        for (index, table) in self.tables.iter().flatten().enumerate() {
            let Some(id) = text(table, "id") else { continue };
            let Some(key) = NativeKey::of(ObjectKind::Table, id) else { continue };
            if shared.insert(id, ()).is_some() {
                continue;
            }
            let name = shown(text(table, "table_name").or_else(|| text(table, "tableName")).unwrap_or(id));
            let thing = NativeThing { key, name, parent: None, source_kind: None, stable: stable(table) };
            let token = id.to_owned();
            found.push(Found { thing, token, unit: 0, shared: true, place: Place::Table(index) });
        }
        found
    }

    /// Everything that has an identity.
    pub(crate) fn survey(&self) -> Vec<NativeThing> {
        self.found().into_iter().map(|found| found.thing).collect()
    }
}

fn stable(value: &Value) -> Option<String> {
    text(value, "co_relation_id").filter(|id| !id.is_empty()).map(str::to_owned)
}

impl Unit {
    pub(super) fn key(&self) -> Option<NativeKey> {
        NativeKey::of(self.kind, &self.id)
    }

    fn found<'e>(&'e self, unit: usize, found: &mut Vec<Found>, shared: &mut BTreeMap<&'e str, ()>) {
        let Some(app) = self.key() else { return };
        let own = |key, name: &str, parent, stable, place, token: &str| Found {
            thing: NativeThing { key, name: shown(name), parent, source_kind: None, stable },
            token: token.to_owned(),
            unit,
            shared: false,
            place,
        };
        let app_stable = self.app.get("co_relation_id").and_then(Value::as_str).map(str::to_owned);
        found.push(own(app.clone(), self.name(), None, app_stable, Place::Unit, &self.id));

        for (index, source) in self.taken("dataSources") {
            let (Some(id), Some(kind)) = (text(source, "id"), text(source, "kind")) else { continue };
            let Some(key) = NativeKey::of(ObjectKind::DataSource, id) else { continue };
            let global = is_global(source) && !is_built_in(source);
            if global && shared.insert(id, ()).is_some() {
                continue;
            }
            let parent = (!global).then(|| app.clone());
            let name = text(source, "name").unwrap_or(kind);
            let place = Place::Listed("dataSources", index);
            let mut one = own(key, name, parent, stable(source), place, id);
            one.thing.source_kind = Some(Kind::new("tooljet", kind));
            one.shared = global;
            found.push(one);
        }
        self.found_nested(&app, &own, found);
        let mut add =
            |list, kind, parent: &dyn Fn(&Value) -> Option<NativeKey>, name: &dyn Fn(&Value) -> String| {
                for (index, entry) in self.taken(list) {
                    let Some(id) = text(entry, "id") else { continue };
                    let Some(key) = NativeKey::of(kind, id) else { continue };
                    let parent = parent(entry).or_else(|| Some(app.clone()));
                    found.push(own(key, &name(entry), parent, stable(entry), Place::Listed(list, index), id));
                }
            };
        let named =
            |entry: &Value| text(entry, "name").or_else(|| text(entry, "id")).unwrap_or_default().to_owned();
        let of_app = |_: &Value| Some(app.clone());
        let of_page = |entry: &Value| NativeKey::of(ObjectKind::Page, text(entry, "pageId")?);
        add("pages", ObjectKind::Page, &of_app, &named);
        add("components", ObjectKind::Component, &of_page, &named);
        add("dataQueries", ObjectKind::Query, &of_app, &named);
        let of_source = |entry: &Value| NativeKey::of(event_source(entry), text(entry, "sourceId")?);
        add("events", ObjectKind::Event, &of_source, &event_name);
    }

    /// Pages and components of a nested definition; a cloned app shares their ids, so the owner's
    /// goes before.
    fn found_nested(&self, app: &NativeKey, own: &Own<'_>, found: &mut Vec<Found>) {
        for (id, page) in self.nested_pages().into_iter().flatten() {
            let Some(key) = self.nested_key(ObjectKind::Page, None, id) else { continue };
            let name = text(page, "name").unwrap_or(id);
            found.push(own(key, name, Some(app.clone()), None, Place::NestedPage, id));
        }
        let components = self.nested_components();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, id, _) in &components {
            *times.entry(id.as_str()).or_default() += 1;
        }
        for (page, id, component) in components {
            let within = page.filter(|_| times.get(id.as_str()).is_some_and(|times| *times > 1));
            let Some(key) = self.nested_key(ObjectKind::Component, within, id) else { continue };
            let parent = page
                .and_then(|page| self.nested_key(ObjectKind::Page, None, page))
                .unwrap_or_else(|| app.clone());
            let name = component.get("component").and_then(|c| text(c, "name")).unwrap_or(id);
            found.push(own(
                key,
                name,
                Some(parent),
                None,
                Place::NestedComponent(page.map(str::to_owned)),
                id,
            ));
        }
    }

    pub(super) fn nested_key(&self, kind: ObjectKind, page: Option<&str>, id: &str) -> Option<NativeKey> {
        match page {
            Some(page) => NativeKey::of(kind, &format!("{}/{page}/{id}", self.id)),
            None => NativeKey::of(kind, &format!("{}/{id}", self.id)),
        }
    }
}

/// What sort of thing an event happens to.
pub(super) fn event_source(event: &Value) -> ObjectKind {
    match text(event, "target") {
        Some("page") => ObjectKind::Page,
        Some("data_query") => ObjectKind::Query,
        _ => ObjectKind::Component,
    }
}

/// Events have no name of their own: what happens, and which of several that happen then.
fn event_name(event: &Value) -> String {
    let inner = event.get("event").and_then(|inner| text(inner, "eventId"));
    let name = text(event, "name").or(inner).unwrap_or("event");
    match event.get("index").and_then(Value::as_i64) {
        Some(index) => format!("{name} {index}"),
        None => name.to_owned(),
    }
}
