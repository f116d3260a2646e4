//! What a lint rule knows of a value without running the policy.

use std::collections::{BTreeMap, BTreeSet};

use crate::vocabulary::{Documented, reference};

/// Names of fields, or places in a source, of which something is known.
pub(super) type Names = BTreeSet<String>;

/// What is known of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// One fact of a type, with the fields that are known to be there.
    Fact(&'static str, Names),
    /// A list of facts, with the fields that are known to be there, and whether all are in it.
    List(&'static str, Names, bool),
    /// The gate's parameters.
    Parameters,
    /// A field of a type of fact, and whether it may be missing.
    Value { of: &'static str, name: String, may_be_missing: bool },
    /// A truth: the places that have a value once it is true, and once it is false.
    Truth { when_true: Names, when_false: Names },
    /// Anything.
    Unknown,
}

impl Shape {
    fn list(of: &'static str) -> Self {
        Self::List(of, Names::new(), true)
    }

    fn fact(of: &'static str) -> Self {
        Self::Fact(of, Names::new())
    }

    /// A value that is always there.
    pub(super) fn present(name: &str) -> Self {
        Self::Value { of: "", name: name.to_owned(), may_be_missing: false }
    }

    /// What is known of a value that has either shape.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (same, other) if same == other => same,
            (Self::Fact(of, a), Self::Fact(other, b)) if of == other => Self::Fact(of, common(&a, &b)),
            (Self::List(of, a, is_all), Self::List(other, b, also)) if of == other => {
                Self::List(of, common(&a, &b), is_all || also)
            }
            (
                Self::Value { of, name, may_be_missing },
                Self::Value { of: other, name: other_name, may_be_missing: also },
            ) if of == other && name == other_name => {
                Self::Value { of, name, may_be_missing: may_be_missing || also }
            }
            (Self::Truth { when_true, when_false }, Self::Truth { when_true: t, when_false: f }) => {
                Self::Truth { when_true: common(&when_true, &t), when_false: common(&when_false, &f) }
            }
            _ => Self::Unknown,
        }
    }
}

/// What both name.
pub(super) fn common(a: &Names, b: &Names) -> Names {
    a.intersection(b).cloned().collect()
}

/// The shapes of variables that every policy can have.
pub(super) fn of_variable(name: &str) -> Option<Shape> {
    Some(match name {
        "workspace" => Shape::fact("workspace"),
        "transition" => Shape::fact("transition"),
        "app" => Shape::fact("app"),
        "plan" => Shape::fact("plan"),
        "scan" => Shape::fact("scan"),
        "evidence" => Shape::list("evidence"),
        "approvals" => Shape::list("approval"),
        "waivers" => Shape::list("waiver"),
        "history" => Shape::list("past transition"),
        "plugins" => Shape::list("plugin"),
        "environments" => Shape::list("environment of the workspace"),
        "people" => Shape::list("person"),
        "calendars" => Shape::list("calendar"),
        "now" => Shape::present("now"),
        "params" => Shape::Parameters,
        _ => return None,
    })
}

/// Facts that are reached through another fact.
pub(super) fn within(fact: &str, member: &str) -> Option<Shape> {
    Some(match (fact, member) {
        ("transition", "from" | "to") => Shape::fact("environment"),
        ("plan", "changes") => Shape::list("change"),
        ("plan", "sources") => Shape::list("source"),
        ("plan", "credentials") => Shape::list("credential"),
        ("plan", "still_pointing_at_source") => Shape::list("leftover"),
        ("scan", "secrets") => Shape::list("secret"),
        ("scan", "personal_data") => Shape::list("personal datum"),
        _ => return None,
    })
}

/// Lists that may hold 100,000 facts.
pub(super) const LARGE: [&str; 4] = ["change", "leftover", "personal datum", "past transition"];

/// The fields that evidence of each kind has.
const PAYLOADS: [(&str, &[&str]); 5] = [
    ("tests", &["suite", "executed", "failed", "errors", "skipped"]),
    ("coverage", &["suite", "unit", "covered_hundredths"]),
    ("acceptance", &["scope", "accepted"]),
    ("performance", &["measure", "samples", "p95_ms"]),
    ("masking", &["source", "method"]),
];

