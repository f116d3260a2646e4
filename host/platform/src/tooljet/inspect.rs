//! Counting what a file holds, straight from the file.

use std::collections::BTreeSet;

use serde_json::Value;

use super::dialect::is_code;
use super::{Export, ModuleEntry, credential_ids, text};
use crate::expression::{self, Named};
use crate::inspect::Counts;
use crate::references::Step;

impl Export {
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts {
            data_source_options: self.option_sets,
            orphan_options: self.orphans,
            ..Counts::default()
        };
        let (mut own, mut named, mut queries) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut constants = BTreeSet::new();
        let mut environments: BTreeSet<&str> = BTreeSet::new();
        for unit in &self.units {
            let sources: BTreeSet<_> =
                unit.list("dataSources").iter().filter_map(|s| text(s, "id")).collect();
            let versions: BTreeSet<_> =
                unit.list("appVersions").iter().filter_map(|v| text(v, "id")).collect();
            for source in unit.list("dataSources") {
                let kind = text(source, "kind").unwrap_or("unknown").to_owned();
                *counts.data_sources.entry(kind).or_default() += 1;
            }
            for query in unit.list("dataQueries") {
                counts.queries += 1;
                queries.extend(text(query, "id"));
                let has_source = text(query, "dataSourceId").is_some_and(|id| sources.contains(id));
                counts.queries_without_source += usize::from(!has_source);
                let absent = text(query, "appVersionId").is_some_and(|id| !versions.contains(id));
                counts.queries_of_absent_versions += usize::from(absent);
            }
            counts.versions += unit.list("appVersions").len();
            environments.extend(unit.list("appEnvironments").iter().filter_map(|e| text(e, "id")));
            let mut look = |value| {
                credential_ids(value, &mut own);
                walk(value, &mut Vec::new(), &mut named, &mut constants);
            };
            unit.app.values().for_each(&mut look);
            unit.lists.values().flatten().for_each(&mut look);
            for module in unit.modules.iter().flatten() {
                if let ModuleEntry::Repeats(value) = module {
                    look(value);
                }
            }
        }
        counts.environments = environments.len();
        counts.credential_ids_of_own_sources = own.len();
        // In the whole file, as it was before orphans were dropped.
        let around = self.units.iter().flat_map(|unit| unit.around.values().chain(unit.inside.values()));
        for value in self.top.values().chain(around).chain(self.tables.iter().flatten()) {
            credential_ids(value, &mut own);
        }
        own.extend(self.orphan_credential_ids.iter().map(String::as_str));
        counts.credential_ids = own.len();
        counts.queries_named_by_events = named.len();
        counts.missing_queries_named_by_events = named.iter().filter(|id| !queries.contains(*id)).count();
        counts.constants = constants.into_iter().collect();
        counts
    }
}

fn walk<'v>(
    value: &'v Value,
    steps: &mut Vec<Step<'v>>,
    queries: &mut BTreeSet<&'v str>,
    constants: &mut BTreeSet<String>,
) {
    match value {
        Value::String(text) => {
            for named in expression::named(text, is_code(steps)) {
                match named {
                    Named::Constant(name) => constants.insert(format!("constants.{name}")),
                    Named::Secret(name) => constants.insert(format!("secrets.{name}")),
                    Named::Query { .. } | Named::Component(_) => false,
                };
            }
            if steps.last() == Some(&Step::Member("queryId")) && !text.is_empty() {
                queries.insert(text);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                steps.push(Step::Element(index));
                walk(item, steps, queries, constants);
                steps.pop();
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                steps.push(Step::Member(key));
                walk(member, steps, queries, constants);
                steps.pop();
            }
        }
        _ => {}
    }
}
