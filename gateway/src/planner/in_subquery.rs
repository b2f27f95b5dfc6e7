//! `x IN (SELECT ..)` of NULL, and among NULLs, is NULL: also where it is not all of a condition, and whatever `x` is.
//!
//! The engine (`decorrelate_predicate_subquery` in datafusion-optimizer 55.2) knows that of NOT IN in one place only:
//! as a conjunct, without correlation, and as far as columns say that they may be NULL. It looks at no expression
//! over them, refuses correlated ones, and inside of OR, CASE or NOT it makes a mark of IN that is FALSE where there
//! is no match. So the subquery's column may be NULL here where `x` is an expression, and in all other places the
//! three answers are written down, by whether the subquery has a row, and one with NULL.

use datafusion::{
    common::{
        Column, DFSchema, Result, ScalarValue,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    functions_aggregate::expr_fn::count,
    logical_expr::{
        BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Subquery,
        expr::{Exists, InSubquery},
        lit,
        utils::{conjunction, merge_schema, split_conjunction_owned},
        when,
    },
};
use meshgate_engine::scalar_or_null;

/// The same plan, in which what becomes of IN and its subquery is right for NULL, too.
pub(super) fn keep_null(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(keep_null_in_node)?.data)
}

fn keep_null_in_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    // Nowhere else does the engine know what to do with it.
    if !matches!(node, LogicalPlan::Filter(_) | LogicalPlan::Join(_)) {
        return Ok(Transformed::no(node));
    }
    let schema = merge_schema(&node.inputs());
    node.map_expressions(|condition| {
        if !condition.exists(|expr| Ok(matches!(expr, Expr::InSubquery(_))))? {
            return Ok(Transformed::no(condition));
        }
        let parts = split_conjunction_owned(condition);
        let parts = parts.into_iter().map(|expr| part(expr, true, &schema)).collect::<Result<Vec<_>>>()?;
        Ok(Transformed::yes(conjunction(parts).unwrap_or_else(|| lit(true))))
    })
}

/// A part of a condition that is fulfilled or not: whether it is FALSE or NULL makes no difference. Is it one that
/// all rows must fulfil?
fn part(expr: Expr, is_conjunct: bool, schema: &DFSchema) -> Result<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let [left, right] = [left, right].map(|side| part(*side, false, schema).map(Box::new));
            Ok(Expr::BinaryExpr(BinaryExpr { left: left?, op, right: right? }))
        }
        Expr::Not(inner) => match *inner {
            Expr::InSubquery(test) => {
                part(Expr::InSubquery(InSubquery { negated: !test.negated, ..test }), is_conjunct, schema)
            }
            other => inside(Expr::Not(Box::new(other)), schema),
        },
        Expr::InSubquery(test) if !test.negated => Ok(Expr::InSubquery(test)),
        // Of a test without columns, the engine makes a filter below the join, which then sees no NULL.
        Expr::InSubquery(test)
            if is_conjunct
                && test.subquery.outer_ref_columns.is_empty()
                && !test.expr.column_refs().is_empty() =>
        {
            if can_be_null(&test, schema) {
                null_aware(test)
            } else {
                Ok(Expr::InSubquery(test))
            }
        }
        other => inside(other, schema),
    }
}

/// The same with each IN in it written down.
fn inside(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    let written = expr.transform_down(|expr| match expr {
        Expr::InSubquery(test) if can_be_null(&test, schema) => {
            // What is written down holds such a test itself.
            Ok(Transformed::new(three_valued(test)?, true, TreeNodeRecursion::Jump))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(written.data)
}

/// Can the test be NULL?
fn can_be_null(test: &InSubquery, schema: &DFSchema) -> bool {
    let of_subquery =
        test.subquery.subquery.schema().fields().first().is_none_or(|field| field.is_nullable());
    of_subquery || test.expr.nullable(schema).unwrap_or(true)
}

/// NOT IN, of which the engine sees that it can be NULL.
fn null_aware(test: InSubquery) -> Result<Expr> {
    if matches!(test.expr.as_ref(), Expr::Column(_)) {
        return Ok(Expr::InSubquery(test));
    }
    let (plan, column) = (test.subquery.subquery.as_ref().clone(), output(&test.subquery)?);
    let name = column.name.clone();
    let nullable = scalar_or_null::function().call(vec![Expr::Column(column)]).alias(name);
    let plan = LogicalPlanBuilder::from(plan).project(vec![nullable])?.build()?;
    let subquery = test.subquery.with_plan(plan.into());
    Ok(Expr::InSubquery(InSubquery { subquery, ..test }))
}

/// IN as TRUE, FALSE or NULL.
fn three_valued(test: InSubquery) -> Result<Expr> {
    let InSubquery { expr, subquery, negated } = test;
    let null = Expr::Column(output(&subquery)?).is_null();
    let with_null = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone()).filter(null)?.build()?;
    let of_null = expr.as_ref().clone().is_null().and(has_rows(subquery.clone())?);
    let is_open = of_null.or(has_rows(subquery.with_plan(with_null.into()))?);
    let has_match = Expr::InSubquery(InSubquery { expr, subquery, negated: false });
    let value = when(has_match, lit(!negated))
        .when(is_open, lit(ScalarValue::Boolean(None)))
        .otherwise(lit(negated))?;
    Ok(value)
}

/// Has the subquery a row? One that is the same for all rows is counted once.
fn has_rows(subquery: Subquery) -> Result<Expr> {
    if !subquery.outer_ref_columns.is_empty() {
        return Ok(Expr::Exists(Exists { subquery, negated: false }));
    }
    let one = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone()).limit(0, Some(1))?;
    let counted = one.aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64))])?.build()?;
    Ok(Expr::ScalarSubquery(subquery.with_plan(counted.into())).gt(lit(0_i64)))
}

/// The column of a subquery.
fn output(subquery: &Subquery) -> Result<Column> {
    match subquery.subquery.schema().columns().as_slice() {
        [column] => Ok(column.clone()),
        columns => datafusion::common::plan_err!("a subquery of IN has {} columns", columns.len()),
    }
}
