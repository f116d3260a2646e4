//! Parameters of policies: declared with a type, given by gates, checked when loaded.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rhai::{Dynamic, ImmutableString, Map};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::value::duration;

/// Entries that a list or table of a parameter may have.
const MOST_ENTRIES: usize = 200;

/// What a parameter may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterType {
    /// Some text.
    Text,
    /// A whole number that is not negative.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Truth,
    /// A length of time, such as `7d`.
    Duration,
    /// A moment (RFC 3339).
    Moment,
    /// A list of texts.
    Texts,
    /// A table of texts and whole numbers of 1 or more, such as roles and how many of each.
    Counts,
}

impl ParameterType {
    const fn wanted(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "a whole number of 0 or more",
            Self::Number => "a number",
            Self::Truth => "`true` or `false`",
            Self::Duration => "a duration such as `\"7d\"` or `\"8h\"`",
            Self::Moment => "a moment such as `\"2026-01-05T09:00:00Z\"`",
            Self::Texts => "a list of texts",
            Self::Counts => "a table of names and whole numbers of 1 or more",
        }
    }
}

/// A parameter as a policy declares it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// What it may be.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// What it is for, with its unit.
    pub doc: String,
    /// The value where a gate gives none; a parameter without one must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
}

/// A parameter's value, checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Parameter {
    Text(String),
    Integer(i64),
    Number(f64),
    Truth(bool),
    Duration(SignedDuration),
    Moment(Timestamp),
    Texts(Vec<String>),
    Counts(BTreeMap<String, i64>),
}

/// A gate's parameters do not fit the policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// A name that the policy does not declare.
    #[error("the policy has no parameter `{name}`; it has {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The names it has.
        known: String,
    },
    /// A value of another type.
    #[error("the parameter `{name}` is {found}: write {wanted}")]
    Type {
        /// The name.
        name: String,
        /// The value, shortened.
        found: String,
        /// What it may be.
        wanted: &'static str,
    },
    /// A value that must be given.
    #[error("the parameter `{name}` must be given: write {wanted}")]
    Missing {
        /// The name.
        name: String,
        /// What it may be.
        wanted: &'static str,
    },
}

fn parse(kind: ParameterType, value: &Value) -> Option<Parameter> {
    let whole = |value: &Value, least: i64| value.as_i64().filter(|number| *number >= least);
    Some(match kind {
        ParameterType::Text => Parameter::Text(value.as_str()?.to_owned()),
        ParameterType::Integer => Parameter::Integer(whole(value, 0)?),
        ParameterType::Number => Parameter::Number(value.as_f64()?),
        ParameterType::Truth => Parameter::Truth(value.as_bool()?),
        ParameterType::Duration => Parameter::Duration(duration(value.as_str()?).ok()?),
        ParameterType::Moment => Parameter::Moment(value.as_str()?.parse().ok()?),
        ParameterType::Texts => {
            let list = value.as_array().filter(|list| list.len() <= MOST_ENTRIES)?;
            Parameter::Texts(list.iter().map(|text| text.as_str().map(str::to_owned)).collect::<Option<_>>()?)
        }
        ParameterType::Counts => {
            let table = value.as_object().filter(|table| table.len() <= MOST_ENTRIES)?;
            Parameter::Counts(
                table
                    .iter()
                    .map(|(name, count)| Some((name.clone(), whole(count, 1)?)))
                    .collect::<Option<_>>()?,
            )
        }
    })
}

/// Checks what a gate gives against what its policy declares, and fills in the defaults.
///
/// # Errors
/// [`ParameterError`] for the first that is unknown, of another type, or missing.
pub(crate) fn check(
    declared: &BTreeMap<String, Declared>,
    given: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Parameter>, ParameterError> {
    if let Some(name) = given.keys().find(|name| !declared.contains_key(*name)) {
        let known: Vec<_> = declared.keys().map(|name| format!("`{name}`")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(ParameterError::Unknown { name: name.clone(), known });
    }
    declared
        .iter()
        .map(|(name, declared)| {
            let wanted = declared.kind.wanted();
            let value = given
                .get(name)
                .or(declared.default.as_ref())
                .ok_or_else(|| ParameterError::Missing { name: name.clone(), wanted })?;
            let parameter = parse(declared.kind, value).ok_or_else(|| ParameterError::Type {
                name: name.clone(),
                found: format!("`{}`", value.to_string().chars().take(80).collect::<String>()),
                wanted,
            })?;
            Ok((name.clone(), parameter))
        })
        .collect()
}

impl Parameter {
    /// The value that a script gets.
    pub(crate) fn dynamic(&self) -> Dynamic {
        let text = |text: &String| Dynamic::from(ImmutableString::from(text.as_str()));
        match self {
            Self::Text(value) => text(value),
            Self::Integer(value) => Dynamic::from_int(*value),
            Self::Number(value) => Dynamic::from_float(*value),
            Self::Truth(value) => Dynamic::from_bool(*value),
            Self::Duration(value) => Dynamic::from(*value),
            Self::Moment(value) => Dynamic::from(*value),
            Self::Texts(values) => values.iter().map(text).collect::<Vec<_>>().into(),
            Self::Counts(counts) => {
                let entries =
                    counts.iter().map(|(name, count)| (name.as_str().into(), Dynamic::from_int(*count)));
                Dynamic::from_map(entries.collect::<Map>())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn declared(kind: ParameterType, default: Option<Value>) -> BTreeMap<String, Declared> {
        BTreeMap::from([("p".to_owned(), Declared { kind, doc: "a test's".to_owned(), default })])
    }

    #[test]
    fn each_type_takes_its_values_and_no_others() {
        use ParameterType as T;
        for (kind, good, bad) in [
            (T::Text, json!("x"), json!(1)),
            (T::Integer, json!(3), json!(-1)),
            (T::Integer, json!(0), json!("3")),
            (T::Integer, json!(0), json!(1.5)),
            (T::Number, json!(1.5), json!("1.5")),
            (T::Truth, json!(true), json!("true")),
            (T::Duration, json!("7d"), json!(7)),
            (T::Duration, json!("8h 30m"), json!("a week")),
            (T::Moment, json!("2026-01-05T09:00:00Z"), json!("2026-01-05")),
            (T::Texts, json!(["a"]), json!(["a", 1])),
            (T::Counts, json!({"qa": 1}), json!({"qa": 0})),
        ] {
            let given = |value: &Value| BTreeMap::from([("p".to_owned(), value.clone())]);
            assert!(check(&declared(kind, None), &given(&good)).is_ok(), "{kind:?} {good}");
            let error = check(&declared(kind, None), &given(&bad)).unwrap_err().to_string();
            assert!(error.starts_with("the parameter `p` is") && error.contains("write"), "{error}");
        }
    }

    #[test]
    fn unknown_and_missing_parameters_are_errors_and_defaults_count() {
        let declared_one = declared(ParameterType::Integer, None);
        let error =
            check(&declared_one, &BTreeMap::from([("q".to_owned(), json!(1))])).unwrap_err().to_string();
        assert_eq!(error, "the policy has no parameter `q`; it has `p`");
        let error = check(&declared_one, &BTreeMap::new()).unwrap_err().to_string();
        assert_eq!(error, "the parameter `p` must be given: write a whole number of 0 or more");
        let filled = check(&declared(ParameterType::Integer, Some(json!(7))), &BTreeMap::new()).unwrap();
        assert_eq!(filled.get("p"), Some(&Parameter::Integer(7)));
    }
}
