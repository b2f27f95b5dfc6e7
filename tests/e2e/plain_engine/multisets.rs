//! EXCEPT ALL and INTERSECT ALL, which the engine takes for anti and semi joins: the rows of both sides that are the
//! same get numbers, and are joined by these, too.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, NullEquality, Result};
use datafusion::functions_window::row_number::row_number;
use datafusion::logical_expr::{Distinct, Expr, ExprFunctionExt, Join, LogicalPlan, LogicalPlanBuilder};

pub(super) fn counted(plan: LogicalPlan) -> Result<LogicalPlan> {
    let counted = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Join(join) = node else { return Ok(Transformed::no(node)) };
        let is_distinct = matches!(join.left.as_ref(), LogicalPlan::Distinct(Distinct::All(_)));
        if is_distinct || join.null_equality != NullEquality::NullEqualsNull {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        let shown: Vec<Expr> = join.left.schema().columns().into_iter().map(Expr::Column).collect();
        let mut on = join.on.clone();
        let [left, right] = [(&join.left, "n_left"), (&join.right, "n_right")]
            .map(|(side, name)| with_numbers(side.as_ref().clone(), name).map(Arc::new));
        on.push((Expr::Column(Column::from_name("n_left")), Expr::Column(Column::from_name("n_right"))));
        let joined = LogicalPlan::Join(Join { left: left?, right: right?, on, ..join }).recompute_schema()?;
        Ok(Transformed::yes(LogicalPlanBuilder::from(joined).project(shown)?.build()?))
    })?;
    Ok(counted.data)
}

fn with_numbers(side: LogicalPlan, name: &str) -> Result<LogicalPlan> {
    let mut columns: Vec<Expr> = side.schema().columns().into_iter().map(Expr::Column).collect();
    let number = row_number().partition_by(columns.clone()).build()?;
    columns.push(Expr::Column(Column::from_name(number.schema_name().to_string())).alias(name));
    LogicalPlanBuilder::from(side).window([number])?.project(columns)?.build()
}
