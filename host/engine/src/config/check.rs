//! Gives the texts of `sluice.toml` their meaning and checks that all of it fits together.

mod plugins;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use serde_json::{Map, Number, Value};
use sluice_ledger::PublicKey;
use sluice_model::verdict::Level;
use sluice_model::{EnvironmentName, Kind};
use sluice_policy::calendar::{Calendar, Rule};

use super::error::{ConfigError, ConfigErrors, SourceText, did_you_mean, ticked};
use super::file::{
    AppTable, CalendarTable, EnvironmentTable, ExternalTable, File, GateTable, Located, PeriodTable,
    PersonTable, TransitionTable,
};
use super::names::{
    ByteSize, CalendarName, GateName, LabelName, PersonName, PolicyName, Principal, RoleName, TimeSpan,
    WorkspaceName,
};
use super::pattern::NamePattern;
use super::read::Place;
use super::transition::Transition;
use super::workspace::{
    BUILT_IN_ENVIRONMENTS, BUILT_IN_ROLES, BreakGlassRules, Config, Environment, External, Gate, Labelled,
    Person, Rules, WaiverRules,
};

/// The largest export that may be allowed: what is read must fit in memory several times.
const MOST_IMPORT: ByteSize = ByteSize::mebibytes(1024);

/// Where the parts of a configuration stand in its text.
pub(super) type Places = BTreeMap<Place, Range<usize>>;

/// The check of one file: it collects what is wrong and goes on.
pub(super) struct Check<'a> {
    source: &'a SourceText,
    errors: Vec<ConfigError>,
    places: Places,
    /// The names that others refer to.
    roles: BTreeSet<RoleName>,
    people: BTreeMap<PersonName, Person>,
    /// People whose key or roles are wrong; that they are there is not.
    unusable: BTreeSet<PersonName>,
    environments: Vec<EnvironmentName>,
    /// Whether the environments stand as they must, so that what comes next is known.
    is_ordered: bool,
    labels: BTreeSet<LabelName>,
}

impl<'a> Check<'a> {
    /// Checks the whole file.
    pub(super) fn of(source: &'a SourceText, file: &File) -> Result<(Config, Places), ConfigErrors> {
        let mut check = Self {
            source,
            errors: Vec::new(),
            places: BTreeMap::new(),
            roles: BTreeSet::new(),
            people: BTreeMap::new(),
            unusable: BTreeSet::new(),
            environments: Vec::new(),
            is_ordered: false,
            labels: BTreeSet::new(),
        };
        let config = check.config(file);
        check.errors.sort_by_key(|error| (error.span.start, error.span.end));
        match config {
            Some(config) if check.errors.is_empty() => Ok((config, check.places)),
            _ => Err(ConfigErrors(check.errors)),
        }
    }

    fn config(&mut self, file: &File) -> Option<Config> {
        let table = file.workspace.get();
        self.roles = BUILT_IN_ROLES.iter().filter_map(|role| role.parse().ok()).collect();
        for role in &table.roles {
            if let Some(name) = self.parse::<RoleName>(role)
                && !self.roles.insert(name)
            {
                let message = format!("the role `{}` is there already", role.get());
                self.wrong(role, message, "take it out: a role is named once, and some are built in");
            }
        }
        self.people(&file.person);
        let environments = self.environments(&file.environment);
        let calendars = self.calendars(&file.calendar);
        let owners = self.owners(&table.owners);
        let single_operator = self.single_operator(table.single_operator.as_ref(), &file.workspace);
        let apps = self.apps(&file.app);
        let break_glass = file.break_glass.as_ref().map(|table| self.role(&table.role));
        let transitions = self.transitions(&file.transition, &file.environment);
        let carried = self.carried(&table.carried);
        Some(Config {
            workspace: self.parse::<WorkspaceName>(&table.name)?,
            owners,
            single_operator,
            environments,
            calendars,
            apps,
            transitions,
            publishers: self.publishers(&file.publisher),
            plugins: self.plugins(&file.plugin),
            carried,
            externals: self.externals(&file.external),
            import_limit: self.import_limit(file.limits.import.as_ref()),
            plugin_limits: self.plugin_limits(&file.limits.plugins),
            waivers: WaiverRules { longest: self.longest_waiver(file.waivers.longest.as_ref()) },
            break_glass: break_glass.flatten().map(|role| BreakGlassRules { role }),
            roles: std::mem::take(&mut self.roles),
            people: std::mem::take(&mut self.people),
        })
    }

