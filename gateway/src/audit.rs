//! One line of JSON per query and per refusal: who, what, under which rules,
//! with which outcome.
//!
//! What cannot be recorded does not run: a record that could not be written is
//! kept and written before anything else, and until then every query is
//! refused. No cell, no token and no policy text is ever part of a record.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

/// Most records that wait for a log that cannot be written. Queries are refused
/// from the first one on, so only those that were running then can add to it.
const WAITING_MAX: usize = 10_000;

/// One record.
#[derive(Debug, Clone, Serialize)]
pub struct AuditRecord {
    /// When the query ended, or was refused.
    #[serde(serialize_with = "as_text")]
    pub time: DateTime<Utc>,
    pub query_id: String,
    /// Absent if the caller could not be authenticated.
    pub principal: Option<AuditPrincipal>,
    /// What was asked: the SQL text, or the name of a command.
    pub statement: String,
    /// Tables that were read, as `domain.table`.
    pub tables: Vec<String>,
    /// Ids of the rules that took part, as `domain.table: rule`.
    pub rules: Vec<String>,
    pub policy_versions: Vec<PolicyVersion>,
    pub rows: u64,
    pub bytes: u64,
    pub outcome: Outcome,
    /// Why it was not `ok`: the class of the error, never its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
    #[serde(rename = "duration_ms", serialize_with = "as_milliseconds")]
    pub duration: Duration,
}

/// Who asked.
#[derive(Debug, Clone, Serialize)]
pub struct AuditPrincipal {
    pub issuer: String,
    pub subject: String,
}

/// Under which documents a domain's tables were decided.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyVersion {
    pub domain: String,
    /// Hexadecimal digests.
    pub owner: String,
    pub operator: String,
}

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    /// Not allowed, or not understood: nothing was read.
    Refused,
    /// Began and did not complete.
    Failed,
    Cancelled,
}

/// The log cannot be written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the audit log `{}` cannot be written", path.display())]
pub struct AuditError {
    path: PathBuf,
    source: Arc<io::Error>,
}

impl AuditError {
    fn new(path: &Path, source: impl Into<io::Error>) -> Self {
        Self { path: path.to_owned(), source: Arc::new(source.into()) }
    }
}

/// The gateway's audit log.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// Lines that could not be written yet.
    waiting: VecDeque<Vec<u8>>,
    /// The last write may have left a part of a line.
    torn: bool,
}

impl AuditLog {
    /// Opens the log for appending and creates it if it is not there.
    pub fn open(path: &Path) -> Result<Self, AuditError> {
        let file = append_to(path).map_err(|source| AuditError::new(path, source))?;
        let state = State { file, waiting: VecDeque::new(), torn: false };
        Ok(Self { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// Makes sure that the log can be written: to be asked before a query reads anything.
    pub fn ready(&self) -> Result<(), AuditError> {
        let mut state = self.state();
        self.write_waiting(&mut state)
    }

    /// Writes one record. An error means that the query must not end well.
    pub fn record(&self, record: &AuditRecord) -> Result<(), AuditError> {
        let mut line = serde_json::to_vec(record).map_err(|error| AuditError::new(&self.path, error))?;
        line.push(b'\n');
        let mut state = self.state();
        if state.waiting.len() < WAITING_MAX {
            state.waiting.push_back(line);
        }
        self.write_waiting(&mut state)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_waiting(&self, state: &mut State) -> Result<(), AuditError> {
        state.follow_rotation(&self.path).map_err(|source| AuditError::new(&self.path, source))?;
        while let Some(line) = state.waiting.front() {
            let bytes = if state.torn { [b"\n", line.as_slice()].concat() } else { line.clone() };
            // One write per record: replicas may share the file.
            let written = state.file.write_all(&bytes).and_then(|()| state.file.flush());
            state.torn = written.is_err();
            written.map_err(|source| AuditError::new(&self.path, source))?;
            state.waiting.pop_front();
        }
        Ok(())
    }
}

impl State {
    /// Opens the file anew if it was moved away or removed: otherwise records
    /// would go where nobody looks.
    fn follow_rotation(&mut self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt;
        let open = self.file.metadata()?;
        let same = match std::fs::metadata(path) {
            Ok(named) => named.dev() == open.dev() && named.ino() == open.ino(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if !same {
            self.file = append_to(path)?;
            self.torn = false;
        }
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn as_text<S: serde::Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

fn as_milliseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
