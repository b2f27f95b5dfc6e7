//! The audit record of a query while it runs. It is written exactly once: when
//! the query ends, or as cancelled when whatever ran it is dropped.

use std::sync::Arc;
use std::time::Instant;

use meshgate_engine::audit::AuditError;
use meshgate_engine::audit::shadow::Shadow;
use meshgate_policies::decision::RuleRef;
use meshgate_policies::{Table, TableDecision};
use meshgate_proto::v1::{Permit, PermittedTable};
use tonic::Status;

use crate::audit::{AuditLog, Outcome, PolicyVersions, Record};
use crate::state::State;
use crate::status::{QueryError, Told};
use crate::touched::Columns;

/// Most tables of a permit that are recorded: a permit names as many as its query reads.
const TABLES: usize = 100;

/// Most rules that are recorded.
const NAMES: usize = 1_000;

/// A record that is still open.
#[derive(Debug)]
pub(crate) struct OpenRecord {
    audit: Arc<AuditLog>,
    began: Instant,
    record: Record,
    written: bool,
}

impl OpenRecord {
    /// Opens the record of the query that a good permit is for.
    pub(crate) fn open(audit: Arc<AuditLog>, permit: &Permit, state: &State, told: Told) -> Self {
        let principal = permit.principal.clone().unwrap_or_default();
        let policy = state.policy();
        let table = |table: &PermittedTable| format!("{}.{}", state.domain(), table.table);
        let versions = PolicyVersions {
            domain: state.domain().to_owned(),
            owner: policy.owner_version().to_string(),
            operator: policy.operator_version().to_string(),
        };
        let record = Record {
            query_id: permit.query_id.clone(),
            read_by: told,
            gateway: permit.gateway.clone(),
            issuer: principal.issuer,
            subject: principal.subject,
            purpose: principal.purpose,
            tables: permit.tables.iter().take(TABLES).map(table).collect(),
            policy_versions: Some(versions),
            ..Record::default()
        };
        Self { audit, began: Instant::now(), record, written: false }
    }

    /// A refusal of what no good permit came with: nothing of it is believed.
    pub(crate) fn of_nobody(audit: Arc<AuditLog>, told: Told) -> Self {
        let record = Record { read_by: told, ..Record::default() };
        Self { audit, began: Instant::now(), record, written: false }
    }

    pub(crate) fn query_id(&self) -> &str {
        &self.record.query_id
    }

    /// Notes what was decided about one of the query's tables.
    pub(crate) fn decided(&mut self, table: &Table, decision: &TableDecision) {
        let rule = |rule: &RuleRef| format!("{}.{}: {}", table.domain, table.name, rule.id);
        let room = NAMES.saturating_sub(self.record.rules.len());
        self.record.rules.extend(decision.rules.iter().take(room).map(rule));
    }

    /// With which keys pseudonyms of one of the query's tables are made.
    pub(crate) fn keys(&mut self, keys: Vec<String>) {
        let known = &mut self.record.pseudonym_keys;
        known.extend(keys);
        known.sort();
        known.dedup();
    }

    pub(crate) fn touched(&mut self, columns: Columns) {
        self.record.columns = columns;
    }

    pub(crate) fn shadow(&mut self, shadow: Option<Shadow>) {
        self.record.shadow = shadow;
    }

    pub(crate) fn count(&mut self, rows: u64, bytes: u64) {
        (self.record.rows, self.record.bytes) = (rows, bytes);
    }

    /// Writes the record and gives the last word of the query: OK only if both were.
    pub(crate) fn close(mut self, result: Result<(), QueryError>) -> Result<(), Status> {
        let outcome = result.as_ref().map_or_else(QueryError::outcome, |()| Outcome::Ok);
        self.record.error = result.as_ref().err().map(QueryError::reason);
        let written = self.write(outcome).map_err(QueryError::from);
        result.and(written).map_err(|error| error.report(self.query_id(), self.record.read_by))
    }

    /// As `close`, for a query that never began to answer.
    pub(crate) fn fail(self, error: QueryError) -> Status {
        let told = self.record.read_by;
        match self.close(Err(error)) {
            Err(status) => status,
            Ok(()) => QueryError::Internal("a failure was taken for a success").report("", told),
        }
    }

    fn write(&mut self, outcome: Outcome) -> Result<(), AuditError> {
        self.written = true;
        self.record.duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.audit.write(&self.record, outcome)
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        if !self.written
            && let Err(error) = self.write(Outcome::Cancelled)
        {
            tracing::error!(query_id = self.query_id(), %error, "a cancelled query has no record yet");
        }
    }
}
