//! The plugin: a decent one that does otherwise where it is asked to.

use sluice_guest::bindings::sluice::plugin::log;
use sluice_guest::bindings::sluice::plugin::types as wire;
use sluice_guest::connection::{Connection, Endpoint, to};
use sluice_guest::judge::finding;
use sluice_guest::spec::{KindSpec, OptionSpec, Platform, SlotSpec, choice, fixed, kind, place, secret};
use sluice_guest::{
    Assignment, Candidate, Environment, Failure, Family, Finding, Guest, GuestRendering, KindDescription,
    OptionLeaf, OptionType, Rendering, Scalar, Serve, Severity, Source, Transformed, Value,
};

use crate::{act_outside_of_a_probe, acts, describing};

/// One that does what a plugin should.
#[derive(Debug)]
pub(crate) struct Decent;

const OPTIONS: &[OptionSpec] = &[
    place("host", OptionType::Text, "The host").required(),
    fixed("tls", OptionType::Flag, "Whether the connection is encrypted"),
    choice("mode", &["strict", "lax"], "How strict it is"),
    fixed("dialect", OptionType::Text, "The dialect"),
];

const SLOTS: &[SlotSpec] =
    &[secret("password", "password", "The password").required(), secret("token", "token", "A token")];

const KINDS: &[KindSpec] = &[KindSpec {
    options: &[OPTIONS],
    slots: &[SLOTS],
    connections: &[Connection { tls: &[], ..to(&[Endpoint::Host { host: "host", port: "", usual: "" }]) }],
    ..kind(Platform::Lowcoder, "adversary")
}];

impl Family for Decent {
    fn kinds() -> &'static [KindSpec] {
        KINDS
    }
}

/// What the component exports.
#[derive(Debug)]
pub struct Plugin;

fn text(at: &str, text: &str) -> OptionLeaf {
    OptionLeaf { at: at.to_owned(), value: Value::Plain(Scalar::Text(text.to_owned())) }
}

/// The text that a data source's name asks to search for.
fn searched(name: &str) -> Option<&str> {
    name.strip_prefix("search:")
}

/// Changes the leaf at `at`.
fn set(options: &mut Vec<OptionLeaf>, at: &str, value: Value) {
    options.retain(|leaf| leaf.at != at);
    options.push(OptionLeaf { at: at.to_owned(), value });
}

impl Guest for Plugin {
    type Rendering = Misbehaving;

    fn describe() -> Vec<KindDescription> {
        describing::spoil(Serve::<Decent>::describe())
    }
}

/// A data source that says how to misbehave.
#[derive(Debug)]
pub struct Misbehaving {
    source: Source,
    decent: Rendering<Decent>,
}

impl GuestRendering for Misbehaving {
    fn new(source: Source) -> Self {
        Self { decent: Rendering::new(source.clone()), source }
    }

    fn validate(&self) -> Result<Vec<Finding>, Failure> {
        act_outside_of_a_probe(&self.source.name);
        match self.source.name.as_str() {
            "trap" => acts::trap(),
            "loop" => acts::run_for_ever(),
            "allocate" => acts::allocate_without_end(),
            "grow" => acts::grow_in_steps(),
            "recurse" => {
                std::hint::black_box(acts::recurse(1));
            }
            "hoard-handles" => acts::hoard_handles(&self.source),
            "fill" => acts::fill_without_end(),
            "log-many" => (0..1_000_000).for_each(|_| log::write(log::Level::Info, "x")),
            "log-long" => (0..100).for_each(|_| log::write(log::Level::Info, &"x".repeat(10_000))),
            "findings" => {
                let one = finding(Severity::Note, "x", None, "x", "");
                return Ok(vec![one; 10_000]);
            }
            // One text of a megabyte, referred to a hundred times: 100 MB that are not there.
            "answer-100-mb" => return acts::answer(100, 1 << 20),
            "answer-long" => return acts::answer(1, 6 << 20),
            "invalid" => {
                let at = Some("/host");
                return Err(Failure::Invalid(vec![finding(
                    Severity::Error,
                    "x",
                    at,
                    "the host is bad\u{1b}[31m",
                    "",
                )]));
            }
            "unsupported" => return Err(Failure::UnsupportedKind),
            "remember" => {
                let before = acts::remember();
                return Ok(vec![finding(Severity::Note, "remember", None, &before.to_string(), "")]);
            }
            _ => {}
        }
        self.decent.validate()
    }

