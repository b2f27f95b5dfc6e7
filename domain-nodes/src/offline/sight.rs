//! What one principal sees of a table, row by row beside its keys and the raw
//! cells: for the owner alone. Every part is read through a secured table, of
//! the principal's decision or of one that shows the same rows in another way.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::common::TableReference;
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlanBuilder;
use futures::TryStreamExt;
use meshgate_engine::QuerySettings;
use meshgate_policies::{Cell, DecidedColumn, Disclosed, Statement, Table, TableDecision};

use super::node::OfflineNode;
use crate::lookups::Lookups;
use crate::state::OpenError;

/// The visible rows of a table. All three have the same rows in the same order.
#[derive(Debug, Clone)]
pub struct Sight {
    /// The raw values of the primary key.
    pub keys: Vec<RecordBatch>,
    /// The visible columns, as the principal sees them.
    pub shown: Vec<RecordBatch>,
    /// The same columns, raw.
    pub raw: Vec<RecordBatch>,
}

/// Why a table cannot be looked at. For the owner: it may name what callers must not know.
#[derive(Debug, thiserror::Error)]
pub enum SightError {
    #[error("the contract of `{0}` names no primary key: mark its columns with `primaryKey: true`")]
    NoKey(String),
    #[error("`{0}` has no data that can be read: give it rows")]
    NoSource(String),
    #[error(transparent)]
    Open(OpenError),
    #[error("{0}")]
    Engine(#[from] DataFusionError),
    #[error("the rows of `{0}` changed while they were read")]
    Changed(String),
}

impl OfflineNode {
    /// The keys of the rows that a decision shows.
    pub async fn keys(
        &self,
        table: &str,
        decision: &TableDecision,
        statement: &Statement,
    ) -> Result<Vec<RecordBatch>, SightError> {
        let contract = self.contract(table)?;
        let keys = with_columns(decision, key_columns(&contract)?);
        self.read(table, &keys, statement).await
    }

    /// Everything that a decision shows, and what lies behind it.
    pub async fn sight(
        &self,
        table: &str,
        decision: &TableDecision,
        statement: &Statement,
    ) -> Result<Sight, SightError> {
        let keys = self.keys(table, decision, statement).await?;
        let shown = self.read(table, decision, statement).await?;
        let raw = decision.columns.iter().map(raw).collect();
        let raw = self.read(table, &with_columns(decision, raw), statement).await?;
        let rows = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        if rows(&keys) != rows(&shown) || rows(&keys) != rows(&raw) {
            return Err(SightError::Changed(table.to_owned()));
        }
        Ok(Sight { keys, shown, raw })
    }

    /// How many rows a decision shows.
    pub async fn count(
        &self,
        table: &str,
        decision: &TableDecision,
        statement: &Statement,
    ) -> Result<usize, SightError> {
        let first = decision.columns.iter().take(1).map(raw).collect();
        let batches = self.read(table, &with_columns(decision, first), statement).await?;
        Ok(batches.iter().map(RecordBatch::num_rows).sum())
    }

    /// How many rows the table has.
    pub async fn total(&self, table: &str, statement: &Statement) -> Result<usize, SightError> {
        let contract = self.contract(table)?;
        let first = contract.columns.iter().enumerate().take(1);
        let all = TableDecision {
            columns: first
                .map(|(index, _)| column(&contract, index))
                .collect::<Option<_>>()
                .unwrap_or_default(),
            rows: None,
            rules: Vec::new(),
            row_rules: Vec::new(),
            lookups: Vec::new(),
            digest: contract.version(),
        };
        let batches = self.read(table, &all, statement).await?;
        Ok(batches.iter().map(RecordBatch::num_rows).sum())
    }

    fn contract(&self, table: &str) -> Result<Arc<Table>, SightError> {
        let served = self.state.table(table).ok_or_else(|| SightError::NoSource(table.to_owned()))?;
        Ok(Arc::clone(served.contract()))
    }

    /// The rows of a decision, in the order of the files: the engine splits nothing for so little.
    async fn read(
        &self,
        table: &str,
        decision: &TableDecision,
        statement: &Statement,
    ) -> Result<Vec<RecordBatch>, SightError> {
        let missing = || SightError::NoSource(table.to_owned());
        let served = self.state.table(table).ok_or_else(missing)?;
        let settings = QuerySettings {
            query_id: uuid::Uuid::now_v7().to_string(),
            instant: statement.instant,
            zone: statement.zone.name().to_owned(),
        };
        let engine = &self.node.engine;
        let session = engine.session(settings, Arc::new(MemoryCatalogProviderList::new()))?;
        let most_keys = self.node.limits.lookup_keys;
        let lookups = Lookups::new(Arc::clone(&self.state), session.clone(), &decision.lookups, most_keys);
        let secured = served.secured(decision, &session).await;
        let secured = secured.and_then(|secured| Ok(secured.with_pseudonyms(&self.state.pseudonyms)?));
        let secured = secured.map_err(|error| match error {
            OpenError::NoSource => missing(),
            error => SightError::Open(error),
        })?;
        let source = provider_as_source(Arc::new(secured.with_lookups(lookups)));
        let logical = LogicalPlanBuilder::scan(TableReference::bare(table), source, None)?.build()?;
        let (planned, deadline) = (session.clone(), engine.latest_deadline());
        #[expect(clippy::disallowed_methods, reason = "our own plan over one secured table")]
        let plan = async move { planned.create_physical_plan(&logical).await };
        let physical = engine.run(plan, deadline).await?;
        #[cfg(debug_assertions)]
        crate::secured::check(&physical).map_err(|error| DataFusionError::Internal(error.to_string()))?;
        Ok(engine.execute(physical, session.task_ctx(), deadline)?.try_collect().await?)
    }
}

/// The rows of a decision with other columns.
fn with_columns(decision: &TableDecision, columns: Vec<DecidedColumn>) -> TableDecision {
    TableDecision { columns, ..decision.clone() }
}

fn key_columns(contract: &Table) -> Result<Vec<DecidedColumn>, SightError> {
    let position = |name: &String| contract.columns.iter().position(|column| column.name == *name);
    let columns: Option<Vec<_>> =
        contract.primary_key.iter().map(|name| column(contract, position(name)?)).collect();
    columns.filter(|columns| !columns.is_empty()).ok_or_else(|| SightError::NoKey(contract.name.clone()))
}

/// A column of the contract, as it is.
fn column(contract: &Table, index: usize) -> Option<DecidedColumn> {
    let column = contract.columns.get(index)?;
    Some(DecidedColumn {
        index,
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        nullable: true,
        plain: true,
        cell: Cell::Raw,
        disclosed: Disclosed::new(),
    })
}

fn raw(column: &DecidedColumn) -> DecidedColumn {
    DecidedColumn { cell: Cell::Raw, plain: true, nullable: true, ..column.clone() }
}