    fn wrong<T>(&mut self, at: &Located<T>, message: impl Into<String>, help: impl Into<String>) {
        self.errors.push(self.source.error(at.span(), message, help));
    }

    /// Reads a text; what is wrong with it stands before the last `: ` of its error, what to do
    /// behind.
    fn parse<T: FromStr<Err: Display>>(&mut self, text: &Located<String>) -> Option<T> {
        text.get()
            .parse()
            .map_err(|error: T::Err| {
                let error = error.to_string();
                let (message, help) = error.rsplit_once(": ").unwrap_or((&error, "write it otherwise"));
                self.wrong(text, message, help);
            })
            .ok()
    }

    /// A text for people, which must say something.
    fn reason(&mut self, text: &Located<String>, setting: &str) -> Option<String> {
        let reason = text.get().trim();
        if reason.is_empty() {
            self.wrong(text, format!("`{setting}` gives no reason"), "say why, in a sentence");
            return None;
        }
        Some(reason.to_owned())
    }

    fn people(&mut self, tables: &[Located<PersonTable>]) {
        for table in tables {
            let PersonTable { name, key, roles } = table.get();
            let mut held = BTreeSet::new();
            for role in roles {
                if let Some(role_name) = self.role(role) {
                    held.insert(role_name);
                }
            }
            let Some(person) = self.parse::<PersonName>(name) else { continue };
            let Some(public) = self.parse::<PublicKey>(key) else {
                self.unusable.insert(person);
                continue;
            };
            if let Some((other, _)) = self.people.iter().find(|(_, p)| p.key == public) {
                let message = format!("the key is that of `{other}` too");
                self.wrong(key, message, "make a key of their own with `sluice key new`");
            }
            if self.people.insert(person, Person { key: public, roles: held }).is_some() {
                let message = format!("there are two people named `{}`", name.get());
                self.wrong(name, message, "give each a name of their own");
            }
        }
    }

    /// A role that is there.
    fn role(&mut self, text: &Located<String>) -> Option<RoleName> {
        let role: RoleName = self.parse(text)?;
        if self.roles.contains(&role) {
            return Some(role);
        }
        let help = did_you_mean(role.as_str(), self.roles.iter().map(RoleName::as_str));
        self.wrong(text, format!("there is no role `{role}`"), format!("{help} others are named in `roles`"));
        None
    }

    /// A person that is there.
    fn person(&mut self, text: &Located<String>, name: &PersonName) {
        if self.people.contains_key(name) || self.unusable.contains(name) {
            return;
        }
        let help = if self.people.is_empty() {
            format!("make {name}'s key with `sluice key new`, which adds a `[[person]]`")
        } else {
            let known = did_you_mean(name.as_str(), self.people.keys().map(PersonName::as_str));
            format!("{known} a new person needs a `[[person]]` with a key")
        };
        self.wrong(text, format!("there is no person `{name}`"), help);
    }

    fn owners(&mut self, list: &Located<Vec<Located<String>>>) -> BTreeSet<Principal> {
        let mut owners = BTreeSet::new();
        for text in list.get() {
            let Some(owner) = self.parse::<Principal>(text) else { continue };
            match &owner {
                Principal::Person(name) => self.person(text, name),
                Principal::Role(role) => {
                    let is_held = self.people.values().any(|p| p.roles.contains(role));
                    if !self.roles.contains(role) {
                        let help = did_you_mean(role.as_str(), self.roles.iter().map(RoleName::as_str));
                        self.wrong(text, format!("there is no role `{role}`"), help);
                    } else if !is_held {
                        let help = format!("give `{role}` to a person, or name another owner");
                        self.wrong(text, format!("nobody holds the role `{role}`"), help);
                    }
                }
            }
            owners.insert(owner);
        }
        if list.get().is_empty() {
            self.wrong(list, "`owners` names nobody", "name a person, or `role:NAME`");
        }
        owners
    }

