//! A process that is killed at any step leaves all as it was or all as it should be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

use sluice_engine::settings::{Binding, Filed, Setting};
use sluice_engine::state::Work;
use sluice_engine::version::CutRequest;
use sluice_engine::{Error, Workspace, audit};
use sluice_model::json::canonical_of;
use sluice_model::tree::Tree;
use sluice_model::{Digest, ObjectKind};
use sluice_vault::Secret;

use crate::stage::{MONDAY_ONE, Stage, copy, copy_folder, environment, furnishing, repository};

const CHILD: &str = "crash::the_child_that_is_killed";
const FOLDER: &str = "SLUICE_TEST_FOLDER";
const ACT: &str = "SLUICE_TEST_ACT";
const ACKNOWLEDGED: &str = "acknowledged";

/// The number of runs that `SLUICE_CRASH_RUNS` asks for; without it each act is killed once at every
/// step that it has.
fn runs_for_each_act() -> u64 {
    let asked = std::env::var("SLUICE_CRASH_RUNS").ok().and_then(|runs| runs.parse::<u64>().ok());
    asked.unwrap_or(0).div_ceil(Act::ALL.len() as u64)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Import,
    Promote,
    Rollback,
    Release,
    Cut,
    SecretConstant,
    Binding,
    AdoptBinding,
    AdoptConfig,
    Resume,
}

impl Act {
    const ALL: [Self; 9] = [
        Self::Import,
        Self::Promote,
        Self::Rollback,
        Self::Release,
        Self::Cut,
        Self::SecretConstant,
        Self::Binding,
        Self::AdoptBinding,
        Self::AdoptConfig,
    ];

    fn called(name: &str) -> Self {
        Self::ALL.into_iter().find(|act| format!("{act:?}") == name).unwrap_or(Self::Resume)
    }

    /// What must be so before the act, in a workspace that is not killed.
    fn prepare(self, stage: &Stage) {
        let workspace = &stage.workspace;
        match self {
            Self::AdoptBinding => {
                let staging = environment("staging");
                let mut work = workspace.work();
                let settings = workspace.settings(&mut work, &staging).unwrap();
                let mut sources = settings.bindings(&work).unwrap().into_keys().map(|id| id.parse().unwrap());
                let source = sources
                    .find(|id| workspace.proposal(&mut work, &staging, id).unwrap().is_some())
                    .unwrap();
                workspace.remove_setting(&stage.ada, &staging, &Setting::Binding(source)).unwrap();
            }
            Self::AdoptConfig => {
                let file = workspace.folder().join("sluice.toml");
                let text = fs::read_to_string(&file).unwrap();
                assert!(text.contains("64 MiB"));
                fs::write(&file, text.replace("64 MiB", "32 MiB")).unwrap();
            }
            _ => {}
        }
    }

    fn carry_out(self, stage: &mut Stage) -> Result<(), Error> {
        // Longer than a lease holds, so that a run after a crash waits it out.
        let wait = Duration::from_secs(120);
        match self {
            Self::Import => stage.import("development", &["tooljet/orders.json"]).map(drop),
            Self::Promote => stage.carry_out_waiting(stage.request("Orders", "staging"), wait).map(drop),
            Self::Rollback => stage.carry_out_waiting(stage.rollback("Orders", "staging"), wait).map(drop),
            Self::Release => {
                stage.carry_out_waiting(stage.release("Orders", Some("1.0"), "staging"), wait).map(drop)
            }
            Self::Cut => {
                let request = CutRequest {
                    app: "Orders".into(),
                    version: Some("3.0".into()),
                    from: Some("1.0".into()),
                    note: None,
                };
                stage.workspace.cut(&stage.ada, &request).map(drop)
            }
            Self::SecretConstant => {
                let value = Secret::new("another").unwrap();
                let name = "secrets.ANOTHER".parse().unwrap();
                stage.workspace.set_constant(&stage.ada, &environment("staging"), &name, value)
            }
            Self::Binding => {
                let staging = environment("staging");
                let mut work = stage.workspace.work();
                let settings = stage.workspace.settings(&mut work, &staging)?;
                let (source, binding) = settings.bindings(&work)?.pop_first().unwrap();
                let binding = Binding { options: serde_json::json!({}), ..binding };
                stage.workspace.set_binding(&stage.ada, &staging, &source.parse().unwrap(), binding)
            }
            Self::AdoptBinding => {
                let mut work = stage.workspace.work();
                let bound = |work: &mut Work<'_>, name: &str| -> Result<_, Error> {
                    stage.workspace.settings(work, &environment(name))?.bindings(work)
                };
                let staging = bound(&mut work, "staging")?;
                let unbound =
                    bound(&mut work, "production")?.into_keys().find(|id| !staging.contains_key(id));
                let source = unbound.unwrap().parse().unwrap();
                stage.workspace.adopt_binding(&stage.ada, &environment("staging"), &source)
            }
            Self::AdoptConfig => {
                let candidate = stage.workspace.proposed()?;
                stage.workspace.adopt(&stage.ada, candidate).map(drop)
            }
            Self::Resume => stage.workspace.resume(&stage.ada).map(drop),
        }
    }
}

