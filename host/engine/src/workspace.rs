//! A workspace: its folder, its keys, its book, and the configuration that counts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use sluice_ledger::key::KeyPair;
use sluice_ledger::keyfile;
use sluice_model::{Digest, EnvironmentName};
use sluice_plugin::manifest::Manifest;
use sluice_plugin::{CodeCache, Compiler, Host, Limits, Registry};
use sluice_policy::Sandbox;
use sluice_store::{SqliteStore, Store, StoreError, WorkspaceId, WriterId};
use sluice_vault::{DerivedKey, Purpose, RootKey, Vault};

use zeroize::Zeroizing;

use crate::act::{Act, What};
use crate::ambient::Ambient;
use crate::config::{self, Config, PluginName};
use crate::error::{Error, Result};
use crate::files::{Candidate, Content, check_gates, load_plugins, load_policies, read_files};
use crate::gates::{CutNames, Fingerprints, Importers, Lists, Policies};
use crate::install;
use crate::keys::Keys;
use crate::lock::{self, LOCK_FILE, Lock, Locked};
use crate::records::{Actor, Records, read, stream};
use crate::scan::Memory;
use crate::state::{EnvironmentState, Work};

/// The configuration's file in a workspace.
pub const CONFIG_FILE: &str = "sluice.toml";

/// The folder of policy packs in a workspace.
pub const POLICIES: &str = "policies";

/// The folder of plugins in a workspace.
pub const PLUGINS: &str = "plugins";

/// The stream of the workspace itself: its making, and each adopted configuration.
pub const STREAM: &str = "workspace";

const STORE_FOLDER: &str = ".sluice";
const STORE_FILE: &str = "store.db";
const COMPILED: &str = "compiled";

/// Bytes of compiled code that are kept. 2 GiB: fifty plugins with Python in them, of 40 MiB each. What a
/// workspace uses at a time should fit, or it is compiled again and again.
const MOST_COMPILED: u64 = 2 << 30;

/// Says which workspace's the store is.
const ID_FILE: &str = "workspace";

/// Configuration, policies and plugins as they were adopted, whole: what counts is read from here
/// and not from the files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adopted {
    /// What `sluice.toml` says.
    pub config: Config,
    /// Policy packs by name: each pack's content, whole.
    pub policies: BTreeMap<String, Digest>,
    /// Plugins by name: the component's content.
    pub plugins: BTreeMap<String, Digest>,
    /// Where each came from, and why it is trusted.
    pub locked: BTreeMap<String, Locked>,
}

/// Where a person's and a workspace's keys lie: never in the workspace's folder.
#[derive(Debug, Clone)]
pub struct Home(PathBuf);

impl Home {
    /// The folder of keys.
    #[must_use]
    pub const fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The file of a person's key.
    #[must_use]
    pub fn person_key(&self, name: &str) -> PathBuf {
        self.0.join("keys").join(format!("{name}.key"))
    }

    /// The folder of people's keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// The file of a workspace's root key, from which its vault is keyed.
    #[must_use]
    pub fn root_key(&self, workspace: &str) -> PathBuf {
        self.0.join("workspaces").join(workspace).join("root.key")
    }

    /// The file of the key that signs a workspace's checkpoints.
    #[must_use]
    pub fn log_key(&self, workspace: &str) -> PathBuf {
        self.0.join("workspaces").join(workspace).join("log.key")
    }
}

/// An open workspace.
pub struct Workspace {
    folder: PathBuf,
    id: String,
    records: Records,
    root_key: RootKey,
    adopted: Option<Adopted>,
    /// Where plugins are compiled.
    compiler: Compiler,
    plugins: OnceLock<Arc<Registry>>,
    policies: OnceLock<Arc<Policies>>,
    pub(crate) sandbox: OnceLock<Sandbox>,
    pub(crate) memory: Memory,
    pub(crate) lists: Lists,
    pub(crate) cut_names: CutNames,
    pub(crate) importers: Importers,
    pub(crate) fingerprints: Fingerprints,
}

