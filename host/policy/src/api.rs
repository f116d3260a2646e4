//! The calls and helpers that policies have besides facts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FuncRegistration, ImmutableString, Map, Module, NativeCallContext,
    Position,
};
use sluice_model::verdict::{Because, Finding, Place, SourceLine, Verdict};
use sluice_model::{Pointer, verdict};

use crate::evaluation::{Evaluation, Fault, fault};
use crate::pack::SOURCE_FILE;
use crate::quorum;
use crate::rows::{Record, Rows};
use crate::sandbox::asked;
use crate::value::{self, bounded, check_length, duration, heap_bytes, in_words, type_word};
use crate::vocabulary as v;

/// The functions of the API. `api = 1`: a name that is here once keeps its meaning.
pub(crate) const FUNCTIONS: [&str; 29] = [
    "pass",
    "deny",
    "undecided",
    "is_missing",
    "duration",
    "moment",
    "where",
    "newest",
    "oldest",
    "take",
    "values",
    "group",
    "sum",
    "least",
    "most",
    "median",
    "hour",
    "named",
    "outside",
    "quorum",
    "contains",
    "is_empty",
    "keys",
    "join",
    "split",
    "to_string",
    "starts_with",
    "ends_with",
    "is_made_of",
];

/// What each function does, for reference pages.
pub(crate) const FUNCTION_DOCS: [(&str, &str); 29] = [
    (
        "pass",
        "`pass(code, #{fact, actual, expected})`: the rule is met; `fact` names, as a text or a list, what was read and says so",
    ),
    (
        "deny",
        "`deny(code, message, #{actual, expected, fix, who, object, at, earliest})`: the rule is broken; every member is optional, and `earliest` is the first moment at which it could pass",
    ),
    (
        "undecided",
        "`undecided(code, what)`, `undecided(code, what, #{…})` with the members of `deny`: something is missing, so that the rule cannot be judged",
    ),
    ("is_missing", "`is_missing(value)`: whether there is none"),
    ("duration", "`duration(\"7d\")`: a length of time"),
    ("moment", "`moment(\"2026-01-05T09:00:00Z\")`: a point in time"),
    (
        "where",
        "`list.where(field, \"==\", value)`: those of the list whose field compares so; also `!=`, `<`, `<=`, `>`, `>=`, `in` (a list), `has` (the field is a list that has the value), `known` (true or false)",
    ),
    ("take", "`list.take(count)`: the first of the list, at most so many; a fault below 0"),
    ("newest", "`list.newest()`: the one with the lowest age; a fault on an empty list"),
    ("oldest", "`list.oldest()`: the one with the highest age; a fault on an empty list"),
    (
        "group",
        "`list.group(field)`: for each text or integer of a field, in order, `#{value, count, rows}`; `rows` is a list of facts again",
    ),
    ("sum", "`list.sum(field)`: the integers of a field added up; 0 for an empty list"),
    ("least", "`list.least(field)`: the least of the integers of a field; a fault on an empty list"),
    ("most", "`list.most(field)`: the greatest of the integers of a field; a fault on an empty list"),
    (
        "median",
        "`list.median(field)`: the middle of the integers of a field, the lower of two; a fault on an empty list",
    ),
    ("hour", "`moment.hour()`: the hour of the day, from 0 to 23, in UTC"),
    ("values", "`list.values(field)`: the texts of a field, each once, in order"),
    ("named", "`calendars.named(name)`: the calendar of that name; a fault where there is none"),
    (
        "outside",
        "`scan.personal_data.outside(list)`: those not at an allowed place, written `OBJECT#POINTER`, where `*` is any object",
    ),
    (
        "quorum",
        "`approvals.quorum(#{role: count})`: whether distinct people fill all roles: `#{met, missing, people}`",
    ),
    ("contains", "`list.contains(value)`, `text.contains(part)`, also written `value in list`"),
    ("is_empty", "`list.is_empty()`, `map.is_empty()`"),
    ("keys", "`map.keys()`: the names of a map, in order"),
    ("join", "`list.join(\", \")`: the texts of a list as one"),
    (
        "split",
        "`text.split(between)`: the parts of a text, as a list of at most 200 texts; a fault beyond, or where `between` is empty",
    ),
    ("to_string", "`value.to_string()`: the value as text"),
    ("starts_with", "`text.starts_with(part)`"),
    ("ends_with", "`text.ends_with(part)`"),
    ("is_made_of", "`text.is_made_of(letters)`: whether each letter of a text is one of these"),
];

