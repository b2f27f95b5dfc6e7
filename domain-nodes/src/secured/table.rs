//! The table provider that makes one decision true.

use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc};

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{Constraints, DFSchema, Statistics},
    error::{DataFusionError, Result},
    logical_expr::{
        Expr, LogicalPlan, TableProviderFilterPushDown, TableType, expr_rewriter::unnormalize_col,
        utils::split_conjunction_owned,
    },
    physical_expr::{PhysicalExpr, conjunction, expressions::Column},
    physical_plan::{
        ExecutionPlan,
        filter::FilterExecBuilder,
        projection::{ProjectionExec, ProjectionExpr},
    },
};
use meshgate_engine::{
    data_type,
    lower::{lower, with_keys, with_pseudonyms},
    predicate::is_leak_proof,
};
use meshgate_policies::{Cell, DecidedColumn, Table, TableDecision};

use super::{
    barrier::{BarrierExec, BarrierTable, same_columns},
    error::{Failure, SecureError, withhold},
    walker::Fingerprint,
};
use crate::lookups::Lookups;
use crate::pseudonyms::Pseudonyms;
use crate::touched::Touched;

/// A table as one principal gets it.
pub struct SecuredTable {
    /// For logs and rendered plans.
    name: String,
    /// The visible columns, with the contract's types and the decision's nullability.
    schema: SchemaRef,
    /// In the order of `schema`.
    columns: Vec<SecuredColumn>,
    /// Rows for which this is TRUE are visible; `None`: all.
    rows: Option<Expr>,
    /// Has exactly the contract's columns, all nullable.
    raw: Arc<dyn TableProvider>,
    /// Where expressions get the keys of their lookups from.
    lookups: Option<Arc<Lookups>>,
    /// Where it notes what a query reads.
    touched: Option<Arc<Touched>>,
}

/// A requested column.
struct Output<'a> {
    name: &'a str,
    column: &'a SecuredColumn,
    /// As in the column, with the keys of its lookups.
    computed: Option<Expr>,
}

#[derive(Debug)]
struct SecuredColumn {
    /// Position in the contract, and so in the raw table.
    index: usize,
    plain: bool,
    /// `None`: the raw value.
    computed: Option<Expr>,
}

impl SecuredTable {
    /// Makes `decision` true for `raw`, the table of `contract`.
    pub fn new(
        decision: &TableDecision,
        contract: Arc<Table>,
        raw: Arc<dyn TableProvider>,
    ) -> Result<Self, SecureError> {
        check_raw_columns(&contract, &raw.schema())?;
        if decision.columns.is_empty() {
            return Err(SecureError::NothingVisible);
        }
        let mut fields = Vec::with_capacity(decision.columns.len());
        let mut columns = Vec::with_capacity(decision.columns.len());
        for column in &decision.columns {
            fields.push(data_type::field(&column.name, &column.data_type, column.nullable));
            columns.push(SecuredColumn::new(column, &contract)?);
        }
        check_distinct(&decision.columns)?;
        Ok(Self {
            name: format!("{}.{}", contract.domain, contract.name),
            schema: Arc::new(Schema::new(fields)),
            columns,
            rows: decision.rows.as_ref().map(lowered).transpose()?,
            raw,
            lookups: None,
            touched: None,
        })
    }

    #[must_use]
    pub(crate) fn with_lookups(self, lookups: Arc<Lookups>) -> Self {
        Self { lookups: Some(lookups), ..self }
    }

    #[must_use]
    pub(crate) fn noting(self, touched: Arc<Touched>) -> Self {
        Self { touched: Some(touched), ..self }
    }

