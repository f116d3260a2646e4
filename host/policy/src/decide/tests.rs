use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::*;
use crate::facts::Payload;
use crate::pack::Pack;
use crate::relief::{BreakGlass, Override, Subject, Waiver};
use crate::samples::{digest, facts, gate, ready, spec, still};

const OK: &str = "pass(\"t.ok\", #{fact: \"plan.version\", actual: plan.version});";
const NO: &str = "deny(\"t.no\", \"no\", #{});";
const UNDECIDED: &str = "undecided(\"t.no\", \"who knows\");";
const FAULT: &str = "throw \"broken\";";

fn waiver() -> Waiver {
    Waiver {
        id: Digest::of(b"w"),
        code: "t.no".to_owned(),
        subject: Subject::App("app-1".parse().unwrap()),
        by: "ann".to_owned(),
        cosigned: Some("ben".to_owned()),
        reason: "a reason".to_owned(),
        ticket: "T-1".to_owned(),
        at: "2026-06-01T00:00:00Z".parse().unwrap(),
        expires: "2026-06-10T00:00:00Z".parse().unwrap(),
    }
}

fn over() -> Override {
    Override {
        id: Digest::of(b"o"),
        gate: "g".to_owned(),
        plan: digest('a').parse().unwrap(),
        by: "ann".to_owned(),
        reason: "a reason".to_owned(),
        at: "2026-06-01T00:00:00Z".parse().unwrap(),
    }
}

/// Decides by one gate of this level around a script.
fn one(script: &str, level: Level, waivable: bool, reliefs: &[Relief]) -> Decision {
    let sandbox = Sandbox::new(still());
    let pack = crate::samples::pack(script).unwrap();
    let spec = GateSpec { level, waivable, ..spec("g", &pack) };
    let gate = Gate::new(spec, &sandbox.compile(pack).unwrap()).unwrap();
    sandbox.decide(&[gate], &ready(facts()), reliefs, Some("tested")).decision
}

#[test]
fn a_waiver_lifts_its_code_for_its_subject_while_it_holds_and_never_by_one_person() {
    let ts = |text: &str| text.parse().unwrap();
    let other_bundle: Digest = digest('f').parse().unwrap();
    let bundle: Digest = digest('b').parse().unwrap();
    let w = waiver();
    for (case, waiver, reason) in [
        ("as it should be", w.clone(), None),
        ("for the bundle", Waiver { subject: Subject::Bundle(bundle), ..w.clone() }, None),
        ("to the last moment", Waiver { expires: ts("2026-06-03T10:00:00.000000001Z"), ..w.clone() }, None),
        (
            "expired",
            Waiver { expires: ts("2026-06-03T10:00:00Z"), ..w.clone() },
            Some("it expired at 2026-06-03T10:00:00Z"),
        ),
        ("another code", Waiver { code: "t.ok".into(), ..w.clone() }, Some("no gate refuses by `t.ok`")),
        (
            "another app",
            Waiver { subject: Subject::App("app-2".parse().unwrap()), ..w.clone() },
            Some("another app, `app-2`"),
        ),
        (
            "another bundle",
            Waiver { subject: Subject::Bundle(other_bundle), ..w.clone() },
            Some("another bundle, ffff"),
        ),
        ("no second signer", Waiver { cosigned: None, ..w.clone() }, Some("nobody but `ann` has signed")),
        (
            "signed twice by one",
            Waiver { cosigned: Some("ann".into()), ..w.clone() },
            Some("nobody but `ann` has signed"),
        ),
        (
            "a stranger's second signature",
            Waiver { cosigned: Some("eve".into()), ..w.clone() },
            Some("`eve` is nobody"),
        ),
        ("by a stranger", Waiver { by: "eve".into(), ..w.clone() }, Some("`eve` is nobody")),
        ("no reason", Waiver { reason: " ".into(), ..w.clone() }, Some("no reason")),
        ("no ticket", Waiver { ticket: String::new(), ..w.clone() }, Some("no ticket")),
        ("from the future", Waiver { at: ts("2026-06-03T10:00:01Z"), ..w.clone() }, Some("after now")),
    ] {
        let decision = one(NO, Level::Hard, true, &[Relief::Waiver(waiver)]);
        let (outcome, told) = match reason {
            None => (Outcome::Allowed, vec![]),
            Some(_) => (Outcome::Denied, decision.not_applied.iter().map(|not| not.reason.clone()).collect()),
        };
        assert_eq!(decision.outcome, outcome, "{case}");
        assert_eq!(decision.not_applied.len(), told.len(), "{case}");
        assert!(told.iter().all(|told| told.contains(reason.unwrap_or(""))), "{case}: {told:?}");
    }
}

