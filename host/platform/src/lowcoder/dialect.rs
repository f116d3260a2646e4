//! Where Lowcoder's content refers to other things.

use serde_json::Value;
use sluice_model::{ObjectKind, ReferenceKind, Target};

use crate::content::{Dialect, Scope, Step};

pub(super) struct Lowcoder;

/// The platform's word for whatever version of a library query is newest.
const LATEST: &str = "latest";

impl Dialect for Lowcoder {
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
        names(steps, text, scope, found);
    }
}

fn typed(
    kind: ObjectKind,
    root: &Value,
    steps: &[Step<'_>],
    text: &str,
    scope: &Scope,
    found: &mut Vec<(ReferenceKind, Target)>,
) {
    // `{"$oid": …}` is the id itself.
    let mut members =
        steps.iter().rev().filter_map(|step| step.member()).filter(|name| !name.starts_with('$'));
    let (last, before) = (members.next(), members.next());
    if text.is_empty() || text.starts_with("{{") {
        return;
    }
    match last {
        // `#QUICK_REST_API`, `#QUICK_GRAPHQL`, `#JS_CODE`: part of the platform.
        Some("datasourceId") if !text.starts_with('#') => {
            found.push((ReferenceKind::RunsOn, scope.by_id(text, ObjectKind::DataSource)));
        }
        Some("libraryQueryId") if kind == ObjectKind::LibraryQueryVersion => {
            found.push((ReferenceKind::PartOf, scope.by_id(text, ObjectKind::LibraryQuery)));
        }
        Some("libraryQueryId") => {
            let version = parent(root, steps).and_then(|comp| comp.get("libraryQueryRecordId"));
            let pinned = version.and_then(Value::as_str).is_some_and(|v| !v.is_empty() && v != LATEST);
            let target = match scope.by_id(text, ObjectKind::LibraryQuery) {
                Target::Resolved(to) if !pinned => Target::Floating { to, tag: LATEST.to_owned() },
                other => other,
            };
            found.push((ReferenceKind::InstanceOf, target));
        }
        Some("libraryQueryRecordId") if text != LATEST => {
            found.push((ReferenceKind::InstanceOf, scope.by_id(text, ObjectKind::LibraryQueryVersion)));
        }
        Some("appId" | "applicationId") => {
            let (reference, wanted) = match scope.ids.get(text) {
                Some((ObjectKind::Module, _)) => (ReferenceKind::Embeds, ObjectKind::Module),
                Some(_) => (ReferenceKind::LeadsTo, ObjectKind::App),
                None if last == Some("applicationId") || before == Some("app") => {
                    (ReferenceKind::LeadsTo, ObjectKind::App)
                }
                None => (ReferenceKind::Embeds, ObjectKind::Module),
            };
            found.push((reference, scope.by_id(text, wanted)));
        }
        _ => {}
    }
}

/// The object that holds the member at `steps`.
fn parent<'v>(root: &'v Value, steps: &[Step<'_>]) -> Option<&'v Value> {
    let (_, before) = steps.split_last()?;
    before.iter().try_fold(root, |value, step| match step {
        Step::Member(name) => value.get(name),
        Step::Element(index) => value.get(index),
    })
}

/// Expressions and code name queries as they would any variable, so only names that queries have
/// are references, and nothing can be told to be missing.
fn names(steps: &[Step<'_>], text: &str, scope: &Scope, found: &mut Vec<(ReferenceKind, Target)>) {
    if scope.queries.is_empty() {
        return;
    }
    let is_code = steps.iter().rev().find_map(|step| step.member()) == Some("script");
    let range = match (text.find("{{"), text.rfind("}}")) {
        _ if is_code => 0..text.len(),
        (Some(start), Some(end)) if start < end => start..end,
        _ => return,
    };
    let Some(expression) = text.get(range) else { return };
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let mut rest = expression;
    let mut before = ' ';
    while let Some(start) = rest.find(is_word) {
        before = rest.get(..start).and_then(|gap| gap.chars().next_back()).unwrap_or(before);
        let word_on = rest.get(start..).unwrap_or_default();
        let end = word_on.find(|c| !is_word(c)).unwrap_or(word_on.len());
        let word = word_on.get(..end).unwrap_or_default();
        if before != '.' && scope.queries.contains_key(word) {
            found.push((ReferenceKind::Reads, Scope::by_name(&scope.queries, word, ObjectKind::Query)));
        }
        before = ' ';
        rest = word_on.get(end..).unwrap_or_default();
    }
}