    fn single_operator<T>(&mut self, text: Option<&Located<String>>, at: &Located<T>) -> Option<String> {
        let count = self.people.keys().chain(&self.unusable).collect::<BTreeSet<_>>().len();
        match (text, count) {
            (Some(text), 2..) => {
                let message = format!("`single_operator` is for one person, and there are {count}");
                self.wrong(text, message, "take `single_operator` out");
            }
            (None, 1) => {
                let message = "one person alone acts in this workspace, and nothing says why";
                self.wrong(
                    at,
                    message,
                    "add `single_operator = \"REASON\"` to `[workspace]`, or a second person",
                );
            }
            _ => {}
        }
        text.and_then(|text| self.reason(text, "single_operator"))
    }

    fn environments(&mut self, tables: &[Located<EnvironmentTable>]) -> Vec<Environment> {
        let mut environments: Vec<Environment> = Vec::new();
        for table in tables {
            let EnvironmentTable { name, owners, holds_production_data, native } = table.get();
            let owners = self.owners(owners);
            let Some(parsed) = self.parse::<EnvironmentName>(name) else { continue };
            if self.environments.contains(&parsed) {
                self.wrong(name, format!("there are two environments named `{parsed}`"), "name each once");
                continue;
            }
            self.environments.push(parsed.clone());
            self.places.insert(Place::Environment(parsed.clone()), name.span());
            let native = native
                .iter()
                .filter_map(|(platform, text)| {
                    Some((platform.clone(), self.plain(text, "the platform's name of the environment")?))
                })
                .collect();
            environments.push(Environment {
                name: parsed,
                owners,
                holds_production_data: *holds_production_data,
                native,
            });
        }
        self.is_ordered = self.built_in_environments(tables);
        self.native_names(tables, &environments);
        environments
    }

    /// Whether development, staging and production are there, in this order, at their ends.
    fn built_in_environments(&mut self, tables: &[Located<EnvironmentTable>]) -> bool {
        let last = tables.last().map_or(0..0, |table| table.get().name.span());
        let positions = BUILT_IN_ENVIRONMENTS.map(|name| {
            let at = self.environments.iter().position(|e| e.as_str() == name);
            if at.is_none() {
                let message = format!("the environment `{name}` is missing");
                let help =
                    format!("add an `[[environment]]` named `{name}`: it can be neither removed nor renamed");
                self.errors.push(self.source.error(last.clone(), message, help));
            }
            at
        });
        let [Some(development), Some(staging), Some(production)] = positions else { return false };
        let order = "the order is `development`, then others and `staging`, then `production`";
        let find = |name: &str| tables.iter().find(|table| table.get().name.get() == name);
        let misplaced = [
            ("development", development != 0, "`development` is not the first environment"),
            ("staging", staging > production, "`staging` stands after `production`"),
            (
                "production",
                production + 1 != self.environments.len(),
                "`production` is not the last environment",
            ),
        ];
        for (name, is_wrong, message) in misplaced {
            if is_wrong && let Some(table) = find(name) {
                self.wrong(&table.get().name, message, format!("move it: {order}"));
            }
        }
        misplaced.iter().all(|(_, is_wrong, _)| !is_wrong)
    }

