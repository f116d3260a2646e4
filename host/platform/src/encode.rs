//! Objects as a native export, with empty credentials.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_model::content::{self, Part};
use sluice_model::{
    ConstantName, Digest, LogicalId, NativeId, Object, ObjectKind, Pointer, SlotName, Target,
};

use crate::format::{Format, Platform};
use crate::{OPTIONS, lowcoder, tooljet};

/// What to write.
#[derive(Debug, Clone, Copy)]
pub struct EncodeInput<'a> {
    /// The shape to write in where there is no rest; with a rest, that of its file is taken.
    pub format: &'a Format,
    /// The rest of the environment's last import, if it ever imported.
    pub rest: Option<&'a Value>,
    /// The objects, all of them: what a rest knows and is not here is left out of the file.
    pub objects: &'a [Object],
    /// The identity map of the environment. Objects that are not in it get an id made for them.
    pub native_ids: &'a BTreeMap<LogicalId, NativeId>,
    /// Per data source, the options to write. A source that has options and is not here is refused:
    /// never fall back to another environment's.
    pub options: &'a BTreeMap<LogicalId, Value>,
    /// The environment to write for.
    pub environment: &'a str,
    /// Where that environment stands.
    pub position: Position,
}

/// Where an environment stands among all of a workspace, in the order of promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Its number, the first environment being 1.
    pub number: usize,
    /// How many environments there are.
    pub of: usize,
}

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its name.
    pub name: String,
    /// Its bytes: canonical JSON, or a canonical record a line.
    pub bytes: Vec<u8>,
}

/// What a person has to enter after importing the file into the platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ToEnter {
    /// The object it belongs to.
    pub object: LogicalId,
    /// The object's name.
    pub name: String,
    /// What.
    pub entry: Entry,
}

/// A value that no export carries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// A secret of a data source.
    Slot {
        /// The slot.
        slot: SlotName,
        /// Where it stands in the content.
        at: Pointer,
    },
    /// A text out of which something was taken that looks like a secret, and that nobody confirmed.
    Provisional {
        /// The slot.
        slot: SlotName,
        /// Where it stands in the content.
        at: Pointer,
    },
    /// A constant that the environment has to hold.
    Constant(ConstantName),
}

/// A native export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The files.
    pub files: Vec<Written>,
    /// What is to be entered by hand, by object.
    pub to_enter: Vec<ToEnter>,
    /// Ids that had to be made, for objects that were not in the identity map. A platform may give
    /// others when it imports the file.
    pub made: BTreeMap<LogicalId, NativeId>,
}

/// Why objects cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The rest is not one of this platform's.
    #[error("what was kept of the last import cannot be read: {0}; import the environment's export again")]
    Rest(String),
    /// A source without options of the environment.
    #[error("the data source `{name}` has no options for `{environment}`: set its binding there")]
    NoOptions {
        /// The source.
        name: String,
        /// The environment.
        environment: String,
    },
    /// Two objects with one native id.
    #[error("the objects `{first}` and `{second}` have the same native id `{id}`: mend the identity map")]
    Shared {
        /// The id.
        id: NativeId,
        /// One object.
        first: LogicalId,
        /// The other.
        second: LogicalId,
    },
    /// No app, module or workflow to write.
    #[error("there is no app among the objects to write")]
    NoApp,
    /// An object whose content is not what this platform's would be.
    #[error("the content of `{0}` is not in the platform's shape; import it again")]
    Content(String),
    /// A native id too long to keep.
    #[error("no native id can be made for `{0}`")]
    NoId(LogicalId),
}

/// Writes objects in the platform's native format.
///
/// # Errors
/// [`EncodeError`] says which object or source is not ready to be written.
pub fn encode(input: &EncodeInput<'_>) -> Result<Encoded, EncodeError> {
    let platform = match input.rest {
        Some(rest) if rest.get("collections").is_some() => Platform::Lowcoder,
        Some(_) => Platform::Tooljet,
        None => input.format.platform,
    };
    let (files, made) = match platform {
        Platform::Tooljet => tooljet::encode(input)?,
        Platform::Lowcoder => lowcoder::encode(input)?,
    };
    Ok(Encoded { files, to_enter: to_enter(input), made })
}

