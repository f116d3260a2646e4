//! The checks, each a sentence that is true of a good plugin.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_model::slot::SecretShape;

use super::example::Example;
use super::report::{Outcome, Weight};
use super::sample;
use crate::describe::{self, KindDescription, Sameness};
use crate::error::Reason;
use crate::limits::Used;
use crate::outside::{NetFailure, Outside, Placed, Request, Response, Tls};
use crate::plugin::Plugin;
use crate::probe::ProbeInput;
use crate::render::{RenderInput, Rendered, Severity};

/// One check of the suite.
pub(super) struct Step {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) weight: Weight,
    pub(super) run: fn(&mut Subject<'_>) -> Outcome,
}

/// All that need nothing but the plugin.
pub(super) const ALL: [Step; 9] = [
    Step {
        id: "transform",
        title: "it makes a data source of each kind for the target, and changes nothing that it did not declare",
        weight: Weight::Must,
        run: transforms,
    },
    Step {
        id: "environment-owned",
        title: "what the environment owns is the binding's, and is missed where the binding lacks it",
        weight: Weight::Must,
        run: environment_owned,
    },
    Step {
        id: "deterministic",
        title: "the same input gives the same answer for the same fuel",
        weight: Weight::Must,
        run: deterministic,
    },
    Step {
        id: "invalid",
        title: "an option that cannot be what it is gets refused or remarked on",
        weight: Weight::Must,
        run: invalid,
    },
    Step {
        id: "credentials",
        title: "every slot is filled from what is offered, by its label, and from nothing else",
        weight: Weight::Must,
        run: credentials,
    },
    Step {
        id: "same-place",
        title: "a target that is the source environment's own place is refused",
        weight: Weight::Must,
        run: same_place,
    },
    Step {
        id: "typed-errors",
        title: "whatever the options are, it answers, and never breaks off",
        weight: Weight::Must,
        run: typed_errors,
    },
    Step {
        id: "limits",
        title: "a large data source is far from the limits",
        weight: Weight::Should,
        run: limits,
    },
    Step {
        id: "probe",
        title: "it probes through what it is given, and takes a network that fails as an answer",
        weight: Weight::Must,
        run: probe,
    },
];

/// What a plugin says of itself, asked once more: on a fresh instance, whether what it said before was
/// asked now or kept.
pub(super) fn describe_again(plugin: &Plugin) -> Outcome {
    let mut found = Vec::new();
    let described = plugin.call(|guest, store| guest.sluice_plugin_transforming().call_describe(store));
    match described.and_then(|(described, _)| describe::check(described)) {
        Ok(again) if again == plugin.describe() => {}
        Ok(_) => found.push("it described itself otherwise when it was asked again".to_owned()),
        Err(reason) => found.push(reason.to_string()),
    }
    for kind in plugin.describe() {
        for option in kind.options.iter().filter(|option| option.doc.trim().is_empty()) {
            found.push(format!("nothing is said of the option `{}` of `{}`", option.at, kind.kind));
        }
        for slot in kind.slots.iter().filter(|slot| slot.doc.trim().is_empty()) {
            found.push(format!("nothing is said of the slot `{}` of `{}`", slot.rule.name, kind.kind));
        }
    }
    Outcome::of(found)
}

/// The vendor's examples.
pub(super) fn examples(plugin: &Plugin, examples: &[Example]) -> Outcome {
    if examples.is_empty() {
        return Outcome::Skipped("there is no example".to_owned());
    }
    let differs = |example: &Example| Some(format!("{}: {}", example.title, example.differs(plugin)?));
    Outcome::of(examples.iter().filter_map(differs).collect())
}

/// A plugin that is asked, and the most that a call of it used.
pub(super) struct Subject<'p> {
    pub(super) plugin: &'p Plugin,
    /// What its data sources are called.
    pub(super) called: &'p str,
    pub(super) used: Used,
}

