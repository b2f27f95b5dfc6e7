//! A look over a finished physical plan: is below each barrier what was built
//! there, and nothing of a user's query but harmless predicates?
//!
//! The barrier does not depend on this. It shows, in tests and in debug
//! builds, that no rule of the optimizer found a way around the barrier.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arrow::datatypes::DataType;
use datafusion::{
    common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion},
    datasource::{memory::MemorySourceConfig, source::DataSourceExec},
    error::{DataFusionError, Result},
    physical_expr::{PhysicalExpr, expressions::Column, split_conjunction, utils::collect_columns},
    physical_plan::{ExecutionPlan, projection::ProjectionExec},
};

use super::{
    barrier::{BarrierExec, BarrierTable},
    harmless::is_harmless,
};

/// What should not be where it is. For logs and tests: holds text of expressions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalkerError {
    #[error("data is read outside of a barrier by {operator}")]
    OutsideBarrier { operator: String },
    #[error("{operator} is below the barrier of {table}")]
    Operator { table: String, operator: String },
    #[error("{operator} below the barrier of {table} computes {expression}")]
    Expression { table: String, operator: String, expression: String },
    #[error("{operator} below the barrier of {table} stops at a limit before rows are filtered")]
    Limit { table: String, operator: String },
    #[error("below the barrier of {table}, {expression} is missing")]
    Missing { table: String, expression: String },
    #[error("the plan cannot be read: {0}")]
    Unreadable(String),
}

/// Leaves that hold no data of any table.
const EMPTY_LEAVES: [&str; 3] = ["EmptyExec", "PlaceholderRowExec", "WorkTableExec"];

/// Operators that the optimizer may add to a secured table's scan. What they
/// compute is looked at like everything else.
const ADDED_OPERATORS: [&str; 9] = [
    "CoalesceBatchesExec",
    "CoalescePartitionsExec",
    "CooperativeExec",
    "EmptyExec",
    "FilterExec",
    "GlobalLimitExec",
    "LocalLimitExec",
    "ProjectionExec",
    "RepartitionExec",
];

/// Checks a physical plan as the planner left it.
pub fn check(plan: &Arc<dyn ExecutionPlan>) -> Result<(), WalkerError> {
    check_beside_values(plan, 0)
}

/// The same for a statement with so many `VALUES`: they are leaves with rows in memory.
pub fn check_beside_values(plan: &Arc<dyn ExecutionPlan>, values: usize) -> Result<(), WalkerError> {
    let mut values = values;
    check_outside(plan, &mut values)
}

fn check_outside(plan: &Arc<dyn ExecutionPlan>, values: &mut usize) -> Result<(), WalkerError> {
    if let Some(barrier) = plan.downcast_ref::<BarrierExec>() {
        return check_below(barrier);
    }
    let children = plan.children();
    if children.is_empty() && !EMPTY_LEAVES.contains(&plan.name()) {
        let left = if is_in_memory(plan) { values.checked_sub(1) } else { None };
        *values = left.ok_or_else(|| WalkerError::OutsideBarrier { operator: plan.name().to_owned() })?;
    }
    children.into_iter().try_for_each(|child| check_outside(child, values))
}

fn is_in_memory(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let source = plan.downcast_ref::<DataSourceExec>().map(DataSourceExec::data_source);
    source.is_some_and(|source| source.downcast_ref::<MemorySourceConfig>().is_some())
}

fn check_below(barrier: &BarrierExec) -> Result<(), WalkerError> {
    let table = barrier.table();
    let mut seen = BTreeSet::new();
    check_operator(barrier.child(), table, &mut seen)?;
    let missing = table.fingerprint.required.iter().find(|forms| forms.is_disjoint(&seen));
    match missing {
        None => Ok(()),
        Some(forms) => Err(WalkerError::Missing {
            table: table.name.clone(),
            expression: forms.iter().next().cloned().unwrap_or_default(),
        }),
    }
}

fn check_operator(
    plan: &Arc<dyn ExecutionPlan>,
    table: &BarrierTable,
    seen: &mut BTreeSet<String>,
) -> Result<(), WalkerError> {
    let operator = || plan.name().to_owned();
    let built = &table.fingerprint;
    if !ADDED_OPERATORS.contains(&plan.name()) && !built.operators.contains(plan.name()) {
        return Err(WalkerError::Operator { table: table.name.clone(), operator: operator() });
    }
    if !table.all_rows && plan.fetch().is_some() {
        return Err(WalkerError::Limit { table: table.name.clone(), operator: operator() });
    }
    for expression in expressions(plan)? {
        if !built.accepts(&expression, plan.children().is_empty())? {
            return Err(WalkerError::Expression {
                table: table.name.clone(),
                operator: operator(),
                expression: text(&expression)?,
            });
        }
        seen.insert(text(&expression)?);
    }
    plan.children().into_iter().try_for_each(|child| check_operator(child, table, seen))
}

