//! Taking declared secrets out of a data source's options.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::{Map, Value};
use sluice_model::content::{self, Part};
use sluice_model::slot::{SecretShape, SlotRule};
use sluice_model::{Pointer, SlotName};

use crate::SecretText;
use crate::connection;
use crate::promise::{self, Promise};
use crate::suspect;

/// A declared secret that was taken out.
pub(crate) struct TakenSlot {
    /// Where, relative to the options.
    pub(crate) at: Pointer,
    pub(crate) slot: SlotName,
    pub(crate) value: SecretText,
}

/// Puts marks where `rules` say that secrets are; answers the values.
pub(crate) fn take(options: &mut Value, rules: &[SlotRule]) -> Vec<TakenSlot> {
    let mut names = BTreeSet::new();
    let mut taken = Vec::new();
    take_credentials(options, rules, &mut names, &mut taken);
    for rule in rules {
        for (at, suffix) in places(options, &rule.at) {
            let promised = rule.shape != SecretShape::HeaderValue || is_secret_pair(options, &at);
            let Some(value) = at.get_mut(options).filter(|_| promised) else { continue };
            let Some((mark, found)) = take_one(value, &rule.shape, || named(&mut names, &rule.name, &suffix))
            else {
                continue;
            };
            *value = mark;
            taken.extend(found.into_iter().map(|(slot, value)| TakenSlot { at: at.clone(), slot, value }));
        }
    }
    taken
}

/// Where declared secrets stand in the clear in some options.
#[must_use]
pub fn declared_in_the_clear(options: &Value, rules: &[SlotRule]) -> Vec<(Pointer, SlotName)> {
    take(&mut options.clone(), rules).into_iter().map(|taken| (taken.at, taken.slot)).collect()
}

/// ToolJet's `{value, encrypted}` that belong to the environment: no rule has to name them.
fn take_credentials(
    options: &mut Value,
    rules: &[SlotRule],
    names: &mut BTreeSet<SlotName>,
    taken: &mut Vec<TakenSlot>,
) {
    let Some(members) = options.as_object_mut() else { return };
    for (option, member) in members {
        let Some(member) = member.as_object_mut() else { continue };
        let credential = credential(member);
        member.remove(CREDENTIAL_ID);
        let Some(Credential { value }) = credential else { continue };
        let at = Pointer::root().child(option).child("value");
        let declared = rules.iter().find(|rule| rule.at == at).map(|rule| rule.name.clone());
        let Some(slot) = declared.or_else(|| credential_name(option)) else { continue };
        let slot = named(names, &slot, "");
        taken.extend(value.map(|value| TakenSlot { at, slot: slot.clone(), value }));
        member.insert("value".to_owned(), content::mark(&[Part::Slot(slot)]));
    }
}

/// Where ToolJet keeps the value of an option that it encrypts. The id is of one environment.
pub(crate) const CREDENTIAL_ID: &str = "credential_id";

/// A value that the platform says is a secret, as far as the export has it.
pub(crate) struct Credential {
    pub(crate) value: Option<SecretText>,
}

/// What ToolJet itself says is secret: what it keeps under a credential's id, and what it marks as
/// encrypted. An expression is none, whatever the mark says: the platform looks up what it names.
pub(crate) fn credential(members: &Map<String, Value>) -> Option<Credential> {
    let elsewhere = members.contains_key(CREDENTIAL_ID);
    if !(elsewhere || members.get("encrypted") == Some(&Value::Bool(true))) {
        return None;
    }
    let value = match members.get("value") {
        Some(Value::String(text)) if text.contains("{{") && !is_value(text) => return None,
        Some(Value::Bool(value)) if elsewhere => Some(SecretText::new(value.to_string())),
        Some(marked) if content::parts(marked).is_some() => return None,
        value => value.and_then(secret_text),
    };
    (elsewhere || value.is_some()).then_some(Credential { value })
}

/// The name of the slot for an option that no rule names.
pub(crate) fn credential_name(option: &str) -> Option<SlotName> {
    SlotName::new(option).or_else(|_| SlotName::new("credential")).ok()
}

/// The name with its suffix, and a number where it is taken already.
pub(crate) fn named(names: &mut BTreeSet<SlotName>, name: &SlotName, suffix: &str) -> SlotName {
    let base = if suffix.is_empty() { name.to_string() } else { format!("{name}-{suffix}") };
    let base: String = base.chars().take(180).collect();
    let mut candidates = std::iter::once(base.clone())
        .chain((2..).map(|n: u32| format!("{base}-{n}")))
        .filter_map(|text| SlotName::new(text).ok())
        .filter(|candidate| !names.contains(candidate));
    let free = candidates.next().unwrap_or_else(|| name.clone());
    names.insert(free.clone());
    free
}

