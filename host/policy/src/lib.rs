//! Gates written in Rhai: facts, packs, verdicts and decisions.
//!
//! Architecture invariant: this crate knows no plugin and no store, reads no clock and draws no
//! randomness. Nothing that goes wrong in it lets a transition through: what is missing, of a
//! wrong type, too large, too slow or broken becomes a verdict that refuses.
//!
//! ## API
//! ```text
//! let sandbox = Sandbox::new(stopwatch);                  // one per process, any number of threads
//! let pack    = Pack::read(folder)? | Pack::from_blob(place, bytes)? ; pack.blob() ; pack.digest()
//! let policy  = sandbox.compile(pack)?;                   // Arc<Policy>, shared
//! let gate    = Gate::new(GateSpec { name, pack, level, waivable, parameters, selector }, &policy)?;
//! let ready   = ReadyFacts::new(facts)?;                  // Facts: plain data that the engine fills
//! let windows = calendar.expand(from, until)?;            // Calendar: configuration; Windows: a fact
//! let asked   = sandbox.evaluate(&gate, &ready);          // one gate
//! let decided = sandbox.decide(&gates, &ready, &reliefs, ungated);
//! decided.decision.canonical()?                           // stored if decided.replayable
//! sandbox.replay(&decision.input, |digest| policy)?       // the same bytes
//! ```

pub mod calendar;
pub mod cases;
pub mod coverage;
pub mod decide;
pub mod definitions;
pub mod facts;
pub mod gate;
pub mod lint;
pub mod pack;
pub mod page;
pub mod relief;
pub mod sandbox;
pub mod scan;
pub mod trace;
pub mod what_if;

mod api;
mod calls;
mod evaluation;
mod index;
mod names;
mod parameter;
mod quorum;
mod rows;
mod shelf;
mod steps;
mod strict;
mod value;
mod vocabulary;

#[cfg(test)]
mod samples;

pub use calendar::{Calendar, CalendarError, Windows};
pub use decide::{Decided, Decision, GateDecision, Input, ReplayError};
pub use facts::{Facts, FactsError, ReadyFacts};
pub use gate::{Asked, Gate, GateError, GateReport, GateSpec, OWN_FINDINGS, OwnFinding, Selector};
pub use pack::{Manifest, Pack, PackError, Policy};
pub use parameter::{Format, ParameterError, Schema, Type};
pub use relief::{BREAK_GLASS_HOLDS, BreakGlass, NotApplied, Override, Relief, Subject, Waiver};
pub use sandbox::{Limits, Sandbox, Stopwatch, Used};
pub use value::duration;
pub use vocabulary::{API, Documented, reference};
