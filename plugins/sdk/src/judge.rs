//! The judgement of options by their table.

use crate::options::{Options, flag_of, is_blank, same};
use crate::spec::{KindSpec, Need, OptionSpec};
use crate::{Failure, Finding, OptionType, Part, Sameness, Scalar, Severity, Value};

/// A finding. An empty `fix` is none.
#[must_use]
pub fn finding(severity: Severity, code: &str, at: Option<&str>, message: &str, fix: &str) -> Finding {
    Finding {
        severity,
        code: code.to_owned(),
        at: at.map(str::to_owned),
        message: message.to_owned(),
        fix: (!fix.is_empty()).then(|| fix.to_owned()),
    }
}

/// The findings, unless one of them is an error.
///
/// # Errors
/// [`Failure::Invalid`] with all findings.
pub fn passed(findings: Vec<Finding>) -> Result<Vec<Finding>, Failure> {
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        Err(Failure::Invalid(findings))
    } else {
        Ok(findings)
    }
}

/// Findings of each sort that are told one by one; a person reads no more, and the host takes 200.
const MOST_TOLD: usize = 40;

/// What is wrong or odd about options, by the kind's table.
#[must_use]
pub fn options(options: &Options<'_>) -> Vec<Finding> {
    let (mut unknown, mut wrong) = (Vec::new(), Vec::new());
    for entry in options.iter().filter(|entry| !entry.at.is_empty()) {
        if entry.found.is_unknown() {
            let message = "this option is not known for the kind; the environment owns it";
            unknown.push(finding(Severity::Note, "option.unknown", Some(entry.at), message, ""));
        }
        if let Some(option) = entry.found.option {
            wrong.extend(ill_typed(option, entry.found.deeper, entry.at, entry.value));
        }
    }
    wrong.truncate(MOST_TOLD);
    if unknown.len() > MOST_TOLD {
        let message = format!("{} more options are not known for the kind", unknown.len() - MOST_TOLD);
        unknown.truncate(MOST_TOLD);
        unknown.push(finding(Severity::Note, "option.unknown", None, &message, ""));
    }
    wrong.extend(unknown);
    wrong
}

fn ill_typed(option: &OptionSpec, deeper: bool, leaf: &str, value: &Value) -> Option<Finding> {
    let scalar = match value {
        Value::Plain(scalar) => Some(scalar),
        Value::Composed(_) => None,
    };
    let (fits, wanted) = match option.ty {
        OptionType::Json => (true, ""),
        OptionType::ListOfPairs => {
            let bare = matches!(scalar, Some(Scalar::EmptyList | Scalar::None)) || is_blank(value);
            (deeper || bare, "a list of names and values")
        }
        _ if deeper => (false, "a single value"),
        OptionType::Text => (matches!(scalar, None | Some(Scalar::Text(_) | Scalar::None)), "a text"),
        OptionType::Url => match scalar {
            Some(Scalar::Text(text)) => (text.is_empty() || text.contains("://"), "a URL with its scheme"),
            other => (matches!(other, None | Some(Scalar::None)), "a URL with its scheme"),
        },
        OptionType::Number => match scalar {
            Some(Scalar::Text(text)) => {
                let text = text.trim();
                (text.is_empty() || text.parse::<f64>().is_ok_and(f64::is_finite), "a number")
            }
            other => (
                matches!(other, None | Some(Scalar::Number(_) | Scalar::Digits(_) | Scalar::None)),
                "a number",
            ),
        },
        OptionType::Flag => match scalar {
            Some(Scalar::Text(text)) => (text.is_empty() || flag_of(text).is_some(), "true or false"),
            other => (matches!(other, None | Some(Scalar::Flag(_) | Scalar::None)), "true or false"),
        },
        OptionType::Choice => match scalar {
            Some(Scalar::Text(text)) => {
                (text.is_empty() || option.choices.contains(&text.as_str()), "one of the choices")
            }
            other => (matches!(other, None | Some(Scalar::None)), "one of the choices"),
        },
    };
    if fits {
        return None;
    }
    let mut message = format!("`{}` must be {wanted}", option.key);
    if option.ty == OptionType::Choice {
        message.push_str(": ");
        message.push_str(&option.choices.join(", "));
    }
    let code = if option.ty == OptionType::Choice { "option.choice" } else { "option.type" };
    Some(finding(Severity::Error, code, Some(leaf), &message, ""))
}

/// The pointers of required options that say nothing in the rendered source.
#[must_use]
pub fn missing(spec: &'static KindSpec, bundle: &Options<'_>, rendered: &Options<'_>) -> Vec<String> {
    let says_other = |key: &str| spec.options().any(|other| other.key == key && rendered.says(other));
    spec.options()
        .filter(|option| match option.need {
            Need::Optional => false,
            Need::Required => !rendered.says(option),
            Need::LikeBundle => !rendered.says(option) && bundle.says(option),
            Need::When(is) => !rendered.says(option) && rendered.is(is),
            Need::Unless(other) => !rendered.says(option) && !says_other(other),
        })
        .map(|option| spec.at(option.key))
        .collect()
}

/// An error when the rendered source connects to the very place that the source does: when all
/// options that must differ are there and equal. Expressions are left alone, since each
/// environment gives them a value of its own.
#[must_use]
pub fn same_place(spec: &KindSpec, bundle: &Options<'_>, rendered: &Options<'_>) -> Option<Finding> {
    let place = || spec.options().filter(|o| o.across == Sameness::MustDiffer).map(|o| o.key);
    let is_expression = |value: &Value| matches!(value, Value::Composed(parts) if parts.iter().any(|part| matches!(part, Part::Expression(_))));
    let mut said = false;
    for key in place() {
        match (bundle.get(key).filter(|v| !is_blank(v)), rendered.get(key).filter(|v| !is_blank(v))) {
            (None, None) => {}
            (Some(a), Some(b)) if same(a, b) && !is_expression(a) => said = true,
            _ => return None,
        }
    }
    said.then(|| {
        let message = format!(
            "the target would connect to the same place as the source environment: `{}` equal its options",
            place().collect::<Vec<_>>().join("`, `")
        );
        let fix = "bind the target's own place";
        let at = place().next().map(|key| spec.at(key));
        finding(Severity::Error, "option.must-differ", at.as_deref(), &message, fix)
    })
}
