//! Where ToolJet's content refers to other things.

use serde_json::Value;
use sluice_model::{ConstantName, ObjectKind, ReferenceKind, Target};

use super::survey::event_source;
use crate::expression::{self, Named};
use crate::references::{Dialect, Scope, Step};
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
