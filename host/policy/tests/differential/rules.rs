//! What each rule says in words, as loops over the facts as they lie.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sluice_model::verdict::Verdict;
use sluice_policy::Facts;
use sluice_policy::facts::{Evidence, PastOutcome, Payload, TransitionKind};

use crate::packs;
use crate::random::now;

/// What a rule comes to, by the worst of what it says.
pub(crate) fn worst(all: &[(bool, Verdict)]) -> Verdict {
    all.iter().filter(|(holds, _)| *holds).map(|(_, verdict)| *verdict).max().unwrap_or(Verdict::Pass)
}

pub(crate) const NOT_GATHERED: Verdict = Verdict::Undecided;

/// Older than so many days; nothing for a moment after now.
pub(crate) fn is_older(at: Timestamp, days: i64) -> Option<bool> {
    (at <= now()).then(|| now().duration_since(at) > SignedDuration::from_hours(24 * days))
}

pub(crate) fn reference(rule: &str, facts: &Facts) -> Verdict {
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
        "pack data-masking" => packs::data_masking(facts),
        "pack change-control" => packs::change_control(facts),
        "pack data-source-hygiene" => packs::data_source_hygiene(facts),
        "pack supply-chain" => packs::supply_chain(facts),
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
        let Some((at, _)) = newest(&of_suite) else { return Verdict::Fault };
        // Of those at the same moment the worst counts.
        let last = of_suite.iter().filter(|(said, _)| said.claimed_at.min(said.received_at) == at);
        let last: Vec<_> = last.map(|(_, tests)| tests).collect();
        executed += last.iter().map(|tests| tests.executed).min().unwrap_or_default();
        is_bad |= last.iter().any(|tests| tests.failed + tests.errors > 0) || is_older(at, 7) == Some(true);
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