    fn transform(
        &self,
        from: Environment,
        target: Environment,
        binding: Vec<OptionLeaf>,
    ) -> Result<Transformed, Failure> {
        let before = self.source.clone();
        let mut answer = self.decent.transform(from, target, binding)?;
        // By now both the data source and the target's binding have been here.
        if let Some(text) = searched(&before.name) {
            let message = if acts::search(text) { "found" } else { "not found" };
            answer.notes.push(finding(Severity::Note, "search", None, message, ""));
        }
        let options = &mut answer.source.options;
        match before.name.as_str() {
            "wrong-kind" => {
                answer.source.kind =
                    wire::Kind { platform: "lowcoder".to_owned(), name: "postgres".to_owned() };
            }
            "wrong-name" => answer.source.name = "other".to_owned(),
            "wrong-id" => answer.source.logical_id = "other".to_owned(),
            "source-options" => answer.source.options = before.options,
            "source-host" => {
                let of_source = before.options.into_iter().find(|leaf| leaf.at == "/host");
                options.retain(|leaf| leaf.at != "/host");
                options.extend(of_source);
            }
            "own-host" => set(options, "/host", Value::Plain(Scalar::Text("evil".to_owned()))),
            "no-host" => options.retain(|leaf| leaf.at != "/host"),
            "made-up" => options.push(text("/extra", "x")),
            "made-up-slot" => {
                set(options, "/token", Value::Composed(vec![wire::Part::Slot("other".to_owned())]))
            }
            "twice" => options.push(text("/host", "x")),
            "object-and-value" => options.push(text("/host/inner", "x")),
            "dialect" => set(options, "/dialect", Value::Plain(Scalar::Text("other".to_owned()))),
            "harden" => {
                set(options, "/tls", Value::Plain(Scalar::Flag(true)));
                set(options, "/mode", Value::Plain(Scalar::Text("strict".to_owned())));
            }
            "mode" => set(options, "/mode", Value::Plain(Scalar::Text("other".to_owned()))),
            "nan" => set(options, "/host", Value::Plain(Scalar::Number(f64::NAN))),
            "nan-flag" => set(options, "/tls", Value::Plain(Scalar::Number(f64::NAN))),
            "incomplete" => return Err(Failure::Incomplete(vec!["/host".to_owned(), "/port".to_owned()])),
            "endpoints" => answer.traits.endpoints = vec!["db.example:1".to_owned(); 10_000],
            "many-options" => options.extend((0..60_000).map(|n| text(&format!("/x{n}"), ""))),
            "foreign-password" => set(options, "/password", Value::Plain(Scalar::Text("plain".to_owned()))),
            "loop-late" => acts::run_for_ever(),
            "trap-late" => acts::trap(),
            "silent" => answer.notes.clear(),
            "harmless" => {
                answer.notes = vec![finding(Severity::Note, "option.must-differ", None, "all is well", "")];
            }
            _ => {}
        }
        Ok(answer)
    }

    fn remap_credentials(
        &self,
        slots: Vec<String>,
        offered: Vec<Candidate>,
    ) -> Result<Vec<Assignment>, Failure> {
        let one = |slot: &str, candidate| Assignment { slot: slot.to_owned(), candidate };
        if let Some(text) = searched(&self.source.name) {
            // Filled if it was found: there is no other way to say so from here.
            let found = acts::search(text) && !std::hint::black_box(offered).is_empty();
            return Ok(if found { vec![one("password", 0)] } else { Vec::new() });
        }
        match self.source.name.as_str() {
            "index" => Ok(vec![one("password", u32::try_from(offered.len()).unwrap_or(u32::MAX))]),
            "loop-last" => {
                acts::run_for_ever();
                Ok(Vec::new())
            }
            "far-index" => Ok(vec![one("password", u32::MAX)]),
            "many-slots" => Ok((0..100_000).map(|_| one("password", 0)).collect()),
            "other-slot" => Ok(vec![one("other", 0)]),
            "empty-slots" => Ok(Vec::new()),
            "first-secret" => Ok(slots.iter().map(|slot| one(slot, 0)).collect()),
            "slot-twice" => Ok(vec![one("password", 0), one("password", 0)]),
            _ => self.decent.remap_credentials(slots, offered),
        }
    }
}
