//! A registry as others run it, on this machine.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::stage::root;

/// A registry on a free port of loopback with a storage folder of its own; ended when dropped.
pub(crate) struct Registry {
    process: Child,
    _folder: tempfile::TempDir,
    /// Its address and port.
    pub(crate) at: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Nothing can be done about an error, and the process may have ended itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The registry's program, from the search path or where `cargo xtask setup` puts it.
fn program() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let own = root().join("target/tools");
    let found = std::env::split_paths(&paths).chain([own]).map(|folder| folder.join("docker-registry"));
    found.into_iter().find(|file| file.is_file())
}

impl Registry {
    /// One that anybody may write to. `None`, and a message, where there is no such program.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = program() else {
            eprintln!(
                "skipped: there is no `docker-registry`; `cargo xtask setup` fetches Debian's, or put one into the search path"
            );
            return None;
        };
        // Between asking for a free port and using it another may take it.
        let tries = (0..5).find_map(|_| Self::on_free_port(&program).ok());
        Some(tries.expect("the registry starts on one of five free ports"))
    }

    fn on_free_port(program: &Path) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let at = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().to_string();
        let config = format!(
            "version: 0.1\nlog: {{ level: info }}\nstorage: {{ filesystem: {{ rootdirectory: {}/storage }} }}\n\
             http: {{ addr: \"{at}\" }}\n",
            folder.path().display()
        );
        let file = folder.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let mut process = Command::new(program)
            .arg("serve")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut told = String::new();
        while !told.contains("listening on") {
            if log.read_line(&mut told).unwrap() == 0 {
                process.wait().unwrap();
                return Err(told);
            }
        }
        // A full pipe would stop it.
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Ok(Self { process, _folder: folder, at })
    }
}
