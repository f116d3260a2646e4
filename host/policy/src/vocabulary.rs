//! The names by which policies read facts: a versioned contract (`api = 1`).
//!
//! One table per type of fact. From the tables come the getters, the fields that `where` takes,
//! and the documentation. A name that is here once keeps its meaning under this API version.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use crate::facts::{
    App, Approval, Change, Credential, Environment, Evidence, Facts, Leftover, NamedWindows, Past, Payload,
    Person, PersonalDatum, Plan, Plugin, Scan, SecretFound, Source, Transition, Waiver, Workspace,
};

/// The version of the names in this module.
pub const API: u32 = 1;

/// A value of a field.
pub(crate) enum Cell<'f> {
    /// There is none here.
    Missing,
    Text(Cow<'f, str>),
    Integer(u64),
    Truth(bool),
    Moment(Timestamp),
    Length(SignedDuration),
    Texts(&'f [String]),
    /// Asking is a fault, for this reason.
    Fault(String),
}

impl<'f> Cell<'f> {
    fn text(text: &'f str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    fn owned(text: impl ToString) -> Self {
        Self::Text(Cow::Owned(text.to_string()))
    }

    fn optional<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Missing, cell)
    }
}

/// A field of a type of fact.
pub(crate) struct Field<I: 'static> {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    /// Whether [`Cell::Missing`] is one of its values.
    pub(crate) may_be_missing: bool,
    pub(crate) get: for<'f> fn(&'f I, &'f Facts) -> Cell<'f>,
}

/// A type of fact that policies can name: where its items lie, and what they have.
pub(crate) trait Fact: Send + Sync + Clone + Copy + 'static {
    type Item: 'static;
    /// What one is called in messages and documentation.
    const NAME: &'static str;
    const DOC: &'static str;
    const FIELDS: &'static [Field<Self::Item>];
    /// How many there are; `None` where they were not gathered.
    fn count(facts: &Facts) -> Option<usize>;
    fn item(facts: &Facts, index: usize) -> Option<&Self::Item>;
}

/// A documented name, for reference pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Documented {
    /// The type of fact, such as `change`.
    pub of: &'static str,
    /// The getter's name, or nothing for the type itself.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// Whether there may be none.
    pub may_be_missing: bool,
}

macro_rules! fact {
    (@may_be_missing optional) => { true };
    (@may_be_missing) => { false };
    (
        $(#[doc = $doc:literal])+
        $marker:ident: $item:ty = $name:literal, $count:expr, $at:expr,
        { $($field:ident $($optional:ident)?: $fdoc:literal = $get:expr;)* }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $marker;

        impl Fact for $marker {
            type Item = $item;
            const NAME: &'static str = $name;
            const DOC: &'static str = concat!($($doc),+);
            const FIELDS: &'static [Field<Self::Item>] = &[
                $(Field {
                    name: stringify!($field),
                    doc: $fdoc,
                    may_be_missing: fact!(@may_be_missing $($optional)?),
                    get: $get,
                }),*
            ];
            fn count(facts: &Facts) -> Option<usize> {
                let count: fn(&Facts) -> Option<usize> = $count;
                count(facts)
            }
            fn item(facts: &Facts, index: usize) -> Option<&Self::Item> {
                let at: fn(&Facts, usize) -> Option<&$item> = $at;
                at(facts, index)
            }
        }
    };
}

fact! {
    /// The tenant.
    WorkspaceFact: Workspace = "workspace", |_| Some(1), |f, _| Some(&f.workspace), {
        name: "text: its name" = |w, _| Cell::text(&w.name);
        is_single_operator: "truth: whether the configuration declares that one person alone acts here"
            = |w, _| Cell::Truth(w.single_operator.is_some());
        single_operator optional: "text: why, or missing" = |w, _| Cell::optional(w.single_operator.as_deref(), Cell::text);
    }
}