#[test]
fn an_override_lifts_one_soft_gate_for_one_plan() {
    for (case, over, reason) in [
        ("as it should be", over(), None),
        ("another plan", Override { plan: Digest::of(b"x"), ..over() }, Some("another plan")),
        ("another gate", Override { gate: "h".into(), ..over() }, Some("no gate `h` refuses")),
        ("no reason", Override { reason: String::new(), ..over() }, Some("no reason")),
        ("by a stranger", Override { by: "eve".into(), ..over() }, Some("`eve` is nobody")),
    ] {
        let decision = one(UNDECIDED, Level::Soft, false, &[Relief::Override(over)]);
        let told: Vec<_> = decision.not_applied.iter().map(|not| not.reason.as_str()).collect();
        match reason {
            None => assert!(decision.is_allowed() && told.is_empty(), "{case}: {told:?}"),
            Some(reason) => {
                assert!(decision.outcome == Outcome::Pending && told[0].contains(reason), "{case}: {told:?}")
            }
        }
    }
    let decision = one(NO, Level::Hard, true, &[Relief::Override(over())]);
    assert_eq!(
        (decision.outcome, decision.not_applied[0].reason.as_str()),
        (Outcome::Denied, "gate `g` is hard: an override lifts soft gates only")
    );
    let decision = one(NO, Level::Hard, false, &[Relief::Waiver(waiver())]);
    assert_eq!(
        (decision.outcome, decision.not_applied[0].reason.as_str()),
        (Outcome::Denied, "gate `g` is hard and not waivable")
    );
}

#[test]
fn each_refusing_finding_needs_a_relief_of_its_own() {
    let sandbox = Sandbox::new(still());
    let source = format!("{NO} deny(\"t.ok\", \"another\", #{{}});");
    let pack = crate::samples::pack(&source).unwrap();
    let spec = GateSpec { waivable: true, ..spec("g", &pack) };
    let gate = Gate::new(spec, &sandbox.compile(pack).unwrap()).unwrap();
    let other = Waiver { id: Digest::of(b"v"), code: "t.ok".to_owned(), ..waiver() };
    for (reliefs, outcome) in [
        (vec![], Outcome::Denied),
        (vec![Relief::Waiver(waiver())], Outcome::Denied),
        (vec![Relief::Waiver(other.clone())], Outcome::Denied),
        (vec![Relief::Waiver(waiver()), Relief::Waiver(other)], Outcome::Allowed),
    ] {
        let decided = sandbox.decide(std::slice::from_ref(&gate), &ready(facts()), &reliefs, None);
        assert_eq!(decided.decision.outcome, outcome, "{reliefs:?}");
    }
}

