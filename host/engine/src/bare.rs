//! What can be judged away from a workspace's store: a plan's file by the facts that it carries, and
//! an export for which there is no plan yet.
//!
//! Both read the configuration and the packs as they lie in the folder. Whether those were adopted,
//! only the store knows.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use sluice_model::closure::closure;
use sluice_model::verdict::Place;
use sluice_model::{Digest, EnvironmentName, LogicalId, Object, ObjectKind, Pointer, json};
use sluice_platform::{InFile, InputFile, NativeKey, Places};
use sluice_plugin::Host;
use sluice_policy::facts::{self, Facts, ReadyFacts, TransitionKind};
use sluice_policy::{Decided, Decision, Input, Pack, ReplayError, Sandbox};

use crate::config::{AppNames, Config, Transition};
use crate::error::{Error, Result};
use crate::files::{check_gates, load_plugins, load_policies, read_files};
use crate::gates;
use crate::identity::{self, IdentityMap};
use crate::import::slot_rules;
use crate::plan::Plan;
use crate::scan;
use crate::workspace::POLICIES;

/// What came of an export for which there is no plan.
pub struct Judged {
    /// What people call the app.
    pub app: String,
    /// Where it would go.
    pub to: EnvironmentName,
    /// What the gates say that can.
    pub decided: Decided,
    /// The gates that were not asked, each with the fact that it needs.
    pub not_judged: Vec<(String, String)>,
    /// Where in the files what findings are about stands.
    pub places: BTreeMap<(String, Option<Pointer>), InFile>,
}

/// Asks the gates of a promotion out of the first environment about an app in an export, as far as
/// the export tells what they need. The folder's plugins, which `host` runs, say where secrets hide.
///
/// # Errors
/// When the configuration, a pack, a plugin or the export cannot be read, or it is not said which
/// of its apps is meant.
pub fn judge_export(
    folder: &Path,
    host: &Host,
    sandbox: &Sandbox,
    files: &[InputFile],
    app: Option<&str>,
    to: Option<&EnvironmentName>,
    now: Timestamp,
) -> Result<Judged> {
    let (document, candidate) = read_files(folder)?;
    let content = candidate.content();
    let policies = load_policies(sandbox, &candidate.adopted, &content)?;
    check_gates(&document, &policies)?;
    let config = &candidate.adopted.config;
    let plugins = load_plugins(host, &candidate.adopted, &content)?;
    let (from, to) = way(config, to)?;

    let limit = usize::try_from(config.import_limit.bytes()).unwrap_or(usize::MAX);
    let native = sluice_platform::read(files, limit)?;
    let platform = native.format().platform.as_str().to_owned();
    let known = identity::resolve(&native.survey(), &IdentityMap::default(), &[], None, &BTreeSet::new())?;
    let called = config
        .environment(&from)
        .map_or_else(|| from.to_string(), |first| first.native_name(&platform).to_owned());
    let places = native.places(&called);
    let decoded = native.decode(&known.ids, &slot_rules(&plugins), &called)?;
    let app = app_of(&decoded.objects, app)?;
    let finds = of_app(&decoded.objects, &app.id)?.into_iter().flat_map(|object| {
        // Whose word dismissed a find, only the store knows.
        scan::look(object, Digest::of(b""), &|_| Digest::of(b""))
    });

    let names = AppNames::new(&app.id, [app.name.as_str()]);
    let facts = Facts {
        now,
        last_entry: None,
        workspace: gates::workspace_fact(config),
        transition: facts::Transition {
            kind: TransitionKind::Promotion,
            from: gates::environment_fact(config, &from),
            to: gates::environment_fact(config, &to),
        },
        app: facts::App {
            id: app.id.clone(),
            name: app.name.clone(),
            platform,
            labels: config.labels_of(&names).iter().map(ToString::to_string).collect(),
        },
        plan: no_plan(),
        scan: Some(gates::scan_fact(finds, &|_, _, _| false)),
        evidence: None,
        approvals: None,
        waivers: None,
        history: None,
        plugins: None,
        environments: gates::environment_facts(config),
        people: gates::people_facts(config),
        calendars: Some(gates::calendar_facts(config, now)?),
        time_zones: sluice_policy::calendar::time_zone_release().to_owned(),
        not_gathered: vec!["plan".to_owned()],
    };
    let transition = Transition::Promote { from, to: to.clone() };
    let (gates, ungated) = gates::gates_for(config, &policies, &transition, &app.id, &names)?;
    let mut not_judged: Vec<(String, String)> = Vec::new();
    let mut asked = Vec::new();
    for gate in gates {
        // Whether a plan has the changes that a gate is for, no export tells.
        if !gate.spec().selector.changes.is_empty() {
            not_judged.push((gate.spec().name.clone(), "plan".to_owned()));
            continue;
        }
        if let Some(fact) = gate.missing_fact(&facts) {
            not_judged.push((gate.spec().name.clone(), fact.to_owned()));
        }
        asked.push(gate);
    }
    let ready = ReadyFacts::new(Arc::new(facts))
        .map_err(|e| Error::invalid(e.to_string(), "set the clock of this machine right"))?;
    let decided = sandbox.decide(&asked, &ready, &[], ungated.as_deref());
    let places = locate(&decided.decision, &decoded.objects, &known.ids, &places, files);
    Ok(Judged { app: app.name.clone(), to, decided, not_judged, places })
}

