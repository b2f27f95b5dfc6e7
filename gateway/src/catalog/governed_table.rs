//! A visible table as the planner scans it. Knows no data: a scan of it is a
//! domain query.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{DataFusionError, Result},
    logical_expr::{Expr, TableProviderFilterPushDown, TableType},
    physical_plan::ExecutionPlan,
};
use meshgate_engine::predicate;
use meshgate_policies::Statement;
use meshgate_proto::v1;

use super::VisibleTable;
use crate::query::{DomainQuery, DomainQueryExec, QueriedTable};

/// A table of a domain under the decision for one principal.
#[derive(Debug)]
pub(crate) struct GovernedTable {
    table: Arc<VisibleTable>,
    statement: Statement,
}

impl GovernedTable {
    /// `table`, as a statement scans it.
    pub(crate) fn new(table: Arc<VisibleTable>, statement: Statement) -> Self {
        Self { table, statement }
    }

    /// The table with its decision.
    pub(crate) fn table(&self) -> &Arc<VisibleTable> {
        &self.table
    }

    /// The moment of the statement.
    pub(crate) fn statement(&self) -> Statement {
        self.statement
    }

    /// The table as a permit names it.
    pub(crate) fn queried(&self) -> QueriedTable {
        QueriedTable {
            table: self.table.name.clone(),
            contract_version: self.table.contract_version,
            decision_digest: self.table.decision.digest,
        }
    }

    /// The smallest domain query that gives the columns at `projection`. Of
    /// `filters` it takes what may leave the gateway; the planner applies all of them again.
    pub(crate) fn domain_query(
        &self,
        projection: Option<&[usize]>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<DomainQuery> {
        let schema = Arc::new(self.projected(projection)?);
        // Rows that an untaken filter drops must not count.
        let limit = if filters.is_empty() { limit.and_then(|limit| u64::try_from(limit).ok()) } else { None };
        let scan = v1::Scan {
            domain: self.table.domain.clone(),
            table: self.table.name.clone(),
            columns: schema.fields().iter().map(|field| field.name().clone()).collect(),
            predicates: filters.iter().filter_map(|filter| self.predicate(filter)).collect(),
            limit,
        };
        DomainQuery::scan(&self.table.domain, scan, schema, self.queried(), self.statement)
            .map_err(|error| DataFusionError::External(Box::new(error)))
    }

    /// Does a domain query take the filter along?
    pub(crate) fn takes(&self, filter: &Expr) -> bool {
        self.predicate(filter).is_some()
    }

    fn projected(&self, projection: Option<&[usize]>) -> Result<Schema> {
        Ok(match projection {
            Some(columns) => self.table.schema.project(columns)?,
            None => self.table.schema.as_ref().clone(),
        })
    }

    fn predicate(&self, filter: &Expr) -> Option<v1::Predicate> {
        if self.is_leak_proof(filter) { predicate::to_message(filter, &self.table.schema) } else { None }
    }

    fn is_leak_proof(&self, filter: &Expr) -> bool {
        predicate::is_leak_proof(filter, &self.table.schema, &|column| self.table.is_plain(column))
    }
}

#[async_trait]
impl TableProvider for GovernedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.table.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| {
            if self.takes(filter) {
                TableProviderFilterPushDown::Inexact
            } else {
                TableProviderFilterPushDown::Unsupported
            }
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let query = self.domain_query(projection.map(Vec::as_slice), filters, limit)?;
        Ok(Arc::new(DomainQueryExec::new(Arc::new(query), Vec::new())))
    }
}
