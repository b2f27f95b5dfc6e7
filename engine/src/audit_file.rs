//! The file of an audit log, of lines none of which may be missing.
//!
//! A line that could not be written is kept and written before anything else.
//! Whoever asks [`AuditFile::ensure_writable`] before reading anything, and
//! takes an error for a refusal, does nothing that is not recorded. What a line
//! says is up to the server.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most lines that wait for a file that cannot be written. Queries are refused
/// from the first one on, so only those that were running then can add to it.
const WAITING_MAX: usize = 10_000;

/// The file cannot be written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the audit log `{}` cannot be written", path.display())]
pub struct AuditError {
    path: PathBuf,
    source: Arc<io::Error>,
}

impl AuditError {
    /// `source` happened to the log at `path`.
    pub fn new(path: &Path, source: impl Into<io::Error>) -> Self {
        Self { path: path.to_owned(), source: Arc::new(source.into()) }
    }
}

/// An open audit file.
#[derive(Debug)]
pub struct AuditFile {
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

impl AuditFile {
    /// Opens the file for appending and creates it if it is not there. Its folder must be.
    pub fn open(path: &Path) -> Result<Self, AuditError> {
        let file = append_to(path).map_err(|source| AuditError::new(path, source))?;
        let state = State { file, waiting: VecDeque::new(), torn: false };
        Ok(Self { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// The path it was opened at.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what waits; an error as long as that is impossible.
    pub fn ensure_writable(&self) -> Result<(), AuditError> {
        self.write_waiting(&mut self.state())
    }

    /// Writes one line, without its line break. After an error it waits.
    pub fn append(&self, mut line: Vec<u8>) -> Result<(), AuditError> {
        line.push(b'\n');
        let mut state = self.state();
        if state.waiting.len() >= WAITING_MAX {
            self.write_waiting(&mut state)?;
        }
        state.waiting.push_back(line);
        self.write_waiting(&mut state)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_waiting(&self, state: &mut State) -> Result<(), AuditError> {
        state
            .follow_rotation(&self.path)
            .and_then(|()| state.write_waiting())
            .map_err(|source| AuditError::new(&self.path, source))
    }
}

impl State {
    /// Opens the file anew if it was moved away or removed: otherwise lines
    /// would go where nobody looks.
    fn follow_rotation(&mut self, path: &Path) -> io::Result<()> {
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

    fn write_waiting(&mut self) -> io::Result<()> {
        while let Some(line) = self.waiting.front() {
            let bytes = if self.torn { [b"\n", line.as_slice()].concat() } else { line.clone() };
            // One write per line: replicas may share the file.
            let written = self.file.write_all(&bytes).and_then(|()| self.file.flush());
            self.torn = written.is_err();
            written?;
            self.waiting.pop_front();
        }
        Ok(())
    }
}

/// Nobody but the server's own user reads who asked for what.
fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
