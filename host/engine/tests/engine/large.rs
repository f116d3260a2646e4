//! An app as large as one likes, for tests and benchmarks of what its size costs.

use serde_json::{Value, json};

/// A ToolJet 3.x export with so many components, the first `changed` of them in another state.
pub(crate) fn export(objects: usize, changed: usize, round: usize) -> Vec<u8> {
    let id = |kind: u32, n: usize| format!("{kind:08x}-0000-4000-8000-{n:012x}");
    let components: Vec<Value> = (0..objects)
        .map(|n| {
            let text = if n < changed { format!("text {n} of round {round}") } else { format!("text {n}") };
            json!({
                "id": id(0xc0, n), "name": format!("text{n}"), "type": "Text", "pageId": id(0xb0, 0), "parent": null,
                "properties": {"text": {"value": text}}, "general": {}, "styles": {}, "generalStyles": {},
                "displayPreferences": {}, "validation": {},
                "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z", "layouts": []
            })
        })
        .collect();
    let version = json!({
        "id": id(0xa1, 0), "name": "v1", "definition": null, "globalSettings": {}, "pageSettings": {},
        "showViewerNavigation": true, "homePageId": id(0xb0, 0), "appId": id(0xa0, 0),
        "currentEnvironmentId": id(0xe0, 0), "promotedFrom": null,
        "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z"
    });
    let app = json!({
        "id": id(0xa0, 0), "type": "front-end", "name": "Large", "slug": id(0xa0, 0), "isPublic": false,
        "isMaintenanceOn": false, "icon": null, "organizationId": id(0x01, 0), "currentVersionId": null,
        "userId": id(0x02, 0), "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
        "editingVersion": version, "components": components,
        "pages": [{"id": id(0xb0, 0), "name": "Home", "handle": "home", "index": 1, "disabled": false,
            "hidden": false, "appVersionId": id(0xa1, 0)}],
        "events": [], "dataQueries": [], "dataSources": [], "appVersions": [version],
        "appEnvironments": [{"id": id(0xe0, 0), "name": "development", "isDefault": false, "priority": 1,
            "enabled": true}],
        "dataSourceOptions": [], "schemaDetails": {"multiPages": true, "multiEnv": true, "globalDataSources": true}
    });
    let file = json!({"app": [{"definition": {"appV2": app}}], "tooljet_version": "3.20.0"});
    serde_json::to_vec(&file).unwrap()
}