fact! {
    /// What happens; its environments are `from` and `to`.
    TransitionFact: Transition = "transition", |_| Some(1), |f, _| Some(&f.transition), {
        kind: "text: `promotion`, `release` or `rollback`" = |t, _| Cell::text(t.kind.as_str());
    }
}

fact! {
    /// An environment of the transition.
    EnvironmentFact: Environment = "environment", |_| Some(2),
    |f, i| match i { 0 => Some(&f.transition.from), 1 => Some(&f.transition.to), _ => None }, {
        name: "text: its name" = |e, _| Cell::text(e.name.as_str());
        order: "integer: its place in the order of promotion, from 0" = |e, _| Cell::Integer(e.order.into());
        owners: "list of text: the people who own it" = |e, _| Cell::Texts(&e.owners);
        holds_production_data: "truth: whether its data are, or are copies of, production data"
            = |e, _| Cell::Truth(e.holds_production_data);
    }
}

fact! {
    /// The app that is promoted.
    AppFact: App = "app", |_| Some(1), |f, _| Some(&f.app), {
        id: "text: its logical id" = |a, _| Cell::text(a.id.as_str());
        name: "text: what people call it" = |a, _| Cell::text(&a.name);
        platform: "text: the platform it is built with" = |a, _| Cell::text(&a.platform);
        labels: "list of text: what the configuration says of it, such as `payments`" = |a, _| Cell::Texts(&a.labels);
    }
}

fact! {
    /// What would be done; its lists are `changes`, `sources`, `credentials` and
    /// `still_pointing_at_source`.
    PlanFact: Plan = "plan", |_| Some(1), |f, _| Some(&f.plan), {
        digest: "text: the digest that approvals name" = |p, _| Cell::owned(p.digest);
        bundle: "text: the digest that evidence names" = |p, _| Cell::owned(p.bundle);
        version: "text: the version's name" = |p, _| Cell::text(&p.version);
        baseline: "text: the digest of the revisions that the plan touches" = |p, _| Cell::owned(p.baseline);
        authors: "list of text: the people who cut the version, whose imports changed what it holds since the version before, or who carry the plan out" = |p, _| Cell::Texts(&p.authors);
        unchanged: "integer: how many objects stand in the target as they are" = |p, _| Cell::Integer(p.unchanged);
        bytes optional: "integer: canonical bytes of what is created and updated, or missing"
            = |p, _| Cell::optional(p.bytes, Cell::Integer);
        cut_at optional: "moment: when the version was cut, or missing" = |p, _| Cell::optional(p.cut_at, Cell::Moment);
        age optional: "duration: from when the version was cut to now, or missing; a time in the future is a fault"
            = |p, f| Cell::optional(p.cut_at, |at| since(at, f, "the version is"));
        signer optional: "text: the person whose signature on the bundle holds, or missing"
            = |p, _| Cell::optional(p.signer.as_deref(), Cell::text);
    }
}

fact! {
    /// What is done to one object.
    ChangeFact: Change = "change", |f| Some(f.plan.changes.len()), |f, i| f.plan.changes.get(i), {
        object: "text: the object's logical id" = |c, _| Cell::text(c.object.as_str());
        kind: "text: `app`, `page`, `query`, `data-source`, …" = |c, _| Cell::text(c.kind.as_str());
        name: "text: what people call it" = |c, _| Cell::text(&c.name);
        action: "text: `create`, `update`, `match`, `delete` or `skip`" = |c, _| Cell::text(c.action.as_str());
        bytes optional: "integer: canonical bytes of its content after, or missing"
            = |c, _| Cell::optional(c.bytes, Cell::Integer);
    }
}

