//! A workspace on a stage: a clock that is set by hand, people with keys, samples to import.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use sluice_engine::ambient::Ambient;
use sluice_engine::attest::About;
use sluice_engine::config::{self, RoleName};
use sluice_engine::import::{ImportReport, ImportRequest};
use sluice_engine::plan::{Plan, PlanRequest, Wanted};
use sluice_engine::promote::{PromoteReport, PromoteRequest};
use sluice_engine::version::{CutRequest, ManageRequest};
use sluice_engine::workspace::Furnishing;
use sluice_engine::{Actor, Error, Home, Workspace};
use sluice_ledger::key::KeyPair;
use sluice_model::verdict::Verdict;
use sluice_model::{ConstantName, Digest, EnvironmentName, ObjectKind};
use sluice_platform::InputFile;
use sluice_policy::Decision;
use sluice_vault::Secret;
use zeroize::Zeroizing;

/// A clock and a die that tests hold in their hands. Every look moves the clock by a millisecond.
pub struct Hand {
    now: AtomicI64,
    die: AtomicU64,
}

impl Hand {
    /// Two hands with different seeds throw different dice, as two processes do.
    pub fn new(seed: u64, at: &str) -> Arc<Self> {
        let die = AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let hand = Self { now: AtomicI64::new(0), die };
        hand.set(at);
        Arc::new(hand)
    }

    pub fn set(&self, at: &str) {
        let at: Timestamp = at.parse().unwrap();
        self.now.store(at.as_millisecond(), Ordering::SeqCst);
    }
}

impl Ambient for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now.fetch_add(1, Ordering::SeqCst)).unwrap()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.now.fetch_add(1, Ordering::SeqCst).unsigned_abs())
    }

    fn random(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        for byte in buffer {
            // An LCG (Knuth's MMIX constants): any bytes do, as long as they differ.
            let next =
                self.die.load(Ordering::SeqCst).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            self.die.store(next, Ordering::SeqCst);
            *byte = (next >> 33) as u8;
        }
        Ok(())
    }

    fn pause(&self, at_most: Duration) {
        self.now.fetch_add(at_most.as_millis() as i64, Ordering::SeqCst);
    }
}

/// A Monday at noon, within the template's working hours.
pub const MONDAY_NOON: &str = "2026-06-01T12:00:00Z";

/// An hour later: whoever opens a workspace that was made at noon does it after that.
pub const MONDAY_ONE: &str = "2026-06-01T13:00:00Z";

/// A value for a secret that nothing depends on.
pub const NOT_A_SECRET: &str = "not-a-real-secret";

pub struct Stage {
    pub folder: tempfile::TempDir,
    pub hand: Arc<Hand>,
    pub workspace: Workspace,
    pub ada: Actor,
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn sample(path: &str) -> InputFile {
    let file = repository().join("tests/samples").join(path);
    let bytes = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    InputFile { name: path.rsplit('/').next().unwrap().to_owned(), bytes }
}

pub fn environment(name: &str) -> EnvironmentName {
    EnvironmentName::new(name).unwrap()
}

fn files_under(folder: &Path, at: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let at = if at.is_empty() { name } else { format!("{at}/{name}") };
        if path.is_dir() {
            files_under(&path, &at, found);
        } else {
            found.insert(at, std::fs::read(&path).unwrap());
        }
    }
}

pub fn furnishing() -> Furnishing {
    let mut policies = BTreeMap::new();
    files_under(&repository().join("policies"), "", &mut policies);
    let mut plugins = BTreeMap::new();
    for name in ["sql", "http", "object-storage"] {
        let file = repository().join("target/plugins").join(format!("{name}.wasm"));
        let bytes = std::fs::read(&file)
            .unwrap_or_else(|_| panic!("`{}` is not there: run `cargo xtask build-plugins`", file.display()));
        plugins.insert(format!("{name}.wasm"), bytes);
    }
    Furnishing { policies, plugins }
}