/// The fields that are there where a field of a fact is, with itself.
pub(super) fn there_with(fact: &str, field: &str) -> Names {
    let together: &[&str] = match (fact, field) {
        ("plan", "age" | "cut_at") => &["age", "cut_at"],
        ("credential", "age" | "set_at") => &["age", "set_at"],
        ("evidence", _) => {
            let mut having = PAYLOADS.iter().filter(|(_, fields)| fields.contains(&field));
            match (having.next(), having.next()) {
                (Some((_, fields)), None) => fields,
                _ => &[],
            }
        }
        _ => &[],
    };
    together.iter().copied().chain([field]).map(str::to_owned).collect()
}

/// The fields that are there where a field of a fact has this value.
pub(super) fn there_where(fact: &str, field: &str, value: &str) -> Names {
    let is_kind = (fact, field) == ("evidence", "kind");
    let payload = PAYLOADS.iter().find(|(kind, _)| is_kind && *kind == value);
    payload.into_iter().flat_map(|(_, fields)| *fields).map(|field| (*field).to_owned()).collect()
}

/// The fields of each type of fact, and whether they may be missing.
pub(super) struct Members(BTreeMap<&'static str, BTreeMap<&'static str, bool>>);

impl Members {
    pub(super) fn new() -> Self {
        let mut members: BTreeMap<_, BTreeMap<_, bool>> = BTreeMap::new();
        for Documented { of, name, may_be_missing, .. } in reference() {
            let fields = members.entry(of).or_default();
            if !name.is_empty() {
                fields.insert(name, may_be_missing);
            }
        }
        Self(members)
    }

    pub(super) fn may_be_missing(&self, fact: &str, field: &str) -> Option<bool> {
        self.0.get(fact)?.get(field).copied()
    }

    pub(super) fn names(&self, fact: &str) -> String {
        let names = self.0.get(fact).into_iter().flat_map(BTreeMap::keys);
        names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Evidence, Facts};
    use crate::samples;
    use crate::vocabulary::{Cell, EvidenceFact, Fact as _};

    #[test]
    fn evidence_has_the_fields_of_its_kind_and_no_others() {
        let facts: Facts = serde_json::from_value(samples::facts()).unwrap();
        let sample = facts.evidence.clone().unwrap().remove(0);
        for (kind, fields) in PAYLOADS {
            let payload = match kind {
                "tests" => {
                    serde_json::json!({"tests": {"suite": "u", "executed": 1, "failed": 0, "errors": 0, "skipped": 0}})
                }
                "coverage" => {
                    serde_json::json!({"coverage": {"suite": "u", "unit": "line", "total": 2, "covered": 1}})
                }
                "acceptance" => serde_json::json!({"acceptance": {"scope": "s", "accepted": true}}),
                "performance" => {
                    serde_json::json!({"performance": {"measure": "m", "samples": 1, "p95_ms": 1}})
                }
                _ => serde_json::json!({"masking": {"source": "s", "method": "m"}}),
            };
            let evidence = Evidence { payload: serde_json::from_value(payload).unwrap(), ..sample.clone() };
            for field in EvidenceFact::FIELDS {
                let is_of_a_payload = PAYLOADS.iter().any(|(_, fields)| fields.contains(&field.name));
                let is_there = !matches!((field.get)(&evidence, &facts), Cell::Missing);
                assert!(
                    !is_of_a_payload || is_there == fields.contains(&field.name),
                    "{kind} {}",
                    field.name
                );
            }
        }
    }

    #[test]
    fn what_is_there_together() {
        for (fact, field, all) in [
            ("plan", "age", "age cut_at"),
            ("plan", "signer", "signer"),
            ("credential", "set_at", "age set_at"),
            ("evidence", "scope", "accepted scope"),
            ("evidence", "suite", "suite"),
            ("source", "tls", "tls"),
        ] {
            let told: Vec<_> = there_with(fact, field).into_iter().collect();
            assert_eq!(told.join(" "), all, "{fact} {field}");
        }
        assert!(there_where("evidence", "kind", "tests").contains("failed"));
        assert!(there_where("evidence", "suite", "tests").is_empty());
        assert!(there_where("past transition", "kind", "tests").is_empty());
    }
}
