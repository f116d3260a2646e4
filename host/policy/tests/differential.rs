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

mod acme;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sluice_model::verdict::{Effect, Level, Outcome, Verdict};
use sluice_policy::facts::{Evidence, PastOutcome, Payload, TransitionKind};
use sluice_policy::relief::{BreakGlass, Override, Subject, Waiver};
use sluice_policy::{Facts, Gate, GateSpec, Pack, Relief, Sandbox, Selector};

/// How many random facts a plain `cargo test` tries; the variable of this name asks for more.
const FACTS: usize = 4_000;
const FACTS_VARIABLE: &str = "SLUICE_DIFFERENTIAL_FACTS";

/// Numbers that look random and are always the same (SplitMix64, Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    /// True once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn of<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }

    fn list(&mut self, most: u64, mut one: impl FnMut(&mut Self) -> Value) -> Value {
        let count = self.below(most + 1);
        (0..count).map(|_| one(self)).collect()
    }

    /// A moment some hours before now, rarely after it.
    fn moment(&mut self, most_hours: u64) -> String {
        let hours = i64::try_from(self.below(most_hours)).unwrap();
        let hours = if self.once_in(60) { -1 } else { hours };
        (now() - SignedDuration::from_hours(hours)).to_string()
    }

    fn maybe(&mut self, value: impl Into<Value>) -> Value {
        if self.once_in(4) { Value::Null } else { value.into() }
    }
}

fn now() -> Timestamp {
    "2026-06-03T10:00:00Z".parse().unwrap()
}

fn digest(letter: &str) -> String {
    format!("sha256:{}", letter.repeat(64))
}

const PLACES: [&str; 3] = ["development", "staging", "production"];
const PEOPLE: [&str; 4] = ["ann", "ben", "cleo", "dora"];