    /// Notes what a scan reads: `needed` are positions of raw columns.
    fn note(&self, outputs: &[Output<'_>], filters: &[Expr], needed: &[usize]) {
        let Some(touched) = &self.touched else { return };
        let name = |column: &str| format!("{}.{column}", self.name);
        let raw = self.raw.schema();
        let hidden = needed.iter().filter(|index| self.columns.iter().all(|column| column.index != **index));
        touched.note(|columns| {
            columns.read.extend(outputs.iter().map(|output| name(output.name)));
            let filtered = filters.iter().flat_map(Expr::column_refs);
            columns.read.extend(filtered.map(|column| name(&column.name)));
            let masked = outputs.iter().filter(|output| output.column.computed.is_some());
            columns.masked.extend(masked.map(|output| name(output.name)));
            columns
                .hidden
                .extend(hidden.filter_map(|index| raw.fields().get(*index)).map(|field| name(field.name())));
        });
    }

    /// An expression as it is computed, with the keys of its lookups.
    async fn complete(&self, expression: Option<&Expr>) -> Result<Option<Expr>> {
        let Some(expression) = expression.cloned() else { return Ok(None) };
        Ok(Some(match &self.lookups {
            Some(lookups) => lookups.complete(expression).await?,
            None => with_keys(expression, &|_| None)?,
        }))
    }

    /// The same table with the keys of its pseudonyms. Without them it cannot be read.
    pub(crate) fn with_pseudonyms(mut self, pseudonyms: &Pseudonyms) -> Result<Self, SecureError> {
        for column in &mut self.columns {
            let Some(expression) = column.computed.take() else { continue };
            let keyed = with_pseudonyms(expression, &|space| pseudonyms.key(space));
            let keyed = keyed.map_err(|error| SecureError::Expression(error.to_string()))?;
            column.computed = Some(keyed.ok_or(SecureError::NoPseudonymKey)?);
        }
        Ok(self)
    }

    fn accepts(&self, filter: &Expr) -> bool {
        let plain = |name: &str| {
            let found = self.schema.fields().iter().zip(&self.columns);
            found.into_iter().any(|(field, column)| field.name() == name && column.plain)
        };
        is_leak_proof(filter, &self.schema, &plain)
    }

    /// Everything below the barrier, and the barrier.
    async fn build(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let outputs = self.outputs(projection).await?;
        let rows = self.complete(self.rows.as_ref()).await?;
        let predicates = self.predicates(rows.as_ref(), filters)?;
        let needed = self.needed(&outputs, &predicates);
        self.note(&outputs, filters, &needed);
        let raw = self.raw_scan(state, &needed, &predicates, limit).await?;
        let scope = Scope::new(state, &raw)?;

        let mut required = Vec::new();
        for predicate in rows.into_iter().flat_map(split_conjunction_owned) {
            required.push(scope.expression(predicate)?);
        }
        let mut accepted = Vec::with_capacity(filters.len());
        for filter in filters {
            accepted.push(scope.expression(unnormalize_col(filter.clone()))?);
        }
        let filtered = filtered(state, &raw, required.iter().chain(&accepted))?;

        let mut cells = Vec::with_capacity(outputs.len());
        let mut plain = Vec::new();
        for output in &outputs {
            let cell = match &output.computed {
                Some(expression) => scope.expression(expression.clone())?,
                None => scope.column(output.name)?,
            };
            if output.computed.is_some() {
                required.push(Arc::clone(&cell));
            } else if output.column.plain {
                plain.push(Arc::clone(&cell));
            }
            cells.push(ProjectionExpr { expr: cell, alias: output.name.to_owned() });
        }
        for filter in filters {
            for column in filter.column_refs() {
                plain.push(scope.column(&column.name)?);
            }
        }
        let table = BarrierTable {
            name: self.name.clone(),
            schema: self.projected_schema(projection)?,
            plain: outputs.iter().map(|output| output.column.plain).collect(),
            // All that a plain column of an unfiltered table holds is visible.
            scrubbed: outputs.iter().map(|output| self.rows.is_some() || !output.column.plain).collect(),
            all_rows: self.rows.is_none(),
            fingerprint: Fingerprint::new(&raw, &required, &accepted, &plain)?,
        };
        let masked = ProjectionExec::try_new(cells, filtered)?;
        Ok(Arc::new(BarrierExec::try_new(Arc::new(table), Arc::new(masked))?))
    }

    async fn outputs(&self, projection: Option<&Vec<usize>>) -> Result<Vec<Output<'_>>> {
        let everything: Vec<usize> = (0..self.columns.len()).collect();
        let mut outputs = Vec::new();
        for index in projection.unwrap_or(&everything) {
            let field = self.schema.fields().get(*index);
            let (Some(field), Some(column)) = (field, self.columns.get(*index)) else {
                return Err(DataFusionError::Plan("no such column".to_owned()));
            };
            let computed = self.complete(column.computed.as_ref()).await?;
            outputs.push(Output { name: field.name(), column, computed });
        }
        Ok(outputs)
    }