/// What `sluice init` puts into a new workspace beside its configuration.
pub struct Furnishing {
    /// Policy packs, by path under `policies/`.
    pub policies: BTreeMap<String, Vec<u8>>,
    /// Plugins, by file name under `plugins/`.
    pub plugins: BTreeMap<String, Vec<u8>>,
}

impl Workspace {
    /// Makes a workspace in `folder`: `sluice.toml` from the template, policies and plugins, the
    /// store, and outside the folder its root key and log key. Where `sluice.toml` is there, as in a
    /// checkout, it makes the store for it and leaves all files as they are. What an interrupted one
    /// left it finishes.
    ///
    /// # Errors
    /// When there is one already or its store was lost, `sluice.toml` has mistakes, or a file cannot be
    /// written.
    pub fn init(
        folder: &Path,
        name: &str,
        home: &Home,
        furnishing: &Furnishing,
        ambient: Arc<dyn Ambient>,
    ) -> Result<Self> {
        let config = folder.join(CONFIG_FILE);
        let store = folder.join(STORE_FOLDER).join(STORE_FILE);
        let id_file = folder.join(STORE_FOLDER).join(ID_FILE);
        match (store.exists(), id_file.exists()) {
            (true, true) => return Err(Error::WorkspaceExists(folder.display().to_string())),
            (false, true) => return Err(Error::StoreMissing(store.display().to_string())),
            (_, false) => {}
        }
        let template = if Self::configured_name(folder)?.is_some() {
            None
        } else {
            let plugins = plugin_names(&furnishing.plugins)?;
            let made = config::template(name, plugins.iter().map(|(name, file)| (name, *file)));
            Some(made.map_err(|e| Error::invalid(e.to_string(), "name the workspace with `--name`"))?)
        };
        let mut id = [0; 8];
        fill(ambient.as_ref(), &mut id)?;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let log_key = new_key(ambient.as_ref())?;
        let mut root = Zeroizing::new([0; 32]);
        fill(ambient.as_ref(), root.as_mut_slice())?;
        let root_key = RootKey::from_random(root);
        make_folder(&folder.join(STORE_FOLDER))?;
        for file in [home.root_key(&id), home.log_key(&id)] {
            make_folder(file.parent().unwrap_or(folder))?;
        }
        root_key.create_file(&home.root_key(&id), folder)?;
        keyfile::create(&home.log_key(&id), &log_key)?;
        write_under(&folder.join(STORE_FOLDER), ".gitignore", b"*\n")?;
        if let Some(template) = template {
            for (path, bytes) in &furnishing.policies {
                write_under(&folder.join(POLICIES), path, bytes)?;
            }
            for (path, bytes) in &furnishing.plugins {
                write_under(&folder.join(PLUGINS), path, bytes)?;
            }
            write_under(folder, LOCK_FILE, furnished(&furnishing.plugins)?.to_toml().as_bytes())?;
            // After what it names, so that where it is, that is too.
            write_new(&config, template.as_bytes())?;
        }
        match SqliteStore::create(&store, workspace_id(&id)?) {
            // Nothing was ever done in it.
            Err(StoreError::AlreadyThere { .. }) if SqliteStore::workspaces_in(&store)?.is_empty() => {}
            Err(StoreError::AlreadyThere { .. }) => {
                return Err(Error::IdMissing(id_file.display().to_string()));
            }
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        write_new(&id_file, format!("{id}\n").as_bytes())?;
        Self::open(folder, home, ambient)
    }

    /// What the configuration in `folder` calls its workspace, where there is one. What else it says is
    /// checked when it is to be adopted.
    ///
    /// # Errors
    /// When the file cannot be read, or names none.
    pub fn configured_name(folder: &Path) -> Result<Option<String>> {
        let path = folder.join(CONFIG_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).map_err(Error::file(&path))?;
        let name = text
            .parse::<toml_edit::DocumentMut>()
            .ok()
            .and_then(|document| Some(document.get("workspace")?.get("name")?.as_str()?.to_owned()));
        name.map(Some).ok_or_else(|| {
            Error::invalid(
                format!("`{}` names no workspace", path.display()),
                "mend its table `[workspace]`, or remove the file to begin with a new one",
            )
        })
    }

    /// Opens the workspace in `folder`, finishing what a crash left half done in the ledger.
    ///
    /// # Errors
    /// When there is none, or its store or keys cannot be used.
    pub fn open(folder: &Path, home: &Home, ambient: Arc<dyn Ambient>) -> Result<Self> {
        let store = folder.join(STORE_FOLDER).join(STORE_FILE);
        let id_file = folder.join(STORE_FOLDER).join(ID_FILE);
        match (store.exists(), id_file.exists()) {
            (true, true) => {}
            (false, false) if folder.join(CONFIG_FILE).exists() => {
                return Err(Error::NoStore(folder.display().to_string()));
            }
            (false, false) => return Err(Error::NoWorkspace(folder.display().to_string())),
            (false, true) => return Err(Error::StoreMissing(store.display().to_string())),
            (true, false) => return Err(Error::IdMissing(id_file.display().to_string())),
        }
        let id = fs::read_to_string(&id_file).map_err(Error::file(&id_file))?.trim().to_owned();
        let store = SqliteStore::open(&store, workspace_id(&id)?).map_err(|error| match error {
            // Where a workspace has its store, nothing else is meant.
            StoreError::NotAStore { path } => {
                StoreError::DamagedFile { path, detail: "it is not a store of Sluice".to_owned() }
            }
            error => error,
        })?;
        let store: Arc<dyn Store> = Arc::new(store);
        let first = store.revision(&stream(STREAM)?, 1)?.map(|first| read(&first)).transpose()?;
        let (root_key, log_key) = Keys::read(home, &id, folder)?.of(first.as_ref())?;
        let mut writer = [0; 8];
        fill(ambient.as_ref(), &mut writer)?;
        let writer: String = writer.iter().map(|byte| format!("{byte:02x}")).collect();
        let writer = WriterId::new(format!("w-{writer}")).map_err(|e| Error::invalid(e.to_string(), ""))?;
        let records = Records::new(store, ambient, id.clone(), writer, Some(log_key));
        records.check_whole()?;
        records.sequence()?;
        let mut workspace = Self {
            folder: folder.to_owned(),
            id,
            records,
            root_key,
            adopted: None,
            compiler: Compiler::Here,
            plugins: OnceLock::new(),
            policies: OnceLock::new(),
            sandbox: OnceLock::new(),
            memory: Memory::default(),
            lists: Lists::default(),
            cut_names: CutNames::default(),
            importers: Importers::default(),
            fingerprints: Fingerprints::default(),
        };
        workspace.read_adopted()?;
        Ok(workspace)
    }

    /// This workspace with plugins compiled elsewhere than in this process.
    #[must_use]
    pub fn with_compiler(self, compiler: Compiler) -> Self {
        Self { compiler, ..self }
    }

    /// The workspace's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The workspace's id, made at random when it was.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The book.
    #[must_use]
    pub const fn records(&self) -> &Records {
        &self.records
    }

    /// Content under work over this workspace's store.
    #[must_use]
    pub fn work(&self) -> Work<'_> {
        Work::over(self.records.store())
    }

