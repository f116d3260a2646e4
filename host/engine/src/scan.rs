//! What is found by reading every object of a bundle once: data sources, constants, unresolved
//! references, marks, personal data, and values that point at an environment.
//!
//! What was found under a tree node is remembered by the node's digest and the scanner's version,
//! so a new version of an app costs what changed in it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_model::tree::{Blobs as _, Tree};
use sluice_model::{
    ConstantName, Digest, EnvironmentName, Kind, LogicalId, Object, ObjectKind, Pointer, Reference, SlotName,
    Target,
};
use sluice_model::{content, json};
use sluice_platform::EnvironmentValues;

use crate::error::{Error, Result};
use crate::state::Work;
use crate::suspicion::{fingerprint, keyed_digest};
use crate::workspace::Workspace;

/// Version of what is found; a change of it makes what was remembered void.
const VERSION: &str = "4";

/// Bytes of remembered finds that are read at most.
const MOST_REMEMBERED: usize = 256 << 20;

/// How long before the newest of them what a scanner remembers was written last, to be dropped: its
/// values are asked for no more. Where they still are, it is found again.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Bytes of an id at least, where it is to be told from other text.
const SHORTEST_ID: usize = 20;

/// What was found in an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Find {
    /// It is a data source with a kind of its own.
    Source {
        /// The object.
        id: LogicalId,
        /// What people call it.
        name: String,
        /// The platform's kind.
        kind: Kind,
        /// Its content.
        digest: Digest,
    },
    /// It reads a constant.
    Constant {
        /// The object.
        object: LogicalId,
        /// Where.
        at: Pointer,
        /// Which.
        name: ConstantName,
    },
    /// A reference of it leads nowhere, or to several things.
    Unresolved {
        /// The object.
        object: LogicalId,
        /// What people call it.
        name: String,
        /// The reference.
        reference: Reference,
    },
    /// A reference of it leads to an object that may be missing in a bundle.
    Needs {
        /// The object.
        object: LogicalId,
        /// The reference.
        reference: Reference,
    },
    /// A secret was taken out of it.
    Mark {
        /// The object.
        object: LogicalId,
        /// What people call it.
        name: String,
        /// What it is.
        kind: ObjectKind,
        /// Where.
        at: Pointer,
        /// The slot.
        slot: SlotName,
        /// Whether nobody has judged it.
        provisional: bool,
    },
    /// A secret stands in it in the clear.
    Clear {
        /// The object.
        object: LogicalId,
        /// Where.
        at: Pointer,
        /// What sort of secret.
        what: String,
        /// The value's keyed fingerprint, by which a dismissed one is known.
        fingerprint: Digest,
    },
    /// It holds what looks like data of a person.
    Personal(sluice_policy::facts::PersonalDatum),
}

/// A value of another environment that stands in an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointsAt {
    /// The object.
    pub object: LogicalId,
    /// What people call it.
    pub name: String,
    /// Where in its content.
    pub at: Pointer,
    /// The value.
    pub value: String,
    /// The environment whose value it is.
    pub environment: EnvironmentName,
}

/// What stands in an object and may be an id of a place. Which ids are, is known later, and changes with
/// every app that is imported.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MayBeIds {
    object: Digest,
    words: BTreeSet<String>,
}

/// What was found under tree nodes, by their digests.
type Known<T> = BTreeMap<Digest, Vec<T>>;

/// What scanners remember, by scanner, as this process read or found it.
///
/// Between processes it is kept beside the store and sealed with a key of the workspace: anything
/// else that lies there is looked at again from the start.
#[derive(Default)]
pub(crate) struct Memory {
    finds: Mutex<BTreeMap<String, Known<Find>>>,
    points: Mutex<BTreeMap<String, Known<PointsAt>>>,
    ids: Mutex<BTreeMap<String, Known<MayBeIds>>>,
}

/// The file's content, as it is read.
#[derive(Deserialize)]
struct Remembered<T> {
    seal: Digest,
    known: Known<T>,
}

/// The same, as it is written.
#[derive(Serialize)]
struct Kept<'k, T> {
    seal: Digest,
    known: &'k Known<T>,
}

fn file(workspace: &Workspace, scanner: &str) -> PathBuf {
    workspace.cache_folder().join(format!("{scanner}.json"))
}

