//! A scalar subquery without a row is NULL, whatever its column promises.
//!
//! The engine takes the nullability of a scalar subquery from its column
//! (`Expr::nullable` in datafusion-expr 55.2): over a required column,
//! `(select id ..) is null` becomes FALSE and an empty subquery breaks the
//! promised schema. Here each one is put into a function that returns its
//! argument and promises nothing. It stands outside of the subquery, so that
//! the engine's own rewriting of correlated ones finds what it expects.

use datafusion::{
    common::{
        Result, ScalarValue, not_impl_err,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{
        Aggregate, Expr, FetchType, LogicalPlan, Projection, expr::ScalarFunction,
        expr_rewriter::NamePreserver, lit,
    },
};
use meshgate_engine::scalar_or_null;

/// The same plan, in which every scalar subquery can be NULL. Schemas of the
/// operators above are not touched: the analyzer computes all of them anew.
pub(super) fn allow_null(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(allow_null_in_node)?.data)
}

fn allow_null_in_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let names = NamePreserver::new(&node);
    let node = node.map_expressions(|expr| {
        let name = names.save(&expr);
        let changed = expr.transform_up(allow_null_in_expr)?;
        Ok(if changed.transformed { changed.update_data(|expr| name.restore(expr)) } else { changed })
    })?;
    // The engine computes them before subqueries run, and cannot.
    if node.transformed && matches!(node.data, LogicalPlan::Values(_)) {
        return not_impl_err!("a subquery in VALUES");
    }
    Ok(node)
}

fn allow_null_in_expr(expr: Expr) -> Result<Transformed<Expr>> {
    Ok(match expr {
        // The engine takes the rows away, the column with them, and panics.
        Expr::ScalarSubquery(subquery) if gives_no_row(&subquery.subquery)? => {
            let field = subquery.subquery.schema().field(0);
            Transformed::yes(lit(ScalarValue::try_from(field.data_type())?))
        }
        Expr::ScalarSubquery(subquery) if !is_always_nullable(&subquery.subquery) => {
            Transformed::yes(scalar_or_null::function().call(vec![Expr::ScalarSubquery(subquery)]))
        }
        // What it refers to may hold such a subquery, and its field is a copy from before.
        Expr::OuterReferenceColumn(field, column) if !field.is_nullable() => {
            Transformed::yes(Expr::OuterReferenceColumn(scalar_or_null::nullable(&field), column))
        }
        other => Transformed::no(other),
    })
}

fn gives_no_row(subquery: &LogicalPlan) -> Result<bool> {
    let LogicalPlan::Limit(limit) = subquery else { return Ok(false) };
    Ok(matches!(limit.get_fetch_type()?, FetchType::Literal(Some(0))))
}

/// Is the only column an aggregate that the engine always takes for nullable,
/// such as `max`? Left alone, such a subquery can become an inner join. What
/// is nullable for other reasons may lose that when the engine simplifies it.
fn is_always_nullable(subquery: &LogicalPlan) -> bool {
    let LogicalPlan::Projection(Projection { expr, input, .. }) = subquery else { return false };
    let LogicalPlan::Aggregate(aggregate) = input.as_ref() else { return false };
    expr.first().is_some_and(|expr| needs_nullable_aggregate(expr, aggregate))
}

fn needs_nullable_aggregate(expr: &Expr, aggregate: &Aggregate) -> bool {
    match expr {
        Expr::Alias(alias) => needs_nullable_aggregate(&alias.expr, aggregate),
        Expr::Cast(cast) => needs_nullable_aggregate(&cast.expr, aggregate),
        Expr::BinaryExpr(binary) if binary.op.is_numerical_operators() => {
            needs_nullable_aggregate(&binary.left, aggregate)
                || needs_nullable_aggregate(&binary.right, aggregate)
        }
        Expr::Column(column) => aggregate.schema.maybe_index_of_column(column).is_some_and(|position| {
            // With an empty `group by`, columns are the aggregates themselves.
            aggregate.group_expr.is_empty() && aggregate.schema.field(position).is_nullable()
        }),
        _ => false,
    }
}

/// Is the call one that was put around a scalar subquery?
pub(super) fn is_or_null(call: &ScalarFunction) -> bool {
    call.func == scalar_or_null::function()
}

#[cfg(test)]
mod tests;