/// Where in the files of an export the objects stand that findings name.
fn locate(
    decision: &Decision,
    objects: &[Object],
    ids: &BTreeMap<NativeKey, LogicalId>,
    places: &Places,
    files: &[InputFile],
) -> BTreeMap<(String, Option<Pointer>), InFile> {
    let keys: BTreeMap<&str, &NativeKey> = ids.iter().map(|(key, id)| (id.as_str(), key)).collect();
    let mut names: BTreeMap<&str, Option<&LogicalId>> = BTreeMap::new();
    for object in objects {
        // A name that several have says nothing.
        names.entry(&object.name).and_modify(|id| *id = None).or_insert(Some(&object.id));
    }
    let key_of = |named: &str| {
        let by_name = || keys.get(names.get(named).copied().flatten()?.as_str());
        keys.get(named).or_else(by_name).copied()
    };
    let root = Pointer::root();
    let mut wanted: Vec<(&Place, &NativeKey)> = Vec::new();
    for place in decision.places() {
        wanted.extend(key_of(&place.object).map(|key| (place, key)));
    }
    let asked: Vec<_> =
        wanted.iter().map(|(place, key)| (*key, place.at.as_ref().unwrap_or(&root))).collect();
    let found = places.locate(files, &asked);
    let located = wanted
        .iter()
        .zip(found)
        .filter_map(|((place, _), found)| Some(((place.object.clone(), place.at.clone()), found?)));
    located.collect()
}

/// Makes the decision on a plan that its file carries the input of, with the packs of a folder.
///
/// # Errors
/// When the input is not of this plan, a pack is not there, or the input cannot be judged.
pub fn judge_input(folder: &Path, sandbox: &Sandbox, plan: &Plan, input: &Input) -> Result<Decided> {
    let changed = |what: &str| {
        let message = format!("the plan's file was changed since it was written: {what}");
        Err(Error::invalid(message, "plan again, and take the new file"))
    };
    if json::digest(&plan.core()?) != plan.digest {
        return changed("its digest is not that of the plan in it");
    }
    if input.facts.plan.digest != plan.digest {
        return changed("it carries the facts of another plan");
    }
    let carried = input
        .gates
        .iter()
        .map(|gate| (&gate.name, gate.pack, gate.level, gate.waivable, &gate.parameters, &gate.selector));
    let planned = plan
        .gates
        .iter()
        .map(|gate| (&gate.name, gate.pack, gate.level, gate.waivable, &gate.parameters, &gate.selector));
    if !carried.eq(planned) {
        return changed("it carries other gates than those of the plan");
    }
    let wanted: BTreeSet<Digest> = input.gates.iter().map(|gate| gate.pack).collect();
    let mut packs = BTreeMap::new();
    let policies = folder.join(POLICIES);
    for entry in std::fs::read_dir(&policies).map_err(Error::file(&policies))? {
        let path = entry.map_err(Error::file(&policies))?.path();
        if !path.is_dir() {
            continue;
        }
        // A pack that is wrong, and none of those that are wanted, is no matter here.
        let Ok(pack) = Pack::read(&path) else { continue };
        if wanted.contains(&pack.digest()) {
            packs.insert(pack.digest(), sandbox.compile(pack)?);
        }
    }
    sandbox.replay(input, |digest| packs.get(digest).cloned()).map_err(|error| match error {
        ReplayError::PackMissing { gate, pack } => Error::NotFound {
            what: "pack",
            named: pack.short(),
            help: format!(
                "gate `{gate}` asked the pack with this digest: put that state of it into `{}`, or plan again",
                policies.display()
            ),
        },
        error => Error::invalid(error.to_string(), "plan again, and take the new file"),
    })
}

