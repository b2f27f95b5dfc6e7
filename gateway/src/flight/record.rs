//! The audit record of one query, written exactly once: at its end, or when
//! nobody waits for its result any more.

use std::{sync::Arc, time::Instant};

use crate::{
    audit::{AuditLog, AuditPrincipal, AuditRecord, Outcome, PolicyVersion},
    catalog::{PrincipalCatalog, VisibleTable},
    planner::Parameters,
    status::GatewayError,
};

/// A query that is not recorded yet.
#[derive(Debug)]
pub(super) struct QueryRecord {
    log: Arc<AuditLog>,
    started: Instant,
    /// Taken when it is written.
    record: Option<AuditRecord>,
}

impl QueryRecord {
    /// A query that begins now. It counts as cancelled until something else is known.
    pub(super) fn begin(
        log: Arc<AuditLog>,
        query_id: &str,
        principal: &meshgate_policies::Principal,
        statement: &str,
        parameters: &Parameters,
    ) -> Self {
        let parameters = match parameters {
            Parameters::Given(values) => values.shown(),
            Parameters::Open => Vec::new(),
        };
        let record = AuditRecord {
            time: chrono::Utc::now(),
            query_id: query_id.to_owned(),
            principal: Some(AuditPrincipal {
                issuer: principal.issuer.clone(),
                subject: principal.subject.clone(),
            }),
            purpose: principal.purpose.clone(),
            statement: statement.to_owned(),
            parameters,
            tables: Vec::new(),
            rules: Vec::new(),
            policy_versions: Vec::new(),
            rows: 0,
            bytes: 0,
            outcome: Outcome::Cancelled,
            error: None,
            duration: std::time::Duration::ZERO,
        };
        Self { log, started: Instant::now(), record: Some(record) }
    }

    /// Which tables the statement named, under which rules.
    pub(super) fn read(&mut self, catalog: &PrincipalCatalog) {
        let Some(record) = &mut self.record else {
            return;
        };
        let named = catalog.named();
        record.tables = named.iter().map(|table| table.qualified_name()).collect();
        record.rules = named.iter().flat_map(|table| rules(table)).collect();
        record.policy_versions = policy_versions(&named);
    }

    /// Rows and bytes that were given to the client.
    pub(super) fn gave(&mut self, rows: u64, bytes: u64) {
        if let Some(record) = &mut self.record {
            record.rows = rows;
            record.bytes = bytes;
        }
    }

    /// The query completed. An error means that it must not end well after all.
    pub(super) fn completed(mut self) -> Result<(), GatewayError> {
        self.write(Outcome::Ok, None)
    }

    /// The statement was only looked at: there is nothing to record.
    pub(super) fn not_run(mut self) {
        self.record = None;
    }

    /// Nothing was read.
    pub(super) fn refused(mut self, error: GatewayError) -> GatewayError {
        self.ended(Outcome::Refused, error)
    }

    /// The query began and did not complete.
    pub(super) fn failed(mut self, error: GatewayError) -> GatewayError {
        let outcome =
            if matches!(error, GatewayError::Cancelled) { Outcome::Cancelled } else { Outcome::Failed };
        self.ended(outcome, error)
    }

    fn ended(&mut self, outcome: Outcome, error: GatewayError) -> GatewayError {
        match self.write(outcome, Some(error.class())) {
            Ok(()) => error,
            Err(unwritable) => unwritable,
        }
    }

    fn write(&mut self, outcome: Outcome, error: Option<&'static str>) -> Result<(), GatewayError> {
        let Some(mut record) = self.record.take() else {
            return Ok(());
        };
        record.time = chrono::Utc::now();
        record.duration = self.started.elapsed();
        record.outcome = outcome;
        record.error = error;
        Ok(self.log.record(&record)?)
    }
}

impl Drop for QueryRecord {
    fn drop(&mut self) {
        if let Err(error) = self.write(Outcome::Cancelled, Some(GatewayError::Cancelled.class())) {
            tracing::error!(%error, "a cancelled query could not be recorded");
        }
    }
}

fn rules(table: &VisibleTable) -> Vec<String> {
    let name = table.qualified_name();
    table.decision.rules.iter().map(|rule| format!("{name}: {}", rule.id)).collect()
}

fn policy_versions(tables: &[Arc<VisibleTable>]) -> Vec<PolicyVersion> {
    let mut versions: Vec<PolicyVersion> = tables
        .iter()
        .map(|table| PolicyVersion {
            domain: table.domain.clone(),
            owner: table.view.policy.owner_version().to_string(),
            operator: table.view.policy.operator_version().to_string(),
        })
        .collect();
    versions.dedup_by(|left, right| left.domain == right.domain);
    versions
}
