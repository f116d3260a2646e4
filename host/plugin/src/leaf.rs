//! Options as a tree of JSON and as the list of leaves that plugins are given.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value};
use sluice_model::content::{self, Part};
use sluice_model::json::MOST_NESTED;

use crate::contract::{OptionLeaf, Part as WirePart, Scalar, Value as Wire};
use crate::error::{Limit, Reason};
use crate::limits::Limits;

/// Integers from here on are rounded by a float of 64 bits.
const EXACT: u64 = 1 << 53;

/// More leaves, and a longer pointer, than most data sources have.
const USUAL: usize = 64;

/// Some options as leaves, sorted by pointer, as plugins get them.
pub(crate) type Wires = Vec<OptionLeaf>;

/// What leaves do not say of the options that they were taken from.
#[derive(Debug, Default)]
pub(crate) struct Origin<'v> {
    /// Each leaf's JSON; a marked text is a leaf.
    json: Vec<&'v Value>,
    /// Where lists are: a pointer alone does not tell a list from an object.
    lists: BTreeSet<String>,
    bytes: usize,
}

/// The leaves of some options.
pub(crate) fn flatten<'v>(options: &'v Value, limits: &Limits) -> Result<(Wires, Origin<'v>), Reason> {
    let mut origin = Origin { json: Vec::with_capacity(USUAL), ..Origin::default() };
    let mut wires = Vec::with_capacity(USUAL);
    origin.add(options, &mut String::with_capacity(USUAL), 0, limits, &mut wires)?;
    // Members are sorted, so nearly always the leaves are: but for items from the tenth on, and
    // keys with what sorts before `/`.
    if !wires.is_sorted_by(|a, b| a.at < b.at) {
        let mut leaves: Vec<_> = wires.into_iter().zip(origin.json).collect();
        leaves.sort_by(|(a, _), (b, _)| a.at.cmp(&b.at));
        (wires, origin.json) = leaves.into_iter().unzip();
    }
    Ok((wires, origin))
}

impl<'v> Origin<'v> {
    fn add(
        &mut self,
        value: &'v Value,
        at: &mut String,
        depth: usize,
        limits: &Limits,
        wires: &mut Wires,
    ) -> Result<(), Reason> {
        let too_large = |limit, most: usize| Reason::InputTooLarge { limit, most: most as u64 };
        if depth > MOST_NESTED {
            return Err(too_large(Limit::Options, limits.options));
        }
        let end = at.len();
        let wire = match value {
            Value::Array(items) if !items.is_empty() => {
                self.lists.insert(at.clone());
                for (index, item) in items.iter().enumerate() {
                    at.push('/');
                    at.push_str(&index.to_string());
                    self.add(item, at, depth + 1, limits, wires)?;
                    at.truncate(end);
                }
                return Ok(());
            }
            Value::Object(members) if !members.is_empty() => match content::parts(value) {
                Some(parts) => marked(parts),
                None => {
                    for (key, member) in members {
                        at.push('/');
                        escape(key, at);
                        self.add(member, at, depth + 1, limits, wires)?;
                        at.truncate(end);
                    }
                    return Ok(());
                }
            },
            leaf => lower(leaf),
        };
        self.bytes = self.bytes.saturating_add(at.len()).saturating_add(size(&wire));
        wires.push(OptionLeaf { at: at.clone(), value: wire });
        self.json.push(value);
        if wires.len() > limits.options {
            return Err(too_large(Limit::Options, limits.options));
        }
        if self.bytes > limits.option_bytes {
            return Err(too_large(Limit::OptionBytes, limits.option_bytes));
        }
        Ok(())
    }
}

/// The leaves of some options with all that is known of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaves<'v> {
    wires: &'v [OptionLeaf],
    origin: &'v Origin<'v>,
}

impl<'v> Leaves<'v> {
    /// The leaves that were [flattened](flatten) together.
    pub(crate) fn new(wires: &'v [OptionLeaf], origin: &'v Origin<'v>) -> Self {
        Self { wires, origin }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.wires.len()
    }

