//! Plays examples natively, without WebAssembly: for a plugin's own tests.
//!
//! `sluice plugin test` plays the same files against the component. An example is a data source as a
//! bundle has it, the target's binding, the secrets that are offered, and what is expected. Out of a
//! text the host has taken a secret where it has `{"$sluice": [{"text": "…"}, {"slot": "NAME"}]}`.
//!
//! ```ignore
//! #[test]
//! fn the_examples_come_out_as_expected() -> Result<(), harness::Differs> {
//!     harness::examples::<Orders>("example")
//! }
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde_json::{Map, Value as Json, json};

use crate::options::same;
use crate::probe::{Network, Probed, net};
use crate::{
    Candidate, Environment, Failure, Family, Finding, Guest, GuestRendering as _, Kind, OptionLeaf, Part,
    Scalar, Serve, Source, Traits, Value,
};

/// What a plugin made of an example.
#[derive(Debug)]
pub struct Played {
    /// The options, leaf by leaf, in order of their pointers.
    pub options: Vec<OptionLeaf>,
    /// Which secret fills which slot.
    pub slots: BTreeMap<String, String>,
    /// The slots that it says are lacking.
    pub missing_slots: BTreeSet<String>,
    /// What policies are told.
    pub traits: Traits,
    /// What it noticed.
    pub notes: Vec<Finding>,
}

/// What is otherwise than an example says, or why the example cannot be played.
pub struct Differs(String);

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The same, since that is what a test shows that ends with it.
impl fmt::Debug for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Differs {}

fn differs<T>(what: impl Into<String>) -> Result<T, Differs> {
    Err(Differs(what.into()))
}

/// Plays all examples of a folder, which are its `*.json`; of a package's tests, a path is within
/// the package.
///
/// # Errors
/// What comes out otherwise than the examples say; or that there is none.
pub fn examples<F: Family + 'static>(folder: impl AsRef<Path>) -> Result<(), Differs> {
    let folder = folder.as_ref();
    let unread = |error: std::io::Error| Differs(format!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    let mut count = 0_usize;
    for entry in std::fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        count += 1;
        let text = std::fs::read_to_string(&path).map_err(unread)?;
        if let Err(Differs(what)) = example::<F>(&text) {
            found.push(format!("{}: {what}", path.display()));
        }
    }
    match (count, found.is_empty()) {
        (0, _) => differs(format!("there is no `*.json` in {}", folder.display())),
        (_, true) => Ok(()),
        (_, false) => differs(found.join("\n")),
    }
}

/// Plays one example and compares what comes of it.
///
/// # Errors
/// What is otherwise.
pub fn example<F: Family + 'static>(json: &str) -> Result<(), Differs> {
    let example = read(json)?;
    let Some(expected) = example.get("expected").and_then(Json::as_object) else {
        return differs("it says nothing of what is `expected`");
    };
    let expects = |what: &str| expected.get(what);
    match (ask::<F>(&example)?, expects("failure")) {
        (Ok(_), Some(failure)) => differs(format!("it is not refused, and expected is {failure}")),
        (Err(failure), expected) => {
            let is = told(&failure);
            if expected == Some(&is) { Ok(()) } else { differs(format!("it is refused: {is}")) }
        }
        (Ok(played), None) => {
            let options = flatten(expects("options").unwrap_or(&Json::Null));
            let are = |a: &[OptionLeaf], b: &[OptionLeaf]| {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.at == b.at && same(&a.value, &b.value))
            };
            if !are(&played.options, &options) {
                return differs(format!("the options are {:#?}", played.options));
            }
            let codes: BTreeSet<&str> = played.notes.iter().map(|note| note.code.as_str()).collect();
            let is = [
                ("slots", json!(played.slots)),
                ("missing-slots", json!(played.missing_slots)),
                ("traits", traits(&played.traits)),
                ("notes", json!(codes)),
            ];
            for (what, is) in is {
                if let Some(expected) = expects(what).map(sorted)
                    && expected != is
                {
                    return differs(format!("the {what} are {is}, and expected is {expected}"));
                }
            }
            Ok(())
        }
    }
}

