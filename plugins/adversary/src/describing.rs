//! What it says of its kinds, which is chosen in the component itself: describing has no input.

use std::hint::black_box;

use sluice_guest::bindings::sluice::plugin::log;
use sluice_guest::{Kind, KindDescription, OptionType, SecretShape};

use crate::{act_outside_of_a_probe, acts};

/// A test finds this text in the component and writes another of its length there.
#[used]
static LIE: [u8; 40] = *b"describes: as it is                     ";

/// Changes a decent description as the component asks.
pub(crate) fn spoil(mut kinds: Vec<KindDescription>) -> Vec<KindDescription> {
    let lie = black_box(&LIE);
    let lie = std::str::from_utf8(lie).unwrap_or_default().trim_start_matches("describes:").trim();
    act_outside_of_a_probe(lie);
    let Some(kind) = kinds.first_mut() else { return kinds };
    match lie {
        "no kind" => kinds.clear(),
        "a kind twice" => kinds.extend_from_within(..),
        "a kind of others" => {
            kind.kind = Kind { platform: "lowcoder".to_owned(), name: "postgres".to_owned() }
        }
        "a kind without a name" => kind.kind.name.clear(),
        "a kind like a path" => kind.kind.platform = "../../lowcoder".to_owned(),
        "a slot twice" => kind.slots.extend_from_within(..1),
        "a slot without a name" => each(&mut kind.slots, |slot| slot.name.clear()),
        "a slot at no pointer" => each(&mut kind.slots, |slot| slot.at = "password".to_owned()),
        "a slot that is everything" => each(&mut kind.slots, |slot| slot.at.clear()),
        "a slot without a key" => {
            each(&mut kind.slots, |slot| slot.shape = SecretShape::KeyValue(String::new()))
        }
        "a slot in no member" => {
            each(&mut kind.slots, |slot| slot.shape = SecretShape::JsonMember("~2".to_owned()));
        }
        "an option twice" => kind.options.extend_from_within(..1),
        "an option at no pointer" => each(&mut kind.options, |option| option.at = "/a~".to_owned()),
        "an option that is everything" => each(&mut kind.options, |option| option.at.clear()),
        "a choice of nothing" => each(&mut kind.options, |option| option.ty = OptionType::Choice),
        "choices without a choice" => each(&mut kind.options, |option| option.choices = vec!["x".to_owned()]),
        "too many options" => {
            let option = kind.options.first().cloned();
            let many = (0..2_000).filter_map(|n| {
                let mut option = option.clone()?;
                option.at = format!("/o{n}");
                Some(option)
            });
            kind.options.extend(many);
        }
        "nothing of options" => each(&mut kind.options, |option| option.doc.clear()),
        "giant texts" => each(&mut kind.options, |option| option.doc = "x".repeat(3 << 20)),
        "a million kinds" => kinds = vec![kind.clone(); 20_000],
        "nothing, and loops" => acts::run_for_ever(),
        "nothing, and traps" => acts::trap(),
        "nothing, and recurses" => drop(black_box(acts::recurse(1))),
        "nothing, and grows" => acts::grow_in_steps(),
        "nothing, and logs" => (0..1_000).for_each(|_| log::write(log::Level::Warn, "x")),
        _ => {}
    }
    kinds
}

fn each<T>(items: &mut [T], change: impl Fn(&mut T)) {
    items.iter_mut().for_each(change);
}