#[test]
fn an_emergency_act_lifts_one_plan_for_one_hour_by_two_people_but_never_a_leak_or_a_fault() {
    let act = BreakGlass {
        id: Digest::of(b"b"),
        plan: digest('a').parse().unwrap(),
        role: "ops".to_owned(),
        by: "ben".to_owned(),
        cosigned: Some("ann".to_owned()),
        reason: "the shop is down".to_owned(),
        ticket: "INC-1".to_owned(),
        at: "2026-06-03T09:30:00Z".parse().unwrap(),
    };
    let ts = |text: &str| text.parse().unwrap();
    for (case, act, reason) in [
        ("as it should be", act.clone(), None),
        ("to the last moment", BreakGlass { at: ts("2026-06-03T09:00:00.000000001Z"), ..act.clone() }, None),
        ("too old", BreakGlass { at: ts("2026-06-03T09:00:00Z"), ..act.clone() }, Some("held for one hour")),
        ("not yet", BreakGlass { at: ts("2026-06-03T10:00:01Z"), ..act.clone() }, Some("after now")),
        ("another plan", BreakGlass { plan: Digest::of(b"x"), ..act.clone() }, Some("another plan")),
        ("without the role", BreakGlass { by: "ann".into(), ..act.clone() }, Some("not have the role `ops`")),
        ("no second signer", BreakGlass { cosigned: None, ..act.clone() }, Some("nobody but `ben`")),
        ("oneself", BreakGlass { cosigned: Some("ben".into()), ..act.clone() }, Some("nobody but `ben`")),
        ("a stranger", BreakGlass { cosigned: Some("eve".into()), ..act.clone() }, Some("`eve` is nobody")),
        ("no ticket", BreakGlass { ticket: " ".into(), ..act.clone() }, Some("no ticket")),
        ("no reason", BreakGlass { reason: String::new(), ..act.clone() }, Some("no reason")),
    ] {
        for (script, refused) in [(NO, Outcome::Denied), (UNDECIDED, Outcome::Pending)] {
            let decision = one(script, Level::Hard, false, &[Relief::BreakGlass(act.clone())]);
            let expected = if reason.is_none() { Outcome::Allowed } else { refused };
            let told = decision.not_applied.first().map_or("", |not| not.reason.as_str());
            assert_eq!(decision.outcome, expected, "{case}: {told}");
            assert!(told.contains(reason.unwrap_or("")), "{case}: {told}");
        }
    }
    let leak = "deny(\"t.leak\", \"a secret\", #{});";
    for (script, expected) in [(leak, Outcome::Denied), (FAULT, Outcome::Fault)] {
        let decision = one(script, Level::Hard, true, &[Relief::BreakGlass(act.clone())]);
        assert_eq!(decision.outcome, expected, "{script}");
        assert_eq!(decision.not_applied.len(), 1);
    }
    let leak_waived = Waiver { code: "t.leak".to_owned(), ..waiver() };
    assert_eq!(one(leak, Level::Hard, true, &[Relief::Waiver(leak_waived)]).outcome, Outcome::Denied);
}

#[test]
fn a_gate_is_asked_about_the_apps_labels_and_changes_that_it_selects() {
    let facts: Facts = serde_json::from_value(facts()).unwrap();
    for (selector, selects) in [
        (json!({}), true),
        (json!({"apps": ["orders"]}), true),
        (json!({"apps": ["billing"]}), false),
        (json!({"labels": ["payments", "pci"]}), true),
        (json!({"labels": ["pci"]}), false),
        (json!({"changes": [{"object": "query"}]}), true),
        (json!({"changes": [{"object": "query", "action": "update"}]}), true),
        (json!({"changes": [{"object": "query", "action": "delete"}]}), false),
        (json!({"changes": [{"action": "delete"}, {"action": "create"}]}), true),
        (json!({"changes": [{"object": "data-source"}]}), false),
        (json!({"apps": ["orders"], "labels": ["pci"]}), false),
    ] {
        let read: crate::gate::Selector = serde_json::from_value(selector.clone()).unwrap();
        assert_eq!(read.selects(&facts), selects, "{selector}");
    }
}

#[test]
fn no_gate_is_not_allowed_unless_that_is_declared() {
    let sandbox = Sandbox::new(still());
    let pack = crate::samples::pack(OK).unwrap();
    let policy = sandbox.compile(pack.clone()).unwrap();
    let gate_of = |name: &str, level: Level, apps: &[&str]| {
        let selector = crate::gate::Selector {
            apps: apps.iter().map(|app| (*app).to_owned()).collect(),
            ..Default::default()
        };
        Gate::new(GateSpec { level, selector, ..spec(name, &pack) }, &policy).unwrap()
    };
    for (case, gates, ungated, allowed) in [
        ("none", vec![], None, false),
        ("none, for no reason", vec![], Some(" "), false),
        ("none, declared", vec![], Some("a sandbox of our own"), true),
        ("one that only warns", vec![gate_of("g", Level::Warn, &[])], None, false),
        ("one that only warns, declared", vec![gate_of("g", Level::Warn, &[])], Some("so"), true),
        ("one for another app", vec![gate_of("g", Level::Hard, &["app-2"])], None, false),
        ("one for this app's id", vec![gate_of("g", Level::Hard, &["app-1"])], None, true),
        ("one for this app's name", vec![gate_of("g", Level::Hard, &["orders"])], None, true),
        (
            "two of one name",
            vec![gate_of("g", Level::Hard, &[]), gate_of("g", Level::Soft, &[])],
            None,
            false,
        ),
    ] {
        let decision = sandbox.decide(&gates, &ready(facts()), &[], ungated).decision;
        assert_eq!(decision.is_allowed(), allowed, "{case}: {:?}", decision.problem);
        assert_eq!(decision.problem.is_none(), allowed, "{case}");
    }
}

