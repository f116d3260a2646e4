//! A data source's options, each with what the kind's table says of it.

use std::borrow::Cow;

use crate::spec::{Found, Is, KindSpec, OptionSpec, is_key};
use crate::{OptionLeaf, Part, Scalar, Value};

/// The leaves of some options, sorted by pointer.
///
/// The table is asked about each leaf once, when it comes in, since what follows goes over the
/// leaves several times.
#[derive(Debug)]
pub struct Leaves {
    leaves: Vec<OptionLeaf>,
    found: Vec<Found>,
}

impl Leaves {
    /// Leaves of this kind, sorted as the contract has them.
    #[must_use]
    pub fn new(spec: &'static KindSpec, leaves: Vec<OptionLeaf>) -> Self {
        let found = leaves.iter().map(|leaf| spec.find(&leaf.at)).collect();
        Self { leaves, found }
    }

    /// The options that these leaves are.
    #[must_use]
    pub fn options(&self, side: Side) -> Options<'_> {
        let entries = self.leaves.iter().zip(&self.found).enumerate().map(|(index, (leaf, found))| Entry {
            at: &leaf.at,
            value: &leaf.value,
            found: *found,
            origin: (side, index),
        });
        Options(entries.collect())
    }

    /// Takes the leaf at an index out, for an answer.
    pub fn take(&mut self, index: usize) -> Option<OptionLeaf> {
        let nothing = OptionLeaf { at: String::new(), value: Value::Plain(Scalar::None) };
        self.leaves.get_mut(index).map(|leaf| std::mem::replace(leaf, nothing))
    }
}

/// Where a leaf comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The data source as the bundle has it.
    Bundle,
    /// What the target's owners set.
    Binding,
}

/// One leaf of some options.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'o> {
    /// Where it stands.
    pub at: &'o str,
    /// What it holds.
    pub value: &'o Value,
    /// What the table says of it.
    pub found: Found,
    /// Whose leaf it is, and the how manieth of theirs.
    pub origin: (Side, usize),
}

impl Entry<'_> {
    /// Whether it is the whole of the option or secret with this key.
    fn is(&self, key: &str) -> bool {
        !self.found.deeper && self.is_of(key)
    }

    /// Whether it is the option or secret with this key, or lies in it.
    fn is_of(&self, key: &str) -> bool {
        let Found { option, slot, .. } = self.found;
        option.is_some_and(|option| is_key(option.key, key)) || slot.is_some_and(|slot| is_key(slot.key, key))
    }

    /// Whether it is this very option of the table, or lies in it.
    fn belongs_to(&self, option: &'static OptionSpec) -> bool {
        self.found.option.is_some_and(|found| std::ptr::eq(found, option))
    }
}

/// Some options, sorted by pointer.
#[derive(Debug, Default)]
pub struct Options<'o>(Vec<Entry<'o>>);

impl<'o> Options<'o> {
    /// The options with the leaves of both, which are sorted.
    #[must_use]
    pub fn merged(a: Vec<Entry<'o>>, b: Vec<Entry<'o>>) -> Self {
        let mut entries = Vec::with_capacity(a.len() + b.len());
        let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
        loop {
            let next = match (a.peek(), b.peek()) {
                (Some(of_a), Some(of_b)) if of_b.at < of_a.at => b.next(),
                (Some(_), _) => a.next(),
                (None, _) => b.next(),
            };
            match next {
                Some(entry) => entries.push(entry),
                None => return Self(entries),
            }
        }
    }