/// A gate's parameters in the hands of a script.
#[derive(Clone)]
pub(crate) struct Parameters(pub(crate) Arc<Evaluation>);

/// What a `pass` cites.
const CITES: [&str; 3] = ["fact", "actual", "expected"];
/// What a `deny` may tell.
const TELLS: [&str; 7] = ["actual", "expected", "fix", "who", "object", "at", "earliest"];

pub(crate) fn register(engine: &mut Engine, names: &[String]) {
    calls(engine, names);
    helpers(engine);
    lists_of_facts(engine, names);
}

fn calls(engine: &mut Engine, names: &[String]) {
    let by_name: Arc<BTreeMap<String, usize>> =
        Arc::new(names.iter().enumerate().map(|(at, name)| (name.clone(), at)).collect());
    engine.register_fn("pass", move |context: NativeCallContext<'_>, code: ImmutableString, because: Map| {
        let asked = asked(context.tag())?;
        only(&because, Verdict::Pass)?;
        keep(&asked, &because)?;
        let cited = cited(&because)?;
        for name in &cited {
            let read = by_name.get(name.as_str()).is_some_and(|at| asked.reads.has(*at));
            if !read {
                return Err(fault(format!("`pass` cites the fact `{name}`, which this policy has not read")));
            }
        }
        let message = format!("rests on {}", cited.join(", "));
        let because = because_of(&because)?;
        asked.say(Finding { because, ..finding(&context, &asked, Verdict::Pass, &code, message)? })
    });

    engine.register_fn(
        "deny",
        move |context: NativeCallContext<'_>, code: ImmutableString, message: ImmutableString, told: Map| {
            let asked = asked(context.tag())?;
            let base = finding(&context, &asked, Verdict::Deny, &code, message.to_string())?;
            asked.say(telling(&asked, base, &told)?)
        },
    );

    engine.register_fn(
        "undecided",
        move |context: NativeCallContext<'_>, code: ImmutableString, what: ImmutableString| {
            let asked = asked(context.tag())?;
            let finding = finding(&context, &asked, Verdict::Undecided, &code, what.to_string())?;
            asked.say(finding)
        },
    );

    engine.register_fn(
        "undecided",
        move |context: NativeCallContext<'_>, code: ImmutableString, what: ImmutableString, told: Map| {
            let asked = asked(context.tag())?;
            let base = finding(&context, &asked, Verdict::Undecided, &code, what.to_string())?;
            asked.say(telling(&asked, base, &told)?)
        },
    );

    engine.register_type_with_name::<Parameters>("parameters");
    engine.register_indexer_get(|parameters: &mut Parameters, name: ImmutableString| parameters.get(&name));
    FuncRegistration::new_index_setter().with_purity(true).register_into_engine(
        engine,
        |_: &mut Parameters, _: ImmutableString, _: Dynamic| -> Result<(), Fault> {
            Err(EvalAltResult::ErrorIndexingType(UNCHANGEABLE.to_owned(), Position::NONE).into())
        },
    );
}

impl Parameters {
    fn get(&self, name: &str) -> Result<Dynamic, Fault> {
        let (value, bytes) = self
            .0
            .gate
            .parameters
            .get(name)
            .ok_or_else(|| fault(format!("`policy.toml` declares no parameter `{name}`")))?;
        self.0.copy(*bytes)?;
        Ok(value.clone())
    }
}

