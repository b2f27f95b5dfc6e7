//! The node's own record of every domain query: one JSON object a line.
//!
//! A query is refused while the file cannot be written, and a result is
//! complete only once its record is: the stream says OK after the line is out.

use meshgate_engine::audit::shadow::{RowsLine, Shadow};
use meshgate_engine::audit::{AuditError, AuditFile, AuditSettings};
use serde_json::{Value, json};

use crate::readiness::{Readiness, Trouble};
use crate::status::Told;
use crate::touched::Columns;

/// The audit file.
#[derive(Debug)]
pub(crate) struct AuditLog {
    file: AuditFile,
    readiness: Readiness,
}

/// What is recorded of one domain query.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub query_id: String,
    /// Who got the result.
    pub read_by: Told,
    pub gateway: String,
    pub issuer: String,
    pub subject: String,
    pub purpose: Option<String>,
    /// As `domain.table`.
    pub tables: Vec<String>,
    pub columns: Columns,
    /// What a candidate for the policies would decide otherwise.
    pub shadow: Option<Shadow>,
    /// Ids of the rules that took part, as `domain.table: rule`.
    pub rules: Vec<String>,
    pub policy_versions: Option<PolicyVersions>,
    /// Names of the keys of its pseudonyms, as `space: key`.
    pub pseudonym_keys: Vec<String>,
    /// Why it was not `ok`: what was checked, or what failed. No text of a cell, a policy or a path.
    pub error: Option<String>,
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
    pub(crate) fn open(settings: &AuditSettings, readiness: Readiness) -> Result<Self, AuditError> {
        let path = settings.file.as_path();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| AuditError::new(path, source))?;
        }
        Ok(Self { file: AuditFile::open(settings)?, readiness })
    }

    /// Asked before a query reads anything.
    pub(crate) fn ensure_writable(&self) -> Result<(), AuditError> {
        self.report(self.file.ensure_writable())
    }

    /// Appends the record. One that cannot be written now is kept and written before any other query runs.
    pub(crate) fn write(&self, record: &Record, outcome: Outcome) -> Result<(), AuditError> {
        self.report(self.file.append(record.to_json(outcome).to_string().into_bytes()))
    }

    /// Appends how many rows a candidate would give or take, once it is known.
    pub(crate) fn write_shadow(&self, query_id: &str, counted: &RowsLine) -> Result<(), AuditError> {
        let line = json!({ "time": now(), "query_id": query_id, "shadow_rows": counted });
        self.report(self.file.append(line.to_string().into_bytes()))
    }

    fn report(&self, result: Result<(), AuditError>) -> Result<(), AuditError> {
        self.readiness.set(Trouble::Audit, result.is_err());
        result
    }
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
        let principal = json!({ "issuer": self.issuer, "subject": self.subject });
        // A caller whose permit is not good is nobody.
        let principal = if self.subject.is_empty() { Value::Null } else { principal };
        let mut record = json!({
            "time": now(),
            "query_id": self.query_id,
            "gateway": self.gateway,
            "direct": self.read_by == Told::Client,
            "principal": principal,
            "purpose": self.purpose,
            "tables": self.tables,
            "columns": self.columns.read,
            "masked": self.columns.masked,
            "hidden": self.columns.hidden,
            "rules": self.rules,
            "policy_versions": self.policy_versions.iter().map(versions).collect::<Vec<_>>(),
            "pseudonym_keys": self.pseudonym_keys,
            "rows": self.rows,
            "bytes": self.bytes,
            "outcome": outcome.name(),
            "error": self.error,
            "duration_ms": self.duration_ms,
        });
        if let (Some(shadow), Some(members)) = (&self.shadow, record.as_object_mut()) {
            members.insert("shadow".to_owned(), json!(shadow));
        }
        record
    }
}

fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
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
    use std::path::Path;

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
        let log = AuditLog::open(&AuditSettings::at(&path), Readiness::default()).unwrap();
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
        let log = AuditLog::open(&AuditSettings::at(&path), readiness.clone()).unwrap();
        log.write(&record("one"), Outcome::Ok).unwrap_err();
        log.ensure_writable().unwrap_err();
        assert_eq!(readiness.troubles(), [Trouble::Audit]);

        std::fs::remove_file(&path).unwrap();
        log.ensure_writable().unwrap();
        assert_eq!(readiness.troubles(), []);
        assert_eq!(query_ids(&path), ["one"]);
    }
}
