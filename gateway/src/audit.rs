//! One line of JSON per query and per refusal: who, what, under which rules,
//! with which outcome.
//!
//! What cannot be recorded does not run. No cell, no token and no policy text is
//! ever part of a record.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use meshgate_engine::audit::shadow::Shadow;
use meshgate_engine::audit::{AuditError, AuditFile, AuditSettings, Bounds, newest};
use serde::Serialize;

/// How far back a look at the log goes.
const NEWEST: Bounds = Bounds { lines: 10_000, bytes: 32 << 20 };

/// One record.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AuditRecord {
    /// When the query ended, or was refused.
    #[serde(serialize_with = "as_text")]
    pub time: DateTime<Utc>,
    pub query_id: String,
    pub principal: AuditPrincipal,
    /// What the caller works for, if it chose something.
    pub purpose: Option<String>,
    /// What was asked: the SQL text, or the name of a command.
    pub statement: String,
    /// Values that were bound to the statement's parameters, as text, each cut at a length.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// Tables that were read, as `domain.table`.
    pub tables: Vec<String>,
    /// Masked columns that were read, as `domain.table.column`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<String>,
    /// Tables and columns that the statement names, that are there, and that
    /// do not exist for the caller.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<String>,
    /// Ids of the rules that took part, as `domain.table: rule`.
    pub rules: Vec<String>,
    pub policy_versions: Vec<PolicyVersion>,
    /// What domains were told of one another's values, for joins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disclosed: Vec<DisclosedKeys>,
    /// What candidates for the policies would decide otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadow>,
    /// The domain from whose node the client may read the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct: Option<String>,
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
pub(crate) struct AuditPrincipal {
    pub issuer: String,
    pub subject: String,
}

/// Under which documents a domain's tables were decided.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PolicyVersion {
    pub domain: String,
    /// Hexadecimal digests.
    pub owner: String,
    pub operator: String,
}

/// Which values a domain was told of, and how many; never the values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DisclosedKeys {
    /// `domain.table.column`
    pub column: String,
    pub to_domain: String,
    pub values: usize,
}

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Ok,
    /// The result may be read from a node, whose record says whether and how it was.
    Offered,
    /// Not allowed, or not understood: nothing was read.
    Refused,
    /// Began and did not complete.
    Failed,
    Cancelled,
}

/// The gateway's audit log.
#[derive(Debug)]
pub(crate) struct AuditLog(AuditFile);

impl AuditLog {
    /// Opens the log for appending and creates it if it is not there.
    pub(crate) fn open(settings: &AuditSettings) -> Result<Self, AuditError> {
        AuditFile::open(settings).map(Self)
    }

    /// The newest records: `take` gets them newest first, and counts those for which it says true.
    pub(crate) fn newest(&self, take: impl FnMut(&[u8]) -> bool) -> std::io::Result<()> {
        newest(self.0.path(), NEWEST, take)
    }

    /// Makes sure that the log can be written: to be asked before a query reads anything.
    pub(crate) fn ready(&self) -> Result<(), AuditError> {
        self.0.ensure_writable()
    }

    /// Writes one record. An error means that the query must not end well.
    pub(crate) fn record(&self, record: &AuditRecord) -> Result<(), AuditError> {
        let line = serde_json::to_vec(record).map_err(|error| AuditError::new(self.0.path(), error))?;
        self.0.append(line)
    }
}

fn as_text<S: serde::Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

fn as_milliseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
