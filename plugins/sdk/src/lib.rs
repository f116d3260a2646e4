//! What the first-party plugins share, so that each of them is a table of options and a few lines
//! on what they mean.
//!
//! A plugin describes its kinds as data ([`spec`]), implements [`Family`] and exports
//! [`Serve`]. From the table follow the description, the validation ([`judge`]), the merge of the
//! bundle's and the environment's options ([`merge`]) and the mapping of credentials ([`remap`]).
//!
//! Architecture invariant: a guest is pure. It has no clock, network, randomness or state between
//! calls, and no secret's value ever reaches it.

#[cfg(target_arch = "wasm32")]
pub mod arena;
pub mod judge;
pub mod merge;
pub mod options;
pub mod remap;
pub mod spec;

/// The bindings to the contract, generated from `wit/0.1`.
#[allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::allow_attributes_without_reason,
    reason = "generated from the contract"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        world: "data-source-plugin",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "sluice_guest::bindings",
        generate_unused_types: true,
    });
}

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ARENA: arena::Arena = arena::Arena::new();

use std::marker::PhantomData;

pub use bindings::exports::sluice::plugin::transforming::{Assignment, Guest, Traits, Transformed};
pub use bindings::sluice::plugin::secrets::Candidates;
pub use bindings::sluice::plugin::types::{
    DataSource, Environment, Failure, Finding, Kind, KindDescription, OptionDescription, OptionLeaf,
    OptionType, Part, Sameness, Scalar, SecretShape, Severity, SlotDescription, Value,
};

use crate::options::Options;
use crate::spec::KindSpec;

/// A family of kinds that one plugin serves.
pub trait Family {
    /// Its kinds.
    fn kinds() -> &'static [KindSpec];

    /// What policies want to know of a rendered source.
    fn traits(spec: &KindSpec, options: &Options) -> Traits;

    /// What the table cannot say about a rendered source. `target` is where it goes.
    fn notes(spec: &KindSpec, options: &Options, target: &Environment) -> Vec<Finding>;
}

/// The guest of a family: what `export!` takes.
#[derive(Debug)]
pub struct Serve<F>(PhantomData<F>);

impl<F: Family> Serve<F> {
    fn spec(kind: &Kind) -> Result<&'static KindSpec, Failure> {
        F::kinds()
            .iter()
            .find(|spec| spec.platform.name() == kind.platform && spec.name == kind.name)
            .ok_or(Failure::UnsupportedKind)
    }
}

impl<F: Family> Guest for Serve<F> {
    fn describe() -> Vec<KindDescription> {
        F::kinds().iter().map(KindSpec::describe).collect()
    }

    fn validate(source: DataSource) -> Result<Vec<Finding>, Failure> {
        let spec = Self::spec(&source.kind)?;
        judge::passed(judge::options(spec, &Options::new(source.options)))
    }

    fn transform(
        source: DataSource,
        _from: Environment,
        target: Environment,
        binding: Vec<OptionLeaf>,
    ) -> Result<Transformed, Failure> {
        let spec = Self::spec(&source.kind)?;
        let (bundle, binding) = (Options::new(source.options), Options::new(binding));
        let (rendered, mut notes) = merge::merge(spec, &bundle, binding)?;
        let missing = judge::missing(spec, &bundle, &rendered);
        if !missing.is_empty() {
            return Err(Failure::Incomplete(missing));
        }
        notes.extend(judge::passed(judge::options(spec, &rendered))?);
        notes.extend(judge::same_place(spec, &bundle, &rendered));
        notes.extend(F::notes(spec, &rendered, &target));
        let traits = F::traits(spec, &rendered);
        Ok(Transformed { source: DataSource { options: rendered.into_leaves(), ..source }, traits, notes })
    }

    fn remap_credentials(
        source: DataSource,
        slots: Vec<String>,
        offered: &Candidates,
    ) -> Result<Vec<Assignment>, Failure> {
        let candidates: Vec<_> = (0..offered.count())
            .map(|index| remap::Candidate { label: offered.label(index), age_days: offered.age_days(index) })
            .collect();
        let spec = Self::spec(&source.kind)?;
        let assigned = remap::assign(&slots, &candidates);
        let missing = remap::missing(spec, &Options::new(source.options), &slots, &assigned);
        if missing.is_empty() { Ok(assigned) } else { Err(Failure::Incomplete(missing)) }
    }
}
