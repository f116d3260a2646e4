//! What merely looks like a secret: taken out, kept sealed, and put before a person.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sluice_model::content::{self, Part};
use sluice_model::tree::Tree;
use sluice_model::{Digest, LogicalId, Object, Pointer, SlotName};
use sluice_platform::Likeness;
use sluice_vault::Purpose;
use zeroize::Zeroizing;

use crate::act::{ImportSummary, What};
use crate::error::{Error, Result};
use crate::import::{Taken, joined};
use crate::permission::Wish;
use crate::records::{Actor, again};
use crate::state::{Work, unit_of};
use crate::workspace::{Workspace, environment_stream};

/// A text in the working copy that looks like a secret, until a person has said.
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
    /// All judgements, by provisional slot.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn judgements(&self, work: &mut Work<'_>) -> Result<BTreeMap<SlotName, Judgement>> {
        let (_, root) = self.judgements_root(work)?;
        let all: BTreeMap<String, Judgement> = work.all(root)?;
        all.into_iter().map(|(slot, judgement)| Ok((SlotName::new(slot)?, judgement))).collect()
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
        let mut found = Vec::new();
        for (key, digest) in Tree::at(state.proposals).entries(work)? {
            if key.starts_with("~suspicion/") {
                found.push(work.json(&digest)?);
            }
        }
        Ok(found)
    }

    /// Says whether what looks like a secret is one. A secret becomes a slot that each target's
    /// owner fills; anything else gets its text back.
    ///
    /// # Errors
    /// When nothing has the slot's name, or the actor may not.
    pub fn judge(&self, actor: &Actor, slot: &SlotName, secret: bool, reason: &str) -> Result<()> {
        self.permit(actor, Wish::TakePart)?;
        let first = self.first_environment()?;
        let suspicion = again(|| {
            let mut work = self.work();
            let (_, before) = self.environment(&mut work, &first)?;
            self.refuse_held(&first, &before)?;
            let key = format!("~suspicion/{slot}");
            let Some(suspicion) = work.lookup::<Suspicion>(before.proposals, &key)? else {
                return Err(Error::NotFound {
                    what: "suspicion",
                    named: slot.to_string(),
                    help: "see what waits for a word with `sluice secret suspicions`".into(),
                });
            };
            let judgement = Judgement {
                object: suspicion.object.clone(),
                at: suspicion.at.clone(),
                secret,
                fingerprint: suspicion.taken.fingerprint,
                by: actor.name.clone(),
                reason: reason.to_owned(),
            };
            let (judged, root) = self.judgements_root(&mut work)?;
            let judgements = work.set(root, slot.as_str(), Some(&judgement))?;
            let what = What::SuspicionJudged {
                judgements,
                slot: slot.clone(),
                object: suspicion.object.clone(),
                secret,
                reason: reason.to_owned(),
            };
            self.records().append(actor, STREAM, judged, what, &work.into_fresh())?;
            Ok(suspicion)
        })?;
        again(|| self.settle_in_working_copy(actor, &suspicion, secret))
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
            Some(self.open_sealed(&suspicion_place(&first, &suspicion.slot)?, &suspicion.taken.filed)?)
        };
        settle(&mut object, suspicion, text.as_ref().and_then(|text| text.expose_text()));
        let digest = work.put_json(&object)?;
        let mut after = before.clone();
        let tree = before.unit(&work, &unit)?.unwrap_or(Tree::empty(&mut work)?);
        let tree = tree.with(&mut work, [(object.id.as_str(), Some(digest))])?;
        after.set_unit(&mut work, &unit, Some(tree))?;
        after.proposals =
            work.set::<Suspicion>(after.proposals, &format!("~suspicion/{}", suspicion.slot), None)?;
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
        state: &crate::state::EnvironmentState,
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

/// Where a suspicion's value is sealed for.
///
/// # Errors
/// When the slot's name is no part of a path.
pub fn suspicion_place(
    environment: &sluice_model::EnvironmentName,
    slot: &SlotName,
) -> Result<sluice_model::SecretRef> {
    Ok(sluice_model::SecretRef::new(environment.clone(), format!("suspicions/{slot}"))?)
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