/// What the plugin makes of an example.
///
/// # Errors
/// When it is no example.
pub fn play<F: Family + 'static>(json: &str) -> Result<Result<Played, Failure>, Differs> {
    ask::<F>(&read(json)?)
}

fn read(json: &str) -> Result<Json, Differs> {
    serde_json::from_str(json).or_else(|error| differs(format!("it is no JSON: {error}")))
}

/// Asks as the host does.
fn ask<F: Family + 'static>(example: &Json) -> Result<Result<Played, Failure>, Differs> {
    let (from, to) = (source_environment(example), target_environment(example));
    let mut candidates = Vec::new();
    for candidate in of(example, "candidates").as_array().into_iter().flatten() {
        let age = candidate.get("age-days").and_then(Json::as_u64).unwrap_or_default();
        let age_days = u32::try_from(age).unwrap_or(u32::MAX);
        candidates
            .push((text(candidate, "reference")?, Candidate { label: text(candidate, "label")?, age_days }));
    }
    Ok(render::<F>(source(example)?, from, to, flatten(of(example, "binding")), &candidates))
}

fn of<'j>(json: &'j Json, member: &str) -> &'j Json {
    json.get(member).unwrap_or(&Json::Null)
}

fn text(json: &Json, member: &str) -> Result<String, Differs> {
    match of(json, member).as_str() {
        Some(text) => Ok(text.to_owned()),
        None => differs(format!("its `{member}` is no text")),
    }
}

/// The data source of an example.
fn source(example: &Json) -> Result<Source, Differs> {
    let source = of(example, "source");
    let kind = text(source, "kind")?;
    let Some((platform, name)) = kind.split_once('/') else {
        return differs("its `kind` is not written `PLATFORM/NAME`");
    };
    Ok(Source {
        logical_id: text(source, "logical-id")?,
        name: text(source, "name")?,
        kind: Kind { platform: platform.to_owned(), name: name.to_owned() },
        options: flatten(of(source, "options")),
    })
}

fn source_environment(example: &Json) -> Environment {
    environment(of(example, "source-environment"), "development", 0)
}

fn target_environment(example: &Json) -> Environment {
    environment(of(example, "target-environment"), "staging", 1)
}

fn environment(json: &Json, usual: &str, order: u32) -> Environment {
    let of_it = of(json, "order").as_u64().and_then(|order| u32::try_from(order).ok());
    let name = text(json, "name").unwrap_or_else(|_| usual.to_owned());
    Environment { name, order: of_it.unwrap_or(order) }
}

/// What a request is answered, with what was placed into it.
pub type Answer<'t> = dyn Fn(&net::Request, &[net::Placed]) -> Result<net::Response, net::Failure> + 't;

/// A network that answers as a test says, and keeps what it is asked.
pub struct Answering<'t> {
    /// Whether a host and port take a connection.
    pub reach: &'t dyn Fn(&str, u16) -> Result<(), net::Failure>,
    /// What a request is answered.
    pub http: &'t Answer<'t>,
    /// The slots that have a value.
    pub slots: Vec<String>,
    /// The requests so far, and what was placed into them.
    pub asked: RefCell<Vec<(net::Request, Vec<net::Placed>)>>,
}

impl Network for Answering<'_> {
    fn slots(&self) -> Vec<String> {
        self.slots.clone()
    }

    fn reach(&self, host: &str, port: u16, _: net::Tls) -> Result<(), net::Failure> {
        (self.reach)(host, port)
    }

    fn http(&self, request: &net::Request, place: &[net::Placed]) -> Result<net::Response, net::Failure> {
        self.asked.borrow_mut().push((request.clone(), place.to_vec()));
        (self.http)(request, place)
    }
}

/// Probes the data source of an example, which is taken as it was rendered.
///
/// # Errors
/// When it is no example.
pub fn probe<F: Family>(json: &str, network: &dyn Network) -> Result<Result<Probed, Failure>, Differs> {
    let example = read(json)?;
    Ok(crate::probe::ask::<F>(source(&example)?, &target_environment(&example), network))
}

