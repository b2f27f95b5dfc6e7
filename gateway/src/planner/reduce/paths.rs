//! The way from a join's key down to the domain query that its values come from.
//!
//! Only operators are followed that are known to pass the column on as it is.

use std::sync::Arc;

use datafusion::{
    common::{JoinType, Result, tree_node::TreeNode},
    physical_expr::{
        PhysicalExpr,
        expressions::{
            BinaryExpr, CaseExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal,
            NotExpr,
        },
    },
    physical_plan::{
        ChildrenPropertiesMode, ExecutionPlan, ReplaceChildrenOptions, filter::FilterExec,
        joins::HashJoinExec, projection::ProjectionExec,
    },
};

use crate::query::{DomainQueryExec, SourceColumn};

/// Operators with one input that give all of its rows, in other portions.
const PASS_ALL_ON: [&str; 5] =
    ["CoalesceBatchesExec", "CoalescePartitionsExec", "CooperativeExec", "RepartitionExec", "SlicedExec"];

/// The one column of one domain's table that a column's values come from. Nothing else chooses
/// among its rows but filters on that table: no other domain's values can show in them.
pub(super) fn source(plan: &Arc<dyn ExecutionPlan>, column: usize) -> Option<&SourceColumn> {
    if let Some(query) = plan.downcast_ref::<DomainQueryExec>() {
        return query.column(column)?.source.as_ref().filter(|_| query.reductions().is_empty());
    }
    let filter = plan.downcast_ref::<FilterExec>();
    if filter.is_some_and(|filter| !reads_its_row_only(filter.predicate())) {
        return None;
    }
    let below = passed_on(plan.as_ref(), column)?;
    let [input] = plan.children().try_into().ok()?;
    source(input, below)
}

/// The plan with what `change` makes of the domain query that a column comes from. It may only take
/// rows away by the values of that column. `None` if there is no such query, or no change.
pub(super) fn with_query(
    plan: &Arc<dyn ExecutionPlan>,
    column: usize,
    change: &dyn Fn(&DomainQueryExec, usize) -> Option<DomainQueryExec>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(query) = plan.downcast_ref::<DomainQueryExec>() {
        return Ok(change(query, column).map(|query| Arc::new(query) as Arc<dyn ExecutionPlan>));
    }
    let below = match plan.downcast_ref::<HashJoinExec>() {
        Some(join) => probe_column(join, column),
        None => passed_on(plan.as_ref(), column),
    };
    let mut children: Vec<_> = plan.children().into_iter().cloned().collect();
    // The probe side of a join is its last input.
    let (Some(below), Some(input)) = (below, children.last_mut()) else { return Ok(None) };
    let Some(changed) = with_query(input, below, change)? else { return Ok(None) };
    *input = changed;
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Arc::clone(plan).replace_children(children, options).map(Some)
}

/// The position of a column in the one input of an operator that passes it on; rows of the input
/// that are not there make no other row appear.
fn passed_on(plan: &dyn ExecutionPlan, column: usize) -> Option<usize> {
    // How many rows it gives depends on all of them.
    if plan.fetch().is_some() {
        return None;
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        return projection.expr().get(column)?.expr.downcast_ref::<Column>().map(Column::index);
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        return match filter.projection() {
            Some(columns) => columns.get(column).copied(),
            None => Some(column),
        };
    }
    PASS_ALL_ON.contains(&plan.name()).then_some(column)
}

/// The position in its probe side of a column that an inner join gives. Its build side stays as it
/// is: what that side is made of may be told to others, and must not depend on more.
fn probe_column(join: &HashJoinExec, column: usize) -> Option<usize> {
    if *join.join_type() != JoinType::Inner || join.fetch().is_some() {
        return None;
    }
    let column = match &join.projection {
        Some(columns) => columns.get(column).copied()?,
        None => column,
    };
    column.checked_sub(join.left().schema().fields().len())
}

/// Is nothing in it but the row that it is asked of? Results of subqueries are values of others.
fn reads_its_row_only(predicate: &Arc<dyn PhysicalExpr>) -> bool {
    let is_other = |expression: &Arc<dyn PhysicalExpr>| {
        !(expression.is::<BinaryExpr>()
            || expression.is::<CaseExpr>()
            || expression.is::<CastExpr>()
            || expression.is::<Column>()
            || expression.is::<InListExpr>()
            || expression.is::<IsNotNullExpr>()
            || expression.is::<IsNullExpr>()
            || expression.is::<LikeExpr>()
            || expression.is::<Literal>()
            || expression.is::<NotExpr>())
    };
    predicate.exists(|expression| Ok(is_other(expression))).is_ok_and(|is_other| !is_other)
}