/// The expressions of one operator, conjunctions taken apart.
fn expressions(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<Arc<dyn PhysicalExpr>>, WalkerError> {
    let mut found = Vec::new();
    plan.apply_expressions(&mut |expression| {
        found.extend(split_conjunction(expression).into_iter().cloned());
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Text of an expression that does not depend on where its columns stand.
fn text(expression: &Arc<dyn PhysicalExpr>) -> Result<String, WalkerError> {
    renamed(expression, |name| name.to_owned())
}

/// Text of an expression that does not depend on what its columns are called.
fn shape(expression: &Arc<dyn PhysicalExpr>) -> Result<String, WalkerError> {
    renamed(expression, |_| "_".to_owned())
}

fn renamed(expression: &Arc<dyn PhysicalExpr>, name: impl Fn(&str) -> String) -> Result<String, WalkerError> {
    let anywhere = Arc::clone(expression)
        .transform_down(|expr| {
            Ok(match expr.downcast_ref::<Column>() {
                Some(column) => Transformed::yes(Arc::new(Column::new(&name(column.name()), 0))),
                None => Transformed::no(expr),
            })
        })
        .data()?;
    Ok(anywhere.to_string())
}

impl From<DataFusionError> for WalkerError {
    fn from(error: DataFusionError) -> Self {
        Self::Unreadable(error.strip_backtrace())
    }
}

/// What a secured table built below its barrier. Expressions are kept as
/// texts, in each form that they take when a rule moves them below the
/// projections of the raw scan.
#[derive(Debug, Default)]
pub(super) struct Fingerprint {
    /// Operators of the raw scan.
    operators: BTreeSet<String>,
    expressions: BTreeSet<String>,
    shapes: BTreeSet<String>,
    /// Of the raw scan. A source may call them differently inside.
    columns: BTreeSet<String>,
    plain: BTreeMap<String, DataType>,
    /// The row predicate's parts and the computed cells: one of each one's
    /// forms must be found.
    required: Vec<BTreeSet<String>>,
}

impl Fingerprint {
    /// `required`, `accepted` and `plain` read the columns of `raw_scan`. What
    /// is accepted need not be found again: the engine may simplify it.
    pub(super) fn new(
        raw_scan: &Arc<dyn ExecutionPlan>,
        required: &[Arc<dyn PhysicalExpr>],
        accepted: &[Arc<dyn PhysicalExpr>],
        plain: &[Arc<dyn PhysicalExpr>],
    ) -> Result<Self> {
        let mut fingerprint = Self::default();
        let schema = raw_scan.schema();
        fingerprint.columns = schema.fields().iter().map(|field| field.name().clone()).collect();
        fingerprint.add_operators(raw_scan).map_err(unreadable)?;
        for expression in required {
            fingerprint.shapes.insert(shape(expression).map_err(unreadable)?);
            let forms = forms(raw_scan, expression).map_err(unreadable)?;
            fingerprint.expressions.extend(forms.iter().cloned());
            fingerprint.required.push(forms);
        }
        for expression in accepted.iter().flat_map(split_conjunction) {
            fingerprint.shapes.insert(shape(expression).map_err(unreadable)?);
            fingerprint.expressions.extend(forms(raw_scan, expression).map_err(unreadable)?);
        }
        for column in plain {
            let data_type = column.data_type(&schema)?;
            for form in forms(raw_scan, column).map_err(unreadable)? {
                fingerprint.plain.insert(form, data_type.clone());
            }
        }
        Ok(fingerprint)
    }

    fn add_operators(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<(), WalkerError> {
        self.operators.insert(plan.name().to_owned());
        for expression in expressions(plan)? {
            self.expressions.insert(text(&expression)?);
        }
        plan.children().into_iter().try_for_each(|child| self.add_operators(child))
    }

    /// Was the expression built here, or is it harmless?
    pub(super) fn accepts(
        &self,
        expression: &Arc<dyn PhysicalExpr>,
        in_source: bool,
    ) -> Result<bool, WalkerError> {
        let known = expression.is::<Column>() || self.expressions.contains(&text(expression)?);
        if known || is_harmless(expression, &|expr, data_type| self.is_plain(expr, data_type)) {
            return Ok(true);
        }
        // A source that has other names for its columns translates what is pushed into it.
        let columns = collect_columns(expression);
        if !in_source || columns.iter().all(|column| self.columns.contains(column.name())) {
            return Ok(false);
        }
        Ok(self.shapes.contains(&shape(expression)?)
            || is_harmless(expression, &|expr, _| expr.is::<Column>()))
    }

    fn is_plain(&self, expression: &Arc<dyn PhysicalExpr>, data_type: Option<&DataType>) -> bool {
        let found = text(expression).ok().and_then(|text| self.plain.get(&text));
        found.is_some_and(|found| data_type.is_none_or(|expected| found == expected))
    }
}

/// The texts of an expression at the top of a plan and below each projection
/// under it.
fn forms(
    plan: &Arc<dyn ExecutionPlan>,
    expression: &Arc<dyn PhysicalExpr>,
) -> Result<BTreeSet<String>, WalkerError> {
    let mut found = BTreeSet::from([text(expression)?]);
    let below = match plan.downcast_ref::<ProjectionExec>() {
        Some(projection) => substituted(expression, projection)?,
        None => Arc::clone(expression),
    };
    for child in plan.children() {
        found.extend(forms(child, &below)?);
    }
    Ok(found)
}

fn substituted(
    expression: &Arc<dyn PhysicalExpr>,
    projection: &ProjectionExec,
) -> Result<Arc<dyn PhysicalExpr>, WalkerError> {
    let below = Arc::clone(expression)
        .transform_up(|expr| {
            let projected =
                expr.downcast_ref::<Column>().and_then(|column| projection.expr().get(column.index()));
            Ok(match projected {
                Some(projected) => Transformed::yes(Arc::clone(&projected.expr)),
                None => Transformed::no(expr),
            })
        })
        .data()?;
    Ok(below)
}

fn unreadable(error: WalkerError) -> DataFusionError {
    DataFusionError::Internal(error.to_string())
}