    /// The leaves in order of their pointers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'v str, &'v Wire, &'v Value)> {
        let leaves = self.wires.iter().zip(&self.origin.json);
        leaves.map(|(leaf, json)| (leaf.at.as_str(), &leaf.value, *json))
    }

    /// Whether a list with members stands at this pointer.
    pub(crate) fn is_list(&self, at: &str) -> bool {
        self.origin.lists.contains(at)
    }

    /// The leaf at exactly this pointer.
    pub(crate) fn get(&self, at: &str) -> Option<&'v Wire> {
        self.leaf(self.position(at)).filter(|leaf| leaf.at == at).map(|leaf| &leaf.value)
    }

    /// Whether there is a leaf at this pointer or inside it.
    pub(crate) fn any_within(&self, at: &str) -> bool {
        let inside = format!("{at}/");
        self.get(at).is_some()
            || self.leaf(self.position(&inside)).is_some_and(|leaf| leaf.at.starts_with(&inside))
    }

    /// Where in the order of pointers `at` stands or would stand.
    fn position(&self, at: &str) -> usize {
        self.wires.partition_point(|leaf| leaf.at.as_str() < at)
    }

    fn leaf(&self, position: usize) -> Option<&'v OptionLeaf> {
        self.wires.get(position)
    }
}

/// The pointers inside which another of them lies. `sorted` is in order.
pub(crate) fn with_members<'l>(sorted: impl IntoIterator<Item = &'l str>) -> Vec<&'l str> {
    let mut open: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    let is_inside = |at: &str, outer: &str| at.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    for at in sorted {
        // Neighbours such as `/a-b` sort between `/a` and `/a/b`: only what no longer begins the
        // pointer is done with.
        open.retain(|outer| at.starts_with(outer));
        for outer in &open {
            if is_inside(at, outer) && !found.contains(outer) {
                found.push(*outer);
            }
        }
        open.push(at);
    }
    found
}

fn escape(key: &str, at: &mut String) {
    if !key.bytes().any(|byte| matches!(byte, b'~' | b'/')) {
        return at.push_str(key);
    }
    for c in key.chars() {
        match c {
            '~' => at.push_str("~0"),
            '/' => at.push_str("~1"),
            c => at.push(c),
        }
    }
}

/// A leaf without marks as plugins see it. Two leaves that differ in their canonical JSON never look the same,
/// but for a declared and a provisional slot of one name.
fn lower(leaf: &Value) -> Wire {
    match leaf {
        Value::Null => Wire::Plain(Scalar::None),
        Value::Bool(flag) => Wire::Plain(Scalar::Flag(*flag)),
        Value::Number(number) => Wire::Plain(lower_number(number)),
        Value::String(text) if !text.contains("{{") => Wire::Plain(Scalar::Text(text.clone())),
        Value::String(text) => {
            let mut parts = Vec::new();
            split(text, &mut parts);
            composed(parts)
        }
        Value::Array(_) => Wire::Plain(Scalar::EmptyList),
        Value::Object(_) => Wire::Plain(Scalar::EmptyObject),
    }
}

/// A text with secrets taken out, as plugins see it.
fn marked(marked: Vec<Part>) -> Wire {
    let mut parts = Vec::with_capacity(marked.len());
    for part in marked {
        match part {
            Part::Text(text) => split(&text, &mut parts),
            Part::Slot(name) | Part::Provisional(name) => {
                parts.push(WirePart::Slot(name.as_str().to_owned()));
            }
        }
    }
    // Even when it has no slot: a mark is not the text it stands for.
    Wire::Composed(parts)
}

fn lower_number(number: &Number) -> Scalar {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(integer), ..) if integer.unsigned_abs() > EXACT => Scalar::Digits(integer.to_string()),
        (None, Some(integer), _) => Scalar::Digits(integer.to_string()),
        (.., Some(float)) => Scalar::Number(float),
        _ => Scalar::Digits(number.to_string()),
    }
}