fn random_facts(r: &mut Random) -> Facts {
    let mut facts = acme::facts();
    let (from, to) = (*r.of(&PLACES), *r.of(&PLACES));
    let owners = if r.once_in(6) { json!([]) } else { json!(["ben"]) };
    facts["transition"] = json!({
        "kind": r.of(&["promotion", "promotion", "release", "rollback"]),
        "from": {"name": from, "order": r.below(3), "owners": ["ann"]},
        "to": {"name": to, "order": r.below(3), "owners": owners},
    });
    if r.once_in(5) {
        facts["workspace"]["single_operator"] = "a small shop".into();
    }
    let kinds = ["page", "query", "data-source", "component"];
    let actions = ["create", "update", "delete", "match", "skip"];
    facts["plan"]["changes"] = r.list(12, |r| {
        json!({
            "object": format!("o-{}", r.below(99)), "kind": r.of(&kinds), "name": "n", "action": r.of(&actions),
        })
    });
    facts["plan"]["authors"] = r.list(2, |r| (*r.of(&PEOPLE)).into());
    facts["plan"]["sources"] = r.list(3, |r| {
        json!({
            "id": "s", "name": "s", "kind": "tooljet/postgresql", "owned_by_target": [], "endpoints": [],
            "tls": r.of(&[json!(true), json!(true), json!(true), json!(false), json!(null)]), "missing_slots": [],
        })
    });
    facts["plan"]["credentials"] = r.list(2, |r| {
        let set_at = r.moment(24 * 100);
        let shared = if r.once_in(5) { json!(["production"]) } else { json!([]) };
        json!({"source": "s", "slot": "password", "reference": "secret://a/b", "set_at": r.maybe(set_at), "shared_with": shared})
    });
    facts["plan"]["still_pointing_at_source"] =
        r.list(1, |r| json!({"object": "o", "at": "/a", "value": "v", "environment": r.of(&PLACES)}));
    let secret = json!({"object": "o", "at": "/a", "what": "a key", "state": "clear"});
    let datum = json!({"object": "o", "at": "/a", "pattern": "iban", "sample": "…"});
    facts["scan"] = json!({
        "scanner": "1",
        "secrets": if r.once_in(4) { json!([secret]) } else { json!([]) },
        "personal_data": if r.once_in(4) { json!([datum]) } else { json!([]) },
    });
    facts["evidence"] = r.list(4, |r| {
        let payload = if r.once_in(5) {
            json!("other")
        } else {
            json!({"tests": {
                "suite": r.of(&["unit", "e2e"]), "executed": r.below(30), "failed": r.below(4) / 3, "errors": r.below(8) / 7,
                "skipped": r.below(3),
            }})
        };
        let name = r.maybe("ci");
        json!({
            "id": digest("1"), "predicate_type": "https://sluice.dev/tests/v1", "environment": r.of(&[from, from, from, to]),
            "bundle": r.of(&[json!(digest("b")), json!(digest("b")), json!(digest("b")), json!(digest("d")), json!(null)]),
            "claimed_at": r.moment(24 * 8), "received_at": r.moment(24 * 8), "issuer": {"key": "k", "name": name},
            "payload": payload,
        })
    });
    facts["approvals"] = r.list(4, |r| {
        let roles = r.list(2, |r| (*r.of(&["qa", "ops", "builder"])).into());
        let plan = if r.once_in(5) { digest("f") } else { digest("a") };
        json!({"person": r.of(&PEOPLE), "roles": roles, "plan": plan, "at": r.moment(24 * 34)})
    });
    facts["history"] = r.list(6, |r| {
        json!({
            "kind": r.of(&["promotion", "promotion", "promotion", "rollback"]), "environment": r.of(&[to, to, to, from]),
            "at": r.moment(24 * 100), "version": "1", "bundle": digest("7"), "by": "ann",
            "outcome": r.of(&["done", "done", "done", "rolled-back", "failed"]), "objects": r.below(4),
        })
    });
    facts["plugins"] = r.list(2, |r| {
        let until = ["2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2026-06-03T10:00:00Z"];
        let (until, publisher) = (*r.of(&until), r.maybe("ben"));
        json!({
            "digest": digest("e"), "name": "sql", "version": "1", "publisher": publisher, "certified_by": "cleo",
            "certified_until": r.maybe(until), "is_revoked": r.once_in(8),
        })
    });
    let frozen = json!({"when": {"from": "2026-06-03T09:00:00Z", "until": "2026-06-03T11:00:00Z"}});
    facts["calendars"] = json!([{
        "name": if r.once_in(12) { "holidays" } else { "releases" },
        "windows": {
            "known": {"from": "2026-06-01T00:00:00Z", "until": if r.once_in(9) { "2026-06-03T10:00:00Z" } else { "2026-07-01T00:00:00Z" }},
            "open": [{"from": "2026-06-03T08:00:00Z", "until": r.of(&["2026-06-03T10:00:00Z", "2026-06-03T16:00:00Z"])}],
            "frozen": if r.once_in(4) { json!([frozen]) } else { json!([]) },
        },
    }]);
    for gathered in ["scan", "evidence", "approvals", "history", "plugins", "calendars"] {
        if r.once_in(20) {
            facts.as_object_mut().unwrap().remove(gathered);
        }
    }
    serde_json::from_value(facts).unwrap()
}

/// What a rule comes to, by the worst of what it says.
fn worst(all: &[(bool, Verdict)]) -> Verdict {
    all.iter().filter(|(holds, _)| *holds).map(|(_, verdict)| *verdict).max().unwrap_or(Verdict::Pass)
}

const NOT_GATHERED: Verdict = Verdict::Undecided;

/// Older than so many days; nothing for a moment after now.
fn is_older(at: Timestamp, days: i64) -> Option<bool> {
    (at <= now()).then(|| now().duration_since(at) > SignedDuration::from_hours(24 * days))
}

