//! What merely looks like a secret: taken out, kept sealed, and put before a person.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sluice_model::content::{self, Part};
use sluice_model::tree::Tree;
use sluice_model::{Digest, EnvironmentName, LogicalId, Object, Pointer, SecretRef, SlotName};
use sluice_platform::Likeness;
use sluice_vault::Purpose;
use zeroize::Zeroizing;

use crate::act::{ImportSummary, What};
use crate::consent::require_reason;
use crate::error::{Error, Result};
use crate::import::{Taken, joined};
use crate::permission::Wish;
use crate::records::{Actor, again};
use crate::state::{EnvironmentState, Work, unit_of};
use crate::workspace::{Workspace, environment_stream};

/// A text in the working copy that looks like a secret, until a person has said. It is known by its
/// object and its slot: two objects may each have a slot of the same name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspicion {
    /// Its provisional slot.
    pub slot: SlotName,
    /// The object in which it stands.
    pub object: LogicalId,
    /// What people call the object.
    pub name: String,
    /// Where in the content.
    pub at: Pointer,
    /// What gave it away.
    pub what: Likeness,
    /// The value, sealed.
    pub taken: Taken,
}

/// What a person said about a suspicion. It counts for the same value at the same place only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// The object in which it stands.
    pub object: LogicalId,
    /// Where in the content.
    pub at: Pointer,
    /// Whether it is a secret.
    pub secret: bool,
    /// The value's keyed fingerprint.
    pub fingerprint: Digest,
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What a person judges: a slot, and the object in which it stands where several have one of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspected {
    /// The provisional slot.
    pub slot: SlotName,
    /// The object's name or id.
    pub object: Option<String>,
}

impl Suspicion {
    /// The key under which the state of an environment keeps it.
    #[must_use]
    pub fn key(&self) -> String {
        suspicion_key(&self.object, &self.slot)
    }

    /// What to call it where a person judges it.
    #[must_use]
    pub fn named(&self) -> Suspected {
        Suspected { slot: self.slot.clone(), object: Some(self.object.to_string()) }
    }

    fn is(&self, named: &Suspected) -> bool {
        self.slot == named.slot
            && named
                .object
                .as_ref()
                .is_none_or(|object| *object == self.name || *object == self.object.as_str())
    }
}

/// The beginning of keys under which a state keeps suspicions, beside its proposals.
pub(crate) const SUSPICIONS: &str = "~suspicion/";

/// The key under which a state keeps the suspicion of an object's slot.
#[must_use]
pub(crate) fn suspicion_key(object: &LogicalId, slot: &SlotName) -> String {
    format!("{SUSPICIONS}{}", judgement_key(object, slot))
}

/// The key of the judgement of an object's slot. Neither name holds a line end, so that no other pair
/// reads the same.
#[must_use]
pub(crate) fn judgement_key(object: &LogicalId, slot: &SlotName) -> String {
    format!("{object}\n{slot}")
}

/// The stream of judgements.
pub const STREAM: &str = "judgements";

/// A fingerprint of a value that only this workspace can make, so that it tells nothing elsewhere.
#[must_use]
pub fn fingerprint(workspace: &Workspace, value: &str) -> Digest {
    keyed_digest(workspace, "fingerprint", &Digest::of(value.as_bytes()))
}

/// A digest that only this workspace can make. Both inputs have a fixed length or a fixed text, so
/// that nothing can be appended to them.
#[must_use]
pub fn keyed_digest(workspace: &Workspace, purpose: &str, digest: &Digest) -> Digest {
    let key = workspace.derived_key(Purpose::Salts);
    let mut bytes = Zeroizing::new(key.expose().to_vec());
    bytes.extend_from_slice(Digest::of(purpose.as_bytes()).as_bytes());
    bytes.extend_from_slice(digest.as_bytes());
    Digest::of(&bytes)
}

impl Workspace {
    /// All judgements, by [`judgement_key`].
    pub(crate) fn judgements(&self, work: &mut Work<'_>) -> Result<BTreeMap<String, Judgement>> {
        let (_, root) = self.judgements_root(work)?;
        work.all(root)
    }

    fn judgements_root(&self, work: &mut Work<'_>) -> Result<(u64, Digest)> {
        match self.records().head(STREAM)? {
            None => Ok((0, Tree::empty(work)?.root())),
            Some(head) => match head.act.what {
                What::SuspicionJudged { judgements, .. } => Ok((head.revision, judgements)),
                _ => Err(Error::RecordDamaged {
                    stream: STREAM.into(),
                    revision: head.revision,
                    what: "it is no judgement".into(),
                }),
            },
        }
    }