fn render<F: Family + 'static>(
    source: Source,
    from: Environment,
    to: Environment,
    binding: Vec<OptionLeaf>,
    candidates: &[(String, Candidate)],
) -> Result<Played, Failure> {
    let rendering = <Serve<F> as Guest>::Rendering::new(source);
    let mut notes = rendering.validate()?;
    let transformed = rendering.transform(from, to, binding)?;
    notes.extend(transformed.notes);
    let options = transformed.source.options;
    let slots: BTreeSet<String> = options.iter().flat_map(|leaf| slots(&leaf.value)).collect();
    let offered = || candidates.iter().map(|(_, candidate)| candidate.clone()).collect::<Vec<_>>();
    let mut missing_slots = BTreeSet::new();
    let assigned = match rendering.remap_credentials(slots.iter().cloned().collect(), offered()) {
        Err(Failure::Incomplete(lacking)) => {
            missing_slots.extend(lacking);
            let others = slots.into_iter().filter(|slot| !missing_slots.contains(slot)).collect();
            rendering.remap_credentials(others, offered())?
        }
        answer => answer?,
    };
    let reference =
        |index: u32| candidates.get(usize::try_from(index).ok()?).map(|(reference, _)| reference.clone());
    let slots = assigned.into_iter().filter_map(|filled| Some((filled.slot, reference(filled.candidate)?)));
    Ok(Played { options, slots: slots.collect(), missing_slots, traits: transformed.traits, notes })
}

fn slots(value: &Value) -> Vec<String> {
    let Value::Composed(parts) = value else { return Vec::new() };
    let slot = |part: &Part| if let Part::Slot(name) = part { Some(name.clone()) } else { None };
    parts.iter().filter_map(slot).collect()
}

/// A failure as examples write it.
fn told(failure: &Failure) -> Json {
    let sorted = |texts: Vec<&str>| json!(texts.into_iter().collect::<BTreeSet<_>>());
    match failure {
        Failure::UnsupportedKind => json!({ "tag": "unsupported-kind" }),
        Failure::Invalid(findings) => {
            json!({ "tag": "invalid", "val": sorted(findings.iter().map(|f| f.code.as_str()).collect()) })
        }
        Failure::Incomplete(lacking) => {
            json!({ "tag": "incomplete", "val": sorted(lacking.iter().map(String::as_str).collect()) })
        }
    }
}

/// Traits as examples write them: what is known.
fn traits(traits: &Traits) -> Json {
    let Traits { endpoints, tls, account, privileged, public_access } = traits;
    let mut known = Map::from_iter([("endpoints".to_owned(), json!(endpoints))]);
    let more = [
        ("tls", json!(tls)),
        ("account", json!(account)),
        ("privileged", json!(privileged)),
        ("public_access", json!(public_access)),
    ];
    known.extend(
        more.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)),
    );
    Json::Object(known)
}

/// A list in order; where it is none, what it is without the members that are `null`.
fn sorted(value: &Json) -> Json {
    match value {
        Json::Array(items) => {
            let mut items = items.clone();
            items.sort_by_key(ToString::to_string);
            Json::Array(items)
        }
        Json::Object(members) => {
            let known = members.iter().filter(|(_, value)| !value.is_null());
            Json::Object(known.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        other => other.clone(),
    }
}

/// Options as the leaves that a plugin is given, in order of their pointers.
#[must_use]
pub fn flatten(options: &Json) -> Vec<OptionLeaf> {
    fn add(at: String, value: &Json, leaves: &mut Vec<OptionLeaf>) {
        if let Some(parts) = parts(value) {
            leaves.push(OptionLeaf { at, value: Value::Composed(parts) });
            return;
        }
        match value {
            Json::Object(members) if !members.is_empty() => {
                for (key, member) in members {
                    add(format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), member, leaves);
                }
            }
            Json::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    add(format!("{at}/{index}"), item, leaves);
                }
            }
            leaf => leaves.push(OptionLeaf { at, value: lower(leaf) }),
        }
    }
    let none = Json::Object(Map::new());
    let mut leaves = Vec::new();
    // No options are as good as an object without members.
    add(String::new(), if options.is_null() { &none } else { options }, &mut leaves);
    leaves.sort_by(|a, b| a.at.cmp(&b.at));
    leaves
}