    /// The leaves, in order of their pointers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Entry<'o>> {
        self.0.iter()
    }

    /// Each leaf with those that lie inside it.
    pub fn with_inner<'s>(
        &'s self,
    ) -> impl Iterator<Item = (&'s Entry<'o>, impl Iterator<Item = &'s Entry<'o>>)> {
        self.0.iter().enumerate().map(|(index, entry)| {
            // What begins with the pointer stands behind it, with neighbours such as `/a-b` between.
            let behind = self.0.iter().skip(index + 1).take_while(|inner| inner.at.starts_with(entry.at));
            (entry, behind.filter(|inner| covers(entry.at, inner.at)))
        })
    }

    /// The options without some leaves.
    #[must_use]
    pub fn without(mut self, dropped: &[&str]) -> Self {
        self.0.retain(|entry| !dropped.contains(&entry.at));
        self
    }

    /// The leaf at exactly this pointer.
    #[must_use]
    pub fn at(&self, at: &str) -> Option<&'o Value> {
        let index = self.0.binary_search_by(|entry| entry.at.cmp(at)).ok()?;
        self.0.get(index).map(|entry| entry.value)
    }

    /// The leaves at `at` and below it.
    pub fn within(&self, at: &str) -> impl Iterator<Item = &Entry<'o>> {
        let from = self.0.partition_point(|entry| entry.at < at);
        let behind = self.0.iter().skip(from).take_while(move |entry| entry.at.starts_with(at));
        behind.filter(move |entry| covers(at, entry.at))
    }

    /// What the option or secret with this key holds.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'o Value> {
        self.0.iter().find(|entry| entry.is(key)).map(|entry| entry.value)
    }

    /// Whether an option of the table, or anything in it, says something.
    #[must_use]
    pub fn says(&self, option: &'static OptionSpec) -> bool {
        self.0.iter().any(|entry| entry.belongs_to(option) && !is_blank(entry.value))
    }

    /// The text of the option with this key, or `None` where there is none or it is empty.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<Cow<'o, str>> {
        text_of(self.get(key)?)
    }

    /// Whether an option is one of some texts.
    #[must_use]
    pub fn is(&self, is: Is) -> bool {
        match self.get(is.key) {
            Some(Value::Plain(Scalar::Text(text))) => is.one_of.contains(&text.as_str()),
            Some(Value::Plain(Scalar::Flag(flag))) => {
                is.one_of.contains(&if *flag { "true" } else { "false" })
            }
            Some(Value::Plain(Scalar::Number(number))) => is.one_of.contains(&decimal(*number).as_str()),
            None | Some(Value::Plain(Scalar::None)) => is.one_of.contains(&""),
            Some(_) => false,
        }
    }

    /// The leaves of the option or secret with this key, and of what lies inside it.
    pub fn of(&self, key: &str) -> impl Iterator<Item = &Entry<'o>> {
        self.0.iter().filter(move |entry| entry.is_of(key))
    }
}

/// What a flag says, where it says it in a way that is known.
#[must_use]
pub fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Plain(Scalar::Flag(flag)) => Some(*flag),
        Value::Plain(Scalar::Text(text)) => flag_of(text),
        _ => None,
    }
}

/// A value as a person would write it; `None` where it says nothing. Slots are shown by name,
/// expressions in their braces.
#[must_use]
pub fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    let text = match value {
        Value::Plain(Scalar::Text(text) | Scalar::Digits(text)) => Cow::Borrowed(text.as_str()),
        Value::Plain(Scalar::Number(number)) => Cow::Owned(decimal(*number)),
        Value::Plain(_) => return None,
        Value::Composed(parts) => Cow::Owned(
            parts
                .iter()
                .map(|part| match part {
                    Part::Literal(text) => text.clone(),
                    Part::Slot(name) => format!("<{name}>"),
                    Part::Expression(inner) => format!("{{{{{inner}}}}}"),
                })
                .collect(),
        ),
    };
    Some(text).filter(|text| !text.is_empty())
}

/// A number in decimal digits. Most are integers, such as ports, which take no arithmetic on
/// floats to write.
fn decimal(number: f64) -> String {
    #[allow(clippy::cast_possible_truncation, reason = "checked by the way back")]
    let integer = number as i32;
    if f64::from(integer).to_bits() == number.to_bits() { integer.to_string() } else { number.to_string() }
}

/// What a text that stands for a flag says.
#[must_use]
pub fn flag_of(text: &str) -> Option<bool> {
    match text {
        "true" | "enabled" | "yes" => Some(true),
        "false" | "disabled" | "no" => Some(false),
        _ => None,
    }
}