/// Getters of the parameters that a policy declares: by the indexer alone, Rhai would first make up
/// the error that there is no such getter.
pub(crate) fn parameter_getters<'n>(names: impl Iterator<Item = &'n String>) -> Module {
    let mut module = Module::new();
    for name in names {
        FuncRegistration::new_setter(name)
            .with_purity(true)
            .set_into_module(&mut module, |_: &mut Parameters, _: Dynamic| -> Result<(), Fault> {
                Err(unchangeable())
            });
        let own = name.clone();
        module.set_getter_fn(name, move |parameters: &mut Parameters| parameters.get(&own));
    }
    module
}

/// A finding with what the manifest says of its code.
fn finding(
    context: &NativeCallContext<'_>,
    asked: &Evaluation,
    verdict: Verdict,
    code: &str,
    message: String,
) -> Result<Finding, Fault> {
    let manifest = asked.gate.policy.pack.manifest();
    let Some(doc) = manifest.findings.get(code) else {
        return Err(fault(format!("gives the finding `{code}`, which `policy.toml` does not declare")));
    };
    check_length(&message).map_err(|problem| fault(format!("the message {problem}")))?;
    if message.is_empty() {
        return Err(fault(format!("gives the finding `{code}` without a message")));
    }
    let file = context.call_source().unwrap_or(SOURCE_FILE);
    let source = context.call_position().line().map(|line| source_line(asked, file, line));
    // Of what passes nothing has to be mended.
    let (fix, who) = if verdict == Verdict::Pass { (None, None) } else { (doc.fix.clone(), doc.who.clone()) };
    Ok(Finding {
        verdict,
        code: code.to_owned(),
        message,
        because: None,
        fix,
        who,
        earliest: None,
        place: None,
        source,
    })
}

/// A finding with what the policy tells of it.
fn telling(asked: &Evaluation, base: Finding, told: &Map) -> Result<Finding, Fault> {
    only(told, base.verdict)?;
    keep(asked, told)?;
    let earliest = match told.get("earliest").filter(|value| !value.is_unit()) {
        Some(value) => Some(
            value
                .clone()
                .try_cast::<Timestamp>()
                .ok_or_else(|| fault(format!("`earliest` is {}, not a moment", type_word(value))))?,
        ),
        None => None,
    };
    Ok(Finding {
        because: because_of(told)?,
        fix: text(told, "fix")?.or(base.fix),
        who: text(told, "who")?.or(base.who),
        earliest,
        place: place(told)?,
        ..base
    })
}

/// Counts the values that a finding keeps.
fn keep(asked: &Evaluation, told: &Map) -> Result<(), Fault> {
    asked.copy(told.values().map(heap_bytes).sum())
}

/// A line of the policy, as findings show it.
pub(crate) fn source_line(asked: &Evaluation, file: &str, line: usize) -> SourceLine {
    let text = asked.gate.policy.line(file, line).unwrap_or_default().to_owned();
    SourceLine { file: file.to_owned(), line, text }
}

fn only(map: &Map, verdict: Verdict) -> Result<(), Fault> {
    map.keys().find_map(|name| untold(verdict, name)).map_or(Ok(()), |problem| Err(fault(problem)))
}

/// Why a finding of this verdict tells nothing of this name, if so.
pub(crate) fn untold(verdict: Verdict, name: &str) -> Option<String> {
    let names: &[&str] = if verdict == Verdict::Pass { &CITES } else { &TELLS };
    (!names.contains(&name)).then(|| format!("`{name}` is not one of {}", names.join(", ")))
}

fn text(map: &Map, name: &str) -> Result<Option<String>, Fault> {
    let Some(value) = map.get(name) else { return Ok(None) };
    let text = value
        .as_immutable_string_ref()
        .map_err(|_| fault(format!("`{name}` is {}, not a text", type_word(value))))?;
    bounded(&text).map(Some).map_err(|problem| fault(format!("`{name}` {problem}")))
}

