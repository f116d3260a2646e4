//! Parameters of policies: declared as JSON Schema, given by gates, checked when loaded.
//!
//! Source of the keywords: JSON Schema, draft 2020-12 (core and validation). Only those that a
//! parameter needs are known, so that every one of them is checked.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rhai::{Dynamic, ImmutableString, Map};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::value::{duration, heap_bytes};

/// Entries that a list or table of a parameter may have.
const MOST_ENTRIES: usize = 200;

/// What a value is: the `type` of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// Some text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list, all of whose values are alike.
    Array,
    /// A table, all of whose values are alike.
    Object,
}

/// What a text means: the `format` of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A length of time, such as `7d`, `8h 30m` or, by ISO 8601, `PT8H`.
    Duration,
    /// A moment (RFC 3339).
    DateTime,
    /// The name of a calendar of the configuration.
    Calendar,
    /// The name of a role of the configuration.
    Role,
    /// The name of a person of the configuration.
    Person,
    /// The name of who publishes plugins: one of the configuration's publishers, or a person.
    Publisher,
}

impl Format {
    /// What of a configuration the text names, in a word, if it names something of it.
    #[must_use]
    pub const fn named(self) -> Option<&'static str> {
        match self {
            Self::Duration | Self::DateTime => None,
            Self::Calendar => Some("calendar"),
            Self::Role => Some("role"),
            Self::Person => Some("person"),
            Self::Publisher => Some("publisher"),
        }
    }
}

/// A parameter as a policy declares it, or what the values of a list or table are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schema {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Type,
    /// What a text means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What it is for, with its unit. A parameter has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The value where a gate gives none; a parameter without one must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The least that a number may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<i64>,
    /// The most that a number may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<i64>,
    /// The only values that it may have.
    #[serde(default, rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Value>,
    /// What the values of a list are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Schema>>,
    /// What the values of a table are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_properties: Option<Box<Schema>>,
    /// What the names in a table are: texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property_names: Option<Box<Schema>>,
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
    List(Vec<Parameter>),
    Table(BTreeMap<String, Parameter>),
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
    /// A value of another type, or out of bounds.
    #[error("the parameter `{name}` is {found}: write {wanted}")]
    Type {
        /// The name.
        name: String,
        /// The value, shortened.
        found: String,
        /// What it may be.
        wanted: String,
    },
    /// A value that must be given.
    #[error("the parameter `{name}` must be given: write {wanted}")]
    Missing {
        /// The name.
        name: String,
        /// What it may be.
        wanted: String,
    },
}

impl Schema {
    /// What to write, in words.
    #[must_use]
    pub fn wanted(&self) -> String {
        if !self.one_of.is_empty() {
            let values: Vec<_> = self.one_of.iter().map(|value| format!("`{value}`")).collect();
            return values.join(" or ");
        }
        let what = match (self.kind, self.format) {
            (Type::String, None) => "a text",
            (Type::String, Some(Format::Duration)) => "a duration such as `\"7d\"` or `\"8h\"`",
            (Type::String, Some(Format::DateTime)) => "a moment such as `\"2026-01-05T09:00:00Z\"`",
            (Type::String, Some(Format::Calendar)) => "the name of a calendar",
            (Type::String, Some(Format::Role)) => "the name of a role",
            (Type::String, Some(Format::Person)) => "the name of a person",
            (Type::String, Some(Format::Publisher)) => "the name of a publisher",
            (Type::Integer, _) => "a whole number",
            (Type::Number, _) => "a number",
            (Type::Boolean, _) => "`true` or `false`",
            (Type::Array, _) => return format!("a list, each {}", Self::each(self.items.as_deref())),
            (Type::Object, _) => {
                return format!(
                    "a table of names, each with {}",
                    Self::each(self.additional_properties.as_deref())
                );
            }
        };
        match (self.minimum, self.maximum) {
            (Some(least), Some(most)) => format!("{what} from {least} to {most}"),
            (Some(least), None) => format!("{what} of {least} or more"),
            (None, Some(most)) => format!("{what} of {most} or less"),
            (None, None) => what.to_owned(),
        }
    }

