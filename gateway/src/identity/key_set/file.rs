//! A key set in a file, read again when the file changes.

use std::{
    collections::BTreeMap,
    fs::{File, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use meshgate_engine::bounded_file;

use super::{
    super::{
        Reason,
        jwks::{self, VerifyingKey},
    },
    KEY_SET_BYTES_MAX, LastGood, ReadError,
};
use crate::config::SignatureAlgorithm;

/// How often the file is looked at, at most: microseconds.
const LOOK_INTERVAL: i64 = 1_000_000;

/// The keys of one issuer's file.
#[derive(Debug)]
pub(super) struct KeyFile {
    issuer: String,
    file: PathBuf,
    algorithms: Vec<SignatureAlgorithm>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last: LastGood,
    version: Option<FileVersion>,
    looked_at: i64,
}

/// What changes when a file changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileVersion {
    size: u64,
    modified: (i64, i64),
    inode: u64,
}

impl KeyFile {
    pub(super) fn load(
        file: &Path,
        issuer: String,
        algorithms: Vec<SignatureAlgorithm>,
        now: i64,
    ) -> Result<Self, ReadError> {
        let (version, keys) = read(file, &algorithms)?;
        let state = State { last: LastGood::of(keys), version: Some(version), looked_at: now };
        Ok(Self { issuer, file: file.to_owned(), algorithms, state: Mutex::new(state) })
    }

    pub(super) fn key(&self, key_id: &str, now: i64, stale_max: i64) -> Result<VerifyingKey, Reason> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(&mut state, now);
        state.last.key(key_id, now, stale_max)
    }

    pub(super) fn is_broken(&self, now: i64) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(&mut state, now);
        state.last.broken_since.is_some()
    }

    fn look(&self, state: &mut State, now: i64) {
        // The distance, not the difference: a clock that was set back must not stop us.
        if now.abs_diff(state.looked_at) < LOOK_INTERVAL.unsigned_abs() {
            return;
        }
        state.looked_at = now;
        let present = std::fs::metadata(&self.file).ok().map(|metadata| FileVersion::of(&metadata));
        // A broken file is tried again each time: not every failure changes the file.
        if state.last.broken_since.is_none() && present.is_some() && present == state.version {
            return;
        }
        match read(&self.file, &self.algorithms) {
            Ok((version, keys)) => {
                tracing::info!(issuer = self.issuer, keys = keys.len(), "key set reloaded");
                *state = State { last: LastGood::of(keys), version: Some(version), looked_at: now };
            }
            Err(error) => {
                if state.last.broken_since.is_none() || present != state.version {
                    let file = self.file.display();
                    tracing::error!(issuer = self.issuer, %file, %error, "key set broken, its last good keys stay");
                }
                // Remembered so that the same broken file is reported once.
                state.version = present;
                state.last.broken_since.get_or_insert(now);
            }
        }
    }
}

impl FileVersion {
    fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            inode: metadata.ino(),
        }
    }
}

fn read(
    file: &Path,
    algorithms: &[SignatureAlgorithm],
) -> Result<(FileVersion, BTreeMap<String, VerifyingKey>), ReadError> {
    let file = File::open(file)?;
    let version = FileVersion::of(&file.metadata()?);
    let bytes = bounded_file::read_opened(&file, KEY_SET_BYTES_MAX as u64)?;
    Ok((version, jwks::parse(&bytes, algorithms)?))
}