fact! {
    /// A data source as it would be in the target.
    SourceFact: Source = "source", |f| Some(f.plan.sources.len()), |f, i| f.plan.sources.get(i), {
        id: "text: its logical id" = |s, _| Cell::text(s.id.as_str());
        name: "text: what people call it" = |s, _| Cell::text(&s.name);
        kind: "text: the platform's name of its kind, such as `postgresql`" = |s, _| Cell::text(&s.kind.name);
        is_carried: "truth: whether it is used without a plugin" = |s, _| Cell::Truth(s.plugin.is_none());
        plugin optional: "text: the digest of the plugin that rendered it, or missing"
            = |s, _| Cell::optional(s.plugin, Cell::owned);
        endpoints: "list of text: the hosts, URLs or buckets that it reaches" = |s, _| Cell::Texts(&s.endpoints);
        tls optional: "truth: whether the connection is encrypted, or missing" = |s, _| Cell::optional(s.tls, Cell::Truth);
        account optional: "text: the account it signs in with, or missing"
            = |s, _| Cell::optional(s.account.as_deref(), Cell::text);
        privileged optional: "truth: whether that account may do everything, or missing"
            = |s, _| Cell::optional(s.privileged, Cell::Truth);
        public_access optional: "truth: whether anybody may read what it connects to, or missing"
            = |s, _| Cell::optional(s.public_access, Cell::Truth);
        reachable optional: "truth: whether its target answered the newest probe of it as it is rendered here, or missing"
            = |s, _| Cell::optional(s.probe.as_ref().and_then(|p| p.reachable), Cell::Truth);
        authenticated optional: "truth: whether its target took the credentials then, or missing"
            = |s, _| Cell::optional(s.probe.as_ref().and_then(|p| p.authenticated), Cell::Truth);
        probe_age optional: "duration: from that probe to now, or missing; a time in the future is a fault"
            = |s, f| Cell::optional(s.probe.as_ref(), |p| since(p.at, f, "the probe is"));
        missing_slots: "integer: how many secret slots have no value in the target"
            = |s, _| Cell::Integer(s.missing_slots.len() as u64);
    }
}

fact! {
    /// A secret reference in a slot of a data source; no policy sees the value.
    CredentialFact: Credential = "credential",
    |f| Some(f.plan.credentials.len()), |f, i| f.plan.credentials.get(i), {
        source: "text: the data source's logical id" = |c, _| Cell::text(c.source.as_str());
        slot: "text: the slot" = |c, _| Cell::owned(&c.slot);
        reference: "text: where the value lies" = |c, _| Cell::text(&c.reference);
        set_at optional: "moment: when the value was last set, or missing" = |c, _| Cell::optional(c.set_at, Cell::Moment);
        age optional: "duration: from then to now, or missing; a time in the future is a fault"
            = |c, f| Cell::optional(c.set_at, |at| since(at, f, "the credential is"));
        is_reused: "truth: whether another environment has the very same value"
            = |c, _| Cell::Truth(!c.shared_with.is_empty());
        shared_with: "list of text: the environments that have it" = |c, _| Cell::Texts(&c.shared_with);
    }
}

fact! {
    /// A plugin that rendered a data source of the plan.
    PluginFact: Plugin = "plugin", |f| f.plugins.as_ref().map(Vec::len), |f, i| f.plugins.as_ref()?.get(i), {
        digest: "text: the component's digest" = |p, _| Cell::owned(p.digest);
        name: "text: what it calls itself" = |p, _| Cell::text(&p.name);
        version: "text: its version" = |p, _| Cell::text(&p.version);
        is_signed: "truth: whether a publisher of the configuration signed it"
            = |p, _| Cell::Truth(p.publisher.is_some());
        publisher optional: "text: who, or missing" = |p, _| Cell::optional(p.publisher.as_deref(), Cell::text);
        is_certified: "truth: whether it is certified now and not revoked"
            = |p, f| Cell::Truth(!p.is_revoked && p.certified_until.is_some_and(|until| f.now < until));
        certified_by optional: "text: who certified it last, or missing"
            = |p, _| Cell::optional(p.certified_by.as_deref(), Cell::text);
        certified_until optional: "moment: until when, or missing" = |p, _| Cell::optional(p.certified_until, Cell::Moment);
        is_revoked: "truth: whether it was revoked" = |p, _| Cell::Truth(p.is_revoked);
        conforms optional: "truth: whether it conformed when the conformance suite was last run on it, or missing"
            = |p, _| Cell::optional(p.conforms, Cell::Truth);
        validation_age optional: "duration: from when the suite was last run on it to now, or missing; a time in the future is a fault"
            = |p, f| Cell::optional(p.validated_at, |at| since(at, f, "the validation is"));
    }
}

