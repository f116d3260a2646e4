//! Values of contents, short enough to be read.

use serde_json::Value;
use sluice_model::content::{self, Part};

use crate::page::shortened;

/// Characters of a value that are shown in a line.
const MOST: usize = 60;

/// Characters that are shown before the first difference of two long texts.
const LEAD: usize = 16;

/// The value in one line, with marks by their slots' names.
pub(crate) fn in_a_line(value: &Value) -> String {
    let text = match value {
        Value::String(text) => Value::from(text.as_str()).to_string(),
        other => with_marks_named(other).to_string(),
    };
    shortened(&text, MOST)
}

/// Two values in one line each, so cut that their first difference is seen.
pub(crate) fn against(before: &Value, after: &Value) -> (String, String) {
    let texts = [before, after].map(|value| with_marks_named(value).to_string());
    let [before, after] = &texts;
    let same = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).count();
    let longest = before.chars().count().max(after.chars().count());
    if longest <= MOST || same <= LEAD {
        return (shortened(before, MOST), shortened(after, MOST));
    }
    let cut = |text: &str| {
        let rest: String = text.chars().skip(same - LEAD).collect();
        format!("…{}", shortened(&rest, MOST))
    };
    (cut(before), cut(after))
}

/// The value with each mark replaced by a text that names the slot.
pub(crate) fn with_marks_named(value: &Value) -> Value {
    content::replace_marks(value, &mut |parts| {
        let text: String = parts
            .into_iter()
            .map(|part| match part {
                Part::Text(text) => text,
                Part::Slot(slot) => format!("‹secret {slot}›"),
                Part::Provisional(slot) => format!("‹perhaps secret {slot}›"),
            })
            .collect();
        Value::from(text)
    })
}

/// The answer of a probe to one of its questions.
pub(crate) const fn answered(told: Option<bool>) -> &'static str {
    match told {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sluice_model::SlotName;

    use super::*;

    #[test]
    fn marks_are_shown_by_their_slots() {
        let slot = SlotName::new("password").unwrap();
        let mark = content::mark(&[Part::Text("Bearer ".into()), Part::Slot(slot.clone())]);
        assert_eq!(with_marks_named(&json!({"a": mark})), json!({"a": "Bearer ‹secret password›"}));
        let perhaps = content::mark(&[Part::Provisional(slot)]);
        assert_eq!(in_a_line(&perhaps), "\"‹perhaps secret password›\"");
        assert_eq!(in_a_line(&json!("a\nb")), "\"a\\nb\"");
        assert_eq!(in_a_line(&json!("x".repeat(100))).chars().count(), MOST);
        assert_eq!(in_a_line(&json!(6)), "6");
    }

    #[test]
    fn of_two_long_texts_the_difference_is_shown() {
        let text = |end: &str| json!(format!("{}{end}", "x".repeat(200)));
        for (before, after, shown) in [
            (json!("a"), json!("b"), ("\"a\"".to_owned(), "\"b\"".to_owned())),
            (
                text("one"),
                text("two"),
                (format!("…{}one\"", "x".repeat(LEAD)), format!("…{}two\"", "x".repeat(LEAD))),
            ),
            (json!(1), json!([1]), ("1".to_owned(), "[1]".to_owned())),
        ] {
            assert_eq!(against(&before, &after), shown);
        }
        let (before, after) = against(&text(""), &text(&"y".repeat(500)));
        assert!(before.chars().count() <= MOST + 1 && after.chars().count() <= MOST + 1, "{before} {after}");
        assert!(after.contains('y'));
    }
}
