//! Reviews: a run that an emergency act let through is looked at by somebody else.
//!
//! While a review is open, its app is neither promoted nor released anywhere. It is entered before
//! the run's commit and counts only if that came, so no crash leaves a commit without a review.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sluice_model::LogicalId;

use crate::act::{Review, What};
use crate::consent::require_reason;
use crate::error::{Error, Result};
use crate::permission::Wish;
use crate::plan::Plan;
use crate::records::{Actor, again};
use crate::workspace::Workspace;

/// The stream of reviews: their openings and closings.
pub const REVIEWS: &str = "reviews";

/// A review with what its record says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownReview {
    /// The review.
    pub review: Review,
    /// Who carried the run out.
    pub ran: String,
    /// When it was opened.
    pub at: Timestamp,
    /// How it was closed, if it was.
    pub closed: Option<Closed>,
}

/// How a review was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Closed {
    /// Who closed it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What came out.
    pub reason: String,
}

impl Workspace {
    /// Opens the review of a run that an emergency act lets through. Answers its number.
    pub(crate) fn open_review(
        &self,
        actor: &Actor,
        plan: &Plan,
        promotion: u64,
        act: &sluice_policy::BreakGlass,
    ) -> Result<u64> {
        again(|| {
            let known = self.records().all(REVIEWS)?;
            let opened = known.iter().filter(|known| matches!(known.act.what, What::ReviewOpened(_)));
            let number = 1 + opened.count() as u64;
            let review = Review {
                number,
                app: plan.app.clone(),
                environment: plan.to.clone(),
                promotion,
                plan: plan.digest,
                by: act.by.clone(),
                cosigned: act.cosigned.clone().unwrap_or_default(),
                reason: act.reason.clone(),
                ticket: act.ticket.clone(),
            };
            let what = What::ReviewOpened(review);
            self.records().append(actor, REVIEWS, known.len() as u64, what, &BTreeMap::new())?;
            Ok(number)
        })
    }

    /// All reviews of runs that came to their commit, oldest first.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn reviews(&self) -> Result<Vec<KnownReview>> {
        let mut found: Vec<KnownReview> = Vec::new();
        for recorded in self.records().all(REVIEWS)? {
            let person = self.signer(&recorded)?;
            let (at, ran) = (recorded.act.at, recorded.act.actor);
            match recorded.act.what {
                What::ReviewOpened(review) => found.push(KnownReview { review, ran, at, closed: None }),
                What::ReviewClosed { number, reason } => {
                    let known = found.iter_mut().find(|known| known.review.number == number);
                    if let (Some(known), Some(by)) = (known, person)
                        && !known.is_by(&by)
                    {
                        known.closed.get_or_insert(Closed { by, at, reason });
                    }
                }
                _ => {}
            }
        }
        let mut counting = Vec::new();
        for known in found {
            let Review { environment, promotion, .. } = &known.review;
            let run = self.journaled(environment, Some(*promotion))?;
            if self.committed(environment, &run)? {
                counting.push(known);
            }
        }
        Ok(counting)
    }

    /// The open reviews of an app, oldest first.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn open_reviews(&self, app: &LogicalId) -> Result<Vec<KnownReview>> {
        let mut open = self.reviews()?;
        open.retain(|known| known.closed.is_none() && known.review.app == *app);
        Ok(open)
    }

    /// Closes a review.
    ///
    /// # Errors
    /// When there is no such review, it is closed, no reason is given, or the actor broke the glass
    /// or carried the run out.
    pub fn close_review(&self, actor: &Actor, number: u64, reason: &str) -> Result<KnownReview> {
        self.permit(actor, Wish::TakePart)?;
        require_reason(reason)?;
        again(|| {
            let at = self.records().now()?;
            let after = self.records().newest(REVIEWS)?;
            let found = self.reviews()?.into_iter().find(|known| known.review.number == number);
            let Some(mut known) = found else {
                return Err(Error::NotFound {
                    what: "review",
                    named: number.to_string(),
                    help: "see the reviews with `sluice review list`".into(),
                });
            };
            if let Some(closed) = &known.closed {
                return Err(Error::invalid(
                    format!("`{}` has closed review {number} already", closed.by),
                    "see the reviews with `sluice review list`",
                ));
            }
            if known.is_by(&actor.name) {
                return Err(Error::NotPermitted {
                    actor: actor.name.clone(),
                    act: format!("close review {number} of what they did themselves"),
                    who: known.who_closes(),
                });
            }
            let what = What::ReviewClosed { number, reason: reason.to_owned() };
            self.records().append(actor, REVIEWS, after, what, &BTreeMap::new())?;
            known.closed = Some(Closed { by: actor.name.clone(), at, reason: reason.to_owned() });
            Ok(known)
        })
    }
}

impl KnownReview {
    /// Whether it is of what this person did: broke the glass, or carried the run out.
    fn is_by(&self, person: &str) -> bool {
        self.review.by == person || self.ran == person
    }

    /// Who may close it, in words.
    pub(crate) fn who_closes(&self) -> String {
        let Self { review, ran, .. } = self;
        if review.by == *ran {
            format!("anybody but `{ran}`")
        } else {
            format!("anybody but `{}` and `{ran}`", review.by)
        }
    }
}
