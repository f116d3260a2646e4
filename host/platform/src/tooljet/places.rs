//! Where in a file its things stand.

use sluice_model::{ObjectKind, Pointer};

use super::survey::Place;
use super::{Export, Unit};
use crate::OPTIONS;
use crate::places::{Part, Places, Spot};

/// The export's only file.
const FILE: Spot = Spot { file: 0, record: None };

impl Export {
    pub(crate) fn places(&self, environment: &str) -> Places {
        let environment = self.environment(environment);
        let mut places = Places::default();
        for found in self.found() {
            let Some(unit) = self.units.get(found.unit) else { continue };
            let root = |at| Part::new(Pointer::root(), FILE, at);
            let parts = match &found.place {
                Place::Unit => unit.parts(),
                Place::Table(index) => {
                    vec![root(Pointer::root().child("tooljet_database").child(index))]
                }
                Place::Listed(list, index) => {
                    let at = unit.at.child(list).child(index);
                    let mut parts = vec![root(at.clone())];
                    match found.thing.key.kind {
                        ObjectKind::DataSource => {
                            parts.extend(unit.options_at(&found.token, environment.as_deref()));
                        }
                        // The content has them in an order of its own.
                        ObjectKind::Component => {
                            let layouts = Pointer::root().child("layouts");
                            let at = layouts.under(&at);
                            parts.push(Part { reordered: true, ..Part::new(layouts, FILE, at) });
                        }
                        _ => {}
                    }
                    parts
                }
                Place::NestedPage => vec![root(unit.definition().child("pages").child(&found.token))],
                Place::NestedComponent(page) => {
                    let within =
                        page.iter().fold(unit.definition(), |at, page| at.child("pages").child(page));
                    vec![root(within.child("components").child(&found.token))]
                }
            };
            places.add(found.thing.key, parts);
        }
        places
    }
}

impl Unit {
    /// The edited version.
    fn edited(&self) -> Pointer {
        let versions = self.at.child("appVersions");
        self.version.map_or(versions.clone(), |index| versions.child(index))
    }

    fn definition(&self) -> Pointer {
        self.edited().child("definition")
    }

    /// The app itself, and its edited version.
    fn parts(&self) -> Vec<Part> {
        let part = |name: &str, at| Part::new(Pointer::root().child(name), FILE, at);
        vec![
            Part::new(Pointer::root(), FILE, self.at.clone()),
            part("app", self.at.clone()),
            part("version", self.edited()),
        ]
    }

    /// The options of a source, where they stand in a list of their own.
    fn options_at(&self, source: &str, environment: Option<&str>) -> Option<Part> {
        let (kept, set) = self.set_of(source, environment)?;
        set.get("options")?;
        let at = self.at.child("dataSourceOptions").child(self.option_places.get(kept)?).child("options");
        Some(Part::new(Pointer::root().child(OPTIONS), FILE, at))
    }
}