fn to_enter(input: &EncodeInput<'_>) -> Vec<ToEnter> {
    let mut list = Vec::new();
    for object in input.objects {
        let mut content = object.content.clone();
        if let (Some(options), Some(members)) = (input.options.get(&object.id), content.as_object_mut()) {
            members.insert(OPTIONS.to_owned(), options.clone());
        }
        let entry = |entry| ToEnter { object: object.id.clone(), name: object.name.clone(), entry };
        for mark in content::marks(&content) {
            list.push(entry(match mark.provisional {
                true => Entry::Provisional { slot: mark.slot, at: mark.at },
                false => Entry::Slot { slot: mark.slot, at: mark.at },
            }));
        }
        for reference in &object.references {
            if let Target::Constant(name) = &reference.target {
                list.push(entry(Entry::Constant(name.clone())));
            }
        }
    }
    list.sort();
    list.dedup();
    list
}

/// The options to write for a source, or `None` where it has none.
pub(crate) fn options_for<'a>(
    input: &EncodeInput<'a>,
    source: &'a Object,
) -> Result<Option<&'a Value>, EncodeError> {
    let own = source.content.get(OPTIONS);
    match input.options.get(&source.id) {
        Some(options) => Ok(Some(options)),
        // What is part of the platform needs no connection.
        None if source.source_kind.is_none() => Ok(own),
        None if own.is_none_or(is_empty) => Ok(own),
        None => Err(EncodeError::NoOptions {
            name: source.name.clone(),
            environment: input.environment.to_owned(),
        }),
    }
}

fn is_empty(options: &Value) -> bool {
    options.is_null() || options.as_object().is_some_and(serde_json::Map::is_empty)
}

/// Text with its marks emptied.
pub(crate) fn emptied(value: &Value) -> Value {
    content::replace_marks(value, &mut |parts| {
        let kept = parts.into_iter().filter_map(|part| match part {
            Part::Text(text) => Some(text),
            Part::Slot(_) | Part::Provisional(_) => None,
        });
        Value::String(kept.collect())
    })
}

/// A UUID (RFC 9562 §5.8, version 8) that is the digest of what it is for.
pub(crate) fn made_uuid(what: &[&str]) -> String {
    let digest = Digest::of(what.join("\n").as_bytes());
    let mut bytes = [0u8; 16];
    for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    let mut number = u128::from_be_bytes(bytes);
    number = (number & !(0xf << 76)) | (0x8 << 76);
    number = (number & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{number:032x}");
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

/// The native ids of all objects: those that are known, and made ones for the rest.
pub(crate) struct NativeIds {
    pub(crate) by_object: BTreeMap<LogicalId, NativeId>,
    pub(crate) made: BTreeMap<LogicalId, NativeId>,
}

impl NativeIds {
    /// `make` makes the id of an object from its owner's native id, if it has one.
    pub(crate) fn of(
        input: &EncodeInput<'_>,
        make: &dyn Fn(&Object, Option<&NativeId>) -> Option<NativeId>,
    ) -> Result<Self, EncodeError> {
        let mut ids = Self { by_object: BTreeMap::new(), made: BTreeMap::new() };
        let is_root = |object: &&Object| object.unit.as_ref().is_none_or(|unit| *unit == object.id);
        let (roots, parts): (Vec<&Object>, Vec<&Object>) = input.objects.iter().partition(is_root);
        for object in roots.into_iter().chain(parts) {
            let owner = object.unit.as_ref().filter(|unit| **unit != object.id);
            let owner = owner.and_then(|unit| ids.by_object.get(unit).or_else(|| input.native_ids.get(unit)));
            let id = match input.native_ids.get(&object.id) {
                Some(known) => known.clone(),
                None => {
                    let id = make(object, owner).ok_or_else(|| EncodeError::NoId(object.id.clone()))?;
                    ids.made.insert(object.id.clone(), id.clone());
                    id
                }
            };
            ids.by_object.insert(object.id.clone(), id);
        }
        let mut seen: BTreeMap<(ObjectKind, &NativeId), &LogicalId> = BTreeMap::new();
        for object in input.objects {
            let Some(id) = ids.by_object.get(&object.id) else { continue };
            if let Some(first) =
                seen.insert((object.kind, id), &object.id).filter(|first| **first != object.id)
            {
                let (id, first, second) = (id.clone(), first.clone(), object.id.clone());
                return Err(EncodeError::Shared { id, first, second });
            }
        }
        Ok(ids)
    }

    pub(crate) fn get(&self, object: &LogicalId) -> Option<&NativeId> {
        self.by_object.get(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_id_is_a_uuid_of_version_8_and_always_the_same() {
        let id = made_uuid(&["app", "production"]);
        assert!(crate::suspect::is_uuid(&id), "{id}");
        assert_eq!((id.get(14..15), id == made_uuid(&["app", "production"])), (Some("8"), true));
        assert!(matches!(id.get(19..20), Some("8" | "9" | "a" | "b")), "{id}");
        assert_ne!(id, made_uuid(&["app", "staging"]));
    }
}
