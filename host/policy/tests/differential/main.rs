//! Gates and whole decisions against a plain reference, on random facts.
//!
//! The reference is written from what each rule says in words and from the table of the design,
//! without the sandbox: loops over the facts as they lie.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what differs should stop the test with the facts that show it"
)]

#[path = "../acme/mod.rs"]
mod acme;
mod packs;
mod random;
mod rules;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use random::{Random, digest, now, random_facts};
use rules::reference;
use serde_json::json;
use sluice_model::verdict::{Effect, Level, Outcome, Verdict};
use sluice_policy::relief::{BreakGlass, Override, Subject, Waiver};
use sluice_policy::{Facts, Gate, GateSpec, Pack, Relief, Sandbox, Selector};

/// How many random facts a plain `cargo test` tries; the variable of this name asks for more.
const FACTS: usize = 4_000;
const FACTS_VARIABLE: &str = "SLUICE_DIFFERENTIAL_FACTS";

/// Where the packs lie.
const PACKS: &str = "../../policies";

/// The gates, each with the name of its reference.
fn gates(sandbox: &Sandbox) -> Vec<(String, Gate)> {
    let shipped = [
        ("test-evidence", json!({})),
        ("release-window", json!({"calendar": "releases"})),
        ("approvals", json!({"roles": {"qa": 1, "ops": 1}})),
        ("data-masking", packs::data_masking_parameters()),
        ("change-control", packs::change_control_parameters()),
        ("data-source-hygiene", packs::data_source_hygiene_parameters()),
        ("supply-chain", packs::supply_chain_parameters()),
    ];
    let packs = shipped.map(|(name, parameters)| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(PACKS).join(name);
        (format!("pack {name}"), Pack::read(&folder).unwrap(), serde_json::from_value(parameters).unwrap())
    });
    let rules = acme::RULES.iter().map(|rule| (rule.name.to_owned(), rule.pack(), BTreeMap::new()));
    let all = rules.chain(packs);
    all.map(|(name, pack, parameters)| (name.clone(), acme::gate(sandbox, pack, &name, parameters).unwrap()))
        .collect()
}

/// The same gate, taken as strictly as chance wants.
fn at_some_level(gate: &Gate, r: &mut Random) -> Gate {
    let level = *r.of(&[Level::Hard, Level::Hard, Level::Soft, Level::Warn, Level::Audit]);
    let spec =
        GateSpec { level, waivable: r.once_in(2), selector: Selector::default(), ..gate.spec().clone() };
    Gate::new(spec, gate.policy()).unwrap()
}

/// What people did: a waiver, an override or an emergency act, each of which may not hold.
fn random_reliefs(facts: &Facts, gates: &[Gate], r: &mut Random) -> Vec<Relief> {
    let id = |letter: &str| digest(letter).parse().unwrap();
    let at: Timestamp = "2026-06-03T09:30:00Z".parse().unwrap();
    let second = |r: &mut Random| if r.once_in(5) { None } else { Some("ben".to_owned()) };
    let mut reliefs = Vec::new();
    if r.once_in(3) {
        let expires = now() + SignedDuration::from_hours(i64::try_from(r.below(4)).unwrap());
        reliefs.push(Relief::Waiver(Waiver {
            id: id("2"),
            code: "t.no".to_owned(),
            subject: Subject::App(facts.app.id.clone()),
            by: "ann".to_owned(),
            cosigned: second(r),
            reason: "r".to_owned(),
            ticket: "CHG-1".to_owned(),
            at,
            expires,
        }));
    }
    if r.once_in(3) {
        let plan = if r.once_in(5) { id("f") } else { facts.plan.digest };
        let gate = r.of(gates).spec().name.clone();
        let over = Override { id: id("3"), gate, plan, by: "ben".to_owned(), reason: "r".to_owned(), at };
        reliefs.push(Relief::Override(over));
    }
    if r.once_in(6) {
        let (role, minutes) = (r.of(&["ops", "ops", "qa"]), i64::try_from(r.below(90)).unwrap());
        reliefs.push(Relief::BreakGlass(BreakGlass {
            id: id("4"),
            plan: facts.plan.digest,
            role: (*role).to_owned(),
            by: "cleo".to_owned(),
            cosigned: second(r),
            reason: "r".to_owned(),
            ticket: "CHG-2".to_owned(),
            at: now() - SignedDuration::from_mins(minutes),
        }));
    }
    reliefs
}