/// The places that a rule's pointer means, each with the tokens that `*` stood for.
fn places(options: &Value, pattern: &Pointer) -> Vec<(Pointer, String)> {
    let mut found = vec![(Pointer::root(), String::new())];
    for token in pattern.tokens() {
        let mut next = Vec::new();
        for (at, suffix) in found {
            let here = at.get(options);
            if token != "*" {
                next.push((at.child(token), suffix));
                continue;
            }
            let tokens: Vec<String> = match here {
                Some(Value::Array(items)) => (0..items.len()).map(|n| n.to_string()).collect(),
                Some(Value::Object(members)) => members.keys().cloned().collect(),
                _ => Vec::new(),
            };
            for token in tokens {
                let suffix = if suffix.is_empty() { token.clone() } else { format!("{suffix}-{token}") };
                next.push((at.child(token), suffix));
            }
        }
        found = next;
    }
    found.retain(|(at, _)| at.get(options).is_some());
    found
}

/// Whether the value at `at` is the second half of a pair whose name, or scheme, says secret.
fn is_secret_pair(options: &Value, at: &Pointer) -> bool {
    let Some(pair) = at.parent().and_then(|parent| parent.get(options)) else { return false };
    let name = match pair {
        Value::Array(items) => items.first(),
        Value::Object(members) => members.get("key").or_else(|| members.get("name")),
        _ => None,
    };
    let named =
        name.and_then(Value::as_str).is_some_and(|name| promise::of_parameter(name) != Promise::Nothing);
    let schemed = at.get(options).and_then(Value::as_str).is_some_and(|text| {
        let value = suspect::after_scheme(text);
        value.len() < text.trim_start().len() && value.len() >= 6
    });
    named || schemed
}

type Found = Vec<(SlotName, SecretText)>;

fn take_one(
    value: &Value,
    shape: &SecretShape,
    mut name: impl FnMut() -> SlotName,
) -> Option<(Value, Found)> {
    let parts = match value {
        Value::String(text) => vec![Part::Text(text.clone())],
        marked => match content::parts(marked) {
            Some(parts) if *shape != SecretShape::Whole => parts,
            Some(_) => return None,
            None if *shape == SecretShape::Whole => {
                let text = secret_text(marked)?;
                let slot = name();
                return Some((content::mark(&[Part::Slot(slot.clone())]), vec![(slot, text)]));
            }
            None => return None,
        },
    };
    let (mut rest, mut found) = (Vec::new(), Found::new());
    for part in parts {
        let Part::Text(text) = part else {
            rest.push(part);
            continue;
        };
        let mut done = 0;
        for (range, value) in secrets_in(&text, shape) {
            let slot = name();
            push_text(&mut rest, text.get(done..range.start));
            rest.push(Part::Slot(slot.clone()));
            found.push((slot, value));
            done = range.end;
        }
        push_text(&mut rest, text.get(done..));
    }
    (!found.is_empty()).then(|| (content::mark(&rest), found))
}

pub(crate) fn push_text(parts: &mut Vec<Part>, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        parts.push(Part::Text(text.to_owned()));
    }
}

/// A value that is not text but declared secret as a whole, as text.
fn secret_text(value: &Value) -> Option<SecretText> {
    match value {
        Value::Null | Value::Bool(_) => None,
        Value::String(text) => is_value(text).then(|| SecretText::new(text.clone())),
        Value::Number(number) => Some(SecretText::new(number.to_string())),
        Value::Array(items) if items.is_empty() => None,
        Value::Object(members) if members.is_empty() => None,
        other => String::from_utf8(sluice_model::json::canonical(other)).ok().map(SecretText::new),
    }
}

/// Whether a text holds a value of its own, not only expressions that the platform resolves.
fn is_value(text: &str) -> bool {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        if before.chars().any(char::is_alphanumeric) {
            return true;
        }
        rest = after.split_once("}}").map_or("", |(_, after)| after);
    }
    !rest.trim().is_empty()
}

fn secrets_in(text: &str, shape: &SecretShape) -> Vec<(Range<usize>, SecretText)> {
    let of = |range: Range<usize>| {
        let value = text.get(range.clone()).filter(|value| is_value(value))?;
        Some((range, SecretText::new(value)))
    };
    let range = match shape {
        SecretShape::Whole => Some(0..text.len()),
        SecretShape::HeaderValue => {
            let value = suspect::after_scheme(text);
            Some(text.len() - value.len()..text.len())
        }
        SecretShape::UrlUserinfo => userinfo_password(text),
        SecretShape::KeyValue(key) => {
            return connection::values(text, key).into_iter().filter_map(of).collect();
        }
        SecretShape::JsonMember(at) => return json_member(text, at).into_iter().collect(),
    };
    range.and_then(of).into_iter().collect()
}

