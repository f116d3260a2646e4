//! What a plugin says of its kinds that cannot be.

use sluice_plugin::{Host, Limit, Limits, Plugin, Reason, Registry};

use super::{Adversary, Expected, Refusal, load, own_limits};
use crate::built::bytes;

/// The text in the component that chooses what it says.
const CHOICE: &[u8; 40] = b"describes: as it is                     ";

/// The adversary's component with another lie in it.
pub(crate) fn telling(file: &str, lie: &str) -> Vec<u8> {
    let mut component = bytes(file);
    let at = component.windows(CHOICE.len()).position(|window| window == CHOICE);
    let at = at.expect("the adversary has a text that chooses what it says");
    let chosen = format!("{:40}", format!("describes: {lie}"));
    assert_eq!(chosen.len(), CHOICE.len(), "`{lie}` is too long");
    component[at..at + CHOICE.len()].copy_from_slice(chosen.as_bytes());
    component
}

fn refused(host: &Host, lie: &str) -> Option<Refusal> {
    load(host, &telling("test/adversary.wasm", lie)).err()
}

pub(crate) fn all() -> Vec<Adversary> {
    let limits = Limits::default();
    let bad =
        |kind: &str, what: &str| Reason::BadDescription { kind: kind.to_owned(), what: what.to_owned() };
    let usual = |what| bad("lowcoder/adversary", what);
    let exceeded = |limit, most: usize| Reason::Exceeded { limit, most: most as u64 };
    let mut all: Vec<_> = [
        ("no kind", bad("", "it serves no kind")),
        ("a kind twice", usual("it occurs twice")),
        ("a slot twice", usual("the slot `password` occurs twice")),
        ("a slot that is everything", usual("the empty pointer names all options at once")),
        ("a slot without a key", usual("the slot `password` names no key")),
        ("an option twice", usual("the option `/host` occurs twice")),
        ("an option that is everything", usual("the empty pointer names all options at once")),
        (
            "a choice of nothing",
            usual("the option `/host` must have choices if it is a choice, and only then"),
        ),
        (
            "choices without a choice",
            usual("the option `/host` must have choices if it is a choice, and only then"),
        ),
        ("too many options", usual("it has more than 1000 slots and options")),
        ("giant texts", exceeded(Limit::Answer, limits.answer_bytes)),
        ("a million kinds", exceeded(Limit::Answer, limits.answer_bytes)),
        ("nothing, and loops", Reason::Exceeded { limit: Limit::Fuel, most: own_limits().fuel.unwrap() }),
        ("nothing, and recurses", exceeded(Limit::Stack, limits.stack_bytes)),
        ("nothing, and grows", exceeded(Limit::Memory, limits.memory_bytes)),
        ("nothing, and logs", exceeded(Limit::LogMessages, limits.log_messages)),
    ]
    .into_iter()
    .map(|(lie, expected)| {
        let name = format!("describes {lie}");
        Adversary::new(name, move |host| refused(host, lie), Expected::Exactly(Refusal::Plugin(expected)))
    })
    .collect();
    for lie in [
        "a kind without a name",
        "a kind like a path",
        "a slot without a name",
        "a slot at no pointer",
        "a slot in no member",
        "an option at no pointer",
    ] {
        all.push(Adversary::new(
            format!("describes {lie}"),
            move |host| refused(host, lie),
            Expected::Like(|refusal| matches!(refusal, Refusal::Plugin(Reason::BadDescription { .. }))),
        ));
    }
    all.push(Adversary::new(
        "describes nothing, and traps",
        |host| refused(host, "nothing, and traps"),
        Expected::Like(|refusal| matches!(refusal, Refusal::Plugin(Reason::Trap(_)))),
    ));
    all.push(Adversary::new(
        "describes what the network says",
        |host| load(host, &telling("test/adversary-probe.wasm", "reach-early")).err(),
        Expected::Exactly(Refusal::Plugin(Reason::NetworkOutsideOfProbe)),
    ));
    all.push(Adversary::new(
        "describes a kind of others",
        |host| {
            let sql: Plugin = host.load("sql", &bytes("sql.wasm")).unwrap();
            let thief = load(host, &telling("test/adversary.wasm", "a kind of others")).unwrap();
            Registry::new(vec![sql, thief]).err().map(Refusal::Registry)
        },
        Expected::Like(|refusal| {
            matches!(refusal, Refusal::Registry(error)
                if (error.first.as_str(), error.second.as_str()) == ("sql", "adversary"))
        }),
    ));
    all
}
