//! Data sources for the first-party plugins, which are run natively: what is described, and what
//! nobody described.

use std::cell::RefCell;

use sluice_guest::harness;
use sluice_guest::options::same;
use sluice_guest::probe::{ask, net};
use sluice_guest::remap::plain;
use sluice_guest::{
    Candidate, Environment, Failure, Family, Finding, Guest as _, GuestRendering as _, KindDescription,
    OptionLeaf, OptionType, Part, Rendering, Sameness, Scalar, Serve, Source, Value,
};

use super::Choices;

/// In every text of the source environment, and in none of the target's.
const OURS: &str = "of-development";

const WORDS: &[&str] = &[
    "",
    "true",
    "false",
    "1",
    "5432",
    "-1",
    "99999999999999999999",
    "db.example",
    "db.example:5432",
    "https://api.example/v1",
    "postgres://u:p@h:1/d",
    "http://[::1]:80",
    "a=b;Password=x;;=",
    "{\"a\":{\"b\":1}}",
    "Bearer x",
    "none",
    "enabled",
    "root",
    "sa",
    "\u{0}",
    "\u{202e}\u{301}",
    "é",
    "///",
    "://",
    "@:",
    "[",
    "{{x}}",
    "sqlserver://;",
    "mongodb+srv://a,b,c/?x=%",
    "s3.amazonaws.com",
];

const KEYS: &[&str] = &["value", "encrypted", "0", "1", "key", "x~1y", "", "password", "~", "/"];

struct Maker<'c, 'b> {
    choices: &'c mut Choices<'b>,
    kind: &'c KindDescription,
}

impl Maker<'_, '_> {
    fn text(&mut self, mark: &str) -> String {
        let word = *self.choices.of(WORDS);
        match self.choices.below(3) {
            0 if !mark.is_empty() => format!("{word}{mark}"),
            1 => format!("{mark}.{word}"),
            _ => format!("{mark}{}", if mark.is_empty() { word } else { "" }),
        }
    }

    fn value(&mut self, mark: &str, ty: Option<OptionType>, choices: &[String]) -> Value {
        let plain = Value::Plain;
        match (ty, self.choices.below(12)) {
            (Some(OptionType::Choice), 0..=8) => plain(Scalar::Text(self.choices.of(choices).clone())),
            (Some(OptionType::Flag), 0..=6) => plain(Scalar::Flag(self.choices.below(2) == 0)),
            (Some(OptionType::Number), 0..=4) => plain(Scalar::Number(f64::from(self.choices.byte()))),
            (_, 0..=6) => plain(Scalar::Text(self.text(mark))),
            (_, 7) => {
                let slots = &self.kind.slots;
                let slot = if slots.is_empty() { String::new() } else { self.choices.of(slots).name.clone() };
                Value::Composed(vec![Part::Slot(slot)])
            }
            (_, 8) => {
                let (before, after) = (self.text(mark), self.text(mark));
                Value::Composed(vec![
                    Part::Literal(before),
                    Part::Slot("password".to_owned()),
                    Part::Literal(after),
                ])
            }
            (_, 9) => Value::Composed(vec![Part::Expression(self.text(""))]),
            (_, 10) => {
                let odd = [Scalar::None, Scalar::Number(f64::NAN), Scalar::Number(-1e300), Scalar::EmptyList];
                plain(self.choices.of(&odd).clone())
            }
            _ => plain(Scalar::Digits("123456789012345678901".to_owned())),
        }
    }

    /// A pointer to where something is described, or near to it, or anywhere.
    fn pointer(&mut self) -> (String, Option<OptionType>, Vec<String>) {
        let (options, slots) = (&self.kind.options, &self.kind.slots);
        let (at, ty, choices) = match self.choices.below(8) {
            0 | 1 if !slots.is_empty() => (self.choices.of(slots).at.clone(), None, Vec::new()),
            0..=6 if !options.is_empty() => {
                let option = self.choices.of(options);
                (option.at.clone(), Some(option.ty), option.choices.clone())
            }
            _ => (format!("/{}", self.choices.of(KEYS)), None, Vec::new()),
        };
        let mut pointer = String::new();
        for token in at.split('/').skip(1) {
            let token = if token == "*" { *self.choices.of(KEYS) } else { token };
            pointer.push('/');
            pointer.push_str(token);
        }
        if self.choices.below(8) == 1 {
            pointer.push('/');
            let key: &&str = self.choices.of(KEYS);
            pointer.push_str(key);
        }
        (pointer, ty, choices)
    }

