//! Comparisons that fault where Rhai's own are silently false.
//!
//! `"3" > 2` and `() > 5` are false in Rhai, so a rule written the other way round would pass.
//! Here values of different types do not compare.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};
use rhai::{Dynamic, Engine, ImmutableString};

use crate::evaluation::{Fault, fault};
use crate::value::type_word;

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) const ALL: [Self; 6] =
        [Self::Equal, Self::NotEqual, Self::Less, Self::LessOrEqual, Self::Greater, Self::GreaterOrEqual];

    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    pub(crate) fn of(sign: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|comparison| comparison.sign() == sign)
    }

    pub(crate) const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// The order of two values of one type that has one.
fn order(a: &Dynamic, b: &Dynamic) -> Option<Ordering> {
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
        return Some(a.cmp(&b));
    }
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return Some(a.as_str().cmp(b.as_str()));
    }
    if let (Ok(a), Ok(b)) = (a.as_float(), b.as_float()) {
        // What is not a number has no order, so it faults.
        return a.partial_cmp(&b);
    }
    if let (Ok(a), Ok(b)) = (a.as_bool(), b.as_bool()) {
        return Some(a.cmp(&b));
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Timestamp>(), b.read_lock::<Timestamp>()) {
        return Some(a.cmp(&*b));
    }
    if let (Some(a), Some(b)) = (a.read_lock::<SignedDuration>(), b.read_lock::<SignedDuration>()) {
        return Some(a.cmp(&*b));
    }
    None
}

/// Compares two values.
///
/// # Errors
/// A fault where they are of different types, or of one that has no order.
pub(crate) fn compare(comparison: Comparison, a: &Dynamic, b: &Dynamic) -> Result<bool, Fault> {
    order(a, b).map(|order| comparison.holds(order)).ok_or_else(|| {
        let hint = if a.is_unit() || b.is_unit() { "; ask `is_missing(x)` before" } else { "" };
        fault(format!("compares {} with {} by `{}`{hint}", type_word(a), type_word(b), comparison.sign()))
    })
}

/// Whether a list has a value.
///
/// # Errors
/// A fault where an element is of another type.
pub(crate) fn contains(list: &[Dynamic], wanted: &Dynamic) -> Result<bool, Fault> {
    let mut found = false;
    for item in list {
        // All are compared, so that a wrong type is not hidden behind an early hit.
        found |= compare(Comparison::Equal, item, wanted)?;
    }
    Ok(found)
}

/// Replaces the operators of an engine.
pub(crate) fn register(engine: &mut Engine) {
    for comparison in Comparison::ALL {
        let sign = comparison.sign();
        engine
            .register_fn(sign, move |a: i64, b: i64| comparison.holds(a.cmp(&b)))
            .register_fn(sign, move |a: ImmutableString, b: ImmutableString| {
                comparison.holds(a.as_str().cmp(b.as_str()))
            })
            .register_fn(sign, move |a: bool, b: bool| comparison.holds(a.cmp(&b)))
            .register_fn(sign, move |a: Timestamp, b: Timestamp| comparison.holds(a.cmp(&b)))
            .register_fn(sign, move |a: SignedDuration, b: SignedDuration| comparison.holds(a.cmp(&b)))
            // Everything else: two values of one type that were not named, or a fault.
            .register_fn(sign, move |a: Dynamic, b: Dynamic| compare(comparison, &a, &b));
    }
    engine
        .register_fn("contains", |list: &mut rhai::Array, wanted: Dynamic| contains(list, &wanted))
        .register_fn("contains", |text: ImmutableString, part: ImmutableString| text.contains(part.as_str()));
}
