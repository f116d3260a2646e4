//! Whether the content that acts name is there, as it was.

use std::collections::{BTreeMap, BTreeSet};

use sluice_model::Digest;
use sluice_model::tree::{Blobs as _, Tree};

use crate::act::{Act, What};
use crate::error::{Error, Result};
use crate::state::{EnvironmentState, Work};
use crate::version::Bundle;
use crate::workspace::Adopted;

/// Walks all content that the acts name, which are in the order of the ledger. `altered` is content
/// whose bytes are known to have another digest.
///
/// # Errors
/// [`Error::LedgerBroken`] names the first act of whose content something is missing or altered.
pub(super) fn check<'a>(
    work: &Work<'_>,
    altered: Option<Digest>,
    acts: impl Iterator<Item = (u64, &'a Act)>,
) -> Result<()> {
    let mut walk =
        Walk { work, altered, seen: BTreeSet::new(), trees: BTreeMap::new(), forests: BTreeMap::new() };
    for (entry, act) in acts {
        walk.act(&act.what).map_err(|error| match error {
            Error::ContentMissing(digest) => {
                super::broken(entry, &format!("the content {digest} that it names is missing"))
            }
            Error::ContentDamaged { .. } | Error::Store(sluice_store::StoreError::Damaged { .. }) => {
                super::broken(entry, &error.to_string())
            }
            error => error,
        })?;
    }
    Ok(())
}

/// What was walked so far: each piece of content once, however many acts name it.
struct Walk<'w, 's> {
    work: &'w Work<'s>,
    altered: Option<Digest>,
    /// Content that names no other.
    seen: BTreeSet<Digest>,
    /// Nodes of trees of content.
    trees: BTreeMap<Digest, Vec<()>>,
    /// Nodes of trees of trees.
    forests: BTreeMap<Digest, Vec<()>>,
}

impl Walk<'_, '_> {
    fn act(&mut self, what: &What) -> Result<()> {
        match what {
            What::ConfigAdopted { adopted, .. } => {
                let Adopted { policies, plugins, .. } = self.work.json(adopted)?;
                policies.values().chain(plugins.values()).try_for_each(|digest| self.content(digest))
            }
            What::Imported { state, .. } | What::LeaseTaken { state } | What::LeaseReturned { state } => {
                self.state(state)
            }
            What::Committed { state, decision, .. } => {
                self.content(decision)?;
                self.state(state)
            }
            What::Managed { managed: tree, .. }
            | What::SettingChanged { settings: tree, .. }
            | What::SuspicionJudged { judgements: tree, .. } => self.tree(*tree),
            What::VersionCut(cut) => {
                let bundle: Bundle = self.work.json(&cut.bundle)?;
                self.forest(bundle.content)
            }
            What::EvidenceAdded { envelope, .. } => self.content(envelope),
            What::PluginStated { envelope, report, .. } => {
                std::iter::once(envelope).chain(report).try_for_each(|digest| self.content(digest))
            }
            What::PromotionProposed(run) => {
                [run.plan, run.decision, run.touched].iter().try_for_each(|digest| self.content(digest))
            }
            What::PromotionRefused { plan, decision, .. } => {
                [plan, decision].into_iter().try_for_each(|digest| self.content(digest))
            }
            What::Initialised { .. }
            | What::Approved { .. }
            | What::Overridden { .. }
            | What::Waived(_)
            | What::WaiverCosigned { .. }
            | What::BrokeGlass(_)
            | What::BreakGlassCosigned { .. }
            | What::ReviewOpened(_)
            | What::ReviewClosed { .. }
            | What::Probed { .. }
            | What::PromotionEnded { .. } => Ok(()),
        }
    }

    fn state(&mut self, state: &EnvironmentState) -> Result<()> {
        let EnvironmentState { content, rendered, identity, standing, residue, proposals, revised, held: _ } =
            state;
        self.forest(*content)?;
        [rendered, identity, standing, residue, proposals, revised]
            .into_iter()
            .try_for_each(|root| self.tree(*root))
    }

    /// A tree whose entries are roots of trees, as units are.
    fn forest(&mut self, root: Digest) -> Result<()> {
        let mut forests = std::mem::take(&mut self.forests);
        let walked = Tree::at(root).fold(self.work, &mut forests, &mut |_: &str, tree: &Digest| {
            self.tree(*tree).map(|()| Vec::new())
        });
        self.forests = forests;
        walked.map(drop)
    }

    /// A tree whose entries are content.
    fn tree(&mut self, root: Digest) -> Result<()> {
        let mut trees = std::mem::take(&mut self.trees);
        let walked = Tree::at(root).fold(self.work, &mut trees, &mut |_: &str, digest: &Digest| {
            self.content(digest).map(|()| Vec::new())
        });
        self.trees = trees;
        walked.map(drop)
    }

    fn content(&mut self, digest: &Digest) -> Result<()> {
        if !self.seen.insert(*digest) {
            return Ok(());
        }
        if self.altered == Some(*digest) {
            return self.work.get(digest).map(drop);
        }
        if self.work.has(digest)? { Ok(()) } else { Err(Error::ContentMissing(*digest)) }
    }
}