/// RFC 3986 §3.2.1: between the first `:` of the user information and its last `@`.
fn userinfo_password(text: &str) -> Option<Range<usize>> {
    let start = text.find("://")? + 3;
    let authority = text.get(start..)?;
    // A password that was not escaped may hold what ends an authority, so take its last `@`.
    let end = authority.find(['?', '#', ' ']).unwrap_or(authority.len());
    let before_path = authority.get(..end)?;
    let at = match before_path.find('/') {
        Some(path) if before_path.get(..path)?.contains('@') => before_path.get(..path)?.rfind('@')?,
        _ => before_path.rfind('@')?,
    };
    let colon = before_path.get(..at)?.find(':')?;
    (colon + 1 < at).then_some(start + colon + 1..start + at)
}

/// The member's text inside JSON that is held as text; the whole text where it is not such JSON but
/// looks like the bare key.
fn json_member(text: &str, at: &Pointer) -> Option<(Range<usize>, SecretText)> {
    let Ok(document) = serde_json::from_str::<Value>(text) else {
        let bare = text.contains("PRIVATE KEY") || !text.trim_start().starts_with('{');
        return (bare && is_value(text)).then(|| (0..text.len(), SecretText::new(text)));
    };
    let value = match at.get(&document) {
        Some(Value::String(value)) if !value.is_empty() => value,
        None if document.is_string() || document.is_number() => {
            return Some((0..text.len(), SecretText::new(text)));
        }
        _ => return None,
    };
    let escaped = serde_json::to_string(value).ok()?;
    let escaped = escaped.get(1..escaped.len().saturating_sub(1))?;
    // Where the writer escaped otherwise than `serde` does, keep nothing of the text.
    let range = text.find(escaped).map_or(0..text.len(), |start| start..start + escaped.len());
    let value = if range.len() == text.len() { text } else { value };
    Some((range, SecretText::new(value)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sluice_model::Kind;

    use super::*;
    use crate::SlotRules;

    fn taken(kind: (&str, &str), mut options: Value) -> (Value, Vec<(String, String, String)>) {
        let rules = SlotRules::floor().for_kind(&Kind::new(kind.0, kind.1));
        let taken = take(&mut options, &rules)
            .into_iter()
            .map(|t| (t.at.to_string(), t.slot.to_string(), t.value.expose().to_owned()))
            .collect();
        (options, taken)
    }

    fn one(at: &str, slot: &str, value: &str) -> Vec<(String, String, String)> {
        vec![(at.into(), slot.into(), value.into())]
    }

    #[test]
    fn takes_each_shape_apart() {
        let pem = "-----BEGIN PRIVATE KEY-----\nnot-real\n-----END PRIVATE KEY-----\n";
        let account = serde_json::to_string(&json!({"client_email": "a@b", "private_key": pem})).unwrap();
        for (option, value, slot, secret) in [
            ("password", json!("not-real"), "password", "not-real"),
            ("password", json!(12345), "password", "12345"),
            ("url", json!("https://me:p%40ss@api.example.com/x?y=a@b"), "url-password", "p%40ss"),
            (
                "connection_string",
                json!("mongodb+srv://app:s/l@sh@db/x"),
                "connection_string-password",
                "s/l@sh",
            ),
            ("connection_string", json!("Server=db;Pwd=not-real;X=1"), "connection_string-pwd", "not-real"),
            (
                "connection_string",
                json!("host=db password='not real'"),
                "connection_string-password",
                "not real",
            ),
            ("private_key", json!(account), "private_key", pem),
            ("private_key", json!(pem), "private_key", pem),
        ] {
            let (options, found) =
                taken(("tooljet", "x"), json!({option: {"value": value, "encrypted": false}}));
            assert_eq!(found, one(&format!("/{option}/value"), slot, secret));
            assert!(!options.to_string().contains(&secret.escape_default().to_string()), "{options}");
        }
    }

    #[test]
    fn takes_headers_whose_name_or_scheme_says_so_and_leaves_the_rest() {
        let headers = json!({"headers": {"value": [
            ["Content-Type", "application/json"],
            ["Authorization", "Bearer not-real"],
            ["X-Auth", "{{secrets.TOKEN}}"],
            ["X-Other", "Basic bm90LXJlYWw="],
            ["", ""],
        ]}});
        let (options, found) = taken(("tooljet", "restapi"), headers);
        let expected = [
            ("/headers/value/1/1", "headers-1", "not-real"),
            ("/headers/value/3/1", "headers-3", "bm90LXJlYWw="),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(a, b, c)| ((*a).into(), (*b).into(), (*c).into())).collect();
        assert_eq!(found, expected);
        assert_eq!(options["headers"]["value"][0][1], "application/json");
        assert_eq!(
            options["headers"]["value"][1][1],
            json!({"$sluice": [{"text": "Bearer "}, {"slot": "headers-1"}]})
        );
        let pairs =
            json!({"headers": [{"key": "x-api-key", "value": "not-real"}, {"key": "a", "value": "b"}]});
        assert_eq!(taken(("lowcoder", "restApi"), pairs).1, one("/headers/0/value", "headers-0", "not-real"));
    }

    #[test]
    fn an_encrypted_credential_becomes_an_empty_slot() {
        let (options, found) =
            taken(("tooljet", "x"), json!({"odd_name": {"credential_id": "a1", "encrypted": true}, "b": 1}));
        assert_eq!(
            options,
            json!({"odd_name": {"encrypted": true, "value": {"$sluice": [{"slot": "odd_name"}]}}, "b": 1})
        );
        assert_eq!(found, []);
    }

    #[test]
    fn what_the_platform_marks_is_taken_whatever_it_is_called() {
        let long = "o".repeat(300);
        for (option, member, slot, value, left) in [
            ("odd", json!({"value": "not-real", "encrypted": true}), "odd", Some("not-real"), true),
            ("odd", json!({"value": 12345, "encrypted": true}), "odd", Some("12345"), true),
            (
                "odd",
                json!({"value": "not-real", "encrypted": true, "credential_id": "c"}),
                "odd",
                Some("not-real"),
                true,
            ),
            (
                "odd",
                json!({"value": false, "encrypted": true, "credential_id": "c"}),
                "odd",
                Some("false"),
                true,
            ),
            ("odd", json!({"value": "", "encrypted": true, "credential_id": "c"}), "odd", None, true),
            ("password", json!({"encrypted": true, "credential_id": "c"}), "password", None, true),
            (&long, json!({"value": "not-real", "credential_id": "c"}), "credential", Some("not-real"), true),
            (&long, json!({"value": "not-real", "encrypted": true}), "credential", Some("not-real"), true),
            ("odd", json!({"value": "", "encrypted": true}), "", None, false),
            ("odd", json!({"value": null, "encrypted": true}), "", None, false),
            ("odd", json!({"value": "{{secrets.A}}", "encrypted": true}), "", None, false),
            ("odd", json!({"value": "clear", "encrypted": false}), "", None, false),
            ("odd", json!({"value": "clear", "encrypted": "true"}), "", None, false),
        ] {
            let (options, found) = taken(("tooljet", "x"), json!({option: member}));
            let at = format!("/{option}/value");
            assert_eq!(
                found,
                value.map(|value| (at, slot.to_owned(), value.to_owned())).into_iter().collect::<Vec<_>>()
            );
            if left {
                let mark = json!({"$sluice": [{"slot": slot}]});
                assert_eq!(options[option]["value"], mark, "{member}");
                // What is marked already is not a value.
                assert_eq!(taken(("tooljet", "x"), options.clone()), (options, vec![]));
            } else {
                assert_eq!(options[option], member);
            }
        }
    }

    #[test]
    fn an_expression_beside_a_credential_stays_and_the_id_goes() {
        let member = json!({"credential_id": "c", "value": "{{secrets.BILLING_PW}}", "encrypted": true});
        let (options, found) = taken(("tooljet", "x"), json!({"password": member}));
        assert_eq!(options, json!({"password": {"value": "{{secrets.BILLING_PW}}", "encrypted": true}}));
        assert_eq!(found, []);
    }

    #[test]
    fn a_key_that_is_there_twice_is_taken_twice() {
        let text = "Server=db;Password=not-real-1;X=1;password = not-real-2";
        let (options, found) = taken(("tooljet", "x"), json!({"connection_string": {"value": text}}));
        let values: Vec<_> = found.iter().map(|(_, slot, value)| (slot.as_str(), value.as_str())).collect();
        assert_eq!(
            values,
            [("connection_string-password", "not-real-1"), ("connection_string-password-2", "not-real-2"),]
        );
        assert!(!options.to_string().contains("not-real"), "{options}");
        let text = "Password=;Server=db;Password=not-real";
        let (options, _) = taken(("tooljet", "x"), json!({"connection_string": {"value": text}}));
        assert!(!options.to_string().contains("not-real"), "{options}");
    }

    #[test]
    fn leaves_expressions_and_emptiness() {
        for value in [json!(""), json!("{{secrets.X}}"), json!(" {{a}} {{b}} "), json!(null), json!(false)] {
            let options = json!({"password": {"value": value, "encrypted": false}});
            assert_eq!(taken(("tooljet", "x"), options.clone()), (options, vec![]));
        }
    }
}
