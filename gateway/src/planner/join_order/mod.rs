//! The order of inner joins, and of the semi and anti joins among them. In the place of the engine's own rule, which
//! follows the statement's text: joins between tables of one domain come first,
//! so that the domain itself can do them, and then small parts before large
//! ones, each by a condition if there is one. The smaller side of a join comes
//! first: it is the one that is held in memory. Semi and anti joins only take
//! rows away: they come after a domain's own joins, and before any across domains.
//!
//! Only the order is chosen here. What the conditions are, and which answer is
//! right, does not depend on it: every condition ends up in a join or above all
//! of them.

mod estimate;
mod order;
mod region;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::{
    common::{
        NullEquality, Result,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Filter, Join, JoinType, LogicalPlan},
    optimizer::{OptimizerConfig, OptimizerRule, optimizer::Optimizer},
};

use super::early_aggregate::EarlyAggregate;
use meshgate_engine::OptimizerRuleRef;
use region::Region;

pub(super) use estimate::{domain, known_rows, rows_behind};

/// The rule that this one stands for: it turns cross joins with conditions into
/// inner joins, too, and flattens what others have ordered.
const REPLACED: &str = "eliminate_cross_join";

/// Rules of the engine that are left out: they give fields of structs columns of their own below a join, under a
/// name that the join then has twice, with and without its table. Of a plan that another rule has changed since
/// they saw it last, nothing comes but an error.
const LEFT_OUT: [&str; 2] = ["extract_leaf_expressions", "push_down_leaf_projections"];

/// The engine's rules for logical plans, with this one among them, and those of the mesh behind them.
pub(crate) fn rules() -> Vec<OptimizerRuleRef> {
    let mut rules = Optimizer::new().rules;
    rules.retain(|rule| !LEFT_OUT.contains(&rule.name()));
    for rule in &mut rules {
        if rule.name() == REPLACED {
            *rule = Arc::new(JoinOrder);
        }
    }
    rules.push(Arc::new(EarlyAggregate));
    rules
}

#[derive(Debug)]
struct JoinOrder;

impl OptimizerRule for JoinOrder {
    fn name(&self) -> &'static str {
        "join_order"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let mut has_joins = false;
        plan.apply_with_subqueries(|node| {
            has_joins |= matches!(node, LogicalPlan::Join(_));
            Ok(if has_joins { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        if has_joins { ordered(plan).map(Transformed::yes) } else { Ok(Transformed::no(plan)) }
    }
}

/// The same rows, from joins in a better order.
fn ordered(plan: LogicalPlan) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Filter(Filter { predicate, input, .. }) if is_region(&input) => {
            let plan =
                Region::new(Arc::unwrap_or_clone(input), Some(predicate)).map_inputs(ordered)?.joined()?;
            Ok(plan.map_uncorrelated_subqueries(|plan| ordered(plan).map(Transformed::yes))?.data)
        }
        plan if is_region(&plan) => Region::new(plan, None).map_inputs(ordered)?.joined(),
        plan => {
            let changed = |plan| ordered(plan).map(Transformed::yes);
            let plan = plan.map_uncorrelated_subqueries(changed)?.data;
            plan.map_children(changed)?.data.recompute_schema()
        }
    }
}

/// Inner joins, with semi and anti joins over them?
fn is_region(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(join) if is_free(join) || is_test(join) && is_region(&join.left))
}

/// Can its inputs be joined in any order?
pub(super) fn is_free(join: &Join) -> bool {
    join.join_type == JoinType::Inner
        && join.null_equality == NullEquality::NullEqualsNothing
        && !join.null_aware
}

/// Does it only take rows of its left side away, each by itself?
fn is_test(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti) && !join.null_aware
}
