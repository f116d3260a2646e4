//! What a plugin does wrong while it makes a data source.

use std::cell::OnceCell;
use std::rc::Rc;

use sluice_plugin::{Host, Limit, Limits, Plugin, Reason};

use super::{Adversary, Expected, Refusal, load, own_limits, render};
use crate::built::bytes;

/// The adversary, loaded once.
fn loaded(plugin: &OnceCell<Plugin>, host: &Host) -> Plugin {
    plugin.get_or_init(|| load(host, &bytes("test/adversary.wasm")).unwrap()).clone()
}

pub(crate) fn all() -> Vec<Adversary> {
    let limits = Limits::default();
    let exceeded = |limit, most: usize| Reason::Exceeded { limit, most: most as u64 };
    let fuel = Reason::Exceeded { limit: Limit::Fuel, most: own_limits().fuel.unwrap() };
    let at = |at: &str| at.to_owned();
    let plugin: Rc<OnceCell<Plugin>> = Rc::default();
    let named = [
        ("loop", fuel.clone()),
        ("loop-late", fuel.clone()),
        ("loop-last", fuel.clone()),
        // Much time for few instructions, if they did not cost by what they fill.
        ("fill", fuel),
        ("allocate", exceeded(Limit::Memory, limits.memory_bytes)),
        ("grow", exceeded(Limit::Memory, limits.memory_bytes)),
        ("recurse", exceeded(Limit::Stack, limits.stack_bytes)),
        ("hoard-handles", exceeded(Limit::Handles, limits.handles)),
        ("answer-100-mb", exceeded(Limit::Answer, limits.answer_bytes)),
        ("answer-long", exceeded(Limit::Answer, limits.answer_bytes)),
        ("many-options", Reason::MadeUp { at: at("/x0") }),
        ("log-many", exceeded(Limit::LogMessages, limits.log_messages)),
        ("log-long", exceeded(Limit::LogBytes, limits.log_bytes)),
        ("findings", exceeded(Limit::Findings, limits.findings)),
        ("endpoints", exceeded(Limit::Findings, limits.findings)),
        ("wrong-kind", Reason::IdentityChanged("kind")),
        ("wrong-name", Reason::IdentityChanged("name")),
        ("wrong-id", Reason::IdentityChanged("identity")),
        ("source-options", Reason::FromAnotherEnvironment { at: at("/host") }),
        ("source-host", Reason::FromAnotherEnvironment { at: at("/host") }),
        ("own-host", Reason::NotTheBindings { at: at("/host") }),
        ("foreign-password", Reason::NotTheBindings { at: at("/password") }),
        ("nan", Reason::NotTheBindings { at: at("/host") }),
        ("nan-flag", Reason::NotTheBundles { at: at("/tls") }),
        ("dialect", Reason::NotTheBundles { at: at("/dialect") }),
        ("mode", Reason::NotTheBundles { at: at("/mode") }),
        ("no-host", Reason::LeftOut { at: at("/host") }),
        ("made-up", Reason::MadeUp { at: at("/extra") }),
        ("made-up-slot", Reason::NotTheBindings { at: at("/token") }),
        ("twice", Reason::Twice { at: at("/host") }),
        ("object-and-value", Reason::MadeUp { at: at("/host/inner") }),
        ("unsupported", Reason::UnsupportedKind("lowcoder/adversary".parse().unwrap())),
        ("index", Reason::NotOffered { index: 3, offered: 3 }),
        ("far-index", Reason::NotOffered { index: u32::MAX, offered: 3 }),
        ("other-slot", Reason::SlotNotAsked { slot: "other".into() }),
        ("slot-twice", Reason::SlotTwice { slot: "password".parse().unwrap() }),
        ("many-slots", Reason::SlotTwice { slot: "password".parse().unwrap() }),
    ];
    let mut all: Vec<_> = named
        .into_iter()
        .map(|(name, expected)| {
            let plugin = plugin.clone();
            let run = move |host: &Host| render(&loaded(&plugin, host), name);
            Adversary::new(name, run, Expected::Exactly(Refusal::Plugin(expected)))
        })
        .collect();
    for name in ["trap", "trap-late"] {
        let plugin = plugin.clone();
        all.push(Adversary::new(
            name,
            move |host| render(&loaded(&plugin, host), name),
            Expected::Like(|refusal| {
                matches!(refusal, Refusal::Plugin(Reason::Trap(what)) if what.contains("unreachable"))
            }),
        ));
    }
    all
}
