//! From a checked query to operators: its tables secured, and over them what
//! the gateway asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
#[cfg(debug_assertions)]
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::push_down_limit::PushDownLimit;
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use meshgate_engine::plan_form::{CheckedPlan, DecodeError};

use crate::lookups::Lookups;
use crate::pseudonyms::Pseudonyms;
use crate::request::{CheckedForm, CheckedQuery, CheckedScan, CheckedTable, Refusal, same_promise};
use crate::secured::SecuredTable;
use crate::status::QueryError;
use crate::touched::Touched;

/// The operators that answer `checked`.
pub(crate) async fn plan(
    session: &SessionState,
    checked: &CheckedQuery,
    lookups: &Arc<Lookups>,
    pseudonyms: &Pseudonyms,
    touched: &Arc<Touched>,
) -> Result<Arc<dyn ExecutionPlan>, QueryError> {
    let mut tables: Vec<(String, Arc<dyn TableProvider>)> = Vec::with_capacity(checked.tables.len());
    for table in &checked.tables {
        let secured = secured(session, table, lookups, pseudonyms).await?.noting(Arc::clone(touched));
        tables.push((table.table.name().to_owned(), Arc::new(secured)));
    }
    let logical = match &checked.form {
        CheckedForm::Scan(scan) => scan_plan(tables, scan).map_err(QueryError::engine)?,
        CheckedForm::Plan(plan) => decoded(session, plan, tables)?,
    };
    if !same_promise(logical.schema().as_arrow(), &checked.schema) {
        return Err(Refusal::Schema.into());
    }
    let logical = pushed_down(session, logical).map_err(QueryError::planning)?;
    #[expect(clippy::disallowed_methods, reason = "over secured tables, after all checks of the permit")]
    let physical = DefaultPhysicalPlanner::default()
        .create_physical_plan(&logical, session)
        .await
        .map_err(QueryError::planning)?;
    #[cfg(debug_assertions)]
    if let Err(error) =
        crate::secured::check_beside_values(&physical, values_of(&logical).map_err(QueryError::engine)?)
    {
        tracing::error!(%error, "a plan went around its barrier");
        return Err(QueryError::Internal("a plan went around its barrier"));
    }
    if !same_types(&physical.schema(), &checked.schema) {
        return Err(QueryError::Internal("the plan has other types than it was asked for"));
    }
    Ok(physical)
}

/// How many `VALUES` a plan has, in subqueries too.
#[cfg(debug_assertions)]
fn values_of(plan: &LogicalPlan) -> datafusion::error::Result<usize> {
    let mut values = 0;
    plan.apply_with_subqueries(|node| {
        values += usize::from(matches!(node, LogicalPlan::Values(_)));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(values)
}

async fn secured(
    session: &SessionState,
    checked: &CheckedTable,
    lookups: &Arc<Lookups>,
    pseudonyms: &Pseudonyms,
) -> Result<SecuredTable, QueryError> {
    let table = &checked.table;
    let secured = table.secured(&checked.decision, session).await;
    let secured = secured.and_then(|secured| Ok(secured.with_pseudonyms(pseudonyms)?));
    let secured = secured.map_err(|error| QueryError::unavailable(table.name(), error))?;
    Ok(secured.with_lookups(Arc::clone(lookups)))
}

/// Built from parts, not from names: nothing of the message is parsed.
fn scan_plan(
    mut tables: Vec<(String, Arc<dyn TableProvider>)>,
    scan: &CheckedScan,
) -> datafusion::error::Result<LogicalPlan> {
    let Some((name, secured)) = tables.pop() else {
        return Err(DataFusionError::Internal("a scan without its table".to_owned()));
    };
    let column = |name: &String| Expr::Column(Column::new_unqualified(name));
    let source = provider_as_source(secured);
    let mut builder = LogicalPlanBuilder::scan(TableReference::bare(name), source, None)?;
    for filter in &scan.filters {
        builder = builder.filter(filter.clone())?;
    }
    builder.project(scan.columns.iter().map(column))?.limit(0, scan.limit)?.build()
}

fn decoded(
    session: &SessionState,
    plan: &CheckedPlan,
    tables: Vec<(String, Arc<dyn TableProvider>)>,
) -> Result<LogicalPlan, QueryError> {
    let tables: BTreeMap<_, _> = tables.into_iter().collect();
    plan.decode(tables, &session.task_ctx()).map_err(|error: DecodeError| {
        tracing::warn!(%error, "a plan cannot be decoded");
        Refusal::Plan.into()
    })
}

/// The gateway has optimized the plan already. What is left is to tell the
/// scans what they may know: filters that they accept, columns and limits.
fn pushed_down(session: &SessionState, plan: LogicalPlan) -> datafusion::error::Result<LogicalPlan> {
    let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        Arc::new(PushDownFilter::new()),
        Arc::new(PushDownLimit::new()),
        Arc::new(OptimizeProjections::new()),
    ];
    Optimizer::with_rules(rules).optimize(plan, session, |_, _| {})
}

/// The operators may know less or more of NULL than the plan: batches are held
/// against the promise one by one.
fn same_types(left: &Schema, right: &Schema) -> bool {
    left.fields().len() == right.fields().len()
        && left
            .fields()
            .iter()
            .zip(right.fields())
            .all(|(left, right)| left.data_type().equals_datatype(right.data_type()))
}
