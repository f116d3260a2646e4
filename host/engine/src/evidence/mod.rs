//! What evidence says: test reports, and the predicates of the statements that carry it.
//!
//! Architecture invariant: this module signs and verifies nothing and reads no file and no clock.
//! A predicate that was read here is well formed; whether to believe it is decided by who signed
//! the statement, and what follows from it by gates.
//!
//! ## API
//! - [`TestReport::read`]: JUnit XML, bounded before it is parsed.
//! - [`CoverageReport::read`]: LCOV; [`Measurement::read`]: JSON.
//! - [`TestsPredicate`], [`MaskingPredicate`], [`CoveragePredicate`], [`AcceptancePredicate`],
//!   [`PerformancePredicate`], [`PluginPredicate`]: `to_predicate` and `from_predicate` are the members
//!   of an in-toto statement; [`bundle_subject`], [`data_subject`], [`plugin_subject`] are what it
//!   is about.

mod junit;
mod lcov;
mod measure;
mod plugin;
mod predicate;

pub use junit::{FailedTest, MOST_BYTES, MOST_NESTED, MOST_NODES, MOST_SHOWN, ReportError, TestReport};
pub use lcov::{Counted, CoverageError, CoverageReport};
pub use measure::{
    ACCEPTANCE_PREDICATE, AcceptancePredicate, COVERAGE_PREDICATE, CoveragePredicate, Measurement,
    PERFORMANCE_PREDICATE, PerformancePredicate,
};
pub use plugin::{
    CERTIFICATION_PREDICATE, Certification, PluginPredicate, RELEASE_PREDICATE, Release,
    VALIDATION_PREDICATE, Validated, Validation, plugin_subject,
};
pub use predicate::{
    MASKING_PREDICATE, MaskingPredicate, PredicateError, TESTS_PREDICATE, TestsPredicate, bundle_subject,
    data_subject,
};
