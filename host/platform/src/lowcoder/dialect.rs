//! Where Lowcoder's content refers to other things.

use std::collections::HashMap;

use serde_json::Value;
use sluice_model::{LogicalId, Object, ObjectKind, Pointer, Reference, ReferenceKind, Target};

use crate::expression;
use crate::references::{Dialect, Scope, Step, holders};

/// The dialect of one folder.
pub(super) struct Lowcoder {
    /// The newest record of each library query that has any, by the library query's native id.
    pub(super) newest: HashMap<String, LogicalId>,
}

/// The platform's word for the newest record of a library query, or its draft where it has none.
const LATEST: &str = "latest";

/// A query's library query, and the record of it that is meant; without one, the newest.
const LIBRARY: &str = "libraryQueryId";
const RECORD: &str = "libraryQueryRecordId";

/// Fixes the floating reference at `at` of a query to a record: from then on the query's content
/// names it. Answers whether there was such a reference.
pub fn pin_library_query(query: &mut Object, at: &Pointer, record: &LogicalId) -> bool {
    let Some((last, comp)) = at.tokens().split_last() else { return false };
    let beside = comp.iter().fold(Pointer::root(), |to, token| to.child(token));
    let library = at.get(&query.content).and_then(Value::as_str).and_then(|id| LogicalId::new(id).ok());
    let reference = query
        .references
        .iter_mut()
        .find(|reference| reference.at == *at && matches!(reference.target, Target::Floating { .. }));
    let comp = beside.get_mut(&mut query.content).and_then(Value::as_object_mut);
    let (Some(library), Some(reference), Some(comp), LIBRARY) = (library, reference, comp, last.as_str())
    else {
        return false;
    };
    comp.insert(RECORD.to_owned(), record.as_str().into());
    reference.target = Target::Resolved(library);
    query.references.push(Reference {
        at: beside.child(RECORD),
        kind: ReferenceKind::InstanceOf,
        target: Target::Resolved(record.clone()),
    });
    query.references.sort();
    true
}

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
        self.typed(kind, root, steps, text, scope, found);
        names(steps, text, scope, found);
    }
}

impl Lowcoder {
    fn typed(
        &self,
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
            Some(LIBRARY) if kind == ObjectKind::LibraryQueryVersion => {
                found.push((ReferenceKind::PartOf, scope.by_id(text, ObjectKind::LibraryQuery)));
            }
            Some(LIBRARY) => {
                let version = holders(root, steps).next().and_then(|comp| comp.get(RECORD));
                let pinned = version.and_then(Value::as_str).is_some_and(|v| !v.is_empty() && v != LATEST);
                let target = match scope.by_id(text, ObjectKind::LibraryQuery) {
                    Target::Resolved(draft) if !pinned => {
                        let to = self.newest.get(text).cloned().unwrap_or(draft);
                        Target::Floating { to, tag: LATEST.to_owned() }
                    }
                    other => other,
                };
                found.push((ReferenceKind::InstanceOf, target));
            }
            Some(RECORD) if text != LATEST => {
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
}

/// Expressions and code name queries as they would any variable, so only names that queries have
/// are references, and nothing can be told to be missing.
fn names(steps: &[Step<'_>], text: &str, scope: &Scope, found: &mut Vec<(ReferenceKind, Target)>) {
    if scope.queries.is_empty() {
        return;
    }
    let is_code = steps.iter().rev().find_map(|step| step.member()) == Some("script");
    let range = if is_code { 0..text.len() } else { expression::braced(text) };
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
