//! Audit logs: lines none of which may be missing, and how to find out that one is.
//!
//! A line is a JSON object. It names its number and the digest of the line
//! before it, so that a line that was changed, removed, added or moved breaks
//! the chain. Beside the log lies its head (`<file>.head`): which lines there
//! must be, and the digest of the last one, so that a cut end is found too.
//! Whoever may write both files can make up another chain: against that helps
//! what an earlier verification printed, kept elsewhere.
//!
//! | file | what |
//! |---|---|
//! | `<file>` | the newest lines |
//! | `<file>.000000000042` | older ones, named by the number of their first line |
//! | `<file>.head` | first and last line; also the lock of the one server that writes |
//! | `<file>.reserve` | disk that is given back for the lines of running queries when there is no other |
//!
//! What a line says beside that is up to the server.

mod chain;
mod file;
mod files;
mod head;
mod newest;
mod reserve;
mod settings;
pub mod shadow;
#[cfg(test)]
mod tests;
mod verify;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use file::AuditFile;
pub use newest::{Bounds, newest};
pub use settings::AuditSettings;
pub use verify::{Anchor, Finding, Found, Report, verify};

/// Longest line. A statement, its parameters and the names of what it reads are all bounded.
const LINE_BYTES: u64 = 8 << 20;

/// The log cannot be written, or cannot be gone on with.
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