fn composed(mut parts: Vec<WirePart>) -> Wire {
    match parts.as_mut_slice() {
        [] => Wire::Plain(Scalar::Text(String::new())),
        [WirePart::Literal(text)] => Wire::Plain(Scalar::Text(std::mem::take(text))),
        _ => Wire::Composed(parts),
    }
}

/// Splits a text into literals and `{{…}}`. What is opened and not closed is literal.
fn split(text: &str, parts: &mut Vec<WirePart>) {
    let mut rest = text;
    // Looked for to the text's end once and not found, it is looked for no more: each search would go
    // as far, and a text can open as often as it is long.
    let mut may_pair = true;
    while let Some((before, after)) = rest.split_once("{{") {
        let paired = may_pair.then(|| closing(after)).flatten();
        may_pair &= paired.is_some();
        // Braces inside do not pair, as in a text: then the first `}}` is it.
        let Some(end) = paired.or_else(|| after.find("}}")) else { break };
        let (Some(inner), Some(behind)) = (after.get(..end), after.get(end + 2..)) else { break };
        if !before.is_empty() {
            parts.push(WirePart::Literal(before.to_owned()));
        }
        parts.push(WirePart::Expression(inner.to_owned()));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(WirePart::Literal(rest.to_owned()));
    }
}

/// Where the `}}` is that closes an expression, past the braces of what stands in it.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = 0usize;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' if open > 0 => open -= 1,
            b'}' if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
    }
    None
}

fn size(wire: &Wire) -> usize {
    match wire {
        Wire::Plain(Scalar::Text(text) | Scalar::Digits(text)) => text.len(),
        Wire::Plain(_) => 8,
        Wire::Composed(parts) => parts
            .iter()
            .map(|part| match part {
                WirePart::Literal(text) | WirePart::Slot(text) | WirePart::Expression(text) => {
                    text.len() + 16
                }
            })
            .sum(),
    }
}

/// The tree of some leaves, which are in order of their pointers. `is_list` says where lists are.
///
/// # Errors
/// The pointer at which the leaves do not make a tree: a value has members, or a list has gaps.
pub(crate) fn tree(leaves: &mut [(&str, Value)], is_list: &impl Fn(&str) -> bool) -> Result<Value, String> {
    match leaves {
        [] => Ok(Value::Object(Map::new())),
        leaves => subtree(leaves, 0, is_list),
    }
}

/// The tree below the pointer that is the first `end` bytes of each leaf's, of which there is one
/// at least.
fn subtree(
    leaves: &mut [(&str, Value)],
    end: usize,
    is_list: &impl Fn(&str) -> bool,
) -> Result<Value, String> {
    let at = leaves.first().and_then(|(leaf, _)| leaf.get(..end)).unwrap_or_default();
    match leaves {
        [(leaf, value)] if leaf.len() == end => return Ok(value.take()),
        // The shorter pointer comes first; what has the same one, or lies inside, comes next.
        [(leaf, _), (inner, _), ..] if leaf.len() == end => return Err((*inner).to_owned()),
        _ => {}
    }
    if is_list(at) {
        let (mut items, mut count) = (BTreeMap::new(), 0);
        members(leaves, end, is_list, |token, item| {
            // Not `01` for `1`.
            let index = token.parse::<usize>().ok().filter(|index| index.to_string() == token);
            items.insert(index.unwrap_or(usize::MAX), item);
            count += 1;
        })?;
        let is_whole = items.len() == count && items.keys().copied().eq(0..count);
        return if is_whole { Ok(items.into_values().collect()) } else { Err(at.to_owned()) };
    }
    let (mut object, mut is_twice) = (Map::new(), false);
    members(leaves, end, is_list, |token, member| {
        is_twice |= object.insert(unescape(token), member).is_some()
    })?;
    if is_twice { Err(at.to_owned()) } else { Ok(Value::Object(object)) }
}