    /// Two environments cannot be one environment of a platform.
    fn native_names(&mut self, tables: &[Located<EnvironmentTable>], environments: &[Environment]) {
        for table in tables {
            for (platform, text) in &table.get().native {
                let other = environments.iter().find(|other| {
                    other.name.as_str() != table.get().name.get() && other.native_name(platform) == text.get()
                });
                if let Some(other) = other {
                    let message = format!("`{}` is `{platform}`'s name of `{}` too", text.get(), other.name);
                    let help = "give each environment a name of its own on the platform; where none is said, it is the environment's own";
                    self.wrong(text, message, help);
                }
            }
        }
    }

    /// A text of the platform's or a person's own choice.
    fn plain(&mut self, text: &Located<String>, what: &str) -> Option<String> {
        let value = text.get();
        if (1..=300).contains(&value.len()) && !value.chars().any(char::is_control) {
            return Some(value.clone());
        }
        self.wrong(text, format!("{what} is not usable"), "use 1 to 300 bytes without control characters");
        None
    }

    fn calendars(&mut self, tables: &[Located<CalendarTable>]) -> BTreeMap<CalendarName, Calendar> {
        let mut calendars = BTreeMap::new();
        for table in tables {
            let Some(name) = self.parse::<CalendarName>(&table.get().name) else { continue };
            let calendar = self.calendar(table.get());
            self.places.insert(Place::Calendar(name.clone()), table.get().name.span());
            if calendars.insert(name, calendar).is_some() {
                let message = format!("there are two calendars named `{}`", table.get().name.get());
                self.wrong(&table.get().name, message, "name each once");
            }
        }
        calendars
    }

    fn calendar(&mut self, table: &CalendarTable) -> Calendar {
        let rules = |periods: &[Located<PeriodTable>]| periods.iter().map(|p| rule(p.get())).collect();
        let whole = Calendar {
            time_zone: table.time_zone.get().clone(),
            allowed: rules(&table.allowed),
            frozen: rules(&table.frozen),
        };
        let lists = [("allowed", &table.allowed), ("frozen", &table.frozen)];
        // Period by period, so that all that is wrong comes out, and each at its place.
        let before = self.errors.len();
        let mut alone = Calendar { allowed: Vec::new(), frozen: Vec::new(), ..whole.clone() };
        if let Err(error) = alone.check() {
            let (message, help) = split(&error.problem);
            self.wrong(&table.time_zone, message, help);
            return whole;
        }
        for (_, periods) in lists {
            for period in periods {
                alone.allowed = vec![rule(period.get())];
                let Err(error) = alone.check() else { continue };
                let member = error.place.rsplit('.').next().unwrap_or_default();
                let setting = member_of(period.get(), member);
                let span = setting.map_or_else(|| period.span(), Located::span);
                let (message, help) = split(&error.problem);
                let message = match (message.starts_with('`'), message.contains("` ")) {
                    (true, true) => message.to_owned(),
                    (true, false) => format!("`{member}` cannot have {message}"),
                    (false, _) => format!("`{member}` {message}"),
                };
                self.errors.push(self.source.error(span, message, help));
            }
        }
        if table.allowed.is_empty() {
            self.wrong(
                &table.name,
                "the calendar allows no time, so it is never open",
                "add a `[[calendar.allowed]]`",
            );
        } else if self.errors.len() == before
            && let Err(error) = whole.check()
        {
            let (message, help) = split(&error.problem);
            self.wrong(&table.name, format!("`{}`: {message}", error.place), help);
        }
        whole
    }