    /// The file that a run has locked for as long as it writes to an environment.
    pub(crate) fn lock_file(&self, environment: &EnvironmentName) -> PathBuf {
        self.folder.join(STORE_FOLDER).join(format!("{environment}.lock"))
    }

    /// The vault of this workspace's secrets.
    #[must_use]
    pub fn vault(&self) -> Vault {
        Vault::new(&self.root_key, &self.id)
    }

    /// A key of this workspace for one purpose.
    #[must_use]
    pub fn derived_key(&self, purpose: Purpose) -> DerivedKey {
        self.root_key.derive(&self.id, purpose)
    }

    /// Reads what was adopted, by which acts are judged from now on.
    fn read_adopted(&mut self) -> Result<()> {
        let head = self.records.head(STREAM)?;
        self.records.judge_by(head.as_ref().map_or(0, |head| head.revision));
        self.adopted = match head.map(|head| head.act.what) {
            Some(What::ConfigAdopted { adopted, .. }) => Some(self.work().json(&adopted)?),
            _ => None,
        };
        Ok(())
    }

    /// What was adopted.
    ///
    /// # Errors
    /// When nothing was yet.
    pub fn adopted(&self) -> Result<&Adopted> {
        self.adopted.as_ref().ok_or_else(|| {
            Error::invalid("no configuration was adopted yet", "run `sluice config adopt` first")
        })
    }

