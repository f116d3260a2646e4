//! Where in the file that the user has in hand stands what findings are about: an export, or a
//! plan's file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sluice_engine::bare::Judged;
use sluice_model::verdict::Place;
use sluice_model::{Pointer, json as bounded, position};

use crate::context::Context;

/// A place in a file, as seen from where the command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InFile {
    pub(crate) file: String,
    /// JSON pointer into it; of a file that holds a record a line, into the record.
    pub(crate) at: Pointer,
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
}

/// Places in files, by object and place within.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(BTreeMap<(String, Option<Pointer>), InFile>);

/// The lists of a plan's file in which objects stand, with the member that names the object: what
/// says most of an object first.
const LISTS: [(&str, &str); 7] = [
    ("/input/facts/scan/secrets", "object"),
    ("/input/facts/scan/personal_data", "object"),
    ("/input/facts/plan/still_pointing_at_source", "object"),
    ("/plan/problems", "object"),
    ("/input/facts/plan/sources", "id"),
    ("/input/facts/plan/changes", "object"),
    ("/plan/objects", "object"),
];

impl InFile {
    /// For people: the file, the line and the column.
    pub(crate) fn spot(&self) -> String {
        format!("{}:{}:{}", self.file, self.line, self.column)
    }

    /// For `--output json`.
    pub(crate) fn data(&self) -> Value {
        json!({ "file": self.file, "at": self.at, "line": self.line, "column": self.column })
    }
}

impl Places {
    /// Of an export that was judged, whose files lie at these paths.
    pub(crate) fn in_export(judged: &Judged, paths: &[PathBuf]) -> Self {
        let places = judged.places.iter().filter_map(|(what, place)| {
            let file = Context::from_here(paths.get(place.file)?);
            let (line, column) = (place.line, place.column);
            Some((what.clone(), InFile { file, at: place.at.clone(), line, column }))
        });
        Self(places.collect())
    }

    /// Of a plan's file with these bytes.
    pub(crate) fn in_plan<'p>(path: &Path, bytes: &[u8], wanted: impl Iterator<Item = &'p Place>) -> Self {
        let wanted: Vec<&Place> = wanted.collect();
        let Some(document) = (!wanted.is_empty()).then(|| bounded::read(bytes, bytes.len()).ok()).flatten()
        else {
            return Self::default();
        };
        let entries = entries(&document);
        let entry = |place: &&Place| {
            let of_object = entries.get(place.object.as_str())?;
            let at = place.at.as_ref().map(ToString::to_string);
            let exact = of_object.iter().find(|entry| entry.at == at.as_deref());
            let entry = exact.or_else(|| of_object.iter().find(|entry| entry.at.is_none()));
            Some((entry.or_else(|| of_object.first())?).pointer.clone())
        };
        let (places, pointers): (Vec<_>, Vec<_>) =
            wanted.iter().filter_map(|place| Some((*place, entry(place)?))).unzip();
        let found = position::find(bytes, &pointers.iter().collect::<Vec<_>>());
        let file = Context::from_here(path);
        let places = places.into_iter().zip(found).filter_map(|(place, found)| {
            let found = found?;
            let (line, column) = (found.position.line, found.position.column);
            let what = (place.object.clone(), place.at.clone());
            Some((what, InFile { file: file.clone(), at: found.at, line, column }))
        });
        Self(places.collect())
    }

    /// Where what a finding is about stands.
    pub(crate) fn of(&self, place: Option<&Place>) -> Option<&InFile> {
        let place = place?;
        self.0.get(&(place.object.clone(), place.at.clone()))
    }
}

/// An entry of one of the lists.
struct Entry<'v> {
    at: Option<&'v str>,
    pointer: Pointer,
}

/// By object, the entries that are about it, in the order of the lists.
fn entries(document: &Value) -> BTreeMap<&str, Vec<Entry<'_>>> {
    let mut entries: BTreeMap<&str, Vec<Entry<'_>>> = BTreeMap::new();
    for (list, name) in LISTS {
        let Ok(at) = list.parse::<Pointer>() else { continue };
        let items = at.get(document).and_then(Value::as_array).into_iter().flatten().enumerate();
        for (index, item) in items {
            if let Some(object) = item.get(name).and_then(Value::as_str) {
                let entry = Entry { at: item.get("at").and_then(Value::as_str), pointer: at.child(index) };
                entries.entry(object).or_default().push(entry);
            }
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plans_file_has_the_entry_that_says_most() {
        let text = r#"{
  "plan": {"problems": [{"object": "q", "at": "/x"}], "objects": [{"object": "only"}]},
  "input": {"facts": {
    "scan": {"secrets": [
      {"object": "q", "at": "/sql"},
      {"object": "q", "at": "/url"}]},
    "plan": {"sources": [{"id": "s"}],
      "changes": [{"object": "s"}, {"object": "q"}]}
  }}
}"#;
        let place = |object: &str, at: Option<&str>| Place {
            object: object.to_owned(),
            at: at.map(|at| at.parse().unwrap()),
        };
        for (object, at, pointer, spot) in [
            ("q", Some("/url"), "/input/facts/scan/secrets/1", "plan.json:6:7"),
            ("q", Some("/x"), "/plan/problems/0", "plan.json:2:25"),
            ("q", Some("/other"), "/input/facts/plan/changes/1", "plan.json:8:36"),
            ("q", None, "/input/facts/plan/changes/1", "plan.json:8:36"),
            ("s", None, "/input/facts/plan/sources/0", "plan.json:7:26"),
            ("only", Some("/a"), "/plan/objects/0", "plan.json:2:67"),
        ] {
            let wanted = place(object, at);
            let places = Places::in_plan(Path::new("./plan.json"), text.as_bytes(), [&wanted].into_iter());
            let found = places.of(Some(&wanted)).unwrap();
            assert_eq!((found.at.to_string().as_str(), found.spot().as_str()), (pointer, spot));
        }
        let unknown = place("nobody", None);
        let places = Places::in_plan(Path::new("plan.json"), text.as_bytes(), [&unknown].into_iter());
        assert_eq!(places.of(Some(&unknown)), None);
        assert_eq!(places.of(None), None);
    }
}
