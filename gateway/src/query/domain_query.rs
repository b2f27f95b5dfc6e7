//! The part of a plan that one domain's node executes, ready to be sent.

use std::{fmt, hash};

use arrow::{datatypes::SchemaRef, ipc::writer::IpcWriteOptions};
use arrow_flight::{IpcMessage, SchemaAsIpc};
use bytes::Bytes;
use datafusion::logical_expr::Expr;
use meshgate_engine::{plan_form, predicate};
use meshgate_policies::{Digest, Statement};
use meshgate_proto::v1::{self, domain_query::Form};
use prost::Message;

/// Longest message: a node takes no longer ones.
const BYTES_MAX: usize = 1 << 20;

/// A query for one domain.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DomainQuery {
    pub domain: String,
    /// The exact bytes of a `meshgate.v1.DomainQuery`; permits hold their digest.
    pub bytes: Bytes,
    /// What the node must answer with.
    pub schema: SchemaRef,
    /// The tables that the query reads, under the decisions it was planned with.
    pub tables: Vec<QueriedTable>,
    /// The statement's instant, microseconds since the epoch.
    pub instant: i64,
}

/// A table of a domain query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct QueriedTable {
    pub table: String,
    pub contract_version: Digest,
    pub decision_digest: Digest,
}

/// A domain query cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the schema of a domain query cannot be encoded")]
pub(crate) struct DomainQueryError(#[from] arrow::error::ArrowError);

impl DomainQuery {
    /// A query in the form `Scan`.
    pub(crate) fn scan(
        domain: &str,
        scan: v1::Scan,
        schema: SchemaRef,
        table: QueriedTable,
        statement: Statement,
    ) -> Result<Self, DomainQueryError> {
        Self::new(domain, Form::Scan(scan), schema, vec![table], statement)
    }

    /// A query in the form `Plan`; `logical_plan` is what the engine's `plan_form` encodes.
    pub(crate) fn plan(
        domain: &str,
        logical_plan: Vec<u8>,
        schema: SchemaRef,
        tables: Vec<QueriedTable>,
        statement: Statement,
    ) -> Result<Self, DomainQueryError> {
        let plan = v1::Plan { format: plan_form::FORMAT, logical_plan };
        Self::new(domain, Form::Plan(plan), schema, tables, statement)
    }

    /// The same query for those rows of its answer only for which `condition` is true. `None` if
    /// that cannot be said: a limit takes its rows first, and a message has a bound.
    pub(super) fn where_too(&self, condition: &Expr) -> Option<Self> {
        let mut message = v1::DomainQuery::decode(self.bytes.as_ref()).ok()?;
        match message.form.as_mut()? {
            Form::Scan(scan) if scan.limit.is_none() => {
                scan.predicates.push(predicate::to_message(condition, &self.schema)?);
            }
            Form::Scan(_) => return None,
            Form::Plan(plan) => plan.logical_plan = plan_form::filtered(&plan.logical_plan, condition)?,
        }
        let bytes = Bytes::from(message.encode_to_vec());
        (bytes.len() <= BYTES_MAX).then(|| Self { bytes, ..self.clone() })
    }

    fn new(
        domain: &str,
        form: Form,
        schema: SchemaRef,
        tables: Vec<QueriedTable>,
        statement: Statement,
    ) -> Result<Self, DomainQueryError> {
        let options = IpcWriteOptions::default();
        let IpcMessage(encoded_schema) = SchemaAsIpc::new(&schema, &options).try_into()?;
        let message = v1::DomainQuery {
            instant: statement.instant,
            time_zone: statement.zone.name().to_owned(),
            schema: encoded_schema.to_vec(),
            form: Some(form),
        };
        Ok(Self {
            domain: domain.to_owned(),
            bytes: Bytes::from(message.encode_to_vec()),
            schema,
            tables,
            instant: statement.instant,
        })
    }
}

/// Names tables only: predicates hold values of the statement.
impl fmt::Debug for DomainQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables: Vec<_> = self.tables.iter().map(|table| &table.table).collect();
        f.debug_struct("DomainQuery").field("domain", &self.domain).field("tables", &tables).finish()
    }
}

impl hash::Hash for DomainQuery {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.domain.hash(state);
        self.bytes.hash(state);
        self.tables.hash(state);
    }
}
