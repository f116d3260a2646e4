//! The merge of a bundle's options with those that the target environment owns.

use crate::judge::finding;
use crate::options::{Options, same};
use crate::{Failure, Finding, Part, Scalar, Severity, Value};

/// The options for the target, and what was noticed on the way.
///
/// What must match comes from the bundle; all else from the binding, byte for byte. A secret slot
/// that is the whole of an option stays where the bundle has it, being a place and not a value.
///
/// # Errors
/// When the two do not fit together: the one has a value where the other has members.
pub fn merge<'o>(
    bundle: &Options<'o>,
    binding: &Options<'o>,
) -> Result<(Options<'o>, Vec<Finding>), Failure> {
    let (mut kept, mut bound) =
        (Vec::with_capacity(bundle.iter().len()), Vec::with_capacity(binding.iter().len()));
    let mut notes = Vec::new();
    for entry in bundle.iter() {
        let is_slot =
            matches!(entry.value, Value::Composed(parts) if matches!(parts.as_slice(), [Part::Slot(_)]));
        let stays = is_slot && entry.found.is_whole_slot() && binding.within(entry.at).next().is_none();
        if entry.found.is_fixed() || stays {
            kept.push(*entry);
        }
    }
    for entry in binding.iter() {
        if !entry.found.is_fixed() {
            bound.push(*entry);
        } else if !bundle.at(entry.at).is_some_and(|of_bundle| same(of_bundle, entry.value)) {
            let message =
                "the binding sets an option that must be the same in every environment; the bundle's is used";
            let fix = "remove it from the binding";
            notes.push(finding(Severity::Warning, "option.must-match", Some(entry.at), message, fix));
        }
    }
    unfold(Options::merged(kept, bound)).map(|rendered| (rendered, notes))
}

/// Drops empty lists and objects that have got members; refuses values that have.
fn unfold(options: Options<'_>) -> Result<Options<'_>, Failure> {
    let mut clashes = Vec::new();
    let mut unfolded = Vec::new();
    for (entry, mut inner) in options.with_inner() {
        if inner.next().is_none() {
            continue;
        }
        if matches!(entry.value, Value::Plain(Scalar::EmptyObject | Scalar::EmptyList)) {
            unfolded.push(entry.at);
        } else {
            let message =
                "the binding and the bundle do not fit: the one has a value here, the other has members";
            let fix = "set the option in the binding as the bundle has it";
            clashes.push(finding(Severity::Error, "option.clash", Some(entry.at), message, fix));
        }
    }
    if !clashes.is_empty() {
        return Err(Failure::Invalid(clashes));
    }
    Ok(if unfolded.is_empty() { options } else { options.without(&unfolded) })
}