    /// The adopted configuration.
    ///
    /// # Errors
    /// When nothing was adopted yet.
    pub fn config(&self) -> Result<&Config> {
        Ok(&self.adopted()?.config)
    }

    /// Whether some configuration was adopted.
    #[must_use]
    pub const fn is_adopted(&self) -> bool {
        self.adopted.is_some()
    }

    /// What the files say now, checked: configuration, policies compiled, plugins loaded.
    ///
    /// # Errors
    /// When anything in them is wrong.
    pub fn proposed(&self) -> Result<Candidate> {
        let (document, candidate) = read_files(&self.folder)?;
        let content = candidate.content();
        check_gates(&document, &load_policies(self.sandbox(), &candidate.adopted, &content)?)?;
        let registry = load_plugins(&self.host()?, &candidate.adopted, &content)?;
        for plugin in registry.plugins() {
            let component = content(&plugin.digest())?.ok_or(Error::ContentMissing(plugin.digest()))?;
            install::check_manifest(plugin, &component, candidate.adopted.locked.get(plugin.name()))?;
        }
        Ok(candidate)
    }

    /// What differs between the files and what was adopted, in words; empty when nothing does.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub fn config_diff(&self, candidate: &Candidate) -> Vec<String> {
        let Ok(adopted) = self.adopted() else {
            return vec!["everything, as nothing was adopted yet".to_owned()];
        };
        let mut changes: Vec<String> = config::diff(&adopted.config, &candidate.adopted.config)
            .iter()
            .map(ToString::to_string)
            .collect();
        changes.extend(differences("policy", &adopted.policies, &candidate.adopted.policies));
        changes.extend(lock::differences(&adopted.locked, &candidate.adopted.locked));
        if changes.is_empty() && candidate.adopted != *adopted {
            changes.push(format!("`{CONFIG_FILE}` says the same in another order"));
        }
        changes
    }

    /// Refuses when the files are not what was adopted.
    ///
    /// # Errors
    /// [`Error::NotAdopted`] names what changed; [`Error::ConfigurationChanged`] when somebody else
    /// adopted another since this workspace was opened.
    pub fn check_adopted(&self) -> Result<()> {
        self.records.check_configuration(self.records.judged_by())?;
        // What was adopted was checked then: to be the same is enough.
        if read_files(&self.folder)?.1.adopted == *self.adopted()? {
            return Ok(());
        }
        let candidate = self.proposed()?;
        let what = self.config_diff(&candidate).into_iter().next().unwrap_or_else(|| CONFIG_FILE.to_owned());
        Err(Error::NotAdopted { what })
    }

    /// Makes the files count, signed by an owner of the configuration that counted until now.
    ///
    /// # Errors
    /// When the actor is no owner, or somebody else adopted another since this workspace was opened.
    pub fn adopt(&mut self, actor: &Actor, candidate: Candidate) -> Result<Vec<String>> {
        let judge = &self.adopted.as_ref().unwrap_or(&candidate.adopted).config;
        let is_owner = config::person(&actor.name).is_some_and(|name| judge.owns_workspace(&name));
        let key_fits = judge.key_of(&actor.name) == Some(actor.key.public());
        if !is_owner || !key_fits {
            return Err(Error::NotPermitted {
                actor: actor.name.clone(),
                act: "adopt this configuration".into(),
                who: "an owner of the workspace, with the key that the configuration names".into(),
            });
        }
        let changes = self.config_diff(&candidate);
        if changes.is_empty() {
            return Ok(changes);
        }
        let mut fresh = Arc::unwrap_or_clone(candidate.content);
        let bytes = sluice_model::json::canonical_of(&candidate.adopted)?;
        let digest = Digest::of(&bytes);
        fresh.insert(digest, bytes);
        // After what it was compared with and judged by, and after nothing else.
        let mut after = self.records.judged_by();
        if after == 0 {
            let what = What::Initialised {
                name: candidate.adopted.config.workspace.to_string(),
                log_key: self.records.log_key().map(|key| key.to_string()).unwrap_or_default(),
                root_key: self.root_key.name().to_string(),
            };
            after = self.records.append(actor, STREAM, 0, what, &BTreeMap::new())?;
        }
        let what = What::ConfigAdopted { adopted: digest, changes: changes.clone() };
        self.records.append(actor, STREAM, after, what, &fresh)?;
        self.read_adopted()?;
        self.plugins = OnceLock::new();
        self.policies = OnceLock::new();
        Ok(changes)
    }

    /// The plugins that count, loaded when first asked for.
    ///
    /// # Errors
    /// When one of them no longer loads.
    pub fn plugins(&self) -> Result<Arc<Registry>> {
        if let Some(registry) = self.plugins.get() {
            return Ok(registry.clone());
        }
        let registry = Arc::new(load_plugins(&self.host()?, self.adopted()?, &self.content())?);
        Ok(self.plugins.get_or_init(|| registry).clone())
    }

    /// The store's content.
    fn content(&self) -> Content {
        let store = self.records.shared_store();
        Arc::new(move |digest| Ok(store.blob(digest)?))
    }

    /// What runs plugins, with their compiled code kept in the workspace.
    ///
    /// # Errors
    /// When plugins cannot be run on this machine.
    pub fn host(&self) -> Result<Host> {
        let key = self.derived_key(Purpose::CompiledCode);
        let cache = CodeCache::new(self.folder.join(STORE_FOLDER).join(COMPILED), key.expose());
        let cache = cache.bounded(MOST_COMPILED);
        Ok(Host::new(Limits::default())?.with_cache(cache).with_compiler(self.compiler.clone()))
    }

    /// The policies that count, compiled when first asked for.
    ///
    /// # Errors
    /// When one of them no longer compiles.
    pub fn policies(&self) -> Result<Arc<Policies>> {
        if let Some(policies) = self.policies.get() {
            return Ok(policies.clone());
        }
        let policies = Arc::new(load_policies(self.sandbox(), self.adopted()?, &self.content())?);
        Ok(self.policies.get_or_init(|| policies).clone())
    }

    /// The environment's state and the revision that carries it; empty and 0 before anything
    /// happened there.
    ///
    /// # Errors
    /// When the environment is not in the configuration, or its record is damaged.
    pub fn environment(
        &self,
        work: &mut Work<'_>,
        name: &EnvironmentName,
    ) -> Result<(u64, EnvironmentState)> {
        self.known_environment(name)?;
        match self.records.head(&environment_stream(name))? {
            None => Ok((0, EnvironmentState::empty(work)?)),
            Some(head) => Ok((head.revision, state_in(head.act)?)),
        }
    }

    /// Refuses an environment that the configuration does not have.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn known_environment(&self, name: &EnvironmentName) -> Result<()> {
        let config = self.config()?;
        if config.environment(name).is_some() {
            return Ok(());
        }
        let known: Vec<_> = config.environments.iter().map(|e| e.name.as_str()).collect();
        Err(Error::NotFound {
            what: "environment",
            named: name.to_string(),
            help: format!("use one of: {}", known.join(", ")),
        })
    }

    /// The environment where versions are cut.
    ///
    /// # Errors
    /// When no configuration was adopted.
    pub fn first_environment(&self) -> Result<EnvironmentName> {
        let first = self.config()?.first_environment().map(|e| e.name.clone());
        first
            .ok_or_else(|| Error::invalid("the configuration has no environment", "add one to `sluice.toml`"))
    }
}

