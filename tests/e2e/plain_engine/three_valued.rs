//! IN and its subquery as SQL means it. The engine forgets that it can be NULL wherever it is not all of a condition,
//! and where an expression is looked for: so what it means is written down with EXISTS, which is TRUE or FALSE.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::utils::{conjunction, merge_schema, split_conjunction_owned};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery, lit, when};

pub(super) fn written_down(plan: LogicalPlan) -> Result<LogicalPlan> {
    let written = plan.transform_up_with_subqueries(|node| {
        if !matches!(node, LogicalPlan::Filter(_) | LogicalPlan::Join(_)) {
            return Ok(Transformed::no(node));
        }
        let schema = merge_schema(&node.inputs());
        node.map_expressions(|condition| {
            let parts = split_conjunction_owned(condition).into_iter().map(|part| match part {
                Expr::InSubquery(test) if !test.negated => Ok(Expr::InSubquery(test)),
                other => in_words(other, &schema),
            });
            Ok(Transformed::yes(conjunction(parts.collect::<Result<Vec<_>>>()?).unwrap()))
        })
    })?;
    Ok(written.data)
}

fn in_words(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    let written = expr.transform_down(|expr| match expr {
        Expr::InSubquery(test) => Ok(Transformed::new(is_in(test, schema)?, true, TreeNodeRecursion::Jump)),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(written.data)
}

fn is_in(InSubquery { expr, subquery, negated }: InSubquery, schema: &DFSchema) -> Result<Expr> {
    let found = Expr::Column(Column::from(subquery.subquery.schema().qualified_field(0)));
    let (wanted, outer) = from_inside(expr.as_ref().clone(), schema)?;
    let equal = having(&subquery, Some(found.clone().eq(wanted)), outer)?;
    let unknown = having(&subquery, Some(found.is_null()), Vec::new())?;
    let any = having(&subquery, None, Vec::new())?;
    when(equal, lit(!negated))
        .when(unknown.or(expr.is_null().and(any)), lit(ScalarValue::Boolean(None)))
        .otherwise(lit(negated))
}

/// Is there a row of the subquery for which `condition` holds?
fn having(subquery: &Subquery, condition: Option<Expr>, outer: Vec<Expr>) -> Result<Expr> {
    let plan = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone());
    let plan = match condition {
        Some(condition) => plan.filter(condition)?,
        None => plan,
    };
    let outer_ref_columns = [subquery.outer_ref_columns.clone(), outer].concat();
    let subquery = Subquery { outer_ref_columns, ..subquery.with_plan(Arc::new(plan.build()?)) };
    Ok(Expr::Exists(Exists { subquery, negated: false }))
}

/// What a subquery calls an expression of the row around it, and the columns in it.
fn from_inside(expr: Expr, schema: &DFSchema) -> Result<(Expr, Vec<Expr>)> {
    let mut columns = Vec::new();
    let seen = expr.transform_up(|expr| match expr {
        Expr::Column(column) => {
            let field = Arc::clone(schema.field_from_column(&column)?);
            columns.push(Expr::OuterReferenceColumn(field, column));
            Ok(Transformed::yes(columns.last().unwrap().clone()))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok((seen.data, columns))
}
