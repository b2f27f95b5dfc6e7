//! Correlated subqueries that the engine would answer wrongly are refused.
//!
//! It takes conditions on the row around out of a subquery and joins by them (`decorrelate` in datafusion-optimizer
//! 55.2), over operators whose rows depend on these conditions: a window, an aggregate of all rows, which has one
//! when nothing is left, rows that are skipped. For scalar subqueries and LATERAL it mends the aggregate.

use datafusion::{
    common::{
        Result, not_impl_err,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    logical_expr::{
        Expr, LogicalPlan, SkipType, Subquery,
        expr::{Exists, InSubquery, SetComparison},
    },
};

/// Is each correlated subquery of the plan one that the engine answers rightly?
pub(super) fn check(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Subquery(lateral) = node {
            check_subquery(lateral, false)?;
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                match expr {
                    Expr::Exists(Exists { subquery, .. })
                    | Expr::InSubquery(InSubquery { subquery, .. })
                    | Expr::SetComparison(SetComparison { subquery, .. }) => check_subquery(subquery, true)?,
                    Expr::ScalarSubquery(subquery) => check_subquery(subquery, false)?,
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

/// `is_test`: only whether there are rows, or such rows, is asked.
fn check_subquery(subquery: &Subquery, is_test: bool) -> Result<()> {
    if subquery.outer_ref_columns.is_empty() {
        return Ok(());
    }
    subquery.subquery.apply(|node| {
        let depends = match node {
            LogicalPlan::Window(_) => true,
            LogicalPlan::Aggregate(aggregate) => is_test && aggregate.group_expr.is_empty(),
            LogicalPlan::Limit(limit) => is_test && !matches!(limit.get_skip_type()?, SkipType::Literal(0)),
            _ => false,
        };
        if depends && node.inputs().into_iter().any(refers_outside) {
            return not_impl_err!("a correlated subquery whose rows depend on each other");
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn refers_outside(plan: &LogicalPlan) -> bool {
    // Nothing in it fails.
    plan.exists(|node| Ok(node.contains_outer_reference())).unwrap_or(true)
}