/// Whether a workspace's folder holds its store, and not only its configuration.
#[must_use]
pub fn has_store(workspace: &Path) -> bool {
    workspace.join(STORE_FOLDER).join(STORE_FILE).exists()
}

/// The stream of an environment.
#[must_use]
pub fn environment_stream(name: &EnvironmentName) -> String {
    format!("env/{name}")
}

/// The state that an act of an environment's stream carries.
///
/// # Errors
/// When it carries none.
pub fn state_in(act: Act) -> Result<EnvironmentState> {
    match act.what {
        What::Imported { state, .. }
        | What::LeaseTaken { state }
        | What::LeaseReturned { state }
        | What::Committed { state, .. } => Ok(*state),
        _ => Err(Error::RecordDamaged {
            stream: act.stream,
            revision: act.revision,
            what: "it carries no state of an environment".into(),
        }),
    }
}

/// A fresh key pair.
///
/// # Errors
/// When the system has no randomness.
pub fn new_key(ambient: &dyn Ambient) -> Result<KeyPair> {
    let mut seed = Zeroizing::new([0; 32]);
    fill(ambient, seed.as_mut_slice())?;
    Ok(KeyPair::from_seed(&seed))
}

fn workspace_id(id: &str) -> Result<WorkspaceId> {
    WorkspaceId::new(id).map_err(|e| Error::invalid(e.to_string(), "restore the file `.sluice/workspace`"))
}

