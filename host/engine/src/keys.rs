//! The two keys of a workspace, and whether they are its own.

use std::path::Path;

use sluice_ledger::key::KeyPair;
use sluice_ledger::keyfile;
use sluice_vault::RootKey;

use crate::act::What;
use crate::error::{Error, Result};
use crate::records::Recorded;
use crate::workspace::Home;

/// The variable that may hold a workspace's root key instead of its file.
const ROOT_KEY_VARIABLE: &str = "SLUICE_ROOT_KEY";

/// The variable that may hold the key that signs checkpoints instead of its file.
const LOG_KEY_VARIABLE: &str = "SLUICE_LOG_KEY";

/// The keys of a workspace as they were found, each with where that was, in words.
pub(crate) struct Keys {
    root: RootKey,
    root_origin: String,
    log: KeyPair,
    log_origin: String,
}

impl Keys {
    /// Reads the keys of the workspace `id` in `folder` from its variables, else from its files.
    ///
    /// # Errors
    /// When one is not there, open to others or damaged.
    pub(crate) fn read(home: &Home, id: &str, folder: &Path) -> Result<Self> {
        let (root, root_origin) = match std::env::var(ROOT_KEY_VARIABLE) {
            Ok(text) => (RootKey::from_text(ROOT_KEY_VARIABLE, &text)?, variable(ROOT_KEY_VARIABLE)),
            Err(_) => (RootKey::read_file(&home.root_key(id), folder)?, file(&home.root_key(id))),
        };
        let (log, log_origin) = match std::env::var(LOG_KEY_VARIABLE) {
            Ok(text) => (keyfile::from_text(LOG_KEY_VARIABLE, &text)?, variable(LOG_KEY_VARIABLE)),
            Err(_) => (keyfile::read(&home.log_key(id))?, file(&home.log_key(id))),
        };
        Ok(Self { root, root_origin, log, log_origin })
    }

    /// The root key and the log key, once both are known to be those that the workspace's first act
    /// names; before there is one, they are what it will name. What another root key sealed nobody
    /// could open, and a ledger that another log key signed would be broken for good.
    ///
    /// # Errors
    /// [`Error::WrongKey`], or when the first act is damaged.
    pub(crate) fn of(self, first: Option<&Recorded>) -> Result<(RootKey, KeyPair)> {
        if let Some(first) = first {
            let What::Initialised { log_key, root_key, .. } = &first.act.what else {
                return Err(Error::RecordDamaged {
                    stream: first.act.stream.clone(),
                    revision: first.revision,
                    what: "it is not the workspace's making".into(),
                });
            };
            same("root key", self.root_origin, self.root.name().to_string(), root_key)?;
            same("log key", self.log_origin, self.log.public().to_string(), log_key)?;
        }
        Ok((self.root, self.log))
    }
}

fn same(what: &'static str, origin: String, given: String, made: &str) -> Result<()> {
    if given == made { Ok(()) } else { Err(Error::WrongKey { what, origin, given, made: made.to_owned() }) }
}

fn variable(name: &str) -> String {
    format!("the variable `{name}`")
}

fn file(path: &Path) -> String {
    format!("`{}`", path.display())
}