/// The parts of a text out of which a secret was taken; `None` for any other value.
fn parts(value: &Json) -> Option<Vec<Part>> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let mut parts = Vec::new();
    for part in members.get("$sluice")?.as_array()? {
        match (part.get("text").and_then(Json::as_str), part.get("slot").and_then(Json::as_str)) {
            (Some(text), None) => split(text, &mut parts),
            (None, Some(slot)) => parts.push(Part::Slot(slot.to_owned())),
            _ => return None,
        }
    }
    Some(parts)
}

fn lower(leaf: &Json) -> Value {
    const EXACT: u64 = 1 << 53;
    Value::Plain(match leaf {
        Json::Null => Scalar::None,
        Json::Bool(flag) => Scalar::Flag(*flag),
        Json::Number(number) => {
            let is_exact =
                number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64()).is_none_or(|n| n <= EXACT);
            match number.as_f64() {
                Some(float) if is_exact => Scalar::Number(float),
                _ => Scalar::Digits(number.to_string()),
            }
        }
        Json::String(text) => {
            let mut parts = Vec::new();
            split(text, &mut parts);
            if parts.iter().any(|part| matches!(part, Part::Expression(_))) {
                return Value::Composed(parts);
            }
            Scalar::Text(text.clone())
        }
        Json::Array(_) => Scalar::EmptyList,
        Json::Object(_) => Scalar::EmptyObject,
    })
}

/// Splits a text into literals and `{{…}}`. What is opened and not closed is literal.
fn split(text: &str, parts: &mut Vec<Part>) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some(end) = closing(after) else { break };
        let (Some(inner), Some(behind)) = (after.get(..end), after.get(end + 2..)) else { break };
        if !before.is_empty() {
            parts.push(Part::Literal(before.to_owned()));
        }
        parts.push(Part::Expression(inner.to_owned()));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
}