fn because_of(map: &Map) -> Result<Option<Because>, Fault> {
    let part = |name: &str| {
        map.get(name)
            .map_or(Ok(serde_json::Value::Null), value::json)
            .map_err(|problem| fault(format!("`{name}` {problem}")))
    };
    let said = map.contains_key("actual") || map.contains_key("expected");
    Ok(if said { Some(Because { actual: part("actual")?, expected: part("expected")? }) } else { None })
}

fn place(map: &Map) -> Result<Option<Place>, Fault> {
    let at = match text(map, "at")? {
        Some(at) => Some(at.parse::<Pointer>().map_err(|error| fault(format!("`at`: {error}")))?),
        None => None,
    };
    match text(map, "object")? {
        Some(object) => Ok(Some(verdict::Place { object, at })),
        None if at.is_some() => Err(fault("`at` needs `object`")),
        None => Ok(None),
    }
}

/// The facts that a `pass` names: at least one.
fn cited(because: &Map) -> Result<Vec<String>, Fault> {
    let wrong = || fault("`pass` must cite a fact that was read: write `#{fact: \"evidence.executed\", …}`");
    let fact = because.get("fact").ok_or_else(wrong)?;
    let name =
        |value: &Dynamic| value.as_immutable_string_ref().map(|text| text.to_string()).map_err(|_| wrong());
    let cited = match fact.as_array_ref() {
        Ok(list) => list.iter().map(name).collect::<Result<Vec<_>, _>>()?,
        Err(_) => vec![name(fact)?],
    };
    if cited.is_empty() { Err(wrong()) } else { Ok(cited) }
}

fn helpers(engine: &mut Engine) {
    engine
        .register_fn("is_missing", |value: Dynamic| value.is_unit())
        .register_fn("duration", |text: ImmutableString| duration(&text).map_err(fault))
        .register_fn("moment", |text: ImmutableString| {
            text.parse::<Timestamp>()
                .map_err(|_| fault(format!("`{text}` is not a moment: write it like `2026-01-05T09:00:00Z`")))
        })
        .register_fn("to_string", |moment: &mut Timestamp| moment.to_string())
        .register_fn("to_string", |length: &mut SignedDuration| in_words(*length))
        .register_fn("hour", |moment: &mut Timestamp| i64::try_from(v::hour_of(*moment)).unwrap_or_default())
        .register_fn("to_string", |number: i64| number.to_string())
        .register_fn("to_string", |truth: bool| truth.to_string())
        .register_fn("-", |a: Timestamp, b: Timestamp| a.duration_since(b))
        .register_fn("-", |a: Timestamp, b: SignedDuration| {
            a.checked_sub(b).map_err(|_| fault("the moment is out of range"))
        })
        .register_fn("+", |a: Timestamp, b: SignedDuration| {
            a.checked_add(b).map_err(|_| fault("the moment is out of range"))
        })
        .register_fn("+", |a: SignedDuration, b: SignedDuration| {
            a.checked_add(b).ok_or_else(|| fault("the duration is out of range"))
        })
        .register_fn("-", |a: SignedDuration, b: SignedDuration| {
            a.checked_sub(b).ok_or_else(|| fault("the duration is out of range"))
        })
        .register_fn("!", |truth: bool| !truth)
        .register_fn("-", |number: i64| {
            number.checked_neg().ok_or_else(|| fault("the number is out of range"))
        })
        .register_fn("starts_with", |text: ImmutableString, part: ImmutableString| {
            text.starts_with(part.as_str())
        })
        .register_fn("ends_with", |text: ImmutableString, part: ImmutableString| {
            text.ends_with(part.as_str())
        })
        .register_fn("is_made_of", |text: ImmutableString, letters: ImmutableString| {
            let letters: BTreeSet<char> = letters.chars().collect();
            text.chars().all(|letter| letters.contains(&letter))
        })
        .register_fn("join", |list: &mut Array, between: ImmutableString| {
            let too_long = |problem| fault(format!("`join` {problem}"));
            let mut joined = String::new();
            for (at, item) in list.iter().enumerate() {
                let text =
                    item.as_immutable_string_ref().map_err(|_| fault("`join` is for lists of texts"))?;
                joined.push_str(if at == 0 { "" } else { &between });
                joined.push_str(&text);
                // Before the next is added, so that a list of long texts is never all joined.
                check_length(&joined).map_err(too_long)?;
            }
            Ok::<_, Fault>(joined)
        })
        .register_fn("split", |text: ImmutableString, between: ImmutableString| split(&text, &between))
        .register_fn("keys", |map: &mut Map| {
            map.keys().map(|name| Dynamic::from(ImmutableString::from(name.as_str()))).collect::<Array>()
        })
        .register_get("count", |list: &mut Array| i64::try_from(list.len()).unwrap_or(i64::MAX))
        .register_fn("is_empty", |list: &mut Array| list.is_empty())
        .register_fn("is_empty", |map: &mut Map| map.is_empty())
        .register_iterator::<Array>()
        .register_iterator::<std::ops::Range<i64>>();
}

