//! The merge of a bundle's options with those that the target environment owns.

use crate::judge::finding;
use crate::options::{Options, same};
use crate::spec::KindSpec;
use crate::{Failure, Finding, OptionLeaf, Part, Scalar, Severity, Value};

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
    binding: Options,
) -> Result<(Options, Vec<Finding>), Failure> {
    let mut rendered = Vec::new();
    let mut notes = Vec::new();
    for (at, value) in bundle.iter() {
        let found = spec.find(at);
        let is_slot = matches!(value, Value::Composed(parts) if matches!(parts.as_slice(), [Part::Slot(_)]));
        let stays = is_slot && found.is_whole_slot() && binding.within(at).next().is_none();
        if found.is_fixed() || stays {
            rendered.push(OptionLeaf { at: at.to_owned(), value: value.clone() });
        }
    }
    for leaf in binding.into_leaves() {
        if !spec.find(&leaf.at).is_fixed() {
            rendered.push(leaf);
        } else if !bundle.get(&leaf.at).is_some_and(|of_bundle| same(of_bundle, &leaf.value)) {
            let message =
                "the binding sets an option that must be the same in every environment; the bundle's is used";
            let fix = "remove it from the binding";
            notes.push(finding(Severity::Warning, "option.must-match", Some(&leaf.at), message, fix));
        }
    }
    unfold(Options::new(rendered)).map(|rendered| (rendered, notes))
}

/// Drops empty lists and objects that have got members; refuses values that have.
fn unfold(options: Options) -> Result<Options, Failure> {
    let mut clashes = Vec::new();
    let mut unfolded = Vec::new();
    for (at, value) in options.iter() {
        if options.within(at).nth(1).is_none() {
            continue;
        }
        if matches!(value, Value::Plain(Scalar::EmptyObject | Scalar::EmptyList)) {
            unfolded.push(at.to_owned());
        } else {
            let message =
                "the binding and the bundle do not fit: the one has a value here, the other has members";
            let fix = "set the option in the binding as the bundle has it";
            clashes.push(finding(Severity::Error, "option.clash", Some(at), message, fix));
        }
    }
    if !clashes.is_empty() {
        return Err(Failure::Invalid(clashes));
    }
    let mut leaves = options.into_leaves();
    leaves.retain(|leaf| !unfolded.contains(&leaf.at));
    Ok(Options::new(leaves))
}
