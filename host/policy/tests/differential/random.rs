//! Facts that look random and are always the same.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sluice_policy::Facts;

use crate::acme;

/// Numbers that look random and are always the same (SplitMix64, Steele, Lea and Flood, 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn of<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }

    fn list(&mut self, most: u64, mut one: impl FnMut(&mut Self) -> Value) -> Value {
        let count = self.below(most + 1);
        (0..count).map(|_| one(self)).collect()
    }

    /// A moment some hours before now, rarely after it.
    fn moment(&mut self, most_hours: u64) -> String {
        let hours = i64::try_from(self.below(most_hours)).unwrap();
        let hours = if self.once_in(40) { -1 } else { hours };
        (now() - SignedDuration::from_hours(hours)).to_string()
    }

    /// A truth that may be unknown, and mostly is the first.
    fn truth(&mut self) -> Value {
        self.of(&[json!(true), json!(true), json!(true), json!(false), json!(null)]).clone()
    }

    fn maybe(&mut self, value: impl Into<Value>) -> Value {
        if self.once_in(4) { Value::Null } else { value.into() }
    }
}

pub(crate) fn now() -> Timestamp {
    "2026-06-03T10:00:00Z".parse().unwrap()
}

pub(crate) fn digest(letter: &str) -> String {
    format!("sha256:{}", letter.repeat(64))
}

/// Endpoints, and whether the hosts `.staging.example` and `api.example` have them.
pub(crate) const ENDPOINTS: [(&str, bool); 8] = [
    ("db.staging.example:5432", true),
    ("https://api.example/v1?x=1", true),
    ("reader@db.staging.example", true),
    ("db.staging.example:5432", true),
    ("api.example", true),
    ("evil-staging.example:1", false),
    ("staging.example", false),
    ("{{globals.host}}", false),
];

const PLACES: [&str; 3] = ["development", "staging", "production"];
const PEOPLE: [&str; 4] = ["ann", "ben", "cleo", "dora"];

pub(crate) fn random_facts(r: &mut Random) -> Facts {
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
        let kind = r.of(&["postgresql", "postgresql", "restapi", "static", "ldap"]);
        let plugin = r.of(&[json!(digest("e")), json!(digest("e")), json!(digest("f")), json!(null)]).clone();
        let slots = if r.once_in(6) { json!(["password"]) } else { json!([]) };
        json!({
            "id": format!("s-{}", r.below(3)), "name": "s", "kind": format!("tooljet/{kind}"), "plugin": plugin,
            "owned_by_target": [], "endpoints": r.list(2, |r| r.of(&ENDPOINTS).0.into()), "tls": r.truth(),
            "privileged": r.truth(), "missing_slots": slots,
        })
    });
    facts["plan"]["credentials"] = r.list(2, |r| {
        let set_at = r.moment(24 * 100);
        let shared = if r.once_in(5) { json!(["production"]) } else { json!([]) };
        json!({"source": "s", "slot": "password", "reference": "secret://a/b", "set_at": r.maybe(set_at), "shared_with": shared})
    });
    facts["plan"]["still_pointing_at_source"] =
        r.list(1, |r| json!({"object": "o", "at": "/a", "value": "v", "environment": r.of(&PLACES)}));
    facts["plan"]["bytes"] = r.of(&[json!(10), json!(2_000), json!(9_000), json!(null)]).clone();
    facts["plan"]["signer"] =
        r.of(&[json!("ann"), json!("ann"), json!("ben"), json!("cleo"), json!(null)]).clone();
    facts["transition"]["to"]["holds_production_data"] = r.once_in(2).into();
    let state = *r.of(&["clear", "provisional"]);
    let secret = json!({"object": "o", "at": "/a", "what": "a key", "state": state});
    let datum = json!({"object": "o", "at": "/a", "pattern": "iban", "sample": "…"});
    facts["scan"] = json!({
        "scanner": "1",
        "secrets": if r.once_in(4) { json!([secret]) } else { json!([]) },
        "personal_data": if r.once_in(4) { json!([datum]) } else { json!([]) },
    });
    facts["evidence"] = r.list(4, |r| {
        let payload = match r.below(9) {
            0 => json!("other"),
            1 => json!({"coverage": {"suite": "unit", "unit": "line", "total": 10, "covered": r.below(11)}}),
            2 | 3 => {
                let method = r.of(&["synthetic", "synthetic", "by-hand"]);
                json!({"masking": {"source": format!("s-{}", r.below(3)), "method": method}})
            }
            _ => json!({"tests": {
                "suite": r.of(&["unit", "e2e"]), "executed": r.below(30), "failed": r.below(4) / 3, "errors": r.below(8) / 7,
                "skipped": r.below(3),
            }}),
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
            "bytes": r.of(&[json!(100), json!(1_500), json!(null)]),
        })
    });
    facts["waivers"] = r.list(3, |r| {
        let cosigned = r.maybe("ben");
        json!({
            "code": "t.no", "is_for_bundle": false, "by": "ann", "cosigned": cosigned, "reason": "r", "ticket": "CHG-7",
            "at": "2026-06-03T09:00:00Z",
            "expires": r.of(&["2026-06-03T10:00:00Z", "2026-06-04T10:00:00Z", "2026-06-04T10:00:00Z"]),
        })
    });
    facts["plugins"] = r.list(2, |r| {
        let until = ["2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2026-06-03T10:00:00Z"];
        let (until, publisher) = (*r.of(&until), r.maybe("ben"));
        let certifier =
            r.of(&[json!("cleo"), json!("cleo"), json!("ben"), json!("dora"), json!(null)]).clone();
        let (code, name) = (*r.of(&["e", "e", "f"]), *r.of(&["sql", "sql", "http"]));
        let validated_at = r.moment(24 * 80);
        let validated_at = r.maybe(validated_at);
        json!({
            "digest": digest(code), "name": name, "version": "1", "publisher": publisher, "certified_by": certifier,
            "certified_until": r.maybe(until), "is_revoked": r.once_in(8), "conforms": r.truth(),
            "validated_at": validated_at,
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
    for gathered in ["scan", "evidence", "approvals", "waivers", "history", "plugins", "calendars"] {
        if r.once_in(20) {
            facts.as_object_mut().unwrap().remove(gathered);
        }
    }
    serde_json::from_value(facts).unwrap()
}