    /// Leaves in order, none inside another, as the host gives them; or, rarely, in disorder.
    fn leaves(&mut self, mark: &str) -> Vec<OptionLeaf> {
        let mut leaves = Vec::new();
        for _ in 0..self.choices.below(30) {
            let (at, ty, choices) = self.pointer();
            leaves.push(OptionLeaf { at, value: self.value(mark, ty, &choices) });
        }
        if self.choices.below(16) == 1 {
            return leaves;
        }
        leaves.sort_by(|a, b| a.at.cmp(&b.at));
        let is_inside =
            |at: &str, of: &str| at == of || at.strip_prefix(of).is_some_and(|rest| rest.starts_with('/'));
        let mut kept: Vec<OptionLeaf> = Vec::new();
        for leaf in leaves {
            if !kept.iter().any(|other| is_inside(&leaf.at, &other.at)) {
                kept.push(leaf);
            }
        }
        kept
    }
}

/// Who decides what stands at a pointer, worked out in the plainest way from the description.
fn sameness(kind: &KindDescription, at: &str) -> Sameness {
    let tokens: Vec<&str> = at.split('/').skip(1).collect();
    let covering = kind.options.iter().filter_map(|option| {
        let wanted: Vec<&str> = option.at.split('/').skip(1).collect();
        let covers =
            wanted.len() <= tokens.len() && wanted.iter().zip(&tokens).all(|(w, t)| w == t || *w == "*");
        covers.then_some(((wanted.len(), !wanted.contains(&"*")), option.across_environments))
    });
    covering.max_by_key(|(rank, _)| *rank).map_or(Sameness::MayDiffer, |(_, sameness)| sameness)
}

fn says(value: &Value, text: &str) -> bool {
    match value {
        Value::Plain(Scalar::Text(own)) => own.contains(text),
        Value::Plain(_) => false,
        Value::Composed(parts) => parts.iter().any(|part| match part {
            Part::Literal(own) | Part::Slot(own) | Part::Expression(own) => own.contains(text),
        }),
    }
}

fn say_nothing_of_ours(notes: &[Finding]) {
    for note in notes {
        let said = [Some(&note.message), note.fix.as_ref()];
        assert!(said.iter().flatten().all(|text| !text.contains(OURS)), "{note:?}");
    }
}

