//! `EXCEPT ALL` and `INTERSECT ALL` count: of a row that is three times on the left and once on the right, the former
//! leaves two and the latter one.
//!
//! The engine (`LogicalPlanBuilder::intersect_or_except` in datafusion-expr 55.2) makes an anti or a semi join of them,
//! which leaves all of the three or none. So the same rows of a side are numbered, and their number is one more
//! column by which they are joined: the second one on the left finds the second one on the right.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    common::{Column, JoinType, NullEquality, Result, ScalarValue, plan_err, tree_node::Transformed},
    functions_window::row_number::row_number,
    logical_expr::{
        Distinct, Expr, ExprFunctionExt, Join, LogicalPlan, LogicalPlanBuilder, binary::comparison_coercion,
        cast, lit,
    },
};

/// The same plan, whose EXCEPT ALL and INTERSECT ALL count rows.
pub(super) fn count(plan: LogicalPlan) -> Result<LogicalPlan> {
    let counted = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) if is_of_all(&join) => Ok(Transformed::yes(of_numbered(join)?)),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(counted.data)
}

/// What a statement joins by itself takes NULL for NULL nowhere; without ALL, what is on the left is distinct.
fn is_of_all(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftAnti | JoinType::LeftSemi)
        && join.null_equality == NullEquality::NullEqualsNull
        && !matches!(join.left.as_ref(), LogicalPlan::Distinct(Distinct::All(_)))
}

fn of_numbered(join: Join) -> Result<LogicalPlan> {
    let columns = join.left.schema().columns();
    let (left, number) = numbered(&join.left, &join.right, "left")?;
    let (right, other) = numbered(&join.right, &join.left, "right")?;
    let mut on = join.on;
    on.push((number, other));
    let joined = Join::try_new(
        Arc::new(left),
        Arc::new(right),
        on,
        join.filter,
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    )?;
    LogicalPlanBuilder::from(LogicalPlan::Join(joined))
        .project(columns.into_iter().map(Expr::Column))?
        .build()
}

/// The rows of `plan`, and a column that tells apart those that are the same where they meet those of `other`.
fn numbered(plan: &LogicalPlan, other: &LogicalPlan, side: &str) -> Result<(LogicalPlan, Expr)> {
    let columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let mut name = format!("number on the {side}");
    while !plan.schema().fields_with_unqualified_name(&name).is_empty() {
        name.push('\'');
    }
    let types = plan.schema().fields().iter().zip(other.schema().fields());
    let compared = columns
        .iter()
        .zip(types)
        .map(|(column, (own, other))| compared(column.clone(), own.data_type(), other.data_type()));
    let number = row_number().partition_by(compared.collect::<Result<Vec<_>>>()?).build()?;
    let counted = Expr::Column(Column::from_name(number.schema_name().to_string())).alias(&name);
    let plan = LogicalPlanBuilder::from(plan.clone())
        .window([number])?
        .project(columns.into_iter().chain([counted]))?
        .build()?;
    Ok((plan, Expr::Column(Column::from_name(name))))
}

/// What a join compares of a column: in the type that both sides come to, and the two zeros of floats as one, which
/// windows take for two.
fn compared(column: Expr, own: &DataType, other: &DataType) -> Result<Expr> {
    let Some(common) = comparison_coercion(own, other) else {
        return plan_err!("columns of types that cannot be compared");
    };
    let column = if &common == own { column } else { cast(column, common.clone()) };
    if !common.is_floating() {
        return Ok(column);
    }
    Ok(column + lit(ScalarValue::new_zero(&common)?))
}
