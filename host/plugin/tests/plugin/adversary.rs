//! Limits are what stops a plugin, and what it says and keeps is held to its call. The adversaries
//! themselves are in `adversaries`.

use std::time::{Duration, Instant};

use crate::built::{act, adversary, behaves, bytes};
use serde_json::json;
use sluice_plugin::{Host, Limit, Limits, Plugin, Reason, Severity};

fn refusal(plugin: &Plugin, name: &str) -> Reason {
    let error = plugin.render(&act(name)).expect_err(name);
    let text = error.to_string();
    let shown: String = name.chars().take(20).collect();
    assert!(text.starts_with(&format!("plugin `adversary`, data source `{shown}")), "{text}");
    assert!(text.contains("(source-1): "), "{text}");
    *error.reason
}

fn with(limits: Limits) -> Plugin {
    Host::new(limits).unwrap().load("adversary", &bytes("test/adversary.wasm")).unwrap()
}

#[test]
fn each_limit_is_what_stops_the_act() {
    // The same act with a limit that leaves room does not meet that limit.
    let default = Limits::default();
    let roomy = with(Limits {
        answer_bytes: 1 << 30,
        log_bytes: 1 << 30,
        log_messages: 10_000_000,
        findings: 1_000_000,
        // So that the log of a million messages is stopped by fuel at the latest.
        fuel: 2_000_000_000,
        ..default.clone()
    });
    for (name, limit) in [
        ("answer-100-mb", Limit::Answer),
        ("answer-long", Limit::Answer),
        ("log-many", Limit::LogMessages),
        ("log-long", Limit::LogBytes),
        ("findings", Limit::Findings),
    ] {
        match roomy.render(&act(name)) {
            Ok(_) => {}
            Err(error) => assert!(
                !matches!(*error.reason, Reason::Exceeded { limit: met, .. } if met == limit),
                "{name}: {error}"
            ),
        }
    }
    let small = with(Limits { memory_bytes: 4 << 20, stack_bytes: 64 << 10, fuel: 5_000_000, ..default });
    for (name, expected) in [
        ("grow", Reason::Exceeded { limit: Limit::Memory, most: 4 << 20 }),
        ("recurse", Reason::Exceeded { limit: Limit::Stack, most: 64 << 10 }),
        ("loop", Reason::Exceeded { limit: Limit::Fuel, most: 5_000_000 }),
    ] {
        assert_eq!(refusal(&small, name), expected, "{name}");
    }
}

#[test]
fn what_fails_without_end_is_slowed_down() {
    let plugin = with(Limits::default());
    let begun = Instant::now();
    let more = 40;
    for _ in 0..Limits::FAILURES + more {
        assert!(matches!(refusal(&plugin, "trap"), Reason::Trap(_)));
    }
    assert!(begun.elapsed() >= more * Limits::FAILURE);
    behaves(&plugin);
}

#[test]
fn the_wall_clock_stops_what_fuel_does_not() {
    let plugin =
        with(Limits { fuel: u64::MAX >> 1, deadline: Duration::from_millis(50), ..Limits::default() });
    assert_eq!(refusal(&plugin, "loop"), Reason::Exceeded { limit: Limit::Deadline, most: 50 });
    behaves(&plugin);
}

#[test]
fn the_source_environments_place_is_an_error_whatever_a_plugin_says_of_it() {
    let by_host = "plugin `adversary` would let the target connect to the same place as the source environment: \
                   `/host` equal its options";
    let by_plugin =
        "the target would connect to the same place as the source environment: `host` equal its options";
    for (name, host, expected) in [
        ("silent", "db.dev.example", Some(by_host)),
        ("harmless", "db.dev.example", Some(by_host)),
        // One that says so itself is not corrected.
        ("decent", "db.dev.example", Some(by_plugin)),
        ("silent", "db.staging.example", None),
        ("decent", "db.staging.example", None),
    ] {
        let mut input = act(name);
        input.binding["host"] = json!(host);
        let rendered = adversary().render(&input).unwrap();
        let errors: Vec<_> = rendered.notes.iter().filter(|note| note.severity == Severity::Error).collect();
        let told: Vec<_> = errors.iter().map(|note| (note.code.as_str(), note.message.as_str())).collect();
        let expected: Vec<_> = expected.map(|message| ("option.must-differ", message)).into_iter().collect();
        assert_eq!(told, expected, "{name} {host}");
        assert!(errors.iter().all(|note| note.at.as_deref() == Some("/host") && note.fix.is_some()));
    }
}

#[test]
fn a_flag_and_a_choice_may_be_set_to_what_is_described() {
    let rendered = adversary().render(&act("harden")).unwrap();
    assert_eq!((&rendered.options["tls"], &rendered.options["mode"]), (&json!(true), &json!("strict")));
}

#[test]
fn references_of_other_environments_never_reach_a_plugin() {
    let mut offered = act("decent");
    offered.candidates[1].reference = "secret://production/orders/password".parse().unwrap();
    let mut bound = act("decent");
    bound.slots_bound.insert("password".parse().unwrap(), "secret://development/x".parse().unwrap());
    for input in [offered, bound] {
        let reason = *adversary().render(&input).unwrap_err().reason;
        assert!(matches!(reason, Reason::ForeignSecret { .. }), "{reason}");
    }
}

#[test]
fn what_a_plugin_says_is_passed_on_fit_to_be_shown() {
    let Reason::Invalid(notes) = refusal(adversary(), "invalid") else { panic!() };
    assert_eq!(notes[0].message, "the host is bad [31m");
    assert_eq!(notes[0].at.as_deref(), Some("/host"));
    let text = refusal(adversary(), "incomplete").to_string();
    assert!(text.contains("the binding of `staging` lacks `/host`, `/port`"), "{text}");
}

#[test]
fn nothing_is_left_of_one_call_in_the_next() {
    for _ in 0..3 {
        let rendered = adversary().render(&act("remember")).unwrap();
        assert_eq!(rendered.notes[0].message, "0");
    }
}

/// The act `search` for a text, spelled so that it is not itself in the guest's memory.
fn search(text: &str) -> String {
    let turned: String = text.bytes().map(|byte| format!("{:02x}", !byte)).collect();
    format!("search:{turned}")
}

#[test]
fn a_guest_finds_labels_and_options_in_its_memory_and_no_reference() {
    // No value of a secret even enters this crate; the engine's tests search for those. What could
    // cross from here are the references that stand for them.
    for (text, in_transform, in_remap) in [
        ("db.dev.example", "found", true),
        ("db.staging.example", "found", true),
        ("lowcoder", "found", true),
        ("api-token", "not found", true),
        ("orders/new", "not found", false),
        ("secret://", "not found", false),
    ] {
        let rendered = adversary().render(&act(&search(text))).unwrap();
        assert_eq!(rendered.notes[0].message, in_transform, "{text}");
        // The guest fills the slot if it finds the text, once it has been told all labels.
        assert_eq!(!rendered.slots.is_empty(), in_remap, "{text}");
    }
}

#[test]
fn the_same_input_takes_the_same_fuel() {
    let [a, b] = [(); 2].map(|()| adversary().render(&act("decent")).unwrap());
    assert_eq!(a, b);
    assert!(a.used.fuel > 0 && a.used.fuel < Limits::default().fuel / 100, "{}", a.used.fuel);
}

#[test]
fn more_calls_than_places_wait_and_all_are_answered() {
    let plugin = with(Limits { concurrent_calls: 2, ..Limits::default() });
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| behaves(&plugin)));
        }
        scope.spawn(|| assert!(matches!(refusal(&plugin, "trap"), Reason::Trap(_))));
    });
}
