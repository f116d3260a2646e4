//! What the packs with more than one rule say in words, with parameters that narrow each of them.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::{Value, json};
use sluice_model::verdict::Verdict;
use sluice_policy::Facts;
use sluice_policy::facts::{Evidence, PastOutcome, Payload, Plugin};

use crate::random::{ENDPOINTS, digest, now};
use crate::rules::{NOT_GATHERED, is_older, worst};

pub(crate) fn data_masking_parameters() -> Value {
    json!({"max_age": "5d"})
}

pub(crate) fn data_masking(facts: &Facts) -> Verdict {
    let Some(scan) = &facts.scan else { return NOT_GATHERED };
    let plan = &facts.plan;
    let is_found = !scan.secrets.is_empty() || !scan.personal_data.is_empty();
    let Some(evidence) = &facts.evidence else {
        return worst(&[(is_found, Verdict::Deny), (true, Verdict::Undecided)]);
    };
    let is_found = is_found || !plan.still_pointing_at_source.is_empty();
    let to = &facts.transition.to;
    let mut all = vec![(is_found, Verdict::Deny)];
    for source in plan.sources.iter().filter(|_| to.holds_production_data) {
        let statements: Vec<(&Evidence, &str)> = evidence
            .iter()
            .filter(|statement| statement.environment == to.name && statement.issuer.name.is_some())
            .filter_map(|statement| match &statement.payload {
                Payload::Masking(masking) if masking.source == source.id => {
                    Some((statement, masking.method.as_str()))
                }
                _ => None,
            })
            .collect();
        if statements.iter().any(|(said, _)| said.claimed_at.max(said.received_at) > now()) {
            return Verdict::Fault;
        }
        let at = |said: &Evidence| said.claimed_at.min(said.received_at);
        // Without a statement of somebody known nothing is known of it.
        let newest = statements.iter().map(|(said, _)| at(said)).max();
        all.push((newest.is_none(), Verdict::Undecided));
        let by_hand =
            statements.iter().any(|(said, method)| Some(at(said)) == newest && *method == "by-hand");
        let is_old = newest.is_some_and(|at| is_older(at, 5) == Some(true));
        all.push((is_old || by_hand, Verdict::Deny));
    }
    worst(&all)
}

pub(crate) fn change_control_parameters() -> Value {
    json!({
        "max_objects": 8, "max_deletes": 2, "max_bytes": 5_000, "max_sources": 2,
        "kinds": ["page", "query", "component"], "least_history": 2, "factor": 2, "usual_objects": 3,
        "usual_bytes": 1_000, "hour_tolerance": 2, "max_waivers": 1,
    })
}

pub(crate) fn change_control(facts: &Facts) -> Verdict {
    let (Some(history), Some(waivers)) = (&facts.history, &facts.waivers) else { return NOT_GATHERED };
    let (plan, transition) = (&facts.plan, &facts.transition);
    let is_done = |action: &str| ["create", "update", "delete"].contains(&action);
    let changed: Vec<_> = plan.changes.iter().filter(|change| is_done(change.action.as_str())).collect();
    let deleted = changed.iter().filter(|change| change.action.as_str() == "delete").count();
    let objects = changed.len() as u64;
    let may = |kind: &str| ["page", "query", "component"].contains(&kind);
    let mut all = vec![
        (objects > 8 || deleted > 2 || plan.sources.len() > 2, Verdict::Deny),
        (plan.bytes.is_none(), Verdict::Undecided),
        (plan.bytes.is_some_and(|bytes| bytes > 5_000), Verdict::Deny),
        (changed.iter().any(|change| !may(change.kind.as_str())), Verdict::Deny),
    ];
    let held = waivers.iter().filter(|waiver| waiver.cosigned.is_some() && waiver.expires > now());
    all.push((held.count() > 1, Verdict::Deny));

    let like = |past: &&sluice_policy::facts::Past| {
        past.environment == transition.to.name
            && past.outcome == PastOutcome::Done
            && past.kind == transition.kind
    };
    let earlier: Vec<_> = history.iter().filter(like).collect();
    if earlier.len() >= 2 {
        let median = |mut of: Vec<u64>| {
            of.sort_unstable();
            of[(of.len() - 1) / 2]
        };
        all.push((
            objects > 3 && objects > 2 * median(earlier.iter().map(|e| e.objects).collect()),
            Verdict::Deny,
        ));
        let counted: Vec<u64> = earlier.iter().filter_map(|e| e.bytes).collect();
        let bytes = plan.bytes.unwrap_or_default();
        all.push((bytes > 1_000 && counted.len() >= 2 && bytes > 2 * median(counted), Verdict::Deny));
        // It is ten o'clock; two hours before and after are near.
        let hour = |at: jiff::Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).hour();
        all.push((!earlier.iter().any(|e| (8..=12).contains(&hour(e.at))), Verdict::Deny));
    }
    worst(&all)
}