/// Makes a data source of bytes, has one family render it, and checks what must hold. Says what it
/// came to.
fn render<F: Family + 'static>(choices: &mut Choices<'_>) -> &'static str {
    let kinds = Serve::<F>::describe();
    let kind = choices.of(&kinds);
    let mut maker = Maker { choices, kind };
    let mut options = maker.leaves(OURS);
    let mut binding = maker.leaves("");
    // Some of the source's options are bound too, as they mostly are.
    for leaf in &options {
        if maker.choices.below(2) == 0 && sameness(kind, &leaf.at) != Sameness::MustMatch {
            binding.retain(|other| !other.at.starts_with(&leaf.at) && !leaf.at.starts_with(&other.at));
            binding.push(OptionLeaf { at: leaf.at.clone(), value: maker.value("", None, &[]) });
        }
    }
    binding.sort_by(|a, b| a.at.cmp(&b.at));
    if maker.choices.below(40) == 1 {
        options.clear();
    }
    let asked: Vec<String> = kind.slots.iter().map(|slot| slot.name.clone()).collect();
    let offered: Vec<Candidate> = (0..maker.choices.below(4))
        .map(|_| {
            let of_slot = !asked.is_empty() && maker.choices.below(2) == 0;
            let label = if of_slot { maker.choices.of(&asked).to_uppercase() } else { maker.text("") };
            Candidate { label, age_days: u32::from(maker.choices.byte()) }
        })
        .collect();

    let source =
        Source { logical_id: "id".to_owned(), name: "name".to_owned(), kind: kind.kind.clone(), options };
    let environment = |name: &str, order| Environment { name: name.to_owned(), order };
    let run = || {
        let rendering = Rendering::<F>::new(source.clone());
        let judged = rendering.validate();
        let (from, to) = (environment("development", 0), environment("staging", 1));
        let transformed = rendering.transform(from, to, binding.clone());
        let assigned = rendering.remap_credentials(asked.clone(), offered.clone());
        (judged, transformed, assigned)
    };
    let (judged, transformed, assigned) = run();
    assert_eq!(format!("{:?}", run()), format!("{:?}", (&judged, &transformed, &assigned)), "{source:?}");

    match &assigned {
        Ok(assigned) => {
            for (index, one) in assigned.iter().enumerate() {
                assert!(asked.contains(&one.slot), "{one:?}");
                let candidate = offered.get(one.candidate as usize).unwrap_or_else(|| panic!("{one:?}"));
                assert_eq!(plain(&candidate.label), plain(&one.slot), "{one:?}");
                assert!(assigned.iter().take(index).all(|other| other.slot != one.slot), "{one:?} twice");
            }
        }
        Err(Failure::Incomplete(slots)) => {
            assert!(slots.iter().all(|slot| asked.contains(slot)), "{slots:?}")
        }
        Err(other) => panic!("{other:?}"),
    }
    match transformed {
        Ok(transformed) => {
            say_nothing_of_ours(&transformed.notes);
            assert_eq!(
                (transformed.source.logical_id.as_str(), transformed.source.name.as_str()),
                ("id", "name")
            );
            for leaf in &transformed.source.options {
                // Nothing falls back to what the source environment has.
                let is_fixed = sameness(kind, &leaf.at) == Sameness::MustMatch;
                assert!(is_fixed || !says(&leaf.value, OURS), "{leaf:?} of {source:?} for {binding:?}");
            }
            if is_sorted(&source.options) && is_sorted(&binding) {
                keeps_to_its_description(kind, &source.options, &binding, &transformed.source.options);
            }
            match probe::<F>(choices, transformed.source) {
                None => "rendered",
                Some(true) => "credentials taken",
                Some(false) => "credentials refused",
            }
        }
        Err(Failure::Invalid(notes)) => {
            assert!(!notes.is_empty());
            say_nothing_of_ours(&notes);
            "invalid"
        }
        Err(Failure::Incomplete(options)) => {
            assert!(!options.is_empty());
            "incomplete"
        }
        Err(Failure::UnsupportedKind) => panic!("{:?} is described and not supported", kind.kind),
    }
}

/// As the host gives leaves: in order, each place once.
fn is_sorted(leaves: &[OptionLeaf]) -> bool {
    leaves.is_sorted_by(|a, b| a.at < b.at)
}

fn is_inside(at: &str, of: &str) -> bool {
    at.strip_prefix(of).is_some_and(|rest| rest.starts_with('/'))
}

/// What must match is the bundle's, all else the binding's, each place once, and nothing is left out
/// or made up.
fn keeps_to_its_description(
    kind: &KindDescription,
    bundle: &[OptionLeaf],
    binding: &[OptionLeaf],
    rendered: &[OptionLeaf],
) {
    assert!(is_sorted(rendered), "{rendered:?}");
    let is_there = |leaf: &OptionLeaf, among: &[OptionLeaf]| {
        among.iter().any(|other| other.at == leaf.at && same(&other.value, &leaf.value))
    };
    let is_fixed = |leaf: &OptionLeaf| sameness(kind, &leaf.at) == Sameness::MustMatch;
    let is_slot = |leaf: &OptionLeaf| matches!(&leaf.value, Value::Composed(parts) if matches!(parts.as_slice(), [Part::Slot(_)]));
    for leaf in rendered {
        let is_its_place = if is_fixed(leaf) {
            is_there(leaf, bundle)
        } else {
            is_there(leaf, binding) || (is_slot(leaf) && is_there(leaf, bundle))
        };
        assert!(is_its_place, "{leaf:?} is of {bundle:?} or {binding:?}");
    }
    let wanted = bundle.iter().filter(|leaf| is_fixed(leaf));
    for leaf in wanted.chain(binding.iter().filter(|leaf| !is_fixed(leaf))) {
        // What stood for having no members is gone where there are some.
        let is_none = matches!(leaf.value, Value::Plain(Scalar::EmptyList | Scalar::EmptyObject))
            && rendered.iter().any(|inner| is_inside(&inner.at, &leaf.at));
        assert!(is_none || is_there(leaf, rendered), "{leaf:?} is left out of {rendered:?}");
    }
}

