//! Where in the files records and their queries stand.

use sluice_model::Pointer;

use super::decode::CONFIG;
use super::{Collection, Folder, Record, query_key};
use crate::OPTIONS;
use crate::places::{Part, Places, Spot};

impl Folder {
    pub(crate) fn places(&self) -> Places {
        let mut places = Places::default();
        for (file, sheet) in self.documents.iter().enumerate() {
            for (index, record) in sheet.records.iter().enumerate().filter(|(_, record)| record.live) {
                let (document, at) = Spot::of(file, sheet.layout, index);
                if let Some(key) = record.key() {
                    places.add(key, record.parts(document, &at));
                }
                let queries = at.child(record.collection.design()).child("queries");
                for (index, query) in record.queries().iter().enumerate().filter(|_| record.is_app()) {
                    if let Some(key) = query_key(&record.id, query) {
                        let part = Part::new(Pointer::root(), document, queries.child(index));
                        places.add(key, vec![part]);
                    }
                }
            }
        }
        places
    }
}

impl Record {
    fn parts(&self, document: Spot, at: &Pointer) -> Vec<Part> {
        let part = |name: &str, at| Part::new(Pointer::root().child(name), document, at);
        let mut parts = vec![Part::new(Pointer::root(), document, at.clone())];
        match self.collection {
            Collection::UiExport => {
                parts.push(part("app", at.child("applicationInfo")));
                parts.push(part("design", at.child(self.collection.design())));
            }
            Collection::Application => {
                parts.push(part("app", at.clone()));
                parts.push(part("design", at.child(self.collection.design())));
            }
            Collection::Datasource => parts.push(part(OPTIONS, at.child(CONFIG))),
            Collection::ApplicationVersion | Collection::LibraryQuery | Collection::LibraryQueryRecord => {}
        }
        parts
    }
}
