//! The audit record of one query, written exactly once: at its end, or when
//! nobody waits for its result any more.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use meshgate_policies::RuleRef;

use super::shadow;
use crate::{
    audit::{AuditLog, AuditPrincipal, AuditRecord, DisclosedKeys, Outcome, PolicyVersion},
    catalog::{DeniedTable, PrincipalCatalog, VisibleTable},
    mesh::DomainView,
    planner::{Parameters, Planned},
    query::{QueryContext, Told},
    status::GatewayError,
};

/// Most names of a kind in a record.
const NAMES: usize = 1_000;
/// A longer statement is cut: it was refused for its length, or the operator allows it.
const STATEMENT_BYTES: usize = 1 << 20;

/// A query that is not recorded yet.
#[derive(Debug)]
pub(super) struct QueryRecord {
    log: Arc<AuditLog>,
    started: Instant,
    /// Taken when it is written.
    record: Option<AuditRecord>,
    /// Of each attempt at running it.
    contexts: Vec<Arc<QueryContext>>,
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
            principal: AuditPrincipal {
                issuer: principal.issuer.clone(),
                subject: principal.subject.clone(),
            },
            purpose: principal.purpose.clone(),
            statement: statement.split_at(statement.floor_char_boundary(STATEMENT_BYTES)).0.to_owned(),
            parameters,
            tables: Vec::new(),
            masked: Vec::new(),
            denied: Vec::new(),
            rules: Vec::new(),
            policy_versions: Vec::new(),
            disclosed: Vec::new(),
            shadow: None,
            direct: None,
            rows: 0,
            bytes: 0,
            outcome: Outcome::Cancelled,
            error: None,
            duration: std::time::Duration::ZERO,
        };
        Self { log, started: Instant::now(), record: Some(record), contexts: Vec::new() }
    }

    /// Which tables the statement named, under which rules, and what came of planning it.
    pub(super) fn read(&mut self, catalog: &PrincipalCatalog, planned: &Result<Planned, GatewayError>) {
        let Some(record) = &mut self.record else {
            return;
        };
        let (named, denied) = (catalog.named(), catalog.denied());
        let of_named = named.iter().flat_map(|table| rules(&table.qualified_name(), &table.decision.rules));
        let of_denied = denied.iter().flat_map(|table| rules(&table.qualified_name(), &table.rules));
        record.tables = bounded(named.iter().map(|table| table.qualified_name()));
        record.rules = bounded(of_named.chain(of_denied));
        let views = named.iter().map(|table| &table.view).chain(denied.iter().map(|table| &table.view));
        record.policy_versions = policy_versions(views);
        record.shadow = shadow::compare(catalog, &named, &denied, planned);
        let missing = planned.as_ref().err().and_then(GatewayError::missing_column);
        let columns = missing.map(|column| hidden(&named, column)).unwrap_or_default();
        record.denied = bounded(denied.iter().map(DeniedTable::qualified_name).chain(columns));
        record.masked = bounded(planned.iter().flat_map(|planned| planned.notice.masked()));
    }

    /// The query runs in this context: what domains are told is known at its end.
    pub(super) fn runs_in(&mut self, context: &Arc<QueryContext>) {
        self.contexts.push(Arc::clone(context));
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

    /// The statement was only looked at here, and the client may read its result from a node of `domain`.
    pub(super) fn offered(mut self, domain: &str) -> Result<(), GatewayError> {
        if let Some(record) = &mut self.record {
            record.direct = Some(domain.to_owned());
        }
        self.write(Outcome::Offered, None)
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
        record.disclosed = disclosed(&self.contexts);
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

fn bounded(names: impl Iterator<Item = String>) -> Vec<String> {
    names.take(NAMES).collect()
}

fn disclosed(contexts: &[Arc<QueryContext>]) -> Vec<DisclosedKeys> {
    let told = contexts.iter().flat_map(|context| context.told());
    let keys = |Told { disclosure, values }| DisclosedKeys {
        column: disclosure.of,
        to_domain: disclosure.to_domain,
        values,
    };
    told.map(keys).take(NAMES).collect()
}

fn rules(table: &str, rules: &[RuleRef]) -> Vec<String> {
    rules.iter().map(|rule| format!("{table}: {}", rule.id)).collect()
}

/// The columns of these tables that a missing one stands for, and that are only hidden.
fn hidden(tables: &[Arc<VisibleTable>], column: &str) -> Vec<String> {
    let tables = tables.iter().filter(|table| table.hides(column));
    tables.map(|table| format!("{}.{column}", table.qualified_name())).collect()
}

/// Each domain once: a statement works on one snapshot of the mesh.
fn policy_versions<'a>(views: impl Iterator<Item = &'a Arc<DomainView>>) -> Vec<PolicyVersion> {
    let views: BTreeMap<&str, &DomainView> = views.map(|view| (view.name.as_str(), view.as_ref())).collect();
    let version = |(domain, view): (&str, &DomainView)| PolicyVersion {
        domain: domain.to_owned(),
        owner: view.policy.owner_version().to_string(),
        operator: view.policy.operator_version().to_string(),
    };
    views.into_iter().map(version).collect()
}