/// Parts that `split` hands over, well below the sandbox's limit for lists.
const MOST_PARTS: usize = 200;

fn split(text: &str, between: &str) -> Result<Array, Fault> {
    if between.is_empty() {
        return Err(fault("`split` needs a text to split at"));
    }
    let parts: Array = text
        .split(between)
        .take(MOST_PARTS + 1)
        .map(|part| Dynamic::from(ImmutableString::from(part)))
        .collect();
    if parts.len() > MOST_PARTS {
        return Err(fault(format!("`split` gives more than {MOST_PARTS} parts")));
    }
    Ok(parts)
}

fn lists_of_facts(engine: &mut Engine, names: &[String]) {
    // The fields that a helper reads count as read by the policy.
    let places = |wanted: &[&str]| -> Vec<usize> {
        wanted.iter().filter_map(|wanted| names.iter().position(|name| name == wanted)).collect()
    };
    let by_quorum = places(&["approvals", "approvals.person", "approvals.roles"]);
    let by_outside = places(&["scan.personal_data", "scan.personal_data.object", "scan.personal_data.at"]);
    let by_named = places(&["calendars", "calendars.name"]);
    let note = |asked: &Evaluation, names: &[usize]| names.iter().for_each(|name| asked.reads.note(*name));
    engine
        .register_get("from", |of: &mut Record<v::TransitionFact>| {
            Record::<v::EnvironmentFact>::new(Arc::clone(of.asked()), 0)
        })
        .register_get("to", |of: &mut Record<v::TransitionFact>| {
            Record::<v::EnvironmentFact>::new(Arc::clone(of.asked()), 1)
        });
    list_within::<v::PlanFact, v::ChangeFact>(engine, "changes");
    list_within::<v::PlanFact, v::SourceFact>(engine, "sources");
    list_within::<v::PlanFact, v::CredentialFact>(engine, "credentials");
    list_within::<v::PlanFact, v::LeftoverFact>(engine, "still_pointing_at_source");
    list_within::<v::ScanFact, v::SecretFact>(engine, "secrets");
    list_within::<v::ScanFact, v::PersonalFact>(engine, "personal_data");
    engine
        .register_fn("named", move |calendars: &mut Rows<v::CalendarFact>, name: ImmutableString| {
            note(calendars.asked(), &by_named);
            calendars.look()?;
            let found =
                calendars.items().find(|(_, calendar)| calendar.name == name.as_str()).map(|(row, _)| row);
            found.map(|row| Record::<v::CalendarFact>::new(Arc::clone(calendars.asked()), row)).ok_or_else(
                || {
                    let known: Vec<_> =
                        calendars.items().map(|(_, calendar)| format!("`{}`", calendar.name)).collect();
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    fault(format!("there is no calendar `{name}`; the configuration has {known}"))
                },
            )
        })
        .register_fn("outside", move |found: &mut Rows<v::PersonalFact>, places: Array| {
            note(found.asked(), &by_outside);
            let places = allowed(&places)?;
            found.look_times(places.len())?;
            let kept: Vec<u32> = found
                .items()
                .filter(|(_, datum)| {
                    !places.iter().any(|(object, at)| {
                        (object == "*" || object == datum.object.as_str()) && datum.at.is_within(at)
                    })
                })
                .map(|(row, _)| row)
                .collect();
            Ok::<_, Fault>(found.keep(kept))
        })
        .register_fn("quorum", move |approvals: &mut Rows<v::ApprovalFact>, roles: Map| {
            note(approvals.asked(), &by_quorum);
            let wanted = roles
                .iter()
                .map(|(role, count)| match count.as_int() {
                    Ok(count) if count >= 1 => Ok((role.to_string(), count)),
                    _ => Err(fault(format!("the role `{role}` needs a whole number of 1 or more"))),
                })
                .collect::<Result<BTreeMap<_, _>, Fault>>()?;
            let places = wanted.values().fold(0_i64, |sum, count| sum.saturating_add(*count));
            if places > quorum::MOST_PLACES {
                return Err(fault(format!(
                    "`quorum` asks for {places} people, more than {}",
                    quorum::MOST_PLACES
                )));
            }
            approvals.look()?;
            let people =
                approvals.items().map(|(_, approval)| (approval.person.as_str(), approval.roles.as_slice()));
            let filled = quorum::fill(&wanted, people);
            let texts = |texts: Vec<String>| {
                texts.into_iter().map(|text| Dynamic::from(ImmutableString::from(text))).collect::<Vec<_>>()
            };
            Ok::<Map, Fault>(Map::from([
                ("met".into(), filled.missing.is_empty().into()),
                ("missing".into(), texts(filled.missing).into()),
                ("people".into(), texts(filled.people).into()),
            ]))
        });
}