    fn each(of: Option<&Self>) -> String {
        of.map_or_else(String::new, Self::wanted)
    }

    /// What contradicts itself in a declaration, if something does.
    pub(crate) fn problem(&self) -> Option<String> {
        let needs = |member: &Option<Box<Self>>, wanted: bool, name: &str, kind: &str| match member {
            Some(inner) if wanted => inner.problem(),
            Some(_) => Some(format!("`{name}` is for a {kind} only")),
            None => wanted.then(|| format!("a {kind} needs `{name}`, what its values are")),
        };
        let is_number = matches!(self.kind, Type::Integer | Type::Number);
        if self.format.is_some() && self.kind != Type::String {
            return Some("`format` is for a `string` only".to_owned());
        }
        if (self.minimum.is_some() || self.maximum.is_some()) && !is_number {
            return Some("`minimum` and `maximum` are for numbers only".to_owned());
        }
        if let (Some(least), Some(most)) = (self.minimum, self.maximum)
            && least > most
        {
            return Some(format!("`minimum` is {least} and `maximum` is {most}: no number fits"));
        }
        if let Some(names) = self.property_names.as_deref() {
            if self.kind != Type::Object {
                return Some("`propertyNames` is for a table (`object`) only".to_owned());
            }
            if names.kind != Type::String {
                return Some("`propertyNames` are of the type `string`".to_owned());
            }
        }
        needs(&self.items, self.kind == Type::Array, "items", "list (`array`)").or_else(|| {
            let wanted = self.kind == Type::Object;
            needs(&self.additional_properties, wanted, "additionalProperties", "table (`object`)")
        })
    }