/// Where the `}}` is that closes an expression, past the braces of what stands in it.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' if open > 0 => open -= 1,
            b'}' if text.as_bytes().get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
    }
    // Braces inside do not pair, as in a text: then the first `}}` is it.
    text.find("}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OptionType;
    use crate::connection::{Connection, Endpoint, Tls, to};
    use crate::spec::{KindSpec, OptionSpec, Platform, SlotSpec, fixed, kind, owned, place, secret};

    struct Orders;

    impl Family for Orders {
        fn kinds() -> &'static [KindSpec] {
            const OPTIONS: &[OptionSpec] = &[
                place("url", OptionType::Url, "Where it is").required(),
                owned("account", OptionType::Text, "Who signs in"),
                fixed("page", OptionType::Number, "How many"),
            ];
            const SLOTS: &[SlotSpec] = &[secret("token", "token", "The token").required()];
            const KINDS: &[KindSpec] = &[KindSpec {
                options: &[OPTIONS],
                slots: &[SLOTS],
                connections: &[Connection { tls: &[Tls::Scheme], ..to(&[Endpoint::Urls(&["url"])]) }],
                ..kind(Platform::Lowcoder, "orders")
            }];
            KINDS
        }
    }

    fn orders() -> Json {
        json!({
            "source": {
                "logical-id": "orders", "name": "Orders", "kind": "lowcoder/orders",
                "options": {"url": "https://dev.example", "page": 5, "token": {"$sluice": [{"slot": "token"}]}},
            },
            "binding": {"url": "https://staging.example", "account": "app"},
            "candidates": [
                {"reference": "secret://staging/orders/old", "label": "token", "age-days": 9},
                {"reference": "secret://staging/orders/new", "label": "Token"},
            ],
            "expected": {
                "options": {
                    "url": "https://staging.example", "account": "app", "page": 5,
                    "token": {"$sluice": [{"slot": "token"}]},
                },
                "slots": {"token": "secret://staging/orders/new"},
                "missing-slots": [],
                "traits": {"endpoints": ["https://staging.example"], "tls": true, "account": null},
                "notes": [],
            },
        })
    }

    #[test]
    fn an_example_comes_out_as_it_says_or_it_is_told_how() {
        type Change = fn(&mut Json);
        let cases: [(&str, Change); 9] = [
            ("", |_| ()),
            ("the options are", |e| e["expected"]["options"]["page"] = json!(6)),
            ("the slots are", |e| e["expected"]["slots"] = json!({})),
            ("the missing-slots are [\"token\"]", |e| {
                e["candidates"] = json!([]);
                e["expected"]["slots"] = json!({});
            }),
            ("the traits are", |e| e["expected"]["traits"]["tls"] = json!(false)),
            ("the notes are [\"option.unknown\"]", |e| {
                e["binding"]["x"] = json!(1);
                e["expected"]["options"]["x"] = json!(1);
            }),
            ("it is refused", |e| e["binding"] = json!({})),
            ("it is not refused", |e| e["expected"] = json!({"failure": {"tag": "invalid", "val": []}})),
            ("", |e| {
                e["binding"] = json!({});
                e["expected"] = json!({"failure": {"tag": "incomplete", "val": ["/url"]}});
            }),
        ];
        for (told, change) in cases {
            let mut changed = orders();
            change(&mut changed);
            let found = example::<Orders>(&changed.to_string()).err().map(|differs| differs.to_string());
            assert_eq!(found.is_none(), told.is_empty(), "{told}: {found:?}");
            assert!(found.unwrap_or_default().contains(told));
        }
        let played = play::<Orders>(&orders().to_string()).unwrap().unwrap();
        assert_eq!(played.traits.endpoints, ["https://staging.example"]);
        for (told, text) in
            [("no JSON", "{"), ("`kind`", "{}"), ("PLATFORM/NAME", r#"{"source": {"kind": "x"}}"#)]
        {
            let found = play::<Orders>(text).unwrap_err().to_string();
            assert!(found.contains(told), "{found}");
        }
    }

    #[test]
    fn of_many_unknown_options_some_are_told_and_how_many_more_there_are() {
        let mut example = orders();
        let more: Map<String, Json> = (0..500).map(|index| (format!("x{index}"), json!(index))).collect();
        example["binding"]["more"] = Json::Object(more);
        let notes = play::<Orders>(&example.to_string()).unwrap().unwrap().notes;
        assert_eq!(notes.len(), 41);
        assert!(notes.last().unwrap().message.starts_with("460 more"), "{notes:?}");
    }

    #[test]
    fn options_become_the_leaves_that_the_host_gives() {
        let leaves = flatten(&json!({
            "a/b": [1, {"c~": null}], "empty": [], "big": u64::MAX, "on": true,
            "text": "a {{ {x: 1} }}", "open": "{{x", "url": {"$sluice": [{"text": "u{{x}}:"}, {"slot": "p"}]},
        }));
        let ats: Vec<&str> = leaves.iter().map(|leaf| leaf.at.as_str()).collect();
        assert_eq!(ats, ["/a~1b/0", "/a~1b/1/c~0", "/big", "/empty", "/on", "/open", "/text", "/url"]);
        let shown: Vec<String> = leaves.iter().map(|leaf| format!("{:?}", leaf.value)).collect();
        for (shown, part) in shown.iter().zip([
            "Number(1",
            "None",
            "Digits(\"18446744073709551615\")",
            "EmptyList",
            "Flag(true)",
            "Text(\"{{x\")",
            "Expression(\" {x: 1} \")",
            "Expression(\"x\"), Part::Literal(\":\"), Part::Slot(\"p\")",
        ]) {
            assert!(shown.contains(part), "{shown}: {part}");
        }
        assert!(matches!(flatten(&Json::Null).as_slice(), [leaf] if leaf.at.is_empty()));
    }
}