fact! {
    /// An earlier transition of this app.
    PastFact: Past = "past transition", |f| f.history.as_ref().map(Vec::len), |f, i| f.history.as_ref()?.get(i), {
        kind: "text: `promotion`, `release` or `rollback`" = |p, _| Cell::text(p.kind.as_str());
        environment: "text: the environment that it changed" = |p, _| Cell::text(p.environment.as_str());
        version: "text: the version's name" = |p, _| Cell::text(&p.version);
        bundle: "text: the bundle's digest" = |p, _| Cell::owned(p.bundle);
        is_this_bundle: "truth: whether it is this plan's bundle" = |p, f| Cell::Truth(p.bundle == f.plan.bundle);
        by: "text: who ran it" = |p, _| Cell::text(&p.by);
        outcome: "text: `done`, `rolled-back`, `failed` or `refused`" = |p, _| Cell::text(p.outcome.as_str());
        objects: "integer: how many objects it created, updated or deleted" = |p, _| Cell::Integer(p.objects);
        bytes optional: "integer: canonical bytes of what it created and updated, or missing"
            = |p, _| Cell::optional(p.bytes, Cell::Integer);
        at: "moment: when" = |p, _| Cell::Moment(p.at);
        hour: "integer: the hour of the day, from 0 to 23, in UTC" = |p, _| Cell::Integer(hour_of(p.at));
        age: "duration: from then to now; a time in the future is a fault"
            = |p, f| since(p.at, f, "the past transition is");
    }
}

fact! {
    /// An exception to one finding code for this app or bundle in the target.
    WaiverFact: Waiver = "waiver", |f| f.waivers.as_ref().map(Vec::len), |f, i| f.waivers.as_ref()?.get(i), {
        code: "text: the finding's code" = |w, _| Cell::text(&w.code);
        is_for_bundle: "truth: whether it is for this bundle alone" = |w, _| Cell::Truth(w.is_for_bundle);
        by: "text: who gave it" = |w, _| Cell::text(&w.by);
        cosigned optional: "text: who signed too, or missing" = |w, _| Cell::optional(w.cosigned.as_deref(), Cell::text);
        reason: "text: why" = |w, _| Cell::text(&w.reason);
        ticket: "text: where that is written down" = |w, _| Cell::text(&w.ticket);
        at: "moment: when it was given" = |w, _| Cell::Moment(w.at);
        age: "duration: from then to now; a time in the future is a fault" = |w, f| since(w.at, f, "the waiver is");
        expires: "moment: when it ends" = |w, _| Cell::Moment(w.expires);
        holds: "truth: whether it is signed twice and has not expired"
            = |w, f| Cell::Truth(w.cosigned.is_some() && f.now < w.expires);
    }
}

fact! {
    /// An environment of the workspace, in the order of promotion.
    PlaceFact: Environment = "environment of the workspace",
    |f| Some(f.environments.len()), |f, i| f.environments.get(i), {
        name: "text: its name" = |e, _| Cell::text(e.name.as_str());
        order: "integer: its place in the order of promotion, from 0" = |e, _| Cell::Integer(e.order.into());
        owners: "list of text: the people who own it" = |e, _| Cell::Texts(&e.owners);
        holds_production_data: "truth: whether its data are, or are copies of, production data"
            = |e, _| Cell::Truth(e.holds_production_data);
    }
}

