//! The node's own record of every domain query: one JSON object a line.
//!
//! A query is refused while the file cannot be written, and a result is
//! complete only once its record is: the stream says OK after the line is out.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::readiness::{Readiness, Trouble};

/// Records that wait for a file that can be written again. Queries are refused
/// meanwhile, so no more can come than were running.
const BACKLOG: usize = 10_000;

/// The audit file.
#[derive(Debug)]
pub(crate) struct AuditLog {
    path: PathBuf,
    readiness: Readiness,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    file: Option<File>,
    waiting: VecDeque<Vec<u8>>,
    /// The last write may have left half a line behind.
    torn: bool,
}

/// Why there can be no record.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the audit file `{}`", path.display())]
pub struct AuditError {
    path: PathBuf,
    source: io::Error,
}

/// What is recorded of one domain query.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub query_id: String,
    pub gateway: String,
    pub issuer: String,
    pub subject: String,
    pub purpose: Option<String>,
    /// As `domain.table`.
    pub tables: Vec<String>,
    /// Ids of the rules that took part, as `domain.table: rule`.
    pub rules: Vec<String>,
    pub policy_versions: Option<PolicyVersions>,
    pub rows: u64,
    pub bytes: u64,
    pub duration_ms: u64,
}

/// Under which documents a query was decided; digests in hexadecimal digits.
#[derive(Debug, Clone)]
pub(crate) struct PolicyVersions {
    pub domain: String,
    pub owner: String,
    pub operator: String,
}

/// How a domain query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    /// A check said no; nothing was read.
    Refused,
    /// Gateway and node hold different versions; nothing was read.
    Moved,
    Error,
    Cancelled,
}

impl AuditLog {
    /// Opens the file for appending; makes its folder if it is not there.
    pub(crate) fn open(path: &Path, readiness: Readiness) -> Result<Self, AuditError> {
        let fail = |source| AuditError { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(fail)?;
        }
        let file = append(path).map_err(fail)?;
        let writer = Writer { file: Some(file), waiting: VecDeque::new(), torn: false };
        Ok(Self { path: path.to_owned(), readiness, writer: Mutex::new(writer) })
    }

    /// Asked before a query reads anything. Follows a file that was rotated away.
    pub(crate) fn ensure_writable(&self) -> Result<(), AuditError> {
        let mut writer = self.lock();
        let result = writer.reopen_if_moved(&self.path).and_then(|()| writer.flush_waiting());
        self.report(result)
    }

    /// Appends the record. One that cannot be written now is kept and written before any other query runs.
    pub(crate) fn write(&self, record: &Record, outcome: Outcome) -> Result<(), AuditError> {
        let mut line = record.to_json(outcome).to_string().into_bytes();
        line.push(b'\n');
        let mut writer = self.lock();
        if writer.waiting.len() >= BACKLOG {
            let full = io::Error::other("too many records wait for the file");
            return self.report(Err(full));
        }
        writer.waiting.push_back(line);
        let result = writer.flush_waiting();
        self.report(result)
    }

    fn report(&self, result: io::Result<()>) -> Result<(), AuditError> {
        self.readiness.set(Trouble::Audit, result.is_err());
        result.map_err(|source| AuditError { path: self.path.clone(), source })
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn reopen_if_moved(&mut self, path: &Path) -> io::Result<()> {
        let same = match (&self.file, std::fs::metadata(path)) {
            (Some(file), Ok(there)) => {
                let open = file.metadata()?;
                (open.dev(), open.ino()) == (there.dev(), there.ino())
            }
            (None, _) | (_, Err(_)) => false,
        };
        if !same {
            self.file = None;
            self.file = Some(append(path)?);
            self.torn = false;
        }
        Ok(())
    }

    fn flush_waiting(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Err(io::Error::other("the file is not open"));
        };
        while let Some(line) = self.waiting.front() {
            if self.torn {
                file.write_all(b"\n")?;
            }
            self.torn = true;
            file.write_all(line)?;
            self.torn = false;
            self.waiting.pop_front();
        }
        file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

impl Record {
    fn to_json(&self, outcome: Outcome) -> Value {
        let versions = |versions: &PolicyVersions| {
            json!({
                "domain": versions.domain,
                "owner": versions.owner,
                "operator": versions.operator,
            })
        };
        json!({
            "time": chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            "query_id": self.query_id,
            "gateway": self.gateway,
            "principal": { "issuer": self.issuer, "subject": self.subject },
            "purpose": self.purpose,
            "tables": self.tables,
            "rules": self.rules,
            "policy_versions": self.policy_versions.iter().map(versions).collect::<Vec<_>>(),
            "rows": self.rows,
            "bytes": self.bytes,
            "outcome": outcome.name(),
            "duration_ms": self.duration_ms,
        })
    }
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Moved => "moved",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(query_id: &str) -> Record {
        Record { query_id: query_id.to_owned(), ..Record::default() }
    }

    fn query_ids(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        let value = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        text.lines().map(|line| value(line)["query_id"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn one_object_a_line_and_a_rotated_file_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit/node.jsonl");
        let log = AuditLog::open(&path, Readiness::default()).unwrap();
        log.write(&record("one"), Outcome::Ok).unwrap();
        log.write(&record("two"), Outcome::Cancelled).unwrap();
        assert_eq!(query_ids(&path), ["one", "two"]);

        let rotated = folder.path().join("audit/node.1.jsonl");
        std::fs::rename(&path, &rotated).unwrap();
        log.ensure_writable().unwrap();
        log.write(&record("three"), Outcome::Error).unwrap();
        assert_eq!(query_ids(&rotated), ["one", "two"]);
        assert_eq!(query_ids(&path), ["three"]);
    }

    #[test]
    fn what_cannot_be_written_is_trouble_until_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.jsonl");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let readiness = Readiness::default();
        let log = AuditLog::open(&path, readiness.clone()).unwrap();
        log.write(&record("one"), Outcome::Ok).unwrap_err();
        log.ensure_writable().unwrap_err();
        assert_eq!(readiness.troubles(), [Trouble::Audit]);

        std::fs::remove_file(&path).unwrap();
        log.ensure_writable().unwrap();
        assert_eq!(readiness.troubles(), []);
        assert_eq!(query_ids(&path), ["one"]);
    }
}