/// The one person of most stages, whose key every process of a test knows.
pub fn ada() -> Actor {
    Actor { name: "ada".into(), key: KeyPair::from_seed(&Zeroizing::new([7; 32])) }
}

impl Stage {
    /// A new workspace of one person, adopted.
    pub fn new() -> Self {
        Self::furnished(&furnishing())
    }

    /// The same with other policies or plugins in its folder.
    pub fn furnished(furnishing: &Furnishing) -> Self {
        let mut stage = Self::unadopted(furnishing);
        let candidate = stage.workspace.proposed().unwrap();
        stage.workspace.adopt(&stage.ada, candidate).unwrap();
        stage
    }

    /// A new workspace of which nothing counts yet.
    pub fn unadopted(furnishing: &Furnishing) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hand = Hand::new(1, MONDAY_NOON);
        let place = folder.path().join("workspace");
        std::fs::create_dir(&place).unwrap();
        let home = Home::at(folder.path().join("home"));
        let workspace = Workspace::init(&place, "orders", &home, furnishing, hand.clone()).unwrap();
        let ada = ada();
        put(&place, &ada, &["builder", "approver", "release-manager"]);
        Self { folder, hand, workspace, ada }
    }

    /// 1.0 of the sample app stands in staging; 2.0 is cut and tested, and nothing is in its way.
    pub fn promoted() -> Self {
        let stage = Self::new();
        stage.import("development", &["tooljet/orders.json"]).unwrap();
        stage.manage("Orders");
        stage.dismiss_suspicions();
        stage.cut("1.0");
        stage.furnish("Orders", &["staging", "production"]);
        stage.test("Orders", "development", "staging");
        stage.promote("Orders", "staging").unwrap();
        stage.import("development", &["tooljet/orders-changed.json"]).unwrap();
        stage.dismiss_suspicions();
        stage.cut("2.0");
        stage.test("Orders", "development", "staging");
        stage
    }

    /// A copy of [`Stage::promoted`], opened by a process of its own, as it were. `seed` sets its
    /// die.
    pub fn copied(seed: u64) -> Self {
        Self::opened(copy(), seed, MONDAY_ONE)
    }

    /// The workspace in a folder that holds one.
    pub fn opened(folder: tempfile::TempDir, seed: u64, at: &str) -> Self {
        let (workspace, hand) = open(folder.path(), seed, at).unwrap();
        Self { folder, hand, workspace, ada: ada() }
    }

    /// The workspace in a folder that belongs to another process.
    pub fn beside(folder: &Path, seed: u64, at: &str) -> Self {
        let (workspace, hand) = open(folder, seed, at).unwrap();
        let nothing = tempfile::tempdir().unwrap();
        Self { folder: nothing, hand, workspace, ada: ada() }
    }

    /// A second person with these roles comes in, and this text into the configuration.
    pub fn with_ben(&mut self, roles: &[&str], more: &str) -> Actor {
        let ben = Actor { name: "ben".into(), key: KeyPair::from_seed(&Zeroizing::new([8; 32])) };
        put(&self.place(), &ben, roles);
        self.configure(|text| {
            let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("single_operator")).collect();
            format!("{}\n{more}\n", lines.join("\n"))
        });
        ben
    }

    /// Changes the configuration, and adopts it.
    pub fn configure(&mut self, change: impl FnOnce(String) -> String) {
        let file = self.place().join("sluice.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, change(text)).unwrap();
        let candidate = self.workspace.proposed().unwrap();
        self.workspace.adopt(&self.ada, candidate).unwrap();
    }

    /// Carries out the newest promotion of an app as somebody else.
    pub fn promote_as(&self, actor: &Actor, app: &str, to: &str) -> Result<PromoteReport, Error> {
        let plan = self.request(app, to);
        self.workspace.promote(actor, &PromoteRequest { plan, digest: None, wait: Duration::ZERO })
    }

    pub fn manage(&self, app: &str) {
        let request = ManageRequest { objects: vec![app.into()], with_dependencies: true, on: true };
        self.workspace.manage(&self.ada, &request).unwrap();
    }

    pub fn dismiss_suspicions(&self) {
        for suspicion in self.workspace.suspicions(&mut self.workspace.work()).unwrap() {
            self.workspace.judge(&self.ada, &suspicion.named(), false, "a sample").unwrap();
        }
    }

    pub fn cut(&self, version: &str) {
        let request =
            CutRequest { app: "Orders".into(), version: Some(version.into()), from: None, note: None };
        self.workspace.cut(&self.ada, &request).unwrap();
    }

    /// Gives environments all that the newest version of an app lacks there.
    pub fn furnish(&self, app: &str, environments: &[&str]) {
        let to = environments[0];
        for source in self.plan(app, to).objects.iter().filter(|o| o.kind == ObjectKind::DataSource) {
            for to in environments {
                let to = environment(to);
                if self.workspace.proposal(&mut self.workspace.work(), &to, &source.object).unwrap().is_some()
                {
                    self.workspace.adopt_binding(&self.ada, &to, &source.object).unwrap();
                }
            }
        }
        // What a source lacks is known once it is bound, and what the app reads once all is.
        for _ in 0..3 {
            for problem in self.plan(app, to).problems {
                if let Some(reference) = problem.fix.strip_prefix("sluice secret set ") {
                    for to_fill in environments {
                        let reference = reference.trim_matches('"').replacen(to, to_fill, 1);
                        self.set_secret(&reference, NOT_A_SECRET);
                    }
                }
                if let Some(name) = problem.fix.strip_prefix(&format!("sluice constant set {to} ")) {
                    for to_fill in environments {
                        self.set_constant(to_fill, name, "2");
                    }
                }
            }
        }
        assert_eq!(self.plan(app, to).problems, []);
    }

    /// Puts evidence in that the newest version was tested where it comes from.
    pub fn test(&self, app: &str, from: &str, to: &str) {
        let plan = self.plan(app, to);
        let junit = sample("junit-pass.xml");
        let about = About { app: &plan.app, bundle: plan.bundle, environment: &environment(from) };
        self.workspace.add_tests(&self.ada, &junit.name, &junit.bytes, about).unwrap();
    }

    pub fn store(&self) -> PathBuf {
        self.place().join(".sluice/store.db")
    }

    /// What the environment holds: the root of its content.
    pub fn content(&self, name: &str) -> Digest {
        self.workspace.environment(&mut self.workspace.work(), &environment(name)).unwrap().1.content
    }

    /// How many objects the environment holds.
    pub fn count(&self, name: &str) -> usize {
        sluice_engine::version::count(&self.workspace.work(), self.content(name)).unwrap() as usize
    }

    /// What every environment holds.
    pub fn contents(&self) -> Vec<Digest> {
        ["development", "staging", "production"].map(|name| self.content(name)).into()
    }

    pub fn release(&self, app: &str, version: Option<&str>, place: &str) -> PlanRequest {
        let transition = Wanted::Release {
            app: app.into(),
            version: version.map(Into::into),
            environment: environment(place),
        };
        PlanRequest { transition, choices: BTreeMap::new() }
    }

    pub fn rollback(&self, app: &str, place: &str) -> PlanRequest {
        let transition =
            Wanted::Rollback { app: app.into(), environment: environment(place), promotion: None };
        PlanRequest { transition, choices: BTreeMap::new() }
    }

    pub fn place(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    pub fn import(&self, into: &str, files: &[&str]) -> Result<ImportReport, Error> {
        self.import_as(into, files, None)
    }

    pub fn import_as(
        &self,
        into: &str,
        files: &[&str],
        confirm: Option<String>,
    ) -> Result<ImportReport, Error> {
        self.import_files(into, files.iter().map(|file| sample(file)).collect(), confirm)
    }

    pub fn import_files(
        &self,
        into: &str,
        files: Vec<InputFile>,
        confirm: Option<String>,
    ) -> Result<ImportReport, Error> {
        let distinct = std::collections::BTreeSet::new();
        let request = ImportRequest { environment: environment(into), files, confirm, distinct };
        self.workspace.import(&self.ada, &request)
    }

    pub fn request(&self, app: &str, to: &str) -> PlanRequest {
        Self::asked(app, to)
    }

    /// The newest version of an app to an environment.
    pub fn asked(app: &str, to: &str) -> PlanRequest {
        PlanRequest {
            transition: Wanted::Promotion { app: app.into(), version: None, to: environment(to) },
            choices: BTreeMap::new(),
        }
    }

    pub fn plan(&self, app: &str, to: &str) -> Plan {
        self.workspace.plan(&self.request(app, to)).unwrap()
    }

    pub fn promote(&self, app: &str, to: &str) -> Result<PromoteReport, Error> {
        self.carry_out(self.request(app, to))
    }

    pub fn carry_out(&self, plan: PlanRequest) -> Result<PromoteReport, Error> {
        self.carry_out_waiting(plan, Duration::ZERO)
    }

    pub fn carry_out_waiting(&self, plan: PlanRequest, wait: Duration) -> Result<PromoteReport, Error> {
        self.workspace.promote(&self.ada, &PromoteRequest { plan, digest: None, wait })
    }

    pub fn set_constant(&self, environment_name: &str, name: &str, value: &str) {
        let name = ConstantName::new(name).unwrap();
        let value = Secret::new(value).unwrap();
        self.workspace.set_constant(&self.ada, &environment(environment_name), &name, value).unwrap();
    }

    pub fn set_secret(&self, reference: &str, value: &str) {
        self.workspace
            .set_secret(&self.ada, &reference.parse().unwrap(), Secret::new(value).unwrap())
            .unwrap();
    }
}

/// The gates of a decision that do not pass.
pub fn refusing(decision: &Decision) -> Vec<(&str, Verdict)> {
    let gates = decision.gates.iter().filter(|gate| gate.verdict != Verdict::Pass);
    gates.map(|gate| (gate.gate.as_str(), gate.verdict)).collect()
}

pub fn put(place: &Path, actor: &Actor, roles: &[&str]) {
    let file = place.join("sluice.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let roles: Vec<RoleName> = roles.iter().map(|role| role.parse().unwrap()).collect();
    let text = config::put_person(&text, &config::person(&actor.name).unwrap(), &actor.key.public(), &roles)
        .unwrap();
    std::fs::write(&file, text).unwrap();
}

/// Opens the workspace below a stage's folder.
pub fn open(folder: &Path, seed: u64, at: &str) -> Result<(Workspace, Arc<Hand>), Error> {
    let hand = Hand::new(seed, at);
    let home = Home::at(folder.join("home"));
    Ok((Workspace::open(&folder.join("workspace"), &home, hand.clone())?, hand))
}

/// A folder with a copy of [`Stage::promoted`], which is played once for as long as anybody has it.
pub fn copy() -> tempfile::TempDir {
    static BASE: Mutex<Weak<tempfile::TempDir>> = Mutex::new(Weak::new());
    let base = {
        let mut base = BASE.lock().unwrap_or_else(PoisonError::into_inner);
        match base.upgrade() {
            Some(base) => base,
            None => {
                let Stage { folder, workspace, .. } = Stage::promoted();
                drop(workspace);
                let folder = Arc::new(folder);
                *base = Arc::downgrade(&folder);
                folder
            }
        }
    };
    LAST.with(|last| *last.borrow_mut() = Some(base.clone()));
    let folder = tempfile::tempdir().unwrap();
    copy_folder(base.path(), folder.path());
    folder
}

thread_local! {
    /// Keeps the base for the copies that this test makes next.
    static LAST: std::cell::RefCell<Option<Arc<tempfile::TempDir>>> = const { std::cell::RefCell::new(None) };
}

pub fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).unwrap();
        }
    }
}