/// A list that is a member of a fact.
fn list_within<O: v::Fact, F: v::Fact>(engine: &mut Engine, name: &str) {
    engine.register_get(name, |of: &mut Record<O>| Rows::<F>::all(of.asked()));
    FuncRegistration::new_setter(name).with_purity(true).register_into_engine(
        engine,
        |_: &mut Record<O>, back: Rows<F>| if back.is_all() { Ok(()) } else { Err(unchangeable()) },
    );
}

/// Why a fact or parameter is not set. After `plan.changes.where(…)` or `params.kinds.is_empty()` Rhai
/// hands the member back to its setter, in case the call has changed it; this is how a member without
/// one refuses, and where there is none Rhai first makes up two long messages that nobody reads.
pub(crate) const UNCHANGEABLE: &str = "facts and parameters cannot be changed";

fn unchangeable() -> Fault {
    EvalAltResult::ErrorDotExpr(UNCHANGEABLE.to_owned(), Position::NONE).into()
}

/// Allowed places: `OBJECT#POINTER`.
fn allowed(places: &[Dynamic]) -> Result<Vec<(String, Pointer)>, Fault> {
    places
        .iter()
        .map(|place| {
            let text = place
                .as_immutable_string_ref()
                .map_err(|_| fault(format!("an allowed place is {}", type_word(place))))?;
            // The pointer begins at the last `#/`, or the entry ends in `#` for the whole object.
            let split = text.rfind("#/").or_else(|| text.ends_with('#').then(|| text.len() - 1));
            let parts = split.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?)));
            let (object, pointer) = parts.filter(|(object, _)| !object.is_empty()).ok_or_else(|| {
                fault(format!(
                    "`{}` is not an allowed place: write `OBJECT#/POINTER`, or `*#/POINTER` for any object",
                    text.as_str()
                ))
            })?;
            let pointer = pointer.parse().map_err(|error| fault(format!("`{}`: {error}", text.as_str())))?;
            Ok((object.to_owned(), pointer))
        })
        .collect()
}