fn reference(rule: &str, facts: &Facts) -> Verdict {
    let plan = &facts.plan;
    let transition = &facts.transition;
    match rule {
        "deletions" => {
            let deleted =
                plan.changes.iter().filter(|c| c.action.as_str() == "delete" && c.kind.as_str() != "page");
            worst(&[(deleted.count() > 2, Verdict::Deny)])
        }
        "sources-kept" => {
            let lost = |c: &&sluice_policy::facts::Change| {
                c.kind.as_str() == "data-source" && ["delete", "skip"].contains(&c.action.as_str())
            };
            worst(&[(plan.changes.iter().any(|c| lost(&c)), Verdict::Deny)])
        }
        "encrypted" => {
            let tls: Vec<_> = plan.sources.iter().map(|source| source.tls).collect();
            worst(&[(tls.contains(&Some(false)), Verdict::Deny), (tls.contains(&None), Verdict::Undecided)])
        }
        "tested" => tested(facts),
        "four-eyes" => four_eyes(facts),
        "open-now" => window(facts, true),
        "credentials" => {
            let mut found = [(false, Verdict::Undecided), (false, Verdict::Deny), (false, Verdict::Fault)];
            for credential in &plan.credentials {
                match credential.set_at.map(|at| is_older(at, 90)) {
                    None => found[0].0 = true,
                    Some(Some(is_old)) => found[1].0 |= is_old,
                    Some(None) => found[2].0 = true,
                }
                found[1].0 |= !credential.shared_with.is_empty();
            }
            worst(&found)
        }
        "usual" => {
            let Some(history) = &facts.history else { return NOT_GATHERED };
            let mut objects: Vec<u64> = Vec::new();
            for past in history {
                let stands = past.outcome == PastOutcome::Done && past.kind == TransitionKind::Promotion;
                if stands && past.environment == transition.to.name {
                    objects.push(past.objects);
                }
            }
            objects.sort_unstable();
            let changed =
                plan.changes.iter().filter(|c| !["match", "skip"].contains(&c.action.as_str())).count();
            let is_unusual = objects.len() >= 3 && changed as u64 > 4 * objects[(objects.len() - 1) / 2];
            worst(&[(is_unusual, Verdict::Deny)])
        }
        "certified" => {
            let Some(plugins) = &facts.plugins else { return NOT_GATHERED };
            let is_good = |plugin: &sluice_policy::facts::Plugin| {
                plugin.publisher.is_some()
                    && !plugin.is_revoked
                    && plugin.certified_until.is_some_and(|until| until > now())
            };
            worst(&[(!plugins.iter().all(is_good), Verdict::Deny)])
        }
        "clean" => {
            let Some(scan) = &facts.scan else { return NOT_GATHERED };
            let left_over =
                plan.still_pointing_at_source.iter().any(|v| v.environment == transition.from.name);
            let is_clean = scan.secrets.is_empty() && scan.personal_data.is_empty() && !left_over;
            worst(&[(!is_clean, Verdict::Deny)])
        }
        "next-step" => {
            let is_next =
                transition.to.order == transition.from.order + 1 && !transition.to.owners.is_empty();
            worst(&[(transition.kind != TransitionKind::Rollback && !is_next, Verdict::Deny)])
        }
        "pack test-evidence" => test_evidence(facts),
        "pack release-window" => window(facts, false),
        "pack approvals" => approvals(facts),
        other => panic!("no reference for {other}"),
    }
}

/// The reports of tests of this bundle from where it comes from.
fn reports(facts: &Facts) -> Option<Vec<(&Evidence, &sluice_policy::facts::Tests)>> {
    let evidence = facts.evidence.as_ref()?.iter();
    let reports = evidence.filter_map(|evidence| match &evidence.payload {
        Payload::Tests(tests) => Some((evidence, tests)),
        _ => None,
    });
    let ours = |evidence: &Evidence| {
        evidence.bundle == Some(facts.plan.bundle)
            && evidence.environment == facts.transition.from.name
            && evidence.issuer.name.is_some()
    };
    Some(reports.filter(|(evidence, _)| ours(evidence)).collect())
}

/// The newest report, or nothing where some report is of the future.
fn newest<'f>(
    reports: &[(&'f Evidence, &'f sluice_policy::facts::Tests)],
) -> Option<(Timestamp, &'f sluice_policy::facts::Tests)> {
    let mut newest: Option<(Timestamp, &sluice_policy::facts::Tests)> = None;
    for (evidence, tests) in reports {
        if evidence.claimed_at.max(evidence.received_at) > now() {
            return None;
        }
        let at = evidence.claimed_at.min(evidence.received_at);
        if newest.is_none_or(|(so_far, _)| at > so_far) {
            newest = Some((at, tests));
        }
    }
    newest
}

fn tested(facts: &Facts) -> Verdict {
    let Some(reports) = reports(facts) else { return NOT_GATHERED };
    if reports.is_empty() {
        return Verdict::Undecided;
    }
    let Some((at, tests)) = newest(&reports) else { return Verdict::Fault };
    let is_bad = tests.failed + tests.errors > 0 || tests.executed < 10 || is_older(at, 7) == Some(true);
    worst(&[(is_bad, Verdict::Deny)])
}