#[test]
fn facts_that_contradict_the_ledger_are_not_judged() {
    let mut behind = facts();
    behind["last_entry"] = "2026-06-03T10:00:01Z".into();
    let behind: Facts = serde_json::from_value(behind).unwrap();
    let error = ReadyFacts::new(behind).unwrap_err().to_string();
    assert!(error.contains("before the last entry of the ledger"), "{error}");
}

#[test]
fn a_gate_whose_parameters_do_not_fit_is_not_attached() {
    let sandbox = Sandbox::new(still());
    let pack = crate::samples::pack(OK).unwrap();
    let policy = sandbox.compile(pack.clone()).unwrap();
    for (name, value, expected) in [
        ("colour", json!(1), "gate `g`: the policy has no parameter `colour`; it has `limit`"),
        (
            "limit",
            json!("5"),
            "gate `g`: the parameter `limit` is `\"5\"`: write a whole number of 0 or more",
        ),
    ] {
        let spec = GateSpec { parameters: BTreeMap::from([(name.to_owned(), value)]), ..spec("g", &pack) };
        assert_eq!(Gate::new(spec, &policy).unwrap_err().to_string(), expected);
    }
    let other = GateSpec { pack: Digest::of(b"other"), ..spec("g", &pack) };
    assert!(Gate::new(other, &policy).unwrap_err().to_string().contains("adopt the configuration again"));
}

/// The four packs as hard gates, with parameters that the sample facts meet.
fn four_gates(sandbox: &Sandbox) -> Vec<Gate> {
    [
        ("test-evidence", json!({"min_executed": 10, "max_age": "2d"})),
        ("data-masking", json!({"max_age": "3d", "allowed": ["query-9#/ok"]})),
        ("release-window", json!({"calendar": "releases"})),
        ("approvals", json!({"roles": {"qa": 1, "ops": 1}})),
    ]
    .into_iter()
    .map(|(name, parameters)| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(name);
        let pack = Pack::read(&folder).unwrap();
        let parameters = serde_json::from_value(parameters).unwrap();
        let spec = GateSpec { parameters, ..spec(name, &pack) };
        Gate::new(spec, &sandbox.compile(pack).unwrap()).unwrap()
    })
    .collect()
}

#[test]
fn a_decision_replays_byte_for_byte_after_being_stored() {
    let sandbox = Sandbox::new(still());
    let mut gates = four_gates(&sandbox);
    gates.push(gate(&sandbox, "denies", NO).unwrap());
    gates.push(gate(&sandbox, "breaks", FAULT).unwrap());
    let reliefs = [Relief::Waiver(waiver()), Relief::Override(over())];
    let decided = sandbox.decide(&gates, &ready(facts()), &reliefs, None);
    assert!(decided.replayable);
    let stored = decided.decision.canonical().unwrap();

    let value = json::read(&stored, 1 << 20).unwrap();
    let read: Decision = serde_json::from_value(value).unwrap();
    assert_eq!(read.canonical().unwrap(), stored);

    // Elsewhere and later: other engine, packs from their stored bytes.
    let later = Sandbox::new(still());
    let blobs: Vec<Vec<u8>> = gates.iter().map(|gate| gate.policy().pack().blob().unwrap()).collect();
    let policies: Vec<_> =
        blobs.iter().map(|blob| later.compile(Pack::from_blob("stored", blob).unwrap()).unwrap()).collect();
    let policy = |wanted: &Digest| policies.iter().find(|policy| policy.pack().digest() == *wanted).cloned();
    let again = later.replay(&read.input, policy).unwrap();
    assert_eq!(String::from_utf8(again.decision.canonical().unwrap()), String::from_utf8(stored));

    let error = later.replay(&read.input, |_| None).unwrap_err().to_string();
    assert!(error.contains("is not there: restore it"), "{error}");
    let error = later.replay(&Input { api: 2, ..read.input }, |_| None).unwrap_err().to_string();
    assert!(error.contains("api = 2"), "{error}");
}