    fn transitions(
        &mut self,
        tables: &[Located<TransitionTable>],
        environments: &[Located<EnvironmentTable>],
    ) -> BTreeMap<Transition, Rules> {
        let mut transitions: BTreeMap<Transition, Rules> = BTreeMap::new();
        let mut declared: BTreeMap<Transition, Range<usize>> = BTreeMap::new();
        let mut reasons: BTreeMap<Transition, Range<usize>> = BTreeMap::new();
        for table in tables {
            let TransitionTable { on, ungated, gate } = table.get();
            let on_here = self.on(on);
            let ungated_here = ungated.as_ref().map(|text| (text.span(), self.reason(text, "ungated")));
            let gates: Vec<_> = gate.iter().filter_map(|g| Some((g, self.gate(g.get())?))).collect();
            for (transition, span) in on_here {
                let rules = transitions.entry(transition.clone()).or_default();
                declared.entry(transition.clone()).or_insert(span);
                for (located, gate) in &gates {
                    if let Some((problem, help)) = contradiction(&rules.gates, gate) {
                        let table = located.get();
                        let span = table.name.as_ref().unwrap_or(&table.policy).span();
                        let message = format!("{problem} on `{transition}`");
                        self.errors.push(self.source.error(span, message, help));
                    }
                    let index = rules.gates.len();
                    rules.gates.push(gate.clone());
                    self.places.insert(Place::Gate(transition.clone(), index), located.get().policy.span());
                    for (name, value) in &located.get().parameters {
                        let place = Place::Parameter(transition.clone(), index, name.clone());
                        self.places.insert(place, value.span());
                    }
                }
                if let Some((span, reason)) = &ungated_here {
                    if let (Some(reason), Some(other)) = (reason, &rules.ungated)
                        && reason != other
                    {
                        let message = format!("a second reason why `{transition}` is ungated");
                        self.errors.push(self.source.error(span.clone(), message, "give one"));
                    }
                    rules.ungated = reason.clone().or(rules.ungated.take());
                    reasons.insert(transition, span.clone());
                }
            }
        }
        self.gated(&transitions, &declared, &reasons);
        if self.is_ordered {
            self.all_declared(&transitions, environments);
        }
        transitions
    }

    /// The transitions that a table is for, with their places.
    fn on(&mut self, list: &Located<Vec<Located<String>>>) -> Vec<(Transition, Range<usize>)> {
        if list.get().is_empty() {
            self.wrong(
                list,
                "`on` names no transition",
                "write `FROM -> TO`, `release ENVIRONMENT` or `rollback ENVIRONMENT`",
            );
        }
        let mut found: Vec<(Transition, Range<usize>)> = Vec::new();
        for text in list.get() {
            let Some(transition) = self.parse::<Transition>(text) else { continue };
            let is_known = match &transition {
                Transition::Promote { from, to } => {
                    let known = self.environment(text, from) && self.environment(text, to);
                    known && self.is_next(text, from, to)
                }
                Transition::Release(environment) => self.environment(text, environment),
                Transition::Rollback(environment) => {
                    let known = self.environment(text, environment);
                    let is_first = self.environments.first() == Some(environment);
                    if is_first {
                        let message = format!(
                            "nothing is promoted to `{environment}`, so nothing is rolled back there"
                        );
                        self.wrong(text, message, "take it out");
                    }
                    known && !is_first
                }
            };
            if found.iter().any(|(other, _)| *other == transition) {
                self.wrong(text, format!("`{transition}` is named twice"), "take one out");
            } else if is_known {
                found.push((transition, text.span()));
            }
        }
        found
    }

    fn is_next(&mut self, text: &Located<String>, from: &EnvironmentName, to: &EnvironmentName) -> bool {
        let at = self.environments.iter().position(|e| e == from);
        let next = at.and_then(|at| self.environments.get(at + 1));
        if next == Some(to) {
            return true;
        }
        let help = next.map_or_else(
            || format!("nothing comes after `{from}`"),
            |next| format!("promotion goes one environment at a time: `{from} -> {next}`"),
        );
        self.wrong(text, format!("`{to}` does not come next after `{from}`"), help);
        false
    }

    /// Whether the environment is there.
    fn environment(&mut self, text: &Located<String>, name: &EnvironmentName) -> bool {
        let is_known = self.environments.contains(name);
        if !is_known {
            let help = did_you_mean(name.as_str(), self.environments.iter().map(EnvironmentName::as_str));
            self.wrong(text, format!("there is no environment `{name}`"), help);
        }
        is_known
    }