fact! {
    /// A value that still points at an environment below the target.
    LeftoverFact: Leftover = "leftover",
    |f| Some(f.plan.still_pointing_at_source.len()), |f, i| f.plan.still_pointing_at_source.get(i), {
        object: "text: the object's logical id" = |l, _| Cell::text(l.object.as_str());
        at: "text: JSON pointer into its content" = |l, _| Cell::owned(&l.at);
        value: "text: the host, URL or id" = |l, _| Cell::text(&l.value);
        environment: "text: the environment whose value it is" = |l, _| Cell::text(l.environment.as_str());
    }
}

fact! {
    /// What scanners found in what the bundle carries; its lists are `secrets` and `personal_data`.
    ScanFact: Scan = "scan", |f| f.scan.as_ref().map(|_| 1), |f, _| f.scan.as_ref(), {
        scanner: "text: version of the rules by which was looked" = |s, _| Cell::text(&s.scanner);
    }
}

fact! {
    /// A secret, or what looks like one, in what the bundle carries.
    SecretFact: SecretFound = "secret",
    |f| f.scan.as_ref().map(|s| s.secrets.len()), |f, i| f.scan.as_ref()?.secrets.get(i), {
        object: "text: the object's logical id" = |s, _| Cell::text(s.object.as_str());
        at: "text: JSON pointer into its content" = |s, _| Cell::owned(&s.at);
        what: "text: what sort of secret" = |s, _| Cell::text(&s.what);
        state: "text: `clear` or `provisional`" = |s, _| Cell::text(s.state.as_str());
    }
}

fact! {
    /// What looks like data of a person in what the bundle carries.
    PersonalFact: PersonalDatum = "personal datum",
    |f| f.scan.as_ref().map(|s| s.personal_data.len()), |f, i| f.scan.as_ref()?.personal_data.get(i), {
        object: "text: the object's logical id" = |p, _| Cell::text(p.object.as_str());
        at: "text: JSON pointer into its content" = |p, _| Cell::owned(&p.at);
        pattern: "text: the pattern that it meets" = |p, _| Cell::text(&p.pattern);
        sample: "text: the find with all but its ends masked" = |p, _| Cell::text(&p.sample);
    }
}

/// The time from a moment to now; one in the future faults, because then some clock is wrong.
fn since(at: Timestamp, facts: &Facts, what: &str) -> Cell<'static> {
    if at > facts.now {
        return Cell::Fault(format!("{what} dated {at}, which is after now ({})", facts.now));
    }
    Cell::Length(facts.now.duration_since(at))
}

/// The hour of the day in UTC, from 0.
pub(crate) fn hour_of(at: Timestamp) -> u64 {
    u64::try_from(at.as_second().rem_euclid(86_400) / 3_600).unwrap_or_default()
}

/// The age of a statement: from the older of its claimed and received time.
fn age(evidence: &Evidence, facts: &Facts) -> Cell<'static> {
    let newest = evidence.claimed_at.max(evidence.received_at);
    if newest > facts.now {
        return Cell::Fault(format!(
            "the evidence {} is dated {newest}, which is after now ({}): set the clock right where it was made",
            evidence.id, facts.now
        ));
    }
    Cell::Length(facts.now.duration_since(evidence.claimed_at.min(evidence.received_at)))
}

fn tests(evidence: &Evidence, value: fn(&crate::facts::Tests) -> u64) -> Cell<'_> {
    match &evidence.payload {
        Payload::Tests(tests) => Cell::Integer(value(tests)),
        _ => Cell::Missing,
    }
}