/// Whether an act lifts a refusal of this verdict and code, by the design's table.
fn lifts(relief: &Relief, gate: &GateSpec, verdict: Verdict, code: &str) -> bool {
    // Nothing lifts a secret that goes along.
    let refusable = matches!(verdict, Verdict::Deny | Verdict::Undecided) && !code.starts_with("secrets.");
    match relief {
        Relief::Waiver(waiver) => {
            let holds = waiver.expires > now() && waiver.cosigned.is_some() && code == waiver.code;
            let by_level = gate.level == Level::Soft && refusable
                || gate.level == Level::Hard && verdict == Verdict::Deny && gate.waivable && refusable;
            holds && by_level
        }
        Relief::Override(over) => {
            let is_ours = over.plan.to_string() == digest("a") && over.gate == gate.name;
            is_ours && gate.level == Level::Soft && refusable
        }
        Relief::BreakGlass(act) => {
            // In the facts, `cleo` is of operations and nothing else.
            let holds = act.role == "ops" && act.cosigned.is_some();
            holds && now().duration_since(act.at) < SignedDuration::from_hours(1) && refusable
        }
    }
}

/// What the findings of a gate come to, one by one.
fn settled(
    gate: &GateSpec,
    findings: &[sluice_model::verdict::Finding],
    reliefs: &[Relief],
) -> Vec<(Verdict, Effect)> {
    findings
        .iter()
        .map(|finding| {
            let effect = match (finding.verdict, gate.level) {
                (Verdict::Pass, _) => Effect::GoesOn,
                (_, Level::Warn | Level::Audit) => Effect::Noted,
                (verdict, _) if reliefs.iter().any(|act| lifts(act, gate, verdict, &finding.code)) => {
                    Effect::Lifted
                }
                _ => Effect::Refused,
            };
            (finding.verdict, effect)
        })
        .collect()
}

fn came_to(all: &[(Verdict, Effect)], some_gate_refuses: bool) -> Outcome {
    let refused = |verdict| all.contains(&(verdict, Effect::Refused));
    if refused(Verdict::Fault) {
        Outcome::Fault
    } else if refused(Verdict::Deny) || !some_gate_refuses {
        Outcome::Denied
    } else if refused(Verdict::Undecided) {
        Outcome::Pending
    } else {
        Outcome::Allowed
    }
}

#[test]
fn gates_and_decisions_are_what_a_plain_reference_says() {
    let count = std::env::var(FACTS_VARIABLE).map_or(FACTS, |count| count.parse().unwrap());
    let sandbox = Sandbox::new(acme::still());
    let all = gates(&sandbox);
    assert_eq!(all.len(), 18, "eleven rules and seven packs");
    let mut r = Random(1);
    let mut seen: BTreeMap<(&str, Verdict), usize> = BTreeMap::new();
    let mut outcomes: BTreeMap<Outcome, usize> = BTreeMap::new();
    for round in 0..count {
        let facts = random_facts(&mut r);
        let some: Vec<_> = all.iter().filter(|_| r.once_in(3)).collect();
        let gates: Vec<Gate> = some.iter().map(|(_, gate)| at_some_level(gate, &mut r)).collect();
        let reliefs = if gates.is_empty() { Vec::new() } else { random_reliefs(&facts, &gates, &mut r) };
        let ready = sluice_policy::ReadyFacts::new(facts).unwrap();
        let facts = ready.facts();

        let decided = sandbox.decide(&gates, &ready, &reliefs, None);
        let mut effects = Vec::new();
        for ((name, _), (gate, decision)) in some.iter().zip(gates.iter().zip(&decided.decision.gates)) {
            let expected = reference(name, facts);
            let told = || serde_json::to_string(facts).unwrap();
            assert_eq!(decision.verdict, expected, "{round}: {name}: {:?}\n{}", decision.findings, told());
            let came_to = settled(gate.spec(), &decision.findings, &reliefs);
            let worst = came_to.iter().map(|(_, effect)| *effect).max().unwrap();
            assert_eq!(decision.effect, worst, "{round}: {name}: {:?}\n{reliefs:?}\n{}", decision, told());
            effects.extend(came_to);
            *seen.entry((name.as_str(), expected)).or_default() += 1;
        }
        let refuses = gates.iter().any(|gate| matches!(gate.spec().level, Level::Hard | Level::Soft));
        let outcome = came_to(&effects, refuses);
        assert_eq!(decided.decision.outcome, outcome, "{round}: {effects:?} {:?}", decided.decision.problem);
        *outcomes.entry(outcome).or_default() += 1;
    }
    // A verdict that no facts bring about is not tested by them.
    for (name, _) in &all {
        for verdict in [Verdict::Pass, Verdict::Undecided, Verdict::Deny, Verdict::Fault] {
            let never = match name.as_str() {
                "deletions" | "sources-kept" | "next-step" => {
                    [Verdict::Undecided, Verdict::Fault].contains(&verdict)
                }
                "encrypted" | "usual" | "certified" | "clean" => verdict == Verdict::Fault,
                "four-eyes" => verdict == Verdict::Deny,
                "pack change-control" => verdict == Verdict::Fault,
                _ => false,
            };
            assert_eq!(seen.contains_key(&(name.as_str(), verdict)), !never, "{name} is {verdict}");
        }
    }
    assert_eq!(outcomes.len(), 4, "{outcomes:?}");
}