fn recall<T: Serialize + DeserializeOwned>(workspace: &Workspace, scanner: &str) -> Known<T> {
    fs::read(file(workspace, scanner))
        .ok()
        .filter(|bytes| bytes.len() <= MOST_REMEMBERED)
        .and_then(|bytes| serde_json::from_slice::<Remembered<T>>(&bytes).ok())
        .filter(|kept| seal(workspace, &kept.known).is_some_and(|seal| seal == kept.seal))
        .map(|kept| kept.known)
        .unwrap_or_default()
}

/// Keeps what is known now. That it cannot be kept only costs time, so nobody is stopped.
fn keep<T: Serialize>(workspace: &Workspace, scanner: &str, known: &Known<T>) {
    let Some(seal) = seal(workspace, known) else { return };
    let file = file(workspace, scanner);
    let written =
        serde_json::to_vec(&Kept { seal, known }).map_err(std::io::Error::other).and_then(|bytes| {
            fs::create_dir_all(file.parent().unwrap_or(&file))?;
            let next = file.with_extension("next");
            fs::write(&next, bytes)?;
            fs::rename(&next, &file)?;
            drop_unused(&file)
        });
    if let Err(error) = written {
        tracing::debug!(%error, "what scanners found could not be kept");
    }
}

/// Drops what lies beside the newest file and was not written for long.
fn drop_unused(newest: &Path) -> std::io::Result<()> {
    let now = fs::metadata(newest)?.modified()?;
    for entry in fs::read_dir(newest.parent().unwrap_or(newest))? {
        let entry = entry?;
        let written = entry.metadata()?.modified()?;
        if now.duration_since(written).is_ok_and(|age| age > KEPT_FOR) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn seal<T: Serialize>(workspace: &Workspace, known: &Known<T>) -> Option<Digest> {
    let inner = Digest::of(&json::canonical_of(known).ok()?);
    Some(keyed_digest(workspace, "scan-memory", &inner))
}

impl Workspace {
    /// Everything that is found in the objects of a content tree.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn finds(&self, work: &Work<'_>, content: Digest) -> Result<Vec<Find>> {
        let scanner = format!("finds-{VERSION}-{}", sluice_policy::scan::SCANNER_VERSION);
        sweep(self, &self.memory.finds, work, content, &scanner, &|object, digest| {
            look(object, digest, &|value| fingerprint(self, value))
        })
    }

    /// Where the objects of a content tree still point at other environments.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn points_at(
        &self,
        work: &Work<'_>,
        content: Digest,
        values: &BTreeMap<String, EnvironmentName>,
    ) -> Result<Vec<PointsAt>> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let digest = json::digest(&serde_json::to_value(values)?).short();
        let wanted = EnvironmentValues::new(values.keys());
        let scanner = format!("points-{VERSION}-{digest}");
        sweep(self, &self.memory.points, work, content, &scanner, &|object, _| {
            occurrences(object, &wanted, values)
        })
    }

    /// Where the objects of a content tree name ids of other environments.
    ///
    /// What is remembered does not depend on which ids these are.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn ids_at(
        &self,
        work: &Work<'_>,
        content: Digest,
        ids: &BTreeMap<String, EnvironmentName>,
    ) -> Result<Vec<PointsAt>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (words, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            ids.clone().into_iter().partition(|(id, _)| may_be_id(id) && id.chars().all(is_of_id));
        let wanted = EnvironmentValues::new(words.keys());
        let scanner = format!("ids-{VERSION}");
        let met = sweep(self, &self.memory.ids, work, content, &scanner, &|object, digest| {
            let words = words_of(object);
            if words.is_empty() { Vec::new() } else { vec![MayBeIds { object: digest, words }] }
        })?;
        // No platform gives such ids; one that does is looked for as other values are.
        let mut found = self.points_at(work, content, &others)?;
        for MayBeIds { object, words: met } in met {
            if met.into_iter().any(|word| !wanted.find(&Value::String(word)).is_empty()) {
                found.extend(occurrences(&work.object(&object)?, &wanted, &words));
            }
        }
        Ok(found)
    }

    /// Where things lie that can be made again.
    #[must_use]
    pub fn cache_folder(&self) -> PathBuf {
        self.folder().join(".sluice").join("cache")
    }
}

