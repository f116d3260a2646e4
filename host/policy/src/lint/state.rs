//! What is known at a point of a policy: of its variables, and of what is there.

use std::collections::BTreeMap;

use super::shape::{Names, Shape, common};

/// A value that was read, and where it stands, as it would be written without variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) shape: Shape,
    pub(super) place: Option<String>,
}

impl Seen {
    pub(super) const fn of(shape: Shape) -> Self {
        Self { shape, place: None }
    }

    pub(super) const fn unknown() -> Self {
        Self::of(Shape::Unknown)
    }

    fn or(self, other: Self) -> Self {
        let place = self.place.filter(|place| other.place.as_ref() == Some(place));
        Self { shape: self.shape.or(other.shape), place }
    }
}

/// What is known at a point.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    variables: BTreeMap<String, Seen>,
    /// The places that have a value here.
    present: Names,
    /// Whether nothing that follows is run from here.
    pub(super) is_over: bool,
}

/// Whether a place is a variable, or lies in it.
fn is_in(place: &str, variable: &str) -> bool {
    place.strip_prefix(variable).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl State {
    /// A variable that is there.
    pub(super) fn variable(&self, name: &str) -> Option<Seen> {
        let Seen { shape, place } = self.variables.get(name)?.clone();
        let seen = Seen { shape, place: place.or_else(|| Some(name.to_owned())) };
        Some(self.looked_at(seen))
    }

    /// Gives a variable a value; what was known of its former one no longer holds.
    pub(super) fn assign(&mut self, name: &str, value: Seen) {
        self.forget(name);
        let mut value = self.looked_at(value);
        if value.place.as_ref().is_some_and(|place| is_in(place, name)) {
            value.place = None;
        }
        self.variables.insert(name.to_owned(), value);
    }

    /// What is known of a value, with what is known to be there here.
    pub(super) fn looked_at(&self, mut seen: Seen) -> Seen {
        if let Shape::Value { may_be_missing, .. } = &mut seen.shape
            && seen.place.as_ref().is_some_and(|place| self.present.contains(place))
        {
            *may_be_missing = false;
        }
        seen
    }

    pub(super) fn is_present(&self, place: &str) -> bool {
        self.present.contains(place)
    }

    /// From here on these places have a value.
    pub(super) fn assume(&mut self, places: &Names) {
        self.present.extend(places.iter().cloned());
    }

    fn forget(&mut self, name: &str) {
        let known: Vec<_> = self.variables.iter().map(|(n, seen)| (n.clone(), seen.clone())).collect();
        for (other, seen) in known {
            let mut seen = seen;
            if seen.place.as_ref().is_some_and(|place| is_in(place, name)) {
                seen = Seen { place: None, ..self.looked_at(seen) };
            }
            if let Shape::Truth { when_true, when_false } = &mut seen.shape {
                when_true.retain(|place| !is_in(place, name));
                when_false.retain(|place| !is_in(place, name));
            }
            self.variables.insert(other, seen);
        }
        self.variables.remove(name);
        self.present.retain(|place| !is_in(place, name));
    }

    /// What is known where either of two ways was taken.
    pub(super) fn or(self, other: Self) -> Self {
        if self.is_over && !other.is_over {
            return other;
        }
        if other.is_over && !self.is_over {
            return self;
        }
        let mut variables = BTreeMap::new();
        for (name, one) in &self.variables {
            if let Some(another) = other.variables.get(name) {
                let seen = self.looked_at(one.clone()).or(other.looked_at(another.clone()));
                variables.insert(name.clone(), seen);
            }
        }
        let present = common(&self.present, &other.present);
        Self { variables, present, is_over: self.is_over }
    }

    /// What is known after a block: its own variables are gone.
    pub(super) fn leave(&mut self, outer: &Self) {
        let own: Vec<_> =
            self.variables.keys().filter(|name| !outer.variables.contains_key(*name)).cloned().collect();
        own.iter().for_each(|name| self.forget(name));
    }

    /// Leaves of the variables nothing but that they are there.
    pub(super) fn blur(&mut self, is_blurred: impl Fn(&str, &Seen) -> bool) {
        let names: Vec<_> =
            self.variables.iter().filter(|(n, s)| is_blurred(n, s)).map(|(n, _)| n.clone()).collect();
        for name in names {
            self.assign(&name, Seen::unknown());
        }
    }

    /// Whether a variable holds the same here.
    pub(super) fn has(&self, name: &str, seen: &Seen) -> bool {
        self.variables.get(name) == Some(seen)
    }
}
