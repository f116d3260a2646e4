//! What the first-party plugins share, so that each of them is a table of kinds.
//!
//! A plugin describes its kinds as data ([`spec`], [`connection`]), implements [`Family`] and
//! exports [`Serve`]. From the table follow the description, the validation ([`judge`]), the merge
//! of the bundle's and the environment's options ([`merge`]), the traits ([`traits`]), the mapping
//! of credentials ([`remap`]) and, where there is a network, the probe ([`probe`], [`sign_in`]).
//!
//! Architecture invariant: a guest is pure. It has no clock, network, randomness or state between
//! calls, and no secret's value ever reaches it.

#[cfg(target_arch = "wasm32")]
pub mod arena;
pub mod connection;
pub mod connection_string;
pub mod groups;
#[cfg(not(target_arch = "wasm32"))]
pub mod harness;
pub mod judge;
pub mod merge;
pub mod options;
pub mod probe;
pub mod remap;
pub mod sign_in;
pub mod spec;
pub mod traits;

/// The bindings to the contract, generated from `wit/1.0`.
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
        path: "../../wit/1.0",
        world: "data-source",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "sluice_guest::bindings",
        generate_unused_types: true,
    });
}

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ARENA: arena::Arena = arena::Arena::new();

use std::cell::RefCell;
use std::marker::PhantomData;

pub use bindings::exports::sluice::plugin::transforming::{
    Assignment, Guest, GuestRendering, Traits, Transformed,
};
pub use bindings::sluice::plugin::secrets::{Candidate, Credentials};
pub use bindings::sluice::plugin::types::{
    Environment, Failure, Finding, Kind, KindDescription, OptionDescription, OptionLeaf, OptionType, Part,
    Sameness, Scalar, SecretShape, Severity, SlotDescription, Source, Value,
};

use crate::options::{Leaves, Options, Side};
use crate::probe::{Network, Probed};
use crate::spec::KindSpec;

/// Makes a family what the component exports: `plugin!(Orders)` in the world `data-source`, and
/// `plugin!(Orders, probe)` in the world `data-source-with-probe`.
#[macro_export]
macro_rules! plugin {
    ($family:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Plugin = $crate::Serve<$family>;
    $crate::bindings::export!(Plugin with_types_in $crate::bindings);
        };
    };
    ($family:ty, probe) => {
        $crate::plugin!($family);
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Plugin = $crate::Serve<$family>;
    $crate::probe::bindings::export_probe!(Plugin with_types_in $crate::probe::bindings);
        };
    };
}

/// A family of kinds that one plugin serves.
pub trait Family {
    /// Its kinds.
    fn kinds() -> &'static [KindSpec];

    /// Whether a rendered source's target answers, and takes the credentials. Unless a family knows
    /// better, it answers where all its endpoints take a connection, and the kind's table says how it
    /// is asked about the credentials.
    fn probe(
        spec: &KindSpec,
        options: &Options<'_>,
        traits: &Traits,
        target: &Environment,
        network: &dyn Network,
    ) -> Probed {
        let mut probed = probe::reach(&traits.endpoints, target, network);
        if probed.reachable == Some(true) {
            let (authenticated, findings) = sign_in::ask(spec, options, traits, target, network);
            probed.authenticated = authenticated;
            probed.findings.extend(findings);
        }
        probed
    }
}

/// The guest of a family.
#[derive(Debug)]
pub struct Serve<F>(PhantomData<F>);

impl<F: Family + 'static> Guest for Serve<F> {
    type Rendering = Rendering<F>;

    fn describe() -> Vec<KindDescription> {
        F::kinds().iter().map(KindSpec::describe).collect()
    }
}

/// The table of a data source's kind.
fn kind_of<F: Family>(source: &Source) -> Option<&'static KindSpec> {
    let is_it =
        |spec: &&KindSpec| spec.name == source.kind.name && spec.platform.name() == source.kind.platform;
    F::kinds().iter().find(is_it)
}

/// One data source on its way to its target.
#[derive(Debug)]
pub struct Rendering<F> {
    family: PhantomData<F>,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    /// The data source without its options.
    source: Source,
    /// The table of its kind with its options; `None` where no table has the kind.
    bundle: Option<(&'static KindSpec, Leaves)>,
    /// The slots that the rendered source cannot do without.
    needed: Vec<&'static str>,
}

/// A source's identity, for the one answer that repeats it.
fn take(source: &mut Source) -> Source {
    let nothing = Kind { platform: String::new(), name: String::new() };
    Source {
        logical_id: std::mem::take(&mut source.logical_id),
        name: std::mem::take(&mut source.name),
        kind: std::mem::replace(&mut source.kind, nothing),
        options: Vec::new(),
    }
}

impl<F: Family + 'static> GuestRendering for Rendering<F> {
    fn new(mut source: Source) -> Self {
        let options = std::mem::take(&mut source.options);
        let bundle = kind_of::<F>(&source).map(|spec| (spec, Leaves::new(spec, options)));
        Self { family: PhantomData, state: RefCell::new(State { source, bundle, needed: Vec::new() }) }
    }

    fn validate(&self) -> Result<Vec<Finding>, Failure> {
        let state = self.state.borrow();
        let (_, bundle) = state.bundle.as_ref().ok_or(Failure::UnsupportedKind)?;
        judge::passed(judge::options(&bundle.options(Side::Bundle)))
    }

    fn transform(
        &self,
        _from: Environment,
        target: Environment,
        binding: Vec<OptionLeaf>,
    ) -> Result<Transformed, Failure> {
        let State { source, bundle, needed } = &mut *self.state.borrow_mut();
        let (spec, leaves) = bundle.as_mut().ok_or(Failure::UnsupportedKind)?;
        let mut bound = Leaves::new(spec, binding);
        let (bundle, binding) = (leaves.options(Side::Bundle), bound.options(Side::Binding));
        let (rendered, mut notes) = merge::merge(&bundle, &binding)?;
        let missing = judge::missing(spec, &bundle, &rendered);
        if !missing.is_empty() {
            return Err(Failure::Incomplete(missing));
        }
        notes.extend(judge::passed(judge::options(&rendered))?);
        notes.extend(judge::same_place(spec, &bundle, &rendered));
        needed.extend(remap::needed(spec, &rendered));
        let traits = traits::read(spec, &rendered, needed);
        notes.extend(traits::notes(spec, &rendered, &traits, &target));
        let origins: Vec<_> = rendered.iter().map(|entry| entry.origin).collect();
        let mut options = Vec::with_capacity(origins.len());
        options.extend(origins.into_iter().filter_map(|(side, index)| match side {
            Side::Bundle => leaves.take(index),
            Side::Binding => bound.take(index),
        }));
        Ok(Transformed { source: Source { options, ..take(source) }, traits, notes })
    }

    fn remap_credentials(
        &self,
        slots: Vec<String>,
        offered: Vec<Candidate>,
    ) -> Result<Vec<Assignment>, Failure> {
        let assigned = remap::assign(&slots, &offered);
        let missing = remap::missing(&self.state.borrow().needed, &slots, &assigned);
        if missing.is_empty() { Ok(assigned) } else { Err(Failure::Incomplete(missing)) }
    }
}
