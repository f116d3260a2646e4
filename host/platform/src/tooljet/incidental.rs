//! What an environment or a file has of its own: never content, kept aside for writing the file again.

use serde_json::{Map, Value};

/// Members of every entry that say where and when it lies, not what it is.
const OF_ENTRIES: &[&str] = &[
    "appId",
    "appVersionId",
    "branchId",
    "co_relation_id",
    "createdAt",
    "created_at",
    "id",
    "organizationId",
    "organization_id",
    "pluginId",
    "updatedAt",
    "updated_at",
    "userId",
];

/// Members of an app that its environment decides, or that only its server uses.
const OF_APPS: &[&str] = &[
    "__loaded",
    "aiConversation",
    "aiGenerationMetadata",
    "branchId",
    "co_relation_id",
    "createdAt",
    "creationMode",
    "currentVersionId",
    "appEnvironments",
    "dataSourceOptions",
    "editingVersion",
    "id",
    "isInitialisedFromPrompt",
    "isMaintenanceOn",
    "isPublic",
    "organizationId",
    "schemaDetails",
    "slug",
    "updatedAt",
    "userId",
    "workflowApiToken",
];

/// Members of a version that are about its life in one environment.
const OF_VERSIONS: &[&str] = &[
    "appId",
    "branchId",
    "co_relation_id",
    "createdAt",
    "createdBy",
    "currentEnvironmentId",
    "description",
    "id",
    "isStub",
    "name",
    "parentVersionId",
    "parent_version_id",
    "promotedFrom",
    "publishedAt",
    "releasedAt",
    "status",
    "updatedAt",
    "versionType",
];

/// Which of the three an object is, for this purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Entry,
    App,
    Version,
    /// A version in whose definition components stand without pages: what it says of pages was made
    /// up when it was exported, anew each time.
    LegacyVersion,
}

impl Of {
    /// Whether a member is kept aside.
    pub(crate) fn is_kept(self, key: &str) -> bool {
        match self {
            Self::Entry => OF_ENTRIES.contains(&key),
            Self::App => OF_APPS.contains(&key),
            Self::Version => OF_VERSIONS.contains(&key),
            Self::LegacyVersion => {
                OF_VERSIONS.contains(&key) || matches!(key, "homePageId" | "pages" | "showViewerNavigation")
            }
        }
    }
}

/// The members that are content.
pub(crate) fn content(members: &Map<String, Value>, of: Of) -> Map<String, Value> {
    members
        .iter()
        .filter(|(key, _)| !of.is_kept(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The members that are kept aside.
pub(crate) fn kept(members: &Map<String, Value>, of: Of) -> Map<String, Value> {
    members
        .iter()
        .filter(|(key, _)| of.is_kept(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Members of a component's layout for one screen that are of this file only.
const OF_LAYOUTS: &[&str] = &["componentId", "createdAt", "id", "updatedAt"];

/// A component's layouts, where it has any that can be taken apart.
fn layouts(component: &Map<String, Value>) -> Option<&Vec<Value>> {
    component.get("layouts")?.as_array().filter(|layouts| layouts.iter().all(Value::is_object))
}

/// A list's entry without what is of this file only.
pub(crate) fn content_of_entry(mut entry: Value) -> Value {
    let Some(members) = entry.as_object_mut() else { return entry };
    members.retain(|key, _| !Of::Entry.is_kept(key));
    if layouts(members).is_some()
        && let Some(Value::Array(layouts)) = members.get_mut("layouts")
    {
        for layout in layouts.iter_mut().filter_map(Value::as_object_mut) {
            layout.retain(|key, _| !OF_LAYOUTS.contains(&key.as_str()));
        }
    }
    entry
}

/// Orders layouts by type, since the server lists them in any order.
pub(crate) fn order_layouts(content: &mut Value) {
    if let Some(Value::Array(layouts)) = content.get_mut("layouts")
        && layouts.iter().all(Value::is_object)
    {
        layouts.sort_by_key(|layout| layout.get("type").map(Value::to_string));
    }
}

/// What [`content_of_entry`] leaves out of layouts, in the file's order.
pub(crate) fn kept_layouts(component: &Map<String, Value>) -> Option<Value> {
    let own = |layout: &Map<String, Value>| {
        let mut own: Map<String, Value> = OF_LAYOUTS
            .iter()
            .filter_map(|key| layout.get(*key).map(|value| ((*key).to_owned(), value.clone())))
            .collect();
        own.insert("type".to_owned(), layout.get("type").cloned().unwrap_or_default());
        Value::Object(own)
    };
    Some(layouts(component)?.iter().filter_map(Value::as_object).map(own).collect())
}

/// Puts back what [`kept_layouts`] has, as far as the layouts are still those of the content.
pub(crate) fn join_layouts(content: &mut Map<String, Value>, kept: &mut Map<String, Value>) {
    let Some(Value::Array(aside)) = kept.remove("layouts") else { return };
    let Some(Value::Array(layouts)) = content.get_mut("layouts") else { return };
    let mut joined = Vec::with_capacity(layouts.len());
    for own in aside {
        let Value::Object(own) = own else { continue };
        let kind = own.get("type").filter(|kind| !kind.is_null());
        let Some(position) = layouts.iter().position(|layout| layout.get("type") == kind) else { continue };
        let mut layout = layouts.remove(position);
        if let Some(layout) = layout.as_object_mut() {
            layout.extend(own.into_iter().filter(|(key, _)| key != "type"));
        }
        joined.push(layout);
    }
    joined.append(layouts);
    *layouts = joined;
}