/// The four packs once more, as plain and obvious as can be. What the gates allow, this allows.
mod reference {
    use super::*;

    fn fresh(claimed: jiff::Timestamp, received: jiff::Timestamp, facts: &Facts, hours: i64) -> Option<bool> {
        if claimed > facts.now || received > facts.now {
            return None;
        }
        Some(facts.now.duration_since(claimed.min(received)) <= jiff::SignedDuration::from_hours(hours))
    }

    fn tests(facts: &Facts) -> bool {
        let Some(evidence) = &facts.evidence else { return false };
        let mut suites: BTreeMap<&str, (jiff::Timestamp, u64, u64)> = BTreeMap::new();
        for one in evidence {
            let Payload::Tests(tests) = &one.payload else { continue };
            let ours = one.bundle == Some(facts.plan.bundle)
                && one.environment == facts.transition.from.name
                && one.issuer.name.is_some();
            if !ours {
                continue;
            }
            if fresh(one.claimed_at, one.received_at, facts, 0).is_none() {
                return false;
            }
            let made = one.claimed_at.min(one.received_at);
            let Some(broken) = tests.failed.checked_add(tests.errors) else { return false };
            let entry = suites.entry(&tests.suite).or_insert((made, tests.executed, broken));
            if made > entry.0 {
                *entry = (made, tests.executed, broken);
            }
        }
        let week = jiff::SignedDuration::from_hours(48);
        let good =
            suites.values().all(|(made, _, broken)| *broken == 0 && facts.now.duration_since(*made) <= week);
        let executed: u128 = suites.values().map(|(_, executed, _)| u128::from(*executed)).sum();
        good && executed >= 10
    }

    fn masking(facts: &Facts) -> bool {
        let (Some(scan), Some(evidence)) = (&facts.scan, &facts.evidence) else { return false };
        let personal = scan.personal_data.iter().all(|datum| {
            datum.object.as_str() == "query-9" && datum.at.to_string().split('/').nth(1) == Some("ok")
        });
        let masked = |source: &crate::facts::Source| {
            let about: Vec<_> = evidence
                .iter()
                .filter(|one| {
                    let of = matches!(&one.payload, Payload::Masking(masking) if masking.source == source.id);
                    of && one.environment == facts.transition.to.name && one.issuer.name.is_some()
                })
                .collect();
            if about.iter().any(|one| fresh(one.claimed_at, one.received_at, facts, 0).is_none()) {
                return false;
            }
            let newest = about.iter().rev().max_by_key(|one| one.claimed_at.min(one.received_at));
            newest.is_some_and(|one| {
                let Payload::Masking(masking) = &one.payload else { return false };
                let counts =
                    ["synthetic", "anonymised", "pseudonymised", "tokenised", "subset-without-personal-data"];
                fresh(one.claimed_at, one.received_at, facts, 72) == Some(true)
                    && counts.contains(&masking.method.as_str())
            })
        };
        scan.secrets.is_empty()
            && personal
            && facts.plan.still_pointing_at_source.is_empty()
            && (!facts.transition.to.holds_production_data || facts.plan.sources.iter().all(masked))
    }

    fn window(facts: &Facts) -> bool {
        let calendar = facts.calendars.iter().flatten().find(|calendar| calendar.name == "releases");
        calendar.is_some_and(|calendar| {
            let holds = |i: &crate::calendar::Interval| i.from <= facts.now && facts.now < i.until;
            holds(&calendar.windows.known) && calendar.windows.open.iter().any(holds)
        })
    }

    fn approved(facts: &Facts) -> bool {
        let Some(approvals) = &facts.approvals else { return false };
        let ours: Vec<_> = approvals.iter().filter(|one| one.plan == facts.plan.digest).collect();
        if ours.iter().any(|one| one.at > facts.now) {
            return false;
        }
        let month = jiff::SignedDuration::from_hours(30 * 24);
        let young = ours.iter().filter(|one| facts.now.duration_since(one.at) <= month);
        if facts.workspace.single_operator.is_some() {
            let [alone] = facts.people.as_slice() else { return false };
            return young.clone().any(|one| one.person == alone.name);
        }
        let counted: Vec<_> = young.filter(|one| !facts.plan.authors.contains(&one.person)).collect();
        let has = |role: &str| {
            let role = role.to_owned();
            counted
                .iter()
                .filter(move |one| one.roles.contains(&role))
                .map(|one| &one.person)
                .collect::<Vec<_>>()
        };
        has("qa").iter().any(|qa| has("ops").iter().any(|ops| qa != ops))
    }