fn test_evidence(facts: &Facts) -> Verdict {
    let Some(reports) = reports(facts) else { return NOT_GATHERED };
    if reports.is_empty() {
        return Verdict::Undecided;
    }
    let suites: BTreeSet<&str> = reports.iter().map(|(_, tests)| tests.suite.as_str()).collect();
    let mut executed = 0;
    let mut is_bad = false;
    for suite in suites {
        let of_suite: Vec<_> = reports.iter().filter(|(_, tests)| tests.suite == suite).copied().collect();
        let Some((at, tests)) = newest(&of_suite) else { return Verdict::Fault };
        executed += tests.executed;
        is_bad |= tests.failed + tests.errors > 0 || is_older(at, 7) == Some(true);
    }
    worst(&[(is_bad || executed == 0, Verdict::Deny)])
}

fn four_eyes(facts: &Facts) -> Verdict {
    let Some(given) = &facts.approvals else { return NOT_GATHERED };
    let mut people = BTreeSet::new();
    for approval in given {
        if approval.plan != facts.plan.digest || facts.plan.authors.contains(&approval.person) {
            continue;
        }
        match is_older(approval.at, 3) {
            None => return Verdict::Fault,
            Some(true) => {}
            Some(false) => {
                people.insert(&approval.person);
            }
        }
    }
    worst(&[(people.len() < 2, Verdict::Undecided)])
}

/// One of quality assurance and another of operations, neither an author.
fn approvals(facts: &Facts) -> Verdict {
    let Some(given) = &facts.approvals else { return NOT_GATHERED };
    let ours: Vec<_> = given.iter().filter(|approval| approval.plan == facts.plan.digest).collect();
    if ours.iter().any(|approval| approval.at > now()) {
        return Verdict::Fault;
    }
    if facts.workspace.single_operator.is_some() {
        // The facts have three people.
        return Verdict::Deny;
    }
    let counts = |approval: &&&sluice_policy::facts::Approval| {
        is_older(approval.at, 30) == Some(false) && !facts.plan.authors.contains(&approval.person)
    };
    let ours: Vec<_> = ours.iter().filter(counts).collect();
    let has =
        |approval: &sluice_policy::facts::Approval, role: &str| approval.roles.iter().any(|own| own == role);
    let is_filled =
        ours.iter().any(|a| ours.iter().any(|b| a.person != b.person && has(a, "qa") && has(b, "ops")));
    worst(&[(!is_filled, Verdict::Undecided)])
}

fn window(facts: &Facts, refuses_frozen: bool) -> Verdict {
    let Some(calendars) = &facts.calendars else { return NOT_GATHERED };
    let Some(calendar) = calendars.iter().find(|calendar| calendar.name == "releases") else {
        return Verdict::Fault;
    };
    let windows = &calendar.windows;
    let within = |from: Timestamp, until: Timestamp| from <= now() && now() < until;
    if !within(windows.known.from, windows.known.until) {
        return Verdict::Fault;
    }
    let is_open = windows.open.iter().any(|open| within(open.from, open.until));
    let is_frozen = windows.frozen.iter().any(|freeze| within(freeze.when.from, freeze.when.until));
    worst(&[(!is_open || (refuses_frozen && is_frozen), Verdict::Deny)])
}

/// The gates, each with the name of its reference.
fn gates(sandbox: &Sandbox) -> Vec<(String, Gate)> {
    let shipped = [
        ("test-evidence", json!({})),
        ("release-window", json!({"calendar": "releases"})),
        ("approvals", json!({"roles": {"qa": 1, "ops": 1}})),
    ];
    let packs = shipped.map(|(name, parameters)| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(name);
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
    let refusable = matches!(verdict, Verdict::Deny | Verdict::Undecided);
    match relief {
        Relief::Waiver(waiver) => {
            let holds = waiver.expires > now() && waiver.cosigned.is_some() && code == waiver.code;
            let by_level = gate.level == Level::Soft && refusable
                || gate.level == Level::Hard && verdict == Verdict::Deny && gate.waivable;
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
    assert!(all.len() >= 14, "eleven rules and three packs");
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
                _ => false,
            };
            assert_eq!(seen.contains_key(&(name.as_str(), verdict)), !never, "{name} is {verdict}");
        }
    }
    assert_eq!(outcomes.len(), 4, "{outcomes:?}");
}