/// Whether `leaf` is `at` or lies inside it.
#[must_use]
pub fn covers(at: &str, leaf: &str) -> bool {
    leaf.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a value says nothing: `null` or an empty text.
#[must_use]
pub fn is_blank(value: &Value) -> bool {
    match value {
        Value::Plain(Scalar::None) => true,
        Value::Plain(Scalar::Text(text)) => text.is_empty(),
        _ => false,
    }
}

/// Whether two values are the same, bit for bit.
#[must_use]
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Plain(a), Value::Plain(b)) => match (a, b) {
            (Scalar::None, Scalar::None)
            | (Scalar::EmptyList, Scalar::EmptyList)
            | (Scalar::EmptyObject, Scalar::EmptyObject) => true,
            (Scalar::Flag(a), Scalar::Flag(b)) => a == b,
            (Scalar::Number(a), Scalar::Number(b)) => a.to_bits() == b.to_bits(),
            (Scalar::Digits(a), Scalar::Digits(b)) | (Scalar::Text(a), Scalar::Text(b)) => a == b,
            _ => false,
        },
        (Value::Composed(a), Value::Composed(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|(a, b)| match (a, b) {
                    (Part::Literal(a), Part::Literal(b))
                    | (Part::Slot(a), Part::Slot(b))
                    | (Part::Expression(a), Part::Expression(b)) => a == b,
                    _ => false,
                })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OptionType;
    use crate::spec::{Platform, SlotSpec, is, kind, owned, secret};

    #[test]
    fn a_pointer_covers_itself_and_what_lies_inside() {
        for (at, leaf, expected) in
            [("/host", "/host", true), ("/host", "/host/value", true), ("/host", "/hostname", false)]
        {
            assert_eq!(covers(at, leaf), expected, "{at} {leaf}");
        }
    }

    #[test]
    fn inner_leaves_are_found_past_neighbours_that_sort_between() {
        // `-` sorts before `/`, so `/a-b` stands between `/a` and `/a/b`.
        let nothing = Value::Plain(Scalar::None);
        let entry = |at| Entry { at, value: &nothing, found: Found::default(), origin: (Side::Bundle, 0) };
        let options = Options::merged(["/a", "/a-b"].map(entry).into(), ["/a/b", "/b"].map(entry).into());
        assert_eq!(options.within("/a").map(|entry| entry.at).collect::<Vec<_>>(), ["/a", "/a/b"]);
        let inner: Vec<_> = options.with_inner().map(|(entry, inner)| (entry.at, inner.count())).collect();
        assert_eq!(inner, [("/a", 1), ("/a-b", 0), ("/a/b", 0), ("/b", 0)]);
        assert_eq!(options.without(&["/a"]).iter().map(|e| e.at).collect::<Vec<_>>(), ["/a-b", "/a/b", "/b"]);
    }

    #[test]
    fn numbers_are_written_as_floats_are() {
        for number in [0.0, -0.0, 5432.0, -1.0, 0.5, 1e12, f64::from(i32::MIN), f64::MAX] {
            assert_eq!(decimal(number), number.to_string());
        }
    }

    #[test]
    fn options_are_found_by_key() {
        const OPTIONS: &[OptionSpec] = &[owned("host", OptionType::Text, "")];
        const SLOTS: &[SlotSpec] = &[secret("password", "password", "")];
        static SPEC: KindSpec =
            KindSpec { options: &[OPTIONS], slots: &[SLOTS], ..kind(Platform::ToolJet, "x") };
        let leaf = |at: &str, text: &str| OptionLeaf {
            at: at.into(),
            value: Value::Plain(Scalar::Text(text.into())),
        };
        let leaves = vec![leaf("/host/value/0", "h"), leaf("/password/value", "p"), leaf("/x/value", "x")];
        let leaves = Leaves::new(&SPEC, leaves);
        let options = leaves.options(Side::Bundle);
        assert_eq!(options.text("password").as_deref(), Some("p"));
        assert_eq!((options.text("host"), options.text("x")), (None, None), "deeper, and unknown");
        assert!(SPEC.options().all(|option| options.says(option)));
        assert_eq!((options.of("host").count(), options.of("x").count()), (1, 0));
    }

    #[test]
    fn an_option_is_one_of_some_texts() {
        const OPTIONS: &[OptionSpec] = &[owned("o", OptionType::Text, "")];
        static SPEC: KindSpec = KindSpec { options: &[OPTIONS], ..kind(Platform::Lowcoder, "x") };
        for (value, text) in [
            (None, ""),
            (Some(Value::Plain(Scalar::None)), ""),
            (Some(Value::Plain(Scalar::Text(String::new()))), ""),
            (Some(Value::Plain(Scalar::Text("a".into()))), "a"),
            (Some(Value::Plain(Scalar::Flag(true))), "true"),
            (Some(Value::Plain(Scalar::Flag(false))), "false"),
            (Some(Value::Plain(Scalar::Number(465.0))), "465"),
            (Some(Value::Composed(vec![Part::Expression("a".into())])), "nothing that is known"),
        ] {
            let leaf = value.map(|value| OptionLeaf { at: "/o".into(), value });
            let leaves = Leaves::new(&SPEC, leaf.into_iter().collect());
            for known in
                [is("o", &[""]), is("o", &["a"]), is("o", &["true"]), is("o", &["false"]), is("o", &["465"])]
            {
                let found = leaves.options(Side::Binding).is(known);
                assert_eq!(found, known.one_of == [text], "{text}: {known:?}");
            }
            assert!(!leaves.options(Side::Binding).is(is("o", &[])));
        }
    }
}
