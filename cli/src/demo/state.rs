//! `demo.json`: what a running demo tells scripts and `meshgate sql --as`.
//! It is there while the demo runs, complete from its first moment, and
//! readable by its owner only, because it holds tokens.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

const FILE: &str = "demo.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DemoState {
    /// Where the demo's files are.
    pub(crate) directory: PathBuf,
    /// Process id of `meshgate demo`.
    pub(crate) process: u32,
    pub(crate) gateway: GatewayState,
    /// Certificate of the authority that signed the gateway's certificate.
    pub(crate) ca: PathBuf,
    pub(crate) nodes: Vec<NodeState>,
    /// One token per persona.
    pub(crate) tokens: BTreeMap<String, String>,
    pub(crate) made: Made,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GatewayState {
    pub(crate) uri: String,
    pub(crate) address: String,
    /// Base of `/livez` and `/readyz`.
    pub(crate) http: String,
    pub(crate) process: u32,
    pub(crate) log: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeState {
    pub(crate) domain: String,
    pub(crate) address: String,
    pub(crate) http: String,
    pub(crate) process: u32,
    /// Contracts, policies and data of the domain.
    pub(crate) directory: PathBuf,
    pub(crate) log: PathBuf,
}

/// What the data depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) scale: u32,
    /// First day of the quarter that is under embargo.
    pub(crate) quarter: chrono::NaiveDate,
}

pub(crate) fn write(state: &DemoState) -> Result<(), Failure> {
    let path = state.directory.join(FILE);
    let text = serde_json::to_vec_pretty(state)
        .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display())))?;
    replace(&path, &text).map_err(|error| Failure::file("write", &path, &error))
}

/// Takes the file away; a file that is not there is as good.
pub(crate) fn remove(directory: &Path) {
    // Nothing depends on it: whoever still finds the file gets "cannot be reached".
    let _ = fs::remove_file(directory.join(FILE));
}

/// The state of the demo in `directory`.
pub(crate) fn read(directory: &Path) -> Result<DemoState, Failure> {
    let path = directory.join(FILE);
    let text = fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::Refused(format!(
            "no demo runs in {0}; start one with `meshgate demo --keep {0}`",
            directory.display()
        )),
        _ => Failure::file("read", &path, &error),
    })?;
    serde_json::from_slice(&text)
        .map_err(|error| Failure::Usage(format!("{} is not a demo's: {error}", path.display())))
}

/// The state of the demo that was started last.
pub(crate) fn read_last() -> Result<DemoState, Failure> {
    let none = || Failure::Refused("no demo runs; start one with `meshgate demo`".to_owned());
    let pointer = pointer_file().ok_or_else(none)?;
    let directory = fs::read_to_string(pointer).map_err(|_| none())?;
    read(Path::new(directory.trim_end()))
}

/// Remembers `directory` as that of the last demo. `false` if there is no
/// place to remember it.
pub(crate) fn remember(directory: &Path) -> bool {
    let Some(pointer) = pointer_file() else { return false };
    let Some(folder) = pointer.parent() else { return false };
    let text = format!("{}\n", directory.display());
    fs::create_dir_all(folder).and_then(|()| replace(&pointer, text.as_bytes())).is_ok()
}

/// Forgets `directory`, unless another demo was started since.
pub(crate) fn forget(directory: &Path) {
    let Some(pointer) = pointer_file() else { return };
    let is_ours = fs::read_to_string(&pointer).is_ok_and(|text| Path::new(text.trim_end()) == directory);
    if is_ours {
        // As with `remove`: a pointer to nothing is answered with a sentence.
        let _ = fs::remove_file(pointer);
    }
}

/// In the user's own state folder; never in one that others can write.
#[expect(clippy::disallowed_methods, reason = "the binary is who reads the environment")]
fn pointer_file() -> Option<PathBuf> {
    let from_state = std::env::var_os("XDG_STATE_HOME").filter(|value| !value.is_empty());
    let base = match from_state {
        Some(folder) => PathBuf::from(folder),
        None => std::env::home_dir()?.join(".local/state"),
    };
    Some(base.join("meshgate/last-demo"))
}

/// Writes a file so that readers see the old one or the new one, never a part.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension(format!("{}.new", std::process::id()));
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| file.write_all(text))
        .and_then(|()| fs::rename(&unfinished, path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn sample(directory: &Path) -> DemoState {
        DemoState {
            directory: directory.to_owned(),
            process: 1,
            gateway: GatewayState {
                uri: "grpc+tls://localhost:1".into(),
                address: "127.0.0.1:1".into(),
                http: "http://127.0.0.1:2".into(),
                process: 2,
                log: directory.join("gateway.log"),
            },
            ca: directory.join("ca.crt"),
            nodes: vec![],
            tokens: BTreeMap::from([("anna".to_owned(), "secret".to_owned())]),
            made: Made { scale: 1, quarter: chrono::NaiveDate::from_ymd_opt(2026, 10, 1).unwrap() },
        }
    }

    #[test]
    fn what_is_written_is_read_and_only_by_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let state = sample(folder.path());
        write(&state).unwrap();
        assert_eq!(read(folder.path()).unwrap(), state);
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        remove(folder.path());
        assert!(matches!(read(folder.path()), Err(Failure::Refused(_))));
    }

    #[test]
    fn a_broken_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        let error = read(folder.path()).unwrap_err();
        assert!(matches!(error, Failure::Usage(_)));
        assert!(error.to_string().contains("demo.json"), "{error}");
    }
}