fact! {
    /// A signed statement about a bundle or about an environment's data.
    EvidenceFact: Evidence = "evidence",
    |f| f.evidence.as_ref().map(Vec::len), |f, i| f.evidence.as_ref()?.get(i), {
        id: "text: the statement's digest" = |e, _| Cell::owned(e.id);
        kind: "text: `tests`, `coverage`, `acceptance`, `performance`, `masking` or `other`" = |e, _| Cell::text(e.payload.kind());
        predicate_type: "text: the in-toto predicate type" = |e, _| Cell::text(&e.predicate_type);
        bundle optional: "text: the digest of the bundle it is about, or missing"
            = |e, _| Cell::optional(e.bundle, Cell::owned);
        is_for_plan: "truth: whether it is about this plan's bundle"
            = |e, f| Cell::Truth(e.bundle == Some(f.plan.bundle));
        environment: "text: where it was produced, or whose data it is about"
            = |e, _| Cell::text(e.environment.as_str());
        claimed_at: "moment: when its issuer says it was produced" = |e, _| Cell::Moment(e.claimed_at);
        received_at: "moment: when Sluice got it" = |e, _| Cell::Moment(e.received_at);
        age: "duration: from the older of both times to now; a time in the future is a fault" = age;
        issuer_key: "text: the id of the key that signed it" = |e, _| Cell::text(&e.issuer.key);
        issuer_is_known: "truth: whether somebody in the configuration has that key"
            = |e, _| Cell::Truth(e.issuer.name.is_some());
        issuer optional: "text: who has that key, or missing" = |e, _| Cell::optional(e.issuer.name.as_deref(), Cell::text);
        suite optional: "text: of tests and coverage, the suite, else missing" = |e, _| match &e.payload {
            Payload::Tests(tests) => Cell::text(&tests.suite),
            Payload::Coverage(coverage) => Cell::text(&coverage.suite),
            _ => Cell::Missing,
        };
        executed optional: "integer: of tests, how many ran, else missing" = |e, _| tests(e, |t| t.executed);
        failed optional: "integer: of tests, how many failed, else missing" = |e, _| tests(e, |t| t.failed);
        errors optional: "integer: of tests, how many broke, else missing" = |e, _| tests(e, |t| t.errors);
        skipped optional: "integer: of tests, how many were left out, else missing" = |e, _| tests(e, |t| t.skipped);
        source optional: "text: of masking, the data source's logical id, else missing" = |e, _| match &e.payload {
            Payload::Masking(masking) => Cell::text(masking.source.as_str()),
            _ => Cell::Missing,
        };
        unit optional: "text: of coverage, what is counted, such as `line`, else missing" = |e, _| match &e.payload {
            Payload::Coverage(coverage) => Cell::text(&coverage.unit),
            _ => Cell::Missing,
        };
        covered_hundredths optional: "integer: of coverage, the share that ran in hundredths of a percent, rounded down, else missing"
            = |e, _| match &e.payload {
                Payload::Coverage(coverage) => Cell::Integer(coverage.hundredths()),
                _ => Cell::Missing,
            };
        scope optional: "text: of an acceptance, what was looked at, else missing" = |e, _| match &e.payload {
            Payload::Acceptance(acceptance) => Cell::text(&acceptance.scope),
            _ => Cell::Missing,
        };
        accepted optional: "truth: of an acceptance, whether it was accepted, else missing" = |e, _| match &e.payload {
            Payload::Acceptance(acceptance) => Cell::Truth(acceptance.accepted),
            _ => Cell::Missing,
        };
        measure optional: "text: of performance, what was measured, else missing" = |e, _| match &e.payload {
            Payload::Performance(performance) => Cell::text(&performance.measure),
            _ => Cell::Missing,
        };
        samples optional: "integer: of performance, how many times, else missing" = |e, _| match &e.payload {
            Payload::Performance(performance) => Cell::Integer(performance.samples),
            _ => Cell::Missing,
        };
        p95_ms optional: "integer: of performance, the 95th percentile in milliseconds, else missing"
            = |e, _| match &e.payload {
                Payload::Performance(performance) => Cell::Integer(performance.p95_ms),
                _ => Cell::Missing,
            };
        method optional: "text: of masking, how, else missing" = |e, _| match &e.payload {
            Payload::Masking(masking) => Cell::text(&masking.method),
            _ => Cell::Missing,
        };
    }
}