/// What of an object is its own: options are not, a plugin makes these anew for the target.
fn own_content(object: &Object) -> Cow<'_, Value> {
    let mut content = Cow::Borrowed(&object.content);
    if object.source_kind.is_some()
        && let Some(members) = content.to_mut().as_object_mut()
    {
        members.remove(sluice_platform::OPTIONS);
    }
    content
}

/// Where values of other environments stand in an object.
fn occurrences(
    object: &Object,
    wanted: &EnvironmentValues,
    values: &BTreeMap<String, EnvironmentName>,
) -> Vec<PointsAt> {
    let content = own_content(object);
    let found = wanted.find(&content).into_iter().filter(|found| !is_own_name(object, &content, &found.at));
    found
        .filter_map(|found| {
            Some(PointsAt {
                object: object.id.clone(),
                name: object.name.clone(),
                environment: values.get(&found.value)?.clone(),
                at: found.at,
                value: found.value,
            })
        })
        .collect()
}

/// Of what ids are made.
const fn is_of_id(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')
}

/// Whether a word is so long that an id can stand in it that is told from other text.
fn may_be_id(word: &str) -> bool {
    word.len() >= SHORTEST_ID && word.bytes().any(|byte| byte.is_ascii_digit())
}

/// The words of an object in which an id of a place may stand: all but its own id and those of what it
/// refers to within its unit, which are no place's.
fn words_of(object: &Object) -> BTreeSet<String> {
    let within = object.references.iter().filter(|it| object.unit.is_some() && !leads_out(it));
    let within = within.filter_map(|reference| reference.target.object());
    let known: BTreeSet<&str> =
        within.chain(&object.unit).chain([&object.id]).map(LogicalId::as_str).collect();
    let mut words = BTreeSet::new();
    content::visit(&own_content(object), &mut |_, value| {
        let text = value.as_str().unwrap_or_default();
        let own = text.split(|letter| !is_of_id(letter)).filter(|word| may_be_id(word));
        words.extend(own.filter(|word| !known.contains(word)).map(ToOwned::to_owned));
        true
    });
    words
}

/// Whether an object's own name stands there: an app that is called as its database is points at
/// nothing by that.
fn is_own_name(object: &Object, content: &Value, at: &Pointer) -> bool {
    at.tokens().last().is_some_and(|member| member == "name")
        && at.get(content).and_then(Value::as_str) == Some(object.name.as_str())
}

fn sweep<T: Clone + Serialize + DeserializeOwned>(
    workspace: &Workspace,
    memory: &Mutex<BTreeMap<String, Known<T>>>,
    work: &Work<'_>,
    content: Digest,
    scanner: &str,
    look: &dyn Fn(&Object, Digest) -> Vec<T>,
) -> Result<Vec<T>> {
    // What is known is true whether or not the sweep that found it came to its end.
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    let known = memory.entry(scanner.to_owned()).or_insert_with(|| recall(workspace, scanner));
    let was = known.len();
    let mut found = Vec::new();
    for unit in Tree::at(content).entries(work)?.into_values() {
        found.extend(Tree::at(unit).fold(work, known, &mut |_: &str, digest: &Digest| {
            let bytes = work.get(digest)?.ok_or(Error::ContentMissing(*digest))?;
            let object: Object = serde_json::from_slice(&bytes)
                .map_err(|source| Error::ContentDamaged { digest: *digest, source })?;
            Ok::<_, Error>(look(&object, *digest))
        })?);
    }
    if known.len() > was {
        keep(workspace, scanner, known);
    }
    Ok(found)
}