    fn projected_schema(&self, projection: Option<&Vec<usize>>) -> Result<SchemaRef> {
        Ok(match projection {
            Some(projection) => Arc::new(self.schema.project(projection)?),
            None => Arc::clone(&self.schema),
        })
    }

    /// The row predicate and the accepted filters. A filter that was not
    /// accepted must not have come here.
    fn predicates(&self, rows: Option<&Expr>, filters: &[Expr]) -> Result<Vec<Expr>> {
        if !filters.iter().all(|filter| self.accepts(filter)) {
            return Err(DataFusionError::Plan(
                "a secured table got a filter that it did not accept".to_owned(),
            ));
        }
        let own = rows.into_iter().cloned();
        let users = filters.iter().map(|filter| unnormalize_col(filter.clone()));
        Ok(own.chain(users).flat_map(split_conjunction_owned).collect())
    }

    /// Raw columns that outputs and predicates read, in contract order.
    fn needed(&self, outputs: &[Output<'_>], predicates: &[Expr]) -> Vec<usize> {
        let raw = self.raw.schema();
        let position = |name: &str| raw.index_of(name).ok();
        let mut needed = BTreeSet::new();
        for output in outputs {
            match &output.computed {
                None => {
                    needed.insert(output.column.index);
                }
                Some(expression) => {
                    let read = expression.column_refs();
                    needed.extend(read.iter().filter_map(|column| position(&column.name)));
                }
            }
        }
        for predicate in predicates {
            let read = predicate.column_refs();
            needed.extend(read.iter().filter_map(|column| position(&column.name)));
        }
        needed.into_iter().collect()
    }

    /// The scan of the raw table. What it is told of predicates helps it to
    /// read less; all of them are applied again above it.
    async fn raw_scan(
        &self,
        state: &dyn Session,
        needed: &Vec<usize>,
        predicates: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let offered: Vec<&Expr> = predicates.iter().collect();
        let support = self.raw.supports_filters_pushdown(&offered)?;
        let passed: Vec<Expr> = predicates
            .iter()
            .zip(support)
            .filter(|(_, support)| *support != TableProviderFilterPushDown::Unsupported)
            .map(|(predicate, _)| predicate.clone())
            .collect();
        let limit = limit.filter(|_| predicates.is_empty());
        let scan = self.raw.scan(state, Some(needed), &passed, limit).await?;
        check_raw_scan(&self.raw.schema(), needed, &scan.schema())?;
        Ok(scan)
    }
}

impl SecuredColumn {
    fn new(column: &DecidedColumn, contract: &Table) -> Result<Self, SecureError> {
        let misfit = || SecureError::DecisionColumns(column.name.clone());
        let declared = contract.columns.get(column.index).ok_or_else(misfit)?;
        if declared.name != column.name || declared.data_type != column.data_type {
            return Err(misfit());
        }
        let computed = match &column.cell {
            Cell::Raw => None,
            // A predicate on a column that shows something else than its raw
            // values must not be applied to the raw values.
            Cell::Computed(_) if column.plain => return Err(misfit()),
            Cell::Computed(expression) => Some(lowered(expression)?),
        };
        Ok(Self { index: column.index, plain: column.plain, computed })
    }
}

fn lowered(expression: &meshgate_policies::expression::Expr) -> Result<Expr, SecureError> {
    lower(expression).map_err(|error| SecureError::Expression(error.to_string()))
}

fn check_distinct(columns: &[DecidedColumn]) -> Result<(), SecureError> {
    let mut names = BTreeSet::new();
    match columns.iter().find(|column| !names.insert(column.name.as_str())) {
        None => Ok(()),
        Some(column) => Err(SecureError::DecisionColumns(column.name.clone())),
    }
}

fn check_raw_columns(contract: &Table, raw: &Schema) -> Result<(), SecureError> {
    if contract.columns.len() != raw.fields().len() {
        return Err(SecureError::SourceColumns(format!(
            "{} columns instead of {}",
            raw.fields().len(),
            contract.columns.len()
        )));
    }
    for (column, field) in contract.columns.iter().zip(raw.fields()) {
        let expected = data_type::to_arrow(&column.data_type);
        if column.name != *field.name() || expected != *field.data_type() {
            return Err(SecureError::SourceColumns(format!(
                "column {:?} of type {expected} is column {:?} of type {}",
                column.name,
                field.name(),
                field.data_type()
            )));
        }
        // A NULL in a column that says it has none would be believed below the barrier.
        if !field.is_nullable() {
            return Err(SecureError::SourceColumns(format!(
                "column {:?} is said to hold no NULL",
                column.name
            )));
        }
    }
    Ok(())
}

fn check_raw_scan(raw: &Schema, needed: &[usize], scan: &Schema) -> Result<()> {
    if same_columns(&raw.project(needed)?, scan) {
        Ok(())
    } else {
        Err(DataFusionError::Internal("the raw scan has other columns than asked for".to_owned()))
    }
}

/// The row predicate and accepted filters, as one filter. A filter keeps rows
/// for which it is TRUE, so NULL counts as not TRUE without further ado.
fn filtered<'a>(
    state: &dyn Session,
    raw: &Arc<dyn ExecutionPlan>,
    predicates: impl Iterator<Item = &'a Arc<dyn PhysicalExpr>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let mut predicates = predicates.cloned().peekable();
    if predicates.peek().is_none() {
        return Ok(Arc::clone(raw));
    }
    let filter = FilterExecBuilder::new(conjunction(predicates), Arc::clone(raw))
        .with_batch_size(state.config().batch_size())
        .build()?;
    Ok(Arc::new(filter))
}

