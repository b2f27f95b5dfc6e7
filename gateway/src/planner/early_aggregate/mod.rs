//! Early aggregation: what is grouped above a join or a union of several domains is grouped once before, by each
//! domain that can be asked for groups, so that groups travel and not rows.
//!
//! Only where the answer is exactly the same: counts, sums of integers and decimals, least and greatest values of
//! whatever has one order. Not sums of floats, whose rounding follows the order of the rows, and below a join only of
//! plain columns, because an expression could fail for a row that the join takes away.
//! After the idea of "eager aggregation": W. P. Yan, P.-Å. Larson, Eager Aggregation and Lazy Aggregation, VLDB 1995.

mod below_join;
mod below_union;
mod partial;
#[cfg(test)]
mod tests;

use datafusion::{
    common::{ExprSchema, Result, tree_node::Transformed},
    logical_expr::{Aggregate, Expr, LogicalPlan},
    optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule},
};

use partial::has_one_order;

/// The rule; it comes after the engine's own.
#[derive(Debug)]
pub(super) struct EarlyAggregate;

impl OptimizerRule for EarlyAggregate {
    fn name(&self) -> &'static str {
        "early_aggregate"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
        let early = match below_union::early(aggregate)? {
            None => below_join::early(aggregate)?,
            early => early,
        };
        Ok(early.map_or_else(|| Transformed::no(plan), Transformed::yes))
    }
}

/// Is it an aggregate already, or one row for each of its groups?
fn is_grouped(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_) => true,
        LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Filter(_) => {
            plan.inputs().into_iter().all(is_grouped)
        }
        _ => false,
    }
}

/// Grouping sets are not looked into.
fn groups_are_plain(aggregate: &Aggregate) -> bool {
    aggregate.group_expr.iter().all(|group| {
        let Expr::Column(column) = group else { return false };
        let field = aggregate.input.schema().field_from_column(column);
        field.is_ok_and(|field| has_one_order(field.data_type()))
    })
}