    /// The suspicions in the working copy that nobody has judged.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn suspicions(&self, work: &mut Work<'_>) -> Result<Vec<Suspicion>> {
        let (_, state) = self.environment(work, &self.first_environment()?)?;
        open_suspicions(work, &state)
    }

    /// Says whether what looks like a secret is one. A secret becomes a slot that each target's
    /// owner fills; anything else gets its text back.
    ///
    /// # Errors
    /// When nothing or more than one thing is named so, no reason is given, or the actor may not.
    pub fn judge(&self, actor: &Actor, named: &Suspected, secret: bool, reason: &str) -> Result<Suspicion> {
        self.permit(actor, Wish::TakePart)?;
        require_reason(reason)?;
        let first = self.first_environment()?;
        let suspicion = again(|| {
            let mut work = self.work();
            let (_, before) = self.environment(&mut work, &first)?;
            self.refuse_held(&first, &before)?;
            let suspicion = one(open_suspicions(&work, &before)?, named)?;
            let judgement = Judgement {
                object: suspicion.object.clone(),
                at: suspicion.at.clone(),
                secret,
                fingerprint: suspicion.taken.fingerprint,
                by: actor.name.clone(),
                reason: reason.to_owned(),
            };
            let (judged, root) = self.judgements_root(&mut work)?;
            let key = judgement_key(&suspicion.object, &suspicion.slot);
            let judgements = work.set(root, &key, Some(&judgement))?;
            let what = What::SuspicionJudged {
                judgements,
                slot: suspicion.slot.clone(),
                object: suspicion.object.clone(),
                secret,
                reason: reason.to_owned(),
            };
            self.records().append(actor, STREAM, judged, what, &work.into_fresh())?;
            Ok(suspicion)
        })?;
        again(|| self.settle_in_working_copy(actor, &suspicion, secret))?;
        Ok(suspicion)
    }

    /// Rewrites the working copy after a judgement. When the process dies before it, the next
    /// import of the same file does the same.
    fn settle_in_working_copy(&self, actor: &Actor, suspicion: &Suspicion, secret: bool) -> Result<()> {
        let first = self.first_environment()?;
        let mut work = self.work();
        let (revision, before) = self.environment(&mut work, &first)?;
        let Some((unit, mut object)) = self.find_object(&work, &before, &suspicion.object)? else {
            return Ok(());
        };
        let text = if secret {
            None
        } else {
            let place = suspicion_place(&first, &suspicion.object, &suspicion.slot)?;
            Some(self.open_sealed(&place, &suspicion.taken.filed)?)
        };
        settle(&mut object, suspicion, text.as_ref().and_then(|text| text.expose_text()));
        let digest = work.put_json(&object)?;
        let mut after = before.clone();
        let tree = before.unit(&work, &unit)?.unwrap_or(Tree::empty(&mut work)?);
        let tree = tree.with(&mut work, [(object.id.as_str(), Some(digest))])?;
        after.set_unit(&mut work, &unit, Some(tree))?;
        after.proposals = work.set::<Suspicion>(after.proposals, &suspicion.key(), None)?;
        let summary = ImportSummary { updated: 1, ..ImportSummary::default() };
        let what = What::Imported { state: Box::new(after), summary };
        self.records().append(actor, &environment_stream(&first), revision, what, &work.into_fresh())?;
        Ok(())
    }

    /// An object of an environment by its logical id, with its unit.
    ///
    /// # Errors
    /// When content is missing or damaged.
    pub fn find_object(
        &self,
        work: &Work<'_>,
        state: &EnvironmentState,
        id: &LogicalId,
    ) -> Result<Option<(String, Object)>> {
        for tree in state.units(work)?.values() {
            if let Some(digest) = tree.lookup(work, id.as_str())? {
                let object = work.object(&digest)?;
                return Ok(Some((unit_of(&object).to_owned(), object)));
            }
        }
        Ok(None)
    }

    /// Where a person said that what looks like a secret is none.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn dismissed(&self) -> Result<BTreeSet<(LogicalId, Pointer, Digest)>> {
        let mut work = self.work();
        let judged = self.judgements(&mut work)?;
        Ok(judged.into_values().filter(|j| !j.secret).map(|j| (j.object, j.at, j.fingerprint)).collect())
    }
}

/// The place that a suspicion's value is sealed for. Names that a platform gave need not be parts of a
/// path, so it is a digest of them.
pub(crate) fn suspicion_place(
    environment: &EnvironmentName,
    object: &LogicalId,
    slot: &SlotName,
) -> Result<SecretRef> {
    let key = Digest::of(judgement_key(object, slot).as_bytes());
    Ok(SecretRef::new(environment.clone(), format!("suspicions/{}", key.hex()))?)
}

fn open_suspicions(work: &Work<'_>, state: &EnvironmentState) -> Result<Vec<Suspicion>> {
    let entries = Tree::at(state.proposals).entries(work)?;
    let kept = entries.iter().filter(|(key, _)| key.starts_with(SUSPICIONS));
    kept.map(|(_, digest)| work.json(digest)).collect()
}

/// The one suspicion that is named so. An id counts before a name.
fn one(open: Vec<Suspicion>, named: &Suspected) -> Result<Suspicion> {
    let mut found: Vec<Suspicion> = open.into_iter().filter(|suspicion| suspicion.is(named)).collect();
    if let Some(exact) = found.iter().position(|s| named.object.as_deref() == Some(s.object.as_str())) {
        return Ok(found.swap_remove(exact));
    }
    match (found.pop(), found.as_slice()) {
        (Some(only), []) => Ok(only),
        (None, _) => {
            let of = named.object.as_ref().map(|object| format!(" of `{object}`")).unwrap_or_default();
            Err(Error::invalid(
                format!("no slot `{}`{of} waits for a word", named.slot),
                "see what does with `sluice secret suspicions`",
            ))
        }
        (Some(last), others) => {
            let objects: Vec<String> =
                others.iter().chain([&last]).map(|s| format!("`{}` ({})", s.name, s.object)).collect();
            Err(Error::invalid(
                format!("`{}` is a slot of {} objects: {}", named.slot, objects.len(), objects.join(", ")),
                "say which with `--in ID`",
            ))
        }
    }
}

fn settle(object: &mut Object, suspicion: &Suspicion, text: Option<&str>) {
    let Some(place) = suspicion.at.get_mut(&mut object.content) else { return };
    let Some(parts) = content::parts(place) else { return };
    let parts = parts
        .into_iter()
        .map(|part| match (part, text) {
            (Part::Provisional(slot), Some(text)) if slot == suspicion.slot => Part::Text(text.to_owned()),
            (Part::Provisional(slot), None) if slot == suspicion.slot => Part::Slot(slot),
            (other, _) => other,
        })
        .collect();
    *place = joined(parts);
}