    /// What of a configuration a value names, and by which names.
    #[must_use]
    pub fn named<'v>(&self, value: &'v Value) -> Vec<(Format, &'v str)> {
        match value {
            Value::String(text) => self
                .format
                .filter(|format| format.named().is_some())
                .map(|format| (format, &**text))
                .into_iter()
                .collect(),
            Value::Array(list) => {
                let each = self.items.as_deref();
                each.map_or_else(Vec::new, |each| list.iter().flat_map(|value| each.named(value)).collect())
            }
            Value::Object(table) => {
                let format = self.property_names.as_deref().and_then(|names| names.format);
                let names = format.filter(|format| format.named().is_some()).into_iter();
                let names = names.flat_map(|format| table.keys().map(move |name| (format, &**name)));
                let each = self.additional_properties.as_deref();
                names
                    .chain(
                        each.into_iter().flat_map(|each| table.values().flat_map(|value| each.named(value))),
                    )
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn parse(&self, value: &Value) -> Option<Parameter> {
        if !self.one_of.is_empty() && !self.one_of.contains(value) {
            return None;
        }
        let within = |number: f64| {
            #[expect(clippy::cast_precision_loss, reason = "bounds are small numbers that a person wrote")]
            let bound = |bound: i64| bound as f64;
            self.minimum.is_none_or(|least| number >= bound(least))
                && self.maximum.is_none_or(|most| number <= bound(most))
        };
        Some(match (self.kind, self.format) {
            (
                Type::String,
                None | Some(Format::Calendar | Format::Role | Format::Person | Format::Publisher),
            ) => Parameter::Text(value.as_str()?.to_owned()),
            (Type::String, Some(Format::Duration)) => Parameter::Duration(duration(value.as_str()?).ok()?),
            (Type::String, Some(Format::DateTime)) => Parameter::Moment(value.as_str()?.parse().ok()?),
            (Type::Integer, _) => {
                let number = value.as_i64()?;
                let fits = self.minimum.is_none_or(|least| number >= least)
                    && self.maximum.is_none_or(|most| number <= most);
                fits.then_some(Parameter::Integer(number))?
            }
            (Type::Number, _) => Parameter::Number(value.as_f64().filter(|number| within(*number))?),
            (Type::Boolean, _) => Parameter::Truth(value.as_bool()?),
            (Type::Array, _) => {
                let list = value.as_array().filter(|list| list.len() <= MOST_ENTRIES)?;
                let each = self.items.as_deref()?;
                Parameter::List(list.iter().map(|value| each.parse(value)).collect::<Option<_>>()?)
            }
            (Type::Object, _) => {
                let table = value.as_object().filter(|table| table.len() <= MOST_ENTRIES)?;
                let each = self.additional_properties.as_deref()?;
                Parameter::Table(
                    table
                        .iter()
                        .map(|(name, value)| Some((name.clone(), each.parse(value)?)))
                        .collect::<Option<_>>()?,
                )
            }
        })
    }
}

/// What a duration is written like, in a regular expression of JSON Schema (ECMA-262): a number and
/// a unit, as often as needed, or hours, minutes and seconds by the clock, or ISO 8601. The format
/// `duration` of JSON Schema is the last of these only. All that [`duration`] takes is meant by it.
const DURATION_PATTERN: &str = concat!(
    r"^\+?(?:[0-9]+(?:[.,][0-9]+)?\s*[A-Za-zµμ]+,?\s*|[0-9]+:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?\s*)+$",
    r"|^\+?[Pp](?:[0-9]+[WwDd])*(?:[Tt](?:[0-9]+(?:[.,][0-9]+)?[HhMmSs])+)?$",
);

impl Schema {
    /// Its JSON Schema for programs that know the standard only.
    fn standard(&self) -> Value {
        let mut schema = json!(self);
        let inner = [("items", &self.items), ("additionalProperties", &self.additional_properties)];
        for (name, inner) in inner {
            if let (Some(place), Some(inner)) = (schema.get_mut(name), inner) {
                *place = inner.standard();
            }
        }
        if let (Some(Format::Duration), Some(members)) = (self.format, schema.as_object_mut()) {
            members.remove("format");
            members.insert("pattern".to_owned(), DURATION_PATTERN.into());
        }
        schema
    }
}

/// The JSON Schema (draft 2020-12) of all parameters of a policy together.
#[must_use]
pub(crate) fn schema(declared: &BTreeMap<String, Schema>) -> Value {
    let properties: BTreeMap<&String, Value> =
        declared.iter().map(|(name, one)| (name, one.standard())).collect();
    let required: Vec<&String> =
        declared.iter().filter(|(_, one)| one.default.is_none()).map(|(name, _)| name).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// Checks what a gate gives against what its policy declares, and fills in the defaults.
///
/// # Errors
/// [`ParameterError`] for the first that is unknown, of another type, or missing.
pub(crate) fn check(
    declared: &BTreeMap<String, Schema>,
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
            let value = given
                .get(name)
                .or(declared.default.as_ref())
                .ok_or_else(|| ParameterError::Missing { name: name.clone(), wanted: declared.wanted() })?;
            let parameter = declared.parse(value).ok_or_else(|| ParameterError::Type {
                name: name.clone(),
                found: format!("`{}`", value.to_string().chars().take(80).collect::<String>()),
                wanted: declared.wanted(),
            })?;
            Ok((name.clone(), parameter))
        })
        .collect()
}

impl Parameter {
    /// The value that a script gets.
    fn dynamic(&self) -> Dynamic {
        match self {
            Self::Text(value) => ImmutableString::from(value.as_str()).into(),
            Self::Integer(value) => Dynamic::from_int(*value),
            Self::Number(value) => Dynamic::from_float(*value),
            Self::Truth(value) => Dynamic::from_bool(*value),
            Self::Duration(value) => Dynamic::from(*value),
            Self::Moment(value) => Dynamic::from(*value),
            Self::List(values) => values.iter().map(Self::dynamic).collect::<Vec<_>>().into(),
            Self::Table(values) => {
                let entries = values.iter().map(|(name, value)| (name.as_str().into(), value.dynamic()));
                Dynamic::from_map(entries.collect::<Map>())
            }
        }
    }
}

/// A gate's parameters as scripts get them, each with the bytes that a copy of it takes.
#[derive(Debug)]
pub(crate) struct Values(BTreeMap<String, (Dynamic, u64)>);

impl Values {
    pub(crate) fn of(parameters: &BTreeMap<String, Parameter>) -> Self {
        let value = |parameter: &Parameter| {
            let value = parameter.dynamic();
            let bytes = heap_bytes(&value);
            (value, bytes)
        };
        Self(parameters.iter().map(|(name, parameter)| (name.clone(), value(parameter))).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&(Dynamic, u64)> {
        self.0.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(schema: Value) -> BTreeMap<String, Schema> {
        BTreeMap::from([("p".to_owned(), serde_json::from_value(schema).unwrap())])
    }

    fn given(value: &Value) -> BTreeMap<String, Value> {
        BTreeMap::from([("p".to_owned(), value.clone())])
    }

    #[test]
    fn each_type_takes_its_values_and_no_others() {
        for (schema, good, bad) in [
            (json!({"type": "string"}), json!("x"), json!(1)),
            (json!({"type": "string", "enum": ["a", "b"]}), json!("b"), json!("c")),
            (json!({"type": "integer", "minimum": 0}), json!(3), json!(-1)),
            (json!({"type": "integer", "maximum": 9}), json!(-3), json!(10)),
            (json!({"type": "integer"}), json!(0), json!("3")),
            (json!({"type": "integer"}), json!(0), json!(1.5)),
            (json!({"type": "number", "minimum": 1}), json!(1.5), json!(0.5)),
            (json!({"type": "number"}), json!(1.5), json!("1.5")),
            (json!({"type": "boolean"}), json!(true), json!("true")),
            (json!({"type": "string", "format": "duration"}), json!("7d"), json!(7)),
            (json!({"type": "string", "format": "duration"}), json!("8h 30m"), json!("a week")),
            (
                json!({"type": "string", "format": "date-time"}),
                json!("2026-01-05T09:00:00Z"),
                json!("2026-01-05"),
            ),
            (json!({"type": "array", "items": {"type": "string"}}), json!(["a"]), json!(["a", 1])),
            (json!({"type": "array", "items": {"type": "integer"}}), json!([1, 2]), json!(["a"])),
            (
                json!({"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}}),
                json!({"qa": 1}),
                json!({"qa": 0}),
            ),
        ] {
            let declared = declared(schema.clone());
            assert!(declared["p"].problem().is_none(), "{schema}");
            assert!(check(&declared, &given(&good)).is_ok(), "{schema} {good}");
            let error = check(&declared, &given(&bad)).unwrap_err().to_string();
            assert!(error.starts_with("the parameter `p` is") && error.contains("write"), "{error}");
        }
    }

    #[test]
    fn what_a_value_names_of_a_configuration_is_known() {
        use Format::{Calendar, Person, Role};
        let roles = json!({"type": "object", "propertyNames": {"type": "string", "format": "role"},
            "additionalProperties": {"type": "array", "items": {"type": "string", "format": "person"}}});
        for (schema, value, named) in [
            (json!({"type": "string", "format": "calendar"}), json!("hours"), vec![(Calendar, "hours")]),
            (json!({"type": "string"}), json!("hours"), vec![]),
            (json!({"type": "string", "format": "duration"}), json!("7d"), vec![]),
            (
                json!({"type": "array", "items": {"type": "string", "format": "role"}}),
                json!(["qa", "ops"]),
                vec![(Role, "qa"), (Role, "ops")],
            ),
            (roles, json!({"qa": ["ann"], "ops": []}), vec![(Role, "ops"), (Role, "qa"), (Person, "ann")]),
        ] {
            let declared = declared(schema.clone());
            assert!(declared["p"].problem().is_none(), "{schema}");
            assert!(check(&declared, &given(&value)).is_ok(), "{schema}");
            assert_eq!(declared["p"].named(&value), named, "{schema}");
        }
    }

    #[test]
    fn declarations_that_contradict_themselves_are_told() {
        for (schema, problem) in [
            (
                json!({"type": "array", "items": {"type": "string"}, "propertyNames": {"type": "string"}}),
                "`propertyNames` is for a table (`object`) only",
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "string"}, "propertyNames": {"type": "integer"}}),
                "`propertyNames` are of the type `string`",
            ),
            (json!({"type": "integer", "format": "duration"}), "`format` is for a `string` only"),
            (json!({"type": "string", "minimum": 1}), "`minimum` and `maximum` are for numbers only"),
            (
                json!({"type": "array", "items": {"type": "integer", "minimum": 3, "maximum": 2}}),
                "`minimum` is 3 and `maximum` is 2: no number fits",
            ),
            (json!({"type": "array"}), "a list (`array`) needs `items`, what its values are"),
            (json!({"type": "string", "items": {"type": "string"}}), "`items` is for a list (`array`) only"),
            (
                json!({"type": "object"}),
                "a table (`object`) needs `additionalProperties`, what its values are",
            ),
        ] {
            assert_eq!(declared(schema)["p"].problem().as_deref(), Some(problem));
        }
        assert!(serde_json::from_value::<Schema>(json!({"type": "string", "pattern": "x"})).is_err());
    }

    #[test]
    fn unknown_and_missing_parameters_are_errors_and_defaults_count() {
        let one = declared(json!({"type": "integer", "minimum": 0}));
        let error = check(&one, &BTreeMap::from([("q".to_owned(), json!(1))])).unwrap_err().to_string();
        assert_eq!(error, "the policy has no parameter `q`; it has `p`");
        let error = check(&one, &BTreeMap::new()).unwrap_err().to_string();
        assert_eq!(error, "the parameter `p` must be given: write a whole number of 0 or more");
        let filled = check(&declared(json!({"type": "integer", "default": 7})), &BTreeMap::new()).unwrap();
        assert_eq!(filled.get("p"), Some(&Parameter::Integer(7)));
    }

    #[test]
    fn the_schema_says_of_durations_what_is_taken() {
        let declared: BTreeMap<String, Schema> = serde_json::from_value(json!({
            "age": {"type": "string", "format": "duration", "default": "7d", "description": "how old"},
            "ages": {"type": "array", "items": {"type": "string", "format": "duration"}, "description": "a"},
            "by": {
                "type": "object", "additionalProperties": {"type": "string", "format": "duration"},
                "description": "b",
            },
            "then": {"type": "string", "format": "date-time", "description": "c"},
        }))
        .unwrap();
        let schema = schema(&declared);
        let then = json!({"type": "string", "format": "date-time", "description": "c"});
        assert_eq!(schema["properties"]["then"], then);
        assert_eq!(schema["required"], json!(["ages", "by", "then"]));
        let pattern = json!(DURATION_PATTERN);
        for at in ["/age", "/ages/items", "/by/additionalProperties"] {
            let duration = schema["properties"].pointer(at).unwrap();
            assert_eq!(duration["pattern"], pattern, "{at}");
            assert_eq!(duration.get("format"), None, "{at}");
        }
        let pattern = regex::Regex::new(DURATION_PATTERN).unwrap();
        for taken in
            ["7d", "8h 30m", "PT8H", "p1dt2.5h", "1 week, 2 days", "90 minutes", "01:30:00", "+3d", "5µs"]
        {
            assert!(duration(taken).is_ok() && pattern.is_match(taken), "{taken}");
        }
        for other in ["", "7", "-7d", "a week", "7d!", "tomorrow", "T8H", "12:30"] {
            assert!(duration(other).is_err() && !pattern.is_match(other), "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_duration_that_is_taken_is_meant_by_the_pattern(text in "[+]?[pP]?([0-9]{1,3}[.,:T ]?(d|w|h|H|m|M|s|S|hrs| mins?| days?|ms|us|ns)?[, T]{0,2}){1,4}") {
            if duration(&text).is_ok() {
                proptest::prop_assert!(regex::Regex::new(DURATION_PATTERN).unwrap().is_match(&text), "{}", text);
            }
        }
    }
}