    fn gate(&mut self, table: &GateTable) -> Option<Gate> {
        let level = self.level(&table.level);
        let waivable = table.waivable.as_ref().is_some_and(|waivable| *waivable.get());
        if let (Some(at), Some(level)) = (&table.waivable, level)
            && waivable
            && level != Level::Hard
        {
            let message = format!("`waivable` says nothing for a `{level}` gate");
            self.wrong(
                at,
                message,
                "take it out: it is for `hard` gates, and `soft` ones can always be waived",
            );
        }
        let apps = self.selected(table.apps.as_ref(), "apps");
        let is_every_app = table.apps.is_none() || apps.iter().any(NamePattern::is_all);
        let labels = self.selected(table.labels.as_ref(), "labels");
        let changes = self.selected(table.changes.as_ref(), "changes");
        self.labels_are_there(table.labels.as_ref());
        let name = match &table.name {
            Some(name) => self.parse::<GateName>(name),
            // Both are of one form; what is wrong with it is told of the policy.
            None => table.policy.get().parse().ok(),
        };
        let mut parameters = Map::new();
        for (name, value) in &table.parameters {
            match json(value.get()) {
                Some(json) => drop(parameters.insert(name.clone(), json)),
                None => self.wrong(value, "a number that is not finite", "write a finite number"),
            }
        }
        let policy = self.parse::<PolicyName>(&table.policy)?;
        Some(Gate {
            name: name?,
            policy,
            level: level?,
            waivable,
            apps: if is_every_app { BTreeSet::from([NamePattern::all()]) } else { apps },
            labels,
            changes,
            parameters,
        })
    }

    /// One part of a gate's selector.
    fn selected<T: FromStr<Err: Display> + Ord>(
        &mut self,
        list: Option<&Located<Vec<Located<String>>>>,
        setting: &str,
    ) -> BTreeSet<T> {
        let Some(list) = list else { return BTreeSet::new() };
        if list.get().is_empty() {
            let message = format!("`{setting}` names none, so the gate is for nothing");
            self.wrong(list, message, "leave it out to mean all");
        }
        list.get().iter().filter_map(|text| self.parse(text)).collect()
    }

    /// A gate for a label that no app has is for nothing, which is not what was meant.
    fn labels_are_there(&mut self, list: Option<&Located<Vec<Located<String>>>>) {
        for text in list.into_iter().flat_map(Located::get) {
            let Ok(label) = text.get().parse::<LabelName>() else { continue };
            if !self.labels.contains(&label) {
                let help = did_you_mean(label.as_str(), self.labels.iter().map(LabelName::as_str));
                let help = format!("{help} (an `[[app]]` gives its apps labels)");
                self.wrong(text, format!("no app has the label `{label}`"), help);
            }
        }
    }

    /// What is said of apps.
    fn apps(&mut self, tables: &[Located<AppTable>]) -> Vec<Labelled> {
        let mut apps: Vec<Labelled> = Vec::new();
        for table in tables {
            let AppTable { name, labels } = table.get();
            if labels.get().is_empty() {
                self.wrong(labels, "`labels` names none, so nothing is said of the app", "name one");
            }
            let given: BTreeSet<LabelName> =
                labels.get().iter().filter_map(|text| self.parse(text)).collect();
            self.labels.extend(given.iter().cloned());
            let Some(app) = self.parse::<NamePattern>(name) else { continue };
            if apps.iter().any(|other| other.app == app) {
                let message = format!("there are two apps named `{app}`");
                self.wrong(name, message, "put all labels into one");
            }
            apps.push(Labelled { app, labels: given });
        }
        apps.sort();
        apps
    }

    fn level(&mut self, text: &Located<String>) -> Option<Level> {
        let level = match text.get().as_str() {
            "hard" => Level::Hard,
            "soft" => Level::Soft,
            "warn" => Level::Warn,
            "audit" => Level::Audit,
            other => {
                let help = did_you_mean(other, ["hard", "soft", "warn", "audit"]);
                self.wrong(text, format!("there is no level `{other}`"), help);
                return None;
            }
        };
        Some(level)
    }