fn fill(ambient: &dyn Ambient, buffer: &mut [u8]) -> Result<()> {
    ambient.random(buffer).map_err(|source| Error::File { path: "the system's randomness".into(), source })
}

/// What plugins that come with the command are called, and their files.
fn plugin_names(plugins: &BTreeMap<String, Vec<u8>>) -> Result<BTreeMap<PluginName, &str>> {
    let named = |file: &String| file.strip_suffix(".wasm").unwrap_or(file).parse::<PluginName>();
    let mut names = BTreeMap::new();
    for file in plugins.keys() {
        let name = named(file).map_err(|error| {
            let what = format!("the plugin `{file}` cannot be named after its file: {error}");
            Error::invalid(what, "rename the file")
        })?;
        names.insert(name, file.as_str());
    }
    Ok(names)
}

/// The lock of plugins that come with the command that makes a workspace.
fn furnished(plugins: &BTreeMap<String, Vec<u8>>) -> Result<Lock> {
    let mut lock = BTreeMap::new();
    for (name, file) in plugin_names(plugins)? {
        let Some(bytes) = plugins.get(file) else { continue };
        let manifest = Manifest::read(bytes).ok().flatten();
        let locked = Locked {
            version: manifest.map(|manifest| manifest.version),
            digest: Digest::of(bytes),
            source: "sluice init".to_owned(),
            publisher: None,
            vouched: Some("it came with the command that made this workspace".to_owned()),
        };
        lock.insert(name, locked);
    }
    Ok(Lock(lock))
}

fn differences<T: PartialEq>(
    what: &str,
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
) -> Vec<String> {
    let gone = before
        .keys()
        .filter(|name| !after.contains_key(*name))
        .map(|name| format!("{what} `{name}` removed"));
    let rest = after.iter().filter_map(|(name, value)| match before.get(name) {
        None => Some(format!("{what} `{name}` added")),
        Some(old) if old != value => Some(format!("{what} `{name}` changed")),
        Some(_) => None,
    });
    gone.chain(rest).collect()
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::file(path))
}

pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(Error::file(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(Error::file(path))
}

fn write_under(folder: &Path, path: &str, bytes: &[u8]) -> Result<()> {
    let file = folder.join(path);
    if file.exists() {
        return Ok(());
    }
    make_folder(file.parent().unwrap_or(folder))?;
    write_new(&file, bytes)
}