/// Turns expressions over the raw scan's columns into physical ones.
struct Scope<'a> {
    state: &'a dyn Session,
    schema: SchemaRef,
    named: DFSchema,
}

impl<'a> Scope<'a> {
    fn new(state: &'a dyn Session, raw: &Arc<dyn ExecutionPlan>) -> Result<Self> {
        let schema = raw.schema();
        let named = DFSchema::try_from(Arc::clone(&schema))?;
        Ok(Self { state, schema, named })
    }

    fn expression(&self, expression: Expr) -> Result<Arc<dyn PhysicalExpr>> {
        self.state.create_physical_expr(expression, &self.named)
    }

    fn column(&self, name: &str) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Column::new_with_schema(name, &self.schema)?))
    }
}

#[async_trait]
impl TableProvider for SecuredTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    // The engine's defaults, said once more: each of these would tell the
    // planner, and so the user, something about hidden data.
    fn constraints(&self) -> Option<&Constraints> {
        None
    }

    fn get_table_definition(&self) -> Option<&str> {
        None
    }

    fn get_logical_plan(&'_ self) -> Option<Cow<'_, LogicalPlan>> {
        None
    }

    fn get_column_default(&self, _column: &str) -> Option<&Expr> {
        None
    }

    fn statistics(&self) -> Option<Statistics> {
        None
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| {
                if self.accepts(&unnormalize_col((*filter).clone())) {
                    TableProviderFilterPushDown::Exact
                } else {
                    TableProviderFilterPushDown::Unsupported
                }
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.build(state, projection, filters, limit)
            .await
            .map_err(|error| withhold(&self.name, &Failure::Below(error)).into())
    }
}

impl fmt::Debug for SecuredTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither rules nor the raw table: this text gets into plans and errors.
        f.debug_struct("SecuredTable").field("name", &self.name).finish_non_exhaustive()
    }
}