fact! {
    /// A person's consent to a plan digest.
    ApprovalFact: Approval = "approval",
    |f| f.approvals.as_ref().map(Vec::len), |f, i| f.approvals.as_ref()?.get(i), {
        person: "text: who" = |a, _| Cell::text(&a.person);
        roles: "list of text: the roles that the person has" = |a, _| Cell::Texts(&a.roles);
        plan: "text: the digest of the plan consented to" = |a, _| Cell::owned(a.plan);
        is_for_plan: "truth: whether it is for this plan" = |a, f| Cell::Truth(a.plan == f.plan.digest);
        is_by_author: "truth: whether the person is one of the plan's authors"
            = |a, f| Cell::Truth(f.plan.authors.contains(&a.person));
        ticket optional: "text: the change record that the person names, or missing"
            = |a, _| Cell::optional(a.ticket.as_deref(), Cell::text);
        at: "moment: when" = |a, _| Cell::Moment(a.at);
        age: "duration: from then to now; a time in the future is a fault"
            = |a, f| since(a.at, f, "the approval is");
    }
}

fact! {
    /// A person of the workspace.
    PersonFact: Person = "person", |f| Some(f.people.len()), |f, i| f.people.get(i), {
        name: "text: the name in the configuration" = |p, _| Cell::text(&p.name);
        roles: "list of text: the roles" = |p, _| Cell::Texts(&p.roles);
    }
}

/// Beyond what was expanded nothing may be taken for granted.
fn within<'f>(windows: &NamedWindows, facts: &Facts, cell: impl FnOnce() -> Cell<'f>) -> Cell<'f> {
    if windows.windows.known.holds(facts.now) {
        cell()
    } else {
        Cell::Fault(format!(
            "the calendar `{}` is known from {} until {} only, not at {}",
            windows.name, windows.windows.known.from, windows.windows.known.until, facts.now
        ))
    }
}

fact! {
    /// A named calendar.
    CalendarFact: NamedWindows = "calendar",
    |f| f.calendars.as_ref().map(Vec::len), |f, i| f.calendars.as_ref()?.get(i), {
        name: "text: its name" = |c, _| Cell::text(&c.name);
        is_open: "truth: whether it is open now"
            = |c, f| within(c, f, || Cell::Truth(c.windows.is_open(f.now) == Some(true)));
        opens optional: "moment: when it is next open, now if it is, or missing if not within what is known"
            = |c, f| within(c, f, || Cell::optional(c.windows.next_opening(f.now), Cell::Moment));
        closes optional: "moment: when the window that is open now closes, or missing"
            = |c, f| within(c, f, || Cell::optional(c.windows.closes(f.now), Cell::Moment));
        is_frozen: "truth: whether a freeze holds now"
            = |c, f| within(c, f, || Cell::Truth(c.windows.freeze(f.now).is_some()));
        freeze optional: "text: what people call that freeze, or missing" = |c, f| within(c, f, || {
            Cell::optional(c.windows.freeze(f.now), |freeze| Cell::text(freeze.title.as_deref().unwrap_or("a freeze")))
        });
        frozen_until optional: "moment: when that freeze ends, or missing"
            = |c, f| within(c, f, || Cell::optional(c.windows.freeze(f.now), |freeze| Cell::Moment(freeze.when.until)));
        known_until: "moment: up to when the calendar is known" = |c, _| Cell::Moment(c.windows.known.until);
    }
}