    pub(super) fn allows(facts: &Facts) -> bool {
        let on_time = facts.last_entry.is_none_or(|entry| entry <= facts.now);
        on_time && tests(facts) && masking(facts) && window(facts) && approved(facts)
    }
}

/// All places of a document.
fn places(value: &Value) -> Vec<sluice_model::Pointer> {
    let mut all = Vec::new();
    sluice_model::content::visit(value, &mut |at, _| {
        all.push(at.clone());
        true
    });
    all
}

/// Changes one place of a document in one of many ways.
fn mutate(facts: &mut Value, place: &Index, way: u8) {
    let all = places(facts);
    let at = place.get(&all).clone();
    let Some(parent) = at.parent() else { return };
    let key = at.tokens().last().cloned().unwrap();
    let old = at.get(facts).cloned().unwrap();
    let new = match way % 13 {
        0 => None,
        1 => Some(Value::Null),
        2 => Some(json!(0)),
        3 => Some(json!(u64::MAX)),
        4 => Some(json!("")),
        5 => Some(json!([])),
        6 => Some(json!({})),
        7 => Some(json!(old != json!(true))),
        8 => Some(json!("x".repeat(100_000))),
        9 => Some(json!("2026-06-03T09:00:00Z")),
        10 => Some(json!("2027-01-01T00:00:00Z")),
        11 => Some(json!([old.clone(), old])),
        _ => Some(json!(digest('f'))),
    };
    match (parent.get_mut(facts).unwrap(), new) {
        (Value::Object(members), Some(new)) => drop(members.insert(key, new)),
        (Value::Object(members), None) => drop(members.remove(&key)),
        (Value::Array(items), Some(new)) => items[key.parse::<usize>().unwrap()] = new,
        (Value::Array(items), None) => drop(items.remove(key.parse().unwrap())),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// No mutation of any fact turns into allowed, unless the plain model allows it too; and the
    /// other way round, so that the gates refuse nothing without a reason.
    #[test]
    fn facts_that_are_changed_anywhere_are_allowed_only_where_the_model_allows(
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        thread_local! {
            static GATES: (Sandbox, Vec<Gate>) = { let s = Sandbox::new(still()); let g = four_gates(&s); (s, g) };
        }
        let mut changed = facts();
        for (place, way) in &changes {
            mutate(&mut changed, place, *way);
        }
        let bytes = json::canonical(&changed);
        let Ok(read) = Facts::read(&bytes) else { return Ok(()) };
        let expected = reference::allows(&read);
        let allowed = GATES.with(|(sandbox, gates)| match ReadyFacts::new(read) {
            Ok(ready) => sandbox.decide(gates, &ready, &[], None).decision.is_allowed(),
            Err(_) => false,
        });
        prop_assert!(!allowed || expected, "{}", changed);
        // A text that does not fit into a finding, and a number that scripts cannot hold, refuse
        // too, which the model does not know.
        let is_oversized = bytes.len() > 50_000 || changed.to_string().contains(&u64::MAX.to_string());
        prop_assert!(allowed || !expected || is_oversized, "{}", changed);
    }

    /// Verdicts, levels and reliefs against the table written down by hand.
    #[test]
    fn the_table_holds_for_whole_decisions(
        gates in prop::collection::vec((prop::collection::vec(0usize..4, 0..3), 0usize..4, any::<bool>(), any::<bool>()), 0..4),
        has_waiver in any::<bool>(),
    ) {
        const CALLS: [&str; 4] = [OK, UNDECIDED, NO, FAULT];
        const LEVELS: [Level; 4] = [Level::Audit, Level::Warn, Level::Soft, Level::Hard];
        let sandbox = Sandbox::new(still());
        let mut reliefs = Vec::new();
        if has_waiver {
            reliefs.push(Relief::Waiver(waiver()));
        }
        let mut asked = Vec::new();
        for (n, (calls, level, waivable, overridden)) in gates.iter().enumerate() {
            let source: String = calls.iter().map(|call| CALLS[*call]).collect();
            let pack = crate::samples::pack(&source).unwrap();
            let spec = GateSpec { level: LEVELS[*level], waivable: *waivable, ..spec(&format!("g{n}"), &pack) };
            asked.push(Gate::new(spec, &sandbox.compile(pack).unwrap()).unwrap());
            if *overridden {
                reliefs.push(Relief::Override(Override { id: Digest::of(&[n as u8]), gate: format!("g{n}"), ..over() }));
            }
        }
        let decision = sandbox.decide(&asked, &ready(facts()), &reliefs, None).decision;

        let goes_on = |calls: &[usize], level: usize, waivable: bool, overridden: bool| {
            // After a fault nothing more is said; a gate that says nothing is undecided.
            let end = calls.iter().position(|call| *call == 3).map_or(calls.len(), |at| at + 1);
            let mut said = calls[..end].to_vec();
            if said.is_empty() {
                return match level {
                    0 | 1 => true,
                    2 => overridden,
                    _ => false,
                };
            }
            said.retain(|call| *call != 0);
            said.iter().all(|call| match (level, call) {
                (0 | 1, _) => true,
                (_, 3) => false,
                (2, _) => has_waiver || overridden,
                (_, 2) => has_waiver && waivable,
                _ => false,
            })
        };
        let is_gated = gates.iter().any(|(_, level, _, _)| *level >= 2);
        let expected = is_gated && gates.iter().all(|(calls, level, w, o)| goes_on(calls, *level, *w, *o));
        prop_assert_eq!(decision.is_allowed(), expected, "{:?}", decision.gates);
        // What was done about it is told either as applied or as not, never both.
        for relief in &reliefs {
            let applied = decision.gates.iter().any(|gate| gate.lifted.iter().any(|lifted| lifted.by == relief.id()));
            let not = decision.not_applied.iter().any(|not| not.id == relief.id());
            prop_assert!(applied != not, "{:?}", relief);
        }
    }

    #[test]
    fn bytes_that_are_cut_or_changed_are_no_facts_or_are_judged(at in any::<Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = json::canonical(&facts());
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        if cut {
            prop_assert!(Facts::read(&bytes).is_err());
        } else if let Ok(read) = Facts::read(&bytes) {
            prop_assert_eq!(Facts::read(&read.canonical().unwrap()).unwrap(), read);
        }
    }
}

#[test]
fn the_sample_is_allowed_and_a_tiny_deadline_or_a_broken_script_is_not() {
    let sandbox = Sandbox::new(still());
    let gates = four_gates(&sandbox);
    let decided = sandbox.decide(&gates, &ready(facts()), &[], None);
    assert!(decided.decision.is_allowed(), "{:?}", decided.decision.gates);
    assert!(reference::allows(&serde_json::from_value(facts()).unwrap()));

    // Every look at the clock takes as long as everything may.
    let looks = std::sync::atomic::AtomicU64::new(0);
    let clock = move || Duration::from_secs(looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let hurried = Sandbox::new(Arc::new(clock));
    let decided = hurried.decide(&four_gates(&hurried), &ready(facts()), &[], None);
    assert!(!decided.decision.is_allowed() && !decided.replayable);
    assert!(decided.decision.gates.iter().all(|gate| gate.verdict == Verdict::Fault));

    for broken in [FAULT, "loop { }", "let x = plan.colour;", ""] {
        let mut gates = four_gates(&sandbox);
        gates.push(gate(&sandbox, "broken", broken).unwrap());
        assert!(!sandbox.decide(&gates, &ready(facts()), &[], None).decision.is_allowed(), "{broken}");
    }
}

#[test]
fn a_single_operator_is_shown_by_every_decision() {
    let sandbox = Sandbox::new(still());
    let mut facts = facts();
    facts["workspace"]["single_operator"] = "a trial".into();
    let decision = sandbox.decide(&[gate(&sandbox, "g", OK).unwrap()], &ready(facts), &[], None).decision;
    assert_eq!(decision.single_operator.as_deref(), Some("a trial"));
}
