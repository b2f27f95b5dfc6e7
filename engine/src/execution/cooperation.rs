//! The last physical optimizer rule: operators that can work for a long time
//! without handing over a batch get to yield, so that aborting them works.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::error::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::{ChildrenPropertiesMode, ExecutionPlan, ReplaceChildrenOptions};

use super::sliced::SlicedExec;

/// Wraps joins, unnesting and recursion.
#[derive(Debug, Default)]
pub(crate) struct Cooperation;

impl PhysicalOptimizerRule for Cooperation {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(plan.transform_up(wrap)?.data)
    }

    fn name(&self) -> &str {
        "cooperation"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn wrap(plan: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    if !works_long(plan.name()) {
        return Ok(Transformed::no(plan));
    }
    // These two compare each batch of their right side with all that they hold of the left one
    // before they look up again.
    let plan = if plan.is::<NestedLoopJoinExec>() || plan.is::<HashJoinExec>() {
        match plan.children().as_slice() {
            [left, right] => {
                let right = Arc::new(SlicedExec::new(Arc::clone(right)));
                let children = vec![Arc::clone(left), right as Arc<dyn ExecutionPlan>];
                plan.replace_children(
                    children,
                    ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
                )?
            }
            _ => plan,
        }
    } else {
        plan
    };
    Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan))))
}

fn works_long(name: &str) -> bool {
    name.ends_with("JoinExec") || name == "UnnestExec" || name == "RecursiveQueryExec"
}