/// The first environment, and the one that is meant.
fn way(config: &Config, to: Option<&EnvironmentName>) -> Result<(EnvironmentName, EnvironmentName)> {
    let mut names = config.environments.iter().map(|environment| &environment.name);
    let (Some(first), Some(second)) = (names.next(), names.next()) else {
        return Err(Error::invalid("there is no environment to promote to", "add one to `sluice.toml`"));
    };
    match to {
        Some(to) if to != second => Err(Error::invalid(
            format!("what an export holds goes from `{first}` to `{second}`, not to `{to}`"),
            format!("leave `--to` out, or say `--to {second}`"),
        )),
        _ => Ok((first.clone(), second.clone())),
    }
}

/// The app of an export that is meant: by name or id, or its only one.
fn app_of<'o>(objects: &'o [Object], named: Option<&str>) -> Result<&'o Object> {
    let apps: Vec<&Object> = objects.iter().filter(|object| object.kind == ObjectKind::App).collect();
    let list = || apps.iter().map(|app| format!("`{}`", app.name)).collect::<Vec<_>>().join(", ");
    let meant: Vec<&&Object> = apps
        .iter()
        .filter(|app| named.is_none_or(|named| app.name == named || app.id.as_str() == named))
        .collect();
    match (meant.as_slice(), named) {
        ([one], _) => Ok(one),
        ([], Some(named)) => Err(Error::NotFound {
            what: "app of the export",
            named: named.to_owned(),
            help: format!("its apps are {}", list()),
        }),
        ([], None) => {
            Err(Error::invalid("the export holds no app", "give an export of an app: gates are about apps"))
        }
        _ => {
            Err(Error::invalid("the export holds several apps", format!("name one with `--app`: {}", list())))
        }
    }
}

/// The objects of an app and all that they reference.
fn of_app<'o>(objects: &'o [Object], app: &LogicalId) -> Result<Vec<&'o Object>> {
    let by_id: BTreeMap<&LogicalId, &Object> = objects.iter().map(|object| (&object.id, object)).collect();
    let found = closure::<Error>(
        [app.clone()],
        |id| Ok(by_id.get(id).map(|object| Cow::Borrowed(*object))),
        |unit| {
            let owned = objects.iter().filter(|object| object.unit.as_ref() == Some(unit));
            Ok(owned.map(|object| object.id.clone()).collect())
        },
    )?;
    Ok(objects.iter().filter(|object| found.members.contains(&object.id)).collect())
}

/// What stands in the place of a plan where there is none.
fn no_plan() -> facts::Plan {
    let nothing = Digest::of(b"");
    facts::Plan {
        digest: nothing,
        bundle: nothing,
        version: String::new(),
        baseline: nothing,
        authors: Vec::new(),
        changes: Vec::new(),
        unchanged: 0,
        bytes: None,
        cut_at: None,
        signer: None,
        sources: Vec::new(),
        credentials: Vec::new(),
        still_pointing_at_source: Vec::new(),
    }
}
