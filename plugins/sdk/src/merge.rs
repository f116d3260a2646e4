//! The merge of a bundle's options with those that the target environment owns.

use crate::judge::finding;
use crate::options::{Options, covers, same};
use crate::spec::{KindSpec, Shape};
use crate::{Failure, Finding, Part, Scalar, Severity, Value};

/// The options for the target, and what was noticed on the way.
///
/// What must match comes from the bundle; all else from the binding, byte for byte. A secret slot
/// that is the whole of an option stays where the bundle has it, being a place and not a value.
///
/// # Errors
/// When the two do not fit together: the one has a value where the other has members.
pub fn merge(
    spec: &KindSpec,
    bundle: &Options,
    binding: &Options,
) -> Result<(Options, Vec<Finding>), Failure> {
    let fixed = spec.fixed();
    let is_fixed = |leaf: &str| fixed.iter().any(|at| covers(at, leaf));
    let whole: Vec<_> = spec.slots().filter(|s| s.shape == Shape::Whole).map(|s| spec.at(s.key)).collect();
    let mut rendered = Options::default();
    let mut notes = Vec::new();
    for (at, value) in bundle.iter() {
        let is_slot = matches!(value, Value::Composed(parts) if matches!(parts.as_slice(), [Part::Slot(_)]));
        if is_fixed(at) || (is_slot && whole.iter().any(|w| w == at) && binding.within(at).next().is_none()) {
            rendered.insert(at, value.clone());
        }
    }
    for (at, value) in binding.iter() {
        if !is_fixed(at) {
            rendered.insert(at, value.clone());
        } else if !bundle.get(at).is_some_and(|of_bundle| same(of_bundle, value)) {
            let message =
                "the binding sets an option that must be the same in every environment; the bundle's is used";
            notes.push(finding(
                Severity::Warning,
                "option.must-match",
                Some(at),
                message,
                "remove it from the binding",
            ));
        }
    }
    unfold(rendered).map(|rendered| (rendered, notes))
}

/// Drops empty lists and objects that have got members; refuses values that have.
fn unfold(options: Options) -> Result<Options, Failure> {
    let mut clashes = Vec::new();
    let mut unfolded = Options::default();
    for (at, value) in options.iter() {
        match (options.within(at).nth(1).is_some(), value) {
            (false, _) => unfolded.insert(at, value.clone()),
            (true, Value::Plain(Scalar::EmptyObject | Scalar::EmptyList)) => {}
            (true, _) => {
                let message =
                    "the binding and the bundle do not fit: the one has a value here, the other has members";
                clashes.push(finding(
                    Severity::Error,
                    "option.clash",
                    Some(at),
                    message,
                    "set the option in the binding as the bundle has it",
                ));
            }
        }
    }
    if clashes.is_empty() { Ok(unfolded) } else { Err(Failure::Invalid(clashes)) }
}
