//! Whether acts were done by whom they say, and were theirs to do.
//!
//! Each is judged by the configuration that it names, which must have been adopted before it, and by
//! which gates, people and keys count. Where another was adopted in between, one of two things happened.
//! Somebody adopted it while the act was on its way, which no process can rule out: between the look at
//! the configuration and the insert there is a moment. Or somebody went on with what no longer counted:
//! a right that they had lost, or gates that were not there yet. So it must have been dated before the
//! one that follows was in the store, and is told of all the same.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sluice_model::EnvironmentName;
use sluice_store::WriterId;

use super::{Entered, broken};
use crate::act::{Act, What};
use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::permission::Wish;
use crate::records::verify;
use crate::state::Work;
use crate::workspace::Adopted;

/// How long after the time that it is dated an adoption may come to be in the store: all that it brings
/// is written with it, and other writers go first for some seconds at most.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_secs(60);

/// What judging all acts came to.
#[derive(Default)]
pub(super) struct Judged {
    /// How many were judged.
    pub(super) signatures: u64,
    /// The entries of those that a newer configuration overtook.
    pub(super) overtaken: Vec<u64>,
    /// Every configuration that was adopted, by its revision.
    pub(super) configurations: Configurations,
}

/// Configurations by their revision of the workspace's stream.
#[derive(Default)]
pub(super) struct Configurations(BTreeMap<u64, (Timestamp, Adopted)>);

impl Configurations {
    /// The one of this revision.
    pub(super) fn at(&self, revision: u64) -> Option<&Adopted> {
        self.0.get(&revision).map(|(_, adopted)| adopted)
    }

    /// Whether the key that signed an act is the one that another configuration has of its author.
    pub(super) fn knows_signer(&self, act: &Act, config: &Config) -> bool {
        let then = self.at(act.configuration).and_then(|adopted| adopted.config.key_of(&act.actor));
        then.is_some() && then == config.key_of(&act.actor)
    }
}

/// Judges acts, which are in the order of the ledger.
///
/// # Errors
/// [`Error::LedgerBroken`] names the first that its author did not sign, [`Error::Unwarranted`] the
/// first that was not theirs to do.
pub(super) fn check(work: &Work<'_>, acts: &[Entered]) -> Result<Judged> {
    let mut judged = Judged::default();
    let mut waiting: Vec<&Entered> = Vec::new();
    let mut knew: BTreeMap<&WriterId, u64> = BTreeMap::new();
    for entered in acts {
        let known = knew.entry(&entered.revision.writer).or_default();
        if entered.act.configuration < *known {
            let what = format!(
                "its process had read revision {known} of `workspace` before it was judged by an older"
            );
            return Err(broken(entered.entry, &what));
        }
        *known = entered.act.configuration;
        let adopted = match &entered.act.what {
            What::ConfigAdopted { adopted, .. } => {
                let read = work.json::<Adopted>(adopted);
                Some(read.map_err(|e| broken(entered.entry, &e.to_string()))?)
            }
            _ => None,
        };
        if judged.configurations.0.is_empty() {
            // Until a configuration was adopted nobody is known; the first one vouches for its adopter.
            waiting.push(entered);
            if let Some(first) = &adopted {
                for early in waiting.drain(..) {
                    judged.by_then(early, &first.config)?;
                }
            }
        } else {
            judged.one(entered)?;
        }
        if let Some(adopted) = adopted {
            judged.configurations.0.insert(entered.act.revision, (entered.act.at, adopted));
        }
    }
    // A first adoption that was interrupted leaves the workspace's making without one.
    judged.signatures = acts.len().saturating_sub(waiting.len()) as u64;
    Ok(judged)
}

impl Judged {
    fn one(&mut self, entered: &Entered) -> Result<()> {
        let Entered { entry, act, .. } = entered;
        let named = act.configuration;
        let Some((_, then)) = self.configurations.0.get(&named) else {
            let what = format!(
                "revision {named} of `workspace`, by which it was judged, is no configuration before it"
            );
            return Err(broken(*entry, &what));
        };
        self.by_then(entered, &then.config)?;
        if matches!(act.what, What::ConfigAdopted { .. }) && named.checked_add(1) != Some(act.revision) {
            let what = format!("it does not follow revision {named} of `workspace`, by which it was judged");
            return Err(broken(*entry, &what));
        }
        let mut later = self.configurations.0.range(named.saturating_add(1)..);
        match later.next() {
            Some((revision, (at, _))) if act.at.duration_since(*at) > ON_ITS_WAY => Err(Error::Unwarranted {
                entry: *entry,
                what: format!(
                    "`{}` did it at {}, after revision {revision} of `workspace` had been adopted, and it was judged \
                     by revision {named}",
                    act.actor, act.at
                ),
            }),
            Some(_) => {
                self.overtaken.push(*entry);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// By the configuration that it names.
    fn by_then(&self, entered: &Entered, then: &Config) -> Result<()> {
        let Entered { entry, revision, act } = entered;
        let key = then.key_of(&act.actor).ok_or_else(|| {
            broken(*entry, &format!("`{}` was nobody in the configuration then", act.actor))
        })?;
        verify(revision, &key).map_err(|e| broken(*entry, &e.to_string()))?;
        if is_granted(act, then) {
            return Ok(());
        }
        Err(Error::Unwarranted {
            entry: *entry,
            what: format!(
                "by revision {} of `workspace`, which counted then, `{}` may not do what was done to `{}`",
                act.configuration, act.actor, act.stream
            ),
        })
    }
}

/// Whether a configuration lets the author of an act do it. For whom an override is to count is asked
/// where it does: it names a plan, and no environment.
fn is_granted(act: &Act, config: &Config) -> bool {
    let Some(person) = config::person(&act.actor) else { return false };
    let place = act.stream.strip_prefix("env/").and_then(|rest| rest.split('/').next());
    let place = place.and_then(|name| EnvironmentName::new(name).ok());
    let wish = match (&act.what, &place) {
        (What::Initialised { .. } | What::ConfigAdopted { .. }, _) => return config.owns_workspace(&person),
        (What::Managed { .. } | What::VersionCut(_), _) => Wish::Build,
        // A judgement changes objects that are there, and reads no file.
        (What::Imported { summary, .. }, Some(place))
            if summary.files.is_empty() && config.first_environment().is_some_and(|e| e.name == *place) =>
        {
            Wish::TakePart
        }
        (What::Imported { .. }, Some(place)) => Wish::Import(place),
        (What::SettingChanged { .. } | What::Probed { .. }, Some(place)) => Wish::Own(place),
        (What::Waived(waiver), _) => Wish::Promote(&waiver.environment),
        (What::ReviewOpened(review), _) => Wish::Promote(&review.environment),
        (What::BrokeGlass(_), _) => Wish::BreakGlass,
        (
            What::LeaseTaken { .. }
            | What::LeaseReturned { .. }
            | What::PromotionProposed(_)
            | What::PromotionRefused { .. }
            | What::Committed { .. }
            | What::PromotionEnded { .. },
            Some(place),
        ) => Wish::Promote(place),
        (
            What::SuspicionJudged { .. }
            | What::EvidenceAdded { .. }
            | What::PluginStated { .. }
            | What::Approved { .. }
            | What::Overridden { .. }
            | What::WaiverCosigned { .. }
            | What::BreakGlassCosigned { .. }
            | What::ReviewClosed { .. },
            _,
        ) => Wish::TakePart,
        // What changes an environment stands in a stream of one.
        (_, None) => return false,
    };
    wish.is_granted(config, &person)
}