    /// Each transition has a refusing gate for every plan, or says why not.
    fn gated(
        &mut self,
        transitions: &BTreeMap<Transition, Rules>,
        declared: &BTreeMap<Transition, Range<usize>>,
        reasons: &BTreeMap<Transition, Range<usize>>,
    ) {
        for (transition, rules) in transitions {
            let is_gated = rules.gates.iter().any(Gate::stops_all);
            let (span, message, help) = match (is_gated, reasons.get(transition)) {
                (true, Some(span)) => (
                    span,
                    format!("`{transition}` is said to be ungated, but has a gate that stops every plan"),
                    "take out `ungated`, or the gate",
                ),
                (false, None) => {
                    let Some(span) = declared.get(transition) else { continue };
                    let some = rules.gates.iter().any(|gate| gate.level.refuses());
                    let message = if some {
                        format!("`{transition}` is ungated for plans that no `hard` or `soft` gate is for")
                    } else {
                        format!("`{transition}` is ungated: it has no `hard` or `soft` gate")
                    };
                    (span, message, "add such a gate for every plan, or say why not: `ungated = \"REASON\"`")
                }
                _ => continue,
            };
            self.errors.push(self.source.error(span.clone(), message, help));
        }
    }

    /// Nothing passes by default: what could take place is spoken of.
    fn all_declared(
        &mut self,
        transitions: &BTreeMap<Transition, Rules>,
        environments: &[Located<EnvironmentTable>],
    ) {
        let mut missing: Vec<(EnvironmentName, Transition)> = Vec::new();
        for (from, to) in self.environments.iter().zip(self.environments.iter().skip(1)) {
            let wanted = [
                Transition::Promote { from: from.clone(), to: to.clone() },
                Transition::Release(to.clone()),
                Transition::Rollback(to.clone()),
            ];
            missing
                .extend(wanted.into_iter().filter(|t| !transitions.contains_key(t)).map(|t| (to.clone(), t)));
        }
        for (environment, transition) in missing {
            let Some(table) = environments.iter().find(|e| e.get().name.get() == environment.as_str()) else {
                continue;
            };
            let message = format!("no `[[transition]]` is for `{transition}`");
            let help = format!("add one with `on = [\"{transition}\"]` and its gates");
            self.wrong(&table.get().name, message, help);
        }
    }

    fn carried(&mut self, list: &[Located<String>]) -> BTreeSet<Kind> {
        let mut kinds = BTreeSet::new();
        for text in list {
            let Some(kind) = self.parse::<Kind>(text) else { continue };
            self.places.insert(Place::Carried(kind.clone()), text.span());
            if !kinds.insert(kind) {
                self.wrong(text, format!("the kind `{}` is named twice", text.get()), "take one out");
            }
        }
        kinds
    }

    fn externals(&mut self, tables: &[Located<ExternalTable>]) -> Vec<External> {
        let mut externals: Vec<External> = Vec::new();
        for table in tables {
            let ExternalTable { app, object, reason, bound } = table.get();
            let bound = bound
                .iter()
                .filter_map(|(environment, id)| {
                    let parsed = self.parse::<EnvironmentName>(environment)?;
                    let is_known = self.environment(environment, &parsed);
                    Some((parsed, self.plain(id, "the platform's id")?)).filter(|_| is_known)
                })
                .collect();
            let reason = self.reason(reason, "reason");
            let (Some(app_pattern), Some(object_pattern)) =
                (self.parse::<NamePattern>(app), self.parse::<NamePattern>(object))
            else {
                continue;
            };
            let twin = externals
                .iter()
                .find(|other| other.app.overlaps(&app_pattern) && other.object.overlaps(&object_pattern));
            if let Some(twin) = twin {
                let message = format!("`{}` of `{}` is declared already", twin.object, twin.app);
                self.wrong(object, message, "let each reference have one declaration");
            }
            let Some(reason) = reason else { continue };
            externals.push(External { app: app_pattern, object: object_pattern, reason, bound });
        }
        externals.sort();
        externals
    }

