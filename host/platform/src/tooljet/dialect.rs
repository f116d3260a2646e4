//! Where ToolJet's content refers to other things.

use serde_json::Value;
use sluice_model::{ConstantName, ObjectKind, ReferenceKind, Target};

use super::survey::event_source;
use crate::expression::{self, Named};
use crate::references::{Dialect, Scope, Step, holders};
use crate::suspect::is_uuid;

pub(super) struct Tooljet;

impl Dialect for Tooljet {
    fn edges(
        &self,
        kind: ObjectKind,
        root: &Value,
        steps: &[Step<'_>],
        text: &str,
        scope: &Scope,
        found: &mut Vec<(ReferenceKind, Target)>,
    ) {
        typed(kind, root, steps, text, scope, found);
        for named in expression::named(text, is_code(steps)) {
            found.extend(read(named, scope));
        }
    }
}

/// Whether the text at `steps` is code as a whole, so that no braces mark what it reads.
pub(super) fn is_code(steps: &[Step<'_>]) -> bool {
    let last = steps.iter().rev().find_map(|step| step.member());
    matches!(last, Some("code" | "transformation" | "transformations" | "script"))
}

fn read(named: Named<'_>, scope: &Scope) -> Option<(ReferenceKind, Target)> {
    let constant = |scope: &str, name: &str| {
        let name = ConstantName::new(format!("{scope}.{name}")).ok()?;
        Some((ReferenceKind::NeedsConstant, Target::Constant(name)))
    };
    let by = |names, name: &str, wanted| {
        if is_uuid(name) { scope.by_id(name, wanted) } else { Scope::by_name(names, name, wanted) }
    };
    match named {
        Named::Constant(name) => constant("constants", name),
        Named::Secret(name) => constant("secrets", name),
        Named::Query { name, runs } => {
            let kind = if runs { ReferenceKind::Runs } else { ReferenceKind::Reads };
            Some((kind, by(&scope.queries, name, ObjectKind::Query)))
        }
        Named::Component(name) => {
            Some((ReferenceKind::Reads, by(&scope.components, name, ObjectKind::Component)))
        }
    }
}

/// Event actions whose `table` or `modal` is a component, or an object with a component's id: the
/// editor has written either. A member that another action left behind says nothing.
const ON_COMPONENTS: &[(&str, &str)] =
    &[("close-modal", "modal"), ("set-table-page", "table"), ("show-modal", "modal")];

/// Whether the member at `steps` is the component that an event's action is about.
fn names_component(root: &Value, steps: &[Step<'_>]) -> bool {
    let mut names = steps.iter().rev().map(|step| step.member());
    let member = match names.next().flatten() {
        Some("id") => names.next().flatten(),
        own => own,
    };
    let action = holders(root, steps).find_map(|holder| holder.get("actionId")).and_then(Value::as_str);
    ON_COMPONENTS.iter().any(|(of, names)| Some(*of) == action && Some(*names) == member)
}

/// References that a member's name announces.
fn typed(
    kind: ObjectKind,
    root: &Value,
    steps: &[Step<'_>],
    text: &str,
    scope: &Scope,
    found: &mut Vec<(ReferenceKind, Target)>,
) {
    let Some(last) = steps.iter().rev().find_map(|step| step.member()) else { return };
    let top = steps.len() == 1;
    let within = |name: &str| steps.iter().any(|step| step.member() == Some(name));
    let (reference, wanted) = match last {
        "queryId" => (ReferenceKind::Runs, ObjectKind::Query),
        "dataSourceId" if top && kind == ObjectKind::Query => (ReferenceKind::RunsOn, ObjectKind::DataSource),
        "sourceId" if top && kind == ObjectKind::Event => (ReferenceKind::PartOf, event_source(root)),
        "pageId" | "$page" if top => (ReferenceKind::PartOf, ObjectKind::Page),
        "pageGroupId" if top => (ReferenceKind::PartOf, ObjectKind::Page),
        "parent" if top && kind == ObjectKind::Component => (ReferenceKind::PartOf, ObjectKind::Component),
        "homePageId" => (ReferenceKind::LeadsTo, ObjectKind::Page),
        "pageId" if is_uuid(text) => (ReferenceKind::LeadsTo, ObjectKind::Page),
        "componentId" | "modal" if is_uuid(text) => (ReferenceKind::Reads, ObjectKind::Component),
        "table" | "id" if is_uuid(text) && names_component(root, steps) => {
            (ReferenceKind::Reads, ObjectKind::Component)
        }
        "table_id" => (ReferenceKind::UsesTable, ObjectKind::Table),
        "table" | "name" if within("join_table") && is_uuid(text) => {
            (ReferenceKind::UsesTable, ObjectKind::Table)
        }
        "moduleAppId" => (ReferenceKind::Embeds, ObjectKind::Module),
        "value" if within("moduleAppId") => (ReferenceKind::Embeds, ObjectKind::Module),
        "id" if kind == ObjectKind::Workflow && within("queries") => (ReferenceKind::Runs, ObjectKind::Query),
        _ => return,
    };
    if text.is_empty() || text.starts_with("{{") {
        return;
    }
    // A tab's or a modal's part is named by the component's id and a suffix: `<uuid>-0`.
    let id = match text.get(..36) {
        Some(head) if wanted == ObjectKind::Component && is_uuid(head) => head,
        _ => text,
    };
    found.push((reference, scope.by_id(id, wanted)));
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;
    use sluice_model::LogicalId;

    use super::*;
    use crate::references::references;
    use crate::translate::Translator;

    const THERE: &str = "c10000d1-0000-4000-8000-000000000001";
    const GONE: &str = "c10000d1-0000-4000-8000-000000000009";

    #[test]
    fn event_actions_name_components() {
        let id = LogicalId::new("table").unwrap();
        let scope = Scope {
            ids: HashMap::from([(THERE.to_owned(), (ObjectKind::Component, id.clone()))]),
            queries: HashMap::new(),
            components: HashMap::new(),
            translator: Translator::to_native(std::iter::empty()),
        };
        for (event, names) in [
            (json!({"actionId": "set-table-page", "table": THERE, "pageIndex": "{{1}}"}), vec![THERE]),
            (json!({"actionId": "set-table-page", "table": GONE}), vec![GONE]),
            (json!({"actionId": "set-table-page", "table": {"id": GONE, "name": "t"}}), vec![GONE]),
            (json!({"actionId": "set-table-page", "options": {"table": GONE}}), vec![GONE]),
            (json!({"actionId": "set-table-page", "table": "{{components.t.id}}"}), vec!["t"]),
            (json!({"actionId": "show-modal", "modal": GONE}), vec![GONE]),
            (json!({"actionId": "close-modal", "modal": {"id": GONE}}), vec![GONE]),
            (json!({"actionId": "control-component", "componentId": GONE}), vec![GONE]),
            (json!({"actionId": "scroll-component-into-view", "componentId": GONE}), vec![GONE]),
            // What an action was before it was changed stays in it.
            (json!({"actionId": "run-query", "table": GONE}), vec![]),
            (json!({"table": GONE, "id": GONE}), vec![]),
        ] {
            let found = references(&json!({ "event": event }), ObjectKind::Event, &scope, &Tooljet);
            let expected: Vec<Target> = names
                .into_iter()
                .map(|named| match named {
                    THERE => Target::Resolved(id.clone()),
                    gone => Target::Dangling { wanted: ObjectKind::Component, named: gone.to_owned() },
                })
                .collect();
            let found: Vec<Target> = found.into_iter().map(|reference| reference.target).collect();
            assert_eq!(found, expected, "{event}");
        }
    }
}