/// Does nothing unless a test below starts it.
#[test]
fn the_child_that_is_killed() {
    let (Ok(folder), Ok(act)) = (std::env::var(FOLDER), std::env::var(ACT)) else { return };
    let folder = Path::new(&folder);
    let act = Act::called(&act);
    let at = if act == Act::Resume { "2026-06-01T13:10:00Z" } else { MONDAY_ONE };
    let mut stage = Stage::beside(folder, u64::from(std::process::id()), at);
    act.carry_out(&mut stage).unwrap();
    let mut file = fs::File::create(folder.join(ACKNOWLEDGED)).unwrap();
    file.write_all(b"done").and_then(|()| file.sync_all()).unwrap();
}

fn child(folder: &Path, act: Act, failpoint: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--nocapture"])
        .env(FOLDER, folder)
        .env(ACT, format!("{act:?}"))
        .env("SLUICE_FAILPOINT", failpoint)
        .output()
        .unwrap()
}

/// Whether it was killed; anything but that or success is a failure of the test.
fn was_killed(output: &Output) -> bool {
    if output.status.success() {
        return false;
    }
    assert_eq!(output.status.signal(), Some(9), "{output:?}");
    true
}

/// All that counts about a workspace, without what differs between two runs of one act: salts, seals
/// and times.
#[derive(Debug, Clone, PartialEq)]
struct Snapshot {
    adopted: Digest,
    environments: Vec<[Digest; 4]>,
    settings: Vec<BTreeMap<String, String>>,
    versions: Vec<String>,
}

fn snapshot(workspace: &Workspace) -> Snapshot {
    let mut work = workspace.work();
    let app = workspace.app(&mut work, "Orders").unwrap();
    assert_eq!(app.kind, ObjectKind::App);
    let versions = workspace.versions(&app.id).unwrap().into_iter().map(|cut| cut.version).collect();
    let (mut environments, mut settings) = (Vec::new(), Vec::new());
    for name in ["development", "staging", "production"].map(environment) {
        let (_, state) = workspace.environment(&mut work, &name).unwrap();
        environments.push([state.content, state.standing, state.rendered, state.identity]);
        let root = workspace.settings(&mut work, &name).unwrap().root();
        let mut owned = BTreeMap::new();
        for (key, digest) in Tree::at(root).entries(&work).unwrap() {
            let value = match key.starts_with("secret/") {
                true => work.json::<Filed>(&digest).unwrap().version.to_string(),
                false => digest.to_string(),
            };
            owned.insert(key, value);
        }
        settings.push(owned);
    }
    let adopted = Digest::of(&canonical_of(workspace.adopted().unwrap()).unwrap());
    Snapshot { adopted, environments, settings, versions }
}

/// What the workspace is before an act, and after it.
struct Outcome {
    old: Snapshot,
    new: Snapshot,
    checkpoint: String,
}

impl Outcome {
    fn of(act: Act) -> Self {
        let mut stage = Stage::copied(2);
        let checkpoint = stage.workspace.records().newest_note().unwrap().unwrap();
        act.prepare(&stage);
        let old = snapshot(&stage.workspace);
        act.carry_out(&mut stage).unwrap();
        let new = snapshot(&stage.workspace);
        assert_ne!(old, new, "{act:?} does nothing");
        Self { old, new, checkpoint }
    }
}

/// Nothing is half done, and the ledger is whole and continues the one before.
fn check_whole(stage: &Stage, checkpoint: &str, at: &str) {
    for name in ["development", "staging", "production"].map(environment) {
        let (_, state) = stage.workspace.environment(&mut stage.workspace.work(), &name).unwrap();
        assert_eq!(state.held, None, "{at}");
        for (proposal, ended) in stage.workspace.promotions(&name).unwrap() {
            assert!(ended.is_some(), "{at}: promotion {} of `{name}` has no end", proposal.number);
        }
    }
    assert_eq!(stage.workspace.resume(&stage.ada).unwrap(), [], "{at}");
    let audited = audit::audit(&stage.store(), Some(checkpoint.as_bytes()), None);
    let audited = audited.unwrap_or_else(|error| panic!("{at}: {error}"));
    assert!(audited[0].kept && audited[0].unlogged == 0, "{at}: {audited:?}");
}

