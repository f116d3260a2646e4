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

/// What is wrong or odd about options, by the kind's table.
#[must_use]
pub fn options(spec: &KindSpec, options: &Options) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, value) in options.iter().filter(|(at, _)| !at.is_empty()) {
        let found = spec.find(at);
        if found.is_unknown() {
            let message = "this option is not known for the kind; the environment owns it";
            findings.push(finding(Severity::Note, "option.unknown", Some(at), message, ""));
        }
        if let Some(option) = found.option {
            findings.extend(ill_typed(option, found.deeper, at, value));
        }
    }
    findings
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
pub fn missing(spec: &KindSpec, bundle: &Options, rendered: &Options) -> Vec<String> {
    let any = |options: &Options, key: &str| options.within(&spec.at(key)).any(|(_, value)| !is_blank(value));
    let says = |key: &str| any(rendered, key);
    spec.options()
        .filter(|option| match option.need {
            Need::Optional => false,
            Need::Required => !says(option.key),
            Need::LikeBundle => !says(option.key) && any(bundle, option.key),
            Need::Unless(other) => !says(option.key) && !says(other),
        })
        .map(|option| spec.at(option.key))
        .collect()
}

/// An error when the rendered source connects to the very place that the source does: when all
/// options that must differ are there and equal. Expressions are left alone, since each
/// environment gives them a value of its own.
#[must_use]
pub fn same_place(spec: &KindSpec, bundle: &Options, rendered: &Options) -> Option<Finding> {
    let keys: Vec<_> = spec.options().filter(|o| o.across == Sameness::MustDiffer).map(|o| o.key).collect();
    let at: Vec<_> = keys.iter().map(|key| spec.at(key)).collect();
    let is_expression = |value: &Value| matches!(value, Value::Composed(parts) if parts.iter().any(|part| matches!(part, Part::Expression(_))));
    let mut said = false;
    for at in &at {
        match (bundle.get(at).filter(|v| !is_blank(v)), rendered.get(at).filter(|v| !is_blank(v))) {
            (None, None) => {}
            (Some(a), Some(b)) if same(a, b) && !is_expression(a) => said = true,
            _ => return None,
        }
    }
    said.then(|| {
        let message = format!(
            "the target would connect to the same place as the source environment: `{}` equal its options",
            keys.join("`, `")
        );
        let fix = "bind the target's own place";
        finding(Severity::Error, "option.must-differ", at.first().map(String::as_str), &message, fix)
    })
}