/// What is found in one object; `fingerprint` keys a value that stands in the clear.
pub(crate) fn look(object: &Object, digest: Digest, fingerprint: &dyn Fn(&str) -> Digest) -> Vec<Find> {
    let mut found = Vec::new();
    if let Some(kind) = &object.source_kind {
        found.push(Find::Source {
            id: object.id.clone(),
            name: object.name.clone(),
            kind: kind.clone(),
            digest,
        });
    }
    for reference in &object.references {
        found.extend(match &reference.target {
            Target::Constant(name) => Some(Find::Constant {
                object: object.id.clone(),
                at: reference.at.clone(),
                name: name.clone(),
            }),
            Target::Dangling { .. } | Target::Ambiguous { .. } => Some(Find::Unresolved {
                object: object.id.clone(),
                name: object.name.clone(),
                reference: reference.clone(),
            }),
            // Within a unit nothing can be missing: it comes whole.
            Target::Resolved(_) | Target::Floating { .. }
                if object.unit.is_none() || leads_out(reference) =>
            {
                Some(Find::Needs { object: object.id.clone(), reference: reference.clone() })
            }
            Target::Resolved(_) | Target::Floating { .. } => None,
        });
    }
    found.extend(content::marks(&object.content).into_iter().map(|mark| Find::Mark {
        object: object.id.clone(),
        name: object.name.clone(),
        kind: object.kind,
        at: mark.at,
        slot: mark.slot,
        provisional: mark.provisional,
    }));
    found.extend(sluice_platform::secrets_in_the_clear(&object.content).into_iter().map(|clear| {
        Find::Clear {
            object: object.id.clone(),
            at: clear.at,
            what: clear.what.as_str().to_owned(),
            fingerprint: fingerprint(clear.value.expose()),
        }
    }));
    found.extend(sluice_policy::scan::personal_data(object).into_iter().map(Find::Personal));
    found
}

/// Whether a reference can lead out of its unit.
fn leads_out(reference: &Reference) -> bool {
    use sluice_model::ReferenceKind as K;
    matches!(reference.kind, K::RunsOn | K::Embeds | K::InstanceOf | K::UsesTable | K::LeadsTo)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use sluice_model::ObjectKind;

    use super::*;

    fn saying(text: &str) -> Object {
        Object {
            id: LogicalId::new("q1").unwrap(),
            unit: Some(LogicalId::new("a00000d1-0000-4000-8000-000000000001").unwrap()),
            kind: ObjectKind::Query,
            source_kind: None,
            name: "query".to_owned(),
            content: json!({ "code": text }),
            references: vec![],
        }
    }

    #[test]
    fn words_that_may_be_ids_are_told_from_others() {
        const ID: &str = "f00000d1-0000-4000-8000-000000000001";
        let cases: [(&str, &[&str]); 6] = [
            ("select id from orders where region = 1", &[]),
            ("https://t.example/f00000d1-0000-4000-8000-000000000001?x=1", &[ID]),
            ("65f0000000000000000000f0", &["65f0000000000000000000f0"]),
            ("internationalisations-of-all", &[]),
            ("a00000d1-0000-4000-8000-000000000001", &[]),
            ("a/b=f00000d1-0000-4000-8000-000000000001, again f00000d1-0000-4000-8000-000000000001", &[ID]),
        ];
        for (text, expected) in cases {
            let found = words_of(&saying(text));
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_id_stands_in_a_text_where_it_stands_in_its_words(
            text in r"([ /_.:-]|é|f0{5}1-0{4}-4000-8000-0{11}1|F0{5}1-0{4}-4000-8000-0{11}1|65f0{19}f0|[a-z0-9]{1,4}){0,9}"
        ) {
            let wanted = EnvironmentValues::new([
                "f000001-0000-4000-8000-000000000001",
                "65f0000000000000000000f0",
            ]);
            let object = saying(&text);
            let stands = |word: &String| !wanted.find(&json!(word)).is_empty();
            prop_assert_eq!(words_of(&object).iter().any(stands), !wanted.find(&object.content).is_empty());
        }
    }

    #[test]
    fn a_name_points_at_nothing_and_all_else_may() {
        let object = Object {
            id: LogicalId::new("a1").unwrap(),
            unit: None,
            kind: ObjectKind::App,
            source_kind: None,
            name: "Dispatch".to_owned(),
            content: json!({
                "app": {"name": "Dispatch"},
                "slug": "Dispatch",
                "query": {"name": "dispatch"},
                "sql": "select * from dispatch.jobs",
            }),
            references: vec![],
        };
        let found = EnvironmentValues::new(["dispatch"]).find(&object.content);
        let kept: Vec<String> = found
            .iter()
            .filter(|found| !is_own_name(&object, &object.content, &found.at))
            .map(|found| found.at.to_string())
            .collect();
        assert_eq!(kept, ["/query/name", "/slug", "/sql"]);
    }
}
