//! The plugin for relational databases as an Extism plugin: the same tables, merge and mapping of
//! credentials, with JSON in and JSON out, as Extism hands over bytes.

#[path = "../../../../../plugins/sql/src/kinds.rs"]
mod kinds;

use extism_pdk::{FnResult, plugin_fn};
use serde_json::{Map, Value as Json, json};
use sluice_guest::spec::KindSpec;
use sluice_guest::{
    Candidate, Environment, Failure, Family, GuestRendering as _, Kind, OptionLeaf, Part, Rendering, Scalar, Source,
    Value,
};

struct Sql;

impl Family for Sql {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }
}

fn text(json: &Json, member: &str) -> String {
    json[member].as_str().unwrap_or_default().to_owned()
}

fn leaves(value: &Json, at: &mut String, leaves: &mut Vec<OptionLeaf>) {
    let value = match value {
        Json::Object(members) => match members.get("$sluice").and_then(Json::as_array) {
            Some(parts) => Value::Composed(
                parts
                    .iter()
                    .map(|part| match part["slot"].as_str() {
                        Some(slot) => Part::Slot(slot.to_owned()),
                        None => Part::Literal(text(part, "text")),
                    })
                    .collect(),
            ),
            None => {
                let end = at.len();
                for (key, member) in members {
                    at.push('/');
                    at.push_str(key);
                    self::leaves(member, at, leaves);
                    at.truncate(end);
                }
                return;
            }
        },
        Json::Null => Value::Plain(Scalar::None),
        Json::Bool(flag) => Value::Plain(Scalar::Flag(*flag)),
        Json::Number(number) => Value::Plain(Scalar::Number(number.as_f64().unwrap_or_default())),
        Json::String(text) => Value::Plain(Scalar::Text(text.clone())),
        Json::Array(_) => Value::Plain(Scalar::EmptyList),
    };
    leaves.push(OptionLeaf { at: at.clone(), value });
}

fn flatten(options: &Json) -> Vec<OptionLeaf> {
    let mut all = Vec::new();
    leaves(options, &mut String::new(), &mut all);
    all
}

fn raise(value: Value) -> Json {
    match value {
        Value::Plain(Scalar::Flag(flag)) => json!(flag),
        Value::Plain(Scalar::Number(number)) => json!(number),
        Value::Plain(Scalar::Text(text) | Scalar::Digits(text)) => json!(text),
        Value::Plain(Scalar::EmptyList) => json!([]),
        Value::Plain(Scalar::EmptyObject) => json!({}),
        Value::Plain(Scalar::None) => Json::Null,
        Value::Composed(parts) => parts
            .into_iter()
            .map(|part| match part {
                Part::Slot(slot) => json!({ "slot": slot }),
                Part::Literal(text) | Part::Expression(text) => json!({ "text": text }),
            })
            .collect(),
    }
}

fn environment(json: &Json) -> Environment {
    Environment { name: text(json, "name"), order: json["order"].as_u64().unwrap_or_default() as u32 }
}

fn render(input: &Json) -> Result<Json, Failure> {
    let source = &input["source"];
    let rendering = Rendering::<Sql>::new(Source {
        logical_id: text(source, "logical-id"),
        name: text(source, "name"),
        kind: Kind { platform: text(&source["kind"], "platform"), name: text(&source["kind"], "name") },
        options: flatten(&source["options"]),
    });
    let judged = rendering.validate()?;
    let binding = flatten(&input["binding"]);
    let made = rendering.transform(environment(&input["from"]), environment(&input["to"]), binding)?;
    let slots = input["slots"].as_array().into_iter().flatten();
    let offered = input["offered"].as_array().into_iter().flatten();
    let assigned = rendering.remap_credentials(
        slots.filter_map(|slot| slot.as_str().map(str::to_owned)).collect(),
        offered
            .map(|one| Candidate { label: text(one, "label"), age_days: one["age-days"].as_u64().unwrap_or(0) as u32 })
            .collect(),
    )?;
    let options: Map<_, _> = made.source.options.into_iter().map(|leaf| (leaf.at, raise(leaf.value))).collect();
    let assigned: Map<_, _> = assigned.into_iter().map(|one| (one.slot, json!(one.candidate))).collect();
    let notes: Vec<_> = judged.into_iter().chain(made.notes).map(|note| note.code).collect();
    Ok(json!({
        "logical-id": made.source.logical_id, "name": made.source.name, "options": options,
        "endpoints": made.traits.endpoints, "tls": made.traits.tls, "account": made.traits.account,
        "slots": assigned, "notes": notes,
    }))
}

/// Renders one data source.
#[plugin_fn]
pub fn call(input: Vec<u8>) -> FnResult<Vec<u8>> {
    let input: Json = serde_json::from_slice(&input)?;
    let answer = render(&input).unwrap_or_else(|failure| json!({ "failure": format!("{failure:?}") }));
    Ok(serde_json::to_vec(&answer)?)
}