impl Subject<'_> {
    fn render(&mut self, input: &RenderInput) -> Result<Rendered, Reason> {
        let rendered = self.plugin.render(input).map_err(|error| *error.reason)?;
        self.used.raise(&rendered.used);
        Ok(rendered)
    }
}

/// Whether the plugin refused, as it may, or broke off.
const fn is_refusal(reason: &Reason) -> bool {
    matches!(reason, Reason::Invalid(_) | Reason::Incomplete { .. })
}

/// Runs a check on each kind.
fn of_each(
    subject: &mut Subject<'_>,
    mut check: impl FnMut(&mut Subject<'_>, &KindDescription, RenderInput) -> Vec<String>,
) -> Outcome {
    let mut found = Vec::new();
    for kind in subject.plugin.describe() {
        match sample::full(kind, subject.called) {
            Some(input) => {
                let what = check(subject, kind, input);
                found.extend(what.into_iter().map(|what| format!("{}: {what}", kind.kind)));
            }
            None => found.push(format!("{}: no data source can be made of its description", kind.kind)),
        }
    }
    Outcome::of(found)
}

fn transforms(subject: &mut Subject<'_>) -> Outcome {
    of_each(subject, |subject, _, input| match subject.render(&input) {
        Ok(_) => Vec::new(),
        Err(reason) => vec![reason.to_string()],
    })
}

/// That what the environment owns comes from it, the host makes sure of in every call; here what
/// the kind cannot do without is left out of the binding.
fn environment_owned(subject: &mut Subject<'_>) -> Outcome {
    of_each(subject, |subject, kind, input| {
        let owned =
            |o: &&crate::OptionDescription| o.across_environments != Sameness::MustMatch && o.required;
        let mut found = Vec::new();
        for option in sample::described(kind).filter(owned) {
            let mut lacking = input.clone();
            sample::take(&mut lacking.binding, &option.at);
            match subject.render(&lacking) {
                Err(reason) if is_refusal(&reason) => {}
                Err(reason) => found.push(format!("without `{}` in the binding {reason}", option.at)),
                Ok(_) => found.push(format!("the binding may lack `{}`, which is required", option.at)),
            }
        }
        found
    })
}

fn deterministic(subject: &mut Subject<'_>) -> Outcome {
    of_each(subject, |subject, _, input| {
        let (first, again) = (subject.render(&input), subject.render(&input));
        if first == again { Vec::new() } else { vec!["two answers to one question differ".to_owned()] }
    })
}

fn invalid(subject: &mut Subject<'_>) -> Outcome {
    of_each(subject, |subject, kind, input| {
        let mut found = Vec::new();
        for option in sample::described(kind) {
            let Some(wrong) = sample::wrong(option) else { continue };
            let mut bad = input.clone();
            let side = if option.across_environments == Sameness::MustMatch {
                &mut bad.source.options
            } else {
                &mut bad.binding
            };
            sample::put(side, &option.at, wrong.clone());
            match subject.render(&bad) {
                Err(reason) if is_refusal(&reason) || matches!(reason, Reason::Clash { .. }) => {}
                Err(reason) => found.push(format!("with {wrong} at `{}` {reason}", option.at)),
                Ok(rendered) => {
                    let is_said = rendered.notes.iter().any(|note| note.severity > Severity::Note);
                    if !is_said {
                        found.push(format!("it takes {wrong} at `{}` without a word", option.at));
                    }
                }
            }
        }
        found
    })
}

fn credentials(subject: &mut Subject<'_>) -> Outcome {
    if subject.plugin.describe().iter().all(|kind| kind.slots.is_empty()) {
        return Outcome::Skipped("no kind has a slot".to_owned());
    }
    of_each(subject, |subject, _, input| {
        let mut found = Vec::new();
        let Ok(rendered) = subject.render(&input) else { return found };
        let label = |reference: &sluice_model::SecretRef| {
            input.candidates.iter().find(|c| c.reference == *reference).map(|c| c.label.clone())
        };
        for mark in sluice_model::content::marks(&rendered.options) {
            match rendered.slots.get(&mark.slot).and_then(label) {
                Some(label) if label == mark.slot.as_str() => {}
                Some(label) => {
                    found.push(format!("the slot `{}` is filled by the secret filed as `{label}`", mark.slot))
                }
                None => found.push(format!(
                    "the slot `{}` stays empty, and a secret is filed as `{}`",
                    mark.slot, mark.slot
                )),
            }
        }
        let none = RenderInput { candidates: Vec::new(), ..input.clone() };
        match subject.render(&none) {
            Ok(rendered) if rendered.slots.is_empty() => {}
            Ok(_) => found.push("a slot is filled where nothing is offered".to_owned()),
            Err(reason) if is_refusal(&reason) => {}
            Err(reason) => found.push(format!("where no secret is offered {reason}")),
        }
        found
    })
}

fn same_place(subject: &mut Subject<'_>) -> Outcome {
    let tells_apart = |kind: &&KindDescription| {
        kind.options.iter().any(|option| option.across_environments == Sameness::MustDiffer)
            || !kind.slots.is_empty()
    };
    let nameless: Vec<String> = subject
        .plugin
        .describe()
        .iter()
        .filter(|kind| !tells_apart(kind))
        .map(|kind| format!("{}: no option must differ between environments, and it has no slot", kind.kind))
        .collect();
    let told = of_each(subject, |subject, kind, mut input| {
        let place = |o: &&crate::OptionDescription| o.across_environments == Sameness::MustDiffer;
        if sample::described(kind).filter(place).count() == 0 {
            return Vec::new();
        }
        input.binding = input.source.options.clone();
        for option in kind.options.iter().filter(|o| o.across_environments == Sameness::MustMatch) {
            sample::take(&mut input.binding, &option.at);
        }
        for slot in kind.slots.iter().filter(|slot| slot.rule.shape == SecretShape::Whole) {
            sample::take(&mut input.binding, &slot.rule.at);
        }
        match subject.render(&input) {
            Err(reason) if is_refusal(&reason) => Vec::new(),
            Err(reason) => vec![reason.to_string()],
            // The host says so where the plugin does not.
            Ok(rendered) if rendered.notes.iter().any(|note| note.severity == Severity::Error) => Vec::new(),
            Ok(_) => vec!["the source environment's own place is taken".to_owned()],
        }
    });
    match (told, nameless.is_empty()) {
        (Outcome::Passed, false) => Outcome::of(nameless),
        (told, _) => told,
    }
}

/// Options as nobody writes them. What must not happen is a trap or a limit that is met.
fn typed_errors(subject: &mut Subject<'_>) -> Outcome {
    let odd = [
        json!(null),
        json!({}),
        json!([]),
        json!("text"),
        json!(-0.0),
        json!(1e308),
        json!(u64::MAX),
        json!({ "": "" }),
        json!({ "/~": { "~1/": ["\u{0}", "\u{202e}", "🜂"] } }),
        json!([[[[[[[[[["deep"]]]]]]]]]]),
        json!("{{constants.X}}"),
        json!("https://[::1"),
        json!("://@:/"),
    ];
    of_each(subject, |subject, kind, input| {
        let mut found = Vec::new();
        let mut ask = |input: &RenderInput, what: &dyn Fn() -> String| match subject.render(input) {
            Ok(_) => {}
            Err(reason) if is_refusal(&reason) || matches!(reason, Reason::Clash { .. }) => {}
            Err(reason) => found.push(format!("with {} {reason}", what())),
        };
        for odd in odd.iter().filter(|odd| odd.is_object() || odd.is_null()) {
            let mut bare = input.clone();
            bare.source.options = odd.clone();
            bare.binding = odd.clone();
            ask(&bare, &|| format!("the options {odd}"));
        }
        for option in sample::described(kind) {
            for odd in &odd {
                let mut changed = input.clone();
                sample::put(&mut changed.source.options, &option.at, odd.clone());
                if option.across_environments != Sameness::MustMatch {
                    sample::put(&mut changed.binding, &option.at, odd.clone());
                }
                ask(&changed, &|| format!("{odd} at `{}`", option.at));
            }
        }
        found
    })
}

fn limits(subject: &mut Subject<'_>) -> Outcome {
    /// How many times the usual size.
    const OPTIONS: usize = 500;
    /// Of each limit half may be used, so that one of twice the size still fits. Guests that carry
    /// an interpreter take a quarter of the fuel.
    const PART: u64 = 2;
    let most = subject.plugin.limits().clone();
    of_each(subject, |subject, _, mut input| {
        let more: serde_json::Map<String, Value> =
            (0..OPTIONS).map(|index| (format!("further-{index}"), json!("x".repeat(100)))).collect();
        let more = Value::Object(more);
        for options in [&mut input.source.options, &mut input.binding] {
            if let Value::Object(members) = options {
                members.insert("further".to_owned(), more.clone());
            }
        }
        match subject.render(&input) {
            Ok(Rendered { used, .. }) => {
                let mut found = Vec::new();
                if used.fuel.saturating_mul(PART) > most.fuel {
                    found.push(format!(
                        "{OPTIONS} further options take {} of {} units of fuel",
                        used.fuel, most.fuel
                    ));
                }
                if used.memory_bytes.saturating_mul(PART) > most.memory_bytes as u64 {
                    let limit = most.memory_bytes;
                    found.push(format!(
                        "{OPTIONS} further options take {} of {limit} bytes of memory",
                        used.memory_bytes
                    ));
                }
                found
            }
            Err(reason) if is_refusal(&reason) => Vec::new(),
            Err(reason) => vec![format!("with {OPTIONS} further options {reason}")],
        }
    })
}

/// A network that gives one answer to everything, and hands back what it was sent: it stands in for the
/// real one where a probe is only tried.
#[derive(Debug, Clone)]
pub struct Uniform(pub Result<(), NetFailure>);

impl Outside for Uniform {
    fn reach(&self, _: &str, _: u16, _: Tls, _: Duration) -> Result<(), NetFailure> {
        self.0.clone()
    }

    fn http(&self, request: &Request, _: &[Placed], _: Duration) -> Result<Response, NetFailure> {
        let body = request.url.clone().into_bytes();
        self.0.clone().map(|()| Response { status: 200, headers: request.headers.clone(), body })
    }
}

fn probe(subject: &mut Subject<'_>) -> Outcome {
    if !subject.plugin.has_probe() {
        return Outcome::Skipped("it has no probe".to_owned());
    }
    let networks = [
        Ok(()),
        Err(NetFailure::NotGranted),
        Err(NetFailure::Unresolved),
        Err(NetFailure::PrivateAddress),
        Err(NetFailure::Refused),
        Err(NetFailure::TimedOut),
        Err(NetFailure::Tls("no common version".to_owned())),
        Err(NetFailure::TooLarge),
        Err(NetFailure::BadRequest("x".to_owned())),
        Err(NetFailure::BadSecret("x".to_owned())),
        Err(NetFailure::BadResponse),
    ];
    of_each(subject, |subject, _, input| {
        let mut found = Vec::new();
        let Ok(rendered) = subject.render(&input) else { return found };
        for network in networks.clone() {
            let source = crate::DataSource { options: rendered.options.clone(), ..input.source.clone() };
            let asked = ProbeInput {
                source,
                target: input.target_environment.clone(),
                slots: rendered.slots.clone(),
                outside: Arc::new(Uniform(network.clone())),
            };
            match subject.plugin.probe(asked) {
                Ok(probed) => {
                    subject.used.raise(&probed.used);
                    if probed.is_unfounded {
                        let told = network.as_ref().err().map_or_else(String::new, |why| format!(": {why}"));
                        found.push(format!("it says `yes` of a target that it has not seen answer{told}"));
                    }
                }
                Err(error) if is_refusal(&error.reason) => {}
                Err(error) => found.push(error.reason.to_string()),
            }
        }
        found
    })
}