/// Calls `add` with the token and the tree of each member of what stands at the first `end` bytes
/// of each leaf's pointer.
fn members<'l>(
    mut leaves: &mut [(&'l str, Value)],
    end: usize,
    is_list: &impl Fn(&str) -> bool,
    mut add: impl FnMut(&'l str, Value),
) -> Result<(), String> {
    while let Some((first, _)) = leaves.first() {
        let first: &'l str = first;
        let token = first.get(end + 1..).and_then(|below| below.split('/').next()).unwrap_or_default();
        let next = end + 1 + token.len();
        let member = first.get(..next).unwrap_or_default();
        let is_of_member = |leaf: &str| {
            leaf.strip_prefix(member).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        // What lies at and below one pointer stands together, but for neighbours such as `/a-b`
        // between `/a` and `/a/b`, which do not make a tree anyway.
        let together = leaves.iter().take_while(|(leaf, _)| is_of_member(leaf)).count();
        let (inner, behind) = std::mem::take(&mut leaves).split_at_mut(together);
        add(token, subtree(inner, next, is_list)?);
        leaves = behind;
    }
    Ok(())
}

fn unescape(token: &str) -> String {
    match token.contains('~') {
        true => token.replace("~1", "/").replace("~0", "~"),
        false => token.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use sluice_model::content::mark;
    use sluice_model::{SlotName, json};

    use super::*;

    /// The way back, which the host never goes: it keeps its own JSON. Here it shows that nothing
    /// is lost on the way to a plugin.
    fn raise(wire: &Wire) -> Value {
        match wire {
            Wire::Plain(scalar) => match scalar {
                Scalar::None => Value::Null,
                Scalar::Flag(flag) => json!(flag),
                Scalar::Number(number) => Value::Number(json::number(*number).unwrap()),
                Scalar::Digits(digits) => serde_json::from_str(digits).unwrap(),
                Scalar::Text(text) => json!(text),
                Scalar::EmptyList => json!([]),
                Scalar::EmptyObject => json!({}),
            },
            Wire::Composed(parts) => {
                let mut texts: Vec<Part> = Vec::new();
                for part in parts {
                    let text = match part {
                        WirePart::Literal(text) => text.clone(),
                        WirePart::Expression(inner) => format!("{{{{{inner}}}}}"),
                        WirePart::Slot(name) => {
                            texts.push(Part::Slot(SlotName::new(name.clone()).unwrap()));
                            continue;
                        }
                    };
                    match texts.last_mut() {
                        Some(Part::Text(last)) => last.push_str(&text),
                        _ => texts.push(Part::Text(text)),
                    }
                }
                match texts.as_slice() {
                    [Part::Text(text)] => json!(text),
                    parts => mark(parts),
                }
            }
        }
    }

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![".{0,8}", "[{}a~/ ]{0,12}", "x?\\{\\{[a-z.{}]{0,6}\\}\\}y?"]
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let parts = prop_oneof![
            any_text().prop_filter("merged when empty", |t| !t.is_empty()).prop_map(Part::Text),
            "[a-z]{1,4}".prop_map(|name| Part::Slot(SlotName::new(name).unwrap())),
        ];
        let slot = Just(Part::Slot(SlotName::new("s").unwrap()));
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter_map("finite", json::number).prop_map(Value::Number),
            any_text().prop_map(Value::from),
            (parts, slot).prop_map(|(part, slot)| mark(&[part, slot])),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a-c0-2~/]{0,3}", inner, 0..6).prop_map(|m| json!(m)),
            ]
        })
    }

    proptest! {
        #[test]
        fn leaves_make_the_tree_they_were_taken_from(value in any_json()) {
            let (wires, origin) = flatten(&value, &Limits::default()).unwrap();
            let leaves = Leaves::new(&wires, &origin);
            prop_assert!(leaves.iter().is_sorted_by(|(a, ..), (b, ..)| a < b));
            let is_list = |at: &str| leaves.is_list(at);
            let mut own: Vec<_> = leaves.iter().map(|(at, _, json)| (at, json.clone())).collect();
            prop_assert_eq!(tree(&mut own, &is_list).unwrap(), value.clone());
            let mut raised: Vec<_> = leaves.iter().map(|(at, wire, _)| (at, raise(wire))).collect();
            prop_assert_eq!(tree(&mut raised, &is_list).unwrap(), value);
        }

        #[test]
        fn expressions_are_found_and_nothing_is_lost(text in any_text()) {
            let mut parts = Vec::new();
            split(&text, &mut parts);
            let joined: String = parts.iter().map(|part| match part {
                WirePart::Literal(text) => text.clone(),
                WirePart::Expression(inner) => format!("{{{{{inner}}}}}"),
                WirePart::Slot(name) => panic!("no slot stands in `{text}`, and yet `{name}`"),
            }).collect();
            prop_assert_eq!(joined, text);
        }
    }

    #[test]
    fn texts_keep_their_parts() {
        let literal = |text: &str| WirePart::Literal(text.into());
        let expression = |text: &str| WirePart::Expression(text.into());
        for (text, expected) in [
            ("a {{constants.X}} b", vec![literal("a "), expression("constants.X"), literal(" b")]),
            ("{{ {a: {b: 1}} }}", vec![expression(" {a: {b: 1}} ")]),
            ("{{a}}{{b}}", vec![expression("a"), expression("b")]),
            ("{{ '{' }}x", vec![expression(" '{' "), literal("x")]),
            ("{{open", vec![literal("{{open")]),
            ("", vec![]),
        ] {
            let mut parts = Vec::new();
            split(text, &mut parts);
            assert_eq!(parts, expected, "{text}");
        }
    }

    /// Each of these opens would be looked for to the end of the text, which takes hours.
    #[test]
    fn a_text_that_opens_without_end_is_split_in_one_pass() {
        for (text, count) in [("{{{}}", 300_000), ("{{ { ", 300_000), ("{{{ }} {{a}}", 100_000)] {
            let text = text.repeat(count);
            let mut parts = Vec::new();
            split(&text, &mut parts);
            let joined: usize = parts
                .iter()
                .map(|part| match part {
                    WirePart::Literal(text) | WirePart::Slot(text) => text.len(),
                    WirePart::Expression(text) => text.len() + 4,
                })
                .sum();
            assert_eq!(joined, text.len());
        }
    }

    #[test]
    fn what_is_too_large_is_refused_before_a_plugin_sees_it() {
        let small = Limits { options: 3, option_bytes: 100, ..Limits::default() };
        for (options, limit) in
            [(json!([1, 2, 3, 4]), Limit::Options), (json!({"a": "x".repeat(200)}), Limit::OptionBytes)]
        {
            let refused = flatten(&options, &small).unwrap_err();
            assert!(matches!(refused, Reason::InputTooLarge { limit: l, .. } if l == limit), "{refused}");
            assert!(flatten(&options, &Limits::default()).is_ok());
        }
    }

    #[test]
    fn pointers_with_others_inside_are_found() {
        for (sorted, expected) in [
            (vec!["/a", "/a-b", "/a/b"], vec!["/a"]),
            (vec!["", "/a"], vec![""]),
            (vec!["/a", "/ab", "/b/c"], vec![]),
            (vec!["/a", "/a/b", "/a/b/c"], vec!["/a", "/a/b"]),
        ] {
            assert_eq!(with_members(sorted), expected);
        }
    }

    #[test]
    fn leaves_that_make_no_tree_are_refused() {
        for (leaves, lists, expected) in [
            (vec!["/a", "/a/b"], vec![], "/a/b"),
            (vec!["/a", "/a-b", "/a/b"], vec![], ""),
            (vec!["/a", "/a"], vec![], "/a"),
            (vec!["", "/a"], vec![], "/a"),
            (vec!["/a/0", "/a/2"], vec!["/a"], "/a"),
            (vec!["/a/0", "/a/00"], vec!["/a"], "/a"),
            (vec!["/a/0", "/a/01"], vec!["/a"], "/a"),
            (vec!["/a/+0"], vec!["/a"], "/a"),
            (vec!["/a/b"], vec!["/a"], "/a"),
        ] {
            let mut leaves: Vec<_> = leaves.into_iter().map(|at| (at, json!(1))).collect();
            let refused = tree(&mut leaves, &|at| lists.contains(&at));
            assert_eq!(refused, Err(expected.to_owned()));
        }
    }
}
