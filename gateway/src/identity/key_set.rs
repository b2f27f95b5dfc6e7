//! An issuer's keys, read from its file and again when the file changes.

use std::{
    collections::BTreeMap,
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};

use super::{
    Reason,
    jwks::{self, JwksError, VerifyingKey},
};
use crate::config::{IssuerConfig, SignatureAlgorithm};

/// How often the file is looked at, at most: microseconds.
const LOOK_INTERVAL: i64 = 1_000_000;

/// An issuer's key set file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the key set `{}` of issuer `{issuer}` cannot be used: {cause}", file.display())]
pub struct KeySetError {
    issuer: String,
    file: PathBuf,
    cause: ReadError,
}

#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Content(#[from] JwksError),
}

/// One issuer with the keys it signs with.
#[derive(Debug)]
pub(super) struct KeySet {
    issuer: String,
    audience: String,
    file: PathBuf,
    algorithms: Vec<SignatureAlgorithm>,
    /// Microseconds.
    stale_max: i64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    keys: BTreeMap<String, VerifyingKey>,
    version: Option<FileVersion>,
    looked_at: i64,
    /// Since when the file cannot be used; the keys are those from before.
    broken_since: Option<i64>,
}

/// What changes when a file changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileVersion {
    size: u64,
    modified: (i64, i64),
    inode: u64,
}

impl KeySet {
    pub(super) fn load(config: &IssuerConfig, stale: Duration, now: i64) -> Result<Self, KeySetError> {
        let (version, keys) = read(&config.jwks, &config.algorithms).map_err(|cause| KeySetError {
            issuer: config.issuer.clone(),
            file: config.jwks.clone(),
            cause,
        })?;
        Ok(Self {
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            file: config.jwks.clone(),
            algorithms: config.algorithms.clone(),
            stale_max: i64::try_from(stale.as_micros()).unwrap_or(i64::MAX),
            state: Mutex::new(State { keys, version: Some(version), looked_at: now, broken_since: None }),
        })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn audience(&self) -> &str {
        &self.audience
    }

    /// The key of exactly this id.
    pub(super) fn key(&self, key_id: &str, now: i64) -> Result<VerifyingKey, Reason> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(&mut state, now);
        match state.broken_since {
            Some(since) if now.saturating_sub(since) > self.stale_max => Err(Reason::StaleKeys),
            _ => state.keys.get(key_id).cloned().ok_or(Reason::UnknownKey),
        }
    }

    pub(super) fn is_broken(&self, now: i64) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(&mut state, now);
        state.broken_since.is_some()
    }

    fn look(&self, state: &mut State, now: i64) {
        // The distance, not the difference: a clock that was set back must not stop us.
        if now.abs_diff(state.looked_at) < LOOK_INTERVAL.unsigned_abs() {
            return;
        }
        state.looked_at = now;
        let present = std::fs::metadata(&self.file).ok().map(|metadata| FileVersion::of(&metadata));
        // A broken file is tried again each time: not every failure changes the file.
        if state.broken_since.is_none() && present.is_some() && present == state.version {
            return;
        }
        match read(&self.file, &self.algorithms) {
            Ok((version, keys)) => {
                tracing::info!(issuer = self.issuer, keys = keys.len(), "key set reloaded");
                *state = State { keys, version: Some(version), looked_at: now, broken_since: None };
            }
            Err(error) => {
                if state.broken_since.is_none() || present != state.version {
                    let file = self.file.display();
                    tracing::error!(issuer = self.issuer, %file, %error, "key set broken, its last good keys stay");
                }
                // Remembered so that the same broken file is reported once.
                state.version = present;
                state.broken_since.get_or_insert(now);
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
    let bytes = bounded_file::read_opened(&file, DOCUMENT_BYTES)?;
    Ok((version, jwks::parse(&bytes, algorithms)?))
}