pub(crate) fn data_source_hygiene_parameters() -> Value {
    json!({
        "tls_exempt_kinds": ["static"], "account_exempt_kinds": ["restapi", "static"], "max_age": "60d",
        "allowed_kinds": ["postgresql", "restapi", "static"],
        "allowed_hosts": [".staging.example", "api.example"],
    })
}

pub(crate) fn data_source_hygiene(facts: &Facts) -> Verdict {
    let plan = &facts.plan;
    let mut all = Vec::new();
    for source in &plan.sources {
        let kind = source.kind.name.as_str();
        let (networked, with_account) = (kind != "static", kind == "postgresql" || kind == "ldap");
        all.extend([
            (networked && source.tls == Some(false), Verdict::Deny),
            (networked && source.tls.is_none(), Verdict::Undecided),
            (with_account && source.privileged == Some(true), Verdict::Deny),
            (with_account && source.privileged.is_none(), Verdict::Undecided),
            (!source.missing_slots.is_empty(), Verdict::Undecided),
            (kind == "ldap", Verdict::Deny),
            (source.endpoints.is_empty(), Verdict::Undecided),
        ]);
        for endpoint in &source.endpoints {
            let (_, is_allowed) = ENDPOINTS.iter().find(|(known, _)| known == endpoint).unwrap();
            all.push((!is_allowed, Verdict::Deny));
        }
    }
    for credential in &plan.credentials {
        let age = credential.set_at.map(|at| now().duration_since(at));
        all.extend([
            (!credential.shared_with.is_empty(), Verdict::Deny),
            (age.is_none(), Verdict::Undecided),
            (age.is_some_and(|age| age > SignedDuration::from_hours(24 * 60)), Verdict::Deny),
            (age.is_some_and(|age| age.is_negative()), Verdict::Fault),
        ]);
    }
    worst(&all)
}

pub(crate) fn supply_chain_parameters() -> Value {
    json!({
        "signers": ["ann", "ben"], "signer_roles": ["builder"], "publishers": ["ben"],
        "certifiers": ["cleo", "ben"], "certifier_roles": ["ops"], "allowed": ["sql", digest("f")],
        "allow_carried": false, "validated": true, "validation_age": "60d",
    })
}

pub(crate) fn supply_chain(facts: &Facts) -> Verdict {
    let Some(plugins) = &facts.plugins else { return NOT_GATHERED };
    if plugins.iter().any(|plugin| plugin.validated_at.is_some_and(|at| at > now())) {
        return Verdict::Fault;
    }
    let plan = &facts.plan;
    let has = |person: &str, role: &str| {
        facts.people.iter().any(|one| one.name == person && one.roles.iter().any(|own| own == role))
    };
    let may_sign = |signer: &str| ["ann", "ben"].contains(&signer) && has(signer, "builder");
    let known: BTreeSet<_> = plugins.iter().map(|plugin| plugin.digest).collect();
    let mut all = vec![
        (plan.signer.is_none(), Verdict::Undecided),
        (plan.signer.as_deref().is_some_and(|signer| !may_sign(signer)), Verdict::Deny),
        (plan.sources.iter().any(|source| source.plugin.is_none()), Verdict::Deny),
        (
            plan.sources.iter().filter_map(|source| source.plugin).any(|plugin| !known.contains(&plugin)),
            Verdict::Undecided,
        ),
    ];
    let alone = facts.workspace.single_operator.is_some();
    let is_good = |plugin: &Plugin| {
        let holds = plugin.certified_until.is_some_and(|until| until > now());
        let certifier = plugin.certified_by.as_deref();
        let by_whom = certifier.is_some_and(|by| ["cleo", "ben"].contains(&by) && has(by, "ops"));
        let is_own = certifier.is_some() && certifier == plugin.publisher.as_deref();
        plugin.publisher.as_deref() == Some("ben")
            && !plugin.is_revoked
            && plugin.conforms != Some(false)
            && plugin.validated_at.is_some_and(|at| is_older(at, 60) == Some(false))
            && holds
            && by_whom
            && (alone || !is_own)
            && (plugin.name == "sql" || plugin.digest.to_string() == digest("f"))
    };
    all.push((!plugins.iter().all(is_good), Verdict::Deny));
    worst(&all)
}