/// Kills a process that carries out an act at a failpoint, and perhaps the one that resumes it, and
/// looks at what is left. Answers whether the act came to the failpoint.
fn strike(act: Act, outcome: &Outcome, failpoint: &str, again: Option<u64>) -> bool {
    let at = format!("{act:?} at {failpoint}, then {again:?}");
    let folder = copy();
    act.prepare(&Stage::beside(folder.path(), 4, "2026-06-01T12:50:00Z"));
    let killed = was_killed(&child(folder.path(), act, failpoint));
    let acknowledged = folder.path().join(ACKNOWLEDGED).exists();
    assert_eq!(acknowledged, !killed, "{at}");
    if let Some(step) = again {
        was_killed(&child(folder.path(), Act::Resume, &format!("*:{step}")));
    }
    let mut stage = Stage::opened(folder, 3, "2026-06-01T13:20:00Z");
    let before = snapshot(&stage.workspace);
    // The next command settles it as well as a resumption does: after odd steps there is none.
    if before != outcome.old || failpoint.ends_with(['0', '2', '4', '6', '8']) {
        stage.workspace.resume(&stage.ada).unwrap();
        assert_eq!(snapshot(&stage.workspace), before, "{at}: a resumption changes content");
        check_whole(&stage, &outcome.checkpoint, &at);
    }
    if acknowledged {
        assert!(before == outcome.new, "{at}: what was acknowledged is lost");
    } else {
        assert!(before == outcome.old || before == outcome.new, "{at}: half done: {before:?}");
    }
    if before == outcome.old {
        act.carry_out(&mut stage).unwrap_or_else(|error| panic!("{at}: not again: {error}"));
        assert!(snapshot(&stage.workspace) == outcome.new, "{at}: it ends otherwise when it is done again");
        check_whole(&stage, &outcome.checkpoint, &at);
    }
    killed
}

/// Kills at the first step, the second, and so on until the act comes through; then again, with the
/// resumption killed too, for as many runs as were asked for. Answers how many steps there are.
fn sweep(act: Act) -> u64 {
    let outcome = Outcome::of(act);
    let steps = (1..).find(|step| !strike(act, &outcome, &format!("*:{step}"), None)).unwrap() - 1;
    for run in steps + 1..runs_for_each_act() {
        let step = run % steps + 1;
        strike(act, &outcome, &format!("*:{step}"), Some(run / steps + run % 7));
    }
    steps
}

#[test]
fn import() {
    assert!(sweep(Act::Import) >= 15);
}

#[test]
fn promote() {
    assert!(sweep(Act::Promote) >= 60);
}

#[test]
fn rollback() {
    assert!(sweep(Act::Rollback) >= 60);
}

#[test]
fn release() {
    assert!(sweep(Act::Release) >= 60);
}

#[test]
fn version_constant_and_binding() {
    for act in [Act::Cut, Act::SecretConstant, Act::Binding] {
        assert!(sweep(act) >= 13, "{act:?}");
    }
}

#[test]
fn adoptions() {
    for act in [Act::AdoptBinding, Act::AdoptConfig] {
        assert!(sweep(act) >= 13, "{act:?}");
    }
}

/// The first adoption is two acts: the workspace's making, and what counts in it.
#[test]
fn the_first_adoption() {
    let Stage { folder: base, workspace, .. } = Stage::unadopted(&furnishing());
    // So that the copies find the plugins compiled.
    workspace.proposed().unwrap();
    drop(workspace);
    let mut seen = BTreeSet::new();
    for step in 1.. {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(base.path(), folder.path());
        let killed = was_killed(&child(folder.path(), Act::AdoptConfig, &format!("*:{step}")));
        let mut stage = Stage::opened(folder, 3, "2026-06-01T13:20:00Z");
        let made = stage.workspace.records().head("workspace").unwrap().map_or(0, |head| head.revision);
        assert_eq!(stage.workspace.is_adopted(), made == 2, "step {step}");
        seen.insert(made);
        if made > 0 {
            audit::audit(&stage.store(), None, None).unwrap_or_else(|error| panic!("step {step}: {error}"));
        }
        Act::AdoptConfig.carry_out(&mut stage).unwrap_or_else(|error| panic!("step {step}: {error}"));
        stage.workspace.check_adopted().unwrap();
        let audited = audit::audit(&stage.store(), None, None).unwrap();
        assert_eq!((audited[0].size, audited[0].signatures), (2, 2), "step {step}");
        if !killed {
            assert_eq!(made, 2);
            break;
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_resumption_that_is_killed_is_resumed() {
    let outcome = Outcome::of(Act::Promote);
    for (failpoint, steps) in [("promote.journaled:1", [3, 17, 29]), ("promote.committed:1", [2, 9, 14])] {
        for step in steps {
            assert!(strike(Act::Promote, &outcome, failpoint, Some(step)));
        }
    }
}

/// The names of the failpoints in a crate's sources.
fn names_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names_in(&path, found);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            let calls = text.split("failpoint(\"").skip(1);
            found.extend(calls.filter_map(|call| Some(call.split_once("\")")?.0.to_owned())));
        }
    }
}

fn names() -> &'static BTreeSet<String> {
    static NAMES: OnceLock<BTreeSet<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut names = BTreeSet::new();
        for folder in ["host/engine/src", "host/store/src"] {
            names_in(&repository().join(folder), &mut names);
        }
        names
    })
}

#[test]
fn every_failpoint_kills() {
    assert!(names().len() >= 14, "{:?}", names());
    let outcomes = [Act::Import, Act::Promote].map(|act| (act, Outcome::of(act)));
    for name in names() {
        let act = if name.starts_with("import.") { 0 } else { 1 };
        let (act, outcome) = &outcomes[act];
        assert!(strike(*act, outcome, &format!("{name}:1"), None), "nothing comes to `{name}`");
    }
}