/// Has a rendered source probed through a network that answers anything, and checks where the probe
/// goes and what it has placed there. Says whether the credentials are good.
fn probe<F: Family>(choices: &mut Choices<'_>, source: Source) -> Option<bool> {
    const STATUS: [u16; 6] = [200, 204, 302, 401, 403, 500];
    let bodies: [&[u8]; 4] = [b"", b"{\"ok\":true}", b"{ \"ok\" : false }", &[0xff, 0]];
    let (reached, status, open) = (choices.below(4) != 0, *choices.of(&STATUS), *choices.of(&STATUS));
    let (body, fails) = (choices.of(&bodies).to_vec(), choices.below(8) == 1);
    let slots: Vec<String> = source.options.iter().flat_map(|leaf| slots(&leaf.value)).collect();
    let filled: Vec<String> = slots.into_iter().filter(|_| choices.below(8) != 1).collect();
    let target = Environment { name: "staging".to_owned(), order: 1 };
    let run = || {
        let network = harness::Answering {
            reach: &|_, _| if reached { Ok(()) } else { Err(net::Failure::Refused) },
            http: &|_, place| match fails {
                true => Err(net::Failure::BadSecret("no".to_owned())),
                false => Ok(net::Response {
                    status: if place.is_empty() { open } else { status },
                    headers: Vec::new(),
                    body: body.clone(),
                }),
            },
            slots: filled.clone(),
            asked: RefCell::default(),
        };
        let probed = ask::<F>(source.clone(), &target, &network).unwrap();
        (probed, network.asked.into_inner())
    };
    let (probed, asked) = run();
    assert_eq!(format!("{:?}", run()), format!("{:?}", (&probed, &asked)), "{source:?}");
    // Credentials are asked about where the target is reached, with one request and one without them.
    assert!(asked.len() <= 2 && (asked.is_empty() || probed.reachable == Some(true)), "{probed:?}");
    assert!(probed.authenticated.is_none() || !asked.is_empty(), "{probed:?}");
    for (index, (request, place)) in asked.iter().enumerate() {
        assert_eq!(place.is_empty(), index == 1, "{asked:?}");
        assert!(place.iter().all(|placed| filled.contains(&placed.slot)), "{place:?} of {filled:?}");
        assert!(["http", "https"].contains(&request.url.split("://").next().unwrap()), "{request:?}");
        // A slot's or an expression's name is never sent as if it were the value.
        let texts = request.headers.iter().map(|header| &header.value).chain([&request.url]);
        assert!(texts.into_iter().all(|text| !text.contains("{{") && !text.contains('<')), "{request:?}");
    }
    probed.authenticated
}

fn slots(value: &Value) -> Vec<String> {
    let Value::Composed(parts) = value else { return Vec::new() };
    parts
        .iter()
        .filter_map(|part| if let Part::Slot(name) = part { Some(name.clone()) } else { None })
        .collect()
}

/// The first-party plugins.
const FAMILIES: [fn(&mut Choices<'_>) -> &'static str; 10] = [
    render::<sluice_plugin_ai::Ai>,
    render::<sluice_plugin_cloud::Cloud>,
    render::<sluice_plugin_documents::Documents>,
    render::<sluice_plugin_http::Http>,
    render::<sluice_plugin_key_value_search::KeyValueSearch>,
    render::<sluice_plugin_messaging::Messaging>,
    render::<sluice_plugin_object_storage::ObjectStorage>,
    render::<sluice_plugin_saas::Saas>,
    render::<sluice_plugin_sql::Sql>,
    render::<sluice_plugin_tables::Tables>,
];

/// Makes a data source for one of the first-party plugins of bytes. Says what it came to.
pub(crate) fn spoil(bytes: &[u8]) -> &'static str {
    let mut choices = Choices(bytes);
    let family = *choices.of(&FAMILIES);
    family(&mut choices)
}
