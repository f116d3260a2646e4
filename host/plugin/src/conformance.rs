//! Whether a plugin does what the contract says: what a vendor runs before publishing, and what is
//! run again before a plugin is certified.
//!
//! The suite makes data sources from the plugin's own description and asks about them as the host
//! does in a plan. Most of what a plugin must not do the host refuses anyway, whatever it answers;
//! here it is told before anybody's plan meets it, and beside it what no single call shows: that
//! answers repeat, that what is wrong is refused, that secrets are found, that limits are far.

mod checks;
mod example;
mod report;
mod sample;

pub use checks::Uniform;
pub use example::{Bundled, Example, ExampleError, Expected, Failure, Offered, Place};
pub use report::{Check, Grade, Outcome, Report, Weight};

use crate::describe::KindDescription;
use crate::host::Host;
use crate::limits::Used;
use crate::manifest::Manifest;
use crate::plugin::Plugin;
use crate::render::RenderInput;

/// The suite's version. Raised when a check is added or asks for more, so that it is known of a
/// plugin that conformed what that meant.
pub const VERSION: u32 = 3;

/// What the suite is run with.
#[derive(Debug, Clone)]
pub struct Suite {
    /// What its data sources are called; a name means nothing to a good plugin.
    pub called: String,
    /// The vendor's own examples.
    pub examples: Vec<Example>,
}

impl Default for Suite {
    fn default() -> Self {
        Self { called: "conformance".to_owned(), examples: Vec::new() }
    }
}

impl Suite {
    /// Runs all checks on a component. `name` is for people.
    #[must_use]
    pub fn run(&self, host: &Host, name: &str, component: &[u8]) -> Report {
        let mut report = Report::new(name, sluice_model::Digest::of(component));
        let plugin = match host.load(name, component) {
            Ok(plugin) => plugin,
            Err(error) => {
                report.add("load", LOADS, Weight::Must, Outcome::Failed(vec![error.reason.to_string()]));
                return report;
            }
        };
        report.add("load", LOADS, Weight::Must, Outcome::Passed);
        let again = checks::describe_again(&plugin);
        report.add(
            "describe",
            "it describes itself the same each time, with a sentence on each option and slot",
            Weight::Must,
            again,
        );
        report.add(
            "manifest",
            "its manifest says what it is",
            Weight::Should,
            self.manifest(&plugin, component),
        );
        let mut subject = checks::Subject { plugin: &plugin, called: &self.called, used: Used::default() };
        for check in checks::ALL {
            let outcome = (check.run)(&mut subject);
            report.add(check.id, check.title, check.weight, outcome);
        }
        let used = subject.used;
        let examples = checks::examples(&plugin, &self.examples);
        // A plugin can do without examples, and not with one that is wrong.
        let weight = if self.examples.is_empty() { Weight::Should } else { Weight::Must };
        report.add("examples", "each example comes out as it says", weight, examples);
        report.most_used = used;
        report
    }

    fn manifest(&self, plugin: &Plugin, component: &[u8]) -> Outcome {
        let manifest = match Manifest::read(component) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => {
                return Outcome::Failed(vec![
                    "it has none; `sluice plugin build` puts one into it".to_owned(),
                ]);
            }
            Err(error) => return Outcome::Failed(vec![error.to_string()]),
        };
        Outcome::of(manifest.lies(plugin))
    }
}

/// A data source of a kind with all its options and slots, as the suite asks about it; `None` where
/// none can be made of its description.
#[must_use]
pub fn sample(kind: &KindDescription) -> Option<RenderInput> {
    sample::full(kind, "conformance")
}

const LOADS: &str = "it is a component of the contract that loads within the limits";
