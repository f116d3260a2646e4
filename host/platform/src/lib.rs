//! A platform's native export, to objects and back.
//!
//! Architecture invariant: this crate performs no I/O and knows nothing but the model. It takes
//! bytes and gives bytes; where secrets hide is handed in as data ([`SlotRules`]), so it knows no
//! plugin, no store and no policy. It reads no clock and draws no randomness: ids that it has to
//! make are digests of what they are for.
//!
//! ## API
//!
//! ```text
//! read(&[InputFile], limit)            -> Native           orphan option sets are dropped here
//! Native::format()                     -> &Format          keep it: a first export asks for it
//! Native::inspect()                    -> Inspection       counts and unresolved references
//! Native::survey()                     -> Vec<NativeThing> give each a logical id
//! Native::places("development")        -> Places           where in the files objects stand
//! Native::decode(&ids, &rules, "development") -> Decoded   objects, proposals, secrets, rest
//! encode(&EncodeInput)                 -> Encoded          files, ids made, what to enter by hand
//! ```
//!
//! - An app or module object is its own `unit`; a shared data source, table or library query has none.
//! - A data source's options stand at [`OPTIONS`] in its content, on every platform. A source that is
//!   part of the platform itself (ToolJet's `runjs`, `tooljetdb`, …) has no `source_kind`: it needs
//!   neither plugin nor binding.
//! - Logical ids must not occur in an export by chance, since they are found and replaced inside
//!   text: make them from a digest or take the first environment's own ids. A clash is an error.
//! - [`EnvironmentValues`] finds what in a content still points at another environment.

mod connection;
mod content;
mod decoded;
mod encode;
mod environment;
mod expression;
mod format;
mod input;
mod inspect;
mod likeness;
mod lowcoder;
mod native;
mod places;
mod promise;
mod references;
mod rules;
mod secret;
mod slots;
mod suspect;
mod thing;
mod tooljet;
mod translate;

pub use content::{ClearSecret, secrets_in_the_clear};
pub use decoded::{DecodeError, Decoded, EnvironmentOptions, PlaceIds};
pub use encode::{EncodeError, EncodeInput, Encoded, Entry, Position, ToEnter, Written, encode};
pub use environment::{EnvironmentValues, Occurrence, environment_values};
pub use format::{Format, Generation, Platform};
pub use input::{DEFAULT_LIMIT, InputFile, ReadError};
pub use inspect::{Inspection, ReferenceCounts, UnresolvedReference};
pub use likeness::Likeness;
pub use lowcoder::pin_library_query;
pub use native::{Native, read};
pub use places::{InFile, Places};
pub use rules::SlotRules;
pub use secret::{SecretText, TakenSecret};
pub use slots::declared_in_the_clear;
pub use thing::{NativeKey, NativeThing};

/// The member of a data source's content that holds its options, on every platform.
pub const OPTIONS: &str = "options";