/// Every fact, field and function with its documentation, for reference pages.
#[must_use]
pub fn reference() -> Vec<Documented> {
    fn of<F: Fact>(all: &mut Vec<Documented>) {
        all.push(Documented { of: F::NAME, name: "", doc: F::DOC.trim(), may_be_missing: false });
        all.extend(F::FIELDS.iter().map(|field| Documented {
            of: F::NAME,
            name: field.name,
            doc: field.doc,
            may_be_missing: field.may_be_missing,
        }));
    }
    let mut all = Vec::new();
    of::<WorkspaceFact>(&mut all);
    of::<TransitionFact>(&mut all);
    of::<EnvironmentFact>(&mut all);
    of::<AppFact>(&mut all);
    of::<PlanFact>(&mut all);
    of::<ChangeFact>(&mut all);
    of::<SourceFact>(&mut all);
    of::<CredentialFact>(&mut all);
    of::<LeftoverFact>(&mut all);
    of::<ScanFact>(&mut all);
    of::<SecretFact>(&mut all);
    of::<PersonalFact>(&mut all);
    of::<EvidenceFact>(&mut all);
    of::<ApprovalFact>(&mut all);
    of::<WaiverFact>(&mut all);
    of::<PastFact>(&mut all);
    of::<PluginFact>(&mut all);
    of::<PlaceFact>(&mut all);
    of::<PersonFact>(&mut all);
    of::<CalendarFact>(&mut all);
    let functions = crate::api::FUNCTION_DOCS.iter();
    all.extend(functions.map(|(name, doc)| Documented { of: "function", name, doc, may_be_missing: false }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    /// Fields that are not declared to be missing at times are there.
    fn all_there<F: Fact>(facts: &Facts) {
        for item in (0..F::count(facts).unwrap_or_default()).map(|index| F::item(facts, index).unwrap()) {
            for field in F::FIELDS.iter().filter(|field| !field.may_be_missing) {
                assert!(!matches!((field.get)(item, facts), Cell::Missing), "{}.{}", F::NAME, field.name);
            }
        }
    }

    #[test]
    fn only_what_is_declared_so_is_missing() {
        let mut bare = samples::facts();
        for (list, names) in [
            ("/plan/sources", ["plugin", "tls", "account"].as_slice()),
            ("/plan/sources", &["privileged"]),
            ("/plan/changes", &["bytes"]),
            ("/plan/credentials", &["set_at"]),
            ("/approvals", &["ticket"]),
            ("/waivers", &["cosigned"]),
            ("/history", &["bytes"]),
            ("/plugins", &["publisher", "certified_by", "certified_until", "validated_at", "conforms"]),
        ] {
            for entry in bare.pointer_mut(list).unwrap().as_array_mut().unwrap() {
                entry.as_object_mut().unwrap().retain(|name, _| !names.contains(&name.as_str()));
            }
        }
        bare["plan"]
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !["bytes", "cut_at", "signer"].contains(&name.as_str()));
        for facts in [samples::facts(), bare] {
            let facts: Facts = serde_json::from_value(facts).unwrap();
            all_there::<WorkspaceFact>(&facts);
            all_there::<TransitionFact>(&facts);
            all_there::<EnvironmentFact>(&facts);
            all_there::<AppFact>(&facts);
            all_there::<PlanFact>(&facts);
            all_there::<ChangeFact>(&facts);
            all_there::<SourceFact>(&facts);
            all_there::<CredentialFact>(&facts);
            all_there::<ScanFact>(&facts);
            all_there::<EvidenceFact>(&facts);
            all_there::<ApprovalFact>(&facts);
            all_there::<WaiverFact>(&facts);
            all_there::<PastFact>(&facts);
            all_there::<PluginFact>(&facts);
            all_there::<PlaceFact>(&facts);
            all_there::<PersonFact>(&facts);
        }
    }

    #[test]
    fn what_may_be_missing_says_so() {
        for documented in reference().iter().filter(|documented| documented.of != "function") {
            let says = documented.doc.contains("or missing") || documented.doc.contains("else missing");
            assert_eq!(documented.may_be_missing, says, "{}.{}", documented.of, documented.name);
        }
    }
}