    fn import_limit(&mut self, text: Option<&Located<String>>) -> ByteSize {
        let default = ByteSize::mebibytes(64);
        let Some(text) = text else { return default };
        let limit = self.parse::<ByteSize>(text).unwrap_or(default);
        if limit.bytes() == 0 || limit > MOST_IMPORT {
            let message = format!("`{limit}` cannot be the limit of an import");
            self.wrong(text, message, format!("write from 1 B to {MOST_IMPORT}"));
        }
        limit
    }

    fn longest_waiver(&mut self, text: Option<&Located<String>>) -> TimeSpan {
        let default = TimeSpan::days(7);
        let Some(text) = text else { return default };
        let longest = self.parse::<TimeSpan>(text).unwrap_or(default);
        if longest.seconds() == 0 || longest > TimeSpan::days(366) {
            let message = format!("a waiver cannot hold for `{longest}`");
            self.wrong(text, message, "write more than nothing and at most `366d`: a waiver expires");
        }
        longest
    }
}

/// Why a gate cannot stand beside others of its transition, and what to do.
fn contradiction(gates: &[Gate], gate: &Gate) -> Option<(String, &'static str)> {
    // Other parameters are tried in `audit` or `warn` beside those that refuse.
    let is_trial = |other: &Gate| {
        other.name != gate.name
            && other.level.refuses() != gate.level.refuses()
            && other.parameters != gate.parameters
    };
    let same_plans = |other: &&Gate| other.policy == gate.policy && other.selects_as(gate);
    let twin = gates.iter().filter(same_plans).find(|other| !is_trial(other));
    if let Some(twin) = twin {
        let mut differs = Vec::new();
        if twin.level != gate.level {
            differs.push("level");
        }
        if twin.waivable != gate.waivable {
            differs.push("waivable");
        }
        if twin.parameters != gate.parameters {
            differs.push("parameters");
        }
        let problem = if differs.is_empty() {
            format!("`{}` stands twice for the same plans", gate.policy)
        } else {
            format!("`{}` stands twice for the same plans with different {}", gate.policy, ticked(differs))
        };
        let help = "let them be for different plans, or take one out; other parameters are tried under another \
                    `name` in `audit` or `warn`";
        return Some((problem, help));
    }
    let twin = gates.iter().find(|other| other.name == gate.name)?;
    Some((
        format!("there are two gates named `{}`", twin.name),
        "give each a `name`; overrides and findings tell them apart by it",
    ))
}

/// The problem and, behind its colon, what to do.
fn split(problem: &str) -> (&str, &str) {
    problem.split_once(": ").unwrap_or((problem, "mend the calendar"))
}

fn rule(period: &PeriodTable) -> Rule {
    let text = |text: &Option<Located<String>>| text.as_ref().map(|text| text.get().clone());
    Rule {
        start: period.start.get().clone(),
        end: text(&period.end),
        duration: text(&period.duration),
        repeat: text(&period.repeat),
        title: text(&period.title),
    }
}

/// The setting of this name, where it was written.
fn member_of<'a>(period: &'a PeriodTable, member: &str) -> Option<&'a Located<String>> {
    match member {
        "start" => Some(&period.start),
        "end" => period.end.as_ref(),
        "duration" => period.duration.as_ref(),
        "repeat" => period.repeat.as_ref(),
        _ => None,
    }
}

/// A TOML value as JSON; dates and times become texts. `None` for a number that JSON has not.
fn json(value: &toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => Value::String(text.clone()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::Number(Number::from_f64(*number)?),
        toml::Value::Boolean(yes) => Value::Bool(*yes),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(list) => Value::Array(list.iter().map(json).collect::<Option<_>>()?),
        toml::Value::Table(table) => Value::Object(
            table.iter().map(|(name, value)| Some((name.clone(), json(value)?))).collect::<Option<_>>()?,
        ),
    })
}
